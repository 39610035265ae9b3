//! The keeper executes another program file: the same process afterwards, with the same children and descriptors.
//!
//! Everything it knows goes into a memfd (`state.rs`), whatever must stay open loses close-on-exec, and execve(2) either
//! fails, and then everything is as it was, or another build reads the memfd and goes on. It waits for a moment in which
//! no child is on its way in a lane (those share our memory) and the brain has been told everything. Signals stay
//! blocked throughout, so one that comes meanwhile is there afterwards.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};

use super::news::Peer;
use super::requests::read_whole;
use super::{Afterwards, Brain, Keeper};
use crate::handover::{Who, variable};
use crate::spawn::KeptPipes;
use crate::state::{self, Facts, State};
use crate::sys;
use crate::table::{End, Lingering, Slot};

/// The file that we were started from, and how.
#[derive(Debug)]
pub(super) struct Program {
    path: CString,
    argv: Vec<CString>,
}

/// Which file a path leads to: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Image(u64, u64);

impl Program {
    /// `None` where nobody can tell.
    pub(super) fn ours() -> Option<Program> {
        let argv: Vec<OsString> = std::env::args_os().collect();
        let c_string = |text: &OsString| CString::new(text.as_bytes()).ok();
        Some(Program {
            path: CString::new(path(argv.first()?)?.into_os_string().into_vec()).ok()?,
            argv: argv.iter().map(c_string).collect::<Option<_>>()?,
        })
    }

    pub(super) fn image(&self) -> Result<Image, i32> {
        image(Path::new(OsStr::from_bytes(self.path.as_bytes())))
    }

    /// Returns the errno where it fails.
    pub(super) fn execute(&self, environment: &[CString], entry: CString) -> i32 {
        let environment: Vec<CString> = environment.iter().cloned().chain([entry]).collect();
        sys::execute(&self.path, &self.argv, &environment)
    }
}

/// The name by which we were called, if it leads to us: a link may lead to another file by the time that it matters. Else
/// the file itself.
fn path(name: &OsStr) -> Option<PathBuf> {
    let itself = Path::new("/proc/self/exe");
    let ours = image(itself);
    let mut names = match Path::new(name).components().count() {
        // Searched for, as whoever called us has done.
        1 if !name.as_bytes().contains(&b'/') => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|directory| directory.join(name)).collect()
        }
        _ => vec![PathBuf::from(name)],
    };
    names.retain(|name| ours.is_ok() && image(name) == ours);
    // The keeper stays in the directory that it was started in, but names in messages and logs should be whole.
    let called = names.into_iter().next().and_then(|name| std::path::absolute(name).ok());
    called.or_else(|| {
        let path = std::fs::read_link(itself).ok()?.into_os_string().into_vec();
        // So the kernel calls a file that has been replaced; its successor has the name.
        let path = path.strip_suffix(b" (deleted)").map(<[u8]>::to_vec).unwrap_or(path);
        Some(OsString::from_vec(path).into())
    })
}

fn image(path: &Path) -> Result<Image, i32> {
    let stat = rustix::fs::stat(path).map_err(|e| e.raw_os_error())?;
    Ok(Image(stat.st_dev, stat.st_ino))
}

impl Keeper {
    /// Whether nothing is on its way that an exec would cut off: no child that shares our memory, no word to the brain or
    /// of it about what comes afterwards.
    pub(super) fn may_renew(&self) -> bool {
        let settled = |brain: &Brain| {
            brain.ready && brain.peer.untold.is_empty() && matches!(brain.afterwards, Afterwards::Restart)
        };
        self.brain.as_ref().is_some_and(settled) && self.spawner.busy() == 0 && self.launcher.is_none()
    }

    /// Executes the file that the brain is of. Returns the errno where that fails.
    pub(super) fn renew(&mut self, image: Image) -> i32 {
        let Some(program) = &self.upgrade.program else { return libc::ENOENT };
        match program.image() {
            // Replaced once more meanwhile: that file has proved nothing.
            Ok(now) if now != image => return libc::ESTALE,
            Ok(_) => {}
            Err(errno) => return errno,
        }
        let state = match self.state_in_memory() {
            Ok(state) => state,
            Err(e) => return e.raw_os_error().unwrap_or(libc::ENOMEM),
        };
        let entry = variable(Who::Keeper, std::process::id(), &state);
        self.close_on_exec(&state, FdFlags::empty());
        let errno = program.execute(self.spawner.environment(), entry);
        self.close_on_exec(&state, FdFlags::CLOEXEC);
        errno
    }

    /// For every descriptor that the state speaks of.
    fn close_on_exec(&self, state: &OwnedFd, flags: FdFlags) {
        let peers = [self.brain.as_ref().map(|brain| &brain.peer), self.upgrade.messenger()];
        let sockets = peers.into_iter().flatten().map(|peer| peer.socket.as_fd());
        let held = self.held.iter().map(|held| held.fd.as_fd());
        let slots = self.table.slots();
        let children = slots.clone().flat_map(|(_, slot)| descriptors(&slot.pipes));
        let stdin = slots.filter_map(|(_, slot)| slot.socket.as_ref()).map(AsFd::as_fd);
        let lingering = self.table.lingering_slots().flat_map(|(_, lingering)| descriptors(&lingering.pipes));
        let strangers = self.strangers.all().map(|(.., pidfd)| pidfd);
        let of_programs = children.chain(stdin).chain(lingering).chain(strangers);
        for fd in sockets.chain(held).chain(of_programs).chain([state.as_fd()]) {
            // It cannot fail: the descriptor is open.
            let _ = fcntl_setfd(fd, flags);
        }
    }

    /// All that we know, for another build of us.
    pub(super) fn state_in_memory(&self) -> io::Result<OwnedFd> {
        let memfd = memfd_create("keeper", MemfdFlags::CLOEXEC)?;
        let bytes = self.state().to_bytes();
        let mut written = 0;
        while written < bytes.len() {
            written += rustix::io::pwrite(&memfd, &bytes[written..], written as u64)?;
        }
        Ok(memfd)
    }

    fn state(&self) -> State {
        State {
            facts: Facts {
                seasoned: self.seasoned,
                needed: self.needed,
                detached: self.detached,
                asked_to_end: self.asked_to_end,
                asked_to_end_ns: self.asked_to_end_ns,
                previous: self.previous,
                descriptors: self.spawner.descriptors().numbers(),
            },
            unheard: self.unheard.clone(),
            discarded: self.upgrade.leaving().collect(),
            brain: self.brain.as_ref().map(|brain| state_of_peer(&brain.peer, brain.since_ns)),
            messenger: self.upgrade.messenger().map(|peer| state_of_peer(peer, 0)),
            held: self.held.iter().map(|held| (held.fd.as_raw_fd(), held.name.clone())).collect(),
            children: self.table.slots().map(|(id, slot)| state_of_child(id, slot)).collect(),
            lingering: self
                .table
                .lingering_slots()
                .map(|(id, lingering)| state_of_output(id, lingering))
                .collect(),
            strangers: self
                .strangers
                .all()
                .map(|(id, pid, started, pidfd)| {
                    let pidfd = pidfd.as_raw_fd();
                    state::Stranger { id, pid, started, pidfd }
                })
                .collect(),
        }
    }

    /// The keeper that we were before has executed us.
    pub(super) fn resume(state: OwnedFd) -> io::Result<Keeper> {
        let bytes = read_whole(state.as_fd(), u64::MAX).map_err(io::Error::from_raw_os_error)?;
        drop(state);
        let state = State::read(&bytes).map_err(|e| io::Error::other(e.to_string()))?;
        let mut keeper = Keeper::new()?;
        keeper.spawner.resume_descriptors(sys::Limit::of_numbers(state.facts.descriptors));
        let Facts { seasoned, needed, detached, asked_to_end, asked_to_end_ns, previous, descriptors: _ } =
            state.facts;
        (keeper.seasoned, keeper.needed, keeper.detached) = (seasoned, needed, detached);
        (keeper.asked_to_end, keeper.asked_to_end_ns) = (asked_to_end, asked_to_end_ns);
        keeper.previous = previous;
        keeper.unheard = state.unheard;
        keeper.upgrade.resume_leaving(state.discarded);
        for (fd, name) in state.held {
            keeper.hold(name, open(fd)?);
        }
        for child in state.children {
            let (id, failure) = (child.id, child.failure);
            keeper.table.resume(id, resumed(child)?, failure)?;
        }
        for state::Lingering { id, pipes, label } in state.lingering {
            let label = String::from_utf8_lossy(&label).into_owned().into();
            keeper.table.resume_lingering(id, Lingering { label, pipes: kept(pipes)? });
        }
        for state::Stranger { id, pid, started, pidfd } in state.strangers {
            keeper.table.is_no_child(id);
            keeper.strangers.add(id, pid, started, open(pidfd)?);
        }
        if let Some(state::Peer { pid, socket, since_ns }) = state.brain {
            let peer = Peer::new(pid, open(socket)?);
            // Only a brain that is up, and has heard everything, is left behind.
            let (afterwards, ready) = (Afterwards::Restart, true);
            keeper.brain = Some(Brain { peer, since_ns, afterwards, ready });
        }
        if let Some(state::Peer { pid, socket, .. }) = state.messenger {
            let peer = Peer::new(pid, open(socket)?);
            keeper.upgrade.resume_messenger(peer);
        }
        keeper.upgrade_is_done(Ok(()));
        // Whoever ended meanwhile may have been told to the keeper before: it is to look once more.
        let _ = sys::kill(std::process::id() as i32, libc::SIGCHLD);
        Ok(keeper)
    }
}

fn state_of_peer(peer: &Peer, since_ns: u64) -> state::Peer {
    state::Peer { pid: peer.pid, socket: peer.socket.as_raw_fd(), since_ns }
}

fn state_of_child(id: u32, slot: &Slot) -> state::Child {
    let end = slot.end.map(|End { status, at, next, failure: _ }| state::End { status, at, next });
    state::Child {
        id,
        pid: slot.pid,
        started: slot.started,
        pipes: numbers(&slot.pipes),
        plan: slot.plan.to_vec(),
        socket: slot.socket.as_ref().map(AsRawFd::as_raw_fd),
        relaunch: slot.relaunch,
        end,
        failure: slot.end.map_or(slot.failure(), |end| end.failure),
    }
}

fn state_of_output(id: u32, lingering: &Lingering) -> state::Lingering {
    state::Lingering { id, pipes: numbers(&lingering.pipes), label: lingering.label.as_bytes().to_vec() }
}

fn numbers(pipes: &KeptPipes) -> state::Pipes {
    let number = |fd: &OwnedFd| fd.as_raw_fd();
    state::Pipes {
        stdin: pipes.stdin.as_ref().map(number),
        stdout: number(&pipes.stdout),
        stderr: pipes.stderr.as_ref().map(number),
    }
}

fn descriptors(pipes: &KeptPipes) -> impl Iterator<Item = BorrowedFd<'_>> {
    [pipes.stdin.as_ref(), Some(&pipes.stdout), pipes.stderr.as_ref()].into_iter().flatten().map(AsFd::as_fd)
}

fn resumed(child: state::Child) -> io::Result<Slot> {
    let state::Child { id: _, pid, started, pipes, plan, socket, relaunch, end, failure } = child;
    let end = end.map(|state::End { status, at, next }| End { status, at, next, failure });
    Ok(Slot {
        pid,
        started,
        pipes: kept(pipes)?,
        plan: plan.into(),
        socket: socket.map(open).transpose()?,
        relaunch,
        end,
        report: None,
    })
}

fn kept(pipes: state::Pipes) -> io::Result<KeptPipes> {
    Ok(KeptPipes {
        stdin: pipes.stdin.map(open).transpose()?,
        stdout: open(pipes.stdout)?,
        stderr: pipes.stderr.map(open).transpose()?,
    })
}

fn open(fd: RawFd) -> io::Result<OwnedFd> {
    sys::inherited(fd).ok_or_else(|| io::Error::other(format!("descriptor {fd} was not left open")))
}
