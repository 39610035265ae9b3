//! What every connection shares: the facts, and the way to the main loop.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::inbox::Inbox;

/// How a log is opened, which takes knowledge of directories that is not ours.
pub type OpenLog = fn(&Path) -> io::Result<File>;

/// What never changes while the daemon runs.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The keeper's pid, which is the daemon's to everybody outside.
    pub pid: i32,
    pub identifier: String,
    /// What `getSupervisorVersion` answers.
    pub supervisor_version: String,
    /// The main log, where it is a file.
    pub logfile: Option<PathBuf>,
    /// How many connections each door may have open; further ones wait to be accepted.
    pub most_connections: usize,
    /// Whether `[rpcinterface:supervisor]` is configured; without it only `system.*` exists (SPEC 2.7).
    pub supervisor_namespace: bool,
    /// Opens a log for reading: a regular file, and by no link that somebody may have placed for us.
    pub open_log: OpenLog,
    /// Gives memory that is no longer used back to the system; called behind large answers, which few ask for.
    pub tidy: fn(),
}

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) facts: Facts,
    pub(crate) inbox: Box<dyn Inbox>,
    bloated: AtomicBool,
}

/// An answer of this many bytes has taken some megabytes on its way.
const LARGE: usize = 128 * 1024;

impl Shared {
    pub(crate) fn new(facts: Facts, inbox: Box<dyn Inbox>) -> Shared {
        Shared { facts, inbox, bloated: AtomicBool::new(false) }
    }

    /// An answer of so many bytes is on its way.
    pub(crate) fn note_answer(&self, bytes: usize) {
        if bytes >= LARGE {
            self.bloated.store(true, Ordering::Relaxed);
        }
    }

    /// A connection has ended, and what it held is free.
    pub(crate) fn tidy(&self) {
        if self.bloated.swap(false, Ordering::Relaxed) {
            (self.facts.tidy)();
        }
    }
}
