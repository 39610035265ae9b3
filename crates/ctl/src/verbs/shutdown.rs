//! `shutdown`: everything ends, the daemon too.

use provost_wire::FaultCode;
use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "shutdown",
        Takes::Nothing,
        &[("shutdown", "Stop every process and end supervisord itself.")],
    )
    .about(
        "Programs are stopped in the reverse of their start order. In a shell you are asked first. \
         What is left running nobody restarts.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !words.rest().is_empty() {
        session.misused(&VERB.page, "Error: shutdown accepts no arguments", exit::GENERIC);
        return Ok(());
    }
    if !session.confirms("Really shut the remote supervisord process down y/N? ")? {
        return Ok(());
    }
    match session.call("supervisor.shutdown", &[]) {
        Ok(_) => session.report.tell("Shut down", || json!({"name": "supervisord", "result": "shut down"})),
        // What was wanted happens anyway, so the status stays as it is.
        Err(error) if error.kind() == Some(FaultCode::ShutdownState) => {
            let object = || json!({"name": "supervisord", "result": "already shutting down"});
            session.report.tell("ERROR: already shutting down", object);
        }
        Err(error) => {
            let Some(absence) = error.nobody_there() else { return Err(error) };
            let complaint = format!("ERROR: {} {absence} (already shut down?)", session.server.url());
            session.refuse(&complaint, exit::GENERIC);
            session.explain(&error);
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
            .answers("supervisor.shutdown", true.into())
            .run("shutdown")
            .says("Shut down\n")
            .exits(0);
        Script::default()
            .faults("supervisor.shutdown", ShutdownState, None)
            .run("shutdown")
            .says("ERROR: already shutting down\n")
            .exits(0);
        Script::default()
            .refuses_connection()
            .run("shutdown")
            .says("ERROR: unix:///s refused connection (already shut down?)\n")
            .exits(1);
        Script::default()
            .has_no_socket()
            .run("shutdown")
            .says("ERROR: unix:///s no such file (already shut down?)\n")
            .exits(1);
        Script::default()
            .run("shutdown now")
            .says_first("Error: shutdown accepts no arguments\nshutdown")
            .exits(1);
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        const QUESTION: &str = "Really shut the remote supervisord process down y/N? ";
        for no in ["n\n", "\n", "oh yes\n"] {
            Script::default().interactive().types(no).run("shutdown").says(QUESTION).exits(0);
        }
        let silence = format!("{QUESTION}error: nobody answers: the input has ended\n");
        Script::default().interactive().types("").run("shutdown").says(&silence).exits(1);
        Script::default()
            .interactive()
            .types("Yes\n")
            .answers("supervisor.shutdown", true.into())
            .run("shutdown")
            .says(&format!("{QUESTION}Shut down\n"))
            .exits(0);
    }
}
