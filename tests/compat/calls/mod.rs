//! XML-RPC, call by call: every method in every state, with every argument, in every mood, and whatever else a body may hold.
//!
//! In: tables of calls, played on 4.3.0 and on ours. Out: the bytes of each answer on both sides, with pids, times and
//! paths made equal, which must be the same; what is meant to differ stands in `intended.rs`. `recorded.rs` keeps some of
//! these answers as files, which need no 4.3.0 to be compared with.
//!
//! Not here: HTTP around the calls, and what the calls do to programs, which `scenarios` and `lifecycle` look at.

mod arguments;
mod bodies;
mod ending;
mod intended;
mod line;
mod listed;
mod multicall;
mod recorded;
mod states;

use std::thread;

use provost_testkit::Implementation;

use intended::Verdict;
pub(crate) use intended::fits;
pub(crate) use line::request;
use line::{Asked, shown};

/// Plays the same calls on both sides at once, and compares answer by answer.
#[track_caller]
fn same_answers(table: &str, play: fn(&Implementation) -> Vec<Asked>) {
    let (theirs, ours) = (Implementation::supervisor_4_3(), crate::our_side());
    let (theirs, ours) = thread::scope(|scope| {
        let theirs = scope.spawn(|| play(&theirs));
        let ours = play(&ours);
        (theirs.join().expect("the calls can be made to 4.3.0 (its panic is above)"), ours)
    });
    assert_eq!(theirs.len(), ours.len(), "as many answers on both sides");
    assert!(theirs.len() > 20, "{table}: a table of {} calls shows nothing", theirs.len());
    let mut verdict = Verdict::new(table);
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(theirs.call, ours.call, "the same calls in the same order");
        verdict.judge(&theirs.call, &theirs.answer, &ours.answer);
    }
    println(&format!("{table}: {} calls, {}", theirs.len(), verdict.summary()));
    let unexplained = verdict.unexplained();
    let listed: Vec<String> = unexplained
        .iter()
        .map(|(call, theirs, ours)| format!("{call}\n  - {}\n  + {}\n", shown(theirs), shown(ours)))
        .collect();
    assert!(
        listed.is_empty(),
        "{} of {} answers differ without a reason; - is theirs, + is ours:\n{}",
        listed.len(),
        theirs.len(),
        listed.concat()
    );
    verdict.assert_every_row_fits();
}

#[expect(clippy::print_stdout, reason = "cargo shows it when asked to, with --nocapture")]
fn println(line: &str) {
    println!("{line}");
}
