//! Windows on log files, by byte offset (SPEC 6.5).
//!
//! Two ways to ask, both Supervisor's: `read` from an offset or for the last bytes, and `tail`, which also tells
//! where to go on. Bytes that are not UTF-8, or half a character at an edge, become U+FFFD instead of an error.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::room::{Room, Share};
use crate::shared::OpenLog;

/// The most bytes of logs that one request gets; whoever wants all of a larger log asks in pieces.
pub(crate) const MOST: u64 = 64 << 20;

/// Why there is nothing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogError {
    /// Offset and length contradict each other.
    BadArguments,
    NoFile,
    /// More than is left of [`MOST`].
    TooMuch,
    /// Others hold so much at the moment.
    NoRoom,
    Failed(String),
}

/// How much may be read for one request, and the room for it beside what is read and sent for others.
#[derive(Debug)]
pub(crate) struct Allowance {
    most: u64,
    share: Share,
}

impl Allowance {
    pub(crate) fn new(most: u64, answers: &Room) -> Allowance {
        Allowance { most, share: answers.none() }
    }

    fn permits(&mut self, length: u64) -> Result<(), LogError> {
        if length > self.most {
            return Err(LogError::TooMuch);
        }
        let length = usize::try_from(length).map_err(|_| LogError::TooMuch)?;
        if self.share.grow(length) { Ok(()) } else { Err(LogError::NoRoom) }
    }
}

/// What `tail` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) text: String,
    pub(crate) offset: i64,
    pub(crate) overflow: bool,
}

/// From `offset`, `length` bytes or to the end (length 0); or the last `-offset` bytes (negative offset, length 0).
pub(crate) fn read(
    path: &Path,
    open_log: OpenLog,
    offset: i64,
    length: i64,
    allowance: &mut Allowance,
) -> Result<String, LogError> {
    if length < 0 || (offset < 0 && length != 0) {
        return Err(LogError::BadArguments);
    }
    let (mut file, size) = open(path, open_log)?;
    let (from, length) = match (u64::try_from(offset), length) {
        (Err(_), _) => (size.saturating_sub(offset.unsigned_abs()), u64::MAX),
        (Ok(from), 0) => (from, u64::MAX),
        (Ok(from), length) => (from, length.unsigned_abs()),
    };
    let length = length.min(size.saturating_sub(from));
    allowance.permits(length)?;
    window(&mut file, from, length)
}

/// The last `length` bytes, as many as are allowed at the most, and where the file ends; nothing where the caller is up to date.
pub(crate) fn tail(
    path: &Path,
    open_log: OpenLog,
    offset: i64,
    length: i64,
    allowance: &mut Allowance,
) -> Tail {
    let Ok((mut file, size)) = open(path, open_log) else {
        return Tail { text: String::new(), offset: 0, overflow: false };
    };
    let (mut from, mut length) = (i128::from(offset), i128::from(length).min(i128::from(allowance.most)));
    let size = i128::from(size);
    let overflow = size > from + length;
    if overflow {
        from = size - 1;
    }
    if from + length > size {
        if from > size - 1 {
            length = 0;
        }
        from = size - length;
    }
    let clamp = |n: i128| u64::try_from(n.max(0)).unwrap_or(u64::MAX);
    let new_offset = i64::try_from(size).unwrap_or(i64::MAX);
    let there = clamp(length).min(clamp(size));
    match allowance.permits(there).and_then(|()| window(&mut file, clamp(from), clamp(length))) {
        Ok(_) if length <= 0 => Tail { text: String::new(), offset: new_offset, overflow },
        Ok(text) => Tail { text, offset: new_offset, overflow },
        Err(_) => Tail { text: String::new(), offset, overflow: false },
    }
}

/// The last bytes, as many as are allowed, and where the file ends.
pub(crate) fn end(
    path: &Path,
    open_log: OpenLog,
    allowance: &mut Allowance,
) -> Result<(String, u64), LogError> {
    let (mut file, size) = open(path, open_log)?;
    let length = size.min(allowance.most);
    allowance.permits(length)?;
    Ok((window(&mut file, size - length, length)?, size))
}

fn open(path: &Path, open_log: OpenLog) -> Result<(File, u64), LogError> {
    let failed = |e: io::Error| LogError::Failed(e.to_string());
    let file = open_log(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => LogError::NoFile,
        _ => failed(e),
    })?;
    let size = file.metadata().map_err(failed)?.len();
    Ok((file, size))
}

fn window(file: &mut File, from: u64, most: u64) -> Result<String, LogError> {
    let mut bytes = Vec::new();
    let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(most).read_to_end(&mut bytes));
    read.map_err(|e| LogError::Failed(e.to_string()))?;
    // Not twice in memory where it is text, as it mostly is.
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// What is answered where others hold so much.
pub(crate) fn no_room(log: impl std::fmt::Display) -> String {
    format!("{log} is not read now, as much is being read and sent for others; ask for less, or later")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plainly(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn allowance(most: u64) -> Allowance {
        Allowance::new(most, &Room::new(usize::MAX, 0))
    }

    #[test]
    fn where_others_hold_much_nothing_is_read_and_a_tail_stays_where_it_was() {
        let log = Sample::new("room", b"0123456789");
        let room = Room::new(10, 0);
        let mut of_others = room.none();
        assert!(of_others.grow(8));
        let mut ours = Allowance::new(MOST, &room);
        assert_eq!(read(&log.0, plainly, 0, 0, &mut ours), Err(LogError::NoRoom));
        assert_eq!(
            tail(&log.0, plainly, 4, 6, &mut ours),
            Tail { text: String::new(), offset: 4, overflow: false }
        );
        assert_eq!(read(&log.0, plainly, 0, 2, &mut ours).unwrap(), "01");
    }

    /// A file of these bytes that goes away with the value.
    struct Sample(std::path::PathBuf);

    impl Sample {
        fn new(name: &str, bytes: &[u8]) -> Sample {
            let path = std::env::temp_dir().join(format!("provost-logs-{}-{name}", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Sample(path)
        }
    }

    impl Drop for Sample {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn read_follows_the_table_of_the_manual() {
        let log = Sample::new("read", b"0123456789");
        let read = |offset, length| read(&log.0, plainly, offset, length, &mut allowance(MOST));
        assert_eq!(read(-4, 0).unwrap(), "6789");
        assert_eq!(read(-99, 0).unwrap(), "0123456789");
        assert_eq!(read(3, 0).unwrap(), "3456789");
        assert_eq!(read(3, 2).unwrap(), "34");
        assert_eq!(read(99, 5).unwrap(), "");
        assert_eq!(read(-1, 1), Err(LogError::BadArguments));
        assert_eq!(read(0, -1), Err(LogError::BadArguments));
    }

    /// The values that 4.3.0 gave for a seven-byte file (SPEC 6.5).
    #[test]
    fn tail_answers_what_supervisor_answers() {
        let log = Sample::new("tail", b"abcdefg");
        let tail = |offset, length| {
            let t = tail(&log.0, plainly, offset, length, &mut allowance(MOST));
            (t.text, t.offset, t.overflow)
        };
        assert_eq!(tail(0, 0), (String::new(), 7, true));
        assert_eq!(tail(0, 3), ("efg".into(), 7, true));
        assert_eq!(tail(100, 5), (String::new(), 7, false));
        assert_eq!(tail(-1, 3), ("efg".into(), 7, true));
        assert_eq!(tail(7, 1), (String::new(), 7, false));
    }

    #[test]
    fn more_than_is_allowed_is_refused_and_a_tail_is_shortened() {
        let log = Sample::new("most", b"0123456789");
        assert_eq!(read(&log.0, plainly, 0, 0, &mut allowance(9)), Err(LogError::TooMuch));
        assert_eq!(read(&log.0, plainly, 1, 0, &mut allowance(9)).unwrap(), "123456789");
        assert_eq!(tail(&log.0, plainly, 0, 10, &mut allowance(3)).text, "789");
    }

    #[test]
    fn what_is_not_text_is_replaced_not_refused() {
        let log = Sample::new("bytes", b"\xff\xc3\xa9x");
        assert_eq!(read(&log.0, plainly, 0, 0, &mut allowance(MOST)).unwrap(), "\u{fffd}\u{e9}x");
        assert_eq!(read(&log.0, plainly, 2, 0, &mut allowance(MOST)).unwrap(), "\u{fffd}x");
    }

    #[test]
    fn a_log_that_is_not_there_is_no_file() {
        assert_eq!(
            read(Path::new("/nonexistent/log"), plainly, 0, 0, &mut allowance(MOST)),
            Err(LogError::NoFile)
        );
        assert_eq!(
            tail(Path::new("/nonexistent/log"), plainly, 5, 5, &mut allowance(MOST)),
            Tail { text: String::new(), offset: 0, overflow: false }
        );
    }
}
