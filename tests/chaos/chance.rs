//! A seeded source of chance; what it decides is the same in every run with this seed, when it comes to pass is not.

use std::thread;
use std::time::Duration;

/// xorshift64*.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Different actors with one seed decide differently.
    pub(crate) fn new(seed: u64, actor: u64) -> Chance {
        let mut chance = Chance((seed ^ actor << 48).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            chance.below(2);
        }
        chance
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        // The upper bits are the better ones.
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// Lets some time pass. This waits for nothing: the moment itself is what is left to chance.
    pub(crate) fn dawdle(&mut self, most: Duration) {
        let most = u64::try_from(most.as_micros()).expect("a test does not take that long");
        thread::sleep(Duration::from_micros(self.below(most + 1)));
    }
}
