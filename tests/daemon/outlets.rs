//! What is done with output on its way: captured messages, stripped sequences, lines in other forms, several sinks in one value.
//!
//! Each test writes the configuration that a user would, lets a real program speak, and looks at files, at events (which
//! the main log tells of at level trace) and at what others read.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use provost_testkit::{DEADLINE, Daemon, HEAD, Implementation, Lines, Sandbox, Signal, send_signal, until};
use serde_json::Value;

use crate::common::{brain, call, content, end_well, kill_brain, resident, start, started_by, wait_for_proc};

const ONCE: &str = "startsecs=0\nautorestart=false\nstdout_logfile={dir}/a.out\nstderr_logfile={dir}/a.err\n";
const B: &str = "<!--XSUPERVISOR:BEGIN-->";
const E: &str = "<!--XSUPERVISOR:END-->";

/// The events with this beginning, without it and the pid.
fn events(daemon: &mut Daemon, start: &str) -> Vec<String> {
    let mark = format!(" TRAC event {start} ");
    let of_this = daemon.log().all().iter().filter_map(|line| Some(line.split_once(&mark)?.1.to_owned()));
    let without_pid = of_this.map(|text| {
        let (head, rest) = text.split_once(" pid:").unwrap();
        format!("{head}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
    });
    without_pid.collect()
}

/// A FIFO that somebody reads from the start, line by line, when he is asked to.
struct Fifo {
    lines: Option<Receiver<String>>,
    /// Both its ends, so that nobody waits and nothing ends.
    file: File,
}

impl Fifo {
    fn new(sandbox: &Sandbox, name: &str) -> Fifo {
        let path = sandbox.file(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
        Fifo { lines: None, file: File::options().read(true).write(true).open(&path).unwrap() }
    }

    /// The next line; from here on it is read.
    #[track_caller]
    fn line(&mut self) -> String {
        let lines = self.lines.get_or_insert_with(|| {
            let (sender, lines) = channel();
            let mut reader = BufReader::new(self.file.try_clone().unwrap());
            std::thread::spawn(move || {
                let mut line = Vec::new();
                while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                    line.clear();
                    if sender.send(text).is_err() {
                        return;
                    }
                }
            });
            lines
        });
        lines.recv_timeout(DEADLINE).expect("a line comes out of the FIFO")
    }
}

/// A daemon with a FIFO of this name in its sandbox.
fn start_with_fifo(name: &str, config: &str) -> (Daemon, Fifo) {
    let sandbox = Sandbox::new();
    let fifo = Fifo::new(&sandbox, name);
    let config = format!("{HEAD}{config}");
    (Daemon::start_in(sandbox, &Implementation::ours(), &config), fifo)
}

// --- capture and strip_ansi ---

#[test]
fn a_message_is_found_however_it_is_cut() {
    let mut daemon = start(&format!(
        "loglevel=trace\n[program:a]\ncommand={{child}} 'write:before<!--XSUPER' taken \
         'write:VISOR:BEGIN-->hello\\n' taken 'write:w<rld<!--XSUPERVISOR:E' taken 'write:ND-->after\\n' hello \
         'write:{B}{E}{B}a{B}b{E}{E}\\n' exit:0\n\
         stdout_capture_maxbytes=1MB\nstdout_events_enabled=true\n{ONCE}"
    ));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!(content(&daemon, "a.out"), format!("beforeafter\n{E}\n"));
    let messages = events(&mut daemon, "PROCESS_COMMUNICATION_STDOUT");
    let head = "processname:a groupname:a\\n";
    assert_eq!(messages, [r"hello\nw<rld", "", &format!("a{B}b")].map(|text| format!("{head}{text}")));
    let told = events(&mut daemon, "PROCESS_LOG_STDOUT").join("");
    let head = r"processname:a groupname:a channel:stdout\n";
    assert_eq!(told.replace(head, ""), format!(r"beforehello\nw<rldafter\na{B}b{E}\n"));
    assert_eq!(content(&daemon, "main.log").matches("'a' stdout emitted a comm event").count(), 3);
}

#[test]
fn what_is_no_token_waits_for_nobody_and_nothing_of_it_is_lost() {
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} on:USR1:go write:x taken hello await 'write:<!--XSUP' 'ewrite:{B}half' exit:0\n\
         stdout_capture_maxbytes=1KB\nstderr_capture_maxbytes=1KB\n{ONCE}"
    ));
    let a = daemon.wait_for_hello("a").pid;
    // One byte, though a token is longer.
    wait_for_proc(a, "stat", |_| content(&daemon, "a.out") == "x");
    send_signal(a, Signal::USR1);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!((content(&daemon, "a.out"), content(&daemon, "a.err")), ("x<!--XSUP".into(), String::new()));
}

#[test]
fn sequences_are_stripped_wherever_reads_end_and_tokens_stay_tokens() {
    let mut daemon = start(&format!(
        "strip_ansi=true\nloglevel=trace\n[program:a]\ncommand={{child}} 'write:\\e[31mred\\e' taken 'write:[0' taken 'write:m \\e[1;4' taken \
         'write:mbold\\e[0m\\n' taken 'write:{B}\\e[31mmes' taken 'write:sage{E}\\e[' taken exit:0\n\
         stdout_capture_maxbytes=1KB\n{ONCE}"
    ));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    // What looked like the beginning of a sequence was none.
    assert_eq!(content(&daemon, "a.out"), "red bold\n\u{1b}[");
    let messages = events(&mut daemon, "PROCESS_COMMUNICATION_STDOUT");
    assert_eq!(messages, [r"processname:a groupname:a\nmessage"]);
    assert!(events(&mut daemon, "PROCESS_LOG_STDOUT").is_empty());
}

#[test]
fn a_cleared_log_empties_the_message_and_the_rest_is_still_one() {
    let mut daemon = start(&format!(
        "loglevel=trace\n[program:a]\ncommand={{child}} on:USR1:go 'write:log\\n{B}old' taken hello await 'write:new{E}next\\n' exit:0\n\
         stdout_capture_maxbytes=1KB\n{ONCE}"
    ));
    let a = daemon.wait_for_hello("a").pid;
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("log");
    assert_eq!(daemon.ctl(&["clear", "a"]).stdout, "a: cleared\n");
    send_signal(a, Signal::USR1);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!(content(&daemon, "a.out"), "next\n");
    assert_eq!(events(&mut daemon, "PROCESS_COMMUNICATION_STDOUT"), [r"processname:a groupname:a\nnew"]);
}

#[test]
fn an_event_listener_speaks_its_protocol_whatever_is_asked_for() {
    let mut daemon = start(
        "strip_ansi=true\nloglevel=debug\n[eventlistener:a]\ncommand={child} 'write:READY\\n\\e[31m' taken 'ewrite:\\e[31mhello\\n' etaken hello exit:0\n\
         events=TICK_60\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/a.out\nstderr_logfile={dir}/a.err\n",
    );
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!(content(&daemon, "a.out"), "READY\n\u{1b}[31m");
    assert_eq!(content(&daemon, "a.err"), "hello\n");
}

// --- the copy in the main log ---

#[test]
fn at_level_debug_the_main_log_has_a_copy() {
    let mut daemon = start(&format!(
        "loglevel=debug\n[program:a]\ncommand={{child}} 'write:one\\ntwo\\n' taken 'ewrite:\\xff\\x00é' etaken exit:0\n{ONCE}"
    ));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let log = content(&daemon, "main.log");
    assert!(log.contains(" DEBG 'a' stdout output:\none\ntwo\n"), "{log}");
    assert!(log.contains(" DEBG 'a' stderr output:\nUndecodable: b'\\xff\\x00\\xc3\\xa9'\n"), "{log}");
    assert_eq!(fs::read(daemon.sandbox().file("a.err")).unwrap(), b"\xff\x00\xc3\xa9");
    assert_eq!(content(&daemon, "a.out"), "one\ntwo\n");
    assert!(!log.contains("event PROCESS_LOG"));
}

// --- forms ---

#[test]
fn each_line_is_an_object_under_the_pid_that_wrote_it() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:USR1:say:later 'write:\\xff \"q\"\\r\\nhalf' taken hello forever\n\
         stdout_logfile={dir}/a.out\nstdout_logfile_format=json\nautorestart=true\nstartsecs=0\n",
    );
    let first = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    send_signal(first, Signal::KILL);
    let second = daemon.wait_for_hello("a").pid;
    // The line of each, and what the first had left unfinished; what has been written is not treated again.
    until("three lines", || content(&daemon, "a.out").lines().count() == 3);
    kill_brain(&mut daemon);
    send_signal(second, Signal::USR1);
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("later");
    let lines: Vec<Value> =
        content(&daemon, "a.out").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> =
        lines.iter().map(|l| (l["pid"].as_i64().unwrap(), l["message"].as_str().unwrap())).collect();
    let [first, second] = [first, second].map(i64::from);
    // `half` was in the brain that was killed, which is what may be lost.
    assert_eq!(
        told,
        [(first, "\u{fffd} \"q\""), (first, "half"), (second, "\u{fffd} \"q\""), (second, "later")]
    );
    assert_eq!(lines[0]["message_base64"], "/yAicSI=");
    assert_eq!((&lines[1]["partial"], &lines[0]["partial"]), (&Value::Bool(true), &Value::Null));
    for line in &lines {
        assert_eq!(
            (&line["process"], &line["group"], &line["channel"]),
            (&"a".into(), &"a".into(), &"stdout".into())
        );
    }
}

#[test]
fn a_pattern_has_what_it_names() {
    let mut daemon = start(
        "[program:a]\ncommand={child} 'write:one\\ntw' taken 'write:o\\n\\nend' ewrite:e exit:0\nprocess_name=p\nstartsecs=0\nautorestart=false\n\
         stdout_logfile={dir}/a.out\nstderr_logfile={dir}/a.err\n\
         stdout_logfile_format=%(asctime)s|%(group_name)s:%(process_name)-3s|%(program_name)s|%(channel)s|%(pid)s|100%%|%(message)s|\n\
         stderr_logfile_format=%(hostname)s %(message)s\n",
    );
    let pid = daemon.wait_for_log_line("spawned: 'p' with pid ").rsplit(' ').next().unwrap().to_owned();
    daemon.wait_for_log_line("exited: p (exit status 0; expected)");
    let log = content(&daemon, "a.out");
    let lines: Vec<(&str, &str)> = log.lines().map(|line| line.split_once('|').unwrap()).collect();
    let texts: Vec<&str> = lines.iter().map(|(_, text)| *text).collect();
    let expected = ["one", "two", "", "end"].map(|text| format!("a:p  |a|stdout|{pid}|100%|{text}|"));
    assert_eq!(texts, expected);
    for (time, _) in lines {
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "9999-99-99 99:99:99,999");
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(content(&daemon, "a.err"), format!("{} e\n", host.trim()));
}

/// The daemon's own standard output is a FIFO, read slowly: it is full all the time.
#[test]
fn two_programs_with_a_prefix_tear_no_line_of_the_others() {
    let sandbox = Sandbox::new();
    let mut out = Fifo::new(&sandbox, "out");
    let through = format!("exec \"$0\" \"$@\" > {}", sandbox.file("out").display());
    let program = |name: &str| {
        format!(
            "[program:{name}]\ncommand=seq -f 'number %%.0f of {name} and some more words' 20000\nstartsecs=0\nautorestart=false\n\
             stdout_logfile=/dev/stdout\nlog_prefix=name\n"
        )
    };
    let config = format!("{HEAD}silent=true\n{}{}", program("a"), program("bb"));
    let mut daemon = Daemon::start_in(sandbox, &started_by(&["sh", "-c", &through]), &config);
    let mut next = [1, 1];
    for _ in 0..40_000 {
        let line = out.line();
        let (name, text) = line.split_once(" | ").unwrap_or_else(|| panic!("a torn line: {line:?}"));
        let next = &mut next[usize::from(name == "bb")];
        assert_eq!(text, format!("number {next} of {name} and some more words"));
        *next += 1;
    }
    assert_eq!(next, [20_001, 20_001]);
    daemon
        .log()
        .wait_for_all(&["exited: a (exit status 0; expected)", "exited: bb (exit status 0; expected)"]);
    end_well(daemon);
}

// --- several sinks ---

#[test]
fn every_sink_has_every_byte() {
    let (mut daemon, mut fifo) = start_with_fifo(
        "fifo",
        "[program:a]\ncommand=seq 100000\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/a.out, {dir}/fifo\n\
         stdout_logfile_maxbytes=100KB\nstdout_logfile_backups=50\n",
    );
    for n in 1..=100_000 {
        assert_eq!(fifo.line(), n.to_string());
    }
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let parts: String = (1..=50).rev().map(|n| content(&daemon, &format!("a.out.{n}"))).collect();
    let all = parts + &content(&daemon, "a.out");
    assert!(all.lines().zip(1..).all(|(line, n)| line == n.to_string()));
    assert_eq!(all.lines().count(), 100_000);
    assert!(daemon.sandbox().file("fifo").symlink_metadata().unwrap().file_type().is_fifo());
}

#[test]
fn a_sink_that_takes_nothing_holds_the_program_or_loses_its_own_share() {
    let config = |overflow: &str| {
        format!(
            "[program:a]\ncommand=seq 1000000\nstartsecs=0\nautorestart=false\nlog_overflow={overflow}\n\
             stdout_logfile={{dir}}/a.out, {{dir}}/fifo\nstdout_logfile_maxbytes=0\n"
        )
    };
    // It waits, and nothing is lost when somebody reads at last.
    let (mut daemon, mut fifo) = start_with_fifo("fifo", &config("block"));
    daemon.wait_for_log_line("fifo has taken nothing for 10 seconds; its output waits (log_overflow=block)");
    let size = fs::metadata(daemon.sandbox().file("a.out")).unwrap().size();
    assert!((500_000..3 << 20).contains(&size), "{size}");
    for n in 1..=1_000_000 {
        assert_eq!(fifo.line(), n.to_string());
    }
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!(content(&daemon, "a.out").lines().count(), 1_000_000);
    end_well(daemon);

    // It ends, and only the one log has a gap, with a line that says so.
    let (mut daemon, mut fifo) = start_with_fifo("fifo", &config("drop"));
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let all = content(&daemon, "a.out");
    assert!(all.lines().zip(1..).all(|(line, n)| line == n.to_string()));
    assert_eq!(all.lines().count(), 1_000_000);
    let (mut kept, mut last) = (0, String::new());
    let mark = loop {
        let line = fifo.line();
        if line.starts_with("supervisord: ") {
            break line;
        }
        kept += last.len() + usize::from(kept > 0 || !last.is_empty());
        last = line;
    };
    let lost: usize = mark.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(mark, format!("supervisord: {lost} bytes of output are missing here: it had no room"));
    // The marker stands on a line of its own: what was cut before it got a newline.
    assert_eq!(kept + last.len() + lost, all.len(), "the last line before was {last:?}");
    daemon.wait_for_log_line(&format!("fifo can be written again; {lost} bytes of output were lost"));
    end_well(daemon);
}

#[test]
fn an_automatic_log_and_another_one_are_the_same() {
    let mut daemon = start(
        "[program:a]\ncommand={child} 'write:one\\ntwo\\n' exit:0\nstartsecs=0\nautorestart=false\nstdout_logfile=AUTO, {dir}/b.log\n",
    );
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!(content(&daemon, "b.log"), "one\ntwo\n");
    assert_eq!(daemon.ctl(&["tail", "a"]).stdout, "one\ntwo\n\n");
    let names = fs::read_dir(daemon.sandbox().path()).unwrap().map(|entry| entry.unwrap().file_name());
    let auto: Vec<_> =
        names.filter(|name| name.to_string_lossy().starts_with("a-stdout---supervisor-")).collect();
    assert_eq!(auto.len(), 1);
    assert_eq!(content(&daemon, auto[0].to_str().unwrap()), "one\ntwo\n");
}

#[test]
fn a_log_and_its_directory_are_made_as_they_were_asked_for() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let mut daemon = start(
        "[program:a]\ncommand=seq 30000\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/new/deep/a.out\nlogfile_mkdir=true\n\
         stdout_logfile_owner=12345:54321\nstdout_logfile_mode=0640\nstdout_logfile_maxbytes=100KB\nstdout_logfile_backups=1\n",
    );
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    for name in ["a.out", "a.out.1"] {
        let is = fs::metadata(daemon.sandbox().file("new/deep").join(name)).unwrap();
        assert_eq!((is.uid(), is.gid(), is.permissions().mode() & 0o7777), (12345, 54321, 0o640), "{name}");
    }
}

// --- deaths and upgrades ---

const FILTERED: &str = "strip_ansi=true\nloglevel=trace\n\
    [program:a]\ncommand={child} on:USR1:go 'write:one\\nha' taken hello await 'write:lf\\nlast\\n' taken forever\n\
    stdout_logfile={dir}/a.out\nstdout_logfile_format=%(message)s;\nstartsecs=0\n\
    [program:b]\ncommand={child} on:USR1:go 'write:log\\n<!--XSUPERVISOR:BEGIN-->mes' taken hello await 'write:sage<!--XSUPERVISOR:END-->\\n' taken forever\n\
    stdout_logfile={dir}/b.out\nstdout_capture_maxbytes=1KB\nstdout_events_enabled=true\nstartsecs=0\n\
    [program:c]\ncommand={child} on:USR1:go 'write:c\\e[3' taken hello await 'write:1m\\n' taken forever\n\
    stdout_logfile={dir}/c.out\nstdout_capture_maxbytes=1KB\nstdout_events_enabled=true\nstartsecs=0\n";

#[test]
fn an_upgrade_gives_out_what_was_held_back() {
    let mut daemon = start(FILTERED);
    let programs = ["a", "b", "c"].map(|name| daemon.wait_for_hello(name).pid);
    Lines::follow(&daemon.sandbox().file("b.out")).wait_for("log");
    wait_for_proc(programs[2], "stat", |_| content(&daemon, "c.out") == "c");
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord from 0.1.0 to 0.1.0\n");
    for pid in programs {
        send_signal(pid, Signal::USR1);
    }
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("last;");
    for name in ["b.out", "c.out"] {
        Lines::follow(&daemon.sandbox().file(name)).wait_for(if name == "b.out" { E } else { "1m" });
    }
    assert_eq!(content(&daemon, "a.out"), "one;\nha;\nlf;\nlast;\n");
    assert_eq!(content(&daemon, "b.out"), format!("log\n{B}message{E}\n"));
    assert_eq!(content(&daemon, "c.out"), "c\u{1b}[31m\n");
    // Everything is told of once, too.
    let told = events(&mut daemon, "PROCESS_LOG_STDOUT").join("").replace("channel:stdout", "");
    let of = |name: &str| told.replace(&format!("processname:{name} groupname:{name} \\n"), "|");
    assert!(of("b").contains(r"|log\n|mes"), "{told}");
    assert_eq!(told.matches("mes").count(), 1, "{told}");
    end_well(daemon);
}

#[test]
fn a_killed_brain_takes_no_more_with_it_than_it_held() {
    let mut daemon = start(FILTERED);
    let programs = ["a", "b", "c"].map(|name| daemon.wait_for_hello(name).pid);
    Lines::follow(&daemon.sandbox().file("b.out")).wait_for("log");
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("one;");
    wait_for_proc(programs[2], "stat", |_| content(&daemon, "c.out") == "c");
    kill_brain(&mut daemon);
    for pid in programs {
        send_signal(pid, Signal::USR1);
    }
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("last;");
    Lines::follow(&daemon.sandbox().file("b.out")).wait_for(E);
    Lines::follow(&daemon.sandbox().file("c.out")).wait_for("1m");
    assert_eq!(content(&daemon, "a.out"), "one;\nlf;\nlast;\n");
    assert_eq!(content(&daemon, "b.out"), format!("log\nsage{E}\n"));
    assert_eq!(content(&daemon, "c.out"), "c1m\n");
}

#[test]
fn what_a_grandchild_has_begun_to_say_is_there_when_all_ends() {
    let mut daemon = start(&format!(
        "[program:a]\ncommand=sh -c \"{{child}} write:half taken hello:grandchild forever & exit 0\"\nstdout_logfile_format=%%(message)s;\n{ONCE}"
    ).replace("%%", "%"));
    let grandchild = daemon.wait_for_hello("grandchild").pid;
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert_eq!(content(&daemon, "a.out"), "half;\n");
    send_signal(grandchild, Signal::KILL);
}

// --- much of it ---

#[test]
fn whoever_is_told_of_output_is_not_drowned_in_it() {
    let mut daemon = start(
        "loglevel=trace\nlogfile_maxbytes=0\n[program:a]\ncommand={child} hello print:8000000 hello:done forever\nstdout_logfile=NONE\nstdout_events_enabled=true\nstartsecs=0\n",
    );
    daemon.wait_for_hello("a");
    let mind = brain(&daemon);
    let (mut most, mut slowest, mut rounds) = ([0, 0], 0.0_f64, 0);
    let size = |daemon: &Daemon| fs::metadata(daemon.sandbox().file("main.log")).unwrap().size();
    let end = Instant::now() + 4 * DEADLINE;
    // Everything is there twice: as the copy of level debug, and as an event.
    while size(&daemon) < 170_000_000 {
        assert!(Instant::now() < end, "the main log has {} bytes", size(&daemon));
        let begun = Instant::now();
        call(&daemon, "supervisor.getState", &[]);
        slowest = slowest.max(begun.elapsed().as_secs_f64());
        most = [most[0].max(resident(daemon.pid())), most[1].max(resident(mind))];
        rounds += 1;
    }
    // Whoever waits for 170 megabytes to be written waits for longer.
    assert!(rounds > 20 && slowest < 5.0, "{rounds} answers, the slowest after {slowest} s");
    assert!(most[0] < 40_000 && most[1] < 100_000, "keeper and brain have {most:?} kB");
    daemon.wait_for_hello("done");
    // What the copies have, put together again: a piece begins behind its header and ends before the next line with a time.
    let (mut line, mut said, mut next, mut piece) = (String::new(), String::new(), 1_u64, None);
    let mut log = BufReader::new(File::open(daemon.sandbox().file("main.log")).unwrap());
    while next <= 8_000_000 && log.read_line(&mut line).unwrap() > 0 {
        assert!(!line.contains("were lost"), "{line}");
        if line.ends_with(" DEBG 'a' stdout output:\n") {
            piece = Some(0);
        } else if line.starts_with("20") && line.contains(' ') {
            piece = None;
        } else if let Some(lines) = &mut piece {
            if std::mem::replace(lines, 1) > 0 {
                assert_eq!(std::mem::take(&mut said), format!("line {next}"));
                next += 1;
            }
            said.push_str(line.strip_suffix('\n').unwrap());
        }
        line.clear();
    }
    assert_eq!(next, 8_000_001);
}
