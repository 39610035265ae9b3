//! The listeners that end a container's supervisord when a program has ended, spelled as they stand in images and tutorials.
//!
//! In: a program that ends, one that would run on, and one of those lines. Out: the daemon ends as after a signal from outside: the
//! other program is stopped, pidfile and socket are gone, the status is 0. And one that its author thinks to be such a listener.

use std::process::Command;

use provost_testkit::{Daemon, Implementation};

use super::configuration;

on_both!(they_end_supervisord, they_end_pid_1, who_never_was_ready_ends_nothing);

/// `ended` has exited when a listener hears of anything; `failed` comes to FATAL soon.
const PROGRAMS: &str = "
[program:runs]
command={child} hello forever
startsecs=0

[program:ended]
command={child} exit:0
autorestart=false
startsecs=0

; However late its end is seen, it never was RUNNING.
[program:failed]
command={child} exit:1
startretries=0
startsecs=60
";

/// What it is, the lines of the listener, and the signal that the daemon gets.
type Ending = (&'static str, &'static str, &'static str);

const ENDINGS: &[Ending] = &[
    (
        "bash, with commas",
        r#"command=bash -c "printf 'READY\n' && while read line; do kill -SIGQUIT $PPID; done < /dev/stdin"
events=PROCESS_STATE_STOPPED,PROCESS_STATE_EXITED,PROCESS_STATE_FATAL"#,
        "SIGQUIT",
    ),
    (
        "bash, with commas and blanks",
        r#"command=bash -c "printf 'READY\n' && while read line; do kill -SIGQUIT $PPID; done < /dev/stdin"
events=PROCESS_STATE_STOPPED, PROCESS_STATE_EXITED, PROCESS_STATE_FATAL"#,
        "SIGQUIT",
    ),
    (
        "bash, types and what they belong to, again and again",
        r#"command=bash -c "printf 'READY\n' && while read line; do kill -SIGQUIT $PPID; done < /dev/stdin"
events=PROCESS_STATE,PROCESS_STATE_FATAL, PROCESS_STATE , process_state_exited,EVENT"#,
        "SIGQUIT",
    ),
    (
        "bash, in a line that goes on",
        r#"command=bash -c "echo READY &&
    read line && kill -SIGTERM $PPID"
events=PROCESS_STATE_FATAL"#,
        "SIGTERM",
    ),
    (
        "bash, one line",
        r#"command=bash -c "echo READY && read line && kill -SIGQUIT $PPID"
events=PROCESS_STATE_FATAL"#,
        "SIGQUIT",
    ),
    (
        "sh, with a number",
        r#"command=sh -c "echo READY && read line && kill -3 $PPID"
events=PROCESS_STATE_FATAL"#,
        "SIGQUIT",
    ),
    (
        "a script that reads the pidfile",
        "command={here}/stop-supervisor.sh {dir}/main.pid
process_name=processes
events=PROCESS_STATE_EXITED,PROCESS_STATE_FATAL",
        "SIGQUIT",
    ),
    (
        "a script that says on stdout what it does",
        r#"command=bash -c "printf 'READY\n'; while read line; do echo \"Event: $line\"; kill -15 $PPID; done < /dev/stdin"
events=PROCESS_STATE_EXITED"#,
        "SIGTERM",
    ),
    (
        "python, by its parent's pid",
        r#"command={bin}/python -c "import os, signal, sys; print('READY', flush=True); sys.stdin.readline(); os.kill(os.getppid(), signal.SIGTERM)"
events=PROCESS_STATE_EXITED,PROCESS_STATE_FATAL"#,
        "SIGTERM",
    ),
    (
        "a shell that hands its parent's pid to python",
        r#"command=/bin/bash -c "{bin}/python {here}/critical.py $PPID failed"
events=PROCESS_STATE_FATAL"#,
        "SIGQUIT",
    ),
    (
        "at the next tick",
        r#"command=bash -c "echo READY; read line; kill -INT $PPID; sleep 60"
events=TICK_5"#,
        "SIGINT",
    ),
];

/// As PID 1 of a container.
const ENDINGS_OF_PID_1: &[Ending] = &[
    (
        "kill 1",
        r#"command=bash -c "printf 'READY\n'; while read line; do kill -TERM 1; done < /dev/stdin"
events=PROCESS_STATE_EXITED,PROCESS_STATE_FATAL"#,
        "SIGTERM",
    ),
    (
        "kill -3 1, in a file",
        "command={here}/stop-supervisor.sh {dir}/main.pid
events=PROCESS_STATE_FATAL",
        "SIGQUIT",
    ),
];

fn they_end_supervisord(implementation: &Implementation) {
    play(implementation, ENDINGS);
    let ctl = Implementation::supervisor_4_3().supervisorctl[0].display().to_string();
    let by_ctl = format!(
        "command=bash -c \"echo READY; read line; {ctl} -c {{dir}}/supervisord.conf shutdown\"\nevents=PROCESS_STATE_FATAL"
    );
    let daemon = begin(implementation, &by_ctl);
    ends(daemon, "supervisorctl", None);
}

fn they_end_pid_1(implementation: &Implementation) {
    let may = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).output();
    assert!(
        may.is_ok_and(|made| made.status.success()),
        "unshare(1) is not permitted here: there is no PID 1"
    );
    let mut in_a_namespace = implementation.clone();
    let before = ["unshare", "-pf", "--mount-proc"].map(Into::into);
    in_a_namespace.supervisord.splice(0..0, before);
    play(&in_a_namespace, ENDINGS_OF_PID_1);
}

/// All at once: most of the time each of them waits for a second to pass.
fn play(implementation: &Implementation, endings: &[Ending]) {
    std::thread::scope(|scope| {
        for (what, lines, signal) in endings {
            scope.spawn(move || ends(begin(implementation, lines), what, Some(signal)));
        }
    });
}

fn begin(implementation: &Implementation, lines: &str) -> Daemon {
    let listener = format!("[eventlistener:processes]\n{lines}\n");
    Daemon::start(implementation, &configuration(&format!("{PROGRAMS}{listener}")))
}

fn ends(mut daemon: Daemon, what: &str, signal: Option<&str>) {
    daemon.wait_for_hello("runs");
    if let Some(signal) = signal {
        daemon.wait_for_log_line(&format!("received {signal} indicating exit request"));
    }
    daemon.wait_for_log_line("waiting for ");
    daemon.wait_for_log_line("stopped: runs (terminated by SIGTERM)");
    let status = daemon.wait_for_end().and_then(|status| status.code());
    let left = ["s.sock", "main.pid"].map(|name| daemon.sandbox().file(name)).map(|path| path.exists());
    assert_eq!((status, left), (Some(0), [false; 2]), "{what}");
}

/// The first line that it writes is a greeting, so it is never told anything.
fn who_never_was_ready_ends_nothing(implementation: &Implementation) {
    let greets = r#"command=bash -c "printf 'INIT stop-supervisor\n'; while read line; do kill -3 $PPID; done < /dev/stdin"
events=PROCESS_STATE"#;
    let mut daemon = begin(implementation, greets);
    let unknown = "processes: has entered the UNKNOWN state and will no longer receive events";
    daemon.log().wait_for_all(&[unknown, "success: processes", "gave up: failed"]);
    assert_eq!(daemon.ctl(&["status", "processes", "runs"]).status, 0, "both run on");
}
