//! Logs: the pump that moves programs' output into files, and the main log.
//!
//! `pump.rs` is what the main loop sees: lanes, one for each mount (`mounts.rs`), so that a disk which hangs holds up only what logs
//! there. `lane/` is the thread of one, `heat.rs` when it reads a pipe. `outlet.rs` says where one output goes and what waits for room, `treatment.rs` what else is
//! done with it, `sink/` what takes it: a file with rotation (`rotation.rs`, `compress.rs`), a stream. `open.rs` opens
//! files as safely as root must: `walk.rs` goes there, `inherited.rs` knows names of what we have open. `carry.rs` has the ways from a pipe to a sink.
//! `journal.rs` is why nothing is lost on that way when the brain is killed, `slot.rs` where a chunk lies meanwhile,
//! `recovery.rs` how the next brain sees what was done already.
//! `main_log.rs` is the handle by which the brain writes its own lines (`line.rs`; those of other threads are `counted.rs`); `auto.rs` chooses names of files. A slow disk is
//! felt in a lane and nowhere else: the main loop only sends orders, and learns that a child's last words are written down before it
//! tells the core of its end.

pub(crate) mod auto;
mod carry;
mod compress;
mod counted;
mod filter;
mod heat;
mod inherited;
pub(crate) mod journal;
mod lane;
mod line;
mod main_log;
mod mounts;
mod open;
mod outlet;
mod pump;
mod recovery;
mod reports;
mod rotation;
#[cfg(test)]
mod scene;
mod sink;
mod slot;
mod treatment;
mod walk;
mod wire;

pub(crate) use compress::{Compression, Compressor};
pub(crate) use counted::Count;
pub(crate) use journal::Journal;
pub(crate) use lane::MainSource;
pub(crate) use main_log::MainLog;
pub(crate) use mounts::mount_of;
pub(crate) use open::{OpenHow, append_to, for_reading};
pub(crate) use outlet::{Outlet, OutletPlan};
pub(crate) use pump::{Heir, Journals, Notice, Order, Patience, Pump};
pub(crate) use reports::{Audience, Telling, Word};
pub(crate) use sink::{Destination, Sink, Speaker, Target, Wired};
pub(crate) use treatment::Course;

use provost_wire::events::Channel;

/// Which output of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

impl Output {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Output::Stdout => "stdout",
            Output::Stderr => "stderr",
        }
    }

    /// In the words of events.
    pub(crate) fn channel(self) -> Channel {
        match self {
            Output::Stdout => Channel::Stdout,
            Output::Stderr => Channel::Stderr,
        }
    }
}
