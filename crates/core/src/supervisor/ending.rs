//! How everything ends: because somebody asked, because of a signal, or for the sake of a program.
//!
//! In: the wish, or a process that is down for good. Out: the announcement, the stops in order (`order.rs`), and at last
//! [`Action::Finish`] with the exit status: 0 where somebody asked, else the status of the program that was the reason
//! (`essential`, `exit_on`). What is decided once stays decided: a shutdown overrides a restart and nothing else.

use std::sync::Arc;
use std::time::Duration;

use provost_config::{ExitOn, ProcessKind};

use crate::action::{Action, Ending, ReadFor};
use crate::ask::Until;
use crate::command::Fault;
use crate::event::{Event, Note, Reason, SignalEffect};
use crate::ids::ProcessId;
use crate::order;
use crate::process::{End, Outbox, State};
use crate::supervisor::{Mood, Supervisor};
use crate::time::Now;
use crate::timers::Timer;

/// How often a pending shutdown says whom it waits for (SPEC 3.8).
const DEATH_REPORT: Duration = Duration::from_secs(3);

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
const SIGUSR2: i32 = 12;
const SIGTERM: i32 = 15;

impl Supervisor {
    pub(super) fn signal(&mut self, now: Now, signal: i32, out: &mut Outbox) {
        let mut note = |effect| out.push(Action::Note(Note::SignalReceived { signal, effect }));
        match signal {
            SIGTERM | SIGINT | SIGQUIT => {
                note(SignalEffect::Exit);
                self.shut_down(now, Mood::Shutdown, out);
            }
            SIGHUP if self.mood == Mood::Shutdown => note(SignalEffect::RestartIgnored),
            SIGHUP => {
                note(SignalEffect::Restart);
                if self.mood == Mood::Running {
                    out.push(Action::ReadConfig { ask: None, purpose: ReadFor::Restart });
                }
            }
            SIGUSR2 => {
                note(SignalEffect::ReopenLogs);
                out.push(Action::ReopenLogs);
            }
            // SIGUSR1 kills Supervisor; here it is a signal that means nothing.
            _ => {}
        }
    }

    /// Stops everything, to exit or to start afresh. A shutdown overrides a restart, never the reverse.
    pub(super) fn shut_down(&mut self, now: Now, mood: Mood, out: &mut Outbox) {
        let begins = self.mood == Mood::Running;
        self.turn(mood, out);
        if begins {
            self.announce_the_end(now, out);
        }
    }

    pub(super) fn recall_ending(&mut self, now: Now, ending: Ending, out: &mut Outbox) {
        match ending {
            Ending::Exit { status } => {
                self.status = status;
                self.shut_down(now, Mood::Shutdown, out);
            }
            Ending::Renew => self.shut_down(now, Mood::Restarting, out),
        }
    }

    pub(super) fn turn(&mut self, mood: Mood, out: &mut Outbox) {
        if self.mood != Mood::Shutdown && self.mood != mood {
            self.mood = mood;
            out.push(Action::RememberEnding(self.ending()));
        }
    }

    /// Nothing has been asked to stop yet.
    pub(super) fn announce_the_end(&mut self, now: Now, out: &mut Outbox) {
        out.push(Action::Publish(Event::SupervisorStopping));
        // Whoever waits for a start waits in vain; whoever waits for a stop gets it.
        for id in self.asks.waited_for() {
            for wait in self.asks.take(id, |wait| wait.until != Until::Stopped) {
                self.finish_wait(wait, Err(Fault::ShuttingDown), out);
            }
        }
        self.give_up_updates(out);
        for ask in self.asks.waiting_for_main_log() {
            self.main_log_done(ask, Err(Fault::ShuttingDown), out);
        }
        for id in self.processes.keys().copied().collect::<Vec<_>>() {
            self.with(now, id, out, |process, _, out| {
                process.cancel_restart();
                process.withdraw(out);
            });
        }
    }

    /// While stopping: one wave after the other, each when nothing of the one before is left; then the end.
    pub(super) fn go_on_stopping(&mut self, now: Now, out: &mut Outbox) {
        if self.mood == Mood::Running || self.finished {
            return;
        }
        loop {
            let wave = order::wave_to_stop(&self.groups, &self.processes);
            if wave.is_empty() {
                break;
            }
            for id in &wave {
                if self.processes[id].state != State::Stopping {
                    self.with(now, *id, out, |process, _, out| process.shut_down(now, out));
                }
            }
            if !self.timers.is_set(Timer::DeathReport) {
                self.report_deaths(now, out);
            }
            // Giving up takes no time: the whole wave may be done already.
            if wave.iter().any(|id| !self.processes[id].state.is_stopped()) {
                return;
            }
        }
        self.finished = true;
        self.timers.set(Timer::DeathReport, None);
        out.push(Action::Finish(self.ending()));
    }

    fn ending(&self) -> Ending {
        match self.mood {
            Mood::Restarting => Ending::Renew,
            Mood::Running | Mood::Shutdown => Ending::Exit { status: self.status },
        }
    }

    pub(super) fn report_deaths(&mut self, now: Now, out: &mut Outbox) {
        // In the order of their addition, as with Supervisor.
        let names: Vec<_> = self
            .processes
            .values()
            .filter(|process| !process.state.is_stopped())
            .map(|process| Arc::clone(&process.name))
            .collect();
        if names.is_empty() {
            return;
        }
        out.push(Action::Note(Note::WaitingToDie { names }));
        self.timers.set(Timer::DeathReport, Some(now.mono + DEATH_REPORT));
    }

    // --- for a program's sake ---

    /// A process has ended for good by itself, or no longer is so: whether the supervisor ends with it. If so it has
    /// turned to its end, which the caller announces when whoever waits for the process has been answered.
    /// While everything stops, no process ends by itself.
    #[must_use]
    pub(super) fn has_ended(&mut self, id: ProcessId, end: Option<End>, out: &mut Outbox) -> bool {
        self.ends.retain(|other| *other != id);
        let Some(end) = end else { return false };
        self.ends.push(id);
        let Some((culprit, reason)) = self.reason_to_leave(id, end) else { return false };
        let process = &self.processes[&culprit];
        self.status = process.end.map_or(0, End::status);
        let name = Arc::clone(&process.name);
        out.push(Action::Note(Note::Leaving { name, reason, status: self.status }));
        self.turn(Mood::Shutdown, out);
        true
    }

    /// Why, and whose status is ours.
    fn reason_to_leave(&self, id: ProcessId, end: End) -> Option<(ProcessId, Reason)> {
        if self.processes[&id].config.essential {
            return Some((id, Reason::Essential));
        }
        match (self.exit_on, end) {
            (ExitOn::Fatal, End::Fatal { .. }) => Some((id, Reason::Fatal)),
            (ExitOn::Exited, _) => Some((id, Reason::Exited)),
            // Only an end by itself is a reason: a person who stops the last program may be about to start it again.
            (ExitOn::AllExited, _) if self.is_counted(id) && self.all_are_down() => {
                let counted = || self.ends.iter().copied().filter(|id| self.is_counted(*id));
                let failed = |id: &ProcessId| self.processes[id].end.is_some_and(|end| end.status() != 0);
                Some((counted().find(failed).unwrap_or(id), Reason::AllExited))
            }
            (ExitOn::None | ExitOn::Fatal | ExitOn::AllExited, _) => None,
        }
    }

    fn all_are_down(&self) -> bool {
        // Before everything has had its start, nothing can be over.
        self.begun && self.processes.values().all(|p| p.is_down() || !self.is_counted(p.id))
    }

    /// Event listeners serve the others: they are not what a supervisor is run for.
    fn is_counted(&self, id: ProcessId) -> bool {
        self.processes[&id].config.kind != ProcessKind::EventListener
    }

    /// Who was down for good under an earlier brain. It has seen to what follows from that.
    pub(super) fn recall_ends(&mut self) {
        let recalled = &self.recalled;
        let down = self.processes.values_mut().filter(|p| recalled.contains(&p.id) && p.end.is_none());
        let mut ends = Vec::new();
        for process in down {
            process.recall_end();
            if process.end.is_some() {
                // Older builds wrote down no numbers, and a start that came to nothing leaves no other trace of its time.
                let times = [process.started, process.stopped].into_iter().flatten();
                ends.push((process.end_number, times.map(|at| at.mono).max(), process.id));
            }
        }
        ends.sort();
        self.last_end = self.last_end.max(ends.last().and_then(|(number, ..)| *number).unwrap_or(0));
        self.ends.splice(..0, ends.into_iter().map(|(.., id)| id));
    }
}
