//! A process group: its configuration and its processes, in the order in which they start.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_config::{GroupConfig, ProcessConfig};

use crate::ids::ProcessId;

/// A group as an earlier brain had it.
#[derive(Debug, Clone)]
pub struct Active {
    /// As its configuration has it, which is what the next reading is compared with.
    pub config: GroupConfig,
    /// As it is: programs may have been added that no file knows, and processes been taken out.
    pub processes: Vec<Arc<ProcessConfig>>,
}

impl From<GroupConfig> for Active {
    fn from(config: GroupConfig) -> Active {
        Active { processes: config.processes.clone(), config }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) config: GroupConfig,
    /// In start order (SPEC 2.8).
    pub(crate) processes: Vec<ProcessId>,
    /// Where two have one name, the first.
    by_name: BTreeMap<Arc<str>, ProcessId>,
}

impl Group {
    /// `processes` are told in start order.
    pub(crate) fn new(
        config: GroupConfig,
        processes: impl IntoIterator<Item = (Arc<str>, ProcessId)>,
    ) -> Group {
        let mut group = Group {
            name: config.name.as_str().into(),
            config,
            processes: Vec::new(),
            by_name: BTreeMap::new(),
        };
        for (name, id) in processes {
            group.add(name, id);
        }
        group
    }

    /// Behind all others.
    pub(crate) fn add(&mut self, name: Arc<str>, id: ProcessId) {
        self.processes.push(id);
        self.by_name.entry(name).or_insert(id);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(id) = self.by_name.remove(name) {
            self.processes.retain(|other| *other != id);
        }
    }

    pub(crate) fn process(&self, name: &str) -> Option<ProcessId> {
        self.by_name.get(name).copied()
    }
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
