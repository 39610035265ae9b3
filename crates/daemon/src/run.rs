//! The loop: waits in one poll(2) for the keeper, commands, the pump and one deadline; turns each into
//! an input; lets the core step; performs what it wants. It sleeps as long as nothing happens.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use provost_api::{Asked, Asker, Busy, Inbox, Report};
use provost_config::LogLevel;
use provost_core::{Action, AskId, ChildId, Ending, Input, Supervisor};
use provost_keeper::{FromKeeper, LinkError, ToKeeper};
use rustix::event::{PollFd, PollFlags, poll};

use crate::audit::{Deed, Entry};
use crate::clock;
use crate::inputs::exit_status;
use crate::launch;
use crate::logs::Notice;
use crate::perform::Hands;
use crate::upgrade::HandOver;
use crate::wake::{Bell, LimitedPost};

/// Commands that may wait for the loop; more are refused, and the client is told.
const MOST_COMMANDS: usize = 1024;
/// Messages of the keeper taken in one turn, so that commands get theirs.
const MESSAGES_A_TURN: usize = 256;

/// The same of the pump, which tells of all that programs say.
const NOTICES_A_TURN: usize = 256;

/// Reports that may wait; more are nothing that anybody could read.
const MOST_REPORTS: usize = 256;

/// The doors' end of the loop.
pub(crate) struct CommandPost {
    commands: LimitedPost<(Asked, Asker)>,
    reports: LimitedPost<Report>,
    /// Reports that found no room, and have not been told of.
    untold: Arc<AtomicU64>,
}

/// The loop's end of the doors.
pub(crate) struct Doors {
    commands: Receiver<(Asked, Asker)>,
    reports: Receiver<Report>,
    untold: Arc<AtomicU64>,
}

impl CommandPost {
    pub(crate) fn new(bell: &Bell) -> (CommandPost, Doors) {
        let (commands, heard_commands) = LimitedPost::new(bell, MOST_COMMANDS);
        let (reports, heard_reports) = LimitedPost::new(bell, MOST_REPORTS);
        let untold = Arc::<AtomicU64>::default();
        let doors = Doors { commands: heard_commands, reports: heard_reports, untold: Arc::clone(&untold) };
        (CommandPost { commands, reports, untold }, doors)
    }

    /// For other threads that have something to complain of.
    pub(crate) fn complaints(&self) -> impl Fn(String) + Send + 'static {
        let reports = self.reports.clone();
        move |text| drop(reports.try_send(Report::Warning(text)))
    }
}

impl Inbox for CommandPost {
    fn ask(&self, asked: Asked, asker: Asker) -> Result<(), Busy> {
        self.commands.try_send((asked, asker)).map_err(|_| Busy)
    }

    fn report(&self, report: Report) {
        // Who is denied a thousand times a second is told of often enough; that others may have been, too, is said.
        if self.reports.try_send(report).is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The loop and all it owns.
pub(crate) struct Loop {
    pub(crate) supervisor: Supervisor,
    pub(crate) hands: Hands,
    pub(crate) bell: Bell,
    pub(crate) doors: Doors,
    pub(crate) notices: Receiver<Notice>,
    pub(crate) inputs: VecDeque<Input>,
    pub(crate) next_ask: u64,
}

/// How the loop ends.
#[derive(Debug)]
pub(crate) enum Outcome {
    Ended(Ending),
    /// Another brain is to go on.
    HandsOver(HandOver),
}

impl Loop {
    /// Runs until nothing is left to supervise.
    pub(crate) fn run(&mut self) -> Result<Outcome, LinkError> {
        loop {
            if let Some(ending) = self.work_off()? {
                return Ok(Outcome::Ended(ending));
            }
            let is_quiet = self.hands.is_quiet();
            if let Some(hand_over) = self.hands.upgrade.is_due(is_quiet) {
                // From here on somebody else knows.
                self.hands.tell_doors(false);
                return Ok(Outcome::HandsOver(hand_over));
            }
            self.wait()?;
            self.hear_keeper()?;
            self.hear_pump()?;
            self.hear_doors();
            // The deadline may be what woke us.
            self.inputs.push_back(Input::Wake);
        }
    }

    /// Steps through all inputs, and those that follow from them.
    pub(crate) fn work_off(&mut self) -> Result<Option<Ending>, LinkError> {
        let mut actions = Vec::new();
        while let Some(input) = self.inputs.pop_front() {
            let signal = if let Input::Signal(signal) = input { Some(signal) } else { None };
            self.supervisor.step(clock::now(), input, &mut actions);
            // Before anybody is answered.
            self.hands.tell_doors(self.supervisor.runs());
            if let Some(ending) = self.perform_all(&mut actions)? {
                return Ok(Some(ending));
            }
            if let Some(signal) = signal {
                self.hands.link.send(ToKeeper::Heard { signal })?;
            }
        }
        // Before anything is waited for, and so before any child of a new group is asked for: its files come first.
        self.hands.write_effective()?;
        Ok(None)
    }

    /// Performs in order; what is known at once is stepped before anything that waits.
    pub(crate) fn perform_all(&mut self, actions: &mut Vec<Action>) -> Result<Option<Ending>, LinkError> {
        let mut known = Vec::new();
        let mut ended = None;
        self.hands.look_ahead(actions);
        for action in actions.drain(..) {
            let (input, ending) = self.hands.perform(action)?;
            known.extend(input);
            ended = ended.or(ending);
        }
        for input in known.into_iter().rev() {
            self.inputs.push_front(input);
        }
        Ok(ended)
    }

    fn wait(&mut self) -> Result<(), LinkError> {
        let mut wanted = PollFlags::IN;
        if self.hands.link.wants_to_write() {
            wanted |= PollFlags::OUT;
        }
        let room = if self.hands.log.wants_to_write() { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = vec![
            PollFd::new(&self.hands.link, wanted),
            PollFd::new(&self.bell, PollFlags::IN),
            PollFd::new(&self.hands.log, room),
        ];
        let full: Vec<(ChildId, BorrowedFd<'_>)> = self.hands.stdins.full().collect();
        fds.extend(full.iter().map(|(_, pipe)| PollFd::from_borrowed_fd(*pipe, PollFlags::OUT)));
        let Hands { upgrade, pump, listeners, .. } = &self.hands;
        let deadlines =
            [self.supervisor.next_deadline(), upgrade.deadline(), pump.deadline(), listeners.deadline()];
        let timeout = clock::until(deadlines.into_iter().flatten().min());
        // An interrupted poll is a short one.
        let _ = poll(&mut fds, timeout.as_ref());
        let may_write = fds[0].revents().contains(PollFlags::OUT);
        let with_room = fds[3..].iter().zip(&full).filter(|(fd, _)| !fd.revents().is_empty());
        let with_room: Vec<ChildId> = with_room.map(|(_, (child, _))| *child).collect();
        for child in with_room {
            self.hands.stdins.go_on(child, &mut self.hands.link)?;
        }
        self.hands.flush_log();
        self.bell.silence();
        if may_write { self.hands.link.flush() } else { Ok(()) }
    }

    fn hear_keeper(&mut self) -> Result<(), LinkError> {
        for _ in 0..MESSAGES_A_TURN {
            let Some(message) = self.hands.link.receive()? else { break };
            if let Some(input) = self.understand(message)? {
                self.inputs.push_back(input);
            }
        }
        Ok(())
    }

    fn understand(&mut self, message: FromKeeper) -> Result<Option<Input>, LinkError> {
        Ok(match message {
            FromKeeper::Spawned { id, pid, at, pipes } => {
                self.hands.spawned(ChildId(id), pid, clock::of(at), pipes)?
            }
            FromKeeper::SpawnFailed { id, stage, errno } => {
                self.hands.spawn_failed(ChildId(id), stage, errno)?
            }
            FromKeeper::Exited { id, status, at, failure, next } => {
                let (status, next) = (exit_status(status), next.map(ChildId));
                let answers = self.hands.stdins.ended(ChildId(id), &mut self.hands.link)?;
                self.inputs.extend(answers);
                self.hands.exited(ChildId(id), status, clock::of(at), failure, next)?;
                None
            }
            FromKeeper::Stdin { id, lent } => {
                let Hands { listeners, stdins, link, log, .. } = &mut self.hands;
                if let Some(lent) = listeners.lent(ChildId(id), lent, log) {
                    self.inputs.extend(stdins.lent(ChildId(id), lent, link)?);
                }
                None
            }
            FromKeeper::KillFailed { id, errno } => {
                // Gone already: its end is on its way to us.
                let gone = launch::errno_name(errno) == "ESRCH";
                (!gone).then(|| Input::KillFailed { child: ChildId(id), reason: launch::errno_name(errno) })
            }
            FromKeeper::Orphan { pid, status } => Some(Input::Orphan { pid, status: exit_status(status) }),
            FromKeeper::Signal(signal) => Some(Input::Signal(signal)),
            FromKeeper::Upgrade(news) => self.hands.upgrade_news(news)?,
            FromKeeper::KeeperRenewed(result) => {
                if result.is_ok() {
                    // It is of our build now.
                    self.hands.stdins.are_lent(&mut self.hands.link)?;
                }
                self.hands.keeper_renewed(result);
                None
            }
            // The past was told before the loop began.
            FromKeeper::Hello(_)
            | FromKeeper::Held { .. }
            | FromKeeper::Child { .. }
            | FromKeeper::Lingering { .. }
            | FromKeeper::Begin => None,
        })
    }

    fn hear_pump(&mut self) -> Result<(), LinkError> {
        self.hands.pump.look_after();
        self.hands.look_after_listeners()?;
        for _ in 0..NOTICES_A_TURN {
            let Some(notice) = self.next_notice() else { return Ok(()) };
            let input = match notice {
                Notice::Opened { child, result } => self.hands.opened(child, result)?,
                Notice::Drained { child, lingers } => self.hands.drained(child, lingers),
                Notice::Dry { child } => {
                    self.hands.dry(child)?;
                    None
                }
                Notice::Free => {
                    self.hands.upgrade.pump_is_free();
                    None
                }
                Notice::LogsDone { process, deed, result } => Some(Input::LogsDone { process, deed, result }),
                Notice::MainLogDone { ask, result } => Some(Input::MainLogDone { ask, result }),
                Notice::Say { level, text } => {
                    self.hands.log.write(level, &text);
                    None
                }
                Notice::Line(line) => {
                    self.hands.log.write(line.level, &line.text);
                    None
                }
                Notice::Keep { name, fd } => {
                    self.hands.link.send(ToKeeper::Hold { name, fd })?;
                    None
                }
                Notice::ListenerChanged => {
                    self.hands.tell_of_change();
                    None
                }
                Notice::ListenersHeard => {
                    self.hands.let_listeners_stop()?;
                    None
                }
                Notice::ListenerGone { child } => {
                    self.hands.listener_gone(child)?;
                    None
                }
                Notice::KeepEvents { name, fd, pool, file } => {
                    let Hands { listeners, link, .. } = &mut self.hands;
                    listeners.hold_file((name, fd), (pool, file), link)?;
                    None
                }
                Notice::Said { child, output, word, data } => {
                    self.hands.said(child, output, word, data);
                    None
                }
            };
            self.inputs.extend(input);
        }
        // The others in the next turn.
        self.bell.ring();
        Ok(())
    }

    /// What a lane has to tell, or what is answered in its place.
    fn next_notice(&mut self) -> Option<Notice> {
        while let Ok(notice) = self.notices.try_recv() {
            let notice = self.hands.pump.heard(notice);
            if notice.is_some() {
                return notice;
            }
        }
        self.hands.pump.take_answer()
    }

    fn hear_doors(&mut self) {
        while let Ok((asked, asker)) = self.doors.commands.try_recv() {
            let ask = AskId(self.next_ask);
            self.next_ask += 1;
            self.hands.asks.insert(ask, (asker, Deed::of(&asked)));
            self.inputs.push_back(Input::Command(ask, asked.by, asked.command));
        }
        while let Ok(report) = self.doors.reports.try_recv() {
            match (Entry::denied(&report), report) {
                (Some(entry), _) => self.hands.audit(&entry),
                (None, Report::Warning(text)) => self.hands.log.write(LogLevel::Warn, &text),
                // Nobody keeps a record of who may not look.
                (None, Report::Denied { .. } | Report::Hidden { .. }) => {}
            }
        }
        let untold = self.doors.untold.swap(0, Ordering::Relaxed);
        if untold > 0 {
            let text =
                format!("{untold} lines are missing here, of refusals and complaints that came all at once");
            self.hands.log.write(LogLevel::Warn, &text);
        }
    }
}
