//! The keeper of a simulated world, and its children with a will of their own.
//!
//! In: what the supervisor wants done to children. Out: news, each after a while of its own; only of one child they come
//! in order, of its birth before its end. What the keeper holds survives the brain: an end is told again until
//! somebody has said `Forget`. Whoever takes a child's place is told of together with that child's end.

use std::collections::BTreeMap;
use std::time::Duration;

use provost_core::{AskId, ChildId, ExitStatus, Input, LogDeed, Mono, Now, ProcessId, RelaunchOn, Wall};

use crate::cast::Who;
use crate::chance::Chance;

/// How long the slowest mortal child survives SIGKILL.
const SLOWEST_DEATH: Duration = Duration::from_secs(20);

/// Something that will happen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    Forks(ChildId),
    Dies(ChildId, ExitStatus),
    /// The supervisor hears of it.
    Tells(News),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum News {
    Spawned(ChildId),
    SpawnFailed(ChildId),
    KillFailed(ChildId),
    Exited(ChildId),
    /// Not the keeper's, but it comes in the same way.
    LogsDone(ProcessId, LogDeed),
    MainLogDone(AskId),
    StdinSent(AskId, ProcessId),
}

/// What the keeper is to do at a child's end.
#[derive(Debug)]
pub(crate) struct Relaunch {
    pub(crate) next: ChildId,
    pub(crate) on: RelaunchOn,
    pub(crate) after: Duration,
}

/// A child, from the wish for it until it is let go.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) who: Who,
    pub(crate) pid: i32,
    pub(crate) started: Now,
    pub(crate) stage: Stage,
    pub(crate) relaunch: Option<Relaunch>,
    /// News that must come before the news of its end.
    untold: u32,
    /// Signals that came before it was there.
    signals: Vec<i32>,
    ignores_stop: bool,
    refuses_signals: bool,
    death_takes: Duration,
    /// It has got a signal that will end it.
    is_dying: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Wanted,
    Alive,
    Ended { status: ExitStatus, at: Now, next: Option<ChildId> },
}

impl Slot {
    /// What a new brain is told of it.
    pub(crate) fn as_past(&self, child: ChildId) -> Input {
        let (group, process) = (self.who.group().to_owned(), self.who.name().to_owned());
        Input::Adopt { group, process, child, pid: self.pid, started: self.started }
    }
}

/// How unkind this keeper's world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Temper {
    /// Hardly a child lives for long.
    pub(crate) dismal: bool,
    /// Some children do not die for many minutes, not even of SIGKILL.
    pub(crate) cursed: bool,
}

#[derive(Debug)]
pub(crate) struct Keeper {
    temper: Temper,
    pub(crate) slots: BTreeMap<ChildId, Slot>,
    fates: BTreeMap<(Mono, u64), Fate>,
    /// Until then there are no descriptors left for another child.
    pub(crate) starved_until: Mono,
    /// It has been asked to end: it replaces no child any more.
    pub(crate) asked_to_end: Option<i32>,
    next_pid: i32,
    order: u64,
}

impl Keeper {
    pub(crate) fn new(temper: Temper) -> Keeper {
        let (slots, fates) = Default::default();
        let starved_until = Mono(0);
        Keeper { temper, slots, fates, starved_until, asked_to_end: None, next_pid: 100, order: 0 }
    }

    // --- what the supervisor wants ---

    pub(crate) fn spawn(&mut self, now: Now, chance: &mut Chance, child: ChildId, who: Who) {
        self.new_slot(now, chance, child, who);
        let opening = chance.delay();
        self.later(now, opening, Fate::Forks(child));
    }

    /// True if somebody was there to be signalled, or will be.
    pub(crate) fn signal(&mut self, now: Now, chance: &mut Chance, child: ChildId, signal: i32) -> bool {
        let Some(slot) = self.slots.get_mut(&child) else { return false };
        match slot.stage {
            Stage::Ended { .. } => return false,
            Stage::Wanted => slot.signals.push(signal),
            Stage::Alive if slot.refuses_signals => {
                slot.untold += 1;
                let takes = chance.delay();
                self.later(now, takes, Fate::Tells(News::KillFailed(child)));
            }
            Stage::Alive if signal == 1 || (signal != 9 && slot.ignores_stop) => {}
            Stage::Alive => {
                let takes = slot.death_takes;
                slot.is_dying = true;
                let status = ExitStatus::Signal { number: signal, core_dumped: false };
                self.later(now, takes, Fate::Dies(child, status));
            }
        }
        true
    }

    pub(crate) fn settle(&mut self, child: ChildId, relaunch: Option<Relaunch>) {
        if let Some(slot) = self.slots.get_mut(&child) {
            slot.relaunch = relaunch;
        }
    }

    /// The supervisor knows whose place this child has taken; true if its birth is news that is already here.
    pub(crate) fn taken_over(&mut self, now: Now, chance: &mut Chance, child: ChildId) -> bool {
        let at_once = chance.one_in(2);
        if !at_once {
            let takes = chance.delay();
            self.later(now, takes, Fate::Tells(News::Spawned(child)));
        }
        at_once
    }

    pub(crate) fn forget(&mut self, child: ChildId) {
        self.slots.remove(&child);
    }

    // --- what happens ---

    pub(crate) fn next(&self) -> Option<Mono> {
        self.fates.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn take_due(&mut self, now: Now) -> Option<Fate> {
        let entry = self.fates.first_entry().filter(|entry| entry.key().0 <= now.mono)?;
        Some(entry.remove())
    }

    pub(crate) fn later(&mut self, now: Now, after: Duration, fate: Fate) {
        self.order += 1;
        self.fates.insert((now.mono + after, self.order), fate);
    }

    pub(crate) fn forks(&mut self, now: Now, chance: &mut Chance, child: ChildId) {
        let Some(slot) = self.slots.get_mut(&child) else { return };
        let takes = chance.delay();
        slot.untold += 1;
        if now.mono < self.starved_until || chance.one_in(14) {
            self.later(now, takes, Fate::Tells(News::SpawnFailed(child)));
            return;
        }
        let signals = std::mem::take(&mut slot.signals);
        self.later(now, takes, Fate::Tells(News::Spawned(child)));
        self.live(now, chance, child);
        for signal in signals {
            self.signal(now, chance, child, signal);
        }
    }

    pub(crate) fn dies(&mut self, now: Now, chance: &mut Chance, child: ChildId, status: ExitStatus) {
        let Some(slot) = self.slots.get_mut(&child).filter(|slot| slot.stage == Stage::Alive) else { return };
        let lived = now.mono.since(slot.started.mono);
        let how = slot.relaunch.take().filter(|how| lived >= how.after && is_one_of(status, &how.on));
        let who = slot.who;
        // It may be out of processes, or the program may be gone.
        let may = self.asked_to_end.is_none() && now.mono >= self.starved_until && !chance.one_in(10);
        let next = how.filter(|_| may).map(|how| how.next);
        slot.stage = Stage::Ended { status, at: now, next };
        let takes = chance.delay();
        self.later(now, takes, Fate::Tells(News::Exited(child)));
        if let Some(next) = next {
            self.new_slot(now, chance, next, who).untold = 1;
            self.live(now, chance, next);
        }
    }

    /// Whether this can be told now: an end waits for all that was before it.
    pub(crate) fn may_tell(&mut self, news: News) -> bool {
        match news {
            News::Exited(child) => self.slots.get(&child).is_none_or(|slot| slot.untold == 0),
            News::LogsDone(..) | News::MainLogDone(_) | News::StdinSent(..) => true,
            News::Spawned(child) | News::SpawnFailed(child) | News::KillFailed(child) => {
                if let Some(slot) = self.slots.get_mut(&child) {
                    slot.untold = slot.untold.saturating_sub(1);
                }
                true
            }
        }
    }

    // --- the brain's death ---

    /// The brain has died. Whoever was only wished for may have been forked all the same.
    pub(crate) fn brain_died(&mut self, now: Now, chance: &mut Chance, newest: Option<ChildId>) {
        let wanted: Vec<_> =
            self.slots.iter().filter(|(_, slot)| slot.stage == Stage::Wanted).map(|(id, _)| *id).collect();
        for child in wanted {
            // Its logs were still to be opened.
            let too_early = newest.is_some_and(|newest| child >= newest);
            if too_early || now.mono < self.starved_until || chance.one_in(2) {
                self.slots.remove(&child);
            } else {
                let signals = self.slots.get_mut(&child).map(|slot| std::mem::take(&mut slot.signals));
                self.live(now, chance, child);
                for signal in signals.into_iter().flatten() {
                    self.signal(now, chance, child, signal);
                }
            }
        }
        self.fates.retain(|_, fate| matches!(fate, Fate::Dies(..)));
        let heirs = self.heirs();
        for (id, slot) in &mut self.slots {
            slot.untold = heirs.contains(id).into();
        }
    }

    /// Ends that nobody has acknowledged are told again.
    pub(crate) fn tell_again(&mut self, now: Now, chance: &mut Chance) -> usize {
        let is_over = |(_, slot): &(&ChildId, &Slot)| matches!(slot.stage, Stage::Ended { .. });
        let ended: Vec<_> = self.slots.iter().filter(is_over).map(|(id, _)| *id).collect();
        for child in &ended {
            // Behind all else that a new brain has to do, and perhaps behind its end.
            let most = chance.pick(&[40, 1_000, 5_000]);
            let takes = chance.millis(most);
            self.later(now, takes, Fate::Tells(News::Exited(*child)));
        }
        ended.len()
    }

    /// Who has taken the place of a child whose end is still to be told, and follows from that.
    pub(crate) fn heirs(&self) -> Vec<ChildId> {
        let heir = |slot: &Slot| match slot.stage {
            Stage::Ended { next, .. } => next,
            Stage::Wanted | Stage::Alive => None,
        };
        self.slots.values().filter_map(heir).collect()
    }

    /// A number that no child has, or is to have.
    pub(crate) fn first_free(&self) -> ChildId {
        let promised = self.slots.values().filter_map(|slot| slot.relaunch.as_ref().map(|how| how.next));
        let numbers = self.slots.keys().copied().chain(promised).chain(self.heirs());
        ChildId(numbers.map(|id| id.0 + 1).max().unwrap_or(1))
    }

    /// Whether a child of this process, or of any, has been told to die, and takes its time.
    pub(crate) fn is_undying(&self, who: Option<Who>) -> bool {
        let lasts = |slot: &Slot| slot.is_dying && slot.death_takes > SLOWEST_DEATH;
        let mut slots = self.slots.values();
        slots.any(|slot| lasts(slot) && who.is_none_or(|who| slot.who == who))
    }

    // --- lives ---

    fn new_slot(&mut self, now: Now, chance: &mut Chance, child: ChildId, who: Who) -> &mut Slot {
        let death_takes = match chance.below(10) {
            0 if self.temper.cursed => Duration::from_secs(60 * (5 + chance.below(60))),
            0 => SLOWEST_DEATH,
            1..5 => chance.millis(2_000),
            _ => chance.millis(30),
        };
        let slot = Slot {
            who,
            pid: 0,
            started: now,
            stage: Stage::Wanted,
            relaunch: None,
            untold: 0,
            signals: Vec::new(),
            ignores_stop: chance.one_in(5),
            refuses_signals: chance.one_in(60),
            death_takes,
            is_dying: false,
        };
        self.slots.insert(child, slot);
        self.slots.get_mut(&child).expect("it has just been put there")
    }

    /// A child begins its life, and may end it by itself.
    fn live(&mut self, now: Now, chance: &mut Chance, child: ChildId) {
        self.next_pid += 1;
        let Some(slot) = self.slots.get_mut(&child) else { return };
        (slot.pid, slot.started, slot.stage) = (self.next_pid, now, Stage::Alive);
        let lives = match chance.below(4) {
            1.. if self.temper.dismal && !chance.one_in(8) => chance.millis(50),
            0 => chance.millis(50),
            1 => chance.millis(3_000),
            2 => chance.millis(40_000),
            // For ever, unless somebody ends it.
            _ => return,
        };
        let status = some_status(chance);
        self.later(now, lives, Fate::Dies(child, status));
    }
}

fn some_status(chance: &mut Chance) -> ExitStatus {
    match chance.below(8) {
        0..3 => ExitStatus::Code(0),
        3..5 => ExitStatus::Code(1),
        5 => ExitStatus::Code(chance.pick(&[2, 127, 255])),
        _ => ExitStatus::Signal { number: 11, core_dumped: true },
    }
}

fn is_one_of(status: ExitStatus, ends: &RelaunchOn) -> bool {
    match (ends, status) {
        (RelaunchOn::AnyEnd, _) | (RelaunchOn::OtherThan(_), ExitStatus::Signal { .. }) => true,
        (RelaunchOn::OtherThan(codes), ExitStatus::Code(code)) => {
            codes.iter().all(|other| i32::from(*other) != code)
        }
        // It was nobody's child, and there is no plan for another one.
        (RelaunchOn::OtherThan(_), ExitStatus::Unknown) => false,
    }
}

/// The same moment, later.
pub(crate) fn after(now: Now, by: Duration) -> Now {
    let wall = now.wall.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    Now { mono: now.mono + by, wall: Wall(wall) }
}
