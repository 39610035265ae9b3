//! Bytes to text, before anything in them is XML.
//!
//! 4.3.0 takes every body for UTF-8, whatever its declaration says, and so do we first: clients declare latin-1 and send
//! ASCII. What is no UTF-8 it leaves without an answer; we read UTF-16 by its mark or its zeros, and latin-1 where it is
//! declared, which is what every XML reader knows. Other encodings are refused.

use std::borrow::Cow;

pub(super) fn decode(body: &[u8]) -> Result<Cow<'_, str>, String> {
    let error = match std::str::from_utf8(body) {
        // Without its mark UTF-16 of plain letters is UTF-8 too, every other character a zero.
        Ok(text) if !text.starts_with("<\0") && !text.starts_with("\0<") => return Ok(Cow::Borrowed(text)),
        Ok(_) => "a zero where the encoding is not declared".to_owned(),
        Err(error) => format!("not UTF-8: {error}"),
    };
    let wide = |body: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, rest) = body.as_chunks::<2>();
        let text = String::from_utf16(&units.iter().map(|pair| unit(*pair)).collect::<Vec<_>>());
        text.ok().filter(|_| rest.is_empty()).map(Cow::Owned).ok_or_else(|| "not UTF-16".to_owned())
    };
    match body {
        [0xff, 0xfe, body @ ..] | body @ [b'<', 0, ..] => wide(body, u16::from_le_bytes),
        [0xfe, 0xff, body @ ..] | body @ [0, b'<', ..] => wide(body, u16::from_be_bytes),
        _ if declares_latin_1(body) => Ok(body.iter().map(|byte| char::from(*byte)).collect()),
        _ => Err(error),
    }
}

/// Whether the declaration says so, in one of the names that it goes by.
fn declares_latin_1(body: &[u8]) -> bool {
    let Some(end) = body.windows(2).take(200).position(|pair| pair == b"?>") else { return false };
    let Ok(declaration) = std::str::from_utf8(&body[..end]) else { return false };
    let declaration = declaration.to_ascii_lowercase();
    let Some((_, value)) = declaration.split_once("encoding") else { return false };
    let value = value.trim_start().strip_prefix('=').unwrap_or_default().trim_start();
    let name = value.get(1..).and_then(|rest| rest.split(['"', '\'']).next()).unwrap_or_default();
    declaration.starts_with("<?xml") && ["iso-8859-1", "latin-1", "latin1", "l1"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn utf_8_counts_before_any_declaration() {
        let text = "<?xml version='1.0' encoding='iso-8859-1'?><a>\u{e9}</a>";
        assert_eq!(decode(text.as_bytes()).unwrap(), text);
    }

    #[test]
    fn what_is_none_is_read_as_declared_or_marked() {
        let text = "<?xml version=\"1.0\" encoding = \"ISO-8859-1\"?><a>\u{e9}</a>";
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        assert_eq!(decode(&latin).unwrap(), text);
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            let marked = utf_16(&format!("\u{feff}{text}\u{1f600}"), unit);
            assert_eq!(decode(&marked).unwrap(), format!("{text}\u{1f600}"));
            assert_eq!(decode(&utf_16("<a>b</a>", unit)).unwrap(), "<a>b</a>");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for bytes in [
            &b"<a>\xe9</a>"[..],
            b"<?xml version='1.0' encoding='koi8-r'?><a>\xe9</a>",
            b"<?xml version='1.0'?><a b='encoding=\"latin1\"'>\xe9</a>",
            b"\xff\xfe<\0a",
            b"\xff\xfe\x00\xd8<\0",
            b"\xed\xa0\x80",
            b"\xff",
        ] {
            assert!(decode(bytes).is_err(), "{bytes:?} was decoded");
        }
    }
}
