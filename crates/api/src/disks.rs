//! Work on files, on threads of its own: a disk that hangs holds up those who read there, and nobody else.
//!
//! In: a path, and what is to be done there. Out: what came of it. Of each mount so many read at a time; who comes next waits, and
//! so no mount takes all the threads there are. Where nothing has come for long, it is said that the disk does not answer.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Of one mount. Each may have read a whole log.
const AT_ONCE: usize = 2;
/// Threads, so that half as many mounts may hang before others notice.
pub(crate) const MOST_THREADS: usize = 32;
/// A disk that spins up takes half of this.
const PATIENCE: Duration = Duration::from_secs(30);
/// Mounts that are remembered though nobody reads there.
const MOST_IDLE: usize = 64;

/// The number of the mount that a file is on, found out without asking the disk.
pub type MountOf = fn(&Path) -> u64;

/// All disks that are read from.
#[derive(Debug)]
pub(crate) struct Disks {
    mount_of: MountOf,
    turns: Mutex<HashMap<u64, Arc<Semaphore>>>,
}

impl Disks {
    pub(crate) fn new(mount_of: MountOf) -> Disks {
        Disks { mount_of, turns: Mutex::default() }
    }

    /// Does it for somebody who wants an answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let hangs = |_| {
            let text = format!("the disk of {} does not answer", path.display());
            io::Error::new(io::ErrorKind::TimedOut, text)
        };
        timeout(PATIENCE, self.work(path, work)).await.map_err(hangs)?
    }

    /// Does it, whenever that may be. Whoever stops waiting leaves the work to itself.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let turn = self.turns((self.mount_of)(path)).acquire_owned().await.map_err(io::Error::other)?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(io::Error::other)
    }

    fn turns(&self, mount: u64) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() > MOST_IDLE {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(turns.entry(mount).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// As many mounts as there are first letters.
    fn by_letter(path: &Path) -> u64 {
        path.as_os_str().as_encoded_bytes()[0].into()
    }

    #[tokio::test(start_paused = true)]
    async fn one_disk_that_hangs_is_not_another_and_is_told_of() {
        let disks = Arc::new(Disks::new(by_letter));
        let (recover, hangs) = mpsc::channel::<()>();
        let hangs = Arc::new(Mutex::new(hangs));
        let mut stuck = Vec::new();
        for _ in 0..2 * MOST_THREADS {
            let (disks, hangs) = (Arc::clone(&disks), Arc::clone(&hangs));
            stuck.push(tokio::spawn(async move {
                disks.ask(Path::new("a"), move || hangs.lock().unwrap().recv().is_ok()).await
            }));
        }
        tokio::task::yield_now().await;
        assert_eq!(disks.work(Path::new("b"), || 7).await.unwrap(), 7);
        // Time does not pass by itself while a thread is at work.
        tokio::time::advance(PATIENCE).await;
        for one in stuck {
            let told = one.await.unwrap().unwrap_err();
            assert_eq!(told.to_string(), "the disk of a does not answer");
        }
        drop(recover);
        assert_eq!(disks.work(Path::new("a"), || 8).await.unwrap(), 8);
    }
}
