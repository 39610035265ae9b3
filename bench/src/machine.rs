//! What the numbers were measured on, and who else was there.
//!
//! In: /proc. Out: one line before a bench, one after it.

use std::fs;
use std::thread;

use crate::family;

/// Cores, processor, kernel, load, where files lie, and the profile of the build.
pub(crate) fn facts() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let kernel = read("/proc/sys/kernel/osrelease");
    let directory = std::env::temp_dir();
    let place = if directory.starts_with("/dev/shm") { "files in memory" } else { "files on disk" };
    let profile = if cfg!(debug_assertions) { "debug build: numbers mean little" } else { "release" };
    format!("{cores} cores, {model}, Linux {}, load {}, {place}, {profile}", kernel.trim(), load())
}

/// How busy the machine was with others, from [`Noise::begin`] on.
#[derive(Debug)]
pub(crate) struct Noise {
    then: Ticks,
    own_seconds: f64,
}

impl Noise {
    pub(crate) fn begin() -> Self {
        Self { then: Ticks::now(), own_seconds: family::cpu_seconds() }
    }

    /// To be asked when everything that was started has been reaped.
    pub(crate) fn report(&self) -> String {
        let now = Ticks::now();
        let part = share(&self.then, &now, family::cpu_seconds() - self.own_seconds);
        format!(
            "others had {:.0} % of the machine meanwhile, the host {:.0} %; load now {}",
            part.others,
            part.host,
            load()
        )
    }
}

/// Hundredths of a second of all processors since the machine started.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Ticks {
    all: f64,
    busy: f64,
    stolen: f64,
}

impl Ticks {
    fn now() -> Self {
        Self::parse(&read("/proc/stat")).unwrap_or_default()
    }

    /// The first line: user, nice, system, idle, waiting for a disk, two kinds of interrupts, stolen by the host.
    fn parse(stat: &str) -> Option<Self> {
        let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let [user, nice, system, idle, disk, hard, soft, stolen] = numbers
            .take(8)
            .map(|number| number.parse().ok())
            .collect::<Option<Vec<f64>>>()?
            .try_into()
            .ok()?;
        let busy = user + nice + system + hard + soft;
        Some(Self { all: busy + idle + disk + stolen, busy, stolen })
    }
}

/// Parts of the machine, in percent.
#[derive(Debug, PartialEq)]
struct Share {
    others: f64,
    host: f64,
}

fn share(then: &Ticks, now: &Ticks, own_seconds: f64) -> Share {
    /// What the kernel counts in here, on every machine that we know.
    const TICKS_PER_SECOND: f64 = 100.0;
    let all = (now.all - then.all).max(1.0);
    let others = (now.busy - then.busy - own_seconds * TICKS_PER_SECOND).max(0.0);
    Share { others: 100.0 * others / all, host: 100.0 * (now.stolen - then.stolen) / all }
}

fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_ours_was_others() {
        let then = Ticks::parse("cpu  100 0 100 700 0 0 0 100 0 0\ncpu0 1\n").unwrap();
        assert_eq!(then, Ticks { all: 1000.0, busy: 200.0, stolen: 100.0 });
        let now = Ticks::parse("cpu  250 0 150 1480 0 0 0 120 0 0\n").unwrap();
        // 200 ticks were busy, of which 1.5 seconds were ours, in 1000 ticks; 20 were stolen.
        assert_eq!(share(&then, &now, 1.5), Share { others: 5.0, host: 2.0 });
        assert_eq!(Ticks::parse("intr 1 2"), None);
    }
}
