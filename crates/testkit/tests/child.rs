//! `provost-child` does what its words say. In: scripts. Out: what it printed,
//! announced and how it ended. (A test in this package also makes cargo build
//! the program whenever the whole workspace is tested.)

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use provost_testkit::{Chapter, End, HelloSocket, Process, Sandbox, Signal, ledger, monotonic_ns, verify};

fn child(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost-child"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(words: &[&str]) -> Output {
    child(words).output().expect("the child was built with this test")
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("the child prints text")
}

fn handle(child: &Child) -> Process {
    Process::new(i32::try_from(child.id()).expect("a Linux pid fits an i32"))
}

#[test]
fn words_are_done_in_order_and_the_status_is_the_one_asked_for() {
    let output = run(&["print:2", "say:between words", "eprint:1", "exit:3", "say:never"]);
    assert_eq!(stdout(&output), "line 1\nline 2\nbetween words\n");
    assert_eq!(output.stderr, b"line 1\n");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(run(&["say:x"]).status.code(), Some(0));
}

#[test]
fn an_unknown_word_is_told_and_is_no_ordinary_status() {
    let output = run(&["dance"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("dance: no such word"));
}

#[test]
fn signals_are_ignored_answered_and_obeyed_as_arranged() {
    let sandbox = Sandbox::new();
    let mut hellos = HelloSocket::bind(&sandbox.file("hello"));
    let words = ["ignore:TERM", "on:USR1:say:heard", "on:INT:exit:7", "hello:me", "forever"];
    let mut child = child(&words).env("PROVOST_HELLO", hellos.path()).spawn().unwrap();
    let hello = hellos.wait("me");
    assert_eq!(hello.pid, i32::try_from(child.id()).unwrap());
    assert!(hello.monotonic_ns <= monotonic_ns());
    let process = handle(&child);
    process.signal(Signal::TERM);
    process.signal(Signal::USR1);
    // Signals that wait together are answered in the order of their numbers, so
    // the last one is sent when the answer to the others has come.
    let mut heard = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut heard).unwrap();
    assert_eq!(heard, "heard\n");
    process.signal(Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn a_timer_ends_a_stay_and_a_signal_without_reaction_ends_the_program() {
    assert_eq!(stdout(&run(&["after:10ms", "say:later"])), "later\n");
    let output = run(&["raise:KILL"]);
    assert_eq!(output.status.signal(), Some(9));
}

#[test]
fn it_reports_what_it_was_given() {
    let sandbox = Sandbox::new();
    let output = child(&["dump-env", "cwd", "umask", "dump-signals", "pgid"])
        .env_clear()
        .env("B", "2")
        .env("A", "1 2")
        .current_dir(sandbox.path())
        .output()
        .unwrap();
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(lines[..3], ["A=1 2", "B=2", sandbox.path().to_str().unwrap()]);
    assert!(lines[3].starts_with("Umask: 0"), "{lines:?}");
    assert!(lines[4].starts_with("SigBlk: 0000"), "{lines:?}");
    assert!(lines[5].starts_with("SigIgn: 0000"), "{lines:?}");
    assert!(lines[6].parse::<i32>().unwrap() > 0);
}

#[test]
fn it_has_only_the_descriptors_it_was_given() {
    // Whoever started the tests may have left descriptors open for everybody.
    let inherited = |fd: &String| -> bool {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("02000000");
        u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000 == 0
    };
    let mut expected = BTreeSet::from(["0", "1", "2"].map(str::to_owned));
    let own = std::fs::read_dir("/proc/self/fd").unwrap();
    let own = own.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    expected.extend(own.filter(inherited));
    let output = run(&["dump-fds"]);
    let numbers = stdout(&output).lines().map(|line| line.split(' ').next().unwrap().to_owned());
    assert_eq!(numbers.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_grandchild_outlives_its_parent() {
    let sandbox = Sandbox::new();
    let mut hellos = HelloSocket::bind(&sandbox.file("hello"));
    let mut parent = child(&["fork-grandchild", "exit:0"])
        .env("PROVOST_HELLO", hellos.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(parent.wait().unwrap().success());
    let grandchild = Process::new(hellos.wait("grandchild").pid);
    assert!(!grandchild.is_gone());
    grandchild.signal(Signal::TERM);
    grandchild.wait_until_gone();
}

#[test]
fn numbered_lines_are_entered_in_the_ledger_whoever_ends_them() {
    let sandbox = Sandbox::new();
    let start = |words: &[&str]| {
        let mut child = child(words);
        child
            .env("SUPERVISOR_PROCESS_NAME", "n")
            .stdout(File::options().append(true).create(true).open(sandbox.file("out")).unwrap());
        child.spawn().unwrap()
    };
    let lines = format!("lines:ledger={},rate=50000,chunk=1000", sandbox.path().display());
    let by_itself = start(&[&format!("{lines},most=40")]).wait().unwrap();
    let ended = |words: &[&str], signal| {
        let before = ledger(sandbox.path(), "n").len();
        let mut child = start(words);
        wait_for(|| ledger(sandbox.path(), "n").get(before).is_some_and(|entry| entry.lines > 0));
        handle(&child).signal(signal);
        child.wait().unwrap()
    };
    let asked = ended(&[&lines], Signal::TERM);
    let killed = ended(&["ignore:TERM", &lines], Signal::KILL);
    let entries = ledger(sandbox.path(), "n");
    let said: Vec<_> = entries.iter().map(|entry| entry.end).collect();
    let status = |status: std::process::ExitStatus| u8::try_from(status.code().unwrap()).unwrap();
    assert_eq!(said, [Some(End::Own(status(by_itself))), Some(End::Asked(status(asked))), None]);
    assert_eq!(killed.signal(), Some(9));
    let chapters: Vec<_> = entries.iter().map(Chapter::from).collect();
    let verdict = verify("n", &chapters, &std::fs::read(sandbox.file("out")).unwrap()[..]).unwrap();
    assert_eq!(verdict.faults, []);
    assert!(verdict.lines >= entries.iter().map(|entry| entry.lines).sum::<u64>());
}

/// Looks again and again: what a child writes into a file of its own is announced by nothing.
#[track_caller]
fn wait_for(mut happened: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + provost_testkit::DEADLINE;
    while !happened() {
        assert!(std::time::Instant::now() < end, "what was waited for has not happened");
        std::thread::yield_now();
    }
}
