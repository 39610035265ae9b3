//! `restart`: `stop`, then `start`, with the same names.

use super::{Verb, start, stop};
use crate::call::CallError;
use crate::session::{Session, exit};

pub(super) const VERB: Verb = Verb {
    name: "restart",
    usage: "\
restart <name> ...\tStop processes and start them again.
restart <group>:*\tStop and start a whole group.
restart all\t\tStop and start everything.
A changed configuration is not looked at: see reread and update.",
    run,
};

fn run(session: &mut Session<'_>, argument: &str) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    if argument.is_empty() {
        session.misused(&VERB, "Error: restart requires a process name", exit::GENERIC);
        return Ok(());
    }
    stop::run(session, argument)?;
    start::run(session, argument)
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
