//! When to read a pipe: at once if little is said, at ticks if its program talks without a pause.
//!
//! A program that writes single lines wakes its reader for each of them, which costs several times what it costs to carry them.
//! So a pipe that was woken for a few times in a row, for little and each within a millisecond of the one before, is
//! *hot*: it is taken out of the epoll set, made larger, and read at ticks. How far apart these are follows from how quickly it
//! filled: before an eighth of it is full, which is as much as is carried at a time; so a program which floods is never
//! held up, though a page may hold one write of little more than half of it and no more, and we may be late. And after two
//! milliseconds at the latest, which nobody notices who follows a log. A few ticks for nothing, and it is listened to again.
//! Who writes whole pages needs none of this: what was written just now is in the processor's cache still.
//!
//! In: the time, and how much was read. Out: what to do next. No clock here, no descriptor, no timer; 16 bytes for each pipe, and
//! nothing at all to do for one that is quiet.

use std::time::Duration;

use provost_core::Mono;

/// How large a hot pipe is to be: what the kernel allows to everybody.
pub(super) const GROWN: usize = 1 << 20;
/// How many pipes should be that large at a time: what lies in them is memory, and nobody reads them while a disk hangs.
pub(super) const GROWN_AT_MOST: usize = 128;

/// Wake-ups that are no further apart than this are quick ones.
const QUICK: Duration = Duration::from_millis(1);
/// So much at a time is worth a wake-up: a page.
const SMALL: usize = 4096;
/// After so many in a row a pipe is hot. A few lines in a row, such as any program says when it starts, are not.
const HOT: u16 = 4;
/// After so many more it is asked again whether a pipe may grow that was refused.
const ASK_AGAIN: u16 = 20_000;
/// Times between two ticks.
const LONGEST: Duration = Duration::from_millis(2);
const SHORTEST: Duration = Duration::from_micros(100);
/// Ticks for nothing until a pipe is cold.
const EMPTY: u16 = 3;

/// What to do with a pipe that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is in the epoll set, and stays there.
    Listen,
    /// Make it [`GROWN`] bytes large if that may be, and ask [`Heat::grown`].
    Grow,
    /// Out of the epoll set, and read it then.
    At(Mono),
    /// Out of the epoll set, and read it as soon as others have had their turn.
    Again,
    /// Into the epoll set; it need not be large any more.
    Cool,
}

/// How hot one pipe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Heat {
    /// When it was read last.
    read: Mono,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Quick wake-ups in a row, and how many there are to be.
    Cold { quick: u16, hot: u16 },
    /// Ticks for nothing in a row.
    Hot { empty: u16 },
}

impl Default for State {
    fn default() -> State {
        State::Cold { quick: 0, hot: HOT }
    }
}

impl Heat {
    /// The pipe was woken for, or its tick had come, and it held so many bytes, which were read. The time is from before that;
    /// and what came while they were read waits, as of a program that never pauses there would be no end.
    pub(super) fn woke(&mut self, now: Mono, read: usize, capacity: usize) -> Next {
        let elapsed = now.since(self.read);
        self.read = now;
        match &mut self.state {
            State::Cold { quick, .. } if elapsed > QUICK || read >= SMALL => {
                *quick = 0;
                Next::Listen
            }
            State::Cold { quick, hot } => {
                *quick += 1;
                if quick < hot {
                    Next::Listen
                } else if capacity < GROWN {
                    Next::Grow
                } else {
                    self.grown(now, capacity)
                }
            }
            State::Hot { empty } if read == 0 => {
                *empty += 1;
                if *empty < EMPTY {
                    return Next::At(tick(now, LONGEST));
                }
                self.state = State::default();
                Next::Cool
            }
            State::Hot { empty } => {
                *empty = 0;
                after(now, elapsed, read, capacity)
            }
        }
    }

    /// What it was asked to grow to, and what it has become: a small pipe is never let alone, as its program would soon
    /// have to wait.
    pub(super) fn grown(&mut self, now: Mono, capacity: usize) -> Next {
        if capacity < GROWN {
            self.state = State::Cold { quick: 0, hot: ASK_AGAIN };
            return Next::Listen;
        }
        self.state = State::Hot { empty: 0 };
        Next::At(tick(now, SHORTEST))
    }

    /// Whether it is out of the epoll set.
    pub(super) fn is_hot(&self) -> bool {
        matches!(self.state, State::Hot { .. })
    }
}

/// When a pipe that took `elapsed` for so many bytes will be full to an eighth.
fn after(now: Mono, elapsed: Duration, read: usize, capacity: usize) -> Next {
    if read > capacity / 8 * 3 {
        return Next::Again;
    }
    let eighth = u64::try_from(capacity / 8).unwrap_or(u64::MAX);
    let read = u64::try_from(read.max(1)).unwrap_or(u64::MAX);
    let nanos = elapsed.min(Duration::from_secs(1)).as_nanos() * u128::from(eighth) / u128::from(read);
    let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    Next::At(tick(now, wait.clamp(SHORTEST, LONGEST)))
}

/// A moment by then at the latest, and the same for all pipes whose moments are about the same, so that one wake-up is for all.
fn tick(now: Mono, wait: Duration) -> Mono {
    let grid = if wait < QUICK { SHORTEST } else { QUICK };
    let grid = u64::try_from(grid.as_nanos()).expect("a millisecond has few nanoseconds");
    let at = (now + wait).0 / grid * grid;
    if at > now.0 { Mono(at) } else { Mono(at + grid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: usize = 64 * 1024;

    fn ms(n: f64) -> Mono {
        Mono(1_000_000_000 + (n * 1e6) as u64)
    }

    /// A pipe that has just become hot, and when.
    fn hot() -> (Heat, Mono) {
        let mut heat = Heat::default();
        let mut now = ms(0.0);
        while heat.woke(now, 100, PIPE) != Next::Grow {
            now = now + QUICK / 10;
        }
        assert!(matches!(heat.grown(now, GROWN), Next::At(_)) && heat.is_hot());
        (heat, now)
    }

    #[test]
    fn a_pipe_with_some_lines_now_and_then_is_listened_to() {
        let mut heat = Heat::default();
        for n in 0..1000 {
            // Three lines at once, every five milliseconds.
            for line in 0..3 {
                let now = ms(f64::from(n) * 5.0 + f64::from(line) * 0.01);
                assert_eq!(heat.woke(now, 100, PIPE), Next::Listen);
            }
        }
        assert!(!heat.is_hot());
        assert!(size_of::<Heat>() <= 16);
    }

    #[test]
    fn one_that_may_not_grow_is_listened_to_and_seldom_asked_again() {
        let mut heat = Heat::default();
        let mut asked = 0;
        for n in 0..100_000 {
            let now = ms(f64::from(n) * 0.01);
            match heat.woke(now, 100, PIPE) {
                Next::Listen => {}
                Next::Grow => {
                    asked += 1;
                    assert_eq!(heat.grown(now, PIPE), Next::Listen);
                }
                other => panic!("{other:?} of a small pipe"),
            }
        }
        assert_eq!(asked, 5);
    }

    #[test]
    fn one_that_gives_much_at_a_time_is_listened_to() {
        let mut heat = Heat::default();
        for n in 0..1000 {
            assert_eq!(heat.woke(ms(f64::from(n) * 0.05), 4096, PIPE), Next::Listen);
        }
    }

    #[test]
    fn one_that_is_large_already_need_not_grow() {
        let mut heat = Heat::default();
        let next = (0..10).map(|n| heat.woke(ms(f64::from(n) * 0.1), 100, GROWN));
        assert!(!next.collect::<Vec<_>>().contains(&Next::Grow));
        assert!(heat.is_hot());
    }

    #[test]
    fn some_ticks_for_nothing_and_it_is_cold() {
        let (mut heat, mut now) = hot();
        for read in [0, 0, 100, 0, 0] {
            let Next::At(next) = heat.woke(now, read, GROWN) else { panic!("too early") };
            assert!(next > now && next.since(now) <= LONGEST);
            now = next;
        }
        assert_eq!(heat.woke(now, 0, GROWN), Next::Cool);
        assert!(!heat.is_hot());
        // From the beginning, though it stayed large.
        assert_eq!(heat.woke(now + QUICK / 2, 100, GROWN), Next::Listen);
    }

    #[test]
    fn what_is_nearly_full_is_read_again_at_once() {
        let (mut heat, now) = hot();
        assert_eq!(heat.woke(now + LONGEST, GROWN, GROWN), Next::Again);
        // Pages with one write each of little more than half of a page.
        assert_eq!(heat.woke(now + LONGEST * 2, GROWN / 4096 * 2049, GROWN), Next::Again);
    }

    #[test]
    fn a_moment_is_the_same_for_many() {
        let mut moments: Vec<Next> =
            (0..100).map(|n| hot().0.woke(ms(5.0 + f64::from(n) * 0.005), 1000, GROWN)).collect();
        moments.dedup();
        assert!(moments.len() <= 2, "{moments:?}");
    }

    /// A program that writes so many bytes in a millisecond, in pages that hold so many, and a reader that carries twice a million.
    /// Returns how many bytes came through in a second, and how many visits that took.
    fn flow(rate: f64, page: f64) -> (f64, u32) {
        let speed = 2_000_000.0;
        let (mut heat, mut now) = hot();
        let (end, capacity) = (now + Duration::from_secs(1), GROWN as f64 / 4096.0 * page);
        let (mut filled, mut through, mut visits) = (0.0f64, 0.0, 0);
        while now < end {
            let (began, read) = (now, filled);
            let took = 0.002 + read / speed;
            filled = (rate * took).min(capacity);
            now = now + Duration::from_nanos((took * 1e6) as u64);
            (through, visits) = (through + read, visits + 1);
            match heat.woke(began, read as usize, GROWN) {
                Next::At(next) => {
                    filled = (filled + rate * next.since(now).as_secs_f64() * 1e3).min(capacity);
                    now = now.max(next);
                }
                Next::Again => {}
                other => panic!("{other:?} while it is hot"),
            }
        }
        (through, visits)
    }

    #[test]
    fn a_program_is_not_held_up_however_quickly_it_writes() {
        for page in [4096.0, 2049.0] {
            for rate in [50.0, 1_000.0, 50_000.0, 200_000.0, 400_000.0, 1_000_000.0, 1_900_000.0, 4_000_000.0]
            {
                let (through, visits) = flow(rate, page);
                let limit = rate.min(1_900_000.0) * 1e3;
                assert!(through >= 0.95 * limit, "{through} of {limit} with {page} bytes a page");
                let fewest = if rate <= 100_000.0 { 1_000 } else { 10_000 };
                assert!(visits <= fewest, "{visits} visits for {rate} bytes in a millisecond");
            }
        }
    }
}
