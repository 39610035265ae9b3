//! How long a killed program is away: from its SIGKILL to the first action of
//! its replacement.
//!
//! In: a pair, and kills per block. Out: medians and ranges per side and block,
//! and beside them the physical limit: a bare fork and exec of the same program
//! by a parent that does nothing else. Both ends of a measurement are readings of
//! the monotonic clock, ours just before the signal and the new program's own,
//! which its hello carries, so no wake-up of the bench is in the number.

use std::process::{Command, Stdio};
use std::time::Duration;

use provost_testkit::{
    Daemon, Deadline, HEAD, Hello, HelloSocket, Implementation, Process, Sandbox, Signal, monotonic_ns,
    provost_child,
};

use crate::Pair;
use crate::table::{Samples, aligned};

const PROGRAM: &str = "
[program:one]
command={child} hello forever
startsecs=0
autorestart=true
";

/// A program that lived for less than a second is restarted no faster than once
/// a second, by rule; so each one lives longer before it is killed.
const UPTIME: Duration = Duration::from_millis(1100);

/// Measures in blocks: ours, theirs, ours, theirs.
pub(crate) fn run(pair: &Pair, kills: usize) -> String {
    let head = ["", "kills", "median", "p90", "least", "greatest"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    let mut totals = [Samples::default(), Samples::default()];
    for round in 1..=2 {
        for (implementation, total) in [&pair.ours, &pair.theirs].into_iter().zip(&mut totals) {
            let block = block(implementation, kills);
            rows.push(row(format!("{} block {round}", implementation.name), &block));
            total.extend(&block);
        }
    }
    for (implementation, total) in [&pair.ours, &pair.theirs].into_iter().zip(&totals) {
        rows.push(row(format!("{} together", implementation.name), total));
    }
    rows.push(row("bare fork and exec".to_owned(), &bare(4 * kills)));
    format!("milliseconds from SIGKILL to the replacement's first action\n{}", aligned(&rows))
}

fn row(name: String, samples: &Samples) -> Vec<String> {
    let mut row = vec![name];
    row.extend(samples.cells());
    row
}

fn block(implementation: &Implementation, kills: usize) -> Samples {
    let mut samples = Samples::default();
    let mut daemon = Daemon::start(implementation, &format!("{HEAD}{PROGRAM}"));
    let mut running = daemon.wait_for_hello("one");
    for _ in 0..kills {
        let process = Process::new(running.pid);
        live(&process);
        let killed = monotonic_ns();
        process.signal(Signal::KILL);
        running = daemon.wait_for_hello("one");
        samples.push(milliseconds(killed, &running));
    }
    samples
}

/// Lets the program live for its time. Waiting for its end with a deadline also
/// notices a program that does not live that long.
fn live(process: &Process) {
    assert!(!process.ended_before(Deadline::after(UPTIME)), "the program ended before it was killed");
}

/// The same program, started by us: no supervisor can be faster than this.
fn bare(starts: usize) -> Samples {
    let sandbox = Sandbox::new();
    let mut hellos = HelloSocket::bind(&sandbox.file("hello"));
    let mut samples = Samples::default();
    for _ in 0..starts {
        let mut command = Command::new(provost_child());
        command
            .args(["hello:bare", "forever"])
            .env("PROVOST_HELLO", hellos.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let started = monotonic_ns();
        let mut child = command.spawn().expect("the child was built a moment ago");
        samples.push(milliseconds(started, &hellos.wait("bare")));
        child.kill().expect("our own child can be killed");
        child.wait().expect("our own child can be waited for");
    }
    samples
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a bench fit 52 bits")]
fn milliseconds(from: u64, to: &Hello) -> f64 {
    (to.monotonic_ns - from) as f64 / 1e6
}
