//! `supervisord --check`, as a person or a script in front of it sees it.
//!
//! In: the built daemon and small files. Out: exit status, what goes to standard
//! output and what to standard error, and that nothing was touched. What a file
//! means is not judged here: the cases in crates/config do that.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use provost_testkit::{Implementation, Sandbox};
use serde_json::Value;

/// Whatever a real start would make: logs, a pidfile, a socket, and a program that leaves a mark.
const GOOD: &str = "\
[supervisord]
logfile=supervisord.log
pidfile=supervisord.pid
nodaemon=true

[unix_http_server]
file=supervisor.sock

[program:mark]
command=touch mark
stdout_logfile=mark.log
environment=COLOUR=\"blue\"
";

#[test]
fn a_good_file_is_accepted() {
    let told = check(GOOD, &["--check"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(told.stdout, "");
    assert_eq!(told.stderr, "s.conf: accepted, with 1 group, 1 process and 0 warnings\n");
}

#[test]
fn a_doubtful_file_is_accepted_with_its_line() {
    let told = check(&format!("{GOOD}stopwaitsec=3\n"), &["--check"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(
        told.stderr,
        "warning: s.conf:13: [program:mark] stopwaitsec: there is no such option here (did you mean \
         stopwaitsecs?)\ns.conf: accepted, with 1 group, 1 process and 1 warning\n"
    );
}

#[test]
fn a_bad_file_is_refused_with_supervisors_line_first_and_every_place() {
    let told = check(&format!("{GOOD}stopsignal=TREM\nstartsecs=soon\n"), &["--check"]);
    assert_eq!(told.status, 2, "{told:?}");
    assert_eq!(told.stdout, "");
    let lines: Vec<&str> = told.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "Error: invalid literal for int() with base 10: 'soon' in section 'program:mark' (file: 's.conf')",
            "error: s.conf:14: [program:mark] startsecs: invalid literal for int() with base 10: 'soon'",
            "error: s.conf:13: [program:mark] stopsignal: value 'TREM' is not a valid signal name (did you \
             mean TERM?)",
        ]
    );
}

#[test]
fn the_document_goes_to_standard_output_either_way() {
    let told = check(GOOD, &["--check", "--json"]);
    assert_eq!(told.status, 0, "{told:?}");
    let document: Value = serde_json::from_str(&told.stdout).expect("it is JSON and nothing else");
    let process = &document["groups"][0]["processes"][0];
    assert_eq!(process["command"], "touch mark");
    assert_eq!(process["environment"]["COLOUR"], "blue");
    assert_eq!(process["stopsignal"], 15);
    assert_eq!(document["servers"][0]["family"], "unix");

    let told = check("[supervisord]\n[program:x]\n", &["--json", "--check"]);
    assert_eq!(told.status, 2, "{told:?}");
    let document: Value = serde_json::from_str(&told.stdout).expect("it is JSON and nothing else");
    let error =
        "program section program:x does not specify a command in section 'program:x' (file: 's.conf')";
    assert_eq!(document["error"], error);
    assert_eq!(document["errors"][0]["line"], 2);
    assert!(told.stderr.starts_with(&format!("Error: {error}\n")), "{told:?}");
}

#[test]
fn what_only_this_machine_lacks_refuses_nothing() {
    let elsewhere = GOOD.replace("mark.log", "/srv/none such/mark.log") + "user=none-such-account\n";
    let told = check(&elsewhere, &["--check", "--json", "--pidfile", "/none/such.pid"]);
    assert_eq!(told.status, 0, "{told:?}");
    let document: Value = serde_json::from_str(&told.stdout).expect("it is JSON and nothing else");
    assert_eq!(document["supervisord"]["pidfile"], "/none/such.pid");
    assert!(document["groups"][0]["processes"][0]["uid"].is_null());
    assert!(told.stderr.contains("s.conf:13: [program:mark] user: there is no account none-such-account"));
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let told = check(GOOD, &["--json"]);
    assert_eq!(told.status, 2, "{told:?}");
    assert!(told.stderr.starts_with("Error: option --json belongs to --check\nFor help, use "), "{told:?}");
}

#[derive(Debug)]
struct Told {
    status: i32,
    stdout: String,
    stderr: String,
}

/// Checks a file in a directory of its own, and that the directory stays as it was.
#[track_caller]
fn check(text: &str, flags: &[&str]) -> Told {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.file("s.conf"), text).expect("the sandbox can be written");
    let before = everything_in(sandbox.path());
    let ours = Implementation::ours();
    let (program, arguments) = ours.supervisord.split_first().expect("there is a program");
    let output = Command::new(program)
        .args(arguments)
        .args(["-c", "s.conf"])
        .args(flags)
        .current_dir(sandbox.path())
        .stdin(Stdio::null())
        .output()
        .expect("the daemon was built");
    assert_eq!(everything_in(sandbox.path()), before, "{output:?}");
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8(bytes).expect("we print UTF-8");
    Told { status: status.code().expect("it ends by itself"), stdout: text(stdout), stderr: text(stderr) }
}

/// Names, and when each was last written to, the directory itself among them.
fn everything_in(directory: &Path) -> BTreeMap<String, SystemTime> {
    let written = |path: &Path| path.metadata().and_then(|meta| meta.modified()).expect("it was listed");
    let entries = std::fs::read_dir(directory).expect("the sandbox is there");
    let mut found: BTreeMap<String, SystemTime> = entries
        .map(|entry| entry.expect("the sandbox can be listed"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), written(&entry.path())))
        .collect();
    found.insert(".".to_owned(), written(directory));
    found
}
