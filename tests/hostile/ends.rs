//! Listeners that end at the wrong moment, and what they do to their pipes.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use provost_testkit::{Signal, Told, descendants, provost_listener, send_signal, told};

use crate::disk;
use crate::stage::{
    IN_TIME, Stage, brain, has_all, kill_brain, look_for, number, pid_of, ticks, until, until_within,
};

fn hostile(command: &str, more: &str) -> String {
    format!(
        "[eventlistener:hostile]\ncommand={command}\nevents=REMOTE_COMMUNICATION\nstartsecs=0\nautorestart=true\nstdout_logfile={{dir}}/hostile.log\n{more}\n"
    )
}

/// A command that does this the first time, and from then on listens as it should, into a file of its own.
fn once(words: &str) -> String {
    format!("sh -c 'mkdir {{dir}}/once && exec {{child}} {words} || exec {{child}} listen:{{dir}}/hostile'")
}

/// Whoever comes after it is told everything that it had not accepted.
#[track_caller]
fn its_successor_hears(words: &str, accepted: u64) {
    let mut stage = Stage::start(&hostile(&once(words), ""));
    stage.publish(5);
    stage.others_are_well();
    let file = stage.file("hostile");
    until(words, || told(&file).0.last().and_then(number) == Some(stage.published - 1));
    let (events, rest) = told(&file);
    let numbers: Vec<u64> = events.iter().filter_map(number).collect();
    assert!(numbers.iter().copied().eq(accepted..stage.published) && rest.is_empty(), "{words}: {numbers:?}");
    stage.pool_becomes("hostile", |pool| pool["waiting"] == 0 && pool["delivered"] == stage.published);
    stage.end_well();
}

#[test]
fn whoever_dies_while_it_has_an_event_gives_it_back() {
    its_successor_hears("ready event exit:1", 0);
    its_successor_hears("ready event exit:0", 0);
    its_successor_hears("ready event raise:KILL", 0);
    its_successor_hears("ready event ok exit:0", 1);
    its_successor_hears("ready event ok ready exit:0", 1);
}

#[test]
fn half_a_result_is_none() {
    its_successor_hears(r#""write:READY\n" event "write:RESULT\s2\nO" exit:0"#, 0);
    its_successor_hears(r#"ready event "write:RESUL" raise:KILL"#, 0);
}

#[test]
fn half_an_event_in_a_pipe_is_lost_to_nobody() {
    let mut stage = Stage::start(&hostile(&once("ready eat:10 await"), ""));
    stage.publish_long(1_000_000);
    stage.publish(1);
    stage.becomes("hostile", "BUSY");
    stage.others_are_well();
    send_signal(pid_of(&stage.daemon, "hostile"), Signal::KILL);
    until("all of it", || has_all(&stage.file("hostile"), stage.published));
    stage.end_well();
}

/// A listener for which each event is the end. It may be started again and again; that is what was asked for.
#[test]
fn endless_deliveries_to_one_who_dies_of_each_take_no_memory_and_leave_the_others_alone() {
    for exit in ["exit:0", "exit:1"] {
        // Each is started again after a second, so there are many.
        let more = "numprocs=40\nprocess_name=%(process_num)s";
        let command = format!("{{child}} ready event:{{dir}}/hostile {exit}");
        let mut stage = Stage::start(&hostile(&command, more));
        stage.publish(40);
        let deaths =
            |stage: &mut Stage| stage.daemon.log().all().iter().filter(|l| l.contains("exited: ")).count();
        until("some deaths", || deaths(&mut stage) > 80);
        stage.others_are_well();
        let before = stage.measure();
        until("many deaths", || deaths(&mut stage) > 240);
        let after = stage.measure();
        stage.others_are_well();
        assert!(after.own < before.own + 1024, "kB of the brain: {before:?}, then {after:?}");
        assert!(after.shared < before.shared + 256, "kB of events: {before:?}, then {after:?}");
        // What is mapped, and what is held, is of those who live.
        let pid = brain(&stage.daemon).pid();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let mapped = maps.matches("memfd:listener").count();
        assert!(mapped <= 41, "{mapped} mappings");
        let held = fs::read_dir(format!("/proc/{}/fd", stage.daemon.pid())).unwrap().count();
        assert!(held < 41 * 7 + 60, "{held} descriptors of the keeper");
        stage.end_well();
    }
}

#[test]
fn endless_deliveries_turn_no_faster_than_startsecs_lets_them() {
    let config =
        hostile("{child} ready event:{dir}/hostile exit:0", "").replace("startsecs=0", "startsecs=1");
    let mut stage = Stage::start(&config);
    stage.publish(1);
    until("two deaths", || told(&stage.file("hostile")).0.len() >= 2);
    let before = stage.measure();
    look_for(Duration::from_secs(2));
    let after = stage.measure();
    assert!(after.ticks < before.ticks + 40, "{before:?}, then {after:?}");
    assert!(after.lines <= before.lines + 15, "{:#?}", stage.daemon.log().all());
    stage.others_are_well();
    stage.end_well();
}

#[test]
fn one_that_has_closed_its_ears_is_told_of_once_and_others_of_its_pool_hear() {
    // It has closed them when the keeper has, too: until then what it is told would find a reader.
    let command = format!(
        "sh -c 'test %(process_num)s = 0 && exec {} shut:in ready forever || exec {{child}} listen:{{dir}}/hostile'",
        provost_listener().display()
    );
    let more = "numprocs=2\nprocess_name=%(process_num)s";
    let mut stage = Stage::start(&hostile(&command, more));
    stage.pool_becomes("hostile", |pool| pool["listeners"][0]["state"] == "READY");
    stage.others_are_well();
    until("all events", || has_all(&stage.file("hostile"), stage.published));
    stage
        .daemon
        .wait_for_log_line("0 gets no events until it is started again: it has closed its standard input");
    let before = stage.measure();
    look_for(Duration::from_secs(1));
    let after = stage.measure();
    assert!(after.lines == before.lines && after.ticks < before.ticks + 30, "{before:?}, then {after:?}");
    stage.end_well();
}

#[test]
fn one_that_has_closed_its_mouth_lives_on_and_turns_nobody() {
    let mut stage = Stage::start(&hostile("{child} ready event close:1 on:USR1:exit:0 forever", ""));
    stage.publish(1);
    stage.becomes("hostile", "BUSY");
    stage.others_are_well();
    let (before, pid) = (stage.measure(), pid_of(&stage.daemon, "hostile"));
    look_for(Duration::from_secs(1));
    let after = stage.measure();
    assert!(after.lines == before.lines && after.ticks < before.ticks + 30, "{before:?}, then {after:?}");
    // Its end is seen as that of anybody else.
    send_signal(pid, Signal::USR1);
    until("another one", || pid_of(&stage.daemon, "hostile") != pid);
    stage.end_well();
}

#[test]
fn one_that_stands_still_for_a_while_hears_everything_afterwards() {
    let mut stage = Stage::start(&hostile("{child} listen:{dir}/hostile", ""));
    stage.others_are_well();
    let pid = pid_of(&stage.daemon, "hostile");
    send_signal(pid, Signal::STOP);
    stage.publish(3000);
    stage.others_are_well();
    assert!(stage.pool("hostile")["waiting"].as_u64() > Some(2000));
    send_signal(pid, Signal::CONT);
    until("all events", || has_all(&stage.file("hostile"), stage.published));
    stage.end_well();
}

/// Its standard output is somebody else's, too, who stays, and says more.
#[test]
fn a_grandchild_that_keeps_the_pipes_delays_no_successor() {
    let grandchild = "mkdir {dir}/once && { {child} ready event; {child} hello:grandchild flood:babble & exit 1; } || exec {child} listen:{dir}/hostile";
    let more = "stdout_logfile_maxbytes=1MB\nstdout_logfile_backups=0";
    let mut stage = Stage::start(&hostile(&format!("sh -c '{grandchild}'"), more));
    stage.publish(3);
    stage.daemon.wait_for_hello("grandchild");
    stage.others_are_well();
    until_within(2 * IN_TIME, "all events", || has_all(&stage.file("hostile"), stage.published));
    stage.end_well();

    let quiet = grandchild.replace(" flood:babble", " forever");
    let mut stage = Stage::start(&hostile(&format!("sh -c '{quiet}'"), ""));
    let asked = Instant::now();
    stage.publish(3);
    until_within(IN_TIME, "all events", || has_all(&stage.file("hostile"), stage.published));
    println!("behind a grandchild that keeps the pipe: {:?}", asked.elapsed());
    stage.others_are_well();
    stage.end_well();
}

/// Two processes on one pair of pipes: what comes of it is their affair, and nobody else's.
#[test]
fn two_that_share_their_pipes_hurt_only_themselves() {
    let both = "exec 3<&0; {child} listen:{dir}/one <&3 & exec {child} listen:{dir}/two";
    let mut stage = Stage::start(&hostile(&format!("sh -c '{both}'"), "stopasgroup=true\nkillasgroup=true"));
    stage.daemon.wait_for_log_line("hostile: has entered the UNKNOWN state");
    stage.others_are_well();
    stage.end_well();

    // One speaks for both, and whoever reads first has the event.
    let both = "exec 3<&0; {child} after:300ms event:{dir}/one ok <&3 & exec {child} ready event:{dir}/two after:1s ok forever";
    let mut stage = Stage::start(&hostile(&format!("sh -c '{both}'"), "stopasgroup=true\nkillasgroup=true"));
    stage.publish(5);
    stage.others_are_well();
    let pid = brain(&stage.daemon).pid();
    let before = ticks(pid);
    look_for(Duration::from_secs(1));
    assert!(ticks(pid) < before + 40);
    stage.end_well();
}

/// The one that takes its place ends, too, before a brain has heard of either.
#[test]
fn an_end_that_follows_on_an_end_is_heard_in_this_order() {
    let mut stage = Stage::start(&hostile("{child} listen:{dir}/hostile", ""));
    stage.others_are_well();
    let first = pid_of(&stage.daemon, "hostile");
    // The place of one that has lived for a second is taken at once, whatever the brain does.
    look_for(Duration::from_millis(1100));
    let brain = brain(&stage.daemon);
    brain.signal(Signal::STOP);
    send_signal(first, Signal::KILL);
    let is_listener = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|command| command.contains("/hostile"))
    };
    let keeper = stage.daemon.pid();
    let other = || descendants(keeper).into_iter().filter(is_listener).find(|pid| *pid != first);
    until("another one", || other().is_some());
    let second = other().unwrap();
    send_signal(second, Signal::KILL);
    until("its end", || !Path::new(&format!("/proc/{second}")).exists());
    brain.signal(Signal::CONT);
    until("a third one", || ![0, first, second].contains(&pid_of(&stage.daemon, "hostile")));
    stage.others_are_well();
    let pool = stage.pool("hostile");
    assert_eq!(pool["listeners"].as_array().unwrap().len(), 1, "{pool:#}");
    until("all events", || has_all(&stage.file("hostile"), stage.published));
    stage.end_well();
}

/// A brain dies between two ends: that of one whose last words its disk does not take, and that of the one who took its place and speaks already.
#[test]
fn who_has_taken_a_place_is_talked_to_by_the_next_brain_though_the_end_before_it_is_not_over() {
    let config = hostile("{child} listen:{dir}/hostile", "").replace("/hostile.log", "/slow/hostile.log");
    let mut stage = Stage::of(disk::start_with_stuck(&Stage::config(&config)));
    stage.others_are_well();
    until("all events", || has_all(&stage.file("hostile"), stage.published));
    let first = pid_of(&stage.daemon, "hostile");
    look_for(Duration::from_millis(1100));
    fs::write(stage.file("stuck"), "").unwrap();
    for _ in 0..3 {
        stage.publish(1);
        until("one more", || has_all(&stage.file("hostile"), stage.published));
        stage.becomes("hostile", "READY");
    }
    send_signal(first, Signal::KILL);
    stage.pool_becomes("hostile", |pool| {
        let mut listeners = pool["listeners"].as_array().unwrap().iter();
        listeners.any(|one| one["pid"] != first && one["state"] == "READY")
    });
    kill_brain(&mut stage.daemon);
    fs::remove_file(stage.file("stuck")).unwrap();
    stage.others_are_well();
    until("all events", || has_all(&stage.file("hostile"), stage.published));
    // And what the first one said last is in the log, on a disk that only the daemon sees.
    let log = format!("/proc/{}/root{}", stage.daemon.pid(), stage.file("slow/hostile.log").display());
    let answers = || fs::read_to_string(&log).unwrap().matches("RESULT 2\nOK").count() as u64;
    until("all answers", || answers() == stage.published);
    stage.end_well();
}

/// Of what happens before it is asked to stop itself a listener hears, however soon that is.
#[test]
fn that_everything_ends_is_heard() {
    for is_stopped in [true, false] {
        let section = hostile("{child} listen:{dir}/hostile", "");
        let section = section.replace(
            "REMOTE_COMMUNICATION",
            "SUPERVISOR_STATE_CHANGE,PROCESS_STATE_STOPPING,PROCESS_STATE_STOPPED",
        );
        let stage = Stage::start(&section);
        if is_stopped {
            assert_eq!(stage.daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        }
        let file = stage.file("hostile");
        until("the beginning", || told(&file).0.len() == 1 + 2 * usize::from(is_stopped));
        let mut daemon = stage.daemon;
        send_signal(daemon.pid(), Signal::TERM);
        assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
        // What the listeners themselves do last is told to some and is no loss to the others.
        let is_theirs = |told: &Told| told.payload.starts_with(b"processname:ho");
        let names: Vec<String> =
            told(&file).0.into_iter().filter(|told| !is_theirs(told)).map(|told| told.event).collect();
        let [begins, ends] = ["RUNNING", "STOPPING"].map(|state| format!("SUPERVISOR_STATE_CHANGE_{state}"));
        let [stopping, stopped] = ["STOPPING", "STOPPED"].map(|state| format!("PROCESS_STATE_{state}"));
        let expected = match is_stopped {
            true => [begins, stopping, stopped, ends],
            false => [begins, ends, stopping, stopped],
        };
        assert_eq!(names, expected);
        assert!(!daemon.log().all().iter().any(|line| line.contains("that no listener has taken")));
    }
}

/// Nobody waits for its answer for long, whichever brain it is.
#[test]
fn whoever_never_answers_does_not_keep_everything_from_ending() {
    for dies in [false, true] {
        let mut stage = Stage::start(&hostile("{child} ready event forever", ""));
        stage.publish(2);
        stage.becomes("hostile", "BUSY");
        let mind = brain(&stage.daemon);
        send_signal(stage.daemon.pid(), Signal::TERM);
        let asked = Instant::now();
        stage.daemon.wait_for_log_line("stopped: p ");
        if dies {
            mind.signal(Signal::KILL);
        }
        assert_eq!(stage.daemon.wait_for_end().and_then(|status| status.code()), Some(0));
        // Nor is it killed by force, after ten seconds.
        assert!(asked.elapsed() < 2 * IN_TIME, "{:?}", asked.elapsed());
        assert!(stage.has_said("stopped: hostile (terminated by SIGTERM)"));
    }
}
