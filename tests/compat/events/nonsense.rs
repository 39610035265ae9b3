//! Listeners that say what makes no sense, say nothing, or end in the middle, and what becomes of their events.
//!
//! In: nothing. Out: rows.

use provost_testkit::Signal;

use super::scenario::Scenario;
use super::scenario::Step::{
    Go, Hello, Last, Log, Ready, Send, SendMany, Signal as Sig, Start, Stop, Told, ToldOrDead, Unknown,
};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "something else than READY",
        config: "
[eventlistener:ear]
command={listener} 'says:hello, world\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
priority=1

[eventlistener:other]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
priority=2
",
        steps: &[Unknown("ear"), Send("end", ""), Last("other", "type:end")],
    },
    Scenario {
        name: "READY twice",
        config: "
[eventlistener:ear]
command={listener} 'says:READY\\nREADY\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
priority=1

[eventlistener:other]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
priority=2
",
        steps: &[Unknown("ear"), Send("end", ""), Last("other", "type:end")],
    },
    Scenario {
        name: "READY, and later more of it",
        config: "
[eventlistener:ear]
command={listener} hello ready hears ok ready note:ready await 'says:\\n' forever
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
            Hello("ear"),
            Send("one", ""),
            Last("ear", "type:one"),
            Go("ear"),
            Unknown("ear"),
            Send("end", ""),
            Last("other", "type:end"),
        ],
    },
    Scenario {
        name: "an answer to nothing",
        config: "
[eventlistener:ear]
command={listener} 'says:READY\\nRESULT 2\\nOK' forever
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Unknown("ear")],
    },
    Scenario {
        name: "words behind READY",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT 2\\nOKREADY\\nand more' forever
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("one", ""), Unknown("ear")],
    },
    Scenario {
        name: "words behind an answer",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT 2\\nOK\\nREADY\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("one", ""), Unknown("ear")],
    },
    Scenario {
        name: "a length that is none, and the next one of the pool hears it",
        config: "
[eventlistener:ears]
command={listener} hello ready hears await 'says:RESULT x\\nOK' forever
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
            Log("event 0 sent to listener ears_1"),
        ],
    },
    Scenario {
        name: "lines that are no lines before a result",
        config: "
[eventlistener:a]
command={listener} ready hears 'says:\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
priority=1

[eventlistener:b]
command={listener} ready hears 'says:RESULT\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
priority=2

[eventlistener:c]
command={listener} ready hears 'says:RESULT 2 OK\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
priority=3

[eventlistener:d]
command={listener} ready hears 'says:RESULT 2.0\\nOK' forever
events=REMOTE_COMMUNICATION
startsecs=0
priority=4

[eventlistener:e]
command={listener} ready hears 'says:RESULT 0x2\\nOK' forever
events=REMOTE_COMMUNICATION
startsecs=0
priority=5
",
        steps: &[
            Send("one", ""),
            Told("a", "type:one"),
            Told("b", "type:one"),
            Told("c", "type:one"),
            Told("d", "type:one"),
            Told("e", "type:one"),
            Unknown("a"),
            Unknown("b"),
            Unknown("c"),
            Unknown("d"),
            Unknown("e"),
        ],
    },
    Scenario {
        name: "less than nothing",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT -1\\nOK' taken note:said forever
events=REMOTE_COMMUNICATION
startsecs=0
priority=1

[eventlistener:other]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
priority=2
",
        steps: &[Send("one", ""), Told("ear", "noted said"), Send("end", ""), Last("other", "type:end")],
    },
    Scenario {
        name: "a line that is no text",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT \\xff\\x27\\nOK' forever
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("one", ""), Unknown("ear")],
    },
    Scenario {
        name: "a line of letters that are not ASCII",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT z\\xc3\\xa9ro\\nOK' forever
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("one", ""), Unknown("ear")],
    },
    Scenario {
        name: "whoever has talked nonsense talks on, and nobody listens",
        config: "
[eventlistener:ear]
command={listener} hello says:nonsense taken note:said await 'says:READY\\n' taken note:again await forever
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
            Hello("ear"),
            Unknown("ear"),
            Send("one", ""),
            Go("ear"),
            Told("ear", "noted again"),
            Send("end", ""),
            Last("other", "type:end"),
        ],
    },
    Scenario {
        name: "a new life ends all nonsense, and all that waited is told",
        config: "
[eventlistener:ear]
command=/bin/sh -c 'if test -e {dir}/been; then exec {listener} good; fi; > {dir}/been; exec {listener} says:nonsense forever'
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Unknown("ear"),
            Send("one", ""),
            Send("two", ""),
            Stop("ear"),
            Log("stopped: ear"),
            Send("three", ""),
            Start("ear"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "an end in the middle of an event",
        config: "
[eventlistener:ear]
command=/bin/sh -c 'if test -e {dir}/been; then exec {listener} good; fi; > {dir}/been; exec {listener} good:1 ready hears raise:KILL'
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("one", ""),
            Told("ear", "type:one"),
            Send("two", ""),
            Send("three", ""),
            Told("ear", "type:two"),
            Told("ear", "type:two"),
            Told("ear", "type:three"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "an end in the middle of an answer",
        config: "
[eventlistener:ear]
command=/bin/sh -c 'if test -e {dir}/been; then exec {listener} good; fi; > {dir}/been; exec {listener} ready hears \"says:RESULT 2\\nO\" taken raise:KILL'
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("one", ""),
            Told("ear", "type:one"),
            Told("ear", "type:one"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "an end behind an answer",
        config: "
[eventlistener:ear]
command=/bin/sh -c 'if test -e {dir}/been; then exec {listener} good; fi; > {dir}/been; exec {listener} ready hears ok exit:1'
events=REMOTE_COMMUNICATION,PROCESS_STATE_EXITED
startsecs=0
",
        steps: &[
            Send("one", ""),
            Told("ear", "STATE_EXITED…processname:ear"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "an end that somebody else has brought about while it waited",
        config: "
[eventlistener:ear]
command={listener} hello good
events=REMOTE_COMMUNICATION,PROCESS_STATE
startsecs=0
",
        steps: &[
            Hello("ear"),
            Told("ear", "STATE_RUNNING…processname:ear"),
            Send("one", ""),
            Last("ear", "type:one"),
            Sig("ear", Signal::KILL),
            Hello("ear"),
            Told("ear", "STATE_RUNNING…processname:ear"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a closed standard input, and the next one of the pool hears it",
        config: "
[eventlistener:ears]
command=/bin/sh -c 'if test %(process_num)d = 0; then exec {listener} shut:in ready forever; fi; exec {listener} good'
process_name=%(program_name)s_%(process_num)d
numprocs=2
events=REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} forever
autostart=false
startsecs=1
",
        steps: &[
            Ready("ears_0"),
            Ready("ears_1"),
            Send("one", ""),
            Last("ears_1", "type:one"),
            // Whoever is deaf is told of half a second later, as most have just ended.
            Start("x"),
            Log("success: x entered RUNNING state"),
            Send("end", ""),
            Last("ears_1", "type:end"),
        ],
    },
    Scenario {
        name: "a closed standard output",
        config: "
[eventlistener:ear]
command={listener} ready hears shut:out note:shut hears note:never forever
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
            Told("ear", "noted shut"),
            Send("two", ""),
            Send("end", ""),
            Last("other", "type:end"),
        ],
    },
    Scenario {
        name: "whoever agrees and does not listen",
        config: "
[eventlistener:ear]
command={listener} ready agrees forever
events=REMOTE_COMMUNICATION,PROCESS_LOG
startsecs=0
priority=1

[eventlistener:other]
command={listener} good
events=REMOTE_COMMUNICATION,PROCESS_LOG
startsecs=0
priority=2

[program:x]
command={child} on:USR1:say:more hello forever
stdout_events_enabled=true
",
        steps: &[
            Hello("x"),
            Ready("ear"),
            SendMany("large", 100_000),
            Last("other", "type:large"),
            Sig("x", Signal::USR1),
            ToldOrDead("other", "PROCESS_LOG_STDOUT…more"),
        ],
    },
];
