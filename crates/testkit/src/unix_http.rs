//! One HTTP POST over a unix socket, byte for byte, for tests that look at what
//! a client library would hide.
//!
//! In: a socket path, a request path and a body. Out: the status, the headers
//! and the body as they came. Not here: chunked replies, XML.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::deadline::DEADLINE;

/// A reply, taken apart only as far as HTTP itself goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names (as sent) and values, in order.
    pub headers: Vec<(String, String)>,
    /// Everything after the empty line.
    pub body: Vec<u8>,
}

/// Sends one request and reads until the server closes the connection.
///
/// # Errors
/// When the socket cannot be reached, goes silent for [`DEADLINE`], or what
/// comes back is not HTTP.
pub fn post(socket: &Path, path: &str, body: &[u8]) -> std::io::Result<Response> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    parse(&reply).ok_or_else(|| {
        let text = String::from_utf8_lossy(&reply).into_owned();
        std::io::Error::new(std::io::ErrorKind::InvalidData, format!("not HTTP: {text:?}"))
    })
}

fn parse(reply: &[u8]) -> Option<Response> {
    let split = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&reply[..split]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .map(|line| line.split_once(':').map(|(k, v)| (k.to_owned(), v.trim().to_owned())))
        .collect::<Option<_>>()?;
    Some(Response { status, headers, body: reply[split + 4..].to_vec() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Sandbox;

    #[test]
    fn a_reply_is_taken_apart_and_the_request_is_whole() {
        let sandbox = Sandbox::new();
        let path = sandbox.file("s");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\nbody") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 401 No\r\nA: b\r\n\r\nstop").unwrap();
            String::from_utf8(request).unwrap()
        });
        let response = post(&path, "/RPC2", b"body").unwrap();
        assert_eq!(response.status, 401);
        assert_eq!(response.headers, [("A".to_owned(), "b".to_owned())]);
        assert_eq!(response.body, b"stop");
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /RPC2 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("Content-Length: 4\r\n"), "{request}");
    }
}
