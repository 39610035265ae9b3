//! A disk that does not answer, as a file server that is gone: who logs there waits, everybody else goes on, whoever asks is
//! answered, and when it is back every byte is there.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use provost_testkit::{DEADLINE, Daemon, Matter, Signal, Torrent, send_signal};

use crate::disk::start_with_stuck;
use crate::stage::{end_well, is_whole, kill_brain, size_of, until};

const MUCH: u64 = 3_000_000;

const PROGRAMS: &str = "\
[program:a]
command={child} torrent:bytes=3000000 hello forever
startsecs=0
autostart=false
stdout_logfile={dir}/slow/a.log
stdout_logfile_maxbytes=0
stderr_logfile=NONE
[program:b]
command={child} say:here hello forever
startsecs=0
stdout_logfile={dir}/b.log
";

/// From now on the disk does not answer.
#[track_caller]
fn hang(daemon: &Daemon) {
    fs::write(daemon.sandbox().file("stuck"), "").unwrap();
}

#[track_caller]
fn recover(daemon: &Daemon) {
    fs::remove_file(daemon.sandbox().file("stuck")).unwrap();
}

/// Through the eyes of the daemon, and only while the disk answers.
fn found(daemon: &Daemon) -> Vec<u8> {
    let dir = daemon.sandbox().path().display();
    fs::read(format!("/proc/{}/root{dir}/slow/a.log", daemon.pid())).unwrap_or_default()
}

#[track_caller]
fn others_go_on(daemon: &mut Daemon) {
    let log = daemon.sandbox().file("b.log");
    let before = size_of(&log);
    let asked = Instant::now();
    assert_eq!(daemon.ctl(&["status", "b"]).status, 0);
    // Whoever waits for a disk does so for five seconds.
    assert!(asked.elapsed() < Duration::from_millis(4500), "{:?}", asked.elapsed());
    assert_eq!(daemon.ctl(&["restart", "b"]).stdout, "b: stopped\nb: started\n");
    daemon.wait_for_hello("b");
    until("the word of another", || size_of(&log) > before);
    assert!(asked.elapsed() < Duration::from_millis(4500), "{:?}", asked.elapsed());
}

/// Starts it on a disk that answers and goes away with the first words.
#[track_caller]
fn start_and_hang() -> Daemon {
    let mut daemon = start_with_stuck(PROGRAMS);
    daemon.wait_for_hello("b");
    // Its file is made, and its lane.
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_hello("a");
    until("a whole torrent", || found(&daemon).len() as u64 >= MUCH);
    is_whole(Torrent::new(Matter::Lines, 0), &found(&daemon), MUCH);
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    assert_eq!(daemon.ctl(&["clear", "a"]).stdout, "a: cleared\n");
    hang(&daemon);
    // Its file cannot be opened now, so nobody waits for the answer.
    let _ = daemon.ctl(&["status"]);
    daemon
}

#[test]
fn a_program_whose_disk_hangs_is_whole_afterwards_and_no_other_notices() {
    let mut daemon = start_and_hang();
    let socket = daemon.socket();
    let asked = std::thread::spawn(move || {
        let body = "<methodCall><methodName>supervisor.startProcess</methodName><params><param><value>a</value></param></params></methodCall>";
        provost_testkit::post(&socket, "/RPC2", body.as_bytes()).map(|answer| answer.body)
    });
    for _ in 0..3 {
        others_go_on(&mut daemon);
    }
    daemon.wait_for_log_line("slow does not answer");
    others_go_on(&mut daemon);
    let lines = daemon.log().all();
    assert!(!lines.iter().any(|line| line.contains("slow answers again")), "it does not: {lines:?}");
    recover(&daemon);
    let answer = String::from_utf8(asked.join().unwrap().unwrap()).unwrap();
    daemon.wait_for_log_line("slow answers again");
    if answer.contains("fault") {
        // It was told that its log cannot be opened; then it is tried again, now or on somebody's wish.
        daemon.ctl(&["start", "a"]);
    }
    daemon.wait_for_hello("a");
    until("a whole torrent", || found(&daemon).len() as u64 >= MUCH);
    is_whole(Torrent::new(Matter::Lines, 0), &found(&daemon), MUCH);
    end_well(daemon);
}

/// A question that stays open.
#[track_caller]
fn asks(daemon: &Daemon, request: &str) -> UnixStream {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[test]
fn whoever_reads_or_follows_a_log_there_waits_alone() {
    let mut daemon = start_with_stuck(PROGRAMS);
    daemon.wait_for_hello("b");
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_hello("a");
    until("a whole torrent", || found(&daemon).len() as u64 >= MUCH);
    let follow = "GET /logtail/a HTTP/1.1\r\nHost: x\r\n\r\n";
    let call = "<methodCall><methodName>supervisor.tailProcessStdoutLog</methodName><params><param><value>a</value></param>\
        <param><value><int>0</int></value></param><param><value><int>10</int></value></param></params></methodCall>";
    let read = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{call}", call.len());
    let page = "GET /tail.html?processname=a HTTP/1.1\r\nHost: x\r\n\r\n";
    // One who follows already.
    let mut all = vec![asks(&daemon, follow)];
    let mut head = [0; 12];
    all[0].read_exact(&mut head).unwrap();
    hang(&daemon);
    for _ in 0..10 {
        all.extend([follow, &read, page].map(|request| asks(&daemon, request)));
    }
    others_go_on(&mut daemon);
    let asked = Instant::now();
    assert!(daemon.ctl(&["tail", "b"]).stdout.contains("here"));
    let mut beside = asks(&daemon, "GET /logtail/b HTTP/1.1\r\nHost: x\r\n\r\n");
    beside.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    assert!(asked.elapsed() < Duration::from_millis(4500), "{:?}", asked.elapsed());
    recover(&daemon);
    for stream in &mut all[1..] {
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
    }
    drop(all);
    end_well(daemon);
}

#[test]
fn the_end_waits_for_nobody_who_reads_there() {
    let mut daemon = start_with_stuck(PROGRAMS);
    daemon.wait_for_hello("b");
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_hello("a");
    until("a whole torrent", || found(&daemon).len() as u64 >= MUCH);
    daemon.ctl(&["stop", "a"]);
    hang(&daemon);
    let all: Vec<UnixStream> =
        (0..5).map(|_| asks(&daemon, "GET /logtail/a HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
    others_go_on(&mut daemon);
    kill_brain(&mut daemon);
    others_go_on(&mut daemon);
    recover(&daemon);
    drop(all);
    end_well(daemon);
}

/// It writes already when its disk goes away.
#[track_caller]
fn hang_in_the_middle() -> Daemon {
    let config = PROGRAMS.replace("torrent:bytes=3000000 hello", "hello torrent:bytes=3000000,write=100");
    let mut daemon = start_with_stuck(&config);
    daemon.wait_for_hello("b");
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_hello("a");
    hang(&daemon);
    daemon
}

#[test]
fn a_stop_is_answered_though_the_disk_is_not_and_what_was_said_is_written_later() {
    let mut daemon = hang_in_the_middle();
    let asked = Instant::now();
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    others_go_on(&mut daemon);
    recover(&daemon);
    daemon.wait_for_log_line("slow answers again");
    others_go_on(&mut daemon);
    assert_eq!(Torrent::new(Matter::Lines, 0).first_fault(0, &found(&daemon)), None);
    end_well(daemon);
}

#[test]
fn a_brain_that_dies_while_its_disk_hangs_loses_nothing() {
    let mut daemon = hang_in_the_middle();
    kill_brain(&mut daemon);
    others_go_on(&mut daemon);
    recover(&daemon);
    until("a whole torrent", || found(&daemon).len() as u64 >= MUCH);
    is_whole(Torrent::new(Matter::Lines, 0), &found(&daemon), MUCH);
    end_well(daemon);
}

#[test]
fn the_end_of_the_daemon_waits_for_no_disk() {
    let mut daemon = hang_in_the_middle();
    let asked = Instant::now();
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    daemon.wait_for_log_line("slow does not answer");
}
