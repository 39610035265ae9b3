//! One configuration while it is being read: the lines of all files, and what
//! was found wrong, worth a message, or worth advice so far.
//!
//! In: the path, and the [`Files`] seam. Out: a [`Reading`] that the rooms for the
//! single sections ask through `section.rs`. Following `[include]` happens here.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::Path;

use crate::errors::{Advice, Error, Errors};
use crate::expand::{Scope, expand};
use crate::ini::{Ini, IniError, Place};
use crate::python::is_space;
use crate::{Files, LogLevel, Message, paths};

pub(crate) struct Reading<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) ini: Ini,
    /// The main file as it was named.
    pub(crate) path: String,
    /// The absolute directory of the main file.
    pub(crate) here: String,
    // Sections are read through shared references, several at a time.
    errors: RefCell<Vec<Error>>,
    messages: RefCell<Vec<Message>>,
    advice: RefCell<Vec<Advice>>,
    /// What is in `advice`: a program of a hundred processes is read a hundred times.
    advised: RefCell<HashSet<Advice>>,
    /// Bytes that the processes found so far take.
    described: Cell<usize>,
}

/// How much the description of all processes may take: far beyond any use, and not
/// yet a way to eat all memory with one line such as `numprocs=999999999`.
const LARGEST: usize = 64 << 20;

impl<'a> Reading<'a> {
    /// Reads the main file, and nothing that it includes.
    pub(crate) fn open(path: &Path, files: &'a dyn Files) -> Result<Reading<'a>, Errors> {
        let name = path.to_string_lossy().into_owned();
        if !files.exists(path) {
            return Err(Error::plain(&name, format!("could not find config file {name}")).into());
        }
        let bytes = files
            .read(path)
            .map_err(|_| Error::plain(&name, format!("could not read config file {name}")))?;
        let mut ini = Ini::default();
        ini.read(&name, &bytes).map_err(|error| misread(&name, error))?;
        Ok(Reading {
            here: paths::absolute(paths::dirname(&name), files),
            path: name,
            files,
            ini,
            errors: RefCell::default(),
            messages: RefCell::default(),
            advice: RefCell::default(),
            advised: RefCell::default(),
            described: Cell::default(),
        })
    }

    /// Reads what the main file's `[include]` names into the same sections (SPEC 2.6).
    pub(crate) fn follow_includes(&mut self) -> Result<(), Errors> {
        let Some(section) = self.ini.section("include") else { return Ok(()) };
        let place = section.place.clone();
        let here = self.here.clone();
        self.ini.expand_here(&here);
        let Some(value) = self.ini.get("include", "files").cloned() else {
            let text = ".ini file has [include] section, but no files setting";
            self.refuse(Some(&place), "include", None, text.to_owned(), "");
            return Ok(());
        };
        let scope = Scope::default()
            .env(self.files.env())
            .text("here", &here)
            .text("host_node_name", &self.files.hostname());
        let patterns = match expand(&value.text, &scope, "include.files") {
            Ok(patterns) => patterns,
            Err(text) => {
                self.refuse(Some(&value.place), "include", Some("files"), text, "");
                return Ok(());
            }
        };
        for pattern in patterns.split(is_space).filter(|pattern| !pattern.is_empty()) {
            self.include(&paths::join(&here, pattern), Some(&value.place))?;
        }
        let listed = self.ini.get("include", "files").map(|value| value.place.clone());
        if let Some(nested) = listed.filter(|place| *place != value.place) {
            let text = "an [include] in an included file is not followed";
            self.advise(Some(&nested), "include", Some("files"), text.to_owned());
        }
        Ok(())
    }

    fn include(&mut self, pattern: &str, place: Option<&Place>) -> Result<(), Errors> {
        let found = self.files.glob(pattern);
        if found.is_empty() {
            self.say(LogLevel::Warn, format!("No file matches via include \"{pattern}\""));
        }
        for path in found {
            let name = path.to_string_lossy();
            self.say(LogLevel::Info, format!("Included extra file \"{name}\" during parsing"));
            // Supervisor passes over directories and unreadable files, though it says "included".
            match self.files.read(&path) {
                Ok(bytes) => {
                    self.ini.read(&name, &bytes).map_err(|error| misread(&name, error))?;
                }
                Err(error) => {
                    let text = format!("cannot read {name}, so it counts for nothing: {error}");
                    self.advise(place, "include", Some("files"), text);
                }
            }
            self.ini.expand_here(&paths::absolute(paths::dirname(&name), self.files));
        }
        Ok(())
    }

    /// Notes an error; `suffix` is what Supervisor adds inside programs.
    pub(crate) fn refuse(
        &self,
        place: Option<&Place>,
        section: &str,
        key: Option<&str>,
        text: String,
        suffix: &str,
    ) {
        self.errors.borrow_mut().push(Error {
            file: place.map_or(&*self.path, |place| &place.file).to_owned(),
            line: place.map(|place| place.line),
            section: Some(section.to_owned()),
            key: key.map(str::to_owned),
            text,
            suffix: suffix.to_owned(),
            hint: None,
        });
    }

    /// Adds to the error noted last what may have been meant.
    pub(crate) fn hint(&self, meant: Option<String>) {
        if let Some(error) = self.errors.borrow_mut().last_mut() {
            error.hint = meant;
        }
    }

    /// Notes an error that belongs to no line.
    pub(crate) fn refuse_all(&self, text: String) {
        self.errors.borrow_mut().push(Error::plain(&self.path, text));
    }

    /// Notes a message that Supervisor would log too.
    pub(crate) fn say(&self, level: LogLevel, text: String) {
        self.messages.borrow_mut().push(Message { level, text });
    }

    pub(crate) fn advise(&self, place: Option<&Place>, section: &str, key: Option<&str>, text: String) {
        let advice = Advice {
            file: place.map_or(&*self.path, |place| &place.file).to_owned(),
            line: place.map(|place| place.line),
            section: section.to_owned(),
            key: key.map(str::to_owned),
            text,
        };
        if self.advised.borrow_mut().insert(advice.clone()) {
            self.advice.borrow_mut().push(advice);
        }
    }

    /// Counts what another process takes; false when that is too much.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        self.described.set(self.described.get().saturating_add(bytes));
        self.described.get() <= LARGEST
    }

    pub(crate) fn error_count(&self) -> usize {
        self.errors.borrow().len()
    }

    /// What was noted, or the errors if there are any.
    pub(crate) fn finish(self) -> Result<(Vec<Message>, Vec<Advice>), Errors> {
        match Errors::new(self.errors.into_inner()) {
            Some(errors) => Err(errors.with_advice(self.advice.into_inner())),
            None => Ok((self.messages.into_inner(), self.advice.into_inner())),
        }
    }
}

fn misread(file: &str, error: IniError) -> Errors {
    let line = error.place.map(|place| place.line);
    Error { line, ..Error::plain(file, error.text) }.into()
}
