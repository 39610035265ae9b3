//! Another program file in the place of ours, while every program runs on: first for the brain, then for the keeper.
//!
//! The brain asks. The file that is on disk now is executed as a brain *on trial*: it is told everything, the keeper's own
//! state too, and may touch nothing. If it is willing, the brain that asked lets go of everything and hands over; the one on
//! trial hears the past again and comes up, as after a death. The old one stays to give whoever asked the answer. When the
//! new one is up the keeper executes the same file itself (`renew.rs`): same pid, same children, same descriptors.
//!
//! Until the hand-over a failure changes nothing at all. After it the keeper does what it does whenever a brain dies: it
//! forks one out of itself, which is the old program file still. The keeper's own exec is the last step, of a
//! file that has proved that it runs and can read what the keeper leaves behind.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{FdFlags, fcntl_setfd};

use super::life::socket_pair;
use super::news::{Past, Peer, Tell};
use super::renew::{Image, Program};
use super::requests::read_whole;
use super::{Keeper, until};
use crate::handover::{Who, variable};
use crate::link::{Link, receive_packet, send_packet};
use crate::protocol::{
    BadMessage, MAX_MESSAGE, Reader, Stage, Upgrade, UpgradeFailure, WaitStatus, Writer, ask, tell,
};
use crate::raw;
use crate::report::Report;
use crate::state::State;
use crate::sys::{self, Fork};

/// So many bytes of what a brain on trial says of itself are passed on.
const LONGEST_TEXT: usize = 1000;
/// How long a brain that is executed waits for the first word of its keeper.
const FIRST_WORD_NS: u64 = 10_000_000_000;
/// How long one that has been told how it went may take to pass that on, and to end.
const LAST_ANSWER_NS: u64 = 10_000_000_000;

/// How far an upgrade has got.
pub(super) struct Progress {
    /// What to execute; absent where that cannot be known.
    pub(super) program: Option<Program>,
    trial: Option<Trial>,
    /// The brain that has handed over.
    messenger: Option<Messenger>,
    /// The brain that has taken over is not up yet.
    probation: Option<Probation>,
    /// The brain is of another image, and the keeper is to follow it.
    renewal: Option<Renewal>,
    /// Processes that are to be reaped without a word.
    leaving: Vec<Leaving>,
}

/// It has nothing more to do, and may take until then to end.
struct Leaving {
    pid: i32,
    ends_ns: u64,
}

struct Trial {
    peer: Peer,
    /// The keeper's own state, to be judged by the keeper in the new file.
    state: OwnedFd,
    image: Image,
    report: &'static Report,
    willing: bool,
    patience_ns: u64,
    ends_ns: u64,
}

struct Messenger {
    peer: Peer,
    is_told: bool,
    ends_ns: u64,
}

/// What the keeper is to become, as long as a brain of it lives, and until when that must have been possible.
#[derive(Clone, Copy)]
struct Renewal {
    image: Image,
    ends_ns: u64,
}

struct Probation {
    image: Image,
    patience_ns: u64,
    ends_ns: u64,
    late: bool,
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress {
            program: Program::ours(),
            trial: None,
            messenger: None,
            probation: None,
            renewal: None,
            leaving: Vec::new(),
        }
    }

    pub(super) fn candidate(&self) -> Option<&Peer> {
        self.trial.as_ref().map(|trial| &trial.peer)
    }

    pub(super) fn messenger(&self) -> Option<&Peer> {
        self.messenger.as_ref().map(|messenger| &messenger.peer)
    }

    /// A brain that has handed over, and is still to be told what came of it.
    pub(super) fn resume_messenger(&mut self, peer: Peer) {
        let ends_ns = sys::now().mono_ns + FIRST_WORD_NS;
        self.messenger = Some(Messenger { peer, is_told: false, ends_ns });
    }

    fn is_under_way(&self) -> bool {
        self.trial.is_some() || self.messenger.is_some() || self.probation.is_some() || self.renewal.is_some()
    }

    /// Nobody waits for this process any more.
    fn discard(&mut self, pid: i32) {
        // It can only fail where it has just ended.
        let _ = sys::kill(pid, libc::SIGKILL);
        self.leaving.push(Leaving { pid, ends_ns: u64::MAX });
    }

    /// Their pids, for another build of us.
    pub(super) fn leaving(&self) -> impl Iterator<Item = i32> {
        self.leaving.iter().map(|leaving| leaving.pid)
    }

    pub(super) fn resume_leaving(&mut self, pids: Vec<i32>) {
        let ends_ns = sys::now().mono_ns + LAST_ANSWER_NS;
        self.leaving = pids.into_iter().map(|pid| Leaving { pid, ends_ns }).collect();
    }

    /// A messenger that has been told how it went has only to pass that on.
    fn dismiss_messenger(&mut self) {
        let is_told = |messenger: &mut Messenger| messenger.is_told && messenger.peer.untold.is_empty();
        if let Some(messenger) = self.messenger.take_if(is_told) {
            let ends_ns = sys::now().mono_ns + LAST_ANSWER_NS;
            self.leaving.push(Leaving { pid: messenger.peer.pid, ends_ns });
        }
    }

    fn tell_messenger(&mut self, news: Upgrade) {
        if let Some(messenger) = &mut self.messenger {
            messenger.peer.untold.push_back(Tell::Upgrade(news));
            messenger.is_told = true;
        }
    }
}

impl Keeper {
    /// Begins a trial; the brain hears how it goes.
    pub(super) fn try_upgrade(&mut self, patience_ns: u64) {
        let result = match self.upgrade.is_under_way() {
            true => Err(UpgradeFailure::Busy),
            false => self.begin_trial(patience_ns),
        };
        if let Err(failure) = result {
            self.news(Tell::Upgrade(Upgrade::Failed(failure)));
        }
    }

    fn begin_trial(&mut self, patience_ns: u64) -> Result<(), UpgradeFailure> {
        let cannot = |e: io::Error| UpgradeFailure::Fork(e.raw_os_error().unwrap_or(libc::EAGAIN));
        let program = self.upgrade.program.as_ref().ok_or(UpgradeFailure::NoProgram)?;
        let image = program.image().map_err(UpgradeFailure::Execute)?;
        let state = self.state_in_memory().map_err(cannot)?;
        let (ours, theirs) = socket_pair().map_err(cannot)?;
        let report = self.table.report().map_err(cannot)?;
        match sys::fork().map_err(cannot) {
            Err(failure) => {
                self.table.return_report(report);
                Err(failure)
            }
            Ok(Fork::Child) => {
                let entry = variable(Who::Brain, std::process::id(), &theirs);
                let errno = match fcntl_setfd(&theirs, FdFlags::empty()) {
                    Ok(()) => program.execute(self.spawner.environment(), entry),
                    Err(e) => e.raw_os_error(),
                };
                report.failed(Stage::Exec, errno);
                raw::exit(127)
            }
            Ok(Fork::Parent(pid)) => {
                let mut peer = Peer::new(pid, ours);
                peer.untold = std::iter::once(Tell::KeeperState).chain(self.past()).collect();
                let ends_ns = sys::now().mono_ns.saturating_add(patience_ns);
                let willing = false;
                self.upgrade.trial =
                    Some(Trial { peer, state, image, report, willing, patience_ns, ends_ns });
                Ok(())
            }
        }
    }

    /// The brain has let go of everything.
    pub(super) fn hand_over(&mut self) {
        let Some(brain) = self.brain.take() else { return };
        let now = sys::now().mono_ns;
        let mut peer = brain.peer;
        // Of what it has not heard yet, the new one hears.
        peer.untold.retain(|tell| matches!(tell, Tell::Upgrade(_)));
        let trial = self.upgrade.trial.take_if(|trial| trial.willing);
        if trial.is_none() && peer.untold.is_empty() {
            peer.untold.push_back(Tell::Upgrade(Upgrade::Failed(UpgradeFailure::Late)));
        }
        let patience_ns = trial.as_ref().map_or(FIRST_WORD_NS, |trial| trial.patience_ns);
        let (is_told, ends_ns) = (!peer.untold.is_empty(), now.saturating_add(patience_ns.saturating_mul(3)));
        self.upgrade.messenger = Some(Messenger { peer, is_told, ends_ns });
        // What there was to say of earlier deaths has been said.
        self.previous = None;
        // Without one on trial the loop forks a brain, as after a death.
        if let Some(Trial { peer, image, report, .. }) = trial {
            self.table.return_report(report);
            self.upgrade.probation =
                Some(Probation { image, patience_ns, ends_ns: now.saturating_add(patience_ns), late: false });
            self.install(peer);
        }
    }

    /// The brain is ready: if it has taken over, the keeper follows it.
    pub(super) fn upgrade_is_up(&mut self) {
        if let Some(probation) = self.upgrade.probation.take() {
            let ends_ns = sys::now().mono_ns.saturating_add(probation.patience_ns);
            self.upgrade.renewal = Some(Renewal { image: probation.image, ends_ns });
        }
    }

    /// The keeper has become the new program file, or has been kept from it.
    pub(super) fn upgrade_is_done(&mut self, keeper: Result<(), i32>) {
        self.news(Tell::KeeperRenewed(keeper.err().unwrap_or(0)));
        self.upgrade.tell_messenger(Upgrade::Done { keeper });
    }

    // --- what may go wrong ---

    /// The brain has ended, as brains do, and it may have been in the midst of an upgrade.
    pub(super) fn upgrade_has_lost_its_brain(&mut self, status: WaitStatus) {
        // Nobody is left who would hand over.
        self.give_up_trial();
        let late = self.upgrade.probation.take().map(|probation| probation.late);
        // Up, and dead before the keeper has followed it: the next one is of the keeper's own file.
        let unfollowed = self.upgrade.renewal.take().map(|_| false);
        if let Some(late) = late.or(unfollowed) {
            let failure = if late { UpgradeFailure::Late } else { UpgradeFailure::Ended(status) };
            self.upgrade.tell_messenger(Upgrade::Failed(failure));
        }
    }

    /// Whether an ended process was one of an upgrade's, which this sees to.
    pub(super) fn upgrade_reaps(&mut self, pid: i32, status: WaitStatus) -> bool {
        self.hear_candidate();
        if let Some(at) = self.upgrade.leaving.iter().position(|leaving| leaving.pid == pid) {
            self.upgrade.leaving.swap_remove(at);
            return true;
        }
        if self.upgrade.messenger.take_if(|messenger| messenger.peer.pid == pid).is_some() {
            return true;
        }
        let Some(trial) = self.upgrade.trial.take_if(|trial| trial.peer.pid == pid) else { return false };
        let failure = match trial.report.failure() {
            Some((_, errno)) => UpgradeFailure::Execute(errno),
            None => UpgradeFailure::Ended(status),
        };
        self.table.return_report(trial.report);
        self.news(Tell::Upgrade(Upgrade::Failed(failure)));
        true
    }

    fn trial_fails(&mut self, failure: UpgradeFailure) {
        if self.give_up_trial() {
            self.news(Tell::Upgrade(Upgrade::Failed(failure)));
        }
    }

    /// Ends the brain on trial; whether there was one.
    fn give_up_trial(&mut self) -> bool {
        let Some(trial) = self.upgrade.trial.take() else { return false };
        self.table.return_report(trial.report);
        self.upgrade.discard(trial.peer.pid);
        true
    }

    /// When to call [`Keeper::go_on_upgrading`] at the latest.
    pub(super) fn upgrade_ends_ns(&self) -> Option<u64> {
        let Progress { trial, messenger, probation, renewal, .. } = &self.upgrade;
        let probation = probation.as_ref().filter(|probation| !probation.late);
        [
            trial.as_ref().map(|trial| trial.ends_ns),
            messenger.as_ref().map(|messenger| messenger.ends_ns),
            self.upgrade.leaving.iter().map(|leaving| leaving.ends_ns).filter(|at| *at < u64::MAX).min(),
            probation.map(|probation| probation.ends_ns),
            renewal.as_ref().map(|renewal| renewal.ends_ns),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn go_on_upgrading(&mut self) {
        self.hear_candidate();
        self.hear_messenger();
        if !self.upgrade.is_under_way() && self.upgrade.leaving.is_empty() {
            return;
        }
        let now = sys::now().mono_ns;
        for late in self.upgrade.leaving.iter_mut().filter(|leaving| leaving.ends_ns <= now) {
            // It can only fail where it has just ended.
            let _ = sys::kill(late.pid, libc::SIGKILL);
            late.ends_ns = u64::MAX;
        }
        if self.upgrade.trial.as_ref().is_some_and(|trial| trial.ends_ns <= now) {
            self.trial_fails(UpgradeFailure::Late);
        }
        if let (Some(probation), Some(brain)) = (&mut self.upgrade.probation, &self.brain)
            && probation.ends_ns <= now
            && !probation.late
        {
            probation.late = true;
            // It can only fail where it has just ended. Its end is then ours.
            let _ = sys::kill(brain.peer.pid, libc::SIGKILL);
        }
        if let Some(messenger) = self.upgrade.messenger.take_if(|messenger| messenger.ends_ns <= now) {
            self.upgrade.discard(messenger.peer.pid);
        }
        if let Some(Renewal { image, ends_ns }) = self.upgrade.renewal {
            if self.may_renew() {
                // Where that succeeds it does not come back.
                let errno = self.renew(image);
                self.give_up_renewal(errno);
            } else if ends_ns <= now {
                // A program on its way that does not arrive, on a disk that does not answer.
                self.give_up_renewal(libc::EBUSY);
            }
        }
    }

    fn give_up_renewal(&mut self, errno: i32) {
        self.upgrade.renewal = None;
        self.upgrade_is_done(Err(errno));
    }

    /// What the brain on trial has to say: one word.
    fn hear_candidate(&mut self) {
        let Some(trial) = &mut self.upgrade.trial else { return };
        let word = trial.peer.hear(&mut self.packet).and_then(|n| verdict(&self.packet[..n]));
        match word {
            Some(Ok(version)) if !trial.willing => {
                trial.willing = true;
                trial.ends_ns = sys::now().mono_ns.saturating_add(trial.patience_ns);
                self.news(Tell::Upgrade(Upgrade::Willing(version)));
            }
            Some(Err(reason)) => self.trial_fails(UpgradeFailure::Unwilling(reason)),
            // Whatever it is, it is nothing that one on trial may ask for.
            Some(Ok(_)) | None => {}
        }
    }

    /// Whoever has handed over has nothing more to say.
    fn hear_messenger(&mut self) {
        if let Some(messenger) = &mut self.upgrade.messenger {
            let _ = messenger.peer.hear(&mut self.packet);
        }
    }
}

impl Peer {
    /// The length of the next packet, if there is one; its descriptors are closed. Notes where nobody is there any more.
    fn hear(&mut self, packet: &mut [u8]) -> Option<usize> {
        if self.deaf {
            return None;
        }
        match receive_packet(&self.socket, packet) {
            Ok(None) => None,
            Ok(Some((n, _))) if n > 0 => Some(n),
            Ok(Some(_)) | Err(_) => {
                self.deaf = true;
                None
            }
        }
    }
}

impl Progress {
    /// Tells the processes of an upgrade what they have not heard yet.
    pub(super) fn tell<'a>(&'a mut self, mut past: Past<'a>, out: &mut Vec<u8>) {
        if let Some(messenger) = &mut self.messenger {
            messenger.peer.tell(&past, out);
        }
        self.dismiss_messenger();
        if let Some(Trial { peer, state, .. }) = &mut self.trial {
            past.greeting.on_trial = true;
            past.greeting.takes_over = false;
            past.state = Some(state);
            peer.tell(&past, out);
        }
    }
}

fn verdict(packet: &[u8]) -> Option<Result<String, String>> {
    let (kind, fields) = Reader::start(packet).ok()?;
    let text = fields.rest();
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST_TEXT)]).into_owned();
    match kind {
        ask::WILLING => Some(Ok(text)),
        ask::UNWILLING => Some(Err(text)),
        _ => None,
    }
}

/// The first act of a brain that was executed: whether the keeper of this build could go on with the state of the one
/// that asks. If not, says so.
pub(super) fn may_be_brain(socket: OwnedFd) -> Option<Link> {
    match judge(&socket) {
        Ok(()) => Some(Link::new(socket)),
        Err(reason) => {
            let mut packet = Vec::new();
            Writer::start(&mut packet, ask::UNWILLING).rest(reason.as_bytes());
            // If nobody hears it the exit status tells the rest.
            let _ = send_packet(&socket, &packet, &[]);
            let _ = writeln!(io::stderr(), "Error: this program cannot take over: {reason}");
            None
        }
    }
}

fn judge(socket: &OwnedFd) -> Result<(), String> {
    let gone = || "the keeper has gone away".to_owned();
    let mut packet = vec![0; MAX_MESSAGE];
    let deadline = sys::now().mono_ns + FIRST_WORD_NS;
    let (n, fds) = loop {
        match receive_packet(socket, &mut packet) {
            Ok(Some((0, _))) | Err(_) => return Err(gone()),
            Ok(Some(received)) => break received,
            Ok(None) if sys::now().mono_ns >= deadline => return Err("the keeper says nothing".to_owned()),
            // An interrupted poll is a short one.
            Ok(None) => drop(poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&until(deadline)))),
        }
    };
    let (kind, _) =
        Reader::start(&packet[..n]).map_err(|e| format!("the keeper speaks another protocol: {e}"))?;
    let memfd = fds.into_iter().next().filter(|_| kind == tell::KEEPER_STATE);
    let memfd =
        memfd.ok_or_else(|| format!("the keeper speaks another protocol: {}", BadMessage::Kind(kind)))?;
    let bytes = read_whole(memfd.as_fd(), u64::MAX).map_err(|errno| {
        format!("cannot read the keeper's state: {}", io::Error::from_raw_os_error(errno))
    })?;
    State::read(&bytes).map(drop).map_err(|e| e.to_string())
}
