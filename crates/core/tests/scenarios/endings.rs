//! A supervisor that ends for the sake of a program: `essential` and `exit_on`, in order and with its status.

use provost_core::{Command, Ending, ExitStatus, Input, Memory, Reply, State};

use crate::brains::memory;
use crate::common::Table;
use crate::{SECOND, start, stop};

/// `web` is what the daemon is run for, `log` comes before it and is of no account.
const ESSENTIAL: &str = "[program:log]\ncommand=/bin/log\npriority=1\n\
                         [program:web]\ncommand=/bin/web\nautorestart=false\nstartretries=0\nessential=true\n";

/// All programs of a configuration, running.
fn all_running(text: &str) -> (Table, Vec<provost_core::ChildId>) {
    let mut table = Table::new(text);
    let children = (10..).map_while(|pid| (!table.wanted.is_empty()).then(|| table.spawns(pid))).collect();
    table.advance(2 * SECOND);
    table.story();
    (table, children)
}

#[test]
fn the_end_of_an_essential_program_is_the_end_of_all() {
    let (mut table, children) = all_running(ESSENTIAL);
    let [log, web] = children[..] else { panic!("two programs") };
    table.exits(web, 3);
    assert_eq!(
        table.story(),
        [
            "web: RUNNING -> EXITED expected false pid 11",
            "leaving for web: Essential, status 3",
            "stopping",
            "log: RUNNING -> STOPPING pid 10",
            "kill 1 with 15 (Process)",
            "waiting for log"
        ]
    );
    table.dies(log, 15);
    assert_eq!(table.story(), ["log: STOPPING -> STOPPED pid 10", "finish: exit 3"]);
}

#[test]
fn the_status_is_that_of_the_essential_program() {
    for (status, code) in [
        (ExitStatus::Code(0), 0),
        (ExitStatus::Code(255), 255),
        (ExitStatus::Signal { number: 9, core_dumped: false }, 137),
        (ExitStatus::Signal { number: 11, core_dumped: true }, 139),
    ] {
        let (mut table, children) =
            all_running("[program:a]\ncommand=/bin/a\nautorestart=false\nessential=true");
        let at = table.now;
        table.feed(Input::Exited { child: children[0], status, at, next: None, clue: None });
        assert_eq!(table.story().last(), Some(&format!("finish: exit {code}")), "{status:?}");
    }
}

#[test]
fn an_essential_program_that_never_comes_up_is_a_failure() {
    for (code, ours) in [(0, 1), (7, 7)] {
        let mut table = Table::new("[program:a]\ncommand=/bin/a\nstartretries=1\nessential=true");
        let child = table.spawns(1);
        table.exits(child, code);
        table.advance(SECOND);
        let child = table.spawns(2);
        table.story();
        table.exits(child, code);
        assert_eq!(
            table.story(),
            [
                "a: STARTING -> BACKOFF tries 2".to_owned(),
                "a: BACKOFF -> FATAL".to_owned(),
                "a given up".to_owned(),
                format!("leaving for a: Essential, status {ours}"),
                "stopping".to_owned(),
                format!("finish: exit {ours}"),
            ]
        );
    }
}

#[test]
fn an_essential_program_that_comes_back_ends_nothing() {
    let (mut table, children) = all_running("[program:a]\ncommand=/bin/a\nautorestart=true\nessential=true");
    table.dies(children[0], 9);
    assert_eq!(
        table.story(),
        ["a: RUNNING -> EXITED expected false pid 10", "a: EXITED -> STARTING tries 0", "spawn a as 4"]
    );
}

#[test]
fn an_essential_program_restarted_too_often_is_the_end() {
    let (mut table, children) =
        all_running("[program:a]\ncommand=/bin/a\nautorestart=true\nstartlimit=1/60\nessential=true");
    table.dies(children[0], 9);
    let child = table.spawns(11);
    table.advance(2 * SECOND);
    table.story();
    table.exits(child, 0);
    assert_eq!(
        table.story(),
        [
            "a: RUNNING -> EXITED expected true pid 11",
            "a: EXITED -> FATAL",
            "a restarted too often",
            "leaving for a: Essential, status 1",
            "stopping",
            "finish: exit 1"
        ],
        "FATAL is never a success"
    );
}

#[test]
fn an_essential_program_may_be_stopped_and_started() {
    let (mut table, children) = all_running(ESSENTIAL);
    let ask = table.ask(stop("web"));
    table.dies(children[1], 15);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
    assert_eq!(table.story().last().map(String::as_str), Some("web: STOPPING -> STOPPED pid 11"));
    table.ask(start("web"));
    assert_eq!(table.wanted.len(), 1);
}

#[test]
fn whoever_waits_for_an_essential_job_hears_of_it_before_the_end() {
    let job = "[program:a]\ncommand=/bin/a\nautostart=false\ntype=oneshot\nessential=true";
    let mut table = Table::new(job);
    let ask = table.ask(start("a"));
    let child = table.spawns(1);
    table.exits(child, 0);
    assert_eq!(table.reply(ask), Some(&Reply::Done));
    assert_eq!(table.story().last().map(String::as_str), Some("finish: exit 0"));
}

#[test]
fn a_shutdown_that_was_asked_for_keeps_status_zero() {
    let (mut table, children) = all_running(ESSENTIAL);
    table.ask(Command::Shutdown);
    table.exits(children[1], 3);
    table.exits(children[0], 4);
    assert_eq!(table.story().last().map(String::as_str), Some("finish: exit 0"));
}

#[test]
fn a_shutdown_that_was_not_asked_for_keeps_its_status() {
    let (mut table, children) = all_running(ESSENTIAL);
    table.exits(children[1], 3);
    table.feed(Input::Signal(15));
    table.feed(Input::Signal(1));
    table.dies(children[0], 15);
    assert_eq!(table.story().last().map(String::as_str), Some("finish: exit 3"));
}

#[test]
fn a_restart_that_was_asked_for_is_not_turned_into_an_exit() {
    let (mut table, children) = all_running(ESSENTIAL);
    table.feed(Input::Signal(1));
    table.exits(children[1], 3);
    table.exits(children[0], 0);
    assert_eq!(table.story().last().map(String::as_str), Some("finish: renew"));
}

#[test]
fn exit_on_says_whose_end_is_the_end() {
    // What `a` does, and with which status the daemon ends, if it does.
    let fails = "[program:a]\ncommand=/bin/a\nstartretries=0\nautorestart=false\n";
    let other = "[program:b]\ncommand=/bin/b\n";
    for (exit_on, runs, code, ours) in [
        ("none", false, 5, None),
        ("fatal", false, 5, Some(5)),
        ("fatal", true, 5, None),
        ("exited", false, 5, Some(5)),
        ("exited", true, 5, Some(5)),
        ("exited", true, 0, Some(0)),
        ("all_exited", true, 5, Some(5)),
    ] {
        let mut table = Table::new(&format!("exit_on={exit_on}\n{fails}{other}"));
        let [a, b] = [table.spawns(1), table.spawns(2)];
        if runs {
            table.advance(2 * SECOND);
        }
        table.exits(a, code);
        table.exits(b, 0);
        let finish = table.story().into_iter().find(|line| line.starts_with("finish"));
        let expected = ours.map(|ours: i32| format!("finish: exit {ours}"));
        assert_eq!(finish, expected, "exit_on={exit_on}, a ran: {runs}, and ended with {code}");
    }
}

const THREE: &str = "exit_on=all_exited\n[program:a]\ncommand=/bin/a\nautorestart=false\n\
                     [program:b]\ncommand=/bin/b\nautorestart=false\n\
                     [program:c]\ncommand=/bin/c\nautostart=false\n\
                     [eventlistener:l]\ncommand=/bin/l\nevents=TICK_5\n";

#[test]
fn when_all_have_ended_the_first_failure_decides() {
    for (codes, ours) in [([0, 0], 0), ([0, 4], 4), ([3, 4], 3), ([3, 0], 3)] {
        let (mut table, children) = all_running(THREE);
        let [listener, a, b] = children[..] else { panic!("a listener and two programs") };
        table.exits(a, codes[0]);
        assert_eq!(table.story().len(), 1, "b still runs");
        table.exits(b, codes[1]);
        table.dies(listener, 15);
        assert_eq!(table.story().last(), Some(&format!("finish: exit {ours}")), "{codes:?}");
    }
}

#[test]
fn a_program_that_is_started_again_is_not_over() {
    let (mut table, children) = all_running(THREE);
    table.exits(children[1], 3);
    table.ask(start("a"));
    let again = table.spawns(20);
    table.advance(2 * SECOND);
    table.exits(children[2], 4);
    table.story();
    table.exits(again, 5);
    assert_eq!(
        table.story()[1],
        "leaving for b: AllExited, status 4",
        "of the ends that are left, b's was the first that failed"
    );
}

#[test]
fn what_people_have_stopped_is_over_but_is_no_reason() {
    let (mut table, children) = all_running(THREE);
    table.ask(stop("a"));
    table.dies(children[1], 15);
    table.story();
    table.exits(children[2], 0);
    assert_eq!(table.story()[1], "leaving for b: AllExited, status 0");

    let (mut table, children) = all_running(THREE);
    table.exits(children[1], 0);
    table.story();
    table.ask(stop("b"));
    table.dies(children[2], 15);
    assert_eq!(
        table.story().last().map(String::as_str),
        Some("b: STOPPING -> STOPPED pid 12"),
        "somebody may be about to start it again"
    );
    table.ask(start("b"));
    assert_eq!(table.wanted.len(), 1);
}

#[test]
fn an_event_listener_is_no_reason_when_all_programs_are_down() {
    let listener = "[eventlistener:l]\ncommand=/bin/l\nevents=TICK_5\nautorestart=false\n";
    let a = "[program:a]\ncommand=/bin/a\nautorestart=false\n";
    let b = "[program:b]\ncommand=/bin/b\n";
    let (mut table, children) = all_running(&format!("exit_on=all_exited\n{listener}{a}{b}"));
    table.exits(children[1], 0);
    table.ask(stop("b"));
    table.dies(children[2], 15);
    table.story();
    table.exits(children[0], 3);
    assert_eq!(table.story(), ["1 may not hear", "l: RUNNING -> EXITED expected false pid 10"]);
}

#[test]
fn nothing_is_over_while_a_restart_is_due() {
    let mut table = Table::new(
        "exit_on=all_exited\n[program:a]\ncommand=/bin/a\nstartsecs=0\nautorestart=true\nrestartpause=60\n\
         [program:b]\ncommand=/bin/b\nstartsecs=0\n",
    );
    let [a, b] = [table.spawns(1), table.spawns(2)];
    table.exits(a, 0);
    table.exits(b, 0);
    table.advance(60 * SECOND);
    assert_eq!(table.wanted.len(), 1);
}

#[test]
fn the_next_brain_ends_with_the_same_status() {
    let mut table = Table::at_rest(ESSENTIAL);
    table.feed(Input::RecallEnding(Ending::Exit { status: 3 }));
    table.feed(Input::Begin);
    assert_eq!(table.story().last().map(String::as_str), Some("finish: exit 3"));
}

#[test]
fn the_next_brain_knows_who_had_ended_and_in_which_order() {
    let mut table = Table::at_rest(THREE);
    for (name, code, seconds_ago) in [("a", 3, 10), ("b", 4, 20)] {
        let memory = Memory { exit: Some(ExitStatus::Code(code)), ..memory(State::Exited, seconds_ago) };
        table.feed(Input::Recall { group: name.into(), process: name.into(), memory: Box::new(memory) });
    }
    table.feed(Input::Begin);
    assert!(
        !table.story().iter().any(|line| line.starts_with("leaving")),
        "that is for the old brain to say"
    );
    table.ask(start("c"));
    let children: Vec<_> = (1..=2).map(|pid| table.spawns(pid)).collect();
    table.advance(2 * SECOND);
    table.story();
    table.exits(children[1], 0);
    assert_eq!(table.story()[1], "leaving for b: AllExited, status 4");
}
