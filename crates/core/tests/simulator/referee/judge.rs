//! Each action, before it is carried out: whether it may be wanted now, and what is known because it is.

use std::sync::Arc;

use provost_config::{Config, ProcessConfig};
use provost_core::{
    Action, AskId, ChildId, Ending, Event, KillTarget, Mono, Note, Now, ProcessId, ProcessInfo, Reply, State,
    StateDetail,
};

use super::{Life, Referee, is_legal, may_be_relaunched};
use crate::cast::Who;
use crate::closing::as_status;
use crate::course::{Cause, Course, PACE, Verdict};

impl Referee {
    pub(crate) fn judge(&mut self, now: Now, action: &Action, all: &Config) {
        if self.is_over.is_some() {
            self.fail("something was wanted after the end".to_owned());
        }
        match action {
            Action::PrepareLogs { process, group, config } => {
                let who = Who::of(group, &config.name);
                self.ids.insert(*process, who);
                if self.courses.contains_key(&who) {
                    self.is_replaced(who, config);
                }
            }
            Action::RenewGroup { group, moved, gone } => self.renews(group, *moved, gone, all),
            Action::Reconfigure { process, config } => self.goes_on(*process, config),
            Action::Resolve { process, .. } => self.in_order(*process),
            Action::Spawn { child, process, group, config } => {
                let who = Who::of(group, &config.name);
                self.must_be(*process, who);
                self.number(*child);
                if self.courses[&who].config != *config {
                    self.fail(format!("{who:?} is started with a configuration that it has not"));
                }
                self.is_wished_for(*child, who);
            }
            Action::TakeOver { child, .. } => match self.moment.heir.take() {
                Some((who, next, _)) if next == *child => {
                    self.seen.saw("a relaunch");
                    if self.courses[&who].state == State::Stopping {
                        self.seen.saw("a stop of a child that had been replaced");
                        self.course(who).is_replaced();
                        self.moment.starting = Some(who);
                    }
                    self.is_wished_for(*child, who);
                }
                _ => self.fail(format!("{child:?} has taken nobody's place")),
            },
            Action::Relaunch { child, next, on, after } => {
                self.number(*next);
                let who = self.must_own(*child, "a relaunch");
                self.check(who, may_be_relaunched(&self.courses[&who], on, *after >= PACE));
                self.to_relaunch.insert(*child);
            }
            Action::NoRelaunch { child } => {
                let was = self.to_relaunch.remove(child);
                was.then(|| self.seen.saw("a relaunch withdrawn"));
            }
            Action::Kill { child, signal, target } => self.signalled(now.mono, *child, *signal, *target),
            Action::KeepProgram { .. } => match self.moment.read.take() {
                Some((group, processes)) => self.gets(&group, &processes),
                None => self.fail("a program comes that nobody has read".to_owned()),
            },
            Action::ForgetProcess { process, group, name } => {
                let who = Who::of(group, name);
                self.must_be(*process, who);
                self.is_forgotten(who);
                if self.lives(who).is_some() || self.courses.remove(&who).is_none() {
                    self.fail(format!("{who:?} is taken out of its group, and lives or is not there"));
                }
                self.ids.remove(process);
            }
            Action::SendStdin { process, child, .. } => {
                let who = self.must_own(*child, "words");
                self.must_be(*process, who);
                let course = &self.courses[&who];
                if course.state == State::Stopping || course.born.is_none() {
                    self.fail(format!("{who:?} is {:?} and nobody to talk to", course.state));
                }
            }
            Action::Forget { child } => self.forgotten(*child),
            Action::Remember { process, group, name, .. } => self.must_be(*process, Who::of(group, name)),
            Action::RememberEnding(ending) if !self.closing.is_as_wished(*ending) => {
                self.fail(format!("{ending:?} is written down, and nobody wished it"));
            }
            Action::OpenPool { group, config, processes } => self.opens_pool(group, config, processes),
            Action::ClosePool { group } => self.closes_pool(group),
            Action::MayHear { child, may } => self.may_hear(*child, *may),
            Action::Publish(event) => self.published(now.mono, event, all),
            Action::Note(Note::Signalling { .. }) => self.moment.signalling = true,
            Action::Note(Note::NotAdopted { group, process, .. })
                if self.courses.contains_key(&Who::of(group, process)) =>
            {
                self.fail(format!("{group}:{process} is configured, and its child was left alone"));
            }
            Action::Reply { ask, reply } => self.replied(*ask, reply),
            Action::Finish(ending) => self.finishes(*ending),
            _ => {}
        }
    }

    /// A program comes into a group, and starts as one of a group that is added.
    fn gets(&mut self, group: &str, processes: &[Arc<ProcessConfig>]) {
        for process in processes {
            let who = Who::of(group, &process.name);
            let course = Course::new(Arc::clone(process), self.priorities[group]);
            if self.courses.insert(who, course).is_some() {
                self.fail(format!("{who:?} was added twice"));
            }
            self.asks.comes(who);
            if process.autostart {
                self.moment.to_autostart.push(who);
            }
        }
    }

    fn must_be(&self, process: ProcessId, who: Who) {
        if self.ids.get(&process) != Some(&who) {
            self.fail(format!("{who:?} is not {process:?}"));
        }
    }

    fn signalled(&mut self, now: Mono, child: ChildId, signal: i32, target: KillTarget) {
        let who = self.must_own(child, "a signal");
        if std::mem::take(&mut self.moment.signalling) {
            let asker = self.moment.asker.clone();
            self.course(who).told.sent = Some((signal, asker));
            // A person's signal is that person's affair.
            if target != KillTarget::Process {
                self.fail(format!("{who:?} was to be signalled, and {target:?} is"));
            }
            return;
        }
        let course = self.courses.get_mut(&who).expect("it owns a child");
        if course.state != State::Stopping {
            self.fail(format!("{who:?} got signal {signal}, and nobody wants it stopped"));
        }
        if course.born.is_none() {
            self.seen.saw("a stop before the child was there");
        }
        let kept = course.is_killed(now, signal, target, &mut self.seen);
        self.check(who, kept);
        if self.to_relaunch.contains(&child) {
            self.fail(format!("{child:?} is asked to stop, and would be replaced"));
        }
    }

    fn forgotten(&mut self, child: ChildId) {
        if self.children.remove(&child).is_some_and(|life| !life.is_over) {
            self.fail(format!("{child:?} was let go while it lived"));
        }
    }

    fn in_order(&mut self, process: ProcessId) {
        let Some(who) = self.ids.get(&process).copied() else {
            self.fail(format!("{process:?} was never prepared"))
        };
        let Some(before) = self.moment.last_resolved.replace(who) else { return };
        let (before, group) = (&self.courses[&before], before.group());
        let course = &self.courses[&who];
        let is_of_one = group == who.group();
        if before.group_priority > course.group_priority
            || (is_of_one && before.config.priority > course.config.priority)
        {
            self.fail(format!("{who:?} starts behind others that have the higher priority"));
        }
    }

    /// A child of this process is wanted, or has come by itself.
    fn is_wished_for(&mut self, child: ChildId, who: Who) {
        if self.moment.starting.take() != Some(who) {
            self.fail(format!("{child:?} is wanted for {who:?}, which is not about to start"));
        }
        if let Some(other) = self.lives(who) {
            self.fail(format!("two children of {who:?}: {other:?} and {child:?}"));
        }
        self.children.insert(child, Life { who, is_over: false });
    }

    fn published(&mut self, now: Mono, event: &Event, all: &Config) {
        match event {
            Event::ProcessState { process, group, from, to, detail } => {
                let who = Who::of(group, process);
                self.seen.saw(to.name());
                let known = self.course(who).state;
                if known != *from || !is_legal(*from, *to) {
                    self.fail(format!("{who:?} went from {from:?} to {to:?}, and was {known:?}"));
                }
                self.told_changed(who, *from, *to);
                let kept = self.changes(now, who, *to, *detail, all);
                self.check(who, kept);
                if *from == State::Running && self.has_a_hearer(who) {
                    self.fail(format!("{who:?} is {to:?}, and may hear"));
                }
            }
            Event::RemoteCommunication { .. } => {}
            Event::GroupAdded { group } => {
                self.adds(group, all);
                self.told_added(group);
                self.is_exchanged(group);
                self.seen.saw("a group came");
            }
            Event::GroupRemoved { group } => {
                if let Some((child, life)) = self.children.iter().find(|(_, l)| l.who.group() == &**group) {
                    self.fail(format!("{group} was removed, and {child:?} of {:?} lives", life.who));
                }
                self.exchanges(group, all);
                self.told_removed(group);
                self.courses.retain(|who, _| who.group() != &**group);
                self.ids.retain(|_, who| who.group() != &**group);
                self.seen.saw("a group went");
            }
            Event::SupervisorStopping if self.closing.has_begun => {
                self.fail("stopping was announced twice".to_owned());
            }
            Event::SupervisorStopping => {
                self.closing.has_begun = true;
                self.updates.clear();
                self.courses.values_mut().for_each(|course| course.wanted_back = false);
            }
            Event::SupervisorRunning => self.told_running(),
        }
    }

    fn changes(&mut self, now: Mono, who: Who, to: State, detail: StateDetail, all: &Config) -> Verdict {
        if self.course(who).is_bereft_as(to, detail) {
            self.seen.saw("a wish that died with a brain");
            self.course(who).state = to;
            return Ok(());
        }
        let all_stop = self.closing.has_begun;
        let cause = if to == State::Starting { self.cause(who)? } else { Cause::None };
        if to == State::Stopping && all_stop {
            self.closing.may_stop(who, &self.courses, &mut self.seen)?;
        }
        let is_updated = !all_stop && self.update_stops(who, all);
        let is_asked = all_stop || is_updated || self.moment.to_stop.contains(&who);
        let is_bereft = self.moment.bereft == Some(who);
        let stopper = match () {
            () if all_stop => None,
            () if is_updated && !self.moment.to_stop.contains(&who) => self.updater(who.group()),
            () => self.moment.asker.clone(),
        };
        let course = self.courses.get_mut(&who).expect("its state is known");
        let is_from_backoff = to == State::Stopped && course.state == State::Backoff;
        if to == State::Stopping || is_from_backoff {
            course.told.stopper = Some(stopper);
        }
        match (to, detail) {
            (State::Starting, StateDetail::Tries(tries)) => {
                course.starts(now, cause, tries, &mut self.seen)?;
                self.moment.starting = Some(who);
            }
            (State::Running, StateDetail::Pid(pid)) => course.runs(now, pid)?,
            (State::Backoff, StateDetail::Tries(tries)) => {
                course.fails(now, tries, is_bereft && self.moment.could_not_be)?;
            }
            (State::Exited, StateDetail::Exited { expected, pid }) => {
                course.exits(expected, pid, self.moment.heir.is_some_and(|(of, ..)| of == who))?;
            }
            (State::Fatal, _) if all_stop && course.state == State::Backoff => {}
            (State::Fatal, _) if all_stop => return Err("gave up while everything stops".to_owned()),
            (State::Fatal, _) => course.gives_up(now, &mut self.seen)?,
            (State::Stopping, StateDetail::Pid(pid)) if is_asked => course.stops(pid)?,
            (State::Stopped, _) if course.state == State::Backoff && is_asked => {}
            (State::Stopped, _) if course.state != State::Backoff && is_bereft => {}
            (State::Unknown, _) if self.moment.refused == Some(who) => {}
            (to, detail) => return Err(format!("is {to:?} with {detail:?}, and nothing was to make it so")),
        }
        course.wanted_back |=
            is_updated && (to == State::Stopping || (to == State::Stopped && course.state == State::Backoff));
        course.state = to;
        if to.is_stopped() {
            self.asks.is_down(who);
        }
        if !matches!(to, State::Starting | State::Backoff | State::Unknown) {
            course.failures = 0;
        }
        let status = match to {
            State::Exited if !course.pending => course.last.map_or(1, as_status),
            State::Fatal => course.last.map_or(1, as_status).max(1),
            _ => return Ok(()),
        };
        if all_stop { Ok(()) } else { self.closing.ends(who, status, &mut self.courses, &mut self.seen) }
    }

    /// Why a process may be about to start.
    fn cause(&mut self, who: Who) -> Result<Cause, String> {
        if let Some((_, _, at)) = self.moment.heir.filter(|(of, _, _)| *of == who) {
            return Ok(Cause::Heir(at));
        }
        if self.closing.has_begun || !self.has_begun {
            return Err("is started while everything stops, or before it may".to_owned());
        }
        if self.moment.by_hand == Some(who) {
            if !self.asks.may_start(who) {
                return Err("is started again before all that is to be is down".to_owned());
            }
            return Ok(Cause::Hand);
        }
        let has_turned = self.moment.turned.contains(who.group());
        if self.courses[&who].wanted_back && (has_turned || !self.waits_to_turn(who.group())) {
            return Ok(Cause::Update);
        }
        if !self.moment.to_autostart.contains(&who) {
            return Ok(Cause::None);
        }
        let priority = self.courses[&who].group_priority;
        match self.moment.last_autostarted.replace(priority).is_some_and(|before| before > priority) {
            true => Err("starts behind a group that has the higher priority".to_owned()),
            false => Ok(Cause::Autostart),
        }
    }

    fn replied(&mut self, ask: AskId, reply: &Reply) {
        match self.asks.answered(ask, reply, self.closing.is_wanted(), &self.courses) {
            Err(rule) => self.fail(rule),
            Ok(granted) => {
                self.updates.retain(|update| update.ask != ask);
                if let Reply::Updated(_) = reply {
                    self.seen.saw("an update was answered");
                }
                granted.stops.into_iter().for_each(|who| self.course(who).kept_down = true);
                if granted.the_end {
                    self.closing.promised();
                }
            }
        }
        match reply {
            Reply::Infos(infos) if infos.len() != self.courses.len() => {
                self.fail(format!("{} processes are told of {}", infos.len(), self.courses.len()));
            }
            Reply::Infos(infos) => infos.iter().for_each(|info| self.is_so(info)),
            Reply::Info(info) => self.is_so(info),
            Reply::History(told) => self.is_so(&told.info),
            _ => {}
        }
    }

    fn is_so(&self, info: &ProcessInfo) {
        let who = Who::of(&info.group, &info.name);
        let course = &self.courses[&who];
        let pid = if self.lives(who).is_some() { course.pid } else { None };
        if (info.state, info.pid) != (course.state, pid) {
            self.fail(format!("{who:?} is {:?} with pid {pid:?}, and {info:?} is told", course.state));
        }
    }

    fn finishes(&mut self, ending: Ending) {
        if !self.closing.is_as_wished(ending) {
            self.fail(format!("it ends with {ending:?}, and {:?} was to be", self.closing));
        }
        if let Some((who, course)) = self.courses.iter().find(|(_, course)| !course.state.is_stopped()) {
            self.fail(format!("the end came while {who:?} is {:?}", course.state));
        }
        self.is_over = Some(ending);
        self.seen.saw(match ending {
            Ending::Exit { .. } => "the end: exit",
            Ending::Renew => "the end: renew",
        });
    }
}
