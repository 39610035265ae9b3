//! The private protocol between keeper and brain: fixed binary messages on one `SOCK_SEQPACKET` pair.
//!
//! One packet is one message: a byte of version, a byte of kind, then fields in little-endian
//! order; descriptors travel beside it by `SCM_RIGHTS`. Both ends are in this crate, but after an upgrade
//! they may be two builds: the version is checked, a number is only ever added behind the others of a message, and what ends in a
//! text gets a kind of its own instead. A brain passes over kinds that it does not know, a keeper drops them.

use std::os::fd::OwnedFd;

use crate::plan::{Identity, Plan, PlanError};

/// Raised when a message changes its shape.
pub(crate) const VERSION: u8 = 1;

/// A plan up to this many bytes travels inside its message, a longer one in a memfd.
/// Far below the smallest socket buffer Linux allows for one packet.
pub(crate) const INLINE_PLAN: usize = 48 * 1024;

/// The longest message, with room for the header of an inline plan.
pub(crate) const MAX_MESSAGE: usize = INLINE_PLAN + 4096;

/// What is held under a name that begins with this is held over a reload of the whole daemon, too: it was got with
/// privileges that have been dropped since.
pub const LASTING: &str = "lasting:";

/// A point in time on both clocks, taken by the keeper when it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds of `CLOCK_MONOTONIC`: the same clock for every brain.
    pub mono_ns: u64,
    /// Milliseconds since 1970 UTC.
    pub wall_ms: i64,
}

/// A wait status as wait(2) gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitStatus(pub i32);

impl WaitStatus {
    /// No status that wait(2) gives: of an adopted process nobody could tell.
    pub const UNKNOWN: WaitStatus = WaitStatus(-1);

    /// The exit code, if it exited.
    pub fn code(self) -> Option<i32> {
        libc::WIFEXITED(self.0).then(|| libc::WEXITSTATUS(self.0))
    }
    /// The signal that ended it, if one did.
    pub fn signal(self) -> Option<i32> {
        libc::WIFSIGNALED(self.0).then(|| libc::WTERMSIG(self.0))
    }
    pub fn core_dumped(self) -> bool {
        libc::WIFSIGNALED(self.0) && libc::WCOREDUMP(self.0)
    }
}

/// Where a spawn failed. The first two are seen by the keeper, the others are reported by the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Making the pipes.
    Pipe,
    /// fork(2).
    Fork,
    /// dup2(2) of the pipes to 0, 1 and 2.
    Descriptors,
    /// setgroups(2).
    Groups,
    /// setgid(2).
    Gid,
    /// setuid(2).
    Uid,
    /// chdir(2).
    Directory,
    /// execve(2).
    Exec,
}

impl Stage {
    const ALL: [Stage; 8] = [
        Stage::Pipe,
        Stage::Fork,
        Stage::Descriptors,
        Stage::Groups,
        Stage::Gid,
        Stage::Uid,
        Stage::Directory,
        Stage::Exec,
    ];

    /// 1-based, so that 0 can mean "nothing failed".
    pub(crate) fn number(self) -> u32 {
        self as u32 + 1
    }

    pub(crate) fn from_number(n: u32) -> Option<Stage> {
        Stage::ALL.get(usize::try_from(n).ok()?.checked_sub(1)?).copied()
    }
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Process,
    /// The child's process group, which it leads.
    Group,
}

/// What the brain asks of the keeper.
#[derive(Debug)]
pub enum ToKeeper {
    /// Run this plan as child `id`; answered by `Spawned` or `SpawnFailed`. Standard input is a pipe, or this socket.
    Spawn { id: u32, plan: Plan, stdin: Option<OwnedFd> },
    /// When child `id` ends so, run its plan again at once, without asking. Replaces what was said before. Where that
    /// fails nothing has happened: `Exited` tells.
    Relaunch { id: u32, how: Relaunch },
    /// When child `id` ends, that is that. It may be too late: `Exited` tells.
    NoRelaunch { id: u32 },
    /// Signal child `id` if it still lives; answered only when kill(2) fails.
    Kill { id: u32, signal: i32, target: Target },
    /// Child `id` has ended, its pipes are drained and its end is recorded: drop the slot.
    /// With `lingers` somebody else still holds its output open: keep our ends until `Dry`.
    Forget { id: u32, lingers: bool },
    /// Nobody holds the output of the forgotten child `id` open any more.
    Dry { id: u32 },
    /// Lend a copy of the pipe that is child `id`'s standard input; answered by `FromKeeper::Stdin`. Only if `Hello` has
    /// said that the keeper does.
    Stdin { id: u32 },
    /// Keep this descriptor for the next brain under a name of at most 1,000 bytes.
    Hold { name: String, fd: OwnedFd },
    /// Take over a process that is not the keeper's child and was started by one that is dead: as child `id`, told like any
    /// other from here on. It is the one that `pidfd` holds; `started` is its start time in ticks, `pipes` its output.
    Adopt { id: u32, pid: i32, started: u64, at: Stamp, label: String, pidfd: OwnedFd, pipes: Pipes },
    /// Drop what is held under this name.
    Release { name: String },
    /// Go to the background: the caller of `supervisord` waits until `Ready`. The brain ends after asking.
    Detach,
    /// The file mode mask that programs inherit.
    Umask(u32),
    /// Programs must be allowed this many open files.
    Descriptors(u64),
    /// Become this user for good.
    Become(Identity),
    /// Start-up is complete: the pidfile is written and the sockets listen.
    Ready,
    /// Everything is stopped: end with this status once the brain has ended.
    Finish { code: u8 },
    /// Everything is stopped: start afresh once the brain has ended, keeping only the pid.
    Renew,
    /// What follows from this signal has been done, or written down for a later brain.
    Heard { signal: i32 },
    /// Try the program file as it is on disk now: start a brain of it that reads everything and touches nothing.
    /// Answered by `FromKeeper::Upgrade`. It has so long for that, and as long again to come up.
    Upgrade { patience_ns: u64 },
    /// A brain on trial: it has read everything and could go on. It waits for its turn, a second `Hello`.
    Willing { version: String },
    /// A brain on trial: it could not go on, for this reason.
    Unwilling { reason: String },
    /// The brain on trial is the brain from here on. Whoever sends this has let go of everything, and waits for one more
    /// `FromKeeper::Upgrade`, which is the last that it is told.
    HandOver,
}

/// How a child is to be replaced when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relaunch {
    /// The number of the new child.
    pub next: u32,
    /// Only if it has lived this long.
    pub after_ns: u64,
    pub on: Ends,
}

/// A set of ways to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// A bit for each exit code, the lowest of the first number for 0.
    pub codes: [u64; 4],
    /// Every end by a signal.
    pub signals: bool,
}

impl Ends {
    pub fn contains(&self, status: WaitStatus) -> bool {
        match status.code() {
            Some(code) => self.codes[(code as usize >> 6) & 3] >> (code & 63) & 1 == 1,
            None => self.signals,
        }
    }
}

/// The first message to every brain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    pub keeper_pid: i32,
    /// The keeper already runs in the background.
    pub detached: bool,
    /// A brain of this keeper has been `Ready` before.
    pub seasoned: bool,
    /// How the brain before this one ended, where it should not have.
    pub previous: Option<Previous>,
    /// To be read and understood, and no more: another brain is at work.
    pub on_trial: bool,
    /// It takes over from a living brain, which has let go of everything.
    pub takes_over: bool,
    /// The keeper answers `ToKeeper::Stdin`; one of an earlier build does not.
    pub lends_stdin: bool,
}

/// How an upgrade goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upgrade {
    /// The brain on trial could go on. Its version, in its own words.
    Willing(String),
    /// It has come to nothing. A brain that had handed over already is followed by one of the old program file.
    Failed(UpgradeFailure),
    /// Told to whoever handed over: the new brain is up. The keeper has become the new program file too, or has
    /// been kept from it by this error.
    Done { keeper: Result<(), i32> },
}

/// Why an upgrade came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpgradeFailure {
    /// Another one is under way.
    Busy,
    /// It is not known which file the program was started from.
    NoProgram,
    /// No process could be made.
    Fork(i32),
    /// The file could not be executed.
    Execute(i32),
    /// It could not go on, and said so.
    Unwilling(String),
    /// It ended before it was ready.
    Ended(WaitStatus),
    /// It was not ready in time.
    Late,
}

/// The end of a brain that was not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous {
    pub pid: i32,
    pub status: WaitStatus,
    /// Ends of this kind in a row, this one included.
    pub in_a_row: u32,
    /// How long the next brain was held back for that, in milliseconds.
    pub held_back_ms: u32,
}

impl Previous {
    /// In fields that are always there.
    pub(crate) const NONE: Previous =
        Previous { pid: 0, status: WaitStatus(0), in_a_row: 0, held_back_ms: 0 };
}

/// The brain's ends of a child's output.
#[derive(Debug)]
pub struct Pipes {
    pub stdout: OwnedFd,
    /// Absent where standard error goes to standard output.
    pub stderr: Option<OwnedFd>,
}

/// What becomes of the wish for a child's standard input.
#[derive(Debug)]
pub enum Lent {
    Pipe(OwnedFd),
    /// The child has ended, or is not known.
    Ended,
    /// Its standard input is a socket, or nobody's: the keeper that it was taken over from held the pipe.
    NoPipe,
    /// The brain has no descriptor left to take it.
    NoRoom,
}

impl Lent {
    /// In the message.
    pub(crate) const ENDED: u32 = 0;
    pub(crate) const NO_PIPE: u32 = 1;
    pub(crate) const PIPE: u32 = 2;
}

/// What the keeper tells the brain.
#[derive(Debug)]
pub enum FromKeeper {
    Hello(Hello),
    /// A descriptor that an earlier brain asked to hold.
    Held {
        name: String,
        fd: OwnedFd,
    },
    /// A child that an earlier brain started.
    Child {
        id: u32,
        pid: i32,
        started: Stamp,
        label: String,
        /// The ended child that it has taken the place of, where that is still to be told.
        predecessor: Option<u32>,
        /// The highest number that an earlier brain has given away with this child.
        highest: u32,
        /// Absent where the brain has no descriptors left to take them.
        pipes: Option<Pipes>,
    },
    /// The output of a child that is forgotten and that somebody else still holds open, a child of its own.
    Lingering {
        id: u32,
        label: String,
        /// Absent where the brain has no descriptors left to take them.
        pipes: Option<Pipes>,
    },
    /// The tale of the past is over; from here on everything is news.
    Begin,
    Spawned {
        id: u32,
        pid: i32,
        at: Stamp,
        /// Absent where the brain has no descriptors left to take them.
        pipes: Option<Pipes>,
    },
    /// Nothing runs, and the slot is already forgotten.
    SpawnFailed {
        id: u32,
        stage: Stage,
        errno: i32,
    },
    /// `failure` tells why where it never became the program; `next` is the child that has taken its place: its
    /// `Spawned` follows.
    Exited {
        id: u32,
        status: WaitStatus,
        at: Stamp,
        failure: Option<(Stage, i32)>,
        next: Option<u32>,
    },
    KillFailed {
        id: u32,
        errno: i32,
    },
    /// The answer to `ToKeeper::Stdin`.
    Stdin {
        id: u32,
        lent: Lent,
    },
    /// A process nobody knew was reaped: the keeper is PID 1 or a subreaper.
    Orphan {
        pid: i32,
        status: WaitStatus,
    },
    /// To be acknowledged with `ToKeeper::Heard`.
    Signal(i32),
    Upgrade(Upgrade),
    /// The keeper goes on as another program file, or has been kept from that by this error.
    KeeperRenewed(Result<(), i32>),
}

/// Why a packet is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadMessage {
    Version(u8),
    Kind(u8),
    Short,
    Descriptors,
    Text,
}

impl From<PlanError> for BadMessage {
    fn from(_: PlanError) -> Self {
        BadMessage::Short
    }
}

impl std::fmt::Display for BadMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadMessage::Version(v) => {
                write!(f, "message of protocol version {v}, this build speaks {VERSION}")
            }
            BadMessage::Kind(k) => write!(f, "message of unknown kind {k}"),
            BadMessage::Short => f.write_str("message ends too early"),
            BadMessage::Descriptors => f.write_str("message with the wrong number of descriptors"),
            BadMessage::Text => f.write_str("name in a message is not UTF-8"),
        }
    }
}

impl Upgrade {
    /// A kind, a number and a text, each where it means something.
    pub(crate) fn to_fields(&self) -> (u32, i32, &str) {
        match self {
            Upgrade::Willing(version) => (1, 0, version),
            Upgrade::Done { keeper: Ok(()) } => (2, 0, ""),
            Upgrade::Done { keeper: Err(errno) } => (3, *errno, ""),
            Upgrade::Failed(UpgradeFailure::Busy) => (4, 0, ""),
            Upgrade::Failed(UpgradeFailure::NoProgram) => (5, 0, ""),
            Upgrade::Failed(UpgradeFailure::Fork(errno)) => (6, *errno, ""),
            Upgrade::Failed(UpgradeFailure::Execute(errno)) => (7, *errno, ""),
            Upgrade::Failed(UpgradeFailure::Unwilling(reason)) => (8, 0, reason),
            Upgrade::Failed(UpgradeFailure::Ended(status)) => (9, status.0, ""),
            Upgrade::Failed(UpgradeFailure::Late) => (10, 0, ""),
        }
    }

    pub(crate) fn from_fields(kind: u32, number: i32, text: String) -> Result<Upgrade, BadMessage> {
        Ok(match kind {
            1 => Upgrade::Willing(text),
            2 => Upgrade::Done { keeper: Ok(()) },
            3 => Upgrade::Done { keeper: Err(number) },
            4 => Upgrade::Failed(UpgradeFailure::Busy),
            5 => Upgrade::Failed(UpgradeFailure::NoProgram),
            6 => Upgrade::Failed(UpgradeFailure::Fork(number)),
            7 => Upgrade::Failed(UpgradeFailure::Execute(number)),
            8 => Upgrade::Failed(UpgradeFailure::Unwilling(text)),
            9 => Upgrade::Failed(UpgradeFailure::Ended(WaitStatus(number))),
            10 => Upgrade::Failed(UpgradeFailure::Late),
            _ => return Err(BadMessage::Short),
        })
    }
}

/// Appends fields to a packet.
pub(crate) struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// Starts a message of `kind` in `buf`, which is emptied.
    pub(crate) fn start(buf: &'a mut Vec<u8>, kind: u8) -> Self {
        buf.clear();
        buf.extend([VERSION, kind]);
        Writer(buf)
    }
    /// Fields without a message around them.
    pub(crate) fn behind(buf: &'a mut Vec<u8>) -> Self {
        Writer(buf)
    }
    pub(crate) fn u32(self, v: u32) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }
    pub(crate) fn i32(self, v: i32) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }
    pub(crate) fn u64(self, v: u64) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }
    pub(crate) fn stamp(self, at: Stamp) -> Self {
        self.0.extend(at.mono_ns.to_le_bytes());
        self.0.extend(at.wall_ms.to_le_bytes());
        self
    }
    /// Bytes with their number before them, so that a field can be added behind.
    pub(crate) fn text(self, bytes: &[u8]) -> Self {
        self.0.extend((bytes.len() as u32).to_le_bytes());
        self.0.extend(bytes);
        self
    }
    /// Bytes up to the end of the packet.
    pub(crate) fn rest(self, bytes: &[u8]) {
        self.0.extend(bytes);
    }
}

/// Takes fields off a packet.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The kind of the message, and its fields.
    pub(crate) fn start(packet: &'a [u8]) -> Result<(u8, Self), BadMessage> {
        match packet {
            [VERSION, kind, fields @ ..] => Ok((*kind, Reader(fields))),
            [_] | [] => Err(BadMessage::Short),
            [version, ..] => Err(BadMessage::Version(*version)),
        }
    }
    /// Fields without a message around them.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadMessage> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(BadMessage::Short)?;
        self.0 = tail;
        Ok(*head)
    }
    pub(crate) fn u32(&mut self) -> Result<u32, BadMessage> {
        Ok(u32::from_le_bytes(self.take()?))
    }
    pub(crate) fn i32(&mut self) -> Result<i32, BadMessage> {
        Ok(i32::from_le_bytes(self.take()?))
    }
    pub(crate) fn u64(&mut self) -> Result<u64, BadMessage> {
        Ok(u64::from_le_bytes(self.take()?))
    }
    pub(crate) fn stamp(&mut self) -> Result<Stamp, BadMessage> {
        Ok(Stamp { mono_ns: self.u64()?, wall_ms: i64::from_le_bytes(self.take()?) })
    }
    /// Bytes with their number before them.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], BadMessage> {
        let length = self.u32()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(BadMessage::Short)?;
        self.0 = rest;
        Ok(bytes)
    }
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
    pub(crate) fn text(self) -> Result<String, BadMessage> {
        String::from_utf8(self.0.to_vec()).map_err(|_| BadMessage::Text)
    }
}

/// Message kinds, brain to keeper.
pub(crate) mod ask {
    pub(crate) const SPAWN: u8 = 1;
    pub(crate) const KILL: u8 = 2;
    pub(crate) const FORGET: u8 = 3;
    pub(crate) const HOLD: u8 = 4;
    pub(crate) const RELEASE: u8 = 5;
    pub(crate) const DETACH: u8 = 6;
    pub(crate) const UMASK: u8 = 7;
    pub(crate) const BECOME: u8 = 8;
    pub(crate) const READY: u8 = 9;
    pub(crate) const FINISH: u8 = 10;
    pub(crate) const RENEW: u8 = 11;
    pub(crate) const RELAUNCH: u8 = 12;
    pub(crate) const NO_RELAUNCH: u8 = 13;
    pub(crate) const DESCRIPTORS: u8 = 14;
    pub(crate) const DRY: u8 = 15;
    pub(crate) const HEARD: u8 = 16;
    pub(crate) const UPGRADE: u8 = 17;
    pub(crate) const WILLING: u8 = 18;
    pub(crate) const UNWILLING: u8 = 19;
    pub(crate) const HAND_OVER: u8 = 20;
    pub(crate) const STDIN: u8 = 21;
    pub(crate) const ADOPT: u8 = 40;
}

/// Message kinds, keeper to brain.
pub(crate) mod tell {
    pub(crate) const HELLO: u8 = 1;
    pub(crate) const HELD: u8 = 2;
    pub(crate) const CHILD: u8 = 3;
    pub(crate) const BEGIN: u8 = 4;
    pub(crate) const SPAWNED: u8 = 5;
    pub(crate) const SPAWN_FAILED: u8 = 6;
    pub(crate) const EXITED: u8 = 7;
    pub(crate) const KILL_FAILED: u8 = 8;
    pub(crate) const ORPHAN: u8 = 9;
    pub(crate) const SIGNAL: u8 = 10;
    pub(crate) const LINGERING: u8 = 11;
    pub(crate) const UPGRADE: u8 = 12;
    pub(crate) const KEEPER_RENEWED: u8 = 13;
    /// The first word to a brain on trial, from keeper to keeper: could this build go on with this state?
    pub(crate) const KEEPER_STATE: u8 = 14;
    pub(crate) const STDIN: u8 = 15;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_survives_its_number() {
        for stage in Stage::ALL {
            assert_eq!(Stage::from_number(stage.number()), Some(stage));
        }
        assert_eq!(Stage::from_number(0), None);
        assert_eq!(Stage::from_number(99), None);
    }

    #[test]
    fn fields_come_back_as_they_went() {
        let mut buf = Vec::new();
        let at = Stamp { mono_ns: u64::MAX - 1, wall_ms: -5 };
        Writer::start(&mut buf, 7).u32(3).i32(-9).stamp(at).rest(b"web:web_00");
        let (kind, mut fields) = Reader::start(&buf).unwrap();
        assert_eq!((kind, fields.u32(), fields.i32(), fields.stamp()), (7, Ok(3), Ok(-9), Ok(at)));
        assert_eq!(fields.text().unwrap(), "web:web_00");
    }

    #[test]
    fn a_packet_cut_short_or_of_another_version_is_an_error() {
        assert_eq!(Reader::start(&[]).err(), Some(BadMessage::Short));
        assert_eq!(Reader::start(&[VERSION + 1, 1, 0]).err(), Some(BadMessage::Version(VERSION + 1)));
        let (_, mut fields) = Reader::start(&[VERSION, 1, 0, 0]).unwrap();
        assert_eq!(fields.u32(), Err(BadMessage::Short));
    }

    #[test]
    fn a_set_of_ends_knows_each_code_and_all_signals_alike() {
        let mut on = Ends { codes: [1 << 3, 0, 0, 1 << 63], signals: true };
        for (status, contained) in [(0x0300, true), (0x0400, false), (0xff00, true), (0, false), (9, true)] {
            assert_eq!(on.contains(WaitStatus(status)), contained, "{status:#x}");
        }
        on.signals = false;
        assert!(!on.contains(WaitStatus(0x80 | 11)));
    }

    #[test]
    fn wait_statuses_are_read_as_wait_2_writes_them() {
        assert_eq!(WaitStatus(0x0300).code(), Some(3));
        assert_eq!(WaitStatus(9).signal(), Some(9));
        assert!(WaitStatus(0x80 | 11).core_dumped());
        assert_eq!(WaitStatus(0x80 | 11).signal(), Some(11));
    }
}
