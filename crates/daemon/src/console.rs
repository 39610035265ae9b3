//! What is said to the person at the terminal before there is a log: two functions, so that output has one home.

use std::io::Write;

pub(crate) fn say(text: &str) {
    // A closed standard output is no reason not to start.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
