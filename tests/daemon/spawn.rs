//! What a program is born with, and what is said of one that never was.

use provost_testkit::{Daemon, HEAD};

use crate::common::{content, start, started_by};

/// Runs one command to its end and gives its standard output and error.
#[track_caller]
fn run(options: &str) -> (String, String) {
    let mut daemon = Daemon::start(
        // A starter that leaks a descriptor, as shells and cron do.
        &started_by(&["sh", "-c", "exec 9</dev/null \"$0\" \"$@\""]),
        &format!(
            "{HEAD}environment=GLOBAL=\"g\"\n[program:a]\n{options}\nstartsecs=0\nautorestart=false\nstdout_logfile={{dir}}/a.out\nstderr_logfile={{dir}}/a.err\n"
        ),
    );
    daemon.wait_for_log_line("exited: a");
    (content(&daemon, "a.out"), content(&daemon, "a.err"))
}

#[test]
fn nothing_above_standard_error_is_open() {
    let (out, _) = run("command={child} dump-fds");
    let numbers: Vec<&str> = out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(numbers, ["0", "1", "2"], "{out}");
    assert!(out.lines().all(|line| line.contains("pipe:")), "{out}");
}

#[test]
fn it_leads_a_process_group_of_its_own() {
    let (out, _) = run("command={child} pid pgid");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn no_signal_is_blocked_or_ignored() {
    let (out, err) = run("command=grep -E \"^(SigBlk|SigIgn|ShdPnd):\" /proc/self/status");
    assert_eq!(out.matches("0000000000000000").count(), 3, "{out}{err}");
}

#[test]
fn the_environment_is_ours_and_what_was_configured() {
    let (out, _) = run(
        "command={child} dump-env\nenvironment=A=\"1, 2\",B=two,PROVOST_SANDBOX=\"%(ENV_PROVOST_SANDBOX)s\"",
    );
    for line in [
        "A=1, 2",
        "B=two",
        "GLOBAL=g",
        "SUPERVISOR_ENABLED=1",
        "SUPERVISOR_GROUP_NAME=a",
        "SUPERVISOR_PROCESS_NAME=a",
    ] {
        assert!(out.lines().any(|l| l == line), "no {line} in\n{out}");
    }
    assert!(out.contains("SUPERVISOR_SERVER_URL=unix:///"), "{out}");
}

#[test]
fn directory_and_umask_are_its_own() {
    let (out, _) = run("command={child} cwd umask\ndirectory=/usr\numask=027");
    assert_eq!(out, "/usr\nUmask: 0027\n");
}

#[test]
fn a_program_of_another_user_has_that_users_ids_and_groups_only() {
    let (out, err) = run("command=grep -E \"^(Uid|Gid|Groups):\" /proc/self/status\nuser=nobody");
    let words: Vec<&str> = out.split_whitespace().collect();
    let nobody = ["65534"; 4];
    assert_eq!(words[..5], [&["Uid:"][..], &nobody[..]].concat()[..], "{out}{err}");
    assert_eq!(words[5..10], [&["Gid:"][..], &nobody[..]].concat()[..], "{out}{err}");
    assert_eq!(words[10..], ["Groups:", "65534"], "{out}{err}");
}

#[test]
fn a_directory_that_is_not_there_is_said_in_the_standard_error_log() {
    let (_, err) = run("command={child} pid\ndirectory=/nonexistent");
    assert_eq!(
        err,
        "supervisor: couldn't chdir to /nonexistent: ENOENT\nsupervisor: child process was not spawned\n"
    );
}

#[test]
fn an_interpreter_that_is_not_there_and_garbage_are_told_apart() {
    for (text, code) in [("#!/nonexistent/sh\n", "ENOENT"), ("garbage", "ENOEXEC")] {
        let sandbox = provost_testkit::Sandbox::new();
        let script = sandbox.file("script");
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let config = format!(
            "{HEAD}[program:a]\ncommand={{dir}}/script\nstartsecs=0\nautorestart=false\nstderr_logfile={{dir}}/a.err\n"
        );
        let mut daemon = Daemon::start_in(sandbox, &provost_testkit::Implementation::ours(), &config);
        daemon.wait_for_log_line("exited: a (exit status 127; not expected)");
        let (err, script) = (content(&daemon, "a.err"), daemon.sandbox().file("script"));
        assert_eq!(
            err,
            format!(
                "supervisor: couldn't exec {}: {code}\nsupervisor: child process was not spawned\n",
                script.display()
            )
        );
    }
}

#[test]
fn a_redirected_failure_is_said_in_the_standard_output_log() {
    let (out, _) = run("command={child} pid\ndirectory=/nonexistent\nredirect_stderr=true");
    assert!(out.starts_with("supervisor: couldn't chdir to /nonexistent: ENOENT\n"), "{out}");
}

#[test]
fn a_huge_environment_and_command_line_arrive_whole() {
    let value = "v".repeat(100_000);
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} dump-env say:{value}\nenvironment=BIG=\"{value}\"\nstartsecs=0\nautorestart=false\nstdout_logfile={{dir}}/a.out\n"
    ));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let out = content(&daemon, "a.out");
    assert!(
        out.contains(&format!("BIG={value}\n")) && out.ends_with(&format!("{value}\n")),
        "{} bytes",
        out.len()
    );
}

#[test]
fn an_argument_too_long_for_the_kernel_is_an_exec_failure_not_a_crash() {
    let value = "v".repeat(200_000);
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} say:{value}\nstartsecs=0\nautorestart=false\nstderr_logfile={{dir}}/a.err\n"
    ));
    daemon.wait_for_log_line("exited: a (exit status 127; not expected)");
    assert!(content(&daemon, "a.err").contains("E2BIG"), "{}", content(&daemon, "a.err"));
}
