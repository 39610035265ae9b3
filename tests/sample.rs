//! What `echo_supervisord_conf` prints starts both daemons.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::process::Command;

use provost_testkit::{Daemon, Implementation, Sandbox};

/// The sample, with its files in the sandbox instead of /tmp, so that tests do not meet.
fn sample(sandbox: &Sandbox) -> String {
    // It answers everything in the same way, as ever.
    let output = Command::new(env!("CARGO_BIN_EXE_echo_supervisord_conf")).arg("-h").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("=/tmp/supervisor.sock"), "{text}");
    text.replace("/tmp/supervisord.log", "/tmp/main.log")
        .replace("/tmp/", &format!("{}/", sandbox.path().display()))
}

fn starts(implementation: &Implementation) {
    let sandbox = Sandbox::new();
    let text = sample(&sandbox);
    let daemon = Daemon::start_in(sandbox, implementation, &text);
    let status = daemon.ctl(&["status"]);
    assert_eq!((status.stdout.as_str(), status.status), ("", 0));
}

#[test]
fn the_sample_starts_our_daemon() {
    starts(&Implementation::ours());
}

#[test]
fn the_sample_starts_supervisor_4_3() {
    starts(&Implementation::supervisor_4_3());
}
