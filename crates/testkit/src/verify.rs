//! Whether a log holds every numbered line of a program once, whole, and in order.
//!
//! In: the log as one stream of bytes (rotated files first), and how many lines each run of the program wrote. Out: a
//! [`Verdict`] with everything that is wrong, told in ranges, so that a lost pipe is one fault and not three hundred. It
//! finds its way again behind each fault. Not here: where the numbers come from, and whether any of it may be forgiven.

use std::fmt;
use std::io::{self, BufRead};
use std::ops::RangeInclusive;

use crate::ledger::Entry;
use crate::numbered::{Numbered, claim};

/// What must and what may be in the log of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chapter {
    /// Which run.
    pub generation: u32,
    /// Lines that must be there.
    pub least: u64,
    /// Lines that may be there: more than must where nobody can know whether the last piece was written.
    pub most: u64,
}

impl From<&Entry> for Chapter {
    fn from(entry: &Entry) -> Self {
        let most = if entry.end.is_some() { entry.lines } else { entry.intended };
        Self { generation: entry.generation, least: entry.lines, most }
    }
}

/// Something that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// These lines are not there.
    Lost(u32, RangeInclusive<u64>),
    /// These lines are there again.
    Twice(u32, RangeInclusive<u64>),
    /// These lines come behind later ones.
    Late(u32, RangeInclusive<u64>),
    /// These lines say what they should, but nobody wrote them.
    Invented(u32, RangeInclusive<u64>),
    /// At this byte there is something that is no line of this program.
    Torn(u64, String),
}

/// What became of the lines of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Lines in the log, good or not.
    pub lines: u64,
    /// Bytes in the log.
    pub bytes: u64,
    /// Everything that is wrong.
    pub faults: Vec<Fault>,
}

/// Reads the log of the program `name` to its end.
///
/// # Errors
/// When it cannot be read.
pub fn verify(name: &str, chapters: &[Chapter], mut log: impl BufRead) -> io::Result<Verdict> {
    let mut reader = Reader::new(name, chapters);
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        reader.take(&line);
        line.clear();
    }
    Ok(reader.finish())
}

struct Reader<'a> {
    name: &'a str,
    chapters: &'a [Chapter],
    /// The chapter that is being read, and the line of it that should come next.
    chapter: usize,
    next: u64,
    text: Numbered,
    wanted: Vec<u8>,
    lost: Vec<(u32, RangeInclusive<u64>)>,
    /// Not there, and nobody knows whether they were ever written.
    doubtful: Vec<(u32, RangeInclusive<u64>)>,
    verdict: Verdict,
}

impl<'a> Reader<'a> {
    fn new(name: &'a str, chapters: &'a [Chapter]) -> Self {
        let first = chapters.first().map_or(0, |chapter| chapter.generation);
        Self {
            name,
            chapters,
            chapter: 0,
            next: 1,
            text: Numbered::new(name, first),
            wanted: Vec::new(),
            lost: Vec::new(),
            doubtful: Vec::new(),
            verdict: Verdict::default(),
        }
    }

    fn take(&mut self, line: &[u8]) {
        let at = self.verdict.bytes;
        self.verdict.lines += 1;
        self.verdict.bytes += line.len() as u64;
        let Some(chapter) = self.chapters.get(self.chapter) else { return self.stray(line, at) };
        self.wanted.clear();
        self.text.append(self.next, &mut self.wanted);
        if line == self.wanted && self.next <= chapter.most {
            self.next += 1;
        } else {
            self.stray(line, at);
        }
    }

    /// Not the line that should come next.
    fn stray(&mut self, line: &[u8], at: u64) {
        let Some((generation, number)) = claim(self.name, line).filter(|place| self.is_whole(line, *place))
        else {
            let shown = &line[..line.len().min(100)];
            return self.verdict.faults.push(Fault::Torn(at, String::from_utf8_lossy(shown).into_owned()));
        };
        let place = self.chapters.iter().position(|chapter| chapter.generation == generation);
        let known = place.filter(|place| (1..=self.chapters[*place].most).contains(&number));
        let Some(place) = known else { return self.blame(generation, number, Fault::Invented) };
        if (place, number) < (self.chapter, self.next) {
            return if self.found_late(generation, number) {
                self.blame(generation, number, Fault::Late);
            } else {
                self.blame(generation, number, Fault::Twice);
            };
        }
        while self.chapter < place {
            self.end_chapter();
        }
        if number > self.next {
            self.lost.push((generation, self.next..=number - 1));
        }
        self.next = number + 1;
    }

    fn is_whole(&mut self, line: &[u8], (generation, number): (u32, u64)) -> bool {
        self.wanted.clear();
        Numbered::new(self.name, generation).append(number, &mut self.wanted);
        line == self.wanted
    }

    /// Adds to the last fault if it is the same one going on.
    fn blame(&mut self, generation: u32, number: u64, kind: fn(u32, RangeInclusive<u64>) -> Fault) {
        use Fault::{Invented, Late, Twice};
        let one = kind(generation, number..=number);
        match (self.verdict.faults.last_mut(), &one) {
            (Some(Twice(of, range)), Twice(..))
            | (Some(Late(of, range)), Late(..))
            | (Some(Invented(of, range)), Invented(..))
                if *of == generation && range.end() + 1 == number =>
            {
                *range = *range.start()..=number;
            }
            _ => self.verdict.faults.push(one),
        }
    }

    /// Whether a line was missed, and now has come after all.
    fn found_late(&mut self, generation: u32, number: u64) -> bool {
        [&mut self.lost, &mut self.doubtful].into_iter().any(|ranges| take_out(ranges, generation, number))
    }

    fn end_chapter(&mut self) {
        let Chapter { generation, least, most } = self.chapters[self.chapter];
        if self.next <= least {
            self.lost.push((generation, self.next..=least));
        }
        self.doubtful.push((generation, self.next.max(least + 1)..=most));
        self.chapter += 1;
        self.next = 1;
        if let Some(chapter) = self.chapters.get(self.chapter) {
            self.text = Numbered::new(self.name, chapter.generation);
        }
    }

    fn finish(mut self) -> Verdict {
        while self.chapter < self.chapters.len() {
            self.end_chapter();
        }
        self.lost.sort_by_key(|(generation, range)| (*generation, *range.start()));
        self.verdict.faults.extend(self.lost.into_iter().map(|(of, range)| Fault::Lost(of, range)));
        self.verdict
    }
}

/// Whether the line was in one of the ranges; now it is not.
fn take_out(ranges: &mut Vec<(u32, RangeInclusive<u64>)>, generation: u32, number: u64) -> bool {
    let has_it = |(of, range): &(u32, RangeInclusive<u64>)| *of == generation && range.contains(&number);
    let Some(at) = ranges.iter().position(has_it) else { return false };
    let (_, range) = ranges.swap_remove(at);
    for rest in [*range.start()..=number - 1, number + 1..=*range.end()] {
        if !rest.is_empty() {
            ranges.push((generation, rest));
        }
    }
    true
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = |generation, range: &RangeInclusive<u64>, what| {
            write!(f, "generation {generation}: lines {} to {} {what}", range.start(), range.end())
        };
        match self {
            Fault::Lost(of, range) => told(of, range, "are lost"),
            Fault::Twice(of, range) => told(of, range, "are there twice"),
            Fault::Late(of, range) => told(of, range, "come too late"),
            Fault::Invented(of, range) => told(of, range, "were written by nobody"),
            Fault::Torn(at, text) => write!(f, "byte {at}: torn line {text:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAPTERS: [Chapter; 3] = [
        Chapter { generation: 1, least: 5, most: 5 },
        Chapter { generation: 2, least: 2, most: 4 },
        Chapter { generation: 3, least: 3, most: 3 },
    ];

    fn line(generation: u32, number: u64) -> Vec<u8> {
        let mut line = Vec::new();
        Numbered::new("a", generation).append(number, &mut line);
        line
    }

    /// What is right, with the four lines of which two may be missing.
    fn whole() -> Vec<Vec<u8>> {
        let numbers = [(1, 1..=5), (2, 1..=4), (3, 1..=3)];
        numbers.into_iter().flat_map(|(of, range)| range.map(move |number| line(of, number))).collect()
    }

    fn judge(lines: &[Vec<u8>]) -> Vec<Fault> {
        verify("a", &CHAPTERS, &lines.concat()[..]).unwrap().faults
    }

    #[test]
    fn a_whole_log_has_no_faults_and_is_counted() {
        let verdict = verify("a", &CHAPTERS, &whole().concat()[..]).unwrap();
        let bytes = whole().concat().len() as u64;
        assert_eq!(verdict, Verdict { lines: 12, bytes, faults: Vec::new() });
        assert_eq!(verify("a", &[], io::empty()).unwrap(), Verdict::default());
    }

    #[test]
    fn a_killed_run_may_have_written_its_last_piece_or_not() {
        for missing in 0..=2 {
            let mut lines = whole();
            lines.drain(9 - missing..9);
            assert_eq!(judge(&lines), []);
        }
        let mut lines = whole();
        lines.drain(6..9);
        assert_eq!(judge(&lines), [Fault::Lost(2, 2..=2)]);
    }

    #[test]
    fn gaps_are_seen_wherever_they_are() {
        let without = |range: std::ops::Range<usize>| {
            let mut lines = whole();
            lines.drain(range);
            judge(&lines)
        };
        assert_eq!(without(0..1), [Fault::Lost(1, 1..=1)]);
        assert_eq!(without(1..4), [Fault::Lost(1, 2..=4)]);
        assert_eq!(without(11..12), [Fault::Lost(3, 3..=3)]);
        assert_eq!(without(3..10), [Fault::Lost(1, 4..=5), Fault::Lost(2, 1..=2), Fault::Lost(3, 1..=1)]);
        let nothing = [Fault::Lost(1, 1..=5), Fault::Lost(2, 1..=2), Fault::Lost(3, 1..=3)];
        assert_eq!(without(0..12), nothing);
    }

    #[test]
    fn lines_that_are_there_again_are_seen_and_told_together() {
        let mut lines = whole();
        let again = lines[1..4].to_vec();
        lines.splice(4..4, again);
        assert_eq!(judge(&lines), [Fault::Twice(1, 2..=4)]);
        let mut lines = whole();
        lines.push(line(1, 5));
        assert_eq!(judge(&lines), [Fault::Twice(1, 5..=5)], "of an earlier run, too");
    }

    #[test]
    fn swapped_lines_are_no_loss_but_a_fault() {
        let mut lines = whole();
        lines.swap(1, 2);
        assert_eq!(judge(&lines), [Fault::Late(1, 2..=2)]);
        let mut lines = whole();
        let early = lines.remove(9);
        lines.insert(4, early);
        assert_eq!(judge(&lines), [Fault::Late(1, 5..=5), Fault::Late(2, 1..=4)], "a run before its time");
    }

    #[test]
    fn torn_glued_and_altered_lines_are_no_lines() {
        let torn = |edit: fn(&mut Vec<Vec<u8>>)| {
            let mut lines = whole();
            edit(&mut lines);
            judge(&lines).into_iter().map(|fault| matches!(fault, Fault::Torn(..))).collect::<Vec<_>>()
        };
        // Each time the torn text, and that the lines are lost that were in it.
        assert_eq!(torn(|lines| drop(lines[2].drain(2..9))), [true, false]);
        assert_eq!(torn(|lines| lines[2].truncate(3)), [true, false]);
        assert_eq!(torn(|lines| assert!(lines[2].pop() == Some(b'\n'))), [true, false]);
        assert_eq!(torn(|lines| lines[2].insert(7, b'x')), [true, false]);
        assert_eq!(torn(|lines| lines.insert(2, b"\n".to_vec())), [true]);
        assert_eq!(torn(|lines| lines.push(b"a 3".to_vec())), [true]);
        let mut altered = whole();
        let last = altered[2].len() - 2;
        altered[2][last] ^= 1;
        assert!(
            matches!(&judge(&altered)[..], [Fault::Torn(..), Fault::Lost(1, range)] if *range == (3..=3))
        );
    }

    #[test]
    fn lines_that_nobody_wrote_are_seen() {
        let mut lines = whole();
        lines.insert(5, line(1, 6));
        lines.insert(6, line(1, 7));
        lines.push(line(4, 1));
        assert_eq!(judge(&lines), [Fault::Invented(1, 6..=7), Fault::Invented(4, 1..=1)]);
        assert_eq!(verify("a", &[], &line(1, 1)[..]).unwrap().faults, [Fault::Invented(1, 1..=1)]);
    }
}
