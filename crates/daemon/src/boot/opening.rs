//! The log opens: the pump behind it, the first lines in it, and what earlier runs left beside it (SPEC 1.8 steps 6, 7).
//!
//! In: the configuration, and what limits and privileges had to say before there was a log. Out: a log and its pump.

use std::sync::Arc;

use provost_config::{Config, LogLevel, MainLog as LogTarget, Message};

use super::Refusal;
use super::past::Past;
use crate::kept::Versions;
use crate::logs::auto::AutoLogs;
use crate::logs::{Destination, MainLog, Notice, Pump, Sink};
use crate::wake::Post;

/// Opens the main log and starts the thread that writes it.
pub(super) fn open(config: &Config, past: &Past, notices: Post<Notice>) -> Result<(Pump, MainLog), Refusal> {
    let settings = &config.supervisord;
    let copy = !past.in_background() && !settings.silent;
    let pump = Pump::start(open_file(config)?, copy, notices)
        .map_err(|e| Refusal::system(format!("cannot start the log pump: {e}")))?;
    let log = MainLog::new(settings.loglevel, Arc::clone(&pump.orders), Arc::clone(&pump.waiting));
    Ok((pump, log))
}

fn open_file(config: &Config) -> Result<Option<Sink>, Refusal> {
    let settings = &config.supervisord;
    let LogTarget::File(path) = &settings.logfile else { return Ok(None) };
    let to = Destination {
        path: path.as_path().into(),
        maxbytes: settings.logfile_maxbytes,
        backups: settings.logfile_backups,
    };
    let refuse = |e| Refusal::system(format!("cannot open the log file {}: {e}", path.display()));
    Sink::open(to).map(Some).map_err(refuse)
}

/// What there is to say of the start; after a crash all of it has been said, still holds, and the crash is what matters.
pub(super) fn say_first_lines(config: &Config, sayings: Vec<Message>, past: &Past, log: &mut MainLog) {
    if !past.resumes() {
        say_in_order(log, sayings);
        for advice in &config.advice {
            log.write(LogLevel::Warn, &advice.to_string());
        }
    }
    past.report(log);
}

/// Criticals first, then warnings, then the rest.
fn say_in_order(log: &mut MainLog, mut sayings: Vec<Message>) {
    sayings.sort_by_key(|message| std::cmp::Reverse(message.level));
    for message in sayings {
        log.write(message.level, &message.text);
    }
}

/// The files whose names we choose. Those of earlier runs are removed, unless programs still write to them.
pub(super) fn auto_logs(config: &Config, past: &mut Past, log: &mut MainLog) -> AutoLogs {
    let settings = &config.supervisord;
    let mut auto_logs = AutoLogs::new(settings.childlogdir.clone(), settings.identifier.clone());
    if let Err(e) = past.resume_auto_logs(&mut auto_logs, &Versions::OURS.auto_logs) {
        past.is_lost(&e, "these programs go on in new files beside the old", log);
    }
    if !settings.nocleanup && !past.resumes() {
        clean_up(&auto_logs, log);
    }
    auto_logs
}

fn clean_up(auto_logs: &AutoLogs, log: &mut MainLog) {
    match auto_logs.clean_up() {
        Ok(stuck) => {
            for path in stuck {
                log.write(LogLevel::Warn, &format!("Failed to clean up '{}'", path.display()));
            }
        }
        Err(_) => log.write(LogLevel::Warn, "Could not clear childlog dir"),
    }
}
