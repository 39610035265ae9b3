//! Inputs that are nearly right: seeds, and some thousand mutations of them, the same in every run.
//!
//! In: seeds, words of the language, the body of a fuzz target. Out: nothing, or a panic that shows the input.

/// Runs a body on the seeds, and on so many mutations of them.
pub(crate) fn mutate(seeds: &[Vec<u8>], words: &[&str], rounds: usize, body: fn(&[u8])) {
    seeds.iter().for_each(|seed| body(seed));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..=dice.below(5) {
            change(&mut input, seeds, words, &mut dice);
        }
        // A panic names no input by itself.
        if std::panic::catch_unwind(|| body(&input)).is_err() {
            panic!("in round {round}, on {:?}", String::from_utf8_lossy(&input));
        }
    }
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = (at + dice.below(20)).min(input.len());
    match dice.below(6) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 => drop(input.drain(at..end)),
        2 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        3 => {
            let other = &seeds[dice.below(seeds.len())];
            let from = dice.below(other.len() + 1);
            let to = (from + dice.below(80)).min(other.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
        _ => drop(input.splice(at..at, words[dice.below(words.len())].bytes())),
    }
}

/// Xorshift: the same numbers everywhere, for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits fit") % bound
    }
}
