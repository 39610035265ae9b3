//! One black-box suite for two implementations: every scenario is played on
//! Supervisor 4.3.0 and on ours, and what was seen must be the same.
//!
//! In: scenarios, functions that drive a daemon through a [`stage::Stage`]. Out:
//! for each side a transcript (what supervisorctl printed and returned, and the
//! main log, with pids, times and paths made equal), compared line by line. What
//! may differ stands in one table with reasons, `differences.rs`. The scenarios of
//! `lifecycle` are rows of tables and compare every event besides: its name, its
//! payload, its place and its time; those of `events` compare what listeners are told, to the byte. `syslog.rs` compares what a syslogd receives.
//!
//! `PROVOST_COMPAT_ONLY` replaces our side, to look at one half at a time:
//! `ctl` is our supervisorctl on 4.3.0's daemon, `daemon` is our daemon under
//! 4.3.0's supervisorctl, and `theirs` is 4.3.0 once more: a suite that cannot even
//! agree with itself would prove nothing about us.
//!
//! Not here: what no command and no log shows. That is for the rooms' own tests.

mod calls;
mod ctl;
mod differences;
mod events;
mod lifecycle;
mod normalise;
mod scenarios;
mod stage;
mod syslog;

use std::thread;

use provost_testkit::Implementation;

use differences::{Side, comparable};
use stage::Stage;

/// A scenario, and whose supervisorctl each side uses.
type Scenario = fn(&mut Stage);

/// Plays a scenario on both sides, each with its own supervisorctl.
#[track_caller]
fn same(scenario: Scenario) {
    compare(scenario, &Implementation::supervisor_4_3(), &our_side());
}

/// Plays a scenario with the pairs crossed: their supervisorctl on our daemon and
/// ours on theirs must both be told from a pure 4.3.0 by nothing.
#[track_caller]
fn same_crossed(scenario: Scenario) {
    let (theirs, ours) = (Implementation::supervisor_4_3(), our_side());
    compare(scenario, &theirs, &ours.driven_by(&theirs));
    compare(scenario, &theirs, &theirs.driven_by(&ours));
}

fn our_side() -> Implementation {
    let (theirs, ours) = (Implementation::supervisor_4_3, Implementation::ours);
    match std::env::var("PROVOST_COMPAT_ONLY").as_deref() {
        Err(_) => ours(),
        Ok("theirs") => theirs(),
        Ok("ctl") => theirs().driven_by(&ours()),
        Ok("daemon") => ours().driven_by(&theirs()),
        Ok(other) => panic!("PROVOST_COMPAT_ONLY is {other:?}; it knows theirs, ctl and daemon"),
    }
}

#[track_caller]
fn compare(scenario: Scenario, theirs: &Implementation, ours: &Implementation) {
    // Side by side: 4.3.0 spends most of its time waiting for its next tick.
    let (expected, actual) = thread::scope(|scope| {
        let expected = thread::Builder::new()
            .name("4.3.0".into())
            .spawn_scoped(scope, || comparable(Side::Theirs, stage::play(theirs, scenario).whole()))
            .expect("a test may start a thread");
        let actual = comparable(Side::Ours, stage::play(ours, scenario).whole());
        let expected = expected.join().expect("the scenario plays on 4.3.0 (its panic is above)");
        (expected, actual)
    });
    assert!(
        expected == actual,
        "{} under {} differs from {}; - is only there, + is only here:\n{}",
        ours.supervisord[0].display(),
        ours.supervisorctl[0].display(),
        theirs.name,
        difference(&expected, &actual)
    );
}

/// Both transcripts as one text, with the lines of the longest common subsequence
/// indented by blanks and the others marked.
fn difference(expected: &[String], actual: &[String]) -> String {
    let (rows, columns) = (expected.len(), actual.len());
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if expected[row] == actual[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let mut text = String::new();
    let (mut row, mut column) = (0, 0);
    while row < rows || column < columns {
        let (mark, line) = if row < rows && column < columns && expected[row] == actual[column] {
            row += 1;
            column += 1;
            ("  ", &expected[row - 1])
        } else if column == columns || (row < rows && common[row + 1][column] >= common[row][column + 1]) {
            row += 1;
            ("- ", &expected[row - 1])
        } else {
            column += 1;
            ("+ ", &actual[column - 1])
        };
        text.push_str(mark);
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[test]
fn a_difference_shows_both_sides_and_what_they_share() {
    let [left, right] = [["a", "b", "c"], ["a", "x", "c"]].map(|l| l.map(str::to_owned));
    assert_eq!(difference(&left, &right), "  a\n- b\n+ x\n  c\n");
}
