//! The clocks, read in one place; the core gets the time as an argument.

use std::time::Duration;

use provost_core::{Mono, Now, Wall};
use provost_keeper::Stamp;
use rustix::event::Timespec;
use rustix::time::{ClockId, clock_gettime};

pub(crate) fn now() -> Now {
    let wall = clock_gettime(ClockId::Realtime);
    Now { mono: mono(), wall: Wall(wall.tv_sec * 1000 + wall.tv_nsec / 1_000_000) }
}

/// For whoever asks very often, and for this alone.
pub(crate) fn mono() -> Mono {
    let mono = clock_gettime(ClockId::Monotonic);
    Mono(mono.tv_sec as u64 * 1_000_000_000 + mono.tv_nsec as u64)
}

/// The keeper's stamps are of the same clocks.
pub(crate) fn of(stamp: Stamp) -> Now {
    Now { mono: Mono(stamp.mono_ns), wall: Wall(stamp.wall_ms) }
}

/// How long to wait for a deadline; `None` waits for ever.
pub(crate) fn until(deadline: Option<Mono>) -> Option<Timespec> {
    let left = deadline?.since(now().mono);
    Some(timespec(left))
}

pub(crate) fn timespec(d: Duration) -> Timespec {
    Timespec { tv_sec: d.as_secs() as i64, tv_nsec: d.subsec_nanos().into() }
}
