//! `avail`: what the configuration offers, active or not.

use provost_wire::{FaultCode, Value};
use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::results::{full_name, int, items, text, truth};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "avail",
        Takes::Nothing,
        &[("avail", "Show every process of the configuration, and whether it is in use.")],
    )
    .about(
        "A line has the name, \"in use\" or \"avail\" (waiting for add), \"auto\" or \"manual\" \
         (with autostart or without), and the priorities of group and process.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !words.rest().is_empty() {
        session.misused(&VERB.page, "Error: avail accepts no arguments", exit::GENERIC);
        return Ok(());
    }
    match session.call("supervisor.getAllConfigInfo", &[]) {
        Ok(all) => {
            for config in items(&all)? {
                let line = line(config)?;
                let object = object(config)?;
                session.report.tell(&line, || object);
            }
        }
        Err(error) if error.kind() == Some(FaultCode::ShutdownState) => {
            session.refuse("ERROR: supervisor shutting down", exit::GENERIC);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn object(config: &Value) -> Result<serde_json::Value, CallError> {
    Ok(json!({
        "name": full_name(config)?,
        "group": text(config, "group")?,
        "process": text(config, "name")?,
        "in_use": truth(config, "inuse")?,
        "autostart": truth(config, "autostart")?,
        "group_priority": int(config, "group_prio")?,
        "priority": int(config, "process_prio")?,
    }))
}

fn line(config: &Value) -> Result<String, CallError> {
    let name = full_name(config)?;
    let in_use = if truth(config, "inuse")? { "in use" } else { "avail" };
    let start = if truth(config, "autostart")? { "auto" } else { "manual" };
    let (group, process) = (int(config, "group_prio")?, int(config, "process_prio")?);
    Ok(format!("{name:32} {in_use:9} {start:9} {group}:{process}"))
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;
    use provost_wire::{FaultCode::*, Value};

    fn config(group: &str, name: &str, inuse: bool, autostart: bool) -> Value {
        Value::members([
            ("group", group.into()),
            ("name", name.into()),
            ("inuse", inuse.into()),
            ("autostart", autostart.into()),
            ("group_prio", 999.into()),
            ("process_prio", 5.into()),
        ])
    }

    #[test]
    fn columns_are_supervisors() {
        let all = vec![config("cat", "cat", true, true), config("g", "x", false, false)];
        Script::default()
            .answers("supervisor.getAllConfigInfo", all.into())
            .run("avail")
            .says(
                "cat                              in use    auto      999:5\n\
             g:x                              avail     manual    999:5\n",
            )
            .exits(0);
    }

    #[test]
    fn refusals_have_their_lines() {
        Script::default()
            .faults("supervisor.getAllConfigInfo", ShutdownState, None)
            .run("avail")
            .says("ERROR: supervisor shutting down\n")
            .exits(1);
        Script::default().run("avail x").says_first("Error: avail accepts no arguments\navail").exits(1);
    }
}
