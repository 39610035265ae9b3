//! Plays a row of the tables on one side, and the two sides side by side.
//!
//! In: a scenario. Out: nothing, or in words where the sides differ. 4.3.0 runs with `tap.py` around it and ours at
//! loglevel trace, so that both write down every event with its time; the other lines that ours has at this level are
//! left out again.

use std::collections::HashMap;
use std::ffi::OsString;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::Instant;

use provost_testkit::{Hello, Implementation};

use super::scenario::{Order, Place, Scenario, Step};
use super::told::{self, Account, Ctl};
use crate::differences::{self, Side};
use crate::stage::{self, Seen, Stage};

/// Lines that 4.3.0 has at these levels, too, but not the same ones.
const TOO_DETAILED: [&str; 3] = ["TIME DEBG ", "TIME TRAC ", "TIME BLAT "];

/// An implementation that writes its events down, in this file of the sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    implementation: Implementation,
    /// Whose daemon it is.
    side: Side,
    file: &'static str,
}

impl Recorded {
    pub(crate) fn supervisor_4_3() -> Recorded {
        let mut implementation = Implementation::supervisor_4_3();
        implementation.supervisord = vec![python(&implementation), script("tap.py")];
        Recorded { implementation, side: Side::Theirs, file: "events.log" }
    }

    pub(crate) fn ours() -> Recorded {
        let mut implementation = Implementation::ours();
        implementation.supervisord.extend(["-e", "trace"].map(OsString::from));
        Recorded { implementation, side: Side::Ours, file: "main.log" }
    }

    pub(crate) fn implementation(&self) -> &Implementation {
        &self.implementation
    }

    /// The file of the sandbox with the events.
    pub(crate) fn file(&self) -> &'static str {
        self.file
    }

    pub(crate) fn driven_by(&self, other: &Recorded) -> Recorded {
        let implementation = self.implementation.driven_by(&other.implementation);
        Recorded { implementation, ..*self }
    }
}

/// The interpreter that 4.3.0 is installed for.
pub(crate) fn python(supervisor: &Implementation) -> OsString {
    Path::new(&supervisor.supervisord[0]).with_file_name("python").into_os_string()
}

/// A Python script of this folder.
pub(crate) fn script(name: &str) -> OsString {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/lifecycle").join(name).into_os_string()
}

/// What was seen on one side.
#[derive(Debug)]
pub(crate) struct Played {
    seen: Seen,
    account: Account,
}

/// Plays the scenario on both sides at the same time and says where they differ.
pub(crate) fn compare(scenario: &Scenario, theirs: &Recorded, ours: &Recorded) -> Result<(), String> {
    // Side by side: 4.3.0 spends most of its time waiting for its next tick.
    let side = ours.side;
    let (mut theirs, ours) = thread::scope(|scope| {
        let name = format!("{} on 4.3.0", scenario.name);
        let theirs = thread::Builder::new()
            .name(name)
            .spawn_scoped(scope, || play(scenario, theirs))
            .expect("a test may start a thread");
        let ours = play(scenario, ours);
        (theirs.join().unwrap_or_else(|panic| resume_unwind(panic)), ours)
    });
    if side == Side::Ours {
        differences::as_intended(scenario.name, &mut theirs.account.events);
    }
    for (side, played) in [("4.3.0", &theirs), ("ours", &ours)] {
        pids_are_of_children(played).map_err(|e| format!("{side}: {e}"))?;
    }
    told::differences(&theirs.account, &ours.account, scenario.order)?;
    let expected = seen(scenario, Side::Theirs, theirs);
    let actual = seen(scenario, Side::Ours, ours);
    match expected == actual {
        true => Ok(()),
        false => Err(format!("what was seen differs:\n{}", crate::difference(&expected, &actual))),
    }
}

/// Plays the scenario on one side to its end.
pub(crate) fn play(scenario: &Scenario, on: &Recorded) -> Played {
    let mut ctl = Vec::new();
    let mut lines = Vec::new();
    let seen = stage::play(&on.implementation, |stage| {
        match scenario.place {
            Place::Background => stage.start_daemonized(scenario.config),
            Place::Foreground | Place::AsRoot => stage.start(scenario.config),
        }
        let mut hellos = HashMap::new();
        for step in scenario.steps {
            let (after, begun) = (told::read(&stage.lines_of(on.file)).len(), Instant::now());
            perform(stage, step, on.file, &mut hellos);
            if let Step::Ctl(_) = step {
                ctl.push(Ctl { after, took: begun.elapsed() });
            }
        }
        stage.end();
        lines = stage.lines_of(on.file);
    });
    Played { seen, account: Account { events: told::read(&lines), ctl } }
}

fn perform(stage: &mut Stage, step: &Step, file: &str, hellos: &mut HashMap<&'static str, Hello>) {
    let entered = |state: &str, process: &str| format!("event PROCESS_STATE_{state} processname:{process} ");
    match *step {
        Step::Ctl(line) => stage.ctl(line),
        Step::StopUnwaited(process) => stage.stop_unwaited(process),
        Step::In(state, process) => stage.wait_for_output(file, &entered(state, process)),
        Step::AllIn(state, processes) => {
            let texts: Vec<String> = processes.iter().map(|process| entered(state, process)).collect();
            stage.wait_for_outputs(file, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        }
        Step::Told(text) => stage.wait_for_output(file, &format!("event {text}")),
        Step::Log(text) => stage.wait_for_log(text),
        Step::Hello(program) => {
            hellos.insert(program, stage.wait_for_hello(program));
        }
        Step::Signal(program, signal) => stage.signal(&hellos[program], signal),
        Step::Gone(program) => stage.wait_until_gone(&hellos[program]),
        Step::Daemon(signal) => stage.signal_daemon(signal),
        Step::Config(text) => stage.write_config(text),
        Step::Program(name, text) => stage.write_program(name, text),
        Step::Output(file, text) => stage.wait_for_output(file, text),
        Step::Text(file) => stage.record_text(file),
        Step::End => stage.wait_for_end(),
    }
}

/// Whether every pid that was told is one that was spawned.
fn pids_are_of_children(played: &Played) -> Result<(), String> {
    let spawned = |pid: i32| played.seen.log.iter().any(|line| line.ends_with(&format!(" with pid {pid}")));
    match played.account.events.iter().find(|told| told.pid.is_some_and(|pid| !spawned(pid))) {
        Some(told) => Err(format!("pid {:?} was never spawned: {}", told.pid, told.text)),
        None => Ok(()),
    }
}

/// What supervisorctl and the main log said, without what is excused.
fn seen(scenario: &Scenario, side: Side, played: Played) -> Vec<String> {
    let settled = |line: &String| !scenario.unsettled.iter().any(|(part, _)| line.contains(part));
    let mut log = played.seen.comparable_log();
    leave_out_details(&mut log);
    log.retain(settled);
    let mut log = differences::comparable(side, log);
    if scenario.order == Order::Each {
        log.sort();
    }
    let mut all = played.seen.transcript;
    all.retain(settled);
    let mut all = differences::comparable(side, all);
    all.push("main log:".to_owned());
    all.extend(log);
    all
}

/// Leaves out lines of the levels below info, with the lines that continue them.
fn leave_out_details(log: &mut Vec<String>) {
    let mut within = false;
    log.retain(|line| {
        if line.starts_with("TIME ") {
            within = TOO_DETAILED.iter().any(|start| line.starts_with(start));
        }
        !within
    });
}

#[test]
fn a_line_that_is_left_out_takes_its_continuation_along() {
    let mut log: Vec<String> =
        ["TIME INFO a", "TIME DEBG b", "more of b", "TIME WARN c", "more of c"].map(str::to_owned).to_vec();
    leave_out_details(&mut log);
    assert_eq!(log, ["TIME INFO a", "TIME WARN c", "more of c"]);
}
