//! Some thousand streams, made of what is hard for the filters, through the bodies of the fuzz targets.
//!
//! The streams are the same in every run. What the fuzzer itself finds becomes a stream here.

#[path = "../../../../../fuzz/filters.rs"]
mod bodies;

/// What the filters know, what nearly is that, and what lies around it.
const ATOMS: &[&[u8]] = &[
    b"<!--XSUPERVISOR:BEGIN-->",
    b"<!--XSUPERVISOR:END-->",
    b"<!--XSUPERVISOR:",
    b"<!--XSUPERVISOR:END--",
    b"BEGIN-->",
    b"END-->",
    b"<",
    b"<!",
    b"-->",
    b"\x1b",
    b"[",
    b"\x1b[",
    b"\x1b[1;31m",
    b"\x1b[0m",
    b"\x1b[2G",
    b"\x1b[38;2;255;255;255;48;2;10;20;30m",
    b"1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;",
    b"m",
    b"a word ",
    b"\n",
    b"\r\n",
    "é\u{2028}😀".as_bytes(),
    b"\xff",
    b"\x80",
    b"\0",
    b"\"\\",
    b"~",
];

#[test]
fn filters() {
    run(20_000, bodies::filter);
}

#[test]
fn lines() {
    run(3000, bodies::lines);
}

#[test]
fn what_a_fuzzer_tries_first() {
    for body in [bodies::filter, bodies::lines] {
        for bytes in [&[][..], &[0], &[1, 2], &[7, 1, 0x1b], &[7, 1, b'<', 0x1b, b'[']] {
            body(bytes);
        }
    }
}

fn run(rounds: usize, body: fn(&[u8])) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        // What is asked for, and where the cuts are.
        let mut stream = vec![dice.byte(), dice.byte()];
        for _ in 0..dice.below(24) {
            let atom = ATOMS[dice.below(ATOMS.len())];
            match dice.below(12) {
                0 => stream.extend(&atom[..dice.below(atom.len() + 1)]),
                1 => stream.push(dice.byte()),
                _ => stream.extend(atom),
            }
        }
        // A panic names no input by itself.
        if std::panic::catch_unwind(|| body(&stream)).is_err() {
            panic!("in round {round}, on {:?}", String::from_utf8_lossy(&stream));
        }
    }
}

/// Xorshift: the same numbers everywhere, for ever.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits fit") % bound
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("it is below 256")
    }
}
