//! How long until the next attempt, and how many restarts are too many: the arithmetic behind the machine.
//!
//! In: policies of the configuration, counts and times. Out: durations and verdicts. No state changes here. What looks
//! like chance is computed from a seed, the process and the attempt, so that every run can be replayed.

use std::sync::Arc;
use std::time::Duration;

use provost_config::{Backoff, StartLimit};

use crate::ids::ProcessId;
use crate::time::Mono;

/// The wait after so many failed attempts in a row.
pub(crate) fn retry_wait(backoff: &Backoff, failures: u32, seed: u64, process: ProcessId) -> Duration {
    let wait = backoff.wait(failures);
    let jitter = u128::from(backoff.jitter.thousandths);
    if jitter == 0 {
        return wait;
    }
    // The factor is 1 - j + 2jc, with c between 0 and 1, all of it in units of ONE thousandth of 1/2^32.
    const ONE: u128 = 1 << 32;
    let chance = u128::from(draw(seed, process, failures) >> 32);
    let factor = (1000 - jitter) * ONE + 2 * jitter * chance;
    // `wait` is a day at most, or what a configuration can say: far from what would overflow.
    let nanos = wait.as_nanos() * factor / (1000 * ONE);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(backoff.longest())
}

/// A number that looks like chance and is the same for the same three.
fn draw(seed: u64, process: ProcessId, attempt: u32) -> u64 {
    splitmix64(splitmix64(seed ^ u64::from(process.0)) ^ u64::from(attempt))
}

/// One step of SplitMix64, by Steele, Lea and Flood (OOPSLA 2014): every bit of the input moves every bit of the output.
fn splitmix64(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The times of the last automatic restarts, as many as a limit needs to know; none without one.
#[derive(Debug, Default)]
pub(crate) struct Comebacks(Arc<[Mono]>);

impl Comebacks {
    /// As an earlier brain knew them, oldest first.
    pub(crate) fn recalled(times: Arc<[Mono]>) -> Comebacks {
        Comebacks(times)
    }

    /// Oldest first.
    pub(crate) fn times(&self) -> Arc<[Mono]> {
        Arc::clone(&self.0)
    }

    /// Whether a restart at `due` would be one too many.
    pub(crate) fn are_too_many(&self, due: Mono, limit: StartLimit) -> bool {
        let first_that_counts = self.0.len().checked_sub(limit.restarts.into()).and_then(|at| self.0.get(at));
        first_that_counts.is_some_and(|first| due.since(*first) < limit.within)
    }

    pub(crate) fn add(&mut self, at: Mono, limit: StartLimit) {
        let too_old = (self.0.len() + 1).saturating_sub(limit.restarts.into());
        self.0 = self.0.iter().copied().chain([at]).skip(too_old).collect();
    }

    pub(crate) fn forget(&mut self) {
        self.0 = Arc::default();
    }
}

#[cfg(test)]
mod tests {
    use provost_config::{Curve, Jitter};

    use super::*;

    fn backoff(curve: Curve, most: Option<u64>, thousandths: u16) -> Backoff {
        Backoff { curve, most: most.map(Duration::from_secs), jitter: Jitter { thousandths } }
    }

    #[test]
    fn without_jitter_the_seed_is_nothing() {
        let plain = backoff(Curve::Linear, None, 0);
        for seed in [0, 1, u64::MAX] {
            assert_eq!(retry_wait(&plain, 3, seed, ProcessId(seed as u32)), Duration::from_secs(3));
        }
    }

    #[test]
    fn jitter_keeps_within_its_bounds_and_uses_all_of_them() {
        let quarter = backoff(Curve::Constant, None, 250);
        let waits: Vec<Duration> =
            (0..10_000).map(|seed| retry_wait(&quarter, 1, seed, ProcessId(7))).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!((Duration::from_millis(750)..Duration::from_millis(755)).contains(least), "{least:?}");
        assert!((Duration::from_millis(1245)..=Duration::from_millis(1250)).contains(most), "{most:?}");
        let mean = waits.iter().sum::<Duration>() / 10_000;
        assert!((Duration::from_millis(995)..Duration::from_millis(1005)).contains(&mean), "{mean:?}");
    }

    #[test]
    fn the_same_three_give_the_same_wait_and_others_another() {
        let all = backoff(Curve::Exponential, None, 1000);
        let wait = |seed, process, failures| retry_wait(&all, failures, seed, ProcessId(process));
        assert_eq!(wait(1, 2, 3), wait(1, 2, 3));
        assert_ne!(wait(1, 2, 3), wait(2, 2, 3));
        assert_ne!(wait(1, 2, 3), wait(1, 3, 3));
        assert_ne!(wait(1, 2, 3), wait(1, 2, 4) / 2);
    }

    #[test]
    fn a_cap_holds_after_chance_too_and_nothing_overflows() {
        let capped = backoff(Curve::Exponential, Some(10), 1000);
        assert!(
            (0..1000)
                .all(|seed| { retry_wait(&capped, 1000, seed, ProcessId(0)) <= Duration::from_secs(10) })
        );
        let vast = backoff(Curve::Exponential, Some(9_999_999_999), 1000);
        for failures in [1, 63, 64, 65, u32::MAX] {
            assert!(retry_wait(&vast, failures, 1, ProcessId(0)) <= vast.longest());
        }
    }

    #[test]
    fn splitmix64_is_the_published_one() {
        // The first numbers of the generator with seed 1234567.
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let numbers = [0, 1, 2].map(|n: u64| splitmix64(1_234_567u64.wrapping_add(STEP.wrapping_mul(n))));
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn so_many_restarts_within_so_long_and_no_more() {
        let limit = StartLimit { restarts: 2, within: Duration::from_nanos(10) };
        let mut known = Comebacks::default();
        assert!(!known.are_too_many(Mono(0), limit));
        known.add(Mono(0), limit);
        assert!(!known.are_too_many(Mono(1), limit));
        known.add(Mono(4), limit);
        assert!(known.are_too_many(Mono(9), limit));
        assert!(!known.are_too_many(Mono(10), limit), "the first is as old as the limit is long");
        known.add(Mono(10), limit);
        assert!(known.are_too_many(Mono(13), limit));
        known.forget();
        assert!(!known.are_too_many(Mono(13), limit));
    }
}
