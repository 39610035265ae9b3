//! What /proc says of a process, as far as it proves which one it is.
//!
//! In: a pid. Out: an [`Identity`] that no other process of this boot ever has, and the [`Place`] in which pids and start
//! times mean anything. Where one of them cannot be told for certain there is none: nobody guesses. A start time counts
//! from the boot of the machine, so with the boot id it tells apart what reused a pid, also across containers that share a
//! file; only a time namespace could move it, and in one of those nothing is certain.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use provost_core::{Mono, Now, Wall};
use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

use crate::clock;

/// The namespace that a machine boots with; the number is a part of the kernel's interface.
const FIRST_TIME_NAMESPACE: u64 = 0xEFFF_FFFA;

/// A process, so that no other can be taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// Ticks from the boot of the machine to its start: field 22 of `/proc/PID/stat`.
    pub(crate) started: u64,
}

/// Where a pid and a start time mean what they mean here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) boot: [u8; 16],
    /// The inode of the pid namespace.
    pub(crate) pids: u64,
}

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    state: u8,
    parent: i32,
    threads: u64,
    started: u64,
}

impl Place {
    /// This boot and our pid namespace; the error is for people.
    pub(crate) fn here() -> Result<Place, String> {
        let us = fs::read_link("/proc/self").map_err(|e| format!("cannot read /proc/self: {e}"))?;
        if us.as_os_str() != std::process::id().to_string().as_str() {
            return Err("/proc is that of another pid namespace".to_owned());
        }
        if namespace("time").is_some_and(|time| time != FIRST_TIME_NAMESPACE) {
            return Err("in a time namespace start times prove nothing".to_owned());
        }
        let file = "/proc/sys/kernel/random/boot_id";
        let boot = fs::read_to_string(file).map_err(|e| format!("cannot read {file}: {e}"))?;
        let boot = boot_id(&boot).ok_or_else(|| format!("{file} holds no boot id"))?;
        let pids = namespace("pid").ok_or("the kernel names no pid namespace")?;
        Ok(Place { boot, pids })
    }
}

impl Identity {
    /// The process that has this pid now, if it has not ended.
    pub(crate) fn of(pid: i32) -> Option<Identity> {
        let stat = stat(pid)?;
        stat.lives().then_some(Identity { pid, started: stat.started })
    }

    /// The same, if it is a child of `parent`: another process may have the pid by now.
    pub(crate) fn of_child(pid: i32, parent: i32) -> Option<Identity> {
        let stat = stat(pid)?;
        (stat.lives() && stat.parent == parent).then_some(Identity { pid, started: stat.started })
    }

    /// Whether this very process still runs.
    pub(crate) fn lives(self) -> bool {
        Identity::of(self.pid) == Some(self)
    }

    /// When it started, to a tick.
    pub(crate) fn since(self) -> Now {
        let now = clock::now();
        let boot = clock_gettime(ClockId::Boottime);
        let up = Duration::new(boot.tv_sec.unsigned_abs(), u32::try_from(boot.tv_nsec).unwrap_or(0));
        let started = u128::from(self.started) * 1_000_000_000 / u128::from(clock_ticks_per_second().max(1));
        let age = up.as_nanos().saturating_sub(started);
        let age_ns = u64::try_from(age).unwrap_or(u64::MAX);
        let age_ms = i64::try_from(age / 1_000_000).unwrap_or(i64::MAX);
        // The monotonic clock stands while the machine sleeps, and the age does not.
        Now { mono: Mono(now.mono.0.saturating_sub(age_ns)), wall: Wall(now.wall.0.saturating_sub(age_ms)) }
    }
}

impl Stat {
    /// The first thread may end before the others: that is a zombie, and still a process.
    fn lives(self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x') || self.threads > 1
    }
}

fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The name stands in parentheses and may contain any of them itself, and bytes that are no text.
fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        threads: number(20)?,
        started: number(22)?,
    })
}

/// A kernel that names no such namespace has only one.
fn namespace(kind: &str) -> Option<u64> {
    fs::metadata(format!("/proc/self/ns/{kind}")).ok().map(|meta| meta.ino())
}

/// A UUID as 16 bytes.
fn boot_id(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_behind_the_last_parenthesis() {
        let tail = b" S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 1234567 1 2 3";
        for name in [&b"sh"[..], b") Z 1 (", b"\xff\xfe) ("] {
            let line = [b"42 (", name, b")", &tail[..]].concat();
            let expected = Stat { state: b'S', parent: 7, threads: 3, started: 1_234_567 };
            assert_eq!(parse_stat(&line), Some(expected));
        }
        for broken in [&b""[..], b"42 (sh", b"42 (sh) S 7", b"42 (sh) S x"] {
            assert_eq!(parse_stat(broken), None);
        }
    }

    #[test]
    fn we_are_ourselves_and_nobody_who_had_our_pid() {
        let us = Identity::of(std::process::id() as i32).unwrap();
        assert!(us.lives());
        assert!(!Identity { started: us.started - 1, ..us }.lives());
        assert_eq!(Identity::of_child(us.pid, us.pid), None);
        assert_eq!(Identity::of(i32::MAX), None);
        let age = clock::now().wall.0 - us.since().wall.0;
        assert!((0..600_000).contains(&age), "{age} ms old");
    }

    #[test]
    fn a_boot_id_is_32_digits() {
        let id = boot_id("3b0c1a52-1d2e-4f60-8a1b-000000000001\n").unwrap();
        assert_eq!((id[0], id[15]), (0x3b, 1));
        for broken in ["", "3b0c", "zb0c1a52-1d2e-4f60-8a1b-000000000001"] {
            assert_eq!(boot_id(broken), None);
        }
        assert_eq!(Place::here().unwrap(), Place::here().unwrap());
    }
}
