//! The conversation with an event listener: the line before a payload, and what the listener says back (SPEC 8.3, 8.4).
//!
//! In: what is to be told, and bytes of the listener's stdout in whatever pieces. Out: bytes for its stdin, and what it has
//! [`Heard`] means. Nothing of what it says can make us keep more than [`LONGEST_LINE`] and [`LONGEST_RESULT`] bytes. Not here: which
//! listener is told what, what becomes of an event that it has rejected, and what a result says.

use std::io::Write as _;

use crate::events::EventType;

/// Bytes of the line before a result. Supervisor waits for the end of it for ever.
pub const LONGEST_LINE: usize = 1024;
/// Bytes of a result. `OK` has two.
pub const LONGEST_RESULT: usize = 1024 * 1024;

const READY: &[u8] = b"READY\n";
/// How long `RESULT ` is. Supervisor takes any seven bytes for it.
const RESULT: usize = 7;

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The supervisor's identifier.
    pub server: &'a str,
    pub serial: u64,
    pub pool: &'a str,
    pub pool_serial: u64,
    pub event: EventType,
}

impl Header<'_> {
    /// Appends the whole message to `out`. Supervisor tells the length in characters, and whoever reads bytes, as the manual has it, loses
    /// step at the first letter that is not ASCII; told in bytes, whoever reads characters waits for more, for ever.
    pub fn write(&self, payload: &str, unit: Unit, out: &mut Vec<u8>) {
        let Header { server, serial, pool, pool_serial, event } = self;
        let name = event.name();
        let length = match unit {
            Unit::Bytes => payload.len(),
            Unit::Characters => payload.chars().count(),
        };
        writeln!(
            out,
            "ver:3.0 server:{server} serial:{serial} pool:{pool} poolserial:{pool_serial} eventname:{name} \
             len:{length}"
        )
        .expect("a Vec takes whatever is written to it");
        out.extend_from_slice(payload.as_bytes());
    }
}

/// What the length of a payload counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Characters,
}

/// Where the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// It may be told something.
    Ready,
    /// It has been told something, and has not answered yet.
    Busy,
    /// It has begun, or has answered, and has not said that it is ready.
    Acknowledged,
    /// It has said what makes no sense. Supervisor tells it nothing any more.
    Unknown,
}

/// What a listener has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Ready,
    /// The answer to what it was told.
    Result(Vec<u8>),
    /// A line that is none before a result; without its end, and cut. What it was told is not answered.
    BadLine(Vec<u8>),
    /// Anything else that it should not have said, at a time when it was told nothing.
    Nonsense,
    /// After nonsense it is ready again.
    Recovered,
}

/// One listener's side of the conversation.
#[derive(Debug)]
pub struct Ear {
    state: Listening,
    /// Not understood yet.
    waiting: Vec<u8>,
    /// Of the result that is being said.
    length: Option<usize>,
    /// Whether it may be ready again after nonsense.
    recovers: bool,
}

impl Ear {
    /// Of a listener that has just begun. With `recovers`, a line `READY` ends what nonsense has begun; with Supervisor
    /// only another process can.
    pub fn new(recovers: bool) -> Ear {
        Ear { state: Listening::Acknowledged, waiting: Vec::new(), length: None, recovers }
    }

    /// The same of a listener that somebody else has listened to until now: what it had begun to say it says again.
    pub fn resume(state: Listening, length: Option<usize>, recovers: bool) -> Ear {
        let length = length.filter(|length| *length <= LONGEST_RESULT);
        Ear { state, waiting: Vec::new(), length, recovers }
    }

    pub fn state(&self) -> Listening {
        self.state
    }

    /// How long the result is that is being said.
    pub fn length(&self) -> Option<usize> {
        self.length
    }

    /// How many of the last bytes it has said are not understood yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn set_recovers(&mut self, recovers: bool) {
        self.recovers = recovers;
    }

    /// It is being told something.
    ///
    /// # Panics
    /// When it is not ready.
    pub fn is_told(&mut self) {
        assert_eq!(self.state, Listening::Ready, "only who is ready may be told something");
        self.state = Listening::Busy;
    }

    /// It could not be told what it was to be told.
    ///
    /// # Panics
    /// When it has been told nothing.
    pub fn is_not_told(&mut self) {
        assert_eq!(self.state, Listening::Busy, "only what is told can be taken back");
        (self.state, self.length) = (Listening::Ready, None);
    }

    /// Takes what it has said, and tells `tell` what that means, one after the other. In between `tell` may not tell the
    /// listener anything: what it has said already was said before. Where it finds that a result makes no sense it answers false,
    /// and the listener's state is unknown.
    pub fn hear(&mut self, said: &[u8], mut tell: impl FnMut(Heard) -> bool) {
        self.waiting.extend_from_slice(said);
        while let Some(heard) = self.next() {
            if !tell(heard) {
                self.nonsense();
            }
        }
    }

    fn next(&mut self) -> Option<Heard> {
        match self.state {
            Listening::Acknowledged => self.waits_for_ready(),
            Listening::Ready if self.waiting.is_empty() => None,
            Listening::Ready => Some(self.nonsense()),
            Listening::Busy => match self.length {
                None => self.waits_for_line(),
                Some(length) => self.waits_for_result(length),
            },
            Listening::Unknown => self.waits_for_recovery(),
        }
    }

    fn waits_for_ready(&mut self) -> Option<Heard> {
        // Six bytes are looked at, not fewer: as with Supervisor, half a word is no nonsense yet.
        if self.waiting.len() < READY.len() {
            return None;
        }
        if !self.waiting.starts_with(READY) {
            return Some(self.nonsense());
        }
        self.waiting.drain(..READY.len());
        self.state = Listening::Ready;
        Some(Heard::Ready)
    }

    fn waits_for_line(&mut self) -> Option<Heard> {
        let end = self.waiting.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n');
        let Some(end) = end else {
            return (self.waiting.len() >= LONGEST_LINE).then(|| self.bad_line(LONGEST_LINE));
        };
        match length(self.waiting.get(RESULT..end).unwrap_or_default()) {
            Some(length) => {
                self.waiting.drain(..=end);
                self.length = Some(length);
                self.next()
            }
            None => Some(self.bad_line(end)),
        }
    }

    /// One of no bytes is complete at once; Supervisor waits for another byte first.
    fn waits_for_result(&mut self, length: usize) -> Option<Heard> {
        if self.waiting.len() < length {
            return None;
        }
        let result = self.waiting.drain(..length).collect();
        (self.length, self.state) = (None, Listening::Acknowledged);
        Some(Heard::Result(result))
    }

    fn waits_for_recovery(&mut self) -> Option<Heard> {
        if !self.recovers {
            self.waiting = Vec::new();
            return None;
        }
        // A line of its own, or the very first of what made no sense: then it was said once too often.
        let begins = |at: usize| at == 0 || self.waiting[at - 1] == b'\n';
        let words = self.waiting.windows(READY.len()).enumerate();
        let found = words.filter(|(_, word)| *word == READY).map(|(at, _)| at).find(|at| begins(*at));
        let Some(at) = found else {
            // What may be the beginning of the word stays, with the last byte before it; not the word itself, which was none.
            let kept = if self.waiting.ends_with(READY) { 1 } else { READY.len() };
            self.waiting.drain(..self.waiting.len().saturating_sub(kept));
            return None;
        };
        self.waiting.drain(..at + READY.len());
        self.state = Listening::Ready;
        Some(Heard::Recovered)
    }

    fn bad_line(&mut self, end: usize) -> Heard {
        let line = self.waiting[..end].to_vec();
        self.nonsense();
        Heard::BadLine(line)
    }

    /// What it says from here on is only looked through for the word that ends this.
    fn nonsense(&mut self) -> Heard {
        (self.state, self.length) = (Listening::Unknown, None);
        Heard::Nonsense
    }
}

/// As Python reads a number, and one that can be a length.
fn length(text: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?.trim();
    // `1_000` is a number, as long as the line is between digits.
    let between_digits = |at: usize| {
        let bytes = text.as_bytes();
        at > 0 && bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
    };
    if text.match_indices('_').any(|(at, _)| !between_digits(at)) {
        return None;
    }
    let number: usize = text.replace('_', "").parse().ok()?;
    (number <= LONGEST_RESULT).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Listening::*;

    /// What is heard of these pieces; `!` alone is the supervisor, who tells it something.
    fn heard(recovers: bool, pieces: &[&str]) -> (Vec<String>, Listening) {
        let (mut ear, mut all) = (Ear::new(recovers), Vec::new());
        for piece in pieces {
            match *piece {
                "!" => ear.is_told(),
                said => ear.hear(said.as_bytes(), |heard| {
                    let makes_sense = heard != Heard::Result(b"??".to_vec());
                    all.push(match heard {
                        Heard::Result(bytes) => format!("result {}", String::from_utf8_lossy(&bytes)),
                        Heard::BadLine(line) => format!("bad {}", String::from_utf8_lossy(&line)),
                        other => format!("{other:?}").to_lowercase(),
                    });
                    makes_sense
                }),
            }
        }
        (all, ear.state())
    }

    #[track_caller]
    fn says(pieces: &[&str], wanted: &str, state: Listening) {
        for recovers in [false, true] {
            let (all, then) = heard(recovers, pieces);
            assert_eq!((all.join(", ").as_str(), then), (wanted, state), "{pieces:?}");
        }
    }

    #[test]
    fn a_header_has_its_tokens_in_order_and_the_length_in_the_unit_that_is_asked_for() {
        let header = Header {
            server: "supervisor",
            serial: 21,
            pool: "p",
            pool_serial: 10,
            event: EventType::RemoteCommunication,
        };
        let wanted =
            "ver:3.0 server:supervisor serial:21 pool:p poolserial:10 eventname:REMOTE_COMMUNICATION len:";
        for (unit, length) in [(Unit::Bytes, 13), (Unit::Characters, 12)] {
            let mut message = Vec::new();
            header.write("type:a\nh\u{e9}llo", unit, &mut message);
            let message = String::from_utf8(message).unwrap();
            assert_eq!(message, format!("{wanted}{length}\ntype:a\nh\u{e9}llo"));
        }
    }

    #[test]
    fn a_listener_in_order_is_understood_in_any_pieces() {
        says(&["READY\n", "!", "RESULT 2\nOK", "READY\n"], "ready, result OK, ready", Ready);
        says(&["READY\n", "!", "RESULT 4\nFAILREADY\n"], "ready, result FAIL, ready", Ready);
        says(&["REA", "DY", "\n", "!", "RES", "ULT 2", "\nO", "K"], "ready, result OK", Acknowledged);
        says(&["READY\n", "!", "RESULT 0\n"], "ready, result ", Acknowledged);
        says(&["READY\n", "!", "RESULT  2 \nOK"], "ready, result OK", Acknowledged);
        says(&["READY\n", "!", "RESULT +0_2\nOK"], "ready, result OK", Acknowledged);
        says(&["READY\n", "!", "anything2\nOK"], "ready, bad anything2", Unknown);
        says(&["READY\n", "!", "nothing2\nOK"], "ready, result OK", Acknowledged);
        says(&["READY\n", "!", "RESULT 2\n"], "ready", Busy);
        says(&["hello"], "", Acknowledged);
    }

    #[test]
    fn nonsense_is_the_end_with_supervisor() {
        says(&["hello!"], "nonsense", Unknown);
        says(&["READY\n", "x"], "ready, nonsense", Unknown);
        for line in [
            "RESULT x",
            "RESULT ",
            "short",
            "RESULT -1",
            "RESULT _2",
            "RESULT 2_",
            "RESULT 0__2",
            "RESULT 99999999999",
            "",
        ] {
            says(&["READY\n", "!", &format!("{line}\nOK")], &format!("ready, bad {line}"), Unknown);
        }
        let (all, state) = heard(false, &["READY\nREADY\n", "READY\n"]);
        assert_eq!((all.join(", ").as_str(), state), ("ready, nonsense", Unknown));
    }

    #[test]
    fn who_may_recover_does_with_a_line_of_its_own() {
        for (pieces, wanted, state) in [
            (&["READY\nREADY\n"][..], "ready, nonsense, recovered", Ready),
            (&["garbage\n", "READY\n"], "nonsense, recovered", Ready),
            (&["garbage\nREADY\n"], "nonsense, recovered", Ready),
            (&["garbage\nRE", "AD", "Y\n"], "nonsense, recovered", Ready),
            (&["garbage, READY\n"], "nonsense", Unknown),
            (&["garbage, READY\n", "not READY\nREADY\n"], "nonsense, recovered", Ready),
            (&["READY\n", "!", "RESULT x\nREADY\n", "!"], "ready, bad RESULT x, recovered", Busy),
            (&["garbage\nREADY\nmore"], "nonsense, recovered, nonsense", Unknown),
        ] {
            let (all, then) = heard(true, pieces);
            assert_eq!((all.join(", ").as_str(), then), (wanted, state), "{pieces:?}");
        }
    }

    #[test]
    fn a_result_that_nobody_understands_is_nonsense() {
        says(&["READY\n", "!", "RESULT 2\n??"], "ready, result ??", Unknown);
        let (all, state) = heard(false, &["READY\n", "!", "RESULT 2\n??READY\n"]);
        assert_eq!((all.join(", ").as_str(), state), ("ready, result ??", Unknown));
        let (all, state) = heard(true, &["READY\n", "!", "RESULT 2\n??READY\n"]);
        assert_eq!((all.join(", ").as_str(), state), ("ready, result ??, recovered", Ready));
    }

    #[test]
    fn somebody_else_goes_on_where_one_has_stopped() {
        let mut ear = Ear::new(false);
        ear.hear(READY, |_| true);
        ear.is_told();
        ear.hear(b"RESULT 4\nFA", |heard| panic!("{heard:?}"));
        assert_eq!((ear.state(), ear.length(), ear.waiting()), (Busy, Some(4), 2));
        let mut next = Ear::resume(ear.state(), ear.length(), false);
        let mut all = Vec::new();
        next.hear(b"FAILREADY\n", |heard| {
            all.push(heard);
            true
        });
        assert_eq!(all, [Heard::Result(b"FAIL".to_vec()), Heard::Ready]);
        next.is_told();
        next.is_not_told();
        assert_eq!(next.state(), Ready);
    }

    #[test]
    fn one_who_talks_without_end_takes_no_memory() {
        let flood = vec![b'x'; 1 << 20];
        for recovers in [false, true] {
            let mut ear = Ear::new(recovers);
            ear.hear(READY, |_| true);
            ear.is_told();
            let mut lines = Vec::new();
            ear.hear(&flood, |heard| {
                lines.push(heard);
                true
            });
            assert_eq!(lines, [Heard::BadLine(vec![b'x'; LONGEST_LINE])]);
            ear.hear(&flood, |heard| panic!("{heard:?}"));
            assert!(ear.waiting.len() <= READY.len(), "{}", ear.waiting.len());
        }
    }
}
