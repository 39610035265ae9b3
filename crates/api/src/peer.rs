//! Who is at the other end of a connection, as far as the system knows.

use std::fmt;
use std::net::SocketAddr;

/// The other end of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) end: End,
    /// The name in the certificate that it has proved to be its own.
    pub(crate) certificate: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// A process of this machine; the kernel vouches for its numbers as they were when it connected (unix(7), `SO_PEERCRED`).
    Unix {
        uid: u32,
        groups: Vec<u32>,
        pid: i32,
    },
    Inet(SocketAddr),
}

impl Peer {
    pub(crate) fn new(end: End) -> Peer {
        Peer { end, certificate: None }
    }

    /// Whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match &self.end {
            End::Unix { .. } => true,
            End::Inet(address) => address.ip().to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            End::Unix { uid, pid, .. } => write!(f, "unix:uid={uid},pid={pid}"),
            End::Inet(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_local_in_both_families() {
        let local = |text: &str| Peer::new(End::Inet(text.parse().unwrap())).is_local();
        assert!(local("127.0.0.1:1") && local("[::1]:1") && local("[::ffff:127.9.9.9]:1"));
        assert!(!local("10.0.0.1:1") && !local("[::ffff:10.0.0.1]:1") && !local("[fe80::1]:1"));
        assert!(Peer::new(End::Unix { uid: 5, groups: vec![], pid: 7 }).is_local());
    }
}
