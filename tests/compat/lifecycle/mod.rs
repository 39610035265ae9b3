//! Lifecycles of programs, groups and the daemon itself, event by event: rows of tables, each played on 4.3.0 and on
//! ours at the same time.
//!
//! In: the tables, one file a theme. Out: a test a theme, which names every row that differs and where: in the names of
//! the events, their order, their payload, their times, in what supervisorctl printed or in the main log. What is
//! meant to differ stands in `differences.rs`.
//!
//! `PROVOST_COMPAT_SCENARIO` leaves only the rows whose name contains it; `PROVOST_COMPAT_ONLY` works as for the rest of
//! the suite. Rows mostly wait, so a theme plays its rows side by side, as many as [`AT_ONCE`] allows over all themes.

mod births;
mod changes;
mod ending;
mod groups;
mod output;
mod play;
mod refused;
mod renewal;
mod retries;
mod scenario;
mod shutdown;
mod starting;
mod stopping;
mod tap;
mod told;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

pub(crate) use play::python;
use play::{Recorded, compare};
use scenario::{Place, Scenario};
pub(crate) use told::Told;

/// How many rows are played at once. Each is a daemon on either side; they sleep most of the time, and what
/// they take of two cores the tolerances allow for.
const AT_ONCE: usize = 8;

const TABLES: &[&[Scenario]] = &[
    births::ROWS,
    changes::ROWS,
    ending::ROWS,
    groups::ROWS,
    output::ROWS,
    refused::ROWS,
    renewal::ROWS,
    retries::ROWS,
    shutdown::ROWS,
    starting::ROWS,
    stopping::ROWS,
];

#[test]
fn births() {
    all_alike(births::ROWS);
}

#[test]
fn changes() {
    all_alike(changes::ROWS);
}

#[test]
fn ending() {
    all_alike(ending::ROWS);
}

#[test]
fn groups() {
    all_alike(groups::ROWS);
}

#[test]
fn output() {
    all_alike(output::ROWS);
}

#[test]
fn refused() {
    all_alike(refused::ROWS);
}

#[test]
fn renewal() {
    all_alike(renewal::ROWS);
}

#[test]
fn retries() {
    all_alike(retries::ROWS);
}

#[test]
fn shutdown() {
    all_alike(shutdown::ROWS);
}

#[test]
fn starting() {
    all_alike(starting::ROWS);
}

#[test]
fn stopping() {
    all_alike(stopping::ROWS);
}

#[test]
fn the_tables_have_sixty_rows_or_more_and_each_its_own_name() {
    let names: Vec<&str> = TABLES.iter().flat_map(|table| table.iter()).map(|row| row.name).collect();
    assert!(names.len() >= 60, "{} rows", names.len());
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len());
    assert!(!unique.contains(""));
}

/// Plays rows side by side and names all that differ.
#[track_caller]
fn all_alike(rows: &[Scenario]) {
    told::measure_load();
    let only = std::env::var("PROVOST_COMPAT_SCENARIO").unwrap_or_default();
    let rows: Vec<&Scenario> =
        rows.iter().filter(|row| row.name.contains(&only) && has_its_place(row)).collect();
    let differ: Vec<String> = thread::scope(|scope| {
        let played: Vec<_> = rows.iter().map(|row| (row, scope.spawn(|| alike(row)))).collect();
        played
            .into_iter()
            .filter_map(|(row, outcome)| {
                let outcome = outcome.join().expect("a row's panic is caught where it is played");
                Some(format!("{}: {}", row.name, outcome.err()?))
            })
            .collect()
    });
    assert!(differ.is_empty(), "{} of {} rows:\n\n{}", differ.len(), rows.len(), differ.join("\n\n"));
}

/// Plays a row when there is room for it.
fn alike(row: &Scenario) -> Result<(), String> {
    let _turn = Turn::take();
    let (theirs, ours) = sides();
    catch_unwind(AssertUnwindSafe(|| compare(row, &theirs, &ours))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("it could not be played: {}", text.unwrap_or_default()))
    })
}

fn sides() -> (Recorded, Recorded) {
    let (theirs, ours) = (Recorded::supervisor_4_3, Recorded::ours);
    let our_side = match std::env::var("PROVOST_COMPAT_ONLY").as_deref() {
        Err(_) => ours(),
        Ok("theirs") => theirs(),
        Ok("ctl") => theirs().driven_by(&ours()),
        Ok("daemon") => ours().driven_by(&theirs()),
        Ok(other) => panic!("PROVOST_COMPAT_ONLY is {other:?}; it knows theirs, ctl and daemon"),
    };
    (theirs(), our_side)
}

/// Whether this row can be played here; says so if not.
#[expect(clippy::print_stderr, reason = "a row that is left out must not go unnoticed")]
fn has_its_place(row: &Scenario) -> bool {
    let can = row.place != Place::AsRoot || owner_of_this_process() == 0;
    if !can {
        eprintln!("left out, because only root can become another user: {}", row.name);
    }
    can
}

fn owner_of_this_process() -> u32 {
    std::fs::metadata("/proc/self").expect("a process is in its own /proc").uid()
}

/// One of [`AT_ONCE`] places to play at, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Turn {
    pub(crate) fn take() -> Turn {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken =
            FREED.wait_while(taken, |taken| *taken == AT_ONCE).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}
