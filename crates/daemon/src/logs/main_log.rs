//! The brain's own log: a level, a line format, and the way to the pump, which does the writing (SPEC 4.1).
//!
//! The way is a pipe of which the keeper holds both ends, as if the brain were one more program: what has been written into
//! it outlives the brain, and reaches the log exactly once. So a line that is said before its cause is written down, or
//! forgotten, is never lost. A pipe that is full, because the disk is slow, is not waited for: lines wait in memory then.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jiff::tz::TimeZone;
use provost_config::LogLevel;
use rustix::io::write;

use super::line::line;
use crate::clock;

/// Bytes that may wait for a slow disk beyond what the pipe holds; later lines are dropped and counted. Several times what may be on
/// its way of what programs say, of which a copy and an event can each be a few times as large.
const MOST_WAITING: usize = 8 << 20;

/// Writes lines to the main log.
#[derive(Debug)]
pub(crate) struct MainLog {
    level: LogLevel,
    zone: TimeZone,
    pipe: OwnedFd,
    /// What has found no room in the pipe.
    waiting: VecDeque<u8>,
    dropped: usize,
}

impl MainLog {
    /// `pipe` must not block; the pump reads its other end.
    pub(crate) fn new(level: LogLevel, pipe: OwnedFd) -> MainLog {
        MainLog { level, zone: TimeZone::system(), pipe, waiting: VecDeque::new(), dropped: 0 }
    }

    /// Whether lines of this level are written.
    pub(crate) fn keeps(&self, level: LogLevel) -> bool {
        level >= self.level
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
        if self.waiting.len() >= MOST_WAITING {
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

    /// Whether the loop should wait for room in the pipe and then call [`MainLog::flush`].
    pub(crate) fn wants_to_write(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Puts what waits into the pipe, as far as there is room.
    pub(crate) fn flush(&mut self) {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            match write(&self.pipe, front) {
                Ok(n) => drop(self.waiting.drain(..n)),
                Err(rustix::io::Errno::INTR) => {}
                // Full. It cannot be closed: the keeper holds its other end.
                Err(_) => return,
            }
        }
        if self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
    }

    /// What is still to be written when nobody waits for room any more.
    pub(crate) fn into_waiting(mut self) -> Vec<u8> {
        self.flush();
        self.waiting.into()
    }

    fn send(&mut self, level: LogLevel, text: &str) {
        let line = line(clock::now().wall, &self.zone, level, text);
        self.waiting.extend(line.as_bytes());
        self.flush();
    }
}

impl AsFd for MainLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[test]
    fn what_finds_no_room_waits_in_order_and_what_waits_too_long_is_counted() {
        let (reader, pipe) = pipe_with(PipeFlags::NONBLOCK).unwrap();
        let mut log = MainLog::new(LogLevel::Info, pipe);
        let text = "x".repeat(1000);
        let most = MOST_WAITING / 1000 + 200;
        for n in 0..most {
            log.write(LogLevel::Info, &format!("{n} {text}"));
            log.write(LogLevel::Debug, "is not kept");
        }
        assert!(log.wants_to_write() && log.dropped > 0);
        let dropped = log.dropped;
        let mut all = Vec::new();
        let mut reader = std::fs::File::from(reader);
        let mut piece = vec![0; 1 << 16];
        // The next line, once there is room, tells how many are missing.
        while log.wants_to_write() {
            let n = reader.read(&mut piece).unwrap();
            all.extend(&piece[..n]);
            log.flush();
        }
        log.write(LogLevel::Info, "later");
        // Until there is no more: its other end may be open in a process that another test is about to start.
        while let Ok(n @ 1..) = reader.read(&mut piece) {
            all.extend(&piece[..n]);
        }
        let all = String::from_utf8(all).unwrap();
        let lines: Vec<&str> = all.lines().collect();
        assert_eq!(lines.len(), most - dropped + 2);
        for (n, line) in lines[..lines.len() - 2].iter().enumerate() {
            assert!(line.contains(&format!(" INFO {n} x")), "{n}: {:.60}", line);
        }
        let lost = format!(" CRIT {dropped} lines of this log were lost: its disk is too slow");
        assert!(lines[lines.len() - 2].ends_with(&lost) && lines[lines.len() - 1].ends_with(" INFO later"));
    }
}
