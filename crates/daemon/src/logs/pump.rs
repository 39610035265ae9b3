//! The pump as the main loop knows it: some lanes, each for the logs on one mount, and what is wanted of them.
//!
//! It sends each order to the lane of its child, gathers what is answered, and waits for no lane longer than it has patience: a
//! lane that stands still while something is wanted of it hangs in its disk. Then its children are told to have been served as far
//! as they can be, so that a stop, a start, a shutdown that other programs need goes on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use provost_config::LogLevel;
use provost_core::{AskId, ChildId, LogDeed, Mono, ProcessId};
use provost_keeper::{LinkError, Pipes};
use rustix::io::Errno;

use super::Output;
use super::compress::Compressor;
use super::counted::Line;
use super::journal::{self, Journal, Leftover, Voice};
use super::lane::{Lane, MainSource, Parts};
use super::main_log::MainLog;
use super::mounts::{MountId, Mounts};
use super::outlet::{self, OutletPlan};
use super::reports::{Audience, Reports, Telling, Word};
use super::sink::Target;
use crate::clock;
use crate::leftovers::Change;
use crate::thread;
use crate::wake::{Bell, Post};

/// A lane that stands still for so long hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is queued is written in a blink where it can be written at all.
const SOON: Duration = Duration::from_secs(1);
/// Lanes at most; further mounts share the last.
const MOST_LANES: usize = 16;

/// The child that has taken the place of one that has ended, and its outlets.
#[derive(Debug)]
pub(crate) struct Heir {
    pub(crate) child: ChildId,
    pub(crate) process: ProcessId,
    pub(crate) outlets: Vec<(Output, OutletPlan)>,
}

/// What the main loop wants of the pump.
#[derive(Debug)]
pub(crate) enum Order {
    /// Make ready for a child: open its files. Answered by `Notice::Opened`. Of one that `runs` already a file that cannot be
    /// opened is tried again.
    Open { child: ChildId, process: ProcessId, outlets: Vec<(Output, OutletPlan)>, runs: bool },
    /// The child runs; without an outlet its output is read and dropped. What an earlier brain had taken of that comes first.
    Watch { child: ChildId, pid: i32, pipes: Pipes, leftovers: Leftovers },
    /// The child never came to be.
    Cancel { child: ChildId },
    /// The child has ended: drain its pipes, add these words to its standard error, and open the files of the one
    /// that has taken its place, which runs already. Answered by `Notice::Drained`.
    Finish { child: ChildId, last_words: Option<String>, heir: Option<Heir> },
    /// The output of a child that ended under an earlier brain, and that somebody else still holds open. Answered by
    /// `Notice::Dry` at its end.
    Linger { heir: Heir, pid: i32, pipes: Pipes, leftovers: Leftovers },
    /// Do this to the log files of a process, open or not. Answered by `Notice::LogsDone`.
    Logs { process: ProcessId, deed: LogDeed, outlets: Vec<(Output, OutletPlan)> },
    /// The outputs of a process go to the same places with other customs.
    Renew { process: ProcessId, outlets: Vec<(Output, OutletPlan)> },
    /// Do this to the main log. Answered by `Notice::MainLogDone`.
    MainLog { ask: AskId, deed: LogDeed },
    /// Write down that a child runs, or that it has ended.
    Record(Change),
    /// Open every file anew by its name.
    Reopen,
    /// Say when nothing is in your hands that would be gone with you: answered by `Notice::Free`.
    Call,
    /// Another brain goes on: read nothing more of what programs say, and give out what is held back of it. Answered by `Notice::Free`.
    Rest,
    /// Write what is queued, these lines for the main log last, and end; `for_good`, or for another brain to go on.
    Quit { lines: Vec<u8>, for_good: bool },
}

/// What the threads beside it tell the main loop: the pump, and the one that tells listeners.
#[derive(Debug)]
pub(crate) enum Notice {
    /// With the error number where a file could not be opened.
    Opened {
        child: ChildId,
        result: Result<(), i32>,
    },
    /// Whether there may still come something of its output: then `Dry` follows.
    Drained {
        child: ChildId,
        lingers: bool,
    },
    /// Nobody holds the output of a child open any more that had ended before, and all of it is written.
    Dry {
        child: ChildId,
    },
    /// Nothing keeps a lane from its end.
    Free,
    /// With the text of what prevented it.
    LogsDone {
        process: ProcessId,
        deed: LogDeed,
        result: Result<(), String>,
    },
    MainLogDone {
        ask: AskId,
        result: Result<(), String>,
    },
    /// For the main log, of events.
    Line(Line),
    /// For the main log.
    Say {
        level: LogLevel,
        text: String,
    },
    /// For the keeper to hold.
    Keep {
        name: String,
        fd: OwnedFd,
    },
    /// A listener has broken the protocol, or has come back.
    ListenerChanged,
    /// Everything ends, and listeners that are told the last have heard more of it.
    ListenersHeard,
    /// What a listener said last has been heard.
    ListenerGone {
        child: ChildId,
    },
    /// For the keeper to hold, before anything of a pool's events is written there.
    KeepEvents {
        name: String,
        fd: OwnedFd,
        pool: Arc<str>,
        file: OwnedFd,
    },
    /// A piece of a child's output.
    Said {
        child: ChildId,
        output: Output,
        word: Word,
        data: Telling,
    },
}

/// What an earlier brain had taken of a child's output, and had yet to pass on. The pump knows it.
pub(crate) type Leftovers = Vec<(Output, Leftover)>;

/// What an earlier brain has left, or one that is new.
#[derive(Debug, Default)]
pub(crate) struct Journals {
    pub(crate) found: Vec<Journal>,
    /// The highest number by which the keeper holds one.
    pub(crate) highest: usize,
}

/// The lanes.
#[derive(Debug)]
pub(crate) struct Pump {
    lanes: BTreeMap<LaneKey, Running>,
    mounts: Mounts,
    children: BTreeMap<ChildId, Assigned>,
    /// Lanes of processes that have children, and how many these are: meanwhile something may be mounted elsewhere.
    processes: BTreeMap<ProcessId, (LaneKey, usize)>,
    /// Where a dead brain has left something to write, and the lane that has it: whoever writes there has to come behind that.
    left: BTreeMap<PathBuf, LaneKey>,
    /// And what it had taken of a child's output, and had yet to pass on.
    leftovers: BTreeMap<Voice, Leftover>,
    reports: Reports,
    compressor: Arc<Compressor>,
    /// Where the main log is written, and everything else that is the daemon's own.
    home: LaneKey,
    /// What is answered in the place of lanes that hang.
    answers: VecDeque<Notice>,
    /// Syslog servers elsewhere.
    remotes: Vec<String>,
    /// Journals of an earlier brain that nobody needs yet, and the highest number that any of them has.
    spare: Vec<Journal>,
    highest_journal: usize,
    /// Lanes that are still to answer a call.
    called: usize,
}

/// Which lane: that of a mount, or that of outlets which no disk can hold up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LaneKey {
    Quick,
    Mount(MountId),
    /// A host whose name has to be found out, by its number among those.
    Remote(usize),
}

/// The lane of a child.
#[derive(Debug, Clone, Copy)]
struct Assigned {
    lane: LaneKey,
    /// Nothing for one that nobody has announced.
    process: Option<ProcessId>,
}

/// A running thread.
#[derive(Debug)]
struct Running {
    orders: Post<Order>,
    ended: Receiver<Infallible>,
    beats: Arc<AtomicU64>,
    /// What it has been asked, and has not answered.
    wanted: BTreeSet<Wanted>,
    /// The beats there were when that was last looked at, and when that was.
    seen: (u64, Mono),
    hangs: bool,
    /// For what is said of it.
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Open(ChildId),
    End(ChildId),
    Logs(ProcessId, LogDeed),
    MainLog(AskId),
}

/// Has the keeper hold something by a name, before it is used.
type Hold<'a> = &'a mut dyn FnMut(String, OwnedFd) -> Result<(), LinkError>;

impl Pump {
    /// Starts the lane of the main log, and one for every mount on which a dead brain has left something to finish. `path` is that of
    /// the main log.
    pub(crate) fn start(
        main_log: MainSource,
        path: Option<&Path>,
        Journals { found, highest }: Journals,
        (notices, audience): (Post<Notice>, Arc<dyn Audience>),
        hold: Hold<'_>,
    ) -> Result<io::Result<Pump>, LinkError> {
        let mut mounts = Mounts::default();
        let mut lane_of = |path: &Path| mounts.of(path).map_or(LaneKey::Quick, LaneKey::Mount);
        let home = path.map_or(LaneKey::Quick, &mut lane_of);
        let mut of_lane: BTreeMap<LaneKey, Vec<Journal>> = BTreeMap::from([(home, Vec::new())]);
        let (mut spare, mut left) = (Vec::new(), BTreeMap::new());
        let mut leftovers = BTreeMap::new();
        for mut journal in found {
            leftovers.extend(journal.take_leftover());
            let unfinished = journal.unfinished();
            // Files in one journal are on one mount, that of its lane; streams may have been carried there as well.
            let Some(lane) = unfinished.iter().map(|path| lane_of(path)).max() else {
                spare.push(journal);
                continue;
            };
            left.extend(unfinished.into_iter().map(|path| (path, lane)));
            of_lane.entry(lane).or_default().push(journal);
        }
        for journals in of_lane.values_mut().filter(|journals| journals.is_empty()) {
            journals.extend(spare.pop());
        }
        let reports = Reports::new(notices, audience);
        let mut pump = Pump {
            compressor: Compressor::new(reports.clone()),
            lanes: BTreeMap::new(),
            mounts,
            children: BTreeMap::new(),
            processes: BTreeMap::new(),
            left,
            leftovers,
            reports,
            home,
            answers: VecDeque::new(),
            remotes: Vec::new(),
            called: 0,
            spare,
            highest_journal: highest,
        };
        if of_lane.get(&home).is_some_and(Vec::is_empty) {
            // None was found, or all of them have something to finish elsewhere.
            let journal = pump.new_journal(hold)?;
            of_lane.entry(home).or_default().extend(journal);
        }
        let mut main_log = Some(main_log);
        for (lane, journals) in of_lane {
            let main_log = if lane == home { main_log.take() } else { None };
            if let Err(e) = pump.add_lane(lane, journals, main_log) {
                return Ok(Err(e));
            }
        }
        Ok(Ok(pump))
    }

    /// Has it done by the lane that it is for.
    pub(crate) fn order(&mut self, mut order: Order, hold: Hold<'_>) -> Result<(), LinkError> {
        self.add_leftovers(&mut order);
        let lane = match &order {
            Order::Open { child, process, outlets, .. } => {
                let lane = self.lane_for(*process, outlets, hold)?;
                self.assign(*child, Some(*process), lane);
                self.want(lane, Wanted::Open(*child));
                lane
            }
            Order::Linger { heir, .. } => {
                let lane = self.lane_for(heir.process, &heir.outlets, hold)?;
                self.assign(heir.child, Some(heir.process), lane);
                lane
            }
            Order::Watch { child, .. } => self.lane_of(*child, hold)?,
            Order::Cancel { child } => self.dismiss(*child).unwrap_or(self.home),
            Order::Finish { child, heir, .. } => {
                let lane = self.lane_of(*child, hold)?;
                if let Some(heir) = heir {
                    self.assign(heir.child, Some(heir.process), lane);
                }
                self.want(lane, Wanted::End(*child));
                lane
            }
            Order::Logs { process, deed, outlets } => {
                let lane = self.lane_for(*process, outlets, hold)?;
                self.want(lane, Wanted::Logs(*process, *deed));
                lane
            }
            // Where it has no child nothing is open, and the next one is opened by its plan.
            Order::Renew { process, outlets } => self.lane_for(*process, outlets, hold)?,
            Order::MainLog { ask, .. } => {
                self.want(self.home, Wanted::MainLog(*ask));
                self.home
            }
            Order::Record(_) => self.home,
            Order::Reopen => {
                self.to_all(|| Order::Reopen);
                return Ok(());
            }
            Order::Call => {
                self.called = self.lanes.len();
                self.to_all(|| Order::Call);
                return Ok(());
            }
            // They have ways of their own: `rest` and `stop`.
            Order::Rest | Order::Quit { .. } => return Ok(()),
        };
        if let Some(running) = self.lanes.get(&lane) {
            running.orders.send(order);
        }
        self.answer_for_hanging(lane);
        Ok(())
    }

    fn add_leftovers(&mut self, order: &mut Order) {
        let (child, leftovers) = match order {
            Order::Watch { child, leftovers, .. } => (*child, leftovers),
            Order::Linger { heir, leftovers, .. } => (heir.child, leftovers),
            _ => return,
        };
        for output in [Output::Stdout, Output::Stderr] {
            let leftover = self.leftovers.remove(&Voice { child, output });
            leftovers.extend(leftover.map(|leftover| (output, leftover)));
        }
    }

    /// What is to be made of a notice; nothing where it has been answered before.
    pub(crate) fn heard(&mut self, notice: Notice) -> Option<Notice> {
        match notice {
            Notice::Opened { child, .. } => self.was_wanted(Wanted::Open(child)).then_some(notice),
            Notice::Drained { child, lingers } => {
                let is_news = self.was_wanted(Wanted::End(child));
                if !lingers {
                    self.dismiss(child);
                }
                match (is_news, lingers) {
                    (true, _) => Some(notice),
                    // It was told that something may still come, and nothing does.
                    (false, false) => Some(Notice::Dry { child }),
                    (false, true) => None,
                }
            }
            Notice::Dry { child } => {
                self.dismiss(child);
                Some(notice)
            }
            Notice::Free => {
                self.called = self.called.saturating_sub(1);
                (self.called == 0).then_some(notice)
            }
            Notice::LogsDone { process, deed, .. } => {
                self.was_wanted(Wanted::Logs(process, deed)).then_some(notice)
            }
            Notice::MainLogDone { ask, .. } => self.was_wanted(Wanted::MainLog(ask)).then_some(notice),
            Notice::Say { .. }
            | Notice::Line(_)
            | Notice::Said { .. }
            | Notice::Keep { .. }
            | Notice::ListenerChanged
            | Notice::ListenersHeard
            | Notice::ListenerGone { .. }
            | Notice::KeepEvents { .. } => Some(notice),
        }
    }

    /// When a lane that something is wanted of is to be looked after.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        if !self.answers.is_empty() {
            return Some(Mono(0));
        }
        let busy = self.lanes.values().filter(|running| !running.wanted.is_empty() && !running.hangs);
        busy.map(|running| running.seen.1 + PATIENCE).min()
    }

    /// What is answered in the place of a lane that hangs.
    pub(crate) fn take_answer(&mut self) -> Option<Notice> {
        self.answers.pop_front()
    }

    /// Looks after lanes that stand still, and after those that go on again.
    pub(crate) fn look_after(&mut self) {
        let now = clock::now().mono;
        let mut hanging = Vec::new();
        for (key, running) in &mut self.lanes {
            let beats = running.beats.load(Ordering::Relaxed);
            // Of a lane that hangs nothing is wanted any more, as all of it was answered in its place.
            if beats != running.seen.0 || (running.wanted.is_empty() && !running.hangs) {
                running.seen = (beats, now);
                if std::mem::take(&mut running.hangs) {
                    running.say(&self.reports, LogLevel::Warn, "answers again");
                }
            } else if now >= running.seen.1 + PATIENCE && !running.hangs {
                running.hangs = true;
                let text = "does not answer: whatever logs there waits, all others go on";
                running.say(&self.reports, LogLevel::Critical, text);
                hanging.push(*key);
            }
        }
        for lane in hanging {
            self.answer_for_hanging(lane);
        }
    }

    pub(crate) fn compressor(&self) -> &Arc<Compressor> {
        &self.compressor
    }

    /// Nothing more of what programs say is read: another brain goes on with it. Returns what was told until then.
    pub(crate) fn rest(&mut self, notices: &Receiver<Notice>, patience: Patience) -> Vec<Notice> {
        let until = clock::now().mono + patience.time();
        self.to_all(|| Order::Rest);
        let (mut at_rest, mut told) = (0, Vec::new());
        while at_rest < self.lanes.len()
            && let Ok(notice) = notices.recv_timeout(until.since(clock::now().mono))
        {
            match notice {
                Notice::Free => at_rest += 1,
                notice => told.push(notice),
            }
        }
        told
    }

    /// Ends the lanes after all that is queued has been written, and all that the log has to say. At the end `for_good` what waits
    /// for a slow reader is given a while; else the next brain goes on with it. A disk that does not answer is not waited for.
    pub(crate) fn stop(
        self,
        mut log: MainLog,
        notices: &Receiver<Notice>,
        patience: Patience,
        for_good: bool,
    ) {
        self.compressor.close();
        let until = clock::now().mono + patience.time();
        let quit = |lines: Vec<u8>| Order::Quit { lines, for_good };
        for (_, running) in self.lanes.iter().filter(|(key, _)| **key != self.home) {
            running.orders.send(quit(Vec::new()));
        }
        for (_, running) in self.lanes.iter().filter(|(key, _)| **key != self.home) {
            if !running.has_ended_by(until) {
                log.write(
                    LogLevel::Critical,
                    &format!("{} does not answer, and is not waited for", running.name),
                );
            }
        }
        while let Ok(notice) = notices.try_recv() {
            match notice {
                Notice::Say { level, text } => log.write(level, &text),
                Notice::Line(line) => log.write(line.level, &line.text),
                _ => {}
            }
        }
        if let Some(running) = self.lanes.get(&self.home) {
            running.orders.send(quit(log.into_waiting()));
            running.has_ended_by(clock::now().mono + patience.time());
        }
    }

    // --- lanes ---

    /// The lane for the logs of a process: one, so that its outputs end together; that of the mount on which most is at stake.
    fn lane_for(
        &mut self,
        process: ProcessId,
        outlets: &[(Output, OutletPlan)],
        hold: Hold<'_>,
    ) -> Result<LaneKey, LinkError> {
        if let Some((lane, _)) = self.processes.get(&process) {
            return Ok(*lane);
        }
        let (mut lanes, mut left) = (Vec::new(), None);
        for to in outlets.iter().flat_map(|(_, plan)| plan.sinks.iter()) {
            if let Target::Named(to) = to {
                left = left.or(self.left.get(&*to.path).copied());
            }
            lanes.extend(match to {
                Target::Named(to) => self.mounts.of(&to.path).map(LaneKey::Mount),
                _ => to.remote().map(|name| LaneKey::Remote(self.number_of(name))),
            });
        }
        // Of several the one that is likeliest to hang: that of a host elsewhere, then one that is not home.
        let lanes = lanes.into_iter();
        let lane = lanes.max_by_key(|lane| (matches!(lane, LaneKey::Remote(_)), *lane != self.home));
        let lane = left.or(lane).unwrap_or(LaneKey::Quick);
        self.make(lane, hold)
    }

    fn assign(&mut self, child: ChildId, process: Option<ProcessId>, lane: LaneKey) {
        // One that an earlier order has announced.
        self.dismiss(child);
        self.children.insert(child, Assigned { lane, process });
        if let Some(process) = process {
            self.processes.entry(process).or_insert((lane, 0)).1 += 1;
        }
    }

    fn dismiss(&mut self, child: ChildId) -> Option<LaneKey> {
        let Assigned { lane, process } = self.children.remove(&child)?;
        if let Some(process) = process
            && let Some((_, children)) = self.processes.get_mut(&process)
        {
            *children -= 1;
            if *children == 0 {
                self.processes.remove(&process);
            }
        }
        Some(lane)
    }

    fn number_of(&mut self, name: String) -> usize {
        let known = self.remotes.iter().position(|other| *other == name);
        known.unwrap_or_else(|| {
            self.remotes.push(name);
            self.remotes.len() - 1
        })
    }

    fn lane_of(&mut self, child: ChildId, hold: Hold<'_>) -> Result<LaneKey, LinkError> {
        match self.children.get(&child) {
            Some(assigned) => Ok(assigned.lane),
            None => {
                let lane = self.make(LaneKey::Quick, hold)?;
                self.assign(child, None, lane);
                Ok(lane)
            }
        }
    }

    /// This lane, or the one that serves in its place.
    fn make(&mut self, lane: LaneKey, hold: Hold<'_>) -> Result<LaneKey, LinkError> {
        if self.lanes.contains_key(&lane) {
            return Ok(lane);
        }
        if self.lanes.len() >= MOST_LANES {
            // Not the one that everybody needs.
            return Ok(*self.lanes.keys().rfind(|lane| **lane != self.home).unwrap_or(&self.home));
        }
        let journal = match self.spare.pop() {
            None => self.new_journal(hold)?,
            spare => spare,
        };
        let journals = journal.into_iter().collect();
        if let Err(e) = self.add_lane(lane, journals, None) {
            self.say(LogLevel::Critical, format!("cannot start a thread for logs: {e}; another one serves"));
            return Ok(self.home);
        }
        Ok(lane)
    }

    /// One that the keeper holds, too.
    fn new_journal(&mut self, hold: Hold<'_>) -> Result<Option<Journal>, LinkError> {
        match Journal::create().and_then(|journal| Ok((journal.share()?, journal))) {
            Ok((parts, journal)) => {
                self.highest_journal += 1;
                for (name, fd) in journal::held_as(self.highest_journal).into_iter().zip(parts) {
                    hold(name, fd)?;
                }
                Ok(Some(journal))
            }
            Err(e) => {
                self.say(LogLevel::Critical, outlet::no_journal(&e));
                Ok(None)
            }
        }
    }

    fn add_lane(
        &mut self,
        key: LaneKey,
        journals: Vec<Journal>,
        main_log: Option<MainSource>,
    ) -> io::Result<()> {
        let bell = Bell::new()?;
        let (orders, queue) = Post::new(&bell);
        let beats = Arc::new(AtomicU64::new(0));
        let reports = self.reports.clone();
        let parts = Parts { bell, queue, reports, journals, main_log, beats: Arc::clone(&beats) };
        let lane = Lane::new(parts)?;
        let (alive, ended) = channel::<Infallible>();
        // Nobody joins it: a thread in a disk that hangs is not to be waited for.
        drop(thread::start("pump", move || {
            lane.run();
            drop(alive);
        })?);
        let name = match key {
            LaneKey::Quick => "a pipe or a terminal".to_owned(),
            LaneKey::Remote(number) => self.remotes[number].clone(),
            LaneKey::Mount(id) => format!("the file system at {}", self.mounts.name(id)),
        };
        let seen = (0, clock::now().mono);
        self.lanes
            .insert(key, Running { orders, ended, beats, wanted: BTreeSet::new(), seen, hangs: false, name });
        Ok(())
    }

    fn to_all(&self, order: impl Fn() -> Order) {
        for running in self.lanes.values() {
            running.orders.send(order());
        }
    }

    fn say(&self, level: LogLevel, text: String) {
        self.reports.say(level, text);
    }

    // --- patience ---

    fn want(&mut self, lane: LaneKey, wanted: Wanted) {
        let Some(running) = self.lanes.get_mut(&lane) else { return };
        if running.wanted.is_empty() && !running.hangs {
            running.seen = (running.beats.load(Ordering::Relaxed), clock::now().mono);
        }
        running.wanted.insert(wanted);
    }

    /// Whether it has not been answered yet; now it has.
    fn was_wanted(&mut self, wanted: Wanted) -> bool {
        self.lanes.values_mut().any(|running| running.wanted.remove(&wanted))
    }

    /// For a lane that hangs: no child is started that logs there, one that has ended has ended, and whoever waits is told.
    fn answer_for_hanging(&mut self, lane: LaneKey) {
        let Some(running) = self.lanes.get_mut(&lane).filter(|running| running.hangs) else { return };
        let why = || format!("{} does not answer", running.name);
        for wanted in std::mem::take(&mut running.wanted) {
            self.answers.push_back(match wanted {
                Wanted::Open(child) => Notice::Opened { child, result: Err(Errno::TIMEDOUT.raw_os_error()) },
                Wanted::End(child) => Notice::Drained { child, lingers: true },
                Wanted::Logs(process, deed) => Notice::LogsDone { process, deed, result: Err(why()) },
                Wanted::MainLog(ask) => Notice::MainLogDone { ask, result: Err(why()) },
            });
        }
    }
}

/// How long the end may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// There is nothing to wait for any more.
    Little,
    /// As long as a disk may need that works.
    Usual,
}

impl Patience {
    pub(crate) fn time(self) -> Duration {
        match self {
            Patience::Little => SOON,
            Patience::Usual => PATIENCE,
        }
    }
}

impl Running {
    fn has_ended_by(&self, until: Mono) -> bool {
        let left = until.since(clock::now().mono);
        // It ends with the thread, which never sends anything.
        self.ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected)
    }

    fn say(&self, reports: &Reports, level: LogLevel, what: &str) {
        reports.say(level, format!("{} {what}", self.name));
    }
}
