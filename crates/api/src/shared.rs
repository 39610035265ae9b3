//! What every connection shares: the facts, and the way to the main loop.

use std::path::PathBuf;

use crate::inbox::Inbox;

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
}

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) facts: Facts,
    pub(crate) inbox: Box<dyn Inbox>,
}
