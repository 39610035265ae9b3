//! The sinks against servers that the tests are themselves: what arrives, when they are full, slow, gone, and back.
//!
//! Time is what the tests say it is, so no pause is waited for. Servers shut down what they close: another test may be starting a
//! process just then, which would hold it open for a moment.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::time::{Duration, Instant};

use provost_config::{SyslogAddress, SyslogTo};
use provost_core::{Now, Wall};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::Shutdown::{self, Both};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, listen as listen_for, shutdown, socket_with,
};

use super::*;
use crate::clock;
use crate::logs::scene::Dir;

const DEADLINE: Duration = Duration::from_secs(20);

/// A syslog, a clock, and Supervisor's voice.
pub(super) struct Client {
    pub(super) syslog: Syslog,
    pub(super) now: Now,
    pub(super) voice: Voice,
}

impl Client {
    pub(super) fn new(syslog: Syslog) -> Client {
        let now = Now { wall: Wall(1_795_344_360_042), ..clock::now() };
        Client { syslog, now, voice: Voice::new(&SyslogTo::default(), "supervisord") }
    }

    fn local(path: &Path) -> Client {
        Client::new(Syslog::at(path))
    }

    fn tcp(port: u16) -> Client {
        Client::new(Syslog::new(&SyslogAddress::Tcp { host: "127.0.0.1".to_owned(), port }))
    }

    fn udp(port: u16) -> Client {
        Client::new(Syslog::new(&SyslogAddress::Udp { host: "127.0.0.1".to_owned(), port }))
    }

    pub(super) fn try_send(&mut self, line: &str) -> Result<usize, Refused> {
        self.syslog.send(&self.voice, "web", line.as_bytes(), self.now)
    }

    /// Comes back whenever it is told to, until the line is taken; how often it was told of trouble.
    pub(super) fn send(&mut self, line: &str) -> usize {
        let mut troubles = 0;
        loop {
            match self.try_send(line) {
                Ok(taken) => {
                    assert_eq!(taken, line.len());
                    return troubles;
                }
                Err(Refused::Trouble(_)) => troubles += 1,
                Err(Refused::NoRoom) => self.wait(),
                Err(Refused::Nobody(e)) => panic!("nobody is waited for: {e}"),
            }
        }
    }

    pub(super) fn wait(&mut self) {
        match self.syslog.waits_for() {
            Some(fd) => {
                let n = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], Some(&timeout())).unwrap();
                assert_eq!(n, 1, "no room in time");
            }
            None => self.now.mono = self.syslog.try_again().expect("there is something to wait for"),
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
    }

    /// How long it wants to be left alone.
    fn pause(&self) -> Duration {
        self.syslog.try_again().expect("a pause").since(self.now.mono)
    }
}

fn timeout() -> Timespec {
    clock::timespec(DEADLINE)
}

fn receiver(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// Everything but the text is checked elsewhere.
fn texts(bytes: &[u8], end: u8) -> Vec<String> {
    let mut messages: Vec<&[u8]> = bytes.split(|byte| *byte == end).collect();
    assert_eq!(messages.pop(), Some(&b""[..]), "an end without an end");
    messages.into_iter().map(text).collect()
}

fn text(message: &[u8]) -> String {
    let message = String::from_utf8_lossy(message);
    message.split_once(" web ").unwrap_or_else(|| panic!("no text: {message:.200}")).1.to_owned()
}

fn next(socket: &UnixDatagram) -> String {
    let mut message = vec![0; 1 << 20];
    let n = socket.recv(&mut message).unwrap();
    text(&message[..n])
}

#[test]
fn what_arrives_at_the_local_socket_is_one_message_a_line() {
    let dir = Dir::new();
    let socket = receiver(&dir.file("log"));
    let mut client = Client::local(&dir.file("log"));
    let line = b"bad \xff, tab \t";
    assert_eq!(client.syslog.send(&client.voice, "web", line, client.now).unwrap(), line.len());
    let mut message = [0; 1024];
    let n = socket.recv(&mut message).unwrap();
    assert!(message.starts_with(b"<14>Nov 2"), "{}", String::from_utf8_lossy(&message[..n]));
    assert!(message[..n].ends_with(b" supervisord: web bad \xff, tab \t"));
    assert!(!client.syslog.holds());
}

#[test]
fn a_full_local_socket_is_waited_for_and_nothing_is_lost_or_twice() {
    let dir = Dir::new();
    let socket = receiver(&dir.file("log"));
    let mut client = Client::local(&dir.file("log"));
    let mut sent = 0;
    while client.try_send(&sent.to_string()).is_ok() {
        sent += 1;
    }
    assert!(sent > 0 && matches!(client.try_send("x"), Err(Refused::NoRoom)));
    for received in 0..sent + 500 {
        assert_eq!(next(&socket), received.to_string());
        client.send(&(received + sent).to_string());
    }
}

#[test]
fn a_syslogd_that_is_restarted_gets_the_next_line() {
    let dir = Dir::new();
    let path = dir.file("log");
    let socket = receiver(&path);
    let mut client = Client::local(&path);
    client.send("before");
    assert_eq!(next(&socket), "before");
    std::fs::remove_file(&path).unwrap();
    shutdown(&socket, Both).unwrap();
    // It may be away for some seconds, and lines wait.
    assert!(matches!(client.try_send("after"), Err(Refused::NoRoom)));
    assert!(client.syslog.waits_for().is_none());
    client.pass(client.pause());
    assert!(matches!(client.try_send("after"), Err(Refused::NoRoom)));
    let socket = receiver(&path);
    assert_eq!(client.send("after"), 0);
    assert_eq!(next(&socket), "after");
}

#[test]
fn a_syslogd_that_does_not_come_back_is_not_waited_for_any_longer() {
    let dir = Dir::new();
    let path = dir.file("log");
    let socket = receiver(&path);
    let mut client = Client::local(&path);
    client.send("before");
    std::fs::remove_file(&path).unwrap();
    shutdown(&socket, Both).unwrap();
    assert!(matches!(client.try_send("lost"), Err(Refused::NoRoom)));
    client.pass(Duration::from_secs(10));
    assert!(matches!(client.try_send("lost"), Err(Refused::Nobody(_))));
    assert!(matches!(client.try_send("lost"), Err(Refused::Nobody(_))));
    // It is seen again within a second.
    let socket = receiver(&path);
    client.pass(Duration::from_secs(1));
    client.send("later");
    assert_eq!(next(&socket), "later");
}

#[test]
fn where_no_syslogd_ever_was_lines_are_lost_at_once_until_there_is_one() {
    let dir = Dir::new();
    let mut client = Client::local(&dir.file("log"));
    for _ in 0..3 {
        let Err(Refused::Nobody(e)) = client.try_send("lost") else { panic!("somebody is there") };
        assert_eq!(e.kind(), std::io::ErrorKind::NotFound);
    }
    let socket = receiver(&dir.file("log"));
    client.pass(Duration::from_secs(1));
    client.send("later");
    assert_eq!(next(&socket), "later");
}

#[test]
fn a_socket_that_can_be_connected_to_and_takes_nothing_is_nobody() {
    let dir = Dir::new();
    let path = dir.file("log");
    let socket = receiver(&path);
    let mut client = Client::local(&path);
    client.send("heard");
    shutdown(&socket, Shutdown::Read).unwrap();
    // One who listened before is waited for, however often he can be connected to.
    for _ in 0..50 {
        assert!(matches!(client.try_send("x"), Err(Refused::NoRoom)));
        client.pass(Duration::from_millis(200));
    }
    assert!(matches!(client.try_send("lost"), Err(Refused::Nobody(_))));
    client.pass(Duration::from_secs(1));
    assert!(matches!(client.try_send("lost"), Err(Refused::Nobody(_))));
}

#[test]
fn a_line_that_is_longer_than_any_datagram_goes_in_pieces() {
    let dir = Dir::new();
    let socket = receiver(&dir.file("log"));
    let mut client = Client::local(&dir.file("log"));
    let line = "0123456789".repeat(20_000);
    let mut rest = line.as_bytes();
    let mut all = String::new();
    while !rest.is_empty() {
        let taken = client.syslog.send(&client.voice, "web", rest, client.now).unwrap();
        rest = &rest[taken..];
        all.push_str(&next(&socket));
    }
    assert!(all == line, "{} of {} bytes, or other ones", all.len(), line.len());
}

#[test]
fn a_local_socket_that_is_a_stream_gets_what_the_c_library_would_write() {
    let dir = Dir::new();
    let path = dir.file("log");
    let server = UnixListener::bind(&path).unwrap();
    let mut client = Client::local(&path);
    client.send("one");
    client.send("two");
    let (mut connection, _) = server.accept().unwrap();
    // Nobody reads: a message is cut, and the rest of it is held.
    let long = "x".repeat(50_000);
    while client.try_send(&long).is_ok() {}
    let mut seen = Vec::new();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    while client.syslog.holds() {
        let mut piece = vec![0; 1 << 16];
        let n = connection.read(&mut piece).unwrap();
        seen.extend_from_slice(&piece[..n]);
        let _ = client.syslog.push(client.now);
    }
    drop(client);
    connection.read_to_end(&mut seen).unwrap();
    let texts = texts(&seen, 0);
    assert_eq!(texts[..2], ["one", "two"]);
    assert!(texts.len() > 3 && texts[2..].iter().all(|text| *text == long));
}

#[test]
fn a_datagram_by_udp_is_short_enough_for_every_network() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut client = Client::udp(socket.local_addr().unwrap().port());
    client.send("short");
    let taken = client.try_send(&"x".repeat(5000)).unwrap();
    let mut message = [0; 9000];
    let n = socket.recv(&mut message).unwrap();
    assert!(
        message.starts_with(b"<14>1 2026-11-2") && message[..n].ends_with(b" supervisord - - - web short")
    );
    let n = socket.recv(&mut message).unwrap();
    assert_eq!((n, text(&message[..n]).len()), (1024, taken));
}

/// A child that another test has forked may hold the socket that was there for a moment.
#[track_caller]
fn bound_again(address: SocketAddr) -> UdpSocket {
    let end = Instant::now() + DEADLINE;
    loop {
        match UdpSocket::bind(address) {
            Ok(socket) => return socket,
            Err(e) => assert!(Instant::now() < end, "{e}"),
        }
    }
}

#[test]
fn nobody_at_the_udp_port_costs_lines_and_holds_up_none() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let mut client = Client::udp(address.port());
    // The first one goes, and its answer is heard with one of the next.
    let refused = (0..1000).find_map(|_| client.try_send("lost").err());
    assert!(matches!(refused, Some(Refused::Nobody(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused));
    assert!(matches!(client.try_send("lost"), Err(Refused::Nobody(_))));
    let socket = bound_again(address);
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    client.pass(Duration::from_secs(1));
    client.send("later");
    let mut message = [0; 1024];
    let n = socket.recv(&mut message).unwrap();
    assert_eq!(text(&message[..n]), "later");
}

#[test]
fn a_host_without_an_address_is_trouble_for_tcp_and_nobody_for_udp() {
    let nowhere = || String::new();
    let mut client = Client::new(Syslog::new(&SyslogAddress::Tcp { host: nowhere(), port: 1 }));
    assert!(matches!(client.try_send("x"), Err(Refused::Trouble(_))));
    let mut client = Client::new(Syslog::new(&SyslogAddress::Udp { host: nowhere(), port: 1 }));
    assert!(matches!(client.try_send("x"), Err(Refused::Nobody(_))));
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let mut ready = [PollFd::new(listener, PollFlags::IN)];
    assert_eq!(poll(&mut ready, Some(&timeout())).unwrap(), 1, "no connection in time");
    let (connection, _) = listener.accept().unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection
}

/// Reads messages until that many are there.
fn read_lines(connection: &mut TcpStream, count: usize) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut seen = 0;
    while seen < count {
        let mut piece = [0; 4096];
        let n = connection.read(&mut piece).unwrap();
        assert_ne!(n, 0, "the connection ended");
        seen += piece[..n].iter().filter(|byte| **byte == b'\n').count();
        bytes.extend_from_slice(&piece[..n]);
    }
    texts(&bytes, b'\n')
}

#[test]
fn a_thousand_lines_come_once_and_in_order_though_the_server_restarts() {
    let (listener, port) = listen();
    let mut client = Client::tcp(port);
    for turn in 0..10 {
        let mut server = None;
        for line in 0..100 {
            assert_eq!(client.send(&format!("{}", turn * 100 + line)), 0);
            server.get_or_insert_with(|| accept(&listener));
        }
        let mut server = server.unwrap();
        let expected: Vec<String> = (0..100).map(|line| (turn * 100 + line).to_string()).collect();
        assert_eq!(read_lines(&mut server, 100), expected);
        // It closes while nothing is on its way, as one does that is told to end.
        shutdown(&server, Both).unwrap();
        client.pass(Duration::from_secs(60));
    }
}

#[test]
fn a_server_that_never_reads_is_waited_for_in_bounded_memory() {
    let (listener, port) = listen();
    let mut client = Client::tcp(port);
    client.send("0");
    let mut server = accept(&listener);
    let long = "y".repeat(4000);
    let mut sent = 1;
    while client.try_send(&format!("{sent} {long}")).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "no end of room");
    }
    assert!(matches!(client.try_send("x"), Err(Refused::NoRoom)) && client.syslog.waits_for().is_some());
    assert!(client.syslog.push(clock::now()).is_err(), "nothing can be sent now");
    // Now it reads.
    let reader = std::thread::spawn(move || read_lines(&mut server, sent + 1));
    client.send("last");
    while client.syslog.push(clock::now()).is_err() {
        client.wait();
    }
    let lines = reader.join().unwrap();
    for (number, line) in lines[..sent].iter().enumerate() {
        assert_eq!(line.split(' ').next(), Some(number.to_string().as_str()));
    }
    assert_eq!(lines[sent..], ["last"]);
}

#[test]
fn a_line_that_was_cut_by_the_end_of_a_connection_is_sent_again_whole() {
    let (listener, port) = listen();
    let mut client = Client::tcp(port);
    let mut sent = 0;
    let long = "z".repeat(5001);
    while !client.syslog.holds() {
        client.send(&format!("{sent} {long}"));
        sent += 1;
    }
    // What it had received is gone with it; nobody can know of that.
    let server = accept(&listener);
    shutdown(&server, Both).unwrap();
    drop(server);
    client.pass(Duration::from_secs(60));
    client.send("next");
    let mut server = accept(&listener);
    let lines = read_lines(&mut server, 2);
    assert_eq!(lines, [format!("{} {long}", sent - 1), "next".to_owned()]);
}

#[test]
fn a_server_that_refuses_is_said_once_and_asked_ever_less_often() {
    let (listener, port) = listen();
    shutdown(&listener, Both).unwrap();
    let mut client = Client::tcp(port);
    let mut pauses = Vec::new();
    let mut troubles = 0;
    while pauses.len() < 7 {
        match client.try_send("x") {
            Err(Refused::Trouble(e)) => {
                assert_eq!(e.kind(), std::io::ErrorKind::ConnectionRefused);
                troubles += 1;
            }
            Err(Refused::NoRoom) => {}
            other => panic!("{other:?}"),
        }
        if client.syslog.waits_for().is_none() {
            pauses.push(client.pause().as_secs());
        }
        client.wait();
    }
    assert_eq!((troubles, pauses), (1, vec![1, 2, 4, 8, 16, 30, 30]));
}

#[test]
fn a_server_that_hangs_up_at_once_is_not_called_without_end() {
    let (listener, port) = listen();
    let mut client = Client::tcp(port);
    client.send("0");
    shutdown(accept(&listener), Both).unwrap();
    let refused = (0..1000).find_map(|_| client.try_send("x").err());
    assert!(matches!(refused, Some(Refused::Trouble(_))), "{refused:?}");
    assert_eq!(client.pause(), Duration::from_secs(1));
    client.send("again");
    assert_eq!(read_lines(&mut accept(&listener), 1), ["again"]);
}

#[test]
fn an_address_that_stays_silent_is_given_up_in_time() {
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    // Nobody accepts, and hardly anybody may wait for that: the kernel does not answer those who come later.
    listen_for(&listener, 0).unwrap();
    let port = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap().port();
    let mut waiting = Vec::new();
    let why = (0..10).find_map(|_| {
        let mut client = Client::tcp(port);
        while let Err(refused) = client.try_send("x") {
            match refused {
                Refused::NoRoom => client.pass(client.pause()),
                Refused::Trouble(e) => return Some(e.kind()),
                Refused::Nobody(e) => panic!("{e}"),
            }
        }
        waiting.push(client);
        None
    });
    assert_eq!(why, Some(std::io::ErrorKind::TimedOut), "{} are connected", waiting.len());
}
