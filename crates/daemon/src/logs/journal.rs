//! The journal: what a program wrote to a log file is there exactly once, though the brain may be killed between any two
//! instructions.
//!
//! A chunk on its way from a program's pipe to a file lies in what the keeper holds, too: first in a pipe of ours, then in memory.
//! Five steps, three of them system calls that move bytes:
//!
//! 1. *mark*: note the file (name, device, inode) and its size, and that no chunk is on its way;
//! 2. *take*: splice(2) from the program's pipe into ours, which is empty. The kernel moves whole pages from one to the other
//!    and copies nothing; at every moment each byte is in one of the two. What is in ours is the chunk. Mark how long it is;
//! 3. *fetch*: read(2) our pipe into the memory. Nobody but us puts anything into that pipe, so what is in it still says how much has
//!    been fetched;
//! 4. *put*: write(2) from the memory to the file, which is open for appending;
//! 5. *mark* again: done.
//!
//! A new brain looks at the journal before it writes anything. Nothing in our pipe, and all of the chunk marked as done: nothing was on
//! its way, or nothing is missing. If not, it fetches the rest, and only step 4 is in doubt, which SIGKILL may also have
//! cut short. How much of it was done is seen in the file itself (`recovery.rs`); the rest is written, marked like any
//! other. So a brain that is killed during this leaves what its successor needs to do it again.
//!
//! The memory is a row of slots (`slot.rs`), one of which is in use as long as all goes well, so that the same bytes stay in the
//! processor's cache. What a file does not take, because its disk is full, say, is *set aside*: it stays where it is and
//! another slot takes its turn. It is tried again by whoever set it aside, or by the next brain, and the memory goes back.
//!
//! *What somebody listens to* passes here, too, though it goes to no file, or goes there changed: it is taken and fetched like any other chunk,
//! with a note of whose it is, and given up when everybody has it. Of what goes to a file as it is the same note says that listeners
//! have yet to hear it. What a new brain finds noted it brings once more ([`Leftover`]): at least once.
//!
//! One brain at a time uses the journal: the keeper starts none before it has reaped the last, and one that makes room for
//! another ends its pump before. The name is written when nothing is on its way, and means nothing then.
//!
//! What this promises for regular files, and where it ends: others may append, rename and truncate as they like, but what is truncated
//! or moved to another directory in the instant of a kill, after the write and before the mark, is written again; and of
//! bytes that somebody else wrote at that instant, and that are equal to the whole chunk, nobody can tell whose they are.
//! Terminals and devices show at least once what was on its way. Pipes do not come here at all (`carry.rs`). Why not splice(2)
//! straight into the file: it refuses one that is open for appending, and with an offset of ours whoever else appends is
//! overwritten, and a file that was truncated meanwhile gets a hole.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use provost_config::LogLevel;
use provost_core::ChildId;
use provost_keeper::Shared;
use rustix::fs::fstat;
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use super::Output;
use super::open::Open;
use super::recovery::{self, Found};
use super::slot::{self, MOST, Mark, Slot};
use crate::death;

/// How many chunks can wait, one that is on its way included.
const SLOTS: usize = 64;
/// Where the slots begin; words lie below.
const SLOTS_AT: usize = 4096;
const BYTES: usize = SLOTS_AT + SLOTS * slot::LENGTH;
const FORMAT: u64 = u64::from_le_bytes(*b"journal\x02");

/// The words: what this is, which slot is in use, a bit for each other one that has been, and whose chunk is on its way.
const IS: usize = 0;
const ACTIVE: usize = 1;
const ASIDE: usize = 2;
const VOICE: usize = 3;
/// In the word of a voice: it is there, it is standard error, it goes by hand; the child lies above.
const IS_THERE: u64 = 1;
const IS_STDERR: u64 = 2;
const IS_BY_HAND: u64 = 4;

/// How large our pipe is to be: room for a chunk in which each page holds but a short line.
const PIPE: usize = 1 << 20;

/// What became of a try to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// So many bytes have left the pipe.
    Some(usize),
    /// There are none now.
    Dry,
    /// There will be none any more.
    Ended,
    /// There may be some, and a sink that has no room for them.
    NoRoom,
}

/// The journal, open.
#[derive(Debug)]
pub(crate) struct Journal {
    memory: Shared,
    /// Our pipe, both ends.
    out: OwnedFd,
    into: OwnedFd,
    /// The slot in use, and of its chunk how much is in it; the rest is in our pipe.
    slot: Slot,
    fetched: usize,
    /// What the noted path is, if we wrote it.
    path: Option<Arc<Path>>,
}

/// Whose words are on their way to somebody who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Voice {
    pub(crate) child: ChildId,
    pub(crate) output: Output,
}

/// What a dead brain had taken out of a pipe, and had yet to pass on.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(super) bytes: Vec<u8>,
    /// The first of its sinks gets it in another way.
    pub(super) is_in_log: bool,
}

/// A chunk that its file did not take. It is in the journal until it is put or discarded, brain or no brain.
#[derive(Debug)]
#[must_use = "what is forgotten here comes up again with the next brain"]
pub(crate) struct Stalled {
    slot: Slot,
    path: Arc<Path>,
}

/// What a dead brain has left.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// What is to be said of it, if anything.
    pub(crate) said: Vec<(LogLevel, String)>,
    /// What cannot be written yet, and why.
    pub(crate) stalled: Vec<(Stalled, io::Error)>,
}

/// The names under which the keeper holds what [`Journal::share`] gives; journals are counted from 1.
pub(crate) fn held_as(number: usize) -> [String; 3] {
    let name = if number == 1 { "journal".to_owned() } else { format!("journal:{number}") };
    ["", ":out", ":in"].map(|part| format!("{name}{part}"))
}

impl Journal {
    pub(crate) fn create() -> io::Result<Journal> {
        let memory = Shared::create("journal", BYTES)?;
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Where the kernel grants no more, chunks are shorter.
        let _ = fcntl_setpipe_size(&into, PIPE);
        memory.words()[IS].store(FORMAT, Ordering::Release);
        Journal::resume([memory.share()?, out, into])
    }

    /// The journal of an earlier brain.
    pub(crate) fn resume([memory, out, into]: [OwnedFd; 3]) -> io::Result<Journal> {
        let memory = Shared::found(memory)?;
        let words = memory.words();
        let is_one = size_of_val(words) == BYTES && words[IS].load(Ordering::Acquire) == FORMAT;
        if !is_one || fstat(&out)?.st_ino != fstat(&into)?.st_ino {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a journal of another kind"));
        }
        let active = words[ACTIVE].load(Ordering::Acquire) as usize % SLOTS;
        let slot = slot_at(&memory, active);
        let fetched = slot.mark().taken;
        Ok(Journal { memory, out, into, slot, fetched, path: None })
    }

    /// Descriptors of it for the keeper.
    pub(crate) fn share(&self) -> io::Result<[OwnedFd; 3]> {
        Ok([self.memory.share()?, self.out.try_clone()?, self.into.try_clone()?])
    }

    /// Steps 1 and 2: from a pipe, for a file, at most so many bytes. What was taken is to be [`Journal::put`], [`Journal::set_aside`]
    /// or [`Journal::give_up`] before anything else is taken. An error is the journal's own; nothing was taken then.
    pub(super) fn take(
        &mut self,
        pipe: &OwnedFd,
        path: &Arc<Path>,
        to: &Open,
        most: usize,
    ) -> io::Result<Flow> {
        debug_assert!(self.slot.mark().left() == 0, "what was taken is still here");
        self.aim(path)?;
        let before = to.end()?;
        self.slot.set(&self.memory, Mark { file: Some(to.id), before, taken: 0, done: 0 });
        self.splice(pipe, most)
    }

    /// Step 2.
    fn splice(&mut self, pipe: &OwnedFd, most: usize) -> io::Result<Flow> {
        match splice(pipe, None, &self.into, None, most.min(MOST), SpliceFlags::NONBLOCK) {
            Ok(0) => Ok(Flow::Ended),
            Ok(n) => {
                death::may_come();
                self.has_taken(n);
                Ok(Flow::Some(n))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Flow::Dry),
            Err(e) => Err(e.into()),
        }
    }

    /// The same of what goes to no file from here: what was taken is to be fetched as [`Journal::chunk`], and then [`Journal::is_heard`].
    pub(super) fn take_by_hand(&mut self, voice: Voice, pipe: &OwnedFd, most: usize) -> io::Result<Flow> {
        debug_assert!(self.slot.mark().left() == 0, "what was taken is still here");
        self.note_voice(Some(voice), IS_BY_HAND);
        self.slot.set(&self.memory, Mark { file: None, before: 0, taken: 0, done: 0 });
        self.splice(pipe, most)
    }

    /// Somebody is to hear what is taken next, or nobody.
    pub(super) fn listens(&mut self, voice: Option<Voice>) {
        if voice.is_some() || self.voice() != 0 {
            self.note_voice(voice, 0);
        }
    }

    /// Everybody has what was taken by hand.
    pub(super) fn is_heard(&mut self) {
        self.give_up();
        self.note_voice(None, 0);
    }

    fn voice(&self) -> u64 {
        self.memory.words()[VOICE].load(Ordering::Acquire)
    }

    fn note_voice(&self, voice: Option<Voice>, how: u64) {
        let word = voice.map_or(0, |Voice { child, output }| {
            let output = if output == Output::Stderr { IS_STDERR } else { 0 };
            u64::from(child.0) << 8 | IS_THERE | output | how
        });
        self.store(VOICE, word);
    }

    fn has_taken(&mut self, bytes: usize) {
        self.fetched = 0;
        self.slot.set(&self.memory, Mark { taken: bytes, ..self.slot.mark() });
    }

    /// Step 3.
    fn fetch(&mut self) -> io::Result<()> {
        while self.fetched < self.slot.mark().taken {
            match self.slot.fill(&self.memory, &self.out, self.fetched) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    death::may_come();
                    self.fetched += n;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Steps 3 to 5. After an error the rest of the chunk is still here. Returns the size of the file.
    pub(super) fn put(&mut self, to: &Open) -> io::Result<u64> {
        self.fetch()?;
        write(&mut self.slot, &self.memory, to)
    }

    /// What was taken and is not put yet.
    pub(super) fn chunk(&mut self) -> io::Result<Vec<u8>> {
        self.fetch()?;
        self.slot.bytes(&self.memory)
    }

    /// Forgets what was taken and is not put.
    pub(super) fn give_up(&mut self) {
        self.slot.give_up(&self.memory);
        self.fetched = self.slot.mark().taken;
        let _ = self.empty_pipe();
    }

    /// What has been given up may be in our pipe still.
    fn empty_pipe(&mut self) -> io::Result<()> {
        let mut waste = [0; 4096];
        while ioctl_fionread(&self.out)? > 0 {
            rustix::io::read(&self.out, &mut waste)?;
        }
        Ok(())
    }

    // --- what a file does not take ---

    /// Lets what was taken and is not put wait, so that something else can be taken. Nothing if no slot is left: then it is
    /// as it was.
    pub(super) fn set_aside(&mut self) -> Option<Stalled> {
        self.fetch().ok()?;
        self.slot.settle(&self.memory);
        self.leave_slot()
    }

    /// Goes on with another slot.
    fn leave_slot(&mut self) -> Option<Stalled> {
        let aside = self.aside() | 1 << self.slot_number(&self.slot);
        let free = (0..SLOTS).find(|n| aside & 1 << n == 0)?;
        let path = self.path.take().unwrap_or_else(|| self.slot.path(&self.memory).into());
        self.store(ASIDE, aside);
        self.store(ACTIVE, free as u64);
        let slot = std::mem::replace(&mut self.slot, slot_at(&self.memory, free));
        self.fetched = self.slot.mark().taken;
        Some(Stalled { slot, path })
    }

    /// Tries again to write it to its file, perhaps in part. When [`Stalled::left`] is nothing it is done and gone. Returns
    /// the size of the file.
    pub(super) fn put_aside(&mut self, stalled: &mut Stalled, to: &Open) -> io::Result<u64> {
        let Stalled { slot, path } = stalled;
        if slot.mark().left() == 0 {
            return to.end();
        }
        if slot.mark().file.is_some() {
            // Some of it may be written: a brain died of it, and its file could not be looked into until now.
            finish(slot, &self.memory, path)?;
        } else {
            write(slot, &self.memory, to)?;
        }
        self.release(&stalled.slot);
        to.end()
    }

    /// Forgets it. Returns how many bytes are lost.
    pub(super) fn discard(&mut self, mut stalled: Stalled) -> usize {
        let lost = stalled.left();
        if lost > 0 {
            stalled.slot.give_up(&self.memory);
            self.release(&stalled.slot);
        }
        lost
    }

    fn release(&mut self, slot: &Slot) {
        slot.release(&self.memory);
        self.store(ASIDE, self.aside() & !(1 << self.slot_number(slot)));
    }

    /// A bit for each slot that has been set aside and not released.
    fn aside(&self) -> u64 {
        let active = 1 << self.slot_number(&self.slot);
        self.memory.words()[ASIDE].load(Ordering::Acquire) & !active
    }

    fn store(&self, word: usize, value: u64) {
        self.memory.words()[word].store(value, Ordering::Release);
        death::may_come();
    }

    fn slot_number(&self, slot: &Slot) -> usize {
        (slot.at() - SLOTS_AT) / slot::LENGTH
    }

    // --- after a death ---

    /// What a dead brain had yet to pass on to somebody who listens; asked for before anything else.
    pub(super) fn take_leftover(&mut self) -> Option<(Voice, Leftover)> {
        let word = Some(self.voice()).filter(|word| word & IS_THERE != 0)?;
        let output = if word & IS_STDERR == 0 { Output::Stdout } else { Output::Stderr };
        let voice = Voice { child: ChildId((word >> 8) as u32), output };
        let bytes = self.regain().and_then(|()| self.slot.bytes(&self.memory)).unwrap_or_default();
        let is_in_log = word & IS_BY_HAND == 0;
        if !is_in_log {
            self.give_up();
        }
        self.note_voice(None, 0);
        (!bytes.is_empty()).then_some((voice, Leftover { bytes, is_in_log }))
    }

    /// The files that a dead brain has left something for.
    pub(super) fn unfinished(&self) -> Vec<PathBuf> {
        let aside = self.aside();
        let aside =
            (0..SLOTS).filter(|n| aside & 1 << n != 0).map(|n| slot_at(&self.memory, n).path(&self.memory));
        let is_begun = self.slot.mark().left() > 0 || ioctl_fionread(&self.out).is_ok_and(|bytes| bytes > 0);
        aside.chain(is_begun.then(|| self.slot.path(&self.memory))).collect()
    }

    /// Finishes what a dead brain had begun, and tries again what it had set aside.
    pub(super) fn recover(&mut self) -> Recovered {
        let mut recovered = Recovered::default();
        if let Err(e) = self.regain() {
            let text = format!("cannot read what a brain died writing: {e}; it is lost");
            recovered.said.push((LogLevel::Critical, text));
            self.give_up();
        }
        let aside = self.aside();
        for n in (0..SLOTS).filter(|n| aside & 1 << n != 0) {
            let slot = slot_at(&self.memory, n);
            let path = slot.path(&self.memory).into();
            self.try_again(Stalled { slot, path }, &mut recovered);
        }
        if self.slot.mark().left() > 0 {
            self.end_what_was_begun(&mut recovered);
        }
        recovered
    }

    /// What is in our pipe was on its way, unless it had been given up.
    fn regain(&mut self) -> io::Result<()> {
        let in_pipe = usize::try_from(ioctl_fionread(&self.out)?).unwrap_or(usize::MAX);
        let Mark { taken, done, .. } = self.slot.mark();
        match (taken, in_pipe) {
            (_, 0) => self.fetched = taken,
            // It died after the splice, before it could mark how much that was.
            (0, n) => self.has_taken(n.min(MOST)),
            _ if done == taken => return self.empty_pipe(),
            (_, n) => self.fetched = taken.saturating_sub(n),
        }
        self.fetch()
    }

    fn end_what_was_begun(&mut self, recovered: &mut Recovered) {
        let path: Arc<Path> = self.slot.path(&self.memory).into();
        match finish(&mut self.slot, &self.memory, &path) {
            Ok(is_another) => recovered.said.extend(is_another),
            Err(e) => match self.leave_slot() {
                Some(stalled) => recovered.stalled.push((stalled, e)),
                None => {
                    let lost = self.slot.mark().left();
                    self.give_up();
                    let text = format!("cannot write to {}: {e}; {lost} bytes are lost", path.display());
                    recovered.said.push((LogLevel::Critical, text));
                }
            },
        }
    }

    fn try_again(&mut self, mut stalled: Stalled, recovered: &mut Recovered) {
        // A brain that died when all was written had but to release it.
        let is_done = stalled.left() == 0;
        let result = if is_done { Ok(None) } else { finish(&mut stalled.slot, &self.memory, &stalled.path) };
        match result {
            Ok(is_another) => {
                recovered.said.extend(is_another);
                self.release(&stalled.slot);
            }
            Err(e) => recovered.stalled.push((stalled, e)),
        }
    }

    /// Notes where the next chunk goes, while none is on its way.
    fn aim(&mut self, path: &Arc<Path>) -> io::Result<()> {
        if !self.path.as_ref().is_some_and(|noted| Arc::ptr_eq(noted, path)) {
            self.slot.set_path(&self.memory, path)?;
            self.path = Some(Arc::clone(path));
        }
        Ok(())
    }
}

impl Stalled {
    /// The file that it is for.
    pub(crate) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// How many bytes are not written yet.
    pub(crate) fn left(&self) -> usize {
        self.slot.mark().left()
    }
}

fn slot_at(memory: &Shared, n: usize) -> Slot {
    Slot::found(memory, SLOTS_AT + n * slot::LENGTH)
}

/// Writes what a dead brain has not written of a chunk. Says so if that goes to another file than the first bytes may have
/// gone to.
fn finish(slot: &mut Slot, memory: &Shared, path: &Path) -> io::Result<Option<(LogLevel, String)>> {
    let chunk = slot.bytes(memory)?;
    let mark = slot.mark();
    let found = match mark.file {
        Some(file) => recovery::find(path, file, mark.before, &chunk, slot.rest() as u64)?,
        None => Found { to: recovery::open_or_make(path)?, written: 0, is_another: false },
    };
    death::may_come();
    let Found { to, written, is_another } = found;
    slot.set(memory, Mark { file: Some(to.id), before: to.end()?, done: mark.done + written, ..mark });
    write(slot, memory, &to)?;
    Ok(is_another.then(|| {
        let text = format!(
            "{} is no longer the file that a brain died writing to; {} bytes may be in both",
            path.display(),
            chunk.len()
        );
        (LogLevel::Warn, text)
    }))
}

/// What cannot be written is not on its way any more: the next try begins with a mark of its own.
fn write(slot: &mut Slot, memory: &Shared, to: &Open) -> io::Result<u64> {
    if slot.mark().file.is_none() {
        slot.set(memory, Mark { file: Some(to.id), before: to.end()?, ..slot.mark() });
    }
    slot.write_out(memory, to).inspect_err(|_| slot.settle(memory))
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
