//! A process from one brain to the next: what is written down of it, and how it goes on from there.
//!
//! In: a [`Memory`], and the child if it still lives. Out: the state, the deadline, and what has to be done again (a stop
//! under way is honoured). Events are not published: nothing has changed. Where the memory is kept is the shell's affair.

use std::sync::Arc;

use crate::action::Action;
use crate::event::Note;
use crate::ids::ChildId;
use crate::memory::Memory;
use crate::process::State;
use crate::process::end::End;
use crate::process::machine::{Outbox, Process};
use crate::time::{Now, seconds};

impl Process {
    /// What a later brain must know.
    pub(crate) fn memory(&self) -> Memory {
        // Somebody has said that it is not to come back, which its end alone does not tell.
        let expected = self.exit.is_some_and(|status| self.expects(status));
        let is_called_off =
            self.state == State::Exited && self.deadline.is_none() && self.comes_back(expected);
        Memory {
            state: if is_called_off { State::Stopped } else { self.state },
            backoff: self.backoff,
            exit: self.exit,
            started: self.started,
            stopped: self.stopped,
            spawnerr: self.spawnerr.clone(),
        }
    }

    /// Goes on where an earlier brain left off. Nobody is told: nothing has changed.
    pub(crate) fn recall(&mut self, now: Now, memory: Memory, out: &mut Outbox) {
        let Memory { state, backoff, exit, started, stopped, spawnerr } = memory;
        // An end that was dealt with, by a brain that died before it could let go of the child: that is the past.
        let ended = self.started.zip(stopped).is_some_and(|(started, stopped)| stopped.mono >= started.mono);
        let is_down = matches!(state, State::Stopped | State::Backoff | State::Exited | State::Fatal);
        if self.child.is_some() && ended && is_down {
            (self.child, self.pid) = (None, None);
        }
        (self.backoff, self.stopped) = (backoff, stopped);
        if self.child.is_some() {
            // Its child was taken over, as running: that is the truth unless more was known.
            match state {
                State::Starting => {
                    self.state = State::Starting;
                    let at = self.started.map_or(now.mono, |started| started.mono);
                    self.deadline = Some(at + seconds(self.config.startsecs));
                }
                // The stop was accepted, so it is honoured; the signal may have been sent already, and once more does no harm.
                State::Stopping => {
                    self.state = State::Stopping;
                    self.deadline = Some(now.mono + self.patience());
                    self.kill(self.config.stopsignal, self.config.stopasgroup, out);
                }
                State::Unknown => self.state = State::Unknown,
                State::Running | State::Stopped | State::Backoff | State::Exited | State::Fatal => {}
            }
            return;
        }
        (self.exit, self.started, self.spawnerr) = (exit, started, spawnerr);
        self.state = match state {
            // It was wanted, and is not there: the wish died with the brain, and is fulfilled like any retry.
            State::Starting | State::Running | State::Backoff => {
                let wait = self.retry_wait();
                // Of an attempt that never became a child only the beginning is known.
                let last = [self.started, self.stopped].into_iter().flatten().map(|at| at.mono).max();
                let due = last.map_or(now.mono, |at| at + wait).max(now.mono);
                self.deadline = Some(self.paced(due));
                State::Backoff
            }
            State::Exited => {
                self.state = State::Exited;
                let expected = exit.is_some_and(|status| self.expects(status));
                self.deadline = self.comes_back(expected).then(|| self.earliest_restart(now));
                State::Exited
            }
            State::Stopping | State::Stopped | State::Unknown => State::Stopped,
            State::Fatal => State::Fatal,
        };
    }

    /// Takes over a child of an earlier brain.
    pub(crate) fn adopt(&mut self, child: ChildId, pid: i32, started: Now, out: &mut Outbox) {
        self.child = Some(child);
        self.pid = Some(pid);
        self.started = Some(started);
        // It is neither started nor stopped by us, so nobody is told of a change: it simply runs.
        self.state = State::Running;
        // What the earlier brain had promised may not be what we want.
        out.push(Action::NoRelaunch { child });
        out.push(Action::Note(Note::Adopted { name: Arc::clone(&self.name), pid }));
        out.push(Action::Adopt { child, process: self.id, config: Arc::clone(&self.config) });
    }

    /// Whether it is down for good by itself, as far as that was written down.
    pub(crate) fn recall_end(&mut self) {
        self.end = match (self.state, self.exit) {
            (State::Exited, Some(status)) if self.deadline.is_none() => Some(End::exited(status)),
            (State::Fatal, exit) => Some(End::fatal(exit)),
            _ => None,
        };
    }
}
