//! How many bytes of one kind may be held for clients at a time, over all doors.
//!
//! Slow clients make us hold what they ask for. One of them costs little, and thousands must not cost more than this.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;

#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    taken: Arc<AtomicUsize>,
}

impl Room {
    pub(crate) fn new(most: usize) -> Room {
        Room { most, taken: Arc::default() }
    }

    /// A share of the room that is empty as yet.
    pub(crate) fn none(&self) -> Share {
        Share { most: self.most, size: 0, taken: Arc::clone(&self.taken) }
    }

    /// Bytes that take up room until the last of them is gone. The first always find some.
    pub(crate) fn hold(&self, bytes: Vec<u8>) -> Option<Bytes> {
        let mut share = self.none();
        let fits = share.grow(bytes.len());
        fits.then(|| Bytes::from_owner(Held { bytes, _share: share }))
    }
}

/// What one client takes of the room.
#[derive(Debug)]
pub(crate) struct Share {
    most: usize,
    size: usize,
    taken: Arc<AtomicUsize>,
}

impl Share {
    /// Takes more, if there is more, or if nobody else has any.
    #[must_use]
    pub(crate) fn grow(&mut self, size: usize) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        if taken + size > self.most && taken > self.size {
            return false;
        }
        self.taken.store(taken + size, Ordering::Relaxed);
        self.size += size;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.size, Ordering::Relaxed);
    }
}

struct Held {
    bytes: Vec<u8>,
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
        let room = Room::new(10);
        let first = room.hold(vec![1; 8]).unwrap();
        let piece = first.slice(2..4);
        drop(first);
        assert!(room.hold(vec![2; 3]).is_none());
        assert_eq!(room.hold(vec![2; 2]).unwrap().len(), 2);
        drop(piece);
        assert!(room.hold(vec![2; 3]).is_some());
    }

    #[test]
    fn the_first_always_finds_room_and_makes_others_wait() {
        let room = Room::new(10);
        let mut large = room.none();
        assert!(large.grow(8) && large.grow(8));
        assert!(!room.none().grow(1));
        drop(large);
        assert!(room.none().grow(10));
    }
}
