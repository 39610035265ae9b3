//! The journal: what a program wrote to a log file is there exactly once, though the brain may be killed between any two
//! instructions.
//!
//! A chunk on its way from a pipe to a file lies in a memfd that the keeper holds, too: mapped, so that it is written from
//! there, and with a file position, which is kept by the kernel and not by us. Four steps, two of them system calls that move bytes:
//!
//! 1. *mark*: note the file (name, device, inode), its size, and that all up to the present position is done;
//! 2. *take*: splice(2) from the pipe into the memfd, at its position. The kernel takes out of the pipe what it has put into the
//!    memfd, and moves the position by as much, before anybody can be killed: bytes beyond the mark are on their way, and
//!    they are in no pipe any more; all others still are;
//! 3. *put*: write(2) from the mapping to the file, which is open for appending;
//! 4. *mark* again: done.
//!
//! A new brain looks at the journal before it writes anything. Position and mark agree: nothing was on its way, or nothing
//! is missing. If not, the difference is the chunk, and only step 3 is in doubt, which SIGKILL may also have
//! cut short. How much of it was done is seen in the file itself (`recovery.rs`); the rest is written, marked like any
//! other. So a brain that is killed during this leaves what its successor needs to do it again.
//!
//! A mark is one of two, and a single word says which one counts: a brain that dies while it writes the other changes nothing.
//! The name is written when nothing is on its way, and means nothing then. One brain at a time uses the journal: the
//! keeper starts none before it has reaped the last, and one that makes room for another ends its pump before.
//!
//! What this promises for regular files, and where it ends: others may append, rename and truncate as they like, but what is truncated
//! or moved to another directory in the instant of a kill, after the write and before the mark, is written again; and of
//! bytes that somebody else wrote at that instant, and that are equal to the whole chunk, nobody can tell whose they are. What cannot be
//! written (a full disk) is lost, as without a kill. Terminals and devices show at least once what was on its way. Pipes do
//! not come here at all (`carry.rs`).

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use provost_config::LogLevel;
use provost_keeper::Shared;
use rustix::fs::{SeekFrom, seek};
use rustix::io::{Errno, pread};
use rustix::pipe::{SpliceFlags, splice};

use super::death;
use super::recovery::{self, Found};
use super::sink::{FileId, Open, Sink};

/// The name under which the keeper holds the first; the others have a number behind it.
const HELD_AS: &str = "journal";

/// The name of the journal with this number; they are counted from 1.
pub(crate) fn name(number: usize) -> String {
    if number == 1 { HELD_AS.to_owned() } else { format!("{HELD_AS}:{number}") }
}

/// The longest chunk; the size of Supervisor's reads (SPEC 4.2).
const MOST: u64 = 128 * 1024;
/// Chunks lie behind one another, so that the position is set back seldom.
const ROOM: u64 = 2 * MOST;
/// Where they begin, in bytes; words lie below.
const DATA: u64 = 8192;
const FORMAT: u64 = u64::from_le_bytes(*b"journal\x01");

/// The words: what this is, which mark counts, the two marks, a path.
const IS: usize = 0;
const CURRENT: usize = 1;
const MARKS: [usize; 2] = [2, 6];
const PATH_LENGTH: usize = 10;
const PATH: usize = 11;
const LONGEST_PATH: usize = DATA as usize - PATH * 8;

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

/// What the next brain must know to finish a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// Everything before this position in the journal is written.
    done: u64,
    /// The file that the next byte goes to, and its size before.
    file: FileId,
    before: u64,
}

/// The journal, open.
#[derive(Debug)]
pub(crate) struct Journal {
    memory: Shared,
    mark: Mark,
    /// The position: behind the last byte that was taken.
    taken: u64,
    /// What the noted path is, if we wrote it.
    path: Option<Arc<Path>>,
}

impl Journal {
    pub(crate) fn create() -> io::Result<Journal> {
        let memory = Shared::create(HELD_AS, (DATA + ROOM) as usize)?;
        seek(&memory, SeekFrom::Start(DATA))?;
        memory.words()[IS].store(FORMAT, Ordering::Release);
        Journal::of(memory)
    }

    /// The journal of an earlier brain.
    pub(crate) fn resume(fd: OwnedFd) -> io::Result<Journal> {
        Journal::of(Shared::found(fd)?)
    }

    fn of(memory: Shared) -> io::Result<Journal> {
        let is_one = |words: &[_]| word(words, IS) == FORMAT && size_of_val(words) as u64 == DATA + ROOM;
        let taken = seek(&memory, SeekFrom::Current(0))?;
        if !is_one(memory.words()) || !(DATA..=DATA + ROOM).contains(&taken) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a journal of another kind"));
        }
        let mark = read_mark(memory.words());
        Ok(Journal { memory, mark, taken, path: None })
    }

    /// A descriptor of it for the keeper.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        self.memory.share()
    }

    /// Steps 1 and 2: from a pipe, for a file. What was taken is to be [`Journal::put`] there before anything else is taken. An
    /// error is the journal's own; nothing was taken then.
    pub(super) fn take(&mut self, pipe: &OwnedFd, sink: &Sink) -> io::Result<Flow> {
        self.aim(sink.path())?;
        let before = sink.file().end()?;
        if self.taken + MOST > DATA + ROOM {
            self.taken = seek(&self.memory, SeekFrom::Start(DATA))?;
            death::may_come();
        }
        self.set(Mark { done: self.taken, file: sink.file().id, before });
        match splice(pipe, None, &self.memory, None, MOST as usize, SpliceFlags::NONBLOCK) {
            Ok(0) => Ok(Flow::Ended),
            Ok(n) => {
                death::may_come();
                self.taken += n as u64;
                Ok(Flow::Some(n))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Flow::Dry),
            Err(e) => Err(e.into()),
        }
    }

    /// What cannot be written is somebody else's affair from here on.
    pub(super) fn give_up(&mut self) {
        self.set(Mark { done: self.taken, ..self.mark });
    }

    /// Steps 3 and 4. What could not be written is still there after an error. Returns the size of the file.
    pub(super) fn put(&mut self, to: &Open) -> io::Result<u64> {
        let mut size = self.mark.before;
        while self.mark.done < self.taken {
            let left = (self.taken - self.mark.done) as usize;
            match self.memory.write_to(&to.file, self.mark.done as usize, left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    death::may_come();
                    // Somebody else may write between two pieces.
                    size = if n < left { to.end()? } else { size + n as u64 };
                    self.set(Mark { done: self.mark.done + n as u64, file: to.id, before: size });
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(size)
    }

    /// What was taken and is not put yet.
    pub(super) fn chunk(&self) -> io::Result<Vec<u8>> {
        let mut chunk = vec![0; (self.taken - self.mark.done) as usize];
        let mut read = 0;
        while read < chunk.len() {
            match pread(&self.memory, &mut chunk[read..], self.mark.done + read as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => read += n,
            }
        }
        Ok(chunk)
    }

    /// Where a dead brain was writing to, if it had not finished.
    pub(super) fn unfinished(&self) -> Option<PathBuf> {
        (self.mark.done < self.taken).then(|| read_path(&self.memory))
    }

    /// Finishes what a dead brain had begun. Returns what is to be said of it, if anything.
    pub(super) fn recover(&mut self) -> Option<(LogLevel, String)> {
        if self.mark.done >= self.taken {
            return None;
        }
        let path = read_path(&self.memory);
        let bytes = self.taken - self.mark.done;
        match self.finish(&path) {
            Ok(false) => None,
            Ok(true) => {
                let text = format!(
                    "{} is no longer the file that a brain died writing to; {bytes} bytes may be in both",
                    path.display()
                );
                Some((LogLevel::Warn, text))
            }
            Err(e) => {
                self.set(Mark { done: self.taken, ..self.mark });
                let text = format!(
                    "cannot write to {}: {e}; up to {bytes} bytes of output that a brain died writing are lost",
                    path.display()
                );
                Some((LogLevel::Critical, text))
            }
        }
    }

    /// Whether they went to another file than the first of them may have gone to.
    fn finish(&mut self, path: &Path) -> io::Result<bool> {
        let chunk = self.chunk()?;
        let Mark { done, file, before } = self.mark;
        let Found { to, written, is_another } = recovery::find(path, file, before, &chunk, done)?;
        death::may_come();
        self.set(Mark { done: done + written as u64, file: to.id, before: to.end()? });
        self.put(&to)?;
        Ok(is_another)
    }

    /// Notes where the next chunk goes, while none is on its way.
    fn aim(&mut self, path: &Arc<Path>) -> io::Result<()> {
        if self.path.as_ref().is_some_and(|noted| Arc::ptr_eq(noted, path)) {
            return Ok(());
        }
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.len() > LONGEST_PATH {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        for (place, piece) in self.memory.words()[PATH..].iter().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..piece.len()].copy_from_slice(piece);
            place.store(u64::from_le_bytes(padded), Ordering::Relaxed);
        }
        self.memory.words()[PATH_LENGTH].store(bytes.len() as u64, Ordering::Release);
        self.path = Some(Arc::clone(path));
        death::may_come();
        Ok(())
    }

    fn set(&mut self, mark: Mark) {
        let words = self.memory.words();
        let other = 1 - current(words);
        let fields = [mark.done, mark.file.dev, mark.file.ino, mark.before];
        for (place, field) in words[MARKS[other]..].iter().zip(fields) {
            place.store(field, Ordering::Relaxed);
            death::may_come();
        }
        words[CURRENT].store(other as u64, Ordering::Release);
        self.mark = mark;
        death::may_come();
    }
}

type Word = std::sync::atomic::AtomicU64;

fn word(words: &[Word], n: usize) -> u64 {
    words[n].load(Ordering::Acquire)
}

fn current(words: &[Word]) -> usize {
    usize::from(word(words, CURRENT) == 1)
}

fn read_mark(words: &[Word]) -> Mark {
    let at = MARKS[current(words)];
    let file = FileId { dev: word(words, at + 1), ino: word(words, at + 2) };
    // A journal that was never used has nothing before its position.
    Mark { done: word(words, at).max(DATA), file, before: word(words, at + 3) }
}

fn read_path(memory: &Shared) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let words = memory.words();
    let length = (word(words, PATH_LENGTH) as usize).min(LONGEST_PATH);
    let mut bytes: Vec<u8> =
        (PATH..).take(length.div_ceil(8)).flat_map(|n| word(words, n).to_le_bytes()).collect();
    bytes.truncate(length);
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
