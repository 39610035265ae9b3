//! A process's slot as it was at first: numbers at fixed places, then three texts with their lengths.
//!
//! In: a slot. Out: the process, as far as was known then. Nobody writes this any more; it is read, so that a daemon of
//! that time can be gone on with.

use provost_core::{ExitStatus, Memory as Known, Mono, Now, State, Wall};

use super::Recalled;
use super::bytes::take;
use super::slot::Slot;

/// The process of this slot, if it is in use.
pub(super) fn decode(slot: &Slot) -> Result<Option<Recalled>, String> {
    let mut rest = &slot[..];
    match u32::from_le_bytes(take(&mut rest)?) {
        0 => Ok(None),
        1 => process(rest).map(Some),
        other => Err(format!("{other} is no kind of slot")),
    }
}

fn process(mut rest: &[u8]) -> Result<Recalled, String> {
    let code = i32::from_le_bytes(take(&mut rest)?);
    let state = State::ALL.into_iter().find(|state| state.code() == code);
    let state = state.ok_or_else(|| format!("{code} is no state"))?;
    let backoff = u32::from_le_bytes(take(&mut rest)?);
    let (kind, number) = (u32::from_le_bytes(take(&mut rest)?), i32::from_le_bytes(take(&mut rest)?));
    let exit = match kind {
        0 => None,
        1 => Some(ExitStatus::Code(number)),
        2 | 3 => Some(ExitStatus::Signal { number, core_dumped: kind == 3 }),
        other => return Err(format!("{other} is no way to end")),
    };
    let mut moment = || {
        let is_set = u32::from_le_bytes(take(&mut rest)?) == 1;
        let mono = Mono(u64::from_le_bytes(take(&mut rest)?));
        let wall = Wall(i64::from_le_bytes(take(&mut rest)?));
        Ok::<_, String>(is_set.then_some(Now { mono, wall }))
    };
    let (started, stopped) = (moment()?, moment()?);
    let has_error = u32::from_le_bytes(take(&mut rest)?) == 1;
    let mut text = || {
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (text, after) = rest.split_at_checked(length).ok_or("a text is longer than the slot")?;
        rest = after;
        String::from_utf8(text.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
    };
    let (group, process, error) = (text()?, text()?, text()?);
    let spawnerr = has_error.then_some(error);
    let known = Known { backoff, exit, started, stopped, spawnerr, ..Known::of(state) };
    Ok(Recalled { group, process, known })
}
