//! What supervision costs while nothing happens.
//!
//! In: contenders, a number of programs, all of which sleep. Out: over half a minute, how often any thread of any
//! supervising process was given a processor, and how long it had it. Who waits for events has nothing to do, and
//! both are 0.

use std::thread;
use std::time::Duration;

use crate::contender::Contender;
use crate::proc::{self, milliseconds};
use crate::programs::Programs;
use crate::table::aligned;

const COUNT: usize = 1000;
const WATCHED: Duration = Duration::from_secs(30);

pub(crate) fn run(contenders: &[Contender], programs: &Programs, count: Option<usize>) -> String {
    let count = count.unwrap_or(COUNT);
    let mut rows = vec![["", "processes", "wake-ups", "CPU ms"].map(str::to_owned).to_vec()];
    for contender in contenders {
        let mut row = vec![contender.name().to_owned()];
        if count > contender.most() {
            row.push(format!("at most {}", contender.most()));
        } else {
            row.extend(measure(contender, programs, count));
        }
        rows.push(row);
    }
    format!(
        "{} s with {count} sleeping programs, all supervising processes together\n{}",
        WATCHED.as_secs(),
        aligned(&rows)
    )
}

fn measure(contender: &Contender, programs: &Programs, count: usize) -> [String; 3] {
    let running = contender.start(programs, count);
    running.settle();
    let supervising = running.supervising();
    let before = proc::threads(&supervising);
    // Not a wait for anything: the interval that is measured.
    thread::sleep(WATCHED);
    let work = proc::between(&before, &proc::threads(&supervising));
    running.discard();
    [supervising.len().to_string(), work.switches.to_string(), format!("{:.2}", milliseconds(work.cpu_ns))]
}
