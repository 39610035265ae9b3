//! What supervisorctl does where somebody looks at a screen, and that nothing of it ever goes into a pipe.
//!
//! In: a daemon whose programs are slow, or write what would steer a terminal. Out: the bytes at a pseudo-terminal and those in a
//! pipe. Not here: the shell and its keys (`tests/shell`).

use std::process::Command;

use provost_testkit::{Daemon, HEAD, Implementation, Pty};

/// "web" has written a colour, a title for the window, and text that nobody sees; "slow" takes two seconds.
const PROGRAMS: &str = r"
[program:web]
command={child} 'write:\e[31mred\e[m\s\e]0;title\x07\s\e[8mhidden\n' taken hello forever
startsecs=0

[program:slow]
command={child} hello forever
startsecs=2
autostart=false
";

fn daemon(head: &str) -> Daemon {
    let mut daemon = Daemon::start(&Implementation::ours(), &format!("{head}{PROGRAMS}"));
    daemon.wait_for_hello("web");
    daemon
}

fn at_a_terminal(daemon: &Daemon, arguments: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = daemon.ctl_command(&Implementation::ours(), arguments);
    command.env("TERM", "xterm").env_remove("NO_COLOR").envs(env.iter().copied());
    command
}

/// All that is shown until it ends.
#[track_caller]
fn shown(daemon: &Daemon, arguments: &[&str], env: &[(&str, &str)]) -> String {
    let mut terminal = Pty::start(&at_a_terminal(daemon, arguments, env));
    terminal.wait_for_end();
    terminal.all()
}

#[test]
fn states_have_colours_on_a_terminal_only() {
    let daemon = daemon(HEAD);
    let coloured = shown(&daemon, &["status", "web"], &[]);
    assert!(coloured.starts_with(&format!("web{:30}\x1b[32mRUNNING\x1b[m   pid ", "")), "{coloured:?}");
    for env in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = shown(&daemon, &["status", "web"], &[env]);
        assert!(plain.contains("RUNNING   pid ") && !plain.contains('\x1b'), "{plain:?}");
    }
    let forced = at_a_terminal(&daemon, &["status", "web"], &[("CLICOLOR_FORCE", "1")]).output();
    let forced = forced.expect("supervisorctl can be started");
    assert!(!forced.stdout.contains(&0x1b) && forced.stderr.is_empty(), "{forced:?}");
}

#[test]
fn logs_keep_their_colours_and_do_not_steer() {
    let daemon = daemon(HEAD);
    let mut terminal = Pty::start(&at_a_terminal(&daemon, &["tail", "-f", "web"], &[]));
    let seen = terminal.wait_for("hidden");
    assert!(seen.ends_with("\x1b[31mred\x1b[m ^[]0;title^G ^[[8mhidden"), "{seen:?}");
    terminal.types("\x03");
    terminal.wait_for_end();
}

#[test]
fn a_hint_follows_the_line_that_scripts_know() {
    let daemon = daemon(HEAD);
    let nowhere = daemon.sandbox().file("nowhere").display().to_string();
    let arguments = ["-s", &format!("unix://{nowhere}"), "status"];
    let seen = shown(&daemon, &arguments, &[]);
    let wanted = format!("unix://{nowhere} no such file\r\nthere is no socket {nowhere}\r\n");
    assert!(seen.starts_with(&wanted), "{seen:?}");
    let piped = daemon.ctl(&arguments);
    assert_eq!((piped.stdout, piped.stderr), (format!("unix://{nowhere} no such file\n"), String::new()));
}

#[test]
fn who_waits_is_told_for_what() {
    let daemon = daemon(HEAD);
    let mut terminal = Pty::start(&at_a_terminal(&daemon, &["start", "slow"], &[]));
    terminal.wait_for("\r\x1b[Kwaiting for slow to start … ");
    terminal.wait_for_end();
    let all = terminal.all();
    assert!(all.ends_with("\r\x1b[Kslow: started\r\n"), "{all:?}");
    assert_eq!(daemon.ctl(&["stop", "slow"]).status, 0);
    let piped = daemon.ctl(&["start", "slow"]);
    assert_eq!((piped.stdout.as_str(), piped.stderr.as_str()), ("slow: started\n", ""));
}

#[test]
fn a_password_is_asked_for_and_not_shown() {
    let daemon =
        daemon(&HEAD.replace("file={dir}/s.sock\n", "file={dir}/s.sock\nusername=jo\npassword=s3cret\n"));
    let words = ["-u", "jo", "--password-stdin", "pid"];
    let mut terminal = Pty::start(&at_a_terminal(&daemon, &words, &[]));
    terminal.wait_for("Password: ");
    terminal.types("s3cret\n");
    terminal.wait_for_end();
    let all = terminal.all();
    assert_eq!(all, format!("Password: \r\n{}\r\n", daemon.pid()));
    let seen = shown(&daemon, &["pid"], &[]);
    assert!(
        seen.starts_with("Server requires authentication\r\nthe server wants to know who asks; "),
        "{seen:?}"
    );
}
