//! `remove`: take stopped groups out of service.

use provost_wire::FaultCode;

use super::Verb;
use crate::call::CallError;
use crate::session::{Session, exit};

pub(super) const VERB: Verb = Verb {
    name: "remove",
    usage: "remove <group> ...\tTake groups out of service whose processes have stopped.",
    run,
};

fn run(session: &mut Session<'_>, argument: &str) -> Result<(), CallError> {
    for group in argument.split_whitespace() {
        let line = match session.call("supervisor.removeProcessGroup", &[group.into()]) {
            Ok(_) => {
                session.say(&format!("{group}: removed process group"));
                continue;
            }
            Err(error) => match error.kind() {
                Some(FaultCode::StillRunning) => format!("ERROR: process/group still running: {group}"),
                Some(FaultCode::BadName) => format!("ERROR: no such process/group: {group}"),
                _ => return Err(error),
            },
        };
        session.say(&line);
        session.status = exit::GENERIC;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;
    use provost_wire::FaultCode::*;

    #[test]
    fn every_ending() {
        Script::default()
            .faults("supervisor.removeProcessGroup", StillRunning, None)
            .faults("supervisor.removeProcessGroup", BadName, None)
            .answers("supervisor.removeProcessGroup", true.into())
            .run("remove a x b")
            .says("ERROR: process/group still running: a\nERROR: no such process/group: x\nb: removed process group\n")
            .exits(1);
        Script::default()
            .faults("supervisor.removeProcessGroup", ShutdownState, None)
            .run("remove a")
            .says("error: <Fault 6: 'SHUTDOWN_STATE'>\n")
            .exits(1);
        Script::default().run("remove").says("").exits(0);
    }
}
