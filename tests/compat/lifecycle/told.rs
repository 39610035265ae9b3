//! Events as they were written down, and what makes two runs of them alike.
//!
//! In: the lines that tell of events, of both sides. Out: nothing, or where the sides differ: in names, order,
//! payload, or by more time than 4.3.0's own clockwork explains. Pids become ordinals: the first child of a process
//! is `#1` wherever it is named, the next one `#2`, and nobody is 0.

use std::collections::HashMap;
use std::sync::Once;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::scenario::Order;
use crate::difference;

/// 4.3.0 looks at its processes once a second. What it notices can be a tick late, and so can what it then does.
const TICKS: i64 = 2_000;

/// A busy machine delays everything, on either side: by so much at least, which nobody may be blamed for.
const LOAD: i64 = 1_500;

/// By how much at most somebody who wanted to sleep for a moment has slept too long, in milliseconds.
static OVERSLEPT: AtomicI64 = AtomicI64::new(0);

/// From now on it is measured how busy the machine is.
pub(super) fn measure_load() {
    const MOMENT: Duration = Duration::from_millis(10);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        drop(thread::spawn(|| {
            loop {
                let before = Instant::now();
                thread::sleep(MOMENT);
                let over = before.elapsed().saturating_sub(MOMENT).as_millis();
                OVERSLEPT.fetch_max(i64::try_from(over).unwrap_or(i64::MAX), Ordering::Relaxed);
            }
        }));
    });
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Milliseconds on the clock of the log.
    at: i64,
    /// How many were told before it.
    place: usize,
    /// The process, the group or the daemon that it is about.
    whose: String,
    /// Its name and payload, with ordinals for pids.
    pub(crate) text: String,
    /// The pid as it was, where there was one.
    pub(crate) pid: Option<i32>,
}

/// The events among the lines of a log.
pub(crate) fn read(lines: &[String]) -> Vec<Told> {
    let mut seen: HashMap<String, Vec<i32>> = HashMap::new();
    let events = lines.iter().filter_map(|line| Some((line, line.split_once(" TRAC event ")?)));
    events
        .enumerate()
        .map(|(place, (line, (when, text)))| {
            let at = milliseconds(when).unwrap_or_else(|| panic!("no time in {line:?}"));
            let whose = whose(text);
            let pids = seen.entry(whose.clone()).or_default();
            let (text, pid) = with_ordinal(text, pids);
            Told { at, place, whose, text, pid }
        })
        .collect()
}

/// What was told on one side, and what was asked there meanwhile.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) events: Vec<Told>,
    pub(crate) ctl: Vec<Ctl>,
}

/// A run of supervisorctl: after how many events it began, and how long it took. 4.3.0's is a Python program, so on a
/// busy machine only the clock knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ctl {
    pub(crate) after: usize,
    pub(crate) took: Duration,
}

/// Where two sides differ.
pub(crate) fn differences(theirs: &Account, ours: &Account, order: Order) -> Result<(), String> {
    differences_under(LOAD + OVERSLEPT.load(Ordering::Relaxed), theirs, ours, order)
}

fn differences_under(load: i64, theirs: &Account, ours: &Account, order: Order) -> Result<(), String> {
    let [their_events, our_events] = [theirs, ours].map(|account| in_order(&account.events, order));
    let texts = |told: &[Told]| told.iter().map(|told| told.text.clone()).collect::<Vec<_>>();
    let (expected, actual) = (texts(&their_events), texts(&our_events));
    if expected != actual {
        return Err(format!("the events differ:\n{}", difference(&expected, &actual)));
    }
    let slips: Vec<String> = their_events
        .windows(2)
        .zip(our_events.windows(2))
        .filter(|(pair, _)| order == Order::Whole || pair[0].whose == pair[1].whose)
        .filter_map(|(their_pair, our_pair)| {
            let expected = (between(their_pair), theirs.asking(their_pair));
            let actual = (between(our_pair), ours.asking(our_pair));
            let [from, to] = [&their_pair[0].text, &their_pair[1].text];
            slip(load, expected, actual).map(|slip| format!("{slip}, from {from}\n  to {to}"))
        })
        .collect();
    if slips.is_empty() { Ok(()) } else { Err(format!("the times differ:\n{}", slips.join("\n"))) }
}

fn between(pair: &[Told]) -> i64 {
    pair[1].at - pair[0].at
}

impl Account {
    /// How long the runs of supervisorctl took that began between these two.
    fn asking(&self, pair: &[Told]) -> i64 {
        let meanwhile = pair[0].place + 1..=pair[1].place;
        let runs = self.ctl.iter().filter(|ctl| meanwhile.contains(&ctl.after));
        let took: Duration = runs.map(|ctl| ctl.took).sum();
        i64::try_from(took.as_millis()).expect("a scenario takes no years")
    }
}

/// Whether two distances, each with what supervisorctl took of it, differ by more than the ticks and the load explain.
fn slip(load: i64, (expected, their_asking): (i64, i64), (actual, our_asking): (i64, i64)) -> Option<String> {
    // Ours may do at once what theirs does two ticks later. The other way round theirs may have been late with the
    // first of the two, which a busy machine can make more than a tick.
    let range = expected - TICKS - load - their_asking..=expected + load + our_asking;
    (!range.contains(&actual)).then(|| format!("{actual} ms with us, {expected} ms with 4.3.0"))
}

/// The events in an order that is to be the same.
fn in_order(told: &[Told], order: Order) -> Vec<Told> {
    let mut told = told.to_vec();
    match order {
        Order::Each => told.sort_by(|a, b| a.whose.cmp(&b.whose)),
        Order::Whole => {
            // The kernel decides which of several that got their signals together is gone first; and 4.3.0 finds
            // in one tick all that have stayed up since the last, which with us were started at different times.
            for together in ["PROCESS_STATE_STOPPED ", "PROCESS_STATE_RUNNING "] {
                let is_one = |told: &Told| told.text.starts_with(together);
                for run in told.chunk_by_mut(|a, b| is_one(a) && is_one(b)) {
                    run.sort_by(|a, b| a.whose.cmp(&b.whose));
                }
            }
        }
    }
    told
}

fn whose(text: &str) -> String {
    let word = |key: &str| text.split(' ').find_map(|word| word.strip_prefix(key));
    match (word("processname:"), word("groupname:")) {
        (Some(process), Some(group)) => format!("{group}:{process}"),
        (_, Some(group)) => format!("group {group}"),
        (_, None) => "supervisord".to_owned(),
    }
}

/// The text with the pid's place among those of its process, and the pid itself. What follows it a program may have written.
fn with_ordinal(text: &str, seen: &mut Vec<i32>) -> (String, Option<i32>) {
    let Some((head, tail)) = text.split_once(" pid:") else { return (text.to_owned(), None) };
    let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (pid, tail) = tail.split_at(digits);
    let Some(pid) = pid.parse::<i32>().ok().filter(|pid| *pid > 0) else { return (text.to_owned(), None) };
    let at = seen.iter().position(|known| *known == pid).unwrap_or_else(|| {
        seen.push(pid);
        seen.len() - 1
    });
    (format!("{head} pid:#{}{tail}", at + 1), Some(pid))
}

/// `2026-11-22 13:21:48,959` in milliseconds since some moment long ago.
fn milliseconds(when: &str) -> Option<i64> {
    let numbers: Option<Vec<i64>> =
        when.split(['-', ' ', ':', ',']).map(|number| number.parse().ok()).collect();
    let &[year, month, day, hour, minute, second, millisecond] = numbers?.as_slice() else { return None };
    // Years that begin in March have their odd day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[&str]) -> Vec<Told> {
        read(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    const RUNNING: &str = "2026-02-28 23:59:59,900 TRAC event PROCESS_STATE_RUNNING processname:x groupname:g from_state:STARTING pid:41";

    #[test]
    fn an_event_is_taken_apart_and_other_lines_are_none() {
        let told = log(&["2026-02-28 23:59:58,000 INFO spawned: 'x' with pid 41", RUNNING]);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].whose, "g:x");
        assert_eq!(told[0].pid, Some(41));
        assert_eq!(
            told[0].text,
            "PROCESS_STATE_RUNNING processname:x groupname:g from_state:STARTING pid:#1"
        );
    }

    #[test]
    fn a_pid_is_the_same_wherever_it_is_named_and_zero_is_nobody() {
        let mut seen = Vec::new();
        let mut ordinal = |text: &str| with_ordinal(text, &mut seen).0;
        assert_eq!(
            [ordinal("A pid:7"), ordinal("B pid:9"), ordinal("C pid:7")],
            ["A pid:#1", "B pid:#2", "C pid:#1"]
        );
        assert_eq!([ordinal("D pid:0"), ordinal("E tries:1")], ["D pid:0", "E tries:1"]);
    }

    #[test]
    fn time_goes_on_over_the_end_of_a_month() {
        let at = |when| milliseconds(when).unwrap();
        assert_eq!(at("2026-03-01 00:00:00,100") - at("2026-02-28 23:59:59,900"), 200);
        assert_eq!(at("2028-03-01 00:00:00,000") - at("2028-02-28 00:00:00,000"), 2 * 86_400_000);
        assert_eq!(at("2027-01-01 00:00:00,000") - at("2026-12-31 00:00:00,000"), 86_400_000);
        assert_eq!(milliseconds("2026-03-01"), None);
    }

    #[test]
    fn another_name_order_payload_or_time_is_a_difference() {
        let told = |at, place, whose: &str, text: &str| Told {
            at,
            place,
            whose: whose.to_owned(),
            text: text.to_owned(),
            pid: None,
        };
        let account = |events: &[Told], ctl: &[Ctl]| Account { events: events.to_vec(), ctl: ctl.to_vec() };
        let alike = |theirs: &[Told], ours: &[Told], order, ctl: &[Ctl]| {
            differences_under(LOAD, &account(theirs, ctl), &account(ours, &[]), order).is_ok()
        };
        let theirs = [told(0, 0, "a", "A"), told(3_000, 1, "b", "B")];
        let swapped = [told(0, 0, "b", "B"), told(3_000, 1, "a", "A")];
        let at = |at| [told(0, 0, "a", "A"), told(at, 1, "b", "B")];
        assert!(alike(&theirs, &at(3_000), Order::Whole, &[]));
        assert!(!alike(&theirs, &swapped, Order::Whole, &[]));
        assert!(alike(&theirs, &swapped, Order::Each, &[]));
        assert!(!alike(&theirs, &theirs[..1], Order::Each, &[]));
        assert!(alike(&theirs, &at(3_000 + LOAD), Order::Whole, &[]));
        assert!(!alike(&theirs, &at(3_001 + LOAD), Order::Whole, &[]));

        let theirs = [told(0, 0, "a", "A"), told(9_000, 1, "a", "B")];
        let ours = [told(0, 0, "a", "A"), told(5_000, 1, "a", "B")];
        let ctl = Ctl { after: 1, took: Duration::from_millis(500) };
        assert!(!alike(&theirs, &ours, Order::Each, &[]));
        assert!(alike(&theirs, &ours, Order::Each, &[ctl]));
        assert!(!alike(&theirs, &ours, Order::Each, &[Ctl { after: 2, ..ctl }]));
    }
}
