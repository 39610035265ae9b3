//! Which methods there are: what a name in front of the dot stands for (`[rpcinterface:NAME]`).
//!
//! In: the names of the configuration, and what each publishes. Out: a method for a name, and all names. `system` is always
//! there, our own `provost` wherever Supervisor's methods are, by whatever name.

use provost_wire::methods::{self, Method};
use provost_wire::twiddler;

/// What one name publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interface {
    /// Supervisor's methods.
    Supervisor,
    /// Those of supervisor_twiddler; of these only the ones that the list names may be called, where it names any.
    Twiddler { whitelist: Vec<String> },
}

/// All names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces(Vec<(String, Interface)>);

/// A method that was found, and who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    System(&'static Method),
    Supervisor(&'static Method),
    Own(&'static Method),
    Twiddler(&'static Method, &'a [String]),
}

impl Found<'_> {
    pub(crate) fn row(self) -> &'static Method {
        match self {
            Found::System(row) | Found::Supervisor(row) | Found::Own(row) | Found::Twiddler(row, _) => row,
        }
    }
}

impl Namespaces {
    /// Of two interfaces with one name the first counts, and of ours none can be replaced.
    pub fn new(all: impl IntoIterator<Item = (String, Interface)>) -> Namespaces {
        let mut kept: Vec<(String, Interface)> = Vec::new();
        for (name, interface) in all {
            // What has a dot in it could not be called.
            let is_taken = matches!(&*name, "system" | "provost") || name.contains('.');
            if !is_taken && !kept.iter().any(|(known, _)| *known == name) {
                kept.push((name, interface));
            }
        }
        Namespaces(kept)
    }

    pub(crate) fn find(&self, method: &str) -> Option<Found<'_>> {
        let (namespace, name) = method.split_once('.')?;
        match namespace {
            "system" => methods::find(method).map(Found::System),
            "provost" => methods::find(method).filter(|_| self.has_supervisor()).map(Found::Own),
            _ => match &self.0.iter().find(|(known, _)| known == namespace)?.1 {
                Interface::Supervisor => methods::find(&format!("{SUPERVISOR}{name}")).map(Found::Supervisor),
                Interface::Twiddler { whitelist } => {
                    twiddler::find(name).map(|row| Found::Twiddler(row, whitelist))
                }
            },
        }
    }

    /// Every name, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let all = methods::names();
        let supervisors = || all.iter().filter_map(|name| name.strip_prefix(SUPERVISOR));
        let ours = all.iter().filter(|name| {
            name.starts_with("system.") || (name.starts_with("provost.") && self.has_supervisor())
        });
        let mut names: Vec<String> = ours.map(|name| (*name).to_owned()).collect();
        for (namespace, interface) in &self.0 {
            match interface {
                Interface::Supervisor => {
                    names.extend(supervisors().map(|name| format!("{namespace}.{name}")));
                }
                Interface::Twiddler { .. } => {
                    names.extend(twiddler::METHODS.iter().map(|row| format!("{namespace}.{}", row.name)));
                }
            }
        }
        names.sort_unstable();
        names
    }

    fn has_supervisor(&self) -> bool {
        self.0.iter().any(|(_, interface)| *interface == Interface::Supervisor)
    }
}

/// What Supervisor's methods are called in the table.
const SUPERVISOR: &str = "supervisor.";

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Namespaces {
        let twiddler = Interface::Twiddler { whitelist: Vec::new() };
        Namespaces::new([
            ("foo".to_owned(), Interface::Supervisor),
            ("foo".to_owned(), twiddler.clone()),
            ("system".to_owned(), Interface::Supervisor),
            ("t".to_owned(), twiddler),
        ])
    }

    #[test]
    fn a_name_stands_for_what_the_configuration_says() {
        let names = some();
        assert_eq!(names.find("foo.startProcess").unwrap().row().name, "supervisor.startProcess");
        assert_eq!(names.find("foo.getVersion").unwrap().row().name, "supervisor.getAPIVersion");
        assert_eq!(names.find("t.log").unwrap().row().name, "log");
        for unknown in [
            "supervisor.startProcess",
            "foo.log",
            "t.startProcess",
            "foo.supervisor.startProcess",
            "foo.",
            "foo",
            ".",
            "system.startProcess",
        ] {
            assert_eq!(names.find(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn everything_that_is_listed_is_found() {
        let names = some();
        let listed = names.names();
        assert!(listed.is_sorted());
        assert!(listed.iter().all(|name| names.find(name).is_some()));
        for one in ["foo.getPID", "t.getGroupNames", "system.multicall", "provost.upgrade"] {
            assert!(listed.iter().any(|name| name == one), "{one}");
        }
        let bare = Namespaces::new([]).names();
        assert!(bare.len() == 4 && bare.iter().all(|name| name.starts_with("system.")), "{bare:?}");
    }
}
