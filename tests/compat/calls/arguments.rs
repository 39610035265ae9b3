//! Every method with every argument: too few, too many, and for each argument whatever a client may send in its place.
//!
//! In: two programs that are as each call would have them, so that it changes nothing; what comes of starts and stops is
//! for `states.rs`, which has a program for each. Out: the answers, one client after
//! the other. Not here: `shutdown` and `restart` as they should be called (`ending.rs`), several calls in one (`multicall.rs`).

use provost_testkit::{Daemon, HEAD, Implementation};

use super::line::{Asked, ask, while_awake};

const CONFIG: &str = "
[program:one]
command={child} ignore:HUP ignore:TRAP ignore:USR1 ignore:USR2 ignore:BUS 'write:h\u{e4}ll\u{f6}\\n' taken hello forever
startsecs=0
autorestart=false

[program:two]
command={child} ignore:HUP ignore:TRAP ignore:USR1 ignore:USR2 ignore:BUS hello forever
startsecs=0
autorestart=false
";

/// What a parameter is, which decides what is a good argument.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Process,
    Group,
    Wait,
    Signal,
    Number,
    Chars,
    Method,
}

use Kind::{Chars, Group, Method, Number, Process, Signal, Wait};

impl Kind {
    fn good(self) -> &'static str {
        match self {
            Process | Group => "<string>one</string>",
            Wait => "<boolean>1</boolean>",
            Signal => "<string>USR1</string>",
            Number => "<int>0</int>",
            Chars => "<string>hello</string>",
            Method => "<string>supervisor.getState</string>",
        }
    }
}

const METHODS: &[(&str, &[Kind])] = &[
    ("supervisor.getAPIVersion", &[]),
    ("supervisor.getVersion", &[]),
    ("supervisor.getSupervisorVersion", &[]),
    ("supervisor.getIdentification", &[]),
    ("supervisor.getState", &[]),
    ("supervisor.getPID", &[]),
    ("supervisor.readLog", &[Number, Number]),
    ("supervisor.readMainLog", &[Number, Number]),
    ("supervisor.clearLog", &[]),
    ("supervisor.reloadConfig", &[]),
    ("supervisor.addProcessGroup", &[Group]),
    ("supervisor.removeProcessGroup", &[Group]),
    ("supervisor.startProcess", &[Process, Wait]),
    ("supervisor.startProcessGroup", &[Group, Wait]),
    ("supervisor.startAllProcesses", &[Wait]),
    ("supervisor.stopProcess", &[Process, Wait]),
    ("supervisor.stopProcessGroup", &[Group, Wait]),
    ("supervisor.stopAllProcesses", &[Wait]),
    ("supervisor.signalProcess", &[Process, Signal]),
    ("supervisor.signalProcessGroup", &[Group, Signal]),
    ("supervisor.signalAllProcesses", &[Signal]),
    ("supervisor.getProcessInfo", &[Process]),
    ("supervisor.getAllProcessInfo", &[]),
    ("supervisor.getAllConfigInfo", &[]),
    ("supervisor.readProcessLog", &[Process, Number, Number]),
    ("supervisor.readProcessStdoutLog", &[Process, Number, Number]),
    ("supervisor.readProcessStderrLog", &[Process, Number, Number]),
    ("supervisor.tailProcessLog", &[Process, Number, Number]),
    ("supervisor.tailProcessStdoutLog", &[Process, Number, Number]),
    ("supervisor.tailProcessStderrLog", &[Process, Number, Number]),
    ("supervisor.clearProcessLog", &[Process]),
    ("supervisor.clearProcessLogs", &[Process]),
    ("supervisor.clearAllProcessLogs", &[]),
    ("supervisor.sendProcessStdin", &[Process, Chars]),
    ("supervisor.sendRemoteCommEvent", &[Chars, Chars]),
    ("system.listMethods", &[]),
    ("system.methodHelp", &[Method]),
    ("system.methodSignature", &[Method]),
];

/// The methods that this table knows, for `listed.rs` to hold against those that there are.
pub(super) fn methods() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(method, _)| *method)
}

/// Every method as it should be called.
pub(super) fn well_called() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    METHODS.iter().map(|(method, kinds)| (*method, kinds.iter().map(|kind| kind.good()).collect()))
}

/// What clients send, rightly or not.
const ODD: &[&str] = &[
    "",
    "  one ",
    "one",
    "<string/>",
    "<string>nobody</string>",
    "<string>one:one</string>",
    "<string>one:*</string>",
    "<string>one:</string>",
    "<string>:one</string>",
    "<string>one:nobody</string>",
    "<string>one:one:one</string>",
    "<string>:</string>",
    "<string>*</string>",
    "<string>ONE</string>",
    "<string>\u{e9}\u{1f600} &lt;&amp;&gt; ]]&gt;</string>",
    "<string>12</string>",
    "<string> 7 </string>",
    "<string>-5</string>",
    "<string>1.5</string>",
    "<string>usr1</string>",
    "<string>SIGUSR1</string>",
    "<string>sigusr1</string>",
    "<string>0</string>",
    "<string>false</string>",
    "<string>99999999999</string>",
    "<int>0</int>",
    "<int>1</int>",
    "<i4>12</i4>",
    "<int>-1</int>",
    "<int>2147483647</int>",
    "<int>99999999999</int>",
    "<i8>5</i8>",
    "<boolean>0</boolean>",
    "<boolean>1</boolean>",
    "<double>1.5</double>",
    "<double>0</double>",
    "<nil/>",
    "<base64>b25l</base64>",
    "<dateTime.iso8601>20260101T00:00:00</dateTime.iso8601>",
    "<array><data></data></array>",
    "<array><data><value>one</value></data></array>",
    "<struct></struct>",
    "<struct><member><name>a</name><value>one</value></member></struct>",
];

/// A method and its arguments.
type Call = (&'static str, Vec<&'static str>);

fn play(implementation: &Implementation) -> Vec<Asked> {
    let mut daemon = Daemon::start(implementation, &format!("{HEAD}{CONFIG}"));
    daemon.wait_for_hello("one");
    daemon.wait_for_hello("two");
    let (stops, others): (Vec<Call>, Vec<Call>) =
        calls().into_iter().partition(|(method, _)| method.starts_with("supervisor.stop"));
    let one = |(method, arguments): &Call| Asked {
        call: format!("{method}({})", arguments.join(", ")),
        answer: ask(&daemon, method, arguments),
    };
    while_awake(&daemon, || {
        let mut asked: Vec<Asked> = others.iter().map(one).collect();
        ask(&daemon, "supervisor.stopAllProcesses", &[]);
        asked.extend(stops.iter().map(one));
        asked
    })
}

/// Every method as it should be called, with fewer and more arguments, and with one odd argument at a time.
fn calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for (method, kinds) in METHODS {
        let good: Vec<&str> = kinds.iter().map(|kind| kind.good()).collect();
        for count in 0..=good.len() + 2 {
            calls.push((*method, good.iter().copied().chain([""; 2]).take(count).collect()));
        }
        for at in 0..good.len() {
            for odd in
                ODD.iter().filter(|odd| kinds[at] != Wait || !odd.contains("one") && !odd.contains("usr"))
            {
                let mut arguments = good.clone();
                arguments[at] = odd;
                calls.push((*method, arguments));
            }
        }
    }
    calls
}

#[test]
fn every_method_with_every_argument() {
    super::same_answers("arguments", play);
}
