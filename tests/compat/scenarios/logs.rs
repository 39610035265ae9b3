//! Output that is captured, and reading it back: tail, clear, redirect_stderr.
//! In: stages. Out: transcripts.

use crate::same;

const SPEAKER: &str = "
[program:speaker]
command={child} print:300 eprint:2 esay:done hello forever
stdout_logfile={dir}/speaker.out
stderr_logfile={dir}/speaker.err
startsecs=0

[program:silent]
command=/bin/cat
stdout_logfile=NONE
startsecs=0
";

#[test]
fn tail_in_every_form() {
    same(|stage| {
        stage.start(SPEAKER);
        stage.wait_for_output("speaker.out", "line 300");
        stage.wait_for_output("speaker.err", "done");
        for arguments in [
            "speaker",
            "speaker stdout",
            "speaker stderr",
            "-20 speaker",
            "-5 speaker stderr",
            "-0 speaker stderr",
            "silent",
            "silent stderr",
            "nobody",
            "speaker nonsense",
            "-x speaker",
            "",
            "speaker stdout more",
        ] {
            stage.ctl(&format!("tail {arguments}"));
        }
    });
}

#[test]
fn both_channels_in_one_file() {
    same(|stage| {
        stage.start(
            "
[program:both]
command={child} say:one esay:two say:three hello forever
stdout_logfile={dir}/both.log
redirect_stderr=true
startsecs=0
",
        );
        stage.wait_for_output("both.log", "three");
        stage.record_text("both.log");
        stage.ctl("tail both");
        stage.ctl("tail both stderr");
    });
}

#[test]
fn a_cleared_log_is_empty_and_goes_on() {
    same(|stage| {
        stage.start(
            "
[program:x]
command={child} say:before on:USR1:say:after hello forever
stdout_logfile={dir}/x.log
startsecs=0
",
        );
        stage.wait_for_output("x.log", "before");
        stage.ctl("clear x");
        stage.ctl("tail x");
        stage.record_text("x.log");
        stage.ctl("clear all");
    });
}

#[test]
fn output_of_a_program_that_has_ended_is_whole() {
    same(|stage| {
        stage.start(
            "
[program:brief]
command={child} print:3 eprint:1 exit:4
stdout_logfile={dir}/brief.out
stderr_logfile={dir}/brief.err
startsecs=5
startretries=0
",
        );
        stage.wait_for_log("gave up: brief");
        stage.record_text("brief.out");
        stage.record_text("brief.err");
        stage.ctl("tail brief");
    });
}

#[test]
fn the_main_log_can_be_read_too() {
    same(|stage| {
        stage.start("");
        stage.ctl("maintail");
        stage.ctl("maintail -x");
        stage.ctl("maintail nonsense");
    });
}

/// Programs that repeat what comes through a FIFO, a piece at a time: name, limit, backups.
const ROTATING: [(&str, usize, u32); 6] = [
    ("three", 100, 3),
    ("one", 100, 1),
    ("none", 100, 0),
    ("never", 0, 3),
    ("each", 1, 4),
    ("twelve", 64, 12),
];

/// Each piece is one read of the daemon's, so both have to rotate behind the same bytes.
#[test]
fn rotated_logs_have_the_same_names_and_the_same_bytes() {
    same(|stage| {
        let programs = ROTATING.map(|(name, limit, backups)| {
            format!(
                "[program:{name}]\ncommand=sh -c \"mkfifo {{dir}}/{name} && exec cat {{dir}}/{name}\"\nstartsecs=0\n\
                 stdout_logfile={{dir}}/{name}.log\nstdout_logfile_maxbytes={limit}\nstdout_logfile_backups={backups}\n"
            )
        });
        stage.start(&programs.concat());
        for (name, limit, backups) in ROTATING {
            let (mut told, mut size) = (stage.open_fifo(name), 0);
            for n in 0..12 {
                // 33, 67, 100, 4 … bytes: some that end exactly at the limit, some that go beyond it.
                let length = [33, 34, 33, 4, 99, 3, 250][n % 7];
                let piece = format!("{n:>0$}\n", length - 1);
                size += length;
                if limit > 0 && size >= limit {
                    size = 0;
                }
                let log = format!("{name}.log");
                stage.tell(&mut told, name, &piece, |files| {
                    // A new log is the last step of a rotation.
                    let has_size = files.get(&log).is_some_and(|text| text.len() == size);
                    has_size && (backups == 0 || files.values().any(|text| text.ends_with(&piece)))
                });
            }
            // What was read is written by then, and rotated.
            stage.ctl(&format!("stop {name}"));
            stage.record_files(&format!("{name}.log"));
        }
    });
}

/// Nobody can say behind which bytes the reads end, but all of them are there, in order, and no file is larger than one read
/// beyond its limit.
#[test]
fn a_flood_that_is_rotated_is_whole() {
    same(|stage| {
        stage.start(
            "
[program:flood]
command={child} print:200000 exit:0
stdout_logfile={dir}/flood.log
stdout_logfile_maxbytes=200KB
stdout_logfile_backups=1000
startsecs=0
autorestart=false
",
        );
        stage.wait_for_log("exited: flood (exit status 0; expected)");
        let files = stage.files_of("flood.log");
        let newest_first: Vec<&String> =
            (1..files.len()).map(|n| &files[&format!("flood.log.{n}")]).collect();
        let in_bounds = newest_first.iter().all(|text| (204_800..204_800 + 131_072).contains(&text.len()));
        let mut text: String = newest_first.iter().rev().map(|text| text.as_str()).collect();
        text.push_str(&files["flood.log"]);
        let is_whole = text.lines().zip(1..).all(|(line, n)| line == format!("line {n}"));
        let lines = text.lines().count();
        assert!(is_whole && in_bounds && files.len() > 5);
        stage.note(&format!("{lines} lines"));
    });
}
