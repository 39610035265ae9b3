//! Events: who hears them, what waits, and the conversations with listeners (SPEC 8).
//!
//! `bus.rs` is where they are published and kept, pool by pool (`pool.rs`, `queue.rs`, `record.rs`). `thread.rs` tells them, by one
//! conversation for each listener (`conversation.rs`), draws the consequences of what they say (`hearing.rs`, `judge.rs`), moves what
//! finds no room in memory to a file (`spill.rs`), and knows the time (`ticks.rs`) and what listeners count (`unit.rs`). `listeners.rs` is the main loop's end of all
//! that. `words.rs` puts what the core tells into the words of Supervisor's listeners.
//!
//! This room uses `logs`: it tells the loop things by the same post, and what listeners say goes to their logs. `logs` knows of this one only
//! that there is an audience (`Audience`). Not here: when a listener is started or ended, and whether it may hear, which are the core's.

mod bus;
mod conversation;
mod hearing;
mod judge;
mod listeners;
mod pool;
mod queue;
mod record;
mod spill;
mod thread;
mod ticks;
mod unit;
mod words;

pub(crate) use bus::Bus;
pub(crate) use listeners::{Going, Listeners};
pub(crate) use words::{line, line_of, said, told};
