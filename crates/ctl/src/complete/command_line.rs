//! A command line of bash, zsh or fish: the program, its options, and then a line as in our own shell.
//!
//! In: the text up to the cursor, as it was typed. Out: candidates for its last word, or the wish that the shell offers files.

use std::iter;

use provost_config::getopt::Opt;

use super::{Candidate, in_shell};
use crate::call::{Kind, Name};
use crate::options::{CHOICES, Choice};

/// What the shell should offer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Words(Vec<Candidate>),
    Files,
}

/// `ask` gets the options that were typed, which say who is to be asked.
pub(crate) fn on_command_line(line: &str, ask: impl FnOnce(&[String], Kind) -> Vec<Name>) -> Wanted {
    let words = split(line);
    // `LANG=C supervisorctl …`
    let is_assignment = |word: &&String| word.split_once('=').is_some_and(|(name, _)| !name.contains('/'));
    let skipped = words.iter().take_while(is_assignment).count() + 1;
    let Some((typed, before)) = words.get(skipped..).and_then(<[String]>::split_last) else {
        return Wanted::Words(Vec::new());
    };
    let verb_at = match options_of(before) {
        Before::Verb(at) => at,
        Before::Value(opt) if opt.long == "configuration" || opt.long.ends_with("file") => {
            return Wanted::Files;
        }
        Before::Value(_) => return Wanted::Words(Vec::new()),
    };
    let (options, verb) = before.split_at(verb_at);
    if verb.is_empty() && typed.starts_with('-') {
        return Wanted::Words(super::matching(all_options(), typed));
    }
    // Supervisor's way: what is in quotes is split again. A last word of several is nobody's name.
    let line = verb.iter().chain(iter::once(typed)).map(String::as_str).collect::<Vec<_>>().join(" ");
    match typed.contains(char::is_whitespace) {
        true => Wanted::Words(Vec::new()),
        false => Wanted::Words(in_shell(&line, |kind| ask(options, kind)).candidates),
    }
}

/// What stands before the word that is typed.
enum Before {
    /// Options only, up to here; then a verb, or nothing yet.
    Verb(usize),
    /// Options, the last of which waits for its value.
    Value(&'static Opt),
}

fn options_of(words: &[String]) -> Before {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word == "--" {
            return Before::Verb(at + 1);
        }
        let Some(option) = word.strip_prefix('-').filter(|option| !option.is_empty()) else { break };
        at += 1;
        if let Some(waiting) = waits_for_value(option) {
            if at == words.len() {
                return Before::Value(waiting);
            }
            at += 1;
        }
    }
    Before::Verb(at)
}

/// The option, if its value is the next word. `option` is without its first dash.
fn waits_for_value(option: &str) -> Option<&'static Opt> {
    if let Some(long) = option.strip_prefix('-') {
        return opts().find(|opt| opt.takes_value && !long.is_empty() && opt.long.starts_with(long));
    }
    for (at, letter) in option.char_indices() {
        let opt = opts().find(|opt| opt.short == Some(letter))?;
        if opt.takes_value {
            // The rest of the word would be the value.
            return (at + letter.len_utf8() == option.len()).then_some(opt);
        }
    }
    None
}

fn opts() -> impl Iterator<Item = &'static Opt> {
    CHOICES.iter().map(|choice| &choice.opt)
}

fn all_options() -> Vec<Candidate> {
    let spelled = |choice: &'static Choice| {
        let short = choice.opt.short.filter(|&letter| letter != '?').map(|letter| format!("-{letter}"));
        let long = (!choice.opt.long.is_empty()).then(|| format!("--{}", choice.opt.long));
        short.into_iter().chain(long).map(|word| Candidate { word, about: choice.does })
    };
    CHOICES.iter().flat_map(spelled).collect()
}

/// Words as a shell splits them, quotes and backslashes taken away. The last is the one that is typed, and may be empty.
fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut is_begun = false;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let word = words.last_mut().expect("there is always one");
        match (letter, quote) {
            (blank, None) if blank.is_whitespace() => {
                if std::mem::take(&mut is_begun) {
                    words.push(String::new());
                }
                continue;
            }
            (mark, Some(open)) if mark == open => quote = None,
            ('\'' | '"', None) => quote = Some(letter),
            ('\\', None | Some('"')) => word.extend(letters.next()),
            (other, _) => word.push(other),
        }
        is_begun = true;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> (Vec<String>, Vec<String>) {
        let mut options = Vec::new();
        let wanted = on_command_line(line, |given, kind| {
            options = given.to_vec();
            super::super::tests::some(kind)
        });
        match wanted {
            Wanted::Words(words) => (words.into_iter().map(|candidate| candidate.word).collect(), options),
            Wanted::Files => (vec!["FILES".to_owned()], options),
        }
    }

    fn words(line: &str) -> Vec<String> {
        asked(line).0
    }

    #[test]
    fn behind_the_program_comes_a_verb() {
        assert_eq!(words("supervisorctl sta"), ["start", "status"]);
        assert_eq!(words("LANG=C ./supervisorctl -i stat"), ["status"]);
        assert_eq!(words("supervisorctl"), [] as [&str; 0]);
        assert_eq!(words(""), [] as [&str; 0]);
        assert!(words("supervisorctl ").contains(&"help".to_owned()));
        assert_eq!(words("supervisorctl -- sto"), ["stop"]);
    }

    #[test]
    fn options_say_who_is_asked() {
        let (words, options) =
            asked("supervisorctl -c '/my dir/s.conf' --serverurl=http://h:1 -ujo start we");
        assert_eq!(words, ["web"]);
        assert_eq!(options, ["-c", "/my dir/s.conf", "--serverurl=http://h:1", "-ujo"]);
        assert_eq!(asked("ctl -ic a\\ b pid w").1, ["-ic", "a b"]);
    }

    #[test]
    fn options_are_completed_and_files_are_the_shells_affair() {
        assert_eq!(words("supervisorctl --conf"), ["--configuration"]);
        assert!(words("supervisorctl -").contains(&"-c".to_owned()));
        for line in ["ctl -c ", "ctl -i -r /t", "ctl --config ", "ctl --history_file x"] {
            assert_eq!(words(line), ["FILES"], "{line}");
        }
        for line in ["ctl -s ", "ctl --user j", "ctl -p "] {
            assert_eq!(words(line), [] as [&str; 0], "{line}");
        }
        assert_eq!(words("ctl start --js"), ["--json"]);
    }

    #[test]
    fn quotes_are_taken_away_and_never_break_anything() {
        assert_eq!(words("ctl stop 'work:"), ["work:one", "work:*", "work:two"]);
        assert_eq!(words("ctl stop work:\\*"), ["work:*"]);
        assert_eq!(words("ctl stop \"work:t"), ["work:two"]);
        assert_eq!(words("ctl \"signal US"), [] as [&str; 0]);
        assert_eq!(words("ctl 'signal HUP' we"), ["web"]);
        assert_eq!(split("a '' \"b\\\"c\"  d\\"), ["a", "", "b\"c", "d"]);
    }
}
