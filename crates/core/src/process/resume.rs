//! A process from one brain to the next: what is written down of it, and how it goes on from there.
//!
//! In: a [`Memory`], and the child if it still lives. Out: the state, the deadline, and what has to be done again (a stop
//! signal that may not have gone out). An event is published only of what the death itself has changed: of a child that was
//! wished for and never came to be. What is remembered and why is in `memory.rs`; where it is kept is the shell's affair.

use std::sync::Arc;

use crate::action::Action;
use crate::event::{Note, StateDetail};
use crate::ids::ChildId;
use crate::memory::{Due, Memory};
use crate::process::State;
use crate::process::end::End;
use crate::process::machine::{Outbox, Process};
use crate::process::pace::Comebacks;
use crate::time::{Mono, Now, seconds};

impl Process {
    /// What a later brain must know.
    pub(crate) fn memory(&self) -> Memory {
        Memory {
            state: self.state,
            backoff: self.backoff,
            exit: self.exit,
            last: self.last,
            started: self.started,
            stopped: self.stopped,
            spawnerr: self.spawnerr.clone(),
            due: self.deadline.map_or(Due::Never, Due::At),
            asked: self.asked && self.state == State::Stopping,
            restarts: self.comebacks.times(),
            restarted: self.restarted,
            end: self.end_number,
            history: Arc::clone(&self.history),
            returns: self.returns && matches!(self.state, State::Stopping | State::Stopped),
        }
    }

    /// Goes on where an earlier brain left off.
    pub(crate) fn recall(&mut self, now: Now, memory: Memory, out: &mut Outbox) {
        // An end that was dealt with, by a brain that died before it could let go of the child: that is the past.
        let ended = self.started.zip(memory.stopped);
        let ended = ended.is_some_and(|(started, stopped)| stopped.mono >= started.mono);
        let is_down = matches!(memory.state, State::Stopped | State::Backoff | State::Exited | State::Fatal);
        if self.child.is_some() && ended && is_down {
            (self.remains, self.child, self.pid) = (self.child, None, None);
        }
        (self.backoff, self.stopped) = (memory.backoff, memory.stopped);
        // Older builds wrote down what was shown only.
        self.last = memory.last.or(memory.exit);
        self.comebacks = Comebacks::recalled(memory.restarts.clone());
        self.restarted = memory.restarted;
        // An older build wrote none down: then it begins with the child that was found.
        if memory.history.since.is_some() {
            self.history = Arc::clone(&memory.history);
        }
        match self.child {
            Some(_) => self.recall_alive(now, &memory, out),
            None => self.recall_down(now, memory, out),
        }
    }

    /// Its child was taken over, as running: that is the truth unless more was known.
    fn recall_alive(&mut self, now: Now, memory: &Memory, out: &mut Outbox) {
        match memory.state {
            // Of its end all has been told and written down, but the keeper has not heard of that: it is STARTING as the child that
            // has taken its place, and will be told of together with that end.
            State::Starting if self.is_replaced() => {
                (self.state, self.is_past) = (State::Starting, true);
            }
            State::Starting => {
                self.state = State::Starting;
                let at = self.started.map_or(now.mono, |started| started.mono);
                self.deadline = Some(at + seconds(self.config.startsecs));
            }
            // The stop was accepted, so it is honoured.
            State::Stopping => {
                (self.state, self.returns) = (State::Stopping, memory.returns);
                match memory.due {
                    Due::At(at) if memory.asked => (self.deadline, self.asked) = (Some(at), true),
                    // The signal may have been sent already; but a program that never got it would be killed unasked.
                    Due::At(_) | Due::Never | Due::Unknown => {
                        self.deadline = Some(now.mono + self.patience());
                        self.ask_to_stop(out);
                    }
                }
            }
            State::Unknown => self.state = State::Unknown,
            State::Running | State::Stopped | State::Backoff | State::Exited | State::Fatal => {}
        }
    }

    /// Whether it had ended when its last end was written down. Who takes another's place is born when that one ends, and not before.
    fn is_replaced(&self) -> bool {
        self.started.zip(self.stopped).is_some_and(|(started, stopped)| stopped.mono > started.mono)
    }

    fn recall_down(&mut self, now: Now, memory: Memory, out: &mut Outbox) {
        let Memory { state, due, end, .. } = memory;
        (self.state, self.exit, self.started, self.spawnerr) =
            (state, memory.exit, memory.started, memory.spawnerr);
        match state {
            // It was wanted, and is not there: the wish died with the brain. Nothing has failed, so only the pace is kept.
            State::Starting | State::Running => {
                self.deadline = Some(self.paced(now.mono));
                match state {
                    State::Starting => self.enter(State::Backoff, StateDetail::Tries(self.backoff), out),
                    // Its end was told of, and could not be written down.
                    _ => self.state = State::Backoff,
                }
            }
            State::Backoff => {
                self.deadline = Some(match due {
                    Due::At(at) => at,
                    Due::Never | Due::Unknown => self.retry_as_if_now(now),
                });
            }
            State::Exited => {
                let expected = self.exit.is_some_and(|status| self.expects(status));
                self.deadline = match due {
                    Due::At(at) => Some(at),
                    Due::Never => None,
                    Due::Unknown => self.comes_back(expected).then(|| self.earliest_restart(now)),
                };
            }
            State::Stopping | State::Unknown => {
                self.returns = memory.returns;
                self.is_stopped(out, 0);
            }
            State::Stopped => self.returns = memory.returns,
            State::Fatal => {}
        }
        // An older build said STOPPED of what somebody kept down: what is down otherwise is so by itself.
        let is_down = matches!(self.state, State::Exited | State::Fatal) && self.deadline.is_none();
        self.end_number = end.or((is_down && due == Due::Unknown).then_some(0));
    }

    /// A retry of which nobody knows when it was to be.
    fn retry_as_if_now(&self, now: Now) -> Mono {
        // Of an attempt that never became a child only the beginning is known.
        let last = [self.started, self.stopped].into_iter().flatten().map(|at| at.mono).max();
        self.paced(last.map_or(now.mono, |at| at + self.retry_wait()).max(now.mono))
    }

    /// Takes over a child of an earlier brain.
    pub(crate) fn adopt(&mut self, child: ChildId, pid: i32, started: Now, out: &mut Outbox) {
        self.child = Some(child);
        self.pid = Some(pid);
        self.started = Some(started);
        if self.history.since.is_none() {
            self.told().begins(started.wall);
        }
        // It is neither started nor stopped by us, so nobody is told of a change: it simply runs.
        self.state = State::Running;
        // What the earlier brain had promised may not be what we want.
        out.push(Action::NoRelaunch { child });
        out.push(Action::Note(Note::Adopted { name: Arc::clone(&self.name), pid }));
        out.push(Action::Adopt { child, process: self.id, config: Arc::clone(&self.config) });
    }

    /// How it ended, if it was down for good by itself.
    pub(crate) fn recall_end(&mut self) {
        self.end = self.end_number.and_then(|_| match self.state {
            State::Exited => self.last.map(End::exited),
            State::Fatal => Some(End::fatal(self.last)),
            State::Stopped
            | State::Starting
            | State::Running
            | State::Backoff
            | State::Stopping
            | State::Unknown => None,
        });
    }
}
