//! Programs in every state but RUNNING, and verbs that start, stop and signal them.
//!
//! In: a cast of programs parked in their states; those that are changed have a double. Out: the words of each verb.

use super::play::{Play, row};
use super::stage;

stage!(parked);
stage!(changed);

/// What ends with this status until there is a file.
macro_rules! until_go {
    ($status:literal) => {
        concat!(
            "command=/bin/sh -c 'test -e {dir}/go || exit ",
            $status,
            "; exec {child} ignore:USR1 forever'\n"
        )
    };
}

const STOPPED: &str = "command={child} ignore:USR1 forever\nautostart=false\nstartsecs=0\n";
const EXITED: &str = concat!(until_go!("0"), "autorestart=false\nstartsecs=0\n");
const CRASHED: &str = concat!(until_go!("3"), "autorestart=false\nstartsecs=0\n");
const FATAL: &str = concat!(until_go!("3"), "startsecs=1\nstartretries=0\n");
const STARTING: &str = "command={child} ignore:USR1 hello forever\nstartsecs=3600\n";
const STOPPING: &str =
    "command={child} ignore:USR1 ignore:TERM hello forever\nstartsecs=0\nstopwaitsecs=3600\n";
const RUNNING: &str = "command={child} ignore:USR1 hello forever\nstartsecs=0\n";

fn config(programs: &[(&str, &str)]) -> String {
    programs.iter().map(|(name, config)| format!("\n[program:{name}]\n{config}")).collect()
}

pub(super) fn parked(play: &mut Play) {
    play.start(&config(&[
        ("stopped", STOPPED),
        ("exited", EXITED),
        ("crashed", CRASHED),
        ("fatal", FATAL),
        ("starting", STARTING),
        ("stopping", STOPPING),
        ("backoff", "command={child} exit:3\nstartsecs=3600\nstartretries=1000\n"),
        ("missing", "command={dir}/nothing\nautostart=false\n"),
        ("noexec", "command={dir}/supervisord.conf\nautostart=false\n"),
        ("directory", "command={dir}\nautostart=false\n"),
        ("quick", "command={child} exit:3\nautostart=false\nstartsecs=3600\nstartretries=0\n"),
    ]));
    play.daemon().wait_for_hello("starting");
    play.wait_for_stubborn("stopping");
    // The next try of what backs off is then three seconds away.
    play.wait_for_each(&[
        ("success: stopping ", 1),
        ("exited: exited ", 1),
        ("exited: crashed ", 1),
        ("gave up: fatal ", 1),
        ("exited: backoff ", 3),
    ]);
    play.ask_unwaited("supervisor.stopProcess", "stopping");
    let _awake = play.stay_awake();
    play.between_tries(
        "backoff",
        &[
            "status",
            "status backoff",
            "pid backoff",
            "signal USR1 backoff",
            "start backoff",
            "fg backoff",
            "remove backoff",
        ],
    );
    play.each(&["stop backoff", "status backoff", "stop backoff", "remove backoff"]);
    play.each(&[
        "status",
        "status stopped",
        "status starting",
        "status stopping",
        "status starting stopping",
        "status fatal",
        "status crashed nobody",
        "status nobody starting",
        "status nobody:* stopped",
        "pid stopped",
        "pid starting stopping",
        "pid stopped starting",
        "pid starting stopped nobody",
        "pid fatal nobody",
        "pid all",
        "signal USR1 stopped",
        "signal USR1 starting",
        "signal USR1 stopping",
        "signal USR1 exited starting",
        "signal USR1 starting exited",
        "signal USR1 fatal nobody",
        "signal USR1 nobody fatal",
        "signal NOSUCH stopped",
        "signal USR1 stopped:*",
        "signal USR1 starting:*",
        "signal USR1 all",
        "stop stopped",
        "stop exited crashed fatal",
        "stop stopped nobody",
        "stop nobody stopped",
        "stop stopped:*",
        "start starting",
        "start starting starting",
        "start starting:*",
        "start missing",
        "start noexec",
        "start directory",
        "start quick",
        "start missing noexec starting",
        "start quick starting",
        "start quick missing",
        "start missing quick",
        "start missing:*",
        "start noexec: quick:",
        "restart missing",
        "restart quick",
        "restart quick:*",
        "tail stopped",
        "tail stopped stderr",
        "tail missing",
        "tail exited",
        "fg stopped",
        "fg starting",
        "clear exited",
        "avail",
        "remove starting",
        "remove stopping",
        "update",
        "reread",
        "status",
    ]);
}

const CROWD: &str = "
[group:crowd]
programs=one,two,three

[program:one]
command={child} ignore:USR1 forever
autostart=false
startsecs=0

[program:two]
command={child} ignore:USR1 forever
autostart=false
startsecs=0

[program:three]
command={dir}/nothing
autostart=false
startretries=0
";

pub(super) fn changed(play: &mut Play) {
    let alone = config(&[
        ("stopped", STOPPED),
        ("stopped2", STOPPED),
        ("exited", EXITED),
        ("crashed", CRASHED),
        ("fatal", FATAL),
        ("fatal2", FATAL),
        ("starting", STARTING),
        ("starting2", STARTING),
        ("running", RUNNING),
        ("running2", RUNNING),
    ]);
    play.start(&format!("{alone}{CROWD}"));
    for name in ["starting", "starting2", "running", "running2"] {
        play.daemon().wait_for_hello(name);
    }
    play.daemon().log().wait_for_all(&[
        "exited: exited ",
        "exited: crashed ",
        "gave up: fatal ",
        "gave up: fatal2 ",
        "success: running ",
        "success: running2 ",
    ]);
    play.write("go", "");
    let _awake = play.stay_awake();
    play.each(&[
        "start stopped",
        "start stopped stopped2",
        "stop stopped",
        "stop stopped stopped2",
        "stop stopped2",
        "start stopped nobody stopped2",
        "restart stopped",
        "restart stopped nobody",
        "restart nobody stopped2",
        "start exited crashed",
        "stop exited",
        "restart exited",
        "start fatal",
        "restart fatal2",
        "stop starting",
        "stop starting2 starting",
        "remove starting starting2",
        "restart running",
        "restart running running",
        "stop running:*",
        "start running:*",
        "restart running:*",
        "start crowd:one",
        "start crowd:*",
        "status crowd:*",
        "stop crowd:two",
        "signal USR1 crowd:*",
        "restart crowd:two",
        "stop crowd:one crowd:two crowd:one",
        "stop crowd:*",
        "start crowd:one crowd:* nobody",
        "'stop crowd:one' running",
        "start running nobody:* crowd:one",
        "start nobody:* missing running",
        "clear running crowd:two",
        "clear nobody running",
        "remove stopped",
    ]);
    play.run(&row("clear all").sorted());
    play.run(&row("signal USR1 all").sorted());
    play.run(&row("start nobody all").sorted());
    play.run(&row("stop all").sorted());
    play.run(&row("stop all").sorted());
    play.run(&row("restart all").sorted());
    play.run(&row("signal USR1 nobody all").sorted());
    play.run(&row("stop running nobody all").sorted());
    play.each(&[
        "remove stopped stopped2 nobody running",
        "add stopped",
        "add running stopped2 nobody",
        "status",
    ]);
}
