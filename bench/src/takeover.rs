//! How long clients wait when the brain has died: from its SIGKILL to the whole answer to `getAllProcessInfo`.
//!
//! In: how many kills. Out: medians, 99th percentiles and the longest, for 500, 1000 and 5000 programs, without logs and
//! with the automatic logs that a program has unless it says otherwise. Each kill is the first in the life of its daemon:
//! the keeper holds brains back that die in a row, and that pause is no part of the number. Only ours: nobody else has a
//! brain to lose.

use std::fmt::Write as _;
use std::path::Path;

use provost_testkit::{
    DEADLINE, Daemon, Deadline, HEAD, Implementation, Process, Sandbox, Signal, build_programs, descendants,
    monotonic_ns, post,
};

use crate::family;
use crate::proc::milliseconds;
use crate::programs::Programs;
use crate::starts::{self, Starts};
use crate::table::{Samples, aligned};

const KILLS: usize = 50;
/// How many programs with which logs, and how much rarer than usual their brain is killed. 5000 programs with two logs each
/// would need more descriptors than many machines allow.
const ROWS: [(usize, &str, usize); 5] =
    [(500, "NONE", 1), (500, "AUTO", 1), (1000, "NONE", 1), (1000, "AUTO", 1), (5000, "NONE", 5)];

const ASK: &str =
    "<methodCall><methodName>supervisor.getAllProcessInfo</methodName><params></params></methodCall>";

/// One table: a row for each number of programs and each kind of logs.
pub(crate) fn run(programs: &Programs, kills: Option<usize>) -> String {
    build_programs("provost", &["supervisord", "supervisorctl"]);
    let kills = kills.unwrap_or(KILLS);
    let head = ["programs", "logs", "kills", "p50", "p99", "max", "processor"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (count, logs, rarer) in ROWS {
        rows.push(row(programs, count, logs, (kills / rarer).max(1)));
    }
    format!(
        "milliseconds from SIGKILL of the brain to the answer of the next one about all programs, and processor time of \
         that one until then\n{}",
        aligned(&rows)
    )
}

fn row(programs: &Programs, count: usize, logs: &str, kills: usize) -> Vec<String> {
    let (mut waits, mut work) = (Samples::default(), Samples::default());
    for _ in 0..kills {
        let (wait, cpu) = measure(&programs.program, count, logs);
        waits.push(wait);
        work.push(cpu);
    }
    let mut cells = vec![count.to_string(), logs.to_owned(), kills.to_string()];
    cells.extend([0.5, 0.99, 1.0].map(|part| format!("{:.1}", waits.quantile(part))));
    cells.push(work.median_cell(1));
    cells
}

/// One daemon, and the death of its first brain.
fn measure(program: &Path, count: usize, logs: &str) -> (f64, f64) {
    let sandbox = Sandbox::new();
    let _starts = Starts::create(&sandbox.file("starts"), count);
    let config = configuration(program, count, logs);
    let daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    wait_until_all_run(&daemon, count);
    let brain = Process::new(brain_of(&daemon));
    let killed = monotonic_ns();
    brain.signal(Signal::KILL);
    let answer = first_answer(&daemon);
    let wait = milliseconds(monotonic_ns() - killed);
    let cpu = crate::proc::cpu_milliseconds(&[brain_of(&daemon)]);
    assert_eq!(running(&answer), count, "the next brain does not know all that run");
    daemon.process().signal(Signal::KILL);
    daemon.process().wait_until_gone();
    family::sweep();
    (wait, cpu)
}

fn configuration(program: &Path, count: usize, logs: &str) -> String {
    let mut text = format!("{HEAD}minfds={}\n", 3 * count + 1024);
    for number in 0..count {
        // The program writes down when it started: nobody reads that here.
        write!(
            text,
            "\n[program:p{number}]\ncommand={} {number}\nstartsecs=0\nenvironment={}=\"{{dir}}/starts\"\n\
             stdout_logfile={logs}\nstderr_logfile={logs}\n",
            program.display(),
            starts::ADDRESS,
        )
        .expect("a string takes everything");
    }
    text
}

fn wait_until_all_run(daemon: &Daemon, count: usize) {
    let deadline = Deadline::after(8 * DEADLINE);
    while running(&first_answer(daemon)) < count {
        assert!(deadline.remaining().is_some(), "not all of {count} programs have started");
    }
}

/// Asks until somebody answers: who connects while one brain dies is served by the next, or refused by nobody.
fn first_answer(daemon: &Daemon) -> String {
    let deadline = Deadline::after(8 * DEADLINE);
    loop {
        match post(&daemon.socket(), "/RPC2", ASK.as_bytes()) {
            Ok(answer) if answer.status == 200 => return String::from_utf8_lossy(&answer.body).into_owned(),
            Ok(_) | Err(_) => assert!(deadline.remaining().is_some(), "nobody answers"),
        }
    }
}

fn running(answer: &str) -> usize {
    answer.matches("<string>RUNNING</string>").count()
}

fn brain_of(daemon: &Daemon) -> i32 {
    let name = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let brain = descendants(daemon.pid()).into_iter().find(|pid| name(pid) == "provost-brain\n");
    brain.expect("a daemon that answers has a brain")
}
