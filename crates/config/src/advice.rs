//! What Supervisor swallows without a word: unknown sections and keys, and lines
//! that read otherwise than they look (SPEC 10.3). Never a reason to refuse.

use crate::ini::SuspicionKind;
use crate::options::{DefaultValue, OPTIONS, SectionKind, ValueKind, row, section_kind};
use crate::reading::Reading;
use crate::section::Section;
use crate::{Compress, Overflow, PayloadLength, PoolOverflow, SyslogTo, listener};

pub(crate) fn advise(reading: &Reading<'_>) {
    unknown_sections_and_keys(reading);
    suspicions(reading);
    escaped_line_ends(reading);
    supervisorctl_elsewhere(reading);
}

/// What is in force only in the background, and was written for the foreground (`nodaemon`).
pub(crate) fn advise_on_foreground(section: &Section<'_>) {
    for key in ["directory", "umask"] {
        let usual = match row(SectionKind::Supervisord, key).map(|row| row.default) {
            Some(DefaultValue::Text(text)) => Some(text),
            _ => None,
        };
        if section.written(key).is_some_and(|value| usual != Some(&*value.text)) {
            section.advise(key, "has no effect in the foreground (nodaemon)".to_owned());
        }
    }
}

/// A password that whoever reads the file knows. `how` is the command that makes what should stand there instead.
pub(crate) fn advise_on_clear_text(section: &Section<'_>, key: &str, secret: &str, how: &str) {
    if is_clear_text(secret) {
        section.advise(key, format!("is clear text; {how} makes what can stand here instead"));
    }
}

/// What begins like no hash that anybody makes. Whether it really is one is found out where it is verified.
fn is_clear_text(secret: &str) -> bool {
    let method = secret.strip_prefix('$').and_then(|rest| rest.split_once('$')).map(|(method, _)| method);
    let is_crypt = method.is_some_and(|method| {
        matches!(method.len(), 1..=8) && method.bytes().all(|letter| letter.is_ascii_alphanumeric())
    });
    !is_crypt && !secret.starts_with("{SHA}") && !secret.starts_with("{SHA256}")
}

/// The known value that a refused one is nearest to.
pub(crate) fn near_value(kind: ValueKind, text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let among = |names: &[&str]| nearest(&lower, names.iter().copied());
    match kind {
        // What is expanded twice.
        ValueKind::Environment | ValueKind::ChildLog if text.contains("%%") && !text.contains("%%%%") => {
            Some(text.replace("%%", "%%%%"))
        }
        ValueKind::Boolean => among(&["true", "false", "yes", "no", "on", "off"]),
        ValueKind::AutoRestart => among(&["unexpected", "true", "false"]),
        ValueKind::Retries => among(&["infinite"]),
        ValueKind::Seconds => in_seconds(&lower),
        ValueKind::Backoff => among(&["linear", "exponential", "constant"]),
        ValueKind::ProgramType => among(&["simple", "oneshot"]),
        ValueKind::ExitOn => among(&["none", "fatal", "exited", "all_exited"]),
        ValueKind::Leftovers => among(&["start", "refuse", "adopt", "stop"]),
        ValueKind::Overflow => among(&Overflow::ALL.map(Overflow::name)),
        ValueKind::PoolOverflow => among(&PoolOverflow::ALL.map(PoolOverflow::name)),
        ValueKind::PayloadLength => match lower.as_str() {
            "chars" => Some("characters".to_owned()),
            _ => among(&PayloadLength::ALL.map(PayloadLength::name)),
        },
        ValueKind::LogPrefix => among(&["name", "none"]),
        ValueKind::Compress => match lower.as_str() {
            "gz" => Some("gzip".to_owned()),
            "zst" => Some("zstd".to_owned()),
            _ => among(&Compress::ALL.map(Compress::name)),
        },
        ValueKind::LogFormat if text.contains("%%(") => Some(text.replace("%%(", "%(")),
        ValueKind::LogFormat if !text.contains('%') => among(&["text", "json"]),
        ValueKind::SyslogAddress if lower.starts_with("tcp:") || lower.starts_with("udp:") => {
            Some(format!("@{}", lower.replacen("//", "", 1)))
        }
        ValueKind::SyslogAddress => among(&["local"]),
        ValueKind::SyslogFacility => among(&SyslogTo::FACILITIES.map(|(name, _)| name)),
        ValueKind::SyslogSeverity => match lower.parse::<usize>() {
            Ok(number) => SyslogTo::SEVERITIES.get(number).map(|name| (*name).to_owned()),
            Err(_) => among(&SyslogTo::SEVERITIES),
        },
        ValueKind::LogLevel if lower == "warning" => Some("warn".to_owned()),
        ValueKind::LogLevel => among(&["critical", "error", "warn", "info", "debug", "trace", "blather"]),
        ValueKind::Signal => {
            let upper = lower.to_uppercase();
            let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
            // The everyday ones first: of equally near names the first wins.
            nearest(bare, ["TERM", "INT", "QUIT", "HUP", "KILL", "USR1", "USR2", "WINCH"].into_iter())
        }
        ValueKind::FcgiSocket | ValueKind::Url
            if text.starts_with("unix:/") && !text.starts_with("unix:///") =>
        {
            Some(format!("unix:///{}", text["unix:".len()..].trim_start_matches('/')))
        }
        // Somebody counted in megabytes.
        ValueKind::SpillSize if lower.parse::<u16>().is_ok() => Some(format!("{lower}MB")),
        ValueKind::SpillSize => {
            near_value(ValueKind::ByteSize, text).filter(|size| listener::spill_size(size).is_ok())
        }
        ValueKind::ByteSize => {
            let number = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim_end();
            let unit = match &lower[number.len()..].trim_start().chars().next()? {
                'k' => "KB",
                'm' => "MB",
                'g' => "GB",
                _ => return None,
            };
            number.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("{number}{unit}"))
        }
        _ => None,
    }
}

/// `60` for `1m` and the like.
fn in_seconds(text: &str) -> Option<String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let millis: u64 = match &text[number.len()..] {
        "ms" => 1,
        "s" | "sec" | "secs" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let whole: u64 = number.trim().parse().ok()?;
    Some(crate::json::Json::Thousandths(whole.checked_mul(millis)?).to_string())
}

fn unknown_sections_and_keys(reading: &Reading<'_>) {
    for section in reading.ini.sections() {
        let name = section.name.as_str();
        let Some(kind) = section_kind(name) else {
            let text = format!("nobody reads this section{}", maybe(nearest_section(name)));
            reading.advise(Some(&section.place), name, None, text);
            continue;
        };
        // Plug-ins take what keys they like.
        if matches!(kind, SectionKind::RpcInterface | SectionKind::CtlPlugin) {
            continue;
        }
        for (key, value) in reading.ini.own_keys(name) {
            // An inherited key was copied here when %(here)s was replaced in it.
            let inherited = reading.ini.default_keys().any(|(known, _)| known == key);
            if row(kind, key).is_none() && !inherited {
                let names = OPTIONS.iter().filter(|row| row.sections.contains(&kind));
                let text =
                    format!("there is no such option here{}", maybe(nearest(key, names.map(|row| row.name))));
                reading.advise(Some(&value.place), name, Some(key), text);
            }
        }
    }
    for (key, value) in reading.ini.default_keys() {
        if OPTIONS.iter().all(|row| row.name != key) {
            let guess = maybe(nearest(key, OPTIONS.iter().map(|row| row.name)));
            let text = format!("no section has such an option{guess}");
            reading.advise(Some(&value.place), "DEFAULT", Some(key), text);
        }
    }
}

fn suspicions(reading: &Reading<'_>) {
    for suspicion in &reading.ini.suspicions {
        let text = match &suspicion.kind {
            SuspicionKind::QuoteCutOpen => {
                "a blank and ; or # begin a comment inside quotes too, so the quoted text ends here"
                    .to_owned()
            }
            SuspicionKind::SwallowedKey(inner) => {
                let known = match section_kind(&suspicion.section) {
                    Some(kind) => row(kind, inner).is_some(),
                    None => OPTIONS.iter().any(|row| row.name == inner),
                };
                if !known {
                    continue;
                }
                format!(
                    "the indented {inner}= continues the value above: begin it in the column of {}",
                    suspicion.key
                )
            }
        };
        let (section, key) = (&suspicion.section, &suspicion.key);
        reading.advise(Some(&suspicion.place), section, Some(key), text);
    }
}

/// A backslash at the end of a line joins nothing here: the next word begins with the line break.
fn escaped_line_ends(reading: &Reading<'_>) {
    for section in reading.ini.sections() {
        for (key, value) in reading.ini.own_keys(&section.name).filter(|(key, _)| *key == "command") {
            if value.text.contains("\\\n") {
                let text = "a backslash at the end of a line puts the line break into the next word: an \
                            indented line continues without one";
                reading.advise(Some(&value.place), &section.name, Some(key), text.to_owned());
            }
        }
    }
}

/// supervisorctl does not follow `[include]`.
fn supervisorctl_elsewhere(reading: &Reading<'_>) {
    let Some(section) = reading.ini.section("supervisorctl") else { return };
    if *section.place.file != *reading.path {
        let text = "supervisorctl reads no included files: move this section to the main one";
        reading.advise(Some(&section.place), &section.name, None, text.to_owned());
    }
}

fn maybe(guess: Option<String>) -> String {
    guess.map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}

/// `program:x` for `Program:x`, `programs:x` or `program`.
fn nearest_section(name: &str) -> Option<String> {
    const WITH_NAME: [&str; 6] =
        ["program", "group", "eventlistener", "fcgi-program", "rpcinterface", "ctlplugin"];
    const ALONE: [&str; 5] =
        ["supervisord", "supervisorctl", "include", "unix_http_server", "inet_http_server"];
    let (word, rest) = match name.split_once(':') {
        Some((word, rest)) => (word, rest.trim()),
        None => (name, "NAME"),
    };
    let guess = nearest(&word.trim().to_lowercase(), WITH_NAME.into_iter().chain(ALONE))?;
    Some(if WITH_NAME.contains(&guess.as_str()) { format!("{guess}:{rest}") } else { guess })
}

/// The candidate that needs the fewest changes, if those are few for its length.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let measured = candidates.map(|candidate| (distance(word, candidate), candidate));
    let (changes, best) = measured.min_by_key(|(changes, _)| *changes)?;
    (changes <= (word.chars().count() / 3).clamp(1, 3)).then(|| best.to_owned())
}

/// Letters put in, taken out, replaced, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_from_clear_text() {
        for hash in
            ["{SHA}82ab", "{SHA256}82ab", "$argon2id$v=19$m=64", "$2y$05$za7k", "$6$salt$hash", "$y$j9T$"]
        {
            assert!(!is_clear_text(hash), "{hash}");
        }
        for clear in ["", "dummy", "{sha}x", "$ecret", "$a-b$", "$$", "pa$6$s", "$averylongone$x"] {
            assert!(is_clear_text(clear), "{clear}");
        }
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["autostart", "autorestart", "command"];
        assert_eq!(nearest("autorestat", names.into_iter()).as_deref(), Some("autorestart"));
        assert_eq!(nearest("comand", names.into_iter()).as_deref(), Some("command"));
        assert_eq!(nearest("comamnd", names.into_iter()).as_deref(), Some("command"));
        assert_eq!(nearest("colour", names.into_iter()), None);
        assert_eq!(nearest_section("Program:x").as_deref(), Some("program:x"));
        assert_eq!(nearest_section("program").as_deref(), Some("program:NAME"));
        assert_eq!(nearest_section("supervisor").as_deref(), Some("supervisord"));
        assert_eq!(nearest_section("superlance"), None);
    }
}
