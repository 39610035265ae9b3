//! Everything that this process started, and that those started: found, ended, reaped.
//!
//! In: nothing but our own pid. Out: an empty family. A subreaper inherits the orphans of its descendants, so a
//! supervisor that dies or forks itself away loses nobody: what we began stays below us in the tree of processes, and
//! nothing else is ever below us. Not here: ending anybody politely.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use provost_testkit::{Process, Signal, descendants};
use rustix::process::{WaitOptions, getpid, set_child_subreaper, wait};

/// From here on, orphans of our descendants are our children.
pub(crate) fn adopt_orphans() {
    set_child_subreaper(Some(getpid())).expect("every Linux that we run on knows subreapers");
}

/// Kills and reaps whatever is below us; tells how many there were.
pub(crate) fn sweep() -> usize {
    let own = getpid().as_raw_nonzero().get();
    let mut killed = 0;
    loop {
        reap();
        let held: Vec<Process> = descendants(own).into_iter().map(Process::new).collect();
        // Looked up again now that each is held by a pidfd: a pid that was freed meanwhile may be anybody's.
        let still: Vec<i32> = descendants(own);
        let ours: Vec<&Process> = held.iter().filter(|process| still.contains(&process.pid())).collect();
        if ours.is_empty() {
            return killed;
        }
        for process in &ours {
            process.signal(Signal::KILL);
        }
        for process in &ours {
            process.wait_until_gone();
        }
        killed += ours.len();
    }
}

/// Takes the status of every child that has ended.
fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

/// Seconds of processor time, our own and of every descendant that has been reaped.
pub(crate) fn cpu_seconds() -> f64 {
    let of = |who| {
        let usage = getrusage(who).expect("a process may always ask for its own usage");
        let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a bench fit 52 bits")]
        let seconds = microseconds as f64 / 1e6;
        seconds
    };
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}

/// For tests that have children: whoever sweeps, sweeps away all that the process has.
#[cfg(test)]
pub(crate) static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::PoisonError;

    use super::*;

    #[test]
    fn an_orphan_is_swept_away_with_its_parent() {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        adopt_orphans();
        // The shell prints the pid of a child in a session of its own and ends; the child is ours then.
        let mut shell = Command::new("sh");
        shell.args(["-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"]).stdin(Stdio::null());
        let printed = shell.output().unwrap().stdout;
        let pid: i32 = String::from_utf8(printed).unwrap().trim().parse().unwrap();
        let orphan = Process::new(pid);
        assert!(!orphan.is_gone());
        assert_eq!(sweep(), 1);
        assert!(orphan.is_gone());
    }
}
