//! One function per kind of value (SPEC 2.4): text in, a typed value out, or the
//! reason in Supervisor's words. Expansion of `%(name)s` has happened before;
//! which option has which kind stands in the table in `options`.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use crate::python::{integer, number, repr, strip};
use crate::{AutoRestart, Files, LogLevel, User, paths};

pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    truth(&text.to_lowercase()).ok_or_else(|| format!("not a valid boolean value: {}", repr(text)))
}

fn truth(lower: &str) -> Option<bool> {
    match lower {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

pub(crate) fn auto_restart(text: &str) -> Result<AutoRestart, String> {
    let lower = text.to_lowercase();
    match truth(&lower) {
        Some(true) => Ok(AutoRestart::Always),
        Some(false) => Ok(AutoRestart::Never),
        None if lower == "unexpected" => Ok(AutoRestart::Unexpected),
        None => Err(format!("invalid 'autorestart' value {}", repr(&lower))),
    }
}

/// Bytes. A negative size has always meant "no limit", as 0 does.
pub(crate) fn byte_size(text: &str) -> Result<u64, String> {
    let lower = text.to_lowercase();
    let (digits, unit) = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)]
        .into_iter()
        .find_map(|(suffix, unit)| Some((lower.strip_suffix(suffix)?, unit)))
        .unwrap_or((&lower, 1));
    Ok(integer(digits)?.max(0).unsigned_abs().saturating_mul(unit))
}

pub(crate) fn octal(text: &str) -> Result<u32, String> {
    number(text, 8)
        .and_then(|value| u32::try_from(value).ok())
        .ok_or_else(|| format!("{text} can not be converted to an octal type"))
}

pub(crate) fn exit_codes(text: &str) -> Result<Vec<u8>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',')
        .map(|code| number(code, 10).and_then(|code| u8::try_from(code).ok()))
        .collect::<Option<_>>()
        .ok_or_else(|| format!("not a valid list of exit codes: {}", repr(text)))
}

/// Comma-separated; an empty item stays, so that a name missing by mistake is noticed.
pub(crate) fn strings(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| strip(item).to_owned()).collect()
}

pub(crate) fn log_level(text: &str) -> Result<LogLevel, String> {
    Ok(match text.to_lowercase().as_str() {
        "critical" => LogLevel::Critical,
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        "blather" => LogLevel::Blather,
        _ => return Err(format!("bad logging level name {}", repr(text))),
    })
}

/// A program, process or group name: characters that would break event headers and URLs are refused.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let name = strip(text);
    match [' ', ':', '/'].into_iter().find(|&letter| name.contains(letter)) {
        Some(letter) => Err(format!("Invalid name: {} because of character: '{letter}'", repr(text))),
        None => Ok(name.to_owned()),
    }
}

pub(crate) fn port(text: &str) -> Result<u16, String> {
    match integer(text)? {
        port @ ..=0 => Err(format!("{port} is below lower bound (1)")),
        port => u16::try_from(port).map_err(|_| format!("{port} is above upper bound (65535)")),
    }
}

/// `PORT`, `:PORT`, `*:PORT`, `HOST:PORT` or `[IPV6]:PORT`, with its brackets; every interface is the empty host.
pub(crate) fn inet_address(text: &str) -> Result<(String, u16), String> {
    let Some((host, digits)) = text.rsplit_once(':') else {
        // The blank at the end is Supervisor's.
        let port = port(text).map_err(|_| format!("not a valid port number: {} ", repr(text)))?;
        return Ok((String::new(), port));
    };
    if digits.is_empty() {
        return Err("no port number specified in ''".to_owned());
    }
    let port = port(digits)?;
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        address.ok_or_else(|| format!("{} is no IPv6 address", repr(host)))?;
    }
    let host = if host == "*" { String::new() } else { host.to_lowercase() };
    Ok((host, port))
}

/// A login name, or the number of an account that exists. With `:GROUP`, which 4.3.0 does not know, the group is that
/// one, and two numbers need no account.
pub(crate) fn user(text: &str, files: &dyn Files) -> Result<User, String> {
    let (login, gid) = match text.split_once(':') {
        Some((login, name)) => (login, Some(group_id(name, files)?)),
        None => (text, None),
    };
    let found = match number(login, 10) {
        Some(uid) => u32::try_from(uid)
            .ok()
            .filter(|uid| *uid != User::UNKNOWN)
            .and_then(|uid| files.user_by_id(uid).or_else(|| without_account(uid, gid)))
            .ok_or_else(|| format!("Invalid user id {login}")),
        None => files.user(login).ok_or_else(|| format!("Invalid user name {login}")),
    }?;
    Ok(User { name: text.to_owned(), gid: gid.unwrap_or(found.gid), ..found })
}

fn without_account(uid: u32, gid: Option<u32>) -> Option<User> {
    Some(User { name: String::new(), uid, gid: gid? })
}

/// A group's name, or any number.
fn group_id(text: &str, files: &dyn Files) -> Result<u32, String> {
    match number(text, 10) {
        Some(gid) => u32::try_from(gid)
            .ok()
            .filter(|gid| *gid != User::UNKNOWN)
            .ok_or_else(|| format!("Invalid group id {text}")),
        None => files.group(text).ok_or_else(|| format!("Invalid group name {text}")),
    }
}

fn group(text: &str, files: &dyn Files) -> Option<u32> {
    match number(text, 10) {
        Some(gid) => u32::try_from(gid).ok().filter(|&gid| files.group_exists(gid)),
        None => files.group(text),
    }
}

/// `user` or `user:group`. The caller words the refusal, as each option has its own.
pub(crate) fn user_group(text: &str, files: &dyn Files) -> Option<(Option<u32>, Option<u32>)> {
    let (owner, group_name) = match text.split_once(':') {
        Some((owner, group_name)) => (owner, Some(group_name)),
        None => (text, None),
    };
    let uid = user(owner, files).ok()?.uid;
    let gid = match group_name {
        Some(name) => Some(group(name, files)?),
        None => None,
    };
    Some((Some(uid), gid))
}

/// `user`, `user:group` or `:group` of files; a number needs no account.
pub(crate) fn log_owner(text: &str, files: &dyn Files) -> Result<(Option<u32>, Option<u32>), String> {
    let (login, group_name) = match text.split_once(':') {
        Some((login, group_name)) => (login, Some(group_name)),
        None => (text, None),
    };
    let uid = match number(login, 10) {
        _ if login.is_empty() && group_name.is_some() => None,
        Some(uid) => {
            let fits = u32::try_from(uid).ok().filter(|uid| *uid != User::UNKNOWN);
            Some(fits.ok_or_else(|| format!("Invalid user id {login}"))?)
        }
        None => Some(files.user(login).ok_or_else(|| format!("Invalid user name {login}"))?.uid),
    };
    Ok((uid, group_name.map(|name| group_id(name, files)).transpose()?))
}

/// A directory that exists; `~` is expanded.
pub(crate) fn existing_directory(text: &str, files: &dyn Files) -> Result<PathBuf, String> {
    let path = PathBuf::from(paths::expand_home(text, files));
    if files.is_dir(&path) { Ok(path) } else { Err(format!("{text} is not an existing directory")) }
}

/// A file whose directory exists; `~` is expanded.
pub(crate) fn path_in_directory(text: &str, files: &dyn Files) -> Result<PathBuf, String> {
    let path = paths::expand_home(text, files);
    let dir = paths::dirname(&path);
    if dir.is_empty() || files.is_dir(Path::new(dir)) {
        return Ok(PathBuf::from(path));
    }
    Err(format!("The directory named as part of the path {text} does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn truths_and_levels() {
        assert_eq!(boolean("YES"), Ok(true));
        assert_eq!(boolean("0"), Ok(false));
        assert_eq!(boolean("Maybe").unwrap_err(), "not a valid boolean value: 'Maybe'");
        assert_eq!(auto_restart("Unexpected"), Ok(AutoRestart::Unexpected));
        assert_eq!(auto_restart("on"), Ok(AutoRestart::Always));
        assert_eq!(auto_restart("FOO").unwrap_err(), "invalid 'autorestart' value 'foo'");
        assert_eq!(log_level("WARN"), Ok(LogLevel::Warn));
        assert_eq!(log_level("warning").unwrap_err(), "bad logging level name 'warning'");
    }

    #[test]
    fn sizes_and_numbers() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("50MB", Ok(50 << 20)),
            ("2 kb", Ok(2048)),
            ("-1", Ok(0)),
            ("1_0GB", Ok(10 << 30)),
            ("1TB", Err("invalid literal for int() with base 10: '1tb'".to_owned())),
            ("1.5MB", Err("invalid literal for int() with base 10: '1.5'".to_owned())),
        ] {
            assert_eq!(byte_size(text), expected, "{text}");
        }
        assert_eq!(octal("0o22"), Ok(18));
        assert_eq!(octal("9").unwrap_err(), "9 can not be converted to an octal type");
        assert_eq!(exit_codes("0, 2"), Ok(vec![0, 2]));
        assert_eq!(exit_codes(""), Ok(vec![]));
        assert_eq!(exit_codes("300").unwrap_err(), "not a valid list of exit codes: '300'");
        assert_eq!(exit_codes("1,").unwrap_err(), "not a valid list of exit codes: '1,'");
    }

    #[test]
    fn names_and_addresses() {
        assert_eq!(name(" a "), Ok("a".to_owned()));
        assert_eq!(name("a b").unwrap_err(), "Invalid name: 'a b' because of character: ' '");
        assert_eq!(strings("a, b,"), ["a", "b", ""]);
        let address = |host: &str, port| Ok((host.to_owned(), port));
        for (text, expected) in [
            ("9001", address("", 9001)),
            (":9001", address("", 9001)),
            ("*:9001", address("", 9001)),
            ("LocalHost:9001", address("localhost", 9001)),
            ("[::1]:9001", address("[::1]", 9001)),
            ("[::]:9001", address("[::]", 9001)),
            ("[::g]:9001", Err("'[::g]' is no IPv6 address".to_owned())),
            ("[::1:9001", Err("'[::1' is no IPv6 address".to_owned())),
            ("foo", Err("not a valid port number: 'foo' ".to_owned())),
            ("0", Err("not a valid port number: '0' ".to_owned())),
            ("h:70000", Err("70000 is above upper bound (65535)".to_owned())),
            ("h:0", Err("0 is below lower bound (1)".to_owned())),
            ("h:x", Err("invalid literal for int() with base 10: 'x'".to_owned())),
            ("h:", Err("no port number specified in ''".to_owned())),
        ] {
            assert_eq!(inet_address(text), expected, "{text}");
        }
    }

    #[test]
    fn accounts() {
        let files = MemoryFiles::default();
        assert_eq!(user("web", &files).unwrap().uid, 33);
        for (text, ids) in [("web:10", (33, 10)), ("33:adm", (33, 4)), ("4711:4712", (4711, 4712))] {
            let user = user(text, &files).unwrap();
            assert_eq!((&*user.name, (user.uid, user.gid)), (text, ids));
        }
        for (text, why) in [
            ("4711", "Invalid user id 4711"),
            ("nosuch:10", "Invalid user name nosuch"),
            ("web:nosuch", "Invalid group name nosuch"),
            ("web:", "Invalid group name "),
            ("4294967295:1", "Invalid user id 4294967295"),
        ] {
            assert_eq!(user(text, &files), Err(why.to_owned()));
        }
        assert_eq!(user("33", &files).unwrap().name, "33");
        assert_eq!(user("nobody", &files).unwrap_err(), "Invalid user name nobody");
        assert_eq!(user("99", &files).unwrap_err(), "Invalid user id 99");
        assert_eq!(user_group("web", &files), Some((Some(33), None)));
        assert_eq!(user_group("web:adm", &files), Some((Some(33), Some(4))));
        assert_eq!(user_group("web:", &files), None);
        for (text, ids) in [
            ("web", Ok((Some(33), None))),
            ("web:adm", Ok((Some(33), Some(4)))),
            (":adm", Ok((None, Some(4)))),
            ("4711:4712", Ok((Some(4711), Some(4712)))),
            ("", Err("Invalid user name ")),
            (":", Err("Invalid group name ")),
            ("nosuch", Err("Invalid user name nosuch")),
            ("4294967295", Err("Invalid user id 4294967295")),
        ] {
            assert_eq!(log_owner(text, &files), ids.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn paths_that_must_exist() {
        let files = MemoryFiles::default();
        assert_eq!(existing_directory("~", &files), Ok(PathBuf::from("/home/me")));
        assert_eq!(existing_directory("~/no", &files).unwrap_err(), "~/no is not an existing directory");
        assert_eq!(path_in_directory("x.log", &files), Ok(PathBuf::from("x.log")));
        assert_eq!(
            path_in_directory("/no/x.log", &files).unwrap_err(),
            "The directory named as part of the path /no/x.log does not exist"
        );
    }
}
