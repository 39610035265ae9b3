//! What a scenario is played on: a daemon, and the record of what was seen.
//!
//! In: an implementation and a scenario. Out: what was seen. Every run of
//! supervisorctl is recorded with its output and status; at the end the daemon
//! is asked to end and its exit status and whole main log are recorded too.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use provost_testkit::{
    DEADLINE, Daemon, Deadline, HEAD, Hello, Implementation, Lines, Process, Signal, post, send_signal,
    wait_until_gone,
};

use crate::normalise;

/// A daemon on which a scenario is played, and what was seen so far.
#[derive(Debug)]
pub(crate) struct Stage {
    implementation: Implementation,
    daemon: Option<Daemon>,
    outputs: HashMap<String, Lines>,
    transcript: Vec<String>,
    /// Whether the daemon's end has been waited for.
    ended: bool,
}

/// What was seen of a scenario.
#[derive(Debug)]
pub(crate) struct Seen {
    /// What was done to the daemon, and what came of it.
    pub(crate) transcript: Vec<String>,
    /// The main log, as it is.
    pub(crate) log: Vec<String>,
    directory: String,
}

impl Seen {
    /// The main log with what differs between any two runs made equal.
    pub(crate) fn comparable_log(&self) -> Vec<String> {
        self.log.iter().map(|line| normalise::log_line(line, &self.directory)).collect()
    }

    /// Everything, to be compared.
    pub(crate) fn whole(mut self) -> Vec<String> {
        let log = self.comparable_log();
        self.transcript.push("main log:".into());
        self.transcript.extend(log);
        self.transcript
    }
}

/// Plays a scenario to its end and tells what was seen.
pub(crate) fn play(implementation: &Implementation, scenario: impl FnOnce(&mut Stage)) -> Seen {
    let mut stage = Stage {
        implementation: implementation.clone(),
        daemon: None,
        outputs: HashMap::new(),
        transcript: Vec::new(),
        ended: false,
    };
    scenario(&mut stage);
    stage.end();
    let directory = stage.directory();
    let log = stage.daemon().log().all().to_vec();
    Seen { transcript: stage.transcript, log, directory }
}

impl Stage {
    /// Starts the daemon on the usual head followed by `config`.
    #[track_caller]
    pub(crate) fn start(&mut self, config: &str) {
        self.daemon = Some(Daemon::start(&self.implementation, &format!("{HEAD}{config}")));
    }

    /// The same in the background, as a daemon.
    #[track_caller]
    pub(crate) fn start_daemonized(&mut self, config: &str) {
        let config = format!("{HEAD}{config}");
        self.daemon = Some(Daemon::start_daemonized(&self.implementation, &config));
    }

    /// Puts another configuration into the file.
    #[track_caller]
    pub(crate) fn write_config(&mut self, config: &str) {
        self.daemon().write_config(&format!("{HEAD}{config}"));
    }

    /// Runs supervisorctl with the words of `line` and records what it did. An update is Supervisor's: our own way of changing
    /// groups where they are has tests elsewhere (tests/daemon/updates.rs, ctl/intended.rs).
    #[track_caller]
    pub(crate) fn ctl(&mut self, line: &str) {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if words.first() == Some(&"update") && self.has_our_client() {
            words.insert(1, "--restart");
        }
        let directory = self.directory();
        let output = self.daemon().ctl(&words);
        self.transcript.push(format!("$ supervisorctl {line}"));
        for (prefix, text) in [("", &output.stdout), ("stderr: ", &output.stderr)] {
            let lines = text.lines().map(|line| normalise::ctl_line(line, &directory));
            self.transcript.extend(lines.map(|line| format!("{prefix}{line}")));
        }
        self.transcript.push(format!("= {}", output.status));
    }

    fn has_our_client(&self) -> bool {
        self.implementation.supervisorctl == Implementation::ours().supervisorctl
    }

    /// Asks for a stop without waiting for it, which supervisorctl never does, and records the answer.
    #[track_caller]
    pub(crate) fn stop_unwaited(&mut self, process: &str) {
        let body = format!(
            "<?xml version='1.0'?><methodCall><methodName>supervisor.stopProcess</methodName><params>\
             <param><value><string>{process}</string></value></param>\
             <param><value><boolean>0</boolean></value></param></params></methodCall>"
        );
        let answer = post(&self.daemon().socket(), "/RPC2", body.as_bytes());
        let answer = answer.unwrap_or_else(|e| panic!("cannot ask to stop {process}: {e}"));
        self.transcript.push(format!("$ stop {process} without waiting: {}", answer.status));
        self.transcript.extend(String::from_utf8_lossy(&answer.body).lines().map(str::to_owned));
    }

    /// Calls a method with parameters that are XML values already, and records the answer.
    #[track_caller]
    pub(crate) fn rpc(&mut self, method: &str, values: &[&str]) {
        let params: String = values.iter().map(|v| format!("<param><value>{v}</value></param>")).collect();
        let body = format!(
            "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
        );
        let answer = post(&self.daemon().socket(), "/RPC2", body.as_bytes());
        let answer = answer.unwrap_or_else(|e| panic!("cannot call {method}: {e}"));
        let shown: Vec<String> = values.iter().map(|value| value.chars().take(60).collect()).collect();
        self.transcript.push(format!("$ {method}({}): {}", shown.join(", "), answer.status));
        self.transcript.extend(String::from_utf8_lossy(&answer.body).lines().map(str::to_owned));
    }

    /// Calls a method and gives its answer, which is not recorded.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, values: &[&str]) -> String {
        let body = crate::calls::request(method, values);
        let answer = post(&self.daemon().socket(), "/RPC2", body.as_bytes());
        let answer = answer.unwrap_or_else(|e| panic!("cannot call {method}: {e}"));
        assert_eq!(answer.status, 200, "{method}{values:?}");
        String::from_utf8_lossy(&answer.body).into_owned()
    }

    /// Puts a file into the sandbox that can be executed.
    #[track_caller]
    pub(crate) fn write_program(&mut self, name: &str, text: &str) {
        let path = self.daemon().sandbox().file(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    }

    /// Waits for a line of the main log with this text, behind the last one waited for.
    #[track_caller]
    pub(crate) fn wait_for_log(&mut self, text: &str) {
        self.daemon().wait_for_log_line(text);
    }

    /// Waits for several, in whatever order they come.
    #[track_caller]
    pub(crate) fn wait_for_logs(&mut self, texts: &[&str]) {
        self.daemon().log().wait_for_all(texts);
    }

    /// From here on only new lines of the main log count. For a line that has
    /// already come once without having been waited for.
    #[track_caller]
    pub(crate) fn skip_log(&mut self) {
        self.daemon().log().skip_to_now();
    }

    /// Waits until the program has entered RUNNING after its startsecs.
    #[track_caller]
    pub(crate) fn wait_for_running(&mut self, program: &str) {
        self.wait_for_log(&format!("success: {program} entered RUNNING state"));
    }

    /// Waits until the scriptable child under this name has said hello.
    #[track_caller]
    pub(crate) fn wait_for_hello(&mut self, program: &str) -> Hello {
        self.daemon().wait_for_hello(program)
    }

    /// Waits for a line in a file of the sandbox, which a program's output is captured to.
    #[track_caller]
    pub(crate) fn wait_for_output(&mut self, file: &str, text: &str) {
        self.output(file).wait_for(text);
    }

    /// Waits for several, in whatever order they come.
    #[track_caller]
    pub(crate) fn wait_for_outputs(&mut self, file: &str, texts: &[&str]) {
        self.output(file).wait_for_all(texts);
    }

    /// All lines of such a file so far.
    #[track_caller]
    pub(crate) fn lines_of(&mut self, file: &str) -> Vec<String> {
        self.output(file).all().to_vec()
    }

    /// A reader of such a file that begins at its beginning and moves nobody else's place in it.
    #[track_caller]
    pub(crate) fn follow(&mut self, file: &str) -> Lines {
        Lines::follow(&self.daemon().sandbox().file(file))
    }

    /// Whether the daemon has ended.
    #[track_caller]
    pub(crate) fn is_gone(&mut self) -> bool {
        self.daemon().process().is_gone()
    }

    /// Sends a signal to a program.
    #[track_caller]
    pub(crate) fn signal(&mut self, hello: &Hello, signal: Signal) {
        send_signal(hello.pid, signal);
    }

    /// Waits until this program has ended.
    #[track_caller]
    pub(crate) fn wait_until_gone(&mut self, hello: &Hello) {
        wait_until_gone(hello.pid);
    }

    /// Sends a signal to the daemon.
    #[track_caller]
    pub(crate) fn signal_daemon(&mut self, signal: Signal) {
        self.daemon().process().signal(signal);
    }

    /// Writes into the transcript whether a file of the sandbox is there.
    #[track_caller]
    pub(crate) fn record_file(&mut self, name: &str) {
        let there = self.daemon().sandbox().file(name).exists();
        self.transcript.push(format!("{name} exists: {there}"));
    }

    /// Writes the bytes of a file of the sandbox into the transcript.
    #[track_caller]
    pub(crate) fn record_text(&mut self, name: &str) {
        let path = self.daemon().sandbox().file(name);
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
        let directory = self.directory();
        let lines = text.lines().map(|line| normalise::ctl_line(line, &directory));
        self.transcript.push(format!("{name}:"));
        self.transcript.extend(lines);
    }

    /// Files of the sandbox whose names begin like this, with what is in them.
    #[track_caller]
    pub(crate) fn files_of(&mut self, prefix: &str) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(self.daemon().sandbox().path()).expect("the sandbox is there");
        let mut files = BTreeMap::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(prefix) {
                let bytes = std::fs::read(entry.path()).unwrap_or_default();
                files.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        files
    }

    /// Records all of these.
    #[track_caller]
    pub(crate) fn record_files(&mut self, prefix: &str) {
        for (name, text) in self.files_of(prefix) {
            self.transcript.push(format!("{name}: {text:?}"));
        }
    }

    /// Records what the scenario has found out.
    pub(crate) fn note(&mut self, text: &str) {
        self.transcript.push(text.to_owned());
    }

    /// Opens a FIFO that a program makes and reads.
    #[track_caller]
    pub(crate) fn open_fifo(&mut self, name: &str) -> File {
        let path = self.daemon().sandbox().file(name);
        let end = Deadline::after(DEADLINE);
        while !path.exists() {
            assert!(end.remaining().is_some(), "nobody makes {}", path.display());
            std::thread::yield_now();
        }
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap_or_else(|e| panic!("cannot open {}: {e}", path.display()))
    }

    /// Tells a program something that it repeats, and waits until the logs whose names begin with its own are as they should be.
    #[track_caller]
    pub(crate) fn tell(
        &mut self,
        fifo: &mut File,
        name: &str,
        piece: &str,
        should_be: impl Fn(&BTreeMap<String, String>) -> bool,
    ) {
        fifo.write_all(piece.as_bytes()).unwrap_or_else(|e| panic!("{name} does not listen: {e}"));
        let end = Deadline::after(DEADLINE);
        while !should_be(&self.files_of(&format!("{name}.log"))) {
            assert!(end.remaining().is_some(), "{name} does not repeat {piece:?}");
            std::thread::yield_now();
        }
    }

    /// Waits for the daemon's end, which the scenario has brought about, and
    /// records its exit status. Its files are still there.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) {
        let status = self.daemon().wait_for_end();
        // Nobody but its parent learns how a daemon in the background ended.
        let status = status.map_or("in the background".to_owned(), |status| status.to_string());
        self.transcript.push(format!("supervisord ended: {status}"));
        self.ended = true;
    }

    /// Ends the daemon without waiting for the next tick of 4.3.0's, in which it would look at its signals.
    #[track_caller]
    pub(crate) fn end_at_once(&mut self) {
        self.signal_daemon(Signal::TERM);
        // Whoever is dead, or has ended by now, need not be woken.
        let _ = post(
            &self.daemon().socket(),
            "/RPC2",
            crate::calls::request("supervisor.getState", &[]).as_bytes(),
        );
        self.wait_for_end();
    }

    /// Ends the daemon, unless the scenario has done so.
    #[track_caller]
    pub(crate) fn end(&mut self) {
        if !self.ended {
            self.signal_daemon(Signal::TERM);
            self.wait_for_end();
        }
    }

    #[track_caller]
    fn output(&mut self, file: &str) -> &mut Lines {
        let path = self.daemon().sandbox().file(file);
        self.outputs.entry(file.to_owned()).or_insert_with(|| Lines::follow(&path))
    }

    #[track_caller]
    fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("a scenario starts its daemon first")
    }

    pub(crate) fn directory(&mut self) -> String {
        self.daemon().sandbox().path().to_string_lossy().into_owned()
    }
}

#[test]
fn nothing_that_was_started_survives_its_sandbox() {
    let config = format!(
        "{HEAD}
[program:orphan]
command={{child}} ignore:TERM fork-grandchild hello forever
"
    );
    let mut daemon = Daemon::start(&Implementation::supervisor_4_3(), &config);
    let started = ["orphan", "grandchild"].map(|name| daemon.wait_for_hello(name));
    let started = started.map(|hello| Process::new(hello.pid));
    // Its programs now belong to nobody, and nobody will ask them to end.
    daemon.process().signal(Signal::KILL);
    daemon.wait_for_end();
    assert!(started.iter().all(|process| !process.is_gone()));
    let directory = daemon.sandbox().path().to_owned();
    drop(daemon);
    assert!(started.iter().all(Process::is_gone));
    assert!(!directory.exists());
}
