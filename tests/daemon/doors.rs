//! Where servers listen: addresses of both families, who is kept inside the machine, and what is said where an address cannot be had.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use provost_testkit::{DEADLINE, Daemon, Sandbox, free_port};

use crate::common::{content, end_well, kill_brain, run_to_end, start};

fn inet(port: &str, more: &str) -> String {
    format!(
        "[inet_http_server]\nport={port}\n{more}\n[program:a]\ncommand={{child}} hello forever\nstartsecs=0\n"
    )
}

/// The first line of what a server answers at this address; the error where nobody listens.
fn answer(host: &str, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(format!("{host}:{port}").parse::<SocketAddr>().unwrap())?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(b"GET /RPC2 HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[track_caller]
fn answers(host: &str, port: u16, status: &str) {
    assert_eq!(answer(host, port).unwrap(), format!("HTTP/1.0 {status}"), "{host}:{port}");
}

#[track_caller]
fn refuses(host: &str, port: u16) {
    let refused = answer(host, port).map_err(|e| e.kind());
    assert_eq!(refused, Err(std::io::ErrorKind::ConnectionRefused), "{host}:{port}");
}

/// Another address of this machine than the one that is loopback's own: only a wildcard answers there.
const ELSEWHERE: &str = "127.0.0.2";

#[test]
fn a_server_that_lets_anybody_in_is_kept_on_loopback_and_says_so() {
    let port = free_port();
    let mut daemon = start(&inet(&format!("*:{port}"), ""));
    daemon.wait_for_hello("a");
    answers("127.0.0.1", port, "400 Bad Request");
    refuses(ELSEWHERE, port);
    let log = content(&daemon, "main.log");
    assert!(
        log.contains("CRIT Server 'inet_http_server' running without any HTTP authentication checking\n"),
        "{log}"
    );
    let line = format!(
        "CRIT Server 'inet_http_server' would let anybody in on 0.0.0.0:{port}, so it listens on 127.0.0.1:{port} only; \
         to open it, give it a username and a password, or add a section [user:NAME] with a password, or say \
         allow_unauthenticated=true\n"
    );
    assert!(log.contains(&line), "{log}");
    kill_brain(&mut daemon);
    answers("127.0.0.1", port, "400 Bad Request");
    refuses(ELSEWHERE, port);
    end_well(daemon);
}

#[test]
fn whoever_means_it_is_open_to_all() {
    for (more, status) in
        [("allow_unauthenticated=true", "400 Bad Request"), ("username=a\npassword=b", "401 Unauthorized")]
    {
        let port = free_port();
        let daemon = start(&inet(&port.to_string(), more));
        answers(ELSEWHERE, port, status);
        answers("127.0.0.1", port, status);
        let log = content(&daemon, "main.log");
        assert!(!log.contains("would let anybody in"), "{log}");
        end_well(daemon);
    }
}

#[test]
fn a_server_of_every_address_of_ipv6_is_one_of_ipv4_too() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let port = free_port();
    let mut daemon = start(&inet(&format!("[::]:{port}"), "username=a\npassword=b"));
    daemon.wait_for_hello("a");
    for host in ["[::1]", "127.0.0.1", ELSEWHERE] {
        answers(host, port, "401 Unauthorized");
    }
    kill_brain(&mut daemon);
    answers("[::1]", port, "401 Unauthorized");
    end_well(daemon);

    // Kept inside it has two sockets, and a brain that follows finds both.
    let mut daemon = start(&inet(&format!("[::]:{port}"), ""));
    daemon.wait_for_hello("a");
    for _ in 0..2 {
        answers("[::1]", port, "400 Bad Request");
        answers("127.0.0.1", port, "400 Bad Request");
        refuses(ELSEWHERE, port);
        kill_brain(&mut daemon);
    }
    end_well(daemon);
}

#[test]
fn several_servers_of_each_kind_answer() {
    let (first, second) = (free_port(), free_port());
    let daemon = start(&format!(
        "[inet_http_server]\nport=127.0.0.1:{first}\n[inet_http_server:b]\nport=localhost:{second}\nusername=a\npassword=b\n\
         [unix_http_server:more]\nfile={{dir}}/more.sock\n"
    ));
    answers("127.0.0.1", first, "400 Bad Request");
    answers("127.0.0.1", second, "401 Unauthorized");
    let more = daemon.sandbox().file("more.sock");
    assert_eq!(provost_testkit::post(&more, "/RPC2", b"<").unwrap().status, 400);
    end_well(daemon);
    assert!(!more.exists());
}

#[test]
fn an_address_that_is_taken_is_told_with_who_has_it() {
    let sandbox = Sandbox::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let said = refusal(&sandbox, &inet(&format!("127.0.0.1:{port}"), ""));
    assert!(
        said.starts_with(
            "Error: Another program is already listening on a port that one of our HTTP servers is"
        ),
        "{said}"
    );
    let pid = std::process::id();
    let told = format!("\n[inet_http_server] is to listen on 127.0.0.1:{port}, which pid {pid} (");
    assert!(said.contains(&told), "{said}");

    let port = free_port();
    let twice =
        format!("[inet_http_server:b]\nport=127.0.0.1:{port}\n[inet_http_server:c]\nport=127.0.0.1:{port}\n");
    let said = refusal(&sandbox, &twice);
    let told = format!(
        "\n[inet_http_server:c] is to listen on 127.0.0.1:{port}, as [inet_http_server:b] does already"
    );
    assert!(said.contains(&told), "{said}");

    let unknown = refusal(&sandbox, &inet("no-such-host.invalid:9001", ""));
    assert!(
        unknown.contains(
            "[inet_http_server] port=no-such-host.invalid:9001: no address of no-such-host.invalid"
        ),
        "{unknown}"
    );
}

#[test]
fn two_servers_that_are_kept_inside_share_what_there_is() {
    let port = free_port();
    let daemon = start(&format!(
        "[inet_http_server]\nport=127.0.0.2:{port}\n[inet_http_server:a]\nport=192.0.2.1:{port}\n[inet_http_server:b]\nport=192.0.2.2:{port}\n"
    ));
    answers("127.0.0.1", port, "400 Bad Request");
    answers("127.0.0.2", port, "400 Bad Request");
    let log = content(&daemon, "main.log");
    let told = format!(
        "CRIT Server 'inet_http_server:b' has nothing of 127.0.0.1:{port}, where 'inet_http_server:a' listens\n"
    );
    assert!(log.contains(&told), "{log}");
    end_well(daemon);
}

#[test]
fn what_is_in_the_place_of_a_socket_is_removed_only_if_it_was_one() {
    let sandbox = Sandbox::new();
    let data = sandbox.file("data");
    std::fs::write(&data, "precious").unwrap();
    let said = refusal(&sandbox, "[unix_http_server:b]\nfile={dir}/data\n");
    assert!(
        said.contains("[unix_http_server:b] file=")
            && said.contains("a file of this name, which is no socket"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&data).unwrap(), "precious");
    let said = refusal(&sandbox, "[unix_http_server:b]\nfile={dir}\n");
    assert!(said.contains("a directory of this name, which is no socket"), "{said}");

    let long = "x".repeat(108);
    let said = refusal(&sandbox, &format!("[unix_http_server:b]\nfile=/{long}\n"));
    assert!(said.contains("the path of a socket has at most 107 bytes, and this has 109"), "{said}");
    let said = refusal(&sandbox, "[unix_http_server:b]\nfile={dir}/none/such.sock\n");
    assert!(said.starts_with("Error: Cannot open an HTTP server: socket.error reported errno.ENOENT (2)\n[unix_http_server:b] file="), "{said}");
}

#[test]
fn a_path_that_just_fits_is_a_socket() {
    let sandbox = Sandbox::new();
    let room = 107 - sandbox.path().as_os_str().len() - 1;
    let name = "s".repeat(room);
    let daemon = Daemon::start_in(
        sandbox,
        &provost_testkit::Implementation::ours(),
        &format!("{}[unix_http_server:b]\nfile={{dir}}/{name}\n", provost_testkit::HEAD),
    );
    let file = daemon.sandbox().file(&name);
    assert_eq!(provost_testkit::post(&file, "/RPC2", b"<").unwrap().status, 400);
    end_well(daemon);
}

/// Why a start with this configuration was refused, with status 2.
#[track_caller]
fn refusal(sandbox: &Sandbox, config: &str) -> String {
    let output = run_to_end(sandbox, config, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}
