//! A configuration that changes under a running daemon. In: nothing. Out: rows.

use super::scenario::Step::{AllIn, Config, Ctl, In, Program, Told};
use super::scenario::{Order, ROW, Scenario};

const A: &str = "
[program:a]
command=/bin/cat
";

const A_AND_B: &str = "
[program:a]
command=/bin/cat

[program:b]
command=/bin/cat
priority=1000
";

const B_CHANGED: &str = "
[program:a]
command=/bin/cat

[program:b]
command=/bin/cat -u
priority=1000
";

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "a reread alone starts nothing",
        config: A,
        steps: &[In("RUNNING", "a"), Config(A_AND_B), Ctl("reread"), Ctl("status"), Ctl("avail")],
        ..ROW
    },
    Scenario {
        name: "a group is added by hand",
        config: A,
        steps: &[
            In("RUNNING", "a"),
            Config(A_AND_B),
            Ctl("add b"),
            Ctl("reread"),
            Ctl("add b"),
            In("RUNNING", "b"),
            Ctl("add b"),
        ],
        ..ROW
    },
    Scenario {
        name: "a group is removed by hand",
        config: A_AND_B,
        steps: &[
            AllIn("RUNNING", &["a", "b"]),
            Ctl("remove b"),
            Ctl("stop b"),
            Ctl("remove b"),
            Ctl("remove b"),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "removed and added again",
        config: A_AND_B,
        steps: &[
            AllIn("RUNNING", &["a", "b"]),
            Ctl("stop b"),
            Ctl("remove b"),
            Ctl("add b"),
            In("RUNNING", "b"),
        ],
        ..ROW
    },
    Scenario {
        name: "an update with nothing new",
        config: A,
        steps: &[In("RUNNING", "a"), Ctl("update"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "an update adds",
        config: A,
        steps: &[In("RUNNING", "a"), Config(A_AND_B), Ctl("update"), In("RUNNING", "b")],
        ..ROW
    },
    Scenario {
        name: "an update removes",
        config: A_AND_B,
        steps: &[AllIn("RUNNING", &["a", "b"]), Config(A), Ctl("update"), Ctl("status")],
        ..ROW
    },
    Scenario {
        name: "an update changes",
        config: A_AND_B,
        steps: &[
            AllIn("RUNNING", &["a", "b"]),
            Config(B_CHANGED),
            Ctl("update"),
            In("RUNNING", "b"),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "an update of one name only",
        config: A_AND_B,
        steps: &[
            AllIn("RUNNING", &["a", "b"]),
            Config(
                "
[program:b]
command=/bin/cat -u
priority=1000
",
            ),
            Ctl("update b"),
            In("RUNNING", "b"),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "an update to more processes",
        config: "
[program:w]
command=/bin/cat
process_name=%(program_name)s_%(process_num)d
numprocs=1
",
        steps: &[
            In("RUNNING", "w_0"),
            Config(
                "
[program:w]
command=/bin/cat
process_name=%(program_name)s_%(process_num)d
numprocs=3
",
            ),
            Ctl("update"),
            AllIn("RUNNING", &["w_0", "w_1", "w_2"]),
        ],
        ..ROW
    },
    Scenario {
        name: "a broken file is reread",
        config: A,
        steps: &[
            In("RUNNING", "a"),
            Config("\n[program:a]\ncommand=/bin/cat\nautorestart=sometimes\n"),
            Ctl("reread"),
            Ctl("status"),
            Config(A),
            Ctl("update"),
        ],
        ..ROW
    },
    Scenario {
        name: "a file is included later",
        config: "
[program:a]
command=/bin/cat

[include]
files={dir}/*.ini
",
        steps: &[
            In("RUNNING", "a"),
            Program("more.ini", "[program:z]\ncommand=/bin/cat\npriority=1000\n"),
            Ctl("update"),
            Told("PROCESS_GROUP_ADDED groupname:z"),
            In("RUNNING", "z"),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "a group gets another member",
        config: "
[group:g]
programs=p

[program:p]
command=/bin/cat

[program:q]
command=/bin/cat
autostart=false
",
        steps: &[
            In("RUNNING", "p"),
            Config(
                "
[group:g]
programs=p,q

[program:p]
command=/bin/cat

[program:q]
command=/bin/cat
autostart=false
",
            ),
            Ctl("update"),
            In("RUNNING", "p"),
            Ctl("status"),
        ],
        ..ROW
    },
    Scenario {
        name: "an update removes, changes and adds",
        config: A_AND_B,
        steps: &[
            AllIn("RUNNING", &["a", "b"]),
            Config(
                "
[program:b]
command=/bin/cat -u
priority=1000

[program:c]
command=/bin/cat

[program:d]
command=/bin/cat
autostart=false
",
            ),
            Ctl("update"),
            AllIn("RUNNING", &["b", "c"]),
            Ctl("status"),
        ],
        order: Order::Each,
        ..ROW
    },
];
