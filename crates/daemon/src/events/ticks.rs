//! Slices of time that begin: TICK_5, TICK_60, TICK_3600 (SPEC 8.2).
//!
//! A clock of the kernel's wakes us when the next slice begins that somebody wants to hear of, and when the clock of the machine is set.
//! Where nobody wants to it is not set. The first slice that is seen is not told; what a stall, or a clock that was set, skips is
//! skipped. A slice that begins while a brain is dead is told by the next.

use std::io;
use std::os::fd::OwnedFd;

use provost_core::Wall;
use provost_wire::events::{Event, Slice};
use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::bus::Bus;
use crate::clock;

/// How often a timer is set anew because the clock was set meanwhile.
const TRIES: u32 = 3;

#[derive(Debug)]
pub(super) struct Ticks {
    timer: OwnedFd,
    /// Which of them somebody wants to hear of; nothing before that was looked at.
    wanted: Option<[bool; 3]>,
}

impl Ticks {
    pub(super) fn new() -> io::Result<Ticks> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Ticks { timer: timerfd_create(TimerfdClockId::Realtime, flags)?, wanted: None })
    }

    pub(super) fn timer(&self) -> &OwnedFd {
        &self.timer
    }

    /// Pools have opened or closed.
    pub(super) fn look_again(&mut self, bus: &Bus) {
        let wanted = Slice::ALL.map(|slice| bus.wants(slice.event_type()));
        if self.wanted == Some(wanted) {
            return;
        }
        let now = seconds(clock::now().wall);
        for slice in Slice::ALL {
            match (wanted[slice as usize], bus.last_slice(slice)) {
                // Whoever wants to hear of it later begins anew.
                (false, _) => bus.slice_is(slice, None),
                (true, None) => bus.slice_is(slice, Some(slice.begin(now))),
                // It was wanted before, if need be by a dead brain's listeners.
                (true, Some(_)) => {}
            }
        }
        self.wanted = Some(wanted);
        self.ring(bus);
    }

    /// The timer has gone off, or the clock was set.
    pub(super) fn ring(&mut self, bus: &Bus) {
        // It is read until nothing is left; that the clock was set is an error of its kind.
        while let Ok(_) | Err(Errno::INTR | Errno::CANCELED) = rustix::io::read(&self.timer, &mut [0u8; 8]) {}
        // Somebody may set the clock between two of our looks at it.
        for _ in 0..TRIES {
            let now = seconds(clock::now().wall);
            self.tell(bus, now);
            if self.set(now) {
                break;
            }
        }
    }

    fn tell(&self, bus: &Bus, now: i64) {
        for slice in self.wanted() {
            let when = slice.begin(now);
            if bus.last_slice(slice).is_some_and(|last| last != when) {
                bus.publish(&Event::Tick { slice, when });
            }
            bus.slice_is(slice, Some(when));
        }
    }

    fn wanted(&self) -> impl Iterator<Item = Slice> + use<> {
        let wanted = self.wanted.unwrap_or_default();
        Slice::ALL.into_iter().filter(move |slice| wanted[*slice as usize])
    }

    /// Until the next slice begins, or for ever; false if the clock was set just now.
    fn set(&self, now: i64) -> bool {
        let next = self.wanted().map(|slice| slice.begin(now) + slice.seconds()).min().unwrap_or(0);
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let until = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: next, tv_nsec: 0 } };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        // It was made for just this, and can fail for no other reason.
        timerfd_settime(&self.timer, flags, &until).err() != Some(Errno::CANCELED)
    }
}

fn seconds(Wall(millis): Wall) -> i64 {
    millis.div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use provost_config::PoolOverflow;
    use rustix::time::timerfd_gettime;

    use super::*;
    use crate::events::bus::tests::{alone, open, told};

    fn now() -> i64 {
        seconds(clock::now().wall)
    }

    /// Whether the timer goes off at this second; false if it never does.
    fn goes_off(ticks: &Ticks, at: i64) -> bool {
        let before = now();
        let left = timerfd_gettime(ticks.timer()).unwrap().it_value;
        let is_set = left.tv_sec != 0 || left.tv_nsec != 0;
        is_set && (before + left.tv_sec..=now() + left.tv_sec + 1).contains(&at)
    }

    /// What must be true of one moment is looked at when no slice has begun meanwhile.
    fn within_one<T>(slice: Slice, mut look: impl FnMut(i64) -> T) -> T {
        loop {
            let began = slice.begin(now());
            let seen = look(began);
            if slice.begin(now()) == began {
                return seen;
            }
        }
    }

    #[test]
    fn where_nobody_wants_to_hear_of_the_time_the_timer_is_not_set() {
        let (bus, _, _) = alone(false);
        let beginning = || {
            let mut ticks = Ticks::new().unwrap();
            ticks.look_again(&bus);
            ticks
        };
        open(&bus, "groups", PoolOverflow::Spill, &["PROCESS_GROUP", "PROCESS_STATE"]);
        let left = timerfd_gettime(beginning().timer()).unwrap().it_value;
        assert_eq!((left.tv_sec, left.tv_nsec), (0, 0));
        open(&bus, "hours", PoolOverflow::Spill, &["TICK_3600"]);
        assert!(within_one(Slice::Hour, |hour| goes_off(&beginning(), hour + 3600)));
        open(&bus, "all", PoolOverflow::Spill, &["TICK"]);
        assert!(
            within_one(Slice::FiveSeconds, |five| goes_off(&beginning(), five + 5)),
            "the shortest comes first"
        );
    }

    #[test]
    fn the_slice_in_which_somebody_begins_to_hear_is_not_told_and_the_next_one_is_once() {
        let (bus, _, _) = alone(false);
        let mut ticks = Ticks::new().unwrap();
        // Somebody heard of minutes long ago, under another brain.
        bus.slice_is(Slice::Minute, Some(0));
        ticks.look_again(&bus);
        open(&bus, "minutes", PoolOverflow::Spill, &["TICK_60"]);
        ticks.look_again(&bus);
        assert_eq!(told(&bus, "minutes"), None);
        let told = within_one(Slice::Minute, |minute| {
            // As if the machine had slept for three minutes.
            bus.slice_is(Slice::Minute, Some(minute - 180));
            ticks.ring(&bus);
            ticks.ring(&bus);
            let first = told(&bus, "minutes").map(|told| told.ends_with(&format!("\nwhen:{minute}")));
            (first, told(&bus, "minutes"))
        });
        assert_eq!(told, (Some(true), None));
    }

    #[test]
    fn a_slice_that_began_while_a_brain_was_dead_is_told_by_the_next() {
        let (bus, _, _) = alone(false);
        open(&bus, "minutes", PoolOverflow::Spill, &["TICK_60"]);
        let told = within_one(Slice::Minute, |minute| {
            bus.slice_is(Slice::Minute, Some(minute - 60));
            let mut ticks = Ticks::new().unwrap();
            ticks.look_again(&bus);
            (told(&bus, "minutes").is_some(), told(&bus, "minutes"))
        });
        assert_eq!(told, (true, None));
    }
}
