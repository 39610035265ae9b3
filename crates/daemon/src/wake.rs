//! How other threads reach a loop: a queue, and a descriptor that its poll wakes up for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};

use rustix::event::{EventfdFlags, eventfd};

/// A descriptor that becomes readable when somebody rings.
#[derive(Debug, Clone)]
pub(crate) struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fd: OwnedFd,
    /// Who rings now may save the system call: a thousand orders in a row wake their reader once.
    is_ringing: AtomicBool,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Bell(Arc::new(Inner { fd, is_ringing: AtomicBool::new(false) })))
    }

    pub(crate) fn ring(&self) {
        // What was put into a queue before this is seen by whoever silences the bell after it.
        if !self.0.is_ringing.swap(true, Ordering::AcqRel) {
            // It can only fail when the counter is full, and then the bell is ringing.
            let _ = rustix::io::write(&self.0.fd, &1u64.to_ne_bytes());
        }
    }

    /// Silences the bell; called before the queues behind it are emptied, so no ring is lost.
    pub(crate) fn silence(&self) {
        let _ = rustix::io::read(&self.0.fd, &mut [0u8; 8]);
        // Not before: a ring between the two would be read away, and the next ones not made.
        self.0.is_ringing.swap(false, Ordering::AcqRel);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

/// The sending end of a queue whose reader sleeps in poll.
#[derive(Debug)]
pub(crate) struct Post<T> {
    queue: Sender<T>,
    bell: Bell,
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Post<T> {
        Post { queue: self.queue.clone(), bell: self.bell.clone() }
    }
}

impl<T> Post<T> {
    /// A queue that is bounded by what it carries: one item per child at most, for example.
    pub(crate) fn new(bell: &Bell) -> (Post<T>, Receiver<T>) {
        let (queue, receiver) = channel();
        (Post { queue, bell: bell.clone() }, receiver)
    }

    /// Sends; false if the reader has ended.
    pub(crate) fn send(&self, item: T) -> bool {
        let sent = self.queue.send(item).is_ok();
        self.bell.ring();
        sent
    }
}

/// Like [`Post`], with a limit for senders that nothing else limits.
#[derive(Debug)]
pub(crate) struct LimitedPost<T> {
    queue: SyncSender<T>,
    bell: Bell,
}

impl<T> Clone for LimitedPost<T> {
    fn clone(&self) -> LimitedPost<T> {
        LimitedPost { queue: self.queue.clone(), bell: self.bell.clone() }
    }
}

impl<T> LimitedPost<T> {
    pub(crate) fn new(bell: &Bell, limit: usize) -> (LimitedPost<T>, Receiver<T>) {
        let (queue, receiver) = sync_channel(limit);
        (LimitedPost { queue, bell: bell.clone() }, receiver)
    }

    /// Sends, or gives the item back where the queue is full or its reader has ended.
    pub(crate) fn try_send(&self, item: T) -> Result<(), T> {
        match self.queue.try_send(item) {
            Ok(()) => {
                self.bell.ring();
                Ok(())
            }
            Err(TrySendError::Full(item) | TrySendError::Disconnected(item)) => Err(item),
        }
    }
}
