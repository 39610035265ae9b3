//! What a syslog message looks like.
//!
//! To the local socket it is what the C library writes, `<14>Nov 22 10:46:00 supervisord: web text`, as it comes from
//! Supervisor: no pid, local time. To another machine it is RFC 5424, `<14>1 2026-11-22T10:46:00.042+01:00 host supervisord - - - web
//! text`: the older form has neither year nor zone, and what receives takes both.
//!
//! Two bytes cannot travel: a zero ends a message for many a syslogd (and for the C library, which then loses the rest), a line feed ends a
//! frame. They become `#000` and `#012`, as rsyslog itself writes them. All others are left as they are, valid UTF-8 or not.

use std::io::Write;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use provost_config::SyslogTo;
use provost_core::Wall;

/// A name in RFC 5424 ends here.
const LONGEST_TAG: usize = 48;
/// Room that the longest substitute needs: a piece is never empty.
const LEAST_ROOM: usize = 4;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// As what somebody speaks: facility, severity, tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::logs) struct Voice {
    priority: u8,
    tag: String,
    /// Whether the process is named before the text. A tag of the user's own stands for it.
    names_process: bool,
}

impl Voice {
    /// Of a channel; `ident` is what Supervisor's lines have as their tag, the name that the daemon was started by.
    pub(in crate::logs) fn new(to: &SyslogTo, ident: &str) -> Voice {
        let tag = to.tag.as_deref().filter(|tag| !tag.is_empty());
        Voice { names_process: tag.is_none(), ..Voice::plain(to, tag.unwrap_or(ident)) }
    }

    /// Of the daemon itself: its lines say all that there is to say.
    pub(in crate::logs) fn own(ident: &str) -> Voice {
        Voice::plain(&SyslogTo::default(), ident)
    }

    fn plain(to: &SyslogTo, tag: &str) -> Voice {
        let priority = (to.facility & 31) << 3 | (to.severity & 7);
        Voice { priority, tag: name(tag), names_process: false }
    }
}

/// Which of the two forms, and what a message of it has to know.
#[derive(Debug)]
pub(super) enum Form {
    Local(TimeZone),
    Remote(TimeZone, String),
}

impl Form {
    pub(super) fn local() -> Form {
        Form::Local(TimeZone::system())
    }

    pub(super) fn remote() -> Form {
        let machine = rustix::system::uname();
        Form::Remote(TimeZone::system(), name(&machine.nodename().to_string_lossy()))
    }

    /// Makes a message of at most `most` bytes of a line's beginning; how much of the line is in it.
    pub(super) fn render(
        &self,
        message: &mut Vec<u8>,
        voice: &Voice,
        process: &str,
        line: &[u8],
        at: Wall,
        most: usize,
    ) -> usize {
        message.clear();
        self.head(message, voice, at).expect("a vector takes whatever is written to it");
        if voice.names_process {
            push(message, process.as_bytes());
            message.push(b' ');
        }
        let room = most.saturating_sub(message.len()).max(LEAST_ROOM);
        let piece = &line[..fitting(line, room)];
        push(message, piece);
        piece.len()
    }

    fn head(&self, to: &mut Vec<u8>, voice: &Voice, at: Wall) -> std::io::Result<()> {
        let Voice { priority, tag, .. } = voice;
        let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
        match self {
            Form::Local(zone) => {
                let at = at.to_zoned(zone.clone());
                let month = MONTHS[at.month() as usize - 1];
                let (hour, minute, second) = (at.hour(), at.minute(), at.second());
                write!(to, "<{priority}>{month} {:2} {hour:02}:{minute:02}:{second:02} {tag}: ", at.day())
            }
            Form::Remote(zone, host) => {
                let at = moment(&at.to_zoned(zone.clone()));
                write!(to, "<{priority}>1 {at} {host} {tag} - - - ")
            }
        }
    }
}

/// `2026-11-22T10:46:00.042+01:00`
fn moment(at: &Zoned) -> String {
    let offset = at.offset().seconds() / 60;
    let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{sign}{:02}:{:02}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond(),
        offset / 60,
        offset % 60,
    )
}

/// What may stand in a header: printable ASCII, and something.
fn name(text: &str) -> String {
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let name: String = text.chars().take(LONGEST_TAG).map(printable).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

fn push(message: &mut Vec<u8>, text: &[u8]) {
    for part in text.split_inclusive(|byte| substitute(*byte).is_some()) {
        let (last, before) = part.split_last().expect("a part has the byte that ends it");
        match substitute(*last) {
            Some(instead) => {
                message.extend_from_slice(before);
                message.extend_from_slice(instead);
            }
            None => message.extend_from_slice(part),
        }
    }
}

fn substitute(byte: u8) -> Option<&'static [u8]> {
    match byte {
        0 => Some(b"#000"),
        b'\n' => Some(b"#012"),
        _ => None,
    }
}

/// How much of a line fits into so many bytes, cut before a character and not within.
fn fitting(line: &[u8], room: usize) -> usize {
    let mut left = room;
    let mut fits = |byte: &u8| {
        let size = substitute(*byte).map_or(1, <[u8]>::len);
        left.checked_sub(size).inspect(|rest| left = *rest).is_some()
    };
    let end = line.iter().position(|byte| !fits(byte)).unwrap_or(line.len());
    if end == line.len() {
        return end;
    }
    let continues = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    // A character has four bytes at most. What goes on longer than that is no UTF-8 and may be cut anywhere.
    let whole = (end.saturating_sub(3)..=end).rev().find(|&end| !continues(line[end]));
    whole.filter(|&whole| whole > 0).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Wall = Wall(1_795_344_360_042);

    fn text(form: &Form, voice: &Voice, process: &str, line: &[u8], most: usize) -> (Vec<u8>, usize) {
        let mut message = Vec::new();
        let taken = form.render(&mut message, voice, process, line, AT, most);
        (message, taken)
    }

    fn local() -> Form {
        Form::Local(TimeZone::UTC)
    }

    #[test]
    fn a_local_message_has_the_bytes_that_supervisor_sends() {
        let voice = Voice::new(&SyslogTo::default(), "supervisord");
        let (message, taken) = text(&local(), &voice, "web", b"after empty\ttab \x01ctl \x1b[1mbold\r", 8192);
        let expected = b"<14>Nov 22 10:46:00 supervisord: web after empty\ttab \x01ctl \x1b[1mbold\r";
        assert_eq!((message.as_slice(), taken), (expected.as_slice(), 30));
        // An empty line is the name and a space, as there.
        assert_eq!(text(&local(), &voice, "web", b"", 8192).0, b"<14>Nov 22 10:46:00 supervisord: web ");
    }

    #[test]
    fn a_day_before_the_tenth_has_a_space_and_no_zero() {
        let mut message = Vec::new();
        local().render(&mut message, &Voice::own("supervisord"), "", b"x", Wall(1_783_300_205_000), 99);
        assert_eq!(message, b"<14>Jul  6 01:10:05 supervisord: x");
    }

    #[test]
    fn a_remote_message_says_its_zone() {
        let voice = Voice::new(&SyslogTo { facility: 16, severity: 3, ..SyslogTo::default() }, "supervisord");
        let at = |zone: TimeZone| {
            let form = Form::Remote(zone, "box".to_owned());
            String::from_utf8(text(&form, &voice, "web", b"text", 8192).0).unwrap()
        };
        assert_eq!(at(TimeZone::UTC), "<131>1 2026-11-22T10:46:00.042+00:00 box supervisord - - - web text");
        let west = TimeZone::fixed(jiff::tz::Offset::from_seconds(-12600).unwrap());
        assert_eq!(at(west), "<131>1 2026-11-22T07:16:00.042-03:30 box supervisord - - - web text");
    }

    #[test]
    fn a_tag_stands_for_the_name_of_the_process_and_is_printable() {
        let to = SyslogTo { tag: Some("my app:ü".to_owned()), ..SyslogTo::default() };
        let (message, _) = text(&local(), &Voice::new(&to, "supervisord"), "web", b"{}", 8192);
        assert_eq!(message, b"<14>Nov 22 10:46:00 my_app:_: {}");
        let empty = SyslogTo { tag: Some(String::new()), ..SyslogTo::default() };
        assert_eq!(Voice::new(&empty, "supervisord"), Voice::new(&SyslogTo::default(), "supervisord"));
    }

    #[test]
    fn zeros_and_line_feeds_are_written_out_and_nothing_else_is_touched() {
        let voice = Voice::own("d");
        let mut line: Vec<u8> = (0..=255).collect();
        line.push(0);
        let (message, taken) = text(&local(), &voice, "", &line, 8192);
        let mut expected = b"<14>Nov 22 10:46:00 d: #000".to_vec();
        expected.extend(1..10);
        expected.extend(b"#012");
        expected.extend(11..=255);
        expected.extend(b"#000");
        assert_eq!((message, taken), (expected, 257));
    }

    #[test]
    fn a_long_line_goes_in_pieces_that_cut_no_character_and_lose_nothing() {
        let voice = Voice::own("d");
        let head = "<14>Nov 22 10:46:00 d: ".len();
        let line = "aé\u{1F600}\0ü".repeat(50);
        for most in head + 4..head + 30 {
            let mut rest = line.as_bytes();
            let mut all = String::new();
            while !rest.is_empty() {
                let (message, taken) = text(&local(), &voice, "", rest, most);
                assert!(message.len() <= most && taken > 0, "{} of {most}", message.len());
                all.push_str(std::str::from_utf8(&message[head..]).expect("whole characters"));
                rest = &rest[taken..];
            }
            assert_eq!(all, line.replace('\0', "#000"));
        }
    }

    #[test]
    fn what_is_no_text_is_cut_where_it_must_be() {
        let (_, taken) = text(&local(), &Voice::own("d"), "", &[0x80; 100], 23 + 10);
        assert_eq!(taken, 10);
        // However long the names are, every message takes something along.
        assert_eq!(text(&local(), &Voice::own("d"), "", b"abcdef", 1).1, 4);
    }
}
