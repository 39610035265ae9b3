//! A supervisor on a table: configured by text, fed by hand, its actions at the reader's disposal.
//!
//! Time stands still until it is moved. Questions that the shell answers at once (can it be started, where does
//! it log, is the new configuration good) are answered at once here too; spawning, dying and killing are the caller's.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test binary compiles this file and uses its own part of it"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use provost_config::{CliOverrides, Config, MemoryFiles, load};
use provost_core::{
    Action, AskId, By, ChildId, Command, Ending, Event, ExitStatus, Input, LogPaths, Memory, Mono, Note, Now,
    Reply, SpawnError, StateDetail, StdinError, Supervisor, Wall,
};

/// Reads a configuration; `[supervisord]` is added.
pub(crate) fn config(text: &str) -> Arc<Config> {
    let text = format!("[supervisord]\n{text}");
    let files = MemoryFiles::with("/etc/s.conf", &text);
    Arc::new(load(Path::new("/etc/s.conf"), &CliOverrides::default(), &files).expect("the test's own text"))
}

pub(crate) struct Table {
    pub(crate) supervisor: Supervisor,
    pub(crate) now: Now,
    /// What `reread` will find.
    pub(crate) on_disk: Result<Arc<Config>, String>,
    pub(crate) replies: Vec<(AskId, Reply)>,
    /// Everything that was to be done, told shortly, since the last look.
    pub(crate) told: Vec<String>,
    /// Children wanted and not yet reported, oldest first.
    pub(crate) wanted: Vec<(ChildId, String)>,
    /// What a later brain is told, by group and process.
    pub(crate) remembered: BTreeMap<(String, String), Memory>,
    /// Children that may be replaced without asking, and by whom.
    pub(crate) relaunches: Vec<(ChildId, ChildId)>,
    next_ask: u64,
    /// What is wanted of log files is not answered.
    pub(crate) disk_hangs: bool,
    /// What was written to standard inputs, and whether they take it.
    pub(crate) written: Vec<String>,
    pub(crate) pipe: Result<(), StdinError>,
    /// Whether there is a program to start.
    pub(crate) program: Result<(), SpawnError>,
}

impl Table {
    /// A supervisor that has begun.
    pub(crate) fn new(text: &str) -> Table {
        let mut table = Table::at_rest(text);
        table.feed(Input::Begin);
        table
    }

    /// A supervisor that is about to begin.
    pub(crate) fn at_rest(text: &str) -> Table {
        Table::with_seed(text, 1)
    }

    /// The same, with another kind of luck.
    pub(crate) fn with_seed(text: &str, seed: u64) -> Table {
        let config = config(text);
        let (supervisor, actions) = Supervisor::new(Arc::clone(&config), ChildId(1), seed);
        let now = Now { mono: Mono(1_000_000_000_000), wall: Wall(1_795_344_360_000) };
        let mut table = Table {
            supervisor,
            now,
            on_disk: Ok(config),
            replies: Vec::new(),
            told: Vec::new(),
            wanted: Vec::new(),
            remembered: BTreeMap::new(),
            relaunches: Vec::new(),
            next_ask: 1,
            disk_hangs: false,
            written: Vec::new(),
            pipe: Ok(()),
            program: Ok(()),
        };
        table.carry_out(actions);
        table
    }

    pub(crate) fn feed(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.supervisor.step(self.now, input, &mut actions);
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            if let Some(line) = tell(&action) {
                self.told.push(line);
            }
            match action {
                Action::Resolve { process, .. } => {
                    self.feed(Input::Resolved { process, result: self.program.clone() })
                }
                Action::PrepareLogs { process, .. } => {
                    self.feed(Input::LogsPrepared { process, paths: LogPaths::default() });
                }
                Action::Logs { .. } | Action::MainLog { .. } if self.disk_hangs => {}
                Action::Logs { process, deed } => {
                    self.feed(Input::LogsDone { process, deed, result: Ok(()) })
                }
                Action::ReadProgram { ask, group, program, .. } => {
                    // Any name but this is a program.
                    let result = match program.as_str() {
                        "nobody" => Err("no such program".to_owned()),
                        name => {
                            Ok(config(&format!("[program:{name}]\ncommand=x")).groups[0].processes.clone())
                        }
                    };
                    self.feed(Input::ProgramRead { ask, group, result });
                }
                Action::SendStdin { ask, process, chars, .. } => {
                    self.written.push(chars);
                    let result = self.pipe.clone();
                    self.feed(Input::StdinSent { ask, process, result });
                }
                Action::MainLog { ask, .. } => self.feed(Input::MainLogDone { ask, result: Ok(()) }),
                Action::ReadConfig { ask, purpose } => {
                    let result = self.on_disk.clone();
                    self.feed(Input::ConfigRead { ask, purpose, result });
                }
                Action::Spawn { child, config, .. } => self.wanted.push((child, config.name.clone())),
                Action::Relaunch { child, next, .. } => self.relaunches.push((child, next)),
                Action::NoRelaunch { child } => self.relaunches.retain(|(of, _)| *of != child),
                Action::Remember { group, name, memory, .. } => {
                    self.remembered.insert((group.to_string(), name.to_string()), *memory);
                }
                Action::Reply { ask, reply } => self.replies.push((ask, reply)),
                _ => {}
            }
        }
    }

    pub(crate) fn ask(&mut self, command: Command) -> AskId {
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        self.feed(Input::Command(ask, Arc::default(), command));
        ask
    }

    /// The same, by somebody.
    pub(crate) fn ask_as(&mut self, by: &Arc<By>, command: Command) -> AskId {
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        self.feed(Input::Command(ask, Arc::clone(by), command));
        ask
    }

    /// The reply to a question; panics if it was answered more than once.
    pub(crate) fn reply(&self, ask: AskId) -> Option<&Reply> {
        let mut replies = self.replies.iter().filter(|(a, _)| *a == ask);
        let first = replies.next().map(|(_, reply)| reply);
        assert!(replies.next().is_none(), "{ask:?} was answered twice");
        first
    }

    /// The oldest wanted child comes to be, with this pid.
    pub(crate) fn spawns(&mut self, pid: i32) -> ChildId {
        let (child, _) = self.wanted.remove(0);
        self.feed(Input::Spawned { child, pid, at: self.now });
        child
    }

    /// The keeper has put `next` in the place of a child that was ended by this signal.
    pub(crate) fn is_replaced(&mut self, child: ChildId, signal: i32, next: ChildId) {
        let status = ExitStatus::Signal { number: signal, core_dumped: false };
        self.relaunches.retain(|(of, _)| *of != child);
        self.feed(Input::Exited { child, status, at: self.now, next: Some(next), clue: None });
    }

    pub(crate) fn exits(&mut self, child: ChildId, code: i32) {
        self.feed(Input::Exited {
            child,
            status: ExitStatus::Code(code),
            at: self.now,
            next: None,
            clue: None,
        });
    }

    pub(crate) fn dies(&mut self, child: ChildId, signal: i32) {
        let status = ExitStatus::Signal { number: signal, core_dumped: false };
        self.feed(Input::Exited { child, status, at: self.now, next: None, clue: None });
    }

    /// Moves the clock, waking the supervisor whenever it asked for it.
    pub(crate) fn advance(&mut self, by: Duration) {
        let until = self.now.mono + by;
        while let Some(deadline) = self.supervisor.next_deadline().filter(|at| *at <= until) {
            self.move_to(deadline.max(self.now.mono));
            self.feed(Input::Wake);
        }
        self.move_to(until);
    }

    fn move_to(&mut self, mono: Mono) {
        let moved = mono.since(self.now.mono);
        self.now = Now { mono, wall: Wall(self.now.wall.0 + moved.as_millis() as i64) };
    }

    /// What was told since the last call.
    pub(crate) fn story(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

/// An action in a few words; `None` for what is of no interest to a story.
pub(crate) fn tell(action: &Action) -> Option<String> {
    Some(match action {
        Action::Spawn { child, config, .. } => format!("spawn {} as {}", config.name, child.0),
        Action::TakeOver { child, .. } => format!("take over {}", child.0),
        Action::Kill { child, signal, target } => format!("kill {} with {signal} ({target:?})", child.0),
        Action::Publish(Event::ProcessState { process, from, to, detail, .. }) => {
            let detail = match detail {
                StateDetail::None => String::new(),
                StateDetail::Tries(n) => format!(" tries {n}"),
                StateDetail::Pid(pid) => format!(" pid {pid}"),
                StateDetail::Exited { expected, pid } => format!(" expected {expected} pid {pid}"),
            };
            format!("{process}: {} -> {}{detail}", from.name(), to.name())
        }
        Action::OpenPool { group, config, processes } => {
            format!("pool {group} of {} hears {}", processes.join(" and "), config.events.join(" and "))
        }
        Action::ClosePool { group } => format!("pool {group} closed"),
        Action::MayHear { child, may: true } => format!("{} may hear", child.0),
        Action::MayHear { child, may: false } => format!("{} may not hear", child.0),
        Action::Publish(Event::GroupAdded { group }) => format!("group {group} added"),
        Action::Publish(Event::GroupRemoved { group }) => format!("group {group} removed"),
        Action::RenewGroup { group, moved, gone } => {
            let gone = gone.iter().map(|(_, name)| format!(" without {name}")).collect::<String>();
            format!("group {group} renewed{}{gone}", if *moved { " elsewhere" } else { "" })
        }
        Action::Reconfigure { config, .. } => format!("{} goes on otherwise", config.name),
        Action::Publish(Event::SupervisorStopping) => "stopping".into(),
        Action::Note(Note::GaveUp { name }) => format!("{name} given up"),
        Action::Note(Note::WaitingToDie { names }) => format!("waiting for {}", names.join(", ")),
        Action::Note(Note::RestartRefused { reason }) => format!("no restart: {reason}"),
        Action::Note(Note::RestartedTooOften { name, .. }) => format!("{name} restarted too often"),
        Action::Note(Note::Leaving { name, reason, status }) => {
            format!("leaving for {name}: {reason:?}, status {status}")
        }
        Action::Finish(Ending::Exit { status }) => format!("finish: exit {status}"),
        Action::Finish(Ending::Renew) => "finish: renew".into(),
        _ => return None,
    })
}
