//! Who may do what: users × verbs × programs × doors, held against a table of rights that is written down here once more.
//!
//! In: a daemon with six users who have different rights on different programs, and two doors. Out: for each call one of three
//! outcomes: it passed the gate (whatever came of it), a right was missing, or there is no such program as far as that user is concerned.
//! Root is needed, to be other users at the unix socket.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod audit;
mod client;
mod reread;

use std::collections::BTreeMap;

use client::{Call, Door, outcomes};
use provost_testkit::{Daemon, HEAD, Implementation};

/// What became of a call at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Denied,
    Hidden,
}

/// Somebody, and what the test believes about it.
struct User {
    name: &'static str,
    section: &'static str,
    uid: u32,
    allow: &'static [&'static str],
    /// Groups; each is visible as a whole.
    programs: &'static [&'static str],
}

const EVERYTHING: &[&str] =
    &["status", "start", "stop", "restart", "signal", "stdin", "logs", "clear", "config", "shutdown"];
const ALL_GROUPS: &[&str] = &["db", "job", "web"];

const USERS: &[User] = &[
    User { name: "ann", section: "role=viewer", uid: 2001, allow: &["status"], programs: ALL_GROUPS },
    User {
        name: "bob",
        section: "role=operator\nprograms=web:*",
        uid: 2002,
        allow: &["status", "start", "stop", "restart", "signal", "logs", "clear"],
        programs: &["web"],
    },
    User {
        name: "cat",
        section: "allow=status, restart\nprograms=job, d?",
        uid: 2003,
        allow: &["status", "restart"],
        programs: &["db", "job"],
    },
    User { name: "dan", section: "role=admin", uid: 2004, allow: EVERYTHING, programs: ALL_GROUPS },
    User {
        name: "eve",
        section: "role=viewer\nallow=logs",
        uid: 2005,
        allow: &["status", "logs"],
        programs: ALL_GROUPS,
    },
    User {
        name: "fay",
        section: "role=admin\nprograms=web",
        uid: 2006,
        allow: EVERYTHING,
        programs: &["web"],
    },
];

const PROGRAMS: &str = "[program:web]\ncommand=/bin/cat\nnumprocs=2\nprocess_name=web_%(process_num)s\nstartsecs=0\n\
    stopwaitsecs=5\n[program:job]\ncommand=/bin/cat\nstartsecs=0\n[program:db]\ncommand=/bin/cat\nstartsecs=0\n";

/// The daemon of all these tests, and the port of its inet door.
#[track_caller]
fn start() -> (Daemon, u16) {
    let port = provost_testkit::free_port();
    let users: String = USERS
        .iter()
        .map(|user| {
            let User { name, section, uid, .. } = user;
            format!("[user:{name}]\npassword={name}'s\nunix_user={uid}\n{section}\n")
        })
        .collect();
    let config = format!(
        "{HEAD}[user:gus]\nunix_group=2990\nallow=status,stop\n[unix_http_server:wide]\nfile={{dir}}/wide.sock\nchmod=0777\n[inet_http_server]\nport=127.0.0.1:{port}\n\
         {PROGRAMS}{users}"
    );
    (Daemon::start(&Implementation::ours(), &config), port)
}

/// One process of each group, by its namespec.
fn process_of(group: &str) -> &'static str {
    match group {
        "web" => "web:web_0",
        "job" => "job",
        _ => "db",
    }
}

/// Every call that concerns one program, with the right that it takes. What it does must not matter for the next ones.
fn calls_for(group: &str) -> Vec<(Call, &'static str)> {
    let name = process_of(group);
    let whole = format!("{group}:*");
    let pattern = format!("{group}:?*");
    let call = Call::new;
    vec![
        (call("supervisor.getProcessInfo", &[name]), "status"),
        (call("provost.getProcessHistory", &[name]), "status"),
        (call("supervisor.startProcess", &[name]).flag(false), "start"),
        (call("supervisor.startProcess", &[&whole]).flag(false), "start"),
        (call("supervisor.startProcessGroup", &[group]).flag(false), "start"),
        // It runs now, so nothing is removed.
        (call("supervisor.addProcessGroup", &[group]), "config"),
        (call("supervisor.removeProcessGroup", &[group]), "config"),
        // Nothing of it has changed.
        (call("provost.updateGroup", &[group]), "config"),
        (call("supervisor.signalProcess", &[name, "CONT"]), "signal"),
        (call("supervisor.signalProcess", &[&whole, "CONT"]), "signal"),
        (call("supervisor.signalProcessGroup", &[group, "CONT"]), "signal"),
        (call("provost.restartProcess", &[name]).flag(false), "restart"),
        (call("provost.restartProcess", &[&whole]).flag(false), "restart"),
        (Call::of_names("provost.startProcesses", &[name]).flag(false), "start"),
        (Call::of_names("provost.signalProcesses", &[name]).text("CONT"), "signal"),
        (Call::of_names("provost.restartProcesses", &[&whole]).flag(false), "restart"),
        (Call::of_names("provost.stopProcesses", &[&pattern]).flag(false), "stop"),
        (call("provost.waitForState", &[name]).array(&["RUNNING", "STOPPED"]).numbers(&[0]), "status"),
        (call("supervisor.stopProcess", &[name]).flag(false), "stop"),
        (call("supervisor.stopProcess", &[&whole]).flag(false), "stop"),
        (call("supervisor.stopProcessGroup", &[group]).flag(false), "stop"),
        (call("supervisor.readProcessStdoutLog", &[name]).numbers(&[0, 10]), "logs"),
        (call("supervisor.readProcessLog", &[name]).numbers(&[0, 10]), "logs"),
        (call("supervisor.readProcessStderrLog", &[name]).numbers(&[0, 10]), "logs"),
        (call("supervisor.tailProcessStdoutLog", &[name]).numbers(&[0, 10]), "logs"),
        (call("supervisor.tailProcessLog", &[name]).numbers(&[0, 10]), "logs"),
        (call("supervisor.tailProcessStderrLog", &[name]).numbers(&[0, 10]), "logs"),
        (call("supervisor.clearProcessLogs", &[name]), "clear"),
        (call("supervisor.clearProcessLog", &[name]), "clear"),
        (call("provost.rotateProcessLogs", &[name]), "clear"),
        (call("provost.reopenLogs", &[name]), "clear"),
    ]
}

/// Every call about all programs, or about none; `true` where it concerns the supervisor as a whole.
fn calls_for_all() -> Vec<(Call, Option<&'static str>, bool)> {
    let call = |method| Call::new(method, &[]);
    vec![
        (call("supervisor.getState"), None, false),
        (call("supervisor.getPID"), None, false),
        (call("supervisor.getIdentification"), None, false),
        (call("supervisor.getAPIVersion"), None, false),
        (call("supervisor.getSupervisorVersion"), None, false),
        (call("system.listMethods"), None, false),
        (call("supervisor.getAllProcessInfo"), Some("status"), false),
        (call("provost.getListeners"), Some("status"), false),
        (call("supervisor.getAllConfigInfo"), Some("config"), false),
        (call("supervisor.reloadConfig"), Some("config"), false),
        (call("provost.compareConfig"), Some("config"), false),
        (call("supervisor.startAllProcesses").flag(false), Some("start"), false),
        (Call::new("supervisor.signalAllProcesses", &["CONT"]), Some("signal"), false),
        (call("provost.restartAllProcesses").flag(false), Some("restart"), false),
        // To the end, or the next one would find something that stops.
        (call("supervisor.stopAllProcesses").flag(true), Some("stop"), false),
        (call("supervisor.clearAllProcessLogs"), Some("clear"), false),
        (call("provost.rotateAllLogs"), Some("clear"), false),
        (call("provost.reopenLogs"), Some("clear"), false),
        (call("supervisor.readLog").numbers(&[0, 10]), Some("logs"), true),
        (call("supervisor.readMainLog").numbers(&[0, 10]), Some("logs"), true),
        (call("supervisor.clearLog"), Some("clear"), true),
    ]
}

/// What the daemon itself would not survive; asked only of those who may not.
const FATAL: &[&str] = &["supervisor.shutdown", "supervisor.restart", "provost.upgrade"];

impl User {
    fn has(&self, right: &str) -> bool {
        self.allow.contains(&right)
    }

    fn is_limited(&self) -> bool {
        self.programs.len() < ALL_GROUPS.len()
    }

    fn expected(&self, right: &str, group: &str) -> Outcome {
        match (self.has(right), self.programs.contains(&group)) {
            (false, _) => Outcome::Denied,
            (true, false) => Outcome::Hidden,
            (true, true) => Outcome::Passed,
        }
    }
}

#[test]
fn every_user_does_by_every_door_what_it_may_and_nothing_else() {
    let (daemon, port) = start();
    let wide = daemon.sandbox().file("wide.sock");
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for user in USERS {
        let password = format!("{}'s", user.name);
        let doors = [
            Door::inet(port).with_password(user.name, &password),
            Door::unix(&wide).with_password(user.name, &password),
            Door::unix(&wide).of_uid(user.uid),
        ];
        let (calls, expected) = all_calls(user);
        for door in doors {
            let outcomes = outcomes(&door, &calls);
            for ((call, outcome), expected) in calls.iter().zip(outcomes).zip(&expected) {
                assert_eq!(outcome, *expected, "{} by {door:?}: {call:?}", user.name);
                *seen
                    .entry(match outcome {
                        Outcome::Passed => "passed",
                        Outcome::Denied => "denied",
                        Outcome::Hidden => "hidden",
                    })
                    .or_default() += 1;
            }
        }
    }
    // The table has no outcome that nobody meets.
    assert!(seen.len() == 3 && seen.values().all(|count| *count > 100), "{seen:?}");
}

fn all_calls(user: &User) -> (Vec<Call>, Vec<Outcome>) {
    let mut all = Vec::new();
    for group in ALL_GROUPS {
        all.extend(calls_for(group).into_iter().map(|(call, right)| (call, user.expected(right, group))));
    }
    for (call, right, whole) in calls_for_all() {
        let may = right.is_none_or(|right| user.has(right)) && !(whole && user.is_limited());
        all.push((call, if may { Outcome::Passed } else { Outcome::Denied }));
    }
    if !user.has("shutdown") || user.is_limited() {
        all.extend(FATAL.iter().map(|method| (Call::new(method, &[]), Outcome::Denied)));
    }
    all.into_iter().unzip()
}

#[test]
fn lists_show_what_their_reader_may_see() {
    let (_daemon, port) = start();
    for user in USERS {
        let door = Door::inet(port).with_password(user.name, &format!("{}'s", user.name));
        let shown = |method: &str| door.call(&Call::new(method, &[]));
        let infos = shown("supervisor.getAllProcessInfo");
        for group in ALL_GROUPS {
            let member = format!("<name>group</name>\n<value><string>{group}</string>");
            assert_eq!(infos.contains(&member), user.programs.contains(group), "{}: {infos}", user.name);
        }
        if user.has("config") {
            let configs = shown("supervisor.getAllConfigInfo");
            let groups =
                ALL_GROUPS.iter().filter(|group| configs.contains(&format!("<string>{group}</string>")));
            assert_eq!(groups.copied().collect::<Vec<_>>(), user.programs);
        }
        // Whoever may act on all acts on those it sees.
        if user.has("stop") {
            let stopped = door.call(&Call::new("supervisor.stopAllProcesses", &[]).flag(true));
            for group in ALL_GROUPS {
                let member = format!("<name>group</name>\n<value><string>{group}</string>");
                assert_eq!(
                    stopped.contains(&member),
                    user.programs.contains(group),
                    "{}: {stopped}",
                    user.name
                );
            }
            let all = Door::inet(port).with_password("dan", "dan's");
            all.call(&Call::new("supervisor.startAllProcesses", &[]).flag(true));
        }
    }
}

#[test]
fn live_logs_are_for_those_who_may_read_them() {
    let (_daemon, port) = start();
    for user in USERS {
        let door = Door::inet(port).with_password(user.name, &format!("{}'s", user.name));
        for group in ALL_GROUPS {
            let expected = match user.expected("logs", group) {
                Outcome::Passed => 200,
                Outcome::Denied => 403,
                Outcome::Hidden => 404,
            };
            for channel in ["", "/stdout", "/stderr"] {
                let path = format!("/logtail/{}{channel}", process_of(group));
                assert_eq!(door.status(&path), expected, "{} {path}", user.name);
            }
        }
        let main = if user.has("logs") && !user.is_limited() { 200 } else { 403 };
        assert_eq!(door.status("/mainlogtail"), main, "{}", user.name);
    }
}

#[test]
fn who_is_nobody_stays_outside() {
    let (daemon, port) = start();
    let wide = daemon.sandbox().file("wide.sock");
    let inet = Door::inet(port);
    for path in ["/RPC2", "/", "/logtail/job", "/mainlogtail", "/ok.html", "/nothing"] {
        for door in [inet.clone(), Door::unix(&wide).of_uid(2999)] {
            assert_eq!(door.status(path), 401, "{path} {door:?}");
        }
    }
    // Each of these costs its address time, so there are few.
    for door in [
        inet.clone().with_password("ann", "bob's"),
        inet.with_token("ann's"),
        Door::unix(&wide).of_uid(2999).with_password("dan", "wrong"),
    ] {
        assert_eq!(door.status("/RPC2"), 401, "{door:?}");
    }
    // Root, and whoever the daemon runs as, need no password at a socket file that has none of its own.
    assert!(Door::unix(&wide).call(&Call::new("supervisor.getState", &[])).contains("RUNNING"));
    // A group of the machine opens the door, too, and not only the first that a process has.
    let stop = Call::new("supervisor.stopProcess", &["job"]);
    let gus = Door::unix(&wide).of_member(2998, 2990);
    assert_eq!(
        outcomes(&gus, &[stop, Call::new("supervisor.clearLog", &[])]),
        [Outcome::Passed, Outcome::Denied]
    );
}
