//! Log files on somebody's wish: rotated, opened anew, cleared; those of processes that run or not, and the main log.

use std::fs;

use provost_testkit::{Lines, Signal, send_signal, until};

use crate::common::{call, content, end_well, start};

const SPEAKER: &str =
    "command={child} say:before esay:trouble hello on:USR1:say:after forever\nstartsecs=0\n";

#[test]
fn all_logs_are_rotated_whatever_their_size_and_nothing_is_lost() {
    let mut daemon = start(&format!(
        "[program:a]\n{SPEAKER}stdout_logfile={{dir}}/a.out\nstdout_logfile_maxbytes=0\nstderr_logfile=/dev/null\n\
         [program:b]\ncommand={{child}} say:once\nstartsecs=0\nautorestart=false\nstdout_logfile={{dir}}/b.out\nstderr_logfile=NONE\n\
         [program:empty]\n{SPEAKER}autostart=false\nstdout_logfile={{dir}}/empty.out\n"
    ));
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("exited: b (exit status 0; expected)");
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("before");

    let said = daemon.ctl(&["rotate"]);
    assert_eq!(said.stdout, "a: rotated\nb: rotated\nempty: rotated\nsupervisord: rotated\n");
    assert_eq!(said.status, 0);
    send_signal(a, Signal::USR1);
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("after");
    assert_eq!(
        (content(&daemon, "a.out.1"), content(&daemon, "a.out")),
        ("before\n".into(), "after\n".into())
    );
    assert_eq!((content(&daemon, "b.out.1"), content(&daemon, "b.out")), ("once\n".into(), String::new()));
    assert!(content(&daemon, "main.log.1").contains("exited: b"));
    assert!(!content(&daemon, "main.log").contains("exited: b"));
    for none in ["empty.out", "empty.out.1"] {
        assert!(!daemon.sandbox().file(none).exists(), "{none}");
    }

    // What is empty stays, and backups are not pushed out by nothing.
    assert_eq!(daemon.ctl(&["rotate", "b"]).stdout, "b: rotated\n");
    assert_eq!(content(&daemon, "b.out.1"), "once\n");
    assert!(!daemon.sandbox().file("b.out.2").exists());
    let said = daemon.ctl(&["rotate", "nobody"]);
    assert_eq!((said.stdout.as_str(), said.status), ("nobody: ERROR (no such process)\n", 1));
}

#[test]
fn a_rotation_that_fails_says_why_and_the_program_writes_on() {
    let mut daemon = start(&format!(
        "[program:a]\n{SPEAKER}stdout_logfile={{dir}}/a.out\nstdout_logfile_backups=1\nstderr_logfile=NONE\n"
    ));
    let a = daemon.wait_for_hello("a").pid;
    let log = daemon.sandbox().file("a.out");
    Lines::follow(&log).wait_for("before");
    fs::create_dir_all(daemon.sandbox().file("a.out.1/in the way")).unwrap();
    let said = daemon.ctl(&["rotate", "a"]);
    assert!(said.stdout.starts_with(&format!("a: ERROR (cannot rotate {}: ", log.display())), "{said:?}");
    assert_eq!(said.status, 1);
    send_signal(a, Signal::USR1);
    Lines::follow(&log).wait_for("after");
    assert_eq!(content(&daemon, "a.out"), "before\nafter\n");
    end_well(daemon);
}

#[test]
fn logs_that_were_moved_away_are_opened_anew_one_by_one_or_all() {
    let mut daemon = start(&format!(
        "[program:a]\n{SPEAKER}stdout_logfile={{dir}}/a.out\nstderr_logfile=NONE\n\
         [program:b]\n{SPEAKER}stdout_logfile={{dir}}/b.out\nstderr_logfile=NONE\n"
    ));
    let pids = ["a", "b"].map(|name| daemon.wait_for_hello(name).pid);
    let file = |name: &str| daemon.sandbox().file(name);
    let logs = ["a.out", "b.out"].map(&file);
    for log in &logs {
        Lines::follow(log).wait_for("before");
        fs::rename(log, log.with_extension("moved")).unwrap();
    }
    assert_eq!(daemon.ctl(&["reopen", "a"]).stdout, "a: reopened\n");
    assert!(logs[0].exists() && !logs[1].exists());
    send_signal(pids[0], Signal::USR1);
    Lines::follow(&logs[0]).wait_for("after");
    fs::rename(file("main.log"), file("main.moved")).unwrap();
    assert_eq!(daemon.ctl(&["reopen", "all"]).stdout, "a: reopened\nb: reopened\nsupervisord: reopened\n");
    send_signal(pids[1], Signal::USR1);
    Lines::follow(&logs[1]).wait_for("after");
    assert_eq!(content(&daemon, "b.moved"), "before\n");
    assert!(content(&daemon, "main.moved").contains("reopening log file"));
    is_only_audit(&content(&daemon, "main.log"));
}

/// Nothing but the record of who did this to the log.
#[track_caller]
fn is_only_audit(log: &str) {
    assert!(log.lines().all(|line| line.contains(" INFO audit: user=")), "{log}");
}

#[test]
fn the_main_log_is_emptied_where_it_is() {
    let daemon = start("");
    assert!(content(&daemon, "main.log").contains("supervisord started"));
    let held = fs::File::open(daemon.sandbox().file("main.log")).unwrap();
    assert!(call(&daemon, "supervisor.clearLog", &[]).contains("<boolean>1</boolean>"));
    // Who did it is written down in its turn.
    until("there is a record of it", || content(&daemon, "main.log").contains(" INFO audit: "));
    let left = content(&daemon, "main.log");
    is_only_audit(&left);
    assert_eq!(held.metadata().unwrap().len(), left.len() as u64);
    fs::remove_file(daemon.sandbox().file("main.log")).unwrap();
    assert!(call(&daemon, "supervisor.clearLog", &[]).contains("NO_FILE"));
    let listed = call(&daemon, "system.listMethods", &[]);
    for method in ["supervisor.clearLog", "provost.rotateAllLogs", "provost.reopenLogs"] {
        assert!(listed.contains(&format!(">{method}<")), "{method}");
    }
    end_well(daemon);
}
