//! What is told of a process: each end once, with what followed and whose wish it was.

use std::sync::Arc;

use provost_core::{
    By, ChildId, Clue, Command, ExitStatus, History, Input, Life, MOST_LIVES, ProcessHistory, Reply,
    SpawnError, SpawnErrorKind, State, Target, Then,
};

use crate::common::Table;
use crate::{SECOND, running, start, stop};

fn told(table: &mut Table) -> ProcessHistory {
    let ask = table.ask(Command::ProcessHistory { name: "a".into() });
    match table.reply(ask) {
        Some(Reply::History(told)) => (**told).clone(),
        other => panic!("{other:?} is no history"),
    }
}

/// The newest life.
fn last(table: &mut Table) -> Life {
    told(table).history.lives.last().expect("something has ended").clone()
}

fn remembered(table: &Table) -> Arc<History> {
    Arc::clone(&table.remembered[&("a".to_owned(), "a".to_owned())].history)
}

fn ann() -> Arc<By> {
    Arc::new(By { user: Some("ann".into()), ..By::default() })
}

#[test]
fn attempts_that_fail_are_told_with_what_follows_from_them() {
    let mut table = Table::new("[program:a]\ncommand=x\nstartretries=1\nstartsecs=5\n");
    let child = table.spawns(10);
    table.exits(child, 3);
    let first = last(&mut table);
    assert_eq!((first.pid, first.status, first.too_quick), (Some(10), Some(ExitStatus::Code(3)), true));
    assert_eq!(first.then, Then::Retry);
    assert_eq!(told(&mut table).due, Some(SECOND));
    table.advance(SECOND);
    let (child, _) = table.wanted.remove(0);
    let error = SpawnError { kind: SpawnErrorKind::Resources, text: "no room".into() };
    table.feed(Input::SpawnFailed { child, error });
    let second = last(&mut table);
    assert_eq!((second.pid, second.status, second.failure.as_deref()), (None, None, Some("no room")));
    assert_eq!(second.then, Then::GivenUp(2));
    let told = told(&mut table);
    assert_eq!((told.info.state, told.due), (State::Fatal, None));
    assert_eq!((told.history.attempts, told.history.restarts), (2, 0));
    assert_eq!(remembered(&table), told.history);
}

#[test]
fn a_life_ends_with_a_restart_one_too_many_or_nothing() {
    let (mut table, child) = running("autorestart=true\nstartlimit=1/60\nstartsecs=0");
    table.exits(child, 0);
    let first = last(&mut table);
    assert_eq!((first.then, first.expected, first.too_quick), (Then::Restart, true, false));
    table.advance(SECOND);
    let child = table.spawns(11);
    table.advance(SECOND);
    table.dies(child, 11);
    assert_eq!(last(&mut table).then, Then::TooManyRestarts);
    assert_eq!(told(&mut table).history.restarts, 1);
    let (mut table, child) = running("autorestart=unexpected");
    table.exits(child, 0);
    assert_eq!(last(&mut table).then, Then::Nothing);
}

#[test]
fn a_child_that_was_replaced_at_once_is_told_of_too_and_only_eight_are() {
    let (mut table, mut child) = running("autorestart=true\nstartsecs=0");
    for n in 0..MOST_LIVES + 3 {
        let (_, next) = table.relaunches.pop().expect("it may be replaced");
        table.is_replaced(child, 6, next);
        table.feed(Input::Spawned { child: next, pid: 20 + n as i32, at: table.now });
        child = next;
    }
    let told = told(&mut table);
    let pids: Vec<_> = told.history.lives.iter().map(|life| life.pid).collect();
    assert_eq!(pids, (22..30).map(Some).collect::<Vec<_>>(), "the last one lives");
    assert!(told.history.lives.iter().all(|life| life.then == Then::Restart));
    assert_eq!((told.history.attempts, told.history.restarts), (12, 11));
}

#[test]
fn whose_wish_it_was_stays_with_the_end_and_goes_with_the_next_start() {
    let (mut table, child) = running("stopwaitsecs=2");
    table.ask_as(&ann(), stop("a"));
    assert_eq!(told(&mut table).history.stopper.clone().unwrap().by, Some(ann()));
    table.advance(2 * SECOND);
    table.dies(child, 9);
    let killed = last(&mut table);
    assert!(killed.killed && killed.stopped.unwrap().by == Some(ann()), "SIGKILL was ours");
    table.ask_as(&ann(), start("a"));
    let told = told(&mut table).history;
    assert_eq!(
        (told.starter.clone().unwrap().by, told.stopper.clone(), told.killed),
        (Some(ann()), None, false)
    );
}

#[test]
fn a_stop_of_what_was_about_to_come_back_is_told_and_one_of_what_stays_down_is_not() {
    for (options, is_told) in [("restartpause=60", true), ("autorestart=false", false)] {
        let (mut table, child) = running(options);
        table.exits(child, 1);
        table.ask_as(&ann(), stop("a"));
        assert_eq!(told(&mut table).history.stopper.is_some(), is_told, "{options}");
    }
}

#[test]
fn a_signal_and_a_clue_stay_with_the_child_they_are_about() {
    let (mut table, child) = running("autorestart=false");
    table.ask_as(&ann(), Command::Signal { target: Target::named("a"), signal: "KILL".into() });
    assert_eq!(remembered(&table).sent.as_ref().unwrap().signal, 9, "before it goes out");
    let status = ExitStatus::Signal { number: 9, core_dumped: false };
    let clue = Some(Clue::OutOfMemory);
    table.feed(Input::Exited { child, status, at: table.now, next: None, clue: clue.clone() });
    let life = last(&mut table);
    assert_eq!((life.sent.unwrap().wish.by, life.clue), (Some(ann()), clue));
    assert_eq!(told(&mut table).history.sent, None);
}

#[test]
fn where_everything_stops_it_is_nobodys_wish() {
    let (mut table, child) = running("");
    table.feed(Input::Signal(15));
    table.dies(child, 15);
    let life = remembered(&table).lives[0].clone();
    assert_eq!(life.stopped.expect("it was stopped").by, None);
}

#[test]
fn the_next_brain_goes_on_with_the_story_and_one_behind_an_older_build_begins_it() {
    let (mut table, child) = running("autorestart=false");
    table.exits(child, 3);
    let memory = table.remembered[&("a".to_owned(), "a".to_owned())].clone();
    let recall = |memory| Input::Recall { group: "a".into(), process: "a".into(), memory: Box::new(memory) };
    let mut next = Table::at_rest("[program:a]\ncommand=x\nautorestart=false");
    next.feed(recall(memory.clone()));
    next.feed(Input::Begin);
    assert_eq!(told(&mut next).history, memory.history);
    let mut next = Table::at_rest("[program:a]\ncommand=x");
    let (group, process) = ("a".to_owned(), "a".to_owned());
    next.feed(Input::Adopt { group, process, child: ChildId(7), pid: 70, started: next.now });
    next.feed(recall(provost_core::Memory {
        started: Some(next.now),
        ..provost_core::Memory::of(State::Running)
    }));
    next.feed(Input::Begin);
    let told = told(&mut next).history;
    assert_eq!((told.attempts, told.since), (1, Some(next.now.wall)));
}

#[test]
fn a_start_that_is_refused_is_told_until_there_is_an_attempt() {
    let (mut table, child) = running("autorestart=false\nstartsecs=0");
    let why = "can't find command '/nowhere'";
    table.program = Err(SpawnError { kind: SpawnErrorKind::NoFile, text: why.into() });
    table.ask_as(&ann(), start("a"));
    assert_eq!(told(&mut table).history.refused, None, "it runs, whatever has become of its file");
    table.exits(child, 0);
    table.ask_as(&ann(), start("a"));
    let history = told(&mut table).history;
    let refused = history.refused.clone().expect("it was refused");
    assert_eq!((&*refused.why, refused.wish.by), (why, Some(ann())));
    assert_eq!((history.lives.len(), history.attempts), (1, 1), "that was no attempt");
    assert_eq!(remembered(&table), history);
    table.program = Ok(());
    table.ask_as(&ann(), start("a"));
    table.spawns(11);
    assert_eq!(told(&mut table).history.refused, None);
}
