//! `update`: read the configuration again and make what runs agree with it.

use std::collections::BTreeSet;

use provost_wire::FaultCode;

use super::{Verb, reread};
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::results::{items, outcomes, text};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "update",
        Takes::Groups,
        &[
            ("update", "Read the configuration again; remove, replace and add groups as it says."),
            ("update all", "The same."),
            ("update <group> ...", "The same, for these groups only."),
        ],
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    let Some(changes) = reread::changes(session, "ERROR: already shutting down")? else { return Ok(()) };
    let mut only = words.names();
    if only.contains(&"all") {
        only.clear();
    }
    if !only.is_empty() {
        complain_about_unknown(session, &only, &changes.added)?;
    }
    let wanted = |group: &&String| only.is_empty() || only.contains(&group.as_str());
    for group in changes.removed.iter().filter(wanted) {
        remove(session, group)?;
    }
    for group in changes.changed.iter().filter(wanted) {
        session.call("supervisor.stopProcessGroup", &[group.as_str().into()])?;
        session.done(group, "stopped");
        session.call("supervisor.removeProcessGroup", &[group.as_str().into()])?;
        session.call("supervisor.addProcessGroup", &[group.as_str().into()])?;
        session.done(group, "updated process group");
    }
    for group in changes.added.iter().filter(wanted) {
        session.call("supervisor.addProcessGroup", &[group.as_str().into()])?;
        session.done(group, "added process group");
    }
    Ok(())
}

fn complain_about_unknown(
    session: &mut Session<'_>,
    only: &[&str],
    added: &[String],
) -> Result<(), CallError> {
    let all = session.call("supervisor.getAllProcessInfo", &[])?;
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

    fn updating() -> Script {
        Script::default()
            .answers("supervisor.reloadConfig", changes(&["new", "newer"], &["other"], &["gone"]))
            .answers("supervisor.getAllProcessInfo", vec![process("gone", "gone", 20, "RUNNING", "")].into())
            .answers("supervisor.stopProcessGroup", vec![].into())
            .answers("supervisor.removeProcessGroup", true.into())
            .answers("supervisor.stopProcessGroup", vec![].into())
            .answers("supervisor.removeProcessGroup", true.into())
            .answers("supervisor.addProcessGroup", true.into())
            .answers("supervisor.addProcessGroup", true.into())
            .answers("supervisor.addProcessGroup", true.into())
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
