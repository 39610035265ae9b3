//! Event listeners that mean harm, or are broken, and what else can happen to events: nothing else is delayed, nothing ends, nothing grows,
//! and no event is lost.
//!
//! In: our daemon, with a hostile listener beside an honest one and a program. Out: what the honest one was told, byte by byte, what
//! there is to be seen of the hostile one, memory, processor, lines in the log. `talk.rs` is about what listeners say, `ends.rs` about
//! their ends and their pipes, `pools.rs` about pools and orders, `waiting.rs` about very many events that wait, `deaths.rs` about
//! brains that die meanwhile. Nothing sleeps for luck: where something must not happen there is a time in which it could.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "figures")]

mod deaths;
#[expect(dead_code, reason = "tests/logs needs more of it")]
#[path = "../logs/disk.rs"]
mod disk;
mod ends;
mod pools;
mod stage;
mod talk;
mod waiting;
