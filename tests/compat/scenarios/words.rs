//! What is said to programs and to listeners by XML-RPC. In: stages. Out: transcripts.

use std::io::Write;

use crate::same;
use crate::stage::Stage;

const STDIN: &str = "supervisor.sendProcessStdin";
const EVENT: &str = "supervisor.sendRemoteCommEvent";

const CAT: &str = "
[program:cat]
command=/bin/cat
stdout_logfile={dir}/cat.log

[program:manual]
command=/bin/cat
autostart=false

[group:pair]
programs=one,two

[program:one]
command=/bin/cat
stdout_logfile={dir}/one.log

[program:two]
command=/bin/cat
";

fn send(stage: &mut Stage, name: &str, value: &str) {
    stage.rpc(STDIN, &[name, value]);
}

#[test]
fn a_program_that_repeats_what_it_is_told() {
    same(|stage| {
        stage.start(CAT);
        stage.wait_for_logs(&["success: cat", "success: one", "success: two"]);
        for (text, heard) in [
            ("<string>hello\n</string>", "hello"),
            ("h\u{e9}llo \u{1f600} &lt;x&gt;\n", "h\u{e9}llo \u{1f600} <x>"),
            ("<base64>Ynl0ZXMK</base64>", "bytes"),
            ("<string>no line end, </string>", ""),
            ("<string></string>", ""),
            ("<string>and one\n</string>", "no line end, and one"),
        ] {
            send(stage, "cat", text);
            if !heard.is_empty() {
                stage.wait_for_output("cat.log", heard);
            }
        }
        send(stage, "cat:cat", "<string>in full\n</string>");
        send(stage, "pair:one", "<string>of a group\n</string>");
        stage.wait_for_output("cat.log", "in full");
        stage.wait_for_output("one.log", "of a group");
        stage.record_text("cat.log");
        stage.record_text("one.log");
    });
}

#[test]
fn who_cannot_be_told_anything() {
    same(|stage| {
        stage.start(CAT);
        stage.wait_for_logs(&["success: cat", "success: one", "success: two"]);
        for name in ["manual", "nobody", "cat:nobody", "pair", "pair:*", "pair:", "one", "", ":"] {
            send(stage, name, "<string>x</string>");
        }
        send(stage, "cat", "<int>5</int>");
        stage.rpc(STDIN, &["cat"]);
        stage.rpc(STDIN, &["cat", "a", "b"]);
        stage.rpc(STDIN, &[]);
        stage.ctl("stop cat");
        send(stage, "cat", "<string>x</string>");
    });
}

#[test]
fn a_program_that_has_closed_its_input() {
    same(|stage| {
        stage.start(
            "
[program:deaf]
command=/bin/sh -c 'exec 0<&-; echo closed; exec sleep 3600'
stdout_logfile={dir}/deaf.log
",
        );
        stage.wait_for_output("deaf.log", "closed");
        send(stage, "deaf", "<string>hello\n</string>");
        send(stage, "deaf", "<string>hello\n</string>");
        stage.wait_for_running("deaf");
    });
}

#[test]
fn a_megabyte_for_a_program_that_takes_its_time() {
    same(|stage| {
        stage.start(
            "
[program:slow]
command=/bin/sh -c 'mkfifo {dir}/go; read x < {dir}/go; exec /bin/cat'
stdout_logfile={dir}/slow.log
stdout_logfile_maxbytes=0
",
        );
        stage.wait_for_running("slow");
        let mut go = stage.open_fifo("go");
        let text: String = (0..131_000).map(|n| format!("{n:07}\n")).collect();
        send(stage, "slow", &format!("<string>{text}end\n</string>"));
        go.write_all(b"\n").expect("it reads");
        stage.wait_for_output("slow.log", "end");
        let heard = stage.files_of("slow.log");
        stage.note(&format!("all of it: {}", heard["slow.log"] == format!("{text}end\n")));
    });
}

#[test]
fn a_program_that_is_to_end() {
    same(|stage| {
        stage.start(
            "
[program:stubborn]
command={child} ignore:TERM hello forever
stopwaitsecs=3600
stopsignal=TERM
",
        );
        let stubborn = stage.wait_for_hello("stubborn");
        stage.wait_for_running("stubborn");
        send(stage, "stubborn", "<string>x</string>");
        stage.stop_unwaited("stubborn");
        send(stage, "stubborn", "<string>x</string>");
        stage.signal(&stubborn, provost_testkit::Signal::KILL);
        stage.wait_for_log("stopped: stubborn");
    });
}

#[test]
fn an_event_from_outside_is_true_in_any_mood() {
    same(|stage| {
        stage.start(
            "
[program:stubborn]
command={child} ignore:TERM hello forever
stopwaitsecs=3600
",
        );
        let stubborn = stage.wait_for_hello("stubborn");
        stage.wait_for_running("stubborn");
        stage.rpc(EVENT, &["deploy", "<string>done &amp; \u{e9}\n</string>"]);
        stage.rpc(EVENT, &["", ""]);
        stage.rpc(EVENT, &["<int>1</int>", "<int>2</int>"]);
        stage.rpc(EVENT, &["one"]);
        stage.rpc(EVENT, &["a", "b", "c"]);
        stage.ctl("shutdown");
        stage.wait_for_log("waiting for stubborn to die");
        stage.rpc(EVENT, &["deploy", "while everything stops"]);
        send(stage, "stubborn", "<string>x</string>");
        stage.signal(&stubborn, provost_testkit::Signal::KILL);
        stage.wait_for_end();
    });
}
