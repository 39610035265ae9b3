//! What has happened to a process, in a shape for clients: `provost.getProcessHistory`.
//!
//! In: what the core tells. Out: one struct of plain XML-RPC types, times in seconds since 1970, an empty text or 0 where there is
//! nothing to say. Members are added, never changed. It holds what the right to look at processes gives; what programs
//! wrote in their logs is another right's.

use provost_core::{
    AutoRestart, Clue, ExitStatus, History, Life, ProcessHistory, ProcessInfo, ProgramType, Refused, Sent,
    State, Then, Wall, Wish, signal_name,
};
use provost_wire::Value;

use super::int;

pub(super) fn told(told: &ProcessHistory) -> Value {
    let ProcessHistory { info, history, config, is_configured, due } = told;
    let autorestart = match config.autorestart {
        AutoRestart::Always => "true",
        AutoRestart::Unexpected => "unexpected",
        AutoRestart::Never => "false",
    };
    let path = |path: &Option<std::sync::Arc<std::path::Path>>| {
        Value::Str(path.as_ref().map_or_else(String::new, |path| path.to_string_lossy().into_owned()))
    };
    let lives = history.lives.iter().rev().map(life).collect();
    Value::members([
        ("name", (&*info.name).into()),
        ("group", (&*info.group).into()),
        ("state", info.state.code().into()),
        ("statename", info.state.name().into()),
        ("pid", info.pid.unwrap_or(0).into()),
        ("now", seconds(info.now)),
        ("since", since(info, history).map_or(0.into(), seconds)),
        ("due", due.map_or(Value::Int(-1), |wait| int(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX)))),
        ("spawnerr", info.spawnerr.as_deref().unwrap_or_default().into()),
        ("started_by", wish(history.starter.as_ref())),
        ("stopped_by", wish(history.stopper.as_ref())),
        ("refused", history.refused.as_ref().map_or_else(nothing, refused)),
        ("attempts", int(history.attempts.into())),
        ("restarts", int(history.restarts.into())),
        ("counted_since", history.since.map_or(0.into(), seconds)),
        ("autostart", config.autostart.into()),
        ("autorestart", autorestart.into()),
        ("exitcodes", Value::Array(config.exitcodes.iter().map(|code| int((*code).into())).collect())),
        ("startsecs", int(config.startsecs)),
        ("startretries", int(config.startretries.number())),
        ("stopsignal", signal_name(config.stopsignal).into()),
        ("stopwaitsecs", int(config.stopwaitsecs)),
        ("oneshot", (config.program_type == ProgramType::Oneshot).into()),
        ("configured", (*is_configured).into()),
        ("redirect_stderr", config.redirect_stderr.into()),
        ("stdout_logfile", path(&info.stdout_logfile)),
        ("stderr_logfile", path(&info.stderr_logfile)),
        ("lives", Value::Array(lives)),
    ])
}

/// Since when it has been what it is.
fn since(info: &ProcessInfo, history: &History) -> Option<Wall> {
    let stopper = history.stopper.as_ref().map(|wish| wish.at);
    match info.state {
        State::Starting | State::Running => info.start,
        State::Stopping => stopper,
        // The end of the last life, or of an attempt that never was one; or somebody has called off another attempt.
        State::Stopped | State::Backoff | State::Exited | State::Fatal => {
            let last = history.lives.last().map(|life| life.ended);
            last.or(info.stop).map(|ended| {
                if info.state == State::Stopped { stopper.map_or(ended, |at| at.max(ended)) } else { ended }
            })
        }
        State::Unknown => None,
    }
}

fn life(life: &Life) -> Value {
    let Life { pid, started, ended, status, expected, too_quick, failure, clue, stopped, killed, sent, then } =
        life;
    let (kind, code, signal, core_dumped) = match status {
        None => ("unborn", -1, 0, false),
        Some(ExitStatus::Code(code)) => ("exit", *code, 0, false),
        Some(ExitStatus::Signal { number, core_dumped }) => ("signal", -1, *number, *core_dumped),
        Some(ExitStatus::Unknown) => ("unknown", -1, 0, false),
    };
    let never_ran = match clue {
        Some(Clue::NeverRan(reason)) => Some(reason),
        Some(Clue::OutOfMemory | Clue::PerhapsOutOfMemory) | None => None,
    };
    let out_of_memory = match clue {
        Some(Clue::OutOfMemory) => "likely",
        Some(Clue::PerhapsOutOfMemory) => "perhaps",
        Some(Clue::NeverRan(_)) | None => "",
    };
    let (then, attempts) = match then {
        Then::Nothing => ("", 0),
        Then::Restart => ("restart", 0),
        Then::Retry => ("retry", 0),
        Then::GivenUp(attempts) => ("given up", *attempts),
        Then::TooManyRestarts => ("too many restarts", 0),
    };
    Value::members([
        ("pid", pid.unwrap_or(0).into()),
        ("start", seconds(*started)),
        ("stop", seconds(*ended)),
        // The clocks of people have seconds; lives can be shorter.
        ("milliseconds", int(ended.0.saturating_sub(started.0).max(0))),
        ("end", kind.into()),
        ("exitstatus", code.into()),
        ("signal", signal.into()),
        ("signalname", if signal == 0 { String::new() } else { signal_name(signal) }.into()),
        ("core_dumped", core_dumped.into()),
        ("expected", (*expected).into()),
        ("too_quick", (*too_quick).into()),
        ("failure", failure.as_ref().or(never_ran).map_or("", |text| &**text).into()),
        ("out_of_memory", out_of_memory.into()),
        ("stopped_by", wish(stopped.as_ref())),
        ("killed", (*killed).into()),
        ("sent", sent.as_ref().map_or_else(nothing, of_sent)),
        ("then", then.into()),
        ("attempts", int(attempts.into())),
    ])
}

fn of_sent(Sent { signal, wish: by }: &Sent) -> Value {
    Value::members([
        ("signal", (*signal).into()),
        ("signalname", signal_name(*signal).into()),
        ("by", wish(Some(by))),
    ])
}

fn refused(Refused { why, wish: by }: &Refused) -> Value {
    Value::members([("failure", (&**why).into()), ("by", wish(Some(by)))])
}

/// An empty struct where nobody wished anything. Where everything stops, it is the supervisor's own.
fn wish(wish: Option<&Wish>) -> Value {
    let Some(Wish { by, at }) = wish else { return nothing() };
    let Some(by) = by else {
        return Value::members([("who", "supervisor".into()), ("at", seconds(*at))]);
    };
    Value::members([
        ("who", "client".into()),
        ("user", by.user.as_deref().unwrap_or_default().into()),
        ("from", by.from.as_str().into()),
        ("door", by.door.as_str().into()),
        ("at", seconds(*at)),
    ])
}

fn nothing() -> Value {
    Value::Struct(Vec::new())
}

fn seconds(at: Wall) -> Value {
    int(at.seconds())
}
