//! What is still to be told, to whom, and how it is written.
//!
//! In: facts in the table and the held descriptors; a [`Tell`] is only the order in which they are told. Out: packets, as far as a
//! socket takes them. What is untold stays bounded by the facts: see the page of the crate.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::getpid;

use super::{Held, Keeper};
use crate::link::send_packet;
use crate::protocol::{Lent, Previous, Upgrade, WaitStatus, Writer, tell};
use crate::spawn::{KeptPipes, SpawnError};
use crate::table::Table;

/// Something the brain must be told. The facts stay in the slots; this is only the order.
pub(super) enum Tell {
    Hello,
    Held(u64),
    Child(u32),
    Lingering(u32),
    Begin,
    Spawned(u32),
    SpawnFailed(u32, SpawnError),
    Exited(u32),
    KillFailed(u32, i32),
    Stdin(u32),
    Orphan(i32, WaitStatus),
    Signal(i32),
    KeeperState,
    Upgrade(Upgrade),
    KeeperRenewed(i32),
}

/// A process that speaks the protocol, and what it has still to be told.
pub(super) struct Peer {
    pub(super) pid: i32,
    pub(super) socket: OwnedFd,
    pub(super) untold: VecDeque<Tell>,
    /// Its end of the socket is closed: it is about to end.
    pub(super) deaf: bool,
}

impl Keeper {
    pub(super) fn past(&self) -> VecDeque<Tell> {
        let held = self.held.iter().map(|held| Tell::Held(held.number));
        let children = self.table.ids().map(Tell::Child);
        let lingering = self.table.lingering_ids().map(Tell::Lingering);
        std::iter::once(Tell::Hello)
            .chain(held)
            .chain(children)
            .chain(lingering)
            .chain([Tell::Begin])
            .collect()
    }

    /// News for the brain. Where there is none, the slots tell the next one.
    pub(super) fn news(&mut self, tell: Tell) {
        if let Some(brain) = &mut self.brain {
            brain.peer.untold.push_back(tell);
        }
    }

    /// Tells everybody what is untold, as far as the sockets take it.
    pub(super) fn tell_all(&mut self) {
        let past = Past {
            table: &self.table,
            held: &self.held,
            state: None,
            greeting: Greeting {
                detached: self.detached,
                seasoned: self.seasoned,
                previous: self.previous,
                on_trial: false,
                // Whether one died before it or has handed over, and to whom: what runs is not begun anew. The first brain
                // is greeted before it can be up.
                takes_over: self.needed,
            },
        };
        if let Some(brain) = &mut self.brain {
            brain.peer.tell(&past, &mut self.out);
        }
        self.upgrade.tell(past, &mut self.out);
    }
}

impl Peer {
    pub(super) fn new(pid: i32, socket: OwnedFd) -> Peer {
        Peer { pid, socket, untold: VecDeque::new(), deaf: false }
    }

    pub(super) fn tell(&mut self, past: &Past<'_>, out: &mut Vec<u8>) {
        while let Some(tell) = self.untold.front().filter(|_| !self.deaf) {
            // Without a message the slot is gone: a child was forgotten before this one heard all about it.
            if let Some(fds) = past.encode(tell, out)
                && send_packet(&self.socket, out, &fds).is_err()
            {
                // Full: poll will say when there is room. Broken: SIGCHLD will say why.
                return;
            }
            self.untold.pop_front();
        }
    }
}

/// All that anybody can be told.
pub(super) struct Past<'a> {
    pub(super) table: &'a Table,
    pub(super) held: &'a [Held],
    pub(super) state: Option<&'a OwnedFd>,
    pub(super) greeting: Greeting,
}

pub(super) struct Greeting {
    pub(super) detached: bool,
    pub(super) seasoned: bool,
    pub(super) previous: Option<Previous>,
    pub(super) on_trial: bool,
    pub(super) takes_over: bool,
}

impl<'a> Past<'a> {
    /// Writes one piece of news into `out` and returns the descriptors that go with it.
    fn encode(&self, news: &Tell, out: &mut Vec<u8>) -> Option<Vec<BorrowedFd<'a>>> {
        let Past { table, held, state, greeting } = self;
        match news {
            Tell::Hello => {
                let previous = greeting.previous.unwrap_or(Previous::NONE);
                Writer::start(out, tell::HELLO)
                    .i32(getpid().as_raw_pid())
                    .u32(greeting.detached.into())
                    .u32(greeting.seasoned.into())
                    .i32(previous.pid)
                    .i32(previous.status.0)
                    .u32(previous.in_a_row)
                    .u32(greeting.on_trial.into())
                    .u32(greeting.takes_over.into())
                    .u32(previous.held_back_ms)
                    // We lend standard inputs.
                    .u32(1)
                    .rest(&[]);
            }
            Tell::Held(number) => {
                let held = held.iter().find(|held| held.number == *number)?;
                Writer::start(out, tell::HELD).rest(&held.name);
                return Some(vec![held.fd.as_fd()]);
            }
            Tell::Child(id) => {
                let slot = table.get(*id)?;
                Writer::start(out, tell::CHILD)
                    .u32(*id)
                    .i32(slot.pid)
                    .stamp(slot.started)
                    .u32(table.predecessor(*id).unwrap_or(0))
                    .u32(slot.highest(*id))
                    .rest(slot.label().as_bytes());
                // One on trial has no business with them.
                return Some(if greeting.on_trial { Vec::new() } else { ends(&slot.pipes) });
            }
            Tell::Lingering(id) => {
                let lingering = table.lingering(*id)?;
                Writer::start(out, tell::LINGERING).u32(*id).rest(lingering.label.as_bytes());
                return Some(if greeting.on_trial { Vec::new() } else { ends(&lingering.pipes) });
            }
            Tell::Begin => Writer::start(out, tell::BEGIN).rest(&[]),
            Tell::Spawned(id) => {
                let slot = table.get(*id)?;
                Writer::start(out, tell::SPAWNED).u32(*id).i32(slot.pid).stamp(slot.started).rest(&[]);
                return Some(ends(&slot.pipes));
            }
            Tell::SpawnFailed(id, error) => Writer::start(out, tell::SPAWN_FAILED)
                .u32(*id)
                .u32(error.stage.number())
                .i32(error.errno)
                .rest(&[]),
            Tell::Exited(id) => {
                let end = table.get(*id)?.end?;
                let (stage, errno) = end.failure.map_or((0, 0), |(stage, errno)| (stage.number(), errno));
                Writer::start(out, tell::EXITED)
                    .u32(*id)
                    .i32(end.status.0)
                    .stamp(end.at)
                    .u32(stage)
                    .i32(errno)
                    .u32(end.next.unwrap_or(0))
                    .rest(&[])
            }
            Tell::KillFailed(id, errno) => {
                Writer::start(out, tell::KILL_FAILED).u32(*id).i32(*errno).rest(&[])
            }
            Tell::Stdin(id) => {
                let living = table.get(*id).filter(|slot| slot.end.is_none());
                let pipe = living.and_then(|slot| slot.pipes.stdin.as_ref());
                let kind = match (living, pipe) {
                    (None, _) => Lent::ENDED,
                    (Some(_), None) => Lent::NO_PIPE,
                    (Some(_), Some(_)) => Lent::PIPE,
                };
                Writer::start(out, tell::STDIN).u32(*id).u32(kind).rest(&[]);
                return Some(pipe.map(AsFd::as_fd).into_iter().collect());
            }
            Tell::Orphan(pid, status) => Writer::start(out, tell::ORPHAN).i32(*pid).i32(status.0).rest(&[]),
            Tell::Signal(signal) => Writer::start(out, tell::SIGNAL).i32(*signal).rest(&[]),
            Tell::KeeperState => {
                Writer::start(out, tell::KEEPER_STATE).rest(&[]);
                return Some(vec![(*state)?.as_fd()]);
            }
            Tell::Upgrade(news) => {
                let (kind, number, text) = news.to_fields();
                Writer::start(out, tell::UPGRADE).u32(kind).i32(number).rest(text.as_bytes());
            }
            Tell::KeeperRenewed(errno) => Writer::start(out, tell::KEEPER_RENEWED).i32(*errno).rest(&[]),
        }
        Some(Vec::new())
    }
}

fn ends(pipes: &KeptPipes) -> Vec<BorrowedFd<'_>> {
    [Some(&pipes.stdout), pipes.stderr.as_ref()].into_iter().flatten().map(AsFd::as_fd).collect()
}
