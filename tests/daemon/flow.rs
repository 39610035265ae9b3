//! Programs that print as fast as they can, and a brain that is killed in the midst of it, again and again: every byte is in
//! the logs once.
//!
//! Two streams of numbers go into one log, the one in digits, the other in letters, so that each can be read alone
//! wherever the other cuts into its lines. Where a stream ends is of no interest, only that nothing is missing before.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use provost_testkit::{Daemon, HEAD, Implementation, Sandbox, until};

use crate::common::{end_well, kill_brain};

const KILLS: u64 = 5;
/// As long as the test wants.
const DIGITS: &str = "seq 1 999999999";
/// The same in other letters.
const LETTERS: &str = r"seq 1 999999999 | tr '0-9\n' 'a-j@'";

#[test]
fn one_file_of_a_fixed_size() {
    survive(&format!("{}stdout_logfile_maxbytes=0\n", program("a", DIGITS, "stdout_logfile={dir}/x.log")));
}

#[test]
fn one_file_that_rotates_every_megabyte() {
    let log = "stdout_logfile={dir}/x.log\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=5000";
    survive(&program("a", DIGITS, log));
}

#[test]
fn both_outputs_of_a_program_in_one_file_that_rotates() {
    let log = "stdout_logfile={dir}/x.log\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=5000\nstderr_logfile={dir}/x.log\nstderr_logfile_maxbytes=1MB\nstderr_logfile_backups=5000";
    survive(&program("a", &format!("{DIGITS} & {LETTERS} >&2"), log));
}

#[test]
fn redirected_standard_error() {
    let log = "redirect_stderr=true\nstdout_logfile={dir}/x.log\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=5000";
    survive(&program("a", &format!("{DIGITS} & {LETTERS} >&2"), log));
}

#[test]
fn two_programs_with_one_file() {
    let log = "stdout_logfile={dir}/x.log\nstdout_logfile_maxbytes=0";
    survive(&(program("a", DIGITS, log) + &program("b", LETTERS, log)));
}

#[test]
fn two_programs_with_one_file_that_rotates_under_both() {
    let log = "stdout_logfile={dir}/x.log\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=5000";
    survive(&(program("a", DIGITS, log) + &program("b", LETTERS, log)));
}

#[test]
fn files_of_their_own() {
    let log = |name| {
        format!(
            "stdout_logfile={{dir}}/{name}.log\nstdout_logfile_maxbytes=300KB\nstdout_logfile_backups=5000"
        )
    };
    survive(&(program("a", DIGITS, &log("x.1")) + &program("b", LETTERS, &log("x.2"))));
}

#[test]
fn through_a_named_pipe_to_another_program() {
    let sandbox = Sandbox::new();
    assert!(Command::new("mkfifo").arg(sandbox.file("fifo")).status().unwrap().success());
    // Both ends stay open: nobody waits for the other one, and nobody comes to the end of it.
    let _ends = fs::File::options().read(true).write(true).open(sandbox.file("fifo")).unwrap();
    let reader = "exec cat <{dir}/fifo >{dir}/x.log";
    let programs =
        program("reader", reader, "stdout_logfile=NONE") + &program("a", DIGITS, "stdout_logfile={dir}/fifo");
    survive_in(sandbox, &programs);
}

fn program(name: &str, script: &str, log: &str) -> String {
    format!(
        "[program:{name}]\ncommand=sh -c \"{script}\"\nstartsecs=0\nstopasgroup=true\nkillasgroup=true\nstderr_logfile=NONE\n{log}\n"
    )
}

/// Runs `programs`, kills the brain whenever some more has been written, and reads what there is in `x.*`.
#[track_caller]
fn survive(programs: &str) {
    survive_in(Sandbox::new(), programs);
}

#[track_caller]
fn survive_in(sandbox: Sandbox, programs: &str) {
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &format!("{HEAD}{programs}"));
    daemon.wait_for_log_line("success: a");
    // Any sequence will do; that of a failure can be run again.
    let mut chance: u64 = 88_172_645_463_325_252;
    for _ in 0..KILLS {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        wait_for_growth(&daemon, chance % 5_000_000);
        kill_brain(&mut daemon);
    }
    wait_for_growth(&daemon, 1);
    // Whoever reads a pipe goes last, or nobody would empty it.
    daemon.ctl(&["stop", "a"]);
    daemon.ctl(&["stop", "all"]);
    let both = programs.contains("tr '0-9");
    let digits = last_number(&daemon, b'0', b'\n');
    let letters = last_number(&daemon, b'a', b'@');
    assert!(digits > 10_000 && (!both || letters > 10_000), "{digits} and {letters} numbers are no flow");
    end_well(daemon);
}

/// The log, oldest file first; logs of several names one after the other.
fn files(daemon: &Daemon) -> Vec<PathBuf> {
    let mut found: Vec<(String, u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir(daemon.sandbox().path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some((stem, number)) = name.split_once(".log").filter(|_| name.starts_with('x')) else {
            continue;
        };
        found.push((stem.to_owned(), number.trim_start_matches('.').parse().unwrap_or(0), path));
    }
    found.sort_by_key(|(stem, number, _)| (stem.clone(), u32::MAX - number));
    found.into_iter().map(|(.., path)| path).collect()
}

fn wait_for_growth(daemon: &Daemon, bytes: u64) {
    let size = || files(daemon).iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>();
    let before = size();
    until("the log grows", || size() >= before + bytes);
}

/// Reads one stream, whose zero and whose end of line these are; every number must be one more than the last.
#[track_caller]
fn last_number(daemon: &Daemon, zero: u8, newline: u8) -> u64 {
    let (mut expected, mut number, mut digits, mut wrong) = (1u64, 0u64, 0, Vec::new());
    for file in files(daemon) {
        for byte in fs::read(&file).unwrap() {
            if byte == newline {
                if number != expected || digits == 0 {
                    wrong.push(format!("{number} instead of {expected} in {}", file.display()));
                }
                (expected, number, digits) = (number + 1, 0, 0);
            } else if (zero..zero + 10).contains(&byte) {
                (number, digits) = (number.wrapping_mul(10).wrapping_add(u64::from(byte - zero)), digits + 1);
            }
        }
    }
    assert!(wrong.is_empty(), "{} breaks: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    expected - 1
}
