//! What programs say of themselves, past the supervisor that is being judged: one small file per run of a program.
//!
//! In: a directory, and what a run does. Out: an [`Entry`] for each, in the order in which they began. A run takes the first
//! free number for its file and is alone in having it, even if a mistaken supervisor runs two at once. An entry is written
//! anew, by one system call within one page, after every piece of output, so that SIGKILL leaves the old or the new.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::monotonic_ns;

/// One run of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The how-manieth it is, from 1.
    pub generation: u32,
    /// Its pid.
    pub pid: i32,
    /// When it took its generation, on the monotonic clock.
    pub began_ns: u64,
    /// The lines that it wrote completely.
    pub lines: u64,
    /// The line up to which it was about to write next: if it was killed, that piece may have been written, too.
    pub intended: u64,
    /// When this was written.
    pub at_ns: u64,
    /// How it ended, if it could say so itself.
    pub end: Option<End>,
}

/// An end that a program has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It had written enough.
    Own(u8),
    /// It was sent SIGTERM.
    Asked(u8),
}

impl End {
    /// The exit status.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            End::Own(status) | End::Asked(status) => status,
        }
    }
}

/// A run that keeps its books.
#[derive(Debug)]
pub(crate) struct Books {
    file: File,
    entry: Entry,
}

impl Books {
    /// Begins a new generation of the program `name`.
    pub(crate) fn open(directory: &Path, name: &str) -> io::Result<Books> {
        let mut generation = 1;
        let file = loop {
            let new = OpenOptions::new().write(true).create_new(true).open(path(directory, name, generation));
            match new {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => generation += 1,
                other => break other?,
            }
        };
        let pid = i32::try_from(std::process::id()).expect("a Linux pid fits an i32");
        let (lines, intended, began_ns) = (0, 0, monotonic_ns());
        let entry = Entry { generation, pid, began_ns, lines, intended, at_ns: began_ns, end: None };
        Ok(Books { file, entry })
    }

    pub(crate) fn generation(&self) -> u32 {
        self.entry.generation
    }

    /// So many lines are out, and the next piece goes up to `intended`.
    pub(crate) fn written(&mut self, lines: u64, intended: u64) -> io::Result<()> {
        (self.entry.lines, self.entry.intended) = (lines, intended);
        self.save()
    }

    pub(crate) fn close(&mut self, end: End) -> io::Result<()> {
        self.entry.end = Some(end);
        self.save()
    }

    fn save(&mut self) -> io::Result<()> {
        self.entry.at_ns = monotonic_ns();
        let Entry { pid, began_ns, lines, intended, at_ns, end, .. } = &self.entry;
        let end = match end {
            None => "-".to_owned(),
            Some(End::Own(status)) => format!("own:{status}"),
            Some(End::Asked(status)) => format!("asked:{status}"),
        };
        // Of fixed width, so that each covers the last.
        let text = format!("{pid:>10} {began_ns:>20} {lines:>12} {intended:>12} {at_ns:>20} {end:>10}\n");
        self.file.write_all_at(text.as_bytes(), 0)
    }
}

/// Every run of the program `name` so far. One that has only just begun and written nothing down is not yet there.
///
/// # Panics
/// When an entry is not one.
#[must_use]
#[track_caller]
pub fn ledger(directory: &Path, name: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for generation in 1.. {
        let path = path(directory, name, generation);
        let text = match fs::read_to_string(&path) {
            Ok(text) if text.is_empty() => return entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return entries,
            other => other.unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display())),
        };
        let entry = parse(generation, &text);
        entries.push(entry.unwrap_or_else(|| panic!("{} is no entry: {text:?}", path.display())));
    }
    entries
}

fn parse(generation: u32, text: &str) -> Option<Entry> {
    let mut words = text.split_whitespace();
    let pid = words.next()?.parse().ok()?;
    let [began_ns, lines, intended, at_ns] =
        [words.next()?, words.next()?, words.next()?, words.next()?].map(|word| word.parse().ok());
    let end = match words.next()?.split_once(':') {
        None => None,
        Some(("own", status)) => Some(End::Own(status.parse().ok()?)),
        Some((_, status)) => Some(End::Asked(status.parse().ok()?)),
    };
    let (began_ns, lines, intended, at_ns) = (began_ns?, lines?, intended?, at_ns?);
    Some(Entry { generation, pid, began_ns, lines, intended, at_ns, end })
}

fn path(directory: &Path, name: &str, generation: u32) -> PathBuf {
    directory.join(format!("{name}.{generation}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sandbox;

    #[test]
    fn runs_are_found_again_in_order_with_what_they_last_said() {
        let sandbox = Sandbox::new();
        let mut one = Books::open(sandbox.path(), "a").unwrap();
        let mut two = Books::open(sandbox.path(), "a").unwrap();
        let mut other = Books::open(sandbox.path(), "b").unwrap();
        assert_eq!(ledger(sandbox.path(), "a"), [], "nothing was written down yet");
        one.written(12_345, 12_400).unwrap();
        one.close(End::Own(7)).unwrap();
        two.written(1, 3).unwrap();
        other.close(End::Asked(0)).unwrap();
        let [first, second] = ledger(sandbox.path(), "a").try_into().unwrap();
        assert_eq!((first.generation, first.lines, first.end), (1, 12_345, Some(End::Own(7))));
        assert_eq!((second.generation, second.lines, second.intended, second.end), (2, 1, 3, None));
        assert!(first.began_ns <= second.began_ns && second.began_ns <= second.at_ns);
        assert_eq!(ledger(sandbox.path(), "b")[0].end, Some(End::Asked(0)));
    }
}
