//! An event as it lies in a queue: a few numbers, and behind them the message that its listener gets, to the byte.
//!
//! What listeners are told is written once, when the event is put into the queue; from there the kernel moves it (`conversation.rs`).

use provost_core::Mono;

/// What stands before a message.
pub(super) const HEAD: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) serial: u64,
    pub(super) pool_serial: u64,
    /// When it was put into the queue.
    pub(super) at: Mono,
    /// Bytes of the message.
    pub(super) message: usize,
}

impl Head {
    pub(super) fn of(bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.first_chunk::<HEAD>()?;
        let word = |n: usize| u64::from_le_bytes(bytes[n * 8..][..8].try_into().expect("it has eight bytes"));
        let message = usize::try_from(word(0)).ok()?;
        Some(Head { serial: word(1), pool_serial: word(2), at: Mono(word(3)), message })
    }

    /// Of the whole record.
    pub(super) fn length(&self) -> usize {
        HEAD.saturating_add(self.message)
    }

    /// At the beginning of a record, of which all is there.
    pub(super) fn write(&self, record: &mut [u8]) {
        let words = [self.message as u64, self.serial, self.pool_serial, self.at.0];
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
        let head = Head { serial: 7, pool_serial: 3, at: Mono(99), message: 5 };
        let mut bytes = vec![0; HEAD];
        head.write(&mut bytes);
        assert_eq!((Head::of(&bytes), head.length()), (Some(head), HEAD + 5));
        assert_eq!(Head::of(&bytes[1..]), None);
    }
}
