//! The keeper: the process whose pid is in the pidfile, and the private protocol to its brain.
//!
//! # What it guarantees
//!
//! - **Every program is its direct child**, from the fork on and until it is reaped, whatever becomes of the brain. An end is
//!   reaped and stamped with the time at once, with or without a brain, and told to a brain until one says that it
//!   has dealt with it (`Forget`). So no end is lost, none is told with another status than the kernel's, and the
//!   number of a process that has been reaped is never signalled.
//! - **No program meets a closed pipe.** It holds one end of every program's standard input, output and error and never
//!   reads or writes them. What is written while there is no brain waits in the pipe; a program that fills it
//!   waits, as it would for any slow reader.
//! - **The brain may die at any moment.** A new one is forked, and is told everything again: each child with its pipes, each
//!   end that nobody has dealt with, each descriptor that an earlier brain asked it to hold, each signal whose consequences
//!   no brain has acknowledged. A brain that keeps dying is held back, ten seconds at most;
//!   meanwhile the keeper goes on reaping and relaunching.
//! - **It does not end before its programs** but on a brain's word (`Finish`), or where a person asks it to and no brain can be
//!   had: then every program is signalled, waited for, and killed.
//! - **It can become another build of itself** without letting go of anything (`keep/upgrade.rs`, `keep/renew.rs`), and does so
//!   only for a program file that has proved to run and to understand what it is left.
//!
//! # Why that can be believed
//!
//! There is one thread, one poll(2) and no lock. No call in the loop blocks: sockets and pipes are non-blocking, a
//! program on a slow disk is not waited for (`lanes.rs`). What it must remember is a table with one slot for each child and
//! one entry for each held name; requests change these and queue nothing. What is still to be told is bounded by them: at
//! most a handful of messages for each child, and of news that no slot holds (a stranger reaped, a signal refused)
//! no more is kept than a constant says, however long a brain does not listen. So its memory follows the number of programs and
//! not the number of requests.
//!
//! It parses nothing that a person wrote. A plan arrives ready to run (argv, environment and ids decided) and is executed
//! as it stands; labels, names of held descriptors and versions are bytes that it hands on. Messages are fixed fields, and
//! one that cannot be read is dropped: nothing that a brain sends can end it.
//!
//! # What it does not promise
//!
//! A SIGKILL of the keeper itself leaves the programs without a parent, as with Supervisor; another keeper can take them over,
//! but their ends are then told by pidfd, and perhaps without a status. It is not the judge of policy: when
//! a program is restarted, and whether, is the brain's affair, except for the one order that a brain gives
//! beforehand (`Relaunch`).
//!
//! # The room
//!
//! [`run`] is the loop (`keep.rs`), `table.rs` its memory, `spawn.rs` the code between fork and exec, `lanes.rs`, `raw.rs` and
//! `report.rs` what that stands on; `plan.rs` and `protocol.rs` are the bytes, `link.rs` the brain's end of the socket;
//! `stranger.rs` is about programs of a keeper that was killed; `state.rs` and `handover.rs` carry the keeper over an exec.
//! `shared.rs` is memory for brains that follow one another, which the keeper only holds; `sys.rs` has every other system call
//! without a safe wrapper.

mod handover;
mod keep;
mod lanes;
mod link;
mod plan;
mod protocol;
mod raw;
mod report;
mod shared;
mod spawn;
mod state;
mod stranger;
mod sys;
mod table;

pub use keep::run;
pub use link::{Link, LinkError};
pub use plan::{Identity, Plan};
pub use protocol::{
    Ends, FromKeeper, Hello, LASTING, Lent, Pipes, Previous, Relaunch, Stage, Stamp, Target, ToKeeper,
    Upgrade, UpgradeFailure, WaitStatus,
};
pub use shared::Shared;
pub use stranger::signal_by_pidfd;
pub use sys::{peer_groups, release_free_memory, silence_stdio};
