//! Who is left over, and what becomes of each.
//!
//! In: the record beside the pidfile, the configuration, the choice that `leftovers` makes. Out: those that certainly are
//! programs of a dead supervisord of this pidfile, each with its fate, and lines for people. Where identity is not certain
//! nobody is a leftover.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use provost_config::{Config, Leftovers as Choice, LogLevel, ProcessConfig};

use super::record::{self, Entry};
use super::witness::{Identity, Place};

/// What the record says, compared with what runs.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Of a supervisord that is dead, in the order of the record.
    pub(crate) leftovers: Vec<Leftover>,
    /// All that runs, also what a supervisord started that still lives.
    pub(crate) running: Vec<Entry>,
    /// Why the record was not looked at.
    pub(crate) trouble: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) entry: Entry,
    /// Its process, if it is still configured.
    pub(crate) config: Option<Arc<ProcessConfig>>,
    pub(crate) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Left alone; its process is started beside it.
    Beside,
    /// Left alone: a younger one of the same process is taken over.
    Superseded,
    /// Left alone: nobody knows it any more.
    Unknown,
    Adopted,
    Stopped,
}

impl Found {
    /// Looks at everything that is written down beside this pidfile.
    pub(crate) fn at(record: &Path, place: Place, config: &Config, choice: Choice) -> Found {
        let entries = match record::read(record) {
            Ok(entries) => entries,
            Err(why) => return Found { trouble: Some(why), ..Found::default() },
        };
        let running: Vec<Entry> =
            entries.into_iter().filter(|entry| entry.place == place && entry.process.lives()).collect();
        // Most have the same keeper, and there are few.
        let mut keepers: Vec<(Identity, bool)> = Vec::new();
        let mut is_orphan = |entry: &&Entry| {
            let known = keepers.iter().find(|(keeper, _)| *keeper == entry.keeper).copied();
            let (_, lives) = known.unwrap_or_else(|| {
                keepers.push((entry.keeper, entry.keeper.lives()));
                keepers[keepers.len() - 1]
            });
            !lives
        };
        let orphans: Vec<&Entry> = running.iter().filter(|entry| is_orphan(entry)).collect();
        let leftovers = orphans
            .iter()
            .map(|entry| {
                let config = configured(config, entry);
                let younger = |other: &&&Entry| is_after(other.process, entry.process);
                let same = |other: &&&Entry| (&other.group, &other.name) == (&entry.group, &entry.name);
                let superseded = orphans.iter().filter(same).any(|other| younger(&other));
                let fate = fate(choice, config.is_some(), superseded);
                Leftover { entry: (*entry).clone(), config, fate }
            })
            .collect();
        Found { leftovers, running, trouble: None }
    }

    /// Those whose process would run twice.
    pub(crate) fn configured(&self) -> impl Iterator<Item = &Leftover> {
        self.leftovers.iter().filter(|leftover| leftover.config.is_some())
    }

    /// The refusal to start beside them; nothing where none is configured.
    pub(crate) fn refusal(&self) -> Option<String> {
        let lines: Vec<String> =
            self.configured().map(|leftover| format!("  {}\n", leftover.described())).collect();
        let pids: Vec<String> =
            self.configured().map(|leftover| leftover.entry.process.pid.to_string()).collect();
        (!lines.is_empty()).then(|| {
            format!(
                "programs of a supervisord that was killed still run, and leftovers=refuse:\n{}\
                 stop them ('kill {}'), or start with --leftovers=adopt to take them over, with \
                 --leftovers=stop to stop them first, or with --leftovers=start to start beside them",
                lines.concat(),
                pids.join(" ")
            )
        })
    }

    /// What to do where nothing is done.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        self.leftovers.iter().any(|leftover| leftover.fate == Fate::Beside).then_some(
            "started with --leftovers=adopt, supervisord takes over what a killed one has left running; with \
             --leftovers=stop it stops that first, with --leftovers=refuse it does not start",
        )
    }
}

impl Leftover {
    /// `group:process`, as everywhere.
    pub(crate) fn label(&self) -> String {
        format!("{}:{}", self.entry.group, self.entry.name)
    }

    /// The line for the log and the terminal.
    pub(crate) fn line(&self) -> (LogLevel, String) {
        let (level, what) = match self.fate {
            Fate::Beside => (LogLevel::Critical, "it is left alone, and a start makes a second one"),
            Fate::Superseded => (LogLevel::Critical, "it is left alone, because a younger one is taken over"),
            Fate::Unknown => (LogLevel::Critical, "it is not configured any more, and left alone"),
            Fate::Adopted => (LogLevel::Warn, "it is taken over"),
            Fate::Stopped => (LogLevel::Warn, "it is stopped first"),
        };
        (level, format!("{}: {what}", self.described()))
    }

    fn described(&self) -> String {
        let Entry { process, keeper, .. } = &self.entry;
        let since = Timestamp::from_millisecond(process.since().wall.0).unwrap_or_default();
        let since = since.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S");
        format!(
            "{} still runs with pid {} since {since}, though its supervisord (pid {}) is dead",
            self.label(),
            process.pid,
            keeper.pid
        )
    }
}

fn configured(config: &Config, entry: &Entry) -> Option<Arc<ProcessConfig>> {
    // Of two groups of one name the first runs.
    let group = config.groups.iter().find(|group| group.name == entry.group)?;
    group.processes.iter().find(|process| process.name == entry.name).cloned()
}

/// Of equal age the higher number is the younger: of two only one can be.
fn is_after(this: Identity, that: Identity) -> bool {
    (this.started, this.pid) > (that.started, that.pid)
}

fn fate(choice: Choice, is_configured: bool, is_superseded: bool) -> Fate {
    match (choice, is_configured) {
        (Choice::Stop, _) => Fate::Stopped,
        (Choice::Start | Choice::Refuse | Choice::Adopt, false) => Fate::Unknown,
        (Choice::Start | Choice::Refuse, true) => Fate::Beside,
        (Choice::Adopt, true) if is_superseded => Fate::Superseded,
        (Choice::Adopt, true) => Fate::Adopted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_configured_is_adopted_and_of_two_the_younger() {
        assert_eq!(fate(Choice::Adopt, true, false), Fate::Adopted);
        assert_eq!(fate(Choice::Adopt, true, true), Fate::Superseded);
        assert_eq!(fate(Choice::Adopt, false, false), Fate::Unknown);
        for superseded in [false, true] {
            assert_eq!(fate(Choice::Stop, false, superseded), Fate::Stopped);
            assert_eq!(fate(Choice::Start, true, superseded), Fate::Beside);
        }
        let (young, old) = (Identity { pid: 3, started: 8 }, Identity { pid: 9, started: 7 });
        assert!(is_after(young, old) && !is_after(old, young) && !is_after(old, old));
    }
}
