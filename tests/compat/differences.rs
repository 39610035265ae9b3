//! The one table of what may differ between Supervisor 4.3.0 and us, and between
//! two runs of 4.3.0 itself.
//!
//! In: a side's transcript. Out: the transcript without the lines that the table
//! excuses there, and with the ends of programs that were stopped together in one
//! order. In: the events of a lifecycle on 4.3.0. Out: what ours are to be. A row needs
//! a reason that a user would accept; a difference without one is a bug of ours.

use crate::lifecycle::Told;

/// Whose transcript is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Theirs,
    Ours,
}

/// A line that is excused.
struct Excused {
    sides: &'static [Side],
    /// What the normalised line must contain, in this order.
    parts: &'static [&'static str],
    reason: &'static str,
}

const EXCUSED: &[Excused] = &[
    Excused {
        sides: &[Side::Theirs, Side::Ours],
        parts: &["TIME INFO waiting for ", " to stop"],
        reason: "4.3.0 writes it only if the program has not ended by the time it looks, a few \
                 microseconds after the signal; scenarios with a slow program wait for it by name",
    },
    Excused {
        sides: &[Side::Ours],
        parts: &["TIME WARN DIR/supervisord.conf:", ": ["],
        reason: "advice about what is hardly meant in a configuration, of which 4.3.0 says nothing",
    },
    Excused {
        sides: &[Side::Ours],
        parts: &["TIME INFO audit: user=", " from=", " door=", " action=", " target=", " result="],
        reason: "who did what, of which 4.3.0 keeps no record",
    },
    Excused {
        sides: &[Side::Theirs],
        parts: &["TIME INFO reaped unknown pid PID"],
        reason: "a grandchild that outlived its parent comes to 4.3.0 only where that is a \
                 subreaper or PID 1, which depends on the machine and not on the scenario",
    },
];

/// An event that is meant to differ in one scenario.
struct Intended {
    scenario: &'static str,
    /// A part of its text on 4.3.0, and what stands there with us.
    theirs: &'static str,
    ours: &'static str,
    reason: &'static str,
}

const INTENDED: &[Intended] = &[Intended {
    scenario: "a start after a stop during back-off",
    theirs: "PROCESS_STATE_STARTING processname:x groupname:x from_state:STOPPED tries:3",
    ours: "PROCESS_STATE_STARTING processname:x groupname:x from_state:STOPPED tries:0",
    reason: "4.3.0 goes on counting failures from before the stop; whoever starts by hand has all retries",
}];

/// The events of 4.3.0 as ours are to be in this scenario.
///
/// # Panics
/// When a row of the table fits nothing: it is out of date.
pub(crate) fn as_intended(scenario: &str, theirs: &mut [Told]) {
    for row in INTENDED.iter().filter(|row| row.scenario == scenario) {
        let mut fits = 0;
        for told in theirs.iter_mut().filter(|told| told.text.contains(row.theirs)) {
            told.text = told.text.replace(row.theirs, row.ours);
            fits += 1;
        }
        assert!(fits > 0, "4.3.0 no longer tells {:?} in \"{scenario}\"", row.theirs);
    }
}

/// The transcript as it is to be compared.
pub(crate) fn comparable(side: Side, mut transcript: Vec<String>) -> Vec<String> {
    transcript.retain(|line| !EXCUSED.iter().any(|row| row.excuses(side, line)));
    leave_out_help(&mut transcript);
    sort_simultaneous(&mut transcript);
    transcript
}

impl Excused {
    fn excuses(&self, side: Side, line: &str) -> bool {
        let mut rest = Some(line);
        for part in self.parts {
            rest = rest.and_then(|rest| Some(rest.split_once(part)?.1));
        }
        rest.is_some() && self.sides.contains(&side)
    }
}

/// Help texts are in our own words (SPEC 7): what follows the line that tells a usage error is left out
/// on both sides, up to the exit status.
fn leave_out_help(transcript: &mut Vec<String>) {
    let mut in_help = false;
    transcript.retain(|line| {
        let ends = line.starts_with("  = ") || line.starts_with("= ");
        let keep = !in_help || ends;
        in_help = (in_help && !ends) || line.trim_start().starts_with("Error: ");
        keep
    });
}

/// Programs that were signalled together end in the order that the kernel runs
/// them in, so neighbouring lines that tell of it, in the main log and from
/// `stop all`, have no order of their own. Programs that were spawned together with `startsecs=0` are RUNNING
/// the moment they are there with us, and after the next tick, all together, with 4.3.0. So are those that have
/// stayed up since the tick before, in the order of their groups there and in the order of their starts here.
fn sort_simultaneous(transcript: &mut [String]) {
    let stopped = |line: &String| line.contains(" stopped: ") || line.ends_with(": stopped");
    for run in transcript.chunk_by_mut(|a, b| stopped(a) && stopped(b)) {
        run.sort();
    }
    let success = |line: &String| line.contains(" INFO success: ");
    for run in transcript.chunk_by_mut(|a, b| success(a) && success(b)) {
        run.sort();
    }
    let spawned = |line: &String| line.contains(" INFO spawned: ");
    let at_once = |line: &String| spawned(line) || line.contains(" stayed up for > than 0 seconds");
    for run in transcript.chunk_by_mut(|a, b| at_once(a) && at_once(b)) {
        run.sort_by_key(|line| !spawned(line));
    }
}

#[test]
fn every_row_has_a_reason_and_is_about_one_kind_of_line() {
    for row in EXCUSED {
        assert!(row.reason.len() > 20, "{:?} needs a reason", row.parts);
        let length: usize = row.parts.iter().map(|part| part.len()).sum();
        assert!(length > 10, "{:?} would excuse too much", row.parts);
    }
    for row in INTENDED {
        assert!(row.reason.len() > 20, "{} needs a reason", row.scenario);
        assert!(row.theirs.starts_with("PROCESS_STATE_"), "{:?} could fit several events", row.theirs);
    }
}

#[test]
fn only_the_excused_is_left_out_and_only_simultaneous_ends_are_sorted() {
    let lines = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
    let transcript = lines(&[
        "TIME WARN stopped: z",
        "TIME INFO waiting for b to stop",
        "TIME WARN stopped: b",
        "TIME INFO waiting for a, b to die",
        "TIME WARN stopped: a",
        "TIME INFO reaped unknown pid PID (exit status 0)",
    ]);
    let theirs = lines(&[
        "TIME WARN stopped: b",
        "TIME WARN stopped: z",
        "TIME INFO waiting for a, b to die",
        "TIME WARN stopped: a",
    ]);
    assert_eq!(comparable(Side::Theirs, transcript.clone()), theirs);
    assert_eq!(comparable(Side::Ours, transcript).len(), theirs.len() + 1);
}
