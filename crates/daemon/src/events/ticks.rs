//! Slices of time that begin: TICK_5, TICK_60, TICK_3600 (SPEC 8.2).
//!
//! A clock of the kernel's wakes us when the next slice begins that somebody wants to hear of, and when the clock of the machine is set.
//! Where nobody wants to there is no clock. The first slice that is seen is not told; what a stall, or a clock that was set, skips is
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

#[derive(Debug)]
pub(super) struct Ticks {
    timer: OwnedFd,
    /// Which of them somebody wants to hear of.
    wanted: [bool; 3],
    /// What a dead brain has seen last holds.
    resumes: bool,
}

impl Ticks {
    pub(super) fn new(resumes: bool) -> io::Result<Ticks> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Ticks { timer: timerfd_create(TimerfdClockId::Realtime, flags)?, wanted: [false; 3], resumes })
    }

    pub(super) fn timer(&self) -> &OwnedFd {
        &self.timer
    }

    /// Pools have opened or closed.
    pub(super) fn look_again(&mut self, bus: &Bus) {
        let wanted = Slice::ALL.map(|slice| bus.wants(slice.event_type()));
        if wanted == self.wanted {
            return;
        }
        let now = seconds(clock::now().wall);
        for slice in Slice::ALL {
            let is_new = wanted[slice as usize] && !self.wanted[slice as usize];
            if is_new && !(self.resumes && bus.last_slice(slice).is_some()) {
                bus.slice_is(slice, slice.begin(now));
            }
        }
        self.wanted = wanted;
        self.ring(bus);
    }

    /// The timer has gone off, or the clock was set.
    pub(super) fn ring(&mut self, bus: &Bus) {
        // It is read until nothing is left; that the clock was set is an error of its kind.
        while let Ok(_) | Err(Errno::INTR | Errno::CANCELED) = rustix::io::read(&self.timer, &mut [0u8; 8]) {}
        let now = seconds(clock::now().wall);
        for slice in Slice::ALL.into_iter().filter(|slice| self.wanted[*slice as usize]) {
            let when = slice.begin(now);
            if bus.last_slice(slice).is_some_and(|last| last != when) {
                bus.publish(&Event::Tick { slice, when });
            }
            bus.slice_is(slice, when);
        }
        self.set(now);
    }

    /// Until the next slice begins, or for ever.
    fn set(&self, now: i64) {
        let wanted = Slice::ALL.into_iter().filter(|slice| self.wanted[*slice as usize]);
        let next = wanted.map(|slice| slice.begin(now) + slice.seconds()).min().unwrap_or(0);
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let until = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: next, tv_nsec: 0 } };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        // It was made for just this.
        let _ = timerfd_settime(&self.timer, flags, &until);
    }
}

fn seconds(Wall(millis): Wall) -> i64 {
    millis.div_euclid(1000)
}
