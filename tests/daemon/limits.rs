//! Descriptors and processes: raised where there are too few, refused where that is not allowed (SPEC 1.8 step 5).
//!
//! In: limits that prlimit(1) sets before the start. Out: limits in /proc, lines in the log, words on the terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use provost_testkit::{Daemon, HEAD, Implementation, Lines, Sandbox};

use crate::common::{brain, content, end_well, started_by};

/// Soft and hard limit of a process.
fn limit(pid: i32, name: &str) -> (String, String) {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let mut words = line[name.len()..].split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn too_few_are_raised_for_the_daemon_and_every_program() {
    let config = format!(
        "{HEAD}minfds=500\nminprocs=700\n[program:a]\ncommand=sh -c \"ulimit -n; ulimit -Hn; exec {{child}} hello forever\"\nstdout_logfile={{dir}}/a.out\n"
    );
    let mut daemon = Daemon::start(&started_by(&["prlimit", "--nofile=100:4096", "--nproc=300:"]), &config);
    daemon.wait_for_hello("a");
    let log = content(&daemon, "main.log");
    assert!(log.contains("INFO Increased RLIMIT_NOFILE limit to 500\n"), "{log}");
    assert!(log.contains("INFO Increased RLIMIT_NPROC limit to 700\n"), "{log}");
    // The daemon itself holds several for each program, and takes what it may have.
    assert_eq!(limit(daemon.pid(), "Max open files"), ("4096".to_owned(), "4096".to_owned()));
    assert_eq!(limit(daemon.pid(), "Max processes").0, "700");
    let mut out = Lines::follow(&daemon.sandbox().file("a.out"));
    assert_eq!((out.wait_for(""), out.wait_for("")), ("500".to_owned(), "4096".to_owned()));
}

#[test]
fn enough_is_left_as_it_is() {
    let config = format!("{HEAD}minfds=50\n[program:a]\ncommand={{child}} hello forever\n");
    let mut daemon = Daemon::start(&started_by(&["prlimit", "--nofile=300:400"]), &config);
    let program = daemon.wait_for_hello("a").pid;
    assert_eq!(limit(program, "Max open files"), ("300".to_owned(), "400".to_owned()));
    assert!(!content(&daemon, "main.log").contains("Increased RLIMIT_NOFILE"));
}

/// Ours on a configuration, started through other programs, to its end.
fn refused(words: &[&str], config: &str) -> (Sandbox, Output) {
    let sandbox = Sandbox::new();
    let path = sandbox.file("c.conf");
    let text = format!("{HEAD}{config}").replace("{dir}", sandbox.path().to_str().unwrap());
    fs::write(&path, text).unwrap();
    // The program may be started as somebody else.
    fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "20"]).args(words).args(Implementation::ours().supervisord);
    command.arg("-c").arg(path).current_dir(sandbox.path()).stdin(Stdio::null());
    let output = command.output().unwrap();
    (sandbox, output)
}

#[test]
fn more_than_may_be_had_is_refused_with_the_real_limit() {
    let as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    for (limit, config, what, setting) in [
        ("--nofile=300:400", "minfds=500\n", "file descriptors", "minfds"),
        ("--nproc=300:400", "minfds=9\nminprocs=500\n", "processes", "minprocs"),
    ] {
        let words = [&["prlimit", limit][..], &as_nobody].concat();
        let (sandbox, ended) = refused(&words, config);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.contains("Error: The minimum number of "), "{said}");
        assert!(said.contains(&format!("is 500 as per the \"{setting}\" command-line argument")), "{said}");
        let allowed =
            format!("The current environment will only allow you to open 400 {what}.  Either raise");
        assert!(said.contains(&allowed), "{said}");
        for left in ["main.log", "main.pid", "s.sock"] {
            assert!(!sandbox.file(left).exists(), "{left} is left behind");
        }
    }
}

#[test]
fn more_than_the_kernel_can_give_is_refused_to_root_too() {
    let (_, ended) = refused(&["prlimit", "--nofile=300:400"], "minfds=2000000000\n");
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("is 2000000000 as per") && said.contains("allow you to open 400 file"), "{said}");
}

#[test]
fn a_limit_on_the_size_of_files_costs_output_or_time_and_never_the_brain() {
    let config = format!(
        "{HEAD}[program:a]\ncommand=sh -c \"{{child}} print:20000; exec {{child}} hello forever\"\nstdout_logfile={{dir}}/a.out\nstdout_logfile_maxbytes=0\nlog_overflow=drop\n\
         [program:b]\ncommand={{child}} print:8000\nautorestart=false\nstartsecs=0\nstdout_logfile={{dir}}/b.out\nstdout_logfile_maxbytes=0\n"
    );
    // The limit of prlimit(1) is for the daemon; a program that is to write more raises its own.
    let mut daemon = Daemon::start(&started_by(&["prlimit", "--fsize=50000"]), &config);
    let mind = brain(&daemon);
    daemon.wait_for_hello("a");
    daemon.log().wait_for_all(&[
        "success: a",
        "a.out: File too large (os error 27); output is being lost",
        "b.out: File too large (os error 27); its output waits (log_overflow=block)",
    ]);
    assert_eq!(brain(&daemon), mind, "the brain died of SIGXFSZ:\n{}", content(&daemon, "main.log"));
    assert_eq!((content(&daemon, "a.out").len(), content(&daemon, "b.out").len()), (50_000, 50_000));
    // What waits is written as soon as there is room.
    daemon.ctl(&["clear", "b"]);
    daemon.wait_for_log_line("b.out can be written again");
    assert_eq!(content(&daemon, "b.out").len(), 78_893 - 50_000);
    end_well(daemon);
}
