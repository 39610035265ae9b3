//! What the next brain knows: counts, deadlines and statuses are those of the one that died, and what is not to be
//! understood is said and not believed. And how little the keeper needs for all of it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use provost_testkit::{Daemon, HEAD, Implementation, Sandbox, Signal, send_signal, wait_until_gone};

use crate::common::{call, content, kill_brain, pid_of, start, state_of};

#[test]
fn a_stop_has_its_patience_once_and_its_signal_too() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=10\nstdout_logfile={dir}/a.log\n\
         [program:timer]\ncommand={child} hello:ready after:5s hello:late forever\nautostart=false\n",
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let asked = Instant::now();
    call(&daemon, "supervisor.stopProcess", &["a", "<boolean>0</boolean>"]);
    call(&daemon, "supervisor.startProcess", &["timer", "<boolean>0</boolean>"]);
    daemon.wait_for_hello("late");
    kill_brain(&mut daemon);
    assert_eq!(state_of(&daemon, "a"), "STOPPING");
    wait_until_gone(a);
    let took = asked.elapsed();
    // Patience that began again would have lasted for fifteen seconds.
    let allowed = Duration::from_millis(9900)..Duration::from_millis(14_900);
    assert!(allowed.contains(&took), "SIGKILL came after {took:?}");
    daemon.wait_for_log_line("stopped: a (terminated by SIGKILL)");
    assert_eq!(content(&daemon, "a.log"), "asked\n", "the stop signal was sent again");
}

#[test]
fn restarts_are_counted_over_the_death_of_a_brain() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:USR1:exit:1 hello forever\nstartsecs=0\nautorestart=true\nstartlimit=2/600\n",
    );
    for _ in 0..2 {
        let a = daemon.wait_for_hello("a").pid;
        kill_brain(&mut daemon);
        send_signal(a, Signal::USR1);
        daemon.wait_for_log_line("exited: a (exit status 1; not expected)");
    }
    let a = daemon.wait_for_hello("a").pid;
    kill_brain(&mut daemon);
    send_signal(a, Signal::USR1);
    daemon.wait_for_log_line("gave up: a entered FATAL state, restarted too often (startlimit=2/600)");
}

#[test]
fn the_exit_code_of_a_program_in_back_off_is_not_forgotten() {
    let sandbox = Sandbox::new();
    let tool = sandbox.file("tool");
    fs::write(&tool, "#!/bin/sh\nexit 7\n").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let config =
        format!("{HEAD}[program:a]\ncommand={{dir}}/tool\nstartsecs=5\nstartretries=1\nessential=true\n");
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    daemon.wait_for_log_line("exited: a (exit status 7; not expected)");
    // The next attempt fails for another reason, which has no status of its own.
    fs::remove_file(&tool).unwrap();
    kill_brain(&mut daemon);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(7));
}

#[test]
fn a_damaged_slot_and_a_memory_of_the_future_are_refused_aloud_and_programs_go_on() {
    for (at, what) in [
        (1024 + 30, "slot 1 of the memory of processes is damaged: its checksum is wrong"),
        (7, "the memory of processes has version 153, and this build understands 1 to 2"),
    ] {
        let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
        let a = daemon.wait_for_hello("a").pid;
        daemon.wait_for_log_line("success: a");
        // Whoever is answered knows that what came before is written down.
        assert_eq!(state_of(&daemon, "a"), "RUNNING");
        let memory = OpenOptions::new().write(true).open(memory_of(daemon.pid())).unwrap();
        memory.write_all_at(&[0x99], at).unwrap();
        kill_brain(&mut daemon);
        daemon.wait_for_log_line(&format!("cannot go on with all that was: {what}"));
        assert_eq!(pid_of(&daemon, "a"), a);
        assert_eq!(state_of(&daemon, "a"), "RUNNING");
    }
}

/// Where the keeper holds what the next brain is to know.
fn memory_of(keeper: i32) -> PathBuf {
    let held = fs::read_dir(format!("/proc/{keeper}/fd")).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &PathBuf| {
        fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("/memfd:memory"))
    };
    held.into_iter().find(is_it).expect("a brain that is up has a memory")
}

/// In KiB. Pages that it still shares with its brain would be its own when that dies, so all that is no file counts; but not the tables
/// that the loader fills in before a program begins, which in a build for tests are several times what they are in a release.
fn own_memory(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut is_table = false;
    let mut sum = 0;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next().unwrap(), words.next()) {
            (key, Some(value)) if key.ends_with(':') => {
                if !is_table && ["Anonymous:", "Private_Clean:"].contains(&key) {
                    sum += value.parse::<u64>().unwrap();
                }
            }
            (_, access) => is_table = access == Some("r--p") && line.contains('/'),
        }
    }
    sum
}

#[test]
fn the_keeper_of_five_hundred_programs_has_less_than_a_megabyte_for_itself() {
    let mut daemon = start(
        "[program:p]\ncommand=/bin/sleep 1000\nprocess_name=p%(process_num)03d\nnumprocs=500\nstartsecs=0\n\
         stdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    daemon.wait_for_log_line("success: p499");
    let kilobytes = own_memory(daemon.pid());
    assert!(kilobytes < 1024, "{kilobytes} kB");
    kill_brain(&mut daemon);
    assert_eq!(state_of(&daemon, "p:p499"), "RUNNING");
}
