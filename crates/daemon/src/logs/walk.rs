//! From a path to the directory that its last name is in, one name at a time: as root no further than is safe.
//!
//! In: a path from the configuration. Out: a [`Place`], which stays that place whatever is renamed above it, or the number of a
//! descriptor that the path means (`inherited.rs`). What is done there, and to which files, is decided in `open.rs`.
//!
//! Who may write in a directory on the way can plant a link there, and root would follow it anywhere. Directories need no such
//! care: nobody can put one where he may not write that he could not enter. So for root, and for root only:
//!
//! - a link of root's in a directory of root's is the administrator's, and leads wherever it leads;
//! - any other is its owner's, and that of who owns the directory. If it stands for a directory on the way, the path must not end
//!   in one of root's. If it stands for the file, the path must end in a directory of the same user: there that user can
//!   do whatever we do;
//! - where everybody may write and nobody may remove (`/tmp`), others' links are not followed at all, and a hard link to a link of
//!   root's is nobody's.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, PROC_SUPER_MAGIC, Stat, Uid, chownat, fstat, fstatfs, mkdirat,
    openat, readlinkat,
};
use rustix::io::Errno;

use super::inherited;
use super::open::OpenHow;

/// As many links as the kernel would follow.
const MOST_LINKS: u32 = 40;

/// Looking at something without opening it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const ENTER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Where a path leads.
#[derive(Debug)]
pub(super) enum Way {
    /// To a descriptor of ours.
    Descriptor(u32),
    Place(Box<Place>),
}

/// A name in a directory.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: OwnedFd,
    /// What the directory is, so that who may write there is known.
    pub(super) dir_is: Stat,
    pub(super) name: OsString,
    /// What has the name; nothing if nobody has.
    pub(super) is: Option<Stat>,
    /// A link in /proc that only the kernel can follow.
    pub(super) is_kernels_link: bool,
}

/// Finds what a path leads to; makes missing directories if `how` says so.
pub(super) fn find(path: &Path, how: &OpenHow) -> io::Result<Way> {
    match inherited::number(path) {
        Some(number) => Ok(Way::Descriptor(number)),
        None => Walk::new(path, how, true)?.run(),
    }
}

/// Finds the name itself: if it is a link, the place where that stands.
pub(super) fn find_name(path: &Path) -> io::Result<Box<Place>> {
    match Walk::new(path, &OpenHow::default(), false)?.run()? {
        Way::Place(place) => Ok(place),
        Way::Descriptor(_) => Err(Errno::INVAL.into()),
    }
}

/// Whether links are a danger: what root does, others may want done.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether anybody but the owner may make entries there.
pub(super) fn others_write(dir: &Stat) -> bool {
    dir.st_mode & 0o022 != 0
}

/// Whether whoever writes there cannot remove what others have made.
pub(super) fn is_sticky(dir: &Stat) -> bool {
    dir.st_mode & 0o1000 != 0 && others_write(dir)
}

/// The refusal of what only root would fall for.
pub(super) fn refusal(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

struct Walk<'a> {
    how: &'a OpenHow,
    follows_last: bool,
    careful: bool,
    dir: OwnedFd,
    /// The names that are left, the next one last.
    todo: Vec<OsString>,
    /// Users other than root who may have placed a link that was followed.
    planters: Vec<u32>,
    /// One of the links was the last name.
    stands_for_the_file: bool,
    links: u32,
}

impl<'a> Walk<'a> {
    fn new(path: &Path, how: &'a OpenHow, follows_last: bool) -> io::Result<Walk<'a>> {
        let start = if path.is_absolute() { "/" } else { "." };
        Ok(Walk {
            how,
            follows_last,
            careful: is_root(),
            dir: openat(CWD, start, ENTER, Mode::empty())?,
            todo: names(path),
            planters: Vec::new(),
            stands_for_the_file: false,
            links: 0,
        })
    }

    fn run(mut self) -> io::Result<Way> {
        while let Some(name) = self.todo.pop() {
            let is_last = self.todo.is_empty();
            let found = match openat(&self.dir, &name, LOOK, Mode::empty()) {
                Ok(found) => found,
                Err(Errno::NOENT) if is_last => return self.arrive(name, None),
                Err(Errno::NOENT) if self.how.mkdir => self.make(&name)?,
                Err(e) => return Err(e.into()),
            };
            let is = fstat(&found)?;
            match FileType::from_raw_mode(is.st_mode) {
                FileType::Symlink if !is_last || self.follows_last => {
                    if let Some(way) = self.follow(&found, &is, &name)? {
                        return Ok(way);
                    }
                }
                FileType::Directory if !is_last || name == ".." => self.dir = found,
                _ if is_last => return self.arrive(name, Some(is)),
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
        Err(Errno::ISDIR.into())
    }

    /// Goes where a link leads; there already if that is a descriptor of ours, or known to the kernel only.
    fn follow(&mut self, link: &OwnedFd, is: &Stat, name: &OsStr) -> io::Result<Option<Way>> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        if fstatfs(&self.dir)?.f_type == PROC_SUPER_MAGIC {
            return self.follow_kernels(name);
        }
        let text = readlinkat(link, "", Vec::new())?;
        let target = Path::new(OsStr::from_bytes(text.as_bytes()));
        let is_last = self.todo.is_empty();
        // Whoever has placed that one: our own output is no secret, and no harm.
        if let (true, Some(number)) = (is_last, inherited::number(target)) {
            return Ok(Some(Way::Descriptor(number)));
        }
        if self.careful {
            self.judge(is, name)?;
            self.stands_for_the_file |= is_last;
        }
        if target.is_absolute() {
            self.dir = openat(CWD, "/", ENTER, Mode::empty())?;
        }
        self.todo.extend(names(target));
        Ok(None)
    }

    fn follow_kernels(&mut self, name: &OsStr) -> io::Result<Option<Way>> {
        if !self.planters.is_empty() {
            return Err(self.leads_too_far());
        }
        if self.todo.is_empty() {
            let (dir_is, dir, name) = (fstat(&self.dir)?, self.dir.try_clone()?, name.to_owned());
            let place = Place { dir, dir_is, name, is: None, is_kernels_link: true };
            return Ok(Some(Way::Place(Box::new(place))));
        }
        self.dir = openat(&self.dir, name, ENTER, Mode::empty())?;
        Ok(None)
    }

    /// Notes whose a link is.
    fn judge(&mut self, link: &Stat, name: &OsStr) -> io::Result<()> {
        let dir = fstat(&self.dir)?;
        let is_from_elsewhere = link.st_nlink > 1 && (dir.st_uid != 0 || others_write(&dir));
        let is_planted = is_sticky(&dir) && ![0, dir.st_uid].contains(&link.st_uid);
        if is_from_elsewhere || is_planted {
            let (name, uid) = (name.display(), link.st_uid);
            let text = format!(
                "{name} is a link of user {uid}'s in a directory where others write: root does not follow it"
            );
            return Err(refusal(text));
        }
        self.planters.extend([dir.st_uid, link.st_uid].into_iter().filter(|uid| *uid != 0));
        Ok(())
    }

    /// Whether this directory may be one that those have chosen whose links were followed.
    fn check_choice(&self, dir: &Stat) -> io::Result<()> {
        let is_theirs =
            |uid: &u32| if self.stands_for_the_file { *uid == dir.st_uid } else { dir.st_uid != 0 };
        if self.planters.iter().all(is_theirs) { Ok(()) } else { Err(self.leads_too_far()) }
    }

    fn leads_too_far(&self) -> io::Error {
        let uid = self.planters.first().copied().unwrap_or_default();
        refusal(format!(
            "a link that user {uid} may have placed leads to a directory that is not that user's: root does not follow it \
             (write where it leads, instead of the link)"
        ))
    }

    fn arrive(self, name: OsString, is: Option<Stat>) -> io::Result<Way> {
        let dir_is = fstat(&self.dir)?;
        self.check_choice(&dir_is)?;
        let place = Place { dir: self.dir, dir_is, name, is, is_kernels_link: false };
        Ok(Way::Place(Box::new(place)))
    }

    /// Makes a directory that is missing. Without an owner of its own it belongs to whom the one above belongs to.
    fn make(&self, name: &OsStr) -> io::Result<OwnedFd> {
        let above = fstat(&self.dir)?;
        self.check_choice(&above)?;
        let is_new = match mkdirat(&self.dir, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(e) => return Err(e.into()),
        };
        let made = openat(&self.dir, name, LOOK | OFlags::DIRECTORY, Mode::empty())?;
        let inherited =
            (self.careful && above.st_uid != 0).then_some((Some(above.st_uid), Some(above.st_gid)));
        if let (true, Some((uid, gid))) = (is_new, self.how.owner.or(inherited)) {
            chownat(&made, "", uid.map(Uid::from_raw), gid.map(Gid::from_raw), AtFlags::EMPTY_PATH)?;
        }
        Ok(made)
    }
}

/// The names of a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}
