//! `strip_ansi`: terminal sequences out of a program's output (SPEC 4.2).
//!
//! A sequence is `ESC [` and all up to the next byte that Supervisor takes for the last of one. Where reads happen to cut the
//! stream makes no difference. What has no such end within [`LONGEST`] bytes is no sequence but text, and stays: so no program can
//! make its own output vanish, and what waits in memory for its end is short. Other escapes stay, as ever.

use memchr::memchr;

const ESCAPE: u8 = 0x1b;

/// A colour of the text, one of the ground and one of the line under it, all in full, with attributes, take about 70.
pub(super) const LONGEST: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Strip {
    /// The beginning of what may be a sequence, at the end of what has come; shorter than [`LONGEST`].
    held: Vec<u8>,
}

impl Strip {
    /// Appends what stays of the bytes to `out`.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.held.is_empty() {
            self.scan(bytes, out);
        } else {
            // At most once a chunk, and a copy of a chunk is cheap.
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(bytes);
            self.scan(&joined, out);
        }
    }

    /// Nothing will follow: what has begun is no sequence.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        out.append(&mut std::mem::take(&mut self.held));
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    fn scan(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut at = 0;
        // Where the next last byte of a sequence is; looked for when it is needed, and each byte once.
        let mut last = 0;
        while let Some(text) = memchr(ESCAPE, &bytes[at..]) {
            let begin = at + text;
            out.extend_from_slice(&bytes[at..begin]);
            if last <= begin {
                last = begin
                    + bytes[begin..].iter().position(|byte| is_last(*byte)).unwrap_or(bytes.len() - begin);
            }
            match beginning(&bytes[begin..], last - begin) {
                Beginning::Sequence => at = last + 1,
                Beginning::Text => {
                    out.push(ESCAPE);
                    at = begin + 1;
                }
                Beginning::Undecided => {
                    self.held.extend_from_slice(&bytes[begin..]);
                    return;
                }
            }
        }
        out.extend_from_slice(&bytes[at..]);
    }
}

enum Beginning {
    Sequence,
    Text,
    Undecided,
}

/// What bytes begin with that begin with ESC; `last` is where the first one is that could end a sequence, or behind them all.
fn beginning(bytes: &[u8], last: usize) -> Beginning {
    match bytes.get(1) {
        None => Beginning::Undecided,
        Some(b'[') if last >= LONGEST => Beginning::Text,
        Some(b'[') if last == bytes.len() => Beginning::Undecided,
        Some(b'[') => Beginning::Sequence,
        Some(_) => Beginning::Text,
    }
}

/// Supervisor's list. Other letters end a sequence too for a terminal, but a log that was the same for years should stay so.
const fn is_last(byte: u8) -> bool {
    matches!(
        byte,
        b'A' | b'B'
            | b'C'
            | b'D'
            | b'H'
            | b'J'
            | b'K'
            | b'R'
            | b'f'
            | b'h'
            | b'l'
            | b'm'
            | b'p'
            | b's'
            | b'u'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(chunks: &[&[u8]]) -> String {
        let (mut strip, mut out) = (Strip::default(), Vec::new());
        for chunk in chunks {
            strip.take(chunk, &mut out);
            assert!(strip.held() < LONGEST);
        }
        strip.end(&mut out);
        assert_eq!(strip.held(), 0);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn colours_go_and_words_stay() {
        assert_eq!(stripped(&[b"a \x1b[1;31mred\x1b[0m word\x1b[2K\n"]), "a red word\n");
        assert_eq!(stripped(&[b"\x1b[m"]), "");
        assert_eq!(stripped(&[b"no escape at all"]), "no escape at all");
    }

    #[test]
    fn a_sequence_may_be_cut_anywhere() {
        let whole = b"x\x1b[38;2;1;2;3my\x1b[0mz";
        for at in 0..whole.len() {
            let (left, right) = whole.split_at(at);
            assert_eq!(stripped(&[left, right]), "xyz", "cut at {at}");
        }
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(stripped(&single), "xyz");
    }

    #[test]
    fn other_escapes_are_text() {
        assert_eq!(stripped(&[b"\x1b]0;title\x07 \x1b(B \x1b\x1b[1mx"]), "\x1b]0;title\x07 \x1b(B \x1bx");
    }

    #[test]
    fn what_never_ends_is_text() {
        let digits = "1".repeat(LONGEST);
        let text = format!("\x1b[{digits}\x1b[1mx");
        assert_eq!(stripped(&[text.as_bytes()]), format!("\x1b[{digits}x"));
        assert_eq!(stripped(&[b"end \x1b[12"]), "end \x1b[12");
        assert_eq!(stripped(&[b"end \x1b"]), "end \x1b");
    }

    #[test]
    fn the_bound_is_where_it_says() {
        let longest = format!("\x1b[{}m", "1".repeat(LONGEST - 3));
        assert_eq!(longest.len(), LONGEST);
        assert_eq!(stripped(&[longest.as_bytes()]), "");
        let longer = format!("\x1b[{}m", "1".repeat(LONGEST - 2));
        assert_eq!(stripped(&[longer.as_bytes()]), longer);
        let (left, right) = longer.as_bytes().split_at(LONGEST - 1);
        assert_eq!(stripped(&[left, right]), longer);
    }
}
