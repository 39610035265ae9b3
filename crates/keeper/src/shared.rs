//! Memory that outlives the process that wrote it: a memfd that the keeper holds, mapped by whichever brain is alive.
//!
//! In: how much of it there is to be, or the descriptor of what an earlier process left. Out: the same bytes in two ways, as
//! words that are read and stored atomically, and as a file: bytes go into it by [`Shared::read_from`], out of it by
//! [`Shared::write_to`], or either way by its position. One of its words may be the position in another file ([`Shared::splice_from`]).
//!
//! It is sound whoever else writes: no reference to plain bytes of it is ever made, an atomic word may change at any time,
//! and what is moved in or out goes from the kernel's hand to the kernel's. Only a process that shrank the file could
//! take mapped pages away, so that is sealed. What the words mean is the affair of whoever uses them, and so is that two
//! processes do not use them at once.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};

/// A piece of shared memory of fixed size.
#[derive(Debug)]
pub struct Shared {
    fd: OwnedFd,
    mapping: Mapping,
}

/// Where it is in our own memory, as long as this lives.
#[derive(Debug)]
struct Mapping {
    at: NonNull<AtomicU64>,
    words: usize,
}

impl Shared {
    /// Zeroed memory of this many bytes, a multiple of eight.
    pub fn create(name: &str, bytes: usize) -> io::Result<Shared> {
        let fd = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&fd, bytes as u64)?;
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Shared::found(fd)
    }

    /// What another process has created.
    pub fn found(fd: OwnedFd) -> io::Result<Shared> {
        if !fcntl_get_seals(&fd)?.contains(SealFlags::SHRINK) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "memory that may shrink cannot be shared",
            ));
        }
        let size = usize::try_from(fstat(&fd)?.st_size).unwrap_or(0);
        let mapping = Mapping::of(&fd, size / size_of::<AtomicU64>())?;
        Ok(Shared { fd, mapping })
    }

    /// The same memory, and the same position in it, for somebody else.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    pub fn words(&self) -> &[AtomicU64] {
        self.mapping.words()
    }

    /// One write(2) to `file` of what lies in these bytes; returns how many it took.
    pub fn write_to(&self, file: impl AsFd, from: usize, bytes: usize) -> io::Result<usize> {
        self.has(from, bytes)?;
        // SAFETY: the bytes lie within the mapping, as was just seen; the kernel only reads them, and does not mind if
        // they change meanwhile.
        let written = unsafe {
            let at = self.words().as_ptr().cast::<u8>().add(from);
            libc::write(file.as_fd().as_raw_fd(), at.cast(), bytes)
        };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }

    /// One read(2) from `file` into these bytes; returns how many it gave.
    pub fn read_from(&self, file: impl AsFd, to: usize, bytes: usize) -> io::Result<usize> {
        self.has(to, bytes)?;
        // SAFETY: the bytes lie within the mapping, as was just seen. It was mapped for writing, and all that refers to
        // it are atomic words, which anybody may change at any time, as another process may.
        let read = unsafe {
            let at = self.words().as_ptr().cast::<u8>().cast_mut().add(to);
            libc::read(file.as_fd().as_raw_fd(), at.cast(), bytes)
        };
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }

    /// One splice(2), which does not wait, of at most so many bytes of `file` into the pipe `to`, from the position that this word holds.
    /// The kernel moves the word on by what it has moved, in the same call: nobody can be killed between the two.
    pub fn splice_from(
        &self,
        word: usize,
        file: impl AsFd,
        to: impl AsFd,
        bytes: usize,
    ) -> io::Result<usize> {
        let at = self.words().get(word).ok_or(io::ErrorKind::InvalidInput)?.as_ptr();
        // SAFETY: the word lies within the mapping, which was mapped for writing and is there as long as this; it is as long and as aligned as an
        // offset, and anybody may change it at any time, as another process may.
        let moved = unsafe {
            libc::splice(
                file.as_fd().as_raw_fd(),
                at.cast::<libc::loff_t>(),
                to.as_fd().as_raw_fd(),
                std::ptr::null_mut(),
                bytes,
                libc::SPLICE_F_NONBLOCK,
            )
        };
        usize::try_from(moved).map_err(|_| io::Error::last_os_error())
    }

    fn has(&self, from: usize, bytes: usize) -> io::Result<()> {
        match from.checked_add(bytes) {
            Some(end) if end <= size_of_val(self.words()) => Ok(()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Mapping {
    fn of(fd: &OwnedFd, words: usize) -> io::Result<Mapping> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let bytes = words * size_of::<AtomicU64>();
        // SAFETY: at an address of the kernel's choice it touches no memory of ours.
        let at =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        match NonNull::new(at.cast()).filter(|_| at != libc::MAP_FAILED) {
            Some(at) => Ok(Mapping { at, words }),
            None => Err(io::Error::last_os_error()),
        }
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, as long as the file, which cannot shrink, and there until this is dropped. Any
        // bytes are valid AtomicU64, and these may be changed by others.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped just like this, and whoever had words of it had them from a borrow that has ended.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.words * size_of::<AtomicU64>()) };
    }
}

// SAFETY: atomic words may be used by all threads, and no thread owns the mapping.
unsafe impl Send for Mapping {}
// SAFETY: the same.
unsafe impl Sync for Mapping {}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn what_one_writes_the_other_finds_as_words_and_as_bytes() {
        let first = Shared::create("test", 4096).unwrap();
        first.words()[1].store(u64::from_le_bytes(*b"a secret"), Ordering::Release);
        let mut file = std::fs::File::from(first.share().unwrap());
        file.seek(io::SeekFrom::Start(16)).unwrap();
        file.write_all(b" or two").unwrap();
        let second = Shared::found(first.share().unwrap()).unwrap();
        drop(first);
        assert_eq!(second.words()[1].load(Ordering::Acquire).to_le_bytes(), *b"a secret");
        assert_eq!(file.stream_position().unwrap(), 23, "the position is shared with whoever has the memory");
        let (mut out, into) = std::io::pipe().unwrap();
        assert_eq!(second.write_to(&into, 8, 15).unwrap(), 15);
        drop(into);
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a secret or two");
        let (from, mut program) = std::io::pipe().unwrap();
        program.write_all(b"truth and more").unwrap();
        assert_eq!(second.read_from(&from, 16, 5).unwrap(), 5);
        let words = second.words()[1..3].iter().flat_map(|word| word.load(Ordering::Acquire).to_le_bytes());
        assert_eq!(words.collect::<Vec<u8>>(), b"a secrettruthwo\0");
    }

    #[test]
    fn whoever_lets_go_of_it_gives_it_back() {
        let mapped =
            || std::fs::read_to_string("/proc/self/maps").unwrap().matches("memfd:given-back").count();
        let shared = Shared::create("given-back", 4096).unwrap();
        let again = Shared::found(shared.share().unwrap()).unwrap();
        assert_eq!(mapped(), 2);
        drop((shared, again));
        assert_eq!(mapped(), 0);
    }

    #[test]
    fn nothing_beyond_its_end_is_written_and_nobody_moves_that() {
        let shared = Shared::create("test", 4096).unwrap();
        let null = std::fs::File::create("/dev/null").unwrap();
        assert_eq!(shared.write_to(&null, 0, 4096).unwrap(), 4096);
        let zero = std::fs::File::open("/dev/zero").unwrap();
        assert_eq!(shared.read_from(&zero, 4000, 96).unwrap(), 96);
        for (from, bytes) in [(1, 4096), (4097, 0), (usize::MAX, 2)] {
            assert_eq!(shared.write_to(&null, from, bytes).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            assert_eq!(shared.read_from(&zero, from, bytes).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert!(ftruncate(&shared, 0).is_err() && ftruncate(&shared, 8192).is_err());
    }

    #[test]
    fn a_word_says_how_far_a_file_has_gone_into_a_pipe() {
        let shared = Shared::create("test", 4096).unwrap();
        let file = std::fs::File::from(memfd_create("test", MemfdFlags::CLOEXEC).unwrap());
        (&file).write_all(b"what was said").unwrap();
        shared.words()[3].store(5, Ordering::Release);
        let (mut out, into) = std::io::pipe().unwrap();
        assert_eq!(shared.splice_from(3, &file, &into, 3).unwrap(), 3);
        assert_eq!(shared.words()[3].load(Ordering::Acquire), 8);
        assert_eq!(shared.splice_from(3, &file, &into, 100).unwrap(), 5);
        assert_eq!(shared.splice_from(3, &file, &into, 100).unwrap(), 0, "it has ended");
        drop(into);
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!(text, "was said");
        let (out, into) = std::io::pipe().unwrap();
        drop(out);
        shared.words()[3].store(0, Ordering::Release);
        // Rust's programs ignore SIGPIPE.
        assert_eq!(shared.splice_from(3, &file, &into, 4).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(shared.words()[3].load(Ordering::Acquire), 0);
        assert_eq!(shared.splice_from(512, &file, &into, 4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn memory_that_may_shrink_is_refused() {
        let open = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&open, 4096).unwrap();
        assert_eq!(Shared::found(open).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
