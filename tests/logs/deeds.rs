//! What people and tools do to a log while it is being written: rotated, opened anew, emptied, moved, and its program stopped.

use std::fs;
use std::path::Path;

use provost_testkit::{Chapter, Daemon, Lines, Matter, Signal, Torrent, ledger, send_signal, verify};

use crate::stage::{ONCE, all_of, end_well, is_whole, size_of, start, until};

/// Every line that the ledger has is in the log, once.
#[test]
fn stops_restarts_rotations_and_reopenings_lose_nothing() {
    let mut daemon = start(
        "[program:a]\ncommand={child} hello lines:rate=30000000,ledger={dir}\nstartsecs=0\nstdout_logfile={dir}/a.log\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=1000\n",
    );
    daemon.wait_for_hello("a");
    let log = daemon.sandbox().file("a.log");
    for round in 0..8 {
        let before = size_of(&log);
        until("more lines", || size_of(&log) > before + 500_000);
        let said = match round % 4 {
            0 => daemon.ctl(&["rotate", "a"]).stdout,
            1 => daemon.ctl(&["restart", "a"]).stdout,
            2 => daemon.ctl(&["stop", "a"]).stdout + &daemon.ctl(&["start", "a"]).stdout,
            _ => {
                send_signal(daemon.pid(), Signal::USR2);
                daemon.wait_for_log_line("supervisord logreopen")
            }
        };
        assert!(!said.contains("ERROR"), "{said}");
    }
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    let chapters: Vec<Chapter> = ledger(daemon.sandbox().path(), "a").iter().map(Chapter::from).collect();
    let verdict = verify("a", &chapters, &all_of(&log)[..]).unwrap();
    assert!(verdict.faults.is_empty() && chapters.len() == 5, "{:?}", verdict.faults);
    end_well(daemon);
}

const MUCH: u64 = 60_000_000;

fn pours() -> String {
    format!(
        "[program:a]\ncommand={{child}} hello torrent:bytes={MUCH},write=20000\n{ONCE}stdout_logfile={{dir}}/a.log\nstdout_logfile_maxbytes=0\n"
    )
}

/// Empties the log again and again until the program has ended; what is there then has no hole and ends where the program did.
#[track_caller]
fn is_emptied_by(empty: impl Fn(&Daemon, &Path)) {
    let mut daemon = start(&pours());
    daemon.wait_for_hello("a");
    let log = daemon.sandbox().file("a.log");
    let mut news = Lines::follow(&daemon.sandbox().file("main.log"));
    let mut times = 0;
    while !news.all().iter().any(|line| line.contains("exited: a (exit status 0; expected)")) {
        until("some bytes", || {
            size_of(&log) > 1000 || news.all().iter().any(|line| line.contains("exited: a"))
        });
        if times < 20 {
            empty(&daemon, &log);
            times += 1;
        }
    }
    let torrent = Torrent::new(Matter::Lines, 0);
    let all = all_of(&log);
    assert!(times > 2 && (all.len() as u64) < MUCH, "emptied {times} times, {} bytes left", all.len());
    if let Some(place) = torrent.place_of(&all) {
        assert_eq!(
            torrent.first_fault(place, &all),
            None,
            "what was written after the last time is not in one piece"
        );
        assert_eq!(place + all.len() as u64, MUCH);
    }
    end_well(daemon);
}

#[test]
fn a_log_that_is_cleared_has_no_hole() {
    is_emptied_by(|daemon, _| assert_eq!(daemon.ctl(&["clear", "a"]).stdout, "a: cleared\n"));
}

/// `copytruncate` of logrotate.
#[test]
fn a_log_that_somebody_truncates_has_no_hole() {
    is_emptied_by(|_, log| fs::File::options().write(true).open(log).unwrap().set_len(0).unwrap());
}

/// `postrotate` of logrotate.
#[test]
fn a_log_that_is_moved_away_goes_on_in_a_new_one_and_both_together_are_whole() {
    let mut daemon = start(&pours());
    daemon.wait_for_hello("a");
    let log = daemon.sandbox().file("a.log");
    let mut times = 0;
    let mut news = Lines::follow(&daemon.sandbox().file("main.log"));
    while !news.all().iter().any(|line| line.contains("exited: a")) && times < 100 {
        times += 1;
        let moved = daemon.sandbox().file(&format!("a.log.{}", 1000 - times));
        fs::rename(&log, moved).unwrap();
        send_signal(daemon.pid(), Signal::USR2);
        until("a new log", || log.exists() || news.all().iter().any(|line| line.contains("exited: a")));
    }
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    is_whole(Torrent::new(Matter::Lines, 0), &all_of(&log), MUCH);
    assert!(times > 3, "{times}");
    end_well(daemon);
}
