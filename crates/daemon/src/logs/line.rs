//! A line of the main log: time, level, text (SPEC 4.1).

use jiff::Timestamp;
use jiff::tz::TimeZone;
use provost_config::LogLevel;
use provost_core::Wall;

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
