//! Cuts a program's output into lines, for sinks that want whole ones.
//!
//! In: chunks, cut anywhere. Out: lines without their newline. A line within one chunk is not copied; one that is not finished
//! waits, at most [`LONGEST`] bytes of it. A longer one comes in pieces, which depend on the line alone and not on how it
//! was read. Carriage returns are bytes like others here.

use memchr::memchr;

/// A line of this many bytes is still whole.
pub(in crate::logs) const LONGEST: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(in crate::logs) struct Lines {
    /// The beginning of a line; no allocation while there is none.
    held: Vec<u8>,
    /// What comes next goes on a line of which a piece has been given.
    continues: bool,
}

/// A line, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) struct Line<'a> {
    /// Without the newline.
    pub(in crate::logs) text: &'a [u8],
    /// Whether the newline followed.
    pub(in crate::logs) is_whole: bool,
    /// Whether it goes on a line that was cut.
    pub(in crate::logs) continues: bool,
}

type Each<'a> = &'a mut dyn FnMut(Line<'_>);

impl Lines {
    pub(in crate::logs) fn take(&mut self, bytes: &[u8], each: Each<'_>) {
        let mut rest = bytes;
        while let Some(at) = memchr(b'\n', rest) {
            let last = self.cut_long(&rest[..at], each);
            if self.held.is_empty() {
                self.give(last, true, each);
            } else {
                self.held.extend_from_slice(last);
                self.give_held(true, each);
            }
            rest = &rest[at + 1..];
        }
        let rest = self.cut_long(rest, each);
        self.held.extend_from_slice(rest);
    }

    /// The pipe has ended, or nobody wants to wait any longer: what has come of a line is given as it is. More of it would continue it.
    pub(in crate::logs) fn end(&mut self, each: Each<'_>) {
        if !self.held.is_empty() {
            self.give_held(false, each);
        }
    }

    /// Bytes held in memory now.
    #[cfg(any(test, fuzzing))]
    pub(in crate::logs) fn held(&self) -> usize {
        self.held.len()
    }

    /// Gives pieces of a line, as long as there is more of it than may wait. What is left fits behind what is held.
    fn cut_long<'a>(&mut self, mut text: &'a [u8], each: Each<'_>) -> &'a [u8] {
        while self.held.len() + text.len() > LONGEST {
            if self.held.is_empty() {
                let (piece, more) = text.split_at(cut(text));
                self.give(piece, false, each);
                text = more;
            } else {
                // One byte more than may wait, so that one sees whether it would part a character.
                let (more, later) = text.split_at(LONGEST + 1 - self.held.len());
                self.held.extend_from_slice(more);
                text = later;
                let left = self.held.split_off(cut(&self.held));
                self.give_held(false, each);
                self.held = left;
            }
        }
        text
    }

    fn give_held(&mut self, is_whole: bool, each: Each<'_>) {
        let held = std::mem::take(&mut self.held);
        self.give(&held, is_whole, each);
    }

    fn give(&mut self, text: &[u8], is_whole: bool, each: Each<'_>) {
        each(Line { text, is_whole, continues: self.continues });
        self.continues = !is_whole;
    }
}

/// Where a text longer than [`LONGEST`] is cut: there, or up to three bytes before, if that would part a character.
fn cut(text: &[u8]) -> usize {
    let begins_here = |at: &usize| text[*at] & 0xc0 != 0x80;
    (LONGEST - 3..=LONGEST).rev().find(begins_here).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, is_whole, continues.
    type Given = (String, bool, bool);

    fn given(chunks: &[&[u8]]) -> Vec<Given> {
        let (mut lines, mut given) = (Lines::default(), Vec::new());
        let mut each = |line: Line<'_>| {
            given.push((String::from_utf8(line.text.to_vec()).unwrap(), line.is_whole, line.continues));
        };
        for chunk in chunks {
            lines.take(chunk, &mut each);
            assert!(lines.held() <= LONGEST);
        }
        lines.end(&mut each);
        assert_eq!(lines.held(), 0);
        given
    }

    fn whole(text: &str) -> Given {
        (text.to_owned(), true, false)
    }

    #[test]
    fn lines_are_cut_at_newlines_however_they_come() {
        let expected = [whole("one"), whole(""), whole("two\r"), ("three".to_owned(), false, false)];
        let text = b"one\n\ntwo\r\nthree";
        assert_eq!(given(&[text]), expected);
        for at in 0..text.len() {
            assert_eq!(given(&[&text[..at], &text[at..]]), expected, "cut at {at}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(given(&single), expected);
    }

    #[test]
    fn nothing_waits_between_lines() {
        let mut lines = Lines::default();
        lines.take(b"half", &mut |_| {});
        assert_eq!(lines.held(), 4);
        lines.take(b" whole\n", &mut |_| {});
        assert_eq!((lines.held(), lines.held.capacity()), (0, 0));
    }

    #[test]
    fn the_longest_line_is_whole_and_a_longer_one_is_not() {
        let longest = "x".repeat(LONGEST);
        assert_eq!(given(&[longest.as_bytes(), b"\n"]), [whole(&longest)]);
        let pieces = [(longest.clone(), false, false), ("y".to_owned(), true, true), whole("z")];
        assert_eq!(given(&[longest.as_bytes(), b"y\nz\n"]), pieces);
        assert_eq!(given(&[format!("{longest}y\nz\n").as_bytes()]), pieces);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let text = format!("x{}\n", "é".repeat(LONGEST));
        let pieces = given(&[text.as_bytes()]);
        assert_eq!(pieces.iter().map(|piece| piece.0.len()).collect::<Vec<_>>(), [65535, 65534 + 2, 2]);
        for size in [1, 1000, LONGEST - 1, LONGEST, LONGEST + 1] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert!(given(&chunks) == pieces, "in chunks of {size}");
        }
        let back: String = pieces.iter().map(|piece| piece.0.as_str()).collect();
        assert_eq!(back, text.trim_end());
    }

    #[test]
    fn whoever_does_not_want_to_wait_gets_the_rest_as_a_continuation() {
        let (mut lines, mut given) = (Lines::default(), Vec::new());
        let mut each = |line: Line<'_>| given.push((line.text.to_vec(), line.is_whole, line.continues));
        lines.take(b"name: ", &mut each);
        lines.end(&mut each);
        lines.end(&mut each);
        lines.take(b"joe\nnext\n", &mut each);
        let expected = [("name: ", false, false), ("joe", true, true), ("next", true, false)];
        assert_eq!(given, expected.map(|(text, a, b)| (text.as_bytes().to_vec(), a, b)));
    }
}
