//! Processes and configurations in the shape that clients know (SPEC 6.4, INFO and CONFIG structs).

use std::borrow::Cow;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use provost_core::{Channel, Configured, LogFile, ProcessInfo, State, Wall};
use provost_wire::{Members, Value, xmlrpc};

use super::int;
use crate::pools::Troubles;

/// A rough guess at how many bytes an INFO struct takes.
const INFO_BYTES: usize = 1280;

/// The INFO struct.
pub(crate) fn info(p: &ProcessInfo, troubles: &Troubles) -> Value {
    let mut members = Vec::with_capacity(14);
    tell(p, &TimeZone::system(), troubles, &mut members);
    Value::Struct(members)
}

/// A response with the INFO structs of many.
pub(crate) fn infos(all: &[ProcessInfo], troubles: &Troubles) -> Vec<u8> {
    // Looked up once: that takes longer than all the rest of a struct.
    let zone = TimeZone::system();
    xmlrpc::write_structs(all, INFO_BYTES, |p, to| tell(p, &zone, troubles, to))
}

/// The members of INFO, in Supervisor's order.
fn tell(p: &ProcessInfo, zone: &TimeZone, troubles: &Troubles, to: &mut dyn Members) {
    let (stdout, stderr) = (shown(p.stdout_logfile.as_deref()), shown(p.stderr_logfile.as_deref()));
    to.text("name", &p.name);
    to.text("group", &p.group);
    to.int("start", seconds(p.start));
    to.int("stop", seconds(p.stop));
    to.int("now", p.now.seconds());
    to.int("state", p.state.code().into());
    to.text("statename", p.state.name());
    to.text("spawnerr", p.spawnerr.as_deref().unwrap_or_default());
    to.int("exitstatus", p.exit.map_or(0, |status| status.number()).into());
    to.text("logfile", &stdout);
    to.text("stdout_logfile", &stdout);
    to.text("stderr_logfile", &stderr);
    to.int("pid", p.pid.unwrap_or(0).into());
    to.text("description", &description(p, zone, troubles));
}

/// The CONFIG struct, members in Supervisor's order.
pub(crate) fn config(c: &Configured) -> Value {
    let p = &*c.config;
    let log = |channel: &Channel, made: Option<&Path>| match (&channel.logfile, made) {
        (_, Some(path)) => Value::Str(path.to_string_lossy().into_owned()),
        (LogFile::Auto, None) => "auto".into(),
        (LogFile::None, None) => "none".into(),
        (LogFile::Path(path), None) => Value::Str(path.to_string_lossy().into_owned()),
    };
    let made = |which: fn(&provost_core::LogPaths) -> Option<&Path>| c.logs.as_ref().and_then(which);
    let size = |bytes: u64| int(i64::try_from(bytes).unwrap_or(i64::MAX));
    let text = |text: Option<String>| Value::Str(text.unwrap_or_else(|| "none".into()));
    Value::members([
        ("autostart", p.autostart.into()),
        ("directory", text(p.directory.as_ref().map(|d| d.to_string_lossy().into_owned()))),
        ("uid", p.user.as_ref().map_or("none".into(), |user| int(user.uid.into()))),
        ("command", p.command.as_str().into()),
        ("exitcodes", Value::Array(p.exitcodes.iter().map(|code| int((*code).into())).collect())),
        ("group", (&*c.group).into()),
        ("group_prio", int(c.group_priority)),
        ("inuse", c.in_use.into()),
        ("killasgroup", p.killasgroup.into()),
        ("name", p.name.as_str().into()),
        ("process_prio", int(p.priority)),
        ("redirect_stderr", p.redirect_stderr.into()),
        ("startretries", int(p.startretries.number())),
        ("startsecs", int(p.startsecs)),
        ("stdout_capture_maxbytes", size(p.stdout.capture_maxbytes)),
        ("stdout_events_enabled", p.stdout.events_enabled.into()),
        ("stdout_logfile", log(&p.stdout, made(|l| l.stdout.as_deref()))),
        ("stdout_logfile_backups", int(p.stdout.backups.into())),
        ("stdout_logfile_maxbytes", size(p.stdout.maxbytes)),
        ("stdout_syslog", p.stdout.syslog.into()),
        ("stopsignal", p.stopsignal.into()),
        ("stopwaitsecs", int(p.stopwaitsecs)),
        ("stderr_capture_maxbytes", size(p.stderr.capture_maxbytes)),
        ("stderr_events_enabled", p.stderr.events_enabled.into()),
        ("stderr_logfile", log(&p.stderr, made(|l| l.stderr.as_deref()))),
        ("stderr_logfile_backups", int(p.stderr.backups.into())),
        ("stderr_logfile_maxbytes", size(p.stderr.maxbytes)),
        ("stderr_syslog", p.stderr.syslog.into()),
        ("serverurl", text(p.serverurl.clone())),
    ])
}

fn seconds(at: Option<Wall>) -> i64 {
    at.map_or(0, Wall::seconds)
}

fn shown(path: Option<&Path>) -> Cow<'_, str> {
    path.map_or(Cow::Borrowed(""), Path::to_string_lossy)
}

/// The last column of `supervisorctl status`.
pub(crate) fn description(p: &ProcessInfo, zone: &TimeZone, troubles: &Troubles) -> String {
    match p.state {
        State::Running => {
            // Behind everything that scripts cut out of it.
            let trouble = troubles.of(p).unwrap_or_default();
            format!("pid {}, uptime {}{trouble}", p.pid.unwrap_or(0), uptime(seconds_up(p)))
        }
        State::Fatal | State::Backoff => {
            p.spawnerr.clone().unwrap_or_else(|| format!("unknown error (try \"tail {}\")", p.name))
        }
        State::Stopped | State::Exited => match (p.start, p.stop) {
            (None, _) => "Not started".into(),
            (Some(_), stop) => moment(seconds(stop), zone),
        },
        State::Starting | State::Stopping | State::Unknown => String::new(),
    }
}

/// How long it has been running.
pub(crate) fn seconds_up(p: &ProcessInfo) -> i64 {
    (p.now.seconds() - seconds(p.start)).max(0)
}

/// As Python prints a timedelta: `0:03:12`, `1 day, 3:04:05`.
fn uptime(seconds: i64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        n => format!("{n} days, {clock}"),
    }
}

/// Local time as `Nov 22 10:46 AM`, English whatever the locale.
fn moment(seconds: i64, zone: &TimeZone) -> String {
    match Timestamp::from_second(seconds) {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%b %d %I:%M %p").to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pools::Pools;
    use crate::pools::tests::pool;
    use std::sync::Arc;

    fn process(state: State) -> ProcessInfo {
        ProcessInfo {
            name: "cat".into(),
            group: "cat".into(),
            state,
            pid: Some(29580),
            start: Some(Wall(1_795_344_000_000)),
            stop: None,
            now: Wall(1_795_344_011_999),
            spawnerr: None,
            exit: None,
            restarts: 0,
            stdout_logfile: None,
            stderr_logfile: None,
        }
    }

    #[test]
    fn each_state_is_described_in_supervisors_words() {
        let describe = |p: &ProcessInfo| description(p, &TimeZone::UTC, &Troubles::default());
        assert_eq!(describe(&process(State::Running)), "pid 29580, uptime 0:00:11");
        assert_eq!(describe(&process(State::Fatal)), "unknown error (try \"tail cat\")");
        assert_eq!(describe(&process(State::Starting)), "");
        let stopped = ProcessInfo { stop: Some(Wall(1_795_344_360_000)), ..process(State::Stopped) };
        assert_eq!(describe(&stopped), "Nov 22 10:46 AM");
        let fresh = ProcessInfo { start: None, ..process(State::Stopped) };
        assert_eq!(describe(&fresh), "Not started");
        let failed =
            ProcessInfo { spawnerr: Some("can't find command 'x'".into()), ..process(State::Backoff) };
        assert_eq!(describe(&failed), "can't find command 'x'");
    }

    #[test]
    fn what_is_amiss_with_a_listener_stands_behind_its_uptime_in_all_answers() {
        let mut late = pool("cat");
        (late.waiting, late.oldest_ms) = (12, Some(60_000));
        let pools: Pools = Arc::new(move || vec![late.clone()]);
        let (p, troubles) = (process(State::Running), Troubles::now(&pools));
        let text = "pid 29580, uptime 0:00:11, 12 events behind";
        assert_eq!(info(&p, &troubles).get("description"), Some(&text.into()));
        let several = String::from_utf8(infos(&[p], &troubles)).unwrap();
        assert!(several.contains(&format!("<string>{text}</string>")), "{several}");
        assert_eq!(description(&process(State::Starting), &TimeZone::UTC, &troubles), "");
    }

    #[test]
    fn uptimes_are_printed_as_python_prints_them() {
        assert_eq!(uptime(0), "0:00:00");
        assert_eq!(uptime(11_045), "3:04:05");
        assert_eq!(uptime(86_400 + 11_045), "1 day, 3:04:05");
        assert_eq!(uptime(2 * 86_400 + 1), "2 days, 0:00:01");
    }
}
