//! `completion`: the script that makes a shell complete our command lines.

use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "completion",
        Takes::OneOf(SHELLS),
        &[("completion bash|zsh|fish", "Print a script that has this shell complete command lines.")],
    )
    .about(
        "Actions, their flags, names of processes and groups are completed; the names are those that the daemon has at that \
         moment. In bash: source <(supervisorctl completion bash)",
    )
    .alone(),
    run,
};

/// The shells that there is a script for.
const SHELLS: &[&str] = &["bash", "zsh", "fish"];

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    let names = words.names();
    let [shell] = names[..] else {
        session.misused(&VERB.page, "Error: completion requires the name of one shell", exit::BAD_ARGUMENTS);
        return Ok(());
    };
    match script(shell) {
        Some(script) => session.report.tell(script.trim_end(), || json!({"name": shell, "script": script})),
        None => {
            let complaint = format!("Error: there is no completion for {shell}");
            session.misused(&VERB.page, &complaint, exit::BAD_ARGUMENTS);
        }
    }
    Ok(())
}

fn script(shell: &str) -> Option<&'static str> {
    match shell {
        "bash" => Some(include_str!("../completion/supervisorctl.bash")),
        "zsh" => Some(include_str!("../completion/supervisorctl.zsh")),
        "fish" => Some(include_str!("../completion/supervisorctl.fish")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::SHELLS;
    use crate::fake::Script;

    #[test]
    fn every_shell_that_is_offered_has_a_script() {
        for shell in SHELLS {
            let ran = Script::default().run(&format!("completion {shell}")).exits(0);
            assert!(ran.output().contains("complete-line") && ran.output().contains(shell), "{shell}");
        }
        Script::default()
            .run("completion tcsh")
            .says_first("Error: there is no completion for tcsh\ncompletion bash|zsh|fish")
            .exits(2);
        Script::default().run("completion").says_first("Error: completion requires the name of one").exits(2);
    }
}
