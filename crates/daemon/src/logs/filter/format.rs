//! `stdout_logfile_format`: a line of a program's output in the shape that the configuration asks for.
//!
//! Whatever does not change while a child lives is put together once; a line then costs its bytes and a few for the time. The time
//! is when the daemon read the line. In JSON it is UTC, which sorts as text and means the same on every machine; `%(asctime)s` is
//! local, as in the main log. Not here: which format a channel has, and where lines are cut (`lines.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use provost_config::{LogFormat, Piece};
use provost_core::Wall;

use super::lines::Line;

/// Whose line it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::logs) struct Origin<'a> {
    pub(in crate::logs) process: &'a str,
    pub(in crate::logs) group: &'a str,
    pub(in crate::logs) pid: i32,
    /// `stdout` or `stderr`.
    pub(in crate::logs) channel: &'a str,
    pub(in crate::logs) hostname: &'a str,
}

/// The shape of the lines of one channel of one child.
#[derive(Debug)]
pub(in crate::logs) struct Format {
    parts: Box<[Part]>,
}

#[derive(Debug)]
enum Part {
    Fixed(Vec<u8>),
    Asctime,
    Rfc3339,
    Message,
    /// What stands behind `"message":`.
    JsonMessage,
}

impl Format {
    /// Nothing for `text`: bytes then stay as they are, and nobody need look for lines.
    pub(in crate::logs) fn new(format: &LogFormat, origin: &Origin<'_>) -> Option<Format> {
        let parts = match format {
            LogFormat::Text => return None,
            LogFormat::Json => json(origin),
            LogFormat::Pattern(pieces) => pattern(pieces, origin),
        };
        Some(Format { parts: parts.into() })
    }

    /// Appends one line of output, with its newline, for a line or a piece of one.
    pub(in crate::logs) fn render(&self, line: &Line<'_>, at: Wall, stamps: &mut Stamps, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Fixed(bytes) => out.extend_from_slice(bytes),
                Part::Asctime => stamps.asctime(at, out),
                Part::Rfc3339 => stamps.rfc3339(at, out),
                Part::Message => out.extend_from_slice(line.text),
                Part::JsonMessage => json_message(line, out),
            }
        }
    }
}

fn pattern(pieces: &[Piece], origin: &Origin<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Literal(text) => fixed(&mut parts, text),
            Piece::Asctime => parts.push(Part::Asctime),
            Piece::Message => parts.push(Part::Message),
            Piece::ProcessName => fixed(&mut parts, origin.process),
            Piece::GroupName => fixed(&mut parts, origin.group),
            Piece::Pid => fixed(&mut parts, &origin.pid.to_string()),
            Piece::Channel => fixed(&mut parts, origin.channel),
            Piece::Hostname => fixed(&mut parts, origin.hostname),
        }
    }
    fixed(&mut parts, "\n");
    parts
}

fn json(origin: &Origin<'_>) -> Vec<Part> {
    let Origin { process, group, pid, channel, .. } = origin;
    let [process, group, channel] = [process, group, channel].map(|name| serde_json::Value::from(*name));
    let mut parts = Vec::new();
    fixed(&mut parts, r#"{"time":""#);
    parts.push(Part::Rfc3339);
    let names =
        format!(r#"","process":{process},"group":{group},"pid":{pid},"channel":{channel},"message":"#);
    fixed(&mut parts, &names);
    parts.push(Part::JsonMessage);
    fixed(&mut parts, "}\n");
    parts
}

/// Appends to the last part if that is fixed, too.
fn fixed(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Fixed(bytes)) => bytes.extend_from_slice(text.as_bytes()),
        _ => parts.push(Part::Fixed(text.into())),
    }
}

/// `"…"`, and what else is to be said of the message. The carriage return of a line that ends in CR LF is part of its end.
fn json_message(line: &Line<'_>, out: &mut Vec<u8>) {
    let text = match line.text {
        [text @ .., b'\r'] if line.is_whole => text,
        text => text,
    };
    if is_plain(text) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    } else {
        json_text(text, out);
    }
    if !line.is_whole {
        out.extend_from_slice(br#","partial":true"#);
    }
}

/// Whether a text is its own JSON. Most are, and to find that out takes a fraction of the time of looking for what is to be escaped.
fn is_plain(text: &[u8]) -> bool {
    // Without an early end, so that many bytes are looked at in one step.
    text.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & !matches!(byte, b'"' | b'\\'))
}

fn json_text(text: &[u8], out: &mut Vec<u8>) {
    // Valid text is not copied here.
    let readable = String::from_utf8_lossy(text);
    serde_json::to_writer(&mut *out, &readable).expect("text can be written to memory");
    if matches!(readable, std::borrow::Cow::Owned(_)) {
        // The text has U+FFFD where something could not be read; here is what it was.
        out.extend_from_slice(br#","message_base64":""#);
        out.extend_from_slice(STANDARD.encode(text).as_bytes());
        out.push(b'"');
    }
}

/// Times as text. A time zone is asked once for the lines of a second.
#[derive(Debug)]
pub(in crate::logs) struct Stamps {
    zone: TimeZone,
    local: Second,
    utc: Second,
}

#[derive(Debug, Default)]
struct Second {
    text: String,
    /// Which one; none before the first line.
    of: Option<i64>,
}

impl Stamps {
    pub(in crate::logs) fn new(zone: TimeZone) -> Stamps {
        Stamps { zone, local: Second::default(), utc: Second::default() }
    }

    /// `2026-11-22 10:46:00,042`
    fn asctime(&mut self, at: Wall, out: &mut Vec<u8>) {
        let text = self.local.text(at, &self.zone, "%Y-%m-%d %H:%M:%S,");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(&milliseconds(at));
    }

    /// `2026-11-22T10:46:00.042Z`
    fn rfc3339(&mut self, at: Wall, out: &mut Vec<u8>) {
        let text = self.utc.text(at, &TimeZone::UTC, "%Y-%m-%dT%H:%M:%S.");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(&milliseconds(at));
        out.push(b'Z');
    }
}

/// Three digits; by hand, as there is one for each line.
fn milliseconds(at: Wall) -> [u8; 3] {
    let n = at.0.rem_euclid(1000);
    [n / 100, n / 10 % 10, n % 10].map(|digit| b'0' + digit as u8)
}

impl Second {
    fn text(&mut self, at: Wall, zone: &TimeZone, format: &str) -> &str {
        let second = at.0.div_euclid(1000);
        if self.of != Some(second) {
            let at = Timestamp::from_second(second).unwrap_or_default().to_zoned(zone.clone());
            self.text = at.strftime(format).to_string();
            self.of = Some(second);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::offset;
    use serde_json::{Value, json};

    use super::*;

    const AT: Wall = Wall(1_795_344_360_042);
    const ORIGIN: Origin<'static> =
        Origin { process: "web_00", group: "web", pid: 7, channel: "stdout", hostname: "box" };

    fn rendered(format: &LogFormat, line: Line<'_>) -> String {
        let mut out = Vec::new();
        let mut stamps = Stamps::new(TimeZone::fixed(offset(1)));
        Format::new(format, &ORIGIN).unwrap().render(&line, AT, &mut stamps, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn whole(text: &[u8]) -> Line<'_> {
        Line { text, is_whole: true, continues: false }
    }

    #[test]
    fn a_line_of_json() {
        let line = rendered(&LogFormat::Json, whole(b"up"));
        let expected = concat!(
            r#"{"time":"2026-11-22T10:46:00.042Z","process":"web_00","group":"web","#,
            r#""pid":7,"channel":"stdout","message":"up"}"#,
            "\n"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn json_is_always_one_line_and_reads_back() {
        let text = "\u{1b}[1m\"quoted\" \\ \t\r tab \0 é \u{2028}\u{7f}";
        let line = rendered(&LogFormat::Json, whole(text.as_bytes()));
        assert_eq!(line.bytes().filter(|byte| *byte < 0x20).count(), 1);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], json!(text));
        assert_eq!(value.get("message_base64"), None);
    }

    #[test]
    fn what_is_no_text_is_not_lost() {
        let value: Value =
            serde_json::from_str(&rendered(&LogFormat::Json, whole(b"bad \xff \xfe"))).unwrap();
        assert_eq!(value["message"], json!("bad \u{fffd} \u{fffd}"));
        assert_eq!(STANDARD.decode(value["message_base64"].as_str().unwrap()).unwrap(), b"bad \xff \xfe");
    }

    #[test]
    fn a_piece_says_that_it_is_one() {
        let piece = Line { text: b"half\r", is_whole: false, continues: false };
        let value: Value = serde_json::from_str(&rendered(&LogFormat::Json, piece)).unwrap();
        assert_eq!((&value["message"], &value["partial"]), (&json!("half\r"), &json!(true)));
        let last = Line { text: b"other\r", is_whole: true, continues: true };
        let value: Value = serde_json::from_str(&rendered(&LogFormat::Json, last)).unwrap();
        assert_eq!((&value["message"], value.get("partial")), (&json!("other"), None));
    }

    #[test]
    fn a_name_may_have_any_letters() {
        let origin = Origin { process: "a\"b\\", ..ORIGIN };
        let (mut out, mut stamps) = (Vec::new(), Stamps::new(TimeZone::UTC));
        Format::new(&LogFormat::Json, &origin).unwrap().render(&whole(b"x"), AT, &mut stamps, &mut out);
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap()["process"], json!("a\"b\\"));
    }

    #[test]
    fn a_pattern_has_its_pieces_in_order_and_bytes_as_they_are() {
        let pieces = [
            Piece::Asctime,
            Piece::Literal(" [".to_owned()),
            Piece::ProcessName,
            Piece::Literal("/".to_owned()),
            Piece::GroupName,
            Piece::Pid,
            Piece::Channel,
            Piece::Literal("@".to_owned()),
            Piece::Hostname,
            Piece::Literal("] ".to_owned()),
            Piece::Message,
            Piece::Literal(" %".to_owned()),
        ];
        let format = Format::new(&LogFormat::Pattern(Arc::new(pieces)), &ORIGIN).unwrap();
        assert_eq!(format.parts.len(), 4, "what is fixed is put together once");
        let (mut out, mut stamps) = (Vec::new(), Stamps::new(TimeZone::fixed(offset(1))));
        format.render(&whole(b"\xff\r"), AT, &mut stamps, &mut out);
        assert_eq!(out, b"2026-11-22 11:46:00,042 [web_00/web7stdout@box] \xff\r %\n");
    }

    #[test]
    fn text_needs_no_format() {
        assert!(Format::new(&LogFormat::Text, &ORIGIN).is_none());
    }

    #[test]
    fn the_time_is_right_when_the_second_changes_and_when_it_does_not() {
        let mut stamps = Stamps::new(TimeZone::UTC);
        let mut said = |at| {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            stamps.asctime(Wall(at), &mut a);
            stamps.rfc3339(Wall(at), &mut b);
            (String::from_utf8(a).unwrap(), String::from_utf8(b).unwrap())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(said(999), pair("1970-01-01 00:00:00,999", "1970-01-01T00:00:00.999Z"));
        assert_eq!(said(1000), pair("1970-01-01 00:00:01,000", "1970-01-01T00:00:01.000Z"));
        assert_eq!(said(1), pair("1970-01-01 00:00:00,001", "1970-01-01T00:00:00.001Z"));
        assert_eq!(said(-1), pair("1969-12-31 23:59:59,999", "1969-12-31T23:59:59.999Z"));
    }
}
