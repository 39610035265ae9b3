//! Reserved low descriptors, over which children get their standard input, output and error.
//!
//! A child that is forked with the keeper's descriptor table shared, instead of copied, cuts itself loose by copying
//! only what lies below a ceiling (`CLOSE_RANGE_UNSHARE`). Whatever it needs has to lie there, and has to stay there until
//! it has done so; that is a lane. In a busy moment several children are on their way at once, hence several lanes.
//! Between its users a lane holds a filler, so that nothing else can take its numbers.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::{DupFlags, Errno, dup3, fcntl_dupfd_cloexec};

use crate::report::Report;

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
    /// Where to look for a free one first.
    turn: usize,
}

#[derive(Debug)]
struct Lane {
    stdio: [OwnedFd; 3],
    user: Option<User>,
}

#[derive(Debug)]
struct User {
    pid: i32,
    report: &'static Report,
}

impl Lanes {
    /// Reserves the lowest numbers that are free. `filler` is any descriptor.
    pub(crate) fn reserve(filler: OwnedFd) -> Result<Lanes, Errno> {
        let one = || fcntl_dupfd_cloexec(&filler, 3);
        let lanes = (0..LANES)
            .map(|_| Ok(Lane { stdio: [one()?, one()?, one()?], user: None }))
            .collect::<Result<Vec<_>, Errno>>()?;
        let highest = lanes.iter().flat_map(|lane| &lane.stdio).map(AsRawFd::as_raw_fd).max();
        Ok(Lanes { lanes, filler, ceiling: highest.map_or(3, |fd| fd + 1), busy: 0, turn: 0 })
    }

    pub(crate) fn ceiling(&self) -> RawFd {
        self.ceiling
    }

    /// Children are on their way: look again soon with [`Lanes::settle`].
    pub(crate) fn is_busy(&self) -> bool {
        self.busy > 0
    }

    /// Puts a child's ends into a lane and returns its number; `None` where every lane is taken.
    pub(crate) fn load(&mut self, ends: [BorrowedFd<'_>; 3]) -> Result<Option<usize>, Errno> {
        let Some(number) = self.free() else { return Ok(None) };
        for (place, end) in self.lanes[number].stdio.iter_mut().zip(ends) {
            dup3(end, place, DupFlags::CLOEXEC)?;
        }
        Ok(Some(number))
    }

    pub(crate) fn stdio(&self, number: usize) -> [RawFd; 3] {
        self.lanes[number].stdio.each_ref().map(AsRawFd::as_raw_fd)
    }

    /// The lane is this child's until its report says that it is on its own.
    pub(crate) fn take(&mut self, number: usize, pid: i32, report: &'static Report) {
        self.lanes[number].user = Some(User { pid, report });
        self.busy += 1;
    }

    /// No child was made for what was loaded.
    pub(crate) fn unload(&mut self, number: usize) {
        self.clear(number);
    }

    /// Clears the lanes of children that are on their own.
    pub(crate) fn settle(&mut self) {
        if self.busy > 0 {
            self.clear_where(|user| user.report.is_on_its_own());
        }
    }

    /// This child has ended, and needs no lane, wherever it had got to.
    pub(crate) fn ended(&mut self, pid: i32) {
        if self.busy > 0 {
            self.clear_where(|user| user.pid == pid);
        }
    }

    /// A lane without a user. If there is none the processor is the bottleneck, and waiting a little is no loss.
    fn free(&mut self) -> Option<usize> {
        if let Some(number) = self.look_for_free() {
            return Some(number);
        }
        self.settle();
        self.look_for_free().or_else(|| {
            if let Some(user) = &self.lanes[self.turn].user {
                user.report.wait_until_on_its_own();
            }
            self.settle();
            self.look_for_free()
        })
    }

    fn look_for_free(&mut self) -> Option<usize> {
        let in_turn = (0..LANES).map(|n| (self.turn + n) % LANES);
        let number = in_turn.into_iter().find(|n| self.lanes[*n].user.is_none())?;
        self.turn = (number + 1) % LANES;
        Some(number)
    }

    fn clear_where(&mut self, done: impl Fn(&User) -> bool) {
        for number in 0..LANES {
            if self.lanes[number].user.as_ref().is_some_and(&done) {
                self.lanes[number].user = None;
                self.busy -= 1;
                self.clear(number);
            }
        }
    }

    /// What lies in a lane must not stay open here: a program's readers wait for its end.
    fn clear(&mut self, number: usize) {
        for place in &mut self.lanes[number].stdio {
            // It cannot fail: both numbers are open.
            let _ = dup3(&self.filler, place, DupFlags::CLOEXEC);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    use crate::sys;

    fn lanes() -> Lanes {
        Lanes::reserve(rustix::pipe::pipe().unwrap().0).unwrap()
    }

    #[test]
    fn a_lane_is_free_again_when_its_user_is_on_its_own_or_has_ended() {
        let mut lanes = lanes();
        let (_, end) = rustix::pipe::pipe().unwrap();
        let reports = sys::shared_reports(LANES).unwrap();
        for (pid, report) in (1..).zip(reports) {
            let number = lanes.load([end.as_fd(); 3]).unwrap().unwrap();
            lanes.take(number, pid, report);
        }
        assert_eq!(lanes.load([end.as_fd(); 3]).unwrap(), None, "all are taken");
        reports[5].on_its_own();
        let number = lanes.load([end.as_fd(); 3]).unwrap().unwrap();
        lanes.take(number, 99, &reports[5]);
        lanes.ended(7);
        assert!(lanes.load([end.as_fd(); 3]).unwrap().is_some());
        for report in reports {
            report.on_its_own();
        }
        lanes.settle();
        assert!(!lanes.is_busy());
    }

    #[test]
    fn nothing_of_a_child_stays_open_in_its_lane() {
        let mut lanes = lanes();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let number = lanes.load([writer.as_fd(); 3]).unwrap().unwrap();
        drop(writer);
        lanes.unload(number);
        // Were there a writer left, this would wait for it.
        assert_eq!(rustix::io::read(&reader, &mut [0u8; 1]), Ok(0));
    }

    #[test]
    fn every_lane_lies_below_the_ceiling() {
        let lanes = lanes();
        assert!((0..LANES).flat_map(|n| lanes.stdio(n)).all(|fd| (3..lanes.ceiling()).contains(&fd)));
    }
}
