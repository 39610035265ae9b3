//! The record of who did what.

use std::fs;

use provost_testkit::{Daemon, HEAD, Implementation, Lines};
use serde_json::Value;

use crate::client::{Call, Door, outcomes};
use crate::{PROGRAMS, start};

#[test]
fn what_changes_something_leaves_a_line_and_looking_leaves_none() {
    let (mut daemon, port) = start();
    let bob = Door::inet(port).with_password("bob", "bob's");
    bob.call(&Call::new("supervisor.getAllProcessInfo", &[]));
    bob.call(&Call::new("supervisor.stopProcess", &["web:web_0"]));
    let line = daemon.wait_for_log_line("audit: user=bob");
    assert!(line.contains("door=inet_http_server action=stop target=web:web_0 result=OK"), "{line}");
    assert!(line.contains("from=127.0.0.1:"), "{line}");
    bob.call(&Call::new("supervisor.stopProcess", &["db"]));
    let line = daemon.wait_for_log_line("target=db");
    assert!(line.contains("result=\"BAD_NAME: db\""), "{line}");
    bob.call(&Call::new("supervisor.shutdown", &[]));
    let line = daemon.wait_for_log_line("action=shutdown");
    assert!(line.contains("user=bob") && line.contains("result=\"denied, may not shutdown\""), "{line}");
    let wide = daemon.sandbox().file("wide.sock");
    Door::unix(&wide).of_uid(2004).call(&Call::new("supervisor.startAllProcesses", &[]));
    let line = daemon.wait_for_log_line("user=dan");
    assert!(line.contains("from=unix:uid=2004,pid=") && line.contains("target=all"), "{line}");
    // Whose name is refused by the gate itself has tried it all the same.
    let fay = Door::inet(port).with_password("fay", "fay's");
    fay.call(&Call::new("supervisor.sendProcessStdin", &["db", "x"]));
    fay.call(&Call::new("supervisor.removeProcessGroup", &["job"]));
    let line = daemon.wait_for_log_line("action=remove");
    assert!(line.contains("user=fay") && line.contains("target=job result=\"BAD_NAME: job\""), "{line}");
    let log = fs::read_to_string(daemon.sandbox().file("main.log")).unwrap();
    assert!(log.contains("action=send target=db result=\"BAD_NAME: db\""), "{log}");
    assert_eq!(log.matches("audit: ").count(), 6, "{log}");
}

#[test]
fn nobody_writes_lines_of_the_log_by_way_of_a_name() {
    let (mut daemon, port) = start();
    let dan = Door::inet(port).with_password("dan", "dan's");
    dan.call(&Call::new("supervisor.stopProcess", &["x&#10;2026-11-23 00:00:00,000 CRIT audit: user=root"]));
    let line = daemon.wait_for_log_line("action=stop");
    assert!(line.contains("user=dan") && line.contains("\\n2026"), "{line}");
}

#[test]
fn refusals_that_have_no_line_are_counted() {
    const CALLS: usize = 900;
    let (mut daemon, port) = start();
    let ann = Door::inet(port).with_password("ann", "ann's");
    let calls: Vec<Call> = (0..CALLS).map(|_| Call::new("supervisor.shutdown", &[])).collect();
    outcomes(&ann, &calls);
    let told = |log: &str| {
        let missing =
            log.lines().filter_map(|line| line.split_once(" WARN ")?.1.split_once(" lines are missing here"));
        let missing: usize = missing.map(|(count, _)| count.parse::<usize>().unwrap()).sum();
        (log.matches("action=shutdown").count(), missing)
    };
    let dan = Door::inet(port).with_password("dan", "dan's");
    dan.call(&Call::new("supervisor.stopProcess", &["job"]));
    // Behind all that came before it.
    daemon.wait_for_log_line("user=dan");
    let (lines, missing) = told(&fs::read_to_string(daemon.sandbox().file("main.log")).unwrap());
    assert_eq!(lines + missing, CALLS, "{lines} lines, and {missing} are said to be missing");
}

#[test]
fn what_an_upgrade_leaves_unanswered_has_its_line_too() {
    let slow = "[program:slow]\ncommand=/bin/cat\nautostart=false\nstartsecs=60\n";
    let config = format!("{HEAD}audit_logfile={{dir}}/audit.json\n{slow}");
    let mut daemon = Daemon::start(&Implementation::ours(), &config);
    let door = Door::unix(&daemon.socket());
    std::thread::scope(|scope| {
        // It waits for an answer that never comes, and is cut off.
        let waiting = scope.spawn(|| door.ask(&Call::new("supervisor.startProcess", &["slow"])));
        daemon.wait_for_log_line("spawned: 'slow'");
        door.call(&Call::new("provost.upgrade", &[]));
        assert_eq!(waiting.join().unwrap(), "");
    });
    let line = daemon.wait_for_log_line("action=start");
    assert!(line.contains("target=slow result=\"left to the next brain\""), "{line}");
    let file = daemon.sandbox().file("audit.json");
    Lines::follow(&file).wait_for("\"result\":\"left to the next brain\"");
}

#[test]
fn a_file_has_it_as_json_and_may_be_moved_away() {
    let config = format!("{HEAD}audit_logfile={{dir}}/audit.json\n{PROGRAMS}");
    let daemon = Daemon::start(&Implementation::ours(), &config);
    let door = Door::unix(&daemon.socket());
    let file = daemon.sandbox().file("audit.json");
    let moved = daemon.sandbox().file("moved.json");
    let entries = |path: &std::path::Path| -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    door.call(&Call::new("supervisor.stopProcess", &["job"]));
    Lines::follow(&file).wait_for("\"target\":\"job\"");
    fs::rename(&file, &moved).unwrap();
    door.call(&Call::new("supervisor.startProcess", &["nothing"]));
    Lines::follow(&file).wait_for("\"target\":\"nothing\"");
    let (first, second) = (&entries(&moved)[0], &entries(&file)[0]);
    assert_eq!(
        (&first["action"], &first["target"], &first["ok"]),
        (&"stop".into(), &"job".into(), &true.into())
    );
    assert_eq!((&second["ok"], &second["result"]), (&false.into(), &"BAD_NAME: nothing".into()));
    assert!(first["user"].is_null() && first["from"].as_str().unwrap().starts_with("unix:uid="), "{first}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it names who does what");
}
