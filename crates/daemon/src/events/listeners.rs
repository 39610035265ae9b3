//! Listeners as the main loop sees them: pools open and close, children begin and end, and everything else is done elsewhere.
//!
//! In: what the core wants, what keeper and pump tell of children. Out: words for the thread that tells, things for the keeper to hold, and
//! the pipe that a lane reads in the place of a listener's standard output. The end of a listener is told on when what it said last has
//! been heard; a thread that does not answer, because a disk hangs, is not waited for longer than it is with lanes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use provost_config::{LogLevel, PayloadLength, PoolConfig, ResultHandler};
use provost_core::{ChildId, KillTarget, Mono};
use provost_keeper::{Lent, Link, LinkError, Pipes, ToKeeper};
use provost_wire::listener::Listening;

use super::bus::Bus;
use super::conversation::{self, Conversation, Kept};
use super::pool::Member;
use super::thread::{Listener, Teller, Word};
use super::unit;
use crate::clock;
use crate::kept;
use crate::logs::{Heir, MainLog, Notice, Patience};
use crate::wake::{Bell, Post};

/// How long the last words of a listener are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a listener may take to hear of what has happened before everything ends. Most answer in a moment; who sent the signal that ends
/// everything, as the one-liners of containers do, never does.
const LAST_MOMENT: Duration = Duration::from_millis(250);

/// A signal, and whom of a child it is for.
pub(crate) type Signal = (i32, KillTarget);

/// What is to be done when the last words of a listener have been heard.
#[derive(Debug)]
pub(crate) struct Going {
    pub(crate) child: ChildId,
    pub(crate) last_words: Option<String>,
    pub(crate) heir: Option<Heir>,
    /// The one that has taken its place runs already, and is not watched before.
    pub(crate) successor: Option<(ChildId, i32, Option<Pipes>)>,
}

#[derive(Debug)]
pub(crate) struct Listeners {
    bus: Bus,
    teller: Teller,
    /// Conversations of an earlier brain.
    found: BTreeMap<ChildId, Kept>,
    /// Those whose standard input the keeper has been asked for.
    asked: BTreeSet<ChildId>,
    /// All that have a conversation.
    alive: BTreeSet<ChildId>,
    /// Those of which the keeper holds one.
    kept: BTreeSet<ChildId>,
    /// Those that have ended, and until when their last words are waited for; nothing of one that waits itself for the end of the one whose
    /// place it took.
    going: BTreeMap<ChildId, (Option<Mono>, Going)>,
    /// Everything ends.
    is_ending: bool,
    /// Those that are still told what has happened, until when, and the signals that they get after that.
    hearing: BTreeMap<ChildId, (Mono, Vec<Signal>)>,
    /// Files that the keeper is being given.
    unheld: Vec<(Arc<str>, OwnedFd)>,
}

impl Listeners {
    pub(crate) fn begin(
        held: &mut Vec<(String, OwnedFd)>,
        resumes: bool,
        (identifier, says_debug, directory): (&str, bool, PathBuf),
        notices: &Post<Notice>,
        link: &mut Link,
    ) -> Result<io::Result<Listeners>, LinkError> {
        let bell = match Bell::new() {
            Ok(bell) => bell,
            Err(e) => return Ok(Err(e)),
        };
        let ours = (bell.clone(), notices.clone());
        let bus = match Bus::begin(held, resumes, (identifier, says_debug), ours, link)? {
            Ok(bus) => bus,
            Err(e) => return Ok(Err(e)),
        };
        let found = if resumes { conversations(held) } else { BTreeMap::new() };
        let teller = Teller::start(bus.clone(), (bell, notices.clone()), directory);
        let (asked, alive, kept, going, is_ending, hearing, unheld) = Default::default();
        Ok(teller.map(|teller| Listeners {
            bus,
            teller,
            found,
            asked,
            alive,
            kept,
            going,
            is_ending,
            hearing,
            unheld,
        }))
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }

    // --- pools ---

    pub(crate) fn open(
        &self,
        group: &Arc<str>,
        config: Arc<PoolConfig>,
        processes: Vec<Arc<str>>,
        link: &mut Link,
    ) -> Result<(), LinkError> {
        let (recovers, handler) = (config.listener_recover, config.result_handler.clone());
        self.bus.open(group, config, processes, link)?;
        self.teller.say(Word::Renewed { pool: Arc::clone(group), recovers, handler });
        Ok(())
    }

    /// Where it is the end of everything that it no longer may, it still hears of what has happened by now.
    pub(crate) fn may_hear(&mut self, child: ChildId, may: bool) {
        if !may && self.is_ending && self.bus.hear_out(child) {
            self.hearing.insert(child, (clock::now().mono + LAST_MOMENT, Vec::new()));
        } else {
            self.bus.may_hear(child, may);
        }
    }

    pub(crate) fn everything_ends(&mut self) {
        self.is_ending = true;
    }

    /// Whether a signal for this child waits here until it has heard what it is to hear.
    pub(crate) fn puts_off(&self, child: ChildId) -> bool {
        self.hearing.contains_key(&child)
    }

    /// Keeps a signal until then; what is not put off is given back.
    pub(crate) fn put_off(&mut self, child: ChildId, signal: Signal) -> Option<Signal> {
        match self.hearing.get_mut(&child) {
            Some((_, signals)) => signals.push(signal),
            None => return Some(signal),
        }
        None
    }

    /// It is waited for no longer.
    pub(crate) fn hurry(&mut self, child: ChildId) {
        if let Some((until, _)) = self.hearing.get_mut(&child) {
            *until = clock::now().mono;
        }
    }

    /// One that has heard all, or has had its time, and what it is to get.
    pub(crate) fn has_heard(&mut self) -> Option<(ChildId, Vec<Signal>)> {
        let now = clock::now().mono;
        let mut hearing = self.hearing.iter();
        let (&child, _) =
            hearing.find(|(child, (until, _))| *until <= now || self.bus.has_heard_all(**child))?;
        let (_, signals) = self.hearing.remove(&child)?;
        self.bus.may_hear(child, false);
        Some((child, signals))
    }

    /// Everything that an earlier brain has left has been taken up, or is of no use any more; but for what it had of those that wait for the end
    /// of the one whose place they took.
    pub(crate) fn all_are_there(
        &mut self,
        waits: impl Fn(ChildId) -> bool,
        link: &mut Link,
    ) -> Result<(), LinkError> {
        let gone: Vec<ChildId> = self.found.keys().copied().filter(|child| !waits(*child)).collect();
        for child in gone {
            self.found.remove(&child);
            release(child, link)?;
        }
        self.teller.say(Word::AllAreThere { others: self.found.keys().copied().collect() });
        self.bus.close_unopened(link)
    }

    // --- children ---

    /// A listener runs, and what it says is heard from here on. Returns the pipe that its log is to be read from; the one given where no
    /// conversation can be held.
    pub(crate) fn began(
        &mut self,
        (child, pid): (ChildId, i32),
        (pool, process): (&Arc<str>, &str),
        stdout: OwnedFd,
        is_logged: bool,
        link: &mut Link,
        log: &mut MainLog,
    ) -> Result<OwnedFd, LinkError> {
        let kept = match self.found.remove(&child) {
            Some(kept) => Ok(kept),
            None => {
                let made = Kept::create().and_then(|kept| Ok((kept.share()?, kept)));
                kept::hand_over(made, conversation::held_as(child.0), link)?
            }
        };
        let (kept, to_log) = match kept.and_then(|kept| Ok((kept.log()?, kept))) {
            Ok((to_log, kept)) => (kept, to_log),
            Err(e) => {
                log.write(
                    LogLevel::Critical,
                    &format!("cannot talk to listener '{process}': {e}; it gets no events"),
                );
                return Ok(stdout);
            }
        };
        let customs = self.bus.customs(pool);
        let (handler, recovers, counts) =
            customs.unwrap_or((ResultHandler::Default, false, PayloadLength::Auto));
        let conversation = Conversation::resume(kept, stdout, is_logged, recovers);
        let process: Arc<str> = process.into();
        self.bus.join(
            pool,
            Member {
                child,
                process: Arc::clone(&process),
                pid,
                may_hear: false,
                unit: unit::fixed(counts),
                is_ready: false,
                state: Listening::Acknowledged,
                since: clock::now().mono,
                told: 0,
                event: None,
            },
        );
        let (watch, is_ending, offences, is_deaf, is_early) = Default::default();
        let guess = unit::fixed(counts).is_none().then_some(pid);
        let pool = Arc::clone(pool);
        let listener = Listener {
            child,
            pool,
            process,
            conversation,
            handler,
            watch,
            is_ending,
            offences,
            is_deaf,
            is_early,
            guess,
        };
        self.teller.say(Word::Begin(Box::new(listener)));
        self.alive.insert(child);
        self.kept.insert(child);
        self.asked.insert(child);
        link.send(ToKeeper::Stdin { id: child.0 })?;
        Ok(to_log)
    }

    /// The keeper's answer, if it was for us; else it is given back.
    pub(crate) fn lent(&mut self, child: ChildId, lent: Lent, log: &mut MainLog) -> Option<Lent> {
        if !self.asked.remove(&child) {
            return Some(lent);
        }
        match lent {
            Lent::Pipe(stdin) => self.teller.say(Word::Stdin { child, stdin }),
            Lent::Ended => {}
            Lent::NoPipe | Lent::NoRoom => {
                let text = format!("listener {} has no standard input that events could be told to", child.0);
                log.write(LogLevel::Critical, &text);
            }
        }
        None
    }

    /// It has ended; the rest is done when [`Listeners::is_gone`] says so, or at once, and it is given back, if nobody talks to it.
    pub(crate) fn ended(&mut self, going: Going) -> Option<Going> {
        let child = going.child;
        if self.predecessor(child).is_some() {
            // First that one's end is told on, then what this one said is heard, then its end.
            self.going.insert(child, (None, going));
            return None;
        }
        self.asked.remove(&child);
        self.hearing.remove(&child);
        if !self.alive.remove(&child) {
            return Some(going);
        }
        self.going.insert(child, (Some(clock::now().mono + PATIENCE), going));
        self.teller.say(Word::Ended { child });
        None
    }

    /// The one whose place this child takes, if it has not been heard to the end yet.
    fn predecessor(&mut self, child: ChildId) -> Option<&mut Going> {
        let is_of = |going: &&mut Going| going.heir.as_ref().is_some_and(|heir| heir.child == child);
        self.going.values_mut().map(|(_, going)| going).find(is_of)
    }

    /// The end of this child, if it has waited for its turn.
    pub(crate) fn has_ended(&mut self, child: ChildId) -> Option<Going> {
        self.going.get(&child).filter(|(until, _)| until.is_none())?;
        self.going.remove(&child).map(|(_, going)| going)
    }

    /// The one whose place this child takes has not been heard to the end yet: it is watched after that. Else it is given back.
    pub(crate) fn wait_for_place(
        &mut self,
        child: ChildId,
        pid: i32,
        pipes: Option<Pipes>,
    ) -> Option<(i32, Option<Pipes>)> {
        match self.predecessor(child) {
            Some(going) => {
                going.successor = Some((child, pid, pipes));
                None
            }
            None => Some((pid, pipes)),
        }
    }

    /// Its last words have been heard.
    pub(crate) fn is_gone(&mut self, child: ChildId) -> Option<Going> {
        self.going.remove(&child).map(|(_, going)| going)
    }

    /// All that it said is in its log, and nobody asks for it any more. Until then a new brain may need what is on its way there.
    pub(crate) fn forget(&mut self, child: ChildId, link: &mut Link) -> Result<(), LinkError> {
        if self.kept.remove(&child) || self.found.remove(&child).is_some() {
            release(child, link)?;
        }
        Ok(())
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        let hearing = self.hearing.values().map(|(until, _)| *until);
        self.going.values().filter_map(|(until, _)| *until).chain(hearing).min()
    }

    /// One whose last words have been waited for long enough.
    pub(crate) fn overdue(&self) -> Option<ChildId> {
        let now = clock::now().mono;
        self.going
            .iter()
            .find(|(_, (until, _))| until.is_some_and(|until| until <= now))
            .map(|(child, _)| *child)
    }

    // --- the keeper ---

    /// A file for events that find no room, to be held before anything is in it.
    pub(crate) fn hold_file(
        &mut self,
        (name, fd): (String, OwnedFd),
        (pool, file): (Arc<str>, OwnedFd),
        link: &mut Link,
    ) -> Result<(), LinkError> {
        self.unheld.push((pool, file));
        link.send(ToKeeper::Hold { name, fd })?;
        self.look_after(link);
        Ok(())
    }

    /// What has reached the keeper may be used.
    pub(crate) fn look_after(&mut self, link: &Link) {
        if !link.wants_to_write() {
            for (pool, file) in self.unheld.drain(..) {
                self.teller.say(Word::Held { pool, file });
            }
        }
    }

    /// Ends the thread; what it was doing the next brain goes on with. `for_good`, and what nobody will hear is told of.
    pub(crate) fn stop(&self, patience: Patience, for_good: bool, log: &mut MainLog) {
        if !self.teller.stop(patience.time()) {
            log.write(
                LogLevel::Critical,
                "the thread that tells listeners does not answer, and is not waited for",
            );
        } else if for_good {
            self.bus.left_over().iter().for_each(|text| log.write(LogLevel::Warn, text));
        }
    }
}

fn release(child: ChildId, link: &mut Link) -> Result<(), LinkError> {
    for name in conversation::held_as(child.0) {
        link.send(ToKeeper::Release { name })?;
    }
    Ok(())
}

fn conversations(held: &mut Vec<(String, OwnedFd)>) -> BTreeMap<ChildId, Kept> {
    let number = |name: &str| name.strip_prefix("listener:").and_then(|id| id.parse().ok());
    let children: Vec<u32> = held.iter().filter_map(|(name, _)| number(name)).collect();
    let found = children.into_iter().filter_map(|child| {
        let [memory, log] = conversation::held_as(child).map(|name| kept::take(held, &name));
        Some((ChildId(child), Kept::found([memory?, log?]).ok()?))
    });
    found.collect()
}
