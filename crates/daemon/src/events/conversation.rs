//! The conversation with one listener: what it is told goes into its standard input, what it says comes out of its standard output, and a
//! new brain goes on with it in the middle of a word.
//!
//! Two things are known to whoever comes after a brain that died, because the kernel writes them into memory that the keeper holds. What the
//! listener said is read straight into that memory, and stays there until its consequences are written down. What it is told is spliced
//! from its queue into its standard input, and how far that has come is a word of the same memory, which the kernel moves on in the
//! same call. Whichever instruction was the last, nothing is told twice or in half, and no answer is lost.
//!
//! What it says goes on to its log through a pipe, which a lane of the log pump reads; many short answers at once, as it waits there well.
//! Nothing here waits for anybody: a listener that does not read, a log that takes nothing, are told of by what a call returns.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use provost_keeper::Shared;
use provost_wire::listener::{Ear, Heard, LONGEST_LINE, LONGEST_RESULT, Listening};
use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, open};
use rustix::io::pread;
use rustix::pipe::{PipeFlags, pipe_with};

use super::queue::Letter;
use crate::death;
use crate::twice::Twice;

/// One read at most.
const MOST: usize = 64 * 1024;
/// So many bytes may wait to be logged while there is something to tell.
const UNLOGGED: usize = 2048;
/// Two places for what was said, of which one is in use; each has room for what is not understood yet, and another read.
const ROOM: usize = 2 * (LONGEST_RESULT + LONGEST_LINE + MOST);
const HEAD: usize = 4096;
const BYTES: usize = HEAD + 2 * ROOM;
const FORMAT: u64 = u64::from_le_bytes(*b"listen\0\x01");
const IS: usize = 0;
/// How far into its queue's file it has been told.
const TOLD: usize = 1;
const STATE: Twice = Twice::new(2, 7);

/// What the keeper holds of a conversation.
#[derive(Debug)]
pub(super) struct Kept {
    memory: Shared,
    /// To the log, both ends.
    log: (OwnedFd, OwnedFd),
}

/// The conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    ear: Ear,
    kept: Kept,
    stdout: Option<OwnedFd>,
    stdin: Option<OwnedFd>,
    /// Whether what it says is kept anywhere.
    is_logged: bool,
    /// Which of the two places is in use, how much is in it, how much of that is understood, and how much has gone on to the log.
    place: usize,
    filled: usize,
    heard: usize,
    logged: usize,
    log_is_full: bool,
    /// What it is being told lies here, up to this byte.
    telling: Option<Arc<OwnedFd>>,
    to: u64,
}

/// What came of listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listened {
    /// There may be more.
    Some,
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    Ended,
    /// Its log has to take some first.
    LogIsFull,
}

/// How far it has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    Done,
    /// Its standard input has no room now.
    Waits,
    /// It has closed its standard input.
    Deaf,
}

/// The names under which the keeper holds a conversation.
pub(super) fn held_as(child: u32) -> [String; 2] {
    ["listener", "listener-log"].map(|part| format!("{part}:{child}"))
}

impl Kept {
    pub(super) fn create() -> io::Result<Kept> {
        let memory = Shared::create("listener", BYTES)?;
        memory.words()[IS].store(FORMAT, Ordering::Release);
        Ok(Kept { memory, log: pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)? })
    }

    /// Those of an earlier brain, in the order of their names.
    pub(super) fn found([memory, log]: [OwnedFd; 2]) -> io::Result<Kept> {
        let memory = Shared::found(memory)?;
        if size_of_val(memory.words()) != BYTES || memory.words()[IS].load(Ordering::Acquire) != FORMAT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a conversation of another kind"));
        }
        // Nobody else holds that end, so that the log ends with the conversation.
        let again = format!("/proc/self/fd/{}", log.as_raw_fd());
        let log_into = open(again, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Kept { memory, log: (log, log_into) })
    }

    /// Descriptors for the keeper.
    pub(super) fn share(&self) -> io::Result<[OwnedFd; 2]> {
        Ok([self.memory.share()?, self.log.0.try_clone()?])
    }

    /// Where a lane reads what is to go to the log.
    pub(super) fn log(&self) -> io::Result<OwnedFd> {
        self.log.0.try_clone()
    }
}

impl Conversation {
    /// With one that has just begun, or that an earlier brain has talked to: then what it had begun to say is heard again, which the next
    /// [`Conversation::hear`] does.
    pub(super) fn resume(kept: Kept, stdout: OwnedFd, is_logged: bool, recovers: bool) -> Conversation {
        let words = STATE.get(kept.memory.words()).collect::<Vec<u64>>();
        let [state, length, place, filled, heard, logged, _] = std::array::from_fn(|n| words[n] as usize);
        let ear = Ear::resume(listening(state), length.checked_sub(1), recovers);
        let mut conversation = Conversation {
            ear,
            kept,
            stdout: Some(stdout),
            stdin: None,
            is_logged,
            place: place % 2,
            filled: filled.min(ROOM),
            heard: heard.min(filled),
            logged: logged.min(filled),
            log_is_full: false,
            telling: None,
            to: words[6],
        };
        conversation.find_unmarked();
        // It may have died while it cleared up.
        conversation.clear(1 - conversation.place, ROOM);
        conversation
    }

    pub(super) fn state(&self) -> Listening {
        self.ear.state()
    }

    pub(super) fn set_recovers(&mut self, recovers: bool) {
        self.ear.set_recovers(recovers);
    }

    /// The pipe into which it is told; with that it can be.
    pub(super) fn has_stdin(&mut self, stdin: OwnedFd) {
        self.stdin = Some(stdin);
    }

    pub(super) fn stdin(&self) -> Option<&OwnedFd> {
        self.stdin.as_ref()
    }

    pub(super) fn stdout(&self) -> Option<&OwnedFd> {
        self.stdout.as_ref()
    }

    /// Where there is room when its log has some.
    pub(super) fn log(&self) -> &OwnedFd {
        &self.kept.log.1
    }

    /// Whether it has been told everything that it was to be told.
    pub(super) fn is_told(&self) -> bool {
        // One that an earlier brain was telling something is told the rest when its pipe is there.
        let is_begun = self.ear.state() == Listening::Busy
            && self.kept.memory.words()[TOLD].load(Ordering::Acquire) < self.to;
        self.telling.is_none() && !is_begun
    }

    /// Whether it can be told something now.
    pub(super) fn is_ready(&self) -> bool {
        self.ear.state() == Listening::Ready && self.stdin.is_some() && self.telling.is_none()
    }

    // --- what it says ---

    /// Reads once, and tells `tell` what that means; see [`Ear::hear`]. What is read stays until [`Conversation::log_on`] has done its part.
    pub(super) fn listen(&mut self) -> io::Result<Listened> {
        if self.log_is_full {
            return Ok(Listened::LogIsFull);
        }
        self.make_room();
        let Some(stdout) = &self.stdout else { return Ok(Listened::Ended) };
        let to = HEAD + self.place * ROOM + self.filled;
        match self.kept.memory.read_from(stdout, to, MOST.min(ROOM - self.filled)) {
            Ok(0) => Ok(Listened::Ended),
            Ok(n) => {
                death::may_come();
                self.filled += n;
                Ok(Listened::Some)
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(Listened::Nothing)
            }
            Err(e) => Err(e),
        }
    }

    /// Tells `tell` what that means which was read; what follows from it is written down by then.
    pub(super) fn hear(&mut self, tell: impl FnMut(Heard) -> bool) {
        let known = self.heard + self.ear.waiting();
        if known >= self.filled {
            return;
        }
        let bytes = self.bytes(known, self.filled);
        self.ear.hear(&bytes, tell);
        self.heard = self.filled - self.ear.waiting();
        self.commit();
    }

    /// Whether what it said can go to its log later: it is little, and there is something to tell it first.
    pub(super) fn may_log_later(&self) -> bool {
        let is_little = self.filled - self.logged < UNLOGGED && ROOM - self.filled > 2 * MOST;
        self.is_logged && is_little && self.ear.state() == Listening::Busy
    }

    /// Passes on to the log what was read and is not there yet; false if it has no room for all.
    pub(super) fn log_on(&mut self) -> bool {
        self.log_is_full = false;
        while self.is_logged && self.logged < self.filled {
            let from = HEAD + self.place * ROOM + self.logged;
            match self.kept.memory.write_to(&self.kept.log.1, from, self.filled - self.logged) {
                Ok(n) => self.logged += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.log_is_full = true;
                    // It may be for long, and nothing else is written down meanwhile.
                    self.commit();
                    return false;
                }
                // Nobody reads there any more.
                Err(_) => self.logged = self.filled,
            }
        }
        if self.filled > 0 && self.heard == self.filled {
            self.turn();
        }
        true
    }

    // --- what it is told ---

    /// Begins to tell it this. It must be ready.
    pub(super) fn tell(&mut self, letter: Letter) -> io::Result<Telling> {
        self.ear.is_told();
        let Letter { file, from, to, .. } = letter;
        (self.telling, self.to) = (Some(file), to);
        self.kept.memory.words()[TOLD].store(from, Ordering::Release);
        death::may_come();
        self.commit();
        self.go_on_telling()
    }

    /// An earlier brain had begun to tell it what lies in this file. In which of two forms that was, and so where it ends, is written down.
    pub(super) fn was_told(&mut self, file: Arc<OwnedFd>) -> io::Result<Telling> {
        self.telling = Some(file);
        self.go_on_telling()
    }

    /// Its standard input may have room.
    pub(super) fn go_on_telling(&mut self) -> io::Result<Telling> {
        let (Some(stdin), Some(file)) = (&self.stdin, &self.telling) else { return Ok(Telling::Done) };
        loop {
            let told = self.kept.memory.words()[TOLD].load(Ordering::Acquire);
            let left = usize::try_from(self.to.saturating_sub(told)).unwrap_or(usize::MAX);
            if left == 0 {
                self.telling = None;
                return Ok(Telling::Done);
            }
            match self.kept.memory.splice_from(TOLD, file, stdin, left) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => death::may_come(),
                Err(e) => match e.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(Telling::Waits),
                    io::ErrorKind::BrokenPipe => return Ok(Telling::Deaf),
                    _ => return Err(e),
                },
            }
        }
    }

    /// It could not be told: as if nobody had tried.
    pub(super) fn is_not_told(&mut self) {
        if self.ear.state() == Listening::Busy {
            self.ear.is_not_told();
        }
        (self.telling, self.stdin) = (None, None);
        self.commit();
    }

    // --- within ---

    fn commit(&self) {
        let length = self.ear.length().map_or(0, |length| length + 1);
        let state = match self.ear.state() {
            Listening::Acknowledged => 0,
            Listening::Ready => 1,
            Listening::Busy => 2,
            Listening::Unknown => 3,
        };
        let words = [state, length, self.place, self.filled, self.heard, self.logged].map(|word| word as u64);
        STATE.set(self.kept.memory.words(), words.into_iter().chain([self.to]));
    }

    /// The other place is in use from now on, and what was in this one is forgotten.
    fn turn(&mut self) {
        let (old, used) = (self.place, self.filled);
        self.place = 1 - old;
        (self.filled, self.heard, self.logged) = (0, 0, 0);
        self.commit();
        self.clear(old, used);
    }

    /// What is not understood yet moves to the other place where this one is nearly full.
    fn make_room(&mut self) {
        if ROOM - self.filled >= MOST || self.heard == 0 {
            return;
        }
        let waiting = self.bytes(self.heard, self.filled);
        let (old, used, new) = (self.place, self.filled, 1 - self.place);
        store(self.kept.memory.words(), HEAD + new * ROOM, &waiting);
        self.place = new;
        (self.filled, self.heard, self.logged) = (waiting.len(), 0, waiting.len());
        self.commit();
        self.clear(old, used);
    }

    fn clear(&self, place: usize, used: usize) {
        let at = HEAD + place * ROOM;
        if used > 4 * HEAD {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            if fallocate(&self.kept.memory, hole, at as u64, ROOM as u64).is_ok() {
                return;
            }
        }
        for word in &self.kept.memory.words()[at / 8..(at + used).div_ceil(8)] {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// What a brain had read when it died, and not written down how much it was: memory that nothing was read into is zero.
    fn find_unmarked(&mut self) {
        let mut piece = [0; 4096];
        let (mut at, mut end) = (self.filled, self.filled);
        // One read at most.
        let last = ROOM.min(self.filled + MOST);
        while at < last {
            let most = piece.len().min(last - at);
            let read = pread(&self.kept.memory, &mut piece[..most], (HEAD + self.place * ROOM + at) as u64);
            let Ok(read @ 1..) = read else { break };
            if let Some(byte) = piece[..read].iter().rposition(|byte| *byte != 0) {
                end = at + byte + 1;
            }
            at += read;
        }
        self.filled = end;
    }

    fn bytes(&self, from: usize, to: usize) -> Vec<u8> {
        let at = HEAD + self.place * ROOM;
        let words = &self.kept.memory.words()[(at + from) / 8..(at + to).div_ceil(8)];
        let bytes = words.iter().flat_map(|word| word.load(Ordering::Acquire).to_le_bytes());
        bytes.skip((at + from) % 8).take(to - from).collect()
    }
}

fn listening(state: usize) -> Listening {
    match state {
        1 => Listening::Ready,
        2 => Listening::Busy,
        3 => Listening::Unknown,
        _ => Listening::Acknowledged,
    }
}

/// Bytes into words that begin at this byte, a multiple of eight.
fn store(words: &[AtomicU64], at: usize, bytes: &[u8]) {
    for (place, piece) in words[at / 8..].iter().zip(bytes.chunks(8)) {
        let mut padded = [0; 8];
        padded[..piece.len()].copy_from_slice(piece);
        place.store(u64::from_le_bytes(padded), Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
