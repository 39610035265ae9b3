//! The pool of one `[eventlistener:x]`: its members, whose turn it is, and what becomes of events when too many wait (SPEC 8.5).
//!
//! In: an event that somebody subscribed to, what members answer. Out: which member is told which event, and lines for the main log.
//! Supervisor's rules, but for those that are its mistakes: what a member refuses comes back to its own pool alone. Whoever
//! refuses the same event again and again is given time, longer each time, so that nobody spins. Not here: descriptors.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use provost_config::{LogLevel, PoolConfig, PoolOverflow};
use provost_core::{ChildId, Mono};
use provost_wire::events::EventType;
use provost_wire::listener::{Header, Listening, Unit};

use super::queue::{Letter, Queue};

/// Bytes that may wait in memory before the oldest go to a file.
const NEAR: u64 = 1 << 20;
/// So many more may wait there while the file is being written; whoever can be made to wait is.
const NEAR_AT_MOST: u64 = 4 << 20;
/// And so many where there is no file to go to.
const NEAR_WITHOUT_FILE: u64 = 16 << 20;
/// Nobody waits any longer for a disk that does not answer.
const LONG: Duration = Duration::from_secs(2);
/// The first pause after an event was refused twice in a row, and the longest.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Lines for the main log.
pub(super) type Lines = Vec<(LogLevel, String)>;

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) name: Arc<str>,
    pub(super) config: Arc<PoolConfig>,
    /// Its processes, in the order in which they are asked.
    order: Vec<Arc<str>>,
    /// A bit for each type that it hears.
    pub(super) wanted: u64,
    pub(super) queue: Queue,
    members: Vec<Member>,
    /// Some member is ready, and nothing waited when that was last looked at.
    pub(super) is_hungry: bool,
    /// Refusals in a row, and when the next event may be told.
    refusals: u32,
    pause: Option<Mono>,
    /// How many events were there, and how many had been delivered, when the last member stopped hearing.
    left: Option<(u64, u64)>,
    /// Its members are about to be asked to stop: so many events more, which had happened by then, are told.
    last: Option<u64>,
    /// A file has been asked for, or there is none to be had.
    pub(super) file: FileFor,
    /// Since when somebody waits for the disk that it is on.
    pub(super) at_disk: Option<Mono>,
}

/// Whom to tell what; it `is_last` where nobody else is ready.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) child: ChildId,
    pub(super) letter: Letter,
    pub(super) is_last: bool,
}

/// What is told, and by whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contents<'a> {
    pub(super) server: &'a str,
    pub(super) event: EventType,
    pub(super) payload: &'a str,
}

/// How it stands with the file for what finds no room in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFor {
    /// Nobody has needed one.
    Unneeded,
    /// The keeper is being given one.
    Asked,
    Ready,
    /// It takes nothing, until this time at least.
    Refuses(Mono),
}

/// A listener that runs.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) child: ChildId,
    pub(super) process: Arc<str>,
    pub(super) pid: i32,
    /// Its process is RUNNING.
    pub(super) may_hear: bool,
    /// What it counts when it reads a payload. Not known before it is ready for the first time, unless that is configured.
    pub(super) unit: Option<Unit>,
    /// It can be told something now.
    pub(super) is_ready: bool,
    pub(super) state: Listening,
    pub(super) since: Mono,
    pub(super) told: u64,
    /// The serial of what it was told and has not answered.
    pub(super) event: Option<u64>,
}

impl Member {
    pub(super) fn counts(&self) -> Unit {
        self.unit.unwrap_or(Unit::Bytes)
    }
}

impl Pool {
    pub(super) fn new(name: Arc<str>, config: Arc<PoolConfig>, order: Vec<Arc<str>>, queue: Queue) -> Pool {
        let file = if queue.is_without_file() { FileFor::Unneeded } else { FileFor::Ready };
        let mut pool = Pool {
            name,
            config,
            order,
            wanted: 0,
            queue,
            members: Vec::new(),
            is_hungry: false,
            refusals: 0,
            pause: None,
            left: None,
            last: None,
            file,
            at_disk: None,
        };
        pool.subscribe();
        pool
    }

    /// It is as this says now; what waits goes on waiting.
    pub(super) fn renew(&mut self, config: Arc<PoolConfig>, order: Vec<Arc<str>>) {
        (self.config, self.order) = (config, order);
        self.subscribe();
        self.sort();
    }

    fn subscribe(&mut self) {
        let chosen: Vec<EventType> =
            self.config.events.iter().filter_map(|name| EventType::named(name)).collect();
        let hears = |kind: &&EventType| chosen.iter().any(|chosen| kind.is_a(*chosen));
        self.wanted = EventType::ALL.iter().filter(hears).map(|kind| bit(*kind)).sum();
    }

    // --- events ---

    /// An event that it hears.
    pub(super) fn put(&mut self, serial: u64, now: Mono, letter: Contents<'_>, lines: &mut Lines) {
        if self.config.overflow == PoolOverflow::Drop {
            self.make_room_for_one(lines);
        }
        let Contents { server, event, payload } = letter;
        let pool = &*self.name;
        let message = |pool_serial, out: &mut Vec<u8>| {
            let (header, before) = (Header { server, serial, pool, pool_serial, event }, out.len());
            header.write(payload, Unit::Bytes, out);
            let first = out.len() - before;
            // Whichever of its members is to be told it may count the one or the other.
            (!payload.is_ascii()).then(|| header.write(payload, Unit::Characters, out)).map(|()| first)
        };
        if let Err(e) = self.queue.put(serial, now, message) {
            let text = format!("pool {} cannot keep event {serial}, it is lost: {e}", self.name);
            lines.push((LogLevel::Critical, text));
        }
        let most = if self.has_file(now) { 4 * NEAR_WITHOUT_FILE } else { NEAR_WITHOUT_FILE };
        // What lies in the file, and is older, makes no room there by going.
        while self.config.overflow != PoolOverflow::Drop && self.queue.near_bytes() > most {
            let result = self.queue.drop_oldest_near();
            if !self.is_dropped(result, lines) {
                break;
            }
        }
    }

    /// Supervisor's way: at most so many wait, and the oldest goes.
    fn make_room_for_one(&mut self, lines: &mut Lines) {
        while self.queue.waiting() >= self.config.buffer_size as u64 && self.queue.waiting() > 0 {
            let mut result = self.queue.drop_oldest();
            if is_on_disk(&result) {
                // It was another kind of pool before, and nobody waits for a disk now.
                result = self.queue.drop_oldest_near();
            }
            if !self.is_dropped(result, lines) {
                break;
            }
        }
    }

    /// Tells of an event that was dropped, if one was.
    fn is_dropped(&mut self, result: io::Result<Option<u64>>, lines: &mut Lines) -> bool {
        let Some(Some(serial)) = self.or_give_up(result, lines) else { return false };
        let text = format!("pool {} event buffer overflowed, discarding event {serial}", self.name);
        lines.push((LogLevel::Error, text));
        true
    }

    /// Somebody's turn, and what it is told.
    pub(super) fn next(&mut self, now: Mono, lines: &mut Lines) -> Option<Turn> {
        let member = self.members.iter().position(|member| member.may_hear && member.is_ready)?;
        if self.pause.is_some_and(|until| now < until) || self.last == Some(0) {
            return None;
        }
        let child = self.members[member].child;
        let taken = self.queue.take(child, self.members[member].counts());
        let Some(letter) = self.or_give_up(taken, lines).flatten() else {
            self.is_hungry = true;
            return None;
        };
        self.last = self.last.map(|last| last - 1);
        let member = &mut self.members[member];
        (member.is_ready, member.event) = (false, Some(letter.serial));
        (member.state, member.since) = (Listening::Busy, now);
        member.told += 1;
        let is_last = !self.members.iter().any(|member| member.may_hear && member.is_ready);
        Some(Turn { child, letter, is_last })
    }

    /// The member has done with what it was told.
    pub(super) fn accepted(&mut self, child: ChildId, told: bool) -> bool {
        (self.refusals, self.pause) = (0, None);
        self.forget_event(child);
        self.queue.accepted(child, told)
    }

    /// What the member was told comes back; true if there was something.
    pub(super) fn returned(
        &mut self,
        child: ChildId,
        (refused, told): (bool, bool),
        now: Mono,
        lines: &mut Lines,
    ) -> bool {
        let serial = self.forget_event(child);
        if self.config.overflow == PoolOverflow::Drop && serial.is_some() {
            self.make_room_for_one(lines);
        }
        let is_back = self.queue.returned(child, refused, told);
        self.last = self.last.map(|last| last + u64::from(is_back));
        if is_back && refused {
            self.refusals = self.refusals.saturating_add(1);
            let doublings = self.refusals.saturating_sub(2).min(10);
            self.pause = (self.refusals > 1).then(|| now + (PAUSE * (1 << doublings)).min(LONGEST_PAUSE));
        }
        if let (true, Some(serial)) = (is_back, serial) {
            let (waiting, most) = (self.queue.waiting() - 1, self.config.buffer_size);
            let text =
                format!("rebuffering event {serial} for pool {} (buf size={waiting}, max={most})", self.name);
            lines.push((LogLevel::Debug, text));
        }
        is_back
    }

    /// When the next event may be told, if it may not be told now.
    pub(super) fn pause(&self) -> Option<Mono> {
        self.pause
    }

    /// Whether a pause ends with this; it does so once, whoever is there to be told something by then.
    pub(super) fn ends_pause(&mut self, now: Mono) -> bool {
        self.pause.take_if(|until| *until <= now).is_some()
    }

    /// Whether programs whose output it hears should wait.
    pub(super) fn is_behind(&self, now: Mono) -> bool {
        match self.config.overflow {
            PoolOverflow::Block => self.queue.waiting() >= self.config.buffer_size as u64,
            PoolOverflow::Spill => self.has_file(now) && self.queue.near_bytes() > NEAR_AT_MOST,
            PoolOverflow::Drop => false,
        }
    }

    /// Whether more waits in memory than should.
    fn is_over(&self) -> bool {
        self.config.overflow != PoolOverflow::Drop && self.queue.near_bytes() > NEAR
    }

    /// Whether some of what waits should go to the file.
    pub(super) fn wants_file(&self, now: Mono) -> bool {
        self.is_over()
            && self.config.overflow_maxbytes > 0
            && match self.file {
                FileFor::Unneeded | FileFor::Ready => true,
                FileFor::Asked => false,
                FileFor::Refuses(until) => now >= until,
            }
    }

    /// Whether there is a pause that ends, or something to be done about its file, now or later.
    pub(super) fn has_chores(&self) -> bool {
        self.is_over() || self.pause.is_some() || self.queue.has_chores()
    }

    /// When a file that took nothing is tried again.
    pub(super) fn next_try_of_file(&self) -> Option<Mono> {
        match self.file {
            FileFor::Refuses(until) if self.is_over() && self.config.overflow_maxbytes > 0 => Some(until),
            _ => None,
        }
    }

    /// Whether there is one, or will be.
    fn has_file(&self, now: Mono) -> bool {
        let hangs = self.at_disk.is_some_and(|since| now.since(since) >= LONG);
        self.config.overflow_maxbytes > 0 && !matches!(self.file, FileFor::Refuses(_)) && !hangs
    }

    /// Somebody has been to the disk: whether something was looked up there.
    pub(super) fn is_back(&mut self, found: io::Result<Option<(u64, Vec<u8>)>>, lines: &mut Lines) -> bool {
        let Some(Some(found)) = self.or_give_up(found, lines) else { return false };
        self.queue.is_back(found);
        true
    }

    fn or_give_up<T>(&mut self, result: io::Result<T>, lines: &mut Lines) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            // It is on a disk that somebody looks into first.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            Err(e) => {
                let lost = self.queue.give_up();
                let text = format!("pool {} cannot read its events, {lost} are lost: {e}", self.name);
                lines.push((LogLevel::Critical, text));
                None
            }
        }
    }

    // --- members ---

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn member(&mut self, child: ChildId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.child == child)
    }

    /// Whether the process of this member is RUNNING; nothing of one that is no member.
    pub(super) fn may_hear(&mut self, child: ChildId, may: bool) -> Option<()> {
        self.member(child)?.may_hear = may;
        self.last = self.last.filter(|_| !may);
        let waiting = self.last.unwrap_or(self.queue.waiting());
        let hears = self.members.iter().any(|member| member.may_hear);
        self.left = (!hears).then(|| (waiting + self.queue.out_count(), self.queue.tally().delivered));
        Some(())
    }

    /// What happens from now on this member is not told; whether there is anything left that it may hear.
    pub(super) fn hear_out(&mut self, child: ChildId) -> bool {
        let waiting = self.queue.waiting();
        self.last.get_or_insert(waiting);
        !self.has_heard_all(child)
    }

    /// Whether nothing of that is left for it, or it hears nothing any more.
    pub(super) fn has_heard_all(&self, child: ChildId) -> bool {
        let Some(member) = self.members.iter().find(|member| member.child == child) else { return true };
        let nothing_waits = self.queue.waiting() == 0 || self.last == Some(0);
        !member.may_hear || member.state == Listening::Unknown || (nothing_waits && member.event.is_none())
    }

    /// Events that were there while somebody could hear them, and that nobody has taken. What came later, as their own ends do, is
    /// no loss.
    pub(super) fn left_over(&self) -> u64 {
        let now = self.queue.waiting() + self.queue.out_count();
        let (then, delivered) = self.left.unwrap_or((now, self.queue.tally().delivered));
        now.min(then.saturating_sub(self.queue.tally().delivered - delivered))
    }

    pub(super) fn join(&mut self, member: Member) {
        self.members.retain(|old| old.child != member.child);
        self.members.push(member);
        self.sort();
    }

    pub(super) fn leave(&mut self, child: ChildId) {
        self.members.retain(|member| member.child != child);
        self.queue.is_told(child);
    }

    /// In the order of the configuration; of two children of one process the older first.
    fn sort(&mut self) {
        let place = |member: &Member| self.order.iter().position(|name| *name == member.process);
        let mut members = std::mem::take(&mut self.members);
        members.sort_by_key(|member| (place(member).unwrap_or(usize::MAX), member.child));
        self.members = members;
    }

    fn forget_event(&mut self, child: ChildId) -> Option<u64> {
        self.member(child)?.event.take()
    }
}

/// Whether an event has to be looked up in a file first.
pub(super) fn is_on_disk<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
}

/// The bit of a type.
pub(super) fn bit(kind: EventType) -> u64 {
    1 << kind as u32
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
