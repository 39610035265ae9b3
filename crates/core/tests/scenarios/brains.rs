//! A brain dies, and the next one goes on.

use provost_core::{ChildId, Ending, ExitStatus, Input, Memory, Mono, Now, State, Wall};

use crate::common::{self, Table, config};
use crate::{MOMENT, SECOND};

#[test]
fn a_child_of_an_earlier_brain_is_taken_over_and_not_started_again() {
    let config = config("[program:a]\ncommand=/bin/a");
    let (mut supervisor, _) = provost_core::Supervisor::new(config, ChildId(8), 1);
    let now = Now { mono: Mono(5_000_000_000), wall: Wall(0) };
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

pub(crate) fn memory(state: State, seconds_ago: u64) -> Memory {
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
fn an_adopted_child_that_ends_nobody_knows_how_was_not_expected_to() {
    let (_, mut table) = resumed("exitcodes=0,255\n", memory(State::Running, 60), Some(70));
    let (child, status) = (ChildId(7), ExitStatus::Unknown);
    table.feed(Input::Exited { child, status, at: table.now, next: None });
    assert_eq!(
        table.story(),
        ["a: RUNNING -> EXITED expected false pid 70", "a: EXITED -> STARTING tries 0", "spawn a as 2"]
    );
}

#[test]
fn an_end_that_was_dealt_with_is_not_dealt_with_again() {
    // The old brain had written it down, and died before it let go of the child.
    for (state, comes_back) in
        [(State::Fatal, false), (State::Exited, false), (State::Stopped, false), (State::Backoff, true)]
    {
        let ended = Memory { exit: Some(ExitStatus::Code(0)), ..memory(state, 60) };
        let (story, mut table) = resumed("", ended, Some(70));
        let started = story.contains(&"spawn a as 1".to_owned());
        assert_eq!(started, comes_back, "{state:?}: {story:?}");
        table.exits(ChildId(7), 1);
        let told = table.story();
        assert_eq!(told, Vec::<String>::new(), "{state:?}");
    }
}

#[test]
fn a_child_begun_after_the_last_that_was_written_down_is_alive() {
    let before = memory(State::Exited, 60);
    let later = Now { mono: Mono(before.stopped.expect("it ended").mono.0 + 1), ..Table::at_rest("").now };
    let mut table = Table::at_rest("[program:a]\ncommand=/bin/a\n");
    let (group, process) = ("a".to_owned(), "a".to_owned());
    let adopt = Input::Adopt {
        group: group.clone(),
        process: process.clone(),
        child: ChildId(7),
        pid: 70,
        started: later,
    };
    table.feed(adopt);
    table.feed(Input::Recall { group, process, memory: before });
    table.feed(Input::Begin);
    table.story();
    table.exits(ChildId(7), 1);
    assert_eq!(table.story()[0], "a: RUNNING -> EXITED expected false pid 70");
}

#[test]
fn a_restart_that_was_due_is_made_by_the_next_brain() {
    let ended = Memory { exit: Some(ExitStatus::Code(1)), ..memory(State::Exited, 60) };
    let (story, _) = resumed("autorestart=unexpected", ended, None);
    assert_eq!(story, ["group a added", "a: EXITED -> STARTING tries 0", "spawn a as 1"]);
}

#[test]
fn a_restart_that_was_due_is_not_made_where_everything_was_being_stopped() {
    let mut table = Table::at_rest("[program:a]\ncommand=/bin/a");
    let memory = Memory { exit: Some(ExitStatus::Code(1)), ..memory(State::Exited, 60) };
    table.feed(Input::Recall { group: "a".into(), process: "a".into(), memory });
    table.feed(Input::RecallEnding(Ending::Renew));
    table.feed(Input::Begin);
    assert_eq!(table.story(), ["group a added", "stopping", "finish: renew"]);
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
