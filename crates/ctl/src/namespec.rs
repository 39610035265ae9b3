//! `group:process`, `name`, `group:*`: how people name processes, and how we name them back.

/// What a namespec on the command line picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Namespec<'a> {
    pub(crate) group: &'a str,
    /// `None` is the whole group.
    pub(crate) process: Option<&'a str>,
}

/// A bare name means the process of that name in the group of that name.
pub(crate) fn split(text: &str) -> Namespec<'_> {
    match text.split_once(':') {
        Some((group, "" | "*")) => Namespec { group, process: None },
        Some((group, process)) => Namespec { group, process: Some(process) },
        None => Namespec { group: text, process: Some(text) },
    }
}

/// The shortest namespec of a process.
pub(crate) fn join(group: &str, process: &str) -> String {
    if group == process { process.to_owned() } else { format!("{group}:{process}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        for (text, group, process) in [
            ("web", "web", Some("web")),
            ("web:", "web", None),
            ("web:*", "web", None),
            ("web:w_00", "web", Some("w_00")),
            ("a:b:c", "a", Some("b:c")),
            (":", "", None),
        ] {
            assert_eq!(split(text), Namespec { group, process });
        }
    }

    #[test]
    fn equal_parts_are_said_once() {
        assert_eq!(join("web", "web"), "web");
        assert_eq!(join("web", "w_00"), "web:w_00");
    }
}
