//! supervisorctl, row by row: what it prints, and the status it ends with, must be what Supervisor's own does.
//!
//! In: stages, each a daemon (or none) in some state, and tables of command lines for it. Every stage is played by four pairs:
//! their client on their daemon is the truth, and stands in `recorded/`, where it can be read and compared with when there is
//! no 4.3.0; ours on ours, ours on theirs and theirs on ours are held against it. What differs on purpose is a row of
//! `intended.rs`. `PROVOST_RECORD=1` writes the truth down anew.
//!
//! In a record `$ status web` is `supervisorctl -c FILE status web`, and `$ supervisorctl …` is all that was said. `<` is typed,
//! `!` is stderr, `=` the exit status; `\` at the end of a line means that there was no line end, `\s` is a last blank.
//!
//! Not here: terminals, and texts of help, which are in our own words.

mod absent;
mod changes;
mod ending;
mod forks;
mod intended;
mod names;
mod passwords;
mod play;
mod record;
mod running;
mod shells;
mod states;
mod strangers;
mod streams;

use play::{Pair, Play};

/// Plays a stage on one pair and holds what was seen against the record.
#[track_caller]
fn played(stage: &str, pair: Pair, scenes: fn(&mut Play)) {
    let mut play = Play::new(pair);
    scenes(&mut play);
    let entries = play.end();
    if pair == Pair::Theirs && record::is_wanted() {
        record::write(stage, &entries);
    }
    intended::judge(stage, pair, &record::read(stage), &entries);
}

/// A test for each pair.
macro_rules! stage {
    ($name:ident: $($test:ident = $pair:ident),*) => {
        mod $name {
            use super::super::{Pair, played};
            $(#[test] fn $test() { played(stringify!($name), Pair::$pair, super::$name); })*
        }
    };
    ($name:ident) => {
        stage!($name: theirs = Theirs, ours = Ours, our_client = OurClient, our_daemon = OurDaemon);
    };
    ($name:ident without a daemon) => {
        stage!($name: theirs = Theirs, ours = Ours);
    };
}
use stage;

#[test]
fn every_verb_has_its_rows() {
    let stages = record::stages();
    let calls: Vec<String> =
        stages.iter().flat_map(|stage| record::read(stage)).map(|entry| entry.call).collect();
    assert!(calls.len() >= 250, "{} rows are too few to show anything", calls.len());
    for verb in [
        "add", "avail", "clear", "exit", "fg", "maintail", "open", "pid", "quit", "reload", "remove",
        "reread", "restart", "shutdown", "signal", "start", "status", "stop", "tail", "update", "version",
    ] {
        let rows =
            calls.iter().filter(|call| call.split(|c: char| !c.is_alphanumeric()).any(|word| word == verb));
        let rows = rows.count();
        assert!(rows >= 3, "{verb} stands in {rows} rows");
    }
}
