//! What programs are given at birth does not change how they live: environment, directory, umask, user, log files,
//! and being an event listener. In: nothing. Out: rows.

use super::scenario::Step::{Ctl, Hello, In, Output, Text};
use super::scenario::{Place, ROW, Scenario};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "environment, directory and umask",
        config: "
[program:x]
command={child} cwd umask dump-env hello forever
directory=/usr
umask=027
environment=A=\"one\",B=\"%(program_name)s\"
stdout_logfile={dir}/x.log
",
        steps: &[Hello("x"), In("RUNNING", "x"), Ctl("restart x"), Ctl("stop x"), Text("x.log")],
        ..ROW
    },
    Scenario {
        name: "log files that are made by themselves",
        config: "
[program:x]
command={child} say:one esay:two hello forever
",
        steps: &[Hello("x"), In("RUNNING", "x"), Ctl("restart x"), Ctl("tail x"), Ctl("tail x stderr")],
        ..ROW
    },
    Scenario {
        name: "no log files, and both channels in one",
        config: "
[program:x]
command={child} say:one esay:two hello forever
stdout_logfile=NONE
redirect_stderr=true
",
        steps: &[Hello("x"), In("RUNNING", "x"), Ctl("restart x")],
        ..ROW
    },
    Scenario {
        name: "another user",
        config: "
[program:x]
command=/bin/sh -c 'id -un && exec sleep 1000'
user=nobody
redirect_stderr=true
stdout_logfile={dir}/x.log
",
        steps: &[
            In("RUNNING", "x"),
            Output("x.log", "nobody"),
            Ctl("restart x"),
            Ctl("stop x"),
            Text("x.log"),
        ],
        place: Place::AsRoot,
        ..ROW
    },
    Scenario {
        name: "a signal to the program of another user",
        config: "
[program:x]
command=/bin/sleep 1000
user=nobody
autorestart=true
",
        steps: &[In("RUNNING", "x"), Ctl("signal KILL x"), In("EXITED", "x"), In("RUNNING", "x")],
        place: Place::AsRoot,
        ..ROW
    },
    Scenario {
        name: "an event listener starts first and ends last",
        config: "
[eventlistener:ear]
command={child} hello forever
events=TICK_3600

[program:x]
command=/bin/cat
",
        steps: &[Hello("ear"), In("RUNNING", "ear"), In("RUNNING", "x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "an event listener is stopped, started and restarted",
        config: "
[eventlistener:ear]
command={child} hello forever
events=TICK_3600
",
        steps: &[Hello("ear"), In("RUNNING", "ear"), Ctl("stop ear"), Ctl("start ear"), Ctl("restart ear")],
        ..ROW
    },
    Scenario {
        name: "an event listener that cannot stay",
        config: "
[eventlistener:ear]
command={child} exit:1
events=TICK_3600
startsecs=5
startretries=1
",
        steps: &[In("FATAL", "ear"), Ctl("status")],
        ..ROW
    },
];
