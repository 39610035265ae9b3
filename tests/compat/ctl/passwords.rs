//! A daemon that wants to know who asks.
//!
//! In: two doors with one user. Out: what the clients say with the right password, a wrong one and none.

use super::play::{Play, bare, row};
use super::stage;

stage!(passwords);

const CONFIG: &str = "
[unix_http_server]
file={dir}/s.sock
username=jo
password=s:e%%c/r@t

[inet_http_server]
port=127.0.0.1:{port}
username=jo
password=s:e%%c/r@t

[supervisorctl]
serverurl=unix://{dir}/s.sock
username=jo
password=s:e%%c/r@t

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
logfile={dir}/main.log
pidfile={dir}/main.pid
childlogdir={dir}

[program:web]
command={child} 'write:hello\\n' taken hello forever
startsecs=0
";

/// Asked of each door, without a password.
const VERBS: &[&str] = &[
    "status",
    "pid",
    "start web",
    "stop web",
    "signal HUP web",
    "tail web",
    "tail -f web",
    "maintail -f",
    "avail",
    "reread",
    "update",
    "add web",
    "remove web",
    "reload",
    "shutdown",
    "version",
    "clear web",
    "fg web",
    "open unix://{dir}/s.sock",
];

pub(super) fn passwords(play: &mut Play) {
    play.start_on(CONFIG);
    play.wait_for_running(&["web"]);
    play.write("none.conf", "[supervisorctl]\nserverurl=unix://{dir}/s.sock\n");
    play.write("wrong.conf", "[supervisorctl]\nserverurl=unix://{dir}/s.sock\nusername=jo\npassword=wrong\n");
    play.each(&["status", "pid", "tail web", "start web", "open http://127.0.0.1:{port}", "version"]);
    for verb in VERBS {
        play.run(&bare(&format!("-c {{dir}}/none.conf {verb}")));
    }
    for verb in ["status", "start web"] {
        play.run(&bare(&format!("-c {{dir}}/none.conf -s http://127.0.0.1:{{port}} {verb}")));
    }
    for (line, typed) in [
        ("-c {dir}/wrong.conf status", None),
        ("-c {dir}/wrong.conf -p s:e%c/r@t status", None),
        ("-c {dir}/none.conf -u jo -p s:e%c/r@t status", None),
        ("-c {dir}/none.conf -u jo -p s:e%c/r@t -s http://127.0.0.1:{port} status", None),
        ("-c {dir}/none.conf -u jo -p s:e%c/r@t -s http://localhost:{port}/ status", None),
        ("-c {dir}/none.conf -u jo -p s:e%c/r@t -s http://localhost:{port}/RPC2 pid web", None),
        ("-c {dir}/none.conf -u jo status", None),
        ("-c {dir}/none.conf -u jo -p '' status", None),
        ("-c {dir}/none.conf -u jim -p s:e%c/r@t status", None),
        ("-c {dir}/none.conf", Some("")),
    ] {
        let row = bare(line);
        match typed {
            Some(typed) => play.run(&row.typed(typed)),
            None => play.run(&row),
        }
    }
    play.run(&row("").typed("pid web\nopen http://127.0.0.1:{port}\nquit\n"));
    play.run(&bare("-c {dir}/none.conf -u jo -p s:e%c/r@t").typed("version\n"));
}
