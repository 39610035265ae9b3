//! `update` on a daemon that runs: who keeps its child, which options hold at once, and what a brain that dies over it leaves.

use std::fs;

use provost_testkit::{Daemon, HEAD, Lines, Process, Signal};

use crate::common::{call, content, end_well, kill_brain, pid_of, start, state_of};

fn has(daemon: &Daemon, config: &str) {
    daemon.write_config(&format!("{HEAD}{config}"));
}

fn grouped(b: &str) -> String {
    format!(
        "[group:g]\nprograms=a,b\n[program:a]\ncommand={{child}} hello:a forever\n[program:b]\ncommand={{child}} hello:b {b}"
    )
}

#[test]
fn only_what_has_to_be_is_restarted_and_the_next_brain_knows() {
    let mut daemon = start(&grouped("forever"));
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    let (a, b) = (pid_of(&daemon, "g:a"), pid_of(&daemon, "g:b"));
    has(&daemon, &grouped("on:USR1:exit:0 forever"));
    let said = daemon.ctl(&["update"]);
    assert_eq!((said.stdout.as_str(), said.status), ("g: updated process group\n", 0));
    daemon.wait_for_log_line("success: b");
    let changed = pid_of(&daemon, "g:b");
    assert_eq!(pid_of(&daemon, "g:a"), a);
    assert_ne!(changed, b);
    // And what needs no restart at all.
    has(&daemon, &format!("{}\nstopwaitsecs=3\nautorestart=true\n", grouped("on:USR1:exit:0 forever")));
    assert_eq!(daemon.ctl(&["update"]).stdout, "g: updated process group\n");
    kill_brain(&mut daemon);
    assert_eq!((pid_of(&daemon, "g:a"), pid_of(&daemon, "g:b")), (a, changed));
    assert_eq!(daemon.ctl(&["reread"]).stdout, "No config updates to processes\n");
    assert_eq!(daemon.ctl(&["update", "--restart"]).stdout, "");
    end_well(daemon);
}

#[test]
fn logs_are_written_and_rotated_by_the_new_options_without_a_restart() {
    let cat = |options: &str| format!("[program:a]\ncommand=cat\nstdout_logfile={{dir}}/a.log\n{options}");
    let mut daemon = start(&cat("stdout_logfile_maxbytes=0\n"));
    daemon.wait_for_log_line("success: a");
    let pid = pid_of(&daemon, "a");
    let send = |daemon: &Daemon, words: &str| {
        assert!(call(daemon, "supervisor.sendProcessStdin", &["a", words]).contains("<boolean>1</boolean>"));
    };
    send(&daemon, "one\n");
    Lines::follow(&daemon.sandbox().file("a.log")).wait_for("one");
    has(
        &daemon,
        &cat(
            "stdout_logfile_maxbytes=20\nstdout_logfile_backups=1\nstdout_logfile_format=<%(process_name)s> %(message)s\n",
        ),
    );
    let said = daemon.ctl(&["update"]);
    assert_eq!(said.stdout, "a: updated process group\n");
    send(&daemon, "a flood of words\n");
    Lines::follow(&daemon.sandbox().file("a.log.1")).wait_for("<a> a flood of words");
    assert_eq!(content(&daemon, "a.log.1"), "one\n<a> a flood of words\n");
    assert_eq!(pid_of(&daemon, "a"), pid);
    end_well(daemon);
}

#[test]
fn a_shorter_patience_holds_for_the_next_stop() {
    let stubborn = |secs: u32| {
        format!("[program:a]\ncommand={{child}} ignore:TERM hello:a forever\nstopwaitsecs={secs}\n")
    };
    let mut daemon = start(&stubborn(3600));
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let pid = pid_of(&daemon, "a");
    has(&daemon, &stubborn(0));
    daemon.ctl(&["update"]);
    assert_eq!(pid_of(&daemon, "a"), pid);
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    daemon.wait_for_log_line(&format!("killing 'a' ({pid}) with SIGKILL"));
    end_well(daemon);
}

#[test]
fn a_dry_run_tells_what_would_be_done_and_does_nothing() {
    let mut daemon = start(&format!("{}\nautostart=false\n[program:old]\ncommand=cat\n", grouped("forever")));
    daemon.log().wait_for_all(&["success: a", "success: old"]);
    let a = pid_of(&daemon, "g:a");
    let new = grouped("forever\nautostart=false\nenvironment=A=1")
        .replace("hello:a forever", "hello:a forever\nstopsignal=INT");
    has(&daemon, &format!("{new}\n[program:new]\ncommand=cat\n"));
    let expected = "old: would be removed\n  old: would be stopped and removed\ng: would be updated\n  \
                    g:a: would change and run on\n    stopsignal: TERM -> INT (live)\n  g:b: would change\n    \
                    environment.A: (not set) -> 1 (restart)\nnew: would be added\n  new: would be added and started\n";
    let said = daemon.ctl(&["update", "--dry-run"]);
    assert_eq!((said.stdout.as_str(), said.status), (expected, 0));
    let said = daemon.ctl(&["update", "--dry-run", "new"]);
    assert_eq!(said.stdout, "new: would be added\n  new: would be added and started\n");
    // Nobody has read it in earnest.
    assert_eq!(daemon.ctl(&["add", "new"]).stdout, "ERROR: no such process/group: new\n");
    assert_eq!(pid_of(&daemon, "g:a"), a);
    has(&daemon, "[program:x]\n");
    let said = daemon.ctl(&["update", "--dry-run"]);
    assert!(said.stdout.starts_with("ERROR: CANT_REREAD: "), "{said:?}");
    assert_eq!(said.status, 1);
    end_well(daemon);
}

#[test]
fn a_brain_that_dies_over_an_update_leaves_what_was() {
    let old = "[group:g]\nprograms=a,b\n[program:a]\ncommand={child} hello:a forever\n\
               [program:b]\ncommand={child} ignore:TERM hello:b forever\nstopwaitsecs=3600\n";
    let mut daemon = start(old);
    daemon.wait_for_hello("a");
    let b = daemon.wait_for_hello("b").pid;
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    let a = pid_of(&daemon, "g:a");
    has(&daemon, "[group:g]\nprograms=a\n[program:a]\ncommand={child} hello:other forever\n");
    let mut waiting = daemon
        .ctl_command(&provost_testkit::Implementation::ours(), &["update"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    daemon.wait_for_log_line("stopped: a");
    kill_brain(&mut daemon);
    assert!(!waiting.wait().unwrap().success(), "whoever asked is told that the line broke");
    daemon.wait_for_hello("a");
    assert_ne!(pid_of(&daemon, "g:a"), a);
    assert_eq!(state_of(&daemon, "g:b"), "STOPPING");
    Process::new(b).signal(Signal::KILL);
    daemon.wait_for_hello("b");
    // Asked again, it is done.
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    let b = pid_of(&daemon, "g:b");
    let mut waiting = daemon
        .ctl_command(&provost_testkit::Implementation::ours(), &["update"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    daemon.wait_for_log_line("stopped: a");
    Process::new(b).signal(Signal::KILL);
    assert!(waiting.wait().unwrap().success());
    daemon.wait_for_hello("other");
    assert_eq!(daemon.ctl(&["status", "g:b"]).stdout, "g:b: ERROR (no such process)\n");
    assert!(!fs::exists(format!("/proc/{b}/exe")).unwrap_or(false));
    end_well(daemon);
}
