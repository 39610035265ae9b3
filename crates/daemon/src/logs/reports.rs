//! What a lane has to tell of: to the main loop, which says it in the main log, or to whoever listens to what programs say.
//!
//! A program may say more than the loop can listen to. So what is on its way there is counted, and whoever is told of
//! is not read while that is too much. What is copied into the main log is on its way until that has taken it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use provost_config::LogLevel;
use provost_core::ChildId;
use provost_wire::events::Said;

use super::Output;
use super::pump::Notice;
use crate::wake::Post;

/// Bytes on their way that are too many.
const MOST: usize = 512 << 10;

#[derive(Debug, Clone)]
pub(super) struct Reports {
    notices: Post<Notice>,
    audience: Arc<dyn Audience>,
    on_their_way: Arc<AtomicUsize>,
}

/// Whoever listens to what programs say.
pub(crate) trait Audience: std::fmt::Debug + Send + Sync {
    /// Takes a piece, or a message; it is kept when this returns.
    fn hear(&self, word: Word, said: &Said<'_>);

    /// Whether programs had better wait a little.
    fn is_behind(&self) -> bool;
}

/// What is told of a child's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// A piece of it, as it came.
    Piece,
    /// A message that was captured.
    Message,
}

/// Bytes that are counted until they have been heard.
#[derive(Debug)]
pub(crate) struct Telling {
    bytes: Box<[u8]>,
    on_their_way: Arc<AtomicUsize>,
}

impl Reports {
    pub(super) fn new(notices: Post<Notice>, audience: Arc<dyn Audience>) -> Reports {
        Reports { notices, audience, on_their_way: Arc::default() }
    }

    pub(super) fn audience(&self) -> &dyn Audience {
        &*self.audience
    }

    pub(super) fn send(&self, notice: Notice) {
        // Nobody hears it when the brain is about to end.
        let _ = self.notices.send(notice);
    }

    /// A line for the main log.
    pub(super) fn say(&self, level: LogLevel, text: String) {
        self.send(Notice::Say { level, text });
    }

    pub(super) fn tell(&self, child: ChildId, output: Output, word: Word, bytes: &[u8]) {
        self.on_their_way.fetch_add(bytes.len(), Ordering::Relaxed);
        let data = Telling { bytes: bytes.into(), on_their_way: Arc::clone(&self.on_their_way) };
        self.send(Notice::Said { child, output, word, data });
    }

    /// Whether the loop has to catch up.
    pub(super) fn are_too_many(&self) -> bool {
        self.on_their_way.load(Ordering::Relaxed) > MOST
    }
}

impl std::ops::Deref for Telling {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.on_their_way.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// Nobody listens.
#[cfg(test)]
#[derive(Debug)]
struct Empty;

#[cfg(test)]
impl Audience for Empty {
    fn hear(&self, _: Word, _: &Said<'_>) {}

    fn is_behind(&self) -> bool {
        false
    }
}

#[cfg(test)]
impl Reports {
    pub(super) fn without_audience(notices: Post<Notice>) -> Reports {
        Reports::new(notices, Arc::new(Empty))
    }
}
