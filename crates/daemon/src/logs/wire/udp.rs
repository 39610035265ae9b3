//! A syslog server by UDP. Nothing tells us whether a datagram arrives, and nobody waits for that.
//!
//! All that is ever noticed is a host without a name, without a way to it, or with nobody at the port. Lines of the next second are
//! lost then; after it the host is looked up anew.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use provost_core::Mono;
use rustix::io::Errno;
use rustix::net::send;

use super::frame::quietly;
use super::{LONGEST_PAUSE, Refused, SHORTEST_PAUSE, Sent};
use crate::clock;

/// How long an answer of the name service is believed: a server may move, and with UDP nobody would notice.
const BELIEVED: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Udp {
    host: String,
    port: u16,
    socket: Option<UdpSocket>,
    /// When the host is looked up again.
    look_up_at: Mono,
    pause: Duration,
    why: Errno,
}

impl Udp {
    pub(super) fn new(host: &str, port: u16) -> Udp {
        let look_up_at = Mono::default();
        let (host, pause) = (host.to_owned(), SHORTEST_PAUSE);
        Udp { host, port, socket: None, look_up_at, pause, why: Errno::DESTADDRREQ }
    }

    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn send(&mut self, now: Mono, message: &[u8]) -> Result<Sent, Refused> {
        if now >= self.look_up_at {
            self.look_up(now)?;
        }
        let Some(socket) = &self.socket else { return Err(Refused::Nobody(self.why.into())) };
        match send(socket, message, quietly()) {
            Ok(_) => Ok(Sent::Whole),
            Err(Errno::AGAIN) => Err(Refused::NoRoom),
            Err(Errno::MSGSIZE) => Ok(Sent::TooLong),
            // The answer to an earlier one, most often: nobody at the port.
            Err(why) => {
                (self.socket, self.why) = (None, why);
                self.look_up_at = now + SHORTEST_PAUSE;
                Err(Refused::Nobody(why.into()))
            }
        }
    }

    fn look_up(&mut self, now: Mono) -> Result<(), Refused> {
        let asked = clock::now().mono;
        let found = connect(&self.host, self.port);
        // A name service may take its time, and lines wait for it: not with every one of them.
        let now = now + clock::now().mono.since(asked);
        match found {
            Ok(socket) => {
                self.socket = Some(socket);
                (self.look_up_at, self.pause) = (now + BELIEVED, SHORTEST_PAUSE);
                Ok(())
            }
            Err(e) => {
                self.look_up_at = now + self.pause;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                self.why = Errno::from_io_error(&e).unwrap_or(Errno::HOSTUNREACH);
                // The address of yesterday is better than none.
                if self.socket.is_some() { Ok(()) } else { Err(Refused::Nobody(e)) }
            }
        }
    }
}

fn connect(host: &str, port: u16) -> io::Result<UdpSocket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "this host has no address");
    for address in (host, port).to_socket_addrs()? {
        match connect_to(address) {
            Ok(socket) => return Ok(socket),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn connect_to(address: SocketAddr) -> io::Result<UdpSocket> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    Ok(socket)
}
