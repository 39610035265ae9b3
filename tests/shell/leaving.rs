//! The ways out of the shell, each of which leaves the terminal as it was found; and daemons that go away.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use provost_testkit::{BusySocket, Implementation, Pty, Signal};

use crate::{CTRL_C, CTRL_D, PROMPT, daemon, daemon_with, file, shell};

#[test]
fn every_way_out_restores_the_terminal_and_ends_with_0() {
    let daemon = daemon();
    // Supervisor's client may miss a Ctrl-C that comes at the wrong moment, and waits for a key then.
    let theirs = [CTRL_D, "quit\r", "exit\r"];
    let ours = [CTRL_C, "half a li\x03"];
    for (implementation, ways) in [
        (Implementation::ours(), &theirs[..]),
        (Implementation::ours(), &ours),
        (Implementation::supervisor_4_3(), &theirs),
    ] {
        for keys in ways {
            let command = daemon.ctl_command(&implementation, &[]);
            let found = provost_testkit::Terminal::for_people().modes();
            let mut shell = Pty::start(&command);
            shell.wait_for(PROMPT);
            assert!(!shell.echoes(), "{keys:?}: the line editor shows what is typed");
            shell.types(keys);
            assert_eq!(shell.wait_for_end().code(), Some(0), "{keys:?}");
            assert_eq!(shell.modes(), found, "{keys:?}");
            assert!(shell.all().ends_with('\n'), "{keys:?} {:?}", shell.all());
        }
    }
}

#[test]
fn a_line_that_has_been_begun_is_not_the_end() {
    let daemon = daemon();
    let mut shell = shell(&daemon);
    shell.types("versionx\x02\x04\r");
    shell.wait_for(PROMPT);
    shell.types(CTRL_D);
    assert_eq!(shell.wait_for_end().code(), Some(0));
}

#[test]
fn a_signal_in_the_middle_of_a_line_leaves_the_terminal_in_order() {
    let daemon = daemon();
    for (signal, ends_by) in [(Signal::TERM, Some(15)), (Signal::HUP, Some(1)), (Signal::INT, None)] {
        let found = provost_testkit::Terminal::for_people().modes();
        let mut shell = shell(&daemon);
        shell.types("star");
        shell.wait_for("star");
        assert_ne!(shell.modes(), found);
        shell.signal(signal);
        let status = shell.wait_for_end();
        assert_eq!((status.signal(), status.code()), (ends_by, ends_by.is_none().then_some(0)), "{signal:?}");
        assert_eq!(shell.modes(), found, "{signal:?}");
    }
}

#[test]
fn ctrl_c_during_a_long_call_leaves_as_with_supervisor() {
    let slow = "[program:slow]\ncommand={child} hello forever\nstartsecs=100\nautostart=false\n";
    for implementation in [Implementation::ours(), Implementation::supervisor_4_3()] {
        let mut daemon = daemon_with(slow);
        let mut shell = Pty::start(&daemon.ctl_command(&implementation, &[]));
        shell.wait_for(PROMPT);
        shell.types("start slow\r");
        daemon.wait_for_hello("slow");
        assert!(shell.echoes());
        shell.types(CTRL_C);
        assert_eq!(shell.wait_for_end().code(), Some(0));
        assert!(shell.echoes());
    }
}

#[test]
fn ctrl_c_while_nobody_accepts_the_connection() {
    let daemon = daemon();
    let path = file(&daemon, "full.sock");
    let _busy = BusySocket::at(&path);
    let mut shell = shell(&daemon);
    shell.types(&format!("open unix://{}\r", path.display()));
    shell.wait_for("full.sock");
    shell.wait_for("\n");
    assert!(shell.echoes());
    shell.types(CTRL_C);
    assert_eq!(shell.wait_for_end().code(), Some(0));
}

#[test]
fn a_daemon_may_go_away_and_come_back() {
    let mut daemon = daemon();
    let mut shell = shell(&daemon);
    daemon.process().signal(Signal::TERM);
    daemon.wait_for_end();
    shell.types("status\r");
    shell.wait_for("s.sock ");
    shell.wait_for(PROMPT);
    // No names, and no error in the middle of the line.
    shell.types("start we\t");
    shell.wait_for_last_line("supervisor> start we");
    shell.types("\x15");
    daemon.start_again(&[]);
    shell.types("start we\t");
    shell.wait_for_last_line("supervisor> start web");
    shell.types("\r");
    shell.wait_for("web: started\r\n");
    shell.wait_for(PROMPT);
}

#[test]
fn plugins_are_mentioned_where_they_might_be_missed() {
    let daemon = daemon_with("[ctlplugin:cache]\nsupervisor.ctl_factory=cache:make\n");
    let mut shell = shell(&daemon);
    shell.types("cache_clear\r");
    shell.wait_for("*** Unknown syntax: cache_clear\r\n");
    shell.wait_for("are not loaded: cache\r\n");
}

#[test]
fn a_configuration_of_others_gives_the_terminal_no_orders() {
    let daemon = daemon();
    let server = format!("serverurl=unix://{}", daemon.socket().display());
    let evil = "\u{1b}]0;evil\u{7}";
    let cases = [
        (format!("password_file=/nonexistent{evil}"), "Error: password_file /nonexistent^[]0;evil^G: "),
        (format!("prompt={evil}"), "^[]0;evil^G> "),
        (format!("[ctlplugin:{evil}]\nsupervisor.ctl_factory=a:b"), "are not loaded: ^[]0;evil^G"),
    ];
    for (section, shown) in cases {
        let path = file(&daemon, "evil.conf");
        fs::write(&path, format!("[supervisorctl]\n{server}\n{section}\n")).unwrap();
        let mut command = Command::new(&Implementation::ours().supervisorctl[0]);
        command.arg("-c").arg(&path).args(["-i", "frobnicate"]);
        let mut shell = Pty::start(&command);
        shell.wait_for(shown);
        assert!(!shell.all().contains(evil), "{:?}", shell.all());
    }
}
