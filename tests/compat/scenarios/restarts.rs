//! Programs that end by themselves: what is restarted, what stays down, and what
//! is given up. In: stages. Out: transcripts.

use provost_testkit::Signal;

use crate::same;
use crate::stage::Stage;

/// A program that ends with 0 on TERM and with 3 on USR1, but says when it is ready to.
fn obedient(keys: &str) -> String {
    format!(
        "
[program:x]
command={{child}} on:TERM:exit:0 on:USR1:exit:3 hello forever
{keys}
"
    )
}

/// Starts it, and ends it with each signal in turn; `returns` tells whether it is
/// expected back after that one.
#[track_caller]
fn end_it(stage: &mut Stage, keys: &str, steps: &[(Signal, &str, bool)]) {
    stage.start(&obedient(keys));
    for (signal, line, returns) in steps {
        let hello = stage.wait_for_hello("x");
        stage.wait_for_running("x");
        stage.signal(&hello, *signal);
        stage.wait_for_log(line);
        if !returns {
            stage.ctl("status");
            return;
        }
    }
    stage.wait_for_hello("x");
    stage.wait_for_running("x");
    stage.ctl("status");
}

const BY_TERM: &str = "exited: x (exit status 0;";
const BY_USR1: &str = "exited: x (exit status 3;";
const BY_KILL: &str = "exited: x (terminated by SIGKILL;";

#[test]
fn unexpected_is_the_default_and_zero_is_expected() {
    same(|stage| {
        let steps =
            [(Signal::USR1, BY_USR1, true), (Signal::KILL, BY_KILL, true), (Signal::TERM, BY_TERM, false)];
        end_it(stage, "", &steps);
        stage.ctl("start x");
        stage.ctl("status");
    });
}

#[test]
fn exitcodes_say_what_is_expected() {
    same(|stage| {
        let steps = [(Signal::TERM, BY_TERM, true), (Signal::USR1, BY_USR1, false)];
        end_it(stage, "exitcodes=3,4", &steps);
    });
}

#[test]
fn autorestart_true_brings_it_back_always() {
    same(|stage| {
        let steps = [(Signal::TERM, BY_TERM, true), (Signal::USR1, BY_USR1, true)];
        end_it(stage, "autorestart=true", &steps);
    });
}

#[test]
fn autorestart_false_never_does() {
    same(|stage| end_it(stage, "autorestart=false", &[(Signal::KILL, BY_KILL, false)]));
}

#[test]
fn too_quick_an_end_is_retried_and_then_given_up() {
    same(|stage| {
        stage.start(
            "
[program:hasty]
command={child} exit:2
startsecs=5
startretries=1
",
        );
        stage.wait_for_log("gave up: hasty");
        stage.ctl("status");
        stage.ctl("stop hasty");
    });
}

#[test]
fn one_that_waits_for_its_retry_is_in_backoff_and_can_be_stopped() {
    same(|stage| {
        stage.start(
            "
[program:hasty]
command={child} exit:0
startsecs=5
startretries=10
",
        );
        // The fifth wait is five seconds long: time enough to look and to stop.
        for _ in 0..5 {
            stage.wait_for_log("exited: hasty (exit status 0; not expected)");
        }
        stage.ctl("status");
        stage.ctl("start hasty");
        stage.ctl("stop hasty");
        stage.ctl("status");
    });
}

#[test]
fn no_retries_means_one_attempt() {
    same(|stage| {
        stage.start(
            "
[program:hasty]
command={child} raise:KILL
startsecs=5
startretries=0
",
        );
        stage.wait_for_log("gave up: hasty");
        stage.ctl("status");
    });
}

#[test]
fn a_command_that_is_not_found_is_given_up() {
    same(|stage| {
        stage.start(
            "
[program:absent]
command={dir}/absent
startretries=1

[program:unknown]
command=provost-no-such-command
startretries=1
",
        );
        stage.wait_for_logs(&["gave up: absent", "gave up: unknown"]);
        stage.ctl("status");
    });
}

#[test]
fn a_program_that_cannot_be_executed_leaves_its_reason_in_its_log() {
    same(|stage| {
        stage.start(
            "
[program:lost]
command=/bin/cat
directory={dir}/nowhere
startsecs=5
startretries=0
stderr_logfile={dir}/lost.err
",
        );
        stage.wait_for_log("gave up: lost");
        stage.ctl("status");
        stage.record_text("lost.err");
    });
}
