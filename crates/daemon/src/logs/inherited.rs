//! Paths that mean a descriptor: `/dev/stdout`, `/dev/fd/1`, `/proc/self/fd/2`, `/proc/1/fd/1` in a container.
//!
//! Opened by such a name a pipe or a terminal is ours alone to set up. Where the kernel refuses that (a socket has no name to open; a
//! terminal or a pipe of root's is closed to whom root has become) there is still the descriptor itself, which
//! whoever started us shares with us. Descriptors of our own making cannot be meant: those close on exec.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, Stat, fcntl_getfl, fstat, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, getppid, pidfd_getfd, pidfd_open};
use rustix::stdio::{stderr, stdin, stdout};

/// Standard input, output and error are everybody's.
const STANDARD: u32 = 3;

/// Which descriptor of ours this path means. The keeper's standard output is ours, too, and it may be process 1.
pub(super) fn number(path: &Path) -> Option<u32> {
    let text = path.to_str()?;
    let fd = match text {
        "/dev/stdin" => return Some(0),
        "/dev/stdout" => return Some(1),
        "/dev/stderr" => return Some(2),
        _ => match text.strip_prefix("/proc/") {
            None => text.strip_prefix("/dev/fd/")?,
            Some(rest) => {
                let (process, fd) = rest.split_once("/fd/")?;
                let is_ours = ["self", "thread-self"].contains(&process)
                    || [Some(getpid()), getppid()]
                        .map(|pid| pid.map(|pid| pid.to_string()))
                        .contains(&Some(process.into()));
                is_ours.then_some(fd)?
            }
        },
    };
    // Not `+1`, which the kernel would not understand either.
    fd.bytes().all(|digit| digit.is_ascii_digit()).then(|| fd.parse().ok())?
}

/// Opens what a descriptor is open on. The error is the kernel's, or says that there is no such descriptor for us.
pub(super) fn open(number: u32, flags: OFlags) -> io::Result<OwnedFd> {
    if number >= STANDARD && !was_left_open(number) {
        let text = format!("descriptor {number} was not left open by whoever started supervisord");
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    Ok(openat(CWD, format!("/proc/self/fd/{number}"), flags, Mode::empty())?)
}

/// The descriptor itself, if it can be written to.
pub(super) fn share(number: u32) -> io::Result<OwnedFd> {
    let fd = match number {
        0 => fcntl_dupfd_cloexec(stdin(), STANDARD as i32)?,
        1 => fcntl_dupfd_cloexec(stdout(), STANDARD as i32)?,
        2 => fcntl_dupfd_cloexec(stderr(), STANDARD as i32)?,
        _ => {
            pidfd_getfd(pidfd_open(getpid(), PidfdFlags::empty())?, number as i32, PidfdGetfdFlags::empty())?
        }
    };
    match fcntl_getfl(&fd)? & OFlags::ACCMODE {
        OFlags::RDONLY => Err(Errno::BADF.into()),
        _ => Ok(fd),
    }
}

/// Which of our standard descriptors is open on this very thing.
pub(super) fn same_as(other: &Stat) -> Option<u32> {
    let is_it = |fd: rustix::fd::BorrowedFd<'_>| {
        fstat(fd).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (other.st_dev, other.st_ino))
    };
    // Standard input last: it is the likeliest to be open for reading only.
    [(1, stdout()), (2, stderr()), (0, stdin())]
        .into_iter()
        .find(|(_, fd)| is_it(fd.as_fd()))
        .map(|(number, _)| number)
}

fn was_left_open(number: u32) -> bool {
    let Ok(info) = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else { return false };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & OFlags::CLOEXEC.bits() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_means_its_descriptor_and_others_none() {
        let keeper = format!("/proc/{}/fd/1", getppid().unwrap());
        for (path, expected) in [
            ("/dev/stdin", Some(0)),
            ("/dev/stdout", Some(1)),
            ("/dev/stderr", Some(2)),
            ("/dev/fd/1", Some(1)),
            ("/dev/fd/12", Some(12)),
            ("/proc/self/fd/2", Some(2)),
            ("/proc/thread-self/fd/2", Some(2)),
            (keeper.as_str(), Some(1)),
            ("/proc/4194305/fd/1", None),
            ("/dev/fd/+1", None),
            ("/dev/fd/", None),
            ("/dev/fd/1/x", None),
            ("/dev/stdout.log", None),
            ("/var/log/x", None),
        ] {
            assert_eq!(number(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_descriptor_of_our_own_making_is_no_log() {
        use std::os::fd::AsRawFd;
        let ours = std::fs::File::open("/dev/null").unwrap();
        let refused = open(ours.as_raw_fd() as u32, OFlags::WRONLY).unwrap_err();
        assert!(refused.to_string().contains("was not left open"), "{refused}");
        rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::empty()).unwrap();
        assert!(open(ours.as_raw_fd() as u32, OFlags::WRONLY).is_ok());
    }
}
