//! A place in the journal where one chunk lies: its bytes, the path of the file that it is for, and a mark of how far it is.
//!
//! In and out: marks, paths, and bytes from and to descriptors. What a mark means, and in which order things are done so that a brain may
//! be killed between any two of them, is `journal.rs`.
//!
//! A mark changes all at once (`twice.rs`). Memory that was never touched is an empty slot, and an emptied one becomes that again.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use provost_keeper::Shared;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::pread;

use super::open::{FileId, Open};
use crate::death;
use crate::twice::Twice;

/// The longest chunk; the size of Supervisor's reads (SPEC 4.2).
pub(super) const MOST: usize = 128 * 1024;
/// What lies before a slot's bytes, which begin on a page of their own.
const HEAD: usize = 8192;
/// One slot after the other, each this long.
pub(super) const LENGTH: usize = HEAD + MOST;

/// The words of a slot's head: the mark, a path.
const MARK: Twice = Twice::new(0, 5);
const PATH_LENGTH: usize = 11;
const PATH: usize = 12;
const LONGEST_PATH: usize = HEAD - PATH * 8;

/// What the next brain must know to finish a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The file that the next byte may have gone to, and its size before. Nothing while nobody is writing.
    pub(super) file: Option<FileId>,
    pub(super) before: u64,
    /// How long the chunk is, and how much of it is written.
    pub(super) taken: usize,
    pub(super) done: usize,
}

impl Mark {
    pub(super) fn left(&self) -> usize {
        self.taken - self.done
    }
}

/// One slot, of which this brain knows the mark.
#[derive(Debug)]
pub(super) struct Slot {
    at: usize,
    mark: Mark,
}

impl Slot {
    /// The slot at this byte of the memory, as it was left.
    pub(super) fn found(memory: &Shared, at: usize) -> Slot {
        let words = words(memory, at);
        let mut mark = MARK.get(words);
        let [dev, ino, before, taken, done] = std::array::from_fn(|_| mark.next().unwrap_or(0));
        let taken = (taken as usize).min(MOST);
        let done = (done as usize).min(taken);
        // No file has this number.
        let file = (ino != 0).then_some(FileId { dev, ino });
        Slot { at, mark: Mark { file, before, taken, done } }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    pub(super) fn set(&mut self, memory: &Shared, mark: Mark) {
        let Mark { file, before, taken, done } = mark;
        let FileId { dev, ino } = file.unwrap_or(FileId { dev: 0, ino: 0 });
        MARK.set(words(memory, self.at), [dev, ino, before, taken as u64, done as u64]);
        self.mark = mark;
    }

    pub(super) fn path(&self, memory: &Shared) -> PathBuf {
        use std::os::unix::ffi::OsStringExt;
        let words = words(memory, self.at);
        let length = (words[PATH_LENGTH].load(Ordering::Acquire) as usize).min(LONGEST_PATH);
        let bytes = words[PATH..].iter().take(length.div_ceil(8));
        let mut bytes: Vec<u8> = bytes.flat_map(|word| word.load(Ordering::Acquire).to_le_bytes()).collect();
        bytes.truncate(length);
        std::ffi::OsString::from_vec(bytes).into()
    }

    pub(super) fn set_path(&self, memory: &Shared, path: &Path) -> io::Result<()> {
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.len() > LONGEST_PATH {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let words = words(memory, self.at);
        for (place, piece) in words[PATH..].iter().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..piece.len()].copy_from_slice(piece);
            place.store(u64::from_le_bytes(padded), Ordering::Relaxed);
        }
        words[PATH_LENGTH].store(bytes.len() as u64, Ordering::Release);
        death::may_come();
        Ok(())
    }

    /// Where in the memory the bytes lie that are not written yet.
    pub(super) fn rest(&self) -> usize {
        self.at + HEAD + self.mark.done
    }

    /// Reads bytes of the chunk, up to its end, to where they belong.
    pub(super) fn fill(&self, memory: &Shared, from: impl AsFd, have: usize) -> io::Result<usize> {
        memory.read_from(from, self.at + HEAD + have, self.mark.taken - have)
    }

    /// Writes what is left of the chunk, marking each piece. Returns the size of the file.
    pub(super) fn write_out(&mut self, memory: &Shared, to: &Open) -> io::Result<u64> {
        let mut size = self.mark.before;
        while self.mark.left() > 0 {
            let left = self.mark.left();
            match memory.write_to(&to.file, self.rest(), left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    death::may_come();
                    // Somebody else may write between two pieces.
                    size = if n < left { to.end()? } else { size + n as u64 };
                    let done = self.mark.done + n;
                    self.set(memory, Mark { file: Some(to.id), before: size, done, ..self.mark });
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(size)
    }

    /// Nobody is writing: wherever the file grows now, it is not by what is in here.
    pub(super) fn settle(&mut self, memory: &Shared) {
        self.set(memory, Mark { file: None, ..self.mark });
    }

    /// Nothing of it is to be written any more.
    pub(super) fn give_up(&mut self, memory: &Shared) {
        self.set(memory, Mark { done: self.mark.taken, ..self.mark });
    }

    /// What is left of the chunk.
    pub(super) fn bytes(&self, memory: &Shared) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.mark.left()];
        let mut read = 0;
        while read < bytes.len() {
            match pread(memory, &mut bytes[read..], (self.rest() + read) as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => read += n,
            }
        }
        Ok(bytes)
    }

    /// Gives the memory of an empty slot back.
    pub(super) fn release(&self, memory: &Shared) {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // If the kernel will not, it is used again all the same.
        let _ = fallocate(memory, hole, self.at as u64, LENGTH as u64);
        death::may_come();
    }
}

fn words(memory: &Shared, at: usize) -> &[AtomicU64] {
    &memory.words()[at / 8..(at + HEAD) / 8]
}
