//! The benches: ours beside Supervisor 4.3.0 in one run, so that both have the
//! same machine under the same load.
//!
//! In: the name of a bench and perhaps a count. Out: the machine, and an aligned
//! table. `PROVOST_ORACLE` leads to Supervisor 4.3.0, as for the tests; our own
//! binaries are built first, in the profile of this run. Not here: verdicts. The
//! numbers that we promise are written down elsewhere, and compared by people.

mod machine;
mod memory;
mod parse;
mod respawn;
mod table;

use std::process::ExitCode;

use provost_testkit::{Implementation, build_programs};

const USAGE: &str = "\
cargo run --release -p provost-bench -- BENCH

  respawn [N]   time from SIGKILL of a program to its replacement's first action,
                in 4 blocks (A B A B) of N kills each (default 15)
  memory        private memory of the daemon's side with one program
  parse [N]     time to read a configuration of 10,000 programs, in 4 blocks
                (A B A B) of N runs each (default 15)";

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place a bench prints from")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let bench: fn(&Pair, usize) -> String = match words.first() {
        Some(&"respawn") => respawn::run,
        Some(&"memory") => memory::run,
        Some(&"parse") => parse::run,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let count = match words[1..] {
        [] => 15,
        [count] => match count.parse() {
            Ok(count) if count > 0 => count,
            _ => {
                eprintln!("{count:?} is no number of times\n\n{USAGE}");
                return ExitCode::from(2);
            }
        },
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let pair = Pair::of_this_run();
    println!("{}\n\n{}", machine::facts(), bench(&pair, count));
    ExitCode::SUCCESS
}

/// What is measured side by side.
#[derive(Debug)]
struct Pair {
    ours: Implementation,
    theirs: Implementation,
}

impl Pair {
    /// `PROVOST_BENCH_ONLY=theirs` measures 4.3.0 against itself, which tells how
    /// much two equal columns may differ.
    fn of_this_run() -> Self {
        let theirs = Implementation::supervisor_4_3();
        if std::env::var("PROVOST_BENCH_ONLY").is_ok_and(|only| only == "theirs") {
            return Self { ours: theirs.clone(), theirs };
        }
        build_programs("provost", &["supervisord", "supervisorctl"]);
        Self { ours: Implementation::ours(), theirs }
    }
}
