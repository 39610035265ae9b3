//! A group goes over to the configuration last read, in place: what is the same runs on, untouched.
//!
//! In: a wish for a group. Out: stops, processes that come back, a group in its place with another configuration, one answer.
//!
//! It goes in two steps. First whatever cannot stay is asked to stop: what needs a restart, what is no longer configured,
//! or all of it where the group has become another one. Of each it is written down that it comes back. When nothing is
//! left of what has to be gone for good, the group turns, at once and as a whole: the new configuration is in force, what can change live
//! has changed, and what is down starts if it is to come back. What still stops for a restart follows when it is down, by itself.
//!
//! So a brain that dies before the turn is followed by one that knows the old configuration only: what it finds stopping comes back as it
//! was, and whoever asked asks again. After the turn the next brain knows the new one, and what it finds stopping comes back with that.
//!
//! What is wanted is looked at anew in each step until the turn: people may start, stop, reread meanwhile. Whoever stops a process that
//! is to come back has the last word.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use provost_config::changes::{Fate, GroupChanges, ProcessChanges, group_changes};
use provost_config::diff::diff;
use provost_config::{Config, GroupConfig, ProcessConfig};

use super::commands::lives;
use crate::action::Action;
use crate::ask::{Shape, Until};
use crate::command::{Fault, GroupDifference, Reply, Standing};
use crate::group::{Active, Group, namespec};
use crate::history::By;
use crate::ids::{AskId, ProcessId};
use crate::order;
use crate::process::{Outbox, Process, State};
use crate::supervisor::{Mood, Supervisor};
use crate::time::Now;

/// A group that is about to turn.
#[derive(Debug)]
pub(super) struct Update {
    ask: AskId,
    by: Arc<By>,
    group: String,
    /// What has not changed, too.
    restart_all: bool,
    /// What it comes to, from that group to what was read then: a group may be large, and wait for long.
    plan: Option<(Arc<Group>, Arc<Config>, Arc<Plan>)>,
}

impl Update {
    pub(super) fn is_of(&self, group: &str) -> bool {
        self.group == group
    }
}

impl Supervisor {
    pub(super) fn update_group(&mut self, (ask, by): (AskId, &Arc<By>), group: String, restart_all: bool) {
        let by = Arc::clone(by);
        self.updates.push(Update { ask, by, group, restart_all, plan: None });
    }

    /// Goes on with every update that waits.
    pub(super) fn go_on_updating(&mut self, now: Now, out: &mut Outbox) {
        let mut at = 0;
        while self.begun && self.mood == Mood::Running && at < self.updates.len() {
            // Of two for one group the first comes first, or one would take away what the other counts on.
            let (earlier, rest) = self.updates.split_at(at);
            let Update { by, group, restart_all, .. } = &rest[0];
            if earlier.iter().any(|earlier| earlier.is_of(group)) {
                at += 1;
                continue;
            }
            let (by, name, restart_all) = (Arc::clone(by), group.clone(), *restart_all);
            let ready = self.get_ready(now, &by, (&name, restart_all, at), out);
            if self.mood != Mood::Running {
                // Everybody has been told already.
                return;
            }
            match ready {
                Ok(None) => at += 1,
                Ok(Some((wanted, plan))) => {
                    let ask = self.updates.remove(at).ask;
                    self.turn_group(now, (ask, &by), &wanted, &plan, out);
                    self.release(now, &name, out);
                }
                Err(fault) => {
                    let ask = self.updates.remove(at).ask;
                    Self::reply(ask, Reply::Fault(fault), out);
                    self.release(now, &name, out);
                }
            }
        }
    }

    /// What was kept down for the sake of an update comes back.
    fn release(&mut self, now: Now, group: &str, out: &mut Outbox) {
        for id in self.group(group).map_or_else(Vec::new, order::to_start) {
            if self.processes[&id].returns {
                self.with(now, id, out, |_, _, _| {});
            }
        }
    }

    /// Everything stops: nobody is updated any more.
    pub(super) fn give_up_updates(&mut self, out: &mut Outbox) {
        for update in std::mem::take(&mut self.updates) {
            Self::reply(update.ask, Reply::Fault(Fault::ShuttingDown), out);
        }
    }

    /// Stops what cannot stay as it is. When nothing is left of what has to be gone, the group that is wanted, and what
    /// that comes to.
    fn get_ready(
        &mut self,
        now: Now,
        by: &Arc<By>,
        (name, restart_all, at): (&str, bool, usize),
        out: &mut Outbox,
    ) -> Result<Option<(GroupConfig, Arc<Plan>)>, Fault> {
        let bad_name = || Fault::BadName { name: name.to_owned() };
        let available = Arc::clone(&self.available);
        let wanted = available.groups.iter().find(|group| group.name == name).ok_or_else(bad_name)?;
        let group = self.groups_by_name.get(name).map(Arc::clone).ok_or_else(bad_name)?;
        let known = self.updates[at].plan.take();
        let known = known.filter(|(of, to, _)| Arc::ptr_eq(of, &group) && Arc::ptr_eq(to, &available));
        let plan =
            known.map_or_else(|| Arc::new(self.plan(&group, wanted, restart_all)), |(_, _, plan)| plan);
        self.updates[at].plan = Some((Arc::clone(&group), Arc::clone(&available), Arc::clone(&plan)));
        for id in order::by_priority(&group, &self.processes).into_iter().rev() {
            if plan.has_to_stop(id) && self.processes[&id].state.is_running() {
                self.with(now, id, out, |process, _, out| {
                    process.returns = true;
                    process.stop(now, Some(Arc::clone(by)), out);
                });
            }
        }
        let mut left = group.processes.iter().filter(|id| plan.is_gone(**id)).map(|id| &self.processes[id]);
        if let Some(stuck) = left.clone().find(|process| process.state == State::Unknown && lives(process)) {
            let name = namespec(&stuck.group, &stuck.name);
            return Err(Fault::Failed { detail: format!("{name} could not be signalled") });
        }
        let is_ready = !left.any(|process| lives(process));
        Ok(is_ready.then(|| (wanted.clone(), plan)))
    }

    /// The group goes over.
    fn turn_group(
        &mut self,
        now: Now,
        (ask, by): (AskId, &Arc<By>),
        wanted: &GroupConfig,
        plan: &Plan,
        out: &mut Outbox,
    ) {
        let Some(group) = self.groups_by_name.get(wanted.name.as_str()).map(Arc::clone) else { return };
        match plan.changes.whole {
            true => self.exchange(now, by, &group, wanted, out),
            false => self.renew(now, by, (&group, wanted), plan, out),
        }
        self.answer_update(now, (ask, by), &wanted.name, &plan.changes, out);
    }

    fn plan(&self, group: &Group, wanted: &GroupConfig, restart_all: bool) -> Plan {
        Plan::new(group, self.changes(group, wanted, restart_all))
    }

    fn changes(&self, group: &Group, wanted: &GroupConfig, restart_all: bool) -> GroupChanges {
        let mut changes = group_changes(&group.config, &self.configured(group), wanted);
        for process in changes.processes.iter_mut().filter(|_| restart_all) {
            if matches!(process.fate, Fate::Untouched | Fate::Changed) {
                process.fate = Fate::Restarted;
            }
        }
        changes
    }

    /// What the processes of a group have, or will have when they are down.
    fn configured(&self, group: &Group) -> Vec<Arc<ProcessConfig>> {
        group.processes.iter().map(|id| Arc::clone(self.processes[id].configured())).collect()
    }

    /// Nothing of the old group is left: the new one takes its place.
    fn exchange(&mut self, now: Now, by: &Arc<By>, group: &Group, wanted: &GroupConfig, out: &mut Outbox) {
        let returning: BTreeSet<Arc<str>> = group
            .processes
            .iter()
            .map(|id| &self.processes[id])
            .filter(|process| process.returns)
            .map(|process| Arc::clone(&process.name))
            .collect();
        self.drop_group(group, out);
        self.add(&Active::from(wanted.clone()), out);
        let Some(group) = self.groups_by_name.get(&group.name).map(Arc::clone) else { return };
        for id in order::to_start(&group) {
            let process = &self.processes[&id];
            if returning.contains(&process.name) || process.config.autostart {
                self.start(now, id, Some(Arc::clone(by)), out);
            }
        }
    }

    /// The group stays, with all that is left of it.
    fn renew(
        &mut self,
        now: Now,
        by: &Arc<By>,
        (group, wanted): (&Group, &GroupConfig),
        plan: &Plan,
        out: &mut Outbox,
    ) {
        let gone: Vec<ProcessId> = group.processes.iter().copied().filter(|id| plan.is_gone(*id)).collect();
        let named = |id: &ProcessId| (*id, Arc::clone(&self.processes[id].name));
        out.push(Action::RenewGroup {
            group: Arc::clone(&group.name),
            // Behind its equals, as if it had been added just now.
            moved: group.config.priority != wanted.priority,
            gone: gone.iter().map(named).collect(),
        });
        let pool = self.pool(group);
        for id in gone {
            self.drop_process(id, out);
        }
        let mut renewed = Group::new(wanted.clone(), []);
        let mut added = BTreeSet::new();
        for config in &wanted.processes {
            let (name, id) = match group.process(&config.name) {
                Some(id) => (Arc::clone(&self.processes[&id].name), id),
                None => {
                    let (name, id) = self.prepare(&group.name, config, out);
                    added.insert(id);
                    (name, id)
                }
            };
            renewed.add(name, id);
        }
        self.open_pool(&renewed, pool, out);
        self.put_in_place(Arc::new(renewed));
        for config in &wanted.processes {
            let Some(id) = self.find(&group.name, &config.name) else { continue };
            if added.contains(&id) {
                if config.autostart {
                    self.start(now, id, Some(Arc::clone(by)), out);
                }
                continue;
            }
            match plan.fates.get(&id) {
                Some(Fate::Changed) => {
                    self.with(now, id, out, |process, _, out| process.reconfigure(Arc::clone(config), out));
                }
                Some(Fate::Restarted) => {
                    self.with(now, id, out, |process, _, out| process.replace(Arc::clone(config), out));
                }
                Some(Fate::Untouched | Fate::Added | Fate::Removed) | None => continue,
            }
            // What is down has changed, so it starts as if its group were added anew.
            self.with(now, id, out, |process, _, _| {
                process.returns |=
                    config.autostart && (process.is_over() || process.state == State::Stopping);
            });
            let process = &self.processes[&id];
            if process.returns && process.is_over() {
                self.start(now, id, Some(Arc::clone(by)), out);
            }
        }
    }

    /// In the place of the group of the same name, or where one of its priority would be added.
    fn put_in_place(&mut self, group: Arc<Group>) {
        let old = self.groups.iter().position(|old| old.name == group.name);
        match old {
            Some(at) if self.groups[at].config.priority == group.config.priority => {
                self.groups[at] = Arc::clone(&group);
            }
            at => {
                at.map(|at| self.groups.remove(at));
                let at = order::place_of(&self.groups, group.config.priority);
                self.groups.insert(at, Arc::clone(&group));
            }
        }
        self.groups_by_name.insert(Arc::clone(&group.name), group);
    }

    /// Whoever asked hears of it when all that was stopped is there again, or is not to come.
    fn answer_update(
        &mut self,
        now: Now,
        (ask, by): (AskId, &Arc<By>),
        name: &str,
        changes: &GroupChanges,
        out: &mut Outbox,
    ) {
        // What was down and stays down was not restarted.
        let rests = |process: &str| {
            let process = self.find(name, process).map(|id| &self.processes[&id]);
            process.is_some_and(|process| process.is_over() && !process.returns)
        };
        let fate = |process: &ProcessChanges| match process.fate {
            Fate::Restarted if rests(&process.name) => Fate::Changed,
            fate => fate,
        };
        let goes_on = |process: &ProcessChanges| {
            let stays = matches!(process.fate, Fate::Untouched | Fate::Changed);
            let process = self.find(name, &process.name).map(|id| &self.processes[&id]);
            stays && process.is_some_and(|process| process.pid.is_some() && process.state != State::Stopping)
        };
        let told = |process: &ProcessChanges| (process.name.as_str().into(), fate(process), goes_on(process));
        let fates = changes.processes.iter().map(told).collect();
        self.asks.open(ask, by, Shape::Update { group: name.into(), fates });
        for process in &changes.processes {
            let Some(id) = self.find(name, &process.name) else { continue };
            let is_waited_for = match process.fate {
                Fate::Restarted | Fate::Added => true,
                Fate::Changed => self.processes[&id].is_on_its_way(),
                Fate::Untouched | Fate::Removed => false,
            };
            if is_waited_for {
                self.wait_for(ask, id, namespec(name, &process.name), Until::Returned);
                self.answer_waits(now, id, out);
            }
        }
        self.answer_if_done(ask, out);
    }

    // --- asked beforehand ---

    /// From what runs to what the files say: removed groups, then changed and added ones, as an update goes through them.
    pub(super) fn differences(&self, config: &Config) -> Vec<GroupDifference> {
        let difference = diff(self.groups.iter().map(|group| &group.config), &config.groups);
        let of = |names: Vec<String>, standing: Standing| -> Vec<GroupDifference> {
            names.into_iter().map(|name| self.difference(name, standing, config)).collect()
        };
        let removed = of(difference.removed, Standing::Removed);
        let changed = of(difference.changed, Standing::Changed);
        let added = of(difference.added, Standing::Added);
        removed.into_iter().chain(changed).chain(added).collect()
    }

    fn difference(&self, name: String, standing: Standing, config: &Config) -> GroupDifference {
        let wanted = config.groups.iter().find(|group| group.name == name);
        let active = self.group(&name);
        let processes = active.map(|group| self.configured(group)).unwrap_or_default();
        let empty = |like: &GroupConfig| GroupConfig { processes: Vec::new(), ..like.clone() };
        let changes = match (active, wanted) {
            (Some(active), Some(wanted)) => group_changes(&active.config, &processes, wanted),
            (Some(active), None) => group_changes(&active.config, &processes, &empty(&active.config)),
            (None, Some(wanted)) => group_changes(&empty(wanted), &[], wanted),
            (None, None) => GroupChanges { whole: false, changes: Vec::new(), processes: Vec::new() },
        };
        let mut autostarts = BTreeMap::new();
        for process in wanted.into_iter().flat_map(|group| &group.processes) {
            // Of two of one name the first counts.
            autostarts.entry(process.name.as_str()).or_insert(process.autostart);
        }
        let running = changes.processes.iter().filter(|process| {
            let id = active.and_then(|group| group.process(&process.name));
            id.is_some_and(|id| lives(&self.processes[&id]) || self.processes[&id].state.is_running())
        });
        let running: BTreeSet<String> = running.map(|process| process.name.clone()).collect();
        let starting = changes.processes.iter().filter(|process| {
            let is_new = !matches!(process.fate, Fate::Untouched | Fate::Removed);
            is_new && !running.contains(&process.name) && autostarts.get(process.name.as_str()) == Some(&true)
        });
        let starting = starting.map(|process| process.name.clone()).collect();
        GroupDifference { name, standing, changes, running, starting }
    }
}

/// What becomes of the processes that there are.
#[derive(Debug)]
struct Plan {
    changes: GroupChanges,
    fates: BTreeMap<ProcessId, Fate>,
}

impl Plan {
    fn new(group: &Group, changes: GroupChanges) -> Plan {
        let known = changes.processes.iter();
        let fates = known.filter_map(|process| Some((group.process(&process.name)?, process.fate))).collect();
        Plan { changes, fates }
    }

    /// Nobody of the new group.
    fn is_gone(&self, id: ProcessId) -> bool {
        // One that has no fate is the second of its name.
        self.changes.whole || self.fates.get(&id).is_none_or(|fate| *fate == Fate::Removed)
    }

    fn has_to_stop(&self, id: ProcessId) -> bool {
        self.is_gone(id) || self.fates.get(&id) == Some(&Fate::Restarted)
    }
}

impl Process {
    /// Down, whether or not it is about to start by itself: a start would be accepted.
    fn is_over(&self) -> bool {
        self.child.is_none() && matches!(self.state, State::Stopped | State::Exited | State::Fatal)
    }

    /// It starts, or is about to.
    fn is_on_its_way(&self) -> bool {
        self.returns || (self.state == State::Starting && self.pid.is_none())
    }

    /// The configuration that it has, or will have when it is down.
    fn configured(&self) -> &Arc<ProcessConfig> {
        self.replacement.as_ref().unwrap_or(&self.config)
    }
}
