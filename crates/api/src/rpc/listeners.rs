//! Listeners and what waits for them, in a shape for clients: `provost.getListeners`.
//!
//! In: reports of pools (`pools.rs`). Out: a struct for each, with one for each of its listeners. Members are added, never changed.
//! Counts and times are text, in decimal: the numbers of XML-RPC end at 2,147,483,647, and a listener of the output of programs is
//! told as much in some days. An empty text says that there is nothing.

use provost_wire::Value;

use crate::pools::{ListenerReport, PoolReport};

pub(super) fn pool(told: &PoolReport) -> Value {
    let PoolReport {
        name,
        events,
        overflow,
        waiting,
        waiting_bytes,
        spilled,
        oldest_ms,
        delivered,
        rejected,
        dropped,
        listeners,
    } = told;
    Value::members([
        ("name", name.as_str().into()),
        ("events", Value::Array(events.iter().map(|event| (*event).into()).collect())),
        ("overflow", (*overflow).into()),
        ("waiting", count(*waiting)),
        ("waiting_bytes", count(*waiting_bytes)),
        ("on_disk", count(*spilled)),
        ("oldest_ms", oldest_ms.map_or("".into(), count)),
        ("delivered", count(*delivered)),
        ("rejected", count(*rejected)),
        ("discarded", count(*dropped)),
        ("listeners", Value::Array(listeners.iter().map(listener).collect())),
    ])
}

fn listener(told: &ListenerReport) -> Value {
    let ListenerReport { process, pid, state, state_ms, told, event, counts } = told;
    Value::members([
        ("name", process.as_str().into()),
        ("pid", (*pid).into()),
        ("state", (*state).into()),
        ("state_ms", count(*state_ms)),
        ("told", count(*told)),
        ("event", event.map_or("".into(), count)),
        ("counts", counts.unwrap_or_default().into()),
    ])
}

fn count(n: u64) -> Value {
    n.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pools::tests::{pool as made_up, with_listener};

    #[test]
    fn a_pool_is_told_with_its_listeners_and_no_count_is_cut_short() {
        let told = pool(&made_up("mail"));
        assert_eq!(told.get("events"), Some(&vec!["TICK_60".into(), "PROCESS_STATE".into()].into()));
        for (member, text) in [
            ("name", "mail"),
            ("overflow", "spill"),
            ("waiting", "3"),
            ("waiting_bytes", "500"),
            ("on_disk", "1"),
            ("oldest_ms", "5000"),
            ("delivered", "5000000000"),
            ("rejected", "2"),
            ("discarded", "0"),
        ] {
            assert_eq!(told.get(member), Some(&text.into()), "{member}");
        }
        let listener = &told.get("listeners").and_then(Value::as_array).unwrap()[0];
        assert_eq!(listener.get("pid"), Some(&7.into()));
        for (member, text) in [
            ("name", "ear"),
            ("state", "BUSY"),
            ("state_ms", "12"),
            ("told", "9"),
            ("event", "4711"),
            ("counts", "characters"),
        ] {
            assert_eq!(listener.get(member), Some(&text.into()), "{member}");
        }
    }

    #[test]
    fn what_there_is_nothing_to_say_of_is_empty() {
        let mut idle = with_listener(made_up("mail"), "READY");
        (idle.oldest_ms, idle.listeners[0].event, idle.listeners[0].counts) = (None, None, None);
        let told = pool(&idle);
        assert_eq!(told.get("oldest_ms"), Some(&"".into()));
        let listener = &told.get("listeners").and_then(Value::as_array).unwrap()[0];
        assert_eq!(listener.get("event"), Some(&"".into()));
        assert_eq!(listener.get("counts"), Some(&"".into()));
    }
}
