//! What is done only where a person looks at a screen: colours, and keeping what others wrote from steering the terminal.
//!
//! In: which of the streams is a terminal, and the environment. Nothing here ever touches what goes into a pipe: there the
//! bytes are Supervisor's, and the daemon's. That somebody is kept waiting is shown in `progress.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Which of the two streams are terminals, and what may be done there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Somebody sees what is told.
    pub(crate) output: bool,
    /// Somebody sees hints.
    pub(crate) errors: bool,
    has_colours: bool,
    /// The cursor can be moved, and lines be erased.
    is_lively: bool,
}

impl Terminal {
    /// `NO_COLOR`, set to anything, and `TERM=dumb` are obeyed. What would force colours into a pipe is not.
    pub(crate) fn new(output: bool, errors: bool, env: &BTreeMap<String, String>) -> Terminal {
        let set = |name: &str| env.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let is_lively = set("TERM").is_some_and(|term| term != "dumb");
        Terminal { output, errors, has_colours: output && is_lively && set("NO_COLOR").is_none(), is_lively }
    }

    /// The name of a state, in its colour where there are colours.
    pub(crate) fn state<'a>(&self, state: &'a str) -> Cow<'a, str> {
        let colour = match state {
            "RUNNING" => 32,
            "STARTING" | "STOPPING" | "BACKOFF" => 33,
            "FATAL" | "UNKNOWN" => 31,
            other => return self.shown(other),
        };
        if self.has_colours { format!("\x1b[{colour}m{state}\x1b[m").into() } else { state.into() }
    }

    /// A line on stderr that comes, changes and goes.
    pub(crate) fn shows_progress(&self) -> bool {
        self.errors && self.is_lively
    }

    /// A line of text by others, as it is shown on stdout.
    pub(crate) fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.output { plain(text) } else { text.into() }
    }

    /// The same on stderr: names of files and sections are others' too.
    pub(crate) fn shown_aside<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.errors { plain(text) } else { text.into() }
    }
}

/// The same text with every control character but tab and line end made visible: `^[` is an escape.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(controls) {
        return text.into();
    }
    let mut tame = String::with_capacity(text.len() + 8);
    text.chars().for_each(|char| push_visible(&mut tame, char));
    tame.into()
}

/// Whether a terminal takes it for more than a letter.
pub(crate) fn controls(char: char) -> bool {
    // Those that change the direction of what follows make a line read as another one.
    let turns = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (char.is_control() && !matches!(char, '\n' | '\t')) || turns
}

/// A word of a command that is shown to be typed, or copied: quoted where a shell would take it for more than a word.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |char: char| char.is_alphanumeric() || "_.:/@%+,=-".contains(char);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', r"'\''")).into(),
    }
}

fn push_visible(text: &mut String, char: char) {
    match char {
        _ if !controls(char) => text.push(char),
        '\0'..='\u{1f}' => {
            text.push('^');
            text.push(char::from(char as u8 + 0x40));
        }
        '\u{7f}' => text.push_str("^?"),
        _ => text.push_str(&format!("<U+{:04X}>", u32::from(char))),
    }
}

/// The log of a program on its way to a screen, in pieces that are cut anywhere. Colours may pass, as programs write
/// them for people; whatever else would steer the terminal becomes visible.
#[derive(Debug, Default)]
pub(crate) struct Tame {
    /// The beginning of a letter or of an escape sequence, whose end has not come.
    held: Vec<u8>,
    is_coloured: bool,
}

/// No sequence that sets colours is longer.
const LONGEST: usize = 64;

impl Tame {
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let (text, cut) = letters(&held);
        let mut tame = String::with_capacity(text.len());
        let mut rest = text.as_ref();
        while let Some(at) = rest.find(controls) {
            tame.push_str(&rest[..at]);
            rest = &rest[at..];
            match Colour::at(rest) {
                Colour::Whole(length) => {
                    self.is_coloured = true;
                    tame.push_str(&rest[..length]);
                    rest = &rest[length..];
                }
                // Its end may be on its way, and so are the bytes behind it that are no letter yet.
                Colour::Begun => {
                    self.held = [rest.as_bytes(), cut].concat();
                    return tame;
                }
                Colour::None => {
                    let char = rest.chars().next().unwrap_or_default();
                    // Lines of other systems end in both.
                    if !rest.starts_with("\r\n") {
                        push_visible(&mut tame, char);
                    }
                    rest = &rest[char.len_utf8()..];
                }
            }
        }
        tame.push_str(rest);
        self.held = cut.to_vec();
        tame
    }

    /// What is still held is what it looks like. Colours end here.
    pub(crate) fn end(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let reset = if self.is_coloured { "\x1b[m" } else { "" };
        plain(&String::from_utf8_lossy(&held)).into_owned() + reset
    }
}

/// What is no letter becomes a mark; a letter that is cut at the end is left over.
pub(crate) fn letters(bytes: &[u8]) -> (Cow<'_, str>, &[u8]) {
    let cut = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // Behind a wrong byte there may be one more, which is cut.
        Err(_) => (bytes.len().saturating_sub(3)..bytes.len())
            .find(|&at| {
                std::str::from_utf8(&bytes[at..])
                    .is_err_and(|error| error.error_len().is_none() && error.valid_up_to() == 0)
            })
            .unwrap_or(bytes.len()),
        Ok(_) => bytes.len(),
    };
    (String::from_utf8_lossy(&bytes[..cut]), &bytes[cut..])
}

/// `ESC [ numbers m`, at the beginning of a text.
#[derive(Debug, PartialEq, Eq)]
enum Colour {
    Whole(usize),
    Begun,
    None,
}

impl Colour {
    fn at(text: &str) -> Colour {
        let Some(inside) = text.strip_prefix("\x1b[") else {
            // Behind a carriage return a line end may come, and then the two are one.
            return if text == "\x1b" || text == "\r" { Colour::Begun } else { Colour::None };
        };
        match inside.find(|char: char| !char.is_ascii_digit() && char != ';') {
            Some(end) if inside[end..].starts_with('m') && !hides(&inside[..end]) => {
                Colour::Whole("\x1b[".len() + end + 1)
            }
            None if inside.len() < LONGEST => Colour::Begun,
            _ => Colour::None,
        }
    }
}

/// Text that nobody can see is not shown in that way.
fn hides(numbers: &str) -> bool {
    numbers.split(';').any(|number| number.trim_start_matches('0') == "8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(output: bool, env: &[(&str, &str)]) -> Terminal {
        let env = env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Terminal::new(output, output, &env)
    }

    #[test]
    fn colours_are_for_screens_whose_owner_wants_them() {
        let coloured = "\x1b[32mRUNNING\x1b[m";
        assert_eq!(terminal(true, &[("TERM", "xterm")]).state("RUNNING"), coloured);
        assert_eq!(terminal(true, &[("TERM", "xterm"), ("NO_COLOR", "")]).state("RUNNING"), coloured);
        for env in [&[("TERM", "dumb")][..], &[], &[("TERM", "xterm"), ("NO_COLOR", "1")]] {
            assert_eq!(terminal(true, env).state("RUNNING"), "RUNNING", "{env:?}");
        }
        let forced = [("TERM", "xterm"), ("CLICOLOR_FORCE", "1")];
        assert_eq!(terminal(false, &forced).state("RUNNING"), "RUNNING");
        assert_eq!(terminal(true, &forced).state("STOPPED"), "STOPPED");
    }

    #[test]
    fn what_would_steer_the_terminal_is_made_visible() {
        assert_eq!(plain("grün\tweb\n"), "grün\tweb\n");
        assert_eq!(plain("a\x1b]0;title\x07\x7f\u{9b}2J"), "a^[]0;title^G^?<U+009B>2J");
        assert_eq!(plain("a\u{202e}b\r"), "a<U+202E>b^M");
        let pipe = terminal(false, &[]);
        assert_eq!(pipe.shown("a\x1b[2J"), "a\x1b[2J");
        assert_eq!(terminal(true, &[]).shown("a\x1b[2J"), "a^[[2J");
    }

    #[test]
    fn logs_keep_their_colours_however_they_are_cut() {
        let log = "\x1b[1;31mgrün\x1b[m\r\n\x1b[2Jx\x1b]0;t\x07\x1b[8mhidden\x1b[0m\n".as_bytes();
        let wanted = "\x1b[1;31mgrün\x1b[m\n^[[2Jx^[]0;t^G^[[8mhidden\x1b[0m\n";
        for size in [1, 2, 3, 5, log.len()] {
            let mut tame = Tame::default();
            let shown: String = log.chunks(size).map(|piece| tame.pass(piece)).collect();
            assert_eq!(shown, wanted, "in pieces of {size}");
            assert_eq!(tame.end(), "\x1b[m");
        }
    }

    #[test]
    fn what_never_ends_is_not_held_for_ever() {
        let mut tame = Tame::default();
        let digits = "1".repeat(LONGEST);
        assert_eq!(tame.pass(format!("\x1b[{digits}").as_bytes()), format!("^[[{digits}"));
        assert_eq!(tame.pass(b"a\xff\xc3"), "a\u{fffd}");
        assert_eq!(tame.pass(b"\xbc\x1b["), "ü");
        assert_eq!(tame.end(), "^[[");
    }
}
