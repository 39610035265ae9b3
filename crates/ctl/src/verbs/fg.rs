//! `fg`: sit at a process's terminal, as far as that can be done through its daemon.
//!
//! What it writes is shown, what is typed is sent to its stdin line by line.
//! One loop waits for keyboard, both logs and Ctrl-C.

use std::os::fd::AsFd;

use provost_wire::{FaultCode, Value};
use serde_json::json;

use super::{Verb, tail};
use crate::call::CallError;
use crate::http::LogStream;
use crate::interrupt::Woken;
use crate::keyboard::Typed;
use crate::manual::{Page, Takes};
use crate::results::int;
use crate::session::{Session, exit};
use crate::state::RUNNING;
use crate::targets;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "fg",
        Takes::Process,
        &[("fg <name>", "Show what a process writes and send it what you type, until Ctrl-C.")],
    )
    .about(
        "Both of its outputs are shown, and each line typed goes to its standard input. The process \
         must be RUNNING, and goes on when you leave.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let names = words.names();
    let complaint = match *names {
        [] => {
            session.misused(&VERB.page, "ERROR: no process name supplied", exit::GENERIC);
            return Ok(());
        }
        [name] => match targets::only_one(session, name)? {
            Ok(name) => match state(session, &name) {
                Ok(RUNNING) => return attach(session, &name),
                Ok(_) => "ERROR: process not running".to_owned(),
                Err(error) if error.kind() == Some(FaultCode::BadName) => {
                    "ERROR: bad process name supplied".to_owned()
                }
                Err(error @ CallError::Fault(_)) => format!("ERROR: {error}"),
                Err(error) => return Err(error),
            },
            Err(several) => format!("ERROR: {name} {several}"),
        },
        _ => "ERROR: too many process names supplied".to_owned(),
    };
    session.refuse(&complaint, exit::GENERIC);
    Ok(())
}

fn attach(session: &mut Session<'_>, name: &str) -> Result<(), CallError> {
    session.report.say("==> Press Ctrl-C to exit <==");
    session.catch_interrupt()?;
    match converse(session, name) {
        Ok(()) | Err(CallError::Interrupted) => {
            session.report.say("Exiting foreground");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Until the keyboard or the process ends; the last words are the caller's.
fn converse(session: &mut Session<'_>, name: &str) -> Result<(), CallError> {
    let mut logs = open_logs(session, name)?;
    loop {
        for (channel, log) in &mut logs {
            let object = |text: &str| json!({"name": name, "channel": channel, "text": text});
            // Who cannot be shown anything can still type.
            let news = if session.report.wants_letters() { log.take_letters() } else { log.take() };
            let _ = session.report.pass_on(&news, object);
        }
        logs.retain(|(_, log)| !log.has_ended());
        while let Some(typed) = session.keyboard.take() {
            match typed {
                Typed::Line(line) if is_heard(session, name, &line)? => {}
                Typed::Line(_) | Typed::End | Typed::Interrupted => return Ok(()),
            }
        }
        let descriptors: Vec<_> = std::iter::once(session.keyboard.as_fd())
            .chain(logs.iter().map(|(_, log)| log.as_fd()))
            .collect();
        let ready = match session.interrupt.wait(&descriptors).map_err(broken)? {
            Woken::Interrupted => return Err(CallError::Interrupted),
            Woken::Ready(ready) => ready,
        };
        drop(descriptors);
        if ready[0] {
            session.keyboard.fill().map_err(broken)?;
        }
        for ((_, log), _) in logs.iter_mut().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            log.fill().map_err(broken)?;
        }
    }
}

/// One of the two may be missing, a redirected stderr for one.
fn open_logs(session: &mut Session<'_>, name: &str) -> Result<Vec<(&'static str, LogStream)>, CallError> {
    let mut logs = Vec::new();
    for channel in ["stdout", "stderr"] {
        let path = tail::path(name, channel);
        match session.server.stream(&path) {
            Ok(log) => logs.push((channel, log)),
            Err(CallError::Interrupted) => return Err(CallError::Interrupted),
            Err(error) => tail::complain(session, &path, &error),
        }
    }
    Ok(logs)
}

/// Sends a line. False when the process is gone, which has been said.
fn is_heard(session: &mut Session<'_>, name: &str, line: &str) -> Result<bool, CallError> {
    match session.call("supervisor.sendProcessStdin", &[name.into(), Value::from(format!("{line}\n"))]) {
        Ok(_) if state(session, name)? == RUNNING => return Ok(true),
        Ok(_) => lost(session),
        Err(error) if error.kind() == Some(FaultCode::NotRunning) => lost(session),
        Err(error @ CallError::Fault(_)) => session.report.say(&format!("ERROR: {error}")),
        Err(error) => return Err(error),
    }
    Ok(false)
}

fn lost(session: &mut Session<'_>) {
    // Before anybody is told: what is typed from then on may be meant for the shell.
    session.keyboard.forget();
    session.report.say("Process got killed");
}

fn state(session: &mut Session<'_>, name: &str) -> Result<i64, CallError> {
    let info = session.call("supervisor.getProcessInfo", &[name.into()])?;
    int(&info, "state")
}

fn broken(error: std::io::Error) -> CallError {
    CallError::Other(format!("lost the foreground: {error}"))
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, process, refused};
    use provost_wire::{FaultCode::*, Value};

    fn in_state(state: i32, name: &str) -> Value {
        process("a", "a", state, name, "")
    }

    fn attached() -> Script {
        Script::default().up().answers("supervisor.getProcessInfo", in_state(20, "RUNNING"))
    }

    #[test]
    fn what_is_typed_is_sent_until_the_end_of_input() {
        attached()
            .streams("/logtail/a/stdout", "hello\n")
            .fails("/logtail/a/stderr", refused(404, "Not Found"))
            .answers("supervisor.sendProcessStdin", true.into())
            .answers("supervisor.getProcessInfo", in_state(20, "RUNNING"))
            .types("hi\n")
            .run("fg a")
            .says("==> Press Ctrl-C to exit <==\nhello\nExiting foreground\n")
            .complains("unix:///s/logtail/a/stderr Cannot read, status code 404\n")
            .exits(0)
            .asked("supervisor.sendProcessStdin", &["a".into(), "hi\n".into()]);
    }

    #[test]
    fn a_process_that_goes_is_told() {
        let gone = "==> Press Ctrl-C to exit <==\nProcess got killed\nExiting foreground\n";
        attached()
            .streams("/logtail/a/stdout", "")
            .streams("/logtail/a/stderr", "")
            .faults("supervisor.sendProcessStdin", NotRunning, None)
            .types("hi\nmore\n")
            .run("fg a")
            .says(gone)
            .exits(0);
        attached()
            .streams("/logtail/a/stdout", "")
            .streams("/logtail/a/stderr", "")
            .answers("supervisor.sendProcessStdin", true.into())
            .answers("supervisor.getProcessInfo", in_state(100, "EXITED"))
            .types("hi\nmore\n")
            .run("fg a")
            .says(gone)
            .exits(0);
    }

    #[test]
    fn refusals_have_their_lines() {
        Script::default().up().run("fg").says_first("ERROR: no process name supplied\nfg ").exits(1);
        Script::default().up().run("fg a b").says("ERROR: too many process names supplied\n").exits(1);
        Script::default()
            .up()
            .faults("supervisor.getProcessInfo", BadName, None)
            .run("fg a")
            .says("ERROR: bad process name supplied\n")
            .exits(1);
        Script::default()
            .up()
            .answers("supervisor.getProcessInfo", in_state(0, "STOPPED"))
            .run("fg a")
            .says("ERROR: process not running\n")
            .exits(1);
    }
}
