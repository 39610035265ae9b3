//! The keeper itself is killed, as by the OOM killer, and its programs run on: what the next start does about them.
//!
//! In: real kills, and a second supervisord on the same configuration. Out: who runs, who is told, whose output goes where.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use provost_testkit::{
    DEADLINE, Daemon, Deadline, HEAD, Implementation, Process, Sandbox, Signal, send_signal, wait_until_gone,
};

use crate::common::{brain, content, descriptors, end_well, kill_brain, pid_of, run_to_end, start, state_of};

const STAYS: &str = "[program:a]\ncommand={child} on:USR1:say:still-here hello forever\nstdout_logfile={dir}/a.log\nstderr_logfile={dir}/a.err\n";

fn record(daemon: &Daemon) -> PathBuf {
    daemon.sandbox().file("main.pid.children")
}

/// Ends the keeper with SIGKILL and waits until its brain has ended, too, of itself.
#[track_caller]
fn kill_keeper(daemon: &mut Daemon) {
    let (keeper, brain) = (daemon.pid(), Process::new(brain(daemon)));
    send_signal(keeper, Signal::KILL);
    assert!(brain.ended_before(Deadline::after(DEADLINE / 2)), "a brain without a keeper goes on");
    daemon.wait_for_end();
}

/// A daemon with one program, killed; the program's pid.
#[track_caller]
fn killed(config: &str) -> (Daemon, i32) {
    let mut daemon = start(config);
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    kill_keeper(&mut daemon);
    (daemon, a)
}

/// Starts another one in the same place.
#[track_caller]
fn again(daemon: &mut Daemon, arguments: &[&str]) {
    daemon.log().skip_to_now();
    daemon.start_again(arguments);
}

fn said(daemon: &Daemon) -> String {
    content(daemon, "daemon.err")
}

#[test]
fn a_brain_without_a_keeper_ends_and_leaves_the_programs_alone() {
    let (mut daemon, a) = killed(STAYS);
    daemon.wait_for_log_line("CRIT the keeper has gone away; its programs are left running");
    assert!(!Process::new(a).is_gone());
    assert_eq!(fs::metadata(record(&daemon)).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!content(&daemon, "main.log").contains("stopped: a"));
}

#[test]
fn unless_told_otherwise_it_starts_a_second_one_and_says_so() {
    let (mut daemon, a) = killed(STAYS);
    let dead = daemon.pid();
    again(&mut daemon, &[]);
    let line = daemon.wait_for_log_line("CRIT a:a still runs with pid ");
    assert!(line.contains(&format!("with pid {a} since 2")), "{line}");
    assert!(line.contains(&format!("its supervisord (pid {dead}) is dead")), "{line}");
    daemon.wait_for_log_line("--leftovers=adopt");
    let said = said(&daemon);
    assert!(said.contains(&format!("a:a still runs with pid {a}")), "{said}");
    let second = daemon.wait_for_hello("a").pid;
    assert_ne!(second, a);
    daemon.wait_for_log_line("success: a");
    assert_eq!(pid_of(&daemon, "a"), second);

    // The next one finds both, and takes the younger.
    kill_keeper(&mut daemon);
    again(&mut daemon, &["--adopt"]);
    daemon.log().wait_for_all(&[
        &format!("with pid {a} "),
        "a younger one is taken over",
        &format!("adopted: 'a' with pid {second}"),
    ]);
    assert_eq!(pid_of(&daemon, "a"), second);
    end_well_again(&mut daemon);
    wait_until_gone(second);
    // The other one is still remembered.
    assert!(record(&daemon).exists());
    again(&mut daemon, &["--leftovers=stop"]);
    wait_until_gone(a);
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    end_well_again(&mut daemon);
    assert!(!record(&daemon).exists(), "nothing runs any more");
}

#[track_caller]
fn end_well_again(daemon: &mut Daemon) {
    send_signal(daemon.pid(), Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

#[test]
fn an_orderly_end_leaves_no_record() {
    let mut daemon = start(STAYS);
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let record = record(&daemon);
    assert!(record.exists());
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line("supervisord started with pid");
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    assert!(record.exists());
    end_well_again(&mut daemon);
    assert!(!record.exists() && !content(&daemon, "main.log").contains("still runs"));
}

#[test]
fn it_refuses_to_start_beside_them_where_that_is_wanted() {
    let config = HEAD.to_owned() + "leftovers=refuse\n" + STAYS;
    let mut daemon = Daemon::start(&Implementation::ours(), &config);
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    kill_keeper(&mut daemon);
    let before = content(&daemon, "main.log");
    for arguments in [&["-n"][..], &[]] {
        let output = run_to_end(daemon.sandbox(), &format!("leftovers=refuse\n{STAYS}"), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("\n  a:a still runs with pid {a} since 2")), "{said}");
        assert!(said.contains(&format!("'kill {a}'")) && said.contains("--leftovers=adopt"), "{said}");
    }
    assert_eq!(content(&daemon, "main.log"), before, "it has touched the log before it refused");
    assert!(!Process::new(a).is_gone());
    // What it advises is possible, and the command line wins.
    again(&mut daemon, &["--leftovers=adopt"]);
    daemon.wait_for_log_line("adopted: 'a'");
    assert_eq!(pid_of(&daemon, "a"), a);
    end_well(daemon);
    wait_until_gone(a);
}

#[test]
fn what_is_not_configured_any_more_refuses_nothing_and_is_stopped_with_the_others() {
    let (mut daemon, a) = killed(STAYS);
    let other = "[program:b]\ncommand={child} hello forever\n";
    daemon.write_config(&format!("{HEAD}{other}"));
    for choice in ["--leftovers=refuse", "--leftovers=adopt"] {
        again(&mut daemon, &[choice]);
        daemon.wait_for_log_line("CRIT a:a still runs");
        daemon.wait_for_hello("b");
        daemon.wait_for_log_line("success: b");
        assert!(!Process::new(a).is_gone());
        end_well_again(&mut daemon);
    }
    again(&mut daemon, &["--leftovers=stop"]);
    daemon.wait_for_log_line("stopped: leftover a:a");
    wait_until_gone(a);
    end_well(daemon);
}

#[test]
fn they_are_stopped_as_their_programs_are_before_anything_starts() {
    let config = "[program:a]\ncommand={child} ignore:TERM hello forever\nstopwaitsecs=1\n[program:b]\ncommand={child} on:INT:exit:0 hello forever\nstopsignal=INT\nstopwaitsecs=60\n";
    let mut daemon = start(config);
    let pids = [daemon.wait_for_hello("a").pid, daemon.wait_for_hello("b").pid];
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    kill_keeper(&mut daemon);
    again(&mut daemon, &["--leftovers=stop"]);
    daemon.log().wait_for_all(&[
        &format!("stopping leftover a:a (pid {}) with SIGTERM", pids[0]),
        &format!("stopping leftover b:b (pid {}) with SIGINT", pids[1]),
        &format!("stopped: leftover b:b (pid {})", pids[1]),
        &format!("killing leftover a:a (pid {}) with SIGKILL", pids[0]),
        &format!("stopped: leftover a:a (pid {})", pids[0]),
    ]);
    let all = daemon.log().all().to_vec();
    let at = |text: &str| all.iter().rposition(|line| line.contains(text)).unwrap();
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    assert!(
        at("stopped: leftover a:a")
            < daemon.log().all().iter().rposition(|l| l.contains("spawned: 'a'")).unwrap()
    );
    end_well(daemon);
}

#[test]
fn an_adopted_program_is_one_like_any_other() {
    let (mut daemon, a) = killed(
        "[program:a]\ncommand={child} say:begun on:USR1:say:still-here on:TERM:exit:7 hello forever\nstdout_logfile={dir}/a.log\nstderr_logfile={dir}/a.err\nautorestart=unexpected\n",
    );
    let before = daemon.log().all().to_vec();
    let since = before.iter().find(|line| line.contains("spawned: 'a'")).unwrap()[..19].to_owned();
    again(&mut daemon, &["--adopt"]);
    let told = daemon.wait_for_log_line("WARN a:a still runs with pid ");
    // The same second, or the one before: ticks are coarser than stamps.
    let told_since = &told.split(" since ").nth(1).unwrap()[..19];
    let second = |stamp: &str| stamp[17..].parse::<u32>().unwrap();
    assert!((second(&since) + 60 - second(told_since)) % 60 <= 1, "{since}: {told}");
    daemon.wait_for_log_line(&format!("adopted: 'a' with pid {a}"));
    assert_eq!((state_of(&daemon, "a").as_str(), pid_of(&daemon, "a")), ("RUNNING", a));
    let mut log = provost_testkit::Lines::follow(&daemon.sandbox().file("a.log"));
    assert_eq!(log.wait_for("begun"), "begun");
    send_signal(a, Signal::USR1);
    log.wait_for("still-here");

    // It outlives brains like any other, and its output goes on.
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
    send_signal(a, Signal::USR1);
    log.wait_for("still-here");
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
    assert_eq!(content(&daemon, "a.log"), "begun\nstill-here\nstill-here\n");

    // Its end is told with its status, where the kernel tells that, and another one takes its place.
    send_signal(a, Signal::TERM);
    let line = daemon.wait_for_log_line("exited: a (");
    let known = ["(exit status 7; not expected)", "(unknown status; not expected)"];
    assert!(known.iter().any(|status| line.ends_with(status)), "{line}");
    assert!(!tells_the_end() || line.ends_with(known[0]), "{line}");
    let next = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    assert_eq!(pid_of(&daemon, "a"), next);
    log.wait_for("begun");
    // That one is a child again, and is replaced as such.
    kill_keeper(&mut daemon);
    again(&mut daemon, &["--adopt"]);
    daemon.wait_for_log_line(&format!("adopted: 'a' with pid {next}"));
    end_well(daemon);
    wait_until_gone(next);
}

/// Since Linux 6.15 a pidfd tells how a process ended.
fn tells_the_end() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (6, 15)
}

#[test]
fn an_adopted_program_is_stopped_with_escalation_and_started_again() {
    let (mut daemon, a) =
        killed("[program:a]\ncommand={child} ignore:TERM hello forever\nstopwaitsecs=1\nstopasgroup=true\n");
    again(&mut daemon, &["--adopt"]);
    daemon.wait_for_log_line("adopted: 'a'");
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    daemon.wait_for_log_line(&format!("killing 'a' ({a}) with SIGKILL"));
    daemon.wait_for_log_line("stopped: a (terminated by SIGKILL)");
    wait_until_gone(a);
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
    assert_ne!(pid_of(&daemon, "a"), a);
    end_well(daemon);
}

#[test]
fn an_adopted_program_that_ends_while_there_is_no_brain_is_reported() {
    let (mut daemon, a) =
        killed("[program:a]\ncommand={child} on:TERM:exit:7 hello forever\nautorestart=false\n");
    again(&mut daemon, &["--adopt"]);
    daemon.wait_for_log_line("adopted: 'a'");
    assert_eq!(pid_of(&daemon, "a"), a);
    let frozen = crate::common::freeze_brain(&daemon);
    send_signal(a, Signal::TERM);
    wait_until_gone(a);
    frozen.signal(Signal::KILL);
    daemon.wait_for_log_line("exited: a (");
    assert_eq!(state_of(&daemon, "a"), "EXITED");
    end_well(daemon);
}

#[test]
fn in_the_background_they_are_told_and_adopted_too() {
    let mut daemon = Daemon::start_daemonized(&Implementation::ours(), &format!("{HEAD}{STAYS}"));
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    kill_keeper(&mut daemon);
    daemon.log().skip_to_now();
    daemon.start_again_daemonized(&["--adopt"]);
    let said = said(&daemon);
    assert!(said.contains(&format!("a:a still runs with pid {a}")), "{said}");
    daemon.wait_for_log_line("adopted: 'a'");
    assert_eq!(pid_of(&daemon, "a"), a);
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
    send_signal(daemon.pid(), Signal::TERM);
    wait_until_gone(a);
    daemon.process().wait_until_gone();
    assert!(!record(&daemon).exists());
}

#[test]
fn who_has_the_pid_of_a_dead_program_is_left_alone() {
    let (mut daemon, a) = killed(STAYS);
    // The record of a process that had this pid before: everything but the start time is right.
    let path = record(&daemon);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|four| four == a.to_le_bytes()).unwrap() + 4;
    let started = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    bytes[at..at + 8].copy_from_slice(&(started - 1).to_le_bytes());
    fs::write(&path, bytes).unwrap();
    again(&mut daemon, &["--leftovers=stop"]);
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    assert!(!content(&daemon, "main.log").contains("still runs") && !Process::new(a).is_gone());
    end_well(daemon);
}

#[test]
fn a_record_that_makes_no_sense_or_is_not_ours_alone_is_not_believed() {
    let (mut daemon, a) = killed(STAYS);
    let path = record(&daemon);
    let good = fs::read(&path).unwrap();
    let garbage = |path: &Path| fs::write(path, "what is this").unwrap();
    let for_all = |path: &Path| {
        fs::write(path, &good).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
    };
    for (spoil, why) in [(&garbage as &dyn Fn(&Path), "of another version"), (&for_all, "somebody else may")]
    {
        spoil(&path);
        again(&mut daemon, &["--leftovers=stop"]);
        daemon.wait_for_log_line(why);
        daemon.wait_for_hello("a");
        daemon.wait_for_log_line("success: a");
        assert!(!Process::new(a).is_gone());
        end_well_again(&mut daemon);
        assert!(!path.exists());
    }
    // It was not replaced where it could not be believed, so nobody knows the first one any more.
    Process::new(a).signal(Signal::KILL);
}

#[test]
fn without_a_place_for_it_there_is_no_record_and_a_line_says_so() {
    let sandbox = Sandbox::new();
    // What stands in the way cannot be replaced by a file.
    fs::create_dir_all(sandbox.file("main.pid.children").join("full")).unwrap();
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &format!("{HEAD}{STAYS}"));
    daemon.wait_for_log_line("WARN what runs is not written down (cannot write ");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
    end_well(daemon);
    wait_until_gone(a);
}

#[test]
fn the_programs_of_a_living_supervisord_are_nobodys_leftovers() {
    let mut daemon = start(STAYS);
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    // Somebody has removed the pidfile, so nothing keeps a second one from starting.
    fs::remove_file(daemon.sandbox().file("main.pid")).unwrap();
    let config = "[supervisord]\nlogfile={dir}/second.log\npidfile={dir}/main.pid\nleftovers=stop\n[program:a]\ncommand=/bin/sh -c 'kill -TERM $PPID'\n";
    let path = daemon.sandbox().file("second.conf");
    fs::write(&path, config.replace("{dir}", daemon.sandbox().path().to_str().unwrap())).unwrap();
    let status = std::process::Command::new("timeout")
        .args(["--signal=KILL", "60"])
        .args(Implementation::ours().supervisord)
        .arg("-nc")
        .arg(path)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!content(&daemon, "second.log").contains("still runs"));
    assert_eq!(pid_of(&daemon, "a"), a);
    // What the second one has found there it has left there.
    kill_keeper(&mut daemon);
    again(&mut daemon, &["--adopt"]);
    daemon.wait_for_log_line(&format!("adopted: 'a' with pid {a}"));
    end_well(daemon);
}

#[test]
fn a_record_goes_on_with_every_brain_and_costs_no_descriptor_of_a_program() {
    let mut daemon = start(STAYS);
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
    assert!(descriptors(a) <= 5, "{}", descriptors(a));
    // Replaced without the brain's doing, and while there is none.
    let frozen = crate::common::freeze_brain(&daemon);
    send_signal(a, Signal::KILL);
    let next = daemon.wait_for_hello("a").pid;
    frozen.signal(Signal::KILL);
    daemon.wait_for_log_line("has ended unexpectedly");
    daemon.wait_for_log_line("success: a");
    kill_keeper(&mut daemon);
    again(&mut daemon, &["--adopt"]);
    daemon.wait_for_log_line(&format!("adopted: 'a' with pid {next}"));
    end_well(daemon);
}

#[test]
fn who_is_not_root_adopts_its_programs_and_root_those_of_others() {
    for (user, of_program) in [("user=nobody\n", ""), ("", "user=nobody\n")] {
        let sandbox = Sandbox::new();
        fs::set_permissions(sandbox.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let config = format!("{HEAD}{user}{STAYS}{of_program}");
        let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
        let a = daemon.wait_for_hello("a").pid;
        daemon.wait_for_log_line("success: a");
        kill_keeper(&mut daemon);
        again(&mut daemon, &["--adopt"]);
        daemon.wait_for_log_line(&format!("adopted: 'a' with pid {a}"));
        let mut log = provost_testkit::Lines::follow(&daemon.sandbox().file("a.log"));
        send_signal(a, Signal::USR1);
        log.wait_for("still-here");
        assert!(!content(&daemon, "main.log").contains("without its"));
        assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
        daemon.wait_for_log_line("stopped: a (terminated by SIGTERM)");
        end_well(daemon);
    }
}

#[test]
fn the_group_of_an_adopted_program_is_stopped_where_that_is_wanted() {
    let (mut daemon, a) =
        killed("[program:a]\ncommand={child} fork-grandchild hello forever\nstopasgroup=true\n");
    let grandchild = Process::new(daemon.wait_for_hello("grandchild").pid);
    again(&mut daemon, &["--adopt"]);
    daemon.wait_for_log_line("adopted: 'a'");
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    wait_until_gone(a);
    grandchild.wait_until_gone();
    end_well(daemon);
}

#[test]
fn adopted_fcgi_programs_keep_their_socket_and_share_it_with_their_successors() {
    // A number that was free a moment ago.
    let port = provost_testkit::free_port();
    let mut daemon = start(&format!(
        "[fcgi-program:f]\ncommand={{child}} hello accept:60s\nprocess_name=f%(process_num)s\nnumprocs=2\nsocket=tcp://127.0.0.1:{port}\n"
    ));
    let pids = [daemon.wait_for_hello("f0").pid, daemon.wait_for_hello("f1").pid];
    daemon.log().wait_for_all(&["success: f0", "success: f1"]);
    kill_keeper(&mut daemon);
    let ask = || {
        let mut text = String::new();
        let connection = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        std::io::Read::read_to_string(&mut &connection, &mut text).unwrap();
        text.trim().parse::<i32>().unwrap()
    };
    again(&mut daemon, &["--adopt"]);
    daemon.log().wait_for_all(&["adopted: 'f0'", "adopted: 'f1'"]);
    assert!(pids.contains(&ask()));
    // While the other one holds the address, a new socket could not have it.
    send_signal(pids[0], Signal::KILL);
    let next = daemon.wait_for_hello("f0").pid;
    daemon.wait_for_log_line("success: f0");
    assert_eq!(daemon.ctl(&["stop", "f:f1"]).stdout, "f:f1: stopped\n");
    assert_eq!(ask(), next);
    end_well(daemon);
}

#[test]
fn a_restart_of_what_runs_is_not_refused_for_the_sake_of_leftovers() {
    let (mut daemon, a) = killed(STAYS);
    again(&mut daemon, &[]);
    let second = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    daemon.write_config(&format!("{HEAD}leftovers=refuse\n{STAYS}"));
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line(&format!("a:a still runs with pid {a}"));
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    assert!(!Process::new(a).is_gone() && Process::new(second).is_gone());
    end_well(daemon);
}

#[test]
fn an_adopted_program_stays_adopted_when_the_daemon_is_upgraded() {
    let (mut daemon, a) = killed(
        "[program:a]\ncommand={child} on:USR1:say:still-here on:TERM:exit:7 hello forever\nstdout_logfile={dir}/a.log\nautorestart=false\n",
    );
    again(&mut daemon, &["--adopt"]);
    daemon.wait_for_log_line("adopted: 'a'");
    // The same file, which is as good as another: every descriptor has to survive an exec.
    let upgraded = daemon.ctl(&["upgrade"]);
    assert!(upgraded.stdout.starts_with("Upgraded supervisord"), "{upgraded:?}");
    daemon.wait_for_log_line("the keeper goes on as the new program, too");
    assert_eq!(pid_of(&daemon, "a"), a);
    let mut log = provost_testkit::Lines::follow(&daemon.sandbox().file("a.log"));
    send_signal(a, Signal::USR1);
    log.wait_for("still-here");
    // Should this keeper be killed, too, the next one knows as much.
    kill_keeper(&mut daemon);
    again(&mut daemon, &["--adopt"]);
    daemon.wait_for_log_line(&format!("adopted: 'a' with pid {a}"));
    assert!(daemon.ctl(&["upgrade"]).stdout.starts_with("Upgraded supervisord"));
    daemon.wait_for_log_line("the keeper goes on as the new program, too");
    send_signal(a, Signal::TERM);
    let line = daemon.wait_for_log_line("exited: a (");
    assert!(!tells_the_end() || line.ends_with("(exit status 7; not expected)"), "{line}");
    assert_eq!(state_of(&daemon, "a"), "EXITED");
    end_well(daemon);
}
