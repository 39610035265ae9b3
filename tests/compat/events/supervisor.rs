//! What listeners are told of the daemon itself: its start, its end, what is between two of its lives, and the time.
//!
//! In: nothing. Out: rows. Where it ends, a program that takes its time keeps the listeners alive until they have heard.

use provost_testkit::Signal;

use super::scenario::Scenario;
use super::scenario::Step::{Aside, Daemon, Hello, Last, Log, Send, Told};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "all that is told at a start",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE,PROCESS_LOG,PROCESS_COMMUNICATION,REMOTE_COMMUNICATION,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE
startsecs=0
buffer_size=100

[program:a]
command={child} forever
autostart=false

[group:crowd]
programs=b,c

[program:b]
command={child} forever
autostart=false

[program:c]
command={child} forever
autostart=false
",
        steps: &[Told("ear", "STATE_RUNNING…processname:ear"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "whoever wants all hears of the time, too",
        config: "
[eventlistener:ear]
command={listener} good
events=EVENT
startsecs=0
buffer_size=100
",
        steps: &[
            Told("ear", "GROUP_ADDED…groupname:ear"),
            Told("ear", "STATE_CHANGE_RUNNING"),
            Told("ear", "STATE_RUNNING…processname:ear"),
            Send("one", ""),
            Told("ear", "type:one"),
            Told("ear", "TICK_5…when:"),
            Aside("ear"),
        ],
    },
    Scenario {
        name: "who is started in which order",
        config: "
[eventlistener:late]
command={listener} good
events=PROCESS_STATE_STARTING,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION
buffer_size=100
startsecs=0
priority=50

[eventlistener:early]
command={listener} good
events=PROCESS_STATE_STARTING,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION
buffer_size=100
startsecs=0

[program:b]
command={child} forever
priority=100

[program:a]
command={child} forever
priority=20
",
        steps: &[
            Told("late", "STATE_STARTING…processname:b"),
            Told("early", "STATE_STARTING…processname:b"),
            Send("end", ""),
            Last("late", "type:end"),
            Last("early", "type:end"),
        ],
    },
    Scenario {
        name: "all that is told at the end",
        config: "
[eventlistener:ear]
command={listener} good
events=SUPERVISOR_STATE_CHANGE,PROCESS_STATE_STOPPING,PROCESS_STATE_STOPPED,PROCESS_STATE_EXITED,PROCESS_GROUP
startsecs=0
buffer_size=100

[program:x]
command={child} hello forever
startsecs=0

[program:last]
command={child} ignore:TERM hello forever
startsecs=0
stopwaitsecs=3
priority=0
",
        steps: &[
            Hello("x"),
            Hello("last"),
            Told("ear", "SUPERVISOR_STATE_CHANGE_RUNNING"),
            Daemon(Signal::TERM),
            Last("ear", "STATE_STOPPING…processname:last"),
        ],
    },
    Scenario {
        name: "the numbers of events go on in the next life",
        config: "
[eventlistener:ear]
command={listener} good
events=SUPERVISOR_STATE_CHANGE,PROCESS_GROUP,REMOTE_COMMUNICATION
startsecs=0
buffer_size=100

[program:last]
command={child} ignore:TERM hello forever
startsecs=0
stopwaitsecs=3
priority=0
",
        steps: &[
            Hello("last"),
            Send("one", ""),
            Told("ear", "type:one"),
            Daemon(Signal::HUP),
            Told("ear", "SUPERVISOR_STATE_CHANGE_STOPPING"),
            Hello("last"),
            Told("ear", "SUPERVISOR_STATE_CHANGE_RUNNING"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "ticks of five seconds",
        config: "
[eventlistener:ear]
command={listener} good
events=TICK_5
startsecs=0
",
        steps: &[
            Told("ear", "TICK_5"),
            Told("ear", "TICK_5"),
            Log("event 1 sent to listener ear"),
            Log("ear: ACKNOWLEDGED -> READY"),
        ],
    },
];
