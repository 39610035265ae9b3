//! Time as the core knows it: an argument of every step.
//!
//! Deadlines use the monotonic clock, timestamps the wall clock, so no jump of the wall clock can delay a
//! restart or hasten a SIGKILL (SPEC 3.2, "clock going backwards", is answered by construction).

use std::time::Duration;

/// A point on the monotonic clock, in nanoseconds since some start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mono(pub u64);

/// A point on the wall clock, in milliseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Wall(pub i64);

/// The same moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    pub mono: Mono,
    pub wall: Wall,
}

impl Mono {
    /// The time from `earlier` to here; zero if `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Wall {
    /// Whole seconds since 1970, as Supervisor reports times; never negative.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000).max(0)
    }
}

/// A configured number of seconds; negative counts as zero (SPEC 2.4 has no range checks).
pub(crate) fn seconds(n: i64) -> Duration {
    Duration::from_secs(u64::try_from(n).unwrap_or(0))
}
