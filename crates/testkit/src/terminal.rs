//! A terminal: the end that a program writes to, and the one at which somebody looks, or does not.
//!
//! In: nothing. Out: a path for the program, and what it has written. Nobody reads unless asked to, so a terminal that nobody
//! reads is a stopped one. Not here: sessions, jobs, window sizes; `pty.rs` has them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::deadline::{Deadline, readable};

/// A terminal that changes nothing of what is written to it.
#[derive(Debug)]
pub struct Terminal {
    outside: File,
    /// Kept open, so that the terminal is there whoever closes it.
    inside: File,
    path: PathBuf,
}

impl Terminal {
    /// A new one.
    ///
    /// # Panics
    /// When the system has none left.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        let terminal = Self::for_people();
        let raw = tcgetattr(&terminal.inside).and_then(|mut attributes| {
            attributes.make_raw();
            tcsetattr(&terminal.inside, OptionalActions::Now, &attributes)
        });
        raw.unwrap_or_else(|e| panic!("cannot set up {}: {e}", terminal.path.display()));
        terminal
    }

    /// One that shows what is typed and waits for whole lines, as a person's does.
    ///
    /// # Panics
    /// When the system has none left.
    #[must_use]
    #[track_caller]
    pub fn for_people() -> Self {
        let made = || -> rustix::io::Result<(OwnedFd, PathBuf)> {
            let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
            grantpt(&outside)?;
            unlockpt(&outside)?;
            let path = ptsname(&outside, Vec::new())?;
            Ok((outside, path.to_str().expect("it is called /dev/pts and a number").into()))
        };
        let (outside, path) = made().unwrap_or_else(|e| panic!("cannot make a terminal: {e}"));
        let inside = File::options().read(true).write(true).open(&path);
        let inside = inside.unwrap_or_else(|e| panic!("cannot open {}: {e}", path.display()));
        Self { outside: outside.into(), inside, path }
    }

    /// Its name for programs.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The end for programs, once more.
    ///
    /// # Panics
    /// When there are no descriptors left.
    #[must_use]
    pub fn inside(&self) -> File {
        self.inside.try_clone().expect("a descriptor can be had")
    }

    /// Has this typed.
    ///
    /// # Panics
    /// When the terminal takes no more.
    #[track_caller]
    pub fn types(&mut self, text: &str) {
        self.outside.write_all(text.as_bytes()).expect("a terminal can be typed on");
    }

    /// Whether it shows what is typed.
    ///
    /// # Panics
    /// Never: it is a terminal.
    #[must_use]
    pub fn echoes(&self) -> bool {
        let attributes = tcgetattr(&self.inside).expect("it is a terminal");
        attributes.local_modes.contains(LocalModes::ECHO)
    }

    /// How it is set up, to be compared with how it was.
    ///
    /// # Panics
    /// Never: it is a terminal.
    #[must_use]
    pub fn modes(&self) -> String {
        let attributes = tcgetattr(&self.inside).expect("it is a terminal");
        format!("{:?} {:?} {:?}", attributes.input_modes, attributes.output_modes, attributes.local_modes)
    }

    /// To be waited for.
    pub(crate) fn outside(&self) -> BorrowedFd<'_> {
        self.outside.as_fd()
    }

    /// Reads what has been written, until `enough` of it is there.
    ///
    /// # Panics
    /// When it does not come before the deadline.
    #[track_caller]
    pub fn read_until(&mut self, mut enough: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        let mut all = Vec::new();
        let mut piece = [0; 4096];
        let deadline = Deadline::default();
        while !enough(&all) {
            let has_come = readable(&self.outside, deadline);
            assert!(has_come, "{} bytes have come, and no more do", all.len());
            let n = self.outside.read(&mut piece).expect("a terminal can be read");
            all.extend_from_slice(&piece[..n]);
        }
        all
    }

    /// Whether nothing comes for so long.
    #[must_use]
    pub fn is_silent_for(&self, time: Duration) -> bool {
        !readable(&self.outside, Deadline::after(time))
    }
}

impl Read for Terminal {
    fn read(&mut self, piece: &mut [u8]) -> std::io::Result<usize> {
        self.outside.read(piece)
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_inside_is_read_outside_as_it_is() {
        let mut terminal = Terminal::new();
        assert!(terminal.is_silent_for(Duration::from_millis(1)));
        let mut program = File::options().write(true).open(terminal.path()).unwrap();
        program.write_all(b"one\ntwo\x03\n").unwrap();
        terminal.inside().write_all(b"three").unwrap();
        assert_eq!(terminal.read_until(|all| all.len() >= 14), b"one\ntwo\x03\nthree");
    }
}
