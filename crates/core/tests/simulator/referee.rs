//! The rules: what must never be wanted, after every action; what must have been done, after every step.
//!
//! In: each input before the supervisor hears of it, each action before it is carried out. What is known here is known
//! from these alone: the referee looks into no supervisor. The rules of a process's configuration are in `course.rs`, those
//! of the end of everything in `closing.rs`, those of questions and answers in `asks.rs`. What each action may mean is in
//! `referee/judge.rs`; here is what comes before a step and after it, and what the death of a brain leaves.

mod judge;
mod listeners;
mod updates;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;

use provost_config::{AutoRestart, Config, ProcessConfig};
use provost_core::{
    AskId, By, ChildId, Command, Ending, Fate, Input, Memory, Mono, Now, ProcessId, ReadFor, RelaunchOn,
    State,
};

use crate::asks::{Asks, Meant, meant};
use crate::cast::Who;
use crate::closing::{Closing, Courses};
use crate::course::{Course, Verdict, has_child};
use crate::seen::Seen;
use crate::world::Written;
use listeners::Listeners;

/// What a run fails with: the rule that was broken.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

/// A child as the supervisor knows it, from the wish for it until it is let go.
#[derive(Debug, Clone, Copy)]
struct Life {
    who: Who,
    /// Its end has been told.
    is_over: bool,
}

/// Somebody wants a group to go over to the configuration last read.
#[derive(Debug, Clone)]
struct Update {
    ask: AskId,
    by: Option<Arc<By>>,
    group: String,
    restart_all: bool,
}

/// A group that was taken away to come again as another one, and who is to be there again.
#[derive(Debug)]
struct Exchanged {
    group: String,
    ask: AskId,
    fates: BTreeMap<Who, Fate>,
    returning: BTreeSet<Who>,
}

/// What one input has made possible, or necessary; over when the step is.
#[derive(Debug, Default)]
struct Moment {
    /// Who asks.
    asker: Option<Arc<By>>,
    by_hand: Option<Who>,
    to_autostart: Vec<Who>,
    /// Somebody wants these stopped.
    to_stop: Vec<Who>,
    heir: Option<(Who, ChildId, Mono)>,
    /// Whose child is no more, or could not be, or cannot be signalled.
    bereft: Option<Who>,
    could_not_be: bool,
    refused: Option<Who>,
    /// These groups have turned.
    turned: BTreeSet<String>,
    /// A person has taken this group away.
    removed_by_hand: Option<String>,
    exchanged: Option<Exchanged>,
    /// STARTING: the wish for a child has to follow.
    starting: Option<Who>,
    signalling: bool,
    /// A program that may come into this group.
    read: Option<(Arc<str>, Vec<Arc<ProcessConfig>>)>,
    last_resolved: Option<Who>,
    last_autostarted: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Referee {
    pub(crate) seen: Seen,
    pub(crate) courses: Courses,
    closing: Closing,
    asks: Asks,
    children: BTreeMap<ChildId, Life>,
    /// Children that the keeper is to replace at their end, unless told otherwise.
    to_relaunch: BTreeSet<ChildId>,
    ids: BTreeMap<ProcessId, Who>,
    /// In the order in which they were asked for; each until its group turns.
    updates: Vec<Update>,
    /// Of groups that were added.
    priorities: BTreeMap<String, i64>,
    listeners: Listeners,
    /// The past has been told.
    has_begun: bool,
    /// Whose options had been changed by then, while the keeper had an order that came from others.
    overtaken: BTreeSet<Who>,
    /// Who had been stopped when a brain died.
    kept_down: BTreeSet<Who>,
    moment: Moment,
    last_child: u32,
    pub(crate) is_over: Option<Ending>,
}

impl Referee {
    pub(crate) fn new(config: &Config) -> Referee {
        Referee {
            seen: Seen::default(),
            courses: BTreeMap::new(),
            closing: Closing::new(config.supervisord.exit_on),
            asks: Asks::default(),
            children: BTreeMap::new(),
            to_relaunch: BTreeSet::new(),
            ids: BTreeMap::new(),
            updates: Vec::new(),
            priorities: BTreeMap::new(),
            listeners: Listeners::default(),
            has_begun: false,
            overtaken: BTreeSet::new(),
            kept_down: BTreeSet::new(),
            moment: Moment::default(),
            last_child: 0,
            is_over: None,
        }
    }

    /// Ends the run. Not a panic: nobody needs its backtrace.
    pub(crate) fn fail(&self, rule: String) -> ! {
        resume_unwind(Box::new(Broken(rule)))
    }

    fn check(&self, who: Who, kept: Verdict) {
        if let Err(rule) = kept {
            self.fail(format!("{who:?} {rule}"));
        }
    }

    fn course(&mut self, who: Who) -> &mut Course {
        match self.courses.contains_key(&who) {
            true => self.courses.get_mut(&who).expect("it has just been found"),
            false => self.fail(format!("{who:?} belongs to no active group")),
        }
    }

    /// A group of this configuration becomes active.
    fn adds(&mut self, group: &str, config: &Config) {
        let Some(group) = config.groups.iter().find(|known| known.name == group) else {
            self.fail(format!("group {group} was added, and is configured nowhere"))
        };
        self.priorities.insert(group.name.clone(), group.priority);
        self.listeners.has_group(group);
        for process in &group.processes {
            let who = Who::of(&group.name, &process.name);
            let mut course = Course::new(Arc::clone(process), group.priority);
            course.kept_down = self.kept_down.remove(&who);
            course.is_overtaken = self.overtaken.remove(&who);
            if self.courses.insert(who, course).is_some() {
                self.fail(format!("{who:?} was added twice"));
            }
        }
    }

    // --- before a step ---

    pub(crate) fn hears(&mut self, now: Now, awake: Mono, input: &Input, all: &Config) {
        self.moment = Moment::default();
        self.closing.step_begins();
        let all_stop = self.closing.is_wanted();
        if matches!(input, Input::Begin) {
            self.has_begun = true;
            self.kept_down.clear();
            self.overtaken.clear();
        }
        match input {
            Input::Begin if !all_stop => {
                let starts = |course: &Course| {
                    course.state == State::Stopped && course.config.autostart && !course.is_recalled
                };
                let starting = self.courses.iter().filter(|(_, course)| starts(course));
                self.moment.to_autostart = starting.map(|(who, _)| *who).collect();
            }
            Input::Command(ask, by, command) => {
                self.moment.asker = Some(Arc::clone(by));
                self.asks.asked(*ask, awake, command, &self.courses);
                if !all_stop {
                    self.hears_command(command, all);
                    if let Command::UpdateGroup { name, restart_all } = command {
                        let (ask, by) = (*ask, self.moment.asker.clone());
                        let (group, restart_all) = (name.clone(), *restart_all);
                        self.updates.push(Update { ask, by, group, restart_all });
                    }
                }
            }
            Input::ProgramRead { group, result: Ok(processes), .. } => {
                self.moment.read = Some((Arc::clone(group), processes.clone()));
            }
            Input::StdinSent { ask, result, .. } => self.asks.sent(*ask, result.is_ok()),
            Input::Resolved { process, result: Ok(()) } => {
                self.moment.by_hand = self.ids.get(process).copied();
            }
            Input::Adopt { group, process, child, pid, started } => {
                self.is_adopted(now.mono, Who::of(group, process), *child, *pid, started.mono);
            }
            Input::Recall { group, process, memory } => {
                self.is_recalled(now.mono, Who::of(group, process), memory);
            }
            Input::Spawned { child, pid, at } => {
                if let Some(who) = self.owner(*child) {
                    self.course(who).is_born(*pid, at.mono);
                }
            }
            Input::SpawnFailed { child, .. } => {
                self.moment.bereft = self.children.remove(child).map(|life| life.who);
                if let Some(who) = self.moment.bereft {
                    self.course(who).could_not_be(now.wall);
                }
                self.moment.could_not_be = true;
                self.seen.saw("a spawn failed");
            }
            Input::KillFailed { child, .. } => {
                self.moment.refused = self.owner(*child);
                self.seen.saw("a refused signal");
            }
            Input::Exited { child, status, at, next, .. } => {
                self.to_relaunch.remove(child);
                for course in self.courses.values_mut() {
                    course.remains.take_if(|remains| *remains == *child);
                }
                let Some(life) = self.children.get_mut(child) else { return };
                life.is_over = true;
                let who = life.who;
                self.moment.bereft = Some(who);
                self.moment.heir = next.map(|next| (who, next, at.mono));
                let course = self.course(who);
                let awaits_heir = std::mem::take(&mut course.awaits_heir);
                if course.state == State::Starting && awaits_heir && next.is_some() {
                    course.has_an_heir(now.mono);
                    self.moment.starting = Some(who);
                    return self.seen.saw("an heir whose turn had been announced");
                }
                course.has_died(*status, *at);
            }
            Input::ConfigRead { purpose: ReadFor::Restart, result, .. } if !all_stop => match result {
                Ok(_) => self.closing.wants_restart(),
                Err(_) => self.seen.saw("a refused restart"),
            },
            Input::Signal(15 | 2 | 3) => self.closing.wants_shutdown(&mut self.seen),
            _ => {}
        }
    }

    fn hears_command(&mut self, command: &Command, all: &Config) {
        match command {
            Command::Stop { target, .. } | Command::Restart { target, .. } => {
                let is_stop = matches!(command, Command::Stop { .. });
                let running = |who: &Who| self.courses[who].state.is_running();
                match meant(target, &self.courses) {
                    // Whoever stops one process that is about to come back keeps it down.
                    Meant::One(who) if is_stop && !running(&who) => self.keeps_down(who),
                    Meant::One(who) => self.moment.to_stop = [who].into_iter().filter(running).collect(),
                    Meant::Several { all, named } => {
                        self.moment.to_stop = all.into_iter().filter(running).collect();
                        for who in named.into_iter().filter(|_| is_stop) {
                            if !self.courses[&who].state.is_running() {
                                self.keeps_down(who);
                            }
                        }
                    }
                }
            }
            Command::RemoveGroup { name } => self.moment.removed_by_hand = Some(name.clone()),
            Command::AddGroup { name } if !self.courses.keys().any(|who| who.group() == name) => {
                let group = all.groups.iter().find(|group| group.name == *name);
                let processes = group.into_iter().flat_map(|group| &group.processes);
                let starting = processes.filter(|process| process.autostart);
                self.moment.to_autostart = starting.map(|process| Who::of(name, &process.name)).collect();
            }
            Command::Shutdown => self.closing.wants_shutdown(&mut self.seen),
            _ => {}
        }
    }

    fn keeps_down(&mut self, who: Who) {
        let asker = self.moment.asker.clone();
        let course = self.course(who);
        let was_wanted = std::mem::take(&mut course.wanted_back);
        if std::mem::take(&mut course.pending) || was_wanted {
            course.told.stopper = Some(asker);
        }
    }

    // --- after a step ---

    pub(crate) fn after_step(&mut self, now: Mono, written: &Written) {
        if let Some(who) = self.moment.starting {
            self.fail(format!("{who:?} is STARTING, and no child is wanted for it"));
        }
        if let Some((who, next, _)) = self.moment.heir {
            self.fail(format!("{next:?} has taken the place of {who:?}'s child, and nobody knows it"));
        }
        if let Some((child, _)) = self.children.iter().find(|(_, life)| life.is_over) {
            self.fail(format!("the end of {child:?} is known, and it is not let go"));
        }
        for (who, course) in &self.courses {
            let child = self.lives(*who);
            if child.is_some() != has_child(course.state) {
                self.fail(format!("{who:?} is {:?}, and its child is {child:?}", course.state));
            }
            let is_kept = course.state == State::Running && !self.closing.has_begun;
            if !is_kept && child.is_some_and(|id| self.to_relaunch.contains(&id)) {
                self.fail(format!("{who:?} is {:?}, and its child would be replaced", course.state));
            }
            let due = course.due(self.closing.has_begun).filter(|(at, _)| *at <= now);
            if let Some(rule) = course.is_amiss().or(due.map(|(_, rule)| rule)) {
                self.fail(format!("{who:?} {rule}"));
            }
            let memory = written.processes.get(who);
            if !course.is_remembered(now, memory, self.closing.has_begun) {
                self.fail(format!("{who:?} is written down as {memory:?}, and is {course:?}"));
            }
        }
        self.updates_are_kept();
        self.listeners_are_served();
        if let Some(ends) = self.ends_out_of_order(written) {
            self.fail(format!("ends are written down in another order: {ends:?}"));
        }
        let rests = |who: &&Who| self.courses.get(who).is_some_and(|course| course.state == State::Stopped);
        if let Some(who) = self.moment.to_autostart.iter().find(rests)
            && !self.closing.has_begun
        {
            self.fail(format!("{who:?} should have started by itself"));
        }
        if let Some(who) = self.moment.to_stop.iter().find(|who| self.courses[who].state.is_running()) {
            self.fail(format!("{who:?} was asked to stop, and goes on"));
        }
        if self.is_over.is_some() {
            if self.asks.is_open() {
                self.fail(format!("the end came with {:?} unanswered", self.asks));
            }
            return;
        }
        if let Some(rule) = self.closing.is_overdue(&self.courses) {
            self.fail(rule);
        }
        let ending = written.ending;
        if self.closing.has_begun && !ending.is_some_and(|ending| self.closing.is_as_wished(ending)) {
            self.fail(format!("a later brain would end with {ending:?}: {:?}", self.closing));
        }
    }

    /// Who is down for good, in order, and the number that is written down for each; if these are in another order.
    fn ends_out_of_order(&self, written: &Written) -> Option<Vec<(u64, Option<u64>)>> {
        let number = |who| written.processes.get(who).and_then(|memory| memory.end);
        let ends = self.courses.iter().filter_map(|(who, course)| Some((course.end?.order, number(who))));
        let mut ends: Vec<_> = ends.collect();
        ends.sort_unstable();
        let is_kept = ends.iter().all(|end| end.1.is_some()) && ends.is_sorted_by(|a, b| a.1 < b.1);
        (!is_kept && !self.closing.has_begun).then_some(ends)
    }

    /// After a step from which nothing follows at once.
    pub(crate) fn when_quiet(
        &mut self,
        now: Mono,
        awake: Mono,
        deadline: Option<Mono>,
        is_undying: impl Fn(Who) -> bool,
    ) {
        if self.is_over.is_some() {
            return;
        }
        if deadline.is_some_and(|at| at <= now) {
            self.fail("a deadline that has passed is still set: the loop would spin".to_owned());
        }
        let all_stop = self.closing.has_begun;
        let first =
            self.courses.iter().filter_map(|(who, course)| Some((course.due(all_stop)?.0, who))).min();
        if let Some((due, who)) = first.filter(|(due, _)| deadline.is_none_or(|at| at > *due)) {
            self.fail(format!("{who:?} is due at {due:?}, and the next look is at {deadline:?}"));
        }
        if let Some(rule) = self.asks.overdue(awake, &self.courses, is_undying) {
            self.fail(rule);
        }
    }

    // --- the brain's death ---

    /// What is in force is written down for the next brain.
    pub(crate) fn is_in_force(&mut self) {
        self.listeners.is_written();
    }

    /// The brain has died: its askers see a closed connection, and all that counts is what was written down.
    pub(crate) fn brain_died(
        &mut self,
        written: &Written,
        to_relaunch: BTreeSet<ChildId>,
        first_child: ChildId,
    ) {
        if self.closing.has_begun {
            self.seen.saw("a brain died while everything stopped");
        }
        self.has_begun = false;
        if !self.updates.is_empty() || self.courses.values().any(|course| course.wanted_back) {
            self.seen.saw("a brain died over an update");
        }
        self.updates.clear();
        self.listeners.brain_died(&written.processes);
        self.asks.forget_all();
        self.children.clear();
        self.ids.clear();
        self.to_relaunch = to_relaunch;
        self.last_child = first_child.0 - 1;
        self.closing.resumes(written.ending);
        let courses = std::mem::take(&mut self.courses);
        let is_overtaken = |course: &Course| course.is_overtaken || course.next.is_some();
        let overtaken = courses.iter().filter(|(_, course)| is_overtaken(course));
        self.overtaken.extend(overtaken.map(|(who, _)| *who));
        self.kept_down.extend(courses.into_iter().filter(|(_, c)| c.kept_down).map(|(who, _)| who));
    }

    fn is_adopted(&mut self, now: Mono, who: Who, child: ChildId, pid: i32, started: Mono) {
        if !self.courses.contains_key(&who) {
            // It has ended, as its group has, and is still to be let go.
            return;
        }
        // Of two only the newer can live.
        self.children.retain(|_, life| life.who != who);
        self.children.insert(child, Life { who, is_over: false });
        let course = self.course(who);
        course.resumes(now, None, Some(started));
        course.pid = Some(pid);
    }

    fn is_recalled(&mut self, now: Mono, who: Who, memory: &Memory) {
        if !self.courses.contains_key(&who) {
            return;
        }
        let child = self.lives(who);
        let course = self.course(who);
        let (born, pid) = (course.born, course.pid);
        course.resumes(now, Some(memory), born);
        course.pid = pid;
        // The end of its child has been dealt with: only the keeper has not heard of that.
        if let Some(child) = child.filter(|_| !has_child(course.state)) {
            (course.born, course.pid, course.remains) = (None, None, Some(child));
            self.children.remove(&child);
        }
        let course = self.courses.get_mut(&who).expect("it has just been found");
        self.closing.had_ended(course, memory.end);
    }

    // --- children ---

    fn number(&mut self, child: ChildId) {
        if child.0 <= self.last_child {
            self.fail(format!("the number of {child:?} was used twice"));
        }
        self.last_child = child.0;
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.closing.has_begun
    }

    /// The next child's number is this, or higher.
    pub(crate) fn next_number(&self) -> ChildId {
        ChildId(self.last_child + 1)
    }

    fn owner(&self, child: ChildId) -> Option<Who> {
        self.children.get(&child).filter(|life| !life.is_over).map(|life| life.who)
    }

    fn must_own(&self, child: ChildId, what: &str) -> Who {
        match self.owner(child) {
            Some(who) => who,
            None => self.fail(format!("{what} for {child:?}, which is nobody's child")),
        }
    }

    fn lives(&self, who: Who) -> Option<ChildId> {
        self.children.iter().find(|(_, life)| life.who == who && !life.is_over).map(|(id, _)| *id)
    }
}

/// The table of the manual, with UNKNOWN's ways and the one that `startlimit` makes.
fn is_legal(from: State, to: State) -> bool {
    use State::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
    matches!(
        (from, to),
        (Stopped | Exited | Fatal | Backoff, Starting)
            | (Starting, Running | Backoff | Stopping | Unknown)
            | (Running, Exited | Stopping | Unknown)
            | (Backoff, Fatal | Stopped)
            | (Exited, Fatal)
            | (Stopping, Stopped | Unknown)
            | (Unknown, Stopped)
    )
}

/// Only what would be done anyway, and at once, may be done without asking.
fn may_be_relaunched(course: &Course, on: &RelaunchOn, is_paced: bool) -> Verdict {
    let config = &course.config;
    let is_its_policy = match (config.autorestart, on) {
        (AutoRestart::Always, RelaunchOn::AnyEnd) => true,
        (AutoRestart::Unexpected, RelaunchOn::OtherThan(codes)) => *codes == config.exitcodes,
        (AutoRestart::Always | AutoRestart::Unexpected | AutoRestart::Never, _) => false,
    };
    let is_plain = config.restartpause.is_zero() && config.startlimit.is_none();
    match is_its_policy && is_plain && is_paced && course.state == State::Running {
        true => Ok(()),
        false => Err(format!("is {:?} and to be replaced on {on:?}", course.state)),
    }
}
