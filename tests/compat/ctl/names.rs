//! Names that are long, odd, or mean something else.
//!
//! In: programs whose names nobody would choose. Out: how they are shown and found.

use super::play::Play;
use super::stage;

stage!(names);

const NAMES: &[&str] = &[
    "a-name-that-is-longer-than-thirty-letters-altogether",
    "x.y@z+1",
    "w\u{e9}b\u{1f600}",
    "100%%",
    "all",
    "status",
    "*",
    "w*b",
    "-x",
    "[b]",
    "a,b",
    "<&>",
    "\"quoted\"",
    "0",
];

fn config() -> String {
    let one = "command={child} hello forever\nautostart=false\nstartsecs=0\n";
    let mut config: String = NAMES.iter().map(|name| format!("\n[program:{name}]\n{one}")).collect();
    config.push_str(&format!(
        "\n[program:n]\nprocess_name=%(program_name)s-%(process_num)d\nnumprocs=12\nnumprocs_start=8\n{one}\
         \n[group:n\u{fc}ll]\nprograms=inner\n[program:inner]\nprocess_name=in.ner\n{one}"
    ));
    config
}

pub(super) fn names(play: &mut Play) {
    play.start(&config());
    let _awake = play.stay_awake();
    play.each(&[
        "status",
        "avail",
        "status x.y@z+1 0",
        "status w\u{e9}b\u{1f600}",
        "status 100%",
        "status 100%%",
        "status n:n-8 n:n-19 n:n-20",
        "status n:*",
        "status n\u{fc}ll:in.ner",
        "status n\u{fc}ll:*",
        "status *",
        "status *:*",
        "status w*b",
        "status -x",
        "status [b] a,b <&> '\"quoted\"'",
        "status all:all",
        "status all:*",
        "start all:all",
        "stop all:all",
        "start all:*",
        "stop all:*",
        "start w\u{e9}b\u{1f600}",
        "stop w\u{e9}b\u{1f600}",
        "start n:n-9 n\u{fc}ll:in.ner",
        "restart n\u{fc}ll:*",
        "pid 0",
        "pid * w*b",
        "start * -x <&>",
        "stop *",
        "stop w*b -x <&> '\"quoted\"'",
        "signal 0 *",
        "signal HUP w\u{e9}b\u{1f600}",
        "tail w\u{e9}b\u{1f600}",
        "tail -f w\u{e9}b\u{1f600}-not",
        "tail -x -x",
        "clear w\u{e9}b\u{1f600} 100%",
        "remove w\u{e9}b\u{1f600}",
        "add w\u{e9}b\u{1f600}",
        "remove all",
        "add all",
        "remove *",
        "status a-name-that-is-longer-than-thirty-letters-altogether",
        "update *",
        "update -x",
    ]);
}
