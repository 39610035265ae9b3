//! The life of a process in small stories: given a configuration, when this happens, then that (SPEC 3, 6.6).

mod again;
mod brains;
#[path = "../common/mod.rs"]
mod common;
mod endings;
mod groups;
mod histories;
mod life;
mod listeners;
mod logs;
mod policies;
mod stops;
mod updates;
mod words;

use std::time::Duration;

use common::Table;
use provost_core::{ChildId, Command, Target};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(10);

fn start(name: &str) -> Command {
    Command::Start { target: Target::named(name), wait: true }
}

fn stop(name: &str) -> Command {
    Command::Stop { target: Target::named(name), wait: true }
}

/// One program that runs for an hour already, as pid 10.
fn running(options: &str) -> (Table, ChildId) {
    let mut table = Table::new(&format!("[program:a]\ncommand=/bin/a\n{options}"));
    let child = table.spawns(10);
    table.advance(3600 * SECOND);
    table.story();
    (table, child)
}
