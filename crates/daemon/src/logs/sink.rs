//! A log file: opened for appending, rotated after a write that fills it (SPEC 4.3).
//!
//! Rotation never touches what is not a regular file of its own: a terminal, a pipe, `/dev/stdout`. A sink that
//! cannot write says so to its owner once and goes on trying with every later piece.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where output goes, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) path: Arc<Path>,
    /// Bytes; 0 means never rotate.
    pub(crate) maxbytes: u64,
    /// Rotated files to keep; 0 means that a full file is emptied.
    pub(crate) backups: u32,
}

/// An open log file.
#[derive(Debug)]
pub(crate) struct Sink {
    to: Destination,
    file: File,
    size: u64,
    rotates: bool,
}

impl Sink {
    pub(crate) fn open(to: Destination) -> io::Result<Sink> {
        let file = open(&to.path, false)?;
        let meta = file.metadata()?;
        let is_device = to.path.starts_with("/dev") || to.path.starts_with("/proc");
        let rotates = to.maxbytes > 0 && meta.is_file() && !is_device;
        Ok(Sink { to, file, size: meta.len(), rotates })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.to.path
    }

    /// Writes all of it; rotates afterwards if the file is full.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        if self.rotates && self.size >= self.to.maxbytes {
            // Somebody may have emptied the file meanwhile: what counts is its real size.
            self.size = self.file.metadata()?.len();
            if self.size >= self.to.maxbytes {
                self.rotate()?;
            }
        }
        Ok(())
    }

    /// Opens the file of this name anew: it may have been moved away.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.to.path, false)?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }

    /// Empties the file where it is; what is no regular file has nothing to empty.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
            self.size = 0;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |n: u32| {
            let mut name = self.to.path.as_os_str().to_owned();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        for n in (1..self.to.backups).rev() {
            rename_if_there(&numbered(n), &numbered(n + 1))?;
        }
        if self.to.backups > 0 {
            rename_if_there(&self.to.path, &numbered(1))?;
        }
        self.file = open(&self.to.path, true)?;
        self.size = 0;
        Ok(())
    }
}

/// Empties a log that is not open. Only a regular file is touched, and none is made.
pub(crate) fn clear(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(meta) if meta.is_file() => OpenOptions::new().write(true).open(path)?.set_len(0),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Always for appending, so that two writers, or a truncation from outside, cannot make holes.
fn open(path: &Path, empty: bool) -> io::Result<File> {
    let no_terminal = rustix::fs::OFlags::NOCTTY.bits() as i32;
    let file = OpenOptions::new().append(true).create(true).custom_flags(no_terminal).open(path)?;
    if empty {
        file.set_len(0)?;
    }
    Ok(file)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let dir = std::env::temp_dir().join(format!("provost-sink-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            Dir(dir)
        }
        fn sink(&self, maxbytes: u64, backups: u32) -> Sink {
            Sink::open(Destination { path: self.0.join("log").into(), maxbytes, backups }).unwrap()
        }
        fn content(&self, name: &str) -> Option<String> {
            std::fs::read_to_string(self.0.join(name)).ok()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_full_file_becomes_the_first_backup_and_the_oldest_goes() {
        let dir = Dir::new("rotate");
        let mut sink = dir.sink(4, 2);
        for piece in ["1111", "2222", "3333", "44"] {
            sink.write(piece.as_bytes()).unwrap();
        }
        assert_eq!(dir.content("log").as_deref(), Some("44"));
        assert_eq!(dir.content("log.1").as_deref(), Some("3333"));
        assert_eq!(dir.content("log.2").as_deref(), Some("2222"));
        assert_eq!(dir.content("log.3"), None);
    }

    #[test]
    fn without_backups_a_full_file_is_emptied() {
        let dir = Dir::new("empty");
        let mut sink = dir.sink(4, 0);
        sink.write(b"12345").unwrap();
        sink.write(b"6").unwrap();
        assert_eq!(dir.content("log").as_deref(), Some("6"));
        assert_eq!(dir.content("log.1"), None);
    }

    #[test]
    fn a_file_emptied_from_outside_is_not_rotated_for_what_it_once_held() {
        let dir = Dir::new("outside");
        let mut sink = dir.sink(10, 1);
        sink.write(b"12345678").unwrap();
        File::create(dir.0.join("log")).unwrap();
        sink.write(b"abc").unwrap();
        assert_eq!(dir.content("log").as_deref(), Some("abc"));
        assert_eq!(dir.content("log.1"), None);
    }

    #[test]
    fn what_was_there_before_is_kept_and_counts() {
        let dir = Dir::new("before");
        std::fs::write(dir.0.join("log"), "1234567").unwrap();
        let mut sink = dir.sink(8, 1);
        sink.write(b"8").unwrap();
        assert_eq!(dir.content("log.1").as_deref(), Some("12345678"));
    }

    #[test]
    fn a_device_is_never_rotated() {
        let mut sink =
            Sink::open(Destination { path: Path::new("/dev/null").into(), maxbytes: 1, backups: 1 }).unwrap();
        sink.write(b"more than one").unwrap();
        assert!(!Path::new("/dev/null.1").exists());
    }

    #[test]
    fn reopening_follows_the_name_not_the_file() {
        let dir = Dir::new("reopen");
        let mut sink = dir.sink(0, 0);
        sink.write(b"old").unwrap();
        std::fs::rename(dir.0.join("log"), dir.0.join("moved")).unwrap();
        sink.reopen().unwrap();
        sink.write(b"new").unwrap();
        assert_eq!(
            (dir.content("moved").as_deref(), dir.content("log").as_deref()),
            (Some("old"), Some("new"))
        );
    }
}
