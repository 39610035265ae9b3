//! What `why` would tell of a process, from books of the referee's own.
//!
//! In: births, ends, stops and signals, as the world and the people made them. Out: whether that is what is written down.

use std::collections::VecDeque;
use std::sync::Arc;

use provost_core::{By, ExitStatus, History, MOST_LIVES, Wall};

/// Who wanted it; `None` inside: everything stops.
type Wanted = Option<Option<Arc<By>>>;

#[derive(Debug, Default)]
pub(crate) struct Told {
    lives: VecDeque<Life>,
    pub(super) attempts: u32,
    pub(super) restarts: u32,
    pub(crate) stopper: Wanted,
    /// SIGKILL, as it did not stop.
    pub(super) killed: bool,
    /// A person's signal to the child.
    pub(crate) sent: Option<(i32, Option<Arc<By>>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Life {
    pid: Option<i32>,
    status: Option<ExitStatus>,
    ended: Wall,
    stopper: Wanted,
    killed: bool,
    sent: Option<(i32, Option<Arc<By>>)>,
}

impl Told {
    /// As a later brain reads it.
    pub(super) fn recalled(history: &History) -> Told {
        Told {
            lives: lives(history),
            attempts: history.attempts,
            restarts: history.restarts,
            stopper: history.stopper.as_ref().map(|wish| wish.by.clone()),
            killed: history.killed,
            sent: history.sent.as_ref().map(|sent| (sent.signal, sent.wish.by.clone())),
        }
    }

    /// Another child is wanted, or has come.
    pub(super) fn begins(&mut self) {
        self.attempts += 1;
        (self.killed, self.sent) = (false, None);
    }

    pub(super) fn ends(&mut self, pid: Option<i32>, status: Option<ExitStatus>, ended: Wall) {
        let (killed, sent) = (std::mem::take(&mut self.killed), self.sent.take());
        self.lives.push_back(Life { pid, status, ended, stopper: self.stopper.clone(), killed, sent });
        while self.lives.len() > MOST_LIVES {
            self.lives.pop_front();
        }
    }

    pub(super) fn is_in(&self, history: &History) -> bool {
        let known = Told::recalled(history);
        (known.attempts, known.restarts, known.killed) == (self.attempts, self.restarts, self.killed)
            && (known.lives, known.stopper, known.sent)
                == (self.lives.clone(), self.stopper.clone(), self.sent.clone())
    }
}

fn lives(history: &History) -> VecDeque<Life> {
    let told = history.lives.iter().map(|life| Life {
        pid: life.pid,
        status: life.status,
        ended: life.ended,
        stopper: life.stopped.as_ref().map(|wish| wish.by.clone()),
        killed: life.killed,
        sent: life.sent.as_ref().map(|sent| (sent.signal, sent.wish.by.clone())),
    });
    told.collect()
}
