//! The keeper's memory: one slot per child, from its spawn until the brain says to forget it.
//!
//! A slot holds all that anybody may have to be told about the child, so that telling
//! can be repeated to every new brain and nothing is lost with the old one.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::{Stage, Stamp, WaitStatus};
use crate::spawn::{KeptPipes, unpack};
use crate::sys;

/// A child, alive or ended but not yet forgotten.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) pid: i32,
    pub(crate) label: Box<str>,
    pub(crate) started: Stamp,
    pub(crate) pipes: KeptPipes,
    pub(crate) end: Option<End>,
    report: &'static AtomicU64,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) status: WaitStatus,
    pub(crate) at: Stamp,
    pub(crate) failure: Option<(Stage, i32)>,
}

/// All children by the brain's number, and the living ones by pid.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: BTreeMap<u32, Slot>,
    by_pid: BTreeMap<i32, u32>,
    free_reports: Vec<&'static AtomicU64>,
}

/// Report words are mapped this many at a time: one page.
const REPORTS: usize = 512;

impl Table {
    /// A word in which the next child may report a failure; zeroed.
    pub(crate) fn report(&mut self) -> io::Result<&'static AtomicU64> {
        if self.free_reports.is_empty() {
            self.free_reports.extend(sys::shared_words(REPORTS)?);
        }
        let word = self.free_reports.pop().expect("a page of words was just added");
        word.store(0, Ordering::Relaxed);
        Ok(word)
    }

    /// Gives a word back that no child was made for.
    pub(crate) fn return_report(&mut self, word: &'static AtomicU64) {
        self.free_reports.push(word);
    }

    pub(crate) fn insert(
        &mut self,
        id: u32,
        pid: i32,
        label: Box<str>,
        pipes: KeptPipes,
        report: &'static AtomicU64,
    ) {
        let slot = Slot { pid, label, started: sys::now(), pipes, end: None, report };
        self.by_pid.insert(pid, id);
        if let Some(old) = self.slots.insert(id, slot) {
            // A brain that reuses a number has lost count; the older child is then an orphan that is still reaped.
            self.by_pid.remove(&old.pid);
            self.free_reports.push(old.report);
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Slot> {
        self.slots.get(&id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.slots.keys().copied()
    }

    /// Records the end of the child with this pid and returns its number; `None` for a stranger.
    pub(crate) fn ended(&mut self, pid: i32, status: WaitStatus, at: Stamp) -> Option<u32> {
        let id = self.by_pid.remove(&pid)?;
        let slot = self.slots.get_mut(&id)?;
        slot.end = Some(End { status, at, failure: unpack(slot.report.load(Ordering::Acquire)) });
        Some(id)
    }

    /// Drops an ended child; a living one is kept, whatever the brain believes.
    pub(crate) fn forget(&mut self, id: u32) {
        if self.slots.get(&id).is_some_and(|slot| slot.end.is_some())
            && let Some(slot) = self.slots.remove(&id)
        {
            self.free_reports.push(slot.report);
        }
    }
}
