//! `version`: of the daemon at the other end.

use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new("version", Takes::Nothing, &[("version", "Show which version supervisord reports.")])
        .about(
            "It is the version of Supervisor whose interface is spoken, as clients of Supervisor expect it.",
        ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !words.rest().is_empty() {
        session.misused(&VERB.page, "Error: version accepts no arguments", exit::GENERIC);
        return Ok(());
    }
    if session.is_up()? {
        let version = session.call("supervisor.getSupervisorVersion", &[])?;
        let version = version.as_str().unwrap_or_default();
        session.report.tell(version, || json!({"name": "supervisord", "version": version}));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;

    #[test]
    fn is_the_remote_one() {
        Script::default()
            .up()
            .answers("supervisor.getSupervisorVersion", "4.3.0".into())
            .run("version")
            .says("4.3.0\n")
            .exits(0);
        Script::default()
            .run("version x")
            .says_first("Error: version accepts no arguments\nversion")
            .exits(1);
    }
}
