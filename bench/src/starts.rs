//! When each program started: a file with one slot a program, which the programs write and the bench reads.
//!
//! In: slots of sixteen bytes, the monotonic clock in nanoseconds and a pid. Out: [`Start`]s. A write into a file
//! of the page cache wakes nobody, and the time in it is the program's own; so the bench may look every few
//! milliseconds, and how late it looks is in no number. (A datagram for each of 5000 programs would wake the bench
//! 5000 times while it measures.)

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use provost_testkit::Deadline;

/// The environment variable that tells the programs where the file is.
pub(crate) const ADDRESS: &str = "PROVOST_BENCH_STARTS";

const SLOT: usize = 16;
/// Between two looks: seldom enough to take a thousandth of a processor, often enough to add nothing to a run.
const LOOK: Duration = Duration::from_millis(10);

/// A program's first action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) monotonic_ns: u64,
    pub(crate) pid: i32,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Starts {
    file: File,
    count: usize,
}

impl Starts {
    /// A new file with `count` empty slots.
    pub(crate) fn create(path: &Path, count: usize) -> Self {
        let file = File::options().read(true).write(true).create_new(true).open(path);
        let file = file.unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        file.set_len((count * SLOT) as u64).expect("an open file of ours can grow");
        Self { file, count }
    }

    /// Every program's last start; `None` for those that have not started yet.
    pub(crate) fn all(&self) -> Vec<Option<Start>> {
        let mut bytes = vec![0; self.count * SLOT];
        self.file.read_exact_at(&mut bytes, 0).expect("the file is as long as it was made");
        bytes.chunks_exact(SLOT).map(parse).collect()
    }

    /// The starts of all programs, or, at the deadline, how many there were.
    pub(crate) fn wait_for_all(&self, deadline: Deadline) -> Result<Vec<Start>, usize> {
        loop {
            let starts: Vec<Start> = self.all().into_iter().flatten().collect();
            match starts.len() {
                len if len == self.count => return Ok(starts),
                len if deadline.remaining().is_none() => return Err(len),
                _ => thread::sleep(LOOK),
            }
        }
    }

    /// The first start of program `number` in another process than `old`; `None` at the deadline.
    pub(crate) fn wait_for_next(&self, number: usize, old: i32, deadline: Deadline) -> Option<Start> {
        loop {
            let mut bytes = [0; SLOT];
            self.file
                .read_exact_at(&mut bytes, (number * SLOT) as u64)
                .expect("the file is as long as it was made");
            match parse(&bytes) {
                Some(start) if start.pid != old => return Some(start),
                _ if deadline.remaining().is_none() => return None,
                _ => thread::sleep(LOOK),
            }
        }
    }
}

/// A slot: `None` while nothing, or only half of it, is written.
fn parse(slot: &[u8]) -> Option<Start> {
    let word = |at: usize| slot.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes);
    let (monotonic_ns, pid) = (word(0)?, i32::try_from(word(8)?).ok()?);
    (monotonic_ns != 0 && pid != 0).then_some(Start { monotonic_ns, pid })
}

#[cfg(test)]
mod tests {
    use provost_testkit::Sandbox;

    use super::*;

    #[test]
    fn slots_are_empty_until_both_their_words_are_written() {
        let sandbox = Sandbox::new();
        let starts = Starts::create(&sandbox.file("starts"), 2);
        assert_eq!(starts.all(), [None, None]);
        starts.file.write_all_at(&7u64.to_ne_bytes(), 16).unwrap();
        assert_eq!(starts.all(), [None, None]);
        starts.file.write_all_at(&42u64.to_ne_bytes(), 24).unwrap();
        assert_eq!(starts.all(), [None, Some(Start { monotonic_ns: 7, pid: 42 })]);
        let now = Deadline::after(Duration::from_millis(1));
        assert_eq!(starts.wait_for_all(now), Err(1));
        assert_eq!(starts.wait_for_next(1, 42, now), None);
        assert_eq!(starts.wait_for_next(1, 41, now).map(|start| start.pid), Some(42));
    }
}
