//! Carrying out what the core wants: one arm per action.
//!
//! Whatever is known at once becomes an input again and is returned; whatever takes time is begun, and its
//! outcome arrives later through the loop. Nothing here decides anything.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use provost_api::{Asker, Herald};
use provost_config::{Channel, CliOverrides, Config, LogFile, LogLevel, ProcessConfig};
use provost_core::{
    Action, AskId, ChildId, Ending, Event, ExitStatus, Input, KillTarget, LogDeed, LogPaths, Now, ProcessId,
    ReadFor, RelaunchOn, SpawnError, SpawnErrorKind, StdinError,
};
use provost_host::Host;
use provost_keeper::{Ends, Link, LinkError, Pipes, Plan, Relaunch, Target, ToKeeper};

use crate::access;
use crate::audit::{AuditFile, Deed, Entry};
use crate::clock;
use crate::effective::{Effective, EffectiveError, Reading};
use crate::events;
use crate::fcgi::FcgiSockets;
use crate::kept;
use crate::launch::{self, Launcher};
use crate::leftovers::{Record, inodes};
use crate::logs::auto::AutoLogs;
use crate::logs::{self, MainLog, Order, OutletPlan, Output, Pump, Telling, Word};
use crate::memory::Memory;
use crate::notes;
use crate::outlets::{self, Customs};
use crate::stdin::Stdins;
use crate::twiddled::Program;
use crate::upgrade;

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

/// A child between the wish for it and the end of its story.
#[derive(Debug)]
struct Child {
    config: Arc<ProcessConfig>,
    process: ProcessId,
    stage: Stage,
    /// Where it writes, and where one that takes its place would.
    heir: Option<Heir>,
    /// Somebody else still holds its output open.
    lingers: bool,
    /// 0 until it is known.
    pid: i32,
}

#[derive(Debug)]
enum Stage {
    /// Its log files are being opened; signals that came meanwhile follow the spawn.
    Opening { plan: Box<Plan>, stdin: Option<OwnedFd>, signals: Vec<(i32, KillTarget)> },
    /// With the keeper.
    Running,
    /// Its last output is being written down.
    Draining { status: ExitStatus, at: Now, next: Option<ChildId> },
}

/// A child that has taken another one's place, of which the core has not heard yet.
#[derive(Debug)]
struct Heir {
    /// The keeper's word that it runs.
    spawned: Option<(i32, Now)>,
}

/// A child that an earlier brain started, until it is known whose it is.
#[derive(Debug)]
pub(crate) struct Adoptable {
    pub(crate) pid: i32,
    pub(crate) started: Now,
    pub(crate) pipes: Option<Pipes>,
}

/// Where a process writes.
#[derive(Debug)]
struct Logs {
    group: Arc<str>,
    config: Arc<ProcessConfig>,
    paths: LogPaths,
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
    pub(crate) effective: Effective,
    /// What has been said of the configuration in force.
    pub(crate) advised: BTreeSet<String>,
    pub(crate) upgrade: upgrade::Progress,
    /// Programs that have been read, until the core has taken them.
    unkept: BTreeMap<AskId, Program>,
    /// What programs have said and the main log has yet to take.
    copied: Vec<Telling>,
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
        (memory, effective): (Memory, Effective),
    ) -> Hands {
        let (asks, adoptable, logs, children, fcgi, stdins, advised) = Default::default();
        let (upgrade, unkept, copied) = Default::default();
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
            effective,
            advised,
            upgrade,
            unkept,
            copied,
            strip_ansi: false,
        }
    }

    /// Tells the doors whether the supervisor runs.
    pub(crate) fn tell_doors(&self, runs: bool) {
        if let Some(herald) = &self.herald {
            herald.runs(runs);
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
                memory.asked &= !self.link.wants_to_write();
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
                let lingers = self.let_go(child)?.is_some_and(|entry| entry.lingers);
                self.link.send(ToKeeper::Forget { id: child.0, lingers })?;
                None
            }
            Action::ReadConfig { ask, purpose } => {
                self.launcher.forget_identities();
                let result = match self.source.read() {
                    Ok(reading) => {
                        self.advise(&reading.config);
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
                self.logs.remove(&process);
                self.auto_logs.forget(&group, &name);
                let written = self.memory.forget(process);
                self.note_memory(written);
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
            // Nobody subscribes yet; what people look for in the log are notes of their own.
            Action::Publish(event) => {
                self.log.write_with(LogLevel::Trace, || events::line(&event));
                if let Some(herald) = &self.herald {
                    herald.changed();
                }
                match event {
                    Event::GroupAdded { group } => self.effective.added(&group),
                    Event::GroupRemoved { group } => {
                        self.effective.removed(&group);
                        // First, or a brain that dies between the two finds a group that nobody has ever met, and starts it.
                        self.write_effective()?;
                        self.forget_group(&group);
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

    /// Nothing is on its way to the keeper that is written down nowhere yet.
    pub(crate) fn is_quiet(&self) -> bool {
        let is_opening = |child: &Child| matches!(child.stage, Stage::Opening { .. });
        !self.link.wants_to_write() && !self.children.values().any(is_opening)
    }

    /// A group is gone: nobody asks for its logs again, and no later brain for its state.
    fn forget_group(&mut self, group: &str) {
        self.fcgi.forget_group(group);
        self.auto_logs.forget_group(group);
        let of_group = |(id, logs): (&ProcessId, &Logs)| (*logs.group == *group).then_some(*id);
        let removed: Vec<ProcessId> = self.logs.iter().filter_map(of_group).collect();
        for process in removed {
            self.logs.remove(&process);
            let written = self.memory.forget(process);
            self.note_memory(written);
        }
    }

    /// Keeps what has changed of the configuration in force, and of the files that go with it.
    pub(crate) fn write_effective(&mut self) -> Result<(), LinkError> {
        let written = self.effective.write(&mut self.link);
        self.note_effective(written)?;
        if let Some(bytes) = self.auto_logs.take_unwritten() {
            match kept::write(AutoLogs::HELD_AS, &bytes) {
                Ok(fd) => self.link.send(ToKeeper::Hold { name: AutoLogs::HELD_AS.to_owned(), fd })?,
                Err(e) => self.note_memory(Err(e)),
            }
        }
        Ok(())
    }

    fn note_effective(&mut self, kept: Result<(), EffectiveError>) -> Result<(), LinkError> {
        match kept {
            Ok(()) => Ok(()),
            Err(EffectiveError::Link(e)) => Err(e),
            Err(EffectiveError::Memory(e)) => {
                self.note_memory(Err(e));
                Ok(())
            }
        }
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

    /// From now on these may come in; who has meant to, and cannot, is told.
    fn admit(&mut self, config: &Config) {
        let access = access::of(config);
        access.unfit().iter().for_each(|unfit| self.log.write(LogLevel::Critical, unfit));
        if let Some(herald) = &self.herald {
            herald.admit(access);
        }
    }

    // --- a child's story, from its spawn to its last words ---

    fn begin_spawn(
        &mut self,
        child: ChildId,
        process: ProcessId,
        group: &str,
        config: &Arc<ProcessConfig>,
    ) -> Result<Option<Input>, LinkError> {
        let plan = match self.launcher.plan(group, config) {
            Ok(plan) => plan,
            Err(error) => return Ok(Some(Input::SpawnFailed { child, error })),
        };
        let outlets = self.outlets(process, config);
        let stdin = match &config.socket {
            None => None,
            Some(socket) => match self.fcgi.lend(child, group, socket, &mut self.log, &mut self.link) {
                Ok(fd) => Some(fd),
                Err(text) => {
                    let error = SpawnError { kind: SpawnErrorKind::Resources, text };
                    return Ok(Some(Input::SpawnFailed { child, error }));
                }
            },
        };
        let stage = Stage::Opening { plan: Box::new(plan), stdin, signals: Vec::new() };
        self.children.insert(
            child,
            Child { config: Arc::clone(config), process, stage, heir: None, lingers: false, pid: 0 },
        );
        self.order(Order::Open { child, process, outlets, runs: false })?;
        Ok(None)
    }

    /// Whoever it is for, the keeper first where it is to hold something.
    fn order(&mut self, order: Order) -> Result<(), LinkError> {
        let link = &mut self.link;
        self.pump.order(order, &mut |name, fd| link.send(ToKeeper::Hold { name, fd }))
    }

    /// Where the outputs of a process go.
    fn outlets(&self, process: ProcessId, config: &ProcessConfig) -> Vec<(Output, OutletPlan)> {
        let Some(Logs { paths, group, .. }) = self.logs.get(&process) else { return Vec::new() };
        let customs = Customs {
            strip_ansi: self.strip_ansi,
            copies: self.log.keeps(LogLevel::Debug),
            compressor: self.pump.compressor(),
        };
        outlets::plans(group, config, paths, customs)
    }

    /// The pump has opened a child's files, or could not.
    pub(crate) fn opened(
        &mut self,
        child: ChildId,
        result: Result<(), i32>,
    ) -> Result<Option<Input>, LinkError> {
        let has_room = self.has_room_for_pipes();
        let Some(entry) = self.children.get_mut(&child) else { return Ok(None) };
        let name = entry.config.name.clone();
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
            self.let_go(child)?;
            self.order(Order::Cancel { child })?;
            let error = SpawnError { kind: SpawnErrorKind::Resources, text };
            return Ok(Some(Input::SpawnFailed { child, error }));
        }
        if let Stage::Opening { plan, stdin, signals } = std::mem::replace(&mut entry.stage, Stage::Running) {
            self.link.send(ToKeeper::Spawn { id: child.0, plan: *plan, stdin })?;
            for (signal, target) in signals {
                self.kill(child, signal, target)?;
            }
        }
        Ok(None)
    }

    /// Whether we could take the pipes of another child: better no child than one that nobody reads.
    fn has_room_for_pipes(&self) -> bool {
        let one = || rustix::io::fcntl_dupfd_cloexec(&self.link, 0);
        let two = [one(), one()];
        two.iter().all(Result::is_ok)
    }

    /// The child runs: its output is the pump's from here on.
    pub(crate) fn watch(&mut self, child: ChildId, pid: i32, pipes: Option<Pipes>) -> Result<(), LinkError> {
        let Some(pipes) = pipes else {
            let name = self.children.get(&child).map_or("", |entry| entry.config.name.as_str());
            let text = format!("too many open files: the output of '{name}' cannot be read");
            self.log.write(LogLevel::Critical, &text);
            return Ok(());
        };
        if let Some(entry) = self.children.get_mut(&child) {
            entry.pid = pid;
        }
        self.order(Order::Watch { child, pid, pipes })
    }

    pub(crate) fn spawn_failed(
        &mut self,
        child: ChildId,
        stage: provost_keeper::Stage,
        errno: i32,
    ) -> Result<Option<Input>, LinkError> {
        let Some(entry) = self.let_go(child)? else { return Ok(None) };
        self.order(Order::Cancel { child })?;
        let error = launch::keeper_refused(&entry.config.name, stage, errno);
        Ok(Some(Input::SpawnFailed { child, error }))
    }

    fn let_go(&mut self, child: ChildId) -> Result<Option<Child>, LinkError> {
        self.fcgi.give_back(child, &mut self.log, &mut self.link)?;
        Ok(self.children.remove(&child))
    }

    /// The child has ended; the core hears of it when its output is written down.
    pub(crate) fn exited(
        &mut self,
        child: ChildId,
        status: ExitStatus,
        at: Now,
        failure: Option<(provost_keeper::Stage, i32)>,
        next: Option<ChildId>,
    ) -> Result<(), LinkError> {
        if let Some(order) = self.record.as_mut().and_then(|record| record.ended(child)) {
            self.order(order)?;
        }
        let Some(entry) = self.children.get_mut(&child) else {
            // Nobody here knows it: the core did not adopt it.
            return self.link.send(ToKeeper::Forget { id: child.0, lingers: false });
        };
        entry.stage = Stage::Draining { status, at, next };
        let last_words =
            failure.map(|(stage, errno)| self.launcher.child_failed(&entry.config, stage, errno));
        let (process, config) = (entry.process, Arc::clone(&entry.config));
        let heir = next.map(|child| logs::Heir { child, process, outlets: self.outlets(process, &config) });
        self.order(Order::Finish { child, last_words, heir })?;
        if let Some(next) = next {
            self.fcgi.pass_on(child, next);
            // It is made from the same plan. One that began without us has been told of before.
            let old = self.adoptable.remove(&next);
            let heir = Heir { spawned: old.as_ref().map(|old| (old.pid, old.started)) };
            let stage = Stage::Running;
            self.children
                .insert(next, Child { config, process, stage, heir: Some(heir), lingers: false, pid: 0 });
            if let Some(old) = old {
                self.watch(next, old.pid, old.pipes)?;
            }
        }
        Ok(())
    }

    pub(crate) fn drained(&mut self, child: ChildId, lingers: bool) -> Option<Input> {
        let entry = self.children.get_mut(&child)?;
        entry.lingers = lingers;
        match entry.stage {
            Stage::Draining { status, at, next } => Some(Input::Exited { child, status, at, next }),
            Stage::Opening { .. } | Stage::Running => None,
        }
    }

    /// A child has written something that somebody wants to know of.
    pub(crate) fn said(&mut self, child: ChildId, output: Output, word: Word, data: Telling) {
        self.tell_of(child, output, word, &data);
        if self.log.keeps(LogLevel::Debug) && self.log.wants_to_write() {
            self.copied.push(data);
        }
    }

    fn tell_of(&mut self, child: ChildId, output: Output, word: Word, data: &[u8]) {
        let Some(Child { config, process, pid, .. }) = self.children.get(&child) else { return };
        let Some(Logs { group, .. }) = self.logs.get(process) else { return };
        let (name, pid) = (&*config.name, *pid);
        if word == Word::Piece {
            self.log.write_with(LogLevel::Debug, || {
                format!("'{name}' {} output:\n{}", output.name(), provost_wire::events::decoded(data))
            });
        }
        let channel = match output {
            Output::Stdout => &config.stdout,
            Output::Stderr => &config.stderr,
        };
        let told = match word {
            Word::Piece if !channel.events_enabled => return,
            Word::Piece => events::process_log(name, group, pid, output, data),
            Word::Message => {
                let text = format!("'{name}' {} emitted a comm event", output.name());
                self.log.write(LogLevel::Debug, &text);
                events::process_communication(name, group, pid, output, data)
            }
        };
        self.log.write_with(LogLevel::Trace, || events::line_of(&told));
    }

    /// Goes on with what waits for the main log.
    pub(crate) fn flush_log(&mut self) {
        self.log.flush();
        if !self.log.wants_to_write() {
            self.copied.clear();
        }
    }

    /// Nobody holds the output of a child open any more that has ended.
    pub(crate) fn dry(&mut self, child: ChildId) -> Result<(), LinkError> {
        match self.children.get_mut(&child) {
            Some(entry) => entry.lingers = false,
            None => self.link.send(ToKeeper::Dry { id: child.0 })?,
        }
        Ok(())
    }

    /// The output of a child that ended under an earlier brain goes on, into the files of its process, if that is still there.
    pub(crate) fn linger(&mut self, child: ChildId, label: &str, pipes: Pipes) -> Result<(), LinkError> {
        let (group, name) = label.split_once(':').unwrap_or((label, ""));
        let mut known = self.logs.iter();
        let found = known.find(|(_, files)| *files.group == *group && files.config.name == name);
        let (process, outlets) = match found {
            Some((process, files)) => (*process, self.outlets(*process, &files.config)),
            // Nobody's any more: read, so that nobody waits, and dropped.
            None => (ProcessId(u32::MAX), Vec::new()),
        };
        self.order(Order::Linger { heir: logs::Heir { child, process, outlets }, pid: 0, pipes })
    }

    /// The keeper's word that a child runs. That of one which has taken another's place waits until the core knows of it.
    pub(crate) fn spawned(
        &mut self,
        child: ChildId,
        pid: i32,
        at: Now,
        pipes: Option<Pipes>,
    ) -> Result<Option<Input>, LinkError> {
        self.write_down(child, pid, inodes(pipes.as_ref()))?;
        self.watch(child, pid, pipes)?;
        Ok(match self.children.get_mut(&child).and_then(|entry| entry.heir.as_mut()) {
            Some(heir) => {
                heir.spawned = Some((pid, at));
                None
            }
            None => Some(Input::Spawned { child, pid, at }),
        })
    }

    /// A child runs: should the keeper be killed, somebody has to find it.
    fn write_down(&mut self, child: ChildId, pid: i32, outputs: [u64; 2]) -> Result<(), LinkError> {
        let (Some(record), Some(entry)) = (&mut self.record, self.children.get(&child)) else {
            return Ok(());
        };
        let Some(Logs { group, .. }) = self.logs.get(&entry.process) else { return Ok(()) };
        if let Some(order) = record.started(child, (group, &entry.config.name), pid, outputs) {
            self.order(order)?;
        }
        Ok(())
    }

    /// The core knows of a child that has taken another one's place.
    fn take_over(&mut self, child: ChildId) -> Option<Input> {
        let (pid, at) = self.children.get_mut(&child)?.heir.take()?.spawned?;
        Some(Input::Spawned { child, pid, at })
    }

    fn kill(&mut self, child: ChildId, signal: i32, target: KillTarget) -> Result<(), LinkError> {
        if let Some(entry) = self.children.get_mut(&child)
            && let Stage::Opening { signals, .. } = &mut entry.stage
        {
            signals.push((signal, target));
            return Ok(());
        }
        let target = match target {
            KillTarget::Process => Target::Process,
            KillTarget::Group => Target::Group,
        };
        self.link.send(ToKeeper::Kill { id: child.0, signal, target })
    }

    /// A child of an earlier brain, taken over: its files are opened again, its pipes watched.
    fn adopt(
        &mut self,
        child: ChildId,
        process: ProcessId,
        config: &Arc<ProcessConfig>,
    ) -> Result<(), LinkError> {
        if let (Some(socket), Some(Logs { group, .. })) = (&config.socket, self.logs.get(&process)) {
            self.fcgi.adopt(child, group, socket);
        }
        let outlets = self.outlets(process, config);
        let config = Arc::clone(config);
        let entry = Child { config, process, stage: Stage::Running, heir: None, lingers: false, pid: 0 };
        self.children.insert(child, entry);
        self.order(Order::Open { child, process, outlets, runs: true })?;
        let (pid, pipes) = self.adoptable.remove(&child).map_or((0, None), |old| (old.pid, old.pipes));
        self.watch(child, pid, pipes)
    }

    /// All children of an earlier brain have been taken over.
    pub(crate) fn close_unused_sockets(&mut self) -> Result<(), LinkError> {
        self.fcgi.close_unused(&mut self.log, &mut self.link)
    }

    // --- standard input ---

    fn send_stdin(
        &mut self,
        ask: AskId,
        process: ProcessId,
        child: ChildId,
        chars: String,
    ) -> Result<Option<Input>, LinkError> {
        match self.children.get(&child).map(|entry| &entry.stage) {
            Some(Stage::Running) => self.stdins.send((ask, process, child), chars, &mut self.link),
            // It has ended, and the core is about to hear of it.
            Some(Stage::Opening { .. } | Stage::Draining { .. }) | None => {
                Ok(Some(Input::StdinSent { ask, process, result: Err(StdinError::Ended) }))
            }
        }
    }

    // --- log files ---

    fn prepare_logs(&mut self, group: &str, config: &ProcessConfig) -> LogPaths {
        let stdout = self.log_path(group, config, &config.stdout, "stdout");
        let stderr = match config.redirect_stderr {
            true => None,
            false => self.log_path(group, config, &config.stderr, "stderr"),
        };
        LogPaths { stdout, stderr }
    }

    fn log_path(
        &mut self,
        group: &str,
        config: &ProcessConfig,
        channel: &Channel,
        name: &str,
    ) -> Option<Arc<Path>> {
        match &channel.logfile {
            LogFile::None => None,
            LogFile::Path(path) => Some(path.as_path().into()),
            LogFile::Auto => match self.auto_logs.make(group, &config.name, name) {
                Ok(path) => Some(path.into()),
                Err(e) => {
                    let dir = self.auto_logs.directory().display();
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

/// The core's wish as the keeper understands it.
fn relaunch(next: ChildId, on: &RelaunchOn, after: Duration) -> Relaunch {
    let on = match on {
        RelaunchOn::AnyEnd => Ends { codes: [u64::MAX; 4], signals: true },
        RelaunchOn::OtherThan(codes) => {
            let mut ends = Ends { codes: [u64::MAX; 4], signals: true };
            for code in codes {
                ends.codes[usize::from(code >> 6)] &= !(1 << (code & 63));
            }
            ends
        }
    };
    Relaunch { next: next.0, after_ns: nanoseconds(after), on }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
