//! Completion in bash, zsh and fish: the answers to their scripts, which `verbs/completion.rs` has, and which ask us what could come next.
//!
//! The script hands the line, up to the cursor, to `supervisorctl complete-line` on its standard input, where nobody else
//! sees it. The answer is a line for each candidate: the word, a tab, what it is; or `:files` alone, if the shell should offer files.
//! Nothing is ever an error; a line that makes no sense has no candidates.

use std::fs::File;
use std::io::Read;

use provost_config::Files;

use crate::Streams;
use crate::call::{Kind, Name, Server};
use crate::complete::{Wanted, on_command_line};
use crate::options::{self, Request};
use crate::{names, shell};

/// The verb that scripts know, and people need not.
pub(crate) const WORD: &str = "complete-line";

/// Nobody types a line as long as this.
const LONGEST: u64 = 64 * 1024;

/// Answers a script. The exit status is always 0.
pub(crate) fn answer(program: &str, files: &dyn Files, streams: Streams<'_>) -> u8 {
    let mut line = Vec::new();
    let read = File::from(streams.input).take(LONGEST).read_to_end(&mut line);
    if read.is_ok() {
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let answer = match on_command_line(line, |given, kind| known(program, files, given, kind)) {
            Wanted::Files => ":files\n".to_owned(),
            Wanted::Words(words) => {
                words.iter().map(|word| format!("{}\t{}\n", word.word, word.about)).collect()
            }
        };
        // A shell that no longer listens has been interrupted.
        let _ = streams.output.write_all(answer.as_bytes()).and_then(|()| streams.output.flush());
    }
    0
}

/// The names that the daemon knows whom these options lead to.
fn known(program: &str, files: &dyn Files, given: &[String], kind: Kind) -> Vec<Name> {
    let argv: Vec<String> =
        std::iter::once(program).chain(given.iter().map(String::as_str)).map(at_home).collect();
    match options::read(&argv, files) {
        Ok(Request::Run(options)) => names::soon(&shell::client(*options).names(), kind),
        Ok(Request::Help(_)) | Err(_) => Vec::new(),
    }
}

/// The shell has not done so yet.
fn at_home(word: &str) -> String {
    match (word.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => word.to_owned(),
    }
}
