//! A program that writes numbered lines (`numbered.rs`) as fast as it may, and keeps the books of it (`ledger.rs`).
//!
//! In: an [`Assignment`], which is the argument of the word `lines` of `provost-child`. Out: pieces of whole lines on a
//! descriptor, and an entry in the ledger that is true at every moment. Not here: signals, and the waiting for them.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::ledger::{Books, End};
use crate::numbered::{Numbered, mix};

/// What to write: `rate=BYTES,chunk=BYTES,most=LINES,seed=N,ledger=DIRECTORY` in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Bytes a second, at most.
    rate: u64,
    /// Bytes in one write, at most; up to 4096 a pipe takes all of them or none.
    chunk: usize,
    /// Ends by itself after 1 to so many lines, which ones is up to seed and generation; 0: it does not.
    most: u64,
    seed: u64,
    ledger: PathBuf,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut found = Self { rate: 1_000_000, chunk: 4096, most: 0, seed: 0, ledger: PathBuf::new() };
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("{part} is not KEY=VALUE"))?;
            let number = || value.parse().map_err(|_| format!("{key}: {value} is no number"));
            match key {
                "rate" => found.rate = number()?,
                "chunk" => found.chunk = number()? as usize,
                "most" => found.most = number()?,
                "seed" => found.seed = number()?,
                "ledger" => found.ledger = value.into(),
                _ => return Err(format!("{key} is none of rate, chunk, most, seed and ledger")),
            }
        }
        if found.rate == 0 || found.ledger.as_os_str().is_empty() {
            return Err("wanted a rate above zero and a ledger".into());
        }
        Ok(found)
    }
}

/// How many exit statuses there are; so many generations in a row have different ones.
const STATUSES: u64 = 60;

/// A run of such a program.
#[derive(Debug)]
pub struct Author {
    assignment: Assignment,
    text: Numbered,
    books: Books,
    began: Instant,
    bytes: u64,
    lines: u64,
    last: u64,
    /// The next piece, made before it is announced in the books.
    piece: Vec<u8>,
    intended: u64,
}

impl Author {
    /// Begins a generation of the program `name`.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn begin(name: &str, assignment: Assignment) -> io::Result<Self> {
        let books = Books::open(&assignment.ledger, name)?;
        let generation = books.generation();
        let last = match assignment.most {
            0 => u64::MAX,
            most => 1 + mix(assignment.seed ^ (u64::from(generation) << 32)) % most,
        };
        let mut author = Self {
            text: Numbered::new(name, generation),
            piece: Vec::with_capacity(assignment.chunk.max(1024)),
            assignment,
            books,
            began: Instant::now(),
            bytes: 0,
            lines: 0,
            last,
            intended: 0,
        };
        author.prepare()?;
        Ok(author)
    }

    /// How long it has to wait before it may write again.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        let due = Duration::from_secs_f64(self.bytes as f64 / self.assignment.rate as f64);
        due.checked_sub(self.began.elapsed()).filter(|left| !left.is_zero())
    }

    /// Writes the next piece; whether there is more to come.
    ///
    /// # Errors
    /// When `to` does not take it, or the ledger cannot be written.
    pub fn write(&mut self, to: impl AsFd) -> io::Result<bool> {
        let mut left = &self.piece[..];
        while !left.is_empty() {
            match rustix::io::write(&to, left) {
                Ok(n) => left = &left[n..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.bytes += self.piece.len() as u64;
        self.lines = self.intended;
        self.prepare()?;
        Ok(self.lines < self.last)
    }

    /// Writes down that it ends, and why; the exit status to end with.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn end(mut self, cause: fn(u8) -> End) -> io::Result<u8> {
        let number = u64::from(self.books.generation()) * 37 + self.assignment.seed;
        let status = u8::try_from(1 + number % STATUSES).expect("there are fewer statuses than that");
        self.books.close(cause(status))?;
        Ok(status)
    }

    fn prepare(&mut self) -> io::Result<()> {
        self.piece.clear();
        self.intended = self.lines;
        while self.intended < self.last {
            let before = self.piece.len();
            self.text.append(self.intended + 1, &mut self.piece);
            if self.piece.len() > self.assignment.chunk && before > 0 {
                self.piece.truncate(before);
                break;
            }
            self.intended += 1;
        }
        self.books.written(self.lines, self.intended)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::Sandbox;
    use crate::ledger::ledger;

    fn assignment(sandbox: &Sandbox, more: &str) -> Assignment {
        format!("ledger={},{more}", sandbox.path().display()).parse().unwrap()
    }

    #[test]
    fn what_is_in_the_books_is_what_was_written() {
        let sandbox = Sandbox::new();
        let out = File::create(sandbox.file("out")).unwrap();
        let mut author =
            Author::begin("a", assignment(&sandbox, "most=200,chunk=700,rate=1000000000")).unwrap();
        while author.write(&out).unwrap() {}
        let status = author.end(End::Own).unwrap();
        let [entry] = ledger(sandbox.path(), "a").try_into().unwrap();
        assert_eq!(entry.end, Some(End::Own(status)));
        let text = std::fs::read(sandbox.file("out")).unwrap();
        let mut wanted = Vec::new();
        (1..=entry.lines).for_each(|number| Numbered::new("a", 1).append(number, &mut wanted));
        assert!(text == wanted && entry.lines > 1, "{entry:?}");
    }

    #[test]
    fn it_writes_no_faster_than_it_may_and_announces_each_piece() {
        let sandbox = Sandbox::new();
        let out = File::create(sandbox.file("out")).unwrap();
        let mut author = Author::begin("a", assignment(&sandbox, "chunk=4096,rate=1")).unwrap();
        assert_eq!(author.pause(), None);
        let announced = ledger(sandbox.path(), "a")[0].intended;
        assert!(announced > 1 && author.write(&out).unwrap());
        assert_eq!(ledger(sandbox.path(), "a")[0].lines, announced);
        let written = out.metadata().unwrap().len();
        assert!((2048..=4096).contains(&written), "{written}");
        assert!(author.pause().unwrap() > Duration::from_secs(2000));
    }

    #[test]
    fn neighbouring_generations_end_differently() {
        let sandbox = Sandbox::new();
        let end = || Author::begin("a", assignment(&sandbox, "seed=5")).unwrap().end(End::Asked).unwrap();
        let statuses: std::collections::BTreeSet<u8> = (0..STATUSES).map(|_| end()).collect();
        assert_eq!(statuses.len() as u64, STATUSES);
    }

    #[test]
    fn a_wrong_assignment_is_refused() {
        for wrong in ["rate=1", "rate=0,ledger=/x", "rate=x,ledger=/x", "ledger=/x,speed=1", "ledger"] {
            wrong.parse::<Assignment>().unwrap_err();
        }
    }
}
