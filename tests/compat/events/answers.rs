//! Answers that are in order, whatever they look like.
//!
//! In: nothing. Out: rows.

use super::scenario::Scenario;
use super::scenario::Step::{Go, Hello, Last, Log, Output, Send, Text, Told};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "what a listener says is in its log",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
stdout_logfile={dir}/ear.out
",
        steps: &[
            Send("one", ""),
            Send("end", ""),
            Last("ear", "type:end"),
            Output("ear.out", "OKREADY"),
            Output("ear.out", "OKREADY"),
            Text("ear.out"),
        ],
    },
    Scenario {
        name: "byte by byte",
        config: "
[eventlistener:ear]
command={listener} 'drips:READY\\n' hears 'drips:RESULT 2\\nOK' 'drips:READY\\n' hears 'drips:RESULT 2\\nOKREADY\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
stdout_logfile={dir}/ear.out
",
        steps: &[
            Send("one", ""),
            Told("ear", "type:one"),
            Send("end", ""),
            Last("ear", "type:end"),
            Output("ear.out", "OKREADY"),
            Output("ear.out", "OKREADY"),
            Text("ear.out"),
        ],
    },
    Scenario {
        name: "in pieces that end anywhere",
        config: "
[eventlistener:ear]
command={listener} says:R taken says:EADY taken 'says:\\n' hears says:RES taken 'says:ULT 2' taken 'says:\\nO' taken says:KREADY taken 'says:\\n' hears
  'says:RESULT 2\\n' taken says:OKR taken 'says:EADY\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("one", ""), Told("ear", "type:one"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "an answer and READY in one breath",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT 2\\nOKREADY\\n' hears 'says:RESULT 2\\nOKREADY\\n' hears 'says:RESULT 2\\nOKREADY\\n' forever
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("one", ""),
            Send("two", ""),
            Told("ear", "type:two"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "numbers with blanks, signs and zeros",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT  2 \\nOK' ready hears 'says:RESULT +2\\nOK' ready hears 'says:RESULT 0002\\nOK' ready hears
  'says:RESULT \\x092\\x0b\\r\\nOK' ready hears 'says:RESULT 0_2\\nOK' good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("one", ""),
            Send("two", ""),
            Send("three", ""),
            Send("four", ""),
            Send("five", ""),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "another word of six letters",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:result 2\\nOK' ready hears 'says:\\xff23456 2\\nOK' ready hears 'says:12345672\\nOK' good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("one", ""),
            Send("two", ""),
            Send("three", ""),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "no READY behind an answer",
        config: "
[eventlistener:ear]
command={listener} hello ready hears ok note:silent await good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Hello("ear"),
            Send("one", ""),
            Told("ear", "noted silent"),
            Send("two", ""),
            Send("three", ""),
            Log("ear: BUSY -> ACKNOWLEDGED"),
            Go("ear"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "fewer letters than READY has are no nonsense yet",
        config: "
[eventlistener:ear]
command={listener} hello says:READ taken note:half await 'says:Y\\n' hears ok good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Hello("ear"),
            Told("ear", "noted half"),
            Send("one", ""),
            Send("two", ""),
            Go("ear"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a result of no length",
        config: "
[eventlistener:ear]
command={listener} ready hears 'says:RESULT 0\\n' ready hears ok good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("one", ""), Told("ear", "type:one"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "a result of no length, and silence",
        config: "
[eventlistener:ear]
command={listener} hello ready hears 'says:RESULT 0\\n' taken note:said await ready good
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
            Told("ear", "noted said"),
            Send("two", ""),
            Last("other", "type:two"),
        ],
    },
    Scenario {
        name: "a result handler that is named",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
result_handler=supervisor.dispatchers:default_handler
startsecs=0
",
        steps: &[Send("end", ""), Last("ear", "type:end")],
    },
];
