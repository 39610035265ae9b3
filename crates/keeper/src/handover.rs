//! How a program that has just been executed learns that this is no fresh start: a keeper in a new binary, or the brain of
//! one, is told by an environment variable which descriptor to go on with, and for which process that is meant.
//!
//! The variable is removed at once: neither a configuration nor a program ever sees it.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use crate::sys;

const VARIABLE: &str = "PROVOST_HANDOVER";

/// What this process is to be.
#[derive(Debug)]
pub(crate) enum Role {
    Fresh,
    /// The brain of a keeper of another build, at this socket.
    Brain(OwnedFd),
    /// The keeper that we were before, with its state in this memfd.
    Keeper(OwnedFd),
}

/// Must be called before any thread exists.
pub(crate) fn role() -> Role {
    let value = std::env::var(VARIABLE);
    sys::remove_variable(VARIABLE);
    let Some((role, fd)) = value.ok().and_then(|value| read(&value, std::process::id())) else {
        return Role::Fresh;
    };
    match (role, sys::inherited(fd)) {
        (Who::Brain, Some(fd)) => Role::Brain(fd),
        (Who::Keeper, Some(fd)) => Role::Keeper(fd),
        (_, None) => Role::Fresh,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Brain,
    Keeper,
}

/// The entry for the environment of what process `pid` will execute.
pub(crate) fn variable(who: Who, pid: u32, fd: &OwnedFd) -> CString {
    let word = match who {
        Who::Brain => "brain",
        Who::Keeper => "keeper",
    };
    CString::new(format!("{VARIABLE}={word}:{pid}:{}", fd.as_raw_fd()))
        .expect("words and numbers hold no NUL")
}

/// Somebody else's variable, or one that a program has inherited by accident, is none.
fn read(value: &str, pid: u32) -> Option<(Who, RawFd)> {
    let mut parts = value.split(':');
    let who = match parts.next()? {
        "brain" => Who::Brain,
        "keeper" => Who::Keeper,
        _ => return None,
    };
    let meant: u32 = parts.next()?.parse().ok()?;
    let fd: RawFd = parts.next()?.parse().ok()?;
    (meant == pid && fd > 2 && parts.next().is_none()).then_some((who, fd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_the_process_that_it_is_meant_for() {
        let fd = sys::filler().unwrap();
        let entry = variable(Who::Keeper, 41, &fd).into_string().unwrap();
        let value = entry.strip_prefix("PROVOST_HANDOVER=").unwrap();
        assert_eq!(read(value, 41), Some((Who::Keeper, fd.as_raw_fd())));
        assert_eq!(read(value, 42), None);
    }

    #[test]
    fn nonsense_is_no_role() {
        for value in
            ["", "brain", "brain:41", "brain:41:x", "heart:41:7", "brain:41:7:8", "brain:41:2", "brain:41:-1"]
        {
            assert_eq!(read(value, 41), None, "{value}");
        }
    }
}
