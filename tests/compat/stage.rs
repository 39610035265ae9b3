//! What a scenario is played on: a daemon, and the record of what was seen.
//!
//! In: an implementation and a scenario. Out: its transcript. Every run of
//! supervisorctl is recorded with its output and status; at the end the daemon
//! is asked to end and its exit status and whole main log are recorded too.

use std::collections::HashMap;

use provost_testkit::{
    Daemon, HEAD, Hello, Implementation, Lines, Process, Signal, send_signal, wait_until_gone,
};

use crate::normalise;

/// A daemon on which a scenario is played, and what was seen so far.
#[derive(Debug)]
pub(crate) struct Stage {
    implementation: Implementation,
    daemon: Option<Daemon>,
    outputs: HashMap<String, Lines>,
    transcript: Vec<String>,
}

/// Plays a scenario to its end and gives the transcript.
pub(crate) fn play(implementation: &Implementation, scenario: fn(&mut Stage)) -> Vec<String> {
    let mut stage = Stage {
        implementation: implementation.clone(),
        daemon: None,
        outputs: HashMap::new(),
        transcript: Vec::new(),
    };
    scenario(&mut stage);
    stage.finish();
    stage.transcript
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

    /// Runs supervisorctl with the words of `line` and records what it did.
    #[track_caller]
    pub(crate) fn ctl(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let directory = self.directory();
        let output = self.daemon().ctl(&words);
        self.transcript.push(format!("$ supervisorctl {line}"));
        for (prefix, text) in [("", &output.stdout), ("stderr: ", &output.stderr)] {
            let lines = text.lines().map(|line| normalise::ctl_line(line, &directory));
            self.transcript.extend(lines.map(|line| format!("{prefix}{line}")));
        }
        self.transcript.push(format!("= {}", output.status));
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
        let path = self.daemon().sandbox().file(file);
        let lines = self.outputs.entry(file.to_owned()).or_insert_with(|| Lines::follow(&path));
        lines.wait_for(text);
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

    /// Waits for the daemon's end, which the scenario has brought about, and
    /// records its exit status. Its files are still there.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) {
        let status = self.daemon().wait_for_end();
        // Nobody but its parent learns how a daemon in the background ended.
        let status = status.map_or("in the background".to_owned(), |status| status.to_string());
        self.transcript.push(format!("supervisord ended: {status}"));
    }

    #[track_caller]
    fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("a scenario starts its daemon first")
    }

    fn directory(&mut self) -> String {
        self.daemon().sandbox().path().to_string_lossy().into_owned()
    }

    #[track_caller]
    fn finish(&mut self) {
        if !self.daemon().process().is_gone() {
            self.signal_daemon(Signal::TERM);
            self.wait_for_end();
        }
        let directory = self.directory();
        self.transcript.push("main log:".into());
        let lines = self.daemon.as_mut().expect("used just now").log().all();
        let lines = lines.iter().map(|line| normalise::log_line(line, &directory));
        self.transcript.extend(lines);
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
