//! The benches: Provost beside Supervisor 4.3.0, s6, runit and the physical limit, in one run, so that all have
//! the same machine under the same load.
//!
//! In: the name of a bench and perhaps a number. Out: the machine, an aligned table, and who else was busy
//! meanwhile. `PROVOST_ORACLE` leads to Supervisor 4.3.0, as for the tests; our own binaries are built first, in
//! the profile of this run. Not here: verdicts. The numbers that we promise are written down elsewhere, and
//! compared by people.

mod boot;
mod contender;
mod ctl;
mod doors;
mod events;
mod family;
mod guard;
mod idle;
mod listed;
mod logs;
mod machine;
mod memory;
mod parse;
mod proc;
mod programs;
mod respawn;
mod shutdown;
mod spawn;
mod starts;
mod table;
mod takeover;

use std::process::ExitCode;

use contender::Contender;
use machine::Noise;
use programs::Programs;

const USAGE: &str = "\
cargo run --release -p provost-bench -- BENCH

  respawn [N]   from SIGKILL of a program to its replacement's first action, alone
                and among 1000, N kills in each of two blocks (default 6)
  boot [N]      until the last of N programs has started (default 1000 and 5000)
  shutdown [N]  until N programs and their supervisor have ended (default 1000)
  memory [N]    memory of the supervising processes with one program, and with N (1000)
  idle [N]      their wake-ups in 30 seconds with N sleeping programs (default 1000)
  spawn [N]     one spawn with up to 10,000 open descriptors, N times (default 200)
  takeover [N]  from SIGKILL of the brain to the next one's answer about 500, 1000 and 5000
                programs, N kills each (default 50)
  logs [N]      N MiB from programs into files (default 1024), and 10,000 quiet programs
  doors [N]     questions about N programs (default 1000), with 1 and with 16 clients
  events [N]    events through a listener that acknowledges at once: from programs that talk,
                from a burst of calls, from programs that start and stop, and N that have
                waited (default 100,000), beside the bare round trip over two pipes
  ctl [N]       supervisorctl: status of 1 and 1000 programs, stop and restart of 100, N
                times each (default 11)
  parse [N]     reading a configuration of 10,000 programs, N times a block (default 5)

  PROVOST_BENCH_CONTENDERS=provost,supervisor,s6,runit,limit
                who is measured, in this order; one named twice is measured twice";

/// A bench and the number behind it, if one was given.
type Bench = fn(Option<usize>) -> String;

fn bench(name: &str) -> Option<Bench> {
    /// For those that compare contenders.
    fn compare(run: fn(&[Contender], &Programs, Option<usize>) -> String, number: Option<usize>) -> String {
        run(&Contender::of_this_run(), &Programs::compile(), number)
    }
    match name {
        "respawn" => Some(|number| compare(respawn::run, number)),
        "boot" => Some(|number| compare(boot::run, number)),
        "shutdown" => Some(|number| compare(shutdown::run, number)),
        "memory" => Some(|number| compare(memory::run, number)),
        "idle" => Some(|number| compare(idle::run, number)),
        "spawn" => Some(|number| spawn::run(&Programs::compile(), number)),
        "takeover" => Some(|number| takeover::run(&Programs::compile(), number)),
        "logs" => Some(|number| logs::run(&Programs::compile(), number)),
        "doors" => Some(|number| doors::run(&Programs::compile(), number)),
        "events" => Some(|number| compare(events::run, number)),
        "ctl" => Some(|number| ctl::run(&Programs::compile(), number)),
        "parse" => Some(parse::run),
        _ => None,
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place a bench prints from")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let wanted = match words[..] {
        [name] => bench(name).map(|bench| (bench, None)),
        [name, number] => bench(name).zip(number.parse().ok().filter(|n| *n > 0).map(Some)),
        _ => None,
    };
    let Some((bench, number)) = wanted else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if !guard::is_inner() {
        return guard::watch();
    }
    let facts = machine::facts();
    let noise = Noise::begin();
    let table = bench(number);
    println!("{facts}\n\n{table}\n\n{}\n", noise.report());
    ExitCode::SUCCESS
}
