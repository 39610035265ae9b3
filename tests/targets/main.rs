//! Whom a verb of our supervisorctl reaches, and how it waits: the same lines for our daemon, which is asked for all at once, and for
//! Supervisor's, which is asked for one process after the other.
//!
//! In: command lines in order, and what each says and exits with. Out: the same on both daemons. What only ours can do stands below.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use provost_testkit::{Daemon, HEAD, Implementation, Process, Signal, descendants, post, until};

const PROGRAMS: &str = "
[program:web-1]
command={child} forever
startsecs=0

[program:web-2]
command={child} forever
startsecs=0

[program:roll-a]
command={child} forever
startsecs=0

[program:roll-b]
command={child} forever
startsecs=0
priority=1

[program:pool]
command={child} forever
process_name=w_%(process_num)02d
numprocs=3
startsecs=0

[program:off]
command={child} forever
autostart=false
startsecs=0

[program:quick]
command={child} exit:3
autostart=false
startsecs=1
startretries=0

[program:job]
command={child} exit:3
startsecs=0
autorestart=false
autostart=false
";

/// What is called, what it says, and what it exits with.
type Row = (&'static [&'static str], &'static str, i32);

const ROWS: &[Row] = &[
    // Patterns: what they reach is done together, in the order of every start.
    (&["stop", "web-*"], "web-1: stopped\nweb-2: stopped\n", 0),
    (&["stop", "web-?"], "", 0),
    (&["start", "w*:w*", "off"], "web-1: started\nweb-2: started\noff: started\n", 0),
    (&["start", "nobody*", "pool:w_9?", "nob*:*"], NOBODY, 2),
    (&["stop", "nobody*"], "nobody*: ERROR (no such process)\n", 1),
    (&["signal", "CONT", "w_0[12]"], "pool:w_01: signalled\npool:w_02: signalled\n", 0),
    (&["signal", "NONSENSE", "web-[1]"], "web-1: ERROR (bad signal name)\n", 1),
    (&["clear", "web-[!2]", "of?"], "web-1: cleared\noff: cleared\n", 0),
    (&["restart", "of?"], "off: stopped\noff: started\n", 0),
    // As a tool says it: the whole line in one argument, and quotes that no shell takes off.
    (&["mstop 'w_*' off"], "pool:w_00: stopped\npool:w_01: stopped\npool:w_02: stopped\noff: stopped\n", 0),
    (&["mstart", "w_01", "x*"], "x*: ERROR (no such process)\npool:w_01: started\n", 1),
    (&["mrestart", "w_01"], "pool:w_01: stopped\npool:w_01: started\n", 0),
    (&["start", "pool:*"], "pool:w_00: started\npool:w_02: started\n", 0),
    // Waiting, and not.
    (&["start", "off", "--no-wait"], "off: starting\n", 0),
    (&["wait", "off", "pool:*", "running"], WAITED, 0),
    (&["stop", "--no-wait", "off"], "off: stopping\n", 0),
    (&["wait", "off", "STOPPED,FATAL", "--timeout", "20"], "off: STOPPED\n", 0),
    (&["start", "quick", "--no-wait"], "quick: starting\n", 0),
    (
        &["wait", "quick", "RUNNING"],
        "quick: ERROR (is FATAL: Exited too quickly (process log may have details))\n",
        7,
    ),
    (&["wait", "quick", "FATAL"], "quick: FATAL\n", 0),
    (&["wait", "nobody", "RUNNING"], "nobody: ERROR (no such process)\n", 1),
    // Some after the others.
    (&["restart", "--rolling", "pool:*", "roll-[ab]"], ROLLED, 0),
    (&["restart", "--rolling", "--batch", "2", "web-1", "quick", "off", "pool:w_00"], STOPPED_SHORT, 7),
    (&["restart", "--rolling", "web-1", "nobody"], "nobody: ERROR (no such process)\n", 1),
    // How things are.
    (&["health", "web-*", "pool:*"], "healthy: 5 RUNNING\n", 0),
    (&["health", "off"], "unhealthy: off is STOPPED\n", 1),
    (&["health"], "unhealthy: quick is FATAL (Exited too quickly (process log may have details))\n", 1),
    (&["status", "--failed"], FAILED, 3),
    (&["status", "--failed", "--exit-zero"], FAILED, 0),
    (&["status", "--failed", "web-*"], "", 0),
    (&["start", "job", "--no-wait"], "job: starting\n", 0),
    (&["wait", "job", "EXITED"], "job: EXITED\n", 0),
    (&["health", "j?b"], "unhealthy: job is EXITED (Bad exit code 3)\n", 1),
];

const NOBODY: &str =
    "nobody*: ERROR (no such process)\npool:w_9?: ERROR (no such process)\nnob*: ERROR (no such group)\n";
const WAITED: &str = "off: RUNNING\npool:w_00: RUNNING\npool:w_01: RUNNING\npool:w_02: RUNNING\n";
const ROLLED: &str = "pool:w_00: restarted\npool:w_01: restarted\npool:w_02: restarted\nroll-b: restarted\nroll-a: restarted\n";
const STOPPED_SHORT: &str =
    "web-1: restarted\nquick: ERROR (spawn error)\noff: not touched\npool:w_00: not touched\n";
const FAILED: &str =
    "quick                            FATAL     Exited too quickly (process log may have details)\n";

#[track_caller]
fn play(daemon: &Implementation) {
    let driven = daemon.driven_by(&Implementation::ours());
    let daemon = Daemon::start(&driven, &format!("{HEAD}{PROGRAMS}"));
    let up = daemon.ctl(&["wait", "web-*", "pool:*", "RUNNING"]);
    assert_eq!(up.status, 0, "{up:?}");
    for (line, text, status) in ROWS {
        let said = daemon.ctl(line);
        assert_eq!((&*said.stdout, said.status), (*text, *status), "{}: {line:?}: {said:?}", driven.name);
    }
    let pids = daemon.ctl(&["pid", "web-*", "w_0*"]).stdout;
    assert_eq!(pids.lines().filter(|pid| pid.parse::<i32>().is_ok_and(|pid| pid > 0)).count(), 5, "{pids}");
}

#[test]
fn our_daemon_does_what_it_is_told() {
    play(&Implementation::ours());
}

#[test]
fn supervisors_daemon_does_it_step_by_step() {
    play(&Implementation::supervisor_4_3());
}

/// Two children that will not die before they are killed take as long as one.
#[test]
fn stops_overlap_on_both() {
    let stubborn = "[program:s]\ncommand={child} ignore:TERM hello forever\nprocess_name=s%(process_num)d\nnumprocs=6\nstartsecs=0\n\
                    stopwaitsecs=2\n";
    for implementation in [Implementation::ours(), Implementation::supervisor_4_3()] {
        let driven = implementation.driven_by(&Implementation::ours());
        let mut daemon = Daemon::start(&driven, &format!("{HEAD}{stubborn}"));
        for number in 0..6 {
            daemon.wait_for_hello(&format!("s{number}"));
        }
        let before = Instant::now();
        let said = daemon.ctl(&["stop", "s?"]);
        assert_eq!((said.status, said.stdout.lines().count()), (0, 6), "{said:?}");
        // One after the other they would take twelve seconds at least.
        let took = before.elapsed();
        assert!(took < Duration::from_secs(10), "{}: {took:?}", driven.name);
    }
}

#[track_caller]
fn brain(daemon: &Daemon) -> i32 {
    let comm = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    descendants(daemon.pid()).into_iter().find(|pid| comm(*pid) == "provost-brain\n").unwrap()
}

#[test]
fn whoever_waits_is_answered_by_the_next_brain() {
    let mut daemon = Daemon::start(&Implementation::ours(), &format!("{HEAD}{PROGRAMS}"));
    let server = format!("unix://{}", daemon.socket().display());
    let begins = || {
        Command::new(&Implementation::ours().supervisorctl[0])
            .args(["-s", &server, "wait", "off", "RUNNING"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let (mut waits, mut begun) = (begins(), Instant::now());
    daemon.wait_for_log_line("success: web-2");
    // It is the last that may wait, so who is refused knows that it does.
    let mut others: Vec<UnixStream> = (0..63).map(|_| waits_long(&daemon, "off")).collect();
    all_wait(&daemon, &mut others, "off", || {
        // It was refused, then, and looks by itself.
        if begun.elapsed() > Duration::from_secs(3) {
            waits.kill().unwrap();
            waits.wait().unwrap();
            (waits, begun) = (begins(), Instant::now());
        }
    });
    let first = Process::new(brain(&daemon));
    first.signal(Signal::KILL);
    first.wait_until_gone();
    daemon.wait_for_log_line("has ended unexpectedly");
    assert_eq!(daemon.ctl(&["start", "off"]).stdout, "off: started\n");
    let said = waits.wait_with_output().unwrap();
    assert_eq!(
        (String::from_utf8_lossy(&said.stdout).as_ref(), said.status.code()),
        ("off: RUNNING\n", Some(0))
    );
}

/// Waits so long for what will not be.
fn call(seconds: u32) -> String {
    format!(
        "<?xml version='1.0'?><methodCall><methodName>provost.waitForState</methodName><params>\
         <param><value>off</value></param><param><value>FATAL</value></param>\
         <param><value><int>{seconds}</int></value></param></params></methodCall>"
    )
}

fn waits_long(daemon: &Daemon, name: &str) -> UnixStream {
    let mut socket = UnixStream::connect(daemon.socket()).unwrap();
    let call = call(600).replace("off", name);
    let length = call.len();
    write!(
        socket,
        "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{call}"
    )
    .unwrap();
    socket
}

/// Looks, without waiting, until the answer has this in it: others come and go at the daemon's own pace.
#[track_caller]
fn look_until(daemon: &Daemon, wanted: &str) {
    until(wanted, || looks(daemon).contains(wanted));
}

/// Until there is no place for another. Whoever looks takes a place for a moment, which one of these may have found taken: it, or who
/// waits `beside` them, asks again.
#[track_caller]
fn all_wait(daemon: &Daemon, others: &mut [UnixStream], name: &str, mut beside: impl FnMut()) {
    until("all of them wait", || {
        for other in &mut *others {
            other.set_nonblocking(true).unwrap();
            if other.read(&mut [0; 512]).is_ok() {
                *other = waits_long(daemon, name);
            }
        }
        beside();
        looks(daemon).contains("FAILED: 64 others wait for states already")
    });
}

fn looks(daemon: &Daemon) -> String {
    let answer = post(&daemon.socket(), "/RPC2", call(0).as_bytes()).unwrap();
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[test]
fn those_who_wait_have_a_limit_and_give_their_place_back() {
    let daemon = Daemon::start(&Implementation::ours(), &format!("{HEAD}{PROGRAMS}"));
    look_until(&daemon, "<name>reached</name>");
    let mut all: Vec<UnixStream> = (0..64).map(|_| waits_long(&daemon, "off")).collect();
    all_wait(&daemon, &mut all, "off", || {});
    // The client does not give up then: it looks by itself.
    assert_eq!(daemon.ctl(&["wait", "web-1", "RUNNING"]).stdout, "web-1: RUNNING\n");
    drop(all);
    look_until(&daemon, "<name>reached</name>");
}

#[test]
fn who_waits_for_a_process_that_an_update_removes_is_told_at_once() {
    let pool = |n: u32| {
        format!(
            "{HEAD}[program:pool]\ncommand={{child}} forever\nprocess_name=w_%(process_num)02d\nnumprocs={n}\nautostart=false\n"
        )
    };
    let daemon = Daemon::start(&Implementation::ours(), &pool(2));
    let call = call(600).replace("off", "pool:w_01");
    let mut waits = UnixStream::connect(daemon.socket()).unwrap();
    let head = "POST /RPC2 HTTP/1.0\r\nHost: x\r\nContent-Type: text/xml\r\n";
    write!(waits, "{head}Content-Length: {}\r\n\r\n{call}", call.len()).unwrap();
    // All others but one, so whoever is refused knows that it waits.
    let mut others: Vec<UnixStream> = (0..63).map(|_| waits_long(&daemon, "pool:w_00")).collect();
    all_wait(&daemon, &mut others, "pool:w_00", || {});
    daemon.write_config(&pool(1));
    assert!(daemon.ctl(&["update"]).stdout.contains("pool"), "it is changed");
    // It is stopped already: no state of anything changes.
    waits.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = String::new();
    waits.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("BAD_NAME: pool:w_01"), "{answer}");
}
