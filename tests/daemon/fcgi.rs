//! fcgi programs: one listening socket for all processes, for as long as one of them lives.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use provost_testkit::{DEADLINE, Daemon, Process, Signal, until};

use crate::common::{end_well, kill_brain, pid_of, start, state_of};

const ANSWER: &str = "command={child} hello accept:60s\nsocket=unix://{dir}/cgi.sock\n";

fn socket(daemon: &Daemon) -> PathBuf {
    daemon.sandbox().file("cgi.sock")
}

/// Connects, and reads the pid of whoever answers.
#[track_caller]
fn ask(daemon: &Daemon) -> i32 {
    let mut connection = UnixStream::connect(socket(daemon)).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    answer(&mut connection)
}

#[track_caller]
fn answer(connection: &mut impl Read) -> i32 {
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    text.trim().parse().unwrap_or_else(|e| panic!("{text:?} is no pid: {e}"))
}

fn times_logged(daemon: &mut Daemon, what: &str) -> usize {
    daemon.log().all().iter().filter(|line| line.contains(what)).count()
}

#[test]
fn two_processes_answer_on_one_socket() {
    let mut daemon = start(&format!(
        "[fcgi-program:f]\n{ANSWER}process_name=f%(process_num)s\nnumprocs=2\nsocket_mode=0640\n"
    ));
    let pids = [daemon.wait_for_hello("f0").pid, daemon.wait_for_hello("f1").pid];
    daemon.log().wait_for_all(&["success: f0", "success: f1"]);
    assert_eq!(fs::metadata(socket(&daemon)).unwrap().permissions().mode() & 0o7777, 0o640);
    // Whichever is stopped, the other one answers.
    for (stopped, other) in [("f:f0", 1), ("f:f1", 0)] {
        daemon.ctl(&["stop", stopped]);
        let name = if other == 0 { "f0" } else { "f1" };
        assert_eq!(ask(&daemon), pid_of(&daemon, &format!("f:{name}")));
        assert!(other == 0 || ask(&daemon) == pids[other]);
        daemon.ctl(&["start", stopped]);
    }
    // One to see whether it works, one for all that followed: while one process is stopped, the other holds it.
    assert_eq!(times_logged(&mut daemon, "Creating socket unix://"), 2);
    end_well(daemon);
}

#[test]
fn the_socket_is_closed_behind_the_last_process_and_opened_again() {
    let mut daemon = start(&format!("[fcgi-program:f]\n{ANSWER}"));
    daemon.wait_for_log_line("success: f");
    daemon.ctl(&["stop", "f"]);
    // Brain and keeper let go of it behind the answer; the kernel offers no event for that.
    until("nobody listens any more", || UnixStream::connect(socket(&daemon)).is_err());
    daemon.ctl(&["start", "f"]);
    assert_eq!(ask(&daemon), pid_of(&daemon, "f"));
    end_well(daemon);
}

#[test]
fn a_member_of_a_group_keeps_its_socket() {
    let mut daemon = start(&format!(
        "[group:g]\nprograms=f,p\n[fcgi-program:f]\n{ANSWER}[program:p]\ncommand={{child}} hello dump-fds forever\nstdout_logfile={{dir}}/p.log\n"
    ));
    daemon.log().wait_for_all(&["success: f", "success: p"]);
    assert_eq!(ask(&daemon), pid_of(&daemon, "g:f"));
    let plain = fs::read_to_string(daemon.sandbox().file("p.log")).unwrap();
    assert!(plain.starts_with("0 pipe:"), "the other members have no socket: {plain}");
    end_well(daemon);
}

#[test]
fn a_tcp_socket_does_as_well() {
    // A number that was free a moment ago.
    let port = provost_testkit::free_port();
    let mut daemon = start(&format!(
        "[fcgi-program:f]\ncommand={{child}} hello accept:60s\nsocket=tcp://localhost:{port}\nsocket_backlog=7\n"
    ));
    daemon.wait_for_log_line("success: f");
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(answer(&mut connection), pid_of(&daemon, "f"));
    end_well(daemon);
}

#[test]
fn an_address_in_use_is_that_programs_spawn_error_and_nobody_elses() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let mut daemon = start(&format!(
        "[fcgi-program:f]\ncommand={{child}} hello accept:60s\nsocket=tcp://127.0.0.1:{port}\nstartretries=0\n\
         [program:p]\ncommand={{child}} hello forever\n"
    ));
    let refusal = format!("Could not create FastCGI socket tcp://127.0.0.1:{port}: ");
    daemon.wait_for_log_line(&format!("CRIT {refusal}"));
    daemon.log().wait_for_all(&[&format!("spawnerr: {refusal}"), "gave up: f", "success: p"]);
    let start = daemon.ctl(&["start", "f"]);
    assert_eq!(start.stdout, "f: ERROR (spawn error)\n");
    drop(other);
    // A child that another test has forked may hold it for a moment.
    until("nobody listens there", || TcpStream::connect(("127.0.0.1", port)).is_err());
    daemon.ctl(&["start", "f"]);
    assert_eq!((state_of(&daemon, "f"), state_of(&daemon, "p")), ("RUNNING".into(), "RUNNING".into()));
    end_well(daemon);
}

#[test]
fn who_connects_while_a_process_is_replaced_waits_and_is_served() {
    let mut daemon = start(&format!("[fcgi-program:f]\n{ANSWER}autorestart=true\n"));
    let first = daemon.wait_for_hello("f").pid;
    daemon.wait_for_log_line("success: f");
    // Answered when the keeper knows what to do at its end.
    assert_eq!(pid_of(&daemon, "f"), first);
    Process::new(first).signal(Signal::KILL);
    let served_by = ask(&daemon);
    let second = daemon.wait_for_hello("f").pid;
    assert_eq!(served_by, second);
    assert_eq!(times_logged(&mut daemon, "Creating socket"), 2, "the socket is the same one");
    end_well(daemon);
}

#[test]
fn the_socket_outlives_the_brain() {
    let mut daemon = start(&format!("[fcgi-program:f]\n{ANSWER}autorestart=true\n"));
    let first = daemon.wait_for_hello("f").pid;
    daemon.wait_for_log_line("success: f");
    kill_brain(&mut daemon);
    assert_eq!(ask(&daemon), first);
    // And it is still known whose it is: closed behind the last one, opened for the next.
    daemon.ctl(&["stop", "f"]);
    daemon.wait_for_log_line("Closing socket");
    daemon.ctl(&["start", "f"]);
    assert_eq!(ask(&daemon), pid_of(&daemon, "f"));
    end_well(daemon);
}
