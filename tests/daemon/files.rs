//! Which files logs are: what whoever started us has open, pipes that nobody reads yet, and what others have planted.
//!
//! In: names of every kind. Out: what was written where, and what the main log says of names that root must not follow.
//! They need root, as becoming and tempting others does.

use std::fs;
use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::fs::{chown, lchown, symlink};

use provost_testkit::{DEADLINE, Daemon, HEAD, Implementation, Sandbox, Signal, send_signal};

use crate::common::{content, end_well, started_by, state_of};

const NOBODY: u32 = 65534;
const ONCE: &str = "startsecs=0\nautorestart=false\n";

#[test]
fn a_standard_output_that_only_root_may_open_is_still_there_for_whom_root_has_become() {
    let sandbox = Sandbox::new();
    chown(sandbox.path(), Some(NOBODY), None).unwrap();
    // Silent: two writers without O_APPEND would write over one another.
    let config = format!(
        "{HEAD}user=nobody\nsilent=true\n[program:a]\ncommand={{child}} say:out hello exit:0\n{ONCE}stdout_logfile=/dev/stdout\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert!(content(&daemon, "daemon.out").contains("out\n"));
}

#[test]
fn a_standard_output_that_is_a_socket_is_a_log() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(DEADLINE)).unwrap();
    let port = collector.local_addr().unwrap().port();
    let script = format!("exec \"$0\" \"$@\" 1>/dev/udp/127.0.0.1/{port}");
    for name in ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"] {
        let config = format!(
            "{HEAD}silent=true\n[program:a]\ncommand={{child}} say:out hello exit:0\n{ONCE}stdout_logfile={name}\n"
        );
        let mut daemon = Daemon::start(&started_by(&["bash", "-c", &script]), &config);
        daemon.wait_for_log_line("exited: a (exit status 0; expected)");
        let mut words = [0; 100];
        let n = collector.recv(&mut words).unwrap();
        assert_eq!(&words[..n], b"out\n", "{name}");
    }
}

#[test]
fn a_program_starts_before_anybody_reads_its_fifo_and_what_it_says_is_kept() {
    let sandbox = Sandbox::new();
    nix::unistd::mkfifo(&sandbox.file("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} say:early hello forever\nstdout_logfile={{dir}}/fifo\n\
         [program:b]\ncommand={{child}} hello forever\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    let mut reader = fs::File::open(daemon.sandbox().file("fifo")).unwrap();
    let mut text = [0; 6];
    reader.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"early\n");
    end_well(daemon);
}

#[test]
fn a_link_that_a_user_has_planted_is_neither_written_nor_read() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("app")).unwrap();
    chown(sandbox.file("app"), Some(NOBODY), None).unwrap();
    fs::write(sandbox.file("secret"), "secret").unwrap();
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} say:out hello forever\nstartsecs=0\nstartretries=0\nautostart=false\nstdout_logfile={{dir}}/app/log\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    let log = daemon.sandbox().file("app/log");
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    assert_eq!(daemon.ctl(&["tail", "a"]).stdout, "out\n\n");
    fs::remove_file(&log).unwrap();
    symlink("../secret", &log).unwrap();
    lchown(&log, Some(NOBODY), None).unwrap();
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: ERROR (spawn error)\n");
    daemon.wait_for_log_line("a link that user 65534 may have placed");
    daemon.wait_for_log_line("spawnerr: unknown error making dispatchers for 'a': EACCES");
    assert_eq!(state_of(&daemon, "a"), "FATAL");
    assert!(!daemon.ctl(&["tail", "a"]).stdout.contains("secret"));
    let answer = crate::common::call(
        &daemon,
        "supervisor.readProcessStdoutLog",
        &["<string>a</string>", "<int>0</int>", "<int>0</int>"],
    );
    assert!(answer.contains("FAILED: a link that user 65534"), "{answer}");
    daemon.ctl(&["clear", "a"]);
    assert_eq!(content(&daemon, "secret"), "secret");
    end_well(daemon);
}

#[test]
fn a_rotation_that_finds_no_room_for_a_new_file_changes_nothing_until_there_is() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("small")).unwrap();
    // Room for the directory, the log, and what is in the way.
    let small = sandbox.file("small").display().to_string();
    let mount = format!("mount -t tmpfs -o nr_inodes=3 none {small} && : >{small}/other");
    let ours = started_by(&["unshare", "--mount", "sh", "-c", &format!("{mount} && exec \"$0\" \"$@\"")]);
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} print:2000 on:USR1:exit:0 hello:1 forever\nstartsecs=0\nautorestart=false\n\
         stdout_logfile={{dir}}/small/log\nstdout_logfile_maxbytes=2000\nstdout_logfile_backups=5\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &ours, &config);
    let a = daemon.wait_for_hello("1").pid;
    daemon.wait_for_log_line("CRIT cannot rotate");
    send_signal(a, Signal::USR1);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let small = format!("/proc/{}/root{}/small", daemon.pid(), daemon.sandbox().path().display());
    let read = |name: &str| fs::read_to_string(format!("{small}/{name}")).unwrap();
    let text = read("log");
    assert!(text.lines().zip(1..).all(|(line, n)| line == format!("line {n}")), "{text:.200}");
    assert_eq!((text.lines().count(), fs::read_dir(&small).unwrap().count()), (2000, 2));
    let log = content(&daemon, "main.log");
    assert!(!log.contains("can be written again"), "it could be written all the time: {log}");
    fs::remove_file(format!("{small}/other")).unwrap();
    assert_eq!(daemon.ctl(&["rotate", "a"]).stdout, "a: rotated\n");
    assert!(read("log.1") == text && read("log").is_empty());
    end_well(daemon);
}
