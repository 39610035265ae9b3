//! Plays a row of the tables on one side.
//!
//! In: a scenario and an implementation. Out: lines that can be compared: what supervisorctl printed, what each listener was
//! told, what the main log says of that, and how the daemon ended. What is told after the last step is not looked at: all are
//! asked to end then, and who hears of whose end is chance.

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use provost_testkit::{Deadline, Hello, Implementation, Lines, Signal, provost_listener};

use super::log;
use super::scenario::{Scenario, Step};
use super::told::{self, Children};
use crate::differences::Side;
use crate::normalise;
use crate::stage::{self, Stage};

/// An implementation that tells at level debug what becomes of events.
#[derive(Debug, Clone)]
pub(super) struct Player {
    implementation: Implementation,
    side: Side,
}

impl Player {
    pub(super) fn new(mut implementation: Implementation, side: Side) -> Player {
        implementation.supervisord.extend(["-e", "debug"].map(OsString::from));
        Player { implementation, side }
    }
}

/// Plays a scenario to its end.
pub(super) fn play(scenario: &Scenario, on: &Player) -> Vec<String> {
    let (mut files, mut log, mut directory) = (Vec::new(), Vec::new(), String::new());
    let seen = stage::play(&on.implementation, |stage| {
        stage.start(&with_places(scenario.config));
        let mut met = Met::default();
        for step in scenario.steps {
            perform(stage, step, &mut met);
        }
        files = stage.files_of("").into_iter().collect();
        log = stage.lines_of("main.log");
        directory = stage.directory();
        stage.end_at_once();
    });
    let children = Children::of(&log);
    let told: Vec<(String, String)> = files
        .into_iter()
        .filter_map(|(name, text)| Some((name.strip_suffix(".told")?.to_owned(), text)))
        .filter(|(listener, _)| !is_aside(scenario, listener))
        .collect();
    let mut all = seen.transcript;
    for (listener, text) in &told {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        all.push(format!("{listener} is told:"));
        all.extend(told::shown(&lines, &children));
    }
    let listeners: Vec<String> = told.into_iter().map(|(listener, _)| listener).collect();
    let log: Vec<String> = log.iter().map(|line| normalise::log_line(line, &directory)).collect();
    all.extend(log::shown(&log, &listeners, on.side));
    all.retain(|line| !line.is_empty());
    all
}

fn is_aside(scenario: &Scenario, listener: &str) -> bool {
    scenario.steps.iter().any(|step| matches!(step, Step::Aside(aside) if *aside == listener))
}

fn with_places(config: &str) -> String {
    let python = crate::lifecycle::python(&Implementation::supervisor_4_3());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compat/events/listener.py");
    config
        .replace("{listener}", &provost_listener().display().to_string())
        .replace("{childutils}", &format!("{} {script}", python.display()))
}

/// Who has been met so far.
#[derive(Debug, Default)]
struct Met {
    hellos: HashMap<&'static str, Hello>,
    /// What listeners are told, read as far as it was waited for.
    told: HashMap<&'static str, Lines>,
}

fn perform(stage: &mut Stage, step: &Step, met: &mut Met) {
    let string = |text: &str| format!("<string>{text}</string>");
    let send = |stage: &mut Stage, kind: &str, data: &str| {
        let answer = stage.ask("supervisor.sendRemoteCommEvent", &[&string(kind), &string(data)]);
        assert!(!answer.contains("<fault>"), "{kind}: {answer}");
    };
    let ask = |stage: &mut Stage, method: &str, name: &str| {
        // Also when it is a fault: 4.3.0 may find out at once that a start has failed. What came of it is told.
        stage.ask(method, &[&string(name), "<boolean>0</boolean>"]);
    };
    match *step {
        Step::Start(name) => ask(stage, "supervisor.startProcess", name),
        Step::Stop(name) => ask(stage, "supervisor.stopProcess", name),
        Step::Send(kind, data) => send(stage, kind, data),
        Step::SendMany(kind, bytes) => send(stage, kind, &"0123456789".repeat(bytes / 10)),
        Step::Ctl(line) => stage.ctl(line),
        Step::Told(listener, text) => {
            let told = met.told.entry(listener).or_insert_with(|| stage.follow(&file_of(listener)));
            told.wait_until(&format!("{text:?} told to {listener}"), |line| has_parts(line, text));
        }
        Step::Last(listener, text) => last(stage, listener, text),
        Step::Ready(listener) => said(stage, &format!(" {listener}: ACKNOWLEDGED -> READY")),
        Step::Unknown(listener) => said(stage, &format!(" {listener}: has entered the UNKNOWN state ")),
        Step::Aside(_) => {}
        Step::Go(listener) => stage.signal(&met.hellos[listener], Signal::USR1),
        Step::Hello(name) => {
            met.hellos.insert(name, stage.wait_for_hello(name));
        }
        Step::Signal(name, signal) => stage.signal(&met.hellos[name], signal),
        Step::Log(text) => stage.wait_for_log(text),
        Step::Output(file, text) => stage.wait_for_output(file, text),
        Step::Text(file) => stage.record_text(file),
        Step::Config(text) => stage.write_config(&with_places(text)),
        Step::Daemon(signal) => stage.signal_daemon(signal),
        Step::ToldOrDead(listener, text) => {
            let told = is_told_before_it_dies(stage, listener, text);
            if told {
                last(stage, listener, text);
            }
            stage.note(&format!("{listener} is told of {text}: {told}"));
        }
    }
}

fn file_of(listener: &str) -> String {
    format!("{listener}.told")
}

/// The main log has said it, now or at any time.
fn said(stage: &mut Stage, text: &str) {
    stage.follow("main.log").wait_for(text);
}

/// Whether a line has these parts, between which there is a `…`, in their order.
fn has_parts(line: &str, parts: &str) -> bool {
    let mut rest = Some(line);
    for part in parts.split('…') {
        rest = rest.and_then(|rest| Some(rest.split_once(part)?.1));
    }
    rest.is_some()
}

/// What it says of the event has been heard, too: only then the lines about it are all there.
fn last(stage: &mut Stage, listener: &str, text: &str) {
    let mut file = stage.follow(&file_of(listener));
    let told = file.wait_until(&format!("{text:?} told to {listener}"), |line| has_parts(line, text));
    let serial = told.split(" serial:").nth(1).and_then(|rest| rest.split(' ').next());
    let serial = serial.unwrap_or_else(|| panic!("there is no serial in {told:?}"));
    let mut log = stage.follow("main.log");
    log.wait_for(&format!("event {serial} sent to listener {listener}"));
    log.wait_for(&format!(" {listener}: ACKNOWLEDGED -> READY"));
}

fn is_told_before_it_dies(stage: &mut Stage, listener: &str, text: &str) -> bool {
    let mut file: Lines = stage.follow(&file_of(listener));
    let patience = Deadline::default();
    loop {
        // One look behind its death: what it did before that counts.
        let gone = stage.is_gone();
        let look = Deadline::after(Duration::from_millis(100));
        if file.next_matching(|line| has_parts(line, text), look).is_some() {
            return true;
        }
        if gone {
            return false;
        }
        assert!(patience.remaining().is_some(), "{listener} is not told of {text}, and nobody dies");
    }
}
