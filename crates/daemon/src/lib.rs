//! The brain: a shell around the pure core. Everything that happens comes in through one loop, everything wanted goes out of it.
//!
//! `boot` reads the configuration and brings up log, sockets and pidfile; `run` is the loop; `inputs` turns news of the
//! keeper into inputs; `perform` carries out actions; `launch` makes a spawn plan of a configured
//! process; `notes` writes the lines of the main log; `logs` are the pump's threads, which move the programs' output; `events` keeps
//! events and tells them to listeners; `certificates` are those of HTTPS servers; `memory` is what the next brain will know, `leftovers`
//! what the next daemon will; the clocks and the console have their one home in `clock` and `console`. What is changed in memory that
//! the keeper holds is changed all at once (`twice`), and tests let a brain die between any two steps of that (`death`).
//!
//! Deliberately absent: policy. An `if` about restarting, stopping or answering belongs in `core`.

mod access;
mod audit;
mod boot;
mod certificates;
mod clock;
mod console;
mod death;
mod effective;
mod events;
mod fcgi;
mod host_names;
mod inputs;
mod kept;
mod launch;
mod leftovers;
mod logs;
mod memory;
mod notes;
mod outlets;
mod perform;
mod run;
mod shortage;
mod stdin;
mod thread;
mod twice;
mod twiddled;
mod unix_socket;
mod upgrade;
mod wake;

use std::ops::RangeInclusive;

use provost_keeper::Link;

use crate::kept::Versions;

/// What a program says of itself, where several builds meet.
#[derive(Debug, Clone)]
pub struct Build {
    /// For people: `upgrade` tells from which to which.
    pub(crate) version: &'static str,
    /// What it could go on with.
    pub(crate) understood: Versions,
}

impl Build {
    pub fn new(version: &'static str) -> Build {
        Build { version, understood: Versions::OURS }
    }

    /// One of another time, which understands other versions of what is written down of each process.
    pub fn of_another_time(version: &'static str, memory: RangeInclusive<u32>) -> Build {
        Build { version, understood: Versions { memory, ..Versions::OURS } }
    }
}

/// Runs a brain to its end and returns the exit status that the whole daemon should have.
///
/// Called by the keeper in a fork that nothing else has touched.
pub fn brain(link: Link, build: &Build) -> u8 {
    boot::brain(link, build)
}
