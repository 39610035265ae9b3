//! How much memory supervision takes, for one program and for many.
//!
//! In: contenders. Out: per contender the private memory (clean and dirty: what would be free if it were gone)
//! summed over all supervising processes, whoever does what among them; beside it PSS and RSS, for information.
//! Programs do not count: they are the same for all. For many programs also the growth of the kernel's own memory
//! per program. That is noisy: it holds the program's own part, and what the kernel keeps from the contender
//! before.

use crate::contender::Contender;
use crate::proc::{self, Kernel, Memory};
use crate::programs::Programs;
use crate::table::aligned;

const MANY: usize = 1000;

/// Measures each once; memory does not scatter as times do.
pub(crate) fn run(contenders: &[Contender], programs: &Programs, many: Option<usize>) -> String {
    let many = many.unwrap_or(MANY);
    // What the kernel keeps of the first thousand processes is kept for everybody.
    Contender::Limit.start(programs, many.min(Contender::Limit.most())).discard();
    let head = ["", "processes", "private KiB", "PSS KiB", "RSS KiB"];
    let mut one = vec![head.map(str::to_owned).to_vec()];
    let mut rows = one.clone();
    rows[0].extend(["slab/program", "stacks/program", "page tables/program"].map(str::to_owned));
    for contender in contenders {
        let (memory, _) = measure(contender, programs, 1);
        one.push(cells(contender, memory));
        if many > contender.most() {
            rows.push(vec![contender.name().to_owned(), format!("at most {}", contender.most())]);
            continue;
        }
        let (memory, kernel) = measure(contender, programs, many);
        let mut row = cells(contender, memory);
        row.extend([kernel.slab, kernel.stacks, kernel.tables].map(|kib| per(kib, many)));
        rows.push(row);
    }
    format!(
        "memory of the supervising processes, one program running\n{}\n\n\
         the same with {many} programs; growth of the kernel's memory in KiB, noisy, supervisor and program together\n{}",
        aligned(&one),
        aligned(&rows)
    )
}

fn measure(contender: &Contender, programs: &Programs, count: usize) -> (Memory, Kernel) {
    let before = proc::kernel();
    let running = contender.start(programs, count);
    running.settle();
    let after = proc::kernel();
    running.ask();
    let memory = proc::memory(&running.supervising());
    running.discard();
    let kernel = Kernel {
        slab: after.slab - before.slab,
        stacks: after.stacks - before.stacks,
        tables: after.tables - before.tables,
    };
    (memory, kernel)
}

fn cells(contender: &Contender, memory: Memory) -> Vec<String> {
    let mut row = vec![contender.name().to_owned()];
    row.extend([memory.processes, memory.private, memory.pss, memory.rss].map(|number| number.to_string()));
    row
}

#[expect(clippy::cast_precision_loss, reason = "KiB of a machine and programs of a bench fit 52 bits")]
fn per(kib: i64, programs: usize) -> String {
    format!("{:.1}", kib as f64 / programs as f64)
}
