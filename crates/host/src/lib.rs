//! The machine, as the configuration asks for it: the real answer to [`Files`].
//!
//! A crate of its own because two programs read configurations, the daemon and its client, which must not know
//! each other, while `config` itself may not touch the system.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{AccessFlags, Gid, Group, Uid, User as Account, access, gethostname};
use provost_config::{Files, User, component_fits, has_wildcard};

/// How long somebody may think before he writes the next of a configuration into a pipe.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is larger is no configuration, but perhaps a device that never ends.
const LARGEST: u64 = 64 << 20;
/// What is larger is no file with a password in it.
const SMALL: u64 = 64 << 10;

/// The real machine. The environment is read once; it never changes while we run.
#[derive(Debug)]
pub struct Host {
    env: BTreeMap<String, String>,
    /// What relative paths are relative to: where the daemon was started.
    cwd: PathBuf,
}

impl Host {
    pub fn new() -> Host {
        let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
        Host {
            env: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        }
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.cwd.join(path)
    }
}

impl Default for Host {
    fn default() -> Host {
        Host::new()
    }
}

impl Files for Host {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        read_all(&self.at(path), PATIENCE)
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Nothing that could be waited for is opened in earnest.
        let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(self.at(path))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        if file.take(SMALL + 1).read_to_end(&mut bytes)? as u64 > SMALL {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 KiB"));
        }
        Ok(bytes)
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::from("/")];
        for component in pattern.split('/').filter(|component| !component.is_empty()) {
            found = found.iter().flat_map(|dir| children(dir, component)).collect();
        }
        found.sort();
        found
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.at(path).is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        self.at(path).exists()
    }

    fn user(&self, name: &str) -> Option<User> {
        Account::from_name(name).ok().flatten().map(user)
    }

    fn user_by_id(&self, uid: u32) -> Option<User> {
        Account::from_uid(Uid::from_raw(uid)).ok().flatten().map(user)
    }

    fn group(&self, name: &str) -> Option<u32> {
        Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
    }

    fn group_exists(&self, gid: u32) -> bool {
        Group::from_gid(Gid::from_raw(gid)).is_ok_and(|group| group.is_some())
    }

    fn home(&self, name: Option<&str>) -> Option<PathBuf> {
        match name {
            Some(name) => Account::from_name(name).ok().flatten().map(|account| account.dir),
            None => self
                .env
                .get("HOME")
                .map(PathBuf::from)
                .or_else(|| Account::from_uid(Uid::current()).ok().flatten().map(|account| account.dir)),
        }
    }

    fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    fn hostname(&self) -> String {
        gethostname().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn cwd(&self) -> PathBuf {
        self.cwd.clone()
    }

    /// As Python chooses it: the first of these that is a directory we may write to.
    fn temp_dir(&self) -> PathBuf {
        let named = ["TMPDIR", "TEMP", "TMP"].iter().filter_map(|name| self.env.get(*name));
        let usual = ["/tmp", "/var/tmp", "/usr/tmp"];
        named
            .map(PathBuf::from)
            .chain(usual.iter().map(PathBuf::from))
            .find(|dir| dir.is_dir() && access(dir, AccessFlags::W_OK).is_ok())
            .unwrap_or_else(|| self.cwd.clone())
    }

    fn uid(&self) -> u32 {
        Uid::current().as_raw()
    }
}

/// A regular file as it is. What comes through a pipe or from a terminal may be made while we read, but not for ever: the daemon does nothing else
/// meanwhile, so where nothing comes for long that is an error.
fn read_all(path: &Path, patience: Duration) -> io::Result<Vec<u8>> {
    let mut file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let is_waited_for = !file.metadata()?.is_file();
    let mut bytes = Vec::new();
    loop {
        if is_waited_for && !has_something(&file, patience)? {
            let text = format!(
                "it is no regular file, and nothing has come from it for {} seconds",
                patience.as_secs()
            );
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        match file.by_ref().take(LARGEST + 1).read_to_end(&mut bytes) {
            Err(e) if is_waited_for && e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
            Ok(_) if bytes.len() as u64 <= LARGEST => return Ok(bytes),
            Ok(_) => {}
        }
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than any configuration"));
        }
    }
}

/// Something to read, or the end.
fn has_something(pipe: &File, patience: Duration) -> io::Result<bool> {
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout) {
        Err(Errno::EINTR) => has_something(pipe, patience),
        ready => Ok(ready? > 0),
    }
}

fn user(account: Account) -> User {
    User { name: account.name, uid: account.uid.as_raw(), gid: account.gid.as_raw() }
}

/// The entries of a directory that fit one component of a pattern.
fn children(dir: &Path, component: &str) -> Vec<PathBuf> {
    if !has_wildcard(component) {
        let path = dir.join(component);
        return if path.symlink_metadata().is_ok() { vec![path] } else { Vec::new() };
    }
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| component_fits(component, name)))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_glob_lists_directories_and_sorts() {
        let dir = std::env::temp_dir().join(format!("provost-host-{}", std::process::id()));
        for name in ["b/x.conf", "a/y.conf", "a/.hidden.conf", "a/z.ini"] {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = Host::new().glob(&format!("{}/*/*.conf", dir.display()));
        assert_eq!(found, [dir.join("a/y.conf"), dir.join("b/x.conf")]);
        assert_eq!(Host::new().glob(&format!("{}/a/z.ini", dir.display())), [dir.join("a/z.ini")]);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_comes_through_a_pipe_is_waited_for_but_not_for_ever() {
        let path = std::env::temp_dir().join(format!("provost-host-pipe-{}", std::process::id()));
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let pipe = path.clone();
        let writer = std::thread::spawn(move || {
            let mut pipe = File::options().write(true).open(pipe).unwrap();
            pipe.write_all(b"[super").unwrap();
            // More than a pipe holds, so this goes on while it is read.
            pipe.write_all(&vec![b'x'; 100_000]).unwrap();
        });
        assert_eq!(Host::new().read(&path).unwrap().len(), 100_006);
        writer.join().unwrap();
        let _silent = File::options().read(true).write(true).open(&path).unwrap();
        let refused = read_all(&path, Duration::from_secs(1)).unwrap_err();
        assert_eq!(refused.to_string(), "it is no regular file, and nothing has come from it for 1 seconds");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_small_is_a_regular_file_and_not_large() {
        let path = std::env::temp_dir().join(format!("provost-host-small-{}", std::process::id()));
        let refusal = || Host::new().read_small(&path).unwrap_err().to_string();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(refusal(), "it is no regular file");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, vec![b'x'; 65536]).unwrap();
        assert_eq!(Host::new().read_small(&path).unwrap().len(), 65536);
        std::fs::write(&path, vec![b'x'; 65537]).unwrap();
        assert_eq!(refusal(), "it is larger than 64 KiB");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Host::new().read_small(Path::new("/")).unwrap_err().to_string(), "it is no regular file");
    }

    #[test]
    fn what_never_ends_is_no_configuration() {
        assert_eq!(Host::new().read(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn accounts_come_from_the_system() {
        let host = Host::new();
        assert_eq!(host.user("root").map(|user| (user.uid, user.gid)), Some((0, 0)));
        assert_eq!(host.user_by_id(0).map(|user| user.name), Some("root".into()));
        assert_eq!(host.user("no such user"), None);
        assert_eq!(host.group("root"), Some(0));
        assert!(host.group_exists(0));
    }
}
