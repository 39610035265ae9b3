//! Logs, byte by byte: programs whose every byte knows its place, and what can happen to a log while they write.
//!
//! In: our programs, driven through `provost-testkit`. Out: what is in the logs, held against what was written, how much memory
//! that took, and what the main log says of it. Each file is one theme. `tests/daemon` asks what the daemon does, this asks
//! what became of the bytes. Nothing sleeps for luck: every wait ends with an event or fails at a deadline.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod deeds;
mod disk;
mod exact;
mod full;
mod hang;
mod lost;
mod many;
mod stage;
mod streams;
