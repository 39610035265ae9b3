//! The files in `recorded/`: what each row of a theme looks like on 4.3.0, where it can be read.
//!
//! In: names of rows and what was seen. Out: a file a theme, in which a row begins with `## ` and its name.
//! `PROVOST_RECORD=1` writes them anew, as far as the rows are played.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What was seen, by the names of rows.
pub(super) type Record = BTreeMap<String, Vec<String>>;

pub(super) fn is_wanted() -> bool {
    std::env::var_os("PROVOST_RECORD").is_some()
}

#[track_caller]
pub(super) fn write(theme: &str, record: &Record) {
    let text: Vec<String> =
        record.iter().map(|(name, lines)| format!("## {name}\n{}\n", lines.join("\n"))).collect();
    let path = file(theme);
    fs::write(&path, text.join("\n")).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

/// What is recorded; nothing, if there is no record yet.
#[track_caller]
pub(super) fn read(theme: &str) -> Record {
    let text = fs::read_to_string(file(theme)).unwrap_or_default();
    let mut record = Record::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("## ") {
            Some(row) => row.clone_into(&mut name),
            None => record.entry(name.clone()).or_default().push(line.to_owned()),
        }
    }
    record
}

fn file(theme: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/compat/events/recorded/{theme}.txt"))
}
