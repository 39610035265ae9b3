//! Who is measured: Provost, Supervisor 4.3.0, s6, runit, and a bare loop in C, which is the physical limit.
//!
//! In: how many programs. Out: a [`Running`] supervisor, its processes, and the starts of its programs. All
//! supervise the same program in the same environment, none keeps a log of its programs. What differs between the
//! contenders is in this file and nowhere else. Not here: anything that is measured.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use provost_testkit::{
    Deadline, HEAD, Implementation, Process, Sandbox, Signal, build_programs, descendants, monotonic_ns,
};

use crate::family;
use crate::programs::Programs;
use crate::starts::{self, Start, Starts};

/// How long a contender may take to start or to end everything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// See [`Running::settle`].
const SETTLED: Duration = Duration::from_secs(2);

/// Which contenders a run has, in the order of its tables.
const SELECTION: &str = "PROVOST_BENCH_CONTENDERS";
/// Where runit's programs are, if not in PATH.
const RUNIT: &str = "PROVOST_RUNIT";
const ALL: &str = "provost,supervisor,s6,runit,limit";

/// runsvdir has a table of this size compiled in.
const RUNIT_MOST: usize = 1000;

/// One column of the comparison.
#[derive(Debug, Clone)]
pub(crate) enum Contender {
    /// Provost, or Supervisor 4.3.0.
    Supervisord(Implementation),
    S6,
    /// With the directory of its programs in front of PATH.
    Runit(Option<PathBuf>),
    Limit,
}

impl Contender {
    /// Those that `PROVOST_BENCH_CONTENDERS` names, or all. One that is named twice is measured twice: how much
    /// two equal rows differ tells what a difference means.
    pub(crate) fn of_this_run() -> Vec<Self> {
        let names = std::env::var(SELECTION).unwrap_or_else(|_| ALL.to_owned());
        let contenders: Vec<Self> = names.split(',').map(|name| Self::named(name.trim())).collect();
        for program in contenders.iter().flat_map(Self::needed) {
            assert!(
                found(&program),
                "there is no {}: scripts/setup-bench.sh installs it, or leave it out of {SELECTION}={names}",
                program.display()
            );
        }
        contenders
    }

    fn named(name: &str) -> Self {
        match name {
            "provost" => Self::ours(),
            "supervisor" => Self::Supervisord(Implementation::supervisor_4_3()),
            "s6" => Self::S6,
            "runit" => Self::Runit(std::env::var_os(RUNIT).map(PathBuf::from)),
            "limit" => Self::Limit,
            other => panic!("{SELECTION}: '{other}' is no contender; there are {ALL}"),
        }
    }

    /// Provost, built in the profile of this run.
    pub(crate) fn ours() -> Self {
        build_programs("provost", &["supervisord", "supervisorctl"]);
        Self::Supervisord(Implementation::ours())
    }

    /// How tables call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Supervisord(implementation) => implementation.name,
            Self::S6 => "s6",
            Self::Runit(_) => "runit",
            Self::Limit => "bare loop in C",
        }
    }

    /// The most programs that it can have.
    pub(crate) fn most(&self) -> usize {
        match self {
            Self::Runit(_) => RUNIT_MOST,
            Self::Supervisord(_) | Self::S6 | Self::Limit => usize::MAX,
        }
    }

    /// Programs of the machine that it consists of.
    fn needed(&self) -> Vec<PathBuf> {
        match self {
            // testkit looks for these, and our own programs are compiled.
            Self::Supervisord(_) | Self::Limit => Vec::new(),
            Self::S6 => ["s6-svscan", "s6-supervise"].map(PathBuf::from).to_vec(),
            Self::Runit(None) => ["runsvdir", "runsv"].map(PathBuf::from).to_vec(),
            Self::Runit(Some(at)) => ["runsvdir", "runsv"].map(|name| at.join(name)).to_vec(),
        }
    }

    /// Starts it with `count` programs and waits until each of them has spoken.
    pub(crate) fn start(&self, programs: &Programs, count: usize) -> Running {
        self.try_start(programs, count).unwrap_or_else(|(reached, said)| {
            panic!("{} has started {reached} of {count} programs in {PATIENCE:?}:\n{said}", self.name())
        })
    }

    /// The same; if it takes too long, how many programs had started, and what it had to say.
    pub(crate) fn try_start(&self, programs: &Programs, count: usize) -> Result<Running, (usize, String)> {
        let sandbox = Sandbox::new();
        let starts = Starts::create(&sandbox.file("starts"), count);
        let mut command = self.command(&sandbox, programs, count);
        command
            .env_clear()
            .env("PATH", self.path())
            .env("LC_ALL", "C.UTF-8")
            .env(starts::ADDRESS, sandbox.file("starts"))
            .current_dir(sandbox.path())
            .stdin(Stdio::null())
            .stdout(create(&sandbox.file("out")))
            .stderr(create(&sandbox.file("err")));
        let started_ns = monotonic_ns();
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e}", self.name()));
        match starts.wait_for_all(Deadline::after(PATIENCE)) {
            Ok(first) => {
                let process = Process::new(pid_of(&child));
                Ok(Running { contender: self.clone(), child, process, started_ns, first, starts, sandbox })
            }
            Err(reached) => {
                let said =
                    ["out", "err"].map(|name| fs::read_to_string(sandbox.file(name)).unwrap_or_default());
                child.kill().expect("our own child can be killed");
                child.wait().expect("our own child can be waited for");
                family::sweep();
                Err((reached, said.concat()))
            }
        }
    }

    /// Puts its files into the sandbox; returns the command that starts it.
    fn command(&self, sandbox: &Sandbox, programs: &Programs, count: usize) -> Command {
        match self {
            Self::Supervisord(implementation) => {
                let file = sandbox.file("supervisord.conf");
                write(&file, &configuration(sandbox, &programs.program, count));
                let (program, leading) =
                    implementation.supervisord.split_first().expect("it names a program");
                let mut command = Command::new(program);
                command.args(leading).arg("-n").arg("-c").arg(file);
                command
            }
            Self::S6 => {
                let mut command = Command::new("s6-svscan");
                let room = (count + 4).to_string();
                command.args(["-c", &room]).arg(service_directories(sandbox, &programs.program, count));
                command
            }
            Self::Runit(at) => {
                let mut command =
                    Command::new(at.as_ref().map_or("runsvdir".into(), |at| at.join("runsvdir")));
                command.arg(service_directories(sandbox, &programs.program, count));
                command
            }
            Self::Limit => {
                let mut command = Command::new(&programs.limit);
                command.arg(&programs.program).arg(count.to_string());
                command
            }
        }
    }

    fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
        match self {
            Self::Runit(Some(at)) => format!("{}:{path}", at.display()),
            Self::Runit(None) | Self::Supervisord(_) | Self::S6 | Self::Limit => path,
        }
    }
}

/// A contender whose programs all run. Its end must be asked for, by [`Running::stop`] or [`Running::discard`];
/// what is dropped in a panic is ended by the guard.
#[derive(Debug)]
pub(crate) struct Running {
    contender: Contender,
    child: Child,
    process: Process,
    /// Just before it was started.
    pub(crate) started_ns: u64,
    /// Each program's first start.
    pub(crate) first: Vec<Start>,
    pub(crate) starts: Starts,
    sandbox: Sandbox,
}

impl Running {
    /// When the last program started for the first time.
    pub(crate) fn complete_ns(&self) -> u64 {
        self.first.iter().map(|start| start.monotonic_ns).max().unwrap_or(self.started_ns)
    }

    /// The pid of the supervisor itself.
    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// The start of program `number` as it runs now.
    pub(crate) fn start_of(&self, number: usize) -> Start {
        self.starts.all()[number].expect("it has started, and nobody empties a slot")
    }

    /// Lets everything that follows a start come to an end: the last to have started is then no news to anybody.
    /// There is no event to wait for, since each contender knows another one; two seconds are one round of those
    /// that look around once a second, and one to spare.
    pub(crate) fn settle(&self) {
        thread::sleep(SETTLED);
    }

    /// The pids of the programs as they run now.
    pub(crate) fn programs(&self) -> Vec<i32> {
        self.starts.all().into_iter().flatten().map(|start| start.pid).collect()
    }

    /// The pids of everything else: the supervisor and its helpers.
    pub(crate) fn supervising(&self) -> Vec<i32> {
        let mut programs = self.programs();
        programs.sort_unstable();
        let below = descendants(self.process.pid()).into_iter();
        let mut pids: Vec<i32> = below.filter(|pid| programs.binary_search(pid).is_err()).collect();
        pids.push(self.process.pid());
        pids
    }

    /// Asks one question where there is somebody to ask, so that whatever is made for the first client is there.
    pub(crate) fn ask(&self) {
        let Contender::Supervisord(implementation) = &self.contender else { return };
        let (program, leading) = implementation.supervisorctl.split_first().expect("it names a program");
        let output = Command::new(program)
            .args(leading)
            .arg("-c")
            .arg(self.sandbox.file("supervisord.conf"))
            .arg("status")
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()));
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("p0"), "supervisorctl status knows no program p0: {output:?}");
    }

    /// Asks it to end everything, and waits until the last supervising process has ended; returns the nanoseconds
    /// from the signal to then, or `None` if it took longer than our patience. Nothing of it is left afterwards.
    pub(crate) fn stop(self) -> Option<u64> {
        let name = self.contender.name();
        let supervising: Vec<Process> = self.supervising().into_iter().map(Process::new).collect();
        let programs: Vec<Process> = self.programs().into_iter().map(Process::new).collect();
        // runsvdir leaves at once on SIGTERM and all else to others; SIGHUP is its way to end everything.
        let signal = if matches!(self.contender, Contender::Runit(_)) { Signal::HUP } else { Signal::TERM };
        let deadline = Deadline::after(PATIENCE);
        let asked = monotonic_ns();
        self.process.signal(signal);
        // One after the other: after the first few, the next has usually ended already, and nothing wakes us.
        let in_time = supervising.iter().all(|process| process.ended_before(deadline));
        let took = monotonic_ns() - asked;
        let left = programs.iter().filter(|program| !program.is_gone()).count();
        self.discard();
        assert!(!in_time || left == 0, "{name} ended and left {left} programs behind");
        in_time.then_some(took)
    }

    /// Ends everything by force, without any politeness that would take time.
    pub(crate) fn discard(mut self) {
        self.process.signal(Signal::KILL);
        self.child.wait().expect("our own child can be waited for");
        family::sweep();
    }
}

/// For both supervisords: a section a program, and nothing that is read, kept or written for it.
fn configuration(sandbox: &Sandbox, program: &Path, count: usize) -> String {
    let mut text = HEAD.replace("{dir}", plain(sandbox.path()));
    // Three pipes a program, and for each some room for what else there is.
    writeln!(text, "minfds={}", 3 * count + 1024).expect("a string takes everything");
    for number in 0..count {
        write!(
            text,
            "\n[program:p{number}]\ncommand={} {number}\nautorestart=true\nstartsecs=0\n\
             stdout_logfile=NONE\nstderr_logfile=NONE\n",
            plain(program)
        )
        .expect("a string takes everything");
    }
    text
}

/// For s6 and runit: a directory a program. `run` has the program itself as its interpreter, so that no shell
/// stands between the supervisor and the program.
fn service_directories(sandbox: &Sandbox, program: &Path, count: usize) -> PathBuf {
    let services = sandbox.file("services");
    for number in 0..count {
        let run = services.join(format!("p{number}")).join("run");
        fs::create_dir_all(run.parent().expect("it was joined")).expect("the sandbox can be written");
        write(&run, &format!("#!{} {number}\n", plain(program)));
        fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    }
    fs::create_dir_all(&services).expect("the sandbox can be written");
    // runsvdir waits for the next second when the directory was changed in this one. Nobody writes services just
    // before a boot, so it shall not look as if we had.
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let directory = File::open(&services).expect("it was made just now");
    directory.set_modified(hour_ago).expect("a directory of ours");
    services
}

fn found(program: &Path) -> bool {
    // A name without a slash is looked for in PATH, a path is taken as it is.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a sandbox has a plain name")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e: io::Error| panic!("cannot write {}: {e}", path.display()));
}

fn create(path: &Path) -> File {
    File::create(path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()))
}

fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a Linux pid fits an i32")
}
