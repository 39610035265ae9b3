//! What is sent to the standard input of programs: at once, in order, and over the deaths of brains.

use std::fs;
use std::io::Write;
use std::process::Command;

use provost_testkit::{Daemon, Lines};

use crate::common::{brain, call, content, descriptors, end_well, kill_brain, start, wait_for_proc};

const MEGABYTE: usize = 1 << 20;

/// Repeats what it is told as soon as somebody opens the FIFO `go`.
const SLOW: &str = "[program:slow]\ncommand=sh -c 'read x < {dir}/go; exec cat'\nstartsecs=0\nredirect_stderr=true\nstdout_logfile={dir}/slow.log\nstdout_logfile_maxbytes=0\n";

fn send(daemon: &Daemon, name: &str, chars: &str) -> String {
    call(daemon, "supervisor.sendProcessStdin", &[name, &format!("<string>{chars}</string>")])
}

fn is_true(answer: &str) -> bool {
    answer.contains("<boolean>1</boolean>")
}

#[track_caller]
fn with_slow() -> Daemon {
    let daemon = start(&SLOW.replace("read x", "mkfifo {dir}/go; echo ready; read x"));
    Lines::follow(&daemon.sandbox().file("slow.log")).wait_for("ready");
    daemon
}

/// So many bytes that know their place.
fn numbered(from: usize, bytes: usize) -> String {
    (from..).map(|n| format!("{n:07}\n")).take(bytes / 8).collect()
}

#[track_caller]
fn let_go(daemon: &Daemon) {
    fs::OpenOptions::new().write(true).open(daemon.sandbox().file("go")).unwrap().write_all(b"\n").unwrap();
}

/// Waits until the program has repeated all that it was told.
#[track_caller]
fn expect(daemon: &Daemon, told: &str) {
    let last = told.lines().last().unwrap();
    Lines::follow(&daemon.sandbox().file("slow.log")).wait_for(last);
    let log = content(daemon, "slow.log");
    assert!(log.strip_prefix("ready\n") == Some(told), "{} bytes instead of {}", log.len(), told.len() + 6);
}

#[test]
fn a_program_hears_what_it_is_told() {
    let mut daemon = start("[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\n");
    daemon.wait_for_log_line("success: cat entered RUNNING state");
    let mut log = Lines::follow(&daemon.sandbox().file("cat.log"));
    let mind = brain(&daemon);
    for text in ["hello", "h\u{e9}llo \u{1f600}", "a &amp; b"] {
        assert!(is_true(&send(&daemon, "cat", &format!("{text}\n"))));
        log.wait_for(&text.replace("&amp;", "&"));
    }
    assert!(is_true(&send(&daemon, "cat:cat", "")));
    // Nothing of it is kept for the next time.
    let holds_no_pipe_of_cat = |_: &str| descriptors_to(mind, &stdin_of(&daemon, "cat")) == 0;
    wait_for_proc(mind, "stat", holds_no_pipe_of_cat);
    end_well(daemon);
}

fn stdin_of(daemon: &Daemon, name: &str) -> String {
    let pid = crate::common::pid_of(daemon, name);
    fs::read_link(format!("/proc/{pid}/fd/0")).unwrap().to_string_lossy().into_owned()
}

fn descriptors_to(pid: i32, target: &str) -> usize {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    all.filter(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.to_string_lossy() == target)).count()
}

#[test]
fn a_program_that_does_not_read_is_not_waited_for_and_gets_all_in_the_end() {
    let daemon = with_slow();
    let told = numbered(0, 2 * MEGABYTE);
    assert!(is_true(&send(&daemon, "slow", &told[..MEGABYTE])));
    assert!(is_true(&send(&daemon, "slow", &told[MEGABYTE..])), "the second time, too");
    let refused = send(&daemon, "slow", "more\n");
    let why = "FAILED: 2097152 bytes wait for the program to read them, and there is no room for 5 more";
    assert!(refused.contains(why), "{refused}");
    let_go(&daemon);
    expect(&daemon, &told);
    assert!(is_true(&send(&daemon, "slow", "at last\n")));
    Lines::follow(&daemon.sandbox().file("slow.log")).wait_for("at last");
    end_well(daemon);
}

#[test]
fn what_waits_outlives_brains_and_is_written_once() {
    let mut daemon = with_slow();
    let told = numbered(0, 2 * MEGABYTE - 80);
    let (first, second) = told.split_at(MEGABYTE + 8000);
    assert!(is_true(&send(&daemon, "slow", first)));
    kill_brain(&mut daemon);
    // Behind what is there already.
    assert!(is_true(&send(&daemon, "slow", &second[..8000])));
    kill_brain(&mut daemon);
    let_go(&daemon);
    kill_brain(&mut daemon);
    assert!(is_true(&send(&daemon, "slow", &second[8000..])));
    expect(&daemon, &told);
    end_well(daemon);
}

#[test]
fn many_words_for_a_program_that_never_reads_are_refused_some_day_and_hurt_nobody() {
    let daemon = with_slow();
    let (mind, before) = (brain(&daemon), descriptors(brain(&daemon)));
    let mut taken = String::new();
    let line = "x".repeat(2_999) + "\n";
    let refused = loop {
        match send(&daemon, "slow", &line) {
            answer if is_true(&answer) => taken.push_str(&line),
            answer => break answer,
        }
        assert!(taken.len() < 8 * MEGABYTE, "there is no end of it");
    };
    assert!(refused.contains("FAILED: "), "{refused}");
    assert!(taken.len() >= MEGABYTE, "only {} bytes were taken", taken.len());
    taken.push_str("end\n");
    let_go(&daemon);
    // What was refused is not there in part.
    wait_for_proc(mind, "stat", |_| is_true(&send(&daemon, "slow", "end\n")));
    expect(&daemon, &taken);
    wait_for_proc(mind, "stat", |_| descriptors(mind) <= before);
    end_well(daemon);
}

#[test]
fn a_closed_standard_input_is_no_file_and_hurts_nobody() {
    let config = "[program:deaf]\ncommand=sh -c 'exec 0<&-; echo closed; exec sleep 3600'\nstartsecs=0\nstdout_logfile={dir}/deaf.log\n\
                  [program:later]\ncommand=sh -c 'mkfifo {dir}/go; echo ready; read x < {dir}/go; exec 0<&-; echo closed; exec sleep 3600'\nstartsecs=0\nstdout_logfile={dir}/later.log\n";
    let daemon = start(config);
    let mind = brain(&daemon);
    Lines::follow(&daemon.sandbox().file("deaf.log")).wait_for("closed");
    for _ in 0..2 {
        assert!(send(&daemon, "deaf:deaf", "hello\n").contains("NO_FILE: deaf:deaf<"));
    }
    let mut later = Lines::follow(&daemon.sandbox().file("later.log"));
    later.wait_for("ready");
    // More than its pipe takes: the rest is on its way when it closes.
    assert!(is_true(&send(&daemon, "later", &numbered(0, MEGABYTE + 8))));
    let_go(&daemon);
    later.wait_for("closed");
    assert!(send(&daemon, "later", "hello\n").contains("NO_FILE: later<"));
    assert_eq!(brain(&daemon), mind);
    end_well(daemon);
}

#[test]
fn who_does_not_run_is_told_nothing() {
    let config = "[program:off]\ncommand=cat\nautostart=false\n[program:cat]\ncommand=cat\nstartsecs=0\n";
    let daemon = start(config);
    assert!(send(&daemon, "off", "x").contains("NOT_RUNNING: off<"));
    for name in ["nobody", "cat:*", "cat:"] {
        assert!(send(&daemon, name, "x").contains(&format!("BAD_NAME: {name}<")));
    }
    let five = call(&daemon, "supervisor.sendProcessStdin", &["cat", "<int>5</int>"]);
    assert!(five.contains("INCORRECT_PARAMETERS: 5<"), "{five}");
    end_well(daemon);
}

#[test]
fn supervisorctl_fg_takes_input_again() {
    let mut daemon = start("[program:cat]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/cat.log\n");
    daemon.wait_for_log_line("success: cat");
    let config = daemon.sandbox().file("supervisord.conf");
    let ours = provost_testkit::Implementation::ours();
    let mut fg = Command::new(&ours.supervisorctl[0])
        .args(&ours.supervisorctl[1..])
        .arg("-c")
        .arg(config)
        .args(["fg", "cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    fg.stdin.as_mut().unwrap().write_all(b"from fg\n").unwrap();
    Lines::follow(&daemon.sandbox().file("cat.log")).wait_for("from fg");
    drop(fg.stdin.take());
    fg.kill().unwrap();
    fg.wait().unwrap();
    end_well(daemon);
}
