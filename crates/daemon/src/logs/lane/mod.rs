//! A lane: one thread, one epoll, one journal, for the logs that lie on one file system.
//!
//! A disk that hangs holds up the lane that writes to it, and no other. Everything else a lane never waits for: a pipe
//! without room, a full disk. The sources of such an outlet are parked, which is to say not read, until there is room or it is
//! time to try again; all others go on.
//!
//! Orders come from the main loop, notices go back to it. For each child the order is: `Open` (its files are there, or why
//! not), `Watch` (it runs, here are its pipes), `Finish` (it has ended: write down all it had said, then tell). A pipe
//! that somebody else still holds open, a grandchild, stays watched until its own end; so does one whose last words find no room.
//!
//! Here are the thread, its orders and what it keeps. What it does with that: `lives.rs` for children, `bytes.rs` for their pipes,
//! `room.rs` for those that wait, `files.rs` for what is done to logs, `parting.rs` at the end.

mod bytes;
mod files;
mod lives;
mod parting;
mod room;
#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use provost_config::LogLevel;
use provost_core::{ChildId, LogDeed, Mono, ProcessId};
use provost_keeper::Pipes;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

use self::bytes::listen;
use super::Output;
use super::carry::Carrier;
use super::heat::{GROWN, GROWN_AT_MOST, Heat, Next};
use super::journal::{Flow, Journal, Recovered, Stalled};
use super::outlet::{self, LOOK_AGAIN, OnRefusal, Outlet, OutletPlan, TRY_AGAIN};
use super::pump::{Heir, Leftovers, Notice, Order};
use super::reports::Reports;
use super::treatment::{Course, Parting, Treatment};
use super::{open, recovery};
use crate::clock;
use crate::wake::Bell;

/// What a pipe holds, where it cannot be asked.
const PIPE: usize = 64 * 1024;
/// How long the end of a child is held back for last words that find no room.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How soon whoever listens to programs has caught up a little.
const SHORTLY: Duration = Duration::from_millis(10);
/// So many runs of a program that have ended may wait for room in its log.
const MOST_LINGERING: usize = 2;
/// A sink that takes nothing for so long is told of.
const LONG: Duration = Duration::from_secs(10);
/// The tokens of the bell and of the main log's pipe; others count on from there.
const BELL: u64 = 0;
const MAIN_LOG: u64 = 1;

/// The main log, for the one lane that writes it.
#[derive(Debug)]
pub(crate) struct MainSource {
    /// Where the brain's lines come from.
    pub(crate) pipe: OwnedFd,
    pub(crate) outlet: Outlet,
}

/// What a lane is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) bell: Bell,
    pub(super) queue: Receiver<Order>,
    pub(super) reports: Reports,
    /// The first is ours to use; all are to be finished, if a dead brain left something in them.
    pub(super) journals: Vec<Journal>,
    pub(super) main_log: Option<MainSource>,
    /// Grows with everything that is done: a lane that stands still while something is wanted of it hangs.
    pub(super) beats: Arc<AtomicU64>,
}

/// Whose outlet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    MainLog,
    Of(ProcessId, Output),
    /// Of a process that writes elsewhere by now: somebody whom it has left behind writes there.
    Former(u64),
}

/// An outlet that one or more sources write to.
#[derive(Debug)]
struct Shared {
    outlet: Outlet,
    users: usize,
    /// Sources that are not read, in the order in which they were parked.
    parked: VecDeque<u64>,
    wait: Option<Wait>,
}

/// An outlet waits for room.
#[derive(Debug)]
struct Wait {
    since: Mono,
    is_told: bool,
    /// When it is tried again, unless a descriptor tells before; nothing only while it is tried.
    timer: Option<Mono>,
}

/// A pipe that is watched.
#[derive(Debug)]
struct Source {
    pipe: OwnedFd,
    child: Option<ChildId>,
    /// Of the child.
    pid: i32,
    outlet: Option<Key>,
    treatment: Option<Box<Treatment>>,
    watch: Watch,
    heat: Heat,
    /// How much the pipe can hold.
    capacity: usize,
    /// Its child has ended, and so many bytes of it are still to be read.
    left: Option<usize>,
}

/// How it is known that there is something in a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// It is in the epoll set.
    Listening,
    /// It is hot: it is read then.
    Tick(Mono),
    /// It is not read until its outlet has room.
    Parked,
}

/// A child between `Open` and `Finish`.
#[derive(Debug, Default)]
struct Child {
    outlets: Vec<(Key, Option<Arc<Course>>)>,
    sources: Vec<u64>,
}

/// A child that has ended, and whose last words find no room.
#[derive(Debug)]
struct Ending {
    entry: Child,
    last_words: Option<String>,
    answer: Answer,
}

/// What a `Finish` and a `Linger` are answered with.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Drained,
    Dry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A hot pipe is read.
    Tick(u64),
    /// An outlet is tried again that cannot say when it has room.
    Room(Key),
    /// An outlet has taken nothing for long.
    Tell(Key),
    /// Last words have waited long enough.
    Ending(ChildId),
    /// Everything has.
    Quit,
    /// What a dead brain could not write is tried again.
    Leftovers,
}

#[derive(Debug)]
struct Quitting {
    until: Mono,
    lines: Vec<u8>,
    for_good: bool,
}

#[derive(Debug)]
pub(super) struct Lane {
    poll: OwnedFd,
    parts: Parts,
    carrier: Carrier,
    outlets: BTreeMap<Key, Shared>,
    sources: BTreeMap<u64, Source>,
    /// Outlets whose descriptors are waited for.
    rooms: BTreeMap<u64, Key>,
    children: BTreeMap<ChildId, Child>,
    endings: BTreeMap<ChildId, Ending>,
    /// Sources of children that have ended.
    lingering: BTreeMap<u64, ChildId>,
    due: BTreeSet<(Mono, Due)>,
    next_token: u64,
    /// How many pipes are read at ticks, and how many have been made larger.
    hot: usize,
    grown: usize,
    /// Further journals of a dead brain, and what it could not write.
    abandoned: Vec<(Journal, Vec<Stalled>)>,
    /// The same in our own journal, until somebody opens its file again.
    stalled: Vec<Stalled>,
    /// The end has come: when it comes at the latest, and with which lines.
    quitting: Option<Quitting>,
    /// Nothing more is read of what programs say.
    rests: bool,
    /// Outlets that had a trouble when they were closed.
    troubled: BTreeSet<Key>,
    /// Somebody wants to know when nothing is in our hands.
    is_called: bool,
    /// Said once, until a write succeeds again.
    record_is_troubled: bool,
}

impl Lane {
    pub(super) fn new(mut parts: Parts) -> io::Result<Lane> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &parts.bell, EventData::new_u64(BELL), EventFlags::IN)?;
        let mut journals = std::mem::take(&mut parts.journals).into_iter();
        let carrier = Carrier::new(journals.next());
        let mut lane = Lane {
            poll,
            carrier,
            outlets: BTreeMap::new(),
            sources: BTreeMap::new(),
            rooms: BTreeMap::new(),
            children: BTreeMap::new(),
            endings: BTreeMap::new(),
            lingering: BTreeMap::new(),
            due: BTreeSet::new(),
            troubled: BTreeSet::new(),
            next_token: MAIN_LOG + 1,
            hot: 0,
            grown: 0,
            quitting: None,
            rests: false,
            is_called: false,
            record_is_troubled: false,
            abandoned: journals.map(|journal| (journal, Vec::new())).collect(),
            stalled: Vec::new(),
            parts,
        };
        if let Some(MainSource { pipe, outlet }) = lane.parts.main_log.take() {
            epoll::add(&lane.poll, &pipe, EventData::new_u64(MAIN_LOG), EventFlags::IN)?;
            lane.outlets.insert(Key::MainLog, Shared::new(outlet, 1));
            lane.sources.insert(MAIN_LOG, Source::new(pipe, None, Some(Key::MainLog), None));
        }
        Ok(lane)
    }

    pub(super) fn run(mut self) {
        self.recover();
        let mut events = Vec::with_capacity(256);
        loop {
            events.clear();
            let mut timeout = clock::until(self.due.first().map(|(at, _)| *at));
            if self.hot > 0 {
                // epoll_pwait(2) counts in milliseconds, which are too long for a flood. An interrupted poll is a short one.
                let _ = poll(&mut [PollFd::new(&self.poll, PollFlags::IN)], timeout.as_ref());
                timeout = Some(clock::timespec(Duration::ZERO));
            }
            match epoll::wait(&self.poll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // Nothing that epoll can answer here is anything but a mistake of ours.
                Err(e) => panic!("a lane of the log pump cannot go on: {e}"),
            }
            for event in &events {
                self.beat();
                match event.data.u64() {
                    BELL => {
                        self.parts.bell.silence();
                        if !self.obey_all() {
                            return;
                        }
                    }
                    // They are the next brain's.
                    token if self.rests && token != MAIN_LOG && !self.rooms.contains_key(&token) => {}
                    token => match self.rooms.get(&token).copied() {
                        Some(key) => self.try_again(key),
                        None => self.flow(token),
                    },
                }
            }
            self.do_what_is_due();
            if self.has_quit() {
                return;
            }
        }
    }

    fn beat(&self) {
        self.parts.beats.fetch_add(1, Ordering::Relaxed);
    }

    fn reports(&self) -> &Reports {
        &self.parts.reports
    }

    fn notify(&self, notice: Notice) {
        self.parts.reports.send(notice);
    }

    fn do_what_is_due(&mut self) {
        if self.due.is_empty() {
            return;
        }
        let now = clock::now().mono;
        while let Some((at, due)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, due));
            self.beat();
            match due {
                Due::Tick(token) => self.tick(token, at),
                Due::Room(key) => self.try_again(key),
                Due::Tell(key) => self.tell_of(key),
                Due::Ending(child) => self.end(child),
                // It is looked after in any case.
                Due::Quit => {}
                Due::Leftovers => self.try_leftovers(),
            }
        }
    }

    /// Carries out every order that waits; false at the end.
    fn obey_all(&mut self) -> bool {
        loop {
            match self.parts.queue.try_recv() {
                Ok(Order::Quit { lines, for_good }) => {
                    let until = clock::now().mono + LAST_WORDS;
                    self.due.insert((until, Due::Quit));
                    self.quitting = Some(Quitting { until, lines, for_good });
                }
                Ok(order) => {
                    self.beat();
                    self.obey(order);
                }
                Err(TryRecvError::Empty) => return true,
                // The brain has ended without a word; so do we.
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open { child, process, outlets, runs } => {
                let on_refusal = if runs { OnRefusal::TryAgain } else { OnRefusal::Fail };
                let result = self.open(child, process, outlets, on_refusal);
                self.notify(Notice::Opened { child, result });
            }
            Order::Watch { child, pid, pipes, leftovers } => self.watch_both(child, pid, pipes, leftovers),
            Order::Cancel { child } => {
                if let Some(child) = self.children.remove(&child) {
                    self.release_all(&child);
                }
            }
            Order::Finish { child, last_words, heir } => {
                self.finish(child, last_words, Answer::Drained);
                if let Some(heir) = heir {
                    self.inherit(heir);
                }
            }
            Order::Linger { heir, pid, pipes, leftovers } => {
                let child = heir.child;
                self.inherit(heir);
                self.watch_both(child, pid, pipes, leftovers);
                self.finish(child, None, Answer::Dry);
            }
            Order::Logs { process, deed, outlets } => {
                let done: Vec<Result<(), String>> = outlets
                    .into_iter()
                    .map(|(output, plan)| self.do_to(Key::Of(process, output), deed, plan))
                    .collect();
                // Of several troubles the first is told.
                let result = done.into_iter().collect();
                self.notify(Notice::LogsDone { process, deed, result });
            }
            Order::Renew { process, outlets } => {
                for (output, plan) in outlets {
                    self.renew(Key::Of(process, output), plan);
                }
            }
            Order::MainLog { ask, deed } => {
                // What was said before belongs into the file of before.
                self.say_all();
                let main_log = self.outlets.get_mut(&Key::MainLog);
                let result = main_log.map_or(Ok(()), |shared| shared.outlet.do_to(deed));
                self.notify(Notice::MainLogDone { ask, result });
            }
            Order::Record(change) => {
                let written = change.write();
                if let (Err(e), false) = (&written, self.record_is_troubled) {
                    let text = format!("cannot write down what runs, for the next supervisord: {e}");
                    self.reports().say(LogLevel::Critical, text);
                }
                self.record_is_troubled = written.is_err();
            }
            Order::Reopen => self.reopen(),
            Order::Call => {
                self.is_called = true;
                self.answer_call();
            }
            Order::Rest => {
                self.rests = true;
                for token in
                    self.sources.keys().copied().filter(|token| *token != MAIN_LOG).collect::<Vec<_>>()
                {
                    self.unwatch(token);
                }
                self.part(Parting::HandOver);
                self.notify(Notice::Free);
            }
            // Seen to above.
            Order::Quit { .. } => {}
        }
    }
}

impl Shared {
    fn new(outlet: Outlet, users: usize) -> Shared {
        Shared { outlet, users, parked: VecDeque::new(), wait: None }
    }
}

impl Source {
    fn course(&self) -> Option<&Arc<Course>> {
        self.treatment.as_ref().map(|treatment| treatment.course())
    }

    fn new(
        pipe: OwnedFd,
        child: Option<ChildId>,
        outlet: Option<Key>,
        treatment: Option<Box<Treatment>>,
    ) -> Source {
        let capacity = fcntl_getpipe_size(&pipe).unwrap_or(PIPE);
        let heat = Heat::default();
        Source { pipe, child, pid: 0, outlet, treatment, watch: Watch::Listening, heat, capacity, left: None }
    }
}
