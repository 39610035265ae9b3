//! Lanes, over which children leave: each has a stack, and three reserved low descriptors for standard input, output and
//! error.
//!
//! A child that shares the keeper's descriptor table cuts itself loose by copying only what lies below a ceiling
//! (`CLOSE_RANGE_UNSHARE`). Whatever it needs has to lie there, and has to stay there until it has done so. Where it
//! shares the keeper's memory as well, its stack and all that was prepared for it belong to the lane until the kernel says
//! that the child has let go of our memory, by becoming its program or by ending (`CLONE_CHILD_CLEARTID`); else the child
//! says itself when it has its own descriptors. In a busy moment several are on their way at once, hence several lanes.
//! Between its users a lane holds a filler, so that nothing else takes its numbers.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::Timespec;
use rustix::io::{DupFlags, Errno, dup3, fcntl_dupfd_cloexec};
use rustix::thread::futex;

use crate::protocol::Stage;
use crate::spawn::Prepared;
use crate::sys::{self, Stack};

/// Children that may be on their way at the same time.
const LANES: usize = 32;

#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    filler: OwnedFd,
    /// The first number above all lanes.
    ceiling: RawFd,
    /// Lanes with a user.
    busy: usize,
    share_memory: bool,
    /// The last wait for a lane was in vain, and none has been cleared since.
    jammed: bool,
}

#[derive(Debug)]
struct Lane {
    stdio: [OwnedFd; 3],
    stack: Stack,
    /// Zero when the user needs nothing of ours any more: set by the kernel where memory is shared, else by the user.
    occupied: &'static AtomicU32,
    user: Option<User>,
}

#[derive(Debug)]
struct User {
    pid: i32,
    /// What it reads.
    _prepared: Box<Prepared>,
}

/// Why there is no child.
#[derive(Debug)]
pub(crate) enum Refused {
    /// With what was prepared for it.
    NoLane(Box<Prepared>),
    Kernel(Stage, i32),
}

impl Lanes {
    /// Reserves the lowest numbers that are free. `filler` is any descriptor.
    pub(crate) fn reserve(filler: OwnedFd, share_memory: bool) -> Result<Lanes, Errno> {
        let one = || fcntl_dupfd_cloexec(&filler, 3);
        let stacks = sys::stacks(LANES).map_err(|_| Errno::NOMEM)?;
        let words = sys::shared_words(LANES).map_err(|_| Errno::NOMEM)?;
        let lanes = stacks
            .into_iter()
            .zip(words)
            .map(|(stack, occupied)| {
                Ok(Lane { stdio: [one()?, one()?, one()?], stack, occupied, user: None })
            })
            .collect::<Result<Vec<_>, Errno>>()?;
        let highest = lanes.iter().flat_map(|lane| &lane.stdio).map(AsRawFd::as_raw_fd).max();
        Ok(Lanes {
            lanes,
            filler,
            ceiling: highest.map_or(3, |fd| fd + 1),
            busy: 0,
            share_memory,
            jammed: false,
        })
    }

    /// How many children are on their way: look again soon with [`Lanes::settle`].
    pub(crate) fn busy(&self) -> usize {
        self.busy
    }

    /// Sends a child on its way; returns its pid.
    pub(crate) fn launch(
        &mut self,
        ends: [BorrowedFd<'_>; 3],
        mut prepared: Box<Prepared>,
    ) -> Result<i32, Refused> {
        let Some(number) = self.free() else { return Err(Refused::NoLane(prepared)) };
        let lane = &mut self.lanes[number];
        for (place, end) in lane.stdio.iter_mut().zip(ends) {
            dup3(end, place, DupFlags::CLOEXEC)
                .map_err(|e| Refused::Kernel(Stage::Descriptors, e.raw_os_error()))?;
        }
        let share_memory = self.share_memory && prepared.may_share_memory();
        let stdio = lane.stdio.each_ref().map(AsRawFd::as_raw_fd);
        prepared.found_at(stdio, Some(self.ceiling), (!share_memory).then_some(lane.occupied));
        lane.occupied.store(1, Ordering::Release);
        match sys::start_sharing(&lane.stack, prepared, lane.occupied, share_memory) {
            Ok((pid, prepared)) => {
                lane.user = Some(User { pid, _prepared: prepared });
                self.busy += 1;
                Ok(pid)
            }
            Err((errno, prepared)) => {
                lane.occupied.store(0, Ordering::Relaxed);
                self.clear(number);
                Err(match errno {
                    libc::EAGAIN | libc::ENOMEM => Refused::Kernel(Stage::Fork, errno),
                    // A filter, or an emulator of another processor: those know forks, vforks and threads only.
                    _ => Refused::NoLane(prepared),
                })
            }
        }
    }

    /// Clears the lanes of children that are gone from them.
    pub(crate) fn settle(&mut self) {
        self.clear_where(|lane, _| lane.occupied.load(Ordering::Acquire) == 0);
    }

    /// This child has ended, wherever it had got to.
    pub(crate) fn ended(&mut self, pid: i32) {
        self.clear_where(|_, user| user.pid == pid);
    }

    fn clear_where(&mut self, done: impl Fn(&Lane, &User) -> bool) {
        if self.busy == 0 {
            return;
        }
        for number in 0..LANES {
            let lane = &mut self.lanes[number];
            if lane.user.as_ref().is_some_and(|user| done(lane, user)) {
                lane.user = None;
                self.busy -= 1;
                self.jammed = false;
                self.clear(number);
            }
        }
    }

    /// The first lane without a user. If there is none the processor is the bottleneck, and waiting a little is no loss.
    fn free(&mut self) -> Option<usize> {
        if self.busy == LANES {
            self.settle();
        }
        if self.busy == LANES && !self.jammed {
            let patience = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
            // Woken, interrupted, too late: whoever waits looks again.
            let _ = futex::wait(self.lanes[0].occupied, futex::Flags::empty(), 1, Some(&patience));
            self.settle();
            self.jammed = self.busy == LANES;
        }
        self.lanes.iter().position(|lane| lane.user.is_none())
    }

    /// What lies in a lane must not stay open here: a program's readers wait for its end.
    fn clear(&mut self, number: usize) {
        for place in &mut self.lanes[number].stdio {
            // It cannot fail: both numbers are open.
            let _ = dup3(&self.filler, place, DupFlags::CLOEXEC);
        }
    }
}
