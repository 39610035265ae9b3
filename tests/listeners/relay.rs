//! supervisor-stdout: what programs say comes out of supervisord's own standard output, as many containers want it.
//!
//! In: `result_handler=supervisor_stdout:event_handler` as its README has it, on 4.3.0 with a module that does what the package does
//! (`plugin/`), on ours with nothing but the listener; and another package of that kind, whose handler is not built in. Out: the same bytes, and events
//! that are told once. Each piece is written when the one before has been read, so it
//! is known what one event holds.

use std::fs;

use provost_testkit::{Daemon, Implementation, Signal};

use super::{configuration, here, start};

const RELAY: &str = "silent=true

[program:web]
command={child} {words} hello forever
stdout_events_enabled=true
stderr_events_enabled=true
startsecs=0

[eventlistener:stdout]
command={bin}/python {here}/plugin/supervisor_stdout.py
buffer_size=100
events=PROCESS_LOG
result_handler=supervisor_stdout:event_handler
";

/// What is written at once, to stdout or to stderr.
const PIECES: &[(&str, &str)] = &[
    ("write", "one\\n"),
    ("write", "two\\nthree\\n"),
    ("ewrite", "of another kind\\n"),
    ("write", "no\\send"),
    ("write", ",\\sbut\\snow\\n"),
    ("write", "\\n"),
    ("write", "\\n\\nbehind\\snothing\\n"),
    ("write", "h\u{e9}llo\\sw\u{f6}rld\\s\u{20ac}\u{1f600}\\n"),
    ("write", "a\\rb\\r\\nc\\x0bd\\x0ce\\x1cf\\x1dg\\x1eh\\x1fi\u{85}j\u{2028}k\u{2029}l\\n"),
    ("write", "\\r\\n"),
    ("ewrite", "bad\\s\\xff\\n"),
    ("write", "last\\n"),
];

on_both!(who_has_a_handler_of_its_own_is_told_once);

#[test]
fn what_programs_say_comes_out_of_supervisords_stdout() {
    let mut theirs = Implementation::supervisor_4_3();
    let plugin = format!("PYTHONPATH={}", here("plugin").display());
    theirs.supervisord.splice(0..0, ["env".into(), plugin.into()]);
    let theirs = relayed(&theirs);
    assert!(
        theirs.starts_with("web stdout | one\nweb stdout | \nweb stdout | two\nweb stdout | three\n"),
        "{theirs}"
    );
    assert!(theirs.contains("web stdout | h\u{e9}llo w\u{f6}rld \u{20ac}\u{1f600}\n"), "{theirs}");
    assert_eq!(relayed(&Implementation::ours()), theirs);
}

fn relayed(implementation: &Implementation) -> String {
    let words = PIECES.iter().map(|(word, text)| {
        let taken = if *word == "write" { "taken" } else { "etaken" };
        format!("'{word}:{text}' {taken} ")
    });
    let config = configuration(&RELAY.replace("{words}", &words.collect::<String>()));
    let mut daemon = Daemon::start(implementation, &config);
    daemon.wait_for_hello("web");
    for _ in PIECES {
        daemon.wait_for_log_line("stdout: BUSY -> ACKNOWLEDGED");
    }
    daemon.process().signal(Signal::TERM);
    daemon.wait_for_end();
    fs::read_to_string(daemon.sandbox().file("daemon.out")).unwrap()
}

/// On ours nobody prints what its answers hold, and says so beforehand; but they are answers.
fn who_has_a_handler_of_its_own_is_told_once(implementation: &Implementation) {
    let config = "
[program:web]
command={child} 'write:one\\n' taken 'write:two\\n' taken 'ewrite:three\\n' etaken hello forever
stdout_events_enabled=true
stderr_events_enabled=true
startsecs=0

[eventlistener:stdlog]
command={bin}/supervisor-stdlog
events=PROCESS_LOG
result_handler=supervisor_stdlog:log_handler
buffer_size=100
";
    let mut daemon = start(implementation, config);
    daemon.wait_for_hello("web");
    for _ in 0..3 {
        daemon.wait_for_log_line("stdlog: event was processed");
    }
    daemon.wait_for_log_line("stdlog: ACKNOWLEDGED -> READY");
    let again = |line: &&String| line.contains("event was rejected") || line.contains("event 3 sent");
    assert_eq!(daemon.log().all().iter().find(again), None, "{}", implementation.name);
}
