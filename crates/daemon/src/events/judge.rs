//! What a listener's answer means for the event: the result handlers that Supervisor's users name in `result_handler`.
//!
//! In: the bytes of a RESULT. Out: accepted, refused, or no answer that makes sense. Supervisor's own handler wants `OK`. That of
//! supervisor_stdout, which thousands of images use, prints what the answer holds on the supervisor's standard output, each line behind
//! the name of its process; here it goes there as a program's output would, and nobody waits for whoever reads it.

use std::os::fd::BorrowedFd;
use std::path::Path;

use provost_config::ResultHandler;

use crate::logs::{Destination, Sink, Target};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    /// Whoever judges has stumbled over it.
    Senseless,
}

/// Who judges, and our standard output as one of them uses it.
#[derive(Debug, Default)]
pub(super) struct Judge {
    stdout: Option<Sink>,
    is_lost: bool,
    /// What standard output has not taken yet.
    waiting: Vec<u8>,
}

impl Judge {
    pub(super) fn judge(&mut self, handler: &ResultHandler, result: &[u8]) -> Verdict {
        match handler {
            ResultHandler::Default if result == b"OK" => Verdict::Accepted,
            ResultHandler::Default => Verdict::Refused,
            // What it would have made of an answer we do not know, but its listeners do not say OK: refused, the
            // same event would be told for ever.
            ResultHandler::Other(_) if result == b"FAIL" => Verdict::Refused,
            ResultHandler::Other(_) => Verdict::Accepted,
            ResultHandler::Stdout => match printed(result) {
                Some(lines) => {
                    self.print(lines.as_bytes());
                    Verdict::Accepted
                }
                None => Verdict::Senseless,
            },
        }
    }

    /// Whether the next answer has to wait until standard output takes more.
    pub(super) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What becomes writable then.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.stdout.as_ref().filter(|_| self.is_full()).and_then(Sink::waits_for)
    }

    fn print(&mut self, lines: &[u8]) {
        if self.stdout.is_none() && !self.is_lost {
            let to = Target::Named(Destination::new(Path::new("/dev/stdout")).into());
            self.stdout = Sink::of(&to).ok();
        }
        self.waiting.extend_from_slice(lines);
        self.go_on();
    }

    /// Standard output may take more.
    pub(super) fn go_on(&mut self) {
        let Some(stdout) = &mut self.stdout else { return self.waiting.clear() };
        let (written, result) = stdout.write(&self.waiting);
        self.waiting.drain(..written);
        if result.is_err() {
            // Nobody reads there: as with a closed terminal.
            (self.stdout, self.is_lost) = (None, true);
            self.waiting.clear();
        }
    }
}

/// A line with the tokens of the event, and behind it what the process has written: each line of that with process and channel before it.
fn printed(result: &[u8]) -> Option<String> {
    let (tokens, data) = std::str::from_utf8(result).ok()?.split_once('\n')?;
    let (mut process, mut channel) = (None, None);
    for token in tokens.split_whitespace() {
        match token.split(':').collect::<Vec<_>>()[..] {
            ["processname", value] => process = Some(value),
            ["channel", value] => channel = Some(value),
            [_, _] => {}
            // Python makes no dictionary of it.
            _ => return None,
        }
    }
    let (process, channel) = (process?, channel?);
    Some(data.split('\n').map(|line| format!("{process} {channel} | {line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_and_nothing_else_is_accepted() {
        let mut judge = Judge::default();
        for (result, verdict) in [
            (&b"OK"[..], Verdict::Accepted),
            (b"FAIL", Verdict::Refused),
            (b"ok", Verdict::Refused),
            (b"", Verdict::Refused),
            (b"OK\n", Verdict::Refused),
        ] {
            assert_eq!(judge.judge(&ResultHandler::Default, result), verdict, "{result:?}");
        }
    }

    #[test]
    fn where_a_plug_in_would_judge_fail_and_nothing_else_is_refused() {
        let (mut judge, other) = (Judge::default(), ResultHandler::Other("x:y".to_owned()));
        assert_eq!(judge.judge(&other, b"FAIL"), Verdict::Refused);
        for result in [&b"OK"[..], b"", b"processname:x\n", b"\xff"] {
            assert_eq!(judge.judge(&other, result), Verdict::Accepted, "{result:?}");
        }
    }

    #[test]
    fn what_was_written_is_printed_line_by_line_behind_its_process() {
        const TOKENS: &str = "processname:web_00 groupname:web pid:7 channel:stdout";
        let print = |data: &str| printed(format!("{TOKENS}\n{data}").as_bytes());
        assert_eq!(print("one\ntwo").unwrap(), "web_00 stdout | one\nweb_00 stdout | two\n");
        assert_eq!(print("one\n").unwrap(), "web_00 stdout | one\nweb_00 stdout | \n");
        assert_eq!(print("").unwrap(), "web_00 stdout | \n");
        for senseless in [
            &b"OK"[..],
            b"processname:x\n",
            b"processname:x channel\n",
            b"\xff\n",
            b"a:b:c processname:x channel:y\n",
        ] {
            assert_eq!(printed(senseless), None, "{senseless:?}");
        }
    }
}
