//! What is done to log files on somebody's wish, and who is named in the answer (SPEC 6.5).

use provost_core::{Command, Fault, LogDeed, Reply, Target};

use crate::common::Table;

const TWO: &str =
    "[program:a]\ncommand=/bin/a\nautostart=false\n[program:b]\ncommand=/bin/b\nautostart=false";

fn answered(table: &mut Table, target: Target, deed: LogDeed) -> Reply {
    let ask = table.ask(Command::Logs { target, deed });
    table.reply(ask).expect("it is answered at once here").clone()
}

fn names(reply: &Reply) -> Vec<&str> {
    let Reply::Statuses(entries) = reply else { panic!("no list: {reply:?}") };
    entries.iter().map(|entry| &*entry.name).collect()
}

#[test]
fn all_logs_are_rotated_and_opened_anew_with_the_main_log_and_cleared_without_it() {
    let mut table = Table::new(TWO);
    assert_eq!(names(&answered(&mut table, Target::all(), LogDeed::Rotate)), ["a", "b", "supervisord"]);
    assert_eq!(names(&answered(&mut table, Target::all(), LogDeed::Reopen)), ["a", "b", "supervisord"]);
    assert_eq!(names(&answered(&mut table, Target::all(), LogDeed::Clear)), ["a", "b"]);
    assert_eq!(names(&answered(&mut table, Target::group("a"), LogDeed::Rotate)), ["a"]);
}

#[test]
fn the_logs_of_one_process_and_the_main_log_alone() {
    let mut table = Table::new(TWO);
    for deed in [LogDeed::Clear, LogDeed::Rotate, LogDeed::Reopen] {
        assert_eq!(answered(&mut table, Target::named("b"), deed), Reply::Done);
        let ask = table.ask(Command::MainLog { deed });
        assert_eq!(table.reply(ask), Some(&Reply::Done));
    }
    let nobody = Fault::BadName { name: "c".into() };
    assert_eq!(answered(&mut table, Target::named("c"), LogDeed::Rotate), Reply::Fault(nobody));
}

#[test]
fn whoever_waits_for_a_hanging_disk_is_answered_when_everything_stops() {
    let mut table = Table::new(TWO);
    table.disk_hangs = true;
    let all = table.ask(Command::Logs { target: Target::all(), deed: LogDeed::Rotate });
    let main_log = table.ask(Command::MainLog { deed: LogDeed::Clear });
    assert_eq!((table.reply(all), table.reply(main_log)), (None, None));
    table.ask(Command::Shutdown);
    let Some(reply @ Reply::Statuses(entries)) = table.reply(all) else { panic!("no list") };
    assert_eq!(names(reply).len(), 3);
    assert!(entries.iter().all(|entry| entry.result == Err(Fault::ShuttingDown)));
    assert_eq!(table.reply(main_log), Some(&Reply::Fault(Fault::ShuttingDown)));
}
