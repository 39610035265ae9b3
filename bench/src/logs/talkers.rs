//! Programs that talk, and what must be in the files when they have done so.
//!
//! In: how many of them say how much. Out: a directory in which they wait at a gate, the moment when all is written, and whether it is what
//! they said. The program itself is `c/talker.c`.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use provost_testkit::{Deadline, Sandbox};
use rustix::fs::{FlockOperation, flock};

/// Between two looks at how much is written.
const LOOK: Duration = Duration::from_millis(2);
/// Of a line's number.
const DIGITS: usize = 16;

/// Who says what, and how it is to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    pub(crate) programs: usize,
    /// Of each.
    pub(crate) bytes: usize,
    pub(crate) line: usize,
    pub(crate) write: usize,
    /// Microseconds from one write to the next; 0 for no pause.
    pub(crate) every: usize,
    /// 0 for no rotation. Otherwise there are backups for all that is said.
    pub(crate) maxbytes: usize,
    pub(crate) backups: usize,
}

impl Talk {
    #[expect(clippy::cast_precision_loss, reason = "bytes of a bench fit 52 bits")]
    pub(super) fn gib(&self) -> f64 {
        self.all() as f64 / (1u64 << 30) as f64
    }

    pub(crate) fn all(&self) -> usize {
        self.programs * self.bytes
    }
}

/// A directory with a gate in it, and a place for the logs.
#[derive(Debug)]
pub(crate) struct Talkers {
    talk: Talk,
    gate: File,
    sandbox: Sandbox,
}

impl Talkers {
    pub(crate) fn prepare(talk: Talk) -> Talkers {
        let sandbox = Sandbox::new();
        for name in ["ready", "done"] {
            File::create(sandbox.file(name)).expect("the sandbox can be written");
        }
        fs::create_dir(sandbox.file("logs")).expect("the sandbox can be written");
        let gate = File::create(sandbox.file("gate")).expect("the sandbox can be written");
        flock(&gate, FlockOperation::LockExclusive).expect("nobody else knows the file yet");
        Talkers { talk, gate, sandbox }
    }

    /// Arguments of the program.
    pub(crate) fn arguments(&self) -> [String; 5] {
        let Talk { bytes, line, write, every, .. } = self.talk;
        let directory = self.directory().to_str().expect("a sandbox has a plain name").to_owned();
        [directory, bytes.to_string(), line.to_string(), write.to_string(), every.to_string()]
    }

    pub(crate) fn directory(&self) -> &Path {
        self.sandbox.path()
    }

    /// What the name of each log begins with; a number follows.
    pub(super) fn prefix(&self) -> PathBuf {
        self.sandbox.file("logs").join("log")
    }

    pub(crate) fn wait_until_ready(&self, deadline: Deadline) {
        wait(deadline, "not all programs have started", || self.have("ready"));
    }

    pub(crate) fn open_the_gate(&self) {
        flock(&self.gate, FlockOperation::Unlock).expect("it is locked");
    }

    /// Until all is said.
    pub(crate) fn wait_until_said(&self, deadline: Deadline) {
        wait(deadline, "not everything was said", || self.have("done"));
    }

    /// Until all is said, and as much is in the files.
    pub(super) fn wait_until_written(&self, deadline: Deadline) {
        self.wait_until_said(deadline);
        wait(deadline, "not everything was written", || self.written() >= self.talk.all());
    }

    fn have(&self, name: &str) -> bool {
        let size = fs::metadata(self.sandbox.file(name)).map_or(0, |meta| meta.len());
        size >= self.talk.programs as u64
    }

    fn written(&self) -> usize {
        let entries = fs::read_dir(self.sandbox.file("logs")).expect("a directory of ours");
        let sizes = entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|meta| meta.len());
        usize::try_from(sizes.sum::<u64>()).expect("it fits on this machine")
    }

    /// Whether the files hold what was said, nothing else, and nothing twice.
    pub(super) fn compare(&self) -> Result<(), String> {
        for number in 0..self.talk.programs {
            let log = format!("{}{number}", self.prefix().display());
            let backups = (1..=self.talk.backups).rev().map(|n| format!("{log}.{n}"));
            let files = backups.map(File::open).filter_map(Result::ok);
            let last = File::open(&log).map_err(|e| format!("{log}: {e}"))?;
            let all = files
                .chain([last])
                .fold(Box::new(io::empty()) as Box<dyn Read>, |all, file| Box::new(all.chain(file)));
            is_what_was_said(BufReader::with_capacity(1 << 18, all), &self.talk)
                .map_err(|e| format!("{log}: {e}"))?;
        }
        Ok(())
    }
}

fn is_what_was_said(mut content: impl Read, talk: &Talk) -> Result<(), String> {
    let mut expected = vec![b'.'; talk.line];
    expected[..DIGITS].fill(b'0');
    expected[talk.line - 1] = b'\n';
    let mut line = vec![0; talk.line];
    let mut left = talk.bytes;
    let mut number = 0u64;
    while left > 0 {
        let length = left.min(talk.line);
        count_on(&mut expected);
        number += 1;
        content.read_exact(&mut line[..length]).map_err(|e| format!("line {number}: {e}"))?;
        if line[..length] != expected[..length] {
            return Err(format!("line {number} is {:?}", String::from_utf8_lossy(&line[..length])));
        }
        left -= length;
    }
    match content.read(&mut line) {
        Ok(0) => Ok(()),
        more => Err(format!("after line {number}: {more:?} bytes more")),
    }
}

fn count_on(line: &mut [u8]) {
    for digit in line[..DIGITS].iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

fn wait(deadline: Deadline, otherwise: &str, has_come: impl Fn() -> bool) {
    while !has_come() {
        assert!(deadline.remaining().is_some(), "{otherwise}");
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_told_from_anything_else() {
        let talk = Talk { programs: 1, bytes: 50, line: 20, write: 7, every: 0, maxbytes: 0, backups: 0 };
        let said = "0000000000000001...\n0000000000000002...\n0000000000";
        let judge = |text: &str| is_what_was_said(text.as_bytes(), &talk);
        assert_eq!(judge(said), Ok(()));
        assert!(judge(&said[..49]).unwrap_err().starts_with("line 3"));
        assert!(judge(&said.replace('2', "3")).unwrap_err().starts_with("line 2 is"));
        assert!(judge(&format!("{said}0")).unwrap_err().starts_with("after line 3"));
    }
}
