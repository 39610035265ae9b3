//! Into the background: working directory and umask, which Supervisor applies there and nowhere else (SPEC 1.8 step 11).
//!
//! The keeper has forked already and left the terminal; this is what remains for the brain, and what it says of it.

use provost_config::{Config, LogLevel};
use provost_keeper::{Link, ToKeeper};
use rustix::fs::Mode;

use super::Refusal;
use super::past::Past;
use crate::logs::MainLog;

pub(super) fn enter(config: &Config, past: &Past, link: &mut Link, log: &mut MainLog) -> Result<(), Refusal> {
    let settings = &config.supervisord;
    if past.is_first() {
        log.write(LogLevel::Info, "daemonizing the supervisord process");
    }
    if let Some(directory) = &settings.directory {
        let shown = directory.display();
        match std::env::set_current_dir(directory) {
            Ok(()) => log.write(LogLevel::Info, &format!("set current directory: '{shown}'")),
            Err(e) => log.write(LogLevel::Critical, &format!("can't chdir into '{shown}': {e}")),
        }
    }
    let mask = settings.umask & 0o777;
    rustix::process::umask(Mode::from_raw_mode(mask));
    link.send(ToKeeper::Umask(mask))?;
    Ok(())
}
