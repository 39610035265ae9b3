//! Backups are compressed, if that is asked for: `log.1` becomes `log.1.gz` or `log.1.zst` some time after a rotation.
//!
//! In: logs whose backups are to be looked through, again after each rotation. Out: smaller files, and a line for the main
//! log where that cannot be done; then a backup stays as it is until the next time. One thread for the daemon does it, with what
//! others leave of the processor, and it ends when there is nothing to do.
//!
//! Nothing is lost and nothing is there twice, whoever dies when. The new file has a name of its own until it is whole, on the disk,
//! and has been read back and found to be the same; then two steps make it the backup. Between these a backup is there in both
//! forms, and the plain one counts (`rotation.rs`). A file that somebody of ours still writes to is left for another time: of two
//! programs with one log one may not have noticed yet that the other has rotated it.
//!
//! A lane that rotates and the thread that puts its work in place must not meet: there is a gate for each file system, which is held
//! for a few renames and never while anything is read or compressed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use provost_config::{Compress, LogLevel};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, fchmod, fchown, fstat, fsync,
    futimens, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, FrameCompressor};

use super::open::FileId;
use super::reports::Reports;
use super::rotation::Row;
use super::walk::{self, Place};
use crate::death;

/// Nobody is to feel it.
const NICE: i32 = 19;
const PIECE: usize = 64 * 1024;

/// Held while backups are moved.
pub(super) type Gate = Arc<Mutex<()>>;

/// How the backups of a log are compressed, and by whom.
#[derive(Debug, Clone)]
pub(crate) struct Compression {
    kind: Kind,
    by: Arc<Compressor>,
}

/// The thread, whether or not it is there just now.
#[derive(Debug)]
pub(crate) struct Compressor {
    reports: Reports,
    queue: Mutex<Queue>,
    /// By device.
    gates: Mutex<BTreeMap<u64, Gate>>,
    /// Another brain is about to take over: nothing is put in place any more.
    is_closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    /// One for each log, by its name.
    jobs: BTreeMap<Arc<Path>, Job>,
    is_running: bool,
    /// Logs whose backups are no longer to be compressed, since the job under way was begun.
    called_off: BTreeSet<Arc<Path>>,
    /// Logs of which a failure has been told.
    troubled: BTreeSet<Arc<Path>>,
}

/// A log whose backups are to be looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    path: Arc<Path>,
    backups: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gzip,
    Zstd,
}

impl Compression {
    pub(crate) fn new(wanted: Compress, by: &Arc<Compressor>) -> Option<Compression> {
        let kind = match wanted {
            Compress::None => return None,
            Compress::Gzip => Kind::Gzip,
            Compress::Zstd => Kind::Zstd,
        };
        Some(Compression { kind, by: Arc::clone(by) })
    }

    /// To be held while the backups of a log on this device are moved.
    pub(super) fn gate(&self, device: u64) -> Gate {
        self.by.gate(device)
    }

    /// There may be something to do.
    pub(super) fn soon(&self, path: &Arc<Path>, backups: u32) {
        self.by.add(Job { path: Arc::clone(path), backups, kind: self.kind });
    }

    /// Nothing is put in place any more: from here on this log is rotated without asking at the gate.
    pub(super) fn call_off(&self, path: &Arc<Path>) {
        self.by.call_off(path);
    }
}

impl PartialEq for Compression {
    fn eq(&self, other: &Compression) -> bool {
        self.kind == other.kind && Arc::ptr_eq(&self.by, &other.by)
    }
}

impl Eq for Compression {}

impl Compressor {
    pub(super) fn new(reports: Reports) -> Arc<Compressor> {
        Arc::new(Compressor {
            reports,
            queue: Mutex::default(),
            gates: Mutex::default(),
            is_closed: AtomicBool::new(false),
        })
    }

    /// Whatever is under way comes to nothing; the next brain begins it again.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    fn gate(&self, device: u64) -> Gate {
        Arc::clone(lock(&self.gates).entry(device).or_default())
    }

    fn add(self: &Arc<Self>, job: Job) {
        let mut queue = lock(&self.queue);
        queue.jobs.insert(Arc::clone(&job.path), job);
        if !queue.is_running {
            let this = Arc::clone(self);
            // A panic in there ends this thread only: the file that brought it about would bring it about in each new brain.
            let started = std::thread::Builder::new().name("compress".into()).spawn(move || this.run());
            // If there is none to be had now, the next rotation tries again.
            queue.is_running = started.is_ok();
        }
    }

    fn call_off(&self, path: &Arc<Path>) {
        let mut queue = lock(&self.queue);
        queue.jobs.remove(path);
        if queue.is_running {
            queue.called_off.insert(Arc::clone(path));
        }
        drop(queue);
        // What is just being put in place is there when its gate is free.
        let gates: Vec<Gate> = lock(&self.gates).values().cloned().collect();
        gates.iter().for_each(|gate| drop(lock(gate)));
    }

    fn run(&self) {
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
        while let Some(job) = self.next() {
            let done = catch_unwind(AssertUnwindSafe(|| self.look_through(&job)));
            let result =
                done.unwrap_or_else(|_| Err(io::Error::other("a mistake of ours, please report it")));
            self.note(&job, result);
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = lock(&self.queue);
        let job = queue.jobs.pop_first().map(|(_, job)| job).filter(|_| !self.is_closed());
        queue.is_running = job.is_some();
        queue.called_off.clear();
        job
    }

    /// Tells of a failure once, until it is over.
    fn note(&self, job: &Job, result: io::Result<()>) {
        let mut queue = lock(&self.queue);
        match result {
            Ok(()) => drop(queue.troubled.remove(&job.path)),
            Err(e) if queue.troubled.insert(Arc::clone(&job.path)) => {
                let path = job.path.display();
                let text = format!("cannot compress the backups of {path}: {e}; they stay as they are");
                self.reports.say(LogLevel::Critical, text);
            }
            Err(_) => {}
        }
    }

    /// Compresses what is not compressed yet, the newest first.
    fn look_through(&self, job: &Job) -> io::Result<()> {
        let place = walk::find_name(&job.path)?;
        let row = Row::new(&place.dir, &place.name, true);
        remove(&place, &unfinished(&place))?;
        for n in (1..=job.backups).take_while(|n| !row.is_free(*n)) {
            if self.is_closed() {
                break;
            }
            // Its name is another backup's; it stays as it is.
            if row.is_shared(n) {
                continue;
            }
            if let Some(source) = Source::open(&place, row.backup(n, ""))? {
                self.compress(&place, row, job, source)?;
            }
        }
        Ok(())
    }

    fn compress(&self, place: &Place, row: Row<'_>, job: &Job, mut source: Source) -> io::Result<()> {
        let name = unfinished(place);
        let whole = make(place, &name, job.kind, &mut source);
        death::may_come();
        let placed = whole.and_then(|()| self.put_in_place(place, row, job, &name, &source));
        if !matches!(placed, Ok(true)) {
            remove(place, &name)?;
        }
        placed.map(drop)
    }

    /// The two steps. False if they must not be taken.
    fn put_in_place(
        &self,
        place: &Place,
        row: Row<'_>,
        job: &Job,
        name: &OsString,
        source: &Source,
    ) -> io::Result<bool> {
        let gate = self.gate(place.dir_is.st_dev);
        let _held = lock(&gate);
        // It may have moved up meanwhile, or even out.
        let is_it = |n: &u32| row.look(*n, "").is_ok_and(|is| FileId::of(&is) == source.id());
        let Some(n) = (1..=job.backups).find(is_it) else { return Ok(false) };
        if self.is_closed() || lock(&self.queue).called_off.contains(&job.path) || source.has_changed()? {
            return Ok(false);
        }
        if row.is_shared(n) {
            return Ok(false);
        }
        row.settle(n)?;
        renameat(&place.dir, name, &place.dir, row.backup(n, job.kind.ending()))?;
        death::may_come();
        row.remove(n, "")?;
        Ok(true)
    }
}

/// A backup that is to be compressed.
#[derive(Debug)]
struct Source {
    file: File,
    is: Stat,
}

impl Source {
    /// Nothing if there is no such file, or none that may be compressed now.
    fn open(place: &Place, name: OsString) -> io::Result<Option<Source>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(&place.dir, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            // A link leads elsewhere, and what is there is not ours.
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let is = fstat(&file)?;
        let is_file = FileType::from_raw_mode(is.st_mode) == FileType::RegularFile;
        if !is_file || is.st_size == 0 {
            return Ok(None);
        }
        place.check_names(&is)?;
        let source = Source { file, is };
        Ok((!source.is_written()?).then_some(source))
    }

    fn id(&self) -> FileId {
        FileId::of(&self.is)
    }

    /// Whether one of our descriptors may still add to it.
    fn is_written(&self) -> io::Result<bool> {
        for entry in std::fs::read_dir("/proc/self/fd")?.flatten() {
            let is_it = |is: Stat| FileId::of(&is) == self.id();
            if !statat(CWD, entry.path(), AtFlags::empty()).is_ok_and(is_it) {
                continue;
            }
            // The permissions of the link say how it is open.
            let link = statat(CWD, entry.path(), AtFlags::SYMLINK_NOFOLLOW);
            if link.is_ok_and(|link| link.st_mode & 0o200 != 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn has_changed(&self) -> io::Result<bool> {
        let now = fstat(&self.file)?;
        Ok((now.st_size, now.st_mtime, now.st_mtime_nsec)
            != (self.is.st_size, self.is.st_mtime, self.is.st_mtime_nsec))
    }
}

impl Kind {
    fn ending(self) -> &'static str {
        match self {
            Kind::Gzip => ".gz",
            Kind::Zstd => ".zst",
        }
    }
}

/// Makes the compressed file, under a name that nobody looks for: whole, on the disk, and proved.
fn make(place: &Place, name: &OsString, kind: Kind, source: &mut Source) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(&place.dir, name, flags, Mode::from_raw_mode(0o600))?);
    death::may_come();
    source.file.rewind()?;
    press(kind, &source.file, &file)?;
    source.file.rewind()?;
    (&file).rewind()?;
    if !is_same(kind, &source.file, &file)? {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "what was written is not what was read"));
    }
    let is = &source.is;
    // Who may not give it away may not read it less than before: its owner is who made it.
    let _ = fchown(&file, Some(Uid::from_raw(is.st_uid)), Some(Gid::from_raw(is.st_gid)));
    fchmod(&file, Mode::from_raw_mode(is.st_mode & 0o777))?;
    let of = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec: tv_nsec as _ };
    let times = Timestamps {
        last_access: of(is.st_atime, is.st_atime_nsec),
        last_modification: of(is.st_mtime, is.st_mtime_nsec),
    };
    futimens(&file, &times)?;
    Ok(fsync(&file)?)
}

fn press(kind: Kind, from: &File, to: &File) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(PIECE, to);
    match kind {
        Kind::Gzip => {
            let mut encoder = GzEncoder::new(&mut to, flate2::Compression::default());
            io::copy(&mut BufReader::with_capacity(PIECE, from), &mut encoder)?;
            encoder.finish()?;
        }
        Kind::Zstd => {
            let failure = Mutex::new(None);
            let mut encoder = FrameCompressor::new(CompressionLevel::Fastest);
            encoder.set_source(Calm { inner: from, failure: &failure });
            encoder.set_drain(Calm { inner: &mut to, failure: &failure });
            encoder.compress();
            drop(encoder);
            if let Some(e) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
                return Err(e);
            }
        }
    }
    to.flush()
}

fn is_same(kind: Kind, plain: &File, pressed: &File) -> io::Result<bool> {
    let pressed = BufReader::with_capacity(PIECE, pressed);
    match kind {
        Kind::Gzip => is_equal(plain, MultiGzDecoder::new(pressed)),
        Kind::Zstd => is_equal(plain, StreamingDecoder::new(pressed).map_err(io::Error::other)?),
    }
}

fn is_equal(one: impl Read, other: impl Read) -> io::Result<bool> {
    let (mut one, mut other) = (one, other);
    let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let (n, m) = (fill(&mut one, &mut a)?, fill(&mut other, &mut b)?);
        if a[..n] != b[..m] {
            return Ok(false);
        }
        if n < PIECE {
            return Ok(true);
        }
    }
}

/// As much as there is, up to a whole piece.
fn fill(from: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while have < piece.len() {
        match from.read(&mut piece[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(have)
}

/// For the encoder, which panics at errors: it is told of the end instead, and we keep the first of them.
struct Calm<'a, T> {
    inner: T,
    failure: &'a Mutex<Option<io::Error>>,
}

impl<T: Read> Read for Calm<'_, T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut failure = lock(self.failure);
        if failure.is_some() {
            return Ok(0);
        }
        Ok(fill(&mut self.inner, bytes).unwrap_or_else(|e| {
            *failure = Some(e);
            0
        }))
    }
}

impl<T: Write> Write for Calm<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut failure = lock(self.failure);
        if failure.is_none() {
            *failure = self.inner.write_all(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the work of whoever died is found, too.
fn unfinished(place: &Place) -> OsString {
    let mut name = place.name.clone();
    name.push(".compressing");
    name
}

fn remove(place: &Place, name: &OsString) -> io::Result<()> {
    match unlinkat(&place.dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// What a panic left is as good as it was: each step is one assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod tests;
