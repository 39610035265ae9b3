//! The end of the daemon, from every state of its programs. In: nothing. Out: rows.

use provost_testkit::Signal;

use super::scenario::Step::{AllIn, Ctl, Daemon, End, Hello, In, Log, Signal as Send, StopUnwaited, Told};
use super::scenario::{Order, Place, REPORTS, ROW, STAYED_UP, Scenario};

const STOPPING: &str = "SUPERVISOR_STATE_CHANGE_STOPPING";

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

const VERY_PATIENT: &str = "
[program:x]
command={child} ignore:TERM hello forever
stopwaitsecs=25
startsecs=0
";

const SLOW: &str = "
[program:x]
command={child} hello forever
startsecs=20
";

const FAILING: &str = "
[program:x]
command={child} exit:1
startsecs=5
startretries=10
";

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "SIGTERM while all runs",
        config: CAT,
        steps: &[In("RUNNING", "x"), Daemon(Signal::TERM), End],
        ..ROW
    },
    Scenario {
        name: "SIGINT while all runs",
        config: CAT,
        steps: &[In("RUNNING", "x"), Daemon(Signal::INT), End],
        ..ROW
    },
    Scenario {
        name: "SIGQUIT while all runs",
        config: CAT,
        steps: &[In("RUNNING", "x"), Daemon(Signal::QUIT), End],
        ..ROW
    },
    Scenario {
        name: "shutdown with supervisorctl",
        config: CAT,
        steps: &[In("RUNNING", "x"), Ctl("shutdown"), End, Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "SIGTERM with nothing to supervise",
        config: "",
        steps: &[Told("SUPERVISOR_STATE_CHANGE_RUNNING"), Daemon(Signal::TERM), End],
        ..ROW
    },
    Scenario {
        name: "SIGTERM while it is starting",
        config: SLOW,
        steps: &[Hello("x"), Daemon(Signal::TERM), End],
        ..ROW
    },
    Scenario {
        name: "SIGINT while it waits for the next attempt",
        config: FAILING,
        steps: &[In("BACKOFF", "x"), In("BACKOFF", "x"), In("BACKOFF", "x"), Daemon(Signal::INT), End],
        ..ROW
    },
    Scenario {
        name: "SIGQUIT while it is stopping",
        config: DEAF,
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            StopUnwaited("x"),
            In("STOPPING", "x"),
            Daemon(Signal::QUIT),
            End,
        ],
        unsettled: &[REPORTS],
        ..ROW
    },
    Scenario {
        name: "SIGTERM while it is deaf",
        config: DEAF,
        steps: &[Hello("x"), In("RUNNING", "x"), Daemon(Signal::TERM), End],
        unsettled: &[REPORTS],
        ..ROW
    },
    Scenario {
        name: "a second SIGTERM changes nothing",
        config: DEAF,
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Daemon(Signal::TERM),
            In("STOPPING", "x"),
            Daemon(Signal::TERM),
            Log("received SIGTERM indicating exit request"),
            Log("received SIGTERM indicating exit request"),
            End,
        ],
        unsettled: &[REPORTS],
        ..ROW
    },
    Scenario {
        name: "SIGINT after SIGTERM",
        config: DEAF,
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Daemon(Signal::TERM),
            In("STOPPING", "x"),
            Daemon(Signal::INT),
            Log("received SIGINT indicating exit request"),
            End,
        ],
        unsettled: &[REPORTS],
        ..ROW
    },
    Scenario {
        name: "SIGHUP after SIGTERM is ignored",
        config: DEAF,
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Daemon(Signal::TERM),
            In("STOPPING", "x"),
            Daemon(Signal::HUP),
            Log("ignored SIGHUP"),
            End,
        ],
        unsettled: &[REPORTS],
        ..ROW
    },
    Scenario {
        name: "what is asked of a daemon that is shutting down",
        config: VERY_PATIENT,
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Daemon(Signal::TERM),
            In("STOPPING", "x"),
            Ctl("stop x"),
            Ctl("start x"),
            Ctl("status"),
            Send("x", Signal::KILL),
            End,
        ],
        unsettled: &[
            REPORTS,
            ("error: <", "4.3.0 names a file of its Python and a line in it, which are nobody's business"),
        ],
        ..ROW
    },
    Scenario {
        name: "groups end from the highest priority to the lowest",
        config: "
[program:first]
command={child} ignore:TERM hello forever
stopwaitsecs=2
priority=1

[program:second]
command=/bin/cat
priority=2

[program:third]
command={child} ignore:TERM hello forever
stopwaitsecs=2
priority=3
",
        steps: &[
            AllIn("RUNNING", &["first", "second", "third"]),
            Hello("first"),
            Hello("third"),
            Daemon(Signal::TERM),
            End,
        ],
        unsettled: &[REPORTS],
        ..ROW
    },
    Scenario {
        name: "within a group the highest priority is told first",
        config: "
[group:web]
programs=front,middle,back

[program:front]
command=/bin/cat
priority=10

[program:middle]
command=/bin/cat
priority=30

[program:back]
command=/bin/cat
priority=20
",
        steps: &[AllIn("RUNNING", &["front", "middle", "back"]), Daemon(Signal::TERM), End],
        ..ROW
    },
    Scenario {
        name: "groups of one priority",
        config: "
[program:a]
command=/bin/cat

[program:b]
command=/bin/cat

[program:c]
command=/bin/cat
",
        steps: &[AllIn("RUNNING", &["a", "b", "c"]), Ctl("shutdown"), End],
        // 4.3.0 stops one after the other, ours side by side.
        order: Order::Each,
        ..ROW
    },
    Scenario {
        name: "shutdown with a program in every state",
        config: "
[program:backoff]
command={child} exit:1
startsecs=9
startretries=10
priority=1

[program:exited]
command={child} exit:0
startsecs=0
priority=2

[program:fatal]
command={dir}/absent
startretries=0
priority=3

[program:running]
command=/bin/cat
priority=4

[program:starting]
command={child} hello forever
startsecs=30
priority=5

[program:stopped]
command=/bin/cat
autostart=false
priority=6
",
        steps: &[
            In("BACKOFF", "backoff"),
            In("BACKOFF", "backoff"),
            In("BACKOFF", "backoff"),
            In("BACKOFF", "backoff"),
            Hello("starting"),
            Ctl("shutdown"),
            End,
        ],
        order: Order::Each,
        unsettled: &[STAYED_UP],
        ..ROW
    },
    Scenario {
        name: "in the background",
        config: CAT,
        steps: &[In("RUNNING", "x"), Ctl("restart x"), Daemon(Signal::TERM), Told(STOPPING), End],
        place: Place::Background,
        ..ROW
    },
];
