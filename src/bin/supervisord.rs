//! `supervisord`: the keeper around [`provost_daemon::brain`] and nothing else.

use std::io::Write;
use std::process::ExitCode;

use provost_daemon::Build;

fn main() -> ExitCode {
    let build = Build::new(env!("CARGO_PKG_VERSION"));
    // In this process and in every fork that becomes a brain; only the roles behind it differ.
    match provost_keeper::run(&mut |link| provost_daemon::brain(link, &build)) {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "Error: the keeper cannot start: {e}");
            ExitCode::FAILURE
        }
    }
}
