//! `fg`, `tail -f` and `maintail -f`: a terminal that two sides write to, and the way back to the prompt.

use std::fs;

use crate::{CTRL_C, CTRL_D, PROMPT, daemon_with, file, shell};

const TALKER: &str = "\
[program:talker]
command=/bin/bash -c 'trap \"echo called\" USR1; echo ready; while read line; do echo \"heard $line\"; echo \"$line\" >> {dir}/heard; done'
startsecs=0
";

#[test]
fn what_is_typed_is_heard_and_what_is_said_is_seen() {
    let daemon = daemon_with(TALKER);
    let mut shell = shell(&daemon);
    for leave in [CTRL_C, CTRL_D] {
        shell.types("fg talker\r");
        shell.wait_for("==> Press Ctrl-C to exit <==\r\n");
        shell.types("one two\n");
        shell.wait_for("heard one two\r\n");
        // What it says comes while somebody is in the middle of a line.
        shell.types("hal");
        assert_eq!(daemon.ctl(&["signal", "USR1", "talker"]).status, 0);
        shell.wait_for("called\r\n");
        shell.types("f\n");
        shell.wait_for("heard half\r\n");
        shell.types(leave);
        shell.wait_for("Exiting foreground\r\n");
        shell.wait_for(PROMPT);
        // And the shell is a shell again.
        shell.types("pid nosuch\r");
        shell.wait_for("No such process nosuch\r\n");
        shell.wait_for(PROMPT);
    }
    let heard = fs::read_to_string(file(&daemon, "heard")).unwrap();
    assert_eq!(heard, "one two\nhalf\none two\nhalf\n");
}

#[test]
fn what_was_meant_for_a_program_never_becomes_a_command() {
    let mut daemon = daemon_with(
        "[program:once]\ncommand=/bin/sh -c 'read line; exit 0'\nstartsecs=0\nautorestart=false\n",
    );
    let mut shell = shell(&daemon);
    shell.types("fg once\r");
    shell.wait_for("==> Press Ctrl-C to exit <==\r\n");
    shell.types("bye\n");
    daemon.wait_for_log_line("exited: once ");
    shell.types("are you there?\nstop cat\n");
    shell.wait_for("Exiting foreground\r\n");
    shell.wait_for(PROMPT);
    shell.types("status cat\r");
    let shown = shell.wait_for("RUNNING");
    assert!(!shown.contains("stopped"), "{shown}");
}

#[test]
fn a_log_is_followed_until_ctrl_c() {
    let daemon = daemon_with(TALKER);
    let mut shell = shell(&daemon);
    shell.types("tail -f talker\r");
    shell.wait_for("ready\r\n");
    shell.types(CTRL_C);
    shell.wait_for(PROMPT);
    shell.types("maintail -f\r");
    shell.wait_for("spawned: 'talker' with pid");
    shell.types(CTRL_C);
    shell.wait_for(PROMPT);
    shell.types("version\r");
    shell.wait_for(PROMPT);
}
