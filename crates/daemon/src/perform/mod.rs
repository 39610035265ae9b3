//! Carrying out what the core wants: one arm per action.
//!
//! Whatever is known at once becomes an input again and is returned; whatever takes time is begun, and its
//! outcome arrives later through the loop. Nothing here decides anything.
//!
//! `children.rs` is a child's story, `outputs.rs` where programs write, `keeping.rs` what the next brain is left.

mod children;
mod keeping;
mod outputs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use provost_api::{Asker, Herald};
use provost_config::{CliOverrides, LogLevel};
use provost_core::{Action, AskId, ChildId, Ending, Event, Input, LogDeed, ProcessId, ReadFor};
use provost_host::Host;
use provost_keeper::{Link, LinkError, ToKeeper};

use children::{Child, nanoseconds, relaunch};
use outputs::Logs;

use crate::audit::{AuditFile, Deed, Entry};
use crate::clock;
use crate::effective::{Effective, Reading};
use crate::events::{self, Listeners};
use crate::fcgi::FcgiSockets;
use crate::launch::{self, Launcher};
use crate::leftovers::Record;
use crate::logs::auto::AutoLogs;
use crate::logs::{MainLog, Order, Pump, Telling};
use crate::memory::Memory;
use crate::notes;
use crate::shortage::Shortage;
use crate::stdin::Stdins;
use crate::twiddled::Program;
use crate::upgrade;

pub(crate) use children::Adoptable;

/// How a configuration is read again.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) overrides: CliOverrides,
    pub(crate) host: Host,
}

impl Source {
    pub(crate) fn read(&self) -> Result<Reading, String> {
        Reading::of(&self.path, &self.overrides, &self.host).map_err(|e| e.to_string())
    }
}

/// Everything that can be acted upon.
#[derive(Debug)]
pub(crate) struct Hands {
    pub(crate) link: Link,
    pub(crate) pump: Pump,
    pub(crate) log: MainLog,
    pub(crate) launcher: Launcher,
    pub(crate) auto_logs: AutoLogs,
    pub(crate) source: Source,
    pub(crate) memory: Memory,
    /// What runs, for the day when the keeper is killed.
    pub(crate) record: Option<Record>,
    /// Who waits for a reply, and what the audit will say of it.
    pub(crate) asks: BTreeMap<AskId, (Asker, Option<Deed>)>,
    pub(crate) herald: Option<Herald>,
    pub(crate) audit_file: Option<AuditFile>,
    pub(crate) adoptable: BTreeMap<ChildId, Adoptable>,
    logs: BTreeMap<ProcessId, Logs>,
    children: BTreeMap<ChildId, Child>,
    pub(crate) fcgi: FcgiSockets,
    pub(crate) stdins: Stdins,
    pub(crate) listeners: Listeners,
    pub(crate) effective: Effective,
    /// What has been said of the configuration in force.
    pub(crate) advised: BTreeSet<String>,
    pub(crate) upgrade: upgrade::Progress,
    /// Groups that are about to be exchanged, and what was remembered of the old ones.
    exchanged: BTreeMap<Arc<str>, Vec<ProcessId>>,
    /// Programs that have been read, until the core has taken them.
    unkept: BTreeMap<AskId, Program>,
    /// What programs have said and the main log has yet to take.
    copied: Vec<Telling>,
    shortage: Shortage,
    /// `[supervisord] strip_ansi`.
    pub(crate) strip_ansi: bool,
}

impl Hands {
    pub(crate) fn new(
        link: Link,
        pump: Pump,
        log: MainLog,
        launcher: Launcher,
        auto_logs: AutoLogs,
        source: Source,
        (memory, effective, listeners): (Memory, Effective, Listeners),
    ) -> Hands {
        let (asks, adoptable, logs, children, fcgi, stdins, advised) = Default::default();
        let (upgrade, exchanged, unkept, copied) = Default::default();
        Hands {
            link,
            pump,
            log,
            launcher,
            auto_logs,
            source,
            memory,
            record: None,
            asks,
            herald: None,
            audit_file: None,
            adoptable,
            logs,
            children,
            fcgi,
            stdins,
            listeners,
            effective,
            advised,
            upgrade,
            exchanged,
            unkept,
            copied,
            shortage: Shortage::new(),
            strip_ansi: false,
        }
    }

    /// Tells the doors whether the supervisor runs.
    pub(crate) fn tell_doors(&self, runs: bool) {
        if let Some(herald) = &self.herald {
            herald.runs(runs);
        }
    }

    /// What is to be done next, all of it: a group that goes and comes in one step is exchanged.
    pub(crate) fn look_ahead(&mut self, actions: &[Action]) {
        let mut gone = BTreeSet::new();
        for action in actions {
            match action {
                Action::Publish(Event::GroupRemoved { group }) => drop(gone.insert(group)),
                Action::Publish(Event::GroupAdded { group }) if gone.contains(group) => {
                    self.exchanged.insert(Arc::clone(group), Vec::new());
                }
                _ => {}
            }
        }
    }

    /// Whoever watches at the doors looks again.
    pub(crate) fn tell_of_change(&self) {
        if let Some(herald) = &self.herald {
            herald.changed();
        }
    }

    /// Does what is wanted; returns what is known at once, and the ending where this is it.
    pub(crate) fn perform(&mut self, action: Action) -> Result<(Option<Input>, Option<Ending>), LinkError> {
        let input = match action {
            Action::Resolve { process, config } => {
                Some(Input::Resolved { process, result: self.launcher.check(&config) })
            }
            Action::PrepareLogs { process, group, config } => {
                if let Some(socket) = &config.socket {
                    self.fcgi.try_out(&group, socket, &mut self.log);
                }
                let paths = self.prepare_logs(&group, &config);
                self.logs.insert(process, Logs { group, config, paths: paths.clone() });
                Some(Input::LogsPrepared { process, paths })
            }
            Action::Logs { process, deed } => {
                let config = self.logs.get(&process).map(|logs| Arc::clone(&logs.config));
                let outlets = config.map(|config| self.outlets(process, &config)).unwrap_or_default();
                self.order(Order::Logs { process, deed, outlets })?;
                None
            }
            Action::MainLog { ask, deed } => {
                // As Supervisor says it, and where it says it: a copy on standard output keeps it.
                if deed != LogDeed::Rotate {
                    self.log.write(LogLevel::Info, "reopening log file");
                }
                self.order(Order::MainLog { ask, deed })?;
                None
            }
            Action::Spawn { child, process, group, config } => {
                self.begin_spawn(child, process, &group, &config)?
            }
            Action::Adopt { child, process, config } => {
                self.adopt(child, process, &config)?;
                None
            }
            Action::Relaunch { child, next, on, after } => {
                self.link.send(ToKeeper::Relaunch { id: child.0, how: relaunch(next, &on, after) })?;
                None
            }
            Action::NoRelaunch { child } => {
                self.link.send(ToKeeper::NoRelaunch { id: child.0 })?;
                None
            }
            Action::TakeOver { child, process: _ } => self.take_over(child),
            Action::SendStdin { ask, process, child, chars } => {
                self.send_stdin(ask, process, child, chars)?
            }
            Action::Kill { child, signal, target } => {
                self.kill(child, signal, target)?;
                None
            }
            Action::Remember { process, group, name, mut memory } => {
                // A signal that waits here for the keeper dies with us: the next brain had better send it again.
                memory.asked &= !self.link.wants_to_write() && !self.puts_off(process);
                let written = self.memory.remember(process, &group, &name, &memory);
                self.note_memory(written);
                None
            }
            Action::RememberEnding(ending) => {
                self.listeners.everything_ends();
                let written = self.memory.remember_ending(ending);
                self.note_memory(written);
                None
            }
            Action::Forget { child } => {
                let lingers = self.let_go(child)?.is_some_and(|entry| entry.lingers);
                self.listeners.forget(child, &mut self.link)?;
                self.link.send(ToKeeper::Forget { id: child.0, lingers })?;
                None
            }
            Action::ReadConfig { ask, purpose } => {
                self.launcher.forget_identities();
                let result = match self.source.read() {
                    Ok(reading) => {
                        if purpose != ReadFor::Compare {
                            self.advise(&reading.config);
                        }
                        if purpose == ReadFor::Reread {
                            let kept = self.effective.reread(&reading, &mut self.link);
                            self.note_effective(kept)?;
                            self.admit(&reading.config);
                        }
                        Ok(reading.config)
                    }
                    Err(why) => Err(why),
                };
                Some(Input::ConfigRead { ask, purpose, result })
            }
            Action::ReadProgram { ask, group, program, options } => {
                self.launcher.forget_identities();
                let source = (&*self.source.path, &self.source.overrides, &self.source.host);
                let read = self.effective.read_program((&group, &program), options, source);
                let result = read.map(|(program, processes)| {
                    self.unkept.insert(ask, program);
                    processes
                });
                Some(Input::ProgramRead { ask, group, result })
            }
            Action::KeepProgram { ask } => {
                if let Some(program) = self.unkept.remove(&ask) {
                    self.effective.program_added(program);
                }
                None
            }
            Action::ForgetProcess { process, group, name } => {
                self.effective.process_gone(&group, &name);
                // First, as with a group.
                self.write_effective()?;
                self.forget_process(process, &group, &name);
                self.tell_of_change();
                None
            }
            Action::RenewGroup { group, moved, gone } => {
                self.effective.renewed(&group, moved);
                // First, as with a group.
                self.write_effective()?;
                for (process, name) in gone {
                    self.forget_process(process, &group, &name);
                }
                self.tell_of_change();
                None
            }
            Action::Reconfigure { process, config } => {
                self.reconfigure(process, config)?;
                None
            }
            Action::Upgrade { ask, patience } => {
                if let Err(reason) = self.upgrade.begin(ask) {
                    return Ok((Some(Input::UpgradeFailed { ask, reason }), None));
                }
                self.log.write(LogLevel::Info, "an upgrade was asked for: trying the program file");
                self.link.send(ToKeeper::Upgrade { patience_ns: nanoseconds(patience) })?;
                None
            }
            Action::ReopenLogs => {
                self.log.write(LogLevel::Info, "supervisord logreopen");
                self.order(Order::Reopen)?;
                None
            }
            Action::OpenPool { group, config, processes } => {
                self.listeners.open(&group, config, processes, &mut self.link)?;
                None
            }
            Action::ClosePool { group } => {
                self.listeners.bus().close(&group, &mut self.link)?;
                None
            }
            Action::MayHear { child, may } => {
                self.listeners.may_hear(child, may);
                None
            }
            // What people look for in the log are notes of their own.
            Action::Publish(event) => {
                self.listeners.bus().publish(&events::told(&event));
                self.log.write_with(LogLevel::Trace, || events::line(&event));
                self.tell_of_change();
                match event {
                    Event::GroupAdded { group } => match self.exchanged.remove(&group) {
                        Some(old) => {
                            self.effective.renewed(&group, true);
                            // First, as below.
                            self.write_effective()?;
                            self.forget_memories(old);
                        }
                        None => self.effective.added(&group),
                    },
                    // Until it has been announced that the new one is there, the next brain finds the old one, and what of it is to
                    // come back: or it would have a group of which nobody was told.
                    Event::GroupRemoved { group } if self.exchanged.contains_key(&group) => {
                        let gone = self.forget_group(&group);
                        self.exchanged.insert(group, gone);
                    }
                    Event::GroupRemoved { group } => {
                        self.effective.removed(&group);
                        // First, or a brain that dies between the two finds a group that nobody has ever met, and starts it.
                        self.write_effective()?;
                        let gone = self.forget_group(&group);
                        self.forget_memories(gone);
                    }
                    _ => {}
                }
                None
            }
            Action::Note(note) => {
                let (level, text) = notes::line(&note);
                self.log.write(level, &text);
                None
            }
            Action::Reply { ask, reply } => {
                // Nobody is told of what a brain's death would undo.
                self.write_effective()?;
                self.unkept.remove(&ask);
                if let Some((asker, deed)) = self.asks.remove(&ask) {
                    if let Some(deed) = deed {
                        self.audit(&deed.answered(&reply));
                    }
                    asker.answer(reply);
                }
                None
            }
            Action::Finish(ending) => return Ok((None, Some(ending))),
        };
        Ok((input, None))
    }

    pub(crate) fn audit(&mut self, entry: &Entry) {
        self.log.write(LogLevel::Info, &entry.line());
        let said = self.audit_file.as_mut().and_then(|file| file.write(entry, clock::now().wall));
        if let Some(text) = said {
            self.log.write(LogLevel::Warn, &text);
        }
    }

    /// How an upgrade goes.
    pub(crate) fn upgrade_news(&mut self, news: provost_keeper::Upgrade) -> Result<Option<Input>, LinkError> {
        if let provost_keeper::Upgrade::Willing(_) = news {
            self.order(Order::Call)?;
        }
        let Some((ask, reason)) = self.upgrade.hear(news) else { return Ok(None) };
        self.log
            .write(LogLevel::Critical, &format!("the upgrade has failed, everything is as it was: {reason}"));
        Ok(Some(Input::UpgradeFailed { ask, reason }))
    }

    pub(crate) fn keeper_renewed(&mut self, result: Result<(), i32>) {
        match result {
            Ok(()) => self.log.write(LogLevel::Info, "the keeper goes on as the new program, too"),
            Err(errno) => {
                let why = launch::errno_text(errno);
                let text =
                    format!("the keeper goes on as it was, it could not execute the new program: {why}");
                self.log.write(LogLevel::Critical, &text);
            }
        }
    }
}
