//! Very many events that wait: in memory, on a disk, on one that is full, gone or hangs, and with programs that wait for them.
//!
//! `PROVOST_PAUSE_SECONDS=60` lets the paused listener of the first test stand still for a minute; the path is the same.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use provost_testkit::{HEAD, Signal, send_signal, told};
use serde_json::Value as Json;

use crate::disk;
use crate::stage::{
    Measure, Stage, has_all, kill_brain, look_for, nameless_files, number, pid_of, until, until_within,
};

/// Several, as a pipe is read no more often than some hundred times a second.
const WRITERS: usize = 25;
const WRITER: &str = "[program:w]\ncommand={child} each:LINES hello:wrote forever\nprocess_name=%(process_num)s\nnumprocs=25\nautostart=false\nautorestart=false\nstartsecs=0\nstdout_events_enabled=true\nstdout_logfile=NONE\n";

/// The listener that stands still, and programs that write so many lines each.
fn paused(more: &str, lines: usize) -> String {
    format!(
        "[eventlistener:paused]\ncommand={{child}} listen:{{dir}}/paused\nevents=REMOTE_COMMUNICATION,PROCESS_LOG\nstartsecs=0\nstdout_logfile=NONE\n{more}\n{}",
        WRITER.replace("LINES", &lines.to_string())
    )
}

/// Stops it with an event that it has and does not answer, and says how it is let go on.
#[track_caller]
fn pause(stage: &mut Stage) -> i32 {
    stage.pool_becomes("paused", |pool| pool["listeners"][0]["state"] == "READY" && pool["waiting"] == 0);
    let pid = pid_of(&stage.daemon, "paused");
    send_signal(pid, Signal::STOP);
    stage.publish(1);
    stage.becomes("paused", "BUSY");
    pid
}

#[track_caller]
fn is_done(stage: &Stage) -> Json {
    let is_so = |pool: &Json| pool["waiting"] == 0 && pool["listeners"][0]["event"].is_null();
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let pool = stage.pool("paused");
        if is_so(&pool) {
            return pool;
        }
        assert!(Instant::now() < end, "{pool:#}");
        look_for(Duration::from_millis(20));
    }
}

/// The numbers that it was told, and what each of the programs has said.
fn heard(stage: &Stage) -> (Vec<u64>, BTreeMap<String, String>) {
    let (events, rest) = told(&stage.file("paused"));
    assert!(rest.is_empty());
    assert!(events.iter().map(|told| told.serial).is_sorted_by(|a, b| a < b));
    let numbers = events.iter().filter_map(number).collect();
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for told in events.iter().filter(|told| told.event == "PROCESS_LOG_STDOUT") {
        let (head, data) = str::from_utf8(&told.payload).unwrap().split_once('\n').unwrap();
        let process = head.split(' ').next().unwrap().to_owned();
        said.entry(process).or_default().push_str(data);
    }
    (numbers, said)
}

/// Each of them has said all its lines.
#[track_caller]
fn have_said_all(said: &BTreeMap<String, String>, lines: usize) {
    let all: String = (1..=lines).map(|n| format!("line {n}\n")).collect();
    assert_eq!(said.len(), WRITERS);
    assert!(
        said.values().all(|said| *said == all),
        "{:?}",
        said.values().map(String::len).collect::<Vec<_>>()
    );
}

#[track_caller]
fn wait_for_writers(stage: &mut Stage) {
    // All of them are done at about the same time, and that is after long.
    (0..WRITERS).for_each(|_| drop(stage.daemon.wait_for_hello_within("wrote", Duration::from_secs(120))));
}

#[track_caller]
fn figures(when: &str, measure: Measure, stage: &Stage) -> u64 {
    let disk = nameless_files(stage.daemon.pid());
    println!("{when}: brain {} kB, memfds {} kB, files {disk} kB", measure.own, measure.shared);
    disk
}

#[test]
fn a_hundred_thousand_events_wait_for_one_who_stands_still() {
    const EACH: u64 = 50_000;
    const LINES: usize = EACH as usize / WRITERS;
    let pause_of = std::env::var("PROVOST_PAUSE_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
    let mut stage = Stage::start(&paused("", LINES));
    // What it takes to publish many is not what it takes to keep them.
    stage.publish(4000);
    let pid = pause(&mut stage);
    let began = Instant::now();
    let before = stage.measure();
    figures("before", before, &stage);
    stage.daemon.ctl(&["start", "w:*"]);
    stage.publish(EACH - 1);
    wait_for_writers(&mut stage);
    println!("100,000 events in {:?}", began.elapsed());
    // Others had everything meanwhile; so many take their time.
    until("what the honest one was to be told so far", || stage.honest_has_all());
    stage.others_are_well();
    let waiting = stage.pool("paused")["waiting"].as_u64().unwrap();
    let during = stage.measure();
    let disk = figures("while they wait", during, &stage);
    look_for(Duration::from_secs(pause_of).saturating_sub(began.elapsed()));
    let later = stage.measure();
    figures("after the pause", later, &stage);
    println!("{waiting} wait; the pause was {:?}", began.elapsed());
    assert!(waiting >= EACH + EACH / 10, "{waiting}");
    assert!(
        during.own < before.own + 4096 && during.shared < before.shared + 6 * 1024,
        "{before:?}, {during:?}"
    );
    assert!(disk > 4 * 1024, "{disk} kB on the disk");
    send_signal(pid, Signal::CONT);
    let went_on = Instant::now();
    let pool = is_done(&stage);
    println!("all of them were told in {:?}", went_on.elapsed());
    let (numbers, said) = heard(&stage);
    assert!(numbers.into_iter().eq(0..stage.published));
    have_said_all(&said, LINES);
    assert_eq!(pool["discarded"], 0);
    let after = stage.measure();
    let disk = figures("afterwards", after, &stage);
    assert!(after.own < during.own + 1024 && after.shared < before.shared + 1024, "{before:?}, {after:?}");
    assert!(disk < 1024, "{disk} kB are still on the disk");
    stage.others_are_well();
    stage.end_well();
}

#[test]
fn a_program_waits_for_its_listener_where_that_was_asked_for() {
    const LINES: usize = 200;
    let mut stage = Stage::start(&paused("overflow=block\nbuffer_size=10", LINES));
    let pid = pause(&mut stage);
    stage.daemon.ctl(&["start", "w:*"]);
    let pool = stage.pool_becomes("paused", |pool| pool["waiting"].as_u64() >= Some(10));
    let before = pool["waiting"].as_u64().unwrap();
    assert!(before <= 11, "{pool:#}");
    // What others say is kept beyond that, and nobody else waits.
    stage.publish(1000);
    stage.others_are_well();
    let pool = stage.pool("paused");
    assert_eq!(pool["waiting"], before + 1000 + 20, "{pool:#}");
    let event = &pool["listeners"][0]["event"];
    kill_brain(&mut stage.daemon);
    stage.others_are_well();
    let pool = stage.pool("paused");
    assert_eq!(pool["waiting"], before + 1000 + 40);
    assert!(event.is_u64() && pool["listeners"][0]["event"] == *event, "{event} is out: {pool:#}");
    send_signal(pid, Signal::CONT);
    wait_for_writers(&mut stage);
    let pool = is_done(&stage);
    let (numbers, said) = heard(&stage);
    assert!(numbers.into_iter().eq(0..stage.published));
    have_said_all(&said, LINES);
    assert_eq!(pool["discarded"], 0);
    stage.end_well();
}

#[test]
fn the_newest_events_are_kept_where_that_was_asked_for() {
    const MANY: u64 = 10_000;
    let mut stage = Stage::start(&paused("overflow=drop\nbuffer_size=10", 0));
    let pid = pause(&mut stage);
    stage.publish(MANY);
    let before = stage.measure();
    stage.publish(MANY);
    let pool = stage.pool("paused");
    assert_eq!((&pool["waiting"], &pool["discarded"]), (&10.into(), &(2 * MANY - 10).into()), "{pool:#}");
    until("what the honest one was to be told so far", || stage.honest_has_all());
    stage.others_are_well();
    let after = stage.measure();
    assert!(after.own < before.own + 2048 && after.shared < before.shared + 1024, "{before:?}, {after:?}");
    send_signal(pid, Signal::CONT);
    is_done(&stage);
    let (numbers, _) = heard(&stage);
    assert!(
        numbers.iter().copied().eq([0].into_iter().chain(stage.published - 10..stage.published)),
        "{numbers:?}"
    );
    // Each that was discarded is told of by its serial.
    let serials: Vec<u64> = told(&stage.file("honest")).0.iter().map(|told| told.serial).collect();
    let said: Vec<String> = stage
        .daemon
        .log()
        .all()
        .iter()
        .filter_map(|line| line.split_once(" ERRO pool paused event buffer overflowed, discarding event "))
        .map(|(_, serial)| serial.to_owned())
        .collect();
    let dropped = &serials[1..serials.len() - 10];
    assert!(
        said.iter().eq(dropped.iter().map(u64::to_string).collect::<Vec<_>>().iter()),
        "{} lines",
        said.len()
    );
    stage.end_well();
}

/// What was told is the first, which was out, those next to it that lay on a disk all the time, and then everything from some event on.
#[track_caller]
fn is_the_first_and_the_newest(stage: &Stage, on_disk: u64, at_least: u64) {
    let (numbers, _) = heard(stage);
    let kept = numbers.len() as u64 - 1 - on_disk;
    assert!(
        numbers.iter().copied().eq((0..=on_disk).chain(stage.published - kept..stage.published)),
        "{numbers:?}"
    );
    println!("{kept} of {} were kept", stage.published - 1);
    assert!(kept >= at_least, "{kept}");
}

#[test]
fn the_oldest_go_when_more_than_may_would_be_on_a_disk() {
    let mut stage = Stage::start(&paused("overflow_maxbytes=1MB", 0));
    let pid = pause(&mut stage);
    for _ in 0..50 {
        stage.publish_long(100_000);
    }
    stage.others_are_well();
    let disk = nameless_files(stage.daemon.pid());
    assert!(disk <= 1100, "{disk} kB");
    stage.daemon.wait_for_log_line("more than overflow_maxbytes=1048576 would be on disk");
    let discarded = stage.pool("paused")["discarded"].as_u64().unwrap();
    assert!((25..=45).contains(&discarded), "{discarded}");
    send_signal(pid, Signal::CONT);
    is_done(&stage);
    is_the_first_and_the_newest(&stage, 0, 20 + 10);
    stage.end_well();
}

/// With a small disk, or a slow one, for events.
fn head(place: &str) -> String {
    HEAD.replace("childlogdir={dir}", &format!("childlogdir={{dir}}/{place}"))
}

fn without_logs(config: &str) -> String {
    Stage::config(config)
        .replace("startsecs=0", "startsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE")
        .replace("stdout_logfile=NONE\nstdout_logfile=NONE", "stdout_logfile=NONE")
}

#[test]
fn a_full_disk_takes_as_many_events_as_memory_has_room_for() {
    let config = without_logs(&paused("", 0).replace("\nstdout_logfile=NONE", ""));
    let (daemon, small) = disk::start_behind("", 1, &(head("small") + &config));
    let mut stage = Stage::of(daemon);
    let pid = pause(&mut stage);
    small.leave(300_000);
    let before = stage.measure();
    for _ in 0..40 {
        stage.publish_long(100_000);
    }
    stage.daemon.wait_for_log_line(
        "pool paused: events find no room in memory, and cannot write to its file: No space left on device",
    );
    stage.others_are_well();
    assert_eq!(stage.pool("paused")["discarded"], 0);
    // And more than that is discarded.
    for _ in 0..200 {
        stage.publish_long(100_000);
    }
    stage.others_are_well();
    let after = stage.measure();
    println!("kB with a full disk: {before:?}, then {after:?}");
    assert!(
        after.own < before.own + 4096 && after.shared < before.shared + 20 * 1024,
        "{before:?}, {after:?}"
    );
    assert!(stage.has_said("ERRO pool paused event buffer overflowed, discarding event "));
    // What the disk has taken stays.
    let on_disk = stage.pool("paused")["on_disk"].as_u64().unwrap();
    assert!(on_disk > 0);
    kill_brain(&mut stage.daemon);
    stage.others_are_well();
    send_signal(pid, Signal::CONT);
    is_done(&stage);
    is_the_first_and_the_newest(&stage, on_disk, 140);
    stage.end_well();
}

#[test]
fn events_find_their_file_when_the_directory_is_there_again() {
    let sandbox = provost_testkit::Sandbox::new();
    fs::create_dir(sandbox.file("logs")).unwrap();
    let config = without_logs(&paused("", 0).replace("\nstdout_logfile=NONE", ""));
    let ours = provost_testkit::Implementation::ours();
    let daemon = provost_testkit::Daemon::start_in(sandbox, &ours, &(head("logs") + &config));
    let mut stage = Stage::of(daemon);
    let pid = pause(&mut stage);
    fs::remove_dir_all(stage.file("logs")).unwrap();
    for _ in 0..30 {
        stage.publish_long(100_000);
    }
    stage.daemon.wait_for_log_line("pool paused: events find no room in memory, and cannot make a file in ");
    stage.others_are_well();
    assert_eq!(nameless_files(stage.daemon.pid()), 0);
    fs::create_dir(stage.file("logs")).unwrap();
    until("a file", || nameless_files(stage.daemon.pid()) > 1000);
    send_signal(pid, Signal::CONT);
    assert_eq!(is_done(&stage)["discarded"], 0);
    assert!(has_all(&stage.file("paused"), stage.published));
    stage.end_well();
}

/// Nobody but the thread that tells listeners waits for a disk, and those whom it would tell meanwhile.
#[test]
fn a_disk_that_hangs_under_events_keeps_no_program_and_no_command_waiting() {
    let config = without_logs(&paused("", 0).replace("\nstdout_logfile=NONE", ""));
    let mut stage = Stage::of(disk::start_stuck(&(head("slow") + &config)));
    let pid = pause(&mut stage);
    for _ in 0..30 {
        stage.publish_long(100_000);
    }
    stage.pool_becomes("paused", |pool| pool["on_disk"].as_u64() >= Some(15));
    fs::write(stage.file("stuck"), "").unwrap();
    send_signal(pid, Signal::CONT);
    stage.publish(20);
    stage.programs_are_well();
    for _ in 0..30 {
        stage.publish_long(100_000);
    }
    stage.programs_are_well();
    fs::remove_file(stage.file("stuck")).unwrap();
    is_done(&stage);
    assert!(has_all(&stage.file("paused"), stage.published));
    stage.end_well();
}

#[test]
fn what_is_said_of_very_many_events_takes_no_memory() {
    let mut stage = Stage::start_with("loglevel=debug\n", &paused("", 0));
    stage.publish(4000);
    let pid = pause(&mut stage);
    stage.publish(30_000);
    let before = stage.measure();
    send_signal(pid, Signal::CONT);
    let mut most = before.own;
    until_within(Duration::from_secs(120), "all of them", || {
        most = most.max(stage.measure().own);
        stage.pool("paused")["waiting"] == 0
    });
    println!("while 30,000 events are told at loglevel=debug: {} kB, then {most} kB", before.own);
    assert!(most < before.own + 6 * 1024, "{} kB, then {most} kB", before.own);
    stage.others_are_well();
    stage.end_well();
}
