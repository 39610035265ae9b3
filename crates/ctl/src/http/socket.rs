//! Where a server URL leads, and the sockets there: unix, TCP, and TCP with TLS in it.
//!
//! In: a URL. Out: something to write to and read from, and to poll. It knows nothing of HTTP but the name that goes into `Host`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::tls::TlsSocket;
use crate::interrupt::{Interrupt, Woken};

/// Where a server URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Unix(PathBuf),
    Tcp { host: String, port: u16, tls: bool },
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Endpoint, String> {
        if let Some(path) = url.strip_prefix("unix://") {
            return Ok(Endpoint::Unix(path.into()));
        }
        let (rest, tls) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Err(format!("Unknown protocol for serverurl {url}")),
        };
        let netloc = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let netloc = netloc.rsplit_once('@').map_or(netloc, |(_, netloc)| netloc);
        let (host, port) = match netloc.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => netloc.split_once(':').map_or((netloc, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None | Some("") => usual_port(tls),
            Some(port) => port.parse().map_err(|_| format!("serverurl {url}: {port:?} is no port"))?,
        };
        Ok(Endpoint::Tcp { host: host.to_ascii_lowercase(), port, tls })
    }

    /// A daemon that takes nobody in, or whoever knows the names of hosts, may let us wait for long. Where Ctrl-C is news, and
    /// would not end us, it ends that.
    pub(super) fn connect_or_leave(&self, interrupt: &Interrupt) -> io::Result<Socket> {
        if !interrupt.is_caught() {
            return self.connect();
        }
        let (waiting, done) = io::pipe()?;
        let (result, results) = mpsc::channel();
        let endpoint = self.clone();
        thread::Builder::new().name("connect".to_owned()).spawn(move || {
            // Who has left wants no connection.
            let _ = result.send(endpoint.connect());
            drop(done);
        })?;
        match interrupt.wait(&[waiting.as_fd()])? {
            Woken::Interrupted => Err(io::ErrorKind::Interrupted.into()),
            Woken::Ready(_) => results.recv().unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn connect(&self) -> io::Result<Socket> {
        match self {
            Endpoint::Unix(path) => UnixStream::connect(path).map(Socket::Unix),
            Endpoint::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                // Requests go out in one piece; waiting for more only costs time.
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
        }
    }

    pub(super) fn host_header(&self) -> String {
        match self {
            Endpoint::Unix(_) => "localhost".to_owned(),
            Endpoint::Tcp { host, port, tls } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                if *port == usual_port(*tls) { host } else { format!("{host}:{port}") }
            }
        }
    }
}

fn usual_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<TlsSocket>),
}

impl Socket {
    /// Between calls nothing should come; if something does, it is the end.
    pub(super) fn was_closed(&self) -> bool {
        let mut watched = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut watched, PollTimeout::ZERO) != Ok(0)
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Socket::Unix(stream) => stream.write_all(bytes),
            Socket::Tcp(stream) => stream.write_all(bytes),
            Socket::Tls(socket) => socket.write_all(bytes),
        }
    }

    /// Reads once and appends what came, which may be nothing where it is encrypted; whether more may come. Nothing that came
    /// stays behind, so the next byte is one that poll tells of.
    pub(super) fn read_into(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let mut buffer = [0; 64 * 1024];
        let count = match self {
            Socket::Unix(stream) => stream.read(&mut buffer)?,
            Socket::Tcp(stream) => stream.read(&mut buffer)?,
            Socket::Tls(socket) => return socket.read_into(bytes),
        };
        bytes.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Unix(stream) => stream.as_fd(),
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Tls(socket) => socket.stream().as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_where_python_goes() {
        let tcp = |host: &str, port| Ok(Endpoint::Tcp { host: host.to_owned(), port, tls: false });
        let tls = |host: &str, port| Ok(Endpoint::Tcp { host: host.to_owned(), port, tls: true });
        assert_eq!(Endpoint::parse("https://H:9001/RPC2"), tls("h", 9001));
        assert_eq!(Endpoint::parse("https://h"), tls("h", 443));
        assert_eq!(Endpoint::parse("http://Localhost:9001"), tcp("localhost", 9001));
        assert_eq!(Endpoint::parse("http://h"), tcp("h", 80));
        assert_eq!(Endpoint::parse("http://u:p@h:1/RPC2"), tcp("h", 1));
        assert_eq!(Endpoint::parse("http://[::1]:9001/"), tcp("::1", 9001));
        assert_eq!(Endpoint::parse("unix:///run/s.sock"), Ok(Endpoint::Unix("/run/s.sock".into())));
        assert_eq!(Endpoint::parse("ftp://x").unwrap_err(), "Unknown protocol for serverurl ftp://x");
        assert!(Endpoint::parse("http://h:x").is_err());
        assert_eq!(Endpoint::parse("http://[::1]:9001/").unwrap().host_header(), "[::1]:9001");
    }
}
