//! A supervisord in a sandbox, from its start to the last of its programs.
//!
//! In: an implementation and a configuration text, in which `{dir}` stands for
//! the sandbox and `{child}` for the scriptable child. Out: a daemon that has
//! said it started; its control program, its main log, and its children's
//! hellos. Dropping it asks it to end, and ends by force whatever is left.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::artifacts::provost_child;
use crate::deadline::{DEADLINE, Deadline};
use crate::hello::{self, Hello, HelloSocket};
use crate::implementation::Implementation;
use crate::kin;
use crate::lines::Lines;
use crate::process::{Process, Signal};
use crate::sandbox::Sandbox;

/// What every test configuration begins with: where the socket, the main log
/// and the pidfile are. `[supervisord]` comes last, so that a test can add keys
/// to it before it opens a section of its own.
pub const HEAD: &str = "\
[unix_http_server]
file={dir}/s.sock

[supervisorctl]
serverurl=unix://{dir}/s.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
logfile={dir}/main.log
pidfile={dir}/main.pid
childlogdir={dir}
";

/// A running supervisord.
#[derive(Debug)]
pub struct Daemon {
    implementation: Implementation,
    /// Ours to reap when it runs in the foreground.
    child: Option<Child>,
    process: Process,
    log: Lines,
    hellos: HelloSocket,
    /// Last, so that the directory outlives everything that lies in it.
    sandbox: Sandbox,
}

/// What one run of supervisorctl did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CtlOutput {
    /// Everything on its standard output.
    pub stdout: String,
    /// Everything on its standard error.
    pub stderr: String,
    /// Its exit status.
    pub status: i32,
}

impl Daemon {
    /// Starts it in the foreground and waits until it says that it started.
    ///
    /// # Panics
    /// When it ends at once or says nothing before the deadline.
    #[must_use]
    #[track_caller]
    pub fn start(implementation: &Implementation, config: &str) -> Self {
        Self::start_in(Sandbox::new(), implementation, config)
    }

    /// The same in a sandbox that the test has already put files into.
    #[must_use]
    #[track_caller]
    pub fn start_in(sandbox: Sandbox, implementation: &Implementation, config: &str) -> Self {
        let hellos = prepare(&sandbox, config);
        let log = Lines::follow(&sandbox.file("main.log"));
        let child = supervisord(implementation, &sandbox, &hellos)
            .arg("-n")
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {:?}: {e}", implementation.supervisord));
        let process = Process::new(raw_pid(&child));
        let implementation = implementation.clone();
        let mut daemon = Self { implementation, child: Some(child), process, log, hellos, sandbox };
        daemon.wait_until_started();
        daemon
    }

    /// Starts it as a daemon: the command returns at once, and the process that
    /// goes on is found by what it says in its log.
    ///
    /// # Panics
    /// When the command fails or the daemon says nothing before the deadline.
    #[must_use]
    #[track_caller]
    pub fn start_daemonized(implementation: &Implementation, config: &str) -> Self {
        let sandbox = Sandbox::new();
        let hellos = prepare(&sandbox, config);
        let log = Lines::follow(&sandbox.file("main.log"));
        let mut starter = supervisord(implementation, &sandbox, &hellos)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {:?}: {e}", implementation.supervisord));
        let process = Process::new(raw_pid(&starter));
        let implementation = implementation.clone();
        // A daemon from here on: whatever fails below, nothing that was started stays behind.
        let mut daemon = Self { implementation, child: None, process, log, hellos, sandbox };
        daemon.process.wait_until_gone();
        let status = starter.wait().expect("our own child can be waited for");
        assert!(status.success(), "supervisord did not daemonize: {status}\n{}", said(&daemon.sandbox));
        let pid = daemon.wait_until_started();
        daemon.process = Process::new(pid);
        daemon
    }

    /// Starts it again in the same place, in the foreground, after it has ended; `arguments` come behind its own. The log
    /// is waited for from where it was.
    ///
    /// # Panics
    /// Like [`Daemon::start`].
    #[track_caller]
    pub fn start_again(&mut self, arguments: &[&str]) {
        let mut command = supervisord(&self.implementation, &self.sandbox, &self.hellos);
        let child = command.arg("-n").args(arguments).spawn();
        let child =
            child.unwrap_or_else(|e| panic!("cannot start {:?}: {e}", self.implementation.supervisord));
        self.process = Process::new(raw_pid(&child));
        self.child = Some(child);
        let before = self.log.place();
        self.wait_until_started();
        self.log.go_back_to(before);
    }

    /// The same as a daemon.
    ///
    /// # Panics
    /// Like [`Daemon::start_daemonized`].
    #[track_caller]
    pub fn start_again_daemonized(&mut self, arguments: &[&str]) {
        let status = supervisord(&self.implementation, &self.sandbox, &self.hellos).args(arguments).status();
        let status =
            status.unwrap_or_else(|e| panic!("cannot start {:?}: {e}", self.implementation.supervisord));
        assert!(status.success(), "supervisord did not daemonize: {status}\n{}", said(&self.sandbox));
        self.child = None;
        let before = self.log.place();
        let pid = self.wait_until_started();
        self.process = Process::new(pid);
        self.log.go_back_to(before);
    }

    /// The pid that it says it has.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its directory.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The path of its control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.sandbox.file("s.sock")
    }

    /// Its main log.
    pub fn log(&mut self) -> &mut Lines {
        &mut self.log
    }

    /// Waits for a line of the main log that contains `text`, behind the last one waited for.
    #[track_caller]
    pub fn wait_for_log_line(&mut self, text: &str) -> String {
        self.log.wait_for(text)
    }

    /// Waits for the next announcement of a `provost-child` with this name.
    #[track_caller]
    pub fn wait_for_hello(&mut self, name: &str) -> Hello {
        self.hellos.wait(name)
    }

    /// [`Daemon::wait_for_hello`] with another patience.
    #[track_caller]
    pub fn wait_for_hello_within(&mut self, name: &str, patience: Duration) -> Hello {
        self.hellos.wait_within(name, patience)
    }

    /// Puts another text into the configuration file; nobody reads it yet.
    #[track_caller]
    pub fn write_config(&self, config: &str) {
        write_config(&self.sandbox, config);
    }

    /// Runs its own supervisorctl with these arguments, to its end.
    #[track_caller]
    pub fn ctl(&self, arguments: &[&str]) -> CtlOutput {
        self.ctl_of(&self.implementation, arguments)
    }

    /// Runs the supervisorctl of another implementation against this daemon.
    #[track_caller]
    pub fn ctl_of(&self, implementation: &Implementation, arguments: &[&str]) -> CtlOutput {
        let [stdout, stderr] = ["ctl.out", "ctl.err"].map(|name| self.sandbox.file(name));
        let mut ctl = command(&implementation.supervisorctl)
            .arg("-c")
            .arg(config_file(&self.sandbox))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(create(&stdout))
            .stderr(create(&stderr))
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {:?}: {e}", implementation.supervisorctl));
        let in_time = Process::new(raw_pid(&ctl)).ended_before(Deadline::default());
        if !in_time {
            ctl.kill().expect("our own child can be killed");
        }
        let status = ctl.wait().expect("our own child can be waited for");
        let [stdout, stderr] = [stdout, stderr].map(|path| read(&path));
        assert!(in_time, "supervisorctl {arguments:?} hangs; so far:\n{stdout}{stderr}");
        let status = status.code().unwrap_or_else(|| {
            panic!("supervisorctl {arguments:?} was ended by a signal: {status}\n{stderr}")
        });
        CtlOutput { stdout, stderr, status }
    }

    /// The command that runs the supervisorctl of an implementation against this daemon, in the environment that programs
    /// under test have; and without colours.
    #[must_use]
    pub fn ctl_command(&self, implementation: &Implementation, arguments: &[&str]) -> Command {
        let mut command = command(&implementation.supervisorctl);
        command.arg("-c").arg(config_file(&self.sandbox)).args(arguments).env("NO_COLOR", "1");
        command
    }

    /// Waits until it has ended by itself (somebody has already asked it to) and
    /// gives its exit status; `None` for one that is not our own child.
    ///
    /// # Panics
    /// When it has not ended at the deadline.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> Option<ExitStatus> {
        self.process.wait_until_gone();
        let child = self.child.as_mut()?;
        Some(child.wait().expect("our own child can be waited for"))
    }

    #[track_caller]
    fn wait_until_started(&mut self) -> i32 {
        const STARTED: &str = "supervisord started with pid ";
        let started = |line: &str| line.contains(STARTED);
        let deadline = Deadline::default();
        // The command that starts a daemon in the background ends by itself.
        let line = match &self.child {
            Some(_) => self.log.next_of_living(started, deadline, &self.process),
            None => self.log.next_matching(started, deadline),
        };
        let line = line.unwrap_or_else(|| {
            let died = self.child.is_some() && self.process.is_gone();
            let what = if died { "ended while it started" } else { "has not said that it started" };
            panic!("supervisord {what} (deadline {DEADLINE:?}):\n{}", said(&self.sandbox))
        });
        let pid = line.split(STARTED).nth(1).and_then(|pid| pid.parse().ok());
        pid.unwrap_or_else(|| panic!("no pid in {line:?}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.signal(Signal::TERM);
        // A daemon with a stubborn program takes its stopwaitsecs; one that
        // hangs is what the rest of this function is for.
        let ended = self.process.ended_before(Deadline::default());
        if !ended {
            self.process.signal(Signal::KILL);
        }
        // In rounds, because a living process may start another one while we look.
        let mark = self.sandbox.path().to_string_lossy().into_owned();
        loop {
            let left = kin::marked(&mark);
            if left.is_empty() {
                break;
            }
            for process in &left {
                process.signal(Signal::KILL);
            }
            for process in &left {
                process.wait_until_gone();
            }
            if let Some(child) = &mut self.child {
                // Reaped here or already: only a corpse must not be counted again.
                let _ = child.wait();
            }
        }
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
        if !ended && !std::thread::panicking() {
            panic!("supervisord did not end on SIGTERM in {DEADLINE:?} and was killed");
        }
    }
}

/// Puts everything in place that must be there before the daemon starts.
fn prepare(sandbox: &Sandbox, config: &str) -> HelloSocket {
    write_config(sandbox, config);
    HelloSocket::bind(&sandbox.file("hello"))
}

fn supervisord(implementation: &Implementation, sandbox: &Sandbox, hellos: &HelloSocket) -> Command {
    let mut command = command(&implementation.supervisord);
    command
        .arg("-c")
        .arg(config_file(sandbox))
        .current_dir(sandbox.path())
        .env(kin::MARK, sandbox.path())
        .env(hello::ADDRESS, hellos.path())
        .stdin(Stdio::null())
        .stdout(create(&sandbox.file("daemon.out")))
        .stderr(create(&sandbox.file("daemon.err")));
    command
}

/// What programs under test see of the environment that the tests run in. The
/// rest would make runs differ, and does not belong into the output of a test.
const KEPT: [&str; 4] = ["HOME", "PATH", "RUST_BACKTRACE", "TZ"];

/// A command in a small environment and a locale that all print alike in.
fn command(words: &[OsString]) -> Command {
    let (program, leading) = words.split_first().expect("an implementation names a program");
    let kept = KEPT.iter().filter_map(|key| Some((key, std::env::var_os(key)?)));
    let mut command = Command::new(program);
    command.args(leading).env_clear().envs(kept).env("LC_ALL", "C.UTF-8");
    command
}

fn config_file(sandbox: &Sandbox) -> PathBuf {
    sandbox.file("supervisord.conf")
}

#[track_caller]
fn write_config(sandbox: &Sandbox, config: &str) {
    let directory = sandbox.path().to_str().expect("a sandbox has a plain name");
    let child = provost_child().to_str().expect("the build directory has a plain name");
    let text = config.replace("{dir}", directory).replace("{child}", child);
    let path = config_file(sandbox);
    fs::write(&path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

fn said(sandbox: &Sandbox) -> String {
    let [out, err] = ["daemon.out", "daemon.err"].map(|name| read(&sandbox.file(name)));
    format!("stdout: {out}\nstderr: {err}")
}

#[track_caller]
fn create(path: &Path) -> File {
    File::create(path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()))
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn raw_pid(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a Linux pid fits an i32")
}
