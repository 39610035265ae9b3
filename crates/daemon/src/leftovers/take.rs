//! Taking hold of a leftover: by a pidfd, so that it stays the one it is, and by the pipes that it writes to.
//!
//! In: an entry of the record. Out: what the keeper needs to treat it like a child of its own, and what could not be had. A
//! pipe is only opened if it is the very one that was written down: what a program has put in its place may be read by
//! somebody else. What the program wrote in the meantime is still in it; but while nobody held its reading end, a write was
//! an error to the program, and usually its end.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use provost_keeper::Pipes;
use rustix::fs::{OFlags, fstat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::record::Entry;

/// A leftover that is held.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) pidfd: OwnedFd,
}

/// Takes hold of the process, and of no other that may have its pid by now. The error is for people.
pub(crate) fn take(entry: &Entry) -> Result<Taken, String> {
    let gone = || "it has just ended".to_owned();
    let pid = Pid::from_raw(entry.process.pid).ok_or_else(gone)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|e| match e {
        Errno::SRCH => gone(),
        e => format!("the kernel gives no hold of it: {}", io::Error::from(e)),
    })?;
    // Looked at again now that it is held: from here on the pid is its own.
    if entry.process.lives() { Ok(Taken { pidfd }) } else { Err(gone()) }
}

impl Taken {
    /// Our ends of its output, and what is missing of it.
    pub(crate) fn pipes(&self, entry: &Entry) -> io::Result<(Pipes, Vec<String>)> {
        let mut missing = Vec::new();
        let mut open = |number: u32, name: &str, inode: u64| match (inode, output(entry, number, inode)) {
            (0, _) => None,
            (_, Ok(pipe)) => Some(pipe),
            (_, Err(why)) => {
                missing.push(format!("{name}: {why}"));
                None
            }
        };
        let [stdout, stderr] = entry.outputs;
        let (stdout, stderr) = (open(1, "standard output", stdout), open(2, "standard error", stderr));
        // There is always a first one: one that has nothing to say.
        let stdout = match stdout {
            Some(pipe) => pipe,
            None => pipe_with(PipeFlags::CLOEXEC)?.0,
        };
        Ok((Pipes { stdout, stderr }, missing))
    }

    /// Its standard input, which is a socket that others share.
    pub(crate) fn socket(&self) -> io::Result<OwnedFd> {
        Ok(pidfd_getfd(&self.pidfd, 0, PidfdGetfdFlags::empty())?)
    }
}

/// The pipes of a child as the record names them.
pub(crate) fn inodes(pipes: Option<&Pipes>) -> [u64; 2] {
    let inode = |fd: &OwnedFd| fstat(fd.as_fd()).map_or(0, |stat| stat.st_ino);
    let Some(Pipes { stdout, stderr }) = pipes else { return [0, 0] };
    [inode(stdout), stderr.as_ref().map_or(0, inode)]
}

fn output(entry: &Entry, number: u32, inode: u64) -> Result<OwnedFd, String> {
    let path = format!("/proc/{}/fd/{number}", entry.process.pid);
    let cannot = |e: io::Error| format!("cannot open {path}: {e}");
    let is_it = |meta: &Metadata| meta.file_type().is_fifo() && meta.ino() == inode;
    let elsewhere = || "it writes somewhere else now".to_owned();
    // Before it is opened: what it leads to may be a device that notices.
    if !is_it(&std::fs::metadata(&path).map_err(cannot)?) {
        return Err(elsewhere());
    }
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(cannot)?;
    if is_it(&file.metadata().map_err(cannot)?) { Ok(file.into()) } else { Err(elsewhere()) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Child, Command, Stdio};

    use super::super::witness::{Identity, Place};
    use super::*;

    fn writer() -> (Child, Entry) {
        // In a subshell: the shell itself would write to standard error by way of its standard output.
        let script = "echo early; (echo trouble >&2); exec sleep 1000";
        let mut command = Command::new("sh");
        let child =
            command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let inode = |fd: &dyn AsFd| fstat(fd.as_fd()).unwrap().st_ino;
        let outputs = [inode(child.stdout.as_ref().unwrap()), inode(child.stderr.as_ref().unwrap())];
        let process = Identity::of(child.id() as i32).unwrap();
        let (group, name, place) = ("g".into(), "n".into(), Place::here().unwrap());
        (child, Entry { group, name, place, process, keeper: process, outputs })
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_it_wrote_while_nobody_read_is_read_by_whoever_takes_it_over() {
        let (mut child, entry) = writer();
        let (theirs, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        assert_eq!(inodes(None), [0, 0]);
        // It has written both lines when the second one is there.
        let mut fds = [rustix::event::PollFd::new(&err, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None).unwrap();
        drop(theirs);
        let (pipes, missing) = take(&entry).unwrap().pipes(&entry).unwrap();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(inodes(Some(&pipes)), entry.outputs);
        let mut bytes = [0; 16];
        let n = File::from(pipes.stdout).read(&mut bytes).unwrap();
        assert_eq!(&bytes[..n], b"early\n");
        end(child);
    }

    #[test]
    fn a_pipe_of_its_own_is_left_alone() {
        let (child, entry) = writer();
        let elsewhere = Entry { outputs: [entry.outputs[0] + 1_000_000, 0], ..entry.clone() };
        let (pipes, missing) = take(&entry).unwrap().pipes(&elsewhere).unwrap();
        assert_eq!(missing, ["standard output: it writes somewhere else now"]);
        assert_eq!(File::from(pipes.stdout).read(&mut [0]).unwrap(), 0, "nothing, and its end");
        end(child);
    }

    #[test]
    fn who_has_reused_a_pid_is_not_taken() {
        let (child, entry) = writer();
        let older = Identity { started: entry.process.started - 1, ..entry.process };
        assert_eq!(take(&Entry { process: older, ..entry }).unwrap_err(), "it has just ended");
        end(child);
    }
}
