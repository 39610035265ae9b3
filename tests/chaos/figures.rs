//! What a run came to, for people and for the changelog.

use std::fmt;
use std::fs;
use std::time::Duration;

/// What the keeper holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keeper {
    /// Anonymous memory that is its own, in kB.
    pub(crate) memory: u64,
    pub(crate) descriptors: usize,
}

impl Keeper {
    pub(crate) fn of(pid: i32) -> Keeper {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        Keeper {
            memory: line.split_whitespace().nth(1).unwrap().parse().unwrap(),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) disturbances: u64,
    pub(crate) refused: u64,
    pub(crate) time: Duration,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) rotations: u64,
    pub(crate) runs: usize,
    pub(crate) wishes: usize,
    /// Wishes that more than one brain heard.
    pub(crate) repeated: usize,
    pub(crate) killed_programs: usize,
    pub(crate) exits_told_twice: usize,
    /// Programs that a stop met before they could write anything down.
    pub(crate) unborn: usize,
    pub(crate) silences: Vec<Duration>,
    pub(crate) keeper: [Keeper; 2],
}

impl Figures {
    /// The silence that so many of a hundred did not exceed.
    pub(crate) fn silence(&self, percent: usize) -> Duration {
        let mut sorted = self.silences.clone();
        sorted.sort();
        sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        let megabytes = self.bytes as f64 / 1e6;
        let [before, after] = self.keeper;
        writeln!(
            f,
            "{} disturbances in {seconds:.1} s, and {} broken programs refused",
            self.disturbances, self.refused
        )?;
        writeln!(
            f,
            "{} lines, {megabytes:.0} MB, {:.1} MB/s, {} rotations",
            self.lines,
            megabytes / seconds,
            self.rotations
        )?;
        writeln!(
            f,
            "{} runs of programs, {} of them killed from outside, {} ended before they began; exits told twice: {}",
            self.runs, self.killed_programs, self.unborn, self.exits_told_twice
        )?;
        writeln!(f, "{} wishes, {} of them heard by more than one brain", self.wishes, self.repeated)?;
        let [p50, p99, most] = [50, 99, 100].map(|percent| self.silence(percent).as_secs_f64() * 1e3);
        writeln!(
            f,
            "from a disturbance to an answer: p50 {p50:.1} ms, p99 {p99:.1} ms, at most {most:.1} ms"
        )?;
        write!(
            f,
            "the keeper: {} kB and {} descriptors before, {} kB and {} after",
            before.memory, before.descriptors, after.memory, after.descriptors
        )
    }
}
