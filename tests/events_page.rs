//! What the page about events shows as examples is run, as it stands there, on both daemons.
//!
//! In: the blocks of docs/reference/events.md, by their language. Out: listeners that hear what is sent to them, one event after the other. What the
//! page says besides is held against the table of options in `config`, and in the tests of listeners.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use nix::unistd::geteuid;
use provost_testkit::{Daemon, HEAD, Implementation, Lines, Sandbox, post};

/// The blocks in this language, in order.
fn blocks(language: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/events.md");
    let page = fs::read_to_string(page).unwrap();
    let opening = format!("```{language}\n");
    let after = page.split(&opening).skip(1);
    after.map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

fn send(daemon: &Daemon, data: &str) {
    let texts = ["deploy", data].map(|text| format!("<param><value>{text}</value></param>"));
    let body = format!(
        "<methodCall><methodName>supervisor.sendRemoteCommEvent</methodName><params>{}</params></methodCall>",
        texts.concat()
    );
    let answer = post(&daemon.socket(), "/RPC2", body.as_bytes()).unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("<boolean>1</boolean>"), "{answer:?}");
}

/// The one example in this language.
fn example(language: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let [example] = &blocks(language)[..] else { panic!("there is one example in {language}") };
    fs::write(sandbox.file("example"), example).unwrap();
    sandbox
}

/// Tells the example a few things, and waits for each in what it says of them.
fn hears(
    sandbox: Sandbox,
    implementation: &Implementation,
    (interpreter, options): (&str, &str),
    told: &[&str],
) {
    let mut heard = Lines::follow(&sandbox.file("heard.log"));
    let section = format!(
        "[eventlistener:example]\ncommand={interpreter} {{dir}}/example\nevents=REMOTE_COMMUNICATION\nbuffer_size=100\n\
         stderr_logfile={{dir}}/heard.log\n{options}"
    );
    let mut daemon = Daemon::start_in(sandbox, implementation, &format!("{HEAD}{section}"));
    told.iter().for_each(|data| send(&daemon, data));
    for data in told {
        heard.wait_for(data);
    }
    // What the others have left behind would show in what is heard last.
    assert!(heard.all().iter().filter(|line| line.contains("REMOTE_COMMUNICATION")).count() == told.len());
    let broken = |line: &String| line.contains("UNKNOWN state") || line.contains("rejected");
    assert!(!daemon.log().all().iter().any(broken), "{:?}", daemon.log().all());
}

/// Supervisor tells lengths in characters, and so nothing but ASCII to whoever counts bytes.
fn is_heard_on_both(interpreter: &str, language: &str) {
    let told = ["one", "", "two  blanks", "three"];
    hears(example(language), &Implementation::supervisor_4_3(), (interpreter, ""), &told);
    let told = ["one", "h\u{e9}llo \u{1f600}", "two  blanks", "three"];
    hears(example(language), &Implementation::ours(), (interpreter, ""), &told);
}

#[test]
fn the_example_in_python_hears() {
    let told = ["one", "h\u{e9}llo \u{1f600}", "two  blanks", "three"];
    for implementation in [Implementation::supervisor_4_3(), Implementation::ours()] {
        hears(example("python"), &implementation, ("python3", ""), &told);
    }
}

/// As root in a container is not, which therefore does not get to know what program another user runs.
#[test]
fn a_python_program_is_known_as_one_by_who_may_not_trace_it() {
    let ours = Implementation::ours();
    let mut supervisord: Vec<OsString> =
        ["setpriv", "--bounding-set=-sys_ptrace"].into_iter().map(OsString::from).collect();
    supervisord.extend(ours.supervisord.iter().cloned());
    let ours = Implementation { supervisord, ..ours };
    let told = ["one", "h\u{e9}llo \u{1f600}", "two  blanks", "three"];
    // Only root may run it as somebody else.
    let options = if geteuid().is_root() { "user=nobody\nstopasgroup=true\n" } else { "" };
    // One that whoever runs the tests has for himself would be of no use to nobody.
    let python = "env PATH=/usr/local/bin:/usr/bin:/bin python3";
    for interpreter in [python, &format!("sh {{dir}}/stays {python}")] {
        let sandbox = example("python");
        fs::write(sandbox.file("stays"), "\"$@\"\nexit\n").unwrap();
        hears(sandbox, &ours, (interpreter, options), &told);
    }
}

#[test]
fn the_example_in_the_shell_hears() {
    is_heard_on_both("sh", "sh");
    is_heard_on_both("bash", "sh");
}

#[test]
fn the_example_in_node_hears() {
    is_heard_on_both("node", "js");
}

/// Supervisor's own library reads text, as most listeners in Python do.
const CHILDUTILS: &str = "import sys\nfrom supervisor import childutils\nwhile True:\n    headers, payload = childutils.listener.wait()\n\
                          \x20   print(headers['eventname'], repr(payload), file=sys.stderr, flush=True)\n    childutils.listener.ok()\n";

#[test]
fn who_counts_characters_hears_letters_beyond_ascii() {
    let theirs = Implementation::supervisor_4_3();
    let python = Path::new(&theirs.supervisord[0]).with_file_name("python");
    let told = ["one", "h\u{e9}llo \u{1f600}", "two"];
    for implementation in [&theirs, &Implementation::ours()] {
        let sandbox = Sandbox::new();
        fs::write(sandbox.file("example"), CHILDUTILS).unwrap();
        hears(sandbox, implementation, (&python.display().to_string(), ""), &told);
    }
}

#[test]
fn the_example_that_ends_the_container_does() {
    let ending: Vec<String> = blocks("ini").into_iter().filter(|block| block.contains("$PPID")).collect();
    assert_eq!(ending.len(), 1);
    for implementation in [Implementation::supervisor_4_3(), Implementation::ours()] {
        let config = format!("{HEAD}{}[program:x]\ncommand=false\nstartretries=0\n", ending[0]);
        let mut daemon = Daemon::start(&implementation, &config);
        assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
        assert!(
            daemon.log().all().iter().any(|line| line.contains("received SIGTERM indicating exit request"))
        );
    }
}
