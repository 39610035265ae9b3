//! What a later brain must know of a process to go on as if nothing had happened.
//!
//! The core says [`Action::Remember`](crate::Action::Remember) whenever it changes; the shell keeps it where a brain's
//! death cannot reach it, and tells it to the next one as [`Input::Recall`](crate::Input::Recall). What happens with it is
//! in `process/resume.rs`. Here is the decision about each thing that a brain knows:
//!
//! | what a brain knows | with its death |
//! | --- | --- |
//! | state, failures in a row, times of the last start and end, error text | remembered |
//! | how the last child ended, shown (`exit`) and counted (`last`) | remembered |
//! | the next deadline: retry (chance included), restart, SIGKILL | remembered, to the nanosecond |
//! | the end of `startsecs` | derived: the child's birth is the keeper's knowledge |
//! | that the stop signal, or SIGKILL, has gone out | remembered; where that is not certain it goes out again |
//! | the restarts that `startlimit` counts, and how many there were in all | remembered |
//! | the last lives, who started and stopped it, attempts and restarts in all (`history.rs`) | remembered |
//! | down for good by itself, and as which one (`exit_on`, `essential`) | remembered (`end`); how, derived from the state and `last` |
//! | a restart that was called off | remembered: EXITED, and nothing due |
//! | that a process which was stopped for an update comes back | remembered (`returns`); with which configuration is the shell's knowledge |
//! | an update that waits for a stop | lost with who asked for it: the configuration in force is the old one until the group turns |
//! | children, pids, births and ends | the keeper's knowledge |
//! | a wish for a child that never was | taken up again, not sooner than a second after it |
//! | who takes the place of a child at its end | the keeper's until the next brain has withdrawn it, which then promises anew |
//! | that everything stops, for which ending and status | remembered (`Action::RememberEnding`), before it begins |
//! | whose turn it is to stop, or to start by itself | derived from priorities and states: who has never been met has not had its start |
//! | groups, their order, what may be added | the shell's: the configuration in force |
//! | where processes log | derived; the names of automatic files are kept by the shell |
//! | which pools of listeners there are, and whose child may hear | derived, and said again; what waits for them is the shell's knowledge |
//! | that groups have come, and that it runs, was told | the shell's: a brain that has begun has told it |
//! | numbers of processes and children | new ones, above those that the keeper knows |
//! | who waits for which answer, and "waiting for x to stop" | lost: the connection is, and whoever asks again gets an answer |
//! | when "waiting for x to die" was last said | lost: it is said once more |
//! | what chance is made of | lost: the next draw is another |
//!
//! Nothing waits for another program yet (`order.rs`), and events get their numbers from the shell: neither can be lost here.

use std::sync::Arc;

use crate::event::ExitStatus;
use crate::history::History;
use crate::process::State;
use crate::time::{Mono, Now};

/// A process without its configuration and its child: these are known from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    pub state: State,
    /// Failed attempts in a row.
    pub backoff: u32,
    pub exit: Option<ExitStatus>,
    /// How the last child ended, also one that ended too quickly, since a person started the process.
    pub last: Option<ExitStatus>,
    pub started: Option<Now>,
    pub stopped: Option<Now>,
    pub spawnerr: Option<String>,
    pub due: Due,
    /// While STOPPING: its child has certainly been asked to end.
    pub asked: bool,
    /// When it was restarted, as far back as `startlimit` counts.
    pub restarts: Arc<[Mono]>,
    /// How often it was restarted by itself since a person started it. An older build did not say: none.
    pub restarted: u32,
    /// It is down for good by itself: a number that is higher than that of whoever was so before.
    pub end: Option<u64>,
    /// What is told of it. An older build did not say: nothing.
    pub history: Arc<History>,
    /// It is STOPPING, or STOPPED, and starts again by itself: an update wants that.
    pub returns: bool,
}

/// When the process has to be looked after again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// An older build did not write that down, nor anything else that came later.
    Unknown,
    Never,
    At(Mono),
}

impl Memory {
    /// All that can be said where only the state is known.
    pub fn of(state: State) -> Memory {
        Memory {
            state,
            backoff: 0,
            exit: None,
            last: None,
            started: None,
            stopped: None,
            spawnerr: None,
            due: Due::Unknown,
            asked: false,
            restarts: Arc::default(),
            restarted: 0,
            end: None,
            history: Arc::default(),
            returns: false,
        }
    }
}
