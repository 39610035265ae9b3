//! Who waits for whom: one lane for each place that something unknown has come from, and what wrong guesses there have cost so far.
//!
//! A guess is counted when its turn comes and *before* it is looked at, and taken back if it was right. So hanging up before the answer
//! saves nothing: the next guess waits as long. Right ones are no excuse for wrong ones: whoever has one password
//! of his own must not buy guesses at another's with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep_until};

use super::{Place, lock};

/// What the first wrong one costs; each further one twice as much.
const FIRST: Duration = Duration::from_millis(100);
/// And none more than this, so that a person who cannot remember is not locked out.
pub(super) const LONGEST: Duration = Duration::from_secs(5);
/// A lane in which nothing wrong has come for so long is a new one.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(300);
/// In each lane, whoever has his turn included.
pub(super) const MOST_WAITING: usize = 8;
/// A botnet, or half of somebody's IPv6 network: a megabyte.
const MOST_LANES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<Place, Arc<Lane>>>,
}

#[derive(Debug)]
struct Lane {
    waiting: AtomicUsize,
    /// Whoever holds it has his turn.
    turn: Arc<tokio::sync::Mutex<()>>,
    past: Mutex<Past>,
}

#[derive(Debug, Clone, Copy)]
struct Past {
    wrong: u32,
    /// Nobody's turn begins before this.
    over: Instant,
}

/// There is no place left, and perhaps one after this long.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) wait: Duration,
}

/// A place in a lane, left by dropping it.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Lane>);

/// The turn in a lane, ended by dropping it.
#[derive(Debug)]
pub(super) struct Turn {
    ticket: Ticket,
    before: Past,
    now: Past,
    _alone: OwnedMutexGuard<()>,
}

impl Lanes {
    pub(super) fn enter(this: &Arc<Self>, place: Place) -> Result<Ticket, Full> {
        let now = Instant::now();
        let mut lanes = lock(&this.lanes);
        if lanes.len() >= MOST_LANES && !lanes.contains_key(&place) && !make_room(&mut lanes, now) {
            return Err(Full { wait: LONGEST });
        }
        let lane = lanes.entry(place).or_insert_with(|| Arc::new(Lane::new(now)));
        // Only here are they counted up, and with the table locked.
        let ahead = lane.waiting.load(Ordering::Relaxed);
        if ahead >= MOST_WAITING {
            return Err(Full { wait: cost(lock(&lane.past).wrong) * MOST_WAITING as u32 / 2 });
        }
        lane.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(Ticket(Arc::clone(lane)))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.lanes).len()
    }
}

/// Takes away the lanes that are as good as new, or else those that have been quiet for longest: many at once, so that a
/// flood of places does not have all of them looked through for each.
fn make_room(lanes: &mut HashMap<Place, Arc<Lane>>, now: Instant) -> bool {
    lanes.retain(|_, lane| lane.is_in_use() || !lane.is_forgotten(now));
    if lanes.len() < MOST_LANES {
        return true;
    }
    let quiet = lanes.iter().filter(|(_, lane)| !lane.is_in_use());
    let mut quiet: Vec<_> = quiet.map(|(place, lane)| (lock(&lane.past).over, *place)).collect();
    quiet.sort_unstable_by_key(|(over, _)| *over);
    quiet.iter().take(MOST_LANES / 4).for_each(|(_, place)| drop(lanes.remove(place)));
    lanes.len() < MOST_LANES
}

impl Lane {
    fn new(now: Instant) -> Lane {
        let past = Mutex::new(Past { wrong: 0, over: now });
        Lane { waiting: AtomicUsize::new(0), turn: Arc::default(), past }
    }

    fn is_in_use(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        now >= lock(&self.past).over + FORGOTTEN
    }

    /// Counts one as wrong; returns how it was, and how it is now.
    fn count(&self, now: Instant) -> (Past, Past) {
        let mut past = lock(&self.past);
        if now >= past.over + FORGOTTEN {
            past.wrong = 0;
        }
        let before = *past;
        past.wrong = past.wrong.saturating_add(1);
        past.over = now + cost(past.wrong);
        (before, *past)
    }
}

/// Of the wrong guess with this number.
fn cost(number: u32) -> Duration {
    FIRST.saturating_mul(1 << number.saturating_sub(1).min(16)).min(LONGEST)
}

impl Ticket {
    /// Waits for those ahead, and until what the last of them has cost is over.
    pub(super) async fn turn(self) -> Turn {
        let alone = Arc::clone(&self.0.turn).lock_owned().await;
        let over = lock(&self.0.past).over;
        sleep_until(over).await;
        let (before, now) = self.0.count(Instant::now());
        Turn { ticket: self, before, now, _alone: alone }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turn {
    /// It was not wrong, and has cost nothing.
    pub(super) fn withdraw(&self) {
        *lock(&self.ticket.0.past) = self.before;
    }

    /// When the answer may be given.
    pub(super) fn over(&self) -> Instant {
        self.now.over
    }

    /// How many were wrong, if that should be told: 1, 2, 4, 8 and so on, so that a log does not grow with the zeal of a guesser.
    pub(super) fn worth_a_line(&self) -> Option<u32> {
        Some(self.now.wrong).filter(|wrong| wrong.is_power_of_two())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_grow_up_to_a_bound() {
        let costs: Vec<u128> = (0..9).map(|wrong| cost(wrong).as_millis()).collect();
        assert_eq!(costs, [100, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(cost(u32::MAX), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_has_an_end_and_forgets_the_quiet_first() {
        let lanes = Arc::new(Lanes::default());
        let place = |n: usize| Place::Uid(u32::try_from(n).unwrap());
        let held = Lanes::enter(&lanes, place(0)).unwrap();
        for n in 1..2 * MOST_LANES {
            let ticket = Lanes::enter(&lanes, place(n)).unwrap();
            drop(ticket.turn().await);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(lanes.len() <= MOST_LANES && lanes.len() > MOST_LANES / 2);
        let known = |n| lock(&lanes.lanes).contains_key(&place(n));
        assert!(known(0) && known(2 * MOST_LANES - 1) && !known(1));
        drop(held);
        tokio::time::advance(FORGOTTEN + LONGEST).await;
        drop(Lanes::enter(&lanes, place(1)).unwrap());
        assert_eq!(lanes.len(), 1);
    }
}
