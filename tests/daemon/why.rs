//! `supervisorctl why`: every way in which a process ends or does not begin is told as what it was, whoever's wish it was, and
//! whatever becomes of brains and builds in between.
//!
//! In: programs that come to grief in one way each. Out: what `why` says, as a document and for people.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use provost_testkit::{
    Daemon, HEAD, Implementation, Sandbox, Signal, replace_program, send_signal, supervisord_next, until,
    wait_until_gone,
};
use serde_json::{Value, json};

use crate::common::{content, end_well, kill_brain, pid_of, start, started_by};

/// What `why --json` says of one process.
#[track_caller]
fn why(daemon: &Daemon, name: &str) -> Value {
    let said = daemon.ctl(&["why", "--json", name]);
    assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
    let mut document: Value = serde_json::from_str(&said.stdout).unwrap();
    document["results"][0].take()
}

/// The newest life.
#[track_caller]
fn last(daemon: &Daemon, name: &str) -> Value {
    why(daemon, name)["lives"][0].take()
}

/// What people read.
#[track_caller]
fn story(daemon: &Daemon, name: &str) -> String {
    let said = daemon.ctl(&["why", name]);
    assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
    said.stdout
}

#[track_caller]
fn tells(daemon: &Daemon, name: &str, parts: &[&str]) {
    let story = story(daemon, name);
    for part in parts {
        assert!(story.contains(part), "{part:?} is not in:\n{story}");
    }
}

/// The members of a struct that are asked for.
fn members(value: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), value[*name].clone())).collect()
}

#[test]
fn a_crash_is_told_by_its_signal_and_whether_there_is_a_core() {
    let mut daemon = start(
        "[program:a]\ncommand=/bin/sh -c \"echo oops >&2; kill -SEGV $$\"\nstartsecs=0\nautorestart=false\n",
    );
    let a = daemon.wait_for_log_line("spawned: 'a' with pid ");
    let a: i32 = a.rsplit(' ').next().unwrap().parse().unwrap();
    let line = daemon.wait_for_log_line("exited: a (terminated by SIGSEGV");
    let told = last(&daemon, "a");
    let wanted = json!({"pid": a, "end": "signal", "signal": 11, "signal_name": "SIGSEGV", "exit_status": -1,
        "expected": false, "stopped_by": {}, "sent": {}, "core_dumped": line.contains("core dumped")});
    let names: Vec<&str> = wanted.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members(&told, &names), wanted);
    tells(
        &daemon,
        "a",
        &["a: EXITED since ", "ended by SIGSEGV", "it crashed, ", "    | oops\n", "autorestart=false"],
    );
}

#[test]
fn ends_of_its_own_are_told_with_what_followed() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:USR1:exit:3 hello forever\nstartsecs=0\nautorestart=unexpected\n\
         [program:quick]\ncommand={child} esay:Address\\ already\\ in\\ use exit:4\nstartretries=1\n\
         [program:done]\ncommand={child} exit:0\nstartsecs=0\nautorestart=unexpected\n",
    );
    for _ in 0..10 {
        let a = daemon.wait_for_hello("a").pid;
        send_signal(a, Signal::USR1);
    }
    let a = daemon.wait_for_hello("a").pid;
    daemon.log().wait_for_all(&["gave up: quick", &format!("spawned: 'a' with pid {a}")]);
    let told = why(&daemon, "a");
    assert_eq!(
        members(&told, &["pid", "attempts", "restarts"]),
        json!({"pid": a, "attempts": 11, "restarts": 10})
    );
    let lives = told["lives"].as_array().unwrap();
    assert_eq!(lives.len(), 8, "older ones are counted only");
    for life in lives {
        let wanted = json!({"end": "exit", "exit_status": 3, "expected": false, "then": "restart"});
        assert_eq!(members(life, &["end", "exit_status", "expected", "then"]), wanted);
    }
    let wanted = json!({"exit_status": 4, "too_quick": true, "then": "given up", "attempts": 2});
    assert_eq!(members(&last(&daemon, "quick"), &["exit_status", "too_quick", "then", "attempts"]), wanted);
    tells(&daemon, "quick", &["too quickly (startsecs=1); gave up after 2 attempts", "its address is taken"]);
    tells(&daemon, "quick", &["supervisorctl start quick"]);
    tells(&daemon, "done", &["exit status 0 after ", ", as expected", "that is as configured"]);
    let everything = daemon.ctl(&["why"]);
    assert!(
        everything.stdout.starts_with("done: EXITED") && !everything.stdout.contains("a: RUNNING"),
        "{everything:?}"
    );
    let unknown = daemon.ctl(&["why", "nosuch"]);
    assert_eq!((unknown.stdout.as_str(), unknown.status), ("nosuch: ERROR (no such process)\n", 1));
}

#[test]
fn a_failed_start_is_told_with_its_stage() {
    let sandbox = Sandbox::new();
    for (name, text, mode) in
        [("noexec", "rubbish", 0o755), ("plain", "#!/bin/sh\n", 0o644), ("lost", "#!/nowhere/sh\n", 0o755)]
    {
        fs::write(sandbox.file(name), text).unwrap();
        fs::set_permissions(sandbox.file(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let stages = [
        ("missing", "command=/nowhere/at/all", "could not be started: can't find command", "full path"),
        ("folder", "command={dir}", "could not be started: command at", "names a directory"),
        ("plain", "command={dir}/plain", "could not be started: command at", "chmod +x"),
        ("noexec", "command={dir}/noexec", "never ran: cannot execute ", "no #! line"),
        ("lost", "command={dir}/lost", "never ran: cannot execute ", "its #! line or its loader"),
        (
            "away",
            "command={child}\ndirectory=/nowhere",
            "never ran: cannot go to the directory /nowhere: ",
            "mend directory=",
        ),
    ];
    let programs: String =
        stages.iter().map(|(name, keys, ..)| format!("[program:{name}]\n{keys}\nstartretries=0\n")).collect();
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &format!("{HEAD}{programs}"));
    for (name, ..) in &stages {
        daemon.log().wait_until(name, |line| line.contains("gave up: "));
    }
    for (name, _, failure, remedy) in stages {
        tells(
            &daemon,
            name,
            &[&format!("{name}: FATAL since "), failure, "; gave up after one attempt\n", remedy],
        );
        let told = last(&daemon, name);
        let is_unborn = failure.starts_with("could not");
        assert_eq!(told["end"], if is_unborn { "unborn" } else { "exit" }, "{told}");
        assert!(!told["failure"].as_str().unwrap().is_empty(), "{told}");
    }
}

#[test]
fn a_start_that_was_refused_is_told_by_the_next_brain_too() {
    let mut daemon = start(
        "[program:a]\ncommand=/nowhere/at/all\nautostart=false\n[program:b]\ncommand={child} hello forever\n",
    );
    daemon.wait_for_hello("b");
    daemon.wait_for_log_line("success: b");
    tells(&daemon, "a", &["it was never started"]);
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: ERROR (no such file)\n");
    for _ in 0..2 {
        tells(
            &daemon,
            "a",
            &["a start was refused to ", ": can't find command '/nowhere/at/all'", "full path"],
        );
        kill_brain(&mut daemon);
    }
    end_well(daemon);
}

#[test]
fn a_user_that_it_cannot_become_is_the_stage() {
    let sandbox = Sandbox::new();
    chown(sandbox.path(), Some(65534), Some(65534)).unwrap();
    let config = format!("{HEAD}[program:a]\ncommand={{child}}\nuser=root\nstartretries=0\n");
    let nobody = started_by(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    let mut daemon = Daemon::start_in(sandbox, &nobody, &config);
    daemon.wait_for_log_line("gave up: a");
    tells(
        &daemon,
        "a",
        &[
            "never ran: cannot take on the groups of user root (uid 0): ",
            "only a supervisord that runs as root",
        ],
    );
}

#[test]
fn who_stopped_it_signalled_it_or_let_it_be_killed() {
    let mut daemon = start(
        "[user:ann]\nunix_user=0\nallow=status,start,stop,signal\n\
         [program:a]\ncommand={child} hello forever\n\
         [program:deaf]\ncommand={child} ignore:TERM hello forever\nstopwaitsecs=1\n\
         [program:b]\ncommand={child} hello forever\nautorestart=false\nstartsecs=0\n\
         [program:c]\ncommand={child} hello forever\nautorestart=false\nstartsecs=0\n",
    );
    for name in ["a", "deaf", "b", "c"] {
        daemon.wait_for_hello(name);
    }
    let is_ann = |wish: &Value| {
        assert_eq!(
            members(wish, &["who", "user", "door"]),
            json!({"who": "client", "user": "ann", "door": "unix_http_server"})
        );
        assert!(wish["from"].as_str().unwrap().starts_with("unix:uid=0,pid="), "{wish}");
    };
    assert_eq!(daemon.ctl(&["stop", "a", "deaf"]).stdout, "a: stopped\ndeaf: stopped\n");
    let a = why(&daemon, "a");
    is_ann(&a["stopped_by"]);
    is_ann(&a["lives"][0]["stopped_by"]);
    assert_eq!(
        members(&a["lives"][0], &["signal_name", "killed"]),
        json!({"signal_name": "SIGTERM", "killed": false})
    );
    tells(
        &daemon,
        "a",
        &["a: STOPPED since ", ": stopped by ann from unix:uid=0,pid=", "supervisorctl start a"],
    );
    // Her rights do not reach as far as what programs say.
    tells(&daemon, "a", &["its stderr ("]);
    assert_eq!(a["log"]["lines"], json!([]));
    assert!(a["log"]["refusal"].is_string(), "{}", a["log"]);

    let deaf = last(&daemon, "deaf");
    assert_eq!(
        members(&deaf, &["signal_name", "killed", "out_of_memory"]),
        json!({"signal_name": "SIGKILL", "killed": true, "out_of_memory": ""})
    );
    tells(
        &daemon,
        "deaf",
        &[
            "killed by the supervisor: SIGTERM ignored for stopwaitsecs=1; stopped by ann",
            "raise stopwaitsecs=",
        ],
    );

    daemon.ctl(&["signal", "KILL", "b"]);
    daemon.wait_for_log_line("exited: b (terminated by SIGKILL");
    let b = last(&daemon, "b");
    is_ann(&b["sent"]["by"]);
    assert_eq!((&b["sent"]["signal_name"], &b["stopped_by"]), (&json!("SIGKILL"), &json!({})));
    tells(&daemon, "b", &["ended by SIGKILL after ", "(sent by ann from unix:"]);

    send_signal(pid_of(&daemon, "c"), Signal::TERM);
    daemon.wait_for_log_line("exited: c (terminated by SIGTERM");
    assert_eq!(members(&last(&daemon, "c"), &["sent", "stopped_by"]), json!({"sent": {}, "stopped_by": {}}));
    tells(&daemon, "c", &["ended by SIGTERM after ", "not from the supervisor: another process"]);

    daemon.ctl(&["start", "a"]);
    let a = why(&daemon, "a");
    is_ann(&a["started_by"]);
    assert_eq!(a["stopped_by"], json!({}));
}

#[test]
fn the_death_of_a_brain_is_no_gap() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:USR1:exit:3 hello forever\nstartsecs=0\n\
         [program:deaf]\ncommand={child} ignore:TERM hello forever\nstopwaitsecs=2\n",
    );
    let deaf = daemon.wait_for_hello("deaf").pid;
    daemon.wait_for_log_line("success: deaf");
    daemon.ctl(&["signal", "HUP", "nosuch"]);
    crate::common::call(&daemon, "supervisor.stopProcess", &["deaf", "<boolean>0</boolean>"]);
    for _ in 0..2 {
        let a = daemon.wait_for_hello("a").pid;
        kill_brain(&mut daemon);
        send_signal(a, Signal::USR1);
    }
    let a = daemon.wait_for_hello("a").pid;
    wait_until_gone(deaf);
    // It may have been said while somebody waited for another line.
    until("its end is said", || {
        content(&daemon, "main.log").contains("stopped: deaf (terminated by SIGKILL)")
    });
    kill_brain(&mut daemon);
    let told = why(&daemon, "a");
    assert_eq!(
        members(&told, &["pid", "attempts", "restarts"]),
        json!({"pid": a, "attempts": 3, "restarts": 2})
    );
    assert_eq!(told["lives"].as_array().unwrap().len(), 2, "{told}");
    let deaf = last(&daemon, "deaf");
    assert_eq!((&deaf["killed"], &deaf["stopped_by"]["who"]), (&json!(true), &json!("client")), "{deaf}");
}

#[test]
fn an_upgrade_is_no_gap_either() {
    let sandbox = Sandbox::new();
    let ours = Implementation::ours();
    let place = sandbox.file("supervisord");
    replace_program(Path::new(&ours.supervisord[0]), &place);
    let implementation = Implementation { supervisord: vec![place.clone().into_os_string()], ..ours.clone() };
    let config = "[program:a]\ncommand={child} on:USR1:exit:3 hello forever\nstartsecs=0\n\
         [program:b]\ncommand={child} hello forever\n";
    let mut daemon = Daemon::start_in(sandbox, &implementation, &format!("{HEAD}{config}"));
    let a = daemon.wait_for_hello("a").pid;
    send_signal(a, Signal::USR1);
    daemon.wait_for_hello("a");
    daemon.wait_for_hello("b");
    daemon.ctl(&["stop", "b"]);
    let told = |daemon: &Daemon| {
        ["a", "b"].map(|name| {
            members(&why(daemon, name), &["lives", "attempts", "restarts", "stopped_by", "counted_since"])
        })
    };
    let before = told(&daemon);
    assert_eq!((&before[0]["restarts"], &before[1]["stopped_by"]["who"]), (&json!(1), &json!("client")));
    for next in [supervisord_next(), Path::new(&ours.supervisord[0])] {
        replace_program(next, &place);
        let said = daemon.ctl(&["upgrade"]);
        assert!(said.stdout.starts_with("Upgraded "), "{said:?}");
        assert_eq!(told(&daemon), before);
    }
}

/// A control group for memory of the tests' own, where the machine lets them make one.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn of(megabytes: u64) -> Option<MemoryGroup> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
        let ours = |line: &str| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, group) = (parts.next()?, parts.next()?);
            let group = group.trim_start_matches('/');
            match controllers {
                "" => Some(("memory.max", Path::new("/sys/fs/cgroup").join(group))),
                "memory" => Some(("memory.limit_in_bytes", Path::new("/sys/fs/cgroup/memory").join(group))),
                _ => None,
            }
        };
        groups.lines().filter_map(ours).find_map(|(limit, parent)| {
            let group = MemoryGroup(parent.join(format!("provost-why-{}", std::process::id())));
            fs::create_dir(&group.0).ok()?;
            // Never made: a group without a limit is no test of one.
            let mut file = OpenOptions::new().write(true).open(group.0.join(limit)).ok()?;
            file.write_all((megabytes << 20).to_string().as_bytes()).ok()?;
            Some(group)
        })
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn the_kernels_want_of_memory_is_told() {
    let Some(group) = MemoryGroup::of(96) else {
        // Then it is the made-up machine of `crates/daemon/src/shortage.rs` that shows it.
        eprintln!("no control group for memory can be made here");
        return;
    };
    let join = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.0.display());
    let inside = started_by(&["sh", "-c", &join, "sh"]);
    let config = format!(
        "{HEAD}[program:glutton]\ncommand=/bin/sh -c \"read go; exec tail /dev/zero\"\nautorestart=false\nstartsecs=0\n"
    );
    let mut daemon = Daemon::start(&inside, &config);
    daemon.wait_for_log_line("success: glutton");
    crate::common::call(&daemon, "supervisor.sendProcessStdin", &["glutton", "go\n"]);
    daemon.wait_for_log_line("exited: glutton (terminated by SIGKILL");
    assert_eq!(last(&daemon, "glutton")["out_of_memory"], "likely");
    tells(&daemon, "glutton", &["by the kernel for want of memory", "raise the memory limit"]);
    drop(daemon);
}
