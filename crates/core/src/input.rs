//! What can happen to a supervisor.

use std::sync::Arc;

use provost_config::{Config, ProcessConfig};

use crate::action::{Ending, ReadFor};
use crate::command::{Command, LogDeed};
use crate::event::ExitStatus;
use crate::history::{By, Clue};
use crate::ids::{AskId, ChildId, ProcessId};
use crate::memory::Memory;
use crate::outcome::{LogPaths, SpawnError, StdinError};
use crate::time::Now;

/// It happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// Start-up is complete: adopted children have been told, autostart may begin.
    Begin,
    /// A child of an earlier brain still runs (told before `Begin`).
    Adopt { group: String, process: String, child: ChildId, pid: i32, started: Now },
    /// What an earlier brain knew of a process (told before `Begin`, after its child if that lives).
    Recall { group: String, process: String, memory: Box<Memory> },
    /// An earlier brain was stopping everything (told just before `Begin`).
    RecallEnding(Ending),
    /// Somebody asks; answered by exactly one `Action::Reply` with the same id.
    Command(AskId, Arc<By>, Command),
    /// The answer to `Action::Resolve`.
    Resolved { process: ProcessId, result: Result<(), SpawnError> },
    /// The answer to `Action::PrepareLogs`.
    LogsPrepared { process: ProcessId, paths: LogPaths },
    /// The answer to `Action::Logs`, with the text of what prevented it.
    LogsDone { process: ProcessId, deed: LogDeed, result: Result<(), String> },
    /// The answer to `Action::MainLog`, likewise.
    MainLogDone { ask: AskId, result: Result<(), String> },
    /// The answer to `Action::SendStdin`.
    StdinSent { ask: AskId, process: ProcessId, result: Result<(), StdinError> },
    /// The answer to `Action::Spawn`: it runs.
    Spawned { child: ChildId, pid: i32, at: Now },
    /// The answer to `Action::Spawn`: there is no child.
    SpawnFailed { child: ChildId, error: SpawnError },
    /// The child has ended, at this time, and its output has been written down. `next` has taken its place, where
    /// `Action::Relaunch` had been in force.
    Exited { child: ChildId, status: ExitStatus, at: Now, next: Option<ChildId>, clue: Option<Clue> },
    /// A signal could not be sent, with the text of the reason.
    KillFailed { child: ChildId, reason: String },
    /// The answer to `Action::ReadConfig`: the new configuration, or what is wrong with it.
    ConfigRead { ask: Option<AskId>, purpose: ReadFor, result: Result<Arc<Config>, String> },
    /// The answer to `Action::ReadProgram`: its processes, or what is wrong with its options.
    ProgramRead { ask: AskId, group: Arc<str>, result: Result<Vec<Arc<ProcessConfig>>, String> },
    /// The answer to `Action::Upgrade`: everything is as it was, for this reason.
    UpgradeFailed { ask: AskId, reason: String },
    /// The supervisor itself got this signal.
    Signal(i32),
    /// A stranger was reaped.
    Orphan { pid: i32, status: ExitStatus },
    /// A deadline has passed.
    Wake,
}
