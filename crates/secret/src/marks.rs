//! Marks: what was once found right can be recognised without being kept.
//!
//! A mark is a keyed hash of a name, what was given, and the stored entry that it was right for. The key is random and never
//! leaves the process, so marks in a dump of memory say nothing to whoever has not got the key beside them, and change an
//! entry and its marks are nobody's.

use std::io;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Stored;
use crate::make::random;

/// The key of this process.
pub struct Marks(Hmac<Sha256>);

/// Says nothing about what it marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark([u8; 32]);

impl Marks {
    pub fn new() -> io::Result<Marks> {
        Ok(Marks(Hmac::new(&random::<64>()?.into())))
    }

    /// Of `given`, said by `who`, for `stored`. Takes a microsecond.
    pub fn mark(&self, who: &[u8], given: &[u8], stored: &Stored) -> Mark {
        let mut hmac = self.0.clone();
        for part in [who, given, stored.digest()] {
            // Lengths first, so that ("a", "bc") is not ("ab", "c").
            hmac.update(&(part.len() as u64).to_le_bytes());
            hmac.update(part);
        }
        Mark(hmac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_and_the_key_make_a_difference() {
        let marks = Marks::new().unwrap();
        let (pw, other) = (Stored::parse("pw").unwrap(), Stored::parse("other").unwrap());
        let mark = marks.mark(b"jo", b"pw", &pw);
        assert_eq!(mark, marks.mark(b"jo", b"pw", &pw.clone()));
        for different in [
            marks.mark(b"j", b"opw", &pw),
            marks.mark(b"jo", b"pw ", &pw),
            marks.mark(b"jo", b"pw", &other),
            Marks::new().unwrap().mark(b"jo", b"pw", &pw),
        ] {
            assert_ne!(mark, different);
        }
        assert_eq!(format!("{marks:?}"), "Marks");
    }
}
