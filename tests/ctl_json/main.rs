//! `supervisorctl --json` says what docs/reference/supervisorctl-json.schema.json says that it says: real answers of every
//! action, about our daemon and about Supervisor's, in health and in trouble.
//!
//! In: a daemon with programs in several states. Out: nothing that the schema does not describe. An action without a row here
//! fails, so that none comes without its answer being written down.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use provost_testkit::{Daemon, HEAD, Implementation, Process, Signal};
use schema::Schema;
use serde_json::Value;

const PROGRAMS: &str = "
[program:web]
command={child} say:hello taken hello forever
startsecs=0

[program:grp]
command={child} hello:%(process_num)s forever
process_name=%(process_num)s
numprocs=2
startsecs=0

[program:off]
command={child} forever
autostart=false
startsecs=0

[program:missing]
command=/nowhere/missing
autostart=false
startretries=0
";

/// Lines in this order, as some change what the next will find. `{dir}` is the sandbox.
const LINES: &[&str] = &[
    "status",
    "status web nosuch no:*",
    "start off missing web nosuch",
    "status",
    "start",
    "stop grp:*",
    "stop web web nosuch",
    "restart all",
    "restart nosuch",
    "restart --rolling --batch 2 all",
    "mstop g* nosuch*",
    "mstart g* w?b",
    "mrestart --no-wait web",
    "status --failed",
    "status --exit-zero *:0",
    "signal HUP nosuch",
    "signal NOSUCH web",
    "signal CONT all",
    "clear web nosuch",
    "clear all",
    "pid",
    "pid web nosuch missing",
    "pid all",
    "version",
    "avail",
    "avail x",
    "tail web",
    "tail web stderr",
    "tail nosuch",
    "tail web foo",
    "tail -f nosuch",
    "maintail -100",
    "fg nosuch",
    "fg web",
    "reread",
    "update",
    "add web nosuch",
    "remove web nosuch",
    "open http",
    "help",
    "help start",
    "help nosuch",
    "quit",
    "exit",
    "EOF",
    "frobnicate",
    "hash-password secret",
    "hash-password --token",
    "self-signed {dir}",
    "self-signed {dir}",
    "completion bash",
    "completion nosuch",
    "health",
    "health nosuch",
    "wait web RUNNING",
    "wait nosuch RUNNING --timeout 1",
    "listeners",
    "listeners web",
    "why",
    "why web",
    "why nosuch missing",
    "upgrade x",
    "rotate web nosuch",
    "reopen all",
    "shutdown x",
];

fn schema() -> Schema {
    Schema::read(&reference("supervisorctl-json.schema.json"))
}

fn reference(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name)).unwrap()
}

/// What one line is answered with.
#[track_caller]
fn document(daemon: &Daemon, line: &str) -> Value {
    let ran = daemon.ctl_of(&Implementation::ours(), &["--json", line]);
    assert_eq!(ran.stderr, "", "{line}");
    // Ahead of it there may be pieces of a log.
    let last = ran.stdout.lines().last().unwrap_or_else(|| panic!("{line} is answered with nothing"));
    let document: Value =
        serde_json::from_str(last).unwrap_or_else(|e| panic!("{line}: {e}: {}", ran.stdout));
    assert_eq!(document["exit_status"], ran.status, "{line}: {last}");
    document
}

#[track_caller]
fn holds(schema: &Schema, daemon: &Daemon, line: &str) -> Value {
    let line = line.replace("{dir}", &daemon.sandbox().path().display().to_string());
    let document = document(daemon, &line);
    assert_eq!(schema.complaints(&document), Vec::<String>::new(), "{line}: {document:#}");
    document
}

fn started(implementation: &Implementation) -> Daemon {
    let mut daemon = Daemon::start(implementation, &format!("{HEAD}{PROGRAMS}"));
    daemon.wait_for_hello("web");
    daemon
}

/// The names of all actions.
fn actions(daemon: &Daemon) -> Vec<String> {
    let help = document(daemon, "help");
    help["results"].as_array().unwrap().iter().map(|page| page["name"].as_str().unwrap().to_owned()).collect()
}

fn every_line_about(implementation: &Implementation) {
    let (schema, daemon) = (schema(), started(implementation));
    let known = actions(&daemon);
    let mut answered = BTreeSet::new();
    for line in LINES {
        let word = line.split_whitespace().next().unwrap();
        // Some are at home in branches that meet here.
        if known.iter().any(|name| name == word) || ["help", "EOF", "frobnicate"].contains(&word) {
            answered.insert(holds(&schema, &daemon, line)["verb"].as_str().unwrap().to_owned());
        }
    }
    // A change, and what is made of it; then the end.
    let less = PROGRAMS.replace("[program:off]", "[program:on]").replace("startsecs=0", "startsecs=1");
    daemon.write_config(&format!("{HEAD}{less}"));
    for line in ["reread", "update --dry-run", "update", "avail", "reload x", "shutdown"] {
        answered.insert(holds(&schema, &daemon, line)["verb"].as_str().unwrap().to_owned());
    }
    let missed: Vec<&String> = known.iter().filter(|name| !answered.contains(*name)).collect();
    assert!(missed.is_empty(), "no line of this test asks for {missed:?}");
}

#[test]
fn every_answer_about_our_daemon_is_as_written_down() {
    every_line_about(&Implementation::ours());
}

#[test]
fn every_answer_about_supervisor_4_3_is_as_written_down() {
    every_line_about(&Implementation::supervisor_4_3());
}

#[test]
fn an_answer_that_changes_the_daemon_is_as_written_down() {
    let (schema, mut daemon) = (schema(), started(&Implementation::ours()));
    let upgraded = holds(&schema, &daemon, "upgrade");
    assert_eq!(upgraded["results"][0]["result"], "upgraded", "{upgraded:#}");
    let reloaded = holds(&schema, &daemon, "reload");
    assert_eq!(reloaded["results"][0]["result"], "restarted");
    daemon.wait_for_hello("web");
    assert_eq!(holds(&schema, &daemon, "shutdown")["exit_status"], 0);
    daemon.wait_for_end();
    // Nobody is there any more, and that is told in the same way.
    for line in LINES.iter().filter(|line| !line.starts_with("self-signed")) {
        let document = document(&daemon, line);
        assert_eq!(schema.complaints(&document), Vec::<String>::new(), "{line}: {document:#}");
    }
    let absent = document(&daemon, "status");
    assert_eq!(absent["exit_status"], 4);
    assert!(!absent["advice"].as_array().unwrap().is_empty(), "{absent:#}");
}

#[test]
fn what_there_is_to_say_of_listeners_is_as_written_down() {
    let ears = "[eventlistener:deaf]\ncommand={child} say:what? hello forever\nevents=TICK\nstartsecs=0\n\
                [eventlistener:none]\ncommand={child} forever\nevents=TICK_60,PROCESS_STATE\nautostart=false\n";
    let mut daemon = Daemon::start(&Implementation::ours(), &format!("{HEAD}{ears}{PROGRAMS}"));
    daemon.wait_for_log_line("deaf: has entered the UNKNOWN state");
    daemon.wait_for_hello("web");
    let listed = holds(&schema(), &daemon, "listeners");
    let (deaf, none) = (&listed["results"][0], &listed["results"][1]);
    assert_eq!(deaf["listeners"][0]["state"], "UNKNOWN", "{listed:#}");
    assert_eq!((&deaf["events"][0], &deaf["oldest_ms"]), (&"TICK".into(), &Value::Null), "{listed:#}");
    assert_eq!(none["listeners"].as_array().map(Vec::len), Some(0), "{listed:#}");
    // Its pool has heard of those that have started.
    assert!(none["waiting"].as_u64() > Some(0) && none["oldest_ms"].is_u64(), "{listed:#}");
    let why = holds(&schema(), &daemon, "why deaf web");
    let told = |at: usize| &why["results"][at]["listener"];
    assert_eq!((&told(0)["name"], &told(0)["pool"]["name"]), (&"deaf".into(), &"deaf".into()), "{why:#}");
    assert_eq!(told(1), &Value::Null, "{why:#}");
}

#[test]
fn a_log_that_is_followed_comes_in_lines_ahead_of_the_document() {
    let (schema, daemon) = (schema(), started(&Implementation::ours()));
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_supervisorctl"))
        .args(["-s", &format!("unix://{}", daemon.socket().display()), "tail", "-f", "web", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(ctl.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let piece: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(schema.complaints_by("line", &piece), Vec::<String>::new(), "{piece:#}");
    assert_eq!((&piece["name"], &piece["text"]), (&"web".into(), &"hello\n".into()));
    Process::new(i32::try_from(ctl.id()).unwrap()).signal(Signal::INT);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    let document: Value = serde_json::from_str(&rest).unwrap();
    assert_eq!(schema.complaints(&document), Vec::<String>::new(), "{document:#}");
    assert_eq!(ctl.wait().unwrap().code(), Some(0));
}

#[test]
fn every_action_is_in_the_schema_and_on_the_page() {
    let (schema, page, daemon) =
        (schema(), reference("supervisorctl-json.md"), started(&Implementation::ours()));
    for name in actions(&daemon) {
        assert!(schema.verbs().contains(&name.as_str()), "the schema says nothing of {name}");
        assert!(
            page.contains(&format!("`{name}`")),
            "docs/reference/supervisorctl-json.md says nothing of {name}"
        );
    }
}

#[test]
fn the_schema_finds_fault() {
    let schema = schema();
    let mut document: Value = serde_json::from_str(
        r#"{"verb":"pid","server":null,"exit_status":0,"results":[{"name":"a","pid":1}],"errors":[],"advice":[]}"#,
    )
    .unwrap();
    assert_eq!(schema.complaints(&document), Vec::<String>::new());
    document["results"][0]["pid"] = "1".into();
    document["errors"] = serde_json::json!([{"name": "a"}]);
    document["more"] = 1.into();
    assert_eq!(
        schema.complaints(&document),
        ["/errors/0: lacks message", ": more is not described", "/results/0/pid: \"1\" is no \"integer\""]
    );
    document["exit_status"] = 256.into();
    assert!(schema.complaints(&document).contains(&"/exit_status: 256 > 255".to_owned()));
}
