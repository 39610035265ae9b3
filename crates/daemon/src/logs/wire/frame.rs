//! What a connection has taken the first half of.
//!
//! A message on a stream may find room for its beginning only. The rest is kept and goes first; and should the connection break
//! meanwhile, the whole message goes again, over the next one.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

#[derive(Debug, Default)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    done: usize,
}

impl Frame {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The connection that knew its beginning is gone.
    pub(super) fn begin_again(&mut self) {
        self.done = 0;
    }

    /// Writes what is left of it.
    pub(super) fn push(&mut self, to: impl AsFd) -> Result<(), Errno> {
        while self.done < self.bytes.len() {
            self.done += send(to.as_fd(), &self.bytes[self.done..], quietly()).or_else(interrupted)?;
        }
        self.bytes.clear();
        self.done = 0;
        Ok(())
    }

    /// Writes a message, behind what is left; an error means that it was not taken. What has been taken is sent in the end, be
    /// it over another connection.
    pub(super) fn put(&mut self, to: impl AsFd, message: &[u8], end: u8) -> Result<(), Errno> {
        self.push(&to)?;
        self.bytes.extend_from_slice(message);
        self.bytes.push(end);
        match self.push(&to) {
            Err(e) if self.done == 0 => {
                self.bytes.clear();
                Err(e)
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Whether the other side still listens. A write would only tell with the next one, and this one would be lost.
pub(super) fn check(connection: impl AsFd) -> Result<(), Errno> {
    // What a syslogd might have to say is of no interest, but it must be read, or closing would throw away what is on its way.
    let mut words = [0; 256];
    loop {
        match recv(connection.as_fd(), &mut words[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Err(Errno::PIPE),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

/// Never waiting, and without a signal for a connection that is gone.
pub(super) fn quietly() -> SendFlags {
    SendFlags::NOSIGNAL | SendFlags::DONTWAIT
}

fn interrupted(e: Errno) -> Result<usize, Errno> {
    if e == Errno::INTR { Ok(0) } else { Err(e) }
}
