//! The programs in C that lie beside these sources, compiled for this run.
//!
//! In: nothing. Out: paths of executables. What every contender supervises is made without the C library if this
//! processor is one that it knows, so that a start is as cheap as a start can be: the work that all contenders
//! share should be small beside the work that differs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use provost_testkit::Sandbox;

/// Compiled programs, and the directory that they lie in.
#[derive(Debug)]
pub(crate) struct Programs {
    /// What every contender supervises.
    pub(crate) program: PathBuf,
    /// A supervisor without anything that a supervisor is for.
    pub(crate) limit: PathBuf,
    /// Ways to make a child, timed.
    pub(crate) spawn: PathBuf,
    /// What says numbered lines.
    pub(crate) talker: PathBuf,
    /// What carries them without anything that a log is for.
    pub(crate) carry: PathBuf,
    /// Clients of an HTTP server.
    pub(crate) asker: PathBuf,
    /// A server that has one reply.
    pub(crate) canned: PathBuf,
    /// An event listener that acknowledges at once.
    pub(crate) listener: PathBuf,
    /// Round trips over two pipes.
    pub(crate) trips: PathBuf,
    /// What keeps processors awake.
    pub(crate) warm: PathBuf,
    _directory: Sandbox,
}

impl Programs {
    /// # Panics
    /// When there is no C compiler, or it refuses.
    pub(crate) fn compile() -> Self {
        let directory = Sandbox::new();
        let program = compiled("program", &directory, &[BARE, STATIC, DYNAMIC]);
        let [limit, spawn, talker, carry, asker, canned, listener, trips, warm] =
            ["limit", "spawn", "talker", "carry", "asker", "canned", "listener", "trips", "warm"]
                .map(|name| compiled(name, &directory, &[STATIC, DYNAMIC]));
        Self {
            program,
            limit,
            spawn,
            talker,
            carry,
            asker,
            canned,
            listener,
            trips,
            warm,
            _directory: directory,
        }
    }
}

/// Ways to link. Not every machine has a C library for the second, and no source but one can do without any.
const BARE: &[&str] = &["-static", "-nostdlib", "-fno-stack-protector", "-fno-builtin", "-DBARE"];
const STATIC: &[&str] = &["-static"];
const DYNAMIC: &[&str] = &[];

/// Compiled in the first way that this machine can.
fn compiled(name: &str, directory: &Sandbox, ways: &[&[&str]]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(format!("{name}.c"));
    let program = directory.file(name);
    let mut said = String::new();
    for way in ways {
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(&source).args(*way);
        let output = compiler.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|e| panic!("cannot run cc, the C compiler: {e}"));
        if output.status.success() {
            return program;
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    panic!("cc refuses {}:\n{said}", source.display());
}
