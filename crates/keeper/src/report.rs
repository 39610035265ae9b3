//! What a child tells its keeper between fork and exec: one word pair of shared memory, no pipe, no waiting.

use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::Timespec;
use rustix::thread::futex;

use crate::protocol::Stage;

/// Nothing has been heard of the child.
const SILENT: u32 = 0;
/// It shares no descriptors with the keeper any more.
const ON_ITS_OWN: u32 = 1;
/// Added to the number of the stage that failed.
const FAILED: u32 = 1;

/// The words of one child. The keeper makes them before the fork and reads them afterwards.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Report {
    state: AtomicU32,
    errno: AtomicU32,
}

impl Report {
    /// Ready for the next child.
    pub(crate) fn clear(&self) {
        self.errno.store(0, Ordering::Relaxed);
        self.state.store(SILENT, Ordering::Relaxed);
    }

    /// Why the child never became its program, if it did not.
    pub(crate) fn failure(&self) -> Option<(Stage, i32)> {
        let stage = Stage::from_number(self.state.load(Ordering::Acquire).checked_sub(FAILED)?)?;
        Some((stage, self.errno.load(Ordering::Relaxed) as i32))
    }

    /// Whether the child has a descriptor table of its own, or needs none any more.
    pub(crate) fn is_on_its_own(&self) -> bool {
        self.state.load(Ordering::Acquire) != SILENT
    }

    /// Waits until it is, for 10 ms at most.
    pub(crate) fn wait_until_on_its_own(&self) {
        let patience = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        // Woken, interrupted, too late: whoever waits looks again.
        let _ = futex::wait(&self.state, futex::Flags::empty(), SILENT, Some(&patience));
    }

    // --- the child's side: async-signal-safe ---

    pub(crate) fn on_its_own(&self) {
        self.say(ON_ITS_OWN);
    }

    pub(crate) fn failed(&self, stage: Stage, errno: i32) {
        self.errno.store(errno as u32, Ordering::Relaxed);
        self.say(FAILED + stage.number());
    }

    fn say(&self, state: u32) {
        self.state.store(state, Ordering::Release);
        // Nobody waits, most of the time.
        let _ = futex::wake(&self.state, futex::Flags::empty(), 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_the_words() {
        let report = Report { state: AtomicU32::new(9), errno: AtomicU32::new(9) };
        report.clear();
        assert_eq!((report.failure(), report.is_on_its_own()), (None, false));
        report.on_its_own();
        assert_eq!((report.failure(), report.is_on_its_own()), (None, true));
        report.failed(Stage::Exec, libc::ENOENT);
        assert_eq!((report.failure(), report.is_on_its_own()), (Some((Stage::Exec, libc::ENOENT)), true));
    }

    #[test]
    fn the_first_stage_is_not_taken_for_a_child_on_its_own() {
        let report = Report { state: AtomicU32::new(0), errno: AtomicU32::new(0) };
        report.failed(Stage::Pipe, 1);
        assert_eq!(report.failure(), Some((Stage::Pipe, 1)));
    }
}
