//! Groups that come and go, pools among them.
//!
//! In: nothing. Out: rows.

use super::scenario::Scenario;
use super::scenario::Step::{Config, Ctl, Last, Log, Send, Start, Stop, Told};

pub(super) const ROWS: &[Scenario] = &[
    Scenario {
        name: "a group is added and removed",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_GROUP,REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Told("ear", "GROUP_ADDED…groupname:ear"),
            Config(
                "
[eventlistener:ear]
command={listener} good
events=PROCESS_GROUP,REMOTE_COMMUNICATION
startsecs=0

[program:x]
command={child} forever
autostart=false
",
            ),
            Ctl("reread"),
            Ctl("add x"),
            Told("ear", "GROUP_ADDED…groupname:x"),
            Ctl("remove x"),
            Told("ear", "GROUP_REMOVED…groupname:x"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "an update adds, changes and removes",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_GROUP,REMOTE_COMMUNICATION
startsecs=0

[program:gone]
command={child} forever
autostart=false

[program:changed]
command={child} forever
autostart=false
",
        steps: &[
            Told("ear", "GROUP_ADDED…groupname:gone"),
            Config(
                "
[eventlistener:ear]
command={listener} good
events=PROCESS_GROUP,REMOTE_COMMUNICATION
startsecs=0

[program:changed]
command={child} hello forever
autostart=false

[program:new]
command={child} forever
autostart=false
",
            ),
            Ctl("update"),
            Told("ear", "GROUP_ADDED…groupname:new"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a pool hears that it is there, and not that it goes",
        config: "
[eventlistener:ear]
command={listener} good
events=PROCESS_GROUP,REMOTE_COMMUNICATION
startsecs=0
priority=1
",
        steps: &[
            Told("ear", "GROUP_ADDED…groupname:ear"),
            Config(
                "
[eventlistener:ear]
command={listener} good
events=PROCESS_GROUP,REMOTE_COMMUNICATION
startsecs=0
priority=1

[eventlistener:late]
command={listener} good
events=PROCESS_GROUP,REMOTE_COMMUNICATION
startsecs=0
priority=2
",
            ),
            Ctl("reread"),
            Ctl("add late"),
            Told("late", "GROUP_ADDED…groupname:late"),
            Send("one", ""),
            Last("late", "type:one"),
            Stop("late"),
            Log("stopped: late"),
            Ctl("remove late"),
            Told("ear", "GROUP_REMOVED…groupname:late"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "a pool that is made anew counts anew",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION
startsecs=0
",
        steps: &[
            Send("one", ""),
            Send("two", ""),
            Last("ear", "type:two"),
            Config(
                "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION,PROCESS_GROUP
startsecs=0
buffer_size=20
",
            ),
            Ctl("update"),
            Told("ear", "GROUP_ADDED…groupname:ear"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
    Scenario {
        name: "what waits in a pool that is removed is lost",
        config: "
[eventlistener:ear]
command={listener} good
events=REMOTE_COMMUNICATION,PROCESS_GROUP
startsecs=0
autostart=false
",
        steps: &[
            Send("one", ""),
            Send("two", ""),
            Ctl("remove ear"),
            Ctl("add ear"),
            Start("ear"),
            Send("end", ""),
            Last("ear", "type:end"),
        ],
    },
];
