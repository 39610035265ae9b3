//! What Supervisor swallows without a word: unknown sections and keys, and lines
//! that read otherwise than they look (SPEC 10.3). Never a reason to refuse.

use crate::ini::SuspicionKind;
use crate::options::{OPTIONS, SectionKind, row, section_kind};
use crate::reading::Reading;

pub(crate) fn advise(reading: &Reading<'_>) {
    unknown_sections_and_keys(reading);
    suspicions(reading);
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
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let (changes, best) = candidates.map(|candidate| (distance(word, candidate), candidate)).min()?;
    (changes <= (word.chars().count() / 3).clamp(1, 3)).then(|| best.to_owned())
}

/// Levenshtein's: letters put in, taken out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["autostart", "autorestart", "command"];
        assert_eq!(nearest("autorestat", names.into_iter()).as_deref(), Some("autorestart"));
        assert_eq!(nearest("comand", names.into_iter()).as_deref(), Some("command"));
        assert_eq!(nearest("colour", names.into_iter()), None);
        assert_eq!(nearest_section("Program:x").as_deref(), Some("program:x"));
        assert_eq!(nearest_section("program").as_deref(), Some("program:NAME"));
        assert_eq!(nearest_section("supervisor").as_deref(), Some("supervisord"));
        assert_eq!(nearest_section("superlance"), None);
    }
}
