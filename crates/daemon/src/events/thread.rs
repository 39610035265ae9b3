//! The thread that tells listeners: one epoll over their standard inputs and outputs, and nobody else reads or writes these.
//!
//! In: words of the main loop, and a bell when something was published. Out: events told, answers heard, lines for the main log. A listener that does
//! not read, does not answer, or says what makes no sense is left alone with that: the others go on. Disks are touched
//! here only, for events that find no room in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use provost_config::{LogLevel, ResultHandler};
use provost_core::{ChildId, Mono};
use provost_wire::listener::Listening;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::bus::Bus;
use super::conversation::{Conversation, Listened, Telling};
use super::hearing::{Hearing, Offences};
use super::judge::Judge;
use super::pool::Turn;
use super::spill;
use super::ticks::Ticks;
use super::unit;
use crate::clock;
use crate::logs::Notice;
use crate::thread;
use crate::wake::{Bell, Post};

const BELL: u64 = 0;
const TIMER: u64 = 1;
const STDOUT: u64 = 2;
/// Each child has so many tokens, from that of its number on.
const EACH: u64 = 4;
/// Of these: what it says, what it is told, its log.
const SAYS: u64 = 1;
const IS_TOLD: u64 = 2;
const LOGS: u64 = 3;
/// How long what a listener says waits for more before it goes to its log, while there is more to tell.
const LATER: Duration = Duration::from_millis(1);
/// How long the main loop is left to write lines.
const A_LITTLE: Duration = Duration::from_millis(1);
/// And how often, before the next event is told all the same.
const LITTLES: u32 = 100;
/// One that cannot be told anything has most often ended, which is told of in a moment.
const A_MOMENT: Duration = Duration::from_millis(500);
/// So many reads of one that has ended; it can have said no more than its pipe holds.
const LAST_READS: usize = 64;

/// What the main loop has to say.
#[derive(Debug)]
pub(super) enum Word {
    /// A listener runs.
    Begin(Box<Listener>),
    /// The pipe into which it is told.
    Stdin {
        child: ChildId,
        stdin: OwnedFd,
    },
    /// It has ended: hear what it said last. Answered by `Notice::ListenerGone`.
    Ended {
        child: ChildId,
    },
    /// What its pool has to know of it is another thing now.
    Renewed {
        pool: Arc<str>,
        recovers: bool,
        handler: ResultHandler,
    },
    /// All children of an earlier brain have been told of, but for these `others`.
    AllAreThere {
        others: BTreeSet<ChildId>,
    },
    /// The keeper holds the file of this pool.
    Held {
        pool: Arc<str>,
        file: OwnedFd,
    },
    Quit,
}

/// A listener.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) child: ChildId,
    pub(super) pool: Arc<str>,
    pub(super) process: Arc<str>,
    pub(super) conversation: Conversation,
    pub(super) handler: ResultHandler,
    pub(super) watch: Watch,
    /// It has ended, and its last words are on their way to the log.
    pub(super) is_ending: bool,
    pub(super) offences: Offences,
    /// Nothing can be told to it, and whether that has been said.
    pub(super) is_deaf: Option<Deaf>,
    /// It has answered what it has not been told to the end.
    pub(super) is_early: bool,
    /// By this pid it is found out what it counts, when it is ready for the first time: then it is the program that it is to be.
    pub(super) guess: Option<i32>,
}

#[derive(Debug)]
pub(super) enum Deaf {
    Unsaid(String),
    Said,
}

/// What epoll looks after for a listener.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Watch {
    says: bool,
    is_told: bool,
    logs: bool,
}

/// The main loop's end.
#[derive(Debug)]
pub(super) struct Teller {
    words: Post<Word>,
    ended: Receiver<Infallible>,
}

#[derive(Debug)]
struct Telephone {
    poll: OwnedFd,
    bell: Bell,
    queue: Receiver<Word>,
    bus: Bus,
    notices: Post<Notice>,
    listeners: BTreeMap<ChildId, Listener>,
    ticks: Ticks,
    /// Every pool of an earlier brain is open that is to be: a tick before that would be one that some do not hear.
    all_are_there: bool,
    judge: Judge,
    /// Those whose answers wait until standard output takes more.
    waits_for_stdout: Vec<ChildId>,
    /// Those whose words are to be logged, and when.
    unlogged: BTreeSet<ChildId>,
    log_at: Mono,
    /// Those who are looked at again at that time.
    later: BTreeSet<(Mono, ChildId)>,
    spill: spill::Spill,
    /// When it last woke up.
    now: Mono,
}

impl Teller {
    pub(super) fn start(
        bus: Bus,
        (bell, notices): (Bell, Post<Notice>),
        directory: PathBuf,
    ) -> io::Result<Teller> {
        let (words, queue) = Post::new(&bell);
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let ticks = Ticks::new()?;
        epoll::add(&poll, &bell, EventData::new_u64(BELL), EventFlags::IN)?;
        epoll::add(&poll, ticks.timer(), EventData::new_u64(TIMER), EventFlags::IN)?;
        let telephone = Telephone {
            poll,
            bell,
            queue,
            bus,
            notices,
            listeners: BTreeMap::new(),
            ticks,
            all_are_there: false,
            judge: Judge::default(),
            waits_for_stdout: Vec::new(),
            unlogged: BTreeSet::new(),
            log_at: Mono(0),
            later: BTreeSet::new(),
            spill: spill::Spill::new(directory),
            now: clock::mono(),
        };
        let (alive, ended) = channel();
        thread::start("events", move || {
            telephone.run();
            drop(alive);
        })?;
        Ok(Teller { words, ended })
    }

    pub(super) fn say(&self, word: Word) {
        self.words.send(word);
    }

    /// Ends it; false if it does not answer in time.
    pub(super) fn stop(&self, patience: Duration) -> bool {
        self.words.send(Word::Quit);
        self.ended.recv_timeout(patience) != Err(RecvTimeoutError::Timeout)
    }
}

impl Telephone {
    fn run(mut self) {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            self.leave_time_to_write();
            match epoll::wait(&self.poll, spare_capacity(&mut events), self.timeout().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // Nothing that epoll can answer here is anything but a mistake of ours.
                Err(e) => panic!("the thread that tells listeners cannot go on: {e}"),
            }
            self.now = clock::mono();
            for event in &events {
                match event.data.u64() {
                    BELL => {
                        self.bell.silence();
                        if !self.obey_all() {
                            return;
                        }
                        if self.all_are_there {
                            self.ticks.look_again(&self.bus);
                        }
                        self.tell_all();
                    }
                    TIMER => {
                        self.ticks.ring(&self.bus);
                        self.tell_all();
                    }
                    STDOUT => self.stdout_has_room(),
                    token => self.of_listener(ChildId((token / EACH) as u32), token % EACH),
                }
            }
            if !self.unlogged.is_empty() && self.log_at <= self.now {
                self.log_all();
            }
            if !self.later.is_empty() {
                self.look_again();
            }
            if self.bus.has_chores() {
                for pool in self.bus.go_on(self.now) {
                    self.tell_pool(&pool);
                }
                self.spill.go_on(&self.bus, &self.notices);
            }
            if self.bus.hears_out() {
                self.notices.send(Notice::ListenersHeard);
            }
        }
    }

    /// The main loop has a lot of lines to write. At the end of everything it does not, and is waited for no longer than that.
    fn leave_time_to_write(&self) {
        for _ in 0..LITTLES {
            if !self.bus.has_told_too_much() {
                return;
            }
            std::thread::sleep(A_LITTLE);
        }
    }

    fn timeout(&self) -> Option<Timespec> {
        let log = (!self.unlogged.is_empty()).then_some(self.log_at);
        let later = self.later.first().map(|(at, _)| *at);
        let mut deadlines = [log, later, None, None];
        if self.bus.has_chores() {
            if self.spill.has_work(&self.bus) {
                return Some(clock::timespec(Duration::ZERO));
            }
            (deadlines[2], deadlines[3]) = (self.bus.pause(), self.spill.deadline(&self.bus));
        }
        // epoll_pwait counts in milliseconds where it has to, and rounds up.
        clock::until(deadlines.into_iter().flatten().min())
    }

    /// Carries out every word that waits; false at the end.
    fn obey_all(&mut self) -> bool {
        loop {
            match self.queue.try_recv() {
                Ok(Word::Quit) => return false,
                Ok(word) => self.obey(word),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn obey(&mut self, word: Word) {
        match word {
            Word::Begin(listener) => {
                let child = listener.child;
                self.listeners.insert(child, *listener);
                // An earlier brain may have left something that it had begun to hear.
                self.understand(child);
                self.log_on(child);
                self.watch_says(child, true);
            }
            Word::Stdin { child, stdin } => self.has_stdin(child, stdin),
            Word::Ended { child } => {
                if let Some(listener) = self.listeners.get_mut(&child) {
                    listener.is_ending = true;
                    self.hear_the_last(child);
                } else {
                    self.notices.send(Notice::ListenerGone { child });
                }
            }
            Word::Renewed { pool, recovers, handler } => {
                for listener in self.listeners.values_mut().filter(|listener| listener.pool == pool) {
                    listener.conversation.set_recovers(recovers);
                    listener.handler = handler.clone();
                }
            }
            Word::AllAreThere { others } => {
                self.bus.settle(|child| self.listeners.contains_key(&child) || others.contains(&child));
                self.all_are_there = true;
            }
            Word::Held { pool, file } => spill::is_held(&self.bus, &pool, file),
            // Seen to above.
            Word::Quit => {}
        }
    }

    fn of_listener(&mut self, child: ChildId, what: u64) {
        match what {
            SAYS => self.hear(child),
            IS_TOLD => {
                if let Some(listener) = self.listeners.get_mut(&child) {
                    listener.watch.is_told = false;
                    let telling = listener.conversation.go_on_telling();
                    self.has_been_told(child, telling);
                    // It may have said before that it is ready for the next.
                    self.tell(child);
                }
            }
            LOGS => {
                if let Some(listener) = self.listeners.get_mut(&child) {
                    listener.watch.logs = false;
                    if self.log_on(child) {
                        self.hear_on(child);
                    }
                }
            }
            _ => {}
        }
    }

    // --- hearing ---

    fn hear(&mut self, child: ChildId) {
        let Some(listener) = self.listeners.get_mut(&child) else { return };
        if self.judge.is_full() && listener.handler == ResultHandler::Stdout {
            self.watch_says(child, false);
            self.waits_for_stdout.push(child);
            return self.watch_stdout();
        }
        match listener.conversation.listen() {
            Ok(Listened::Some) => {
                self.understand(child);
                self.log_soon(child);
                self.rest(child);
            }
            Ok(Listened::Nothing) => {}
            Ok(Listened::LogIsFull) => drop(self.log_on(child)),
            // Its end will be told of; until then there is nothing to hear.
            Ok(Listened::Ended) | Err(_) => self.watch_says(child, false),
        }
    }

    /// One that breaks the protocol all the time is left alone for a while.
    fn rest(&mut self, child: ChildId) {
        let Some(Listener { offences, .. }) = self.listeners.get_mut(&child) else { return };
        if let Some(until) = offences.rest() {
            self.later.insert((until, child));
            self.watch_says(child, false);
        }
    }

    /// What was put off has come.
    fn look_again(&mut self) {
        let now = self.now;
        while let Some((_, child)) = self.later.first().copied().filter(|(at, _)| *at <= now) {
            self.later.pop_first();
            let Some(listener) = self.listeners.get_mut(&child) else { continue };
            if let Some(Deaf::Unsaid(text)) = &mut listener.is_deaf {
                let text = std::mem::take(text);
                listener.is_deaf = Some(Deaf::Said);
                self.bus.tell(LogLevel::Warn, text);
            }
            if listener.offences.end_rest() {
                self.hear_on(child);
            }
        }
    }

    /// There may be more to hear of one that was left alone for a while.
    fn hear_on(&mut self, child: ChildId) {
        match self.listeners.get(&child) {
            Some(listener) if listener.is_ending => self.hear_the_last(child),
            Some(listener) if listener.offences.rests() => {}
            Some(_) => self.watch_says(child, true),
            None => {}
        }
    }

    /// What was heard has its consequences, and whoever is ready is told something.
    fn understand(&mut self, child: ChildId) {
        let Some(listener) = self.listeners.get_mut(&child) else { return };
        let Listener { pool, process, conversation, handler, offences, is_early, .. } = listener;
        let told = conversation.is_told();
        let mut said = Hearing { child, pool, process, offences, told, bus: &self.bus };
        let mut state = conversation.state();
        let judge = &mut self.judge;
        conversation.hear(|heard| said.consequence(heard, &mut state, judge, handler));
        *is_early = !told && conversation.state() != Listening::Busy;
        if self.judge.is_full() {
            self.watch_stdout();
        }
        self.note_state(child);
        self.tell(child);
    }

    fn note_state(&mut self, child: ChildId) {
        let Some(Listener { conversation, pool, guess, is_deaf, .. }) = self.listeners.get_mut(&child) else {
            return;
        };
        // Whoever looks is to see that it hears nothing.
        let state = if is_deaf.is_some() { Listening::Unknown } else { conversation.state() };
        let is_ready = conversation.is_ready();
        let unit = if state == Listening::Acknowledged { None } else { guess.take().map(unit::of) };
        let now = self.now;
        let before = self.bus.note(pool, child, |member| {
            let before = member.state;
            if before != state {
                (member.state, member.since) = (state, now);
            }
            member.is_ready = is_ready;
            member.unit = unit.or(member.unit);
            before
        });
        if before.is_some_and(|before| before != state && [before, state].contains(&Listening::Unknown)) {
            self.notices.send(Notice::ListenerChanged);
        }
    }

    /// What was heard goes to the log, at once or with what is heard next.
    fn log_soon(&mut self, child: ChildId) {
        let Some(listener) = self.listeners.get(&child) else { return };
        if !listener.conversation.may_log_later() {
            self.log_on(child);
        } else if self.unlogged.insert(child) && self.unlogged.len() == 1 {
            self.log_at = self.now + LATER;
        }
    }

    fn log_all(&mut self) {
        for child in std::mem::take(&mut self.unlogged) {
            self.log_on(child);
        }
    }

    /// False if its log has no room, and nothing more is heard until then.
    fn log_on(&mut self, child: ChildId) -> bool {
        let Some(listener) = self.listeners.get_mut(&child) else { return false };
        self.unlogged.remove(&child);
        if listener.conversation.log_on() {
            return true;
        }
        let token = token(child, LOGS);
        if !listener.watch.logs {
            let flags = EventFlags::OUT | EventFlags::ONESHOT;
            listener.watch.logs = watch(&self.poll, listener.conversation.log(), token, flags);
        }
        self.watch_says(child, false);
        false
    }

    /// It has ended: what it said last, and then its end.
    fn hear_the_last(&mut self, child: ChildId) {
        for _ in 0..LAST_READS {
            let Some(listener) = self.listeners.get_mut(&child) else { return };
            match listener.conversation.listen() {
                Ok(Listened::Some) => {
                    self.understand(child);
                    if !self.log_on(child) {
                        return;
                    }
                }
                Ok(Listened::LogIsFull) => {
                    if !self.log_on(child) {
                        return;
                    }
                }
                Ok(Listened::Nothing | Listened::Ended) | Err(_) => break,
            }
        }
        self.unwatch(child);
        if let Some(Listener { pool, .. }) = self.listeners.remove(&child) {
            self.bus.leave(&pool, child);
            self.tell_pool(&pool);
        }
        self.notices.send(Notice::ListenerGone { child });
    }

    // --- telling ---

    fn has_stdin(&mut self, child: ChildId, stdin: OwnedFd) {
        let Some(listener) = self.listeners.get_mut(&child) else { return };
        listener.conversation.has_stdin(stdin);
        // What an earlier brain had begun to tell it.
        let out = self.bus.out_with(&listener.pool, child);
        let half = if out.is_none() { self.bus.half_told(&listener.pool, child) } else { None };
        listener.is_early = half.is_some();
        let conversation = &mut listener.conversation;
        if let Some(letter) = &out {
            self.bus.note(&listener.pool, child, |member| member.event = Some(letter.serial));
        }
        let telling = match (out, half, conversation.state()) {
            (Some(letter), _, Listening::Busy) | (None, Some(letter), _) => {
                conversation.was_told(letter.file)
            }
            (Some(letter), _, Listening::Ready) if conversation.is_ready() => conversation.tell(letter),
            (Some(_), _, _) => {
                // It had been chosen to be told this, and has broken the protocol before it was.
                self.bus.returned(&listener.pool, child, false, true);
                Ok(Telling::Done)
            }
            (None, None, _) => Ok(Telling::Done),
        };
        self.has_been_told(child, telling);
    }

    fn tell_all(&mut self) {
        for pool in self.bus.pools() {
            self.tell_pool(&pool);
        }
    }

    fn tell(&mut self, child: ChildId) {
        if let Some(pool) = self.listeners.get(&child).map(|listener| Arc::clone(&listener.pool)) {
            self.tell_pool(&pool);
        }
    }

    /// As long as somebody of this pool is ready, and there is something to tell.
    fn tell_pool(&mut self, pool: &str) {
        while let Some(Turn { child, letter, is_last }) = self.bus.next(pool, self.now) {
            let Some(listener) = self.listeners.get_mut(&child) else {
                self.bus.leave(pool, child);
                continue;
            };
            if self.bus.says(LogLevel::Debug) {
                let text = format!("event {} sent to listener {}", letter.serial, listener.process);
                self.bus.tell(LogLevel::Debug, text);
            }
            let telling = listener.conversation.tell(letter);
            match telling {
                // All that there is to know of it is known.
                Ok(Telling::Done) => {}
                telling => self.has_been_told(child, telling),
            }
            if is_last {
                return;
            }
        }
    }

    fn has_been_told(&mut self, child: ChildId, telling: io::Result<Telling>) {
        let Some(listener) = self.listeners.get_mut(&child) else { return };
        match telling {
            Ok(Telling::Done) => {
                if std::mem::take(&mut listener.is_early) {
                    self.bus.is_told(&listener.pool, child);
                }
                self.note_state(child);
            }
            Ok(Telling::Waits) => {
                let (stdin, watch_it) = (listener.conversation.stdin(), !listener.watch.is_told);
                if let Some(stdin) = stdin.filter(|_| watch_it) {
                    let flags = EventFlags::OUT | EventFlags::ONESHOT;
                    listener.watch.is_told = watch(&self.poll, stdin, token(child, IS_TOLD), flags);
                }
                self.note_state(child);
            }
            Ok(Telling::Deaf) => self.is_deaf(child, "it has closed its standard input"),
            Err(e) => self.is_deaf(child, &format!("its standard input takes nothing: {e}")),
        }
    }

    /// Nothing can be told to it, and what was to be told another may hear.
    fn is_deaf(&mut self, child: ChildId, why: &str) {
        self.unwatch_told(child);
        let Some(listener) = self.listeners.get_mut(&child) else { return };
        let text = format!("{} gets no events until it is started again: {why}", listener.process);
        listener.is_deaf = Some(Deaf::Unsaid(text));
        self.later.insert((clock::now().mono + A_MOMENT, child));
        listener.conversation.is_not_told();
        self.bus.returned(&listener.pool, child, false, true);
        self.bus.is_told(&listener.pool, child);
        self.note_state(child);
    }

    // --- watching ---

    fn watch_says(&mut self, child: ChildId, wanted: bool) {
        let Some(listener) = self.listeners.get_mut(&child) else { return };
        let Some(stdout) = listener.conversation.stdout() else { return };
        match (wanted, listener.watch.says) {
            (true, false) => {
                listener.watch.says = watch(&self.poll, stdout, token(child, SAYS), EventFlags::IN);
            }
            (false, true) => {
                let _ = epoll::delete(&self.poll, stdout);
                listener.watch.says = false;
            }
            (true, true) | (false, false) => {}
        }
    }

    fn unwatch_told(&mut self, child: ChildId) {
        if let Some(listener) = self.listeners.get_mut(&child)
            && let Some(stdin) = listener.conversation.stdin()
        {
            // It may not be there: nothing is watched then.
            let _ = epoll::delete(&self.poll, stdin);
            listener.watch.is_told = false;
        }
    }

    /// Closing would do, were there not the keeper's copies of the pipes.
    fn unwatch(&mut self, child: ChildId) {
        self.watch_says(child, false);
        self.unwatch_told(child);
        if let Some(listener) = self.listeners.get(&child) {
            let _ = epoll::delete(&self.poll, listener.conversation.log());
        }
    }

    fn watch_stdout(&self) {
        if let Some(stdout) = self.judge.waits_for() {
            let _ = epoll::delete(&self.poll, stdout);
            watch(&self.poll, stdout, STDOUT, EventFlags::OUT | EventFlags::ONESHOT);
        }
    }

    fn stdout_has_room(&mut self) {
        self.judge.go_on();
        if self.judge.is_full() {
            return self.watch_stdout();
        }
        for child in std::mem::take(&mut self.waits_for_stdout) {
            self.hear_on(child);
        }
    }
}

fn token(child: ChildId, what: u64) -> u64 {
    u64::from(child.0) * EACH + what
}

/// Whether it is watched from now on.
fn watch(poll: &OwnedFd, fd: impl AsFd, token: u64, flags: EventFlags) -> bool {
    let data = EventData::new_u64(token);
    match epoll::add(poll, &fd, data, flags) {
        Err(Errno::EXIST) => epoll::modify(poll, &fd, data, flags).is_ok(),
        result => result.is_ok(),
    }
}
