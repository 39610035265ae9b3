//! The brain's life, and the keeper's own: births, deaths and pauses between them, the background, the end.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::setsid;

use super::news::{Peer, Tell};
use super::{Afterwards, Brain, Keeper, Next, REQUESTS_A_TURN, until};
use crate::link::Link;
use crate::protocol::{LASTING, Previous, Target, WaitStatus};
use crate::sys::{self, Fork};

/// A brain that ran this long was well; the next death is the first of a new row.
const WELL_AFTER_NS: u64 = 10_000_000_000;
/// So many deaths in a row are followed by a new brain at once, as long as each has come up.
const AT_ONCE: u32 = 4;
/// So many by one after the first pause: half a minute of dying and coming up.
const SOON: u32 = 300;
/// Doubled for each further death, and for each brain in a row that does not even come up.
const FIRST_PAUSE_NS: u64 = 100_000_000;
const LONGEST_PAUSE_NS: u64 = 10_000_000_000;
/// When somebody wants us to end, so many brains in a row that do not come up are enough.
const NONE_TO_BE_HAD: u32 = 3;
/// The patience with programs where no brain knows a better one.
const ALONE_NS: u64 = 10_000_000_000;

impl Keeper {
    pub(super) fn may_start_brain(&self) -> bool {
        sys::now().mono_ns >= self.brain_not_before_ns
    }

    /// A fork that fails while programs run is tried again later; before that it is the end.
    pub(super) fn start_brain_somehow(&mut self) -> io::Result<Next> {
        match self.start_brain() {
            // Nobody who could see to it is to be had.
            Err(_) if self.needed && self.asked_to_end.is_some() => self.end_alone(),
            Err(_) if self.needed => {
                self.brain_not_before_ns = sys::now().mono_ns + LONGEST_PAUSE_NS / 10;
                Ok(Next::GoOn)
            }
            other => other,
        }
    }

    pub(super) fn start_brain(&mut self) -> io::Result<Next> {
        let (ours, theirs) = socket_pair()?;
        match sys::fork()? {
            Fork::Child => Ok(Next::BeBrain(Link::new(theirs))),
            Fork::Parent(pid) => {
                self.install(Peer::new(pid, ours));
                Ok(Next::GoOn)
            }
        }
    }

    /// This process is the brain from here on, and hears the whole past.
    pub(super) fn install(&mut self, mut peer: Peer) {
        peer.untold = self.past();
        let ended = self.table.ids().filter(|id| self.table.get(*id).is_some_and(|slot| slot.end.is_some()));
        peer.untold.extend(ended.map(Tell::Exited));
        // Once more, in case that whoever heard it has died before it acted.
        let to_end = self.asked_to_end;
        let others = self.unheard.iter().copied().filter(|signal| Some(*signal) != to_end);
        peer.untold.extend(to_end.into_iter().chain(others).map(Tell::Signal));
        let since_ns = sys::now().mono_ns;
        self.brain = Some(Brain { peer, since_ns, afterwards: Afterwards::Restart, ready: false });
    }

    /// The brain has been reaped: hear its last words, then do as it wished.
    pub(super) fn brain_ended(&mut self, status: WaitStatus) -> io::Result<Next> {
        while self.hear_brain(REQUESTS_A_TURN) {}
        let Some(brain) = self.brain.take() else {
            return Ok(Next::GoOn);
        };
        self.upgrade_has_lost_its_brain(status);
        self.stillborn = if brain.ready { 0 } else { self.stillborn.saturating_add(1) };
        match brain.afterwards {
            Afterwards::Finish(code) => Ok(self.end(code)),
            Afterwards::Detach => self.detach(),
            Afterwards::Renew => {
                self.held.retain(|held| held.name.starts_with(LASTING.as_bytes()));
                self.previous = None;
                // Nothing runs, so a brain that cannot start now is the end, as at the very first start.
                self.needed = false;
                Ok(Next::GoOn)
            }
            // Once a brain has been up, one that a signal ends has not found a mistake.
            Afterwards::Restart if !(self.needed || self.seasoned && status.signal().is_some()) => {
                // Start-up failed, and it has said why: nothing runs that would need us.
                Ok(self.end(status.code().map_or(1, |code| code as u8)))
            }
            // One may have been killed. So many in a row mean that there is none to be had.
            Afterwards::Restart if self.asked_to_end.is_some() && self.stillborn >= NONE_TO_BE_HAD => {
                self.end_alone()
            }
            Afterwards::Restart => {
                let now = sys::now().mono_ns;
                let was_well = now.saturating_sub(brain.since_ns) >= WELL_AFTER_NS;
                let before = if was_well { 0 } else { self.previous.map_or(0, |p| p.in_a_row) };
                let pause = pause_after(before + 1, self.stillborn);
                let held_back_ms = (pause / 1_000_000) as u32;
                self.previous =
                    Some(Previous { pid: brain.peer.pid, status, in_a_row: before + 1, held_back_ms });
                self.brain_not_before_ns = now + pause;
                Ok(Next::GoOn)
            }
        }
    }

    /// Somebody wants us to end, and there is no brain that could see to it: programs get the usual signal and the
    /// usual ten seconds, and then we end.
    pub(super) fn end_alone(&mut self) -> io::Result<Next> {
        self.alone = true;
        self.signal_living(libc::SIGTERM);
        let deadline = sys::now().mono_ns + ALONE_NS;
        while self.living().next().is_some() && sys::now().mono_ns < deadline {
            let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
            self.strangers.watch(&mut fds);
            let _ =
                poll(&mut fds, Some(&until(self.strangers.next_look_ns().unwrap_or(deadline).min(deadline))));
            while sys::next_signal(&self.signals).is_some() {}
            self.reap();
            self.end_strangers();
        }
        self.signal_living(libc::SIGKILL);
        Ok(self.end(1))
    }

    /// Until when a brain that is starting may go on with that although somebody wants us to end. A brain that is up sees
    /// to the end itself, and while programs run no brain is given up.
    pub(super) fn patience_ends_ns(&self) -> Option<u64> {
        let brain = self.brain.as_ref()?;
        let hangs = self.asked_to_end.is_some() && !self.needed && !brain.ready;
        hangs.then(|| self.asked_to_end_ns.max(brain.since_ns) + ALONE_NS)
    }

    pub(super) fn end_patience(&self) {
        if let (Some(brain), Some(end)) = (&self.brain, self.patience_ends_ns())
            && sys::now().mono_ns >= end
        {
            // It can only fail where it has just ended. Its end is then ours.
            let _ = sys::kill(brain.peer.pid, libc::SIGKILL);
        }
    }

    pub(super) fn living(&self) -> impl Iterator<Item = (u32, i32)> {
        let slots = self.table.ids().filter_map(|id| Some((id, self.table.get(id)?)));
        slots.filter(|(_, slot)| slot.end.is_none()).map(|(id, slot)| (id, slot.pid))
    }

    pub(super) fn signal_living(&self, signal: i32) {
        for (id, pid) in self.living() {
            let by_pidfd = self.strangers.signal(id, signal, Target::Process);
            // It can only fail for one that has just ended, or that is not ours to signal.
            let _ = by_pidfd.unwrap_or_else(|| sys::kill(pid, signal));
        }
    }

    pub(super) fn end(&mut self, code: u8) -> Next {
        self.release_launcher(code);
        Next::End(code)
    }

    /// Goes to the background: the old process stays to wait for the outcome, we go on in the fork.
    pub(super) fn detach(&mut self) -> io::Result<Next> {
        let (outcome, report) = pipe_with(PipeFlags::CLOEXEC)?;
        if let Fork::Parent(keeper) = sys::fork()? {
            drop(report);
            return Ok(Next::End(self.wait_for_outcome(&outcome, keeper)));
        }
        self.launcher = Some(report);
        self.detached = true;
        // It cannot fail: a process that was just forked leads no group.
        let _ = setsid();
        Ok(Next::GoOn)
    }

    /// What remains in the foreground waits for the start; whoever wants it to end means the daemon.
    pub(super) fn wait_for_outcome(&self, outcome: &OwnedFd, keeper: i32) -> u8 {
        loop {
            let mut fds = [PollFd::new(outcome, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            // An interrupted poll is a short one.
            let _ = poll(&mut fds, None);
            while let Some(signal) = sys::next_signal(&self.signals) {
                if is_request_to_end(signal) {
                    // It can only fail where the keeper has just ended, and then the outcome is on its way.
                    let _ = sys::kill(keeper, signal);
                }
            }
            if !fds[0].revents().is_empty() {
                let mut code = [1u8];
                // Nothing read means that the keeper died before it could say anything: status 1.
                while let Err(Errno::INTR) = rustix::io::read(outcome, &mut code) {}
                return code[0];
            }
        }
    }

    pub(super) fn release_launcher(&mut self, code: u8) {
        if let Some(report) = self.launcher.take() {
            // The launcher may have been killed; there is then nobody to tell.
            let _ = rustix::io::write(&report, &[code]);
        }
    }
}

pub(super) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

pub(super) fn is_request_to_end(signal: i32) -> bool {
    matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
}

/// How long to hold back the next brain after so many deaths in a row, the last of them of brains that never came up.
/// Programs need no brain to run, but whoever wants something of the daemon does, so one that comes up is soon
/// replaced; one that does not is most likely to fail in the same way again.
fn pause_after(deaths: u32, stillborn: u32) -> u64 {
    let doubled = |times: u32| (FIRST_PAUSE_NS << times.min(20)).min(LONGEST_PAUSE_NS);
    let for_deaths = match deaths {
        0..=AT_ONCE => 0,
        n => doubled(n.saturating_sub(SOON)),
    };
    let for_stillborn = if stillborn < 2 { 0 } else { doubled(stillborn - 2) };
    for_deaths.max(for_stillborn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brain_that_keeps_dying_is_held_back_longer_and_longer_but_never_for_ever() {
        let (first, longest) = (FIRST_PAUSE_NS, LONGEST_PAUSE_NS);
        for (deaths, stillborn, pause) in [
            (1, 0, 0),
            (4, 0, 0),
            (5, 0, first),
            (300, 0, first),
            (301, 0, 2 * first),
            (u32::MAX, 0, longest),
            // Those that never come up.
            (1, 1, 0),
            (2, 2, first),
            (3, 3, 2 * first),
            (5, 1, first),
            (u32::MAX, u32::MAX, longest),
        ] {
            assert_eq!(pause_after(deaths, stillborn), pause, "{deaths} {stillborn}");
        }
    }
}
