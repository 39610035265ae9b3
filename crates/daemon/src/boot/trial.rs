//! A brain on trial: it reads all that the running one has written down, makes its own core of it, and touches nothing.
//!
//! In: the past, as the keeper tells it. Out: one word to the keeper. What was made of the past is thrown away: by the time
//! that the turn comes it is another past.

use provost_core::{ChildId, Input, Supervisor};
use provost_keeper::{Link, ToKeeper};

use super::past::Past;
use super::{Build, Refusal};
use crate::clock;
use crate::effective::Effective;
use crate::kept::StateError;
use crate::logs::auto::AutoLogs;
use crate::perform::Source;

/// Says whether this build could go on from here; then it may wait for its turn.
pub(super) fn stand(link: &mut Link, past: Past, source: &Source, build: &Build) -> Result<(), Refusal> {
    match rehearse(past, source, build) {
        Ok(()) => Ok(link.send(ToKeeper::Willing { version: build.version.to_owned() })?),
        Err(e) => {
            let reason = e.to_string();
            link.send(ToKeeper::Unwilling { reason: reason.clone() })?;
            Err(Refusal::system(format!("this program cannot take over: {reason}")))
        }
    }
}

fn rehearse(mut past: Past, source: &Source, build: &Build) -> Result<(), StateError> {
    let memories = past.recall_all(&build.understood.memory)?;
    let Source { path, overrides, host } = source;
    let resumed = Effective::resume(&mut past.held, (path, overrides, host), &build.understood)?;
    let resumed = resumed.ok_or_else(|| StateError::Missing { what: "configuration in force".to_owned() })?;
    let settings = &resumed.first.supervisord;
    let mut auto_logs = AutoLogs::new(settings.childlogdir.clone(), settings.identifier.clone());
    past.resume_auto_logs(&mut auto_logs, &build.understood.auto_logs)?;
    let exit_on = resumed.first.supervisord.exit_on;
    let first_child = ChildId(past.first_free_child());
    let (mut supervisor, mut actions) =
        Supervisor::resume(resumed.available, exit_on, &resumed.groups, first_child, 0, true);
    let inputs: Vec<Input> = past.inputs(&memories.processes).collect();
    for input in inputs {
        actions.clear();
        supervisor.step(clock::now(), input, &mut actions);
    }
    Ok(())
}
