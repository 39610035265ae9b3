//! Pools of many, and orders that come while a listener has an event.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use provost_testkit::{HEAD, Signal, send_signal, told};

use crate::stage::{IN_TIME, Stage, brain, busy, has_all, kill_brain, look_for, number, until, until_within};

fn pool(command: &str, numprocs: usize, more: &str) -> String {
    format!(
        "[eventlistener:hostile]\ncommand={command}\nprocess_name=%(process_num)s\nnumprocs={numprocs}\nevents=REMOTE_COMMUNICATION\nstartsecs=0\nautorestart=true\nstdout_logfile=NONE\n{more}\n"
    )
}

/// Who has one event, and does not answer.
const BUSY: &str = "{child} ready event:{dir}/busy forever";

/// All that the members of a pool were told, each event once.
fn numbers_of(stage: &Stage, members: usize) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    for member in 0..members {
        for event in told(&stage.file(&format!("told-{member}"))).0 {
            let number = number(&event).unwrap();
            assert!(numbers.insert(number), "{number} was told twice");
        }
    }
    numbers
}

#[test]
fn three_hundred_in_a_pool_are_told_each_event_once() {
    let mut stage = Stage::start(&pool("{child} listen:{dir}/told-%(process_num)s", 300, ""));
    stage.pool_becomes("hostile", |pool| {
        let listeners = pool["listeners"].as_array().unwrap();
        listeners.len() == 300 && listeners.iter().all(|one| one["state"] == "READY")
    });
    stage.publish(2000);
    until("all events", || numbers_of(&stage, 300).len() as u64 == stage.published);
    stage.others_are_well();
    crate::stage::kill_brain(&mut stage.daemon);
    stage.publish(500);
    until("all events", || numbers_of(&stage, 300).len() as u64 == stage.published);
    stage.end_well();
}

#[test]
fn a_hundred_that_hang_in_a_pool_keep_no_event_from_the_last() {
    let command = "sh -c 'test %(process_num)s -lt 100 && exec {child} ready event forever || exec {child} listen:{dir}/hostile'";
    let mut stage = Stage::start(&pool(command, 101, "process_name=%(process_num)03d"));
    stage.pool_becomes("hostile", |pool| {
        let listeners = pool["listeners"].as_array().unwrap();
        listeners.len() == 101 && listeners.iter().all(|one| one["state"] == "READY")
    });
    stage.publish(150);
    // The last of them, who is not asked before all others have something.
    until_within(IN_TIME, "fifty events", || told(&stage.file("hostile")).0.len() >= 50);
    stage.others_are_well();
    stage.end_well();
}

#[test]
fn one_of_three_that_hangs_holds_one_event() {
    let command = "sh -c 'test %(process_num)s = 1 && exec {child} ready event:{dir}/busy forever || exec {child} listen:{dir}/told-%(process_num)s'";
    let mut stage = Stage::start(&pool(command, 3, ""));
    stage.pool_becomes("hostile", |pool| {
        let listeners = pool["listeners"].as_array().unwrap();
        listeners.len() == 3 && listeners.iter().all(|one| one["state"] == "READY")
    });
    stage.publish(200);
    until("all but one", || numbers_of(&stage, 3).len() as u64 == stage.published - 1);
    stage.others_are_well();
    until("all but one", || numbers_of(&stage, 3).len() as u64 == stage.published - 1);
    assert_eq!(told(&stage.file("busy")).0.len(), 1);
    // It is given up, and another one has it.
    assert_eq!(stage.daemon.ctl(&["stop", "hostile:1"]).stdout, "hostile:1: stopped\n");
    until("all", || numbers_of(&stage, 3).len() as u64 == stage.published);
    stage.end_well();
}

#[test]
fn a_listener_is_stopped_and_started_whatever_it_has() {
    let mut stage = Stage::start(&pool(BUSY, 1, ""));
    stage.publish(3);
    for times in 1..=3 {
        stage.becomes("hostile", "BUSY");
        until("an event", || told(&stage.file("busy")).0.len() == times);
        let asked = Instant::now();
        assert_eq!(stage.daemon.ctl(&["stop", "hostile:*"]).stdout, "hostile:0: stopped\n");
        assert!(asked.elapsed() < IN_TIME, "{:?}", asked.elapsed());
        assert_eq!(stage.pool("hostile")["waiting"], 3);
        stage.daemon.ctl(&["start", "hostile:*"]);
    }
    assert!(told(&stage.file("busy")).0.iter().all(|told| number(told) == Some(0)));
    stage.others_are_well();
    stage.end_well();
}

#[test]
fn a_pool_is_changed_and_removed_whatever_it_has() {
    let config = |pool: &str| format!("{HEAD}{}", Stage::config(pool));
    let before = pool(BUSY, 1, "");
    let mut stage = Stage::start(&before);
    stage.publish(5);
    stage.becomes("hostile", "BUSY");
    // Another buffer: it stays as it is.
    stage.daemon.write_config(&config(&pool(BUSY, 1, "buffer_size=77")));
    let said = stage.daemon.ctl(&["update"]);
    assert!(said.stdout.contains("hostile"), "{said:?}");
    stage.becomes("hostile", "BUSY");
    assert_eq!(stage.pool("hostile")["waiting"], 4);
    // Another command: who hangs is replaced, and the new one is told everything.
    stage.daemon.write_config(&config(&pool("{child} listen:{dir}/told-0", 1, "")));
    stage.daemon.ctl(&["update"]);
    until("all events", || has_all(&stage.file("told-0"), 5));
    stage.others_are_well();
    until("these, too", || has_all(&stage.file("told-0"), stage.published));
    // And taken away, while it has something.
    stage.daemon.write_config(&config(&pool(BUSY, 1, "")));
    stage.daemon.ctl(&["update"]);
    stage.publish(3);
    stage.becomes("hostile", "BUSY");
    stage.daemon.write_config(&config(""));
    let said = stage.daemon.ctl(&["update"]);
    assert!(said.stdout.contains("hostile: removed process group"), "{said:?}");
    stage.daemon.wait_for_log_line("pool hostile is gone, and 3 events with it that no listener has taken");
    stage.others_are_well();
    stage.end_well();
}

#[test]
fn a_daemon_begins_anew_whatever_a_pool_has() {
    let mut stage = Stage::start(&pool(BUSY, 1, ""));
    stage.publish(5);
    stage.becomes("hostile", "BUSY");
    let asked = Instant::now();
    stage.daemon.ctl(&["reload"]);
    stage.daemon.wait_for_log_line("pool hostile is gone, and 5 events with it that no listener has taken");
    stage.daemon.wait_for_hello("p");
    assert!(asked.elapsed() < 2 * IN_TIME, "{:?}", asked.elapsed());
    // Serials go on, and pools begin from the beginning.
    let before = told(&stage.file("honest")).0;
    stage.publish(2);
    until("two more", || told(&stage.file("honest")).0.len() >= before.len() + 2);
    let events = told(&stage.file("honest")).0;
    let (last, next) = (&before[before.len() - 1], &events[before.len()]);
    assert!(next.serial > last.serial && next.pool_serial == 0, "{last:?}, then {next:?}");
    stage.end_well();
}

#[test]
fn ten_thousand_events_that_wait_do_not_keep_a_daemon_from_its_end() {
    let mut stage = Stage::start(&pool(BUSY, 1, ""));
    stage.publish(10_000);
    stage.becomes("hostile", "BUSY");
    until("all events", || has_all(&stage.file("honest"), stage.published));
    let asked = Instant::now();
    send_signal(stage.daemon.pid(), Signal::TERM);
    assert_eq!(stage.daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    println!("with 10,000 events that wait the end took {:?}", asked.elapsed());
    assert!(asked.elapsed() < IN_TIME, "{:?}", asked.elapsed());
    stage
        .daemon
        .wait_for_log_line("pool hostile is gone, and 10000 events with it that no listener has taken");
    let _ = Duration::ZERO;
}

/// A pause between two tellings of what was rejected ends, whether or not somebody is there by then to be told.
#[test]
fn who_rejects_and_then_says_nothing_turns_nobody() {
    for end in ["forever", "ready event forever"] {
        let mut stage =
            Stage::start(&pool(&format!("{{child}} ready event fail ready event fail {end}"), 1, ""));
        stage.publish(3);
        stage.pool_becomes("hostile", |pool| pool["rejected"] == 2);
        stage.others_are_well();
        let pid = brain(&stage.daemon).pid();
        let (before, began) = (busy(pid), Instant::now());
        look_for(Duration::from_secs(1));
        let busy = busy(pid).saturating_sub(before);
        assert!(busy < began.elapsed() / 2, "{end}: {busy:?} of {:?}", began.elapsed());
        stage.end_well();
    }
}

#[test]
fn a_pool_that_is_added_later_begins_with_the_next_slice_of_time_after_a_brains_death_as_well() {
    let ticker = pool("{child} listen:{dir}/ticks", 1, "").replace("REMOTE_COMMUNICATION", "TICK_5");
    let mut stage = Stage::start(&ticker);
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    kill_brain(&mut stage.daemon);
    stage.daemon.ctl(&["stop", "hostile:*"]);
    assert_eq!(stage.daemon.ctl(&["remove", "hostile"]).stdout, "hostile: removed process group\n");
    let (removed, told_before) = (now(), told(&stage.file("ticks")).0.len());
    until("another slice", || now() / 5 > removed / 5);
    let added = now();
    assert_eq!(stage.daemon.ctl(&["add", "hostile"]).stdout, "hostile: added process group\n");
    until("a tick", || told(&stage.file("ticks")).0.len() > told_before);
    let payload = String::from_utf8(told(&stage.file("ticks")).0[told_before].payload.clone()).unwrap();
    let when: u64 = payload.strip_prefix("when:").unwrap().parse().unwrap();
    assert!(when > added, "{when} is told, and it was added at {added}");
    stage.end_well();
}
