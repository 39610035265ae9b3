//! The few system calls without a safe wrapper, each behind a function that is safe to call.

use std::ffi::{CStr, CString, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU32;

use rustix::time::{ClockId, clock_gettime};

use crate::protocol::Stamp;
use crate::report::Report;
use crate::spawn::{Prepared, become_program};

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

/// Words shared with every later child of this process, zeroed.
pub(crate) fn shared_reports(count: usize) -> io::Result<&'static [Report]> {
    let at = map(count * std::mem::size_of::<Report>(), libc::MAP_SHARED)?;
    // SAFETY: the mapping is page-aligned, long enough, zeroed (a valid Report, two atomic integers), never unmapped.
    Ok(unsafe { std::slice::from_raw_parts(at.cast::<Report>(), count) })
}

/// The same, plain numbers.
pub(crate) fn shared_words(count: usize) -> io::Result<&'static [AtomicU32]> {
    let at = map(count * std::mem::size_of::<AtomicU32>(), libc::MAP_SHARED)?;
    // SAFETY: as above; zero is a valid AtomicU32.
    Ok(unsafe { std::slice::from_raw_parts(at.cast::<AtomicU32>(), count) })
}

/// Fresh anonymous memory, zeroed.
fn map(bytes: usize, flags: c_int) -> io::Result<*mut c_void> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: at an address of the kernel's choice it touches no memory of ours.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags | libc::MAP_ANONYMOUS, -1, 0) };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(at) }
}

// --- children that share memory and descriptors ---

/// Whether close_range(2) can copy a shared table: asked of our own, which is not shared, above all that is open.
pub(crate) fn can_unshare_descriptors() -> bool {
    // SAFETY: no descriptor has these numbers.
    unsafe { libc::syscall(libc::SYS_close_range, u32::MAX - 1, u32::MAX, libc::CLOSE_RANGE_UNSHARE) == 0 }
}

/// Whether a process that dumps core does so alone: before Linux 5.16 all that share its memory were killed with it, and a
/// child that is stopped by SIGQUIT before it is a program would end the keeper.
pub(crate) fn dumps_alone() -> bool {
    // SAFETY: a plain value, which the call fills in.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        libc::uname(&mut name);
        name
    };
    // SAFETY: the kernel, or the zeroes above, end it with a NUL.
    let release = unsafe { CStr::from_ptr(name.release.as_ptr()) }.to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5_u32, 16_u32)
}

/// The stack of one child.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Where it begins, at the highest address.
    top: *mut c_void,
}

/// Its size; what is not touched costs nothing. The code between fork and exec needs a small part of it.
const STACK: usize = 32 * 1024;

/// So many stacks, never unmapped.
pub(crate) fn stacks(count: usize) -> io::Result<Vec<Stack>> {
    let at = map(count * STACK, libc::MAP_PRIVATE | libc::MAP_STACK | libc::MAP_NORESERVE)?;
    // SAFETY: each top is the end of its part of the mapping.
    Ok((1..=count).map(|n| Stack { top: unsafe { at.add(n * STACK) } }).collect())
}

/// Starts a child that shares our descriptors and perhaps our memory, on a stack of its own, where it becomes the program
/// that was prepared. Where memory is shared, `occupied` becomes zero when it has let go of it; until then what was
/// prepared and the stack are the child's. Returns the pid, or an errno, and what was prepared.
pub(crate) fn start_sharing(
    stack: &Stack,
    prepared: Box<Prepared>,
    occupied: &'static AtomicU32,
    share_memory: bool,
) -> Result<(i32, Box<Prepared>), (i32, Box<Prepared>)> {
    let memory = if share_memory { libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID } else { 0 };
    let flags = libc::CLONE_FILES | libc::SIGCHLD | memory;
    let prepared = Box::into_raw(prepared);
    let none = std::ptr::null_mut::<c_void>();
    // SAFETY: the child runs `become_program` on a stack that nobody else uses. It only reads what was prepared, which stays
    // where it is, writes its report, which is atomic, and makes system calls that touch nothing of the C library's. All
    // signals with handlers are blocked or fatal. `occupied` lives for ever.
    let pid = unsafe {
        libc::clone(become_program, stack.top, flags, prepared.cast(), none, none, occupied.as_ptr())
    };
    // SAFETY: it came from a box a moment ago; the child holds no more than a shared reference.
    let prepared = unsafe { Box::from_raw(prepared) };
    match pid {
        -1 => Err((io::Error::last_os_error().raw_os_error().unwrap_or(libc::EAGAIN), prepared)),
        pid => Ok((pid, prepared)),
    }
}

/// A descriptor that is good for nothing but holding a number.
pub(crate) fn filler() -> Option<OwnedFd> {
    rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).ok()
}

// --- becoming another binary ---

/// Takes a variable out of our environment.
pub(crate) fn remove_variable(name: &str) {
    // SAFETY: there is one thread, as for `fork`, so nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
}

/// A descriptor that whoever executed us has left open for us, close-on-exec from here on. Its number was told.
pub(crate) fn inherited(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: plain system calls on a number; that it is open is what the first one finds out.
    let is_open = unsafe {
        libc::fcntl(fd, libc::F_GETFD) >= 0 && libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) >= 0
    };
    // SAFETY: it is open, it was left to us by number, and whoever tells the number tells it once.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// execve(2); returns the errno where that fails.
pub(crate) fn execute(path: &CStr, argv: &[CString], env: &[CString]) -> i32 {
    let pointers = |strings: &[CString]| {
        let ends = std::iter::once(std::ptr::null());
        strings.iter().map(|s| s.as_ptr()).chain(ends).collect::<Vec<_>>()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: C strings and arrays of them that end with a null pointer, all alive during the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOEXEC)
}

// --- what children inherit ---

/// Our own environment, entry by entry, whatever is in it.
pub(crate) fn environment() -> Vec<CString> {
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    let mut entries = Vec::new();
    // SAFETY: `environ` is null or an array of C strings that ends with a null pointer, and nobody changes it: setting
    // variables is unsafe, and nothing here does.
    unsafe {
        let mut at = environ;
        while !at.is_null() && !(*at).is_null() {
            entries.push(CStr::from_ptr(*at).to_owned());
            at = at.add(1);
        }
    }
    entries
}

/// The signals that we ignore now. Asked of the kernel itself: the C library would not tell about 32 and 33, which it
/// keeps for itself.
pub(crate) fn ignored_signals() -> Vec<i32> {
    let is_ignored = |signal: &i32| {
        // The kernel's structure begins with the handler, and is shorter than this everywhere.
        let mut old = [0u64; 8];
        let none: *const u64 = std::ptr::null();
        // SAFETY: asks only; the call writes into memory that is large enough.
        let result =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, *signal, none, old.as_mut_ptr(), 8usize) };
        result == 0 && old[0] == libc::SIG_IGN as u64
    };
    (1..=64).filter(is_ignored).collect()
}

/// A limit of open files.
#[derive(Clone, Copy)]
pub(crate) struct Limit(libc::rlimit);

impl std::fmt::Debug for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Limit({}, {})", self.0.rlim_cur, self.0.rlim_max)
    }
}

/// Our limit of open files as it is now.
pub(crate) fn descriptor_limit() -> Limit {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: fills in the structure, or leaves it alone.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    Limit(limit)
}

impl Limit {
    /// Never lower than it was.
    pub(crate) fn raise_to(&mut self, least: u64) {
        self.0.rlim_cur = self.0.rlim_cur.max(least);
        self.0.rlim_max = self.0.rlim_max.max(least);
    }

    /// Soft and hard.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        (self.0.rlim_cur, self.0.rlim_max)
    }

    pub(crate) fn of_numbers((soft, hard): (u64, u64)) -> Limit {
        Limit(libc::rlimit { rlim_cur: soft, rlim_max: hard })
    }

    pub(crate) fn as_kernel(&self) -> &libc::rlimit {
        &self.0
    }

    /// No open file can have this number.
    pub(crate) fn highest(&self) -> RawFd {
        RawFd::try_from(self.0.rlim_max).unwrap_or(RawFd::MAX)
    }

    fn set(&self) {
        // SAFETY: a plain system call on initialised memory. Where it is refused the limit stays as it was.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &self.0) };
    }
}

/// As many open files as the hard limit allows; where that is refused, at least as many as the children.
pub(crate) fn raise_own_descriptor_limit(children: &Limit) {
    children.set();
    let highest = libc::rlimit { rlim_cur: children.0.rlim_max, rlim_max: children.0.rlim_max };
    Limit(highest).set();
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

/// All groups of the process that connected a unix socket, as they were then: its effective one, and the others that it had
/// (unix(7), `SO_PEERGROUPS`). Nothing where the kernel does not say.
pub fn peer_groups(socket: BorrowedFd<'_>) -> Vec<u32> {
    let mut groups: Vec<u32> = Vec::new();
    if let Ok(known) = rustix::net::sockopt::socket_peercred(socket) {
        groups.push(known.gid.as_raw());
    }
    let mut others = vec![0 as libc::gid_t; 64];
    for _ in 0..2 {
        let mut bytes = std::mem::size_of_val(&others[..]) as libc::socklen_t;
        // SAFETY: the buffer has room for as many bytes as `bytes` says, and lives until the call is over.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                others.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let count = bytes as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.extend(&others[..count.min(others.len())]);
            break;
        }
        // Too small, and `bytes` says how much it takes.
        if io::Error::last_os_error().raw_os_error() != Some(libc::ERANGE) || count <= others.len() {
            break;
        }
        others.resize(count, 0);
    }
    groups
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

/// Gives the memory that the allocator keeps for later back to the system, where the allocator can. Any thread may call it.
pub fn release_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
