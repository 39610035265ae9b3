//! What a start does about the programs of a supervisord that was killed: finds them, says so, and as `leftovers` has it
//! refuses, stops them, or takes them over; and begins the record by which the next one would find ours.
//!
//! In: the pidfile, beside which the record is, the configuration, the past. Out: a refusal before anything is touched; or
//! children in the past, as if an earlier brain had left them, and a record. A brain that follows a dead one finds nobody: it
//! goes on with the record.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use provost_config::{Config, Leftovers as Choice, LogLevel};
use provost_core::ChildId;
use provost_keeper::{Link, Stamp, ToKeeper};

use super::Refusal;
use super::past::{OldChild, Past};
use super::pidfile::Pidfile;
use crate::console::complain;
use crate::fcgi::FcgiSockets;
use crate::leftovers::{
    Entry, Fate, Found, Identity, Leftover, Place, Record, Taken, beside, inodes, stop, take,
};
use crate::logs::MainLog;

/// What was found when this brain began.
#[derive(Debug)]
pub(super) struct Leftovers {
    choice: Choice,
    found: Found,
    /// Where we are, and who our keeper is; or why that is not certain.
    place: Result<(Place, Identity), String>,
}

impl Leftovers {
    /// Looks, and touches nothing.
    pub(super) fn find(config: &Config, past: &Past, pidfile: &Path) -> Leftovers {
        let choice = config.supervisord.leftovers;
        let keeper = past.hello.keeper_pid;
        let place = Place::here().and_then(|place| {
            let keeper = Identity::of(keeper).ok_or("/proc does not show our own processes")?;
            Ok((place, keeper))
        });
        let found = match &place {
            Ok((place, _)) => Found::at(&beside(pidfile), *place, config, choice),
            Err(_) => Found::default(),
        };
        Leftovers { choice, found, place }
    }

    /// Whether `leftovers=refuse` keeps us from starting. What has run already is not ended by a restart.
    pub(super) fn may_start(&self, past: &Past) -> Result<(), Refusal> {
        let refuses = self.choice == Choice::Refuse && past.is_first();
        match self.found.refusal().filter(|_| refuses) {
            Some(text) => Err(Refusal::usage(text)),
            None => Ok(()),
        }
    }

    /// Tells the log, and whoever sits at the terminal.
    pub(super) fn tell(&self, log: &mut MainLog) {
        let lines = self.found.leftovers.iter().map(Leftover::line);
        let advice = self.found.advice().map(|text| (LogLevel::Critical, text.to_owned()));
        let trouble = self.found.trouble.iter().map(|why| {
            (
                LogLevel::Warn,
                format!("whether programs of a killed supervisord still run is not known: {why}"),
            )
        });
        for (level, text) in lines.chain(advice).chain(trouble) {
            log.write(level, &text);
            complain(&text);
        }
    }

    /// Stops who is to be stopped, takes over who is to be taken over. From here on the pidfile is ours.
    pub(super) fn settle(
        &self,
        past: &mut Past,
        fcgi: &mut FcgiSockets,
        log: &mut MainLog,
        link: &mut Link,
    ) -> Result<(), Refusal> {
        let with_fate = |fate| self.found.leftovers.iter().filter(move |leftover| leftover.fate == fate);
        stop(with_fate(Fate::Stopped), log, link)?;
        for leftover in with_fate(Fate::Adopted) {
            match adopt(leftover, past, fcgi, link) {
                Ok(missing) => {
                    for what in missing {
                        log.write(
                            LogLevel::Critical,
                            &format!("{} is taken over without its {what}", leftover.label()),
                        );
                    }
                }
                Err(why) => {
                    let text = format!("cannot take over {}: {why}", leftover.label());
                    log.write(LogLevel::Critical, &text);
                }
            }
        }
        Ok(())
    }

    /// Writes down what runs now. Without a record this daemon is as good as with one, until it is killed.
    pub(super) fn begin_record(self, past: &Past, pidfile: &Pidfile, log: &mut MainLog) -> Option<Record> {
        if pidfile.is_a_device() {
            return None;
        }
        let begun = self.place.and_then(|(place, keeper)| {
            let path = beside(pidfile.held()?);
            let running: BTreeMap<i32, Entry> =
                self.found.running.into_iter().map(|entry| (entry.process.pid, entry)).collect();
            let children: Vec<(ChildId, Entry)> = past
                .children
                .iter()
                .filter_map(|child| {
                    Some((ChildId(child.id), written_down(child, (place, keeper), &running)?))
                })
                .collect();
            let mine: BTreeSet<i32> = children.iter().map(|(_, child)| child.process.pid).collect();
            let older = running.into_values().filter(|entry| !mine.contains(&entry.process.pid)).collect();
            Record::begin(&path, (place, keeper), &children, older)
                .map_err(|e| format!("cannot write {}: {e}", path.display()))
        });
        begun
            .map_err(|why| {
                let text = format!(
                    "what runs is not written down ({why}): if this supervisord is killed, the next one does not \
                     know what it has left running"
                );
                log.write(LogLevel::Warn, &text);
            })
            .ok()
    }
}

/// Hands a leftover to the keeper, and to the past; returns what is missing of it.
fn adopt(
    leftover: &Leftover,
    past: &mut Past,
    fcgi: &mut FcgiSockets,
    link: &mut Link,
) -> Result<Vec<String>, String> {
    let entry = &leftover.entry;
    let taken = take(entry)?;
    let (pipes, mut missing) = taken.pipes(entry).map_err(|e| format!("cannot make a pipe: {e}"))?;
    if let Err(why) = share_socket(leftover, &taken, fcgi, link) {
        missing.push(format!("socket: {why}"));
    }
    let copy = |fd: &std::os::fd::OwnedFd| fd.try_clone();
    let ours = (|| {
        let (stdout, stderr) = (copy(&pipes.stdout)?, pipes.stderr.as_ref().map(copy).transpose()?);
        Ok(provost_keeper::Pipes { stdout, stderr })
    })()
    .map_err(|e: std::io::Error| format!("cannot copy a descriptor: {e}"))?;
    let (id, pid, label) = (past.first_free_child(), entry.process.pid, leftover.label());
    let since = entry.process.since();
    let started = Stamp { mono_ns: since.mono.0, wall_ms: since.wall.0 };
    link.send(ToKeeper::Adopt {
        id,
        pid,
        started: entry.process.started,
        at: started,
        label: label.clone(),
        pidfd: taken.pidfd,
        pipes,
    })
    .map_err(|e| e.to_string())?;
    let (predecessor, highest, pipes) = (None, id, Some(ours));
    past.children.push(OldChild { id, pid, started, label, predecessor, highest, pipes });
    Ok(missing)
}

/// The socket of an fcgi program goes on with it, for its siblings and for those that come after it.
fn share_socket(
    leftover: &Leftover,
    taken: &Taken,
    fcgi: &mut FcgiSockets,
    link: &mut Link,
) -> Result<(), String> {
    let Some(socket) = leftover.config.as_deref().and_then(|config| config.socket.as_ref()) else {
        return Ok(());
    };
    let fd = taken.socket().map_err(|e| e.to_string())?;
    fcgi.take_over(&leftover.entry.group, socket, fd, link)
}

/// The entry of a child that runs already.
fn written_down(
    child: &OldChild,
    (place, keeper): (Place, Identity),
    running: &BTreeMap<i32, Entry>,
) -> Option<Entry> {
    if let Some(known) = running.get(&child.pid) {
        return Some(Entry { keeper, ..known.clone() });
    }
    let process = Identity::of_child(child.pid, keeper.pid)?;
    let (group, name) = child.label.split_once(':')?;
    let (group, name) = (group.to_owned(), name.to_owned());
    Some(Entry { group, name, place, process, keeper, outputs: inodes(child.pipes.as_ref()) })
}
