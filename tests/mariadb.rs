//! The founding story on a real MariaDB: the server's init script is replaced by
//! `[program:mysqld]`, on Supervisor 4.3.0 and on ours.
//!
//! In: the distribution's mariadb-server package. Out: one test for each
//! implementation that starts the server, ends it, changes its configuration,
//! ends it again and gets an answer from it. The server listens on a socket in
//! the sandbox only. Not here: anything that a stand-in could show as well.

use std::path::Path;
use std::process::{Command, Stdio};

use provost_testkit::{Daemon, HEAD, Implementation, Lines, Sandbox, Signal, send_signal, wait_until_gone};

const INSTALL: &str = "is the package mariadb-server there? scripts/setup-tests.sh installs it";

#[test]
fn the_founding_story_on_supervisor_4_3() {
    the_story(&Implementation::supervisor_4_3());
}

#[test]
fn the_founding_story_on_ours() {
    the_story(&Implementation::ours());
}

#[track_caller]
fn the_story(implementation: &Implementation) {
    let sandbox = Sandbox::new();
    create_database(sandbox.path());
    let mut server = Lines::follow(&sandbox.file("mysqld.log"));
    let config = configuration("");
    let mut daemon = Daemon::start_in(sandbox, implementation, &config);

    // 1. It runs, and status says so.
    server.wait_for("ready for connections");
    daemon.wait_for_log_line("success: mysqld entered RUNNING state");
    let first = pid_of_running(&daemon);
    assert_eq!(ask(&daemon), "1\n");

    // 2. It ends well when asked to; that is expected, so it stays down.
    send_signal(first, Signal::TERM);
    wait_until_gone(first);
    daemon.wait_for_log_line("exited: mysqld (exit status 0; expected)");
    let status = daemon.ctl(&["status"]);
    let state = status.stdout.strip_prefix(&padded_name()).unwrap_or("(another name)");
    assert!(state.starts_with("EXITED    "), "{status:?}");
    assert_eq!(status.stdout.lines().count(), 1, "{status:?}");
    assert_eq!(status.status, 3, "a stopped program makes status say 3");

    // 3. One more line in the file, and it is restarted from now on.
    daemon.write_config(&configuration("autorestart=true\n"));
    assert_ctl(&daemon, &["reread"], "mysqld: changed\n");
    assert_ctl(&daemon, &["update"], "mysqld: stopped\nmysqld: updated process group\n");
    server.wait_for("ready for connections");
    daemon.wait_for_log_line("success: mysqld entered RUNNING state");
    let second = pid_of_running(&daemon);
    assert_ne!(second, first);
    assert_ctl(&daemon, &["reread"], "No config updates to processes\n");

    // 4. Ended again, it is back by itself and answers.
    send_signal(second, Signal::TERM);
    wait_until_gone(second);
    daemon.wait_for_log_line("exited: mysqld (exit status 0; expected)");
    daemon.wait_for_log_line("spawned: 'mysqld' with pid ");
    server.wait_for("ready for connections");
    daemon.wait_for_log_line("success: mysqld entered RUNNING state");
    let third = pid_of_running(&daemon);
    assert_ne!(third, second);
    assert_eq!(ask(&daemon), "1\n");

    // And the daemon takes it along in good order when it ends itself.
    assert_ctl(&daemon, &["shutdown"], "Shut down\n");
    daemon.wait_for_log_line("stopped: mysqld (exit status 0)");
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    wait_until_gone(third);
}

/// The server's full command line, as an init script would have it.
fn configuration(more: &str) -> String {
    // A root that runs the server must name another user for it.
    let user = if is_root() { " --user=mysql" } else { "" };
    format!(
        "{HEAD}
[program:mysqld]
command=/usr/sbin/mariadbd --no-defaults{user} --basedir=/usr --datadir={{dir}}/data \
--plugin-dir=/usr/lib/mysql/plugin --tmpdir={{dir}}/tmp --skip-networking --socket={{dir}}/mysqld.sock \
--pid-file={{dir}}/data/mysqld.pid --skip-log-error
stdout_logfile={{dir}}/mysqld.log
redirect_stderr=true
stopwaitsecs=60
{more}"
    )
}

/// Makes an empty database and lets its user reach the sandbox. A server that starts removes what it takes for
/// left-overs from its temporary directory, another server's tables too: each has one of its own.
#[track_caller]
fn create_database(directory: &Path) {
    let temporary = directory.join("tmp");
    std::fs::create_dir(&temporary).expect("the sandbox is empty and ours");
    let mut install = Command::new("mariadb-install-db");
    install
        .env("TMPDIR", &temporary)
        .args(["--no-defaults", "--auth-root-authentication-method=normal"])
        .args(["--skip-test-db", "--skip-name-resolve"])
        .arg(format!("--datadir={}", directory.join("data").display()));
    if is_root() {
        install.arg("--user=mysql");
        let chown = Command::new("chown").arg("mysql").args([directory, &temporary]).status();
        let chown = chown.expect("chown is on every Linux machine");
        assert!(chown.success(), "there is no user mysql; {INSTALL}");
    }
    let output = install.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|e| panic!("cannot run mariadb-install-db: {e}; {INSTALL}"));
    assert!(output.status.success(), "mariadb-install-db: {output:?}");
}

/// Asks the server, as a client of its own, and gives the bare answer.
#[track_caller]
fn ask(daemon: &Daemon) -> String {
    let output = Command::new("mariadb")
        .args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"])
        .arg(format!("--socket={}", daemon.sandbox().file("mysqld.sock").display()))
        .args(["--execute", "SELECT 1"])
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap_or_else(|e| panic!("cannot run the mariadb client: {e}; {INSTALL}"));
    assert!(output.status.success(), "the server does not answer: {output:?}");
    String::from_utf8(output.stdout).expect("the answer is a digit")
}

/// Checks the status line to the byte and takes the pid out of it.
#[track_caller]
fn pid_of_running(daemon: &Daemon) -> i32 {
    let status = daemon.ctl(&["status"]);
    assert_eq!(status.status, 0, "{status:?}");
    let head = padded_name() + "RUNNING   pid ";
    let parsed = (|| {
        let rest = status.stdout.strip_prefix(&head)?.strip_suffix('\n')?;
        let (pid, seconds) = rest.split_once(", uptime 0:00:")?;
        let seconds_fit = seconds.len() == 2 && seconds.parse::<u8>().is_ok();
        seconds_fit.then(|| pid.parse().ok()).flatten()
    })();
    parsed.unwrap_or_else(|| panic!("wanted {head}N, uptime 0:00:NN, got {status:?}"))
}

fn padded_name() -> String {
    format!("{:<33}", "mysqld")
}

#[track_caller]
fn assert_ctl(daemon: &Daemon, arguments: &[&str], stdout: &str) {
    let output = daemon.ctl(arguments);
    assert_eq!(output.stdout, stdout, "{output:?}");
    assert_eq!(output.status, 0, "{output:?}");
}

fn is_root() -> bool {
    let uid = Command::new("id").arg("-u").output().expect("id is on every Linux machine").stdout;
    uid == b"0\n"
}
