//! What holds for anything that somebody asks the web page or for a log: the bodies of the fuzz targets `form` and `log_address`.
//!
//! In: bytes. Out: nothing, or a panic. What must come out is worked out again byte by byte, without any library. The api's own
//! tests run these on a fixed set of inputs.

use std::collections::BTreeMap;

use crate::log_address::{self, Output, Wanted};
use crate::web::form::{Form, encoded};

/// A query and, behind the first NUL, the body of a form.
pub(crate) fn form(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let query = String::from_utf8_lossy(&bytes[..at]);
    let body = bytes.get(at + 1..).unwrap_or_default();

    let mut expected = BTreeMap::new();
    // Of a query the first counts, so the first is put in last.
    expected.extend(pairs(query.as_bytes()).into_iter().rev());
    expected.extend(pairs(body));
    let form = Form::new(&query, body);
    for (name, value) in &expected {
        assert_eq!(form.get(name), Some(value.as_str()), "{name:?}");
    }
    assert_eq!(form.get("a name that nobody gives"), None);

    let pair = |(name, value): (&String, &String)| format!("{}={}", encoded(name), encoded(value));
    let written = expected.iter().map(pair).collect::<Vec<_>>().join("&");
    assert!(written.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>#?;".contains(&byte)), "{written}");
    let again = [Form::new(&written, b""), Form::new("", written.as_bytes())];
    for (name, value) in &expected {
        assert!(again.iter().all(|form| form.get(name) == Some(value)), "{name:?} of {written}");
    }
}

/// A path and, behind the first question mark, a query.
pub(crate) fn log_address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (path, query) = text.split_once('?').map_or((&*text, None), |(path, query)| (path, Some(query)));
    if let Some(from) = log_address::from(query) {
        let digits = query.and_then(|query| query.strip_prefix("from=")).unwrap_or_default();
        assert_eq!(
            digits.trim_start_matches('+').trim_start_matches('0'),
            from.to_string().trim_start_matches('0')
        );
    }
    let wanted = log_address::wanted(path);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match &wanted {
        Some(Wanted::Main) => assert!(path.starts_with("/mainlogtail")),
        Some(Wanted::Process { name, output }) => {
            assert_eq!(parts[0], "logtail");
            assert_eq!(name.as_bytes(), decoded(parts[1].as_bytes()));
            let output = match output {
                Output::Stdout => "stdout",
                Output::Stderr => "stderr",
            };
            assert_eq!(parts.get(2).copied().unwrap_or("stdout"), output);
            assert_eq!(log_address::wanted(&format!("/logtail/{}/{output}", encoded(name))), wanted);
        }
        None => {
            let is_text = |part: &&str| String::from_utf8(decoded(part.as_bytes())).is_ok();
            let is_named = path.starts_with("/logtail/") && parts.get(1).is_some_and(is_text);
            assert!(!is_named || !matches!(parts.get(2), None | Some(&"stdout" | &"stderr")), "{path:?}");
        }
    }
    assert!(wanted.is_none() || log_address::is_one(path));
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for pair in text.split(|byte| *byte == b'&') {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (Some(name), Some(value)) = (halves.next(), halves.next()) else { continue };
        if !value.is_empty() {
            pairs.push((in_form(name), in_form(value)));
        }
    }
    pairs
}

fn in_form(text: &[u8]) -> String {
    let plain: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8_lossy(&decoded(&plain)).into_owned()
}

/// A percent sign that two digits follow is a byte, any other one is itself.
fn decoded(mut text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut bytes = Vec::new();
    while let [first, rest @ ..] = text {
        let coded = match rest {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        bytes.push(coded.map_or(*first, |(high, low)| 16 * high + low));
        text = if coded.is_some() { &rest[2..] } else { rest };
    }
    bytes
}
