//! What a supervisor tells the world: events for listeners, notes for the main log.
//!
//! Both are facts, not texts; `daemon` writes the lines that people grep for.

use std::sync::Arc;
use std::time::Duration;

use provost_config::LogLevel;

use crate::process::State;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    Code(i32),
    Signal {
        number: i32,
        core_dumped: bool,
    },
    /// It was not our child, and nobody could tell. Never an expected end.
    Unknown,
}

impl ExitStatus {
    /// The number that Supervisor reports: the exit code, or -1 for a signal (SPEC 3.2), and for what is unknown.
    pub fn number(self) -> i32 {
        match self {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal { .. } | ExitStatus::Unknown => -1,
        }
    }
}

/// Something published to event listeners (SPEC 8.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    ProcessState {
        process: Arc<str>,
        group: Arc<str>,
        from: State,
        to: State,
        detail: StateDetail,
    },
    /// Somebody from outside has something to tell.
    RemoteCommunication {
        kind: String,
        data: String,
    },
    GroupAdded {
        group: Arc<str>,
    },
    GroupRemoved {
        group: Arc<str>,
    },
    SupervisorRunning,
    SupervisorStopping,
}

/// What a state event carries besides the states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateDetail {
    None,
    Tries(u32),
    Pid(i32),
    Exited { expected: bool, pid: i32 },
}

/// A line for the main log (SPEC 4.1). Names are process names, without the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Spawned {
        name: Arc<str>,
        pid: i32,
    },
    SpawnError {
        text: String,
    },
    Success {
        name: Arc<str>,
        startsecs: i64,
    },
    GaveUp {
        name: Arc<str>,
    },
    /// It ran and ended once more than `startlimit` allows: FATAL.
    RestartedTooOften {
        name: Arc<str>,
        restarts: u16,
        within: Duration,
    },
    /// Everything stops for the sake of a program, and with its status.
    Leaving {
        name: Arc<str>,
        reason: Reason,
        status: u8,
    },
    Exited {
        name: Arc<str>,
        status: ExitStatus,
        expected: bool,
    },
    Stopped {
        name: Arc<str>,
        status: ExitStatus,
        expected: bool,
    },
    StopFromBackoff {
        name: Arc<str>,
    },
    /// The stop signal goes out.
    Stopping {
        name: Arc<str>,
        pid: i32,
        signal: i32,
        group: bool,
    },
    /// It did not stop in time.
    Killing {
        name: Arc<str>,
        pid: i32,
    },
    /// Somebody has something to say there.
    Message {
        level: LogLevel,
        text: String,
    },
    Signalling {
        name: Arc<str>,
        pid: i32,
        signal: i32,
    },
    KillFailed {
        name: Arc<str>,
        pid: i32,
        reason: String,
    },
    WaitingToStop {
        name: Arc<str>,
    },
    WaitingToDie {
        names: Vec<Arc<str>>,
    },
    SignalReceived {
        signal: i32,
        effect: SignalEffect,
    },
    Orphan {
        pid: i32,
        status: ExitStatus,
    },
    /// A restart was asked for with a configuration that would not start.
    RestartRefused {
        reason: String,
    },
    /// A child of an earlier brain was taken over.
    Adopted {
        name: Arc<str>,
        pid: i32,
    },
    /// A child of an earlier brain belongs to no configured process and is left alone.
    NotAdopted {
        group: String,
        process: String,
        pid: i32,
    },
}

/// Why the supervisor ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The program is essential, and has ended for good.
    Essential,
    /// `exit_on=fatal`: the program is FATAL.
    Fatal,
    /// `exit_on=exited`: the program has ended for good.
    Exited,
    /// `exit_on=all_exited`: nothing is left. The program is the first that failed, or else the last.
    AllExited,
}

/// What a signal to the supervisor does (SPEC 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalEffect {
    Exit,
    Restart,
    /// A restart while a shutdown is in progress.
    RestartIgnored,
    ReopenLogs,
}
