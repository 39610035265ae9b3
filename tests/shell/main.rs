//! The shell of supervisorctl, and completion in other shells, with somebody at a real terminal.
//!
//! In: daemons in sandboxes, and keys pressed at a pseudo-terminal. Out: what is on the screen, what reached the daemon, and whether the
//! terminal is as it was. Where it says something, Supervisor's own client sits at the same terminal (`PROVOST_ORACLE`).

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod completion;
mod editing;
mod foreground;
mod leaving;
mod pipe;
mod questions;

use std::path::PathBuf;

use provost_testkit::{Daemon, HEAD, Implementation, Pty};

const PROMPT: &str = "supervisor> ";
const UP: &str = "\x1b[A";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A daemon with a program that runs, one that does not, and a group.
fn daemon() -> Daemon {
    daemon_with("")
}

/// And with these sections.
fn daemon_with(sections: &str) -> Daemon {
    let programs = "\
[program:cat]
command=/bin/cat
startsecs=0

[program:web]
command={child} hello forever
autostart=false

[program:work]
command={child} hello forever
process_name=%(process_num)s
numprocs=2
autostart=false
";
    let head = HEAD.replace("[rpcinterface", "history_file={dir}/history\n\n[rpcinterface");
    let mut daemon = Daemon::start(&Implementation::ours(), &format!("{head}\n{programs}\n{sections}"));
    daemon.wait_for_log_line("cat entered RUNNING state");
    daemon
}

/// Our shell at its first prompt.
fn shell(daemon: &Daemon) -> Pty {
    let mut shell = Pty::start(&daemon.ctl_command(&Implementation::ours(), &[]));
    shell.wait_for(PROMPT);
    shell
}

/// Where everything of this daemon lies.
fn directory(daemon: &Daemon) -> PathBuf {
    daemon.socket().parent().unwrap().to_owned()
}

fn file(daemon: &Daemon, name: &str) -> PathBuf {
    directory(daemon).join(name)
}
