//! The few habits of Python that leak into formats and messages: what counts as
//! blank, how a string is quoted in a message, how a number is read, what a
//! decoding error is called. Text in, text or number out; nothing about
//! configuration is known here.

/// What `str.strip` and `\s` call blank: Unicode's blanks and the four ASCII separators.
pub(crate) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\x1c'..='\x1f').contains(&letter)
}

pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `repr(text)`.
pub fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if letter == quote => {
                shown.push('\\');
                shown.push(letter);
            }
            _ if printable(letter) => shown.push(letter),
            _ => shown.push_str(&escaped(letter)),
        }
    }
    shown.push(quote);
    shown
}

fn escaped(letter: char) -> String {
    match u32::from(letter) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Controls, blanks other than the space, and the invisible format characters are escaped.
fn printable(letter: char) -> bool {
    !(letter.is_control()
        || (is_space(letter) && letter != ' ')
        || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff9}'..='\u{fffb}'))
}

/// `int(text)`; a number beyond 64 bits becomes the nearest one within.
pub fn integer(text: &str) -> Result<i64, String> {
    number(text, 10).ok_or_else(|| format!("invalid literal for int() with base 10: {}", repr(text)))
}

/// `int(text, base)` for the bases 8 and 10.
pub(crate) fn number(text: &str, base: u32) -> Option<i64> {
    let text = strip(text);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = match digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) {
        // One underscore may stand between the prefix and the first digit.
        Some(rest) if base == 8 => rest.strip_prefix('_').unwrap_or(rest),
        _ => digits,
    };
    let mut value: i64 = 0;
    let mut after_digit = false;
    for letter in digits.chars() {
        if letter == '_' && after_digit {
            after_digit = false;
            continue;
        }
        let digit = i64::from(letter.to_digit(base)?);
        value = value.saturating_mul(i64::from(base)).saturating_add(digit);
        after_digit = true;
    }
    after_digit.then_some(if negative { -value } else { value })
}

/// Bytes as text, or what Python says when it cannot.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| {
        let start = error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - start);
        let reason = match (error.error_len(), bytes[start]) {
            (None, _) => "unexpected end of data",
            (Some(_), 0xc2..=0xf4) => "invalid continuation byte",
            (Some(_), _) => "invalid start byte",
        };
        let at = position_in_block(bytes, start);
        if length == 1 {
            let byte = bytes[start];
            format!("'utf-8' codec can't decode byte 0x{byte:02x} in position {at}: {reason}")
        } else {
            let last = at + length - 1;
            format!("'utf-8' codec can't decode bytes in position {at}-{last}: {reason}")
        }
    })
}

/// Python reads in blocks of 8 KiB and counts from the beginning of the block,
/// or of the character that a block's end cut in two.
fn position_in_block(bytes: &[u8], start: usize) -> usize {
    const BLOCK: usize = 8192;
    let mut origin = 0;
    let mut end = BLOCK;
    while end < bytes.len() {
        let whole = match std::str::from_utf8(&bytes[origin..end]) {
            Ok(_) => end,
            Err(error) if error.error_len().is_none() => origin + error.valid_up_to(),
            Err(_) => break,
        };
        if start < whole {
            break;
        }
        origin = whole;
        end += BLOCK;
    }
    start - origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_python_quotes_them() {
        for (text, expected) in [
            ("plain", "'plain'"),
            ("it's", "\"it's\""),
            ("it's \"so\"", "'it\\'s \"so\"'"),
            ("a\\b\tc\nd\re", "'a\\\\b\\tc\\nd\\re'"),
            ("\x00\x1f\x7f\u{a0}é", "'\\x00\\x1f\\x7f\\xa0é'"),
            ("\u{feff}x", "'\\ufeffx'"),
        ] {
            assert_eq!(repr(text), expected);
        }
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        for (text, expected) in [
            (" 12 ", Some(12)),
            ("+1_000", Some(1000)),
            ("-0", Some(0)),
            ("007", Some(7)),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("", None),
            ("- 1", None),
            ("1.5", None),
            ("0x10", None),
            ("0o17", None),
            ("99999999999999999999", Some(i64::MAX)),
        ] {
            assert_eq!(number(text, 10), expected, "{text:?}");
        }
        for (text, expected) in
            [("022", Some(18)), ("0o22", Some(18)), ("0O_22", Some(18)), ("9", None), ("0o", None)]
        {
            assert_eq!(number(text, 8), expected, "{text:?}");
        }
    }

    #[test]
    fn undecodable_bytes_are_named() {
        for (bytes, expected) in [
            (&b"ab\xffc"[..], "byte 0xff in position 2: invalid start byte"),
            (&b"a\xc3("[..], "byte 0xc3 in position 1: invalid continuation byte"),
            (&b"a\xe2\x82("[..], "bytes in position 1-2: invalid continuation byte"),
            (&b"a\xe2\x82"[..], "bytes in position 1-2: unexpected end of data"),
        ] {
            let told = decode(bytes).unwrap_err();
            assert_eq!(told, format!("'utf-8' codec can't decode {expected}"));
        }
        let mut long = vec![b'a'; 8195];
        long.push(0xff);
        assert!(decode(&long).unwrap_err().contains("in position 3:"));
    }
}
