//! Lines that know their place: `NAME GENERATION NUMBER FILLER`, where everything follows from the first three.
//!
//! In: the name of a program and the how-manieth start of it this is. Out: the text of its line number N, for the program
//! that writes it (`author.rs`) and for whoever reads the logs afterwards (`verify.rs`), so that a line that was torn,
//! glued or altered equals no line. Not here: files, and who wrote how many.

use std::io::Write;

/// The longest filler; short ones and long ones alternate, so that lines end anywhere in a page.
const LONGEST: usize = 480;
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/// The lines of one run of a program.
#[derive(Debug, Clone)]
pub struct Numbered {
    name: String,
    generation: u32,
    filler: Vec<u8>,
}

impl Numbered {
    /// Of the program `name`, started for the `generation`th time.
    #[must_use]
    pub fn new(name: &str, generation: u32) -> Self {
        let filler = LETTERS.iter().copied().cycle().take(LETTERS.len() + LONGEST).collect();
        Self { name: name.to_owned(), generation, filler }
    }

    /// Puts line `number` behind what is in `out`, with its newline. The first line is number 1.
    pub fn append(&self, number: u64, out: &mut Vec<u8>) {
        write!(out, "{} {} {number} ", self.name, self.generation).expect("a vector takes everything");
        let chance = mix(number ^ (u64::from(self.generation) << 40));
        let from = chance as usize % LETTERS.len();
        let length = (chance >> 32) as usize % LONGEST;
        out.extend_from_slice(&self.filler[from..from + length]);
        out.push(b'\n');
    }
}

/// The generation and number that a line of the program `name` claims to have.
pub(crate) fn claim(name: &str, line: &[u8]) -> Option<(u32, u64)> {
    let mut words = line.strip_prefix(name.as_bytes())?.strip_prefix(b" ")?.splitn(3, |byte| *byte == b' ');
    let generation = str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let number = str::from_utf8(words.next()?).ok()?.parse().ok()?;
    // The filler, which may be empty, but not its blank.
    words.next()?;
    Some((generation, number))
}

/// Scatters neighbours: the finaliser of splitmix64.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_claims_its_place_and_no_two_are_alike() {
        let text = Numbered::new("a b", 3);
        let (mut one, mut two) = (Vec::new(), Vec::new());
        text.append(7, &mut one);
        text.append(8, &mut two);
        assert!(one.starts_with(b"a b 3 7 ") && one.ends_with(b"\n"));
        assert_eq!((claim("a b", &one), claim("a b", &two)), (Some((3, 7)), Some((3, 8))));
        assert_ne!(one.len(), two.len(), "lines differ in length");
        for wrong in ["a b 3 7", "a b 3", "a 3 7 x", "a b x 7 y"] {
            assert_eq!(claim("a b", wrong.as_bytes()), None, "{wrong}");
        }
    }
}
