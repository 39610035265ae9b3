//! Something done to several processes at once: one call to a daemon that can, many to one that cannot.
//!
//! In: names and patterns. Out: what has become of each, in their order. Python's supervisord waits for one process before it
//! looks at the next, so there all are begun without waiting, and then looked at until the last of them has come to rest.

use std::time::Duration;

use provost_wire::{FaultCode, Value};

use crate::call::CallError;
use crate::info::Info;
use crate::results::{Outcome, outcomes, single};
use crate::session::Session;
use crate::{state, targets};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed<'a> {
    Start {
        wait: bool,
    },
    Stop {
        wait: bool,
    },
    Signal(&'a str),
    /// Stop, and when all are down start.
    Restart,
}

/// How often a daemon is looked at that does not say when something has changed.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Deed<'_> {
    fn method(self) -> &'static str {
        match self {
            Deed::Start { .. } => "provost.startProcesses",
            Deed::Stop { .. } => "provost.stopProcesses",
            Deed::Signal(_) => "provost.signalProcesses",
            Deed::Restart => "provost.restartProcesses",
        }
    }

    fn argument(self) -> Value {
        match self {
            Deed::Start { wait } | Deed::Stop { wait } => wait.into(),
            Deed::Signal(signal) => signal.into(),
            Deed::Restart => true.into(),
        }
    }

    /// Whether it is done to a process that a pattern has found in this state.
    fn concerns(self, code: i64) -> bool {
        use state::*;
        match self {
            Deed::Start { .. } => ![STARTING, RUNNING, BACKOFF].contains(&code),
            Deed::Stop { .. } => [STARTING, RUNNING, BACKOFF].contains(&code),
            Deed::Signal(_) => [STARTING, RUNNING, STOPPING].contains(&code),
            Deed::Restart => true,
        }
    }
}

/// Does it to all that the words mean.
pub(crate) fn carry_out(
    session: &mut Session<'_>,
    deed: Deed<'_>,
    words: &[String],
) -> Result<Vec<Outcome>, CallError> {
    let names = Value::Array(words.iter().map(|word| word.as_str().into()).collect());
    match session.call(deed.method(), &[names, deed.argument()]) {
        Ok(results) => Ok(outcomes(&results)?.into_iter().map(as_written).collect()),
        Err(error) if error.kind() == Some(FaultCode::UnknownMethod) => by_hand(session, deed, words),
        Err(error) => Err(error),
    }
}

/// What means nobody is called as it was written, however that falls apart into group and name.
fn as_written(outcome: Outcome) -> Outcome {
    match (outcome.kind(), outcome.description.split_once(": ")) {
        (Some(FaultCode::BadName), Some((_, given))) => Outcome { namespec: given.to_owned(), ..outcome },
        _ => outcome,
    }
}

fn by_hand(session: &mut Session<'_>, deed: Deed<'_>, words: &[String]) -> Result<Vec<Outcome>, CallError> {
    let all = targets::listing(session)?;
    let all = targets::infos(&all)?;
    let mut found: Vec<(String, bool)> = Vec::new();
    for word in words {
        let reached = targets::reached(word, &all);
        if reached.is_empty() {
            found.push((word.clone(), false));
        }
        let is_named = targets::names(word, &all);
        for info in reached.into_iter().filter(|info| is_named || deed.concerns(info.state)) {
            if !found.iter().any(|(known, _)| *known == info.name) {
                found.push((info.name.clone(), true));
            }
        }
    }
    let names: Vec<&str> =
        found.iter().filter(|(_, exists)| *exists).map(|(name, _)| name.as_str()).collect();
    let mut done = match deed {
        Deed::Start { wait } => start_each(session, &names, wait)?,
        Deed::Stop { wait } => stop_each(session, &names, wait)?,
        Deed::Signal(signal) => each(session, &names, ("supervisor.signalProcess", signal.into()), None)?,
        Deed::Restart => restart_each(session, &names)?,
    };
    let mut outcomes = Vec::new();
    for (name, _) in &found {
        match done.iter().position(|outcome| outcome.namespec == *name) {
            Some(at) => outcomes.push(done.swap_remove(at)),
            None => outcomes.push(outcome(name, FaultCode::BadName)),
        }
    }
    Ok(outcomes)
}

/// Each by its name: begun one after the other, and those that have begun well waited for together.
fn each(
    session: &mut Session<'_>,
    names: &[&str],
    call: (&str, Value),
    verdict: Option<fn(&Info<'_>) -> Option<FaultCode>>,
) -> Result<Vec<Outcome>, CallError> {
    let (method, argument) = call;
    let (mut outcomes, mut waiting) = (Vec::new(), Vec::new());
    for &name in names {
        let begun = single(name, session.call(method, &[name.into(), argument.clone()]))?;
        match verdict.is_some() && begun.kind() == Some(FaultCode::Success) {
            true => waiting.push(name),
            false => outcomes.push(begun),
        }
    }
    let Some(verdict) = verdict else { return Ok(outcomes) };
    while !waiting.is_empty() {
        let all = targets::listing(session)?;
        let all = targets::infos(&all)?;
        waiting.retain(|name| {
            let info = all.iter().find(|info| info.name == *name);
            let code = info.map_or(Some(FaultCode::BadName), verdict);
            outcomes.extend(code.map(|code| outcome(name, code)));
            code.is_none()
        });
        if !waiting.is_empty() {
            session.pause(LOOK_AGAIN)?;
        }
    }
    Ok(outcomes)
}

fn start_each(session: &mut Session<'_>, names: &[&str], wait: bool) -> Result<Vec<Outcome>, CallError> {
    each(session, names, ("supervisor.startProcess", false.into()), wait.then_some(has_started))
}

fn stop_each(session: &mut Session<'_>, names: &[&str], wait: bool) -> Result<Vec<Outcome>, CallError> {
    each(session, names, ("supervisor.stopProcess", false.into()), wait.then_some(has_stopped))
}

/// Whatever does not run need not be stopped, and what cannot be stopped is not started.
fn restart_each(session: &mut Session<'_>, names: &[&str]) -> Result<Vec<Outcome>, CallError> {
    let stopped = stop_each(session, names, true)?;
    let is_down =
        |outcome: &Outcome| matches!(outcome.kind(), Some(FaultCode::Success | FaultCode::NotRunning));
    let (down, failed): (Vec<_>, Vec<_>) = stopped.into_iter().partition(is_down);
    let down: Vec<&str> = down.iter().map(|outcome| outcome.namespec.as_str()).collect();
    Ok([failed, start_each(session, &down, true)?].concat())
}

fn has_started(info: &Info<'_>) -> Option<FaultCode> {
    match info.state {
        state::STARTING => None,
        state::RUNNING => Some(FaultCode::Success),
        // A job that is done at once, and was meant to be.
        state::EXITED if !info.has_failed() => Some(FaultCode::Success),
        _ if info.text("spawnerr").is_empty() => Some(FaultCode::AbnormalTermination),
        _ => Some(FaultCode::SpawnError),
    }
}

fn has_stopped(info: &Info<'_>) -> Option<FaultCode> {
    match info.state {
        state::STARTING | state::RUNNING | state::BACKOFF | state::STOPPING => None,
        state::UNKNOWN => Some(FaultCode::Failed),
        _ => Some(FaultCode::Success),
    }
}

fn outcome(name: &str, code: FaultCode) -> Outcome {
    Outcome {
        namespec: name.to_owned(),
        code: code.code().into(),
        description: format!("{}: {name}", code.name()),
    }
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, process};
    use provost_wire::{FaultCode::*, Value};

    fn old(states: &[(&str, i32)]) -> Value {
        let infos = states.iter().map(|(name, state)| process("g", name, *state, "?", ""));
        infos.collect::<Vec<_>>().into()
    }

    /// Python's daemon: nothing is known there but names.
    fn python() -> Script {
        Script::default().up()
    }

    #[test]
    fn a_daemon_that_knows_no_patterns_is_asked_for_names() {
        python()
            .faults("provost.startProcesses", UnknownMethod, None)
            .answers("supervisor.getAllProcessInfo", old(&[("a", 0), ("b", 20), ("c", 200)]))
            .answers("supervisor.startProcess", true.into())
            .answers("supervisor.startProcess", true.into())
            .answers("supervisor.getAllProcessInfo", old(&[("a", 10), ("b", 20), ("c", 30)]))
            .answers("supervisor.getAllProcessInfo", old(&[("a", 20), ("b", 20), ("c", 10)]))
            .run("start g:[a-z]")
            .says("g:a: started\ng:c: ERROR (abnormal termination)\n")
            .exits(7)
            .asked("supervisor.startProcess", &["g:c".into(), false.into()]);
        python()
            .faults("provost.stopProcesses", UnknownMethod, None)
            .answers("supervisor.getAllProcessInfo", old(&[("a", 20), ("b", 0)]))
            .answers("supervisor.stopProcess", true.into())
            .answers("supervisor.getAllProcessInfo", old(&[("a", 40)]))
            .answers("supervisor.getAllProcessInfo", old(&[("a", 0)]))
            .run("stop ?")
            .says("g:a: stopped\n")
            .exits(0);
        python()
            .faults("provost.signalProcesses", UnknownMethod, None)
            .answers("supervisor.getAllProcessInfo", old(&[("a", 20)]))
            .run("signal HUP x*")
            .says("x*: ERROR (no such process)\n")
            .exits(1);
    }

    #[test]
    fn whoever_need_not_wait_is_answered_at_once() {
        python()
            .faults("provost.stopProcesses", UnknownMethod, None)
            .answers("supervisor.getAllProcessInfo", old(&[("a", 20)]))
            .answers("supervisor.stopProcess", true.into())
            .run("stop --no-wait a*")
            .says("g:a: stopping\n")
            .exits(0);
    }
}
