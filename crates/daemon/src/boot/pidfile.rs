//! The pidfile: the keeper's pid and a newline, locked as long as the keeper lives, removed at the end if it is still
//! ours (SPEC 1.8 step 12).
//!
//! In: a path. Out: a pidfile that names us, or the refusal to start beside a living supervisord of the same pidfile.
//! The lock belongs to the open file (F_OFD_SETLK), and only the keeper keeps that: so it outlives every brain, ends
//! with the keeper however that ends, and no program inherits it. It is a write lock, which needs the right to write:
//! who may only read the file cannot keep us from starting. A pidfile that cannot be locked or written is no reason
//! not to start: that is how it has always been.
//!
//! Not here: removing a pidfile that another instance has made meanwhile, or a device.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use provost_config::LogLevel;
use provost_keeper::{Link, ToKeeper};
use rustix::fs::OFlags;

use super::Refusal;
use crate::logs::MainLog;

/// The keeper holds the locked file under this and its path.
const HELD_AS: &str = "pidfile:";
/// A lock may still belong to somebody who is about to end, or to have written whose it is.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A file, whatever its name is by now.
type FileId = (u64, u64);

#[derive(Debug)]
pub(super) struct Pidfile {
    path: PathBuf,
    pid: i32,
    /// What we wrote.
    ours: Option<FileId>,
    /// Why there is no lock, for the log.
    unlocked: Option<String>,
}

/// Whose a pidfile is.
enum Owner {
    /// Ours, locked.
    Us(File),
    /// The file is not there.
    Nobody,
    /// Whoever wants to write it may: it can have no lock, for this reason if there is anything odd about it.
    Anybody(Option<String>),
    /// A supervisord that lives, with its pid if that is known.
    Another(Option<i32>),
}

impl Pidfile {
    /// A pidfile of this name, not written yet.
    pub(super) fn named(path: &Path, pid: i32) -> Pidfile {
        Pidfile { path: path.to_owned(), pid, ours: None, unlocked: None }
    }

    /// The pidfile of an earlier brain, if the keeper holds one: whatever the configuration says by now.
    pub(super) fn resumed(held: &mut Vec<(String, OwnedFd)>, pid: i32) -> Option<Pidfile> {
        let at = held.iter().position(|(name, _)| name.starts_with(HELD_AS))?;
        let (name, fd) = held.swap_remove(at);
        let locked = File::from(fd).metadata().ok().map(|meta| id(&meta));
        let path = PathBuf::from(&name[HELD_AS.len()..]);
        // Somebody may have removed it, or made another in its place.
        let ours = locked.filter(|locked| id_of(&path) == Some(*locked));
        Some(Pidfile { path, pid, ours, unlocked: None })
    }

    /// Takes a pidfile that somebody left behind; refuses where that somebody lives.
    ///
    /// Nothing is made where there is none: a pidfile that appears promises sockets that listen.
    pub(super) fn claim(&mut self, link: &mut Link) -> Result<(), AlreadyRunning> {
        self.take(false, link).map(|_| ())
    }

    /// Writes it; a daemon without a pidfile is better than none, so failure is only said.
    pub(super) fn write(&mut self, log: &mut MainLog, link: &mut Link) -> Result<(), AlreadyRunning> {
        if self.ours.is_some() && self.ours == id_of(&self.path) {
            return Ok(());
        }
        let written = self.take(true, link)?;
        if let Some(why) = &self.unlocked {
            log.write(LogLevel::Warn, why);
        }
        if !written {
            self.say_unwritten(log);
        }
        Ok(())
    }

    /// The same where programs run already, and no other supervisord may keep us from going on.
    pub(super) fn write_again(&mut self, log: &mut MainLog, link: &mut Link) {
        if self.write(log, link).is_err() {
            self.say_unwritten(log);
        }
    }

    /// Its path, if the file is ours and locked; or why not.
    pub(super) fn held(&self) -> Result<&Path, String> {
        match (&self.ours, &self.unlocked) {
            (Some(_), None) => Ok(&self.path),
            (Some(_), Some(_)) => Err("the pidfile is not locked".to_owned()),
            (None, _) => Err("there is no pidfile of ours".to_owned()),
        }
    }

    /// A device in the place of a pidfile says that none is wanted.
    pub(super) fn is_a_device(&self) -> bool {
        self.path.metadata().is_ok_and(|meta| !meta.is_file())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn remove(&self) {
        if self.ours.is_some() && self.ours == id_of(&self.path) {
            // Somebody else may have removed it already.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn say_unwritten(&self, log: &mut MainLog) {
        log.write(LogLevel::Critical, &format!("could not write pidfile {}", self.path.display()));
    }

    /// Makes the file ours and writes the pid; false where it is not there, or cannot be written.
    fn take(&mut self, create: bool, link: &mut Link) -> Result<bool, AlreadyRunning> {
        match owner(&self.path, self.pid, create) {
            Owner::Another(pid) => Err(AlreadyRunning { pid, path: self.path.clone() }),
            Owner::Nobody => Ok(false),
            Owner::Anybody(_) if !create => Ok(false),
            Owner::Anybody(why) => {
                self.unlocked = why;
                let file = writing().create(true).open(&self.path);
                Ok(file.is_ok_and(|file| self.write_down(&file)))
            }
            Owner::Us(file) => {
                let written = self.write_down(&file);
                let name = format!("{HELD_AS}{}", self.path.display());
                // Only the keeper keeps it, so that the lock ends when the keeper does. If it cannot be told, this
                // brain is about to end, too.
                let _ = link.send(ToKeeper::Hold { name, fd: file.into() });
                Ok(written)
            }
        }
    }

    fn write_down(&mut self, file: &File) -> bool {
        let line = format!("{}\n", self.pid);
        // Cut only after the write, so that nobody ever reads an empty pidfile. A device cannot be cut.
        let written = file.write_all_at(line.as_bytes(), 0).and_then(|()| {
            let meta = file.metadata()?;
            if meta.is_file() { file.set_len(line.len() as u64).map(|()| Some(id(&meta))) } else { Ok(None) }
        });
        match written {
            Ok(ours) => {
                self.ours = ours;
                true
            }
            Err(_) => false,
        }
    }
}

/// Another supervisord has this pidfile.
#[derive(Debug)]
pub(super) struct AlreadyRunning {
    pid: Option<i32>,
    path: PathBuf,
}

impl AlreadyRunning {
    /// For the person who tried to start a second one; `also` is what else is already taken.
    pub(super) fn refusal(&self, also: Option<&str>) -> Refusal {
        let path = self.path.display();
        let (who, how) = match self.pid {
            Some(pid) => {
                (format!("supervisord is already running with pid {pid}"), format!(" ('kill {pid}')"))
            }
            None => ("another supervisord is just starting".to_owned(), String::new()),
        };
        let told = format!(
            "{who}: it holds the pidfile {path}; stop it first{how}, or give this one a pidfile of its own"
        );
        Refusal::usage(also.map_or(told.clone(), |also| format!("{also}\n{told}")))
    }
}

/// Finds out whose the pidfile is, and makes it ours if it is nobody's.
fn owner(path: &Path, our_pid: i32, create: bool) -> Owner {
    let patience = Instant::now() + PATIENCE;
    loop {
        let mut file = match open(path, create) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Owner::Nobody,
            Err(_) => return Owner::Anybody(None),
        };
        // Of a file that cannot even be looked at nothing can be said; a device, a pipe has no owner.
        let Some(meta) = file.metadata().ok().filter(Metadata::is_file) else { return Owner::Anybody(None) };
        match lock(&file) {
            // Its last owner may have removed it between our two calls.
            Ok(Lock::Ours) if id_of(path) == Some(id(&meta)) => return Owner::Us(file),
            Ok(Lock::Ours) => continue,
            Ok(Lock::OfAReader) => {
                return Owner::Anybody(Some(not_locked(path, "somebody reads it under a lock")));
            }
            Ok(Lock::OfAnother) => {}
            Err(errno) => return Owner::Anybody(Some(not_locked(path, &format!("{errno:?}")))),
        }
        let named = pid_in(&mut file);
        if let Some(pid) = named.filter(|pid| *pid != our_pid && has_open(*pid, id(&meta))) {
            return Owner::Another(Some(pid));
        }
        // Two that are both PID 1: containers that share a directory.
        let foreign = named == Some(our_pid);
        if foreign || Instant::now() >= patience {
            return match named {
                Some(_) => {
                    Owner::Anybody(Some(not_locked(path, "it belongs to another container or machine")))
                }
                None => Owner::Another(None),
            };
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn not_locked(path: &Path, why: &str) -> String {
    format!(
        "pidfile {} is not locked ({why}): a second supervisord would start beside this one",
        path.display()
    )
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    writing().read(true).create(create).open(path)
}

/// A pipe without a reader must not hold us up.
fn writing() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).truncate(false).custom_flags(OFlags::NONBLOCK.bits() as i32);
    options
}

enum Lock {
    Ours,
    OfAnother,
    /// We never lock for reading: this is somebody who cannot write the file.
    OfAReader,
}

fn lock(file: &File) -> Result<Lock, Errno> {
    let mut wanted = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&wanted)) {
        Ok(_) => return Ok(Lock::Ours),
        Err(Errno::EAGAIN | Errno::EACCES) => {}
        Err(e) => return Err(e),
    }
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut wanted))?;
    let of_a_reader = i32::from(wanted.l_type) == libc::F_RDLCK;
    Ok(if of_a_reader { Lock::OfAReader } else { Lock::OfAnother })
}

fn pid_in(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0)
}

/// Whether this process has the file open, as the owner of a lock must; where we may not know, it is believed.
fn has_open(pid: i32, file: FileId) -> bool {
    match std::fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(descriptors) => descriptors.flatten().any(|fd| id_of(&fd.path()) == Some(file)),
        Err(e) => e.kind() == io::ErrorKind::PermissionDenied,
    }
}

fn id(meta: &Metadata) -> FileId {
    (meta.dev(), meta.ino())
}

fn id_of(path: &Path) -> Option<FileId> {
    path.metadata().ok().map(|meta| id(&meta))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: i32 = 99_999_999;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let path = std::env::temp_dir().join(format!("provost-pidfile-{}-{name}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Dir(path)
        }

        fn pidfile(&self, text: &str) -> PathBuf {
            let path = self.0.join("pid");
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            // What is left of it in the temporary directory does no harm.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn lock_for(path: &Path, kind: i32) -> File {
        let file = OpenOptions::new().read(true).write(kind == libc::F_WRLCK).open(path).unwrap();
        let wanted = libc::flock {
            l_type: kind as i16,
            l_whence: libc::SEEK_SET as i16,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_OFD_SETLK(&wanted)).unwrap();
        file
    }

    fn told(owner: &Owner) -> String {
        match owner {
            Owner::Us(_) => "us".to_owned(),
            Owner::Nobody => "nobody".to_owned(),
            Owner::Anybody(why) => why.clone().unwrap_or_else(|| "anybody".to_owned()),
            Owner::Another(pid) => format!("another {pid:?}"),
        }
    }

    #[test]
    fn what_nobody_locks_is_ours_whoever_it_names() {
        let dir = Dir::new("stale");
        assert_eq!(told(&owner(&dir.0.join("pid"), OURS, false)), "nobody");
        // The first is dead, the second, this very process, lives and has nothing to do with it.
        for text in [format!("{}\n", i32::MAX), format!("{}\n", std::process::id()), "no number".to_owned()] {
            assert_eq!(told(&owner(&dir.pidfile(&text), OURS, false)), "us", "{text}");
        }
        std::fs::remove_file(dir.0.join("pid")).unwrap();
        assert_eq!(told(&owner(&dir.0.join("pid"), OURS, true)), "us");
    }

    #[test]
    fn whoever_it_names_and_has_it_open_under_a_lock_owns_it() {
        let dir = Dir::new("taken");
        let us = std::process::id() as i32;
        let path = dir.pidfile(&format!("{us}\n"));
        let lock = lock_for(&path, libc::F_WRLCK);
        assert_eq!(told(&owner(&path, OURS, false)), format!("another Some({us})"));
        // The lock lasts as long as anybody has a copy of that open file.
        let copy = lock.try_clone().unwrap();
        drop(lock);
        assert_eq!(told(&owner(&path, OURS, false)), format!("another Some({us})"));
        drop(copy);
        assert_eq!(told(&owner(&path, OURS, false)), "us");
    }

    #[test]
    fn a_lock_of_one_who_has_not_said_who_it_is_is_respected() {
        let dir = Dir::new("unsaid");
        let path = dir.pidfile("");
        let _lock = lock_for(&path, libc::F_WRLCK);
        assert_eq!(told(&owner(&path, OURS, true)), "another None");
    }

    #[test]
    fn a_lock_from_another_container_is_no_reason_not_to_start() {
        let dir = Dir::new("foreign");
        for named in [OURS, i32::MAX] {
            let path = dir.pidfile(&format!("{named}\n"));
            let _lock = lock_for(&path, libc::F_WRLCK);
            let told = told(&owner(&path, OURS, false));
            assert!(told.contains("is not locked (it belongs to another container or machine)"), "{told}");
        }
    }

    #[test]
    fn who_may_only_read_it_cannot_keep_us_from_starting() {
        let dir = Dir::new("reader");
        let path = dir.pidfile("1\n");
        let _lock = lock_for(&path, libc::F_RDLCK);
        let told = told(&owner(&path, OURS, false));
        assert!(told.contains("is not locked (somebody reads it under a lock)"), "{told}");
    }

    #[test]
    fn devices_have_no_owner() {
        assert_eq!(told(&owner(Path::new("/dev/null"), OURS, true)), "anybody");
    }
}
