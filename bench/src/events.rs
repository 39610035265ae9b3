//! What an event costs on its way through a listener that acknowledges at once.
//!
//! In: how many events wait for the listener at a time. Out: two tables of Provost, Supervisor 4.3.0 and the bare round trip over two
//! pipes, which is the limit, as nobody is told the next event before it has answered the last one. The first: events that have
//! waited for a listener that did not answer, so that nothing but the conversation is left. The second: programs that talk, a burst of
//! calls, programs that are started and stopped; with what was lost on the way. Last, the memory that waiting events take. Not here: deaths of a brain.

mod book;
mod cores;
mod scene;

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use provost_testkit::{Deadline, Implementation, Signal};

use crate::contender::Contender;
use crate::logs::talkers::{Talk, Talkers};
use crate::proc::{self, milliseconds};
use crate::programs::Programs;
use crate::starts;
use crate::table::{Samples, aligned};
use book::Heard;
use cores::Cores;
use scene::{Memory, Pool, Scene};

const COUNT: usize = 100_000;
/// Supervisor moves all that wait for each one that it tells.
const FEWER_FOR_SUPERVISOR: usize = 5;
const ROUNDS: usize = 3;
/// Bytes of an event that tells of a short line, and of the answer to it.
const MESSAGE: &str = "192";
const ANSWER: &str = "17";
const TRIPS: Duration = Duration::from_secs(1);
const LINE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn run(contenders: &[Contender], programs: &Programs, count: Option<usize>) -> String {
    let contenders: Vec<&Contender> =
        contenders.iter().filter(|one| matches!(one, Contender::Supervisord(_) | Contender::Limit)).collect();
    let count = count.unwrap_or(COUNT);
    let mut memory = Vec::new();
    let (waited, trip) = have_waited(&contenders, programs, count, &mut memory);
    let mut parts = vec![
        format!(
            "{count} events that have waited (a {FEWER_FOR_SUPERVISOR}th of that for Supervisor)\n{}",
            aligned(&waited)
        ),
        format!(
            "events as they happen; processors asleep\n{}",
            aligned(&as_they_happen(&contenders, programs, count, trip))
        ),
    ];
    parts.extend(memory);
    parts.join("\n\n")
}

/// One contender's numbers in one row.
#[derive(Debug, Default)]
struct Total {
    events: Samples,
    rate: Samples,
    cpu: Samples,
    lines: Samples,
    line_cpu: Samples,
    missing: u64,
    lost: u64,
    repeated: u64,
}

impl Total {
    /// So many events or lines never came.
    fn add(&mut self, heard: &Heard, cpu_ns: u64, unheard: u64) {
        let [events, lines] = [heard.events, heard.said / LINE as u64].map(as_float);
        let seconds = milliseconds(heard.last_ns - heard.first_ns) / 1000.0;
        let cpu_us = milliseconds(cpu_ns) * 1000.0;
        self.events.push(events);
        self.rate.push(events / seconds);
        self.cpu.push(cpu_us / events);
        if heard.said > 0 {
            self.lines.push(lines / seconds);
            self.line_cpu.push(cpu_us / lines);
        }
        self.missing += heard.missing;
        self.lost += unheard;
        self.repeated += heard.repeated + heard.again / LINE as u64;
    }
}

/// The conversation alone. Also the rate of the bare round trip while processors sleep.
fn have_waited(
    contenders: &[&Contender],
    programs: &Programs,
    count: usize,
    memory: &mut Vec<String>,
) -> (Vec<Vec<String>>, f64) {
    let head = [
        "",
        "processors",
        "answers",
        "events",
        "events/s",
        "of the trips",
        "CPU us",
        "missing",
        "lost",
        "twice",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut asleep = f64::NAN;
    let ways = Cores::ALL.map(|cores| (cores, "NONE")).into_iter().chain([(Cores::Asleep, "AUTO")]);
    for (number, (cores, logfile)) in ways.enumerate() {
        let mut totals: Vec<Total> = contenders.iter().map(|_| Total::default()).collect();
        for round in 0..ROUNDS {
            for (contender, total) in contenders.iter().zip(&mut totals) {
                let held = cores.hold(programs);
                match contender {
                    Contender::Supervisord(implementation) => {
                        let seen = wait_and_hear(implementation, programs, count, logfile, total);
                        if round == 0 && number == 0 {
                            memory.push(seen);
                        }
                    }
                    Contender::Limit | Contender::S6 | Contender::Runit(_) => trips(programs, total),
                }
                drop(held);
            }
        }
        let limit = limit_of(contenders, &totals);
        if number == 0 {
            asleep = limit;
        }
        let answers = if logfile == "NONE" { "not kept" } else { "in a log" };
        for (contender, total) in contenders.iter().zip(&totals) {
            let mut row = vec![name(contender).to_owned(), cores.name().to_owned(), answers.to_owned()];
            row.extend([total.events.median_cell(0), total.rate.median_cell(0), part(total, limit)]);
            row.push(total.cpu.median_cell(2));
            row.extend([total.missing, total.lost, total.repeated].map(|number| number.to_string()));
            rows.push(row);
        }
    }
    (rows, asleep)
}

/// Events that gather while the listener is stopped, and then are told.
fn wait_and_hear(
    implementation: &Implementation,
    programs: &Programs,
    count: usize,
    logfile: &'static str,
    total: &mut Total,
) -> String {
    let is_ours = implementation.name == "provost";
    let count = if is_ours { count } else { (count / FEWER_FOR_SUPERVISOR).max(1) };
    // Ours keeps what does not fit, which is what it is without being told otherwise.
    let buffer_size = (!is_ours).then_some(count);
    let pool = Pool { events: "REMOTE_COMMUNICATION", buffer_size, logfile };
    let scene = Scene::start(implementation, programs, pool, "");
    let empty = scene.memory();
    scene.listener.signal(Signal::STOP);
    scene.publish(count);
    let full = scene.memory();
    let before = scene.worked();
    scene.listener.signal(Signal::CONT);
    let heard = scene.book.wait_until(|heard| heard.events >= count as u64);
    let cpu_ns = proc::between(&before, &scene.worked()).cpu_ns;
    let after = scene.memory();
    scene.discard();
    let unheard = (count as u64).saturating_sub(heard.events - heard.repeated);
    total.add(&heard, cpu_ns, unheard);
    let mut seen = format!("memory of {}, KiB: private, PSS, memory files, spilled", implementation.name);
    for (when, Memory { private, pss, shared, spilled }) in
        [("at first", empty), (&format!("with {count} waiting"), full), ("afterwards", after)]
    {
        write!(seen, "\n  {when}: {private}, {pss}, {shared}, {spilled}").expect("a string takes everything");
    }
    seen
}

/// Round trips for a while.
fn trips(programs: &Programs, total: &mut Total) {
    let mut command = Command::new(&programs.trips);
    command.args([&TRIPS.as_millis().to_string(), MESSAGE, ANSWER]).stdin(Stdio::null());
    let output = command.output().expect("it was compiled just now");
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = said.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [events, last_ns, cpu_ns] = numbers[..] else { panic!("the round trips have failed: {output:?}") };
    total.add(&Heard { events, last_ns, ..Heard::default() }, cpu_ns, 0);
}

/// Where events come from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// So many programs that say so many lines each, one every so many microseconds.
    Talking {
        programs: usize,
        lines: usize,
        every: usize,
    },
    Calls(usize),
    /// A group of so many programs that is started and stopped, twice.
    States(usize),
}

fn as_they_happen(
    contenders: &[&Contender],
    programs: &Programs,
    count: usize,
    trip: f64,
) -> Vec<Vec<String>> {
    let lines = 10 * count;
    let sources = [
        ("1 program, lines without a pause", Source::Talking { programs: 1, lines, every: 0 }),
        ("4 programs, lines without a pause", Source::Talking { programs: 4, lines: lines / 2, every: 0 }),
        ("1 program, a line every 250 us", Source::Talking { programs: 1, lines: count / 10, every: 250 }),
        ("4 programs, a line every 500 us", Source::Talking { programs: 4, lines: count / 20, every: 500 }),
        (
            "100 programs, a line every 20 ms",
            Source::Talking { programs: 100, lines: count / 1000, every: 20_000 },
        ),
        (
            "400 programs, a line every 20 ms",
            Source::Talking { programs: 400, lines: count / 1000, every: 20_000 },
        ),
        ("sendRemoteCommEvent", Source::Calls(count / FEWER_FOR_SUPERVISOR)),
        ("200 programs start and stop, twice", Source::States(200)),
    ];
    let head = [
        "",
        "",
        "events",
        "events/s",
        "of the trips",
        "CPU us",
        "lines/s",
        "CPU us a line",
        "missing",
        "lost",
        "twice",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (what, source) in sources {
        let daemons: Vec<&Implementation> = contenders
            .iter()
            .filter_map(|one| match one {
                Contender::Supervisord(implementation) => Some(implementation),
                Contender::S6 | Contender::Runit(_) | Contender::Limit => None,
            })
            .collect();
        let mut totals: Vec<Total> = daemons.iter().map(|_| Total::default()).collect();
        for _ in 0..ROUNDS {
            for (implementation, total) in daemons.iter().zip(&mut totals) {
                happen(implementation, programs, source, total);
            }
        }
        for (implementation, total) in daemons.iter().zip(&totals) {
            let mut row = vec![implementation.name.to_owned(), what.to_owned()];
            row.extend([total.events.median_cell(0), total.rate.median_cell(0), part(total, trip)]);
            row.extend([&total.cpu, &total.lines, &total.line_cpu].map(|samples| samples.median_cell(2)));
            row.extend([total.missing, total.lost, total.repeated].map(|number| number.to_string()));
            rows.push(row);
        }
    }
    rows
}

fn happen(implementation: &Implementation, programs: &Programs, source: Source, total: &mut Total) {
    match source {
        Source::Talking { programs: count, lines, every } => {
            let bytes = lines * LINE;
            let talk =
                Talk { programs: count, bytes, line: LINE, write: LINE, every, maxbytes: 0, backups: 0 };
            talk_and_hear(implementation, programs, talk, total);
        }
        Source::Calls(calls) => call_and_hear(implementation, programs, calls, total),
        Source::States(count) => change_and_hear(implementation, programs, count, total),
    }
}

/// The pool is as it is without being told otherwise: Supervisor keeps ten events.
fn talk_and_hear(implementation: &Implementation, programs: &Programs, talk: Talk, total: &mut Total) {
    let talkers = Talkers::prepare(talk);
    let section = format!(
        "\n[program:w]\ncommand={} {}\nprocess_name=w%(process_num)d\nnumprocs={}\nstartsecs=0\nstdout_logfile=NONE\n\
         stderr_logfile=NONE\nstdout_events_enabled=true\n",
        programs.talker.display(),
        talkers.arguments().join(" "),
        talk.programs
    );
    let pool = Pool { events: "PROCESS_LOG", buffer_size: None, logfile: "NONE" };
    let scene = Scene::start(implementation, programs, pool, &section);
    talkers.wait_until_ready(Deadline::after(PATIENCE));
    let before = scene.worked();
    talkers.open_the_gate();
    talkers.wait_until_said(Deadline::after(PATIENCE));
    let all = talk.all() as u64;
    let heard = scene.book.wait_until(|heard| heard.said >= all);
    let cpu_ns = proc::between(&before, &scene.worked()).cpu_ns;
    scene.discard();
    total.add(&heard, cpu_ns, (all + heard.again).saturating_sub(heard.said) / LINE as u64);
}

fn call_and_hear(implementation: &Implementation, programs: &Programs, calls: usize, total: &mut Total) {
    let pool = Pool { events: "REMOTE_COMMUNICATION", buffer_size: Some(calls), logfile: "NONE" };
    let scene = Scene::start(implementation, programs, pool, "");
    let before = scene.worked();
    scene.publish(calls);
    let heard = scene.book.wait_until(|heard| heard.events >= calls as u64);
    let cpu_ns = proc::between(&before, &scene.worked()).cpu_ns;
    scene.discard();
    total.add(&heard, cpu_ns, (calls as u64 + heard.repeated).saturating_sub(heard.events));
}

/// The pool is as it is without being told otherwise.
fn change_and_hear(implementation: &Implementation, programs: &Programs, count: usize, total: &mut Total) {
    const TIMES: usize = 2;
    // The program writes down when it started: nobody reads that here.
    let section = format!(
        "\n[program:f]\ncommand={} 0\nprocess_name=f%(process_num)d\nnumprocs={count}\nstartsecs=0\nautostart=false\n\
         stdout_logfile=NONE\nstderr_logfile=NONE\nenvironment={}=/dev/null\n",
        programs.program.display(),
        starts::ADDRESS,
    );
    let pool = Pool { events: "PROCESS_STATE", buffer_size: None, logfile: "NONE" };
    let scene = Scene::start(implementation, programs, pool, &section);
    let before = scene.worked();
    for _ in 0..TIMES {
        scene.ask("supervisor.startProcessGroup", "f");
        scene.ask("supervisor.stopProcessGroup", "f");
    }
    // STARTING, RUNNING, STOPPING, STOPPED; and the first two of the listener itself.
    let all = (TIMES * 4 * count + 2) as u64;
    let heard = scene.book.wait_until(|heard| heard.events >= all);
    let cpu_ns = proc::between(&before, &scene.worked()).cpu_ns;
    scene.discard();
    total.add(&heard, cpu_ns, (all + heard.repeated).saturating_sub(heard.events));
}

fn name(contender: &Contender) -> &'static str {
    match contender {
        Contender::Limit => "bare round trip in C",
        Contender::Supervisord(_) | Contender::S6 | Contender::Runit(_) => contender.name(),
    }
}

fn limit_of(contenders: &[&Contender], totals: &[Total]) -> f64 {
    let limit = contenders.iter().zip(totals).find(|(contender, _)| matches!(contender, Contender::Limit));
    limit.map_or(f64::NAN, |(_, total)| total.rate.quantile(0.5))
}

fn part(total: &Total, limit: f64) -> String {
    match 100.0 * total.rate.quantile(0.5) / limit {
        part if part.is_nan() => "–".to_owned(),
        part => format!("{part:.0} %"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "events of a bench fit 52 bits")]
fn as_float(number: u64) -> f64 {
    number as f64
}
