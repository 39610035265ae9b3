//! What the keeper tells a new brain before anything else: who it is, what it holds, which children live; and how the
//! new core learns of it.
//!
//! In: the first messages of the link. Out: the past, as facts that the boot asks for, and as inputs to the loop. Not
//! here: what to make of them. That is the core's affair.

use std::io;
use std::os::fd::OwnedFd;

use provost_config::{LogLevel, signal_name};
use provost_core::{ChildId, Input};
use provost_keeper::{FromKeeper, Hello, Link, LinkError, Pipes, Stamp, ToKeeper};
use rustix::event::{PollFd, PollFlags, poll};

use super::Refusal;
use crate::clock;
use crate::kept::{self, StateError, Understood, Versions};
use crate::logs::MainLog;
use crate::logs::auto::AutoLogs;
use crate::memory::{self, Recalled};
use crate::perform::Adoptable;
use crate::run::Loop;

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
    /// Output of children that are no more, with their numbers and labels.
    lingering: Vec<(u32, String, Option<Pipes>)>,
}

/// Listens until the keeper has told everything.
pub(super) fn hear(link: &mut Link) -> Result<Past, LinkError> {
    let (mut held, mut children, mut lingering) = (Vec::new(), Vec::new(), Vec::new());
    let mut hello = None;
    loop {
        match link.receive()? {
            Some(FromKeeper::Hello(h)) => hello = Some(h),
            Some(FromKeeper::Held { name, fd }) => held.push((name, fd)),
            Some(FromKeeper::Child { id, pid, started, label, predecessor, highest, pipes }) => {
                children.push(OldChild { id, pid, started, label, predecessor, highest, pipes });
            }
            Some(FromKeeper::Lingering { id, label, pipes }) => lingering.push((id, label, pipes)),
            Some(FromKeeper::Begin) => {
                let Some(hello) = hello else { return Err(LinkError::Closed) };
                return Ok(Past { hello, held, children, lingering });
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
    /// No brain of this keeper has been up before.
    pub(super) fn is_first(&self) -> bool {
        !self.hello.seasoned
    }

    /// Another brain has died, or made room, and programs may run: this one goes on where it ended.
    pub(super) fn resumes(&self) -> bool {
        self.hello.previous.is_some() || self.hello.takes_over
    }

    pub(super) fn in_background(&self) -> bool {
        self.hello.detached
    }

    /// A number that was given to no child, living or promised.
    pub(super) fn first_free_child(&self) -> u32 {
        let given = self.children.iter().map(|child| child.highest);
        given.chain(self.lingering.iter().map(|(id, ..)| *id)).max().unwrap_or(0) + 1
    }

    /// What an earlier brain wrote down, as far as it can be understood: nothing can be asked of that one any more. There is
    /// nothing where it had not come so far, and then it had started nothing.
    pub(super) fn recall(&self, log: &mut MainLog) -> memory::Past {
        let Some((_, fd)) = self.held.iter().find(|(name, _)| name == memory::HELD_AS) else {
            return memory::Past::default();
        };
        let (past, refused) = memory::recall_some(fd, &Versions::OURS.memory);
        for e in refused {
            self.is_lost(
                &e,
                "what runs is kept, and what it says of others is as if they had never been started",
                log,
            );
        }
        past
    }

    /// The same, for one that may still leave everything to the brain that lives: all or nothing.
    pub(super) fn recall_all(&self, understood: &Understood) -> Result<memory::Past, StateError> {
        let memory = self.held.iter().find(|(name, _)| name == memory::HELD_AS);
        memory.map_or_else(|| Ok(memory::Past::default()), |(_, fd)| memory::recall(fd, understood))
    }

    /// Adds the automatic log files of an earlier brain to these.
    pub(super) fn resume_auto_logs(
        &mut self,
        auto_logs: &mut AutoLogs,
        understood: &Understood,
    ) -> Result<(), StateError> {
        let Some(fd) = kept::take(&mut self.held, AutoLogs::HELD_AS) else { return Ok(()) };
        auto_logs.resume(&kept::read(fd, AutoLogs::HELD_AS)?, understood)
    }

    /// Something of what an earlier brain has kept is of no use.
    pub(super) fn is_lost(&self, e: &StateError, consequence: &str, log: &mut MainLog) {
        log.write(LogLevel::Critical, &format!("cannot go on with all that was: {e}; {consequence}"));
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
        let pause = match previous.held_back_ms {
            0 => String::new(),
            ms => format!(" after a pause of {ms} ms"),
        };
        log.write(
            LogLevel::Critical,
            &format!(
                "the brain (pid {}) has ended unexpectedly ({how}{again}); a new one goes on{pause}, {} programs were kept running",
                previous.pid,
                self.children.len()
            ),
        );
    }

    /// What the core is to hear of everything that lives and of everything that was written down.
    pub(super) fn inputs<'a>(&'a self, memories: &'a [Recalled]) -> impl Iterator<Item = Input> + 'a {
        // One that has taken another's place follows from the end of that one.
        let firsts = self.children.iter().filter(|child| child.predecessor.is_none());
        let children = firsts.map(|child| {
            let (group, process) = child.label.split_once(':').unwrap_or((&child.label, ""));
            Input::Adopt {
                group: group.to_owned(),
                process: process.to_owned(),
                child: ChildId(child.id),
                pid: child.pid,
                started: clock::of(child.started),
            }
        });
        let memories = memories.iter().cloned();
        children.chain(memories.map(|Recalled { group, process, known: memory }| Input::Recall {
            group,
            process,
            memory: Box::new(memory),
        }))
    }

    /// Tells the core of everything that lives and of everything that was written down; from here on its own memory is
    /// the one that counts.
    pub(super) fn take_up(mut self, memories: memory::Past, main: &mut Loop) -> Result<(), Refusal> {
        main.inputs.extend(self.inputs(&memories.processes));
        // What they said is older than what is said by those who live.
        self.lingering.sort_by_key(|(id, ..)| *id);
        for (id, label, pipes) in self.lingering {
            if let Some(pipes) = pipes {
                main.hands.linger(ChildId(id), &label, pipes)?;
            }
        }
        for child in self.children {
            let old = Adoptable { pid: child.pid, started: clock::of(child.started), pipes: child.pipes };
            main.hands.adoptable.insert(ChildId(child.id), old);
        }
        main.work_off()?;
        if let Some(ending) = memories.ending {
            main.hands.memory.remember_ending(ending).map_err(no_memory)?;
        }
        main.hands.close_unused_sockets()?;
        // Only now the new memory knows all that the old one knew, and may take its place.
        let fd = main.hands.memory.share().map_err(no_memory)?;
        main.hands.link.send(ToKeeper::Hold { name: memory::HELD_AS.to_owned(), fd })?;
        main.inputs.extend(memories.ending.map(Input::RecallEnding));
        Ok(())
    }
}

pub(super) fn no_memory(e: io::Error) -> Refusal {
    Refusal::system(format!("cannot make a memory for a later brain: {e}"))
}
