//! Programs that end by themselves once they run: expected or not, restarted or not. In: nothing. Out: rows.
//!
//! Where `startsecs` is 0, 4.3.0 writes that a program stayed up if it looks before the program has ended, and not if
//! it looks later; the events are the same.

use provost_testkit::Signal;

use super::scenario::Step::{Ctl, Hello, In, Log, Signal as Send};
use super::scenario::{ROW, STAYED_UP, Scenario};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "ends at once with startsecs=0, expected",
        config: "
[program:x]
command={child} exit:0
startsecs=0
autorestart=false
",
        steps: &[In("EXITED", "x"), Log("exited: x"), Ctl("stop x"), Ctl("pid x")],
        unsettled: &[STAYED_UP],
        ..ROW
    },
    Scenario {
        name: "ends at once with startsecs=0, with another code",
        config: "
[program:x]
command={child} exit:3
startsecs=0
autorestart=false
",
        steps: &[In("EXITED", "x"), Log("exited: x")],
        unsettled: &[STAYED_UP],
        ..ROW
    },
    Scenario {
        name: "ends at once with startsecs=0, by a signal",
        config: "
[program:x]
command={child} raise:KILL
startsecs=0
autorestart=false
",
        steps: &[In("EXITED", "x"), Log("exited: x")],
        unsettled: &[STAYED_UP],
        ..ROW
    },
    Scenario {
        name: "ends at once with a code that exitcodes names",
        config: "
[program:x]
command={child} exit:3
startsecs=0
exitcodes=2,3
",
        steps: &[In("EXITED", "x"), Log("exited: x")],
        unsettled: &[STAYED_UP],
        ..ROW
    },
    Scenario {
        name: "ends some seconds later",
        config: "
[program:x]
command={child} after:4s exit:0
",
        steps: &[In("EXITED", "x"), Log("exited: x"), Ctl("stop x")],
        ..ROW
    },
    Scenario {
        name: "autorestart=unexpected, expected end",
        config: "
[program:x]
command={child} on:USR1:exit:0 hello forever

[program:later]
command=/bin/cat
autostart=false
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR1),
            In("EXITED", "x"),
            // Time enough to see that it does not come back.
            Ctl("start later"),
        ],
        ..ROW
    },
    Scenario {
        name: "autorestart=unexpected, unexpected end",
        config: "
[program:x]
command={child} on:USR1:exit:3 hello forever
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR1),
            In("EXITED", "x"),
            In("RUNNING", "x"),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "autorestart=unexpected, ended by a signal twice",
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
            Send("x", Signal::TERM),
            In("EXITED", "x"),
            In("RUNNING", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "autorestart=true, expected end",
        config: "
[program:x]
command={child} on:USR1:exit:0 hello forever
autorestart=true
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR1),
            In("EXITED", "x"),
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR1),
            In("EXITED", "x"),
            In("RUNNING", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "autorestart=true, unexpected end",
        config: "
[program:x]
command={child} on:USR1:exit:9 hello forever
autorestart=true
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR1),
            In("EXITED", "x"),
            In("RUNNING", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "autorestart=false, unexpected end",
        config: "
[program:x]
command={child} hello forever
autorestart=false

[program:later]
command=/bin/cat
autostart=false
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::KILL),
            In("EXITED", "x"),
            Ctl("start later"),
            Ctl("pid x"),
        ],
        ..ROW
    },
    Scenario {
        name: "exitcodes without zero",
        config: "
[program:x]
command={child} on:USR1:exit:0 on:USR2:exit:4 hello forever
exitcodes=3,4
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR1),
            In("EXITED", "x"),
            Hello("x"),
            In("RUNNING", "x"),
            Send("x", Signal::USR2),
            In("EXITED", "x"),
            Log("exited: x (exit status 4; expected)"),
            Ctl("pid x"),
        ],
        ..ROW
    },
    Scenario {
        name: "ends at once three times with startsecs=0, then stays",
        config: "
[program:x]
command=/bin/sh -c 'echo >>{dir}/runs; [ $(wc -l <{dir}/runs) -gt 3 ] && exec {child} hello forever; exit 1'
startsecs=0
",
        steps: &[Hello("x"), In("EXITED", "x"), In("EXITED", "x"), In("EXITED", "x"), In("RUNNING", "x")],
        unsettled: &[STAYED_UP],
        ..ROW
    },
    Scenario {
        name: "ended by a signal sent with supervisorctl",
        config: "
[program:x]
command={child} hello forever
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Ctl("signal KILL x"),
            In("EXITED", "x"),
            In("RUNNING", "x"),
            Ctl("status"),
        ],
        ..ROW
    },
];
