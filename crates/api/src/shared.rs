//! What every connection shares: the facts, and the way to the main loop.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, watch};

use crate::disks::{Disks, MountOf};
use crate::gate::{Access, Caller, Guard, lost};
use crate::inbox::Inbox;
use crate::origin::Tokens;
use crate::pools::Pools;
use crate::rpc::{MOST_WAITERS, Namespaces};
use crate::watches::Watches;
use crate::web::MOST_PAGES;

/// How a log is opened, which takes knowledge of directories that is not ours.
pub type OpenLog = fn(&Path) -> io::Result<File>;

/// The groups that the process at the other end of a unix socket had when it connected, its own one and all others.
pub type PeerGroups = fn(BorrowedFd<'_>) -> Vec<u32>;

/// What never changes while the daemon runs.
#[derive(Clone)]
pub struct Facts {
    /// The keeper's pid, which is the daemon's to everybody outside.
    pub pid: i32,
    pub identifier: String,
    /// What `getSupervisorVersion` answers.
    pub supervisor_version: String,
    /// Our own, which the web page shows.
    pub version: &'static str,
    /// By which names browsers may know us: this machine's, and those that servers are configured with.
    pub host_names: Vec<String>,
    /// The main log, where it is a file.
    pub logfile: Option<PathBuf>,
    /// How many connections each door may have open; further ones wait to be accepted.
    pub most_connections: usize,
    /// How many logs may be followed at each door; further ones are refused.
    pub most_followers: usize,
    /// What `[rpcinterface:x]` publishes; without any only `system.*` exists (SPEC 2.7).
    pub namespaces: Namespaces,
    /// Opens a log for reading: a regular file, and by no link that somebody may have placed for us.
    pub open_log: OpenLog,
    /// On which mount a log lies.
    pub mount_of: MountOf,
    pub peer_groups: PeerGroups,
    /// Gives memory that is no longer used back to the system; called behind large answers, which few ask for.
    pub tidy: fn(),
    /// How things stand with listeners now.
    pub pools: Pools,
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("pid", &self.pid)
            .field("identifier", &self.identifier)
            .finish_non_exhaustive()
    }
}

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) facts: Facts,
    pub(crate) inbox: Box<dyn Inbox>,
    /// Replaced as a whole when the configuration is read anew.
    access: watch::Sender<Arc<Access>>,
    pub(crate) guard: Guard,
    /// Counts changes of processes, for those who show them.
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) tokens: Tokens,
    /// Places for pages that are told of changes, and for callers who wait for one.
    pub(crate) pages: Arc<Semaphore>,
    pub(crate) waiters: Semaphore,
    /// Whose turn it is to be told of all processes.
    pub(crate) listings: Semaphore,
    pub(crate) disks: Arc<Disks>,
    /// Logs that clients follow.
    pub(crate) watches: Watches,
    /// The loop has said so, and has not taken it back.
    runs: AtomicBool,
    bloated: AtomicBool,
}

/// Answers that tell of all processes and are on their way from the loop: each may have some megabytes.
const MOST_LISTINGS: usize = 8;
/// An answer of this many bytes has taken some megabytes on its way.
const LARGE: usize = 128 * 1024;

impl Shared {
    pub(crate) fn new(facts: Facts, access: Access, inbox: Box<dyn Inbox>) -> io::Result<Shared> {
        let access = watch::Sender::new(Arc::new(access));
        let guard = Guard::new(facts.tidy)?;
        let disks = Arc::new(Disks::new(facts.mount_of));
        Ok(Shared {
            facts,
            inbox,
            access,
            guard,
            changes: watch::Sender::new(0),
            tokens: Tokens::default(),
            pages: Arc::new(Semaphore::new(MOST_PAGES)),
            waiters: Semaphore::new(MOST_WAITERS),
            listings: Semaphore::new(MOST_LISTINGS),
            disks,
            watches: Watches::default(),
            runs: AtomicBool::new(false),
            bloated: AtomicBool::new(false),
        })
    }

    /// Who may come in now.
    pub(crate) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.borrow())
    }

    /// Ends when whoever was let in is no longer who he was, or may no longer what he might.
    pub(crate) async fn loses(&self, caller: &Caller) {
        lost(caller, self.access.subscribe()).await;
    }

    /// Whether the supervisor is known to run and to go on running. Where it is not known, the loop is to be asked.
    pub(crate) fn runs(&self) -> bool {
        self.runs.load(Ordering::Acquire)
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

/// The main loop's word to all who are connected.
#[derive(Clone)]
pub struct Herald(pub(crate) Arc<Shared>);

impl std::fmt::Debug for Herald {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Herald").finish_non_exhaustive()
    }
}

impl Herald {
    /// Some process is no longer as it was.
    pub fn changed(&self) {
        // Counted also while nobody looks: a page says up to which change it knows.
        self.0.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether the supervisor runs, and does not end or begin anew. Said before anything that follows from it is done, so nobody who has
    /// heard of an end is told that there is none.
    pub fn runs(&self, runs: bool) {
        self.0.runs.store(runs, Ordering::Release);
    }

    /// From the next request on, these may come in.
    pub fn admit(&self, access: Access) {
        self.0.access.send_replace(Arc::new(access));
    }
}
