//! `tail`: the last bytes of a process's log, or all that comes.
//!
//! Also here is following a log, which `maintail -f` does as well.

use std::os::fd::AsFd;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use provost_wire::{FaultCode, Value};
use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::interrupt::Woken;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::results::error_line;
use crate::session::{Session, exit};
use crate::targets;
use crate::words::Words;
use provost_config::python;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "tail",
        Takes::ProcessThen(&["stdout", "stderr"]),
        &[
            ("tail [-<bytes>|-f] <name> [stdout|stderr]", "Show the end of a log."),
            ("tail <name>", "Show the last 1600 bytes of a process's stdout."),
            ("tail -100 <name> stderr", "Show the last 100 bytes of its stderr; -0 shows everything."),
            ("tail -f <name>", "Show what it writes as it writes it, until Ctrl-C."),
        ],
    )
    .about(
        "What is shown is the log file, so there is none for a stream that goes elsewhere.\nFor \
         example: tail -f web stderr",
    ),
    run,
};

/// How much of a log to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// So many last bytes; 0 is everything.
    Last(i64),
    Follow,
}

impl Extent {
    pub(super) const DEFAULT: Extent = Extent::Last(1600);

    /// `-f` or `-100`.
    pub(super) fn read(modifier: &str) -> Option<Extent> {
        match modifier.strip_prefix('-')? {
            "f" => Some(Extent::Follow),
            number => python::integer(number).ok().map(Extent::Last),
        }
    }
}

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let mut words = words.names();
    if words.is_empty() {
        session.misused(&VERB.page, "Error: too few arguments", exit::GENERIC);
        return Ok(());
    }
    if words.len() > 3 {
        session.misused(&VERB.page, "Error: too many arguments", exit::GENERIC);
        return Ok(());
    }
    let modifier = words[0].starts_with('-').then(|| words.remove(0));
    let request = match request(modifier, &words) {
        Ok((extent, name, channel)) => match targets::only_one(session, name)? {
            Ok(name) => Ok((extent, name, channel)),
            Err(several) => Err(format!("Error: {name} {several}")),
        },
        Err(complaint) => Err(complaint),
    };
    match request {
        Ok((Extent::Follow, name, channel)) => follow(session, &path(&name, channel), &name, channel),
        Ok((Extent::Last(bytes), name, channel)) => {
            let method = match channel {
                "stderr" => "supervisor.readProcessStderrLog",
                _ => "supervisor.readProcessStdoutLog",
            };
            show(session, &name, method, &[name.as_str().into(), bytes.saturating_neg().into(), 0.into()])
        }
        Err(complaint) => {
            session.refuse(&complaint, exit::GENERIC);
            Ok(())
        }
    }
}

/// Where a process's log is streamed from.
pub(super) fn path(name: &str, channel: &str) -> String {
    format!("/logtail/{}/{channel}", utf8_percent_encode(name, UNSAFE))
}

/// What may stand in a path as it is; a namespec mostly needs nothing else.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b':')
    .remove(b'*')
    .remove(b'@');

/// Extent, name and channel.
fn request<'a>(modifier: Option<&str>, words: &[&'a str]) -> Result<(Extent, &'a str, &'static str), String> {
    let (name, channel) = match *words {
        [] => return Err("Error: tail requires process name".to_owned()),
        [name] => (name, "stdout"),
        [name, .., channel] => match channel.to_lowercase().as_str() {
            "stdout" => (name, "stdout"),
            "stderr" => (name, "stderr"),
            other => return Err(format!("Error: bad channel {}", python::repr(other))),
        },
    };
    let extent = match modifier {
        None => Extent::DEFAULT,
        Some(modifier) => Extent::read(modifier).ok_or_else(|| format!("Error: bad argument {modifier}"))?,
    };
    Ok((extent, name, channel))
}

/// Reads the end of a log once.
pub(super) fn show(
    session: &mut Session<'_>,
    name: &str,
    method: &str,
    params: &[Value],
) -> Result<(), CallError> {
    let reason = match session.call(method, params) {
        Ok(text) => {
            let text = text.as_str().unwrap_or_default();
            session.report.tell_log(text, || json!({"name": name, "text": text}));
            return Ok(());
        }
        Err(error) => match error.kind() {
            Some(FaultCode::NoFile) => "no log file",
            Some(FaultCode::Failed) => "unknown error reading log",
            Some(FaultCode::BadName) => "no such process name",
            _ => return Err(error),
        },
    };
    session.fail(&error_line(name, reason), &Problem::of(name, reason), exit::GENERIC);
    Ok(())
}

/// Copies a log as it grows, until Ctrl-C, or until either side goes away.
pub(super) fn follow(
    session: &mut Session<'_>,
    path: &str,
    name: &str,
    channel: &str,
) -> Result<(), CallError> {
    session.report.say("==> Press Ctrl-C to exit <==");
    let _ = session.report.flush();
    match session.catch_interrupt().and_then(|()| copy(session, path, name, channel)) {
        Err(CallError::Interrupted) => {
            session.report.say("");
            Ok(())
        }
        Err(error) => {
            complain(session, path, &error);
            session.status = exit::GENERIC;
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Why a stream cannot be had, on stderr as all that is not log.
pub(super) fn complain(session: &mut Session<'_>, path: &str, error: &CallError) {
    let reason = match error {
        CallError::Status { code, .. } => format!("Cannot read, status code {code}"),
        CallError::Connection { error, .. } => format!("Cannot connect, error: {error}"),
        other => other.to_string(),
    };
    // Names as they were typed.
    let path = percent_decode_str(path).decode_utf8_lossy();
    let line = format!("{}{path} {reason}", session.server.url());
    session.report.complain_aside(&line, &Problem::new(line.as_str()));
}

fn copy(session: &mut Session<'_>, path: &str, name: &str, channel: &str) -> Result<(), CallError> {
    let mut stream = session.server.stream(path)?;
    loop {
        // Some may have come along with the head.
        let news = if session.report.wants_letters() { stream.take_letters() } else { stream.take() };
        let object = |text: &str| json!({"name": name, "channel": channel, "text": text});
        let written = session.report.pass_on(&news, object);
        if written.is_err() || stream.has_ended() {
            return Ok(());
        }
        let broken = |error| CallError::Connection { url: String::new(), error };
        match session.interrupt.wait(&[stream.as_fd()]).map_err(broken)? {
            Woken::Interrupted => return Err(CallError::Interrupted),
            Woken::Ready(_) => stream.fill().map_err(broken)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, refused};
    use provost_wire::FaultCode::*;

    #[test]
    fn the_last_1600_bytes_of_stdout_unless_said_otherwise() {
        for (line, method, offset) in [
            ("tail a:b", "supervisor.readProcessStdoutLog", -1600),
            ("tail -100 a:b", "supervisor.readProcessStdoutLog", -100),
            ("tail -0 a:b stdout", "supervisor.readProcessStdoutLog", 0),
            ("tail a:b STDERR", "supervisor.readProcessStderrLog", -1600),
        ] {
            Script::default()
                .up()
                .answers(method, "some\nlog".into())
                .run(line)
                .says("some\nlog\n")
                .exits(0)
                .asked(method, &["a:b".into(), offset.into(), 0.into()]);
        }
    }

    #[test]
    fn refusals_have_their_lines() {
        for (fault, line) in [
            (NoFile, "a: ERROR (no log file)\n"),
            (Failed, "a: ERROR (unknown error reading log)\n"),
            (BadName, "a: ERROR (no such process name)\n"),
        ] {
            Script::default()
                .up()
                .faults("supervisor.readProcessStdoutLog", fault, None)
                .run("tail a")
                .says(line)
                .exits(1);
        }
    }

    #[test]
    fn bad_usage_is_told() {
        for (line, complaint) in [
            ("tail -f", "Error: tail requires process name\n"),
            ("tail a foo", "Error: bad channel 'foo'\n"),
            ("tail a b c", "Error: bad channel 'c'\n"),
            ("tail -x a", "Error: bad argument -x\n"),
            ("tail - a", "Error: bad argument -\n"),
        ] {
            Script::default().up().run(line).says(complaint).exits(1);
        }
        Script::default().up().run("tail").says_first("Error: too few arguments\ntail ").exits(1);
        Script::default().up().run("tail a b c d").says_first("Error: too many arguments\ntail ").exits(1);
    }

    #[test]
    fn following_copies_what_comes_until_the_daemon_goes() {
        Script::default()
            .up()
            .streams("/logtail/g:a%2Fb/stderr", "one\ntwo")
            .run("tail -f g:a/b stderr")
            .says("==> Press Ctrl-C to exit <==\none\ntwo")
            .exits(0);
    }

    #[test]
    fn ctrl_c_ends_following_with_a_new_line() {
        Script::default()
            .up()
            .interrupted()
            .streams("/logtail/a/stdout", "")
            .run("tail -f a")
            .says("==> Press Ctrl-C to exit <==\n\n")
            .exits(0);
    }

    /// Supervisor exits 0 here.
    #[test]
    fn a_log_that_cannot_be_followed_is_a_failure() {
        Script::default()
            .up()
            .fails("/logtail/a/stdout", refused(404, "Not Found"))
            .run("tail -f a")
            .says("==> Press Ctrl-C to exit <==\n")
            .complains("unix:///s/logtail/a/stdout Cannot read, status code 404\n")
            .exits(1);
    }
}
