//! Calls that wait are answered when what they wait for has happened: not before, and not at some tick later.

use std::sync::mpsc::{self, TryRecvError};
use std::time::{Duration, Instant};

use provost_testkit::{DEADLINE, Signal, post, send_signal, until};

use crate::common::{body, brain, call, end_well, start, state_of};

const DONE: &str = "<boolean>1</boolean>";

#[test]
fn a_stop_that_waits_is_answered_with_the_end_and_not_before() {
    let mut daemon = start(
        "[program:slow]\ncommand={child} on:TERM:say:asked on:USR1:exit:0 hello forever\nstartsecs=0\n\
         stopwaitsecs=3600\nstdout_logfile={dir}/slow.log\n",
    );
    let slow = daemon.wait_for_hello("slow");
    let (sender, answer) = mpsc::channel();
    let socket = daemon.socket();
    std::thread::spawn(move || {
        let answer = post(&socket, "/RPC2", body("supervisor.stopProcess", &["slow"]).as_bytes());
        let _ = sender.send(answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()));
    });
    provost_testkit::Lines::follow(&daemon.sandbox().file("slow.log")).wait_for("asked");
    assert_eq!(state_of(&daemon, "slow"), "STOPPING");
    assert!(matches!(answer.try_recv(), Err(TryRecvError::Empty)), "it is not answered while it runs");
    send_signal(slow.pid, Signal::USR1);
    let answer = answer.recv_timeout(DEADLINE).unwrap().unwrap();
    assert!(answer.contains(DONE), "{answer}");
    assert_eq!(state_of(&daemon, "slow"), "STOPPED");
    end_well(daemon);
}

/// A hundred times down and up, each waited for: who looks once a second takes more than six minutes for it.
#[test]
fn nothing_that_is_waited_for_takes_a_tick() {
    let daemon = start("[program:quick]\ncommand={child} forever\nstartsecs=0\n");
    let begin = Instant::now();
    for _ in 0..100 {
        for method in ["supervisor.stopProcess", "supervisor.startProcess"] {
            let answer = call(&daemon, method, &["quick"]);
            assert!(answer.contains(DONE), "{answer}");
        }
        let group = call(&daemon, "supervisor.stopProcessGroup", &["quick"]);
        assert!(group.contains("<int>80</int>"), "{group}");
        let all = call(&daemon, "supervisor.startAllProcesses", &[]);
        assert!(all.contains("<int>80</int>"), "{all}");
    }
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(40), "four hundred waits took {took:?}");
    end_well(daemon);
}

/// What monitoring asks all day concerns the doors alone: the thread that supervises is not woken for it.
#[test]
fn whether_the_supervisor_runs_is_answered_without_waking_it() {
    let daemon = start("[program:quiet]\ncommand={child} forever\nstartsecs=0\nautostart=false\n");
    let loop_of = brain(&daemon);
    let turns = || {
        let status = std::fs::read_to_string(format!("/proc/{loop_of}/task/{loop_of}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    let before = turns();
    for _ in 0..50 {
        for method in ["supervisor.getState", "supervisor.getPID", "supervisor.getIdentification"] {
            assert!(!call(&daemon, method, &[]).contains("fault"));
        }
    }
    let woken = turns() - before;
    assert!(woken < 50, "150 questions woke the loop {woken} times");
    let rests = || {
        let stat = std::fs::read_to_string(format!("/proc/{loop_of}/task/{loop_of}/stat")).unwrap();
        stat.contains(") S ")
    };
    for _ in 0..50 {
        // One that is awake yet does not have to be woken.
        until("the loop rests", rests);
        call(&daemon, "supervisor.getProcessInfo", &["quiet"]);
    }
    assert!(turns() - before >= 50, "a question about a process is answered by the loop");
    end_well(daemon);
}
