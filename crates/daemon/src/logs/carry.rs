//! From a program's pipe to its sink, a chunk at a time, by the surest way there is.
//!
//! - To a regular file by way of the journal: exactly once.
//! - Into another pipe (`/dev/stdout` of a container) by splice(2) alone: the kernel moves bytes from the one to the other, and
//!   at every moment they are in one of the two. Exactly once.
//! - To a terminal or a device by way of the journal, which cannot see what is there already: at least once.
//! - Without a journal by read and write: what had been read when the brain was killed is lost.
//! - To nobody: read and dropped.

use std::io;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionread, read};
use rustix::pipe::{SpliceFlags, splice};

use super::journal::{Flow, Journal};
use super::sink::{Kind, Sink, Trouble};

/// One read at most; the size of Supervisor's (SPEC 4.2).
const BUFFER: usize = 128 * 1024;

/// Somebody who wants to see what is carried.
type See<'a> = &'a mut dyn FnMut(&[u8]);

/// The means to carry chunks.
#[derive(Debug)]
pub(super) struct Carrier {
    journal: Option<Journal>,
    /// Empty until it is needed.
    buffer: Vec<u8>,
    /// Why the journal could not take a chunk: told once.
    refused: Option<io::Error>,
    has_refused: bool,
}

impl Carrier {
    pub(super) fn new(journal: Option<Journal>) -> Carrier {
        Carrier { journal, buffer: Vec::new(), refused: None, has_refused: false }
    }

    pub(super) fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_mut()
    }

    /// Why something may now be lost with the brain, the first time.
    pub(super) fn take_refusal(&mut self) -> Option<io::Error> {
        self.refused.take()
    }

    /// Carries what is in the pipe, as much as goes in one piece.
    pub(super) fn carry(&mut self, pipe: &OwnedFd, sink: Option<&mut Sink>) -> (Flow, Result<(), Trouble>) {
        let Some(sink) = sink else { return (self.read(pipe), Ok(())) };
        if sink.file().kind == Kind::Pipe
            && let Some(flow) = pass_on(pipe, sink)
        {
            return (flow, Ok(()));
        }
        self.carry_by_journal(pipe, sink, None)
    }

    /// The same, for a pipe whose content somebody wants to see, too.
    pub(super) fn carry_seen(
        &mut self,
        pipe: &OwnedFd,
        sink: Option<&mut Sink>,
        see: See<'_>,
    ) -> (Flow, Result<(), Trouble>) {
        let Some(sink) = sink else {
            let flow = self.read(pipe);
            if let Flow::Some(_) = flow {
                see(&self.buffer);
            }
            return (flow, Ok(()));
        };
        self.carry_by_journal(pipe, sink, Some(see))
    }

    fn carry_by_journal(
        &mut self,
        pipe: &OwnedFd,
        sink: &mut Sink,
        see: Option<See<'_>>,
    ) -> (Flow, Result<(), Trouble>) {
        match self.journal.as_mut().map(|journal| journal.take(pipe, sink)) {
            None => self.copy(pipe, sink, see),
            Some(Ok(flow @ (Flow::Dry | Flow::Ended))) => (flow, Ok(())),
            Some(Ok(flow @ Flow::Some(_))) => {
                let chunk = match (&see, &self.journal) {
                    (Some(_), Some(journal)) => journal.chunk().ok(),
                    _ => None,
                };
                let result = self.put(sink);
                if let (Some(see), Some(chunk)) = (see, chunk) {
                    see(&chunk);
                }
                (flow, result)
            }
            Some(Err(e)) => {
                if !self.has_refused {
                    (self.refused, self.has_refused) = (Some(e), true);
                }
                self.copy(pipe, sink, see)
            }
        }
    }

    fn put(&mut self, sink: &mut Sink) -> Result<(), Trouble> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let size = journal.put(sink.file()).map_err(Trouble::Write)?;
        sink.grown(size)
    }

    fn copy(&mut self, pipe: &OwnedFd, sink: &mut Sink, see: Option<See<'_>>) -> (Flow, Result<(), Trouble>) {
        let flow = self.read(pipe);
        let Flow::Some(_) = flow else { return (flow, Ok(())) };
        let result = sink.write(&self.buffer);
        if let Some(see) = see {
            see(&self.buffer);
        }
        (flow, result)
    }

    fn read(&mut self, pipe: &OwnedFd) -> Flow {
        self.buffer.clear();
        self.buffer.reserve(BUFFER);
        match read(pipe, spare_capacity(&mut self.buffer)) {
            Ok(0) => Flow::Ended,
            Ok(n) => Flow::Some(n),
            Err(Errno::AGAIN | Errno::INTR) => Flow::Dry,
            Err(_) => Flow::Ended,
        }
    }
}

/// From pipe to pipe; nothing where the kernel will not, or where nobody reads there any more: then a write says why.
fn pass_on(pipe: &OwnedFd, sink: &Sink) -> Option<Flow> {
    let to = &sink.file().file;
    loop {
        match splice(pipe, None, to, None, BUFFER, SpliceFlags::NONBLOCK) {
            Ok(0) => return Some(Flow::Ended),
            Ok(n) => return Some(Flow::Some(n)),
            Err(Errno::INTR) => {}
            // Nothing to take, or no room.
            Err(Errno::AGAIN) if ioctl_fionread(pipe).unwrap_or(0) == 0 => return Some(Flow::Dry),
            // As slow as its reader, as a write would be. An interrupted poll is a short one.
            Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(to, PollFlags::OUT)], None)),
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::path::Path;

    use super::*;
    use crate::logs::scene::Dir;
    use crate::logs::sink::Destination;

    fn sink(path: &Path) -> Sink {
        Sink::open(Destination { path: path.into(), maxbytes: 0, backups: 0 }).unwrap()
    }

    #[test]
    fn from_pipe_to_pipe_nothing_passes_through_our_hands() {
        let (from, mut program) = io::pipe().unwrap();
        let (mut reader, to) = io::pipe().unwrap();
        let from = OwnedFd::from(from);
        let mut sink = sink(Path::new(&format!("/proc/self/fd/{}", to.as_raw_fd())));
        drop(to);
        let mut carrier = Carrier::new(None);
        program.write_all(b"words").unwrap();
        assert_eq!(carrier.carry(&from, Some(&mut sink)).0, Flow::Some(5));
        assert_eq!(carrier.carry(&from, Some(&mut sink)).0, Flow::Dry);
        drop(program);
        assert_eq!(carrier.carry(&from, Some(&mut sink)).0, Flow::Ended);
        assert_eq!(carrier.buffer.capacity(), 0);
        drop(sink);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "words");
    }

    #[test]
    fn many_short_pieces_find_room_in_a_pipe_before_anybody_reads_it() {
        let (from, mut program) = io::pipe().unwrap();
        let (_reader, to) = io::pipe().unwrap();
        let from = OwnedFd::from(from);
        let mut sink = sink(Path::new(&format!("/proc/self/fd/{}", to.as_raw_fd())));
        for _ in 0..200 {
            program.write_all(b"word\n").unwrap();
            assert_eq!(Carrier::new(None).carry(&from, Some(&mut sink)).0, Flow::Some(5));
        }
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_trouble_and_does_not_stop_the_program() {
        let (from, mut program) = io::pipe().unwrap();
        let (reader, to) = io::pipe().unwrap();
        let mut sink = sink(Path::new(&format!("/proc/self/fd/{}", to.as_raw_fd())));
        drop(reader);
        program.write_all(b"words").unwrap();
        let (flow, result) = Carrier::new(None).carry(&from.into(), Some(&mut sink));
        assert_eq!(flow, Flow::Some(5));
        assert!(matches!(result, Err(Trouble::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe));
    }

    #[test]
    fn with_and_without_a_journal_the_same_is_written() {
        for journal in [None, Some(Journal::create().unwrap())] {
            let dir = Dir::new();
            let (from, mut program) = io::pipe().unwrap();
            let from = OwnedFd::from(from);
            let mut sink = sink(&dir.file("log"));
            let mut carrier = Carrier::new(journal);
            for n in 0..100 {
                program.write_all(format!("{n}\n").as_bytes()).unwrap();
                let (flow, result) = carrier.carry(&from, Some(&mut sink));
                assert!(matches!(flow, Flow::Some(_)) && result.is_ok());
            }
            let expected: String = (0..100).map(|n| format!("{n}\n")).collect();
            assert_eq!(dir.content("log"), Some(expected));
            drop(program);
            assert_eq!(carrier.carry(&from, Some(&mut sink)).0, Flow::Ended);
            assert!(carrier.take_refusal().is_none());
        }
    }
}
