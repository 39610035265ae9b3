//! The rules of an update: who may be stopped for it, when a group may turn, and what has to be there afterwards.
//!
//! In: wishes for updates, the turn of a group, processes that go on or come back with another configuration. What has
//! changed is found out once more here, from the configurations themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use provost_config::{Config, GroupConfig, ProcessConfig};
use provost_core::{By, Fate, ProcessId, State};

use super::{Exchanged, Referee, Update};
use crate::cast::Who;
use crate::course::{Course, has_child, takes_restart};

impl Referee {
    pub(super) fn waits_to_turn(&self, group: &str) -> bool {
        self.updates.iter().any(|update| update.group == group)
    }

    /// For whom it is stopped.
    pub(super) fn updater(&self, group: &str) -> Option<Arc<By>> {
        let update = self.updates.iter().find(|update| update.group == group);
        update.and_then(|update| update.by.clone())
    }

    /// What is to become of each process of the group, if it turned now.
    fn fates(&self, wanted: &GroupConfig, restart_all: bool) -> BTreeMap<Who, Fate> {
        let is_whole = self.listeners.is_another_kind(wanted);
        let mut fates = BTreeMap::new();
        for new in &wanted.processes {
            let who = Who::of(&wanted.name, &new.name);
            let fate = match self.courses.get(&who) {
                None => Fate::Added,
                Some(_) if is_whole || restart_all => Fate::Restarted,
                Some(course) => {
                    let old = course.next.as_ref().unwrap_or(&course.config);
                    match () {
                        () if takes_restart(old, new) => Fate::Restarted,
                        () if **old != **new => Fate::Changed,
                        () => Fate::Untouched,
                    }
                }
            };
            fates.insert(who, fate);
        }
        for who in self.courses.keys().filter(|who| who.group() == wanted.name) {
            fates.entry(*who).or_insert(Fate::Removed);
        }
        fates
    }

    /// Whether an update may stop this process.
    pub(super) fn update_stops(&self, who: Who, all: &Config) -> bool {
        let Some(wanted) = all.groups.iter().find(|group| group.name == who.group()) else { return false };
        let mut updates = self.updates.iter().filter(|update| update.group == wanted.name);
        updates.next().is_some_and(|update| {
            let fate = self.fates(wanted, update.restart_all).get(&who).copied();
            self.listeners.is_another_kind(wanted) || matches!(fate, Some(Fate::Restarted | Fate::Removed))
        })
    }

    fn first_update(&mut self, group: &str) -> Update {
        match self.updates.iter().position(|update| update.group == group) {
            Some(at) => {
                self.moment.turned.insert(group.to_owned());
                self.updates.remove(at)
            }
            None => self.fail(format!("group {group} turns, and nobody wants it to")),
        }
    }

    // --- the group turns ---

    pub(super) fn renews(&mut self, group: &str, moved: bool, gone: &[(ProcessId, Arc<str>)], all: &Config) {
        let Some(wanted) = all.groups.iter().find(|known| known.name == group) else {
            self.fail(format!("group {group} was renewed, and is configured nowhere"))
        };
        if self.listeners.is_another_kind(wanted) {
            self.fail(format!("group {group} was renewed, and is another one"));
        }
        if moved != (self.priorities.get(group) != Some(&wanted.priority)) {
            self.fail(format!("group {group} was renewed, and has moved: {moved}"));
        }
        let update = self.first_update(group);
        let fates = self.fates(wanted, update.restart_all);
        self.told_gone(&fates, group, gone);
        for (who, fate) in &fates {
            let new = wanted.processes.iter().find(|process| process.name == who.name());
            self.turns(*who, *fate, new);
        }
        // Updates that have waited turn in the order in which they were asked for, whatever the priorities of their groups.
        self.moment.last_autostarted = None;
        self.priorities.insert(group.to_owned(), wanted.priority);
        self.listeners.has_group(wanted);
        let of_group = self.courses.iter_mut().filter(|(who, _)| who.group() == group);
        of_group.for_each(|(_, course)| course.group_priority = wanted.priority);
        self.asks.turned(update.ask, fates, &self.courses);
        self.seen.saw("a group was renewed");
    }

    fn told_gone(&mut self, fates: &BTreeMap<Who, Fate>, group: &str, gone: &[(ProcessId, Arc<str>)]) {
        let told: BTreeSet<Who> = gone.iter().map(|(_, name)| Who::of(group, name)).collect();
        let of_fates = fates.iter().filter(|(_, fate)| **fate == Fate::Removed);
        let removed: BTreeSet<Who> = of_fates.map(|(who, _)| *who).collect();
        if told != removed {
            self.fail(format!("{told:?} are taken out of their group, and {removed:?} are to be"));
        }
        for (process, name) in gone {
            self.ids.remove(process);
            self.is_forgotten(Who::of(group, name));
        }
    }

    fn turns(&mut self, who: Who, fate: Fate, new: Option<&Arc<ProcessConfig>>) {
        let lives = self.lives(who).is_some();
        let Some(new) = new else {
            if lives || self.courses.remove(&who).is_none_or(|course| !course.may_go()) {
                self.fail(format!("{who:?} is taken out of its group, and lives or is not there"));
            }
            return self.seen.saw("a process left its group in an update");
        };
        let Some(course) = self.courses.get_mut(&who) else {
            self.courses.insert(who, Course::new(Arc::clone(new), 0));
            if new.autostart {
                self.moment.to_autostart.push(who);
            }
            return self.seen.saw("a process came into its group in an update");
        };
        match fate {
            Fate::Restarted | Fate::Changed => {
                if fate == Fate::Restarted && !course.is_at_rest() && course.state != State::Unknown {
                    let is_stopping = course.state == State::Stopping;
                    if !is_stopping {
                        let state = course.state;
                        self.fail(format!("{who:?} is {state:?}, and has to be started again"));
                    }
                }
                let Some(course) = self.courses.get_mut(&who) else { return };
                course.next = Some(Arc::clone(new));
                course.wanted_back |=
                    new.autostart && (course.is_at_rest() || course.state == State::Stopping);
            }
            Fate::Untouched | Fate::Added | Fate::Removed => {}
        }
    }

    /// Tells its shell that it goes on.
    pub(super) fn goes_on(&mut self, process: ProcessId, config: &Arc<ProcessConfig>) {
        let Some(who) = self.ids.get(&process).copied() else {
            self.fail(format!("{process:?} was never prepared"))
        };
        if self.lives(who).is_some_and(|child| self.to_relaunch.contains(&child)) {
            self.fail(format!("{who:?} goes on otherwise, and its child would be replaced as before"));
        }
        let course = self.course(who);
        if course.next.take().is_none_or(|next| next != *config) || takes_restart(&course.config, config) {
            self.fail(format!("{who:?} goes on with a configuration that it cannot have"));
        }
        let course = self.course(who);
        course.goes_on_with(Arc::clone(config));
        course.is_overtaken |= course.state == State::Running;
        self.seen.saw("a process goes on with other options");
    }

    /// Its logs are prepared anew: now it has what it was to have.
    pub(super) fn is_replaced(&mut self, who: Who, config: &Arc<ProcessConfig>) {
        let course = self.course(who);
        if course.next.is_none() && course.config == *config {
            // It has just come into its group.
            return;
        }
        if has_child(course.state) || course.next.take().is_none_or(|next| next != *config) {
            let state = course.state;
            self.fail(format!("{who:?} is {state:?} and gets a configuration that it cannot have"));
        }
        let course = self.course(who);
        course.goes_on_with(Arc::clone(config));
        self.seen.saw("a process comes back with another command");
    }

    // --- another group of the same name ---

    pub(super) fn exchanges(&mut self, group: &str, all: &Config) {
        if self.moment.removed_by_hand.as_deref() == Some(group) {
            return;
        }
        let Some(wanted) = all.groups.iter().find(|known| known.name == group) else {
            self.fail(format!("group {group} was removed, and nobody wanted that"))
        };
        if !self.listeners.is_another_kind(wanted) {
            self.fail(format!("group {group} was removed, and could have stayed"));
        }
        let update = self.first_update(group);
        let fates = self.fates(wanted, update.restart_all);
        let of_group = self.courses.iter().filter(|(who, course)| who.group() == group && course.wanted_back);
        let returning = of_group.map(|(who, _)| *who).collect();
        self.moment.exchanged =
            Some(Exchanged { group: group.to_owned(), ask: update.ask, fates, returning });
        self.seen.saw("a group was exchanged");
    }

    /// Its new processes are there.
    pub(super) fn is_exchanged(&mut self, group: &str) {
        let Some(Exchanged { ask, fates, returning, .. }) =
            self.moment.exchanged.take_if(|exchanged| exchanged.group == group)
        else {
            return;
        };
        for (who, course) in self.courses.iter_mut().filter(|(who, _)| who.group() == group) {
            course.wanted_back = returning.contains(who) || course.config.autostart;
        }
        self.asks.turned(ask, fates, &self.courses);
    }

    // --- after a step ---

    pub(super) fn updates_are_kept(&mut self) {
        if self.moment.exchanged.is_some() {
            self.fail("a group was removed, and does not come again".to_owned());
        }
        if self.closing.has_begun || !self.has_begun {
            return;
        }
        for (who, course) in &self.courses {
            if course.next.is_some() && !matches!(course.state, State::Stopping | State::Unknown) {
                self.fail(format!("{who:?} is {:?}, and has an old configuration", course.state));
            }
            if course.wanted_back && course.is_at_rest() && !self.waits_to_turn(who.group()) {
                self.fail(format!("{who:?} is {:?}, and an update wants it back", course.state));
            }
        }
        if !self.updates.is_empty() {
            self.seen.saw("an update that waits for a stop");
        }
    }
}
