//! A script in place of somebody: what goes into a pipe and comes out of one is Supervisor's, byte for byte.

use std::io::Write;
use std::process::Stdio;

use provost_testkit::{Daemon, Implementation};

use crate::{daemon_with, file};

/// What comes of these lines, and the exit status.
fn fed(daemon: &Daemon, implementation: &Implementation, lines: &str) -> (String, Option<i32>) {
    let mut command = daemon.ctl_command(implementation, &[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// Without what cannot be the same: a minute may pass between two clients.
fn comparable(line: &str) -> String {
    let line = line.trim_end_matches('\n');
    let is_time = |line: &str| line.ends_with(" AM") || line.ends_with(" PM");
    let kept = if is_time(line) { &line[..line.len() - "04:56 AM".len()] } else { line };
    format!("{kept}\n")
}

#[test]
fn a_pipe_sees_no_editor() {
    let daemon = daemon_with("[program:idle]\ncommand={child} hello forever\n");
    // An uptime is told in another way by each call.
    assert_eq!(daemon.ctl(&["stop", "cat", "idle"]).status, 0);
    let lines = [
        "",
        "\n\nquit\n",
        "version",
        "frobnicate\n!ls\n?nosuch\n",
        "start idle\nstop idle\nstop idle\nquit\nversion\n",
        "pid idle\npid nosuch nobody\navail\n  status idle  \nEOF\n",
        "\tversion\nclear nosuch\nreload\nn\nshutdown\nno\n",
        "fg idle\nfg nosuch\ntail nosuch\nhelp nosuch\n",
    ];
    for lines in lines {
        let [ours, theirs] =
            [Implementation::ours(), Implementation::supervisor_4_3()].map(|implementation| {
                let (text, status) = fed(&daemon, &implementation, lines);
                (text.split_inclusive('\n').map(comparable).collect::<String>(), status)
            });
        assert_eq!(ours, theirs, "{lines:?}");
    }
    // Nor a history.
    assert!(std::fs::read(file(&daemon, "history")).unwrap_or_default().is_empty());
}
