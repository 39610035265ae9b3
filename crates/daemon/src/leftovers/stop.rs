//! Stopping leftovers before anything is started: the way their programs are stopped, all at once.
//!
//! In: leftovers to stop. Out: they have ended, or a line says who has not. It blocks, up to the longest `stopwaitsecs` and a
//! little more: nothing runs yet that could wait for us. A keeper that goes away meanwhile ends it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use provost_config::{LogLevel, signal_name};
use provost_core::Mono;
use provost_keeper::{Link, LinkError, Target, signal_by_pidfd};
use rustix::event::{PollFd, PollFlags, poll};

use super::found::Leftover;
use super::take::take;
use crate::clock;
use crate::logs::MainLog;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;
/// For what is not configured any more.
const USUAL_PATIENCE: i64 = 10;
/// After SIGKILL: only what hangs in the kernel takes longer.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// One that was asked to stop.
#[derive(Debug)]
struct Stopping {
    label: String,
    pid: i32,
    pidfd: OwnedFd,
    deadline: Mono,
    /// Whom the SIGKILL is for; nobody once it is sent.
    kill: Option<Target>,
}

/// Stops them all.
pub(crate) fn stop<'a>(
    leftovers: impl Iterator<Item = &'a Leftover>,
    log: &mut MainLog,
    link: &Link,
) -> Result<(), LinkError> {
    let mut left: Vec<Stopping> = leftovers.filter_map(|leftover| ask(leftover, log)).collect();
    while let Some(deadline) = left.iter().map(|one| one.deadline).min() {
        let mut fds: Vec<PollFd<'_>> =
            left.iter().map(|one| PollFd::new(&one.pidfd, PollFlags::IN)).collect();
        // Its end needs no asking for.
        fds.push(PollFd::new(link, PollFlags::empty()));
        // An interrupted poll is a short one.
        let _ = poll(&mut fds, clock::until(Some(deadline)).as_ref());
        let told: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if told.last() == Some(&true) {
            return Err(LinkError::Closed);
        }
        let mut told = told.into_iter();
        left.retain_mut(|one| {
            let has_ended = told.next().unwrap_or(false);
            if has_ended {
                log.write(LogLevel::Info, &format!("stopped: leftover {} (pid {})", one.label, one.pid));
            }
            !has_ended && one.goes_on(clock::now().mono, log)
        });
    }
    Ok(())
}

/// Sends the stop signal; nothing where nobody is left to wait for.
fn ask(leftover: &Leftover, log: &mut MainLog) -> Option<Stopping> {
    let (label, pid) = (leftover.label(), leftover.entry.process.pid);
    let pidfd = match take(&leftover.entry) {
        Ok(taken) => taken.pidfd,
        Err(why) => {
            log.write(LogLevel::Warn, &format!("leftover {label} (pid {pid}) is not stopped: {why}"));
            return None;
        }
    };
    let config = leftover.config.as_deref();
    let signal = config.map_or(SIGTERM, |config| config.stopsignal);
    let target = |group: bool| if group { Target::Group } else { Target::Process };
    let patience = config.map_or(USUAL_PATIENCE, |config| config.stopwaitsecs);
    let deadline = clock::now().mono + Duration::from_secs(u64::try_from(patience).unwrap_or(0));
    let kill = Some(target(config.is_some_and(|config| config.killasgroup)));
    let text = format!("stopping leftover {label} (pid {pid}) with {}", signal_name(signal));
    log.write(LogLevel::Info, &text);
    let to = target(config.is_some_and(|config| config.stopasgroup));
    if let Err(errno) = signal_by_pidfd(pidfd.as_fd(), pid, signal, to) {
        let why = std::io::Error::from_raw_os_error(errno);
        log.write(LogLevel::Critical, &format!("cannot signal leftover {label} (pid {pid}): {why}"));
    }
    Some(Stopping { label, pid, pidfd, deadline, kill })
}

impl Stopping {
    /// False when there is nothing left to try.
    fn goes_on(&mut self, now: Mono, log: &mut MainLog) -> bool {
        if now < self.deadline {
            return true;
        }
        let (label, pid) = (&self.label, self.pid);
        let Some(target) = self.kill.take() else {
            let text = format!("leftover {label} (pid {pid}) does not end; it is left alone");
            log.write(LogLevel::Critical, &text);
            return false;
        };
        log.write(LogLevel::Warn, &format!("killing leftover {label} (pid {pid}) with SIGKILL"));
        if let Err(errno) = signal_by_pidfd(self.pidfd.as_fd(), pid, SIGKILL, target) {
            let why = std::io::Error::from_raw_os_error(errno);
            log.write(LogLevel::Critical, &format!("cannot kill leftover {label} (pid {pid}): {why}"));
        }
        self.deadline = now + LAST_PATIENCE;
        true
    }
}
