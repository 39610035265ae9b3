//! `system.multicall` in all its forms: the results, the faults inside, and what is no call at all.

use provost_testkit::{Daemon, HEAD, Implementation};

use super::line::{Asked, ask};

const CONFIG: &str = "
[program:one]
command={child} hello forever
startsecs=0

[program:off]
command={child} hello forever
autostart=false
startsecs=0
";

/// `<methodName>` and `<params>` of one entry, both as XML.
fn entry(members: &[(&str, &str)]) -> String {
    let members: String = members
        .iter()
        .map(|(name, value)| format!("<member><name>{name}</name><value>{value}</value></member>"))
        .collect();
    format!("<value><struct>{members}</struct></value>")
}

fn params(values: &[&str]) -> String {
    let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
    format!("<array><data>{values}</data></array>")
}

fn forms() -> Vec<Vec<String>> {
    let named = |name: &str, values: &[&str]| entry(&[("methodName", name), ("params", &params(values))]);
    let mut single = vec![
        named("supervisor.getState", &[]),
        named("supervisor.getState", &["x"]),
        named("supervisor.nosuch", &[]),
        named("nosuch", &[]),
        named("", &[]),
        named("supervisor._update", &["x"]),
        named("system.multicall", &[]),
        named("system.multicall", &["<array><data></data></array>"]),
        named("system.listMethods", &["x"]),
        named("system.methodSignature", &["supervisor.startProcess"]),
        named("system.methodSignature", &["nosuch"]),
        named("supervisor.getProcessInfo", &["nobody"]),
        named("supervisor.getProcessInfo", &["one"]),
        named("supervisor.stopProcess", &["off"]),
        named("supervisor.stopProcess", &["one", "<int>1</int>"]),
        named("supervisor.startProcess", &["one", "<boolean>0</boolean>"]),
        named("supervisor.startProcess", &["off"]),
        named("supervisor.stopProcessGroup", &["off"]),
        named("supervisor.startAllProcesses", &[]),
        named("supervisor.stopProcess", &["off:*"]),
        named("supervisor.signalAllProcesses", &["<int>0</int>"]),
        named("supervisor.clearAllProcessLogs", &[]),
        named("supervisor.readProcessStdoutLog", &["one", "<int>-1</int>", "<int>1</int>"]),
        named("supervisor.tailProcessStdoutLog", &["one", "<int>0</int>", "<int>10</int>"]),
        named("supervisor.readProcessStdoutLog", &["one", "x", "y"]),
        named("supervisor.getProcessInfo", &["<array><data></data></array>"]),
        named("supervisor.getProcessInfo", &["<int>5</int>"]),
        entry(&[("methodName", "supervisor.getState")]),
        entry(&[("methodName", "supervisor.getProcessInfo")]),
        entry(&[("params", &params(&[]))]),
        entry(&[]),
        entry(&[("methodName", "<nil/>")]),
        entry(&[("methodName", "<int>5</int>")]),
        entry(&[("methodName", "<array><data></data></array>")]),
        entry(&[("methodName", "supervisor.getState"), ("params", "<nil/>")]),
        entry(&[("methodName", "supervisor.getState"), ("params", "")]),
        entry(&[("methodName", "supervisor.getState"), ("params", "<int>5</int>")]),
        entry(&[("methodName", "supervisor.getProcessInfo"), ("params", "x")]),
        entry(&[("methodName", "supervisor.getProcessInfo"), ("params", "one")]),
        entry(&[("methodName", "supervisor.getState"), ("params", "<struct></struct>")]),
        entry(&[("methodName", "supervisor.getState"), ("params", &params(&[])), ("more", "x")]),
        entry(&[("methodName", "nosuch"), ("methodName", "supervisor.getState")]),
        "<value>supervisor.getState</value>".into(),
        "<value><int>5</int></value>".into(),
        "<value><nil/></value>".into(),
        "<value><array><data></data></array></value>".into(),
    ];
    let all = single.iter().take(25).cloned().collect();
    let mut forms: Vec<Vec<String>> = single.drain(..).map(|entry| vec![entry]).collect();
    forms.push(all);
    forms.push(vec![]);
    forms
}

fn play(implementation: &Implementation) -> Vec<Asked> {
    let mut daemon = Daemon::start(implementation, &format!("{HEAD}{CONFIG}"));
    daemon.wait_for_hello("one");
    let mut asked: Vec<Asked> = forms()
        .iter()
        .map(|entries| {
            let calls = format!("<array><data>{}</data></array>", entries.concat());
            let answer = ask(&daemon, "system.multicall", &[&calls]);
            Asked { call: format!("system.multicall({calls})"), answer }
        })
        .collect();
    for arguments in [&["x"][..], &["<int>5</int>"], &["<nil/>"], &["<struct></struct>"], &[], &["", ""]] {
        let answer = ask(&daemon, "system.multicall", arguments);
        asked.push(Asked { call: format!("system.multicall({})", arguments.join(", ")), answer });
    }
    asked
}

#[test]
fn several_calls_in_one() {
    super::same_answers("multicall", play);
}
