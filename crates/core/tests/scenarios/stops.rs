//! Stops: of one program, and of everything (SPEC 3.3, 3.8).

use provost_core::{Command, Fault, Input, Reply, SpawnError, SpawnErrorKind, Target};

use crate::common::Table;
use crate::{SECOND, running, start, stop};

#[test]
fn a_stop_is_answered_when_the_child_is_gone() {
    let (mut table, child) = running("stopsignal=QUIT\nautorestart=true");
    let ask = table.ask(stop("a"));
    assert_eq!(table.story(), ["a: RUNNING -> STOPPING pid 10", "kill 1 with 3 (Process)"]);
    let second = table.ask(stop("a"));
    assert_eq!(table.reply(second), Some(&Reply::Fault(Fault::NotRunning { name: "a".into() })));
    assert_eq!(table.reply(ask), None);
    table.exits(child, 0);
    assert_eq!(table.story(), ["a: STOPPING -> STOPPED pid 10"]);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
}

#[test]
fn a_child_that_ignores_the_stop_is_killed_and_killed_again() {
    let (mut table, child) = running("stopwaitsecs=3\nstopasgroup=true");
    table.ask(stop("a"));
    table.story();
    table.advance(7 * SECOND);
    assert_eq!(table.story(), ["kill 1 with 9 (Group)", "kill 1 with 9 (Group)"]);
    table.dies(child, 9);
    assert_eq!(table.story(), ["a: STOPPING -> STOPPED pid 10"]);
}

#[test]
fn a_stop_before_the_child_is_there_reaches_it() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a");
    table.story();
    let ask = table.ask(stop("a"));
    assert_eq!(table.story(), ["a: STARTING -> STOPPING pid 0", "kill 1 with 15 (Process)"]);
    let child = table.spawns(10);
    table.dies(child, 15);
    assert_eq!(table.story(), ["a: STOPPING -> STOPPED pid 10"]);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
}

#[test]
fn stopping_between_two_attempts_needs_no_signal_and_forgets_the_failures() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a");
    let child = table.spawns(1);
    table.exits(child, 1);
    table.story();
    let ask = table.ask(stop("a"));
    assert_eq!(table.story(), ["a: BACKOFF -> STOPPED pid 0"]);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
    table.ask(start("a"));
    assert_eq!(table.story(), ["a: STOPPED -> STARTING tries 0", "spawn a as 2"]);
}

#[test]
fn whoever_stops_a_program_that_is_about_to_come_back_keeps_it_down() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartsecs=0\nautorestart=true");
    let child = table.spawns(1);
    table.exits(child, 0);
    let ask = table.ask(stop("a"));
    assert_eq!(table.reply(ask), Some(&Reply::Fault(Fault::NotRunning { name: "a".into() })));
    table.advance(3600 * SECOND);
    assert_eq!(table.wanted, []);
}

#[test]
fn a_signal_that_is_refused_makes_the_process_unknown_until_it_ends() {
    let (mut table, child) = running("autorestart=true");
    let ask = table.ask(stop("a"));
    table.story();
    table.feed(Input::KillFailed { child, reason: "EPERM".into() });
    assert_eq!(table.story(), ["a: STOPPING -> UNKNOWN"]);
    assert!(matches!(table.reply(ask), Some(Reply::Fault(Fault::Failed { .. }))));
    let removal = table.ask(Command::RemoveGroup { name: "a".into() });
    assert_eq!(table.reply(removal), Some(&Reply::Fault(Fault::StillRunning { name: "a".into() })));
    table.exits(child, 0);
    assert_eq!(table.story(), ["a: UNKNOWN -> STOPPED pid 10"]);
}

#[test]
fn a_child_that_refused_a_signal_and_never_came_to_be_is_no_longer_unknown() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a");
    let (child, _) = table.wanted.remove(0);
    table.ask(stop("a"));
    table.feed(Input::KillFailed { child, reason: "EPERM".into() });
    table.story();
    let error = SpawnError { kind: SpawnErrorKind::Resources, text: "too many open files".into() };
    table.feed(Input::SpawnFailed { child, error });
    assert_eq!(table.story(), ["a: UNKNOWN -> STOPPED pid 0"]);
    table.ask(start("a"));
    assert_eq!(table.wanted.len(), 1);
}

const THREE: &str = "[program:low]\ncommand=/bin/x\npriority=1\n[program:b]\ncommand=/bin/x\npriority=5\n\
                     [program:a]\ncommand=/bin/x\npriority=5";

#[test]
fn shutdown_goes_from_the_highest_priority_down_and_equals_stop_side_by_side() {
    let mut table = Table::new(THREE);
    let [low, a, b] = [table.spawns(1), table.spawns(2), table.spawns(3)];
    table.advance(2 * SECOND);
    table.story();
    table.feed(Input::Signal(15));
    assert_eq!(
        table.story(),
        [
            "stopping",
            "b: RUNNING -> STOPPING pid 3",
            "kill 3 with 15 (Process)",
            "a: RUNNING -> STOPPING pid 2",
            "kill 2 with 15 (Process)",
            "waiting for low, a, b"
        ]
    );
    table.dies(a, 15);
    assert_eq!(table.story(), ["a: STOPPING -> STOPPED pid 2"]);
    table.dies(b, 15);
    assert_eq!(
        table.story(),
        ["b: STOPPING -> STOPPED pid 3", "low: RUNNING -> STOPPING pid 1", "kill 1 with 15 (Process)"]
    );
    table.dies(low, 15);
    assert_eq!(table.story(), ["low: STOPPING -> STOPPED pid 1", "finish: exit 0"]);
}

#[test]
fn nothing_is_started_while_everything_stops_and_whoever_waits_is_told() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\n[program:b]\ncommand=/bin/b");
    let [a, b] = [table.spawns(1), table.spawns(2)];
    table.exits(b, 1);
    let waiting = table.ask(Command::Start { target: Target::all(), wait: true });
    table.ask(Command::Shutdown);
    assert!(matches!(table.reply(waiting), Some(Reply::Statuses(_))));
    let late = table.ask(start("b"));
    assert_eq!(table.reply(late), Some(&Reply::Fault(Fault::ShuttingDown)));
    table.story();
    table.advance(60 * SECOND);
    assert!(table.wanted.is_empty());
    table.dies(a, 9);
    assert_eq!(table.story().last().map(String::as_str), Some("finish: exit 0"));
}

#[test]
fn a_stop_that_comes_too_late_stops_the_one_that_took_its_place() {
    let (mut table, child) = running("autorestart=true");
    let (_, next) = table.relaunches[0];
    let ask = table.ask(stop("a"));
    table.story();
    table.is_replaced(child, 9, next);
    assert_eq!(table.story(), ["take over 3", "kill 3 with 15 (Process)"]);
    assert_eq!(table.reply(ask), None);
    table.feed(Input::Spawned { child: next, pid: 11, at: table.now });
    table.dies(next, 15);
    assert_eq!(table.story(), ["a: STOPPING -> STOPPED pid 11"]);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
}

#[test]
fn a_program_replaced_while_everything_stops_is_stopped_in_its_turn() {
    let mut table = Table::new(
        "[program:a]\ncommand=/bin/a\nautorestart=true\npriority=1\n[program:b]\ncommand=/bin/b\npriority=2",
    );
    let [a, b] = [10, 11].map(|pid| table.spawns(pid));
    table.advance(60 * SECOND);
    let next = table.relaunches.iter().find(|(of, _)| *of == a).expect("it is RUNNING").1;
    table.story();
    table.feed(Input::Signal(15));
    assert_eq!(table.relaunches, [], "nobody is replaced any more");
    table.story();
    // But this one had been, when the order not to was still on its way.
    table.is_replaced(a, 9, next);
    assert_eq!(
        table.story(),
        ["a: RUNNING -> EXITED expected false pid 10", "a: EXITED -> STARTING tries 0", "take over 4"]
    );
    table.dies(b, 15);
    table.feed(Input::Spawned { child: next, pid: 12, at: table.now });
    let story = table.story();
    assert!(story.contains(&"a: STARTING -> STOPPING pid 0".to_owned()), "{story:?}");
    table.dies(next, 15);
    assert!(table.story().contains(&"finish: exit 0".to_owned()));
}
