//! Where output goes and in which locale: readers that leave, full disks, bytes that are no text.
//!
//! In: a daemon with a few programs. Out: what is printed, and how it ends if nothing can be printed.

use super::play::{Play, Stdout, row};
use super::stage;

stage!(streams);

const CONFIG: &str = "
[program:web]
command={child} 'write:gr\u{fc}n \\xff\\xfe\\n\\e[1mbold\\e[0m\\r\\n' taken hello forever
startsecs=0

[program:w\u{e9}b]
command={child} forever
autostart=false
startsecs=0
";

const LOCALES: &[&[(&str, &str)]] = &[
    &[("LC_ALL", "C")],
    &[("LC_ALL", "POSIX")],
    &[("LC_ALL", ""), ("LANG", "C")],
    &[("LC_ALL", "en_US.ISO-8859-1")],
];

pub(super) fn streams(play: &mut Play) {
    play.start(CONFIG);
    play.wait_for_running(&["web"]);
    let _awake = play.stay_awake();
    for environment in LOCALES {
        for line in ["status", "status w\u{e9}b", "start nobod\u{fd}", "pid w\u{e9}b"] {
            play.run(&row(line).environment(environment));
        }
    }
    for line in ["status \\xff", "start \\xff\\xfe web", "pid w\\xc3\\xa9b", "\\xff"] {
        play.run(&row(line));
        play.run(&row(line).environment(&[("LC_ALL", "C")]));
    }
    // Colours are for terminals, whatever a terminal is called.
    play.run(&row("status").environment(&[("TERM", "xterm-256color"), ("COLUMNS", "40")]));
    play.run(&row("status").environment(&[("CLICOLOR_FORCE", "1"), ("FORCE_COLOR", "1")]));
    for stdout in [Stdout::Full, Stdout::Unread] {
        for line in
            ["status", "status web", "pid", "stop nobody", "start nobody:*", "nosuch", "avail", "version"]
        {
            play.run(&row(line).into(stdout));
        }
    }
    play.run(&row("").typed("status\nquit\n").into(Stdout::Full));
    play.run(&row("").typed("status\nquit\n").into(Stdout::Unread));
    // It was done all the same.
    play.run(&row("start w\u{e9}b").into(Stdout::Unread));
    play.run(&row("status w\u{e9}b"));
}
