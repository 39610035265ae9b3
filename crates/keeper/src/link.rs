//! The brain's end of the socket to the keeper.
//!
//! Sending never blocks: what the socket does not take waits here and goes out when
//! [`Link::wants_to_write`] and the loop found room. Receiving returns whole messages, with their descriptors owned.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use crate::plan::Identity;
use crate::protocol::{
    BadMessage, Ends, FromKeeper, Hello, INLINE_PLAN, Lent, MAX_MESSAGE, Pipes, Previous, Reader, Relaunch,
    Stage, Target, ToKeeper, Upgrade, WaitStatus, Writer, ask, tell,
};

/// Descriptors one message may carry.
pub(crate) const MAX_FDS: usize = 3;

/// A message and what goes with it.
type Unsent = (Vec<u8>, Vec<OwnedFd>);

/// The brain's connection to its keeper.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    unsent: VecDeque<Unsent>,
    packet: Box<[u8]>,
}

/// The keeper is gone, or does not speak our language.
#[derive(Debug)]
pub enum LinkError {
    /// The keeper has closed its end: it is dead, and so should we be.
    Closed,
    Io(std::io::Error),
    Message(BadMessage),
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LinkError::Closed => f.write_str("the keeper has gone away"),
            LinkError::Io(e) => write!(f, "cannot talk to the keeper: {e}"),
            LinkError::Message(e) => write!(f, "cannot understand the keeper: {e}"),
        }
    }
}

impl std::error::Error for LinkError {}

impl From<BadMessage> for LinkError {
    fn from(e: BadMessage) -> Self {
        LinkError::Message(e)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Link {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Link { socket, unsent: VecDeque::new(), packet: vec![0; MAX_MESSAGE].into_boxed_slice() }
    }

    /// Whether the loop should wait for room in the socket and then call [`Link::flush`].
    pub fn wants_to_write(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends a message, or keeps it for later where the socket is full.
    pub fn send(&mut self, message: ToKeeper) -> Result<(), LinkError> {
        self.unsent.push_back(encode(message).map_err(LinkError::Io)?);
        self.flush()
    }

    /// Sends what is waiting, as far as the socket takes it.
    pub fn flush(&mut self) -> Result<(), LinkError> {
        while let Some((bytes, fds)) = self.unsent.front() {
            let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
            match send_packet(&self.socket, bytes, &fds) {
                Ok(()) => drop(self.unsent.pop_front()),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(LinkError::Closed),
                Err(e) => return Err(LinkError::Io(e.into())),
            }
        }
        Ok(())
    }

    /// The next message, or `None` where none is waiting.
    pub fn receive(&mut self) -> Result<Option<FromKeeper>, LinkError> {
        loop {
            let (n, fds) = match receive_packet(&self.socket, &mut self.packet) {
                Ok(Some((0, _))) => return Err(LinkError::Closed),
                Ok(Some(received)) => received,
                Ok(None) => return Ok(None),
                Err(e) => return Err(LinkError::Io(e.into())),
            };
            match decode(&self.packet[..n], fds) {
                // News of a kind that a keeper of a later build knows.
                Err(BadMessage::Kind(_)) => {}
                decoded => return Ok(Some(decoded?)),
            }
        }
    }
}

fn encode(message: ToKeeper) -> std::io::Result<Unsent> {
    let mut buf = Vec::new();
    let mut fds = Vec::new();
    match message {
        ToKeeper::Spawn { id, plan, stdin } => {
            let bytes = plan.to_bytes();
            // The descriptors are told apart by whether the plan is in the message.
            let fields = Writer::start(&mut buf, ask::SPAWN).u32(id).u32(stdin.is_some().into());
            fds.extend(stdin);
            if bytes.len() <= INLINE_PLAN {
                fields.rest(&bytes);
            } else {
                fds.push(in_memfd(&bytes)?);
            }
        }
        ToKeeper::Relaunch {
            id,
            how: Relaunch { next, after_ns, on: Ends { codes: [a, b, c, d], signals } },
        } => {
            let fields = Writer::start(&mut buf, ask::RELAUNCH).u32(id).u32(next).u64(after_ns);
            fields.u64(a).u64(b).u64(c).u64(d).u32(signals.into()).rest(&[]);
        }
        ToKeeper::NoRelaunch { id } => Writer::start(&mut buf, ask::NO_RELAUNCH).u32(id).rest(&[]),
        ToKeeper::Descriptors(least) => Writer::start(&mut buf, ask::DESCRIPTORS).u64(least).rest(&[]),
        ToKeeper::Kill { id, signal, target } => Writer::start(&mut buf, ask::KILL)
            .u32(id)
            .i32(signal)
            .u32(u32::from(target == Target::Group))
            .rest(&[]),
        ToKeeper::Forget { id, lingers } => {
            Writer::start(&mut buf, ask::FORGET).u32(id).u32(lingers.into()).rest(&[]);
        }
        ToKeeper::Stdin { id } => Writer::start(&mut buf, ask::STDIN).u32(id).rest(&[]),
        ToKeeper::Dry { id } => Writer::start(&mut buf, ask::DRY).u32(id).rest(&[]),
        ToKeeper::Hold { name, fd: held } => {
            Writer::start(&mut buf, ask::HOLD).rest(name.as_bytes());
            fds.push(held);
        }
        ToKeeper::Adopt { id, pid, started, at, label, pidfd, pipes } => {
            let fields = Writer::start(&mut buf, ask::ADOPT).u32(id).i32(pid).u64(started).stamp(at);
            fields.rest(label.as_bytes());
            fds.extend([Some(pidfd), Some(pipes.stdout), pipes.stderr].into_iter().flatten());
        }
        ToKeeper::Release { name } => Writer::start(&mut buf, ask::RELEASE).rest(name.as_bytes()),
        ToKeeper::Detach => Writer::start(&mut buf, ask::DETACH).rest(&[]),
        ToKeeper::Umask(umask) => Writer::start(&mut buf, ask::UMASK).u32(umask).rest(&[]),
        ToKeeper::Become(Identity { uid, gid, groups }) => {
            let fields = Writer::start(&mut buf, ask::BECOME).u32(uid).u32(gid);
            fields.rest(&groups.iter().flat_map(|g| g.to_le_bytes()).collect::<Vec<_>>());
        }
        ToKeeper::Ready => Writer::start(&mut buf, ask::READY).rest(&[]),
        ToKeeper::Finish { code } => Writer::start(&mut buf, ask::FINISH).u32(code.into()).rest(&[]),
        ToKeeper::Renew => Writer::start(&mut buf, ask::RENEW).rest(&[]),
        ToKeeper::Heard { signal } => Writer::start(&mut buf, ask::HEARD).i32(signal).rest(&[]),
        ToKeeper::Upgrade { patience_ns } => Writer::start(&mut buf, ask::UPGRADE).u64(patience_ns).rest(&[]),
        ToKeeper::Willing { version } => Writer::start(&mut buf, ask::WILLING).rest(version.as_bytes()),
        ToKeeper::Unwilling { reason } => Writer::start(&mut buf, ask::UNWILLING).rest(reason.as_bytes()),
        ToKeeper::HandOver => Writer::start(&mut buf, ask::HAND_OVER).rest(&[]),
    }
    Ok((buf, fds))
}

fn in_memfd(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("plan", MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(fd);
    file.write_all(bytes)?;
    Ok(file.into())
}

fn decode(packet: &[u8], fds: Vec<OwnedFd>) -> Result<FromKeeper, BadMessage> {
    let (kind, mut f) = Reader::start(packet)?;
    Ok(match kind {
        tell::HELLO => {
            let keeper_pid = f.i32()?;
            let (detached, seasoned) = (f.u32()? != 0, f.u32()? != 0);
            let (pid, status, in_a_row) = (f.i32()?, WaitStatus(f.i32()?), f.u32()?);
            // A keeper of an earlier build says no more, and means nothing by it.
            let (on_trial, takes_over) = (f.u32().unwrap_or(0) != 0, f.u32().unwrap_or(0) != 0);
            let held_back_ms = f.u32().unwrap_or(0);
            let lends_stdin = f.u32().unwrap_or(0) != 0;
            let previous = (in_a_row > 0).then_some(Previous { pid, status, in_a_row, held_back_ms });
            FromKeeper::Hello(Hello {
                keeper_pid,
                detached,
                seasoned,
                previous,
                on_trial,
                takes_over,
                lends_stdin,
            })
        }
        tell::HELD => {
            let [fd] = <[OwnedFd; 1]>::try_from(fds).map_err(|_| BadMessage::Descriptors)?;
            FromKeeper::Held { name: f.text()?, fd }
        }
        tell::CHILD => FromKeeper::Child {
            id: f.u32()?,
            pid: f.i32()?,
            started: f.stamp()?,
            predecessor: number(f.u32()?),
            highest: f.u32()?,
            pipes: pipes(fds),
            label: f.text()?,
        },
        tell::LINGERING => FromKeeper::Lingering { id: f.u32()?, pipes: pipes(fds), label: f.text()? },
        tell::BEGIN => FromKeeper::Begin,
        tell::SPAWNED => {
            FromKeeper::Spawned { id: f.u32()?, pid: f.i32()?, at: f.stamp()?, pipes: pipes(fds) }
        }
        tell::SPAWN_FAILED => FromKeeper::SpawnFailed {
            id: f.u32()?,
            stage: stage(f.u32()?)?.ok_or(BadMessage::Short)?,
            errno: f.i32()?,
        },
        tell::EXITED => {
            let (id, status, at) = (f.u32()?, WaitStatus(f.i32()?), f.stamp()?);
            let (stage, errno) = (stage(f.u32()?)?, f.i32()?);
            let failure = stage.map(|stage| (stage, errno));
            FromKeeper::Exited { id, status, at, failure, next: number(f.u32()?) }
        }
        tell::KILL_FAILED => FromKeeper::KillFailed { id: f.u32()?, errno: f.i32()? },
        tell::STDIN => {
            let (id, kind) = (f.u32()?, f.u32()?);
            let lent = match (kind, fds.into_iter().next()) {
                (Lent::PIPE, Some(pipe)) => Lent::Pipe(pipe),
                (Lent::PIPE, None) => Lent::NoRoom,
                (Lent::NO_PIPE, _) => Lent::NoPipe,
                _ => Lent::Ended,
            };
            FromKeeper::Stdin { id, lent }
        }
        tell::ORPHAN => FromKeeper::Orphan { pid: f.i32()?, status: WaitStatus(f.i32()?) },
        tell::SIGNAL => FromKeeper::Signal(f.i32()?),
        tell::UPGRADE => FromKeeper::Upgrade(Upgrade::from_fields(f.u32()?, f.i32()?, f.text()?)?),
        tell::KEEPER_RENEWED => {
            let errno = f.i32()?;
            FromKeeper::KeeperRenewed(if errno == 0 { Ok(()) } else { Err(errno) })
        }
        other => return Err(BadMessage::Kind(other)),
    })
}

/// Children are counted from 1.
fn number(number: u32) -> Option<u32> {
    (number > 0).then_some(number)
}

/// Zero is "no stage"; a number this build does not know is an error, not a guess.
fn stage(number: u32) -> Result<Option<Stage>, BadMessage> {
    match number {
        0 => Ok(None),
        n => Stage::from_number(n).map(Some).ok_or(BadMessage::Short),
    }
}

/// The kernel drops descriptors that find no place with the receiver; a message without them is still news.
fn pipes(fds: Vec<OwnedFd>) -> Option<Pipes> {
    let mut fds = fds.into_iter();
    Some(Pipes { stdout: fds.next()?, stderr: fds.next() })
}

/// One packet out, never blocking.
pub(crate) fn send_packet(socket: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
        {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => continue,
            // The kernel is out of memory for descriptors in flight: as full as a full socket.
            Err(Errno::NOBUFS | Errno::TOOMANYREFS) => return Err(Errno::AGAIN),
            Err(e) => return Err(e),
        }
    }
}

/// One packet in: `None` where none is waiting, zero bytes where the other end is closed.
pub(crate) fn receive_packet(
    socket: &OwnedFd,
    packet: &mut [u8],
) -> Result<Option<(usize, Vec<OwnedFd>)>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = loop {
        match recvmsg(socket, &mut [IoSliceMut::new(packet)], &mut control, flags) {
            Ok(received) => break received,
            // The other end has closed without having read all that we told. The kernel says so once, and then hands out
            // what that end had told us before.
            Err(Errno::INTR | Errno::CONNRESET) => continue,
            Err(Errno::AGAIN) => return Ok(None),
            Err(e) => return Err(e),
        }
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok(Some((received.bytes.min(packet.len()), fds)))
}

const _: () = assert!(INLINE_PLAN < MAX_MESSAGE);

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn the_last_words_of_one_who_has_not_listened_are_heard() {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        send_packet(&ours, b"unread", &[]).unwrap();
        for word in [b"one", b"two"] {
            send_packet(&theirs, word, &[]).unwrap();
        }
        drop(theirs);
        let mut packet = [0; 16];
        for word in [b"one", b"two"] {
            let (n, _) = receive_packet(&ours, &mut packet).unwrap().unwrap();
            assert_eq!(&packet[..n], word);
        }
        assert_eq!(receive_packet(&ours, &mut packet).unwrap().unwrap().0, 0);
    }
}
