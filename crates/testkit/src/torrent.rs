//! A stream in which each byte follows from its place, so that whoever finds a piece of it knows whether it is whole, and where it
//! belongs.
//!
//! In: what it is made of and a seed; for the program that writes it (the word `torrent` of `provost-child`) also how many bytes,
//! in which pieces, and where to. Out: the bytes of any place, the first that is wrong in what was read, and the place of a piece
//! that was cut out. Numbered lines of a program that may be stopped at any moment are in `author.rs`; this one is told how long
//! it is, and what it is made of may be anything.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::str::FromStr;

use crate::numbered::mix;

/// Every line of [`Matter::Lines`] has so many bytes, its end included.
const LINE: usize = 100;
/// Where the number of a line ends, and how many digits it has.
const NUMBER: usize = 12;
const WORD: usize = 8;

/// What a torrent is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// Lines of a hundred bytes, each with its number.
    Lines,
    /// All 256 bytes, in no order: zeros, line feeds, escapes, and what is UTF-8 nowhere.
    Binary,
    /// Letters without an end of line.
    OneLine,
}

/// A stream without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torrent {
    matter: Matter,
    seed: u64,
}

/// How much of a torrent to write, and where: `matter=lines|binary|one-line,bytes=N,write=BYTES,seed=N,to=out|err|each`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pour {
    torrent: Torrent,
    bytes: u64,
    /// Bytes in one write.
    write: usize,
    to: To,
}

/// Where a torrent goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Out,
    Err,
    /// One write to standard output, the next to standard error, and so on.
    Each,
}

impl Torrent {
    /// Two with different seeds have nothing in common.
    #[must_use]
    pub fn new(matter: Matter, seed: u64) -> Self {
        Self { matter, seed }
    }

    /// Its bytes from this place on.
    pub fn fill(&self, mut place: u64, mut piece: &mut [u8]) {
        let size = self.block_size();
        let mut block = [0; LINE];
        while !piece.is_empty() {
            let within = (place % size as u64) as usize;
            self.make_block(place / size as u64, &mut block[..size]);
            let most = piece.len().min(size - within);
            let (now, later) = piece.split_at_mut(most);
            now.copy_from_slice(&block[within..within + most]);
            (piece, place) = (later, place + most as u64);
        }
    }

    /// Where the first byte of `piece` is that is not the one of its place, if it begins at this one.
    #[must_use]
    pub fn first_fault(&self, place: u64, piece: &[u8]) -> Option<u64> {
        let mut wanted = vec![0; piece.len().min(1 << 16)];
        for (n, part) in piece.chunks(1 << 16).enumerate() {
            let at = place + ((n as u64) << 16);
            self.fill(at, &mut wanted[..part.len()]);
            if part != &wanted[..part.len()] {
                let within = part.iter().zip(&wanted).position(|(is, should)| is != should);
                return within.map(|within| at + within as u64);
            }
        }
        None
    }

    /// Where a piece that begins anywhere belongs, as its first whole line says; only lines know that.
    #[must_use]
    pub fn place_of(&self, piece: &[u8]) -> Option<u64> {
        let begun = piece.iter().position(|byte| *byte == b'\n')? + 1;
        let number = std::str::from_utf8(piece.get(begun..begun + NUMBER)?).ok()?;
        (number.parse::<u64>().ok()? * LINE as u64).checked_sub(begun as u64)
    }

    fn block_size(&self) -> usize {
        if self.matter == Matter::Lines { LINE } else { WORD }
    }

    fn make_block(&self, n: u64, block: &mut [u8]) {
        let chance = mix(n ^ (self.seed << 48));
        match self.matter {
            Matter::Binary => block.copy_from_slice(&chance.to_le_bytes()),
            Matter::OneLine => {
                let letters = chance.to_le_bytes().map(|byte| b'a' + byte % 26);
                block.copy_from_slice(&letters);
            }
            Matter::Lines => {
                let mut rest = n;
                for digit in block[..NUMBER].iter_mut().rev() {
                    (*digit, rest) = (b'0' + (rest % 10) as u8, rest / 10);
                }
                block[NUMBER] = b' ';
                for (at, byte) in block[NUMBER + 1..LINE - 1].iter_mut().enumerate() {
                    *byte = b'a' + ((chance >> (at % 32)) % 26) as u8;
                }
                block[LINE - 1] = b'\n';
            }
        }
    }
}

impl Pour {
    /// Writes all of it.
    ///
    /// # Errors
    /// When one of the outputs does not take it.
    pub fn run(&self) -> io::Result<()> {
        let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
        let mut piece = vec![0; self.write];
        let (mut place, mut is_odd) = (0, false);
        while place < self.bytes {
            let most = usize::try_from(self.bytes - place).map_or(self.write, |left| left.min(self.write));
            self.torrent.fill(place, &mut piece[..most]);
            let to_err = match self.to {
                To::Out => false,
                To::Err => true,
                To::Each => is_odd,
            };
            write_all(if to_err { stderr.as_fd() } else { stdout.as_fd() }, &piece[..most])?;
            (place, is_odd) = (place + most as u64, !is_odd);
        }
        Ok(())
    }
}

impl FromStr for Pour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut found = Self { torrent: Torrent::new(Matter::Lines, 0), bytes: 0, write: 4096, to: To::Out };
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("{part} is not KEY=VALUE"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{key}: {value} is no number"));
            match (key, value) {
                ("matter", "lines") => found.torrent.matter = Matter::Lines,
                ("matter", "binary") => found.torrent.matter = Matter::Binary,
                ("matter", "one-line") => found.torrent.matter = Matter::OneLine,
                ("to", "out") => found.to = To::Out,
                ("to", "err") => found.to = To::Err,
                ("to", "each") => found.to = To::Each,
                ("bytes", _) => found.bytes = number()?,
                ("write", _) => found.write = number()? as usize,
                ("seed", _) => found.torrent.seed = number()?,
                _ => return Err(format!("{part} means nothing to a torrent")),
            }
        }
        if found.write == 0 { Err("cannot write nothing at a time".into()) } else { Ok(found) }
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Matter; 3] = [Matter::Lines, Matter::Binary, Matter::OneLine];

    #[test]
    fn a_byte_depends_on_its_place_and_on_nothing_else() {
        for matter in ALL {
            let torrent = Torrent::new(matter, 7);
            let mut whole = vec![0; 200_000];
            torrent.fill(0, &mut whole);
            let mut part = vec![0; 777];
            torrent.fill(123_456, &mut part);
            assert_eq!(part, whole[123_456..123_456 + 777], "{matter:?}");
            assert_eq!(torrent.first_fault(0, &whole), None);
            assert_eq!(torrent.first_fault(123_456, &whole[123_456..]), None);
            assert!(Torrent::new(matter, 8).first_fault(0, &whole).is_some());
            whole[150_000] ^= 1;
            assert_eq!(torrent.first_fault(0, &whole), Some(150_000));
            assert_eq!(torrent.first_fault(100_000, &whole[100_000..]), Some(150_000));
        }
    }

    #[test]
    fn binary_has_every_byte_and_one_line_has_no_end() {
        let mut bytes = vec![0; 100_000];
        Torrent::new(Matter::Binary, 1).fill(0, &mut bytes);
        assert!((0..=255).all(|byte| bytes.contains(&byte)));
        assert!(std::str::from_utf8(&bytes).is_err());
        Torrent::new(Matter::OneLine, 1).fill(0, &mut bytes);
        assert!(bytes.is_ascii() && !bytes.contains(&b'\n'));
    }

    #[test]
    fn a_piece_of_lines_is_put_in_its_place() {
        let torrent = Torrent::new(Matter::Lines, 3);
        let mut piece = vec![0; 500];
        for place in [1, 99, 100, 12_345] {
            torrent.fill(place, &mut piece);
            assert_eq!(torrent.place_of(&piece), Some(place));
        }
        assert_eq!(torrent.place_of(&piece[..50]), None);
        assert_eq!(torrent.place_of(b"\nno number is here at all"), None);
    }

    #[test]
    fn a_wrong_order_is_refused() {
        assert!("matter=binary,bytes=5,write=1,seed=2,to=each".parse::<Pour>().is_ok());
        for wrong in ["matter=stone", "bytes", "bytes=x", "write=0", "to=nobody", "speed=1"] {
            wrong.parse::<Pour>().unwrap_err();
        }
    }
}
