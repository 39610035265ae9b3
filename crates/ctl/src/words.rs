//! The words behind a verb, taken apart: the flags that its page knows, and names.
//!
//! Supervisor has no flags of two dashes, so a word that no page knows stays the name that it is there.

use crate::manual::{Flag, Page};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    flags: Vec<(&'static Flag, Option<String>)>,
    names: Vec<String>,
    rest: String,
}

impl Words {
    /// The complaint, if a flag lacks its value or has one that it does not take.
    pub(crate) fn read(page: &Page, argument: &str) -> Result<Words, String> {
        let mut words = Words::default();
        let mut typed = argument.split_whitespace();
        while let Some(word) = typed.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word, None),
            };
            match (page.flag(name), value) {
                (None, _) => words.names.push(word.to_owned()),
                (Some(flag), value) if flag.value.is_none() => match value {
                    None => words.flags.push((flag, None)),
                    Some(_) => return Err(format!("Error: {name} takes no value")),
                },
                (Some(flag), value) => match value.or_else(|| typed.next().map(str::to_owned)) {
                    Some(value) => words.flags.push((flag, Some(value))),
                    None => return Err(format!("Error: {name} needs a value")),
                },
            }
        }
        // What was typed is kept as it was, unless something had to be taken out.
        words.rest = if words.flags.is_empty() { argument.to_owned() } else { words.names.join(" ") };
        Ok(words)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// Everything but the flags, as one text.
    pub(crate) fn rest(&self) -> &str {
        &self.rest
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|(known, _)| known.name == flag)
    }

    /// The last value that was given.
    pub(crate) fn value(&self, flag: &str) -> Option<&str> {
        self.values(flag).last()
    }

    /// Of a flag that may come several times.
    pub(crate) fn values<'a>(&'a self, flag: &str) -> impl Iterator<Item = &'a str> {
        self.flags
            .iter()
            .filter(move |(known, _)| known.name == flag)
            .filter_map(|(_, value)| value.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manual::Takes;

    const FLAGS: &[Flag] = &[
        Flag { name: "--batch", value: Some("N"), does: "" },
        Flag { name: "--fast", value: None, does: "" },
    ];
    const PAGE: Page = Page::new("try", Takes::Processes, &[]).flags(FLAGS);

    #[test]
    fn flags_may_stand_anywhere() {
        for line in ["--batch 2 a b --fast --json", "a --json --batch=2 --fast b"] {
            let words = Words::read(&PAGE, line).unwrap();
            assert_eq!((words.names(), words.rest()), (vec!["a", "b"], "a b"));
            assert!(words.has("--fast") && words.has("--json") && words.has("--batch"));
            assert_eq!((words.value("--batch"), words.value("--fast")), (Some("2"), None));
        }
        assert!(!Words::read(&PAGE, "a").unwrap().has("--fast"));
    }

    #[test]
    fn what_is_no_flag_is_a_name_as_with_supervisor() {
        let words = Words::read(&PAGE, "a  --slow -f -- x=y").unwrap();
        assert_eq!(words.names(), ["a", "--slow", "-f", "--", "x=y"]);
        assert_eq!(words.rest(), "a  --slow -f -- x=y");
    }

    #[test]
    fn values_belong_to_flags_that_take_one() {
        assert_eq!(Words::read(&PAGE, "a --batch"), Err("Error: --batch needs a value".to_owned()));
        assert_eq!(Words::read(&PAGE, "--fast=1 a"), Err("Error: --fast takes no value".to_owned()));
    }
}
