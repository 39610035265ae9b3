//! An outlet: where one output of a process goes. Some sinks, what they have not taken yet, and what is to be done when they take no more.
//!
//! A piece is asked for only when every sink has taken all of the last one, so what waits in memory is never more than a
//! piece for each. While something waits the program's pipe is left alone, fills, and the program waits too: policy *block*. Or
//! the pipe is read on and its bytes are counted instead of kept: policy *drop*, which leaves a line in the log where they
//! are missing. A reader who has gone is waited for by neither.

use std::io;
use std::mem::take;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use provost_config::{LogLevel, Overflow};
use provost_core::{LogDeed, Mono};
use rustix::io::Errno;

use super::carry::{Carrier, pass_on};
use super::journal::{Flow, Leftover, Stalled};
use super::line::line;
use super::reports::Reports;
use super::sink::{self, Sink, Target, Trouble};
use super::treatment::{Bench, Course, Parting, Treated, Treatment};
use crate::clock;

/// How soon a sink is tried again that cannot say when it has room.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How soon a file is looked for that could not be opened.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// One output of a process, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutletPlan {
    pub(crate) sinks: Vec<Target>,
    pub(crate) overflow: Overflow,
    /// What is done on the way there.
    pub(crate) course: Option<Arc<Course>>,
}

/// Some sinks and what they have not taken.
#[derive(Debug)]
pub(crate) struct Outlet {
    slots: Vec<Slot>,
    overflow: Overflow,
    kind: Kind,
}

/// Whose words go through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Program,
    /// The daemon's own log: it cannot be told in it what is wrong with it.
    Main,
}

#[derive(Debug)]
struct Slot {
    to: Target,
    state: State,
    /// Taken out of the pipe, and not by the sink: in the journal, and behind that in memory.
    aside: Option<Box<Stalled>>,
    waiting: Vec<u8>,
    /// The kernel had no room when it was asked to move something there.
    is_full: bool,
    lost: Lost,
    /// Said once, until it is over.
    troubled: bool,
}

#[derive(Debug)]
enum State {
    Open(Sink),
    /// It could not be opened, and is tried again.
    Missing {
        next_try: Mono,
    },
}

/// What was dropped since the last that was written.
#[derive(Debug, Default)]
struct Lost {
    bytes: u64,
    lines: u64,
    why: String,
}

/// What is to become of a sink that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnRefusal {
    /// The program is not started.
    Fail,
    /// It runs already: try again.
    TryAgain,
}

impl Outlet {
    /// Opens all of it, or nothing.
    pub(super) fn open(plan: OutletPlan, on_refusal: OnRefusal, reports: &Reports) -> io::Result<Outlet> {
        let mut slots = Vec::with_capacity(plan.sinks.len());
        for to in plan.sinks {
            let state = match Sink::of(&to) {
                Ok(sink) => State::Open(sink),
                Err(e) if on_refusal == OnRefusal::Fail => return Err(e),
                Err(e) => {
                    let (name, fate) = (to.name(), fate(plan.overflow));
                    reports.say(LogLevel::Critical, format!("cannot open {name}: {e}; {fate}"));
                    State::missing()
                }
            };
            slots.push(Slot::new(to, state));
        }
        Ok(Outlet { slots, overflow: plan.overflow, kind: Kind::Program })
    }

    /// The main log's. A file that could not be opened keeps nobody from anything.
    pub(crate) fn of_main_log(sinks: Vec<(Target, Option<Sink>)>) -> Outlet {
        let slots =
            sinks.into_iter().map(|(to, sink)| Slot::new(to, sink.map_or_else(State::missing, State::Open)));
        Outlet { slots: slots.collect(), overflow: Overflow::Drop, kind: Kind::Main }
    }

    /// Takes one piece out of the pipe to where it goes.
    pub(super) fn carry(
        &mut self,
        pipe: &OwnedFd,
        mut treatment: Option<&mut Treatment>,
        carrier: &mut Carrier,
        reports: &Reports,
    ) -> Flow {
        self.push(carrier, reports);
        if !self.takes_more() {
            return Flow::NoRoom;
        }
        let is_untouched = treatment.as_ref().is_none_or(|treatment| !treatment.changes_bytes());
        if is_untouched && self.slots.first().is_some_and(Slot::is_free) {
            let is_alone = self.slots.len() == 1 && treatment.is_none();
            let flow = if is_alone { self.slots[0].pass_on(pipe) } else { None };
            match flow {
                // It is to be read and dropped.
                Some(Flow::NoRoom) if self.overflow == Overflow::Drop => {}
                Some(flow) => return flow,
                None => {
                    let treatment = treatment.as_deref_mut();
                    if let Some(flow) = self.carry_by_journal(pipe, treatment, carrier, reports) {
                        return flow;
                    }
                }
            }
        }
        self.carry_by_hand(pipe, treatment, carrier, reports)
    }

    /// By way of the journal to the first sink, and then, if need be, to the others; nothing if the journal cannot.
    fn carry_by_journal(
        &mut self,
        pipe: &OwnedFd,
        treatment: Option<&mut Treatment>,
        carrier: &mut Carrier,
        reports: &Reports,
    ) -> Option<Flow> {
        let how = self.how();
        let (first, others) = self.slots.split_first_mut()?;
        let State::Open(sink) = &mut first.state else { return None };
        let (path, file) = sink.by_name()?;
        if file.is_shared {
            // The journal does not ask whether there is room, and would wait for it.
            return None;
        }
        let most = carrier.most();
        carrier.journal()?.listens(treatment.as_ref().and_then(|treatment| treatment.voice()));
        let flow = match carrier.journal()?.take(pipe, path, file, most) {
            Ok(flow) => flow,
            Err(e) => {
                if carrier.refuse() {
                    reports.say(LogLevel::Critical, no_journal(&e));
                }
                return None;
            }
        };
        let Flow::Some(_) = flow else { return Some(flow) };
        let (journal, bench) = carrier.parts()?;
        let is_seen = treatment.is_some() || !others.is_empty();
        let chunk = if is_seen { journal.chunk().unwrap_or_default() } else { Vec::new() };
        // Whoever listens hears it before it is in the log: what is not there the next brain sees.
        let treated = treat(treatment, &chunk, bench, reports);
        journal.listens(None);
        let put = journal.put(file);
        if is_seen {
            for slot in others {
                slot.give(slot.share(treated), how, reports);
            }
        }
        match put {
            Ok(size) => {
                let result = sink.grown(size);
                first.settle(&[], result, how, reports);
            }
            Err(e) => first.keep(e, how, carrier, reports),
        }
        Some(flow)
    }

    fn carry_by_hand(
        &mut self,
        pipe: &OwnedFd,
        treatment: Option<&mut Treatment>,
        carrier: &mut Carrier,
        reports: &Reports,
    ) -> Flow {
        let voice = treatment.as_ref().map(|treatment| treatment.whose());
        let (flow, chunk, bench) = carrier.fetch(pipe, voice);
        if let Flow::Some(_) = flow {
            let treated = treat(treatment, chunk, bench, reports);
            self.give(treated, reports);
            carrier.is_heard();
        }
        flow
    }

    /// What an earlier brain had taken out of the pipe, and had yet to pass on.
    pub(super) fn take_up(
        &mut self,
        leftover: &Leftover,
        treatment: &mut Treatment,
        carrier: &mut Carrier,
        reports: &Reports,
    ) {
        let treated = treat(Some(treatment), &leftover.bytes, carrier.bench(), reports);
        let how = self.how();
        for slot in self.slots.iter_mut().skip(usize::from(leftover.is_in_log)) {
            slot.give(slot.share(treated), how, reports);
        }
    }

    /// Nothing more comes out of the pipe: what a treatment has held back comes now.
    pub(super) fn finish(
        &mut self,
        treatment: &mut Treatment,
        parting: Parting,
        carrier: &mut Carrier,
        reports: &Reports,
    ) {
        let treated = treatment.end(parting, carrier.bench(), reports);
        self.give(treated, reports);
    }

    /// Words that nobody but us has said.
    pub(super) fn add(&mut self, words: &str, reports: &Reports) {
        self.give(Treated { bytes: words.as_bytes(), lines: words.as_bytes() }, reports);
    }

    /// To every sink; what one does not take waits for it, or is dropped.
    fn give(&mut self, treated: Treated<'_>, reports: &Reports) {
        let how = self.how();
        for slot in &mut self.slots {
            slot.give(slot.share(treated), how, reports);
        }
    }

    /// Tries what waits.
    pub(super) fn push(&mut self, carrier: &mut Carrier, reports: &Reports) {
        let how = self.how();
        for slot in &mut self.slots {
            slot.push(how, carrier, reports);
        }
    }

    /// What an earlier brain could not write to one of these files goes there first. Given back if it is none of them.
    pub(super) fn adopt(&mut self, stalled: Stalled) -> Option<Stalled> {
        let mut slots = self.slots.iter_mut();
        match slots.find(|slot| slot.is_named(stalled.path()) && slot.aside.is_none()) {
            Some(slot) => {
                slot.aside = Some(Box::new(stalled));
                None
            }
            None => Some(stalled),
        }
    }

    /// Whether every sink has taken all there was, and can be asked to take more.
    pub(super) fn has_room(&self) -> bool {
        let is_stuck = |slot: &Slot| {
            let is_missing = matches!(slot.state, State::Missing { .. }) && self.overflow == Overflow::Block;
            is_missing || slot.has_something()
        };
        !self.slots.iter().any(is_stuck)
    }

    /// Whether something is missing that its log does not tell of yet, and may tell of later though nothing more comes.
    pub(super) fn owes_a_mark(&self) -> bool {
        self.slots.iter().any(|slot| {
            let may_come = match &slot.state {
                State::Missing { .. } | State::Open(Sink::File(_)) => true,
                // Nobody reads there any more.
                State::Open(Sink::Stream(_)) => !slot.troubled,
                State::Open(Sink::Wire(wire)) => wire.calls_again(),
            };
            slot.lost.bytes > 0 && may_come
        })
    }

    /// Whose words they are from here on.
    pub(super) fn is_of(&mut self, pid: i32) {
        for slot in &mut self.slots {
            if let State::Open(sink) = &mut slot.state {
                sink.is_of(pid);
            }
        }
    }

    /// Whether a piece may be offered: it is taken, or dropped.
    pub(super) fn takes_more(&self) -> bool {
        self.overflow == Overflow::Drop || self.has_room()
    }

    /// So many bytes will not be offered any more.
    pub(super) fn lose(&mut self, bytes: usize, why: &str, reports: &Reports) {
        for slot in self
            .slots
            .iter_mut()
            .filter(|slot| slot.has_something() || matches!(slot.state, State::Missing { .. }))
        {
            let is_first = slot.lost.bytes == 0;
            slot.lost.add_bytes(bytes, why);
            if is_first {
                let text = format!("{} takes nothing, and output is being lost: {why}", slot.to.name());
                reports.say(LogLevel::Critical, text);
            }
        }
    }

    /// Whether there is a trouble that has been told.
    pub(super) fn is_troubled(&self) -> bool {
        self.slots.iter().any(|slot| slot.troubled)
    }

    /// The last outlet of this output had a trouble: it is not told again as long as it lasts.
    pub(super) fn go_on_troubled(&mut self) {
        // Of several it is not known which.
        if let [slot] = &mut self.slots[..] {
            slot.troubled = true;
        }
    }

    /// Everything that may be waited for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.slots.iter().filter_map(|slot| match &slot.state {
            State::Open(sink) => sink.waits_for(),
            State::Missing { .. } => None,
        })
    }

    /// When to try again where a sink knows the time.
    pub(super) fn try_again(&self) -> Option<Mono> {
        let open = self.slots.iter().filter_map(|slot| match &slot.state {
            State::Open(sink) if slot.has_something() || slot.calls_again() => sink.try_again(),
            _ => None,
        });
        open.min()
    }

    /// What becomes writable when there is room again.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let stuck = self.slots.iter().filter(|slot| slot.has_something() || slot.calls_again());
        stuck.filter_map(|slot| match &slot.state {
            State::Open(sink) => sink.waits_for(),
            State::Missing { .. } => None,
        })
    }

    /// Whether this is where it goes already.
    pub(super) fn goes_to(&self, plan: &OutletPlan) -> bool {
        let places = self.slots.iter().zip(&plan.sinks);
        self.slots.len() == plan.sinks.len() && places.into_iter().all(|(slot, to)| slot.to.is_same_place(to))
    }

    /// From here on with other customs, to the same places.
    pub(super) fn renew(&mut self, plan: OutletPlan, reports: &Reports) {
        self.overflow = plan.overflow;
        let how = self.how();
        for (slot, to) in self.slots.iter_mut().zip(plan.sinks) {
            slot.renew(to, how, reports);
        }
    }

    /// Says that nothing has been taken for a while; what has an error has told of it.
    pub(super) fn tell_of_long(&self, time: Duration, reports: &Reports) {
        for slot in self.slots.iter().filter(|slot| !slot.troubled) {
            if slot.has_something() {
                let (path, secs) = (slot.to.name(), time.as_secs());
                let text = format!("{path} has taken nothing for {secs} seconds; {}", fate(self.overflow));
                reports.say(LogLevel::Warn, text);
            }
        }
    }

    /// And that it is over.
    pub(super) fn tell_of_room(&self, reports: &Reports) {
        for slot in &self.slots {
            reports.say(LogLevel::Info, format!("{} takes output again", slot.to.name()));
        }
    }

    /// Tells what could not be written, with what is still in the pipes: at the end, or what another brain will not find.
    pub(super) fn rest(&self, unread: u64, for_good: bool) -> impl Iterator<Item = String> {
        self.slots.iter().filter_map(move |slot| {
            // Another brain finds what is in the journal.
            let aside = slot.aside.as_ref().filter(|_| for_good).map_or(0, |stalled| stalled.left());
            let bytes = unread + slot.lost.bytes + (slot.waiting.len() + aside) as u64;
            let is_missing = matches!(slot.state, State::Missing { .. });
            let is_stuck = slot.has_something() || is_missing || slot.lost.bytes > 0;
            let name = slot.to.name();
            (is_stuck && bytes > 0)
                .then(|| format!("{name} took nothing until the end: {bytes} bytes of output are lost"))
        })
    }

    /// Whether something is in memory that would be gone with us.
    pub(super) fn holds(&self) -> bool {
        let holds = |slot: &Slot| matches!(&slot.state, State::Open(sink) if sink.holds());
        self.slots.iter().any(|slot| !slot.waiting.is_empty() || holds(slot))
    }

    /// On somebody's wish, to every file, though one of them may fail. What waits for room in them is no part of them yet.
    pub(super) fn do_to(&mut self, deed: LogDeed) -> Result<(), String> {
        let how = self.how();
        let done: Vec<_> = self.slots.iter_mut().map(|slot| slot.do_to(deed, how)).collect();
        done.into_iter().collect()
    }

    /// Opens every file anew by its name.
    pub(super) fn reopen(&mut self, reports: &Reports) {
        let how = self.how();
        for slot in &mut self.slots {
            slot.reopen(how, reports);
        }
    }

    fn how(&self) -> How {
        How { overflow: self.overflow, kind: self.kind }
    }
}

/// What all slots of an outlet have in common.
#[derive(Debug, Clone, Copy)]
struct How {
    overflow: Overflow,
    kind: Kind,
}

impl Slot {
    fn new(to: Target, state: State) -> Slot {
        Slot {
            to,
            state,
            aside: None,
            waiting: Vec::new(),
            is_full: false,
            lost: Lost::default(),
            troubled: false,
        }
    }

    /// What of it is for this one.
    fn share<'a>(&self, treated: Treated<'a>) -> &'a [u8] {
        if self.to.is_wire() { treated.lines } else { treated.bytes }
    }

    fn is_named(&self, path: &Path) -> bool {
        matches!(&self.to, Target::Named(to) if *to.path == *path)
    }

    /// Open, with nothing that has to go before the next piece.
    fn is_free(&self) -> bool {
        matches!(self.state, State::Open(_)) && !self.has_something() && self.lost.bytes == 0
    }

    /// There is something that it has not taken yet.
    fn has_something(&self) -> bool {
        let holds = matches!(&self.state, State::Open(sink) if sink.holds());
        self.is_full || holds || self.aside.is_some() || !self.waiting.is_empty()
    }

    /// It is away, has missed something, and is called until it answers.
    fn calls_again(&self) -> bool {
        self.lost.bytes > 0 && matches!(&self.state, State::Open(Sink::Wire(wire)) if wire.calls_again())
    }

    /// From pipe to pipe, if this is one.
    fn pass_on(&mut self, pipe: &OwnedFd) -> Option<Flow> {
        match &self.state {
            State::Open(Sink::Stream(stream)) if stream.is_pipe() => {
                let flow = pass_on(pipe, &stream.file().file);
                self.is_full = flow == Some(Flow::NoRoom);
                flow
            }
            _ => None,
        }
    }

    fn give(&mut self, bytes: &[u8], how: How, reports: &Reports) {
        if bytes.is_empty() {
            return;
        }
        let is_free = self.is_free();
        match &mut self.state {
            State::Open(sink) if is_free => {
                let (taken, result) = sink.write(bytes);
                self.settle(&bytes[taken..], result, how, reports);
            }
            // It could not even take the line that says what is missing, just now.
            State::Open(_) if self.lost.bytes > 0 => self.lost.add_more(bytes),
            _ if how.overflow == Overflow::Block => self.waiting.extend(bytes),
            _ if self.lost.bytes > 0 => self.lost.add_more(bytes),
            _ => self.lost.add(bytes, "it had no room"),
        }
    }

    /// What is to become of what is in the journal, and was not taken.
    fn keep(&mut self, e: io::Error, how: How, carrier: &mut Carrier, reports: &Reports) {
        let is_full = e.kind() == io::ErrorKind::WouldBlock;
        let is_short = !is_full && e.raw_os_error() != Some(Errno::FBIG.raw_os_error());
        let result = if is_full { Ok(()) } else { Err(Trouble::Write(e)) };
        let may_wait = result.as_ref().err().is_none_or(|trouble| self.may_wait(how, trouble));
        if may_wait && is_short {
            carrier.is_short();
        }
        let Some(journal) = carrier.journal() else { return };
        let mut rest = Vec::new();
        if may_wait {
            self.aside = journal.set_aside().map(Box::new);
        }
        if self.aside.is_none() {
            rest = journal.chunk().unwrap_or_default();
            journal.give_up();
        }
        self.settle(&rest, result, how, reports);
    }

    /// What was set aside is tried again; whether it is gone.
    fn put_aside(&mut self, how: How, carrier: &mut Carrier, reports: &Reports) -> bool {
        let (State::Open(sink), Some(journal)) = (&mut self.state, carrier.journal()) else { return false };
        let (Some((_, file)), Some(mut stalled)) = (sink.by_name(), self.aside.take()) else { return true };
        let result = match journal.put_aside(&mut stalled, file) {
            Ok(size) => sink.grown(size),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(Trouble::Write(e)),
        };
        if stalled.left() == 0 {
            // Whatever there is to say of a rotation.
            self.settle(&[], result, how, reports);
            return true;
        }
        match &result {
            Err(trouble @ Trouble::Write(e)) if !self.may_wait(how, trouble) => {
                let bytes = carrier.journal().map_or(0, |journal| journal.discard(*stalled));
                self.lost.add_bytes(bytes, &e.to_string());
            }
            _ => self.aside = Some(stalled),
        }
        self.tell(result, how, reports);
        self.aside.is_none()
    }

    /// Whether what a sink refuses is worth keeping.
    fn may_wait(&self, how: How, trouble: &Trouble) -> bool {
        let may_recover = matches!(trouble, Trouble::Outage(_))
            || matches!(&self.state, State::Open(sink) if sink.may_recover());
        how.overflow == Overflow::Block && may_recover
    }

    /// What is to become of what a sink has not taken.
    fn settle(&mut self, rest: &[u8], result: Result<(), Trouble>, how: How, reports: &Reports) {
        match &result {
            Err(trouble @ (Trouble::Write(e) | Trouble::Outage(e))) if !self.may_wait(how, trouble) => {
                self.lost.add(rest, &e.to_string());
            }
            Ok(()) | Err(_) => self.waiting.extend(rest),
        }
        match result {
            Ok(()) if self.has_something() => {}
            Ok(()) => self.is_well(how, reports),
            trouble @ Err(_) => self.tell(trouble, how, reports),
        }
    }

    /// Tells of a trouble, once until it is over.
    fn tell(&mut self, result: Result<(), Trouble>, how: How, reports: &Reports) {
        let Err(trouble) = result else { return };
        if let Trouble::Rotate(_) = trouble {
            // All is written; of this the sink tells us once.
            return reports.say(LogLevel::Critical, trouble.with(&self.to.name(), ""));
        }
        if !self.troubled && how.kind == Kind::Program {
            let overflow = if self.may_wait(how, &trouble) { Overflow::Block } else { Overflow::Drop };
            reports.say(LogLevel::Critical, trouble.with(&self.to.name(), fate(overflow)));
        }
        self.troubled = true;
    }

    fn push(&mut self, how: How, carrier: &mut Carrier, reports: &Reports) {
        self.is_full = false;
        if let State::Missing { next_try } = self.state
            && clock::now().mono >= next_try
        {
            // Said when it was missed first, and whenever somebody asks to reopen the logs.
            let _ = self.find(how, reports);
        }
        if self.aside.is_some() && !self.put_aside(how, carrier, reports) {
            return;
        }
        let State::Open(sink) = &mut self.state else { return };
        if let Err(trouble) = sink.push() {
            return self.tell(Err(trouble), how, reports);
        }
        if sink.holds() {
            return;
        }
        if !self.waiting.is_empty() {
            let waiting = take(&mut self.waiting);
            let (taken, result) = sink.write(&waiting);
            self.settle(&waiting[taken..], result, how, reports);
        }
        self.put_mark(how, reports);
    }

    /// Says in the log itself what is missing in it, once there is room.
    fn put_mark(&mut self, how: How, reports: &Reports) {
        if self.lost.bytes == 0 || self.has_something() {
            return;
        }
        let State::Open(sink) = &mut self.state else { return };
        let mark = self.lost.mark(how.kind, self.to.is_wire());
        let (taken, result) = sink.write(mark.as_bytes());
        let rest = &mark.as_bytes()[taken..];
        let has_failed = !rest.is_empty() && matches!(result, Err(Trouble::Write(_) | Trouble::Outage(_)));
        // Half a mark is none, and more may be lost before there is room for one: all that is missing stands in the next.
        if has_failed || (taken == 0 && how.overflow == Overflow::Drop) {
            return;
        }
        let lost = take(&mut self.lost);
        if how.kind == Kind::Program {
            let path = self.to.name();
            let text = format!("{path} can be written again; {} bytes of output were lost", lost.bytes);
            reports.say(LogLevel::Warn, text);
        }
        self.troubled = false;
        self.settle(rest, result, how, reports);
    }

    /// All of it has been taken.
    fn is_well(&mut self, how: How, reports: &Reports) {
        if take(&mut self.troubled) && how.kind == Kind::Program && self.lost.bytes == 0 {
            let text = format!("{} can be written again", self.to.name());
            reports.say(LogLevel::Info, text);
        }
    }

    /// Tries again to open a file that is missing.
    fn find(&mut self, how: How, reports: &Reports) -> io::Result<()> {
        let State::Missing { next_try } = &mut self.state else { return Ok(()) };
        *next_try = clock::now().mono + LOOK_AGAIN;
        self.state = State::Open(Sink::of(&self.to)?);
        if how.kind == Kind::Main {
            let lost = take(&mut self.lost);
            let text = format!("this log could not be opened until now; {} lines were lost", lost.lines);
            self.give(main_line(&text).as_bytes(), how, reports);
        } else {
            reports.say(LogLevel::Info, format!("{} could be opened now", self.to.name()));
        }
        Ok(())
    }

    fn renew(&mut self, to: Target, how: How, reports: &Reports) {
        let (Target::Named(old), Target::Named(new)) = (&self.to, &to) else { return };
        if old == new {
            return;
        }
        let reopens = old.how != new.how;
        if let State::Open(sink) = &mut self.state {
            sink.renew(new);
        }
        self.to = to;
        if reopens {
            self.reopen(how, reports);
        }
    }

    fn do_to(&mut self, deed: LogDeed, how: How) -> Result<(), String> {
        let done = match &mut self.state {
            State::Open(sink) => sink.do_to(deed),
            // Opened, it is as good as new.
            State::Missing { .. } if deed == LogDeed::Reopen || how.kind == Kind::Main => {
                Sink::of(&self.to).map(|sink| self.state = State::Open(sink))
            }
            State::Missing { .. } => sink::do_to_closed(deed, &self.to),
        };
        done.map_err(|e| cannot(deed, &self.to, &e))
    }

    fn reopen(&mut self, how: How, reports: &Reports) {
        let reopened = match &mut self.state {
            State::Open(sink) => sink.do_to(LogDeed::Reopen),
            State::Missing { .. } => self.find(how, reports),
        };
        if let Err(e) = reopened {
            let text = format!("cannot reopen {}: {e}", self.to.name());
            reports.say(LogLevel::Critical, text);
        }
    }
}

impl State {
    fn missing() -> State {
        State::Missing { next_try: clock::now().mono + LOOK_AGAIN }
    }
}

impl Lost {
    fn add(&mut self, bytes: &[u8], why: &str) {
        self.add_bytes(bytes.len(), why);
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    }

    /// For the same reason.
    fn add_more(&mut self, bytes: &[u8]) {
        let why = take(&mut self.why);
        self.add(bytes, &why);
    }

    fn add_bytes(&mut self, bytes: usize, why: &str) {
        self.bytes += bytes as u64;
        if self.why != why {
            why.clone_into(&mut self.why);
        }
    }

    /// The line that stands in a log where something is missing.
    fn mark(&self, kind: Kind, is_wire: bool) -> String {
        let Lost { bytes, lines, why } = self;
        // Whatever was written last may have been half a line.
        let start = if is_wire { "" } else { "\n" };
        let line = match kind {
            Kind::Program => format!("supervisord: {bytes} bytes of output are missing here: {why}\n"),
            Kind::Main => main_line(&format!("{lines} lines of this log were lost: {why}")),
        };
        format!("{start}{line}")
    }
}

/// Does it to files that are not open.
pub(super) fn do_to_closed(deed: LogDeed, plan: OutletPlan) -> Result<(), String> {
    let done = plan.sinks.iter().map(|to| sink::do_to_closed(deed, to).map_err(|e| cannot(deed, to, &e)));
    done.collect::<Vec<_>>().into_iter().collect()
}

/// What to tell whoever wished for it.
fn cannot(deed: LogDeed, to: &Target, e: &io::Error) -> String {
    let verb = match deed {
        LogDeed::Clear => "empty",
        LogDeed::Rotate => "rotate",
        LogDeed::Reopen => "reopen",
    };
    format!("cannot {verb} {}: {e}", to.name())
}

/// What becomes of a piece; by itself it is what it is.
fn treat<'a>(
    treatment: Option<&mut Treatment>,
    piece: &'a [u8],
    bench: &'a mut Bench,
    reports: &Reports,
) -> Treated<'a> {
    match treatment {
        Some(treatment) => treatment.treat(piece, bench, reports),
        None => Treated { bytes: piece, lines: piece },
    }
}

pub(super) fn main_line(text: &str) -> String {
    line(clock::now().wall, &TimeZone::system(), LogLevel::Critical, text)
}

fn fate(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::Block => "its output waits (log_overflow=block)",
        Overflow::Drop => "output is being lost",
    }
}

/// What to say where nothing keeps output that is on its way.
pub(super) fn no_journal(e: &io::Error) -> String {
    format!("cannot keep a journal of output that is on its way: {e}; if the brain dies it is lost")
}

#[cfg(test)]
#[path = "outlet_tests.rs"]
mod tests;
