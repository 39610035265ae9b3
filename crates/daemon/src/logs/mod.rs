//! Logs: the pump thread that moves programs' output into files, and the main log.
//!
//! `pump.rs` is the thread, `sink.rs` a file with rotation, `main_log.rs` the handle by which the
//! brain writes its own lines (`line.rs`), `auto.rs` the files whose names we choose. A slow disk is felt here and nowhere else: the
//! main loop only sends orders, and learns that a child's last words are written down before it tells the core of its end.

pub(crate) mod auto;
mod line;
mod main_log;
mod pump;
mod sink;

pub(crate) use main_log::MainLog;
pub(crate) use pump::{Heir, Notice, Order, Output, Pump};
pub(crate) use sink::{Destination, Sink};
