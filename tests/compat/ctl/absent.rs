//! Nobody is there: options, configurations, addresses and verbs without a daemon.
//!
//! In: files, and a socket that nobody listens at. Out: both clients' words about it.

use std::os::unix::net::UnixListener;

use super::play::{Play, bare, row};
use super::stage;

stage!(options without a daemon);
stage!(verbs without a daemon);

const CONFIG: &str = "[supervisorctl]\nserverurl=unix://{dir}/s.sock\n";

/// With options of their own, in a directory that has a `supervisord.conf`.
const OPTIONS: &[&str] = &[
    // Where the configuration is.
    "pid",
    "-c {dir}/none.conf pid",
    "-c none.conf pid",
    "-c {dir} pid",
    "-c {dir}/no-section.conf pid",
    "-c {dir}/empty.conf pid",
    "-c {dir}/broken.conf pid",
    "-c {dir}/twice.conf pid",
    "-c {dir}/unknown-name.conf pid",
    "-c {dir}/bare.conf pid",
    "-c {dir}/http.conf pid",
    "-c {dir}/https-less.conf pid",
    "-c {dir}/here.conf pid",
    "-c {dir}/environment.conf pid",
    "-c",
    "-c {dir}/bare.conf",
    "--configuration={dir}/bare.conf pid",
    "--configuration {dir}/bare.conf pid",
    "--conf={dir}/bare.conf pid",
    "--c {dir}/bare.conf pid",
    "-c{dir}/bare.conf pid",
    "-c {dir}/bare.conf -c {dir}/bare.conf pid",
    "-c {dir}/bare.conf --configuration={dir}/bare.conf pid",
    // Where the daemon is.
    "-s unix://{dir}/other.sock pid",
    "-sunix://{dir}/other.sock pid",
    "--serverurl=unix://{dir}/other.sock pid",
    "--serverurl unix://{dir}/other.sock pid",
    "--server=unix://{dir}/other.sock pid",
    "-s unix:///nowhere/at/all.sock pid",
    "-s unix://{dir}/dead.sock pid",
    "-s unix://{dir}/plain-file pid",
    "-s unix://{dir} pid",
    "-s unix:// pid",
    "-s unix:{dir}/other.sock pid",
    "-s unix:/{dir}/other.sock pid",
    "-s UNIX://{dir}/other.sock pid",
    "-s http://127.0.0.1:{port} pid",
    "-s http://127.0.0.1:{port}/ pid",
    "-s http://127.0.0.1:{port}/RPC2 pid",
    "-s http://jo:pw@127.0.0.1:{port} pid",
    "-s HTTP://127.0.0.1:{port} pid",
    "-s ftp://127.0.0.1:{port} pid",
    "-s 127.0.0.1:{port} pid",
    "-s localhost pid",
    "-s localhost:{port} pid",
    "-s {dir}/s.sock pid",
    "-s '' pid",
    "-s foo pid",
    "-s foo",
    "-s http:// pid",
    "-s http: pid",
    "-s :x pid",
    "-s http://127.0.0.1:port pid",
    "-s http://127.0.0.1:99999 pid",
    "-s",
    "-s unix://{dir}/a -s unix://{dir}/b pid",
    "-s unix://{dir}/a --serverurl=unix://{dir}/b pid",
    // Who one is.
    "-u jo -p pw pid",
    "-ujo -ppw pid",
    "--username jo --password pw pid",
    "--user=jo --pass=pw pid",
    "-u jo pid",
    "-p pw pid",
    "-u '' -p '' pid",
    "-u jo -u jo pid",
    "-p pw --password pw pid",
    "-u",
    "-p",
    "--username",
    // The shell.
    "-r {dir}/history pid",
    "--history_file={dir}/history pid",
    "--history={dir}/history pid",
    "--history-file={dir}/history pid",
    "-r",
    "-r a -r b pid",
    "-i -i pid",
    "-i --interactive pid",
    "--interactive=yes pid",
    "--interactive=",
    // None of them.
    "-x",
    "-x pid",
    "-n pid",
    "-v",
    "--version",
    "--frobnicate pid",
    "--frobnicate=1 pid",
    "--json pid",
    "--= pid",
    "-cx",
    "pid extra -x",
    "pid -s foo",
    "-- pid",
    "-- -x",
    "-",
    "- pid",
    "''",
    "' '",
    "'' pid",
    "pid ''",
    "' pid'",
    "'\tpid\t'",
];

pub(super) fn options(play: &mut Play) {
    play.write("supervisord.conf", CONFIG);
    play.write("no-section.conf", "[supervisord]\n");
    play.write("empty.conf", "");
    play.write("broken.conf", "serverurl=x\n");
    play.write(
        "twice.conf",
        "[supervisorctl]\nserverurl=unix://{dir}/a\nserverurl=unix://{dir}/b\n[supervisorctl]\nprompt=x\n",
    );
    play.write("unknown-name.conf", "[supervisorctl]\nserverurl=unix://%(nowhere)s\n");
    play.write(
        "bare.conf",
        "[supervisorctl]\nserverurl=unix://{dir}/bare.sock ; where it was\nfrobnicate=1\n",
    );
    play.write("http.conf", "[supervisorctl]\nserverurl=http://127.0.0.1:1\nusername=jo\npassword=pw\n");
    play.write("https-less.conf", "[supervisorctl]\nserverurl=gopher://x\n");
    play.write("here.conf", "[supervisorctl]\nserverurl=unix://%(here)s/below/../s.sock\n");
    play.write("environment.conf", "[supervisorctl]\nserverurl=unix://%(ENV_HOME)s/s.sock\n");
    play.write("plain-file", "");
    drop(UnixListener::bind(play.file("dead.sock")).expect("a sandbox takes sockets"));
    for line in OPTIONS {
        play.run(&bare(line));
    }
    for line in ["-h", "--help", "-?", "-h pid", "-c none.conf -h", "-h -s foo", "pid -h", "--hel"] {
        match line {
            "pid -h" => play.run(&bare(line)),
            _ => play.run(&bare(line).help("Usage: ")),
        }
    }
    for line in ["", "-i", "-i pid", "-i -s foo"] {
        play.run(&bare(line).typed("pid\n"));
    }
}

/// Verbs as they are called where everything is well.
const VERBS: &[&str] = &[
    "status",
    "status web",
    "status all",
    "pid",
    "pid web",
    "pid all",
    "start web",
    "start all",
    "start",
    "stop web",
    "stop",
    "restart web",
    "restart",
    "signal HUP web",
    "signal",
    "clear web",
    "clear",
    "tail web",
    "tail -f web",
    "tail",
    "maintail",
    "maintail -f",
    "maintail x",
    "version",
    "version x",
    "fg web",
    "fg",
    "avail",
    "avail x",
    "reread",
    "reread x",
    "update",
    "update web",
    "add web",
    "add a b",
    "add",
    "remove web",
    "remove",
    "reload",
    "reload now",
    "shutdown",
    "shutdown now",
    "open",
    "open ftp://x",
    "open http://127.0.0.1:{port}",
    "open unix://{dir}/other.sock",
    "quit",
    "exit",
    "quit now",
    "EOF",
    "help nosuch",
    "help nosuch other",
    "? nosuch",
    "?nosuch",
    "nosuch",
    "nosuch with 'an argument'",
    "!ls",
    "! ls",
    "!",
    "@",
    "status;pid",
    "STATUS",
    "Status web",
    "stat",
    "status_all",
    "default x",
    "help_status",
    "do_status",
    "output x",
];

pub(super) fn verbs(play: &mut Play) {
    play.write("supervisord.conf", CONFIG);
    play.each(VERBS);
    // A socket that nobody listens at.
    drop(UnixListener::bind(play.file("s.sock")).expect("a sandbox takes sockets"));
    play.each(&VERBS[..VERBS.iter().position(|verb| *verb == "open").expect("it is among them")]);
    for topic in [
        "add", "avail", "clear", "exit", "fg", "maintail", "open", "pid", "quit", "reload", "remove",
        "reread", "restart", "shutdown", "signal", "start", "status", "stop", "tail", "update", "version",
        "help",
    ] {
        play.run(&row(&format!("help {topic}")).help(topic));
    }
    play.run(&row("?status").help("status"));
    play.run(&row("? status").help("status"));
    for line in ["help", "?", "help  "] {
        play.run(&row(line).help("version"));
    }
    play.each(&["help EOF", "help status pid", "help  nosuch "]);
}
