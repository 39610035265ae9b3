//! The rules: safety after every action, liveness by deadlines that are kept in simulated time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use provost_core::{
    Action, AskId, ChildId, Ending, Event, Mono, Note, Now, Reply, State, StateDetail, Supervisor,
};

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
    who: (String, String),
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
    states: BTreeMap<(String, String), State>,
    /// Automatic attempts since the last success or request.
    attempts: BTreeMap<(String, String), i64>,
    last_start: BTreeMap<(String, String), Mono>,
    open: BTreeMap<AskId, Mono>,
    /// What a plain yes to a question promises about one process.
    promises: BTreeMap<AskId, ((String, String), Promise)>,
    stopping: bool,
    finished: bool,
    last_child: u32,
}

/// Rules that need the configuration of a process.
pub(crate) struct Limits {
    pub(crate) startretries: i64,
}

impl Referee {
    pub(crate) fn new(seed: u64) -> Referee {
        Referee { seed, ..Referee::default() }
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

    /// Somebody asked for a start: the count of attempts begins anew.
    pub(crate) fn start_asked(&mut self) {
        self.attempts.clear();
        self.last_start.clear();
    }

    pub(crate) fn ended(&mut self, child: ChildId) {
        self.gone.insert(child);
    }

    pub(crate) fn judge(&mut self, now: Now, action: &Action, limits: impl Fn(&str) -> Limits) {
        if self.finished {
            self.fail("something was wanted after the end");
        }
        match action {
            Action::Spawn { child, group, config, .. } => {
                if self.stopping {
                    self.fail("a spawn while everything stops");
                }
                if child.0 <= self.last_child {
                    self.fail("a child's number was used twice");
                }
                self.last_child = child.0;
                let who = (group.to_string(), config.name.clone());
                if let Some((other, _)) = self.children.iter().find(|(_, living)| living.who == who) {
                    self.fail(&format!("two children of {who:?}: {other:?} and {child:?}"));
                }
                let since = self.last_start.get(&who).map(|at| now.mono.since(*at));
                if since.is_some_and(|since| since < Duration::from_secs(1)) {
                    self.fail(&format!("{who:?} was restarted {since:?} after its last start"));
                }
                self.last_start.insert(who.clone(), now.mono);
                let attempts = self.attempts.entry(who.clone()).or_default();
                *attempts += 1;
                if *attempts > limits(&config.name).startretries.max(0) + 1 {
                    self.fail(&format!("{who:?} was retried beyond its limit"));
                }
                self.children.insert(*child, Living { who });
            }
            Action::Kill { child, signal, .. } => {
                if !self.children.contains_key(child) {
                    self.fail(&format!("a signal for {child:?}, which is no child"));
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
                self.state_changed((group.to_string(), process.to_string()), *from, *to, *detail);
            }
            Action::Publish(Event::GroupRemoved { group }) => {
                self.states.retain(|(g, _), _| g != &**group);
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
            Action::Finish(Ending::Exit | Ending::Renew) => {
                self.finished = true;
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

    fn must_be_kept(&self, who: &(String, String), promise: Promise) {
        let state = self.states.get(who).copied().unwrap_or(State::Stopped);
        let kept = match promise {
            Promise::Running => state == State::Running,
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

    fn state_changed(&mut self, who: (String, String), from: State, to: State, detail: StateDetail) {
        self.seen.saw(to.name());
        let known = self.states.insert(who.clone(), to).unwrap_or(State::Stopped);
        if known != from {
            self.fail(&format!("{who:?} left {from:?}, but was {known:?}"));
        }
        if !from.may_become(to) {
            self.fail(&format!("{who:?} went from {from:?} to {to:?}"));
        }
        if to == State::Running {
            self.attempts.remove(&who);
            if detail == StateDetail::Pid(0) {
                self.fail(&format!("{who:?} is RUNNING without a pid"));
            }
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
        self.start_asked();
        self.stopping = false;
        let alive: BTreeSet<_> =
            self.children.iter().filter(|(id, _)| living(**id)).map(|(_, l)| l.who.clone()).collect();
        for (who, state) in &mut self.states {
            *state = match *state {
                State::Starting | State::Running if !alive.contains(who) => State::Backoff,
                State::Stopping | State::Unknown if !alive.contains(who) => State::Stopped,
                state => state,
            };
        }
        self.children.retain(|id, _| living(*id));
    }

    pub(crate) fn next_child(&self) -> u32 {
        self.last_child + 1
    }

    /// Whose child this is.
    pub(crate) fn owner(&self, child: ChildId) -> Option<(String, String)> {
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
