//! What is wrong with a configuration: all of it, in the order Supervisor would
//! have stumbled over it, each with its place.
//!
//! The first line reads as Supervisor's, because scripts look for those texts; in a
//! fault of XML-RPC only the other errors follow, each as `FILE:LINE: [section] key:
//! …`, on a terminal all of them ([`Errors::for_people`]). Advice is what prevents
//! nothing but is hardly meant.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;

/// One reason to refuse a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// As it was opened.
    pub file: String,
    pub line: Option<usize>,
    pub section: Option<String>,
    pub key: Option<String>,
    /// What is wrong, in Supervisor's words.
    pub text: String,
    /// What Supervisor adds to errors inside a program: ` in section 'program:x' (file: 'F')`.
    pub suffix: String,
    /// What may have been meant, if something near is known.
    pub hint: Option<String>,
}

impl Error {
    /// An error without a place in a file.
    pub(crate) fn plain(file: &str, text: String) -> Error {
        let file = file.to_owned();
        Error { file, line: None, section: None, key: None, text, suffix: String::new(), hint: None }
    }

    /// Some options are read for the group and again for its processes.
    fn fault(&self) -> impl Eq + Hash + use<> {
        (self.file.clone(), self.line, self.section.clone(), self.key.clone(), self.text.clone())
    }

    /// What Supervisor prints after `Error: `.
    pub fn as_supervisor_says(&self) -> String {
        format!("{}{}", self.text, self.suffix)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.line, self.section.as_deref(), self.key.as_deref())?;
        f.write_str(&self.text)?;
        match &self.hint {
            Some(hint) => write!(f, " (did you mean {hint}?)"),
            None => Ok(()),
        }
    }
}

/// One or more errors; the first is the one that Supervisor reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    /// Never empty.
    all: Vec<Error>,
    /// What is worth saying besides.
    advice: Vec<Advice>,
}

impl Errors {
    pub fn first(&self) -> &Error {
        self.all.first().expect("it is made of at least one error")
    }

    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.all.iter()
    }

    /// Supervisor's line, and every error with its place.
    pub fn for_people(&self) -> String {
        let places = self.placed().map(|error| format!("\n{error}"));
        format!("{}{}", self.first().as_supervisor_says(), places.collect::<String>())
    }

    /// Those that want a line with their place behind the first line: all, but for a
    /// first one that belongs to no section, whose text says all that is known.
    pub fn placed(&self) -> impl Iterator<Item = &Error> {
        let first_says_all = self.first().section.is_none();
        self.all.iter().skip(usize::from(first_says_all))
    }

    /// What Supervisor would have swallowed, found on the way.
    pub fn advice(&self) -> impl Iterator<Item = &Advice> {
        self.advice.iter()
    }

    pub(crate) fn with_advice(self, advice: Vec<Advice>) -> Errors {
        Errors { advice, ..self }
    }

    /// `None` when there are none. The same fault found twice counts once.
    pub(crate) fn new(errors: Vec<Error>) -> Option<Errors> {
        let mut known = HashSet::new();
        let all: Vec<Error> = errors.into_iter().filter(|error| known.insert(error.fault())).collect();
        (!all.is_empty()).then_some(Errors { all, advice: Vec::new() })
    }
}

impl From<Error> for Errors {
    fn from(only: Error) -> Errors {
        Errors { all: vec![only], advice: Vec::new() }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first().as_supervisor_says())?;
        for error in &self.all[1..] {
            write!(f, "\n{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Something that Supervisor accepts without a word, and that is hardly meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Advice {
    pub file: String,
    pub line: Option<usize>,
    pub section: String,
    pub key: Option<String>,
    pub text: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.line, Some(&self.section), self.key.as_deref())?;
        f.write_str(&self.text)
    }
}

fn write_place(
    f: &mut fmt::Formatter<'_>,
    file: &str,
    line: Option<usize>,
    section: Option<&str>,
    key: Option<&str>,
) -> fmt::Result {
    f.write_str(file)?;
    if let Some(line) = line {
        write!(f, ":{line}")?;
    }
    f.write_str(": ")?;
    if let Some(section) = section {
        write!(f, "[{section}] ")?;
    }
    if let Some(key) = key {
        write!(f, "{key}: ")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reads_as_supervisors_and_the_others_have_a_place() {
        let error = |line, key: &str| Error {
            file: "s.conf".to_owned(),
            line: Some(line),
            section: Some("program:x".to_owned()),
            key: Some(key.to_owned()),
            text: "no".to_owned(),
            suffix: " in section 'program:x' (file: 's.conf')".to_owned(),
            hint: None,
        };
        let found = vec![error(2, "user"), error(3, "umask"), error(2, "user"), error(3, "umask")];
        assert_eq!(
            Errors::new(found).unwrap().to_string(),
            "no in section 'program:x' (file: 's.conf')\ns.conf:3: [program:x] umask: no"
        );
        assert_eq!(
            Errors::new(vec![error(2, "user")]).unwrap().for_people(),
            "no in section 'program:x' (file: 's.conf')\ns.conf:2: [program:x] user: no"
        );
        let nowhere = Error::plain("s.conf", "could not find config file s.conf".to_owned());
        assert_eq!(Errors::from(nowhere).for_people(), "could not find config file s.conf");
        assert_eq!(Errors::new(Vec::new()), None);
    }
}
