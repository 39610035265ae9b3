//! The world: children with a will of their own, people with bad timing, and a seeded source of chance.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use provost_config::Config;
use provost_core::{
    Action, AskId, ChildId, Command, Ending, ExitStatus, Input, LogPaths, Memory, Mono, Now, RelaunchOn,
    SpawnError, SpawnErrorKind, Supervisor, Target, Wall,
};

use crate::common::config;
use crate::referee::{Promise, Referee, Seen};

/// How long the slowest mortal child survives SIGKILL.
const SLOWEST_DEATH: Duration = Duration::from_secs(20);
/// The longest of all waits: stopwaitsecs, a slow death, retries, a late spawn, one after the other.
const PATIENCE: Duration = Duration::from_secs(120);

/// xorshift64*: small, seeded, the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.below(most + 1))
    }
}

/// Something that will happen.
#[derive(Debug, Clone)]
enum Fate {
    Spawned(ChildId),
    SpawnFails(ChildId),
    /// The keeper reaps it, and does what it was told for this case.
    Dies(ChildId, ExitStatus),
    /// The supervisor hears of it.
    Ended {
        child: ChildId,
        status: ExitStatus,
        at: Now,
        next: Option<ChildId>,
    },
}

#[derive(Debug)]
struct Child {
    pid: i32,
    started: Now,
    /// The supervisor has been told that it runs.
    told: bool,
    relaunch: Option<Relaunch>,
    ignores_stop: bool,
    refuses_signals: bool,
    death_takes: Duration,
}

/// What the keeper is to do at a child's end.
#[derive(Debug)]
struct Relaunch {
    next: ChildId,
    on: RelaunchOn,
    after: Duration,
}

pub(crate) struct World {
    chance: Chance,
    supervisor: Supervisor,
    referee: Referee,
    now: Now,
    fates: BTreeMap<(Mono, u64), Fate>,
    children: BTreeMap<ChildId, Child>,
    on_disk: Result<Arc<Config>, String>,
    /// In every other world brains die, and the configuration stays as it is: what a brain has to know of
    /// a changed one is not remembered yet.
    brains_die: bool,
    /// In every fourth world hardly a child lives for long, and people seldom interfere.
    dismal: bool,
    /// A new brain has not heard everything yet.
    resuming: bool,
    config: Arc<Config>,
    remembered: BTreeMap<(String, String), Memory>,
    remembered_ending: Option<Ending>,
    next_ask: u64,
    next_pid: i32,
    order: u64,
    /// What is known at once, and fed when all actions of a step have been carried out.
    at_once: VecDeque<Input>,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let config = config(&some_config(&mut chance));
        let (supervisor, actions) = Supervisor::new(Arc::clone(&config), ChildId(1), seed);
        let mut world = World {
            chance,
            supervisor,
            referee: Referee::new(seed, config.supervisord.exit_on),
            now: Now { mono: Mono(1_000_000_000), wall: Wall(1_000_000) },
            fates: BTreeMap::new(),
            children: BTreeMap::new(),
            on_disk: Ok(Arc::clone(&config)),
            brains_die: seed.is_multiple_of(2),
            dismal: seed % 4 == 3,
            resuming: false,
            config,
            remembered: BTreeMap::new(),
            remembered_ending: None,
            next_ask: 1,
            next_pid: 100,
            order: 0,
            at_once: VecDeque::new(),
        };
        world.carry_out(actions);
        world.feed(Input::Begin);
        world
    }

    /// One thing happens: somebody asks, or time passes to the next event.
    pub(crate) fn step(&mut self) {
        if self.referee.is_over() {
            return;
        }
        match self.chance.below(10) {
            0..3 if !self.dismal || self.chance.one_in(8) => self.somebody_asks(),
            3 => self.wall_clock_jumps(),
            4 if self.brains_die && self.chance.one_in(12) => self.brain_dies(),
            4 => self.feed(Input::Orphan { pid: 1, status: ExitStatus::Code(0) }),
            _ => self.time_passes(Duration::from_millis(700)),
        }
    }

    /// Tells everything to stop and lets time pass until it has.
    pub(crate) fn end(mut self) -> Seen {
        if !self.referee.is_over() {
            let signal = self.chance.pick(&[15, 2, 3, 1]);
            self.on_disk = Ok(Arc::clone(self.on_disk.as_ref().unwrap_or(&config(""))));
            self.feed(Input::Signal(signal));
        }
        for _ in 0..2_000 {
            if self.referee.is_over() {
                break;
            }
            self.time_passes(Duration::from_secs(5));
        }
        self.referee.must_be_over();
        self.referee.seen
    }

    // --- happenings ---

    fn time_passes(&mut self, most: Duration) {
        let fate = self.fates.first_key_value().map(|((at, _), _)| *at);
        let mut until = self.now.mono + most;
        for at in [fate, self.supervisor.next_deadline()].into_iter().flatten() {
            until = until.min(at.max(self.now.mono));
        }
        let passed = until.since(self.now.mono);
        self.now = Now { mono: until, wall: Wall(self.now.wall.0 + passed.as_millis() as i64) };
        let due =
            self.fates.first_key_value().filter(|((at, _), _)| *at <= self.now.mono).map(|(key, _)| *key);
        // Who comes first, the deadline or the news, is chance too.
        if self.chance.one_in(2) {
            self.feed(Input::Wake);
        }
        if let Some(fate) = due.and_then(|key| self.fates.remove(&key)) {
            self.happens(fate);
        }
        self.feed(Input::Wake);
    }

    fn happens(&mut self, fate: Fate) {
        match fate {
            Fate::Spawned(child) => {
                let Some((pid, at)) = self.tell_of(child) else { return };
                self.feed(Input::Spawned { child, pid, at });
            }
            Fate::SpawnFails(child) => {
                self.children.remove(&child);
                self.referee.never_was(child);
                let error =
                    SpawnError { kind: SpawnErrorKind::Resources, text: "too many open files".into() };
                self.feed(Input::SpawnFailed { child, error });
            }
            Fate::Dies(child, status) => self.dies(child, status),
            // The keeper tells things in order: of a birth before an end.
            Fate::Ended { child, .. } if !self.children[&child].told => {
                self.later(Duration::from_millis(1), fate);
            }
            Fate::Ended { child, status, at, next } => {
                self.children.remove(&child);
                self.referee.ended(child, status, at.mono);
                if next.is_some() {
                    self.referee.seen.saw("relaunched");
                }
                self.feed(Input::Exited { child, status, at, next });
            }
        }
    }

    fn tell_of(&mut self, child: ChildId) -> Option<(i32, Now)> {
        let child = self.children.get_mut(&child)?;
        child.told = true;
        Some((child.pid, child.started))
    }

    /// The keeper reaps a child. The news of it takes its time, and meets on its way what the supervisor wants meanwhile.
    fn dies(&mut self, id: ChildId, status: ExitStatus) {
        let untold = |fate: &Fate| matches!(fate, Fate::Ended { child, .. } if *child == id);
        if self.fates.values().any(untold) {
            return;
        }
        let Some(child) = self.children.get_mut(&id) else { return };
        let lived = self.now.mono.since(child.started.mono);
        let how = child.relaunch.take().filter(|how| lived >= how.after && is_one_of(status, &how.on));
        // It may be out of processes, or the program may be gone.
        let next = how.filter(|_| !self.chance.one_in(10)).map(|how| how.next);
        if let Some(next) = next {
            self.referee.relaunched(next, self.now.mono);
            self.live(next, Duration::ZERO);
        }
        let news = Fate::Ended { child: id, status, at: self.now, next };
        match self.chance.one_in(2) {
            true => self.later(Duration::ZERO, news),
            false => {
                let most = self.chance.pick(&[40, 40, 500]);
                let takes = self.chance.millis(most);
                self.later(takes, news);
            }
        }
    }

    /// A new brain takes over what the keeper holds and what the old one has written down.
    fn brain_dies(&mut self) {
        // The new brain writes a memory of its own, which replaces the old one when it has been read to the end.
        let remembered = self.remembered.clone();
        // What was on its way to the old brain is told to the new one as a child that is there, or never was.
        let untold: Vec<_> = self.fates.iter().map(|(key, fate)| (*key, fate.clone())).collect();
        for (key, fate) in untold {
            match fate {
                Fate::Spawned(_) => drop(self.fates.remove(&key)),
                Fate::SpawnFails(child) => {
                    self.fates.remove(&key);
                    self.children.remove(&child);
                    self.referee.never_was(child);
                }
                Fate::Dies(..) | Fate::Ended { .. } => {}
            }
        }
        // A child that has taken another one's place is not adopted while that one's end is still to be told.
        let heirs: BTreeSet<ChildId> = self
            .fates
            .values()
            .filter_map(|fate| match fate {
                Fate::Ended { next, .. } => *next,
                Fate::Spawned(_) | Fate::SpawnFails(_) | Fate::Dies(..) => None,
            })
            .collect();
        let mut owners = Vec::new();
        for (id, child) in self.children.iter_mut().filter(|(id, _)| !heirs.contains(id)) {
            child.told = true;
            owners.extend(self.referee.owner(*id).map(|who| (*id, child.pid, child.started, who)));
        }
        let children = &self.children;
        self.referee.brain_died(|id| children.contains_key(&id));
        let first = ChildId(self.referee.next_child());
        let (supervisor, actions) = Supervisor::new(Arc::clone(&self.config), first, self.chance.next());
        self.supervisor = supervisor;
        self.resuming = true;
        self.carry_out(actions);
        for (child, pid, started, (group, process)) in owners {
            self.feed(Input::Adopt { group, process, child, pid, started });
        }
        for ((group, process), memory) in remembered {
            self.feed(Input::Recall { group, process, memory });
        }
        if let Some(ending) = self.remembered_ending {
            self.feed(Input::RecallEnding(ending));
        }
        self.resuming = false;
        self.feed(Input::Begin);
    }

    fn wall_clock_jumps(&mut self) {
        let by = self.chance.below(200_000_000) as i64 - 100_000_000;
        self.now.wall = Wall(self.now.wall.0 + by);
    }

    fn somebody_asks(&mut self) {
        let name = self.chance.pick(&["a", "b", "c", "l", "g:d", "g:*", "g", "nobody", "b:", ":"]).to_owned();
        let group = self.chance.pick(&["a", "b", "c", "g", "n", "nobody"]).to_owned();
        let target = match self.chance.below(4) {
            0 => Target::All,
            1 => Target::Group(group.clone()),
            _ => Target::Named(name.clone()),
        };
        let wait = self.chance.one_in(2);
        let command = match self.chance.below(120) {
            0..30 => Command::Start { target, wait },
            30..60 => Command::Stop { target, wait },
            60..70 => {
                let signal = self.chance.pick(&["HUP", "9", "nonsense"]).to_owned();
                Command::Signal { target, signal }
            }
            70..100 if self.brains_die => Command::Ping,
            70..80 => self.reread(),
            80..90 => Command::RemoveGroup { name: group },
            90..100 => Command::AddGroup { name: group },
            100..105 => Command::ProcessInfo { name },
            105..110 => Command::AllProcessInfo,
            110..114 => Command::AllConfigInfo,
            114..118 => Command::ClearLogs { target },
            118 if self.chance.one_in(20) => Command::Shutdown,
            119 if self.chance.one_in(20) => Command::Restart,
            _ => Command::Ping,
        };
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        self.referee.asked(ask, self.now);
        self.note_promise(ask, &command);
        self.note_stop(&command);
        self.feed(Input::Command(ask, command));
    }

    /// A command to one process that waits promises something about it.
    fn note_promise(&mut self, ask: AskId, command: &Command) {
        let (target, promise) = match command {
            Command::Start { target, wait: true } => (target, Promise::Running),
            Command::Stop { target, wait: true } => (target, Promise::Stopped),
            _ => return,
        };
        let Target::Named(name) = target else { return };
        match name.split_once(':') {
            None => self.referee.promised(ask, name, name, promise),
            Some((group, process)) => self.referee.promised(ask, group, process, promise),
        }
    }

    /// Whoever stops one process that is about to come back keeps it down.
    fn note_stop(&mut self, command: &Command) {
        if let Command::Stop { target: Target::Named(name), .. } = command {
            let (group, process) = name.split_once(':').unwrap_or((name, name));
            self.referee.stop_asked(group, process);
        }
    }

    fn reread(&mut self) -> Command {
        self.on_disk = if self.chance.one_in(4) {
            Err("broken".to_owned())
        } else {
            Ok(config(&some_config(&mut self.chance)))
        };
        Command::Reread
    }

    // --- what the supervisor wants ---

    /// Feeds one input and all that is known at once because of it, in order, as the daemon does.
    fn feed(&mut self, input: Input) {
        self.at_once.push_back(input);
        while let Some(input) = self.at_once.pop_front() {
            if self.referee.is_over() {
                return;
            }
            self.referee.starts_by_hand(match &input {
                Input::Resolved { process, result: Ok(()) } => Some(*process),
                _ => None,
            });
            let mut actions = Vec::new();
            self.supervisor.step(self.now, input, &mut actions);
            self.carry_out(actions);
        }
        if !self.referee.is_over() && !self.resuming {
            self.referee.after_step(self.now, &self.supervisor, PATIENCE);
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        // All actions of a step are judged before the answers to any of them come.
        for action in &actions {
            self.referee.judge(self.now, action);
        }
        for action in actions {
            match action {
                Action::Resolve { process, .. } => {
                    let missing =
                        SpawnError { kind: SpawnErrorKind::NoFile, text: "can't find command 'x'".into() };
                    let result = if self.chance.one_in(8) { Err(missing) } else { Ok(()) };
                    self.at_once.push_back(Input::Resolved { process, result });
                }
                Action::PrepareLogs { process, .. } => {
                    self.at_once.push_back(Input::LogsPrepared { process, paths: LogPaths::default() });
                }
                Action::ClearLogs { process } => {
                    self.at_once.push_back(Input::LogsCleared { process, result: Ok(()) })
                }
                Action::ReadConfig { ask, purpose } => {
                    let result = self.on_disk.clone();
                    self.at_once.push_back(Input::ConfigRead { ask, purpose, result });
                }
                Action::Remember { group, name, memory, .. } => {
                    self.remembered.insert((group.to_string(), name.to_string()), memory);
                }
                Action::RememberEnding(ending) => self.remembered_ending = Some(ending),
                Action::Spawn { child, .. } => self.begin_life(child),
                Action::Relaunch { child, next, on, after } => {
                    if let Some(child) = self.children.get_mut(&child) {
                        child.relaunch = Some(Relaunch { next, on, after });
                    }
                }
                Action::NoRelaunch { child } => {
                    if let Some(child) = self.children.get_mut(&child) {
                        child.relaunch = None;
                    }
                }
                Action::TakeOver { child, .. } => match self.chance.one_in(2) {
                    true => {
                        let (pid, at) =
                            self.tell_of(child).expect("a child that was told to have taken a place");
                        self.at_once.push_back(Input::Spawned { child, pid, at });
                    }
                    false => {
                        let takes = self.chance.millis(20);
                        self.later(takes, Fate::Spawned(child));
                    }
                },
                Action::Kill { child, signal, .. } => self.signal(child, signal),
                _ => {}
            }
        }
    }

    fn begin_life(&mut self, child: ChildId) {
        let spawned_in = self.chance.millis(20);
        self.live(child, spawned_in);
        if self.chance.one_in(12) {
            let its_own = |fate: &Fate| matches!(fate, Fate::Dies(id, _) if *id == child);
            self.fates.retain(|_, fate| !its_own(fate));
            return self.later(spawned_in, Fate::SpawnFails(child));
        }
        self.later(spawned_in, Fate::Spawned(child));
    }

    /// A child begins its life so soon, and may end it by itself.
    fn live(&mut self, child: ChildId, begins_in: Duration) {
        self.next_pid += 1;
        let (mono, wall) = (self.now.mono + begins_in, self.now.wall.0 + begins_in.as_millis() as i64);
        let will = Child {
            pid: self.next_pid,
            started: Now { mono, wall: Wall(wall) },
            told: false,
            relaunch: None,
            ignores_stop: self.chance.one_in(5),
            refuses_signals: self.chance.one_in(60),
            death_takes: if self.chance.one_in(10) { SLOWEST_DEATH } else { self.chance.millis(30) },
        };
        self.children.insert(child, will);
        let lives = match self.chance.below(4) {
            1.. if self.dismal && !self.chance.one_in(8) => self.chance.millis(50),
            0 => self.chance.millis(50),
            1 => self.chance.millis(3_000),
            2 => self.chance.millis(40_000),
            // For ever, unless somebody ends it.
            _ => return,
        };
        let status = self.some_status();
        self.later(begins_in + lives, Fate::Dies(child, status));
    }

    fn signal(&mut self, id: ChildId, signal: i32) {
        let Some(child) = self.children.get(&id) else {
            // The exit overtook the signal: it is on its way to the supervisor.
            self.referee.seen.saw("exit before stop signal");
            return;
        };
        if child.refuses_signals {
            let reason = "EPERM".to_owned();
            return self.at_once.push_back(Input::KillFailed { child: id, reason });
        }
        let harmless = matches!(signal, 1);
        if harmless || (signal != 9 && child.ignores_stop) {
            return;
        }
        if self.chance.one_in(10) {
            self.referee.seen.saw("exit before stop signal");
        }
        let takes = child.death_takes + Duration::from_millis(25);
        let status = ExitStatus::Signal { number: signal, core_dumped: false };
        self.later(takes, Fate::Dies(id, status));
    }

    fn some_status(&mut self) -> ExitStatus {
        match self.chance.below(3) {
            0 => ExitStatus::Code(0),
            1 => ExitStatus::Code(1),
            _ => ExitStatus::Signal { number: 11, core_dumped: true },
        }
    }

    fn later(&mut self, after: Duration, fate: Fate) {
        self.order += 1;
        self.fates.insert((self.now.mono + after, self.order), fate);
    }
}

fn is_one_of(status: ExitStatus, ends: &RelaunchOn) -> bool {
    match (ends, status) {
        (RelaunchOn::AnyEnd, _) | (RelaunchOn::OtherThan(_), ExitStatus::Signal { .. }) => true,
        (RelaunchOn::OtherThan(codes), ExitStatus::Code(code)) => {
            codes.iter().all(|other| i32::from(*other) != code)
        }
    }
}

/// Some programs, a listener and a group, with odd settings.
fn some_config(chance: &mut Chance) -> String {
    let exit_on = chance.pick(&["none", "none", "none", "none", "none", "fatal", "exited", "all_exited"]);
    let mut text = format!("exit_on={exit_on}\n");
    // Where everything may come to its end, not everything should come back for ever.
    let restarts: &[&str] = match exit_on {
        "all_exited" => &["false"],
        _ => &["true", "false", "unexpected"],
    };
    let left_out = chance.pick(&["a", "b", "c", "", "", ""]);
    let names: BTreeSet<&str> =
        ["a", "b", "c", "d", "n"].into_iter().filter(|name| *name != left_out).collect();
    for name in names {
        text += &format!("[program:{name}]\ncommand=/bin/x\n");
        text += &some_options(chance, restarts);
    }
    text += "[eventlistener:l]\ncommand=/bin/l\nevents=TICK_5\n";
    text += &some_options(chance, restarts);
    text + "[group:g]\nprograms=d\n"
}

fn some_options(chance: &mut Chance, restarts: &[&str]) -> String {
    let mut text = format!(
        "startretries={}\nstartsecs={}\nautorestart={}\nautostart={}\nstopwaitsecs={}\npriority={}\n\
         exitcodes=0\nstopasgroup={}\nessential={}\n",
        chance.pick(&["0", "1", "3", "infinite"]),
        chance.pick(&[-1, 0, 0, 1, 2, 5]),
        chance.pick(restarts),
        chance.pick(&["true", "false"]),
        chance.pick(&[0, 1, 10]),
        chance.pick(&[1, 5, 999]),
        chance.pick(&["true", "false"]),
        if chance.one_in(25) { "true" } else { "false" },
    );
    for option in [
        "backoff=exponential",
        "backoff=constant",
        "maxbackoff=2.5",
        "backoffjitter=0.3",
        "restartpause=0.4",
        "restartpause=3",
        "startlimit=1/5",
        "startlimit=2/20",
        "type=oneshot",
    ] {
        if chance.one_in(5) {
            text += option;
            text += "\n";
        }
    }
    text
}
