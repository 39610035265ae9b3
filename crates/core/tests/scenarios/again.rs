//! Restarts of processes: all of them down first, then up again, and one answer. And whom a command reaches.

use provost_core::{Command, Fault, Programs, Reply, Target};

use crate::common::Table;
use crate::{MOMENT, SECOND, running, stop};

fn restart(target: Target) -> Command {
    Command::Restart { target, wait: true }
}

#[test]
fn a_restart_is_answered_when_the_new_child_runs() {
    let (mut table, child) = running("");
    let ask = table.ask(restart(Target::named("a")));
    assert_eq!(table.story(), ["a: RUNNING -> STOPPING pid 10", "kill 1 with 15 (Process)"]);
    table.dies(child, 15);
    assert_eq!(
        table.story(),
        ["a: STOPPING -> STOPPED pid 10", "a: STOPPED -> STARTING tries 0", "spawn a as 4"]
    );
    assert_eq!(table.reply(ask), None);
    table.spawns(11);
    table.advance(SECOND + MOMENT);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
}

#[test]
fn what_is_down_is_just_started() {
    let (mut table, child) = running("");
    table.ask(stop("a"));
    table.exits(child, 0);
    table.story();
    table.ask(restart(Target::named("a")));
    assert_eq!(table.story(), ["a: STOPPED -> STARTING tries 0", "spawn a as 4"]);
}

#[test]
fn nothing_is_started_before_all_is_down() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\n[program:b]\ncommand=/bin/b");
    let (a, b) = (table.spawns(10), table.spawns(11));
    table.advance(5 * SECOND);
    table.story();
    let ask = table.ask(restart(Target::all()));
    table.story();
    table.dies(b, 15);
    assert_eq!(table.story(), ["b: STOPPING -> STOPPED pid 11"]);
    table.dies(a, 15);
    let story = table.story();
    assert_eq!(story[0], "a: STOPPING -> STOPPED pid 10");
    assert!(story[1].starts_with("a: STOPPED -> STARTING"), "{story:?}");
    table.spawns(12);
    table.spawns(13);
    table.advance(SECOND + MOMENT);
    let Some(Reply::Statuses(entries)) = table.reply(ask) else { panic!("{:?}", table.reply(ask)) };
    assert!(entries.len() == 2 && entries.iter().all(|entry| entry.result.is_ok()), "{entries:?}");
}

#[test]
fn a_shutdown_answers_whoever_waits_for_a_restart() {
    let (mut table, _child) = running("");
    let ask = table.ask(restart(Target::named("a")));
    table.ask(Command::Shutdown);
    assert_eq!(table.reply(ask), Some(&Reply::Fault(Fault::ShuttingDown)));
}

#[test]
fn whoever_is_limited_to_some_programs_reaches_no_others() {
    let mut table = Table::new(
        "[program:a]\ncommand=/bin/a\nautostart=false\n[program:b]\ncommand=/bin/b\nautostart=false\n\
         [program:c]\ncommand=/bin/c\nautostart=false\n[group:g]\nprograms=b,c",
    );
    table.story();
    let programs = Programs::parse("g:b").unwrap();
    let start = |mut target: Target| {
        target.programs = programs.clone();
        Command::Start { target, wait: false }
    };
    let bad_name = |name: &str| Some(Reply::Fault(Fault::BadName { name: name.into() }));
    for (target, name) in [
        (Target::named("a"), "a"),
        (Target::named("g:c"), "g:c"),
        (Target::named("a:*"), "a"),
        (Target::group("a"), "a"),
        (Target::named("nobody"), "nobody"),
    ] {
        let ask = table.ask(start(target));
        assert_eq!(table.reply(ask), bad_name(name).as_ref());
    }
    assert_eq!(table.story(), [""; 0]);
    for target in [Target::all(), Target::group("g"), Target::named("g:*"), Target::named("g:b")] {
        table.ask(start(target));
        let story = table.story();
        assert!(story.iter().all(|line| !line.starts_with("a:") && !line.starts_with("c:")), "{story:?}");
    }
    // The whole of it has been as good as any start.
    table.spawns(10);
    table.advance(SECOND + MOMENT);
    assert_eq!(table.story(), ["b: STARTING -> RUNNING pid 10"]);
}
