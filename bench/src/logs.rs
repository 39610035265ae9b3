//! What it costs to carry what programs say into files.
//!
//! In: how many MiB. Out: for each way to talk (single lines, large pieces, a hundred programs side by side, with rotation)
//! a table: time and processor time per GiB of Provost, Supervisor 4.3.0, `cat > file`, and two bare loops in C, which are the
//! limit; and how long a question to the daemon takes meanwhile. What lies in the files afterwards is compared with what was said,
//! byte by byte. Last, ten thousand programs that hardly say anything.

mod carriers;
pub(crate) mod talkers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use provost_testkit::{Deadline, Implementation, build_programs, monotonic_ns, post};

use crate::proc::{self, milliseconds};
use crate::programs::Programs;
use crate::table::{Samples, aligned};
use carriers::{Carrier, Carrying};
use talkers::Talk;

const MIB: usize = 1 << 20;
const SIZE: usize = 1024;
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(3);
const QUIET: usize = 10_000;
const WATCHED: Duration = Duration::from_secs(30);

const ASK: &str = "<methodCall><methodName>supervisor.getState</methodName><params></params></methodCall>";

pub(crate) fn run(programs: &Programs, size: Option<usize>) -> String {
    build_programs("provost", &["supervisord", "supervisorctl"]);
    let carriers = [
        Carrier::Supervisord(Implementation::ours()),
        Carrier::Supervisord(Implementation::supervisor_4_3()),
        Carrier::Cat,
        Carrier::Loop("read"),
        Carrier::Loop("splice"),
    ];
    let mut parts: Vec<String> = talks(size.unwrap_or(SIZE) * MIB)
        .iter()
        .map(|(name, talk)| format!("{name}\n{}", aligned(&compare(programs, talk, &carriers))))
        .collect();
    parts.push(quiet(programs));
    parts.join("\n\n")
}

/// How long a question takes while so many MiB are said in each way: rows of a table.
pub(crate) fn answers_meanwhile(programs: &Programs, size: usize) -> Vec<Vec<String>> {
    let head = ["", "", "answers", "p50 ms", "p99 ms", "max ms"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, talk) in talks(size * MIB) {
        for implementation in [Implementation::ours(), Implementation::supervisor_4_3()] {
            let carrier = Carrier::Supervisord(implementation);
            let answers = ask_meanwhile(programs, &talk, &carrier);
            let mut row = vec![carrier.name().to_owned(), name.to_owned()];
            row.extend(waits(&answers));
            rows.push(row);
        }
    }
    rows
}

/// How many answers there were, and how many milliseconds they took: half of them, nearly all, all.
fn waits(answers: &Samples) -> Vec<String> {
    let mut cells = vec![answers.len().to_string()];
    cells.extend([0.5, 0.99, 1.0].map(|part| format!("{:.1}", answers.quantile(part))));
    cells
}

/// What is said, for so many bytes in all.
fn talks(bytes: usize) -> [(&'static str, Talk); 4] {
    let one = Talk { programs: 1, bytes, line: 100, write: 100, every: 0, maxbytes: 0, backups: 0 };
    let many = Talk { programs: 100, bytes: bytes / 100, write: 4096, ..one };
    let rotated = Talk { bytes: bytes / 2, write: 65536, maxbytes: 50 * MIB, backups: 10, ..one };
    [
        ("one program, lines of 100 bytes, a write each", one),
        ("one program, writes of 64 KiB", Talk { write: 65536, ..one }),
        ("100 programs, writes of 4 KiB", many),
        ("one program, writes of 64 KiB, rotated at 50 MiB", rotated),
    ]
}

/// One carrier's numbers: seconds per GiB.
#[derive(Debug, Default)]
struct Total {
    wall: Samples,
    cpu: Samples,
    talking: Samples,
    answers: Samples,
}

fn compare(programs: &Programs, talk: &Talk, carriers: &[Carrier]) -> Vec<Vec<String>> {
    let carriers: Vec<&Carrier> = carriers.iter().filter(|carrier| carrier.can(talk)).collect();
    let mut totals: Vec<Total> = carriers.iter().map(|_| Total::default()).collect();
    for _ in 0..ROUNDS {
        for (carrier, total) in carriers.iter().zip(&mut totals) {
            measure(programs, talk, carrier, total);
        }
    }
    for (carrier, total) in carriers.iter().zip(&mut totals) {
        total.answers = ask_meanwhile(programs, talk, carrier);
    }
    let head =
        ["", "s/GiB", "CPU s/GiB", "least", "CPU of the programs", "answers", "p50 ms", "p99 ms", "max ms"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (carrier, total) in carriers.iter().zip(&totals) {
        let mut row = vec![carrier.name().to_owned(), total.wall.median_cell(2), total.cpu.median_cell(2)];
        row.push(format!("{:.2}", total.cpu.quantile(0.0)));
        row.push(total.talking.median_cell(2));
        if carrier.answers() {
            row.extend(waits(&total.answers));
        }
        rows.push(row);
    }
    rows
}

/// One talk from its first byte to the last byte in a file.
fn measure(programs: &Programs, talk: &Talk, carrier: &Carrier, total: &mut Total) {
    let carrying = Carrying::start(programs, talk, carrier);
    let (talking, supervising) = carrying.pids();
    let before = [&talking, &supervising].map(|pids| proc::threads(pids));
    let began = monotonic_ns();
    carrying.talkers.open_the_gate();
    carrying.talkers.wait_until_written(Deadline::after(PATIENCE));
    let took = monotonic_ns() - began;
    let work = [&talking, &supervising].map(|pids| proc::threads(pids));
    end(carrying, carrier);
    let per_gib = |ns: u64| milliseconds(ns) / 1000.0 / talk.gib();
    total.wall.push(per_gib(took));
    total.talking.push(per_gib(proc::between(&before[0], &work[0]).cpu_ns));
    total.cpu.push(per_gib(proc::between(&before[1], &work[1]).cpu_ns));
}

/// The same talk once more, and somebody who asks the daemon something all the time: how many milliseconds each answer took.
fn ask_meanwhile(programs: &Programs, talk: &Talk, carrier: &Carrier) -> Samples {
    if !carrier.answers() {
        return Samples::default();
    }
    let carrying = Carrying::start(programs, talk, carrier);
    let socket = carrying.socket().expect("who answers has a socket");
    let is_over = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = Samples::default();
            while !is_over.load(Ordering::Relaxed) {
                let asked = monotonic_ns();
                let answer = post(&socket, "/RPC2", ASK.as_bytes()).expect("a daemon that runs answers");
                assert_eq!(answer.status, 200);
                answers.push(milliseconds(monotonic_ns() - asked));
                thread::sleep(PAUSE);
            }
            answers
        });
        carrying.talkers.open_the_gate();
        carrying.talkers.wait_until_written(Deadline::after(PATIENCE));
        is_over.store(true, Ordering::Relaxed);
        asking.join().expect("it asks and waits")
    });
    end(carrying, carrier);
    answers
}

fn end(carrying: Carrying, carrier: &Carrier) {
    let verdict = carrying.talkers.compare();
    carrying.discard();
    assert_eq!(verdict, Ok(()), "{} did not write what was said", carrier.name());
}

/// Ten thousand programs that say three lines each, at once, and then nothing any more.
fn quiet(programs: &Programs) -> String {
    let carrier = Carrier::Supervisord(Implementation::ours());
    let count = QUIET.min(carriers::make_room_for(QUIET));
    let talk = Talk {
        programs: count,
        bytes: 300,
        line: 100,
        write: 100,
        every: 0,
        maxbytes: 50 * MIB,
        backups: 10,
    };
    let carrying = Carrying::start(programs, &talk, &carrier);
    let (_, supervising) = carrying.pids();
    let before = proc::threads(&supervising);
    carrying.talkers.open_the_gate();
    carrying.talkers.wait_until_written(Deadline::after(PATIENCE));
    let said = proc::threads(&supervising);
    // Not a wait for anything: the interval that is measured.
    thread::sleep(WATCHED);
    let idle = proc::between(&said, &proc::threads(&supervising));
    let memory = proc::memory(&supervising);
    end(carrying, &carrier);
    format!(
        "{count} programs that say three lines each: {:.0} ms of processor time; then {} s of silence: {} wake-ups, \
         {:.1} ms; private memory {} KiB",
        milliseconds(proc::between(&before, &said).cpu_ns),
        WATCHED.as_secs(),
        idle.switches,
        milliseconds(idle.cpu_ns),
        memory.private
    )
}
