//! `reload`: the daemon stops everything and starts afresh.

use provost_wire::FaultCode;
use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "reload",
        Takes::Nothing,
        &[("reload", "Stop every process and have supervisord start afresh with its configuration.")],
    )
    .about(
        "All programs are stopped and started, and the answer comes before that is done. A configuration with a \
         mistake is refused, and nothing is stopped. In a shell you are asked first. To restart only what has changed: \
         update.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !words.rest().is_empty() {
        session.misused(&VERB.page, "Error: reload accepts no arguments", exit::GENERIC);
        return Ok(());
    }
    if !session.confirms("Really restart the remote supervisord process y/N? ")? {
        return Ok(());
    }
    match session.call("supervisor.restart", &[]) {
        Ok(_) => session
            .report
            .tell("Restarted supervisord", || json!({"name": "supervisord", "result": "restarted"})),
        Err(error) if error.kind() == Some(FaultCode::ShutdownState) => {
            session.refuse("ERROR: already shutting down", exit::GENERIC);
        }
        Err(error) => return Err(error),
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
            .answers("supervisor.restart", true.into())
            .run("reload")
            .says("Restarted supervisord\n")
            .exits(0);
        Script::default()
            .faults("supervisor.restart", ShutdownState, None)
            .run("reload")
            .says("ERROR: already shutting down\n")
            .exits(1);
        Script::default()
            .interactive()
            .types("no\n")
            .run("reload")
            .says("Really restart the remote supervisord process y/N? ")
            .exits(0);
        Script::default().run("reload web").says_first("Error: reload accepts no arguments\nreload").exits(1);
    }
}
