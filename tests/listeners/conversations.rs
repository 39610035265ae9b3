//! Listeners in the languages that people write theirs in: Python with Supervisor's own childutils, Node, Perl and the shell.
//!
//! In: events of every family, among them payloads that are not ASCII, one that a listener rejects once, and one that a listener has
//! brought about itself through XML-RPC. Out: what each of them has understood, written down by itself, and that it has answered.

use provost_testkit::{Daemon, Implementation, Lines, post};

use super::start;

on_both!(
    childutils_understands_everything,
    childutils_behind_a_script_that_stays_does,
    every_language_keeps_step
);

fn childutils_understands_everything(implementation: &Implementation) {
    understands_everything(implementation, "");
}

fn childutils_behind_a_script_that_stays_does(implementation: &Implementation) {
    understands_everything(implementation, "{here}/start.sh ");
}

fn understands_everything(implementation: &Implementation, script: &str) {
    let config = "
[eventlistener:ears]
command={script}{bin}/python {here}/ears.py {dir}/heard
stopasgroup=true
events=REMOTE_COMMUNICATION,PROCESS_COMMUNICATION,PROCESS_LOG,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE
buffer_size=100

[program:beats]
command={bin}/python {here}/beats.py
autostart=false
autorestart=false
startsecs=0
stdout_capture_maxbytes=1MB
stderr_capture_maxbytes=1MB

[program:speaks]
command={child} 'write:h\u{e9}llo w\u{f6}rld \u{20ac}\u{1f600}\\n' taken 'ewrite:bad\\s\\xff\\n' etaken hello forever
autostart=false
startsecs=0
stdout_events_enabled=true
stderr_events_enabled=true
";
    let mut daemon = start(implementation, &config.replace("{script}", script));
    let mut heard = Lines::follow(&daemon.sandbox().file("heard"));
    heard.wait_for("PROCESS_GROUP_ADDED 'groupname:speaks");
    assert_eq!(daemon.ctl(&["start", "beats", "speaks"]).status, 0);
    daemon.wait_for_hello("speaks");
    heard.wait_for_all(&["Undecodable", "beat \u{e9}", "beat \u{fc}", "\u{20ac}"]);
    let mut lines: Vec<String> = heard.all().iter().map(|line| super::without_numbers(line)).collect();
    // Those of two programs come in any order.
    lines.sort();
    let expected = [
        "PROCESS_COMMUNICATION_STDERR 'processname:beats groupname:beats pid:N\\nbeat \u{fc}'",
        "PROCESS_COMMUNICATION_STDOUT 'processname:beats groupname:beats pid:N\\nbeat \u{e9}'",
        "PROCESS_GROUP_ADDED 'groupname:beats\\n'",
        "PROCESS_GROUP_ADDED 'groupname:ears\\n'",
        "PROCESS_GROUP_ADDED 'groupname:speaks\\n'",
        "PROCESS_LOG_STDERR \"processname:speaks groupname:speaks pid:N channel:stderr\\nUndecodable: b'bad \\\\xff\\\\n'\"",
        "PROCESS_LOG_STDOUT 'processname:speaks groupname:speaks pid:N channel:stdout\\nh\u{e9}llo w\u{f6}rld \u{20ac}\u{1f600}\\n'",
        "REMOTE_COMMUNICATION 'type:mine\\nfor ears \u{e9}'",
        "REMOTE_COMMUNICATION 'type:mine\\nfor ears \u{e9}'",
        "SUPERVISOR_STATE_CHANGE_RUNNING ''",
    ];
    assert_eq!(lines, expected, "{}", implementation.name);
    if implementation.name == Implementation::ours().name {
        let listed = daemon.ctl(&["listeners"]).stdout;
        assert!(listed.ends_with(", counts characters\n"), "{listed}");
    }
}

/// What each is told, one after the other.
const ASCII: [&str; 3] = ["one", "two lines\nand no end", ""];
/// Whoever reads bytes loses step at the first of these on 4.3.0, which tells everybody characters; ours tells a Python program so.
const NOT_ASCII: [&str; 3] = ["h\u{e9}llo", "\u{20ac}\u{1f600}\n", "in step"];

fn every_language_keeps_step(implementation: &Implementation) {
    let names = ["node", "perl", "sh", "bash", "bytes"];
    let config = "
[eventlistener:node]
command=node {here}/listener.js {dir}/node
events=REMOTE_COMMUNICATION

[eventlistener:perl]
command=perl {here}/listener.pl {dir}/perl
events=REMOTE_COMMUNICATION

[eventlistener:sh]
command=sh {here}/listener.sh {dir}/sh
events=REMOTE_COMMUNICATION

[eventlistener:bash]
command=bash {here}/listener.sh {dir}/bash
events=REMOTE_COMMUNICATION
environment=LC_ALL=C

[eventlistener:bytes]
command={bin}/python {here}/listener.py {dir}/bytes
events=REMOTE_COMMUNICATION
payload_length=bytes
";
    let daemon = start(implementation, config);
    let mut heard = names.map(|name| Lines::follow(&daemon.sandbox().file(name)));
    let counts_bytes = implementation.name == Implementation::ours().name;
    let all = ASCII.iter().chain(if counts_bytes { &NOT_ASCII } else { &ASCII });
    for (number, data) in all.enumerate() {
        tell(&daemon, number, data);
        for (name, heard) in names.iter().zip(&mut heard) {
            let line = heard.wait_for("REMOTE_COMMUNICATION ");
            let expected = format!("REMOTE_COMMUNICATION {}", hex(&format!("type:{number}\n{data}")));
            assert_eq!(line, expected, "{name} on {}", implementation.name);
        }
    }
    if counts_bytes {
        let listed = daemon.ctl(&["listeners"]).stdout;
        assert_eq!(listed.matches(", counts bytes\n").count(), names.len(), "{listed}");
    }
}

fn tell(daemon: &Daemon, kind: usize, data: &str) {
    let call = format!(
        "<?xml version='1.0'?><methodCall><methodName>supervisor.sendRemoteCommEvent</methodName><params>\
         <param><value><string>{kind}</string></value></param><param><value><string>{data}</string></value></param>\
         </params></methodCall>"
    );
    let answer = post(&daemon.socket(), "/RPC2", call.as_bytes()).unwrap();
    let answer = String::from_utf8_lossy(&answer.body);
    assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
