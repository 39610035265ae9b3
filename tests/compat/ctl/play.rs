//! One pair of client and daemon, and what is done with them in a stage.
//!
//! In: rows of tables. Out: an entry for each. Words of a row are divided by blanks; `'…'` keeps some together, `\xHH` is a
//! byte, `{dir}`, `{port}`, `{long}` and what a stage has named stand for what differs, or is too long to be read.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use provost_testkit::{
    Daemon, Deadline, HEAD, Implementation, Lines, Process, Sandbox, Signal, free_port, post, send_signal,
};

use super::forks::Forks;
use super::record::{self, Entry, Look, Seen};
use crate::calls;

/// Whose client on whose daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Theirs,
    OurClient,
    OurDaemon,
    Ours,
}

impl Pair {
    pub(super) fn has_our_client(self) -> bool {
        matches!(self, Pair::OurClient | Pair::Ours)
    }

    fn has_our_daemon(self) -> bool {
        matches!(self, Pair::OurDaemon | Pair::Ours)
    }
}

fn implementation(ours: bool) -> Implementation {
    if ours { Implementation::ours() } else { Implementation::supervisor_4_3() }
}

pub(super) struct Play {
    pair: Pair,
    client: OsString,
    /// Theirs, where it need not be started anew each time.
    theirs: Option<Forks>,
    /// Until there is a daemon, which then has it.
    sandbox: Option<Sandbox>,
    daemon: Option<Daemon>,
    /// Programs that end by force only.
    stubborn: Vec<i32>,
    port: u16,
    directory: String,
    /// `{name}` in rows, and what stands for it.
    names: Vec<(String, String)>,
    entries: Vec<Entry>,
    runs: Cell<usize>,
}

/// One run of supervisorctl.
pub(super) struct Row<'a> {
    line: &'a str,
    /// Everything that is said stands in the line.
    bare: bool,
    typed: Option<&'a str>,
    environment: &'a [(&'a str, &'a str)],
    stdout: Stdout,
    look: Look,
}

/// Where the output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stdout {
    File,
    /// A device without room.
    Full,
    /// A pipe that nobody reads from.
    Unread,
}

/// `supervisorctl -c FILE LINE`.
pub(super) fn row(line: &str) -> Row<'_> {
    Row { line, bare: false, typed: None, environment: &[], stdout: Stdout::File, look: Look::Exact }
}

/// `supervisorctl LINE`.
pub(super) fn bare(line: &str) -> Row<'_> {
    Row { bare: true, ..row(line) }
}

impl<'a> Row<'a> {
    pub(super) fn typed(self, typed: &'a str) -> Self {
        Row { typed: Some(typed), ..self }
    }

    pub(super) fn environment(self, environment: &'a [(&'a str, &'a str)]) -> Self {
        Row { environment, ..self }
    }

    pub(super) fn into(self, stdout: Stdout) -> Self {
        Row { stdout, ..self }
    }

    pub(super) fn sorted(self) -> Self {
        Row { look: Look::Sorted, ..self }
    }

    pub(super) fn help(self, topic: &'static str) -> Self {
        Row { look: Look::Help(topic), ..self }
    }

    /// Whether nothing but its words matters.
    fn is_plain(&self) -> bool {
        self.typed.is_none()
            && self.environment.is_empty()
            && self.stdout == Stdout::File
            && !self.line.contains("\\x")
    }

    /// How a record calls it.
    fn call(&self) -> String {
        let mut call = String::from("$ ");
        for (name, value) in self.environment {
            call.push_str(&format!("{name}={value} "));
        }
        if self.bare || self.line.is_empty() {
            call.push_str(if self.bare { "supervisorctl " } else { "supervisorctl -c FILE " });
        }
        call.push_str(&self.line.replace('\t', "\\t").replace('\n', "\\n"));
        if self.stdout != Stdout::File && !call.ends_with(' ') {
            call.push(' ');
        }
        call.push_str(match self.stdout {
            Stdout::File => "",
            Stdout::Full => "> /dev/full",
            Stdout::Unread => "| nobody",
        });
        let mut call = call.trim_end().to_owned();
        for line in self.typed.unwrap_or_default().lines() {
            let line = line.replace('\t', "\\t").replace('\r', "\\r");
            call.push_str(format!("\n< {line}").trim_end_matches(' '));
        }
        call
    }
}

/// Keeps a daemon busy, as 4.3.0 looks after calls that wait only when something else happens, or once a second.
pub(super) struct Awake {
    done: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.done = None;
        if let Some(thread) = self.thread.take() {
            // A daemon that has gone is no failure of this thread's.
            let _ = thread.join();
        }
    }
}

impl Play {
    pub(super) fn new(pair: Pair) -> Play {
        let sandbox = Sandbox::new();
        let directory = sandbox.path().to_str().expect("a sandbox has a plain name").to_owned();
        let client = implementation(pair.has_our_client()).supervisorctl[0].clone();
        // What is recorded is seen in the plainest way.
        let theirs = (!pair.has_our_client() && !record::is_wanted()).then(|| Forks::new(&client));
        Play {
            pair,
            client,
            theirs,
            sandbox: Some(sandbox),
            daemon: None,
            stubborn: Vec::new(),
            port: free_port(),
            directory,
            names: Vec::new(),
            entries: Vec::new(),
            runs: Cell::new(0),
        }
    }

    /// Ends everything, and tells what was seen.
    pub(super) fn end(mut self) -> Vec<Entry> {
        self.release();
        std::mem::take(&mut self.entries)
    }

    /// Starts the daemon on the usual head followed by `config`.
    #[track_caller]
    pub(super) fn start(&mut self, config: &str) {
        self.start_on(&format!("{HEAD}{config}"));
    }

    /// The same without that head.
    #[track_caller]
    pub(super) fn start_on(&mut self, config: &str) {
        let sandbox = self.sandbox.take().expect("a stage starts one daemon");
        let config = config.replace("{port}", &self.port.to_string());
        let daemon = implementation(self.pair.has_our_daemon());
        self.daemon = Some(Daemon::start_in(sandbox, &daemon, &config));
    }

    #[track_caller]
    pub(super) fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("a stage starts its daemon first")
    }

    #[track_caller]
    pub(super) fn write_config(&mut self, config: &str) {
        self.daemon().write_config(&format!("{HEAD}{config}"));
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(&self.directory).join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        let text = text.replace("{dir}", &self.directory);
        fs::write(&path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    }

    /// Adds to a file that somebody else may have open.
    pub(super) fn append(&self, name: &str, text: &str) {
        let written = OpenOptions::new()
            .append(true)
            .open(self.file(name))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.unwrap_or_else(|e| panic!("cannot write to {name}: {e}"));
    }

    /// From here on `{name}` stands for `text`, and NAME in what is seen.
    pub(super) fn name(&mut self, name: &str, text: &str) {
        self.names.push((name.to_owned(), text.to_owned()));
    }

    /// Waits for programs to be RUNNING after their startsecs.
    #[track_caller]
    pub(super) fn wait_for_running(&mut self, programs: &[&str]) {
        let texts: Vec<String> =
            programs.iter().map(|program| format!("success: {program} entered RUNNING state")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.daemon().log().wait_for_all(&texts);
    }

    /// Waits until each of these texts has been logged so many times.
    #[track_caller]
    pub(super) fn wait_for_each(&mut self, wanted: &[(&str, usize)]) {
        let missing = RefCell::new(wanted.to_vec());
        self.daemon().log().wait_until("one of several lines", |line| {
            let mut missing = missing.borrow_mut();
            for (_, times) in missing.iter_mut().filter(|(text, _)| line.contains(text)) {
                *times -= 1;
            }
            missing.retain(|(_, times)| *times > 0);
            missing.is_empty()
        });
    }

    #[track_caller]
    pub(super) fn wait_for_log(&mut self, text: &str) {
        self.daemon().wait_for_log_line(text);
    }

    /// Waits until this program has said hello; it will have to be ended by force.
    #[track_caller]
    pub(super) fn wait_for_stubborn(&mut self, program: &str) {
        let pid = self.daemon().wait_for_hello(program).pid;
        self.stubborn.push(pid);
    }

    /// Ends the stubborn.
    pub(super) fn release(&mut self) {
        for pid in self.stubborn.drain(..) {
            send_signal(pid, Signal::KILL);
        }
    }

    /// Calls a method with one string, without waiting for what it leads to.
    #[track_caller]
    pub(super) fn ask_unwaited(&mut self, method: &str, name: &str) {
        let body = calls::request(method, &[&format!("<string>{name}</string>"), "<boolean>0</boolean>"]);
        let answer = post(&self.daemon().socket(), "/RPC2", body.as_bytes());
        let answer = answer.unwrap_or_else(|e| panic!("cannot call {method}: {e}"));
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 200 && !text.contains("<fault>"), "{method}({name}): {text}");
    }

    /// As long as what this gives is kept.
    pub(super) fn stay_awake(&mut self) -> Awake {
        let (done, wait) = mpsc::channel::<()>();
        let socket = self.daemon().socket();
        let thread = thread::spawn(move || {
            let body = calls::request("supervisor.getState", &[]);
            while post(&socket, "/RPC2", body.as_bytes()).is_ok()
                && wait.recv_timeout(Duration::from_millis(20)) == Err(mpsc::RecvTimeoutError::Timeout)
            {
            }
        });
        Awake { done: Some(done), thread: Some(thread) }
    }

    /// Runs each of these lines.
    #[track_caller]
    pub(super) fn each(&mut self, lines: &[&str]) {
        for line in lines {
            self.run(&row(line));
        }
    }

    #[track_caller]
    pub(super) fn run(&mut self, row: &Row<'_>) {
        if self.theirs.is_some() && row.is_plain() {
            let (words, written) = (self.words(row), self.written());
            let theirs = self.theirs.as_mut().expect("it has just been seen");
            let status = theirs.run(&words, &self.directory, &written);
            self.enter(row, status, &written);
            return;
        }
        let (ctl, written) = self.spawn(row);
        self.finish(row, ctl, &written);
    }

    /// Runs these lines while a program goes on trying to start, and none of them at the moment when it tries.
    #[track_caller]
    pub(super) fn between_tries(&mut self, program: &str, lines: &[&str]) {
        let ended = format!("exited: {program} ");
        for line in lines {
            loop {
                let before = self.ends_of(&ended);
                self.run(&row(line));
                if self.ends_of(&ended) == before {
                    break;
                }
                self.entries.pop();
            }
        }
    }

    fn ends_of(&mut self, ended: &str) -> usize {
        self.daemon().log().all().iter().filter(|line| line.contains(ended)).count()
    }

    /// Runs a line that follows a log, until it has shown `text`; `then` brings about its end.
    #[track_caller]
    pub(super) fn follow(&mut self, row: &Row<'_>, text: &str, then: impl FnOnce(&mut Play, &Process)) {
        let (ctl, written) = self.spawn(row);
        Lines::follow(&written[0]).wait_for(text);
        then(self, &Process::new(pid(&ctl)));
        self.finish(row, ctl, &written);
    }

    #[track_caller]
    fn finish(&mut self, row: &Row<'_>, mut ctl: Child, written: &[PathBuf; 2]) {
        if !Process::new(pid(&ctl)).ended_before(Deadline::default()) {
            ctl.kill().expect("our own child can be killed");
        }
        let status = ctl.wait().expect("our own child can be waited for");
        self.enter(row, status.code().map_or_else(|| status.to_string(), |code| code.to_string()), written);
    }

    #[track_caller]
    fn enter(&mut self, row: &Row<'_>, status: String, written: &[PathBuf; 2]) {
        let [stdout, stderr] = written.each_ref().map(|path| fs::read(path).unwrap_or_default());
        let seen = Seen { stdout, stderr, status };
        assert!(!seen.status.contains("signal: 9"), "{} hangs: {seen:?}", row.call());
        let outcome = seen.shown(row.look, &self.places());
        self.entries.push(Entry { call: row.call(), outcome });
    }

    #[track_caller]
    fn spawn(&self, row: &Row<'_>) -> (Child, [PathBuf; 2]) {
        let written = self.written();
        let open = |path: &PathBuf| OpenOptions::new().write(true).open(path).expect("it was made");
        let stdout = match row.stdout {
            Stdout::File => open(&written[0]).into(),
            Stdout::Full => OpenOptions::new().write(true).open("/dev/full").expect("Linux has it").into(),
            Stdout::Unread => Stdio::from(std::io::pipe().expect("there are pipes").1),
        };
        let words = self.words(row);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(environment(&self.directory));
        command.envs(row.environment.iter().copied()).current_dir(&self.directory);
        command.stdin(if row.typed.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(stdout).stderr(open(&written[1]));
        let mut ctl = command.spawn().expect("supervisorctl can be started");
        if let (Some(typed), Some(mut stdin)) = (row.typed, ctl.stdin.take()) {
            // A pipe takes as much at once, and who does not read it need not.
            let _ = stdin.write_all(self.filled(typed).as_bytes());
        }
        (ctl, written)
    }

    /// Two empty files for what is printed.
    fn written(&self) -> [PathBuf; 2] {
        let number = self.runs.replace(self.runs.get() + 1);
        let written = ["out", "err"].map(|kind| self.file(&format!("ctl-{number}.{kind}")));
        for path in &written {
            File::create(path).expect("a sandbox takes files");
        }
        written
    }

    /// The whole command line.
    fn words(&self, row: &Row<'_>) -> Vec<OsString> {
        let mut words = vec![self.client.clone()];
        if !row.bare {
            words.extend(["-c".into(), self.file("supervisord.conf").into_os_string()]);
        }
        words.extend(split(&self.filled(row.line)));
        words
    }

    fn filled(&self, line: &str) -> String {
        let line = line.replace("{dir}", &self.directory).replace("{port}", &self.port.to_string());
        let line = line.replace("{long}", &"x".repeat(LONG));
        self.names.iter().fold(line, |line, (name, text)| line.replace(&format!("{{{name}}}"), text))
    }

    fn places(&self) -> Vec<(String, String)> {
        let client = self.client.to_str().expect("the build directory has a plain name").to_owned();
        let mut places =
            vec![(self.directory.clone(), "DIR".to_owned()), (client, "supervisorctl".to_owned())];
        places.extend(self.names.iter().map(|(name, text)| (text.clone(), name.to_uppercase())));
        places.push((format!(":{}", self.port), ":PORT".to_owned()));
        places.push(("x".repeat(LONG), "{long}".to_owned()));
        places
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        self.release();
    }
}

/// Ctrl-C, when it waits for more: 4.3.0 takes one that comes in the middle of its work for a failure of the connection.
#[track_caller]
pub(super) fn interrupt(_: &mut Play, ctl: &Process) {
    let deadline = Deadline::default();
    let is_asleep = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", ctl.pid())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S'))
    };
    while !is_asleep() {
        assert!(deadline.remaining().is_some() && !ctl.is_gone(), "it does not wait for more");
        thread::yield_now();
    }
    ctl.signal(Signal::INT);
}

const LONG: usize = 3000;

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a Linux pid fits an i32")
}

/// What a client sees of the environment.
pub(super) fn environment(home: &str) -> Vec<(&'static str, OsString)> {
    let mut environment = vec![("LC_ALL", "C.UTF-8".into()), ("HOME", home.into())];
    environment.extend(std::env::var_os("PATH").map(|path| ("PATH", path)));
    environment
}

/// The words of a line.
fn split(line: &str) -> Vec<OsString> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let (mut quoted, mut between) = (false, true);
    let mut rest = line.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b' ' && !quoted {
            between = true;
            continue;
        }
        if between {
            words.push(Vec::new());
            between = false;
        }
        let word = words.last_mut().expect("one was begun");
        match byte {
            b'\'' => quoted = !quoted,
            b'\\' if behind.first() == Some(&b'x') => {
                let digits = std::str::from_utf8(&behind[1..3]).expect("two digits follow \\x");
                word.push(u8::from_str_radix(digits, 16).expect("two digits follow \\x"));
                rest = &behind[3..];
            }
            byte => word.push(byte),
        }
    }
    words.into_iter().map(OsString::from_vec).collect()
}

#[test]
fn words_may_hold_blanks_and_any_byte() {
    let bytes: Vec<Vec<u8>> = split("a 'b  c'd '' \\xff\\x00z").into_iter().map(OsString::into_vec).collect();
    assert_eq!(bytes, [&b"a"[..], b"b  cd", b"", b"\xff\0z"]);
}
