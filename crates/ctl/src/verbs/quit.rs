//! `quit`, `exit` and the end of input: leave the shell.

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::Session;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new("quit", Takes::Nothing, &[("quit", "Leave the shell; Ctrl-D does the same.")]),
    run,
};
pub(super) const EXIT: Verb =
    Verb { page: Page::new("exit", Takes::Nothing, &[("exit", "Leave the shell, as quit does.")]), run };
/// What Ctrl-D is taken for; may be typed, too.
pub(super) const EOF: Verb =
    Verb { page: Page::new("EOF", Takes::Nothing, &[("EOF", "Leave the shell, as Ctrl-D does.")]), run };

fn run(session: &mut Session<'_>, _: &Words) -> Result<(), CallError> {
    session.report.say("");
    session.leaving = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;

    #[test]
    fn leaving_is_an_empty_line() {
        for line in ["quit", "exit now", "EOF"] {
            Script::default().run(line).says("\n").exits(0);
        }
    }
}
