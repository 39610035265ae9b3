//! A socket of this machine's own, `/dev/log` or journald's: connected when there is something to say, again after it was gone.
//!
//! Where nobody listens (a container, most often) lines are lost, as they always were: a program must not wait for a syslogd that was
//! never there. But one that was there and is restarted is waited for, for some seconds.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use provost_core::Mono;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::Refused;

/// How long somebody who was there may be away.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon he is looked for again while lines wait for him, and while none do.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct LocalSocket {
    path: PathBuf,
    connection: Option<Connection>,
    /// Whether somebody took something, and has not been missed for too long since.
    was_there: bool,
    missing: Option<Missing>,
}

#[derive(Debug)]
pub(super) struct Connection {
    fd: OwnedFd,
    pub(super) is_stream: bool,
    /// Nothing has been said over it yet.
    pub(super) is_new: bool,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    since: Mono,
    why: Errno,
    look_at: Mono,
}

impl LocalSocket {
    pub(super) fn new(path: &Path) -> LocalSocket {
        LocalSocket { path: path.to_owned(), connection: None, was_there: false, missing: None }
    }

    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.connection.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn try_again(&self) -> Option<Mono> {
        self.missing.map(|missing| missing.look_at)
    }

    /// Says something over the connection, and over a new one if that turns out to be of yesterday.
    pub(super) fn say(
        &mut self,
        now: Mono,
        mut say: impl FnMut(&Connection) -> Result<(), Errno>,
    ) -> Result<(), Refused> {
        loop {
            let connection = self.connection(now)?;
            let said = say(connection);
            let was_new = std::mem::replace(&mut connection.is_new, false);
            match said {
                Ok(()) => {
                    self.meet();
                    return Ok(());
                }
                Err(Errno::AGAIN) => {
                    self.meet();
                    return Err(Refused::NoRoom);
                }
                Err(why) => {
                    self.connection = None;
                    if was_new {
                        return Err(self.miss(now, why));
                    }
                }
            }
        }
    }

    fn connection(&mut self, now: Mono) -> Result<&mut Connection, Refused> {
        if self.connection.is_none() {
            if let Some(missing) = self.missing.filter(|missing| now < missing.look_at) {
                return Err(self.miss(now, missing.why));
            }
            let made = Connection::to(&self.path).map_err(|why| self.miss(now, why))?;
            self.connection = Some(made);
        }
        Ok(self.connection.as_mut().expect("it has just been made, or was there"))
    }

    /// A connection alone says little: it is made as well where every word is refused afterwards.
    fn meet(&mut self) {
        (self.was_there, self.missing) = (true, None);
    }

    fn miss(&mut self, now: Mono, why: Errno) -> Refused {
        let since = self.missing.map_or(now, |missing| missing.since);
        let is_awaited = self.was_there && now.since(since) < PATIENCE;
        self.was_there = is_awaited;
        let look_at = match self.missing {
            Some(missing) if now < missing.look_at => missing.look_at,
            _ => now + if is_awaited { SOON } else { LATER },
        };
        self.missing = Some(Missing { since, why, look_at });
        if is_awaited { Refused::NoRoom } else { Refused::Nobody(io::Error::from(why)) }
    }
}

impl Connection {
    /// To a datagram socket, or a stream where it is one (syslog-ng of old; the C library tries both, too).
    fn to(path: &Path) -> Result<Connection, Errno> {
        match Connection::of(SocketType::DGRAM, path) {
            Err(Errno::PROTOTYPE) => Connection::of(SocketType::STREAM, path),
            made => made,
        }
    }

    fn of(kind: SocketType, path: &Path) -> Result<Connection, Errno> {
        let fd = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        connect(&fd, &SocketAddrUnix::new(path)?)?;
        Ok(Connection { fd, is_stream: kind == SocketType::STREAM, is_new: true })
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
