//! The kernel's promise to say when a log may have changed, for all followers of all logs.
//!
//! One inotify instance, however many follow: a user has 128 of them, which other programs need, too. It watches
//! directories, whose events name their files, so it covers every later file of a name. It exists as long as somebody follows.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Where the kernel has no watches left to give, a file is looked at this often instead.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const FLAGS: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CREATE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::ONLYDIR);
/// Events that are dealt with in one go.
const AT_ONCE: usize = 256;

/// All that is watched.
#[derive(Debug, Default, Clone)]
pub(crate) struct Watches(Arc<Mutex<Option<Instance>>>);

impl Watches {
    /// Watches one name in its directory.
    pub(crate) fn watch(&self, path: &Path) -> Watch {
        Watch(Follower::new(&self.0, path).ok())
    }
}

/// One follower's share.
#[derive(Debug)]
pub(crate) struct Watch(Option<Follower>);

impl Watch {
    /// Returns when the file may have changed since the last time.
    pub(crate) async fn changed(&mut self) {
        let told = match &mut self.0 {
            Some(follower) => follower.changes.changed().await.is_ok(),
            None => false,
        };
        if !told {
            // The directory itself has gone, or nothing was promised.
            self.0 = None;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// A file by its directory's number and its name there.
type Name = (i32, OsString);

#[derive(Debug)]
struct Follower {
    name: Name,
    changes: watch::Receiver<()>,
    all: Arc<Mutex<Option<Instance>>>,
}

impl Follower {
    fn new(all: &Arc<Mutex<Option<Instance>>>, path: &Path) -> io::Result<Follower> {
        let file = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        loop {
            let (fd, removals) = {
                let mut guard = all.lock().unwrap_or_else(PoisonError::into_inner);
                let instance = match guard.as_mut() {
                    Some(instance) => instance,
                    None => guard.insert(Instance::new(all)?),
                };
                (Arc::clone(&instance.fd), instance.removals)
            };
            // With nothing locked: the disk may hang. If it fails and nobody else follows, an instance that watches nothing stays for the next.
            let number = inotify::add_watch(&*fd, directory, FLAGS)?;
            let mut guard = all.lock().unwrap_or_else(PoisonError::into_inner);
            let instance = guard.as_mut().filter(|instance| Arc::ptr_eq(&instance.fd, &fd));
            if let Some((name, changes)) = instance.and_then(|instance| instance.add(number, file, removals))
            {
                return Ok(Follower { name, changes, all: Arc::clone(all) });
            }
            // Somebody else has just left that directory, and our watch went with his.
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut guard = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instance) = guard.as_mut() {
            instance.remove(&self.name);
            if instance.names.is_empty() {
                *guard = None;
            }
        }
    }
}

/// The kernel's side, and who is told what.
#[derive(Debug)]
struct Instance {
    fd: Arc<AsyncFd<OwnedFd>>,
    names: HashMap<Name, (watch::Sender<()>, usize)>,
    reader: AbortHandle,
    /// How many watches have been taken back.
    removals: u64,
}

impl Instance {
    fn new(all: &Arc<Mutex<Option<Instance>>>) -> io::Result<Instance> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe because of types that close their descriptor while registered; an OwnedFd does not"
        )]
        let fd = Arc::new(AsyncFd::new(fd)?);
        let reader = tokio::spawn(read(Arc::clone(&fd), Arc::clone(all))).abort_handle();
        Ok(Instance { fd, names: HashMap::new(), reader, removals: 0 })
    }

    /// One more follower of a watch that was there, or was made when so many had been taken back. Nobody, if it may be among those.
    fn add(&mut self, number: i32, file: &OsStr, removals: u64) -> Option<(Name, watch::Receiver<()>)> {
        if self.removals != removals && !self.watches(number) {
            return None;
        }
        let name = (number, file.to_owned());
        let (sender, followers) =
            self.names.entry(name.clone()).or_insert_with(|| (watch::Sender::new(()), 0));
        *followers += 1;
        let changes = sender.subscribe();
        Some((name, changes))
    }

    fn watches(&self, number: i32) -> bool {
        self.names.keys().any(|(known, _)| *known == number)
    }

    fn remove(&mut self, name: &Name) {
        let Some((_, followers)) = self.names.get_mut(name) else { return };
        *followers -= 1;
        if *followers > 0 {
            return;
        }
        self.names.remove(name);
        if !self.watches(name.0) {
            self.removals += 1;
            // The directory may have gone before.
            let _ = inotify::remove_watch(&*self.fd, name.0);
        }
    }

    fn tell(&mut self, event: &inotify::Event<'_>) {
        let flags = event.events();
        if flags.contains(ReadFlags::IGNORED) {
            // Nothing will be heard of that directory any more; the followers notice that their senders are gone.
            self.names.retain(|(number, _), _| *number != event.wd());
        } else if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.names.values().for_each(|(sender, _)| sender.send_replace(()));
        } else if let Some(file) = event.file_name() {
            let name = (event.wd(), OsStr::from_bytes(file.to_bytes()).to_owned());
            if let Some((sender, _)) = self.names.get(&name) {
                sender.send_replace(());
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Tells the followers what the kernel tells, until nobody follows.
async fn read(fd: Arc<AsyncFd<OwnedFd>>, all: Arc<Mutex<Option<Instance>>>) {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut events = inotify::Reader::new(&*fd, &mut buffer);
    loop {
        let Ok(mut ready) = fd.readable().await else { return };
        // Whoever makes events as fast as they are read has no more than his share of this thread.
        tokio::task::yield_now().await;
        let mut guard = all.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(instance) = guard.as_mut() else { return };
        for _ in 0..AT_ONCE {
            match events.next() {
                Ok(event) => instance.tell(&event),
                Err(Errno::INTR) => {}
                Err(_) => {
                    ready.clear_ready();
                    break;
                }
            }
        }
    }
}
