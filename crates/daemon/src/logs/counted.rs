//! Lines for the main log that somebody else has for it, on their way to the loop that writes them.
//!
//! At loglevel debug there are several for each event that listeners are told, and with `overflow=drop` one for each that is discarded: more
//! than a busy loop may be able to write. So they are counted, and whoever causes them waits a little when they are too many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use provost_config::LogLevel;

/// Lines that are too many.
const MOST: usize = 4096;

/// One that is counted until it has been written.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) level: LogLevel,
    pub(crate) text: String,
    on_their_way: Arc<AtomicUsize>,
}

/// How many there are.
#[derive(Debug, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn line(&self, level: LogLevel, text: String) -> Line {
        self.0.fetch_add(1, Ordering::Relaxed);
        Line { level, text, on_their_way: Arc::clone(&self.0) }
    }

    pub(crate) fn is_too_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MOST
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.on_their_way.fetch_sub(1, Ordering::Relaxed);
    }
}
