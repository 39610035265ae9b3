//! An event as it lies in a queue: a few numbers, and behind them the message that its listener gets, to the byte.
//!
//! What listeners are told is written when the event is put into the queue; from there the kernel moves it (`conversation.rs`). Where its
//! length in bytes is not that in characters it is there twice, once for whoever counts the ones and once for whoever counts the others.

use std::ops::Range;

use provost_core::Mono;
use provost_wire::listener::Unit;

/// What stands before a message.
pub(super) const HEAD: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) serial: u64,
    pub(super) pool_serial: u64,
    /// When it was put into the queue.
    pub(super) at: Mono,
    /// Bytes of the message, and of the one behind it that tells its length in characters; 0 where these are as many.
    pub(super) message: usize,
    pub(super) other: usize,
}

impl Head {
    pub(super) fn of(bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.first_chunk::<HEAD>()?;
        let word = |n: usize| u64::from_le_bytes(bytes[n * 8..][..8].try_into().expect("it has eight bytes"));
        let (message, other) = (usize::try_from(word(0)).ok()?, usize::try_from(word(4)).ok()?);
        Some(Head { serial: word(1), pool_serial: word(2), at: Mono(word(3)), message, other })
    }

    /// Of the whole record.
    pub(super) fn length(&self) -> usize {
        HEAD.saturating_add(self.message).saturating_add(self.other)
    }

    /// Where the message lies in the record for whoever counts so.
    pub(super) fn place(&self, unit: Unit) -> Range<u64> {
        let (head, message, other) = (HEAD as u64, self.message as u64, self.other as u64);
        match unit {
            Unit::Characters if other > 0 => head + message..head + message + other,
            Unit::Bytes | Unit::Characters => head..head + message,
        }
    }

    /// At the beginning of a record, of which all is there.
    pub(super) fn write(&self, record: &mut [u8]) {
        let words = [self.message as u64, self.serial, self.pool_serial, self.at.0, self.other as u64];
        for (place, word) in record.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head { serial: 7, pool_serial: 3, at: Mono(99), message: 5, other: 4 };
        let mut bytes = vec![0; HEAD];
        head.write(&mut bytes);
        assert_eq!((Head::of(&bytes), head.length()), (Some(head), HEAD + 9));
        assert_eq!((head.place(Unit::Bytes), head.place(Unit::Characters)), (40..45, 45..49));
        assert_eq!(Head { other: 0, ..head }.place(Unit::Characters), 40..45);
        assert_eq!(Head::of(&bytes[1..]), None);
    }
}
