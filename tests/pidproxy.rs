//! pidproxy: the command's status comes through at once, signals reach whom the pidfile names.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command};

use provost_testkit::{Lines, Sandbox, Signal, monotonic_ns, provost_child, send_signal, wait_until_gone};

/// Starts pidproxy; what it and its command print goes to the file `out` of the sandbox.
fn pidproxy(sandbox: &Sandbox, words: &[&str]) -> Child {
    let out = File::create(sandbox.file("out")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_pidproxy"))
        .arg(sandbox.file("pid"))
        .args(words)
        .stdout(out)
        .spawn()
        .unwrap()
}

fn code(mut child: Child) -> Option<i32> {
    child.wait().unwrap().code()
}

#[test]
fn the_status_of_the_command_is_passed_on() {
    let sandbox = Sandbox::new();
    for (script, expected) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)] {
        assert_eq!(code(pidproxy(&sandbox, &["/bin/sh", "-c", script])), Some(expected), "{script}");
    }
}

#[test]
fn the_end_of_the_command_is_noticed_at_once() {
    let sandbox = Sandbox::new();
    let before = monotonic_ns();
    assert_eq!(code(pidproxy(&sandbox, &["/bin/sh", "-c", "exit 7"])), Some(7));
    let took = (monotonic_ns() - before) / 1_000_000;
    // Supervisor's looks every five seconds.
    assert!(took < 2500, "took {took} ms");
}

#[test]
fn the_command_is_born_with_no_signal_blocked_or_ignored() {
    let sandbox = Sandbox::new();
    let words = ["grep", "-E", "^(SigBlk|SigIgn):", "/proc/self/status"];
    assert_eq!(code(pidproxy(&sandbox, &words)), Some(0));
    let out = std::fs::read_to_string(sandbox.file("out")).unwrap();
    let masks: Vec<u64> = out
        .lines()
        .map(|line| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap())
        .collect();
    // Real-time signals that whoever started us ignores are its affair.
    assert_eq!((masks[0], masks[1] & 0x7fff_ffff), (0, 0), "{out}");
}

#[test]
fn a_command_is_found_in_path_and_its_absence_is_said() {
    let sandbox = Sandbox::new();
    assert_eq!(code(pidproxy(&sandbox, &["sh", "-c", "exit 3"])), Some(3));
    assert_eq!(code(pidproxy(&sandbox, &["provost-no-such-command"])), Some(127));
}

#[test]
fn without_arguments_it_says_how_it_is_used() {
    let output = Command::new(env!("CARGO_BIN_EXE_pidproxy")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Usage: "));
}

/// The command's process, which the test has to see off once pidproxy has left it.
fn pid_in(pidfile: &Path) -> i32 {
    std::fs::read_to_string(pidfile).unwrap().trim().parse().unwrap()
}

const CHILD: &str = "echo $$ > \"$1\"; shift; exec \"$@\"";

#[test]
fn signals_go_to_whom_the_pidfile_names_and_term_ends_the_proxy() {
    let sandbox = Sandbox::new();
    let pidfile = sandbox.file("pid");
    let child = provost_child().to_str().unwrap();
    let words = ["on:USR1:say:heard", "on:TERM:exit:9", "say:ready", "forever"];
    let command = ["/bin/sh", "-c", CHILD, "sh", pidfile.to_str().unwrap(), child];
    let proxy = pidproxy(&sandbox, &[&command[..], &words].concat());
    let mut lines = Lines::follow(&sandbox.file("out"));
    lines.wait_for("ready");
    let pid = pid_in(&pidfile);
    send_signal(proxy.id() as i32, Signal::USR1);
    lines.wait_for("heard");
    send_signal(proxy.id() as i32, Signal::TERM);
    assert_eq!(code(proxy), Some(0));
    wait_until_gone(pid);
}

#[test]
fn every_signal_that_is_not_an_end_is_passed_on_to_whoever_is_named_then() {
    let sandbox = Sandbox::new();
    let pidfile = sandbox.file("pid");
    let child = provost_child().to_str().unwrap();
    let heard = ["on:HUP:say:hup", "on:USR1:say:usr1", "on:USR2:say:usr2", "say:ready", "forever"];
    let command = ["/bin/sh", "-c", CHILD, "sh", pidfile.to_str().unwrap(), child];
    let proxy = pidproxy(&sandbox, &[&command[..], &heard].concat());
    let mut lines = Lines::follow(&sandbox.file("out"));
    lines.wait_for("ready");
    let first = pid_in(&pidfile);
    for (signal, word) in [(Signal::HUP, "hup"), (Signal::USR1, "usr1"), (Signal::USR2, "usr2")] {
        send_signal(proxy.id() as i32, signal);
        lines.wait_for(word);
    }
    // A daemon that has replaced itself: the file is read anew for each signal.
    let mut other = Command::new(child)
        .args(["on:HUP:exit:5", "say:other", "forever"])
        .stdout(File::create(sandbox.file("other")).unwrap())
        .spawn()
        .unwrap();
    Lines::follow(&sandbox.file("other")).wait_for("other");
    std::fs::write(&pidfile, format!(" {} \n", other.id())).unwrap();
    send_signal(proxy.id() as i32, Signal::HUP);
    assert_eq!(other.wait().unwrap().code(), Some(5));
    std::fs::write(&pidfile, format!("{first}\n")).unwrap();
    send_signal(proxy.id() as i32, Signal::QUIT);
    assert_eq!(code(proxy), Some(0));
    wait_until_gone(first);
}

#[test]
fn an_unreadable_pidfile_is_said_and_the_signal_ignored() {
    let sandbox = Sandbox::new();
    let pidfile = sandbox.file("elsewhere");
    let child = provost_child().to_str().unwrap();
    let command = ["/bin/sh", "-c", CHILD, "sh", pidfile.to_str().unwrap(), child, "say:ready", "forever"];
    let proxy = pidproxy(&sandbox, &command);
    let mut lines = Lines::follow(&sandbox.file("out"));
    lines.wait_for("ready");
    send_signal(proxy.id() as i32, Signal::TERM);
    assert_eq!(code(proxy), Some(0));
    lines.wait_for("Can't read child pidfile");
    let pid = pid_in(&pidfile);
    send_signal(pid, Signal::KILL);
    wait_until_gone(pid);
}
