//! Calls over a kept connection, streams over one of their own.
//!
//! In: methods and paths. Out: values, or why there are none; bytes as they come. Ctrl-C ends any wait. What a socket is, and where a
//! URL leads, is `socket.rs`'s.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine;
use provost_wire::{Value, xmlrpc};

use super::answer::{Answer, Head};
use super::socket::{Endpoint, Socket};
use super::tls::{TlsSocket, Trust};
use crate::call::{Ask, CallError, Server};
use crate::interrupt::{Interrupt, Woken};
use crate::names;
use crate::terminal;

/// A daemon at the other end of a socket. No `Debug`: it knows a password.
pub(crate) struct Client {
    url: String,
    /// `Basic …`.
    authorization: Option<String>,
    interrupt: Rc<Interrupt>,
    trust: Trust,
    /// Kept from the last call, if the daemon agreed.
    idle: Option<Socket>,
}

impl Client {
    pub(crate) fn new(url: String, interrupt: Rc<Interrupt>, trust: Trust) -> Client {
        Client { url, authorization: None, interrupt, trust, idle: None }
    }

    fn post(&mut self, request: &[u8]) -> Result<(Head, Vec<u8>), CallError> {
        let mut socket = match self.idle.take() {
            Some(socket) if !socket.was_closed() => socket,
            _ => self.connect()?,
        };
        let (answer, body) =
            exchange(&mut socket, request, &self.interrupt).map_err(|error| self.broken(error))?;
        let head = answer.head().cloned().ok_or_else(|| self.broken(closed()))?;
        if head.keep_alive && answer.is_done() {
            self.idle = Some(socket);
        }
        Ok((head, body))
    }

    fn connect(&self) -> Result<Socket, CallError> {
        let endpoint = Endpoint::parse(&self.url).map_err(CallError::Other)?;
        let broken = |error| self.broken(error);
        let socket = endpoint.connect_or_leave(&self.interrupt).map_err(broken)?;
        match (&endpoint, socket) {
            (Endpoint::Tcp { host, tls: true, .. }, Socket::Tcp(stream)) => {
                let trust = self.trust.config().map_err(CallError::Other)?;
                let socket = TlsSocket::connect(stream, host, trust, &self.interrupt).map_err(broken)?;
                Ok(Socket::Tls(Box::new(socket)))
            }
            (_, socket) => Ok(socket),
        }
    }

    /// `POST /RPC2` and the like, up to the lines that only this request has.
    fn request_head(&self, request: &str) -> Result<String, CallError> {
        let host = Endpoint::parse(&self.url).map_err(CallError::Other)?.host_header();
        let mut head = format!("{request} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: supervisorctl\r\n");
        if let Some(authorization) = &self.authorization {
            head += &format!("Authorization: {authorization}\r\n");
        }
        Ok(head)
    }

    fn broken(&self, error: io::Error) -> CallError {
        if error.kind() == io::ErrorKind::Interrupted {
            return CallError::Interrupted;
        }
        CallError::Connection { url: self.url.clone(), error }
    }

    fn refused(&self, head: &Head) -> CallError {
        CallError::Status { url: self.url.clone(), code: head.status, reason: head.reason.clone() }
    }
}

impl Server for Client {
    fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError> {
        let body = xmlrpc::write_call(method, params);
        let mut request = self.request_head("POST /RPC2")?.into_bytes();
        request.extend_from_slice(
            format!("Accept: text/xml\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n", body.len())
                .as_bytes(),
        );
        request.extend_from_slice(&body);
        let (head, body) = self.post(&request)?;
        if head.status != 200 {
            return Err(self.refused(&head));
        }
        match xmlrpc::parse_response(&body) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => Err(CallError::Fault(fault)),
            Err(error) => Err(CallError::Other(format!("{}: {method}: {error}", self.url))),
        }
    }

    fn stream(&mut self, path: &str) -> Result<LogStream, CallError> {
        let request = self.request_head(&format!("GET {path}"))? + "Accept: */*\r\n\r\n";
        let mut socket = self.connect()?;
        socket.write_all(request.as_bytes()).map_err(|error| self.broken(error))?;
        let mut stream = LogStream::new(socket);
        while stream.answer.head().is_none() {
            match self.interrupt.wait(&[stream.as_fd()]).map_err(|error| self.broken(error))? {
                Woken::Interrupted => return Err(CallError::Interrupted),
                Woken::Ready(_) => stream.fill().map_err(|error| self.broken(error))?,
            }
            if stream.ended && stream.answer.head().is_none() {
                return Err(self.broken(closed()));
            }
        }
        match stream.answer.head() {
            Some(head) if head.status != 200 => Err(self.refused(head)),
            _ => Ok(stream),
        }
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn set_url(&mut self, url: &str) {
        self.url = url.to_owned();
        self.idle = None;
    }

    fn log_in(&mut self, username: String, password: String) {
        let pair = format!("{username}:{password}");
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        self.authorization = Some(format!("Basic {encoded}"));
        self.idle = None;
    }

    fn names(&self) -> Ask {
        let (url, authorization, files) =
            (self.url.clone(), self.authorization.clone(), self.trust.files().clone());
        Arc::new(move |kind| {
            let mut client = Client::new(url.clone(), Rc::default(), Trust::new(files.clone()));
            client.authorization.clone_from(&authorization);
            names::of(&mut client, kind)
        })
    }
}

/// A log that goes on and on.
#[derive(Debug)]
pub(crate) struct LogStream {
    socket: Socket,
    answer: Answer,
    unread: Vec<u8>,
    ended: bool,
}

impl LogStream {
    fn new(socket: Socket) -> LogStream {
        LogStream { socket, answer: Answer::default(), unread: Vec::new(), ended: false }
    }

    /// A stream of this text, that ends after it.
    #[cfg(test)]
    pub(crate) fn scripted(text: &str) -> LogStream {
        use std::io::Write;
        use std::os::unix::net::UnixStream;

        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        write!(theirs, "HTTP/1.1 200 OK\r\n\r\n{text}").expect("a short text fits");
        LogStream::new(Socket::Unix(ours))
    }

    /// Reads what there is; blocks when there is nothing.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        let more = self.socket.read_into(&mut bytes)?;
        let fed = self.answer.feed(&bytes, &mut self.unread);
        fed.map_err(|text| io::Error::new(io::ErrorKind::InvalidData, text))?;
        self.ended = !more || self.answer.is_done();
        Ok(())
    }

    /// The log bytes that have come since the last time.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    /// The same up to the last letter that is whole; one that is cut waits for its rest, if that may come.
    pub(crate) fn take_letters(&mut self) -> Vec<u8> {
        let mut bytes = self.take();
        if !self.ended {
            let whole = bytes.len() - terminal::letters(&bytes).1.len();
            self.unread = bytes.split_off(whole);
        }
        bytes
    }

    /// No more will come.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }
}

impl AsFd for LogStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Bytes of a body that are believed in before they come.
const MOST_RESERVED: usize = 16 << 20;

/// Asks and waits for the whole answer.
fn exchange(socket: &mut Socket, request: &[u8], interrupt: &Interrupt) -> io::Result<(Answer, Vec<u8>)> {
    socket.write_all(request)?;
    let (mut answer, mut body) = (Answer::default(), Vec::new());
    let mut bytes = Vec::new();
    while !answer.is_done() {
        if interrupt.wait(&[socket.as_fd()])? == Woken::Interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        bytes.clear();
        let more = socket.read_into(&mut bytes)?;
        let fed = answer.feed(&bytes, &mut body);
        fed.map_err(|text| io::Error::new(io::ErrorKind::InvalidData, text))?;
        body.reserve(answer.announced().min(MOST_RESERVED));
        if !more && !answer.is_done() {
            if answer.may_end() {
                break;
            }
            return Err(closed());
        }
    }
    Ok((answer, body))
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed before the answer was complete")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::tests::with_button;
    use provost_config::CtlTls;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::thread;

    /// A daemon of few words: one connection per list of answers, one answer per request.
    /// Returns its URL, and a handle to the requests it has read.
    fn daemon(connections: Vec<Vec<String>>) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = move || {
            let mut requests = Vec::new();
            for answers in connections {
                let (mut socket, _) = listener.accept().unwrap();
                for answer in answers {
                    requests.push(read_request(&mut socket));
                    socket.write_all(answer.as_bytes()).unwrap();
                }
            }
            requests
        };
        (url, thread::spawn(serve))
    }

    /// Up to the end of the call, or of the head where there is no body.
    fn read_request(socket: &mut TcpStream) -> String {
        let mut request = String::new();
        let is_whole = |request: &str| match request.starts_with("GET") {
            true => request.ends_with("\r\n\r\n"),
            false => request.ends_with("</methodCall>\n"),
        };
        while !is_whole(&request) {
            let mut buffer = [0; 1024];
            let count = socket.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "the request was cut off: {request}");
            request.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        request
    }

    #[test]
    fn a_letter_that_came_in_two_pieces_is_one() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut log = LogStream::new(Socket::Unix(ours));
        let mut next = |bytes: &[u8], log: &mut LogStream| {
            theirs.write_all(bytes).unwrap();
            log.fill().unwrap();
        };
        next(b"HTTP/1.1 200 OK\r\n\r\na\xc3", &mut log);
        assert_eq!(log.take_letters(), b"a");
        next(b"\xa9\xff\xe2\x82", &mut log);
        assert_eq!(log.take_letters(), b"\xc3\xa9\xff");
        drop(theirs);
        log.fill().unwrap();
        assert_eq!(log.take_letters(), b"\xe2\x82");
    }

    fn client(url: String) -> Client {
        Client::new(url, Rc::new(Interrupt::default()), Trust::new(CtlTls::default()))
    }

    fn answer(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn truth() -> String {
        answer(&String::from_utf8(xmlrpc::write_response(&Value::Bool(true))).unwrap())
    }

    #[test]
    fn calls_share_a_connection_and_carry_credentials() {
        let (url, daemon) = daemon(vec![vec![truth(), truth()], vec![truth()]]);
        let mut client = client(url.clone());
        assert_eq!(client.call("supervisor.a", &[1.into()]).unwrap(), Value::Bool(true));
        assert_eq!(client.call("supervisor.b", &[]).unwrap(), Value::Bool(true));
        client.log_in("jo".to_owned(), "pw".to_owned());
        assert_eq!(client.call("supervisor.c", &[]).unwrap(), Value::Bool(true));
        let requests = daemon.join().unwrap();
        assert!(
            requests[0].starts_with(&format!("POST /RPC2 HTTP/1.1\r\nHost: {}\r\n", &url[7..])),
            "{}",
            requests[0]
        );
        assert!(
            requests[1].contains("<methodName>supervisor.b</methodName>")
                && !requests[1].contains("Authorization")
        );
        assert!(requests[2].contains("\r\nAuthorization: Basic am86cHc=\r\n"));
    }

    #[test]
    fn a_connection_that_was_closed_meanwhile_is_made_anew() {
        let (url, daemon) = daemon(vec![vec![truth()], vec![truth()]]);
        let mut client = client(url);
        client.call("supervisor.a", &[]).unwrap();
        // The daemon hangs up after its only answer; that is what is waited for.
        let idle = client.idle.take().unwrap();
        client.interrupt.wait(&[idle.as_fd()]).unwrap();
        client.idle = Some(idle);
        client.call("supervisor.b", &[]).unwrap();
        assert_eq!(daemon.join().unwrap().len(), 2);
    }

    #[test]
    fn refusals_and_nonsense_are_told_apart() {
        let (url, _daemon) = daemon(vec![
            vec!["HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()],
            vec![answer("ok")],
            vec!["HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n<?xml".to_owned()],
        ]);
        let mut client = client(url);
        assert!(matches!(client.call("m", &[]), Err(CallError::Status { code: 401, .. })));
        assert!(matches!(client.call("m", &[]), Err(CallError::Other(_))));
        client.idle = None;
        let cut_off = client.call("m", &[]).unwrap_err();
        assert!(cut_off.to_string().contains("closed before the answer was complete"), "{cut_off}");
    }

    #[test]
    fn absence_has_two_forms() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        assert_eq!(client(url).call("m", &[]).unwrap_err().nobody_there(), Some("refused connection"));
        let url = "unix:///nonexistent/supervisor.sock".to_owned();
        assert_eq!(client(url).call("m", &[]).unwrap_err().nobody_there(), Some("no such file"));
    }

    #[test]
    fn streams_come_in_chunks_and_can_be_interrupted() {
        let (interrupt, mut button) = with_button();
        let interrupt = Rc::new(interrupt);
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlog\n\r\n0\r\n\r\n";
        let (url, daemon) = daemon(vec![vec![chunks.to_owned()], vec![]]);
        let mut client = Client::new(url, Rc::clone(&interrupt), Trust::new(CtlTls::default()));
        let mut stream = client.stream("/mainlogtail").unwrap();
        while !stream.has_ended() {
            stream.fill().unwrap();
        }
        assert_eq!(stream.take(), b"log\n");
        button.write_all(b"!").unwrap();
        assert!(matches!(client.stream("/mainlogtail"), Err(CallError::Interrupted)));
        assert!(daemon.join().unwrap()[0].starts_with("GET /mainlogtail HTTP/1.1\r\n"));
    }
}
