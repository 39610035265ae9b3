//! A few words of shared memory that change all at once, or not at all: there are two of each, and one more says which of them counts.
//!
//! A brain that is killed while it writes the others changes nothing. Who writes them, and what they mean, is the affair of whoever
//! uses them; at one time only one does.

use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use crate::death;

/// A place in shared memory for so many words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Twice {
    at: usize,
    most: usize,
}

impl Twice {
    /// From the word `at` on; it takes one more than twice as many.
    pub(crate) const fn new(at: usize, most: usize) -> Twice {
        Twice { at, most }
    }

    /// These words from now on; those behind them stay what they were some time ago.
    pub(crate) fn set(self, memory: &[AtomicU64], words: impl IntoIterator<Item = u64>) {
        let other = 1 - self.current(memory);
        // What the other ones were, they were until the last call ended.
        compiler_fence(Ordering::SeqCst);
        for (place, word) in memory[self.place(other)..][..self.most].iter().zip(words) {
            place.store(word, Ordering::Relaxed);
            death::may_come();
        }
        memory[self.at].store(other as u64, Ordering::Release);
        death::may_come();
    }

    /// The words that were set last.
    pub(crate) fn get(self, memory: &[AtomicU64]) -> impl Iterator<Item = u64> + '_ {
        let words = &memory[self.place(self.current(memory))..][..self.most];
        words.iter().map(|word| word.load(Ordering::Acquire))
    }

    fn place(self, which: usize) -> usize {
        self.at + 1 + which * self.most
    }

    fn current(self, memory: &[AtomicU64]) -> usize {
        usize::from(memory[self.at].load(Ordering::Acquire) == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_dies_while_it_writes_leaves_what_was_there_or_what_was_to_be() {
        let memory: Vec<AtomicU64> = (0..12).map(|_| AtomicU64::new(0)).collect();
        let place = Twice::new(3, 4);
        assert_eq!(place.get(&memory).sum::<u64>(), 0);
        place.set(&memory, [1, 2, 3, 4]);
        let (mut steps, mut seen) = (0, Vec::new());
        loop {
            steps += 1;
            let died = death::after(steps, || place.set(&memory, [5, 6, 7, 8]));
            let found: Vec<u64> = place.get(&memory).collect();
            assert!(found == [1, 2, 3, 4] || found == [5, 6, 7, 8], "{found:?}");
            seen.push(found);
            if !died {
                break;
            }
            place.set(&memory, [1, 2, 3, 4]);
        }
        assert_eq!(seen.len(), 6, "four words, the one that counts, and a life to the end");
        assert_eq!((memory[0].load(Ordering::Relaxed), memory[2].load(Ordering::Relaxed)), (0, 0));
    }
}
