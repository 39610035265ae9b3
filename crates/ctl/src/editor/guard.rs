//! Leaves the terminal as it was found when SIGTERM or SIGHUP ends the shell in the middle of a line.
//!
//! A thread waits for them, because the line editor would not hear of them. It puts the terminal back and lets the signal do
//! what it does.

use std::io;
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

#[derive(Debug)]
pub(super) struct Guard {
    /// How the terminal was found.
    found: Option<Termios>,
    is_watching: bool,
}

impl Guard {
    pub(super) fn new() -> Guard {
        Guard { found: tcgetattr(io::stdin()).ok(), is_watching: false }
    }

    /// Begins, if that has not been done. Without a thread to be had, a terminal is not put back, and that is all.
    pub(super) fn watch(&mut self) {
        let (Some(found), false) = (&self.found, self.is_watching) else { return };
        self.is_watching = true;
        let ends = SigSet::from_iter([Signal::SIGTERM, Signal::SIGHUP]);
        if ends.thread_block().is_err() {
            return;
        }
        let found = found.clone();
        let thread = thread::Builder::new().name("guard".to_owned()).spawn(move || wait(ends, &found));
        if thread.is_err() {
            let _ = ends.thread_unblock();
        }
    }
}

fn wait(ends: SigSet, found: &Termios) {
    // SIGTTOU too: a process in the background may not be stopped by this.
    let _ = SigSet::all().thread_block();
    let Ok(signal) = ends.wait() else { return };
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, found);
    // What tells pasted text apart from typed text is switched off, as at the end of a line.
    let _ = nix::unistd::write(io::stdout(), b"\x1b[?2004l\r\n");
    let _ = SigSet::from(signal).thread_unblock();
    let _ = raise(signal);
}
