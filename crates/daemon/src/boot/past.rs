//! What the keeper tells a new brain before anything else: who it is, what it holds, which children live.

use std::os::fd::OwnedFd;

use provost_config::{LogLevel, signal_name};
use provost_keeper::{FromKeeper, Hello, Link, LinkError, Pipes, Stamp};
use rustix::event::{PollFd, PollFlags, poll};

use crate::logs::MainLog;
use crate::memory;

/// A child of an earlier brain.
#[derive(Debug)]
pub(super) struct OldChild {
    pub(super) id: u32,
    pub(super) pid: i32,
    pub(super) started: Stamp,
    /// `group:process`.
    pub(super) label: String,
    pub(super) predecessor: Option<u32>,
    pub(super) highest: u32,
    pub(super) pipes: Option<Pipes>,
}

#[derive(Debug)]
pub(super) struct Past {
    pub(super) hello: Hello,
    pub(super) held: Vec<(String, OwnedFd)>,
    pub(super) children: Vec<OldChild>,
}

/// Listens until the keeper has told everything.
pub(super) fn hear(link: &mut Link) -> Result<Past, LinkError> {
    let (mut held, mut children) = (Vec::new(), Vec::new());
    let mut hello = None;
    loop {
        match link.receive()? {
            Some(FromKeeper::Hello(h)) => hello = Some(h),
            Some(FromKeeper::Held { name, fd }) => held.push((name, fd)),
            Some(FromKeeper::Child { id, pid, started, label, predecessor, highest, pipes }) => {
                children.push(OldChild { id, pid, started, label, predecessor, highest, pipes });
            }
            Some(FromKeeper::Begin) => {
                let Some(hello) = hello else { return Err(LinkError::Closed) };
                return Ok(Past { hello, held, children });
            }
            // Nothing else comes before `Begin`.
            Some(_) => {}
            None => {
                // An interrupted poll is a short one.
                let _ = poll(&mut [PollFd::new(link, PollFlags::IN)], None);
            }
        }
    }
}

impl Past {
    /// What an earlier brain wrote down.
    pub(super) fn recall(&self) -> memory::Past {
        let memory = self.held.iter().find(|(name, _)| name == memory::HELD_AS);
        memory.map_or_else(memory::Past::default, |(_, fd)| memory::recall(fd))
    }

    /// Tells the log why there is a new brain, if there should not have been one.
    pub(super) fn report(&self, log: &mut MainLog) {
        let Some(previous) = self.hello.previous else { return };
        let how = match (previous.status.code(), previous.status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("terminated by {}", signal_name(signal)),
            (None, None) => "unknown status".to_owned(),
        };
        let again = match previous.in_a_row {
            1 => String::new(),
            n => format!(", {n} times in a row"),
        };
        log.write(
            LogLevel::Critical,
            &format!(
                "the brain (pid {}) has ended unexpectedly ({how}{again}); a new one goes on, {} programs were kept running",
                previous.pid,
                self.children.len()
            ),
        );
    }
}
