//! From a plan to a child: pipes, fork, and the code between fork and exec.
//!
//! Everything is prepared before the fork. The child makes system calls on prepared
//! data and nothing else: it does not allocate, lock, format or unwind. If one fails it leaves
//! (stage, errno) in words shared with the keeper and ends with 127, the status Supervisor's children end with.
//!
//! A fork copies the page tables, and the whole descriptor table, which with thousands of programs is most of its cost
//! and memory that every child keeps. So the child shares both until it becomes its program: it runs on a stack of its own
//! (`lanes.rs`), makes its system calls without the C library (`raw.rs`), and copies the few descriptors it needs. Unlike
//! vfork(2) nobody waits for it: a program on a slow disk delays no other. One that becomes another user shares the
//! descriptors only, and so does everyone before Linux 5.16, where a dump of core ended all who shared the memory, or on a
//! machine whose calls we do not know. Where close_range(2) cannot unshare a table (before Linux 5.9, or filtered), where
//! clone(2) is refused, or where hardly any descriptors may be open, it is the plain fork.

use std::convert::Infallible;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::lanes::{Lanes, Refused};
use crate::plan::{Identity, PlanView};
use crate::protocol::Stage;
use crate::raw;
use crate::report::Report;
use crate::sys;

/// The keeper's ends of a child's pipes.
#[derive(Debug)]
pub(crate) struct KeptPipes {
    /// Absent where standard input is a socket.
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

/// Where fewer may be open, programs need them more than lanes do.
const MANY_DESCRIPTORS: RawFd = 4096;

/// What all children have in common.
#[derive(Debug)]
pub(crate) struct Spawner {
    /// The keeper's own environment, which plans build upon.
    environment: Arc<[CString]>,
    /// Signals that the keeper ignores, or was started with ignored: exec would hand that on.
    ignored: Vec<i32>,
    /// The limit of open files for children; ours is as high as it can be.
    descriptors: sys::Limit,
    /// Absent where forks are plain.
    lanes: Option<Lanes>,
}

impl Spawner {
    pub(crate) fn new() -> Spawner {
        let descriptors = sys::descriptor_limit();
        let share_memory = raw::MAY_SHARE_MEMORY && sys::dumps_alone();
        // Lanes take a hundred.
        let lanes = (sys::can_unshare_descriptors() && descriptors.highest() >= MANY_DESCRIPTORS)
            .then(|| sys::filler().and_then(|filler| Lanes::reserve(filler, share_memory).ok()))
            .flatten();
        Spawner {
            environment: sys::environment().into(),
            ignored: sys::ignored_signals(),
            descriptors,
            lanes,
        }
    }

    /// Every child may open at least this many files, and the keeper as many as it can.
    pub(crate) fn allow_descriptors(&mut self, least: u64) {
        self.descriptors.raise_to(least);
        sys::raise_own_descriptor_limit(&self.descriptors);
    }

    /// What the keeper was started with.
    pub(crate) fn environment(&self) -> &[CString] {
        &self.environment
    }

    pub(crate) fn descriptors(&self) -> sys::Limit {
        self.descriptors
    }

    /// The limit of open files for children, as an earlier build of this keeper had it.
    pub(crate) fn resume_descriptors(&mut self, limit: sys::Limit) {
        self.descriptors = limit;
    }

    /// How many children are on their way: where there are any, call [`Spawner::settle`] soon.
    pub(crate) fn busy(&self) -> usize {
        self.lanes.as_ref().map_or(0, Lanes::busy)
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
        plan: &Arc<[u8]>,
        socket: Option<BorrowedFd<'_>>,
        report: &'static Report,
    ) -> Result<(i32, KeptPipes), SpawnError> {
        let unreadable = |_| SpawnError { stage: Stage::Fork, errno: libc::EBADMSG };
        let view = PlanView::read(plan).map_err(unreadable)?;
        let merge_stderr = view.merge_stderr;
        let prepared = Prepared::new(self, view, plan, report);
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(SpawnError::at(Stage::Pipe));
        let (child_in, stdin) = match socket {
            Some(_) => (None, None),
            None => pipe().map(|(r, w)| (Some(r), Some(w)))?,
        };
        let (stdout, child_out) = pipe()?;
        let (stderr, child_err) = match merge_stderr {
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
        let pid = self.fork(ends, Box::new(prepared))?;
        Ok((pid, KeptPipes { stdin, stdout, stderr }))
    }

    fn fork(&mut self, ends: [BorrowedFd<'_>; 3], prepared: Box<Prepared>) -> Result<i32, SpawnError> {
        let mut prepared = match &mut self.lanes {
            None => prepared,
            Some(lanes) => match lanes.launch(ends, prepared) {
                Ok(pid) => return Ok(pid),
                Err(Refused::Kernel(stage, errno)) => return Err(SpawnError { stage, errno }),
                // So many are on their way that this one goes another.
                Err(Refused::NoLane(prepared)) => prepared,
            },
        };
        prepared.found_at(ends.map(|end| end.as_raw_fd()), None, None);
        // SAFETY: the keeper is single-threaded, and `become_program` keeps to async-signal-safe calls.
        match unsafe { libc::fork() } {
            -1 => {
                let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
                Err(SpawnError { stage: Stage::Fork, errno })
            }
            0 => {
                become_program(std::ptr::from_mut(&mut *prepared).cast());
                // It does not return.
                std::process::abort()
            }
            pid => Ok(pid),
        }
    }
}

/// The child's whole life before its program; never returns. `prepared` is what was laid out for it.
pub(crate) extern "C" fn become_program(prepared: *mut c_void) -> c_int {
    // SAFETY: whoever starts a child hands over a `Prepared` that outlives it, and changes nothing in it.
    let prepared = unsafe { &*prepared.cast::<Prepared>() };
    let (stage, errno) = match prepared.run() {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    prepared.report.failed(stage, errno);
    raw::exit(127)
}

/// All that a child needs, laid out before it exists. It owns, or keeps alive, everything that its pointers lead to.
#[derive(Debug)]
pub(crate) struct Prepared {
    stdio: [RawFd; 3],
    /// The descriptor table is the keeper's own: nothing above this is the child's, and nothing below until it is copied.
    shared_below: Option<RawFd>,
    /// Zero when the lane is no longer needed, for a child that has to say so itself.
    leaves: Option<&'static AtomicU32>,
    path: *const c_char,
    /// Null for none.
    directory: *const c_char,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    umask: Option<u32>,
    identity: Option<Identity>,
    ignored: Vec<c_int>,
    descriptors: sys::Limit,
    report: &'static Report,
    _plan: Arc<[u8]>,
    _environment: Arc<[CString]>,
}

impl Prepared {
    /// `view` is of `plan`.
    fn new(spawner: &Spawner, view: PlanView<'_>, plan: &Arc<[u8]>, report: &'static Report) -> Prepared {
        Prepared {
            stdio: [0; 3],
            shared_below: None,
            leaves: None,
            path: view.path.as_ptr(),
            directory: view.directory.map_or(std::ptr::null(), CStr::as_ptr),
            argv: pointers(view.argv.iter().copied()),
            env: pointers(view.environment(&spawner.environment)),
            umask: view.umask,
            identity: view.identity,
            ignored: spawner.ignored.clone(),
            descriptors: spawner.descriptors,
            report,
            _plan: Arc::clone(plan),
            _environment: Arc::clone(&spawner.environment),
        }
    }

    /// Where standard input, output and error are; whether the keeper's table is shared, up to where its lanes are; and
    /// where to say that the lane is no longer needed.
    pub(crate) fn found_at(
        &mut self,
        stdio: [RawFd; 3],
        shared_below: Option<RawFd>,
        leaves: Option<&'static AtomicU32>,
    ) {
        (self.stdio, self.shared_below, self.leaves) = (stdio, shared_below, leaves);
    }

    /// One that becomes another user may not share the keeper's memory: the kernel would close what /proc tells of the
    /// keeper to all but those who may trace, and our memory is none of that user's business.
    pub(crate) fn may_share_memory(&self) -> bool {
        self.identity.is_none()
    }

    /// The child's side, in the order of SPEC 3.4: system calls on prepared data, and nothing else.
    fn run(&self) -> Result<Infallible, (Stage, i32)> {
        let at = |stage| move |errno| (stage, errno);
        if let Some(ceiling) = self.shared_below {
            // Before anything else touches a descriptor.
            raw::close_from(ceiling, libc::CLOSE_RANGE_UNSHARE).map_err(at(Stage::Descriptors))?;
            if let Some(lane) = self.leaves {
                lane.store(0, Ordering::Release);
            }
        }
        // A group of its own, so that stopasgroup can reach its descendants. It cannot fail: we lead nothing yet.
        let _ = raw::setpgid();
        for (to, from) in [(0, self.stdio[0]), (1, self.stdio[1]), (2, self.stdio[2])] {
            // The sources are never 0, 1 or 2 (those are open since before main), so none is overwritten.
            raw::dup(from, to).map_err(at(Stage::Descriptors))?;
        }
        self.close_others();
        raw::set_descriptor_limit(&self.descriptors);
        if let Some(who) = &self.identity {
            raw::setgroups(&who.groups).map_err(at(Stage::Groups))?;
            raw::setgid(who.gid).map_err(at(Stage::Gid))?;
            raw::setuid(who.uid).map_err(at(Stage::Uid))?;
        }
        if !self.directory.is_null() {
            // SAFETY: a C string in the plan, which we keep.
            unsafe { raw::chdir(self.directory) }.map_err(at(Stage::Directory))?;
        }
        if let Some(mask) = self.umask {
            raw::umask(mask);
        }
        // Handlers are reset by exec. Python leaks an ignored SIGPIPE into its children, the Rust runtime would too, and
        // our blocked signals must not be theirs.
        for signal in &self.ignored {
            raw::reset_signal(*signal);
        }
        raw::unblock_signals();
        // SAFETY: C strings in the plan and the environment, which we keep; both arrays end with a null pointer.
        let errno = unsafe { raw::execve(self.path, self.argv.as_ptr(), self.env.as_ptr()) };
        Err((Stage::Exec, errno))
    }

    /// Closes whatever is open above 2: ours is close-on-exec anyway, but what our
    /// own parent left open must not leak into programs.
    fn close_others(&self) {
        if raw::close_from(3, 0).is_ok() {
            return;
        }
        // Linux before 5.9, or a filter: one by one, as far as descriptors usually go.
        for fd in 3..65_536.min(self.descriptors.highest()) {
            raw::close(fd);
        }
    }
}

/// A null-terminated array of pointers, as execve(2) wants it.
fn pointers<'a>(strings: impl IntoIterator<Item = &'a CStr>) -> Vec<*const c_char> {
    strings.into_iter().map(CStr::as_ptr).chain(std::iter::once(std::ptr::null())).collect()
}
