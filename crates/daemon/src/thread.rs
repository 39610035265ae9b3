//! Threads that the brain cannot do without: a panic in one of them ends the whole brain, and the keeper makes another.
//!
//! Otherwise it would live on deaf: no log would be written, no client answered, and nobody would know why.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread with this name, on which everything depends.
pub(crate) fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.into()).spawn(move || {
        let guard = EndOnPanic;
        let result = work();
        drop(guard);
        result
    })
}

/// What the panic has to say has been printed when this is dropped.
struct EndOnPanic;

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_thread_that_ends_ends_alone() {
        assert_eq!(start("quiet", || 7).unwrap().join().unwrap(), 7);
    }

    #[test]
    fn a_thread_that_panics_ends_the_process() {
        let this = std::env::current_exe().unwrap();
        let mut child = Command::new(this);
        child.args(["--exact", "thread::tests::panics", "--ignored", "--nocapture"]);
        let status = child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.signal(), Some(6), "{status}");
    }

    #[test]
    #[ignore = "it ends the process, and is run by the test before it in one of its own"]
    fn panics() {
        let thread = start("loud", || panic!("as it was told")).unwrap();
        // Never comes back.
        let _: Result<(), _> = thread.join();
    }
}
