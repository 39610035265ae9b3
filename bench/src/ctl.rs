//! What it costs to ask and to order on the command line: each supervisorctl with its own daemon.
//!
//! In: how often each command is run. Out: for a help text (nobody is asked), `status` of one and of many programs, and stopping and
//! restarting a hundred, milliseconds from the start of supervisorctl to its end, and of its own processor time. Its
//! output goes into a pipe that is read. Before a restart, and after a stop, everything runs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use provost_testkit::{Implementation, build_programs};

use crate::listed::Listed;
use crate::programs::Programs;
use crate::table::{Samples, aligned};

const TIMES: usize = 11;
/// How many programs `status` is asked about.
const MANY: usize = 1000;
/// How many are stopped and started.
const SEVERAL: usize = 100;

/// One row: programs, their startsecs, and what is asked.
struct Row {
    programs: usize,
    startsecs: u32,
    words: &'static [&'static str],
    /// What makes everything run again.
    then: &'static [&'static str],
    /// It takes whole seconds.
    slow: bool,
}

const ROWS: [Row; 6] = [
    Row { programs: 1, startsecs: 0, words: &["-h"], then: &[], slow: false },
    Row { programs: 1, startsecs: 0, words: &["status"], then: &[], slow: false },
    Row { programs: MANY, startsecs: 0, words: &["status"], then: &[], slow: false },
    Row { programs: SEVERAL, startsecs: 0, words: &["restart", "all"], then: &[], slow: false },
    Row { programs: SEVERAL, startsecs: 0, words: &["stop", "all"], then: &["start", "all"], slow: false },
    Row { programs: SEVERAL, startsecs: 1, words: &["restart", "all"], then: &[], slow: true },
];

pub(crate) fn run(programs: &Programs, times: Option<usize>) -> String {
    build_programs("provost", &["supervisord", "supervisorctl"]);
    let times = times.unwrap_or(TIMES);
    let both = [Implementation::ours(), Implementation::supervisor_4_3()];
    let mut table = vec![
        ["", "programs", "startsecs", "ours ms", "CPU ms", "Supervisor ms", "CPU ms"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in ROWS {
        let times = if row.slow { times.div_ceil(4) } else { times };
        let started = both.each_ref().map(|one| Started::of(one, programs, &row));
        let mut samples: [[Samples; 2]; 2] = Default::default();
        for _ in 0..times {
            for (started, samples) in started.iter().zip(&mut samples) {
                started.sample(&row, samples);
            }
        }
        let mut cells = vec![row.words.join(" "), row.programs.to_string(), row.startsecs.to_string()];
        cells.extend(samples.iter().flatten().map(|samples| samples.median_cell(2)));
        table.push(cells);
        started.into_iter().for_each(|started| started.listed.discard());
    }
    format!("supervisorctl, from its start to its end\n{}", aligned(&table))
}

struct Started {
    listed: Listed,
    ctl: Vec<OsString>,
    config: PathBuf,
}

impl Started {
    fn of(implementation: &Implementation, programs: &Programs, row: &Row) -> Started {
        let listed = Listed::start(implementation, programs, row.programs, row.startsecs);
        let config = listed.daemon.sandbox().file("supervisord.conf");
        let started = Started { listed, ctl: implementation.supervisorctl.clone(), config };
        // Everything has begun; it may still have to be RUNNING.
        started.command(&["start", "all"]);
        started
    }

    /// Wall time and processor time of one command.
    fn sample(&self, row: &Row, [wall, cpu]: &mut [Samples; 2]) {
        let (before, begun) = (reaped(), Instant::now());
        self.command(row.words);
        wall.push(begun.elapsed().as_secs_f64() * 1e3);
        cpu.push(reaped() - before);
        if !row.then.is_empty() {
            self.command(row.then);
        }
    }

    fn command(&self, words: &[&str]) {
        let mut command = Command::new(&self.ctl[0]);
        command.args(&self.ctl[1..]).arg("-c").arg(&self.config).args(words).stdin(Stdio::null());
        let output = command.output().expect("supervisorctl can be run");
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
}

/// Processor time of all children that were reaped, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "microseconds of a bench fit 52 bits")]
fn reaped() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it is there");
    let microseconds = |time: nix::sys::time::TimeVal| (time.tv_sec() * 1_000_000 + time.tv_usec()) as f64;
    (microseconds(usage.user_time()) + microseconds(usage.system_time())) / 1e3
}
