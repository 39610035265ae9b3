//! Clients that other people wrote, against our daemon and against 4.3.0, so that each script is known to ask for what
//! there is: Supervisor's own library, Python's, an npm package, what typed languages assert of the XML, superlance; and what
//! Ansible, Salt and scripts make of supervisorctl's words, either client's on either daemon.
//!
//! In: a daemon with two programs, scripts beside this file, and what scripts/setup-tests.sh installs. Out: their exit
//! statuses. Not here: supervisorctl, which `tests/compat` crosses with both daemons.

#![expect(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod ansible;
mod expressions;
mod salt;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use provost_testkit::{Daemon, HEAD, Implementation, free_port, wait_until_gone};

/// What modules of configuration management are let loose on.
const PROGRAMS: &str = "
[program:one]
command={child} on:USR1:say:got hello forever
stdout_logfile={dir}/one.log
startsecs=0

[program:off]
command={child} hello forever
autostart=false
startsecs=0

[program:broken]
command={dir}/not-there
autostart=false

[program:pair]
command={child} hello forever
process_name=%(program_name)s_%(process_num)02d
numprocs=2
autostart=false
startsecs=0
";

/// A daemon on a unix socket and a port, with "one" that runs and has written something, and "off".
struct Stage {
    daemon: Daemon,
    url: String,
}

impl Stage {
    fn new(implementation: &Implementation) -> Stage {
        let port = free_port();
        let config = format!(
            "{HEAD}
[inet_http_server]
port=127.0.0.1:{port}

[program:one]
command={{child}} 'write:h\u{e4}\\nl\\r\\nl\\e[1m\\s]]>&<\\n' taken hello forever
startsecs=0

[program:off]
command={{child}} hello forever
autostart=false
startsecs=0
"
        );
        let mut daemon = Daemon::start(implementation, &config);
        daemon.wait_for_hello("one");
        Stage { daemon, url: format!("http://127.0.0.1:{port}") }
    }

    fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("SUPERVISOR_SERVER_URL", format!("unix://{}", self.daemon.socket().display()))
            .env("HTTP_URL", &self.url)
            .env("DAEMON_PID", self.daemon.pid().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a script of this directory to its end.
    #[track_caller]
    fn run(&self, interpreter: &Path, script: &str, environment: &[(&str, &str)]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
        let mut client = self.client(interpreter);
        let output = client.arg(path).envs(environment.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} ends with {}: {said}", output.status);
    }
}

/// Both clients on both daemons.
fn pairs() -> [Implementation; 4] {
    let (theirs, ours) = (Implementation::supervisor_4_3(), Implementation::ours());
    [theirs.driven_by(&ours), ours.driven_by(&theirs), theirs, ours]
}

/// A program of the virtualenv with Supervisor 4.3.0 and superlance.
#[track_caller]
fn installed(program: &str) -> PathBuf {
    let theirs = Implementation::supervisor_4_3();
    let path = Path::new(&theirs.supervisord[0]).with_file_name(program);
    assert!(path.exists(), "there is no {}: run scripts/setup-tests.sh", path.display());
    path
}

#[test]
fn supervisors_own_library_and_pythons() {
    Stage::new(&Implementation::supervisor_4_3()).run(&installed("python"), "python.py", &[]);
    Stage::new(&Implementation::ours()).run(&installed("python"), "python.py", &[("MENDED", "1")]);
}

#[test]
fn assertions_of_typed_languages() {
    for implementation in [Implementation::supervisor_4_3(), Implementation::ours()] {
        Stage::new(&implementation).run(&installed("python"), "exporter.py", &[]);
    }
}

/// The packages that `npm ci` has put where scripts/setup-tests.sh says.
#[test]
fn the_npm_client() {
    let Some(packages) = std::env::var_os("PROVOST_NPM") else {
        panic!(
            "PROVOST_NPM is not set: `make test` does that, or run scripts/setup-tests.sh and export what its last line says"
        );
    };
    let packages = packages.into_string().expect("the build directory has a plain name");
    for implementation in [Implementation::supervisor_4_3(), Implementation::ours()] {
        Stage::new(&implementation).run(Path::new("node"), "node/client.js", &[("NODE_PATH", &packages)]);
    }
}

/// superlance's memmon, told by us that a minute has passed: it restarts what takes too much memory, through XML-RPC.
#[test]
fn memmon_restarts_what_is_too_large() {
    for implementation in [Implementation::supervisor_4_3(), Implementation::ours()] {
        let mut stage = Stage::new(&implementation);
        let before = ask_pid(&stage);
        let memmon = Listener::start(&stage, "memmon", &["-p", "one=1KB"]);
        memmon.tick("TICK_60");
        wait_until_gone(before);
        let after = stage.daemon.wait_for_hello("one");
        assert!(after.pid != before, "{}: it was restarted", implementation.name);
    }
}

/// superlance's httpok: it restarts a program whose address is not answered as it should be, and leaves it alone where it is.
#[test]
fn httpok_restarts_what_does_not_answer() {
    for implementation in [Implementation::supervisor_4_3(), Implementation::ours()] {
        let mut stage = Stage::new(&implementation);
        let before = ask_pid(&stage);
        // Somebody answers, and it is the daemon itself: its page with 200, what it has not with 404.
        let page = format!("{}/", stage.url);
        Listener::start(&stage, "httpok", &["-p", "one", &page]).tick("TICK_5");
        assert_eq!(ask_pid(&stage), before, "{}: what answers is left alone", implementation.name);
        let missing = format!("{}/nothing/here", stage.url);
        // It has a second of patience, and would otherwise try again ten seconds later.
        let silent = format!("http://127.0.0.1:{}/", free_port());
        let mut before = before;
        for url in [missing, silent] {
            Listener::start(&stage, "httpok", &["-p", "one", "-t", "1", &url]).tick("TICK_5");
            wait_until_gone(before);
            let after = stage.daemon.wait_for_hello("one").pid;
            assert_ne!(after, before, "{}: {url}", implementation.name);
            assert_eq!(ask_pid(&stage), after, "{}: {url}", implementation.name);
            before = after;
        }
    }
}

/// An event listener of superlance's, whose supervisor we are.
struct Listener(Child);

impl Listener {
    #[track_caller]
    fn start(stage: &Stage, program: &str, arguments: &[&str]) -> Listener {
        let mut command = stage.client(&installed(program));
        let mut child = command.args(arguments).stdin(Stdio::piped()).spawn().unwrap();
        expect(&mut child, "READY\n");
        Listener(child)
    }

    /// Says that time has passed, once; it says when it has done what it does then.
    #[track_caller]
    fn tick(mut self, event: &str) {
        let told = "when:1795344360";
        let length = told.len();
        let header =
            format!("ver:3.0 server:supervisor serial:1 pool:x poolserial:1 eventname:{event} len:{length}");
        self.0.stdin.as_mut().unwrap().write_all(format!("{header}\n{told}").as_bytes()).unwrap();
        expect(&mut self.0, "RESULT 2\nOK");
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Without input it has nothing to live for; how it says so is its own affair.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask_pid(stage: &Stage) -> i32 {
    let output = stage.daemon.ctl(&["pid", "one"]);
    output.stdout.trim().parse().unwrap_or_else(|_| panic!("no pid in {output:?}"))
}

#[track_caller]
fn expect(child: &mut Child, text: &str) {
    let mut said = vec![0; text.len()];
    let read = child.stdout.as_mut().unwrap().read_exact(&mut said);
    if read.is_err() || said != text.as_bytes() {
        let _ = child.kill();
        let mut errors = String::new();
        let _ = child.stderr.as_mut().unwrap().read_to_string(&mut errors);
        panic!("{:?} where {text:?} belongs; it says:\n{errors}", String::from_utf8_lossy(&said));
    }
}
