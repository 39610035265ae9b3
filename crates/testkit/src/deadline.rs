//! How long anything here waits at most, and the one place that waits.
//!
//! In: a descriptor and a [`Deadline`]. Out: whether it became readable in
//! time. Nothing here sleeps; a deadline only bounds a wait that an event ends.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The patience of every wait that does not name its own. Long, because it is
/// spent only by a test that fails anyway, and a loaded machine is slow.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A moment on the monotonic clock after which a wait gives up.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The moment `patience` from now.
    #[must_use]
    pub fn after(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    /// What is left of it; `None` when it has passed.
    #[must_use]
    pub fn remaining(self) -> Option<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Self::after(DEADLINE)
    }
}

/// How long before what nobody tells of is looked at again.
const A_LITTLE: Duration = Duration::from_millis(1);

/// Waits until it is so, and looks again and again, as nobody tells of it.
///
/// # Panics
///
/// When it has not come to `what` within [`DEADLINE`].
#[track_caller]
pub fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_within(DEADLINE, what, is_so);
}

/// [`until`] with another patience.
///
/// # Panics
///
/// When it has not come to `what` in that time.
#[track_caller]
pub fn until_within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Deadline::after(patience);
    while !is_so() {
        assert!(deadline.remaining().is_some(), "in {patience:?} it has not come to this: {what}");
        std::thread::sleep(A_LITTLE);
    }
}

/// Waits until `fd` is readable; false when the deadline came first.
pub(crate) fn readable(fd: impl AsFd, deadline: Deadline) -> bool {
    any_readable(&[fd.as_fd()], deadline)
}

/// Waits until one of `fds` is readable; false when the deadline came first.
pub(crate) fn any_readable(fds: &[BorrowedFd<'_>], deadline: Deadline) -> bool {
    let mut waiting: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    while let Some(left) = deadline.remaining() {
        let timeout = Timespec::try_from(left).expect("half a minute fits a timespec");
        match poll(&mut waiting, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return true,
            Err(error) => panic!("cannot poll descriptors of the test harness: {error}"),
        }
    }
    false
}
