//! Children that share the keeper's memory and descriptors until they are programs: where the kernel forbids it, where
//! descriptors are few or missing, where becoming a program takes long and is disturbed, and what it leaves behind.
//!
//! In: filters and leases by small C programs, other limits, other rights. Out: programs that run all the same, and a
//! keeper that nobody notices anything of. It needs root, as changing users and rights does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use provost_testkit::{
    DEADLINE, Daemon, Deadline, HEAD, Process, Sandbox, Signal, replace_program, send_signal, until,
};

use crate::common::{
    brain, content, descriptors, end_well, kill_brain, pid_of, start, started_by, state_of, wait_for_proc,
};

/// Forbids one system call with an errno: `filter close_range|clone ERRNO COMMAND...`. Of clone(2) only what shares
/// memory without waiting and without being a thread: what an emulator cannot do, and threads are left alone.
const FILTER: &str = r#"
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
int main(int argc, char **argv) {
    int refusal = SECCOMP_RET_ERRNO | atoi(argv[2]);
    struct sock_filter close_range[] = {LOAD(0), IS(SYS_close_range, 0, 1), RETURN(refusal), RETURN(SECCOMP_RET_ALLOW)};
    struct sock_filter clone[] = {
        LOAD(0), IS(SYS_clone, 0, 4), LOAD(16), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLONE_VM | CLONE_VFORK | CLONE_THREAD),
        IS(CLONE_VM, 0, 1), RETURN(refusal), RETURN(SECCOMP_RET_ALLOW)};
    struct sock_fprog of_range = {4, close_range}, of_clone = {7, clone};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, strcmp(argv[1], "clone") ? &of_range : &of_clone)) return 99;
    execvp(argv[3], argv + 3);
    return 98;
}
"#;

/// Holds a write lease on a file: whoever opens it, to execute it, waits. Says so, and ends with its input.
const LEASE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char c;
    signal(SIGIO, SIG_IGN);
    if (fcntl(open(argv[1], O_RDONLY), F_SETLEASE, F_WRLCK)) return 1;
    write(1, "!", 1);
    read(0, &c, 1);
    return 0;
}
"#;

/// Whoever links Rust programs has a C compiler.
#[track_caller]
fn compiled(sandbox: &Sandbox, name: &str, source: &str) -> PathBuf {
    let (file, program) = (sandbox.file(&format!("{name}.c")), sandbox.file(name));
    fs::write(&file, source).unwrap();
    let built = Command::new("cc").args(["-w", "-o"]).arg(&program).arg(file).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    program
}

const A: &str = "[program:a]\ncommand={child} hello forever\nautorestart=true\nstartretries=0\n";

#[track_caller]
fn runs_and_is_replaced(mut daemon: Daemon) {
    let first = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    assert_eq!(pid_of(&daemon, "a"), first);
    send_signal(first, Signal::KILL);
    let second = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line(&format!("spawned: 'a' with pid {second}"));
    end_well(daemon);
}

#[track_caller]
fn runs_behind_a_filter(call: &str, errno: i32) {
    let sandbox = Sandbox::new();
    let filter = compiled(&sandbox, "filter", FILTER);
    let ours = started_by(&[filter.to_str().unwrap(), call, &errno.to_string()]);
    let mut daemon = Daemon::start_in(sandbox, &ours, &format!("{HEAD}{A}"));
    let line = daemon.log().wait_for("a");
    assert!(!line.contains("spawnerr"), "{line}");
    runs_and_is_replaced(daemon);
}

#[test]
fn programs_start_where_descriptors_cannot_be_unshared() {
    for errno in [nix::libc::ENOSYS, nix::libc::EPERM] {
        runs_behind_a_filter("close_range", errno);
    }
}

/// An emulator of another processor (EINVAL), or a filter (EPERM), knows forks, vforks and threads, and nothing else.
#[test]
fn programs_start_where_memory_cannot_be_shared() {
    for errno in [nix::libc::EINVAL, nix::libc::EPERM] {
        runs_behind_a_filter("clone", errno);
    }
}

#[test]
fn programs_start_where_the_daemon_was_started_without_standard_descriptors() {
    let config = format!("{HEAD}{A}stdout_logfile={{dir}}/a.log\n");
    let closed = ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"];
    runs_and_is_replaced(Daemon::start(&started_by(&closed), &config));
}

/// Supervisor 4.3.0 runs eight programs with 110 descriptors.
#[test]
fn lanes_do_not_take_the_descriptors_that_programs_need() {
    let config = format!(
        "{HEAD}minfds=60\n[program:a]\ncommand={{child}} hello forever\nprocess_name=a%(process_num)s\nnumprocs=8\nstartretries=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
    );
    let mut daemon = Daemon::start(&started_by(&["prlimit", "--nofile=110:110"]), &config);
    for number in 0..8 {
        let line = daemon.wait_for_log_line(": ");
        assert!(!line.contains("spawnerr"), "program {number}: {line}");
    }
    end_well(daemon);
}

/// `cmd > /proc/1/fd/1` is how programs of a container speak to its log. In a container root may not trace.
#[test]
fn what_the_keeper_has_open_can_be_opened_after_a_program_of_another_user() {
    let rights = ["setpriv", "--bounding-set=-sys_ptrace"];
    let config =
        format!("{HEAD}[program:a]\ncommand={{child}} hello forever\nuser=nobody\nautostart=false\n");
    let mut daemon = Daemon::start(&started_by(&rights), &config);
    let executable = format!("/proc/{}/exe", daemon.pid());
    let can_be_seen = || {
        let seen = Command::new(rights[0]).args(&rights[1..]).arg("readlink").arg(&executable).output();
        seen.unwrap().status.success()
    };
    assert!(can_be_seen(), "before");
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
    daemon.wait_for_hello("a");
    assert!(can_be_seen(), "after a program has become nobody");
    end_well(daemon);
}

/// A brain that a signal ends has not found a mistake in its configuration.
#[test]
fn a_brain_that_is_killed_while_everything_starts_anew_is_replaced() {
    let mut daemon = start(A);
    daemon.wait_for_log_line("success: a");
    let first = brain(&daemon);
    let (config, aside) = (daemon.sandbox().file("supervisord.conf"), daemon.sandbox().file("aside"));
    fs::rename(&config, &aside).unwrap();
    // Whoever opens it waits for a writer. The first brain meets one, the second does not.
    nix::unistd::mkfifo(&config, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (text, pipe) = (fs::read(&aside).unwrap(), config.clone());
    let _writer = std::thread::spawn(move || fs::write(pipe, text));
    send_signal(daemon.pid(), Signal::HUP);
    Process::new(first).wait_until_gone();
    // The first is there until it is reaped.
    until("there is another", || brain_to_be(&daemon).is_some_and(|pid| pid != first));
    let second = Process::new(brain_to_be(&daemon).unwrap());
    wait_for_proc(second.pid(), "comm", |comm| comm == "provost-brain\n");
    fs::rename(&aside, &config).unwrap();
    second.signal(Signal::KILL);
    second.wait_until_gone();
    assert!(!daemon.process().ended_before(Deadline::after(DEADLINE / 10)), "the keeper has ended as well");
    daemon.wait_for_log_line("success: a");
    end_well(daemon);
}

#[track_caller]
fn brain_to_be(daemon: &Daemon) -> Option<i32> {
    let path = format!("/proc/{0}/task/{0}/children", daemon.pid());
    Some(fs::read_to_string(path).unwrap().split_whitespace().next()?.parse().unwrap())
}

struct Lease(Child);

impl Lease {
    #[track_caller]
    fn on(sandbox: &Sandbox, file: &Path) -> Lease {
        use std::io::Read;
        let mut holder = Command::new(compiled(sandbox, "lease", LEASE))
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Lease(holder)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // It ends with its input; only a corpse is left.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// More children than there are lanes hang on their way, and are ended there, each by another signal.
#[test]
fn children_that_are_slow_to_become_programs_disturb_nobody_however_they_end() {
    let mut daemon = start(
        "[program:slow]\ncommand={dir}/slow\nprocess_name=s%(process_num)02d\nnumprocs=40\nautostart=false\nautorestart=false\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
         [program:a]\ncommand={child} hello forever\nautostart=false\nstartsecs=0\n\
         [program:silent]\ncommand={child} hello forever\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    // The lane for what needs no disk is there from now on.
    daemon.wait_for_log_line("success: silent");
    let slow = daemon.sandbox().file("slow");
    replace_program(provost_testkit::provost_child(), &slow);
    assert_eq!(state_of(&daemon, "a"), "STOPPED");
    let before = descriptors(daemon.pid());
    let lease = Lease::on(daemon.sandbox(), &slow);
    assert_eq!(daemon.ctl(&["start", "slow:*"]).status, 0);
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
    daemon.wait_for_hello("a");
    for number in 0..40 {
        let pid = nix::unistd::Pid::from_raw(pid_of(&daemon, &format!("slow:s{number:02}")));
        // Signals that are ignored by default, or stop, or continue, change nothing.
        let signal = nix::sys::signal::Signal::try_from(number % 15 + 1).unwrap();
        nix::sys::signal::kill(pid, signal).unwrap();
        daemon.wait_for_log_line(&format!("exited: s{number:02}"));
    }
    drop(lease);
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    // Nothing stays in the lanes, and nothing of the children.
    until(&format!("{before} descriptors, as before"), || descriptors(daemon.pid()) == before);
    assert!(!content(&daemon, "main.log").contains("ended unexpectedly"));
    end_well(daemon);
}

/// Who stops a program that waits to be started again means that it is not to be started again.
#[track_caller]
fn stopped_while_it_rests(then: impl FnOnce(&mut Daemon)) {
    let mut daemon =
        start("[program:a]\ncommand={child} hello forever\nautorestart=true\nstartsecs=0\nrestartpause=4\n");
    let first = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    send_signal(first, Signal::KILL);
    daemon.wait_for_log_line("exited: a");
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: ERROR (not running)\n");
    then(&mut daemon);
    let again = |line: &str| line.contains("spawned: 'a'");
    let spawned = daemon.log().next_matching(again, Deadline::after(DEADLINE / 5));
    assert_eq!(spawned, None, "started against somebody's will");
    end_well(daemon);
}

#[test]
fn a_stop_during_the_pause_before_a_restart_is_a_stop() {
    stopped_while_it_rests(|_| {});
}

#[test]
fn a_stop_during_the_pause_before_a_restart_outlives_the_brain() {
    stopped_while_it_rests(kill_brain);
}
