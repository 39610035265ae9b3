//! The course of one process, and the rules that its configuration makes for it: when it may start, come back, be
//! killed or give up. When it must, and what the manual says about it, is in `course/manual.rs`.
//!
//! In: what the world did to its child, and what the supervisor publishes. Out: a verdict.

mod manual;
mod told;

pub(crate) use manual::takes_restart;

use std::sync::Arc;
use std::time::Duration;

use provost_config::{Curve, ProcessConfig};
use provost_core::{ChildId, Due, ExitStatus, KillTarget, Memory, Mono, Now, State, StateDetail, Wall};

use crate::seen::Seen;
use told::Told;

pub(crate) type Verdict = Result<(), String>;

pub(crate) const PACE: Duration = Duration::from_secs(1);
/// What rounding may do.
const GRAIN: Duration = Duration::from_micros(1);
const SIGKILL: i32 = 9;

/// One process, since its group was added.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) config: Arc<ProcessConfig>,
    /// What it was when the last wait began: what has been decided stays decided.
    decided: Arc<ProcessConfig>,
    /// What it is to have, now or when its child has gone.
    pub(crate) next: Option<Arc<ProcessConfig>>,
    /// The keeper may have done what another configuration had promised, before it heard of this one.
    pub(crate) is_overtaken: bool,
    is_recounted: bool,
    /// An update wants it back when it is down.
    pub(crate) wanted_back: bool,
    pub(crate) group_priority: i64,
    pub(crate) state: State,
    /// The last wish for a child, or since when the child has been there.
    started: Option<Mono>,
    /// Since when the child has been there, once that is told.
    pub(crate) born: Option<Mono>,
    pub(crate) pid: Option<i32>,
    /// In a row.
    pub(crate) failures: u32,
    failed: Option<Mono>,
    pub(crate) ended: Option<Mono>,
    /// How the last child ended, since a person started the process; and whether that was the child of this attempt.
    pub(crate) last: Option<ExitStatus>,
    lived: bool,
    restarts: Vec<Mono>,
    /// How many of them since a person started it, over the deaths of brains.
    restarted: u32,
    /// When it is to be tried again: not earlier and not later, whichever brain that falls to.
    promised: Option<Mono>,
    /// It waits for another attempt, whatever its configuration says of that by now.
    is_pardoned: bool,
    /// Its child's end is a thing of the past, and the child that took its place is still to be told of.
    pub(crate) awaits_heir: bool,
    /// A new brain was told what it had been.
    pub(crate) is_recalled: bool,
    /// A dead brain had dealt with the end of its child, which is still to be let go.
    pub(crate) remains: Option<ChildId>,
    /// What it is instead, as its child never came to be; until that is told.
    bereft_as: Option<State>,
    /// It ended, and its policy wants it back.
    returns: bool,
    /// And nobody has objected.
    pub(crate) pending: bool,
    /// A stop has been accepted, and nobody has asked for a start since.
    pub(crate) kept_down: bool,
    pub(crate) end: Option<End>,
    /// When SIGKILL is due, once the child has been asked to stop.
    kill_due: Option<Mono>,
    kills: u32,
    /// What people have to be told of it.
    pub(crate) told: Told,
}

/// Down for good, by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) status: u8,
    pub(crate) order: u64,
}

/// Why a process may be STARTING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Hand,
    Autostart,
    /// An update had stopped it, or has changed it.
    Update,
    /// Another child has taken the place of the one that ended, at this time.
    Heir(Mono),
    None,
}

pub(crate) fn has_child(state: State) -> bool {
    matches!(state, State::Starting | State::Running | State::Stopping | State::Unknown)
}

impl Course {
    pub(crate) fn new(config: Arc<ProcessConfig>, group_priority: i64) -> Course {
        Course {
            decided: Arc::clone(&config),
            next: None,
            is_overtaken: false,
            is_recounted: false,
            wanted_back: false,
            config,
            group_priority,
            state: State::Stopped,
            started: None,
            born: None,
            pid: None,
            failures: 0,
            failed: None,
            ended: None,
            last: None,
            lived: false,
            restarts: Vec::new(),
            restarted: 0,
            promised: None,
            is_pardoned: false,
            awaits_heir: false,
            is_recalled: false,
            remains: None,
            bereft_as: None,
            returns: false,
            pending: false,
            kept_down: false,
            end: None,
            kill_due: None,
            kills: 0,
            told: Told::default(),
        }
    }

    /// As the next brain has to understand what the last one wrote down.
    pub(crate) fn resumes(&mut self, now: Mono, memory: Option<&Memory>, child: Option<Mono>) {
        let (kept_down, is_overtaken) = (self.kept_down, self.is_overtaken);
        *self = Course::new(Arc::clone(&self.config), self.group_priority);
        (self.kept_down, self.is_overtaken) = (kept_down, is_overtaken);
        (self.born, self.started) = (child, child);
        let Some(memory) = memory else {
            self.state = if child.is_some() { State::Running } else { State::Stopped };
            self.told.attempts = child.is_some().into();
            return;
        };
        self.is_recalled = true;
        (self.failures, self.last, self.ended) =
            (memory.backoff, memory.last, memory.stopped.map(|at| at.mono));
        self.restarts = memory.restarts.to_vec();
        self.restarted = memory.restarted;
        self.told = Told::recalled(&memory.history);
        self.state = memory.state;
        self.bereft_as = match (memory.state, child) {
            // A wish that died with the brain is taken up like a failed attempt.
            (State::Starting | State::Running, None) => Some(State::Backoff),
            (State::Stopping | State::Unknown, None) => Some(State::Stopped),
            _ => None,
        };
        self.wanted_back = memory.returns && matches!(self.state, State::Stopping | State::Stopped);
        self.returns = self.state == State::Exited
            && self.comes_back(memory.exit.is_some_and(|status| self.expects(status)));
        // It may have been decided by another configuration.
        self.returns |= self.state == State::Exited && matches!(memory.due, Due::At(_));
        self.pending = self.returns && memory.due != Due::Never;
        if child.is_none() || !has_child(self.state) {
            self.started = memory.started.map(|at| at.mono);
        }
        if self.state == State::Starting && self.ended.is_some_and(|at| child.is_some_and(|born| at > born)) {
            self.awaits_heir = true;
        }
        match (self.bereft_as.unwrap_or(self.state), memory.due) {
            // It is not asked a second time.
            (State::Stopping, Due::At(at)) if memory.asked => self.kill_due = Some(at),
            // Another configuration may have decided that.
            (State::Backoff, Due::At(at)) => (self.promised, self.is_pardoned) = (Some(at), true),
            (State::Exited, Due::At(at)) => self.promised = Some(at),
            (State::Backoff, Due::Never | Due::Unknown) => {
                self.promised = self.started.map(|at| now.max(at + PACE));
                self.is_pardoned = true;
            }
            _ => {}
        }
    }

    /// Whether this is what a death has made of it.
    pub(crate) fn is_bereft_as(&mut self, to: State, detail: StateDetail) -> bool {
        let is_as_said = match detail {
            StateDetail::Tries(tries) => tries == self.failures,
            StateDetail::Pid(pid) => pid == 0,
            StateDetail::Exited { .. } | StateDetail::None => false,
        };
        is_as_said && self.bereft_as.take_if(|state| *state == to).is_some()
    }

    // --- what the world did ---

    pub(crate) fn is_born(&mut self, pid: i32, at: Mono) {
        (self.born, self.started, self.pid) = (Some(at), Some(at), Some(pid));
    }

    /// Whose start has been announced by an earlier brain.
    pub(crate) fn has_an_heir(&mut self, now: Mono) {
        (self.started, self.born, self.pid) = (Some(now), None, None);
    }

    pub(crate) fn has_died(&mut self, status: ExitStatus, at: Now) {
        (self.last, self.ended, self.lived) = (Some(status), Some(at.mono), true);
        self.told.ends(self.pid, Some(status), at.wall);
    }

    pub(crate) fn could_not_be(&mut self, at: Wall) {
        self.told.ends(None, None, at);
    }

    // --- starts ---

    /// STARTING, with so many failures behind it.
    pub(crate) fn starts(&mut self, now: Mono, cause: Cause, tries: u32, seen: &mut Seen) -> Verdict {
        let at = if let Cause::Heir(at) = cause { at } else { now };
        if self.kept_down && !matches!(cause, Cause::Hand | Cause::Update) {
            return Err("was stopped, and is started again".to_owned());
        }
        match (cause, self.state) {
            (Cause::Hand, _)
            | (Cause::Autostart, State::Stopped)
            | (Cause::Update, State::Stopped | State::Exited | State::Fatal) => {
                self.failures = 0;
                self.restarts.clear();
                self.restarted = 0;
                self.last = None;
                self.kept_down = false;
            }
            // It was UNKNOWN for a person's signal, and nobody wanted it stopped.
            (Cause::Heir(_), State::Stopped) => self.comes_again(),
            (Cause::Heir(_), State::Exited) if self.is_overtaken => {
                seen.saw("a keeper that was quicker than an update");
                self.comes_again();
            }
            (Cause::Heir(_) | Cause::None, State::Exited) => {
                self.may_come_back(at, seen)?;
                self.comes_again();
            }
            (Cause::None, State::Backoff) => self.may_try_again(now, seen)?,
            _ => return Err(format!("was started from {:?}, and nobody asked", self.state)),
        }
        if tries != self.failures {
            return Err(format!("starts with {tries} failures behind it, but had {}", self.failures));
        }
        (self.started, self.born, self.pid, self.lived) = (Some(now), None, None, false);
        (self.returns, self.pending, self.end, self.promised) = (false, false, None, None);
        self.told.begins();
        self.told.stopper = None;
        (self.wanted_back, self.is_overtaken) = (false, false);
        Ok(())
    }

    fn comes_again(&mut self) {
        self.restarted += 1;
        self.told.restarts += 1;
    }

    /// A limit that is raised later knows of no more of them than the one before it.
    fn count_no_more_than_needed(&mut self) {
        let needed = self.config.startlimit.map_or(usize::MAX, |limit| limit.restarts.into());
        self.restarts.drain(..self.restarts.len().saturating_sub(needed));
    }

    /// An automatic restart after an exit.
    fn may_come_back(&mut self, now: Mono, seen: &mut Seen) -> Verdict {
        self.keeps_the_pace(now)?;
        if !self.pending {
            return Err("was restarted, which nobody wanted".to_owned());
        }
        let pause = self.decided.restartpause;
        let rested = self.ended.map_or(pause, |at| now.since(at));
        if let Some(due) = self.promised {
            self.restarts.extend(self.config.startlimit.map(|_| now));
            self.count_no_more_than_needed();
            return match now < due {
                true => Err(format!("came back {:?} too early", due.since(now))),
                false => Ok(()),
            };
        }
        if rested < pause {
            return Err(format!("was restarted {rested:?} after its end, with a pause of {pause:?}"));
        }
        // They are counted only where there is a limit.
        if self.config.startlimit.is_some() {
            self.restarts.push(now);
        }
        if let (Some(limit), Some(_)) = (self.decided.startlimit, self.config.startlimit) {
            let n = usize::from(limit.restarts);
            let before = self.restarts.len().checked_sub(n + 1).map(|at| self.restarts[at]);
            if before.is_some_and(|before| now.since(before) < limit.within) {
                return Err(format!("was restarted more than {n} times within {:?}", limit.within));
            }
        }
        self.count_no_more_than_needed();
        if !pause.is_zero() {
            seen.saw("a pause");
        }
        Ok(())
    }

    /// A retry after a failed attempt.
    fn may_try_again(&mut self, now: Mono, seen: &mut Seen) -> Verdict {
        self.keeps_the_pace(now)?;
        if !self.may_retry() && !self.is_pardoned {
            return Err("was retried beyond its limit".to_owned());
        }
        let (least, most) = self.wait();
        if let Some(waited) = self.failed.map(|at| now.since(at))
            && waited + GRAIN < least
        {
            return Err(format!("was tried again after {waited:?}, with {least:?} to {most:?} allowed"));
        }
        if let Some(due) = self.promised.filter(|due| now < *due) {
            return Err(format!("was tried again {:?} too early", due.since(now)));
        }
        if self.decided.backoff.curve != Curve::Linear {
            seen.saw("a wait by another curve");
        }
        if self.failures > 3 {
            seen.saw("more than three retries");
        }
        Ok(())
    }

    fn keeps_the_pace(&self, now: Mono) -> Verdict {
        match self.started.map(|at| now.since(at)).filter(|since| *since < PACE) {
            Some(since) => Err(format!("was restarted {since:?} after its last start")),
            None => Ok(()),
        }
    }

    // --- what becomes of it ---

    pub(crate) fn runs(&self, now: Mono, pid: i32) -> Verdict {
        let Some(born) = self.born else { return Err("is RUNNING without a child".to_owned()) };
        if self.kept_down {
            return Err("was stopped, and runs again".to_owned());
        }
        let until = if self.lived { self.ended.unwrap_or(now) } else { now };
        if until.since(born) < self.startsecs() && !self.has_done_its_work() {
            return Err(format!("is RUNNING {:?} after its start", until.since(born)));
        }
        self.has_pid(pid)
    }

    /// BACKOFF: because its child could not be, or ended too soon.
    pub(crate) fn fails(&mut self, now: Mono, tries: u32, could_not_be: bool) -> Verdict {
        let too_soon = match (self.lived, self.born, self.ended) {
            (true, Some(born), Some(ended)) => ended.since(born) < self.startsecs(),
            _ => false,
        };
        if !could_not_be && (!too_soon || self.has_done_its_work()) {
            return Err("has not failed, and is said to have".to_owned());
        }
        self.failures += 1;
        self.decided = Arc::clone(&self.config);
        (self.failed, self.promised, self.is_pardoned) = (Some(now), None, false);
        match tries == self.failures {
            true => Ok(()),
            false => Err(format!("has failed {} times in a row, and {tries} are said", self.failures)),
        }
    }

    pub(crate) fn exits(&mut self, expected: bool, pid: i32, has_heir: bool) -> Verdict {
        let Some(status) = self.last.filter(|_| self.lived) else {
            return Err("is EXITED, and its child is not".to_owned());
        };
        if expected != self.expects(status) {
            return Err(format!("ended with {status:?}, which is said to be expected: {expected}"));
        }
        self.decided = Arc::clone(&self.config);
        self.promised = None;
        self.returns = self.comes_back(expected) || (has_heir && self.is_overtaken);
        self.pending = self.returns;
        self.has_pid(pid)
    }

    pub(crate) fn stops(&mut self, pid: i32) -> Verdict {
        (self.kill_due, self.kills) = (None, 0);
        self.has_pid(pid)
    }

    /// FATAL: one failure more than allowed, or one restart more.
    pub(crate) fn gives_up(&mut self, now: Mono, seen: &mut Seen) -> Verdict {
        (self.returns, self.pending) = (false, false);
        if self.state == State::Exited {
            let limit =
                self.config.startlimit.ok_or("may be restarted as often as it likes, but is FATAL")?;
            let n = usize::from(limit.restarts);
            let first = self.restarts.len().checked_sub(n).map(|at| self.restarts[at]);
            if first.is_none_or(|at| now.since(at) >= limit.within) {
                return Err(format!("was restarted at {:?} and is FATAL too early", self.restarts));
            }
            seen.saw("restarted too often");
        } else if self.may_retry() {
            return Err(format!(
                "is FATAL after {} failures, with {:?}",
                self.failures, self.config.startretries
            ));
        }
        Ok(())
    }

    fn has_pid(&self, pid: i32) -> Verdict {
        match pid == self.pid.unwrap_or(0) {
            true => Ok(()),
            false => Err(format!("has pid {:?}, and {pid} is told", self.pid)),
        }
    }

    // --- stops ---

    /// Another child has taken the place of the one that was to stop, and has not been asked yet.
    pub(crate) fn is_replaced(&mut self) {
        (self.kill_due, self.kills) = (None, 0);
        (self.born, self.pid, self.lived) = (None, None, false);
        self.told.begins();
    }

    /// A signal that ends it: the stop signal once, and SIGKILL whenever patience is over.
    pub(crate) fn is_killed(
        &mut self,
        now: Mono,
        signal: i32,
        target: KillTarget,
        seen: &mut Seen,
    ) -> Verdict {
        let patience = Duration::from_secs(u64::try_from(self.config.stopwaitsecs).unwrap_or(0));
        let group = |is_group: bool| if is_group { KillTarget::Group } else { KillTarget::Process };
        let (wanted, wait) = match self.kill_due {
            None => ((self.config.stopsignal, group(self.config.stopasgroup)), patience),
            Some(due) if now < due => return Err("was killed before its time".to_owned()),
            Some(_) => {
                self.kills += 1;
                self.told.killed = true;
                ((SIGKILL, group(self.config.killasgroup)), patience.max(PACE))
            }
        };
        if self.kills > 1 {
            seen.saw("SIGKILL again");
        }
        self.kill_due = Some(now + wait);
        match (signal, target) == wanted {
            true => Ok(()),
            false => Err(format!("got signal {signal} for {target:?}, and {wanted:?} was due")),
        }
    }
}
