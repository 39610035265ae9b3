//! Clients that mean no good, or do not care.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use provost_testkit::{Daemon, HEAD, Signal, send_signal};

use crate::common::{
    CALL, brain, call, connect, descriptors, end_well, resident, start, started_by, state_of,
};

/// Sends bytes and gives what comes back until the server closes or `enough` has come.
fn exchange(daemon: &Daemon, bytes: &[u8], enough: usize) -> String {
    let mut stream = connect(daemon);
    // It may hang up in the middle of what we say.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(n) = stream.read(&mut piece) {
        answer.extend(&piece[..n]);
        let text = String::from_utf8_lossy(&answer);
        if n == 0
            || text.matches("HTTP/1.1 ").count() >= enough && text.ends_with('>')
            || text.ends_with(">\n")
            || text.ends_with("</body>\r\n")
        {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The daemon is still itself: same brain, and it answers.
#[track_caller]
fn is_well(daemon: &Daemon, before: i32) {
    assert!(call(daemon, "supervisor.getState", &[]).contains("RUNNING"));
    assert_eq!(brain(daemon), before, "the brain has died:\n{}", crate::common::content(daemon, "main.log"));
}

#[test]
fn garbage_and_oversized_requests_are_refused_without_harm() {
    let daemon = start("");
    let mind = brain(&daemon);
    let huge_header = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2_000_000));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100_000));
    let huge_body =
        format!("POST /RPC2 HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n{}", "x".repeat(6_000_000));
    let endless = "POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\nx".to_owned();
    let negative = "POST /RPC2 HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned();
    let both =
        "POST /RPC2 HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned();
    let binary: String = "\u{0}\u{1}\u{2}\r\n\r\n".repeat(50);
    for bytes in
        [huge_header, many_headers, huge_body, endless, negative, both, binary, "\r\n\r\n\r\n".into()]
    {
        let mut stream = connect(&daemon);
        let _ = stream.write_all(bytes.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 "), "{:.60} was answered {answer:.100}", bytes);
        is_well(&daemon, mind);
    }
    end_well(daemon);
}

#[test]
fn a_chunked_body_is_as_good_as_one_with_a_length() {
    let daemon = start("");
    let chunks: String = CALL
        .as_bytes()
        .chunks(7)
        .map(|c| format!("{:x}\r\n{}\r\n", c.len(), String::from_utf8_lossy(c)))
        .collect();
    let request =
        format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    let answer = exchange(&daemon, request.as_bytes(), 1);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("RUNNING"), "{answer}");
}

#[test]
fn pipelined_requests_are_all_answered_in_order() {
    let daemon = start("");
    let request = |method: &str| {
        let body = format!("<methodCall><methodName>{method}</methodName></methodCall>");
        format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let all: String =
        (0..50).map(|_| request("supervisor.getState") + &request("supervisor.getPID")).collect();
    let last = request("supervisor.getIdentification").replace("Host: x", "Host: x\r\nConnection: close");
    let mut stream = connect(&daemon);
    stream.write_all((all + &last).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!((answer.matches("HTTP/1.1 200").count(), answer.matches("RUNNING").count()), (101, 50));
}

#[test]
fn a_slow_header_holds_up_nobody_and_not_the_end() {
    let daemon = start("");
    let mind = brain(&daemon);
    let mut slow: Vec<UnixStream> = (0..50).map(|_| connect(&daemon)).collect();
    for stream in &mut slow {
        stream.write_all(b"POST /RPC2 HTTP/1.1\r\nContent-Le").unwrap();
    }
    is_well(&daemon, mind);
    end_well(daemon);
    drop(slow);
}

#[test]
fn five_hundred_idle_connections_leave_room_for_work_and_go_without_a_trace() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\nstartsecs=0\n");
    // Its pipes and logs are open from here on, and count.
    daemon.wait_for_log_line("success: a");
    let mind = brain(&daemon);
    call(&daemon, "supervisor.getState", &[]);
    let before = descriptors(mind);
    let idle: Vec<UnixStream> = (0..500).map(|_| connect(&daemon)).collect();
    is_well(&daemon, mind);
    assert_eq!(daemon.ctl(&["restart", "a"]).stdout, "a: stopped\na: started\n");
    drop(idle);
    crate::common::wait_for_proc(mind, "stat", |_| descriptors(mind) <= before);
    end_well(daemon);
}

#[test]
fn a_client_that_leaves_while_it_waits_for_a_stop_leaves_nothing_behind() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=2\nstdout_logfile={dir}/a.log\n",
    );
    let mind = brain(&daemon);
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let mut log = provost_testkit::Lines::follow(&daemon.sandbox().file("a.log"));
    let before = descriptors(mind);
    let body = "<methodCall><methodName>supervisor.stopProcess</methodName><params><param><value>a</value></param></params></methodCall>";
    let mut stream = connect(&daemon);
    write!(stream, "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    log.wait_for("asked");
    drop(stream);
    daemon.wait_for_log_line("stopped: a (terminated by SIGKILL)");
    is_well(&daemon, mind);
    assert_eq!(state_of(&daemon, "a"), "STOPPED");
    // The two log files of the program are closed by now.
    crate::common::wait_for_proc(mind, "stat", |_| descriptors(mind) <= before);
}

#[test]
fn a_follower_that_never_reads_costs_little_and_delays_nothing() {
    let mut daemon = start(
        "[program:a]\ncommand={child} hello print:3000000 hello:printed forever\nautostart=false\nstartsecs=0\nstdout_logfile={dir}/a.log\nstdout_logfile_maxbytes=0\n",
    );
    daemon.ctl(&["start", "a"]);
    let mind = brain(&daemon);
    daemon.wait_for_hello("a");
    let before = resident(mind);
    let deaf: Vec<UnixStream> = (0..10)
        .map(|_| {
            let mut stream = connect(&daemon);
            stream.write_all(b"GET /logtail/a HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            stream
        })
        .collect();
    daemon.wait_for_hello("printed");
    is_well(&daemon, mind);
    let grown = resident(mind).saturating_sub(before);
    assert!(grown < 20_000, "{grown} kB for ten followers that do not read");
    end_well(daemon);
    drop(deaf);
}

#[test]
fn hostile_xml_is_refused_without_harm() {
    let daemon = start("");
    let mind = brain(&daemon);
    let deep = format!(
        "<methodCall><methodName>supervisor.getState</methodName><params><param>{}",
        "<value><array><data>".repeat(150_000)
    );
    let members = "<value><struct><member><name>a</name>".repeat(80_000);
    let entities = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><methodCall><methodName>&c;</methodName></methodCall>";
    let file = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><methodCall><methodName>&a;</methodName></methodCall>";
    let wide = format!(
        "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>{}</data></array></value></param></params></methodCall>",
        "<value><struct></struct></value>".repeat(90_000)
    );
    for body in [
        deep.as_str(),
        members.as_str(),
        entities,
        file,
        wide.as_str(),
        "<",
        "",
        "<methodCall/>",
        "\u{feff}<methodCall>",
    ] {
        let answer = provost_testkit::post(&daemon.socket(), "/RPC2", body.as_bytes());
        if let Ok(answer) = answer {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!text.contains("root:"), "{text}");
        }
        is_well(&daemon, mind);
    }
}

#[test]
fn one_request_cannot_ask_for_unbounded_memory() {
    let sandbox = provost_testkit::Sandbox::new();
    std::fs::write(sandbox.file("a.log"), vec![b'<'; 20_000_000]).unwrap();
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} forever\nautostart=false\nstdout_logfile={{dir}}/a.log\nstdout_logfile_maxbytes=0\n"
    );
    let daemon = Daemon::start_in(sandbox, &provost_testkit::Implementation::ours(), &config);
    let mind = brain(&daemon);
    let one = "<value><struct><member><name>methodName</name><value>supervisor.readProcessStdoutLog</value></member><member><name>params</name><value><array><data><value>a</value><value><int>0</int></value><value><int>0</int></value></data></array></value></member></struct></value>";
    let body = format!(
        "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>{}</data></array></value></param></params></methodCall>",
        one.repeat(10)
    );
    let _ = provost_testkit::post(&daemon.socket(), "/RPC2", body.as_bytes());
    let status = std::fs::read_to_string(format!("/proc/{mind}/status")).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap();
    assert!(peak < 700_000, "ten reads of a 20 MB log in one request took {peak} kB");
}

#[test]
fn control_characters_come_back_as_xml_that_can_be_read() {
    let mut daemon = start(
        "[program:a]\ncommand=printf \"\\\\001\\\\033[1m]]>&<\\\\377\"\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/a.log\n",
    );
    let mind = brain(&daemon);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert!(
        crate::common::content(&daemon, "a.log").starts_with('\u{1}'),
        "the program prints what it should"
    );
    let answer = call(&daemon, "supervisor.tailProcessStdoutLog", &["a", "<int>0</int>", "<int>100</int>"]);
    assert!(!answer.contains(['\u{1}', '\u{1b}']) && answer.contains("&amp;&lt;"), "{answer:?}");
    is_well(&daemon, mind);
}

#[test]
fn a_client_that_wants_every_descriptor_leaves_enough_for_programs() {
    let limited = started_by(&["prlimit", "--nofile=128:128"]);
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\nminfds=128\n");
    let mut daemon = Daemon::start(
        &limited,
        &format!(
            "{head}[program:a]\ncommand={{child}} hello forever\nstartsecs=0\nautorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
        ),
    );
    let a = daemon.wait_for_hello("a").pid;
    let mind = brain(&daemon);
    let idle: Vec<UnixStream> = (0..200).filter_map(|_| UnixStream::connect(daemon.socket()).ok()).collect();
    send_signal(a, Signal::KILL);
    daemon.wait_for_hello("a");
    drop(idle);
    is_well(&daemon, mind);
}
