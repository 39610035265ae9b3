//! What the kernel says about processes and about itself, as sums.
//!
//! In: pids, and the files of /proc. Out: memory, processor time, wake-ups. Not here: what is made of it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::AddAssign;

/// Memory of some processes, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) processes: u64,
    /// What would be free if they were gone.
    pub(crate) private: u64,
    pub(crate) pss: u64,
    pub(crate) rss: u64,
}

/// The kernel's own memory, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kernel {
    pub(crate) slab: i64,
    pub(crate) stacks: i64,
    pub(crate) tables: i64,
}

/// What a thread has done since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// How often it was given a processor back: after a wait of its own, or after it had been put aside.
    pub(crate) switches: u64,
    pub(crate) cpu_ns: u64,
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.switches += other.switches;
        self.cpu_ns += other.cpu_ns;
    }
}

/// The work of every thread of these processes. Threads that end meanwhile are left out.
pub(crate) fn threads(pids: &[i32]) -> BTreeMap<i32, Work> {
    let tasks = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok());
    let paths = tasks.flatten().filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let works = paths.filter_map(|path| {
        let status = fs::read_to_string(path.join("status")).ok()?;
        let schedule = fs::read_to_string(path.join("schedstat")).ok()?;
        Some((path.file_name()?.to_str()?.parse().ok()?, work(&status, &schedule)?))
    });
    works.collect()
}

/// What was done between two looks, by all threads together.
pub(crate) fn between(before: &BTreeMap<i32, Work>, after: &BTreeMap<i32, Work>) -> Work {
    let mut sum = Work::default();
    for (thread, now) in after {
        let then = before.get(thread).copied().unwrap_or_default();
        sum += Work { switches: now.switches - then.switches, cpu_ns: now.cpu_ns - then.cpu_ns };
    }
    sum
}

/// Processor time of these processes since each began, in milliseconds.
pub(crate) fn cpu_milliseconds(pids: &[i32]) -> f64 {
    milliseconds(between(&BTreeMap::new(), &threads(pids)).cpu_ns)
}

/// Nanoseconds, for people.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a bench fit 52 bits")]
pub(crate) fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// The memory of these processes.
pub(crate) fn memory(pids: &[i32]) -> Memory {
    let mut sum = Memory::default();
    for pid in pids {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
        let of = |key| number(&text, key).unwrap_or_else(|| panic!("no {key} in {path}"));
        sum.processes += 1;
        sum.private += of("Private_Clean") + of("Private_Dirty");
        sum.pss += of("Pss");
        sum.rss += of("Rss");
    }
    sum
}

/// The kernel's memory at this moment.
pub(crate) fn kernel() -> Kernel {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |key| number(&text, key).and_then(|value| i64::try_from(value).ok()).unwrap_or(0);
    Kernel { slab: of("Slab"), stacks: of("KernelStack"), tables: of("PageTables") }
}

fn work(status: &str, schedule: &str) -> Option<Work> {
    let switches = number(status, "voluntary_ctxt_switches")? + number(status, "nonvoluntary_ctxt_switches")?;
    Some(Work { switches, cpu_ns: schedule.split_whitespace().next()?.parse().ok()? })
}

/// The number in a line `key: number`.
fn number(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_whole_key() {
        let text = "Pss:             12 kB\nPss_Dirty:       3 kB\nnonvoluntary_ctxt_switches:\t4\n";
        assert_eq!(number(text, "Pss"), Some(12));
        assert_eq!(number(text, "Pss_Dirty"), Some(3));
        assert_eq!(number(text, "voluntary_ctxt_switches"), None);
    }

    #[test]
    fn a_thread_s_work_counts_both_kinds_of_switches_and_its_time() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t4\n";
        assert_eq!(work(status, "1500 20 3\n"), Some(Work { switches: 11, cpu_ns: 1500 }));
        assert_eq!(work("Name:\tx\n", "1500 20 3\n"), None);
    }

    #[test]
    fn a_thread_that_is_new_counts_in_full_and_one_that_ended_not_at_all() {
        let of = |switches| Work { switches, cpu_ns: 10 * switches };
        let before = BTreeMap::from([(1, of(5)), (2, of(9))]);
        let after = BTreeMap::from([(1, of(6)), (3, of(2))]);
        assert_eq!(between(&before, &after), of(3));
    }

    #[test]
    fn the_kernel_tells_all_this_about_us() {
        let own = [i32::try_from(std::process::id()).unwrap()];
        assert!(memory(&own).private > 0);
        assert!(!threads(&own).is_empty());
        assert!(kernel().slab > 0);
    }
}
