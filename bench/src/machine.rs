//! What the numbers were measured on. In: /proc. Out: one line.

use std::fs;
use std::thread;

/// Cores, processor, kernel, load and the profile of the build.
pub(crate) fn facts() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    let profile = if cfg!(debug_assertions) { "debug build: numbers mean little" } else { "release" };
    format!("{cores} cores, {model}, Linux {}, load {load}, {profile}", kernel.trim())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
