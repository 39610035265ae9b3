//! A lane: one thread, one epoll, one journal, for the logs that lie on one file system.
//!
//! A disk that hangs holds up the lane that writes to it, and no other. Everything else a lane never waits for: a pipe
//! without room, a full disk. The sources of such an outlet are parked, which is to say not read, until there is room or it is
//! time to try again; all others go on.
//!
//! Orders come from the main loop, notices go back to it. For each child the order is: `Open` (its files are there, or why
//! not), `Watch` (it runs, here are its pipes), `Finish` (it has ended: write down all it had said, then tell). A pipe
//! that somebody else still holds open, a grandchild, stays watched until its own end; so does one whose last words find no room.

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

use super::Output;
use super::carry::Carrier;
use super::heat::{GROWN, GROWN_AT_MOST, Heat, Next};
use super::journal::{Flow, Journal, Recovered, Stalled};
use super::outlet::{self, LOOK_AGAIN, OnRefusal, Outlet, OutletPlan, TRY_AGAIN};
use super::pump::{Heir, Notice, Order};
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

    /// Finishes what a dead brain had begun.
    fn recover(&mut self) {
        if let Some(recovered) = self.carrier.journal().map(Journal::recover) {
            self.stalled = told_of(recovered, &self.parts.reports);
        }
        for (journal, stalled) in &mut self.abandoned {
            *stalled = told_of(journal.recover(), &self.parts.reports);
        }
        self.plan_leftovers();
    }

    fn plan_leftovers(&mut self) {
        self.abandoned.retain(|(_, stalled)| !stalled.is_empty());
        if !self.stalled.is_empty() || !self.abandoned.is_empty() {
            self.due.insert((clock::now().mono + LOOK_AGAIN, Due::Leftovers));
        }
    }

    /// Tries again what a dead brain could not write.
    fn try_leftovers(&mut self) {
        if let Some(journal) = self.carrier.journal() {
            self.stalled = try_again(journal, std::mem::take(&mut self.stalled));
        }
        for (journal, stalled) in &mut self.abandoned {
            *stalled = try_again(journal, std::mem::take(stalled));
        }
        self.plan_leftovers();
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
            Order::Watch { child, pid, pipes } => self.watch_both(child, pid, pipes),
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
            Order::Linger { heir, pid, pipes } => {
                let child = heir.child;
                self.inherit(heir);
                self.watch_both(child, pid, pipes);
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

    // --- a child's life ---

    fn open(
        &mut self,
        child: ChildId,
        process: ProcessId,
        plans: Vec<(Output, OutletPlan)>,
        on_refusal: OnRefusal,
    ) -> Result<(), i32> {
        let mut entry = Child::default();
        for (output, plan) in plans {
            let key = Key::Of(process, output);
            let course = plan.course.clone();
            // The last child's files may still be open: a grandchild of it writes there.
            if let Entry::Vacant(place) = self.outlets.entry(key) {
                match Outlet::open(plan, on_refusal, &self.parts.reports) {
                    Ok(mut outlet) => {
                        let stalled = std::mem::take(&mut self.stalled).into_iter();
                        self.stalled = stalled.filter_map(|stalled| outlet.adopt(stalled)).collect();
                        place.insert(Shared::new(outlet, 0));
                        self.see_to(key);
                    }
                    Err(e) => {
                        if e.raw_os_error().is_none() {
                            // There is more to say than a number.
                            self.reports().say(LogLevel::Critical, format!("cannot open a log: {e}"));
                        }
                        self.release_all(&entry);
                        return Err(open::errno(&e));
                    }
                }
            }
            self.using(key);
            entry.outlets.push((key, course));
        }
        self.children.insert(child, entry);
        Ok(())
    }

    /// The files of a child that runs already: one that cannot be opened is no reason to end it.
    fn inherit(&mut self, Heir { child, process, outlets }: Heir) {
        // Nothing is refused here.
        let _ = self.open(child, process, outlets, OnRefusal::TryAgain);
    }

    fn watch_both(&mut self, child: ChildId, pid: i32, Pipes { stdout, stderr }: Pipes) {
        self.watch(child, pid, Output::Stdout, stdout);
        if let Some(stderr) = stderr {
            self.watch(child, pid, Output::Stderr, stderr);
        }
    }

    fn watch(&mut self, child: ChildId, pid: i32, output: Output, pipe: OwnedFd) {
        let entry = self.children.entry(child).or_default();
        let of_this = |(key, _): &&(Key, Option<Arc<Course>>)| matches!(key, Key::Of(_, o) if *o == output);
        let outlet = entry.outlets.iter().find(of_this).cloned();
        let token = self.next_token;
        self.next_token += 1;
        if let Err(e) = listen(&self.poll, &pipe, token) {
            let text = format!("cannot watch the output of a program: {e}");
            return self.reports().say(LogLevel::Critical, text);
        }
        entry.sources.push(token);
        let treatment = outlet
            .as_ref()
            .and_then(|(_, course)| course.as_ref())
            .map(|course| Treatment::new(child, output, pid, course));
        let key = outlet.map(|(key, _)| key);
        self.sources.insert(token, Source::new(pipe, Some(child), key, treatment));
        if let Some(key) = key {
            self.using(key);
            if let Some(shared) = self.outlets.get_mut(&key) {
                shared.outlet.is_of(pid);
            }
        }
    }

    /// Writes down what a child has said before it ended, and then answers; where that finds no room, after a while.
    fn finish(&mut self, child: ChildId, last_words: Option<String>, answer: Answer) {
        let entry = self.children.remove(&child).unwrap_or_default();
        for token in &entry.sources {
            if let Some(source) = self.sources.get_mut(token) {
                // At most what a pipe can hold, since a grandchild may go on filling it.
                source.left = Some(source.capacity);
            }
        }
        let tokens = entry.sources.clone();
        self.endings.insert(child, Ending { entry, last_words, answer });
        for token in tokens {
            if self.sources.get(&token).is_some_and(|source| source.watch != Watch::Parked) {
                self.drain(token);
            }
        }
        if self.has_said_all(child) {
            self.end(child);
        } else {
            self.due.insert((clock::now().mono + LAST_WORDS, Due::Ending(child)));
        }
    }

    fn has_said_all(&self, child: ChildId) -> bool {
        self.endings.get(&child).is_some_and(|ending| {
            let mut sources = ending.entry.sources.iter().filter_map(|token| self.sources.get(token));
            sources.all(|source| source.left.is_none())
        })
    }

    /// A child's end is told, whether or not all it said could be written.
    fn end(&mut self, child: ChildId) {
        let Some(Ending { entry, last_words, answer }) = self.endings.remove(&child) else { return };
        if let Some(words) = last_words
            && let Some(key) = entry.outlets.iter().map(|(key, _)| key).max()
            && let Some(shared) = self.outlets.get_mut(key)
        {
            // To standard error, or where that goes.
            let key = *key;
            shared.outlet.add(&words, &self.parts.reports);
            self.see_to(key);
        }
        let open: Vec<u64> =
            entry.sources.iter().copied().filter(|token| self.sources.contains_key(token)).collect();
        let lingers = !open.is_empty();
        self.lingering.extend(open.into_iter().map(|token| (token, child)));
        for (key, _) in &entry.outlets {
            self.limit_lingering(*key);
        }
        self.release_all(&entry);
        match answer {
            Answer::Drained => self.notify(Notice::Drained { child, lingers }),
            Answer::Dry if !lingers => self.notify(Notice::Dry { child }),
            Answer::Dry => {}
        }
    }

    /// Of programs that end again and again while their log takes nothing, only the last runs are kept waiting: each holds descriptors,
    /// and others need some, too.
    fn limit_lingering(&mut self, key: Key) {
        let Some(shared) = self.outlets.get(&key) else { return };
        let of_the_dead = shared.parked.iter().copied().filter(|token| self.lingering.contains_key(token));
        let mut of_the_dead: Vec<u64> = of_the_dead.collect();
        of_the_dead.sort_unstable();
        let too_many = of_the_dead.len().saturating_sub(MOST_LINGERING);
        for token in of_the_dead.into_iter().take(too_many) {
            self.give_up(token, key);
        }
    }

    /// What is in this pipe is counted, and not kept.
    fn give_up(&mut self, token: u64, key: Key) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        let (mut flow, mut bytes) = (Flow::Some(0), 0);
        // A grandchild may go on filling it.
        while let Flow::Some(_) = flow
            && bytes <= source.capacity
        {
            flow = self.carrier.read(&source.pipe).0;
            bytes += if let Flow::Some(n) = flow { n } else { 0 };
        }
        source.left = None;
        if let Some(shared) = self.outlets.get_mut(&key) {
            shared.outlet.lose(bytes, "its program ended again and again meanwhile", &self.parts.reports);
            if flow == Flow::Ended {
                shared.parked.retain(|parked| *parked != token);
            }
        }
        if flow == Flow::Ended {
            self.close(token);
        }
    }

    /// Reads what was in the pipe when its child ended, as far as there is room for it.
    fn drain(&mut self, token: u64) {
        while let Some(left) = self.sources.get(&token).and_then(|source| source.left) {
            self.beat();
            let flow = self.read(token);
            let Some(source) = self.sources.get_mut(&token) else { return };
            match flow {
                Flow::Some(n) if n < left => source.left = Some(left - n),
                Flow::Some(_) | Flow::Dry => source.left = None,
                Flow::Ended => self.close(token),
                Flow::NoRoom => return self.park(token),
            }
        }
    }

    // --- bytes ---

    /// A pipe has something, or its time has come.
    fn flow(&mut self, token: u64) {
        // What is parked waits, though it was told of in the same breath.
        let Some(source) = self.sources.get(&token).filter(|source| source.watch != Watch::Parked) else {
            return;
        };
        let now = clock::now().mono;
        let most = match source.heat.is_hot() {
            // What comes meanwhile waits for the next time: of a program that never pauses there would be no end.
            true => usize::try_from(ioctl_fionread(&source.pipe).unwrap_or(0)).unwrap_or(usize::MAX).max(1),
            false => 1,
        };
        let mut bytes = 0;
        while bytes < most {
            match self.read(token) {
                Flow::Some(n) => bytes += n,
                Flow::Dry => break,
                Flow::Ended => return self.close(token),
                Flow::NoRoom => return self.park(token),
            }
        }
        self.heat(token, now, bytes);
    }

    fn tick(&mut self, token: u64, at: Mono) {
        // It may have been parked meanwhile, or closed.
        if self.sources.get(&token).is_some_and(|source| source.watch == Watch::Tick(at)) {
            self.flow(token);
        }
    }

    /// A pipe was read: when it is read next.
    fn heat(&mut self, token: u64, now: Mono, bytes: usize) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        let mut next = source.heat.woke(now, bytes, source.capacity);
        if next == Next::Grow {
            if self.grown < GROWN_AT_MOST
                && let Ok(capacity) = fcntl_setpipe_size(&source.pipe, GROWN)
            {
                source.capacity = capacity;
                self.grown += 1;
            }
            next = source.heat.grown(now, source.capacity);
        }
        match next {
            Next::Listen | Next::Grow => self.listen(token),
            Next::Cool => {
                self.shrink(token);
                self.listen(token);
            }
            Next::At(at) => self.wait_until(token, at),
            // Behind whatever is due now.
            Next::Again => self.wait_until(token, Mono(clock::now().mono.0 + 1)),
        }
    }

    fn shrink(&mut self, token: u64) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        if source.capacity >= GROWN
            && let Ok(capacity) = fcntl_setpipe_size(&source.pipe, PIPE)
        {
            source.capacity = capacity;
            self.grown = self.grown.saturating_sub(1);
        }
    }

    fn wait_until(&mut self, token: u64, at: Mono) {
        self.unwatch(token);
        if let Some(source) = self.sources.get_mut(&token) {
            source.watch = Watch::Tick(at);
            self.hot += 1;
            self.due.insert((at, Due::Tick(token)));
        }
    }

    fn listen(&mut self, token: u64) {
        let Some(source) = self.sources.get(&token) else { return };
        if source.watch == Watch::Listening {
            return;
        }
        self.unwatch(token);
        let Some(source) = self.sources.get_mut(&token) else { return };
        source.watch = Watch::Listening;
        if let Err(e) = listen(&self.poll, &source.pipe, token) {
            let text = format!("cannot watch the output of a program any more: {e}");
            self.parts.reports.say(LogLevel::Critical, text);
        }
    }

    /// From now on nothing is known of it.
    fn unwatch(&mut self, token: u64) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        match source.watch {
            // Closing would do, were there not the keeper's copy of the pipe; and what has hung up would be told of again and again.
            Watch::Listening => drop(epoll::delete(&self.poll, &source.pipe)),
            Watch::Tick(at) => {
                self.due.remove(&(at, Due::Tick(token)));
                self.hot -= 1;
            }
            Watch::Parked => {}
        }
        source.watch = Watch::Parked;
    }

    /// One piece out of a pipe, to where it goes.
    fn read(&mut self, token: u64) -> Flow {
        let Some(source) = self.sources.get_mut(&token) else { return Flow::Dry };
        let treatment = source.treatment.as_deref_mut();
        if treatment.as_ref().is_some_and(|treatment| treatment.tells()) && self.parts.reports.are_too_many()
        {
            return Flow::NoRoom;
        }
        let Some(key) = source.outlet else { return self.carrier.read(&source.pipe).0 };
        let Some(shared) = self.outlets.get_mut(&key) else { return self.carrier.read(&source.pipe).0 };
        if !shared.parked.is_empty() {
            // There may be room by now, but others were here before.
            return Flow::NoRoom;
        }
        let flow = shared.outlet.carry(&source.pipe, treatment, &mut self.carrier, &self.parts.reports);
        self.see_to(key);
        flow
    }

    fn close(&mut self, token: u64) {
        self.unwatch(token);
        self.shrink(token);
        self.end_treatment(token, Parting::End);
        let Some(source) = self.sources.remove(&token) else { return };
        if let Some(key) = source.outlet {
            self.release(key);
        }
        if let Some(child) = self.lingering.remove(&token)
            && self.lingering.values().all(|other| *other != child)
        {
            self.notify(Notice::Dry { child });
        }
    }

    /// What a treatment has held back goes where it belongs.
    fn end_treatment(&mut self, token: u64, parting: Parting) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        if let (Some(mut treatment), Some(key)) = (source.treatment.take(), source.outlet)
            && let Some(shared) = self.outlets.get_mut(&key)
        {
            shared.outlet.finish(&mut treatment, parting, &mut self.carrier, &self.parts.reports);
            self.see_to(key);
        }
    }

    // --- waiting for room ---

    /// Nothing is read from this one until its outlet has room.
    fn park(&mut self, token: u64) {
        self.unwatch(token);
        let Some(source) = self.sources.get_mut(&token) else { return };
        let Some(key) = source.outlet else { return };
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        shared.parked.push_back(token);
        let is_held_up = !shared.outlet.takes_more();
        match &mut shared.wait {
            // Its listeners have to catch up.
            None => self.begin_to_wait(key),
            // They as well, and nobody knows when there is room.
            Some(Wait { timer: Some(timer), .. }) if !is_held_up => {
                self.due.remove(&(*timer, Due::Room(key)));
                *timer = (*timer).min(clock::now().mono + SHORTLY);
                self.due.insert((*timer, Due::Room(key)));
            }
            Some(_) => {}
        }
    }

    /// Whatever has just been done to an outlet: if something of it is left to do, it waits.
    fn see_to(&mut self, key: Key) {
        let Some(shared) = self.outlets.get(&key) else { return };
        if shared.wait.is_none() && (!shared.outlet.has_room() || shared.outlet.owes_a_mark()) {
            self.begin_to_wait(key);
        }
    }

    fn begin_to_wait(&mut self, key: Key) {
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        let since = clock::now().mono;
        shared.wait = Some(Wait { since, is_told: false, timer: None });
        self.due.insert((since + LONG, Due::Tell(key)));
        self.wait_for_room(key);
    }

    fn wait_for_room(&mut self, key: Key) {
        let Some(Shared { outlet, wait: Some(wait), parked, .. }) = self.outlets.get_mut(&key) else {
            return;
        };
        let mut is_watched = false;
        for fd in outlet.waits_for() {
            let token = self.next_token;
            self.next_token += 1;
            let flags = EventFlags::OUT | EventFlags::ONESHOT;
            // A device that knows no waiting is tried again after a while.
            if epoll::add(&self.poll, fd, EventData::new_u64(token), flags).is_ok() {
                self.rooms.insert(token, key);
                is_watched = true;
            }
        }
        let now = clock::now().mono;
        let at = match outlet.try_again() {
            Some(at) => at.max(now + SHORTLY),
            None if outlet.takes_more() && !parked.is_empty() => now + SHORTLY,
            // A descriptor may be another one by then: a connection that was lost.
            None if is_watched => now + LOOK_AGAIN,
            None => now + TRY_AGAIN,
        };
        wait.timer = Some(at);
        self.due.insert((at, Due::Room(key)));
    }

    /// There may be room: what waits is tried again, and those who were parked go on, in their order.
    fn try_again(&mut self, key: Key) {
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        let Some(wait) = &mut shared.wait else { return };
        self.rooms.retain(|_, other| *other != key);
        if let Some(timer) = wait.timer.take() {
            self.due.remove(&(timer, Due::Room(key)));
        }
        for fd in shared.outlet.descriptors() {
            let _ = epoll::delete(&self.poll, fd);
        }
        shared.outlet.push(&mut self.carrier, &self.parts.reports);
        let mut parked = std::mem::take(&mut shared.parked);
        let takes_more =
            |lane: &Lane| lane.outlets.get(&key).is_some_and(|shared| shared.outlet.takes_more());
        while !self.rests
            && takes_more(self)
            && let Some(token) = parked.pop_front()
        {
            self.resume(token);
        }
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        // Who found no room again was the first, and stays it.
        shared.parked.append(&mut parked);
        if !shared.parked.is_empty() || !shared.outlet.has_room() || shared.outlet.owes_a_mark() {
            return self.wait_for_room(key);
        }
        if let Some(wait) = shared.wait.take() {
            self.due.remove(&(wait.since + LONG, Due::Tell(key)));
            if wait.is_told {
                shared.outlet.tell_of_room(&self.parts.reports);
            }
        }
        if shared.users == 0 {
            self.outlets.remove(&key);
        }
        self.answer_call();
    }

    /// Reads on, until there is no room again.
    fn resume(&mut self, token: u64) {
        let Some(source) = self.sources.get(&token) else { return };
        let child = source.child;
        if source.left.is_some() {
            // Until it is parked again, or has nothing more to say.
            self.listen(token);
            self.drain(token);
        } else {
            self.listen(token);
            self.flow(token);
        }
        if let Some(child) = child
            && self.has_said_all(child)
        {
            self.end(child);
        }
    }

    fn tell_of(&mut self, key: Key) {
        let Some(Shared { outlet, wait: Some(wait), .. }) = self.outlets.get_mut(&key) else { return };
        if key != Key::MainLog && !std::mem::replace(&mut wait.is_told, true) {
            outlet.tell_of_long(LONG, &self.parts.reports);
        }
    }

    /// Whoever has called is answered when nothing is in our hands that would be gone with us.
    fn answer_call(&mut self) {
        if self.is_called && !self.outlets.values().any(|shared| shared.outlet.holds()) {
            self.is_called = false;
            self.notify(Notice::Free);
        }
    }

    // --- files ---

    fn using(&mut self, key: Key) {
        if let Some(shared) = self.outlets.get_mut(&key) {
            shared.users += 1;
        }
    }

    fn release_all(&mut self, child: &Child) {
        for (key, _) in &child.outlets {
            self.release(*key);
        }
    }

    fn release(&mut self, key: Key) {
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        shared.users -= 1;
        // What waits for room keeps it.
        if shared.users == 0 && shared.wait.is_none() {
            self.outlets.remove(&key);
        }
    }

    /// Whether or not somebody writes there now.
    fn do_to(&mut self, key: Key, deed: LogDeed, plan: OutletPlan) -> Result<(), String> {
        let Some(shared) = self.outlets.get_mut(&key) else { return outlet::do_to_closed(deed, plan) };
        let result = shared.outlet.do_to(deed);
        if deed == LogDeed::Clear {
            let of_this = self.sources.values_mut().filter(|source| source.outlet == Some(key));
            of_this
                .filter_map(|source| source.treatment.as_mut())
                .for_each(|treatment| treatment.forget_captured());
        }
        self.try_again(key);
        result
    }

    fn reopen(&mut self) {
        // What was said before belongs into the file of before.
        self.say_all();
        for shared in self.outlets.values_mut() {
            shared.outlet.reopen(&self.parts.reports);
        }
        let waiting = self.outlets.iter().filter(|(_, shared)| shared.wait.is_some());
        for key in waiting.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.try_again(key);
        }
    }

    // --- the end ---

    /// Writes all that is in the main log's pipe.
    fn say_all(&mut self) {
        while let Flow::Some(_) = self.read(MAIN_LOG) {}
    }

    /// What is held back of what programs have said goes where it belongs.
    fn part(&mut self, parting: Parting) {
        for token in self.sources.keys().copied().collect::<Vec<_>>() {
            self.end_treatment(token, parting);
        }
    }

    /// Whether the end may come: nothing is stuck, or it has been waited for.
    fn has_come_to_rest(&self) -> bool {
        let Some(Quitting { until, for_good, .. }) = &self.quitting else { return false };
        let is_stuck = |shared: &Shared| {
            let waits = shared.wait.is_some() && !shared.outlet.has_room();
            shared.outlet.holds() || (*for_good && waits)
        };
        !self.outlets.values().any(is_stuck) || clock::now().mono >= *until
    }

    /// Whether the end has come: nothing waits any more, or it has waited long enough.
    fn has_quit(&mut self) -> bool {
        if !self.has_come_to_rest() {
            return false;
        }
        if !std::mem::replace(&mut self.rests, true) {
            // Whoever still writes is no longer heard.
            self.part(Parting::End);
            if !self.has_come_to_rest() {
                return false;
            }
        }
        let Some(Quitting { lines, for_good, .. }) = self.quitting.take() else { return false };
        self.say_all();
        let mut lost = Vec::new();
        for (_, shared) in self.outlets.iter().filter(|(key, _)| **key != Key::MainLog) {
            let pipes = shared.parked.iter().filter_map(|token| self.sources.get(token));
            let unread: u64 = pipes.map(|source| ioctl_fionread(&source.pipe).unwrap_or(0)).sum();
            let unread = if for_good { unread } else { 0 };
            lost.extend(shared.outlet.rest(unread, for_good));
        }
        match self.outlets.get_mut(&Key::MainLog) {
            // The main loop has said its last words, and ours can only be put before them.
            Some(main_log) => {
                let lost: String = lost.iter().map(|text| outlet::main_line(text)).collect();
                let lines = lost + &String::from_utf8_lossy(&lines);
                main_log.outlet.add(&lines, &self.parts.reports);
            }
            None => lost.into_iter().for_each(|text| self.reports().say(LogLevel::Critical, text)),
        }
        true
    }
}

/// Says what there is to say; what is left.
fn told_of(recovered: Recovered, reports: &Reports) -> Vec<Stalled> {
    for (level, text) in recovered.said {
        reports.say(level, text);
    }
    let told = recovered.stalled.into_iter().map(|(stalled, e)| {
        let (path, bytes) = (stalled.path().display(), stalled.left());
        if e.kind() != io::ErrorKind::WouldBlock {
            let text = format!("cannot write to {path}: {e}; {bytes} bytes that a brain died writing wait");
            reports.say(LogLevel::Critical, text);
        }
        stalled
    });
    told.collect()
}

/// What is left of it.
fn try_again(journal: &mut Journal, stalled: Vec<Stalled>) -> Vec<Stalled> {
    let tried = stalled.into_iter().map(|mut stalled| {
        if let Ok(to) = recovery::open_or_make(stalled.path()) {
            // What remains tells how it went.
            let _ = journal.put_aside(&mut stalled, &to);
        }
        stalled
    });
    tried.filter(|stalled| stalled.left() > 0).collect()
}

fn listen(poll: &OwnedFd, pipe: &OwnedFd, token: u64) -> rustix::io::Result<()> {
    epoll::add(poll, pipe, EventData::new_u64(token), EventFlags::IN)
}

impl Shared {
    fn new(outlet: Outlet, users: usize) -> Shared {
        Shared { outlet, users, parked: VecDeque::new(), wait: None }
    }
}

impl Source {
    fn new(
        pipe: OwnedFd,
        child: Option<ChildId>,
        outlet: Option<Key>,
        treatment: Option<Box<Treatment>>,
    ) -> Source {
        let capacity = fcntl_getpipe_size(&pipe).unwrap_or(PIPE);
        let heat = Heat::default();
        Source { pipe, child, outlet, treatment, watch: Watch::Listening, heat, capacity, left: None }
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
