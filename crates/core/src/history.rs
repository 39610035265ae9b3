//! What has happened to a process: its last lives, who wanted it started or stopped, and how often it came back.
//!
//! In: what the machine sees, and two things that it only carries: who asked ([`By`]), and what the shell found out about an
//! end ([`Clue`]). Out: an account for people, of which nothing that is decided here depends. It is part of the
//! [`Memory`](crate::Memory), so an end and what is told of it are written down together, once. Bounded: eight lives.

use std::sync::Arc;

use crate::event::ExitStatus;
use crate::time::Wall;

/// Lives that are told of; older ones are counted only.
pub const MOST_LIVES: usize = 8;

/// Somebody who was let in. The core carries it to where it is told again, and looks at none of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct By {
    /// The name of an account; nothing where nobody asked for one.
    pub user: Option<String>,
    /// An address, or the numbers that the kernel vouches for.
    pub from: String,
    /// The section of the server, `inet_http_server:b`.
    pub door: String,
}

/// Somebody wanted something, at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Nobody where everything stops.
    pub by: Option<Arc<By>>,
    pub at: Wall,
}

/// A signal that somebody had sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub signal: i32,
    pub wish: Wish,
}

/// A start that somebody wanted, and that was no attempt: there was nothing to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub why: Arc<str>,
    pub wish: Wish,
}

/// What the shell knows of an end beyond its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clue {
    /// It never became the program, for this reason.
    NeverRan(Arc<str>),
    /// The kernel was out of memory, where it ran, and killed somebody.
    OutOfMemory,
    /// The kernel was out of memory somewhere on this machine.
    PerhapsOutOfMemory,
}

/// One attempt to have a child, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    pub pid: Option<i32>,
    pub started: Wall,
    pub ended: Wall,
    /// `None`: there never was a child.
    pub status: Option<ExitStatus>,
    pub expected: bool,
    /// Sooner than `startsecs` allow.
    pub too_quick: bool,
    /// Why there was no child.
    pub failure: Option<Arc<str>>,
    pub clue: Option<Clue>,
    /// It was to stop.
    pub stopped: Option<Wish>,
    /// It did not stop in time, and got SIGKILL.
    pub killed: bool,
    /// The last signal that somebody had sent it.
    pub sent: Option<Sent>,
    pub then: Then,
}

/// What followed from an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It stays down.
    Nothing,
    Restart,
    /// Another attempt after one that failed.
    Retry,
    /// So many attempts in a row had failed.
    GivenUp(u32),
    /// More restarts than `startlimit` allows.
    TooManyRestarts,
}

/// All that is told of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Oldest first.
    pub lives: Arc<[Life]>,
    /// How often it was tried to start it, and how often it was started again by itself after it had ended.
    pub attempts: u32,
    pub restarts: u32,
    /// Since when that is counted.
    pub since: Option<Wall>,
    /// Who last started it, if it was not started by itself.
    pub starter: Option<Wish>,
    /// Who stopped it, or wants that; nothing any more when it is started.
    pub stopper: Option<Wish>,
    /// The last start that was refused, since there was an attempt.
    pub refused: Option<Refused>,
    /// What somebody had sent to the child that lives.
    pub sent: Option<Sent>,
    /// The child that lives has got SIGKILL, as it did not stop in time.
    pub killed: bool,
}

impl History {
    /// Another attempt begins.
    pub(crate) fn begins(&mut self, at: Wall) {
        self.attempts = self.attempts.saturating_add(1);
        self.since = self.since.or(Some(at));
        (self.sent, self.killed, self.refused) = (None, false, None);
    }

    pub(crate) fn ends(&mut self, life: Life) {
        let too_old = (self.lives.len() + 1).saturating_sub(MOST_LIVES);
        self.lives = self.lives.iter().skip(too_old).cloned().chain([life]).collect();
        (self.sent, self.killed) = (None, false);
    }
}
