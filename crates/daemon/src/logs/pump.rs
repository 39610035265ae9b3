//! The pump: one thread, one epoll, one journal; programs' output in, log files out.
//!
//! Before anything else it finishes what a dead brain had begun to write (`journal.rs`).
//! Orders come from the main loop, notices go back to it. For each child the order is: `Open` (its files are there, or why
//! not), `Watch` (it runs, here are its pipes), `Finish` (it has ended: write down all it had said, then tell). A pipe
//! that somebody else still holds open, a grandchild, stays watched until its own end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use provost_core::{ChildId, ProcessId};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;

use super::carry::Carrier;
use super::journal::{Flow, Journal};
use super::main_log::MainLog;
use super::main_sink::{MainFile, MainSink};
use super::sink::{self, Destination, Sink, Trouble};
use crate::leftovers::Change;
use crate::thread;
use crate::wake::{Bell, Post};

/// What a pipe holds, where it cannot be asked.
const PIPE: usize = 64 * 1024;
/// What is queued is written in a blink where it can be written at all.
const SOON: Duration = Duration::from_secs(1);
/// The tokens of the bell and of the main log's pipe; sources count on from there.
const BELL: u64 = 0;
const MAIN_LOG: u64 = 1;

/// Which output of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

/// The child that has taken the place of one that has ended, and its files.
#[derive(Debug)]
pub(crate) struct Heir {
    pub(crate) child: ChildId,
    pub(crate) process: ProcessId,
    pub(crate) sinks: Vec<(Output, Destination)>,
}

/// What the main loop wants of the pump.
#[derive(Debug)]
pub(crate) enum Order {
    /// Make ready for a child: open its files. Answered by `Notice::Opened`. For one that `runs` already nobody is waited for.
    Open { child: ChildId, process: ProcessId, sinks: Vec<(Output, Destination)>, runs: bool },
    /// The child runs; without a file its output is read and dropped.
    Watch { child: ChildId, stdout: OwnedFd, stderr: Option<OwnedFd> },
    /// The child never came to be.
    Cancel { child: ChildId },
    /// The child has ended: drain its pipes, add these words to its standard error, and open the files of the one
    /// that has taken its place, which runs already. Answered by `Notice::Drained`.
    Finish { child: ChildId, last_words: Option<String>, heir: Option<Heir> },
    /// The output of a child that ended under an earlier brain, and that somebody else still holds open. Answered by
    /// `Notice::Dry` at its end.
    Linger { heir: Heir, stdout: OwnedFd, stderr: Option<OwnedFd> },
    /// Empty the log files of a process. Answered by `Notice::Cleared`.
    Clear { process: ProcessId, paths: Vec<(Output, Arc<Path>)> },
    /// Write down that a child runs, or that it has ended.
    Record(Change),
    /// Open every file anew by its name.
    Reopen,
    /// Say that it is your turn: answered by `Notice::Free`.
    Call,
    /// Write what is queued, these lines for the main log last, and end.
    Quit(Vec<u8>),
}

/// What the pump tells the main loop.
#[derive(Debug)]
pub(crate) enum Notice {
    /// With the error number where a file could not be opened.
    Opened { child: ChildId, result: Result<(), i32> },
    /// Whether somebody else still holds its output open: then `Dry` follows.
    Drained { child: ChildId, lingers: bool },
    /// Nobody holds the output of a child open any more that had ended before.
    Dry { child: ChildId },
    /// Nothing keeps the pump from its work: whatever it was writing to has taken it.
    Free,
    /// With the text of what prevented it.
    Cleared { process: ProcessId, result: Result<(), String> },
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) orders: Post<Order>,
    thread: JoinHandle<()>,
    ended: Receiver<Infallible>,
}

impl Pump {
    /// Starts the thread. What comes through the pipe goes to the main log, and to standard output if `copy`. Without a
    /// journal what is on its way when the brain dies is lost.
    pub(crate) fn start(
        (pipe, main_log): (OwnedFd, MainFile),
        copy: bool,
        journal: io::Result<Journal>,
        notices: Post<Notice>,
    ) -> io::Result<Pump> {
        let bell = Bell::new()?;
        let (orders, queue) = Post::new(&bell);
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        let (alive, ended) = channel();
        epoll::add(&poll, &pipe, epoll::EventData::new_u64(MAIN_LOG), epoll::EventFlags::IN)?;
        let mut main_log = MainSink::new(pipe, main_log, copy);
        let journal = journal.inspect_err(|e| main_log.trouble(&no_journal(e))).ok();
        let worker = Worker {
            poll,
            bell,
            queue,
            notices,
            main_log,
            carrier: Carrier::new(journal),
            sinks: BTreeMap::new(),
            sources: BTreeMap::new(),
            children: BTreeMap::new(),
            lingering: BTreeMap::new(),
            next_token: MAIN_LOG + 1,
            record_is_troubled: false,
            _alive: alive,
        };
        let thread = thread::start("pump", move || worker.run())?;
        Ok(Pump { orders, thread, ended })
    }

    /// Ends the thread after everything queued has been written, and everything that the log has to say.
    pub(crate) fn stop(self, log: MainLog) {
        self.orders.send(Order::Quit(log.into_waiting()));
        // A panic there has ended all of us.
        let _ = self.thread.join();
    }

    /// The same, but a disk that does not answer is not waited for.
    pub(crate) fn stop_soon(self, log: MainLog) {
        self.orders.send(Order::Quit(log.into_waiting()));
        // Ends with the thread, which never sends anything.
        let _ = self.ended.recv_timeout(SOON);
    }
}

type SinkKey = (ProcessId, Output);
type OpenSink = fn(Destination) -> io::Result<Sink>;

/// A file that one or more sources write to.
#[derive(Debug)]
struct Shared {
    sink: Sink,
    users: usize,
    /// Said once, until a write succeeds again.
    troubled: bool,
}

/// A pipe that is watched.
#[derive(Debug)]
struct Source {
    pipe: OwnedFd,
    sink: Option<SinkKey>,
}

/// A child between `Open` and `Finish`.
#[derive(Debug, Default)]
struct Child {
    sinks: Vec<SinkKey>,
    sources: Vec<u64>,
}

struct Worker {
    poll: OwnedFd,
    bell: Bell,
    queue: Receiver<Order>,
    notices: Post<Notice>,
    main_log: MainSink,
    sinks: BTreeMap<SinkKey, Shared>,
    sources: BTreeMap<u64, Source>,
    children: BTreeMap<ChildId, Child>,
    /// Sources of children that have ended.
    lingering: BTreeMap<u64, ChildId>,
    next_token: u64,
    /// Said once, until a write succeeds again.
    record_is_troubled: bool,
    /// Nobody ever says anything through it: its end is ours.
    _alive: Sender<Infallible>,
    carrier: Carrier,
}

impl Worker {
    fn run(mut self) {
        if let Some((level, text)) = self.carrier.journal().and_then(Journal::recover) {
            self.main_log.say(level, &text);
        }
        let mut events = Vec::with_capacity(256);
        loop {
            events.clear();
            match epoll::wait(&self.poll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                // Nothing that epoll can answer here is anything but a mistake of ours.
                Err(e) => return self.main_log.trouble(&format!("the log pump cannot go on: {e}")),
            }
            for event in &events {
                match event.data.u64() {
                    BELL => {
                        self.bell.silence();
                        if !self.obey_all() {
                            return;
                        }
                    }
                    MAIN_LOG => drop(self.main_log.carry(&mut self.carrier)),
                    token => self.flow(token),
                }
            }
        }
    }

    /// Carries out every order that waits; false at the end.
    fn obey_all(&mut self) -> bool {
        loop {
            match self.queue.try_recv() {
                Ok(Order::Quit(lines)) => {
                    self.say_all();
                    self.main_log.write(&lines);
                    return false;
                }
                Ok(order) => self.obey(order),
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                // The brain has ended without a word; so do we.
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open { child, process, sinks, runs } => {
                let open = if runs { Sink::open_at_once } else { Sink::open };
                let result = self.open(child, process, sinks, open);
                self.notices.send(Notice::Opened { child, result });
            }
            Order::Watch { child, stdout, stderr } => {
                self.watch(child, Output::Stdout, stdout);
                if let Some(stderr) = stderr {
                    self.watch(child, Output::Stderr, stderr);
                }
            }
            Order::Cancel { child } => {
                if let Some(child) = self.children.remove(&child) {
                    self.release(&child.sinks);
                }
            }
            Order::Finish { child, last_words, heir } => {
                let lingers = self.finish(child, last_words);
                if let Some(heir) = heir {
                    self.inherit(heir);
                }
                self.notices.send(Notice::Drained { child, lingers });
            }
            Order::Linger { heir, stdout, stderr } => {
                let child = heir.child;
                self.inherit(heir);
                self.watch(child, Output::Stdout, stdout);
                if let Some(stderr) = stderr {
                    self.watch(child, Output::Stderr, stderr);
                }
                if !self.finish(child, None) {
                    self.notices.send(Notice::Dry { child });
                }
            }
            Order::Clear { process, paths } => {
                let result =
                    paths.into_iter().try_for_each(|(output, path)| self.clear((process, output), &path));
                self.notices.send(Notice::Cleared { process, result });
            }
            Order::Record(change) => {
                let written = change.write();
                if let (Err(e), false) = (&written, self.record_is_troubled) {
                    self.main_log
                        .trouble(&format!("cannot write down what runs, for the next supervisord: {e}"));
                }
                self.record_is_troubled = written.is_err();
            }
            Order::Reopen => {
                // What was said before belongs into the file of before.
                self.say_all();
                self.reopen();
            }
            Order::Call => drop(self.notices.send(Notice::Free)),
            Order::Quit(_) => {}
        }
    }

    /// Writes all that is in the main log's pipe.
    fn say_all(&mut self) {
        while let Flow::Some(_) = self.main_log.carry(&mut self.carrier) {}
    }

    // --- a child's life ---

    fn open(
        &mut self,
        child: ChildId,
        process: ProcessId,
        wanted: Vec<(Output, Destination)>,
        open: OpenSink,
    ) -> Result<(), i32> {
        let sinks = self.open_sinks(process, wanted, open)?;
        self.children.insert(child, Child { sinks, sources: Vec::new() });
        Ok(())
    }

    /// The files of a child that runs already: one that cannot be opened is no reason to end it.
    fn inherit(&mut self, Heir { child, process, sinks }: Heir) {
        let mut opened = Vec::with_capacity(sinks.len());
        for (output, destination) in sinks {
            let path = destination.path.clone();
            match self.open_sinks(process, vec![(output, destination)], Sink::open_at_once) {
                Ok(keys) => opened.extend(keys),
                Err(errno) => {
                    let why = io::Error::from_raw_os_error(errno);
                    self.main_log
                        .trouble(&format!("cannot open {}: {why}; output is being lost", path.display()));
                }
            }
        }
        self.children.insert(child, Child { sinks: opened, sources: Vec::new() });
    }

    fn open_sinks(
        &mut self,
        process: ProcessId,
        wanted: Vec<(Output, Destination)>,
        open: OpenSink,
    ) -> Result<Vec<SinkKey>, i32> {
        let mut opened = Vec::with_capacity(wanted.len());
        for (output, destination) in wanted {
            let key = (process, output);
            // The last child's file may still be open: a grandchild of it writes there.
            if let Entry::Vacant(place) = self.sinks.entry(key) {
                match open(destination) {
                    Ok(sink) => drop(place.insert(Shared { sink, users: 0, troubled: false })),
                    Err(e) => {
                        self.release(&opened);
                        return Err(e.raw_os_error().unwrap_or(0));
                    }
                }
            }
            self.using(key);
            opened.push(key);
        }
        Ok(opened)
    }

    fn watch(&mut self, child: ChildId, output: Output, pipe: OwnedFd) {
        let entry = self.children.entry(child).or_default();
        let sink = entry.sinks.iter().copied().find(|(_, o)| *o == output);
        let token = self.next_token;
        self.next_token += 1;
        let data = epoll::EventData::new_u64(token);
        if let Err(e) = epoll::add(&self.poll, &pipe, data, epoll::EventFlags::IN) {
            return self.main_log.trouble(&format!("cannot watch the output of a program: {e}"));
        }
        entry.sources.push(token);
        self.sources.insert(token, Source { pipe, sink });
        if let Some(key) = sink {
            self.using(key);
        }
    }

    /// Returns whether somebody else still holds its output open.
    fn finish(&mut self, child: ChildId, last_words: Option<String>) -> bool {
        let Some(entry) = self.children.remove(&child) else { return false };
        for token in &entry.sources {
            self.drain(*token);
        }
        let open: Vec<u64> =
            entry.sources.into_iter().filter(|token| self.sources.contains_key(token)).collect();
        let lingers = !open.is_empty();
        self.lingering.extend(open.into_iter().map(|token| (token, child)));
        if let Some(words) = last_words {
            // To standard error, or where that goes.
            if let Some(key) = entry.sinks.iter().max().copied() {
                self.write(key, words.as_bytes());
            }
        }
        self.release(&entry.sinks);
        lingers
    }

    /// Reads all that was in the pipe when its writer ended: at most what a pipe can hold, since
    /// a grandchild may go on filling it.
    fn drain(&mut self, token: u64) {
        let Some(source) = self.sources.get(&token) else { return };
        let mut left = rustix::pipe::fcntl_getpipe_size(&source.pipe).unwrap_or(PIPE);
        loop {
            match self.read(token) {
                Flow::Some(n) if n < left => left -= n,
                Flow::Some(_) | Flow::Dry => return,
                Flow::Ended => return self.close(token),
            }
        }
    }

    // --- bytes ---

    fn flow(&mut self, token: u64) {
        if self.read(token) == Flow::Ended {
            self.close(token);
        }
    }

    /// One piece out of a pipe, into its file.
    fn read(&mut self, token: u64) -> Flow {
        let Some(source) = self.sources.get(&token) else { return Flow::Dry };
        let mut shared = source.sink.and_then(|key| self.sinks.get_mut(&key));
        let (flow, result) = self.carrier.carry(&source.pipe, shared.as_mut().map(|shared| &mut shared.sink));
        if let (Flow::Some(_), Some(shared)) = (flow, shared) {
            shared.note(result, &mut self.main_log);
        }
        if let Some(e) = self.carrier.take_refusal() {
            self.main_log.trouble(&no_journal(&e));
        }
        flow
    }

    fn write(&mut self, key: SinkKey, bytes: &[u8]) {
        let Some(shared) = self.sinks.get_mut(&key) else { return };
        let result = shared.sink.write(bytes);
        shared.note(result, &mut self.main_log);
    }

    fn close(&mut self, token: u64) {
        let Some(source) = self.sources.remove(&token) else { return };
        // Closing would remove it too, were there not the keeper's copy of the pipe.
        let _ = epoll::delete(&self.poll, &source.pipe);
        self.release(source.sink.as_slice());
        if let Some(child) = self.lingering.remove(&token)
            && self.lingering.values().all(|other| *other != child)
        {
            self.notices.send(Notice::Dry { child });
        }
    }

    // --- files ---

    fn using(&mut self, key: SinkKey) {
        if let Some(shared) = self.sinks.get_mut(&key) {
            shared.users += 1;
        }
    }

    fn release(&mut self, keys: &[SinkKey]) {
        for key in keys {
            if let Some(shared) = self.sinks.get_mut(key) {
                shared.users -= 1;
                if shared.users == 0 {
                    self.sinks.remove(key);
                }
            }
        }
    }

    /// Empties a log, whether or not somebody writes to it now.
    fn clear(&mut self, key: SinkKey, path: &Path) -> Result<(), String> {
        let cleared = match self.sinks.get_mut(&key) {
            Some(shared) => shared.sink.clear(),
            None => sink::clear(path),
        };
        cleared.map_err(|e| format!("cannot empty {}: {e}", path.display()))
    }

    fn reopen(&mut self) {
        let mut troubles = Vec::new();
        for shared in self.sinks.values_mut() {
            if let Err(e) = shared.sink.reopen() {
                troubles.push(format!("cannot reopen {}: {e}", shared.sink.path().display()));
            }
        }
        self.main_log.reopen();
        for trouble in troubles {
            self.main_log.trouble(&trouble);
        }
    }
}

impl Shared {
    /// Tells of a trouble once, until it is over.
    fn note(&mut self, result: Result<(), Trouble>, main_log: &mut MainSink) {
        match result {
            Ok(()) => self.troubled = false,
            Err(trouble) if !self.troubled => {
                self.troubled = true;
                main_log.trouble(&trouble.with(self.sink.path()));
            }
            Err(_) => {}
        }
    }
}

fn no_journal(e: &io::Error) -> String {
    format!("cannot keep a journal of output that is on its way: {e}; if the brain dies it is lost")
}
