//! A listener that runs and hears nothing, and one that falls behind: both are seen, in every place where somebody looks.
//!
//! In: a listener that says nonsense, one that is told an event and never answers, one with which all is well. Out: what the log, `status`,
//! `listeners`, `why`, `health` and the web page say of them. Not here: what becomes of their events.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use provost_testkit::{Daemon, Deadline, HEAD, Implementation, Signal, descendants, post, send_signal};

/// `deaf` breaks the protocol; `stuck` takes one event and no more; `well` is told nothing.
const LISTENERS: &str = r"
[eventlistener:deaf]
command={child} 'write:What is this?\n' hello forever
events=PROCESS_STATE_FATAL
startsecs=0

[eventlistener:stuck]
command={child} 'write:READY\n' hello forever
events=REMOTE_COMMUNICATION
startsecs=0

[eventlistener:well]
command={child} 'write:READY\n' hello forever
process_name=ear_%(process_num)d
numprocs=2
events=PROCESS_GROUP_REMOVED
startsecs=0

[program:web]
command={child} hello forever
startsecs=0
";

const DEAF: &str = ", gets no events since it broke the listener protocol";

fn daemon() -> Daemon {
    let mut daemon = Daemon::start(&Implementation::ours(), &format!("{HEAD}{LISTENERS}"));
    daemon.wait_for_log_line("deaf: has entered the UNKNOWN state and will no longer receive events");
    // The last that is started.
    daemon.wait_for_hello("web");
    // The line is written first.
    said(&daemon, &["listeners", "deaf"], " UNKNOWN ");
    daemon
}

/// Asks until the answer has this in it.
#[track_caller]
fn said(daemon: &Daemon, words: &[&str], wanted: &str) -> String {
    let deadline = Deadline::default();
    loop {
        let said = daemon.ctl(words).stdout;
        if said.contains(wanted) {
            return said;
        }
        assert!(deadline.remaining().is_some(), "{words:?} never says {wanted:?}: {said}");
    }
}

/// What `status` says of a process behind its state.
fn description(daemon: &Daemon, name: &str) -> String {
    let line = daemon.ctl(&["status", name]).stdout;
    line.split_once("RUNNING").unwrap_or_else(|| panic!("{name} does not run: {line}")).1.trim().to_owned()
}

/// Up to where scripts read: no listener makes that another text.
#[track_caller]
fn behind_uptime(description: &str) -> &str {
    let (pid, rest) =
        description.strip_prefix("pid ").and_then(|rest| rest.split_once(", uptime ")).unwrap_or_default();
    assert!(pid.parse::<i32>().is_ok_and(|pid| pid > 0), "{description}");
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != ':').unwrap_or(rest.len());
    assert!(rest[..end].starts_with("0:0"), "{description}");
    &rest[end..]
}

#[track_caller]
fn send_remote(daemon: &Daemon, word: &str) {
    let call = format!(
        "<?xml version='1.0'?><methodCall><methodName>supervisor.sendRemoteCommEvent</methodName><params>\
         <param><value>x</value></param><param><value>{word}</value></param></params></methodCall>"
    );
    let answer = post(&daemon.socket(), "/RPC2", call.as_bytes()).expect("it is answered");
    assert!(String::from_utf8_lossy(&answer.body).contains("<boolean>1</boolean>"), "{word}");
}

fn page(daemon: &Daemon) -> String {
    let mut socket = UnixStream::connect(daemon.socket()).expect("the daemon listens");
    socket.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it can be asked");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers with text");
    answer
}

#[test]
fn who_broke_the_protocol_is_seen_and_nobody_else() {
    let daemon = daemon();
    said(&daemon, &["listeners", "well"], "READY");
    assert_eq!(behind_uptime(&description(&daemon, "deaf")), DEAF);
    for name in ["stuck", "well:ear_0", "web"] {
        assert_eq!(behind_uptime(&description(&daemon, name)), "", "{name}");
    }
    let listed = daemon.ctl(&["listeners", "deaf"]).stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("deaf ") && lines[0].ends_with("events PROCESS_STATE_FATAL"), "{listed}");
    assert!(
        lines[1].contains(" UNKNOWN  ") && lines[1].ends_with("told 0, event -, counts bytes"),
        "{listed}"
    );
    let why = daemon.ctl(&["why", "deaf"]).stdout;
    assert!(why.contains("but it gets no events since it broke the listener protocol"), "{why}");
    assert!(why.contains("supervisorctl restart deaf"), "{why}");
    // The states of processes are what health goes by, and they are well.
    let health = daemon.ctl(&["health"]);
    assert_eq!((&*health.stdout, health.status), ("healthy: 5 RUNNING\n", 0));
    let page = page(&daemon);
    assert_eq!(page.matches(DEAF).count(), 1, "{page}");
    // What it wrote can be read where any program's output is.
    assert_eq!(daemon.ctl(&["tail", "deaf"]).stdout.trim_end(), "What is this?");
}

/// What it has said is not asked for again.
#[test]
fn the_next_brain_knows_it_too() {
    let mut daemon = daemon();
    send_remote(&daemon, "one");
    let before = said(&daemon, &["listeners", "stuck"], " BUSY ");
    let before = before.split("event ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    assert!(before.parse::<u64>().is_ok(), "{before}");
    let brain = descendants(daemon.pid()).into_iter().find(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "provost-brain\n")
    });
    send_signal(brain.expect("there is a brain"), Signal::KILL);
    daemon.wait_for_log_line("has ended unexpectedly");
    let after = said(&daemon, &["listeners", "stuck"], &format!("event {before}, counts bytes\n"));
    assert!(after.contains(" BUSY "), "{after}");
    said(&daemon, &["status", "deaf"], DEAF);
}

#[test]
fn another_life_of_it_begins_anew() {
    let daemon = daemon();
    let first = description(&daemon, "deaf");
    assert_eq!(behind_uptime(&first), DEAF);
    let restarted = daemon.ctl(&["restart", "deaf"]);
    assert_eq!(restarted.stdout, "deaf: stopped\ndeaf: started\n");
    // It says the same again.
    said(&daemon, &["status", "deaf"], DEAF);
    assert_ne!(description(&daemon, "deaf").split(',').next(), first.split(',').next());
}

#[test]
fn who_falls_behind_says_how_far() {
    let daemon = daemon();
    said(&daemon, &["listeners", "stuck"], " READY ");
    for word in ["one", "two", "three"] {
        send_remote(&daemon, word);
    }
    let listed = said(&daemon, &["listeners", "stuck"], " BUSY ");
    assert!(
        listed.contains("waiting 2, on disk 0, oldest ") && listed.contains("told 1, event "),
        "{listed}"
    );
    assert!(!listed.contains("event -"), "{listed}");
    // In time it is late.
    said(&daemon, &["status", "stuck"], "2 events behind");
    assert_eq!(behind_uptime(&description(&daemon, "stuck")), ", 2 events behind");
    assert_eq!(behind_uptime(&description(&daemon, "deaf")), DEAF);
    let why = daemon.ctl(&["why", "stuck"]).stdout;
    assert!(why.contains("2 wait, the oldest for ") && why.contains("it has not answered event "), "{why}");
    // Whoever looks at all of them sees the same.
    let all = daemon.ctl(&["status"]).stdout;
    assert_eq!((all.matches(DEAF).count(), all.matches("2 events behind").count()), (1, 1), "{all}");
}
