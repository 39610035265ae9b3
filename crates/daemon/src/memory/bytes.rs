//! What fields of all kinds are made of: numbers, texts of a bounded length, the ends of children.
//!
//! In and out: bytes, little-endian. Which field holds what is not known here.

use provost_core::ExitStatus;

/// As much of it as fits into so many bytes.
pub(super) fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Takes a number off the front.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or("it ends in the middle of a number")?;
    *rest = tail;
    Ok(*head)
}

pub(super) fn to_array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// How it ended, in a byte, and the code or the signal.
pub(super) fn of_status(status: ExitStatus) -> Vec<u8> {
    let (kind, number) = match status {
        ExitStatus::Code(code) => (1, code),
        ExitStatus::Signal { number, core_dumped } => (2 + u8::from(core_dumped), number),
        ExitStatus::Unknown => (4, 0),
    };
    [&[kind][..], &number.to_le_bytes()].concat()
}

pub(super) fn to_status(bytes: &[u8]) -> Option<ExitStatus> {
    let (kind, number) = bytes.split_first()?;
    let number = i32::from_le_bytes(to_array(number)?);
    match kind {
        1 => Some(ExitStatus::Code(number)),
        2 | 3 => Some(ExitStatus::Signal { number, core_dumped: *kind == 3 }),
        4 => Some(ExitStatus::Unknown),
        _ => None,
    }
}
