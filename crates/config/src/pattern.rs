//! Names with wildcards, by which people mean several processes: `web-*`, `grp:*_0?`, `[a-c]*:main`.
//!
//! In: one word as somebody wrote it. Out: whom it reaches. A word that names something exactly never comes here: that is asked
//! first, by whoever knows the processes.

use crate::files::{fits, has_wildcard};

/// A glob on the names of processes, and of groups where it has a colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    /// Without one the process may be in any group.
    group: Option<String>,
    name: String,
}

impl NamePattern {
    /// `None` where there is no wildcard in it.
    pub fn parse(text: &str) -> Option<NamePattern> {
        if !has_wildcard(text) {
            return None;
        }
        Some(match text.split_once(':') {
            // As with `group:` for all of a group.
            Some((group, "")) => NamePattern { group: Some(group.to_owned()), name: "*".to_owned() },
            Some((group, name)) => NamePattern { group: Some(group.to_owned()), name: name.to_owned() },
            None => NamePattern { group: None, name: text.to_owned() },
        })
    }

    pub fn reaches(&self, group: &str, name: &str) -> bool {
        self.group.as_ref().is_none_or(|glob| fits(glob, group)) && fits(&self.name, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(pattern: &str) -> Vec<&'static str> {
        let all = ["web-01:web-01", "web-02:web-02", "web:w_00", "web:w_01", "grp:a_00", "grp:a_01", "grp:b"];
        let pattern = NamePattern::parse(pattern).unwrap();
        let reaches =
            |one: &&str| one.split_once(':').is_some_and(|(group, name)| pattern.reaches(group, name));
        all.into_iter().filter(reaches).collect()
    }

    #[test]
    fn without_a_colon_it_is_about_processes_whatever_their_group() {
        assert_eq!(reached("web-*"), ["web-01:web-01", "web-02:web-02"]);
        assert_eq!(reached("w_*"), ["web:w_00", "web:w_01"]);
        assert_eq!(reached("*_0[!0]"), ["web:w_01", "grp:a_01"]);
        assert_eq!(reached("gr?"), [""; 0]);
        assert_eq!(reached("*").len(), 7);
    }

    #[test]
    fn with_one_both_sides_have_to_fit() {
        assert_eq!(reached("grp:*_0?"), ["grp:a_00", "grp:a_01"]);
        assert_eq!(reached("web*:*1"), ["web-01:web-01", "web:w_01"]);
        assert_eq!(reached("g*:"), ["grp:a_00", "grp:a_01", "grp:b"]);
        assert_eq!(reached("*:b"), ["grp:b"]);
    }

    #[test]
    fn a_name_is_no_pattern() {
        assert_eq!(NamePattern::parse("web:w_00"), None);
        assert_eq!(NamePattern::parse("web:"), None);
    }
}
