//! `remove`: take stopped groups out of service.

use provost_wire::FaultCode;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "remove",
        Takes::Groups,
        &[("remove <group> ...", "Take groups out of service whose processes have stopped.")],
    )
    .about(
        "Stop a group first: what still runs is refused. It comes back with add, or with the next \
         update, as long as it is in the configuration.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    for group in words.names() {
        let reason = match session.call("supervisor.removeProcessGroup", &[group.into()]) {
            Ok(_) => {
                session.done(group, "removed process group");
                continue;
            }
            Err(error) => match error.kind() {
                Some(FaultCode::StillRunning) => "process/group still running",
                Some(FaultCode::BadName) => "no such process/group",
                _ => return Err(error),
            },
        };
        session.fail(&format!("ERROR: {reason}: {group}"), &Problem::of(group, reason), exit::GENERIC);
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
