//! Stops from every state: obeyed, ignored, repeated, and signals that are none. In: nothing. Out: rows.
//!
//! With `stopwaitsecs=1` 4.3.0 may kill twice, because it can take a second to notice the end; two are enough.

use provost_testkit::Signal;

use super::scenario::Step::{Ctl, Gone, Hello, In, Log, Output, Signal as Send, StopUnwaited};
use super::scenario::{ROW, Scenario};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "a stop of one that runs",
        config: "
[program:x]
command={child} on:TERM:exit:0 hello forever
",
        steps: &[Hello("x"), In("RUNNING", "x"), Ctl("stop x"), Ctl("stop x"), Ctl("pid x")],
        ..ROW
    },
    Scenario {
        name: "a stop of one that is starting",
        config: "
[program:x]
command={child} on:TERM:exit:5 hello forever
startsecs=20
",
        steps: &[Hello("x"), Ctl("stop x"), Ctl("pid x")],
        ..ROW
    },
    Scenario {
        name: "a stop of one that was never started",
        config: "
[program:x]
command=/bin/cat
autostart=false
",
        steps: &[Ctl("stop x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "a stopped one stays down, whatever autorestart says",
        config: "
[program:x]
command={child} on:TERM:exit:3 hello forever
autorestart=true

[program:later]
command=/bin/cat
autostart=false
",
        steps: &[Hello("x"), In("RUNNING", "x"), Ctl("stop x"), Ctl("start later"), Ctl("pid x")],
        ..ROW
    },
    Scenario {
        name: "a deaf one is killed after stopwaitsecs=2",
        config: "
[program:x]
command={child} ignore:TERM hello forever
stopwaitsecs=2
startsecs=0
",
        steps: &[Hello("x"), In("RUNNING", "x"), Ctl("stop x")],
        ..ROW
    },
    Scenario {
        name: "a deaf one is killed after stopwaitsecs=3",
        config: "
[program:x]
command={child} ignore:TERM hello forever
stopwaitsecs=3
startsecs=0
",
        steps: &[Hello("x"), In("RUNNING", "x"), Ctl("stop x")],
        ..ROW
    },
    Scenario {
        name: "stopwaitsecs=0",
        config: "
[program:x]
command={child} ignore:TERM hello forever
stopwaitsecs=0
startsecs=0
",
        steps: &[Hello("x"), In("RUNNING", "x"), Ctl("stop x")],
        unsettled: &[("killing 'x'", "4.3.0 kills it once more if it looks again before it is gone")],
        ..ROW
    },
    Scenario {
        name: "one that stands still is killed",
        config: "
[program:x]
command={child} hello forever
stopwaitsecs=2
",
        steps: &[Hello("x"), In("RUNNING", "x"), Send("x", Signal::STOP), Ctl("stop x"), Ctl("pid x")],
        ..ROW
    },
    Scenario {
        name: "each stop signal",
        config: "
[program:hup]
command={child} on:HUP:exit:1 hello forever
stopsignal=HUP
startsecs=0

[program:int]
command={child} on:INT:exit:2 hello forever
stopsignal=INT
startsecs=0

[program:kill]
command={child} hello forever
stopsignal=KILL
startsecs=0

[program:quit]
command={child} on:QUIT:exit:3 hello forever
stopsignal=QUIT
startsecs=0

[program:term]
command={child} on:TERM:exit:0 hello forever
stopsignal=TERM
startsecs=0

[program:usr1]
command={child} on:USR1:exit:5 hello forever
stopsignal=USR1
startsecs=0

[program:usr2]
command={child} on:USR2:exit:6 hello forever
stopsignal=SIGUSR2
startsecs=0
",
        steps: &[
            Hello("hup"),
            Hello("int"),
            Hello("kill"),
            Hello("quit"),
            Hello("term"),
            Hello("usr1"),
            Hello("usr2"),
            In("RUNNING", "usr2"),
            Ctl("stop hup int kill quit term usr1 usr2"),
        ],
        ..ROW
    },
    Scenario {
        name: "stopasgroup",
        config: "
[program:x]
command={child} fork-grandchild hello forever
stopasgroup=true
",
        steps: &[Hello("x"), Hello("grandchild"), In("RUNNING", "x"), Ctl("stop x"), Gone("grandchild")],
        ..ROW
    },
    Scenario {
        name: "killasgroup",
        config: "
[program:x]
command={child} ignore:TERM fork-grandchild hello forever
killasgroup=true
stopwaitsecs=2
",
        steps: &[Hello("x"), Hello("grandchild"), In("RUNNING", "x"), Ctl("stop x"), Gone("grandchild")],
        ..ROW
    },
    Scenario {
        name: "signals that change nothing",
        config: "
[program:x]
command={child} on:USR1:say:heard hello forever
stdout_logfile={dir}/x.log
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Ctl("signal USR1 x"),
            Output("x.log", "heard"),
            Ctl("signal USR1 all"),
            Output("x.log", "heard"),
            Ctl("signal NONSENSE x"),
            Ctl("stop x"),
            Ctl("signal USR1 x"),
        ],
        ..ROW
    },
    Scenario {
        name: "a second stop, a start and a signal while it is stopping",
        config: "
[program:x]
command={child} ignore:TERM on:USR1:say:heard hello forever
stdout_logfile={dir}/x.log
stopwaitsecs=25
startsecs=0
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            StopUnwaited("x"),
            In("STOPPING", "x"),
            Ctl("stop x"),
            Ctl("status"),
            Ctl("signal USR1 x"),
            Output("x.log", "heard"),
            Send("x", Signal::KILL),
            In("STOPPED", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "a start while it is stopping",
        config: "
[program:x]
command={child} ignore:TERM hello forever
stopwaitsecs=25
startsecs=0
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            StopUnwaited("x"),
            In("STOPPING", "x"),
            Ctl("start x"),
            Send("x", Signal::KILL),
            In("STOPPED", "x"),
        ],
        unsettled: &[("'x' already running", "4.3.0 warns and answers like ours; the answer tells it all")],
        ..ROW
    },
    Scenario {
        name: "ends with a signal of its own while it is stopping",
        config: "
[program:x]
command={child} ignore:TERM on:USR1:exit:7 hello forever
startsecs=0
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            StopUnwaited("x"),
            In("STOPPING", "x"),
            Send("x", Signal::USR1),
            In("STOPPED", "x"),
            Log("stopped: x (exit status 7)"),
        ],
        ..ROW
    },
    Scenario {
        name: "a stop of one that was killed and restarted meanwhile",
        config: "
[program:x]
command={child} hello forever
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::KILL),
            In("EXITED", "x"),
            Hello("x"),
            In("RUNNING", "x"),
            Ctl("stop x"),
        ],
        ..ROW
    },
];
