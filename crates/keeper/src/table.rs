//! The keeper's memory: one slot per child, from its spawn until the brain says to forget it.
//!
//! A slot holds all that anybody may have to be told about the child, so that telling
//! can be repeated to every new brain and nothing is lost with the old one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::plan::PlanView;
use crate::protocol::{Relaunch, Stage, Stamp, WaitStatus};
use crate::report::Report;
use crate::spawn::KeptPipes;
use crate::sys;

/// A child, alive or ended but not yet forgotten.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) pid: i32,
    pub(crate) started: Stamp,
    pub(crate) pipes: KeptPipes,
    /// What it was made from, as long as another may be made from it.
    pub(crate) plan: Arc<[u8]>,
    /// Standard input, where it is a socket: for another one, too.
    pub(crate) socket: Option<OwnedFd>,
    /// What to do when it ends.
    pub(crate) relaunch: Option<Relaunch>,
    pub(crate) end: Option<End>,
    /// Absent for one that this process has not made.
    pub(crate) report: Option<&'static Report>,
}

impl Slot {
    /// Why the child has not become its program, if it has not.
    pub(crate) fn failure(&self) -> Option<(Stage, i32)> {
        self.report.and_then(Report::failure)
    }

    /// What the brain calls this child.
    pub(crate) fn label(&self) -> Cow<'_, str> {
        // It could be read when the child was made.
        PlanView::read(&self.plan).map_or(Cow::Borrowed(""), |plan| plan.label.to_string_lossy())
    }

    /// The highest number that has been given away with child `id`, which this is.
    pub(crate) fn highest(&self, id: u32) -> u32 {
        let next = [self.relaunch.map(|how| how.next), self.end.and_then(|end| end.next)];
        next.into_iter().flatten().fold(id, u32::max)
    }

    /// How to go on after its end, where that is settled.
    fn succession(&self) -> Option<Relaunch> {
        let (relaunch, end) = (self.relaunch?, self.end?);
        let lived = end.at.mono_ns.saturating_sub(self.started.mono_ns);
        let wanted = end.failure.is_none() && lived >= relaunch.after_ns && relaunch.on.contains(end.status);
        wanted.then_some(relaunch)
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) status: WaitStatus,
    pub(crate) at: Stamp,
    pub(crate) failure: Option<(Stage, i32)>,
    /// The child that was made from the same plan at once.
    pub(crate) next: Option<u32>,
}

/// All children by the brain's number, and the living ones by pid.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: BTreeMap<u32, Slot>,
    by_pid: BTreeMap<i32, u32>,
    /// Whose place a child has taken, until that one is forgotten.
    predecessors: BTreeMap<u32, u32>,
    free_reports: Vec<&'static Report>,
    /// Output of forgotten children that somebody else still holds open.
    lingering: BTreeMap<u32, Lingering>,
}

/// What is left of a child whose output goes on.
#[derive(Debug)]
pub(crate) struct Lingering {
    pub(crate) label: Box<str>,
    pub(crate) pipes: KeptPipes,
}

/// Reports are mapped this many at a time: one page.
const REPORTS: usize = 512;

impl Table {
    /// A report for the next child, clear.
    pub(crate) fn report(&mut self) -> io::Result<&'static Report> {
        if self.free_reports.is_empty() {
            self.free_reports.extend(sys::shared_reports(REPORTS)?);
        }
        let report = self.free_reports.pop().expect("a page of reports was just added");
        report.clear();
        Ok(report)
    }

    /// Gives a report back that no child was made for.
    pub(crate) fn return_report(&mut self, report: &'static Report) {
        self.free_reports.push(report);
    }

    pub(crate) fn insert(
        &mut self,
        id: u32,
        (pid, pipes): (i32, KeptPipes),
        (plan, socket): (Arc<[u8]>, Option<OwnedFd>),
        report: &'static Report,
    ) {
        let (started, relaunch, end) = (sys::now(), None, None);
        let report = Some(report);
        let slot = Slot { pid, started, pipes, plan, socket, relaunch, end, report };
        self.replace(id, slot);
        self.by_pid.insert(pid, id);
    }

    /// A process that is not our child: it is never reaped by us, and so not known by its pid.
    pub(crate) fn adopt(&mut self, id: u32, pid: i32, started: Stamp, pipes: KeptPipes, plan: Arc<[u8]>) {
        let (socket, relaunch, end, report) = (None, None, None, None);
        self.replace(id, Slot { pid, started, pipes, plan, socket, relaunch, end, report });
    }

    /// The process with this number is not ours to reap, though it has a slot.
    pub(crate) fn is_no_child(&mut self, id: u32) {
        self.by_pid.retain(|_, of| *of != id);
    }

    fn replace(&mut self, id: u32, slot: Slot) {
        if let Some(old) = self.slots.insert(id, slot) {
            // A brain that reuses a number has lost count; the older child is then an orphan that is still reaped.
            self.by_pid.remove(&old.pid);
            self.predecessors.retain(|_, before| *before != id);
            self.free_reports.extend(old.report);
        }
    }

    /// Goes on with a child of the keeper that we were before, and why that has not become its program, if it has not.
    pub(crate) fn resume(&mut self, id: u32, slot: Slot, failure: Option<(Stage, i32)>) -> io::Result<()> {
        let report = self.report()?;
        if let Some((stage, errno)) = failure {
            report.failed(stage, errno);
        }
        if slot.end.is_none() {
            self.by_pid.insert(slot.pid, id);
        }
        if let Some(next) = slot.end.and_then(|end| end.next) {
            self.predecessors.insert(next, id);
        }
        self.slots.insert(id, Slot { report: Some(report), ..slot });
        Ok(())
    }

    pub(crate) fn resume_lingering(&mut self, id: u32, lingering: Lingering) {
        self.lingering.insert(id, lingering);
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Slot> {
        self.slots.get(&id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.slots.keys().copied()
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &Slot)> + Clone {
        self.slots.iter().map(|(id, slot)| (*id, slot))
    }

    pub(crate) fn lingering_slots(&self) -> impl Iterator<Item = (u32, &Lingering)> {
        self.lingering.iter().map(|(id, lingering)| (*id, lingering))
    }

    /// The child that this one has taken the place of, as long as that is not forgotten.
    pub(crate) fn predecessor(&self, id: u32) -> Option<u32> {
        self.predecessors.get(&id).copied()
    }

    /// What to do when this child ends; nothing where it has ended already.
    pub(crate) fn settle_succession(&mut self, id: u32, relaunch: Option<Relaunch>) {
        if let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.end.is_none()) {
            slot.relaunch = relaunch;
        }
    }

    /// Records the end of the child with this pid and returns its number; `None` for a stranger.
    pub(crate) fn ended(&mut self, pid: i32, status: WaitStatus, at: Stamp) -> Option<u32> {
        let id = self.by_pid.remove(&pid)?;
        self.ended_as(id, status, at).then_some(id)
    }

    /// The same by number; false where there is no such child.
    pub(crate) fn ended_as(&mut self, id: u32, status: WaitStatus, at: Stamp) -> bool {
        let Some(slot) = self.slots.get_mut(&id) else { return false };
        slot.end = Some(End { status, at, failure: slot.report.and_then(Report::failure), next: None });
        true
    }

    /// Takes the plan of an ended child whose place is to be taken at once.
    pub(crate) fn take_succession(&mut self, id: u32) -> Option<(Relaunch, Arc<[u8]>, Option<OwnedFd>)> {
        let slot = self.slots.get_mut(&id)?;
        let relaunch = slot.succession()?;
        slot.relaunch = None;
        Some((relaunch, Arc::clone(&slot.plan), slot.socket.take()))
    }

    /// The place of an ended child has been taken.
    pub(crate) fn succeeded(&mut self, id: u32, next: u32) {
        if let Some(end) = self.slots.get_mut(&id).and_then(|slot| slot.end.as_mut()) {
            end.next = Some(next);
            self.predecessors.insert(next, id);
        }
    }

    /// Drops an ended child; a living one is kept, whatever the brain believes. Its output may go on.
    pub(crate) fn forget(&mut self, id: u32, lingers: bool) {
        if self.slots.get(&id).is_some_and(|slot| slot.end.is_some())
            && let Some(slot) = self.slots.remove(&id)
        {
            self.free_reports.extend(slot.report);
            if let Some(next) = slot.end.and_then(|end| end.next) {
                self.predecessors.remove(&next);
            }
            if lingers {
                let label = slot.label().into_owned().into();
                self.lingering.insert(id, Lingering { label, pipes: slot.pipes });
            }
        }
    }

    pub(crate) fn dry(&mut self, id: u32) {
        self.lingering.remove(&id);
    }

    pub(crate) fn lingering(&self, id: u32) -> Option<&Lingering> {
        self.lingering.get(&id)
    }

    pub(crate) fn lingering_ids(&self) -> impl Iterator<Item = u32> {
        self.lingering.keys().copied()
    }
}
