//! Pools of listeners: when there is one, who of it may hear, and what listeners are told of the supervisor itself (SPEC 8).

use std::sync::Arc;

use provost_core::{
    Action, Active, ChildId, Command, Ending, Event, ExitStatus, Input, Memory, State, Supervisor,
};

use crate::brains::memory;
use crate::common::{Table, config, tell};
use crate::{SECOND, stop};

const L: &str = "[eventlistener:l]\ncommand=/bin/l\nevents=TICK_5\n";
const POOL: &str =
    "[eventlistener:l]\ncommand=/bin/l\nevents=TICK_5,PROCESS_STATE\nprocess_name=l%(process_num)d\n";

/// A listener that runs for a while, as pid 10.
fn listening(options: &str) -> (Table, ChildId) {
    let mut table = Table::new(&format!("{L}{options}"));
    let child = table.spawns(10);
    table.advance(10 * SECOND);
    table.story();
    (table, child)
}

/// Two of them.
fn two() -> (Table, ChildId, ChildId) {
    let mut table = Table::new(&format!("{POOL}numprocs=2\n"));
    let (l0, l1) = (table.spawns(1), table.spawns(2));
    table.advance(10 * SECOND);
    table.story();
    (table, l0, l1)
}

fn update_to(table: &mut Table, text: &str) {
    table.on_disk = Ok(config(text));
    table.ask(Command::Reread);
    table.ask(Command::UpdateGroup { name: "l".into(), restart_all: false });
}

#[test]
fn a_pool_hears_that_it_came_and_not_that_it_went() {
    let mut table =
        Table::new(&format!("{POOL}numprocs=2\nautostart=false\n[program:a]\ncommand=a\nautostart=false\n"));
    assert_eq!(
        table.story(),
        ["pool l of l0 and l1 hears PROCESS_STATE and TICK_5", "group l added", "group a added"]
    );
    table.ask(Command::RemoveGroup { name: "l".into() });
    table.ask(Command::RemoveGroup { name: "a".into() });
    assert_eq!(table.story(), ["pool l closed", "group l removed", "group a removed"]);
    table.ask(Command::AddGroup { name: "l".into() });
    assert_eq!(table.story(), ["pool l of l0 and l1 hears PROCESS_STATE and TICK_5", "group l added"]);
}

#[test]
fn a_listener_hears_while_it_runs() {
    let mut table = Table::new(L);
    table.spawns(10);
    table.advance(SECOND / 2);
    table.story();
    table.advance(SECOND);
    assert_eq!(table.story(), ["l: STARTING -> RUNNING pid 10", "1 may hear"]);
    table.ask(stop("l"));
    assert_eq!(
        table.story(),
        ["1 may not hear", "l: RUNNING -> STOPPING pid 10", "kill 1 with 15 (Process)"]
    );
    table.dies(ChildId(1), 15);
    assert_eq!(table.story(), ["l: STOPPING -> STOPPED pid 10"], "that is known");
}

#[test]
fn one_that_cannot_be_signalled_hears_no_longer() {
    let (mut table, child) = listening("");
    table.feed(Input::KillFailed { child, reason: "EPERM".into() });
    assert_eq!(table.story(), ["1 may not hear", "l: RUNNING -> UNKNOWN"]);
}

#[test]
fn who_takes_the_place_of_a_listener_hears_when_it_runs_itself() {
    let (mut table, child) = listening("autorestart=true\n");
    let [(of, next)] = table.relaunches[..] else { panic!("{:?}", table.relaunches) };
    assert_eq!(of, child);
    table.is_replaced(child, 9, next);
    assert_eq!(
        table.story(),
        [
            "1 may not hear",
            "l: RUNNING -> EXITED expected false pid 10",
            "l: EXITED -> STARTING tries 0",
            "take over 3"
        ]
    );
    table.feed(Input::Spawned { child: next, pid: 11, at: table.now });
    assert_eq!(table.story(), Vec::<String>::new(), "it is STARTING");
    table.advance(2 * SECOND);
    assert_eq!(table.story(), ["l: STARTING -> RUNNING pid 11", "3 may hear"]);
}

#[test]
fn a_listener_that_has_ended_before_it_was_known_to_run_never_hears() {
    let mut table = Table::new(&format!("{L}autorestart=false\n"));
    let child = table.spawns(10);
    table.story();
    let at = provost_core::Now { mono: table.now.mono + 3 * SECOND, ..table.now };
    table.feed(Input::Exited { child, status: ExitStatus::Code(0), at, next: None, clue: None });
    assert_eq!(
        table.story(),
        ["l: STARTING -> RUNNING pid 10", "l: RUNNING -> EXITED expected true pid 10"],
        "there is nobody to hear"
    );
}

#[test]
fn programs_hear_nothing() {
    let (mut table, child) = crate::running("autorestart=true");
    table.exits(child, 0);
    table.spawns(11);
    table.advance(2 * SECOND);
    assert!(!table.story().iter().any(|line| line.contains("hear")));
}

// --- another brain ---

/// A brain that goes on after another.
struct Heir {
    supervisor: Supervisor,
    /// What it wanted before it began, and then.
    before: Vec<String>,
    then: Vec<String>,
    says_it_runs: bool,
}

fn heir(text: &str, announced: bool, past: Vec<Input>) -> Heir {
    let config = config(text);
    let groups: Vec<Active> = config.groups.iter().cloned().map(Active::from).collect();
    let (exit_on, first) = (config.supervisord.exit_on, ChildId(8));
    let (mut supervisor, mut actions) =
        Supervisor::resume(Arc::clone(&config), exit_on, &groups, first, 1, announced);
    let now = Table::at_rest("").now;
    for input in past {
        supervisor.step(now, input, &mut actions);
    }
    let before = told(&actions);
    actions.clear();
    supervisor.step(now, Input::Begin, &mut actions);
    let says_it_runs = actions.contains(&Action::Publish(Event::SupervisorRunning));
    Heir { supervisor, before, then: told(&actions), says_it_runs }
}

fn told(actions: &[Action]) -> Vec<String> {
    actions.iter().filter_map(tell).collect()
}

/// Its child lives, and this is what was written down of it.
fn lives(name: &str, child: u32, memory: Memory) -> [Input; 2] {
    let (group, process) = (name.to_owned(), name.to_owned());
    let (pid, started) = (70, memory.started.expect("it has started"));
    let (of, child) = (group.clone(), ChildId(child));
    let adopt = Input::Adopt { group: of, process: process.clone(), child, pid, started };
    [adopt, Input::Recall { group, process, memory: Box::new(memory) }]
}

#[test]
fn the_next_brain_opens_the_pools_and_announces_nothing_twice() {
    let heir = heir(L, true, lives("l", 7, memory(State::Running, 60)).into());
    assert_eq!(heir.before, ["pool l of l hears TICK_5"]);
    assert_eq!(heir.then, ["7 may hear"]);
    assert!(!heir.says_it_runs);
}

#[test]
fn what_a_brain_did_not_live_to_announce_the_next_one_does() {
    let heir = heir(L, false, vec![]);
    assert_eq!(heir.before, ["pool l of l hears TICK_5", "group l added"]);
    assert_eq!(heir.then, ["l: STOPPED -> STARTING tries 0", "spawn l as 8"]);
    assert!(heir.says_it_runs);
}

#[test]
fn whoever_does_not_run_under_the_next_brain_does_not_hear() {
    for state in [State::Starting, State::Stopping, State::Unknown] {
        let Heir { before, then, .. } = heir(L, true, lives("l", 7, memory(state, 0)).into());
        assert!(!before.iter().chain(&then).any(|line| line.contains("may hear")), "{state:?}: {then:?}");
    }
}

#[test]
fn while_everything_stops_a_listener_hears_until_its_own_turn_comes() {
    let mut past = Vec::from(lives("a", 6, memory(State::Running, 60)));
    past.extend(lives("l", 7, memory(State::Running, 60)));
    past.push(Input::RecallEnding(Ending::Renew));
    let mut heir = heir(&format!("{L}[program:a]\ncommand=a\n"), true, past);
    assert_eq!(heir.then, ["7 may hear"]);
    assert!(!heir.says_it_runs);
    let (status, at) = (ExitStatus::Code(0), Table::at_rest("").now);
    let mut actions = Vec::new();
    let exited = Input::Exited { child: ChildId(6), status, at, next: None, clue: None };
    heir.supervisor.step(at, exited, &mut actions);
    let story = told(&actions);
    assert_eq!(
        story[..3],
        ["a: STOPPING -> STOPPED pid 70", "7 may not hear", "l: RUNNING -> STOPPING pid 70"]
    );
}

// --- a pool that changes ---

#[test]
fn one_more_listener_comes_into_the_pool_before_it_starts() {
    let mut table = Table::new(POOL);
    table.spawns(1);
    table.advance(10 * SECOND);
    table.story();
    update_to(&mut table, &format!("{POOL}numprocs=2\n"));
    assert_eq!(
        table.story(),
        [
            "group l renewed",
            "pool l of l0 and l1 hears PROCESS_STATE and TICK_5",
            "l1: STOPPED -> STARTING tries 0",
            "spawn l1 as 4"
        ]
    );
}

#[test]
fn one_less_leaves_the_pool_when_it_is_down() {
    let (mut table, _, l1) = two();
    update_to(&mut table, POOL);
    assert_eq!(
        table.story(),
        ["2 may not hear", "l1: RUNNING -> STOPPING pid 2", "kill 2 with 15 (Process)"]
    );
    table.dies(l1, 15);
    assert_eq!(
        table.story(),
        [
            "l1: STOPPING -> STOPPED pid 2",
            "group l renewed without l1",
            "pool l of l0 hears PROCESS_STATE and TICK_5"
        ]
    );
}

#[test]
fn what_is_no_affair_of_the_pool_does_not_open_it_again() {
    let (mut table, ..) = two();
    update_to(&mut table, &format!("{POOL}numprocs=2\nstartsecs=3\npriority=7\n"));
    assert_eq!(
        table.story(),
        ["group l renewed elsewhere", "l0 goes on otherwise", "l1 goes on otherwise"],
        "and nobody is deaf for a moment"
    );
}

#[test]
fn a_pool_hears_other_events_from_now_on_and_nobody_is_started_again() {
    let (mut table, ..) = two();
    let more = POOL.replace("events=TICK_5,PROCESS_STATE", "events=TICK_60\noverflow=drop\nbuffer_size=3");
    update_to(&mut table, &format!("{more}numprocs=2\n"));
    assert_eq!(table.story(), ["group l renewed", "pool l of l0 and l1 hears TICK_60"]);
    let handler = "result_handler=supervisor_stdout:event_handler";
    update_to(&mut table, &format!("{more}numprocs=2\n{handler}\n"));
    let story = table.story();
    assert_eq!(
        story[..2],
        ["2 may not hear", "l1: RUNNING -> STOPPING pid 2"],
        "who judges is not exchanged"
    );
}

#[test]
fn one_that_is_taken_out_leaves_the_pool_and_a_program_that_comes_in_is_not_of_it() {
    let (mut table, l0, _) = two();
    table.ask(stop("l:l0"));
    table.dies(l0, 15);
    table.story();
    table.ask(Command::RemoveProcess { group: "l".into(), process: "l0".into() });
    assert_eq!(table.story(), ["pool l of l1 hears PROCESS_STATE and TICK_5"]);
    table.ask(Command::AddProgram { group: "l".into(), program: "x".into(), options: vec![] });
    assert_eq!(table.story(), ["x: STOPPED -> STARTING tries 0", "spawn x as 7"]);
    table.spawns(3);
    table.advance(5 * SECOND);
    assert_eq!(table.story(), ["x: STARTING -> RUNNING pid 3"]);
}

#[test]
fn another_pool_of_the_same_name_hears_of_its_own_coming_only() {
    let (mut table, child) = listening("");
    update_to(&mut table, &L.replace("eventlistener:l", "program:l"));
    table.story();
    table.dies(child, 15);
    let story = table.story();
    assert_eq!(
        story[..4],
        ["l: STOPPING -> STOPPED pid 10", "pool l closed", "group l removed", "group l added"]
    );
    let child = table.spawns(11);
    table.advance(5 * SECOND);
    update_to(&mut table, L);
    table.story();
    table.dies(child, 15);
    let story = table.story();
    assert_eq!(story[1..4], ["group l removed", "pool l of l hears TICK_5", "group l added"]);
}
