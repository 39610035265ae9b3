//! The main log as the pump writes it: a file, perhaps, and a copy for whoever watches the foreground.
//!
//! In: lines that are complete, and troubles of the pump's own. A file that cannot be opened keeps no brain from its work: the
//! daemon goes on without it, and tries again when it is asked to reopen its logs, or with a line that comes some time later.
//!
//! The brain's lines come through a pipe like a program's output (`main_log.rs`), and go the same way. Only their copy, and what
//! the pump itself has to say, is gone with a brain that is killed.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use provost_config::LogLevel;
use provost_core::Mono;

use super::carry::Carrier;
use super::journal::Flow;
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
    /// Where the brain's lines come from.
    pipe: OwnedFd,
    file: MainFile,
    copy: bool,
    zone: TimeZone,
    /// Lines that have found no file, and when to look for it again.
    lost: usize,
    next_try: Mono,
}

impl MainSink {
    pub(super) fn new(pipe: OwnedFd, file: MainFile, copy: bool) -> MainSink {
        let next_try = clock::now().mono + PATIENCE;
        MainSink { pipe, file, copy, zone: TimeZone::system(), lost: 0, next_try }
    }

    /// Carries what the brain has said, as much as goes in one piece.
    pub(super) fn carry(&mut self, carrier: &mut Carrier) -> Flow {
        self.find_in_time();
        let MainSink { pipe, file, copy, lost, .. } = self;
        // A main log that cannot be written must not end what it reports on.
        match file {
            MainFile::Open(sink) if !*copy => carrier.carry(pipe, Some(sink)).0,
            MainFile::Open(sink) => carrier.carry_seen(pipe, Some(sink), &mut |bytes| say(bytes)).0,
            MainFile::None if !*copy => carrier.carry(pipe, None).0,
            MainFile::None => carrier.carry_seen(pipe, None, &mut |bytes| say(bytes)).0,
            MainFile::Missing(_) => {
                let mut see = |bytes: &[u8]| {
                    *lost += bytes.iter().filter(|byte| **byte == b'\n').count();
                    if *copy {
                        say(bytes);
                    }
                };
                carrier.carry_seen(pipe, None, &mut see).0
            }
        }
    }

    /// Lines that have found no room in the pipe by the end.
    pub(super) fn write(&mut self, lines: &[u8]) {
        self.put(&String::from_utf8_lossy(lines));
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
        self.find_in_time();
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

    fn find_in_time(&mut self) {
        if matches!(self.file, MainFile::Missing(_)) && clock::now().mono >= self.next_try {
            // Said when it was missed first, and whenever somebody asks to reopen the logs.
            let _ = self.find();
        }
    }

    /// Tries again to open a file that is missing.
    fn find(&mut self) -> std::io::Result<()> {
        let MainFile::Missing(to) = &self.file else { return Ok(()) };
        self.next_try = clock::now().mono + PATIENCE;
        self.file = MainFile::Open(Sink::open_at_once(to.clone())?);
        let lost = std::mem::take(&mut self.lost);
        self.trouble(&format!("this log could not be opened until now; {lost} lines were lost"));
        Ok(())
    }
}

fn say(bytes: &[u8]) {
    crate::console::say(&String::from_utf8_lossy(bytes));
}
