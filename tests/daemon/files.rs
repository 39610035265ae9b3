//! Which files logs are: what whoever started us has open, pipes that nobody reads yet, and what others have planted.
//!
//! In: names of every kind. Out: what was written where, and what the main log says of names that root must not follow.
//! They need root, as becoming and tempting others does.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::fs::{chown, lchown, symlink};
use std::process::Command;

use provost_testkit::{DEADLINE, Daemon, Deadline, HEAD, Implementation, Sandbox, Signal, send_signal};

use crate::common::{content, end_well, kill_brain, start, started_by, state_of};

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
    daemon.wait_for_hello("a");
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

/// A log's backups, oldest first, once all are compressed; then what they and the log hold together.
#[track_caller]
fn text_of_compressed(daemon: &Daemon, name: &str) -> String {
    let file = |n: usize, ending: &str| daemon.sandbox().file(&format!("{name}.{n}{ending}"));
    let backups = (1..).take_while(|n| file(*n, "").exists() || file(*n, ".gz").exists()).count();
    let end = Deadline::after(DEADLINE);
    while (1..=backups).any(|n| file(n, "").exists()) {
        assert!(end.remaining().is_some(), "some of {backups} backups are not compressed");
        std::thread::yield_now();
    }
    let files = (1..=backups).rev().map(|n| file(n, ".gz"));
    let unpacked = Command::new("gzip").arg("-dc").args(files).output().unwrap();
    assert!(unpacked.status.success(), "{unpacked:?}");
    String::from_utf8(unpacked.stdout).unwrap() + &content(daemon, name)
}

#[test]
fn compressed_backups_hold_every_byte_whenever_the_brain_dies() {
    let config = format!(
        "[program:a]\ncommand={{child}} print:400000 exit:0\n{ONCE}stdout_logfile={{dir}}/a.out\n\
         stdout_logfile_maxbytes=40KB\nstdout_logfile_backups=1000\nstdout_logfile_compress=gzip\n"
    );
    let mut daemon = start(&config);
    for n in [2, 5, 9] {
        // A backup of that number is there: so much has been written.
        let names = ["", ".gz"].map(|ending| daemon.sandbox().file(&format!("a.out.{n}{ending}")));
        let end = Deadline::after(DEADLINE);
        while !names.iter().any(|name| name.exists()) && !content(&daemon, "main.log").contains("exited: a") {
            assert!(end.remaining().is_some(), "nothing is rotated");
            std::thread::yield_now();
        }
        kill_brain(&mut daemon);
    }
    // It may be in the log before the last death is.
    let end = Deadline::after(DEADLINE);
    while !content(&daemon, "main.log").contains("exited: a (exit status 0; expected)") {
        assert!(end.remaining().is_some(), "it does not end");
        std::thread::yield_now();
    }
    // Whoever died may have left something to do until the next rotation.
    assert_eq!(daemon.ctl(&["rotate", "a"]).stdout, "a: rotated\n");
    let text = text_of_compressed(&daemon, "a.out");
    assert!(text.lines().zip(1..).all(|(line, n)| line == format!("line {n}")));
    assert_eq!(text.lines().count(), 400_000);
    let names = fs::read_dir(daemon.sandbox().path()).unwrap().flatten().map(|entry| entry.file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().contains("compressing")));
    end_well(daemon);
}

#[test]
fn a_disk_too_full_to_compress_keeps_the_backup_as_it_is() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("small")).unwrap();
    // Room for the log and for one more page.
    let mount = format!("mount -t tmpfs -o size=132k none {}", sandbox.file("small").display());
    let ours = started_by(&["unshare", "--mount", "sh", "-c", &format!("{mount} && exec \"$0\" \"$@\"")]);
    let config = format!(
        "{HEAD}[program:a]\ncommand=sh -c \"head -c 120000 /dev/urandom\"\n{ONCE}\
         stdout_logfile={{dir}}/small/log\nstdout_logfile_maxbytes=120000\nstdout_logfile_compress=zstd\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &ours, &config);
    let small = format!("/proc/{}/root{}/small", daemon.pid(), daemon.sandbox().path().display());
    daemon
        .log()
        .wait_for_all(&["CRIT cannot compress the backups of", "exited: a (exit status 0; expected)"]);
    let names = fs::read_dir(&small).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    assert_eq!(names.collect::<BTreeSet<_>>(), ["log", "log.1"].map(str::to_owned).into());
    assert_eq!(fs::metadata(format!("{small}/log.1")).unwrap().len(), 120_000);
    end_well(daemon);
}
