//! What an event listener does, in single steps, so that a test can write a good one, or any bad one; and what one was told.
//!
//! In: standard input, and a file for what came out of it. Out: words of the protocol on standard output. What was told lies in
//! the file byte by byte, and [`told`] takes it apart: a message that is not whole, or not followed by the next, is found there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// A listener's standard input.
#[derive(Debug, Default)]
pub struct Listening {
    /// Read, and not looked at.
    waiting: Vec<u8>,
}

/// An event, as a listener was told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub serial: u64,
    pub pool_serial: u64,
    pub event: String,
    pub payload: Vec<u8>,
}

impl Listening {
    /// Reads one whole event, and appends it to the file before anything else is done; false at the end.
    pub fn event(&mut self, file: Option<&Path>) -> io::Result<bool> {
        let mut file = file.map(append).transpose()?;
        self.next(file.as_mut())
    }

    /// A listener in order, until there is nothing more to hear. What was read is in the file before it is answered.
    pub fn listen(&mut self, file: &Path) -> io::Result<()> {
        let mut file = append(file)?;
        say(b"READY\n")?;
        while self.next(Some(&mut file))? {
            say(b"RESULT 2\nOKREADY\n")?;
        }
        Ok(())
    }

    /// The same, but each event is accepted when no more than its first line has been read. The rest is read after a pause.
    pub fn listen_early(&mut self, file: &Path, pause: Duration) -> io::Result<()> {
        let mut file = append(file)?;
        say(b"READY\n")?;
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\n") {
                let mut byte = [0];
                if rustix::io::read(io::stdin(), &mut byte)? == 0 {
                    return Ok(());
                }
                line.push(byte[0]);
            }
            let (_, mut left) = header(line.trim_ascii_end()).ok_or(io::ErrorKind::InvalidData)?;
            say(b"RESULT 2\nOK")?;
            std::thread::sleep(pause);
            file.write_all(&line)?;
            let mut piece = vec![0; 64 * 1024];
            while left > 0 {
                let most = left.min(piece.len());
                let read = rustix::io::read(io::stdin(), &mut piece[..most])?;
                file.write_all(&piece[..read])?;
                left -= read;
            }
            say(b"READY\n")?;
        }
    }

    /// Reads the line before a payload, and nothing of that.
    pub fn head(&mut self) -> io::Result<()> {
        let mut byte = [0];
        while rustix::io::read(io::stdin(), &mut byte)? == 1 && byte != *b"\n" {}
        Ok(())
    }

    /// Reads so many bytes.
    pub fn eat(&mut self, bytes: usize) -> io::Result<()> {
        let (mut left, mut piece) = (bytes, vec![0; 64 * 1024]);
        while left > 0 {
            let most = left.min(piece.len());
            match rustix::io::read(io::stdin(), &mut piece[..most])? {
                0 => return Ok(()),
                read => left -= read,
            }
        }
        Ok(())
    }

    fn next(&mut self, mut file: Option<&mut File>) -> io::Result<bool> {
        let mut piece = vec![0; 64 * 1024];
        loop {
            if let Some((_, length)) = first(&self.waiting) {
                self.waiting.drain(..length);
                return Ok(true);
            }
            let read = rustix::io::read(io::stdin(), &mut piece)?;
            if read == 0 {
                return Ok(false);
            }
            if let Some(file) = &mut file {
                file.write_all(&piece[..read])?;
            }
            self.waiting.extend_from_slice(&piece[..read]);
        }
    }
}

/// Says this in one piece, past the language's buffer, which would cut it at lines.
pub fn say(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[rustix::io::write(io::stdout(), bytes)?..];
    }
    Ok(())
}

/// Says it byte by byte, with a pause before each.
pub fn dribble(bytes: &[u8], pause: Duration) -> io::Result<()> {
    bytes.iter().try_for_each(|byte| {
        std::thread::sleep(pause);
        say(&[*byte])
    })
}

/// All events in the file of one listener. What is told last may not be whole yet; `rest` is that.
///
/// # Panics
/// When something stands there that is no event.
#[must_use]
#[track_caller]
pub fn told(file: &Path) -> (Vec<Told>, Vec<u8>) {
    let all = fs::read(file).unwrap_or_default();
    let (mut events, mut rest) = (Vec::new(), &*all);
    while let Some((event, length)) = first(rest) {
        events.push(event);
        rest = &rest[length..];
    }
    let line = rest.iter().position(|byte| *byte == b'\n');
    let is_begun = match line {
        Some(end) => header(&rest[..end]).is_some(),
        None => b"ver:3.0 ".starts_with(&rest[..rest.len().min(8)]),
    };
    assert!(
        is_begun,
        "{}: behind {} events stands no event: {:?}",
        file.display(),
        events.len(),
        String::from_utf8_lossy(&rest[..rest.len().min(300)])
    );
    (events, rest.to_vec())
}

/// The event at the beginning, and how many bytes it has, if it is there to its end.
fn first(bytes: &[u8]) -> Option<(Told, usize)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (mut told, length) = header(&bytes[..end])?;
    told.payload = bytes.get(end + 1..end + 1 + length)?.to_vec();
    Some((told, end + 1 + length))
}

fn header(line: &[u8]) -> Option<(Told, usize)> {
    let line = str::from_utf8(line).ok()?;
    let names = ["ver", "server", "serial", "pool", "poolserial", "eventname", "len"];
    let mut tokens = line.split(' ');
    let values = names
        .map(|name| tokens.next()?.split_once(':').filter(|token| token.0 == name))
        .map(|t| t.map(|t| t.1));
    let [Some("3.0"), _, serial, _, pool_serial, event, length] = values else { return None };
    let told = Told {
        serial: serial?.parse().ok()?,
        pool_serial: pool_serial?.parse().ok()?,
        event: event?.to_owned(),
        payload: Vec::new(),
    };
    tokens.next().is_none().then_some((told, length?.parse().ok()?))
}

fn append(file: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sandbox;

    const ONE: &str = "ver:3.0 server:s serial:7 pool:p poolserial:3 eventname:TICK_5 len:6\nwhen:5";

    #[test]
    fn events_are_taken_apart_and_half_of_one_is_the_rest() {
        let sandbox = Sandbox::new();
        let file = sandbox.file("told");
        assert_eq!(told(&file), (Vec::new(), Vec::new()));
        fs::write(&file, format!("{ONE}{ONE}{}", &ONE[..70])).unwrap();
        let (events, rest) = told(&file);
        let one = Told { serial: 7, pool_serial: 3, event: "TICK_5".to_owned(), payload: b"when:5".to_vec() };
        assert_eq!((events, rest.as_slice()), (vec![one.clone(), one], &ONE.as_bytes()[..70]));
    }

    #[test]
    #[should_panic(expected = "behind 1 events stands no event: \"5ver:3.0")]
    fn what_is_no_event_is_found() {
        let sandbox = Sandbox::new();
        fs::write(sandbox.file("told"), format!("{ONE}5{ONE}")).unwrap();
        let _ = told(&sandbox.file("told"));
    }
}
