//! A child's story, from the wish for it to its last words.
//!
//! In: what the core wants of a child, and what keeper and pump tell of it. Out: orders to both, and inputs for the core. Not
//! here: where it writes (`outputs.rs`).

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use provost_config::{LogLevel, ProcessConfig, ProcessKind};
use provost_core::{
    AskId, ChildId, Clue, ExitStatus, Input, KillTarget, Now, ProcessId, RelaunchOn, SpawnError,
    SpawnErrorKind, StdinError,
};
use provost_keeper::{Ends, LinkError, Pipes, Plan, Relaunch, Target, ToKeeper};

use super::Hands;
use super::outputs::Logs;
use crate::events::Going;
use crate::launch::{self};
use crate::leftovers::inodes;
use crate::logs::{self, Order, Output};

/// The same number on every Linux.
const SIGKILL: i32 = 9;

/// A child between the wish for it and the end of its story.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) config: Arc<ProcessConfig>,
    pub(super) process: ProcessId,
    stage: Stage,
    /// Where it writes, and where one that takes its place would.
    heir: Option<Heir>,
    /// Somebody else still holds its output open.
    pub(super) lingers: bool,
    /// 0 until it is known.
    pub(super) pid: i32,
    /// SIGKILL has gone out to it, or will as soon as it is there.
    is_killed: bool,
}

impl Child {
    fn new(process: ProcessId, config: Arc<ProcessConfig>, stage: Stage) -> Child {
        Child { config, process, stage, heir: None, lingers: false, pid: 0, is_killed: false }
    }
}

#[derive(Debug)]
enum Stage {
    /// Its log files are being opened; signals that came meanwhile follow the spawn.
    Opening { plan: Box<Plan>, stdin: Option<OwnedFd>, signals: Vec<(i32, KillTarget)> },
    /// With the keeper.
    Running,
    /// Its last output is being written down.
    Draining { status: ExitStatus, at: Now, next: Option<ChildId>, clue: Option<Clue> },
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

impl Hands {
    /// Nothing is on its way to the keeper that is written down nowhere yet.
    pub(crate) fn is_quiet(&self) -> bool {
        let is_opening = |child: &Child| matches!(child.stage, Stage::Opening { .. });
        !self.link.wants_to_write() && !self.children.values().any(is_opening)
    }

    pub(super) fn begin_spawn(
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
        self.children.insert(child, Child::new(process, Arc::clone(config), stage));
        self.order(Order::Open { child, process, outlets, runs: false })?;
        Ok(None)
    }

    /// Whoever it is for, the keeper first where it is to hold something.
    pub(super) fn order(&mut self, order: Order) -> Result<(), LinkError> {
        let link = &mut self.link;
        self.pump.order(order, &mut |name, fd| link.send(ToKeeper::Hold { name, fd }))
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
        let Some((pid, Some(pipes))) = self.listeners.wait_for_place(child, pid, Some(pipes)) else {
            return Ok(());
        };
        let pipes = self.listened_to(child, pid, pipes)?;
        if let Some(entry) = self.children.get_mut(&child) {
            entry.pid = pid;
        }
        self.order(Order::Watch { child, pid, pipes, leftovers: Vec::new() })
    }

    /// What an event listener says is heard elsewhere, and from there it comes to its log.
    fn listened_to(&mut self, child: ChildId, pid: i32, pipes: Pipes) -> Result<Pipes, LinkError> {
        let Some(Child { config, process, .. }) = self.children.get(&child) else { return Ok(pipes) };
        if config.kind != ProcessKind::EventListener {
            return Ok(pipes);
        }
        let (config, process) = (Arc::clone(config), *process);
        let Some(pool) = self.logs.get(&process).map(|logs| Arc::clone(&logs.group)) else {
            return Ok(pipes);
        };
        let outlets = self.outlets(process, &config);
        let mut stdout = outlets.iter().filter(|(output, _)| *output == Output::Stdout);
        let is_logged = stdout.any(|(_, plan)| !plan.sinks.is_empty() || plan.course.is_some());
        let Hands { listeners, link, log, .. } = self;
        let stdout =
            listeners.began((child, pid), (&pool, &config.name), pipes.stdout, is_logged, link, log)?;
        Ok(Pipes { stdout, ..pipes })
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

    pub(super) fn let_go(&mut self, child: ChildId) -> Result<Option<Child>, LinkError> {
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
            self.listeners.forget(child, &mut self.link)?;
            return self.link.send(ToKeeper::Forget { id: child.0, lingers: false });
        };
        let last_words =
            failure.map(|(stage, errno)| self.launcher.child_failed(&entry.config, stage, errno));
        let clue = match (failure, status) {
            (Some((stage, errno)), _) => {
                Some(Clue::NeverRan(self.launcher.obstacle(&entry.config, stage, errno).into()))
            }
            (None, ExitStatus::Signal { number: SIGKILL, .. }) if !entry.is_killed => self.shortage.clue(),
            (None, _) => None,
        };
        entry.stage = Stage::Draining { status, at, next, clue };
        let (process, config) = (entry.process, Arc::clone(&entry.config));
        let heir = next.map(|child| logs::Heir { child, process, outlets: self.outlets(process, &config) });
        let going = Going { child, last_words, heir, successor: None };
        // The pump ends a listener when that has been heard which it said last.
        if let Some(going) = self.listeners.ended(going) {
            self.finish(going)?;
        }
        if let Some(next) = next {
            self.fcgi.pass_on(child, next);
            // It is made from the same plan. One that began without us has been told of before.
            let old = self.adoptable.remove(&next);
            let heir = Heir { spawned: old.as_ref().map(|old| (old.pid, old.started)) };
            let stage = Stage::Running;
            self.children.insert(next, Child { heir: Some(heir), ..Child::new(process, config, stage) });
            if let Some(old) = old {
                self.watch(next, old.pid, old.pipes)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, Going { child, last_words, heir, successor }: Going) -> Result<(), LinkError> {
        let next = heir.as_ref().map(|heir| heir.child);
        self.order(Order::Finish { child, last_words, heir })?;
        if let Some((child, pid, pipes)) = successor {
            self.watch(child, pid, pipes)?;
        }
        // That one may have ended meanwhile.
        let ended = next.and_then(|next| self.listeners.has_ended(next));
        match ended.and_then(|going| self.listeners.ended(going)) {
            Some(going) => self.finish(going),
            None => Ok(()),
        }
    }

    /// What a listener said last has been heard.
    pub(crate) fn listener_gone(&mut self, child: ChildId) -> Result<(), LinkError> {
        match self.listeners.is_gone(child) {
            Some(going) => self.finish(going),
            None => Ok(()),
        }
    }

    /// Everything ends, and those who have heard of it may be asked to stop.
    pub(crate) fn let_listeners_stop(&mut self) -> Result<(), LinkError> {
        while let Some((child, signals)) = self.listeners.has_heard() {
            for (signal, target) in signals {
                self.send_signal(child, signal, target)?;
            }
        }
        Ok(())
    }

    /// Those whose last words nobody hears, because whoever should does not answer, are ended all the same.
    pub(crate) fn look_after_listeners(&mut self) -> Result<(), LinkError> {
        self.listeners.look_after(&self.link);
        self.let_listeners_stop()?;
        while let Some(child) = self.listeners.overdue() {
            let text =
                "the thread that tells listeners does not answer: what one of them said last is not heard";
            self.log.write(LogLevel::Critical, text);
            self.listener_gone(child)?;
        }
        Ok(())
    }

    pub(crate) fn drained(&mut self, child: ChildId, lingers: bool) -> Option<Input> {
        let entry = self.children.get_mut(&child)?;
        entry.lingers = lingers;
        match &mut entry.stage {
            Stage::Draining { status, at, next, clue } => {
                Some(Input::Exited { child, status: *status, at: *at, next: *next, clue: clue.take() })
            }
            Stage::Opening { .. } | Stage::Running => None,
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
        let heir = logs::Heir { child, process, outlets };
        self.order(Order::Linger { heir, pid: 0, pipes, leftovers: Vec::new() })
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
    pub(super) fn take_over(&mut self, child: ChildId) -> Option<Input> {
        let (pid, at) = self.children.get_mut(&child)?.heir.take()?.spawned?;
        Some(Input::Spawned { child, pid, at })
    }

    pub(super) fn kill(&mut self, child: ChildId, signal: i32, target: KillTarget) -> Result<(), LinkError> {
        if let Some(entry) = self.children.get_mut(&child) {
            entry.is_killed |= signal == SIGKILL;
            if let Stage::Opening { signals, .. } = &mut entry.stage {
                signals.push((signal, target));
                return Ok(());
            }
        }
        match self.listeners.put_off(child, (signal, target)) {
            // It has had its time.
            None if signal == SIGKILL => {
                self.listeners.hurry(child);
                self.let_listeners_stop()
            }
            None => Ok(()),
            Some((signal, target)) => self.send_signal(child, signal, target),
        }
    }

    /// Whether a signal for a child of this process has not gone out yet.
    pub(super) fn puts_off(&self, process: ProcessId) -> bool {
        let mut of_it = self.children.iter().filter(|(_, entry)| entry.process == process);
        of_it.any(|(child, _)| self.listeners.puts_off(*child))
    }

    fn send_signal(&mut self, child: ChildId, signal: i32, target: KillTarget) -> Result<(), LinkError> {
        let target = match target {
            KillTarget::Process => Target::Process,
            KillTarget::Group => Target::Group,
        };
        self.link.send(ToKeeper::Kill { id: child.0, signal, target })
    }

    /// A child of an earlier brain, taken over: its files are opened again, its pipes watched.
    pub(super) fn adopt(
        &mut self,
        child: ChildId,
        process: ProcessId,
        config: &Arc<ProcessConfig>,
    ) -> Result<(), LinkError> {
        if let (Some(socket), Some(Logs { group, .. })) = (&config.socket, self.logs.get(&process)) {
            self.fcgi.adopt(child, group, socket);
        }
        let outlets = self.outlets(process, config);
        let entry = Child::new(process, Arc::clone(config), Stage::Running);
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

    pub(super) fn send_stdin(
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
}

/// The core's wish as the keeper understands it.
pub(super) fn relaunch(next: ChildId, on: &RelaunchOn, after: Duration) -> Relaunch {
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

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
