//! What the next brain must know of each process, where this brain's death cannot reach it: a memfd that the keeper holds.
//!
//! In: what the core wants remembered. Out: the [`Past`], for the next core, or why it cannot be had. What there is to
//! know is decided in the core; how it becomes bytes is told in `memory/slot.rs` (and `memory/first.rs`, as it once was), what is only
//! told of a process in `memory/past.rs`.
//!
//! The file is an array of slots of 1024 bytes, the first of which is a header. A process has one slot; what does not fit
//! goes into others, which are written first, where nothing was, and count only once the process's own slot names them.
//! So whatever changes, it changes by a single pwrite(2) of one slot, and a brain that dies between two of them leaves the
//! old slot, or the new one. Nor does it leave half of one when it is killed *inside* pwrite: a slot lies within one page;
//! the kernel copies a page in one go from memory that it has faulted in just before, without looking at signals on the
//! way, and a process ends only where it looks. Should that ever not hold, the checksum in the slot does not either, and
//! a slot that is not whole is refused, never believed. (A test kills a writer over and over.)
//!
//! The header says which major version it all is. Inside a slot each field has a number and a length: a reader skips those
//! that it does not know, and takes defaults for those that are not there. Only what an old reader must not skip needs
//! a new major version.

mod bytes;
mod first;
mod past;
mod slot;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use provost_core::{Ending, Memory as Known, ProcessId};
use rustix::fs::{MemfdFlags, fstat, memfd_create};
use rustix::io::{pread, pwrite};

use crate::kept::{StateError, Understood};
use slot::{SLOT, Slot};

/// The name under which the keeper holds it.
pub(crate) const HELD_AS: &str = "memory";
const WHAT: &str = "the memory of processes";

/// Then the version follows, in one byte, and two for the ending.
const MAGIC: &[u8; 7] = b"provost";
const VERSION_AT: usize = 7;
const ENDING_AT: usize = 8;

/// The memory, for writing.
#[derive(Debug)]
pub(crate) struct Memory {
    fd: OwnedFd,
    /// The slots of each process, its own first.
    slots: BTreeMap<ProcessId, Vec<u32>>,
    free: Vec<u32>,
    next: u32,
}

/// All that an earlier brain wrote down.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) processes: Vec<Recalled>,
    /// It was stopping everything.
    pub(crate) ending: Option<Ending>,
}

/// A process as an earlier brain knew it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recalled {
    pub(crate) group: String,
    pub(crate) process: String,
    pub(crate) known: Known,
}

impl Memory {
    /// An empty memory, of the newest version that is understood.
    pub(crate) fn new(understood: &Understood) -> io::Result<Memory> {
        let fd = memfd_create(HELD_AS, MemfdFlags::CLOEXEC)?;
        let mut header = [0; SLOT];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[VERSION_AT] = u8::try_from(*understood.end()).map_err(io::Error::other)?;
        pwrite(&fd, &header, 0)?;
        Ok(Memory { fd, slots: BTreeMap::new(), free: Vec::new(), next: 1 })
    }

    /// A descriptor of it for the keeper.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    /// Writes down what is known of a process now.
    pub(crate) fn remember(
        &mut self,
        process: ProcessId,
        group: &str,
        name: &str,
        known: &Known,
    ) -> io::Result<()> {
        let fields = slot::fields(group, name, known);
        let mut before = self.slots.remove(&process).unwrap_or_default();
        let own = before.first().copied().unwrap_or_else(|| self.unused());
        let more: Vec<u32> = (0..slot::continuations(&fields)).map(|_| self.unused()).collect();
        let written = self.write(own, &more, &fields);
        // What has not been written is not referred to: the slots of before, or the new ones.
        let (kept, unused) = match written {
            Ok(()) => (more, before.split_off(before.len().min(1))),
            Err(_) => (before.split_off(before.len().min(1)), more),
        };
        self.free.extend(unused);
        self.slots.insert(process, [vec![own], kept].concat());
        written
    }

    fn write(&self, own: u32, more: &[u32], fields: &[u8]) -> io::Result<()> {
        let (head, tails) = slot::encode(fields, more)?;
        for (at, tail) in more.iter().zip(&tails) {
            self.put(*at, tail)?;
        }
        self.put(own, &head)
    }

    fn put(&self, at: u32, slot: &[u8]) -> io::Result<()> {
        match pwrite(&self.fd, slot, offset(at))? {
            n if n == slot.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn unused(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// Writes down that everything is being stopped: two bytes of the header, what then and with which status.
    pub(crate) fn remember_ending(&mut self, ending: Ending) -> io::Result<()> {
        let bytes = match ending {
            Ending::Exit { status } => [1, status],
            Ending::Renew => [2, 0],
        };
        pwrite(&self.fd, &bytes, ENDING_AT as u64).map(|_| ()).map_err(io::Error::from)
    }

    /// A process that was removed need not be remembered.
    pub(crate) fn forget(&mut self, process: ProcessId) -> io::Result<()> {
        let Some(slots) = self.slots.remove(&process) else { return Ok(()) };
        let cleared = slots.first().map_or(Ok(()), |own| self.put(*own, &[0; SLOT]));
        self.free.extend(slots);
        cleared
    }
}

/// Everything that an earlier brain wrote down, or the first thing that cannot be understood.
pub(crate) fn recall(fd: &OwnedFd, understood: &Understood) -> Result<Past, StateError> {
    let (past, refused) = recall_some(fd, understood);
    refused.into_iter().next().map_or(Ok(past), Err)
}

/// As much as can be understood, and what cannot.
pub(crate) fn recall_some(fd: &OwnedFd, understood: &Understood) -> (Past, Vec<StateError>) {
    let read = || -> Result<(u32, Vec<Slot>), StateError> {
        let slots = slots(fd)?;
        let header = slots.first().filter(|header| header.starts_with(MAGIC));
        let header = header.ok_or_else(|| StateError::damaged(WHAT, "it has no header"))?;
        let version = header[VERSION_AT].into();
        StateError::unless_understood(WHAT, version, understood)?;
        Ok((version, slots))
    };
    let (version, slots) = match read() {
        Ok(read) => read,
        Err(refused) => return (Past::default(), vec![refused]),
    };
    let mut past = Past::default();
    let mut refused = Vec::new();
    let header = &slots[0];
    past.ending = match (header[ENDING_AT], header[ENDING_AT + 1]) {
        (0, _) => None,
        (1, status) => Some(Ending::Exit { status }),
        (2, _) => Some(Ending::Renew),
        (other, _) => {
            refused.push(StateError::damaged(WHAT, format!("{other} is no ending")));
            None
        }
    };
    for (at, slot) in slots.iter().enumerate().skip(1) {
        let decoded = if version == 1 { first::decode(slot) } else { slot::decode(slot, &slots) };
        match decoded {
            Ok(recalled) => past.processes.extend(recalled),
            Err(why) => refused.push(StateError::damaged(format!("slot {at} of {WHAT}"), why)),
        }
    }
    (past, refused)
}

/// All slots, the header first.
fn slots(fd: &OwnedFd) -> Result<Vec<Slot>, StateError> {
    let unreadable = |error: io::Error| StateError::Unreadable { what: WHAT.to_owned(), error };
    let size = fstat(fd).map_err(|e| unreadable(e.into()))?.st_size;
    let mut bytes = vec![0; usize::try_from(size).map_err(|e| unreadable(io::Error::other(e)))?];
    let mut filled = 0;
    while filled < bytes.len() {
        match pread(fd, &mut bytes[filled..], filled as u64).map_err(|e| unreadable(e.into()))? {
            0 => return Err(StateError::damaged(WHAT, "it ends too early")),
            n => filled += n,
        }
    }
    let (slots, _) = bytes.as_chunks::<SLOT>();
    Ok(slots.to_vec())
}

fn offset(at: u32) -> u64 {
    u64::from(at) * SLOT as u64
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use provost_core::{Due, ExitStatus, Mono, Now, State, Wall};

    use super::*;
    use crate::kept::Versions;

    const OURS: Understood = Versions::OURS.memory;

    fn known(state: State) -> Known {
        Known {
            backoff: 2,
            exit: Some(ExitStatus::Signal { number: 11, core_dumped: true }),
            last: Some(ExitStatus::Code(-3)),
            started: Some(Now { mono: Mono(5), wall: Wall(-7) }),
            stopped: None,
            spawnerr: Some("can't find command 'é'".into()),
            due: Due::At(Mono(u64::MAX)),
            asked: true,
            restarts: [Mono(1), Mono(2)].into(),
            restarted: 4_000_000_000,
            end: Some(9),
            ..Known::of(state)
        }
    }

    fn recalled(memory: &Memory) -> Vec<Recalled> {
        recall(&memory.share().unwrap(), &OURS).unwrap().processes
    }

    #[test]
    fn what_was_written_is_recalled_as_it_was_last() {
        let mut memory = Memory::new(&OURS).unwrap();
        for state in State::ALL {
            let plain = Known { due: Due::Never, ..Known::of(state) };
            let full = Known { history: Arc::new(past::tests::history(12)), ..known(state) };
            memory.remember(ProcessId(7), "g", "p", &full).unwrap();
            memory.remember(ProcessId(8), "g", "q", &plain).unwrap();
            let found = recalled(&memory);
            assert_eq!((found[0].group.as_str(), found[0].process.as_str()), ("g", "p"));
            assert_eq!([&found[0].known, &found[1].known], [&full, &plain]);
        }
    }

    #[test]
    fn an_ending_under_way_is_recalled() {
        let mut memory = Memory::new(&OURS).unwrap();
        let ending = |memory: &Memory| recall(&memory.share().unwrap(), &OURS).unwrap().ending;
        assert_eq!(ending(&memory), None);
        for wanted in [Ending::Exit { status: 137 }, Ending::Renew, Ending::Exit { status: 0 }] {
            memory.remember_ending(wanted).unwrap();
            assert_eq!(ending(&memory), Some(wanted));
        }
    }

    #[test]
    fn a_removed_process_is_not_recalled_and_its_place_is_used_again() {
        let mut memory = Memory::new(&OURS).unwrap();
        for id in 0..3 {
            memory.remember(ProcessId(id), "g", &format!("p{id}"), &known(State::Fatal)).unwrap();
        }
        memory.forget(ProcessId(1)).unwrap();
        memory.remember(ProcessId(9), "g", "new", &known(State::Exited)).unwrap();
        let names: Vec<_> = recalled(&memory).into_iter().map(|r| r.process).collect();
        assert_eq!(names, ["p0", "new", "p2"]);
    }

    #[test]
    fn what_does_not_fit_one_slot_is_kept_in_several_and_they_are_used_again() {
        let mut memory = Memory::new(&OURS).unwrap();
        let name = "n".repeat(3000);
        for n in 0..100 {
            let restarts: Arc<[Mono]> = (0..10 * n).map(Mono).collect();
            let many = Known { restarts, ..known(State::Exited) };
            memory.remember(ProcessId(1), "g", &name, &many).unwrap();
            memory.remember(ProcessId(2), "g", "other", &many).unwrap();
            let found = recalled(&memory);
            assert_eq!((&found[0].process, &found[0].known), (&name, &many));
            assert_eq!((found[1].process.as_str(), &found[1].known), ("other", &many));
        }
        let size = fstat(&memory.fd).unwrap().st_size;
        assert!(size < 100 << 10, "{size} bytes for two processes");
        let long = Known { spawnerr: Some("é".repeat(1000)), ..known(State::Backoff) };
        memory.remember(ProcessId(2), "g", "other", &long).unwrap();
        assert_eq!(recalled(&memory)[1].known.spawnerr.as_ref().map(String::len), Some(512), "it is cut");
        let endless = "n".repeat(1 << 20);
        assert!(memory.remember(ProcessId(2), "g", &endless, &long).is_err());
        assert_eq!(recalled(&memory)[1].process, "other", "what was there before is still there");
    }

    /// A death between the slots of a process that has several.
    #[test]
    fn further_slots_count_only_when_the_first_names_them() {
        let mut memory = Memory::new(&OURS).unwrap();
        let with = |n: u64| Known { restarts: vec![Mono(n); 500].into(), ..known(State::Exited) };
        memory.remember(ProcessId(1), "g", "p", &with(1)).unwrap();
        let fields = slot::fields("g", "p", &with(2));
        let more: Vec<u32> = (0..slot::continuations(&fields)).map(|_| memory.unused()).collect();
        let (head, tails) = slot::encode(&fields, &more).unwrap();
        for (at, tail) in more.iter().zip(&tails) {
            memory.put(*at, tail).unwrap();
            assert_eq!(recalled(&memory)[0].known, with(1));
        }
        memory.put(1, &head).unwrap();
        assert_eq!(recalled(&memory)[0].known, with(2));
    }

    #[test]
    fn a_field_of_a_newer_build_is_skipped_and_one_that_is_missing_takes_its_default() {
        let memory = Memory::new(&OURS).unwrap();
        let known = known(State::Stopping);
        let newer = [&slot::fields("g", "p", &known)[..], &[77, 0, 3, 0, 0, 0], b"new"].concat();
        let least: Vec<u8> = [(1u16, &b"g"[..]), (2, b"q"), (3, &200i32.to_le_bytes())]
            .into_iter()
            .flat_map(|(n, bytes)| {
                [&n.to_le_bytes()[..], &(bytes.len() as u32).to_le_bytes(), bytes].concat()
            })
            .collect();
        for (at, fields) in [(1, newer), (2, least)] {
            memory.put(at, &slot::encode(&fields, &[]).unwrap().0).unwrap();
        }
        let found = recalled(&memory);
        assert_eq!(found[0].known, known);
        assert_eq!(found[1].known, Known::of(State::Fatal));
    }

    #[test]
    fn another_version_is_refused_unless_it_is_understood() {
        let future = Memory::new(&(3..=9)).unwrap();
        let refused = recall(&future.share().unwrap(), &OURS).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the memory of processes has version 9, and this build understands 1 to 2"
        );
        assert_eq!(recall(&future.share().unwrap(), &(3..=9)).unwrap(), Past::default());
        let ours = Memory::new(&OURS).unwrap();
        assert!(recall(&ours.share().unwrap(), &(3..=9)).is_err(), "nor does a later build read everything");
        pwrite(&ours.fd, b"something else", 0).unwrap();
        let refused = recall(&ours.share().unwrap(), &OURS).unwrap_err();
        assert_eq!(refused.to_string(), "the memory of processes is damaged: it has no header");
    }

    #[test]
    fn a_slot_with_any_byte_changed_is_refused_and_the_others_are_not() {
        let mut memory = Memory::new(&OURS).unwrap();
        memory.remember(ProcessId(0), "g", "well", &known(State::Running)).unwrap();
        memory.remember(ProcessId(1), "g", "p", &known(State::Running)).unwrap();
        let fields = slot::fields("g", "p", &known(State::Running));
        let good = slot::encode(&fields, &[]).unwrap().0;
        for at in 4..20 + fields.len() {
            let mut bad = good;
            bad[at] ^= 0x10;
            memory.put(2, &bad).unwrap();
            let (past, refused) = recall_some(&memory.share().unwrap(), &OURS);
            assert_eq!(past.processes.len(), 1, "byte {at}");
            let refused = refused[0].to_string();
            assert!(refused.starts_with("slot 2 of the memory of processes is damaged: "), "{refused}");
            assert!(recall(&memory.share().unwrap(), &OURS).is_err());
        }
    }

    #[test]
    fn slots_of_any_content_are_refused_not_trusted() {
        // Checksums are right here, so that what is behind them is looked at.
        let fields = slot::fields("g", "p", &known(State::Running));
        for at in 0..fields.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bad = fields.clone();
                bad[at] ^= flip;
                // Whatever comes of it, it is no panic.
                let slot = slot::encode(&bad, &[]).unwrap().0;
                let _ = slot::decode(&slot, &[slot]);
            }
            let _ = slot::decode(&slot::encode(&fields[..at], &[]).unwrap().0, &[]);
        }
        assert!(slot::decode(&[0xff; SLOT], &[]).is_err());
        assert!(first::decode(&[0xff; SLOT]).is_err());
    }

    /// What daemons wrote down when these were the newest versions.
    #[test]
    fn recorded_memories_are_read_by_every_later_build() {
        for (version, bytes) in [
            (1, &include_bytes!("../recorded/memory-1.bin")[..]),
            (2, &include_bytes!("../recorded/memory-2.bin")[..]),
        ] {
            let past = recall(&crate::kept::write("memory", bytes).unwrap(), &OURS).unwrap();
            let told: Vec<String> = past.processes.iter().map(in_words).collect();
            assert_eq!(
                told,
                [
                    "backoff:backoff BACKOFF after 3, None, Exited too quickly (process log may have details)",
                    "g:exited EXITED after 0, Some(Code(3)), Bad exit code 3",
                    "g:fatal FATAL after 0, None, can't find command 'nowhere'",
                    "killed:killed EXITED after 0, Some(Signal { number: 6, core_dumped: false }), Bad exit code -1",
                    "running:running RUNNING after 0, None, ",
                    "stopped:stopped STOPPED after 0, Some(Signal { number: 15, core_dumped: false }), ",
                    "stopping:stopping STOPPING after 0, None, ",
                ],
                "version {version}"
            );
            let dues = past.processes.iter().filter(|p| matches!(p.known.due, Due::At(_))).count();
            let asked = past.processes.iter().filter(|p| p.known.asked).count();
            let ends = past.processes.iter().filter(|p| p.known.end.is_some()).count();
            assert_eq!((dues, asked, ends), if version == 1 { (0, 0, 0) } else { (2, 1, 3) });
        }
    }

    fn in_words(recalled: &Recalled) -> String {
        let Recalled { group, process, known } = recalled;
        let (state, error) = (known.state.name(), known.spawnerr.as_deref().unwrap_or_default());
        format!("{group}:{process} {state} after {}, {:?}, {error}", known.backoff, known.exit)
    }

    /// Set for the process that writes until it is killed, into the memory that is its standard input.
    const WRITER: &str = "PROVOST_TEST_WRITER";

    #[test]
    fn a_writer_killed_at_any_moment_leaves_whole_slots() {
        if std::env::var_os(WRITER).is_some() {
            return write_for_ever();
        }
        let myself = std::env::current_exe().unwrap();
        for round in 0..200 {
            let memory = Memory::new(&OURS).unwrap();
            let mut writer = Command::new(&myself)
                .args(["--exact", "memory::tests::a_writer_killed_at_any_moment_leaves_whole_slots"])
                .env(WRITER, "1")
                .stdin(memory.share().unwrap())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            // Until it is in the middle of it, more or less far. What is being written may not make sense yet.
            let so_far = || recall_some(&memory.share().unwrap(), &OURS).0.processes;
            while so_far().first().is_none_or(|found| found.known.backoff < 1 + round % 50) {
                std::hint::spin_loop();
            }
            writer.kill().unwrap();
            writer.wait().unwrap();
            let found = recalled(&memory);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].known, nth(found[0].known.backoff), "half of one, half of another");
        }
    }

    fn write_for_ever() {
        let fd = std::io::stdin();
        let fd = rustix::io::fcntl_dupfd_cloexec(&fd, 3).unwrap();
        let mut memory = Memory { fd, slots: BTreeMap::new(), free: Vec::new(), next: 1 };
        // Its end is the tester's affair; without one it comes with the last number.
        for n in 0..u32::MAX {
            memory.remember(ProcessId(1), "g", "p", &nth(n)).unwrap();
        }
    }

    /// All of it depends on the number, and now and then it takes several slots.
    fn nth(n: u32) -> Known {
        let restarts = vec![Mono(n.into()); if n.is_multiple_of(3) { 400 } else { 40 }];
        let spawnerr = Some(n.to_string().repeat(8));
        Known {
            backoff: n,
            restarts: restarts.into(),
            spawnerr,
            end: Some(n.into()),
            ..known(State::Backoff)
        }
    }
}
