//! From a plan to a child: pipes, fork, and the code between fork and exec.
//!
//! Everything is prepared before the fork. The child makes system calls on prepared
//! data and nothing else: it does not allocate, lock, format or unwind. If one fails it leaves
//! (stage, errno) in words shared with the keeper and ends with 127, the status Supervisor's children end with.
//!
//! A plain fork copies the whole descriptor table, which with thousands of programs is most of its cost, and memory
//! that every child keeps. So the child shares the table at first (`CLONE_FILES`), and its first act is to copy the few
//! descriptors it needs (`lanes.rs`). clone(2) does that on every kernel and passes filters that forbid clone3; where
//! close_range(2) cannot unshare (before Linux 5.9, or filtered), it is the plain fork.

use std::ffi::{CStr, CString, c_char};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::lanes::Lanes;
use crate::plan::PlanView;
use crate::protocol::Stage;
use crate::report::Report;
use crate::sys;

/// The keeper's ends of a child's pipes.
#[derive(Debug)]
pub(crate) struct KeptPipes {
    /// Absent where standard input is a socket.
    #[expect(dead_code, reason = "held, so that a program never meets the end of its input")]
    pub(crate) stdin: Option<OwnedFd>,
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

/// What all children have in common.
#[derive(Debug)]
pub(crate) struct Spawner {
    /// The keeper's own environment, which plans build upon.
    environment: Vec<CString>,
    /// Signals that the keeper ignores, or was started with ignored: exec would hand that on.
    ignored: Vec<i32>,
    /// The limit of open files for children; ours is as high as it can be.
    descriptors: sys::Limit,
    /// Absent where forks are plain.
    lanes: Option<Lanes>,
}

impl Spawner {
    pub(crate) fn new() -> Spawner {
        let lanes = sys::can_unshare_descriptors()
            .then(|| sys::filler().and_then(|filler| Lanes::reserve(filler).ok()))
            .flatten();
        Spawner {
            environment: sys::environment(),
            ignored: sys::ignored_signals(),
            descriptors: sys::descriptor_limit(),
            lanes,
        }
    }

    /// Every child may open at least this many files, and the keeper as many as it can.
    pub(crate) fn allow_descriptors(&mut self, least: u64) {
        self.descriptors.raise_to(least);
        sys::raise_own_descriptor_limit(&self.descriptors);
    }

    /// Children are on their way: call [`Spawner::settle`] within a few milliseconds.
    pub(crate) fn is_busy(&self) -> bool {
        self.lanes.as_ref().is_some_and(Lanes::is_busy)
    }

    /// Lets go of what children on their way needed, if they have arrived.
    pub(crate) fn settle(&mut self) {
        if let Some(lanes) = &mut self.lanes {
            lanes.settle();
        }
    }

    /// A child has been reaped.
    pub(crate) fn ended(&mut self, pid: i32) {
        if let Some(lanes) = &mut self.lanes {
            lanes.ended(pid);
        }
    }

    /// Starts the plan. `report` must be clear. `socket` is standard input, where it is not to be a pipe.
    pub(crate) fn spawn(
        &mut self,
        plan: &PlanView<'_>,
        socket: Option<BorrowedFd<'_>>,
        report: &'static Report,
    ) -> Result<(i32, KeptPipes), SpawnError> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(SpawnError::at(Stage::Pipe));
        let (child_in, stdin) = match socket {
            Some(_) => (None, None),
            None => pipe().map(|(r, w)| (Some(r), Some(w)))?,
        };
        let (stdout, child_out) = pipe()?;
        let (stderr, child_err) = match plan.merge_stderr {
            true => (None, None),
            false => pipe().map(|(r, w)| (Some(r), Some(w)))?,
        };
        for end in [stdin.as_ref(), Some(&stdout), stderr.as_ref()].into_iter().flatten() {
            fcntl_setfl(end, OFlags::NONBLOCK).map_err(SpawnError::at(Stage::Pipe))?;
        }
        let input = match (&child_in, socket) {
            (Some(pipe), _) => pipe.as_fd(),
            (None, Some(socket)) => socket,
            (None, None) => child_out.as_fd(), // one of the two is there
        };
        let ends = [input, child_out.as_fd(), child_err.as_ref().unwrap_or(&child_out).as_fd()];
        let pid = self.fork(plan, ends, report)?;
        Ok((pid, KeptPipes { stdin, stdout, stderr }))
    }

    fn fork(
        &mut self,
        plan: &PlanView<'_>,
        ends: [BorrowedFd<'_>; 3],
        report: &'static Report,
    ) -> Result<i32, SpawnError> {
        let environment = plan.environment(&self.environment);
        let mut prepared = Prepared {
            stdio: ends.map(|end| end.as_raw_fd()),
            shared_above: None,
            path: plan.path,
            argv: pointers(plan.argv.iter().copied()),
            env: pointers(environment),
            ignored: &self.ignored,
            descriptors: &self.descriptors,
            plan,
            report,
        };
        let Some(lanes) = &mut self.lanes else { return plain_fork(&prepared) };
        let lane = match lanes.load(ends).map_err(SpawnError::at(Stage::Descriptors))? {
            Some(lane) => lane,
            // So many are on their way that this one goes another.
            None => return plain_fork(&prepared),
        };
        prepared.stdio = lanes.stdio(lane);
        prepared.shared_above = Some(lanes.ceiling());
        match sys::fork_sharing_descriptors() {
            Ok(0) => become_program(&prepared),
            Ok(pid) => {
                lanes.take(lane, pid, report);
                Ok(pid)
            }
            Err(errno) => {
                lanes.unload(lane);
                Err(SpawnError { stage: Stage::Fork, errno })
            }
        }
    }
}

fn plain_fork(prepared: &Prepared<'_>) -> Result<i32, SpawnError> {
    // SAFETY: the keeper is single-threaded, and `become_program` keeps to async-signal-safe calls.
    match unsafe { libc::fork() } {
        -1 => Err(SpawnError { stage: Stage::Fork, errno: errno() }),
        0 => become_program(prepared),
        pid => Ok(pid),
    }
}

/// A null-terminated array of pointers, as execve(2) wants it.
fn pointers<'a>(strings: impl IntoIterator<Item = &'a CStr>) -> Vec<*const c_char> {
    strings.into_iter().map(CStr::as_ptr).chain(std::iter::once(std::ptr::null())).collect()
}

/// All that the child needs, laid out before the fork.
struct Prepared<'a> {
    stdio: [RawFd; 3],
    /// The descriptor table is the keeper's own: nothing above this is ours, and nothing below until it is copied.
    shared_above: Option<RawFd>,
    path: &'a CStr,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    ignored: &'a [i32],
    descriptors: &'a sys::Limit,
    plan: &'a PlanView<'a>,
    report: &'static Report,
}

/// The child's side, in the order of SPEC 3.4. Never returns.
fn become_program(p: &Prepared<'_>) -> ! {
    let (stage, errno) = match try_become(p) {
        Ok(never) => match never {},
        Err(stage) => (stage, errno()),
    };
    p.report.failed(stage, errno);
    // SAFETY: _exit is async-signal-safe and runs nothing of ours.
    unsafe { libc::_exit(127) }
}

fn errno() -> i32 {
    // SAFETY: __errno_location always returns the calling thread's valid errno.
    unsafe { *libc::__errno_location() }
}

fn try_become(p: &Prepared<'_>) -> Result<std::convert::Infallible, Stage> {
    let check = |result: libc::c_int, stage: Stage| if result < 0 { Err(stage) } else { Ok(()) };

    if let Some(ceiling) = p.shared_above {
        // Before anything else touches a descriptor.
        check(sys::unshare_descriptors(ceiling), Stage::Descriptors)?;
        p.report.on_its_own();
    }

    // SAFETY (all blocks below): async-signal-safe system calls on numbers and on strings and
    // arrays that were made before the fork and are borrowed for the whole call.

    // A group of its own, so that stopasgroup can reach its descendants. It cannot fail: we lead nothing yet.
    // SAFETY: see above.
    let _ = unsafe { libc::setpgid(0, 0) };
    for (to, from) in (0..).zip(p.stdio) {
        // The sources are never 0, 1 or 2 (those are open since before main), so no dup2 overwrites a later source.
        // SAFETY: see above.
        check(unsafe { libc::dup2(from, to) }, Stage::Descriptors)?;
    }
    close_others();
    p.descriptors.set();
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
    default_signals(p.ignored);
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

/// Every disposition default (exec resets handlers by itself), nothing blocked. Python leaks an ignored SIGPIPE into
/// its children, the Rust runtime would too, and our blocked signals must not be theirs.
fn default_signals(ignored: &[i32]) {
    for signal in ignored {
        sys::reset_signal(*signal);
    }
    // SAFETY: plain system calls on initialised memory.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}
