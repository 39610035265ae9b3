//! Output that goes to syslog and to the journal, by configuration and with real programs: what arrives, and who waits for whom.
//!
//! The servers are sockets of the test. Those of the machine itself are put in place in a mount namespace; where that is forbidden,
//! these tests say so and are left out. What the senders do in every case is tested beside them (`logs/wire`).

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use provost_testkit::{
    DEADLINE, DEV_LOG, Daemon, HEAD, Implementation, JOURNAL, Lines, Process, Sandbox, Signal, send_signal,
    until,
};

use crate::common::{brain, content, end_well, kill_brain, start, state_of};

const SPEAKER: &str = "command={child} on:USR1:say:later 'write:one\\ntw' taken 'write:o\\n' taken hello forever\n\
    startsecs=0\nstderr_logfile=NONE\n";

/// An address where nobody listens yet.
/// Nobody else takes it while nobody listens there: connections of others begin at 127.0.0.1.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 64 + NEXT.fetch_add(1, Ordering::Relaxed), high, low);
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    close(listener);
    address
}

#[track_caller]
fn accept(listener: &TcpListener) -> BufReader<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    // A server that was away is tried again within half a minute.
    let end = Instant::now() + 3 * DEADLINE;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                return BufReader::new(stream);
            }
            Err(_) => assert!(Instant::now() < end, "nobody has called"),
        }
        std::thread::yield_now();
    }
}

/// Nobody listens there any more: neither we, nor a child that another test has forked and that is still to become what it will be.
#[track_caller]
fn go_away(connection: BufReader<TcpStream>, listener: TcpListener) {
    // Not by closing: of that nothing is seen while such a child holds it, too.
    connection.get_ref().shutdown(Shutdown::Both).unwrap();
    close(listener);
}

#[track_caller]
fn close(listener: TcpListener) {
    let address = listener.local_addr().unwrap();
    drop(listener);
    until("nobody listens there", || TcpStream::connect(address).is_err());
}

/// The text of the next message, behind its header.
#[track_caller]
fn message(connection: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    connection.read_line(&mut line).expect("a message comes");
    text_of(line.trim_end_matches('\n'))
}

/// `<14>1 2026-11-22T10:46:00.042+01:00 host supervisord - - - web text`, without what differs between machines.
fn text_of(message: &str) -> String {
    let fields: Vec<&str> = message.splitn(8, ' ').collect();
    let [head, time, _host, name, "-", "-", "-", text] = fields[..] else {
        panic!("no message: {message:?}")
    };
    assert_eq!(
        time.len(),
        "2026-11-22T10:46:00.042+01:00".len() - if time.ends_with('Z') { 5 } else { 0 },
        "{time}"
    );
    format!("{head} {name}: {text}")
}

/// The next datagram, as text.
#[track_caller]
fn datagram(receive: impl Fn(&mut [u8]) -> std::io::Result<usize>) -> String {
    let mut bytes = vec![0; 1 << 16];
    let n = receive(&mut bytes).expect("a datagram comes");
    String::from_utf8_lossy(&bytes[..n]).into_owned()
}

// --- other machines ---

#[test]
fn lines_go_by_udp_under_the_tag_facility_and_severity_that_were_asked_for() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = server.local_addr().unwrap();
    let mut daemon = start(&format!(
        "[program:a]\n{SPEAKER}stdout_logfile={{dir}}/a.out, @udp:{address}\nstdout_syslog_facility=local3\n\
         stdout_syslog_severity=notice\nstdout_syslog_tag=shop-%(program_name)s\n"
    ));
    let a = daemon.wait_for_hello("a").pid;
    send_signal(a, Signal::USR1);
    for text in ["one", "two", "later"] {
        // 19 * 8 + 5
        assert_eq!(text_of(&datagram(|buffer| server.recv(buffer))), format!("<157>1 shop-a: {text}"));
    }
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("later");
    assert_eq!(content(&daemon, "a.out"), "one\ntwo\nlater\n");
}

#[test]
fn a_tcp_server_that_is_away_is_waited_for_and_has_every_line_in_order() {
    let address = free_address();
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} print:30000 hello on:USR1:say:later forever\nstartsecs=0\nstderr_logfile=NONE\n\
         stdout_logfile=NONE\nstdout_syslog=true\nstdout_syslog_address=@tcp:{address}\n"
    ));
    daemon.wait_for_log_line(&format!(
        "cannot write to syslog @tcp:{address}: Connection refused (os error 111); its output waits (log_overflow=block)"
    ));
    assert_eq!(state_of(&daemon, "a"), "RUNNING");
    // What has been read and cannot be sent would be lost.
    let refused = daemon.ctl(&["upgrade", "3"]).stdout;
    assert!(refused.starts_with("upgrade: ERROR (a log is not taken by whoever reads it"), "{refused}");
    let listener = TcpListener::bind(address).unwrap();
    let mut connection = accept(&listener);
    for n in 1..=30_000 {
        assert_eq!(message(&mut connection), format!("<14>1 supervisord: a line {n}"));
    }
    daemon.wait_for_log_line(&format!("syslog @tcp:{address} can be written again"));
    let a = daemon.wait_for_hello("a").pid;

    // It goes while nothing is on its way, and comes again.
    go_away(connection, listener);
    for _ in 0..2 {
        send_signal(a, Signal::USR1);
        let listener = TcpListener::bind(address).unwrap();
        let mut connection = accept(&listener);
        assert_eq!(message(&mut connection), "<14>1 supervisord: a later");
        go_away(connection, listener);
    }
    end_well(daemon);
}

#[test]
fn with_drop_a_tcp_server_that_is_away_holds_nobody_and_learns_how_much_it_has_missed() {
    let address = free_address();
    let mut daemon = start(&format!(
        "[program:a]\ncommand={{child}} print:100000 hello on:USR1:say:later forever\nstartsecs=0\nstderr_logfile=NONE\n\
         stdout_logfile={{dir}}/a.out, @tcp:{address}\nstdout_logfile_maxbytes=0\nlog_overflow=drop\n"
    ));
    let a = daemon.wait_for_hello("a").pid;
    Lines::follow(&daemon.sandbox().file("a.out")).wait_for("line 100000");
    let all = content(&daemon, "a.out").len();
    daemon.wait_for_log_line(&format!("cannot write to syslog @tcp:{address}"));
    let listener = TcpListener::bind(address).unwrap();
    let mut connection = accept(&listener);
    let mut bytes = 0;
    let lost = loop {
        let text = message(&mut connection);
        let text = text.strip_prefix("<14>1 supervisord: a ").unwrap();
        if let Some(rest) = text.strip_prefix("supervisord: ") {
            break rest.split(' ').next().unwrap().parse::<usize>().unwrap();
        }
        bytes += text.len() + 1;
    };
    assert_eq!(bytes + lost, all);
    daemon.wait_for_log_line(&format!(
        "syslog @tcp:{address} can be written again; {lost} bytes of output were lost"
    ));
    send_signal(a, Signal::USR1);
    assert_eq!(message(&mut connection), "<14>1 supervisord: a later");
}

#[test]
fn lines_go_on_to_the_server_after_a_brains_death_and_an_upgrade() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut daemon = start(&format!("[program:a]\n{SPEAKER}stdout_logfile=@tcp:{address}\n"));
    let a = daemon.wait_for_hello("a").pid;
    let mut connection = accept(&listener);
    assert_eq!(message(&mut connection), "<14>1 supervisord: a one");
    assert_eq!(message(&mut connection), "<14>1 supervisord: a two");
    kill_brain(&mut daemon);
    send_signal(a, Signal::USR1);
    assert_eq!(message(&mut accept(&listener)), "<14>1 supervisord: a later");
    let before = Process::new(brain(&daemon));
    assert_eq!(daemon.ctl(&["upgrade"]).status, 0);
    before.wait_until_gone();
    send_signal(a, Signal::USR1);
    assert_eq!(message(&mut accept(&listener)), "<14>1 supervisord: a later");
}

// --- this machine ---

/// A sandbox with a syslog and a journal, and ours that finds them.
#[expect(clippy::print_stderr, reason = "a test that is left out must not go unnoticed")]
fn machine() -> Option<(Sandbox, Implementation, UnixDatagram, UnixDatagram)> {
    let sandbox = Sandbox::new();
    let sockets = [DEV_LOG, JOURNAL].map(|name| {
        let socket = UnixDatagram::bind(sandbox.file(name)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    });
    let Some(ours) = Implementation::ours().with_syslogs_in(sandbox.path()) else {
        eprintln!("left out, because mount namespaces are forbidden here");
        return None;
    };
    let [syslog, journal] = sockets;
    Some((sandbox, ours, syslog, journal))
}

#[test]
fn lines_go_to_the_syslog_and_the_journal_of_the_machine() {
    let Some((sandbox, ours, syslog, journal)) = machine() else { return };
    let config = format!(
        "{HEAD}[program:a]\n{SPEAKER}stdout_logfile=NONE\nstdout_syslog=true\nstdout_journald=true\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &ours, &config);
    let a = daemon.wait_for_hello("a").pid;
    for text in ["one", "two"] {
        let line = datagram(|buffer| syslog.recv(buffer));
        let line = line.trim_end_matches('\0');
        let shape: String = line.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        // `Nov  2`, `Nov 22`
        let (head, rest) = shape.split_at("<99>Nov 22 99:99:99 ".len());
        assert!(head.starts_with("<99>") && head.ends_with(" 99:99:99 "), "{line:?}");
        assert!(line.starts_with("<14>"));
        assert_eq!(rest, format!("supervisord: a {text}"));
        let entry = datagram(|buffer| journal.recv(buffer));
        let fields: Vec<&str> = entry.lines().collect();
        let message = format!("MESSAGE={text}");
        for field in [
            &*message,
            "SYSLOG_IDENTIFIER=a",
            "PRIORITY=6",
            "SYSLOG_FACILITY=1",
            "SUPERVISOR_PROCESS_NAME=a",
            "SUPERVISOR_GROUP_NAME=a",
            "SUPERVISOR_CHANNEL=stdout",
        ] {
            assert!(fields.contains(&field), "{entry}");
        }
        let pid = format!("OBJECT_PID={a}");
        assert!(fields.contains(&&*pid), "{entry}");
    }
}

#[test]
fn the_main_log_goes_to_syslog_with_a_copy_in_the_foreground() {
    let Some((sandbox, ours, syslog, _journal)) = machine() else { return };
    let config = HEAD.replace("logfile={dir}/main.log", "logfile=syslog");
    let config = config.replace("{dir}", sandbox.path().to_str().unwrap());
    std::fs::write(sandbox.file("conf"), config).unwrap();
    let (program, words) = ours.supervisord.split_first().unwrap();
    let mut child = Command::new(program)
        .args(words)
        .args(["-n", "-c"])
        .arg(sandbox.file("conf"))
        .stdout(std::fs::File::create(sandbox.file("out")).unwrap())
        .spawn()
        .unwrap();
    let wait_for = |text: &str| {
        let end = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < end, "no line with {text:?}");
            let line = datagram(|buffer| syslog.recv(buffer));
            if line.contains(text) {
                return line;
            }
        }
    };
    let line = wait_for("supervisord started with pid ");
    assert!(line.starts_with("<14>") && line.contains(" supervisord: "), "{line:?}");
    assert!(line.trim_end_matches('\0').ends_with(&format!("supervisord started with pid {}", child.id())));
    Process::new(i32::try_from(child.id()).unwrap()).signal(Signal::TERM);
    let line = wait_for("received SIGTERM indicating exit request");
    // With its own time and level, as 4.3.0 sends it.
    assert!(line.starts_with("<14>") && line.contains(",") && line.contains(" WARN "), "{line:?}");
    assert!(child.wait().unwrap().success());
    let out = std::fs::read_to_string(sandbox.file("out")).unwrap();
    assert!(
        out.contains(" INFO supervisord started with pid ") && out.contains(" WARN received SIGTERM"),
        "{out}"
    );
}

#[test]
fn where_there_is_no_syslog_nobody_waits_for_one() {
    let sandbox = Sandbox::new();
    let Some(ours) = Implementation::ours().with_syslogs_in(sandbox.path()) else { return };
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} print:100000 hello:done forever\nstartsecs=0\nstdout_logfile=NONE\nstdout_syslog=true\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &ours, &config);
    daemon.wait_for_hello("done");
    daemon.wait_for_log_line("cannot write to syslog: ");
    end_well(daemon);
}
