//! Following a text file line by line, woken by inotify.
//!
//! In: a path, which need not exist yet. Out: its complete lines, and waits for
//! the line a test is interested in. Reading goes on from a cursor that every
//! satisfied wait moves behind the line it found, so a test tells its story in
//! order. Not here: rotation; the logs of tests are smaller than any limit.

use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify;
use rustix::io::Errno;

use crate::deadline::{Deadline, any_readable};
use crate::process::Process;

/// A growing file of lines.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    wakeups: OwnedFd,
    file: Option<File>,
    unfinished: Vec<u8>,
    lines: Vec<String>,
    cursor: usize,
}

impl Lines {
    /// Follows `path` from its beginning. Its directory must exist.
    ///
    /// # Panics
    /// When the directory cannot be watched.
    #[must_use]
    #[track_caller]
    pub fn follow(path: &Path) -> Self {
        let directory = path.parent().expect("a log file lies in a directory");
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let wakeups = inotify::init(flags).expect("a test needs one inotify instance per log");
        // The directory, not the file: this also tells when the file comes to be.
        let watch = inotify::WatchFlags::CREATE | inotify::WatchFlags::MODIFY | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&wakeups, directory, watch)
            .unwrap_or_else(|e| panic!("cannot watch {}: {e}", directory.display()));
        Self {
            path: path.to_owned(),
            wakeups,
            file: None,
            unfinished: Vec::new(),
            lines: Vec::new(),
            cursor: 0,
        }
    }

    /// Waits for a line that contains `text`, returns it, and moves on behind it.
    ///
    /// # Panics
    /// When none comes before the deadline.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_until(&format!("a line with {text:?}"), |line| line.contains(text))
    }

    /// Waits for lines that contain each of `texts`, in whatever order they come,
    /// and moves on behind the last of them.
    ///
    /// # Panics
    /// When one of them is missing at the deadline.
    #[track_caller]
    pub fn wait_for_all(&mut self, texts: &[&str]) {
        let start = self.cursor;
        let mut end = start;
        for text in texts {
            self.cursor = start;
            self.wait_for(text);
            end = end.max(self.cursor);
        }
        self.cursor = end;
    }

    /// Waits for a line that satisfies `wanted`; `what` names it in the panic.
    ///
    /// # Panics
    /// When none comes before the deadline.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Deadline::default();
        match self.next_matching(wanted, deadline) {
            Some(line) => line,
            None => panic!(
                "{what} has not come in {:?}; {} says:\n{}",
                crate::DEADLINE,
                self.path.display(),
                self.lines.join("\n")
            ),
        }
    }

    /// Like [`Lines::wait_until`] with its own deadline; `None` when that passes.
    pub fn next_matching(&mut self, wanted: impl Fn(&str) -> bool, deadline: Deadline) -> Option<String> {
        self.search(wanted, deadline, None)
    }

    /// Like [`Lines::next_matching`], but gives up too when the writer has ended.
    pub(crate) fn next_of_living(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        deadline: Deadline,
        writer: &Process,
    ) -> Option<String> {
        self.search(wanted, deadline, Some(writer))
    }

    fn search(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        deadline: Deadline,
        writer: Option<&Process>,
    ) -> Option<String> {
        let mut seen = self.cursor;
        loop {
            // Asked before reading: what it wrote until its end is read below.
            let ended = writer.is_some_and(Process::is_gone);
            self.read_new();
            if let Some(at) = (seen..self.lines.len()).find(|at| wanted(&self.lines[*at])) {
                self.cursor = at + 1;
                return Some(self.lines[at].clone());
            }
            seen = self.lines.len();
            let mut wakeups = vec![self.wakeups.as_fd()];
            wakeups.extend(writer.and_then(Process::pidfd));
            if ended || !any_readable(&wakeups, deadline) {
                return None;
            }
            self.drain_wakeups();
        }
    }

    /// Moves on behind everything that is there: later waits want something new.
    pub fn skip_to_now(&mut self) {
        self.read_new();
        self.cursor = self.lines.len();
    }

    /// Every complete line so far, whatever the cursor has passed.
    pub fn all(&mut self) -> &[String] {
        self.read_new();
        &self.lines
    }

    /// Where the next wait begins.
    pub(crate) fn place(&self) -> usize {
        self.cursor
    }

    /// Waits again for what has been passed since.
    pub(crate) fn go_back_to(&mut self, place: usize) {
        self.cursor = place;
    }

    fn read_new(&mut self) {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return };
        file.read_to_end(&mut self.unfinished)
            .unwrap_or_else(|e| panic!("cannot read {}: {e}", self.path.display()));
        let mut start = 0;
        while let Some(length) = self.unfinished[start..].iter().position(|byte| *byte == b'\n') {
            let line = &self.unfinished[start..start + length];
            self.lines.push(String::from_utf8_lossy(line).into_owned());
            start += length + 1;
        }
        self.unfinished.drain(..start);
    }

    /// What the events say does not matter; that something happened does.
    fn drain_wakeups(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.wakeups, &mut buffer);
        loop {
            match reader.next() {
                Ok(_) => {}
                Err(Errno::AGAIN) => return,
                Err(error) => panic!("cannot read the inotify queue: {error}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::Sandbox;

    #[test]
    fn lines_of_a_file_that_comes_later_are_found_in_order() {
        let sandbox = Sandbox::new();
        let path = sandbox.file("log");
        let mut lines = Lines::follow(&path);
        let writer = std::thread::spawn(move || {
            let mut file = File::create(path).unwrap();
            for part in ["one\ntw", "o\n", "three\none again\n"] {
                file.write_all(part.as_bytes()).unwrap();
            }
        });
        assert_eq!(lines.wait_for("two"), "two");
        assert_eq!(lines.wait_for("one"), "one again");
        writer.join().unwrap();
        assert_eq!(lines.all(), ["one", "two", "three", "one again"]);
    }

    #[test]
    fn what_comes_in_any_order_is_waited_for_together() {
        let sandbox = Sandbox::new();
        fs::write(sandbox.file("log"), "b\na\nc\n").unwrap();
        let mut lines = Lines::follow(&sandbox.file("log"));
        lines.wait_for_all(&["a", "b"]);
        assert_eq!(lines.wait_for(""), "c");
    }

    #[test]
    fn what_was_skipped_is_not_found_again() {
        let sandbox = Sandbox::new();
        let path = sandbox.file("log");
        fs::write(&path, "a 1\n").unwrap();
        let mut lines = Lines::follow(&path);
        lines.skip_to_now();
        fs::write(&path, "a 1\na 2\n").unwrap();
        assert_eq!(lines.wait_for("a"), "a 2");
    }

    #[test]
    fn an_unfinished_line_is_no_line() {
        let sandbox = Sandbox::new();
        fs::write(sandbox.file("log"), "half").unwrap();
        let mut lines = Lines::follow(&sandbox.file("log"));
        let soon = Deadline::after(Duration::from_millis(20));
        assert_eq!(lines.next_matching(|_| true, soon), None);
    }
}
