//! A sink for whole lines: syslog, here or elsewhere, and the journal of systemd.
//!
//! In: lines, each with its newline. What is not taken of them is offered again from where it was left: a line that is too long for
//! one message goes on in the next.

use std::os::fd::BorrowedFd;

use memchr::memchr;
use provost_config::SyslogTo;
use provost_core::Mono;

use super::super::wire::{Entry, Journald, Refused, Syslog, Voice};
use super::Trouble;
use crate::clock;

#[derive(Debug)]
pub(crate) struct Wire(Kind);

#[derive(Debug)]
enum Kind {
    Syslog { to: Syslog, voice: Voice, process: String },
    Journal { to: Journald, entry: Entry, pid: Option<u32> },
}

/// Whose lines they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Speaker {
    pub(crate) process: String,
    pub(crate) group: String,
    pub(crate) channel: &'static str,
}

impl Wire {
    /// The name by which the daemon was started stands for programs that have no tag.
    pub(super) fn syslog(to: &SyslogTo, speaker: &Speaker) -> Wire {
        let voice = Voice::new(to, &ident());
        Wire(Kind::Syslog { to: Syslog::new(&to.address), voice, process: speaker.process.clone() })
    }

    /// For the daemon's own lines.
    pub(super) fn own() -> Wire {
        let to = Syslog::new(&SyslogTo::default().address);
        Wire(Kind::Syslog { to, voice: Voice::own(&ident()), process: String::new() })
    }

    pub(super) fn journal(to: &SyslogTo, speaker: &Speaker) -> Wire {
        let entry = Entry::new(to, &speaker.process, &speaker.group, speaker.channel);
        Wire(Kind::Journal { to: Journald::new(), entry, pid: None })
    }

    /// Sends line after line; how many bytes are done with.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, Result<(), Trouble>) {
        let mut done = 0;
        while done < lines.len() {
            let rest = &lines[done..];
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            match self.send(&rest[..end]) {
                Ok(taken) if taken >= end => done += (end + 1).min(rest.len()),
                Ok(taken) => done += taken,
                Err(Refused::NoRoom) => return (done, Ok(())),
                Err(Refused::Trouble(e)) => return (done, Err(Trouble::Outage(e))),
                Err(Refused::Nobody(e)) => return (done, Err(Trouble::Write(e))),
            }
        }
        (done, Ok(()))
    }

    fn send(&mut self, line: &[u8]) -> Result<usize, Refused> {
        let now = clock::now();
        match &mut self.0 {
            Kind::Syslog { to, voice, process } => to.send(voice, process, line, now),
            Kind::Journal { to, entry, pid } => to.send(entry, *pid, line, now).map(|()| line.len()),
        }
    }

    /// The child whose lines come from here on; a grandchild of an earlier one may still say something.
    pub(super) fn is_of(&mut self, child: i32) {
        if let Kind::Journal { pid, .. } = &mut self.0 {
            *pid = u32::try_from(child).ok().filter(|pid| *pid > 0);
        }
    }

    /// Goes on with what was taken and is not sent yet.
    pub(super) fn push(&mut self) -> Result<(), Trouble> {
        let pushed = match &mut self.0 {
            Kind::Syslog { to, .. } => to.push(clock::now()),
            Kind::Journal { .. } => Ok(()),
        };
        match pushed {
            Ok(()) | Err(Refused::NoRoom) => Ok(()),
            Err(Refused::Trouble(e)) => Err(Trouble::Outage(e)),
            Err(Refused::Nobody(e)) => Err(Trouble::Write(e)),
        }
    }

    /// Whether it has taken something that is not sent yet.
    pub(super) fn holds(&self) -> bool {
        match &self.0 {
            Kind::Syslog { to, .. } => to.holds(),
            Kind::Journal { .. } => false,
        }
    }

    /// Whether somebody who is away is called again, line or no line.
    pub(in crate::logs) fn calls_again(&self) -> bool {
        matches!(&self.0, Kind::Syslog { to, .. } if to.is_connection())
    }

    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Kind::Syslog { to, .. } => to.waits_for(),
            Kind::Journal { to, .. } => to.waits_for(),
        }
    }

    pub(super) fn try_again(&self) -> Option<Mono> {
        match &self.0 {
            Kind::Syslog { to, .. } => to.try_again(),
            Kind::Journal { to, .. } => to.try_again(),
        }
    }
}

/// The name of this program, as it was called.
fn ident() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&name).file_name();
    name.map_or_else(|| "supervisord".to_owned(), |name| name.to_string_lossy().into_owned())
}
