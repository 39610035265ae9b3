//! Commands: whether each is acceptable now, and what it sets going (SPEC 6.4 to 6.7).

use std::collections::BTreeSet;
use std::sync::Arc;

use provost_config::{Config, diff::diff, signal_number};

use crate::action::KillTarget;
use crate::action::{Action, ReadFor};
use crate::ask::{Shape, Until, Wait};
use crate::command::{
    Command, Configured, Fault, LogDeed, ProcessHistory, ProcessInfo, Reply, Target, Which,
};
use crate::event::{Event, Note};
use crate::group::{Active, Group, namespec, split_namespec};
use crate::history::By;
use crate::ids::{AskId, ProcessId};
use crate::outcome::{SpawnError, SpawnErrorKind};
use crate::process::{Outbox, Process, State};
use crate::supervisor::{Mood, Supervisor};
use crate::time::Now;
use crate::timers::Timer;

/// What is to be done to each process of a target.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Start {
        wait: bool,
    },
    Stop {
        wait: bool,
    },
    Restart {
        wait: bool,
    },
    Logs(LogDeed),
    /// The number, or the text that names no signal.
    Signal(Result<i32, String>),
}

impl Deed {
    /// Whether a command to several processes touches and reports this one.
    pub(super) fn concerns(&self, state: State) -> bool {
        match self {
            Deed::Start { .. } => !state.is_running(),
            Deed::Stop { .. } => state.is_running(),
            Deed::Signal(_) => state.is_signallable(),
            Deed::Logs(_) | Deed::Restart { .. } => true,
        }
    }
}

impl Supervisor {
    pub(super) fn command(&mut self, now: Now, ask: AskId, by: &Arc<By>, command: Command, out: &mut Outbox) {
        if self.mood != Mood::Running && !matches!(command, Command::RemoteEvent { .. }) {
            return Self::reply(ask, Reply::Fault(Fault::ShuttingDown), out);
        }
        match command {
            Command::Ping => Self::reply(ask, Reply::Done, out),
            Command::ProcessInfo { name } => {
                let reply = self.process_info(now, &name);
                Self::reply(ask, reply, out);
            }
            Command::ProcessHistory { name } => {
                let reply = self.process_history(now, &name);
                Self::reply(ask, reply, out);
            }
            Command::AllProcessInfo => {
                let infos = self.all_process_info(now);
                Self::reply(ask, Reply::Infos(infos), out);
            }
            Command::Start { target, wait } => self.deed(now, (ask, by), target, Deed::Start { wait }, out),
            Command::Stop { target, wait } => self.deed(now, (ask, by), target, Deed::Stop { wait }, out),
            Command::Restart { target, wait } => {
                self.deed(now, (ask, by), target, Deed::Restart { wait }, out)
            }
            Command::Signal { target, signal } => {
                let signal = signal_number(&signal).map_err(|_| signal);
                self.deed(now, (ask, by), target, Deed::Signal(signal), out);
            }
            Command::SendStdin { name, chars } => self.send_stdin((ask, by), name, chars, out),
            Command::RemoteEvent { kind, data } => {
                out.push(Action::Publish(Event::RemoteCommunication { kind, data }));
                Self::reply(ask, Reply::Done, out);
            }
            Command::Logs { target, deed } => self.deed(now, (ask, by), target, Deed::Logs(deed), out),
            Command::MainLog { deed } => {
                self.asks.open(ask, by, Shape::One);
                self.main_log(ask, deed, out);
                self.answer_if_done(ask, out);
            }
            Command::Reread => out.push(Action::ReadConfig { ask: Some(ask), purpose: ReadFor::Reread }),
            Command::AddGroup { name } => {
                let reply = self.add_group(now, name, out);
                Self::reply(ask, reply, out);
            }
            Command::RemoveGroup { name } => {
                let reply = self.remove_group(name, out);
                Self::reply(ask, reply, out);
            }
            Command::UpdateGroup { name, restart_all } => self.update_group((ask, by), name, restart_all),
            Command::CompareConfig => {
                out.push(Action::ReadConfig { ask: Some(ask), purpose: ReadFor::Compare });
            }
            Command::GroupNames => {
                let names = self.group_names().iter().map(|name| name.to_string()).collect();
                Self::reply(ask, Reply::Names(names), out);
            }
            Command::AddProgram { group, program, options } => {
                self.add_program(ask, &group, program, options, out);
            }
            Command::RemoveProcess { group, process } => {
                let reply = self.remove_process(&group, process, out);
                Self::reply(ask, reply, out);
            }
            Command::WriteLog { level, message } => {
                out.push(Action::Note(Note::Message { level, text: message }));
                Self::reply(ask, Reply::Done, out);
            }
            Command::AllConfigInfo => Self::reply(ask, Reply::Configured(self.all_config_info()), out),
            Command::Shutdown => {
                // Written down before it is promised, and answered before anything stops.
                self.turn(Mood::Shutdown, out);
                Self::reply(ask, Reply::Done, out);
                self.announce_the_end(now, out);
            }
            Command::Reload => out.push(Action::ReadConfig { ask: Some(ask), purpose: ReadFor::Restart }),
            Command::Upgrade { patience } => out.push(Action::Upgrade { ask, patience }),
        }
    }

    // --- start, stop, signal ---

    fn deed(&mut self, now: Now, (ask, by): (AskId, &Arc<By>), target: Target, deed: Deed, out: &mut Outbox) {
        let bad_name = |name: String| Reply::Fault(Fault::BadName { name });
        let Target { which, programs } = target;
        let all_of_all = which == Which::All && programs.is_all();
        let covered = |group: &Group| {
            let covers = |id: &ProcessId| programs.covers(&group.name, &self.processes[id].name);
            self.by_priority(group).into_iter().filter(covers).collect::<Vec<_>>()
        };
        let several = match which {
            Which::All => self.groups.iter().flat_map(|group| covered(group)).collect(),
            Which::Matching(names) => {
                return self.deed_to_listed(now, (ask, by), names, &programs, &deed, out);
            }
            Which::Group(name) => match self.group(&name).map(covered) {
                Some(several) if programs.is_all() || !several.is_empty() => several,
                _ => return Self::reply(ask, bad_name(name), out),
            },
            Which::Named(given) => match (split_namespec(&given), self.named(&given)) {
                ((group, Some(name)), Some(id)) if programs.covers(group, name) => {
                    self.asks.open(ask, by, Shape::One);
                    self.deed_to(now, (ask, by), id, given, &deed, out);
                    return self.answer_if_done(ask, out);
                }
                ((group, None), _) if self.group(group).is_some() => {
                    let which = Which::Group(group.to_owned());
                    return self.deed(now, (ask, by), Target { which, programs }, deed, out);
                }
                _ => return Self::reply(ask, bad_name(given), out),
            },
        };
        self.asks.open(ask, by, Shape::Many);
        let concerned: Vec<_> =
            several.into_iter().filter(|id| deed.concerns(self.processes[id].state)).collect();
        for id in concerned {
            let process = &self.processes[&id];
            let given = namespec(&process.group, &process.name);
            self.deed_to(now, (ask, by), id, given, &deed, out);
        }
        match deed {
            // Supervisor's clearAllProcessLogs leaves the main log alone.
            Deed::Logs(deed @ (LogDeed::Rotate | LogDeed::Reopen)) if all_of_all => {
                self.main_log(ask, deed, out);
            }
            Deed::Start { .. }
            | Deed::Stop { .. }
            | Deed::Restart { .. }
            | Deed::Logs(_)
            | Deed::Signal(_) => {}
        }
        self.answer_if_done(ask, out);
    }

    fn main_log(&mut self, ask: AskId, deed: LogDeed, out: &mut Outbox) {
        out.push(Action::MainLog { ask, deed });
        self.asks.wait_for_main_log(ask);
    }

    pub(super) fn answer_if_done(&mut self, ask: AskId, out: &mut Outbox) {
        if let Some(reply) = self.asks.built(ask) {
            Self::reply(ask, reply, out);
        }
    }

    pub(super) fn deed_to(
        &mut self,
        now: Now,
        (ask, by): (AskId, &Arc<By>),
        id: ProcessId,
        given: String,
        deed: &Deed,
        out: &mut Outbox,
    ) {
        let state = self.processes[&id].state;
        match deed {
            &Deed::Start { wait } => {
                // Whether it could run is asked first, of the running ones too: NO_FILE comes
                // before ALREADY_STARTED (SPEC 6.6 step 2), and a program that is not there changes no state.
                let process = &self.processes[&id];
                out.push(Action::Resolve { process: id, config: Arc::clone(&process.config) });
                self.wait_for(ask, id, given, Until::Resolved { wait });
            }
            Deed::Stop { .. } if !state.is_running() => {
                // It may be about to start by itself; whoever wants it stopped does not want that.
                self.with(now, id, out, |process, _, _| process.stay_down(now, Arc::clone(by)));
                self.decide(ask, id, Err(Fault::NotRunning { name: given }));
            }
            &Deed::Stop { wait } => {
                if wait {
                    self.wait_for(ask, id, given, Until::Stopped);
                } else {
                    self.decide(ask, id, Ok(()));
                }
                self.with(now, id, out, |process, _, out| process.stop(now, Some(Arc::clone(by)), out));
            }
            &Deed::Restart { wait } => {
                let lives = state.is_running() || state == State::Stopping;
                let until = if lives { Until::StoppedFirst { wait } } else { Until::Turn { wait } };
                self.wait_for(ask, id, given, until);
                if state.is_running() {
                    self.with(now, id, out, |process, _, out| process.stop(now, Some(Arc::clone(by)), out));
                }
            }
            &Deed::Logs(deed) => {
                out.push(Action::Logs { process: id, deed });
                self.wait_for(ask, id, given, Until::LogsDone(deed));
            }
            Deed::Signal(Err(signal)) => {
                // Judged before the state is (SPEC 6.4).
                self.decide(ask, id, Err(Fault::BadSignal { signal: signal.clone() }));
            }
            Deed::Signal(Ok(_)) if !state.is_signallable() => {
                self.decide(ask, id, Err(Fault::NotRunning { name: given }));
            }
            &Deed::Signal(Ok(signal)) => {
                // First, or a brain that dies between the two is followed by one that does not know whose signal it was.
                self.with(now, id, out, |process, _, _| process.is_sent(now, signal, Arc::clone(by)));
                let process = &self.processes[&id];
                if let Some(child) = process.child {
                    let (name, pid) = (Arc::clone(&process.name), process.pid.unwrap_or(0));
                    out.push(Action::Note(Note::Signalling { name, pid, signal }));
                    out.push(Action::Kill { child, signal, target: KillTarget::Process });
                }
                self.decide(ask, id, Ok(()));
            }
        }
    }

    /// Starts what restarts have stopped, where none of it is left; in the order of every start.
    pub(super) fn take_turns(&mut self, out: &mut Outbox) {
        if !self.asks.has_turns() {
            return;
        }
        for id in self.groups.iter().flat_map(|group| self.by_priority(group)).collect::<Vec<_>>() {
            if self.asks.take_turn(id) {
                out.push(Action::Resolve { process: id, config: Arc::clone(&self.processes[&id].config) });
            }
        }
    }

    pub(super) fn resolved(
        &mut self,
        now: Now,
        id: ProcessId,
        result: Result<(), SpawnError>,
        out: &mut Outbox,
    ) {
        for wait in self.asks.take(id, |wait| matches!(wait.until, Until::Resolved { .. })) {
            match self.may_start(id, &wait, &result) {
                Err(fault) => {
                    if let Err(error) = &result {
                        let by = self.asks.by(wait.ask);
                        self.with(now, id, out, |process, _, _| process.is_refused(now, by, &error.text));
                    }
                    self.finish_wait(wait, Err(fault), out);
                }
                Ok(until) => {
                    let by = self.asks.by(wait.ask);
                    self.asks.keep(id, Wait { until, ..wait });
                    self.start(now, id, by, out);
                }
            }
        }
    }

    pub(super) fn logs_done(
        &mut self,
        id: ProcessId,
        deed: LogDeed,
        result: &Result<(), String>,
        out: &mut Outbox,
    ) {
        for wait in self.asks.take(id, |wait| wait.until == Until::LogsDone(deed)) {
            let result = result.clone().map_err(|detail| Fault::Failed { detail });
            self.finish_wait(wait, result, out);
        }
    }

    pub(super) fn main_log_done(&mut self, ask: AskId, result: Result<(), Fault>, out: &mut Outbox) {
        if let Some(reply) = self.asks.main_log_done(ask, result) {
            Self::reply(ask, reply, out);
        }
    }

    fn may_start(
        &self,
        id: ProcessId,
        wait: &Wait,
        resolved: &Result<(), SpawnError>,
    ) -> Result<Until, Fault> {
        let name = wait.given.clone();
        if let Err(error) = resolved {
            let detail = error.text.clone();
            return Err(match error.kind {
                SpawnErrorKind::NoFile => Fault::NoFile { detail },
                SpawnErrorKind::NotExecutable => Fault::NotExecutable { detail },
                SpawnErrorKind::Resources => Fault::SpawnError { name },
            });
        }
        match self.processes[&id].state {
            State::Starting | State::Running | State::Backoff => Err(Fault::AlreadyStarted { name }),
            State::Unknown => Err(Fault::Failed { detail: format!("{name} is in an unknown process state") }),
            // Supervisor answers "true" and starts nothing; here the caller learns that nothing was started.
            State::Stopping => Err(Fault::AbnormalTermination { name }),
            State::Stopped | State::Exited | State::Fatal => Ok(match wait.until {
                Until::Resolved { wait: true } => Until::Started,
                _ => Until::Launched,
            }),
        }
    }

    pub(super) fn wait_for(&mut self, ask: AskId, id: ProcessId, given: String, until: Until) {
        let process = &self.processes[&id];
        let (name, group) = (Arc::clone(&process.name), Arc::clone(&process.group));
        self.asks.wait(id, Wait { ask, given, name, group, until });
    }

    pub(super) fn decide(&mut self, ask: AskId, id: ProcessId, result: Result<(), Fault>) {
        let process = &self.processes[&id];
        let (name, group) = (Arc::clone(&process.name), Arc::clone(&process.group));
        self.asks.decide(ask, group, name, result);
    }

    /// The process that a namespec names, if it names one.
    pub(super) fn named(&self, namespec: &str) -> Option<ProcessId> {
        let (group, process) = split_namespec(namespec);
        self.find(group, process?)
    }

    // --- configuration ---

    pub(super) fn config_read(
        &mut self,
        now: Now,
        ask: Option<AskId>,
        purpose: ReadFor,
        result: Result<Arc<Config>, String>,
        out: &mut Outbox,
    ) {
        if self.mood != Mood::Running {
            if let Some(ask) = ask {
                Self::reply(ask, Reply::Fault(Fault::ShuttingDown), out);
            }
            return;
        }
        let reply = match (purpose, result) {
            (ReadFor::Reread, Ok(config)) => self.reread(config),
            (ReadFor::Compare, Ok(config)) => Reply::Compared(self.differences(&config)),
            (ReadFor::Reread | ReadFor::Compare, Err(detail)) => Reply::Fault(Fault::CantReread { detail }),
            (ReadFor::Restart, Ok(_)) => {
                self.shut_down(now, Mood::Restarting, out);
                Reply::Done
            }
            (ReadFor::Restart, Err(detail)) => {
                out.push(Action::Note(Note::RestartRefused { reason: detail.clone() }));
                Reply::Fault(Fault::CantReread { detail })
            }
        };
        if let Some(ask) = ask {
            Self::reply(ask, reply, out);
        }
    }

    fn reread(&mut self, config: Arc<Config>) -> Reply {
        let difference = diff(self.groups.iter().map(|group| &group.config), &config.groups);
        self.available = config;
        Reply::Reread { added: difference.added, changed: difference.changed, removed: difference.removed }
    }

    fn add_group(&mut self, now: Now, name: String, out: &mut Outbox) -> Reply {
        let available = Arc::clone(&self.available);
        let Some(config) = available.groups.iter().find(|group| group.name == name) else {
            return Reply::Fault(Fault::BadName { name });
        };
        if self.group(&name).is_some() {
            return Reply::Fault(Fault::AlreadyAdded { name });
        }
        self.add(&Active::from(config.clone()), out);
        if self.begun {
            self.autostart(now, &name, out);
        }
        Reply::Done
    }

    fn remove_group(&mut self, name: String, out: &mut Outbox) -> Reply {
        let Some(group) = self.group(&name) else {
            return Reply::Fault(Fault::BadName { name });
        };
        if group.processes.iter().any(|id| lives(&self.processes[id])) {
            return Reply::Fault(Fault::StillRunning { name });
        }
        let group = group.clone();
        self.drop_group(&group, out);
        Reply::Done
    }

    /// One of which nothing lives.
    pub(super) fn drop_group(&mut self, group: &Group, out: &mut Outbox) {
        for id in group.processes.clone() {
            self.drop_process(id, out);
        }
        self.groups.retain(|other| other.name != group.name);
        self.groups_by_name.remove(&group.name);
        // First: it does not hear of its own end.
        Self::close_pool(group, out);
        out.push(Action::Publish(Event::GroupRemoved { group: Arc::clone(&group.name) }));
    }

    /// One that does not live.
    pub(super) fn drop_process(&mut self, id: ProcessId, out: &mut Outbox) {
        for wait in self.asks.take(id, |_| true) {
            let fault = Fault::BadName { name: wait.given.clone() };
            self.finish_wait(wait, Err(fault), out);
        }
        self.timers.set(Timer::Process(id), None);
        self.timers.set(Timer::StopReport(id), None);
        self.ends.retain(|other| *other != id);
        self.processes.remove(&id);
    }

    // --- looking ---

    fn process_info(&self, now: Now, name: &str) -> Reply {
        match self.named(name) {
            Some(id) => Reply::Info(Box::new(info(now, &self.processes[&id]))),
            None => Reply::Fault(Fault::BadName { name: name.to_owned() }),
        }
    }

    fn process_history(&self, now: Now, name: &str) -> Reply {
        let Some(id) = self.named(name) else {
            return Reply::Fault(Fault::BadName { name: name.to_owned() });
        };
        let process = &self.processes[&id];
        let is_configured = self.available.groups.iter().any(|group| {
            group.name == *process.group && group.processes.iter().any(|other| other.name == *process.name)
        });
        Reply::History(Box::new(ProcessHistory {
            info: info(now, process),
            history: Arc::clone(&process.history),
            config: Arc::clone(&process.config),
            is_configured,
            due: process.deadline.map(|at| at.since(now.mono)),
        }))
    }

    fn all_process_info(&self, now: Now) -> Vec<ProcessInfo> {
        let mut processes: Vec<_> = self.processes.values().collect();
        processes.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
        processes.into_iter().map(|process| info(now, process)).collect()
    }

    fn all_config_info(&self) -> Vec<Configured> {
        let active: BTreeSet<&str> = self.groups.iter().map(|group| &*group.name).collect();
        let mut all = Vec::new();
        for group in &self.available.groups {
            let name: Arc<str> = group.name.as_str().into();
            for config in &group.processes {
                let running = self.find(&name, &config.name).map(|id| &self.processes[&id]);
                // The paths are those in use, as long as the configuration is the one in use.
                let logs = running.filter(|p| p.config == *config).map(|p| p.logs.clone());
                all.push(Configured {
                    group: Arc::clone(&name),
                    group_priority: group.priority,
                    in_use: active.contains(&*name),
                    config: Arc::clone(config),
                    logs,
                });
            }
        }
        all.sort_by(|a, b| a.config.name.cmp(&b.config.name));
        all
    }
}

/// An UNKNOWN process counts as stopped, but dropping it would lose its child.
pub(super) fn lives(process: &Process) -> bool {
    !process.state.is_stopped() || process.child.or(process.remains).is_some()
}

fn info(now: Now, process: &Process) -> ProcessInfo {
    ProcessInfo {
        name: Arc::clone(&process.name),
        group: Arc::clone(&process.group),
        state: process.state,
        pid: process.pid,
        start: process.started.map(|at| at.wall),
        stop: process.stopped.map(|at| at.wall),
        now: now.wall,
        spawnerr: process.spawnerr.clone(),
        exit: process.exit,
        restarts: process.restarted,
        stdout_logfile: process.logs.stdout.clone(),
        stderr_logfile: process.logs.stderr.clone(),
    }
}
