//! The rules of listeners: which pools are open, whose child may hear, and what is told of groups and of the supervisor itself.
//!
//! In: groups that come and go, what is said of pools and children. What a shell would have of it is kept here: pools and hearers
//! are those of one brain, while what listeners were told outlives it. Of what had been told and was not yet written down when
//! a brain died, the next one knows nothing: that may be told again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use provost_config::{Config, GroupConfig, GroupKind, PoolConfig, ProcessKind};
use provost_core::{ChildId, Memory, State};

use super::Referee;
use crate::cast::Who;
use crate::course::Course;

#[derive(Debug, Default)]
pub(super) struct Listeners {
    /// Groups that there are, and what the pool of each is to be.
    pools: BTreeMap<String, Option<PoolConfig>>,
    open: BTreeMap<String, Pool>,
    hearers: BTreeSet<ChildId>,
    /// It has gone, and its group is about to.
    closed: Option<String>,
    /// Groups of which listeners know.
    told: BTreeSet<String>,
    /// Of these something was told that is not written down yet.
    unwritten: BTreeSet<String>,
    /// They know that the supervisor runs.
    is_announced: bool,
    /// The last that they were told of each process.
    heard: BTreeMap<Who, State>,
    /// What a dead brain had written down of it, which may be behind that, until something more is told of it.
    written: BTreeMap<Who, State>,
}

/// A pool as the shell was told of it.
#[derive(Debug, PartialEq, Eq)]
struct Pool {
    config: PoolConfig,
    /// As they were told; in which order is for scenarios to say.
    listeners: Vec<Who>,
}

impl Pool {
    fn is(&self, config: &PoolConfig, listeners: &BTreeSet<Who>) -> bool {
        let told: BTreeSet<Who> = self.listeners.iter().copied().collect();
        self.config == *config && told == *listeners && self.listeners.len() == listeners.len()
    }
}

fn pool_of(group: &GroupConfig) -> Option<&PoolConfig> {
    match &group.kind {
        GroupKind::EventListener(pool) => Some(pool),
        GroupKind::Program | GroupKind::Group | GroupKind::Fcgi(_) => None,
    }
}

fn listens(course: &Course) -> bool {
    course.config.kind == ProcessKind::EventListener
}

impl Listeners {
    /// A group is there, or is another one now.
    pub(super) fn has_group(&mut self, group: &GroupConfig) {
        self.pools.insert(group.name.clone(), pool_of(group).cloned());
    }

    /// Nothing that runs can be of both.
    pub(super) fn is_another_kind(&self, wanted: &GroupConfig) -> bool {
        self.pools.get(&wanted.name).is_some_and(|old| match (old, pool_of(wanted)) {
            (Some(old), Some(new)) => old.result_handler != new.result_handler,
            (old, new) => old.is_some() != new.is_some(),
        })
    }

    /// What is told of groups is written down.
    pub(super) fn is_written(&mut self) {
        self.unwritten.clear();
    }

    pub(super) fn brain_died(&mut self, written: &BTreeMap<Who, Memory>) {
        // Nothing at all is written down of one that has never been anything but STOPPED.
        self.written = self.heard.keys().map(|who| (*who, State::Stopped)).collect();
        self.written.extend(written.iter().map(|(who, memory)| (*who, memory.state)));
        self.pools.clear();
        self.open.clear();
        self.hearers.clear();
        self.closed = None;
        if !self.is_announced {
            // Then all of it is told once more.
            self.told.clear();
        }
    }
}

impl Referee {
    // --- pools ---

    pub(super) fn opens_pool(&mut self, group: &str, config: &PoolConfig, processes: &[Arc<str>]) {
        let listeners = processes.iter().map(|name| Who::of(group, name)).collect();
        let pool = Pool { config: config.clone(), listeners };
        match self.listeners.open.get(group) {
            Some(open) if *open == pool => self.fail(format!("pool {group} is opened as it is")),
            Some(_) => self.seen.saw("a pool is another than it was"),
            None => self.seen.saw("a pool came"),
        }
        self.listeners.open.insert(group.to_owned(), pool);
    }

    pub(super) fn closes_pool(&mut self, group: &str) {
        let listeners = &mut self.listeners;
        let Some(pool) = listeners.open.remove(group) else {
            self.fail(format!("pool {group} is closed, and was not open"))
        };
        listeners.closed = Some(group.to_owned());
        if let Some(who) = pool.listeners.iter().find(|who| self.has_a_hearer(**who)) {
            self.fail(format!("pool {group} is closed while {who:?} may hear"));
        }
        self.seen.saw("a pool went");
    }

    // --- who may hear ---

    pub(super) fn may_hear(&mut self, child: ChildId, may: bool) {
        let who = match self.children.get(&child) {
            // Of one that has ended it may be said that it no longer hears.
            Some(life) if !(may && life.is_over) => life.who,
            _ => self.fail(format!("{child:?} may hear: {may}; and is no child that lives")),
        };
        let course = &self.courses[&who];
        if !listens(course) || course.state != State::Running {
            self.fail(format!("{who:?} is {:?}, and may hear: {may}", course.state));
        }
        let is_in_pool =
            self.listeners.open.get(who.group()).is_some_and(|pool| pool.listeners.contains(&who));
        if may && !(self.has_begun && is_in_pool) {
            self.fail(format!("{who:?} may hear before its pool is there"));
        }
        let hearers = &mut self.listeners.hearers;
        let is_news = if may { hearers.insert(child) } else { hearers.remove(&child) };
        if !is_news {
            self.fail(format!("{child:?} of {who:?} may hear: {may}; and that is known"));
        }
        self.seen.saw(match (may, course.is_recalled) {
            (true, true) => "a listener of another brain's may hear",
            (true, false) => "a listener may hear",
            (false, _) => "a listener may hear no longer",
        });
    }

    /// A child of this process may.
    pub(super) fn has_a_hearer(&self, who: Who) -> bool {
        let hearers = &self.listeners.hearers;
        self.children.iter().any(|(child, life)| life.who == who && hearers.contains(child))
    }

    // --- what is told of processes ---

    /// Whoever listens can follow each process from state to state, and what is told again begins where the memory of it does.
    pub(super) fn told_changed(&mut self, who: Who, from: State, to: State) {
        let listeners = &mut self.listeners;
        let heard = listeners.heard.insert(who, to).unwrap_or(State::Stopped);
        let written = listeners.written.remove(&who);
        if heard != from && written != Some(from) {
            self.fail(format!(
                "{who:?} is told to go from {from:?} to {to:?}, and was last told to be {heard:?}"
            ));
        }
    }

    /// It is no more, whatever comes under this name.
    pub(super) fn is_forgotten(&mut self, who: Who) {
        self.listeners.heard.remove(&who);
    }

    // --- what is told of groups ---

    pub(super) fn told_added(&mut self, group: &str) {
        let listeners = &mut self.listeners;
        let is_news = listeners.told.insert(group.to_owned());
        listeners.unwritten.insert(group.to_owned());
        // All that is in it begins at rest.
        listeners.heard.retain(|who, _| who.group() != group);
        if !is_news {
            self.fail(format!("that group {group} came is told twice"));
        }
        if listeners.pools[group].is_some() && !listeners.open.contains_key(group) {
            self.fail(format!("pool {group} does not hear that it came"));
        }
    }

    pub(super) fn told_removed(&mut self, group: &str) {
        let listeners = &mut self.listeners;
        let was_told = listeners.told.remove(group);
        listeners.unwritten.insert(group.to_owned());
        listeners.closed.take_if(|closed| *closed == group);
        listeners.pools.remove(group);
        if !was_told {
            self.fail(format!("that group {group} went is told, and not that it came"));
        }
        if listeners.open.contains_key(group) {
            self.fail(format!("pool {group} hears of its own end"));
        }
    }

    pub(super) fn told_running(&mut self) {
        if std::mem::replace(&mut self.listeners.is_announced, true) {
            self.fail("that it runs is told twice".to_owned());
        }
        if !self.has_begun || self.closing.is_wanted() {
            self.fail("it is said to run before it does, or when it is about to end".to_owned());
        }
    }

    /// These groups are there under a new brain, without being announced again.
    pub(crate) fn resumes(&mut self, config: &Config) {
        let there: BTreeSet<String> = config.groups.iter().map(|group| group.name.clone()).collect();
        let wrong = there.symmetric_difference(&self.listeners.told);
        if let Some(group) = wrong.clone().find(|group| !self.listeners.unwritten.contains(*group)) {
            self.fail(format!("group {group} came or went with a brain's death, and nobody was told"));
        }
        self.listeners.told = there;
        self.listeners.is_written();
        for group in &config.groups {
            self.adds(&group.name, config);
        }
    }

    // --- after a step ---

    pub(super) fn listeners_are_served(&self) {
        let Listeners { pools, open, hearers, closed, told, is_announced, .. } = &self.listeners;
        if let Some(group) = closed {
            self.fail(format!("pool {group} was closed, and its group is there"));
        }
        if let Some(group) = open.keys().find(|group| !pools.contains_key(*group)) {
            self.fail(format!("pool {group} is open, and there is no such group"));
        }
        for (group, pool) in pools {
            let of_group = |(who, course): &(&Who, &Course)| who.group() == group && listens(course);
            let listeners = self.courses.iter().filter(of_group).map(|(who, _)| *who).collect();
            let is_right = match (open.get(group), pool) {
                (Some(open), Some(config)) => open.is(config, &listeners),
                (open, config) => open.is_none() && config.is_none(),
            };
            if !is_right {
                let open = open.get(group);
                self.fail(format!("pool {group} is {open:?}, and is to be {pool:?} of {listeners:?}"));
            }
        }
        if !self.has_begun {
            return;
        }
        let running = self.courses.iter().filter(|(_, c)| listens(c) && c.state == State::Running);
        let wanted: BTreeSet<ChildId> = running.filter_map(|(who, _)| self.lives(*who)).collect();
        if *hearers != wanted {
            self.fail(format!("{hearers:?} may hear, and {wanted:?} are RUNNING listeners"));
        }
        if !told.iter().eq(pools.keys()) {
            self.fail(format!("listeners know of groups {told:?}, and there are {:?}", pools.keys()));
        }
        if !is_announced && !self.closing.is_wanted() {
            self.fail("it runs, and nobody was told".to_owned());
        }
    }
}
