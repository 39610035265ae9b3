//! `supervisorctl hash-password` at a terminal: asked twice, shown never, and Ctrl-C leaves the terminal as it was.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::Read;
use std::process::{Child, Command, Stdio};

use provost_testkit::Terminal;

/// At this terminal, but for stdout.
fn start(terminal: &Terminal) -> Child {
    Command::new(env!("CARGO_BIN_EXE_supervisorctl"))
        .arg("hash-password")
        .stdin(terminal.inside())
        .stdout(Stdio::piped())
        .stderr(terminal.inside())
        .spawn()
        .unwrap()
}

fn shows(terminal: &mut Terminal, words: &str) -> String {
    let seen = terminal.read_until(|all| String::from_utf8_lossy(all).contains(words));
    String::from_utf8(seen).unwrap()
}

/// What it prints, and its status.
fn end(mut child: Child) -> (String, Option<i32>) {
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    (printed, child.wait().unwrap().code())
}

#[test]
fn a_password_is_asked_for_twice_and_never_shown() {
    let mut terminal = Terminal::for_people();
    let child = start(&terminal);
    let mut seen = shows(&mut terminal, "Password: ");
    assert!(!terminal.echoes());
    terminal.types("correct horse\n");
    seen += &shows(&mut terminal, "The same again: ");
    terminal.types("correct horse\n");
    let (printed, status) = end(child);
    seen += &shows(&mut terminal, "\n");
    assert_eq!(status, Some(0));
    assert!(printed.starts_with("$argon2id$") && printed.lines().count() == 1, "{printed}");
    assert!(!seen.contains("correct"), "{seen}");
    assert!(terminal.echoes());
}

#[test]
fn two_that_differ_make_no_hash() {
    let mut terminal = Terminal::for_people();
    let child = start(&terminal);
    shows(&mut terminal, "Password: ");
    terminal.types("correct horse\n");
    shows(&mut terminal, "The same again: ");
    terminal.types("correct house\n");
    assert_eq!(end(child), (String::new(), Some(1)));
    shows(&mut terminal, "error: the two are not the same");
}

#[test]
fn an_interrupt_leaves_a_terminal_that_shows_what_is_typed() {
    let mut terminal = Terminal::for_people();
    let child = start(&terminal);
    shows(&mut terminal, "Password: ");
    // It is not this process's controlling terminal, so what Ctrl-C would do is done by hand.
    provost_testkit::send_signal(i32::try_from(child.id()).unwrap(), provost_testkit::Signal::INT);
    let (printed, status) = end(child);
    assert_eq!((printed.trim(), status), ("", Some(1)));
    assert!(terminal.echoes());
}
