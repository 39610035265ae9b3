//! The end: of stubborn programs, of programs in order, and of the daemon, by
//! signal and by command. In: stages. Out: transcripts.

use provost_testkit::Signal;

use crate::same;
use crate::stage::Stage;

#[test]
fn a_program_that_ignores_its_stop_signal_is_killed() {
    same(|stage| {
        stage.start(
            "
[program:deaf]
command={child} ignore:TERM hello forever
stopwaitsecs=1
startsecs=0
",
        );
        stage.wait_for_hello("deaf");
        stage.ctl("stop deaf");
        stage.wait_for_log("waiting for deaf to stop");
        stage.wait_for_log("killing 'deaf'");
        stage.ctl("status");
    });
}

#[test]
fn the_stop_signal_is_the_one_configured() {
    same(|stage| {
        stage.start(
            "
[program:choosy]
command={child} ignore:TERM on:USR2:exit:5 hello forever
stopsignal=USR2
startsecs=0
",
        );
        stage.wait_for_hello("choosy");
        stage.ctl("stop choosy");
        stage.ctl("status");
    });
}

const TWO_PRIORITIES: &str = "
[program:late]
command=/bin/cat
priority=2

[program:early]
command=/bin/cat
priority=1
";

#[test]
fn sigterm_ends_everything_from_the_highest_priority_down() {
    same(|stage| {
        stage.start(TWO_PRIORITIES);
        stage.wait_for_logs(&["success: early", "success: late"]);
        stage.record_text("main.pid");
        stage.signal_daemon(Signal::TERM);
        stage.wait_for_end();
        stage.record_file("main.pid");
        stage.record_file("s.sock");
        // Each kind of verb has its own way to say that nobody is there.
        for line in ["status", "start early", "pid", "version", "shutdown"] {
            stage.ctl(line);
        }
    });
}

#[test]
fn sigint_means_the_same() {
    same(|stage| ended_by(stage, Signal::INT));
}

#[test]
fn sigquit_means_the_same() {
    same(|stage| ended_by(stage, Signal::QUIT));
}

#[track_caller]
fn ended_by(stage: &mut Stage, signal: Signal) {
    stage.start(TWO_PRIORITIES);
    stage.wait_for_logs(&["success: early", "success: late"]);
    stage.signal_daemon(signal);
    stage.wait_for_end();
}

#[test]
fn shutdown_by_command() {
    same(|stage| {
        stage.start(TWO_PRIORITIES);
        stage.wait_for_logs(&["success: early", "success: late"]);
        stage.ctl("shutdown");
        stage.wait_for_end();
        stage.record_file("main.pid");
    });
}

#[test]
fn a_group_stop_takes_the_grandchildren_along() {
    same(|stage| {
        stage.start(
            "
[program:family]
command={child} fork-grandchild hello forever
stopasgroup=true
startsecs=0
",
        );
        stage.wait_for_hello("family");
        let grandchild = stage.wait_for_hello("grandchild");
        stage.ctl("stop family");
        stage.wait_until_gone(&grandchild);
    });
}

#[test]
fn a_group_kill_takes_the_deaf_family_along() {
    same(|stage| {
        stage.start(
            "
[program:family]
command={child} ignore:TERM fork-grandchild hello forever
killasgroup=true
stopwaitsecs=1
startsecs=0
",
        );
        stage.wait_for_hello("family");
        let grandchild = stage.wait_for_hello("grandchild");
        stage.ctl("stop family");
        stage.wait_until_gone(&grandchild);
    });
}

#[test]
fn in_the_background_it_is_the_same_daemon() {
    same(|stage| {
        stage.start_daemonized(TWO_PRIORITIES);
        stage.wait_for_logs(&["success: early", "success: late"]);
        stage.ctl("status");
        stage.ctl("pid");
        stage.record_text("main.pid");
        stage.ctl("shutdown");
        stage.wait_for_end();
        stage.record_file("main.pid");
    });
}
