//! What holds for whatever a listener says: the body of the fuzz target `listener`.
//!
//! In: bytes; the first says how, a zero byte is the moment at which the supervisor tells it something if it is ready. Out: nothing,
//! or a panic. `crates/wire/tests/fuzz.rs` runs it on a fixed set of inputs.

use provost_wire::listener::{Ear, Heard, LONGEST_LINE, LONGEST_RESULT, Listening};

/// It is understood alike in whatever pieces it comes, and answers only what it was told.
pub(crate) fn listener(bytes: &[u8]) {
    let Some((how, said)) = bytes.split_first() else { return };
    let whole = heard(said, how & 1 == 1, usize::MAX);
    for piece in [1, 2, 3, usize::from(how >> 1).max(1)] {
        assert_eq!(heard(said, how & 1 == 1, piece), whole, "in pieces of {piece}");
    }
}

fn heard(said: &[u8], recovers: bool, piece: usize) -> (Vec<Heard>, Listening) {
    let (mut ear, mut all, mut told, mut answers) = (Ear::new(recovers), Vec::new(), 0, 0);
    for (number, part) in said.split(|byte| *byte == 0).enumerate() {
        if number > 0 && ear.state() == Listening::Ready {
            ear.is_told();
            told += 1;
        }
        for piece in part.chunks(piece) {
            ear.hear(piece, |heard| {
                match &heard {
                    Heard::Result(result) => assert!(result.len() <= LONGEST_RESULT),
                    Heard::BadLine(line) => assert!(line.len() <= LONGEST_LINE),
                    Heard::Ready | Heard::Nonsense | Heard::Recovered => {}
                }
                answers += u32::from(matches!(heard, Heard::Result(_) | Heard::BadLine(_)));
                all.push(heard);
                true
            });
        }
        assert!(answers <= told, "{answers} answers to {told} events");
    }
    (all, ear.state())
}
