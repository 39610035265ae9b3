//! An address that cannot be had: which section wants it, and who has it, as far as the kernel tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::sockopt::socket_peercred;

/// The sentence that Supervisor's users know; what we know beyond it comes behind.
pub(in crate::boot) const TAKEN: &str = "Another program is already listening on a port that one of our HTTP servers is \
configured to use.  Shut this program down first before starting supervisord.";

pub(super) fn inet(section: &str, address: SocketAddr) -> String {
    let who = listener_on(address).and_then(holder).map_or("is taken".to_owned(), |who| format!("{who} has"));
    format!("{TAKEN}\n[{section}] is to listen on {address}, which {who}")
}

pub(super) fn unix(section: &str, file: &Path) -> String {
    let peer = UnixStream::connect(file).ok().and_then(|stream| socket_peercred(stream).ok());
    let who = peer.map_or("another program".to_owned(), |peer| named(peer.pid.as_raw_nonzero().get()));
    format!("{TAKEN}\n[{section}] is to listen on {}, where {who} answers", file.display())
}

/// One of our own sections has it.
pub(super) fn by_ourselves(section: &str, place: &str, other: &str) -> String {
    format!("{TAKEN}\n[{section}] is to listen on {place}, as [{other}] does already")
}

fn named(pid: i32) -> String {
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("pid {pid} ({})", comm.trim_end())
}

/// The inode of a socket that listens where we cannot, because it does.
fn listener_on(wanted: SocketAddr) -> Option<String> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(row);
    let mut rivals =
        rows.filter(|(address, _)| address.port() == wanted.port() && meet(address.ip(), wanted.ip()));
    rivals.next().map(|(_, inode)| inode.to_owned())
}

/// Two addresses of one port that cannot both be had.
pub(super) fn meet(a: IpAddr, b: IpAddr) -> bool {
    // A wildcard of IPv6 may be one of IPv4, too; that it is not, the table does not say.
    a == b
        || a.is_unspecified() && (a.is_ipv6() || b.is_ipv4())
        || b.is_unspecified() && (b.is_ipv6() || a.is_ipv4())
}

/// Address and inode of a socket that listens.
fn row(line: &str) -> Option<(SocketAddr, &str)> {
    const LISTENS: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (ip, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    (*state == LISTENS).then_some((SocketAddr::new(address(ip)?, port), *inode))
}

/// Words of 32 bits in the machine's own order.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    if hex.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let words = [word(0)?, word(8)?, word(16)?, word(24)?];
    let bytes: [u8; 16] = words.concat().try_into().ok()?;
    let ip = Ipv6Addr::from(bytes);
    Some(ip.to_ipv4_mapped().map_or(ip.into(), IpAddr::from))
}

/// The first process that has this socket open, if we may see it.
fn holder(inode: String) -> Option<String> {
    let link = format!("socket:[{inode}]");
    let has_it = |pid: &i32| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.map(|fd| std::fs::read_link(fd.path()))
            .any(|to| to.is_ok_and(|to| to.as_os_str() == link.as_str()))
    };
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids: Vec<i32> = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids.into_iter().find(has_it).map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_the_kernel_is_read() {
        let line = "   0: 0100007F:2329 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4711 1 0 100 0";
        assert_eq!(row(line), Some(("127.0.0.1:9001".parse().unwrap(), "4711")));
        assert_eq!(row(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(row("sl local_address"), None);
        assert_eq!(address("00000000000000000000000001000000"), Some(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(address("0000000000000000FFFF00000100007F"), Some(Ipv4Addr::LOCALHOST.into()));
        assert_eq!((address("01"), address("")), (None, None));
    }

    #[test]
    fn a_socket_of_ours_is_found_with_our_name() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let told = inet("inet_http_server", listener.local_addr().unwrap());
        assert!(
            told.contains(&format!("which {} has", named(i32::try_from(std::process::id()).unwrap()))),
            "{told}"
        );
    }

    #[test]
    fn wildcards_meet_everything_of_their_family() {
        let met = |a: &str, b: &str| meet(a.parse().unwrap(), b.parse().unwrap());
        assert!(
            met("0.0.0.0", "127.0.0.1")
                && met("10.0.0.1", "0.0.0.0")
                && met("::", "127.0.0.1")
                && met("::1", "::")
        );
        assert!(!met("127.0.0.1", "10.0.0.1") && !met("0.0.0.0", "::1") && !met("::1", "127.0.0.1"));
    }
}
