//! A disk that is full, or may not be written to: only those who log there notice, they wait or are told what they lost, and when
//! there is room again every byte is there that can be.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use provost_testkit::{DEADLINE, Daemon, HEAD, Matter, Signal, Torrent, send_signal};

use crate::disk::{Disk, start_with};
use crate::stage::{
    ONCE, all_of, brain, end_well, gaps, is_whole, kill_brain, own_memory, size_of, started_by, until,
    until_within,
};

const MUCH: u64 = 5_000_000;
const ROOM: u64 = 2_000_000;

fn writer(more: &str) -> String {
    format!(
        "[program:a]\ncommand={{child}} torrent:matter=binary,bytes={MUCH} hello forever\nautostart=false\nstartsecs=0\nstdout_logfile={{dir}}/small/a.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n{more}\n"
    )
}

const NEIGHBOUR: &str =
    "[program:b]\ncommand={child} say:here hello forever\nstartsecs=0\nstdout_logfile={dir}/b.log\n";

/// Fills the disk, and waits until it is told.
#[track_caller]
fn fill(daemon: &mut Daemon, disk: &Disk) {
    disk.leave(ROOM);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("a.log: No space left on device");
}

/// Whoever logs elsewhere starts, speaks and stops as ever.
#[track_caller]
fn neighbours_are_well(daemon: &mut Daemon) {
    let log = daemon.sandbox().file("b.log");
    let before = size_of(&log);
    let asked = Instant::now();
    daemon.ctl(&["restart", "b"]);
    daemon.wait_for_hello("b");
    until("the word of a neighbour", || size_of(&log) > before);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

#[track_caller]
fn goes_on_and_is_whole(mut daemon: Daemon, disk: &Disk) {
    let log = disk.file("a.log");
    assert!(size_of(&log) <= ROOM + 4096);
    neighbours_are_well(&mut daemon);
    disk.relieve();
    until_within(Duration::from_secs(8), "all bytes", || size_of(&log) >= MUCH);
    daemon.wait_for_hello("a");
    is_whole(Torrent::new(Matter::Binary, 0), &all_of(&log), MUCH);
    daemon.wait_for_log_line("a.log can be written again");
    end_well(daemon);
}

#[test]
fn a_line_of_the_audit_that_is_cut_short_spoils_no_other() {
    let (mut daemon, disk) = start_with(1, &format!("audit_logfile={{dir}}/small/audit.json\n{NEIGHBOUR}"));
    daemon.wait_for_hello("b");
    let deed = |daemon: &Daemon| assert_eq!(daemon.ctl(&["signal", "CONT", "b"]).stdout, "b: signalled\n");
    let audit = disk.file("audit.json");
    deed(&daemon);
    until("a line", || size_of(&audit) > 0);
    disk.leave(0);
    let mut deeds = 1;
    // What it has of the disk is a page, and the last line in it may end nowhere.
    while size_of(&audit) < 4096 {
        let before = size_of(&audit);
        deed(&daemon);
        deeds += 1;
        until("a line", || size_of(&audit) > before);
    }
    // And if it does end there, the next has no room at all.
    deed(&daemon);
    deeds += 1;
    daemon.wait_for_log_line("audit.json: No space left on device");
    let lines = || fs::read_to_string(&audit).unwrap();
    let is_whole = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    let whole = || lines().lines().filter(is_whole).count();
    disk.relieve();
    deed(&daemon);
    deed(&daemon);
    let told = daemon.wait_for_log_line(" lines are missing in the audit file");
    let missing: usize =
        told.split(" lines are").next().and_then(|text| text.rsplit(' ').next()).unwrap().parse().unwrap();
    // The last before the disk was full, and perhaps the one that came then: it may have waited until there was room.
    assert!((1..=2).contains(&missing), "{told}");
    let last_two = || lines().lines().rev().take(2).filter(is_whole).count();
    until("all other lines", || whole() + missing >= deeds + 2 && last_two() == 2);
    // One that lacks nothing but its end is missing to those who wrote it, and not to those who read.
    assert!(whole() + missing <= deeds + 3, "{} and {missing} of {}", whole(), deeds + 2);
    assert!(lines().lines().filter(|line| !is_whole(line)).count() <= 1, "{}", lines());
    end_well(daemon);
}

#[test]
fn a_program_waits_for_room_and_nothing_is_missing() {
    let (mut daemon, disk) = start_with(8, &(writer("") + NEIGHBOUR));
    daemon.wait_for_hello("b");
    fill(&mut daemon, &disk);
    goes_on_and_is_whole(daemon, &disk);
}

#[test]
fn brains_that_die_while_a_disk_is_full_lose_nothing_of_it() {
    let (mut daemon, disk) = start_with(8, &(writer("") + NEIGHBOUR));
    daemon.wait_for_hello("b");
    fill(&mut daemon, &disk);
    for _ in 0..3 {
        kill_brain(&mut daemon);
        neighbours_are_well(&mut daemon);
    }
    let log = disk.file("a.log");
    disk.relieve();
    until("all bytes", || size_of(&log) >= MUCH);
    is_whole(Torrent::new(Matter::Binary, 0), &all_of(&log), MUCH);
    end_well(daemon);
}

#[test]
fn an_upgrade_while_a_disk_is_full_loses_nothing_of_it() {
    let (mut daemon, disk) = start_with(8, &(writer("") + NEIGHBOUR));
    daemon.wait_for_hello("b");
    fill(&mut daemon, &disk);
    let said = daemon.ctl(&["upgrade"]);
    assert_eq!(said.status, 0, "{said:?}");
    neighbours_are_well(&mut daemon);
    let log = disk.file("a.log");
    disk.relieve();
    until("all bytes", || size_of(&log) >= MUCH);
    is_whole(Torrent::new(Matter::Binary, 0), &all_of(&log), MUCH);
    end_well(daemon);
}

#[test]
fn a_program_that_is_stopped_while_its_disk_is_full_is_whole_afterwards() {
    let (mut daemon, disk) = start_with(8, &(writer("") + NEIGHBOUR));
    daemon.wait_for_hello("b");
    fill(&mut daemon, &disk);
    let asked = Instant::now();
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    disk.relieve();
    // Nobody knows how much it had written when it was stopped: what is there is in one piece, and more than found room.
    let log = disk.file("a.log");
    until("what was in the pipe", || size_of(&log) > ROOM + 4096);
    daemon.wait_for_log_line("a.log can be written again");
    assert_eq!(Torrent::new(Matter::Binary, 0).first_fault(0, &all_of(&log)), None);
    end_well(daemon);
}

#[test]
fn the_end_of_the_daemon_waits_for_no_room() {
    let (mut daemon, disk) = start_with(8, &writer(""));
    fill(&mut daemon, &disk);
    let asked = Instant::now();
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    daemon.wait_for_log_line("a.log took nothing until the end");
}

/// What it could not say is counted where it is missing, whether or not it has more to say.
#[test]
fn a_program_that_may_lose_output_goes_on_and_its_log_tells_how_much_is_missing() {
    let (mut daemon, disk) = start_with(8, &(writer("log_overflow=drop") + NEIGHBOUR));
    daemon.wait_for_hello("b");
    fill(&mut daemon, &disk);
    daemon.wait_for_hello("a");
    neighbours_are_well(&mut daemon);
    disk.relieve();
    let log = disk.file("a.log");
    is_marked(&log);
    let line = daemon.wait_for_log_line("a.log can be written again");
    assert!(line.contains("bytes of output were lost"), "{line}");
    end_well(daemon);
}

#[track_caller]
fn is_marked(log: &Path) {
    const MARK: &[u8] = b"No space left on device (os error 28)\n";
    // It may have more to say behind that: what was in its pipe when there was room again.
    until("a mark, and all that is not missing", || {
        let all = all_of(log);
        let is_marked = all.windows(MARK.len()).any(|piece| piece == MARK);
        is_marked && {
            let (kept, missing, marks) = gaps(Torrent::new(Matter::Binary, 0), &all);
            assert_eq!(marks, 1, "{kept} bytes kept, {missing} missing");
            kept + missing == MUCH
        }
    });
}

#[test]
fn the_log_of_a_program_that_has_ended_tells_how_much_is_missing() {
    let config = writer("log_overflow=drop\nautorestart=false").replace("hello forever", "exit:0");
    let (mut daemon, disk) = start_with(8, &config);
    fill(&mut daemon, &disk);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    disk.relieve();
    is_marked(&disk.file("a.log"));
    end_well(daemon);
}

/// Files may not become larger than that: a limit is no full disk, which may get better.
#[test]
fn a_log_that_may_not_grow_any_more_stops_nobody() {
    const MOST: u64 = 3_000_000;
    let config = writer("").replace("{dir}/small", "{dir}") + NEIGHBOUR;
    let ours = started_by(&["prlimit", &format!("--fsize={MOST}")]);
    let mut daemon = Daemon::start(&ours, &format!("{HEAD}{config}"));
    daemon.wait_for_hello("b");
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("a.log: File too large");
    neighbours_are_well(&mut daemon);
    let log = daemon.sandbox().file("a.log");
    assert_eq!(Torrent::new(Matter::Binary, 0).first_fault(0, &all_of(&log)), None);
    assert_eq!(size_of(&log), MOST);
    // Whoever makes room has all of it.
    let kept = all_of(&log);
    assert_eq!(daemon.ctl(&["clear", "a"]).stdout, "a: cleared\n");
    until("the rest", || size_of(&log) >= MUCH - MOST);
    daemon.wait_for_hello("a");
    is_whole(Torrent::new(Matter::Binary, 0), &[kept, all_of(&log)].concat(), MUCH);
    end_well(daemon);
}

/// Full files get out of the way, and the next one finds no room. Somebody takes them away one by one.
#[test]
fn a_disk_that_is_full_of_rotated_files_is_whole_when_they_are_taken_away() {
    let config = writer("").replace("maxbytes=0", "maxbytes=500KB\nstdout_logfile_backups=100");
    let (daemon, disk) = start_with(2, &config);
    daemon.ctl(&["start", "a"]);
    let log = disk.file("a.log");
    let mut saved = Vec::new();
    while (saved.len() as u64) < MUCH - 500_000 {
        // The oldest first. The numbers of the others may move while we look, but not below it.
        until("a full file", || disk.file("a.log.1").exists());
        // While it is full nothing is rotated.
        until("the disk is full, or all is written", || {
            let there: u64 = crate::stage::files_of(&log).iter().map(|file| size_of(file)).sum();
            disk.room() == 0 || saved.len() as u64 + there >= MUCH
        });
        let oldest = crate::stage::files_of(&log).remove(0);
        if oldest != log
            && let Ok(text) = fs::read(&oldest)
            && fs::remove_file(&oldest).is_ok()
        {
            saved.extend(text);
        }
    }
    until("the rest", || saved.len() as u64 + size_of(&log) >= MUCH);
    saved.extend(all_of(&log));
    is_whole(Torrent::new(Matter::Binary, 0), &saved, MUCH);
    end_well(daemon);
}

#[test]
fn on_a_disk_that_may_only_be_read_a_program_does_not_start_and_later_it_does() {
    let (mut daemon, disk) = start_with(8, &writer("startretries=0"));
    disk.remount("ro");
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: ERROR (spawn error)\n");
    daemon.wait_for_log_line("EROFS");
    disk.remount("rw");
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
    daemon.wait_for_hello("a");
    until("all bytes", || size_of(&disk.file("a.log")) >= MUCH);
    end_well(daemon);
}

#[test]
fn five_hundred_programs_that_wait_for_room_take_little_memory() {
    const PROGRAMS: u64 = 500;
    let config = format!(
        "[program:p]\ncommand={{child}} torrent:bytes=100000,seed=%(process_num)s exit:0\nprocess_name=p%(process_num)s\nnumprocs={PROGRAMS}\n{ONCE}autostart=false\nstdout_logfile={{dir}}/small/%(process_num)s.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n"
    );
    let (mut daemon, disk) = start_with(64, &config);
    let mind = brain(&daemon).pid();
    disk.leave(100_000);
    let before = own_memory(mind);
    daemon.ctl(&["start", "p:*"]);
    let told = |daemon: &mut Daemon| {
        daemon.log().all().iter().filter(|line| line.contains("No space left on device")).count() as u64
    };
    until("most of them to wait", || told(&mut daemon) >= PROGRAMS - 30);
    let waiting = own_memory(mind);
    assert!(waiting < before + 8 * 1024, "{before} kB, then {waiting} kB");
    disk.relieve();
    let end = Instant::now() + DEADLINE;
    for n in 0..PROGRAMS {
        let log = disk.file(&format!("{n}.log"));
        until_within(end - Instant::now(), "all of each", || size_of(&log) >= 100_000);
        is_whole(Torrent::new(Matter::Lines, n), &all_of(&log), 100_000);
    }
    end_well(daemon);
    println!("kB of 500 programs that wait: {before} before, {waiting} with them");
}

/// What a program said before its brain died comes as soon as there is room, though it says no more.
#[test]
fn what_a_dead_brain_could_not_write_waits_for_no_further_word() {
    let config = "[program:a]\ncommand={child} say:words hello forever\nautostart=false\nstartsecs=0\nstdout_logfile={dir}/small/a.log\nstderr_logfile=NONE\n";
    let (mut daemon, disk) = start_with(1, config);
    disk.leave(0);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("a.log: No space left on device");
    kill_brain(&mut daemon);
    daemon.wait_for_log_line("bytes that a brain died writing wait");
    disk.relieve();
    let log = disk.file("a.log");
    until_within(Duration::from_secs(8), "the words", || size_of(&log) > 0);
    assert!(fs::read(&log).unwrap().starts_with(b"words"));
    end_well(daemon);
}
