//! What was read from the files of one server, and how that is kept for the next brain.
//!
//! In: paths, or the bytes that an earlier brain has left. Out: the contents with how the files looked by then. What they are good
//! for is not here.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use provost_api::Pem;
use rustix::fs::OFlags;

use crate::kept::{self, StateError};

/// What the bytes are called that are kept, and the version of their layout.
pub(super) const KIND: &str = "certificate";
const VERSION: u32 = 1;
/// A bundle of every authority there is has a quarter of this.
const LARGEST: u64 = 1 << 20;

/// The contents of the files of one server, in the order of `Files::paths`.
#[derive(Debug)]
pub(super) struct Papers(pub(super) Vec<Paper>);

pub(super) struct Paper {
    pub(super) path: PathBuf,
    mark: Mark,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Paper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may be a key.
        f.debug_struct("Paper").field("path", &self.path).finish_non_exhaustive()
    }
}

/// By which a file is known to have changed: device, number, size, and when contents and attributes last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark([u64; 7]);

impl Mark {
    pub(super) fn of(meta: &Metadata) -> Mark {
        let times =
            [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()].map(i64::cast_unsigned);
        let [written, written_ns, changed, changed_ns] = times;
        Mark([meta.dev(), meta.ino(), meta.size(), written, written_ns, changed, changed_ns])
    }
}

impl Paper {
    pub(super) fn read(path: &Path) -> io::Result<Paper> {
        // Without the flag a pipe in its place would keep us here.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        if meta.len() > LARGEST {
            return Err(io::Error::other("it is too large to be one"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(Paper { path: path.to_owned(), mark: Mark::of(&meta), bytes })
    }
}

impl Papers {
    pub(super) fn pem(&self) -> Pem {
        let mut parts = self.0.iter().map(|paper| paper.bytes.clone());
        let mut next = || parts.next();
        Pem { certificate: next().unwrap_or_default(), key: next().unwrap_or_default(), client_ca: next() }
    }

    pub(super) fn marks(&self) -> Vec<Option<Mark>> {
        self.0.iter().map(|paper| Some(paper.mark)).collect()
    }

    pub(super) fn share(&self) -> io::Result<OwnedFd> {
        kept::write(KIND, &self.to_bytes())
    }

    /// How many there are; of each the path and the contents, both behind their lengths, and between them the mark.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = kept::header(KIND, VERSION);
        let number = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
        number(&mut bytes, self.0.len() as u64);
        for paper in &self.0 {
            let path = paper.path.as_os_str().as_bytes();
            number(&mut bytes, path.len() as u64);
            bytes.extend(path);
            for part in paper.mark.0 {
                number(&mut bytes, part);
            }
            number(&mut bytes, paper.bytes.len() as u64);
            bytes.extend(&paper.bytes);
        }
        bytes
    }

    pub(super) fn from_bytes(what: &str, bytes: &[u8]) -> Result<Papers, StateError> {
        let damaged = || StateError::damaged(what, "it is no such record");
        let (version, mut rest) = kept::split_header(KIND, bytes).ok_or_else(damaged)?;
        StateError::unless_understood(what, version, &(1..=VERSION))?;
        Papers::parse(&mut rest).ok_or_else(damaged)
    }

    fn parse(rest: &mut &[u8]) -> Option<Papers> {
        let count = number(rest)?;
        let paper = |_| {
            let path = PathBuf::from(std::ffi::OsString::from_vec(part(rest)?));
            let mut mark = [0; 7];
            for part in &mut mark {
                *part = number(rest)?;
            }
            Some(Paper { path, mark: Mark(mark), bytes: part(rest)? })
        };
        (0..count.min(3)).map(paper).collect::<Option<_>>().map(Papers)
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (number, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(u64::from_le_bytes(*number))
}

/// Bytes behind their length.
fn part(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (part, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(part.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_read() {
        let paper = |path: &str, bytes: &[u8]| Paper {
            path: path.into(),
            mark: Mark([1, 2, 3, 4, 5, 6, u64::MAX]),
            bytes: bytes.to_vec(),
        };
        let papers = Papers(vec![paper("/a", b"cert"), paper("/b", b""), paper("/c", b"ca")]);
        let bytes = papers.to_bytes();
        let again = Papers::from_bytes("x", &[bytes.clone(), b"more".to_vec()].concat()).unwrap();
        assert_eq!((again.pem(), again.marks()), (papers.pem(), papers.marks()));
        assert_eq!(again.0[2].path, Path::new("/c"));
        for cut in 0..bytes.len() {
            assert!(Papers::from_bytes("x", &bytes[..cut]).is_err(), "{cut}");
        }
        let newer = [&kept::header(KIND, 2), &bytes[kept::header(KIND, 1).len()..]].concat();
        let told = Papers::from_bytes("it", &newer).unwrap_err().to_string();
        assert_eq!(told, "it has version 2, and this build understands 1 to 1");
    }

    #[test]
    fn a_key_is_not_printed() {
        let paper = Paper { path: "/k".into(), mark: Mark([0; 7]), bytes: b"secret".to_vec() };
        assert_eq!(format!("{:?}", Papers(vec![paper])), "Papers([Paper { path: \"/k\", .. }])");
    }
}
