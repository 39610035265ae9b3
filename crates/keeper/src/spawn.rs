//! From a plan to a child: pipes, fork, and the code between fork and exec.
//!
//! Everything is prepared before the fork. The child makes system calls on prepared
//! data and nothing else: it does not allocate, lock, format or unwind. If one fails it leaves
//! (stage, errno) in a word shared with the keeper and ends with 127, the status Supervisor's children end with.

use std::ffi::{CStr, c_char};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::plan::PlanView;
use crate::protocol::Stage;

/// The keeper's ends of a child's pipes.
#[derive(Debug)]
pub(crate) struct KeptPipes {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: Option<OwnedFd>,
}

/// What went wrong before there was a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpawnError {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
}

impl SpawnError {
    fn at(stage: Stage) -> impl Fn(rustix::io::Errno) -> SpawnError {
        move |e| SpawnError { stage, errno: e.raw_os_error() }
    }
}

/// Packs the reason of a failure into the shared word; zero means that nothing failed.
fn pack(stage: Stage, errno: i32) -> u64 {
    (u64::from(stage.number()) << 32) | u64::from(errno as u32)
}

/// The reason that a child left in its word, if it did.
pub(crate) fn unpack(word: u64) -> Option<(Stage, i32)> {
    Stage::from_number((word >> 32) as u32).map(|stage| (stage, word as u32 as i32))
}

/// Starts the plan. `report` must be zero; the child writes it if it fails before exec.
pub(crate) fn spawn(plan: &PlanView<'_>, report: &'static AtomicU64) -> Result<(i32, KeptPipes), SpawnError> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(SpawnError::at(Stage::Pipe));
    let (child_in, stdin) = pipe()?;
    let (stdout, child_out) = pipe()?;
    let (stderr, child_err) = match plan.merge_stderr {
        true => (None, None),
        false => pipe().map(|(r, w)| (Some(r), Some(w)))?,
    };
    for end in [Some(&stdin), Some(&stdout), stderr.as_ref()].into_iter().flatten() {
        fcntl_setfl(end, OFlags::NONBLOCK).map_err(SpawnError::at(Stage::Pipe))?;
    }

    let prepared = Prepared {
        stdio: [
            child_in.as_raw_fd(),
            child_out.as_raw_fd(),
            child_err.as_ref().unwrap_or(&child_out).as_raw_fd(),
        ],
        path: plan.path,
        argv: pointers(&plan.argv),
        env: pointers(&plan.env),
        plan,
        report,
    };
    // SAFETY: the keeper is single-threaded, and `become_program` keeps to async-signal-safe calls.
    match unsafe { libc::fork() } {
        -1 => {
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
            Err(SpawnError { stage: Stage::Fork, errno })
        }
        0 => become_program(&prepared),
        pid => Ok((pid, KeptPipes { stdin, stdout, stderr })),
    }
}

/// A null-terminated array of pointers, as execve(2) wants it.
fn pointers(strings: &[&CStr]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
}

/// All that the child needs, laid out before the fork.
struct Prepared<'a> {
    stdio: [RawFd; 3],
    path: &'a CStr,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    plan: &'a PlanView<'a>,
    report: &'static AtomicU64,
}

/// The child's side, in the order of SPEC 3.4. Never returns.
fn become_program(p: &Prepared<'_>) -> ! {
    let (stage, errno) = match try_become(p) {
        Ok(never) => match never {},
        Err(stage) => (stage, errno()),
    };
    p.report.store(pack(stage, errno), Ordering::Release);
    // SAFETY: _exit is async-signal-safe and runs nothing of ours.
    unsafe { libc::_exit(127) }
}

fn errno() -> i32 {
    // SAFETY: __errno_location always returns the calling thread's valid errno.
    unsafe { *libc::__errno_location() }
}

fn try_become(p: &Prepared<'_>) -> Result<std::convert::Infallible, Stage> {
    let check = |result: libc::c_int, stage: Stage| if result < 0 { Err(stage) } else { Ok(()) };

    // SAFETY (all blocks below): async-signal-safe system calls on numbers and on strings and
    // arrays that were made before the fork and are borrowed for the whole call.

    // A group of its own, so that stopasgroup can reach its descendants. It cannot fail: we lead nothing yet.
    // SAFETY: see above.
    let _ = unsafe { libc::setpgid(0, 0) };
    for (to, from) in (0..).zip(p.stdio) {
        // The pipe ends are never 0, 1 or 2 (those are open since before main), so no dup2 overwrites a later source.
        // SAFETY: see above.
        check(unsafe { libc::dup2(from, to) }, Stage::Descriptors)?;
    }
    close_others();
    if let Some(who) = &p.plan.identity {
        // SAFETY: see above; the pointer and length are those of one slice.
        let groups = unsafe { libc::setgroups(who.groups.len(), who.groups.as_ptr()) };
        check(groups, Stage::Groups)?;
        // SAFETY: see above.
        check(unsafe { libc::setgid(who.gid) }, Stage::Gid)?;
        // SAFETY: see above.
        check(unsafe { libc::setuid(who.uid) }, Stage::Uid)?;
    }
    if let Some(directory) = p.plan.directory {
        // SAFETY: see above.
        check(unsafe { libc::chdir(directory.as_ptr()) }, Stage::Directory)?;
    }
    if let Some(umask) = p.plan.umask {
        // SAFETY: see above.
        unsafe { libc::umask(umask) };
    }
    default_signals();
    // SAFETY: see above; both arrays end with a null pointer.
    unsafe { libc::execve(p.path.as_ptr(), p.argv.as_ptr(), p.env.as_ptr()) };
    Err(Stage::Exec)
}

/// Closes whatever is open above 2: ours is close-on-exec anyway, but what our
/// own parent left open must not leak into programs.
fn close_others() {
    // SAFETY: closing descriptors of this short-lived copy harms nobody; nothing here uses one above 2 again.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) == 0 {
            return;
        }
        // Linux before 5.9: one by one, as far as descriptors can go.
        let mut limit: libc::rlimit = std::mem::zeroed();
        let top = match libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) {
            0 => limit.rlim_cur.min(65_536) as RawFd,
            _ => 1024,
        };
        for fd in 3..top {
            libc::close(fd);
        }
    }
}

/// Every disposition default, nothing blocked. Python leaks an ignored SIGPIPE into
/// its children, the Rust runtime would too, and our blocked signals must not be theirs.
fn default_signals() {
    // All zero is the default disposition in the kernel's own structure, which is shorter than this everywhere. The
    // C library's function would not touch 32 and 33, which it keeps for itself.
    let default = [0u64; 8];
    // SAFETY: plain system calls on initialised memory; KILL and STOP fail harmlessly.
    unsafe {
        for signal in 1..=64 {
            let none: *const u64 = std::ptr::null();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, 8usize);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_the_shared_word() {
        assert_eq!(unpack(pack(Stage::Exec, libc::ENOENT)), Some((Stage::Exec, libc::ENOENT)));
        assert_eq!(unpack(pack(Stage::Pipe, libc::EMFILE)), Some((Stage::Pipe, libc::EMFILE)));
        assert_eq!(unpack(0), None);
    }
}
