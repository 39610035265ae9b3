//! A process group: its configuration and its processes, in the order in which they start.

use std::sync::Arc;

use provost_config::GroupConfig;

use crate::ids::ProcessId;

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) config: GroupConfig,
    /// In start order (SPEC 2.8).
    pub(crate) processes: Vec<ProcessId>,
}

/// Splits a namespec into group and process; no process means the whole group (SPEC 6.4).
pub(crate) fn split_namespec(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((group, "" | "*")) => (group, None),
        Some((group, process)) => (group, Some(process)),
        None => (name, Some(name)),
    }
}

/// The name of a process as people write it: shortened where the group has the same name.
pub(crate) fn namespec(group: &str, process: &str) -> String {
    match group == process {
        true => process.to_owned(),
        false => format!("{group}:{process}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespec_names_a_process_or_a_whole_group() {
        assert_eq!(split_namespec("web"), ("web", Some("web")));
        assert_eq!(split_namespec("web:web_00"), ("web", Some("web_00")));
        assert_eq!(split_namespec("web:*"), ("web", None));
        assert_eq!(split_namespec("web:"), ("web", None));
        assert_eq!(split_namespec("a:b:c"), ("a", Some("b:c")));
    }
}
