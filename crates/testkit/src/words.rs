//! What the words of scriptable programs share: bytes written as text, and writing them so that a reader's reads are known.
//!
//! In: a word of a script, and where to write. Out: bytes, in one write each. Not here: the words themselves, which are each
//! program's own.

use std::error::Error;
use std::os::fd::AsFd;

use rustix::io::ioctl_fionread;

/// The bytes that a text stands for; in it `\n`, `\r`, `\e` (ESC), `\s` (blank) and `\xHH`.
///
/// # Errors
/// When something else stands behind a backslash.
pub fn unescaped(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut parts = text.split('\\');
    let mut bytes: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        let (byte, used) = match part.as_bytes().first() {
            Some(b'n') => (b'\n', 1),
            Some(b'r') => (b'\r', 1),
            Some(b'e') => (0x1b, 1),
            Some(b's') => (b' ', 1),
            Some(b'x') => (u8::from_str_radix(part.get(1..3).unwrap_or_default(), 16)?, 3),
            _ => return Err(format!("no such escape: \\{part}").into()),
        };
        bytes.push(byte);
        bytes.extend_from_slice(&part.as_bytes()[used..]);
    }
    Ok(bytes)
}

/// Past the language's buffer, which would cut it at lines.
///
/// # Errors
/// When it cannot be written, or not at once.
pub fn write_at_once(to: impl AsFd, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    match rustix::io::write(to, bytes)? {
        n if n == bytes.len() => Ok(()),
        n => Err(format!("only {n} bytes were written at once").into()),
    }
}

/// Waits until the reader has taken everything. The kernel has no event for a pipe that was read empty, so this asks again
/// and again.
///
/// # Errors
/// When the kernel does not say how much there is to be read.
pub fn until_taken(to: impl AsFd) -> Result<(), Box<dyn Error>> {
    while ioctl_fionread(&to)? > 0 {
        std::thread::yield_now();
    }
    Ok(())
}
