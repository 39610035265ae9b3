//! The configuration in force, kept for the next brain: the file may be another by then, or none at all.
//!
//! Each reading that counts is a generation: what the reader was told, whole, in a memfd of its own that the keeper holds.
//! One more says which groups run and from which generation each comes: a group that was added after a `reread` is
//! of a later one than those that were left alone. It is replaced as a whole, and before any program that depends on it
//! is started, so a brain that dies between two writes leaves the old list or the new one.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use provost_config::{CliOverrides, Config, GroupConfig, Recorder, Recording, load};
use provost_host::Host;
use provost_keeper::{Link, LinkError, ToKeeper};

use crate::kept;

const LIST: &str = "groups";
const GENERATION: &str = "config:";

/// A reading, and the bytes by which it can be repeated.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) config: Config,
    record: Vec<u8>,
}

impl Reading {
    /// Reads a file; the error is for people.
    pub(crate) fn of(
        path: &Path,
        overrides: &CliOverrides,
        host: &Host,
    ) -> Result<Reading, provost_config::Errors> {
        let recorder = Recorder::new(host);
        let config = load(path, overrides, &recorder)?;
        Ok(Reading { config, record: recorder.into_bytes() })
    }
}

/// What is in force.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    /// The generation that `[supervisord]` and the servers are of.
    first: u32,
    newest: u32,
    newest_hash: u64,
    held: BTreeSet<u32>,
    /// In the order of their addition.
    groups: Vec<(String, u32)>,
    unwritten: bool,
}

/// What a brain goes on with.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) effective: Effective,
    /// Of which `[supervisord]` and the servers are in force.
    pub(crate) first: Config,
    pub(crate) available: Arc<Config>,
    pub(crate) groups: Vec<GroupConfig>,
}

impl Effective {
    /// A fresh start with this reading.
    pub(crate) fn begin(reading: &Reading, link: &mut Link) -> Result<Effective, EffectiveError> {
        let mut effective = Effective {
            first: 1,
            newest: 0,
            newest_hash: 0,
            held: BTreeSet::new(),
            groups: Vec::new(),
            unwritten: false,
        };
        effective.reread(reading, link)?;
        Ok(effective)
    }

    /// From here on groups are added from this reading.
    pub(crate) fn reread(&mut self, reading: &Reading, link: &mut Link) -> Result<(), EffectiveError> {
        let mut hasher = DefaultHasher::new();
        reading.record.hash(&mut hasher);
        let hash = hasher.finish();
        if self.held.contains(&self.newest) && hash == self.newest_hash {
            return Ok(());
        }
        self.newest += 1;
        self.newest_hash = hash;
        let name = generation(self.newest);
        let fd = kept::write(&name, &reading.record)?;
        link.send(ToKeeper::Hold { name, fd })?;
        self.held.insert(self.newest);
        self.unwritten = true;
        Ok(())
    }

    /// The group of this name comes from the newest reading.
    pub(crate) fn added(&mut self, group: &str) {
        self.groups.push((group.to_owned(), self.newest));
        self.unwritten = true;
    }

    pub(crate) fn removed(&mut self, group: &str) {
        self.groups.retain(|(name, _)| name != group);
        self.unwritten = true;
    }

    /// Writes down what has changed, and lets go of what nobody needs.
    pub(crate) fn write(&mut self, link: &mut Link) -> Result<(), EffectiveError> {
        if !self.unwritten {
            return Ok(());
        }
        let mut text = format!("{} {} {}\0", self.first, self.newest, self.newest_hash);
        for (group, generation) in &self.groups {
            text += &format!("{generation} {group}\0");
        }
        let fd = kept::write(LIST, text.as_bytes())?;
        link.send(ToKeeper::Hold { name: LIST.to_owned(), fd })?;
        self.unwritten = false;
        let needed: BTreeSet<u32> =
            self.groups.iter().map(|(_, generation)| *generation).chain([self.first, self.newest]).collect();
        for number in self.held.difference(&needed) {
            link.send(ToKeeper::Release { name: generation(*number) })?;
        }
        self.held = needed;
        Ok(())
    }

    /// Goes on where an earlier brain ended, out of all that the keeper holds; `None` where that cannot be understood.
    pub(crate) fn resume(
        held: &mut Vec<(String, OwnedFd)>,
        path: &Path,
        overrides: &CliOverrides,
        host: &Host,
    ) -> Option<Resumed> {
        let of_ours = |name: &str| name == LIST || name.starts_with(GENERATION);
        let (ours, others) = std::mem::take(held).into_iter().partition(|(name, _)| of_ours(name));
        *held = others;
        let ours: Vec<(String, OwnedFd)> = ours;
        let mut list = None;
        let mut records = BTreeMap::new();
        for (name, fd) in ours {
            let bytes = kept::read(fd).ok()?;
            match name.strip_prefix(GENERATION) {
                Some(number) => drop(records.insert(number.parse::<u32>().ok()?, bytes)),
                None => list = Some(bytes),
            }
        }
        let list = String::from_utf8(list?).ok()?;
        let mut lines = list.split_terminator('\0');
        let mut head = lines.next()?.split(' ');
        let (first, newest) = (head.next()?.parse().ok()?, head.next()?.parse().ok()?);
        let newest_hash = head.next()?.parse().ok()?;
        let groups = lines
            .map(|line| {
                let (generation, group) = line.split_once(' ')?;
                Some((group.to_owned(), generation.parse().ok()?))
            })
            .collect::<Option<Vec<(String, u32)>>>()?;
        let configs = records
            .iter()
            .map(|(number, record)| {
                let recording = Recording::from_bytes(record, host)?;
                Some((*number, Arc::new(load(path, overrides, &recording).ok()?)))
            })
            .collect::<Option<BTreeMap<u32, Arc<Config>>>>()?;
        let active = groups
            .iter()
            .map(|(name, number)| configs.get(number)?.groups.iter().find(|g| g.name == *name).cloned())
            .collect::<Option<Vec<GroupConfig>>>()?;
        let available = Arc::clone(configs.get(&newest)?);
        let config = Config::clone(configs.get(&first)?);
        let held = records.into_keys().collect();
        let effective = Effective { first, newest, newest_hash, held, groups, unwritten: false };
        Some(Resumed { effective, first: config, available, groups: active })
    }
}

/// With what a brain begins.
#[derive(Debug)]
pub(crate) enum Start {
    Fresh(Box<Reading>),
    /// An earlier brain has died.
    Resumed(Box<Resumed>),
}

impl Start {
    /// The configuration whose `[supervisord]` and servers are in force.
    pub(crate) fn config(&self) -> &Config {
        match self {
            Start::Fresh(reading) => &reading.config,
            Start::Resumed(resumed) => &resumed.first,
        }
    }
}

/// Why it could not be kept.
#[derive(Debug)]
pub(crate) enum EffectiveError {
    Memory(io::Error),
    Link(LinkError),
}

impl From<io::Error> for EffectiveError {
    fn from(e: io::Error) -> Self {
        EffectiveError::Memory(e)
    }
}

impl From<LinkError> for EffectiveError {
    fn from(e: LinkError) -> Self {
        EffectiveError::Link(e)
    }
}

fn generation(number: u32) -> String {
    format!("{GENERATION}{number}")
}
