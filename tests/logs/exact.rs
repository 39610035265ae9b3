//! What programs of every kind write is in their logs exactly, whatever it is, however it is cut, and however they end.

use std::time::Duration;

use provost_testkit::{Chapter, Daemon, Deadline, Lines, Matter, Torrent, ledger, verify};

use crate::stage::{ONCE, all_of, end_well, files_of, is_whole, kill_brain, size_of, start, until};

const MUCH: u64 = 10_000_000;

/// Ten megabytes to each output, and nobody waits for anything.
fn torrents(words: &str) -> String {
    format!(
        "torrent:matter=binary,bytes={MUCH},write=65536,seed=1,to=out torrent:bytes={MUCH},write=7777,seed=2,to=err {words}"
    )
}

#[test]
fn ten_megabytes_to_each_output_and_a_sudden_end_lose_nothing() {
    let program = |name: &str, end: &str| {
        let words = torrents(end);
        format!(
            "[program:{name}]\ncommand={{child}} {words}\n{ONCE}stdout_logfile={{dir}}/{name}.out\nstdout_logfile_maxbytes=0\nstderr_logfile={{dir}}/{name}.err\nstderr_logfile_maxbytes=0\n"
        )
    };
    let ends = [
        ("a", "exit:0", "exit status 0"),
        ("b", "raise:KILL", "terminated by SIGKILL"),
        ("c", "raise:ABRT", "terminated by SIGABRT"),
    ];
    let config: String = ends.iter().map(|(name, word, _)| program(name, word)).collect();
    let mut daemon = start(&config);
    let news = ends.map(|(name, _, how)| format!("exited: {name} ({how}"));
    daemon.log().wait_for_all(&news.each_ref().map(String::as_str));
    for (name, ..) in ends {
        let log = |of: &str| all_of(&daemon.sandbox().file(&format!("{name}.{of}")));
        is_whole(Torrent::new(Matter::Binary, 1), &log("out"), MUCH);
        is_whole(Torrent::new(Matter::Lines, 2), &log("err"), MUCH);
    }
    end_well(daemon);
}

/// A file may be larger than its limit by what came in one read.
#[test]
fn ten_megabytes_and_a_sudden_end_are_whole_over_a_hundred_files() {
    let words = torrents("raise:KILL");
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} {words}\n{ONCE}stdout_logfile={{dir}}/a.out\nstdout_logfile_maxbytes=100KB\nstdout_logfile_backups=200\nstderr_logfile={{dir}}/a.err\nstderr_logfile_maxbytes=100KB\nstderr_logfile_backups=200\n"
    ));
    daemon.wait_for_log_line("exited: a (terminated by SIGKILL");
    let (out, err) = (daemon.sandbox().file("a.out"), daemon.sandbox().file("a.err"));
    is_whole(Torrent::new(Matter::Binary, 1), &all_of(&out), MUCH);
    is_whole(Torrent::new(Matter::Lines, 2), &all_of(&err), MUCH);
    for log in [out, err] {
        let files = files_of(&log);
        let sizes: Vec<u64> = files.iter().map(|file| file.metadata().unwrap().len()).collect();
        let full = &sizes[..sizes.len() - 1];
        assert!(full.iter().all(|size| (102_400..102_400 + 131_072).contains(size)), "{sizes:?}");
        assert!(full.len() > 40 && sizes[sizes.len() - 1] < 102_400, "{sizes:?}");
    }
    end_well(daemon);
}

#[test]
fn what_goes_to_either_output_in_turn_is_in_one_file_in_that_order() {
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} torrent:matter=binary,bytes={MUCH},write=999,to=each\nredirect_stderr=true\n{ONCE}stdout_logfile={{dir}}/a.out\nstdout_logfile_maxbytes=300KB\nstdout_logfile_backups=100\n"
    ));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    is_whole(Torrent::new(Matter::Binary, 0), &all_of(&daemon.sandbox().file("a.out")), MUCH);
    end_well(daemon);
}

#[test]
fn a_hundred_thousand_writes_of_a_byte_are_as_good_as_one() {
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} torrent:matter=binary,bytes=100000,write=1\n{ONCE}stdout_logfile={{dir}}/a.out\nstdout_logfile_maxbytes=10KB\nstdout_logfile_backups=100\n"
    ));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    is_whole(Torrent::new(Matter::Binary, 0), &all_of(&daemon.sandbox().file("a.out")), 100_000);
    end_well(daemon);
}

#[test]
fn a_grandchild_writes_on_after_its_parent_and_two_brains_have_gone() {
    let mut daemon = start(&format!(
        "[program:a]\ncommand=sh -c \"{{child}} torrent:bytes={MUCH} hello:half after:1s torrent:seed=1,bytes={MUCH} hello:done & exit 0\"\n{ONCE}stdout_logfile={{dir}}/a.out\nstdout_logfile_maxbytes=0\n"
    ));
    let log = daemon.sandbox().file("a.out");
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    kill_brain(&mut daemon);
    daemon.wait_for_hello("half");
    until("more than the first half", || size_of(&log) > MUCH + 1_000_000);
    kill_brain(&mut daemon);
    daemon.wait_for_hello("done");
    until("all of it", || size_of(&log) >= 2 * MUCH);
    let all = all_of(&log);
    is_whole(Torrent::new(Matter::Lines, 0), &all[..MUCH as usize], MUCH);
    is_whole(Torrent::new(Matter::Lines, 1), &all[MUCH as usize..], MUCH);
    end_well(daemon);
}

/// The keeper starts the next one before anybody has read what the last one said. Two starts of one program are a second apart, so
/// there are many.
#[test]
fn the_last_lines_of_each_run_come_before_the_first_of_the_next() {
    const PROGRAMS: usize = 30;
    let mut daemon = start(&format!(
        "[program:p]\ncommand={{child}} after:1s lines:rate=1000000000,most=300,seed=7,ledger={{dir}}\nprocess_name=p%(process_num)s\nnumprocs={PROGRAMS}\nstartsecs=0\nautorestart=true\nstdout_logfile={{dir}}/%(process_num)s.log\nstdout_logfile_maxbytes=100KB\nstdout_logfile_backups=1000\n"
    ));
    let runs = |daemon: &Daemon, n: usize| ledger(daemon.sandbox().path(), &format!("p{n}")).len();
    let all_runs = |daemon: &Daemon| (0..PROGRAMS).map(|n| runs(daemon, n)).min().unwrap();
    for round in 2..5 {
        until("another run of each", || all_runs(&daemon) >= round);
        kill_brain(&mut daemon);
    }
    assert_eq!(daemon.ctl(&["stop", "p:*"]).status, 0);
    for n in 0..PROGRAMS {
        let name = format!("p{n}");
        let chapters: Vec<Chapter> =
            ledger(daemon.sandbox().path(), &name).iter().map(Chapter::from).collect();
        let log = all_of(&daemon.sandbox().file(&format!("{n}.log")));
        let verdict = verify(&name, &chapters, &log[..]).unwrap();
        assert!(verdict.faults.is_empty(), "{name}: {:?}", verdict.faults);
    }
    end_well(daemon);
}

#[test]
fn what_somebody_else_appends_to_the_same_file_is_there_too() {
    use std::io::Write;
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} hello torrent:bytes={MUCH},write=30000\n{ONCE}stdout_logfile={{dir}}/a.out\nstdout_logfile_maxbytes=0\n"
    ));
    daemon.wait_for_hello("a");
    let log = daemon.sandbox().file("a.out");
    let mut other = std::fs::File::options().append(true).create(true).open(&log).unwrap();
    let mut news = Lines::follow(&daemon.sandbox().file("main.log"));
    let mut appended = 0;
    let soon = || Deadline::after(Duration::from_millis(1));
    while news.next_matching(|line| line.contains("exited: a"), soon()).is_none() {
        other.write_all(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ").unwrap();
        appended += 26;
    }
    let (others, ours): (Vec<u8>, Vec<u8>) =
        all_of(&log).into_iter().partition(|byte| byte.is_ascii_uppercase());
    is_whole(Torrent::new(Matter::Lines, 0), &ours, MUCH);
    assert!(others.chunks(26).all(|piece| piece == b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    assert_eq!(others.len(), appended);
    end_well(daemon);
}
