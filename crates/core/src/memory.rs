//! What a later brain must know of a process to go on as if nothing had happened.
//!
//! The core says [`Action::Remember`](crate::Action::Remember) whenever it changes; the shell keeps it where a brain's
//! death cannot reach it, and tells it to the next one as [`Input::Recall`](crate::Input::Recall).

use crate::event::ExitStatus;
use crate::process::State;
use crate::time::Now;

/// A process without its configuration and its child: these are known from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    pub state: State,
    /// Failed attempts in a row.
    pub backoff: u32,
    pub exit: Option<ExitStatus>,
    pub started: Option<Now>,
    pub stopped: Option<Now>,
    pub spawnerr: Option<String>,
}
