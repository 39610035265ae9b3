//! Capture mode: finds the tokens in a program's output and keeps what stands between them (SPEC 4.5).
//!
//! In: chunks, cut anywhere. Out: text, and where a token was; the tokens themselves go. Between them only END is looked for,
//! outside only BEGIN, so a second BEGIN is part of the message and a stray END part of the log, as in Supervisor. Nothing but what
//! may be the first bytes of a token waits for the next chunk, where Supervisor holds back, and at the end loses, short output.

use std::collections::VecDeque;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::memrchr;

pub(super) const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
const END: &[u8] = b"<!--XSUPERVISOR:END-->";

static FIND_BEGIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BEGIN));
static FIND_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(END));

/// Supervisor reads no more than this at once, so no more than this can be one chunk of a message.
pub(super) const READ: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Capture {
    most: usize,
    is_within: bool,
    /// So many bytes of the token that is looked for were the last that came.
    matched: usize,
    message: VecDeque<u8>,
}

/// What comes next in the output.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut<'a> {
    Text(&'a [u8]),
    /// What follows is part of a message.
    Begin,
    /// The message is complete.
    End,
}

impl Capture {
    pub(super) fn new(most: usize) -> Capture {
        Capture { most, is_within: false, matched: 0, message: VecDeque::new() }
    }

    /// Whether text is now part of a message.
    pub(super) fn is_within(&self) -> bool {
        self.is_within
    }

    /// Takes the next piece off the chunk; nothing when it is used up.
    pub(super) fn cut<'a>(&mut self, rest: &mut &'a [u8]) -> Option<Cut<'a>> {
        if rest.is_empty() {
            return None;
        }
        if self.matched > 0 {
            return self.go_on(rest);
        }
        let (token, finder) = if self.is_within { (END, &FIND_END) } else { (BEGIN, &FIND_BEGIN) };
        let at = finder.find(rest);
        if at == Some(0) {
            *rest = &rest[token.len()..];
            return Some(self.turn());
        }
        let (text, after) = rest.split_at(at.unwrap_or_else(|| rest.len() - prefix_at_end(rest, token)));
        *rest = after;
        if at.is_none() {
            self.matched = after.len();
            *rest = &[];
        }
        (!text.is_empty()).then_some(Cut::Text(text))
    }

    /// The pipe has ended: what looked like a token is none.
    pub(super) fn rest(&mut self) -> &'static [u8] {
        &self.token()[..std::mem::take(&mut self.matched)]
    }

    /// Adds a chunk to the message. As in Supervisor, one for which there is no room drives out as many bytes as it has itself, and
    /// one that alone is too large is kept whole.
    pub(super) fn keep(&mut self, chunk: &[u8]) {
        for part in chunk.chunks(READ) {
            if self.message.len() + part.len() > self.most {
                self.message.drain(..part.len().min(self.message.len()));
            }
            self.message.extend(part);
        }
    }

    /// The message, which begins anew.
    pub(super) fn take_message(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.message).into()
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> usize {
        self.message.len() + self.matched
    }

    /// Where the last chunk ended with what may become a token.
    fn go_on<'a>(&mut self, rest: &mut &'a [u8]) -> Option<Cut<'a>> {
        let missing = &self.token()[self.matched..];
        let same = missing.iter().zip(*rest).take_while(|(wanted, got)| wanted == got).count();
        if same == missing.len() {
            *rest = &rest[same..];
            Some(self.turn())
        } else if same == rest.len() {
            self.matched += same;
            *rest = &[];
            None
        } else {
            Some(Cut::Text(self.rest()))
        }
    }

    fn turn<'a>(&mut self) -> Cut<'a> {
        self.matched = 0;
        self.is_within = !self.is_within;
        if self.is_within { Cut::Begin } else { Cut::End }
    }

    fn token(&self) -> &'static [u8] {
        if self.is_within { END } else { BEGIN }
    }
}

/// How many bytes at the end are the first ones of the token, of which some are missing.
fn prefix_at_end(bytes: &[u8], token: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(token.len() - 1)..];
    // A token has one `<`, its first byte; so only the last one can begin it, and no part of it begins another.
    match memrchr(b'<', tail) {
        Some(at) if token.starts_with(&tail[at..]) => tail.len() - at,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(capture: &mut Capture, chunk: &[u8]) -> String {
        let (mut rest, mut seen) = (chunk, String::new());
        while let Some(cut) = capture.cut(&mut rest) {
            seen += &match cut {
                Cut::Text(text) => String::from_utf8_lossy(text).into_owned(),
                Cut::Begin => "(".to_owned(),
                Cut::End => ")".to_owned(),
            };
        }
        seen
    }

    #[test]
    fn a_token_has_one_byte_that_can_begin_it() {
        for token in [BEGIN, END] {
            assert_eq!(token.iter().rposition(|byte| *byte == b'<'), Some(0));
        }
    }

    #[test]
    fn tokens_are_found_however_they_are_cut() {
        let whole = b"a<!--XSUPERVISOR:BEGIN-->b<!--XSUPERVISOR:END-->c";
        for first in 0..whole.len() {
            for second in first..whole.len() {
                let mut capture = Capture::new(100);
                let mut seen = cuts(&mut capture, &whole[..first]);
                seen += &cuts(&mut capture, &whole[first..second]);
                seen += &cuts(&mut capture, &whole[second..]);
                assert_eq!(seen, "a(b)c", "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_token_is_text() {
        let mut capture = Capture::new(100);
        assert_eq!(cuts(&mut capture, b"a<<!--XSUPERVISOR:BEG"), "a<");
        assert_eq!(capture.held(), 19);
        assert_eq!(cuts(&mut capture, b"<!--XSUPERVISOR:E"), "<!--XSUPERVISOR:BEG<!--XSUPERVISOR:E");
        assert_eq!(cuts(&mut capture, b"<!"), "");
        assert_eq!(capture.rest(), b"<!");
        assert_eq!(capture.rest(), b"");
    }

    #[test]
    fn the_wrong_token_is_text() {
        let mut capture = Capture::new(100);
        assert_eq!(cuts(&mut capture, b"<!--XSUPERVISOR:END-->"), "<!--XSUPERVISOR:END-->");
        let nested = b"<!--XSUPERVISOR:BEGIN-->x<!--XSUPERVISOR:BEGIN-->";
        assert_eq!(cuts(&mut capture, nested), "(x<!--XSUPERVISOR:BEGIN-->");
    }

    #[test]
    fn a_message_drives_its_own_beginning_out() {
        let mut capture = Capture::new(10);
        capture.keep(b"01234567");
        capture.keep(b"89");
        assert_eq!(capture.held(), 10);
        capture.keep(b"abc");
        assert_eq!(capture.take_message(), b"3456789abc");
        capture.keep(b"012345678");
        capture.keep(b"abcdef");
        assert_eq!(capture.take_message(), b"678abcdef");
        capture.keep(b"0");
        capture.keep(b"longer than all that there is room for");
        assert_eq!(capture.take_message(), b"longer than all that there is room for");
        capture.keep(&[b'x'; READ + 1]);
        assert_eq!(capture.held(), READ, "no read is longer");
    }
}
