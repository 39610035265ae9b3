//! The machine as `--check` sees it: whatever only this machine lacks is there.
//!
//! A file is checked where it is written, which is seldom where it will run. So
//! every directory exists, every account is known, by [`User::UNKNOWN`] where it
//! has no number here, and temporary files go to `/tmp`. Files to read, home
//! directories and variables stay what they are.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Files, User};

/// A wrapper around another machine.
#[derive(Clone, Copy)]
pub struct Lenient<'a> {
    machine: &'a dyn Files,
}

impl<'a> Lenient<'a> {
    pub fn new(machine: &'a dyn Files) -> Lenient<'a> {
        Lenient { machine }
    }
}

impl std::fmt::Debug for Lenient<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lenient").finish_non_exhaustive()
    }
}

impl Files for Lenient<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.machine.read(path)
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        self.machine.glob(pattern)
    }

    fn is_dir(&self, _: &Path) -> bool {
        true
    }

    fn exists(&self, path: &Path) -> bool {
        self.machine.exists(path)
    }

    fn user(&self, name: &str) -> Option<User> {
        let unknown = || User { name: name.to_owned(), uid: User::UNKNOWN, gid: User::UNKNOWN };
        Some(self.machine.user(name).unwrap_or_else(unknown))
    }

    fn user_by_id(&self, uid: u32) -> Option<User> {
        let unknown = || User { name: uid.to_string(), uid, gid: User::UNKNOWN };
        Some(self.machine.user_by_id(uid).unwrap_or_else(unknown))
    }

    fn group(&self, name: &str) -> Option<u32> {
        Some(self.machine.group(name).unwrap_or(User::UNKNOWN))
    }

    fn group_exists(&self, _: u32) -> bool {
        true
    }

    fn home(&self, user: Option<&str>) -> Option<PathBuf> {
        self.machine.home(user)
    }

    fn env(&self) -> &BTreeMap<String, String> {
        self.machine.env()
    }

    fn hostname(&self) -> String {
        self.machine.hostname()
    }

    fn cwd(&self) -> PathBuf {
        self.machine.cwd()
    }

    fn temp_dir(&self) -> PathBuf {
        PathBuf::from("/tmp")
    }

    fn uid(&self) -> u32 {
        self.machine.uid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CliOverrides, Errors, MemoryFiles, load};

    const TEXT: &str = "[supervisord]\nuser=nobody\nlogfile=/no/x.log\n[program:a]\ncommand=x\nuser=4711\n\
                        [unix_http_server]\nfile=/no/s\nchown=web:nogroup\n";

    fn read(lenient: bool) -> Result<crate::Config, Errors> {
        let files = MemoryFiles::with("/etc/s.conf", TEXT);
        let wrapped = Lenient::new(&files);
        let files: &dyn Files = if lenient { &wrapped } else { &files };
        load(Path::new("/etc/s.conf"), &CliOverrides::default(), files)
    }

    #[test]
    fn what_only_the_machine_lacks_is_no_error() {
        assert_eq!(read(false).unwrap_err().iter().count(), 4);
        let config = read(true).unwrap();
        let user = config.supervisord.user.unwrap();
        assert_eq!((&*user.name, user.uid, user.gid), ("nobody", User::UNKNOWN, User::UNKNOWN));
        assert_eq!(config.groups[0].processes[0].user.as_ref().unwrap().uid, 4711);
        assert_eq!(config.supervisord.childlogdir, PathBuf::from("/tmp"));
    }
}
