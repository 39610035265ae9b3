//! The brain's own log: a level, a line format, and the way to the pump, which does the writing (SPEC 4.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use provost_config::LogLevel;
use provost_core::Wall;

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

/// `2026-11-22 10:58:51,042 INFO text`, with a newline.
pub(super) fn line(at: Wall, zone: &TimeZone, level: LogLevel, text: &str) -> String {
    let at = Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(zone.clone());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02},{:03} {} {text}\n",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond(),
        code(level),
    )
}

fn code(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Critical => "CRIT",
        LogLevel::Error => "ERRO",
        LogLevel::Warn => "WARN",
        LogLevel::Info => "INFO",
        LogLevel::Debug => "DEBG",
        LogLevel::Trace => "TRAC",
        LogLevel::Blather => "BLAT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_looks_as_it_always_has() {
        let text =
            line(Wall(1_795_344_360_042), &TimeZone::UTC, LogLevel::Warn, "killing 'x' (7) with SIGKILL");
        assert_eq!(text, "2026-11-22 10:46:00,042 WARN killing 'x' (7) with SIGKILL\n");
    }
}
