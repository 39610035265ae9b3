//! `open`: speak to another daemon from now on.

use super::{Verb, status};
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "open",
        Takes::Words,
        &[(
            "open <url>",
            "Go on with the supervisord at this address, http://host:port or unix:///path, and show its status.",
        )],
    )
    .about(
        "Only this session changes. A server of https:// is named with -s, as what to trust stands \
         in the configuration.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    let url = words.rest();
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "unix")) {
        session.refuse("ERROR: url must be http:// or unix://", exit::GENERIC);
        return Ok(());
    }
    session.server.set_url(url);
    // Looking is no judgement.
    let before = session.status;
    status::run(session, &Words::default())?;
    session.status = before;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;

    #[test]
    fn only_two_schemes_are_spoken() {
        for line in ["open", "open ftp://x", "open localhost"] {
            Script::default().run(line).says("ERROR: url must be http:// or unix://\n").exits(1);
        }
    }

    #[test]
    fn the_status_follows_and_is_no_judgement() {
        Script::default()
            .has_no_socket()
            .run("open unix:///other")
            .says("unix:///other no such file\n")
            .exits(0);
    }
}
