//! How much of a chunk a dead brain had written already, and to which file.
//!
//! In: the chunk, the file as it was found before the write. Out: the file, open, and a number of bytes.
//!
//! Where nobody but us writes, what the file has grown by is what was written. It is compared all the same. Where others
//! append to it, too, the chunk is looked for in what has been added: a whole one first; else the longest beginning of it
//! that ends where the kernel can have stopped in the middle of a write, on the border of a page. A file that is shorter than
//! it was has been truncated, and all that it holds now has been added. A file that was renamed is found beside its old
//! name. One that is nowhere has taken with it what was written, as far as anybody can tell: then, as in every
//! other doubt, nothing counts as written. Twice is better than lost.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;

use super::open::{self, FileId, Kind, Open, OpenHow};

/// The smallest page there is; larger ones are multiples of it.
const PAGE: u64 = 4096;

/// Where the rest of a chunk goes.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) to: Open,
    /// Of the chunk, that is.
    pub(super) written: usize,
    /// It is not the file that the dead brain had open, which is nowhere.
    pub(super) is_another: bool,
}

/// `before` is the size that the file had, `at` where the chunk lies in memory.
pub(super) fn find(path: &Path, id: FileId, before: u64, chunk: &[u8], at: u64) -> io::Result<Found> {
    let (to, content) = match open_known(path, id) {
        Some(found) => found,
        None => {
            return Ok(Found { to: open_or_make(path)?, written: 0, is_another: true });
        }
    };
    let written = match (to.kind, content) {
        (Kind::Regular, Some(content)) => written(content, before, chunk, at)?,
        (Kind::Regular, None) => {
            // It may be written and not read: then its size is all there is to go by.
            let grown = to.end()?.saturating_sub(before);
            usize::try_from(grown).map_or(chunk.len(), |grown| grown.min(chunk.len()))
        }
        // Nobody can look into these.
        (Kind::Pipe | Kind::Other, _) => 0,
    };
    Ok(Found { to, written, is_another: false })
}

/// The file of this name, whatever it is.
pub(super) fn open_or_make(path: &Path) -> io::Result<Open> {
    open::for_writing(path, &OpenHow::default())
}

/// The file of this identity, under its name or another in the same directory; for writing, and for reading if that may be.
fn open_known(path: &Path, id: FileId) -> Option<(Open, Option<File>)> {
    open_if(path, id).or_else(|| {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let entries = directory.unwrap_or(Path::new(".")).read_dir().ok()?;
        let mut entries = entries.flatten().filter(|entry| entry.ino() == id.ino);
        entries.find_map(|entry| open_if(&entry.path(), id))
    })
}

fn open_if(path: &Path, id: FileId) -> Option<(Open, Option<File>)> {
    let to = open::existing(path).ok().filter(|to| to.id == id)?;
    let is_it = |file: &File| file.metadata().is_ok_and(|is| FileId { dev: is.dev(), ino: is.ino() } == id);
    let content = open::for_reading(path).ok().filter(is_it);
    Some((to, content))
}

fn written(mut content: File, before: u64, chunk: &[u8], at: u64) -> io::Result<usize> {
    let size = content.metadata()?.len();
    let start = if size < before { 0 } else { before };
    let grown = size - start;
    content.seek(SeekFrom::Start(start))?;
    if grown <= chunk.len() as u64 {
        let mut added = Vec::with_capacity(chunk.len());
        content.by_ref().take(grown).read_to_end(&mut added)?;
        if chunk.starts_with(&added) {
            return Ok(added.len());
        }
        content.seek(SeekFrom::Start(start))?;
    }
    written_among_others(content.take(grown), start, chunk, at)
}

/// Reads what was added from `offset` on once, and knows at each byte the longest beginning of the chunk that ends there (the
/// algorithm of Knuth, Morris and Pratt).
fn written_among_others(added: impl Read, mut offset: u64, chunk: &[u8], at: u64) -> io::Result<usize> {
    let borders = borders(chunk);
    let (mut matched, mut best) = (0, 0);
    for byte in io::BufReader::with_capacity(1 << 16, added).bytes() {
        let byte = byte?;
        while matched > 0 && chunk[matched] != byte {
            matched = borders[matched - 1];
        }
        matched += usize::from(chunk[matched] == byte);
        if matched == chunk.len() {
            return Ok(matched);
        }
        offset += 1;
        let may_end_here = offset.is_multiple_of(PAGE) || (at + matched as u64).is_multiple_of(PAGE);
        if may_end_here {
            best = best.max(matched);
        }
    }
    Ok(best)
}

/// For each beginning of the chunk: the longest shorter beginning that it ends with.
fn borders(chunk: &[u8]) -> Vec<usize> {
    let mut borders = vec![0; chunk.len()];
    let mut matched = 0;
    for (n, byte) in chunk.iter().enumerate().skip(1) {
        while matched > 0 && chunk[matched] != *byte {
            matched = borders[matched - 1];
        }
        matched += usize::from(chunk[matched] == *byte);
        borders[n] = matched;
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::scene::Dir;

    /// A file that held `old` when the chunk was to be written, and holds `now`.
    fn of(old: &str, now: &[u8], chunk: &[u8]) -> usize {
        let dir = Dir::new();
        std::fs::write(dir.file("log"), old).unwrap();
        let open = open::existing(&dir.file("log")).unwrap();
        std::fs::write(dir.file("log"), now).unwrap();
        let found = find(&dir.file("log"), open.id, old.len() as u64, chunk, 1).unwrap();
        assert!(!found.is_another);
        found.written
    }

    #[test]
    fn alone_what_the_file_has_grown_by_is_what_was_written() {
        for n in 0..=6 {
            assert_eq!(of("old\n", &b"old\nchunk\n"[..4 + n], b"chunk\n"), n);
        }
        // The same text stood there before: that one is not ours.
        assert_eq!(of("chunk\n", b"chunk\n", b"chunk\n"), 0);
    }

    #[test]
    fn among_others_a_whole_chunk_is_found_wherever_it_is() {
        assert_eq!(of("old\n", b"old\nchunk\nforeign\n", b"chunk\n"), 6);
        assert_eq!(of("old\n", b"old\nforeign\nchunk\n", b"chunk\n"), 6);
        assert_eq!(of("old\n", b"old\nchunchunk\nforeign\n", b"chunk\n"), 6);
        assert_eq!(of("old\n", b"old\nforeign\n", b"chunk\n"), 0);
    }

    #[test]
    fn among_others_a_part_counts_if_the_kernel_can_have_stopped_there() {
        let chunk: Vec<u8> = (0..3000u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        let before = b"old\nforeign\n";
        // Up to the border of a page of the file, then somebody else.
        let part = PAGE as usize - before.len();
        let now = [before, &chunk[..part], b"foreign again\n"].concat();
        assert_eq!(of("old\n", &now, &chunk), part);
        // The border of a page in memory: the chunk begins one byte after one.
        let now = [before, &chunk[..PAGE as usize - 1]].concat();
        assert_eq!(of("old\n", &now, &chunk), PAGE as usize - 1);
        // Somebody else's text that happens to end as ours begins is not ours.
        assert_eq!(of("old\n", b"old\nforeign 0\n1\n", &chunk), 0);
    }

    #[test]
    fn in_a_truncated_file_everything_is_new() {
        assert_eq!(of("something old\n", b"chunk\n", b"chunk\n"), 6);
        assert_eq!(of("something old\n", b"chu", b"chunk\n"), 3);
        assert_eq!(of("something old\n", b"", b"chunk\n"), 0);
        assert_eq!(of("something old\n", b"fo\nchunk\n", b"chunk\n"), 6);
    }

    #[test]
    fn a_renamed_file_is_found_and_a_removed_one_is_made_again() {
        let dir = Dir::new();
        std::fs::write(dir.file("log"), "old").unwrap();
        let open = open::existing(&dir.file("log")).unwrap();
        std::fs::rename(dir.file("log"), dir.file("log-2026")).unwrap();
        std::fs::write(dir.file("log"), "oldch").unwrap();
        let found = find(&dir.file("log"), open.id, 3, b"chunk", 0).unwrap();
        assert_eq!((found.to.id, found.written, found.is_another), (open.id, 0, false));
        std::fs::remove_file(dir.file("log-2026")).unwrap();
        let found = find(&dir.file("log"), open.id, 3, b"chunk", 0).unwrap();
        assert_eq!((found.written, found.is_another), (0, true));
    }
}
