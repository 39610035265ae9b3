//! What must not grow, and what must stand still.

use provost_testkit::{Signal, send_signal};

use crate::common::{activity, brain, call, descriptors, resident, start};

const PROGRAMS: &str = "[program:p]\ncommand={child} forever\nprocess_name=p%(process_num)02d\nnumprocs=50\nstartsecs=0\nautostart=false\nstdout_logfile={dir}/p.log\nstderr_logfile=NONE\n";

#[test]
fn two_thousand_restarts_cost_neither_memory_nor_descriptors() {
    let daemon = start(PROGRAMS);
    let (mind, keeper) = (brain(&daemon), daemon.pid());
    let cycle = || {
        call(&daemon, "supervisor.startProcessGroup", &["p"]);
        let answer = call(&daemon, "supervisor.stopProcessGroup", &["p"]);
        assert_eq!(answer.matches("<int>80</int>").count(), 50, "{answer}");
    };
    for _ in 0..5 {
        cycle();
    }
    let measure = || (resident(mind), resident(keeper), descriptors(mind), descriptors(keeper));
    let before = measure();
    for _ in 0..40 {
        cycle();
    }
    // The last client's connection may still be closing.
    crate::common::wait_for_proc(mind, "stat", |_| {
        (descriptors(mind), descriptors(keeper)) <= (before.2, before.3)
    });
    let after = measure();
    assert!(
        after.0 < before.0 + 1500 && after.1 < before.1 + 300,
        "kB of brain and keeper: {before:?}, then {after:?}"
    );
    assert_eq!(brain(&daemon), mind);
}

#[test]
fn a_hundred_updates_cost_no_memory() {
    let daemon = start(PROGRAMS);
    let mind = brain(&daemon);
    let update = || {
        assert!(call(&daemon, "supervisor.removeProcessGroup", &["p"]).contains("<boolean>1"));
        assert!(call(&daemon, "supervisor.addProcessGroup", &["p"]).contains("<boolean>1"));
        assert!(call(&daemon, "supervisor.reloadConfig", &[]).contains("<array>"));
    };
    for _ in 0..20 {
        update();
    }
    let before = resident(mind);
    for _ in 0..300 {
        update();
    }
    let after = resident(mind);
    assert!(after < before + 1000, "{before} kB, then {after} kB");
}

#[test]
fn nothing_runs_while_nothing_happens() {
    let mut daemon = start(
        "[program:a]\ncommand={child} hello forever\n[program:timer]\ncommand={child} after:500ms hello:rest after:3s hello:over forever\nautostart=false\nstartsecs=0\n",
    );
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    call(&daemon, "supervisor.startProcess", &["timer"]);
    // By then every thread has come to rest.
    daemon.wait_for_hello("rest");
    let (mind, keeper) = (brain(&daemon), daemon.pid());
    let measure = || (activity(mind), activity(keeper));
    let before = measure();
    daemon.wait_for_hello("over");
    let after = measure();
    let woken = after.0.1 + after.1.1 - before.0.1 - before.1.1;
    assert!(woken <= 4, "{woken} wake-ups in three idle seconds");
    // The clock may tick in the very moment of one.
    let ticks = after.0.0 + after.1.0 - before.0.0 - before.1.0;
    assert!(ticks <= woken, "{ticks} clock ticks of brain and keeper, and {woken} wake-ups");
}

#[test]
fn nothing_runs_while_a_brain_is_frozen_and_signals_pile_up() {
    let mut daemon = start(
        "[program:a]\ncommand={child} hello forever\nstartsecs=0\n[program:timer]\ncommand={child} hello after:2s hello:over forever\n",
    );
    daemon.wait_for_hello("timer");
    let frozen = crate::common::freeze_brain(&daemon);
    for _ in 0..1000 {
        send_signal(daemon.pid(), Signal::USR2);
    }
    let before = activity(daemon.pid());
    daemon.wait_for_hello("over");
    let after = activity(daemon.pid());
    frozen.signal(Signal::CONT);
    assert!(after.0 - before.0 < 5, "{} ticks of the keeper in two seconds", after.0 - before.0);
    daemon.wait_for_log_line("supervisord logreopen");
}
