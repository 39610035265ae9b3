//! What holds for whatever a stranger says of itself: the bodies of the fuzz targets `authorization`, `origin` and `certificate`.
//!
//! In: bytes. Out: nothing, or a panic. What must come out is worked out again, byte by byte and without any library. The api's
//! own tests run these on a fixed set of inputs.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::certificate;
use crate::gate::claim::{Claim, Unread, claim};
use crate::origin::{self, Names, Reach, Refusal};

/// A header as it came; and the same bytes as a name and a password that somebody has written correctly.
pub(crate) fn authorization(bytes: &[u8]) {
    assert_eq!(claim(bytes), claimed(bytes), "{:?}", String::from_utf8_lossy(bytes));
    let written = format!("bASIC  {}\t", in_base64(bytes));
    assert_eq!(claim(written.as_bytes()), name_and_password(bytes), "{written:?}");
}

fn claimed(header: &[u8]) -> Result<Claim, Unread> {
    let Some(text) = std::str::from_utf8(header).ok().filter(|text| text.contains(' ')) else {
        return Err(Unread::Nobody);
    };
    let rest = |scheme: &str| {
        let (first, _) = header.split_at_checked(scheme.len())?;
        first.eq_ignore_ascii_case(scheme.as_bytes()).then(|| text[scheme.len()..].trim().as_bytes())
    };
    match (rest("bearer "), rest("basic ")) {
        (Some(token), _) => Ok(Claim::Token(token.to_vec())),
        (_, Some(coded)) => name_and_password(&from_base64(coded).ok_or(Unread::Malformed)?),
        (None, None) => Err(Unread::Nobody),
    }
}

fn name_and_password(text: &[u8]) -> Result<Claim, Unread> {
    let mut halves = text.splitn(2, |byte| *byte == b':').map(<[u8]>::to_vec);
    match (halves.next(), halves.next()) {
        (Some(user), Some(password)) => Ok(Claim::Password { user, password }),
        _ => Err(Unread::Nobody),
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn in_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = (0..3).fold(0, |sum, at| sum << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = char::from(DIGITS[number >> (18 - 6 * at) & 63]);
            text.push(if at <= three.len() { digit } else { '=' });
        }
    }
    text
}

/// Only what is written in the one way that there is.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut number, mut bits) = (0, 0);
    for byte in text.iter().take_while(|byte| **byte != b'=') {
        number = (number << 6 | DIGITS.iter().position(|digit| digit == byte)?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(number >> bits & 0xff).expect("eight bits are a byte"));
        }
    }
    (in_base64(&bytes).as_bytes() == text).then_some(bytes)
}

const OWN: &str = "box";
const ALLOWED: [&str; 2] = ["sup.example.com", "*.lan.test"];
const HEADERS: [&str; 6] = ["host", "origin", "sec-fetch-site", "sec-fetch-dest", "referer", "user-agent"];

/// A header a line, in the order above; those that are empty are not there. The seventh line is what HTTP/2 has instead of a host.
pub(crate) fn origin(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for (name, line) in HEADERS.iter().zip(lines.by_ref()) {
        if let Some(value) = HeaderValue::from_bytes(line).ok().filter(|value| !value.is_empty()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let authority =
        lines.next().and_then(|line| Uri::try_from(line).ok()).filter(|uri| uri.authority().is_some());
    let uri = authority.unwrap_or_default();
    let (own, allowed) = ([OWN.to_owned()], ALLOWED.map(str::to_owned));
    for (own, knows_names) in [(Some(&own[..]), true), (None, false)] {
        let check = |reach| origin::check(&headers, &uri, Names { own, allowed: &allowed }, reach);
        let (page, act) = (check(Reach::Page), check(Reach::OwnPagesOnly));
        assert_eq!(page, judged(&headers, &uri, knows_names, false), "a page: {headers:?} {uri}");
        assert_eq!(act, judged(&headers, &uri, knows_names, true), "an act: {headers:?} {uri}");
        assert!(act.is_err() || page.is_ok(), "whoever may act may look: {headers:?} {uri}");
    }
}

fn judged(headers: &HeaderMap, uri: &Uri, knows_names: bool, acts: bool) -> Result<(), Refusal> {
    let get = |name: &str| {
        let value = headers.get(name)?.as_bytes();
        let is_text = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        Some(if is_text { std::str::from_utf8(value).expect("ASCII is text") } else { "?" })
    };
    let is_script = HEADERS[1..5].iter().all(|name| get(name).is_none());
    if is_script && !get("user-agent").is_some_and(|agent| agent.starts_with("Mozilla/")) {
        return Ok(());
    }
    let host = get("host").or(uri.authority().map(|authority| authority.as_str()));
    if let Some(name) = host.map(without_port).filter(|name| knows_names && !is_known(name, &[OWN])) {
        return Err(Refusal::ForeignHost(name.to_owned()));
    }
    // What a link in another page may do is to open a page.
    if !acts && matches!(get("sec-fetch-dest"), None | Some("document")) {
        return Ok(());
    }
    let from = match (get("sec-fetch-site"), get("origin")) {
        (Some(site), _) if !["same-origin", "none"].contains(&site) => return Err(Refusal::CrossSite),
        (_, Some(origin)) => origin,
        (Some(_), None) => return Ok(()),
        (None, None) => match get("referer") {
            Some(referrer) => referrer,
            None => return Ok(()),
        },
    };
    let Some(at) = from.find("://") else { return Err(Refusal::CrossSite) };
    let from = &from[at + 3..];
    let from = &from[..from.find(['/', '?', '#']).unwrap_or(from.len())];
    let plain = |host: &str| {
        let lower = host.to_lowercase();
        [":80", ":443"].iter().find_map(|port| lower.strip_suffix(port)).unwrap_or(&lower).to_owned()
    };
    let is_same = host.is_some_and(|host| plain(host) == plain(from));
    let is_proxy = is_listed(without_port(from), &ALLOWED);
    if is_same || is_proxy { Ok(()) } else { Err(Refusal::CrossSite) }
}

fn without_port(host: &str) -> &str {
    match (host.starts_with('['), host.find(']')) {
        (true, Some(end)) => &host[1..end],
        _ => &host[..host.rfind(':').unwrap_or(host.len())],
    }
}

/// A name that no foreign name server can give to us.
fn is_known(name: &str, own: &[&str]) -> bool {
    let is_address = name.parse::<Ipv4Addr>().is_ok() || name.parse::<Ipv6Addr>().is_ok();
    let lower = name.to_lowercase();
    let is_here = lower.trim_end_matches('.').rsplit('.').next() == Some("localhost");
    is_address || is_here || is_listed(name, own) || is_listed(name, &ALLOWED)
}

/// From the end, label by label. An asterisk stands for whatever is left, which is something.
fn is_listed(name: &str, list: &[&str]) -> bool {
    let name = name.to_lowercase();
    list.iter().any(|listed| {
        let mut rest = Some(name.trim_end_matches('.'));
        for label in listed.rsplit('.') {
            let Some(name) = rest else { return false };
            if label == "*" {
                return !name.is_empty();
            }
            let (before, last) =
                name.rsplit_once('.').map_or((None, name), |(before, last)| (Some(before), last));
            if last != label {
                return false;
            }
            rest = before;
        }
        rest.is_none()
    })
}

/// The bytes as a whole certificate; as what may stand in one; and as the name in one that is correct.
pub(crate) fn certificate(bytes: &[u8]) {
    for der in [bytes.to_vec(), signed(bytes, b""), signed(b"", bytes)] {
        let name = certificate::owner(&der);
        let _ = certificate::end(&der);
        if let Some(name) = &name {
            assert!(is_name(name.as_bytes()), "{name:?}");
            assert!(der.windows(name.len()).any(|part| part == name.as_bytes()), "{name:?} was not there");
            let longer = certificate::owner(&[&der, bytes].concat());
            assert_eq!(longer.as_ref(), Some(name), "what comes behind it says nothing");
        }
    }
    let expected = is_name(bytes).then(|| String::from_utf8_lossy(bytes).into_owned());
    let is_other_host = |der: &[u8]| certificate::owner(der).is_some_and(|name| Some(name) != expected);
    for kind in [0x0c, 0x13, 0x16] {
        let named = signed(&common_name(kind, bytes), &host(b"other"));
        assert_eq!(certificate::owner(&named), expected, "a common name, and no other counts");
    }
    assert_eq!(certificate::owner(&signed(b"", &host(bytes))), expected, "the name of a host");
    assert!(
        !is_other_host(&signed(&common_name(0x1e, bytes), &host(b"other"))),
        "a kind of text that is not read"
    );
    let twice = [common_name(0x0c, bytes), common_name(0x0c, b"jo")].concat();
    assert_eq!(certificate::owner(&signed(&twice, &host(b"other"))), None, "two names are none");
}

/// What may stand in a log, on one line.
fn is_name(bytes: &[u8]) -> bool {
    let is_control = |pair: &[u8]| pair[0] == 0xc2 && pair[1] < 0xa0;
    let is_text = std::str::from_utf8(bytes).is_ok();
    is_text
        && !bytes.is_empty()
        && !bytes.iter().any(|b| *b < b' ' || *b == 0x7f)
        && !bytes.windows(2).any(is_control)
}

/// A certificate with this subject and, if there are any, these extensions.
pub(crate) fn signed(subject: &[u8], extensions: &[u8]) -> Vec<u8> {
    let validity = [der(0x17, b"260101000000Z"), der(0x18, b"20770101000000Z")].concat();
    let number = der(0x02, b"\x01");
    let mut fields = [der(0xa0, &der(0x02, b"\x02")), number, der(0x30, b""), der(0x30, b"")].concat();
    fields.extend([der(0x30, &validity), der(0x30, subject), der(0x30, b"")].concat());
    if !extensions.is_empty() {
        fields.extend(der(0xa3, &der(0x30, extensions)));
    }
    der(0x30, &der(0x30, &fields))
}

pub(crate) fn common_name(kind: u8, name: &[u8]) -> Vec<u8> {
    der(0x31, &der(0x30, &[der(0x06, b"\x55\x04\x03"), der(kind, name)].concat()))
}

/// An extension with a host among alternative names, behind an address that is none.
pub(crate) fn host(name: &[u8]) -> Vec<u8> {
    let names = [der(0x86, b"spiffe://x"), der(0x82, name)].concat();
    der(0x30, &[der(0x06, b"\x55\x1d\x11"), der(0x04, &der(0x30, &names))].concat())
}

fn der(kind: u8, inside: &[u8]) -> Vec<u8> {
    let length = u32::try_from(inside.len()).expect("inputs are short").to_be_bytes();
    let head = match inside.len() {
        0..0x80 => vec![kind, length[3]],
        0x80..0x1_0000 => vec![kind, 0x82, length[2], length[3]],
        _ => vec![kind, 0x83, length[1], length[2], length[3]],
    };
    [head.as_slice(), inside].concat()
}
