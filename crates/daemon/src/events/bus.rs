//! Where events are published, from any thread, and where whoever tells listeners takes them from.
//!
//! In: events, pools that open and close. Out: numbers, queues, whose turn it is. One mutex guards it, which is held for as long as a
//! few words and a record take into memory, and never while a disk or a listener is waited for. What is published is kept when
//! [`Bus::publish`] returns: the loop goes on to write down what an event tells of only then, so that a brain's death may repeat an event and
//! loses none. Whether anybody hears a type at all is asked before anything is copied.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use provost_api::{ListenerReport, PoolReport};
use provost_config::{LogLevel, PayloadLength, PoolConfig, ResultHandler};
use provost_core::{ChildId, Mono};
use provost_keeper::{LASTING, Link, LinkError, Shared, ToKeeper};
use provost_wire::events::{Event, EventType, Said, Slice};
use provost_wire::listener::{Listening, Unit};

use super::pool::{Contents, Lines, Member, Pool, Turn, bit, is_on_disk};
use super::queue::{self, Batch, Letter, Queue, following};
use super::{unit, words};
use crate::clock;
use crate::kept;
use crate::logs::{Audience, Count, Notice, Word};
use crate::wake::{Bell, Post};

/// What all brains of a daemon share, and the next daemon under the same pid: the words of it, by their places.
const NUMBERS: &str = "events";
const FORMAT: u64 = u64::from_le_bytes(*b"serial\0\x01");
const IS: usize = 0;
const NEXT: usize = 1;
/// SUPERVISOR_STATE_CHANGE_RUNNING has been published.
const ANNOUNCED: usize = 2;
/// The last slice of each kind that was told, and one.
const SLICES: usize = 3;

/// The one bus; a handle of it.
#[derive(Debug, Clone)]
pub(crate) struct Bus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// A bit for each type that some pool hears.
    wanted: AtomicU64,
    /// Programs whose output is told of should wait.
    is_behind: AtomicBool,
    /// Some pool may pause, or have too much in memory.
    has_chores: AtomicBool,
    /// Listeners are about to stop, and are told the last.
    hear_out: AtomicBool,
    /// Of the thread that tells listeners.
    bell: Bell,
    notices: Post<Notice>,
    lines: Count,
    says_debug: bool,
    identifier: String,
}

#[derive(Debug)]
struct State {
    numbers: Shared,
    pools: Vec<Pool>,
    /// Queues of an earlier brain whose pools have not opened yet.
    found: BTreeMap<String, Queue>,
}

impl Bus {
    /// Goes on with what the keeper holds of an earlier brain, if this one follows it.
    pub(crate) fn begin(
        held: &mut Vec<(String, OwnedFd)>,
        resumes: bool,
        (identifier, says_debug): (&str, bool),
        (bell, notices): (Bell, Post<Notice>),
        link: &mut Link,
    ) -> Result<std::io::Result<Bus>, LinkError> {
        let numbers = match numbers(held, link) {
            Ok(numbers) => numbers?,
            Err(e) => return Ok(Err(e)),
        };
        if !resumes {
            for word in &numbers.words()[ANNOUNCED..] {
                word.store(0, Ordering::Release);
            }
        }
        let found = if resumes { queues(held) } else { BTreeMap::new() };
        let state = Mutex::new(State { numbers, pools: Vec::new(), found });
        let (wanted, is_behind, has_chores, hear_out, lines) = Default::default();
        let identifier = identifier.to_owned();
        Ok(Ok(Bus(Arc::new(Inner {
            state,
            wanted,
            is_behind,
            has_chores,
            hear_out,
            bell,
            notices,
            lines,
            says_debug,
            identifier,
        }))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panics ends the brain.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, lines: Lines) {
        for (level, text) in lines.into_iter().filter(|(level, _)| self.says(*level)) {
            self.tell(level, text);
        }
    }

    /// A line for the main log.
    pub(super) fn tell(&self, level: LogLevel, text: String) {
        self.0.notices.send(Notice::Line(self.0.lines.line(level, text)));
    }

    /// Whether the loop has to write some of them first.
    pub(super) fn has_told_too_much(&self) -> bool {
        self.0.lines.is_too_many()
    }

    pub(super) fn says(&self, level: LogLevel) -> bool {
        level > LogLevel::Debug || self.0.says_debug
    }

    /// Whether the world has been told that the supervisor runs.
    pub(crate) fn has_announced(&self) -> bool {
        self.state().numbers.words()[ANNOUNCED].load(Ordering::Acquire) == 1
    }

    // --- publishing ---

    /// Whether some pool hears this type.
    pub(crate) fn wants(&self, kind: EventType) -> bool {
        self.0.wanted.load(Ordering::Acquire) & bit(kind) != 0
    }

    /// Whether programs whose output is told of should wait.
    pub(crate) fn is_behind(&self) -> bool {
        if self.0.is_behind.load(Ordering::Relaxed) {
            // A disk that does not answer is waited for no longer.
            self.look_behind(&self.state());
        }
        self.0.is_behind.load(Ordering::Relaxed) || self.has_told_too_much()
    }

    /// Keeps an event for each pool that hears it.
    pub(crate) fn publish(&self, event: &Event<'_>) {
        let kind = event.event_type();
        if self.wants(kind) {
            self.keep(event, kind);
        }
        if kind == EventType::SupervisorRunning {
            self.state().numbers.words()[ANNOUNCED].store(1, Ordering::Release);
        }
    }

    fn keep(&self, event: &Event<'_>, kind: EventType) {
        let payload = event.payload();
        let letter = Contents { server: &self.0.identifier, event: kind, payload: &payload };
        let (now, mut lines, mut is_waited_for) = (clock::mono(), Lines::new(), false);
        let mut state = self.state();
        let State { numbers, pools, .. } = &mut *state;
        let serial = numbers.words()[NEXT].load(Ordering::Acquire);
        for pool in pools.iter_mut().filter(|pool| pool.wanted & bit(kind) != 0) {
            pool.put(serial, now, letter, &mut lines);
            is_waited_for |= std::mem::take(&mut pool.is_hungry) || pool.wants_file(now);
            if pool.has_chores() {
                self.0.has_chores.store(true, Ordering::Relaxed);
            }
        }
        numbers.words()[NEXT].store(following(serial), Ordering::Release);
        self.look_behind(&state);
        drop(state);
        if is_waited_for {
            self.0.bell.ring();
        }
        self.say(lines);
    }

    fn look_behind(&self, state: &State) {
        let output = [EventType::LogStdout, EventType::LogStderr, EventType::CommunicationStdout];
        let output: u64 = output.into_iter().chain([EventType::CommunicationStderr]).map(bit).sum();
        let now = clock::mono();
        let is_behind = state.pools.iter().any(|pool| pool.wanted & output != 0 && pool.is_behind(now));
        self.0.is_behind.store(is_behind, Ordering::Relaxed);
    }

    // --- pools ---

    /// From now on this pool hears. One that is open already is as this says now.
    pub(crate) fn open(
        &self,
        name: &Arc<str>,
        config: Arc<PoolConfig>,
        order: Vec<Arc<str>>,
        link: &mut Link,
    ) -> Result<(), LinkError> {
        let mut state = self.state();
        if let Some(pool) = state.pools.iter_mut().find(|pool| pool.name == *name) {
            pool.renew(config, order);
        } else {
            let queue = match state.found.remove(&**name) {
                Some(queue) => Ok(queue),
                None => {
                    let made = Queue::create().and_then(|queue| Ok((queue.share()?, queue)));
                    kept::hand_over(made, queue::held_as(name), link)?
                }
            };
            let queue = match queue {
                Ok(queue) => queue,
                Err(e) => {
                    drop(state);
                    let text = format!("cannot make room for the events of pool {name}: {e}; it gets none");
                    self.say(vec![(LogLevel::Critical, text)]);
                    return Ok(());
                }
            };
            // A brain that died had given the number away and not written that down.
            let next = &state.numbers.words()[NEXT];
            if let Some(last) = queue.last_serial().filter(|last| *last >= next.load(Ordering::Acquire)) {
                next.store(following(last), Ordering::Release);
            }
            state.pools.push(Pool::new(Arc::clone(name), config, order, queue));
        }
        self.look_at_subscriptions(&state);
        drop(state);
        // There may be ticks to be told.
        self.0.bell.ring();
        Ok(())
    }

    /// From now on it hears nothing, and what waits is gone with it.
    pub(crate) fn close(&self, name: &str, link: &mut Link) -> Result<(), LinkError> {
        let mut state = self.state();
        let Some(place) = state.pools.iter().position(|pool| *pool.name == *name) else { return Ok(()) };
        let pool = state.pools.remove(place);
        self.look_at_subscriptions(&state);
        drop(state);
        for name in queue::held_as(name) {
            link.send(ToKeeper::Release { name })?;
        }
        self.say(left_over(&pool).into_iter().collect());
        self.0.bell.ring();
        Ok(())
    }

    /// Pools of an earlier brain that are no more.
    pub(crate) fn close_unopened(&self, link: &mut Link) -> Result<(), LinkError> {
        for name in std::mem::take(&mut self.state().found).into_keys() {
            for name in queue::held_as(&name) {
                link.send(ToKeeper::Release { name })?;
            }
        }
        Ok(())
    }

    /// What is still waiting now that all is over, in words.
    pub(crate) fn left_over(&self) -> Vec<String> {
        self.state().pools.iter().filter_map(left_over).map(|(_, text)| text).collect()
    }

    fn look_at_subscriptions(&self, state: &State) {
        let wanted = state.pools.iter().fold(0, |wanted, pool| wanted | pool.wanted);
        self.0.wanted.store(wanted, Ordering::Release);
        self.look_behind(state);
    }

    /// What somebody may want to know of the pools.
    pub(crate) fn reports(&self) -> Vec<PoolReport> {
        let now = clock::mono();
        self.state().pools.iter_mut().map(|pool| report(pool, now)).collect()
    }

    // --- for the thread that tells ---

    /// A listener of this pool runs.
    pub(super) fn join(&self, pool: &str, member: Member) {
        self.with(pool, |pool, _| pool.join(member));
    }

    /// It does not, any more: what was out with it comes back.
    pub(super) fn leave(&self, pool: &str, child: ChildId) {
        let now = clock::mono();
        self.with(pool, |pool, lines| {
            pool.returned(child, (false, true), now, lines);
            pool.leave(child);
        });
    }

    /// What has been out with children that are no more comes back.
    pub(super) fn settle(&self, lives: impl Fn(ChildId) -> bool) {
        for pool in &mut self.state().pools {
            pool.queue.only_with(&lives);
        }
    }

    /// Whether this child's process is RUNNING.
    pub(super) fn may_hear(&self, child: ChildId, may: bool) {
        let mut state = self.state();
        state.pools.iter_mut().find_map(|pool| pool.may_hear(child, may));
        drop(state);
        if may {
            self.0.bell.ring();
        }
    }

    /// This child is about to be asked to stop: whether there is something left to tell it. The thread then says whenever that may have
    /// become otherwise.
    pub(super) fn hear_out(&self, child: ChildId) -> bool {
        let mut state = self.state();
        let pool =
            state.pools.iter_mut().find(|pool| pool.members().iter().any(|member| member.child == child));
        let has_more = pool.is_some_and(|pool| pool.hear_out(child));
        self.0.hear_out.fetch_or(has_more, Ordering::AcqRel);
        drop(state);
        self.0.bell.ring();
        has_more
    }

    pub(super) fn has_heard_all(&self, child: ChildId) -> bool {
        self.state().pools.iter().all(|pool| pool.has_heard_all(child))
    }

    /// Whether somebody waits until listeners have heard all.
    pub(super) fn hears_out(&self) -> bool {
        self.0.hear_out.load(Ordering::Acquire)
    }

    /// How its pool wants a listener to be judged, whether one may come back that broke the protocol, and what it counts.
    pub(super) fn customs(&self, pool: &str) -> Option<(ResultHandler, bool, PayloadLength)> {
        self.with(pool, |Pool { config, .. }, _| {
            (config.result_handler.clone(), config.listener_recover, config.payload_length)
        })
    }

    /// Something has changed about a member.
    pub(super) fn note<T>(
        &self,
        pool: &str,
        child: ChildId,
        change: impl FnOnce(&mut Member) -> T,
    ) -> Option<T> {
        self.with(pool, |pool, _| pool.member(child).map(change))?
    }

    /// It accepts what is out with it; `told` says whether all of it has been.
    pub(super) fn accepted(&self, pool: &str, child: ChildId, told: bool) -> bool {
        self.with(pool, |pool, _| pool.accepted(child, told)).unwrap_or(false)
    }

    /// It has `refused` what is out with it, or could not be told.
    pub(super) fn returned(&self, pool: &str, child: ChildId, refused: bool, told: bool) -> bool {
        let now = clock::mono();
        self.with(pool, |pool, lines| pool.returned(child, (refused, told), now, lines)).unwrap_or(false)
    }

    /// Everything that it had answered has been told to it, too.
    pub(super) fn is_told(&self, pool: &str, child: ChildId) {
        self.with(pool, |pool, _| pool.queue.is_told(child));
    }

    /// Whom to tell what.
    pub(super) fn next(&self, pool: &str, now: Mono) -> Option<Turn> {
        loop {
            let turn = self.with(pool, |pool, lines| pool.next(now, lines))?;
            if turn.is_some() || !self.run_errand(pool) {
                return turn;
            }
        }
    }

    /// What is out with a child.
    pub(super) fn out_with(&self, pool: &str, child: ChildId) -> Option<Letter> {
        self.letter(pool, child, Queue::out_with)
    }

    /// What is still being told to it, though it has answered.
    pub(super) fn half_told(&self, pool: &str, child: ChildId) -> Option<Letter> {
        self.letter(pool, child, Queue::half_told)
    }

    fn letter(
        &self,
        pool: &str,
        child: ChildId,
        of: impl Fn(&mut Queue, ChildId, Unit) -> io::Result<Option<Letter>>,
    ) -> Option<Letter> {
        loop {
            let letter = self.with(pool, |pool, _| {
                let unit = pool.member(child)?.counts();
                Some(of(&mut pool.queue, child, unit))
            })??;
            if !is_on_disk(&letter) || !self.run_errand(pool) {
                return letter.ok().flatten();
            }
        }
    }

    /// Looks up in the file of this pool what is to be known of it, and does what is to be done to it. A disk may be waited for here, and nobody
    /// else waits with us. Whether something was looked up.
    pub(super) fn run_errand(&self, pool: &str) -> bool {
        let Some(errand) = self.with(pool, |pool, _| pool.queue.errand()).flatten() else { return false };
        let result = self.at_disk(pool, || errand.run());
        let found = self.with(pool, |pool, lines| pool.is_back(result, lines));
        found.unwrap_or(false)
    }

    /// Does something for a pool that may wait for a disk.
    pub(super) fn at_disk<T>(&self, pool: &str, act: impl FnOnce() -> T) -> T {
        self.with(pool, |pool, _| pool.at_disk = Some(clock::mono()));
        let result = act();
        self.with(pool, |pool, _| pool.at_disk = None);
        result
    }

    /// The pools of which something is to be done to the file.
    pub(super) fn with_chores(&self) -> Vec<Arc<str>> {
        let state = self.state();
        let some = state.pools.iter().filter(|pool| pool.queue.has_chores());
        some.map(|pool| Arc::clone(&pool.name)).collect()
    }

    fn with<T>(&self, pool: &str, act: impl FnOnce(&mut Pool, &mut Lines) -> T) -> Option<T> {
        let mut lines = Lines::new();
        let mut state = self.state();
        let pool = state.pools.iter_mut().find(|known| *known.name == *pool)?;
        let result = act(pool, &mut lines);
        if pool.has_chores() {
            self.0.has_chores.store(true, Ordering::Relaxed);
        }
        if self.0.is_behind.load(Ordering::Relaxed) {
            self.look_behind(&state);
        }
        drop(state);
        self.say(lines);
        Some(result)
    }

    /// The pools there are.
    pub(super) fn pools(&self) -> Vec<Arc<str>> {
        self.state().pools.iter().map(|pool| Arc::clone(&pool.name)).collect()
    }

    /// Whether some pool has a pause that ends, or wants something to be done about its file, now or later.
    pub(super) fn has_chores(&self) -> bool {
        if !self.0.has_chores.load(Ordering::Relaxed) {
            return false;
        }
        let state = self.state();
        let has_some = state.pools.iter().any(Pool::has_chores);
        self.0.has_chores.store(has_some, Ordering::Relaxed);
        has_some
    }

    /// When a pool that pauses goes on.
    pub(super) fn pause(&self) -> Option<Mono> {
        self.state().pools.iter().filter_map(Pool::pause).min()
    }

    /// The pools whose pause is over.
    pub(super) fn go_on(&self, now: Mono) -> Vec<Arc<str>> {
        let mut state = self.state();
        let pools = state.pools.iter_mut().filter_map(|pool| pool.ends_pause(now).then_some(&pool.name));
        pools.map(Arc::clone).collect()
    }

    /// When a file that took nothing is tried again.
    pub(super) fn next_try_of_a_file(&self) -> Option<Mono> {
        self.state().pools.iter().filter_map(Pool::next_try_of_file).min()
    }

    /// The pools that want something to be done about their files.
    pub(super) fn want_files(&self, now: Mono) -> Vec<Arc<str>> {
        let state = self.state();
        let wants = state.pools.iter().filter(|pool| pool.wants_file(now));
        wants.map(|pool| Arc::clone(&pool.name)).collect()
    }

    pub(super) fn in_pool<T>(&self, pool: &str, act: impl FnOnce(&mut Pool, &mut Lines) -> T) -> Option<T> {
        self.with(pool, act)
    }

    /// A copy of what is to go to the file of this pool.
    pub(super) fn batch(&self, pool: &str, bytes: usize) -> Option<(Batch, Arc<OwnedFd>)> {
        self.with(pool, |pool, _| {
            let file = pool.queue.file()?;
            let batch = pool.queue.oldest_near(bytes).ok()?;
            (!batch.is_empty()).then_some((batch, file))
        })?
    }

    /// The slice of this kind that was told last, or found at the beginning.
    pub(super) fn last_slice(&self, slice: Slice) -> Option<i64> {
        let word = self.state().numbers.words()[SLICES + slice as usize].load(Ordering::Acquire);
        (word != 0).then_some(word as i64 - 1)
    }

    pub(super) fn slice_is(&self, slice: Slice, when: Option<i64>) {
        let word = when.map_or(0, |when| when as u64 + 1);
        self.state().numbers.words()[SLICES + slice as usize].store(word, Ordering::Release);
    }
}

fn left_over(pool: &Pool) -> Option<(LogLevel, String)> {
    let left = pool.left_over();
    let text = || format!("pool {} is gone, and {left} events with it that no listener has taken", pool.name);
    (left > 0).then(|| (LogLevel::Warn, text()))
}

fn report(pool: &mut Pool, now: Mono) -> PoolReport {
    let millis = |since: Mono| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
    let (tally, oldest) = (pool.queue.tally(), pool.queue.oldest());
    let listeners = pool.members().iter().map(|member| ListenerReport {
        process: member.process.to_string(),
        pid: member.pid,
        state: state_name(member.state),
        state_ms: millis(member.since),
        told: member.told,
        event: member.event,
        counts: member.unit.map(unit::name),
    });
    PoolReport {
        name: pool.name.to_string(),
        events: pool
            .config
            .events
            .iter()
            .filter_map(|name| EventType::named(name))
            .map(EventType::name)
            .collect(),
        overflow: pool.config.overflow.name(),
        waiting: pool.queue.waiting(),
        waiting_bytes: pool.queue.near_bytes() + pool.queue.far_bytes(),
        spilled: pool.queue.far_count(),
        oldest_ms: oldest.map(millis),
        delivered: tally.delivered,
        rejected: tally.rejected,
        dropped: tally.dropped,
        listeners: listeners.collect(),
    }
}

pub(super) fn state_name(state: Listening) -> &'static str {
    match state {
        Listening::Ready => "READY",
        Listening::Busy => "BUSY",
        Listening::Acknowledged => "ACKNOWLEDGED",
        Listening::Unknown => "UNKNOWN",
    }
}

/// The numbers of an earlier brain, or of an earlier daemon under this pid, or new ones.
fn numbers(held: &mut Vec<(String, OwnedFd)>, link: &mut Link) -> std::io::Result<Result<Shared, LinkError>> {
    let name = format!("{LASTING}{NUMBERS}");
    if let Some(fd) = kept::take(held, &name)
        && let Ok(found) = Shared::found(fd)
        && found.words().first().is_some_and(|word| word.load(Ordering::Acquire) == FORMAT)
    {
        return Ok(Ok(found));
    }
    let numbers = Shared::create(NUMBERS, 4096)?;
    numbers.words()[IS].store(FORMAT, Ordering::Release);
    let fd = numbers.share()?;
    Ok(link.send(ToKeeper::Hold { name, fd }).map(|()| numbers))
}

fn queues(held: &mut Vec<(String, OwnedFd)>) -> BTreeMap<String, Queue> {
    let [prefix, ..] = queue::held_as("");
    let names: Vec<String> =
        held.iter().filter_map(|(name, _)| name.strip_prefix(&prefix)).map(Into::into).collect();
    let found = names.into_iter().filter_map(|name| {
        let [memory, near, far] = queue::held_as(&name).map(|name| kept::take(held, &name));
        Some((name, Queue::found(memory?, near?, far).ok()?))
    });
    found.collect()
}

impl Audience for Bus {
    fn hear(&self, word: Word, said: &Said<'_>) {
        self.publish(&words::said(word, *said));
    }

    fn is_behind(&self) -> bool {
        Bus::is_behind(self)
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
pub(super) mod tests;
