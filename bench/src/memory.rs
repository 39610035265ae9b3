//! How much memory a daemon with one program holds for itself.
//!
//! In: a pair. Out: per side the private memory (clean and dirty: what would be
//! free if it were gone) summed over the daemon and those of its descendants that
//! are no programs; beside it, for information, RSS and PSS. Programs do not
//! count: they are the same on both sides.

use std::fs;

use provost_testkit::{Daemon, HEAD, Implementation, descendants};

use crate::Pair;
use crate::table::aligned;

const PROGRAM: &str = "
[program:one]
command={child} hello forever
";

/// What the kernel says about some processes, in KiB.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    processes: u32,
    private: u64,
    pss: u64,
    rss: u64,
}

/// Measures both once; memory does not scatter as times do. The count is not used.
pub(crate) fn run(pair: &Pair, _count: usize) -> String {
    let mut rows = vec![["", "processes", "private KiB", "PSS KiB", "RSS KiB"].map(str::to_owned).to_vec()];
    for implementation in [&pair.ours, &pair.theirs] {
        let memory = measure(implementation);
        let numbers = [u64::from(memory.processes), memory.private, memory.pss, memory.rss];
        let mut row = vec![implementation.name.to_owned()];
        row.extend(numbers.map(|number| number.to_string()));
        rows.push(row);
    }
    format!("memory of the daemon's side, one program running\n{}", aligned(&rows))
}

fn measure(implementation: &Implementation) -> Memory {
    let mut daemon = Daemon::start(implementation, &format!("{HEAD}{PROGRAM}"));
    let program = daemon.wait_for_hello("one").pid;
    daemon.wait_for_log_line("success: one entered RUNNING state");
    // One question, so that whatever is made for the first client is there.
    daemon.ctl(&["status"]);
    let mut sum = Memory::default();
    let own = descendants(daemon.pid()).into_iter().filter(|pid| *pid != program);
    for pid in own.chain([daemon.pid()]) {
        sum.add(pid);
    }
    sum
}

impl Memory {
    fn add(&mut self, pid: i32) {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
        let of = |key: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
            number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {key} in {path}"))
        };
        self.processes += 1;
        self.private += of("Private_Clean") + of("Private_Dirty");
        self.pss += of("Pss");
        self.rss += of("Rss");
    }
}
