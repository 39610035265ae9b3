//! Questions in the middle of the shell: who is there, and is that really meant.

use std::fs;

use provost_testkit::{Daemon, HEAD, Implementation, Pty};

use crate::{CTRL_C, PROMPT, UP, daemon, file, shell};

fn guarded(implementation: &Implementation) -> Daemon {
    let head = HEAD
        .replace("[rpcinterface", "history_file={dir}/history\n\n[rpcinterface")
        .replace("file={dir}/s.sock\n", "file={dir}/s.sock\nusername=jo\npassword=s3cret\n");
    let program = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";
    let mut daemon = Daemon::start(implementation, &format!("{head}\n{program}"));
    daemon.wait_for_log_line("cat entered RUNNING state");
    daemon
}

#[test]
fn a_password_is_asked_for_and_neither_shown_nor_kept() {
    let (ours, theirs) = (Implementation::ours(), Implementation::supervisor_4_3());
    for (daemon, implementation) in [(&ours, &ours), (&theirs, &theirs), (&ours, &theirs), (&theirs, &ours)] {
        let daemon = guarded(daemon);
        let history = file(&daemon, "history");
        let mut shell = Pty::start(&daemon.ctl_command(implementation, &[]));
        shell.wait_for("Server requires authentication\r\n");
        shell.wait_for("Username:");
        shell.types("jo\r");
        shell.wait_for("Password:");
        assert!(!shell.echoes());
        shell.types("s3cret\r");
        let shown = shell.wait_for(PROMPT);
        assert!(shown.contains("cat                              RUNNING"), "{shown}");
        if implementation.name == ours.name {
            // Names are asked for as the same user.
            shell.types("pid c\t");
            shell.wait_for_last_line("supervisor> pid cat");
            shell.types("\x15");
            shell.types(UP);
            shell.wait_for_last_line("supervisor>");
        }
        shell.types("quit\r");
        assert_eq!(shell.wait_for_end().code(), Some(0));
        assert!(!shell.all().contains("s3cret"));
        assert!(shell.echoes());
        assert!(!fs::read_to_string(&history).unwrap().contains("s3cret"));
    }
}

#[test]
fn a_password_given_up_leaves_a_terminal_that_shows_what_is_typed() {
    let daemon = guarded(&Implementation::ours());
    let mut shell = Pty::start(&daemon.ctl_command(&Implementation::ours(), &[]));
    shell.wait_for("Username:");
    shell.types("jo\r");
    shell.wait_for("Password:");
    assert!(!shell.echoes());
    shell.types(CTRL_C);
    // As with Supervisor that is the end of the shell.
    assert_eq!(shell.wait_for_end().code(), Some(0));
    assert!(shell.echoes());
}

#[test]
fn what_cannot_be_undone_is_asked_about() {
    let mut daemon = daemon();
    let mut shell = shell(&daemon);
    for (verb, question) in [
        ("reload", "Really restart the remote supervisord process y/N? "),
        ("shutdown", "Really shut the remote supervisord process down y/N? "),
    ] {
        for answer in ["n\r", "\r", "\x04"] {
            shell.types(&format!("{verb}\r"));
            shell.wait_for(question);
            shell.types(answer);
            shell.wait_for(PROMPT);
        }
    }
    shell.types("pid cat\r");
    shell.wait_for(PROMPT);
    // An answer is no command that would come back.
    shell.types(&format!("{UP}{UP}"));
    shell.wait_for_last_line("supervisor> shutdown");
    // The answer may be typed with the command.
    shell.types("\x15shutdown\ry\r");
    shell.wait_for("Shut down\r\n");
    daemon.wait_for_end();
    shell.wait_for(PROMPT);
    shell.types("quit\r");
    assert_eq!(shell.wait_for_end().code(), Some(0));
}
