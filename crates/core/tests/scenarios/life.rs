//! Starts, restarts and retries, as Supervisor knows them (SPEC 3.2).

use provost_core::{Fault, Input, Now, Reply, Wall};

use crate::common::Table;
use crate::{MOMENT, SECOND, running, start, stop};

#[test]
fn a_program_is_running_after_startsecs() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartsecs=5");
    table.spawns(10);
    table.advance(5 * SECOND - MOMENT);
    assert_eq!(table.story(), ["group a added", "a: STOPPED -> STARTING tries 0", "spawn a as 1"]);
    table.advance(MOMENT);
    assert_eq!(table.story(), ["a: STARTING -> RUNNING pid 10"]);
}

#[test]
fn startsecs_zero_means_running_at_once() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartsecs=0");
    table.story();
    table.spawns(10);
    assert_eq!(table.story(), ["a: STARTING -> RUNNING pid 10"]);
}

#[test]
fn a_program_killed_after_a_second_is_replaced_at_once() {
    let (mut table, child) = running("autorestart=true");
    table.dies(child, 9);
    assert_eq!(
        table.story(),
        ["a: RUNNING -> EXITED expected false pid 10", "a: EXITED -> STARTING tries 0", "spawn a as 4"]
    );
}

#[test]
fn a_running_program_may_be_replaced_without_asking_until_it_is_to_stop() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a");
    let child = table.spawns(10);
    assert_eq!(table.relaunches, []);
    table.advance(SECOND);
    let [(of, next)] = table.relaunches[..] else { panic!("{:?}", table.relaunches) };
    assert_eq!(of, child);
    table.story();
    table.is_replaced(child, 9, next);
    assert_eq!(
        table.story(),
        ["a: RUNNING -> EXITED expected false pid 10", "a: EXITED -> STARTING tries 0", "take over 3"]
    );
    table.feed(Input::Spawned { child: next, pid: 11, at: table.now });
    table.advance(SECOND);
    assert_eq!(table.relaunches.len(), 1, "the next one may be replaced as well");
    table.story();
    table.ask(stop("a"));
    assert_eq!(table.relaunches, []);
    assert_eq!(table.story(), ["a: RUNNING -> STOPPING pid 11", "kill 3 with 15 (Process)"]);
}

#[test]
fn who_must_wait_or_be_counted_or_stay_away_is_never_replaced_without_asking() {
    for options in ["autorestart=false", "restartpause=1", "startlimit=3/60"] {
        let (table, _) = running(&format!("autorestart=true\n{options}"));
        assert_eq!(table.relaunches, [], "{options}");
    }
}

#[test]
fn a_program_that_ends_at_once_is_restarted_once_a_second() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartsecs=0\nautorestart=true");
    for pid in 1..=5 {
        let child = table.spawns(pid);
        table.exits(child, 0);
        table.advance(SECOND - MOMENT);
        assert_eq!(table.wanted, []);
        table.advance(MOMENT);
        assert_eq!(table.wanted.len(), 1, "the next one after a second, no sooner");
    }
}

#[test]
fn autorestart_and_exitcodes_decide_who_comes_back() {
    for (options, code, comes_back) in [
        ("autorestart=true", 0, true),
        ("autorestart=false", 1, false),
        ("autorestart=unexpected", 0, false),
        ("autorestart=unexpected", 1, true),
        ("autorestart=unexpected\nexitcodes=0,1", 1, false),
        ("autorestart=unexpected\nexitcodes=", 0, true),
    ] {
        let (mut table, child) = running(options);
        table.exits(child, code);
        assert_eq!(!table.wanted.is_empty(), comes_back, "{options:?}, exit status {code}");
    }
}

#[test]
fn retries_wait_one_second_longer_each_time_and_end_in_fatal() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartretries=2");
    for (attempt, wait) in [(1, 1), (2, 2)] {
        let child = table.spawns(attempt);
        table.exits(child, 0);
        table.advance(wait * SECOND - MOMENT);
        assert_eq!(table.wanted, [], "attempt {attempt}");
        table.advance(MOMENT);
        assert_eq!(table.wanted.len(), 1, "attempt {attempt}");
    }
    table.story();
    let child = table.spawns(3);
    table.exits(child, 0);
    assert_eq!(table.story(), ["a: STARTING -> BACKOFF tries 3", "a: BACKOFF -> FATAL", "a given up"]);
    table.advance(3600 * SECOND);
    assert_eq!(table.wanted, []);
}

#[test]
fn a_person_starts_a_fatal_program_with_all_its_retries() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartretries=0");
    let child = table.spawns(1);
    table.exits(child, 0);
    table.story();
    let ask = table.ask(start("a"));
    assert_eq!(table.story(), ["a: FATAL -> STARTING tries 0", "spawn a as 2"]);
    table.spawns(2);
    assert_eq!(table.reply(ask), None);
    table.advance(SECOND);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
}

#[test]
fn a_start_that_fails_is_answered_with_the_failure() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nautostart=false");
    let ask = table.ask(start("a"));
    let child = table.spawns(1);
    table.exits(child, 0);
    assert_eq!(table.reply(ask), Some(&Reply::Fault(Fault::SpawnError { name: "a".into() })));
}

#[test]
fn starting_what_runs_or_stops_changes_nothing() {
    let (mut table, _) = running("");
    let again = table.ask(start("a"));
    assert_eq!(table.reply(again), Some(&Reply::Fault(Fault::AlreadyStarted { name: "a".into() })));
    table.ask(stop("a"));
    let during = table.ask(start("a"));
    assert_eq!(table.reply(during), Some(&Reply::Fault(Fault::AbnormalTermination { name: "a".into() })));
    assert_eq!(table.wanted, []);
}

#[test]
fn a_jump_of_the_wall_clock_moves_no_deadline() {
    let (mut table, _) = running("stopwaitsecs=10");
    table.ask(stop("a"));
    table.now = Now { wall: Wall(table.now.wall.0 - 86_400_000), ..table.now };
    table.story();
    table.advance(9 * SECOND);
    assert_eq!(table.story(), Vec::<String>::new());
    table.advance(SECOND);
    assert_eq!(table.story(), ["kill 1 with 9 (Process)"]);
}
