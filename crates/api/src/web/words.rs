//! How things are said on the page: states, what a process does, how it ended, when.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use provost_core::{ExitStatus, ProcessInfo, State};

/// `NAME`, or `GROUP:NAME` where the group is called otherwise.
pub(super) fn namespec(group: &str, name: &str) -> String {
    if group == name { name.to_owned() } else { format!("{group}:{name}") }
}

/// The class that Supervisor's page gives a state.
pub(super) fn state_class(state: State) -> &'static str {
    match state {
        State::Running => "statusrunning",
        State::Fatal | State::Backoff => "statuserror",
        State::Stopped | State::Starting | State::Stopping | State::Exited | State::Unknown => {
            "statusnominal"
        }
    }
}

pub(super) fn state_name(state: State) -> String {
    state.name().to_lowercase()
}

/// How it ended, and how often it came back: what Supervisor's description does not say.
pub(super) fn history(p: &ProcessInfo) -> Option<String> {
    let restarts = match p.restarts {
        0 => None,
        1 => Some("restarted once".to_owned()),
        n => Some(format!("restarted {n} times")),
    };
    let end = p.exit.map(|exit| Ended(exit).to_string());
    let said: Vec<String> = [end, restarts].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The end of a process.
struct Ended(ExitStatus);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ExitStatus::Code(code) => write!(f, "ended with exit code {code}"),
            ExitStatus::Signal { number, core_dumped } => {
                match signal_name(number) {
                    Some(name) => write!(f, "ended by signal {number} ({name})")?,
                    None => write!(f, "ended by signal {number}")?,
                }
                if core_dumped { f.write_str(" with a core dump") } else { Ok(()) }
            }
            ExitStatus::Unknown => f.write_str("ended, and nobody saw how"),
        }
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    // Numbers are the kernel's, the same on the machines that we are built for.
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

/// As C writes a time: `Sun Nov 22 10:56:44 2026`.
pub(super) fn ctime(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %b %e %H:%M:%S %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_core::Wall;

    fn process(exit: Option<ExitStatus>, restarts: u32) -> ProcessInfo {
        ProcessInfo {
            name: "a".into(),
            group: "a".into(),
            state: State::Exited,
            pid: None,
            start: Some(Wall(0)),
            stop: Some(Wall(0)),
            now: Wall(0),
            spawnerr: None,
            exit,
            restarts,
            stdout_logfile: None,
            stderr_logfile: None,
        }
    }

    #[test]
    fn ends_and_restarts_are_told_in_words() {
        let said = |exit, restarts| history(&process(exit, restarts));
        let signal = |number, core_dumped| Some(ExitStatus::Signal { number, core_dumped });
        assert_eq!(said(None, 0), None);
        assert_eq!(said(Some(ExitStatus::Code(3)), 0).unwrap(), "ended with exit code 3");
        assert_eq!(said(signal(9, false), 1).unwrap(), "ended by signal 9 (SIGKILL), restarted once");
        assert_eq!(
            said(signal(11, true), 7).unwrap(),
            "ended by signal 11 (SIGSEGV) with a core dump, restarted 7 times"
        );
        assert_eq!(said(signal(64, false), 0).unwrap(), "ended by signal 64");
        assert_eq!(said(Some(ExitStatus::Unknown), 0).unwrap(), "ended, and nobody saw how");
    }

    #[test]
    fn times_are_written_as_c_writes_them() {
        let at = Timestamp::from_second(1_795_344_404).unwrap();
        assert_eq!(ctime(at, &TimeZone::UTC), "Sun Nov 22 10:46:44 2026");
        let early = Timestamp::from_second(1_793_500_000).unwrap();
        assert!(ctime(early, &TimeZone::UTC).contains("Nov  1 "), "{}", ctime(early, &TimeZone::UTC));
    }
}
