//! `supervisorctl`: words in, XML-RPC calls to a daemon, lines of text and an exit status out.
//!
//! [`main`] is the whole program but for the process around it: the caller hands
//! in arguments, the file system and three streams, and gets the exit status
//! back. A verb is a file in `verbs/`; what they share is the [`session`].
//! The daemon may be ours or Python's: only the wire is known here.

mod advice;
mod batch;
mod call;
mod complete;
mod completion;
mod daemons;
mod dispatch;
mod editor;
mod history;
mod http;
mod info;
mod interrupt;
mod keyboard;
mod manual;
mod names;
mod namespec;
mod options;
mod output;
mod password;
mod pools;
mod progress;
mod report;
mod results;
mod session;
mod shell;
mod state;
mod targets;
mod terminal;
mod verbs;
mod why;
mod words;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod handbook;

use std::io::Write;
use std::os::fd::OwnedFd;

use provost_config::Files;

use output::Output;

/// Where a person, or a script, sits.
#[expect(missing_debug_implementations, reason = "a writer can be anything")]
pub struct Streams<'a> {
    pub input: OwnedFd,
    pub output: &'a mut dyn Write,
    pub errors: &'a mut dyn Write,
    /// Which of the two are terminals.
    pub is_terminal: IsTerminal,
}

/// Whether a person looks at stdout, and at stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IsTerminal {
    pub output: bool,
    pub errors: bool,
}

/// Runs one command, or a shell, and tells the exit status (SPEC 7.3).
///
/// `argv[0]` is the name the program was called by: the search for a configuration starts from it.
pub fn main(argv: &[String], files: &dyn Files, streams: Streams<'_>) -> u8 {
    let Streams { input, output, errors, is_terminal } = streams;
    let mut output = Output::new(output);
    let status = run(argv, files, Streams { input, output: &mut output, errors, is_terminal });
    match output.failure() {
        None => status,
        Some(error) => {
            // Nobody listens there either; then the status has to do.
            let _ = writeln!(errors, "error: cannot write to standard output: {error}");
            status.max(1)
        }
    }
}

fn run<'a>(argv: &[String], files: &'a dyn Files, streams: Streams<'a>) -> u8 {
    if argv.get(1).is_some_and(|word| word == completion::WORD) {
        return completion::answer(&argv[0], files, streams);
    }
    match options::read(argv, files) {
        Ok(options::Request::Help(text)) => {
            // Nobody is left to tell when the reader of the help has gone.
            let _ = streams.output.write_all(text.as_bytes()).and_then(|()| streams.output.flush());
            0
        }
        Ok(options::Request::Run(options)) => shell::run(*options, files, streams),
        Err(refusal) => {
            // It quotes the configuration, which may be anybody's.
            let shown = if streams.is_terminal.errors { terminal::plain(&refusal) } else { refusal.into() };
            let _ = streams.errors.write_all(shown.as_bytes()).and_then(|()| streams.errors.flush());
            2
        }
    }
}
