//! The `environment=` grammar (SPEC 2.5): `KEY=value,KEY2="with, comma"`.
//!
//! Supervisor 4.3.0 cuts the text into words with Python's old `shlex` and takes
//! them in fours: key, `=`, value, and one more that it throws away unseen. That
//! reading comes first here, so whatever it read sensibly stays what it was.
//! Where it refuses, or loses text after a backslash, the coming release's reading
//! (escapes work, adjacent quoted parts join) gets its turn. What is thrown away
//! is told, never silent. Expansion of `%(name)s` has happened before.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub pairs: BTreeMap<String, String>,
    /// What was written and does not count, in words for people.
    pub losses: Vec<String>,
}

pub fn parse(text: &str) -> Result<Environment, String> {
    let old = read(text, Mode::Old);
    let lossless =
        |read: &Result<Environment, String>| matches!(read, Ok(environment) if environment.losses.is_empty());
    if lossless(&old) || (old.is_ok() && !text.contains('\\')) {
        return old;
    }
    let new = read(text, Mode::New);
    if lossless(&new) || (old.is_err() && new.is_ok()) { new } else { old }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// `shlex` as 4.3.0 uses it: quotes stay in the word and end it.
    Old,
    /// POSIX `shlex`, as 4.4 uses it.
    New,
}

fn read(text: &str, mode: Mode) -> Result<Environment, String> {
    let mut words = Words { letters: text.chars().peekable(), mode, losses: Vec::new() };
    let mut tokens = Vec::new();
    while let Some(token) = words.next_word()? {
        tokens.push(token);
    }
    let mut losses = words.losses;
    let mut pairs = BTreeMap::new();
    for group in tokens.chunks(4) {
        let [key, equals, value, rest @ ..] = group else {
            return Err(unfinished(text));
        };
        if equals != "=" {
            return Err(unfinished(text));
        }
        if let [separator] = rest
            && separator != ","
        {
            losses.push(format!(
                "\"{separator}\" after the value of {key} is dropped: put a value that is more \
                 than one word in double quotes, and a comma between pairs"
            ));
        }
        let value = match mode {
            Mode::Old => value.trim_matches(['\'', '"']),
            Mode::New => value,
        };
        pairs.insert(key.clone(), value.to_owned());
    }
    Ok(Environment { pairs, losses })
}

fn unfinished(text: &str) -> String {
    format!("Unexpected end of key/value pairs in value '{text}'")
}

struct Words<'a> {
    letters: std::iter::Peekable<std::str::Chars<'a>>,
    mode: Mode,
    losses: Vec<String>,
}

impl Words<'_> {
    fn next_word(&mut self) -> Result<Option<String>, String> {
        let first = loop {
            match self.letters.next() {
                None => return Ok(None),
                Some(' ' | '\t' | '\r' | '\n') => {}
                Some('#') => self.comment(),
                Some(letter) => break letter,
            }
        };
        match (first, self.mode) {
            ('\'' | '"', Mode::Old) => {
                let mut word = String::from(first);
                self.quoted(first, &mut word)?;
                word.push(first);
                Ok(Some(word))
            }
            ('\'' | '"' | '\\', Mode::New) => self.joined_word(first).map(Some),
            _ if !is_word(first, self.mode) => Ok(Some(String::from(first))),
            (_, Mode::Old) => Ok(Some(self.plain_word(first))),
            (_, Mode::New) => self.joined_word(first).map(Some),
        }
    }

    /// Old: a quote inside a word is part of it, and a comment does not end it.
    fn plain_word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(&letter) = self.letters.peek() {
            if letter == '#' {
                self.letters.next();
                self.comment();
            } else if is_word(letter, self.mode) || matches!(letter, '\'' | '"') {
                word.push(letter);
                self.letters.next();
            } else {
                break;
            }
        }
        word
    }

    /// New: quoted parts, escapes and plain letters side by side are one word.
    fn joined_word(&mut self, first: char) -> Result<String, String> {
        let mut word = String::new();
        let mut next = Some(first);
        while let Some(letter) = next {
            match letter {
                '\'' | '"' => self.quoted(letter, &mut word)?,
                '\\' => word.push(self.letters.next().ok_or("No escaped character")?),
                _ => word.push(letter),
            }
            let mode = self.mode;
            next =
                self.letters.next_if(|&letter| is_word(letter, mode) || matches!(letter, '\'' | '"' | '\\'));
        }
        Ok(word)
    }

    fn quoted(&mut self, quote: char, word: &mut String) -> Result<(), String> {
        while let Some(letter) = self.letters.next() {
            if letter == quote {
                return Ok(());
            }
            if letter == '\\' && quote == '"' && self.mode == Mode::New {
                let escaped = self.letters.next().ok_or("No escaped character")?;
                if !matches!(escaped, '"' | '\\') {
                    word.push('\\');
                }
                word.push(escaped);
            } else {
                word.push(letter);
            }
        }
        Err("No closing quotation".to_owned())
    }

    /// From behind the `#` to the end of the line.
    fn comment(&mut self) {
        let dropped: String = self.letters.by_ref().take_while(|&letter| letter != '\n').collect();
        self.losses.push(format!(
            "\"#{dropped}\" is dropped as a comment: put a value with a # in it in double quotes"
        ));
    }
}

fn is_word(letter: char, mode: Mode) -> bool {
    letter.is_ascii_alphanumeric()
        || "_/.+-():".contains(letter)
        || (mode == Mode::New && letter.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `A=[1] B=[2]`, with `!` behind it when something was dropped.
    fn told(text: &str) -> String {
        match parse(text) {
            Err(message) => message,
            Ok(environment) => {
                let pairs: Vec<String> =
                    environment.pairs.iter().map(|(key, value)| format!("{key}=[{value}]")).collect();
                pairs.join(" ") + if environment.losses.is_empty() { "" } else { " !" }
            }
        }
    }

    #[test]
    fn what_4_3_0_reads() {
        for (text, expected) in [
            ("", ""),
            ("A=1,B=\"x, y\",C='z'", "A=[1] B=[x, y] C=[z]"),
            ("A = \"b\" ,\n C = d,", "A=[b] C=[d]"),
            ("A=\"\"", "A=[]"),
            ("A=\"'x'\"", "A=[x]"),
            ("A=\"a\nb\"", "A=[a\nb]"),
            ("A=/usr/bin:/bin,B=a+b-c.(d)", "A=[/usr/bin:/bin] B=[a+b-c.(d)]"),
            ("A=1,A=2", "A=[2]"),
            ("A=é", "A=[é]"),
            ("A=\"# no comment\"", "A=[# no comment]"),
        ] {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }

    #[test]
    fn losses_are_told() {
        for (text, expected) in [
            ("A=a b", "A=[a] !"),
            ("A=1;B=2", "A=[1] B=[2] !"),
            ("A=\"x\"y", "A=[x] !"),
            ("A=~/x", "A=[~] !"),
            ("A=$HOME", "A=[$] !"),
            ("URL=http://x/y?z=1", "URL=[http://x/y] z=[1] !"),
            ("A=1#2,B=3", "A=[1] !"),
        ] {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }

    #[test]
    fn refusals() {
        for text in ["A=", "A", ",A=1", "A=foo@bar", "A=a*b", "A=[x]", "A=a=b", "A=,B=2", "A={x}"] {
            assert_eq!(told(text), format!("Unexpected end of key/value pairs in value '{text}'"));
        }
        assert_eq!(told("A=\"open"), "No closing quotation");
    }

    #[test]
    fn what_only_4_4_reads() {
        for (text, expected) in [
            (r#"A="say \"hi\"",B=2"#, r#"A=[say "hi"] B=[2]"#),
            (r#"A="a\"b""#, r#"A=[a"b]"#),
            ("A=aé,B=2", "A=[aé] B=[2]"),
            (r"A=a\ b", "A=[a b]"),
        ] {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }
}
