//! Unix sockets that nobody but us may connect to until they have their owner and mode.

use rustix::fs::Mode;

/// Runs a bind(2) whose file is for us alone. The mask is the whole process's, so nothing else is done under it.
pub(crate) fn for_us_alone<T>(bind: impl FnOnce() -> T) -> T {
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = bind();
    rustix::process::umask(before);
    bound
}
