//! Whole groups, and the configuration they come from (SPEC 6.7).

use provost_core::{Command, Fault, Input, Reply, Target};

use crate::common::{Table, config};
use crate::{SECOND, running, stop};

#[test]
fn a_broken_file_stops_neither_reread_nor_restart_from_answering() {
    let (mut table, _) = running("");
    table.on_disk = Err("no good".into());
    for command in [Command::Reread, Command::Reload] {
        let ask = table.ask(command);
        let fault = Fault::CantReread { detail: "no good".into() };
        assert_eq!(table.reply(ask), Some(&Reply::Fault(fault)));
    }
    table.feed(Input::Signal(1));
    assert_eq!(table.story(), ["no restart: no good", "no restart: no good"]);
    let alive = table.ask(Command::Ping);
    assert_eq!(table.reply(alive), Some(&Reply::Done));
}

#[test]
fn a_changed_program_is_named_and_its_group_can_be_exchanged() {
    let (mut table, child) = running("autorestart=false");
    table.on_disk = Ok(config("[program:a]\ncommand=/bin/a\nautorestart=true\n[program:n]\ncommand=/bin/n"));
    let ask = table.ask(Command::Reread);
    let Some(Reply::Reread { added, changed, removed }) = table.reply(ask) else { panic!("no diff") };
    assert_eq!((added.join(" "), changed.join(" "), removed.join(" ")), ("n".into(), "a".into(), "".into()));

    let early = table.ask(Command::RemoveGroup { name: "a".into() });
    assert_eq!(table.reply(early), Some(&Reply::Fault(Fault::StillRunning { name: "a".into() })));
    table.ask(stop("a"));
    table.exits(child, 0);
    table.story();
    table.ask(Command::RemoveGroup { name: "a".into() });
    table.ask(Command::AddGroup { name: "a".into() });
    assert_eq!(
        table.story(),
        ["group a removed", "group a added", "a: STOPPED -> STARTING tries 0", "spawn a as 2"]
    );
}

#[test]
fn a_whole_group_is_answered_in_order_of_completion() {
    let mut table = Table::new(
        "[program:x]\ncommand=/bin/x\n[program:y]\ncommand=/bin/y\nstartsecs=0\n[group:g]\nprograms=x,y",
    );
    let [x, y] = [table.spawns(1), table.spawns(2)];
    table.advance(2 * SECOND);
    let ask = table.ask(Command::Stop { target: Target::named("g:*"), wait: true });
    table.exits(y, 0);
    assert_eq!(table.reply(ask), None);
    table.exits(x, 0);
    let Some(Reply::Statuses(entries)) = table.reply(ask) else { panic!("no list") };
    let names: Vec<_> = entries.iter().map(|entry| (&*entry.name, entry.result.is_ok())).collect();
    assert_eq!(names, [("y", true), ("x", true)]);
}

// --- programs that no file knows ---

fn add(table: &mut Table, program: &str) -> Reply {
    let ask = table.ask(Command::AddProgram { group: "g".into(), program: program.into(), options: vec![] });
    table.reply(ask).expect("it is answered at once here").clone()
}

fn remove(table: &mut Table, process: &str) -> Reply {
    let ask = table.ask(Command::RemoveProcess { group: "g".into(), process: process.into() });
    table.reply(ask).expect("it is answered at once here").clone()
}

#[test]
fn a_program_that_was_added_starts_and_is_no_change_of_its_group() {
    let mut table = Table::new(TWIDDLED);
    table.story();
    assert_eq!(add(&mut table, "x"), Reply::Done);
    assert_eq!(table.story(), ["x: STOPPED -> STARTING tries 0", "spawn x as 1"]);
    assert_eq!(add(&mut table, "x"), Reply::Fault(Fault::BadName { name: "x".into() }));
    let reread = table.ask(Command::Reread);
    let nothing = Reply::Reread { added: vec![], changed: vec![], removed: vec![] };
    assert_eq!(table.reply(reread), Some(&nothing));
    assert_eq!(remove(&mut table, "x"), Reply::Fault(Fault::StillRunning { name: "x".into() }));
    let wrong = Reply::Fault(Fault::IncorrectParameters { detail: "no such program".into() });
    assert_eq!(add(&mut table, "nobody"), wrong);
}

#[test]
fn a_process_that_was_taken_out_is_nobody_until_its_group_is_added_again() {
    let mut table = Table::new(TWIDDLED);
    assert_eq!(remove(&mut table, "a"), Reply::Done);
    assert_eq!(remove(&mut table, "a"), Reply::Fault(Fault::BadName { name: "a".into() }));
    let info = table.ask(Command::ProcessInfo { name: "g:a".into() });
    assert_eq!(table.reply(info), Some(&Reply::Fault(Fault::BadName { name: "g:a".into() })));
    for command in [Command::RemoveGroup { name: "g".into() }, Command::AddGroup { name: "g".into() }] {
        let ask = table.ask(command);
        assert_eq!(table.reply(ask), Some(&Reply::Done));
    }
    assert_eq!(remove(&mut table, "a"), Reply::Done);
    let none = Command::RemoveProcess { group: "none".into(), process: "a".into() };
    let ask = table.ask(none);
    assert_eq!(table.reply(ask), Some(&Reply::Fault(Fault::BadName { name: "group: none".into() })));
}

/// `x` is what is read when somebody adds it.
const TWIDDLED: &str = "[group:g]\nprograms=a\n[program:a]\ncommand=a\nautostart=false\n";
