//! A group goes over to the configuration last read while it runs.

use std::time::Duration;

use provost_core::{AskId, ChildId, Command, Effect, Fate, Fault, Input, Reply, Standing, State};

use crate::common::{Table, config};
use crate::{SECOND, running, start, stop};

const TWO: &str = "[group:g]\nprograms=a,b\n[program:a]\ncommand=a\n[program:b]\ncommand=b\n";

/// The files say this now, and somebody has read them.
fn reread(table: &mut Table, text: &str) {
    table.on_disk = Ok(config(text));
    table.ask(Command::Reread);
}

fn update(table: &mut Table, group: &str) -> AskId {
    table.ask(Command::UpdateGroup { name: group.into(), restart_all: false })
}

/// `a and b` of group g, which run.
fn two() -> (Table, ChildId, ChildId) {
    let mut table = Table::new(TWO);
    let (a, b) = (table.spawns(1), table.spawns(2));
    table.advance(10 * SECOND);
    table.story();
    (table, a, b)
}

/// `name fate`, with `!` where it has failed.
fn told(table: &Table, ask: AskId) -> Option<Vec<String>> {
    match table.reply(ask)? {
        Reply::Updated(all) => {
            let mark = |failed| if failed { "!" } else { "" };
            Some(all.iter().map(|p| format!("{} {:?}{}", p.name, p.fate, mark(p.result.is_err()))).collect())
        }
        Reply::Fault(fault) => Some(vec![format!("{fault:?}")]),
        other => panic!("no answer to an update: {other:?}"),
    }
}

fn state(table: &mut Table, name: &str) -> State {
    let ask = table.ask(Command::ProcessInfo { name: name.into() });
    match table.reply(ask) {
        Some(Reply::Info(info)) => info.state,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn only_what_has_to_be_is_started_again() {
    let (mut table, a, _) = two();
    reread(&mut table, &TWO.replace("command=a", "command=a new"));
    let ask = update(&mut table, "g");
    assert_eq!(
        table.story(),
        ["a: RUNNING -> STOPPING pid 1", "kill 1 with 15 (Process)", "group g renewed"]
    );
    assert_eq!(told(&table, ask), None);
    table.dies(a, 15);
    assert_eq!(
        table.story(),
        ["a: STOPPING -> STOPPED pid 1", "a: STOPPED -> STARTING tries 0", "spawn a as 7"]
    );
    assert_eq!(told(&table, ask), None);
    table.spawns(11);
    assert_eq!(told(&table, ask).unwrap(), ["a Restarted", "b Untouched"]);
    let nothing = Reply::Reread { added: vec![], changed: vec![], removed: vec![] };
    let again = table.ask(Command::Reread);
    assert_eq!(table.reply(again), Some(&nothing));
}

#[test]
fn what_needs_no_restart_holds_from_the_next_decision_on() {
    let (mut table, a) = running("stopwaitsecs=10\nautorestart=true");
    assert_eq!(table.relaunches.len(), 1);
    reread(&mut table, "[program:a]\ncommand=/bin/a\nstopwaitsecs=99\nstopsignal=INT\nautorestart=false");
    let ask = update(&mut table, "a");
    assert_eq!(told(&table, ask).unwrap(), ["a Changed"]);
    assert_eq!(table.story(), ["group a renewed", "a goes on otherwise"]);
    assert_eq!(table.relaunches, [], "what was promised to the keeper is taken back");
    table.ask(stop("a"));
    assert_eq!(table.story(), ["a: RUNNING -> STOPPING pid 10", "kill 1 with 2 (Process)"]);
    table.advance(98 * SECOND);
    assert_eq!(table.story(), Vec::<String>::new());
    table.advance(SECOND);
    assert_eq!(table.story(), ["kill 1 with 9 (Process)"]);
    table.dies(a, 9);
}

#[test]
fn other_expected_codes_are_promised_anew() {
    let (mut table, a) = running("exitcodes=0");
    reread(&mut table, "[program:a]\ncommand=/bin/a\nexitcodes=0,3");
    update(&mut table, "a");
    let [(of, next)] = table.relaunches[..] else { panic!("{:?}", table.relaunches) };
    assert_eq!((of, next), (a, ChildId(4)));
    table.story();
    table.exits(a, 3);
    assert_eq!(table.story(), ["a: RUNNING -> EXITED expected true pid 10"]);
}

#[test]
fn a_keeper_that_was_quicker_than_the_change_has_its_child_taken_over() {
    let (mut table, a) = running("autorestart=true");
    let (_, next) = table.relaunches[0];
    reread(&mut table, "[program:a]\ncommand=/bin/a\nautorestart=false");
    update(&mut table, "a");
    table.story();
    table.is_replaced(a, 9, next);
    assert_eq!(
        table.story(),
        ["a: RUNNING -> EXITED expected false pid 10", "a: EXITED -> STARTING tries 0", "take over 3"]
    );
}

#[test]
fn a_larger_startsecs_counts_for_the_start_that_is_under_way() {
    let mut table = Table::new("[program:a]\ncommand=a\nstartsecs=5\n");
    table.spawns(1);
    table.advance(3 * SECOND);
    reread(&mut table, "[program:a]\ncommand=a\nstartsecs=8\n");
    update(&mut table, "a");
    table.advance(3 * SECOND);
    assert_eq!(state(&mut table, "a"), State::Starting);
    reread(&mut table, "[program:a]\ncommand=a\nstartsecs=1\n");
    update(&mut table, "a");
    assert_eq!(state(&mut table, "a"), State::Running);
}

#[test]
fn what_is_down_starts_if_it_has_changed_and_starts_by_itself() {
    for (extra, expected) in [("startsecs=2", true), ("startsecs=2\nautostart=false", false), ("", false)] {
        let (mut table, a, _) = two();
        table.ask(stop("g:a"));
        table.dies(a, 15);
        table.story();
        let changed = TWO.replace("command=a", &format!("command=a\n{extra}"));
        reread(&mut table, &format!("{changed}startsecs=7\n"));
        let ask = update(&mut table, "g");
        let starts = table.wanted.iter().any(|(_, name)| name == "a");
        assert_eq!(starts, expected, "{extra}");
        if starts {
            assert_eq!(told(&table, ask), None, "{extra}");
            table.spawns(3);
        }
        assert!(told(&table, ask).is_some(), "{extra}");
    }
}

#[test]
fn processes_come_and_go_with_their_number() {
    let several = |n: u32| {
        format!("[program:w]\ncommand=w\nnumprocs={n}\nprocess_name=w%(process_num)s\nautostart=true\n")
    };
    let mut table = Table::new(&several(2));
    let _first = [table.spawns(1), table.spawns(2)];
    table.advance(10 * SECOND);
    reread(&mut table, &several(4));
    let ask = update(&mut table, "w");
    let second = [table.spawns(3), table.spawns(4)];
    assert_eq!(told(&table, ask).unwrap(), ["w0 Untouched", "w1 Untouched", "w2 Added", "w3 Added"]);
    table.advance(10 * SECOND);
    table.story();
    reread(&mut table, &several(2));
    let ask = update(&mut table, "w");
    assert_eq!(
        table.story(),
        [
            "w3: RUNNING -> STOPPING pid 4",
            "kill 8 with 15 (Process)",
            "w2: RUNNING -> STOPPING pid 3",
            "kill 7 with 15 (Process)"
        ]
    );
    table.dies(second[0], 15);
    assert_eq!(told(&table, ask), None, "the other one lives");
    assert_eq!(table.story(), ["w2: STOPPING -> STOPPED pid 3"]);
    table.dies(second[1], 15);
    assert_eq!(table.story(), ["w3: STOPPING -> STOPPED pid 4", "group w renewed without w2 without w3"]);
    let fates = ["w0 Untouched", "w1 Untouched", "w2 Removed", "w3 Removed"];
    assert_eq!(told(&table, ask).unwrap(), fates);
    let gone = table.ask(Command::ProcessInfo { name: "w:w3".into() });
    assert_eq!(table.reply(gone), Some(&Reply::Fault(Fault::BadName { name: "w:w3".into() })));
}

#[test]
fn what_is_to_be_restarted_waits_until_what_is_removed_has_gone() {
    let (mut table, a, b) = two();
    reread(&mut table, "[group:g]\nprograms=a\n[program:a]\ncommand=other\n");
    let ask = update(&mut table, "g");
    table.story();
    table.dies(a, 15);
    assert_eq!(table.story(), ["a: STOPPING -> STOPPED pid 1"]);
    table.advance(SECOND);
    assert_eq!(table.wanted, [], "the old configuration is still in force");
    table.dies(b, 15);
    assert_eq!(
        table.story(),
        [
            "b: STOPPING -> STOPPED pid 2",
            "group g renewed without b",
            "a: STOPPED -> STARTING tries 0",
            "spawn a as 7"
        ]
    );
    table.spawns(3);
    assert_eq!(told(&table, ask).unwrap(), ["a Restarted", "b Removed"]);
}

#[test]
fn another_kind_is_another_group() {
    let (mut table, a) = running("");
    reread(&mut table, "[eventlistener:a]\ncommand=/bin/a\nevents=TICK_5\nautostart=false\n");
    let ask = update(&mut table, "a");
    table.story();
    table.dies(a, 15);
    assert_eq!(
        table.story(),
        [
            "a: STOPPING -> STOPPED pid 10",
            "group a removed",
            "pool a of a hears TICK_5",
            "group a added",
            "a: STOPPED -> STARTING tries 0",
            "spawn a as 4"
        ]
    );
    table.spawns(11);
    assert_eq!(told(&table, ask).unwrap(), ["a Restarted"]);
}

#[test]
fn all_of_it_is_restarted_if_that_is_wanted() {
    let (mut table, a, b) = two();
    let ask = table.ask(Command::UpdateGroup { name: "g".into(), restart_all: true });
    table.dies(a, 15);
    table.spawns(3);
    assert_eq!(told(&table, ask), None);
    table.dies(b, 15);
    table.spawns(4);
    assert_eq!(told(&table, ask).unwrap(), ["a Restarted", "b Restarted"]);
}

#[test]
fn the_place_of_a_group_changes_live() {
    let both = |priority: u32| {
        format!("[program:a]\ncommand=a\npriority={priority}\n[program:b]\ncommand=b\npriority=5\n")
    };
    let mut table = Table::new(&both(1));
    let _children = [table.spawns(1), table.spawns(2)];
    table.advance(5 * SECOND);
    reread(&mut table, &both(9));
    table.story();
    update(&mut table, "a");
    assert_eq!(table.story(), ["group a renewed elsewhere", "a goes on otherwise"]);
    let names = table.ask(Command::GroupNames);
    assert_eq!(table.reply(names), Some(&Reply::Names(vec!["b".into(), "a".into()])));
}

// --- people meanwhile ---

#[test]
fn whoever_stops_what_is_to_come_back_has_the_last_word() {
    let (mut table, a, _) = two();
    reread(&mut table, &TWO.replace("command=a", "command=a new"));
    let ask = update(&mut table, "g");
    let late = table.ask(stop("g:a"));
    assert_eq!(table.reply(late), Some(&Reply::Fault(Fault::NotRunning { name: "g:a".into() })));
    table.dies(a, 15);
    assert_eq!(told(&table, ask).unwrap(), ["a Restarted", "b Untouched"]);
    assert_eq!((table.wanted.len(), state(&mut table, "g:a")), (0, State::Stopped));
    table.story();
    table.ask(start("g:a"));
    assert_eq!(table.story(), ["a: STOPPED -> STARTING tries 0", "spawn a as 7"]);
}

#[test]
fn what_somebody_starts_too_early_is_stopped_again() {
    let (mut table, a, b) = two();
    reread(&mut table, "[group:g]\nprograms=a\n[program:a]\ncommand=other\n");
    let ask = update(&mut table, "g");
    table.dies(a, 15);
    table.ask(start("g:a"));
    let early = table.spawns(3);
    assert_eq!(state(&mut table, "g:a"), State::Stopping);
    table.dies(b, 15);
    table.dies(early, 15);
    table.spawns(4);
    assert_eq!(told(&table, ask).unwrap(), ["a Restarted", "b Removed"]);
}

#[test]
fn a_shutdown_ends_it_and_nothing_comes_back() {
    for removes in [true, false] {
        let (mut table, a, b) = two();
        let wanted = if removes { "[group:g]\nprograms=a\n[program:a]\ncommand=other\n" } else { TWO };
        reread(&mut table, &wanted.replace("command=a", "command=other"));
        let ask = update(&mut table, "g");
        table.ask(Command::Shutdown);
        match removes {
            true => assert_eq!(told(&table, ask).unwrap(), ["ShuttingDown"]),
            // It had turned already.
            false => assert_eq!(told(&table, ask).unwrap(), ["a Restarted!", "b Untouched"]),
        }
        table.dies(a, 15);
        table.dies(b, 15);
        assert_eq!((table.wanted.len(), table.story().pop().unwrap()), (0, "finish: exit 0".to_owned()));
    }
}

#[test]
fn a_group_that_has_gone_from_the_files_meanwhile_stays_as_it_was() {
    let (mut table, a, b) = two();
    reread(&mut table, "[group:g]\nprograms=a\n[program:a]\ncommand=other\n");
    let ask = update(&mut table, "g");
    table.dies(a, 15);
    reread(&mut table, "");
    assert_eq!(told(&table, ask).unwrap(), ["BadName { name: \"g\" }"]);
    table.dies(b, 15);
    let names: Vec<&str> = table.wanted.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["a", "b"], "what was stopped for it comes back");
}

#[test]
fn two_who_want_the_same_get_it_one_after_the_other() {
    let (mut table, a, b) = two();
    reread(&mut table, "[group:g]\nprograms=a\n[program:a]\ncommand=other\n");
    let first = update(&mut table, "g");
    let second = update(&mut table, "g");
    table.dies(b, 15);
    table.dies(a, 15);
    table.spawns(3);
    assert_eq!(told(&table, first).unwrap(), ["a Restarted", "b Removed"]);
    assert_eq!(told(&table, second).unwrap(), ["a Untouched"]);
}

#[test]
fn nobody_of_that_name() {
    let (mut table, _) = running("");
    let ask = update(&mut table, "none");
    assert_eq!(told(&table, ask).unwrap(), ["BadName { name: \"none\" }"]);
}

#[test]
fn what_cannot_be_signalled_is_told_and_not_lost() {
    let (mut table, a, b) = two();
    reread(&mut table, "[group:g]\nprograms=b\n[program:b]\ncommand=other\n");
    let ask = update(&mut table, "g");
    table.feed(Input::KillFailed { child: a, reason: "no".into() });
    assert_eq!(told(&table, ask).unwrap(), ["Failed { detail: \"g:a could not be signalled\" }"]);
    table.dies(b, 15);
    table.spawns(3);
    assert_eq!((state(&mut table, "g:a"), state(&mut table, "g:b")), (State::Unknown, State::Starting));
}

#[test]
fn an_end_of_the_others_is_no_end_of_all_while_one_is_to_come_back() {
    let text = "[program:a]\ncommand=a\n[program:b]\ncommand=b\nautorestart=false\n";
    let mut table = Table::new(text);
    let (a, b) = (table.spawns(1), table.spawns(2));
    table.advance(5 * SECOND);
    reread(&mut table, &text.replace("command=a", "command=other"));
    update(&mut table, "a");
    table.exits(b, 0);
    table.dies(a, 15);
    table.spawns(3);
    assert_eq!(state(&mut table, "a"), State::Starting);
}

// --- brains ---

#[test]
fn a_brain_that_dies_before_the_turn_leaves_what_was() {
    let (mut table, a, _) = two();
    reread(&mut table, "[group:g]\nprograms=a\n[program:a]\ncommand=other\n");
    update(&mut table, "g");
    table.dies(a, 15);
    let remembered = std::mem::take(&mut table.remembered);
    // The next one: b still stops, a is down.
    let mut next = Table::at_rest(TWO);
    next.feed(Input::Adopt {
        group: "g".into(),
        process: "b".into(),
        child: ChildId(2),
        pid: 2,
        started: table.now,
    });
    for ((group, process), memory) in remembered {
        assert!(memory.returns, "{process}");
        next.feed(Input::Recall { group, process, memory: Box::new(memory) });
    }
    next.story();
    next.feed(Input::Begin);
    let told = next.story();
    assert_eq!(told[told.len() - 2..], ["a: STOPPED -> STARTING tries 0", "spawn a as 1"]);
    next.dies(ChildId(2), 15);
    assert_eq!(next.wanted.len(), 2, "both are there again, as they were");
}

#[test]
fn what_was_to_come_back_does_not_when_the_end_has_begun() {
    let (mut table, a, _) = two();
    reread(&mut table, &TWO.replace("command=a", "command=other"));
    update(&mut table, "g");
    table.ask(Command::Shutdown);
    assert!(table.remembered.values().all(|memory| !memory.returns));
    table.dies(a, 15);
    assert_eq!(table.wanted, []);
}

// --- asked beforehand ---

#[test]
fn it_is_told_beforehand_and_nothing_follows_from_that() {
    let text = format!("{TWO}[program:old]\ncommand=x\n");
    let mut table = Table::new(&text);
    table.spawns(1);
    table.advance(5 * SECOND);
    table.ask(stop("g:b"));
    table.story();
    let files = "[group:g]\nprograms=a,b\n[program:a]\ncommand=other\n[program:b]\ncommand=b\nstartsecs=3\n\
                 [program:new]\ncommand=y\n";
    table.on_disk = Ok(config(files));
    let ask = table.ask(Command::CompareConfig);
    let Some(Reply::Compared(all)) = table.reply(ask).cloned() else { panic!("no comparison") };
    let names: Vec<_> = all.iter().map(|one| (one.name.as_str(), one.standing)).collect();
    assert_eq!(names, [("old", Standing::Removed), ("g", Standing::Changed), ("new", Standing::Added)]);
    let [a, b] = &all[1].changes.processes[..] else { panic!("{all:?}") };
    assert_eq!((a.fate, a.changes[0].effect), (Fate::Restarted, Effect::Restart));
    assert_eq!((b.fate, b.changes[0].key.as_str()), (Fate::Changed, "startsecs"));
    assert!(all[1].running.contains("a") && !all[1].starting.contains("a"));
    // It has never had a child, so it is down.
    assert_eq!(table.story(), Vec::<String>::new());
    let update = update(&mut table, "new");
    assert_eq!(told(&table, update).unwrap(), ["BadName { name: \"new\" }"], "nobody has read that");
    table.on_disk = Err("no good".into());
    let ask = table.ask(Command::CompareConfig);
    assert_eq!(table.reply(ask), Some(&Reply::Fault(Fault::CantReread { detail: "no good".into() })));
    table.advance(Duration::from_secs(1));
}
