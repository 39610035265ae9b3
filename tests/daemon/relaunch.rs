//! A program that dies is replaced by the keeper at once, brain or no brain; and never against anybody's will.

use std::thread;

use provost_testkit::{Daemon, Process, Signal, post, send_signal, wait_until_gone};

use crate::common::{body, content, end_well, freeze_brain, kill_brain, pid_of, start, state_of};

/// Waits until the program is RUNNING, and the keeper knows what to do when it ends.
#[track_caller]
fn settle(daemon: &mut Daemon, name: &str) {
    daemon.wait_for_log_line(&format!("success: {name}"));
    // Answered behind everything that RUNNING has brought about.
    assert_eq!(state_of(daemon, name), "RUNNING");
}

const LIVES: &str = "autorestart=true\nstdout_logfile={dir}/a.log\n";

#[test]
fn a_program_is_replaced_while_the_brain_stands_still() {
    let mut daemon = start(&format!("[program:a]\ncommand={{child}} hello say:born forever\n{LIVES}"));
    let first = daemon.wait_for_hello("a").pid;
    settle(&mut daemon, "a");
    let frozen = freeze_brain(&daemon);
    send_signal(first, Signal::KILL);
    let second = daemon.wait_for_hello("a").pid;
    frozen.signal(Signal::CONT);
    daemon.log().wait_for_all(&[
        "exited: a (terminated by SIGKILL; not expected)",
        &format!("spawned: 'a' with pid {second}"),
    ]);
    daemon.wait_for_log_line("success: a");
    assert_eq!(pid_of(&daemon, "a"), second);
    assert_eq!(content(&daemon, "a.log"), "born\nborn\n");
    end_well(daemon);
}

#[test]
fn a_program_replaced_while_there_is_no_brain_is_the_next_brains() {
    let mut daemon = start(&format!("[program:a]\ncommand={{child}} hello say:born forever\n{LIVES}"));
    let first = daemon.wait_for_hello("a").pid;
    settle(&mut daemon, "a");
    let frozen = freeze_brain(&daemon);
    send_signal(first, Signal::KILL);
    let second = daemon.wait_for_hello("a").pid;
    frozen.signal(Signal::KILL);
    daemon.log().wait_for_all(&[
        "exited: a (terminated by SIGKILL; not expected)",
        &format!("spawned: 'a' with pid {second}"),
    ]);
    daemon.wait_for_log_line("success: a");
    assert_eq!((pid_of(&daemon, "a"), state_of(&daemon, "a")), (second, "RUNNING".to_owned()));
    assert_eq!(content(&daemon, "a.log"), "born\nborn\n");
    // And that one is replaced, too.
    send_signal(second, Signal::KILL);
    let third = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line(&format!("spawned: 'a' with pid {third}"));
    end_well(daemon);
    wait_until_gone(third);
}

#[test]
fn a_stop_that_comes_too_late_stops_the_replacement() {
    let mut daemon = start(&format!("[program:a]\ncommand={{child}} hello forever\n{LIVES}"));
    let first = daemon.wait_for_hello("a").pid;
    settle(&mut daemon, "a");
    let frozen = freeze_brain(&daemon);
    let socket = daemon.socket();
    let waiter = thread::spawn(move || {
        post(&socket, "/RPC2", body("supervisor.stopProcess", &["a"]).as_bytes()).unwrap()
    });
    send_signal(first, Signal::KILL);
    let second = daemon.wait_for_hello("a").pid;
    frozen.signal(Signal::CONT);
    let answer = String::from_utf8_lossy(&waiter.join().unwrap().body).into_owned();
    assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
    Process::new(second).wait_until_gone();
    assert_eq!(state_of(&daemon, "a"), "STOPPED");
    end_well(daemon);
}

#[test]
fn a_brain_that_dies_before_its_program_knows_who_took_its_place() {
    let mut daemon = start(&format!("[program:a]\ncommand={{child}} hello forever\n{LIVES}"));
    let mut pid = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    for _ in 0..3 {
        kill_brain(&mut daemon);
        send_signal(pid, Signal::KILL);
        pid = daemon.wait_for_hello("a").pid;
        daemon.wait_for_log_line(&format!("spawned: 'a' with pid {pid}"));
        daemon.wait_for_log_line("success: a");
        assert_eq!(pid_of(&daemon, "a"), pid);
    }
    end_well(daemon);
}

#[test]
fn an_expected_end_and_a_program_that_is_gone_are_left_to_the_brain() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:exit:0 hello forever\n\
         [program:b]\ncommand={dir}/copy hello forever\nautostart=false\nstartretries=0\n",
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    send_signal(a, Signal::TERM);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!(state_of(&daemon, "a"), "EXITED");

    let copy = daemon.sandbox().file("copy");
    provost_testkit::replace_program(provost_testkit::provost_child(), &copy);
    daemon.ctl(&["start", "b"]);
    let b = daemon.wait_for_hello("b").pid;
    std::fs::remove_file(&copy).unwrap();
    send_signal(b, Signal::KILL);
    daemon.log().wait_for_all(&[
        "exited: b (terminated by SIGKILL; not expected)",
        &format!("spawnerr: can't find command '{}'", copy.display()),
        "gave up: b",
    ]);
    end_well(daemon);
}
