//! Every method that names a process, for a process in every state that a daemon can be brought to hold still in.
//!
//! In: a cast of programs parked in their states; whoever changes a state gets a program of its own, as nobody else may
//! see the change. Out: the answers, and what `getProcessInfo` says afterwards, where that is certain.
//!
//! UNKNOWN is not among them: it takes a kernel that refuses a signal.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use provost_testkit::{Daemon, HEAD, Implementation, Signal, send_signal};

use super::line::{Asked, ask, text, while_awake};

/// A state, and the configuration of a program that comes to it and stays.
struct Parked {
    name: &'static str,
    config: &'static str,
}

/// A program that ends with this status until `{dir}/go` is there.
macro_rules! until_go {
    ($status:literal) => {
        concat!(
            "command=/bin/sh -c 'test -e {dir}/go || exit ",
            $status,
            "; exec {child} ignore:USR1 forever'\nautorestart=false\n"
        )
    };
}

const STATES: &[Parked] = &[
    Parked { name: "stopped", config: "command={child} ignore:USR1 forever\nautostart=false\nstartsecs=0\n" },
    Parked { name: "missing", config: "command={dir}/nothing\nautostart=false\n" },
    Parked { name: "noexec", config: "command={dir}/supervisord.conf\nautostart=false\n" },
    Parked { name: "directory", config: "command={dir}\nautostart=false\n" },
    Parked { name: "starting", config: "command={child} ignore:USR1 hello forever\nstartsecs=3600\n" },
    Parked {
        name: "running",
        config: "command={child} ignore:USR1 'write:h\u{e4}ll\u{f6}\\n' 'ewrite:wrong\\n' taken etaken hello forever\nstartsecs=0\n",
    },
    Parked { name: "backoff", config: "command={child} exit:3\nstartsecs=3600\nstartretries=1000\n" },
    Parked {
        name: "stopping",
        config: "command={child} ignore:USR1 ignore:TERM hello forever\nstartsecs=0\nstopwaitsecs=3600\n",
    },
    Parked { name: "exited", config: concat!(until_go!("0"), "startsecs=0\n") },
    Parked { name: "crashed", config: concat!(until_go!("3"), "startsecs=0\n") },
    Parked {
        name: "killed",
        config: "command=/bin/sh -c 'test -e {dir}/go || kill -9 $$; exec {child} ignore:USR1 forever'\nautorestart=false\nstartsecs=0\n",
    },
    Parked {
        name: "fatal",
        config: concat!(
            "command=/bin/sh -c 'test -e {dir}/go || exit 3; exec {child} ignore:USR1 forever'\n",
            "autorestart=true\nstartsecs=1\nstartretries=0\n"
        ),
    },
];

/// What changes a process, with the arguments behind its name, and whether what comes of it is certain at once.
struct Deed {
    key: &'static str,
    method: &'static str,
    suffix: &'static str,
    argument: &'static str,
    settled: bool,
}

const fn deed(
    key: &'static str,
    method: &'static str,
    suffix: &'static str,
    argument: &'static str,
    settled: bool,
) -> Deed {
    Deed { key, method, suffix, argument, settled }
}

const WAIT: &str = "<boolean>1</boolean>";
const GO_ON: &str = "<boolean>0</boolean>";
const USR1: &str = "<string>USR1</string>";

const DEEDS: &[Deed] = &[
    deed("sw", "startProcess", "", WAIT, true),
    deed("sn", "startProcess", "", GO_ON, false),
    deed("sd", "startProcess", "", "", true),
    deed("saw", "startProcess", ":*", WAIT, true),
    deed("san", "startProcess", ":*", GO_ON, false),
    deed("scw", "startProcess", ":", WAIT, true),
    deed("sgw", "startProcessGroup", "", WAIT, true),
    deed("sgn", "startProcessGroup", "", GO_ON, false),
    deed("tw", "stopProcess", "", WAIT, true),
    deed("tn", "stopProcess", "", GO_ON, false),
    deed("td", "stopProcess", "", "", true),
    deed("taw", "stopProcess", ":*", WAIT, true),
    deed("tan", "stopProcess", ":*", GO_ON, false),
    deed("tgw", "stopProcessGroup", "", WAIT, true),
    deed("tgn", "stopProcessGroup", "", GO_ON, false),
    deed("g", "signalProcess", "", USR1, true),
    deed("ga", "signalProcess", ":*", USR1, true),
    deed("gg", "signalProcessGroup", "", USR1, true),
    deed("gi", "signalProcess", "", "<int>10</int>", true),
    deed("c", "clearProcessLogs", "", "", true),
    deed("cl", "clearProcessLog", "", "", true),
    deed("r", "removeProcessGroup", "", "", false),
    deed("i", "sendProcessStdin", "", "<string>hello</string>", true),
];

/// What changes nothing.
const QUESTIONS: &[(&str, &str, &[&str])] = &[
    ("getProcessInfo", "", &[]),
    ("getProcessInfo", ":*", &[]),
    ("getProcessInfo", ":", &[]),
    ("getProcessInfo", ":nobody", &[]),
    ("readProcessLog", "", &["<int>0</int>", "<int>0</int>"]),
    ("readProcessStdoutLog", "", &["<int>0</int>", "<int>0</int>"]),
    ("readProcessStdoutLog", "", &["<int>-3</int>", "<int>0</int>"]),
    ("readProcessStdoutLog", "", &["<int>-3</int>", "<int>1</int>"]),
    ("readProcessStdoutLog", ":*", &["<int>0</int>", "<int>0</int>"]),
    ("readProcessStderrLog", "", &["<int>0</int>", "<int>3</int>"]),
    ("readProcessStderrLog", "", &["<int>0</int>", "<int>-3</int>"]),
    ("tailProcessLog", "", &["<int>0</int>", "<int>100</int>"]),
    ("tailProcessStdoutLog", "", &["<int>0</int>", "<int>100</int>"]),
    ("tailProcessStdoutLog", "", &["<int>0</int>", "<int>3</int>"]),
    ("tailProcessStdoutLog", ":*", &["<int>0</int>", "<int>3</int>"]),
    ("tailProcessStderrLog", "", &["<int>0</int>", "<int>100</int>"]),
    ("addProcessGroup", "", &[]),
    ("addProcessGroup", ":*", &[]),
    ("removeProcessGroup", ":*", &[]),
    ("clearProcessLogs", ":*", &[]),
    ("signalProcess", "", &["<string>NOSUCH</string>"]),
    ("signalProcess", ":*", &["<string>NOSUCH</string>"]),
    ("signalProcessGroup", "", &["<string>NOSUCH</string>"]),
    ("signalProcess", ":nobody", &["<string>USR1</string>"]),
    ("startProcess", ":nobody", &[]),
    ("stopProcess", ":nobody", &[]),
    ("startProcessGroup", ":*", &[]),
    ("stopProcessGroup", ":*", &[]),
    ("signalProcessGroup", ":*", &["<string>USR1</string>"]),
    ("sendProcessStdin", ":*", &["<string>x</string>"]),
    ("sendProcessStdin", ":nobody", &["<string>x</string>"]),
];

/// How many connections ask at once: 4.3.0 answers what waits only when something else happens.
const CLIENTS: usize = 8;

fn play(implementation: &Implementation) -> Vec<Asked> {
    let mut daemon = Daemon::start(implementation, &format!("{HEAD}{}", config()));
    let stubborn = park(&mut daemon);
    let asked = while_awake(&daemon, || ask_everything(&daemon));
    for pid in stubborn {
        send_signal(pid, Signal::KILL);
    }
    asked
}

fn ask_everything(daemon: &Daemon) -> Vec<Asked> {
    let mut asked = Vec::new();
    // While none of these tries again: four seconds.
    asked.extend(ask_all(daemon, &cells("backoff")));
    asked.push(about_all(daemon, "getAllProcessInfo", &[]));
    // Before any of them is removed: then 4.3.0 goes on naming the log files it had.
    asked.push(about_all(daemon, "getAllConfigInfo", &[]));
    // Later they would be on their way again, some of them, whenever all are asked about. Not all are still there.
    for name in programs("backoff") {
        let _ = ask(daemon, "supervisor.stopProcess", &[&text(&name)]);
    }
    for state in STATES.iter().filter(|state| state.name != "backoff") {
        asked.extend(ask_all(daemon, &cells(state.name)));
    }
    asked.push(about_all(daemon, "signalAllProcesses", &["<string>NOSUCH</string>"]));
    asked.push(about_all(daemon, "signalAllProcesses", &[USR1]));
    asked.push(about_all(daemon, "clearAllProcessLogs", &[]));
    asked.push(about_all(daemon, "stopAllProcesses", &[GO_ON]));
    asked
}

fn about_all(daemon: &Daemon, method: &str, params: &[&str]) -> Asked {
    let method = format!("supervisor.{method}");
    Asked { call: format!("{method} of all"), answer: ask(daemon, &method, params) }
}

/// One program for each deed in each state, and one for all questions.
fn config() -> String {
    let mut config = String::new();
    for state in STATES {
        let names = std::iter::once(state.name.to_owned());
        for name in names.chain(DEEDS.iter().map(|deed| format!("{}-{}", state.name, deed.key))) {
            config.push_str(&format!("[program:{name}]\n{}\n", state.config));
        }
    }
    config
}

fn programs(state: &str) -> Vec<String> {
    let deeds = DEEDS.iter().map(|deed| format!("{state}-{}", deed.key));
    std::iter::once(state.to_owned()).chain(deeds).collect()
}

/// Brings every program to its state; gives the pids of those that will not end by themselves.
fn park(daemon: &mut Daemon) -> Vec<i32> {
    for name in programs("starting").iter().chain(&programs("running")) {
        daemon.wait_for_hello(name);
    }
    let stubborn: Vec<i32> =
        programs("stopping").iter().map(|name| daemon.wait_for_hello(name).pid).collect();
    for name in programs("stopping") {
        let answer = ask(daemon, "supervisor.stopProcess", &[&text(&name), GO_ON]);
        assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
    }
    let ends = |state: &str, text: &str| -> Vec<String> {
        programs(state).iter().map(|name| format!("{text}{name} ")).collect()
    };
    let mut wanted: Vec<(String, usize)> = Vec::new();
    for state in ["exited", "crashed", "killed"] {
        wanted.extend(ends(state, "exited: ").into_iter().map(|text| (text, 1)));
    }
    wanted.extend(ends("fatal", "gave up: ").into_iter().map(|text| (text, 1)));
    wanted.extend(ends("backoff", "exited: ").into_iter().map(|text| (text, 4)));
    wait_for_each(daemon, wanted);
    std::fs::write(daemon.sandbox().file("go"), "").expect("a sandbox takes files");
    stubborn
}

/// Waits until each of these texts has been logged so many times.
fn wait_for_each(daemon: &mut Daemon, wanted: Vec<(String, usize)>) {
    let wanted = RefCell::new(wanted);
    daemon.log().wait_until("the end of every program that is to end", |line| {
        let mut wanted = wanted.borrow_mut();
        if let Some((_, times)) = wanted.iter_mut().find(|(text, _)| line.contains(text.as_str())) {
            *times -= 1;
        }
        wanted.retain(|(_, times)| *times > 0);
        wanted.is_empty()
    });
}

/// One call, and perhaps a look afterwards.
struct Cell {
    program: String,
    method: &'static str,
    target: String,
    arguments: Vec<&'static str>,
    look_after: bool,
}

fn cells(state: &str) -> Vec<Cell> {
    let questions = QUESTIONS.iter().map(|(method, suffix, arguments)| Cell {
        program: state.to_owned(),
        method,
        target: format!("{state}{suffix}"),
        arguments: arguments.to_vec(),
        look_after: false,
    });
    let deeds = DEEDS.iter().map(|deed| {
        let program = format!("{state}-{}", deed.key);
        let target = format!("{program}{}", deed.suffix);
        let arguments = if deed.argument.is_empty() { vec![] } else { vec![deed.argument] };
        Cell { program, method: deed.method, target, arguments, look_after: deed.settled }
    });
    questions.chain(deeds).collect()
}

/// The answers to all of them, in their order; several clients share the asking.
fn ask_all(daemon: &Daemon, cells: &[Cell]) -> Vec<Asked> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, Vec<Asked>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some((at, cell)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    cells.get(at).map(|cell| (at, cell))
                } {
                    let asked = cell.ask(daemon);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((at, asked));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().flat_map(|(_, asked)| asked).collect()
}

impl Cell {
    fn ask(&self, daemon: &Daemon) -> Vec<Asked> {
        let method = format!("supervisor.{}", self.method);
        let target = text(&self.target);
        let params: Vec<&str> =
            std::iter::once(target.as_str()).chain(self.arguments.iter().copied()).collect();
        let call = format!("{method}({})", params.join(", "));
        let mut asked = vec![Asked { answer: ask(daemon, &method, &params), call: call.clone() }];
        if self.look_after {
            let answer = ask(daemon, "supervisor.getProcessInfo", &[&text(&self.program)]);
            asked.push(Asked { call: format!("after {call}"), answer });
        }
        asked
    }
}

#[test]
fn every_method_in_every_state() {
    super::same_answers("states", play);
}
