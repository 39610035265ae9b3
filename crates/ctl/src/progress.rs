//! Somebody who waits for long is told what for: `waiting for web to start … 3 s`, on stderr, gone afterwards.
//!
//! In: where to show it, and the words. Out: a guard; while it lives, and half a second has passed, a thread writes the line
//! anew every second. Calls block, and whoever asks need not know of this. No thread is made where nobody looks.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use provost_wire::Value;

use crate::terminal::plain;

/// What is quicker needs no words.
const PATIENCE: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_secs(1);

/// Takes the line away when it is dropped.
#[derive(Debug)]
#[must_use = "the line is gone as soon as this is"]
pub(crate) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Where nothing is shown.
    pub(crate) fn none() -> Progress {
        Progress(None)
    }

    /// `what` is what is waited for, such as `web to start`.
    pub(crate) fn on_stderr(what: String) -> Progress {
        // A descriptor of its own: the stream is locked for as long as we run.
        match std::io::stderr().as_fd().try_clone_to_owned() {
            Ok(screen) => Progress::shown(what, File::from(screen)),
            Err(_) => Progress::none(),
        }
    }

    fn shown(what: String, screen: File) -> Progress {
        let (done, is_done) = mpsc::channel();
        let show = move || {
            let (begun, mut screen, mut is_dirty) = (Instant::now(), screen, false);
            let mut pause = PATIENCE;
            while is_done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                // To the left, erase, write: no line is longer than what was there before.
                let line = format!("\r\x1b[Kwaiting for {what} … {} s", begun.elapsed().as_secs());
                is_dirty |= screen.write_all(line.as_bytes()).is_ok();
                pause = STEP;
            }
            if is_dirty {
                // Who no longer looks need not be cleaned up after.
                let _ = screen.write_all(b"\r\x1b[K");
            }
        };
        // No thread, no words; the call is made all the same.
        Progress(
            thread::Builder::new().name("progress".to_owned()).spawn(show).ok().map(|thread| (done, thread)),
        )
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            drop(done);
            // Before anything else is written there the line must be gone. A panic has already been told.
            let _ = thread.join();
        }
    }
}

/// What a call waits for, if it is one that may take long.
pub(crate) fn what(method: &str, params: &[Value]) -> Option<String> {
    let (_, method) = method.split_once('.')?;
    if method == "waitForState" {
        return params.first().and_then(Value::as_str).map(|name| plain(name).into_owned());
    }
    let deed = ["start", "stop", "restart", "upgrade"].into_iter().find(|deed| method.starts_with(deed))?;
    let name = match params.first() {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Some(value) if method.ends_with("Group") => value.as_str().map(|group| format!("{group}:*"))?,
        Some(value) => value.as_str().unwrap_or_default().to_owned(),
        None => String::new(),
    };
    // A long list would not fit into a line, and what does not fit cannot be erased.
    let name = plain(&name).chars().take(40).collect::<String>();
    let who = match (deed, name.as_str()) {
        ("upgrade", _) => "supervisord",
        // `restart` without a name is that of supervisord itself, which is not waited for.
        (_, "") if method.contains("All") => "all",
        (_, "") => return None,
        (_, name) => name,
    };
    Some(format!("{who} to {deed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    #[test]
    fn a_long_wait_is_told_and_cleaned_up_after() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let progress = Progress::shown("web to start".to_owned(), File::from(OwnedFd::from(writer)));
        let first = "\r\x1b[Kwaiting for web to start … 0 s";
        let mut seen = vec![0; first.len()];
        reader.read_exact(&mut seen).unwrap();
        assert_eq!(String::from_utf8(seen).unwrap(), first);
        drop(progress);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("\r\x1b[K"), "{rest:?}");
    }

    #[test]
    fn calls_that_take_long_are_told_by_their_names() {
        let what = |method, params: &[Value]| what(method, params).unwrap_or_default();
        assert_eq!(what("supervisor.startProcess", &["g:web".into()]), "g:web to start");
        assert_eq!(what("supervisor.stopProcessGroup", &["g".into()]), "g:* to stop");
        assert_eq!(what("supervisor.startAllProcesses", &[]), "all to start");
        let names = Value::Array(vec!["a-*".into(), "b\x1b".into()]);
        assert_eq!(what("provost.restartProcesses", &[names]), "a-*, b^[ to restart");
        assert_eq!(what("provost.upgrade", &[10.into()]), "supervisord to upgrade");
        for quick in ["supervisor.getVersion", "supervisor.restart", "supervisor.shutdown"] {
            assert_eq!(what(quick, &[]), "");
        }
    }

    #[test]
    fn a_short_one_is_not_worth_a_word() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        drop(Progress::shown("web to start".to_owned(), File::from(OwnedFd::from(writer))));
        let mut seen = String::new();
        reader.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "");
    }
}
