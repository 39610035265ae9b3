//! The few system calls without a safe wrapper, each behind a function that is safe to call.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::AtomicU64;

use rustix::time::{ClockId, clock_gettime};

use crate::protocol::Stamp;

/// The signals that the keeper takes by descriptor instead of by handler (SPEC 5).
pub(crate) const WATCHED: [i32; 7] =
    [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];

pub(crate) fn now() -> Stamp {
    let mono = clock_gettime(ClockId::Monotonic);
    let wall = clock_gettime(ClockId::Realtime);
    Stamp {
        mono_ns: mono.tv_sec as u64 * 1_000_000_000 + mono.tv_nsec as u64,
        wall_ms: wall.tv_sec * 1000 + wall.tv_nsec / 1_000_000,
    }
}

/// Which of the two processes we are after [`fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fork {
    Parent(i32),
    Child,
}

/// fork(2) of the whole process, to go on as two keepers, or as keeper and brain.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: the keeper has one thread (this crate starts none, and it runs before the brain's
    // closure, the only code that may), so the child owns every lock and may go on as usual.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Blocks [`WATCHED`], and nothing else, and returns a descriptor that reads them instead, non-blocking and
/// close-on-exec. Whoever started us may have blocked or ignored anything: an ignored SIGCHLD, for one, would
/// let the kernel reap our children behind our back.
///
/// Blocked signals are queued even for PID 1, to which the kernel otherwise delivers nothing that it has no handler for.
pub(crate) fn watch_signals() -> io::Result<OwnedFd> {
    // SAFETY: `set` is a plain value that sigemptyset initialises before any other use.
    let set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in WATCHED {
            libc::sigaddset(&mut set, signal);
        }
        set
    };
    // SAFETY: default dispositions need no handler; both other calls get a valid, initialised set, and the old
    // mask is not asked for.
    let fd = unsafe {
        for signal in WATCHED {
            libc::signal(signal, libc::SIG_DFL);
        }
        if libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: signalfd has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The next watched signal, if one is waiting.
pub(crate) fn next_signal(fd: &OwnedFd) -> Option<i32> {
    // Only the first field, ssi_signo, matters; the kernel writes whole structures.
    let mut info = [0u8; std::mem::size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(fd, &mut info) {
        Ok(n) if n == info.len() => Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]])),
        Ok(_) | Err(_) => None,
    }
}

/// Words shared with every later child of this process: a child that fails between fork and exec
/// writes down why, and the keeper reads it when it reaps. No pipe, no descriptor, no waiting.
pub(crate) fn shared_words(count: usize) -> io::Result<&'static [AtomicU64]> {
    let bytes = count * std::mem::size_of::<AtomicU64>();
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no memory of ours.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is page-aligned, `bytes` long, zeroed (a valid AtomicU64), and never unmapped.
    Ok(unsafe { std::slice::from_raw_parts(at.cast::<AtomicU64>(), count) })
}

/// kill(2) by number: configurations may name any signal, real-time ones too. A negative
/// `pid` is a process group. The error is an errno.
pub(crate) fn kill(pid: i32, signal: i32) -> Result<(), i32> {
    // SAFETY: a plain system call on numbers.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)),
    }
}

/// Becomes this user for good: supplementary groups, group, user, in the order that works.
pub(crate) fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    // SAFETY: plain system calls; pointer and length are those of one slice.
    let failed = unsafe {
        libc::setgroups(groups.len(), groups.as_ptr()) != 0
            || libc::setgid(gid) != 0
            || libc::setuid(uid) != 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Points 0, 1 and 2 at /dev/null: a daemon must not hold the terminal, or the pipe, it was started from.
pub fn silence_stdio() {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let Ok(null) = rustix::fs::open(c"/dev/null", flags, rustix::fs::Mode::empty()) else { return };
    // They can only fail where there is no descriptor to point at.
    let _ = rustix::stdio::dup2_stdin(&null);
    let _ = rustix::stdio::dup2_stdout(&null);
    let _ = rustix::stdio::dup2_stderr(&null);
}
