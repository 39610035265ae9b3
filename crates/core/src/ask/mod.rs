//! Who waits for what: every accepted command is a job, every process it concerns a wait.
//!
//! A wait is looked at whenever its process has moved; when it knows its result it leaves, and when a job
//! has no wait left it is answered. Nothing else answers a job, so each is answered exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_config::changes::Fate;

use crate::command::{Fault, LogDeed, MAIN_LOG, Reply, StatusEntry, UpdatedProcess};
use crate::history::By;
use crate::ids::{AskId, ProcessId};
use crate::process::{Process, State};

/// What a wait is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The answer whether the program could be started; then a start follows.
    Resolved { wait: bool },
    /// This has been done to its log files.
    LogsDone(LogDeed),
    /// What it is sent has been written, or refused.
    StdinSent,
    /// A child, or the news that there is none.
    Launched,
    /// RUNNING, or a failure.
    Started,
    /// No child any more.
    Stopped,
    /// The same, and then its turn to be started.
    StoppedFirst { wait: bool },
    /// That an update has done with it: it is there again, or stays down.
    Returned,
    /// That all the others of the job are down, too.
    Turn { wait: bool },
}

/// One process that a job waits for.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) ask: AskId,
    /// The process as the caller wrote it, for faults.
    pub(crate) given: String,
    pub(crate) name: Arc<str>,
    pub(crate) group: Arc<str>,
    pub(crate) until: Until,
}

impl Wait {
    /// Whether its process has been asked to stop.
    pub(crate) fn is_stop(&self) -> bool {
        self.until == Until::Stopped || self.is_to_stop()
    }

    fn is_turn(&self) -> bool {
        matches!(self.until, Until::Turn { .. })
    }

    fn is_to_stop(&self) -> bool {
        matches!(self.until, Until::StoppedFirst { .. })
    }
}

/// How a job is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `Done` or a fault.
    One,
    /// A list, in order of completion.
    Many,
    /// A list, in which everybody (group and process) has a place.
    Placed(BTreeMap<(Arc<str>, Arc<str>), usize>),
    /// A list in this order, of all processes; those that nobody waits for are well.
    Update { group: Arc<str>, fates: Vec<(Arc<str>, Fate, bool)> },
}

#[derive(Debug)]
struct Job {
    /// Whose it is.
    by: Arc<By>,
    shape: Shape,
    open: usize,
    /// How many of them a restart has yet to see down.
    to_stop: usize,
    /// How many of them wait for that.
    turns: usize,
    /// While the job is still being built it must not be answered.
    building: bool,
    results: Vec<StatusEntry>,
}

impl Job {
    fn is_turn(&self) -> bool {
        self.turns > 0 && self.to_stop == 0
    }
}

#[derive(Debug, Default)]
pub(crate) struct Asks {
    jobs: BTreeMap<AskId, Job>,
    /// The jobs that wait for the main log.
    main_log: Vec<AskId>,
    waits: BTreeMap<ProcessId, Vec<Wait>>,
}

impl Asks {
    pub(crate) fn open(&mut self, ask: AskId, by: &Arc<By>, shape: Shape) {
        let (by, results) = (Arc::clone(by), Vec::new());
        self.jobs.insert(ask, Job { by, shape, open: 0, to_stop: 0, turns: 0, building: true, results });
    }

    /// Who asked.
    pub(crate) fn by(&self, ask: AskId) -> Option<Arc<By>> {
        self.jobs.get(&ask).map(|job| Arc::clone(&job.by))
    }

    /// All waits of the job have been added: the answer, if none is left.
    #[must_use]
    pub(crate) fn built(&mut self, ask: AskId) -> Option<Reply> {
        self.jobs.get_mut(&ask)?.building = false;
        self.answer(ask)
    }

    pub(crate) fn wait(&mut self, process: ProcessId, wait: Wait) {
        if let Some(job) = self.jobs.get_mut(&wait.ask) {
            job.open += 1;
            job.to_stop += usize::from(wait.is_to_stop());
            job.turns += usize::from(wait.is_turn());
            self.waits.entry(process).or_default().push(wait);
        }
    }

    /// Puts a wait back that goes on waiting, for the same thing or the next.
    pub(crate) fn keep(&mut self, process: ProcessId, wait: Wait) {
        self.waits.entry(process).or_default().push(wait);
    }

    /// Takes the waits of a process for which `which` holds.
    pub(crate) fn take(&mut self, process: ProcessId, which: impl Fn(&Wait) -> bool) -> Vec<Wait> {
        let Some(all) = self.waits.remove(&process) else { return Vec::new() };
        let (taken, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(which);
        if !kept.is_empty() {
            self.waits.insert(process, kept);
        }
        taken
    }

    /// Every process that somebody waits for.
    pub(crate) fn waited_for(&self) -> Vec<ProcessId> {
        self.waits.keys().copied().collect()
    }

    /// An update waits for a stop only while its process `is_stopping`.
    pub(crate) fn is_waited_to_stop(&self, process: ProcessId, is_stopping: bool) -> bool {
        let is_stop = |wait: &Wait| wait.is_stop() || (wait.until == Until::Returned && is_stopping);
        self.waits.get(&process).is_some_and(|waits| waits.iter().any(is_stop))
    }

    /// A process of the job is decided without ever having been waited for.
    pub(crate) fn decide(&mut self, ask: AskId, group: Arc<str>, name: Arc<str>, result: Result<(), Fault>) {
        if let Some(job) = self.jobs.get_mut(&ask) {
            job.results.push(StatusEntry { name, group, result });
        }
    }

    /// A wait has its result: the job's answer, if it was the last.
    #[must_use]
    pub(crate) fn finish(&mut self, wait: Wait, result: Result<(), Fault>) -> Option<Reply> {
        let job = self.jobs.get_mut(&wait.ask)?;
        job.open -= 1;
        job.to_stop -= usize::from(wait.is_to_stop());
        job.turns -= usize::from(wait.is_turn());
        job.results.push(StatusEntry { name: wait.name, group: wait.group, result });
        self.answer(wait.ask)
    }

    /// A process that is to be started again is down.
    pub(crate) fn stopped(&mut self, process: ProcessId, wait: Wait) {
        let Until::StoppedFirst { wait: to_the_end } = wait.until else { return self.keep(process, wait) };
        if let Some(job) = self.jobs.get_mut(&wait.ask) {
            job.to_stop -= 1;
            job.turns += 1;
        }
        self.keep(process, Wait { until: Until::Turn { wait: to_the_end }, ..wait });
    }

    /// Whether some of what restarts have stopped may be started now.
    pub(crate) fn has_turns(&self) -> bool {
        self.jobs.values().any(Job::is_turn)
    }

    /// The process is to be started now, if some restart wants it: from here on that waits as any start does.
    pub(crate) fn take_turn(&mut self, process: ProcessId) -> bool {
        let mut taken = false;
        for wait in self.waits.get_mut(&process).into_iter().flatten() {
            let Until::Turn { wait: to_the_end } = wait.until else { continue };
            if let Some(job) = self.jobs.get_mut(&wait.ask).filter(|job| job.is_turn()) {
                job.turns -= 1;
                wait.until = Until::Resolved { wait: to_the_end };
                taken = true;
            }
        }
        taken
    }

    /// The job waits for the main log, too.
    pub(crate) fn wait_for_main_log(&mut self, ask: AskId) {
        if let Some(job) = self.jobs.get_mut(&ask) {
            job.open += 1;
            self.main_log.push(ask);
        }
    }

    /// All that wait for it.
    pub(crate) fn waiting_for_main_log(&self) -> Vec<AskId> {
        self.main_log.clone()
    }

    /// The main log has its result: the job's answer, if it was the last.
    #[must_use]
    pub(crate) fn main_log_done(&mut self, ask: AskId, result: Result<(), Fault>) -> Option<Reply> {
        let at = self.main_log.iter().position(|waiting| *waiting == ask)?;
        self.main_log.swap_remove(at);
        let job = self.jobs.get_mut(&ask)?;
        job.open -= 1;
        job.results.push(StatusEntry { name: MAIN_LOG.into(), group: MAIN_LOG.into(), result });
        self.answer(ask)
    }

    fn answer(&mut self, ask: AskId) -> Option<Reply> {
        if self.jobs.get(&ask).is_none_or(|job| job.building || job.open > 0) {
            return None;
        }
        let mut job = self.jobs.remove(&ask)?;
        Some(match job.shape {
            Shape::Placed(places) => {
                let place = |entry: &StatusEntry| {
                    places.get(&(Arc::clone(&entry.group), Arc::clone(&entry.name))).copied()
                };
                job.results.sort_by_key(place);
                Reply::Statuses(job.results)
            }
            Shape::Many => Reply::Statuses(job.results),
            Shape::Update { group, fates } => {
                let mut results: BTreeMap<_, _> =
                    job.results.into_iter().map(|entry| (entry.name, entry.result)).collect();
                let mut updated = |(name, fate, goes_on): (Arc<str>, Fate, bool)| {
                    let result = results.remove(&name).unwrap_or(Ok(()));
                    UpdatedProcess { name, group: Arc::clone(&group), fate, goes_on, result }
                };
                Reply::Updated(fates.into_iter().map(&mut updated).collect())
            }
            Shape::One => match job.results.into_iter().next().map(|entry| entry.result) {
                Some(Err(fault)) => Reply::Fault(fault),
                Some(Ok(())) | None => Reply::Done,
            },
        })
    }
}

/// Whether the process as it stands decides the wait (SPEC 6.6).
pub(crate) fn verdict(wait: &Wait, process: &Process) -> Option<Result<(), Fault>> {
    let name = || wait.given.clone();
    match wait.until {
        // Decided by `Input::Resolved`, `Input::LogsDone` and `Input::StdinSent` alone.
        Until::Resolved { .. } | Until::LogsDone(_) | Until::StdinSent | Until::Turn { .. } => None,
        Until::Launched | Until::Started if process.spawnerr.is_some() => {
            Some(Err(Fault::SpawnError { name: name() }))
        }
        Until::Launched => match process.state {
            State::Starting if process.pid.is_none() => None,
            _ => Some(Ok(())),
        },
        Until::Returned => match process.state {
            State::Starting if process.pid.is_none() => None,
            State::Stopping => None,
            State::Stopped if process.returns => None,
            State::Backoff | State::Fatal if process.spawnerr.is_some() => {
                Some(Err(Fault::SpawnError { name: name() }))
            }
            State::Unknown => {
                Some(Err(Fault::Failed { detail: format!("{} could not be signalled", wait.given) }))
            }
            _ => Some(Ok(())),
        },
        Until::Started => match process.state {
            State::Running => Some(Ok(())),
            State::Starting => None,
            State::Exited if process.has_done_its_work() => Some(Ok(())),
            _ => Some(Err(Fault::AbnormalTermination { name: name() })),
        },
        Until::Stopped | Until::StoppedFirst { .. } => match process.state {
            State::Unknown => {
                Some(Err(Fault::Failed { detail: format!("{} could not be signalled", wait.given) }))
            }
            state if state.is_stopped() => Some(Ok(())),
            _ => None,
        },
    }
}
