//! The program file is replaced while everything runs: a good one takes over, a bad one changes nothing.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use provost_testkit::{
    DEADLINE, Daemon, HEAD, Implementation, Lines, Process, Sandbox, Signal, make_foreign, replace_program,
    send_signal, supervisord_next, until,
};

use crate::common::{
    brain, call, content, descriptors, end_well, kill_brain, pid_of, state_of, wait_for_proc,
};

/// One that runs from a file of its own, which a test may replace.
#[track_caller]
fn start(config: &str) -> Daemon {
    let sandbox = Sandbox::new();
    let ours = Implementation::ours();
    replace_program(Path::new(&ours.supervisord[0]), &sandbox.file("supervisord"));
    let implementation =
        Implementation { supervisord: vec![sandbox.file("supervisord").into_os_string()], ..ours };
    Daemon::start_in(sandbox, &implementation, &format!("{HEAD}{config}"))
}

fn place(daemon: &Daemon) -> PathBuf {
    daemon.sandbox().file("supervisord")
}

/// The next build, well or as broken as `mood` says.
#[track_caller]
fn put_next(daemon: &Daemon, mood: &str) {
    fs::write(daemon.sandbox().file("supervisord.mood"), mood).unwrap();
    replace_program(supervisord_next(), &place(daemon));
}

#[track_caller]
fn put_ours(daemon: &Daemon) {
    replace_program(Path::new(&Implementation::ours().supervisord[0]), &place(daemon));
}

/// The program file is no good: nothing has changed, and the reason is said to whoever asked and in the log.
#[track_caller]
fn fails_to_upgrade(daemon: &mut Daemon, seconds: &str, reason: &str) {
    let before = (brain(daemon), pid_of(daemon, "a"), descriptors(daemon.pid()));
    let said = daemon.ctl(&["upgrade", seconds]);
    assert_eq!((said.stdout.as_str(), said.status), (&*format!("upgrade: ERROR ({reason})\n"), 1));
    daemon.wait_for_log_line(&format!("the upgrade has failed, everything is as it was: {reason}"));
    // What was tried is gone, with all that was opened for it.
    wait_for_proc(daemon.pid(), "stat", |_| descriptors(daemon.pid()) == before.2);
    assert_eq!((brain(daemon), pid_of(daemon, "a")), (before.0, before.1));
}

const A: &str = "[program:a]\ncommand={child} on:USR1:say:here on:TERM:exit:7 hello forever\nautorestart=false\nstdout_logfile={dir}/a.log\n";

#[test]
fn everything_goes_on_under_the_next_build_and_back() {
    let mut daemon = start(A);
    let (keeper, a) = (daemon.pid(), daemon.wait_for_hello("a").pid);
    daemon.wait_for_log_line("success: a");
    let mut log = Lines::follow(&daemon.sandbox().file("a.log"));
    let mut open = Vec::new();
    for (next, said) in [(true, "0.1.0 to next"), (false, "next to 0.1.0"), (true, "0.1.0 to next")] {
        let before = Process::new(brain(&daemon));
        if next {
            put_next(&daemon, "")
        } else {
            put_ours(&daemon)
        }
        let answer = daemon.ctl(&["upgrade"]);
        assert_eq!(
            (answer.stdout.as_str(), answer.status),
            (&*format!("Upgraded supervisord from {said}\n"), 0)
        );
        daemon.wait_for_log_line("the keeper goes on as the new program, too");
        before.wait_until_gone();
        assert_eq!((daemon.ctl(&["pid"]).stdout.trim().parse(), pid_of(&daemon, "a")), (Ok(keeper), a));
        assert_eq!(fs::read_link(format!("/proc/{keeper}/exe")).unwrap(), place(&daemon));
        send_signal(a, Signal::USR1);
        log.wait_for("here");
        open.push(descriptors(keeper));
        // A later death is followed by a brain of the new build.
        kill_brain(&mut daemon);
        assert_eq!(pid_of(&daemon, "a"), a);
    }
    assert!(open.iter().all(|n| *n == open[0]), "descriptors are left open: {open:?}");
    assert_eq!(content(&daemon, "a.log"), "here\n".repeat(3));
    send_signal(a, Signal::TERM);
    daemon.wait_for_log_line("exited: a (exit status 7; not expected)");
    end_well(daemon);
}

#[test]
fn whoever_keeps_a_connection_for_later_finds_it_closed_and_the_next_build_behind_a_new_one() {
    let mut daemon = start(A);
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let connect = |text: &str| {
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let body = crate::common::body("supervisor.getState", &[]);
    let request = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut kept = connect(&request);
    let mut answer = Vec::new();
    while !answer.ends_with(b"</methodResponse>\n") {
        let mut piece = [0; 4096];
        let n = kept.read(&mut piece).unwrap();
        assert_ne!(n, 0);
        answer.extend(&piece[..n]);
    }
    let (mut silent, mut half) = (connect(""), connect(&request[..30]));
    put_next(&daemon, "");
    assert_eq!(daemon.ctl(&["upgrade"]).status, 0);
    for stream in [&mut kept, &mut silent, &mut half] {
        // A connection that is closed with half a request unread says so.
        let end = stream.read(&mut [0]);
        assert!(matches!(&end, Ok(0)) || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    }
    assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"));
    end_well(daemon);
}

#[test]
fn a_program_file_that_is_no_good_changes_nothing() {
    let mut daemon = start(A);
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    put_next(&daemon, "panics");
    fails_to_upgrade(&mut daemon, "10", "the new program ended with exit status 101 before it was ready");
    put_next(&daemon, "exits");
    fails_to_upgrade(&mut daemon, "10", "the new program ended with exit status 3 before it was ready");
    put_next(&daemon, "hangs");
    fails_to_upgrade(&mut daemon, "1", "the new program was not ready in time");
    put_next(&daemon, "incompatible");
    let why = "the memory of processes has version 2, and this build understands 9 to 9";
    fails_to_upgrade(&mut daemon, "10", &format!("the new program cannot take over: {why}"));
    make_foreign(supervisord_next(), &place(&daemon));
    fails_to_upgrade(&mut daemon, "10", "cannot execute the new program: Exec format error (ENOEXEC)");
    fs::write(place(&daemon).with_extension("new"), "").unwrap();
    fs::rename(place(&daemon).with_extension("new"), place(&daemon)).unwrap();
    fails_to_upgrade(&mut daemon, "10", "cannot execute the new program: Permission denied (EACCES)");
    fs::remove_file(place(&daemon)).unwrap();
    fails_to_upgrade(&mut daemon, "10", "cannot execute the new program: No such file or directory (ENOENT)");
    // And it still can, when there is a good one.
    put_next(&daemon, "");
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord from 0.1.0 to next\n");
    end_well(daemon);
}

#[test]
fn a_brain_that_fails_after_its_trial_is_followed_by_one_of_the_old_build() {
    let mut daemon = start(A);
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    put_next(&daemon, "cramped");
    let said = daemon.ctl(&["upgrade"]);
    assert!(
        said.stdout
            .starts_with("upgrade: ERROR (the new program ended with exit status 1 before it was ready"),
        "{said:?}"
    );
    assert!(said.stdout.ends_with("; a brain of version 0.1.0 goes on)\n"), "{said:?}");
    assert_eq!(said.status, 1);
    daemon.wait_for_log_line("has ended unexpectedly");
    assert_eq!((pid_of(&daemon, "a"), state_of(&daemon, "a").as_str()), (a, "RUNNING"));
    assert_ne!(fs::read_link(format!("/proc/{}/exe", daemon.pid())).unwrap(), place(&daemon));
    put_next(&daemon, "");
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord from 0.1.0 to next\n");
    assert_eq!(pid_of(&daemon, "a"), a);
    end_well(daemon);
}

#[test]
fn two_upgrades_at_once_are_one() {
    let mut daemon = start(A);
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    put_next(&daemon, "hangs");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| daemon.ctl(&["upgrade", "10"]).stdout);
        wait_for_proc(daemon.pid(), "stat", |_| {
            content(&daemon, "main.log").contains("an upgrade was asked for")
        });
        let second = daemon.ctl_command(&Implementation::ours(), &["upgrade"]).output().unwrap();
        assert_eq!(second.stdout, b"upgrade: ERROR (another upgrade is under way)\n");
        assert_eq!(first.join().unwrap(), "upgrade: ERROR (the new program was not ready in time)\n");
    });
    end_well(daemon);
}

#[test]
fn a_brain_killed_during_a_trial_takes_the_trial_with_it() {
    let mut daemon = start(A);
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    put_next(&daemon, "hangs");
    let client = std::thread::scope(|scope| {
        let client = scope.spawn(|| daemon.ctl(&["upgrade", "60"]).status);
        wait_for_proc(daemon.pid(), "stat", |_| {
            content(&daemon, "main.log").contains("an upgrade was asked for")
        });
        send_signal(brain(&daemon), Signal::KILL);
        client.join().unwrap()
    });
    assert_ne!(client, 0);
    daemon.wait_for_log_line("has ended unexpectedly");
    assert_eq!(pid_of(&daemon, "a"), a);
    let children = || fs::read_to_string(format!("/proc/{0}/task/{0}/children", daemon.pid())).unwrap();
    wait_for_proc(daemon.pid(), "stat", |_| children().split_whitespace().count() == 2);
    end_well(daemon);
}

#[test]
fn a_stop_under_way_and_a_retry_go_on_under_the_next_build() {
    let mut daemon = start(
        "[program:stubborn]\ncommand={child} ignore:TERM hello:stubborn forever\nstopwaitsecs=10\n\
         [program:failing]\ncommand={child} exit:3\nstartsecs=1\nstartretries=2\n",
    );
    let stubborn = Process::new(daemon.wait_for_hello("stubborn").pid);
    daemon.wait_for_log_line("success: stubborn");
    put_next(&daemon, "");
    call(&daemon, "supervisor.stopProcess", &["stubborn", "<boolean>0</boolean>"]);
    assert_eq!(daemon.ctl(&["upgrade"]).status, 0);
    assert_eq!(state_of(&daemon, "stubborn"), "STOPPING");
    stubborn.wait_until_gone();
    daemon.log().wait_for_all(&["stopped: stubborn (terminated by SIGKILL)", "gave up: failing"]);
    let log = content(&daemon, "main.log");
    assert_eq!(log.matches("spawned: 'failing'").count(), 3, "{log}");
    end_well(daemon);
}

#[test]
fn a_daemon_in_the_background_is_upgraded_too() {
    let mut daemon = Daemon::start_daemonized(&Implementation::ours(), &format!("{HEAD}{A}"));
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord from 0.1.0 to 0.1.0\n");
    assert_eq!(pid_of(&daemon, "a"), a);
    daemon.wait_for_log_line("the keeper goes on as the new program, too");
}

#[test]
fn programs_are_started_as_ever_by_an_upgraded_keeper() {
    let mut daemon = start(
        "[program:a]\ncommand={child} dump-env hello forever\nautostart=false\nstdout_logfile={dir}/a.log\n\
         [program:fds]\ncommand={child} dump-fds dump-signals hello:fds forever\nautostart=false\nstdout_logfile={dir}/fds.log\n\
         [program:bad]\ncommand={dir}\nautostart=false\n",
    );
    let run = |daemon: &mut Daemon| {
        daemon.ctl(&["start", "a", "fds"]);
        daemon.ctl(&["stop", "a", "fds"]);
        let said = (content(daemon, "a.log"), content(daemon, "fds.log"));
        daemon.ctl(&["clear", "a", "fds"]);
        let names =
            said.1.lines().map(|line| line.split("pipe:[").next().unwrap().to_owned()).collect::<Vec<_>>();
        (said.0, names, daemon.ctl(&["start", "bad"]).stdout)
    };
    let before = run(&mut daemon);
    assert!(!before.0.is_empty() && before.1.len() >= 5, "{before:?}");
    put_next(&daemon, "");
    assert_eq!(daemon.ctl(&["upgrade"]).status, 0);
    daemon.wait_for_log_line("the keeper goes on as the new program, too");
    assert_eq!(run(&mut daemon), before);
    end_well(daemon);
}

/// Bytes, by all of its writes.
fn written_by(pid: i32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

#[test]
fn a_log_that_nobody_takes_keeps_no_upgrade_from_anything_and_loses_nothing_by_it() {
    let sandbox = Sandbox::new();
    let fifo = sandbox.file("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // It is open for reading, and nobody reads.
    let reader = fs::File::options().read(true).write(true).open(&fifo).unwrap();
    let loud = "[program:loud]\ncommand=seq 1000000000\nstdout_logfile={dir}/fifo\n";
    let config = format!("{HEAD}{A}{loud}");
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("spawned: 'loud'");
    // The FIFO holds a megabyte, the program's own pipe a little.
    until("it fills", || written_by(pid_of(&daemon, "loud")) >= 1_000_000);
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord from 0.1.0 to 0.1.0\n");
    assert_eq!(pid_of(&daemon, "a"), a);
    let lines = BufReader::new(reader).lines().map(|line| line.unwrap());
    for (line, number) in lines.zip(1..).take(500_000) {
        assert_eq!(line, number.to_string());
    }
    end_well(daemon);
}

#[test]
fn words_that_a_program_has_not_read_yet_outlive_an_upgrade() {
    let slow = "[program:slow]\ncommand=sh -c 'mkfifo {dir}/go; echo ready; read x < {dir}/go; exec cat'\nstartsecs=0\nstdout_logfile={dir}/slow.log\nstdout_logfile_maxbytes=0\n";
    let daemon = start(slow);
    let mut log = Lines::follow(&daemon.sandbox().file("slow.log"));
    log.wait_for("ready");
    let line = "x".repeat(1023) + "\n";
    let first = line.repeat(1500);
    let send = |chars: &str| call(&daemon, "supervisor.sendProcessStdin", &["slow", chars]);
    assert!(send(&first).contains("<boolean>1"));
    put_next(&daemon, "");
    assert_eq!(daemon.ctl(&["upgrade"]).status, 0);
    assert!(send("last\n").contains("<boolean>1"), "the new keeper lends what the old one lent");
    fs::write(daemon.sandbox().file("go"), "\n").unwrap();
    log.wait_for("last");
    assert!(content(&daemon, "slow.log") == format!("ready\n{first}last\n"));
    end_well(daemon);
}
