//! `rotate` and `reopen`: put log files aside, or open them anew by their names. Supervisor has neither.
//!
//! Unlike `clear` they lose nothing, so without a name they mean all logs, the main log among them.

use provost_wire::{FaultCode, Value};

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::results::{Outcome, error_line, outcomes, single};
use crate::session::{Session, exit};
use crate::targets;
use crate::words::Words;

pub(super) const REOPEN: Verb = Verb {
    page: Page::new(
        "reopen",
        Takes::Processes,
        &[
            (
                "reopen <name> ...",
                "Open the logs of processes anew by their names, after they have been moved away.",
            ),
            ("reopen all", "Open all logs anew, the main log among them."),
            ("reopen", "The same."),
        ],
    )
    .about(
        "SIGUSR2 does this for all logs. Who rotates with a program of his own, logrotate for one, \
         says it afterwards.",
    ),
    run: |session, words| run(session, words, &WAYS[0]),
};

pub(super) const ROTATE: Verb = Verb {
    page: Page::new(
        "rotate",
        Takes::Processes,
        &[
            (
                "rotate <name> ...",
                "Put the logs of processes aside as their first backups, and begin new ones.",
            ),
            ("rotate all", "Rotate all logs, the main log among them."),
            ("rotate", "The same."),
        ],
    )
    .about(
        "Whatever their size. What is empty, a device or a pipe stays as it is, and with logfile_backups=0 a log is emptied. The \
         main log is called supervisord.",
    ),
    run: |session, words| run(session, words, &WAYS[1]),
};

struct Way {
    verb: &'static str,
    done: &'static str,
    of_one: &'static str,
    of_all: &'static str,
}

const WAYS: [Way; 2] = [
    Way { verb: "reopen", done: "reopened", of_one: "provost.reopenLogs", of_all: "provost.reopenLogs" },
    Way {
        verb: "rotate",
        done: "rotated",
        of_one: "provost.rotateProcessLogs",
        of_all: "provost.rotateAllLogs",
    },
];

fn run(session: &mut Session<'_>, words: &Words, way: &Way) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let names = words.names();
    if names.is_empty() || names.contains(&"all") {
        return match session.call(way.of_all, &[]) {
            Ok(results) => tell(session, way.done, true, &outcomes(&results)?),
            Err(error) => refused(session, way, error),
        };
    }
    for name in targets::spelled_out(session, &names)? {
        match session.call(way.of_one, &[Value::from(name.as_str())]) {
            // A whole group.
            Ok(results @ Value::Array(_)) => tell(session, way.done, true, &outcomes(&results)?)?,
            Err(error) if error.kind() == Some(FaultCode::UnknownMethod) => {
                return refused(session, way, error);
            }
            result => tell(session, way.done, true, &[single(&name, result)?])?,
        }
    }
    Ok(())
}

/// Supervisor's own daemon knows nothing of this.
fn refused(session: &mut Session<'_>, way: &Way, error: CallError) -> Result<(), CallError> {
    if error.kind() != Some(FaultCode::UnknownMethod) {
        return Err(error);
    }
    let reason = "this supervisord cannot do that";
    session.fail(&error_line(way.verb, reason), &Problem::new(reason), exit::GENERIC);
    Ok(())
}

/// What has become of each log; `explains` whether it is said why something failed, which Supervisor's own verb does not.
pub(super) fn tell(
    session: &mut Session<'_>,
    done: &str,
    explains: bool,
    outcomes: &[Outcome],
) -> Result<(), CallError> {
    for outcome in outcomes {
        let reason =
            outcome.description.split_once(": ").filter(|_| explains).map_or("failed", |(_, reason)| reason);
        let reason = match outcome.kind() {
            Some(FaultCode::Success) => {
                session.done(&outcome.namespec, done);
                continue;
            }
            Some(FaultCode::BadName) => "no such process",
            Some(FaultCode::Failed) => reason,
            _ => return Err(outcome.unexpected()),
        };
        session.refused(outcome, &error_line(&outcome.namespec, reason), reason, None);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, outcome};
    use provost_wire::FaultCode::*;

    #[test]
    fn every_ending() {
        Script::default()
            .up()
            .answers("provost.rotateProcessLogs", true.into())
            .faults("provost.rotateProcessLogs", BadName, Some("g:x"))
            .faults("provost.rotateProcessLogs", Failed, Some("cannot rotate /x: No space left on device"))
            .answers("provost.rotateProcessLogs", vec![outcome("g", "a", Success)].into())
            .run("rotate a g:x b g:*")
            .says(
                "a: rotated\ng:x: ERROR (no such process)\n\
                 b: ERROR (cannot rotate /x: No space left on device)\ng:a: rotated\n",
            )
            .exits(1);
        let all = vec![outcome("a", "a", Success), outcome("supervisord", "supervisord", Success)];
        for line in ["reopen", "reopen all", "reopen a all"] {
            Script::default()
                .up()
                .answers("provost.reopenLogs", all.clone().into())
                .run(line)
                .says("a: reopened\nsupervisord: reopened\n")
                .exits(0);
        }
    }

    #[test]
    fn a_daemon_that_cannot_do_it_is_asked_once() {
        for line in ["rotate a b", "rotate"] {
            let method = if line == "rotate" { "provost.rotateAllLogs" } else { "provost.rotateProcessLogs" };
            Script::default()
                .up()
                .faults(method, UnknownMethod, None)
                .run(line)
                .says("rotate: ERROR (this supervisord cannot do that)\n")
                .exits(1);
        }
    }
}
