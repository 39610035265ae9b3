//! Whether the kernel ran out of memory: asked when a child has got a SIGKILL that was none of ours.
//!
//! In: the counters of kills that the kernel keeps: of the control group that the daemon and its programs are in
//! (`memory.events` of version 2, `memory.oom_control` of version 1), and of the machine (`/proc/vmstat`). Out: a [`Clue`], as the
//! kernel does not say whom it killed but in its log, which is not for everybody. Nothing is read as long as nobody is killed. It is
//! the loop that reads: these files are the kernel's own, which is made sure of, and it answers out of its memory.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use provost_core::Clue;
use rustix::fs::fstatfs;

/// What `fstatfs` says of files that no disk and no other process answers for.
const CGROUP: [i64; 2] = [0x6367_7270, 0x0027_e0eb];
const PROC: i64 = 0x9fa0;

/// Ends that come so soon after one another may be told of by one look.
const AT_ONCE: Duration = Duration::from_secs(5);

/// `/proc/vmstat` has about four kilobytes.
const LONGEST: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Shortage {
    here: Option<Counter>,
    anywhere: Option<Counter>,
}

/// A file with a line `oom_kill N`.
#[derive(Debug)]
struct Counter {
    file: File,
    known: u64,
    /// Kills that explain an end, and when they were found.
    unexplained: u64,
    found: Option<Instant>,
}

impl Shortage {
    pub(crate) fn new() -> Shortage {
        let is_of_kernel = |file: &File| {
            let kind = fstatfs(file).map_or(0, |fs| fs.f_type);
            kind == PROC || CGROUP.contains(&kind)
        };
        Shortage::beneath(Path::new("/"), &is_of_kernel)
    }

    fn beneath(root: &Path, is_trusted: &dyn Fn(&File) -> bool) -> Shortage {
        let counter = |path: &Path| {
            let file = File::open(root.join(path)).ok().filter(is_trusted)?;
            let known = count(&file)?;
            Some(Counter { file, known, unexplained: 0, found: None })
        };
        let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        Shortage {
            here: groups.lines().flat_map(counters_of_group).find_map(|path| counter(&path)),
            anywhere: counter(Path::new("proc/vmstat")),
        }
    }

    /// Somebody was killed: whether the kernel has killed for want of memory since this was last asked.
    pub(crate) fn clue(&mut self) -> Option<Clue> {
        // Both, or the one that was not asked would know old news next time.
        let has_grown = |counter: &mut Option<Counter>| counter.as_mut().is_some_and(Counter::has_grown);
        match (has_grown(&mut self.here), has_grown(&mut self.anywhere)) {
            (true, _) => Some(Clue::OutOfMemory),
            (false, true) => Some(Clue::PerhapsOutOfMemory),
            (false, false) => None,
        }
    }
}

impl Counter {
    /// One kill explains one end: of two children that were killed at once the second is asked about in a moment.
    fn has_grown(&mut self) -> bool {
        let Some(count) = count(&self.file) else { return false };
        let fresh = count.saturating_sub(self.known);
        self.known = count;
        if fresh > 0 {
            (self.unexplained, self.found) = (fresh, Some(Instant::now()));
        }
        let is_recent = self.found.is_some_and(|found| found.elapsed() < AT_ONCE);
        let explains = is_recent && self.unexplained > 0;
        self.unexplained = self.unexplained.saturating_sub(explains.into());
        explains
    }
}

/// Where the memory of this control group may be accounted for, given a line of `/proc/self/cgroup`. In a container the path may be
/// that of the host, and the group's own files lie at the top.
fn counters_of_group(line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next()) else {
        return Vec::new();
    };
    let (top, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.events"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            ("sys/fs/cgroup/memory", "memory.oom_control")
        }
        _ => return Vec::new(),
    };
    let top = Path::new(top);
    vec![top.join(group.trim_start_matches('/')).join(file), top.join(file)]
}

fn count(file: &File) -> Option<u64> {
    let mut text = vec![0; LONGEST];
    let mut filled = 0;
    loop {
        match file.read_at(&mut text[filled..], filled as u64).ok()? {
            0 => break,
            n => filled += n,
        }
    }
    let text = std::str::from_utf8(&text[..filled]).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};

    use super::*;

    /// A machine, as far as this room looks at it.
    struct Machine(PathBuf);

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    impl Machine {
        fn new(name: &str, group: &str) -> Machine {
            let name = format!("provost-shortage-{}-{name}", std::process::id());
            let machine = Machine(std::env::temp_dir().join(name));
            machine.has("proc/self/cgroup", group);
            machine.kills_anywhere(5);
            machine
        }

        fn has(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, text).unwrap();
        }

        fn kills_anywhere(&self, n: u64) {
            self.has("proc/vmstat", &format!("nr_free_pages 1\noom_kill {n}\ndrop_pagecache 0\n"));
        }

        fn kills(&self, path: &str, n: u64) {
            self.has(path, &format!("low 0\nhigh 3\nmax 9\noom 2\noom_kill {n}\noom_group_kill 0\n"));
        }

        fn watched(&self) -> Shortage {
            Shortage::beneath(&self.0, &|_| true)
        }
    }

    #[test]
    fn a_kill_in_the_control_group_is_told_of_once() {
        for (group, file) in [
            ("0::/system.slice/p.service\n", "sys/fs/cgroup/system.slice/p.service/memory.events"),
            ("0::/\n", "sys/fs/cgroup/memory.events"),
            ("0::/of/the/host\n", "sys/fs/cgroup/memory.events"),
            (
                "5:cpu,cpuacct:/\n4:memory:/docker/1\n0::/\n",
                "sys/fs/cgroup/memory/docker/1/memory.oom_control",
            ),
            ("4:memory:/docker/1\n", "sys/fs/cgroup/memory/memory.oom_control"),
        ] {
            let machine = Machine::new("told", group);
            machine.kills(file, 7);
            let mut shortage = machine.watched();
            assert_eq!(shortage.clue(), None, "{group}: that was before");
            machine.kills(file, 8);
            machine.kills_anywhere(6);
            assert_eq!(shortage.clue(), Some(Clue::OutOfMemory), "{group}");
            assert_eq!(shortage.clue(), None, "{group}: it explains one end");
        }
    }

    #[test]
    fn two_killed_at_once_are_told_of_both() {
        let machine = Machine::new("two", "0::/\n");
        machine.kills("sys/fs/cgroup/memory.events", 0);
        let mut shortage = machine.watched();
        machine.kills("sys/fs/cgroup/memory.events", 2);
        let clues = [(); 3].map(|()| shortage.clue());
        assert_eq!(clues, [Some(Clue::OutOfMemory), Some(Clue::OutOfMemory), None]);
    }

    #[test]
    fn a_kill_elsewhere_is_no_more_than_a_guess() {
        let machine = Machine::new("elsewhere", "0::/\n");
        let mut shortage = machine.watched();
        machine.kills_anywhere(6);
        assert_eq!(shortage.clue(), Some(Clue::PerhapsOutOfMemory));
        let mut nothing = Shortage::beneath(&machine.0.join("nowhere"), &|_| true);
        assert_eq!(nothing.clue(), None);
    }

    #[test]
    fn only_files_of_the_kernel_are_read_in_earnest() {
        let shortage = Shortage::new();
        assert!(shortage.anywhere.is_some(), "every Linux since 4.13 counts kills in /proc/vmstat");
        let machine = Machine::new("earnest", "0::/\n");
        assert!(Shortage::beneath(&machine.0, &|_| false).anywhere.is_none());
    }
}
