//! `stop`: each name in turn, waiting until it has ended.

use provost_wire::FaultCode;

use super::start::{NO_WAIT, with_wait};
use super::{Verb, signal};
use crate::batch;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "stop",
        Takes::Processes,
        &[
            ("stop <name> ...", "Stop processes, one after the other, and wait for each."),
            ("stop <group>:*", "Stop a whole group."),
            ("stop <pattern>", "Stop what a pattern fits, all at once, as with start."),
            ("stop all", "Stop everything."),
        ],
    )
    .flags(&[NO_WAIT])
    .about(
        "A process gets its stopsignal, and SIGKILL if it is still there after its stopwaitsecs. What does not run is no failure.",
    ),
    run,
};

const STOP: signal::Deed = signal::Deed {
    done: "stopped",
    harmless: Some(FaultCode::NotRunning),
    one: "supervisor.stopProcess",
    group: "supervisor.stopProcessGroup",
    all: "supervisor.stopAllProcesses",
};

const BEGIN_TO_STOP: signal::Deed = signal::Deed { done: "stopping", ..STOP };

pub(super) fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    stop(session, words, !words.has(NO_WAIT.name))
}

pub(super) fn stop(session: &mut Session<'_>, words: &Words, wait: bool) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let names = words.names();
    if names.is_empty() {
        session.misused(&VERB.page, "Error: stop requires a process name", exit::GENERIC);
        return Ok(());
    }
    signal::each(session, deed(wait), batch::Deed::Stop { wait }, &names, &with_wait(None, wait))
}

/// All that these words mean, at once.
pub(super) fn together(session: &mut Session<'_>, words: &[String], wait: bool) -> Result<(), CallError> {
    let outcomes = batch::carry_out(session, batch::Deed::Stop { wait }, words)?;
    signal::tell(session, deed(wait), &outcomes)
}

fn deed(wait: bool) -> &'static signal::Deed {
    if wait { &STOP } else { &BEGIN_TO_STOP }
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, outcome};
    use provost_wire::FaultCode::*;

    #[test]
    fn every_refusal_has_its_line_and_status() {
        for (fault, line, status) in [
            (BadName, "a: ERROR (no such process)\n", 1),
            (NotRunning, "a: ERROR (not running)\n", 0),
            (Failed, "FAILED: a\n", 1),
            (SpawnError, "error: Unknown result code 50 for a\n", 1),
        ] {
            Script::default()
                .up()
                .faults("supervisor.stopProcess", fault, Some("a"))
                .run("stop a")
                .says(line)
                .exits(status);
        }
        Script::default()
            .up()
            .answers("supervisor.stopProcess", true.into())
            .run("stop g:a")
            .says("g:a: stopped\n")
            .exits(0);
    }

    #[test]
    fn groups_and_all_give_lists() {
        let list = vec![outcome("g", "one", Success), outcome("g", "two", NotRunning)];
        let text = "g:one: stopped\ng:two: ERROR (not running)\n";
        Script::default()
            .up()
            .answers("supervisor.stopProcessGroup", list.clone().into())
            .run("stop g:*")
            .says(text)
            .exits(0);
        Script::default()
            .up()
            .answers("supervisor.stopAllProcesses", list.into())
            .run("stop all")
            .says(text)
            .exits(0);
        Script::default()
            .up()
            .faults("supervisor.stopProcessGroup", BadName, None)
            .run("stop no:*")
            .says("no: ERROR (no such group)\n")
            .exits(1);
    }

    #[test]
    fn no_names_is_bad_usage() {
        Script::default().up().run("stop").says_first("Error: stop requires a process name\nstop ").exits(1);
    }
}
