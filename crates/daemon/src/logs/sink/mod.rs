//! Where output goes: a file with rotation, a stream that somebody reads, and whatever else takes bytes.
//!
//! A sink takes what it can at once and says how much that was; none but a regular file, whose disk cannot be asked,
//! lets its lane wait. Who keeps what was not taken, and for how long, is `outlet.rs`.

mod file;
mod stream;
mod wire;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use provost_config::{SyslogAddress, SyslogTo};
use provost_core::{LogDeed, Mono};

use super::compress::Compression;
use super::open::{self, Kind, Open, OpenHow};

pub(super) use file::FileSink;
pub(super) use stream::Stream;
pub(crate) use wire::Speaker;
use wire::Wire;

/// Where output goes, as configured: a name in the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) path: Arc<Path>,
    /// Bytes; 0 means never rotate.
    pub(crate) maxbytes: u64,
    /// Rotated files to keep; 0 means that a full file is emptied.
    pub(crate) backups: u32,
    pub(crate) how: OpenHow,
    /// What becomes of backups.
    pub(crate) compression: Option<Compression>,
}

impl Destination {
    /// What has this name, as it is: never rotated.
    pub(crate) fn new(path: impl Into<Arc<Path>>) -> Destination {
        Destination { path: path.into(), maxbytes: 0, backups: 0, how: OpenHow::default(), compression: None }
    }
}

/// What output goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Whatever has this name.
    Named(Arc<Destination>),
    Syslog(Arc<Wired>),
    Journal(Arc<Wired>),
    /// Syslog, for the daemon's own lines.
    OwnSyslog,
}

/// Where lines go, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wired {
    pub(crate) to: SyslogTo,
    pub(crate) speaker: Speaker,
}

/// An open sink.
#[derive(Debug)]
pub(crate) enum Sink {
    File(FileSink),
    /// A pipe, a FIFO, a terminal, a device.
    Stream(Stream),
    /// For whole lines.
    Wire(Box<Wire>),
}

/// What went wrong with a sink.
#[derive(Debug)]
pub(crate) enum Trouble {
    Write(io::Error),
    /// Not now; it will be tried again.
    Outage(io::Error),
    Rotate(io::Error),
}

impl Sink {
    /// Opens what has this name. Nobody is waited for.
    pub(crate) fn open(to: impl Into<Arc<Destination>>) -> io::Result<Sink> {
        let to = to.into();
        let open = open::for_writing(&to.path, &to.how)?;
        match open.kind {
            // One that is not only ours is written where the others write, and not looked into.
            Kind::Regular if !open.is_shared => Ok(Sink::File(FileSink::of(to, open))),
            Kind::Regular | Kind::Pipe | Kind::Other => Ok(Sink::Stream(Stream::of(to, open))),
        }
    }

    /// The same for anything that output goes to.
    pub(crate) fn of(target: &Target) -> io::Result<Sink> {
        let wire = match target {
            Target::Named(to) => return Sink::open(Arc::clone(to)),
            Target::Syslog(wired) => Wire::syslog(&wired.to, &wired.speaker),
            Target::Journal(wired) => Wire::journal(&wired.to, &wired.speaker),
            Target::OwnSyslog => Wire::own(),
        };
        Ok(Sink::Wire(Box::new(wire)))
    }

    #[cfg(test)]
    pub(super) fn path(&self) -> &Arc<Path> {
        self.by_name().expect("it is no wire").0
    }

    #[cfg(test)]
    pub(super) fn file(&self) -> &Open {
        self.by_name().expect("it is no wire").1
    }

    /// What the journal can carry a piece to.
    pub(super) fn by_name(&self) -> Option<(&Arc<Path>, &Open)> {
        match self {
            Sink::File(file) => Some((file.path(), file.file())),
            Sink::Stream(stream) => Some((stream.path(), stream.file())),
            Sink::Wire(_) => None,
        }
    }

    /// Writes as much as finds room, and tells how much that was: less than all of it, even nothing, where there is no more now,
    /// or trouble.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> (usize, Result<(), Trouble>) {
        match self {
            Sink::File(file) => file.write(bytes),
            Sink::Stream(stream) => stream.write(bytes),
            Sink::Wire(wire) => wire.write(bytes),
        }
    }

    /// It has been written to, by the journal, and this is its size now.
    pub(super) fn grown(&mut self, size: u64) -> Result<(), Trouble> {
        match self {
            Sink::File(file) => file.grown(size),
            Sink::Stream(_) | Sink::Wire(_) => Ok(()),
        }
    }

    /// Whether what cannot be written now may be written later, so that it is worth keeping. Nobody waits for a reader who is gone.
    pub(super) fn may_recover(&self) -> bool {
        matches!(self, Sink::File(_))
    }

    /// What becomes writable when there is room; nothing where one can only try again.
    pub(crate) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Sink::File(_) => None,
            Sink::Stream(stream) => Some(stream.waits_for()),
            Sink::Wire(wire) => wire.waits_for(),
        }
    }

    /// When to try again where a time is known.
    pub(super) fn try_again(&self) -> Option<Mono> {
        match self {
            Sink::File(_) | Sink::Stream(_) => None,
            Sink::Wire(wire) => wire.try_again(),
        }
    }

    /// Goes on with what it has taken and not passed on.
    pub(super) fn push(&mut self) -> Result<(), Trouble> {
        match self {
            Sink::Wire(wire) if wire.holds() => wire.push(),
            _ => Ok(()),
        }
    }

    /// Whose words it gets from here on.
    pub(super) fn is_of(&mut self, pid: i32) {
        if let Sink::Wire(wire) = self {
            wire.is_of(pid);
        }
    }

    /// The same place with other customs, which hold from the next bytes on.
    pub(super) fn renew(&mut self, to: &Arc<Destination>) {
        match self {
            Sink::File(file) => file.renew(Arc::clone(to)),
            Sink::Stream(stream) => stream.renew(Arc::clone(to)),
            Sink::Wire(_) => {}
        }
    }

    pub(super) fn holds(&self) -> bool {
        matches!(self, Sink::Wire(wire) if wire.holds())
    }

    /// On somebody's wish. What is no regular file has nothing to empty, and is not rotated.
    pub(super) fn do_to(&mut self, deed: LogDeed) -> io::Result<()> {
        match (self, deed) {
            (Sink::File(file), deed) => file.do_to(deed),
            (Sink::Stream(stream), LogDeed::Reopen) => stream.reopen(),
            (Sink::Stream(_) | Sink::Wire(_), _) => Ok(()),
        }
    }
}

/// Does it to a log that is not open. Only a regular file is touched, and none is made.
pub(super) fn do_to_closed(deed: LogDeed, to: &Target) -> io::Result<()> {
    let Target::Named(to) = to else { return Ok(()) };
    match open::existing(&to.path) {
        Ok(open) if open.may_rotate && deed != LogDeed::Reopen => {
            FileSink::of(Arc::clone(to), open).do_to(deed)
        }
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

impl Target {
    /// What to call it.
    pub(super) fn name(&self) -> String {
        let address = match self {
            Target::Named(to) => return to.path.display().to_string(),
            Target::Journal(..) => return "the journal".to_owned(),
            Target::OwnSyslog => return "syslog".to_owned(),
            Target::Syslog(wired) => &wired.to.address,
        };
        match address {
            SyslogAddress::Local => "syslog".to_owned(),
            SyslogAddress::Udp { host, port } => format!("syslog @udp:{host}:{port}"),
            SyslogAddress::Tcp { host, port } => format!("syslog @tcp:{host}:{port}"),
        }
    }

    /// Whether output that goes to one of them goes to the other.
    pub(super) fn is_same_place(&self, other: &Target) -> bool {
        match (self, other) {
            (Target::Named(this), Target::Named(other)) => this.path == other.path,
            _ => self == other,
        }
    }

    /// Whether it takes lines and not bytes.
    pub(crate) fn is_wire(&self) -> bool {
        !matches!(self, Target::Named(_))
    }

    /// A host elsewhere, which is looked for by name.
    pub(super) fn remote(&self) -> Option<String> {
        match self {
            Target::Syslog(wired) if wired.to.address != SyslogAddress::Local => Some(self.name()),
            _ => None,
        }
    }
}

impl Trouble {
    /// What to tell of it, and what becomes of the output.
    pub(super) fn with(&self, name: &str, fate: &str) -> String {
        match self {
            Trouble::Write(e) | Trouble::Outage(e) => format!("cannot write to {name}: {e}; {fate}"),
            Trouble::Rotate(e) => format!("cannot rotate {name}: {e}; it goes on growing"),
        }
    }
}
