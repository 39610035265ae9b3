//! Deadlines are data: one per key, in the order in which they fall due.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ProcessId;
use crate::time::Mono;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The next step of the process's own machine.
    Process(ProcessId),
    /// "waiting for x to stop" is due again.
    StopReport(ProcessId),
    /// "waiting for a, b to die" is due again.
    DeathReport,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Mono, Timer)>,
    at: BTreeMap<Timer, Mono>,
}

impl Timers {
    /// Sets, moves or (with `None`) clears a deadline.
    pub(crate) fn set(&mut self, timer: Timer, at: Option<Mono>) {
        let before = match at {
            Some(at) => self.at.insert(timer, at),
            None => self.at.remove(&timer),
        };
        if let Some(before) = before {
            self.due.remove(&(before, timer));
        }
        if let Some(at) = at {
            self.due.insert((at, timer));
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    pub(crate) fn next(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that has passed.
    pub(crate) fn pop(&mut self, now: Mono) -> Option<Timer> {
        let (at, timer) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, timer));
        self.at.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fall_due_in_order_and_once() {
        let mut timers = Timers::default();
        let [a, b] = [Timer::Process(ProcessId(1)), Timer::Process(ProcessId(2))];
        timers.set(a, Some(Mono(20)));
        timers.set(b, Some(Mono(10)));
        timers.set(a, Some(Mono(5)));
        assert_eq!(timers.next(), Some(Mono(5)));
        assert_eq!(timers.pop(Mono(4)), None);
        assert_eq!(
            (timers.pop(Mono(10)), timers.pop(Mono(10)), timers.pop(Mono(10))),
            (Some(a), Some(b), None)
        );
    }

    #[test]
    fn a_cleared_deadline_never_comes() {
        let mut timers = Timers::default();
        timers.set(Timer::DeathReport, Some(Mono(1)));
        timers.set(Timer::DeathReport, None);
        assert_eq!((timers.next(), timers.pop(Mono(9))), (None, None));
    }
}
