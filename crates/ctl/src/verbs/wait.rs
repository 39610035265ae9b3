//! `wait`: until processes are as they should be, or it is clear that they will not be.
//!
//! Our daemon answers the moment a state is reached; one that cannot is looked at again and again. When the brain of ours dies
//! meanwhile, the next one is asked the same.

use std::time::{Duration, Instant};

use provost_wire::{FaultCode, Value};

use super::Verb;
use crate::batch::LOOK_AGAIN;
use crate::call::CallError;
use crate::info::Info;
use crate::manual::{Flag, Page, Takes};
use crate::report::Problem;
use crate::results::error_line;
use crate::session::{Session, exit};
use crate::words::Words;
use crate::{state, targets};

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "wait",
        Takes::ProcessesThen(&[
            "RUNNING", "STOPPED", "STARTING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN",
        ]),
        &[
            ("wait <name> ... <state>", "Wait until each of them is RUNNING, or in another state."),
            ("wait <name> ... <state>,<state>", "The same with several states, of which one is enough."),
        ],
    )
    .flags(&[TIMEOUT])
    .about(
        "Names may be groups, patterns and all. Exits with 0 when all have been in the state, with 1 when the time is up, \
         and with 7 as soon as one is FATAL, unless a timeout is given: then somebody may still mend it.",
    ),
    run,
};

const TIMEOUT: Flag = Flag { name: "--timeout", value: Some("SECS"), does: "Wait so long at most (60)." };

/// Where nobody says how long: whoever waits for something that nobody has started should not wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of one question; then it is asked again.
const AT_A_TIME: Duration = Duration::from_secs(600);

/// What is waited for, and until when.
struct Wait {
    wanted: Vec<i64>,
    /// It is over, too, when one of these is reached.
    hopeless: Vec<i64>,
    until: Instant,
    /// The daemon can do that by itself, as far as we know.
    is_told: bool,
}

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let names = words.names();
    let request = match names.split_last() {
        Some((states, names)) if !names.is_empty() => {
            request(states, words.value(TIMEOUT.name)).map(|wait| (names, wait))
        }
        _ => Err("Error: wait requires a process name and a state".to_owned()),
    };
    let (names, mut wait) = match request {
        Ok(request) => request,
        Err(complaint) => {
            session.misused(&VERB.page, &complaint, exit::BAD_ARGUMENTS);
            return Ok(());
        }
    };
    let Some(names) = known(session, names)? else { return Ok(()) };
    let mut is_hopeless = false;
    for name in &names {
        let Some((code, told)) = look(session, &mut wait, name)? else { return Ok(()) };
        if wait.wanted.contains(&code) {
            session.done(name, &told.state);
            continue;
        }
        is_hopeless |= wait.hopeless.contains(&code);
        if is_hopeless {
            // The others are told as they are.
            wait.until = Instant::now();
        }
        let reason = told.reason();
        session.fail(&error_line(name, &reason), &Problem::of(name, reason.as_str()), exit::GENERIC);
    }
    if is_hopeless {
        session.status = exit::NOT_RUNNING;
    }
    Ok(())
}

fn request(states: &str, timeout: Option<&str>) -> Result<Wait, String> {
    let code = |word: &str| {
        let known =
            state::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, code)| *code);
        known.ok_or_else(|| {
            let all = state::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            format!("Error: {word} is no state; the states are {all}")
        })
    };
    let wanted = states.split(',').map(code).collect::<Result<Vec<_>, _>>()?;
    let patience = match timeout {
        None => PATIENCE,
        Some(seconds) => {
            let seconds =
                seconds.parse().map_err(|_| format!("Error: --timeout {seconds}: give whole seconds"))?;
            Duration::from_secs(seconds)
        }
    };
    let hopeless = match timeout {
        None => vec![state::FATAL],
        Some(_) => Vec::new(),
    };
    // Who waits for as long as a clock can tell waits for ever.
    let until =
        Instant::now().checked_add(patience).unwrap_or_else(|| Instant::now() + AT_A_TIME * 1_000_000);
    Ok(Wait { wanted, hopeless, until, is_told: true })
}

/// Each process that the words mean. Nothing, if a word means nobody: who waits for a typing error would wait for long.
fn known(session: &mut Session<'_>, words: &[&str]) -> Result<Option<Vec<String>>, CallError> {
    let all = targets::listing(session)?;
    let all = targets::infos(&all)?;
    let mut names = Vec::new();
    let mut is_known = true;
    for word in words {
        let (word, reached) = targets::meant(word, &all);
        if reached.is_empty() && word != "all" {
            targets::nobody(session, word, exit::GENERIC);
            is_known = false;
        }
        names.extend(reached.into_iter().map(|info| info.name.clone()));
    }
    Ok(is_known.then_some(names))
}

/// How a process was when the wait for it was over.
struct Told {
    state: String,
    description: String,
}

impl Told {
    fn reason(&self) -> String {
        match self.description.is_empty() {
            true => format!("is {}", self.state),
            false => format!("is {}: {}", self.state, self.description),
        }
    }
}

/// How a process is when it is as wanted, or hopeless, or the time is up. Nothing, if the daemon has gone, which has been said.
fn look(session: &mut Session<'_>, wait: &mut Wait, name: &str) -> Result<Option<(i64, Told)>, CallError> {
    loop {
        let left = wait.until.saturating_duration_since(Instant::now());
        let info = match ask(session, wait, name, left.min(AT_A_TIME)) {
            Ok(info) => info,
            // The next brain is there in a moment; what has really gone does not let anybody in.
            Err(error @ CallError::Connection { .. })
                if error.nobody_there().is_none() && !left.is_zero() =>
            {
                session.pause(LOOK_AGAIN)?;
                continue;
            }
            Err(error) if error.nobody_there().is_some() => {
                session.is_up()?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let info = Info::of(&info)?;
        let is_over = wait.wanted.contains(&info.state) || wait.hopeless.contains(&info.state);
        if is_over || left.is_zero() {
            let (state, description) = (info.statename.to_owned(), info.description.to_owned());
            return Ok(Some((info.state, Told { state, description })));
        }
        if !wait.is_told {
            session.pause(LOOK_AGAIN.min(left))?;
        }
    }
}

fn ask(session: &mut Session<'_>, wait: &mut Wait, name: &str, left: Duration) -> Result<Value, CallError> {
    if wait.is_told && !left.is_zero() {
        let states = wait.wanted.iter().chain(&wait.hopeless).map(|code| (*code).into()).collect();
        // Rounded up: whoever is asked for less than a second would look once, and be asked without end.
        let seconds = left.as_secs() + 1;
        match session.call("provost.waitForState", &[name.into(), Value::Array(states), seconds_of(seconds)])
        {
            // Here, as elsewhere in it, too many may wait at a time.
            Err(error) if matches!(error.kind(), Some(FaultCode::UnknownMethod | FaultCode::Failed)) => {
                wait.is_told = false;
            }
            result => return result,
        }
    }
    session.call("supervisor.getProcessInfo", &[name.into()])
}

fn seconds_of(seconds: u64) -> Value {
    i32::try_from(seconds).unwrap_or(i32::MAX).into()
}

#[cfg(test)]
mod tests {
    use std::io;

    use crate::call::CallError;
    use crate::fake::{Script, process};
    use provost_wire::FaultCode::*;
    use provost_wire::Value;
    use serde_json::json;

    fn listed() -> Script {
        let all = ["a", "b"].map(|name| process("g", name, 10, "STARTING", ""));
        Script::default().up().answers("supervisor.getAllProcessInfo", all.to_vec().into())
    }

    fn is(name: &str, state: i32, statename: &str, description: &str) -> Value {
        process("g", name, state, statename, description)
    }

    #[test]
    fn each_is_waited_for_and_told() {
        let ran = listed()
            .answers("provost.waitForState", is("a", 20, "RUNNING", "pid 1"))
            .answers("provost.waitForState", is("b", 20, "RUNNING", "pid 2"))
            .run("wait g:* running --timeout 9");
        ran.says("g:a: RUNNING\ng:b: RUNNING\n")
            .exits(0)
            .asked("provost.waitForState", &["g:a".into(), vec![20.into()].into(), 9.into()]);
        listed()
            .answers("provost.waitForState", is("b", 0, "STOPPED", "Not started"))
            .run("wait [b] stopped,EXITED")
            .says("g:b: STOPPED\n")
            .asked(
                "provost.waitForState",
                &["g:b".into(), vec![0.into(), 100.into(), 200.into()].into(), 60.into()],
            );
    }

    #[test]
    fn one_that_is_fatal_ends_it_unless_somebody_is_patient() {
        listed()
            .answers("provost.waitForState", is("a", 200, "FATAL", "can't find command 'x'"))
            .answers("supervisor.getProcessInfo", is("b", 10, "STARTING", ""))
            .run("wait g:a g:b RUNNING")
            .says("g:a: ERROR (is FATAL: can't find command 'x')\ng:b: ERROR (is STARTING)\n")
            .exits(7);
        listed()
            .answers("supervisor.getProcessInfo", is("a", 200, "FATAL", ""))
            .run("wait g:a RUNNING --timeout=0 --json")
            .documents(json!({
                "verb": "wait", "server": "unix:///s", "exit_status": 1, "results": [],
                "errors": [{"name": "g:a", "message": "is FATAL"}], "advice": [],
            }));
    }

    #[test]
    fn a_daemon_that_cannot_wait_is_looked_at_again() {
        listed()
            .faults("provost.waitForState", UnknownMethod, None)
            .answers("supervisor.getProcessInfo", is("a", 10, "STARTING", ""))
            .answers("supervisor.getProcessInfo", is("a", 20, "RUNNING", ""))
            .run("wait g:a RUNNING")
            .says("g:a: RUNNING\n")
            .exits(0);
    }

    #[test]
    fn the_next_brain_is_asked_the_same() {
        let broken =
            |kind: io::ErrorKind| CallError::Connection { url: "unix:///s".to_owned(), error: kind.into() };
        listed()
            .fails("provost.waitForState", broken(io::ErrorKind::UnexpectedEof))
            .answers("provost.waitForState", is("a", 20, "RUNNING", ""))
            .run("wait g:a RUNNING")
            .says("g:a: RUNNING\n")
            .exits(0);
        listed()
            .fails("provost.waitForState", broken(io::ErrorKind::ConnectionRefused))
            .fails("supervisor.getVersion", broken(io::ErrorKind::ConnectionRefused))
            .run("wait g:a RUNNING")
            .says("unix:///s refused connection\n")
            .exits(4);
    }

    #[test]
    fn what_means_nothing_is_not_waited_for() {
        listed()
            .run("wait g:a x no:* y* RUNNING")
            .says("x: ERROR (no such process)\nno: ERROR (no such group)\ny*: ERROR (no such process)\n")
            .exits(1);
        for (line, complaint) in [
            ("wait", "Error: wait requires a process name and a state\nwait "),
            ("wait a", "Error: wait requires a process name and a state\nwait "),
            ("wait a b", "Error: b is no state; the states are STOPPED, STARTING, "),
            ("wait a RUNNING --timeout soon", "Error: --timeout soon: give whole seconds\nwait "),
        ] {
            Script::default().up().run(line).says_first(complaint).exits(2);
        }
    }
}
