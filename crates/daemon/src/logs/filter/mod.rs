//! What becomes of a program's output between its pipe and its sinks, if anything does. Pure: chunks in, bytes out, and the
//! time comes as an argument.
//!
//! [`Filter`] is `strip_ansi` (`strip.rs`) and capture mode (`capture.rs`) of one channel. [`Lines`] cuts what comes out of it
//! into lines for sinks that want whole ones, [`Format`] gives them a shape. All of them keep their state from chunk to chunk, so it makes
//! no difference where a read ends, and hold little: nothing at all between two whole lines.
//!
//! Not here: pipes, files, events; who writes what, and when.

mod capture;
#[cfg(test)]
mod differential;
mod format;
#[cfg(test)]
mod generated;
mod lines;
mod strip;

use capture::{Capture, Cut};
use strip::Strip;

pub(super) use format::{Format, Origin, Stamps};
pub(super) use lines::{Line, Lines};

/// What a channel asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FilterSettings {
    pub(super) strip_ansi: bool,
    /// Bytes that a message may have; 0 for no capture.
    pub(super) capture: u64,
}

/// `strip_ansi` and capture of one channel of one child; its state lives across reads.
#[derive(Debug)]
pub(super) struct Filter {
    strip: Option<Strip>,
    capture: Option<Capture>,
}

/// What passes, in order; never empty, but for an empty message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told<'a> {
    /// For the log, to which it is appended already, and for PROCESS_LOG.
    Plain(&'a [u8]),
    /// Part of a message: for PROCESS_LOG and the copy in the main log, not for the log.
    Captured(&'a [u8]),
    /// A complete message: PROCESS_COMMUNICATION.
    Communication(&'a [u8]),
}

type Tell<'a> = &'a mut dyn FnMut(Told<'_>);

impl Filter {
    /// Nothing where there is nothing to do: bytes may then go their direct way.
    pub(super) fn new(settings: FilterSettings) -> Option<Filter> {
        let strip = settings.strip_ansi.then(Strip::default);
        let most = usize::try_from(settings.capture).unwrap_or(usize::MAX);
        let capture = (most > 0).then(|| Capture::new(most));
        (strip.is_some() || capture.is_some()).then_some(Filter { strip, capture })
    }

    /// One chunk. What goes to the log is appended to `out`.
    pub(super) fn take(&mut self, chunk: &[u8], out: &mut Vec<u8>, tell: Tell<'_>) {
        let mut passage =
            Passage { strip: &mut self.strip, start: out.len(), out, captured: Vec::new(), tell };
        let Some(capture) = &mut self.capture else {
            passage.text(chunk, false);
            passage.pause();
            return;
        };
        let mut rest = chunk;
        // Tokens are looked for in what the program wrote, before anything is stripped, as ever.
        while let Some(cut) = capture.cut(&mut rest) {
            match cut {
                Cut::Text(text) => passage.text(text, capture.is_within()),
                Cut::Begin => {
                    passage.finish(false);
                    passage.pause();
                }
                Cut::End => {
                    passage.finish(true);
                    capture.keep(&passage.pause());
                    (passage.tell)(Told::Communication(&capture.take_message()));
                }
            }
        }
        capture.keep(&passage.pause());
    }

    /// The pipe has ended: what was held back comes out now. A message without an end is dropped, as ever.
    pub(super) fn end(&mut self, out: &mut Vec<u8>, tell: Tell<'_>) {
        let mut passage =
            Passage { strip: &mut self.strip, start: out.len(), out, captured: Vec::new(), tell };
        let mut is_within = false;
        if let Some(capture) = &mut self.capture {
            is_within = capture.is_within();
            passage.text(capture.rest(), is_within);
            capture.take_message();
        }
        passage.finish(is_within);
        passage.pause();
    }

    /// Somebody else goes on, who knows nothing of this: what was held back comes out, so that nothing is lost. A message without an
    /// end goes to the log with its token; there its rest will go, too.
    pub(super) fn let_go(&mut self, out: &mut Vec<u8>, tell: Tell<'_>) {
        let Some(capture) = self.capture.as_mut().filter(|capture| capture.is_within()) else {
            return self.end(out, tell);
        };
        let mut passage =
            Passage { strip: &mut self.strip, start: out.len(), out, captured: Vec::new(), tell };
        passage.text(capture.rest(), true);
        passage.finish(true);
        capture.keep(&passage.pause());
        out.extend_from_slice(capture::BEGIN);
        out.extend(capture.take_message());
    }

    /// The log was cleared: what has come of a message goes with it, as in Supervisor. The rest of the message is still one.
    pub(super) fn forget_captured(&mut self) {
        if let Some(capture) = &mut self.capture {
            capture.take_message();
        }
    }

    /// Bytes held in memory now.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> usize {
        self.strip.as_ref().map_or(0, Strip::held) + self.capture.as_ref().map_or(0, Capture::held)
    }
}

/// The way of one chunk.
struct Passage<'a> {
    strip: &'a mut Option<Strip>,
    out: &'a mut Vec<u8>,
    /// Up to here `out` has been told.
    start: usize,
    /// What has been captured and not yet told.
    captured: Vec<u8>,
    tell: Tell<'a>,
}

impl Passage<'_> {
    fn text(&mut self, bytes: &[u8], is_captured: bool) {
        let out = if is_captured { &mut self.captured } else { &mut *self.out };
        match self.strip {
            Some(strip) => strip.take(bytes, out),
            None => out.extend_from_slice(bytes),
        }
    }

    /// Text ends here, and no sequence goes on behind a token.
    fn finish(&mut self, is_captured: bool) {
        if let Some(strip) = self.strip {
            strip.end(if is_captured { &mut self.captured } else { &mut *self.out });
        }
    }

    /// Tells what has come, and gives what of it was captured.
    fn pause(&mut self) -> Vec<u8> {
        if self.out.len() > self.start {
            (self.tell)(Told::Plain(&self.out[self.start..]));
            self.start = self.out.len();
        }
        let captured = std::mem::take(&mut self.captured);
        if !captured.is_empty() {
            (self.tell)(Told::Captured(&captured));
        }
        captured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "<!--XSUPERVISOR:BEGIN-->";
    const END: &str = "<!--XSUPERVISOR:END-->";

    /// The log, and what was told, a word for each.
    fn run(settings: FilterSettings, chunks: &[&str]) -> (String, Vec<String>) {
        let mut filter = Filter::new(settings).unwrap();
        let (mut out, mut told) = (Vec::new(), Vec::new());
        let mut tell = |what: Told<'_>| {
            told.push(match what {
                Told::Plain(bytes) => format!("plain {}", String::from_utf8_lossy(bytes)),
                Told::Captured(bytes) => format!("captured {}", String::from_utf8_lossy(bytes)),
                Told::Communication(bytes) => format!("message {}", String::from_utf8_lossy(bytes)),
            });
        };
        for chunk in chunks {
            filter.take(chunk.as_bytes(), &mut out, &mut tell);
        }
        filter.end(&mut out, &mut tell);
        assert_eq!(filter.held(), 0);
        (String::from_utf8(out).unwrap(), told)
    }

    const BOTH: FilterSettings = FilterSettings { strip_ansi: true, capture: 1000 };

    #[test]
    fn who_asks_for_nothing_has_no_filter() {
        assert!(Filter::new(FilterSettings::default()).is_none());
    }

    #[test]
    fn a_message_is_told_where_it_stands_and_is_not_in_the_log() {
        let text = format!("one {BEGIN}two{END} three");
        let (log, told) = run(BOTH, &[&text]);
        assert_eq!(log, "one  three");
        assert_eq!(told, ["plain one ", "captured two", "message two", "plain  three"]);
    }

    #[test]
    fn short_output_does_not_wait() {
        let mut filter = Filter::new(BOTH).unwrap();
        let mut out = Vec::new();
        filter.take(b"short\n", &mut out, &mut |_| {});
        assert_eq!((out.as_slice(), filter.held()), (b"short\n".as_slice(), 0));
    }

    #[test]
    fn a_message_in_parts_is_one_and_each_part_is_told() {
        let (log, told) = run(BOTH, &[BEGIN, "one ", "two", END]);
        assert_eq!(log, "");
        assert_eq!(told, ["captured one ", "captured two", "message one two"]);
    }

    #[test]
    fn an_empty_message_is_a_message() {
        let text = format!("{BEGIN}{END}");
        assert_eq!(run(BOTH, &[&text]).1, ["message "]);
    }

    #[test]
    fn a_message_without_an_end_is_dropped() {
        let text = format!("a{BEGIN}lost");
        let (log, told) = run(BOTH, &[&text]);
        assert_eq!((log.as_str(), told), ("a", vec!["plain a".to_owned(), "captured lost".to_owned()]));
    }

    #[test]
    fn what_only_looked_like_a_token_comes_out_at_the_end() {
        assert_eq!(run(BOTH, &["a<!--X"]).0, "a<!--X");
        assert_eq!(run(BOTH, &["a\x1b"]).0, "a\x1b");
        assert_eq!(run(BOTH, &["a\x1b[<!--"]).0, "a\x1b[<!--");
    }

    #[test]
    fn captured_text_is_stripped_and_a_token_ends_a_sequence() {
        let text = format!("\x1b[1mone\x1b[3{BEGIN}t\x1b[0mwo\x1b[{END}1m");
        let (log, told) = run(BOTH, &[&text]);
        assert_eq!(log, "one\x1b[31m");
        assert_eq!(told, ["plain one\x1b[3", "captured two\x1b[", "message two\x1b[", "plain 1m"]);
    }

    #[test]
    fn clearing_empties_the_message_and_leaves_it_open() {
        let mut filter = Filter::new(BOTH).unwrap();
        let (mut out, mut told) = (Vec::new(), Vec::new());
        let mut tell = |what: Told<'_>| {
            if let Told::Communication(bytes) = what {
                told.push(bytes.to_vec());
            }
        };
        filter.take(format!("{BEGIN}before ").as_bytes(), &mut out, &mut tell);
        assert_eq!(filter.held(), 7);
        filter.forget_captured();
        filter.take(format!("after{END}").as_bytes(), &mut out, &mut tell);
        assert_eq!((out.as_slice(), told), (b"".as_slice(), vec![b"after".to_vec()]));
    }
}
