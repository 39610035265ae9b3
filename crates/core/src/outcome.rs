//! What comes of preparing a process: where it logs, or why it cannot be started; and of writing to it.

use std::path::Path;
use std::sync::Arc;

/// Where a process writes; `None` where nothing is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogPaths {
    pub stdout: Option<Arc<Path>>,
    pub stderr: Option<Arc<Path>>,
}

/// Why a program cannot be started (SPEC 3.4, the table of texts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnError {
    pub kind: SpawnErrorKind,
    pub text: String,
}

/// Which fault a refused start gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpawnErrorKind {
    NoFile,
    NotExecutable,
    /// Out of descriptors, processes or memory, or a log that cannot be opened.
    Resources,
}

/// Why nothing was written to a child's standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StdinError {
    /// Nobody holds the other end open any more, or it never was a pipe.
    Closed,
    /// The child has ended.
    Ended,
    /// For this reason, in words.
    Refused(String),
}
