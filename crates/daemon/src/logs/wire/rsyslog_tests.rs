//! Lines of ours as rsyslog reads them, with nothing said to it but where to listen.
//!
//! In: the distribution's rsyslogd, started by each test with a configuration of its own. Not here: what a server can do wrong,
//! for which `tests.rs` has servers that do.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use provost_config::{SyslogAddress, SyslogTo};
use provost_testkit::{Deadline, Lines, Process, Signal};

use super::tests::Client;
use super::*;
use crate::logs::scene::Dir;

const DEADLINE: Duration = Duration::from_secs(20);
const PORT: u16 = 10514;

struct Server {
    dir: Dir,
    /// One of the many that lead to this machine, so that nobody else has the port.
    address: String,
    running: Option<Child>,
    seen: Lines,
}

impl Server {
    fn start() -> Server {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let pid = std::process::id();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = format!("127.{}.{}.{number}", 100 + pid / 256 % 100, pid % 256);
        let dir = Dir::new();
        std::fs::write(dir.file("conf"), configuration(&dir, &address)).unwrap();
        let seen = Lines::follow(&dir.file("seen"));
        let mut server = Server { dir, address, running: None, seen };
        server.run();
        server
    }

    fn run(&mut self) {
        let usr = std::env::var_os("PROVOST_RSYSLOG").map_or_else(|| PathBuf::from("/usr"), PathBuf::from);
        let libraries = PathBuf::from(format!("lib/{}-linux-gnu", std::env::consts::ARCH));
        let option = |name: &str, value: PathBuf| [OsString::from(name), value.into()];
        let mut command = Command::new(usr.join("sbin/rsyslogd"));
        command
            .arg("-n")
            .args(option("-f", self.dir.file("conf")))
            .args(option("-i", self.dir.file("pid")))
            .args(option("-M", usr.join(&libraries).join("rsyslog")))
            .env("LD_LIBRARY_PATH", usr.join(&libraries));
        let running = command.spawn();
        self.running = Some(
            running.expect("scripts/setup-tests.sh unpacks rsyslog and says where PROVOST_RSYSLOG leads"),
        );
        self.seen.wait_for("] start");
    }

    fn end(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        let process = Process::new(child.id() as i32);
        process.signal(Signal::TERM);
        assert!(process.ended_before(Deadline::after(DEADLINE)), "rsyslogd does not end");
        child.wait().unwrap();
    }

    fn client(&self, address: fn(String, u16) -> SyslogAddress) -> Client {
        Client::new(Syslog::new(&address(self.address.clone(), PORT)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            // A test that fails leaves nobody behind.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn configuration(dir: &Dir, address: &str) -> String {
    let dir = dir.path().display();
    format!(
        r#"
        global(processInternalMessages="on")
        module(load="imuxsock" SysSock.Use="off")
        module(load="imtcp")
        module(load="imudp")
        input(type="imuxsock" Socket="{dir}/log")
        input(type="imtcp" address="{address}" port="{PORT}")
        input(type="imudp" address="{address}" port="{PORT}")
        template(name="all" type="string"
            string="%inputname% %pri% %timereported:::date-rfc3339% %hostname% %syslogtag%|%msg%|\n")
        action(type="omfile" file="{dir}/seen" template="all")
        "#
    )
}

fn tcp(host: String, port: u16) -> SyslogAddress {
    SyslogAddress::Tcp { host, port }
}

fn udp(host: String, port: u16) -> SyslogAddress {
    SyslogAddress::Udp { host, port }
}

#[test]
fn every_part_of_a_message_arrives_as_what_it_is() {
    let mut server = Server::start();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let to = SyslogTo { facility: 16, severity: 3, tag: Some("shop".to_owned()), ..SyslogTo::default() };
    let local = Client::new(Syslog::at(&server.dir.file("log")));
    let ways = [("imuxsock", local), ("imtcp", server.client(tcp)), ("imudp", server.client(udp))];
    for (input, mut client) in ways {
        client.send("ü, tab\t, zero \0, end");
        client.voice = Voice::new(&to, "supervisord");
        client.send("{\"json\": true}");
        // Local messages begin their text with the space behind the tag.
        let space = if input == "imuxsock" { " " } else { "" };
        // rsyslog shows other control characters in the way in which we write the zero.
        let line = server.seen.wait_for("zero");
        // By which clock it stamps what comes from this machine is its own affair.
        let stamp = if input == "imuxsock" { "" } else { "2026-11-2" };
        assert!(line.starts_with(&format!("{input} 14 {stamp}")), "{line}");
        let colon = if input == "imuxsock" { ":" } else { "" };
        let end = format!(" {host} supervisord{colon}|{space}web ü, tab#011, zero #000, end|");
        assert!(line.ends_with(&end), "{line}");
        let line = server.seen.wait_for("json");
        assert!(line.starts_with(&format!("{input} 131 ")), "{line}");
        assert!(line.ends_with(&format!("shop{colon}|{space}{{\"json\": true}}|")), "{line}");
    }
    server.end();
}

#[test]
fn a_long_line_arrives_whole_in_pieces() {
    let mut server = Server::start();
    let mut client = server.client(tcp);
    let line = "0123456789".repeat(10_000);
    let mut rest = line.as_str();
    while !rest.is_empty() {
        match client.syslog.send(&client.voice, "web", rest.as_bytes(), client.now) {
            Ok(taken) => rest = &rest[taken..],
            Err(Refused::NoRoom) => client.wait(),
            Err(refused) => panic!("{refused:?}"),
        }
    }
    client.send("end");
    let mut all = String::new();
    loop {
        let piece = server.seen.wait_for("|web ");
        let text = piece.split_once("|web ").and_then(|(_, text)| text.strip_suffix('|')).unwrap();
        if text == "end" {
            break;
        }
        all.push_str(text);
    }
    assert!(all == line, "{} of {} bytes, or other ones", all.len(), line.len());
    server.end();
}

#[test]
fn a_thousand_lines_come_once_and_in_order_though_rsyslog_restarts() {
    for local in [true, false] {
        let mut server = Server::start();
        let mut client =
            if local { Client::new(Syslog::at(&server.dir.file("log"))) } else { server.client(tcp) };
        for number in 0..1000 {
            if number > 0 && number % 250 == 0 {
                // What it has not read when it ends nobody can bring back.
                server.seen.wait_for(&format!("web {}|", number - 1));
                server.end();
                assert!(matches!(client.try_send("x"), Err(Refused::NoRoom | Refused::Trouble(_))));
                server.run();
                client.pass(Duration::from_secs(1));
            }
            client.send(&number.to_string());
        }
        server.seen.wait_for("web 999|");
        let all = std::fs::read_to_string(server.dir.file("seen")).unwrap();
        let lines = all.lines().filter_map(|line| line.split_once("web ")?.1.strip_suffix('|'));
        assert!(lines.eq((0..1000).map(|number| number.to_string())), "local: {local}");
        server.end();
    }
}
