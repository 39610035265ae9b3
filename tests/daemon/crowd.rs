//! Thousands of clients who are silent, stop halfway, or do not read: neither programs nor other clients notice.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use provost_testkit::{DEADLINE, Daemon, HEAD, Signal, send_signal};

use crate::common::{
    CALL, body, brain, call, connect, content, end_well, resident, start, started_by, wait_for_proc,
};

/// A connection that says this and leaves it at that.
#[track_caller]
fn says(daemon: &Daemon, text: &str) -> UnixStream {
    let mut stream = connect(daemon);
    // It may have been closed for the next one already.
    let _ = stream.write_all(text.as_bytes());
    stream
}

fn request(body: &str) -> String {
    format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// One request on a connection that stays open.
#[track_caller]
fn ask(stream: &mut UnixStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.ends_with(b"</methodResponse>\n") {
        let n = stream.read(&mut piece).unwrap();
        assert_ne!(n, 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend(&piece[..n]);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn more_than_a_door_takes_neither_lock_out_nor_delay_anybody() {
    // An eighth of the descriptors: 2,000 connections.
    let limited = started_by(&["prlimit", "--nofile=16000:16000"]);
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} hello forever\nstartsecs=0\nautorestart=true\n\
         [program:large]\ncommand={{child}} print:50000 hello:printed forever\nstartsecs=0\nstdout_logfile={{dir}}/large.log\n\
         stdout_logfile_maxbytes=0\n"
    );
    let mut daemon = Daemon::start(&limited, &config);
    daemon.wait_for_hello("printed");
    let a = daemon.wait_for_hello("a").pid;
    let mind = brain(&daemon);
    let before = resident(mind);
    let large = "<methodCall><methodName>supervisor.readProcessStdoutLog</methodName><params><param><value>large</value></param>\
        <param><value><int>0</int></value></param><param><value><int>0</int></value></param></params></methodCall>";
    let mut crowd = Vec::new();
    for n in 0..3000 {
        crowd.push(match n % 16 {
            0 => says(&daemon, &request(large)),
            1..6 => says(&daemon, "POST /RPC2 HTTP/1.1\r\nContent-Le"),
            6..11 => says(&daemon, &request(CALL)[..100]),
            _ => connect(&daemon),
        });
    }
    send_signal(a, Signal::KILL);
    let again = daemon.wait_for_hello("a").pid;
    assert_ne!(again, a);
    assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"));
    assert_eq!(daemon.ctl(&["restart", "a"]).stdout, "a: stopped\na: started\n");
    assert_eq!(brain(&daemon), mind, "{}", content(&daemon, "main.log"));
    let grown = resident(mind).saturating_sub(before);
    assert!(grown < 400_000, "{grown} kB for 3000 clients that do nothing good");
    end_well(daemon);
    drop(crowd);
}

#[test]
fn the_one_that_was_silent_for_the_longest_gives_way() {
    let limited = started_by(&["prlimit", "--nofile=256:256"]);
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\nminfds=256\n");
    let daemon = Daemon::start(&limited, &head);
    let mut kept = connect(&daemon);
    ask(&mut kept, &request(CALL));
    let mut silent: Vec<UnixStream> = (0..31).map(|_| connect(&daemon)).collect();
    // Whoever is accepted is accepted in order, so all of them are in when the last is answered.
    ask(&mut silent[30], &request(CALL));
    // It has moved since, so it is the youngest of 32.
    ask(&mut kept, &request(CALL));
    silent.push(connect(&daemon));
    let mut rest = Vec::new();
    assert_eq!(silent[0].read_to_end(&mut rest).unwrap(), 0, "the oldest is closed");
    ask(&mut kept, &request(CALL));
    let newest = silent.last_mut().unwrap();
    ask(newest, &request(CALL));
    ask(&mut silent[1], &request(CALL));
}

#[test]
fn those_who_wait_for_us_are_not_closed_for_others() {
    let limited = started_by(&["prlimit", "--nofile=256:256"]);
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\nminfds=256\n");
    let mut daemon = Daemon::start(
        &limited,
        &format!(
            "{head}[program:a]\ncommand={{child}} on:TERM:say:asked on:USR1:say:grown on:USR2:exit:0 hello forever\nstartsecs=0\nautorestart=false\n\
             stopwaitsecs=3600\nstdout_logfile={{dir}}/a.log\n"
        ),
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let mut tail = says(&daemon, "GET /logtail/a HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut head = [0; 9];
    tail.read_exact(&mut head).unwrap();
    let stop = "<methodCall><methodName>supervisor.stopProcess</methodName><params><param><value>a</value></param></params></methodCall>";
    let mut log = provost_testkit::Lines::follow(&daemon.sandbox().file("a.log"));
    let mut stopping = says(&daemon, &request(stop));
    log.wait_for("asked");
    let crowd: Vec<UnixStream> = (0..100).map(|_| connect(&daemon)).collect();
    assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"));
    send_signal(a, Signal::USR1);
    let mut seen = Vec::new();
    let mut piece = [0; 256];
    while !seen.windows(5).any(|bytes| bytes == b"grown") {
        let n = tail.read(&mut piece).unwrap();
        assert_ne!(n, 0, "the stream has ended: {}", String::from_utf8_lossy(&seen));
        seen.extend(&piece[..n]);
    }
    send_signal(a, Signal::USR2);
    let answer = ask(&mut stopping, "");
    assert!(answer.contains("<boolean>1"), "{answer}");
    drop(crowd);
}

/// The most memory that a process has had, in kB.
#[track_caller]
fn peak(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn bodies_that_never_end_lock_nobody_out() {
    let daemon = start("[unix_http_server:other]\nfile={dir}/other.sock\n");
    let other = daemon.sandbox().file("other.sock");
    let most = 4 << 20;
    let bodies: Vec<UnixStream> = (0..8)
        .map(|_| {
            let mut stream = UnixStream::connect(&other).unwrap();
            stream.set_write_timeout(Some(DEADLINE)).unwrap();
            let head = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {most}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&vec![b'x'; most - 1]).unwrap();
            stream
        })
        .collect();
    // Its door is served in turns, so whatever has been sent there before has been received by then.
    let mut one_more = UnixStream::connect(&other).unwrap();
    one_more.set_read_timeout(Some(DEADLINE)).unwrap();
    assert!(ask(&mut one_more, &request(CALL)).contains("RUNNING"), "a small call has its room");
    assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"));
    let long = format!("{CALL}{}", " ".repeat(100_000));
    assert!(ask(&mut connect(&daemon), &request(&long)).contains("RUNNING"), "the other door has its own");
    drop(bodies);
}

#[test]
fn long_calls_that_wait_are_not_held_for_as_many_as_come() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:TERM:say:asked on:USR1:exit:0 hello forever\nstartsecs=0\nstopwaitsecs=3600\n\
         stdout_logfile={dir}/a.log\n",
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let one = |method: &str, params: &str| {
        format!(
            "<value><struct><member><name>methodName</name><value>{method}</value></member><member><name>params</name>\
             <value><array><data>{params}</data></array></value></member></struct></value>"
        )
    };
    let long = "x".repeat(3_900_000);
    let calls = one("provost.restartProcess", "<value>a</value>")
        + &one("supervisor.sendProcessStdin", &format!("<value>none</value><value>{long}</value>"));
    let request = request(&body("system.multicall", &[&format!("<array><data>{calls}</data></array>")]));
    let mut waiting: Vec<UnixStream> = (0..60).map(|_| says(&daemon, &request)).collect();
    assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"));
    let peak = peak(brain(&daemon));
    assert!(peak < 200_000, "{peak} kB");
    send_signal(a, Signal::USR1);
    let mut answers = BTreeMap::<[u8; 12], usize>::new();
    for stream in &mut waiting {
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        *answers.entry(head).or_default() += 1;
    }
    assert!(answers[b"HTTP/1.1 200"] >= 4 && answers[b"HTTP/1.1 503"] >= 4, "{answers:?}");
    // It does not end for being asked, whoever asks.
    let a = daemon.wait_for_hello("a").pid;
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_log_line("waiting for a to die");
    send_signal(a, Signal::USR1);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

#[test]
fn answers_that_nobody_reads_lock_nobody_out_at_another_door() {
    let daemon = start(
        "[unix_http_server:other]\nfile={dir}/other.sock\n\
         [program:a]\ncommand=sleep 100\nautostart=false\nnumprocs=600\nprocess_name=a_%(process_num)d\n",
    );
    let other = daemon.sandbox().file("other.sock");
    let all = body("supervisor.getAllProcessInfo", &[]);
    // Each half a megabyte and more, of which the kernel takes a part.
    let unread: Vec<UnixStream> = (0..300)
        .map(|_| {
            let mut stream = UnixStream::connect(&other).unwrap();
            stream.write_all(request(&all).as_bytes()).unwrap();
            stream
        })
        .collect();
    let mut refused = false;
    for mut stream in unread.iter().rev() {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        refused |= head.ends_with(b"503");
    }
    assert!(refused, "there is an end to what is held");
    assert!(call(&daemon, "supervisor.getAllProcessInfo", &[]).contains("a_599"));
    let mut one_more = UnixStream::connect(&other).unwrap();
    one_more.set_read_timeout(Some(DEADLINE)).unwrap();
    assert!(ask(&mut one_more, &request(CALL)).contains("RUNNING"));
}

#[test]
fn ten_thousand_listings_in_one_call_end_before_the_memory_does() {
    let daemon = start(
        "[program:a]\ncommand=sleep 100\nautostart=false\nnumprocs=100\nprocess_name=a_%(process_num)d\n",
    );
    let one = |method: &str| {
        format!(
            "<value><struct><member><name>methodName</name><value>{method}</value></member></struct></value>"
        )
    };
    let calls = one("supervisor.getAllProcessInfo").repeat(10_000) + &one("supervisor.shutdown");
    let answer = call(&daemon, "system.multicall", &[&format!("<array><data>{calls}</data></array>")]);
    let refused = answer.matches("ask for less at once").count();
    let listed = answer.matches("<string>a_99</string>").count();
    assert!(listed > 100 && listed + refused == 10_001, "{listed} listed, {refused} refused");
    let peak = peak(brain(&daemon));
    assert!(peak < 400_000, "{peak} kB for one call");
    assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"), "what is refused is not done");
    end_well(daemon);
}

#[test]
fn a_large_log_that_many_read_at_once_is_not_held_for_each_of_them() {
    let daemon = start("[program:a]\ncommand=sleep 100\nautostart=false\nstdout_logfile={dir}/a.log\n");
    std::fs::write(daemon.sandbox().file("a.log"), vec![b'x'; 40 << 20]).unwrap();
    let all = body("supervisor.readProcessStdoutLog", &["a", "<int>0</int>", "<int>0</int>"]);
    let readers: Vec<UnixStream> = (0..40).map(|_| says(&daemon, &request(&all))).collect();
    let (mut read, mut refused) = (0, 0);
    for mut reader in &readers {
        let mut head = [0; 12];
        reader.read_exact(&mut head).unwrap();
        let mut rest = [0; 1024];
        let n = reader.read(&mut rest).unwrap();
        let is_long = String::from_utf8_lossy(&rest[..n]).contains("Content-Length: 419");
        if head.ends_with(b"200") && is_long { read += 1 } else { refused += 1 }
    }
    assert!(read > 0 && refused > 0, "{read} were answered, {refused} were not");
    let peak = peak(brain(&daemon));
    assert!(peak < 500_000, "{peak} kB");
}

#[test]
fn a_unix_door_has_room_when_another_is_full() {
    let limited = started_by(&["prlimit", "--nofile=512:512"]);
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\nminfds=512\n");
    let daemon = Daemon::start(
        &limited,
        &format!(
            "{head}[unix_http_server:other]\nfile={{dir}}/other.sock\n[program:a]\ncommand={{child}} print:2000 forever\nstartsecs=0\nstdout_logfile={{dir}}/a.log\n"
        ),
    );
    let other = daemon.sandbox().file("other.sock");
    // Streams are not closed for others, so a door can be full of them.
    let streams: Vec<UnixStream> = (0..64)
        .map(|_| {
            let mut stream = UnixStream::connect(&other).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stream.write_all(b"GET /mainlogtail HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200");
            stream
        })
        .collect();
    assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"));
    // Whoever comes to the full one waits outside until somebody leaves.
    let mut outside = UnixStream::connect(&other).unwrap();
    outside.set_read_timeout(Some(DEADLINE)).unwrap();
    drop(streams);
    assert!(ask(&mut outside, &request(CALL)).contains("RUNNING"));
}

#[test]
fn those_who_follow_logs_leave_descriptors_for_programs() {
    let limited = started_by(&["prlimit", "--nofile=512:512"]);
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\nminfds=512\n");
    let doors: String = (0..4).map(|n| format!("[unix_http_server:{n}]\nfile={{dir}}/{n}.sock\n")).collect();
    let daemon = Daemon::start(
        &limited,
        &format!(
            "{head}{doors}[program:a]\ncommand={{child}} forever\nstartsecs=0\nnumprocs=60\nautostart=false\nprocess_name=a_%(process_num)d\n"
        ),
    );
    let mut answers = BTreeMap::<[u8; 12], usize>::new();
    let streams: Vec<UnixStream> = (0..4 * 51)
        .map(|n| {
            let mut stream = UnixStream::connect(daemon.sandbox().file(&format!("{}.sock", n % 4))).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stream.write_all(b"GET /mainlogtail HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).unwrap();
            *answers.entry(head).or_default() += 1;
            stream
        })
        .collect();
    let started = daemon.ctl(&["start", "all"]).stdout;
    assert_eq!(started.matches("started").count(), 60, "{started}\n{}", content(&daemon, "main.log"));
    assert_eq!(answers, [(*b"HTTP/1.1 200", 4 * 25), (*b"HTTP/1.1 503", 4 * 26)].into());
    drop(streams);
    end_well(daemon);
}

#[test]
fn two_hundred_followers_of_one_log_see_all_of_it() {
    let mut daemon = start(
        "[program:a]\ncommand={child} on:USR1:go hello await print:20000 forever\nstartsecs=0\nstdout_logfile={dir}/a.log\nstdout_logfile_maxbytes=0\n",
    );
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let mut followers: Vec<UnixStream> = (0..200)
        .map(|_| {
            let mut stream = says(&daemon, "GET /logtail/a HTTP/1.0\r\n\r\n");
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            assert!(!head.windows(8).any(|bytes| bytes == b"Transfer"), "HTTP/1.0 knows no chunks");
            stream
        })
        .collect();
    send_signal(a, Signal::USR1);
    let log = daemon.sandbox().file("a.log");
    let mut first = Vec::new();
    for follower in &mut followers {
        let mut seen = vec![0; 200_000];
        follower.read_exact(&mut seen).unwrap();
        if first.is_empty() {
            first = std::fs::read(&log).unwrap();
        }
        assert!(seen == first[..200_000], "a follower has seen something else than the log");
    }
    let mind = brain(&daemon);
    drop(followers);
    wait_for_proc(mind, "stat", |_| crate::common::descriptors(mind) < 60);
    end_well(daemon);
}

/// What is answered to whoever sends this and then nothing more: the status lines, and that the connection ends.
#[track_caller]
fn told(daemon: &Daemon, bytes: &[u8]) -> Vec<String> {
    let mut stream = connect(daemon);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // An answer may be cut short by what we sent behind it, but never by our patience.
    if let Err(e) = stream.read_to_end(&mut answer) {
        assert_ne!(e.kind(), std::io::ErrorKind::WouldBlock, "{:?} hangs", String::from_utf8_lossy(bytes));
    }
    let answer = String::from_utf8_lossy(&answer);
    answer.lines().filter(|line| line.starts_with("HTTP/1.")).map(|line| line[9..].to_owned()).collect()
}

#[test]
fn odd_requests_are_answered_once_or_closed() {
    let daemon = start("");
    let mind = brain(&daemon);
    let header = |lines: &str| format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n").into_bytes();
    let with = |lines: &str, body: &str| [header(lines), body.as_bytes().to_vec()].concat();
    let length = CALL.len();
    let bad = ["400 Bad Request"].as_slice();
    let silence = [].as_slice();
    let table: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("two lengths", with("Content-Length: 5\r\nContent-Length: 6", "hello!"), bad),
        ("a length twice in one line", with("Content-Length: 5, 6", "hello!"), bad),
        ("a signed length", with("Content-Length: +5", "hello"), bad),
        ("a hexadecimal length", with("Content-Length: 0x5", "hello"), bad),
        ("a length and chunks", with("Content-Length: 3\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), bad),
        ("chunks that are not last", with("Transfer-Encoding: chunked, gzip", "0\r\n\r\n"), bad),
        ("an encoding nobody knows", with("Transfer-Encoding: cow", "0\r\n\r\n"), bad),
        ("a huge chunk", with("Transfer-Encoding: chunked", "fffffffffffffffff\r\nx"), bad),
        ("a chunk that is none", with("Transfer-Encoding: chunked", "zz\r\nx"), bad),
        ("a folded line", with("Content-Length: 5\r\n X: y", "hello"), bad),
        ("a NUL in a name", with("X\0: y", ""), bad),
        ("a NUL in a value", with("X: a\0b", ""), bad),
        ("a blank before the colon", with("Content-Length : 5", "hello"), bad),
        ("no colon", with("nonsense", ""), bad),
        ("no version", b"GET /RPC2\r\n\r\n".to_vec(), bad),
        ("another version", b"GET /RPC2 HTTP/9.9\r\n\r\n".to_vec(), bad),
        ("a path with a blank", b"GET /RP C2 HTTP/1.1\r\n\r\n".to_vec(), bad),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), bad),
        // Whoever speaks HTTP/2 could not read an answer in HTTP/1.
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), silence),
        ("no length", header("X: y"), &["411 Length Required"]),
        ("an empty body", header("Content-Length: 0"), bad),
        ("a body too long", with("Content-Length: 99999999", "x"), &["413 Payload Too Large"]),
        ("a length beyond numbers", with("Content-Length: 99999999999999999999999", "x"), bad),
        ("many lines", header(&"X: y\r\n".repeat(500)), &["431 Request Header Fields Too Large"]),
        (
            "a long line",
            header(&format!("X: {}", "y".repeat(100_000))),
            &["431 Request Header Fields Too Large"],
        ),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(100_000)).into_bytes(),
            &["431 Request Header Fields Too Large"],
        ),
        ("nothing but lines", b"\r\n\r\n\r\n\r\n".to_vec(), silence),
        ("half a body", with(&format!("Content-Length: {length}"), &CALL[..10]), bad),
    ];
    for (what, bytes, expected) in table {
        let answer = told(&daemon, &bytes);
        // One that was taken for two would be answered twice.
        assert_eq!(answer, expected, "{what}");
        assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"), "{what}");
    }
    assert_eq!(brain(&daemon), mind, "{}", content(&daemon, "main.log"));
    end_well(daemon);
}

#[test]
fn requests_in_every_manner_that_clients_have_are_answered() {
    let daemon = start("");
    let length = CALL.len();
    for (line, more) in [
        ("POST /RPC2 HTTP/1.1", "Host: x\r\n"),
        ("POST /RPC2 HTTP/1.0", "Connection: keep-alive\r\n"),
        ("POST /RPC2/anything?more HTTP/1.1", "Host:x\r\n"),
        ("POST http://x:9001/RPC2 HTTP/1.1", "Host: x\r\n"),
        ("POST / HTTP/1.1", "Host: x\r\nContent-Type: text/xml; charset=utf-8\r\n"),
        ("POST http://x:9001 HTTP/1.1", "Host: x\r\nContent-Type: text/xml\r\n"),
        ("POST /RPC2 HTTP/1.1", "Host: x\r\nExpect: 100-continue\r\n"),
    ] {
        let mut stream = connect(&daemon);
        for _ in 0..2 {
            let answer = ask(&mut stream, &format!("{line}\r\n{more}Content-Length: {length}\r\n\r\n{CALL}"));
            assert!(
                answer.contains(" 200 OK\r\n") && answer.contains("\r\nServer: Provost\r\n"),
                "{line}: {answer}"
            );
            assert!(
                answer.contains("\r\nContent-Type: text/xml\r\n") && answer.contains("RUNNING"),
                "{line}: {answer}"
            );
        }
    }
    let once = format!("POST /RPC2 HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{CALL}");
    let mut stream = connect(&daemon);
    let answer = ask(&mut stream, &once);
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "HTTP/1.0 closes");
    let mut head = connect(&daemon);
    head.write_all(b"HEAD /RPC2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    head.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    end_well(daemon);
}
