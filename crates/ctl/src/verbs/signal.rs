//! `signal`, and what it shares with `stop`: do something to each name and tell how it went.

use provost_wire::{FaultCode, Value};

use super::Verb;
use crate::batch;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::namespec;
use crate::results::{Outcome, error_line, outcomes, single};
use crate::session::{Session, exit};
use crate::targets;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "signal",
        Takes::SignalAndProcesses,
        &[
            ("signal <signal> <name> ...", "Send a signal, by name or number, to processes."),
            ("signal <signal> <group>:*", "Send it to a whole group."),
            ("signal <signal> <pattern>", "Send it to what a pattern fits, as with start."),
            ("signal <signal> all", "Send it to everything that runs."),
        ],
    )
    .about(
        "HUP, SIGHUP and 1 are the same. Nothing but the signal is sent: a program that ends of it \
         is restarted if its autorestart says so.\nFor example: signal USR1 web:*",
    ),
    run,
};

const SIGNAL: Deed = Deed {
    done: "signalled",
    harmless: None,
    one: "supervisor.signalProcess",
    group: "supervisor.signalProcessGroup",
    all: "supervisor.signalAllProcesses",
};

/// What differs between `signal` and `stop`.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) done: &'static str,
    /// The refusal that does not matter to the exit status.
    pub(super) harmless: Option<FaultCode>,
    pub(super) one: &'static str,
    pub(super) group: &'static str,
    pub(super) all: &'static str,
}

pub(super) fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    match words.names().split_first() {
        Some((&signal, names)) if !names.is_empty() => {
            each(session, &SIGNAL, batch::Deed::Signal(signal), names, &[signal.into()])
        }
        _ => {
            session.misused(
                &VERB.page,
                "Error: signal requires a signal name and a process name",
                exit::GENERIC,
            );
            Ok(())
        }
    }
}

/// Calls with each name and then `more`, and tells the outcomes. What a pattern means is done together.
pub(super) fn each(
    session: &mut Session<'_>,
    deed: &Deed,
    together: batch::Deed<'_>,
    names: &[&str],
    more: &[Value],
) -> Result<(), CallError> {
    if names.contains(&"all") {
        let results = session.call(deed.all, more)?;
        return tell(session, deed, &outcomes(&results)?);
    }
    for name in names {
        if let Some(pattern) = targets::pattern(name) {
            let outcomes = batch::carry_out(session, together, &[pattern.to_owned()])?;
            tell(session, deed, &outcomes)?;
            continue;
        }
        let wanted = namespec::split(name);
        if wanted.process.is_some() {
            let result = session.call(deed.one, &with_name(name, more));
            tell(session, deed, &[single(name, result)?])?;
            continue;
        }
        match session.call(deed.group, &with_name(wanted.group, more)) {
            Ok(results) => tell(session, deed, &outcomes(&results)?)?,
            Err(error) if error.kind() == Some(FaultCode::BadName) => {
                session.no_such_group(wanted.group, exit::GENERIC);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn with_name(name: &str, more: &[Value]) -> Vec<Value> {
    std::iter::once(name.into()).chain(more.iter().cloned()).collect()
}

pub(super) fn tell(session: &mut Session<'_>, deed: &Deed, outcomes: &[Outcome]) -> Result<(), CallError> {
    for outcome in outcomes {
        let (line, reason) = match outcome.kind() {
            Some(FaultCode::Success) => {
                session.done(&outcome.namespec, deed.done);
                continue;
            }
            Some(FaultCode::Failed) => (Some(outcome.description.clone()), "failed"),
            Some(FaultCode::BadName) if outcome.is_group() => {
                session.no_such_group(namespec::split(&outcome.namespec).group, exit::GENERIC);
                continue;
            }
            Some(FaultCode::BadName) => (None, "no such process"),
            Some(FaultCode::BadSignal) => (None, "bad signal name"),
            Some(FaultCode::NotRunning) => (None, "not running"),
            _ => return Err(outcome.unexpected()),
        };
        let line = line.unwrap_or_else(|| error_line(&outcome.namespec, reason));
        session.refused(outcome, &line, reason, deed.harmless);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, outcome};
    use provost_wire::FaultCode::*;

    #[test]
    fn every_refusal_has_its_line_and_status() {
        for (fault, line, status) in [
            (BadName, "a: ERROR (no such process)\n", 1),
            (BadSignal, "a: ERROR (bad signal name)\n", 1),
            (NotRunning, "a: ERROR (not running)\n", 7),
        ] {
            Script::default()
                .up()
                .faults("supervisor.signalProcess", fault, Some("a"))
                .run("signal HUP a")
                .says(line)
                .exits(status);
        }
    }

    #[test]
    fn the_signal_comes_first_on_the_line_and_last_in_the_call() {
        Script::default()
            .up()
            .answers("supervisor.signalProcess", true.into())
            .run("signal USR1 web")
            .says("web: signalled\n")
            .exits(0)
            .asked("supervisor.signalProcess", &["web".into(), "USR1".into()]);
        Script::default()
            .up()
            .answers("supervisor.signalAllProcesses", vec![outcome("g", "a", Success)].into())
            .run("signal 1 all")
            .says("g:a: signalled\n")
            .exits(0)
            .asked("supervisor.signalAllProcesses", &["1".into()]);
        Script::default()
            .up()
            .faults("supervisor.signalProcessGroup", BadName, None)
            .run("signal HUP no:*")
            .says("no: ERROR (no such group)\n")
            .exits(1)
            .asked("supervisor.signalProcessGroup", &["no".into(), "HUP".into()]);
    }

    #[test]
    fn one_word_is_bad_usage() {
        for line in ["signal", "signal HUP"] {
            Script::default()
                .up()
                .run(line)
                .says_first("Error: signal requires a signal name and a process name\nsignal ")
                .exits(1);
        }
    }
}
