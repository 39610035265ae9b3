//! The main log as the pump writes it: a file, perhaps, and a copy for whoever watches the foreground.
//!
//! In: lines that are complete, and troubles of the pump's own. A file that cannot be opened keeps no brain from its work: the
//! daemon goes on without it, and tries again when it is asked to reopen its logs, or with a line that comes some time later.
//!
//! Lines wait in memory until they are written, and a brain that is killed takes those with it that still do. What is in
//! the file is there once, in order; what happened is not forgotten with its line: states, exits and commands live elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use provost_config::LogLevel;
use provost_core::Mono;

use super::line::line;
use super::sink::{Destination, Sink};
use crate::clock;

/// How soon a file that could not be opened is tried again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the main log goes.
#[derive(Debug)]
pub(crate) enum MainFile {
    /// To no file.
    None,
    Open(Sink),
    /// To a file that could not be opened.
    Missing(Destination),
}

#[derive(Debug)]
pub(super) struct MainSink {
    file: MainFile,
    copy: bool,
    waiting: Arc<AtomicUsize>,
    zone: TimeZone,
    /// Lines that have found no file, and when to look for it again.
    lost: usize,
    next_try: Mono,
}

impl MainSink {
    /// `waiting` is counted down with each line that was counted up.
    pub(super) fn new(file: MainFile, copy: bool, waiting: Arc<AtomicUsize>) -> MainSink {
        let next_try = clock::now().mono + PATIENCE;
        MainSink { file, copy, waiting, zone: TimeZone::system(), lost: 0, next_try }
    }

    /// A line that waited.
    pub(super) fn write(&mut self, line: &str) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.put(line);
    }

    /// A line of the pump's own.
    pub(super) fn trouble(&mut self, text: &str) {
        self.say(LogLevel::Critical, text);
    }

    pub(super) fn say(&mut self, level: LogLevel, text: &str) {
        self.put(&line(clock::now().wall, &self.zone, level, text));
    }

    pub(super) fn reopen(&mut self) {
        let reopened = match &mut self.file {
            MainFile::None => Ok(()),
            MainFile::Open(sink) => sink.reopen().map_err(|e| (Arc::clone(sink.path()), e)),
            MainFile::Missing(to) => {
                let path = Arc::clone(&to.path);
                self.find().map_err(|e| (path, e))
            }
        };
        if let Err((path, e)) = reopened {
            self.trouble(&format!("cannot reopen {}: {e}", path.display()));
        }
    }

    fn put(&mut self, line: &str) {
        if matches!(self.file, MainFile::Missing(_)) && clock::now().mono >= self.next_try {
            // Said when it was missed first, and whenever somebody asks to reopen the logs.
            let _ = self.find();
        }
        match &mut self.file {
            MainFile::None => {}
            // A main log that cannot be written must not end what it reports on.
            MainFile::Open(sink) => drop(sink.write(line.as_bytes())),
            MainFile::Missing(_) => self.lost += 1,
        }
        if self.copy {
            crate::console::say(line);
        }
    }

    /// Tries again to open a file that is missing.
    fn find(&mut self) -> std::io::Result<()> {
        let MainFile::Missing(to) = &self.file else { return Ok(()) };
        self.next_try = clock::now().mono + PATIENCE;
        self.file = MainFile::Open(Sink::open(to.clone())?);
        let lost = std::mem::take(&mut self.lost);
        self.trouble(&format!("this log could not be opened until now; {lost} lines were lost"));
        Ok(())
    }
}
