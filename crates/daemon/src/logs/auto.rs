//! Log files whose names we choose: `CHILDLOGDIR/PROCESS-CHANNEL---IDENTIFIER-RANDOM.log` (SPEC 4.4).
//!
//! They are made when a group is added and live until the next start of the daemon cleans up. A brain that
//! takes over running programs is told by the keeper which they are, and goes on with them: four texts for each, with a NUL
//! behind every one, and a header that the first version did not have.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::kept::{self, StateError, Understood, Versions};

/// The letters of the random part, as Python's `tempfile` chooses them.
const LETTERS: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
const RANDOM: usize = 8;
const SUFFIX: &str = ".log";

const WHAT: &str = "the list of automatic log files";

/// Automatic files of one daemon.
#[derive(Debug)]
pub(crate) struct AutoLogs {
    directory: PathBuf,
    identifier: String,
    /// The files in use, by group, process and channel.
    files: BTreeMap<[String; 3], PathBuf>,
    /// The next brain does not know all of them yet.
    unwritten: bool,
}

impl AutoLogs {
    /// The name under which the keeper holds the list of files for the next brain.
    pub(crate) const HELD_AS: &str = "auto-logs";

    pub(crate) fn new(directory: PathBuf, identifier: String) -> AutoLogs {
        AutoLogs { directory, identifier, files: BTreeMap::new(), unwritten: false }
    }

    /// Goes on with the files of an earlier brain, as [`AutoLogs::take_unwritten`] told them.
    pub(crate) fn resume(&mut self, kept: &[u8], understood: &Understood) -> Result<(), StateError> {
        // At first it had no header.
        let (version, kept) = kept::split_header(Self::HELD_AS, kept).unwrap_or((1, kept));
        StateError::unless_understood(WHAT, version, understood)?;
        let mut parts: Vec<&[u8]> = kept.split(|byte| *byte == 0).collect();
        let behind_the_last = parts.pop();
        if behind_the_last != Some(b"") || !parts.len().is_multiple_of(4) {
            return Err(StateError::damaged(WHAT, "it ends too early"));
        }
        for entry in parts.chunks_exact(4) {
            let [group, process, channel] =
                [entry[0], entry[1], entry[2]].map(|text| String::from_utf8_lossy(text).into_owned());
            self.files.insert([group, process, channel], OsStr::from_bytes(entry[3]).into());
        }
        Ok(())
    }

    /// All that the next brain has to know, if that has changed since the last call.
    pub(crate) fn take_unwritten(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.unwritten) {
            return None;
        }
        let mut bytes = kept::header(Self::HELD_AS, *Versions::OURS.auto_logs.end());
        for (key, path) in &self.files {
            for part in key.iter().map(String::as_bytes).chain([path.as_os_str().as_bytes()]) {
                bytes.extend(part);
                bytes.push(0);
            }
        }
        Some(bytes)
    }

    /// The file for one output of a process.
    pub(crate) fn make(&mut self, group: &str, process: &str, channel: &str) -> io::Result<PathBuf> {
        let key = [group, process, channel].map(str::to_owned);
        if let Some(path) = self.files.get(&key) {
            return Ok(path.clone());
        }
        loop {
            let name = format!("{process}-{channel}---{}-{}{SUFFIX}", self.identifier, random_part()?);
            let path = self.directory.join(name);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(_) => {
                    self.files.insert(key, path.clone());
                    self.unwritten = true;
                    return Ok(path);
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The group is gone; its files stay until the next start, and one of its name gets others.
    pub(crate) fn forget_group(&mut self, group: &str) {
        let before = self.files.len();
        self.files.retain(|[of, ..], _| of != group);
        self.unwritten |= self.files.len() != before;
    }

    /// The same of one process.
    pub(crate) fn forget(&mut self, group: &str, process: &str) {
        let before = self.files.len();
        self.files.retain(|[of, name, _], _| of != group || name != process);
        self.unwritten |= self.files.len() != before;
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
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

    fn logs(name: &str) -> AutoLogs {
        let directory = std::env::temp_dir().join(format!("provost-auto-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        AutoLogs::new(directory, "supervisor".into())
    }

    #[test]
    fn each_start_makes_new_files_and_removes_the_old() {
        let mut first = logs("clean");
        let a = first.make("web", "web", "stdout").unwrap();
        let mut second = logs("clean");
        let b = second.make("web", "web", "stdout").unwrap();
        assert_ne!(a, b);
        let kept = first.directory.join("web-stdout---other-abcdefgh.log");
        let rotated = PathBuf::from(format!("{}.3", a.display()));
        for path in [&kept, &rotated] {
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(second.clean_up().unwrap(), Vec::<PathBuf>::new());
        assert!(!a.exists() && !b.exists() && !rotated.exists() && kept.exists());
        std::fs::remove_dir_all(first.directory).unwrap();
    }

    #[test]
    fn a_brain_that_takes_over_goes_on_with_the_files_of_each_process() {
        let mut first = logs("adopt");
        let mut make = |group, channel| first.make(group, "00", channel).unwrap();
        let [x, y, x_err] = [make("x", "stdout"), make("y", "stdout"), make("x", "stderr")];
        let kept = first.take_unwritten().unwrap();
        assert_eq!(first.take_unwritten(), None, "nothing has changed since");
        let mut second = logs("adopt");
        second.resume(&kept, &Versions::OURS.auto_logs).unwrap();
        for (group, channel, path) in [("x", "stdout", &x), ("y", "stdout", &y), ("x", "stderr", &x_err)] {
            assert_eq!(second.make(group, "00", channel).unwrap(), *path);
        }
        assert_eq!(second.take_unwritten(), None);
        second.forget_group("x");
        assert_ne!(second.make("x", "00", "stdout").unwrap(), x);
        std::fs::remove_dir_all(first.directory).unwrap();
    }

    #[test]
    fn lists_of_every_version_are_understood_and_what_is_none_is_refused() {
        let path = |list: &[u8]| {
            let mut logs = AutoLogs::new("/var/log".into(), "supervisor".into());
            logs.resume(list, &Versions::OURS.auto_logs).map_err(|e| e.to_string())?;
            let key = ["g", "p", "stdout"].map(str::to_owned);
            Ok::<_, String>(logs.files.get(&key).map(|path| path.display().to_string()))
        };
        let found = Ok(Some("/var/log/p-stdout---supervisor-c_tlb3mn.log".to_owned()));
        assert_eq!(path(b"g\0p\0stdout\0/var/log/p-stdout---supervisor-c_tlb3mn.log\0"), found);
        let second = b"provost auto-logs 2\ng\0p\0stdout\0/var/log/p-stdout---supervisor-c_tlb3mn.log\0";
        assert_eq!(path(second), found);
        let cut = path(&second[..40]).unwrap_err();
        assert_eq!(cut, "the list of automatic log files is damaged: it ends too early");
        let newer = path(b"provost auto-logs 9\n").unwrap_err();
        assert_eq!(newer, "the list of automatic log files has version 9, and this build understands 1 to 2");
    }
}
