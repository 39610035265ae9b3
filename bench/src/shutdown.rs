//! How long it takes to end many programs that end at once when they are asked to.
//!
//! In: contenders, and a number of programs. Out: from the signal to the supervisor until the last supervising
//! process has ended (it may still have to be reaped); that no program is left by then is checked. The signal is
//! SIGTERM; runsvdir, which ends on it and leaves all its services running, gets SIGHUP, its own word for the same
//! wish.

use crate::contender::{Contender, PATIENCE};
use crate::proc::milliseconds;
use crate::programs::Programs;
use crate::table::{Samples, aligned};

const COUNT: usize = 1000;
const BLOCKS: usize = 3;

pub(crate) fn run(contenders: &[Contender], programs: &Programs, count: Option<usize>) -> String {
    let count = count.unwrap_or(COUNT);
    let mut rows: Vec<Vec<String>> =
        contenders.iter().map(|contender| vec![contender.name().to_owned()]).collect();
    let mut totals: Vec<Samples> = contenders.iter().map(|_| Samples::default()).collect();
    for _ in 0..BLOCKS {
        for ((contender, row), total) in contenders.iter().zip(&mut rows).zip(&mut totals) {
            row.push(block(contender, programs, count, total));
        }
    }
    for (row, total) in rows.iter_mut().zip(&totals) {
        row.push(total.median_cell(1));
    }
    let mut head = vec![String::new()];
    head.extend((1..=BLOCKS).map(|block| format!("block {block}")));
    head.push("median".to_owned());
    rows.insert(0, head);
    format!(
        "milliseconds from the signal to the end of the supervisor and its {count} programs\n{}",
        aligned(&rows)
    )
}

fn block(contender: &Contender, programs: &Programs, count: usize, total: &mut Samples) -> String {
    if count > contender.most() {
        return format!("at most {}", contender.most());
    }
    let running = contender.start(programs, count);
    running.settle();
    match running.stop().map(milliseconds) {
        Some(took) => {
            total.push(took);
            format!("{took:.1}")
        }
        None => format!("over {} s", PATIENCE.as_secs()),
    }
}
