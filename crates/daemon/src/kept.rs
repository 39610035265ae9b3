//! Bytes that the keeper holds for the next brain: which layouts of them this build understands, and what is wrong with
//! those that it does not.
//!
//! In and out: descriptors and bytes. What begins with a line that names its kind and version is read by whoever knows that
//! version; within one version anything may be added that an older reader skips. The next brain may be of another build, so
//! nothing is guessed: what cannot be understood is refused, with the reason. What the bytes mean is the affair of
//! `memory.rs`, `effective.rs`, `logs/auto.rs` and the configuration's `record.rs`.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use provost_config::Recording;
use provost_keeper::{Link, LinkError, ToKeeper};
use rustix::fs::{MemfdFlags, memfd_create};

/// Which versions a build reads; it writes the newest of them.
pub(crate) type Understood = RangeInclusive<u32>;

/// The versions of everything that is kept. Whoever plays a build of another time brings others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) memory: Understood,
    pub(crate) groups: Understood,
    pub(crate) auto_logs: Understood,
    pub(crate) recordings: Understood,
}

impl Versions {
    /// What this build understands.
    pub(crate) const OURS: Versions =
        Versions { memory: 1..=2, groups: 1..=3, auto_logs: 1..=2, recordings: Recording::VERSIONS };
}

/// Why what an earlier brain has kept cannot be gone on with.
#[derive(Debug)]
pub(crate) enum StateError {
    Unreadable { what: String, error: io::Error },
    Missing { what: String },
    Version { what: String, found: u32, understood: Understood },
    Damaged { what: String, why: String },
}

impl StateError {
    pub(crate) fn damaged(what: impl Into<String>, why: impl Into<String>) -> StateError {
        StateError::Damaged { what: what.into(), why: why.into() }
    }

    /// Refuses a version that is not among those understood.
    pub(crate) fn unless_understood(
        what: &str,
        found: u32,
        understood: &Understood,
    ) -> Result<(), StateError> {
        match understood.contains(&found) {
            true => Ok(()),
            false => Err(StateError::Version { what: what.into(), found, understood: understood.clone() }),
        }
    }
}

impl std::fmt::Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StateError::Unreadable { what, error } => write!(f, "cannot read {what}: {error}"),
            StateError::Missing { what } => write!(f, "there is no {what}"),
            StateError::Version { what, found, understood } => {
                let (least, most) = (understood.start(), understood.end());
                write!(f, "{what} has version {found}, and this build understands {least} to {most}")
            }
            StateError::Damaged { what, why } => write!(f, "{what} is damaged: {why}"),
        }
    }
}

impl std::error::Error for StateError {}

/// Gives the keeper what was just made and has to outlive this brain, under the first of these names. The inner error is that of making it;
/// nothing is held then.
pub(crate) fn hand_over<T, const N: usize>(
    made: io::Result<([OwnedFd; N], T)>,
    names: impl IntoIterator<Item = String>,
    link: &mut Link,
) -> Result<io::Result<T>, LinkError> {
    let (shared, kept) = match made {
        Ok(made) => made,
        Err(e) => return Ok(Err(e)),
    };
    for (name, fd) in names.into_iter().zip(shared) {
        link.send(ToKeeper::Hold { name, fd })?;
    }
    Ok(Ok(kept))
}

/// The line that bytes of this kind and version begin with.
pub(crate) fn header(kind: &str, version: u32) -> Vec<u8> {
    format!("provost {kind} {version}\n").into_bytes()
}

/// The version that the first line names, and what follows it; `None` where there is no such line.
pub(crate) fn split_header<'a>(kind: &str, bytes: &'a [u8]) -> Option<(u32, &'a [u8])> {
    let rest = bytes.strip_prefix(format!("provost {kind} ").as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?, &rest[end + 1..]))
}

/// Takes what the keeper holds under this name.
pub(crate) fn take(held: &mut Vec<(String, OwnedFd)>, name: &str) -> Option<OwnedFd> {
    let at = held.iter().position(|(held, _)| held == name)?;
    Some(held.swap_remove(at).1)
}

pub(crate) fn write(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

pub(crate) fn read(fd: OwnedFd, what: &str) -> Result<Vec<u8>, StateError> {
    let read = || {
        let mut file = File::from(fd);
        // The position is shared with whoever wrote it.
        file.rewind()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| StateError::Unreadable { what: what.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_kind_and_version() {
        let bytes = [header("groups", 12), b"rest\n".to_vec()].concat();
        assert_eq!(split_header("groups", &bytes), Some((12, &b"rest\n"[..])));
        assert_eq!(split_header("logs", &bytes), None);
        assert_eq!(split_header("groups", b"provost groups x\n"), None);
        assert_eq!(split_header("groups", b"provost groups 1"), None);
    }

    #[test]
    fn a_refusal_says_what_and_which_version() {
        let refused = StateError::unless_understood("the list of groups", 3, &(1..=2)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the list of groups has version 3, and this build understands 1 to 2"
        );
        assert!(StateError::unless_understood("the list of groups", 1, &(1..=2)).is_ok());
    }
}
