//! How long it takes until the last of many programs has started.
//!
//! In: contenders, and a number of programs. Out: from just before the supervisor is executed to the first action
//! of the program that starts last, by the clock that both read; beside it the processor time that the supervising
//! processes and the programs had used by then. Reading the configuration, or the directories, is part of it;
//! writing them is not.

use crate::contender::{Contender, PATIENCE, Running};
use crate::proc::{cpu_milliseconds, milliseconds};
use crate::programs::Programs;
use crate::table::{Samples, aligned};

/// Without a number of ours: the usual size in three blocks, and a large one once.
const USUAL: (usize, usize) = (1000, 3);
const LARGE: (usize, usize) = (5000, 1);

/// One table a size.
pub(crate) fn run(contenders: &[Contender], programs: &Programs, count: Option<usize>) -> String {
    let sizes = match count {
        Some(count) => vec![(count, if count > USUAL.0 { LARGE.1 } else { USUAL.1 })],
        None => vec![USUAL, LARGE],
    };
    sizes
        .into_iter()
        .map(|(count, blocks)| table(contenders, programs, count, blocks))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// One contender's measurements.
#[derive(Debug, Default)]
struct Row {
    wall: Samples,
    supervising: Samples,
    programs: Samples,
    blocks: Vec<String>,
}

fn table(contenders: &[Contender], programs: &Programs, count: usize, blocks: usize) -> String {
    let mut measured: Vec<Row> = contenders.iter().map(|_| Row::default()).collect();
    for _ in 0..blocks {
        for (contender, row) in contenders.iter().zip(&mut measured) {
            let cell = row.measure(contender, programs, count);
            row.blocks.push(cell);
        }
    }
    let mut head = vec![String::new()];
    head.extend((1..=blocks).map(|block| format!("block {block}")));
    head.extend(["median", "CPU supervisor", "CPU programs"].map(str::to_owned));
    let mut rows = vec![head];
    for (contender, row) in contenders.iter().zip(measured) {
        let mut cells = vec![contender.name().to_owned()];
        cells.extend(row.blocks);
        cells.extend([row.wall, row.supervising, row.programs].map(|samples| samples.median_cell(1)));
        rows.push(cells);
    }
    format!(
        "milliseconds from the supervisor's start to the first action of the last of {count} programs\n{}",
        aligned(&rows)
    )
}

impl Row {
    /// Returns what the table says about this one.
    fn measure(&mut self, contender: &Contender, programs: &Programs, count: usize) -> String {
        if count > contender.most() {
            return format!("at most {}", contender.most());
        }
        match contender.try_start(programs, count) {
            Ok(running) => self.add(running),
            Err((reached, _)) => format!("{reached} in {} s", PATIENCE.as_secs()),
        }
    }

    fn add(&mut self, running: Running) -> String {
        let wall = milliseconds(running.complete_ns() - running.started_ns);
        self.wall.push(wall);
        self.supervising.push(cpu_milliseconds(&running.supervising()));
        self.programs.push(cpu_milliseconds(&running.programs()));
        running.discard();
        format!("{wall:.1}")
    }
}
