//! A line typed at a terminal, with the keys of readline: editing, history, completion by Tab.
//!
//! In: a prompt, and who knows what could come next. Out: what was typed. The library behind it reads and writes the terminal itself
//! (descriptors 0 and 1), so whatever was said must have been flushed. Between two lines the terminal is as it was found; that
//! it is so after SIGTERM, too, is the [`guard`]'s affair.
//!
//! What was typed ahead of a prompt waits here for the next one. Who reads the keyboard otherwise (`fg`, a
//! password) calls [`Editor::forget_typed_ahead`]: what was meant for a program must not become a command.

mod guard;

use std::io;
use std::path::PathBuf;

use rustyline::completion::{Completer, Pair};
use rustyline::error::{ReadlineError, Signal};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{History as _, MemHistory};
use rustyline::validate::Validator;
use rustyline::{Config, Context, Helper};

use crate::history::{History, LINES};
use crate::interrupt::Interrupt;

/// More than anybody reads; the library counts them with sixteen bits.
const CANDIDATES: usize = 10_000;

/// What came of waiting for a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Without its end.
    Line(String),
    /// Ctrl-D.
    End,
    Interrupted,
}

/// What a line, up to the cursor, could go on with: where the word begins that would be replaced, and by what.
pub(crate) type Complete = Box<dyn Fn(&str) -> (usize, Vec<String>)>;

pub(crate) struct Editor {
    line: rustyline::Editor<Tab, MemHistory>,
    file: Option<History>,
    guard: guard::Guard,
}

impl Editor {
    /// Nothing if this terminal cannot do it, by its own account.
    pub(crate) fn new(history_file: Option<PathBuf>) -> Option<Editor> {
        let is_able =
            std::env::var("TERM").is_ok_and(|term| !["", "dumb", "cons25", "emacs"].contains(&&*term));
        if !is_able {
            return None;
        }
        let mut history = MemHistory::with_config(&config());
        let mut file = history_file.map(History::new);
        for line in file.iter_mut().flat_map(History::load) {
            // In memory there is nothing to fail.
            let _ = history.add_owned(line);
        }
        Some(Editor { line: line_editor(history)?, file, guard: guard::Guard::new() })
    }

    /// A command: Tab completes it, and it is remembered.
    pub(crate) fn command(
        &mut self,
        prompt: &str,
        complete: Complete,
        interrupt: &Interrupt,
    ) -> io::Result<Typed> {
        let typed = self.read(prompt, Some(complete), interrupt)?;
        if let Typed::Line(lines) = &typed {
            // What was pasted may be several.
            for line in lines.lines() {
                let _ = self.line.add_history_entry(line);
                if let Some(file) = &mut self.file {
                    file.add(line);
                }
            }
        }
        Ok(typed)
    }

    /// The answer to a question: not a command, and not remembered.
    pub(crate) fn answer(&mut self, prompt: &str, interrupt: &Interrupt) -> io::Result<Typed> {
        self.read(prompt, None, interrupt)
    }

    /// Drops what was typed and not yet asked for.
    pub(crate) fn forget_typed_ahead(&mut self) {
        // Only the library knows it; so a new one takes over the history.
        let history = std::mem::replace(self.line.history_mut(), MemHistory::new());
        if let Some(line) = line_editor(history) {
            self.line = line;
        }
    }

    fn read(&mut self, prompt: &str, complete: Option<Complete>, interrupt: &Interrupt) -> io::Result<Typed> {
        if interrupt.is_pressed()? {
            // As the library does when a line ends.
            nix::unistd::write(io::stdout(), b"\n")?;
            return Ok(Typed::Interrupted);
        }
        self.guard.watch();
        self.line.set_helper(Some(Tab { complete }));
        // Ctrl-C is a key now; SIGINT from elsewhere ends the read.
        match interrupt.left_to_others(|| self.line.readline(prompt)) {
            Ok(line) => Ok(Typed::Line(line)),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(ReadlineError::Interrupted | ReadlineError::Signal(Signal::Interrupt)) => {
                Ok(Typed::Interrupted)
            }
            Err(ReadlineError::Io(error)) => Err(error),
            Err(ReadlineError::Errno(errno)) => Err(io::Error::from_raw_os_error(errno as i32)),
            Err(other) => Err(io::Error::other(other)),
        }
    }
}

impl std::fmt::Debug for Editor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Editor").field("file", &self.file).finish_non_exhaustive()
    }
}

fn config() -> Config {
    let config =
        Config::builder().max_history_size(LINES).and_then(|config| config.history_ignore_dups(true));
    let config = config.expect("nothing is in the history yet that would have to go");
    // As readline does: complete as far as it is clear, and list what there is at the second Tab.
    config.completion_type(rustyline::CompletionType::List).auto_add_history(false).build()
}

fn line_editor(history: MemHistory) -> Option<rustyline::Editor<Tab, MemHistory>> {
    rustyline::Editor::with_history(config(), history).ok()
}

/// What happens at Tab.
struct Tab {
    /// Nothing, where no command is being typed.
    complete: Option<Complete>,
}

impl Completer for Tab {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Some(complete) = &self.complete else { return Ok((position, Vec::new())) };
        let (start, words) = complete(&line[..position]);
        let pair = |word: String| Pair { replacement: format!("{word} "), display: word };
        Ok((start, words.into_iter().take(CANDIDATES).map(pair).collect()))
    }
}

impl Hinter for Tab {
    type Hint = String;
}

impl Highlighter for Tab {}
impl Validator for Tab {}
impl Helper for Tab {}
