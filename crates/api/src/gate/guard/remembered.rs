//! What was found right lately. Only right ones get in, so nobody fills this by guessing; it is bounded all the same.

use std::collections::HashMap;
use std::time::Duration;

use provost_secret::Mark;
use tokio::time::Instant;

/// As long as nobody asks again. Removing an entry from the configuration needs no waiting: its mark is looked for no more.
pub(super) const KEPT: Duration = Duration::from_secs(60);
/// Marks of so many users, machines and places: some hundred kilobytes.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Remembered {
    until: HashMap<Mark, Instant>,
}

impl Remembered {
    /// Whether it was right, and goes on being remembered.
    pub(super) fn recognise(&mut self, mark: &Mark, now: Instant) -> bool {
        let known = self.until.get_mut(mark).filter(|until| **until > now);
        known.map(|until| *until = now + KEPT).is_some()
    }

    pub(super) fn remember(&mut self, mark: Mark, now: Instant) {
        if self.until.len() >= MOST {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() >= MOST {
            let oldest = self.until.iter().min_by_key(|(_, until)| **until).map(|(mark, _)| *mark);
            oldest.map(|mark| self.until.remove(&mark));
        }
        self.until.insert(mark, now + KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_secret::{Marks, Stored};

    #[test]
    fn it_lasts_as_long_as_it_is_used_and_never_grows() {
        let (marks, stored) = (Marks::new().unwrap(), Stored::parse("pw").unwrap());
        let mark = |n: usize| marks.mark(&n.to_le_bytes(), b"pw", &stored);
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        remembered.remember(mark(0), start);
        assert!(remembered.recognise(&mark(0), after(59)));
        assert!(!remembered.recognise(&mark(1), after(59)));
        assert!(remembered.recognise(&mark(0), after(118)));
        assert!(!remembered.recognise(&mark(0), after(178)));

        for n in 0..2 * MOST {
            remembered.remember(mark(n), start + Duration::from_micros(n as u64));
        }
        assert_eq!(remembered.until.len(), MOST);
        assert!(!remembered.recognise(&mark(0), after(1)) && remembered.recognise(&mark(MOST), after(1)));
        remembered.remember(mark(0), after(100));
        assert_eq!(remembered.until.len(), 1);
    }
}
