//! What scripts in the wild do with supervisorctl's words: cut, grep and awk them, in a real shell.
//!
//! In: a daemon with programs in several states, and expressions as they stand in Puppet providers, container checks,
//! Fabric files and crontabs. Out: what each prints, and its exit status; the same for either client on either daemon.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use provost_testkit::{Daemon, HEAD, Implementation, replace_program};

const PROGRAMS: &str = "
[program:web]
command={child} ignore:USR1 'write:hello\\n' taken hello forever
startsecs=0

[program:web-2]
command={child} hello forever
startsecs=0

[program:off]
command={child} hello forever
autostart=false
startsecs=0

[program:ended]
command={child} exit:0
autorestart=false
startsecs=0

[program:broken]
command={child} exit:3
startsecs=3600
startretries=0

[program:pair]
command={child} hello:pair forever
process_name=%(program_name)s_%(process_num)02d
numprocs=2
startsecs=0
";

/// An expression, what it prints, and its status.
const EXPRESSIONS: &[(&str, &str, i32)] = &[
    // Puppet providers.
    ("supervisorctl status web | awk '{print $2}' | grep -i running", "RUNNING\n", 0),
    ("supervisorctl status off | awk '{print $2}' | grep -i running", "", 1),
    ("supervisorctl status | awk '/^web /{print $2}' | grep '^RUNNING$'", "RUNNING\n", 0),
    ("supervisorctl status | awk '/^pair:pair_00/{print $2}' | grep '^RUNNING$'", "RUNNING\n", 0),
    ("supervisorctl status | grep -qE '^pair[: ]' && echo there", "there\n", 0),
    ("supervisorctl status | grep -qE '^we[: ]' || echo missing", "missing\n", 0),
    (
        "supervisorctl status | awk '{print $1}' | xargs",
        "broken ended off pair:pair_00 pair:pair_01 web web-2\n",
        0,
    ),
    ("supervisorctl reread", "No config updates to processes\n", 0),
    ("supervisorctl update", "", 0),
    ("supervisorctl restart web 2>&1", "web: stopped\nweb: started\n", 0),
    // The pid, as a field and by a pattern.
    (
        "[ \"$(supervisorctl status web | awk '{print $4}' | grep -o '[0-9]\\+')\" = $(supervisorctl pid web) ]",
        "",
        0,
    ),
    (
        "[ \"$(supervisorctl status web | grep -oP 'RUNNING(?:\\s+)pid\\s\\K(\\d+)')\" = $(supervisorctl pid web) ]",
        "",
        0,
    ),
    (
        "supervisorctl status web | sed -E 's/.*pid ([0-9]+),.*/\\1/' | grep -qx \"$(supervisorctl pid web)\"",
        "",
        0,
    ),
    ("supervisorctl pid web | xargs kill -0", "", 0),
    ("supervisorctl pid pair:pair_01 | xargs kill -0", "", 0),
    ("supervisorctl pid off", "0\n", 7),
    ("supervisorctl pid nobody", "No such process nobody\n", 1),
    ("kill -0 $(supervisorctl pid)", "", 0),
    // How long it has been up, and since when it is not.
    ("supervisorctl status web | awk '{print $6}' | grep -cE '^[0-9]+:[0-9]{2}:[0-9]{2}$'", "1\n", 0),
    ("supervisorctl status ended | awk '{print NF}'", "6\n", 0),
    (
        "supervisorctl status ended | grep -cE 'EXITED +[A-Z][a-z]{2} [0-9]{2} [0-9]{2}:[0-9]{2} [AP]M$'",
        "1\n",
        0,
    ),
    ("supervisorctl status off | tr -s ' ' | cut -d' ' -f3-", "Not started\n", 0),
    (
        "supervisorctl status broken | tr -s ' ' | cut -d' ' -f3-",
        "Exited too quickly (process log may have details)\n",
        0,
    ),
    // What is down.
    ("supervisorctl status | grep -cP '(EXITED|STOPPED|FATAL)'", "3\n", 0),
    (
        "supervisorctl status | grep -v RUNNING | awk '{print $1\":\"$2}'",
        "broken:FATAL\nended:EXITED\noff:STOPPED\n",
        0,
    ),
    ("supervisorctl status | awk '$2 != \"RUNNING\" {bad=1} END {exit bad}'", "", 1),
    (
        "supervisorctl status | awk '{print $2}' | sort | uniq -c | awk '{print $1, $2}'",
        "1 EXITED\n1 FATAL\n4 RUNNING\n1 STOPPED\n",
        0,
    ),
    // Checks of containers.
    ("test 'RUNNING' = \"$(supervisorctl status web web-2 | awk '{print $2}' | sort -u)\"", "", 0),
    ("test 'RUNNING' = \"$(supervisorctl status web off | awk '{print $2}' | sort -u)\"", "", 1),
    ("supervisorctl status web > /dev/null", "", 0),
    ("supervisorctl status > /dev/null", "", 3),
    ("supervisorctl status nobody", "nobody: ERROR (no such process)\n", 4),
    ("supervisorctl status web nobody | tail -1 | cut -c1-4", "web \n", 0),
    ("supervisorctl status pair:* | wc -l | tr -d ' '", "2\n", 0),
    ("if supervisorctl status web | grep -q RUNNING; then echo up; else echo down; fi", "up\n", 0),
    ("supervisorctl -c /nowhere.conf status > /dev/null 2>&1", "", 2),
    ("supervisorctl -s unix:///nowhere.sock status", "unix:///nowhere.sock no such file\n", 4),
    ("supervisorctl status 2>/dev/null | head -1 | cut -d' ' -f1", "broken\n", 0),
    (
        "set -o pipefail; supervisorctl status | while read -r name state rest; do echo \"$name=$state\"; done | tail -1",
        "web-2=RUNNING\n",
        3,
    ),
    // Other verbs.
    (
        "supervisorctl avail | cut -d' ' -f1 | sort | xargs",
        "broken ended off pair:pair_00 pair:pair_01 web web-2\n",
        0,
    ),
    ("supervisorctl avail | grep -c 'in use'", "7\n", 0),
    ("supervisorctl avail | awk '$4 == \"manual\" {print $1}'", "off\n", 0),
    ("supervisorctl version | grep -cE '^[0-9]+\\.[0-9]+'", "1\n", 0),
    ("supervisorctl 'signal USR1' web", "web: signalled\n", 0),
    ("supervisorctl start web | grep -q 'already started' && echo fine", "fine\n", 0),
    ("supervisorctl start web", "web: ERROR (already started)\n", 0),
    ("supervisorctl stop off", "off: ERROR (not running)\n", 0),
    ("supervisorctl start off && supervisorctl stop off", "off: started\noff: stopped\n", 0),
    ("supervisorctl stop pair:* | sort", "pair:pair_00: stopped\npair:pair_01: stopped\n", 0),
    ("supervisorctl start pair: | sort", "pair:pair_00: started\npair:pair_01: started\n", 0),
    ("supervisorctl tail web | tail -2 | head -1", "hello\n", 0),
    ("supervisorctl tail -3 web stdout", "lo\n\n", 0),
    ("echo 'pid off' | supervisorctl | sed -n 's/^supervisor> //p' | head -1", "0\n", 0),
    ("printf 'status web\\nquit\\n' | supervisorctl | grep -c '^supervisor> web  *RUNNING'", "1\n", 0),
    ("supervisorctl <<< 'status off' | grep -c '^off .*STOPPED'", "1\n", 0),
    ("supervisorctl status | LC_ALL=C sort -b -k2,2 -k1,1 | awk 'NR==1{print $1}'", "ended\n", 0),
];

/// Puts a supervisorctl into the sandbox that knows its configuration, as an installed one does.
fn install(daemon: &Daemon, implementation: &Implementation) -> String {
    let bin = daemon.sandbox().file("bin");
    std::fs::create_dir(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in -c|-s) exec {ctl} \"$@\";; esac\nexec {ctl} -c {conf} \"$@\"\n",
        ctl = implementation.supervisorctl[0].display(),
        conf = daemon.sandbox().file("supervisord.conf").display()
    );
    let text = bin.join("text");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(&text).unwrap();
    file.write_all(script.as_bytes()).unwrap();
    replace_program(&text, &bin.join("supervisorctl"));
    bin.to_str().unwrap().to_owned()
}

#[test]
fn scripts_in_the_wild_find_what_they_look_for() {
    std::thread::scope(|scope| {
        for pair in super::pairs() {
            scope.spawn(move || evaluate(&pair));
        }
    });
}

#[track_caller]
fn evaluate(pair: &Implementation) {
    let mut daemon = Daemon::start(pair, &format!("{HEAD}{PROGRAMS}"));
    daemon.log().wait_for_all(&[
        "success: web entered",
        "success: web-2 entered",
        "success: pair_00 entered",
        "success: pair_01 entered",
        "exited: ended",
        "gave up: broken",
    ]);
    let bin = install(&daemon, pair);
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let mut differs = String::new();
    for (expression, printed, status) in EXPRESSIONS {
        let output = Command::new("bash")
            .args(["-c", expression])
            .env("PATH", &path)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .expect("there is a bash");
        let said = String::from_utf8_lossy(&output.stdout);
        if said != *printed || output.status.code() != Some(*status) {
            let errors = String::from_utf8_lossy(&output.stderr);
            differs.push_str(&format!("{expression}\n  {said:?} {errors:?}, {}\n", output.status));
        }
    }
    let ctl = pair.supervisorctl[0].display();
    assert!(differs.is_empty(), "{ctl} on {}: not as expected:\n{differs}", pair.name);
}
