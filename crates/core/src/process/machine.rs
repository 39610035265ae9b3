//! The machine of one process: what each happening means in each state.
//!
//! In: a start or stop that `supervisor.rs` has found acceptable, news of the child, a deadline. Out: actions in
//! an [`Outbox`], and the next deadline in a field. It knows nothing of other processes or of who asked.

use std::sync::Arc;
use std::time::Duration;

use provost_config::{AutoRestart, ProcessConfig};

use crate::action::{Action, KillTarget};
use crate::event::{Event, ExitStatus, Note, StateDetail};
use crate::ids::{ChildId, ProcessId};
use crate::memory::Memory;
use crate::outcome::{LogPaths, SpawnError};
use crate::process::State;
use crate::time::{Mono, Now, seconds};

/// SIGKILL is the same number on every Linux.
const SIGKILL: i32 = 9;

/// A child that lived this long is replaced at once; a shorter life is completed to this
/// length first. It is the pace of Supervisor's main loop, which has kept people's machines alive.
const PACE: Duration = Duration::from_secs(1);

/// The text that users know from `status` and look for.
const TOO_QUICK: &str = "Exited too quickly (process log may have details)";

/// Actions of one step, in order.
pub(crate) type Outbox = Vec<Action>;

/// A process: configuration, state, and what is known of its child.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    pub(crate) name: Arc<str>,
    pub(crate) group: Arc<str>,
    pub(crate) config: Arc<ProcessConfig>,
    pub(crate) state: State,
    /// The run in progress, from the request to spawn until its end is recorded.
    pub(crate) child: Option<ChildId>,
    pub(crate) pid: Option<i32>,
    /// The last attempt to start, and the last end of a child.
    pub(crate) started: Option<Now>,
    pub(crate) stopped: Option<Now>,
    /// Failed attempts in a row.
    pub(crate) backoff: u32,
    pub(crate) spawnerr: Option<String>,
    pub(crate) exit: Option<ExitStatus>,
    /// When the machine wants to be woken.
    pub(crate) deadline: Option<Mono>,
    pub(crate) logs: LogPaths,
}

/// Whether a supervisor that is itself stopping may still start things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restarts {
    Allowed,
    Forbidden,
}

impl Process {
    pub(crate) fn new(id: ProcessId, group: Arc<str>, config: Arc<ProcessConfig>) -> Self {
        Process {
            id,
            name: config.name.as_str().into(),
            group,
            config,
            state: State::Stopped,
            child: None,
            pid: None,
            started: None,
            stopped: None,
            backoff: 0,
            spawnerr: None,
            exit: None,
            deadline: None,
            logs: LogPaths::default(),
        }
    }

    /// Wants a child. The caller has checked that the state allows it.
    pub(crate) fn start(&mut self, now: Now, child: ChildId, out: &mut Outbox) {
        self.child = Some(child);
        self.pid = None;
        self.started = Some(now);
        self.spawnerr = None;
        self.exit = None;
        // Until it is spawned there is nothing to time.
        self.deadline = None;
        self.enter(State::Starting, StateDetail::Tries(self.backoff), out);
        out.push(Action::Spawn {
            child,
            process: self.id,
            group: Arc::clone(&self.group),
            config: Arc::clone(&self.config),
        });
    }

    /// A start that a person asked for: earlier failures no longer count.
    pub(crate) fn start_anew(&mut self, now: Now, child: ChildId, out: &mut Outbox) {
        self.backoff = 0;
        self.start(now, child, out);
    }

    /// What a later brain must know.
    pub(crate) fn memory(&self) -> Memory {
        Memory {
            state: self.state,
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
                let wait = Duration::from_secs(self.backoff.into());
                self.deadline = Some(self.stopped.map_or(now.mono, |at| at.mono + wait).max(now.mono));
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
        out.push(Action::Note(Note::Adopted { name: Arc::clone(&self.name), pid }));
        out.push(Action::Adopt { child, process: self.id, config: Arc::clone(&self.config) });
    }

    pub(crate) fn spawned(&mut self, pid: i32, at: Now, out: &mut Outbox) {
        self.pid = Some(pid);
        self.started = Some(at);
        out.push(Action::Note(Note::Spawned { name: Arc::clone(&self.name), pid }));
        if self.state != State::Starting {
            // Asked to stop before it was there: the signal is already on its way behind the spawn.
            return;
        }
        match seconds(self.config.startsecs) {
            Duration::ZERO => self.has_stayed_up(out),
            wait => self.deadline = Some(at.mono + wait),
        }
    }

    pub(crate) fn spawn_failed(&mut self, now: Now, error: SpawnError, restarts: Restarts, out: &mut Outbox) {
        self.child = None;
        out.push(Action::Note(Note::SpawnError { text: error.text.clone() }));
        self.spawnerr = Some(error.text);
        match self.state {
            State::Starting => self.failed_to_start(now, restarts, out),
            // Asked to stop while the spawn was under way.
            State::Stopping => self.is_stopped(out, 0),
            State::Unknown
            | State::Stopped
            | State::Running
            | State::Backoff
            | State::Exited
            | State::Fatal => {}
        }
    }

    /// The child has ended, at `at`, and its output is drained.
    pub(crate) fn exited(
        &mut self,
        now: Now,
        at: Now,
        status: ExitStatus,
        restarts: Restarts,
        out: &mut Outbox,
    ) {
        let pid = self.pid.unwrap_or(0);
        let lived = self.started.map_or(Duration::ZERO, |started| at.mono.since(started.mono));
        self.stopped = Some(at);
        self.child = None;
        match self.state {
            State::Starting if lived < seconds(self.config.startsecs) => {
                self.exit = None;
                self.spawnerr = Some(TOO_QUICK.to_owned());
                self.pid = None;
                let name = Arc::clone(&self.name);
                // The line comes before the verdict: Supervisor's users read "exited", then "gave up".
                out.push(Action::Note(Note::Exited { name, status, expected: false }));
                self.failed_to_start(now, restarts, out);
            }
            State::Starting => {
                // It outlived startsecs, and its end overtook our deadline.
                self.backoff = 0;
                self.enter(State::Running, StateDetail::Pid(pid), out);
                self.has_exited(now, status, pid, restarts, out);
            }
            State::Running => self.has_exited(now, status, pid, restarts, out),
            State::Stopping | State::Unknown => {
                self.exit = Some(status);
                let note =
                    Note::Stopped { name: Arc::clone(&self.name), status, expected: self.expects(status) };
                self.is_stopped(out, pid);
                out.push(Action::Note(note));
            }
            // No other state has a child.
            State::Stopped | State::Backoff | State::Exited | State::Fatal => {}
        }
        self.pid = None;
    }

    /// Wants the child gone. The caller has checked that the state is a running one.
    pub(crate) fn stop(&mut self, now: Now, out: &mut Outbox) {
        self.backoff = 0;
        match self.state {
            State::Starting | State::Running => {
                self.deadline = Some(now.mono + self.patience());
                self.enter(State::Stopping, StateDetail::Pid(self.pid.unwrap_or(0)), out);
                let (signal, group) = (self.config.stopsignal, self.config.stopasgroup);
                let pid = self.pid.unwrap_or(0);
                out.push(Action::Note(Note::Stopping { name: Arc::clone(&self.name), pid, signal, group }));
                self.kill(signal, group, out);
            }
            State::Backoff => {
                out.push(Action::Note(Note::StopFromBackoff { name: Arc::clone(&self.name) }));
                self.is_stopped(out, 0);
            }
            State::Stopped | State::Stopping | State::Exited | State::Fatal | State::Unknown => {}
        }
    }

    /// The whole supervisor is stopping (SPEC 3.8): like a stop, but a process between two attempts gives up without a word.
    pub(crate) fn shut_down(&mut self, now: Now, out: &mut Outbox) {
        match self.state {
            State::Backoff => self.gives_up(out),
            State::Starting | State::Running => self.stop(now, out),
            State::Stopped | State::Stopping | State::Exited | State::Fatal | State::Unknown => {
                self.cancel_restart();
            }
        }
    }

    /// An exited process is not started again by itself.
    pub(crate) fn cancel_restart(&mut self) {
        if self.state == State::Exited {
            self.deadline = None;
        }
    }

    /// The kernel refused a signal.
    pub(crate) fn kill_failed(&mut self, reason: &str, out: &mut Outbox) {
        if !self.state.is_signallable() {
            return;
        }
        let (name, pid) = (Arc::clone(&self.name), self.pid.unwrap_or(0));
        out.push(Action::Note(Note::KillFailed { name, pid, reason: reason.to_owned() }));
        self.deadline = None;
        self.enter(State::Unknown, StateDetail::None, out);
    }

    /// The deadline has passed.
    pub(crate) fn woken(&mut self, now: Now, next_child: ChildId, restarts: Restarts, out: &mut Outbox) {
        self.deadline = None;
        match self.state {
            State::Starting => self.has_stayed_up(out),
            State::Stopping => {
                let pid = self.pid.unwrap_or(0);
                self.deadline = Some(now.mono + self.patience().max(PACE));
                out.push(Action::Note(Note::Killing { name: Arc::clone(&self.name), pid }));
                self.kill(SIGKILL, self.config.killasgroup, out);
            }
            State::Backoff | State::Exited if restarts == Restarts::Allowed => {
                self.start(now, next_child, out);
            }
            State::Backoff | State::Exited => {}
            State::Stopped | State::Running | State::Fatal | State::Unknown => {}
        }
    }

    // --- the rules behind them ---

    fn has_stayed_up(&mut self, out: &mut Outbox) {
        self.deadline = None;
        self.backoff = 0;
        self.enter(State::Running, StateDetail::Pid(self.pid.unwrap_or(0)), out);
        out.push(Action::Note(Note::Success {
            name: Arc::clone(&self.name),
            startsecs: self.config.startsecs,
        }));
    }

    fn failed_to_start(&mut self, now: Now, restarts: Restarts, out: &mut Outbox) {
        self.backoff += 1;
        self.deadline = Some(now.mono + Duration::from_secs(self.backoff.into()));
        self.enter(State::Backoff, StateDetail::Tries(self.backoff), out);
        if i64::from(self.backoff) > self.config.startretries {
            self.gives_up(out);
            out.push(Action::Note(Note::GaveUp { name: Arc::clone(&self.name) }));
        } else if restarts == Restarts::Forbidden {
            self.gives_up(out);
        }
    }

    fn gives_up(&mut self, out: &mut Outbox) {
        self.deadline = None;
        self.backoff = 0;
        self.enter(State::Fatal, StateDetail::None, out);
    }

    fn has_exited(&mut self, now: Now, status: ExitStatus, pid: i32, restarts: Restarts, out: &mut Outbox) {
        let expected = self.expects(status);
        self.exit = Some(status);
        self.backoff = 0;
        self.deadline = None;
        if !expected {
            self.spawnerr = Some(format!("Bad exit code {}", status.number()));
        }
        self.enter(State::Exited, StateDetail::Exited { expected, pid }, out);
        out.push(Action::Note(Note::Exited { name: Arc::clone(&self.name), status, expected }));
        if self.comes_back(expected) && restarts == Restarts::Allowed {
            self.deadline = Some(self.earliest_restart(now));
        }
    }

    fn comes_back(&self, expected: bool) -> bool {
        match self.config.autorestart {
            AutoRestart::Always => true,
            AutoRestart::Unexpected => !expected,
            AutoRestart::Never => false,
        }
    }

    fn earliest_restart(&self, now: Now) -> Mono {
        self.started.map_or(now.mono, |started| started.mono + PACE).max(now.mono)
    }

    fn is_stopped(&mut self, out: &mut Outbox, pid: i32) {
        self.deadline = None;
        self.backoff = 0;
        self.enter(State::Stopped, StateDetail::Pid(pid), out);
    }

    fn expects(&self, status: ExitStatus) -> bool {
        self.config.exitcodes.iter().any(|code| i32::from(*code) == status.number())
    }

    fn patience(&self) -> Duration {
        seconds(self.config.stopwaitsecs)
    }

    fn kill(&self, signal: i32, group: bool, out: &mut Outbox) {
        let Some(child) = self.child else { return };
        let target = if group { KillTarget::Group } else { KillTarget::Process };
        out.push(Action::Kill { child, signal, target });
    }

    fn enter(&mut self, to: State, detail: StateDetail, out: &mut Outbox) {
        let from = std::mem::replace(&mut self.state, to);
        debug_assert!(from.may_become(to), "{} may not go from {from:?} to {to:?}", self.name);
        let (process, group) = (Arc::clone(&self.name), Arc::clone(&self.group));
        out.push(Action::Publish(Event::ProcessState { process, group, from, to, detail }));
    }
}
