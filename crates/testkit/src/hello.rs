//! Programs that announce themselves: a datagram socket in the sandbox.
//!
//! In: datagrams `NAME PID NANOSECONDS` from `provost-child hello`. Out: a
//! [`Hello`] per datagram. The time is the child's own reading of the monotonic
//! clock, so a benchmark does not measure how late the harness woke up.

use std::collections::VecDeque;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::deadline::Deadline;

/// The environment variable that tells a child where to announce itself.
pub(crate) const ADDRESS: &str = "PROVOST_HELLO";

/// One announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The name under which it was started (`SUPERVISOR_PROCESS_NAME`), or the one its script gave.
    pub name: String,
    /// Its pid.
    pub pid: i32,
    /// When it spoke, on the monotonic clock.
    pub monotonic_ns: u64,
}

/// The listening end.
#[derive(Debug)]
pub struct HelloSocket {
    socket: UnixDatagram,
    path: PathBuf,
    unasked: VecDeque<Hello>,
}

impl HelloSocket {
    /// Opens the socket `path`, which children of any user may write to.
    ///
    /// # Panics
    /// When the socket cannot be made there.
    #[must_use]
    pub fn bind(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path)
            .unwrap_or_else(|e| panic!("cannot listen for children on {}: {e}", path.display()));
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))
            .unwrap_or_else(|e| panic!("cannot open {} for every user: {e}", path.display()));
        Self { socket, path: path.to_owned(), unasked: VecDeque::new() }
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next announcement of the program `name`. Those of other programs
    /// that come meanwhile are kept for whoever asks for them.
    ///
    /// # Panics
    /// When none comes before the deadline.
    #[track_caller]
    pub fn wait(&mut self, name: &str) -> Hello {
        self.wait_within(name, crate::DEADLINE)
    }

    /// [`HelloSocket::wait`] with another patience.
    ///
    /// # Panics
    /// When none comes in that time.
    #[track_caller]
    pub fn wait_within(&mut self, name: &str, patience: Duration) -> Hello {
        if let Some(at) = self.unasked.iter().position(|hello| hello.name == name) {
            return self.unasked.remove(at).expect("the position was found just now");
        }
        let deadline = Deadline::after(patience);
        while let Some(hello) = self.receive(deadline) {
            if hello.name == name {
                return hello;
            }
            self.unasked.push_back(hello);
        }
        panic!("no hello from '{name}' in {patience:?}; others: {:?}", self.unasked);
    }

    /// The next announcement of anybody; `None` at the deadline.
    fn receive(&self, deadline: Deadline) -> Option<Hello> {
        let mut buffer = [0; 512];
        loop {
            self.socket
                .set_read_timeout(Some(deadline.remaining()?))
                .expect("a timeout above zero is always accepted");
            match self.socket.recv(&mut buffer) {
                Ok(length) => return Some(parse(&buffer[..length])),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => panic!("cannot receive on {}: {error}", self.path.display()),
            }
        }
    }
}

fn parse(datagram: &[u8]) -> Hello {
    let text = String::from_utf8_lossy(datagram);
    let mut words = text.rsplitn(3, ' ');
    let parsed = (|| {
        let monotonic_ns = words.next()?.parse().ok()?;
        let pid = words.next()?.parse().ok()?;
        Some(Hello { name: words.next()?.to_owned(), pid, monotonic_ns })
    })();
    parsed.unwrap_or_else(|| panic!("this is no hello: {text:?}"))
}

/// The monotonic clock, in nanoseconds: the one that children put into a hello.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).expect("the monotonic clock is never negative");
    let nanoseconds = u64::try_from(now.tv_nsec).expect("nanoseconds are never negative");
    seconds * 1_000_000_000 + nanoseconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sandbox;

    #[test]
    fn hellos_are_handed_out_by_name_in_the_order_they_came() {
        let sandbox = Sandbox::new();
        let mut socket = HelloSocket::bind(&sandbox.file("hello"));
        let child = UnixDatagram::unbound().unwrap();
        for text in ["b 1 10", "a b 2 20", "b 3 30"] {
            child.send_to(text.as_bytes(), socket.path()).unwrap();
        }
        assert_eq!(socket.wait("a b").pid, 2);
        assert_eq!(socket.wait("b").pid, 1);
        assert_eq!(socket.wait("b"), Hello { name: "b".into(), pid: 3, monotonic_ns: 30 });
    }
}
