//! HTTPS as its clients see it: curl, openssl, Python and our own supervisorctl; good certificates and bad ones; files that
//! change; and brains that die over keys that only root can read.
//!
//! In: a daemon with a certificate of the test's own authority. Out: what clients and the log say.

mod pki;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use provost_testkit::{DEADLINE, Daemon, HEAD, Implementation, Sandbox, Signal, free_port, send_signal};

use crate::common::{CALL, brain, content, end_well, kill_brain, run_to_end};
use pki::{Authority, Pair};

const A: &str = "[program:a]\ncommand={child} on:USR1:say:again hello forever\nstdout_logfile={dir}/a.log\n";

/// A daemon with a TLS door.
struct Served {
    daemon: Daemon,
    port: u16,
    authority: Authority,
}

impl Served {
    /// `own` goes into the section of the door, `head` into `[supervisord]`.
    #[track_caller]
    fn start(own: &str, head: &str) -> Served {
        Served::start_in(Sandbox::new(), own, head)
    }

    #[track_caller]
    fn start_in(sandbox: Sandbox, own: &str, head: &str) -> Served {
        let authority = Authority::new("our authority");
        put(&sandbox, "ca.pem", &authority.pem());
        put_pair(&sandbox, &authority.server());
        let port = free_port();
        let config = format!("{HEAD}{head}{A}{}", door(port, own));
        let daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
        Served { daemon, port, authority }
    }

    fn file(&self, name: &str) -> String {
        self.daemon.sandbox().file(name).to_str().unwrap().to_owned()
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn run(&self, program: &str, words: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", "20", program]).args(words);
        command.current_dir(self.daemon.sandbox().path()).stdin(Stdio::null()).output().unwrap()
    }

    /// Asks for the state; the body and what curl says of the connection, or why not.
    fn curl(&self, more: &[&str]) -> Result<String, String> {
        let url = format!("{}/RPC2", self.url());
        let words = ["-sS", "--noproxy", "*", "--data", CALL, "-w", "\n%{http_version} %{http_code}", &url];
        let output = self.run("curl", &[&words[..], more].concat());
        let [said, complaint] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        if output.status.success() { Ok(said) } else { Err(complaint) }
    }

    /// Our own client with these keys in its section; standard output and status.
    fn ctl(&self, keys: &str, words: &[&str]) -> (String, i32) {
        let path = self.file("ctl.conf");
        let keys = keys.replace("{dir}", self.daemon.sandbox().path().to_str().unwrap());
        fs::write(&path, format!("[supervisorctl]\nserverurl={}\n{keys}", self.url())).unwrap();
        let ours = Implementation::ours().supervisorctl;
        let output = self.run(ours[0].to_str().unwrap(), &[&["-c", &path][..], words].concat());
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap_or(-1))
    }

    /// The serial number that a new client is shown.
    fn serial(&self) -> String {
        let words = format!(
            "openssl s_client -connect localhost:{} </dev/null 2>/dev/null | openssl x509 -noout -serial",
            self.port
        );
        let output = self.run("sh", &["-c", &words]);
        String::from_utf8(output.stdout).unwrap()
    }

    fn is_served(&self) {
        let (said, status) = self.ctl("cafile={dir}/ca.pem\n", &["pid"]);
        assert_eq!(
            (said, status),
            (format!("{}\n", self.daemon.pid()), 0),
            "{}",
            content(&self.daemon, "main.log")
        );
    }
}

fn door(port: u16, own: &str) -> String {
    format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\ncertfile=%(here)s/server.pem\nkeyfile=%(here)s/server.key\n{own}"
    )
}

fn put(sandbox: &Sandbox, name: &str, text: &str) {
    // As tools that renew certificates do: nobody reads half a file.
    let new = sandbox.file("new");
    fs::write(&new, text).unwrap();
    let mode = if name.ends_with(".key") { 0o600 } else { 0o644 };
    fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(new, sandbox.file(name)).unwrap();
}

fn put_pair(sandbox: &Sandbox, pair: &Pair) {
    put(sandbox, "server.key", &pair.key);
    put(sandbox, "server.pem", &pair.certificate);
}

const PYTHON: &str = "
import ssl, sys, xmlrpc.client
context = ssl.create_default_context(cafile=sys.argv[2])
context.verify_flags |= ssl.VERIFY_X509_STRICT
if len(sys.argv) > 3: context.load_cert_chain(*sys.argv[3:])
server = xmlrpc.client.ServerProxy(sys.argv[1], context=context)
print(server.supervisor.getState()['statename'], server.supervisor.getPID())
";

#[test]
fn clients_of_every_kind_are_served_over_both_versions_of_http_and_tls() {
    let served = Served::start("", "");
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let said = served.curl(&["--cacert", "ca.pem", flag]).unwrap();
        assert!(said.contains("RUNNING") && said.ends_with(&format!("\n{version} 200")), "{said}");
    }
    for (words, wanted) in
        [("-tls1_2 -alpn h2,http/1.1", "TLSv1.2"), ("-tls1_3 -alpn h2,http/1.1", "TLSv1.3")]
    {
        let connect = format!(
            "openssl s_client -CAfile ca.pem -verify_return_error -connect localhost:{} {words} </dev/null 2>&1",
            served.port
        );
        let said = String::from_utf8(served.run("sh", &["-c", &connect]).stdout).unwrap();
        assert!(
            said.contains(wanted)
                && said.contains("ALPN protocol: h2")
                && said.contains("Verify return code: 0"),
            "{said}"
        );
    }
    let old = format!(
        "openssl s_client -cipher ALL:@SECLEVEL=0 -tls1_1 -connect localhost:{} </dev/null",
        served.port
    );
    assert!(!served.run("sh", &["-c", &old]).status.success(), "TLS 1.1 was agreed to");
    let python = served.run("python3", &["-c", PYTHON, &served.url(), "ca.pem"]);
    assert_eq!(
        String::from_utf8_lossy(&python.stdout),
        format!("RUNNING {}\n", served.daemon.pid()),
        "{python:?}"
    );
    served.is_served();
    end_well(served.daemon);
}

#[test]
fn the_pair_of_self_signed_is_good_for_all_clients() {
    let sandbox = Sandbox::new();
    let ours = Implementation::ours().supervisorctl;
    let made = Command::new(&ours[0]).arg("self-signed").arg(sandbox.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let port = free_port();
    let daemon = Daemon::start_in(sandbox, &Implementation::ours(), &format!("{HEAD}{A}{}", door(port, "")));
    let served = Served { daemon, port, authority: Authority::new("nobody") };
    assert!(served.curl(&["--cacert", "server.pem"]).unwrap().contains("RUNNING"));
    let (said, status) = served.ctl("cafile={dir}/server.pem\n", &["pid"]);
    assert_eq!((said, status), (format!("{}\n", served.daemon.pid()), 0));
    let python = served.run("python3", &["-c", PYTHON, &served.url(), "server.pem"]);
    assert!(python.status.success(), "{python:?}");
}

#[test]
fn supervisorctl_says_what_is_wrong_with_a_server() {
    let served = Served::start("", "");
    let sandbox = served.daemon.sandbox();
    let other = Authority::new("another authority");
    put(sandbox, "other.pem", &other.pem());
    let url = served.url();
    let told = |keys: &str| served.ctl(keys, &["pid"]);
    let refused = |why: &str| (format!("error: cannot talk to {url}: {why}\n"), 1);
    let unknown = "nobody whom we trust has signed the server's certificate; name the certificate of whoever has, or the server's own, with cafile= in [supervisorctl]";
    assert_eq!(told("cafile={dir}/other.pem\n"), refused(unknown));
    // The system knows nothing of our authority either.
    assert_eq!(told(""), refused(unknown));
    let ca = "cafile={dir}/ca.pem\n";
    put_pair(sandbox, &served.authority.signs("server", &["elsewhere.example", "10.0.0.1"], 30));
    wait_for(&served, "uses the new certificate");
    assert_eq!(
        told(ca),
        refused("the server's certificate is not for localhost, but for elsewhere.example, 10.0.0.1")
    );
    put_pair(sandbox, &served.authority.signs("server", &["localhost"], -3));
    wait_for(&served, "has expired on ");
    assert_eq!(told(ca), refused("the server's certificate has expired 3 days ago"));
    // A plain server in its place.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    let answers = std::thread::spawn(move || {
        let mut stream = plain.accept().unwrap().0;
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let ours = Implementation::ours().supervisorctl;
    let plain = format!("https://localhost:{port}");
    let output = served.run(ours[0].to_str().unwrap(), &["-s", &plain, "pid"]);
    answers.join().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said,
        format!("error: cannot talk to {plain}: the server there speaks no TLS; is it one of http://?\n")
    );
}

/// Connects until the log says so: the files are looked at when somebody comes, once a second at most.
#[track_caller]
fn wait_for(served: &Served, text: &str) {
    let end = std::time::Instant::now() + DEADLINE;
    while !content(&served.daemon, "main.log").contains(text) {
        assert!(
            std::time::Instant::now() < end,
            "the log does not say {text}:\n{}",
            content(&served.daemon, "main.log")
        );
        served.serial();
    }
}

#[test]
fn plain_http_is_told_to_speak_https_and_silence_keeps_nobody_out() {
    let served = Served::start("", "");
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", served.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    let mut plain = connect();
    plain
        .write_all(
            format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{CALL}", CALL.len())
                .as_bytes(),
        )
        .unwrap();
    let mut said = String::new();
    plain.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 400 This port speaks HTTPS\r\n"), "{said}");
    let asked = Instant::now();
    let silent: Vec<TcpStream> = (0..400).map(|_| connect()).collect();
    let mut nonsense = connect();
    nonsense.write_all(&[0x16, 3, 1, 0xff, 0xff, 1, 0, 0]).unwrap();
    let mut garbage = connect();
    garbage.write_all(&[0; 100]).unwrap();
    let _ = garbage.read_to_end(&mut Vec::new());
    served.is_served();
    // A handshake that comes to nothing is given up after ten.
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    let mind = brain(&served.daemon);
    drop((silent, nonsense));
    served.is_served();
    assert_eq!(brain(&served.daemon), mind);
    end_well(served.daemon);
}

#[test]
fn a_client_that_takes_back_all_it_asks_for_is_shown_out() {
    let served = Served::start("", "");
    let mut openssl = Command::new("openssl")
        .args(["s_client", "-quiet", "-alpn", "h2", "-connect", &format!("localhost:{}", served.port)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    let mut bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat();
    for number in 0..2000 {
        // GET, https, / and :authority x, of the static table; then RST_STREAM with CANCEL.
        bytes.extend(frame(1, 5, number * 2 + 1, &[0x82, 0x87, 0x84, 0x41, 1, b'x']));
        bytes.extend(frame(3, 0, number * 2 + 1, &[0, 0, 0, 8]));
    }
    let mut input = openssl.stdin.take().unwrap();
    // It may hang up in the middle.
    let _ = input.write_all(&bytes);
    let mut said = Vec::new();
    openssl.stdout.take().unwrap().read_to_end(&mut said).unwrap();
    drop(input);
    openssl.wait().unwrap();
    // GOAWAY with ENHANCE_YOUR_CALM.
    let calm = said.windows(4).any(|word| word == 11u32.to_be_bytes());
    assert!(calm, "the connection ended with {said:x?}");
    served.is_served();
}

#[test]
fn a_certificate_of_a_client_is_enough_and_without_a_password_it_must_be() {
    let served = Served::start("client_ca=%(here)s/ca.pem\n", "");
    let sandbox = served.daemon.sandbox();
    let shows = |pair: &Pair| {
        put(sandbox, "me.pem", &pair.certificate);
        put(sandbox, "me.key", &pair.key);
    };
    let (ca, me) =
        ("cafile={dir}/ca.pem\n", "cafile={dir}/ca.pem\ncertfile={dir}/me.pem\nkeyfile={dir}/me.key\n");
    let curl = ["--cacert", "ca.pem", "--cert", "me.pem", "--key", "me.key"];
    let refused = |why: &str| (format!("error: cannot talk to {}: {why}\n", served.url()), 1);
    let pid = (format!("{}\n", served.daemon.pid()), 0);

    shows(&served.authority.signs("jo", &[], 30));
    assert_eq!(served.ctl(me, &["pid"]), pid);
    assert!(served.curl(&curl).unwrap().ends_with("2 200"));
    let python = served.run("python3", &["-c", PYTHON, &served.url(), "ca.pem", "me.pem", "me.key"]);
    assert!(python.status.success(), "{python:?}");
    assert_eq!(
        served.ctl(ca, &["pid"]),
        refused("the server wants to see a certificate: certfile= and keyfile= in [supervisorctl]")
    );
    assert!(served.curl(&curl[..2]).is_err());

    shows(&Authority::new("another authority").signs("jo", &[], 30));
    let told = served.ctl(me, &["pid"]);
    assert_eq!(told.1, 1);
    assert!(told.0.contains("the server does not accept our certificate"), "{told:?}");
    assert!(served.curl(&curl).is_err());
    shows(&served.authority.signs("jo", &[], -1));
    assert_eq!(served.ctl(me, &["pid"]), refused("our certificate has expired, says the server"));
}

#[test]
fn where_there_is_a_password_the_certificate_is_another_way_in() {
    let served = Served::start("client_ca=%(here)s/ca.pem\nusername=u\npassword=p\n", "");
    let pair = served.authority.signs("jo", &[], 30);
    put(served.daemon.sandbox(), "me.pem", &pair.certificate);
    put(served.daemon.sandbox(), "me.key", &pair.key);
    let ca = ["--cacert", "ca.pem"];
    assert!(served.curl(&ca).unwrap().ends_with("2 401"));
    assert!(served.curl(&[&ca[..], &["--user", "u:p"]].concat()).unwrap().ends_with("2 200"));
    assert!(
        served
            .curl(&[&ca[..], &["--cert", "me.pem", "--key", "me.key"]].concat())
            .unwrap()
            .ends_with("2 200")
    );
    let pid = (format!("{}\n", served.daemon.pid()), 0);
    assert_eq!(served.ctl("cafile={dir}/ca.pem\nusername=u\npassword=p\n", &["pid"]), pid);
}

#[test]
fn the_name_in_a_certificate_is_a_user_with_its_rights() {
    let served = Served::start("client_ca=%(here)s/ca.pem\n[user:jo]\nrole=viewer\n", "");
    let log = content(&served.daemon, "main.log");
    assert!(!log.contains("'inet_http_server' running without any HTTP authentication"), "{log}");
    let keys = "cafile={dir}/ca.pem\ncertfile={dir}/me.pem\nkeyfile={dir}/me.key\n";
    let as_whom = |name: &str, words: &[&str]| {
        let pair = served.authority.signs(name, &[], 30);
        put(served.daemon.sandbox(), "me.pem", &pair.certificate);
        put(served.daemon.sandbox(), "me.key", &pair.key);
        served.ctl(keys, words)
    };
    assert_eq!(as_whom("jo", &["pid"]).1, 0);
    let (said, status) = as_whom("jo", &["stop", "a"]);
    assert!(status == 1 && said.contains("user jo may not stop"), "{said}");
    assert_eq!(as_whom("eve", &["pid"]), ("Server requires authentication\n".to_owned(), 1));
}

#[test]
fn a_page_of_this_very_server_may_ask_over_https() {
    let served = Served::start("", "");
    let from = |origin: &str| {
        let header = format!("Origin: {origin}");
        served.curl(&["--cacert", "ca.pem", "-H", &header, "-H", "Sec-Fetch-Site: same-origin"]).unwrap()
    };
    let own = from(&served.url());
    assert!(own.ends_with("2 200"), "{own}");
    let other = served.curl(&[
        "--cacert",
        "ca.pem",
        "-H",
        "Origin: https://evil.example",
        "-H",
        "Sec-Fetch-Site: cross-site",
    ]);
    assert!(other.as_ref().unwrap().ends_with("2 403"), "{other:?}");
}

#[test]
fn a_new_certificate_is_for_newcomers_and_interrupts_nobody() {
    let mut served = Served::start("", "");
    let a = served.daemon.wait_for_hello("a").pid;
    let url = format!("{}/logtail/a", served.url());
    let mut tail = Command::new("timeout")
        .args(["--signal=KILL", "60", "curl", "-sSN", "--noproxy", "*", "--cacert", "ca.pem", &url])
        .current_dir(served.daemon.sandbox().path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut again = || {
        send_signal(a, Signal::USR1);
        assert_eq!(lines.next().unwrap().unwrap(), "again");
    };
    again();
    let first = served.serial();
    assert!(first.starts_with("serial="), "{first}");

    // A certificate without its key is refused, once, and nothing changes.
    let next = served.authority.server();
    put(served.daemon.sandbox(), "server.pem", &next.certificate);
    wait_for(&served, "; the certificate in use stays");
    assert!(content(&served.daemon, "main.log").contains("WARN [inet_http_server] keyfile: "));
    assert_eq!(served.serial(), first);
    put(served.daemon.sandbox(), "server.key", &next.key);
    wait_for(&served, "[inet_http_server] uses the new certificate in ");
    assert_ne!(served.serial(), first);
    again();

    // What a new brain goes on with is what was taken last, even if the files are gone.
    let second = served.serial();
    for name in ["server.pem", "server.key"] {
        fs::remove_file(served.daemon.sandbox().file(name)).unwrap();
    }
    kill_brain(&mut served.daemon);
    assert_eq!(served.serial(), second);
    served.is_served();
    let log = content(&served.daemon, "main.log");
    assert_eq!(log.matches("; the certificate in use stays").count(), 1, "{log}");
    tail.wait().unwrap();
}

#[test]
fn a_key_that_root_alone_can_read_outlives_brains_reloads_and_upgrades() {
    let sandbox = Sandbox::new();
    chown(sandbox.path(), Some(65534), Some(65534)).unwrap();
    let mut served = Served::start_in(sandbox, "", "user=nobody\n");
    let first = served.serial();
    served.is_served();
    kill_brain(&mut served.daemon);
    served.is_served();
    let said = served.daemon.ctl(&["upgrade"]);
    assert_eq!(said.status, 0, "{said:?}");
    served.is_served();

    // Anew, from the files: which nobody can read any more.
    send_signal(served.daemon.pid(), Signal::HUP);
    served.daemon.wait_for_log_line("; the certificate that was in use before is used again");
    served.daemon.wait_for_log_line("supervisord started with pid");
    served.is_served();
    kill_brain(&mut served.daemon);
    assert_eq!(served.serial(), first);

    // One that may be read is taken.
    let next = served.authority.server();
    put_pair(served.daemon.sandbox(), &next);
    chown(served.daemon.sandbox().file("server.key"), Some(65534), None).unwrap();
    wait_for(&served, "uses the new certificate");
    assert_ne!(served.serial(), first);
    end_well(served.daemon);
}

#[test]
fn what_is_wrong_with_the_files_is_said_before_anything_starts() {
    let authority = Authority::new("our authority");
    let sandbox = Sandbox::new();
    let path = |name: &str| sandbox.file(name).display().to_string();
    let config = door(1, "");
    let check = |text: &str| {
        let ended = run_to_end(&sandbox, &config, &["-n"]);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(said.starts_with(&format!("Error: [inet_http_server] {text}")), "{text}: {said}");
        assert_eq!(ended.status.code(), Some(2));
        let checked = run_to_end(&sandbox, &config, &["--check"]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(said.contains(&format!("warning: [inet_http_server] {text}")), "{text}: {said}");
        assert_eq!(checked.status.code(), Some(0));
    };
    let (pem, key) = (path("server.pem"), path("server.key"));
    check(&format!("certfile: cannot read {pem}: No such file or directory"));
    let [one, two] = [authority.server(), authority.server()];
    put_pair(&sandbox, &Pair { certificate: one.certificate.clone(), key: two.key.clone() });
    check(&format!("keyfile: {key}: it is not the key of the first certificate in {pem}"));
    put_pair(&sandbox, &Pair { certificate: one.certificate.clone(), key: one.certificate.clone() });
    check(&format!("keyfile: {key}: there is no private key in it"));
    put_pair(&sandbox, &Pair { certificate: one.key.clone(), key: one.key.clone() });
    check(&format!("certfile: {pem}: there is no certificate in it"));
    put_pair(&sandbox, &one);
    let plain = path("plain");
    fs::rename(&key, &plain).unwrap();
    let encrypted = Command::new("openssl")
        .args(["pkey", "-aes128", "-passout", "pass:x", "-in", &plain, "-out", &key])
        .status()
        .unwrap();
    assert!(encrypted.success());
    check(&format!("keyfile: {key}: it is encrypted, and nobody is there to type the passphrase"));
    put_pair(&sandbox, &Pair { certificate: one.certificate.replace("MII", "MIJ"), key: one.key.clone() });
    check("certfile: ");
    fs::remove_file(sandbox.file("server.key")).unwrap();
    fs::create_dir(sandbox.file("server.key")).unwrap();
    put(&sandbox, "server.pem", &one.certificate);
    check(&format!("keyfile: cannot read {key}: "));
}

#[test]
fn careless_files_are_warned_of() {
    let sandbox = Sandbox::new();
    let authority = Authority::new("our authority");
    put_pair(&sandbox, &authority.signs("server", &["localhost"], 5));
    fs::set_permissions(sandbox.file("server.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let port = free_port();
    let daemon = Daemon::start_in(sandbox, &Implementation::ours(), &format!("{HEAD}{}", door(port, "")));
    let log = content(&daemon, "main.log");
    let key = daemon.sandbox().file("server.key");
    let key = Path::new(&key).display();
    assert!(
        log.contains(&format!(
            "WARN [inet_http_server] keyfile: everybody on this machine may use {key}: chmod o= {key}\n"
        )),
        "{log}"
    );
    assert!(log.contains(" expires on "), "{log}");
}
