//! Which supervisord runs on this machine, as far as `/proc` and a pidfile tell.
//!
//! For hints only, after nobody has answered: nothing is asked of a process, and nothing is done to one. It may be
//! Supervisor's, a Python script, or ours.

use std::path::{Path, PathBuf};

use provost_config::{Cli, Files, Lenient, parse_supervisord};

/// A supervisord that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    /// As it was typed, with blanks between the words.
    pub(crate) command: String,
    /// What its `-c` names, absolute where we may know.
    pub(crate) configuration: Option<PathBuf>,
}

/// What a pidfile leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// There is no such file, or nothing in it.
    Nobody,
    Gone(u32),
    Supervisord(Running),
    /// Some other program has that number by now.
    Stranger(u32, String),
}

/// `/proc`, or what a test has put in its place.
#[derive(Debug)]
pub(crate) struct Processes {
    root: PathBuf,
}

impl Default for Processes {
    fn default() -> Processes {
        Processes { root: PathBuf::from("/proc") }
    }
}

impl Processes {
    pub(crate) fn owner(&self, pidfile: &Path, files: &dyn Files) -> Owner {
        let text = files.read_small(pidfile).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(pid) = text.and_then(|text| text.trim().parse().ok()) else { return Owner::Nobody };
        if !self.root.join(format!("{pid}")).exists() {
            return Owner::Gone(pid);
        }
        match self.supervisord(pid, files) {
            Some(running) => Owner::Supervisord(running),
            None => Owner::Stranger(pid, self.read(pid, "comm").trim().to_owned()),
        }
    }

    /// By pid.
    pub(crate) fn all(&self, files: &dyn Files) -> Vec<Running> {
        let Ok(entries) = std::fs::read_dir(&self.root) else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut all: Vec<Running> = pids.filter_map(|pid| self.supervisord(pid, files)).collect();
        all.sort_by_key(|running| running.pid);
        all
    }

    fn supervisord(&self, pid: u32, files: &dyn Files) -> Option<Running> {
        let cmdline = self.read(pid, "cmdline");
        let words: Vec<String> = cmdline.split_terminator('\0').map(str::to_owned).collect();
        let name = |at: usize| Some(Path::new(words.get(at)?).file_name()?.to_string_lossy().into_owned());
        let is_script = name(0)?.starts_with("python") && name(1).is_some_and(|name| name == "supervisord");
        // Our brain has the command line of its keeper, whose pid it is that everybody knows.
        if !(is_script || name(0)? == "supervisord") || self.read(pid, "comm").trim() == "provost-brain" {
            return None;
        }
        let arguments = &words[if is_script { 2 } else { 1 }..];
        let configuration = match parse_supervisord(arguments, &Lenient::new(files)) {
            Ok(Cli::Run(options)) => options.configuration.map(PathBuf::from),
            _ => None,
        };
        let cwd = std::fs::read_link(self.root.join(format!("{pid}/cwd"))).unwrap_or_default();
        Some(Running {
            pid,
            command: words.join(" "),
            configuration: configuration.map(|path| cwd.join(path)),
        })
    }

    fn read(&self, pid: u32, what: &str) -> String {
        let bytes = std::fs::read(self.root.join(format!("{pid}/{what}"))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use provost_config::MemoryFiles;

    /// A directory that looks like `/proc`, and is gone with this.
    pub(crate) struct Machine(PathBuf);

    impl Machine {
        pub(crate) fn processes(&self) -> Processes {
            Processes { root: self.0.clone() }
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// Pids with their short names and command lines.
    pub(crate) fn machine(name: &str, running: &[(u32, &str, &[&str])]) -> Machine {
        let root = std::env::temp_dir().join(format!("provost-ctl-proc-{name}-{}", std::process::id()));
        for (pid, comm, words) in running {
            let dir = root.join(pid.to_string());
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("comm"), format!("{comm}\n")).unwrap();
            std::fs::write(
                dir.join("cmdline"),
                words.iter().map(|word| format!("{word}\0")).collect::<String>(),
            )
            .unwrap();
            std::os::unix::fs::symlink("/srv", dir.join("cwd")).unwrap();
        }
        std::fs::create_dir_all(&root).unwrap();
        Machine(root)
    }

    #[test]
    fn a_supervisord_is_known_by_its_command_line() {
        let machine = machine(
            "known",
            &[
                (7, "supervisord", &["/usr/bin/supervisord", "-nc", "etc/s.conf"]),
                (8, "provost-brain", &["/usr/bin/supervisord", "-nc", "etc/s.conf"]),
                (9, "supervisord", &["/usr/bin/python3", "/usr/bin/supervisord", "--conf=/x.conf"]),
                (10, "vi", &["vi", "supervisord"]),
                (11, "kthreadd", &[]),
            ],
        );
        let all = machine.processes().all(&MemoryFiles::default());
        assert_eq!(all.iter().map(|running| running.pid).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(all[0].command, "/usr/bin/supervisord -nc etc/s.conf");
        assert_eq!(all[0].configuration, Some("/srv/etc/s.conf".into()));
        assert_eq!(all[1].configuration, Some("/x.conf".into()));
    }

    #[test]
    fn a_pidfile_may_lead_to_anybody() {
        let machine =
            machine("pidfile", &[(7, "supervisord", &["supervisord"]), (10, "vi", &["vi", "supervisord"])]);
        let processes = machine.processes();
        let owner = |text: &str| processes.owner(Path::new("/pid"), &MemoryFiles::with("/pid", text));
        assert!(matches!(owner("7\n"), Owner::Supervisord(running) if running.pid == 7));
        assert_eq!(owner("10"), Owner::Stranger(10, "vi".to_owned()));
        assert_eq!(owner("12\n"), Owner::Gone(12));
        assert_eq!(owner(""), Owner::Nobody);
        assert_eq!(processes.owner(Path::new("/none"), &MemoryFiles::default()), Owner::Nobody);
    }
}
