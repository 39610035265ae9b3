//! What the themes share: starting ours, its brain, and what there is in logs.
//!
//! In: a running [`Daemon`]. Out: pids, bytes, kilobytes. Not here: expectations, but for the one that all themes have: a log has
//! exactly what was written ([`is_whole`]).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use provost_testkit::{Daemon, HEAD, Implementation, Process, Signal, Torrent, descendants, send_signal};
pub(crate) use provost_testkit::{until, until_within};

/// A program that runs once.
pub(crate) const ONCE: &str = "startsecs=0\nautorestart=false\n";

/// Ours in the foreground, with the usual head before `config`.
#[track_caller]
pub(crate) fn start(config: &str) -> Daemon {
    Daemon::start(&Implementation::ours(), &format!("{HEAD}{config}"))
}

/// Ours, started through another program: `words` come before the daemon's own command line.
pub(crate) fn started_by(words: &[&str]) -> Implementation {
    let ours = Implementation::ours();
    let mut supervisord: Vec<OsString> = words.iter().map(OsString::from).collect();
    supervisord.extend(ours.supervisord.iter().cloned());
    Implementation { supervisord, ..ours }
}

/// The keeper's child that thinks.
#[track_caller]
pub(crate) fn brain(daemon: &Daemon) -> Process {
    let is_brain = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "provost-brain\n")
    };
    let found = descendants(daemon.pid()).into_iter().find(is_brain);
    Process::new(found.expect("a running daemon has a brain"))
}

/// Ends the brain with SIGKILL and waits until its successor speaks.
#[track_caller]
pub(crate) fn kill_brain(daemon: &mut Daemon) {
    let brain = brain(daemon);
    brain.signal(Signal::KILL);
    brain.wait_until_gone();
    daemon.wait_for_log_line(&format!("the brain (pid {}) has ended unexpectedly", brain.pid()));
}

/// Asks the daemon to end and expects that it does so in good order.
#[track_caller]
pub(crate) fn end_well(mut daemon: Daemon) {
    send_signal(daemon.pid(), Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

/// The rotated files of a log, the oldest first, and then the log itself.
pub(crate) fn files_of(log: &Path) -> Vec<PathBuf> {
    let name = format!("{}.", log.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(log.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let mut rotated: Vec<(u32, PathBuf)> = entries
        .filter_map(|path| Some((path.file_name()?.to_str()?.strip_prefix(&name)?.parse().ok()?, path)))
        .collect();
    rotated.sort_by_key(|(number, _)| u32::MAX - number);
    rotated.into_iter().map(|(_, path)| path).chain([log.to_owned()]).collect()
}

/// Everything that a log and its rotated files hold.
pub(crate) fn all_of(log: &Path) -> Vec<u8> {
    files_of(log).iter().flat_map(|file| fs::read(file).unwrap_or_default()).collect()
}

/// How much that is.
pub(crate) fn size_of(log: &Path) -> u64 {
    files_of(log).iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

/// Exactly this many bytes of the torrent, from its beginning.
#[track_caller]
pub(crate) fn is_whole(torrent: Torrent, found: &[u8], bytes: u64) {
    if let Some(at) = torrent.first_fault(0, found) {
        let around = &found[at.saturating_sub(20) as usize..found.len().min(at as usize + 60)];
        panic!("wrong from byte {at} of {} on: {:?}", found.len(), String::from_utf8_lossy(around));
    }
    assert_eq!(found.len() as u64, bytes, "bytes in the log, and bytes written");
}

/// What this process has in memory that is in no file, in kB. Whom it shares that with since a fork, and for how long, is chance.
pub(crate) fn own_memory(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    value.split_whitespace().next().unwrap().parse().unwrap()
}

/// User and system time of the brain, in clock ticks.
pub(crate) fn cpu_ticks(daemon: &Daemon) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", brain(daemon).pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The pid of a program, as supervisorctl says it.
#[track_caller]
pub(crate) fn pid_of(daemon: &Daemon, name: &str) -> i32 {
    let said = daemon.ctl(&["pid", name]);
    said.stdout.trim().parse().unwrap_or_else(|_| panic!("no pid of {name}: {said:?}"))
}

/// What is kept of a torrent that was dropped in part, what is missing as the marks in it say, and how many marks there are. What
/// stands between two of them is what should.
#[track_caller]
pub(crate) fn gaps(torrent: Torrent, found: &[u8]) -> (u64, u64, usize) {
    const MARK: &[u8] = b"\nsupervisord: ";
    let (mut rest, mut kept, mut missing, mut marks) = (found, 0, 0, 0);
    loop {
        let next = rest.windows(MARK.len()).position(|piece| piece == MARK);
        let piece = &rest[..next.unwrap_or(rest.len())];
        let place = kept + missing;
        assert_eq!(torrent.first_fault(place, piece), None, "behind {marks} marks, from byte {place} on");
        kept += piece.len() as u64;
        let Some(at) = next else { return (kept, missing, marks) };
        rest = &rest[at + MARK.len()..];
        let end = rest.iter().position(|byte| *byte == b'\n').expect("a mark is a line");
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        let count = line.split_once(" bytes of output are missing here").expect("a mark says how many");
        missing += count.0.parse::<u64>().unwrap();
        (marks, rest) = (marks + 1, &rest[end + 1..]);
    }
}
