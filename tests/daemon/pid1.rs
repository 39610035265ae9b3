//! Ours as PID 1 of a namespace, as in a container.
//!
//! It needs the right to make namespaces; without it these tests fail and say so.

use std::process::Command;

use provost_testkit::{Daemon, HEAD, Signal, descendants, send_signal};

use crate::common::{content, started_by};

const IN_A_NAMESPACE: [&str; 3] = ["unshare", "-pf", "--mount-proc"];

#[track_caller]
fn start_as_pid_1(config: &str) -> Daemon {
    let may = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).output();
    assert!(
        may.as_ref().is_ok_and(|made| made.status.success()),
        "unshare(1) is not permitted here, so nothing can be said about PID 1: {may:?}"
    );
    Daemon::start(&started_by(&IN_A_NAMESPACE), &format!("{HEAD}{config}"))
}

/// The keeper as we see it from outside.
fn keeper(daemon: &Daemon) -> i32 {
    let comm = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    descendants(daemon.pid()).into_iter().find(|pid| comm(*pid) == "supervisord\n").unwrap()
}

#[test]
fn orphans_are_reaped_and_the_end_is_orderly() {
    let mut daemon = start_as_pid_1(
        "[program:a]\ncommand=sh -c \"sh -c 'sleep 0.1 & sleep 0.1 & exit 0'; exec {child} hello forever\"\n",
    );
    daemon.wait_for_hello("a");
    assert_eq!(content(&daemon, "main.pid"), "1\n");
    for _ in 0..2 {
        daemon.wait_for_log_line("reaped unknown pid ");
    }
    let zombies: Vec<i32> = descendants(daemon.pid())
        .into_iter()
        .filter(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
        })
        .collect();
    assert_eq!(zombies, [0; 0]);
    send_signal(keeper(&daemon), Signal::TERM);
    daemon.wait_for_log_line("stopped: a (terminated by SIGTERM)");
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

#[test]
fn a_storm_of_orphans_leaves_no_zombie_and_no_memory() {
    let mut daemon = start_as_pid_1(
        "[program:a]\ncommand=sh -c \"for i in $(seq 1 500); do (true &); done; exec {child} hello forever\"\n",
    );
    daemon.wait_for_hello("a");
    assert_eq!(daemon.ctl(&["status", "a"]).status, 0);
    let zombies = descendants(daemon.pid()).len();
    assert!(zombies < 8, "{zombies} processes are left");
    send_signal(keeper(&daemon), Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

#[test]
fn the_brain_of_pid_1_may_die_too() {
    let mut daemon = start_as_pid_1("[program:a]\ncommand={child} hello forever\n");
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    send_signal(crate::common::brain(&daemon), Signal::KILL);
    daemon.wait_for_log_line("has ended unexpectedly");
    assert_eq!(daemon.ctl(&["shutdown"]).stdout, "Shut down\n");
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}
