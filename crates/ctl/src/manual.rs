//! What there is to know of a verb: its name, its forms and flags, and what kind of words it takes.
//!
//! Data, and its text for `help`. The manual page, the reference and completion are made from the same pages; what a verb
//! does is not known here.

use std::fmt::Write;

/// All that is said of one verb.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) name: &'static str,
    /// Other words for the same.
    pub(crate) also: &'static [&'static str],
    /// How it is called, and what it does then.
    pub(crate) forms: &'static [(&'static str, &'static str)],
    pub(crate) flags: &'static [Flag],
    /// More than fits into a line: sentences, or nothing.
    pub(crate) about: &'static str,
    pub(crate) takes: Takes,
    /// Needs neither a daemon nor a configuration, and looks at none.
    pub(crate) is_alone: bool,
}

/// A word that begins with two dashes, and is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag {
    /// With its dashes.
    pub(crate) name: &'static str,
    /// What its value is called, if it has one.
    pub(crate) value: Option<&'static str>,
    pub(crate) does: &'static str,
}

/// What kind of words a verb takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// One.
    Process,
    Processes,
    Groups,
    SignalAndProcesses,
    /// A process, and one of these words.
    ProcessThen(&'static [&'static str]),
    /// Processes, and behind them one of these words.
    ProcessesThen(&'static [&'static str]),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A verb.
    Topic,
    /// Whatever nobody can guess.
    Words,
}

/// The flag that every verb has.
pub(crate) const JSON: Flag = Flag { name: "--json", value: None, does: "Answer with one JSON document." };

impl Page {
    pub(crate) const fn new(
        name: &'static str,
        takes: Takes,
        forms: &'static [(&'static str, &'static str)],
    ) -> Page {
        Page { name, also: &[], forms, flags: &[], about: "", takes, is_alone: false }
    }

    pub(crate) const fn flags(self, flags: &'static [Flag]) -> Page {
        Page { flags, ..self }
    }

    pub(crate) const fn about(self, about: &'static str) -> Page {
        Page { about, ..self }
    }

    pub(crate) const fn alone(self) -> Page {
        Page { is_alone: true, ..self }
    }

    /// The flag of this name, one that every verb has among them.
    pub(crate) fn flag(&self, name: &str) -> Option<&'static Flag> {
        self.flags.iter().chain([&JSON]).find(|flag| flag.name == name)
    }

    /// What `help NAME` shows, without the last line end.
    pub(crate) fn usage(&self) -> String {
        let mut text = String::new();
        for (synopsis, does) in self.forms {
            entry(&mut text, synopsis, does, COLUMN);
        }
        for flag in self.flags {
            entry(&mut text, &format!("  {}", flag.synopsis()), flag.does, COLUMN);
        }
        if !self.also.is_empty() {
            entry(&mut text, &format!("  also: {}", self.also.join(", ")), "The same.", COLUMN);
        }
        for line in self.about.lines().flat_map(|paragraph| wrapped(paragraph, WIDTH)) {
            let _ = writeln!(text, "{line}");
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl Flag {
    /// With what its value is called.
    pub(crate) fn synopsis(&self) -> String {
        self.value.map_or(self.name.to_owned(), |value| format!("{} {value}", self.name))
    }
}

/// Where the second column begins.
const COLUMN: usize = 26;
/// The last column of a terminal stays empty.
pub(crate) const WIDTH: usize = 79;

/// One line of two columns, or more where the second is long.
pub(crate) fn entry(text: &mut String, first: &str, does: &str, column: usize) {
    let first = first.trim_end();
    // A long one stands alone.
    let is_long = first.len() + 2 > column;
    if is_long {
        let _ = writeln!(text, "{first}");
    }
    for (at, line) in wrapped(does, WIDTH - column).iter().enumerate() {
        let begin = if at == 0 && !is_long { first } else { "" };
        let _ = writeln!(text, "{begin:column$}{line}");
    }
}

/// Broken at blanks; a word that is longer stays whole.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a last line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_flags_stand_in_two_columns() {
        const FLAGS: &[Flag] = &[Flag { name: "--batch", value: Some("N"), does: "So many at once." }];
        let page = Page::new("try", Takes::Processes, &[("try <name> ...", "Try."), ("try", "Try all.")]);
        let wanted = "\
try <name> ...            Try.
try                       Try all.
  --batch N               So many at once.
That is all.";
        assert_eq!(page.flags(FLAGS).about("That is all.").usage(), wanted);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        let long = Page::new("x", Takes::Nothing, &[("a very long synopsis of it", "Does.")]);
        assert_eq!(long.usage(), format!("a very long synopsis of it\n{:26}Does.", ""));
    }
}
