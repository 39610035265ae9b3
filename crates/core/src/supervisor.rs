//! The whole: groups in order, one mood, everybody who waits. [`Supervisor::step`] is the only way in.
//!
//! This file is the table of contents of behaviour: what each input means, and in which order processes are
//! started and stopped. What a single process does is in `process/machine.rs`, how commands are accepted
//! in `commands.rs` beside this file, who gets which answer in `ask/`.

mod commands;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use provost_config::{Config, GroupConfig};

use crate::action::{Action, Ending, ReadFor};
use crate::ask::{Asks, Until, verdict};
use crate::command::{Fault, Reply};
use crate::event::{Event, Note, SignalEffect};
use crate::group::Group;
use crate::ids::{AskId, ChildId, ProcessId};
use crate::input::Input;
use crate::memory::Memory;
use crate::process::{Outbox, Process, Restarts, State};
use crate::time::{Mono, Now};
use crate::timers::{Timer, Timers};

/// How often a pending shutdown says whom it waits for (SPEC 3.8), and a pending stop likewise (SPEC 4.1).
const DEATH_REPORT: Duration = Duration::from_secs(3);
const STOP_REPORT: Duration = Duration::from_secs(2);

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
const SIGUSR2: i32 = 12;
const SIGTERM: i32 = 15;

/// What the supervisor as a whole is about (SPEC 1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Running,
    Restarting,
    Shutdown,
}

/// Everything that is supervised.
#[derive(Debug)]
pub struct Supervisor {
    mood: Mood,
    begun: bool,
    finished: bool,
    /// In start order: by priority; equal ones in order of addition (SPEC 3.7).
    groups: Vec<Group>,
    processes: BTreeMap<ProcessId, Process>,
    children: BTreeMap<ChildId, ProcessId>,
    /// The configuration last read, of which groups may be added.
    available: Arc<Config>,
    asks: Asks,
    /// Processes that go on where an earlier brain left off.
    recalled: BTreeSet<ProcessId>,
    timers: Timers,
    next_process: u32,
    next_child: u32,
}

impl Supervisor {
    /// A supervisor of this configuration, at rest. `first_child` is above every number that an earlier
    /// brain gave to a child. The actions prepare the groups; nothing starts before [`Input::Begin`].
    pub fn new(config: Arc<Config>, first_child: ChildId) -> (Self, Vec<Action>) {
        let mut supervisor = Supervisor {
            mood: Mood::Running,
            begun: false,
            finished: false,
            groups: Vec::new(),
            processes: BTreeMap::new(),
            children: BTreeMap::new(),
            available: Arc::clone(&config),
            asks: Asks::default(),
            recalled: BTreeSet::new(),
            timers: Timers::default(),
            next_process: 0,
            next_child: first_child.0,
        };
        let mut out = Vec::new();
        for group in &config.groups {
            // Two groups of one name: the first in order runs, as with Supervisor; the configuration warns.
            if supervisor.group(&group.name).is_none() {
                supervisor.activate(group, &mut out);
            }
        }
        (supervisor, out)
    }

    pub fn mood(&self) -> Mood {
        self.mood
    }

    /// When to call [`Supervisor::step`] with [`Input::Wake`] at the latest.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// Takes note of what happened and appends what is to be done.
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Action>) {
        match input {
            Input::Begin => self.begin(now, out),
            Input::Adopt { group, process, child, pid, started } => {
                self.adopt(now, group, process, child, pid, started, out);
            }
            Input::Recall { group, process, memory } => self.recall(now, &group, &process, memory, out),
            Input::RecallEnding(Ending::Exit) => self.shut_down(now, Mood::Shutdown, out),
            Input::RecallEnding(Ending::Renew) => self.shut_down(now, Mood::Restarting, out),
            Input::Command(ask, command) => self.command(now, ask, command, out),
            Input::Resolved { process, result } => self.resolved(now, process, result, out),
            Input::LogsPrepared { process, paths } => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.logs = paths;
                }
            }
            Input::LogsCleared { process, result } => self.logs_cleared(process, result, out),
            Input::Spawned { child, pid, at } => {
                self.of_child(now, child, out, |process, _, out| process.spawned(pid, at, out));
            }
            Input::SpawnFailed { child, error } => {
                self.of_child(now, child, out, |process, restarts, out| {
                    process.spawn_failed(now, error, restarts, out);
                });
                self.children.remove(&child);
            }
            Input::Exited { child, status, at } => {
                self.of_child(now, child, out, |process, restarts, out| {
                    process.exited(now, at, status, restarts, out);
                });
                self.children.remove(&child);
                out.push(Action::Forget { child });
            }
            Input::KillFailed { child, reason } => {
                self.of_child(now, child, out, |process, _, out| process.kill_failed(&reason, out));
            }
            Input::ConfigRead { ask, purpose, result } => self.config_read(now, ask, purpose, result, out),
            Input::Signal(signal) => self.signal(now, signal, out),
            Input::Orphan { pid, status } => out.push(Action::Note(Note::Orphan { pid, status })),
            Input::Wake => {}
        }
        self.go_on_stopping(now, out);
        // Last, so that a deadline set just now for just now (stopwaitsecs=0) does not need a turn of its own.
        if !self.finished {
            self.wake_due(now, out);
        }
    }

    // --- beginnings ---

    fn begin(&mut self, now: Now, out: &mut Outbox) {
        self.begun = true;
        if self.mood == Mood::Running {
            out.push(Action::Publish(Event::SupervisorRunning));
            for group in self.group_names() {
                self.autostart(now, &group, out);
            }
        }
        self.recalled.clear();
    }

    /// Adds a group with its processes at rest, behind those of the same priority.
    fn activate(&mut self, config: &GroupConfig, out: &mut Outbox) {
        let name: Arc<str> = config.name.as_str().into();
        let mut processes = Vec::with_capacity(config.processes.len());
        for process in &config.processes {
            let id = ProcessId(self.next_process);
            self.next_process += 1;
            let process = Process::new(id, Arc::clone(&name), Arc::new(process.clone()));
            let (group, config) = (Arc::clone(&name), Arc::clone(&process.config));
            out.push(Action::PrepareLogs { process: id, group, config });
            self.processes.insert(id, process);
            processes.push(id);
        }
        let at = self.groups.partition_point(|g| g.config.priority <= config.priority);
        self.groups.insert(at, Group { name: Arc::clone(&name), config: config.clone(), processes });
        out.push(Action::Publish(Event::GroupAdded { group: name }));
    }

    fn autostart(&mut self, now: Now, group: &str, out: &mut Outbox) {
        for id in self.processes_of(group) {
            // An adopted process runs already, and one that an earlier brain has dealt with has had its start.
            let process = &self.processes[&id];
            if process.config.autostart && process.state == State::Stopped && !self.recalled.contains(&id) {
                self.start(now, id, out);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one input, used at once")]
    fn adopt(
        &mut self,
        now: Now,
        group: String,
        name: String,
        child: ChildId,
        pid: i32,
        started: Now,
        out: &mut Outbox,
    ) {
        let free = self.find(&group, &name).filter(|id| self.processes[id].child.is_none());
        let Some(id) = free else {
            out.push(Action::Note(Note::NotAdopted { group, process: name, pid }));
            return;
        };
        self.children.insert(child, id);
        self.with(now, id, out, |process, _, out| process.adopt(child, pid, started, out));
    }

    fn recall(&mut self, now: Now, group: &str, name: &str, memory: Memory, out: &mut Outbox) {
        // What is no longer configured is not missed.
        if let Some(id) = self.find(group, name) {
            self.recalled.insert(id);
            self.with(now, id, out, |process, _, out| process.recall(now, memory, out));
        }
    }

    // --- moving one process ---

    /// Runs a piece of a machine, then looks at all that may follow from it.
    fn with(
        &mut self,
        now: Now,
        id: ProcessId,
        out: &mut Outbox,
        act: impl FnOnce(&mut Process, Restarts, &mut Outbox),
    ) {
        let restarts = self.restarts();
        let Some(process) = self.processes.get_mut(&id) else { return };
        let before = process.memory();
        act(process, restarts, out);
        self.timers.set(Timer::Process(id), process.deadline);
        let memory = process.memory();
        if memory != before {
            let (group, name) = (Arc::clone(&process.group), Arc::clone(&process.name));
            out.push(Action::Remember { process: id, group, name, memory });
        }
        self.answer_waits(now, id, out);
    }

    fn of_child(
        &mut self,
        now: Now,
        child: ChildId,
        out: &mut Outbox,
        act: impl FnOnce(&mut Process, Restarts, &mut Outbox),
    ) {
        if let Some(id) = self.children.get(&child).copied() {
            self.with(now, id, out, act);
        }
    }

    fn start(&mut self, now: Now, id: ProcessId, out: &mut Outbox) {
        self.with_next_child(now, id, out, |process, child, _, out| process.start_anew(now, child, out));
    }

    /// Runs a piece of a machine that may want a child, and takes note if it did.
    fn with_next_child(
        &mut self,
        now: Now,
        id: ProcessId,
        out: &mut Outbox,
        act: impl FnOnce(&mut Process, ChildId, Restarts, &mut Outbox),
    ) {
        let child = ChildId(self.next_child);
        self.with(now, id, out, |process, restarts, out| act(process, child, restarts, out));
        if self.processes.get(&id).is_some_and(|process| process.child == Some(child)) {
            self.next_child += 1;
            self.children.insert(child, id);
        }
    }

    fn answer_waits(&mut self, now: Now, id: ProcessId, out: &mut Outbox) {
        for wait in self.asks.take(id, |_| true) {
            match verdict(&wait, &self.processes[&id]) {
                None => self.asks.keep(id, wait),
                Some(result) => self.finish_wait(wait, result, out),
            }
        }
        if !self.asks.is_waited_to_stop(id) {
            self.timers.set(Timer::StopReport(id), None);
        } else if !self.timers.is_set(Timer::StopReport(id)) {
            self.report_stop(now, id, out);
        }
    }

    fn finish_wait(&mut self, wait: crate::ask::Wait, result: Result<(), Fault>, out: &mut Outbox) {
        let ask = wait.ask;
        if let Some(reply) = self.asks.finish(wait, result) {
            out.push(Action::Reply { ask, reply });
        }
    }

    fn report_stop(&mut self, now: Now, id: ProcessId, out: &mut Outbox) {
        let Some(process) = self.processes.get(&id) else { return };
        out.push(Action::Note(Note::WaitingToStop { name: Arc::clone(&process.name) }));
        self.timers.set(Timer::StopReport(id), Some(now.mono + STOP_REPORT));
    }

    // --- time ---

    fn wake_due(&mut self, now: Now, out: &mut Outbox) {
        // Every woken machine sets a later deadline or none, so this ends.
        while let Some(timer) = self.timers.pop(now.mono) {
            match timer {
                Timer::Process(id) => {
                    self.with_next_child(now, id, out, |process, child, restarts, out| {
                        process.woken(now, child, restarts, out);
                    });
                }
                Timer::StopReport(id) if self.asks.is_waited_to_stop(id) => self.report_stop(now, id, out),
                Timer::StopReport(_) => {}
                Timer::DeathReport => self.report_deaths(now, out),
            }
        }
    }

    fn restarts(&self) -> Restarts {
        match self.mood {
            Mood::Running => Restarts::Allowed,
            Mood::Restarting | Mood::Shutdown => Restarts::Forbidden,
        }
    }

    // --- the end ---

    fn signal(&mut self, now: Now, signal: i32, out: &mut Outbox) {
        let mut note = |effect| out.push(Action::Note(Note::SignalReceived { signal, effect }));
        match signal {
            SIGTERM | SIGINT | SIGQUIT => {
                note(SignalEffect::Exit);
                self.shut_down(now, Mood::Shutdown, out);
            }
            SIGHUP if self.mood == Mood::Shutdown => note(SignalEffect::RestartIgnored),
            SIGHUP => {
                note(SignalEffect::Restart);
                if self.mood == Mood::Running {
                    out.push(Action::ReadConfig { ask: None, purpose: ReadFor::Restart });
                }
            }
            SIGUSR2 => {
                note(SignalEffect::ReopenLogs);
                out.push(Action::ReopenLogs);
            }
            // SIGUSR1 kills Supervisor; here it is a signal that means nothing.
            _ => {}
        }
    }

    /// Stops everything, to exit or to start afresh. A shutdown overrides a restart, never the reverse.
    fn shut_down(&mut self, now: Now, mood: Mood, out: &mut Outbox) {
        let before = self.mood;
        if before != Mood::Shutdown && before != mood {
            self.mood = mood;
            out.push(Action::RememberEnding(self.ending()));
        }
        if before != Mood::Running {
            return;
        }
        out.push(Action::Publish(Event::SupervisorStopping));
        // Whoever waits for a start waits in vain; whoever waits for a stop gets it.
        for id in self.asks.waited_for() {
            for wait in self.asks.take(id, |wait| wait.until != Until::Stopped) {
                self.finish_wait(wait, Err(Fault::ShuttingDown), out);
            }
        }
        for id in self.processes.keys().copied().collect::<Vec<_>>() {
            self.with(now, id, out, |process, _, _| process.cancel_restart());
        }
    }

    /// While stopping: the groups of the highest priority that has something left, all side by side;
    /// the next lower ones when nothing of these is left; then the end.
    fn go_on_stopping(&mut self, now: Now, out: &mut Outbox) {
        if self.mood == Mood::Running || self.finished {
            return;
        }
        let unstopped =
            |group: &Group| group.processes.iter().any(|id| !self.processes[id].state.is_stopped());
        let Some(priority) = self.groups.iter().rev().find(|g| unstopped(g)).map(|g| g.config.priority)
        else {
            self.finished = true;
            self.timers.set(Timer::DeathReport, None);
            out.push(Action::Finish(self.ending()));
            return;
        };
        // Within a group the highest process priority first, as with Supervisor; equal ones from the last to the first.
        let same = self.groups.iter().rev().filter(|g| g.config.priority == priority);
        let mut ids: Vec<ProcessId> =
            same.flat_map(|group| self.by_priority(group).into_iter().rev()).collect();
        ids.retain(|id| {
            let state = self.processes[id].state;
            !state.is_stopped() && state != State::Stopping
        });
        for id in ids {
            self.with(now, id, out, |process, _, out| process.shut_down(now, out));
        }
        if !self.timers.is_set(Timer::DeathReport) {
            self.report_deaths(now, out);
        }
        // Giving up takes no time: the whole priority may be done already.
        if self
            .groups
            .iter()
            .filter(|g| g.config.priority == priority)
            .all(|g| g.processes.iter().all(|id| self.processes[id].state.is_stopped()))
        {
            self.go_on_stopping(now, out);
        }
    }

    fn ending(&self) -> Ending {
        match self.mood {
            Mood::Restarting => Ending::Renew,
            Mood::Running | Mood::Shutdown => Ending::Exit,
        }
    }

    fn report_deaths(&mut self, now: Now, out: &mut Outbox) {
        let names: Vec<_> = self
            .groups
            .iter()
            .flat_map(|group| &group.processes)
            .map(|id| &self.processes[id])
            .filter(|process| !process.state.is_stopped())
            .map(|process| Arc::clone(&process.name))
            .collect();
        if names.is_empty() {
            return;
        }
        out.push(Action::Note(Note::WaitingToDie { names }));
        self.timers.set(Timer::DeathReport, Some(now.mono + DEATH_REPORT));
    }

    // --- looking things up ---

    fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| &*group.name == name)
    }

    fn group_names(&self) -> Vec<Arc<str>> {
        self.groups.iter().map(|group| Arc::clone(&group.name)).collect()
    }

    fn processes_of(&self, group: &str) -> Vec<ProcessId> {
        self.group(group).map_or_else(Vec::new, |group| group.processes.clone())
    }

    /// Processes of one group, ascending by priority (SPEC 3.7).
    fn by_priority(&self, group: &Group) -> Vec<ProcessId> {
        let mut ids = group.processes.clone();
        ids.sort_by_key(|id| self.processes[id].config.priority);
        ids
    }

    fn find(&self, group: &str, process: &str) -> Option<ProcessId> {
        self.group(group)?.processes.iter().copied().find(|id| &*self.processes[id].name == process)
    }

    fn reply(ask: AskId, reply: Reply, out: &mut Outbox) {
        out.push(Action::Reply { ask, reply });
    }
}
