//! Somebody is there, but no supervisord that can be talked to.
//!
//! In: answers that a server gives to whatever it is asked. Out: what the clients make of them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::play::{Play, bare};
use super::stage;

stage!(strangers without a daemon);

const VERBS: &[&str] =
    &["status", "pid", "start web", "avail", "update", "reread", "shutdown", "reload", "add x"];

pub(super) fn strangers(play: &mut Play) {
    play.write("supervisord.conf", "[supervisorctl]\n");
    let value = |value: &str| {
        answer(
            "200 OK",
            &format!(
                "<?xml version='1.0'?><methodResponse><params><param><value>{value}</value></param></params></methodResponse>"
            ),
        )
    };
    let fault = |code: u8, text: &str| {
        answer(
            "200 OK",
            &format!(
                "<?xml version='1.0'?><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>{code}\
                 </int></value></member><member><name>faultString</name><value><string>{text}</string></value></member>\
                 </struct></value></fault></methodResponse>"
            ),
        )
    };
    let answers = [
        ("old", value("<string>2.0</string>")),
        ("number", value("<int>3</int>")),
        ("nameless", fault(1, "UNKNOWN_METHOD")),
        ("leaving", fault(6, "SHUTDOWN_STATE")),
        ("strange", fault(99, "STRANGE: it's odd")),
        ("secret", answer("401 Unauthorized", "")),
        ("missing", answer("404 Not Found", "")),
        ("broken", answer("500 Internal Server Error", "oops")),
        ("text", answer("200 OK", "hello")),
        ("silent", String::new()),
    ];
    for (name, answer) in answers {
        let url = serve(answer);
        play.name(name, &url);
        for verb in VERBS {
            play.run(&bare(&format!("-s http://{{{name}}} {verb}")));
        }
    }
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Gives this answer to all who ask, as long as the tests run, and tells where.
fn serve(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = Vec::new();
            let mut piece = [0; 4096];
            while !is_whole(&asked) {
                match stream.read(&mut piece) {
                    Ok(count) if count > 0 => asked.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            // Who has gone need not be answered.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// Whether a request has come with all of its body.
fn is_whole(asked: &[u8]) -> bool {
    let asked = String::from_utf8_lossy(asked);
    let Some((head, body)) = asked.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
