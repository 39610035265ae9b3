//! What is said to processes, and past them to listeners (SPEC 6.4).

use std::sync::Arc;

use provost_core::{Action, AskId, Command, Event, Fault, Input, Reply, StdinError};

use crate::common::Table;
use crate::{running, stop};

fn send(name: &str) -> Command {
    Command::SendStdin { name: name.into(), chars: "hello\n".into() }
}

fn answered(table: &mut Table, command: Command) -> Reply {
    let ask = table.ask(command);
    table.reply(ask).expect("it is answered at once here").clone()
}

#[test]
fn a_child_is_written_to_while_it_may_be() {
    let (mut table, child) = running("stopwaitsecs=3600");
    assert_eq!(answered(&mut table, send("a")), Reply::Done);
    assert_eq!(table.written, ["hello\n"]);
    let not_running = Reply::Fault(Fault::NotRunning { name: "a:a".into() });
    table.ask(stop("a"));
    assert_eq!(answered(&mut table, send("a:a")), not_running, "it is to end");
    table.exits(child, 0);
    assert_eq!(answered(&mut table, send("a:a")), not_running);
    assert_eq!(table.written.len(), 1);
}

#[test]
fn one_that_is_still_starting_is_written_to_as_soon_as_it_is_there() {
    let mut table = Table::new("[program:a]\ncommand=/bin/a");
    assert_eq!(answered(&mut table, send("a")), Reply::Fault(Fault::NotRunning { name: "a".into() }));
    table.spawns(10);
    assert_eq!(answered(&mut table, send("a")), Reply::Done);
}

#[test]
fn a_group_is_nobody_to_write_to() {
    let (mut table, _) = running("");
    for name in ["a:*", "a:", "a:b", "b", ""] {
        let bad_name = Fault::BadName { name: name.into() };
        assert_eq!(answered(&mut table, send(name)), Reply::Fault(bad_name));
    }
}

#[test]
fn what_the_pipe_says_is_told_in_supervisors_words() {
    let (mut table, _) = running("");
    for (error, fault) in [
        (StdinError::Closed, Fault::NoFile { detail: "a".into() }),
        (StdinError::Ended, Fault::NotRunning { name: "a".into() }),
        (StdinError::Refused("full".into()), Fault::Failed { detail: "full".into() }),
    ] {
        table.pipe = Err(error);
        assert_eq!(answered(&mut table, send("a")), Reply::Fault(fault));
    }
}

#[test]
fn an_event_from_outside_is_published_in_any_mood() {
    let (mut table, _) = running("stopwaitsecs=3600");
    let command = Command::RemoteEvent { kind: "deploy".into(), data: "done".into() };
    for _ in 0..2 {
        let mut actions = Vec::new();
        let ask = AskId(1_000);
        table.supervisor.step(table.now, Input::Command(ask, Arc::default(), command.clone()), &mut actions);
        let event = Event::RemoteCommunication { kind: "deploy".into(), data: "done".into() };
        assert_eq!(actions, [Action::Publish(event), Action::Reply { ask, reply: Reply::Done }]);
        // The second time round everything stops.
        table.ask(Command::Shutdown);
    }
}
