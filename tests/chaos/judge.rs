//! Everything that is wrong, one line each.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cast::Role;
use crate::evidence::{Case, Evidence};
use crate::exits::Ended;

/// Faults of one kind that are told of one program; the rest is counted.
const MOST_TOLD: usize = 6;
/// How long nobody may answer. Generous: two processors are shared by twenty programs, and by other tests.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// What the keeper may have grown by, in kB.
const MEMORY: u64 = 1024;
/// And in descriptors: it was looked at while the first programs were started. A leak is one for each death or each run.
const DESCRIPTORS: usize = 30;

pub(crate) fn judge(evidence: &Evidence) -> Vec<String> {
    let mut faults = Vec::new();
    for case in &evidence.cases {
        for found in [log(case), exits(case), case.life.faults(), said(case), last_words(case)] {
            let rest = found.len().saturating_sub(MOST_TOLD);
            let name = &case.life.part.name;
            faults.extend(found.iter().take(MOST_TOLD).map(|fault| format!("{name}: {fault}")));
            faults.extend((rest > 0).then(|| format!("{name}: and {rest} more of these")));
        }
    }
    let figures = &evidence.figures;
    let [before, after] = figures.keeper;
    if figures.silence(100) > LONGEST_SILENCE {
        faults.push(format!("nobody answered for {:?}", figures.silence(100)));
    }
    if after.memory > before.memory + MEMORY || after.descriptors > before.descriptors + DESCRIPTORS {
        faults.push(format!("the keeper has grown: {before:?}, then {after:?}"));
    }
    if evidence.status != Some(0) {
        faults.push(format!("the daemon ended with {:?}", evidence.status));
    }
    faults
}

fn log(case: &Case) -> Vec<String> {
    case.verdict.faults.iter().map(ToString::to_string).collect()
}

fn exits(case: &Case) -> Vec<String> {
    let ends = case.life.ends();
    let untold = case.exits.untold.iter().map(|at| format!("end {} ({}) was never told", at + 1, ends[*at]));
    let asked_for = case.life.wishes.len();
    let unborn = case.unborn();
    let invented = case.exits.invented.iter().map(|at| &case.told[*at].ended).filter(|ended| {
        let by_sigterm = **ended == Ended::Signal("SIGTERM".to_owned());
        !by_sigterm || unborn > asked_for
    });
    let invented = invented.map(|ended| format!("an end ({ended}) was told that was none"));
    let misjudged = case.exits.matched.iter().filter_map(|(_, at)| {
        let told = &case.told[*at];
        let expected = match told.ended {
            Ended::Status(status) => case.life.part.expects(status),
            Ended::Signal(_) => false,
        };
        (told.expected.is_some_and(|said| said != expected))
            .then(|| format!("{} was told as expected: {:?}", told.ended, told.expected))
    });
    untold.chain(invented).chain(misjudged).collect()
}

/// What was said between the deaths: pids that really were, and a start that never changes.
fn said(case: &Case) -> Vec<String> {
    let mut faults = Vec::new();
    let mut starts = BTreeMap::new();
    let mut unknown = 0;
    for info in case.samples.iter().filter(|info| info.pid != 0) {
        let start = *starts.entry(info.pid).or_insert(info.start);
        if start != info.start {
            faults.push(format!("pid {} was started at {start}, then at {}", info.pid, info.start));
        }
        if case.life.part.role == Role::Steady && !["STARTING", "RUNNING"].contains(&info.state.as_str()) {
            faults.push(format!("pid {} is {}", info.pid, info.state));
        }
        if !case.life.runs.iter().any(|run| run.pid == info.pid) {
            unknown += 1;
        }
    }
    if unknown > case.unborn() {
        faults.push(format!("{unknown} times a pid was said that was none of its"));
    }
    faults
}

/// The exit status that is said of a stopped program is that of its last run.
fn last_words(case: &Case) -> Vec<String> {
    let stops = case.life.wishes.iter().filter_map(|wish| Some((wish, wish.exitstatus?)));
    let wrong = stops.filter_map(|(wish, said)| {
        let right = case.life.exitstatuses(wish);
        let unborn = case.unborn() > 0 && said == -1;
        (!unborn && !right.contains(&said))
            .then(|| format!("stopped, its exit status is said to be {said}, and was {right:?}"))
    });
    wrong.collect()
}
