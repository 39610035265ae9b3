//! What a shell does around a supervisor, and in the same order: known answers before anything that waits, what a later
//! brain must know before anybody is answered. And how one brain follows another.
//!
//! In: inputs, from `world.rs`. Out: wishes to the keeper, memories, and everything to the referee, before and after.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use provost_config::{Config, GroupConfig, ProcessConfig};
use provost_core::{
    Action, Active, ChildId, Command, Event, Input, LogPaths, Mono, ReadFor, Reply, SpawnError,
    SpawnErrorKind, Supervisor,
};

use super::{World, Written};
use crate::cast::Who;
use crate::keeper::{Fate, News, Relaunch};

/// The configuration in force: what is available, and whence the groups are, in the order of their addition.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) available: Arc<Config>,
    pub(crate) groups: Vec<(Arc<str>, Arc<Config>)>,
    /// Who has been taken out of these.
    pub(crate) gone: BTreeSet<Who>,
}

impl InForce {
    fn groups(&self) -> Vec<Active> {
        let of = |(name, config): &(Arc<str>, Arc<Config>)| {
            let mut group = Active::from(config.groups.iter().find(|group| group.name == **name).cloned()?);
            group.processes.retain(|process| !self.gone.contains(&Who::of(name, &process.name)));
            Some(group)
        };
        self.groups.iter().filter_map(of).collect()
    }

    /// Such a program as the group had, or would have, of this name.
    fn program(&self, group: &str, program: &str) -> Option<Arc<ProcessConfig>> {
        let (_, config) = self.groups.iter().find(|(name, _)| **name == *group)?;
        let group = config.groups.iter().find(|known| known.name == group)?;
        group.processes.iter().find(|process| process.name == program).cloned()
    }
}

impl World {
    /// A new brain takes over what the keeper holds and what the old one has written down.
    pub(super) fn brain_dies(&mut self, newest: Option<ChildId>) {
        self.trace.remark(self.now, "the brain dies");
        self.referee.seen.saw("a brain died");
        // Deaths have reasons, and come in rows.
        self.is_frail = self.chance.one_in(3);
        self.at_once.clear();
        if !std::mem::take(&mut self.exchanging).is_empty() {
            self.referee.seen.saw("a brain died over an exchange");
        }
        self.keeper.brain_died(self.now, &mut self.chance, newest);
        let (heirs, first) = (self.keeper.heirs(), self.keeper.first_free());
        let living = self.keeper.slots.iter().filter(|(id, _)| !heirs.contains(id));
        let mut past: VecDeque<Input> = living.map(|(id, slot)| slot.as_past(*id)).collect();
        for (who, memory) in &self.written.processes {
            let (group, process) = (who.group().to_owned(), who.name().to_owned());
            let mut memory = memory.clone();
            // The way to the keeper may have been full when that was written down.
            if memory.asked && self.chance.one_in(4) {
                memory.asked = false;
                self.referee.seen.saw("a stop signal that may not have gone out");
            }
            past.push_back(Input::Recall { group, process, memory: Box::new(memory) });
        }
        let replaced = self.keeper.slots.iter().filter(|(_, slot)| slot.relaunch.is_some());
        let to_relaunch = replaced.map(|(id, _)| *id).collect();
        self.referee.brain_died(&self.written, to_relaunch, first);
        self.in_force = self.kept.clone();
        self.is_unwritten = false;
        let (available, groups) = (Arc::clone(&self.kept.available), self.kept.groups());
        let seed = self.chance.next();
        let (supervisor, actions) =
            Supervisor::resume(Arc::clone(&available), self.exit_on, &groups, first, seed, self.is_announced);
        self.supervisor = supervisor;
        self.draft = Some(Written::default());
        let as_is = |group: Active| GroupConfig { processes: group.processes, ..group.config };
        let groups = groups.into_iter().map(as_is).collect();
        let in_force = Arc::new(Config { groups, ..Config::clone(&available) });
        self.resumes_with = Some(Arc::clone(&in_force));
        self.do_all(actions);
        self.resumes_with = None;
        match self.is_announced {
            true => self.referee.resumes(&in_force),
            false => self.referee.seen.saw("a brain died before it had said that it runs"),
        }
        self.at_once.append(&mut past);
        if self.works_off() {
            self.goes_on();
        }
    }

    /// The new brain knows the past: from here on what it writes down counts.
    fn goes_on(&mut self) {
        let ending = self.written.ending;
        self.written = Written { ending, ..self.draft.take().unwrap_or_default() };
        let again = self.keeper.tell_again(self.now, &mut self.chance);
        for _ in 0..again {
            self.referee.seen.saw("an end told again");
        }
        self.at_once.extend(ending.map(Input::RecallEnding));
        self.at_once.push_back(Input::Begin);
        self.at_once.extend(self.keeper.asked_to_end.map(Input::Signal));
        self.works_off();
    }

    pub(super) fn feed(&mut self, input: Input) {
        self.at_once.push_back(input);
        self.works_off();
    }

    /// Steps through all that is known; false if the brain has died over it.
    fn works_off(&mut self) -> bool {
        while let Some(input) = self.at_once.pop_front() {
            if self.referee.is_over.is_some() {
                return true;
            }
            if let Input::ConfigRead { purpose: ReadFor::Reread, result: Ok(config), .. } = &input {
                self.in_force.available = Arc::clone(config);
                self.is_unwritten = true;
            }
            // Only then everything is as it should be: the past is told in pieces.
            let is_up = self.draft.is_none() && !matches!(input, Input::RecallEnding(_));
            self.trace.happens(self.now, &input);
            self.referee.hears(self.now, self.awake(), &input, &self.in_force.available);
            let first_new = self.referee.next_number();
            self.told += u64::from(!matches!(input, Input::Wake));
            let mut actions = Vec::new();
            let pinged = if let Input::Command(ask, _, Command::Ping) = input { Some(ask) } else { None };
            let runs = self.supervisor.runs();
            self.supervisor.step(self.now, input, &mut actions);
            if let Some(ask) = pinged {
                // Doors answer this by themselves where they were told that it runs.
                let done = Action::Reply { ask, reply: Reply::Done };
                assert_eq!(runs, actions.contains(&done), "runs() is not what a ping is answered");
            }
            self.steps += 1;
            self.looks_ahead(&actions);
            if self.is_doomed(is_up, &actions) {
                // Often before the last of them: there the child is let go, or somebody is answered.
                let done = match self.chance.one_in(3) {
                    true => actions.len().saturating_sub(1),
                    false => self.chance.below(actions.len() as u64 + 1) as usize,
                };
                actions.truncate(done);
                self.do_all(actions);
                if self.referee.is_over.is_none() {
                    self.brain_dies(Some(first_new));
                }
                return false;
            }
            self.do_all(actions);
            if is_up {
                self.referee.after_step(self.now.mono, &self.written);
            }
        }
        if self.draft.is_some() {
            return true;
        }
        self.keeps_what_is_in_force();
        let keeper = &self.keeper;
        self.referee.when_quiet(self.now.mono, self.awake(), self.supervisor.next_deadline(), |who| {
            keeper.is_undying(Some(who))
        });
        true
    }

    /// A group that goes and comes in one step is exchanged.
    fn looks_ahead(&mut self, actions: &[Action]) {
        let mut gone = BTreeSet::new();
        for action in actions {
            match action {
                Action::Publish(Event::GroupRemoved { group }) => drop(gone.insert(group)),
                Action::Publish(Event::GroupAdded { group }) if gone.contains(group) => {
                    self.exchanging.insert(Arc::clone(group));
                }
                _ => {}
            }
        }
    }

    /// Whether the brain dies somewhere in these actions. What is rare is where mistakes hide.
    fn is_doomed(&mut self, is_up: bool, actions: &[Action]) -> bool {
        if !self.brains_die {
            return false;
        }
        let is_rare = |action: &Action| {
            matches!(
                action,
                Action::RememberEnding(_)
                    | Action::RenewGroup { .. }
                    | Action::Publish(Event::GroupAdded { .. } | Event::GroupRemoved { .. })
            )
        };
        let once_in = match (is_up, self.is_frail) {
            (true, _) if actions.iter().any(is_rare) => 6,
            (true, _) if actions.is_empty() => 1_000,
            (true, false) => 150,
            (true, true) => 30,
            (false, _) => 100,
        };
        let is_doomed = self.chance.one_in(once_in);
        if is_doomed {
            self.referee.seen.saw(match is_up {
                true => "a brain died in the middle of a step",
                false => "a brain died before it was up",
            });
        }
        is_doomed
    }

    /// Judges and does, one after the other. Whatever is known at once is heard before anything that waits.
    pub(super) fn do_all(&mut self, actions: Vec<Action>) {
        let config = Arc::clone(self.resumes_with.as_ref().unwrap_or(&self.in_force.available));
        let mut known = Vec::new();
        for action in actions {
            self.trace.wanted(self.now, &action);
            self.referee.judge(self.now, &action, &config);
            known.extend(self.does(action));
        }
        for input in known.into_iter().rev() {
            self.at_once.push_front(input);
        }
    }

    fn does(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Resolve { process, .. } => {
                let text = "can't find command 'x'".to_owned();
                let missing = SpawnError { kind: SpawnErrorKind::NoFile, text };
                let result = if self.chance.one_in(8) { Err(missing) } else { Ok(()) };
                return Some(Input::Resolved { process, result });
            }
            Action::PrepareLogs { process, .. } => {
                return Some(Input::LogsPrepared { process, paths: LogPaths::default() });
            }
            Action::Logs { process, deed } => {
                let takes = self.chance.delay();
                self.keeper.later(self.now, takes, Fate::Tells(News::LogsDone(process, deed)));
            }
            Action::SendStdin { ask, process, .. } if self.chance.one_in(2) => {
                return Some(Input::StdinSent { ask, process, result: self.write_to_pipe() });
            }
            Action::SendStdin { ask, process, .. } => {
                let takes = self.chance.delay();
                self.keeper.later(self.now, takes, Fate::Tells(News::StdinSent(ask, process)));
            }
            Action::MainLog { ask, .. } => {
                let takes = self.chance.delay();
                self.keeper.later(self.now, takes, Fate::Tells(News::MainLogDone(ask)));
            }
            Action::ReadConfig { ask, purpose } => {
                let result =
                    if self.is_broken { Err("broken".into()) } else { Ok(Arc::clone(&self.on_disk)) };
                return Some(Input::ConfigRead { ask, purpose, result });
            }
            Action::ReadProgram { ask, group, program, .. } => {
                let process = self.in_force.program(&group, &program);
                let result = process.map(|process| vec![process]).ok_or_else(|| "no such option".to_owned());
                self.is_read = result.is_ok().then(|| Who::of(&group, &program));
                return Some(Input::ProgramRead { ask, group, result });
            }
            Action::KeepProgram { .. } => {
                let who = self.is_read.take().expect("it has just been read");
                self.in_force.gone.remove(&who);
                self.is_unwritten = true;
                self.referee.seen.saw("a program came");
            }
            Action::ForgetProcess { group, name, .. } => {
                let who = Who::of(&group, &name);
                self.in_force.gone.insert(who);
                self.is_unwritten = true;
                self.keeps_what_is_in_force();
                self.memory().processes.remove(&who);
                self.referee.seen.saw("a process went");
            }
            Action::RenewGroup { group, moved, gone } => {
                let new = Arc::clone(&self.in_force.available);
                let at = self.in_force.groups.iter().position(|(name, _)| *name == group);
                let at = at.expect("a group that is renewed is in force");
                match moved {
                    true => {
                        let (name, _) = self.in_force.groups.remove(at);
                        self.in_force.groups.push((name, new));
                    }
                    false => self.in_force.groups[at].1 = new,
                }
                self.in_force.gone.retain(|who| who.group() != &*group);
                self.is_unwritten = true;
                self.keeps_what_is_in_force();
                for (_, name) in gone {
                    self.memory().processes.remove(&Who::of(&group, &name));
                }
            }
            Action::Upgrade { ask, .. } => {
                return Some(Input::UpgradeFailed { ask, reason: "exec format error".into() });
            }
            Action::Remember { group, name, memory, .. } => {
                self.memory().processes.insert(Who::of(&group, &name), *memory);
            }
            Action::RememberEnding(ending) => self.memory().ending = Some(ending),
            Action::Publish(Event::GroupAdded { group }) if self.resumes_with.is_none() => {
                let is_exchanged = self.exchanging.remove(&group);
                self.in_force.groups.retain(|(name, _)| *name != group);
                self.in_force.gone.retain(|who| who.group() != &*group);
                self.in_force.groups.push((Arc::clone(&group), Arc::clone(&self.in_force.available)));
                self.is_unwritten = true;
                if is_exchanged {
                    self.keeps_what_is_in_force();
                    self.memory().processes.retain(|who, _| who.group() != &*group);
                }
            }
            Action::Publish(Event::SupervisorRunning) => self.is_announced = true,
            // The old one is in force, and is remembered, until the new one is there.
            Action::Publish(Event::GroupRemoved { group }) if self.exchanging.contains(&group) => {}
            // A group must not be without a memory while it is still said to run.
            Action::Publish(Event::GroupRemoved { group }) => {
                self.in_force.groups.retain(|(name, _)| *name != group);
                self.in_force.gone.retain(|who| who.group() != &*group);
                self.is_unwritten = true;
                self.keeps_what_is_in_force();
                self.memory().processes.retain(|who, _| who.group() != &*group);
            }
            Action::Reply { .. } => self.keeps_what_is_in_force(),
            // It may be known at once that there is no room for another.
            Action::Spawn { child, .. } if self.is_starved() && self.chance.one_in(2) => {
                return Some(Input::SpawnFailed { child, error: no_descriptors() });
            }
            Action::Spawn { child, group, config, .. } => {
                self.keeper.spawn(self.now, &mut self.chance, child, Who::of(&group, &config.name));
            }
            Action::Relaunch { child, next, on, after } => {
                self.keeper.settle(child, Some(Relaunch { next, on, after }));
            }
            Action::NoRelaunch { child } => self.keeper.settle(child, None),
            Action::TakeOver { child, .. } if self.keeper.taken_over(self.now, &mut self.chance, child) => {
                self.keeper.may_tell(News::Spawned(child));
                let slot = self.keeper.slots.get(&child)?;
                return Some(Input::Spawned { child, pid: slot.pid, at: slot.started });
            }
            Action::Kill { child, signal, .. } => {
                if !self.keeper.signal(self.now, &mut self.chance, child, signal) {
                    self.referee.seen.saw("an order to stop after the child's end");
                }
                if signal == 9 && self.keeper.is_undying(None) {
                    self.referee.seen.saw("a child that SIGKILL does not end");
                }
            }
            Action::Forget { child } => self.keeper.forget(child),
            Action::TakeOver { .. }
            | Action::Reconfigure { .. }
            | Action::Adopt { .. }
            | Action::ReopenLogs
            // The referee keeps what is said of listeners.
            | Action::OpenPool { .. }
            | Action::ClosePool { .. }
            | Action::MayHear { .. }
            | Action::Publish(_)
            | Action::Note(_)
            | Action::Finish(_) => {}
        }
        None
    }

    fn memory(&mut self) -> &mut Written {
        self.draft.as_mut().unwrap_or(&mut self.written)
    }

    pub(super) fn keeps_what_is_in_force(&mut self) {
        if std::mem::take(&mut self.is_unwritten) {
            self.kept = self.in_force.clone();
            self.referee.is_in_force();
        }
    }

    fn is_starved(&self) -> bool {
        self.now.mono < self.keeper.starved_until
    }

    /// The time that has passed for whoever waits, without the time in which nobody could do anything.
    fn awake(&self) -> Mono {
        Mono(self.now.mono.0 - u64::try_from(self.stalled.as_nanos()).unwrap_or(u64::MAX))
    }
}

pub(super) fn no_descriptors() -> SpawnError {
    SpawnError { kind: SpawnErrorKind::Resources, text: "too many open files".to_owned() }
}
