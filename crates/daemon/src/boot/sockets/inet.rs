//! Where an `[inet_http_server]` listens, and the socket for it.
//!
//! The file may name a port alone, an address of either family, or a name, which is looked up. A server that lets everybody in
//! is kept inside the machine, whatever it asks for, unless the file says that this is meant.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

use crate::boot::Refusal;

/// Connections that wait to be accepted; the kernel cuts it down to what it allows.
pub(super) const BACKLOG: i32 = 1024;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// More than one only where a wildcard of both families is kept inside.
    pub(super) addresses: Vec<SocketAddr>,
    /// What was asked for, where that is not what it gets.
    pub(super) instead_of: Option<SocketAddr>,
}

impl Places {
    /// Looks a name up, and keeps the unguarded inside.
    pub(super) fn find(section: &str, host: &str, port: u16, is_unguarded: bool) -> Result<Places, Refusal> {
        let wanted = resolve(host, port).map_err(|e| {
            let text = format!(
                "Cannot open an HTTP server: [{section}] port={host}:{port}: no address of {host}: {e}"
            );
            Refusal::usage(text)
        })?;
        if wanted.ip().is_loopback() || !is_unguarded {
            return Ok(Places { addresses: vec![wanted], instead_of: None });
        }
        let inside: &[IpAddr] = match wanted.ip() {
            IpAddr::V4(_) => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
            // Whoever asks for every address of both families uses either.
            IpAddr::V6(ip) if ip.is_unspecified() => {
                &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            IpAddr::V6(_) => &[IpAddr::V6(Ipv6Addr::LOCALHOST)],
        };
        let addresses = inside.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        Ok(Places { addresses, instead_of: Some(wanted) })
    }
}

/// As Supervisor does, IPv4 where a name has both.
fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    if host.is_empty() {
        return Ok((Ipv4Addr::UNSPECIFIED, port).into());
    }
    // Brackets belong to the notation, not to the address.
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let found: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let v4 = found.iter().find(|address| address.is_ipv4());
    v4.or(found.first()).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// A socket that listens. Every address of IPv6 means every one of IPv4, too, whatever the system's default is.
pub(super) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let fd = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, !address.ip().is_unspecified())?;
    }
    bind(&fd, &address)?;
    listen(&fd, BACKLOG)?;
    Ok(fd.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(host: &str, is_unguarded: bool) -> (Vec<String>, bool) {
        let found = Places::find("inet_http_server", host, 9001, is_unguarded).unwrap();
        (found.addresses.iter().map(ToString::to_string).collect(), found.instead_of.is_some())
    }

    #[test]
    fn what_is_guarded_listens_where_it_is_told() {
        assert_eq!(places("", false), (vec!["0.0.0.0:9001".into()], false));
        assert_eq!(places("[::]", false), (vec!["[::]:9001".into()], false));
        assert_eq!(places("10.0.0.5", false), (vec!["10.0.0.5:9001".into()], false));
        assert_eq!(places("localhost", false), (vec!["127.0.0.1:9001".into()], false));
    }

    #[test]
    fn what_is_not_stays_inside() {
        assert_eq!(places("", true), (vec!["127.0.0.1:9001".into()], true));
        assert_eq!(places("10.0.0.5", true), (vec!["127.0.0.1:9001".into()], true));
        assert_eq!(places("[::]", true), (vec!["127.0.0.1:9001".into(), "[::1]:9001".into()], true));
        assert_eq!(places("[fd00::5]", true), (vec!["[::1]:9001".into()], true));
        for inside in ["127.0.0.1", "127.1.2.3", "localhost"] {
            assert!(!places(inside, true).1, "{inside}");
        }
        assert_eq!(places("[::1]", true), (vec!["[::1]:9001".into()], false));
    }

    #[test]
    fn every_address_of_ipv6_answers_ipv4_too() {
        let Ok(listener) = open("[::]:0".parse().unwrap()) else { return };
        let port = listener.local_addr().unwrap().port();
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    }
}
