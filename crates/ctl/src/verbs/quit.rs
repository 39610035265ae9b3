//! `quit`, `exit` and the end of input: leave the shell.

use super::Verb;
use crate::call::CallError;
use crate::session::Session;

pub(super) const VERB: Verb = Verb { name: "quit", usage: "quit\t\t\tLeave the shell.", run };
pub(super) const EXIT: Verb = Verb { name: "exit", usage: "exit\t\t\tLeave the shell.", run };
/// What Ctrl-D is taken for; may be typed, too.
pub(super) const EOF: Verb = Verb { name: "EOF", usage: "Ctrl-D\t\t\tLeave the shell.", run };

fn run(session: &mut Session<'_>, _: &str) -> Result<(), CallError> {
    session.say("");
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
