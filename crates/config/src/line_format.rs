//! `*_logfile_format` and `log_prefix`: what is put around each line of a program's output.
//!
//! A pattern is expanded as every value is, except for the names of [`Piece`], which stay in it until a line is
//! written. So `%(asctime)s` is written as in Python's logging, with a single percent sign.

use crate::expand::{Part, Scope, expand_but};
use crate::python::repr;
use crate::{LogFormat, Piece};

/// `log_prefix=name`, which looks as it does in docker-compose: `web_00 | text`.
pub(crate) fn named() -> LogFormat {
    LogFormat::Pattern([Piece::ProcessName, Piece::Literal(" | ".to_owned()), Piece::Message].into())
}

/// `name` or `none`.
pub(crate) fn prefix(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "name" => Ok(true),
        "none" => Ok(false),
        _ => Err(format!("not name or none: {}", repr(text))),
    }
}

/// `text`, `json` or a pattern, which stands at `what`. The scope knows what is known of a process before it runs.
pub(crate) fn format(text: &str, scope: &Scope<'_>, what: &str) -> Result<LogFormat, String> {
    match text.to_lowercase().as_str() {
        "text" => return Ok(LogFormat::Text),
        "json" => return Ok(LogFormat::Json),
        _ if !text.contains('%') => {
            return Err(format!("not text, json, or a pattern with %(message)s: {}", repr(text)));
        }
        _ => {}
    }
    let pieces: Vec<Piece> = expand_but(&Piece::NAMED.map(|(name, _)| name), text, scope, what)?
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => Piece::Literal(text),
            Part::Later(name) => named_piece(name),
        })
        .collect();
    if !pieces.contains(&Piece::Message) {
        return Err(format!("a pattern needs %(message)s, for the line itself: {}", repr(text)));
    }
    if pieces.iter().any(|piece| matches!(piece, Piece::Literal(text) if text.contains(['\n', '\r', '\0']))) {
        return Err(format!("a pattern is for one line, and has no line break in it: {}", repr(text)));
    }
    Ok(LogFormat::Pattern(pieces.into()))
}

fn named_piece(name: &str) -> Piece {
    let named = Piece::NAMED.into_iter().find(|(known, _)| *known == name);
    named.expect("only these names were left for later").1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LogFormat, String> {
        let outer = Scope::default().text("here", "/etc").integer("process_num", 7);
        let scope = Scope::within(&outer)
            .text("process_name", "web_07")
            .text("channel", "stdout")
            .text("program_name", "web");
        format(text, &scope, "program:web.stdout_logfile_format")
    }

    fn pattern(pieces: &[Piece]) -> Result<LogFormat, String> {
        Ok(LogFormat::Pattern(pieces.into()))
    }

    fn text(text: &str) -> Piece {
        Piece::Literal(text.to_owned())
    }

    #[test]
    fn words_and_patterns() {
        assert_eq!(read("Text"), Ok(LogFormat::Text));
        assert_eq!(read("JSON"), Ok(LogFormat::Json));
        assert_eq!(read("%(message)s"), pattern(&[Piece::Message]));
        assert_eq!(
            read("%(asctime)s %(group_name)s:%(process_name)s[%(pid)s] %(message)s 100%%"),
            pattern(&[
                Piece::Asctime,
                text(" "),
                Piece::GroupName,
                text(":"),
                Piece::ProcessName,
                text("["),
                Piece::Pid,
                text("] "),
                Piece::Message,
                text(" 100%"),
            ])
        );
        assert_eq!(
            read("%(hostname)s%(program_name)s%(channel)s%(message)s"),
            pattern(&[Piece::Hostname, text("web"), Piece::Channel, Piece::Message])
        );
    }

    #[test]
    fn what_is_known_already_may_be_padded_and_is_expanded_at_once() {
        assert_eq!(
            read("%(process_name)-8s|%(process_num)02d %(here)s %(message)s"),
            pattern(&[text("web_07  |07 /etc "), Piece::Message])
        );
    }

    #[test]
    fn what_is_shown_is_what_may_be_written() {
        for written in
            ["text", "json", "%(asctime)s 50%% %(pid)s %(message)s", "%(process_name)s | %(message)s"]
        {
            assert_eq!(read(written).unwrap().to_string(), written);
        }
        assert_eq!(read("%(process_name)s | %(message)s"), Ok(named()));
    }

    #[test]
    fn what_is_no_format() {
        let start = |text: &str| format!("Format string '{text}' for 'program:web.stdout_logfile_format'");
        for (text, why) in [
            ("jsn", "not text, json, or a pattern with %(message)s: 'jsn'".to_owned()),
            ("", "not text, json, or a pattern with %(message)s: ''".to_owned()),
            ("%(pid)s:", "a pattern needs %(message)s, for the line itself: '%(pid)s:'".to_owned()),
            (
                "%(message)s\n",
                "a pattern is for one line, and has no line break in it: '%(message)s\\n'".to_owned(),
            ),
            (
                "%(msg)s",
                start("%(msg)s")
                    + " contains names ('msg') which cannot be expanded. Available names: asctime, channel, \
                       group_name, here, hostname, message, pid, process_name, process_num, program_name",
            ),
            (
                "%(message)-5s",
                start("%(message)-5s")
                    + " is badly formatted: message is not known before a line is written, so it is %(message)s",
            ),
            ("%(message)s 5%", start("%(message)s 5%") + " is badly formatted: incomplete format"),
        ] {
            assert_eq!(read(text).unwrap_err(), why, "{text:?}");
        }
        assert_eq!((prefix("Name"), prefix("NONE")), (Ok(true), Ok(false)));
        assert_eq!(prefix("pid").unwrap_err(), "not name or none: 'pid'");
    }
}
