//! `restart`: `stop`, then `start`, with the same names.

use super::{Verb, rolling, start, stop};
use crate::call::CallError;
use crate::manual::{Flag, Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "restart",
        Takes::Processes,
        &[
            ("restart <name> ...", "Stop processes and start them again."),
            ("restart <group>:*", "Stop and start a whole group."),
            ("restart <pattern>", "Stop and start what a pattern fits, as with start."),
            ("restart all", "Stop and start everything."),
            ("restart --rolling <name> ...", "Restart one after the other, and stop at the first failure."),
        ],
    )
    .flags(&[start::NO_WAIT_AGAIN, ROLLING, BATCH])
    .about("A changed configuration is not looked at: see reread and update."),
    run,
};

const ROLLING: Flag = Flag {
    name: "--rolling",
    value: None,
    does: "Wait for each to run again before the next is touched; exit with 7 at the first that does not.",
};
const BATCH: Flag =
    Flag { name: "--batch", value: Some("N"), does: "With --rolling: so many at a time (1)." };

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    if words.rest().is_empty() {
        session.misused(&VERB.page, "Error: restart requires a process name", exit::GENERIC);
        return Ok(());
    }
    let is_rolling = words.has(ROLLING.name);
    let size = match words.value(BATCH.name) {
        _ if is_rolling && words.has(start::NO_WAIT.name) => {
            Err("Error: --rolling waits for each, so --no-wait does not go with it".to_owned())
        }
        None => Ok(1),
        Some(_) if !is_rolling => Err("Error: --batch goes with --rolling".to_owned()),
        Some(size) => size
            .parse()
            .ok()
            .filter(|size| *size > 0)
            .ok_or_else(|| format!("Error: --batch {size}: give a number from 1")),
    };
    match size {
        Ok(size) if is_rolling => return rolling::run(session, &words.names(), size),
        Ok(_) => {}
        Err(complaint) => {
            session.misused(&VERB.page, &complaint, exit::BAD_ARGUMENTS);
            return Ok(());
        }
    }
    stop::stop(session, words, true)?;
    start::run(session, words)
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;
    use provost_wire::FaultCode::*;

    #[test]
    fn a_stopped_process_is_simply_started() {
        Script::default()
            .up()
            .up()
            .up()
            .faults("supervisor.stopProcess", NotRunning, None)
            .answers("supervisor.startProcess", true.into())
            .run("restart a")
            .says("a: ERROR (not running)\na: started\n")
            .exits(0);
    }

    #[test]
    fn who_does_not_wait_waits_for_the_end_all_the_same() {
        Script::default()
            .up()
            .up()
            .up()
            .answers("supervisor.stopProcess", true.into())
            .answers("supervisor.startProcess", true.into())
            .run("restart a --no-wait")
            .says("a: stopped\na: starting\n")
            .exits(0)
            .asked("supervisor.stopProcess", &["a".into()])
            .asked("supervisor.startProcess", &["a".into(), false.into()]);
        Script::default()
            .up()
            .run("restart a --rolling --no-wait")
            .says_first("Error: --rolling waits for each, so --no-wait does not go with it\nrestart ")
            .exits(2);
    }

    #[test]
    fn no_names_is_bad_usage() {
        Script::default()
            .up()
            .run("restart")
            .says_first("Error: restart requires a process name\nrestart ")
            .exits(1);
    }
}
