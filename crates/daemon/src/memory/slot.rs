//! A process's slot, second layout: fields with numbers and lengths, of which any may be absent.
//!
//! In: what is known of a process. Out: its slot, and others behind it where one is too small; and back again, or what is
//! wrong with them. All numbers are little-endian. A slot begins with its kind; that of a process goes on with
//!
//! ```text
//! length of the fields (4)  checksum of the fields (8)  number of further slots (4)  their numbers (4 each)  fields
//! ```
//!
//! and the further slots hold, behind their kind, the rest of the fields. A field is its number (2), its length (4) and
//! its bytes. Numbers are never used again for something else; what a reader does not know, it skips.

use std::io;
use std::sync::Arc;

use provost_core::{Due, History, Memory as Known, Mono, Now, State, Wall};

use super::bytes::{cut, of_status, take, to_array, to_status};
use super::{Recalled, past};

pub(super) const SLOT: usize = 1024;
pub(super) type Slot = [u8; SLOT];

const FREE: u32 = 0;
// 1 is a process of the first layout.
const PROCESS: u32 = 2;
const MORE: u32 = 3;

/// What a process's slot has before the numbers of further slots.
const HEAD: usize = 20;
const TAIL: usize = SLOT - 4;
/// An error text longer than this is cut.
const LONGEST_ERROR: usize = 512;

mod field {
    pub(super) const GROUP: u16 = 1;
    pub(super) const PROCESS: u16 = 2;
    pub(super) const STATE: u16 = 3;
    pub(super) const BACKOFF: u16 = 4;
    pub(super) const EXIT: u16 = 5;
    pub(super) const LAST: u16 = 6;
    pub(super) const STARTED: u16 = 7;
    pub(super) const STOPPED: u16 = 8;
    pub(super) const ERROR: u16 = 9;
    /// Empty where nothing is due.
    pub(super) const DUE: u16 = 10;
    pub(super) const ASKED: u16 = 11;
    pub(super) const RESTARTS: u16 = 12;
    pub(super) const END: u16 = 13;
    /// Absent where there were none.
    pub(super) const RESTARTED: u16 = 14;
    // 15 to 20 are in `past.rs`.
    /// Absent where it does not come back.
    pub(super) const RETURNS: u16 = 21;
}

// --- writing ---

/// All fields of a process.
pub(super) fn fields(group: &str, name: &str, known: &Known) -> Vec<u8> {
    let Known {
        state,
        backoff,
        exit,
        last,
        started,
        stopped,
        spawnerr,
        due,
        asked,
        restarts,
        restarted,
        end,
        history,
        returns,
    } = known;
    let mut out = Vec::with_capacity(512);
    let mut put = |number: u16, bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).expect("texts of a configuration fit 32 bits");
        out.extend(number.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(bytes);
    };
    put(field::GROUP, group.as_bytes());
    put(field::PROCESS, name.as_bytes());
    put(field::STATE, &state.code().to_le_bytes());
    put(field::BACKOFF, &backoff.to_le_bytes());
    for (number, status) in [(field::EXIT, exit), (field::LAST, last)] {
        if let Some(status) = status {
            put(number, &of_status(*status));
        }
    }
    for (number, at) in [(field::STARTED, started), (field::STOPPED, stopped)] {
        if let Some(at) = at {
            put(number, &[at.mono.0.to_le_bytes(), at.wall.0.to_le_bytes()].concat());
        }
    }
    if let Some(error) = spawnerr {
        put(field::ERROR, cut(error, LONGEST_ERROR).as_bytes());
    }
    match due {
        Due::Unknown => {}
        Due::Never => put(field::DUE, &[]),
        Due::At(at) => put(field::DUE, &at.0.to_le_bytes()),
    }
    if *asked {
        put(field::ASKED, &[1]);
    }
    if !restarts.is_empty() {
        put(field::RESTARTS, &restarts.iter().flat_map(|at| at.0.to_le_bytes()).collect::<Vec<_>>());
    }
    if *restarted > 0 {
        put(field::RESTARTED, &restarted.to_le_bytes());
    }
    if let Some(number) = end {
        put(field::END, &number.to_le_bytes());
    }
    if *returns {
        put(field::RETURNS, &[1]);
    }
    past::fields(history, put);
    out
}

/// How many slots are needed beside the process's own.
pub(super) fn continuations(fields: &[u8]) -> usize {
    // Each takes four bytes for its number away.
    fields.len().saturating_sub(SLOT - HEAD).div_ceil(TAIL - 4)
}

/// The process's own slot, and the others, of which the numbers are given.
pub(super) fn encode(fields: &[u8], more: &[u32]) -> io::Result<(Slot, Vec<Slot>)> {
    let mut head = Vec::with_capacity(SLOT);
    head.extend(PROCESS.to_le_bytes());
    head.extend(u32::try_from(fields.len()).map_err(io::Error::other)?.to_le_bytes());
    head.extend(checksum(fields).to_le_bytes());
    head.extend(u32::try_from(more.len()).map_err(io::Error::other)?.to_le_bytes());
    head.extend(more.iter().flat_map(|at| at.to_le_bytes()));
    let Some(room) = SLOT.checked_sub(head.len()) else {
        return Err(io::Error::other("the name of a process is too long to be remembered"));
    };
    let (first, rest) = fields.split_at(room.min(fields.len()));
    head.extend(first);
    let tails = rest.chunks(TAIL).map(|part| filled(&[&MORE.to_le_bytes()[..], part].concat())).collect();
    Ok((filled(&head), tails))
}

fn filled(bytes: &[u8]) -> Slot {
    let mut slot = [0; SLOT];
    slot[..bytes.len()].copy_from_slice(bytes);
    slot
}

/// FNV-1a, by Fowler, Noll and Vo: a few lines, and no change of a byte leaves it as it is.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

// --- reading ---

/// The process of this slot, if it is one's own; `all` are the slots that it may refer to.
pub(super) fn decode(slot: &Slot, all: &[Slot]) -> Result<Option<Recalled>, String> {
    let mut rest = &slot[..];
    match u32::from_le_bytes(take(&mut rest)?) {
        FREE | MORE => Ok(None),
        PROCESS => process(&gather(rest, all)?).map(Some),
        other => Err(format!("{other} is no kind of slot")),
    }
}

/// The fields, from all the slots that they lie in.
fn gather(mut rest: &[u8], all: &[Slot]) -> Result<Vec<u8>, String> {
    let length = u32::from_le_bytes(take(&mut rest)?) as usize;
    let expected = u64::from_le_bytes(take(&mut rest)?);
    let more = u32::from_le_bytes(take(&mut rest)?);
    let more: Vec<u32> = (0..more).map_while(|_| take(&mut rest).ok().map(u32::from_le_bytes)).collect();
    let mut fields = rest.to_vec();
    for at in more {
        let tail = all.get(at as usize).and_then(|slot| slot.strip_prefix(&MORE.to_le_bytes()));
        fields.extend(tail.ok_or_else(|| format!("its continuation in slot {at} is missing"))?);
    }
    if length > fields.len() {
        return Err("it is shorter than it says".to_owned());
    }
    fields.truncate(length);
    match checksum(&fields) == expected {
        true => Ok(fields),
        false => Err("its checksum is wrong".to_owned()),
    }
}

fn process(mut fields: &[u8]) -> Result<Recalled, String> {
    let (mut group, mut name, mut state) = (None, None, None);
    let mut known = Known::of(State::Stopped);
    let mut told = History::default();
    while !fields.is_empty() {
        let number = u16::from_le_bytes(take(&mut fields)?);
        let length = u32::from_le_bytes(take(&mut fields)?) as usize;
        let (bytes, rest) = fields.split_at_checked(length).ok_or("a field is longer than the rest")?;
        fields = rest;
        let wrong = || format!("field {number} makes no sense");
        match number {
            field::GROUP => group = Some(to_text(bytes).ok_or_else(wrong)?),
            field::PROCESS => name = Some(to_text(bytes).ok_or_else(wrong)?),
            field::STATE => state = Some(to_state(bytes).ok_or_else(wrong)?),
            field::BACKOFF => known.backoff = to_array(bytes).map(u32::from_le_bytes).ok_or_else(wrong)?,
            field::EXIT => known.exit = Some(to_status(bytes).ok_or_else(wrong)?),
            field::LAST => known.last = Some(to_status(bytes).ok_or_else(wrong)?),
            field::STARTED => known.started = Some(to_now(bytes).ok_or_else(wrong)?),
            field::STOPPED => known.stopped = Some(to_now(bytes).ok_or_else(wrong)?),
            field::ERROR => known.spawnerr = Some(to_text(bytes).ok_or_else(wrong)?),
            field::DUE if bytes.is_empty() => known.due = Due::Never,
            field::DUE => known.due = Due::At(to_mono(bytes).ok_or_else(wrong)?),
            field::ASKED => known.asked = true,
            field::RETURNS => known.returns = true,
            field::RESTARTS => known.restarts = to_times(bytes).ok_or_else(wrong)?,
            field::END => known.end = Some(to_array(bytes).map(u64::from_le_bytes).ok_or_else(wrong)?),
            field::RESTARTED => {
                known.restarted = to_array(bytes).map(u32::from_le_bytes).ok_or_else(wrong)?;
            }
            number => past::read(number, bytes, &mut told),
        }
    }
    match (group, name, state) {
        (Some(group), Some(process), Some(state)) => {
            Ok(Recalled { group, process, known: Known { state, history: Arc::new(told), ..known } })
        }
        _ => Err("it does not say whose state it is".to_owned()),
    }
}

fn to_text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn to_mono(bytes: &[u8]) -> Option<Mono> {
    to_array(bytes).map(|bytes| Mono(u64::from_le_bytes(bytes)))
}

fn to_now(bytes: &[u8]) -> Option<Now> {
    let (mono, wall) = bytes.split_at_checked(8)?;
    Some(Now { mono: to_mono(mono)?, wall: Wall(i64::from_le_bytes(to_array(wall)?)) })
}

fn to_times(bytes: &[u8]) -> Option<Arc<[Mono]>> {
    bytes.chunks(8).map(to_mono).collect()
}

fn to_state(bytes: &[u8]) -> Option<State> {
    let code = i32::from_le_bytes(to_array(bytes)?);
    State::ALL.into_iter().find(|state| state.code() == code)
}
