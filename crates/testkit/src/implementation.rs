//! Which supervisord and which supervisorctl a test drives.
//!
//! In: the build directory, or the environment variable `PROVOST_ORACLE`. Out:
//! two command lines. Everything else in this crate takes either and does not
//! know which one it has.

use std::ffi::OsString;
use std::path::Path;

use crate::artifacts;

/// The environment variable with the `bin` directory of a virtualenv that
/// holds Supervisor 4.3.0.
const ORACLE: &str = "PROVOST_ORACLE";

/// A pair of programs that belong together.
#[derive(Debug, Clone)]
pub struct Implementation {
    /// How test output calls it.
    pub name: &'static str,
    /// The daemon's program and leading arguments.
    pub supervisord: Vec<OsString>,
    /// The control program and leading arguments.
    pub supervisorctl: Vec<OsString>,
}

impl Implementation {
    /// Provost, as cargo built it for this very run.
    ///
    /// # Panics
    /// When the programs are not there.
    #[must_use]
    #[track_caller]
    pub fn ours() -> Self {
        let how = "build them with `cargo build --bins` (add --release when this runs in release)";
        Self::in_directory("provost", &artifacts::directory(), how)
    }

    /// Supervisor 4.3.0, the program that we are compared with.
    ///
    /// # Panics
    /// When `PROVOST_ORACLE` does not lead to it.
    #[must_use]
    #[track_caller]
    pub fn supervisor_4_3() -> Self {
        let how = "`make test` installs Supervisor 4.3.0 and sets it, \
                   or run scripts/setup-tests.sh and export what its last line says";
        let Some(directory) = std::env::var_os(ORACLE) else {
            panic!("{ORACLE} is not set: {how}");
        };
        // Daemons run in other directories, where a relative path leads nowhere.
        let directory = std::path::absolute(&directory)
            .unwrap_or_else(|e| panic!("{ORACLE}={} is no path: {e}", directory.display()));
        Self::in_directory("supervisor-4.3.0", &directory, how)
    }

    /// This daemon with the control program of `other`.
    #[must_use]
    pub fn driven_by(&self, other: &Self) -> Self {
        Self { supervisorctl: other.supervisorctl.clone(), ..self.clone() }
    }

    #[track_caller]
    fn in_directory(name: &'static str, directory: &Path, how: &str) -> Self {
        let program = |program: &str| {
            let path = directory.join(program);
            assert!(path.is_file(), "there is no {}: {how}", path.display());
            vec![path.into_os_string()]
        };
        Self { name, supervisord: program("supervisord"), supervisorctl: program("supervisorctl") }
    }
}
