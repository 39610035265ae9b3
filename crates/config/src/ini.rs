//! The file's lines, as Python's `RawConfigParser` reads them for Supervisor
//! (SPEC 2.1): sections of keys with text, each knowing its file and line.
//!
//! In: bytes, one file after another into the same [`Ini`]. Out: values as
//! written, not expanded, or the error in Supervisor's words. Also noted are
//! places that were read faithfully but hardly as meant ([`Suspicion`]). What a
//! section or a key means is not known here.

use std::collections::HashMap;
use std::rc::Rc;

use crate::python::{decode, is_space, repr, strip};

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named when it was opened.
    pub file: Rc<str>,
    /// The first line is 1.
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub text: String,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub struct Section {
    pub name: String,
    /// Of the first header.
    pub place: Place,
    keys: Keys,
}

/// Everything read so far, sections in the order they first appeared.
#[derive(Debug, Clone, Default)]
pub struct Ini {
    sections: Vec<Section>,
    by_name: HashMap<String, usize>,
    defaults: Keys,
    pub suspicions: Vec<Suspicion>,
}

/// Something that Supervisor reads otherwise than it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    pub place: Place,
    pub section: String,
    pub key: String,
    pub kind: SuspicionKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuspicionKind {
    /// A comment began inside a quoted string and took its end away.
    QuoteCutOpen,
    /// An indented line that looks like `key=value` continued the value above.
    SwallowedKey(String),
}

/// Why a file could not be read; `text` is what Supervisor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IniError {
    pub place: Option<Place>,
    pub text: String,
}

/// Keys in the order they first appeared; few enough that a list is the quickest map.
#[derive(Debug, Clone, Default)]
struct Keys(Vec<(String, Value)>);

impl Keys {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn set(&mut self, key: &str, value: Value) {
        match self.get_mut(key) {
            Some(old) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }
}

impl Ini {
    /// Adds a file. Sections that exist already are continued.
    pub fn read(&mut self, file: &str, bytes: &[u8]) -> Result<(), IniError> {
        let text = decode(bytes).map_err(|text| {
            let place = Place { file: file.into(), line: line_of_bad_byte(bytes) };
            IniError { place: Some(place), text }
        })?;
        // Python opens files with universal newlines: a lone CR ends a line too.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut reader = Reader::new(self, file);
        for (index, line) in text.split_inclusive('\n').enumerate() {
            reader.line(index + 1, line)?;
        }
        reader.finish()
    }

    /// One section with these values, which need not be such as a file could hold.
    pub(crate) fn of_section(file: &str, name: &str, values: &[(String, String)]) -> Ini {
        let place = Place { file: file.into(), line: 1 };
        let mut keys = Keys::default();
        for (key, text) in values {
            keys.set(key, Value { text: text.clone(), place: place.clone() });
        }
        let mut ini = Ini::default();
        ini.by_name.insert(name.to_owned(), 0);
        ini.sections.push(Section { name: name.to_owned(), place, keys });
        ini
    }

    /// Without `[DEFAULT]`.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    pub fn section(&self, name: &str) -> Option<&Section> {
        self.by_name.get(name).map(|&index| &self.sections[index])
    }

    /// A section's own value, or the one it inherits from `[DEFAULT]`.
    pub fn get(&self, section: &str, key: &str) -> Option<&Value> {
        let section = self.section(section)?;
        section.keys.get(key).or_else(|| self.defaults.get(key))
    }

    /// The keys written in a section itself.
    pub fn own_keys(&self, section: &str) -> impl Iterator<Item = (&str, &Value)> {
        let keys = self.section(section).map_or(&[][..], |section| &section.keys.0);
        keys.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The keys of `[DEFAULT]`.
    pub fn default_keys(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.defaults.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Replaces the literal text `%(here)s` in all that has been read so far.
    ///
    /// Supervisor does this after the main file when that has an `[include]`, and
    /// after each included file. Inherited values become the section's own.
    pub fn expand_here(&mut self, here: &str) {
        const MARK: &str = "%(here)s";
        for section in &mut self.sections {
            for (key, value) in &self.defaults.0 {
                if value.text.contains(MARK) && section.keys.get(key).is_none() {
                    section.keys.set(key, value.clone());
                }
            }
            for (_, value) in &mut section.keys.0 {
                if value.text.contains(MARK) {
                    value.text = value.text.replace(MARK, here);
                }
            }
        }
    }
}

/// The state while one file is read.
struct Reader<'a> {
    ini: &'a mut Ini,
    file: Rc<str>,
    /// What lines belong to at the moment.
    section: Option<Target>,
    /// The key that an indented line continues.
    key: Option<String>,
    /// Indentation of the line that opened the key or the section.
    indent: usize,
    bad_lines: Vec<(usize, String)>,
}

#[derive(Clone, Copy)]
enum Target {
    Defaults,
    Section(usize),
}

impl<'a> Reader<'a> {
    fn new(ini: &'a mut Ini, file: &str) -> Reader<'a> {
        let (section, key, bad_lines) = (None, None, Vec::new());
        Reader { ini, file: file.into(), section, key, indent: 0, bad_lines }
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), IniError> {
        let comment = comment_start(line);
        let value = strip(&line[..comment.unwrap_or(line.len())]);
        if value.is_empty() {
            // Only a line without a comment leaves an empty line in the value.
            if comment.is_none() {
                self.append("");
            }
            return Ok(());
        }
        let indent = line.chars().take_while(|&letter| is_space(letter)).count();
        let cut = comment.is_some_and(|at| at > 0 && cuts_a_quote(&line[..at], &line[at..]));
        if self.key.is_some() && indent > self.indent {
            self.continuation(number, value);
        } else {
            self.indent = indent;
            self.opening(number, line, value)?;
        }
        if cut {
            self.suspect(number, SuspicionKind::QuoteCutOpen);
        }
        Ok(())
    }

    fn continuation(&mut self, number: usize, value: &str) {
        self.append(value);
        if let Some((key, _)) = split_key(value) {
            let key = key.to_lowercase();
            if !key.is_empty() && !key.contains(is_space) {
                self.suspect(number, SuspicionKind::SwallowedKey(key));
            }
        }
    }

    /// A section header or a key.
    fn opening(&mut self, number: usize, line: &str, value: &str) -> Result<(), IniError> {
        if let Some(name) = header(value) {
            self.section = Some(self.enter(name, number));
            self.key = None;
            return Ok(());
        }
        if self.section.is_none() {
            return Err(IniError {
                place: Some(self.place(number)),
                text: format!(
                    "File contains no section headers.\nfile: {}, line: {number}\n{}",
                    repr(&self.file),
                    repr(line)
                ),
            });
        }
        let Some((key, text)) = split_key(value) else {
            self.bad_lines.push((number, repr(line)));
            return Ok(());
        };
        if key.is_empty() {
            self.bad_lines.push((number, repr(line)));
        }
        let key = key.to_lowercase();
        let place = self.place(number);
        self.keys().set(&key, Value { text: text.to_owned(), place });
        self.key = (!key.is_empty()).then_some(key);
        Ok(())
    }

    fn enter(&mut self, name: &str, number: usize) -> Target {
        if name == "DEFAULT" {
            return Target::Defaults;
        }
        if let Some(&index) = self.ini.by_name.get(name) {
            return Target::Section(index);
        }
        let index = self.ini.sections.len();
        let place = self.place(number);
        self.ini.by_name.insert(name.to_owned(), index);
        self.ini.sections.push(Section { name: name.to_owned(), place, keys: Keys::default() });
        Target::Section(index)
    }

    fn append(&mut self, line: &str) {
        let Some(key) = self.key.take() else { return };
        if let Some(value) = self.keys().get_mut(&key) {
            value.text.push('\n');
            value.text.push_str(line);
        }
        self.key = Some(key);
    }

    fn keys(&mut self) -> &mut Keys {
        match self.section {
            Some(Target::Section(index)) => &mut self.ini.sections[index].keys,
            Some(Target::Defaults) | None => &mut self.ini.defaults,
        }
    }

    fn place(&self, line: usize) -> Place {
        Place { file: Rc::clone(&self.file), line }
    }

    fn suspect(&mut self, number: usize, kind: SuspicionKind) {
        let Some(key) = self.key.clone() else { return };
        let section = match self.section {
            Some(Target::Section(index)) => self.ini.sections[index].name.clone(),
            Some(Target::Defaults) | None => "DEFAULT".to_owned(),
        };
        let place = self.place(number);
        self.ini.suspicions.push(Suspicion { place, section, key, kind });
    }

    fn finish(self) -> Result<(), IniError> {
        let sections = self.ini.sections.iter_mut().map(|section| &mut section.keys);
        for keys in sections.chain([&mut self.ini.defaults]) {
            for (_, value) in &mut keys.0 {
                value.text.truncate(value.text.trim_end_matches(is_space).len());
            }
        }
        let Some(&(first, _)) = self.bad_lines.first() else { return Ok(()) };
        let mut text = format!("Source contains parsing errors: {}", repr(&self.file));
        for (number, line) in &self.bad_lines {
            text += &format!("\n\t[line {number:2}]: {line}");
        }
        Err(IniError { place: Some(Place { file: self.file, line: first }), text })
    }
}

/// The line of the first byte that is not UTF-8.
fn line_of_bad_byte(bytes: &[u8]) -> usize {
    let good = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    1 + bytes[..good].iter().filter(|byte| **byte == b'\n').count()
}

/// The byte at which a comment begins: `;` or `#` first on the line, or after a blank.
fn comment_start(line: &str) -> Option<usize> {
    if line.trim_start_matches(is_space).starts_with([';', '#']) {
        return Some(0);
    }
    let mut after_blank = false;
    for (at, letter) in line.char_indices() {
        if after_blank && matches!(letter, ';' | '#') {
            return Some(at);
        }
        after_blank = is_space(letter);
    }
    None
}

fn cuts_a_quote(kept: &str, comment: &str) -> bool {
    let mut open = None;
    for letter in kept.chars() {
        match open {
            None if matches!(letter, '"' | '\'') => open = Some(letter),
            Some(quote) if quote == letter => open = None,
            Some(_) | None => {}
        }
    }
    // An apostrophe in prose opens no quote: the comment must hold the other end.
    open.is_some_and(|quote| comment.contains(quote))
}

/// `NAME` out of `[NAME] anything`; the last bracket on the line closes.
fn header(value: &str) -> Option<&str> {
    let name = &value.strip_prefix('[')?;
    let name = &name[..name.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

fn split_key(value: &str) -> Option<(&str, &str)> {
    let (key, text) = value.split_once(['=', ':'])?;
    Some((key.trim_end_matches(is_space), strip(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Ini {
        let mut ini = Ini::default();
        ini.read("f", text.as_bytes()).unwrap();
        ini
    }

    fn refused(text: &str) -> String {
        Ini::default().read("f", text.as_bytes()).unwrap_err().text
    }

    fn value(text: &str) -> Option<String> {
        read(text).get("a", "x").map(|value| value.text.clone())
    }

    #[test]
    fn values() {
        for (text, expected) in [
            ("[a]\nx=1", Some("1")),
            ("[a]\nX : 1 = 2 : 3 \n", Some("1 = 2 : 3")),
            ("[a]\nx=\n", Some("")),
            ("[a]\nx=1\nx=2", Some("2")),
            ("[a]\nx=1\n[b]\n[a]\nx=2", Some("2")),
            ("[a]\r\nx=1\r\n", Some("1")),
            ("[a]\rx=1\r", Some("1")),
            ("  [a]  junk\n  x=1\n", Some("1")),
            ("[a]\ny=2\n x=1\n", None),
            ("[DEFAULT]\nx=1\n[a]\n", Some("1")),
            ("[DEFAULT]\nx=1\n[a]\nx=2", Some("2")),
            ("[ a ]\nx=1", None),
            ("[A]\nx=1", None),
        ] {
            assert_eq!(value(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn comments() {
        for (text, expected) in [
            ("[a]\nx=bash -c \"a ; b\"", "bash -c \"a"),
            ("[a]\nx=3 #c", "3"),
            ("[a]\nx=3\t;c", "3"),
            ("[a]\nx=2;c", "2;c"),
            ("[a]\nx=http://a/#frag", "http://a/#frag"),
            ("[a]\nx=;c", ";c"),
            ("[a]\nx= ;c", ""),
            ("[a]\nx=1\n  ; c\n  2\n", "1\n2"),
            ("[a] ;c\n# c\nx=1\n;c\n", "1"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn continuations() {
        for (text, expected) in [
            ("[a]\nx=1\n  2\n\t3 \n", "1\n2\n3"),
            ("[a]\nx=1\n\n  2\n\n\n", "1\n\n2"),
            ("[a]\nx=\n  y=2\n", "\ny=2"),
            ("[a]\n  x=1\n  y=2\n", "1"),
            ("[a]\n  x=1\n    y=2\n", "1\ny=2"),
            ("[a]\nx=1\n\n[b]\n", "1"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn refusals() {
        for (text, expected) in [
            ("x=1\n", "File contains no section headers.\nfile: 'f', line: 1\n'x=1\\n'"),
            ("\n[]\n", "File contains no section headers.\nfile: 'f', line: 2\n'[]\\n'"),
            ("\u{feff}[a]\n", "File contains no section headers.\nfile: 'f', line: 1\n'\\ufeff[a]\\n'"),
            (
                "[a]\nfoo\nx=1\n=2\n[]",
                "Source contains parsing errors: 'f'\n\t[line  2]: 'foo\\n'\n\t[line  4]: '=2\\n'\
                 \n\t[line  5]: '[]'",
            ),
        ] {
            assert_eq!(refused(text), expected);
        }
    }

    #[test]
    fn values_know_where_they_stand() {
        let mut ini = read("[a]\nx=1\n[b]\n");
        ini.read("g", b"\n[a]\n\nx=2\ny=3\n").unwrap();
        let value = ini.get("a", "x").unwrap();
        assert_eq!((&*value.place.file, value.place.line), ("g", 4));
        assert_eq!(&*ini.section("a").unwrap().place.file, "f");
        assert_eq!(ini.own_keys("a").map(|(key, _)| key).collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn here_is_fixed_where_it_was_written() {
        let mut ini = read("[DEFAULT]\nd=%(here)s/d\n[a]\nx=%(here)s/x");
        ini.expand_here("/one");
        ini.read("g", b"[b]\nx=%(here)s/x").unwrap();
        ini.expand_here("/two");
        let text = |section, key| ini.get(section, key).unwrap().text.clone();
        assert_eq!(text("a", "x"), "/one/x");
        assert_eq!(text("a", "d"), "/one/d");
        assert_eq!(text("b", "x"), "/two/x");
        assert_eq!(text("b", "d"), "/two/d");
    }

    #[test]
    fn what_looks_otherwise_than_it_reads_is_noted() {
        let ini = read("[a]\nx=bash -c \"a ; b\"\ny=it's ; mine\nz=1\n  w=2\n  q x=3\n");
        let kinds: Vec<_> = ini.suspicions.iter().map(|s| (s.place.line, s.kind.clone())).collect();
        assert_eq!(
            kinds,
            [(2, SuspicionKind::QuoteCutOpen), (5, SuspicionKind::SwallowedKey("w".to_owned()))]
        );
    }
}
