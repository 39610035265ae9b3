//! Two things at once, in every order that matters.

use std::sync::Arc;
use std::thread;

use provost_testkit::{DEADLINE, Deadline, HEAD, Signal, post, send_signal};

use crate::common::{body, brain, call, content, end_well, pid_of, start, state_of};

#[test]
fn starts_and_stops_from_many_sides_leave_one_program_or_none() {
    let daemon = start(
        "[program:a]\ncommand={child} forever\nstartsecs=0\nautostart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    let (mind, socket) = (brain(&daemon), Arc::new(daemon.socket()));
    let workers: Vec<_> = (0..8)
        .map(|n| {
            let socket = Arc::clone(&socket);
            thread::spawn(move || {
                for i in 0..60 {
                    let method =
                        if (n + i) % 2 == 0 { "supervisor.startProcess" } else { "supervisor.stopProcess" };
                    let wait = format!("<boolean>{}</boolean>", n % 2);
                    let answer = post(&socket, "/RPC2", body(method, &["a", &wait]).as_bytes()).unwrap();
                    assert_eq!(answer.status, 200);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let answer = call(&daemon, "supervisor.stopProcess", &["a"]);
    assert!(answer.contains("<boolean>1</boolean>") || answer.contains("NOT_RUNNING"), "{answer}");
    // An earlier stop, one that nobody waited for, may still be under way.
    let mut state = state_of(&daemon, "a");
    let deadline = Deadline::after(DEADLINE);
    while state == "STOPPING" && deadline.remaining().is_some() {
        state = state_of(&daemon, "a");
    }
    assert!(["STOPPED", "EXITED"].contains(&state.as_str()), "{state}");
    let children = provost_testkit::descendants(daemon.pid());
    assert_eq!(children, [mind], "only the brain is left");
    end_well(daemon);
}

#[test]
fn a_stop_that_overtakes_the_spawn_is_honoured() {
    let daemon =
        start("[program:a]\ncommand={child} forever\nautostart=false\nautorestart=true\nstartsecs=5\n");
    for _ in 0..30 {
        call(&daemon, "supervisor.startProcess", &["a", "<boolean>0</boolean>"]);
        let answer = call(&daemon, "supervisor.stopProcess", &["a"]);
        assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
        assert_eq!(state_of(&daemon, "a"), "STOPPED");
    }
}

#[test]
fn a_start_while_stopping_is_an_answer_and_not_a_second_program() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=6\nstdout_logfile={dir}/a.log\n",
    );
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let mut log = provost_testkit::Lines::follow(&daemon.sandbox().file("a.log"));
    call(&daemon, "supervisor.stopProcess", &["a", "<boolean>0</boolean>"]);
    log.wait_for("asked");
    let answer = call(&daemon, "supervisor.startProcess", &["a"]);
    assert!(answer.contains("<fault>"), "{answer}");
    daemon.wait_for_log_line("stopped: a (terminated by SIGKILL)");
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
}

#[test]
fn a_group_removed_and_added_while_somebody_waits_for_it() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=6\nstdout_logfile={dir}/a.log\n",
    );
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let mut log = provost_testkit::Lines::follow(&daemon.sandbox().file("a.log"));
    let socket = daemon.socket();
    let waiter = thread::spawn(move || {
        post(&socket, "/RPC2", body("supervisor.stopProcess", &["a"]).as_bytes()).unwrap()
    });
    log.wait_for("asked");
    assert!(call(&daemon, "supervisor.removeProcessGroup", &["a"]).contains("STILL_RUNNING"));
    assert!(call(&daemon, "supervisor.addProcessGroup", &["a"]).contains("ALREADY_ADDED"));
    assert!(String::from_utf8_lossy(&waiter.join().unwrap().body).contains("<boolean>1</boolean>"));
    assert!(call(&daemon, "supervisor.removeProcessGroup", &["a"]).contains("<boolean>1</boolean>"));
    assert!(call(&daemon, "supervisor.addProcessGroup", &["a"]).contains("<boolean>1</boolean>"));
    daemon.wait_for_hello("a");
}

#[test]
fn a_group_removed_while_a_start_waits() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\nautostart=false\nstartsecs=60\n");
    let socket = daemon.socket();
    let waiter = thread::spawn(move || {
        post(&socket, "/RPC2", body("supervisor.startProcess", &["a"]).as_bytes()).unwrap()
    });
    daemon.wait_for_hello("a");
    call(&daemon, "supervisor.stopProcess", &["a"]);
    let answer = String::from_utf8_lossy(&waiter.join().unwrap().body).into_owned();
    assert!(answer.contains("ABNORMAL_TERMINATION"), "{answer}");
    assert!(call(&daemon, "supervisor.removeProcessGroup", &["a"]).contains("<boolean>1</boolean>"));
    assert!(call(&daemon, "supervisor.startProcess", &["a"]).contains("BAD_NAME"));
}

#[test]
fn rereading_a_broken_file_says_so_and_changes_nothing() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("spawned: 'a'");
    daemon.write_config(&format!("{HEAD}[program:a]\n[program:b]\ncommand=x\nstopsignal=TREM\n"));
    let answer = call(&daemon, "supervisor.reloadConfig", &[]);
    assert!(answer.contains("<int>92</int>") && answer.contains("CANT_REREAD"), "{answer}");
    daemon.write_config(&format!("{HEAD}[program:a]\ncommand={{child}} hello forever\n"));
    assert_eq!(pid_of(&daemon, "a"), a);
    assert_eq!(daemon.ctl(&["reread"]).stdout, "No config updates to processes\n");
}

#[test]
fn two_hundred_kills_are_two_hundred_restarts() {
    let mut daemon = start(
        "[program:p]\ncommand={child} hello forever\nprocess_name=p%(process_num)02d\nnumprocs=20\nstartsecs=0\nautorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    let mind = brain(&daemon);
    for _ in 0..11 {
        for n in 0..20 {
            let pid = daemon.wait_for_hello(&format!("p{n:02}")).pid;
            send_signal(pid, Signal::KILL);
        }
    }
    for n in 0..20 {
        daemon.wait_for_hello(&format!("p{n:02}"));
    }
    assert_eq!(content(&daemon, "main.log").matches("(terminated by SIGKILL; not expected)").count(), 220);
    assert_eq!(brain(&daemon), mind);
}

#[test]
fn a_thousand_waiting_clients_are_all_answered() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=6\nstdout_logfile={dir}/a.log\n",
    );
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let frozen = crate::common::freeze_brain(&daemon);
    let socket = Arc::new(daemon.socket());
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let socket = Arc::clone(&socket);
            thread::spawn(move || {
                post(&socket, "/RPC2", body("supervisor.getAllProcessInfo", &[]).as_bytes()).unwrap()
            })
        })
        .collect();
    frozen.signal(Signal::CONT);
    for client in clients {
        let answer = client.join().unwrap();
        assert!(String::from_utf8_lossy(&answer.body).contains("RUNNING"));
    }
    end_well(daemon);
}
