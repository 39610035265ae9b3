//! Ours as PID 1 of a namespace, as in a container.
//!
//! In: programs that leave orphans, signals from outside and from inside, a brain that dies. Out: what the kernel says of
//! the processes in the namespace, and the exit status that a container would have. It needs the right to make
//! namespaces; without it these tests fail and say so.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use provost_testkit::{
    DEADLINE, Daemon, Deadline, HEAD, Implementation, Sandbox, Signal, descendants, send_signal,
    wait_until_gone,
};

use crate::common::{brain, content, freeze_brain, no_brain_can_start, pid_of, started_by, state_of};

const IN_A_NAMESPACE: [&str; 3] = ["unshare", "-pf", "--mount-proc"];

#[track_caller]
fn may_be_pid_1() {
    let may = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).output();
    assert!(
        may.as_ref().is_ok_and(|made| made.status.success()),
        "unshare(1) is not permitted here, so nothing can be said about PID 1: {may:?}"
    );
}

#[track_caller]
fn start_as_pid_1(config: &str) -> Daemon {
    may_be_pid_1();
    Daemon::start(&started_by(&IN_A_NAMESPACE), &format!("{HEAD}{config}"))
}

/// The keeper as we see it from outside: the one child of unshare(1).
fn keeper(daemon: &Daemon) -> i32 {
    descendants(daemon.pid())[0]
}

fn is_zombie(pid: &i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Waits until exactly these are in the namespace: keeper, brain and `programs` more, and nobody dead among them.
#[track_caller]
fn wait_until_only(daemon: &Daemon, programs: usize) {
    let deadline = Deadline::after(DEADLINE);
    let mut found = Vec::new();
    while deadline.remaining().is_some() {
        found = descendants(daemon.pid());
        if found.len() == 2 + programs && !found.iter().any(is_zombie) {
            return;
        }
        std::thread::yield_now();
    }
    let zombies: Vec<&i32> = found.iter().filter(|pid| is_zombie(pid)).collect();
    panic!("{} processes are left, {} of them zombies", found.len(), zombies.len());
}

#[track_caller]
fn end_as_docker_does(mut daemon: Daemon) {
    send_signal(keeper(&daemon), Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    assert!(!daemon.socket().exists() && !daemon.sandbox().file("main.pid").exists());
}

#[test]
fn orphans_are_reaped_and_said_and_the_end_is_orderly() {
    let mut daemon = start_as_pid_1(
        "[program:a]\ncommand=sh -c \"sh -c 'sleep 0.1 & (sleep 0.1; exit 3) & exit 0'; exec {child} hello forever\"\n",
    );
    daemon.wait_for_hello("a");
    assert_eq!(content(&daemon, "main.pid"), "1\n");
    assert_eq!(daemon.ctl(&["pid"]).stdout, "1\n");
    let lines: BTreeSet<String> = (0..2)
        .map(|_| daemon.wait_for_log_line("INFO reaped unknown pid "))
        .map(|line| line.split(" (").nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(lines.into_iter().collect::<Vec<_>>(), ["exit status 0)", "exit status 3)"]);
    wait_until_only(&daemon, 1);
    send_signal(keeper(&daemon), Signal::TERM);
    daemon.wait_for_log_line("stopped: a (terminated by SIGTERM)");
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

const STORM: &str = "[program:a]\ncommand=sh -c \"for i in $(seq 1 500); do (true &); done; exec {child} hello forever\"\nautostart=false\n[program:b]\ncommand={child} hello forever\n";

#[test]
fn a_storm_of_orphans_leaves_no_zombie() {
    let mut daemon = start_as_pid_1(STORM);
    daemon.wait_for_hello("b");
    for _ in 0..3 {
        assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
        daemon.wait_for_hello("a");
        wait_until_only(&daemon, 2);
        assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    }
    end_as_docker_does(daemon);
}

#[test]
fn a_storm_while_the_brain_does_not_listen_leaves_none_either() {
    let mut daemon = start_as_pid_1(
        "[program:a]\ncommand={child} on:USR1:say:now hello forever\n[program:storm]\ncommand=sh -c \"trap : USR1; {child} hello; sleep 1000 & p=$!; wait; for i in $(seq 1 500); do (true &); done; kill $p; wait; exec {child} hello:done forever\"\nstopasgroup=true\n",
    );
    daemon.wait_for_hello("storm");
    daemon.wait_for_hello("a");
    daemon.log().wait_for_all(&["success: a", "success: storm"]);
    let storm = pid_of(&daemon, "storm");
    // In the namespace it has another number: the one whose parent is the keeper and whose name is sh.
    assert!(storm > 1);
    let outside = descendants(daemon.pid())
        .into_iter()
        .find(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "sh\n"))
        .unwrap();
    let frozen = freeze_brain(&daemon);
    send_signal(outside, Signal::USR1);
    daemon.wait_for_hello("done");
    wait_until_only(&daemon, 2);
    frozen.signal(Signal::CONT);
    assert_eq!(state_of(&daemon, "a"), "RUNNING");
    assert_eq!(pid_of(&daemon, "storm"), storm);
    end_as_docker_does(daemon);
}

#[test]
fn its_brain_may_die() {
    let mut daemon = start_as_pid_1("[program:a]\ncommand={child} hello forever\n");
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let a = pid_of(&daemon, "a");
    for _ in 0..3 {
        send_signal(brain(&daemon), Signal::KILL);
        daemon.wait_for_log_line("has ended unexpectedly");
        assert_eq!(pid_of(&daemon, "a"), a);
    }
    wait_until_only(&daemon, 1);
    end_as_docker_does(daemon);
}

#[test]
fn a_term_from_inside_counts_like_one_from_outside() {
    let mut daemon = start_as_pid_1(
        "[program:a]\ncommand={child} hello forever\n[program:b]\ncommand=sh -c \"kill -TERM 1; exec {child} forever\"\nautostart=false\n",
    );
    daemon.wait_for_hello("a");
    daemon.ctl(&["start", "b"]);
    daemon.wait_for_log_line("received SIGTERM indicating exit request");
    daemon.wait_for_log_line("stopped: a (terminated by SIGTERM)");
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

#[test]
fn hup_starts_everything_afresh_as_pid_1() {
    let mut daemon = start_as_pid_1("[program:a]\ncommand={child} hello forever\n");
    daemon.wait_for_hello("a");
    send_signal(keeper(&daemon), Signal::HUP);
    daemon.wait_for_log_line("supervisord started with pid 1");
    daemon.wait_for_hello("a");
    wait_until_only(&daemon, 1);
    end_as_docker_does(daemon);
}

#[test]
fn a_term_without_a_brain_ends_the_container_with_a_failure() {
    let mut daemon = start_as_pid_1("[program:a]\ncommand={child} hello forever\n");
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let keeper = keeper(&daemon);
    no_brain_can_start(&daemon);
    let frozen = freeze_brain(&daemon);
    frozen.signal(Signal::KILL);
    frozen.wait_until_gone();
    send_signal(keeper, Signal::TERM);
    wait_until_gone(keeper);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(1));
}

#[test]
fn whoever_stays_behind_in_the_namespace_does_not_hold_up_the_end() {
    let mut daemon = start_as_pid_1(
        "[program:a]\ncommand=sh -c \"(setsid sh -c 'trap : TERM HUP; while :; do sleep 1000; done' &); exec {child} hello forever\"\n",
    );
    daemon.wait_for_hello("a");
    end_as_docker_does(daemon);
}

#[test]
fn two_containers_may_share_the_directory_of_their_pidfile() {
    may_be_pid_1();
    let sandbox = Sandbox::new();
    let mut starters = Vec::new();
    for name in ["one", "other"] {
        let config = "[supervisord]\nlogfile={dir}/NAME.log\npidfile={dir}/main.pid\nchildlogdir={dir}\nidentifier=NAME\n";
        let path = sandbox.file(&format!("{name}.conf"));
        fs::write(&path, config.replace("{dir}", sandbox.path().to_str().unwrap()).replace("NAME", name))
            .unwrap();
        let mut command = Command::new("timeout");
        command.args(["--foreground", "--signal=KILL", "60"]).args(IN_A_NAMESPACE);
        command.args(Implementation::ours().supervisord).arg("-nsc").arg(path);
        let mut log = provost_testkit::Lines::follow(&sandbox.file(&format!("{name}.log")));
        starters.push(command.current_dir(sandbox.path()).spawn().unwrap());
        log.wait_for("supervisord started with pid 1");
    }
    let log = fs::read_to_string(sandbox.file("other.log")).unwrap();
    assert!(log.contains("is not locked (it belongs to another container or machine)"), "{log}");
    for mut starter in starters {
        let unshare = descendants(starter.id() as i32)[0];
        send_signal(descendants(unshare)[0], Signal::TERM);
        assert_eq!(starter.wait().unwrap().code(), Some(0));
    }
}
