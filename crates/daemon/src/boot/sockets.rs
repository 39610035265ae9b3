//! The listening sockets: made here, or taken over from an earlier brain, and held by the keeper for the next.
//!
//! A unix socket is bound under a name of its own and published by a link, complete with mode and owner, so nobody
//! ever meets it half made, and of two daemons that start at once only one can have the name. A name that is taken is tried first: an answer means another daemon, silence a stale file.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use provost_api::{Door, Listener};
use provost_config::{Address, Config, LogLevel, Server};
use provost_keeper::{Link, ToKeeper};

use super::Refusal;
use crate::console::complain;
use crate::kept;
use crate::launch::errno_name;
use crate::logs::MainLog;
use crate::unix_socket;

const TAKEN: &str = "Another program is already listening on a port that one of our HTTP servers is \
configured to use.  Shut this program down first before starting supervisord.";

/// The files to remove at the end.
#[derive(Debug)]
pub(super) struct Sockets {
    files: Vec<PathBuf>,
}

impl Sockets {
    /// Opens every server of the configuration.
    pub(super) fn open(
        config: &Config,
        mut held: Vec<(String, OwnedFd)>,
        link: &mut Link,
    ) -> Result<(Sockets, Vec<Door>), Refusal> {
        let mut sockets = Sockets { files: Vec::new() };
        let mut doors = Vec::new();
        for server in &config.servers {
            let name = held_name(&server.address);
            let listener = match kept::take(&mut held, &name) {
                Some(fd) => listener_of(fd, &server.address),
                None => {
                    // What was opened so far must not stay behind as a stale file.
                    let listener = listen(server).inspect_err(|_| sockets.remove())?;
                    link.send(ToKeeper::Hold { name, fd: copy(&listener)? })?;
                    listener
                }
            };
            if let Address::Unix { file, .. } = &server.address {
                sockets.files.push(file.clone());
            }
            doors.push(Door { listener, section: server.section.clone(), tls: None });
        }
        Ok((sockets, doors))
    }

    pub(super) fn remove(&self) {
        for file in &self.files {
            // Somebody else may have removed it already.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// What Supervisor says where somebody answers on an address of ours; nothing where all are free.
pub(super) fn taken(config: &Config) -> Option<&'static str> {
    let mut addresses = config.servers.iter().map(|server| &server.address);
    let answered = addresses.any(|address| match address {
        Address::Unix { file, .. } => somebody_answers(file),
        Address::Inet { host, port } => {
            let bound = TcpListener::bind((interface(host), *port));
            bound.is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse)
        }
    });
    answered.then_some(TAKEN)
}

/// What Supervisor's log says of each server.
pub(super) fn announce(config: &Config, log: &mut MainLog) {
    for server in &config.servers {
        for interface in &config.rpcinterfaces {
            log.write(LogLevel::Info, &format!("RPC interface '{}' initialized", interface.name));
        }
        let wants_certificate = server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if server.credentials.is_none() && config.users.is_empty() && !wants_certificate {
            let section = &server.section;
            let text = format!("Server '{section}' running without any HTTP authentication checking");
            log.write(LogLevel::Critical, &text);
        }
    }
}

fn held_name(address: &Address) -> String {
    match address {
        Address::Unix { file, .. } => format!("unix:{}", file.display()),
        Address::Inet { host, port } => format!("inet:{host}:{port}"),
    }
}

fn listener_of(fd: OwnedFd, address: &Address) -> Listener {
    match address {
        Address::Unix { .. } => Listener::Unix(UnixListener::from(fd)),
        Address::Inet { .. } => Listener::Tcp(TcpListener::from(fd)),
    }
}

fn copy(listener: &Listener) -> Result<OwnedFd, Refusal> {
    let fd = match listener {
        Listener::Unix(listener) => listener.as_fd(),
        Listener::Tcp(listener) => listener.as_fd(),
    };
    fd.try_clone_to_owned().map_err(refused)
}

fn listen(server: &Server) -> Result<Listener, Refusal> {
    match &server.address {
        Address::Unix { file, chmod, uid, gid } => {
            clear_the_name(file)?;
            publish(file, *chmod, *uid, *gid).map(Listener::Unix)
        }
        Address::Inet { host, port } => {
            TcpListener::bind((interface(host), *port)).map(Listener::Tcp).map_err(refused)
        }
    }
}

/// Removes a stale socket; refuses where somebody answers.
fn clear_the_name(file: &Path) -> Result<(), Refusal> {
    if file.symlink_metadata().is_err() {
        return Ok(());
    }
    if somebody_answers(file) {
        return Err(Refusal::usage(TAKEN));
    }
    complain(&format!("Unlinking stale socket {}", file.display()));
    std::fs::remove_file(file).map_err(refused)
}

fn somebody_answers(file: &Path) -> bool {
    match UnixStream::connect(file) {
        Ok(_) => true,
        // A full queue is somebody's too.
        Err(e) => e.kind() == io::ErrorKind::WouldBlock,
    }
}

fn interface(host: &str) -> &str {
    if host.is_empty() { "0.0.0.0" } else { host }
}

fn publish(file: &Path, chmod: u32, uid: Option<u32>, gid: Option<u32>) -> Result<UnixListener, Refusal> {
    let mut hidden = file.as_os_str().to_owned();
    hidden.push(format!(".{}", std::process::id()));
    let hidden = PathBuf::from(hidden);
    // Left over from a daemon of our number that was killed at this very point.
    let _ = std::fs::remove_file(&hidden);
    let listener = unix_socket::for_us_alone(|| UnixListener::bind(&hidden)).map_err(refused)?;
    let complete = std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(chmod))
        .and_then(|()| std::os::unix::fs::chown(&hidden, uid, gid))
        .and_then(|()| std::fs::hard_link(&hidden, file));
    let _ = std::fs::remove_file(&hidden);
    match complete {
        Ok(()) => Ok(listener),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(Refusal::usage(TAKEN)),
        Err(e) => Err(refused(e)),
    }
}

fn refused(e: io::Error) -> Refusal {
    match e.raw_os_error() {
        Some(errno) if e.kind() != io::ErrorKind::AddrInUse => {
            let name = errno_name(errno);
            Refusal::usage(format!(
                "Cannot open an HTTP server: socket.error reported errno.{name} ({errno})"
            ))
        }
        Some(_) => Refusal::usage(TAKEN),
        None => Refusal::usage(format!("Cannot open an HTTP server: {e}")),
    }
}
