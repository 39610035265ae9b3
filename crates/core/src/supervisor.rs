//! The whole: groups in order, one mood, everybody who waits. [`Supervisor::step`] is the only way in.
//!
//! This file is the table of contents of behaviour: what each input means. What a single process does is in
//! `process/machine.rs`, how commands are accepted in `supervisor/commands.rs`, how everything ends in
//! `supervisor/ending.rs`, in which order things start and stop in `order.rs`, which pools of
//! listeners there are in `supervisor/pools.rs`, who gets which answer in `ask/`.

mod commands;
mod ending;
mod listed;
mod pools;
mod stdin;
mod twiddle;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use provost_config::{Config, ExitOn, ProcessConfig};

use crate::action::Action;
use crate::ask::{Asks, Until, verdict};
use crate::command::{Fault, Reply};
use crate::event::{Event, Note};
use crate::group::{Active, Group};
use crate::history::By;
use crate::ids::{AskId, ChildId, ProcessId};
use crate::input::Input;
use crate::memory::Memory;
use crate::order;
use crate::process::{Death, Outbox, Process, Restarts, State};
use crate::time::{Mono, Now};
use crate::timers::{Timer, Timers};

/// How often a pending stop says whom it waits for (SPEC 4.1).
const STOP_REPORT: Duration = Duration::from_secs(2);

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
    /// An earlier brain has told that it runs.
    announced: bool,
    finished: bool,
    /// In start order: by priority; equal ones in order of addition (SPEC 3.7).
    groups: Vec<Arc<Group>>,
    groups_by_name: BTreeMap<Arc<str>, Arc<Group>>,
    processes: BTreeMap<ProcessId, Box<Process>>,
    children: BTreeMap<ChildId, ProcessId>,
    /// The configuration last read, of which groups may be added.
    available: Arc<Config>,
    asks: Asks,
    /// Groups that are about to go over to another configuration, in the order in which that was asked for.
    updates: Vec<update::Update>,
    /// Processes that go on where an earlier brain left off.
    recalled: BTreeSet<ProcessId>,
    exit_on: ExitOn,
    /// Processes that are down for good by themselves, in the order in which they ended.
    ends: Vec<ProcessId>,
    /// The number of the last of them.
    last_end: u64,
    /// The exit status that it will all end with.
    status: u8,
    seed: u64,
    timers: Timers,
    next_process: u32,
    next_child: u32,
}

impl Supervisor {
    /// A supervisor of this configuration, at rest. `first_child` is above every number that an earlier
    /// brain gave to a child, `seed` any number: what is left to chance follows from it. The actions prepare
    /// the groups; nothing starts before [`Input::Begin`].
    pub fn new(config: Arc<Config>, first_child: ChildId, seed: u64) -> (Self, Vec<Action>) {
        let exit_on = config.supervisord.exit_on;
        let groups: Vec<Active> = config.groups.iter().cloned().map(Active::from).collect();
        Supervisor::resume(Arc::clone(&config), exit_on, &groups, first_child, seed, false)
    }

    /// One that goes on where an earlier brain ended: with these groups, in the order of their addition, whatever is
    /// available by now. If they have been `announced`, listeners are not told once more that these groups came, and that it runs.
    pub fn resume(
        available: Arc<Config>,
        exit_on: ExitOn,
        groups: &[Active],
        first_child: ChildId,
        seed: u64,
        announced: bool,
    ) -> (Self, Vec<Action>) {
        let mut supervisor = Supervisor {
            mood: Mood::Running,
            begun: false,
            announced,
            finished: false,
            groups: Vec::new(),
            groups_by_name: BTreeMap::new(),
            processes: BTreeMap::new(),
            children: BTreeMap::new(),
            available,
            asks: Asks::default(),
            updates: Vec::new(),
            recalled: BTreeSet::new(),
            exit_on,
            ends: Vec::new(),
            last_end: 0,
            status: 0,
            seed,
            timers: Timers::default(),
            next_process: 0,
            next_child: first_child.0,
        };
        let mut out = Vec::new();
        for group in groups {
            // Two groups of one name: the first in order runs, as with Supervisor; the configuration warns.
            if supervisor.group(&group.config.name).is_none() {
                supervisor.activate(group, &mut out);
                if !announced {
                    Self::announce_group(&group.config.name, &mut out);
                }
            }
        }
        (supervisor, out)
    }

    pub fn mood(&self) -> Mood {
        self.mood
    }

    /// Whether it has begun, and has not begun to end: what [`crate::Command::Ping`] asks.
    pub fn runs(&self) -> bool {
        self.begun && self.mood == Mood::Running
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
            Input::Recall { group, process, memory } => self.recall(now, &group, &process, *memory, out),
            Input::RecallEnding(ending) => self.recall_ending(now, ending, out),
            Input::Command(ask, by, command) => self.command(now, ask, &by, command, out),
            Input::Resolved { process, result } => self.resolved(now, process, result, out),
            Input::LogsPrepared { process, paths } => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.logs = paths;
                }
            }
            Input::LogsDone { process, deed, result } => self.logs_done(process, deed, &result, out),
            Input::MainLogDone { ask, result } => {
                self.main_log_done(ask, result.map_err(|detail| Fault::Failed { detail }), out);
            }
            Input::StdinSent { ask, process, result } => self.stdin_sent(ask, process, result, out),
            Input::Spawned { child, pid, at } => {
                self.of_child(now, child, out, |process, _, out| process.spawned(pid, at, out));
            }
            Input::SpawnFailed { child, error } => {
                self.of_child(now, child, out, |process, restarts, out| {
                    process.spawn_failed(now, error, restarts, out);
                });
                self.children.remove(&child);
            }
            Input::Exited { child, status, at, next, clue } => {
                if let (Some(next), Some(id)) = (next, self.children.get(&child)) {
                    self.children.insert(next, *id);
                }
                self.of_child(now, child, out, |process, restarts, out| {
                    // An earlier brain may have dealt with this end already.
                    process.remains.take_if(|remains| *remains == child);
                    if process.child == Some(child) {
                        process.exited(now, Death { at, status, next, clue }, restarts, out);
                    }
                });
                self.children.remove(&child);
                out.push(Action::Forget { child });
            }
            Input::KillFailed { child, reason } => {
                self.of_child(now, child, out, |process, _, out| process.kill_failed(&reason, out));
            }
            Input::ConfigRead { ask, purpose, result } => self.config_read(now, ask, purpose, result, out),
            Input::ProgramRead { ask, group, result } => self.program_read(now, ask, &group, result, out),
            Input::UpgradeFailed { ask, reason } => {
                Self::reply(ask, Reply::Fault(Fault::Failed { detail: reason }), out);
            }
            Input::Signal(signal) => self.signal(now, signal, out),
            Input::Orphan { pid, status } => out.push(Action::Note(Note::Orphan { pid, status })),
            Input::Wake => {}
        }
        self.go_on_updating(now, out);
        self.go_on_stopping(now, out);
        // Last, so that a deadline set just now for just now (stopwaitsecs=0) does not need a turn of its own.
        // Before the beginning nothing is due: whether anything may start at all is told after the past of each process.
        if self.begun && !self.finished {
            self.wake_due(now, out);
        }
        self.take_turns(out);
    }

    // --- beginnings ---

    fn begin(&mut self, now: Now, out: &mut Outbox) {
        self.begun = true;
        self.recall_ends();
        if self.mood == Mood::Running {
            if !self.announced {
                out.push(Action::Publish(Event::SupervisorRunning));
            }
            for group in self.group_names() {
                self.autostart(now, &group, out);
            }
            // What an earlier brain had stopped for an update.
            let returning = self.processes.values().filter(|process| process.returns);
            for id in returning.map(|process| process.id).collect::<Vec<_>>() {
                self.with(now, id, out, |_, _, _| {});
            }
        }
        self.recalled.clear();
        // What runs already may be relaunched, and told of events, from now on.
        for id in self.children.values().copied().collect::<Vec<_>>() {
            self.with(now, id, out, |_, _, _| {});
        }
    }

    /// Adds a group, and tells of it.
    fn add(&mut self, active: &Active, out: &mut Outbox) {
        self.activate(active, out);
        Self::announce_group(&active.config.name, out);
    }

    fn announce_group(name: &str, out: &mut Outbox) {
        out.push(Action::Publish(Event::GroupAdded { group: name.into() }));
    }

    /// Adds a group with its processes at rest, behind those of the same priority.
    fn activate(&mut self, Active { config, processes }: &Active, out: &mut Outbox) {
        let name: Arc<str> = config.name.as_str().into();
        let processes = processes.iter().map(|process| self.prepare(&name, process, out)).collect::<Vec<_>>();
        let at = order::place_of(&self.groups, config.priority);
        let group = Arc::new(Group::new(config.clone(), processes));
        self.groups.insert(at, Arc::clone(&group));
        self.groups_by_name.insert(Arc::clone(&group.name), Arc::clone(&group));
        self.open_pool(&group, None, out);
    }

    /// A process at rest, for this group.
    fn prepare(
        &mut self,
        group: &Arc<str>,
        process: &Arc<ProcessConfig>,
        out: &mut Outbox,
    ) -> (Arc<str>, ProcessId) {
        let id = ProcessId(self.next_process);
        self.next_process += 1;
        let process = Process::new(id, Arc::clone(group), Arc::clone(process), self.seed);
        let (name, group, config) =
            (Arc::clone(&process.name), Arc::clone(group), Arc::clone(&process.config));
        out.push(Action::PrepareLogs { process: id, group, config });
        self.processes.insert(id, Box::new(process));
        (name, id)
    }

    fn autostart(&mut self, now: Now, group: &str, out: &mut Outbox) {
        for id in self.group(group).map_or_else(Vec::new, order::to_start) {
            // An adopted process runs already, and one that an earlier brain has dealt with has had its start.
            let process = &self.processes[&id];
            if process.config.autostart && process.state == State::Stopped && !self.recalled.contains(&id) {
                self.start(now, id, None, out);
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
        // It may have one already: of two only the newer can live, and the end of the other was dealt with.
        let Some(id) = self.find(&group, &name) else {
            out.push(Action::NoRelaunch { child });
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
        let (before, end_before) = (process.memory(), process.end);
        act(process, restarts, out);
        process.take_replacement(out);
        if self.begun {
            process.may_hear(out);
            if restarts == Restarts::Allowed && process.promise(ChildId(self.next_child), out) {
                self.next_child += 1;
            }
        }
        if process.returns
            && process.state == State::Stopped
            && self.begun
            && !self.updates.iter().any(|update| update.is_of(&process.group))
        {
            process.deadline.get_or_insert(now.mono);
        }
        self.timers.set(Timer::Process(id), process.deadline);
        if process.end != end_before {
            self.last_end += 1;
            process.end_number = process.end.map(|_| self.last_end);
        }
        let (memory, end) = (process.memory(), process.end);
        // An ending is remembered before its cause: a brain that dies between the two is followed by one that ends.
        let leaves = end != end_before && self.has_ended(id, end, out);
        if memory != before {
            let process = &self.processes[&id];
            let (group, name) = (Arc::clone(&process.group), Arc::clone(&process.name));
            out.push(Action::Remember { process: id, group, name, memory: Box::new(memory) });
        }
        self.answer_waits(now, id, out);
        if leaves {
            self.announce_the_end(now, out);
        }
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

    /// `by` nobody if it starts by itself.
    fn start(&mut self, now: Now, id: ProcessId, by: Option<Arc<By>>, out: &mut Outbox) {
        self.with_next_child(now, id, out, |process, child, _, out| process.start_anew(now, child, by, out));
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
        self.next_child += 1;
        self.with(now, id, out, |process, restarts, out| act(process, child, restarts, out));
        if self.processes.get(&id).is_some_and(|process| process.child == Some(child)) {
            self.children.insert(child, id);
        } else if self.next_child == child.0 + 1 {
            // Not wanted, so it is the next one's.
            self.next_child = child.0;
        }
    }

    fn answer_waits(&mut self, now: Now, id: ProcessId, out: &mut Outbox) {
        for wait in self.asks.take(id, |_| true) {
            match verdict(&wait, &self.processes[&id]) {
                None => self.asks.keep(id, wait),
                Some(Ok(())) if matches!(wait.until, Until::StoppedFirst { .. }) => {
                    self.asks.stopped(id, wait)
                }
                Some(result) => self.finish_wait(wait, result, out),
            }
        }
        let is_stopping = self.processes[&id].state == State::Stopping;
        if !self.asks.is_waited_to_stop(id, is_stopping) {
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
                Timer::StopReport(id) => {
                    let is_stopping =
                        self.processes.get(&id).is_some_and(|process| process.state == State::Stopping);
                    if self.asks.is_waited_to_stop(id, is_stopping) {
                        self.report_stop(now, id, out);
                    }
                }
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

    // --- looking things up ---

    fn group(&self, name: &str) -> Option<&Group> {
        self.groups_by_name.get(name).map(Arc::as_ref)
    }

    fn group_names(&self) -> Vec<Arc<str>> {
        self.groups.iter().map(|group| Arc::clone(&group.name)).collect()
    }

    /// Processes of one group, ascending by priority (SPEC 3.7).
    fn by_priority(&self, group: &Group) -> Vec<ProcessId> {
        order::by_priority(group, &self.processes)
    }

    fn find(&self, group: &str, process: &str) -> Option<ProcessId> {
        self.group(group)?.process(process)
    }

    fn reply(ask: AskId, reply: Reply, out: &mut Outbox) {
        out.push(Action::Reply { ask, reply });
    }
}
