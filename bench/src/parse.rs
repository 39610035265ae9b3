//! How long it takes to read a configuration of ten thousand programs.
//!
//! In: runs per block. Out: medians and ranges per side and block.
//! Each side is timed within its own process, around nothing but the reading, so
//! that neither Python's start nor ours is in the number; what a person waits for
//! `supervisord --check` stands in a row of its own.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use provost_config::{CliOverrides, load};
use provost_host::Host;
use provost_testkit::{Implementation, Sandbox, build_programs};

use crate::table::{Samples, aligned};

const PROGRAMS: usize = 10_000;
const RUNS: usize = 5;

/// Reads the file named first, once to warm up and then as often as the second argument says.
const THEIRS: &str = "\
import sys, time
from supervisor.options import ServerOptions
for turn in range(int(sys.argv[2]) + 1):
    options = ServerOptions()
    start = time.perf_counter()
    options.realize(['-c', sys.argv[1]], doc='')
    seconds = time.perf_counter() - start
    assert len(options.process_group_configs) == int(sys.argv[3])
    if turn:
        print(seconds * 1000)
";

/// Measures in blocks: ours, theirs, ours, theirs.
pub(crate) fn run(runs: Option<usize>) -> String {
    let runs = runs.unwrap_or(RUNS);
    build_programs("provost", &["supervisord"]);
    let oracle = Implementation::supervisor_4_3();
    let sandbox = Sandbox::new();
    let file = sandbox.file("large.conf");
    let text = configuration();
    std::fs::write(&file, &text).expect("the sandbox can be written");
    let head = ["", "runs", "median", "p90", "least", "greatest"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    let mut totals = [Samples::default(), Samples::default()];
    for round in 1..=2 {
        let blocks = [ours(&file, runs), theirs(&oracle, &file, runs)];
        for ((side, block), total) in ["provost", oracle.name].iter().zip(blocks).zip(&mut totals) {
            rows.push(row(format!("{side} block {round}"), &block));
            total.extend(&block);
        }
    }
    for (side, total) in ["provost", oracle.name].iter().zip(&totals) {
        rows.push(row(format!("{side} together"), total));
    }
    rows.push(row("supervisord --check".to_owned(), &check(&file, runs)));
    format!("milliseconds to read {PROGRAMS} programs, {} kB of text\n{}", text.len() / 1000, aligned(&rows))
}

/// Programs with what a program usually says about itself.
fn configuration() -> String {
    let mut text = String::from("[supervisord]\nnodaemon=true\nenvironment=STAGE=\"bench\",REGION=eu\n");
    for number in 0..PROGRAMS {
        write!(
            text,
            "\n[program:worker{number:05}]\ncommand=/usr/bin/env sleep %(process_num)s{number}\n\
             process_name=%(program_name)s_%(process_num)02d\ndirectory=/tmp\nautostart=true\n\
             autorestart=true\nstopasgroup=true\nstopwaitsecs=3600\nredirect_stderr=true\n\
             environment=QUEUE=\"q{number}\",WORKER=%(process_num)s ; its own\nstdout_logfile=/tmp/worker{number}.log\n"
        )
        .expect("a string takes everything");
    }
    text
}

fn row(name: String, samples: &Samples) -> Vec<String> {
    let mut row = vec![name];
    row.extend(samples.cells());
    row
}

fn ours(file: &Path, runs: usize) -> Samples {
    let host = Host::new();
    let mut samples = Samples::default();
    for turn in 0..=runs {
        let start = Instant::now();
        let config = load(file, &CliOverrides::default(), &host);
        let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
        assert_eq!(config.map(|config| config.groups.len()), Ok(PROGRAMS));
        if turn > 0 {
            samples.push(milliseconds);
        }
    }
    samples
}

fn theirs(implementation: &Implementation, file: &Path, runs: usize) -> Samples {
    // The interpreter lies beside the program in a virtualenv.
    let python = Path::new(&implementation.supervisord[0]).with_file_name("python");
    let output = Command::new(&python)
        .args(["-W", "ignore", "-c", THEIRS])
        .arg(file)
        .args([runs.to_string(), PROGRAMS.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("cannot run {}: {e}", python.display()));
    assert!(output.status.success(), "{output:?}");
    let mut samples = Samples::default();
    let printed = String::from_utf8(output.stdout).expect("it prints numbers");
    for line in printed.lines() {
        samples.push(line.parse().expect("it prints numbers"));
    }
    samples
}

/// The whole command, from fork to exit.
fn check(file: &Path, runs: usize) -> Samples {
    let ours = Implementation::ours();
    let mut samples = Samples::default();
    for _ in 0..runs {
        let start = Instant::now();
        let output = Command::new(&ours.supervisord[0])
            .arg("--check")
            .arg("-c")
            .arg(file)
            .stdin(Stdio::null())
            .output()
            .expect("the daemon was built a moment ago");
        samples.push(start.elapsed().as_secs_f64() * 1000.0);
        assert!(output.status.success(), "{output:?}");
    }
    samples
}
