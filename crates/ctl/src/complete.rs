//! What could come next: the words typed so far in, candidates for the last of them out.
//!
//! [`in_shell`] is for the shell's own lines, [`on_command_line`] for those of bash, zsh and fish, which begin with a program and
//! its options. What a verb takes stands on its page; names come from whoever is asked for them, and only if they matter.
//! What is offered begins with what was typed. Nothing here is an error: nobody wants one in the middle of a line.

mod command_line;

pub(crate) use command_line::{Wanted, on_command_line};

use nix::sys::signal::Signal;

use crate::call::{Kind, Name};
use crate::manual::{Flag, JSON, Page, Takes};
use crate::verbs;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) word: String,
    /// What it is, in a few words, or nothing.
    pub(crate) about: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    /// Where the word begins that they would replace.
    pub(crate) start: usize,
    pub(crate) candidates: Vec<Candidate>,
}

/// What `line`, up to the cursor, could go on with.
pub(crate) fn in_shell(line: &str, ask: impl FnOnce(Kind) -> Vec<Name>) -> Completion {
    // Everything between blanks is one word: colons, asterisks and dashes stand in names.
    let start = line
        .rfind(char::is_whitespace)
        .map_or(0, |blank| blank + line[blank..].chars().next().map_or(0, char::len_utf8));
    let (before, typed) = line.split_at(start);
    let words: Vec<&str> = before.split_whitespace().collect();
    let (mark, typed) = match typed.strip_prefix('?') {
        // `?start` is `help start`.
        Some(topic) if words.is_empty() => (1, topic),
        _ => (0, typed),
    };
    Completion { start: start + mark, candidates: matching(offers(&words, typed, ask), typed) }
}

fn matching(mut offers: Vec<Candidate>, typed: &str) -> Vec<Candidate> {
    offers.retain(|offer| offer.word.starts_with(typed));
    let mut seen = std::collections::HashSet::new();
    offers.retain(|offer| seen.insert(offer.word.clone()));
    offers
}

/// What could stand behind `words`; not only what begins with what was typed.
fn offers(words: &[&str], typed: &str, ask: impl FnOnce(Kind) -> Vec<Name>) -> Vec<Candidate> {
    let Some((verb, words)) = words.split_first() else { return all_verbs() };
    let verb = match *verb {
        // `? start`
        "?" => "help",
        verb => verb,
    };
    let Some(verb) = verbs::find(verb) else { return Vec::new() };
    let page = &verb.page;
    let Some(place) = Place::behind(page, words) else { return Vec::new() };
    if typed.starts_with('-') {
        return flags(page, words);
    }
    arguments(page, place, typed, ask)
}

/// Where in a verb's line we are.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// How many words that are no flags stand before it.
    names: usize,
}

impl Place {
    /// Nowhere, if a flag waits for its value.
    fn behind(page: &Page, words: &[&str]) -> Option<Place> {
        let mut names = 0;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match page.flag(word) {
                Some(flag) if flag.value.is_some() => _ = words.next()?,
                Some(_) => {}
                None if word.starts_with('-') => {}
                None => names += 1,
            }
        }
        Some(Place { names })
    }
}

fn arguments(page: &Page, place: Place, typed: &str, ask: impl FnOnce(Kind) -> Vec<Name>) -> Vec<Candidate> {
    match (page.takes, place.names) {
        (Takes::ProcessesThen(words), 1..) => {
            plain(words.iter().copied()).into_iter().chain(processes(&ask(Kind::Processes), typed)).collect()
        }
        (Takes::Processes | Takes::ProcessesThen(_), _)
        | (Takes::SignalAndProcesses, 1..)
        | (Takes::Process | Takes::ProcessThen(_), 0) => processes(&ask(Kind::Processes), typed),
        (Takes::Groups, _) => groups(&ask(Kind::Groups)),
        (Takes::SignalAndProcesses, 0) => signals(typed),
        (Takes::ProcessThen(words), 1) | (Takes::OneOf(words), 0) => plain(words.iter().copied()),
        (Takes::Topic, 0) => all_verbs(),
        (
            Takes::Process
            | Takes::ProcessThen(_)
            | Takes::Topic
            | Takes::OneOf(_)
            | Takes::Nothing
            | Takes::Words,
            _,
        ) => Vec::new(),
    }
}

fn plain<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<Candidate> {
    words.into_iter().map(|word| Candidate { word: word.to_owned(), about: "" }).collect()
}

/// By every name that they have.
fn all_verbs() -> Vec<Candidate> {
    let named = |page: &Page, word: &str| Candidate {
        word: word.to_owned(),
        about: page.forms.first().map_or("", |(_, does)| does),
    };
    verbs::offered()
        .flat_map(|verb| {
            let page = &verb.page;
            std::iter::once(&page.name).chain(page.also).map(move |word| named(page, word))
        })
        .collect()
}

/// Those that are not there yet, and the letter that shows more than one form: `-f`.
fn flags(page: &Page, words: &[&str]) -> Vec<Candidate> {
    let has = |flag: &Flag| words.iter().any(|word| word.split('=').next() == Some(flag.name));
    let follows = page.forms.iter().find(|(synopsis, _)| synopsis.split(' ').any(|word| word == "-f"));
    let letter = follows.filter(|_| !words.contains(&"-f"));
    let letter = letter.map(|(_, does)| Candidate { word: "-f".to_owned(), about: does });
    let flags = page.flags.iter().chain([&JSON]).filter(|flag| !has(flag));
    letter
        .into_iter()
        .chain(flags.map(|flag| Candidate { word: flag.name.to_owned(), about: flag.does }))
        .collect()
}

/// As Supervisor offers them: `web`, or `grp:one` with its group's `grp:*`; in full when a colon was typed.
fn processes(names: &[Name], typed: &str) -> Vec<Candidate> {
    let mut words = Vec::new();
    for Name { group, process } in names {
        if typed.contains(':') || group != process {
            words.push(format!("{group}:{process}"));
            words.push(format!("{group}:*"));
        } else {
            words.push(process.clone());
        }
    }
    words.into_iter().map(|word| Candidate { word, about: "" }).collect()
}

fn groups(names: &[Name]) -> Vec<Candidate> {
    plain(names.iter().map(|name| name.group.as_str()))
}

/// `TERM`, or `SIGTERM` if it was begun like that.
fn signals(typed: &str) -> Vec<Candidate> {
    let letters = if typed.starts_with("SIG") { 0 } else { "SIG".len() };
    plain(Signal::iterator().map(|signal| &signal.as_str()[letters..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn some(_: Kind) -> Vec<Name> {
        [("web", "web"), ("work", "one"), ("work", "two"), ("cache-1", "cache-1")]
            .map(|(group, process)| Name { group: group.to_owned(), process: process.to_owned() })
            .to_vec()
    }

    fn nobody(_: Kind) -> Vec<Name> {
        panic!("nobody needs names for this")
    }

    fn words(completion: Completion) -> Vec<String> {
        completion.candidates.into_iter().map(|candidate| candidate.word).collect()
    }

    fn with_names(line: &str) -> Vec<String> {
        words(in_shell(line, some))
    }

    fn without(line: &str) -> Vec<String> {
        words(in_shell(line, nobody))
    }

    #[test]
    fn a_line_begins_with_a_verb() {
        assert_eq!(without("sta"), ["start", "status"]);
        assert!(without("").contains(&"help".to_owned()) && !without("").contains(&"EOF".to_owned()));
        assert_eq!(in_shell("  rest", nobody).start, 2);
        assert_eq!(without("nosuch "), [] as [&str; 0]);
    }

    #[test]
    fn names_are_offered_as_supervisor_does() {
        assert_eq!(with_names("start "), ["web", "work:one", "work:*", "work:two", "cache-1"]);
        assert_eq!(with_names("start work:"), ["work:one", "work:*", "work:two"]);
        assert_eq!(with_names("start web:"), ["web:web", "web:*"]);
        assert_eq!(with_names("restart web cache-"), ["cache-1"]);
        assert_eq!(in_shell("stop a work:t", some).start, 7);
        for verb in ["clear", "fg", "pid", "restart", "start", "status", "stop", "tail", "tail -f"] {
            assert_eq!(with_names(&format!("{verb} we")), ["web"], "{verb}");
        }
        assert_eq!(with_names("fg web "), [] as [&str; 0]);
    }

    #[test]
    fn groups_are_named_once() {
        for verb in ["add", "remove", "update"] {
            assert_eq!(with_names(&format!("{verb} ")), ["web", "work", "cache-1"], "{verb}");
        }
    }

    #[test]
    fn what_is_no_name_is_known_without_asking() {
        assert_eq!(without("signal US"), ["USR1", "USR2"]);
        assert_eq!(without("signal SIGH"), ["SIGHUP"]);
        assert_eq!(with_names("signal HUP wo"), ["work:one", "work:*", "work:two"]);
        assert_eq!(without("tail web st"), ["stdout", "stderr"]);
        assert_eq!(without("tail -f web stde"), ["stderr"]);
        assert_eq!(without("help rest"), ["restart"]);
        assert_eq!(without("? rest"), ["restart"]);
        assert_eq!(in_shell("?rest", nobody), Completion { start: 1, ..in_shell("?rest", nobody) });
        assert_eq!(without("?rest"), ["restart"]);
        assert_eq!(without("version "), [] as [&str; 0]);
        assert_eq!(without("completion z"), ["zsh"]);
        assert_eq!(with_names("wait w"), ["web", "work:one", "work:*", "work:two"]);
        assert_eq!(with_names("wait web R"), ["RUNNING"]);
        assert_eq!(with_names("wait --timeout 5 web wo"), ["work:one", "work:*", "work:two"]);
        assert_eq!(without("wait --timeout "), [] as [&str; 0]);
    }

    #[test]
    fn flags_come_from_the_page_and_only_once() {
        assert_eq!(without("status --js"), ["--json"]);
        assert_eq!(without("status --json --js"), [] as [&str; 0]);
        assert_eq!(without("tail -"), ["-f", "--json"]);
        assert_eq!(without("maintail -f -"), ["--json"]);
    }
}
