//! What a listener counts when it reads a payload: bytes, as Supervisor's manual has it, or characters, as Supervisor does.
//!
//! There is no length that serves both, and for plain ASCII none is needed. A listener in Python reads text, by Supervisor's own childutils or as
//! these do, and has always been told characters; whoever reads bytes has always lost step. So where the configuration does
//! not say it, who is a Python program is told characters, and everybody else bytes.

use std::fs::{read, read_link, read_to_string};
use std::io;
use std::path::{Path, PathBuf};

use provost_config::PayloadLength;
use provost_wire::listener::Unit;

/// No more is asked for children when there are so many.
const FAMILY: usize = 32;

/// As configured; nothing where it is to be found out.
pub(super) fn fixed(configured: PayloadLength) -> Option<Unit> {
    match configured {
        PayloadLength::Auto => None,
        PayloadLength::Bytes => Some(Unit::Bytes),
        PayloadLength::Characters => Some(Unit::Characters),
    }
}

/// As in the configuration.
pub(super) fn name(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "bytes",
        Unit::Characters => "characters",
    }
}

/// By the program that this process is; or by one that it has started, if that reads the same standard input: many a listener is
/// started by a script that stays, or by sudo.
pub(super) fn of(pid: i32) -> Unit {
    let input = stdin(pid);
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        let reads_it = member == pid || is_same(&input, &stdin(member));
        if reads_it && programs(member).iter().any(|program| is_python(program)) {
            return Unit::Characters;
        }
        if family.len() < FAMILY {
            family.extend(children(member));
        }
        next += 1;
    }
    Unit::Bytes
}

fn stdin(pid: i32) -> io::Result<PathBuf> {
    read_link(format!("/proc/{pid}/fd/0"))
}

/// Where the kernel does not say it, they are taken for the same: see [`programs`].
fn is_same(one: &io::Result<PathBuf>, other: &io::Result<PathBuf>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one == other,
        (Err(e), _) | (_, Err(e)) => e.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// What program it is. Of another user's process the kernel says that to those only who might trace it, which in most containers root
/// may not; then it is what it was called by, and what it is called.
fn programs(pid: i32) -> Vec<PathBuf> {
    let text = |file: &str| {
        let text = read(format!("/proc/{pid}/{file}")).ok()?;
        let first = text.split(|byte| [0, b'\n'].contains(byte)).next().unwrap_or_default();
        Some(PathBuf::from(String::from_utf8_lossy(first).into_owned()))
    };
    match read_link(format!("/proc/{pid}/exe")) {
        Ok(program) => vec![program],
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            ["cmdline", "comm"].into_iter().filter_map(text).collect()
        }
        Err(_) => Vec::new(),
    }
}

/// Of its first thread; none where the kernel does not tell.
fn children(pid: i32) -> Vec<i32> {
    let told = read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    told.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn is_python(program: &Path) -> bool {
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("python") || name.starts_with("pypy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_has_many_names() {
        for (program, is_one) in [
            ("/usr/bin/python3.11", true),
            ("/opt/venv/bin/python", true),
            ("/opt/pypy3.10", true),
            ("/usr/bin/python3.11 (deleted)", true),
            ("/usr/bin/node", false),
            ("/usr/bin/ipython/sh", false),
            ("/", false),
        ] {
            assert_eq!(is_python(Path::new(program)), is_one, "{program}");
        }
        // This test is none.
        assert_eq!(of(std::process::id().cast_signed()), Unit::Bytes);
    }
}
