//! `hash-password`: makes what is written into a `[user:NAME]` section instead of a password, or a token for a machine.
//!
//! Asks no daemon and reads no configuration. Questions go to stderr, so that stdout is the hash alone. The password is
//! never a word of the command line, where everybody on the machine could read it.

use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Flag, Page, Takes};
use crate::report::Problem;
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "hash-password",
        Takes::Words,
        &[("hash-password", "Ask for a password, twice, and show the hash for its [user:NAME] section.")],
    )
    .flags(&[Flag {
        name: "--token",
        value: None,
        does: "Make a token for a machine instead, and show it once with its line.",
    }])
    .about("Through a pipe, its first line is the password.")
    .alone(),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    match (words.rest(), words.has("--token")) {
        ("", false) => match password(session)? {
            Some(password) => hash(session, &password)?,
            None => session.status = exit::GENERIC,
        },
        ("", true) => token(session)?,
        _ => {
            let complaint = "Error: hash-password accepts no password here, because others could read it";
            session.misused(&VERB.page, complaint, exit::BAD_ARGUMENTS);
        }
    }
    Ok(())
}

fn hash(session: &mut Session<'_>, password: &str) -> Result<(), CallError> {
    let hash = provost_secret::hash(password).map_err(|error| CallError::Other(error.to_string()))?;
    session.report.tell(&hash, || json!({"hash": hash}));
    Ok(())
}

fn token(session: &mut Session<'_>) -> Result<(), CallError> {
    let (token, stored) = provost_secret::new_token().map_err(|error| CallError::Other(error.to_string()))?;
    session.report.say("The token, which cannot be shown again:");
    session.report.tell(&token, || json!({"token": token, "hash": stored}));
    session.report.say("The line for its [user:NAME] section:");
    session.report.say(&format!("token={stored}"));
    Ok(())
}

/// `None` if there is none that could be used; then the reason has been said.
fn password(session: &mut Session<'_>) -> Result<Option<String>, CallError> {
    let twice = session.keyboard.is_terminal();
    if twice {
        // Otherwise Ctrl-C would leave a terminal that shows nothing.
        session.catch_interrupt()?;
    }
    let password = session.secret(twice.then_some("Password: "))?;
    let complaint = match &password {
        None => "no password was given",
        Some(password) if password.is_empty() => "an empty password is none",
        // What was not UTF-8 has become this. The hash would be that of another password.
        Some(password) if password.contains('\u{fffd}') => "the password is not UTF-8",
        Some(_) if twice && session.secret(Some("The same again: "))? != password => {
            "the two are not the same"
        }
        Some(_) => return Ok(password),
    };
    session.report.complain_aside(&format!("error: {complaint}"), &Problem::new(complaint));
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;
    use provost_secret::Stored;

    #[test]
    fn what_comes_through_a_pipe_is_hashed_and_nothing_else_is_said() {
        let ran = Script::default()
            .types("correct horse \nsecond line\n")
            .run("hash-password")
            .complains("")
            .exits(0);
        let stored = Stored::parse(ran.output().strip_suffix('\n').unwrap()).unwrap();
        assert!(stored.verify(b"correct horse ") && !stored.verify(b"correct horse"));
    }

    #[test]
    fn what_is_no_password_is_refused() {
        Script::default().run("hash-password").says("").complains("error: no password was given\n").exits(1);
        Script::default()
            .types("\n")
            .run("hash-password")
            .says("")
            .complains("error: an empty password is none\n")
            .exits(1);
        Script::default()
            .run("hash-password secret")
            .says_first("Error: hash-password accepts no password here, because others could read it\nhash-")
            .exits(2);
    }

    #[test]
    fn a_token_comes_with_its_line() {
        let ran = Script::default().run("hash-password --token").complains("").exits(0);
        let lines: Vec<&str> = ran.output().lines().collect();
        let [_, token, _, line] = lines[..] else { panic!("{lines:?}") };
        let stored = Stored::parse(line.strip_prefix("token=").unwrap()).unwrap();
        assert!(stored.verify(token.as_bytes()));
        assert!(!line.contains(token));
    }
}
