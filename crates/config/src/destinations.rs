//! What `stdout_logfile` and `stderr_logfile` say: a file, AUTO or NONE as ever, or several destinations between
//! commas, which may be `syslog`, an address of one, and `journald` too.
//!
//! A comma is an ordinary letter in a file's name, so it divides only where something follows that begins as a
//! destination does. In: the expanded text. Out: [`Destinations`], sorted into what [`Channel`](crate::Channel) has a
//! place for. That a directory is there is asked through the `Files` seam, unless it is going to be made.

use std::path::{Path, PathBuf};

use crate::python::{repr, strip};
use crate::{Files, LogFile, SyslogAddress, paths, syslog, values};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destinations {
    /// What `tail` shows.
    pub(crate) logfile: LogFile,
    /// Further files.
    pub(crate) more: Vec<PathBuf>,
    pub(crate) syslog: bool,
    /// Where syslog is, if that was said.
    pub(crate) address: Option<SyslogAddress>,
    pub(crate) journald: bool,
    /// The whole value is `syslog`, which Supervisor calls deprecated.
    pub(crate) is_only_syslog: bool,
    /// A file's name with a comma in it, which may not be what was meant.
    pub(crate) comma: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
enum Destination {
    None,
    Auto,
    File(PathBuf),
    Syslog(Option<SyslogAddress>),
    Journald,
}

/// Far beyond any use.
const MOST: usize = 16;

pub(crate) fn destinations(text: &str, mkdir: bool, files: &dyn Files) -> Result<Destinations, String> {
    let parts = divided(text);
    if parts.len() > MOST {
        return Err(format!("{} destinations are more than {MOST}", parts.len()));
    }
    let mut told = Destinations {
        logfile: LogFile::None,
        more: Vec::new(),
        syslog: false,
        address: None,
        journald: false,
        is_only_syslog: text.eq_ignore_ascii_case("syslog"),
        comma: None,
    };
    for part in &parts {
        match destination(part, mkdir, files)? {
            Destination::None if parts.len() > 1 => {
                return Err(format!("NONE goes with no other destination: {}", repr(text)));
            }
            Destination::None => {}
            Destination::Auto if told.logfile == LogFile::Auto => return Err(twice(part, text)),
            Destination::Auto => told.logfile = LogFile::Auto,
            Destination::File(path) if told.more.contains(&path) => return Err(twice(part, text)),
            Destination::File(path) => told.more.push(path),
            Destination::Syslog(_) if told.syslog => {
                return Err(format!("syslog is in one place only: {}", repr(text)));
            }
            Destination::Syslog(address) => (told.syslog, told.address) = (true, address),
            Destination::Journald if told.journald => return Err(twice(part, text)),
            Destination::Journald => told.journald = true,
        }
    }
    told.comma = told.more.iter().find(|path| path.to_string_lossy().contains(',')).cloned();
    // AUTO has no name yet, so it stands first wherever it was written.
    if told.logfile != LogFile::Auto && !told.more.is_empty() {
        let first = told.more.iter().position(|path| !is_device(path)).unwrap_or(0);
        told.logfile = LogFile::Path(told.more.remove(first));
    }
    // Nearly always empty, and there are many.
    told.more.shrink_to_fit();
    Ok(told)
}

fn twice(part: &str, text: &str) -> String {
    format!("{part} is there twice: {}", repr(text))
}

/// By its name: a terminal or the output of the daemon, of which nothing can be read back.
fn is_device(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

/// At the commas behind which a destination begins.
fn divided(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (comma, _) in text.match_indices(',') {
        if begins_a_destination(strip(&text[comma + 1..])) {
            parts.push(strip(&text[start..comma]));
            start = comma + 1;
        }
    }
    parts.push(if start == 0 { text } else { strip(&text[start..]) });
    parts
}

fn begins_a_destination(text: &str) -> bool {
    let word = strip(text.split(',').next().unwrap_or_default());
    text.starts_with(['/', '~'])
        || ["none", "off", "auto", "syslog", "journald"].iter().any(|known| word.eq_ignore_ascii_case(known))
        || address_in(word).is_some()
}

/// `@tcp:…` or `@udp:…`, also with `syslog` before it.
fn address_in(text: &str) -> Option<&str> {
    let rest = match text.get(..6) {
        Some(word) if word.eq_ignore_ascii_case("syslog") => strip(&text[6..]),
        _ => text,
    };
    let kind = rest.get(..5)?;
    (kind.eq_ignore_ascii_case("@tcp:") || kind.eq_ignore_ascii_case("@udp:")).then_some(rest)
}

fn destination(text: &str, mkdir: bool, files: &dyn Files) -> Result<Destination, String> {
    match text.to_lowercase().as_str() {
        "none" | "off" => return Ok(Destination::None),
        "auto" => return Ok(Destination::Auto),
        "syslog" => return Ok(Destination::Syslog(None)),
        "journald" => return Ok(Destination::Journald),
        _ => {}
    }
    if let Some(address) = address_in(text) {
        return Ok(Destination::Syslog(Some(syslog::address(address)?)));
    }
    let path = if mkdir {
        PathBuf::from(paths::expand_home(text, files))
    } else {
        values::path_in_directory(text, files)?
    };
    // An empty name opens nothing, which has always meant no log.
    let empty = path.as_os_str().is_empty();
    Ok(if empty { Destination::None } else { Destination::File(path) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    /// The names of the destinations, the file that `tail` shows first.
    fn told(text: &str) -> Result<String, String> {
        let told = destinations(text, false, &MemoryFiles::default())?;
        let first = match told.logfile {
            LogFile::Auto => "auto".to_owned(),
            LogFile::None => "none".to_owned(),
            LogFile::Path(path) => path.display().to_string(),
        };
        let more = told.more.iter().map(|path| path.display().to_string());
        let syslog = told
            .syslog
            .then(|| told.address.map_or_else(|| "syslog".to_owned(), |address| address.to_string()));
        let journald = told.journald.then(|| "journald".to_owned());
        Ok([first].into_iter().chain(more).chain(syslog).chain(journald).collect::<Vec<_>>().join(" + "))
    }

    #[test]
    fn one_destination_as_ever() {
        for (text, expected) in [
            ("Off", "none"),
            ("", "none"),
            ("AUTO", "auto"),
            ("Syslog", "none + syslog"),
            ("/tmp/x", "/tmp/x"),
            ("x.log", "x.log"),
            ("~/x", "/home/me/x"),
        ] {
            assert_eq!(told(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(
            told("/no/x.log").unwrap_err(),
            "The directory named as part of the path /no/x.log does not exist"
        );
        assert!(destinations("SYSLOG", false, &MemoryFiles::default()).unwrap().is_only_syslog);
        assert!(!destinations("auto, syslog", false, &MemoryFiles::default()).unwrap().is_only_syslog);
    }

    #[test]
    fn several_destinations() {
        for (text, expected) in [
            ("/tmp/a.log, /dev/stdout", "/tmp/a.log + /dev/stdout"),
            ("/tmp/a.log,/dev/stdout", "/tmp/a.log + /dev/stdout"),
            ("/dev/stdout, /tmp/a.log", "/tmp/a.log + /dev/stdout"),
            ("/dev/stdout,/dev/stderr", "/dev/stdout + /dev/stderr"),
            ("a.log, ~/b.log", "a.log + /home/me/b.log"),
            ("/tmp/a.log, auto", "auto + /tmp/a.log"),
            ("AUTO, Syslog, Journald", "auto + syslog + journald"),
            ("journald", "none + journald"),
            ("@udp:h", "none + @udp:h:514"),
            ("/tmp/x , syslog @tcp:[::1]:99", "/tmp/x + @tcp:[::1]:99"),
            ("/dev/stdout, @TCP:h:1", "/dev/stdout + @tcp:h:1"),
        ] {
            assert_eq!(told(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_comma_in_a_name_stays_there() {
        for name in ["/tmp/a,b.log", "/tmp/a, b.log", "a,syslogs", "/tmp/a,", "x,@tls:h", "a,@tcp", "a,é"] {
            let told = destinations(name, false, &MemoryFiles::default()).unwrap();
            assert_eq!(told.logfile, LogFile::Path(name.into()));
            assert_eq!(told.comma, Some(name.into()));
        }
        assert_eq!(told("./journald").as_deref(), Ok("./journald"));
    }

    #[test]
    fn what_does_not_go_together() {
        for (text, why) in [
            ("/tmp/a, NONE", "NONE goes with no other destination: '/tmp/a, NONE'"),
            ("off,/tmp/a", "NONE goes with no other destination: 'off,/tmp/a'"),
            ("auto, auto", "auto is there twice: 'auto, auto'"),
            ("/tmp/a, /tmp/a", "/tmp/a is there twice: '/tmp/a, /tmp/a'"),
            ("syslog, @udp:h", "syslog is in one place only: 'syslog, @udp:h'"),
            ("journald, journald", "journald is there twice: 'journald, journald'"),
            ("/tmp/a, @udp:", "there is no host: '@udp:'"),
        ] {
            assert_eq!(told(text).unwrap_err(), why);
        }
    }

    #[test]
    fn a_directory_that_is_going_to_be_made_need_not_be_there() {
        let files = MemoryFiles::default();
        let told = destinations("/no/x.log, ~/no/y.log", true, &files).unwrap();
        assert_eq!(told.logfile, LogFile::Path("/no/x.log".into()));
        assert_eq!(told.more, [PathBuf::from("/home/me/no/y.log")]);
    }
}
