//! Every method while the daemon shuts down or restarts, held up by a program that will not stop.

use provost_testkit::{Daemon, HEAD, Implementation, Signal, send_signal};

use super::arguments;
use super::line::{Asked, ask, text};

const CONFIG: &str = "
[program:one]
command={child} ignore:TERM ignore:USR1 hello forever
startsecs=0
stopwaitsecs=3600
";

fn play(implementation: &Implementation) -> Vec<Asked> {
    let mut asked = Vec::new();
    for ending in ["supervisor.shutdown", "supervisor.restart"] {
        let mut daemon = Daemon::start(implementation, &format!("{HEAD}{CONFIG}"));
        let one = daemon.wait_for_hello("one");
        for arguments in [&["<int>1</int>"][..], &["", ""], &[]] {
            let answer = ask(&daemon, ending, arguments);
            asked.push(Asked { call: format!("{ending}({})", arguments.join(", ")), answer });
        }
        daemon.wait_for_log_line("waiting for one to die");
        for (method, arguments) in arguments::well_called() {
            let answer = ask(&daemon, method, &arguments);
            asked.push(Asked { call: format!("after {ending}: {method}({})", arguments.join(", ")), answer });
        }
        for method in ["supervisor.shutdown", "supervisor.restart"] {
            asked.push(Asked {
                call: format!("after {ending}: {method}()"),
                answer: ask(&daemon, method, &[]),
            });
        }
        let wrong: [(&str, &[&str]); 4] = [
            ("supervisor.getState", &["x"]),
            ("supervisor.startProcess", &[]),
            ("supervisor.readLog", &["x", "y"]),
            ("supervisor.nosuch", &[]),
        ];
        for (method, arguments) in wrong {
            let arguments: Vec<String> = arguments.iter().map(|a| text(a)).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            asked.push(Asked {
                call: format!("after {ending}: {method}({})", arguments.join(", ")),
                answer: ask(&daemon, method, &arguments),
            });
        }
        send_signal(one.pid, Signal::KILL);
        match ending {
            "supervisor.shutdown" => drop(daemon.wait_for_end()),
            _ => {
                let one = daemon.wait_for_hello("one");
                daemon.process().signal(Signal::TERM);
                daemon.wait_for_log_line("waiting for one to die");
                send_signal(one.pid, Signal::KILL);
                daemon.wait_for_end();
            }
        }
    }
    asked
}

#[test]
fn every_method_while_the_daemon_ends() {
    super::same_answers("ending", play);
}
