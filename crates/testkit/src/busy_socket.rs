//! A unix socket at which nobody is let in, as that of a daemon that is stopped.
//!
//! In: a path. Out: a guard; while it lives, whoever connects there waits.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Lets nobody in until it is dropped.
#[derive(Debug)]
#[must_use = "everybody is turned away as soon as this is dropped"]
pub struct BusySocket {
    _listener: UnixListener,
    /// Has the only place of the queue.
    _first: UnixStream,
}

impl BusySocket {
    /// Makes the socket.
    ///
    /// # Panics
    /// When it cannot be made there.
    pub fn at(path: &Path) -> BusySocket {
        let listener = UnixListener::bind(path)
            .unwrap_or_else(|e| panic!("cannot make a socket at {}: {e}", path.display()));
        rustix::net::listen(&listener, 0).expect("who listens may wish for a shorter queue");
        let first = UnixStream::connect(path).expect("the queue has one place");
        BusySocket { _listener: listener, _first: first }
    }
}
