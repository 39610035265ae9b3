//! The listening sockets: made here, or taken over from an earlier brain, and held by the keeper for the next.
//!
//! In: the servers of the configuration, and what the keeper holds. Out: doors, and what the log should say of them. `inet.rs` and
//! `unix.rs` make the sockets, `taken.rs` finds out who has an address that we cannot have.

mod inet;
mod taken;
mod unix;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use provost_api::{Door, Listener};
use provost_config::{Address, Config, LogLevel, Server};
use provost_keeper::{Link, ToKeeper};

use super::Refusal;
use crate::kept;
use crate::launch::errno_name;
use crate::logs::MainLog;

use inet::Places;
use taken::TAKEN;

/// What is open.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// To remove at the end.
    files: Vec<PathBuf>,
    /// Where each section of ours listens.
    inet: Vec<(SocketAddr, String)>,
    /// Of servers that get less than they ask for.
    sayings: Vec<String>,
}

impl Sockets {
    /// Opens every server of the configuration.
    pub(super) fn open(
        config: &Config,
        mut held: Vec<(String, OwnedFd)>,
        link: &mut Link,
    ) -> Result<(Sockets, Vec<Door>), Refusal> {
        let mut sockets = Sockets::default();
        let mut doors = Vec::new();
        // What is kept inside the machine takes no address from those that ask for it by name.
        let mut servers: Vec<&Server> = config.servers.iter().collect();
        servers.sort_by_key(|server| config.is_unguarded(server));
        for server in servers {
            // What was opened so far must not stay behind as a stale file.
            let opened = sockets.open_one(server, config.is_unguarded(server), &mut held, link);
            let listeners = opened.inspect_err(|_| sockets.remove())?;
            if !listeners.is_empty() {
                doors.push(Door { listeners, section: server.section.clone(), tls: None });
            }
        }
        Ok((sockets, doors))
    }

    pub(super) fn remove(&self) {
        for file in &self.files {
            // Somebody else may have removed it already.
            let _ = std::fs::remove_file(file);
        }
    }

    /// What Supervisor's log says of each server, and what is said of ours beyond that.
    pub(super) fn announce(&self, config: &Config, log: &mut MainLog) {
        for server in &config.servers {
            for interface in &config.rpcinterfaces {
                log.write(LogLevel::Info, &format!("RPC interface '{}' initialized", interface.name));
            }
            if server.credentials.is_none() && config.users.is_empty() && !server.wants_certificate() {
                let section = &server.section;
                let text = format!("Server '{section}' running without any HTTP authentication checking");
                log.write(LogLevel::Critical, &text);
            }
        }
        for saying in &self.sayings {
            log.write(LogLevel::Critical, saying);
        }
    }

    fn open_one(
        &mut self,
        server: &Server,
        is_unguarded: bool,
        held: &mut Vec<(String, OwnedFd)>,
        link: &mut Link,
    ) -> Result<Vec<Listener>, Refusal> {
        let name = held_name(&server.address);
        let kept = kept::take(held, &name);
        match &server.address {
            Address::Unix { file, chmod, uid, gid } => {
                let listener = match kept {
                    Some(fd) => UnixListener::from(fd),
                    None if self.files.contains(file) => {
                        return Err(Refusal::usage(taken::unix(&server.section, file)));
                    }
                    None => {
                        let listener = unix::open(&server.section, file, (*chmod, *uid, *gid))?;
                        hold(name, &listener, link)?;
                        listener
                    }
                };
                self.files.push(file.clone());
                Ok(vec![Listener::Unix(listener)])
            }
            Address::Inet { host, port } => {
                let listeners = match kept {
                    Some(fd) => [Some(fd), kept::take(held, &second(&name))]
                        .into_iter()
                        .flatten()
                        .map(TcpListener::from)
                        .collect(),
                    None => {
                        let places = Places::find(&server.section, host, *port, is_unguarded)?;
                        self.open_inet(server, &places, link)?
                    }
                };
                for address in listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
                    self.inet.push((address, server.section.clone()));
                }
                Ok(listeners.into_iter().map(Listener::Tcp).collect())
            }
        }
    }

    fn open_inet(
        &mut self,
        server: &Server,
        places: &Places,
        link: &mut Link,
    ) -> Result<Vec<TcpListener>, Refusal> {
        let section = &server.section;
        if let Some(wanted) = places.instead_of {
            self.sayings.push(kept_inside(section, wanted, &places.addresses));
        }
        let mut listeners = Vec::new();
        for address in &places.addresses {
            let ours = self
                .inet
                .iter()
                .find(|(ours, _)| ours.port() == address.port() && taken::meet(ours.ip(), address.ip()));
            if let Some((_, other)) = ours {
                if places.instead_of.is_some() {
                    self.sayings.push(format!(
                        "Server '{section}' has nothing of {address}, where '{other}' listens"
                    ));
                    continue;
                }
                return Err(Refusal::usage(taken::by_ourselves(section, &address.to_string(), other)));
            }
            let listener = match inet::open(*address) {
                Ok(listener) => listener,
                // A machine without IPv6 has no loopback of it.
                Err(e) if !listeners.is_empty() && e.kind() != io::ErrorKind::AddrInUse => continue,
                Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
                    return Err(Refusal::usage(taken::inet(section, *address)));
                }
                Err(e) => return Err(refused(&format!("[{section}] port={address}"), &e)),
            };
            let name = held_name(&server.address);
            let name = if listeners.is_empty() { name } else { second(&name) };
            hold(name, &listener, link)?;
            listeners.push(listener);
        }
        Ok(listeners)
    }
}

/// What Supervisor says where somebody answers on an address of ours; nothing where all are free.
pub(super) fn taken(config: &Config) -> Option<&'static str> {
    let is_taken = |server: &Server| match &server.address {
        Address::Unix { file, .. } => unix::somebody_answers(file),
        Address::Inet { host, port } => {
            let places = Places::find(&server.section, host, *port, config.is_unguarded(server));
            let mut addresses = places.into_iter().flat_map(|places| places.addresses);
            addresses.any(|address| inet::open(address).is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse))
        }
    };
    config.servers.iter().any(is_taken).then_some(TAKEN)
}

fn kept_inside(section: &str, wanted: SocketAddr, instead: &[SocketAddr]) -> String {
    let instead: Vec<String> = instead.iter().map(ToString::to_string).collect();
    format!(
        "Server '{section}' would let anybody in on {wanted}, so it listens on {} only; to open it, give it a username and \
         a password, or add a section [user:NAME] with a password, or say allow_unauthenticated=true",
        instead.join(" and ")
    )
}

/// What the keeper knows a socket by: the same in every build, as a brain finds by it what another has opened.
fn held_name(address: &Address) -> String {
    match address {
        Address::Unix { file, .. } => format!("unix:{}", file.display()),
        Address::Inet { host, port } => format!("inet:{host}:{port}"),
    }
}

/// The other socket of a server that has two.
fn second(name: &str) -> String {
    format!("{name}#2")
}

fn hold(name: String, listener: &impl AsFd, link: &mut Link) -> Result<(), Refusal> {
    let fd = listener.as_fd().try_clone_to_owned().map_err(|e| refused(&name, &e))?;
    Ok(link.send(ToKeeper::Hold { name, fd })?)
}

/// Supervisor's sentence, and where it happened.
fn refused(place: &str, e: &io::Error) -> Refusal {
    let why = match e.raw_os_error() {
        Some(errno) => format!("socket.error reported errno.{} ({errno})", errno_name(errno)),
        None => e.to_string(),
    };
    Refusal::usage(format!("Cannot open an HTTP server: {why}\n{place}: {e}"))
}
