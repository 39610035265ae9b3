//! What listeners are told of processes: every state, and who subscribes to what.
//!
//! In: nothing. Out: rows. PROCESS_STATE_UNKNOWN is not among them: 4.3.0 tells it when a signal cannot be sent, which root
//! always can, and dies of it when the process ends.

use provost_testkit::Signal;

use super::scenario::Scenario;
use super::scenario::Step::{Hello, Last, Send, Signal as Sig, Start, Stop, Told};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "a start and a stop",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} hello forever
autostart=false
startsecs=0
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Start("x"),
            Told("ear", "STATE_RUNNING…processname:x"),
            // 4.3.0 signals its own half of a fork else, which forgets it.
            Hello("x"),
            Stop("x"),
            Told("ear", "STATE_STOPPED…processname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "an exit that is expected",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} on:USR1:exit:7 hello forever
autostart=false
autorestart=unexpected
exitcodes=0,7
startsecs=0
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Start("x"),
            Hello("x"),
            Told("ear", "STATE_RUNNING…processname:x"),
            Sig("x", Signal::USR1),
            Told("ear", "STATE_EXITED…processname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "an exit that is not expected, and the next life",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} on:USR1:exit:7 hello forever
autostart=false
autorestart=unexpected
startsecs=0
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Start("x"),
            Hello("x"),
            Told("ear", "STATE_RUNNING…processname:x"),
            Sig("x", Signal::USR1),
            Hello("x"),
            Told("ear", "STATE_RUNNING…processname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "failures until it is given up",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} exit:3
autostart=false
startsecs=5
startretries=1
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Start("x"),
            Told("ear", "STATE_FATAL…processname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a stop during back-off",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} exit:3
autostart=false
startsecs=5
startretries=100
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Start("x"),
            Told("ear", "STATE_BACKOFF…processname:x…tries:3"),
            Stop("x"),
            Told("ear", "STATE_STOPPED…processname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a program that is not there",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE_STARTING,PROCESS_STATE_BACKOFF,PROCESS_STATE_FATAL,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={dir}/nobody
startretries=0
",
        steps: &[Told("ear", "STATE_FATAL…processname:x"), Send("end", ""), Last("ear", "type:end")],
    },
    Scenario {
        name: "processes of a group, and those of many",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE,REMOTE_COMMUNICATION
startsecs=0

[group:crowd]
programs=a,b

[program:a]
command={child} hello forever
autostart=false
startsecs=0

[program:b]
command={child} forever
process_name=%(group_name)s.%(process_num)02d
numprocs=2
autostart=false
startsecs=0
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Start("crowd:a"),
            Told("ear", "STATE_RUNNING…processname:a"),
            Start("crowd:crowd.01"),
            Told("ear", "STATE_RUNNING…processname:crowd.01"),
            // 4.3.0 signals its own half of a fork else, which forgets it.
            Hello("a"),
            Stop("crowd:a"),
            Told("ear", "STATE_STOPPED…processname:a"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a name that is not ASCII",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE_STARTING,REMOTE_COMMUNICATION
startsecs=0

[program:w\u{e9}b]
command={child} forever
autostart=false
startsecs=0
",
        steps: &[
            Start("w\u{e9}b"),
            Told("ear", "STATE_STARTING…processname:w\u{e9}b"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "two types of a family, and nothing else is counted",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE_STOPPED,PROCESS_STATE_EXITED,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} on:USR1:exit:0 hello forever
autostart=false
autorestart=false
startsecs=0
",
        steps: &[
            Start("x"),
            Hello("x"),
            Send("one", ""),
            Told("ear", "type:one"),
            Sig("x", Signal::USR1),
            Told("ear", "STATE_EXITED…processname:x"),
            Start("x"),
            Hello("x"),
            Send("two", ""),
            Told("ear", "type:two"),
            Stop("x"),
            Told("ear", "STATE_STOPPED…processname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "types are found in small letters, too",
        config: "
[eventlistener:ear]
command={listener} good
events=process_state_running , Remote_Communication
startsecs=0

[program:x]
command={child} forever
autostart=false
startsecs=0
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Start("x"),
            Told("ear", "STATE_RUNNING…processname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a type and its parent",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_STATE,PROCESS_STATE_RUNNING,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} forever
autostart=false
startsecs=0
",
        steps: &[
            Told("ear", "STATE_RUNNING…processname:ear"),
            Start("x"),
            Told("ear", "STATE_RUNNING…processname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
];
