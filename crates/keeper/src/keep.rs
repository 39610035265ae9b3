//! The loop: signals and the brain's requests in, children and news out.
//!
//! It waits in one poll(2) without a timeout (except while it holds back a brain that keeps
//! dying), so an idle keeper never wakes. Every operation in it is bounded and non-blocking.

mod renew;
mod upgrade;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitOptions, getpid, setsid, wait};

use crate::handover::{Role, role};
use crate::link::{Link, receive_packet, send_packet};
use crate::plan::{Plan, PlanView};
use crate::protocol::{
    BadMessage, Ends, MAX_MESSAGE, Previous, Reader, Relaunch, Stage, Target, Upgrade, WaitStatus, Writer,
    ask, tell,
};
use crate::spawn::{KeptPipes, SpawnError, Spawner};
use crate::stranger::Strangers;
use crate::sys::{self, Fork};
use crate::table::Table;

/// A brain that ran this long was well; the next death is the first of a new row.
const WELL_AFTER_NS: u64 = 10_000_000_000;
/// So many deaths in a row are followed by a new brain at once, as long as each has come up.
const AT_ONCE: u32 = 4;
/// So many by one after the first pause: half a minute of dying and coming up.
const SOON: u32 = 300;
/// Doubled for each further death, and for each brain in a row that does not even come up.
const FIRST_PAUSE_NS: u64 = 100_000_000;
const LONGEST_PAUSE_NS: u64 = 10_000_000_000;
/// The patience with programs where no brain knows a better one.
const ALONE_NS: u64 = 10_000_000_000;
/// How soon to look after children on their way; longer and longer where nothing changes, as with a program on a disk
/// that does not answer.
const FIRST_LOOK_NS: u64 = 2_000_000;
const LAST_LOOK_NS: u64 = 1_000_000_000;
/// With so much untold, of what no slot holds nothing more is told: orphans that were reaped, signals that failed.
const MAX_UNTOLD: usize = 16_384;
/// The longest plan: the kernel's own limit for arguments and environment is below it.
const MAX_PLAN: u64 = 8 << 20;
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

/// Something the brain must be told. The facts stay in the slots; this is only the order.
enum Tell {
    Hello,
    Held(u64),
    Child(u32),
    Lingering(u32),
    Begin,
    Spawned(u32),
    SpawnFailed(u32, SpawnError),
    Exited(u32),
    KillFailed(u32, i32),
    Orphan(i32, WaitStatus),
    Signal(i32),
    KeeperState,
    Upgrade(Upgrade),
    KeeperRenewed(i32),
}

struct Held {
    /// What is told of it later may find it replaced.
    number: u64,
    name: Vec<u8>,
    fd: OwnedFd,
}

/// A process that speaks the protocol, and what it has still to be told.
struct Peer {
    pid: i32,
    socket: OwnedFd,
    untold: VecDeque<Tell>,
    /// Its end of the socket is closed: it is about to end.
    deaf: bool,
}

struct Brain {
    peer: Peer,
    since_ns: u64,
    afterwards: Afterwards,
    /// It has come up.
    ready: bool,
    /// How it is to be greeted.
    takes_over: bool,
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

    // --- the brain's life ---

    fn may_start_brain(&self) -> bool {
        sys::now().mono_ns >= self.brain_not_before_ns
    }

    /// A fork that fails while programs run is tried again later; before that it is the end.
    fn start_brain_somehow(&mut self) -> io::Result<Next> {
        match self.start_brain() {
            Err(_) if self.needed => {
                self.brain_not_before_ns = sys::now().mono_ns + LONGEST_PAUSE_NS / 10;
                Ok(Next::GoOn)
            }
            other => other,
        }
    }

    fn start_brain(&mut self) -> io::Result<Next> {
        let (ours, theirs) = socket_pair()?;
        match sys::fork()? {
            Fork::Child => Ok(Next::BeBrain(Link::new(theirs))),
            Fork::Parent(pid) => {
                self.install(Peer::new(pid, ours), false);
                Ok(Next::GoOn)
            }
        }
    }

    /// This process is the brain from here on, and hears the whole past.
    fn install(&mut self, mut peer: Peer, takes_over: bool) {
        peer.untold = self.past();
        let ended = self.table.ids().filter(|id| self.table.get(*id).is_some_and(|slot| slot.end.is_some()));
        peer.untold.extend(ended.map(Tell::Exited));
        // Once more, in case that whoever heard it has died before it acted.
        let to_end = self.asked_to_end;
        let others = self.unheard.iter().copied().filter(|signal| Some(*signal) != to_end);
        peer.untold.extend(to_end.into_iter().chain(others).map(Tell::Signal));
        let since_ns = sys::now().mono_ns;
        self.brain =
            Some(Brain { peer, since_ns, afterwards: Afterwards::Restart, ready: false, takes_over });
    }

    fn past(&self) -> VecDeque<Tell> {
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
    fn news(&mut self, tell: Tell) {
        if let Some(brain) = &mut self.brain {
            brain.peer.untold.push_back(tell);
        }
    }

    /// The brain has been reaped: hear its last words, then do as it wished.
    fn brain_ended(&mut self, status: WaitStatus) -> io::Result<Next> {
        while self.hear_brain(REQUESTS_A_TURN) {}
        let Some(brain) = self.brain.take() else {
            return Ok(Next::GoOn);
        };
        self.upgrade_has_lost_its_brain(status);
        match brain.afterwards {
            Afterwards::Finish(code) => Ok(self.end(code)),
            Afterwards::Detach => self.detach(),
            Afterwards::Renew => {
                self.held.clear();
                self.previous = None;
                // Nothing runs, so a brain that cannot start now is the end, as at the very first start.
                self.needed = false;
                Ok(Next::GoOn)
            }
            // Once a brain has been up, one that a signal ends has not found a mistake.
            Afterwards::Restart if !(self.needed || self.seasoned && status.signal().is_some()) => {
                // Start-up failed, and it has said why: nothing runs that would need us.
                Ok(self.end(status.code().map_or(1, |code| code as u8)))
            }
            Afterwards::Restart if self.asked_to_end.is_some() && !brain.ready => self.end_alone(),
            Afterwards::Restart => {
                let now = sys::now().mono_ns;
                let was_well = now.saturating_sub(brain.since_ns) >= WELL_AFTER_NS;
                let before = if was_well { 0 } else { self.previous.map_or(0, |p| p.in_a_row) };
                self.stillborn = if brain.ready { 0 } else { self.stillborn + 1 };
                let pause = pause_after(before + 1, self.stillborn);
                let held_back_ms = (pause / 1_000_000) as u32;
                self.previous =
                    Some(Previous { pid: brain.peer.pid, status, in_a_row: before + 1, held_back_ms });
                self.brain_not_before_ns = now + pause;
                Ok(Next::GoOn)
            }
        }
    }

    /// Somebody wants us to end, and there is no brain that could see to it: programs get the usual signal and the
    /// usual ten seconds, and then we end.
    fn end_alone(&mut self) -> io::Result<Next> {
        self.alone = true;
        self.signal_living(libc::SIGTERM);
        let deadline = sys::now().mono_ns + ALONE_NS;
        while self.living().next().is_some() && sys::now().mono_ns < deadline {
            let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
            self.strangers.watch(&mut fds);
            let _ =
                poll(&mut fds, Some(&until(self.strangers.next_look_ns().unwrap_or(deadline).min(deadline))));
            while sys::next_signal(&self.signals).is_some() {}
            self.reap();
            self.end_strangers();
        }
        self.signal_living(libc::SIGKILL);
        Ok(self.end(1))
    }

    /// Until when a brain that is starting may go on with that although somebody wants us to end. A brain that is up sees
    /// to the end itself, and while programs run no brain is given up.
    fn patience_ends_ns(&self) -> Option<u64> {
        let brain = self.brain.as_ref()?;
        let hangs = self.asked_to_end.is_some() && !self.needed && !brain.ready;
        hangs.then(|| self.asked_to_end_ns.max(brain.since_ns) + ALONE_NS)
    }

    fn end_patience(&self) {
        if let (Some(brain), Some(end)) = (&self.brain, self.patience_ends_ns())
            && sys::now().mono_ns >= end
        {
            // It can only fail where it has just ended. Its end is then ours.
            let _ = sys::kill(brain.peer.pid, libc::SIGKILL);
        }
    }

    fn living(&self) -> impl Iterator<Item = (u32, i32)> {
        let slots = self.table.ids().filter_map(|id| Some((id, self.table.get(id)?)));
        slots.filter(|(_, slot)| slot.end.is_none()).map(|(id, slot)| (id, slot.pid))
    }

    fn signal_living(&self, signal: i32) {
        for (id, pid) in self.living() {
            let by_pidfd = self.strangers.signal(id, signal, Target::Process);
            // It can only fail for one that has just ended, or that is not ours to signal.
            let _ = by_pidfd.unwrap_or_else(|| sys::kill(pid, signal));
        }
    }

    fn end(&mut self, code: u8) -> Next {
        self.release_launcher(code);
        Next::End(code)
    }

    /// Goes to the background: the old process stays to wait for the outcome, we go on in the fork.
    fn detach(&mut self) -> io::Result<Next> {
        let (outcome, report) = pipe_with(PipeFlags::CLOEXEC)?;
        if let Fork::Parent(keeper) = sys::fork()? {
            drop(report);
            return Ok(Next::End(self.wait_for_outcome(&outcome, keeper)));
        }
        self.launcher = Some(report);
        self.detached = true;
        // It cannot fail: a process that was just forked leads no group.
        let _ = setsid();
        Ok(Next::GoOn)
    }

    /// What remains in the foreground waits for the start; whoever wants it to end means the daemon.
    fn wait_for_outcome(&self, outcome: &OwnedFd, keeper: i32) -> u8 {
        loop {
            let mut fds = [PollFd::new(outcome, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            // An interrupted poll is a short one.
            let _ = poll(&mut fds, None);
            while let Some(signal) = sys::next_signal(&self.signals) {
                if is_request_to_end(signal) {
                    // It can only fail where the keeper has just ended, and then the outcome is on its way.
                    let _ = sys::kill(keeper, signal);
                }
            }
            if !fds[0].revents().is_empty() {
                let mut code = [1u8];
                // Nothing read means that the keeper died before it could say anything: status 1.
                while let Err(Errno::INTR) = rustix::io::read(outcome, &mut code) {}
                return code[0];
            }
        }
    }

    fn release_launcher(&mut self, code: u8) {
        if let Some(report) = self.launcher.take() {
            // The launcher may have been killed; there is then nobody to tell.
            let _ = rustix::io::write(&report, &[code]);
        }
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

    // --- requests ---

    /// Handles up to `most` requests; true if there may be more.
    fn hear_brain(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let Some(brain) = self.brain.as_mut().filter(|brain| !brain.peer.deaf) else {
                return false;
            };
            let mut packet = std::mem::take(&mut self.packet);
            let received = receive_packet(&brain.peer.socket, &mut packet);
            let more = match received {
                Ok(Some((n, fds))) if n > 0 => {
                    // A request that cannot be read is from another build gone wrong; the brain's next death is its problem,
                    // the children are ours. Nothing here may end the keeper.
                    let _ = self.obey(&packet[..n], fds);
                    true
                }
                Ok(None) => false,
                Ok(Some(_)) | Err(_) => {
                    brain.peer.deaf = true;
                    false
                }
            };
            self.packet = packet;
            if !more {
                return false;
            }
        }
        true
    }

    fn obey(&mut self, packet: &[u8], fds: Vec<OwnedFd>) -> Result<(), BadMessage> {
        let (kind, mut f) = Reader::start(packet)?;
        match kind {
            ask::SPAWN => {
                let (id, has_socket) = (f.u32()?, f.u32()? != 0);
                let mut fds = fds.into_iter();
                let socket = if has_socket { Some(fds.next().ok_or(BadMessage::Descriptors)?) } else { None };
                let plan = match fds.next() {
                    None => Ok(f.rest().into()),
                    // Too long for a message.
                    Some(memfd) => read_whole(memfd.as_fd(), MAX_PLAN).map(Into::into),
                };
                match plan {
                    Ok(plan) => self.spawn(id, plan, socket),
                    Err(errno) => self.spawn_failed(id, SpawnError { stage: Stage::Pipe, errno }),
                }
            }
            ask::RELAUNCH => {
                let (id, next, after_ns) = (f.u32()?, f.u32()?, f.u64()?);
                let codes = [f.u64()?, f.u64()?, f.u64()?, f.u64()?];
                let on = Ends { codes, signals: f.u32()? != 0 };
                self.table.settle_succession(id, Some(Relaunch { next, after_ns, on }));
            }
            ask::NO_RELAUNCH => {
                let id = f.u32()?;
                self.table.settle_succession(id, None);
            }
            ask::DESCRIPTORS => {
                let least = f.u64()?;
                self.spawner.allow_descriptors(least);
            }
            ask::KILL => {
                let (id, signal, group) = (f.u32()?, f.i32()?, f.u32()? != 0);
                self.kill(id, signal, if group { Target::Group } else { Target::Process });
            }
            ask::FORGET => {
                let id = f.u32()?;
                let lingers = f.u32()? != 0;
                self.table.forget(id, lingers);
            }
            ask::ADOPT => {
                let (id, pid, started, at) = (f.u32()?, f.i32()?, f.u64()?, f.stamp()?);
                let mut fds = fds.into_iter();
                let (Some(pidfd), Some(stdout)) = (fds.next(), fds.next()) else {
                    return Err(BadMessage::Descriptors);
                };
                let pipes = KeptPipes { stdin: None, stdout, stderr: fds.next() };
                // A plan that nothing can be made from, but a name.
                let plan = Plan::of_nothing(f.text()?).to_bytes().into();
                self.table.adopt(id, pid, at, pipes, plan);
                self.strangers.add(id, pid, started, pidfd);
            }
            ask::DRY => {
                let id = f.u32()?;
                self.table.dry(id);
            }
            ask::HOLD => {
                let fd = fds.into_iter().next().ok_or(BadMessage::Descriptors)?;
                let name = f.rest().to_vec();
                self.held.retain(|held| held.name != name);
                self.hold(name, fd);
            }
            ask::RELEASE => {
                let name = f.rest();
                self.held.retain(|held| held.name != name);
            }
            ask::UMASK => {
                let mask = f.u32()? & 0o777;
                rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
            }
            ask::BECOME => {
                let (uid, gid) = (f.u32()?, f.u32()?);
                let groups: Vec<u32> = std::iter::from_fn(|| f.u32().ok()).collect();
                if sys::become_user(uid, gid, &groups).is_err() {
                    // Going on with privileges that were to be dropped would be worse than not going on.
                    std::process::abort();
                }
            }
            ask::READY => self.ready(),
            ask::DETACH => self.afterwards(Afterwards::Detach),
            ask::FINISH => {
                let code = f.u32()? as u8;
                self.afterwards(Afterwards::Finish(code));
            }
            ask::RENEW => self.afterwards(Afterwards::Renew),
            ask::HEARD => {
                let signal = f.i32()?;
                self.unheard.retain(|other| *other != signal);
            }
            ask::UPGRADE => {
                let patience_ns = f.u64()?;
                self.try_upgrade(patience_ns);
            }
            ask::HAND_OVER => self.hand_over(),
            other => return Err(BadMessage::Kind(other)),
        }
        Ok(())
    }

    fn hold(&mut self, name: Vec<u8>, fd: OwnedFd) {
        self.next_held += 1;
        self.held.push(Held { number: self.next_held, name, fd });
    }

    fn afterwards(&mut self, wish: Afterwards) {
        if let Some(brain) = &mut self.brain {
            brain.afterwards = wish;
        }
    }

    fn ready(&mut self) {
        self.seasoned = true;
        if let Some(brain) = &mut self.brain {
            brain.ready = true;
        }
        self.needed = true;
        self.upgrade_is_up();
        if self.launcher.is_some() {
            sys::silence_stdio();
            self.release_launcher(0);
        }
    }

    fn spawn(&mut self, id: u32, plan: Arc<[u8]>, socket: Option<OwnedFd>) {
        match self.try_spawn(id, plan, socket) {
            Ok(()) => self.news(Tell::Spawned(id)),
            Err(error) => self.spawn_failed(id, error),
        }
    }

    fn spawn_failed(&mut self, id: u32, error: SpawnError) {
        self.news(Tell::SpawnFailed(id, error));
    }

    fn try_spawn(&mut self, id: u32, plan: Arc<[u8]>, socket: Option<OwnedFd>) -> Result<(), SpawnError> {
        let failed = |stage, errno| SpawnError { stage, errno };
        let report =
            self.table.report().map_err(|e| failed(Stage::Fork, e.raw_os_error().unwrap_or(libc::ENOMEM)))?;
        match self.spawner.spawn(&plan, socket.as_ref().map(AsFd::as_fd), report) {
            Ok(child) => {
                self.table.insert(id, child, (plan, socket), report);
                Ok(())
            }
            Err(error) => {
                self.table.return_report(report);
                Err(error)
            }
        }
    }

    /// Puts another child in the place of one that has just ended, where the brain has said so beforehand.
    fn succeed(&mut self, id: u32) {
        if self.alone || self.asked_to_end.is_some() {
            return;
        }
        let Some((how, plan, socket)) = self.table.take_succession(id) else { return };
        // What cannot start is the brain's to explain.
        let is_there = PlanView::read(&plan)
            .is_ok_and(|plan| rustix::fs::access(plan.path, rustix::fs::Access::EXEC_OK).is_ok());
        if is_there && self.try_spawn(how.next, plan, socket).is_ok() {
            self.table.succeeded(id, how.next);
        }
    }

    fn kill(&mut self, id: u32, signal: i32, target: Target) {
        // A child that has been reaped is not signalled: its number may be somebody else's by now.
        let Some(slot) = self.table.get(id).filter(|slot| slot.end.is_none()) else {
            return;
        };
        let by_pid = || match target {
            Target::Process => sys::kill(slot.pid, signal),
            Target::Group => match sys::kill(-slot.pid, signal) {
                // Forked a moment ago, it has not made its group yet; there is nobody but itself to signal.
                Err(libc::ESRCH) => sys::kill(slot.pid, signal),
                other => other,
            },
        };
        let result = self.strangers.signal(id, signal, target).unwrap_or_else(by_pid);
        if let Err(errno) = result
            && self.brain.as_ref().is_some_and(|brain| brain.peer.untold.len() < MAX_UNTOLD)
        {
            self.news(Tell::KillFailed(id, errno));
        }
    }

    // --- news ---

    /// Tells everybody what is untold, as far as the sockets take it.
    fn tell_all(&mut self) {
        let past = Past {
            table: &self.table,
            held: &self.held,
            state: None,
            greeting: Greeting {
                detached: self.detached,
                seasoned: self.seasoned,
                previous: self.previous,
                on_trial: false,
                takes_over: self.brain.as_ref().is_some_and(|brain| brain.takes_over),
            },
        };
        if let Some(brain) = &mut self.brain {
            brain.peer.tell(&past, &mut self.out);
        }
        self.upgrade.tell(past, &mut self.out);
    }
}

impl Peer {
    fn new(pid: i32, socket: OwnedFd) -> Peer {
        Peer { pid, socket, untold: VecDeque::new(), deaf: false }
    }

    fn tell(&mut self, past: &Past<'_>, out: &mut Vec<u8>) {
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
struct Past<'a> {
    table: &'a Table,
    held: &'a [Held],
    state: Option<&'a OwnedFd>,
    greeting: Greeting,
}

struct Greeting {
    detached: bool,
    seasoned: bool,
    previous: Option<Previous>,
    on_trial: bool,
    takes_over: bool,
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

fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

fn is_request_to_end(signal: i32) -> bool {
    matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
}

/// How long to hold back the next brain after so many deaths in a row, the last of them of brains that never came up.
/// Programs need no brain to run, but whoever wants something of the daemon does, so one that comes up is soon
/// replaced; one that does not is most likely to fail in the same way again.
fn pause_after(deaths: u32, stillborn: u32) -> u64 {
    let doubled = |times: u32| (FIRST_PAUSE_NS << times.min(20)).min(LONGEST_PAUSE_NS);
    let for_deaths = match deaths {
        0..=AT_ONCE => 0,
        n => doubled(n.saturating_sub(SOON)),
    };
    let for_stillborn = if stillborn < 2 { 0 } else { doubled(stillborn - 2) };
    for_deaths.max(for_stillborn)
}

fn until(deadline_ns: u64) -> Timespec {
    let left = deadline_ns.saturating_sub(sys::now().mono_ns);
    Timespec { tv_sec: (left / 1_000_000_000) as i64, tv_nsec: (left % 1_000_000_000) as i64 }
}

/// What is in a memfd, if it is not longer than this; the error is an errno.
fn read_whole(memfd: BorrowedFd<'_>, longest: u64) -> Result<Vec<u8>, i32> {
    let errno = |e: Errno| e.raw_os_error();
    let size = rustix::fs::fstat(memfd).map_err(errno)?.st_size as u64;
    if size > longest {
        return Err(libc::E2BIG);
    }
    let mut bytes = vec![0; size as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::io::pread(memfd, &mut bytes[filled..], filled as u64) {
            Ok(0) => return Err(libc::EBADMSG),
            Ok(n) => filled += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(errno(e)),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brain_that_keeps_dying_is_held_back_longer_and_longer_but_never_for_ever() {
        let (first, longest) = (FIRST_PAUSE_NS, LONGEST_PAUSE_NS);
        for (deaths, stillborn, pause) in [
            (1, 0, 0),
            (4, 0, 0),
            (5, 0, first),
            (300, 0, first),
            (301, 0, 2 * first),
            (u32::MAX, 0, longest),
            // Those that never come up.
            (1, 1, 0),
            (2, 2, first),
            (3, 3, 2 * first),
            (5, 1, first),
            (u32::MAX, u32::MAX, longest),
        ] {
            assert_eq!(pause_after(deaths, stillborn), pause, "{deaths} {stillborn}");
        }
    }
}
