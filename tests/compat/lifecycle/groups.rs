//! Several processes: how many, in which order, and all of them at once. In: nothing. Out: rows.
//!
//! Most of these programs are deaf and end by SIGKILL a second after the stop: 4.3.0 collects the dead between two
//! stops if there are any yet, so the order of what ends at once is nobody's. Shutdown has an order of its own, which
//! `shutdown.rs` shows.

use super::scenario::Step::{AllIn, Ctl, In, Log};
use super::scenario::{Order, REPORTS, ROW, Scenario};

const WORKERS: &str = "
[program:worker]
command={child} ignore:TERM hello forever
stopwaitsecs=1
process_name=%(program_name)s_%(process_num)02d
numprocs=3
numprocs_start=9
";

/// Those whose time is over in the same tick are killed in the order of their group by 4.3.0, and in the order of their
/// stops by us.
const KILLED: (&str, &str) =
    ("WARN killing '", "4.3.0 goes through a group in its order, whoever was stopped first");

/// `front` is listed first and has the higher priority.
const WEB: &str = "
[group:web]
programs=front,back
priority=5

[program:front]
command={child} ignore:TERM hello forever
stopwaitsecs=1
priority=20

[program:back]
command={child} ignore:TERM hello forever
stopwaitsecs=1
priority=10
";

const THREE: &str = "
[program:a]
command={child} ignore:TERM hello forever
stopwaitsecs=1
priority=2

[program:b]
command={child} ignore:TERM hello forever
stopwaitsecs=1
priority=3

[program:c]
command={child} ignore:TERM hello forever
stopwaitsecs=1
priority=1
";

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "numprocs and numprocs_start",
        config: WORKERS,
        steps: &[AllIn("RUNNING", &["worker_09", "worker_10", "worker_11"]), Ctl("status")],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "one of several is stopped, then all are started",
        config: WORKERS,
        steps: &[
            AllIn("RUNNING", &["worker_09", "worker_10", "worker_11"]),
            Ctl("stop worker:worker_10"),
            Ctl("start worker:*"),
            Ctl("status worker:*"),
        ],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "several are stopped, started and restarted together",
        config: WORKERS,
        steps: &[
            AllIn("RUNNING", &["worker_09", "worker_10", "worker_11"]),
            Ctl("stop worker:*"),
            Ctl("start worker:*"),
            Ctl("restart worker:*"),
        ],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "a group starts by itself in the order of its list",
        config: WEB,
        steps: &[AllIn("RUNNING", &["front", "back"])],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "a group is stopped and started by priority",
        config: WEB,
        steps: &[
            AllIn("RUNNING", &["front", "back"]),
            Ctl("stop web:*"),
            Ctl("start web:*"),
            Ctl("status web:*"),
        ],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "a member of a group goes its own way",
        config: WEB,
        steps: &[
            AllIn("RUNNING", &["front", "back"]),
            Ctl("stop web:front"),
            Ctl("start front"),
            Ctl("restart web:back"),
            Ctl("start web:front"),
        ],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "programs start in the order of their priorities",
        config: THREE,
        steps: &[AllIn("RUNNING", &["a", "b", "c"]), Ctl("status")],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "all are stopped and started",
        config: THREE,
        steps: &[AllIn("RUNNING", &["a", "b", "c"]), Ctl("stop all"), Ctl("start all")],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "all are restarted",
        config: THREE,
        steps: &[AllIn("RUNNING", &["a", "b", "c"]), Ctl("restart all")],
        unsettled: &[KILLED, REPORTS],
        ..ROW
    },
    Scenario {
        name: "stop all and start all where some are stopped and one is given up",
        config: "
[program:a]
command=/bin/cat
priority=1

[program:b]
command=/bin/cat
autostart=false
priority=2

[program:c]
command={dir}/absent
startretries=0
priority=3
",
        steps: &[Log("gave up: c"), In("RUNNING", "a"), Ctl("stop all"), Ctl("start all"), Ctl("status")],
        order: Order::Each,
        ..ROW
    },
    Scenario {
        name: "a program in two groups",
        config: "
[group:left]
programs=x
priority=1

[group:right]
programs=x
priority=2

[program:x]
command=/bin/cat
",
        steps: &[In("RUNNING", "x"), In("RUNNING", "x"), Ctl("stop left:x"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "two that have nothing to do with each other",
        config: "
[program:steady]
command=/bin/cat

[program:hasty]
command={child} exit:1
startsecs=5
startretries=1
",
        steps: &[In("FATAL", "hasty"), Ctl("restart steady"), Ctl("status")],
        order: Order::Each,
        ..ROW
    },
];
