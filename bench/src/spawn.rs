//! What one spawn costs when the supervisor has ten thousand descriptors open.
//!
//! In: the program in C that makes children in three ways, and Provost. Out: microseconds until the parent could
//! go on and until the child was reaped, per way and number of descriptors; and Provost's own respawn with so many
//! programs that its keeper has that many descriptors. fork and posix_spawn copy the table of descriptors, so they
//! cost more the more there are; a child that shares the table until it has closed what it does not keep costs the
//! same at any number.

use std::fs;
use std::process::{Command, Stdio};

use crate::contender::Contender;
use crate::programs::Programs;
use crate::respawn;
use crate::table::{Samples, aligned};

const WAYS: [&str; 3] = ["fork", "posix_spawn", "clone-files"];
const DESCRIPTORS: [usize; 3] = [0, 1000, 10_000];
const SPAWNS: usize = 200;
const BLOCKS: usize = 2;
/// The keeper holds three pipes of each.
const PROGRAMS: [usize; 2] = [1, 3400];
const KILLS: usize = 8;

pub(crate) fn run(programs: &Programs, spawns: Option<usize>) -> String {
    format!(
        "microseconds of one spawn, medians: until the parent goes on, and until the child is reaped\n{}\n\n\
         milliseconds from SIGKILL to the replacement's first action, by the keeper's descriptors\n{}",
        aligned(&ways(programs, spawns.unwrap_or(SPAWNS))),
        aligned(&keeper(programs))
    )
}

fn ways(programs: &Programs, spawns: usize) -> Vec<Vec<String>> {
    let cases: Vec<(usize, &str)> =
        DESCRIPTORS.iter().flat_map(|count| WAYS.map(|way| (*count, way))).collect();
    let mut totals: Vec<(Samples, Samples)> = cases.iter().map(|_| Default::default()).collect();
    for _ in 0..BLOCKS {
        for ((descriptors, way), (on, reaped)) in cases.iter().zip(&mut totals) {
            for (first, second) in timed(programs, way, *descriptors, spawns) {
                on.push(first);
                reaped.push(second);
            }
        }
    }
    let mut rows = vec![["", "descriptors", "parent goes on", "child reaped"].map(str::to_owned).to_vec()];
    for ((descriptors, way), (on, reaped)) in cases.iter().zip(&totals) {
        rows.push(vec![(*way).to_owned(), descriptors.to_string(), on.median_cell(1), reaped.median_cell(1)]);
    }
    rows
}

fn timed(programs: &Programs, way: &str, descriptors: usize, spawns: usize) -> Vec<(f64, f64)> {
    let output = Command::new(&programs.spawn)
        .arg(&programs.program)
        .args([way, &descriptors.to_string(), &spawns.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("cannot run {}: {e}", programs.spawn.display()));
    assert!(output.status.success(), "{way} with {descriptors} descriptors: {output:?}");
    let printed = String::from_utf8(output.stdout).expect("it prints numbers");
    printed
        .lines()
        .map(|line| pair(line).unwrap_or_else(|| panic!("these are no two numbers: {line:?}")))
        .collect()
}

/// Two numbers of nanoseconds, as microseconds.
fn pair(line: &str) -> Option<(f64, f64)> {
    let (first, second) = line.split_once(' ')?;
    Some((first.parse::<f64>().ok()? / 1000.0, second.parse::<f64>().ok()? / 1000.0))
}

/// The same keeper with few descriptors and with many.
fn keeper(programs: &Programs) -> Vec<Vec<String>> {
    let ours = Contender::ours();
    let head = ["", "descriptors", "kills", "median", "p90", "least", "greatest", "CPU per kill"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut totals: Vec<(usize, Samples, Samples)> = PROGRAMS.iter().map(|_| Default::default()).collect();
    for _ in 0..BLOCKS {
        for (count, (descriptors, samples, cpu)) in PROGRAMS.iter().zip(&mut totals) {
            let running = ours.start(programs, *count);
            *descriptors = open_descriptors(running.pid());
            let (block, per_kill) = respawn::kill_in_turn(&running, KILLS);
            running.discard();
            samples.extend(&block);
            cpu.push(per_kill);
        }
    }
    for (count, (descriptors, samples, cpu)) in PROGRAMS.iter().zip(&totals) {
        let mut row = vec![format!("{} with {count}", ours.name()), descriptors.to_string()];
        row.extend(samples.cells());
        row.push(cpu.median_cell(3));
        rows.push(row);
    }
    rows
}

fn open_descriptors(pid: i32) -> usize {
    let path = format!("/proc/{pid}/fd");
    fs::read_dir(&path).unwrap_or_else(|e| panic!("cannot read {path}: {e}")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_two_numbers_of_nanoseconds() {
        assert_eq!(pair("1500 20000"), Some((1.5, 20.0)));
        assert_eq!(pair("1500"), None);
        assert_eq!(pair("1500 x"), None);
    }
}
