//! What a program is given at birth: environment, directory, umask, descriptors,
//! process group, user, and nothing of the daemon's. In: stages. Out: transcripts.
//!
//! Signal masks are not compared: 4.3.0 leaves SIGPIPE and SIGXFSZ ignored because
//! its language does, which nobody can want.

use crate::same;
use crate::stage::Stage;

/// Lets a program write down what it was given.
#[track_caller]
fn show(stage: &mut Stage, supervisord_keys: &str, words: &str, keys: &str) {
    stage.start(&format!(
        "{supervisord_keys}
[program:x]
command={{child}} {words} say:complete hello forever
stdout_logfile={{dir}}/x.log
startsecs=0
{keys}
"
    ));
    stage.wait_for_output("x.log", "complete");
    stage.record_text("x.log");
}

#[test]
fn the_environment_with_nothing_configured() {
    same(|stage| show(stage, "", "dump-env", ""));
}

#[test]
fn the_environment_of_daemon_and_program() {
    same(|stage| {
        let global = "environment=A=\"global\",B=\"global\"";
        let own = "environment=B=\"own %(program_name)s\",C='single',D=bare";
        show(stage, global, "dump-env", own);
    });
}

#[test]
fn directory_and_umask() {
    same(|stage| show(stage, "", "cwd umask", "directory=/usr\numask=027"));
}

#[test]
fn directory_and_umask_by_default() {
    same(|stage| show(stage, "", "cwd umask", ""));
}

#[test]
fn three_descriptors_and_no_more() {
    same(|stage| show(stage, "", "dump-fds", ""));
}

#[test]
fn stderr_on_the_same_pipe() {
    same(|stage| show(stage, "", "dump-fds esay:two", "redirect_stderr=true"));
}

#[test]
fn a_process_group_of_its_own() {
    same(|stage| {
        show(stage, "", "pid pgid", "");
        stage.ctl("pid x");
    });
}
