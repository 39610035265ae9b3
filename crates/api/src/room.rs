//! How many bytes of one kind may be held for the clients of a door at a time.
//!
//! Slow clients make us hold what they ask for. One of them costs little, and thousands must not cost more than this. Each door has
//! rooms of its own, so whoever fills those of one is no affair of the others; and what is small always finds room, so
//! nobody is locked out by him at the same door either.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use tokio::sync::Semaphore;

use crate::answer::{Answer, error};

/// As many large answers as are held for clients that read slowly, and for those whose answer is being made.
const MOST_ANSWERS: usize = 128 << 20;
/// An answer of a few programs.
const SMALL_ANSWER: usize = 16 << 10;
/// As much as is received at a time.
const MOST_BODIES: usize = 32 << 20;
/// A call of a usual client.
const SMALL_BODY: usize = 4 << 10;

/// Those of a door.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// Of requests that are being received.
    pub(crate) bodies: Room,
    /// Of answers that are being made or sent.
    pub(crate) answers: Room,
    /// Places for those who follow a log: each has a file open beside the connection.
    pub(crate) followers: Arc<Semaphore>,
}

impl Rooms {
    pub(crate) fn new(most_followers: usize) -> Rooms {
        Rooms {
            bodies: Room::new(MOST_BODIES, SMALL_BODY),
            answers: Room::new(MOST_ANSWERS, SMALL_ANSWER),
            followers: Arc::new(Semaphore::new(most_followers)),
        }
    }

    /// The answer, if there is room for it beside what others have not read yet.
    pub(crate) fn keep(&self, response: Response<Answer>) -> Response<Answer> {
        let (head, answer) = response.into_parts();
        let answer = match answer {
            Answer::Whole(bytes) => self.answers.hold(bytes).map(Answer::Whole),
            growing @ Answer::Growing(_) => Some(growing),
        };
        match answer {
            Some(answer) => Response::from_parts(head, answer),
            None => error(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    small: usize,
    taken: Arc<AtomicUsize>,
}

impl Room {
    /// Up to `small` everybody has for nothing.
    pub(crate) fn new(most: usize, small: usize) -> Room {
        Room { most, small, taken: Arc::default() }
    }

    /// A share of the room that is empty as yet.
    pub(crate) fn none(&self) -> Share {
        Share { most: self.most, small: self.small, size: 0, taken: Arc::clone(&self.taken) }
    }

    /// Bytes that take up room until the last of them is gone. The first always find some.
    fn hold(&self, bytes: Bytes) -> Option<Bytes> {
        if bytes.len() <= self.small {
            return Some(bytes);
        }
        let mut share = self.none();
        let fits = share.grow(bytes.len());
        fits.then(|| Bytes::from_owner(Held { bytes, _share: share }))
    }
}

/// What one client takes of the room.
#[derive(Debug)]
pub(crate) struct Share {
    most: usize,
    small: usize,
    /// With what is had for nothing.
    size: usize,
    taken: Arc<AtomicUsize>,
}

impl Share {
    /// Takes more, if there is more, or if nobody else has any.
    #[must_use]
    pub(crate) fn grow(&mut self, size: usize) -> bool {
        let before = self.counted();
        let more = (self.size + size).saturating_sub(self.small) - before;
        let fits = |taken: usize| (taken + more <= self.most || taken == before).then_some(taken + more);
        let is_granted =
            more == 0 || self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if is_granted {
            self.size += size;
        }
        is_granted
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    fn counted(&self) -> usize {
        self.size.saturating_sub(self.small)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.counted(), Ordering::Relaxed);
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_takes_room_until_its_last_piece_is_gone() {
        let room = Room::new(10, 0);
        let first = room.hold(vec![1; 8].into()).unwrap();
        let piece = first.slice(2..4);
        drop(first);
        assert!(room.hold(vec![2; 3].into()).is_none());
        assert_eq!(room.hold(vec![2; 2].into()).unwrap().len(), 2);
        drop(piece);
        assert!(room.hold(vec![2; 3].into()).is_some());
    }

    #[test]
    fn the_first_always_finds_room_and_makes_others_wait() {
        let room = Room::new(10, 0);
        let mut large = room.none();
        assert!(large.grow(8) && large.grow(8));
        assert!(!room.none().grow(1));
        drop(large);
        assert!(room.none().grow(10));
    }

    #[test]
    fn what_is_small_finds_room_where_there_is_none() {
        let room = Room::new(10, 2);
        let mut large = room.none();
        assert!(large.grow(12));
        let mut small = room.none();
        assert!(small.grow(1) && small.grow(1) && !small.grow(1));
        assert!(room.hold(vec![1; 2].into()).is_some() && room.hold(vec![1; 3].into()).is_none());
        drop(large);
        assert!(small.grow(1));
    }
}
