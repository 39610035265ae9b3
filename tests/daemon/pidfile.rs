//! The pidfile as a lock: one supervisord for each, whatever dies and whatever a person does to the file.
//!
//! In: two of ours in one sandbox. Out: who runs, who is refused and with which words, whose pid is in the file.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use provost_testkit::{
    DEADLINE, Daemon, Implementation, Lines, Process, Sandbox, Signal, send_signal, wait_until_gone,
};

use crate::common::{content, end_well, kill_brain, pid_of, start};

/// No server, so that nothing but the pidfile can be taken.
const ALONE: &str =
    "[supervisord]\nlogfile={dir}/NAME.log\npidfile={dir}/main.pid\nchildlogdir={dir}\nidentifier=NAME\n";

/// Another supervisord in the sandbox, named `name`, with more settings or with others.
fn command(sandbox: &Sandbox, name: &str, config: &str, arguments: &[&str]) -> Command {
    let path = sandbox.file(&format!("{name}.conf"));
    let dir = sandbox.path().to_str().unwrap();
    fs::write(&path, config.replace("{dir}", dir).replace("NAME", name)).unwrap();
    let mut command = Command::new("timeout");
    command.args(["--foreground", "--signal=KILL", "60"]).args(Implementation::ours().supervisord);
    command.arg("-c").arg(path).args(arguments).current_dir(sandbox.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A start that must fail.
#[track_caller]
fn refused(sandbox: &Sandbox, config: &str, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = command(sandbox, "second", config, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(2), "{said}");
    said
}

/// A start that must succeed; ends with [`Second::end`].
struct Second {
    starter: Child,
    pid: i32,
    log: Lines,
}

impl Second {
    #[track_caller]
    fn start(sandbox: &Sandbox, name: &str, config: &str) -> Second {
        let mut log = Lines::follow(&sandbox.file(&format!("{name}.log")));
        let starter = command(sandbox, name, config, &["-n"]).spawn().unwrap();
        let line = log.wait_for("supervisord started with pid ");
        let pid = line.rsplit(' ').next().unwrap().parse().unwrap();
        Second { starter, pid, log }
    }

    #[track_caller]
    fn end(mut self) {
        send_signal(self.pid, Signal::TERM);
        assert_eq!(self.starter.wait().unwrap().code(), Some(0), "{:?}", self.log.all());
    }
}

fn names(said: &str, daemon: &Daemon) -> bool {
    let pidfile = daemon.sandbox().file("main.pid");
    said.contains(&format!(
        "already running with pid {}: it holds the pidfile {}",
        daemon.pid(),
        pidfile.display()
    ))
}

#[test]
fn a_second_instance_without_a_server_is_refused_and_told_who_runs() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\nstdout_logfile=AUTO\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let before = content(&daemon, "main.log");
    for arguments in [&["-n"][..], &[]] {
        let said = refused(daemon.sandbox(), ALONE, arguments);
        assert!(said.starts_with("Error: supervisord is already running"), "{said}");
        assert!(names(&said, &daemon) && said.contains(&format!("'kill {}'", daemon.pid())), "{said}");
    }
    assert!(!daemon.sandbox().file("second.log").exists(), "it has begun a log before it was refused");
    // The same settings throughout: nothing of the first is touched, neither its log nor the automatic ones.
    let autos = || {
        fs::read_dir(daemon.sandbox().path())
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().contains("---supervisor-"))
            .count()
    };
    let had = autos();
    assert_ne!(had, 0);
    let conf = fs::read_to_string(daemon.sandbox().file("supervisord.conf")).unwrap();
    let said = refused(daemon.sandbox(), &conf, &["-n"]);
    assert!(said.starts_with("Error: Another program is already listening on a port"), "{said}");
    assert!(names(&said, &daemon), "{said}");
    assert_eq!((content(&daemon, "main.log"), autos()), (before, had));
    assert_eq!(pid_of(&daemon, "a"), a);
    assert_eq!(content(&daemon, "main.pid"), format!("{}\n", daemon.pid()));
    end_well(daemon);
}

#[test]
fn in_the_background_it_holds_too() {
    let daemon = Daemon::start_daemonized(&Implementation::ours(), provost_testkit::HEAD);
    assert!(names(&refused(daemon.sandbox(), ALONE, &[]), &daemon));
    assert_eq!(content(&daemon, "main.pid"), format!("{}\n", daemon.pid()));
}

#[test]
fn of_two_without_a_server_that_start_at_once_one_is_refused() {
    for _ in 0..10 {
        let sandbox = Sandbox::new();
        let (tell, hear) = mpsc::channel();
        let mut pids = Vec::new();
        for name in ["one", "other"] {
            let mut starter = command(&sandbox, name, ALONE, &["-n"]).spawn().unwrap();
            pids.push(starter.id() as i32);
            let tell = tell.clone();
            thread::spawn(move || tell.send((starter.id() as i32, starter.wait().unwrap())));
        }
        let next = || -> (i32, ExitStatus) { hear.recv_timeout(DEADLINE).unwrap() };
        let (loser, status) = next();
        assert_eq!(status.code(), Some(2), "both run with one pidfile");
        // The other may still be starting; its timeout(1) passes the signal on, and it is not lost.
        let winner = pids.into_iter().find(|pid| *pid != loser).unwrap();
        send_signal(winner, Signal::TERM);
        assert_eq!(next().1.code(), Some(0));
    }
}

#[test]
fn a_pidfile_left_behind_is_taken_over_whoever_it_names() {
    let us = std::process::id();
    for left in [
        "4194304\n".to_owned(),
        format!("{us}\n"),
        "garbage, and longer than any pid\n".to_owned(),
        String::new(),
    ] {
        let sandbox = Sandbox::new();
        fs::write(sandbox.file("main.pid"), &left).unwrap();
        let daemon = Daemon::start_in(sandbox, &Implementation::ours(), provost_testkit::HEAD);
        assert_eq!(content(&daemon, "main.pid"), format!("{}\n", daemon.pid()), "{left:?}");
        assert!(names(&refused(daemon.sandbox(), ALONE, &["-n"]), &daemon));
        let pidfile = daemon.sandbox().file("main.pid");
        assert!(pidfile.exists());
        end_well(daemon);
    }
}

#[test]
fn after_a_sigkill_the_next_one_starts_at_once() {
    let sandbox = Sandbox::new();
    for round in 0..5 {
        let name = format!("round{round}");
        let mut second = Second::start(&sandbox, &name, ALONE);
        send_signal(second.pid, Signal::KILL);
        second.starter.wait().unwrap();
    }
    Second::start(&sandbox, "last", ALONE).end();
    assert!(!sandbox.file("main.pid").exists());
}

#[test]
fn the_lock_outlives_the_brain() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    for _ in 0..2 {
        kill_brain(&mut daemon);
        assert!(names(&refused(daemon.sandbox(), ALONE, &["-n"]), &daemon));
    }
    assert_eq!(daemon.ctl(&["pid"]).status, 0);
    assert!(!content(&daemon, "main.log").contains("could not write pidfile"));
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert!(!daemon.sandbox().file("main.pid").exists(), "the new brain does not know that it is ours");
}

#[test]
fn programs_do_not_inherit_the_lock() {
    let sandbox = Sandbox::new();
    let program = "[program:a]\ncommand=sleep 1000\n";
    let second = Second::start(&sandbox, "first", &format!("{ALONE}{program}"));
    let pid = Lines::follow(&sandbox.file("first.log")).wait_for("spawned: 'a' with pid ");
    let pid: i32 = pid.rsplit(' ').next().unwrap().parse().unwrap();
    let a = Process::new(pid);
    send_signal(second.pid, Signal::KILL);
    wait_until_gone(second.pid);
    assert!(!a.is_gone());
    Second::start(&sandbox, "second", ALONE).end();
    a.signal(Signal::KILL);
}

#[test]
fn a_restart_takes_the_lock_again_under_its_new_name_too() {
    let mut daemon = start("");
    let head = provost_testkit::HEAD;
    for (config, name) in [(head.to_owned(), "main.pid"), (head.replace("main.pid", "new.pid"), "new.pid")] {
        daemon.write_config(&config);
        send_signal(daemon.pid(), Signal::HUP);
        daemon.wait_for_log_line("received SIGHUP");
        daemon.wait_for_log_line("supervisord started with pid");
        assert_eq!(content(&daemon, name), format!("{}\n", daemon.pid()));
        let said = refused(daemon.sandbox(), &ALONE.replace("main.pid", name), &["-n"]);
        assert!(said.contains(&format!("already running with pid {}", daemon.pid())), "{said}");
    }
    assert!(!daemon.sandbox().file("main.pid").exists());
    Second::start(daemon.sandbox(), "second", ALONE).end();
    end_well(daemon);
}

#[test]
fn another_name_in_the_file_counts_from_the_next_restart_even_if_the_brain_dies() {
    let mut daemon = start("");
    // It is up when it answers: a brain that is killed before that is a start that failed.
    assert_eq!(daemon.ctl(&["pid"]).status, 0);
    daemon.write_config(&provost_testkit::HEAD.replace("main.pid", "new.pid"));
    kill_brain(&mut daemon);
    assert_eq!(daemon.ctl(&["pid"]).status, 0);
    assert!(names(&refused(daemon.sandbox(), ALONE, &["-n"]), &daemon));
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert!(!daemon.sandbox().file("main.pid").exists() && !daemon.sandbox().file("new.pid").exists());
}

#[test]
fn whoever_removes_the_pidfile_may_start_another_and_that_one_keeps_its_own() {
    let mut daemon = start("");
    fs::remove_file(daemon.sandbox().file("main.pid")).unwrap();
    let second = Second::start(daemon.sandbox(), "second", ALONE);
    // A brain that comes after may neither be refused nor write over what is not its own.
    kill_brain(&mut daemon);
    daemon.wait_for_log_line("could not write pidfile");
    assert_eq!(daemon.ctl(&["pid"]).stdout, format!("{}\n", daemon.pid()));
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert_eq!(content(&daemon, "main.pid"), format!("{}\n", second.pid));
    second.end();
    assert!(!daemon.sandbox().file("main.pid").exists());
}

#[test]
fn a_device_as_pidfile_is_neither_locked_nor_removed() {
    let sandbox = Sandbox::new();
    symlink("/dev/null", sandbox.file("main.pid")).unwrap();
    let (one, other) = (Second::start(&sandbox, "one", ALONE), Second::start(&sandbox, "other", ALONE));
    for second in [one, other] {
        let log = sandbox.file("one.log");
        assert!(!fs::read_to_string(log).unwrap().contains("pidfile"));
        second.end();
    }
    assert!(sandbox.file("main.pid").symlink_metadata().is_ok());
}
