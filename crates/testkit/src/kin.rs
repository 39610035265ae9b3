//! Who belongs to whom: the descendants of a process, and everything that was
//! ever started inside one sandbox.
//!
//! In: a pid, or a sandbox's mark. Out: pids, or handles. Every daemon is
//! started with an environment variable that names its sandbox; whatever it
//! starts inherits it, also when its parent has died and nobody remembers it.
//! So a clean-up ends exactly what this sandbox started, never a name-alike.

use std::fs;

use crate::process::Process;

/// The environment variable that marks a sandbox's processes.
pub(crate) const MARK: &str = "PROVOST_SANDBOX";

/// Every living process below `pid`: children, their children, and so on.
#[must_use]
pub fn descendants(pid: i32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = pids().filter_map(|p| Some((p, parent_of(p)?))).collect();
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(p, _)| *p));
        next += 1;
    }
    found.remove(0);
    found
}

/// Every living process that carries this mark, each held by a pidfd. The mark
/// is read again once the pidfd is open: what was held is what was marked.
pub(crate) fn marked(mark: &str) -> Vec<Process> {
    pids()
        .filter(|pid| carries(*pid, mark))
        .map(Process::new)
        .filter(|process| carries(process.pid(), mark))
        .collect()
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .expect("/proc is mounted wherever a supervisor can run")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain any of them itself.
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

fn carries(pid: i32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|text| text.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::Signal;

    #[test]
    fn a_marked_process_is_found_below_us_and_by_its_mark() {
        let mark = format!("kin-test-{}", std::process::id());
        let mut cat = Command::new("cat");
        cat.env(MARK, &mark).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut cat = cat.spawn().unwrap();
        // spawn returns when exec has begun, and for a moment /proc shows no environment yet; when it answers, it does.
        cat.stdin.as_mut().unwrap().write_all(b"?").unwrap();
        cat.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = i32::try_from(cat.id()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(descendants(own).contains(&pid));
        let found = marked(&mark);
        assert_eq!(found.iter().map(Process::pid).collect::<Vec<_>>(), [pid]);
        found[0].signal(Signal::KILL);
        cat.wait().unwrap();
        assert!(marked(&mark).is_empty());
    }
}
