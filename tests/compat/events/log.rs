//! What the main log says of listeners, in an order that is the same on both sides.
//!
//! In: the main log at level debug, and who listens. Out: the lines about each listener in their order, those about each pool,
//! and all other warnings and errors. 4.3.0 and we look at different moments, so between these three nobody comes first.
//!
//! An event that is sent, accepted and followed by READY takes one line of ours instead of four.
//!
//! Left out: what 4.3.0 says of its own rights and doors at each start; what is below WARN and about nobody who listens, which `lifecycle` compares; and `rebuffering event`, which
//! 4.3.0 writes whenever it has looked at an event for which nobody was ready.

use crate::differences::{Side, comparable};

/// All of it, each part behind a line that says what it is.
pub(super) fn shown(log: &[String], listeners: &[String], side: Side) -> Vec<String> {
    let lines: Vec<&str> =
        log.iter().filter_map(|line| line.strip_prefix("TIME ")).filter(|line| is_told(line)).collect();
    let mut shown = Vec::new();
    let mut rest = lines;
    for listener in listeners {
        let (of_this, others): (Vec<&str>, Vec<&str>) =
            rest.into_iter().partition(|line| is_about(listener, line));
        rest = others;
        shown.push(format!("main log of {listener}:"));
        shown.extend(with_rounds(&of_this, listener));
    }
    let (of_pools, others): (Vec<&str>, Vec<&str>) = rest.into_iter().partition(|line| line.contains(POOL));
    let others = others.into_iter().filter(|line| !line.starts_with("DEBG "));
    let others = comparable(side, others.map(|line| format!("TIME {line}")).collect());
    for (title, lines) in [
        ("main log of pools:", of_pools.into_iter().map(str::to_owned).collect()),
        ("warnings:", others.iter().map(|line| without_places(&line["TIME ".len()..])).collect::<Vec<_>>()),
    ] {
        if !lines.is_empty() {
            shown.push(title.to_owned());
            shown.extend(lines);
        }
    }
    shown
}

/// Where in its memory and its sources Python was is nobody's affair.
fn without_places(line: &str) -> String {
    match line.split_once("uncaptured python exception, closing channel ") {
        Some(_) => "CRIT uncaptured python exception, closing channel".to_owned(),
        None => line.to_owned(),
    }
}

const POOL: &str = " event buffer overflowed, ";

const OF_ITSELF: [&str; 2] =
    ["CRIT Supervisor is running as root. ", " running without any HTTP authentication"];

/// The lines of one listener, with one for all that belong to an event which it has accepted.
fn with_rounds(lines: &[&str], listener: &str) -> Vec<String> {
    let behind = [": event was processed", ": BUSY -> ACKNOWLEDGED", ": ACKNOWLEDGED -> READY"]
        .map(|text| format!("DEBG {listener}{text}"));
    let (mut shown, mut rest) = (Vec::new(), lines);
    while let [line, more @ ..] = rest {
        let event =
            line.strip_prefix("DEBG event ").and_then(|line| line.strip_suffix(listener)).filter(|_| {
                more.len() >= behind.len() && more.iter().zip(&behind).all(|(line, usual)| line == usual)
            });
        let event = event.and_then(|line| line.strip_suffix(" sent to listener "));
        let (line, left) = match event {
            Some(event) => (format!("event {event}: sent, accepted, ready"), &more[behind.len()..]),
            None => ((*line).to_owned(), more),
        };
        shown.push(line);
        rest = left;
    }
    shown
}

fn is_told(line: &str) -> bool {
    let level = line.get(..5).unwrap_or_default();
    match level {
        "WARN " | "ERRO " | "CRIT " => !OF_ITSELF.iter().any(|part| line.contains(part)),
        "DEBG " => !line.contains(" rebuffering event "),
        _ => false,
    }
}

/// Whether a line is about the conversation with this process.
fn is_about(listener: &str, line: &str) -> bool {
    let text = &line["DEBG ".len()..];
    let behind = text.strip_prefix(listener).and_then(|rest| rest.strip_prefix(": "));
    let sent = text.starts_with("event ") || text.starts_with("epipe occurred while sending event ");
    let to = |rest: &str| rest.split([' ', ',']).next() == Some(listener);
    behind.is_some() || (sent && text.split_once(" to listener ").is_some_and(|(_, rest)| to(rest)))
}

#[test]
fn each_listener_has_its_own_lines_in_their_order() {
    let log = [
        "TIME INFO spawned: 'ear' with pid PID",
        "TIME DEBG ear: ACKNOWLEDGED -> READY",
        "TIME DEBG event 3 sent to listener ear_2",
        "TIME WARN ear_2: bad result line: 'x'",
        "TIME DEBG event 3 sent to listener ear",
        "TIME DEBG ear: event was processed",
        "TIME DEBG ear: BUSY -> ACKNOWLEDGED",
        "TIME DEBG ear: ACKNOWLEDGED -> READY",
        "TIME DEBG event 4 sent to listener ear",
        "TIME DEBG ear: event was processed",
        "TIME DEBG rebuffering event 4 for pool ear (buf size=0, max=10)",
        "TIME ERRO pool ear event buffer overflowed, discarding event 3",
        "TIME WARN killing 'x' (PID) with SIGKILL",
        "TIME DEBG fd 7 closed, stopped monitoring",
    ];
    let shown = shown(&log.map(str::to_owned), &["ear".to_owned(), "ear_2".to_owned()], Side::Theirs);
    let expected = [
        "main log of ear:",
        "DEBG ear: ACKNOWLEDGED -> READY",
        "event 3: sent, accepted, ready",
        "DEBG event 4 sent to listener ear",
        "DEBG ear: event was processed",
        "main log of ear_2:",
        "DEBG event 3 sent to listener ear_2",
        "WARN ear_2: bad result line: 'x'",
        "main log of pools:",
        "ERRO pool ear event buffer overflowed, discarding event 3",
        "warnings:",
        "WARN killing 'x' (PID) with SIGKILL",
    ];
    assert_eq!(shown, expected);
}
