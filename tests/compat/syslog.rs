//! What a syslogd receives, byte for byte, from Supervisor 4.3.0 and from us: both in a namespace whose `/dev/log` is the test's.
//!
//! In: programs with `syslog=true` in its forms. Out: the datagrams of both sides, with the time made equal.

use std::os::unix::net::UnixDatagram;

use provost_testkit::{DEADLINE, DEV_LOG, Daemon, HEAD, Implementation, Sandbox};

const CONFIG: &str = "
[program:both]
command={child} 'write:one\\n' taken 'write:two\\nthree\\n' taken 'ewrite:from\\sstandard\\serror\\n' etaken hello forever
stdout_logfile=NONE
stdout_syslog=true
stderr_logfile=NONE
stderr_syslog=true
startsecs=0

[program:named]
command={child} 'write:by\\sname\\n' taken hello on:USR1:exit:0 forever
stdout_logfile=syslog
stderr_logfile=NONE
startsecs=0

[program:redirected]
command={child} 'ewrite:this,\\stoo\\n' etaken hello forever
redirect_stderr=true
stdout_logfile={dir}/redirected.log
stdout_syslog=true
startsecs=0
";

const LINES: usize = 6;

/// All datagrams, sorted: programs start side by side with us.
fn received(implementation: &Implementation) -> Option<Vec<String>> {
    let sandbox = Sandbox::new();
    let socket = UnixDatagram::bind(sandbox.file(DEV_LOG)).expect("a sandbox can have a socket");
    socket.set_read_timeout(Some(DEADLINE)).expect("half a minute is a timeout");
    let implementation = implementation.with_syslogs_in(sandbox.path())?;
    let mut daemon = Daemon::start_in(sandbox, &implementation, &format!("{HEAD}{CONFIG}"));
    for name in ["both", "named", "redirected"] {
        daemon.wait_for_hello(name);
    }
    let mut all: Vec<String> = (0..LINES)
        .map(|_| {
            let mut bytes = [0; 4096];
            let n = socket.recv(&mut bytes).expect("every line comes");
            let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
            // `<14>Nov 22 10:46:00 supervisord: …`
            let (head, rest) = text.split_at("<14>Nov 22 10:46:00".len());
            assert!(head.starts_with("<14>") && rest.starts_with(' '), "{text:?}");
            format!("<14>TIME{rest}")
        })
        .collect();
    all.sort();
    Some(all)
}

#[test]
fn lines_in_syslog_are_the_same_bytes() {
    let Some(theirs) = received(&Implementation::supervisor_4_3()) else {
        return eprintln!("left out, because mount namespaces are forbidden here");
    };
    assert_eq!(received(&Implementation::ours()).unwrap(), theirs);
}
