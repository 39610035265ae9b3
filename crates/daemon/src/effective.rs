//! The configuration in force, kept for the next brain: the file may be another by then, or none at all.
//!
//! Each reading that counts is a generation: what the reader was told, whole, in a memfd of its own that the keeper holds.
//! One more says which groups run and from which generation each comes: a group that was added after a `reread` is
//! of a later one than those that were left alone. It is replaced as a whole, and before any program that depends on it
//! is started, so a brain that dies between two writes leaves the old list or the new one.
//!
//! The list is lines that end with a NUL, since a name may hold anything else: the first generation, the newest one and a
//! hash of that; then each group with its generation, and what has been done to groups since (`twiddled.rs`). Its first version had
//! no header, and the third, which alone has such deeds, is written only where there are some: an older build that knew nothing of
//! them would take programs for nobody's. What stands behind the numbers of the first line is for later builds.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provost_config::{
    BadRecording, CliOverrides, Config, GroupConfig, ProcessConfig, Recorder, Recording, load,
};
use provost_core::Active;
use provost_host::Host;
use provost_keeper::{Link, LinkError, ToKeeper};

use crate::kept::{self, StateError, Understood, Versions};
use crate::twiddled::{self, Program, Source, Twiddle};

const LIST: &str = "groups";
const WHAT: &str = "the list of groups in force";
/// Versions of the list: without deeds, and with them.
const PLAIN: u32 = 2;
const TWIDDLED: u32 = 3;
const GENERATION: &str = "config:";
/// Where the file was found: on a later search there may be another one, or none.
const PATH: &str = "config-path";

/// A reading, and the bytes by which it can be repeated.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) config: Arc<Config>,
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
        let config = Arc::new(load(path, overrides, &recorder)?);
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
    /// In the order in which they were done.
    twiddles: Vec<Twiddle>,
    /// The bytes of the newest generation.
    newest_record: Option<Arc<OwnedFd>>,
    unwritten: bool,
}

/// What a brain goes on with.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) effective: Effective,
    /// Of which `[supervisord]` and the servers are in force.
    pub(crate) first: Arc<Config>,
    pub(crate) available: Arc<Config>,
    pub(crate) groups: Vec<Active>,
}

impl Effective {
    /// A fresh start with this reading of the file at `path`.
    pub(crate) fn begin(
        path: &Path,
        reading: &Reading,
        link: &mut Link,
    ) -> Result<Effective, EffectiveError> {
        let fd = kept::write(PATH, path.as_os_str().as_bytes())?;
        link.send(ToKeeper::Hold { name: PATH.to_owned(), fd })?;
        let mut effective = Effective {
            first: 1,
            newest: 0,
            newest_hash: 0,
            held: BTreeSet::new(),
            groups: Vec::new(),
            twiddles: Vec::new(),
            newest_record: None,
            unwritten: false,
        };
        effective.reread(reading, link)?;
        Ok(effective)
    }

    /// Where an earlier brain has found the file.
    pub(crate) fn path(held: &mut Vec<(String, OwnedFd)>) -> Option<PathBuf> {
        Some(OsString::from_vec(kept::read(kept::take(held, PATH)?, PATH).ok()?).into())
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
        self.newest_record = Some(Arc::new(fd.try_clone()?));
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

    /// The group of this name comes from the newest reading from here on, as it stands there. One that has `moved` stands
    /// behind all others.
    pub(crate) fn renewed(&mut self, group: &str, moved: bool) {
        if moved {
            self.removed(group);
            return self.added(group);
        }
        for (_, generation) in self.groups.iter_mut().filter(|(name, _)| name == group) {
            *generation = self.newest;
        }
        self.twiddles.retain(|twiddle| twiddle.group() != group);
        self.unwritten = true;
    }

    pub(crate) fn removed(&mut self, group: &str) {
        self.groups.retain(|(name, _)| name != group);
        self.twiddles.retain(|twiddle| twiddle.group() != group);
        self.unwritten = true;
    }

    /// Reads a program that no file knows, beside the newest generation.
    pub(crate) fn read_program(
        &self,
        name: (&str, &str),
        options: Vec<(String, String)>,
        source: Source<'_>,
    ) -> Result<(Program, Vec<Arc<ProcessConfig>>), String> {
        let unreadable = |e: io::Error| format!("the configuration in force cannot be read again: {e}");
        let record = self.newest_record.as_ref().ok_or_else(|| unreadable(io::ErrorKind::NotFound.into()))?;
        let record = whole(record).map_err(unreadable)?;
        Program::read((self.newest, &record), name, options, source)
    }

    pub(crate) fn program_added(&mut self, program: Program) {
        self.twiddles.push(Twiddle::Program(Box::new(program)));
        self.unwritten = true;
    }

    pub(crate) fn process_gone(&mut self, group: &str, process: &str) {
        twiddled::process_gone(&mut self.twiddles, group, process);
        self.unwritten = true;
    }

    /// Writes down what has changed, and lets go of what nobody needs.
    pub(crate) fn write(&mut self, link: &mut Link) -> Result<(), EffectiveError> {
        if !self.unwritten {
            return Ok(());
        }
        let fd = kept::write(LIST, &self.list())?;
        link.send(ToKeeper::Hold { name: LIST.to_owned(), fd })?;
        self.unwritten = false;
        let of_groups = self.groups.iter().map(|(_, generation)| *generation);
        let of_programs = self.twiddles.iter().filter_map(|twiddle| match twiddle {
            Twiddle::Program(program) => Some(program.base),
            Twiddle::Gone { .. } => None,
        });
        let needed: BTreeSet<u32> = of_groups.chain(of_programs).chain([self.first, self.newest]).collect();
        for number in self.held.difference(&needed) {
            link.send(ToKeeper::Release { name: generation(*number) })?;
        }
        self.held = needed;
        Ok(())
    }

    fn list(&self) -> Vec<u8> {
        let mut list = kept::header(LIST, if self.twiddles.is_empty() { PLAIN } else { TWIDDLED });
        list.extend(format!("{} {} {}\0", self.first, self.newest, self.newest_hash).into_bytes());
        for (group, generation) in &self.groups {
            list.extend(format!("{generation} {group}\0").into_bytes());
        }
        for twiddle in &self.twiddles {
            list.extend(format!("{}\0", twiddle.line()).into_bytes());
        }
        list
    }

    /// What the list says; the generations are still to come.
    fn from_list(list: &[u8], understood: &Understood) -> Result<Effective, StateError> {
        // At first it had no header.
        let (version, list) = kept::split_header(LIST, list).unwrap_or((1, list));
        StateError::unless_understood(WHAT, version, understood)?;
        let parsed = || {
            let mut lines = std::str::from_utf8(list.strip_suffix(b"\0")?).ok()?.split('\0');
            let mut head = lines.next()?.split(' ');
            let (first, newest) = (head.next()?.parse().ok()?, head.next()?.parse().ok()?);
            let newest_hash = head.next()?.parse().ok()?;
            let group = |line: &str| {
                let (generation, group) = line.split_once(' ')?;
                Some((group.to_owned(), generation.parse().ok()?))
            };
            let (twiddles, groups): (Vec<&str>, Vec<&str>) =
                lines.partition(|line| version >= TWIDDLED && line.starts_with(['+', '-']));
            let groups = groups.into_iter().map(group).collect::<Option<_>>()?;
            let twiddles = twiddles.into_iter().map(Twiddle::from_line).collect::<Option<_>>()?;
            let (held, newest_record, unwritten) = (BTreeSet::new(), None, false);
            Some(Effective { first, newest, newest_hash, held, groups, twiddles, newest_record, unwritten })
        };
        parsed().ok_or_else(|| StateError::damaged(WHAT, "it is no such list"))
    }

    /// Goes on where an earlier brain ended, out of all that the keeper holds. There is nothing to go on with where that had
    /// not written down yet what it began with: nothing runs then.
    pub(crate) fn resume(
        held: &mut Vec<(String, OwnedFd)>,
        source: (&Path, &CliOverrides, &Host),
        understood: &Versions,
    ) -> Result<Option<Resumed>, StateError> {
        let of_ours = |name: &str| name == LIST || name.starts_with(GENERATION);
        let (ours, others) = std::mem::take(held).into_iter().partition(|(name, _)| of_ours(name));
        *held = others;
        let ours: Vec<(String, OwnedFd)> = ours;
        let mut list = None;
        let mut configs = BTreeMap::new();
        let mut records = BTreeMap::new();
        for (name, fd) in ours {
            match name.strip_prefix(GENERATION).map(str::parse::<u32>) {
                None => list = Some(kept::read(fd, WHAT)?),
                Some(Ok(number)) => {
                    let what = format!("configuration {number}");
                    let again =
                        fd.try_clone().map_err(|error| StateError::Unreadable { what: what.clone(), error });
                    let record = kept::read(fd, &what)?;
                    let config = read_again(&record, what, source, &understood.recordings)?;
                    configs.insert(number, Arc::new(config));
                    records.insert(number, (record, again?));
                }
                Some(Err(_)) => return Err(StateError::damaged(name, "its number is none")),
            }
        }
        let Some(list) = list else { return Ok(None) };
        let mut effective = Effective::from_list(&list, &understood.groups)?;
        effective.held = configs.keys().copied().collect();
        let of = |number: u32| {
            let what = format!("configuration {number}");
            configs.get(&number).ok_or(StateError::Missing { what })
        };
        let (first, available) = (Arc::clone(of(effective.first)?), Arc::clone(of(effective.newest)?));
        let mut known = BTreeMap::new();
        for (number, config) in &configs {
            for group in &config.groups {
                // Of two groups of one name the first in order runs.
                known.entry((*number, group.name.as_str())).or_insert(group);
            }
        }
        let group = |(name, number): &(String, u32)| {
            let missing = || StateError::Missing { what: format!("group {name} in configuration {number}") };
            known.get(&(*number, name.as_str())).map(|group| GroupConfig::clone(group)).ok_or_else(missing)
        };
        let groups = effective.groups.iter().map(group).collect::<Result<Vec<GroupConfig>, _>>()?;
        let mut groups: Vec<Active> = groups.into_iter().map(Active::from).collect();
        for twiddle in &mut effective.twiddles {
            let Some(group) = groups.iter_mut().find(|group| group.config.name == twiddle.group()) else {
                return Err(StateError::damaged(WHAT, format!("there is no group {}", twiddle.group())));
            };
            let record = |number: u32| match records.get(&number) {
                Some((record, _)) => Ok(record.as_slice()),
                None => Err(StateError::Missing { what: format!("configuration {number}") }),
            };
            twiddle.repeat(&mut group.processes, record, source, &understood.recordings)?;
        }
        effective.newest_record = records.remove(&effective.newest).map(|(_, fd)| Arc::new(fd));
        Ok(Some(Resumed { effective, first, available, groups }))
    }
}

/// The configuration that was read when this was recorded.
fn read_again(
    record: &[u8],
    what: String,
    (path, overrides, host): (&Path, &CliOverrides, &Host),
    understood: &Understood,
) -> Result<Config, StateError> {
    let recording = Recording::from_bytes(record, understood, host).map_err(|bad| match bad {
        BadRecording::Version(found) => {
            StateError::Version { what: what.clone(), found, understood: understood.clone() }
        }
        BadRecording::Damaged => StateError::damaged(&what, "it is no recording"),
    })?;
    load(path, overrides, &recording).map_err(|errors| StateError::damaged(what, errors.to_string()))
}

/// With what a brain begins.
#[derive(Debug)]
pub(crate) enum Start {
    /// And why not with what an earlier brain had, if there was one.
    Fresh { reading: Box<Reading>, lost: Option<StateError> },
    /// An earlier brain has died.
    Resumed(Box<Resumed>),
}

impl Start {
    /// The configuration whose `[supervisord]` and servers are in force.
    pub(crate) fn config(&self) -> &Arc<Config> {
        match self {
            Start::Fresh { reading, .. } => &reading.config,
            Start::Resumed(resumed) => &resumed.first,
        }
    }

    /// Why an earlier brain's configuration could not be gone on with.
    pub(crate) fn lost(&self) -> Option<&StateError> {
        match self {
            Start::Fresh { lost, .. } => lost.as_ref(),
            Start::Resumed(_) => None,
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

/// All bytes of a memfd, whose position is shared with others who read it.
fn whole(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    let file = File::from(fd.try_clone()?);
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn generation(number: u32) -> String {
    format!("{GENERATION}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a daemon kept when the list had no header, and what it keeps now.
    const FIRST: &[u8] = b"1 1 11038200689616801124\x001 backoff\x001 g\x001 running\x00";
    const SECOND: &[u8] = b"provost groups 2\n3 7 42\x003 web server\x007 db\x00";

    fn from_list(list: &[u8]) -> Result<Effective, String> {
        Effective::from_list(list, &Versions::OURS.groups).map_err(|e| e.to_string())
    }

    #[test]
    fn lists_of_every_version_are_understood() {
        let first = from_list(FIRST).unwrap();
        assert_eq!((first.first, first.newest, first.newest_hash), (1, 1, 11_038_200_689_616_801_124));
        let names: Vec<&str> = first.groups.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["backoff", "g", "running"]);
        let second = from_list(SECOND).unwrap();
        assert_eq!(second.groups, [("web server".to_owned(), 3), ("db".to_owned(), 7)]);
        assert_eq!(second.list(), SECOND, "what is read is what is written");
    }

    #[test]
    fn deeds_make_a_list_of_the_third_version_and_none_that_of_the_second() {
        let third: &[u8] = b"provost groups 3\n3 7 42\x003 web\x00-776562 61\x00";
        let mut list = from_list(third).unwrap();
        assert_eq!(list.list(), third, "what is read is what is written");
        list.removed("web");
        assert_eq!(list.list(), b"provost groups 2\n3 7 42\x00");
        assert!(from_list(b"provost groups 3\n3 7 42\x003 web\x00-77656 61\x00").is_err());
    }

    #[test]
    fn a_group_that_is_renewed_comes_from_the_newest_reading_and_keeps_its_place() {
        let mut list = from_list(b"provost groups 3\n3 7 42\x003 web\x005 db\x00-776562 61\x00").unwrap();
        list.renewed("web", false);
        assert_eq!(list.list(), b"provost groups 2\n3 7 42\x007 web\x005 db\x00");
        list.renewed("web", true);
        assert_eq!(list.list(), b"provost groups 2\n3 7 42\x005 db\x007 web\x00");
    }

    #[test]
    fn a_later_build_may_say_more_in_the_first_line() {
        let list = from_list(b"provost groups 2\n1 2 3 more=yes\x001 a\x00").unwrap();
        assert_eq!((list.newest, list.groups.len()), (2, 1));
    }

    #[test]
    fn what_is_no_such_list_is_refused() {
        let damaged = "the list of groups in force is damaged: it is no such list";
        for list in [&b""[..], b"provost groups 2\n", b"1 1\x00", b"1 1 1", &SECOND[..SECOND.len() - 1]] {
            assert_eq!(from_list(list).unwrap_err(), damaged, "{list:?}");
        }
        let newer = from_list(b"provost groups 4\n1 1 1\x00").unwrap_err();
        assert_eq!(newer, "the list of groups in force has version 4, and this build understands 1 to 3");
    }
}
