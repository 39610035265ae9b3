//! Syslog and the journal: where whole lines go that are to leave this daemon.
//!
//! In: a line without its newline, and when it was said. Out: a datagram, or a frame on a connection. Nothing here blocks but the
//! search for a host by name. `syslog.rs` and `journald.rs` are the two sinks, `message.rs` is what a syslog message looks like,
//! `local.rs`, `udp.rs` and `tcp.rs` are the three ways there, and `frame.rs` is what a connection has taken half of.
//!
//! Not here: cutting output into lines, and what becomes of a line that finds no room. Ours, and no library, because all that we
//! found (syslog, syslog_fmt, libsystemd, tracing-journald, systemd-journal-logger) either only format, or write to blocking
//! sockets, and lose a line without saying so when a connection breaks.

mod frame;
mod journald;
mod local;
mod message;
#[cfg(test)]
mod rsyslog_tests;
mod syslog;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::io;
use std::path::Path;
use std::time::Duration;

pub(in crate::logs) use journald::{Entry, Journald};
pub(in crate::logs) use message::Voice;
pub(in crate::logs) use syslog::Syslog;

/// The first pause before a host is tried again; it doubles up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a line was not taken.
#[derive(Debug)]
pub(in crate::logs) enum Refused {
    /// Not now: offer it again when `waits_for` has room or `try_again` has come.
    NoRoom,
    /// Not now, and this is why; said once for an outage, then it is `NoRoom`.
    Trouble(io::Error),
    /// Never: nobody is there to take it, and nobody is waited for. The line is lost, and the next one may be, too.
    Nobody(io::Error),
}

/// What became of a message that had room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Whole,
    /// Not at all: this socket wants shorter ones.
    TooLong,
}

/// Where the C library's syslog(3) writes.
fn syslog_socket() -> &'static Path {
    Path::new("/dev/log")
}

/// Where journald listens (systemd, "Native Journal Protocol").
fn journal_socket() -> &'static Path {
    Path::new("/run/systemd/journal/socket")
}
