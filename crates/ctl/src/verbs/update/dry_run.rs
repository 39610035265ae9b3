//! `update --dry-run`: what an update would do, group by group, process by process, option by option.
//!
//! In: `provost.compareConfig`, from which nothing follows. Out: lines for people, or all of it as JSON. Only a daemon of ours can
//! tell.

use std::collections::BTreeSet;

use provost_wire::{FaultCode, Value};
use serde_json::{Value as Json, json};

use super::complain_about_unknown;
use crate::call::CallError;
use crate::namespec;
use crate::report::Problem;
use crate::results::{as_json, items, text, truth};
use crate::session::{Session, exit};
use crate::verbs::reread;

pub(super) fn run(session: &mut Session<'_>, only: &[&str], restarts: bool) -> Result<(), CallError> {
    let read = match reread::read(session, "provost.compareConfig", "ERROR: already shutting down") {
        Err(error) if error.kind() == Some(FaultCode::UnknownMethod) => {
            let reason = "this supervisord cannot tell beforehand what an update would do";
            let problem = Problem::new(reason).fault(error.kind());
            session.fail(&format!("ERROR: {reason}"), &problem, exit::GENERIC);
            return Ok(());
        }
        read => read?,
    };
    let Some(groups) = read else { return Ok(()) };
    let groups = items(&groups)?;
    if !only.is_empty() {
        let added = groups.iter().map(|group| Ok(text(group, "group")?.to_owned()));
        complain_about_unknown(session, only, &added.collect::<Result<Vec<_>, CallError>>()?)?;
    }
    let wanted: BTreeSet<&str> = only.iter().copied().collect();
    let mut is_empty = true;
    for group in groups {
        let name = text(group, "group")?;
        if wanted.is_empty() || wanted.contains(name) {
            is_empty = false;
            let line = lines(group, name, restarts)?.join("\n");
            let object = json(group, name, restarts)?;
            session.report.tell(&line, || object);
        }
    }
    if is_empty {
        session.report.say("No config updates to processes");
    }
    Ok(())
}

/// What would become of a group.
fn fate(group: &Value, restarts: bool) -> Result<&'static str, CallError> {
    Ok(match text(group, "change")? {
        "added" => "would be added",
        "removed" => "would be removed",
        _ if restarts || truth(group, "replaced")? => "would be replaced as a whole",
        _ => "would be updated",
    })
}

fn lines(group: &Value, name: &str, restarts: bool) -> Result<Vec<String>, CallError> {
    let mut lines = vec![format!("{name}: {}", fate(group, restarts)?)];
    for change in changes(group)? {
        lines.push(format!("    {}", told(change)?));
    }
    let is_changed = text(group, "change")? == "changed";
    for process in items(group.get("processes").unwrap_or(&Value::Nil))? {
        let full = namespec::join(name, text(process, "name")?);
        lines.push(format!("  {full}: {}", of_process(process, is_changed && restarts)?));
        for change in changes(process)? {
            lines.push(format!("    {}", told(change)?));
        }
    }
    Ok(lines)
}

/// What would become of a process.
fn of_process(process: &Value, restarts: bool) -> Result<&'static str, CallError> {
    let (runs, starts) = (truth(process, "running")?, truth(process, "starts")?);
    Ok(match (text(process, "change")?, runs) {
        ("untouched", true) if restarts => "would be restarted",
        ("untouched", true) => "runs on",
        ("untouched", false) => "stays as it is",
        ("changed", true) if restarts => "would be restarted",
        ("changed", true) => "would change and run on",
        ("restarted", true) => "would be restarted",
        ("changed" | "restarted", false) if starts => "would change and be started",
        ("changed" | "restarted", false) => "would change",
        ("added", _) if starts => "would be added and started",
        ("added", _) => "would be added",
        ("removed", true) => "would be stopped and removed",
        ("removed", false) => "would be removed",
        (other, _) => return Err(CallError::Other(format!("an unknown kind of change: {other}"))),
    })
}

fn changes(of: &Value) -> Result<&[Value], CallError> {
    items(of.get("changes").unwrap_or(&Value::Nil))
}

/// `key: old -> new`, and what that takes.
fn told(change: &Value) -> Result<String, CallError> {
    let value = |name: &str| match change.get(name).and_then(Value::as_str) {
        Some("") => "\"\"".to_owned(),
        Some(value) => value.to_owned(),
        None => "(not set)".to_owned(),
    };
    let takes = if truth(change, "restart")? { "restart" } else { "live" };
    Ok(format!("{}: {} -> {} ({takes})", text(change, "key")?, value("old"), value("new")))
}

fn json(group: &Value, name: &str, restarts: bool) -> Result<Json, CallError> {
    let mut object = as_json(group);
    object["name"] = json!(name);
    object["result"] = json!(fate(group, restarts)?);
    if let Some(members) = object.as_object_mut() {
        members.remove("group");
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use provost_wire::{FaultCode, Value};

    use crate::fake::{Script, process};

    fn change(key: &str, old: Option<&str>, new: Option<&str>, restart: bool) -> Value {
        let values = [("old", old), ("new", new)];
        let set = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        let always = [("key".to_owned(), key.into()), ("restart".to_owned(), restart.into())];
        Value::Struct(always.into_iter().chain(set).collect())
    }

    fn one(name: &str, what: &str, running: bool, starts: bool, changes: Vec<Value>) -> Value {
        Value::members([
            ("name", name.into()),
            ("change", what.into()),
            ("running", running.into()),
            ("starts", starts.into()),
            ("changes", changes.into()),
        ])
    }

    fn group(name: &str, what: &str, changes: Vec<Value>, processes: Vec<Value>) -> Value {
        Value::members([
            ("group", name.into()),
            ("change", what.into()),
            ("replaced", false.into()),
            ("changes", changes.into()),
            ("processes", processes.into()),
        ])
    }

    fn compared() -> Value {
        let command = change("command", Some("/bin/a"), Some("/bin/b"), true);
        let variable = change("environment.A", None, Some(""), true);
        let patience = change("stopwaitsecs", Some("10"), Some("99"), false);
        Value::Array(vec![
            group("old", "removed", vec![], vec![one("old", "removed", true, false, vec![])]),
            group(
                "web",
                "changed",
                vec![change("priority", Some("999"), Some("5"), false)],
                vec![
                    one("web_0", "restarted", true, false, vec![command, variable]),
                    one("web_1", "changed", true, false, vec![patience]),
                    one("web_2", "untouched", true, false, vec![]),
                    one("web_3", "added", false, true, vec![]),
                ],
            ),
        ])
    }

    #[test]
    fn everything_is_told_and_nothing_done() {
        Script::default()
            .answers("provost.compareConfig", compared())
            .run("update --dry-run")
            .says(
                "old: would be removed\n  old: would be stopped and removed\n\
             web: would be updated\n    priority: 999 -> 5 (live)\n\
             \x20 web:web_0: would be restarted\n    command: /bin/a -> /bin/b (restart)\n    \
             environment.A: (not set) -> \"\" (restart)\n\
             \x20 web:web_1: would change and run on\n    stopwaitsecs: 10 -> 99 (live)\n\
             \x20 web:web_2: runs on\n  web:web_3: would be added and started\n",
            )
            .exits(0);
    }

    #[test]
    fn with_restart_all_of_a_changed_group_is() {
        Script::default()
            .answers("provost.compareConfig", compared())
            .answers("supervisor.getAllProcessInfo", vec![process("web", "web", 20, "RUNNING", "")].into())
            .run("update --dry-run --restart web nobody")
            .says(
                "ERROR: no such group: nobody\nweb: would be replaced as a whole\n    \
                 priority: 999 -> 5 (live)\n  web:web_0: would be restarted\n    \
                 command: /bin/a -> /bin/b (restart)\n    environment.A: (not set) -> \"\" (restart)\n  \
                 web:web_1: would be restarted\n    stopwaitsecs: 10 -> 99 (live)\n  \
                 web:web_2: would be restarted\n  web:web_3: would be added and started\n",
            )
            .exits(1);
    }

    #[test]
    fn nothing_to_tell_and_nobody_who_can() {
        Script::default()
            .answers("provost.compareConfig", vec![].into())
            .run("update --dry-run")
            .says("No config updates to processes\n")
            .exits(0);
        Script::default()
            .faults("provost.compareConfig", FaultCode::UnknownMethod, None)
            .run("update --dry-run")
            .says("ERROR: this supervisord cannot tell beforehand what an update would do\n")
            .exits(1);
        Script::default()
            .faults("provost.compareConfig", FaultCode::CantReread, Some("why"))
            .run("update --dry-run")
            .says("ERROR: CANT_REREAD: why\n")
            .exits(1);
    }
}
