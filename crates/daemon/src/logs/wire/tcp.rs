//! A syslog server by TCP: one connection, made when there is something to say, and again when it breaks.
//!
//! Messages end with a line feed (RFC 6587, 3.4.2): a line has none inside, and every receiver takes this form, while counted octets are
//! refused by some. A message of which a broken connection has taken a part is sent again whole.
//!
//! What TCP cannot tell is whether the server has read what the kernel took. What was on its way when a connection broke may be
//! lost: its two buffers full at the worst, nothing if the server closed while we were silent.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use provost_core::Mono;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::frame::{Frame, check};
use super::{LONGEST_PAUSE, Refused, SHORTEST_PAUSE};
use crate::clock;

/// How long an address may be silent.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection that lived as long was no accident: the next one is tried at once.
const STEADY: Duration = Duration::from_secs(30);
/// A connection that is idle for longer is asked whether it lives, and firewalls hear of it.
const IDLE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Tcp {
    host: String,
    port: u16,
    state: State,
    frame: Frame,
    pause: Duration,
    /// Whether this outage has been told of.
    said: bool,
}

#[derive(Debug)]
enum State {
    Down {
        until: Mono,
    },
    /// `others` are the addresses to be tried after this one.
    Connecting {
        fd: OwnedFd,
        until: Mono,
        others: Vec<SocketAddr>,
    },
    Up {
        fd: OwnedFd,
        since: Mono,
    },
}

impl Tcp {
    pub(super) fn new(host: &str, port: u16) -> Tcp {
        let state = State::Down { until: Mono::default() };
        let (host, frame) = (host.to_owned(), Frame::default());
        Tcp { host, port, state, frame, pause: SHORTEST_PAUSE, said: false }
    }

    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Down { .. } => None,
            State::Connecting { fd, .. } | State::Up { fd, .. } => Some(fd.as_fd()),
        }
    }

    pub(super) fn try_again(&self) -> Option<Mono> {
        match self.state {
            State::Down { until } | State::Connecting { until, .. } => Some(until),
            State::Up { .. } => None,
        }
    }

    pub(super) fn holds(&self) -> bool {
        !self.frame.is_empty()
    }

    pub(super) fn send(&mut self, now: Mono, message: &[u8]) -> Result<(), Refused> {
        self.with(now, |frame, fd| frame.put(fd, message, b'\n'))
    }

    /// Sends what is held.
    pub(super) fn push(&mut self, now: Mono) -> Result<(), Refused> {
        self.with(now, |frame, fd| frame.push(fd))
    }

    /// Does something with the connection, and with a new one if the old one is gone.
    fn with(
        &mut self,
        now: Mono,
        mut act: impl FnMut(&mut Frame, BorrowedFd<'_>) -> Result<(), Errno>,
    ) -> Result<(), Refused> {
        loop {
            self.come_up(now)?;
            let State::Up { fd, since } = &self.state else { return Err(Refused::NoRoom) };
            let since = *since;
            match check(fd).and_then(|()| act(&mut self.frame, fd.as_fd())) {
                Ok(()) => return Ok(()),
                Err(Errno::AGAIN) => return Err(Refused::NoRoom),
                Err(e) => self.lose(now, since, e)?,
            }
        }
    }

    /// The connection is gone. An error if the next one has to wait.
    fn lose(&mut self, now: Mono, since: Mono, why: Errno) -> Result<(), Refused> {
        self.frame.begin_again();
        if now.since(since) < STEADY {
            return Err(self.fail(now, why.into()));
        }
        (self.pause, self.said) = (SHORTEST_PAUSE, false);
        self.state = State::Down { until: now };
        Ok(())
    }

    fn fail(&mut self, now: Mono, why: io::Error) -> Refused {
        self.state = State::Down { until: now + self.pause };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        if std::mem::replace(&mut self.said, true) { Refused::NoRoom } else { Refused::Trouble(why) }
    }

    /// Goes on with whatever is needed for a connection.
    fn come_up(&mut self, now: Mono) -> Result<(), Refused> {
        match std::mem::replace(&mut self.state, State::Down { until: now }) {
            State::Down { until } if now < until => {
                self.state = State::Down { until };
                Err(Refused::NoRoom)
            }
            State::Down { .. } => self.look_up(now),
            State::Connecting { fd, until, others } => match outcome(&fd) {
                Ok(()) => {
                    self.state = State::Up { fd, since: now };
                    Ok(())
                }
                Err(Errno::AGAIN) if now < until => {
                    self.state = State::Connecting { fd, until, others };
                    Err(Refused::NoRoom)
                }
                Err(Errno::AGAIN) => self.connect(now, others, Errno::TIMEDOUT.into()),
                Err(e) => self.connect(now, others, e.into()),
            },
            up @ State::Up { .. } => {
                self.state = up;
                Ok(())
            }
        }
    }

    /// Done every time: the server may have moved.
    fn look_up(&mut self, now: Mono) -> Result<(), Refused> {
        let asked = clock::now().mono;
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        // A name service may take longer than a connection may.
        let now = now + clock::now().mono.since(asked);
        let none = io::Error::new(io::ErrorKind::NotFound, "this host has no address");
        match found {
            Ok(addresses) => self.connect(now, addresses.collect(), none),
            Err(e) => Err(self.fail(now, e)),
        }
    }

    /// Begins with the first of these addresses that does not refuse at once.
    fn connect(&mut self, now: Mono, mut to: Vec<SocketAddr>, mut why: io::Error) -> Result<(), Refused> {
        while !to.is_empty() {
            match begin(to.remove(0)) {
                Ok(fd) => {
                    self.state = State::Connecting { fd, until: now + CONNECT, others: to };
                    return self.come_up(now);
                }
                Err(e) => why = e.into(),
            }
        }
        Err(self.fail(now, why))
    }
}

fn begin(to: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_keepalive(&fd, true)?;
    sockopt::set_tcp_keepidle(&fd, IDLE)?;
    match connect(&fd, &to) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(fd),
        Err(e) => Err(e),
    }
}

/// What has become of a connection that was begun; AGAIN if nothing yet.
fn outcome(fd: &OwnedFd) -> Result<(), Errno> {
    let mut ready = [PollFd::new(fd, PollFlags::OUT)];
    match poll(&mut ready, Some(&Timespec::default())) {
        Ok(0) | Err(Errno::INTR) => Err(Errno::AGAIN),
        Ok(_) => sockopt::socket_error(fd)?,
        Err(e) => Err(e),
    }
}
