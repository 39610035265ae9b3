//! Event listeners that other people wrote, unmodified, on our daemon and on 4.3.0: superlance and what else is on PyPI, the
//! lines that end a container's supervisord, and listeners in the languages that people write theirs in.
//!
//! In: a configuration as their manuals have it, programs that crash, servers of our own on loopback (`servers.rs`), and what
//! scripts/setup-tests.sh installs. Out: mail, requests, restarts, the end of the daemon. Whatever waits for a tick waits for a real
//! one. Each story is told twice, by `on_supervisor` and `on_provost`. Not here: what events say to the byte (`tests/compat`), and
//! listeners that mean harm.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// The same story on both.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {
        $(mod $story {
            use provost_testkit::Implementation;

            #[test]
            fn on_supervisor() {
                super::$story(&Implementation::supervisor_4_3());
            }

            #[test]
            fn on_provost() {
                super::$story(&Implementation::ours());
            }
        })+
    };
}

mod a_minute;
mod conversations;
mod endings;
mod mail;
mod packages;
mod relay;
mod servers;
mod watchers;

use std::path::{Path, PathBuf};

use provost_testkit::{Daemon, HEAD, Implementation};

/// Starts a daemon whose log tells of every word that is changed with listeners. In the text `{bin}` stands for where the listeners
/// are installed, `{here}` for the directory of this file.
#[track_caller]
fn start(implementation: &Implementation, config: &str) -> Daemon {
    Daemon::start(implementation, &configuration(config))
}

#[track_caller]
fn configuration(config: &str) -> String {
    let [bin, here] =
        [installed("python").with_file_name(""), here("")].map(|path| path.display().to_string());
    format!("{HEAD}loglevel=debug\n{config}")
        .replace("{bin}", bin.trim_end_matches('/'))
        .replace("{here}", here.trim_end_matches('/'))
}

/// A program of the virtualenv with Supervisor 4.3.0, superlance and the others.
#[track_caller]
fn installed(program: &str) -> PathBuf {
    let theirs = Implementation::supervisor_4_3();
    let path = Path::new(&theirs.supervisord[0]).with_file_name(program);
    assert!(path.exists(), "there is no {}: run scripts/setup-tests.sh", path.display());
    path
}

/// A file beside this one.
fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/listeners").join(name)
}

/// Without what differs from run to run: pids, and times as superlance writes them.
fn without_numbers(text: &str) -> String {
    const BETWEEN: [char; 5] = [' ', '\n', '\\', '(', ')'];
    let words = text.split_inclusive(BETWEEN).map(|word| {
        let stem = word.trim_end_matches(BETWEEN);
        let is_number = stem.starts_with(|first: char| first.is_ascii_digit())
            && stem.chars().all(|letter| letter.is_ascii_digit() || "-:,".contains(letter));
        let is_pid =
            stem.strip_prefix("pid:").is_some_and(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()));
        match (is_number, is_pid) {
            (true, _) => word.replacen(stem, "N", 1),
            (_, true) => word.replacen(stem, "pid:N", 1),
            _ => word.to_owned(),
        }
    });
    words.collect()
}
