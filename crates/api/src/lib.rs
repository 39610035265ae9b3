//! The doors: HTTP on unix and inet sockets, XML-RPC, log tails.
//!
//! In come requests; each becomes a [`provost_core::Command`] that goes through the [`Inbox`] to
//! the main loop, and its one reply comes back through the [`Asker`]. The only thread with an async runtime lives here.
//!
//! Deliberately absent: process state, configuration, signals, forking. What this room knows of the supervisor is
//! what a command answers, and a few [`Facts`] that never change, or are asked for by a function (`pools.rs`). The only files it reads are logs, and how
//! these are opened it is told (`Facts::open_log`).
//!
//! `serve/` owns the thread and the connections, `door.rs` turns a request (`body.rs`) into a response (`answer.rs`), `room.rs` limits what
//! is held of either, `gate/` says who is there
//! and what they may ask, `session.rs` is their way to the supervisor, `rpc/` is XML-RPC, `web/` the page,
//! `origin.rs` sees to it that no other site's page uses it, `logs.rs` and `follow.rs` (with `log_address.rs` and `watches.rs`) read logs, by way of
//! `disks.rs`. `tls.rs` encrypts a connection,
//! `certificate.rs` finds the name in one that a client shows.

mod answer;
mod body;
mod certificate;
mod disks;
mod door;
mod follow;
mod gate;
mod inbox;
mod log_address;
mod logs;
#[cfg(test)]
#[path = "../../../fuzz/mutations.rs"]
mod mutations;
mod origin;
mod peer;
mod pools;
mod room;
mod rpc;
mod serve;
mod session;
mod shared;
mod tls;
mod watches;
mod web;

pub use disks::MountOf;
pub use gate::{Access, DoorRules};
pub use inbox::{Asked, Asker, Busy, By, Inbox, Report};
pub use pools::{ListenerReport, PoolReport, Pools};
pub use rpc::{Interface, Namespaces, fault_text};
pub use serve::{Api, Door, Listener};
pub use shared::{Facts, Herald, OpenLog, PeerGroups};
pub use tls::{BadPem, ClientCertificate, Expiry, Identity, Pem, Renew, Tls};
