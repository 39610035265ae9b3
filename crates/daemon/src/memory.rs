//! What the next brain must know of each process, where this brain's death cannot reach it: a memfd that the keeper holds.
//!
//! One slot of fixed size per process, written whole by a single pwrite(2) when something about it changes. A
//! brain is killed between two system calls or inside one, and the kernel finishes copying a slot before it ends the
//! process: a reader finds the old slot or the new one. The first slot is a header with a version; a memory of
//! another version, or a slot that makes no sense, is ignored, and the process is then treated as never met.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use provost_core::{Ending, ExitStatus, Memory as Known, Mono, Now, ProcessId, State, Wall};
use rustix::fs::{MemfdFlags, fstat, memfd_create};
use rustix::io::{pread, pwrite};

/// The name under which the keeper holds it.
pub(crate) const HELD_AS: &str = "memory";

const SLOT: usize = 1024;
const MAGIC: &[u8; 8] = b"provost\x01";
/// Texts longer than this are not kept, neither names (then the process is not remembered) nor errors.
const LONGEST: usize = 256;

/// The memory, for writing.
#[derive(Debug)]
pub(crate) struct Memory {
    fd: OwnedFd,
    slots: BTreeMap<ProcessId, u64>,
    free: Vec<u64>,
    next: u64,
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
    /// An empty memory.
    pub(crate) fn new() -> io::Result<Memory> {
        let fd = memfd_create(HELD_AS, MemfdFlags::CLOEXEC)?;
        let mut header = [0; SLOT];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
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
        let Some(slot) = encode(group, name, known) else { return Ok(()) };
        let at = match self.slots.get(&process) {
            Some(at) => *at,
            None => {
                let at = self.free.pop().unwrap_or(self.next);
                self.next = self.next.max(at + 1);
                self.slots.insert(process, at);
                at
            }
        };
        pwrite(&self.fd, &slot, at * SLOT as u64).map(|_| ()).map_err(io::Error::from)
    }

    /// Writes down that everything is being stopped: two bytes of the header, what then and with which status.
    pub(crate) fn remember_ending(&mut self, ending: Ending) -> io::Result<()> {
        let bytes = match ending {
            Ending::Exit { status } => [1, status],
            Ending::Renew => [2, 0],
        };
        pwrite(&self.fd, &bytes, MAGIC.len() as u64).map(|_| ()).map_err(io::Error::from)
    }

    /// A process that was removed need not be remembered.
    pub(crate) fn forget(&mut self, process: ProcessId) -> io::Result<()> {
        let Some(at) = self.slots.remove(&process) else { return Ok(()) };
        self.free.push(at);
        pwrite(&self.fd, &[0; SLOT], at * SLOT as u64).map(|_| ()).map_err(io::Error::from)
    }
}

/// Everything that an earlier brain wrote down; nothing where its memory cannot be read.
pub(crate) fn recall(fd: &OwnedFd) -> Past {
    let size = fstat(fd).map_or(0, |stat| stat.st_size as u64);
    let read = |at: u64| {
        let mut slot = [0; SLOT];
        matches!(pread(fd, &mut slot, at), Ok(SLOT)).then_some(slot)
    };
    let Some(header) = read(0).filter(|header| header.starts_with(MAGIC)) else { return Past::default() };
    let ending = match header[MAGIC.len()] {
        1 => Some(Ending::Exit { status: header[MAGIC.len() + 1] }),
        2 => Some(Ending::Renew),
        _ => None,
    };
    let processes = (1..size / SLOT as u64).filter_map(|n| decode(&read(n * SLOT as u64)?)).collect();
    Past { processes, ending }
}

/// Numbers first, in little-endian order, then three texts with their lengths.
fn encode(group: &str, name: &str, known: &Known) -> Option<[u8; SLOT]> {
    let mut out = Vec::with_capacity(SLOT);
    out.extend(1u32.to_le_bytes());
    out.extend(known.state.code().to_le_bytes());
    out.extend(known.backoff.to_le_bytes());
    let (kind, number) = match known.exit {
        None => (0u32, 0),
        Some(ExitStatus::Code(code)) => (1, code),
        Some(ExitStatus::Signal { number, core_dumped: false }) => (2, number),
        Some(ExitStatus::Signal { number, core_dumped: true }) => (3, number),
        Some(ExitStatus::Unknown) => (4, 0),
    };
    out.extend(kind.to_le_bytes());
    out.extend(number.to_le_bytes());
    for at in [known.started, known.stopped] {
        let set = u32::from(at.is_some());
        let at = at.unwrap_or_default();
        out.extend(set.to_le_bytes());
        out.extend(at.mono.0.to_le_bytes());
        out.extend(at.wall.0.to_le_bytes());
    }
    out.extend(u32::from(known.spawnerr.is_some()).to_le_bytes());
    let error = known.spawnerr.as_deref().unwrap_or_default();
    let end = (0..=LONGEST).rev().find(|end| error.is_char_boundary(*end)).unwrap_or(0);
    let error = &error[..end.min(error.len())];
    for text in [group, name, error] {
        if text.len() > LONGEST {
            return None;
        }
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.as_bytes());
    }
    out.resize(SLOT, 0);
    out.try_into().ok()
}

fn decode(slot: &[u8; SLOT]) -> Option<Recalled> {
    let mut rest = &slot[..];
    if u32::from_le_bytes(take(&mut rest)?) != 1 {
        return None;
    }
    let code = i32::from_le_bytes(take(&mut rest)?);
    let state = State::ALL.into_iter().find(|state| state.code() == code)?;
    let backoff = u32::from_le_bytes(take(&mut rest)?);
    let (kind, number) = (u32::from_le_bytes(take(&mut rest)?), i32::from_le_bytes(take(&mut rest)?));
    let exit = match kind {
        0 => None,
        1 => Some(ExitStatus::Code(number)),
        2 | 3 => Some(ExitStatus::Signal { number, core_dumped: kind == 3 }),
        4 => Some(ExitStatus::Unknown),
        _ => return None,
    };
    let mut moment = || {
        let set = u32::from_le_bytes(take(&mut rest)?) == 1;
        let mono = Mono(u64::from_le_bytes(take(&mut rest)?));
        let wall = Wall(i64::from_le_bytes(take(&mut rest)?));
        Some(set.then_some(Now { mono, wall }))
    };
    let (started, stopped) = (moment()?, moment()?);
    let has_error = u32::from_le_bytes(take(&mut rest)?) == 1;
    let mut text = || {
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (text, after) = rest.split_at_checked(length)?;
        rest = after;
        String::from_utf8(text.to_vec()).ok()
    };
    let (group, process, error) = (text()?, text()?, text()?);
    let spawnerr = has_error.then_some(error);
    Some(Recalled { group, process, known: Known { state, backoff, exit, started, stopped, spawnerr } })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(state: State) -> Known {
        Known {
            state,
            backoff: 2,
            exit: Some(ExitStatus::Signal { number: 11, core_dumped: true }),
            started: Some(Now { mono: Mono(5), wall: Wall(-7) }),
            stopped: None,
            spawnerr: Some("can't find command 'é'".into()),
        }
    }

    #[test]
    fn what_was_written_is_recalled_as_it_was_last() {
        let mut memory = Memory::new().unwrap();
        for state in State::ALL {
            memory.remember(ProcessId(7), "g", "p", &known(state)).unwrap();
            memory
                .remember(ProcessId(8), "g", "q", &Known { exit: None, spawnerr: None, ..known(state) })
                .unwrap();
            let found = recall(&memory.share().unwrap()).processes;
            assert_eq!(found.len(), 2);
            assert_eq!((found[0].group.as_str(), found[0].process.as_str()), ("g", "p"));
            assert_eq!(found[0].known, known(state));
        }
    }

    #[test]
    fn an_ending_under_way_is_recalled() {
        let mut memory = Memory::new().unwrap();
        assert_eq!(recall(&memory.share().unwrap()).ending, None);
        for ending in [Ending::Exit { status: 137 }, Ending::Renew, Ending::Exit { status: 0 }] {
            memory.remember_ending(ending).unwrap();
            assert_eq!(recall(&memory.share().unwrap()).ending, Some(ending));
        }
    }

    #[test]
    fn a_removed_process_is_not_recalled_and_its_place_is_used_again() {
        let mut memory = Memory::new().unwrap();
        for id in 0..3 {
            memory.remember(ProcessId(id), "g", &format!("p{id}"), &known(State::Fatal)).unwrap();
        }
        memory.forget(ProcessId(1)).unwrap();
        memory.remember(ProcessId(9), "g", "new", &known(State::Exited)).unwrap();
        let names: Vec<_> =
            recall(&memory.share().unwrap()).processes.into_iter().map(|r| r.process).collect();
        assert_eq!(names, ["p0", "new", "p2"]);
    }

    #[test]
    fn a_long_error_is_cut_and_a_memory_of_another_kind_ignored() {
        let mut memory = Memory::new().unwrap();
        let long = Known { spawnerr: Some("é".repeat(1000)), ..known(State::Backoff) };
        memory.remember(ProcessId(1), "g", "p", &long).unwrap();
        let found = recall(&memory.share().unwrap()).processes;
        assert_eq!(found[0].known.spawnerr.as_ref().map(String::len), Some(LONGEST));
        pwrite(&memory.fd, b"something else", 0).unwrap();
        assert_eq!(recall(&memory.share().unwrap()), Past::default());
    }

    #[test]
    fn slots_of_any_content_are_refused_not_trusted() {
        let good = encode("g", "p", &known(State::Running)).unwrap();
        for at in 0..200 {
            let mut bad = good;
            bad[at] ^= 0xff;
            // Whatever comes of it, it is no panic; most often it is nothing.
            let _ = decode(&bad);
        }
        assert_eq!(decode(&[0; SLOT]), None);
        assert_eq!(decode(&[0xff; SLOT]), None);
    }
}
