//! `*_syslog_address`, `*_syslog_facility`, `*_syslog_severity` and `*_syslog_tag`: text in, the parts of a
//! [`SyslogTo`] out. Nothing is looked up: a host is a name until somebody talks to it.

use crate::python::{repr, strip};
use crate::values::port;
use crate::{SyslogAddress, SyslogTo};

const USUAL_PORT: u16 = 514;

/// What a name of a sender may be long in every form of syslog message (RFC 5424).
const LONGEST_TAG: usize = 48;

/// `local`, `@udp:HOST[:PORT]` or `@tcp:HOST[:PORT]`.
pub(crate) fn address(text: &str) -> Result<SyslogAddress, String> {
    let text = strip(text);
    if text.eq_ignore_ascii_case("local") {
        return Ok(SyslogAddress::Local);
    }
    let (kind, rest) =
        text.strip_prefix('@').and_then(|rest| rest.split_once(':')).ok_or_else(|| shape(text))?;
    let (host, port) = host_and_port(rest).map_err(|why| format!("{why}: {}", repr(text)))?;
    match kind.to_ascii_lowercase().as_str() {
        "udp" => Ok(SyslogAddress::Udp { host, port }),
        "tcp" => Ok(SyslogAddress::Tcp { host, port }),
        _ => Err(shape(text)),
    }
}

fn shape(text: &str) -> String {
    format!("not local, @udp:HOST:PORT or @tcp:HOST:PORT: {}", repr(text))
}

/// The port may be left out; an IPv6 address stands in brackets, which end here.
fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let (host, digits) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("a bracket is left open")?;
            let digits = match rest {
                "" => None,
                _ => Some(rest.strip_prefix(':').ok_or("only a port may follow the bracket")?),
            };
            host.parse::<std::net::Ipv6Addr>().map_err(|_| "no IPv6 address stands in the brackets")?;
            (host, digits)
        }
        None => match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => {
                return Err("an IPv6 address stands in brackets, as in [::1]:514".to_owned());
            }
            Some((host, digits)) => (host, Some(digits)),
            None => (text, None),
        },
    };
    let fits = |letter: char| !letter.is_whitespace() && !letter.is_control() && !"/@[],".contains(letter);
    if host.is_empty() || !host.chars().all(fits) {
        return Err("there is no host".to_owned());
    }
    Ok((host.to_lowercase(), digits.map_or(Ok(USUAL_PORT), port)?))
}

pub(crate) fn facility(text: &str) -> Result<u8, String> {
    let lower = strip(text).to_lowercase();
    let named = SyslogTo::FACILITIES.iter().find(|(name, _)| *name == lower);
    named.map(|(_, number)| *number).ok_or_else(|| {
        format!("not a syslog facility such as user, daemon or local0 to local7: {}", repr(text))
    })
}

pub(crate) fn severity(text: &str) -> Result<u8, String> {
    let lower = strip(text).to_lowercase();
    let name = match lower.as_str() {
        "panic" => "emerg",
        "error" => "err",
        "warn" => "warning",
        name => name,
    };
    (0..)
        .zip(SyslogTo::SEVERITIES)
        .find_map(|(number, known)| (known == name).then_some(number))
        .ok_or_else(|| format!("not a syslog severity ({}): {}", SyslogTo::SEVERITIES.join(", "), repr(text)))
}

/// A colon, a bracket or a blank would end it for whoever reads the message.
pub(crate) fn tag(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b":[]".contains(&byte);
    if !text.is_empty() && text.len() <= LONGEST_TAG && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "not 1 to {LONGEST_TAG} ASCII letters, digits or signs, without blank, colon and bracket: {}",
        repr(text)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let udp = |host: &str, port| Ok(SyslogAddress::Udp { host: host.to_owned(), port });
        let tcp = |host: &str, port| Ok(SyslogAddress::Tcp { host: host.to_owned(), port });
        for (text, expected) in [
            ("local", Ok(SyslogAddress::Local)),
            ("LOCAL", Ok(SyslogAddress::Local)),
            ("@udp:loghost", udp("loghost", 514)),
            ("@UDP:LogHost:1514", udp("loghost", 1514)),
            ("@tcp:10.0.0.1:6514", tcp("10.0.0.1", 6514)),
            ("@tcp:[::1]", tcp("::1", 514)),
            ("@tcp:[fe80::1]:99", tcp("fe80::1", 99)),
            ("@tcp:::1", Err("an IPv6 address stands in brackets, as in [::1]:514: '@tcp:::1'")),
            ("@tcp:[::1", Err("a bracket is left open: '@tcp:[::1'")),
            ("@tcp:[::1]514", Err("only a port may follow the bracket: '@tcp:[::1]514'")),
            ("@tcp:[web]", Err("no IPv6 address stands in the brackets: '@tcp:[web]'")),
            ("@tcp:", Err("there is no host: '@tcp:'")),
            ("@tcp:a b", Err("there is no host: '@tcp:a b'")),
            ("@tcp:h:0", Err("0 is below lower bound (1): '@tcp:h:0'")),
            ("@tls:h", Err("not local, @udp:HOST:PORT or @tcp:HOST:PORT: '@tls:h'")),
            ("loghost", Err("not local, @udp:HOST:PORT or @tcp:HOST:PORT: 'loghost'")),
        ] {
            assert_eq!(address(text), expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_what_may_be_written() {
        for text in ["local", "@udp:loghost:514", "@tcp:[::1]:99"] {
            assert_eq!(address(text).unwrap().to_string(), text);
        }
        for (name, number) in SyslogTo::FACILITIES {
            assert_eq!(facility(name), Ok(number));
            assert_eq!(SyslogTo { facility: number, ..SyslogTo::default() }.facility_name(), name);
        }
        for name in SyslogTo::SEVERITIES {
            let number = severity(name).unwrap();
            assert_eq!(SyslogTo { severity: number, ..SyslogTo::default() }.severity_name(), name);
        }
    }

    #[test]
    fn names_of_facilities_severities_and_senders() {
        assert_eq!((facility("Local7"), severity("WARN"), severity("emerg")), (Ok(23), Ok(4), Ok(0)));
        assert!(facility("local8").is_err() && severity("6").is_err());
        assert_eq!(tag("web/1.2"), Ok("web/1.2".to_owned()));
        for wrong in ["", "a b", "web:", "a[1]", "ü", "a\nb", &"x".repeat(49)] {
            assert!(tag(wrong).is_err(), "{wrong:?}");
        }
    }
}
