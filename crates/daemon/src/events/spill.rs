//! Events that find no room in memory, on their way to the files of their pools.
//!
//! One piece at a time, between two events: whoever is ready does not wait for more than that. A file is asked for when it is first
//! needed, and nothing is written there before the keeper holds it. A disk that takes nothing is tried again after a
//! while; meanwhile events stay in memory as long as there is room for some.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use provost_config::LogLevel;
use provost_core::Mono;

use super::bus::Bus;
use super::pool::{FileFor, Pool};
use super::queue::{self, Queue};
use crate::clock;
use crate::logs::Notice;
use crate::wake::Post;

/// So much is written at once.
const PIECE: usize = 256 * 1024;
/// How long a disk that takes nothing is left alone.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Spill {
    /// Where the files are, which have no names.
    directory: PathBuf,
}

impl Spill {
    pub(super) fn new(directory: PathBuf) -> Spill {
        Spill { directory }
    }

    pub(super) fn has_work(&self, bus: &Bus) -> bool {
        !bus.want_files(clock::mono()).is_empty()
    }

    /// When a disk is tried again.
    pub(super) fn deadline(&self, bus: &Bus) -> Option<Mono> {
        bus.next_try_of_a_file()
    }

    /// A piece for each pool that wants it.
    pub(super) fn go_on(&mut self, bus: &Bus, notices: &Post<Notice>) {
        for pool in bus.with_chores() {
            bus.run_errand(&pool);
        }
        for pool in bus.want_files(clock::mono()) {
            if bus.in_pool(&pool, |pool, _| pool.queue.is_without_file()).unwrap_or(false) {
                self.ask_for_file(bus, &pool, notices);
            } else {
                self.write_piece(bus, &pool);
            }
        }
    }

    fn ask_for_file(&self, bus: &Bus, pool: &Arc<str>, notices: &Post<Notice>) {
        let made = Queue::file_in(&self.directory).and_then(|file| Ok((file.try_clone()?, file)));
        match made {
            Ok((fd, file)) => {
                bus.in_pool(pool, |pool, _| pool.file = FileFor::Asked);
                let [_, _, name] = queue::held_as(pool);
                notices.send(Notice::KeepEvents { name, fd, pool: Arc::clone(pool), file });
            }
            Err(e) => {
                let directory = self.directory.display();
                refuses(bus, pool, &format!("cannot make a file in {directory}: {e}"));
            }
        }
    }

    /// For so many bytes.
    fn make_room(&self, bus: &Bus, pool: &Arc<str>, bytes: u64) {
        let mut dropped = None;
        while let Some(Some(result)) = bus.in_pool(pool, |pool, _| drop_one(pool, bytes)) {
            match result {
                Ok(Some(serial)) => {
                    let (_, count) = dropped.unwrap_or((serial, 0));
                    dropped = Some((serial, count + 1));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && bus.run_errand(pool) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let Some((serial, count)) = dropped else { return };
        bus.in_pool(pool, |pool, lines| {
            let most = pool.config.overflow_maxbytes;
            let text = format!(
                "pool {} event buffer overflowed, discarding event {serial} and {} before it: more than \
                 overflow_maxbytes={most} would be on disk",
                pool.name,
                count - 1
            );
            lines.push((LogLevel::Error, text));
        });
    }

    fn write_piece(&self, bus: &Bus, pool: &Arc<str>) {
        let Some((batch, file)) = bus.batch(pool, PIECE) else { return };
        self.make_room(bus, pool, batch.length());
        match bus.at_disk(pool, || batch.write_to(&file)) {
            Ok(()) => {
                bus.in_pool(pool, |pool, _| {
                    pool.queue.is_far(&batch);
                    pool.file = FileFor::Ready;
                });
            }
            Err(e) => refuses(bus, pool, &format!("cannot write to its file: {e}")),
        }
    }
}

/// Of a full file the oldest goes.
fn drop_one(pool: &mut Pool, bytes: u64) -> Option<io::Result<Option<u64>>> {
    let is_full = pool.queue.far_bytes() + bytes > pool.config.overflow_maxbytes;
    (is_full && pool.queue.far_count() > 0).then(|| pool.queue.drop_oldest())
}

/// The keeper holds the file of this pool.
pub(super) fn is_held(bus: &Bus, pool: &str, file: OwnedFd) {
    bus.in_pool(pool, |pool, _| {
        pool.queue.has_file(file);
        pool.file = FileFor::Ready;
    });
}

fn refuses(bus: &Bus, pool: &str, why: &str) {
    let until = clock::mono() + PAUSE;
    bus.in_pool(pool, |pool: &mut Pool, lines| {
        if !matches!(pool.file, FileFor::Refuses(_)) {
            let text = format!(
                "pool {}: events find no room in memory, and {why}; the oldest are discarded if it goes on like this",
                pool.name
            );
            lines.push((LogLevel::Critical, text));
        }
        pool.file = FileFor::Refuses(until);
    });
}
