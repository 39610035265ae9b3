//! An event as it lies in a queue: numbers, its type, its payload. Bytes in, bytes out.
//!
//! The type is written by its name, so that a brain of another build knows which one it is, or that it knows none such.

use provost_core::Mono;
use provost_wire::events::EventType;

/// What stands before the name: payload's length, name's length, three numbers.
pub(super) const HEAD: usize = 32;

/// An event in a queue, or out with a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) serial: u64,
    pub(super) pool_serial: u64,
    /// When it was put into the queue.
    pub(super) at: Mono,
    /// Nothing where a build of another time has put it there.
    pub(super) kind: Option<EventType>,
    pub(super) payload: String,
}

/// What is known of a record by its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) serial: u64,
    pub(super) pool_serial: u64,
    pub(super) at: Mono,
    name: usize,
    payload: usize,
}

impl Head {
    pub(super) fn of(bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.first_chunk::<HEAD>()?;
        let word = |n: usize| u64::from_le_bytes(bytes[n * 8..][..8].try_into().expect("it has eight bytes"));
        let (payload, name) = (word(0) as u32 as usize, (word(0) >> 32) as usize);
        Some(Head { serial: word(1), pool_serial: word(2), at: Mono(word(3)), name, payload })
    }

    /// Of the whole record.
    pub(super) fn length(&self) -> usize {
        HEAD + self.name + self.payload
    }
}

/// Appends a record to `out`. Nothing is as long as four gigabytes here.
pub(super) fn write(
    out: &mut Vec<u8>,
    (serial, pool_serial, at): (u64, u64, Mono),
    kind: EventType,
    payload: &str,
) {
    let name = kind.name();
    let lengths = payload.len() as u64 | (name.len() as u64) << 32;
    for word in [lengths, serial, pool_serial, at.0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(payload.as_bytes());
}

/// The record that these bytes are, from the first to the last.
pub(super) fn read(bytes: &[u8]) -> Option<Record> {
    let head = Head::of(bytes)?;
    let (name, payload) = bytes.get(HEAD..head.length())?.split_at(head.name);
    Some(Record {
        serial: head.serial,
        pool_serial: head.pool_serial,
        at: head.at,
        kind: std::str::from_utf8(name).ok().and_then(EventType::named),
        payload: String::from_utf8(payload.to_vec()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, (7, 3, Mono(99)), EventType::Tick5, "when:5");
        let first = bytes.len();
        write(&mut bytes, (8, 4, Mono(100)), EventType::SupervisorRunning, "");
        assert_eq!(Head::of(&bytes).unwrap().length(), first);
        let record = read(&bytes[..first]).unwrap();
        assert_eq!((record.serial, record.pool_serial, record.at), (7, 3, Mono(99)));
        assert_eq!((record.kind, record.payload.as_str()), (Some(EventType::Tick5), "when:5"));
        assert_eq!(read(&bytes[first..]).unwrap().payload, "");
        assert_eq!(read(&bytes[..first - 1]), None);
        assert_eq!(Head::of(&bytes[..31]), None);
    }

    #[test]
    fn a_type_that_is_not_known_is_seen() {
        let mut bytes = Vec::new();
        write(&mut bytes, (1, 1, Mono(1)), EventType::Tick5, "");
        let end = bytes.len();
        bytes[end - 1] = b'7';
        assert_eq!(read(&bytes).unwrap().kind, None);
    }
}
