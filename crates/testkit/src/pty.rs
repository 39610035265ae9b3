//! A program at a terminal of its own, and somebody who sits there: types, reads, waits for what must come.
//!
//! In: a command. Out: what it writes, as text and as a screen of lines. The terminal is the program's controlling one, so Ctrl-C
//! is the signal that it is for a person. Waits go on behind what was found, so a test tells its story in order.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::termios::{Winsize, tcsetwinsize};

use crate::deadline::{DEADLINE, Deadline, any_readable};
use crate::process::{Process, Signal};
use crate::terminal::Terminal;

/// The program, and the terminal.
#[derive(Debug)]
pub struct Pty {
    terminal: Terminal,
    child: Child,
    process: Process,
    columns: usize,
    seen: Vec<u8>,
    passed: usize,
}

impl Pty {
    /// Starts it in 80 columns. Programs, arguments, environment and directory count; streams are the terminal's.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(command: &Command) -> Self {
        Self::with_columns(command, 80)
    }

    /// The same in a window so wide.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn with_columns(command: &Command, columns: u16) -> Self {
        let terminal = Terminal::for_people();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(terminal.inside(), size).expect("a terminal has a size");
        // A session whose terminal this is; std alone cannot make one.
        let mut at_terminal = Command::new("setsid");
        at_terminal.arg("--ctty").arg("--").arg(command.get_program()).args(command.get_args());
        at_terminal.env_clear().env("TERM", "xterm");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => at_terminal.env(name, value),
                None => at_terminal.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            at_terminal.current_dir(directory);
        }
        let [stdin, stdout, stderr] = std::array::from_fn(|_| Stdio::from(terminal.inside()));
        let child = at_terminal.stdin(stdin).stdout(stdout).stderr(stderr).spawn();
        let child = child.unwrap_or_else(|e| panic!("cannot start {command:?} by setsid(1): {e}"));
        let process = Process::new(i32::try_from(child.id()).expect("a Linux pid fits an i32"));
        Self { terminal, child, process, columns: columns.into(), seen: Vec::new(), passed: 0 }
    }

    /// Has this typed.
    #[track_caller]
    pub fn types(&mut self, text: &str) {
        self.terminal.types(text);
    }

    /// Waits for `text` behind what was waited for last, and returns everything up to its end.
    ///
    /// # Panics
    /// When it has not come at the deadline, or the program has ended without it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Deadline::default();
        loop {
            let new = &self.seen[self.passed..];
            if let Some(at) = new.windows(text.len()).position(|window| window == text.as_bytes()) {
                let end = self.passed + at + text.len();
                let found = String::from_utf8_lossy(&self.seen[self.passed..end]).into_owned();
                self.passed = end;
                return found;
            }
            assert!(
                self.read_some(deadline),
                "{text:?} has not come in {DEADLINE:?}, or its program has ended; there is:\n{:?}",
                String::from_utf8_lossy(&self.seen[self.passed..])
            );
        }
    }

    /// Waits until it ends by itself, and reads the rest.
    ///
    /// # Panics
    /// When it has not ended at the deadline.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let deadline = Deadline::default();
        while self.read_some(deadline) {}
        self.process.wait_until_gone();
        self.child.wait().expect("our own child can be waited for")
    }

    /// The lines that somebody would see who sits there, without blanks at their ends.
    #[must_use]
    pub fn screen(&self) -> Vec<String> {
        screen(&String::from_utf8_lossy(&self.seen), self.columns)
    }

    /// Waits until the last line of the screen that has anything on it is this one.
    ///
    /// # Panics
    /// When it is another one at the deadline.
    #[track_caller]
    pub fn wait_for_last_line(&mut self, line: &str) {
        let deadline = Deadline::default();
        loop {
            let screen = self.screen();
            if screen.iter().rfind(|line| !line.is_empty()).is_some_and(|last| last == line) {
                self.passed = self.seen.len();
                return;
            }
            assert!(self.read_some(deadline), "the last line is not {line:?}:\n{}", screen.join("\n"));
        }
    }

    /// How the terminal is set up, to be compared.
    #[must_use]
    pub fn modes(&self) -> String {
        self.terminal.modes()
    }

    /// Whether the terminal shows what is typed.
    #[must_use]
    pub fn echoes(&self) -> bool {
        self.terminal.echoes()
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Everything that it has written so far.
    #[must_use]
    pub fn all(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// False when nothing has come at the deadline, or nothing can come any more.
    fn read_some(&mut self, deadline: Deadline) -> bool {
        // Asked before reading: what it wrote until its end is read below.
        let is_gone = self.process.is_gone();
        let mut waiting = vec![self.terminal.outside()];
        waiting.extend(if is_gone { None } else { self.process.pidfd() });
        let patience = if is_gone { Deadline::after(std::time::Duration::from_millis(1)) } else { deadline };
        if !any_readable(&waiting, patience) {
            return false;
        }
        if any_readable(&[self.terminal.outside()], Deadline::after(std::time::Duration::from_millis(1))) {
            let mut piece = [0; 4096];
            let n = self.terminal.read(&mut piece).expect("a terminal can be read");
            self.seen.extend_from_slice(&piece[..n]);
        }
        true
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.process.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What becomes of `text` on a screen of so many columns: the few movements that line editors make.
fn screen(text: &str, columns: usize) -> Vec<String> {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{8}' => column = column.saturating_sub(1),
            '\x1b' if letters.next_if_eq(&'[').is_some() => {
                let mut argument = String::new();
                while let Some(letter) = letters.next_if(|letter| !letter.is_ascii_alphabetic()) {
                    argument.push(letter);
                }
                let count = argument.parse().unwrap_or(1);
                match letters.next() {
                    Some('A') => row = row.saturating_sub(count),
                    Some('B') => row += count,
                    Some('C') => column += count,
                    Some('D') => column = column.saturating_sub(count),
                    Some('K') => rows[row].truncate(column),
                    Some('J') => {
                        rows[row].truncate(column);
                        rows.truncate(row + 1);
                    }
                    _ => {}
                }
            }
            letter if letter.is_control() => {}
            letter => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                }
                if rows.len() <= row {
                    rows.resize(row + 1, Vec::new());
                }
                if rows[row].len() <= column {
                    rows[row].resize(column + 1, ' ');
                }
                rows[row][column] = letter;
                column += 1;
            }
        }
        if rows.len() <= row {
            rows.resize(row + 1, Vec::new());
        }
    }
    rows.into_iter().map(|row| row.into_iter().collect::<String>().trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_believes_that_somebody_sits_there() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "test -t 0 && read line </dev/tty && echo \"got $line\"; trap 'exit 7' INT; echo ready; read x",
        ]);
        let mut pty = Pty::start(&command);
        let before = pty.modes();
        pty.types("something\n");
        pty.wait_for("got something\r\n");
        pty.wait_for("ready");
        pty.types("\x03");
        assert_eq!(pty.wait_for_end().code(), Some(7));
        assert_eq!(pty.modes(), before);
    }

    #[test]
    fn what_was_overwritten_is_not_on_the_screen() {
        assert_eq!(screen("abc\r\x1b[Kx\r\n12345\r\x1b[2C_\x1b[Jz", 80), ["x", "12_z"]);
        assert_eq!(screen("abcdef\r\n\x1b[1A\r!", 4), ["abcd", "!f", ""]);
    }
}
