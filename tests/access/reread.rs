//! Users come and go with the configuration, and nothing else has to stop for that.

use provost_testkit::{Daemon, HEAD, Implementation, Process, Signal, descendants};

use crate::PROGRAMS;
use crate::client::{Call, Door};

const STATE: &str = "supervisor.getState";

fn config(port: u16, users: &str) -> String {
    format!("{HEAD}[inet_http_server]\nport=127.0.0.1:{port}\nusername=root\npassword=old\n{PROGRAMS}{users}")
}

#[test]
fn a_reread_lets_new_users_in_and_puts_old_ones_out() {
    let port = provost_testkit::free_port();
    let mut daemon =
        Daemon::start(&Implementation::ours(), &config(port, "[user:ann]\npassword=a\nrole=admin\n"));
    let ann = Door::inet(port).with_password("ann", "a");
    let bob = Door::inet(port).with_password("bob", "b");
    let old = Door::inet(port).with_password("root", "old");
    let new = Door::inet(port).with_password("root", "new");
    assert_eq!([ann.status("/RPC2"), bob.status("/RPC2"), new.status("/RPC2")], [400, 401, 401]);
    let text = config(port, "[user:bob]\npassword=b\n").replace("password=old", "password=new");
    daemon.write_config(&text);
    ann.call(&Call::new("supervisor.reloadConfig", &[]));
    assert_eq!([ann.status("/RPC2"), old.status("/RPC2")], [401, 401]);
    assert!(bob.call(&Call::new(STATE, &[])).contains("RUNNING"));
    // A brain that follows knows what was read last, whatever has become of the file.
    daemon.write_config("[broken");
    let brain = descendants(daemon.pid())
        .into_iter()
        .find(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "provost-brain\n")
        })
        .map(Process::new)
        .unwrap();
    brain.signal(Signal::KILL);
    brain.wait_until_gone();
    daemon.wait_for_log_line("has ended unexpectedly");
    assert!(new.call(&Call::new(STATE, &[])).contains("RUNNING"));
    assert_eq!([ann.status("/RPC2"), old.status("/RPC2")], [401, 401]);
}

#[test]
fn a_stream_ends_when_whoever_has_it_is_put_out_or_may_less() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let user = |name: &str, allow: &str| format!("[user:{name}]\npassword={name}\nallow={allow}\n");
    let users = [user("gone", "logs"), user("less", "logs, status"), user("same", "logs")].concat();
    let daemon = Daemon::start(&Implementation::ours(), &config(port, &users));
    let logtail = |name: &str| Door::inet(port).with_password(name, name).stream("/logtail/job");
    let main_log = |name: &str| Door::inet(port).with_password(name, name).stream("/mainlogtail");
    let page = Door::inet(port).with_password("less", "less").stream("/events");
    let over = [logtail("gone"), main_log("gone"), logtail("less"), page];
    let mut on = main_log("same");

    let users = [user("less", "status"), user("same", "logs"), user("new", "logs")].concat();
    daemon.write_config(&config(port, &users));
    let root = Door::inet(port).with_password("root", "old");
    root.call(&Call::new("supervisor.reloadConfig", &[]));
    for stream in over {
        stream.wait_for_end();
    }
    root.call(&Call::new("supervisor.stopProcess", &["job"]));
    on.wait_for("target=job");
}
