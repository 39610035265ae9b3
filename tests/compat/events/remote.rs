//! Events that somebody sends, of which every byte is known beforehand: headers, lengths and numbers.
//!
//! In: nothing. Out: rows.

use super::scenario::Scenario;
use super::scenario::Step::{Last, Send, SendMany, Start, Told};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "data of one line and of several",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("deploy", "all: of it"),
            Send("deploy", "one\ntwo\n\nfour\n"),
            Send("with blanks: and colons", "\t and more "),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "no data and no type",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("", ""), Send("", "data"), Send("type", ""), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "letters that are not ASCII",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("gr\u{fc}\u{df}e", "h\u{e9}llo w\u{f6}rld\n"),
            Send("more", "\u{20ac} \u{1f600}"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "more than a pipe holds",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            SendMany("large", 4_000),
            SendMany("larger", 65_530),
            SendMany("largest", 300_000),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "what nobody has subscribed to has no number",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_GROUP,SUPERVISOR_STATE_CHANGE,PROCESS_STATE_RUNNING
startsecs=0

[eventlistener:other]
command={listener} good
events=PROCESS_STATE_RUNNING
startsecs=0
autostart=false
",
        steps: &[
            Send("nobody", ""),
            Told("ear", "STATE_RUNNING…processname:ear"),
            Send("nobody", ""),
            Start("other"),
            Last("ear", "STATE_RUNNING…processname:other"),
            Last("other", "STATE_RUNNING…processname:other"),
        ],
    },
    Scenario {
        name: "another name of the daemon",
        config: "identifier=h\u{e4}us-7

[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[Send("end", "x"), Last("ear", "type:end")],
    },
    Scenario {
        name: "childutils hear",
        config: "
[eventlistener:ear]
command={childutils} 0
events=REMOTE_COMMUNICATION,PROCESS_STATE_RUNNING
startsecs=0
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Send("one", "a\nb"),
            Send("two", ""),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
];
