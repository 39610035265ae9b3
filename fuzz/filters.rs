//! What holds for any output of a program, however it is cut into reads: the bodies of the fuzz targets `filter` and `lines`.
//!
//! In: bytes, the first of which say what is asked for and where the cuts are. Out: nothing, or a panic. What must come out is worked out
//! again from the whole stream, slowly and without any state. The daemon's own tests run these on a fixed set of inputs.

use std::sync::Arc;

use provost_config::{LogFormat, Piece};
use provost_core::Wall;
use serde_json::Value;

use crate::logs::filter::{Filter, FilterSettings, Format, Line, Lines, Origin, Stamps, Told};

const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
const END: &[u8] = b"<!--XSUPERVISOR:END-->";
/// One read, and the most that a message may have beyond what was asked for.
const READ: usize = 128 * 1024;
const LONGEST_SEQUENCE: usize = 128;
const LONGEST_LINE: usize = 64 * 1024;

/// `strip_ansi` and capture.
pub(crate) fn filter(bytes: &[u8]) {
    let Some(([asked, cuts], stream)) = bytes.split_first_chunk() else { return };
    let settings = FilterSettings {
        strip_ansi: asked & 1 == 1,
        capture: [0, 7, 60, 1 << 20][usize::from(asked >> 1 & 3)],
    };
    let Some(mut filter) = Filter::new(settings) else { return };
    let most = usize::try_from(settings.capture).expect("a megabyte fits");

    let (mut out, mut got) = (Vec::new(), Vec::new());
    let mut tell = |what: Told<'_>| {
        let (kind, bytes) = match what {
            Told::Plain(bytes) => (Kind::Plain, bytes),
            Told::Captured(bytes) => (Kind::Captured, bytes),
            Told::Communication(bytes) => (Kind::Message, bytes),
        };
        assert!(!bytes.is_empty() || kind == Kind::Message);
        note(&mut got, kind, bytes);
    };
    for chunk in chunks(stream, *cuts) {
        filter.take(chunk, &mut out, &mut tell);
        assert!(filter.held() <= most.max(READ) + LONGEST_SEQUENCE + BEGIN.len(), "{} bytes", filter.held());
    }
    filter.end(&mut out, &mut tell);
    assert_eq!(filter.held(), 0);

    let expected = expected(settings, stream);
    assert_eq!(got.len(), expected.len(), "{got:?} instead of {expected:?}");
    let mut log = Vec::new();
    for (got, (kind, bytes)) in got.iter().zip(&expected) {
        assert_eq!(got.0, *kind);
        if *kind == Kind::Message && bytes.len() > most {
            // Which bytes go depends on the reads; some of the first ones do.
            assert!(bytes.ends_with(&got.1) && got.1.len() <= most.max(READ));
        } else {
            assert_eq!(String::from_utf8_lossy(&got.1), String::from_utf8_lossy(bytes));
            assert_eq!(got.1, *bytes);
        }
        if *kind == Kind::Plain {
            log.extend_from_slice(bytes);
        }
    }
    assert_eq!(out, log);
}

/// Lines, and what formats make of them. A tilde in the stream is as many letters as fill nearly half of the longest line.
pub(crate) fn lines(bytes: &[u8]) {
    let Some(([cuts], stream)) = bytes.split_first_chunk() else { return };
    // Three are enough to see a line that is too long; more only take long.
    let mut tildes = 0;
    let mut whole = Vec::new();
    for byte in stream {
        tildes += usize::from(*byte == b'~');
        match byte {
            b'~' if tildes <= 3 => whole.resize(whole.len() + LONGEST_LINE / 2 - 2, b'x'),
            byte => whole.push(*byte),
        }
    }

    let (mut lines, mut got) = (Lines::default(), Vec::new());
    let mut each = |line: Line<'_>| got.push((line.text.to_vec(), line.is_whole, line.continues));
    for chunk in chunks(&whole, *cuts) {
        lines.take(chunk, &mut each);
        assert!(lines.held() <= LONGEST_LINE);
    }
    lines.end(&mut each);
    assert_eq!(lines.held(), 0);
    assert!(got == expected_lines(&whole), "other lines than those of the whole stream");
    rendered(&got);
}

/// What every format makes of each line is one line, and tells all of it.
fn rendered(lines: &[(Vec<u8>, bool, bool)]) {
    let origin = Origin { process: "p_1", group: "p", pid: 7, channel: "stderr", hostname: "h" };
    let pieces = [Piece::Literal("p| ".to_owned()), Piece::Message];
    let pattern = Format::new(&LogFormat::Pattern(Arc::new(pieces)), &origin).expect("not text");
    let json = Format::new(&LogFormat::Json, &origin).expect("not text");
    let mut stamps = Stamps::new(jiff::tz::TimeZone::UTC);
    for (text, is_whole, continues) in lines {
        let line = Line { text, is_whole: *is_whole, continues: *continues };
        let mut out = Vec::new();
        pattern.render(&line, Wall(0), &mut stamps, &mut out);
        assert_eq!(out, [b"p| ", text.as_slice(), b"\n"].concat());
        out.clear();
        json.render(&line, Wall(0), &mut stamps, &mut out);
        assert_eq!(out.iter().position(|byte| *byte == b'\n'), Some(out.len() - 1));
        let value: Value = serde_json::from_slice(&out).expect("it is JSON");
        let text = if *is_whole { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
        assert_eq!(value["message"].as_str(), Some(&*String::from_utf8_lossy(text)));
        assert_eq!(value.get("message_base64").is_some(), std::str::from_utf8(text).is_err());
        assert_eq!(value.get("partial").is_some(), !is_whole);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Captured,
    Message,
}

/// What is of one kind is one, however many pieces it came in.
fn note(notes: &mut Vec<(Kind, Vec<u8>)>, kind: Kind, bytes: &[u8]) {
    match notes.last_mut() {
        Some((last, text)) if *last == kind && kind != Kind::Message => text.extend_from_slice(bytes),
        _ => notes.push((kind, bytes.to_vec())),
    }
}

fn expected(settings: FilterSettings, stream: &[u8]) -> Vec<(Kind, Vec<u8>)> {
    let strip = |bytes: &[u8]| if settings.strip_ansi { stripped(bytes) } else { bytes.to_vec() };
    let mut notes = Vec::new();
    let mut add = |kind, bytes: Vec<u8>| {
        if kind == Kind::Message || !bytes.is_empty() {
            note(&mut notes, kind, &bytes);
        }
    };
    let (mut rest, mut kind) = (stream, Kind::Plain);
    loop {
        let token = if kind == Kind::Plain { BEGIN } else { END };
        let at = (settings.capture > 0)
            .then(|| rest.windows(token.len()).position(|part| part == token))
            .flatten();
        let text = strip(&rest[..at.unwrap_or(rest.len())]);
        add(kind, text.clone());
        let Some(at) = at else { return notes };
        rest = &rest[at + token.len()..];
        if kind == Kind::Captured {
            add(Kind::Message, text);
        }
        kind = if kind == Kind::Plain { Kind::Captured } else { Kind::Plain };
    }
}

fn stripped(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let near = &bytes[at..bytes.len().min(at + LONGEST_SEQUENCE)];
        let end = near.iter().position(|byte| b"HfABCDRsuJKhlpm".contains(byte));
        match end {
            Some(end) if near.starts_with(b"\x1b[") => at += end + 1,
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

fn expected_lines(stream: &[u8]) -> Vec<(Vec<u8>, bool, bool)> {
    let mut lines = Vec::new();
    let mut split = stream.split(|byte| *byte == b'\n').peekable();
    while let Some(mut text) = split.next() {
        let is_whole = split.peek().is_some();
        let mut continues = false;
        while text.len() > LONGEST_LINE {
            let is_inside = |at: usize| text[at] & 0b1100_0000 == 0b1000_0000;
            let back = (0..=3).find(|back| !is_inside(LONGEST_LINE - back)).unwrap_or(0);
            let (piece, more) = text.split_at(LONGEST_LINE - back);
            lines.push((piece.to_vec(), false, continues));
            (text, continues) = (more, true);
        }
        if is_whole || !text.is_empty() {
            lines.push((text.to_vec(), is_whole, continues));
        }
    }
    lines
}

/// Cuts a stream: bytes alone, short pieces and long ones, or not at all.
fn chunks(mut stream: &[u8], cuts: u8) -> Vec<&[u8]> {
    let sizes: &[usize] = match cuts & 3 {
        0 => &[usize::MAX],
        1 => &[1],
        2 => &[1, 2, 3, 5, 8, 30],
        _ => &[1, 20, 100, 1000, 30_000, 66_000],
    };
    let (mut chunks, mut state) = (Vec::new(), u32::from(cuts) | 1);
    // Byte by byte only where there are few.
    let least = stream.len() / 10_000;
    while !stream.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = sizes[(state >> 16) as usize % sizes.len()].max(least);
        let (chunk, rest) = stream.split_at(size.min(stream.len()));
        chunks.push(chunk);
        stream = rest;
    }
    chunks
}
