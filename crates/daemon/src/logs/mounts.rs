//! On which mount a path lies, told without touching what is mounted there: a file system that hangs must not hold up whoever asks.
//!
//! In: mountinfo(5) of proc, and the links on the way to a log. Out: a number for each mount. The links are followed as far as the
//! root file system goes, and file systems that are known to be local; behind others the name alone decides.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};

/// Their answers come from this machine.
const LOCAL: [&[u8]; 14] = [
    b"aufs",
    b"bcachefs",
    b"btrfs",
    b"devtmpfs",
    b"ext2",
    b"ext3",
    b"ext4",
    b"f2fs",
    b"overlay",
    b"proc",
    b"ramfs",
    b"tmpfs",
    b"xfs",
    b"zfs",
];
/// There are devices there, and descriptors.
const WITHOUT_A_DISK: [&str; 3] = ["/dev", "/dev/pts", "/proc"];
/// As the kernel counts them on one path.
const MOST_LINKS: u32 = 40;

/// A mount, by the number that the kernel gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct MountId(pub(super) u64);

/// The same for threads that have no list of their own; 0 where no disk is behind it.
pub(crate) fn mount_of(path: &Path) -> u64 {
    static MOUNTS: LazyLock<Mutex<Mounts>> = LazyLock::new(Mutex::default);
    let mut mounts = MOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    mounts.of(path).map_or(0, |MountId(number)| number)
}

/// The mounts there are.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    file: Option<File>,
    /// In the order of mountinfo: of two on one place the later covers the earlier.
    all: Vec<Mount>,
}

#[derive(Debug)]
struct Mount {
    id: MountId,
    at: PathBuf,
    is_local: bool,
}

impl Mounts {
    /// Where this file lies, or would; nowhere where no disk is behind it: devices, descriptors.
    pub(super) fn of(&mut self, path: &Path) -> Option<MountId> {
        self.refresh();
        let mut links = MOST_LINKS;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let place = self.follow(&path, &mut links);
        let mount = self.at(&place)?;
        (!WITHOUT_A_DISK.contains(&&*mount.at.to_string_lossy())).then_some(mount.id)
    }

    /// Where this mount is.
    pub(super) fn name(&self, id: MountId) -> String {
        let mount = self.all.iter().find(|mount| mount.id == id);
        mount.map_or_else(|| "(unknown)".to_owned(), |mount| mount.at.display().to_string())
    }

    /// The path without the links in it, as far as one may look.
    fn follow(&self, path: &Path, links: &mut u32) -> PathBuf {
        let mut place = PathBuf::from("/");
        let mut rest = path.components();
        while let Some(component) = rest.next() {
            match component {
                Component::ParentDir => drop(place.pop()),
                Component::Normal(name) => place.push(name),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
            if !self.at(&place).is_some_and(|mount| mount.is_local) {
                return place.join(rest.as_path());
            }
            if let Ok(target) = place.read_link()
                && *links > 0
            {
                *links -= 1;
                place.pop();
                return self.follow(&place.join(target).join(rest.as_path()), links);
            }
        }
        place
    }

    fn at(&self, place: &Path) -> Option<&Mount> {
        let covers = |mount: &&Mount| place.starts_with(&mount.at);
        // The later of two on one place: max_by_key takes the last.
        self.all.iter().filter(covers).max_by_key(|mount| mount.at.as_os_str().len())
    }

    /// The kernel says when something was mounted since.
    fn refresh(&mut self) {
        let is_old = match &self.file {
            None => true,
            Some(file) => {
                let mut fds = [PollFd::new(file, PollFlags::PRI)];
                let now = crate::clock::timespec(std::time::Duration::ZERO);
                let _ = poll(&mut fds, Some(&now));
                fds[0].revents().intersects(PollFlags::PRI | PollFlags::ERR)
            }
        };
        if is_old {
            self.read();
        }
    }

    fn read(&mut self) {
        if self.file.is_none() {
            self.file = File::open("/proc/self/mountinfo").ok();
        }
        let Some(file) = &mut self.file else { return };
        let mut text = Vec::new();
        if file.rewind().and_then(|()| file.read_to_end(&mut text)).is_ok() {
            self.all = text.split(|byte| *byte == b'\n').filter_map(parse).collect();
        }
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: the first field, the fifth, and the one behind the dash.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let at = unescape(fields.nth(3)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let is_local = LOCAL.contains(&kind);
    Some(Mount { id: MountId(id), at: std::ffi::OsStr::from_bytes(&at).into(), is_local })
}

/// Blanks and their like stand there as three octal digits behind a backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..3).filter(|_| *first == b'\\');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::scene::Dir;

    fn of(lines: &[&str]) -> Mounts {
        let all = lines.iter().filter_map(|line| parse(line.as_bytes())).collect();
        Mounts { file: None, all }
    }

    const TABLE: [&str; 4] = [
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
        "40 27 0:50 / /mnt/nfs rw shared:7 master:1 - nfs4 server:/export rw",
        r"41 27 0:51 / /mnt/with\040blank rw - xfs /dev/vdb rw",
        "42 40 0:52 / /mnt/nfs rw - fuse.sshfs server: rw",
    ];

    #[test]
    fn the_longest_mount_on_the_way_counts_and_of_two_the_later() {
        let mounts = of(&TABLE);
        for (path, id) in
            [("/var/log/x", 27), ("/mnt/nfs/logs/x", 42), ("/mnt/nfsx", 27), ("/mnt/with blank/x", 41)]
        {
            assert_eq!(mounts.at(Path::new(path)).unwrap().id, MountId(id), "{path}");
        }
    }

    #[test]
    fn links_are_followed_up_to_what_may_hang_and_no_farther() {
        let dir = Dir::new();
        std::os::unix::fs::symlink("/mnt/nfs/logs", dir.file("logs")).unwrap();
        std::os::unix::fs::symlink("logs", dir.file("again")).unwrap();
        std::os::unix::fs::symlink("round", dir.file("round")).unwrap();
        let mounts = of(&TABLE);
        let place = |path: &Path| mounts.follow(path, &mut 40);
        assert_eq!(place(&dir.file("again/../x")), Path::new("/mnt/nfs/logs/../x"));
        assert_eq!(place(&dir.file("again/x")), Path::new("/mnt/nfs/logs/x"));
        assert_eq!(place(&dir.file("round/x")), dir.file("round/x"));
    }

    #[test]
    fn this_machine_has_a_root_and_proc_no_disk() {
        let mut mounts = Mounts::default();
        assert!(mounts.of(Path::new("/")).is_some());
        assert_eq!(mounts.of(Path::new("/proc/self/status")), None);
    }
}
