//! A daemon with a web page, and requests to it byte by byte.
//!
//! In: a configuration, in which `{port}` stands for a free port. Out: the daemon, addresses, answers taken apart. Not here: browsers.

use std::io::{Read, Write};
use std::net::TcpStream;

use provost_testkit::{DEADLINE, Daemon, HEAD, Implementation, free_port, until};

/// A running daemon and the port of its page.
pub(crate) struct Site {
    pub(crate) daemon: Daemon,
    pub(crate) port: u16,
}

/// The page on a port of this machine, for everybody here.
pub(crate) const OPEN: &str = "\n[inet_http_server]\nport=127.0.0.1:{port}\n";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

impl Site {
    #[track_caller]
    pub(crate) fn start(config: &str) -> Site {
        let port = free_port();
        let config = format!("{HEAD}{config}").replace("{port}", &port.to_string());
        Site { daemon: Daemon::start(&Implementation::ours(), &config), port }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The header that names us as browsers do.
    pub(crate) fn host(&self) -> String {
        format!("Host: 127.0.0.1:{}", self.port)
    }

    /// Sends a request with these headers to its end.
    #[track_caller]
    pub(crate) fn ask(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("{head:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The state of a program, as its own control program says.
    #[track_caller]
    pub(crate) fn state(&self, name: &str) -> String {
        let said = self.daemon.ctl(&["status", name]).stdout;
        said.split_whitespace().nth(1).unwrap_or_else(|| panic!("{said:?}")).to_owned()
    }

    /// Waits until these are RUNNING. A program may speak before its supervisor has heard that it is there.
    #[track_caller]
    pub(crate) fn wait_until_running(&self, names: &[&str]) {
        until(&format!("{names:?} are RUNNING"), || names.iter().all(|name| self.state(name) == "RUNNING"));
    }

    /// The token of a page that is fetched with these headers.
    #[track_caller]
    pub(crate) fn token(&self, headers: &[&str]) -> String {
        let page = self.ask("GET /", headers, "").body;
        let token = page.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        token.unwrap_or_else(|| panic!("{page}")).to_owned()
    }
}
