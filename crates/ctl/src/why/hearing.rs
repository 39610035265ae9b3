//! An event listener that runs, in the account of a process: how it hears, what waits for it, and what to try.
//!
//! In: its pool, as `provost.getListeners` tells of it. Out: lines and remedies for `why`. That a listener is RUNNING says
//! nothing of whether it hears anything.

use serde_json::{Value as Json, json};

use crate::pools::{Listener, Pool, span};
use crate::terminal::word;

/// Milliseconds after which a listener should have said something, or an event been delivered. With as much the daemon
/// calls a pool one that lags.
const LATE: u64 = 5_000;

#[derive(Debug)]
pub(crate) struct Hearing {
    listener: Listener,
    pool: Pool,
}

impl Hearing {
    /// Of the process of this group and name, if it is an event listener.
    pub(crate) fn of(pools: &[Pool], group: &str, process: &str) -> Option<Hearing> {
        let pool = pools.iter().find(|pool| pool.name == group)?;
        let listener = pool.listeners.iter().find(|one| one.process == process)?;
        Some(Hearing { listener: listener.clone(), pool: pool.clone() })
    }

    /// Behind the pid, where nothing comes through to it any more.
    pub(super) fn trouble(&self) -> &'static str {
        if self.is_deaf() { ", but it gets no events since it broke the listener protocol" } else { "" }
    }

    pub(super) fn line(&self) -> String {
        let Listener { state, state_ms, told, event, .. } = &self.listener;
        let with = event.map_or(String::new(), |serial| format!(" with event {serial}"));
        let waits = match (self.pool.waiting, self.pool.oldest_ms) {
            (0, _) => "none waits".to_owned(),
            (1, age) => {
                format!("one waits{}", age.map_or(String::new(), |age| format!(", for {}", span(age))))
            }
            (n, age) => {
                let oldest = age.map_or(String::new(), |age| format!(", the oldest for {}", span(age)));
                format!("{n} wait{oldest}")
            }
        };
        let told = if *told == 1 { "one event".to_owned() } else { format!("{told} events") };
        format!(
            "as a listener it has been {state} for {}{with}; it was told {told}, {waits}",
            span(*state_ms)
        )
    }

    pub(super) fn remedies(&self, name: &str, all: &mut Vec<String>) {
        let Listener { state, state_ms, told, event, .. } = &self.listener;
        let (name, is_late) = (word(name), *state_ms > LATE);
        let mut say = |text: String| all.push(text);
        match state.as_str() {
            "UNKNOWN" => {
                say("its stdout is for READY and RESULT alone: whatever it writes for people has to go to stderr".to_owned());
                say(format!(
                    "to let it hear again: supervisorctl restart {name}; with listener_recover=true it is told events again when it says READY"
                ));
            }
            "ACKNOWLEDGED" if is_late && *told == 0 => say(
                "it has never said READY: if it is a listener at all, it keeps back what it writes and has to flush it (Python: -u, or PYTHONUNBUFFERED=1 in environment=)".to_owned(),
            ),
            "ACKNOWLEDGED" if is_late => say(
                "it has answered and not said READY since: it works on, or is stuck; its logs may know".to_owned(),
            ),
            "BUSY" if is_late => {
                let serial = event.map_or(String::new(), |serial| format!(" {serial}"));
                say(format!(
                    "it has not answered event{serial}: it waits for something, or has not flushed its answer (RESULT 2, a line end, OK)"
                ));
                say(format!("if it is stuck: supervisorctl restart {name}, after which the event is told again"));
            }
            // It does what it can.
            _ if self.pool.oldest_ms.is_some_and(|age| age > LATE) => say(
                "events come faster than it takes them: more processes share the work (numprocs=), fewer types make less of it (events=)".to_owned(),
            ),
            _ => {}
        }
    }

    /// The listener, and its pool.
    pub(super) fn object(&self) -> Json {
        let mut object = self.listener.object(&self.pool.name);
        object["pool"] = json!(self.pool.object());
        object
    }

    fn is_deaf(&self) -> bool {
        self.listener.state == "UNKNOWN"
    }
}
