//! The rules: safety after every action, liveness by deadlines that are kept in simulated time. What a program's
//! restart policies add to them is in `policies.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use provost_config::ExitOn;
use provost_core::{
    Action, AskId, ChildId, Event, ExitStatus, Mono, Note, Now, ProcessId, Reply, State, StateDetail,
    Supervisor,
};

use crate::policies::{Policies, Who};

/// How much of what is worth testing a run has met.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    counts: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Seen) {
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    /// Every state and every kind of trouble must have come up often.
    pub(crate) fn must_be_rich(&self) {
        let wanted = State::ALL.map(State::name).into_iter().chain([
            "spawn failed",
            "killed",
            "refused signal",
            "finish",
            "done",
            "fault",
            "statuses",
            "exit before stop signal",
            "brain died",
            "relaunched",
            "relaunch withdrawn",
            "stop of a child that had been replaced",
            "waited by curve",
            "more than three retries",
            "paused",
            "restarted too often",
            "job done at once",
            "end for an essential program",
            "end by exit_on",
        ]);
        for what in wanted {
            let count = self.counts.get(what).copied().unwrap_or(0);
            // Each process begins STOPPED without an event, so all states are counted alike.
            assert!(
                count >= 20,
                "the worlds are too friendly: {what:?} came up {count} times: {:?}",
                self.counts
            );
        }
    }
}

#[derive(Debug)]
struct Living {
    who: Who,
}

/// What must be so when a command to one process is answered with success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    Running,
    Stopped,
}

/// Watches everything that the supervisor wants.
#[derive(Debug, Default)]
pub(crate) struct Referee {
    pub(crate) seen: Seen,
    seed: u64,
    /// Children from the wish for them until they are let go.
    children: BTreeMap<ChildId, Living>,
    /// Children that have ended, or never came to be.
    gone: BTreeSet<ChildId>,
    /// Children that the keeper is to replace at their end, unless told otherwise.
    to_relaunch: BTreeSet<ChildId>,
    /// Whose place a child is to take, and when it did.
    heirs: BTreeMap<ChildId, (Who, Option<Mono>)>,
    states: BTreeMap<Who, State>,
    policies: Policies,
    /// The process that somebody has asked for, during the step that starts it.
    by_hand: Option<ProcessId>,
    open: BTreeMap<AskId, Mono>,
    /// What a plain yes to a question promises about one process.
    promises: BTreeMap<AskId, (Who, Promise)>,
    stopping: bool,
    finished: bool,
    last_child: u32,
}

impl Referee {
    pub(crate) fn new(seed: u64, exit_on: ExitOn) -> Referee {
        Referee { seed, policies: Policies::new(exit_on), ..Referee::default() }
    }

    fn fail(&self, rule: &str) -> ! {
        panic!("seed {}: {rule}", self.seed);
    }

    pub(crate) fn asked(&mut self, ask: AskId, now: Now) {
        self.open.insert(ask, now.mono);
    }

    pub(crate) fn promised(&mut self, ask: AskId, group: &str, process: &str, promise: Promise) {
        self.promises.insert(ask, ((group.to_owned(), process.to_owned()), promise));
    }

    /// The next step starts this process, if any, because somebody asked for it.
    pub(crate) fn starts_by_hand(&mut self, process: Option<ProcessId>) {
        self.by_hand = process;
    }

    /// Somebody does not want this process to come back.
    pub(crate) fn stop_asked(&mut self, group: &str, process: &str) {
        let who = (group.to_owned(), process.to_owned());
        if self.states.get(&who) == Some(&State::Exited) {
            self.policies.restart_cancelled(&who);
        }
    }

    pub(crate) fn ended(&mut self, child: ChildId, status: ExitStatus, at: Mono) {
        if let Some(living) = self.children.get(&child) {
            self.policies.child_ended(&living.who, status, at);
        }
        self.to_relaunch.remove(&child);
        self.gone.insert(child);
    }

    /// The keeper has put this child in another one's place.
    pub(crate) fn relaunched(&mut self, next: ChildId, at: Mono) {
        if let Some((_, started)) = self.heirs.get_mut(&next) {
            *started = Some(at);
        }
    }

    /// Fails the run unless the rule was kept.
    fn check(&mut self, kept: Result<Option<&'static str>, String>) {
        match kept {
            Ok(seen) => seen.into_iter().for_each(|what| self.seen.saw(what)),
            Err(rule) => self.fail(&rule),
        }
    }

    pub(crate) fn judge(&mut self, now: Now, action: &Action) {
        if self.finished {
            self.fail("something was wanted after the end");
        }
        match action {
            Action::Spawn { child, process, group, config } => {
                if self.stopping {
                    self.fail("a spawn while everything stops");
                }
                self.number(*child);
                let who = (group.to_string(), config.name.clone());
                if let Some((other, _)) = self.children.iter().find(|(_, living)| living.who == who) {
                    self.fail(&format!("two children of {who:?}: {other:?} and {child:?}"));
                }
                let by_hand = self.by_hand == Some(*process);
                let kept = self.policies.spawned(now.mono, &who, config, by_hand);
                self.check(kept);
                self.children.insert(*child, Living { who });
            }
            Action::Relaunch { child, next, .. } => {
                if self.stopping {
                    self.fail("a relaunch is ordered while everything stops");
                }
                let Some(who) = self.owner(*child) else {
                    self.fail(&format!("a relaunch of {child:?}, which is no child"))
                };
                self.number(*next);
                self.to_relaunch.insert(*child);
                self.heirs.insert(*next, (who, None));
            }
            Action::NoRelaunch { child } => {
                if self.to_relaunch.remove(child) {
                    self.seen.saw("relaunch withdrawn");
                }
            }
            Action::TakeOver { child, .. } => self.taken_over(*child),
            Action::Kill { child, signal, .. } => {
                let Some(who) = self.owner(*child) else {
                    self.fail(&format!("a signal for {child:?}, which is no child"))
                };
                if self.states.get(&who) == Some(&State::Stopping) && self.to_relaunch.contains(child) {
                    self.fail(&format!("{child:?} is asked to stop, and would be replaced"));
                }
                if *signal == 9 {
                    self.seen.saw("killed");
                }
            }
            Action::Forget { child } => {
                if !self.gone.contains(child) {
                    self.fail(&format!("{child:?} was forgotten while it lived"));
                }
                self.children.remove(child);
            }
            Action::Publish(Event::ProcessState { process, group, from, to, detail }) => {
                let who = (group.to_string(), process.to_string());
                self.state_changed(who.clone(), *from, *to, *detail);
                let kept = match self.stopping {
                    true => self.policies.changed_while_stopping(&who, *from, *to),
                    false => self.policies.changed(now.mono, &who, (*from, *to), *detail),
                };
                self.check(kept);
            }
            Action::Publish(Event::GroupRemoved { group }) => {
                self.states.retain(|(g, _), _| g != &**group);
                self.policies.group_removed(group);
            }
            Action::Publish(Event::SupervisorStopping) if self.stopping => {
                self.fail("stopping was announced twice");
            }
            Action::Publish(Event::SupervisorStopping) => self.stopping = true,
            Action::Note(Note::KillFailed { .. }) => self.seen.saw("refused signal"),
            Action::Note(Note::SpawnError { .. }) => self.seen.saw("spawn failed"),
            Action::Reply { ask, reply } => {
                if self.open.remove(ask).is_none() {
                    self.fail(&format!("{ask:?} was answered twice, or never asked"));
                }
                if let (Some((who, promise)), Reply::Done) = (self.promises.remove(ask), reply) {
                    self.must_be_kept(&who, promise);
                }
                self.seen.saw(match reply {
                    Reply::Done => "done",
                    Reply::Fault(_) => "fault",
                    Reply::Statuses(_) => "statuses",
                    _ => "other reply",
                });
            }
            Action::Finish(ending) => {
                self.finished = true;
                let kept = self.policies.finished(*ending);
                self.check(kept);
                self.seen.saw("finish");
                let unknown = self.states.values().filter(|state| **state == State::Unknown).count();
                if self.children.len() > unknown {
                    self.fail(&format!("the end came with {:?} alive", self.children));
                }
                if !self.open.is_empty() {
                    self.fail(&format!("the end came with {:?} unanswered", self.open));
                }
            }
            _ => {}
        }
    }

    fn number(&mut self, child: ChildId) {
        if child.0 <= self.last_child {
            self.fail("a child's number was used twice");
        }
        self.last_child = child.0;
    }

    /// The supervisor learns that a child has taken another one's place, which has ended.
    fn taken_over(&mut self, child: ChildId) {
        let Some((who, Some(at))) = self.heirs.remove(&child) else {
            self.fail(&format!("{child:?} has taken nobody's place"))
        };
        let is_alive = |(id, living): (&ChildId, &Living)| living.who == who && !self.gone.contains(id);
        if self.children.iter().any(is_alive) {
            self.fail(&format!("{child:?} is a second child of {who:?}"));
        }
        if self.states.get(&who) == Some(&State::Stopping) {
            self.seen.saw("stop of a child that had been replaced");
        } else {
            let kept = self.policies.relaunched(at, &who);
            self.check(kept);
        }
        self.children.insert(child, Living { who });
    }

    fn must_be_kept(&self, who: &Who, promise: Promise) {
        let state = self.states.get(who).copied().unwrap_or(State::Stopped);
        let kept = match promise {
            Promise::Running => {
                state == State::Running || (state == State::Exited && self.policies.is_job(who))
            }
            Promise::Stopped => state.is_stopped(),
        };
        if !kept {
            self.fail(&format!("{who:?} was said to be {promise:?}, but is {state:?}"));
        }
    }

    /// A spawn that failed leaves no child behind, and is not forgotten by an action of its own.
    pub(crate) fn never_was(&mut self, child: ChildId) {
        self.children.remove(&child);
        self.gone.insert(child);
    }

    fn state_changed(&mut self, who: Who, from: State, to: State, detail: StateDetail) {
        self.seen.saw(to.name());
        let known = self.states.insert(who.clone(), to).unwrap_or(State::Stopped);
        if known != from {
            self.fail(&format!("{who:?} left {from:?}, but was {known:?}"));
        }
        if !from.may_become(to) {
            self.fail(&format!("{who:?} went from {from:?} to {to:?}"));
        }
        if to == State::Running && detail == StateDetail::Pid(0) {
            self.fail(&format!("{who:?} is RUNNING without a pid"));
        }
    }

    /// After each step.
    pub(crate) fn after_step(&mut self, now: Now, supervisor: &Supervisor, patience: Duration) {
        if supervisor.next_deadline().is_some_and(|at| at <= now.mono) {
            self.fail("a deadline that has passed is still set: the loop would spin");
        }
        // Whoever is to be stopped will be looked after again, however often it takes.
        let stopping = self.states.values().any(|state| *state == State::Stopping);
        if stopping && supervisor.next_deadline().is_none() {
            self.fail("a process is STOPPING, and nobody will look after it again");
        }
        if let Some(child) = self.to_relaunch.iter().find(|id| self.stopping && !self.gone.contains(id)) {
            self.fail(&format!("everything stops, and {child:?} would be replaced"));
        }
        if self.policies.is_over() && !self.stopping {
            self.fail("a program's end should have ended everything");
        }
        // No wait outlives what the slowest mortal child can need.
        let late = self.open.iter().find(|(_, since)| now.mono.since(**since) > patience);
        if let Some((ask, since)) = late {
            self.fail(&format!("{ask:?} has been waiting for {:?}", now.mono.since(*since)));
        }
    }

    /// The brain has died: its askers see a closed connection, and a process whose child was only wished for is
    /// taken up by the next brain as a failed attempt, without a word.
    pub(crate) fn brain_died(&mut self, living: impl Fn(ChildId) -> bool) {
        self.seen.saw("brain died");
        self.open.clear();
        self.promises.clear();
        self.stopping = false;
        let alive: BTreeSet<_> =
            self.children.iter().filter(|(id, _)| living(**id)).map(|(_, l)| l.who.clone()).collect();
        self.policies.brain_died(|who| alive.contains(who));
        for (who, state) in &mut self.states {
            *state = as_resumed(*state, alive.contains(who));
        }
        self.children.retain(|id, _| living(*id));
    }

    pub(crate) fn next_child(&self) -> u32 {
        self.last_child + 1
    }

    /// Whose child this is.
    pub(crate) fn owner(&self, child: ChildId) -> Option<Who> {
        self.children.get(&child).map(|living| living.who.clone())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.finished
    }

    /// The end of a run that was told to stop.
    pub(crate) fn must_be_over(&self) {
        if !self.finished {
            self.fail(&format!(
                "a shutdown did not come to its end; left: {:?}, {:?}",
                self.children, self.states
            ));
        }
    }
}

/// What the next brain makes of a state, without a word.
pub(crate) fn as_resumed(state: State, lives: bool) -> State {
    match state {
        State::Starting | State::Running if !lives => State::Backoff,
        State::Stopping | State::Unknown if !lives => State::Stopped,
        state => state,
    }
}
