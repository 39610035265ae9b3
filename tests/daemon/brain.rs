//! The brain dies, by SIGKILL and at the worst moments; nobody outside may notice.

use std::process::{Command, Stdio};

use provost_testkit::{
    DEADLINE, Daemon, Deadline, HEAD, Implementation, Lines, Process, Signal, send_signal, until,
    wait_until_gone,
};

use crate::common::{
    brain, call, content, end_well, freeze_brain, kill_brain, no_brain_can_start, pid_of, start, started_by,
    state_of,
};

#[test]
fn programs_keep_their_pids_through_five_deaths_in_a_row() {
    let mut daemon =
        start("[program:a]\ncommand={child} hello forever\n[program:b]\ncommand={child} hello forever\n");
    let (a, b) = (daemon.wait_for_hello("a").pid, daemon.wait_for_hello("b").pid);
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    let (keeper, mut brains) = (daemon.pid(), vec![brain(&daemon)]);
    for _ in 0..5 {
        kill_brain(&mut daemon);
        assert_eq!((pid_of(&daemon, "a"), pid_of(&daemon, "b")), (a, b));
        assert_eq!(daemon.ctl(&["pid"]).stdout.trim(), keeper.to_string());
        brains.push(brain(&daemon));
    }
    brains.dedup();
    assert_eq!(brains.len(), 6, "each death brings a new brain");
    let spawned = daemon.log().all().iter().filter(|line| line.contains("spawned: ")).count();
    assert_eq!(spawned, 2, "nothing is started twice");
    end_well(daemon);
    wait_until_gone(a);
}

#[test]
fn a_program_that_ends_while_there_is_no_brain_is_reported_with_its_status() {
    let mut daemon = start("[program:a]\ncommand={child} on:TERM:exit:7 hello forever\nautorestart=false\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let frozen = freeze_brain(&daemon);
    send_signal(a, Signal::TERM);
    wait_until_gone(a);
    frozen.signal(Signal::KILL);
    daemon.wait_for_log_line("exited: a (exit status 7; not expected)");
    assert_eq!(state_of(&daemon, "a"), "EXITED");
}

#[test]
fn output_written_while_there_is_no_brain_is_in_the_log_once() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:USR1:say:meanwhile hello forever\nstdout_logfile={dir}/a.log\n",
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let mut log = Lines::follow(&daemon.sandbox().file("a.log"));
    let frozen = freeze_brain(&daemon);
    send_signal(a, Signal::USR1);
    crate::common::wait_for_proc(a, "status", |status| status.contains("SigPnd:\t0000000000000000"));
    frozen.signal(Signal::KILL);
    log.wait_for("meanwhile");
    send_signal(a, Signal::USR1);
    log.wait_for("meanwhile");
    assert_eq!(content(&daemon, "a.log"), "meanwhile\nmeanwhile\n");
}

#[test]
fn a_shutdown_by_supervisorctl_goes_on_too() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=6\nstdout_logfile={dir}/a.log\n",
    );
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let mut log = Lines::follow(&daemon.sandbox().file("a.log"));
    assert_eq!(daemon.ctl(&["shutdown"]).stdout, "Shut down\n");
    log.wait_for("asked");
    send_signal(brain(&daemon), Signal::KILL);
    assert!(daemon.process().ended_before(Deadline::after(DEADLINE / 2)), "the shutdown was forgotten");
}

#[test]
fn a_shutdown_in_progress_goes_on() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=6\nstdout_logfile={dir}/a.log\n",
    );
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let mut log = Lines::follow(&daemon.sandbox().file("a.log"));
    send_signal(daemon.pid(), Signal::TERM);
    log.wait_for("asked");
    kill_brain(&mut daemon);
    assert!(daemon.process().ended_before(Deadline::after(DEADLINE / 2)), "the shutdown was forgotten");
}

#[test]
fn a_daemon_that_cannot_even_make_a_process_for_a_brain_ends_on_sigterm() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let (old, keeper) = (freeze_brain(&daemon), daemon.pid().to_string());
    // It has no number left for another descriptor.
    let limited = Command::new("prlimit").args(["--nofile=4:4", "--pid", &keeper]).status().unwrap();
    assert!(limited.success(), "cannot limit the keeper");
    old.signal(Signal::KILL);
    old.wait_until_gone();
    send_signal(daemon.pid(), Signal::TERM);
    assert!(daemon.process().ended_before(Deadline::after(DEADLINE / 2)), "SIGTERM is never answered");
    wait_until_gone(a);
}

#[test]
fn a_daemon_whose_brain_cannot_start_still_ends_on_sigterm() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    no_brain_can_start(&daemon);
    let old = freeze_brain(&daemon);
    old.signal(Signal::KILL);
    old.wait_until_gone();
    send_signal(daemon.pid(), Signal::TERM);
    assert!(daemon.process().ended_before(Deadline::after(DEADLINE / 2)), "SIGTERM is never answered");
    // The keeper alone cannot know how it went.
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(1));
}

#[test]
fn an_adopted_program_whose_log_cannot_be_opened_is_still_watched() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:exit:7 hello forever\nautorestart=false\nstdout_logfile={dir}/a.log\nstderr_logfile=NONE\n",
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let log = daemon.sandbox().file("a.log");
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
    send_signal(a, Signal::TERM);
    wait_until_gone(a);
    daemon.wait_for_log_line("exited: a (exit status 7; not expected)");
}

#[test]
fn a_name_longer_than_a_message_is_adopted_like_any_other() {
    let name = "n".repeat(2100);
    let mut daemon = start(&format!(
        "[program:{name}]\ncommand={{child}} hello:long forever\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
    ));
    let pid = daemon.wait_for_hello("long").pid;
    daemon.wait_for_log_line("success: n");
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, &name), pid);
}

#[test]
fn a_brain_short_of_descriptors_does_not_die_of_it() {
    // Each program costs the brain more descriptors than the keeper: the brain is the first to run out.
    let limited = started_by(&["prlimit", "--nofile=64:64"]);
    let programs = "[program:p]\ncommand={child} hello forever\nprocess_name=%(process_num)02d\nnumprocs=30\nstartsecs=0\nstartretries=0\nautostart=false\n";
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\nminfds=64\n");
    let mut daemon = Daemon::start(&limited, &format!("{head}{programs}"));
    let first = brain(&daemon);
    daemon.ctl(&["start", "p:*"]);
    daemon.wait_for_log_line("spawnerr: ");
    let said = daemon.ctl(&["pid"]);
    assert_eq!(said.status, 0, "{said:?}\n{}", content(&daemon, "main.log"));
    assert_eq!(brain(&daemon), first, "the brain died of EMFILE:\n{}", content(&daemon, "main.log"));
}

#[test]
fn a_brain_that_dies_in_daemon_mode_is_replaced_too() {
    let mut daemon = Daemon::start_daemonized(
        &Implementation::ours(),
        &format!("{HEAD}[program:a]\ncommand={{child}} hello forever\n"),
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
}

#[test]
fn what_a_person_stopped_stays_stopped() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    kill_brain(&mut daemon);
    assert_eq!(state_of(&daemon, "a"), "STOPPED");
}

#[test]
fn a_task_that_has_run_to_its_end_is_not_run_again() {
    let mut daemon = start(
        "[program:migrate]\ncommand={child} hello say:migrated\nstartsecs=0\nstdout_logfile={dir}/a.log\n",
    );
    daemon.wait_for_log_line("exited: migrate (exit status 0; expected)");
    kill_brain(&mut daemon);
    assert_eq!(state_of(&daemon, "migrate"), "EXITED");
    assert_eq!(content(&daemon, "a.log"), "migrated\n");
}

#[test]
fn a_program_that_was_given_up_stays_given_up() {
    let mut daemon =
        start("[program:a]\ncommand={child} say:tried exit:1\nstartretries=0\nstdout_logfile={dir}/a.log\n");
    daemon.wait_for_log_line("gave up: a");
    kill_brain(&mut daemon);
    assert_eq!(state_of(&daemon, "a"), "FATAL");
    // The end of the daemon comes after all that a new brain may have begun.
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert_eq!(content(&daemon, "a.log"), "tried\n");
}

#[test]
fn an_accepted_stop_is_honoured_by_the_next_brain() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=6\nstdout_logfile={dir}/a.log\n",
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let mut log = Lines::follow(&daemon.sandbox().file("a.log"));
    assert!(
        call(&daemon, "supervisor.stopProcess", &["a", "<boolean>0</boolean>"])
            .contains("<boolean>1</boolean>")
    );
    log.wait_for("asked");
    kill_brain(&mut daemon);
    assert_eq!(state_of(&daemon, "a"), "STOPPING");
    wait_until_gone(a);
    daemon.wait_for_log_line("stopped: a (terminated by SIGKILL)");
}

#[test]
fn a_file_broken_meanwhile_does_not_keep_the_next_brain_from_its_work() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    daemon.write_config(
        "[supervisord]\nlogfile=/nonexistent/x\n[supervisorctl]\nserverurl=unix://{dir}/s.sock\n",
    );
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
}

#[test]
fn a_main_log_that_cannot_be_opened_keeps_no_brain_from_its_work() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let log = daemon.sandbox().file("main.log");
    std::fs::rename(&log, daemon.sandbox().file("main.old")).unwrap();
    std::fs::create_dir(&log).unwrap();
    let old = Process::new(brain(&daemon));
    old.signal(Signal::KILL);
    old.wait_until_gone();
    assert_eq!(pid_of(&daemon, "a"), a);
    let said = content(&daemon, "daemon.err");
    assert!(said.contains("cannot open the log file") && said.contains("; going on without it"), "{said}");
    // It comes back when somebody asks.
    std::fs::remove_dir(&log).unwrap();
    send_signal(daemon.pid(), Signal::USR2);
    let mut found = Lines::follow(&log);
    found.wait_for("this log could not be opened until now; ");
    end_well(daemon);
}

#[test]
fn a_file_edited_but_not_reread_changes_nothing() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    daemon.write_config(&format!("{HEAD}[program:b]\ncommand={{child}} hello forever\n"));
    kill_brain(&mut daemon);
    let status = daemon.ctl(&["status"]).stdout;
    assert!(status.contains(&format!("pid {a}")) && !status.contains("b  "), "{status}");
}

#[test]
fn a_log_directory_removed_meanwhile_does_not_keep_the_next_brain_from_its_work() {
    let sandbox = provost_testkit::Sandbox::new();
    std::fs::create_dir(sandbox.file("logs")).unwrap();
    let config =
        format!("{HEAD}[program:a]\ncommand={{child}} hello forever\nstdout_logfile={{dir}}/logs/a.log\n");
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    std::fs::remove_dir_all(daemon.sandbox().file("logs")).unwrap();
    kill_brain(&mut daemon);
    assert_eq!(pid_of(&daemon, "a"), a);
}

#[test]
fn each_group_keeps_the_configuration_that_it_was_added_with() {
    let program = |name: &str, word: &str| {
        format!(
            "[program:{name}]\ncommand={{child}} say:{word} hello forever\nstdout_logfile={{dir}}/{name}.log\n"
        )
    };
    let mut daemon = start(&(program("a", "first") + &program("b", "first")));
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    // Read, but only one of the two is taken over; and then a third reading that nobody takes over.
    daemon.write_config(&format!("{HEAD}{}{}", program("a", "second"), program("b", "second")));
    daemon.ctl(&["update", "a"]);
    daemon.write_config(&format!("{HEAD}{}", program("c", "third")));
    assert_eq!(daemon.ctl(&["reread"]).stdout, "a: disappeared\nb: disappeared\nc: available\n");
    // What supervisorctl needs, and nothing that the daemon could start with.
    daemon.write_config("[supervisorctl]\nserverurl=unix://{dir}/s.sock\n");
    for _ in 0..2 {
        kill_brain(&mut daemon);
    }
    for (name, word) in [("a", "second"), ("b", "first")] {
        daemon.ctl(&["restart", name]);
        let log = content(&daemon, &format!("{name}.log"));
        assert_eq!(log.lines().last(), Some(word), "{name}: {log}");
    }
    // What was last read is what may be added.
    daemon.ctl(&["add", "c"]);
    daemon.wait_for_log_line("success: c");
    end_well(daemon);
}

#[test]
fn processes_of_one_name_in_two_groups_keep_their_own_automatic_logs() {
    let mut daemon = start(
        "[program:x]\ncommand={child} on:USR1:say:from-x hello:x forever\nprocess_name=00\n[program:y]\ncommand={child} on:USR1:say:from-y hello:y forever\nprocess_name=00\n",
    );
    let (x, y) = (daemon.wait_for_hello("x").pid, daemon.wait_for_hello("y").pid);
    daemon.log().wait_for_all(&["success: 00", "success: 00"]);
    kill_brain(&mut daemon);
    let file = |daemon: &Daemon, name: &str| {
        let body = call(daemon, "supervisor.getProcessInfo", &[name]);
        let at = body.split("<name>stdout_logfile</name>").nth(1).unwrap();
        at.split("<string>").nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    let files = (file(&daemon, "x:00"), file(&daemon, "y:00"));
    assert!(x != y && files.0 != files.1, "both write to {}", files.0);
}

#[test]
fn a_brain_that_dies_again_and_again_is_held_back_and_the_log_says_so() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    for _ in 0..4 {
        kill_brain(&mut daemon);
        // It has come up.
        assert_eq!(pid_of(&daemon, "a"), a);
    }
    let fifth = Process::new(brain(&daemon));
    fifth.signal(Signal::KILL);
    let line = daemon.wait_for_log_line(&format!("the brain (pid {}) has ended unexpectedly", fifth.pid()));
    let said = "(terminated by SIGKILL, 5 times in a row); a new one goes on after a pause of 100 ms";
    assert!(line.contains(said), "{line}");
}

#[test]
fn a_file_that_was_searched_for_is_not_searched_for_again() {
    let sandbox = provost_testkit::Sandbox::new();
    let config = format!("{HEAD}[program:a]\ncommand={{child}} hello forever\n");
    let config = config.replace("{dir}", sandbox.path().to_str().unwrap());
    let config = config.replace("{child}", provost_testkit::provost_child().to_str().unwrap());
    std::fs::create_dir(sandbox.file("etc")).unwrap();
    std::fs::write(sandbox.file("etc/supervisord.conf"), config.replace(" hello", "")).unwrap();
    let mut log = Lines::follow(&sandbox.file("main.log"));
    let mut command = Command::new(&Implementation::ours().supervisord[0]);
    command.arg("-n").current_dir(sandbox.path()).stdout(Stdio::null());
    let mut daemon = command.spawn().unwrap();
    log.wait_for("success: a");
    // It is gone, and one that is found sooner is no configuration at all.
    std::fs::remove_file(sandbox.file("etc/supervisord.conf")).unwrap();
    std::fs::write(sandbox.file("supervisord.conf"), "nonsense").unwrap();
    let keeper = daemon.id() as i32;
    let comm = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let brain = provost_testkit::descendants(keeper).into_iter().find(|pid| comm(pid) == "provost-brain\n");
    send_signal(brain.unwrap(), Signal::KILL);
    log.wait_for("adopted: 'a'");
    send_signal(keeper, Signal::TERM);
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

#[test]
fn a_log_whose_reader_has_gone_does_not_keep_the_next_brain_from_its_work() {
    let sandbox = provost_testkit::Sandbox::new();
    let fifo = sandbox.file("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reader = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} on:TERM:exit:7 hello:a forever\nautorestart=false\nstdout_logfile={{dir}}/fifo\n\
         [program:b]\ncommand={{child}} on:USR1:say:here hello:b forever\nstdout_logfile={{dir}}/b.log\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    let (a, b) = (daemon.wait_for_hello("a").pid, daemon.wait_for_hello("b").pid);
    daemon.log().wait_for_all(&["success: a", "success: b"]);
    drop(reader);
    kill_brain(&mut daemon);
    assert_eq!((pid_of(&daemon, "a"), pid_of(&daemon, "b")), (a, b));
    let mut log = Lines::follow(&daemon.sandbox().file("b.log"));
    send_signal(b, Signal::USR1);
    log.wait_for("here");
    send_signal(a, Signal::TERM);
    daemon.wait_for_log_line("exited: a (exit status 7; not expected)");
    end_well(daemon);
}

/// With another socket it is another group as a whole, and of so many processes the log files take a while to make.
#[test]
fn a_group_that_was_being_exchanged_is_there_under_the_next_brain_and_what_ran_runs_again() {
    let group = |socket: &str| {
        format!(
            "loglevel=trace\n[fcgi-program:f]\ncommand={{child}} forever\nsocket=unix://{{dir}}/{socket}.sock\nnumprocs=300\n\
             process_name=f%(process_num)03d\nautostart=false\nstartsecs=0\n"
        )
    };
    let mut daemon = start(&group("one"));
    assert_eq!(daemon.ctl(&["start", "f:f007"]).stdout, "f:f007: started\n");
    let logs = || {
        let entries = std::fs::read_dir(daemon.sandbox().path()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.contains("-stdout---")).collect::<std::collections::BTreeSet<_>>()
    };
    let before = logs();
    assert_eq!(before.len(), 300);
    daemon.write_config(&format!("{HEAD}{}", group("two")));
    let first = Process::new(brain(&daemon));
    let mut update = daemon.ctl_command(&Implementation::ours(), &["update", "f"]);
    let mut update = update.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Deadline::default();
    while logs().is_subset(&before) {
        assert!(deadline.remaining().is_some(), "no new log is made");
    }
    first.signal(Signal::KILL);
    first.wait_until_gone();
    daemon.wait_for_log_line("has ended unexpectedly");
    until("f:f007 is RUNNING", || state_of(&daemon, "f:f007") == "RUNNING");
    // Or a retry of its own ends with the daemon.
    let _ = update.wait();
    // Listeners hear of it, whichever brain exchanges it in the end.
    daemon.ctl(&["update", "f"]);
    let told = || content(&daemon, "main.log").matches("event PROCESS_GROUP_ADDED groupname:f").count();
    until("it is told at the start, and anew", || told() >= 2);
    end_well(daemon);
}
