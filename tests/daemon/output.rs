//! What programs print: nothing lost, nothing twice, nothing that a log file can do stops anything else.

use provost_testkit::{Lines, Signal, send_signal, until};

use crate::common::{brain, content, descriptors, end_well, kill_brain, pid_of, start};

const ONCE: &str = "startsecs=0\nautorestart=false\nstdout_logfile_maxbytes=0\nstdout_logfile={dir}/a.out\nstderr_logfile={dir}/a.err\n";

#[test]
fn ten_megabytes_and_an_immediate_exit_lose_nothing() {
    let mut daemon =
        start(&format!("[program:a]\ncommand={{child}} print:1000000 eprint:100000 exit:0\n{ONCE}"));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let (out, err) = (content(&daemon, "a.out"), content(&daemon, "a.err"));
    assert!(out.len() > 10_000_000);
    assert!(out.lines().zip(1..).all(|(line, n)| line == format!("line {n}")));
    assert_eq!((out.lines().count(), err.lines().count()), (1_000_000, 100_000));
}

#[test]
fn redirected_standard_error_keeps_its_place() {
    let words = "say:1 esay:2 say:3 esay:4 ".repeat(200);
    let mut daemon = start(&format!("[program:a]\ncommand={{child}} {words}\nredirect_stderr=true\n{ONCE}"));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!(content(&daemon, "a.out"), "1\n2\n3\n4\n".repeat(200));
}

#[test]
fn rotated_files_together_hold_everything() {
    let mut daemon = start(
        "[program:a]\ncommand=seq 1 300000\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/a.out\nstdout_logfile_maxbytes=100KB\nstdout_logfile_backups=100\n",
    );
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let mut all = String::new();
    for n in (1..=100).rev() {
        all.push_str(&content(&daemon, &format!("a.out.{n}")));
    }
    all.push_str(&content(&daemon, "a.out"));
    assert!(all.lines().zip(1..).all(|(line, n)| line == n.to_string()));
    assert_eq!(all.lines().count(), 300_000);
    assert!(daemon.sandbox().file("a.out.5").exists());
}

#[test]
fn a_full_disk_stops_neither_the_program_nor_the_daemon() {
    let mut daemon = start(
        "[program:a]\ncommand={child} hello print:100000 hello:printed forever\nstdout_logfile=/dev/full\nstdout_logfile_maxbytes=0\n",
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_hello("printed");
    daemon.wait_for_log_line("cannot write to /dev/full");
    assert_eq!(pid_of(&daemon, "a"), a);
    end_well(daemon);
}

#[test]
fn devices_are_logs_too() {
    // Silent: the harness's file of our standard output is not opened for appending, and two writers would collide.
    let mut daemon = start(
        "silent=true\n[program:a]\ncommand={child} say:out hello exit:0\nstartsecs=0\nautorestart=false\nstdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\n[program:b]\ncommand={child} say:b print:100000 hello exit:0\nstartsecs=0\nautorestart=false\nstdout_logfile=/dev/null\n",
    );
    daemon
        .log()
        .wait_for_all(&["exited: a (exit status 0; expected)", "exited: b (exit status 0; expected)"]);
    assert!(content(&daemon, "daemon.out").lines().any(|line| line == "out"));
}

#[test]
fn a_log_that_cannot_be_opened_is_a_spawn_error_and_leaks_nothing() {
    let mut daemon = start(
        "[program:a]\ncommand={child} forever\nautostart=false\nstartretries=0\nstdout_logfile={dir}\n",
    );
    daemon.ctl(&["start", "a"]);
    let (mind, keeper) = (brain(&daemon), daemon.pid());
    crate::common::call(&daemon, "supervisor.getState", &[]);
    let before = (descriptors(mind), descriptors(keeper));
    for _ in 0..20 {
        let said = daemon.ctl(&["start", "a"]);
        assert_eq!(said.stdout, "a: ERROR (spawn error)\n");
        daemon.wait_for_log_line("spawnerr: unknown error making dispatchers for 'a': EISDIR");
    }
    // The last client's connection may still be closing.
    crate::common::wait_for_proc(mind, "stat", |_| (descriptors(mind), descriptors(keeper)) <= before);
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_delay_the_news_and_is_still_heard() {
    let mut daemon = start(&format!(
        "[program:a]\ncommand=sh -c \"{{child}} on:USR1:say:late hello:grandchild forever & exit 0\"\n{ONCE}"
    ));
    let grandchild = daemon.wait_for_hello("grandchild").pid;
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let mut log = Lines::follow(&daemon.sandbox().file("a.out"));
    send_signal(grandchild, Signal::USR1);
    log.wait_for("late");
    let before = descriptors(daemon.pid());
    send_signal(grandchild, Signal::KILL);
    // The keeper holds its pipes as long as it lives, and no longer; the kernel offers no event for that.
    until("the pipes of a dead program are not kept", || descriptors(daemon.pid()) < before);
}

#[test]
fn a_grandchild_outlives_brains_and_is_still_heard() {
    let mut daemon = start(&format!(
        "[program:a]\ncommand=sh -c \"{{child}} on:USR1:say:late hello:grandchild forever & exit 0\"\n{ONCE}"
    ));
    let grandchild = daemon.wait_for_hello("grandchild").pid;
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let mut log = Lines::follow(&daemon.sandbox().file("a.out"));
    for _ in 0..2 {
        kill_brain(&mut daemon);
        send_signal(grandchild, Signal::USR1);
        log.wait_for("late");
    }
    let before = descriptors(daemon.pid());
    send_signal(grandchild, Signal::KILL);
    until("the pipes of a dead program are not kept", || descriptors(daemon.pid()) < before);
}
