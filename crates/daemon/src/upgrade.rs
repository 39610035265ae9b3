//! Another brain, of the program file that is on disk now, takes our place: what we do for that, and what we say of it.
//!
//! The keeper tries the file and tells how it goes. When the new brain is willing we wait for a quiet moment, let go of
//! everything that two may not have (doors, pipes, log files), hand over, and stay only to answer whoever asked. From the
//! moment of letting go this brain changes nothing any more: if the new one does not come up, the keeper
//! makes another one like us, which goes on from what is written down.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use provost_api::Api;
use provost_config::{LogLevel, signal_name};
use provost_core::{AskId, Fault, Mono, Reply, Upgraded};
use provost_keeper::{FromKeeper, Link, LinkError, ToKeeper, Upgrade, UpgradeFailure};
use rustix::event::{PollFd, PollFlags, poll};

use crate::audit::Deed;
use crate::clock;
use crate::launch::errno_text;
use crate::logs::{Notice, Patience};
use crate::perform::Hands;

/// How long to wait for a moment in which no program is on its way to the keeper.
const QUIET_AT_THE_LATEST: Duration = Duration::from_secs(1);

/// How far an upgrade has got, as this brain sees it.
#[derive(Debug, Default)]
pub(crate) enum Progress {
    #[default]
    None,
    Trying {
        ask: AskId,
    },
    /// The new brain is willing. Until the pump is free, a log that nobody takes would keep us from letting go.
    Letting {
        hand_over: HandOver,
        until: Mono,
        is_free: bool,
    },
}

/// Somebody has asked for another brain, and there is one.
#[derive(Debug)]
pub(crate) struct HandOver {
    ask: AskId,
    /// The version of the new brain.
    to: String,
}

impl Progress {
    /// Takes note of who asks; of two at a time the second is refused, for this reason.
    pub(crate) fn begin(&mut self, ask: AskId) -> Result<(), String> {
        match self {
            Progress::None => {
                *self = Progress::Trying { ask };
                Ok(())
            }
            Progress::Trying { .. } | Progress::Letting { .. } => Err(reason(&UpgradeFailure::Busy)),
        }
    }

    /// Takes the keeper's news; returns who is to be told that it has failed, and why.
    pub(crate) fn hear(&mut self, news: Upgrade) -> Option<(AskId, String)> {
        let was_stuck = matches!(self, Progress::Letting { is_free: false, .. });
        let ask = match std::mem::take(self) {
            Progress::None => return None,
            Progress::Trying { ask } | Progress::Letting { hand_over: HandOver { ask, .. }, .. } => ask,
        };
        match news {
            Upgrade::Willing(to) => {
                let until = clock::now().mono + QUIET_AT_THE_LATEST;
                *self = Progress::Letting { hand_over: HandOver { ask, to }, until, is_free: false };
                None
            }
            Upgrade::Failed(UpgradeFailure::Late) if was_stuck => {
                let why = "a log is not taken by whoever reads it (a pipe, a terminal, a syslog server, a disk that hangs?)";
                Some((ask, why.to_owned()))
            }
            Upgrade::Failed(failure) => Some((ask, reason(&failure))),
            // Told to one that has handed over, which does not ask here.
            Upgrade::Done { .. } => None,
        }
    }

    /// The pump has answered a call.
    pub(crate) fn pump_is_free(&mut self) {
        if let Progress::Letting { is_free, .. } = self {
            *is_free = true;
        }
    }

    /// Whether it is time to let go.
    pub(crate) fn is_due(&mut self, is_quiet: bool) -> Option<HandOver> {
        match std::mem::take(self) {
            Progress::Letting { hand_over, until, is_free: true }
                if is_quiet || clock::now().mono >= until =>
            {
                Some(hand_over)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self {
            Progress::Letting { until, is_free: true, .. } => Some(*until),
            Progress::Letting { .. } | Progress::None | Progress::Trying { .. } => None,
        }
    }
}

impl HandOver {
    /// Lets go of everything, hands over, and answers whoever asked. `version` is ours.
    pub(crate) fn carry_out(
        self,
        mut hands: Hands,
        notices: &Receiver<Notice>,
        api: Api,
        version: &str,
    ) -> Result<(), LinkError> {
        let HandOver { ask, to } = self;
        // Whoever comes from here on is answered by the next brain.
        api.close_doors();
        hands
            .log
            .write(LogLevel::Info, &format!("a brain of version {to} takes over from this one of {version}"));
        let asker = hands.asks.remove(&ask).map(|(asker, deed)| {
            if let Some(deed) = deed {
                // The last that this brain has to tell: the log goes before the outcome is known.
                hands.audit(&deed.answered(&Reply::Done));
            }
            asker
        });
        // What the others wanted is being done; this brain will not hear how it ends.
        let left: Vec<Deed> = hands.asks.values_mut().filter_map(|(_, deed)| deed.take()).collect();
        left.into_iter().for_each(|deed| hands.audit(&deed.left()));
        if let Some(audit_file) = hands.audit_file.take() {
            audit_file.finish();
        }
        hands.listeners.stop(Patience::Usual, false, &mut hands.log);
        for notice in hands.pump.rest(notices, Patience::Usual) {
            match notice {
                Notice::Say { level, text } => hands.log.write(level, &text),
                Notice::Line(line) => hands.log.write(line.level, &line.text),
                Notice::Said { child, output, word, data } => hands.said(child, output, word, data),
                // The keeper tells the next brain of everything else.
                _ => {}
            }
        }
        hands.pump.stop(hands.log, notices, Patience::Usual, false);
        hands.link.send(ToKeeper::HandOver)?;
        let reply = match outcome(&mut hands.link)? {
            Ok(keeper) => Reply::Upgraded(Upgraded { from: version.to_owned(), to, keeper }),
            Err(failure) => Reply::Fault(Fault::Failed {
                detail: format!("{}; a brain of version {version} goes on", reason(&failure)),
            }),
        };
        if let Some(asker) = asker {
            asker.answer(reply);
        }
        // All others are left without a word, and see a closed connection: what they wanted the next brain may know of.
        api.stop();
        Ok(())
    }
}

/// What came of it: with what the keeper could not do, or why there was no new brain.
fn outcome(link: &mut Link) -> Result<Result<Result<(), String>, UpgradeFailure>, LinkError> {
    loop {
        match link.receive()? {
            Some(FromKeeper::Upgrade(Upgrade::Done { keeper })) => return Ok(Ok(keeper.map_err(errno_text))),
            Some(FromKeeper::Upgrade(Upgrade::Failed(failure))) => return Ok(Err(failure)),
            // The next brain hears all that is news.
            Some(_) => {}
            None => {
                let room = if link.wants_to_write() { PollFlags::OUT } else { PollFlags::empty() };
                // An interrupted poll is a short one.
                let _ = poll(&mut [PollFd::new(link, PollFlags::IN | room)], None);
                link.flush()?;
            }
        }
    }
}

fn reason(failure: &UpgradeFailure) -> String {
    match failure {
        UpgradeFailure::Busy => "another upgrade is under way".to_owned(),
        UpgradeFailure::NoProgram => {
            "it is not known which file this program was started from (is /proc mounted?)".to_owned()
        }
        UpgradeFailure::Fork(errno) => format!("cannot start the new program: {}", errno_text(*errno)),
        UpgradeFailure::Execute(errno) => format!("cannot execute the new program: {}", errno_text(*errno)),
        UpgradeFailure::Unwilling(reason) => format!("the new program cannot take over: {reason}"),
        UpgradeFailure::Ended(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("the new program ended with exit status {code} before it was ready"),
            (None, Some(signal)) => {
                format!("the new program was terminated by {} before it was ready", signal_name(signal))
            }
            (None, None) => "the new program ended before it was ready".to_owned(),
        },
        UpgradeFailure::Late => "the new program was not ready in time".to_owned(),
    }
}
