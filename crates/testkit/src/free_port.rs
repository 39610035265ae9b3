//! A port for a server that takes only a number.
//!
//! In: nothing. Out: a port that was free a moment ago on every address of IPv4. The kernel gives out others first, so nobody is
//! likely to take it before the server does; a test that can hand over a socket should.

use std::net::{Ipv4Addr, TcpListener};

/// A port that nobody has.
///
/// # Panics
/// When the machine has none left.
#[must_use]
#[track_caller]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("some port of this machine is free");
    listener.local_addr().expect("a socket that listens has an address").port()
}
