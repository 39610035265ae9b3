//! The doors: HTTP on unix and inet sockets, XML-RPC, log tails.
//!
//! In come requests; each becomes a [`provost_core::Command`] that goes through the [`Inbox`] to
//! the main loop, and its one reply comes back through the [`Asker`]. The only thread with an async runtime lives here.
//!
//! Deliberately absent: process state, configuration, signals, forking. What this room knows of the supervisor is
//! what a command answers, and a few [`Facts`] that never change. The only files it reads are logs, and how
//! these are opened it is told (`Facts::open_log`).
//!
//! `serve.rs` owns the thread and the connections, `door.rs` turns a request into a response (`answer.rs`), `gate.rs` says who may
//! ask what, `rpc/` is XML-RPC, `logs.rs` and `follow.rs` read logs.

mod answer;
mod door;
mod follow;
mod gate;
mod inbox;
mod logs;
mod rpc;
mod serve;
mod shared;

pub use gate::Credentials;
pub use inbox::{Asker, Busy, Inbox};
pub use serve::{Api, Door, Listener};
pub use shared::{Facts, OpenLog};
