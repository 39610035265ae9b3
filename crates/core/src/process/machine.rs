//! The machine of one process: what each happening means in each state.
//!
//! In: a start or stop that `supervisor.rs` has found acceptable, news of the child, a deadline. Out: actions in
//! an [`Outbox`], and the next deadline in a field. It knows nothing of other processes or of who asked. How long
//! it waits is computed in `pace.rs`; how it goes on after an earlier brain is told in `resume.rs`.

use std::sync::Arc;
use std::time::Duration;

use provost_config::{AutoRestart, ProcessConfig, ProcessKind, ProgramType, StartLimit};

use crate::action::{Action, KillTarget, RelaunchOn};
use crate::event::{Event, ExitStatus, Note, StateDetail};
use crate::history::{By, Clue, History, Life, Refused, Sent, Then, Wish};
use crate::ids::{ChildId, ProcessId};
use crate::outcome::{LogPaths, SpawnError};
use crate::process::State;
use crate::process::end::End;
use crate::process::pace::{Comebacks, retry_wait};
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
    /// What it has as soon as its child is gone.
    pub(crate) replacement: Option<Arc<ProcessConfig>>,
    /// When it has stopped it is started again: an update wants that.
    pub(crate) returns: bool,
    pub(crate) state: State,
    /// The run in progress, from the request to spawn until its end is recorded.
    pub(crate) child: Option<ChildId>,
    pub(crate) pid: Option<i32>,
    /// An earlier brain has dealt with the end of the child, and was about to go on with who took its place.
    pub(super) is_past: bool,
    /// An earlier brain has dealt with the end of this child, and the keeper has not heard of that: who comes after the process under its
    /// name would be given it.
    pub(crate) remains: Option<ChildId>,
    /// The child that takes its place when it ends, if it is to be replaced without asking.
    pub(crate) promised: Option<ChildId>,
    /// The child that is told of events.
    hearer: Option<ChildId>,
    /// The last attempt to start, and the last end of a child.
    pub(crate) started: Option<Now>,
    pub(crate) stopped: Option<Now>,
    /// Failed attempts in a row.
    pub(crate) backoff: u32,
    pub(crate) spawnerr: Option<String>,
    pub(crate) exit: Option<ExitStatus>,
    /// How the last child ended, also one that ended too quickly, since a person started the process.
    pub(super) last: Option<ExitStatus>,
    /// Set while it is down for good, by itself.
    pub(crate) end: Option<End>,
    /// Which end that was, of all.
    pub(crate) end_number: Option<u64>,
    pub(super) comebacks: Comebacks,
    /// How often it was started again by itself after it had ended, since a person started it.
    pub(crate) restarted: u32,
    /// What is told of it. Nothing is decided by that.
    pub(crate) history: Arc<History>,
    /// The child has got the stop signal.
    pub(super) asked: bool,
    /// What chance is made of.
    seed: u64,
    /// When the machine wants to be woken.
    pub(crate) deadline: Option<Mono>,
    pub(crate) logs: LogPaths,
}

/// The end of a child.
#[derive(Debug)]
pub(crate) struct Death {
    pub(crate) at: Now,
    pub(crate) status: ExitStatus,
    /// The child that has taken its place.
    pub(crate) next: Option<ChildId>,
    pub(crate) clue: Option<Clue>,
}

/// Whether a supervisor that is itself stopping may still start things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restarts {
    Allowed,
    Forbidden,
}

impl Process {
    pub(crate) fn new(id: ProcessId, group: Arc<str>, config: Arc<ProcessConfig>, seed: u64) -> Self {
        Process {
            id,
            name: config.name.as_str().into(),
            group,
            config,
            replacement: None,
            returns: false,
            state: State::Stopped,
            child: None,
            pid: None,
            is_past: false,
            remains: None,
            promised: None,
            hearer: None,
            started: None,
            stopped: None,
            backoff: 0,
            spawnerr: None,
            exit: None,
            last: None,
            end: None,
            end_number: None,
            comebacks: Comebacks::default(),
            restarted: 0,
            history: Arc::default(),
            asked: false,
            seed,
            deadline: None,
            logs: LogPaths::default(),
        }
    }

    /// Wants a child. The caller has checked that the state allows it.
    pub(crate) fn start(&mut self, now: Now, child: ChildId, out: &mut Outbox) {
        self.begin(now, child, out);
        out.push(Action::Spawn {
            child,
            process: self.id,
            group: Arc::clone(&self.group),
            config: Arc::clone(&self.config),
        });
    }

    fn begin(&mut self, now: Now, child: ChildId, out: &mut Outbox) {
        self.child = Some(child);
        (self.pid, self.is_past) = (None, false);
        self.started = Some(now);
        self.spawnerr = None;
        self.exit = None;
        self.end = None;
        self.asked = false;
        let told = self.told();
        told.begins(now.wall);
        told.stopper = None;
        self.returns = false;
        // Until it is spawned there is nothing to time.
        self.deadline = None;
        self.enter(State::Starting, StateDetail::Tries(self.backoff), out);
    }

    /// A start that a person asked for: earlier failures and restarts no longer count.
    pub(crate) fn start_anew(&mut self, now: Now, child: ChildId, by: Option<Arc<By>>, out: &mut Outbox) {
        self.backoff = 0;
        self.last = None;
        self.comebacks.forget();
        self.restarted = 0;
        self.told().starter = by.map(|by| Wish { by: Some(by), at: now.wall });
        self.start(now, child, out);
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
        let life = Life { failure: Some(error.text.as_str().into()), ..self.life(now) };
        let attempts = self.backoff.saturating_add(1);
        self.spawnerr = Some(error.text);
        match self.state {
            State::Starting => self.failed_to_start(now, restarts, out),
            // Asked to stop while the spawn was under way, perhaps by a signal that was refused.
            State::Stopping | State::Unknown => self.is_stopped(out, 0),
            State::Stopped | State::Running | State::Backoff | State::Exited | State::Fatal => {}
        }
        let then = self.what_follows(attempts, None);
        self.told().ends(Life { then, ..life });
    }

    /// A person wants it started that is down, and there is nothing to start. It stays as it is.
    pub(crate) fn is_refused(&mut self, now: Now, by: Option<Arc<By>>, why: &str) {
        if self.state.is_stopped() {
            let told = self.told();
            // From here on there is something to tell.
            told.since = told.since.or(Some(now.wall));
            told.refused = Some(Refused { why: why.into(), wish: Wish { by, at: now.wall } });
        }
    }

    /// The child has ended, at `at`, and its output is drained.
    pub(crate) fn exited(
        &mut self,
        now: Now,
        Death { at, status, next, clue }: Death,
        restarts: Restarts,
        out: &mut Outbox,
    ) {
        self.promised = None;
        // Of the end, and of the start that followed from it, all has been told.
        if let (true, State::Starting, Some(next)) = (self.is_past, self.state, next) {
            self.is_past = false;
            (self.child, self.pid, self.started) = (Some(next), None, Some(now));
            return out.push(Action::TakeOver { child: next, process: self.id });
        }
        let was = self.state;
        let attempts = self.backoff.saturating_add(1);
        let pid = self.pid.unwrap_or(0);
        let lived = self.started.map_or(Duration::ZERO, |started| at.mono.since(started.mono));
        let too_quick = lived < seconds(self.config.startsecs) && !self.is_success(status);
        let life = Life {
            status: Some(status),
            expected: self.expects(status),
            too_quick: too_quick && was == State::Starting,
            clue,
            ..self.life(at)
        };
        self.stopped = Some(at);
        self.last = Some(status);
        self.child = None;
        match self.state {
            State::Starting if too_quick => {
                self.exit = None;
                self.spawnerr = Some(TOO_QUICK.to_owned());
                self.pid = None;
                let name = Arc::clone(&self.name);
                // The line comes before the verdict: Supervisor's users read "exited", then "gave up".
                out.push(Action::Note(Note::Exited { name, status, expected: false }));
                self.failed_to_start(now, restarts, out);
            }
            State::Starting => {
                // It outlived startsecs and its end overtook our deadline, or its work was done sooner.
                self.backoff = 0;
                self.enter(State::Running, StateDetail::Pid(pid), out);
                self.has_exited(now, status, pid, restarts, out);
            }
            State::Running => self.has_exited(now, status, pid, restarts, out),
            // The stop came too late for this one, so it is the next one's.
            State::Stopping if next.is_some() => {
                let (name, expected) = (Arc::clone(&self.name), self.expects(status));
                out.push(Action::Note(Note::Exited { name, status, expected }));
            }
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
        let then = self.what_follows(attempts, next);
        self.told().ends(Life { then, ..life });
        if let Some(next) = next {
            self.go_on_with(now, next, out);
        }
    }

    /// Another child has taken the place of the one that has ended.
    fn go_on_with(&mut self, now: Now, next: ChildId, out: &mut Outbox) {
        if self.state == State::Stopping {
            self.child = Some(next);
            self.told().begins(now.wall);
            self.deadline = Some(now.mono + self.patience());
            out.push(Action::TakeOver { child: next, process: self.id });
            return self.ask_to_stop(out);
        }
        self.comes_again();
        self.begin(now, next, out);
        out.push(Action::TakeOver { child: next, process: self.id });
    }

    /// Lets `next` take the child's place when it ends, if that is what would be done anyway; true if so.
    pub(crate) fn promise(&mut self, next: ChildId, out: &mut Outbox) -> bool {
        let is_settled = self.state == State::Running && self.promised.is_none();
        // A pause has to be waited for, and a limit to be counted.
        let is_plain = self.config.restartpause.is_zero() && self.config.startlimit.is_none();
        let Some(child) = self.child.filter(|_| is_settled && is_plain) else { return false };
        let on = match self.config.autorestart {
            AutoRestart::Always => RelaunchOn::AnyEnd,
            AutoRestart::Unexpected => RelaunchOn::OtherThan(self.config.exitcodes.clone()),
            AutoRestart::Never => return false,
        };
        self.promised = Some(next);
        out.push(Action::Relaunch { child, next, on, after: PACE });
        true
    }

    /// Whatever was promised holds no longer.
    pub(crate) fn withdraw(&mut self, out: &mut Outbox) {
        if let (Some(_), Some(child)) = (self.promised.take(), self.child) {
            out.push(Action::NoRelaunch { child });
        }
    }

    /// A listener that is RUNNING may be told of events, if its child is still there.
    pub(crate) fn may_hear(&mut self, out: &mut Outbox) {
        let listens = self.config.kind == ProcessKind::EventListener && self.state == State::Running;
        if let Some(child) = self.child.filter(|child| listens && self.hearer != Some(*child)) {
            self.hearer = Some(child);
            out.push(Action::MayHear { child, may: true });
        }
    }

    /// Wants the child gone. The caller has checked that the state is a running one.
    pub(crate) fn stop(&mut self, now: Now, by: Option<Arc<By>>, out: &mut Outbox) {
        self.backoff = 0;
        self.told().stopper = Some(Wish { by, at: now.wall });
        match self.state {
            State::Starting | State::Running => {
                self.deadline = Some(now.mono + self.patience());
                self.enter(State::Stopping, StateDetail::Pid(self.pid.unwrap_or(0)), out);
                let (signal, group) = (self.config.stopsignal, self.config.stopasgroup);
                let pid = self.pid.unwrap_or(0);
                out.push(Action::Note(Note::Stopping { name: Arc::clone(&self.name), pid, signal, group }));
                self.ask_to_stop(out);
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
            State::Starting | State::Running => self.stop(now, None, out),
            State::Stopped | State::Stopping | State::Exited | State::Fatal | State::Unknown => {
                self.cancel_restart();
            }
        }
    }

    /// A process that is down, or about to be, is not started again by itself.
    pub(crate) fn cancel_restart(&mut self) {
        let comes_back = std::mem::take(&mut self.returns) && self.state == State::Stopped;
        if comes_back || self.state == State::Exited {
            self.deadline = None;
        }
    }

    /// A person wants it stopped that is down, and perhaps about to start by itself.
    pub(crate) fn stay_down(&mut self, now: Now, by: Arc<By>) {
        if self.returns || (self.state == State::Exited && self.deadline.is_some()) {
            self.told().stopper = Some(Wish { by: Some(by), at: now.wall });
        }
        self.cancel_restart();
    }

    /// A person has this sent to the child.
    pub(crate) fn is_sent(&mut self, now: Now, signal: i32, by: Arc<By>) {
        self.told().sent = Some(Sent { signal, wish: Wish { by: Some(by), at: now.wall } });
    }

    /// Goes on with another configuration, as the same child. What has been decided stays decided, but for the end of startsecs, which
    /// a later brain would count anew.
    pub(crate) fn reconfigure(&mut self, config: Arc<ProcessConfig>, out: &mut Outbox) {
        // What it is about to have has changed once more.
        if self.replacement.is_some() {
            return self.replace(config, out);
        }
        self.withdraw(out);
        out.push(Action::Reconfigure { process: self.id, config: Arc::clone(&config) });
        self.config = config;
        let is_timed = self.state == State::Starting && self.pid.is_some() && !self.is_past;
        if let Some(started) = self.started.filter(|_| is_timed) {
            self.deadline = Some(started.mono + seconds(self.config.startsecs));
        }
    }

    /// Has another configuration as soon as no child has this one.
    pub(crate) fn replace(&mut self, config: Arc<ProcessConfig>, out: &mut Outbox) {
        self.replacement = Some(config);
        self.take_replacement(out);
    }

    pub(crate) fn take_replacement(&mut self, out: &mut Outbox) {
        if self.child.is_some() {
            return;
        }
        if let Some(config) = self.replacement.take() {
            self.config = config;
            let (process, group) = (self.id, Arc::clone(&self.group));
            out.push(Action::PrepareLogs { process, group, config: Arc::clone(&self.config) });
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
                self.told().killed = true;
                self.kill(SIGKILL, self.config.killasgroup, out);
            }
            State::Backoff | State::Exited if restarts == Restarts::Allowed => {
                if let (State::Exited, Some(limit)) = (self.state, self.config.startlimit) {
                    self.comebacks.add(now.mono, limit);
                }
                // Another attempt after a failed one is no restart.
                if self.state == State::Exited {
                    self.comes_again();
                }
                self.start(now, next_child, out);
            }
            State::Backoff | State::Exited => {}
            State::Stopped if self.returns && restarts == Restarts::Allowed => {
                // Whoever had it stopped for that.
                let by = self.told().stopper.take().and_then(|wish| wish.by);
                self.start_anew(now, next_child, by, out);
            }
            State::Stopped | State::Running | State::Fatal | State::Unknown => {}
        }
    }

    // --- the rules behind them ---

    /// What is told of it, to be changed: whoever remembers it as it was keeps it as it was.
    pub(super) fn told(&mut self) -> &mut History {
        Arc::make_mut(&mut self.history)
    }

    fn comes_again(&mut self) {
        self.restarted = self.restarted.saturating_add(1);
        let told = self.told();
        told.restarts = told.restarts.saturating_add(1);
    }

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
        self.backoff = self.backoff.saturating_add(1);
        self.deadline = Some(self.paced(now.mono + self.retry_wait()));
        self.enter(State::Backoff, StateDetail::Tries(self.backoff), out);
        if !self.config.startretries.allow(self.backoff) {
            self.gives_up(out);
            out.push(Action::Note(Note::GaveUp { name: Arc::clone(&self.name) }));
            self.end = (restarts == Restarts::Allowed).then(|| End::fatal(self.last));
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
            self.spawnerr = Some(match status {
                ExitStatus::Unknown => "Ended with unknown status".to_owned(),
                ExitStatus::Code(_) | ExitStatus::Signal { .. } => {
                    format!("Bad exit code {}", status.number())
                }
            });
        }
        self.enter(State::Exited, StateDetail::Exited { expected, pid }, out);
        out.push(Action::Note(Note::Exited { name: Arc::clone(&self.name), status, expected }));
        if restarts == Restarts::Forbidden {
            return;
        }
        if !self.comes_back(expected) {
            self.end = Some(End::exited(status));
            return;
        }
        let due = self.earliest_restart(now);
        match self.config.startlimit {
            Some(limit) if self.comebacks.are_too_many(due, limit) => self.came_back_too_often(limit, out),
            Some(_) | None => self.deadline = Some(due),
        }
    }

    /// It runs and dies and runs and dies: enough.
    fn came_back_too_often(&mut self, limit: StartLimit, out: &mut Outbox) {
        let StartLimit { restarts, within } = limit;
        let seconds = within.as_secs_f64();
        self.spawnerr = Some(format!("Restarted too often (startlimit={restarts}/{seconds})"));
        self.enter(State::Fatal, StateDetail::None, out);
        out.push(Action::Note(Note::RestartedTooOften { name: Arc::clone(&self.name), restarts, within }));
        self.end = Some(End::fatal(self.exit));
    }

    pub(super) fn comes_back(&self, expected: bool) -> bool {
        match self.config.autorestart {
            AutoRestart::Always => true,
            AutoRestart::Unexpected => !expected,
            AutoRestart::Never => false,
        }
    }

    /// The end of the pause after the last end, of the second after the last start, or now.
    pub(super) fn earliest_restart(&self, now: Now) -> Mono {
        let rested = self.stopped.map_or(now.mono, |stopped| stopped.mono + self.config.restartpause);
        self.paced(rested.max(now.mono))
    }

    /// How long the next attempt waits for the failures so far.
    pub(super) fn retry_wait(&self) -> Duration {
        retry_wait(&self.config.backoff, self.backoff, self.seed, self.id)
    }

    /// Never sooner than a second after the last start.
    pub(super) fn paced(&self, at: Mono) -> Mono {
        self.started.map_or(at, |started| at.max(started.mono + PACE))
    }

    /// What is to be told of this attempt, which is over, so far.
    fn life(&self, ended: Now) -> Life {
        let History { stopper, sent, killed, .. } = &*self.history;
        Life {
            pid: self.pid,
            started: self.started.unwrap_or(ended).wall,
            ended: ended.wall,
            status: None,
            expected: false,
            too_quick: false,
            failure: None,
            clue: None,
            stopped: stopper.clone(),
            killed: *killed,
            sent: sent.clone(),
            then: Then::Nothing,
        }
    }

    /// What comes of an end, now that the state says so.
    fn what_follows(&self, attempts: u32, next: Option<ChildId>) -> Then {
        match self.state {
            State::Backoff => Then::Retry,
            State::Exited if next.is_some() || self.deadline.is_some() => Then::Restart,
            // It had run, and its end was one too many; or it never did, and may not be tried again.
            State::Fatal if self.exit.is_some() => Then::TooManyRestarts,
            State::Fatal if !self.config.startretries.allow(attempts) => Then::GivenUp(attempts),
            State::Stopped
            | State::Starting
            | State::Running
            | State::Stopping
            | State::Exited
            | State::Fatal
            | State::Unknown => Then::Nothing,
        }
    }

    pub(super) fn is_stopped(&mut self, out: &mut Outbox, pid: i32) {
        self.deadline = None;
        self.backoff = 0;
        self.enter(State::Stopped, StateDetail::Pid(pid), out);
    }

    pub(super) fn expects(&self, status: ExitStatus) -> bool {
        self.config.exitcodes.iter().any(|code| i32::from(*code) == status.number())
    }

    /// Whether an end is what the program was started for, however soon.
    fn is_success(&self, status: ExitStatus) -> bool {
        self.config.program_type == ProgramType::Oneshot && self.expects(status)
    }

    /// A program that was to do something and end has done so.
    pub(crate) fn has_done_its_work(&self) -> bool {
        self.state == State::Exited && self.exit.is_some_and(|status| self.is_success(status))
    }

    /// No child, and none to come by itself.
    pub(crate) fn is_down(&self) -> bool {
        self.state.is_stopped() && self.child.is_none() && self.deadline.is_none() && !self.returns
    }

    pub(super) fn patience(&self) -> Duration {
        seconds(self.config.stopwaitsecs)
    }

    pub(super) fn ask_to_stop(&mut self, out: &mut Outbox) {
        self.asked = true;
        self.kill(self.config.stopsignal, self.config.stopasgroup, out);
    }

    fn kill(&self, signal: i32, group: bool, out: &mut Outbox) {
        let Some(child) = self.child else { return };
        let target = if group { KillTarget::Group } else { KillTarget::Process };
        out.push(Action::Kill { child, signal, target });
    }

    pub(super) fn enter(&mut self, to: State, detail: StateDetail, out: &mut Outbox) {
        // Before anybody learns of the change: a listener that is about to go is told of nothing more, nor of that.
        if let Some(child) = self.hearer.take() {
            out.push(Action::MayHear { child, may: false });
        }
        // Before any signal goes out, or it would be taken for an end like any other.
        self.withdraw(out);
        let from = std::mem::replace(&mut self.state, to);
        debug_assert!(from.may_become(to), "{} may not go from {from:?} to {to:?}", self.name);
        let (process, group) = (Arc::clone(&self.name), Arc::clone(&self.group));
        out.push(Action::Publish(Event::ProcessState { process, group, from, to, detail }));
    }
}
