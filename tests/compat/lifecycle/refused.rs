//! Programs that cannot become programs: each reason that 4.3.0 has a text for. In: nothing. Out: rows.
//!
//! Some reasons are found before there is a child, and a start by hand names them; others only by the child, whose
//! end is then an end that came too quickly.

use super::scenario::Step::{Ctl, In, Log, Program, Text};
use super::scenario::{ROW, Scenario};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "a command that is not there",
        config: "
[program:x]
command={dir}/absent --flag
startretries=1
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Ctl("start x")],
        ..ROW
    },
    Scenario {
        name: "a command that is nowhere in PATH",
        config: "
[program:x]
command=provost-no-such-command
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Ctl("start x")],
        ..ROW
    },
    Scenario {
        name: "a command in a PATH of its own",
        config: "
[program:x]
command=cat
environment=PATH=\"{dir}/nowhere\"
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Ctl("start x")],
        ..ROW
    },
    Scenario {
        name: "a command that is a plain file",
        config: "
[program:x]
command={dir}/supervisord.conf
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Ctl("start x")],
        ..ROW
    },
    Scenario {
        name: "a command that is a directory",
        config: "
[program:x]
command={dir}
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Ctl("start x")],
        ..ROW
    },
    Scenario {
        name: "a log that is a directory",
        config: "
[program:x]
command=/bin/cat
stdout_logfile={dir}
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Ctl("start x"), In("FATAL", "x")],
        ..ROW
    },
    Scenario {
        name: "a directory that is not there",
        config: "
[program:x]
command=/bin/cat
directory={dir}/nowhere
startsecs=5
startretries=0
stderr_logfile={dir}/x.err
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Text("x.err")],
        ..ROW
    },
    Scenario {
        name: "a script whose interpreter is not there",
        config: "
[program:x]
command={dir}/script
autostart=false
startsecs=5
startretries=0
stderr_logfile={dir}/x.err
",
        steps: &[
            Program("script", "#!/no/such/interpreter\n"),
            Ctl("start x"),
            In("FATAL", "x"),
            Log("gave up: x"),
            Ctl("status"),
            Text("x.err"),
        ],
        ..ROW
    },
    Scenario {
        name: "a script without a first line",
        config: "
[program:x]
command={dir}/script
autostart=false
startsecs=5
startretries=0
stderr_logfile={dir}/x.err
",
        steps: &[
            Program("script", "this is no program\n"),
            Ctl("start x"),
            In("FATAL", "x"),
            Log("gave up: x"),
            Text("x.err"),
        ],
        ..ROW
    },
    Scenario {
        name: "a command that appears between two attempts",
        config: "
[program:x]
command={dir}/late
startretries=5
",
        steps: &[
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            In("BACKOFF", "x"),
            Program("late", "#!/bin/sh\nexec cat\n"),
            In("RUNNING", "x"),
        ],
        ..ROW
    },
    Scenario {
        name: "a command with an open quote",
        config: "
[program:x]
command=/bin/cat 'unfinished
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Ctl("start x")],
        ..ROW
    },
    Scenario {
        name: "a command that ends in a backslash",
        config: "
[program:x]
command=/bin/cat \\
startretries=0
",
        steps: &[In("FATAL", "x"), Log("gave up: x"), Ctl("status"), Ctl("start x")],
        ..ROW
    },
];
