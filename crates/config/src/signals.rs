//! Signal names and numbers of Linux, both ways.
//!
//! The names are those of Python's `signal` module on Linux, because that is
//! what `stopsignal=` and `supervisorctl signal` have always accepted.

use crate::python;

/// Name and number. For a number with several names the last one is the name
/// that Supervisor shows.
const SIGNALS: &[(&str, i32)] = &[
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGILL", 4),
    ("SIGTRAP", 5),
    ("SIGIOT", 6),
    ("SIGABRT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGSTKFLT", 16),
    ("SIGCLD", 17),
    ("SIGCHLD", 17),
    ("SIGCONT", 18),
    ("SIGSTOP", 19),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGURG", 23),
    ("SIGXCPU", 24),
    ("SIGXFSZ", 25),
    ("SIGVTALRM", 26),
    ("SIGPROF", 27),
    ("SIGWINCH", 28),
    ("SIGIO", 29),
    ("SIGPOLL", 29),
    ("SIGPWR", 30),
    ("SIGSYS", 31),
    ("SIGRTMIN", 34),
    ("SIGRTMAX", 64),
];

/// Constants of Python's module that begin like a signal, and that Supervisor
/// therefore accepts as `stopsignal`.
const ODDITIES: &[(&str, i32)] =
    &[("SIG_DFL", 0), ("SIG_IGN", 1), ("SIG_BLOCK", 0), ("SIG_UNBLOCK", 1), ("SIG_SETMASK", 2)];

/// `SIGTERM`, or `signal 42` where there is no name.
pub fn signal_name(number: i32) -> String {
    let known = SIGNALS.iter().rev().find(|(_, value)| *value == number);
    known.map_or_else(|| format!("signal {number}"), |(name, _)| (*name).to_owned())
}

/// A name, with or without `SIG`, in any case, or a number that has a name.
pub fn signal_number(text: &str) -> Result<i32, String> {
    if let Some(number) = python::number(text, 10) {
        return i32::try_from(number)
            .ok()
            .filter(|number| all().any(|(_, value)| value == *number))
            .ok_or_else(|| format!("value {} is not a valid signal number", python::repr(text)));
    }
    let mut name = python::strip(text).to_uppercase();
    if !name.starts_with("SIG") {
        name.insert_str(0, "SIG");
    }
    all()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| number)
        .ok_or_else(|| format!("value {} is not a valid signal name", python::repr(text)))
}

fn all() -> impl Iterator<Item = (&'static str, i32)> {
    SIGNALS.iter().chain(ODDITIES).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (text, number, name) in [
            ("TERM", 15, "SIGTERM"),
            (" sigterm ", 15, "SIGTERM"),
            ("15", 15, "SIGTERM"),
            ("CLD", 17, "SIGCHLD"),
            ("IOT", 6, "SIGABRT"),
            ("IO", 29, "SIGPOLL"),
            ("RTMAX", 64, "SIGRTMAX"),
            ("_IGN", 1, "SIGHUP"),
            ("0", 0, "signal 0"),
        ] {
            assert_eq!(signal_number(text), Ok(number), "{text}");
            assert_eq!(signal_name(number), name);
        }
    }

    #[test]
    fn refusals() {
        for (text, expected) in [
            ("FOO", "value 'FOO' is not a valid signal name"),
            ("RTMIN+1", "value 'RTMIN+1' is not a valid signal name"),
            ("", "value '' is not a valid signal name"),
            ("99", "value '99' is not a valid signal number"),
            ("-1", "value '-1' is not a valid signal number"),
        ] {
            assert_eq!(signal_number(text).unwrap_err(), expected);
        }
    }
}
