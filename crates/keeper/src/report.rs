//! What a child tells its keeper between fork and exec: a pair of words in shared memory, no pipe, no waiting.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::protocol::Stage;

/// The words of one child. The keeper clears them before the fork and reads them when it reaps.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Report {
    /// The number of the stage that failed; zero means that nothing did.
    stage: AtomicU32,
    errno: AtomicU32,
}

impl Report {
    /// Ready for the next child.
    pub(crate) fn clear(&self) {
        self.errno.store(0, Ordering::Relaxed);
        self.stage.store(0, Ordering::Relaxed);
    }

    /// Why the child never became its program, if it did not.
    pub(crate) fn failure(&self) -> Option<(Stage, i32)> {
        let stage = Stage::from_number(self.stage.load(Ordering::Acquire))?;
        Some((stage, self.errno.load(Ordering::Relaxed) as i32))
    }

    /// The child's side.
    pub(crate) fn failed(&self, stage: Stage, errno: i32) {
        self.errno.store(errno as u32, Ordering::Relaxed);
        self.stage.store(stage.number(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_the_words() {
        let report = Report { stage: AtomicU32::new(9), errno: AtomicU32::new(9) };
        report.clear();
        assert_eq!(report.failure(), None);
        report.failed(Stage::Exec, libc::ENOENT);
        assert_eq!(report.failure(), Some((Stage::Exec, libc::ENOENT)));
        report.failed(Stage::Pipe, libc::EMFILE);
        assert_eq!(report.failure(), Some((Stage::Pipe, libc::EMFILE)));
    }
}
