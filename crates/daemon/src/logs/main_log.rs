//! The brain's own log: a level, a line format, and the way to the pump, which does the writing (SPEC 4.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::tz::TimeZone;
use provost_config::LogLevel;

use super::line::line;
use super::pump::Order;
use crate::clock;
use crate::wake::Post;

/// Lines that may wait for a slow disk; later ones are dropped and counted, so that memory stays bounded.
const MOST_WAITING: usize = 20_000;

/// Writes lines to the main log.
#[derive(Debug)]
pub(crate) struct MainLog {
    level: LogLevel,
    zone: TimeZone,
    pump: Arc<Post<Order>>,
    waiting: Arc<AtomicUsize>,
    dropped: usize,
}

impl MainLog {
    /// `waiting` is counted down by the pump as it writes.
    pub(crate) fn new(level: LogLevel, pump: Arc<Post<Order>>, waiting: Arc<AtomicUsize>) -> MainLog {
        MainLog { level, zone: TimeZone::system(), pump, waiting, dropped: 0 }
    }

    /// For a line that is seldom wanted: the text is made only if this level is kept.
    pub(crate) fn write_with(&mut self, level: LogLevel, text: impl FnOnce() -> String) {
        if level >= self.level {
            self.write(level, &text());
        }
    }

    pub(crate) fn write(&mut self, level: LogLevel, text: &str) {
        if level < self.level {
            return;
        }
        if self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            self.dropped += 1;
            return;
        }
        if self.dropped > 0 {
            let lost = format!("{} lines of this log were lost: its disk is too slow", self.dropped);
            self.dropped = 0;
            self.send(LogLevel::Critical, &lost);
        }
        self.send(level, text);
    }

    fn send(&self, level: LogLevel, text: &str) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.pump.send(Order::Line(line(clock::now().wall, &self.zone, level, text)));
    }
}
