//! What the themes share: starting ours, finding its brain, reading /proc, one XML-RPC call.
//!
//! In: a running [`Daemon`]. Out: pids, counts and texts. Not here: expectations.

use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

use provost_testkit::{
    DEADLINE, Daemon, HEAD, Implementation, Process, Sandbox, Signal, descendants, post, send_signal,
};

/// Ours in the foreground, with the usual head before `config`.
#[track_caller]
pub(crate) fn start(config: &str) -> Daemon {
    Daemon::start(&Implementation::ours(), &format!("{HEAD}{config}"))
}

/// Ours, started through another program: `words` come before the daemon's own command line.
pub(crate) fn started_by(words: &[&str]) -> Implementation {
    let ours = Implementation::ours();
    let mut supervisord: Vec<OsString> = words.iter().map(OsString::from).collect();
    supervisord.extend(ours.supervisord.iter().cloned());
    Implementation { supervisord, ..ours }
}

/// Runs supervisord on `config` in `sandbox` to its end, for starts that must fail.
pub(crate) fn run_to_end(sandbox: &Sandbox, config: &str, arguments: &[&str]) -> Output {
    let path = sandbox.file("other.conf");
    let config = format!("{HEAD}{config}").replace("{dir}", sandbox.path().to_str().unwrap());
    fs::write(&path, config).unwrap();
    Command::new("timeout")
        .args(["--signal=KILL", "20"])
        .args(Implementation::ours().supervisord)
        .arg("-c")
        .arg(path)
        .args(arguments)
        .current_dir(sandbox.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The keeper's child that thinks.
#[track_caller]
pub(crate) fn brain(daemon: &Daemon) -> i32 {
    let comm = |pid: i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let found = descendants(daemon.pid()).into_iter().find(|pid| comm(*pid) == "provost-brain\n");
    found.expect("a running daemon has a brain")
}

/// Ends the brain with SIGKILL and waits until its successor speaks.
#[track_caller]
pub(crate) fn kill_brain(daemon: &mut Daemon) {
    let brain = Process::new(brain(daemon));
    brain.signal(Signal::KILL);
    brain.wait_until_gone();
    daemon.wait_for_log_line(&format!("the brain (pid {}) has ended unexpectedly", brain.pid()));
}

/// Stops the brain where it is: what happens from now on happens without it.
#[track_caller]
pub(crate) fn freeze_brain(daemon: &Daemon) -> Process {
    let brain = Process::new(brain(daemon));
    brain.signal(Signal::STOP);
    // A stop is asynchronous; the kernel says when it has taken place.
    wait_for_proc(brain.pid(), "stat", |stat| {
        stat.rsplit_once(") ").is_some_and(|(_, s)| s.starts_with('T'))
    });
    brain
}

/// Reads a file of /proc until it says what is wanted: the kernel offers no event for these.
#[track_caller]
pub(crate) fn wait_for_proc(pid: i32, file: &str, mut wanted: impl FnMut(&str) -> bool) {
    let end = std::time::Instant::now() + provost_testkit::DEADLINE;
    while std::time::Instant::now() < end {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        if wanted(&text) {
            return;
        }
        std::thread::yield_now();
    }
    panic!("/proc/{pid}/{file} has not become what was waited for");
}

/// The pid of a program, as supervisorctl says it.
#[track_caller]
pub(crate) fn pid_of(daemon: &Daemon, name: &str) -> i32 {
    let said = daemon.ctl(&["pid", name]);
    said.stdout.trim().parse().unwrap_or_else(|_| panic!("no pid of {name}: {said:?}"))
}

/// The second word of a program's line in `supervisorctl status`.
#[track_caller]
pub(crate) fn state_of(daemon: &Daemon, name: &str) -> String {
    let said = daemon.ctl(&["status", name]);
    said.stdout.split_whitespace().nth(1).unwrap_or_else(|| panic!("no state of {name}: {said:?}")).to_owned()
}

/// What a file in the sandbox says; nothing if it is not there.
pub(crate) fn content(daemon: &Daemon, name: &str) -> String {
    fs::read(daemon.sandbox().file(name))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

pub(crate) fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Resident memory in kB.
pub(crate) fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// User and system time in clock ticks, and how often each thread gave the processor up by itself.
pub(crate) fn activity(pid: i32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let switches = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    });
    (ticks, switches.sum())
}

/// What asks for least.
pub(crate) const CALL: &str = "<methodCall><methodName>supervisor.getState</methodName></methodCall>";

/// A connection of which nothing takes for ever.
#[track_caller]
pub(crate) fn connect(daemon: &Daemon) -> UnixStream {
    let stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// One XML-RPC call with parameters that are already XML values; the body of the answer.
#[track_caller]
pub(crate) fn call(daemon: &Daemon, method: &str, values: &[&str]) -> String {
    let answer = post(&daemon.socket(), "/RPC2", body(method, values).as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{method}: {}", String::from_utf8_lossy(&answer.body));
    String::from_utf8(answer.body).unwrap()
}

/// Asks the daemon to end and expects that it does so in good order.
#[track_caller]
pub(crate) fn end_well(mut daemon: Daemon) {
    send_signal(daemon.pid(), Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

/// The body of an XML-RPC call with texts and booleans.
pub(crate) fn body(method: &str, values: &[&str]) -> String {
    let params: String = values.iter().map(|v| format!("<param><value>{v}</value></param>")).collect();
    format!("<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>")
}

/// From here on no brain comes up: it may not write a byte into a file, nor into the memory that it keeps for the next.
#[track_caller]
pub(crate) fn no_brain_can_start(daemon: &Daemon) {
    let stat = fs::read_to_string(format!("/proc/{}/stat", brain(daemon))).unwrap();
    let keeper = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap();
    let limited = Command::new("prlimit").args(["--fsize=0", "--pid", keeper]).status().unwrap();
    assert!(limited.success(), "cannot limit the keeper");
}
