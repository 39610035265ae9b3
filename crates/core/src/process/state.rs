//! The eight states of a process, and the story that connects them (SPEC 3.1, 3.2).
//!
//! A process begins STOPPED. A start, asked for or automatic, makes it STARTING: a child is wanted. If
//! the child stays for `startsecs` it is RUNNING. If it ends sooner, or never came to be, the attempt has
//! failed and the process waits in BACKOFF, one second after the first failure, two after the second (`backoff` and
//! its kin change that); after `startretries` retries it is FATAL, and only a person starts it again.
//! A `oneshot` program that ends sooner with an expected code has not failed: it is RUNNING and at once EXITED.
//!
//! A child that ends while RUNNING leaves the process EXITED; `autorestart` and `exitcodes` decide whether it becomes
//! STARTING again: at once if the child lived for a second, else when that second is over, so that a program
//! that ends immediately can never become a thousand forks a second. `restartpause` makes it wait longer. One that
//! has been restarted too often (`startlimit`) goes from EXITED to FATAL instead; Supervisor's table has no such way,
//! but listeners know both events, and take the previous state from the event itself.
//!
//! A stop makes it STOPPING: the stop signal is sent, and SIGKILL after each further `stopwaitsecs`, until the child is
//! gone and the process is STOPPED. The kernel may refuse a signal (another user's process): the process
//! is then UNKNOWN, still watched, and STOPPED when the child ends.
//!
//! ```text
//!               start            startsecs            ends
//!   STOPPED ───────────▶ STARTING ──────────▶ RUNNING ──────▶ EXITED
//!      ▲   ▲               │  ▲ ▲                │              │ │
//!      │   │          ends │  │ └── autorestart ─┼──────────────┘ │
//!      │   │               ▼  │ retry            │ stop      start │
//!      │   └────stop─── BACKOFF ── too often ──▶ │ FATAL ─────────┴─▶ STARTING
//!      │ ends                                    │   ▲
//!      │                                         ▼   └── startlimit ── EXITED
//!      └────────────────────────────────────  STOPPING (SIGKILL after stopwaitsecs)
//! ```

/// Where a process stands. The numbers are Supervisor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Stopped = 0,
    Starting = 10,
    Running = 20,
    Backoff = 30,
    Stopping = 40,
    Exited = 100,
    Fatal = 200,
    Unknown = 1000,
}

impl State {
    pub const ALL: [State; 8] = [
        State::Stopped,
        State::Starting,
        State::Running,
        State::Backoff,
        State::Stopping,
        State::Exited,
        State::Fatal,
        State::Unknown,
    ];

    /// The number that clients see.
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The name that clients and logs see.
    pub fn name(self) -> &'static str {
        match self {
            State::Stopped => "STOPPED",
            State::Starting => "STARTING",
            State::Running => "RUNNING",
            State::Backoff => "BACKOFF",
            State::Stopping => "STOPPING",
            State::Exited => "EXITED",
            State::Fatal => "FATAL",
            State::Unknown => "UNKNOWN",
        }
    }

    /// Counts as started: a start is refused, a stop is possible.
    pub fn is_running(self) -> bool {
        matches!(self, State::Starting | State::Running | State::Backoff)
    }

    /// Counts as stopped: nothing to wait for.
    pub fn is_stopped(self) -> bool {
        matches!(self, State::Stopped | State::Exited | State::Fatal | State::Unknown)
    }

    /// May be sent a signal.
    pub fn is_signallable(self) -> bool {
        matches!(self, State::Starting | State::Running | State::Stopping)
    }

    /// Whether the machine may go from here to there (SPEC 3.2, and UNKNOWN's way back).
    pub fn may_become(self, next: State) -> bool {
        use State::*;
        match (self, next) {
            (Stopped | Exited | Fatal | Backoff, Starting) => true,
            (Starting, Running | Backoff | Stopping) => true,
            (Running, Exited | Stopping) => true,
            (Backoff, Fatal | Stopped) => true,
            // Restarted too often (`startlimit`).
            (Exited, Fatal) => true,
            (Stopping, Stopped) => true,
            (Starting | Running | Stopping, Unknown) => true,
            (Unknown, Stopped) => true,
            // Every other pair is a mistake.
            _ => false,
        }
    }
}
