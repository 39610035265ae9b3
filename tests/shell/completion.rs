//! Completion in bash, zsh and fish, by the scripts that we print, in the real shells.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use provost_testkit::{Daemon, Implementation, Pty};

use crate::{daemon, daemon_with, directory, file};

/// A shell in which `supervisorctl` is ours, and its completion is there.
struct Other {
    pty: Pty,
}

impl Other {
    /// `begin` reads `script` from the sandbox; then the prompt is `ready> `.
    fn start(daemon: &Daemon, name: &str, arguments: &[&str], begin: &str) -> Other {
        let ours = Implementation::ours();
        let program = std::path::Path::new(&ours.supervisorctl[0]);
        let script = Command::new(program).args(["completion", name]).output().unwrap();
        assert!(script.status.success());
        let directory = directory(daemon).to_str().unwrap().to_owned();
        fs::write(file(daemon, "script"), script.stdout).unwrap();
        let mut command = Command::new(name);
        let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
        command.args(arguments).current_dir(&directory);
        command.env("PATH", path).env("HOME", &directory).env("LC_ALL", "C.UTF-8");
        let mut pty = Pty::start(&command);
        pty.types(&format!("{}\r", begin.replace("{dir}", directory.trim_end_matches('/'))));
        pty.wait_for("all is ready");
        // What is typed before it reads the keyboard itself is shown twice.
        pty.wait_for_last_line("ready>");
        Other { pty }
    }

    /// Types it, and waits for a screen whose last line is the prompt and this.
    fn completes(&mut self, typed: &str, shown: &str) {
        self.pty.types(typed);
        self.pty.wait_for_last_line(&format!("ready> {shown}"));
        self.pty.types("\x15");
        self.pty.wait_for_last_line("ready>");
    }
}

const CASES: &[(&str, &str)] = &[
    ("supervisorctl vers\t", "supervisorctl version"),
    ("supervisorctl start we\t", "supervisorctl start web"),
    ("supervisorctl -c supervisord.conf restart ca\t", "supervisorctl -c supervisord.conf restart cat"),
    ("supervisorctl --confi\t", "supervisorctl --configuration"),
    ("supervisorctl -c supervisord.co\t", "supervisorctl -c supervisord.conf"),
    ("supervisorctl signal HUP ca\t", "supervisorctl signal HUP cat"),
    ("supervisorctl -c nosuch.conf start we\t", "supervisorctl -c nosuch.conf start we"),
];

#[test]
fn bash() {
    let daemon = daemon();
    let begin = "PS1='ready> '; bind 'set bell-style none'; source ./script; echo all is 'ready'";
    let mut bash = Other::start(&daemon, "bash", &["--norc", "--noprofile", "-i"], begin);
    for (typed, shown) in CASES {
        bash.completes(typed, shown);
    }
    bash.completes("supervisorctl remove wor\t", "supervisorctl remove work");
    bash.completes("supervisorctl stop wor\t1\t", "supervisorctl stop work:1");
    // Without colons among the letters that break words.
    bash.pty.types("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\r");
    bash.pty.wait_for_last_line("ready>");
    bash.completes("supervisorctl stop wor\t1\t", "supervisorctl stop work:1");
}

/// Whoever names a program decides what a Tab puts into the line of somebody else, root for one.
#[test]
fn a_name_is_never_an_order_to_bash() {
    let names = ["hot$(echo>owned)", "ice`echo>owned`", "job;echo>owned", "key'\"\\|echo>owned"];
    let sections: String =
        names.iter().map(|name| format!("[program:{name}]\ncommand=/bin/cat\nautostart=false\n\n")).collect();
    let daemon = daemon_with(&sections);
    let begin = "PS1='ready> '; bind 'set bell-style none'; source ./script; echo all is 'ready'";
    let mut bash = Other::start(&daemon, "bash", &["--norc", "--noprofile", "-i"], begin);
    for name in names {
        bash.pty.types(&format!("supervisorctl status {}\t", &name[..2]));
        bash.pty.wait_for("owned");
        bash.pty.types("\r");
        bash.pty.wait_for(&format!("{name} "));
        bash.pty.wait_for("STOPPED");
        bash.pty.wait_for_last_line("ready>");
        for quote in ["'", "\""] {
            bash.completes(
                &format!("supervisorctl status {quote}{}\t", &name[..2]),
                &format!("supervisorctl status {quote}{}", &name[..2]),
            );
        }
    }
    assert!(!file(&daemon, "owned").exists());
}

#[test]
fn zsh() {
    let daemon = daemon();
    let begin = "PS1='ready> '; unsetopt beep prompt_sp; autoload -Uz compinit; compinit -u -d {dir}/dump; source ./script; echo all is 'ready'";
    let mut zsh = Other::start(&daemon, "zsh", &["-f", "-i"], begin);
    for (typed, shown) in CASES {
        zsh.completes(typed, shown);
    }
    zsh.completes("supervisorctl stop wor\t1\t", "supervisorctl stop work:1");
}

#[test]
fn fish() {
    let daemon = daemon();
    // Fish has an answer for those who do not sit at a terminal.
    for (typed, shown) in CASES {
        let line = typed.strip_suffix('\t').unwrap();
        let words = asked_of_fish(&daemon, line);
        let words: Vec<&str> = words.iter().filter_map(|line| line.split('\t').next()).collect();
        let wanted: Vec<&str> = shown.rsplit(' ').take(if shown == &line { 0 } else { 1 }).collect();
        assert_eq!(words, wanted, "{line}");
    }
    let mut found = asked_of_fish(&daemon, "supervisorctl stop wor");
    found.sort();
    assert_eq!(found, ["work:*", "work:0", "work:1"].map(str::to_owned));
    assert_eq!(
        asked_of_fish(&daemon, "supervisorctl versi"),
        ["version\tShow which version supervisord reports."]
    );
}

fn asked_of_fish(daemon: &Daemon, line: &str) -> Vec<String> {
    let ours = Implementation::ours();
    let program = std::path::Path::new(&ours.supervisorctl[0]);
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let fish = Command::new("fish")
        .args(["--no-config", "-c", "supervisorctl completion fish | source; complete -C $argv[1]", line])
        .current_dir(directory(daemon))
        .env_clear()
        .envs([("PATH", path.as_str()), ("HOME", directory(daemon).to_str().unwrap()), ("LC_ALL", "C.UTF-8")])
        .stdin(Stdio::null())
        .output()
        .expect("fish is installed by scripts/setup-tests.sh");
    assert!(fish.stderr.is_empty(), "{}", String::from_utf8_lossy(&fish.stderr));
    String::from_utf8(fish.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// What a script gets for this line.
fn answered(daemon: &Daemon, line: &str) -> String {
    let ours = Implementation::ours();
    let mut child = Command::new(&ours.supervisorctl[0])
        .arg("complete-line")
        .current_dir(directory(daemon))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_options_of_the_line_say_whom_to_ask() {
    let daemon = daemon();
    let socket = daemon.socket();
    let url = format!("unix://{}", socket.display());
    assert_eq!(answered(&daemon, &format!("supervisorctl -c nosuch -s {url} pid c")), "");
    assert_eq!(answered(&daemon, &format!("supervisorctl -s {url} pid c\n")), "cat\t\n");
    assert_eq!(answered(&daemon, "supervisorctl -s unix:///nonexistent pid c"), "");
    assert_eq!(answered(&daemon, "supervisorctl -c "), ":files\n");
    for nonsense in ["", "\n", "'", "supervisorctl \\", "\u{fffd} \t '\"", "supervisorctl start \"we", "a=b"]
    {
        answered(&daemon, nonsense);
    }
}

#[test]
fn a_daemon_that_never_answers_has_no_names() {
    let daemon = daemon();
    let silent = file(&daemon, "silent");
    let _listening = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    assert_eq!(answered(&daemon, &format!("supervisorctl -s unix://{} pid c", silent.display())), "");
    assert_eq!(
        answered(&daemon, &format!("supervisorctl -s unix://{} vers", silent.display())).lines().count(),
        1
    );
}

#[test]
fn bytes_that_are_no_text_and_lines_without_end_are_survived() {
    let daemon = daemon();
    assert_eq!(answered(&daemon, &"x".repeat(60_000)), "");
    assert_eq!(
        answered(&daemon, &format!("supervisorctl start {}", "web ".repeat(10_000))).lines().count(),
        5
    );
}
