//! What Supervisor does not have: retries without end, other waits, a pause, a limit of restarts, jobs.

use std::time::Duration;

use provost_core::{Command, Fault, Input, Reply, SpawnError, SpawnErrorKind};

use crate::common::Table;
use crate::{MOMENT, SECOND, running, start, stop};

/// How long a program that always fails at once waits before each of its next attempts.
fn waits(options: &str, seed: u64, attempts: usize) -> Vec<Duration> {
    let mut table = Table::with_seed(&format!("[program:a]\ncommand=/bin/a\n{options}"), seed);
    table.feed(Input::Begin);
    let mut waits = Vec::new();
    for pid in 1.. {
        let child = table.spawns(pid);
        table.exits(child, 1);
        if waits.len() == attempts {
            break;
        }
        let failed = table.now.mono;
        let due = table.supervisor.next_deadline().expect("it will be tried again");
        table.advance(due.since(failed));
        assert_eq!(table.wanted.len(), 1, "the deadline is that of the next attempt");
        waits.push(due.since(failed));
    }
    waits
}

fn in_seconds(waits: &[Duration]) -> Vec<f64> {
    waits.iter().map(Duration::as_secs_f64).collect()
}

#[test]
fn infinite_retries_never_end_in_fatal() {
    for infinite in ["startretries=infinite", "startretries=-1"] {
        let waits = waits(infinite, 1, 500);
        assert_eq!(in_seconds(&waits[..3]), [1.0, 2.0, 3.0], "{infinite}");
        assert_eq!(waits.last(), Some(&(500 * SECOND)), "{infinite}");
    }
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartretries=-2");
    table.story();
    let child = table.spawns(1);
    table.exits(child, 1);
    assert_eq!(
        table.story(),
        ["a: STARTING -> BACKOFF tries 1", "a: BACKOFF -> FATAL", "a given up"],
        "other numbers below zero mean what they always meant"
    );
}

#[test]
fn waits_grow_along_their_curve_up_to_their_cap() {
    let seven = |options: &str| in_seconds(&waits(&format!("startretries=infinite\n{options}"), 1, 7));
    assert_eq!(seven(""), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert_eq!(seven("maxbackoff=2.5"), [1.0, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5]);
    assert_eq!(seven("backoff=exponential"), [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]);
    assert_eq!(seven("backoff=exponential\nmaxbackoff=10"), [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]);
    assert_eq!(seven("backoff=constant"), [1.0; 7]);
}

#[test]
fn a_wait_that_nobody_limits_ends_at_a_day() {
    let waits = waits("startretries=infinite\nbackoff=exponential", 1, 70);
    assert_eq!(waits[16], 65_536 * SECOND);
    assert!(waits[17..].iter().all(|wait| *wait == 86_400 * SECOND), "{waits:?}");
}

#[test]
fn no_cap_is_shorter_than_a_second_since_the_last_start() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nmaxbackoff=0.1");
    let child = table.spawns(1);
    table.advance(400 * Duration::from_millis(1));
    table.exits(child, 1);
    table.advance(600 * Duration::from_millis(1) - MOMENT);
    assert_eq!(table.wanted, []);
    table.advance(MOMENT);
    assert_eq!(table.wanted.len(), 1);
}

#[test]
fn jitter_keeps_its_bounds_and_repeats_itself_with_the_same_seed() {
    let options = "startretries=infinite\nbackoff=exponential\nmaxbackoff=60\nbackoffjitter=0.25";
    let first = waits(options, 7, 20);
    assert_eq!(first, waits(options, 7, 20), "a replay is exact");
    let other = waits(options, 8, 20);
    assert_ne!(first, other, "another daemon has another luck");
    for (n, wait) in first.iter().chain(&other).enumerate() {
        let base = 60.min(1u32 << (n % 20).min(6)) * SECOND;
        assert!(*wait >= (base * 3 / 4).max(SECOND), "{n}: {wait:?}");
        assert!(*wait <= (base * 5 / 4).min(60 * SECOND).max(SECOND), "{n}: {wait:?}");
    }
}

#[test]
fn a_spawn_that_fails_is_retried_in_the_same_way() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartretries=infinite\nbackoff=exponential");
    for wait in [1, 2, 4, 8] {
        let (child, _) = table.wanted.remove(0);
        let error = SpawnError { kind: SpawnErrorKind::Resources, text: "too many open files".into() };
        table.feed(Input::SpawnFailed { child, error });
        table.advance(wait * SECOND - MOMENT);
        assert_eq!(table.wanted, [], "{wait}");
        table.advance(MOMENT);
        assert_eq!(table.wanted.len(), 1, "{wait}");
    }
}

#[test]
fn a_stop_ends_retries_without_end() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartretries=infinite");
    let child = table.spawns(1);
    table.exits(child, 1);
    table.story();
    let ask = table.ask(stop("a"));
    assert_eq!(table.story(), ["a: BACKOFF -> STOPPED pid 0"]);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
    table.advance(3600 * SECOND);
    assert_eq!(table.wanted, []);
}

#[test]
fn a_pause_lies_between_the_end_and_the_restart() {
    let (mut table, child) = running("autorestart=true\nrestartpause=2.5");
    table.exits(child, 0);
    assert_eq!(table.story(), ["a: RUNNING -> EXITED expected true pid 10"]);
    table.advance(2500 * Duration::from_millis(1) - MOMENT);
    assert_eq!(table.wanted, []);
    table.advance(MOMENT);
    assert_eq!(table.story(), ["a: EXITED -> STARTING tries 0", "spawn a as 2"]);
}

#[test]
fn a_pause_counts_from_the_end_and_not_from_the_news_of_it() {
    let (mut table, child) = running("autorestart=true\nrestartpause=2");
    let ended = table.now;
    table.advance(SECOND);
    let status = provost_core::ExitStatus::Code(0);
    table.feed(Input::Exited { child, status, at: ended, next: None, clue: None });
    table.advance(SECOND - MOMENT);
    assert_eq!(table.wanted, []);
    table.advance(MOMENT);
    assert_eq!(table.wanted.len(), 1);
}

#[test]
fn a_short_pause_does_not_shorten_the_second_between_two_starts() {
    let mut table =
        Table::new("[program:a]\ncommand=/bin/a\nstartsecs=0\nautorestart=true\nrestartpause=0.2");
    let child = table.spawns(1);
    table.exits(child, 0);
    table.advance(SECOND - MOMENT);
    assert_eq!(table.wanted, []);
    table.advance(MOMENT);
    assert_eq!(table.wanted.len(), 1);
}

#[test]
fn whoever_stops_a_program_in_its_pause_keeps_it_down() {
    let (mut table, child) = running("autorestart=true\nrestartpause=60");
    table.exits(child, 0);
    table.ask(stop("a"));
    table.advance(3600 * SECOND);
    assert_eq!(table.wanted, []);
}

/// Restarted twice within a minute, and no more.
const RESTLESS: &str = "autorestart=true\nstartlimit=2/60";

#[test]
fn a_program_that_keeps_dying_is_fatal_instead_of_restarted_once_too_often() {
    let (mut table, mut child) = running(RESTLESS);
    for pid in [11, 12] {
        table.dies(child, 9);
        child = table.spawns(pid);
        table.advance(2 * SECOND);
    }
    table.story();
    table.dies(child, 9);
    assert_eq!(
        table.story(),
        ["a: RUNNING -> EXITED expected false pid 12", "a: EXITED -> FATAL", "a restarted too often"]
    );
    let ask = table.ask(Command::ProcessInfo { name: "a".into() });
    let Some(Reply::Info(info)) = table.reply(ask) else { panic!("no info") };
    assert_eq!(info.spawnerr.as_deref(), Some("Restarted too often (startlimit=2/60)"));
    table.advance(3600 * SECOND);
    assert_eq!(table.wanted, [], "only a person starts it again");
}

#[test]
fn a_start_by_hand_begins_a_new_count_of_restarts() {
    let (mut table, mut child) = running(RESTLESS);
    for pid in [11, 12] {
        table.dies(child, 9);
        child = table.spawns(pid);
        table.advance(2 * SECOND);
    }
    table.dies(child, 9);
    table.story();
    table.ask(start("a"));
    assert_eq!(table.story(), ["a: FATAL -> STARTING tries 0", "spawn a as 4"]);
    let child = table.spawns(13);
    table.advance(2 * SECOND);
    table.story();
    table.dies(child, 9);
    assert_eq!(
        table.story(),
        ["a: RUNNING -> EXITED expected false pid 13", "a: EXITED -> STARTING tries 0", "spawn a as 5"]
    );
}

#[test]
fn restarts_that_are_long_ago_do_not_count() {
    let (mut table, mut child) = running(RESTLESS);
    for pid in 11..30 {
        table.dies(child, 9);
        assert_eq!(table.wanted.len(), 1, "pid {pid}");
        child = table.spawns(pid);
        table.advance(30 * SECOND);
    }
}

#[test]
fn a_pause_can_lead_out_of_the_limit() {
    // The third restart would come sixty seconds after the first.
    let (mut table, mut child) = running("autorestart=true\nstartlimit=2/60\nrestartpause=28");
    for pid in [11, 12] {
        table.dies(child, 9);
        table.advance(28 * SECOND);
        child = table.spawns(pid);
        table.advance(2 * SECOND);
    }
    table.story();
    table.dies(child, 9);
    assert_eq!(table.story(), ["a: RUNNING -> EXITED expected false pid 12"]);
    table.advance(28 * SECOND);
    assert_eq!(table.wanted.len(), 1);
}

#[test]
fn failed_attempts_are_not_restarts() {
    let mut table =
        Table::new("[program:a]\ncommand=/bin/a\nautorestart=true\nstartlimit=1/600\nstartretries=9");
    for attempt in 1..=5 {
        let child = table.spawns(attempt);
        table.exits(child, 1);
        table.advance(10 * SECOND);
    }
    let child = table.spawns(6);
    table.advance(SECOND);
    table.exits(child, 1);
    assert_eq!(table.wanted.len(), 1, "the first restart of all");
}

#[test]
fn a_job_that_is_done_at_once_has_not_failed() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\ntype=oneshot\nstartsecs=10\nautostart=false");
    table.story();
    let ask = table.ask(start("a"));
    let child = table.spawns(5);
    table.exits(child, 0);
    assert_eq!(
        table.story(),
        [
            "a: STOPPED -> STARTING tries 0",
            "spawn a as 1",
            "a: STARTING -> RUNNING pid 5",
            "a: RUNNING -> EXITED expected true pid 5"
        ]
    );
    assert_eq!(table.reply(ask), Some(&Reply::Done), "whoever asked for the job is told that it went well");
    table.advance(3600 * SECOND);
    assert_eq!(table.wanted, []);
}

#[test]
fn a_job_that_fails_at_once_is_retried_as_ever() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\ntype=oneshot\nstartsecs=10\nautostart=false");
    let ask = table.ask(start("a"));
    let child = table.spawns(5);
    table.story();
    table.exits(child, 1);
    assert_eq!(table.story(), ["a: STARTING -> BACKOFF tries 1"]);
    assert_eq!(table.reply(ask), Some(&Reply::Fault(Fault::SpawnError { name: "a".into() })));
    table.advance(SECOND);
    let child = table.spawns(6);
    table.story();
    table.exits(child, 0);
    assert_eq!(
        table.story(),
        ["a: STARTING -> RUNNING pid 6", "a: RUNNING -> EXITED expected true pid 6"],
        "the second attempt did the work"
    );
}

#[test]
fn a_simple_program_that_ends_at_once_has_failed_whatever_its_code() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\ntype=simple");
    let child = table.spawns(5);
    table.story();
    table.exits(child, 0);
    assert_eq!(table.story(), ["a: STARTING -> BACKOFF tries 1"]);
}

#[test]
fn a_job_that_comes_back_keeps_the_pace() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\ntype=oneshot\nautorestart=true");
    for pid in 1..=5 {
        let child = table.spawns(pid);
        table.exits(child, 0);
        table.advance(SECOND - MOMENT);
        assert_eq!(table.wanted, []);
        table.advance(MOMENT);
        assert_eq!(table.wanted.len(), 1);
    }
}
