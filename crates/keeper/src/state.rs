//! All that a keeper knows, as bytes: what it leaves to itself when it executes another build of itself.
//!
//! A header with a version, then records: a tag, a length, fields in little-endian order. Whoever reads ignores tags that it
//! does not know, and fields behind those that it knows; so a build may add either and the version stays. What cannot
//! be understood is refused as a whole, before anything has been given up for it.
//!
//! Descriptors are numbers here: they stay open across the exec. Opening and closing is not this room's affair.

use std::os::fd::RawFd;

use crate::protocol::{BadMessage, Ends, Previous, Reader, Relaunch, Stage, Stamp, WaitStatus, Writer};

const MAGIC: &[u8; 8] = b"pvkeeper";
/// Raised when a record changes its meaning.
const VERSION: u32 = 1;

/// No descriptor.
const NONE: i32 = -1;

mod tag {
    pub(super) const FACTS: u32 = 1;
    pub(super) const UNHEARD: u32 = 2;
    pub(super) const DISCARDED: u32 = 3;
    pub(super) const BRAIN: u32 = 4;
    pub(super) const MESSENGER: u32 = 5;
    pub(super) const HELD: u32 = 6;
    pub(super) const CHILD: u32 = 7;
    pub(super) const LINGERING: u32 = 8;
    pub(super) const STRANGER: u32 = 9;
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) facts: Facts,
    /// Signals that no brain has dealt with.
    pub(crate) unheard: Vec<i32>,
    /// Processes that are to be reaped without a word.
    pub(crate) discarded: Vec<i32>,
    pub(crate) brain: Option<Peer>,
    pub(crate) messenger: Option<Peer>,
    pub(crate) held: Vec<(RawFd, Vec<u8>)>,
    pub(crate) children: Vec<Child>,
    pub(crate) lingering: Vec<Lingering>,
    /// Which of the children are not ours.
    pub(crate) strangers: Vec<Stranger>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) seasoned: bool,
    pub(crate) needed: bool,
    pub(crate) detached: bool,
    pub(crate) asked_to_end: Option<i32>,
    pub(crate) asked_to_end_ns: u64,
    pub(crate) previous: Option<Previous>,
    /// The limit of open files for programs, soft and hard.
    pub(crate) descriptors: (u64, u64),
}

/// A process at the other end of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) pid: i32,
    pub(crate) socket: RawFd,
    pub(crate) since_ns: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) id: u32,
    pub(crate) pid: i32,
    pub(crate) started: Stamp,
    pub(crate) pipes: Pipes,
    pub(crate) plan: Vec<u8>,
    pub(crate) socket: Option<RawFd>,
    pub(crate) relaunch: Option<Relaunch>,
    pub(crate) end: Option<End>,
    /// What it has said of itself before it could become its program.
    pub(crate) failure: Option<(Stage, i32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<RawFd>,
    pub(crate) stdout: RawFd,
    pub(crate) stderr: Option<RawFd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) status: WaitStatus,
    pub(crate) at: Stamp,
    pub(crate) next: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lingering {
    pub(crate) id: u32,
    pub(crate) pipes: Pipes,
    pub(crate) label: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stranger {
    pub(crate) id: u32,
    pub(crate) pid: i32,
    /// In ticks.
    pub(crate) started: u64,
    pub(crate) pidfd: RawFd,
}

/// Why bytes are no state that this build can go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateError {
    NoState,
    Version(u32),
    /// A record of this tag is cut short, or contradicts itself.
    Record(u32),
}

impl std::fmt::Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StateError::NoState => f.write_str("what the keeper leaves behind is no keeper's state"),
            StateError::Version(found) => {
                write!(f, "the keeper's state is of version {found}, this build understands {VERSION}")
            }
            StateError::Record(tag) => write!(f, "a record of the keeper's state cannot be read (tag {tag})"),
        }
    }
}

impl State {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        let mut payload = Vec::new();
        let mut record = |tag: u32, write: &dyn Fn(Writer<'_>)| {
            payload.clear();
            write(Writer::behind(&mut payload));
            out.extend(tag.to_le_bytes());
            out.extend((payload.len() as u32).to_le_bytes());
            out.extend(&payload);
        };
        record(tag::FACTS, &|to| self.facts.write(to));
        for signal in &self.unheard {
            record(tag::UNHEARD, &|to| to.i32(*signal).rest(&[]));
        }
        for pid in &self.discarded {
            record(tag::DISCARDED, &|to| to.i32(*pid).rest(&[]));
        }
        for (tag, peer) in [(tag::BRAIN, &self.brain), (tag::MESSENGER, &self.messenger)] {
            if let Some(peer) = peer {
                record(tag, &|to| to.i32(peer.pid).i32(peer.socket).u64(peer.since_ns).rest(&[]));
            }
        }
        for (fd, name) in &self.held {
            record(tag::HELD, &|to| to.i32(*fd).text(name).rest(&[]));
        }
        for child in &self.children {
            record(tag::CHILD, &|to| child.write(to));
        }
        for Lingering { id, pipes, label } in &self.lingering {
            record(tag::LINGERING, &|to| pipes.write(to.u32(*id)).text(label).rest(&[]));
        }
        for Stranger { id, pid, started, pidfd } in &self.strangers {
            record(tag::STRANGER, &|to| to.u32(*id).i32(*pid).u64(*started).i32(*pidfd).rest(&[]));
        }
        out
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<State, StateError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(StateError::NoState)?;
        let (version, mut rest) = number(rest).ok_or(StateError::NoState)?;
        if version != VERSION {
            return Err(StateError::Version(version));
        }
        let mut state = State::default();
        while !rest.is_empty() {
            let (tag, after) = number(rest).ok_or(StateError::Record(0))?;
            let (length, after) = number(after).ok_or(StateError::Record(tag))?;
            let (payload, after) = after.split_at_checked(length as usize).ok_or(StateError::Record(tag))?;
            state.take(tag, Reader::of(payload)).map_err(|_| StateError::Record(tag))?;
            rest = after;
        }
        Ok(state)
    }

    fn take(&mut self, tag: u32, mut from: Reader<'_>) -> Result<(), BadMessage> {
        match tag {
            tag::FACTS => self.facts = Facts::read(from)?,
            tag::UNHEARD => self.unheard.push(from.i32()?),
            tag::DISCARDED => self.discarded.push(from.i32()?),
            tag::BRAIN => self.brain = Some(Peer::read(from)?),
            tag::MESSENGER => self.messenger = Some(Peer::read(from)?),
            tag::HELD => self.held.push((from.i32()?, from.bytes()?.to_vec())),
            tag::CHILD => self.children.push(Child::read(from)?),
            tag::LINGERING => {
                let (id, pipes) = (from.u32()?, Pipes::read(&mut from)?);
                self.lingering.push(Lingering { id, pipes, label: from.bytes()?.to_vec() });
            }
            tag::STRANGER => {
                let (id, pid, started, pidfd) = (from.u32()?, from.i32()?, from.u64()?, from.i32()?);
                self.strangers.push(Stranger { id, pid, started, pidfd });
            }
            // Of a later build.
            _ => {}
        }
        Ok(())
    }
}

impl Facts {
    fn write(&self, to: Writer<'_>) {
        let previous = self.previous.unwrap_or(Previous::NONE);
        to.u32(self.seasoned.into())
            .u32(self.needed.into())
            .u32(self.detached.into())
            .i32(self.asked_to_end.unwrap_or(0))
            .u64(self.asked_to_end_ns)
            .i32(previous.pid)
            .i32(previous.status.0)
            .u32(previous.in_a_row)
            .u64(self.descriptors.0)
            .u64(self.descriptors.1)
            .rest(&[]);
    }

    fn read(mut from: Reader<'_>) -> Result<Facts, BadMessage> {
        let (seasoned, needed, detached) = (from.u32()? != 0, from.u32()? != 0, from.u32()? != 0);
        let (signal, asked_to_end_ns) = (from.i32()?, from.u64()?);
        let (pid, status, in_a_row) = (from.i32()?, WaitStatus(from.i32()?), from.u32()?);
        // What only a start says is not kept.
        let previous = Previous { pid, status, in_a_row, held_back_ms: 0 };
        Ok(Facts {
            seasoned,
            needed,
            detached,
            asked_to_end: (signal > 0).then_some(signal),
            asked_to_end_ns,
            previous: (previous.in_a_row > 0).then_some(previous),
            descriptors: (from.u64()?, from.u64()?),
        })
    }
}

impl Peer {
    fn read(mut from: Reader<'_>) -> Result<Peer, BadMessage> {
        Ok(Peer { pid: from.i32()?, socket: from.i32()?, since_ns: from.u64()? })
    }
}

impl Pipes {
    fn write<'a>(&self, to: Writer<'a>) -> Writer<'a> {
        to.i32(self.stdin.unwrap_or(NONE)).i32(self.stdout).i32(self.stderr.unwrap_or(NONE))
    }

    fn read(from: &mut Reader<'_>) -> Result<Pipes, BadMessage> {
        Ok(Pipes { stdin: descriptor(from)?, stdout: from.i32()?, stderr: descriptor(from)? })
    }
}

impl Child {
    fn write(&self, to: Writer<'_>) {
        let (stage, errno) = self.failure.map_or((0, 0), |(stage, errno)| (stage.number(), errno));
        let to = self.pipes.write(to.u32(self.id).i32(self.pid).stamp(self.started));
        let to = to.i32(self.socket.unwrap_or(NONE)).u32(stage).i32(errno);
        let no_relaunch = Relaunch { next: 0, after_ns: 0, on: Ends::default() };
        let Relaunch { next, after_ns, on: Ends { codes: [a, b, c, d], signals } } =
            self.relaunch.unwrap_or(no_relaunch);
        let to = to.u32(next).u64(after_ns).u64(a).u64(b).u64(c).u64(d).u32(signals.into());
        let no_end = End { status: WaitStatus(0), at: Stamp { mono_ns: 0, wall_ms: 0 }, next: None };
        let end = self.end.unwrap_or(no_end);
        let to = to.u32(self.end.is_some().into()).i32(end.status.0).stamp(end.at).u32(end.next.unwrap_or(0));
        to.text(&self.plan).rest(&[]);
    }

    fn read(mut from: Reader<'_>) -> Result<Child, BadMessage> {
        let (id, pid, started, pipes) = (from.u32()?, from.i32()?, from.stamp()?, Pipes::read(&mut from)?);
        let socket = descriptor(&mut from)?;
        let (stage, errno) = (from.u32()?, from.i32()?);
        let failure = match stage {
            0 => None,
            number => Some((Stage::from_number(number).ok_or(BadMessage::Short)?, errno)),
        };
        let (next, after_ns) = (from.u32()?, from.u64()?);
        let codes = [from.u64()?, from.u64()?, from.u64()?, from.u64()?];
        let on = Ends { codes, signals: from.u32()? != 0 };
        let has_ended = from.u32()? != 0;
        let (status, at, heir) = (WaitStatus(from.i32()?), from.stamp()?, from.u32()?);
        let plan = from.bytes()?.to_vec();
        Ok(Child {
            id,
            pid,
            started,
            pipes,
            plan,
            socket,
            relaunch: (next > 0).then_some(Relaunch { next, after_ns, on }),
            end: has_ended.then_some(End { status, at, next: (heir > 0).then_some(heir) }),
            failure,
        })
    }
}

fn descriptor(from: &mut Reader<'_>) -> Result<Option<RawFd>, BadMessage> {
    let fd = from.i32()?;
    Ok((fd != NONE).then_some(fd))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, tail) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let at = |n| Stamp { mono_ns: n, wall_ms: -(n as i64) };
        let pipes = Pipes { stdin: Some(10), stdout: 11, stderr: None };
        let child = Child {
            id: 7,
            pid: 700,
            started: at(5),
            pipes,
            plan: b"any bytes".to_vec(),
            socket: None,
            relaunch: Some(Relaunch {
                next: 8,
                after_ns: 1,
                on: Ends { codes: [1, 2, 3, 4], signals: true },
            }),
            end: None,
            failure: None,
        };
        let ended = Child {
            id: 6,
            relaunch: None,
            pipes: Pipes { stdin: None, stderr: Some(12), ..pipes },
            socket: Some(13),
            end: Some(End { status: WaitStatus(0x300), at: at(9), next: Some(7) }),
            failure: Some((Stage::Exec, libc::ENOENT)),
            ..child.clone()
        };
        State {
            facts: Facts {
                seasoned: true,
                needed: true,
                detached: false,
                asked_to_end: Some(15),
                asked_to_end_ns: 3,
                previous: Some(Previous { pid: 4, status: WaitStatus(9), in_a_row: 2, held_back_ms: 0 }),
                descriptors: (1024, u64::MAX),
            },
            unheard: vec![1, 12],
            discarded: vec![99],
            brain: Some(Peer { pid: 50, socket: 20, since_ns: 8 }),
            messenger: Some(Peer { pid: 51, socket: 21, since_ns: 0 }),
            held: vec![(30, b"memory".to_vec()), (31, b"".to_vec())],
            children: vec![ended, child],
            lingering: vec![Lingering { id: 2, pipes, label: b"a:a".to_vec() }],
            // The first build knew none.
            strangers: Vec::new(),
        }
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        assert_eq!(State::read(&state().to_bytes()), Ok(state()));
        assert_eq!(State::read(&State::default().to_bytes()), Ok(State::default()));
        let stranger = Stranger { id: 7, pid: 700, started: u64::MAX, pidfd: 40 };
        let with_stranger = State { strangers: vec![stranger], ..state() };
        assert_eq!(State::read(&with_stranger.to_bytes()), Ok(with_stranger));
    }

    #[test]
    fn what_a_later_build_has_added_is_passed_over() {
        let mut bytes = state().to_bytes();
        // A record of a kind that nobody knows, and a known one with more in it than we know.
        bytes.extend(4000_u32.to_le_bytes());
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(b"new");
        bytes.extend(tag::UNHEARD.to_le_bytes());
        bytes.extend(9_u32.to_le_bytes());
        bytes.extend(10_i32.to_le_bytes());
        bytes.extend(b"extra");
        let read = State::read(&bytes).unwrap();
        assert_eq!(read, State { unheard: vec![1, 12, 10], ..state() });
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_the_reason() {
        let mut other = state().to_bytes();
        other[8] = 9;
        assert_eq!(State::read(&other), Err(StateError::Version(9)));
        assert_eq!(State::read(b"something else entirely"), Err(StateError::NoState));
        assert_eq!(State::read(&[]), Err(StateError::NoState));
        let good = state().to_bytes();
        let whole: Vec<usize> = (0..good.len()).filter(|end| State::read(&good[..*end]).is_ok()).collect();
        // Cut between two records it is a state with fewer of them; cut anywhere else it is none.
        assert!(whole.len() <= 14 && whole[0] == 12, "{whole:?}");
    }

    /// As the first build with this format wrote it: whatever a later one adds, it must go on reading these.
    #[test]
    fn the_bytes_of_the_first_version_are_still_read() {
        let recorded = include_bytes!("../tests/state-v1.bin");
        assert_eq!(State::read(recorded), Ok(state()));
    }
}
