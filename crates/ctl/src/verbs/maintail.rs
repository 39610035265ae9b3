//! `maintail`: the same as `tail`, for the daemon's own log.

use super::{Verb, tail};
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;
use tail::Extent;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "maintail",
        Takes::Words,
        &[
            ("maintail", "Show the last 1600 bytes of supervisord's own log."),
            ("maintail -100", "Show its last 100 bytes; -0 shows everything."),
            ("maintail -f", "Show what is written to it, until Ctrl-C."),
        ],
    )
    .about("For where the log itself lies see logfile= in the configuration of supervisord."),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let words = words.names();
    let extent = match words[..] {
        [] => Some(Extent::DEFAULT),
        [modifier] => Extent::read(modifier),
        _ => {
            session.misused(&VERB.page, "Error: too many arguments", exit::GENERIC);
            return Ok(());
        }
    };
    match extent {
        Some(Extent::Follow) => tail::follow(session, "/mainlogtail", "supervisord", "main"),
        Some(Extent::Last(bytes)) => tail::show(
            session,
            "supervisord",
            "supervisor.readLog",
            &[bytes.saturating_neg().into(), 0.into()],
        ),
        None => {
            session.refuse(&format!("Error: bad argument {}", words[0]), exit::GENERIC);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;
    use provost_wire::FaultCode::*;

    #[test]
    fn the_last_bytes_or_all_that_comes() {
        Script::default()
            .up()
            .answers("supervisor.readLog", "log".into())
            .run("maintail")
            .says("log\n")
            .exits(0)
            .asked("supervisor.readLog", &[(-1600).into(), 0.into()]);
        Script::default()
            .up()
            .answers("supervisor.readLog", "log".into())
            .run("maintail -5")
            .says("log\n")
            .exits(0)
            .asked("supervisor.readLog", &[(-5).into(), 0.into()]);
        Script::default()
            .up()
            .streams("/mainlogtail", "x")
            .run("maintail -f")
            .says("==> Press Ctrl-C to exit <==\nx")
            .exits(0);
    }

    #[test]
    fn refusals_have_their_lines() {
        Script::default()
            .up()
            .faults("supervisor.readLog", NoFile, Some("/x"))
            .run("maintail")
            .says("supervisord: ERROR (no log file)\n")
            .exits(1);
        Script::default()
            .up()
            .faults("supervisor.readLog", Failed, None)
            .run("maintail")
            .says("supervisord: ERROR (unknown error reading log)\n")
            .exits(1);
        Script::default().up().run("maintail x").says("Error: bad argument x\n").exits(1);
        Script::default().up().run("maintail -x").says("Error: bad argument -x\n").exits(1);
        Script::default().up().run("maintail a b").says_first("Error: too many arguments\nmaintail").exits(1);
    }
}
