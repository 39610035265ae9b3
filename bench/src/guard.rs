//! The outer of two processes: it leaves nothing behind, however the inner one ends.
//!
//! In: the arguments of the command line, which it hands on. Out: the inner process's exit code. The inner
//! process, which does all the work, may panic, be interrupted or be killed: this one then ends everything that
//! was started, and removes the one directory in which all files of the run lie. Not here: any bench.

use std::fs::{self, DirBuilder};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use provost_testkit::{Process, Signal as KillSignal};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::family;

/// Set for the inner process.
const INNER: &str = "PROVOST_BENCH_INNER";

/// Whether this is the inner process; makes it ready to be one.
pub(crate) fn is_inner() -> bool {
    if std::env::var_os(INNER).is_none() {
        return false;
    }
    // The guard blocks signals for itself, and masks are inherited: by us, and by every contender.
    SigSet::all().thread_unblock().expect("a valid set of signals can be unblocked");
    family::adopt_orphans();
    true
}

/// Runs this program once more as the inner process, and clears up behind it.
pub(crate) fn watch() -> ExitCode {
    let mut interruptions = SigSet::empty();
    interruptions.extend([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    interruptions.thread_block().expect("a valid set of signals can be blocked");
    let interrupted = SignalFd::with_flags(&interruptions, SfdFlags::SFD_CLOEXEC)
        .expect("a signalfd needs nothing but a descriptor");
    family::adopt_orphans();

    let directory = own_directory();
    let program = std::env::current_exe().expect("Linux always knows a program's path");
    let mut inner = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(INNER, "1")
        .env("TMPDIR", &directory)
        .spawn()
        .expect("a program that runs can be started again");
    let pid = i32::try_from(inner.id()).expect("a Linux pid fits an i32");
    if first_is_interruption(&interrupted, pid) {
        Process::new(pid).signal(KillSignal::KILL);
    }
    let status = inner.wait().expect("our own child can be waited for");
    family::sweep();
    // What cannot be removed lies where temporary files are expected to lie.
    let _ = fs::remove_dir_all(&directory);
    exit_code(status)
}

/// Waits until somebody interrupts us (true) or the child ends (false).
fn first_is_interruption(interrupted: &SignalFd, pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid).expect("a child has a pid");
    let ended = pidfd_open(pid, PidfdFlags::empty()).expect("our own child can be held until it is reaped");
    let mut waiting =
        [PollFd::new(interrupted, PollFlags::IN), PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN)];
    while poll(&mut waiting, None).is_err() {}
    waiting[1].revents().is_empty()
}

fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => ExitCode::from(code),
        None => ExitCode::FAILURE,
    }
}

/// A new directory, in memory if files there can be executed: no disk is then part of any number.
fn own_directory() -> PathBuf {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let base = if in_memory(&mounts, "/dev/shm") { "/dev/shm".into() } else { std::env::temp_dir() };
    let path = base.join(format!("provost-bench-{}", std::process::id()));
    DirBuilder::new()
        .mode(0o755)
        .create(&path)
        .unwrap_or_else(|e| panic!("cannot make the directory {}: {e}", path.display()));
    path
}

/// Whether `point` is a file system in memory that programs can be started from.
fn in_memory(mounts: &str, point: &str) -> bool {
    // The last mount on a point is the one that is seen.
    mounts
        .lines()
        .rev()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|words| words.get(1) == Some(&point))
        .is_some_and(|words| {
            words.get(2) == Some(&"tmpfs")
                && !words.get(3).is_some_and(|options| options.split(',').any(|option| option == "noexec"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_memory_serves_only_if_programs_can_be_started_there() {
        let plain = "proc /proc proc rw 0 0\ntmpfs /dev/shm tmpfs rw,relatime 0 0\n";
        assert!(in_memory(plain, "/dev/shm"));
        assert!(!in_memory(plain, "/run"));
        assert!(!in_memory(&plain.replace("relatime", "noexec"), "/dev/shm"));
        assert!(!in_memory(&plain.replace("tmpfs rw", "ext4 rw"), "/dev/shm"));
    }
}
