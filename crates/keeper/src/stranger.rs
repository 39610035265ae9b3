//! Strangers: programs that a dead keeper left behind and this one has taken over. They are not our children.
//!
//! The kernel does not tell us of their end by wait(2), and their pid may be somebody else's the moment their parent has
//! reaped them. So each is held by a pidfd, which the brain has opened and checked: signals go through it, and its end wakes
//! our poll. How it ended the kernel tells once it is reaped (`PIDFD_GET_INFO`, Linux 6.15). Before that, and where its
//! new parent never reaps, the last field of `/proc/PID/stat` of the zombie may tell; else it is unknown, and said to be.
//!
//! In: a pidfd and the start time that goes with it. Out: ends, for the table. Not here: which processes may be taken over.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open, readlink};
use rustix::io::Errno;

use crate::protocol::{Target, WaitStatus};

/// How often to look at a zombie whose parent takes its time, and for how long.
const LOOK_NS: u64 = 50_000_000;
const LOOKS_NS: u64 = 1_000_000_000;

/// `PIDFD_SIGNAL_PROCESS_GROUP`, Linux 6.9.
const TO_THE_GROUP: libc::c_uint = 4;
/// `PIDFD_GET_INFO`: reads and writes 64 bytes.
const GET_INFO: u32 = 0xC040_FF0B;
/// `PIDFD_INFO_EXIT`, in the first word of those: asked for, and told.
const EXIT: u64 = 8;

/// All that were taken over and have not ended, by the brain's number.
#[derive(Debug, Default)]
pub(crate) struct Strangers(BTreeMap<u32, Stranger>);

#[derive(Debug)]
struct Stranger {
    pid: i32,
    /// Field 22 of its stat, which tells it from whoever has its pid later.
    started: u64,
    pidfd: OwnedFd,
    zombie: Option<Zombie>,
}

/// It has ended, and nobody has reaped it yet.
#[derive(Debug, Clone, Copy)]
struct Zombie {
    since_ns: u64,
    next_look_ns: u64,
    status: Option<WaitStatus>,
}

impl Strangers {
    pub(crate) fn add(&mut self, id: u32, pid: i32, started: u64, pidfd: OwnedFd) {
        self.0.insert(id, Stranger { pid, started, pidfd, zombie: None });
    }

    /// All, as they were added.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, i32, u64, BorrowedFd<'_>)> {
        self.0.iter().map(|(id, one)| (*id, one.pid, one.started, one.pidfd.as_fd()))
    }

    pub(crate) fn are_there(&self) -> bool {
        !self.0.is_empty()
    }

    /// Signals the stranger with this number; nothing where there is none.
    pub(crate) fn signal(&self, id: u32, signal: i32, target: Target) -> Option<Result<(), i32>> {
        let stranger = self.0.get(&id)?;
        Some(signal_by_pidfd(stranger.pidfd.as_fd(), stranger.pid, signal, target))
    }

    /// What poll is to wake up for.
    pub(crate) fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        // The end of a zombie is told by POLLHUP, which needs no asking; POLLIN would be told all the time.
        let wanted = |s: &Stranger| if s.zombie.is_some() { PollFlags::empty() } else { PollFlags::IN };
        fds.extend(self.0.values().map(|stranger| PollFd::new(&stranger.pidfd, wanted(stranger))));
    }

    /// When to call [`Strangers::ended`] at the latest.
    pub(crate) fn next_look_ns(&self) -> Option<u64> {
        self.0.values().filter_map(|stranger| Some(stranger.zombie?.next_look_ns)).min()
    }

    /// Takes out those that have ended, and says how.
    pub(crate) fn ended(&mut self, now_ns: u64) -> Vec<(u32, WaitStatus)> {
        let mut ended = Vec::new();
        self.0.retain(|id, stranger| match stranger.end(now_ns) {
            None => true,
            Some(status) => {
                ended.push((*id, status));
                false
            }
        });
        ended
    }
}

impl Stranger {
    fn end(&mut self, now_ns: u64) -> Option<WaitStatus> {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        // Interrupted: whoever called us comes again.
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).ok()?;
        let told = fds[0].revents();
        if told.contains(PollFlags::HUP) {
            let noticed = self.zombie.and_then(|zombie| zombie.status);
            return Some(exit_info(&self.pidfd).or(noticed).unwrap_or(WaitStatus::UNKNOWN));
        }
        if !told.contains(PollFlags::IN) {
            return None;
        }
        let seen = look(self.pid, self.started);
        let zombie = self.zombie.get_or_insert(Zombie { since_ns: now_ns, next_look_ns: 0, status: None });
        zombie.next_look_ns = now_ns + LOOK_NS;
        match seen {
            Seen::Zombie(status) => zombie.status = status.or(zombie.status),
            // Reaped, on a kernel that has no POLLHUP for it.
            Seen::Gone => zombie.since_ns = zombie.since_ns.min(now_ns.saturating_sub(LOOKS_NS)),
        }
        let enough = now_ns.saturating_sub(zombie.since_ns) >= LOOKS_NS;
        enough.then(|| exit_info(&self.pidfd).or(zombie.status).unwrap_or(WaitStatus::UNKNOWN))
    }
}

/// Signals a process that is not our child, or its process group if it leads one, and nobody else whatever has become
/// of its pid. The error is an errno.
pub fn signal_by_pidfd(pidfd: BorrowedFd<'_>, pid: i32, signal: i32, target: Target) -> Result<(), i32> {
    if target == Target::Process {
        return send(pidfd, signal, 0);
    }
    match send(pidfd, signal, TO_THE_GROUP) {
        // It leads no group.
        Err(libc::ESRCH) => send(pidfd, signal, 0),
        // Before Linux 6.9: the group keeps the number as long as its leader is there.
        Err(libc::EINVAL) => {
            send(pidfd, 0, 0)?;
            let leads = rustix::process::Pid::from_raw(pid)
                .is_some_and(|id| rustix::process::getpgid(Some(id)) == Ok(id));
            if leads { crate::sys::kill(-pid, signal) } else { send(pidfd, signal, 0) }
        }
        other => other,
    }
}

fn send(pidfd: BorrowedFd<'_>, signal: i32, flags: libc::c_uint) -> Result<(), i32> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: numbers, and a null pointer, which stands for what kill(2) would send.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, flags) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)),
    }
}

/// `struct pidfd_info` as Linux 6.13 has it; later ones are longer and answer this, too.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

const _: () = assert!(std::mem::size_of::<Info>() == 64);

/// How it ended, from the kernel: only after it was reaped, and only a kernel that keeps it.
fn exit_info(pidfd: &OwnedFd) -> Option<WaitStatus> {
    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: the request says that it reads and writes 64 bytes, and that is what there is.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO as _, &mut info) };
    (result == 0 && info.mask & EXIT != 0).then_some(WaitStatus(info.exit_code))
}

enum Seen {
    /// With its status where we may know it.
    Zombie(Option<WaitStatus>),
    Gone,
}

fn look(pid: i32, started: u64) -> Seen {
    let Some((state, since, status)) = stat(pid) else { return Seen::Gone };
    if since != started {
        return Seen::Gone;
    }
    // Whoever may not know it reads 0, the status of a success. Whether we may is asked of what is guarded alike.
    let may_know = readlink(format!("/proc/{pid}/exe"), Vec::new()) != Err(Errno::ACCESS);
    Seen::Zombie((state == b'Z' && may_know).then_some(WaitStatus(status)))
}

/// State, start time and exit status out of `/proc/PID/stat`: fields 3, 22 and 52, behind a name that may be anything.
fn stat(pid: i32) -> Option<(u8, u64, i32)> {
    let file = open(format!("/proc/{pid}/stat"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut bytes = [0; 1024];
    let n = rustix::io::read(&file, &mut bytes).ok()?;
    let end = bytes[..n].iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&bytes[end + 1..n]).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let since = fields.nth(22 - 4)?.parse().ok()?;
    let status = fields.nth(52 - 23)?.parse().ok()?;
    Some((state, since, status))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;
    use crate::sys::now;

    /// Somebody else's child, as far as `Strangers` knows: they never wait for it.
    fn stranger(script: &str) -> (Child, Strangers) {
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let pid = child.id() as i32;
        let pidfd = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
        let mut strangers = Strangers::default();
        strangers.add(7, pid, stat(pid).unwrap().1, pidfd);
        (child, strangers)
    }

    fn wait_for_zombie(strangers: &Strangers) {
        let mut fds = Vec::new();
        strangers.watch(&mut fds);
        assert_eq!(poll(&mut fds, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })), Ok(1));
    }

    #[test]
    fn a_stranger_lives_until_it_is_reaped_and_its_status_is_known() {
        let (mut child, mut strangers) = stranger("exec sleep 1000");
        assert!(strangers.ended(now().mono_ns).is_empty() && strangers.next_look_ns().is_none());
        assert_eq!(strangers.signal(7, libc::SIGCONT, Target::Process), Some(Ok(())));
        assert_eq!(strangers.signal(8, libc::SIGCONT, Target::Process), None);
        // It leads no group: nobody but itself is signalled.
        assert_eq!(strangers.signal(7, libc::SIGTERM, Target::Group), Some(Ok(())));
        wait_for_zombie(&strangers);
        let at = now().mono_ns;
        assert!(strangers.ended(at).is_empty(), "a zombie may still tell how it ended");
        assert_eq!(strangers.next_look_ns(), Some(at + LOOK_NS));
        child.wait().unwrap();
        assert_eq!(strangers.ended(at), [(7, WaitStatus(libc::SIGTERM))]);
        assert!(!strangers.are_there());
    }

    #[test]
    fn a_zombie_that_nobody_reaps_has_ended_after_a_second() {
        let (mut child, mut strangers) = stranger("exit 3");
        wait_for_zombie(&strangers);
        let at = now().mono_ns;
        assert!(strangers.ended(at).is_empty());
        assert!(strangers.ended(at + LOOKS_NS - 1).is_empty());
        assert_eq!(strangers.ended(at + LOOKS_NS), [(7, WaitStatus(3 << 8))]);
        child.wait().unwrap();
    }

    #[test]
    fn without_a_witness_the_status_is_unknown_and_nothing_else() {
        let (mut child, _) = stranger("exit 0");
        child.wait().unwrap();
        assert!(matches!(look(child.id() as i32, 1), Seen::Gone));
        let us = std::process::id() as i32;
        assert!(matches!(look(us, stat(us).unwrap().1 + 1), Seen::Gone), "it took another one for it");
        assert_eq!((WaitStatus::UNKNOWN.code(), WaitStatus::UNKNOWN.signal()), (None, None));
    }
}
