//! `restart`: `stop`, then `start`, with the same names.

use super::{Verb, start, stop};
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "restart",
        Takes::Processes,
        &[
            ("restart <name> ...", "Stop processes and start them again."),
            ("restart <group>:*", "Stop and start a whole group."),
            ("restart all", "Stop and start everything."),
        ],
    )
    .about("A changed configuration is not looked at: see reread and update."),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    if words.rest().is_empty() {
        session.misused(&VERB.page, "Error: restart requires a process name", exit::GENERIC);
        return Ok(());
    }
    stop::run(session, words)?;
    start::run(session, words)
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;
    use provost_wire::FaultCode::*;

    #[test]
    fn a_stopped_process_is_simply_started() {
        Script::default()
            .up()
            .up()
            .up()
            .faults("supervisor.stopProcess", NotRunning, None)
            .answers("supervisor.startProcess", true.into())
            .run("restart a")
            .says("a: ERROR (not running)\na: started\n")
            .exits(0);
    }

    #[test]
    fn no_names_is_bad_usage() {
        Script::default()
            .up()
            .run("restart")
            .says_first("Error: restart requires a process name\nrestart ")
            .exits(1);
    }
}
