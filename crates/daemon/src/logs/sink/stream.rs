//! A sink with somebody at its other end: a pipe, a FIFO, a terminal; or a device.
//!
//! It is never rotated, never waited for, and never stops a program by an error of its own: what it has no room for is
//! the outlet's affair. A pipe is given a megabyte of room.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use memchr::memrchr;
use rustix::event::{PollFd, PollFlags, poll};

use super::super::open::{self, Kind, Open};
use super::{Destination, Trouble};
use crate::clock;

/// What a pipe that is ready to be written has room for, and takes whole (pipe(7)).
const PIECE: usize = 4096;

/// And what a terminal has, that is not ours to set up: it says that it is ready while there is but a little room.
const LITTLE: usize = 100;

#[derive(Debug)]
pub(crate) struct Stream {
    to: Arc<Destination>,
    open: Open,
}

impl Stream {
    pub(super) fn of(to: Arc<Destination>, open: Open) -> Stream {
        Stream { to, open }
    }

    pub(super) fn renew(&mut self, to: Arc<Destination>) {
        self.to = to;
    }

    pub(super) fn path(&self) -> &Arc<Path> {
        &self.to.path
    }

    pub(in crate::logs) fn file(&self) -> &Open {
        &self.open
    }

    /// Whether the kernel can move bytes into it from another pipe.
    pub(in crate::logs) fn is_pipe(&self) -> bool {
        self.open.kind == Kind::Pipe
    }

    /// As much as there is room for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> (usize, Result<(), Trouble>) {
        let mut written = 0;
        // What others have open, too, may not be made not to block: it is asked before every piece.
        while written < bytes.len() && (!self.open.is_shared || self.is_ready()) {
            let piece = self.piece(&bytes[written..]);
            match (&self.open.file).write(piece) {
                Ok(0) => return (written, Err(Trouble::Write(io::ErrorKind::WriteZero.into()))),
                Ok(n) => written += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return (written, Err(Trouble::Write(e))),
            }
        }
        (written, Ok(()))
    }

    /// What is written at once. A pipe takes all of that or nothing, so of many who write there none tears another's lines.
    fn piece<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.open.is_shared && !self.is_pipe() {
            return bytes;
        }
        let room = if self.is_pipe() { PIECE } else { LITTLE };
        let most = &bytes[..bytes.len().min(room)];
        match memrchr(b'\n', most) {
            Some(end) if bytes.len() > room => &most[..=end],
            _ => most,
        }
    }

    fn is_ready(&self) -> bool {
        let mut fds = [PollFd::new(&self.open.file, PollFlags::OUT)];
        let _ = poll(&mut fds, Some(&clock::timespec(Duration::ZERO)));
        !fds[0].revents().is_empty()
    }

    pub(super) fn waits_for(&self) -> BorrowedFd<'_> {
        self.open.file.as_fd()
    }

    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.open = open::for_writing(&self.to.path, &self.to.how)?;
        Ok(())
    }
}
