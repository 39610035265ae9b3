//! The log opens: the pump behind it, the first lines in it, and what earlier runs left beside it (SPEC 1.8 steps 6, 7).
//!
//! In: the configuration, and what limits and privileges had to say before there was a log. Out: a log and its pump.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use provost_config::{Config, LogLevel, MainLog as LogTarget, Message, Supervisord};
use provost_keeper::{Link, ToKeeper};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use super::Refusal;
use super::past::Past;
use crate::console::complain;
use crate::kept::{self, Versions};
use crate::logs::auto::AutoLogs;
use crate::logs::{
    Audience, Destination, Journal, Journals, MainLog, MainSource, Notice, Outlet, Pump, Sink, Target,
    journal,
};
use crate::wake::Post;

/// The names under which the keeper holds the pipe of our own lines, and how much it is to hold: a thousand programs say
/// three lines each when they start.
const LINES_OUT: &str = "lines:out";
const LINES_IN: &str = "lines:in";
const LINES: usize = 512 * 1024;

/// Opens the main log and starts the thread that writes it, and every other log, beginning with what a dead brain left.
pub(super) fn open(
    config: &Config,
    past: &mut Past,
    link: &mut Link,
    ears: (Post<Notice>, Arc<dyn Audience>),
) -> Result<(Pump, MainLog), Refusal> {
    let settings = &config.supervisord;
    let mut sinks = Vec::new();
    match &settings.logfile {
        LogTarget::File(path) => sinks.push(open_file(path, settings, past)?),
        LogTarget::Syslog => sinks.push((Target::OwnSyslog, Sink::of(&Target::OwnSyslog).ok())),
    }
    if !past.in_background() && !settings.silent {
        let to = Target::Named(Destination::new(Path::new("/dev/stdout")).into());
        // A closed standard output is no reason not to start.
        if let Ok(copy) = Sink::of(&to) {
            sinks.push((to, Some(copy)));
        }
    }
    let (read, write) = pipe(past, link)?;
    let main_log = MainSource { pipe: read, outlet: Outlet::of_main_log(sinks) };
    let path = match &settings.logfile {
        LogTarget::File(path) => Some(&**path),
        LogTarget::Syslog => None,
    };
    let journals = journals(past);
    let pump =
        Pump::start(main_log, path, journals, ears, &mut |name, fd| link.send(ToKeeper::Hold { name, fd }))?
            .map_err(|e| Refusal::system(format!("cannot start the log pump: {e}")))?;
    Ok((pump, MainLog::new(settings.loglevel, write)))
}

/// Programs that run already need a brain more than a brain needs its log.
fn open_file(path: &Path, settings: &Supervisord, past: &Past) -> Result<(Target, Option<Sink>), Refusal> {
    let to = Destination {
        maxbytes: settings.logfile_maxbytes,
        backups: settings.logfile_backups,
        ..Destination::new(path)
    };
    let to = Target::Named(to.into());
    match Sink::of(&to) {
        Ok(sink) => Ok((to, Some(sink))),
        Err(e) => {
            let text = format!("cannot open the log file {}: {e}", path.display());
            if !past.resumes() {
                return Err(Refusal::system(text));
            }
            complain(&format!("{text}; going on without it"));
            Ok((to, None))
        }
    }
}

/// The pipe through which our own lines go to the log: that of the dead brain, with what it still had to say, or a new one.
fn pipe(past: &mut Past, link: &mut Link) -> Result<(OwnedFd, OwnedFd), Refusal> {
    let (out, into) = (kept::take(&mut past.held, LINES_OUT), kept::take(&mut past.held, LINES_IN));
    if let (Some(read), Some(write)) = (out, into) {
        return Ok((read, write));
    }
    let cannot = |e: io::Error| Refusal::system(format!("cannot make a pipe for the log: {e}"));
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|e| cannot(e.into()))?;
    // Where the kernel grants no more, lines wait in memory a little sooner.
    let _ = fcntl_setpipe_size(&write, LINES);
    for (name, fd) in [(LINES_OUT, &read), (LINES_IN, &write)] {
        link.send(ToKeeper::Hold { name: name.to_owned(), fd: fd.try_clone().map_err(cannot)? })?;
    }
    Ok((read, write))
}

/// Those of the dead brain. The pump makes what is missing.
fn journals(past: &mut Past) -> Journals {
    let mut journals = Journals::default();
    for number in 1.. {
        let names = journal::held_as(number);
        let [Some(memory), Some(out), Some(into)] = names.map(|name| kept::take(&mut past.held, &name))
        else {
            break;
        };
        // One of another format is replaced: only a death leaves something in it, and what dies is mostly our own build.
        journals.found.extend(Journal::resume([memory, out, into]));
        journals.highest = number;
    }
    journals
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
