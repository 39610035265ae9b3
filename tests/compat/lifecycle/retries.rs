//! Attempts that fail: back-off, what follows it, and starts and stops in between. In: nothing. Out: rows.
//!
//! A program that is to fail ends at once, with a `startsecs` so long that 4.3.0 is sure to notice it in time.

use provost_testkit::Signal;

use super::scenario::Step::{Ctl, Hello, In, Log, Signal as Send, StopUnwaited};
use super::scenario::{ROW, Scenario};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "startretries=0",
        config: "
[program:x]
command={child} exit:2
startsecs=5
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "startretries=-2",
        config: "
[program:x]
command={child} exit:2
startsecs=5
startretries=-2
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "startretries=1",
        config: "
[program:x]
command={child} exit:0
startsecs=5
startretries=1
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "startretries=2, ended by a signal",
        config: "
[program:x]
command={child} raise:TERM
startsecs=5
startretries=2
",
        steps: &[In("FATAL", "x"), Log("gave up: x")],
        ..ROW
    },
    Scenario {
        name: "startretries by default",
        config: "
[program:x]
command={child} exit:1
startsecs=5
",
        steps: &[In("FATAL", "x"), Log("gave up: x")],
        ..ROW
    },
    Scenario {
        name: "ends in the middle of startsecs",
        config: "
[program:x]
command={child} after:2s exit:0
startsecs=6
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x")],
        ..ROW
    },
    Scenario {
        name: "stays at the third attempt, and failures count anew after that",
        config: "
[program:x]
command=/bin/sh -c 'echo >>{dir}/runs; [ $(wc -l <{dir}/runs) -gt 2 ] && exec {child} on:USR1:exit:3 hello forever; exit 1'
startsecs=3
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR1),
            In("EXITED", "x"),
            In("STARTING", "x"),
            In("RUNNING", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "a start of one in back-off",
        config: "
[program:x]
command={child} exit:1
startsecs=5
startretries=10
",
        // The fifth wait is five seconds long: time enough to ask, and to end.
        steps: &[
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            Ctl("start x"),
        ],
        ..ROW
    },
    Scenario {
        name: "a stop of one in back-off",
        config: "
[program:x]
command={child} exit:1
startsecs=5
startretries=10
",
        steps: &[
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            Ctl("stop x"),
            Ctl("stop x"),
        ],
        ..ROW
    },
    Scenario {
        name: "a start after a stop during back-off",
        config: "
[program:x]
command=/bin/sh -c 'echo >>{dir}/runs; [ $(wc -l <{dir}/runs) -gt 3 ] && exec {child} hello forever; exit 1'
startsecs=3
startretries=10
",
        steps: &[In("BACKOFF", "x"), In("BACKOFF", "x"), In("BACKOFF", "x"), StopUnwaited("x"), In("STOPPED", "x"), Ctl("start x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "a start of one that was given up",
        config: "
[program:x]
command=/bin/sh -c 'echo >>{dir}/runs; [ $(wc -l <{dir}/runs) -gt 2 ] && exec {child} hello forever; exit 1'
startsecs=3
startretries=1
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("start x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "a stop of one that was given up",
        config: "
[program:x]
command={child} exit:1
startsecs=5
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("stop x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "a start by hand that fails and is not retried",
        config: "
[program:x]
command={child} exit:1
autostart=false
startsecs=5
startretries=0
",
        steps: &[Ctl("start x"), In("FATAL", "x"), Log("gave up: x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "removed while it is given up",
        config: "
[program:x]
command={child} exit:1
startsecs=5
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("remove x"), Ctl("status")],
        ..ROW
    },
];
