//! The one table of what listeners of ours are meant to be told otherwise than those of 4.3.0, each row with a reason that a
//! user would accept.
//!
//! In: the record of a scenario. Out: the record as it is to be with us. A row whose lines are not recorded (any more) is out of
//! date and fails, and as what it puts in their place is compared, it fails as well where the difference is gone.

use std::collections::BTreeSet;

/// Some lines that differ on purpose.
struct Intended {
    scenario: &'static str,
    /// Whole lines of the record that follow each other, and what there is instead.
    theirs: &'static str,
    ours: &'static str,
    reason: &'static str,
}

const INTENDED: &[Intended] = &[];

/// What the record of this scenario is to be with us.
pub(super) fn as_intended(scenario: &str, recorded: &[String]) -> Result<Vec<String>, String> {
    let mut lines = recorded.to_vec();
    for row in INTENDED.iter().filter(|row| row.scenario == scenario) {
        let theirs: Vec<&str> = row.theirs.lines().collect();
        let places: Vec<usize> = lines
            .windows(theirs.len())
            .enumerate()
            .filter(|(_, part)| *part == theirs)
            .map(|(at, _)| at)
            .collect();
        let &[at] = places.as_slice() else {
            return Err(format!("4.3.0 shows this in {} places, not in one:\n{}", places.len(), row.theirs));
        };
        lines.splice(at..at + theirs.len(), row.ours.lines().map(str::to_owned));
    }
    Ok(lines)
}

/// # Panics
/// When a row is about none of these scenarios, or says nothing.
#[track_caller]
pub(super) fn every_row_is_of_one_of(scenarios: &BTreeSet<&str>) {
    for row in INTENDED {
        assert!(scenarios.contains(row.scenario), "there is no scenario {:?}", row.scenario);
        assert!(row.reason.len() > 20, "{} needs a reason", row.scenario);
        assert!(!row.theirs.is_empty() && row.theirs != row.ours, "{} says nothing", row.scenario);
    }
}
