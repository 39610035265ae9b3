//! `clear`: empty the logs of processes.

use provost_wire::Value;

use super::Verb;
use super::logs::tell;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::results::{outcomes, single};
use crate::session::{Session, exit};
use crate::targets;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "clear",
        Takes::Processes,
        &[
            ("clear <name> ...", "Empty the logs of processes."),
            ("clear <pattern>", "Empty the logs of what a pattern fits: 'web-*'."),
            ("clear all", "Empty the logs of every process."),
        ],
    )
    .about("The files are emptied where they are; their backups stay."),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let names = words.names();
    if names.is_empty() {
        session.misused(&VERB.page, "Error: clear requires a process name", exit::GENERIC);
        return Ok(());
    }
    if names.contains(&"all") {
        let results = session.call("supervisor.clearAllProcessLogs", &[])?;
        return tell(session, "cleared", false, &outcomes(&results)?);
    }
    for name in targets::spelled_out(session, &names)? {
        let result = session.call("supervisor.clearProcessLogs", &[Value::from(name.as_str())]);
        tell(session, "cleared", false, &[single(&name, result)?])?;
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
            .answers("supervisor.clearProcessLogs", true.into())
            .faults("supervisor.clearProcessLogs", BadName, None)
            .faults("supervisor.clearProcessLogs", Failed, None)
            .run("clear a g:x b")
            .says("a: cleared\ng:x: ERROR (no such process)\nb: ERROR (failed)\n")
            .exits(1);
        Script::default()
            .up()
            .answers("supervisor.clearAllProcessLogs", vec![outcome("a", "a", Success)].into())
            .run("clear all")
            .says("a: cleared\n")
            .exits(0);
        Script::default()
            .up()
            .run("clear")
            .says_first("Error: clear requires a process name\nclear ")
            .exits(1);
    }

    /// Supervisor says `g:None` here.
    #[test]
    fn a_group_is_named_as_it_was_given() {
        Script::default()
            .up()
            .faults("supervisor.clearProcessLogs", BadName, None)
            .run("clear g:*")
            .says("g:*: ERROR (no such process)\n")
            .exits(1);
    }
}
