//! From STOPPED to RUNNING, by itself and by hand, and starts of what is started already. In: nothing. Out: rows.

use provost_testkit::Signal;

use super::scenario::Step::{Ctl, Hello, In, Signal as Send};
use super::scenario::{ROW, Scenario};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "startsecs by default",
        config: "
[program:x]
command=/bin/cat
",
        steps: &[In("RUNNING", "x")],
        ..ROW
    },
    Scenario {
        name: "startsecs=0",
        config: "
[program:x]
command=/bin/cat
startsecs=0
",
        steps: &[In("RUNNING", "x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "startsecs=2",
        config: "
[program:x]
command=/bin/cat
startsecs=2
",
        steps: &[In("RUNNING", "x")],
        ..ROW
    },
    Scenario {
        name: "negative startsecs",
        config: "
[program:x]
command=/bin/cat
startsecs=-1
",
        steps: &[In("RUNNING", "x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "started by hand, never before",
        config: "
[program:x]
command=/bin/cat
autostart=false
",
        steps: &[Ctl("status"), Ctl("start x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "started by hand with startsecs=0",
        config: "
[program:x]
command=/bin/cat
autostart=false
startsecs=0
",
        steps: &[Ctl("start x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "a start of one that runs",
        config: "
[program:x]
command=/bin/cat
",
        steps: &[In("RUNNING", "x"), Ctl("start x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "a start of one that is starting",
        config: "
[program:x]
command={child} hello forever
startsecs=8
",
        steps: &[Hello("x"), Ctl("start x"), In("RUNNING", "x")],
        ..ROW
    },
    Scenario {
        name: "a start after a stop",
        config: "
[program:x]
command=/bin/cat
",
        steps: &[In("RUNNING", "x"), Ctl("stop x"), Ctl("start x"), Ctl("stop x"), Ctl("start x")],
        ..ROW
    },
    Scenario {
        name: "a start after an end",
        config: "
[program:x]
command={child} on:USR1:exit:0 hello forever
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR1),
            In("EXITED", "x"),
            Ctl("start x"),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "a start of something that nobody has configured",
        config: "
[program:x]
command=/bin/cat
",
        steps: &[In("RUNNING", "x"), Ctl("start y"), Ctl("start y:x")],
        ..ROW
    },
    Scenario {
        name: "restarted by hand",
        config: "
[program:x]
command=/bin/cat
",
        steps: &[In("RUNNING", "x"), Ctl("restart x"), Ctl("restart x")],
        ..ROW
    },
    Scenario {
        name: "restarted by hand though it does not run",
        config: "
[program:x]
command=/bin/cat
autostart=false
",
        steps: &[Ctl("restart x"), Ctl("status")],
        ..ROW
    },
];
