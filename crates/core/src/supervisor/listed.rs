//! One command for a list of names and patterns: whom each of them means, and one answer in their order.
//!
//! In: words as people write them, and how far the asker reaches. What is done to each process is not here (`commands.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use provost_config::{NamePattern, Programs};

use super::commands::Deed;
use crate::ask::Shape;
use crate::command::Fault;
use crate::group::{namespec, split_namespec};
use crate::history::By;
use crate::ids::{AskId, ProcessId};
use crate::process::Outbox;
use crate::supervisor::Supervisor;
use crate::time::Now;

/// Whom a word means.
#[derive(Debug)]
enum Meant {
    One(ProcessId),
    Several(Vec<ProcessId>),
    Nobody,
}

impl Supervisor {
    /// What is named is answered for whatever its state is; what a pattern or a group brings in, as far as the deed concerns it.
    pub(super) fn deed_to_listed(
        &mut self,
        now: Now,
        (ask, by): (AskId, &Arc<By>),
        names: Vec<String>,
        programs: &Programs,
        deed: &Deed,
        out: &mut Outbox,
    ) {
        let mut named: BTreeMap<ProcessId, String> = BTreeMap::new();
        let mut reached: BTreeSet<ProcessId> = BTreeSet::new();
        let mut nobody = Vec::new();
        let mut places = BTreeMap::new();
        let mut looked_up = BTreeSet::new();
        for given in names {
            // A group may be large, and its name written ten thousand times.
            if looked_up.contains(&given) {
                continue;
            }
            let meant = self.meant(&given, programs);
            let keys: Vec<_> = match &meant {
                Meant::One(id) => vec![self.key_of(*id)],
                Meant::Several(ids) => ids.iter().map(|id| self.key_of(*id)).collect(),
                Meant::Nobody => vec![key_of_nobody(&given)],
            };
            for key in keys {
                let place = places.len();
                places.entry(key).or_insert(place);
            }
            match meant {
                Meant::One(id) => {
                    named.entry(id).or_insert(given);
                    reached.insert(id);
                }
                Meant::Several(ids) => {
                    reached.extend(ids);
                    looked_up.insert(given);
                }
                Meant::Nobody => nobody.push(given),
            }
        }
        self.asks.open(ask, by, Shape::Placed(places));
        for name in nobody {
            let (group, process) = key_of_nobody(&name);
            self.asks.decide(ask, group, process, Err(Fault::BadName { name }));
        }
        // In the order of every start, whatever the order of the names.
        let in_order: Vec<_> = self.groups.iter().flat_map(|group| self.by_priority(group)).collect();
        for id in in_order.into_iter().filter(|id| reached.contains(id)) {
            let process = &self.processes[&id];
            match named.remove(&id) {
                Some(given) => self.deed_to(now, (ask, by), id, given, deed, out),
                None if deed.concerns(process.state) => {
                    let given = namespec(&process.group, &process.name);
                    self.deed_to(now, (ask, by), id, given, deed, out);
                }
                None => {}
            }
        }
        self.answer_if_done(ask, out);
    }

    /// Whom one word of a list means. What it names exactly comes before whom it reaches as a pattern.
    fn meant(&self, given: &str, programs: &Programs) -> Meant {
        let covers = |id: &ProcessId| {
            let process = &self.processes[id];
            programs.covers(&process.group, &process.name)
        };
        match split_namespec(given) {
            (group, Some(name)) => {
                if let Some(id) = self.find(group, name).filter(covers) {
                    return Meant::One(id);
                }
            }
            (group, None) => {
                let all = self.group(group).map(|group| self.by_priority(group));
                let covered: Vec<_> = all.into_iter().flatten().filter(covers).collect();
                if !covered.is_empty() {
                    return Meant::Several(covered);
                }
            }
        }
        let Some(pattern) = NamePattern::parse(given) else { return Meant::Nobody };
        let reaches = |id: &ProcessId| {
            let process = &self.processes[id];
            pattern.reaches(&process.group, &process.name)
        };
        let all = self.groups.iter().flat_map(|group| self.by_priority(group));
        let several: Vec<_> = all.filter(|id| covers(id) && reaches(id)).collect();
        if several.is_empty() { Meant::Nobody } else { Meant::Several(several) }
    }

    fn key_of(&self, id: ProcessId) -> (Arc<str>, Arc<str>) {
        let process = &self.processes[&id];
        (Arc::clone(&process.group), Arc::clone(&process.name))
    }
}

/// As what a word that means nobody stands in a list of results.
fn key_of_nobody(given: &str) -> (Arc<str>, Arc<str>) {
    let (group, process) = given.split_once(':').unwrap_or((given, given));
    (group.into(), process.into())
}
