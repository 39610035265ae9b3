//! A program's life where Supervisor 4.3.0 crashes, stalls or says what is not so.
//!
//! In: programs that end at once, that may not be signalled, that are started and stopped in a row. Out: states, lines of
//! the log, and how long it took. The rules themselves are proved in `crates/core`; this is about real processes.

use provost_testkit::{Daemon, HEAD, Signal, monotonic_ns, send_signal};

use crate::common::{call, content, end_well, pid_of, start, started_by, state_of};

#[test]
fn a_program_that_may_not_be_signalled_is_unknown_until_it_ends_and_nobody_dies_of_it() {
    // Root without the right to signal the processes of others.
    let lame = started_by(&["setpriv", "--bounding-set=-kill"]);
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} hello forever\nuser=nobody\nautorestart=false\n[program:b]\ncommand={{child}} hello forever\n"
    );
    let mut daemon = Daemon::start(&lame, &config);
    let a = daemon.wait_for_hello("a").pid;
    let b = daemon.wait_for_hello("b").pid;
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    let said = daemon.ctl(&["stop", "a"]);
    assert!(said.stdout.starts_with("FAILED: ") && said.status == 1, "{said:?}");
    daemon.wait_for_log_line(&format!("CRIT unknown problem killing a ({a}): EPERM"));
    assert_eq!((state_of(&daemon, "a").as_str(), state_of(&daemon, "b").as_str()), ("UNKNOWN", "RUNNING"));
    send_signal(a, Signal::TERM);
    provost_testkit::wait_until_gone(a);
    daemon.wait_for_log_line("stopped: a (terminated by SIGTERM)");
    assert_eq!(state_of(&daemon, "a"), "STOPPED");
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
    let again = daemon.wait_for_hello("a").pid;
    assert_eq!(pid_of(&daemon, "b"), b);
    // Nor does it hold up the end.
    send_signal(daemon.pid(), Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    send_signal(again, Signal::KILL);
}

#[test]
fn whoever_ends_before_startsecs_has_failed_however_soon_that_is() {
    let programs: String = (0..8)
        .map(|n| {
            format!(
                "[program:p{n}]\ncommand=true\nstartretries=1\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
            )
        })
        .collect();
    let mut daemon = start(&programs);
    for _ in 0..8 {
        daemon.wait_for_log_line("gave up: ");
    }
    let log = content(&daemon, "main.log");
    assert!(!log.contains("success: "), "{log}");
    assert_eq!(log.matches("(exit status 0; not expected)").count(), 16, "{log}");
    for n in 0..8 {
        assert_eq!(state_of(&daemon, &format!("p{n}")), "FATAL");
    }
}

#[test]
fn nothing_waits_for_a_tick() {
    let mut daemon = start(
        "[program:a]\ncommand={child} hello forever\nstartsecs=0\nautostart=false\nstdout_logfile=NONE\n",
    );
    let before = monotonic_ns();
    for _ in 0..10 {
        assert!(call(&daemon, "supervisor.startProcess", &["a"]).contains("<boolean>1</boolean>"));
        daemon.wait_for_hello("a");
        assert!(call(&daemon, "supervisor.stopProcess", &["a"]).contains("<boolean>1</boolean>"));
    }
    end_well(daemon);
    let took = (monotonic_ns() - before) / 1_000_000;
    // Supervisor's takes about two seconds for each round.
    assert!(took < 15_000, "ten starts and stops took {took} ms");
}
