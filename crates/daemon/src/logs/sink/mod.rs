//! Where output goes: a file with rotation, a stream that somebody reads, and whatever else takes bytes.
//!
//! A sink takes what it can at once and says how much that was; none but a regular file, whose disk cannot be asked,
//! lets its lane wait. Who keeps what was not taken, and for how long, is `outlet.rs`.

mod file;
mod stream;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use provost_core::LogDeed;

use super::open::{self, Kind, Open, OpenHow};

pub(super) use file::FileSink;
pub(super) use stream::Stream;

/// Where output goes, as configured: a name in the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) path: Arc<Path>,
    /// Bytes; 0 means never rotate.
    pub(crate) maxbytes: u64,
    /// Rotated files to keep; 0 means that a full file is emptied.
    pub(crate) backups: u32,
    pub(crate) how: OpenHow,
}

impl Destination {
    /// What has this name, as it is: never rotated.
    pub(crate) fn new(path: impl Into<Arc<Path>>) -> Destination {
        Destination { path: path.into(), maxbytes: 0, backups: 0, how: OpenHow::default() }
    }
}

/// An open sink.
#[derive(Debug)]
pub(crate) enum Sink {
    File(FileSink),
    /// A pipe, a FIFO, a terminal, a device.
    Stream(Stream),
}

/// What went wrong with a sink.
#[derive(Debug)]
pub(crate) enum Trouble {
    Write(io::Error),
    Rotate(io::Error),
}

impl Sink {
    /// Opens what has this name. Nobody is waited for.
    pub(crate) fn open(to: Destination) -> io::Result<Sink> {
        let open = open::for_writing(&to.path, &to.how)?;
        match open.kind {
            Kind::Regular => Ok(Sink::File(FileSink::of(to, open))),
            Kind::Pipe | Kind::Other => Ok(Sink::Stream(Stream::of(to, open))),
        }
    }

    pub(super) fn path(&self) -> &Arc<Path> {
        match self {
            Sink::File(file) => file.path(),
            Sink::Stream(stream) => stream.path(),
        }
    }

    pub(super) fn file(&self) -> &Open {
        match self {
            Sink::File(file) => file.file(),
            Sink::Stream(stream) => stream.file(),
        }
    }

    /// Writes as much as finds room, and tells how much that was: less than all of it, even nothing, where there is no more now,
    /// or trouble.
    pub(super) fn write(&mut self, bytes: &[u8]) -> (usize, Result<(), Trouble>) {
        match self {
            Sink::File(file) => file.write(bytes),
            Sink::Stream(stream) => stream.write(bytes),
        }
    }

    /// It has been written to, by the journal, and this is its size now.
    pub(super) fn grown(&mut self, size: u64) -> Result<(), Trouble> {
        match self {
            Sink::File(file) => file.grown(size),
            Sink::Stream(_) => Ok(()),
        }
    }

    /// Whether what cannot be written now may be written later, so that it is worth keeping. Nobody waits for a reader who is gone.
    pub(super) fn may_recover(&self) -> bool {
        matches!(self, Sink::File(_))
    }

    /// What becomes writable when there is room; nothing where one can only try again.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Sink::File(_) => None,
            Sink::Stream(stream) => Some(stream.waits_for()),
        }
    }

    /// Opens the file of this name anew: it may have been moved away.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        match self {
            Sink::File(file) => file.reopen(),
            Sink::Stream(stream) => stream.reopen(),
        }
    }

    /// On somebody's wish. What is no regular file has nothing to empty, and is not rotated.
    pub(super) fn do_to(&mut self, deed: LogDeed) -> io::Result<()> {
        match (self, deed) {
            (Sink::File(file), deed) => file.do_to(deed),
            (Sink::Stream(stream), LogDeed::Reopen) => stream.reopen(),
            (Sink::Stream(_), LogDeed::Clear | LogDeed::Rotate) => Ok(()),
        }
    }
}

/// Does it to a log that is not open. Only a regular file is touched, and none is made.
pub(super) fn do_to_closed(deed: LogDeed, to: Destination) -> io::Result<()> {
    match open::existing(&to.path) {
        Ok(open) if open.may_rotate && deed != LogDeed::Reopen => FileSink::of(to, open).do_to(deed),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

impl Trouble {
    /// What to tell of it, and what becomes of the output.
    pub(super) fn with(&self, path: &Path, fate: &str) -> String {
        let path = path.display();
        match self {
            Trouble::Write(e) => format!("cannot write to {path}: {e}; {fate}"),
            Trouble::Rotate(e) => format!("cannot rotate {path}: {e}; it goes on growing"),
        }
    }
}
