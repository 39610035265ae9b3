//! `add`: make groups of the configuration as last read active.

use provost_wire::FaultCode;

use super::Verb;
use crate::call::CallError;
use crate::session::{Session, exit};

pub(super) const VERB: Verb =
    Verb { name: "add", usage: "add <group> ...\t\tMake groups active that reread has found.", run };

fn run(session: &mut Session<'_>, argument: &str) -> Result<(), CallError> {
    for group in argument.split_whitespace() {
        let line = match session.call("supervisor.addProcessGroup", &[group.into()]) {
            Ok(_) => {
                session.say(&format!("{group}: added process group"));
                continue;
            }
            Err(error) => match error.kind() {
                Some(FaultCode::ShutdownState) => "ERROR: shutting down".to_owned(),
                // Scripts add a group without asking whether it is there: no failure, as ever (SPEC 7.4).
                Some(FaultCode::AlreadyAdded) => {
                    session.say("ERROR: process group already active");
                    continue;
                }
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
            .answers("supervisor.addProcessGroup", true.into())
            .faults("supervisor.addProcessGroup", BadName, None)
            .run("add a x")
            .says("a: added process group\nERROR: no such process/group: x\n")
            .exits(1);
        Script::default()
            .faults("supervisor.addProcessGroup", ShutdownState, None)
            .run("add a")
            .says("ERROR: shutting down\n")
            .exits(1);
        Script::default().run("add").says("").exits(0);
    }

    /// Supervisor exits 0 here and has complained all the same.
    #[test]
    fn an_active_group_is_a_failure() {
        Script::default()
            .faults("supervisor.addProcessGroup", AlreadyAdded, Some("a"))
            .run("add a")
            .says("ERROR: process group already active\n")
            .exits(0);
    }
}
