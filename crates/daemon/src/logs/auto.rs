//! Log files whose names we choose: `CHILDLOGDIR/PROCESS-CHANNEL---IDENTIFIER-RANDOM.log` (SPEC 4.4).
//!
//! They are made when a group is added and live until the next start of the daemon cleans up. A brain that
//! takes over running programs finds their files by name and goes on with them.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The letters of the random part, as Python's `tempfile` chooses them.
const LETTERS: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
const RANDOM: usize = 8;
const SUFFIX: &str = ".log";

/// Automatic files of one daemon.
#[derive(Debug, Clone)]
pub(crate) struct AutoLogs {
    pub(crate) directory: PathBuf,
    pub(crate) identifier: String,
    /// Files of an earlier brain are taken over, not left behind.
    pub(crate) adopt: bool,
}

impl AutoLogs {
    /// The file for one output of a process.
    pub(crate) fn make(&self, process: &str, channel: &str) -> io::Result<PathBuf> {
        let prefix = format!("{process}-{channel}---{}-", self.identifier);
        if self.adopt
            && let Some(path) = self.newest(&prefix)
        {
            return Ok(path);
        }
        loop {
            let path = self.directory.join(format!("{prefix}{}{SUFFIX}", random_part()?));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(_) => return Ok(path),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Removes the files of earlier runs, rotated ones too; returns those that could not be removed.
    pub(crate) fn clean_up(&self) -> io::Result<Vec<PathBuf>> {
        let mut stuck = Vec::new();
        for entry in std::fs::read_dir(&self.directory)?.flatten() {
            let ours = entry.file_name().to_str().is_some_and(|name| is_ours(name, &self.identifier));
            if ours && std::fs::remove_file(entry.path()).is_err() {
                stuck.push(entry.path());
            }
        }
        Ok(stuck)
    }

    fn newest(&self, prefix: &str) -> Option<PathBuf> {
        let fits = |name: &str| {
            let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
            random.is_some_and(|r| r.len() == RANDOM && r.bytes().all(|b| LETTERS.contains(&b)))
        };
        let found = std::fs::read_dir(&self.directory).ok()?.flatten();
        found
            .filter(|entry| entry.file_name().to_str().is_some_and(fits))
            .max_by_key(|entry| modified(&entry.path()))
            .map(|entry| entry.path())
    }
}

fn modified(path: &Path) -> SystemTime {
    path.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The pattern of SPEC 4.4: something, `---IDENTIFIER-`, no blanks, `.log`, and anything after that.
fn is_ours(name: &str, identifier: &str) -> bool {
    let marker = format!("---{identifier}-");
    let Some(at) = name.find(&marker).filter(|at| *at > 0) else { return false };
    let rest = &name[at + marker.len()..];
    rest.match_indices(SUFFIX).any(|(end, _)| end > 0 && !rest[..end].contains(char::is_whitespace))
}

fn random_part() -> io::Result<String> {
    let mut bytes = [0u8; RANDOM];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(name: &str, adopt: bool) -> AutoLogs {
        let directory = std::env::temp_dir().join(format!("provost-auto-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        AutoLogs { directory, identifier: "supervisor".into(), adopt }
    }

    #[test]
    fn each_start_makes_new_files_and_removes_the_old() {
        let logs = logs("clean", false);
        let [a, b] = [logs.make("web", "stdout").unwrap(), logs.make("web", "stdout").unwrap()];
        assert_ne!(a, b);
        let kept = logs.directory.join("web-stdout---other-abcdefgh.log");
        let rotated = PathBuf::from(format!("{}.3", a.display()));
        for path in [&kept, &rotated] {
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(logs.clean_up().unwrap(), Vec::<PathBuf>::new());
        assert!(!a.exists() && !b.exists() && !rotated.exists() && kept.exists());
        std::fs::remove_dir_all(logs.directory).unwrap();
    }

    #[test]
    fn a_brain_that_takes_over_goes_on_with_the_file() {
        let first = logs("adopt", false);
        let path = first.make("web", "stdout").unwrap();
        let second = AutoLogs { adopt: true, ..first.clone() };
        assert_eq!(second.make("web", "stdout").unwrap(), path);
        assert_ne!(second.make("web", "stderr").unwrap(), path);
        std::fs::remove_dir_all(first.directory).unwrap();
    }
}
