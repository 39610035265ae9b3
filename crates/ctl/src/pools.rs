//! Pools of event listeners, as `provost.getListeners` tells of them: for the verb `listeners`, and for `why`.
//!
//! In: the daemon's answer, whose counts are text. Out: pools and listeners, their lines, and the same for `--json`. Which of them are
//! to be seen the verb knows, and what to try `why`.

use provost_wire::{FaultCode, Value};
use serde_json::{Value as Json, json};

use crate::call::CallError;
use crate::namespec;
use crate::results::{int, items, text};
use crate::session::Session;
use crate::why::lifetime;

#[derive(Debug, Clone)]
pub(crate) struct Pool {
    /// Its group's.
    pub(crate) name: String,
    events: Vec<String>,
    overflow: String,
    pub(crate) waiting: u64,
    waiting_bytes: u64,
    on_disk: u64,
    pub(crate) oldest_ms: Option<u64>,
    delivered: u64,
    rejected: u64,
    discarded: u64,
    pub(crate) listeners: Vec<Listener>,
}

#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) process: String,
    pid: i64,
    /// ACKNOWLEDGED, READY, BUSY or UNKNOWN.
    pub(crate) state: String,
    pub(crate) state_ms: u64,
    pub(crate) told: u64,
    /// The serial of the event that it has not answered.
    pub(crate) event: Option<u64>,
    /// What the `len` of its events counts, once that is known.
    counts: Option<String>,
}

/// All that the caller may see. Nothing, if this daemon cannot tell.
pub(crate) fn pools(session: &mut Session<'_>) -> Result<Option<Vec<Pool>>, CallError> {
    match session.call("provost.getListeners", &[]) {
        Ok(all) => items(&all)?.iter().map(Pool::of).collect::<Result<_, _>>().map(Some),
        Err(error) if error.kind() == Some(FaultCode::UnknownMethod) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Pool {
    fn of(value: &Value) -> Result<Pool, CallError> {
        let list = |member| value.get(member).and_then(Value::as_array).unwrap_or_default();
        Ok(Pool {
            name: text(value, "name")?.to_owned(),
            events: list("events").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            overflow: text(value, "overflow")?.to_owned(),
            waiting: count(value, "waiting")?,
            waiting_bytes: count(value, "waiting_bytes")?,
            on_disk: count(value, "on_disk")?,
            oldest_ms: count_if_any(value, "oldest_ms")?,
            delivered: count(value, "delivered")?,
            rejected: count(value, "rejected")?,
            discarded: count(value, "discarded")?,
            listeners: list("listeners").iter().map(Listener::of).collect::<Result<_, _>>()?,
        })
    }

    /// What there is to say behind its name. Each thing has its place, whether there is something to say or not.
    pub(crate) fn line(&self) -> String {
        let Pool { overflow, waiting, on_disk, delivered, rejected, discarded, .. } = self;
        let (oldest, events) = (self.oldest_ms.map_or("-".to_owned(), span), self.events.join(" "));
        format!(
            "waiting {waiting}, on disk {on_disk}, oldest {oldest}, delivered {delivered}, rejected {rejected}, \
             discarded {discarded}, overflow {overflow}, events {events}"
        )
    }

    pub(crate) fn object(&self) -> Json {
        json!({
            "name": self.name,
            "events": self.events,
            "overflow": self.overflow,
            "waiting": self.waiting,
            "waiting_bytes": self.waiting_bytes,
            "on_disk": self.on_disk,
            "oldest_ms": self.oldest_ms,
            "delivered": self.delivered,
            "rejected": self.rejected,
            "discarded": self.discarded,
            "listeners": self.listeners.iter().map(|one| one.object(&self.name)).collect::<Vec<_>>(),
        })
    }
}

impl Listener {
    fn of(value: &Value) -> Result<Listener, CallError> {
        Ok(Listener {
            process: text(value, "name")?.to_owned(),
            pid: int(value, "pid")?,
            state: text(value, "state")?.to_owned(),
            state_ms: count(value, "state_ms")?,
            told: count(value, "told")?,
            event: count_if_any(value, "event")?,
            counts: value
                .get("counts")
                .and_then(Value::as_str)
                .filter(|it| !it.is_empty())
                .map(str::to_owned),
        })
    }

    pub(crate) fn line(&self) -> String {
        let event = self.event.map_or("-".to_owned(), |serial| serial.to_string());
        let counts = self.counts.as_deref().unwrap_or("-");
        format!(
            "pid {}, for {}, told {}, event {event}, counts {counts}",
            self.pid,
            span(self.state_ms),
            self.told
        )
    }

    pub(crate) fn object(&self, pool: &str) -> Json {
        json!({
            "name": namespec::join(pool, &self.process),
            "process": self.process,
            "pid": self.pid,
            "state": self.state,
            "state_ms": self.state_ms,
            "told": self.told,
            "event": self.event,
            "counts": self.counts,
        })
    }
}

pub(crate) fn span(milliseconds: u64) -> String {
    lifetime(i64::try_from(milliseconds).unwrap_or(i64::MAX))
}

fn count(value: &Value, member: &str) -> Result<u64, CallError> {
    let number = text(value, member)?.parse();
    number.map_err(|_| CallError::Other(format!("{member} in the answer is no number")))
}

fn count_if_any(value: &Value, member: &str) -> Result<Option<u64>, CallError> {
    if text(value, member)?.is_empty() { Ok(None) } else { count(value, member).map(Some) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// As a daemon tells of a pool in which nothing waits.
    pub(crate) fn pool(name: &str, listeners: Vec<Value>) -> Value {
        Value::members([
            ("name", name.into()),
            ("events", vec!["TICK_60".into(), "PROCESS_STATE".into()].into()),
            ("overflow", "spill".into()),
            ("waiting", "0".into()),
            ("waiting_bytes", "0".into()),
            ("on_disk", "0".into()),
            ("oldest_ms", "".into()),
            ("delivered", "5000000000".into()),
            ("rejected", "2".into()),
            ("discarded", "1".into()),
            ("listeners", listeners.into()),
        ])
    }

    /// The same, where events wait.
    pub(crate) fn late(pool: Value, waiting: &str, oldest_ms: &str) -> Value {
        let Value::Struct(members) = pool else { panic!("a pool is a struct") };
        let new = |(name, value): (String, Value)| match name.as_str() {
            "waiting" => (name, waiting.into()),
            "oldest_ms" => (name, oldest_ms.into()),
            _ => (name, value),
        };
        Value::Struct(members.into_iter().map(new).collect())
    }

    pub(crate) fn listener(process: &str, state: &str, event: &str) -> Value {
        Value::members([
            ("name", process.into()),
            ("pid", 42.into()),
            ("state", state.into()),
            ("state_ms", "12500".into()),
            ("told", "9".into()),
            ("event", event.into()),
            ("counts", "characters".into()),
        ])
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_said_to_be_one() {
        let bad = late(pool("mail", vec![]), "many", "");
        assert_eq!(Pool::of(&bad).unwrap_err().to_string(), "waiting in the answer is no number");
        let short = Value::members([("name", "mail".into())]);
        assert_eq!(Pool::of(&short).unwrap_err().to_string(), "the answer lacks overflow");
    }
}
