//! Starting, refusing to start, starting again, and the signals of the foreground.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use provost_testkit::{Daemon, HEAD, Implementation, Sandbox, Signal, send_signal};

use crate::common::{content, end_well, pid_of, run_to_end, start, started_by};

#[test]
fn daemon_mode_returns_when_status_works_and_the_pidfile_is_there() {
    let config = format!("{HEAD}[program:a]\ncommand={{child}} forever\n");
    // The wrapper asks at the very moment the command returns.
    let ours = Implementation::ours();
    let script = "\"$0\" \"$@\" && exec \"$CTL\" -c \"$2\" status > status.out 2>&1; true"
        .replace("\"$CTL\"", &format!("'{}'", ours.supervisorctl[0].to_str().unwrap()));
    let daemon = Daemon::start_daemonized(&started_by(&["sh", "-c", &script]), &config);
    let said = content(&daemon, "status.out");
    assert!(said.starts_with("a  "), "{said}");
    assert_eq!(content(&daemon, "main.pid").trim(), daemon.pid().to_string());
}

#[test]
fn daemon_mode_lets_go_of_the_output_of_whoever_started_it() {
    // Like `ssh host supervisord`, or $(supervisord): the reader waits for the end of the pipe.
    let piped = started_by(&["sh", "-c", "\"$0\" \"$@\" 2>&1 | cat"]);
    let daemon = Daemon::start_daemonized(&piped, HEAD);
    assert_eq!(daemon.ctl(&["pid"]).stdout.trim(), daemon.pid().to_string());
}

#[test]
fn a_second_instance_on_the_same_socket_is_refused_and_harms_nobody() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    for arguments in [&["-n"][..], &[][..]] {
        let second = run_to_end(daemon.sandbox(), "", arguments);
        assert_eq!(second.status.code(), Some(2), "{second:?}");
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(said.contains("Error: Another program is already listening on a port"), "{said}");
    }
    assert_eq!(pid_of(&daemon, "a"), a);
    assert_eq!(content(&daemon, "main.pid").trim(), daemon.pid().to_string());
    end_well(daemon);
}

#[test]
fn of_two_instances_started_at_once_one_is_refused() {
    for round in 0..10 {
        let sandbox = Sandbox::new();
        let dir = sandbox.path().to_str().unwrap().to_owned();
        let conf = sandbox.file("s.conf");
        fs::write(&conf, HEAD.replace("{dir}", &dir)).unwrap();
        let run = || {
            let mut command = Command::new("timeout");
            command.args(["--signal=TERM", "3"]).args(Implementation::ours().supervisord);
            command.arg("-n").arg("-c").arg(&conf).current_dir(&dir);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut both = [run(), run()];
        let codes = both.each_mut().map(|child| child.wait().unwrap().code());
        // 124 is timeout's own: that one ran until it was told to end.
        let mut sorted = codes;
        sorted.sort();
        assert_eq!(sorted, [Some(2), Some(124)], "round {round}: both run on one socket");
    }
}

#[test]
fn a_stale_socket_is_replaced() {
    let sandbox = Sandbox::new();
    drop(UnixListener::bind(sandbox.file("s.sock")).unwrap());
    let daemon = Daemon::start_in(sandbox, &Implementation::ours(), HEAD);
    assert_eq!(daemon.ctl(&["pid"]).status, 0);
}

#[test]
fn a_start_that_cannot_succeed_says_why_and_leaves_nothing_behind() {
    for (config, code, text) in [
        ("[program:a]\n", 2, "Error: "),
        ("logfile=/nonexistent/x.log\n", 2, "/nonexistent"),
        ("logfile={dir}\n", 1, "{dir}"),
        ("[inet_http_server]\nport=256.1.1.1:1\n", 2, "Error: "),
        ("user=no-such-user\n", 2, "no-such-user"),
    ] {
        for arguments in [&["-n"][..], &[][..]] {
            let sandbox = Sandbox::new();
            let ended = run_to_end(&sandbox, config, arguments);
            assert_eq!(ended.status.code(), Some(code), "{config}: {ended:?}");
            let (said, text) = (
                String::from_utf8_lossy(&ended.stderr),
                text.replace("{dir}", sandbox.path().to_str().unwrap()),
            );
            assert!(said.contains(&text), "{config}: {said}");
            assert!(!sandbox.file("s.sock").exists() && !sandbox.file("main.pid").exists(), "{config}");
        }
    }
}

#[test]
fn a_pidfile_that_cannot_be_written_is_no_reason_not_to_start() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("main.pid")).unwrap();
    let daemon = Daemon::start_in(sandbox, &Implementation::ours(), HEAD);
    assert!(content(&daemon, "main.log").contains("CRIT could not write pidfile"));
    end_well(daemon);
}

#[test]
fn the_signals_of_the_foreground_do_what_they_should() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT"), (Signal::QUIT, "SIGQUIT")] {
        let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
        daemon.wait_for_hello("a");
        send_signal(daemon.pid(), Signal::USR1);
        send_signal(daemon.pid(), Signal::USR2);
        daemon.wait_for_log_line("received SIGUSR2 indicating log reopen request");
        daemon.wait_for_log_line("supervisord logreopen");
        send_signal(daemon.pid(), Signal::HUP);
        daemon.wait_for_log_line("received SIGHUP indicating restart request");
        daemon.wait_for_log_line(&format!("supervisord started with pid {}", daemon.pid()));
        daemon.wait_for_hello("a");
        send_signal(daemon.pid(), signal);
        daemon.wait_for_log_line(&format!("received {name} indicating exit request"));
        assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
        assert!(!daemon.socket().exists() && !daemon.sandbox().file("main.pid").exists());
    }
}

#[test]
fn a_reload_of_a_broken_file_is_refused_and_everything_goes_on() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.write_config("[supervisord]\nlogfile=/nonexistent/x\n");
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line("not restarting, the configuration would not start");
    daemon.write_config(HEAD);
    assert_eq!(pid_of(&daemon, "a"), a);
}

#[test]
fn a_reload_whose_socket_cannot_be_made_does_not_end_in_a_daemon_that_ignores_sigterm() {
    let mut daemon = start("");
    let broken = HEAD.replace("{dir}/s.sock\n\n[supervisorctl]", "/proc/s.sock\n\n[supervisorctl]");
    assert_ne!(broken, HEAD);
    daemon.write_config(&broken);
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line("received SIGHUP indicating restart request");
    crate::common::wait_for_proc(daemon.pid(), "stat", |_| !daemon.socket().exists());
    send_signal(daemon.pid(), Signal::TERM);
    let soon = provost_testkit::Deadline::after(provost_testkit::DEADLINE / 2);
    assert!(daemon.process().ended_before(soon), "SIGTERM is never answered");
}

#[test]
fn a_starter_that_ignores_sigchld_does_not_blind_us() {
    let config =
        format!("{HEAD}[program:a]\ncommand={{child}} hello exit:3\nstartsecs=0\nautorestart=false\n");
    let mut daemon = Daemon::start(&started_by(&["env", "--ignore-signal=CHLD"]), &config);
    daemon.wait_for_log_line("exited: a (exit status 3; not expected)");
}

#[test]
fn a_starter_that_blocks_all_signals_does_not_deafen_programs() {
    let config = format!("{HEAD}[program:a]\ncommand={{child}} hello forever\n");
    let mut daemon = Daemon::start(&started_by(&["env", "--block-signal", "--ignore-signal=HUP"]), &config);
    daemon.wait_for_hello("a");
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    daemon.wait_for_log_line("stopped: a (terminated by SIGTERM)");
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line("received SIGHUP");
    daemon.wait_for_hello("a");
}

#[test]
fn a_sigterm_in_the_middle_of_a_reload_is_not_lost() {
    for _ in 0..10 {
        let mut daemon = start("");
        send_signal(daemon.pid(), Signal::HUP);
        daemon.wait_for_log_line("received SIGHUP");
        send_signal(daemon.pid(), Signal::TERM);
        let soon = provost_testkit::Deadline::after(provost_testkit::DEADLINE / 4);
        assert!(daemon.process().ended_before(soon), "SIGTERM was lost:\n{}", content(&daemon, "main.log"));
    }
}

#[test]
fn what_is_hardly_meant_is_said_once_also_when_the_file_is_read_again() {
    let mut daemon = start("[program:a]\ncommand={child} forever\n");
    let typo = format!("{HEAD}[program:a]\ncommand={{child}} forever\nstopwaitsec=5\n");
    daemon.write_config(&typo);
    for _ in 0..2 {
        assert_eq!(daemon.ctl(&["reread"]).stdout, "No config updates to processes\n");
    }
    daemon.wait_for_log_line("[program:a] stopwaitsec: there is no such option here");
    // A command answered after both: whatever was to be said has been said before its line.
    assert_eq!(daemon.ctl(&["shutdown"]).stdout, "Shut down\n");
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    assert_eq!(content(&daemon, "main.log").matches("stopwaitsec").count(), 2, "the key, and the suggestion");
}
