//! Stopping: one program, its family, a hundred, in the right order.

use provost_testkit::{Process, Signal, monotonic_ns, send_signal, wait_until_gone};

use crate::common::{content, end_well, start, state_of};

#[test]
fn a_program_that_ignores_its_signal_is_killed_after_stopwaitsecs() {
    let mut daemon = start("[program:a]\ncommand={child} ignore:TERM hello forever\nstopwaitsecs=1\n");
    let a = daemon.wait_for_hello("a").pid;
    let before = monotonic_ns();
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    let took = (monotonic_ns() - before) / 1_000_000;
    assert!((1000..2500).contains(&took), "took {took} ms");
    daemon.log().wait_for_all(&[
        &format!("WARN killing 'a' ({a}) with SIGKILL"),
        "WARN stopped: a (terminated by SIGKILL)",
    ]);
}

#[test]
fn stopasgroup_reaches_grandchildren_and_its_absence_spares_them() {
    let mut daemon = start(
        "[program:a]\ncommand={child} fork-grandchild hello forever\nstopasgroup=true\n[program:b]\ncommand={child} fork-grandchild hello forever\nautostart=false\n",
    );
    daemon.wait_for_hello("a");
    let of_a = daemon.wait_for_hello("grandchild").pid;
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    wait_until_gone(of_a);
    daemon.ctl(&["start", "b"]);
    let of_b = Process::new(daemon.wait_for_hello("grandchild").pid);
    assert_eq!(daemon.ctl(&["stop", "b"]).stdout, "b: stopped\n");
    assert!(!of_b.is_gone());
    of_b.signal(Signal::KILL);
}

#[test]
fn killasgroup_reaches_grandchildren() {
    let mut daemon = start(
        "[program:a]\ncommand={child} ignore:TERM fork-grandchild hello forever\nstopwaitsecs=1\nkillasgroup=true\n",
    );
    daemon.wait_for_hello("a");
    let grandchild = daemon.wait_for_hello("grandchild").pid;
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    wait_until_gone(grandchild);
}

#[test]
fn shutdown_goes_from_high_to_low_priority_and_equal_ones_side_by_side() {
    let slow = "on:TERM:say:x hello forever\nstopwaitsecs=4\n";
    let mut daemon = start(&format!(
        "[program:low]\ncommand={{child}} hello forever\npriority=1\n\
         [program:mid1]\ncommand={{child}} {slow}priority=5\n[program:mid2]\ncommand={{child}} {slow}priority=5\n\
         [program:mid3]\ncommand={{child}} {slow}priority=5\n[program:high]\ncommand={{child}} hello forever\npriority=9\n"
    ));
    for name in ["low", "mid1", "mid2", "mid3", "high"] {
        daemon.wait_for_hello(name);
    }
    let before = monotonic_ns();
    send_signal(daemon.pid(), Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    let took = (monotonic_ns() - before) / 1_000_000;
    let log = content(&daemon, "main.log");
    let stopped: Vec<&str> =
        log.lines().filter_map(|line| line.split("stopped: ").nth(1)?.split(' ').next()).collect();
    assert_eq!((stopped.first(), stopped.last()), (Some(&"high"), Some(&"low")), "{log}");
    // One after the other they would take twelve seconds.
    assert!((4000..11_000).contains(&took), "three equal ones took {took} ms");
}

#[test]
fn a_hundred_programs_shut_down_quickly() {
    let mut daemon = start(
        "[program:p]\ncommand={child} hello forever\nprocess_name=p%(process_num)02d\nnumprocs=100\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    for n in 0..100 {
        daemon.wait_for_hello(&format!("p{n:02}"));
    }
    let before = monotonic_ns();
    send_signal(daemon.pid(), Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    let took = (monotonic_ns() - before) / 1_000_000;
    assert!(took < 3000, "{took} ms");
    assert_eq!(content(&daemon, "main.log").matches("stopped: p").count(), 100);
}

#[test]
fn a_program_stopped_with_sigstop_can_still_be_stopped() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\nstopwaitsecs=1\n");
    let a = daemon.wait_for_hello("a").pid;
    send_signal(a, Signal::STOP);
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    assert_eq!(state_of(&daemon, "a"), "STOPPED");
    end_well(daemon);
}

#[test]
fn a_second_term_during_a_slow_shutdown_changes_nothing() {
    let mut daemon = start("[program:a]\ncommand={child} ignore:TERM hello forever\nstopwaitsecs=1\n");
    daemon.wait_for_hello("a");
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        send_signal(daemon.pid(), signal);
    }
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    assert_eq!(content(&daemon, "main.log").matches("supervisord started with pid").count(), 1);
}
