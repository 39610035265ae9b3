//! A program that no file knows: its options come from somebody who adds it to a group at run time.
//!
//! In: the configuration that it is to fit in, read again through [`Files`], and options as a section would have them. Out: its
//! processes. Nothing else of the configuration is looked at but what every program inherits from `[supervisord]`; values
//! stand as they are given, so none of them can smuggle in a section.

use std::path::Path;
use std::sync::Arc;

use crate::errors::Errors;
use crate::expand::Scope;
use crate::ini::Ini;
use crate::program::{self, Common};
use crate::reading::Reading;
use crate::{CliOverrides, Files, ProcessConfig, ProcessKind, supervisord};

/// Reads a program for the group of this name. The error is the first, in Supervisor's words.
pub fn load_program(
    path: &Path,
    cli: &CliOverrides,
    files: &dyn Files,
    (group, program): (&str, &str),
    options: &[(String, String)],
) -> Result<Vec<Arc<ProcessConfig>>, String> {
    let first = |errors: Errors| errors.first().as_supervisor_says();
    if program.trim().is_empty() {
        return Err("a program needs a name".to_owned());
    }
    let mut reading = Reading::open(path, files).map_err(first)?;
    reading.follow_includes().map_err(first)?;
    let env = Scope::default().env(files.env());
    let scope = Scope::within(&env).text("here", &reading.here);
    let (daemon, _) = supervisord::read(&reading, cli, &scope);
    let env = Scope::within(&env).env(&daemon.environment);
    let scope = Scope::within(&env).text("here", &reading.here);
    let name = format!("program:{program}");
    reading.ini = Ini::of_section(&reading.path, &name, options);
    let common = Common {
        reading: &reading,
        scope: &scope,
        environment: &daemon.environment,
        overflow: daemon.log_overflow,
    };
    let processes = program::processes(&common, &name, group, ProcessKind::Program);
    reading.finish().map_err(first)?;
    Ok(processes.into_iter().map(Arc::new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    const PATH: &str = "/etc/s.conf";
    const TEXT: &str =
        "[supervisord]\nenvironment=A=\"1\"\n[DEFAULT]\npriority=7\n[program:x]\ncommand=other\n";

    fn load(program: &str, options: &[(&str, &str)]) -> Result<Vec<Arc<ProcessConfig>>, String> {
        let options: Vec<_> = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let files = MemoryFiles::with(PATH, TEXT);
        load_program(Path::new(PATH), &CliOverrides::default(), &files, ("g", program), &options)
    }

    #[test]
    fn a_program_is_read_as_if_it_stood_in_the_file() {
        let options = [
            ("command", "%(here)s/x %(ENV_A)s %(group_name)s"),
            ("numprocs", "2"),
            ("process_name", "%(program_name)s%(process_num)d"),
        ];
        let read = load("x", &options).unwrap();
        let names: Vec<&str> = read.iter().map(|process| process.name.as_str()).collect();
        assert_eq!(names, ["x0", "x1"]);
        assert_eq!(read[0].command, "/etc/x 1 g");
        assert_eq!(read[0].environment["A"], "1");
        // The plug-in does not look at [DEFAULT] either.
        assert_eq!(read[0].priority, 999);
    }

    #[test]
    fn refusals_are_in_supervisors_words() {
        let suffix = " in section 'program:y' (file: '/etc/s.conf')";
        let none = load("y", &[]).unwrap_err();
        assert_eq!(none, format!("program section program:y does not specify a command{suffix}"));
        let value = load("y", &[("command", "x"), ("autostart", "nonsense")]).unwrap_err();
        assert_eq!(value, format!("not a valid boolean value: 'nonsense'{suffix}"));
        assert_eq!(
            load("a:b", &[("command", "x")]).unwrap_err(),
            "Invalid name: 'a:b' because of character: ':' in section 'program:a:b' (file: '/etc/s.conf')"
        );
        assert!(load("", &[("command", "x")]).is_err());
    }

    #[test]
    fn a_value_is_nothing_but_a_value() {
        let read =
            load("y", &[("command", "/bin/sh -c 'a ; b'"), ("directory", "/tmp\n[program:evil]")]).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].command, "/bin/sh -c 'a ; b'");
    }
}
