//! The sockets of fcgi programs: made for the first child that needs one, shared by all that name it in the same group, closed
//! behind the last one (SPEC 3.6).
//!
//! In: configurations, children that begin and end. Out: a descriptor for a child's standard input, or the text of why
//! there is none, which is that child's spawn error and nobody else's end. The keeper holds a copy of each open one under its
//! name, so that the next brain goes on with the socket that clients are connected to.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::ToSocketAddrs;
use std::os::fd::OwnedFd;
use std::path::Path;

use provost_config::{LogLevel, SocketConfig};
use provost_core::ChildId;
use provost_keeper::{Link, LinkError, ToKeeper};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with, sockopt,
};

use crate::logs::MainLog;
use crate::unix_socket;

/// What names begin with under which the keeper holds our sockets.
const HELD: &str = "fcgi:";

/// Open sockets, by group and address.
#[derive(Debug, Default)]
pub(crate) struct FcgiSockets {
    open: BTreeMap<Key, Shared>,
    borrowed: BTreeMap<ChildId, Key>,
    tried: BTreeSet<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    group: String,
    url: String,
}

#[derive(Debug)]
struct Shared {
    fd: OwnedFd,
    users: BTreeSet<ChildId>,
}

impl Key {
    fn new(group: &str, socket: &SocketConfig) -> Key {
        Key { group: group.to_owned(), url: socket.url.clone() }
    }

    fn held_as(&self) -> String {
        // A group's name has no colon.
        format!("{HELD}{}:{}", self.group, self.url)
    }

    fn from_held(name: &str) -> Option<Key> {
        let (group, url) = name.strip_prefix(HELD)?.split_once(':')?;
        Some(Key { group: group.to_owned(), url: url.to_owned() })
    }
}

impl FcgiSockets {
    /// Goes on with the sockets that an earlier brain has opened, out of all that the keeper holds.
    pub(crate) fn resume(held: &mut Vec<(String, OwnedFd)>) -> FcgiSockets {
        let mut sockets = FcgiSockets::default();
        for (name, fd) in std::mem::take(held) {
            match Key::from_held(&name) {
                Some(key) => drop(sockets.open.insert(key, Shared { fd, users: BTreeSet::new() })),
                None => held.push((name, fd)),
            }
        }
        sockets
    }

    /// Whether a socket could be opened, before anybody needs it, once for a group; the log tells why not.
    pub(crate) fn try_out(&mut self, group: &str, socket: &SocketConfig, log: &mut MainLog) {
        let key = Key::new(group, socket);
        if self.open.contains_key(&key) || !self.tried.insert(key) {
            return;
        }
        log.write(LogLevel::Info, &format!("Creating socket {}", socket.url));
        match open(socket) {
            Ok(_) => log.write(LogLevel::Info, &format!("Closing socket {}", socket.url)),
            Err(e) => log.write(LogLevel::Critical, &refusal(socket, &e)),
        }
    }

    /// The group is gone; one of its name will be another.
    pub(crate) fn forget_group(&mut self, group: &str) {
        self.tried.retain(|key| key.group != group);
    }

    /// The socket for this child's standard input. The error is a text for people.
    pub(crate) fn lend(
        &mut self,
        child: ChildId,
        group: &str,
        socket: &SocketConfig,
        log: &mut MainLog,
        link: &mut Link,
    ) -> Result<OwnedFd, String> {
        let key = Key::new(group, socket);
        let failed = |e: &io::Error| refusal(socket, e);
        let shared = match self.open.entry(key.clone()) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(place) => {
                log.write(LogLevel::Info, &format!("Creating socket {}", socket.url));
                let fd = open(socket).map_err(|e| failed(&e))?;
                let copy = fd.try_clone().map_err(|e| failed(&e))?;
                link.send(ToKeeper::Hold { name: key.held_as(), fd: copy }).map_err(|e| e.to_string())?;
                place.insert(Shared { fd, users: BTreeSet::new() })
            }
        };
        let fd = shared.fd.try_clone().map_err(|e| failed(&e))?;
        shared.users.insert(child);
        self.borrowed.insert(child, key);
        Ok(fd)
    }

    /// A socket that a leftover was found with is the one that its process uses.
    pub(crate) fn take_over(
        &mut self,
        group: &str,
        socket: &SocketConfig,
        fd: OwnedFd,
        link: &mut Link,
    ) -> Result<(), String> {
        let key = Key::new(group, socket);
        if !sockopt::socket_acceptconn(&fd).unwrap_or(false) {
            return Err("its standard input is no listening socket".to_owned());
        }
        let held_as = key.held_as();
        if let Entry::Vacant(place) = self.open.entry(key) {
            let copy = fd.try_clone().map_err(|e| e.to_string())?;
            link.send(ToKeeper::Hold { name: held_as, fd: copy }).map_err(|e| e.to_string())?;
            place.insert(Shared { fd, users: BTreeSet::new() });
        }
        Ok(())
    }

    /// The child runs with the socket already.
    pub(crate) fn adopt(&mut self, child: ChildId, group: &str, socket: &SocketConfig) {
        let key = Key::new(group, socket);
        if let Some(shared) = self.open.get_mut(&key) {
            shared.users.insert(child);
            self.borrowed.insert(child, key);
        }
    }

    /// `next` has taken the place of `child`, and with it the socket.
    pub(crate) fn pass_on(&mut self, child: ChildId, next: ChildId) {
        if let Some(key) = self.borrowed.get(&child).cloned()
            && let Some(shared) = self.open.get_mut(&key)
        {
            shared.users.insert(next);
            self.borrowed.insert(next, key);
        }
    }

    /// The child has ended, or never came to be.
    pub(crate) fn give_back(
        &mut self,
        child: ChildId,
        log: &mut MainLog,
        link: &mut Link,
    ) -> Result<(), LinkError> {
        let Some(key) = self.borrowed.remove(&child) else { return Ok(()) };
        let Some(shared) = self.open.get_mut(&key) else { return Ok(()) };
        shared.users.remove(&child);
        if shared.users.is_empty() { self.close(&key, log, link) } else { Ok(()) }
    }

    /// Closes what an earlier brain left open and nobody uses any more.
    pub(crate) fn close_unused(&mut self, log: &mut MainLog, link: &mut Link) -> Result<(), LinkError> {
        let unused = |(key, shared): (&Key, &Shared)| shared.users.is_empty().then(|| key.clone());
        let unused: Vec<Key> = self.open.iter().filter_map(unused).collect();
        unused.iter().try_for_each(|key| self.close(key, log, link))
    }

    /// The file of a unix socket stays, as with Supervisor: the next one takes its place.
    fn close(&mut self, key: &Key, log: &mut MainLog, link: &mut Link) -> Result<(), LinkError> {
        log.write(LogLevel::Info, &format!("Closing socket {}", key.url));
        self.open.remove(key);
        link.send(ToKeeper::Release { name: key.held_as() })
    }
}

fn refusal(socket: &SocketConfig, e: &io::Error) -> String {
    format!("Could not create FastCGI socket {}: {e}", socket.url)
}

fn open(socket: &SocketConfig) -> io::Result<OwnedFd> {
    let fd = match socket.url.strip_prefix("unix://") {
        Some(path) => open_unix(Path::new(path), socket)?,
        None => open_tcp(socket.url.strip_prefix("tcp://").unwrap_or(&socket.url))?,
    };
    // The kernel cuts it down to what it allows.
    listen(&fd, socket.backlog.map_or(i32::MAX, i32::from))?;
    Ok(fd)
}

fn open_unix(path: &Path, socket: &SocketConfig) -> io::Result<OwnedFd> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let address = SocketAddrUnix::new(path)?;
    unix_socket::for_us_alone(|| bind(&fd, &address))?;
    let complete = unix_socket::give_away(path, socket.mode, socket.owner.unwrap_or_default());
    if let Err(e) = complete {
        // A half-made socket helps nobody.
        let _ = std::fs::remove_file(path);
        return Err(e);
    }
    Ok(fd)
}

fn open_tcp(address: &str) -> io::Result<OwnedFd> {
    let mut addresses = address.to_socket_addrs()?.filter(std::net::SocketAddr::is_ipv4);
    let address = addresses.next().ok_or_else(|| io::Error::other("no IPv4 address of that name"))?;
    let fd = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    bind(&fd, &address)?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_socket_is_found_again_under_the_name_it_is_held_by() {
        let key = Key { group: "web".into(), url: "tcp://localhost:9000".into() };
        assert_eq!(Key::from_held(&key.held_as()), Some(key));
        assert_eq!(Key::from_held("unix:/run/supervisor.sock"), None);
    }

    #[test]
    fn an_existing_socket_is_replaced_and_gets_its_mode() {
        let path = std::env::temp_dir().join(format!("provost-fcgi-{}", std::process::id()));
        let url = format!("unix://{}", path.display());
        let socket = SocketConfig { url, backlog: Some(5), mode: Some(0o640), owner: None };
        for _ in 0..2 {
            open(&socket).unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o640);
        }
        std::fs::remove_file(&path).unwrap();
    }
}
