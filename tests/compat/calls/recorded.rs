//! The answers that crates/wire keeps as files: one to each method, and one fault of each kind that can be brought about.
//!
//! In: a daemon, brought through all of them in one order. Out: that both 4.3.0 and ours give the recorded bytes today, and ours
//! those of the methods that only it has. With `PROVOST_RECORD` set, what 4.3.0 answers becomes the record, and for these
//! methods what we answer.

use std::fs;
use std::path::{Path, PathBuf};

use provost_testkit::{Daemon, Deadline, HEAD, Implementation, Signal, send_signal};

use super::line::{ask, text, while_awake};

const CONFIG: &str = "
[program:one]
command={child} ignore:USR1 'write:h\u{e4}ll\u{f6}\\n' 'ewrite:<&>\\n' taken etaken hello forever
startsecs=0
stdout_logfile={dir}/one.log
stderr_logfile={dir}/one.err

[program:off]
command={child} forever
autostart=false
startsecs=0

[program:quick]
command={child} exit:3
autostart=false
startretries=0
startsecs=3600

[program:missing]
command={dir}/nothing
autostart=false

[program:noexec]
command={dir}/supervisord.conf
autostart=false

[program:stubborn]
command={child} ignore:TERM hello forever
startsecs=0
stopwaitsecs=3600

[group:many]
programs=a,b

[program:a]
command={child} forever
autostart=false
startsecs=0

[program:b]
command={child} forever
autostart=false
startsecs=0
";

const LATER: &str = "
[program:later]
command={child} forever
autostart=false
startsecs=0
";

const BROKEN: &str = "
[program:new]
directory=/
";

const NUL: &str = "<int>0</int>";

/// Files and calls, in their order.
const CALLS: &[(&str, &str, &[&str])] = &[
    ("supervisor.getAPIVersion", "supervisor.getAPIVersion", &[]),
    ("supervisor.getVersion", "supervisor.getVersion", &[]),
    ("supervisor.getSupervisorVersion", "supervisor.getSupervisorVersion", &[]),
    ("supervisor.getIdentification", "supervisor.getIdentification", &[]),
    ("supervisor.getState", "supervisor.getState", &[]),
    ("supervisor.getPID", "supervisor.getPID", &[]),
    ("supervisor.readLog", "supervisor.readLog", &[NUL, NUL]),
    ("supervisor.readMainLog", "supervisor.readMainLog", &[NUL, NUL]),
    ("supervisor.clearLog", "supervisor.clearLog", &[]),
    ("supervisor.getAllConfigInfo", "supervisor.getAllConfigInfo", &[]),
    ("supervisor.getAllProcessInfo", "supervisor.getAllProcessInfo", &[]),
    ("supervisor.getProcessInfo", "supervisor.getProcessInfo", &["one"]),
    ("supervisor.readProcessLog", "supervisor.readProcessLog", &["one", NUL, NUL]),
    ("supervisor.readProcessStdoutLog", "supervisor.readProcessStdoutLog", &["one", NUL, NUL]),
    ("supervisor.readProcessStderrLog", "supervisor.readProcessStderrLog", &["one", NUL, NUL]),
    ("supervisor.tailProcessLog", "supervisor.tailProcessLog", &["one", NUL, "<int>99</int>"]),
    ("supervisor.tailProcessStdoutLog", "supervisor.tailProcessStdoutLog", &["one", NUL, "<int>99</int>"]),
    ("supervisor.tailProcessStderrLog", "supervisor.tailProcessStderrLog", &["one", NUL, "<int>2</int>"]),
    ("supervisor.clearProcessLog", "supervisor.clearProcessLog", &["one"]),
    ("supervisor.clearProcessLogs", "supervisor.clearProcessLogs", &["one"]),
    ("supervisor.clearAllProcessLogs", "supervisor.clearAllProcessLogs", &[]),
    ("supervisor.startProcess", "supervisor.startProcess", &["off"]),
    ("supervisor.stopProcess", "supervisor.stopProcess", &["off"]),
    ("supervisor.startProcessGroup", "supervisor.startProcessGroup", &["many"]),
    ("supervisor.signalProcess", "supervisor.signalProcess", &["one", "<int>10</int>"]),
    ("supervisor.signalProcessGroup", "supervisor.signalProcessGroup", &["one", "usr1"]),
    ("supervisor.signalAllProcesses", "supervisor.signalAllProcesses", &["0"]),
    ("supervisor.sendProcessStdin", "supervisor.sendProcessStdin", &["one", "hello"]),
    ("supervisor.sendRemoteCommEvent", "supervisor.sendRemoteCommEvent", &["type", "data"]),
    ("supervisor.stopProcessGroup", "supervisor.stopProcessGroup", &["off"]),
    ("system.listMethods", "system.listMethods", &[]),
    ("system.methodHelp", "system.methodHelp", &["supervisor.startProcess"]),
    ("system.methodSignature", "system.methodSignature", &["supervisor.startProcess"]),
    (
        "system.multicall",
        "system.multicall",
        &[
            "<array><data><value><struct><member><name>methodName</name><value>supervisor.getState</value></member>\
           <member><name>params</name><value><array><data></data></array></value></member></struct></value>\
           <value><struct><member><name>methodName</name><value>supervisor.nosuch</value></member></struct></value>\
           <value><struct></struct></value></data></array>",
        ],
    ),
    ("fault-unknown-method", "supervisor.nosuch", &[]),
    ("fault-incorrect-parameters", "supervisor.getState", &["x"]),
    ("fault-bad-arguments", "supervisor.readProcessLog", &["one", "<int>-1</int>", "<int>1</int>"]),
    ("fault-signature-unsupported", "system.methodHelp", &["supervisor.nosuch"]),
    ("fault-bad-name", "supervisor.getProcessInfo", &["&lt;nobody&gt; &amp; ]]&gt; \u{e9}"]),
    ("fault-bad-signal", "supervisor.signalProcess", &["one", "NOSUCH"]),
    ("fault-no-file", "supervisor.startProcess", &["missing"]),
    ("fault-no-file-log", "supervisor.readProcessStdoutLog", &["missing", NUL, NUL]),
    ("fault-not-executable", "supervisor.startProcess", &["noexec"]),
    ("fault-spawn-error", "supervisor.startProcess", &["quick"]),
    ("fault-already-started", "supervisor.startProcess", &["one"]),
    ("fault-not-running", "supervisor.stopProcess", &["off"]),
    ("fault-already-added", "supervisor.addProcessGroup", &["one"]),
    ("fault-still-running", "supervisor.removeProcessGroup", &["one"]),
];

/// With one more program in the file.
const CHANGED: &[(&str, &str, &[&str])] = &[
    ("supervisor.reloadConfig", "supervisor.reloadConfig", &[]),
    ("supervisor.addProcessGroup", "supervisor.addProcessGroup", &["later"]),
    // Whether it is still there when all are stopped would depend on who is quicker.
    ("supervisor.removeProcessGroup", "supervisor.removeProcessGroup", &["quick"]),
];

/// With a broken file.
const LAST: &[(&str, &str, &[&str])] = &[
    ("fault-cant-reread", "supervisor.reloadConfig", &[]),
    ("supervisor.startAllProcesses", "supervisor.startAllProcesses", &["<boolean>0</boolean>"]),
    ("supervisor.stopAllProcesses", "supervisor.stopAllProcesses", &["<boolean>0</boolean>"]),
];

/// For a start that somebody else ends, and for a log whose name is in the way of it.
const RARE: &str = "
[program:slow]
command={child} forever
autostart=false
startsecs=3600

[program:bent]
command={child} hello forever
startsecs=0
stdout_logfile={dir}/bent.log
";

/// What only we have; its programs are those of [`RARE`].
const OURS: &[(&str, &str, &[&str])] = &[
    // Before anything has happened to it: what has, bears times, and who asked for it.
    ("provost.getProcessHistory", "provost.getProcessHistory", &["slow"]),
    // There are none.
    ("provost.getListeners", "provost.getListeners", &[]),
    ("provost.waitForState", "provost.waitForState", &["slow", STOPPED_OR_FATAL, "<int>60</int>"]),
    ("provost.restartProcess", "provost.restartProcess", &["bent"]),
    ("provost.restartProcess-group", "provost.restartProcess", &["bent:*", "<boolean>1</boolean>"]),
    ("provost.restartAllProcesses", "provost.restartAllProcesses", &["<boolean>0</boolean>"]),
    ("provost.restartProcesses", "provost.restartProcesses", &[BENT_AND_NOBODY]),
    ("provost.startProcesses", "provost.startProcesses", &[BENT_AND_NOBODY, "<boolean>0</boolean>"]),
    ("provost.signalProcesses", "provost.signalProcesses", &[BENT_AND_NOBODY, "CONT"]),
    ("provost.rotateProcessLogs", "provost.rotateProcessLogs", &["bent"]),
    ("provost.rotateProcessLogs-group", "provost.rotateProcessLogs", &["bent:*"]),
    ("provost.rotateAllLogs", "provost.rotateAllLogs", &[]),
    ("provost.reopenLogs", "provost.reopenLogs", &[]),
    ("provost.reopenLogs-process", "provost.reopenLogs", &["bent"]),
    ("provost.reopenLogs-group", "provost.reopenLogs", &["bent:*"]),
    ("provost.compareConfig", "provost.compareConfig", &[]),
    ("provost.updateGroup", "provost.updateGroup", &["bent", "<boolean>1</boolean>"]),
    ("provost.upgrade", "provost.upgrade", &[]),
    ("provost.stopProcesses", "provost.stopProcesses", &[BENT_AND_NOBODY]),
];

const BENT_AND_NOBODY: &str = "<array><data><value><string>nobody*</string></value><value><string>b[a-z]nt</string></value></data></array>";
const STOPPED_OR_FATAL: &str =
    "<array><data><value><string>STOPPED</string></value><value><int>200</int></value></data></array>";

fn play_ours() -> Vec<(&'static str, String)> {
    let mut daemon = Daemon::start(&Implementation::ours(), &format!("{HEAD}{RARE}"));
    daemon.wait_for_hello("bent");
    let version = format!("<string>{}</string>", env!("CARGO_PKG_VERSION"));
    let answer = |call| {
        let (file, answer) = one(&daemon, call);
        (file, answer.replace(&version, "<string>1.2.3</string>"))
    };
    let mut answers: Vec<_> = OURS.iter().map(answer).collect();
    bend(&daemon);
    answers.push(answer(&("fault-failed-ours", "provost.reopenLogs", &["bent"])));
    answers
}

/// Puts a directory in the place of a log.
fn bend(daemon: &Daemon) {
    let log = daemon.sandbox().file("bent.log");
    fs::rename(&log, log.with_extension("old")).expect("a log can be put aside");
    fs::create_dir(&log).expect("a directory can be in the way");
}

fn end_a_start(daemon: &Daemon) -> (&'static str, String) {
    let start = ("fault-abnormal-termination", "supervisor.startProcess", ["slow"].as_slice());
    while_awake(daemon, || {
        std::thread::scope(|scope| {
            let started = scope.spawn(|| one(daemon, &start));
            let deadline = Deadline::default();
            while !ask(daemon, "supervisor.getProcessInfo", &[&text("slow")]).contains("STARTING") {
                assert!(deadline.remaining().is_some(), "slow is not STARTING");
            }
            ask(daemon, "supervisor.stopProcess", &[&text("slow")]);
            started.join().expect("the call is answered (its panic is above)")
        })
    })
}

/// What both answer, and what only 4.3.0 does: it clears a log by its name, we the file that is open.
fn play_rare(implementation: &Implementation, fails: bool) -> Vec<(&'static str, String)> {
    let mut daemon = Daemon::start(implementation, &format!("{HEAD}{RARE}"));
    daemon.wait_for_hello("bent");
    let mut answers = vec![end_a_start(&daemon)];
    if fails {
        bend(&daemon);
        answers.push(one(&daemon, &("fault-failed", "supervisor.clearProcessLogs", &["bent"])));
    }
    answers
}

fn play(implementation: &Implementation) -> Vec<(&'static str, String)> {
    let mut daemon = Daemon::start(implementation, &format!("{HEAD}{CONFIG}"));
    let [_, stubborn] = ["one", "stubborn"].map(|name| daemon.wait_for_hello(name));
    fs::remove_file(daemon.sandbox().file("missing.log")).ok();
    let mut answers: Vec<_> = while_awake(&daemon, || CALLS.iter().map(|call| one(&daemon, call)).collect());
    daemon.write_config(&format!("{HEAD}{CONFIG}{LATER}"));
    while_awake(&daemon, || answers.extend(CHANGED.iter().map(|call| one(&daemon, call))));
    daemon.write_config(&format!("{HEAD}{BROKEN}"));
    while_awake(&daemon, || answers.extend(LAST.iter().map(|call| one(&daemon, call))));
    daemon.write_config(&format!("{HEAD}{CONFIG}"));
    answers.push(one(&daemon, &("supervisor.restart", "supervisor.restart", &[])));
    answers.push(one(&daemon, &("fault-shutdown-state", "supervisor.getState", &[])));
    send_signal(stubborn.pid, Signal::KILL);
    let stubborn = daemon.wait_for_hello("stubborn");
    answers.push(one(&daemon, &("supervisor.shutdown", "supervisor.shutdown", &[])));
    send_signal(stubborn.pid, Signal::KILL);
    daemon.wait_for_end();
    answers
}

/// One call, and its answer with numbers where pids and times were: a file that can be read.
fn one(daemon: &Daemon, call: &(&'static str, &str, &[&str])) -> (&'static str, String) {
    let (file, method, arguments) = call;
    let arguments: Vec<String> =
        arguments.iter().map(|a| if a.starts_with('<') { (*a).to_owned() } else { text(a) }).collect();
    let answer = ask(daemon, method, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let fixed = [
        ("<int>TIME</int>", "<int>1795344360</int>"),
        ("<int>PID</int>", "<int>4242</int>"),
        ("pid PID, uptime UPTIME", "pid 4242, uptime 0:00:07"),
        ("<string>DATE</string>", "<string>Nov 22 10:46 AM</string>"),
        ("supervisor-RANDOM", "supervisor-a1b2c3d4"),
        ("DIR/", "/var/dir/"),
    ];
    // Where the tests were built is nobody's affair.
    let child = provost_testkit::provost_child().display().to_string();
    let answer = answer.replace(&child, "/usr/bin/child");
    let answer = fixed.iter().fold(answer, |answer, (from, to)| answer.replace(from, to));
    (file, answer)
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("crates/wire/tests/recorded/{name}.xml"))
}

fn recorded(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_else(|e| panic!("{name} is not recorded: {e}"))
}

#[test]
fn the_recorded_answers_are_those_of_both() {
    let (theirs, ours) = std::thread::scope(|scope| {
        let all = |implementation: &Implementation, fails| {
            [play(implementation), play_rare(implementation, fails)].concat()
        };
        let theirs = scope.spawn(move || all(&Implementation::supervisor_4_3(), true));
        let ours = all(&Implementation::ours(), false);
        (theirs.join().expect("the calls can be made to 4.3.0 (its panic is above)"), ours)
    });
    let only_ours = play_ours();
    if std::env::var_os("PROVOST_RECORD").is_some() {
        for (name, answer) in theirs.iter().chain(&only_ours) {
            assert!(answer.starts_with("<?xml"), "{name} is answered by {answer}");
            fs::write(file(name), answer).unwrap_or_else(|e| panic!("cannot record {name}: {e}"));
        }
    }
    for (name, answer) in &theirs {
        assert_eq!(answer, &recorded(name), "4.3.0 answers {name}");
    }
    for (name, answer) in ours.iter().chain(&only_ours) {
        let recorded = recorded(name);
        assert!(answer == &recorded, "{name}: we answer\n{answer}\nwhere there belongs\n{recorded}");
    }
    let files =
        fs::read_dir(file("x").parent().expect("a file has a directory")).expect("they can be listed");
    assert_eq!(files.count(), theirs.len() + only_ours.len(), "files that nobody compares");
}
