//! The configuration changes: `reread`, `update`, `add` and `remove`, and files that cannot be read.
//!
//! In: one file after the other. Out: what both clients tell of the difference.

use super::play::Play;
use super::stage;

stage!(changes);

const FIRST: &str = "
[program:same]
command={child} hello forever
startsecs=0

[program:going]
command={child} hello forever
startsecs=0

[program:off]
command={child} hello forever
autostart=false
startsecs=0

[program:other]
command={child} hello forever
startsecs=0

[group:crowd]
programs=one,two

[program:one]
command={child} hello forever
startsecs=0

[program:two]
command={child} hello forever
startsecs=0
";

const SAME: &str = "
[program:same]
command={child} hello forever
startsecs=0
";

/// `going` and `off` are gone, `other` is different, the group has lost one, and two are new.
const SECOND: &str = "
[program:other]
command={child} hello forever
startsecs=0
stopwaitsecs=7

[group:crowd]
programs=two

[program:two]
command={child} hello forever
startsecs=0

[program:new]
command={child} hello forever
startsecs=0

[program:newer]
command={child} hello forever
autostart=false
startsecs=0
";

pub(super) fn changes(play: &mut Play) {
    play.start(FIRST);
    let programs = ["same", "going", "other", "one", "two"];
    play.wait_for_running(&programs);
    let _awake = play.stay_awake();
    play.each(&["reread", "update", "avail"]);
    play.write_config(&format!("{SAME}{SECOND}"));
    play.each(&[
        "avail",
        "reread",
        "reread",
        "reread now",
        "avail",
        "add newer",
        "add newer",
        "add new nobody newer",
        "remove new",
        "stop new",
        "remove new",
        "remove new",
        "remove going",
        "remove off",
        "status",
        "update nobody",
        "update newer",
        "update going nobody",
        "update going",
        "update crowd new",
        "reread",
        "status",
        "update",
        "update",
        "status",
    ]);
    // What cannot be read.
    for broken in [
        "[program:new]\n",
        "[program:new]\ncommand={child} forever\nstartsecs=soon\n",
        "[program:new]\ncommand={child} forever\nautostart=perhaps\n",
        "[group:crowd]\nprograms=nobody\n",
        "[program:a b]\ncommand={child}\n",
        "[program:new\n",
    ] {
        play.write_config(&format!("{SAME}{broken}"));
        play.each(&["reread", "update", "update same"]);
    }
    play.each(&["avail", "status", "add new"]);
    play.write_config(SAME);
    play.each(&["update same", "update other", "update all", "status", "reread"]);
    play.write_config("");
    play.each(&[
        "reread",
        "update x same",
        "status",
        "avail",
        "pid all",
        "start all",
        "stop all",
        "clear all",
        "update",
    ]);
}
