//! Those who guess passwords, beside those who know them.
//!
//! In: a door on TCP, as root is not made to wait at a socket file, and guessers by the thousand. Out: answers to those who are
//! right, and a supervisor that has hardly noticed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use provost_testkit::{DEADLINE, Daemon, Deadline, HEAD, Implementation, free_port};

use crate::common::{brain, call, content, end_well, pid_of, start, started_by};

/// Of "correct horse", by argon2's own program.
const HASH: &str =
    "$argon2id$v=19$m=7168,t=5,p=1$c2FsdHNhbHRzYWx0$qQNP+T963fJl4yGhdg6Pt3D61xvfkeDzoSo7alQ54l0";
const ADMIN: &str = "Basic YWRtaW46Y29ycmVjdCBob3JzZQ==";
const SECOND: &str = "Basic c2Vjb25kOmNvcnJlY3QgaG9yc2U=";
/// `admin:wrong` and `nobody:wrong`.
const WRONG: [&str; 2] = ["Basic YWRtaW46d3Jvbmc=", "Basic bm9ib2R5Ondyb25n"];

/// Of a guesser, before he hangs up.
const IMPATIENCE: Duration = Duration::from_millis(500);

/// One call on a connection of its own; the whole answer.
fn ask(port: u16, authorization: &str, method: &str, values: &[&str]) -> std::io::Result<String> {
    ask_patiently(port, authorization, method, values, DEADLINE)
}

/// Hangs up if nothing comes for so long.
fn ask_patiently(
    port: u16,
    authorization: &str,
    method: &str,
    values: &[&str],
    patience: Duration,
) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(patience))?;
    let body = crate::common::body(method, values);
    let length = body.len();
    write!(
        stream,
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    // What has been said before the other end hung up on what it had not read is said all the same.
    let ended = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        ended?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[track_caller]
fn answered(port: u16, authorization: &str, method: &str, values: &[&str]) -> String {
    let answer = ask(port, authorization, method, values).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

/// Guesses on one connection after the other, until so many have been made by all.
fn guess(port: u16, made: &AtomicUsize, looked_at: &AtomicUsize, enough: usize) {
    while made.fetch_add(1, Ordering::Relaxed) < enough {
        let header = WRONG[made.load(Ordering::Relaxed) % 2];
        // Who is kept waiting hangs up and tries again.
        let Ok(answer) = ask_patiently(port, header, "supervisor.getState", &[], IMPATIENCE) else {
            continue;
        };
        if answer.starts_with("HTTP/1.1 401 ") {
            looked_at.fetch_add(1, Ordering::Relaxed);
        } else {
            assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
            assert!(answer.to_ascii_lowercase().contains("\r\nretry-after: "), "{answer}");
        }
    }
}

#[test]
fn ten_thousand_wrong_passwords_delay_nobody_who_is_right() {
    let port = free_port();
    let daemon = start(&format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\nusername=admin\npassword={HASH}\n\
         [user:second]\npassword={HASH}\nrole=viewer\n\
         [program:p]\ncommand=/bin/sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\n"
    ));
    let mind = brain(&daemon);
    // From now on this is remembered.
    answered(port, ADMIN, "supervisor.getState", &[]);
    let told = ask(port, WRONG[0], "supervisor.getState", &[]).unwrap().to_ascii_lowercase();
    assert!(told.starts_with("http/1.1 401 "), "{told}");
    assert!(told.contains("\r\nwww-authenticate: basic realm=\"default\"\r\n"), "{told}");
    let before = pid_of(&daemon, "p");
    let (made, looked_at) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let guessers: Vec<_> =
            (0..50).map(|_| scope.spawn(|| guess(port, &made, &looked_at, 10_000))).collect();
        let mut rounds = 0;
        while guessers.iter().any(|guesser| !guesser.is_finished()) || rounds < 10 {
            assert!(answered(port, ADMIN, "supervisor.getState", &[]).contains("RUNNING"));
            assert!(
                answered(port, ADMIN, "supervisor.readProcessStdoutLog", &["p", "0", "0"]).contains("hello")
            );
            answered(port, ADMIN, "supervisor.stopProcess", &["p"]);
            answered(port, ADMIN, "supervisor.startProcess", &["p"]);
            rounds += 1;
        }
        for guesser in guessers {
            guesser.join().unwrap();
        }
    });
    assert_ne!(pid_of(&daemon, "p"), before);
    // Those that were looked at waited for each other, whoever made them. Of how many the guesser has heard depends on the machine.
    let looked_at = looked_at.into_inner();
    assert!(looked_at < 1000, "{looked_at} of 10,000 have been looked at");
    let log = content(&daemon, "main.log");
    let lines = log.lines().filter(|line| line.contains("WARN wrong password for user ")).count();
    assert!((1..=20).contains(&lines), "{lines} lines:\n{log:.4000}");
    // Whoever is right and not remembered has a turn, too.
    let deadline = Deadline::after(Duration::from_secs(60));
    while !ask(port, SECOND, "supervisor.getState", &[]).unwrap().starts_with("HTTP/1.1 200 ") {
        assert!(deadline.remaining().is_some(), "nobody else comes in any more");
    }
    assert_eq!(brain(&daemon), mind);
    end_well(daemon);
}

/// A request by somebody who waits for its answer.
fn asks(port: u16, authorization: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n")
        .unwrap();
    stream
}

#[test]
fn those_who_wait_for_the_answer_to_a_guess_take_no_place_from_anybody() {
    let port = free_port();
    // Sixteen connections for each door.
    let limited = started_by(&["prlimit", "--nofile=128:128"]);
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\nminfds=128\n");
    let door = format!("[inet_http_server]\nport=127.0.0.1:{port}\nusername=admin\npassword=correct horse\n");
    let daemon = Daemon::start(&limited, &format!("{head}{door}"));
    // From here on each guess costs seconds.
    for _ in 0..6 {
        assert!(ask(port, WRONG[0], "supervisor.getState", &[]).unwrap().starts_with("HTTP/1.1 401 "));
    }
    let mut followers: Vec<TcpStream> = (0..10).map(|_| asks(port, ADMIN, "/mainlogtail")).collect();
    for follower in &mut followers {
        let mut head = [0; 12];
        follower.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
    }
    let guessers: Vec<TcpStream> = (0..8).map(|_| asks(port, WRONG[0], "/")).collect();
    // The thread that serves all doors has understood them by then.
    for _ in 0..3 {
        assert!(call(&daemon, "supervisor.getState", &[]).contains("RUNNING"));
    }
    let asked = Instant::now();
    for _ in 0..3 {
        assert!(answered(port, ADMIN, "supervisor.getState", &[]).contains("RUNNING"));
    }
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    drop((followers, guessers));
    end_well(daemon);
}

#[test]
fn a_machine_comes_in_by_its_token_and_others_do_not() {
    let made = Command::new(&Implementation::ours().supervisorctl[0])
        .args(&Implementation::ours().supervisorctl[1..])
        .args(["hash-password", "--token"])
        .output()
        .unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    let [_, token, _, line] = made.lines().collect::<Vec<_>>()[..] else { panic!("{made}") };
    let port = free_port();
    let daemon: Daemon =
        start(&format!("[inet_http_server]\nport=127.0.0.1:{port}\n[user:ci]\n{line}\nallow=status\n"));
    answered(port, &format!("Bearer {token}"), "supervisor.getAllProcessInfo", &[]);
    let wrong = ask(port, &format!("Bearer {token}x"), "supervisor.getAllProcessInfo", &[]).unwrap();
    assert!(wrong.starts_with("HTTP/1.1 401 "), "{wrong}");
    assert!(!content(&daemon, "main.log").contains(token));
    end_well(daemon);
}
