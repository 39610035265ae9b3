//! Events: who hears them, what waits, and the conversations with listeners (SPEC 8).
//!
//! `bus.rs` is where they are published and kept, pool by pool (`pool.rs`, `queue.rs`, `record.rs`). `thread.rs` tells them, by one
//! conversation for each listener (`conversation.rs`), judges the answers (`judge.rs`), moves what finds no room in memory to a file
//! (`spill.rs`), and knows the time (`ticks.rs`) and what listeners count (`unit.rs`). `listeners.rs` is what the main loop sees of all that. `words.rs` puts what the core
//! tells into the words of Supervisor's listeners.

mod bus;
mod conversation;
mod judge;
mod lines;
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
pub(crate) use lines::Line;
pub(crate) use listeners::{Going, Listeners};
pub(crate) use words::{line, line_of, process_communication, process_log, told};
