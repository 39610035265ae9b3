//! `reread`: have the configuration read again and tell what `update` would change.

use std::collections::BTreeMap;

use provost_wire::{FaultCode, Value};

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::results::items;
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "reread",
        Takes::Nothing,
        &[("reread", "Read the configuration again and show what changed. Nothing is started or stopped.")],
    )
    .about(
        "Each group that update would touch is called available (new), changed or disappeared, and the same again until update \
         is said. Users and passwords of the servers are in force at once; most settings of supervisord itself wait for reload.",
    ),
    run,
};

/// Group names, as `reloadConfig` gives them.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) added: Vec<String>,
    pub(super) changed: Vec<String>,
    pub(super) removed: Vec<String>,
}

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !words.rest().is_empty() {
        session.misused(&VERB.page, "Error: reread accepts no arguments", exit::GENERIC);
        return Ok(());
    }
    let Some(changes) = changes(session, "ERROR: supervisor shutting down")? else { return Ok(()) };
    let named = |names: Vec<String>, what: &'static str| names.into_iter().map(move |name| (name, what));
    // Sorted by name; what disappeared outranks the rest.
    let lines: BTreeMap<String, &str> = named(changes.added, "available")
        .chain(named(changes.changed, "changed"))
        .chain(named(changes.removed, "disappeared"))
        .collect();
    if lines.is_empty() {
        session.report.say("No config updates to processes");
    }
    for (name, what) in lines {
        session.done(&name, what);
    }
    Ok(())
}

/// Has the configuration read. `None`: it could not be, and everything has been said.
pub(super) fn changes(session: &mut Session<'_>, shutting_down: &str) -> Result<Option<Changes>, CallError> {
    read(session, "supervisor.reloadConfig", shutting_down)?.map(|answer| sorted_out(&answer)).transpose()
}

/// Asks something for which the configuration has to be read. `None`: it could not be, and everything has been said.
pub(super) fn read(
    session: &mut Session<'_>,
    method: &str,
    shutting_down: &str,
) -> Result<Option<Value>, CallError> {
    let (complaint, fault) = match session.call(method, &[]) {
        Ok(answer) => return Ok(Some(answer)),
        Err(CallError::Fault(fault)) if fault.kind() == Some(FaultCode::ShutdownState) => {
            (shutting_down.to_owned(), fault.kind())
        }
        Err(CallError::Fault(fault)) if fault.kind() == Some(FaultCode::CantReread) => {
            (format!("ERROR: {}", fault.text), fault.kind())
        }
        Err(error) => return Err(error),
    };
    let problem = Problem::new(complaint.trim_start_matches("ERROR: ")).fault(fault);
    session.fail(&complaint, &problem, exit::GENERIC);
    Ok(None)
}

/// `[[added, changed, removed]]`.
fn sorted_out(answer: &Value) -> Result<Changes, CallError> {
    let names = |list: &Value| items(list)?.iter().map(name).collect::<Result<Vec<_>, _>>();
    match items(answer)?.first().map(items).transpose()? {
        Some([added, changed, removed]) => {
            Ok(Changes { added: names(added)?, changed: names(changed)?, removed: names(removed)? })
        }
        _ => Err(CallError::Other("the answer is not three lists of names".to_owned())),
    }
}

fn name(value: &Value) -> Result<String, CallError> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| CallError::Other("the answer holds a name that is no text".to_owned()))
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, changes};
    use provost_wire::FaultCode::*;

    #[test]
    fn changes_are_sorted_by_name() {
        Script::default()
            .answers("supervisor.reloadConfig", changes(&["z", "b"], &["m"], &["a"]))
            .run("reread")
            .says("a: disappeared\nb: available\nm: changed\nz: available\n")
            .exits(0);
        Script::default()
            .answers("supervisor.reloadConfig", changes(&[], &[], &[]))
            .run("reread")
            .says("No config updates to processes\n")
            .exits(0);
    }

    #[test]
    fn refusals_have_their_lines() {
        Script::default()
            .faults("supervisor.reloadConfig", CantReread, Some("bad thing"))
            .run("reread")
            .says("ERROR: CANT_REREAD: bad thing\n")
            .exits(1);
        Script::default()
            .faults("supervisor.reloadConfig", ShutdownState, None)
            .run("reread")
            .says("ERROR: supervisor shutting down\n")
            .exits(1);
        Script::default().run("reread now").says_first("Error: reread accepts no arguments\nreread").exits(1);
    }
}
