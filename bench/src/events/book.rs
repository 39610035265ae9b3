//! What the listener has heard: a file of words, which `c/listener.c` writes and the bench reads.
//!
//! In: the file. Out: [`Heard`]. A look wakes nobody, and the times in it are the listener's own; so how late the bench looks is in no
//! number.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use provost_testkit::Deadline;

const WORD: usize = 8;
const WORDS: usize = 10;
const LOOK: Duration = Duration::from_millis(5);
/// After so long without an event nothing more comes: who looks around once a second has done so.
const SILENCE: Duration = Duration::from_millis(2500);

/// All that the listener has heard so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) pid: i32,
    pub(super) events: u64,
    /// When the first and the last one were here.
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    /// Of all messages.
    pub(super) bytes: u64,
    /// Numbers of the pool that never came, and such as came again.
    pub(super) missing: u64,
    pub(super) repeated: u64,
    /// Bytes that programs have said; how many of those were passed over, and how many came again.
    pub(super) said: u64,
    pub(super) gaps: u64,
    pub(super) again: u64,
}

/// The file.
#[derive(Debug)]
pub(super) struct Book(File);

impl Book {
    pub(super) fn create(path: &Path) -> Book {
        let file = File::options().read(true).write(true).create_new(true).open(path);
        let file = file.unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        file.set_len((WORDS * WORD) as u64).expect("an open file of ours can grow");
        Book(file)
    }

    pub(super) fn heard(&self) -> Heard {
        let mut bytes = [0; WORDS * WORD];
        self.0.read_exact_at(&mut bytes, 0).expect("the file is as long as it was made");
        parse(&bytes)
    }

    /// The listener's pid, once it has begun.
    pub(super) fn wait_for_listener(&self, deadline: Deadline) -> i32 {
        loop {
            match self.heard().pid {
                0 => assert!(deadline.remaining().is_some(), "the listener has not started"),
                pid => return pid,
            }
            thread::sleep(LOOK);
        }
    }

    /// Until all has come, or nothing comes any more.
    pub(super) fn wait_until(&self, is_all: impl Fn(&Heard) -> bool) -> Heard {
        let mut before = self.heard();
        let mut silent = Deadline::after(SILENCE);
        while !is_all(&before) && silent.remaining().is_some() {
            thread::sleep(LOOK);
            let now = self.heard();
            if now != before {
                (before, silent) = (now, Deadline::after(SILENCE));
            }
        }
        before
    }
}

fn parse(bytes: &[u8; WORDS * WORD]) -> Heard {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(WORD)) {
        *word = u64::from_ne_bytes(bytes.try_into().expect("chunks of eight bytes"));
    }
    let [pid, events, first_ns, last_ns, bytes, missing, repeated, said, gaps, again] = words;
    let pid = i32::try_from(pid).expect("a Linux pid fits an i32");
    Heard { pid, events, first_ns, last_ns, bytes, missing, repeated, said, gaps, again }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};
    use std::sync::PoisonError;

    use provost_testkit::Sandbox;

    use super::*;
    use crate::family::ONE_AT_A_TIME;
    use crate::programs::Programs;

    fn line(number: usize) -> String {
        format!("{number:016}{}\n", ".".repeat(15))
    }

    fn said(serial: usize, data: &str) -> String {
        let payload = format!("processname:w0 groupname:w pid:7 channel:stdout\n{data}");
        format!(
            "ver:3.0 server:s serial:9 pool:p poolserial:{serial} eventname:PROCESS_LOG_STDOUT len:{}\n{payload}",
            payload.len()
        )
    }

    #[test]
    fn what_is_missing_and_what_comes_again_is_in_the_book() {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let sandbox = Sandbox::new();
        let book = Book::create(&sandbox.file("book"));
        let programs = Programs::compile();
        let mut listener = Command::new(&programs.listener);
        listener.arg(sandbox.file("book")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut listener = listener.spawn().unwrap();
        let (mut there, mut back) = (listener.stdin.take().unwrap(), listener.stdout.take().unwrap());
        let mut ready = [0; 6];
        back.read_exact(&mut ready).unwrap();
        let mut tell = |message: &str| {
            there.write_all(message.as_bytes()).unwrap();
            let mut answer = [0; 17];
            back.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"RESULT 2\nOKREADY\n");
            book.heard()
        };
        // Pieces that end within a line are of one piece for the book.
        let (head, tail) = (line(1) + &line(2)[..9], line(2)[9..].to_owned() + &line(3));
        assert_eq!(tell(&said(5, &head)).said, 41);
        let whole = tell(&said(6, &tail));
        assert_eq!((whole.events, whole.said, whole.missing, whole.gaps, whole.again), (2, 96, 0, 0, 0));
        let passed_over = tell(&said(8, &line(5)));
        assert_eq!((passed_over.missing, passed_over.gaps, passed_over.repeated), (1, 32, 0));
        let repeated = tell(&said(8, &line(5)));
        assert_eq!((repeated.events, repeated.repeated, repeated.again), (4, 1, 32));
        assert!(repeated.last_ns > repeated.first_ns && repeated.pid != 0);
        drop(there);
        assert!(listener.wait().unwrap().success());
    }
}
