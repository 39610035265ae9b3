//! Starting, in the foreground and in the background; refusing to start; starting again.
//!
//! In: configurations, good and bad, and what stands in their way. Out: the exit status, the words for the person at
//! the terminal, and that nothing is left behind. The pidfile and signals have files of their own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use provost_testkit::{DEADLINE, Daemon, HEAD, Implementation, Lines, Process, Sandbox, Signal, send_signal};

use crate::common::{content, end_well, pid_of, run_to_end, start, started_by};

#[test]
fn daemon_mode_returns_when_status_works_and_the_pidfile_is_there() {
    let config = format!("{HEAD}[program:a]\ncommand={{child}} forever\n");
    // The wrapper asks at the very moment the command returns.
    let ours = Implementation::ours();
    let script =
        "\"$0\" \"$@\" && cp main.pid pid.then && exec \"$CTL\" -c \"$2\" status > status.out 2>&1; true"
            .replace("\"$CTL\"", &format!("'{}'", ours.supervisorctl[0].to_str().unwrap()));
    for _ in 0..30 {
        let daemon = Daemon::start_daemonized(&started_by(&["sh", "-c", &script]), &config);
        let said = content(&daemon, "status.out");
        assert!(said.starts_with("a  "), "{said}");
        assert_eq!(content(&daemon, "pid.then"), format!("{}\n", daemon.pid()));
    }
}

#[test]
fn in_the_background_it_leads_a_session_and_holds_no_terminal() {
    let daemon = Daemon::start_daemonized(&Implementation::ours(), HEAD);
    for pid in [daemon.pid(), crate::common::brain(&daemon)] {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        assert_eq!(fields[3], daemon.pid().to_string(), "the session of {pid}");
        assert_eq!(fields[4], "0", "the terminal of {pid}");
        for fd in 0..3 {
            let open = fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
            assert_eq!(open.to_str(), Some("/dev/null"), "descriptor {fd} of {pid}");
        }
    }
}

/// What a program of this daemon is born with.
#[track_caller]
fn where_programs_run(daemon: &mut Daemon) -> String {
    daemon.wait_for_log_line("exited: a");
    content(daemon, "a.out")
}

#[test]
fn directory_and_umask_count_in_the_background_only() {
    let config = format!(
        "{HEAD}directory=/usr\numask=037\n[program:a]\ncommand={{child}} cwd umask\nstartsecs=0\nautorestart=false\nstdout_logfile={{dir}}/a.out\n"
    );
    let mut behind = Daemon::start_daemonized(&Implementation::ours(), &config);
    assert!(content(&behind, "main.log").contains("INFO set current directory: '/usr'\n"));
    assert_eq!(where_programs_run(&mut behind), "/usr\nUmask: 0037\n");
    // Whoever is answered knows that the end is dealt with, and is not said again.
    assert_eq!(behind.ctl(&["pid"]).status, 0);
    // The next brain knows it, too.
    crate::common::kill_brain(&mut behind);
    assert_eq!(behind.ctl(&["start", "a"]).stdout, "a: started\n");
    assert_eq!(where_programs_run(&mut behind), "/usr\nUmask: 0037\n".repeat(2));

    let mut front = Daemon::start(&started_by(&["sh", "-c", "umask 021; exec \"$0\" \"$@\""]), &config);
    let here = front.sandbox().path().to_str().unwrap().to_owned();
    assert_eq!(where_programs_run(&mut front), format!("{here}\nUmask: 0021\n"));
    assert!(!content(&front, "main.log").contains("set current directory"));
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
fn of_two_instances_that_want_one_socket_at_once_one_is_refused() {
    for _ in 0..10 {
        let sandbox = Sandbox::new();
        let conf = sandbox.file("s.conf");
        fs::write(&conf, HEAD.replace("{dir}", sandbox.path().to_str().unwrap())).unwrap();
        let (tell, hear) = mpsc::channel();
        let mut pids = Vec::new();
        // Each has a pidfile of its own, so that the socket is all they contend for.
        for pidfile in ["one.pid", "other.pid"] {
            let mut command = Command::new(&Implementation::ours().supervisord[0]);
            command.args(["-nsj", pidfile, "-c"]).arg(&conf).current_dir(sandbox.path());
            let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            pids.push(child.id() as i32);
            let tell = tell.clone();
            thread::spawn(move || tell.send((child.id() as i32, child.wait().unwrap().code())));
        }
        let (loser, code) = hear.recv_timeout(DEADLINE).unwrap();
        let winner = pids.into_iter().find(|pid| *pid != loser).unwrap();
        // It may still be starting; the signal is not lost.
        send_signal(winner, Signal::TERM);
        let (_, end) = hear.recv_timeout(DEADLINE).unwrap();
        assert_eq!((code, end), (Some(2), Some(0)), "the first to end, then the other");
    }
}

#[test]
fn an_inet_address_that_is_taken_is_refused_in_both_modes() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    for arguments in [&["-n"][..], &[][..]] {
        let sandbox = Sandbox::new();
        let config = format!("[inet_http_server]\nport=127.0.0.1:{port}\n");
        let ended = run_to_end(&sandbox, &config, arguments);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.contains("Error: Another program is already listening on a port"), "{said}");
        assert!(!sandbox.file("s.sock").exists() && !sandbox.file("main.pid").exists());
    }
}

#[test]
fn an_address_that_is_not_ours_is_refused_with_its_error() {
    let sandbox = Sandbox::new();
    // Set aside for documentation: nobody has it. (Without a password it would not be asked for.)
    let config = "[inet_http_server]\nport=192.0.2.1:9001\nusername=a\npassword=b\n";
    let ended = run_to_end(&sandbox, config, &[]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let said = String::from_utf8_lossy(&ended.stderr);
    let text = "Error: Cannot open an HTTP server: socket.error reported errno.EADDRNOTAVAIL (99)\n";
    assert!(said.contains(text), "{said}");
    assert!(!sandbox.file("s.sock").exists() && !sandbox.file("main.pid").exists());
}

#[test]
fn a_stale_socket_is_replaced() {
    let sandbox = Sandbox::new();
    drop(UnixListener::bind(sandbox.file("s.sock")).unwrap());
    let daemon = Daemon::start_in(sandbox, &Implementation::ours(), HEAD);
    assert_eq!(daemon.ctl(&["pid"]).status, 0);
    assert!(content(&daemon, "daemon.err").contains("Unlinking stale socket "));
}

#[test]
fn a_socket_of_another_program_is_left_alone() {
    let sandbox = Sandbox::new();
    let theirs = UnixListener::bind(sandbox.file("s.sock")).unwrap();
    let ended = run_to_end(&sandbox, "", &["-n"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(!sandbox.file("main.pid").exists());
    UnixStream::connect(sandbox.file("s.sock")).unwrap();
    theirs.accept().unwrap();
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
fn relative_paths_mean_the_same_after_the_daemon_has_changed_its_directory() {
    let sandbox = Sandbox::new();
    let config = HEAD
        .replace("logfile={dir}/main.log", "logfile=main.log")
        .replace("pidfile={dir}/main.pid", "pidfile=main.pid");
    let config = format!("{config}directory=/\n").replace("{dir}", sandbox.path().to_str().unwrap());
    fs::write(sandbox.file("s.conf"), &config).unwrap();
    let mut log = Lines::follow(&sandbox.file("main.log"));
    let starter = Command::new("timeout")
        .args(["--signal=KILL", "20"])
        .args(Implementation::ours().supervisord)
        .args(["-c", "s.conf"])
        .current_dir(sandbox.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(starter.status.code(), Some(0), "{starter:?}");
    let pid = log.wait_for("supervisord started with pid ").rsplit(' ').next().unwrap().parse().unwrap();
    let daemon = Process::new(pid);
    let ctl = |words: &[&str]| {
        let mut command = Command::new(&Implementation::ours().supervisorctl[0]);
        let said = command.args(["-c", "s.conf"]).args(words).current_dir(sandbox.path()).output().unwrap();
        String::from_utf8(said.stdout).unwrap()
    };
    let reread = ctl(&["reread"]);
    fs::write(sandbox.file("s.conf"), format!("{config}[program:a]\ncommand=sleep 1000\n")).unwrap();
    let added = ctl(&["update"]);
    daemon.signal(Signal::HUP);
    log.wait_for("received SIGHUP");
    log.wait_for("supervisord started with pid ");
    let written = fs::read_to_string(sandbox.file("main.pid")).unwrap();
    daemon.signal(Signal::TERM);
    daemon.wait_until_gone();
    assert_eq!(
        (reread.as_str(), added.as_str()),
        ("No config updates to processes\n", "a: added process group\n")
    );
    assert_eq!(written, format!("{pid}\n"));
    assert!(!sandbox.file("main.pid").exists());
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
    let soon = provost_testkit::Deadline::after(DEADLINE / 2);
    assert!(daemon.process().ended_before(soon), "SIGTERM is never answered");
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
