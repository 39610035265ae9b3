//! A daemon that is about to go, and one that goes.
//!
//! In: a program that will not end. Out: what is said while everything waits for it, and when it is over.

use super::play::{Play, row};
use super::stage;

stage!(ending);
stage!(shutdowns);
stage!(reloads);
stage!(typed_shutdowns);

const STUBBORN: &str = "
[program:stubborn]
command={child} ignore:USR1 ignore:TERM 'write:hello\\n' taken hello forever
startsecs=0
stopwaitsecs=3600
";

/// While it shuts down.
pub(super) fn ending(play: &mut Play) {
    play.start(STUBBORN);
    play.wait_for_stubborn("stubborn");
    play.wait_for_running(&["stubborn"]);
    play.each(&["status", "shutdown"]);
    play.wait_for_log("waiting for stubborn to die");
    play.each(&[
        "status",
        "status nobody",
        "pid",
        "pid stubborn",
        "start stubborn",
        "start",
        "stop stubborn",
        "stop all",
        "restart stubborn",
        "signal USR1 stubborn",
        "clear stubborn",
        "tail stubborn",
        "tail -f nobody",
        "maintail",
        "version",
        "fg stubborn",
        "avail",
        "reread",
        "update",
        "update stubborn",
        "add stubborn",
        "add a b",
        "remove stubborn",
        "shutdown",
        "reload",
        "open unix://{dir}/s.sock",
    ]);
    play.run(&row("").typed("pid\nshutdown\ny\nreload\ny\nadd x\nquit\n"));
    play.release();
    play.daemon().wait_for_end();
    play.each(&["status", "pid", "shutdown", "reload", "avail"]);
}

const PLAIN: &str = "
[program:web]
command={child} 'write:hello\\n' taken hello forever
startsecs=0
";

pub(super) fn shutdowns(play: &mut Play) {
    play.start(PLAIN);
    play.wait_for_running(&["web"]);
    play.follow(&row("tail -f web"), "hello", |play, ctl| {
        play.run(&row("shutdown"));
        play.daemon().wait_for_end();
        ctl.wait_until_gone();
    });
    play.each(&["shutdown", "status"]);
}

pub(super) fn reloads(play: &mut Play) {
    play.start(PLAIN);
    play.wait_for_running(&["web"]);
    play.each(&["reload"]);
    play.wait_for_running(&["web"]);
    play.each(&["status web", "pid nobody"]);
    play.run(&row("").typed("reload\nyes please\nquit\n"));
    play.wait_for_running(&["web"]);
    play.each(&["status"]);
}

pub(super) fn typed_shutdowns(play: &mut Play) {
    play.start(PLAIN);
    play.wait_for_running(&["web"]);
    play.run(&row("-i shutdown").typed("Y\n"));
    play.daemon().wait_for_end();
    play.each(&["pid"]);
}
