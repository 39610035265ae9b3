//! A directory for one test, gone when the test is over.
//!
//! In: nothing. Out: a path, short enough for unix sockets below it. A test
//! that panics keeps its directory and is told where it is.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A temporary directory, removed on drop.
#[derive(Debug)]
pub struct Sandbox {
    path: PathBuf,
}

impl Sandbox {
    /// Makes a new, empty directory that other users may enter (programs with
    /// `user=` must reach their files).
    ///
    /// # Panics
    /// When the temporary directory of the system cannot be written.
    #[must_use]
    pub fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!("provost-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::DirBuilder::new().mode(0o755).create(&path) {
                Ok(()) => return Self { path },
                // Left behind by an earlier process with our pid: take the next.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make the test directory {}: {error}", path.display()),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    #[expect(clippy::print_stderr, reason = "a failing test must say where its files are")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the files of this test are kept in {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove the test directory {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_gone_after_a_good_test_and_kept_after_a_bad_one() {
        let good = Sandbox::new();
        let good_path = good.path().to_owned();
        fs::write(good.file("x"), "y").unwrap();
        drop(good);
        assert!(!good_path.exists());

        let bad = Sandbox::new();
        let bad_path = bad.path().to_owned();
        let outcome = std::thread::spawn(move || {
            let _kept = bad;
            panic!("this panic is part of the test");
        })
        .join();
        assert!(outcome.is_err());
        assert!(bad_path.exists());
        fs::remove_dir_all(bad_path).unwrap();
    }
}
