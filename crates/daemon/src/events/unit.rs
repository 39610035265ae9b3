//! What a listener counts when it reads a payload: bytes, as Supervisor's manual has it, or characters, as Supervisor does.
//!
//! There is no length that serves both, and for plain ASCII none is needed. A listener in Python reads text, by Supervisor's own childutils or as
//! these do, and has always been told characters; whoever reads bytes has always lost step. So where the configuration does
//! not say it, who is a Python program is told characters, and everybody else bytes.

use std::path::Path;

use provost_config::PayloadLength;
use provost_wire::listener::Unit;

/// As configured; nothing where it is to be found out.
pub(super) fn fixed(configured: PayloadLength) -> Option<Unit> {
    match configured {
        PayloadLength::Auto => None,
        PayloadLength::Bytes => Some(Unit::Bytes),
        PayloadLength::Characters => Some(Unit::Characters),
    }
}

/// By the program that this process is.
pub(super) fn of(pid: i32) -> Unit {
    let program = std::fs::read_link(format!("/proc/{pid}/exe"));
    if program.is_ok_and(|program| is_python(&program)) { Unit::Characters } else { Unit::Bytes }
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
