//! `start`: each name in turn, waiting until it is up.

use provost_wire::{FaultCode, Value};

use super::Verb;
use crate::batch;
use crate::call::CallError;
use crate::manual::{Flag, Page, Takes};
use crate::namespec;
use crate::results::{Outcome, error_line, outcomes, single};
use crate::session::{Session, exit};
use crate::targets;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "start",
        Takes::Processes,
        &[
            ("start <name> ...", "Start processes, one after the other, and wait for each."),
            ("start <group>:*", "Start a whole group."),
            ("start <pattern>", "Start what a pattern fits, all at once: 'web-*', 'grp:*_0?', '[a-c]*'."),
            ("start all", "Start everything."),
        ],
    )
    .flags(&[NO_WAIT])
    .about(
        "To wait is to wait until a process has been up for its startsecs. What is up already is no failure.\n\
         For example: start web db:*",
    ),
    run,
};

pub(super) const NO_WAIT: Flag =
    Flag { name: "--no-wait", value: None, does: "Do not wait until that is done, only until it has begun." };

/// Of verbs that stop first, which is waited for in any case.
pub(super) const NO_WAIT_AGAIN: Flag =
    Flag { does: "Wait until they are down, but not until they are up again.", ..NO_WAIT };

pub(super) fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let names = words.names();
    if names.is_empty() {
        session.misused(&VERB.page, "Error: start requires a process name", exit::BAD_ARGUMENTS);
        return Ok(());
    }
    let wait = !words.has(NO_WAIT.name);
    if names.contains(&"all") {
        let results = session.call("supervisor.startAllProcesses", &with_wait(None, wait))?;
        return tell(session, wait, &outcomes(&results)?);
    }
    names.iter().try_for_each(|name| start(session, name, wait))
}

fn start(session: &mut Session<'_>, name: &str, wait: bool) -> Result<(), CallError> {
    if let Some(pattern) = targets::pattern(name) {
        return together(session, &[pattern.to_owned()], wait);
    }
    let wanted = namespec::split(name);
    if wanted.process.is_some() {
        let result = session.call("supervisor.startProcess", &with_wait(Some(name), wait));
        return tell(session, wait, &[single(name, result)?]);
    }
    match session.call("supervisor.startProcessGroup", &with_wait(Some(wanted.group), wait)) {
        Ok(results) => tell(session, wait, &outcomes(&results)?),
        Err(error) if error.kind() == Some(FaultCode::BadName) => {
            session.no_such_group(wanted.group, exit::BAD_ARGUMENTS);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// All that these words mean, at once.
pub(super) fn together(session: &mut Session<'_>, words: &[String], wait: bool) -> Result<(), CallError> {
    let outcomes = batch::carry_out(session, batch::Deed::Start { wait }, words)?;
    tell(session, wait, &outcomes)
}

/// Who wants to wait need not say so.
pub(super) fn with_wait(name: Option<&str>, wait: bool) -> Vec<Value> {
    let no_wait = (!wait).then(|| false.into());
    name.map(Value::from).into_iter().chain(no_wait).collect()
}

/// Why one could not be started, in Supervisor's words.
pub(super) fn reason(kind: FaultCode) -> Option<&'static str> {
    Some(match kind {
        FaultCode::BadName => "no such process",
        FaultCode::NoFile => "no such file",
        FaultCode::NotExecutable => "file is not executable",
        FaultCode::AlreadyStarted => "already started",
        FaultCode::SpawnError => "spawn error",
        FaultCode::AbnormalTermination => "abnormal termination",
        _ => return None,
    })
}

fn tell(session: &mut Session<'_>, wait: bool, outcomes: &[Outcome]) -> Result<(), CallError> {
    for outcome in outcomes {
        let reason = match outcome.kind() {
            Some(FaultCode::Success) => {
                session.done(&outcome.namespec, if wait { "started" } else { "starting" });
                continue;
            }
            Some(FaultCode::BadName) if outcome.is_group() => {
                session.no_such_group(namespec::split(&outcome.namespec).group, exit::BAD_ARGUMENTS);
                continue;
            }
            kind => kind.and_then(reason).ok_or_else(|| outcome.unexpected())?,
        };
        let line = error_line(&outcome.namespec, reason);
        session.refused(outcome, &line, reason, Some(FaultCode::AlreadyStarted));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, outcome};
    use provost_wire::FaultCode::{self, *};

    fn starting(fault: FaultCode) -> Script {
        Script::default().up().faults("supervisor.startProcess", fault, Some("a:b"))
    }

    #[test]
    fn every_refusal_has_its_line_and_status() {
        for (fault, line, status) in [
            (BadName, "a:b: ERROR (no such process)\n", 1),
            (NoFile, "a:b: ERROR (no such file)\n", 1),
            (NotExecutable, "a:b: ERROR (file is not executable)\n", 1),
            (AlreadyStarted, "a:b: ERROR (already started)\n", 0),
            (SpawnError, "a:b: ERROR (spawn error)\n", 7),
            (AbnormalTermination, "a:b: ERROR (abnormal termination)\n", 7),
            (Failed, "error: Unknown result code 30 for a:b\n", 1),
        ] {
            starting(fault).run("start a:b").says(line).exits(status);
        }
    }

    #[test]
    fn names_are_started_in_turn_and_the_last_failure_counts() {
        Script::default()
            .up()
            .faults("supervisor.startProcess", BadName, None)
            .answers("supervisor.startProcess", true.into())
            .faults("supervisor.startProcess", AlreadyStarted, None)
            .run("start x web:web web:b")
            .says("x: ERROR (no such process)\nweb: started\nweb:b: ERROR (already started)\n")
            .exits(1)
            .asked("supervisor.startProcess", &["x".into()])
            .asked("supervisor.startProcess", &["web:web".into()]);
    }

    #[test]
    fn groups_and_all_give_lists() {
        let list = vec![outcome("g", "one", Success), outcome("g", "two", SpawnError)];
        let text = "g:one: started\ng:two: ERROR (spawn error)\n";
        Script::default()
            .up()
            .answers("supervisor.startProcessGroup", list.clone().into())
            .run("start g:*")
            .says(text)
            .exits(7)
            .asked("supervisor.startProcessGroup", &["g".into()]);
        Script::default()
            .up()
            .answers("supervisor.startAllProcesses", list.into())
            .run("start x all")
            .says(text)
            .exits(7);
        Script::default()
            .up()
            .answers("supervisor.startProcessGroup", vec![].into())
            .run("start g:")
            .says("")
            .exits(0);
        Script::default()
            .up()
            .faults("supervisor.startProcessGroup", BadName, Some("no"))
            .run("start no:*")
            .says("no: ERROR (no such group)\n")
            .exits(2);
    }

    #[test]
    fn no_names_is_bad_usage() {
        Script::default()
            .up()
            .run("start")
            .says_first("Error: start requires a process name\nstart ")
            .exits(2);
    }
}
