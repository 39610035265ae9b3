//! Pools: who of several is told what, what waits and what is discarded, and how each counts.
//!
//! In: nothing. Out: rows. `overflow=drop` is how Supervisor does it; it knows no such option and takes no notice.

use super::scenario::Scenario;
use super::scenario::Step::{Go, Hello, Last, Log, Ready, Send, Start, Stop, Told, Unknown};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "one after the other, as they are ready",
        config: "
[eventlistener:ears]
command={listener} hello ready hears await ok ready hears await ok ready hears await ok ready good
process_name=%(program_name)s_%(process_num)d
numprocs=2
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Hello("ears_0"),
            Hello("ears_1"),
            Ready("ears_0"),
            Ready("ears_1"),
            Send("one", ""),
            Told("ears_0", "type:one"),
            Send("two", ""),
            Told("ears_1", "type:two"),
            Send("three", ""),
            Send("four", ""),
            Go("ears_1"),
            Told("ears_1", "type:three"),
            Go("ears_0"),
            Told("ears_0", "type:four"),
            Log("event 3 sent to listener ears_0"),
        ],
    },
    Scenario {
        name: "the first hears all as long as it is ready",
        config: "
[eventlistener:ears]
command={listener} good
process_name=%(program_name)s_%(process_num)d
numprocs=3
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Ready("ears_0"),
            Ready("ears_1"),
            Ready("ears_2"),
            Send("one", ""),
            Last("ears_0", "type:one"),
            Send("two", ""),
            Last("ears_0", "type:two"),
            Send("three", ""),
            Last("ears_0", "type:three"),
        ],
    },
    Scenario {
        name: "one of three talks nonsense and the others are told",
        config: "
[eventlistener:ears]
command=/bin/sh -c 'if test %(process_num)d = 0; then exec {listener} says:nonsense forever; fi; exec {listener} hello ready hears await ok good'
process_name=%(program_name)s_%(process_num)d
numprocs=3
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Unknown("ears_0"),
            Ready("ears_1"),
            Ready("ears_2"),
            Hello("ears_1"),
            Send("one", ""),
            Told("ears_1", "type:one"),
            Send("two", ""),
            Told("ears_2", "type:two"),
            Send("three", ""),
            Go("ears_1"),
            Last("ears_1", "type:three"),
            Log("event 1 sent to listener ears_2"),
        ],
    },
    Scenario {
        name: "nobody is told before its startsecs are over",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=3600
priority=1

[eventlistener:other]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
priority=2
",
        steps: &[Ready("ear"), Send("one", ""), Send("end", ""), Last("other", "type:end")],
    },
    Scenario {
        name: "what waits for startsecs is told then",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_GROUP,SUPERVISOR_STATE_CHANGE,PROCESS_STATE,REMOTE_COMMUNICATION
startsecs=2
",
        steps: &[Ready("ear"), Send("one", ""), Send("end", ""), Last("ear", "STATE_RUNNING…processname:ear")],
    },
    Scenario {
        name: "pools count on their own",
        config: "
[eventlistener:all]
command={listener} good
events=REMOTE_COMMUNICATION,PROCESS_STATE_RUNNING,PROCESS_STATE_STOPPED
startsecs=0
priority=1

[eventlistener:some]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
priority=2

[program:x]
command={child} hello forever
autostart=false
startsecs=0
",
        steps: &[
            Told("all", "STATE_RUNNING…processname:all"),
            Told("all", "STATE_RUNNING…processname:some"),
            Send("one", ""),
            Start("x"),
            Told("all", "STATE_RUNNING…processname:x"),
            Send("two", ""),
            // 4.3.0 signals its own half of a fork else, which forgets it.
            Hello("x"),
            Stop("x"),
            Told("all", "STATE_STOPPED…processname:x"),
            Send("end", ""),
            Last("all", "type:end"),
            Last("some", "type:end"),
        ],
    },
    Scenario {
        name: "nobody is there, and all that fits waits",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
autostart=false
overflow=drop

[eventlistener:other]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
buffer_size=100
",
        steps: &[
            Send("1", ""),
            Send("2", ""),
            Send("3", ""),
            Send("4", ""),
            Send("5", ""),
            Send("6", ""),
            Send("7", ""),
            Send("8", ""),
            Send("9", ""),
            Send("10", ""),
            Send("11", ""),
            Send("12", ""),
            Start("ear"),
            Last("other", "type:12"),
            Last("ear", "type:12"),
        ],
    },
    Scenario {
        name: "the oldest is discarded where there is no room",
        config: "
[eventlistener:ear]
command={listener} hello ready hears await ok good
events=REMOTE_COMMUNICATION
startsecs=0
buffer_size=2
overflow=drop
",
        steps: &[
            Hello("ear"),
            Send("one", ""),
            Told("ear", "type:one"),
            Send("two", ""),
            Send("three", ""),
            Send("four", ""),
            Send("five", ""),
            Go("ear"),
            Told("ear", "type:five"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a pool that is stopped and started hears what was meanwhile",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION,PROCESS_STATE
startsecs=0
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Send("one", ""),
            Last("ear", "type:one"),
            Stop("ear"),
            Log("stopped: ear"),
            Send("two", ""),
            Send("three", ""),
            Start("ear"),
            Told("ear", "STATE_RUNNING…processname:ear"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "thirty events in their order",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_LOG,REMOTE_COMMUNICATION
startsecs=0
buffer_size=100

[program:x]
command={child} write:1. taken write:2. taken write:3. taken write:4. taken write:5. taken write:6. taken write:7. taken write:8. taken
  write:9. taken write:10. taken write:11. taken write:12. taken write:13. taken write:14. taken write:15. taken write:16. taken
  write:17. taken write:18. taken write:19. taken write:20. taken write:21. taken write:22. taken write:23. taken write:24. taken
  write:25. taken write:26. taken write:27. taken write:28. taken write:29. taken write:30. taken forever
stdout_events_enabled=true
autostart=false
startsecs=0
",
        steps: &[Start("x"), Told("ear", "30."), Send("end", ""), Last("ear", "type:end")],
    },
];
