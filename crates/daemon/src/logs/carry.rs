//! From a program's pipe to its sinks, a chunk at a time, by the surest way there is.
//!
//! - To a regular file by way of the journal: exactly once.
//! - Into another pipe (`/dev/stdout` of a container) by splice(2) alone: the kernel moves bytes from the one to the other, and
//!   at every moment they are in one of the two. Exactly once.
//! - To a terminal or a device by way of the journal, which cannot see what is there already: at least once.
//! - By hand where the bytes are not to arrive as they are: fetched through the journal, and treated again by the next brain if this one
//!   is killed before everybody has them. At least once. Without a journal what had been read is lost.
//!
//! Here is what these ways have in common: the means. Which one a chunk takes is chosen in `outlet.rs`.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;

use provost_core::Mono;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, ioctl_fionread, read};
use rustix::pipe::{SpliceFlags, splice};

use super::journal::{Flow, Journal, Voice};
use super::treatment::Bench;
use crate::clock;

/// One read at most; the size of Supervisor's (SPEC 4.2).
const BUFFER: usize = 128 * 1024;
/// One read at most while a disk is full: thousands of programs may log there.
const LITTLE: usize = 4096;
/// How long it is taken to be full after it was.
const SHORT: Duration = Duration::from_secs(5);

/// The means to carry chunks.
#[derive(Debug)]
pub(super) struct Carrier {
    journal: Option<Journal>,
    /// Empty until it is needed.
    buffer: Vec<u8>,
    bench: Bench,
    /// The journal could not take a chunk once.
    has_refused: bool,
    /// A disk had no room: until then little is read at a time, as it may have to be kept.
    is_short_until: Mono,
}

impl Carrier {
    pub(super) fn new(journal: Option<Journal>) -> Carrier {
        Carrier {
            journal,
            buffer: Vec::new(),
            bench: Bench::new(),
            has_refused: false,
            is_short_until: Mono(0),
        }
    }

    pub(super) fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_mut()
    }

    /// The journal, and where a piece is treated.
    pub(super) fn parts(&mut self) -> Option<(&mut Journal, &mut Bench)> {
        Some((self.journal.as_mut()?, &mut self.bench))
    }

    /// Where a piece is treated.
    pub(super) fn bench(&mut self) -> &mut Bench {
        &mut self.bench
    }

    /// The journal cannot take a chunk, it has to go by hand. Whether it is the first time, which is when it is told.
    pub(super) fn refuse(&mut self) -> bool {
        !std::mem::replace(&mut self.has_refused, true)
    }

    /// A disk had no room for something.
    pub(super) fn is_short(&mut self) {
        self.is_short_until = clock::now().mono + SHORT;
    }

    /// How many bytes to take at a time.
    pub(super) fn most(&self) -> usize {
        // Nobody looks at the clock while all is well.
        let is_short = self.is_short_until != Mono(0) && clock::now().mono < self.is_short_until;
        if is_short { LITTLE } else { BUFFER }
    }

    /// Fetches a chunk of this voice for whoever is to treat it. Until it [is heard](Carrier::is_heard) the next brain would
    /// bring it again.
    pub(super) fn fetch(&mut self, pipe: &OwnedFd, voice: Option<Voice>) -> (Flow, &[u8], &mut Bench) {
        let most = self.most();
        if let (Some(journal), Some(voice)) = (&mut self.journal, voice) {
            match journal.take_by_hand(voice, pipe, most) {
                Ok(Flow::Some(n)) => {
                    // What has been fetched is in memory.
                    self.buffer = journal.chunk().unwrap_or_default();
                    return (Flow::Some(n), &self.buffer, &mut self.bench);
                }
                Ok(flow) => return (flow, &[], &mut self.bench),
                Err(_) => {}
            }
        }
        self.read(pipe)
    }

    /// Everybody has what was fetched.
    pub(super) fn is_heard(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.is_heard();
        }
    }

    /// Reads a chunk by hand, for whoever drops it.
    pub(super) fn read(&mut self, pipe: &OwnedFd) -> (Flow, &[u8], &mut Bench) {
        let most = self.most();
        if self.buffer.capacity() > most {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.buffer.reserve_exact(most);
        let flow = match read(pipe, spare_capacity(&mut self.buffer)) {
            Ok(0) => Flow::Ended,
            Ok(n) => Flow::Some(n),
            Err(Errno::AGAIN | Errno::INTR) => Flow::Dry,
            Err(_) => Flow::Ended,
        };
        (flow, &self.buffer, &mut self.bench)
    }
}

/// From pipe to pipe; nothing where the kernel will not, or where nobody reads there any more: then a write says why.
pub(super) fn pass_on(pipe: &OwnedFd, to: &File) -> Option<Flow> {
    loop {
        match splice(pipe, None, to, None, BUFFER, SpliceFlags::NONBLOCK) {
            Ok(0) => return Some(Flow::Ended),
            Ok(n) => return Some(Flow::Some(n)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if ioctl_fionread(pipe).unwrap_or(0) == 0 => return Some(Flow::Dry),
            Err(Errno::AGAIN) => return Some(Flow::NoRoom),
            Err(_) => return None,
        }
    }
}
