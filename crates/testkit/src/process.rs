//! One process, known by a pidfd: signal it, wait for its end.
//!
//! In: a pid of something that a test started. Out: that it has ended, or a
//! panic at the deadline. The pidfd is opened once, so a pid that the kernel
//! gives to somebody else in the meantime is never signalled by mistake.
//! Not here: reaping, which is the parent's business.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
pub use rustix::process::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::deadline::{Deadline, readable};

/// A handle on a process. A process that was gone before the handle could be
/// made is a valid `Process`, and gone.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    pidfd: Option<OwnedFd>,
}

impl Process {
    /// Takes hold of the process with this pid.
    #[must_use]
    #[track_caller]
    pub fn new(pid: i32) -> Self {
        let Some(id) = Pid::from_raw(pid).filter(|_| pid > 0) else {
            panic!("{pid} is no pid of a process");
        };
        let pidfd = match pidfd_open(id, PidfdFlags::empty()) {
            Ok(fd) => Some(fd),
            Err(Errno::SRCH) => None,
            Err(error) => panic!("cannot take hold of process {pid}: {error}"),
        };
        Self { pid, pidfd }
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal; a process that has already ended is left in peace.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let Some(pidfd) = &self.pidfd else { return };
        match pidfd_send_signal(pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => panic!("cannot send {signal:?} to process {}: {error}", self.pid),
        }
    }

    /// Waits until it has ended (it may still be a zombie); false at the deadline.
    #[must_use]
    pub fn ended_before(&self, deadline: Deadline) -> bool {
        self.pidfd.as_ref().is_none_or(|fd| readable(fd, deadline))
    }

    /// Becomes readable when it ends; `None` when it was gone from the start.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Whether it has ended by now.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        // A deadline that has passed is not looked at, so this one has just not.
        self.ended_before(Deadline::after(Duration::from_millis(1)))
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it is still there after [`crate::DEADLINE`].
    #[track_caller]
    pub fn wait_until_gone(&self) {
        assert!(
            self.ended_before(Deadline::default()),
            "process {} has not ended in {:?}",
            self.pid,
            crate::DEADLINE
        );
    }
}

/// Waits until the process with this pid has ended.
#[track_caller]
pub fn wait_until_gone(pid: i32) {
    Process::new(pid).wait_until_gone();
}

/// Sends a signal to a process that the test started.
#[track_caller]
pub fn send_signal(pid: i32, signal: Signal) {
    Process::new(pid).signal(signal);
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_killed_process_is_seen_to_end() {
        let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process::new(i32::try_from(sleeper.id()).unwrap());
        assert!(!process.is_gone());
        process.signal(Signal::KILL);
        process.wait_until_gone();
        sleeper.wait().unwrap();
        // Signalling it once more reaches nobody, not even a new owner of the pid.
        process.signal(Signal::KILL);
    }
}
