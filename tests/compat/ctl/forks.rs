//! Supervisor's own supervisorctl without Python's start: one process that has loaded it, and forks for each run.
//!
//! In: command lines, and files for what is printed. Out: exit statuses. The records are made without this, so it cannot
//! differ from the real thing without being noticed.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use provost_testkit::DEADLINE;

use super::play::environment;

pub(super) struct Forks {
    python: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Forks {
    /// `client` lies beside the Python that can load it.
    pub(super) fn new(client: &OsStr) -> Forks {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/ctl/theirs.py");
        let mut python = Command::new(Path::new(client).with_file_name("python"))
            .arg(script)
            .env_clear()
            .envs(environment("/"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the virtualenv has a Python");
        let requests = python.stdin.take();
        let said = BufReader::new(python.stdout.take().expect("it was asked for"));
        let (tell, answers) = mpsc::channel();
        thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Forks { python, requests, answers }
    }

    /// Runs one command line to its end.
    #[track_caller]
    pub(super) fn run(&mut self, words: &[OsString], directory: &str, files: &[PathBuf; 2]) -> String {
        let text = |word: &OsStr| word.to_str().expect("what is plain is text").to_owned();
        let environment = environment(directory);
        let run = serde_json::json!({
            "words": words.iter().map(|word| text(word)).collect::<Vec<_>>(),
            "directory": directory,
            "files": files.iter().map(|file| text(file.as_os_str())).collect::<Vec<_>>(),
            "environment": environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), text(value).into()))
                .collect::<serde_json::Map<_, _>>(),
        });
        let requests = self.requests.as_mut().expect("it is there until the end");
        writeln!(requests, "{run}").expect("it reads what it is to run");
        self.answers.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{words:?} hangs"))
    }
}

impl Drop for Forks {
    fn drop(&mut self) {
        // It ends with its input.
        self.requests = None;
        if thread::panicking() {
            let _ = self.python.kill();
        }
        let _ = self.python.wait();
    }
}
