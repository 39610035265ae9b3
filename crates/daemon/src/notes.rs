//! The lines of the main log that users and their scripts look for (SPEC 4.1): one arm per note, words frozen.

use provost_config::{LogLevel, signal_name};
use provost_core::{ExitStatus, Note, Reason, SignalEffect};

/// A note as a level and a line.
pub(crate) fn line(note: &Note) -> (LogLevel, String) {
    use LogLevel::{Critical, Debug, Info, Warn};
    match note {
        Note::Spawned { name, pid } => (Info, format!("spawned: '{name}' with pid {pid}")),
        // One line, whatever is in it: nobody writes what looks like lines of ours.
        Note::Message { level, text } => (*level, text.replace('\n', r"\n").replace('\r', r"\r")),
        Note::SpawnError { text } => (Info, format!("spawnerr: {text}")),
        Note::Success { name, startsecs } => (
            Info,
            format!(
                "success: {name} entered RUNNING state, process has stayed up for > than {startsecs} seconds (startsecs)"
            ),
        ),
        Note::GaveUp { name } => {
            (Info, format!("gave up: {name} entered FATAL state, too many start retries too quickly"))
        }
        Note::RestartedTooOften { name, restarts, within } => {
            let limit = format!("startlimit={restarts}/{}", within.as_secs_f64());
            (Warn, format!("gave up: {name} entered FATAL state, restarted too often ({limit})"))
        }
        Note::Leaving { name, reason, status } => {
            let why = match reason {
                Reason::Essential => format!("{name} is essential and has ended"),
                Reason::Fatal => format!("{name} is in FATAL state (exit_on=fatal)"),
                Reason::Exited => format!("{name} has ended (exit_on=exited)"),
                Reason::AllExited => format!("all programs have ended, {name} decides (exit_on=all_exited)"),
            };
            (Warn, format!("{why}: stopping everything to exit with status {status}"))
        }
        Note::Exited { name, status, expected: true } => {
            (Info, format!("exited: {name} ({}; expected)", ended(*status)))
        }
        Note::Exited { name, status, expected: false } => {
            (Warn, format!("exited: {name} ({}; not expected)", ended(*status)))
        }
        Note::Stopped { name, status, expected } => {
            (if *expected { Info } else { Warn }, format!("stopped: {name} ({})", ended(*status)))
        }
        Note::StopFromBackoff { name } => {
            (Debug, format!("Attempted to kill {name}, which is in BACKOFF state."))
        }
        Note::Stopping { name, pid, signal, group } => {
            let whom = if *group { "process group " } else { "" };
            (Debug, format!("killing {name} (pid {pid}) {whom}with signal {}", signal_name(*signal)))
        }
        Note::Killing { name, pid } => (Warn, format!("killing '{name}' ({pid}) with SIGKILL")),
        Note::Signalling { name, pid, signal } => {
            (Debug, format!("sending {name} (pid {pid}) sig {}", signal_name(*signal)))
        }
        Note::KillFailed { name, pid, reason } => {
            (Critical, format!("unknown problem killing {name} ({pid}): {reason}"))
        }
        Note::WaitingToStop { name } => (Info, format!("waiting for {name} to stop")),
        Note::WaitingToDie { names } => {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            (Info, format!("waiting for {} to die", names.join(", ")))
        }
        Note::SignalReceived { signal, effect } => received(*signal, *effect),
        Note::Orphan { pid, status } => (Info, format!("reaped unknown pid {pid} ({})", ended(*status))),
        Note::RestartRefused { reason } => {
            (Critical, format!("not restarting, the configuration would not start: {reason}"))
        }
        Note::Adopted { name, pid } => (Info, format!("adopted: '{name}' with pid {pid}")),
        Note::NotAdopted { group, process, pid } => {
            (Warn, format!("pid {pid} runs as {group}:{process}, which is not configured; it is left alone"))
        }
    }
}

fn received(signal: i32, effect: SignalEffect) -> (LogLevel, String) {
    let name = signal_name(signal);
    match effect {
        SignalEffect::Exit => (LogLevel::Warn, format!("received {name} indicating exit request")),
        SignalEffect::Restart => (LogLevel::Warn, format!("received {name} indicating restart request")),
        SignalEffect::RestartIgnored => {
            (LogLevel::Warn, format!("ignored {name} indicating restart request (shutdown in progress)"))
        }
        SignalEffect::ReopenLogs => {
            (LogLevel::Info, format!("received {name} indicating log reopen request"))
        }
    }
}

fn ended(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exit status {code}"),
        ExitStatus::Signal { number, core_dumped } => {
            let core = if core_dumped { " (core dumped)" } else { "" };
            format!("terminated by {}{core}", signal_name(number))
        }
        ExitStatus::Unknown => "unknown status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_scripts_look_for() {
        let status = ExitStatus::Signal { number: 11, core_dumped: true };
        let lines = [
            (
                Note::Exited { name: "x".into(), status, expected: false },
                LogLevel::Warn,
                "exited: x (terminated by SIGSEGV (core dumped); not expected)",
            ),
            (
                Note::Stopped { name: "x".into(), status: ExitStatus::Code(0), expected: true },
                LogLevel::Info,
                "stopped: x (exit status 0)",
            ),
            (
                Note::Success { name: "x".into(), startsecs: 1 },
                LogLevel::Info,
                "success: x entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
            ),
            (
                Note::WaitingToDie { names: vec!["a".into(), "b".into()] },
                LogLevel::Info,
                "waiting for a, b to die",
            ),
            (
                Note::RestartedTooOften {
                    name: "x".into(),
                    restarts: 5,
                    within: std::time::Duration::from_millis(2500),
                },
                LogLevel::Warn,
                "gave up: x entered FATAL state, restarted too often (startlimit=5/2.5)",
            ),
            (
                Note::Leaving { name: "x".into(), reason: Reason::Essential, status: 3 },
                LogLevel::Warn,
                "x is essential and has ended: stopping everything to exit with status 3",
            ),
            (
                Note::SignalReceived { signal: 15, effect: SignalEffect::Exit },
                LogLevel::Warn,
                "received SIGTERM indicating exit request",
            ),
        ];
        for (note, level, text) in lines {
            assert_eq!(line(&note), (level, text.to_owned()));
        }
    }
}
