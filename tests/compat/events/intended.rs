//! The one table of what listeners of ours are meant to be told otherwise than those of 4.3.0, each row with a reason that a
//! user would accept.
//!
//! In: the record of a scenario. Out: the record as it is to be with us. A row whose lines are not recorded (any more) is out of
//! date and fails, and as what it puts in their place is compared, it fails as well where the difference is gone.

use std::collections::BTreeSet;

/// Some lines that differ on purpose.
struct Intended {
    scenario: &'static str,
    /// Whole lines of the record that follow each other, and what there is instead.
    theirs: &'static str,
    ours: &'static str,
    reason: &'static str,
}

const INTENDED: &[Intended] = &[
    Intended {
        scenario: "letters that are not ASCII",
        theirs: "ver:3.0 server:supervisor serial:0 pool:ear poolserial:0 eventname:REMOTE_COMMUNICATION len:23
| type:gr\u{fc}\u{df}e\\nh\u{e9}llo w\u{f6}
+ rld\\n
ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:REMOTE_COMMUNICATION len:13
| type:more\\n\u{20ac}
+  \u{1f600}",
        ours: "ver:3.0 server:supervisor serial:0 pool:ear poolserial:0 eventname:REMOTE_COMMUNICATION len:27
| type:gr\u{fc}\u{df}e\\nh\u{e9}llo w\u{f6}rld\\n
ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:REMOTE_COMMUNICATION len:18
| type:more\\n\u{20ac} \u{1f600}",
        reason: IN_BYTES,
    },
    Intended {
        scenario: "text that is not ASCII",
        theirs: "ver:3.0 server:supervisor serial:0 pool:ear poolserial:0 eventname:PROCESS_LOG_STDOUT len:56
| processname:x groupname:x pid:#1 channel:stdout\\nh\u{e9}llo \\xf0
+ \\x9f\\x98\\x80\\n
ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:PROCESS_COMMUNICATION_STDERR len:37
| processname:x groupname:x pid:#1\\ngr\u{fc}
+ n",
        ours: "ver:3.0 server:supervisor serial:0 pool:ear poolserial:0 eventname:PROCESS_LOG_STDOUT len:60
| processname:x groupname:x pid:#1 channel:stdout\\nh\u{e9}llo \u{1f600}\\n
ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:PROCESS_COMMUNICATION_STDERR len:38
| processname:x groupname:x pid:#1\\ngr\u{fc}n",
        reason: IN_BYTES,
    },
    Intended {
        scenario: "a name that is not ASCII",
        theirs: "ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:PROCESS_STATE_STARTING len:56
| processname:w\u{e9}b groupname:w\u{e9}b from_state:STOPPED tries
+ :0",
        ours: "ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:PROCESS_STATE_STARTING len:58
| processname:w\u{e9}b groupname:w\u{e9}b from_state:STOPPED tries:0",
        reason: IN_BYTES,
    },
    Intended {
        scenario: "a type and its parent",
        theirs: "ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:PROCESS_STATE_RUNNING len:56
| processname:ear groupname:ear from_state:STARTING pid:#1
ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:PROCESS_STATE_RUNNING len:56
| processname:ear groupname:ear from_state:STARTING pid:#1",
        ours: "ver:3.0 server:supervisor serial:1 pool:ear poolserial:1 eventname:PROCESS_STATE_RUNNING len:56
| processname:ear groupname:ear from_state:STARTING pid:#1",
        reason: ONCE,
    },
    Intended {
        scenario: "a type and its parent",
        theirs: "event 1: sent, accepted, ready
event 1: sent, accepted, ready",
        ours: "event 1: sent, accepted, ready",
        reason: ONCE,
    },
    Intended {
        scenario: "a type and its parent",
        theirs: "ver:3.0 server:supervisor serial:3 pool:ear poolserial:3 eventname:PROCESS_STATE_RUNNING len:52
| processname:x groupname:x from_state:STARTING pid:#1
ver:3.0 server:supervisor serial:3 pool:ear poolserial:3 eventname:PROCESS_STATE_RUNNING len:52
| processname:x groupname:x from_state:STARTING pid:#1",
        ours: "ver:3.0 server:supervisor serial:3 pool:ear poolserial:3 eventname:PROCESS_STATE_RUNNING len:52
| processname:x groupname:x from_state:STARTING pid:#1",
        reason: ONCE,
    },
    Intended {
        scenario: "a type and its parent",
        theirs: "event 3: sent, accepted, ready
event 3: sent, accepted, ready",
        ours: "event 3: sent, accepted, ready",
        reason: ONCE,
    },
    Intended {
        scenario: "pools of the same priority",
        theirs: "other is told:
begins
ver:3.0 server:supervisor serial:0 pool:other poolserial:0 eventname:REMOTE_COMMUNICATION len:9
| type:one\\n
ver:3.0 server:supervisor serial:0 pool:other poolserial:0 eventname:REMOTE_COMMUNICATION len:9
| type:one\\n",
        ours: "other is told:
begins
ver:3.0 server:supervisor serial:0 pool:other poolserial:0 eventname:REMOTE_COMMUNICATION len:9
| type:one\\n",
        reason: OWN_POOL,
    },
    Intended {
        scenario: "pools of the same priority",
        theirs: "DEBG other: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready
event 0: sent, accepted, ready",
        ours: "DEBG other: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready",
        reason: OWN_POOL,
    },
    Intended {
        scenario: "pools of the same priority that have not subscribed",
        theirs: "other is told:
begins
ver:3.0 server:supervisor serial:0 pool:other poolserial:0 eventname:REMOTE_COMMUNICATION len:9
| type:one\\n
ver:3.0 server:supervisor serial:2 pool:other poolserial:1 eventname:PROCESS_STATE_STOPPING len:51",
        ours: "other is told:
begins
ver:3.0 server:supervisor serial:2 pool:other poolserial:0 eventname:PROCESS_STATE_STOPPING len:51",
        reason: OWN_POOL,
    },
    Intended {
        scenario: "pools of the same priority that have not subscribed",
        theirs: "DEBG other: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready",
        ours: "DEBG other: ACKNOWLEDGED -> READY",
        reason: OWN_POOL,
    },
    Intended {
        scenario: "a result of no length, and silence",
        theirs: "DEBG event 0 sent to listener ear",
        ours: "DEBG event 0 sent to listener ear
WARN ear: event was rejected
DEBG ear: BUSY -> ACKNOWLEDGED",
        reason: "a result of no bytes is complete when its length is known, and waits for none",
    },
    Intended {
        scenario: "less than nothing",
        theirs: "DEBG event 0 sent to listener ear",
        ours: "DEBG event 0 sent to listener ear
WARN ear: bad result line: 'RESULT -1'
DEBG ear: BUSY -> UNKNOWN
WARN ear: has entered the UNKNOWN state and will no longer receive events, this usually indicates the process violated the \
               eventlistener protocol",
        reason: "no result is shorter than nothing; 4.3.0 looks for the end of it until Python has enough, and hears no more",
    },
    Intended {
        scenario: "less than nothing",
        theirs: "warnings:
CRIT uncaptured python exception, closing channel",
        ours: "",
        reason: "no result is shorter than nothing; 4.3.0 looks for the end of it until Python has enough, and hears no more",
    },
    Intended {
        scenario: "a closed standard input, and the next one of the pool hears it",
        theirs: "DEBG epipe occurred while sending event 0 to listener ears_0, listener state unchanged
DEBG epipe occurred while sending event 1 to listener ears_0, listener state unchanged",
        ours: "DEBG event 0 sent to listener ears_0",
        reason: "whoever has closed its standard input will never hear: that is said once, and it is not tried again",
    },
    Intended {
        scenario: "a closed standard input, and the next one of the pool hears it",
        theirs: "DEBG ears_1: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready
event 1: sent, accepted, ready",
        ours: "DEBG ears_1: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready
event 1: sent, accepted, ready
warnings:
WARN ears_0 gets no events until it is started again: it has closed its standard input",
        reason: "a listener that hears nothing any more is worth a warning",
    },
    Intended {
        scenario: "what waits in a pool that is removed is lost",
        theirs: "event 3: sent, accepted, ready
event 4: sent, accepted, ready",
        ours: "event 3: sent, accepted, ready
event 4: sent, accepted, ready
warnings:
WARN pool ear is gone, and 3 events with it that no listener has taken",
        reason: "that events are lost is worth a warning",
    },
    Intended {
        scenario: "whoever agrees and does not listen",
        theirs: "| type:large\\n012345678901234567890123456789012345678901234567… and so on: e925b51d
main log of ear:
DEBG ear: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready
main log of other:
DEBG other: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready",
        ours: "| type:large\\n012345678901234567890123456789012345678901234567… and so on: e925b51d
ver:3.0 server:supervisor serial:1 pool:other poolserial:1 eventname:PROCESS_LOG_STDOUT len:53
| processname:x groupname:x pid:#1 channel:stdout\\nmore\\n
main log of ear:
DEBG ear: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready
main log of other:
DEBG other: ACKNOWLEDGED -> READY
event 0: sent, accepted, ready
event 1: sent, accepted, ready",
        reason: "4.3.0 dies of a pipe that is full; what one listener does not read hurts nobody else",
    },
    Intended {
        scenario: "whoever agrees and does not listen",
        theirs: "other is told of PROCESS_LOG_STDOUT…more: false
supervisord ended: exit status: 1",
        ours: "other is told of PROCESS_LOG_STDOUT…more: true
supervisord ended: exit status: 0",
        reason: "4.3.0 dies of a pipe that is full; what one listener does not read hurts nobody else",
    },
];

const IN_BYTES: &str =
    "the length is told in bytes, as the manual has it, so that whoever reads bytes keeps step";

const ONCE: &str = "who has subscribed to a type and to its parent is told of an event once";

const OWN_POOL: &str =
    "what a listener rejects is told again in its own pool, and not in all that happen to have its priority";

/// What the record of this scenario is to be with us.
pub(super) fn as_intended(scenario: &str, recorded: &[String]) -> Result<Vec<String>, String> {
    let mut lines = recorded.to_vec();
    for row in INTENDED.iter().filter(|row| row.scenario == scenario) {
        let theirs: Vec<&str> = row.theirs.lines().collect();
        let places: Vec<usize> = lines
            .windows(theirs.len())
            .enumerate()
            .filter(|(_, part)| *part == theirs)
            .map(|(at, _)| at)
            .collect();
        let &[at] = places.as_slice() else {
            return Err(format!("4.3.0 shows this in {} places, not in one:\n{}", places.len(), row.theirs));
        };
        lines.splice(at..at + theirs.len(), row.ours.lines().map(str::to_owned));
    }
    Ok(lines)
}

/// # Panics
/// When a row is about none of these scenarios, or says nothing.
#[track_caller]
pub(super) fn every_row_is_of_one_of(scenarios: &BTreeSet<&str>) {
    for row in INTENDED {
        assert!(scenarios.contains(row.scenario), "there is no scenario {:?}", row.scenario);
        assert!(row.reason.len() > 20, "{} needs a reason", row.scenario);
        assert!(!row.theirs.is_empty() && row.theirs != row.ours, "{} says nothing", row.scenario);
    }
}

#[test]
fn a_row_that_is_out_of_date_is_noticed() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let theirs = "DEBG event 0 sent to listener ear";
    let recorded = lines(&format!("main log of ear:\n{theirs}\nwarnings:"));
    let ours = as_intended("a result of no length, and silence", &recorded).expect("the row fits");
    assert!(ours.contains(&"WARN ear: event was rejected".to_owned()), "{ours:?}");
    for other in ["main log of ear:".to_owned(), format!("{theirs}\n{theirs}")] {
        let outcome = as_intended("a result of no length, and silence", &lines(&other));
        assert!(outcome.is_err(), "{outcome:?}");
    }
    assert_eq!(as_intended("a start and a stop", &recorded), Ok(recorded));
}
