//! How long a killed program is away: from its SIGKILL to the first action of its replacement.
//!
//! In: contenders, and kills per block. Out: medians and ranges, with one program and with a thousand of which one
//! is killed, and the processor time of the supervising processes per kill. Both ends of a measurement are
//! readings of the monotonic clock, ours just before the signal and the new program's own, so no wake-up of the
//! bench is in the number. The bare loop in C is the physical limit.

use std::thread;
use std::time::Duration;

use provost_testkit::{Deadline, Process, Signal, monotonic_ns};

use crate::contender::{Contender, Running};
use crate::proc::{self, milliseconds};
use crate::programs::Programs;
use crate::table::{Samples, aligned};

const KILLS: usize = 6;
const BLOCKS: usize = 2;
const MANY: usize = 1000;

/// Provost, Supervisor and runit restart a program that lived for less than a second no faster than once a second,
/// by rule; so each one lives longer before it is killed. s6 waits that second after every end, and its numbers
/// say so.
const UPTIME: Duration = Duration::from_millis(1100);
/// Between the kills of different programs, so that each finds everybody asleep.
const PAUSE: Duration = Duration::from_millis(100);
/// Some supervisors look around once a second. Kills are spread over that second, or all would meet the same
/// moment of it.
const SPREAD: Duration = Duration::from_secs(1);

/// Two tables: alone, and among a thousand.
pub(crate) fn run(contenders: &[Contender], programs: &Programs, kills: Option<usize>) -> String {
    let kills = kills.unwrap_or(KILLS);
    let tables = [1, MANY].map(|count| {
        let what = if count == 1 { "the only program" } else { "one of 1000 programs" };
        format!(
            "milliseconds from SIGKILL of {what} to its replacement's first action, {BLOCKS} blocks\n{}",
            table(contenders, programs, count, kills)
        )
    });
    tables.join("\n\n")
}

fn table(contenders: &[Contender], programs: &Programs, count: usize, kills: usize) -> String {
    let mut rows: Vec<Vec<String>> =
        contenders.iter().map(|contender| vec![contender.name().to_owned()]).collect();
    let mut totals: Vec<(Samples, Samples)> = contenders.iter().map(|_| Default::default()).collect();
    for _ in 0..BLOCKS {
        for ((contender, row), (total, cpu)) in contenders.iter().zip(&mut rows).zip(&mut totals) {
            let (block, milliseconds) = block(contender, programs, count, kills);
            row.push(block.median_cell(3));
            total.extend(&block);
            cpu.push(milliseconds);
        }
    }
    for (row, (total, cpu)) in rows.iter_mut().zip(&totals) {
        row.extend(total.cells());
        row.push(cpu.median_cell(3));
    }
    let mut head = vec![String::new()];
    head.extend((1..=BLOCKS).map(|block| format!("block {block}")));
    head.extend(["kills", "median", "p90", "least", "greatest", "CPU per kill"].map(str::to_owned));
    rows.insert(0, head);
    aligned(&rows)
}

/// Times of absence, and processor milliseconds of the supervising processes per kill.
fn block(contender: &Contender, programs: &Programs, count: usize, kills: usize) -> (Samples, f64) {
    let running = contender.start(programs, count);
    let measured = kill_in_turn(&running, kills);
    running.discard();
    measured
}

/// The same with programs that already run.
pub(crate) fn kill_in_turn(running: &Running, kills: usize) -> (Samples, f64) {
    running.settle();
    let supervising = running.supervising();
    let mut samples = Samples::default();
    let before = proc::threads(&supervising);
    for kill in 0..kills {
        samples.push(milliseconds(absence(running, kill % running.first.len(), phase(kill, kills))));
    }
    let work = proc::between(&before, &proc::threads(&supervising));
    #[expect(clippy::cast_precision_loss, reason = "a bench never kills 2^52 times")]
    let per_kill = milliseconds(work.cpu_ns) / kills as f64;
    (samples, per_kill)
}

/// When in the second to kill.
fn phase(kill: usize, kills: usize) -> Duration {
    let part = u32::try_from(kills).unwrap_or(u32::MAX).max(1);
    SPREAD / part * u32::try_from(kill % kills.max(1)).unwrap_or(0)
}

/// Kills a program that has lived for its time; returns the nanoseconds until its replacement spoke.
fn absence(running: &Running, number: usize, phase: Duration) -> u64 {
    let old = running.start_of(number);
    let age = Duration::from_nanos(monotonic_ns() - old.monotonic_ns);
    let process = Process::new(old.pid);
    // Not a wait for anything: how long the program lives is part of what is measured.
    thread::sleep(UPTIME.saturating_sub(age).max(PAUSE) + phase);
    assert!(!process.is_gone(), "the program ended before it was killed");
    let killed = monotonic_ns();
    process.signal(Signal::KILL);
    let next = running.starts.wait_for_next(number, old.pid, Deadline::default());
    let next = next.unwrap_or_else(|| panic!("program {number} was killed and never replaced"));
    next.monotonic_ns - killed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_spread_evenly_over_a_second() {
        let phases: Vec<u128> = (0..4).map(|kill| phase(kill, 4).as_millis()).collect();
        assert_eq!(phases, [0, 250, 500, 750]);
        assert_eq!(phase(0, 1), Duration::ZERO);
    }
}
