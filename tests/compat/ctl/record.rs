//! What a run of supervisorctl looked like, as text that can be read and compared.
//!
//! In: bytes of both streams and an exit status. Out: lines with DIR, PID, TIME and so on in them, and with every byte visible
//! that an editor would hide. Sentences of Supervisor's help stay out of our files: they become the word HELP, its
//! tracebacks TRACEBACK. Here, too: the files in `recorded/`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::normalise;

/// A command line and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) call: String,
    pub(super) outcome: String,
}

/// What is to be seen of one run.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) status: String,
}

/// What was asked, which decides how an answer is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Exact,
    /// Lines have no order of their own.
    Sorted,
    /// All of stdout is help, which must speak of this.
    Help(&'static str),
}

impl Seen {
    /// `places` are texts that differ between any two runs, and what to put there.
    pub(super) fn shown(&self, look: Look, places: &[(String, String)]) -> String {
        let mut lines = match look {
            Look::Help(topic) => {
                let text = String::from_utf8_lossy(&self.stdout);
                assert!(text.contains(topic), "this is no help about {topic}: {text:?}");
                vec!["| HELP".to_owned()]
            }
            Look::Exact | Look::Sorted => without_help(visible("| ", &self.stdout, places)),
        };
        if look == Look::Sorted {
            lines.sort();
        }
        lines.extend(without_traceback(visible("! ", &self.stderr, places)));
        lines.push(format!("= {}", self.status));
        lines.join("\n")
    }
}

/// Each line behind a mark.
fn visible(mark: &str, bytes: &[u8], places: &[(String, String)]) -> Vec<String> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let ended = bytes.ends_with(b"\n");
    let whole = if ended { &bytes[..bytes.len() - 1] } else { bytes };
    let mut lines: Vec<String> =
        whole.split(|&byte| byte == b'\n').map(|line| one(mark, line, places)).collect();
    if let (false, Some(last)) = (ended, lines.last_mut()) {
        last.push('\\');
    }
    lines
}

fn one(mark: &str, line: &[u8], places: &[(String, String)]) -> String {
    let mut text = String::new();
    for chunk in line.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                letter if letter.is_control() => text.extend(letter.escape_default()),
                letter => text.push(letter),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    for (place, word) in places {
        text = text.replace(place, word);
    }
    let prompts = text.len() - text.trim_start_matches(PROMPT).len();
    let (prompts, behind) = text.split_at(prompts);
    // Nothing is left to be replaced by the sandbox's path.
    let mut text = format!("{prompts}{}", without_source(&normalise::ctl_line(behind, "\0")));
    if text.ends_with(' ') {
        text.pop();
        text.push_str("\\s");
    }
    format!("{mark}{text}").trim_end().to_owned()
}

const PROMPT: &str = "supervisor> ";

/// Which line of Python noticed an error is nobody's affair.
fn without_source(line: &str) -> String {
    match line.rsplit_once(": file: ") {
        Some((error, _)) if line.contains("error: <class ") => format!("{error}: file: FILE line: LINE"),
        _ => line.to_owned(),
    }
}

/// What follows a usage failure is help, up to the next prompt.
fn without_help(lines: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut in_help = false;
    for line in lines {
        let text = line.trim_start_matches("| ").trim_start_matches(PROMPT);
        let prompted = line.starts_with("| supervisor> ");
        if in_help && !prompted && !text.starts_with("Error: ") {
            if kept.last().is_some_and(|last| last != "| HELP") {
                kept.push("| HELP".to_owned());
            }
            continue;
        }
        in_help = text.starts_with("Error: ") || text == "ERROR: no process name supplied";
        kept.push(line);
    }
    kept
}

fn without_traceback(mut lines: Vec<String>) -> Vec<String> {
    let starts = |line: &String| line.contains("Traceback (most") || line.starts_with("! Exception ignored ");
    if let Some(at) = lines.iter().position(starts) {
        lines.truncate(at);
        lines.push("! TRACEBACK".to_owned());
    }
    lines
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/ctl/recorded")
}

fn file(stage: &str) -> PathBuf {
    directory().join(format!("{stage}.txt"))
}

/// Whether the truth is to be written down.
pub(super) fn is_wanted() -> bool {
    std::env::var_os("PROVOST_RECORD").is_some()
}

/// The stages that there is a record of.
pub(super) fn stages() -> Vec<String> {
    let files = fs::read_dir(directory()).expect("the records lie beside the tests");
    let names = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| Some(name.strip_suffix(".txt")?.to_owned())).collect()
}

pub(super) fn write(stage: &str, entries: &[Entry]) {
    let text: Vec<String> =
        entries.iter().map(|entry| format!("{}\n{}\n", entry.call, entry.outcome)).collect();
    let path = file(stage);
    fs::write(&path, text.join("\n")).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

#[track_caller]
pub(super) fn read(stage: &str) -> Vec<Entry> {
    let path = file(stage);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("cannot read {}: {e}; PROVOST_RECORD=1 makes it", path.display()));
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match entries.last_mut() {
            _ if line.starts_with("$ ") => {
                entries.push(Entry { call: line.to_owned(), outcome: String::new() });
            }
            Some(entry) if line.starts_with('<') => {
                entry.call.push('\n');
                entry.call.push_str(line);
            }
            Some(entry) => {
                if !entry.outcome.is_empty() {
                    entry.outcome.push('\n');
                }
                entry.outcome.push_str(line);
            }
            None => panic!("{}: {line:?} belongs to no call", path.display()),
        }
    }
    entries
}

#[test]
fn every_byte_can_be_seen() {
    let seen = Seen {
        stdout: b"a\tb \n\\ \xff\n\nError: x\nthis is help\nand this\nsupervisor> pid 12, uptime 0:00:01"
            .to_vec(),
        stderr: b"Traceback (most recent call last):\n  File".to_vec(),
        status: "1".into(),
    };
    let expected = "| a\\tb\\s\n| \\\\ \\xff\n|\n| Error: x\n| HELP\n| supervisor> pid PID, uptime UPTIME\\\n\
                    ! TRACEBACK\n= 1";
    assert_eq!(seen.shown(Look::Exact, &[]), expected);
}
