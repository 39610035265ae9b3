//! `upgrade`: the daemon goes on as the program file that is on disk now, and no process notices.

use provost_wire::{FaultCode, Value};
use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "upgrade",
        Takes::Words,
        &[
            (
                "upgrade",
                "Have supervisord go on as the program that is on disk now, without touching a process.",
            ),
            ("upgrade <seconds>", "The same, and give the new program so long to be ready (10)."),
        ],
    )
    .about(
        "Programs, their logs and whoever is connected to them notice nothing. If the new one is not ready in time the old one \
         goes on, and the reason is shown.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    let seconds = match words.names()[..] {
        [] => None,
        [word] => match word.parse::<i32>() {
            Ok(seconds) if seconds > 0 => Some(seconds),
            _ => {
                let complaint = format!("Error: {word} is no number of seconds");
                session.misused(&VERB.page, &complaint, exit::GENERIC);
                return Ok(());
            }
        },
        _ => {
            session.misused(&VERB.page, "Error: upgrade accepts one argument at most", exit::GENERIC);
            return Ok(());
        }
    };
    let arguments: Vec<Value> = seconds.into_iter().map(Value::from).collect();
    match session.call("provost.upgrade", &arguments) {
        Ok(answer) => {
            let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (from, to) = (text("from"), text("to"));
            let object = || json!({"name": "supervisord", "result": "upgraded", "from": from, "to": to});
            session.report.tell(&format!("Upgraded supervisord from {from} to {to}"), object);
            let keeper = text("keeper");
            if !keeper.is_empty() {
                let reason = format!("the process that holds the programs goes on as it was: {keeper}");
                session.fail(&format!("upgrade: {reason}"), &Problem::new(reason), exit::GENERIC);
            }
        }
        Err(error) => {
            let complaint = match error.kind() {
                Some(FaultCode::UnknownMethod) => {
                    "upgrade: ERROR (this supervisord cannot be upgraded while it runs)".to_owned()
                }
                Some(FaultCode::ShutdownState) => "ERROR: already shutting down".to_owned(),
                Some(FaultCode::Failed | FaultCode::IncorrectParameters) => {
                    format!("upgrade: ERROR ({})", error.detail())
                }
                _ => return Err(error),
            };
            session.fail(&complaint, &Problem::new(complaint.as_str()).fault(error.kind()), exit::GENERIC);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;
    use provost_wire::{FaultCode::*, Value};

    fn answer(keeper: &str) -> Value {
        Value::members([("from", "0.1".into()), ("to", "0.2".into()), ("keeper", keeper.into())])
    }

    #[test]
    fn every_ending() {
        Script::default()
            .answers("provost.upgrade", answer(""))
            .run("upgrade")
            .says("Upgraded supervisord from 0.1 to 0.2\n")
            .exits(0);
        Script::default()
            .answers("provost.upgrade", answer("Stale file handle"))
            .run("upgrade 30")
            .says_first("Upgraded supervisord from 0.1 to 0.2\nupgrade: the process that holds")
            .exits(1);
        Script::default()
            .faults("provost.upgrade", Failed, Some("the new program was not ready in time"))
            .run("upgrade")
            .says("upgrade: ERROR (the new program was not ready in time)\n")
            .exits(1);
        Script::default()
            .faults("provost.upgrade", UnknownMethod, None)
            .run("upgrade")
            .says("upgrade: ERROR (this supervisord cannot be upgraded while it runs)\n")
            .exits(1);
        Script::default()
            .faults("provost.upgrade", ShutdownState, None)
            .run("upgrade")
            .says("ERROR: already shutting down\n")
            .exits(1);
        Script::default()
            .run("upgrade soon")
            .says_first("Error: soon is no number of seconds\nupgrade")
            .exits(1);
        Script::default()
            .run("upgrade 1 2")
            .says_first("Error: upgrade accepts one argument at most\n")
            .exits(1);
    }
}
