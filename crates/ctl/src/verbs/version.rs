//! `version`: of the daemon at the other end.

use super::Verb;
use crate::call::CallError;
use crate::session::{Session, exit};

pub(super) const VERB: Verb =
    Verb { name: "version", usage: "version\t\t\tShow which version supervisord reports.", run };

fn run(session: &mut Session<'_>, argument: &str) -> Result<(), CallError> {
    if !argument.is_empty() {
        session.misused(&VERB, "Error: version accepts no arguments", exit::GENERIC);
        return Ok(());
    }
    if session.is_up()? {
        let version = session.call("supervisor.getSupervisorVersion", &[])?;
        session.say(version.as_str().unwrap_or_default());
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
