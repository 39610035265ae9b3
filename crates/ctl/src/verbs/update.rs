//! `update`: read the configuration again and make what runs agree with it.
//!
//! In: group names, or all. Out: Supervisor's lines, in its order: removed, changed, added. A daemon of ours changes a group in place;
//! any other has it stopped, removed and added again, which is also what `--restart` asks for. What would happen is told by
//! `update/dry_run.rs`.

mod dry_run;

use std::collections::BTreeSet;

use provost_wire::{FaultCode, Value};
use serde_json::json;

use super::{Verb, reread};
use crate::call::CallError;
use crate::manual::{Flag, Page, Takes};
use crate::report::Problem;
use crate::results::{error_line, full_name, int, items, outcomes, text};
use crate::session::{Session, exit};
use crate::targets;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "update",
        Takes::Groups,
        &[
            ("update", "Read the configuration again; remove, change and add groups as it says."),
            ("update all", "The same."),
            ("update <group> ...", "The same, for these groups only."),
            ("update --dry-run", "Tell what would be done, option by option, and do nothing."),
        ],
    )
    .flags(&[RESTART, DRY_RUN])
    .about(
        "A group that has changed is changed in place: processes whose configuration is the same run on, options that need no \
         restart hold at once, and only what needs one is restarted. Its line says stopped only if all of it was. Programs that \
         are down start if they have changed and have autostart.",
    ),
    run,
};

const RESTART: Flag = Flag {
    name: "--restart",
    value: None,
    does: "Stop, remove and add groups that have changed, whole, as Supervisor does.",
};
const DRY_RUN: Flag =
    Flag { name: "--dry-run", value: None, does: "Only tell what would be done. The exit status is 0." };

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    let mut only = words.names();
    if only.contains(&"all") {
        only.clear();
    }
    if words.has(DRY_RUN.name) {
        return dry_run::run(session, &only, words.has(RESTART.name));
    }
    let Some(changes) = reread::changes(session, "ERROR: already shutting down")? else { return Ok(()) };
    if !only.is_empty() {
        complain_about_unknown(session, &only, &changes.added)?;
    }
    let wanted = |group: &&String| only.is_empty() || only.contains(&group.as_str());
    for group in changes.removed.iter().filter(wanted) {
        remove(session, group)?;
    }
    let mut in_place = !words.has(RESTART.name);
    for group in changes.changed.iter().filter(wanted) {
        in_place = in_place && change(session, group)?;
        if !in_place {
            exchange(session, group)?;
        }
    }
    for group in changes.added.iter().filter(wanted) {
        session.call("supervisor.addProcessGroup", &[group.as_str().into()])?;
        session.done(group, "added process group");
    }
    Ok(())
}

/// In place; false if this daemon cannot.
fn change(session: &mut Session<'_>, group: &str) -> Result<bool, CallError> {
    let results = match session.call("provost.updateGroup", &[group.into()]) {
        Ok(results) => results,
        Err(error) if error.kind() == Some(FaultCode::UnknownMethod) => return Ok(false),
        Err(error) if error.kind() == Some(FaultCode::Failed) => {
            let reason = "has problems; not updating";
            let problem = Problem::of(group, error.detail()).fault(error.kind());
            session.fail(&format!("{group}: {reason}"), &problem, exit::GENERIC);
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    let results = items(&results)?;
    let goes_on = |process: &Value| process.get("goes_on").and_then(Value::as_bool).unwrap_or(false);
    if !results.iter().any(goes_on) {
        session.done(group, "stopped");
    }
    let mut processes = Vec::new();
    for process in results {
        let name = full_name(process)?;
        processes.push(json!({"name": name, "change": text(process, "change")?}));
        if FaultCode::from_code(int(process, "status")?) == Some(FaultCode::Failed) {
            let reason = "could not be signalled";
            let problem = Problem::of(&name, reason).fault(Some(FaultCode::Failed));
            session.fail(&error_line(&name, reason), &problem, exit::GENERIC);
        }
    }
    let word = "updated process group";
    let object = json!({"name": group, "result": word, "processes": processes});
    session.report.tell(&format!("{group}: {word}"), || object);
    Ok(true)
}

/// As a whole.
fn exchange(session: &mut Session<'_>, group: &str) -> Result<(), CallError> {
    session.call("supervisor.stopProcessGroup", &[group.into()])?;
    session.done(group, "stopped");
    session.call("supervisor.removeProcessGroup", &[group.into()])?;
    session.call("supervisor.addProcessGroup", &[group.into()])?;
    session.done(group, "updated process group");
    Ok(())
}

fn complain_about_unknown(
    session: &mut Session<'_>,
    only: &[&str],
    added: &[String],
) -> Result<(), CallError> {
    let all = targets::listing(session)?;
    let mut known =
        items(&all)?.iter().map(|info| text(info, "group")).collect::<Result<BTreeSet<_>, _>>()?;
    known.extend(added.iter().map(String::as_str));
    let mut told = BTreeSet::new();
    for group in only {
        if !known.contains(group) && told.insert(*group) {
            let problem = Problem::of(group, "no such group");
            session.fail(&format!("ERROR: no such group: {group}"), &problem, exit::GENERIC);
        }
    }
    Ok(())
}

fn remove(session: &mut Session<'_>, group: &str) -> Result<(), CallError> {
    let results = session.call("supervisor.stopProcessGroup", &[group.into()])?;
    session.done(group, "stopped");
    if outcomes(&results)?.iter().any(|outcome| outcome.kind() == Some(FaultCode::Failed)) {
        let reason = "has problems; not removing";
        session.fail(&format!("{group}: {reason}"), &Problem::of(group, reason), exit::GENERIC);
        return Ok(());
    }
    session.call("supervisor.removeProcessGroup", &[group.into()])?;
    session.done(group, "removed process group");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, changes, outcome, process};
    use provost_wire::FaultCode::*;
    use provost_wire::Value;

    fn updating() -> Script {
        Script::default()
            .answers("supervisor.reloadConfig", changes(&["new", "newer"], &["other"], &["gone"]))
            .answers("supervisor.getAllProcessInfo", vec![process("gone", "gone", 20, "RUNNING", "")].into())
            .answers("supervisor.stopProcessGroup", vec![].into())
            .answers("supervisor.removeProcessGroup", true.into())
            .faults("provost.updateGroup", UnknownMethod, None)
            .answers("supervisor.stopProcessGroup", vec![].into())
            .answers("supervisor.removeProcessGroup", true.into())
            .answers("supervisor.addProcessGroup", true.into())
            .answers("supervisor.addProcessGroup", true.into())
            .answers("supervisor.addProcessGroup", true.into())
    }

    fn updated(name: &str, change: &str, goes_on: bool, status: i64) -> Value {
        Value::members([
            ("name", name.into()),
            ("group", "g".into()),
            ("change", change.into()),
            ("goes_on", goes_on.into()),
            ("status", status.into()),
            ("description", "OK".into()),
        ])
    }

    fn changed(processes: Vec<Value>) -> Script {
        Script::default()
            .answers("supervisor.reloadConfig", changes(&[], &["g"], &[]))
            .answers("provost.updateGroup", processes.into())
    }

    #[test]
    fn a_group_is_said_to_have_stopped_only_if_all_of_it_has() {
        changed(vec![updated("a", "restarted", false, 80), updated("b", "added", false, 80)])
            .run("update")
            .says("g: stopped\ng: updated process group\n")
            .exits(0);
        changed(vec![updated("a", "restarted", false, 80), updated("b", "untouched", true, 80)])
            .run("update")
            .says("g: updated process group\n")
            .exits(0);
    }

    #[test]
    fn what_cannot_be_signalled_is_told() {
        changed(vec![updated("a", "restarted", false, 30)])
            .run("update")
            .says("g: stopped\ng:a: ERROR (could not be signalled)\ng: updated process group\n")
            .exits(1);
        Script::default()
            .answers("supervisor.reloadConfig", changes(&[], &["g"], &[]))
            .faults("provost.updateGroup", Failed, Some("g:a could not be signalled"))
            .run("update")
            .says("g: has problems; not updating\n")
            .exits(1);
    }

    #[test]
    fn whoever_wants_it_has_supervisors_way() {
        Script::default()
            .answers("supervisor.reloadConfig", changes(&[], &["g"], &[]))
            .answers("supervisor.stopProcessGroup", vec![].into())
            .answers("supervisor.removeProcessGroup", true.into())
            .answers("supervisor.addProcessGroup", true.into())
            .run("update --restart")
            .says("g: stopped\ng: updated process group\n")
            .exits(0);
    }

    #[test]
    fn removed_then_changed_then_added() {
        for line in ["update", "update all", "update x all"] {
            updating().run(line).says(
                "gone: stopped\ngone: removed process group\nother: stopped\nother: updated process group\n\
                 new: added process group\nnewer: added process group\n",
            ).exits(0);
        }
    }

    #[test]
    fn names_restrict_the_work_and_unknown_ones_are_told() {
        updating().run("update newer nosuch gone").says(
            "ERROR: no such group: nosuch\ngone: stopped\ngone: removed process group\nnewer: added process group\n",
        ).exits(1);
    }

    #[test]
    fn a_group_that_will_not_stop_stays() {
        Script::default()
            .answers("supervisor.reloadConfig", changes(&[], &[], &["gone"]))
            .answers("supervisor.stopProcessGroup", vec![outcome("gone", "a", Failed)].into())
            .run("update")
            .says("gone: stopped\ngone: has problems; not removing\n")
            .exits(1);
    }

    #[test]
    fn a_broken_configuration_is_told_as_reread_tells_it() {
        Script::default()
            .faults("supervisor.reloadConfig", CantReread, Some("why"))
            .run("update")
            .says("ERROR: CANT_REREAD: why\n")
            .exits(1);
        Script::default()
            .faults("supervisor.reloadConfig", ShutdownState, None)
            .run("update")
            .says("ERROR: already shutting down\n")
            .exits(1);
        Script::default()
            .answers("supervisor.reloadConfig", changes(&[], &[], &[]))
            .run("update")
            .says("")
            .exits(0);
    }
}
