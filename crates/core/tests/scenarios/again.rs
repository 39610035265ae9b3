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

// --- lists of names and patterns ---

fn told(table: &Table, ask: provost_core::AskId) -> Vec<(String, String)> {
    let Some(Reply::Statuses(entries)) = table.reply(ask) else { panic!("{:?}", table.reply(ask)) };
    let told = entries.iter().map(|entry| {
        let result = entry.result.as_ref().map_or_else(|fault| format!("{fault:?}"), |()| "ok".to_owned());
        (format!("{}:{}", entry.group, entry.name), result)
    });
    told.collect()
}

const LISTED: &str = "[program:web-1]\ncommand=/bin/x\npriority=9\n[program:web-2]\ncommand=/bin/x\npriority=1\n\
    [program:x]\ncommand=/bin/x\n[program:w[12]]\ncommand=/bin/x\n[group:g]\nprograms=x";

#[test]
fn a_list_is_carried_out_together_and_answered_in_its_order() {
    let mut table = Table::new(LISTED);
    let children: Vec<_> = (10..14).map(|pid| table.spawns(pid)).collect();
    table.advance(5 * SECOND);
    table.story();
    let names = ["g:*", "nobody", "web-*", "w*", "x:x"];
    let ask = table.ask(Command::Stop { target: Target::matching(names), wait: true });
    // In the order of all stops of several, by priority, before any of them has ended.
    let stopping: Vec<_> = table.story().into_iter().filter(|line| line.contains("STOPPING")).collect();
    assert_eq!(stopping.len(), 4, "{stopping:?}");
    assert!(stopping[0].starts_with("web-2:"), "{stopping:?}");
    for child in children.into_iter().rev() {
        assert_eq!(table.reply(ask), None);
        table.dies(child, 15);
    }
    let name = |name: &str| name.to_owned();
    let bad = |name: &str| format!("{:?}", Fault::BadName { name: name.to_owned() });
    let ok = || "ok".to_owned();
    assert_eq!(
        told(&table, ask),
        [
            (name("g:x"), ok()),
            (name("nobody:nobody"), bad("nobody")),
            (name("web-2:web-2"), ok()),
            (name("web-1:web-1"), ok()),
            (name("w[12]:w[12]"), ok()),
            (name("x:x"), bad("x:x")),
        ]
    );
}

#[test]
fn a_name_is_answered_for_however_it_is_and_a_pattern_for_whom_it_concerns() {
    let mut table = Table::new(LISTED);
    let start = |names: &[&str]| Command::Start { target: Target::matching(names.to_vec()), wait: false };
    let ask = table.ask(start(&["web-?", "g:[!y]", "web-1", "web-1"]));
    let fault = Fault::AlreadyStarted { name: "web-1".to_owned() };
    assert_eq!(told(&table, ask), [("web-1:web-1".to_owned(), format!("{fault:?}"))]);
    // What is really called so comes before what it could mean as a pattern.
    let ask = table.ask(start(&["w[12]"]));
    assert_eq!(told(&table, ask).len(), 1);
    let ask = table.ask(start(&[]));
    assert_eq!(told(&table, ask), []);
}

#[test]
fn a_list_reaches_no_further_than_whoever_gives_it() {
    let mut table = Table::new(LISTED);
    let mut target = Target::matching(["*", "g:*", "x", "web-1", "w[12]"]);
    target.programs = Programs::parse("web-1").unwrap();
    let ask = table.ask(Command::Signal { target, signal: "HUP".into() });
    let named = told(&table, ask).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(named, ["web-1:web-1", "g:*", "x:x", "w[12]:w[12]"]);
}
