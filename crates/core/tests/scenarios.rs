//! The life of a process in small stories: given a configuration, when this happens, then that (SPEC 3, 6.6).

mod common;

use std::time::Duration;

use common::{Table, config};
use provost_core::{
    ChildId, Command, ExitStatus, Fault, Input, Memory, Mono, Now, Reply, State, Target, Wall,
};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(10);

fn start(name: &str) -> Command {
    Command::Start { target: Target::Named(name.into()), wait: true }
}

fn stop(name: &str) -> Command {
    Command::Stop { target: Target::Named(name.into()), wait: true }
}

/// One program that runs for an hour already, as pid 10.
fn running(options: &str) -> (Table, ChildId) {
    let mut table = Table::new(&format!("[program:a]\ncommand=/bin/a\n{options}"));
    let child = table.spawns(10);
    table.advance(3600 * SECOND);
    table.story();
    (table, child)
}

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
        ["a: RUNNING -> EXITED expected false pid 10", "a: EXITED -> STARTING tries 0", "spawn a as 2"]
    );
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
    assert_eq!(table.story(), ["low: STOPPING -> STOPPED pid 1", "finish: Exit"]);
}

#[test]
fn nothing_is_started_while_everything_stops_and_whoever_waits_is_told() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a\n[program:b]\ncommand=/bin/b");
    let [a, b] = [table.spawns(1), table.spawns(2)];
    table.exits(b, 1);
    let waiting = table.ask(Command::Start { target: Target::All, wait: true });
    table.ask(Command::Shutdown);
    assert!(matches!(table.reply(waiting), Some(Reply::Statuses(_))));
    let late = table.ask(start("b"));
    assert_eq!(table.reply(late), Some(&Reply::Fault(Fault::ShuttingDown)));
    table.story();
    table.advance(60 * SECOND);
    assert!(table.wanted.is_empty());
    table.dies(a, 9);
    assert_eq!(table.story().last().map(String::as_str), Some("finish: Exit"));
}

#[test]
fn a_broken_file_stops_neither_reread_nor_restart_from_answering() {
    let (mut table, _) = running("");
    table.on_disk = Err("no good".into());
    for command in [Command::Reread, Command::Restart] {
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
    let ask = table.ask(Command::Stop { target: Target::Named("g:*".into()), wait: true });
    table.exits(y, 0);
    assert_eq!(table.reply(ask), None);
    table.exits(x, 0);
    let Some(Reply::Statuses(entries)) = table.reply(ask) else { panic!("no list") };
    let names: Vec<_> = entries.iter().map(|entry| (&*entry.name, entry.result.is_ok())).collect();
    assert_eq!(names, [("y", true), ("x", true)]);
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

#[test]
fn a_child_of_an_earlier_brain_is_taken_over_and_not_started_again() {
    let config = config("[program:a]\ncommand=/bin/a");
    let (mut supervisor, _) = provost_core::Supervisor::new(config, ChildId(8));
    let now = Now { mono: provost_core::Mono(5_000_000_000), wall: Wall(0) };
    let mut actions = Vec::new();
    let adopt =
        Input::Adopt { group: "a".into(), process: "a".into(), child: ChildId(7), pid: 70, started: now };
    supervisor.step(now, adopt, &mut actions);
    supervisor.step(now, Input::Begin, &mut actions);
    let told: Vec<_> = actions.iter().filter_map(common::tell).collect();
    assert_eq!(told, Vec::<String>::new(), "nothing is spawned and no state changes");
    actions.clear();
    supervisor.step(now, Input::Signal(15), &mut actions);
    let told: Vec<_> = actions.iter().filter_map(common::tell).collect();
    assert_eq!(told[1..3], ["a: RUNNING -> STOPPING pid 70", "kill 7 with 15 (Process)"]);
}

/// A brain that goes on after another: what that one knew of the only program, and its child if it lives.
fn resumed(options: &str, memory: Memory, child: Option<i32>) -> (Vec<String>, Table) {
    let mut table = Table::at_rest(&format!("[program:a]\ncommand=/bin/a\n{options}"));
    let (group, process) = ("a".to_owned(), "a".to_owned());
    if let Some(pid) = child {
        let started = memory.started.expect("a child that lives has started");
        let (group, process) = (group.clone(), process.clone());
        table.feed(Input::Adopt { group, process, child: ChildId(7), pid, started });
    }
    table.feed(Input::Recall { group, process, memory });
    table.feed(Input::Begin);
    (table.story(), table)
}

fn memory(state: State, seconds_ago: u64) -> Memory {
    let now = Table::at_rest("").now;
    let at = Now { mono: Mono(now.mono.0 - seconds_ago * 1_000_000_000), ..now };
    Memory { state, backoff: 0, exit: None, started: Some(at), stopped: Some(at), spawnerr: None }
}

#[test]
fn what_was_stopped_done_or_given_up_stays_so_with_the_next_brain() {
    for state in [State::Stopped, State::Fatal, State::Exited] {
        let done = Memory { exit: Some(ExitStatus::Code(0)), ..memory(state, 60) };
        let (story, mut table) = resumed("", done, None);
        assert_eq!(story, ["group a added"], "{state:?}");
        table.advance(3600 * SECOND);
        assert_eq!(table.wanted, [], "{state:?}");
    }
}

#[test]
fn a_restart_that_was_due_is_made_by_the_next_brain() {
    let ended = Memory { exit: Some(ExitStatus::Code(1)), ..memory(State::Exited, 60) };
    let (story, _) = resumed("autorestart=unexpected", ended, None);
    assert_eq!(story, ["group a added", "a: EXITED -> STARTING tries 0", "spawn a as 1"]);
}

#[test]
fn a_back_off_goes_on_with_the_next_brain() {
    let waiting = Memory { backoff: 3, ..memory(State::Backoff, 1) };
    let (story, mut table) = resumed("startretries=3", waiting, None);
    assert_eq!(story, ["group a added"]);
    table.advance(2 * SECOND);
    assert_eq!(table.story(), ["a: BACKOFF -> STARTING tries 3", "spawn a as 1"]);
    let child = table.spawns(5);
    table.exits(child, 1);
    assert_eq!(table.story()[1..], ["a: BACKOFF -> FATAL", "a given up"], "its failures still count");
}

#[test]
fn a_stop_under_way_is_honoured_by_the_next_brain() {
    let (story, mut table) = resumed("stopwaitsecs=5", memory(State::Stopping, 60), Some(70));
    assert_eq!(story, ["group a added", "kill 7 with 15 (Process)"]);
    table.advance(5 * SECOND);
    assert_eq!(table.story(), ["kill 7 with 9 (Process)"]);
    table.dies(ChildId(7), 9);
    assert_eq!(table.story(), ["a: STOPPING -> STOPPED pid 70"]);
}

#[test]
fn startsecs_go_on_with_the_next_brain() {
    let (_, mut table) = resumed("startsecs=10", memory(State::Starting, 4), Some(70));
    table.advance(6 * SECOND - MOMENT);
    assert_eq!(table.story(), Vec::<String>::new());
    table.advance(MOMENT);
    assert_eq!(table.story(), ["a: STARTING -> RUNNING pid 70"]);
}
