//! What listeners are told of output: PROCESS_LOG and PROCESS_COMMUNICATION, piece by piece.
//!
//! In: nothing. Out: rows. Each program waits until a piece is taken before it writes the next, so that both sides read the
//! same. Where reads end within a message we differ on purpose (`docs/differences.md`); no row does that.

use super::scenario::Scenario;
use super::scenario::Step::{Last, Send, Start, Told};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "logs of both channels",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_LOG,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} 'write:one\\ntwo\\n' taken 'ewrite:half' etaken 'write: a line\\n' taken forever
stdout_events_enabled=true
stderr_events_enabled=true
autostart=false
startsecs=0
",
        steps: &[Start("x"), Told("ear", "a line"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "one channel only",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_LOG_STDERR,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} write:one taken ewrite:two etaken write:three taken ewrite:four etaken forever
stdout_events_enabled=true
stderr_events_enabled=true
autostart=false
startsecs=0
",
        steps: &[Start("x"), Told("ear", "four"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "standard error into standard output",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_LOG,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} write:one taken ewrite:two etaken forever
redirect_stderr=true
stdout_events_enabled=true
stderr_events_enabled=true
autostart=false
startsecs=0
",
        steps: &[Start("x"), Told("ear", "two"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "bytes that are no text",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_LOG,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} 'write:bad \\xff\\xfe\\n' taken \"write:it's \\xc3\" taken 'write:\\x22 and \\x27 \\x80' taken 'write:\\x5c\\x09\\x00\\xff' taken
  'write:\\xed\\xa0\\x80' taken 'write:\\x00\\x7f' taken write:last taken forever
stdout_events_enabled=true
autostart=false
startsecs=0
",
        steps: &[Start("x"), Told("ear", "last"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "text that is not ASCII",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_LOG,PROCESS_COMMUNICATION,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} 'write:h\\xc3\\xa9llo \\xf0\\x9f\\x98\\x80\\n' taken 'ewrite:<!--XSUPERVISOR:BEGIN-->gr\\xc3\\xbcn<!--XSUPERVISOR:END-->' etaken forever
stdout_events_enabled=true
stderr_capture_maxbytes=1KB
autostart=false
startsecs=0
",
        steps: &[Start("x"), Told("ear", "COMMUNICATION_STDERR"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "sequences that are stripped",
        config: "strip_ansi=true

[eventlistener:ear]
command={listener} good
events=PROCESS_LOG,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} 'write:a \\e[31mred\\e[0m line\\n' taken 'ewrite:\\e[1;4mbold\\e[0m' etaken write:last taken forever
stdout_events_enabled=true
stderr_events_enabled=true
autostart=false
startsecs=0
",
        steps: &[Start("x"), Told("ear", "last"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "messages of both channels",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_COMMUNICATION,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} 'write:words that are in the log before it\\n<!--XSUPERVISOR:BEGIN-->a message\\nof two lines<!--XSUPERVISOR:END--> and words behind it\\n' taken
  'ewrite:<!--XSUPERVISOR:BEGIN-->from standard error<!--XSUPERVISOR:END-->' etaken
  'write:<!--XSUPERVISOR:BEGIN--><!--XSUPERVISOR:END--> and more words of the log' taken
  'write:<!--XSUPERVISOR:BEGIN-->\\xff\\xfe<!--XSUPERVISOR:END--> and still more of them' taken forever
stdout_capture_maxbytes=1KB
stderr_capture_maxbytes=1KB
autostart=false
startsecs=0
",
        steps: &[Start("x"), Told("ear", "Undecodable"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "what a listener says on standard error",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_LOG,REMOTE_COMMUNICATION
startsecs=0

[eventlistener:talker]
command={listener} ready hears 'complains:RESULT 2\\nOK, it says\\n' ok good
events=REMOTE_COMMUNICATION
stderr_events_enabled=true
startsecs=0
",
        steps: &[
            Send("one", ""),
            Told("ear", "OK, it says"),
            Send("end", ""),
            Last("ear", "type:end"),
            Last("talker", "type:end"),
        ],
    },
    Scenario {
        name: "childutils hear of output",
        config: "
[eventlistener:ear]
command={childutils} 1
events=PROCESS_LOG,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} 'write:one\\ntwo\\n' taken forever
stdout_events_enabled=true
autostart=false
startsecs=0
",
        steps: &[
            Start("x"),
            Told("ear", "noted x stdout"),
            Told("ear", "noted x stdout"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
];
