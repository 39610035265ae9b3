//! What a certificate says of its owner: a name, and until when.
//!
//! In: a certificate in DER that TLS has accepted. Out: the name of a user, and the last moment of validity. Not here:
//! whether it is to be trusted; that has been decided (`tls.rs`). DER is walked by hand, because all that is wanted are
//! three fields, and what cannot be walked has no name: whoever has none is nobody.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
/// `[0]`, `[3]`: version and extensions of a certificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// Of a `GeneralName`: an e-mail address, a host.
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
/// UTF-8, printable, IA5: the kinds of text that are ASCII or more.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Whom the certificate names: its common name, or where it has none at all, the first host or e-mail address among its
/// alternative names. Several common names are no name.
pub(crate) fn owner(der: &[u8]) -> Option<String> {
    let fields = Fields::of(der)?;
    let mut common = common_names(fields.subject)?;
    let name = match common.len() {
        0 => alternative_name(fields.extensions?)?,
        1 => common.remove(0),
        _ => return None,
    };
    // It will stand in logs, where a line is a line.
    (!name.is_empty() && !name.chars().any(char::is_control)).then_some(name)
}

/// The last moment at which the certificate is good.
pub(crate) fn end(der: &[u8]) -> Option<Timestamp> {
    let mut validity = Der(Fields::of(der)?.validity);
    validity.any()?;
    let (kind, text) = validity.any()?;
    let text = std::str::from_utf8(text).ok()?;
    // Years of two digits are those around 2000 (RFC 5280, 4.1.2.5.1).
    let text = match (kind, text.as_bytes().first()?) {
        (UTC_TIME, b'5'..) => format!("19{text}"),
        (UTC_TIME, _) => format!("20{text}"),
        _ => text.to_owned(),
    };
    let local = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// What is inside of the fields that are looked at.
struct Fields<'a> {
    validity: &'a [u8],
    subject: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// RFC 5280, 4.1.
    fn of(der: &'a [u8]) -> Option<Fields<'a>> {
        let mut signed = Der(Der(der).take(SEQUENCE)?);
        let mut fields = Der(signed.take(SEQUENCE)?);
        if fields.next_is(VERSION) {
            fields.any()?;
        }
        let (_serial, _signature, _issuer) = (fields.any()?, fields.any()?, fields.any()?);
        let (validity, subject) = (fields.take(SEQUENCE)?, fields.take(SEQUENCE)?);
        let mut extensions = None;
        while !fields.0.is_empty() {
            let (tag, inside) = fields.any()?;
            if tag == EXTENSIONS {
                extensions = Some(Der(inside).take(SEQUENCE)?);
            }
        }
        Some(Fields { validity, subject, extensions })
    }
}

fn common_names(subject: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut sets = Der(subject);
    while !sets.0.is_empty() {
        let mut set = Der(sets.take(SET)?);
        while !set.0.is_empty() {
            let mut attribute = Der(set.take(SEQUENCE)?);
            let (id, (tag, text)) = (attribute.take(OBJECT_ID)?, attribute.any()?);
            if id == COMMON_NAME {
                found.push(TEXTS.contains(&tag).then(|| text_of(text)).flatten()?);
            }
        }
    }
    Some(found)
}

fn alternative_name(extensions: &[u8]) -> Option<String> {
    let mut extensions = Der(extensions);
    while !extensions.0.is_empty() {
        let mut extension = Der(extensions.take(SEQUENCE)?);
        if extension.take(OBJECT_ID)? != ALTERNATIVE_NAME {
            continue;
        }
        // Whether it is critical may come first.
        let (mut tag, mut value) = extension.any()?;
        if tag != OCTETS {
            (tag, value) = extension.any()?;
        }
        let mut names = Der((tag == OCTETS).then(|| Der(value).take(SEQUENCE)).flatten()?);
        while !names.0.is_empty() {
            let (tag, name) = names.any()?;
            if tag == DNS || tag == EMAIL {
                return text_of(name);
            }
        }
    }
    None
}

fn text_of(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// What is left of a row of values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// What is in the next value, if it is of this kind.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.any().filter(|(found, _)| *found == tag).map(|(_, inside)| inside)
    }

    /// The kind of the next value, and what is in it.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // More than three bytes of length would be more than any certificate has.
            0x81..=0x83 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (inside, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, SanType, date_time_ymd,
    };

    fn made(names: &[(DnType, &str)], others: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        params.subject_alt_names = others;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2031, 2, 3);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    #[test]
    fn the_common_name_comes_before_all_others() {
        let der = made(&[(DnType::OrganizationName, "x"), (DnType::CommonName, "jö")], vec![dns("h")]);
        assert_eq!(owner(&der).as_deref(), Some("jö"));
    }

    #[test]
    fn without_a_common_name_a_host_or_an_address_is_the_name() {
        let uri = SanType::URI("spiffe://x".try_into().unwrap());
        let mail = SanType::Rfc822Name("jo@example".try_into().unwrap());
        assert_eq!(owner(&made(&[], vec![uri, mail, dns("h")])).as_deref(), Some("jo@example"));
        assert_eq!(owner(&made(&[], vec![dns("h")])).as_deref(), Some("h"));
        assert_eq!(owner(&made(&[], vec![])), None);
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_no_name() {
        for name in ["", "a\nb", "a\u{0}b", "\u{9b}"] {
            assert_eq!(owner(&made(&[(DnType::CommonName, name)], vec![dns("h")])), None, "{name:?}");
        }
        let two = [(DnType::CommonName, "a"), (DnType::CustomDnType(vec![2, 5, 4, 3]), "b")];
        assert_eq!(owner(&made(&two, vec![])), None);
    }

    #[test]
    fn what_is_cut_off_or_bent_has_no_name_and_harms_nobody() {
        let der = made(&[(DnType::CommonName, "jo")], vec![dns("h")]);
        assert!((0..der.len()).all(|at| owner(&der[..at]).is_none()));
        for at in 0..der.len() {
            for byte in [0, 1, 0x7f, 0x80, 0x84, 0xff] {
                let mut bent = der.clone();
                bent[at] = byte;
                let (_, _) = (owner(&bent), end(&bent));
            }
        }
    }

    #[test]
    fn the_end_is_read_in_both_forms() {
        let der = made(&[], vec![]);
        assert_eq!(end(&der).unwrap().to_string(), "2031-02-03T00:00:00Z");
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(2077, 1, 1);
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(end(der.der()).unwrap().to_string(), "2077-01-01T00:00:00Z");
    }
}
