//! The rules that a program's restart policies make: when it may come back, when it has to give up, and whose end is
//! the end of everything, with which status.
//!
//! In: what the supervisor wants and publishes, and what the world did. Out: a verdict; `Ok` may name something
//! worth counting. The waits are computed here once more, from the manual and not from the code under test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use provost_config::{AutoRestart, Curve, ExitOn, ProcessKind, ProgramType, Retries};
use provost_core::{Ending, ExitStatus, Mono, ProcessConfig, State, StateDetail};

use crate::referee::as_resumed;

/// Group and process.
pub(crate) type Who = (String, String);
type Verdict = Result<Option<&'static str>, String>;

const PACE: Duration = Duration::from_secs(1);
/// What rounding may do.
const GRAIN: Duration = Duration::from_micros(1);

/// The course of one process, since a person or the supervisor's beginning started it.
#[derive(Debug)]
struct Course {
    config: Arc<ProcessConfig>,
    state: State,
    /// Unknown after the death of a brain.
    started: Option<Mono>,
    attempts: i64,
    /// When the last attempt failed, and how many had by then.
    failed: Option<(Mono, u32)>,
    exited: Option<Mono>,
    /// When the last child ended; the news of it may have come later.
    ended: Option<Mono>,
    /// A brain has died since then: a restart that a person cancelled is due again, at once.
    resumed: bool,
    /// How the last child ended, and whether that was the child of this attempt.
    last: Option<ExitStatus>,
    has_lived: bool,
    restarts: Vec<Mono>,
    /// It ended, and its policy wants it back; and nobody has objected.
    returns: bool,
    pending: bool,
    end: Option<End>,
}

/// Down for good, by itself.
#[derive(Debug, Clone, Copy)]
struct End {
    status: u8,
    /// Whether a later brain can know that status.
    is_written_down: bool,
    order: u64,
}

#[derive(Debug)]
pub(crate) struct Policies {
    exit_on: ExitOn,
    courses: BTreeMap<Who, Course>,
    /// Everything has to end with one of these statuses.
    over: Option<Vec<u8>>,
    ends: u64,
    /// Brains have died: of ends at about the same time nobody knows the order.
    order_is_vague: bool,
}

impl Default for Policies {
    fn default() -> Self {
        Policies::new(ExitOn::None)
    }
}

impl Policies {
    pub(crate) fn new(exit_on: ExitOn) -> Policies {
        Policies { exit_on, courses: BTreeMap::new(), over: None, ends: 0, order_is_vague: false }
    }

    /// A program has ended whose end is everybody's.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    pub(crate) fn is_job(&self, who: &Who) -> bool {
        self.courses.get(who).is_some_and(|course| course.config.program_type == ProgramType::Oneshot)
    }

    pub(crate) fn child_ended(&mut self, who: &Who, status: ExitStatus, at: Mono) {
        if let Some(course) = self.courses.get_mut(who) {
            (course.last, course.has_lived, course.ended) = (Some(status), true, Some(at));
        }
    }

    pub(crate) fn restart_cancelled(&mut self, who: &Who) {
        if let Some(course) = self.courses.get_mut(who) {
            course.pending = false;
        }
    }

    pub(crate) fn group_removed(&mut self, group: &str) {
        self.courses.retain(|(g, _), _| g != group);
    }

    /// What only the old brain knew no longer counts.
    pub(crate) fn brain_died(&mut self, lives: impl Fn(&Who) -> bool) {
        self.order_is_vague = true;
        for (who, course) in &mut self.courses {
            course.state = as_resumed(course.state, lives(who));
            (course.started, course.failed, course.last) = (None, None, None);
            (course.attempts, course.resumed) = (0, true);
            course.restarts.clear();
            course.pending = course.returns;
            if let Some(end) = course.end.as_mut().filter(|end| !end.is_written_down) {
                end.status = 1;
            }
        }
    }

    /// A child is wanted. STARTING was published just before.
    pub(crate) fn spawned(
        &mut self,
        now: Mono,
        who: &Who,
        config: &Arc<ProcessConfig>,
        by_hand: bool,
    ) -> Verdict {
        let fresh = || Course {
            config: Arc::clone(config),
            state: State::Stopped,
            started: None,
            attempts: 0,
            failed: None,
            exited: None,
            ended: None,
            resumed: false,
            last: None,
            has_lived: false,
            restarts: Vec::new(),
            returns: false,
            pending: false,
            end: None,
        };
        let course = self.courses.entry(who.clone()).or_insert_with(fresh);
        let from = std::mem::replace(&mut course.state, State::Starting);
        let verdict = match from {
            State::Exited if !by_hand => course.comes_back(now),
            State::Backoff => course.tries_again(now),
            _ => {
                *course = Course { state: State::Starting, ..fresh() };
                Ok(None)
            }
        };
        (course.end, course.returns, course.pending) = (None, false, false);
        course.attempts += 1;
        course.has_lived = false;
        course.started = Some(now);
        let retried_too_often = match config.startretries {
            Retries::Limit(n) => course.attempts > n.max(0) + 1,
            Retries::Infinite => false,
        };
        match verdict {
            Ok(_) if retried_too_often => Err(format!("{who:?} was retried beyond its limit")),
            Ok(None) if course.attempts > 4 => Ok(Some("more than three retries")),
            verdict => verdict.map_err(|rule| format!("{who:?} {rule}")),
        }
    }

    /// The keeper has put a child in the place of one that has ended, at this time. STARTING was published just before.
    pub(crate) fn relaunched(&mut self, at: Mono, who: &Who) -> Verdict {
        let Some(config) = self.courses.get(who).map(|course| Arc::clone(&course.config)) else {
            return Ok(None);
        };
        self.spawned(at, who, &config, false)
    }

    /// A state event, before the end has begun.
    pub(crate) fn changed(
        &mut self,
        now: Mono,
        who: &Who,
        (from, to): (State, State),
        detail: StateDetail,
    ) -> Verdict {
        let Some(course) = self.courses.get_mut(who) else { return Ok(None) };
        if to == State::Starting {
            // It is judged when the child is wanted, by the state it comes from.
            course.state = from;
            return Ok(None);
        }
        let before = std::mem::replace(&mut course.state, to);
        match (to, detail) {
            (State::Running, _) => course.attempts = 0,
            (State::Backoff, _) if course.has_done_its_work() => {
                return Err(format!("{who:?} has done its work, and is said to have failed"));
            }
            (State::Backoff, StateDetail::Tries(n)) => course.failed = Some((now, n)),
            (State::Exited, StateDetail::Exited { expected, .. }) => {
                (course.exited, course.resumed) = (course.ended.or(Some(now)), false);
                course.returns = match course.config.autorestart {
                    AutoRestart::Always => true,
                    AutoRestart::Unexpected => !expected,
                    AutoRestart::Never => false,
                };
                course.pending = course.returns;
                if !course.returns {
                    let status = course.last.map_or(1, as_status);
                    return self.ends(who, status, true);
                }
                let quick = course.started.is_some_and(|at| now.since(at) < Duration::from_millis(900));
                return Ok((quick && self.is_job(who)).then_some("job done at once"));
            }
            (State::Fatal, _) => {
                (course.returns, course.pending) = (false, false);
                let seen = course.may_give_up(now, before).map_err(|rule| format!("{who:?} {rule}"))?;
                let status = course.last.map_or(1, as_status).max(1);
                return self.ends(who, status, before == State::Exited).map(|end| end.or(seen));
            }
            _ => {}
        }
        Ok(None)
    }

    /// A state event while everything stops.
    pub(crate) fn changed_while_stopping(&mut self, who: &Who, from: State, to: State) -> Verdict {
        if let Some(course) = self.courses.get_mut(who) {
            course.state = to;
        }
        match (from, to) {
            (State::Exited, State::Fatal) => Err(format!("{who:?} gave up while everything stops")),
            _ => Ok(None),
        }
    }

    fn ends(&mut self, who: &Who, status: u8, is_written_down: bool) -> Verdict {
        self.ends += 1;
        let end = End { status, is_written_down, order: self.ends };
        let course = self.courses.get_mut(who).expect("it has just been found");
        course.end = Some(end);
        let (fatal, job) = (course.state == State::Fatal, course.config.program_type == ProgramType::Oneshot);
        if self.over.is_some() {
            return Err(format!("{who:?} ended after the end of everything, which was not announced"));
        }
        if course.config.essential {
            self.over = Some(vec![status]);
            return Ok(Some("end for an essential program"));
        }
        let counted = course.config.kind != ProcessKind::EventListener;
        self.over = match self.exit_on {
            ExitOn::Fatal if fatal => Some(vec![status]),
            ExitOn::Exited => Some(vec![status]),
            ExitOn::AllExited if counted && self.all_are_down() => Some(self.statuses_of_all()),
            ExitOn::None | ExitOn::Fatal | ExitOn::AllExited => None,
        };
        match (&self.over, fatal) {
            (Some(_), _) => Ok(Some("end by exit_on")),
            (None, false) if job && status == 0 => Ok(Some("job done at once")),
            (None, _) => Ok(None),
        }
    }

    fn counted(&self) -> impl Iterator<Item = &Course> {
        self.courses.values().filter(|course| course.config.kind != ProcessKind::EventListener)
    }

    fn all_are_down(&self) -> bool {
        self.counted().all(|course| match course.state {
            State::Stopped | State::Fatal => true,
            State::Exited => !course.pending,
            State::Starting | State::Running | State::Backoff | State::Stopping | State::Unknown => false,
        })
    }

    /// The first failure decides.
    fn statuses_of_all(&self) -> Vec<u8> {
        let mut ends: Vec<End> = self.counted().filter_map(|course| course.end).collect();
        ends.sort_by_key(|end| end.order);
        let failures: Vec<u8> = ends.iter().map(|end| end.status).filter(|status| *status != 0).collect();
        match (failures.is_empty(), self.order_is_vague) {
            (true, _) => vec![0],
            (false, true) => failures,
            (false, false) => failures[..1].to_vec(),
        }
    }

    pub(crate) fn finished(&self, ending: Ending) -> Verdict {
        match (&self.over, ending) {
            (None, Ending::Renew | Ending::Exit { status: 0 }) => Ok(None),
            (Some(allowed), Ending::Exit { status }) if allowed.contains(&status) => Ok(None),
            (over, ending) => Err(format!("the end is {ending:?}, with {over:?} to be expected")),
        }
    }
}

impl Course {
    /// An automatic restart after an exit.
    fn comes_back(&mut self, now: Mono) -> Verdict {
        self.keeps_the_pace(now)?;
        if !self.pending {
            return Err("was restarted, which nobody wanted".to_owned());
        }
        let pause = self.config.restartpause;
        let rested = self.exited.map_or(pause, |at| now.since(at));
        if rested < pause || (rested > pause.max(PACE) && !self.resumed) {
            return Err(format!("was restarted {rested:?} after its end, with a pause of {pause:?}"));
        }
        self.restarts.push(now);
        if let Some(limit) = self.config.startlimit {
            let n = usize::from(limit.restarts);
            let before = self.restarts.len().checked_sub(n + 1).map(|at| self.restarts[at]);
            if before.is_some_and(|before| now.since(before) < limit.within) {
                return Err(format!("was restarted more than {n} times within {:?}", limit.within));
            }
        }
        Ok((!pause.is_zero()).then_some("paused"))
    }

    /// A retry after a failed attempt.
    fn tries_again(&mut self, now: Mono) -> Verdict {
        self.keeps_the_pace(now)?;
        let Some((failed, tries)) = self.failed.take() else { return Ok(None) };
        let backoff = self.config.backoff;
        let seconds = match backoff.curve {
            Curve::Linear => f64::from(tries),
            Curve::Exponential => 2f64.powi(i32::try_from(tries).unwrap_or(i32::MAX) - 1),
            Curve::Constant => 1.0,
        };
        let cap = backoff.most.unwrap_or(Duration::from_secs(24 * 60 * 60));
        let jitter = f64::from(backoff.jitter.thousandths) / 1000.0;
        let base = seconds.min(cap.as_secs_f64());
        let least = Duration::from_secs_f64(base * (1.0 - jitter));
        let most = Duration::from_secs_f64(base * (1.0 + jitter)).min(cap).max(PACE);
        let waited = now.since(failed);
        if waited + GRAIN < least || waited > most + GRAIN {
            return Err(format!("was tried again after {waited:?}, with {least:?} to {most:?} allowed"));
        }
        Ok((backoff.curve != Curve::Linear).then_some("waited by curve"))
    }

    /// A job whose child ended with an expected code; in these worlds that is 0.
    fn has_done_its_work(&self) -> bool {
        self.config.program_type == ProgramType::Oneshot
            && self.has_lived
            && self.last == Some(ExitStatus::Code(0))
    }

    fn keeps_the_pace(&self, now: Mono) -> Result<(), String> {
        match self.started.map(|at| now.since(at)).filter(|since| *since < PACE) {
            Some(since) => Err(format!("was restarted {since:?} after its last start")),
            None => Ok(()),
        }
    }

    /// FATAL: one failure more than allowed, or one restart more.
    fn may_give_up(&self, now: Mono, from: State) -> Verdict {
        if from == State::Exited {
            let limit =
                self.config.startlimit.ok_or("may be restarted as often as it likes, but is FATAL")?;
            let n = usize::from(limit.restarts);
            let first = self.restarts.len().checked_sub(n).map(|at| self.restarts[at]);
            return match first.is_some_and(|at| now.since(at) < limit.within) {
                true => Ok(Some("restarted too often")),
                false => Err(format!("was restarted at {:?} and is FATAL too early", self.restarts)),
            };
        }
        let tries = self.failed.map_or(0, |(_, tries)| i64::from(tries));
        match self.config.startretries {
            Retries::Limit(n) if tries > n => Ok(None),
            limit => Err(format!("is FATAL after {tries} failures, with {limit:?}")),
        }
    }
}

fn as_status(status: ExitStatus) -> u8 {
    match status {
        ExitStatus::Code(code) => u8::try_from(code).expect("the world's children end with small codes"),
        ExitStatus::Signal { number, .. } => 128 + u8::try_from(number).expect("signals are small numbers"),
    }
}
