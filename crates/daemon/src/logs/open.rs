//! Opening a log: which file it is, whether that may be opened, and to whom it belongs.
//!
//! In: a path, and how it is wanted. Out: an [`Open`] that knows what it is. Nothing here waits: not for the reader of a FIFO, and
//! not later for room in it, for whatever is no regular file comes without blocking; only what we share with whoever started us
//! (`is_shared`) keeps its mode, as that is theirs as well. The way to a file is `walk.rs`; writing is the sink's affair.
//!
//! A FIFO is opened for both directions, so that we are a reader of our own: a program starts before anybody reads its log, what it
//! says is kept as long as there is room, and a reader that goes and comes again has missed nothing.
//!
//! As root, in a directory where others write, there is more to a file than its name. One that has other names elsewhere may be anybody's,
//! if who owns the directory does not own it. Where everybody writes and nobody removes (`/tmp`), others' files are not ours to
//! write to. And a file that was there already is not given away: who moved it there may have had no right to read it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, SeekFrom, Stat, Uid, fchmod, fchown,
    fcntl_getfl, fstat, openat, openat2, seek, statat,
};
use rustix::io::Errno;
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

use super::inherited;
use super::walk::{self, Place, Way};

/// How large a pipe is made that output goes to: what the kernel allows to everybody.
const ROOM: usize = 1 << 20;
/// How often a name may turn into something else while we look at it.
const TRIES: u32 = 16;

/// Always for appending, so that two writers, or a truncation from outside, cannot make holes.
const WRITE: OFlags =
    OFlags::WRONLY.union(OFlags::APPEND).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// For a pipe with a name.
const BOTH: OFlags = WRITE.difference(OFlags::WRONLY).union(OFlags::RDWR);

/// What is asked of a log file beyond its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OpenHow {
    /// To whom it is given when it is made.
    pub(crate) owner: Option<(Option<u32>, Option<u32>)>,
    /// Its permissions when it is made, whatever the umask.
    pub(crate) mode: Option<u32>,
    /// Make directories that are missing.
    pub(crate) mkdir: bool,
}

/// Which file it is, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) dev: u64,
    pub(super) ino: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    /// With or without a name.
    Pipe,
    /// A terminal, a device, a socket.
    Other,
}

/// An open file that is written to.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) file: File,
    pub(super) id: FileId,
    pub(super) kind: Kind,
    /// How large it was when it was opened.
    pub(super) size: u64,
    /// Others write through the same open file: it must not be told not to block.
    pub(super) is_shared: bool,
    /// A file by a name of its own: not what `/dev/stdout` happens to be.
    pub(super) may_rotate: bool,
}

/// Opens a log for appending; makes it if it is not there.
pub(super) fn for_writing(path: &Path, how: &OpenHow) -> io::Result<Open> {
    let at_once = if *how == OpenHow::default() { at_once(path) } else { Err(None) };
    match at_once {
        Ok(open) => Ok(open),
        // Kept until it is opened in the right way: a reader must not see a writer that comes and goes.
        Err(_kept) => by_steps(path, how, true),
    }
}

/// The same for whoever writes a file now and then, and keeps it open no longer.
pub(crate) fn append_to(path: &Path, how: &OpenHow) -> io::Result<File> {
    for_writing(path, how).map(|open| open.file)
}

/// The same for a log that must be there.
pub(super) fn existing(path: &Path) -> io::Result<Open> {
    by_steps(path, &OpenHow::default(), false)
}

/// Opens a log to look at it. What is no regular file is not found: a window on a terminal has no meaning.
pub(crate) fn for_reading(path: &Path) -> io::Result<File> {
    let is_file = |is: &Stat| FileType::from_raw_mode(is.st_mode) == FileType::RegularFile;
    let place = match walk::find(path, &OpenHow::default())? {
        Way::Descriptor(number) => {
            let look = inherited::open(number, OFlags::PATH | OFlags::CLOEXEC)?;
            let is_file = is_file(&fstat(look)?);
            return if is_file {
                Ok(inherited::open(number, READ)?.into())
            } else {
                Err(Errno::NOENT.into())
            };
        }
        Way::Place(place) => place,
    };
    if !is_file(&place.target()?) {
        return Err(Errno::NOENT.into());
    }
    let file = openat(&place.dir, &place.name, place.flags(READ), Mode::empty())?;
    let is = fstat(&file)?;
    if !is_file(&is) {
        return Err(Errno::NOENT.into());
    }
    place.check_names(&is)?;
    Ok(file.into())
}

/// The error number to tell where only a number fits.
pub(crate) fn errno(e: &io::Error) -> i32 {
    e.raw_os_error().unwrap_or(match e.kind() {
        io::ErrorKind::NotFound => Errno::NOENT.raw_os_error(),
        _ => Errno::ACCESS.raw_os_error(),
    })
}

/// The usual case in one step: no link on the way, and a file of which nobody could want anything. Otherwise what was opened.
fn at_once(path: &Path) -> Result<Open, Option<OwnedFd>> {
    let (flags, mode) = (WRITE | OFlags::CREATE, Mode::from_raw_mode(0o666));
    let file = openat2(CWD, path, flags, mode, ResolveFlags::NO_SYMLINKS).map_err(|_| None)?;
    let Ok(is) = fstat(&file) else { return Err(Some(file)) };
    let is_plain = FileType::from_raw_mode(is.st_mode) == FileType::RegularFile;
    let is_roots = is.st_uid == 0 && is.st_nlink == 1;
    if is_plain && (is_roots || !walk::is_root()) { Ok(Open::new(file, &is)) } else { Err(Some(file)) }
}

fn by_steps(path: &Path, how: &OpenHow, make: bool) -> io::Result<Open> {
    for _ in 0..TRIES {
        let opened = match walk::find(path, how)? {
            Way::Descriptor(number) => return descriptor(number),
            Way::Place(place) if place.is_kernels_link => return kernels(&place),
            Way::Place(place) => match place.is {
                None if !make => return Err(Errno::NOENT.into()),
                None => create(&place, how),
                Some(is) => present(&place, &is, how),
            },
        };
        match opened {
            // It has come, gone, or become a link since we looked.
            Err(e)
                if [Errno::EXIST, Errno::NOENT, Errno::LOOP]
                    .map(|e| Some(e.raw_os_error()))
                    .contains(&e.raw_os_error()) => {}
            opened => return opened,
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "it turns into something else whenever it is looked at"))
}

/// Opens a file of our own making.
fn create(place: &Place, how: &OpenHow) -> io::Result<Open> {
    let mode = Mode::from_raw_mode(how.mode.unwrap_or(0o666));
    let flags = WRITE | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let file = openat(&place.dir, &place.name, flags, mode)?;
    if how.mode.is_some() {
        fchmod(&file, mode)?;
    }
    if let Some((uid, gid)) = how.owner {
        fchown(&file, uid.map(Uid::from_raw), gid.map(Gid::from_raw))?;
    }
    let is = fstat(&file)?;
    Ok(Open::new(file, &is))
}

/// Opens what is there already.
fn present(place: &Place, is: &Stat, how: &OpenHow) -> io::Result<Open> {
    let open = |flags| openat(&place.dir, &place.name, flags | OFlags::NOFOLLOW, Mode::empty());
    let file = match FileType::from_raw_mode(is.st_mode) {
        FileType::Fifo => open(BOTH).or_else(|_| open(WRITE))?,
        _ => open(WRITE)?,
    };
    let is = fstat(&file)?;
    place.check_names(&is)?;
    place.check_owner(&is, how)?;
    if FileType::from_raw_mode(is.st_mode) == FileType::RegularFile && !place.is_open_to_others() {
        adjust(&file, &is, how)?;
    }
    Ok(Open::new(file, &is))
}

/// Gives a file the owner and permissions that it is to have.
fn adjust(file: &OwnedFd, is: &Stat, how: &OpenHow) -> io::Result<()> {
    if let Some((uid, gid)) = how.owner
        && (uid.is_some_and(|uid| uid != is.st_uid) || gid.is_some_and(|gid| gid != is.st_gid))
    {
        fchown(file, uid.map(Uid::from_raw), gid.map(Gid::from_raw))?;
    }
    if let Some(mode) = how.mode.filter(|mode| *mode != is.st_mode & 0o7777) {
        fchmod(file, Mode::from_raw_mode(mode))?;
    }
    Ok(())
}

/// Opens what a descriptor of ours is open on; where that may not be, shares it.
fn descriptor(number: u32) -> io::Result<Open> {
    match inherited::open(number, WRITE) {
        Ok(file) => Open::unnamed(file, false),
        Err(e) => inherited::share(number).map_err(|_| e).and_then(|file| Open::unnamed(file, true)),
    }
}

/// Opens what a link in /proc leads to, which may be what we have open, too.
fn kernels(place: &Place) -> io::Result<Open> {
    match openat(&place.dir, &place.name, WRITE, Mode::empty()) {
        Ok(file) => Open::unnamed(file, false),
        Err(e) => {
            let ours = place.target().ok().and_then(|is| inherited::same_as(&is));
            let shared = ours.and_then(|number| inherited::share(number).ok());
            shared.map_or(Err(e.into()), |file| Open::unnamed(file, true))
        }
    }
}

impl Place {
    /// What the name leads to.
    fn target(&self) -> io::Result<Stat> {
        let flags = if self.is_kernels_link { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        Ok(statat(&self.dir, &self.name, flags)?)
    }

    fn flags(&self, flags: OFlags) -> OFlags {
        if self.is_kernels_link { flags } else { flags | OFlags::NOFOLLOW }
    }

    /// Whether anybody but root may put things here, and root is whom that could hurt.
    fn is_open_to_others(&self) -> bool {
        walk::is_root()
            && !self.is_kernels_link
            && (self.dir_is.st_uid != 0 || walk::others_write(&self.dir_is))
    }

    /// A file that has names elsewhere may have been brought here by somebody who may neither read nor write it.
    pub(super) fn check_names(&self, is: &Stat) -> io::Result<()> {
        if !self.is_open_to_others() || is.st_nlink < 2 || is.st_uid == self.dir_is.st_uid && is.st_uid != 0 {
            return Ok(());
        }
        Err(walk::refusal(format!(
            "it has {} names, belongs to user {}, and others may write in its directory: root does not touch it (copy it, and \
             remove this name)",
            is.st_nlink, is.st_uid
        )))
    }

    /// Where everybody may put things, and only he takes them away, what is another's is another's.
    fn check_owner(&self, is: &Stat, how: &OpenHow) -> io::Result<()> {
        let wanted = how.owner.and_then(|(uid, _)| uid).unwrap_or(0);
        let may_own = [0, self.dir_is.st_uid, wanted];
        if !self.is_open_to_others() || !walk::is_sticky(&self.dir_is) || may_own.contains(&is.st_uid) {
            return Ok(());
        }
        Err(walk::refusal(format!(
            "it belongs to user {}, in a directory where everybody may put things: root does not write to it (remove it)",
            is.st_uid
        )))
    }
}

impl Open {
    fn new(file: OwnedFd, is: &Stat) -> Open {
        let kind = match FileType::from_raw_mode(is.st_mode) {
            FileType::RegularFile => Kind::Regular,
            FileType::Fifo => Kind::Pipe,
            _ => Kind::Other,
        };
        let file = File::from(file);
        if kind == Kind::Pipe {
            make_room(&file);
        }
        let size = if kind == Kind::Regular { is.st_size as u64 } else { 0 };
        Open { file, id: FileId::of(is), kind, size, is_shared: false, may_rotate: kind == Kind::Regular }
    }

    fn unnamed(file: OwnedFd, is_shared: bool) -> io::Result<Open> {
        let is = fstat(&file)?;
        Ok(Open { is_shared, may_rotate: false, ..Open::new(file, &is) })
    }

    /// Where the next byte goes; 0 for what has no size.
    pub(super) fn end(&self) -> io::Result<u64> {
        match self.kind {
            Kind::Regular => Ok(seek(&self.file, SeekFrom::End(0))?),
            Kind::Pipe | Kind::Other => Ok(0),
        }
    }

    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever waits for room in a FIFO"))]
    /// Whether anybody but us has the other end of a pipe open. To ask, we let go of our own for a moment.
    pub(super) fn is_read(&mut self) -> io::Result<bool> {
        if self.kind != Kind::Pipe || self.is_shared {
            return Ok(true);
        }
        let again = |file: &File, flags: OFlags| {
            use std::os::fd::AsRawFd;
            openat(CWD, format!("/proc/self/fd/{}", file.as_raw_fd()), flags, Mode::empty()).map(File::from)
        };
        let is_reader = fcntl_getfl(&self.file)? & OFlags::ACCMODE == OFlags::RDWR;
        if is_reader {
            // What lies in the pipe stays there as long as it is open at all.
            self.file = again(&self.file, WRITE)?;
        }
        let mut ends = [PollFd::new(&self.file, PollFlags::OUT)];
        poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        let is_read = !ends[0].revents().contains(PollFlags::ERR);
        if is_reader {
            self.file = again(&self.file, BOTH)?;
        }
        Ok(is_read)
    }
}

impl FileId {
    pub(super) fn of(is: &Stat) -> FileId {
        FileId { dev: is.st_dev, ino: is.st_ino }
    }
}

/// What is spliced into a pipe takes a place of its own there, however short it is; sixteen places would soon be full.
fn make_room(pipe: &File) {
    if fcntl_getpipe_size(pipe).is_ok_and(|size| size < ROOM) {
        // Where the kernel grants no more the reader is waited for a little sooner.
        let _ = fcntl_setpipe_size(pipe, ROOM);
    }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
