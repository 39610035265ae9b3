//! The pidfile: the keeper's pid and a newline, removed at the end if we wrote it (SPEC 1.8 step 12).

use std::path::{Path, PathBuf};

use provost_config::LogLevel;

use crate::logs::MainLog;

#[derive(Debug)]
pub(super) struct Pidfile(Option<PathBuf>);

impl Pidfile {
    /// Writes it; a daemon without a pidfile is better than none, so failure is only said.
    pub(super) fn write(path: &Path, pid: i32, log: &mut MainLog) -> Pidfile {
        match std::fs::write(path, format!("{pid}\n")) {
            Ok(()) => Pidfile(Some(path.to_owned())),
            Err(_) => {
                log.write(LogLevel::Critical, &format!("could not write pidfile {}", path.display()));
                Pidfile(None)
            }
        }
    }

    pub(super) fn remove(&self) {
        if let Some(path) = &self.0 {
            // Somebody else may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }
}
