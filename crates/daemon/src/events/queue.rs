//! The events that wait for the listeners of one pool, and those that are out with one: first in, first out, and nothing of it is lost
//! with a brain.
//!
//! Records (`record.rs`) are written one behind the other into memory that the keeper holds, *near*, and told from there. When
//! too many wait the oldest are moved to a file, *far*, which has no name and is held by the keeper, too; so whatever is far is older than
//! whatever is near. Nothing here waits for a disk: what is to be known of the file, or done to it, is an [`Errand`], for whoever may. A *ledger* of a few words says where both are read and written, and which records are out with which
//! child. It changes all at once (`twice.rs`), after the bytes that it speaks of: a brain that dies before has not taken the event, and
//! whoever brought it brings it again.
//!
//! What was told is given back to the kernel as holes. What an empty queue gets next stands at the beginning again, so that a pool whose
//! listeners keep up uses a page or two; never in the same page, though, as a listener's pipe may still hold that. Not here: how much may wait, and what happens then (`pool.rs`); who may be told.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use provost_core::{ChildId, Mono};
use provost_keeper::Shared;
use provost_wire::listener::Unit;
use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, fallocate, ftruncate, memfd_create, open};
use rustix::io::{Errno, pread, pwrite};

use super::record::{HEAD, Head};
use crate::death;
use crate::twice::Twice;

/// How many events of a pool can be out at once, whether with listeners or waiting to be told again.
pub(super) const MOST_OUT: usize = 1024;
const FORMAT: u64 = u64::from_le_bytes(*b"events\0\x01");
/// The words: what this is, and the ledger.
const IS: usize = 0;
/// Each may be there twice: waiting to be told again, and still being told to whoever has refused it.
const LEDGER: Twice = Twice::new(1, FIXED + 4 * MOST_OUT);
const FIXED: usize = 13;
const BYTES: usize = 72 * 1024;
/// So much is read at once, to know how long records are.
const AHEAD: usize = 16 * 1024;
/// What has been read is given back in pieces of this size.
const HOLE: u64 = 256 * 1024;
const PAGE: u64 = 4096;

/// The queue of a pool.
#[derive(Debug)]
pub(super) struct Queue {
    memory: Shared,
    near: Arc<OwnedFd>,
    far: Option<Arc<OwnedFd>>,
    ledger: Ledger,
    /// Grows whenever something near is taken or dropped: what was copied before is old then.
    turns: u64,
    /// Up to where each side has been given back.
    freed: [u64; 2],
    record: Vec<u8>,
    ahead: Ahead,
    /// What is to be known of the file next, and what is to be done to it: by whoever may wait for a disk.
    missing: Option<u64>,
    chores: Vec<Chore>,
    /// Since when the oldest waits that is far, as far as that is known.
    far_since: Option<Mono>,
}

/// What is to be done to the file.
#[derive(Debug, Clone, Copy)]
enum Chore {
    /// These bytes are nobody's any more.
    Hole { from: u64, end: u64 },
    /// None are.
    Empty,
}

/// A look into the file, or something to be done to it, which may take its time.
#[derive(Debug)]
pub(super) struct Errand {
    file: Arc<OwnedFd>,
    look: Option<(u64, usize)>,
    chores: Vec<Chore>,
}

/// A piece that has been read already.
#[derive(Debug, Default)]
struct Ahead {
    side: Option<Side>,
    at: u64,
    bytes: Vec<u8>,
}

/// An event that is out with a child: where its message lies.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) serial: u64,
    pub(super) file: Arc<OwnedFd>,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What a new brain must know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ledger {
    near: Span,
    far: Span,
    next_serial: u64,
    tally: Tally,
    last_serial: u64,
    out: Vec<Out>,
}

/// How many events had which fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) delivered: u64,
    pub(super) rejected: u64,
    pub(super) dropped: u64,
}

/// Where one of the two is read next, where it ends, and how many records lie between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    next: u64,
    end: u64,
    count: u64,
}

/// A record that has been taken, and not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Out {
    /// With whom; nothing for one that waits to be told again.
    child: Option<ChildId>,
    side: Side,
    at: u64,
    length: u32,
    /// The child has answered, and has not been told all of it yet: it stays for that only.
    is_answered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Near,
    Far,
}

/// The oldest records that are near, on their way to the file.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    count: u64,
    turns: u64,
    /// Where in the file it is to lie.
    at: u64,
}

/// The names under which the keeper holds what makes up a queue.
pub(super) fn held_as(pool: &str) -> [String; 3] {
    ["events", "events-near", "events-far"].map(|part| format!("{part}:{pool}"))
}

impl Queue {
    pub(super) fn create() -> io::Result<Queue> {
        let memory = Shared::create("events", BYTES)?;
        memory.words()[IS].store(FORMAT, std::sync::atomic::Ordering::Release);
        let near = memfd_create("events-near", MemfdFlags::CLOEXEC)?;
        Queue::found(memory.share()?, near, None)
    }

    /// That of an earlier brain.
    pub(super) fn found(memory: OwnedFd, near: OwnedFd, far: Option<OwnedFd>) -> io::Result<Queue> {
        let memory = Shared::found(memory)?;
        let words = memory.words();
        if size_of_val(words) != BYTES || words[IS].load(std::sync::atomic::Ordering::Acquire) != FORMAT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "events of another kind"));
        }
        let ledger = Ledger::read(&memory);
        let (record, ahead, missing, chores, far_since) = Default::default();
        let (near, far) = (near.into(), far.map(Arc::new));
        Ok(Queue {
            memory,
            near,
            far,
            ledger,
            turns: 0,
            freed: [0; 2],
            record,
            ahead,
            missing,
            chores,
            far_since,
        })
    }

    /// Descriptors for the keeper, of ledger and memory.
    pub(super) fn share(&self) -> io::Result<[OwnedFd; 2]> {
        Ok([self.memory.share()?, self.near.try_clone()?])
    }

    /// A file of no name for what finds no room in memory. Nothing is written there before [`Queue::has_file`].
    pub(super) fn file_in(directory: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match open(directory, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => nameless(directory),
            result => Ok(result?),
        }
    }

    pub(super) fn has_file(&mut self, file: OwnedFd) {
        self.far.get_or_insert(file.into());
    }

    pub(super) fn is_without_file(&self) -> bool {
        self.far.is_none()
    }

    // --- events come and go ---

    /// Appends an event, of which `message` writes what its listener gets, given its number in this queue, and returns how long the first of two
    /// forms is, if there are two; it is there when this returns.
    pub(super) fn put(
        &mut self,
        serial: u64,
        at: Mono,
        message: impl FnOnce(u64, &mut Vec<u8>) -> Option<usize>,
    ) -> io::Result<()> {
        let pool_serial = self.ledger.next_serial;
        self.record.clear();
        self.record.resize(HEAD, 0);
        let first = message(pool_serial, &mut self.record);
        let length = self.record.len() - HEAD;
        let message = first.unwrap_or(length);
        Head { serial, pool_serial, at, message, other: length - message }.write(&mut self.record);
        write_all(&self.near, &self.record, self.ledger.near.end)?;
        death::may_come();
        self.ahead.append(self.ledger.near.end, &self.record);
        let ledger = &mut self.ledger;
        ledger.near.end += self.record.len() as u64;
        ledger.near.count += 1;
        ledger.next_serial = following(ledger.next_serial);
        ledger.last_serial = serial;
        self.commit();
        if self.record.capacity() > 4 * AHEAD {
            self.record = Vec::new();
        }
        Ok(())
    }

    /// The oldest event goes out with this child, which counts so.
    pub(super) fn take(&mut self, child: ChildId, unit: Unit) -> io::Result<Option<Letter>> {
        let (out, letter) = if let Some(again) = self.again() {
            let Out { side, at, .. } = self.ledger.out[again];
            let letter = self.letter(side, at, unit)?;
            (self.ledger.out.remove(again), letter)
        } else {
            let Some(side) = self.side().filter(|_| self.ledger.out.len() < MOST_OUT) else {
                return Ok(None);
            };
            let at = self.span(side).next;
            let letter = self.letter(side, at, unit)?;
            let length = self.head(side, at)?.length();
            self.pass(side, length as u64);
            // Nothing is as long as four gigabytes here.
            (Out { child: None, side, at, length: length as u32, is_answered: false }, letter)
        };
        self.ledger.out.push(Out { child: Some(child), ..out });
        self.commit();
        Ok(Some(letter))
    }

    /// What is out with this child.
    pub(super) fn out_with(&mut self, child: ChildId, unit: Unit) -> io::Result<Option<Letter>> {
        let Some(place) = self.place_of(child) else { return Ok(None) };
        let Out { side, at, .. } = self.ledger.out[place];
        self.letter(side, at, unit).map(Some)
    }

    /// What is still being told to this child, though it has answered.
    pub(super) fn half_told(&mut self, child: ChildId, unit: Unit) -> io::Result<Option<Letter>> {
        let found = self.ledger.out.iter().find(|out| out.is_answered && out.child == Some(child)).copied();
        found.map(|Out { side, at, .. }| self.letter(side, at, unit)).transpose()
    }

    /// Nothing is, any more.
    pub(super) fn is_told(&mut self, child: ChildId) {
        let is_it = |out: &Out| out.is_answered && out.child == Some(child);
        if let Some(place) = self.ledger.out.iter().position(is_it) {
            self.finish(place);
        }
    }

    /// What is out in this place is needed by nobody.
    fn finish(&mut self, place: usize) {
        let out = self.ledger.out.remove(place);
        self.commit();
        self.is_over(out);
        self.give_back();
    }

    /// The place of the one that waits again and comes first.
    fn again(&self) -> Option<usize> {
        self.ledger.out.iter().rposition(|out| out.child.is_none())
    }

    fn letter(&mut self, side: Side, at: u64, unit: Unit) -> io::Result<Letter> {
        let head = self.head(side, at)?;
        let place = head.place(unit);
        let (from, to) = (at + place.start, at + place.end);
        Ok(Letter { serial: head.serial, file: Arc::clone(self.fd(side)?), from, to })
    }

    /// It has taken what was out with it; false if nothing was. If that is not all `told` yet it stays until then.
    pub(super) fn accepted(&mut self, child: ChildId, told: bool) -> bool {
        let Some(place) = self.place_of(child) else { return false };
        self.ledger.tally.delivered += 1;
        if told {
            self.finish(place);
        } else {
            self.ledger.out[place].is_answered = true;
            self.commit();
        }
        true
    }

    /// What was out with it waits again, before all others; false if nothing was. It `refused` it, or it could not be told.
    pub(super) fn returned(&mut self, child: ChildId, refused: bool, told: bool) -> bool {
        let Some(place) = self.place_of(child) else { return false };
        let out = self.ledger.out.remove(place);
        if !told {
            self.ledger.out.push(Out { is_answered: true, ..out });
        }
        self.ledger.out.push(Out { child: None, ..out });
        self.ledger.tally.rejected += u64::from(refused);
        self.commit();
        true
    }

    /// What is out with others than these waits again.
    pub(super) fn only_with(&mut self, children: impl Fn(ChildId) -> bool) {
        let lives = |out: &Out| out.child.is_some_and(&children);
        self.ledger.out.retain(|out| !out.is_answered || lives(out));
        for out in &mut self.ledger.out {
            out.child = out.child.filter(|child| children(*child));
        }
        self.commit();
    }

    /// Drops the event that would be told next; returns its serial.
    pub(super) fn drop_oldest(&mut self) -> io::Result<Option<u64>> {
        let Some(again) = self.again() else {
            return self.side().map(|side| self.drop_next(side)).transpose();
        };
        let out = self.ledger.out[again];
        let serial = self.head(out.side, out.at)?.serial;
        self.ledger.out.remove(again);
        self.ledger.tally.dropped += 1;
        self.commit();
        self.is_over(out);
        self.give_back();
        Ok(Some(serial))
    }

    /// Drops the oldest event that takes room in memory, and is not out; returns its serial.
    pub(super) fn drop_oldest_near(&mut self) -> io::Result<Option<u64>> {
        (self.ledger.near.count > 0).then(|| self.drop_next(Side::Near)).transpose()
    }

    fn drop_next(&mut self, side: Side) -> io::Result<u64> {
        let head = self.head(side, self.span(side).next)?;
        self.pass(side, head.length() as u64);
        self.ledger.tally.dropped += 1;
        self.commit();
        self.give_back();
        Ok(head.serial)
    }

    /// Something cannot be read, which should not be: whatever waits is given up, and counted.
    pub(super) fn give_up(&mut self) -> u64 {
        let lost = self.waiting() + self.out_count();
        let Ledger { near, far, out, tally, .. } = &mut self.ledger;
        (*near, *far) = (Span::default(), Span::default());
        self.freed = [0; 2];
        self.ahead = Ahead::default();
        out.clear();
        tally.dropped += lost;
        self.turns += 1;
        self.commit();
        let _ = ftruncate(&self.near, 0);
        self.chores.push(Chore::Empty);
        lost
    }

    // --- how much there is ---

    /// Events that are not out with anybody.
    pub(super) fn waiting(&self) -> u64 {
        let again = self.ledger.out.iter().filter(|out| out.child.is_none()).count() as u64;
        again + self.ledger.near.count + self.ledger.far.count
    }

    pub(super) fn out_count(&self) -> u64 {
        self.ledger.out.iter().filter(|out| out.child.is_some() && !out.is_answered).count() as u64
    }

    pub(super) fn far_count(&self) -> u64 {
        self.ledger.far.count
    }

    /// Bytes that wait in memory.
    pub(super) fn near_bytes(&self) -> u64 {
        self.ledger.near.end - self.ledger.near.next
    }

    pub(super) fn far_bytes(&self) -> u64 {
        self.ledger.far.end - self.ledger.far.next
    }

    pub(super) fn tally(&self) -> Tally {
        self.ledger.tally
    }

    /// The serial of the last event that came; nothing if none has.
    pub(super) fn last_serial(&self) -> Option<u64> {
        (self.ledger.next_serial > 0).then_some(self.ledger.last_serial)
    }

    /// Since when the oldest waits.
    pub(super) fn oldest(&mut self) -> Option<Mono> {
        let again = self.again().map(|again| (self.ledger.out[again].side, self.ledger.out[again].at));
        let (side, at) = again.or_else(|| self.side().map(|side| (side, self.span(side).next)))?;
        let known = self.head(side, at).ok().map(|head| head.at);
        if side == Side::Far {
            // Nobody looks into the file for this.
            self.missing = None;
            self.far_since = known.or(self.far_since);
            return self.far_since;
        }
        known
    }

    // --- to the file ---

    /// A copy of the oldest records that are near, of about this many bytes.
    pub(super) fn oldest_near(&mut self, bytes: usize) -> io::Result<Batch> {
        let Span { next, end, count } = self.ledger.near;
        let mut copy = vec![0; usize::try_from(end - next).unwrap_or(usize::MAX).min(bytes)];
        read_all(&self.near, &mut copy, next)?;
        let (mut whole, mut records) = (0, 0);
        while let Some(head) = Head::of(&copy[whole..]).filter(|head| head.length() <= copy.len() - whole) {
            whole += head.length();
            records += 1;
        }
        if records == 0 && count > 0 {
            // One that is longer than all that.
            let length = self.head(Side::Near, next)?.length();
            copy.resize(length, 0);
            read_all(&self.near, &mut copy, next)?;
            (whole, records) = (length, 1);
        }
        copy.truncate(whole);
        Ok(Batch { bytes: copy, count: records, turns: self.turns, at: self.ledger.far.end })
    }

    /// Where a batch is to be written; the disk may take its time.
    pub(super) fn file(&self) -> Option<Arc<OwnedFd>> {
        self.far.clone()
    }

    /// The batch is in the file; false if it is of no use any more.
    pub(super) fn is_far(&mut self, batch: &Batch) -> bool {
        if batch.turns != self.turns || batch.at != self.ledger.far.end {
            return false;
        }
        let bytes = batch.bytes.len() as u64;
        if self.ledger.far.count == 0 {
            self.far_since = Head::of(&batch.bytes).map(|head| head.at);
        }
        let Ledger { near, far, .. } = &mut self.ledger;
        near.next += bytes;
        near.count -= batch.count;
        far.end += bytes;
        far.count += batch.count;
        self.turns += 1;
        self.commit();
        self.give_back();
        true
    }

    /// Whether there is something to be done to the file.
    pub(super) fn has_chores(&self) -> bool {
        !self.chores.is_empty()
    }

    /// What is to be looked up in the file, or done to it: to be run where a disk may be waited for, and told of in [`Queue::is_back`].
    pub(super) fn errand(&mut self) -> Option<Errand> {
        let look = self.missing.take().map(|at| {
            let left = self.ledger.far.end.saturating_sub(at);
            (at, usize::try_from(left).unwrap_or(usize::MAX).min(AHEAD))
        });
        let chores = std::mem::take(&mut self.chores);
        let file = self.far.clone().filter(|_| look.is_some() || !chores.is_empty())?;
        Some(Errand { file, look, chores })
    }

    /// What has been found there.
    pub(super) fn is_back(&mut self, (at, bytes): (u64, Vec<u8>)) {
        self.ahead = Ahead { side: Some(Side::Far), at, bytes };
    }

    // --- within ---

    /// On which side the oldest is that is not out.
    fn side(&self) -> Option<Side> {
        match (self.ledger.far.count, self.ledger.near.count) {
            (0, 0) => None,
            (0, _) => Some(Side::Near),
            (_, _) => Some(Side::Far),
        }
    }

    fn span(&self, side: Side) -> Span {
        match side {
            Side::Near => self.ledger.near,
            Side::Far => self.ledger.far,
        }
    }

    fn place_of(&self, child: ChildId) -> Option<usize> {
        self.ledger.out.iter().position(|out| out.child == Some(child) && !out.is_answered)
    }

    /// The record that is next on this side is not, any more.
    fn pass(&mut self, side: Side, length: u64) {
        let span = match side {
            Side::Near => &mut self.ledger.near,
            Side::Far => &mut self.ledger.far,
        };
        span.next += length;
        span.count -= 1;
        self.turns += u64::from(side == Side::Near);
    }

    fn fd(&self, side: Side) -> io::Result<&Arc<OwnedFd>> {
        match side {
            Side::Near => Ok(&self.near),
            Side::Far => self.far.as_ref().ok_or_else(|| damaged("a file of events is gone")),
        }
    }

    fn head(&mut self, side: Side, at: u64) -> io::Result<Head> {
        let end = self.span(side).end;
        if self.ahead.head(side, at).is_none() {
            if side == Side::Far {
                if self.ahead.is_of(side, at) {
                    return Err(damaged("an event cannot be read"));
                }
                self.missing = Some(at);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let length = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(AHEAD);
            let mut bytes = std::mem::take(&mut self.ahead.bytes);
            bytes.resize(length, 0);
            read_all(self.fd(side)?, &mut bytes, at)?;
            self.ahead = Ahead { side: Some(side), at, bytes };
        }
        let head = self.ahead.head(side, at).filter(|head| head.length() as u64 <= end.saturating_sub(at));
        head.ok_or_else(|| damaged("an event cannot be read"))
    }

    fn commit(&self) {
        self.ledger.write(&self.memory);
    }

    /// What nobody will read again goes back to the kernel, and an empty side begins anew.
    fn give_back(&mut self) {
        for side in [Side::Near, Side::Far] {
            let Span { next, end, count } = self.span(side);
            let is_out = self.ledger.out.iter().any(|out| out.side == side);
            if count == 0 && !is_out {
                self.begin_anew(side, end);
            } else if next >= self.freed[side as usize] + HOLE {
                self.punch(side, self.freed[side as usize], next);
                self.freed[side as usize] = next - next % PAGE;
            }
        }
    }

    fn begin_anew(&mut self, side: Side, end: u64) {
        let (span, little) = match side {
            Side::Near => (&mut self.ledger.near, 2 * PAGE),
            Side::Far => (&mut self.ledger.far, HOLE),
        };
        if end < little {
            return;
        }
        *span = Span::default();
        self.freed[side as usize] = 0;
        self.turns += u64::from(side == Side::Near);
        self.ahead = Ahead::default();
        self.commit();
        match side {
            // If the kernel will not, it is written over.
            Side::Near => drop(ftruncate(&self.near, 0)),
            Side::Far => self.chores.push(Chore::Empty),
        }
    }

    /// What was out, and had been left where everything around it was given back.
    fn is_over(&mut self, Out { side, at, length, .. }: Out) {
        let end = (at + u64::from(length)).next_multiple_of(PAGE).min(self.freed[side as usize]);
        self.punch(side, at - at % PAGE, end);
    }

    /// The whole pages between the two, but for those of what is out.
    fn punch(&mut self, side: Side, mut from: u64, end: u64) {
        let out = self.ledger.out.iter().filter(|out| out.side == side);
        let mut out: Vec<(u64, u64)> = out.map(|out| (out.at, out.at + u64::from(out.length))).collect();
        out.sort_unstable();
        for (at, behind) in out {
            self.hole(side, from, at.min(end));
            from = from.max(behind);
        }
        self.hole(side, from, end);
    }

    /// The whole pages between the two.
    fn hole(&mut self, side: Side, from: u64, end: u64) {
        let (from, end) = (from.next_multiple_of(PAGE), end - end % PAGE);
        if from < end {
            match side {
                Side::Near => hole(&self.near, from, end),
                Side::Far => self.chores.push(Chore::Hole { from, end }),
            }
        }
    }
}

impl Errand {
    /// May wait for a disk for as long as that likes. Returns what was looked up.
    pub(super) fn run(self) -> io::Result<Option<(u64, Vec<u8>)>> {
        for chore in self.chores {
            match chore {
                Chore::Hole { from, end } => hole(&self.file, from, end),
                // If the kernel will not, it is written over.
                Chore::Empty => drop(ftruncate(&self.file, 0)),
            }
        }
        let Some((at, length)) = self.look else { return Ok(None) };
        let mut bytes = vec![0; length];
        read_all(&self.file, &mut bytes, at)?;
        Ok(Some((at, bytes)))
    }
}

fn hole(file: &OwnedFd, from: u64, end: u64) {
    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // If the kernel will not, it stays until the queue is empty.
    let _ = fallocate(file, how, from, end - from);
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Into the file, which may take its time.
    pub(super) fn write_to(&self, file: &OwnedFd) -> io::Result<()> {
        write_all(file, &self.bytes, self.at)
    }
}

impl Ahead {
    fn head(&self, side: Side, at: u64) -> Option<Head> {
        let from = at.checked_sub(self.at).filter(|_| self.side == Some(side))?;
        Head::of(self.bytes.get(usize::try_from(from).ok()?..)?)
    }

    /// Whether it begins there: then nothing more is to be read of that.
    fn is_of(&self, side: Side, at: u64) -> bool {
        self.side == Some(side) && self.at == at
    }

    /// A record has been written there, near.
    fn append(&mut self, at: u64, record: &[u8]) {
        if self.side.is_none() {
            (self.side, self.at) = (Some(Side::Near), at);
        }
        let is_behind = self.side == Some(Side::Near) && self.at + self.bytes.len() as u64 == at;
        if is_behind && self.bytes.len() + record.len() <= AHEAD {
            self.bytes.extend_from_slice(record);
        }
    }
}

impl Ledger {
    fn write(&self, memory: &Shared) {
        let Ledger { near, far, next_serial, tally, last_serial, out } = self;
        let fixed = [
            near.next,
            near.end,
            near.count,
            far.next,
            far.end,
            far.count,
            *next_serial,
            *last_serial,
            tally.delivered,
            tally.rejected,
            tally.dropped,
            0,
            out.len() as u64,
        ];
        let out = out.iter().flat_map(|out| {
            let side = u64::from(out.side == Side::Far) << 63;
            let child = out.child.map_or(0, |child| u64::from(child.0));
            let is_answered = u64::from(out.is_answered) << 62;
            [child | u64::from(out.length) << 32, out.at | side | is_answered]
        });
        LEDGER.set(memory.words(), fixed.into_iter().chain(out));
    }

    fn read(memory: &Shared) -> Ledger {
        let mut words = LEDGER.get(memory.words());
        let [a, b, c, d, e, f, next_serial, last_serial, delivered, rejected, dropped, _, count] =
            std::array::from_fn(|_| words.next().unwrap_or(0));
        let mut out = Vec::new();
        for _ in 0..(count as usize).min(2 * MOST_OUT) {
            let (first, at) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
            let (child, length) = (first as u32, (first >> 32) as u32);
            let side = if at >> 63 == 1 { Side::Far } else { Side::Near };
            let child = (child != 0).then_some(ChildId(child));
            let is_answered = at >> 62 & 1 == 1;
            out.push(Out { child, side, at: at & (u64::MAX >> 2), length, is_answered });
        }
        Ledger {
            near: Span { next: a, end: b, count: c },
            far: Span { next: d, end: e, count: f },
            next_serial,
            last_serial,
            tally: Tally { delivered, rejected, dropped },
            out,
        }
    }
}

/// The number after this one, as Supervisor counts.
pub(super) fn following(serial: u64) -> u64 {
    if serial >= i64::MAX as u64 { 0 } else { serial + 1 }
}

/// Where the file system knows no files without a name: one whose name is taken away at once.
fn nameless(directory: &Path) -> io::Result<OwnedFd> {
    let mut random = [0; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    let path = directory.join(format!(".events-{:016x}", u64::from_ne_bytes(random)));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
    let file = open(&path, flags, Mode::RUSR | Mode::WUSR)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn write_all(to: impl AsFd, bytes: &[u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match pwrite(&to, &bytes[done..], at + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn read_all(from: impl AsFd, bytes: &mut [u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match pread(&from, &mut bytes[done..], at + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => done += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// For tests, which wait for the disk.
#[cfg(test)]
impl Queue {
    pub(super) fn run_errand(&mut self) -> bool {
        let found = self.errand().and_then(|errand| errand.run().unwrap());
        let is_news = found.is_some();
        found.into_iter().for_each(|found| self.is_back(found));
        is_news
    }

    pub(super) fn at_once<T>(&mut self, act: impl Fn(&mut Queue) -> io::Result<T>) -> io::Result<T> {
        loop {
            let result = act(self);
            let is_on_disk = result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
            if !self.run_errand() || !is_on_disk {
                return result;
            }
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
