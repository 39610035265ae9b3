//! Ctrl-C as something to wait for, next to sockets and the keyboard.
//!
//! Until [`Interrupt::catch`] is called Ctrl-C ends the program, as it ends any
//! other. After it, SIGINT is blocked and arrives through a descriptor, so that
//! whoever waits can tidy up. No handler, no thread, no flag.

use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    descriptor: OnceCell<OwnedFd>,
}

/// What there was to wait for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// For each descriptor, whether reading it will not block.
    Ready(Vec<bool>),
    Interrupted,
}

impl Interrupt {
    /// From now on Ctrl-C is news and not the end. Does nothing the second time.
    pub(crate) fn catch(&self) -> io::Result<()> {
        if self.descriptor.get().is_some() {
            return Ok(());
        }
        let only_int = SigSet::from(Signal::SIGINT);
        only_int.thread_block()?;
        let signals = SignalFd::with_flags(&only_int, SfdFlags::SFD_CLOEXEC)?;
        self.read_from(signals.as_fd().try_clone_to_owned()?);
        Ok(())
    }

    /// Whether Ctrl-C ends nothing by itself any more.
    pub(crate) fn is_caught(&self) -> bool {
        self.descriptor.get().is_some()
    }

    /// Whether Ctrl-C came while nobody waited. Told once.
    pub(crate) fn is_pressed(&self) -> io::Result<bool> {
        let Some(interrupt) = self.descriptor.get() else { return Ok(false) };
        let mut watched = [PollFd::new(interrupt.as_fd(), PollFlags::POLLIN)];
        let is_pressed = poll(&mut watched, PollTimeout::ZERO)? > 0;
        if is_pressed {
            nix::unistd::read(interrupt, &mut [0; 128])?;
        }
        Ok(is_pressed)
    }

    /// While `act` runs, SIGINT goes to the handler that it has, or ends the program.
    pub(crate) fn left_to_others<T>(&self, act: impl FnOnce() -> T) -> T {
        let only_int = SigSet::from(Signal::SIGINT);
        let is_ours = self.descriptor.get().is_some();
        // Neither fails for a signal that exists.
        if is_ours {
            let _ = only_int.thread_unblock();
        }
        let result = act();
        if is_ours {
            let _ = only_int.thread_block();
        }
        result
    }

    /// Takes this descriptor's being readable for Ctrl-C.
    fn read_from(&self, descriptor: OwnedFd) {
        // Only `catch` and tests come here, each once.
        let _ = self.descriptor.set(descriptor);
    }

    /// Sleeps for a while, or until Ctrl-C.
    pub(crate) fn pause(&self, time: Duration) -> io::Result<Woken> {
        let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        self.wait_for(&[], time)
    }

    /// Sleeps until one of the descriptors can be read, or Ctrl-C.
    pub(crate) fn wait(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<Woken> {
        self.wait_for(descriptors, PollTimeout::NONE)
    }

    fn wait_for(&self, descriptors: &[BorrowedFd<'_>], time: PollTimeout) -> io::Result<Woken> {
        let interrupt = self.descriptor.get().map(AsFd::as_fd);
        let mut watched: Vec<PollFd<'_>> = descriptors
            .iter()
            .copied()
            .chain(interrupt)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        loop {
            match poll(&mut watched, time) {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        // Hang-ups and errors count as readable: the read will tell.
        let mut ready: Vec<bool> = watched.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        if let Some(interrupt) = interrupt
            && ready.pop() == Some(true)
        {
            // Taken off the queue, so that the next Ctrl-C is news again.
            nix::unistd::read(interrupt, &mut [0; 128])?;
            return Ok(Woken::Interrupted);
        }
        Ok(Woken::Ready(ready))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::{PipeWriter, Write};

    /// An interrupt with a button to press in place of Ctrl-C.
    pub(crate) fn with_button() -> (Interrupt, PipeWriter) {
        let (reader, button) = io::pipe().unwrap();
        let interrupt = Interrupt::default();
        interrupt.read_from(reader.into());
        (interrupt, button)
    }

    #[test]
    fn ctrl_c_comes_before_everything_else_and_only_once() {
        let (interrupt, mut button) = with_button();
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        assert_eq!(interrupt.wait(&[reader.as_fd()]).unwrap(), Woken::Ready(vec![true]));
        button.write_all(b"!").unwrap();
        assert_eq!(interrupt.wait(&[reader.as_fd()]).unwrap(), Woken::Interrupted);
        assert_eq!(interrupt.wait(&[reader.as_fd()]).unwrap(), Woken::Ready(vec![true]));
    }

    #[test]
    fn a_closed_line_is_ready() {
        let (interrupt, _button) = with_button();
        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        assert_eq!(interrupt.wait(&[reader.as_fd()]).unwrap(), Woken::Ready(vec![true]));
    }
}
