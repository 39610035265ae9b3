//! A log file: opened for appending, rotated after a write that fills it (SPEC 4.3).
//!
//! Rotation never touches what is not a regular file of its own: a terminal, a pipe, `/dev/stdout`. What programs say comes
//! here by `carry.rs`, what we say ourselves by [`FileSink::write`]; how a full file gets out of the way is `rotation.rs`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use provost_core::{LogDeed, Mono};
use rustix::fs::{AtFlags, statat};

use super::super::open::{self, FileId, Kind, Open};
use super::super::rotation::Row;
use super::super::{compress, walk};
use super::{Destination, Trouble};
use crate::clock;

/// How soon, or after how much more output at least, a rotation that has failed is tried again.
const PAUSE: Duration = Duration::from_secs(60);
const GROWTH: u64 = 1 << 20;

/// An open log file.
#[derive(Debug)]
pub(crate) struct FileSink {
    to: Arc<Destination>,
    open: Open,
    size: u64,
    rotates: bool,
    /// A rotation has failed, and is not tried again yet.
    put_off: Option<PutOff>,
}

/// Until when, or until what size, whichever comes first.
#[derive(Debug)]
struct PutOff {
    time: Mono,
    size: u64,
}

impl FileSink {
    pub(super) fn of(to: Arc<Destination>, open: Open) -> FileSink {
        let rotates = to.maxbytes > 0 && open.may_rotate;
        let size = open.size;
        let sink = FileSink { to, open, size, rotates, put_off: None };
        // A brain may have died before it came to that.
        sink.compress_soon();
        sink
    }

    /// A file that is too large by now is rotated when something is written next.
    pub(super) fn renew(&mut self, to: Arc<Destination>) {
        self.rotates = to.maxbytes > 0 && self.open.may_rotate;
        if let (Some(old), None) = (&self.to.compression, &to.compression) {
            old.call_off(&self.to.path);
        }
        (self.to, self.put_off) = (to, None);
        self.compress_soon();
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
        if self.rotates && size >= self.to.maxbytes && self.may_try(size) {
            self.try_to_rotate()
        } else {
            Ok(())
        }
    }

    /// A failure is told of once, and the file goes on growing.
    fn try_to_rotate(&mut self) -> Result<(), Trouble> {
        let is_first = self.put_off.take().is_none();
        let Err(e) = self.rotate() else { return Ok(()) };
        let size = self.size + (self.to.maxbytes / 10).max(GROWTH);
        self.put_off = Some(PutOff { time: clock::now().mono + PAUSE, size });
        if is_first { Err(Trouble::Rotate(e)) } else { Ok(()) }
    }

    fn may_try(&self, size: u64) -> bool {
        self.put_off.as_ref().is_none_or(|until| size >= until.size || clock::now().mono >= until.time)
    }

    /// Opens the file of this name anew: it may have been moved away.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let open = open::for_writing(&self.to.path, &self.to.how)?;
        self.rotates = self.to.maxbytes > 0 && open.may_rotate;
        (self.size, self.open, self.put_off) = (open.size, open, None);
        Ok(())
    }

    /// Empties the file where it is; what is no regular file has nothing to empty.
    fn clear(&mut self) -> io::Result<()> {
        if self.open.kind == Kind::Regular {
            self.open.file.set_len(0)?;
            self.size = 0;
        }
        Ok(())
    }

    pub(super) fn do_to(&mut self, deed: LogDeed) -> io::Result<()> {
        match deed {
            LogDeed::Clear => self.clear(),
            LogDeed::Rotate => self.rotate_now(),
            LogDeed::Reopen => self.reopen(),
        }
    }

    /// Rotates a file that has something in it, full or not.
    fn rotate_now(&mut self) -> io::Result<()> {
        if self.open.may_rotate && self.open.end()? > 0 { self.rotate() } else { Ok(()) }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let place = match walk::find_name(&self.to.path) {
            // The directory has gone, and is wanted.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.to.how.mkdir => return self.reopen(),
            place => place?,
        };
        // Of two programs with one file the other one may have been first: then what has this name now is not full.
        let is = statat(&place.dir, &place.name, AtFlags::empty());
        let is_ours = is.is_ok_and(|is| FileId::of(&is) == self.open.id);
        match self.to.backups {
            0 if is_ours => self.clear(),
            backups if is_ours => {
                let compression = self.to.compression.as_ref();
                let row = Row::new(&place.dir, &place.name, compression.is_some());
                let gate = compression.map(|compression| compression.gate(place.dir_is.st_dev));
                let held = gate.as_deref().map(compress::lock);
                row.shift(backups)?;
                // Without a new file the old one is the log, and has its name.
                self.reopen().inspect_err(|_| row.take_back())?;
                drop(held);
                self.compress_soon();
                Ok(())
            }
            _ => self.reopen(),
        }
    }

    fn compress_soon(&self) {
        if let Some(compression) = self.to.compression.as_ref().filter(|_| self.open.may_rotate) {
            compression.soon(&self.to.path, self.to.backups);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sink, Target, do_to_closed};
    use super::*;
    use crate::logs::open::OpenHow;
    use crate::logs::scene::Dir;

    fn sink(dir: &Dir, maxbytes: u64, backups: u32) -> Sink {
        Sink::open(Destination { maxbytes, backups, ..Destination::new(dir.file("log")) }).unwrap()
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
        std::fs::File::create(dir.file("log")).unwrap();
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
    fn a_rotation_that_fails_is_told_of_once_and_tried_again_after_a_while() {
        let dir = Dir::new();
        let mut sink = sink(&dir, 4, 1);
        std::fs::create_dir(dir.file("log.1")).unwrap();
        assert!(matches!(sink.write(b"1111"), (4, Err(Trouble::Rotate(_)))));
        for _ in 0..3 {
            sink.write(b"22").1.unwrap();
        }
        sink.write(&vec![b'3'; GROWTH as usize]).1.unwrap();
        std::fs::remove_dir(dir.file("log.1")).unwrap();
        sink.write(b"44").1.unwrap();
        assert_eq!(dir.content("log.1"), None, "not yet");
        sink.write(&vec![b'5'; GROWTH as usize]).1.unwrap();
        let [threes, fives] = ["3", "5"].map(|digit| digit.repeat(GROWTH as usize));
        assert!(dir.content("log.1").unwrap() == format!("1111222222{threes}44{fives}"));
        assert_eq!(dir.content("log").as_deref(), Some(""));
        std::fs::remove_file(dir.file("log.1")).unwrap();
        std::fs::create_dir(dir.file("log.1")).unwrap();
        assert!(sink.write(b"6666").1.is_err(), "this is another failure");
    }

    #[test]
    fn a_directory_that_has_gone_is_made_again_if_it_is_wanted() {
        for mkdir in [false, true] {
            let dir = Dir::new();
            let how = OpenHow { mkdir: true, ..OpenHow::default() };
            let mut to =
                Destination { maxbytes: 4, backups: 1, how, ..Destination::new(dir.file("sub/log")) };
            drop(Sink::open(to.clone()).unwrap());
            to.how.mkdir = mkdir;
            let mut sink = Sink::open(to).unwrap();
            std::fs::remove_dir_all(dir.file("sub")).unwrap();
            assert_eq!(sink.write(b"1111").1.is_ok(), mkdir);
            sink.write(b"22").1.unwrap();
            assert_eq!(dir.content("sub/log"), mkdir.then(|| "22".to_owned()));
        }
    }

    #[test]
    fn a_device_is_never_rotated() {
        let mut sink =
            Sink::open(Destination { maxbytes: 1, backups: 1, ..Destination::new(Path::new("/dev/null")) })
                .unwrap();
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
        let to = Destination { maxbytes: 0, backups: 1, ..Destination::new(dir.file("log")) };
        let to = Target::Named(to.into());
        do_to_closed(LogDeed::Rotate, &to).unwrap();
        assert_eq!((dir.content("log"), dir.content("log.1")), (None, None));
        std::fs::write(dir.file("log"), "old").unwrap();
        do_to_closed(LogDeed::Rotate, &to).unwrap();
        assert_eq!(dir.content("log.1").as_deref(), Some("old"));
        let null = Destination { maxbytes: 0, backups: 1, ..Destination::new(Path::new("/dev/null")) };
        let null = Target::Named(null.into());
        do_to_closed(LogDeed::Rotate, &null).unwrap();
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
