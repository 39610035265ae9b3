//! The one set of commands that every door uses, and what may be answered.
//!
//! A new door adds no new meaning: it translates its own language to a [`Command`] and a
//! [`Reply`] back. Who may give which command is decided before it comes here (`api`'s gate); whom it reaches stands in its [`Target`].

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use provost_config::changes::{Fate, GroupChanges};
use provost_config::{LogLevel, Programs};

use crate::event::ExitStatus;
use crate::history::History;
use crate::process::State;
use crate::time::Wall;

/// Somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Is the supervisor running? Legal in every mood; `Fault::ShuttingDown` when it is not.
    Ping,
    /// `Reply::Info`.
    ProcessInfo {
        name: String,
    },
    /// `Reply::History`.
    ProcessHistory {
        name: String,
    },
    /// `Reply::Infos`, sorted by group and process name.
    AllProcessInfo,
    /// `Reply::Done` for one process, `Reply::Statuses` for several.
    Start {
        target: Target,
        wait: bool,
    },
    Stop {
        target: Target,
        wait: bool,
    },
    /// Stop what runs, and when all of that is down start all of it: `Reply::Done` for one process, `Reply::Statuses` for
    /// several. Without `wait` it is answered when the new children have been made.
    Restart {
        target: Target,
        wait: bool,
    },
    /// `signal` is a name or a number, as people write it.
    Signal {
        target: Target,
        signal: String,
    },
    /// Write to the standard input of one process. `Reply::Done` when all of it waits where only the child can take it from.
    SendStdin {
        name: String,
        chars: String,
    },
    /// Tell listeners something from outside. Legal in every mood.
    RemoteEvent {
        kind: String,
        data: String,
    },
    /// `Reply::Done` for one process, `Reply::Statuses` for several. All of them are rotated or opened anew together with
    /// the main log.
    Logs {
        target: Target,
        deed: LogDeed,
    },
    MainLog {
        deed: LogDeed,
    },
    /// Read the configuration and compare: `Reply::Reread`.
    Reread,
    /// Add a group of the configuration last read.
    AddGroup {
        name: String,
    },
    /// Replace a group by that of the configuration last read, in place: only what must be restarted is. `restart_all` restarts
    /// the rest of it, too. `Reply::Updated`, when all that was stopped is there again.
    UpdateGroup {
        name: String,
        restart_all: bool,
    },
    /// Read the configuration and tell what an update would do: `Reply::Compared`. It does not become the one last read.
    CompareConfig,
    /// Remove a group whose processes are all stopped.
    RemoveGroup {
        name: String,
    },
    /// `Reply::Names` of all groups, in start order.
    GroupNames,
    /// Add a program that no file knows to a group: its options, as a section would have them.
    AddProgram {
        group: String,
        program: String,
        options: Vec<(String, String)>,
    },
    /// Take a process that is stopped out of its group.
    RemoveProcess {
        group: String,
        process: String,
    },
    /// Write a line to the main log.
    WriteLog {
        level: LogLevel,
        message: String,
    },
    /// Every process of the configuration last read: `Reply::Configured`.
    AllConfigInfo,
    /// Stop everything and exit. Answered before it begins.
    Shutdown,
    /// Stop everything and start afresh, if the configuration on disk is good.
    Reload,
    /// Go on as the program file that is on disk now, without touching a process: `Reply::Upgraded`.
    Upgrade {
        /// How long the new brain may take to be ready, and then to come up.
        patience: Duration,
    },
}

/// What can be done to log files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogDeed {
    /// Empty them.
    Clear,
    /// Put them aside as the first backup, whatever their size. What is empty, or no regular file, stays.
    Rotate,
    /// Open them anew by their names.
    Reopen,
}

/// As what the main log stands in a list of results, for process and group.
pub const MAIN_LOG: &str = "supervisord";

/// Which processes are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub which: Which,
    /// Those that the asker has to do with. The others are as if they were not there.
    pub programs: Programs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// `name`, `group:name`, and `group:*` or `group:` for all of a group (SPEC 6.4).
    Named(String),
    Group(String),
    /// Each of them a namespec or, where there is no such process or group, a pattern ([`provost_config::NamePattern`]). A process
    /// is meant once, however many of them reach it. `Reply::Statuses` in the order of this list: a word that reaches nobody is
    /// `Fault::BadName` in its place, and the others are carried out.
    Matching(Vec<String>),
    All,
}

impl Target {
    pub fn named(name: impl Into<String>) -> Target {
        Target::whole(Which::Named(name.into()))
    }

    pub fn group(name: impl Into<String>) -> Target {
        Target::whole(Which::Group(name.into()))
    }

    pub fn all() -> Target {
        Target::whole(Which::All)
    }

    pub fn matching(names: impl IntoIterator<Item = impl Into<String>>) -> Target {
        Target::whole(Which::Matching(names.into_iter().map(Into::into).collect()))
    }

    /// For somebody who has to do with all programs.
    fn whole(which: Which) -> Target {
        Target { which, programs: Programs::default() }
    }
}

/// The one answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Done,
    Fault(Fault),
    Statuses(Vec<StatusEntry>),
    Info(Box<ProcessInfo>),
    History(Box<ProcessHistory>),
    Infos(Vec<ProcessInfo>),
    Names(Vec<String>),
    Reread { added: Vec<String>, changed: Vec<String>, removed: Vec<String> },
    Configured(Vec<Configured>),
    Updated(Vec<UpdatedProcess>),
    Compared(Vec<GroupDifference>),
    Upgraded(Upgraded),
}

/// From which version to which. The keeper has followed, or gives the reason why it goes on as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    pub from: String,
    pub to: String,
    pub keeper: Result<(), String>,
}

/// The result for one process of a command to several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEntry {
    pub name: Arc<str>,
    pub group: Arc<str>,
    pub result: Result<(), Fault>,
}

/// What an update has done to one process, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedProcess {
    pub name: Arc<str>,
    pub group: Arc<str>,
    pub fate: Fate,
    /// A child that it had before goes on.
    pub goes_on: bool,
    pub result: Result<(), Fault>,
}

/// What an update would do to one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDifference {
    pub name: String,
    pub standing: Standing,
    pub changes: GroupChanges,
    /// Its processes that run now, and those that do not and would be started.
    pub running: BTreeSet<String>,
    pub starting: BTreeSet<String>,
}

/// How a group of the files stands to those that are active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Added,
    Changed,
    Removed,
}

/// Why a command was refused, or failed (SPEC 6.3). `name` is what the caller wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    ShuttingDown,
    IncorrectParameters { detail: String },
    BadName { name: String },
    BadSignal { signal: String },
    NoFile { detail: String },
    NotExecutable { detail: String },
    Failed { detail: String },
    AbnormalTermination { name: String },
    SpawnError { name: String },
    AlreadyStarted { name: String },
    NotRunning { name: String },
    AlreadyAdded { name: String },
    StillRunning { name: String },
    CantReread { detail: String },
}

/// A process as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    pub name: Arc<str>,
    pub group: Arc<str>,
    pub state: State,
    pub pid: Option<i32>,
    /// When it was last started, and when it last ended.
    pub start: Option<Wall>,
    pub stop: Option<Wall>,
    pub now: Wall,
    pub spawnerr: Option<String>,
    /// `None` while it runs, and after an exit that came too quickly.
    pub exit: Option<ExitStatus>,
    /// How often it was started again by itself after it had ended, since a person started it.
    pub restarts: u32,
    pub stdout_logfile: Option<Arc<Path>>,
    pub stderr_logfile: Option<Arc<Path>>,
}

/// A process as it is now, and what has happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessHistory {
    pub info: ProcessInfo,
    pub history: Arc<History>,
    pub config: Arc<provost_config::ProcessConfig>,
    /// The configuration last read has it, too.
    pub is_configured: bool,
    /// How long until it is looked after again: tried, started, found to be running, killed.
    pub due: Option<Duration>,
}

/// A process as it is configured, and whether its group is active.
#[derive(Debug, Clone, PartialEq)]
pub struct Configured {
    pub group: Arc<str>,
    pub group_priority: i64,
    pub in_use: bool,
    pub config: Arc<provost_config::ProcessConfig>,
    pub logs: Option<crate::outcome::LogPaths>,
}
