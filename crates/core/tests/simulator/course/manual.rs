//! What a process's configuration says, read once more: from the manual, and not from the code under test.
//!
//! Out: what must have been done by when, and what a later brain would have to know. "Must" needs no tolerance: a
//! supervisor that is told the time has to have done by the end of the step whatever was due.

use std::time::Duration;

use std::sync::Arc;

use provost_config::{AutoRestart, Curve, ProcessConfig, ProgramType, Retries};
use provost_core::{Due, ExitStatus, Memory, Mono, State};

use super::{Course, GRAIN, PACE};

/// Whether a running process has to be started again to have the new configuration.
pub(crate) fn takes_restart(old: &ProcessConfig, new: &ProcessConfig) -> bool {
    let told = ProcessConfig {
        priority: new.priority,
        autostart: new.autostart,
        autorestart: new.autorestart,
        startsecs: new.startsecs,
        startretries: new.startretries,
        restartpause: new.restartpause,
        backoff: new.backoff,
        startlimit: new.startlimit,
        essential: new.essential,
        program_type: new.program_type,
        exitcodes: new.exitcodes.clone(),
        stopsignal: new.stopsignal,
        stopwaitsecs: new.stopwaitsecs,
        stopasgroup: new.stopasgroup,
        killasgroup: new.killasgroup,
        ..old.clone()
    };
    told != *new
}

impl Course {
    /// It goes on with another configuration.
    pub(crate) fn goes_on_with(&mut self, config: Arc<ProcessConfig>) {
        // By another limit, of which older ones fell out.
        self.is_recounted |= self.config.startlimit != config.startlimit;
        self.config = config;
    }

    /// When at the latest the supervisor has to look after it by itself, and what is wrong if it has not.
    pub(crate) fn due(&self, all_stop: bool) -> Option<(Mono, &'static str)> {
        match self.state {
            State::Starting => {
                self.timed().map(|born| (born + self.startsecs(), "has stayed up, and is not RUNNING"))
            }
            State::Backoff if !all_stop => {
                let latest = || Some(self.paced(self.failed? + self.wait().1) + GRAIN);
                Some((self.promised.or_else(latest)?, "was forgotten in BACKOFF"))
            }
            State::Exited if !all_stop && self.pending => {
                let at = || Some(self.paced(self.ended? + self.decided.restartpause));
                Some((self.promised.or_else(at)?, "should have come back"))
            }
            State::Stopping => self.kill_due.map(|due| (due, "does not stop, and is not killed")),
            State::Stopped
            | State::Running
            | State::Backoff
            | State::Exited
            | State::Fatal
            | State::Unknown => None,
        }
    }

    /// What is wrong with it, whatever the time.
    pub(crate) fn is_amiss(&self) -> Option<&'static str> {
        match self.state {
            State::Backoff if !self.may_retry() && !self.is_pardoned => Some("should have given up"),
            State::Stopping if self.kill_due.is_none() => Some("is STOPPING, and has got no signal"),
            _ => None,
        }
    }

    /// What a later brain would have to know of it now.
    pub(crate) fn is_remembered(&self, now: Mono, memory: Option<&Memory>, all_stop: bool) -> bool {
        let Some(memory) = memory else { return self.state == State::Stopped && self.started.is_none() };
        let exit = match self.state {
            State::Exited => memory.exit == self.last,
            State::Starting | State::Running | State::Backoff => memory.exit.is_none(),
            State::Stopped | State::Stopping | State::Fatal | State::Unknown => true,
        };
        let counted = self.config.startlimit.map_or(0, |limit| limit.restarts.into());
        // It may have been another limit once.
        let restarts = self.restarts.ends_with(&memory.restarts)
            && (self.is_recounted || memory.restarts.len() >= self.restarts.len().min(counted));
        let returns = self.wanted_back && !all_stop && matches!(self.state, State::Stopping | State::Stopped);
        exit && memory.state == self.state
            && memory.backoff == self.failures
            && memory.last == self.last
            && restarts
            && memory.returns == returns
            && memory.restarted == self.restarted
            && memory.stopped.map(|at| at.mono) == self.ended
            && self.started.is_none_or(|at| memory.started.is_some_and(|known| known.mono == at))
            && self.is_due(now, memory.due, all_stop)
            && memory.asked == (self.state == State::Stopping)
            && self.told.is_in(&memory.history)
    }

    /// Whether this is when it has to be looked after again.
    fn is_due(&self, now: Mono, due: Due, all_stop: bool) -> bool {
        let at = match due {
            Due::At(at) => Some(at),
            Due::Never => None,
            Due::Unknown => return false,
        };
        match self.state {
            // Nothing comes back any more, whether it has been told or not.
            State::Backoff if all_stop => true,
            State::Exited if self.pending && all_stop => true,
            State::Starting => at == self.timed().map(|born| born + self.startsecs()),
            State::Stopping => at == self.kill_due,
            State::Backoff => match (self.promised, self.failed) {
                (Some(promised), _) => at == Some(promised),
                (None, Some(failed)) => at.is_some_and(|at| {
                    let (least, most) = self.wait();
                    self.paced(failed + least) <= at + GRAIN && at <= self.paced(failed + most) + GRAIN
                }),
                (None, None) => false,
            },
            State::Exited if self.pending && self.promised.is_some() => at == self.promised,
            // News that came late make it later.
            State::Exited if self.pending => {
                let earliest = self.ended.map(|ended| self.paced(ended + self.decided.restartpause));
                at.zip(earliest).is_some_and(|(at, earliest)| earliest <= at && at <= earliest.max(now))
            }
            State::Exited | State::Stopped | State::Running | State::Fatal | State::Unknown => at.is_none(),
        }
    }

    fn paced(&self, at: Mono) -> Mono {
        self.started.map_or(at, |started| at.max(started + PACE))
    }

    // --- the manual ---

    /// Since when the child has been there that may become RUNNING.
    fn timed(&self) -> Option<Mono> {
        self.born.filter(|_| !self.awaits_heir)
    }

    pub(super) fn startsecs(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.config.startsecs).unwrap_or(0))
    }

    pub(super) fn expects(&self, status: ExitStatus) -> bool {
        matches!(status, ExitStatus::Code(code) if self.config.exitcodes.iter().any(|c| i32::from(*c) == code))
    }

    pub(super) fn comes_back(&self, expected: bool) -> bool {
        match self.config.autorestart {
            AutoRestart::Always => true,
            AutoRestart::Unexpected => !expected,
            AutoRestart::Never => false,
        }
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Stopped | State::Exited | State::Fatal)
    }

    /// Nothing is left of it that would be taken for the child of whoever comes under its name.
    pub(crate) fn may_go(&self) -> bool {
        self.is_at_rest() && self.remains.is_none()
    }

    pub(crate) fn is_job(&self) -> bool {
        self.config.program_type == ProgramType::Oneshot
    }

    /// A job whose child ended with an expected code.
    pub(crate) fn has_done_its_work(&self) -> bool {
        self.is_job() && self.lived && self.last.is_some_and(|status| self.expects(status))
    }

    pub(super) fn may_retry(&self) -> bool {
        match self.decided.startretries {
            Retries::Limit(n) => i64::from(self.failures) <= n.max(0),
            Retries::Infinite => true,
        }
    }

    /// The shortest and the longest wait after the last failure.
    pub(super) fn wait(&self) -> (Duration, Duration) {
        let backoff = self.decided.backoff;
        let seconds = match backoff.curve {
            Curve::Linear => f64::from(self.failures),
            Curve::Exponential if self.failures == 0 => 0.0,
            Curve::Exponential => 2f64.powi(i32::try_from(self.failures).unwrap_or(i32::MAX) - 1),
            Curve::Constant => 1.0,
        };
        let cap = backoff.most.unwrap_or(Duration::from_secs(24 * 60 * 60));
        let jitter = f64::from(backoff.jitter.thousandths) / 1000.0;
        let base = seconds.min(cap.as_secs_f64());
        let least = Duration::from_secs_f64(base * (1.0 - jitter));
        (least, Duration::from_secs_f64(base * (1.0 + jitter)).min(cap))
    }
}
