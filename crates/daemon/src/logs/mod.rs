//! Logs: the pump thread that moves programs' output into files, and the main log.
//!
//! `pump.rs` is the thread, `sink.rs` a file with rotation (`rotation.rs`), `carry.rs` the way from a pipe to it. `journal.rs` is
//! why nothing is lost on that way when the brain is killed, `recovery.rs` how the next brain sees what was done already.
//! `main_log.rs` is the handle by which the brain writes its own lines (`line.rs`), `main_sink.rs` their end; `auto.rs` chooses
//! names of files. A slow disk is felt here and nowhere else: the main loop only sends orders, and learns that a child's last
//! words are written down before it tells the core of its end.

pub(crate) mod auto;
mod carry;
mod death;
pub(crate) mod journal;
mod line;
mod main_log;
mod main_sink;
mod pump;
mod recovery;
mod rotation;
#[cfg(test)]
mod scene;
mod sink;

pub(crate) use journal::Journal;
pub(crate) use main_log::MainLog;
pub(crate) use main_sink::MainFile;
pub(crate) use pump::{Heir, Notice, Order, Output, Pump};
pub(crate) use sink::{Destination, Sink};
