//! The loop: signals and the brain's requests in, children and news out.
//!
//! It waits in one poll(2) without a timeout (except while it holds back a brain that keeps
//! dying), so an idle keeper never wakes. Every operation in it is bounded and non-blocking.
//!
//! The room: `life.rs` is about brains that come and go, `requests.rs` about what they ask for, `news.rs` about what they are told,
//! `upgrade.rs` and `renew.rs` about another program file in the place of ours. Here are the loop, signals and ends.

mod life;
mod news;
mod renew;
mod requests;
mod upgrade;

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{WaitOptions, wait};

use crate::handover::{Role, role};
use crate::link::Link;
use crate::protocol::{MAX_MESSAGE, Previous, WaitStatus};
use crate::spawn::Spawner;
use crate::stranger::Strangers;
use crate::sys;
use crate::table::Table;

use life::is_request_to_end;
use news::{Peer, Tell};

/// How soon to look after children on their way; longer and longer where nothing changes, as with a program on a disk
/// that does not answer.
const FIRST_LOOK_NS: u64 = 2_000_000;
const LAST_LOOK_NS: u64 = 1_000_000_000;
/// With so much untold, of what no slot holds nothing more is told: orphans that were reaped, signals that failed.
const MAX_UNTOLD: usize = 16_384;
/// Requests handled before signals get their turn again.
const REQUESTS_A_TURN: usize = 64;

/// Runs the keeper in this process, and `brain` in a fork of it, as often as it takes.
///
/// Returns the exit status of whichever process comes back from here: in a brain what `brain` returned, in
/// the keeper the status that the brain asked for, in the process that a daemonised keeper leaves
/// behind 0 once start-up is complete. Must be called before any thread exists.
pub fn run(brain: &mut dyn FnMut(Link) -> u8) -> io::Result<u8> {
    let mut keeper = match role() {
        Role::Fresh => Keeper::new()?,
        Role::Keeper(state) => Keeper::resume(state)?,
        Role::Brain(socket) => {
            return Ok(upgrade::may_be_brain(socket).map_or(1, brain));
        }
    };
    loop {
        let next = match keeper.brain {
            None if keeper.may_start_brain() => keeper.start_brain_somehow()?,
            None | Some(_) => keeper.turn()?,
        };
        match next {
            Next::GoOn => {}
            Next::BeBrain(link) => {
                // Its copies of the keeper's descriptors close here; what it may use it is told.
                drop(keeper);
                return Ok(brain(link));
            }
            Next::End(code) => return Ok(code),
        }
    }
}

enum Next {
    GoOn,
    BeBrain(Link),
    End(u8),
}

/// What the brain wants to happen when it has ended.
enum Afterwards {
    /// Nothing was said: it died.
    Restart,
    Detach,
    Finish(u8),
    Renew,
}

struct Held {
    /// What is told of it later may find it replaced.
    number: u64,
    name: Vec<u8>,
    fd: OwnedFd,
}

struct Brain {
    peer: Peer,
    since_ns: u64,
    afterwards: Afterwards,
    /// It has come up.
    ready: bool,
}

struct Keeper {
    signals: OwnedFd,
    spawner: Spawner,
    brain: Option<Brain>,
    table: Table,
    strangers: Strangers,
    held: Vec<Held>,
    next_held: u64,
    /// Signals that no brain has dealt with, each once.
    unheard: Vec<i32>,
    upgrade: upgrade::Progress,
    /// The last request to end (SIGTERM, SIGINT, SIGQUIT): repeated to every later brain, because the one that heard
    /// it may have died, or restarted everything, before it acted.
    asked_to_end: Option<i32>,
    asked_to_end_ns: u64,
    /// A brain has been `Ready` at some time.
    seasoned: bool,
    /// A brain has been `Ready` since the last fresh start: programs depend on us, and no failure may end us.
    needed: bool,
    detached: bool,
    /// No brain is to come any more.
    alone: bool,
    /// Children not yet out of their lanes, and when to look after them again.
    on_their_way: usize,
    next_look_ns: u64,
    /// The process that waits for start-up to be complete, in daemon mode.
    launcher: Option<OwnedFd>,
    previous: Option<Previous>,
    /// Brains in a row that have not come up.
    stillborn: u32,
    brain_not_before_ns: u64,
    packet: Box<[u8]>,
    out: Vec<u8>,
}

impl Keeper {
    fn new() -> io::Result<Self> {
        // First: it finds out which signals are ignored once ours are not.
        let signals = sys::watch_signals()?;
        Ok(Keeper {
            signals,
            spawner: Spawner::new(),
            brain: None,
            table: Table::default(),
            strangers: Strangers::default(),
            held: Vec::new(),
            next_held: 0,
            unheard: Vec::new(),
            upgrade: upgrade::Progress::new(),
            asked_to_end: None,
            asked_to_end_ns: 0,
            seasoned: false,
            needed: false,
            detached: false,
            alone: false,
            on_their_way: 0,
            next_look_ns: FIRST_LOOK_NS,
            launcher: None,
            previous: None,
            stillborn: 0,
            brain_not_before_ns: 0,
            packet: vec![0; MAX_MESSAGE].into_boxed_slice(),
            out: Vec::with_capacity(512),
        })
    }

    // --- one turn of the loop ---

    fn turn(&mut self) -> io::Result<Next> {
        let signalled = self.wait();
        self.look_after_children();
        self.end_patience();
        // First what the brain has said: how a child that has just ended is to be replaced, it may be.
        self.hear_brain(REQUESTS_A_TURN);
        self.go_on_upgrading();
        if signalled && let Some(next) = self.take_signals()? {
            return Ok(next);
        }
        self.end_strangers();
        self.tell_all();
        Ok(Next::GoOn)
    }

    fn look_after_children(&mut self) {
        self.spawner.settle();
        let before = std::mem::replace(&mut self.on_their_way, self.spawner.busy());
        self.next_look_ns = match self.on_their_way {
            0 => FIRST_LOOK_NS,
            same if same == before => (self.next_look_ns * 2).min(LAST_LOOK_NS),
            _ => FIRST_LOOK_NS,
        };
    }

    /// Waits until there is something to do; returns whether there may be a signal.
    fn wait(&self) -> bool {
        let timeout = match self.brain {
            Some(_) if self.spawner.busy() > 0 => Some(sys::now().mono_ns + self.next_look_ns),
            Some(_) => self.patience_ends_ns(),
            None => Some(self.brain_not_before_ns),
        };
        let others = [self.upgrade_ends_ns(), self.strangers.next_look_ns()];
        let timeout = others.into_iter().chain([timeout]).flatten().min().map(until);
        let peers = [
            self.brain.as_ref().map(|brain| &brain.peer),
            self.upgrade.candidate(),
            self.upgrade.messenger(),
        ];
        let mut fds = Vec::with_capacity(1 + peers.len());
        fds.push(PollFd::new(&self.signals, PollFlags::IN));
        for peer in peers.into_iter().flatten().filter(|peer| !peer.deaf) {
            let room = if peer.untold.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            fds.push(PollFd::new(&peer.socket, PollFlags::IN | room));
        }
        self.strangers.watch(&mut fds);
        // Interrupted or out of memory: look at everything, it costs two system calls.
        poll(&mut fds, timeout.as_ref()).is_err() || fds[0].revents().contains(PollFlags::IN)
    }

    fn take_signals(&mut self) -> io::Result<Option<Next>> {
        let mut brain_status = None;
        while let Some(signal) = sys::next_signal(&self.signals) {
            if signal == libc::SIGCHLD {
                brain_status = self.reap().or(brain_status);
                continue;
            }
            if is_request_to_end(signal) && self.asked_to_end.replace(signal).is_none() {
                self.asked_to_end_ns = sys::now().mono_ns;
            }
            if !self.unheard.contains(&signal) {
                self.unheard.push(signal);
            }
            let on_its_way = |tell: &Tell| matches!(tell, Tell::Signal(other) if *other == signal);
            if !self.brain.as_ref().is_some_and(|brain| brain.peer.untold.iter().any(on_its_way)) {
                self.news(Tell::Signal(signal));
            }
        }
        brain_status.map(|status| self.brain_ended(status)).transpose()
    }

    /// Reaps every child that has ended; returns the brain's status if it was among them.
    fn reap(&mut self) -> Option<WaitStatus> {
        let mut brain_status = None;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let (pid, status) = (pid.as_raw_pid(), WaitStatus(status.as_raw()));
            if self.brain.as_ref().is_some_and(|brain| brain.peer.pid == pid) {
                brain_status = Some(status);
                continue;
            }
            if self.upgrade_reaps(pid, status) {
                continue;
            }
            self.spawner.ended(pid);
            if let Some(id) = self.table.ended(pid, status, sys::now()) {
                self.succeed(id);
                self.news(Tell::Exited(id));
                if let Some(next) = self.table.get(id).and_then(|slot| slot.end?.next) {
                    self.news(Tell::Spawned(next));
                }
            } else if self.brain.as_ref().is_some_and(|brain| brain.peer.untold.len() < MAX_UNTOLD) {
                self.news(Tell::Orphan(pid, status));
            }
        }
        brain_status
    }

    /// Those that we have taken over are not ours to reap.
    fn end_strangers(&mut self) {
        if !self.strangers.are_there() {
            return;
        }
        for (id, status) in self.strangers.ended(sys::now().mono_ns) {
            if self.table.ended_as(id, status, sys::now()) {
                self.news(Tell::Exited(id));
            }
        }
    }
}

fn until(deadline_ns: u64) -> Timespec {
    let left = deadline_ns.saturating_sub(sys::now().mono_ns);
    Timespec { tv_sec: (left / 1_000_000_000) as i64, tv_nsec: (left % 1_000_000_000) as i64 }
}
