//! Servers that listeners talk to: HTTP, SMTP and syslog on loopback, as little of each as is asked for.
//!
//! In: whatever connects. Out: what was said, in order, waited for with a deadline; HTTP answers with the statuses that the test has
//! given, and with 200 when there are none left. They end with the test's process. Not here: what should have been said.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, mpsc};

use provost_testkit::DEADLINE;

/// What a server has been told, one after the other.
pub(crate) struct Told<T> {
    pub(crate) address: SocketAddr,
    told: mpsc::Receiver<T>,
}

impl<T> Told<T> {
    #[track_caller]
    pub(crate) fn next(&self) -> T {
        self.next_within(DEADLINE)
    }

    #[track_caller]
    pub(crate) fn next_within(&self, patience: std::time::Duration) -> T {
        self.told.recv_timeout(patience).unwrap_or_else(|error| panic!("nobody says anything: {error}"))
    }
}

#[derive(Debug)]
pub(crate) struct Request {
    /// `GET /path`.
    pub(crate) what: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
    /// What it was answered.
    pub(crate) status: u16,
}

/// What HTTP answers next.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<VecDeque<u16>>>);

impl Answers {
    pub(crate) fn then(&self, status: u16) {
        self.0.lock().unwrap().push_back(status);
    }

    fn next(&self) -> u16 {
        self.0.lock().unwrap().pop_front().unwrap_or(200)
    }
}

pub(crate) fn http(answers: &Answers) -> Told<Request> {
    let answers = answers.clone();
    serve(move |stream, tell| {
        let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
        let mut lines = Vec::new();
        while let Some(line) = line(&mut reader).filter(|line| !line.is_empty()) {
            lines.push(line);
        }
        let length =
            lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let (what, _) = lines.first().unwrap().rsplit_once(' ').unwrap();
        let status = answers.next();
        let (what, headers) = (what.to_owned(), lines[1..].to_vec());
        let request = Request { what, headers, body: String::from_utf8(body).unwrap(), status };
        write!(writer, "HTTP/1.1 {status} said\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").unwrap();
        // Nobody is there any more when the test is over.
        let _ = tell.send(request);
    })
}

#[derive(Debug)]
pub(crate) struct Mail {
    /// MAIL and RCPT, as they were said.
    pub(crate) envelope: Vec<String>,
    /// Lines of the header and of the body.
    pub(crate) text: Vec<String>,
}

impl Mail {
    /// Lines that begin so, without that.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.text.iter().filter_map(|line| line.strip_prefix(name)).collect()
    }

    pub(crate) fn body(&self) -> String {
        let lines = self.text.iter().skip_while(|line| !line.is_empty()).skip(1);
        lines.map(|line| format!("{line}\n")).collect()
    }
}

pub(crate) fn smtp() -> Told<Mail> {
    serve(|stream, tell| {
        let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
        let mut mail = Mail { envelope: Vec::new(), text: Vec::new() };
        let mut answer = "220 here";
        loop {
            write!(writer, "{answer}\r\n").unwrap();
            let Some(said) = line(&mut reader) else { return };
            let verb = said.split([' ', ':']).next().unwrap().to_ascii_uppercase();
            answer = match verb.as_str() {
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                _ => "250 fine",
            };
            if matches!(verb.as_str(), "MAIL" | "RCPT") {
                mail.envelope.push(said);
            } else if verb == "DATA" {
                write!(writer, "{answer}\r\n").unwrap();
                while let Some(line) = line(&mut reader).filter(|line| line != ".") {
                    mail.text.push(line);
                }
                let whole = std::mem::replace(&mut mail, Mail { envelope: Vec::new(), text: Vec::new() });
                let _ = tell.send(whole);
                answer = "250 taken";
            }
        }
    })
}

/// Datagrams, as syslog takes them.
pub(crate) fn datagrams() -> Told<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length) = socket.recv(&mut buffer) {
            if tell.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).is_err() {
                return;
            }
        }
    });
    Told { address, told }
}

fn serve<T: Send + 'static>(talk: impl Fn(TcpStream, &mpsc::Sender<T>) + Send + 'static) -> Told<T> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            talk(stream.unwrap(), &tell);
        }
    });
    Told { address, told }
}

/// The next line without its end; `None` when there is none.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}
