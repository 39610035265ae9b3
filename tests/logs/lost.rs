//! Directories that go away under a log, or turn into something else; and the main log, when it is that which cannot be written.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use provost_testkit::{Daemon, HEAD, Implementation, Lines, Matter, Sandbox, Signal, Torrent, send_signal};

use crate::disk::start_with_main_log;
use crate::stage::{all_of, end_well, is_whole, kill_brain, size_of, started_by, until, until_within};

const MUCH: u64 = 3_000_000;

/// It says `a` before each of its torrents, and waits to be told to go on.
fn in_parts(log: &str) -> String {
    let part =
        |n| format!("{{child}} hello; read x <{{dir}}/go; {{child}} torrent:seed={n},bytes={MUCH} taken; ");
    let script: String = (0..3).map(part).collect();
    format!(
        "[program:a]\ncommand=sh -c \"{script} exec {{child}} hello forever\"\nstopasgroup=true\nkillasgroup=true\nstartsecs=0\nstdout_logfile={log}\nstderr_logfile=NONE\n"
    )
}

#[track_caller]
fn begin_in() -> Sandbox {
    let sandbox = Sandbox::new();
    nix::unistd::mkfifo(&sandbox.file("go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(sandbox.file("d")).unwrap();
    sandbox
}

#[track_caller]
fn begin(config: &str) -> Daemon {
    Daemon::start_in(begin_in(), &Implementation::ours(), &format!("{HEAD}{config}"))
}

/// Lets the program write its next torrent.
#[track_caller]
fn go_on(daemon: &mut Daemon) {
    daemon.wait_for_hello("a");
    fs::write(daemon.sandbox().file("go"), "x\n").unwrap();
}

/// A full log has nowhere to go. The program writes on into what it has; when there is a directory again everything is as before.
#[track_caller]
fn a_directory_goes(spoil: impl FnOnce(&Path), mend: impl FnOnce(&Path)) {
    let rotates = "stdout_logfile_maxbytes=1MB\nstdout_logfile_backups=10\n";
    let mut daemon = begin(&(in_parts("{dir}/d/a.log") + rotates));
    let (place, log) = (daemon.sandbox().file("d"), daemon.sandbox().file("d/a.log"));
    go_on(&mut daemon);
    until("the first part", || size_of(&log) >= MUCH);
    is_whole(Torrent::new(Matter::Lines, 0), &all_of(&log), MUCH);
    spoil(&place);
    go_on(&mut daemon);
    // It has been taken, or it would not say this.
    daemon.wait_for_hello("a");
    is_told_of_once(&mut daemon, |line| line.contains("CRIT") && line.contains("a.log"));
    mend(&place);
    assert_eq!(daemon.ctl(&["reopen", "a"]).stdout, "a: reopened\n");
    fs::write(daemon.sandbox().file("go"), "x\n").unwrap();
    until("the last part", || size_of(&log) >= MUCH);
    is_whole(Torrent::new(Matter::Lines, 2), &all_of(&log), MUCH);
    end_well(daemon);
}

/// Trouble is. The line may be on its way yet.
#[track_caller]
fn is_told_of_once(daemon: &mut Daemon, is_it: impl Fn(&str) -> bool) {
    let mut told = || daemon.log().all().iter().filter(|line| is_it(line)).count();
    until("trouble is told of", || told() > 0);
    assert_eq!(told(), 1, "trouble is told of once");
}

#[test]
fn the_directory_of_a_log_is_removed() {
    a_directory_goes(|place| fs::remove_dir_all(place).unwrap(), |place| fs::create_dir(place).unwrap());
}

#[test]
fn the_directory_of_a_log_is_replaced_by_a_file() {
    let spoil = |place: &Path| {
        fs::remove_dir_all(place).unwrap();
        fs::write(place, "no directory").unwrap();
    };
    let mend = |place: &Path| {
        fs::remove_file(place).unwrap();
        fs::create_dir(place).unwrap();
    };
    a_directory_goes(spoil, mend);
}

/// Neither may it move a full log out of the way there, nor make a new one.
#[test]
fn the_directory_of_a_log_may_not_be_changed_any_more() {
    let nobodys = if nix::unistd::geteuid().is_root() { "user=nobody\n" } else { "" };
    let rotates = "stdout_logfile_maxbytes=1MB\nstdout_logfile_backups=10\n";
    let config = nobodys.to_owned() + &in_parts("{dir}/d/a.log") + rotates;
    let sandbox = begin_in();
    if !nobodys.is_empty() {
        for place in ["", "d", "go"] {
            std::os::unix::fs::chown(sandbox.file(place), Some(65534), None).unwrap();
        }
    }
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &format!("{HEAD}{config}"));
    let (place, log) = (daemon.sandbox().file("d"), daemon.sandbox().file("d/a.log"));
    let may = |mode| fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
    go_on(&mut daemon);
    until("the first part", || size_of(&log) >= MUCH);
    may(0o555);
    go_on(&mut daemon);
    daemon.wait_for_hello("a");
    is_told_of_once(&mut daemon, |line| line.contains("a.log: Permission denied"));
    may(0o755);
    fs::write(daemon.sandbox().file("go"), "x\n").unwrap();
    until("the last part", || size_of(&log) >= 3 * MUCH);
    let all = all_of(&log);
    for (part, seed) in all.chunks(MUCH as usize).zip(0..) {
        is_whole(Torrent::new(Matter::Lines, seed), part, MUCH);
    }
    end_well(daemon);
}

/// A new brain finds no directory: then what the program says waits until there is one.
#[test]
fn a_log_that_a_new_brain_cannot_open_is_whole_when_it_can() {
    let mut daemon = begin(&(in_parts("{dir}/d/a.log") + "stdout_logfile_maxbytes=0\n"));
    let (place, log) = (daemon.sandbox().file("d"), daemon.sandbox().file("d/a.log"));
    go_on(&mut daemon);
    until("the first part", || size_of(&log) >= MUCH);
    daemon.wait_for_hello("a");
    fs::remove_dir_all(&place).unwrap();
    kill_brain(&mut daemon);
    daemon.wait_for_log_line("its output waits (log_overflow=block)");
    fs::write(daemon.sandbox().file("go"), "x\n").unwrap();
    fs::create_dir(&place).unwrap();
    daemon.wait_for_log_line("a.log could be opened now");
    until("the second part", || size_of(&log) >= MUCH);
    is_whole(Torrent::new(Matter::Lines, 1), &all_of(&log), MUCH);
    end_well(daemon);
}

const NEIGHBOUR: &str =
    "[program:b]\ncommand={child} hello forever\nstartsecs=0\nstdout_logfile={dir}/b.log\n";

#[test]
fn what_the_main_log_has_no_room_for_is_counted_in_it() {
    let (mut daemon, disk) = start_with_main_log(1, NEIGHBOUR);
    daemon.wait_for_hello("b");
    disk.leave(0);
    for _ in 0..40 {
        assert_eq!(daemon.ctl(&["restart", "b"]).stdout, "b: stopped\nb: started\n");
        daemon.wait_for_hello("b");
    }
    let log = disk.file("main.log");
    let size = size_of(&log);
    assert_eq!(size % 4096, 0, "it is full");
    disk.relieve();
    until_within(Duration::from_secs(8), "a line of what was lost", || size_of(&log) > size);
    let text = String::from_utf8(fs::read(&log).unwrap()).unwrap();
    let lost = text.lines().find(|line| line.contains("lines of this log were lost")).unwrap();
    assert!(lost.starts_with("20") && lost[23..].starts_with(" CRIT "), "{lost}");
    let count: usize = lost.split(' ').nth(3).unwrap().parse().unwrap();
    // The copy on the terminal has all of them.
    let copy = fs::read_to_string(daemon.sandbox().file("daemon.out")).unwrap();
    assert_eq!(copy.matches("spawned: 'b'").count(), 41);
    let (said, kept) = (copy.lines().count(), text.lines().filter(|line| copy.contains(*line)).count());
    assert!(said == kept + count || said == kept + count - 1, "{said} lines said, {kept} kept, {count} lost");
    end_well(daemon);
}

#[test]
fn nobody_reads_the_copy_of_the_main_log_and_nobody_waits_for_that() {
    let sandbox = Sandbox::new();
    nix::unistd::mkfifo(&sandbox.file("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _end = File::options().read(true).write(true).open(sandbox.file("fifo")).unwrap();
    let config = format!(
        "{HEAD}loglevel=debug\n[program:a]\ncommand={{child}} torrent:bytes={MUCH} hello forever\nstdout_logfile={{dir}}/a.log\nstdout_logfile_maxbytes=0\n"
    );
    let ours = started_by(&["sh", "-c", "exec \"$@\" >fifo", "sh"]);
    let mut daemon = Daemon::start_in(sandbox, &ours, &config);
    daemon.wait_for_hello("a");
    let log = daemon.sandbox().file("a.log");
    until("all bytes", || size_of(&log) >= MUCH);
    is_whole(Torrent::new(Matter::Lines, 0), &all_of(&log), MUCH);
    let asked = Instant::now();
    assert_eq!(daemon.ctl(&["status", "a"]).status, 0);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    // All of it was copied into the main log, too.
    let mut main_log = Lines::follow(&daemon.sandbox().file("main.log"));
    main_log.wait_for(&format!("{:012} ", MUCH / 100 - 1));
    let asked = Instant::now();
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}
