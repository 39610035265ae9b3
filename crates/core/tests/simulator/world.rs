//! The world around a supervisor: time that passes, jumps and stalls, people with bad timing, brains that die at any
//! moment, even between two actions of one step.
//!
//! In: a seed. Out: one life of a supervisor, from its beginning to its end. Children and what they do are in
//! `keeper.rs`; how the supervisor is fed, and how a brain follows another, in `world/shell.rs`.

mod shell;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use provost_config::{Config, ExitOn};
use provost_core::{
    Action, AskId, By, ChildId, Command, Ending, ExitStatus, Input, Memory, Mono, Now, StdinError,
    Supervisor, Wall,
};

use crate::cast::{Who, some_config};
use crate::chance::Chance;
use crate::keeper::{Fate, Keeper, News, Stage, Temper, after};
use crate::people::{OnDisk, some_command};
use crate::referee::Referee;
use crate::seen::Seen;
use crate::trace::Trace;
use shell::{InForce, no_descriptors};

/// What a brain has written down for the next one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) processes: BTreeMap<Who, Memory>,
    pub(crate) ending: Option<Ending>,
}

pub(crate) struct World {
    chance: Chance,
    supervisor: Supervisor,
    first_actions: Vec<Action>,
    keeper: Keeper,
    referee: Referee,
    now: Now,
    /// The time that everybody was unable to do anything.
    stalled: Duration,
    /// As they do in every other world.
    brains_die: bool,
    /// This brain will not live for long.
    is_frail: bool,
    temper: Temper,
    on_disk: Arc<Config>,
    is_broken: bool,
    exit_on: ExitOn,
    in_force: InForce,
    /// What the next brain will find of that, and whether it is behind.
    kept: InForce,
    is_unwritten: bool,
    /// Groups that are about to go and to come again, in one step.
    exchanging: BTreeSet<Arc<str>>,
    /// What was there at the beginning has been told of, and that it runs.
    is_announced: bool,
    /// The program that was read last, until it is there.
    is_read: Option<Who>,
    /// All groups that a new brain goes on with, while it is told of them.
    resumes_with: Option<Arc<Config>>,
    written: Written,
    /// What a brain writes while it still hears what the last one wrote, and which takes its place then.
    draft: Option<Written>,
    next_ask: u64,
    /// What is known at once, and heard before anything else.
    at_once: VecDeque<Input>,
    pub(crate) steps: u64,
    /// Steps in which something was told, and not only time passed.
    pub(crate) told: u64,
    pub(crate) trace: Trace,
}

impl World {
    pub(crate) fn new(seed: u64, trace: Trace) -> World {
        let mut chance = Chance::new(seed);
        let config = some_config(&mut chance);
        // In every fourth world hardly a child lives for long, and people seldom interfere.
        let temper = Temper { dismal: seed % 4 == 3, cursed: seed % 16 == 9 || seed % 32 == 4 };
        let (supervisor, actions) = Supervisor::new(Arc::clone(&config), ChildId(1), seed);
        let in_force = InForce { available: Arc::clone(&config), groups: Vec::new(), gone: BTreeSet::new() };
        World {
            chance,
            first_actions: actions,
            supervisor,
            keeper: Keeper::new(temper),
            referee: Referee::new(&config),
            now: Now { mono: Mono(1_000_000_000), wall: Wall(1_795_344_360_000) },
            stalled: Duration::ZERO,
            brains_die: seed.is_multiple_of(2),
            is_frail: false,
            temper,
            is_broken: false,
            exit_on: config.supervisord.exit_on,
            kept: in_force.clone(),
            in_force,
            is_unwritten: false,
            exchanging: BTreeSet::new(),
            is_announced: false,
            is_read: None,
            resumes_with: None,
            on_disk: config,
            written: Written::default(),
            draft: None,
            next_ask: 1,
            at_once: VecDeque::new(),
            steps: 0,
            told: 0,
            trace,
        }
    }

    /// The whole course of this world.
    pub(crate) fn play(&mut self, happenings: u32) -> &Seen {
        let actions = std::mem::take(&mut self.first_actions);
        self.do_all(actions);
        self.keeps_what_is_in_force();
        self.feed(Input::Begin);
        for _ in 0..happenings {
            if self.referee.is_over.is_some() {
                break;
            }
            self.something_happens();
        }
        self.ends();
        &self.referee.seen
    }

    fn something_happens(&mut self) {
        match self.chance.below(200) {
            0..56 if !self.temper.dismal || self.chance.one_in(8) => self.somebody_asks(),
            56 => self.many_ask(),
            57..60 => self.wall_clock_jumps(),
            60..62 if self.brains_die => self.brain_dies(None),
            62 => self.feed(Input::Orphan { pid: 1, status: ExitStatus::Code(0) }),
            63 => self.signal_comes(),
            64 if self.chance.one_in(4) => self.descriptors_run_out(),
            65 if self.chance.one_in(4) => {
                let most = self.chance.pick(&[1, 5, 5, 600]);
                let by = self.chance.millis(most * 1000);
                self.stalls(by);
            }
            _ => self.time_passes(Duration::from_millis(700)),
        }
    }

    /// Tells everything to stop and lets time pass until it has.
    fn ends(&mut self) {
        if self.referee.is_over.is_none() {
            self.is_broken = false;
            let signal = self.chance.pick(&[15, 2, 3, 1]);
            self.signalled(signal);
        }
        for turn in 0..4_000 {
            if self.referee.is_over.is_some() {
                return;
            }
            if !self.referee.is_ending() {
                // A restart is lost with the brain that has just heard of it; whoever wants the end goes on wanting it.
                self.signalled(15);
            }
            match self.chance.below(100) {
                0 if self.brains_die && turn < 1_000 => self.brain_dies(None),
                1..30 if turn > 200 => self.stalls(Duration::from_secs(60)),
                _ => self.time_passes(Duration::from_secs(5)),
            }
        }
        self.referee.fail("a shutdown did not come to its end".to_owned());
    }

    // --- time ---

    fn time_passes(&mut self, most: Duration) {
        let mut until = self.now.mono + most;
        for at in [self.keeper.next(), self.supervisor.next_deadline()].into_iter().flatten() {
            until = until.min(at.max(self.now.mono));
        }
        self.now = after(self.now, until.since(self.now.mono));
        // Who comes first, the deadline or the news, is chance too.
        if self.chance.one_in(2) {
            self.feed(Input::Wake);
        }
        if let Some(fate) = self.keeper.take_due(self.now) {
            self.fulfils(fate);
        }
        self.feed(Input::Wake);
    }

    /// The brain gets no time to do anything; children live on, and die.
    fn stalls(&mut self, by: Duration) {
        self.trace.remark(self.now, &format!("nothing is done for {by:?}"));
        if by > Duration::from_secs(60) {
            self.referee.seen.saw("a stall of minutes");
        }
        let until = self.now.mono + by;
        let mut untold = Vec::new();
        while let Some(at) = self.keeper.next().filter(|at| *at <= until) {
            self.now = after(self.now, at.since(self.now.mono));
            match self.keeper.take_due(self.now) {
                Some(news @ Fate::Tells(_)) => untold.push(news),
                Some(fate) => self.fulfils(fate),
                None => {}
            }
        }
        self.now = after(self.now, until.since(self.now.mono));
        self.stalled += by;
        for news in untold {
            self.keeper.later(self.now, Duration::ZERO, news);
        }
        if self.chance.one_in(2) {
            self.feed(Input::Wake);
        }
    }

    fn fulfils(&mut self, fate: Fate) {
        match fate {
            Fate::Forks(child) => self.keeper.forks(self.now, &mut self.chance, child),
            Fate::Dies(child, status) => self.keeper.dies(self.now, &mut self.chance, child, status),
            Fate::Tells(news) if self.keeper.may_tell(news) => self.tells(news),
            Fate::Tells(_) => {
                self.referee.seen.saw("news of an exit before the child was known to be there");
                self.keeper.later(self.now, Duration::from_millis(100), fate);
            }
        }
    }

    /// Whether a file takes what is done to it.
    fn on_a_disk(&mut self) -> Result<(), String> {
        let result = if self.chance.one_in(8) { Err("read-only".to_owned()) } else { Ok(()) };
        if result.is_err() {
            self.referee.seen.saw("logs could not be cleared, rotated or opened");
        }
        result
    }

    /// Whether a standard input takes what is sent to it.
    pub(super) fn write_to_pipe(&mut self) -> Result<(), StdinError> {
        let result = match self.chance.below(12) {
            0 => Err(StdinError::Closed),
            1 => Err(StdinError::Ended),
            2 => Err(StdinError::Refused("full".to_owned())),
            _ => Ok(()),
        };
        self.referee.seen.saw(if result.is_ok() { "words for a child" } else { "words that no child took" });
        result
    }

    fn tells(&mut self, news: News) {
        let slot = |child| self.keeper.slots.get(&child);
        let input = match news {
            News::Spawned(child) => {
                slot(child).map(|slot| Input::Spawned { child, pid: slot.pid, at: slot.started })
            }
            News::SpawnFailed(child) => {
                self.keeper.forget(child);
                Some(Input::SpawnFailed { child, error: no_descriptors() })
            }
            News::LogsDone(process, deed) => {
                Some(Input::LogsDone { process, deed, result: self.on_a_disk() })
            }
            News::MainLogDone(ask) => Some(Input::MainLogDone { ask, result: self.on_a_disk() }),
            News::StdinSent(ask, process) => {
                Some(Input::StdinSent { ask, process, result: self.write_to_pipe() })
            }
            News::KillFailed(child) => Some(Input::KillFailed { child, reason: "EPERM".to_owned() }),
            News::Exited(child) => slot(child).and_then(|slot| match slot.stage {
                Stage::Ended { status, at, next } => {
                    Some(Input::Exited { child, status, at, next, clue: None })
                }
                Stage::Wanted | Stage::Alive => None,
            }),
        };
        if let Some(input) = input {
            self.feed(input);
        }
    }

    fn wall_clock_jumps(&mut self) {
        const YEAR: u64 = 365 * 86_400_000;
        let most = self.chance.pick(&[1_000, 86_400_000, 40 * YEAR]);
        let by = self.chance.below(2 * most) as i64 - most as i64;
        if by.unsigned_abs() > YEAR {
            self.referee.seen.saw("the wall clock jumped by years");
        }
        self.now.wall = Wall(self.now.wall.0.saturating_add(by));
    }

    fn descriptors_run_out(&mut self) {
        self.trace.remark(self.now, "no descriptors are left");
        self.referee.seen.saw("a full table of descriptors");
        let most = self.chance.pick(&[2_000, 30_000]);
        self.keeper.starved_until = self.now.mono + self.chance.millis(most);
    }

    // --- people ---

    fn somebody_asks(&mut self) {
        let (command, on_disk) = some_command(&mut self.chance);
        self.is_broken = on_disk == OnDisk::Broken;
        if on_disk == OnDisk::Changed {
            self.on_disk = some_config(&mut self.chance);
        }
        if matches!(command, Command::Stop { .. }) && self.keeper.is_undying(None) {
            self.referee.seen.saw("a stop while another child does not die");
        }
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        // Everybody comes from elsewhere.
        let by = Arc::new(By { from: ask.0.to_string(), ..By::default() });
        self.feed(Input::Command(ask, by, command));
    }

    /// All at the same moment, and sometimes all of it at once.
    fn many_ask(&mut self) {
        let how_many = self.chance.pick(&[3, 3, 10, 10, 10, 60, 60, 1_000]);
        if how_many > 10 {
            self.referee.seen.saw("a crowd of commands");
        }
        for _ in 0..how_many {
            self.somebody_asks();
        }
    }

    fn signal_comes(&mut self) {
        match self.chance.below(60) {
            0 => {
                let signal = self.chance.pick(&[15, 2, 3]);
                self.signalled(signal);
            }
            1..4 => {
                self.is_broken = !self.chance.one_in(4);
                self.signalled(1);
            }
            n => self.signalled(if n % 2 == 0 { 12 } else { 10 }),
        }
    }

    fn signalled(&mut self, signal: i32) {
        if matches!(signal, 15 | 2 | 3) {
            self.keeper.asked_to_end = Some(signal);
        }
        self.feed(Input::Signal(signal));
    }
}
