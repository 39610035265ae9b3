//! `supervisord`: the keeper around [`provost_daemon::brain`] and nothing else.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // In this process and in every fork that becomes a brain; only the roles behind it differ.
    match provost_keeper::run(&mut provost_daemon::brain) {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "Error: the keeper cannot start: {e}");
            ExitCode::FAILURE
        }
    }
}
