//! A syslog to send lines to: this machine's own, or one elsewhere.
//!
//! In: lines, each with the [`Voice`] of the channel that it is from. One of these serves all channels with the same address, or only one.
//! After every call: what `waits_for` names is to be watched for room while a line was refused or something is held, and `try_again`
//! is another reason to come back; then [`Syslog::push`], and the refused lines again. Both change with every call.
//!
//! A line that is longer than a message goes in several. To the local socket 64 KiB, because Supervisor's went whole, too, and
//! journald keeps them; 8,000 bytes by TCP, as rsyslog cuts at 8,096 unless it is told otherwise; 1,024 by UDP, which every network
//! carries whole and the oldest receiver takes.

use std::os::fd::BorrowedFd;
use std::path::Path;

use provost_config::SyslogAddress;
use provost_core::{Mono, Now};
use rustix::io::Errno;
use rustix::net::send;

use super::frame::{Frame, check, quietly};
use super::local::LocalSocket;
use super::message::{Form, Voice};
use super::tcp::Tcp;
use super::udp::Udp;
use super::{Refused, Sent, syslog_socket};

const MOST_LOCAL: usize = 64 << 10;
const MOST_TCP: usize = 8000;
const MOST_UDP: usize = 1024;
/// No socket refuses messages as short as that.
const LEAST: usize = 256;

#[derive(Debug)]
pub(in crate::logs) struct Syslog {
    way: Way,
    form: Form,
    /// The longest message.
    most: usize,
    message: Vec<u8>,
}

#[derive(Debug)]
enum Way {
    /// The frame is for the rare socket that is a stream.
    Local(LocalSocket, Frame),
    Udp(Udp),
    Tcp(Tcp),
}

impl Syslog {
    /// Connects when it has something to say.
    pub(in crate::logs) fn new(to: &SyslogAddress) -> Syslog {
        let (way, most) = match to {
            SyslogAddress::Local => return Syslog::at(syslog_socket()),
            SyslogAddress::Udp { host, port } => (Way::Udp(Udp::new(host, *port)), MOST_UDP),
            SyslogAddress::Tcp { host, port } => (Way::Tcp(Tcp::new(host, *port)), MOST_TCP),
        };
        Syslog { way, form: Form::remote(), most, message: Vec::new() }
    }

    /// The same for another local socket.
    pub(in crate::logs) fn at(path: &Path) -> Syslog {
        let way = Way::Local(LocalSocket::new(path), Frame::default());
        Syslog { way, form: Form::local(), most: MOST_LOCAL, message: Vec::new() }
    }

    /// Takes a line, without its newline, or as much as goes into a message: how many bytes. What is left comes next; an empty
    /// line is a message, too.
    pub(in crate::logs) fn send(
        &mut self,
        voice: &Voice,
        process: &str,
        line: &[u8],
        now: Now,
    ) -> Result<usize, Refused> {
        let Syslog { way, form, most, message } = self;
        loop {
            let taken = form.render(message, voice, process, line, now.wall, *most);
            match way.send(now.mono, message)? {
                Sent::Whole => return Ok(taken),
                Sent::TooLong if *most > LEAST => *most /= 2,
                Sent::TooLong => return Err(Refused::Nobody(Errno::MSGSIZE.into())),
            }
        }
    }

    /// Goes on with what is held.
    pub(in crate::logs) fn push(&mut self, now: Now) -> Result<(), Refused> {
        match &mut self.way {
            Way::Local(_, frame) if frame.is_empty() => Ok(()),
            Way::Local(socket, frame) => socket.say(now.mono, |to| {
                if to.is_new {
                    frame.begin_again();
                }
                frame.push(to)
            }),
            Way::Udp(_) => Ok(()),
            Way::Tcp(tcp) if !tcp.holds() => Ok(()),
            Way::Tcp(tcp) => tcp.push(now.mono),
        }
    }

    /// Whether there is something that it took, and has not sent.
    pub(in crate::logs) fn holds(&self) -> bool {
        match &self.way {
            Way::Local(_, frame) => !frame.is_empty(),
            Way::Udp(_) => false,
            Way::Tcp(tcp) => tcp.holds(),
        }
    }

    /// Whether there is a connection that breaks and is made again.
    pub(in crate::logs) fn is_connection(&self) -> bool {
        matches!(self.way, Way::Tcp(_))
    }

    pub(in crate::logs) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        match &self.way {
            Way::Local(socket, _) => socket.waits_for(),
            Way::Udp(udp) => udp.waits_for(),
            Way::Tcp(tcp) => tcp.waits_for(),
        }
    }

    pub(in crate::logs) fn try_again(&self) -> Option<Mono> {
        match &self.way {
            Way::Local(socket, _) => socket.try_again(),
            Way::Udp(_) => None,
            Way::Tcp(tcp) => tcp.try_again(),
        }
    }
}

impl Way {
    fn send(&mut self, now: Mono, message: &[u8]) -> Result<Sent, Refused> {
        match self {
            Way::Local(socket, frame) => {
                let mut sent = Sent::Whole;
                socket.say(now, |to| {
                    if !to.is_stream {
                        return match send(to, message, quietly()) {
                            Err(Errno::MSGSIZE) => {
                                sent = Sent::TooLong;
                                Ok(())
                            }
                            done => done.map(drop),
                        };
                    }
                    if to.is_new {
                        frame.begin_again();
                    }
                    check(to)?;
                    // As the C library ends it.
                    frame.put(to, message, 0)
                })?;
                Ok(sent)
            }
            Way::Udp(udp) => udp.send(now, message),
            Way::Tcp(tcp) => tcp.send(now, message).map(|()| Sent::Whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::logs::scene::Dir;

    #[test]
    fn a_socket_that_takes_only_shorter_messages_gets_shorter_ones() {
        let dir = Dir::new();
        let socket = UnixDatagram::bind(dir.file("log")).unwrap();
        // Beyond what any machine lets a datagram be.
        let mut syslog = Syslog { most: 1 << 30, ..Syslog::at(&dir.file("log")) };
        let line = vec![b'x'; 2 << 20];
        let taken = syslog.send(&Voice::own("d"), "", &line, crate::clock::now()).unwrap();
        let mut message = vec![0; 2 << 20];
        let n = socket.recv(&mut message).unwrap();
        assert!(taken < line.len() && message[..n].ends_with(&line[..taken]) && n <= syslog.most);
    }
}
