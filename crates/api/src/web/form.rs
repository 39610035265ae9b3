//! What a browser or a script asks of a page: the query and the form, as Supervisor reads them (SPEC 9).
//!
//! A form's field wins over the same in the query, of two in a query the first, of two in a form the last, and an empty one is none.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// The fields of a request.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// From the query of the address and the body of a form, either of which may be empty.
    pub(super) fn new(query: &str, body: &[u8]) -> Form {
        let mut fields = BTreeMap::new();
        for (name, value) in pairs(query.as_bytes()) {
            fields.entry(name).or_insert(value);
        }
        fields.extend(pairs(body));
        Form(fields)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> + '_ {
    let pairs = text.split(|byte| *byte == b'&');
    let pairs = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((decoded(&pair[..at]), decoded(&pair[at + 1..])))
    });
    pairs.filter(|(_, value)| !value.is_empty())
}

fn decoded(text: &[u8]) -> String {
    let spaces: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaces).decode_utf8_lossy().into_owned()
}

/// As a value in a query, or a part of a path.
pub(super) fn encoded(text: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_wins_over_the_query_and_the_first_of_a_query_over_the_second() {
        let form =
            Form::new("action=stop&action=start&processname=a%3Ab&limit=", b"action=restart&x=1+2%20&x=3");
        assert_eq!(form.get("action"), Some("restart"));
        assert_eq!(form.get("processname"), Some("a:b"));
        assert_eq!(form.get("limit"), None);
        assert_eq!(form.get("x"), Some("3"));
        assert_eq!(Form::new("a=1&a=2", b"").get("a"), Some("1"));
    }

    #[test]
    fn nonsense_is_no_field_and_no_harm() {
        let form = Form::new("&&=&a&b=%ff%&%00=1&=x", b"\xff=\xfe");
        assert_eq!(form.get("b"), Some("\u{fffd}%"));
        assert_eq!(form.get("\0"), Some("1"));
        assert_eq!(form.get("a"), None);
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        for text in ["web:web_00", "a b+c&d=e?f#g/h", "é漢\"'<>", "100%", "\u{202e}\r\n"] {
            let query = format!("n={}", encoded(text));
            assert!(
                query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=%-_.~".contains(&byte)),
                "{query}"
            );
            assert_eq!(Form::new(&query, b"").get("n"), Some(text));
        }
    }
}
