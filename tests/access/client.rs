//! A client that says exactly what it is told to, as whom it is told to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provost_testkit::DEADLINE;

use crate::Outcome;

/// One XML-RPC call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: String,
    values: Vec<String>,
}

impl Call {
    pub(crate) fn new(method: &str, texts: &[&str]) -> Call {
        let values = texts.iter().map(|text| format!("<string>{text}</string>")).collect();
        Call { method: method.to_owned(), values }
    }

    pub(crate) fn of_names(method: &str, names: &[&str]) -> Call {
        Call::new(method, &[]).array(names)
    }

    pub(crate) fn text(mut self, text: &str) -> Call {
        self.values.push(format!("<string>{text}</string>"));
        self
    }

    /// An array of texts.
    pub(crate) fn array(mut self, texts: &[&str]) -> Call {
        let items: String =
            texts.iter().map(|text| format!("<value><string>{text}</string></value>")).collect();
        self.values.push(format!("<array><data>{items}</data></array>"));
        self
    }

    pub(crate) fn flag(mut self, flag: bool) -> Call {
        self.values.push(format!("<boolean>{}</boolean>", u8::from(flag)));
        self
    }

    pub(crate) fn numbers(mut self, numbers: &[i32]) -> Call {
        self.values.extend(numbers.iter().map(|number| format!("<int>{number}</int>")));
        self
    }

    fn body(&self) -> String {
        let params: String =
            self.values.iter().map(|value| format!("<param><value>{value}</value></param>")).collect();
        let name = &self.method;
        format!("<methodCall><methodName>{name}</methodName><params>{params}</params></methodCall>")
    }

    /// As a member of a multicall.
    fn entry(&self) -> String {
        let values: String = self.values.iter().map(|value| format!("<value>{value}</value>")).collect();
        format!(
            "<value><struct><member><name>methodName</name><value><string>{}</string></value></member>\
             <member><name>params</name><value><array><data>{values}</data></array></value></member></struct></value>",
            self.method
        )
    }
}

/// A way to the daemon, and who goes it.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    way: Way,
    authorization: Option<String>,
}

#[derive(Debug, Clone)]
enum Way {
    Inet(u16),
    Unix(PathBuf),
    /// Through a program that runs as this user and is in this group.
    UnixAs(PathBuf, u32, u32),
}

/// Sends what it reads to the socket, and prints what comes back. Perl is where every user can run it.
const RELAY: &str = "use IO::Socket::UNIX; $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; undef $/; \
    print $s scalar <STDIN>; $s->flush; print scalar <$s>;";

impl Door {
    pub(crate) fn inet(port: u16) -> Door {
        Door { way: Way::Inet(port), authorization: None }
    }

    pub(crate) fn unix(path: &Path) -> Door {
        Door { way: Way::Unix(path.to_owned()), authorization: None }
    }

    pub(crate) fn of_uid(self, uid: u32) -> Door {
        self.of_member(uid, uid)
    }

    /// With a group beside its own one.
    pub(crate) fn of_member(self, uid: u32, group: u32) -> Door {
        let Way::Unix(path) = self.way else { panic!("only at a socket file does the kernel say who comes") };
        Door { way: Way::UnixAs(path, uid, group), ..self }
    }

    pub(crate) fn with_password(self, user: &str, password: &str) -> Door {
        Door {
            authorization: Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))),
            ..self
        }
    }

    pub(crate) fn with_token(self, token: &str) -> Door {
        Door { authorization: Some(format!("Bearer {token}")), ..self }
    }

    /// The body of the answer.
    #[track_caller]
    pub(crate) fn call(&self, call: &Call) -> String {
        let (status, body) = self.request("POST", "/RPC2", &call.body());
        assert_eq!(status, 200, "{call:?}: {body}");
        body
    }

    /// All that comes back, if anything.
    #[track_caller]
    pub(crate) fn ask(&self, call: &Call) -> String {
        self.exchange("POST", "/RPC2", &call.body())
    }

    /// The status of the answer; what follows of a stream that never ends is not read.
    #[track_caller]
    pub(crate) fn status(&self, path: &str) -> u16 {
        let method = if path == "/RPC2" { "POST" } else { "GET" };
        self.request(method, path, "").0
    }

    /// An answer that goes on; its head has come.
    #[track_caller]
    pub(crate) fn stream(&self, path: &str) -> Stream {
        let Way::Inet(port) = self.way else { panic!("streams are read from an address") };
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let authorization = self.authorization.as_deref().unwrap_or_default();
        let head =
            format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut stream = Stream { stream, read: String::new() };
        stream.wait_for("\r\n\r\n");
        assert!(stream.read.contains(" 200 "), "{}", stream.read);
        stream
    }

    #[track_caller]
    fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.exchange(method, path, body);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    #[track_caller]
    fn exchange(&self, method: &str, path: &str, body: &str) -> String {
        let mut head =
            format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        if let Some(authorization) = &self.authorization {
            head += &format!("Authorization: {authorization}\r\n");
        }
        let request = format!("{head}\r\n{body}");
        match &self.way {
            Way::Inet(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                exchange(stream, &request, path)
            }
            Way::Unix(socket) => {
                let stream = UnixStream::connect(socket).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                exchange(stream, &request, path)
            }
            Way::UnixAs(socket, uid, group) => relayed(socket, *uid, *group, &request),
        }
    }
}

/// An answer that goes on, and what has come of it.
#[derive(Debug)]
pub(crate) struct Stream {
    stream: TcpStream,
    read: String,
}

impl Stream {
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.read.contains(text) {
            assert!(self.more() > 0, "it ended before {text:?}: {}", self.read);
        }
    }

    #[track_caller]
    pub(crate) fn wait_for_end(mut self) {
        while self.more() > 0 {}
    }

    #[track_caller]
    fn more(&mut self) -> usize {
        let mut piece = [0; 65536];
        let n = self.stream.read(&mut piece).unwrap_or_else(|e| panic!("{e}, behind {}", self.read));
        self.read += &String::from_utf8_lossy(&piece[..n]);
        n
    }
}

fn exchange(mut stream: impl Read + Write, request: &str, path: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 65536];
    loop {
        let n = stream.read(&mut piece).unwrap();
        answer.extend(&piece[..n]);
        let text = String::from_utf8_lossy(&answer);
        let is_endless = path.contains("logtail") && text.contains(" 200 ");
        if n == 0 || (is_endless && text.contains("\r\n\r\n")) {
            return text.into_owned();
        }
    }
}

fn relayed(socket: &Path, uid: u32, group: u32, request: &str) -> String {
    let mut relay = Command::new("setpriv")
        .args([&format!("--reuid={uid}"), &format!("--regid={uid}"), &format!("--groups={group}")])
        .args(["timeout", "20", "/usr/bin/perl", "-e", RELAY])
        .arg(socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    relay.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = relay.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the gate made of each call, all of them in one request.
#[track_caller]
pub(crate) fn outcomes(door: &Door, calls: &[Call]) -> Vec<Outcome> {
    let entries: String = calls.iter().map(Call::entry).collect();
    let values = format!("<array><data>{entries}</data></array>");
    let multicall = Call { method: "system.multicall".to_owned(), values: vec![values] };
    let body = door.call(&multicall);
    let results = split_results(&body);
    assert_eq!(results.len(), calls.len(), "{body}");
    results.into_iter().map(outcome).collect()
}

fn outcome(result: &str) -> Outcome {
    let fault = result.contains("<name>faultCode</name>");
    if fault && result.contains("may not") {
        Outcome::Denied
    } else if result.contains("BAD_NAME") {
        // As a fault, or in a list of results.
        Outcome::Hidden
    } else {
        Outcome::Passed
    }
}

/// The values of the one array that a multicall gives, each as it is written.
fn split_results(body: &str) -> Vec<&str> {
    let start = body.find("<array><data>\n").unwrap() + "<array><data>\n".len();
    let (mut depth, mut from, mut at) = (0, start, start);
    let mut results = Vec::new();
    while let Some(tag) = body[at..].find("value>") {
        let is_end = body.as_bytes()[at + tag - 1] == b'/';
        at += tag + "value>".len();
        if !is_end {
            depth += 1;
            continue;
        }
        if depth == 0 {
            break;
        }
        depth -= 1;
        if depth == 0 {
            results.push(&body[from..at]);
            from = at;
        }
    }
    results
}
