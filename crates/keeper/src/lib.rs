//! The keeper: the process whose pid is in the pidfile, and the private protocol to its brain.
//!
//! What it guarantees
//! - Every program is its direct child, and its exit is reaped and stamped with the time the moment the kernel tells.
//! - It holds an end of every program's pipes, which it never reads: no program meets
//!   a closed pipe because the brain is away.
//! - It restarts the brain when that dies, and tells the new one about every child, every
//!   exit that nobody has acknowledged, and every descriptor it was asked to hold.
//! - Nothing it has to tell can be lost or grow without bound: what is untold stands in the
//!   child's own slot, not in a queue of messages.
//!
//! What is deliberately absent: configuration, policy, logs, threads, locks, and
//! anything that reads text written by a person. A plan arrives ready to run
//! (argv, environment and ids decided) and is executed as it stands.
//!
//! The room: [`run`] is the loop (`keep.rs`), `table.rs` its memory, `spawn.rs` the code between
//! fork and exec, `plan.rs` and `protocol.rs` the bytes, `link.rs` the brain's end of the socket.

mod keep;
mod lanes;
mod link;
mod plan;
mod protocol;
mod raw;
mod report;
mod spawn;
mod sys;
mod table;

pub use keep::run;
pub use link::{Link, LinkError};
pub use plan::{Identity, Plan};
pub use protocol::{
    Ends, FromKeeper, Hello, Pipes, Previous, Relaunch, Stage, Stamp, Target, ToKeeper, WaitStatus,
};
pub use sys::{release_free_memory, silence_stdio};
