//! The journal, in systemd's own protocol: a line is an entry with fields, and need not be text.
//!
//! Beside `MESSAGE` an entry says where it is from: `SYSLOG_IDENTIFIER` (the tag, or the name of the process), `PRIORITY`,
//! `SYSLOG_FACILITY`, `SUPERVISOR_PROCESS_NAME`, `SUPERVISOR_GROUP_NAME` and `SUPERVISOR_CHANNEL`. journald adds what it sees itself,
//! which is us; with `OBJECT_PID` it adds the same about the program, if we are root. The severity is that of the configuration for both
//! outputs: most programs write everything to standard error, and an entry is no error for that.
//!
//! What is too long for a datagram is handed over in a sealed memfd (systemd, "Native Journal Protocol").

use std::fs::File;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use provost_config::SyslogTo;
use provost_core::{Mono, Now};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, send, sendmsg};

use super::frame::quietly;
use super::local::LocalSocket;
use super::{Refused, journal_socket};

/// The fields that all entries of a channel share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::logs) struct Entry(Vec<u8>);

impl Entry {
    /// `channel` is `stdout` or `stderr`.
    pub(in crate::logs) fn new(to: &SyslogTo, process: &str, group: &str, channel: &str) -> Entry {
        let tag = to.tag.as_deref().filter(|tag| !tag.is_empty());
        let mut entry = Entry(Vec::new());
        entry.push("SYSLOG_IDENTIFIER", tag.unwrap_or(process).as_bytes());
        entry.push("PRIORITY", to.severity.to_string().as_bytes());
        entry.push("SYSLOG_FACILITY", to.facility.to_string().as_bytes());
        entry.push("SUPERVISOR_PROCESS_NAME", process.as_bytes());
        entry.push("SUPERVISOR_GROUP_NAME", group.as_bytes());
        entry.push("SUPERVISOR_CHANNEL", channel.as_bytes());
        entry
    }

    fn push(&mut self, name: &str, value: &[u8]) {
        push(&mut self.0, name, value);
    }
}

#[derive(Debug)]
pub(in crate::logs) struct Journald {
    socket: LocalSocket,
    entry: Vec<u8>,
}

impl Journald {
    /// Connects when it has something to say.
    pub(in crate::logs) fn new() -> Journald {
        Journald::at(journal_socket())
    }

    /// The same for another socket.
    pub(in crate::logs) fn at(path: &Path) -> Journald {
        Journald { socket: LocalSocket::new(path), entry: Vec::new() }
    }

    /// Takes a line, without its newline, or nothing of it.
    pub(in crate::logs) fn send(
        &mut self,
        entry: &Entry,
        pid: Option<u32>,
        line: &[u8],
        now: Now,
    ) -> Result<(), Refused> {
        let Journald { socket, entry: bytes } = self;
        bytes.clear();
        bytes.extend_from_slice(&entry.0);
        if let Some(pid) = pid {
            push(bytes, "OBJECT_PID", pid.to_string().as_bytes());
        }
        push(bytes, "MESSAGE", line);
        socket.say(now.mono, |to| match send(to, bytes, quietly()) {
            Err(Errno::MSGSIZE | Errno::NOBUFS) => hand_over(to.as_fd(), bytes),
            done => done.map(drop),
        })
    }

    pub(in crate::logs) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.socket.waits_for()
    }

    pub(in crate::logs) fn try_again(&self) -> Option<Mono> {
        self.socket.try_again()
    }
}

/// Only a line feed cannot stand behind an equals sign; a value that has one comes with its length.
fn push(entry: &mut Vec<u8>, name: &str, value: &[u8]) {
    entry.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value);
    entry.push(b'\n');
}

fn hand_over(to: BorrowedFd<'_>, entry: &[u8]) -> Result<(), Errno> {
    let memory = sealed(entry)?;
    let fds = [memory.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)), "there is space for one descriptor");
    sendmsg(to, &[IoSlice::new(&[])], &mut control, quietly()).map(drop)
}

/// Memory that nobody can change any more, as journald insists.
fn sealed(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("journal-entry", flags)?);
    file.write_all(bytes).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use rustix::fs::fcntl_get_seals;
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    use super::*;
    use crate::clock;
    use crate::logs::scene::Dir;

    fn journal(dir: &Dir) -> (UnixDatagram, Journald) {
        let socket = UnixDatagram::bind(dir.file("socket")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        (socket, Journald::at(&dir.file("socket")))
    }

    fn entry() -> Entry {
        Entry::new(&SyslogTo::default(), "web_00", "web", "stderr")
    }

    #[test]
    fn an_entry_says_where_its_line_is_from() {
        let dir = Dir::new();
        let (socket, mut journald) = journal(&dir);
        journald.send(&entry(), Some(7), b"bad \xff, tab \t, zero \0", clock::now()).unwrap();
        let to = SyslogTo { facility: 16, severity: 3, tag: Some("shop".to_owned()), ..SyslogTo::default() };
        journald.send(&Entry::new(&to, "web_00", "web", "stdout"), None, b"a\nb", clock::now()).unwrap();
        let mut bytes = [0; 1024];
        let n = socket.recv(&mut bytes).unwrap();
        let expected = b"SYSLOG_IDENTIFIER=web_00\nPRIORITY=6\nSYSLOG_FACILITY=1\nSUPERVISOR_PROCESS_NAME=web_00\n\
            SUPERVISOR_GROUP_NAME=web\nSUPERVISOR_CHANNEL=stderr\nOBJECT_PID=7\nMESSAGE=bad \xff, tab \t, zero \0\n";
        assert_eq!(&bytes[..n], expected);
        let n = socket.recv(&mut bytes).unwrap();
        let expected =
            b"SYSLOG_IDENTIFIER=shop\nPRIORITY=3\nSYSLOG_FACILITY=16\nSUPERVISOR_PROCESS_NAME=web_00\n\
            SUPERVISOR_GROUP_NAME=web\nSUPERVISOR_CHANNEL=stdout\nMESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n";
        assert_eq!(&bytes[..n], expected);
    }

    #[test]
    fn what_is_too_long_for_a_datagram_comes_in_sealed_memory() {
        let dir = Dir::new();
        let (socket, mut journald) = journal(&dir);
        let line = "0123456789".repeat(500_000);
        journald.send(&entry(), None, line.as_bytes(), clock::now()).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(&socket, &mut [], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        assert_eq!(received.bytes, 0);
        let Some(RecvAncillaryMessage::ScmRights(mut fds)) = control.drain().next() else {
            panic!("no descriptor came");
        };
        let memory = File::from(fds.next().unwrap());
        let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        assert_eq!(fcntl_get_seals(&memory).unwrap(), all);
        let mut bytes = vec![0; memory.metadata().unwrap().len() as usize];
        std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, 0).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("SYSLOG_IDENTIFIER=web_00\n"));
        assert!(text.ends_with(&format!("\nMESSAGE={line}\n")));
    }

    #[test]
    fn a_full_journal_is_waited_for_and_a_missing_one_is_not() {
        let dir = Dir::new();
        assert!(matches!(
            Journald::at(&dir.file("socket")).send(&entry(), None, b"lost", clock::now()),
            Err(Refused::Nobody(_))
        ));
        let (_socket, mut journald) = journal(&dir);
        let refused = (0..100_000).find_map(|_| journald.send(&entry(), None, b"x", clock::now()).err());
        assert!(matches!(refused, Some(Refused::NoRoom)) && journald.waits_for().is_some());
        // What is handed over waits for the same room.
        let long = vec![b'x'; 5_000_000];
        assert!(matches!(journald.send(&entry(), None, &long, clock::now()), Err(Refused::NoRoom)));
    }
}
