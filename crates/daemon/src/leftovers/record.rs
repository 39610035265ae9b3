//! The record of what runs, in a file that survives the keeper: `PIDFILE.children`.
//!
//! A header with a version, then one slot of fixed size per process, written whole when its child starts and cleared when
//! that ends: one write each, by the pump, and no fsync (a reboot ends what it is about). It is made anew by every brain,
//! under another name first, so nobody ever reads half of it, and removed at an orderly end.
//!
//! In: children that start and end; and a file that may be old, torn, forged or somebody else's. Out: orders for the pump,
//! and entries, which are no more than reasons to look at a pid ([`super::witness`]). A child that the keeper has started
//! while there was no brain is written down when there is one.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provost_core::ChildId;
use rustix::fs::OFlags;

use super::witness::{Identity, Place};
use crate::logs::Order;

const SLOT: usize = 1024;
const MAGIC: &[u8] = b"provost children 1\n";
/// Processes with longer names are not written down.
const LONGEST: usize = 256;
/// Far more than a machine has pids for.
const MOST_SLOTS: u64 = 1 << 22;

/// A process that was started by a supervisord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) process: Identity,
    /// The keeper that started it.
    pub(crate) keeper: Identity,
    /// The inodes of the pipes that are its standard output and error; 0 where there is none of its own.
    pub(crate) outputs: [u64; 2],
}

/// The record, for writing.
#[derive(Debug)]
pub(crate) struct Record {
    path: PathBuf,
    file: Arc<File>,
    place: Place,
    keeper: Identity,
    slots: BTreeMap<ChildId, u64>,
    free: Vec<u64>,
    next: u64,
    /// Written down by others, and still running when this record began.
    older: Vec<Entry>,
}

impl Record {
    /// Replaces whatever is there by a record of these.
    pub(crate) fn begin(
        path: &Path,
        (place, keeper): (Place, Identity),
        children: &[(ChildId, Entry)],
        older: Vec<Entry>,
    ) -> io::Result<Record> {
        let entries = older.iter().chain(children.iter().map(|(_, entry)| entry));
        let mut bytes = MAGIC.to_vec();
        bytes.resize(SLOT, 0);
        for entry in entries {
            bytes.extend(encode(entry).unwrap_or([0; SLOT]));
        }
        let mut hidden = path.as_os_str().to_owned();
        hidden.push(format!(".{}", std::process::id()));
        let hidden = PathBuf::from(hidden);
        // Left over from a brain of our number that was killed at this very point.
        let _ = std::fs::remove_file(&hidden);
        // Nobody's link is followed, and nobody else may write it.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?;
        let published = file.write_all(&bytes).and_then(|()| std::fs::rename(&hidden, path));
        if let Err(e) = published {
            let _ = std::fs::remove_file(&hidden);
            return Err(e);
        }
        let first = 1 + older.len() as u64;
        let slots = (first..).zip(children).map(|(at, (child, _))| (*child, at)).collect();
        let next = first + children.len() as u64;
        let file = Arc::new(file);
        Ok(Record { path: path.to_owned(), file, place, keeper, slots, free: Vec::new(), next, older })
    }

    /// A child runs; nothing is written where it has ended already.
    pub(crate) fn started(
        &mut self,
        child: ChildId,
        (group, name): (&str, &str),
        pid: i32,
        outputs: [u64; 2],
    ) -> Option<Order> {
        let process = Identity::of_child(pid, self.keeper.pid)?;
        let (group, name) = (group.to_owned(), name.to_owned());
        let (place, keeper) = (self.place, self.keeper);
        let slot = encode(&Entry { group, name, place, process, keeper, outputs })?;
        let at = self.free.pop().unwrap_or(self.next);
        self.next = self.next.max(at + 1);
        self.slots.insert(child, at);
        Some(self.order(at, slot))
    }

    /// A child has ended.
    pub(crate) fn ended(&mut self, child: ChildId) -> Option<Order> {
        let at = self.slots.remove(&child)?;
        self.free.push(at);
        Some(self.order(at, [0; SLOT]))
    }

    /// The end of the daemon, in order: the record goes with it, unless something of it still runs.
    pub(crate) fn finish(self) {
        let something_runs = !self.slots.is_empty() || self.older.iter().any(|entry| entry.process.lives());
        let id = |meta: Metadata| (meta.dev(), meta.ino());
        let ours = self.file.metadata().ok().map(id);
        // Somebody may have put another one in its place.
        if !something_runs && ours.is_some() && ours == self.path.symlink_metadata().ok().map(id) {
            // It can only fail where nothing is to be done about it; what it says is looked at and found untrue.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn order(&self, at: u64, slot: [u8; SLOT]) -> Order {
        Order::Record(Change { file: Arc::clone(&self.file), at: at * SLOT as u64, bytes: Box::new(slot) })
    }
}

/// One slot to be written.
#[derive(Debug)]
pub(crate) struct Change {
    file: Arc<File>,
    at: u64,
    bytes: Box<[u8; SLOT]>,
}

impl Change {
    pub(crate) fn write(&self) -> io::Result<()> {
        self.file.write_all_at(&*self.bytes, self.at)
    }
}

/// Where the record of this pidfile is.
pub(crate) fn beside(pidfile: &Path) -> PathBuf {
    let mut path = pidfile.as_os_str().to_owned();
    path.push(".children");
    path.into()
}

/// Everything that makes sense in the record; the error says why it is not even looked at.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let refuse = |why: &str| Err(format!("{} is not believed: {why}", path.display()));
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(format!("cannot read {}: {e}", path.display())),
    };
    let meta = file.metadata().map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    if !meta.is_file() {
        return refuse("it is no file");
    }
    // What others could have written may name any process.
    if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        return refuse("somebody else may write it");
    }
    let read = |at: u64| {
        let mut slot = [0; SLOT];
        file.read_exact_at(&mut slot, at * SLOT as u64).ok().map(|()| slot)
    };
    match read(0) {
        Some(header) if header.starts_with(MAGIC) => {}
        Some(_) | None => return refuse("it is of another version, or none"),
    }
    let slots = (meta.len() / SLOT as u64).min(MOST_SLOTS);
    Ok((1..slots).filter_map(|n| decode(&read(n)?)).collect())
}

/// Numbers first, in little-endian order, then two texts with their lengths.
fn encode(entry: &Entry) -> Option<[u8; SLOT]> {
    let Entry { group, name, place, process, keeper, outputs } = entry;
    let mut out = Vec::with_capacity(SLOT);
    out.extend(1u32.to_le_bytes());
    for who in [process, keeper] {
        out.extend(who.pid.to_le_bytes());
        out.extend(who.started.to_le_bytes());
    }
    out.extend(place.boot);
    out.extend(place.pids.to_le_bytes());
    out.extend(outputs.iter().flat_map(|inode| inode.to_le_bytes()));
    for text in [group, name] {
        if text.len() > LONGEST {
            return None;
        }
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.as_bytes());
    }
    out.resize(SLOT, 0);
    out.try_into().ok()
}

fn decode(slot: &[u8; SLOT]) -> Option<Entry> {
    let rest = &mut &slot[..];
    if u32::from_le_bytes(take(rest)?) != 1 {
        return None;
    }
    let mut identity = || {
        let pid = i32::from_le_bytes(take(rest)?);
        let started = u64::from_le_bytes(take(rest)?);
        Some(Identity { pid, started })
    };
    let (process, keeper) = (identity()?, identity()?);
    // 0 and below are not processes but groups, and nothing that we start is the first of all.
    if process.pid <= 1 || keeper.pid < 1 {
        return None;
    }
    let place = Place { boot: take(rest)?, pids: u64::from_le_bytes(take(rest)?) };
    let outputs = [u64::from_le_bytes(take(rest)?), u64::from_le_bytes(take(rest)?)];
    let mut text = || {
        let length = u32::from_le_bytes(take(rest)?) as usize;
        let (text, after) = rest.split_at_checked(length)?;
        *rest = after;
        String::from_utf8(text.to_vec()).ok().filter(|text| !text.is_empty())
    };
    Some(Entry { group: text()?, name: text()?, place, process, keeper, outputs })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let path = std::env::temp_dir().join(format!("provost-record-{}-{name}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Dir(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            // What is left of it in the temporary directory does no harm.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn us() -> (Place, Identity) {
        (Place::here().unwrap(), Identity::of(std::process::id() as i32).unwrap())
    }

    fn entry(name: &str) -> Entry {
        let (place, keeper) = us();
        let process = Identity { pid: 4711, started: 12 };
        Entry { group: "g".into(), name: name.into(), place, process, keeper, outputs: [7, 0] }
    }

    fn write(order: Option<Order>) {
        match order {
            Some(Order::Record(change)) => change.write().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read_and_gone_with_an_orderly_end() {
        let dir = Dir::new("whole");
        let path = beside(&dir.0.join("pid"));
        let children = [(ChildId(1), entry("a")), (ChildId(2), entry("b"))];
        let mut record = Record::begin(&path, us(), &children, vec![entry("old")]).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap(), [entry("old"), entry("a"), entry("b")]);

        write(record.ended(ChildId(1)));
        let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = sleeper.id() as i32;
        write(record.started(ChildId(3), ("g", "c"), pid, [8, 9]));
        let found = read(&path).unwrap();
        assert_eq!(found.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["old", "c", "b"]);
        assert!(found[1].process.lives() && found[1].keeper.lives() && found[1].outputs == [8, 9]);

        // As long as one of them runs it has to be found again.
        write(record.ended(ChildId(2)));
        record.finish();
        assert!(path.exists());
        let mut record = Record::begin(&path, us(), &[], found).unwrap();
        write(record.started(ChildId(4), ("g", "d"), pid, [0, 0]));
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert!(record.started(ChildId(5), ("g", "e"), pid, [0, 0]).is_none(), "it has ended");
        write(record.ended(ChildId(4)));
        record.finish();
        assert!(!path.exists());
    }

    #[test]
    fn a_process_that_is_not_a_child_of_the_keeper_is_not_written_down() {
        let dir = Dir::new("parent");
        let path = beside(&dir.0.join("pid"));
        let mut record = Record::begin(&path, us(), &[], Vec::new()).unwrap();
        let parent = std::os::unix::process::parent_id() as i32;
        assert!(record.started(ChildId(1), ("g", "a"), parent, [0, 0]).is_none());
    }

    #[test]
    fn what_somebody_else_may_have_written_is_not_believed() {
        let dir = Dir::new("forged");
        let path = dir.0.join("pid.children");
        assert_eq!(read(&path), Ok(Vec::new()), "no record is no leftovers");
        let real = dir.0.join("real");
        drop(Record::begin(&real, us(), &[(ChildId(1), entry("a"))], Vec::new()).unwrap());
        symlink(&real, &path).unwrap();
        assert!(read(&path).is_err(), "a link was followed");
        // A record takes the place of the link and leaves alone where it led.
        drop(Record::begin(&path, us(), &[], Vec::new()).unwrap());
        assert_eq!((read(&path).unwrap().len(), read(&real).unwrap().len()), (0, 1));
        std::fs::set_permissions(&real, PermissionsExt::from_mode(0o620)).unwrap();
        assert!(read(&real).unwrap_err().ends_with("is not believed: somebody else may write it"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(read(&path).unwrap_err().contains("it is no file"));
    }

    #[test]
    fn any_bytes_are_read_and_most_make_no_sense() {
        let dir = Dir::new("bytes");
        let path = dir.0.join("record");
        for bytes in [&b""[..], b"provost children 2\n", &[0xff; 5000]] {
            std::fs::write(&path, bytes).unwrap();
            assert!(read(&path).unwrap_err().contains("of another version, or none"));
        }
        let good = encode(&entry("a")).unwrap();
        let mut header = [0; SLOT];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        // Cut short, as by a full disk.
        std::fs::write(&path, [&header[..], &good, &good[..100]].concat()).unwrap();
        assert_eq!(read(&path).unwrap(), [entry("a")]);
        for at in 0..SLOT {
            let mut bad = good;
            bad[at] ^= 0xff;
            // Whatever comes of it, it is no panic, and nobody's whole group.
            assert!(decode(&bad).is_none_or(|entry| entry.process.pid > 1));
        }
        assert_eq!(decode(&[0; SLOT]), None);
        let long = Entry { name: "n".repeat(LONGEST + 1), ..entry("a") };
        assert_eq!(encode(&long), None);
    }
}
