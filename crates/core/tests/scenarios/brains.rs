//! A brain dies, and the next one goes on.

use std::time::Duration;

use provost_core::{
    ChildId, Command, Due, Ending, ExitStatus, Fault, Input, Memory, Mono, Now, Reply, State, Wall,
};

use crate::common::{self, Table, config};
use crate::{MOMENT, SECOND, running, start, stop};

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
    table.feed(Input::Recall { group, process, memory: Box::new(memory) });
    table.feed(Input::Begin);
    (table.story(), table)
}

pub(crate) fn memory(state: State, seconds_ago: u64) -> Memory {
    let now = Table::at_rest("").now;
    let at = Now { mono: Mono(now.mono.0 - seconds_ago * 1_000_000_000), ..now };
    Memory { started: Some(at), stopped: Some(at), ..Memory::of(state) }
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
fn whoever_follows_the_states_is_told_what_became_of_a_child_that_never_was() {
    let wanted = Memory { backoff: 2, ..memory(State::Starting, 60) };
    let (story, _) = resumed("", wanted.clone(), None);
    let still_wanted = ["a: BACKOFF -> STARTING tries 2", "spawn a as 1"];
    assert_eq!(story, [&["group a added", "a: STARTING -> BACKOFF tries 2"], &still_wanted[..]].concat());
    // The stop had come before the child.
    for state in [State::Stopping, State::Unknown] {
        let (story, mut table) = resumed("", Memory { state, ..wanted.clone() }, None);
        assert_eq!(story, ["group a added".to_owned(), format!("a: {} -> STOPPED pid 0", state.name())]);
        table.advance(3600 * SECOND);
        assert_eq!(table.wanted, [], "{state:?}");
    }
}

#[test]
fn an_adopted_child_that_ends_nobody_knows_how_was_not_expected_to() {
    let (_, mut table) = resumed("exitcodes=0,255\n", memory(State::Running, 60), Some(70));
    let (child, status) = (ChildId(7), ExitStatus::Unknown);
    table.feed(Input::Exited { child, status, at: table.now, next: None, clue: None });
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

/// The next brain would find that child, and take it for that of the process which came under this name.
#[test]
fn no_group_goes_while_the_keeper_holds_a_child_of_it() {
    let ended = Memory { exit: Some(ExitStatus::Code(0)), ..memory(State::Stopped, 60) };
    let (_, mut table) = resumed("", ended, Some(70));
    let ask = table.ask(Command::RemoveGroup { name: "a".into() });
    assert_eq!(table.reply(ask), Some(&Reply::Fault(Fault::StillRunning { name: "a".into() })));
    table.exits(ChildId(7), 0);
    let ask = table.ask(Command::RemoveGroup { name: "a".into() });
    assert_eq!(table.reply(ask), Some(&Reply::Done));
}

/// The old brain had told of the end and of the start that followed, and died before it let go of the child. By now `startsecs` is larger.
#[test]
fn who_took_a_place_goes_on_with_the_next_brain_and_nothing_is_told_twice() {
    let (mut old, child) = running("startsecs=1\nautorestart=true");
    let started = Now { mono: Mono(old.now.mono.0 - 3_600_000_000_000), ..old.now };
    old.is_replaced(child, 9, ChildId(9));
    let memory = old.remembered.remove(&("a".to_owned(), "a".to_owned())).expect("it is STARTING");
    let ended = memory.stopped.expect("it has ended");
    let lives = memory.history.lives.len();

    let mut table =
        Table::at_rest("[program:a]\ncommand=/bin/a\nstartsecs=7200\nautorestart=true\nstartretries=0\n");
    table.now = old.now;
    let (group, process) = ("a".to_owned(), "a".to_owned());
    table.feed(Input::Adopt { group: group.clone(), process: process.clone(), child, pid: 10, started });
    table.feed(Input::Recall { group: group.clone(), process: process.clone(), memory: Box::new(memory) });
    table.feed(Input::Begin);
    table.story();
    let status = ExitStatus::Signal { number: 9, core_dumped: false };
    table.feed(Input::Exited { child, status, at: ended, next: Some(ChildId(9)), clue: None });
    assert_eq!(table.story(), ["take over 9"]);
    table.feed(Input::Spawned { child: ChildId(9), pid: 11, at: table.now });
    table.advance(7200 * SECOND);
    assert_eq!(table.story(), ["a: STARTING -> RUNNING pid 11"]);
    assert_eq!(table.remembered[&(group, process)].history.lives.len(), lives);
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
    table.feed(Input::Recall { group, process, memory: Box::new(before) });
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
    table.feed(Input::Recall { group: "a".into(), process: "a".into(), memory: Box::new(memory) });
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

// --- what one brain wrote down, as the next one understands it ---

/// The brain of this table dies; these children live. The next one has another sort of luck.
fn dies(table: Table, options: &str, children: &[(ChildId, i32, Now)]) -> Table {
    let mut next = Table::with_seed(&format!("[program:a]\ncommand=/bin/a\n{options}"), 77);
    next.now = table.now;
    for (child, pid, started) in children {
        let (group, process) = ("a".to_owned(), "a".to_owned());
        next.feed(Input::Adopt { group, process, child: *child, pid: *pid, started: *started });
    }
    for ((group, process), memory) in table.remembered {
        next.feed(Input::Recall { group, process, memory: Box::new(memory) });
    }
    next.feed(Input::Begin);
    next.story();
    next
}

/// Moves the clock until a child is wanted, and says how long that took.
fn until_wanted(table: &mut Table) -> Duration {
    let before = table.now.mono;
    while table.wanted.is_empty() {
        let due = table.supervisor.next_deadline().expect("a child is to come");
        table.advance(due.since(table.now.mono));
    }
    table.now.mono.since(before)
}

#[test]
fn a_retry_comes_when_it_was_promised_whatever_the_next_brain_s_luck() {
    let options = "backoff=exponential\nbackoffjitter=1\nstartretries=9";
    let failed_thrice = || {
        let mut table = Table::new(&format!("[program:a]\ncommand=/bin/a\n{options}"));
        for pid in 1..4 {
            until_wanted(&mut table);
            let child = table.spawns(pid);
            table.exits(child, 1);
        }
        table
    };
    let promised = until_wanted(&mut failed_thrice());
    let mut first = failed_thrice();
    first.advance(promised / 2);
    let mut second = dies(first, options, &[]);
    second.advance(promised / 4);
    let mut third = dies(second, options, &[]);
    assert_eq!(until_wanted(&mut third), promised - promised / 2 - promised / 4);
}

#[test]
fn a_stop_has_the_patience_that_it_began_with_and_its_signal_is_sent_once() {
    let options = "stopwaitsecs=10";
    let (mut table, child) = running(options);
    let started = table.now;
    table.ask(stop("a"));
    table.advance(4 * SECOND);
    let mut next = dies(table, options, &[(child, 10, started)]);
    next.advance(6 * SECOND - MOMENT);
    assert_eq!(next.story(), Vec::<String>::new(), "it has been asked, and has its time");
    next.advance(MOMENT);
    assert_eq!(next.story(), ["kill 1 with 9 (Process)"]);
    next.advance(3 * SECOND);
    let mut third = dies(next, options, &[(child, 10, started)]);
    third.advance(7 * SECOND);
    assert_eq!(third.story(), ["kill 1 with 9 (Process)"], "SIGKILL is repeated, the stop signal is not");
}

#[test]
fn a_stop_that_is_over_due_ends_with_sigkill_at_once() {
    let options = "stopwaitsecs=10";
    let (mut table, child) = running(options);
    let started = table.now;
    table.ask(stop("a"));
    table.now.mono = table.now.mono + 60 * SECOND;
    let mut next = dies(table, options, &[(child, 10, started)]);
    assert_eq!(next.supervisor.next_deadline(), Some(next.now.mono + 10 * SECOND), "the next SIGKILL");
    next.dies(child, 9);
    assert_eq!(next.story(), ["a: STOPPING -> STOPPED pid 10"]);
}

#[test]
fn a_stop_signal_that_may_not_have_gone_out_is_sent_with_all_its_patience() {
    let asked = Memory { due: Due::At(Mono(1)), asked: false, ..memory(State::Stopping, 60) };
    let (story, mut table) = resumed("stopwaitsecs=5", asked, Some(70));
    assert_eq!(story, ["group a added", "kill 7 with 15 (Process)"]);
    table.advance(5 * SECOND - MOMENT);
    assert_eq!(table.story(), Vec::<String>::new());
}

#[test]
fn restarts_that_startlimit_counts_are_counted_over_the_death_of_a_brain() {
    let options = "startsecs=0\nautorestart=true\nstartlimit=2/60";
    let mut table = Table::new(&format!("[program:a]\ncommand=/bin/a\n{options}"));
    for pid in 10..12 {
        until_wanted(&mut table);
        let child = table.spawns(pid);
        table.advance(2 * SECOND);
        table.exits(child, 1);
    }
    let mut next = dies(table, options, &[]);
    until_wanted(&mut next);
    let (child, started) = (next.spawns(12), next.now);
    next.advance(2 * SECOND);
    next.story();
    let mut third = dies(next, options, &[(child, 12, started)]);
    third.exits(child, 1);
    let told = third.story();
    assert_eq!(told[1..], ["a: EXITED -> FATAL", "a restarted too often"], "{told:?}");
}

#[test]
fn how_often_a_program_came_back_is_known_to_the_next_brain_and_forgotten_when_a_person_starts_it() {
    let options = "startsecs=0\nautorestart=true";
    let restarts = |table: &mut Table| {
        let ask = table.ask(Command::ProcessInfo { name: "a".into() });
        let Some(Reply::Info(info)) = table.reply(ask) else { panic!("no info") };
        info.restarts
    };
    let mut table = Table::new(&format!("[program:a]\ncommand=/bin/a\n{options}"));
    assert_eq!(restarts(&mut table), 0);
    for pid in 10..13 {
        until_wanted(&mut table);
        let child = table.spawns(pid);
        table.advance(2 * SECOND);
        table.exits(child, 1);
    }
    until_wanted(&mut table);
    assert_eq!(restarts(&mut table), 3);
    let (child, started) = (table.spawns(13), table.now);
    let mut next = dies(table, options, &[(child, 13, started)]);
    assert_eq!(restarts(&mut next), 3);
    next.ask(stop("a"));
    next.exits(child, 0);
    next.ask(start("a"));
    assert_eq!(restarts(&mut next), 0);
}

#[test]
fn the_exit_code_of_a_program_in_back_off_is_that_of_the_end_for_its_sake() {
    let options = "startretries=1\nessential=true";
    let mut table = Table::new(&format!("[program:a]\ncommand=/bin/a\n{options}"));
    let child = table.spawns(10);
    table.exits(child, 7);
    let mut next = dies(table, options, &[]);
    until_wanted(&mut next);
    // Nothing tells how this one would have ended.
    let (child, _) = next.wanted.remove(0);
    let error = provost_core::SpawnError {
        kind: provost_core::SpawnErrorKind::Resources,
        text: "too many open files".into(),
    };
    next.feed(Input::SpawnFailed { child, error });
    let told = next.story();
    assert!(told.contains(&"leaving for a: Essential, status 7".to_owned()), "{told:?}");
}

#[test]
fn a_wish_that_died_with_the_brain_is_not_a_failure() {
    let options = "startretries=3";
    let mut table = Table::new(&format!("[program:a]\ncommand=/bin/a\n{options}"));
    for pid in 10..13 {
        until_wanted(&mut table);
        let child = table.spawns(pid);
        table.exits(child, 1);
    }
    until_wanted(&mut table);
    let mut next = dies(table, options, &[]);
    assert_eq!(until_wanted(&mut next), SECOND, "not three seconds once more");
    assert_eq!(next.story(), ["a: BACKOFF -> STARTING tries 3", "spawn a as 1"]);
}

#[test]
fn a_restart_that_was_called_off_leaves_the_process_exited() {
    let options = "autorestart=true\nrestartpause=30";
    let (mut table, child) = running(options);
    table.exits(child, 3);
    table.ask(stop("a"));
    let mut next = dies(table, options, &[]);
    next.advance(3600 * SECOND);
    assert_eq!(next.story(), Vec::<String>::new());
    let ask = next.ask(start("a"));
    assert_eq!(next.story(), ["a: EXITED -> STARTING tries 0", "spawn a as 1"]);
    assert_eq!(next.reply(ask), None);
}

#[test]
fn a_pause_goes_on_where_it_was() {
    let options = "autorestart=true\nrestartpause=30";
    let (mut table, child) = running(options);
    table.exits(child, 3);
    table.advance(10 * SECOND);
    let mut next = dies(table, options, &[]);
    assert_eq!(until_wanted(&mut next), 20 * SECOND);
}

#[test]
fn of_ends_at_the_same_moment_the_first_still_decides() {
    let program = |name| format!("[program:{name}]\ncommand=/bin/x\nautorestart=false\nstartsecs=0\n");
    let text = format!("exit_on=all_exited\n{}", ["a", "b", "c"].map(program).concat());
    let mut table = Table::new(&text);
    let [a, b, c] = [10, 11, 12].map(|pid| table.spawns(pid));
    // The later one in the configuration is the first to end.
    table.exits(b, 5);
    table.exits(a, 4);
    let mut next = Table::at_rest(&text);
    let (group, process) = ("c".to_owned(), "c".to_owned());
    next.feed(Input::Adopt { group, process, child: c, pid: 12, started: table.now });
    for ((group, process), memory) in table.remembered {
        next.feed(Input::Recall { group, process, memory: Box::new(memory) });
    }
    next.feed(Input::Begin);
    next.exits(c, 0);
    let told = next.story();
    assert!(told.contains(&"leaving for b: AllExited, status 5".to_owned()), "{told:?}");
}
