//! Standard output, of which somebody remembers whether everything has found its place.
//!
//! In: what is printed. Out: the same to the real one, and in the end what went wrong there, if that is anybody's affair: a
//! reader that has read enough (`supervisorctl status | head -1`) has not failed, a disk that is full has.

use std::io::{self, ErrorKind, Write};

pub(crate) struct Output<'a> {
    inner: &'a mut dyn Write,
    failure: Option<io::Error>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(inner: &'a mut dyn Write) -> Output<'a> {
        Output { inner, failure: None }
    }

    /// What could not be printed, when nothing more will be.
    pub(crate) fn failure(mut self) -> Option<io::Error> {
        // Remembered like any other.
        let _ = self.flush();
        self.failure
    }

    fn remembered<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted)
            && self.failure.is_none()
        {
            self.failure = Some(match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::from(error.kind()),
            });
        }
        result
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.remembered(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.remembered(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where nothing can be written, for this reason.
    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_remembered_and_a_reader_that_left_is_not() {
        for (kind, remembered) in [(ErrorKind::StorageFull, true), (ErrorKind::BrokenPipe, false)] {
            let mut broken = Broken(kind);
            let mut output = Output::new(&mut broken);
            assert!(output.write_all(b"x").is_err() && output.flush().is_ok());
            assert_eq!(output.failure().map(|error| error.kind()), remembered.then_some(kind));
        }
    }
}
