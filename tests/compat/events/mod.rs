//! Events as listeners are told of them, byte by byte: rows of tables, each played on 4.3.0 and on ours.
//!
//! In: the tables, one file a theme. Out: a test a theme, which names every row that differs: in what a listener was told
//! (headers and payloads, with ordinals for pids), in what the main log says of it, in what supervisorctl printed. What 4.3.0
//! shows stands in `recorded/`, where it can be read; both sides are held against that. What is meant to differ is a row of
//! `intended.rs`.
//!
//! The listeners are `provost-listener`, which does what the configuration says it should, and one that uses Supervisor's own
//! `childutils`. Not here: when something is told. 4.3.0 tells at its next tick, we tell at once.
//!
//! `PROVOST_COMPAT_SCENARIO` and `PROVOST_COMPAT_ONLY` work as in `lifecycle`, `PROVOST_RECORD=1` records anew.

mod answers;
mod groups;
mod intended;
mod log;
mod nonsense;
mod output;
mod play;
mod pools;
mod record;
mod rejections;
mod remote;
mod scenario;
mod states;
mod supervisor;
mod told;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use provost_testkit::Implementation;

use crate::differences::Side;
use crate::lifecycle::Turn;
use play::{Player, play};
use record::Record;
use scenario::Scenario;

const THEMES: &[(&str, &[Scenario])] = &[
    ("answers", answers::ROWS),
    ("groups", groups::ROWS),
    ("nonsense", nonsense::ROWS),
    ("output", output::ROWS),
    ("pools", pools::ROWS),
    ("rejections", rejections::ROWS),
    ("remote", remote::ROWS),
    ("states", states::ROWS),
    ("supervisor", supervisor::ROWS),
];

#[test]
fn answers() {
    as_recorded("answers");
}

#[test]
fn groups() {
    as_recorded("groups");
}

#[test]
fn nonsense() {
    as_recorded("nonsense");
}

#[test]
fn output() {
    as_recorded("output");
}

#[test]
fn pools() {
    as_recorded("pools");
}

#[test]
fn rejections() {
    as_recorded("rejections");
}

#[test]
fn remote() {
    as_recorded("remote");
}

#[test]
fn states() {
    as_recorded("states");
}

#[test]
fn supervisor() {
    as_recorded("supervisor");
}

#[test]
fn the_tables_have_fifty_rows_or_more_and_a_record_of_each() {
    let mut names = BTreeSet::new();
    for (theme, rows) in THEMES {
        let recorded: Vec<String> = record::read(theme).into_keys().collect();
        let mut of_theme: Vec<&str> = rows.iter().map(|row| row.name).collect();
        of_theme.sort_unstable();
        assert_eq!(
            recorded, of_theme,
            "{theme}: the record is of other rows; PROVOST_RECORD=1 makes it anew"
        );
        names.extend(of_theme);
    }
    let rows: usize = THEMES.iter().map(|(_, rows)| rows.len()).sum();
    assert!(rows >= 50, "{rows} rows");
    assert_eq!(names.len(), rows, "each has its own name");
    intended::every_row_is_of_one_of(&names);
}

/// Plays the rows of a theme side by side and names all that differ from the record.
#[track_caller]
fn as_recorded(theme: &str) {
    let only = std::env::var("PROVOST_COMPAT_SCENARIO").unwrap_or_default();
    let all = THEMES.iter().find(|(name, _)| *name == theme).expect("every test is about a theme").1;
    let rows: Vec<&Scenario> = all.iter().filter(|row| row.name.contains(&only)).collect();
    let (theirs, (ours, our_side)) = (Implementation::supervisor_4_3(), our_side());
    let [theirs, ours] = [(theirs, Side::Theirs), (ours, our_side)].map(|(who, side)| Player::new(who, side));
    let played: Vec<[Result<Vec<String>, String>; 2]> = thread::scope(|scope| {
        let started: Vec<_> = rows
            .iter()
            .map(|row| [&theirs, &ours].map(|player| scope.spawn(move || caught(row, player))))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().expect("a row's panic is caught");
        started.into_iter().map(|both| both.map(join)).collect()
    });
    let mut record = record::read(theme);
    if record::is_wanted() {
        record.retain(|name, _| all.iter().any(|row| row.name == name));
        let seen =
            rows.iter().zip(&played).filter_map(|(row, [theirs, _])| Some((row, theirs.as_ref().ok()?)));
        record.extend(seen.map(|(row, lines)| (row.name.to_owned(), lines.clone())));
        record::write(theme, &record);
    }
    let differ: Vec<String> = rows
        .iter()
        .zip(played)
        .flat_map(|(row, [theirs, ours])| {
            let theirs = judge(row, theirs, &record, Side::Theirs).err().map(|e| format!("on 4.3.0: {e}"));
            let ours = judge(row, ours, &record, our_side).err();
            theirs.into_iter().chain(ours).map(|e| format!("{}: {e}", row.name))
        })
        .collect();
    assert!(differ.is_empty(), "{} of {} rows:\n\n{}", differ.len(), rows.len(), differ.join("\n\n"));
}

/// Plays a row when there is room for it.
fn caught(row: &Scenario, on: &Player) -> Result<Vec<String>, String> {
    let _turn = Turn::take();
    catch_unwind(AssertUnwindSafe(|| play(row, on))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("it could not be played: {}", text.unwrap_or_default())
    })
}

fn judge(
    row: &Scenario,
    seen: Result<Vec<String>, String>,
    record: &Record,
    side: Side,
) -> Result<(), String> {
    let seen = seen?;
    let recorded = record.get(row.name).ok_or("there is no record of it; PROVOST_RECORD=1 makes it")?;
    let expected = match side {
        Side::Theirs => recorded.clone(),
        Side::Ours => intended::as_intended(row.name, recorded)?,
    };
    match expected == seen {
        true => Ok(()),
        false => Err(format!("- is recorded, + was seen:\n{}", crate::difference(&expected, &seen))),
    }
}

fn our_side() -> (Implementation, Side) {
    let side = match std::env::var("PROVOST_COMPAT_ONLY").as_deref() {
        Ok("theirs" | "ctl") => Side::Theirs,
        _ => Side::Ours,
    };
    (crate::our_side(), side)
}
