//! Much at once: a line without an end, thousands of programs with a word each. Memory does not grow with them.

use std::fs;

use provost_testkit::{Matter, Torrent};

use crate::stage::{ONCE, brain, end_well, is_whole, own_memory, start, until};

const MEGABYTE: u64 = 1024;

#[test]
fn a_line_of_a_hundred_megabytes_takes_no_memory() {
    const LONG: u64 = 100_000_000;
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} torrent:matter=one-line,bytes={LONG},write=65536\n{ONCE}autostart=false\nstdout_logfile={{dir}}/a.out\nstdout_logfile_maxbytes=0\n"
    ));
    let mind = brain(&daemon).pid();
    assert_eq!(daemon.ctl(&["status", "a"]).status, 3);
    let before = own_memory(mind);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let after = own_memory(mind);
    assert!(after < before + 2 * MEGABYTE, "{before} kB, then {after} kB");
    is_whole(Torrent::new(Matter::OneLine, 0), &fs::read(daemon.sandbox().file("a.out")).unwrap(), LONG);
    end_well(daemon);
}

#[test]
fn two_thousand_programs_with_a_few_bytes_each_are_all_heard() {
    const PROGRAMS: u64 = 2000;
    let daemon = start(&format!(
        "[program:p]\ncommand=/bin/sh -c \"echo out $0; echo err $0 >&2; exec sleep 1000\" %(process_num)s\nprocess_name=p%(process_num)s\nnumprocs={PROGRAMS}\nstartsecs=0\nautostart=false\nstdout_logfile={{dir}}/%(process_num)s.out\nstderr_logfile={{dir}}/%(process_num)s.err\n"
    ));
    let mind = brain(&daemon).pid();
    assert_eq!(daemon.ctl(&["pid"]).status, 0);
    let before = own_memory(mind);
    daemon.ctl(&["start", "p:*"]);
    let file = |n: u64, of: &str| daemon.sandbox().file(&format!("{n}.{of}"));
    let is_there =
        |n: u64, of: &str| fs::read_to_string(file(n, of)).is_ok_and(|text| text == format!("{of} {n}\n"));
    for n in 0..PROGRAMS {
        until(&format!("the words of {n}"), || is_there(n, "out") && is_there(n, "err"));
    }
    let after = own_memory(mind);
    let each = (after - before) * 1024 / PROGRAMS;
    assert!(each < 8192, "{before} kB, then {after} kB: {each} bytes for a program");
    end_well(daemon);
}
