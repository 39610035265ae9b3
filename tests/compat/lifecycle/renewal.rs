//! The daemon starts afresh under the same pid, or only opens its logs again. In: nothing. Out: rows.

use provost_testkit::Signal;

use super::scenario::Step::{AllIn, Config, Ctl, Daemon, End, Hello, In, Log, Told};
use super::scenario::{REPORTS, ROW, Scenario};

const STOPPING: &str = "SUPERVISOR_STATE_CHANGE_STOPPING";
const RUNNING: &str = "SUPERVISOR_STATE_CHANGE_RUNNING";

const CAT: &str = "
[program:x]
command=/bin/cat
";

const DEAF: &str = "
[program:x]
command={child} ignore:TERM hello forever
stopwaitsecs=4
startsecs=0
";

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "SIGHUP",
        config: CAT,
        steps: &[In("RUNNING", "x"), Daemon(Signal::HUP), Told(STOPPING), Told(RUNNING), In("RUNNING", "x")],
        ..ROW
    },
    Scenario {
        name: "reload with supervisorctl",
        config: CAT,
        steps: &[
            In("RUNNING", "x"),
            Ctl("reload"),
            Told(STOPPING),
            Told(RUNNING),
            In("RUNNING", "x"),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "SIGHUP twice in a row",
        config: CAT,
        steps: &[
            In("RUNNING", "x"),
            Daemon(Signal::HUP),
            Told(STOPPING),
            Told(RUNNING),
            In("RUNNING", "x"),
            Daemon(Signal::HUP),
            Told(STOPPING),
            Told(RUNNING),
            In("RUNNING", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "SIGHUP with another configuration",
        config: CAT,
        steps: &[
            In("RUNNING", "x"),
            Config(
                "
[program:y]
command=/bin/cat
priority=1

[program:z]
command=/bin/cat
priority=2
",
            ),
            Daemon(Signal::HUP),
            Told(STOPPING),
            Told(RUNNING),
            AllIn("RUNNING", &["y", "z"]),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "SIGHUP starts again what was stopped by hand",
        config: CAT,
        steps: &[
            In("RUNNING", "x"),
            Ctl("stop x"),
            Daemon(Signal::HUP),
            Told(STOPPING),
            Told(RUNNING),
            In("RUNNING", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "SIGHUP in the middle of back-off counts attempts anew",
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
            Daemon(Signal::HUP),
            Told(STOPPING),
            Told(RUNNING),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "SIGHUP while it is starting",
        config: "
[program:x]
command={child} hello forever
startsecs=6
",
        steps: &[Hello("x"), Daemon(Signal::HUP), Told(STOPPING), Told(RUNNING), Hello("x")],
        ..ROW
    },
    Scenario {
        name: "SIGTERM turns a restart into an end",
        config: DEAF,
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Daemon(Signal::HUP),
            In("STOPPING", "x"),
            Daemon(Signal::TERM),
            Log("received SIGTERM"),
            End,
        ],
        unsettled: &[REPORTS],
        ..ROW
    },
    Scenario {
        name: "SIGHUP while a restart is under way",
        config: DEAF,
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Daemon(Signal::HUP),
            In("STOPPING", "x"),
            Daemon(Signal::HUP),
            Log("received SIGHUP"),
            Told(RUNNING),
            Hello("x"),
            In("RUNNING", "x"),
        ],
        unsettled: &[REPORTS],
        ..ROW
    },
    Scenario {
        name: "SIGUSR2 opens logs again and changes nothing else",
        config: CAT,
        steps: &[In("RUNNING", "x"), Daemon(Signal::USR2), Log("logreopen"), Ctl("status")],
        ..ROW
    },
];
