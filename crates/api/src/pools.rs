//! Listeners and the events that wait for them, as far as the doors tell of them.
//!
//! In: what is reported whenever somebody asks (`Facts::pools`). Its numbers are of one moment. Out: what a description says of a listener
//! with which something is amiss; the rest is told by `rpc/listeners.rs`. Deliberately absent: queues, the protocol of
//! listeners, and whether a program is one: that a pool names it says so.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use provost_core::{ProcessInfo, State};

/// Asks how things stand between listeners and their events. Called for every listing of processes, by many at a time: it has to
/// answer from memory, and at once.
pub type Pools = Arc<dyn Fn() -> Vec<PoolReport> + Send + Sync>;

/// A pool, which is the group of an `[eventlistener:x]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolReport {
    /// Its group's.
    pub name: String,
    /// What it subscribes to, as configured.
    pub events: Vec<&'static str>,
    /// `spill`, `drop` or `block`: what becomes of events for which there is no room.
    pub overflow: &'static str,
    /// Events that no listener has at the moment: they are new, or have come back.
    pub waiting: u64,
    /// What those take, on disk or not.
    pub waiting_bytes: u64,
    /// How many of them are on disk.
    pub spilled: u64,
    /// How long the oldest of them has been there; `None` where none waits.
    pub oldest_ms: Option<u64>,
    /// Events that a listener has acknowledged.
    pub delivered: u64,
    /// How often an event came back.
    pub rejected: u64,
    /// Events that were discarded for want of room.
    pub dropped: u64,
    pub listeners: Vec<ListenerReport>,
}

/// A process of a pool, for as long as it may hear events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerReport {
    /// Without its group.
    pub process: String,
    pub pid: i32,
    /// `ACKNOWLEDGED`, `READY`, `BUSY` or `UNKNOWN`.
    pub state: &'static str,
    /// For how long it has been in that state.
    pub state_ms: u64,
    /// How many events it was told, in this life and by this brain.
    pub told: u64,
    /// The serial of the event that it was told and has not answered.
    pub event: Option<u64>,
    /// What the `len` of the events that it is told counts, `bytes` or `characters`; `None` while that is still to be found out.
    pub counts: Option<&'static str>,
}

/// An event that has waited for longer makes its pool one that lags, in milliseconds.
const LATE: u64 = 5_000;

/// Pools with which something is amiss, at one moment. Mostly there are none, and then nobody looks for any.
#[derive(Debug, Default)]
pub(crate) struct Troubles(HashMap<String, Trouble>);

#[derive(Debug)]
struct Trouble {
    /// How many events wait, where one has waited for long.
    behind: Option<u64>,
    /// Processes that are told nothing any more.
    deaf: Vec<(String, i32)>,
}

impl Troubles {
    pub(crate) fn now(pools: &Pools) -> Troubles {
        Troubles(pools().into_iter().filter_map(trouble).collect())
    }

    /// What is to be said of a process behind what is said of every one.
    pub(crate) fn of(&self, p: &ProcessInfo) -> Option<String> {
        // Thousands of processes are listed at a time.
        if self.0.is_empty() || p.state != State::Running {
            return None;
        }
        let Trouble { behind, deaf } = self.0.get(&*p.group)?;
        let mut said = String::new();
        // Another life of it may be better off.
        if deaf.iter().any(|(process, pid)| *process == *p.name && Some(*pid) == p.pid) {
            // No word that is the name of a state: whoever looks for those would find it here.
            said += ", gets no events since it broke the listener protocol";
        }
        if let Some(behind) = behind {
            let events = if *behind == 1 { "event" } else { "events" };
            let _ = write!(said, ", {behind} {events} behind");
        }
        Some(said).filter(|said| !said.is_empty())
    }
}

fn trouble(pool: PoolReport) -> Option<(String, Trouble)> {
    let is_late = pool.oldest_ms.is_some_and(|age| age > LATE);
    let behind = Some(pool.waiting).filter(|waiting| is_late && *waiting > 0);
    let is_deaf = |listener: &ListenerReport| listener.state == "UNKNOWN";
    let deaf: Vec<_> =
        pool.listeners.into_iter().filter(is_deaf).map(|deaf| (deaf.process, deaf.pid)).collect();
    (behind.is_some() || !deaf.is_empty()).then_some((pool.name, Trouble { behind, deaf }))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use provost_core::Wall;

    /// A pool of one listener, in which all is well.
    pub(crate) fn pool(name: &str) -> PoolReport {
        PoolReport {
            name: name.to_owned(),
            events: vec!["TICK_60", "PROCESS_STATE"],
            overflow: "spill",
            waiting: 3,
            waiting_bytes: 500,
            spilled: 1,
            oldest_ms: Some(LATE),
            delivered: 5_000_000_000,
            rejected: 2,
            dropped: 0,
            listeners: vec![ListenerReport {
                process: "ear".to_owned(),
                pid: 7,
                state: "BUSY",
                state_ms: 12,
                told: 9,
                event: Some(4711),
                counts: Some("characters"),
            }],
        }
    }

    /// The same with its listener in another state.
    pub(crate) fn with_listener(pool: PoolReport, state: &'static str) -> PoolReport {
        let listeners = pool.listeners.iter().cloned();
        PoolReport { listeners: listeners.map(|one| ListenerReport { state, ..one }).collect(), ..pool }
    }

    fn process(group: &str, name: &str) -> ProcessInfo {
        ProcessInfo {
            name: name.into(),
            group: group.into(),
            state: State::Running,
            pid: Some(7),
            start: Some(Wall(0)),
            stop: None,
            now: Wall(61_000),
            spawnerr: None,
            exit: None,
            restarts: 0,
            stdout_logfile: None,
            stderr_logfile: None,
        }
    }

    fn said(pools: Vec<PoolReport>, p: &ProcessInfo) -> String {
        let pools: Pools = Arc::new(move || pools.clone());
        Troubles::now(&pools).of(p).unwrap_or_default()
    }

    const DEAF: &str = ", gets no events since it broke the listener protocol";

    #[test]
    fn nothing_is_said_of_whoever_is_well() {
        assert_eq!(said(vec![], &process("mail", "ear")), "");
        for state in ["ACKNOWLEDGED", "READY", "BUSY"] {
            assert_eq!(
                said(vec![with_listener(pool("mail"), state)], &process("mail", "ear")),
                "",
                "{state}"
            );
        }
        // A plain program may be called as a listener is.
        let deaf = with_listener(pool("mail"), "UNKNOWN");
        assert_eq!(said(vec![deaf], &process("ear", "ear")), "");
    }

    #[test]
    fn who_has_broken_the_protocol_is_told_of_and_nobody_beside_him() {
        let deaf = || vec![pool("other"), with_listener(pool("mail"), "UNKNOWN")];
        assert_eq!(said(deaf(), &process("mail", "ear")), DEAF);
        assert_eq!(said(deaf(), &process("mail", "another")), "");
        assert_eq!(said(deaf(), &process("other", "ear")), "");
        let next_life = ProcessInfo { pid: Some(8), ..process("mail", "ear") };
        assert_eq!(said(deaf(), &next_life), "");
        let leaving = ProcessInfo { state: State::Stopping, ..process("mail", "ear") };
        assert_eq!(said(deaf(), &leaving), "");
    }

    #[test]
    fn a_pool_lags_when_an_event_has_waited_for_long() {
        let late = || PoolReport { oldest_ms: Some(LATE + 1), ..pool("mail") };
        assert_eq!(said(vec![late()], &process("mail", "another")), ", 3 events behind");
        assert_eq!(said(vec![late()], &process("other", "ear")), "");
        let one = PoolReport { waiting: 1, ..late() };
        assert_eq!(said(vec![one], &process("mail", "ear")), ", 1 event behind");
        let caught_up = PoolReport { waiting: 0, ..late() };
        assert_eq!(said(vec![caught_up], &process("mail", "ear")), "");
        let both = with_listener(late(), "UNKNOWN");
        assert_eq!(said(vec![both], &process("mail", "ear")), format!("{DEAF}, 3 events behind"));
    }
}
