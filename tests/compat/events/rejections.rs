//! Events that are not accepted: who is told of them again, with which numbers, and what they push aside.
//!
//! In: nothing. Out: rows. Who rejects what has a pool of its own priority: 4.3.0 gives a rejected event to every pool with an
//! equal process, which two rows show and the others are not about.

use super::scenario::Scenario;
use super::scenario::Step::{Go, Hello, Last, Log, Ready, Send, Start, Stop, Told};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "three rejections keep both numbers",
        config: "
[eventlistener:ear]
command={listener} good:1 fails:3 good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("one", ""),
            Told("ear", "type:one"),
            Send("two", ""),
            Told("ear", "type:two"),
            Send("three", ""),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "results that are not OK",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT 5\\nMAYBE' ready hears 'says:RESULT 2\\nok' ready hears 'says:RESULT 3\\nOK\\n' ready hears
  'says:RESULT 4\\n\\xff\\x00\\n\\n' ready hears 'says:RESULT 0\\nREADY\\n' hears ok good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("one", ""), Told("ear", "type:one"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "the next one of the pool hears what the first has rejected",
        config: "
[eventlistener:ears]
command={listener} hello ready hears await fail note:failed forever
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
            Go("ears_0"),
            Told("ears_1", "type:one"),
            Told("ears_0", "noted failed"),
            Log("event 0 sent to listener ears_1"),
        ],
    },
    Scenario {
        name: "what was rejected comes before what waits",
        config: "
[eventlistener:ear]
command={listener} hello ready hears await fail good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Hello("ear"),
            Send("one", ""),
            Told("ear", "type:one"),
            Send("two", ""),
            Send("three", ""),
            Go("ear"),
            Told("ear", "type:one"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "pools of other priorities hear nothing of it",
        config: "
[eventlistener:ear]
command={listener} fails:2 good
events=REMOTE_COMMUNICATION
startsecs=0
priority=1

[eventlistener:other]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
priority=2
",
        steps: &[
            Send("one", ""),
            Told("ear", "type:one"),
            Told("ear", "type:one"),
            Told("ear", "type:one"),
            Send("end", ""),
            Last("ear", "type:end"),
            Last("other", "type:end"),
        ],
    },
    Scenario {
        name: "pools of the same priority",
        config: "
[eventlistener:ear]
command={listener} hello ready hears await fail good
events=REMOTE_COMMUNICATION
startsecs=0

[eventlistener:other]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Hello("ear"),
            Send("one", ""),
            Told("ear", "type:one"),
            Last("other", "type:one"),
            Go("ear"),
            Told("ear", "type:one"),
            Send("end", ""),
            Last("ear", "type:end"),
            Last("other", "type:end"),
        ],
    },
    Scenario {
        name: "pools of the same priority that have not subscribed",
        config: "
[eventlistener:ear]
command={listener} hello ready hears await fail good
events=REMOTE_COMMUNICATION
startsecs=0

[eventlistener:other]
command={listener} good
events=PROCESS_STATE_STOPPING
startsecs=0

[program:x]
command={child} hello forever
autostart=false
startsecs=0
",
        steps: &[
            Hello("ear"),
            Send("one", ""),
            Told("ear", "type:one"),
            Ready("other"),
            Go("ear"),
            Told("ear", "type:one"),
            Send("end", ""),
            Last("ear", "type:end"),
            Start("x"),
            Log("success: x entered RUNNING"),
            // 4.3.0 signals its own half of a fork else, which forgets it.
            Hello("x"),
            Stop("x"),
            Log("stopped: x"),
            Last("other", "processname:x"),
        ],
    },
    Scenario {
        name: "a rejected event pushes the oldest that waits aside",
        config: "
[eventlistener:ear]
command={listener} hello ready hears await fail good
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
            Go("ear"),
            Told("ear", "type:one"),
            Told("ear", "type:three"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "childutils reject",
        config: "
[eventlistener:ear]
command={childutils} 2
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("one", "more"),
            Told("ear", "type:one"),
            Told("ear", "type:one"),
            Told("ear", "type:one"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
];
