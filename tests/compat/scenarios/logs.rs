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
