//! Where Python's own notation shows through in texts that people know.

/// `repr()` of a string: single quotes, unless only double ones avoid escaping.
pub(crate) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            char if char == quote => out.extend(['\\', char]),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{ad}' => {
                out.push_str(&format!("\\x{:02x}", u32::from(char)))
            }
            char => out.push(char),
        }
    }
    out.push(quote);
    out
}

/// `int()` of a string, as far as a person would type it.
pub(crate) fn int(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_python_does() {
        for (text, expected) in [
            ("foo", "'foo'"),
            ("it's", "\"it's\""),
            ("both ' and \"", "'both \\' and \"'"),
            ("a\\b\n\u{1b}é", "'a\\\\b\\n\\x1bé'"),
            ("", "''"),
        ] {
            assert_eq!(repr(text), expected);
        }
    }
}
