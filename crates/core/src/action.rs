//! What a supervisor can want.

use std::sync::Arc;
use std::time::Duration;

use provost_config::{PoolConfig, ProcessConfig};

use crate::command::{LogDeed, Reply};
use crate::event::{Event, Note};
use crate::ids::{AskId, ChildId, ProcessId};
use crate::memory::Memory;

/// Please do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Say whether the program could be started at all; answered by `Input::Resolved`.
    Resolve { process: ProcessId, config: Arc<ProcessConfig> },
    /// Settle where the process writes; answered by `Input::LogsPrepared`.
    PrepareLogs { process: ProcessId, group: Arc<str>, config: Arc<ProcessConfig> },
    /// Do this to the process's log files; answered by `Input::LogsDone`.
    Logs { process: ProcessId, deed: LogDeed },
    /// Do this to the main log; answered by `Input::MainLogDone`.
    MainLog { ask: AskId, deed: LogDeed },
    /// Start the program; answered by `Input::Spawned` or `Input::SpawnFailed`.
    Spawn { child: ChildId, process: ProcessId, group: Arc<str>, config: Arc<ProcessConfig> },
    /// When the child ends like this, having lived so long, let `next` take its place at once, without asking;
    /// `Input::Exited` tells.
    Relaunch { child: ChildId, next: ChildId, on: RelaunchOn, after: Duration },
    /// When the child ends, that is that. It may be too late.
    NoRelaunch { child: ChildId },
    /// The child that has taken another one's place is this process's; answered by `Input::Spawned`.
    TakeOver { child: ChildId, process: ProcessId },
    /// A child of an earlier brain is this process's now: go on with its output.
    Adopt { child: ChildId, process: ProcessId, config: Arc<ProcessConfig> },
    /// Write this to the child's standard input, behind what still waits there; answered by `Input::StdinSent`, also
    /// where the child has ended meanwhile.
    SendStdin { ask: AskId, process: ProcessId, child: ChildId, chars: String },
    /// Signal the child; answered only if that fails.
    Kill { child: ChildId, signal: i32, target: KillTarget },
    /// Keep this for a later brain.
    Remember { process: ProcessId, group: Arc<str>, name: Arc<str>, memory: Box<Memory> },
    /// Keep for a later brain that everything is to stop, and what then.
    RememberEnding(Ending),
    /// The child's end is recorded: let go of it.
    Forget { child: ChildId },
    /// Read the configuration again; answered by `Input::ConfigRead`.
    ReadConfig { ask: Option<AskId>, purpose: ReadFor },
    /// Read a program that no file knows, for this group; answered by `Input::ProgramRead`.
    ReadProgram { ask: AskId, group: Arc<str>, program: String, options: Vec<(String, String)> },
    /// What was read for this ask is there from now on: a later brain must know.
    KeepProgram { ask: AskId },
    /// The process is gone from its group, which stays: a later brain must not look for it.
    ForgetProcess { process: ProcessId, group: Arc<str>, name: Arc<str> },
    /// The group is of the configuration last read now, without these processes: a later brain must know, before anything of
    /// it is started. It stands behind all others if it has `moved`.
    RenewGroup { group: Arc<str>, moved: bool, gone: Vec<(ProcessId, Arc<str>)> },
    /// The process goes on as it is, with another configuration.
    Reconfigure { process: ProcessId, config: Arc<ProcessConfig> },
    /// There is a pool of listeners, and this is what it is; one that is there already goes on as this, with all that waits
    /// in it. The processes are told in the order of the configuration.
    OpenPool { group: Arc<str>, config: Arc<PoolConfig>, processes: Vec<Arc<str>> },
    /// The pool is no more, nor is what waits in it. Nobody of it lives.
    ClosePool { group: Arc<str> },
    /// The child is a listener that is RUNNING now, and may be told of events; or it no longer is. Of one of which nothing
    /// has been said it may not.
    MayHear { child: ChildId, may: bool },
    /// Try the program file that is on disk now; answered by `Input::UpgradeFailed`, or by nothing at all: then another
    /// brain goes on, and whoever asked has been answered.
    Upgrade { ask: AskId, patience: Duration },
    /// Reopen every log file by its name.
    ReopenLogs,
    /// Tell listeners and subscribers.
    Publish(Event),
    /// Write a line to the main log.
    Note(Note),
    /// Answer whoever asked.
    Reply { ask: AskId, reply: Reply },
    /// Nothing runs any more.
    Finish(Ending),
}

/// The ends after which a child is replaced at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelaunchOn {
    AnyEnd,
    /// Any but an exit with one of these codes.
    OtherThan(Vec<u8>),
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillTarget {
    Process,
    /// The process group that the child leads.
    Group,
}

/// Why the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFor {
    /// To know what has changed.
    Reread,
    /// To tell what would change, without any consequence.
    Compare,
    /// To know whether a restart would succeed, before anything is stopped.
    Restart,
}

/// How it all ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status: 0 where somebody asked for it.
    Exit { status: u8 },
    /// Start afresh under the same pid.
    Renew,
}
