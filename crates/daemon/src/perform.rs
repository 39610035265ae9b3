//! Carrying out what the core wants: one arm per action.
//!
//! Whatever is known at once becomes an input again and is returned; whatever takes time is begun, and its
//! outcome arrives later through the loop. Nothing here decides anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use provost_api::Asker;
use provost_config::{AutoRestart, Channel, CliOverrides, Config, LogFile, LogLevel, ProcessConfig};
use provost_core::{
    Action, AskId, ChildId, Ending, Event, ExitStatus, Input, KillTarget, LogPaths, Now, ProcessId,
    SpawnError, SpawnErrorKind,
};
use provost_host::Host;
use provost_keeper::{Link, LinkError, Pipes, Plan, Target, ToKeeper};

use crate::launch::{self, Launcher, PlanNames};
use crate::logs::auto::AutoLogs;
use crate::logs::{Destination, MainLog, Order, Output, Pump};
use crate::memory::Memory;
use crate::notes;

/// How a configuration is read again.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) overrides: CliOverrides,
    pub(crate) host: Host,
}

impl Source {
    pub(crate) fn read(&self) -> Result<Config, String> {
        provost_config::load(&self.path, &self.overrides, &self.host).map_err(|e| e.to_string())
    }
}

/// A child between the wish for it and the end of its story.
#[derive(Debug)]
struct Child {
    names: PlanNames,
    process: ProcessId,
    stage: Stage,
    /// Where its successor would write, as long as one may follow at once: nobody has asked it to stop.
    ahead: Option<Vec<(Output, Destination)>>,
}

#[derive(Debug)]
enum Stage {
    /// Its log files are being opened; signals that came meanwhile follow the spawn.
    Opening { plan: Box<Plan>, signals: Vec<(i32, KillTarget)> },
    /// With the keeper.
    Running,
    /// Its last output is being written down.
    Draining { status: ExitStatus, at: Now },
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
    pub(crate) asks: BTreeMap<AskId, Asker>,
    /// Pipes of children that an earlier brain started, until it is known whose they are.
    pub(crate) adoptable: BTreeMap<ChildId, Pipes>,
    /// By process, with the name of its group.
    logs: BTreeMap<ProcessId, (Arc<str>, LogPaths)>,
    children: BTreeMap<ChildId, Child>,
    /// What has been said of the configuration in force.
    pub(crate) advised: BTreeSet<String>,
    /// Processes whose files the pump has opened ahead.
    opened_ahead: BTreeSet<ProcessId>,
}

impl Hands {
    pub(crate) fn new(
        link: Link,
        pump: Pump,
        log: MainLog,
        launcher: Launcher,
        auto_logs: AutoLogs,
        source: Source,
        memory: Memory,
    ) -> Hands {
        let (asks, adoptable, logs, children, advised, opened_ahead) = Default::default();
        Hands {
            link,
            pump,
            log,
            launcher,
            auto_logs,
            source,
            memory,
            asks,
            adoptable,
            logs,
            children,
            advised,
            opened_ahead,
        }
    }

    /// Does what is wanted; returns what is known at once, and the ending where this is it.
    pub(crate) fn perform(&mut self, action: Action) -> Result<(Option<Input>, Option<Ending>), LinkError> {
        let input = match action {
            Action::Resolve { process, config } => {
                Some(Input::Resolved { process, result: self.launcher.check(&config) })
            }
            Action::PrepareLogs { process, group, config } => {
                let paths = self.prepare_logs(&config);
                self.logs.insert(process, (group, paths.clone()));
                Some(Input::LogsPrepared { process, paths })
            }
            Action::ClearLogs { process } => {
                self.clear_logs(process);
                None
            }
            Action::Spawn { child, process, group, config } => {
                self.begin_spawn(child, process, &group, &config)?
            }
            Action::Adopt { child, process, config } => {
                self.adopt(child, process, &config);
                None
            }
            Action::Kill { child, signal, target } => {
                self.kill(child, signal, target)?;
                None
            }
            Action::Remember { process, group, name, memory } => {
                let written = self.memory.remember(process, &group, &name, &memory);
                self.note_memory(written);
                None
            }
            Action::RememberEnding(ending) => {
                let written = self.memory.remember_ending(ending);
                self.note_memory(written);
                None
            }
            Action::Forget { child } => {
                self.children.remove(&child);
                self.link.send(ToKeeper::Forget { id: child.0 })?;
                None
            }
            Action::ReadConfig { ask, purpose } => {
                self.launcher.forget_identities();
                let result = self.source.read().map(Arc::new);
                if let Ok(config) = &result {
                    self.advise(config);
                }
                Some(Input::ConfigRead { ask, purpose, result })
            }
            Action::ReopenLogs => {
                self.log.write(LogLevel::Info, "supervisord logreopen");
                self.pump.orders.send(Order::Reopen);
                None
            }
            Action::Publish(Event::GroupRemoved { group }) => {
                let of_group =
                    |(id, (of, _)): (&ProcessId, &(Arc<str>, LogPaths))| (*of == group).then_some(*id);
                let removed: Vec<ProcessId> = self.logs.iter().filter_map(of_group).collect();
                for process in removed {
                    self.logs.remove(&process);
                    let written = self.memory.forget(process);
                    self.note_memory(written);
                }
                None
            }
            // Nobody subscribes yet; the log's lines are notes of their own.
            Action::Publish(_) => None,
            Action::Note(note) => {
                let (level, text) = notes::line(&note);
                self.log.write(level, &text);
                None
            }
            Action::Reply { ask, reply } => {
                if let Some(asker) = self.asks.remove(&ask) {
                    asker.answer(reply);
                }
                None
            }
            Action::Finish(ending) => return Ok((None, Some(ending))),
        };
        Ok((input, None))
    }

    /// A memory that cannot be written is as good as none, and worth a line; nothing else changes.
    fn note_memory(&mut self, written: std::io::Result<()>) {
        if let Err(e) = written {
            self.log
                .write(LogLevel::Critical, &format!("cannot write down what a later brain must know: {e}"));
        }
    }

    /// Says what is hardly meant in a configuration, each thing once.
    fn advise(&mut self, config: &Config) {
        for advice in &config.advice {
            let text = advice.to_string();
            if !self.advised.contains(&text) {
                self.log.write(LogLevel::Warn, &text);
                self.advised.insert(text);
            }
        }
        // What has been mended may be said again, should it come back.
        let still: BTreeSet<String> = config.advice.iter().map(ToString::to_string).collect();
        self.advised.retain(|text| still.contains(text));
    }

    // --- a child's story, from its spawn to its last words ---

    fn begin_spawn(
        &mut self,
        child: ChildId,
        process: ProcessId,
        group: &str,
        config: &ProcessConfig,
    ) -> Result<Option<Input>, LinkError> {
        let plan = match self.launcher.plan(group, config) {
            Ok(plan) => plan,
            Err(error) => return Ok(Some(Input::SpawnFailed { child, error })),
        };
        let names = PlanNames::of(&config.name, &plan);
        let sinks = self.destinations(process, config);
        let ahead = (config.autorestart != AutoRestart::Never).then(|| sinks.clone());
        if self.opened_ahead.remove(&process) {
            self.pump.orders.send(Order::Take { child, process });
            let stage = Stage::Opening { plan: Box::new(plan), signals: Vec::new() };
            self.children.insert(child, Child { names, process, stage, ahead });
            return self.opened(child, Ok(()));
        }
        let stage = Stage::Opening { plan: Box::new(plan), signals: Vec::new() };
        self.children.insert(child, Child { names, process, stage, ahead });
        self.pump.orders.send(Order::Open { child, process, sinks });
        Ok(None)
    }

    /// All that followed from the latest news is done: what was opened ahead and not taken is closed.
    pub(crate) fn rest(&mut self) {
        for process in std::mem::take(&mut self.opened_ahead) {
            self.pump.orders.send(Order::Rest { process });
        }
    }

    fn destinations(&self, process: ProcessId, config: &ProcessConfig) -> Vec<(Output, Destination)> {
        let Some((_, paths)) = self.logs.get(&process) else { return Vec::new() };
        let outputs = [
            (Output::Stdout, &paths.stdout, &config.stdout),
            (Output::Stderr, &paths.stderr, &config.stderr),
        ];
        let destination = |path: &PathBuf, channel: &Channel| Destination {
            path: path.clone(),
            maxbytes: channel.maxbytes,
            backups: channel.backups,
        };
        outputs
            .into_iter()
            .filter_map(|(output, path, channel)| Some((output, destination(path.as_ref()?, channel))))
            .collect()
    }

    /// The pump has opened a child's files, or could not.
    pub(crate) fn opened(
        &mut self,
        child: ChildId,
        result: Result<(), i32>,
    ) -> Result<Option<Input>, LinkError> {
        let has_room = self.has_room_for_pipes();
        let Some(entry) = self.children.get_mut(&child) else { return Ok(None) };
        let name = entry.names.process.clone();
        let mut error = result.err().map(|errno| {
            let code = launch::errno_name(errno);
            format!("unknown error making dispatchers for '{name}': {code}")
        });
        if error.is_none() && !has_room {
            error = Some(format!("too many open files to spawn '{name}'"));
        }
        // An adopted child runs already, or has even ended.
        if !matches!(entry.stage, Stage::Opening { .. }) {
            if let Some(text) = error {
                self.log.write(LogLevel::Critical, &format!("{text}; its output is not kept"));
            }
            return Ok(None);
        }
        if let Some(text) = error {
            self.children.remove(&child);
            self.pump.orders.send(Order::Cancel { child });
            let error = SpawnError { kind: SpawnErrorKind::Resources, text };
            return Ok(Some(Input::SpawnFailed { child, error }));
        }
        if let Stage::Opening { plan, signals } = std::mem::replace(&mut entry.stage, Stage::Running) {
            self.link.send(ToKeeper::Spawn { id: child.0, plan: *plan })?;
            for (signal, target) in signals {
                self.kill(child, signal, target)?;
            }
        }
        Ok(None)
    }

    /// Whether we could take the pipes of another child: better no child than one that nobody reads.
    fn has_room_for_pipes(&self) -> bool {
        let one = || rustix::io::fcntl_dupfd_cloexec(&self.link, 0);
        let three = [one(), one(), one()];
        three.iter().all(Result::is_ok)
    }

    /// The child runs: its output is the pump's from here on.
    pub(crate) fn watch(&mut self, child: ChildId, pipes: Option<Pipes>) {
        let Some(pipes) = pipes else {
            let name = self.children.get(&child).map_or("", |entry| &entry.names.process);
            let text = format!("too many open files: the output of '{name}' cannot be read");
            return self.log.write(LogLevel::Critical, &text);
        };
        // The keeper keeps the writing end of standard input open; ours is not needed.
        let Pipes { stdin: _, stdout, stderr } = pipes;
        self.pump.orders.send(Order::Watch { child, stdout, stderr });
    }

    pub(crate) fn spawn_failed(
        &mut self,
        child: ChildId,
        stage: provost_keeper::Stage,
        errno: i32,
    ) -> Option<Input> {
        let entry = self.children.remove(&child)?;
        self.pump.orders.send(Order::Cancel { child });
        let error = launch::keeper_refused(&entry.names.process, stage, errno);
        Some(Input::SpawnFailed { child, error })
    }

    /// The child has ended; the core hears of it when its output is written down.
    pub(crate) fn exited(
        &mut self,
        child: ChildId,
        status: ExitStatus,
        at: Now,
        failure: Option<(provost_keeper::Stage, i32)>,
    ) -> Result<(), LinkError> {
        let Some(entry) = self.children.get_mut(&child) else {
            // Nobody here knows it: the core did not adopt it.
            return self.link.send(ToKeeper::Forget { id: child.0 });
        };
        entry.stage = Stage::Draining { status, at };
        let last_words = failure.map(|(stage, errno)| launch::child_failed(&entry.names, stage, errno));
        let process = entry.process;
        let ahead = entry.ahead.take().map(|sinks| (process, sinks));
        self.pump.orders.send(Order::Finish { child, last_words, ahead });
        Ok(())
    }

    pub(crate) fn drained(&mut self, child: ChildId, ahead: bool) -> Option<Input> {
        let entry = self.children.get(&child)?;
        if ahead {
            self.opened_ahead.insert(entry.process);
        }
        match entry.stage {
            Stage::Draining { status, at } => Some(Input::Exited { child, status, at }),
            Stage::Opening { .. } | Stage::Running => None,
        }
    }

    fn kill(&mut self, child: ChildId, signal: i32, target: KillTarget) -> Result<(), LinkError> {
        if let Some(entry) = self.children.get_mut(&child) {
            entry.ahead = None;
            if let Stage::Opening { signals, .. } = &mut entry.stage {
                signals.push((signal, target));
                return Ok(());
            }
        }
        let target = match target {
            KillTarget::Process => Target::Process,
            KillTarget::Group => Target::Group,
        };
        self.link.send(ToKeeper::Kill { id: child.0, signal, target })
    }

    /// A child of an earlier brain, taken over: its files are opened again, its pipes watched.
    fn adopt(&mut self, child: ChildId, process: ProcessId, config: &ProcessConfig) {
        let names = PlanNames::adopted(&config.name);
        self.children.insert(child, Child { names, process, stage: Stage::Running, ahead: None });
        let sinks = self.destinations(process, config);
        self.pump.orders.send(Order::Open { child, process, sinks });
        let pipes = self.adoptable.remove(&child);
        self.watch(child, pipes);
    }

    // --- log files ---

    fn prepare_logs(&mut self, config: &ProcessConfig) -> LogPaths {
        let stdout = self.log_path(config, &config.stdout, "stdout");
        let stderr = match config.redirect_stderr {
            true => None,
            false => self.log_path(config, &config.stderr, "stderr"),
        };
        LogPaths { stdout, stderr }
    }

    fn clear_logs(&self, process: ProcessId) {
        let made = self.logs.get(&process).map(|(_, paths)| paths.clone()).unwrap_or_default();
        let outputs = [(Output::Stdout, made.stdout), (Output::Stderr, made.stderr)];
        let paths = outputs.into_iter().filter_map(|(output, path)| Some((output, path?))).collect();
        self.pump.orders.send(Order::Clear { process, paths });
    }

    fn log_path(&mut self, config: &ProcessConfig, channel: &Channel, name: &str) -> Option<PathBuf> {
        match &channel.logfile {
            LogFile::None => None,
            LogFile::Path(path) => Some(path.clone()),
            LogFile::Auto => match self.auto_logs.make(&config.name, name) {
                Ok(path) => Some(path),
                Err(e) => {
                    let dir = self.auto_logs.directory.display();
                    let text = format!(
                        "cannot make a log file for {} in {dir}: {e}; its {name} is not kept",
                        config.name
                    );
                    self.log.write(LogLevel::Critical, &text);
                    None
                }
            },
        }
    }
}
