//! `add`: make groups of the configuration as last read active.

use provost_wire::FaultCode;
use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "add",
        Takes::Groups,
        &[("add <group> ...", "Make groups active that reread has found.")],
    )
    .about(
        "What reread calls available becomes active, and starts if it has autostart. update does \
         this and everything else that is due.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    for group in words.names() {
        let reason = match session.call("supervisor.addProcessGroup", &[group.into()]) {
            Ok(_) => {
                session.done(group, "added process group");
                continue;
            }
            Err(error) => match error.kind() {
                Some(FaultCode::ShutdownState) => "shutting down",
                // Scripts add a group without asking whether it is there: no failure, as ever (SPEC 7.4).
                Some(FaultCode::AlreadyAdded) => {
                    let line = "ERROR: process group already active";
                    session.report.tell(line, || json!({"name": group, "result": "already active"}));
                    continue;
                }
                Some(FaultCode::BadName) => "no such process/group",
                _ => return Err(error),
            },
        };
        let problem = Problem::of(group, reason);
        match reason {
            "shutting down" => session.fail("ERROR: shutting down", &problem, exit::GENERIC),
            _ => session.fail(&format!("ERROR: {reason}: {group}"), &problem, exit::GENERIC),
        }
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
