//! The state machine of the supervisor: inputs in, actions out, time passed in.
//!
//! [`Supervisor::step`] is told what happened and when, and answers with what it wants done; it
//! never asks, waits, reads a clock or touches the system. Everything that a supervisor decides (when to
//! restart, whom to stop first, what to answer to whom) is decided here, so every run can be replayed.
//!
//! Words, one meaning each: an *input* happened; an *action* is wanted; an *event* is what Supervisor
//! publishes to listeners; a *note* is a line of the main log; a *command* was asked by somebody
//! and gets exactly one *reply*. A *program* is configured, a *process* is our machine, a *child* is a live pid.
//!
//! Deliberately absent: descriptors, threads, HTTP, XML, text for people (the log's lines are written by
//! `daemon`, the faults' by `api`), clocks and randomness.

mod action;
mod ask;
mod command;
mod event;
mod group;
mod history;
mod ids;
mod input;
mod memory;
mod order;
mod outcome;
mod process;
mod supervisor;
mod time;
mod timers;

pub use action::{Action, Ending, KillTarget, ReadFor, RelaunchOn};
pub use command::{
    Command, Configured, Fault, GroupDifference, LogDeed, MAIN_LOG, ProcessHistory, ProcessInfo, Reply,
    Standing, StatusEntry, Target, UpdatedProcess, Upgraded, Which,
};
pub use event::{Event, ExitStatus, Note, Reason, SignalEffect, StateDetail};
pub use group::Active;
pub use history::{By, Clue, History, Life, MOST_LIVES, Refused, Sent, Then, Wish};
pub use ids::{AskId, ChildId, ProcessId};
pub use input::Input;
pub use memory::{Due, Memory};
pub use outcome::{LogPaths, SpawnError, SpawnErrorKind, StdinError};
pub use process::State;
pub use supervisor::{Mood, Supervisor};
pub use time::{Mono, Now, Wall};

// What a reply or an action hands out of the configuration; whoever gets it need not read configurations.
pub use provost_config::{
    AutoRestart, Channel, LogFile, LogLevel, NamePattern, ProcessConfig, ProgramType, signal_name,
};
// Who asks is no affair of the core; how far it reaches is.
pub use provost_config::changes::{Change, Effect, Fate, GroupChanges, ProcessChanges};
pub use provost_config::{Account, Credentials, Permission, Programs, Rights};
