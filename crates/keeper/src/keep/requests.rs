//! What the brain asks for: each message is checked, done or dropped, and none of them can end the keeper.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::news::Tell;
use super::{Afterwards, Held, Keeper, MAX_UNTOLD};
use crate::link::receive_packet;
use crate::plan::{Plan, PlanView};
use crate::protocol::{BadMessage, Ends, Reader, Relaunch, Stage, Target, ask};
use crate::spawn::{KeptPipes, SpawnError};
use crate::sys;

/// The longest plan: the kernel's own limit for arguments and environment is below it.
const MAX_PLAN: u64 = 8 << 20;

impl Keeper {
    /// Handles up to `most` requests; true if there may be more.
    pub(super) fn hear_brain(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let Some(brain) = self.brain.as_mut().filter(|brain| !brain.peer.deaf) else {
                return false;
            };
            let mut packet = std::mem::take(&mut self.packet);
            let received = receive_packet(&brain.peer.socket, &mut packet);
            let more = match received {
                Ok(Some((n, fds))) if n > 0 => {
                    // A request that cannot be read is from another build gone wrong; the brain's next death is its problem,
                    // the children are ours. Nothing here may end the keeper.
                    let _ = self.obey(&packet[..n], fds);
                    true
                }
                Ok(None) => false,
                Ok(Some(_)) | Err(_) => {
                    brain.peer.deaf = true;
                    false
                }
            };
            self.packet = packet;
            if !more {
                return false;
            }
        }
        true
    }

    pub(super) fn obey(&mut self, packet: &[u8], fds: Vec<OwnedFd>) -> Result<(), BadMessage> {
        let (kind, mut f) = Reader::start(packet)?;
        match kind {
            ask::SPAWN => {
                let (id, has_socket) = (f.u32()?, f.u32()? != 0);
                let mut fds = fds.into_iter();
                let socket = if has_socket { Some(fds.next().ok_or(BadMessage::Descriptors)?) } else { None };
                let plan = match fds.next() {
                    None => Ok(f.rest().into()),
                    // Too long for a message.
                    Some(memfd) => read_whole(memfd.as_fd(), MAX_PLAN).map(Into::into),
                };
                match plan {
                    Ok(plan) => self.spawn(id, plan, socket),
                    Err(errno) => self.spawn_failed(id, SpawnError { stage: Stage::Pipe, errno }),
                }
            }
            ask::RELAUNCH => {
                let (id, next, after_ns) = (f.u32()?, f.u32()?, f.u64()?);
                let codes = [f.u64()?, f.u64()?, f.u64()?, f.u64()?];
                let on = Ends { codes, signals: f.u32()? != 0 };
                self.table.settle_succession(id, Some(Relaunch { next, after_ns, on }));
            }
            ask::NO_RELAUNCH => {
                let id = f.u32()?;
                self.table.settle_succession(id, None);
            }
            ask::DESCRIPTORS => {
                let least = f.u64()?;
                self.spawner.allow_descriptors(least);
            }
            ask::KILL => {
                let (id, signal, group) = (f.u32()?, f.i32()?, f.u32()? != 0);
                self.kill(id, signal, if group { Target::Group } else { Target::Process });
            }
            ask::FORGET => {
                let id = f.u32()?;
                let lingers = f.u32()? != 0;
                self.table.forget(id, lingers);
            }
            ask::ADOPT => {
                let (id, pid, started, at) = (f.u32()?, f.i32()?, f.u64()?, f.stamp()?);
                let mut fds = fds.into_iter();
                let (Some(pidfd), Some(stdout)) = (fds.next(), fds.next()) else {
                    return Err(BadMessage::Descriptors);
                };
                let pipes = KeptPipes { stdin: None, stdout, stderr: fds.next() };
                // A plan that nothing can be made from, but a name.
                let plan = Plan::of_nothing(f.text()?).to_bytes().into();
                self.table.adopt(id, pid, at, pipes, plan);
                self.strangers.add(id, pid, started, pidfd);
            }
            ask::DRY => {
                let id = f.u32()?;
                self.table.dry(id);
            }
            ask::STDIN => {
                let id = f.u32()?;
                self.lend_stdin(id);
            }
            ask::HOLD => {
                let fd = fds.into_iter().next().ok_or(BadMessage::Descriptors)?;
                let name = f.rest().to_vec();
                self.held.retain(|held| held.name != name);
                self.hold(name, fd);
            }
            ask::RELEASE => {
                let name = f.rest();
                self.held.retain(|held| held.name != name);
            }
            ask::UMASK => {
                let mask = f.u32()? & 0o777;
                rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
            }
            ask::BECOME => {
                let (uid, gid) = (f.u32()?, f.u32()?);
                let groups: Vec<u32> = std::iter::from_fn(|| f.u32().ok()).collect();
                if sys::become_user(uid, gid, &groups).is_err() {
                    // Going on with privileges that were to be dropped would be worse than not going on.
                    std::process::abort();
                }
            }
            ask::READY => self.ready(),
            ask::DETACH => self.afterwards(Afterwards::Detach),
            ask::FINISH => {
                let code = f.u32()? as u8;
                self.afterwards(Afterwards::Finish(code));
            }
            ask::RENEW => self.afterwards(Afterwards::Renew),
            ask::HEARD => {
                let signal = f.i32()?;
                self.unheard.retain(|other| *other != signal);
            }
            ask::UPGRADE => {
                let patience_ns = f.u64()?;
                self.try_upgrade(patience_ns);
            }
            ask::HAND_OVER => self.hand_over(),
            other => return Err(BadMessage::Kind(other)),
        }
        Ok(())
    }

    pub(super) fn hold(&mut self, name: Vec<u8>, fd: OwnedFd) {
        self.next_held += 1;
        self.held.push(Held { number: self.next_held, name, fd });
    }

    pub(super) fn afterwards(&mut self, wish: Afterwards) {
        if let Some(brain) = &mut self.brain {
            brain.afterwards = wish;
        }
    }

    pub(super) fn ready(&mut self) {
        self.seasoned = true;
        if let Some(brain) = &mut self.brain {
            brain.ready = true;
        }
        self.needed = true;
        self.upgrade_is_up();
        if self.launcher.is_some() {
            sys::silence_stdio();
            self.release_launcher(0);
        }
    }

    pub(super) fn spawn(&mut self, id: u32, plan: Arc<[u8]>, socket: Option<OwnedFd>) {
        match self.try_spawn(id, plan, socket) {
            Ok(()) => self.news(Tell::Spawned(id)),
            Err(error) => self.spawn_failed(id, error),
        }
    }

    pub(super) fn spawn_failed(&mut self, id: u32, error: SpawnError) {
        self.news(Tell::SpawnFailed(id, error));
    }

    pub(super) fn try_spawn(
        &mut self,
        id: u32,
        plan: Arc<[u8]>,
        socket: Option<OwnedFd>,
    ) -> Result<(), SpawnError> {
        let failed = |stage, errno| SpawnError { stage, errno };
        let report =
            self.table.report().map_err(|e| failed(Stage::Fork, e.raw_os_error().unwrap_or(libc::ENOMEM)))?;
        match self.spawner.spawn(&plan, socket.as_ref().map(AsFd::as_fd), report) {
            Ok(child) => {
                self.table.insert(id, child, (plan, socket), report);
                Ok(())
            }
            Err(error) => {
                self.table.return_report(report);
                Err(error)
            }
        }
    }

    /// Puts another child in the place of one that has just ended, where the brain has said so beforehand.
    pub(super) fn succeed(&mut self, id: u32) {
        if self.alone || self.asked_to_end.is_some() {
            return;
        }
        let Some((how, plan, socket)) = self.table.take_succession(id) else { return };
        // What cannot start is the brain's to explain.
        let is_there = PlanView::read(&plan)
            .is_ok_and(|plan| rustix::fs::access(plan.path, rustix::fs::Access::EXEC_OK).is_ok());
        if is_there && self.try_spawn(how.next, plan, socket).is_ok() {
            self.table.succeeded(id, how.next);
        }
    }

    /// A copy of the child's standard input for the brain: ours stays, so that the child never meets the end of it. Most
    /// programs are never written to, and so nobody else holds theirs.
    fn lend_stdin(&mut self, id: u32) {
        let Some(brain) = &self.brain else { return };
        let is_told_already = |tell: &Tell| matches!(tell, Tell::Stdin(other) if *other == id);
        // One that asks and does not listen is told once of each child.
        if brain.peer.untold.len() < MAX_UNTOLD || !brain.peer.untold.iter().any(is_told_already) {
            self.news(Tell::Stdin(id));
        }
    }

    pub(super) fn kill(&mut self, id: u32, signal: i32, target: Target) {
        // A child that has been reaped is not signalled: its number may be somebody else's by now.
        let Some(slot) = self.table.get(id).filter(|slot| slot.end.is_none()) else {
            return;
        };
        let by_pid = || match target {
            Target::Process => sys::kill(slot.pid, signal),
            Target::Group => match sys::kill(-slot.pid, signal) {
                // Forked a moment ago, it has not made its group yet; there is nobody but itself to signal.
                Err(libc::ESRCH) => sys::kill(slot.pid, signal),
                other => other,
            },
        };
        let result = self.strangers.signal(id, signal, target).unwrap_or_else(by_pid);
        if let Err(errno) = result
            && self.brain.as_ref().is_some_and(|brain| brain.peer.untold.len() < MAX_UNTOLD)
        {
            self.news(Tell::KillFailed(id, errno));
        }
    }
}

/// What is in a memfd, if it is not longer than this; the error is an errno.
pub(super) fn read_whole(memfd: BorrowedFd<'_>, longest: u64) -> Result<Vec<u8>, i32> {
    let errno = |e: Errno| e.raw_os_error();
    let size = rustix::fs::fstat(memfd).map_err(errno)?.st_size as u64;
    if size > longest {
        return Err(libc::E2BIG);
    }
    let mut bytes = vec![0; size as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::io::pread(memfd, &mut bytes[filled..], filled as u64) {
            Ok(0) => return Err(libc::EBADMSG),
            Ok(n) => filled += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(errno(e)),
        }
    }
    Ok(bytes)
}
