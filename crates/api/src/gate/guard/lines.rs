//! How many lines about wrong passwords a main log gets, from wherever they come.

use std::time::Duration;

use tokio::time::Instant;

/// In each [`PERIOD`].
pub(super) const MOST: u32 = 10;
const PERIOD: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Lines {
    since: Instant,
    told: u32,
    untold: u32,
}

impl Lines {
    pub(super) fn new(now: Instant) -> Lines {
        Lines { since: now, told: 0, untold: 0 }
    }

    /// Whether one more may be told, and then how many have not been.
    pub(super) fn one_more(&mut self, now: Instant) -> Option<u32> {
        if now >= self.since + PERIOD {
            (self.since, self.told) = (now, 0);
        }
        if self.told >= MOST {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_minute_and_then_what_was_left_out() {
        let start = Instant::now();
        let mut lines = Lines::new(start);
        let told: Vec<_> = (0..25).map(|_| lines.one_more(start)).collect();
        assert_eq!(told.iter().flatten().count(), MOST as usize);
        assert_eq!(lines.one_more(start + PERIOD), Some(15));
        assert_eq!(lines.one_more(start + PERIOD), Some(0));
    }
}
