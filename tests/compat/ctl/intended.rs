//! The one table of what our supervisorctl, or our daemon under somebody's supervisorctl, is meant to show differently from 4.3.0,
//! each with a reason that a user would accept.
//!
//! In: a record, and what a pair has shown. Out: whether all that differs is meant. A row that no longer differs is out of
//! date, and fails.

use super::play::Pair;
use super::record::Entry;
use crate::calls::fits;

/// An outcome that differs on purpose.
struct Intended {
    stage: &'static str,
    /// Whole calls, as they are recorded.
    calls: &'static [&'static str],
    pairs: &'static [Pair],
    /// The outcome; `…` stands for anything.
    ours: &'static str,
    reason: &'static str,
}

/// It is our client that differs, whatever daemon it has.
const CLIENT: &[Pair] = &[Pair::OurClient, Pair::Ours];

/// It is our daemon that differs, whatever client it has.
const DAEMON: &[Pair] = &[Pair::OurDaemon, Pair::Ours];

/// It takes both of ours.
const BOTH: &[Pair] = &[Pair::Ours];

const INTENDED: &[Intended] = &[
    Intended {
        stage: "changes",
        calls: &["update crowd new"],
        pairs: BOTH,
        ours: "| crowd: updated process group\n| new: added process group\n= 0",
        reason: "a group is changed in place, so what goes on running is not told to be stopped",
    },
    Intended {
        stage: "changes",
        calls: &["update"],
        pairs: BOTH,
        ours: "| other: updated process group\n= 0",
        reason: "a group is changed in place, so what goes on running is not told to be stopped",
    },
    Intended {
        stage: "changes",
        calls: &["update"],
        pairs: BOTH,
        ours: "| crowd: stopped\n| crowd: removed process group\n| other: stopped\n| other: removed process group\n\
               | newer: stopped\n| newer: removed process group\n| new: stopped\n| new: removed process group\n= 0",
        reason: "groups go in the order in which they stand, and one that was changed in place has kept its own",
    },
    Intended {
        stage: "options",
        calls: &["supervisorctl -c {dir}/broken.conf pid"],
        pairs: CLIENT,
        ours: "! Error: File contains no section headers.\n! file: 'DIR/broken.conf', line: 1\n! 'serverurl=x\\\\n'\n\
               ! For help, use supervisorctl -h\n= 2",
        reason: "a file that cannot be read is an error like others, and no traceback with status 1",
    },
    Intended {
        stage: "options",
        calls: &["supervisorctl -c {dir}/unknown-name.conf pid"],
        pairs: CLIENT,
        ours: "! Error: Format string 'unix://%(nowhere)s' for 'supervisorctl.serverurl' contains names ('nowhere') which \
               cannot be expanded. Available names: here, ENV_* for … environment variables\n\
               ! For help, use supervisorctl -h\n= 2",
        reason: "environment variables are counted and not listed: there are many, and some are secret",
    },
    Intended {
        stage: "options",
        calls: &["supervisorctl --json pid"],
        pairs: CLIENT,
        ours: "| {…\"exit_status\":7…}\n= 7",
        reason: "a new option, which 4.3.0 does not know: every verb answers with a document",
    },
    Intended {
        stage: "options",
        calls: &["supervisorctl -i pid\n< pid"],
        pairs: CLIENT,
        ours: "| unix://DIR/s.sock no such file\n| unix://DIR/s.sock no such file\n\
               | supervisor> unix://DIR/s.sock no such file\n| supervisor>\\s\n= 0",
        reason: "-i opens the shell behind the action, as the manual says that it does",
    },
    Intended {
        stage: "shells",
        calls: &["-i pid web\n< quit", "-i status nobody", "-i shutdown\n< n\n< quit", "-i reload\n< no"],
        pairs: CLIENT,
        ours: "…\n| web                              RUNNING   pid PID, uptime UPTIME\n| supervisor>\\s\n= 0",
        reason: "-i opens the shell behind the action, as the manual says that it does",
    },
    Intended {
        stage: "typed_shutdowns",
        calls: &["-i shutdown\n< Y"],
        pairs: CLIENT,
        ours: "| Really shut the remote supervisord process down y/N? Shut down\n| …\n| supervisor>\\s\n= 0",
        reason: "-i opens the shell behind the action; how much of the daemon that finds is left to chance",
    },
    Intended {
        stage: "verbs",
        calls: &["help EOF"],
        pairs: CLIENT,
        ours: "| EOF  …\n= 0",
        reason: "what may be typed has its help",
    },
    Intended {
        stage: "running",
        calls: &["status *"],
        pairs: CLIENT,
        ours: "| crowd:first                      RUNNING   pid PID, uptime UPTIME\n…\
               | web                              RUNNING   pid PID, uptime UPTIME\n= 0",
        reason: "a pattern means all that it fits, where no process has it for a name",
    },
    Intended {
        stage: "running",
        calls: &["start *"],
        pairs: CLIENT,
        ours: "= 0",
        reason: "a pattern means all that it fits, as far as they are not running",
    },
    Intended {
        stage: "running",
        calls: &["tail -99999999999 web"],
        pairs: CLIENT,
        ours: "| one\n| two\n| thr\u{e9}\u{e9}\n|\n= 0",
        reason: "there is no more to show than there is, and Python's limits are nobody's affair",
    },
    Intended {
        stage: "running",
        calls: &["tail -f nobody", "tail -f nobody:nobody stderr"],
        pairs: CLIENT,
        ours: "| ==> Press Ctrl-C to exit <==\n! unix://DIR/s.sock/logtail/nobody… Cannot read, status code 404\n= 1",
        reason: "what cannot be followed is a failure, and scripts should notice",
    },
    Intended {
        stage: "names",
        calls: &["tail -f w\u{e9}b\u{1f600}-not"],
        pairs: CLIENT,
        ours: "| ==> Press Ctrl-C to exit <==\n\
               ! unix://DIR/s.sock/logtail/w\u{e9}b\u{1f600}-not/stdout Cannot read, status code 404\n= 1",
        reason: "what cannot be followed is a failure, and scripts should notice",
    },
    Intended {
        stage: "running",
        calls: &["clear crowd:*"],
        pairs: CLIENT,
        ours: "| crowd:*: ERROR (no such process)\n= 1",
        reason: "the name is told as it was typed; there is no process None",
    },
    Intended {
        stage: "running",
        calls: &["clear nobody:"],
        pairs: CLIENT,
        ours: "| nobody:: ERROR (no such process)\n= 1",
        reason: "the name is told as it was typed; there is no process None",
    },
    Intended {
        stage: "changed",
        calls: &["start crowd:*"],
        pairs: DAEMON,
        ours: "| crowd:three: ERROR (no such file)\n| crowd:two: started\n= 1",
        reason: "results come as they are known, and what is not there is known before what is",
    },
    Intended {
        stage: "changed",
        calls: &["start crowd:one crowd:* nobody"],
        pairs: DAEMON,
        ours: "| crowd:one: started\n| crowd:three: ERROR (no such file)\n| crowd:two: started\n\
               | nobody: ERROR (no such process)\n= 1",
        reason: "results come as they are known, and what is not there is known before what is",
    },
    Intended {
        stage: "streams",
        calls: &["status \\xff", "LC_ALL=C status \\xff"],
        pairs: CLIENT,
        ours: "| \u{fffd}: ERROR (no such process)\n= 4",
        reason: "what is no text is shown as what can be shown; no process has such a name",
    },
    Intended {
        stage: "streams",
        calls: &["\\xff", "LC_ALL=C \\xff"],
        pairs: CLIENT,
        ours: "| *** Unknown syntax: \u{fffd}\n= 1",
        reason: "what is no text is shown as what can be shown; no verb has such a name",
    },
    Intended {
        stage: "streams",
        calls: &["start \\xff\\xfe web", "LC_ALL=C start \\xff\\xfe web"],
        pairs: CLIENT,
        ours: "| \u{fffd}\u{fffd}: ERROR (no such process)\n| web: ERROR (already started)\n= 1",
        reason: "4.3.0 sends what is no XML, and then goes on with none of the other names",
    },
    Intended {
        stage: "streams",
        calls: &["status > /dev/full"],
        pairs: CLIENT,
        ours: "! error: cannot write to standard output: No space left on device (os error 28)\n= 3",
        reason: "one line instead of a traceback, and the status of the verb, or 1, instead of 120",
    },
    Intended {
        stage: "streams",
        calls: &["start nobody:* > /dev/full"],
        pairs: CLIENT,
        ours: "! error: cannot write to standard output: No space left on device (os error 28)\n= 2",
        reason: "one line instead of a traceback, and the status of the verb, or 1, instead of 120",
    },
    Intended {
        stage: "streams",
        calls: &[
            "status web > /dev/full",
            "pid > /dev/full",
            "stop nobody > /dev/full",
            "nosuch > /dev/full",
            "avail > /dev/full",
            "version > /dev/full",
            "supervisorctl -c FILE > /dev/full\n< status\n< quit",
        ],
        pairs: CLIENT,
        ours: "! error: cannot write to standard output: No space left on device (os error 28)\n= 1",
        reason: "one line instead of a traceback, and the status of the verb, or 1, instead of 120",
    },
    Intended {
        stage: "streams",
        calls: &["status | nobody"],
        pairs: CLIENT,
        ours: "= 3",
        reason: "a reader that has read enough is no failure, and no reason for a traceback",
    },
    Intended {
        stage: "streams",
        calls: &["start nobody:* | nobody"],
        pairs: CLIENT,
        ours: "= 2",
        reason: "a reader that has read enough is no failure, and no reason for a traceback",
    },
    Intended {
        stage: "streams",
        calls: &["stop nobody | nobody", "nosuch | nobody"],
        pairs: CLIENT,
        ours: "= 1",
        reason: "a reader that has read enough is no failure, and no reason for a traceback",
    },
    Intended {
        stage: "streams",
        calls: &[
            "status web | nobody",
            "pid | nobody",
            "avail | nobody",
            "version | nobody",
            "start w\u{e9}b | nobody",
            "supervisorctl -c FILE | nobody\n< status\n< quit",
        ],
        pairs: CLIENT,
        ours: "= 0",
        reason: "a reader that has read enough is no failure, and no reason for a traceback",
    },
];

/// # Panics
/// When something differs without a reason, or does not though it should.
#[track_caller]
pub(super) fn judge(stage: &str, pair: Pair, recorded: &[Entry], seen: &[Entry]) {
    let calls = |entries: &[Entry]| entries.iter().map(|entry| entry.call.clone()).collect::<Vec<_>>();
    assert_eq!(
        calls(seen),
        calls(recorded),
        "{stage}: the record is of other calls; PROVOST_RECORD=1 makes it anew"
    );
    let mut expected: Vec<(&Intended, &str)> = INTENDED
        .iter()
        .filter(|row| row.stage == stage && row.pairs.contains(&pair))
        .flat_map(|row| row.calls.iter().map(move |call| (row, *call)))
        .collect();
    let mut unexplained = String::new();
    for (recorded, seen) in recorded.iter().zip(seen) {
        if alike(pair, &recorded.outcome, &seen.outcome) {
            continue;
        }
        let row = expected
            .iter()
            .position(|(row, call)| seen.call == format!("$ {call}") && fits(row.ours, &seen.outcome));
        match row {
            Some(row) => drop(expected.swap_remove(row)),
            None => unexplained.push_str(&format!(
                "{}\n---- recorded\n{}\n++++ seen\n{}\n\n",
                seen.call, recorded.outcome, seen.outcome
            )),
        }
    }
    assert!(unexplained.is_empty(), "{stage}, {pair:?}: differs without a reason:\n{unexplained}");
    let stale: Vec<&str> = expected.iter().map(|(_, call)| *call).collect();
    assert!(
        stale.is_empty(),
        "{stage}, {pair:?}: these do not differ any more as they are meant to: {stale:#?}"
    );
}

/// The same, but for three ways in which every verb of our client is meant to differ.
fn alike(pair: Pair, recorded: &str, seen: &str) -> bool {
    let spurious = |line: &str| pair.has_our_client() && line.contains(SPURIOUS);
    let (mut theirs, mut ours) = (recorded.lines().filter(|line| !spurious(line)), seen.lines());
    loop {
        match (theirs.next(), ours.next()) {
            (None, None) => return true,
            (Some(theirs), Some(ours)) if theirs == ours => {}
            (Some(theirs), Some(ours)) if pair.has_our_client() && same_error(theirs, ours) => {}
            _ => return false,
        }
    }
}

/// What 4.3.0 says behind "Server requires authentication", which has said it all.
const SPURIOUS: &str = "<ProtocolError for 127.0.0.1/RPC2: 401 Unauthorized>";

/// An exception of Python's has a detail of our own behind `error: `; and `update` tells of a file that cannot be read as
/// `reread` does.
fn same_error(theirs: &str, ours: &str) -> bool {
    let Some((before, theirs)) = theirs.split_once("error: <class ") else { return false };
    let Some(ours) = ours.strip_prefix(before) else { return false };
    if let Some(told) = ours.strip_prefix("ERROR: ") {
        return update_error(theirs, told);
    }
    let Some(ours) = ours.strip_prefix("error: ") else { return false };
    let fault =
        theirs.split_once("<Fault ").map(|(_, fault)| fault.trim_end_matches(": file: FILE line: LINE"));
    match fault {
        // What is searched for in logs.
        Some(fault) => ours == format!("<Fault {fault}"),
        None => !ours.is_empty() && !ours.contains("<class "),
    }
}

fn update_error(theirs: &str, ours: &str) -> bool {
    let Some((_, fault)) = theirs.split_once("<Fault 92: ") else { return false };
    let fault = fault.trim_end_matches(">: file: FILE line: LINE");
    ours.starts_with("CANT_REREAD: ")
        && [format!("'{ours}'"), format!("\"{ours}\"")].contains(&fault.to_owned())
}

#[test]
fn every_row_has_a_reason() {
    for row in INTENDED {
        assert!(row.reason.len() > 20, "{:?} needs a reason", row.calls);
        assert!(row.ours != "…" && !row.calls.is_empty(), "{:?} says nothing", row.calls);
    }
}

#[test]
fn a_detail_of_our_own_is_no_difference_and_another_fault_is() {
    let theirs =
        "| error: <class 'xmlrpc.client.Fault'>, <Fault 6: 'SHUTDOWN_STATE'>: file: FILE line: LINE\n= 1";
    assert!(alike(Pair::Ours, theirs, "| error: <Fault 6: 'SHUTDOWN_STATE'>\n= 1"));
    assert!(!alike(Pair::Ours, theirs, "| error: <Fault 7: 'SHUTDOWN_STATE'>\n= 1"));
    assert!(!alike(Pair::Ours, theirs, "| error: <Fault 6: 'SHUTDOWN_STATE'>\n= 2"));
    assert!(!alike(Pair::OurDaemon, theirs, "| error: <Fault 6: 'SHUTDOWN_STATE'>\n= 1"));
    let theirs = "| supervisor> error: <class 'OSError'>, no: file: FILE line: LINE";
    assert!(alike(Pair::Ours, theirs, "| supervisor> error: cannot talk to x"));
    assert!(!alike(Pair::Ours, theirs, "| error: cannot talk to x"));
}
