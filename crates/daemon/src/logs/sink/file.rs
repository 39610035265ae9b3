//! A log file: opened for appending, rotated after a write that fills it (SPEC 4.3).
//!
//! Rotation never touches what is not a regular file of its own: a terminal, a pipe, `/dev/stdout`. What programs say comes
//! here by `carry.rs`, what we say ourselves by [`FileSink::write`]; how a full file gets out of the way is `rotation.rs`.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{OFlags, SeekFrom, seek};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

use super::super::rotation;
use super::{Destination, Trouble};

/// How large a pipe is made that output goes to: what the kernel allows to everybody.
const ROOM: usize = 1 << 20;

/// Which file it is, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) struct FileId {
    pub(in crate::logs) dev: u64,
    pub(in crate::logs) ino: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) enum Kind {
    Regular,
    /// With or without a name.
    Pipe,
    /// A terminal, a device.
    Other,
}

/// An open file that is written to.
#[derive(Debug)]
pub(in crate::logs) struct Open {
    pub(in crate::logs) file: File,
    pub(in crate::logs) id: FileId,
    pub(in crate::logs) kind: Kind,
}

/// An open log file.
#[derive(Debug)]
pub(crate) struct FileSink {
    to: Destination,
    open: Open,
    size: u64,
    rotates: bool,
}

impl FileSink {
    pub(super) fn of(to: Destination, open: Open, meta: &Metadata) -> FileSink {
        let rotates = to.maxbytes > 0 && !is_descriptor(&to.path);
        FileSink { to, open, size: meta.len(), rotates }
    }

    pub(in crate::logs) fn path(&self) -> &Arc<Path> {
        &self.to.path
    }

    pub(in crate::logs) fn file(&self) -> &Open {
        &self.open
    }

    /// Writes all of it, or as much as goes before the trouble; rotates afterwards if the file is full.
    pub(super) fn write(&mut self, bytes: &[u8]) -> (usize, Result<(), Trouble>) {
        let mut written = 0;
        let mut result = Ok(());
        while written < bytes.len() && result.is_ok() {
            match (&self.open.file).write(&bytes[written..]) {
                Ok(0) => result = Err(Trouble::Write(io::ErrorKind::WriteZero.into())),
                Ok(n) => written += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => result = Err(Trouble::Write(e)),
            }
        }
        if result.is_ok() {
            result = self.has_grown_by(written);
        }
        (written, result)
    }

    fn has_grown_by(&mut self, bytes: usize) -> Result<(), Trouble> {
        let size = self.size + bytes as u64;
        // Somebody may have emptied the file meanwhile: what counts is its real size.
        let is_full = self.rotates && size >= self.to.maxbytes;
        let size = if is_full { self.open.end().map_err(Trouble::Rotate)? } else { size };
        self.grown(size)
    }

    /// It has been written to, and this is its size now. Rotates if that is full.
    pub(super) fn grown(&mut self, size: u64) -> Result<(), Trouble> {
        self.size = size;
        if self.rotates && size >= self.to.maxbytes { self.rotate().map_err(Trouble::Rotate) } else { Ok(()) }
    }

    /// Opens the file of this name anew: it may have been moved away.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let (open, meta) = Open::named(&self.to.path)?;
        (self.open, self.size) = (open, meta.len());
        Ok(())
    }

    /// Empties the file where it is; what is no regular file has nothing to empty.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if self.open.kind == Kind::Regular {
            self.open.file.set_len(0)?;
            self.size = 0;
        }
        Ok(())
    }

    /// Rotates a file that has something in it, full or not.
    pub(super) fn rotate_now(&mut self) -> io::Result<()> {
        let is_own = self.open.kind == Kind::Regular && !is_descriptor(&self.to.path);
        if is_own && self.open.end()? > 0 { self.rotate() } else { Ok(()) }
    }

    fn rotate(&mut self) -> io::Result<()> {
        // Of two programs with one file the other one may have been first: then what has this name now is not full.
        let is_ours = self.to.path.metadata().is_ok_and(|meta| id(&meta) == self.open.id);
        match self.to.backups {
            0 if is_ours => return self.clear(),
            backups if is_ours => rotation::shift(&self.to.path, backups)?,
            _ => {}
        }
        self.reopen()
    }
}

impl Open {
    /// Always for appending, so that two writers, or a truncation from outside, cannot make holes. Nobody is waited for: of
    /// a FIFO we are a reader ourselves, so what is written before there is another one stays in it.
    pub(in crate::logs) fn named(path: &Path) -> io::Result<(Open, Metadata)> {
        let is_fifo = path.metadata().is_ok_and(|meta| meta.file_type().is_fifo()) && !is_descriptor(path);
        let mut options = OpenOptions::new();
        let options = options.append(true).create(!is_fifo).read(is_fifo);
        let (open, meta) = Open::with(path, options, OFlags::NOCTTY | OFlags::NONBLOCK)?;
        if open.kind == Kind::Pipe {
            make_room(&open.file);
        }
        Ok((open, meta))
    }

    pub(in crate::logs) fn with(
        path: &Path,
        options: &mut OpenOptions,
        flags: OFlags,
    ) -> io::Result<(Open, Metadata)> {
        let file = options.custom_flags(flags.bits() as i32).open(path)?;
        let meta = file.metadata()?;
        let kind = match meta.file_type() {
            kind if kind.is_file() => Kind::Regular,
            kind if kind.is_fifo() => Kind::Pipe,
            _ => Kind::Other,
        };
        Ok((Open { file, id: id(&meta), kind }, meta))
    }

    /// What is open already.
    pub(super) fn of(file: File, kind: Kind) -> io::Result<Open> {
        let id = id(&file.metadata()?);
        Ok(Open { file, id, kind })
    }

    /// Where the next byte goes; 0 for what has no size.
    pub(in crate::logs) fn end(&self) -> io::Result<u64> {
        match self.kind {
            Kind::Regular => Ok(seek(&self.file, SeekFrom::End(0))?),
            Kind::Pipe | Kind::Other => Ok(0),
        }
    }
}

/// `/dev/stdout`, `/proc/self/fd/1`: the other end of that pipe is somebody else's.
fn is_descriptor(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

/// What is spliced into a pipe takes a place of its own there, however short it is; sixteen places would soon be full.
fn make_room(pipe: &File) {
    if fcntl_getpipe_size(pipe).is_ok_and(|size| size < ROOM) {
        // Where the kernel grants no more the reader is waited for a little sooner.
        let _ = fcntl_setpipe_size(pipe, ROOM);
    }
}

fn id(meta: &Metadata) -> FileId {
    FileId { dev: meta.dev(), ino: meta.ino() }
}

#[cfg(test)]
mod tests {
    use provost_core::LogDeed;

    use super::super::{Sink, do_to_closed};
    use super::*;
    use crate::logs::scene::Dir;

    fn sink(dir: &Dir, maxbytes: u64, backups: u32) -> Sink {
        Sink::open(Destination { path: dir.file("log").into(), maxbytes, backups }).unwrap()
    }

    #[test]
    fn a_full_file_becomes_the_first_backup_and_the_oldest_goes() {
        let dir = Dir::new();
        let mut sink = sink(&dir, 4, 2);
        for piece in ["1111", "2222", "3333", "44"] {
            sink.write(piece.as_bytes()).1.unwrap();
        }
        assert_eq!(dir.content("log").as_deref(), Some("44"));
        assert_eq!(dir.content("log.1").as_deref(), Some("3333"));
        assert_eq!(dir.content("log.2").as_deref(), Some("2222"));
        assert_eq!(dir.content("log.3"), None);
    }

    #[test]
    fn without_backups_a_full_file_is_emptied() {
        let dir = Dir::new();
        let mut sink = sink(&dir, 4, 0);
        sink.write(b"12345").1.unwrap();
        sink.write(b"6").1.unwrap();
        assert_eq!(dir.content("log").as_deref(), Some("6"));
        assert_eq!(dir.content("log.1"), None);
    }

    #[test]
    fn a_file_emptied_from_outside_is_not_rotated_for_what_it_once_held() {
        let dir = Dir::new();
        let mut sink = sink(&dir, 10, 1);
        sink.write(b"12345678").1.unwrap();
        File::create(dir.file("log")).unwrap();
        sink.write(b"abc").1.unwrap();
        assert_eq!(dir.content("log").as_deref(), Some("abc"));
        assert_eq!(dir.content("log.1"), None);
    }

    #[test]
    fn what_was_there_before_is_kept_and_counts() {
        let dir = Dir::new();
        std::fs::write(dir.file("log"), "1234567").unwrap();
        let mut sink = sink(&dir, 8, 1);
        sink.write(b"8").1.unwrap();
        assert_eq!(dir.content("log.1").as_deref(), Some("12345678"));
    }

    #[test]
    fn of_two_with_one_file_only_the_first_rotates_it() {
        let dir = Dir::new();
        let (mut one, mut two) = (sink(&dir, 4, 3), sink(&dir, 4, 3));
        one.write(b"1111").1.unwrap();
        two.write(b"2222").1.unwrap();
        two.write(b"33").1.unwrap();
        assert_eq!(dir.content("log.1").as_deref(), Some("11112222"));
        assert_eq!((dir.content("log").as_deref(), dir.content("log.2")), (Some("33"), None));
    }

    #[test]
    fn a_device_is_never_rotated() {
        let mut sink =
            Sink::open(Destination { path: Path::new("/dev/null").into(), maxbytes: 1, backups: 1 }).unwrap();
        sink.write(b"more than one").1.unwrap();
        assert!(!Path::new("/dev/null.1").exists());
    }

    #[test]
    fn a_rotation_on_somebodys_wish_asks_for_no_size_and_spares_what_is_empty() {
        let dir = Dir::new();
        let mut sink = sink(&dir, 0, 2);
        sink.do_to(LogDeed::Rotate).unwrap();
        assert_eq!(dir.content("log.1"), None);
        sink.write(b"one").1.unwrap();
        sink.do_to(LogDeed::Rotate).unwrap();
        sink.do_to(LogDeed::Rotate).unwrap();
        assert_eq!((dir.content("log").as_deref(), dir.content("log.1").as_deref()), (Some(""), Some("one")));
        assert_eq!(dir.content("log.2"), None);
    }

    #[test]
    fn a_closed_log_is_rotated_too_and_none_is_made() {
        let dir = Dir::new();
        let to = || Destination { path: dir.file("log").into(), maxbytes: 0, backups: 1 };
        do_to_closed(LogDeed::Rotate, to()).unwrap();
        assert_eq!((dir.content("log"), dir.content("log.1")), (None, None));
        std::fs::write(dir.file("log"), "old").unwrap();
        do_to_closed(LogDeed::Rotate, to()).unwrap();
        assert_eq!(dir.content("log.1").as_deref(), Some("old"));
        let null = Destination { path: Path::new("/dev/null").into(), maxbytes: 0, backups: 1 };
        do_to_closed(LogDeed::Rotate, null).unwrap();
        assert!(!Path::new("/dev/null.1").exists());
    }

    #[test]
    fn reopening_follows_the_name_not_the_file() {
        let dir = Dir::new();
        let mut sink = sink(&dir, 0, 0);
        sink.write(b"old").1.unwrap();
        std::fs::rename(dir.file("log"), dir.file("moved")).unwrap();
        sink.do_to(LogDeed::Reopen).unwrap();
        sink.write(b"new").1.unwrap();
        assert_eq!(
            (dir.content("moved").as_deref(), dir.content("log").as_deref()),
            (Some("old"), Some("new"))
        );
    }
}
