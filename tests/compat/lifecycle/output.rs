//! What listeners are told of output: PROCESS_LOG and PROCESS_COMMUNICATION, in pieces as the programs wrote them.
//!
//! In: nothing. Out: rows. Each program waits until a piece is taken before it writes the next, so that both sides read the same. Where
//! reads end in the middle of something we differ on purpose (`docs/differences.md`); no row does that.

use super::scenario::Step::{Hello, In, Text, Told};
use super::scenario::{ROW, Scenario};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "events of both channels",
        config: "
[program:x]
command={child} 'write:one\\n' taken 'ewrite:two\\nhalf' etaken 'write:\\xff\\x00\\n' taken hello forever
stdout_logfile={dir}/x.out
stderr_logfile={dir}/x.err
stdout_events_enabled=true
stderr_events_enabled=true
",
        steps: &[Hello("x"), In("RUNNING", "x"), Text("x.err")],
        ..ROW
    },
    Scenario {
        name: "events of one channel",
        config: "
[program:x]
command={child} write:one taken ewrite:two etaken write:three taken hello exit:0
stdout_logfile=NONE
stderr_logfile=NONE
stderr_events_enabled=true
startsecs=0
autorestart=false
",
        steps: &[Hello("x"), In("EXITED", "x")],
        ..ROW
    },
    Scenario {
        name: "events where standard error goes to standard output",
        config: "
[program:x]
command={child} write:one taken ewrite:two etaken hello forever
redirect_stderr=true
stdout_logfile=NONE
stdout_events_enabled=true
stderr_events_enabled=true
",
        steps: &[Hello("x"), In("RUNNING", "x")],
        ..ROW
    },
    Scenario {
        name: "messages of both channels",
        config: "
[program:x]
command={child} 'write:some words of the log itself\\n<!--XSUPERVISOR:BEGIN-->a message\\nof two lines<!--XSUPERVISOR:END--> and more words of the log behind it\\n' taken
  'ewrite:<!--XSUPERVISOR:BEGIN-->from standard error<!--XSUPERVISOR:END-->' etaken hello forever
stdout_logfile={dir}/x.out
stderr_logfile={dir}/x.err
stdout_capture_maxbytes=1KB
stderr_capture_maxbytes=1KB
stdout_events_enabled=true
",
        steps: &[
            Hello("x"),
            In("RUNNING", "x"),
            Text("x.out"),
            Text("x.err"),
        ],
        ..ROW
    },
    Scenario {
        name: "messages that are divided, empty, within each other, and longer than they may be",
        config: "
[program:x]
command={child} 'write:<!--XSUPERVISOR:BEGIN-->the first part of it, ' taken 'write:and a second, of some length<!--XSUPER' taken
  'write:VISOR:END-->words that are between two messages<!--XSUPERVISOR:BEGIN--><!--XSUPERVISOR:END-->' taken
  'write:<!--XSUPERVISOR:BEGIN-->one <!--XSUPERVISOR:BEGIN--> in another<!--XSUPERVISOR:END--> and <!--XSUPERVISOR:END--> a stray end' taken
  'write:<!--XSUPERVISOR:BEGIN-->0123456789012345678901234567890123456789012345678901234567890123456789<!--XSUPERVISOR:END-->' taken
  hello forever
stdout_logfile={dir}/x.out
stdout_capture_maxbytes=64
",
        steps: &[
            Told("PROCESS_COMMUNICATION_STDOUT processname:x"),
            Hello("x"),
            In("RUNNING", "x"),
            Text("x.out"),
        ],
        ..ROW
    },
    Scenario {
        name: "sequences are stripped from logs, events and messages",
        config: "
strip_ansi=true

[program:x]
command={child} 'write:a \\e[31mred\\e[0m line\\n' taken 'write:<!--XSUPERVISOR:BEGIN-->a \\e[1;4mbold\\e[0m message<!--XSUPERVISOR:END-->' taken hello forever
stdout_logfile={dir}/x.out
stdout_capture_maxbytes=1KB
stdout_events_enabled=true
",
        steps: &[Hello("x"), In("RUNNING", "x"), Text("x.out")],
        ..ROW
    },
    Scenario {
        name: "an end says what was said before",
        config: "
[program:x]
command={child} 'write:the last words of a program, which are long enough' exit:0
stdout_logfile=NONE
stdout_capture_maxbytes=1KB
stdout_events_enabled=true
startsecs=5
startretries=0
",
        steps: &[In("FATAL", "x")],
        ..ROW
    },
];
