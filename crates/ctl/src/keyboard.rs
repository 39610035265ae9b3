//! Lines from the person, or the script, on stdin.
//!
//! Read without the standard library's buffer, because `fg` waits for the
//! keyboard and the network at once and must know whether a line is there.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::termios::{FlushArg, LocalFlags, SetArg, tcflush, tcgetattr, tcsetattr};

use crate::editor::Editor;
pub(crate) use crate::editor::Typed;
use crate::interrupt::{Interrupt, Woken};

#[derive(Debug)]
pub(crate) struct Keyboard {
    input: OwnedFd,
    pending: Vec<u8>,
    ended: bool,
    /// Where lines can be edited.
    editor: Option<Editor>,
    /// Something was read past the editor since it was last used.
    read_otherwise: bool,
}

impl Keyboard {
    pub(crate) fn new(input: OwnedFd) -> Keyboard {
        Keyboard { input, pending: Vec::new(), ended: false, editor: None, read_otherwise: false }
    }

    /// From now on whole lines are typed with this.
    pub(crate) fn edit_with(&mut self, editor: Editor) {
        self.editor = Some(editor);
    }

    /// What lines are typed with at a terminal. Prompts are its affair then.
    pub(crate) fn editor(&mut self) -> Option<&mut Editor> {
        let editor = self.editor.as_mut()?;
        if std::mem::take(&mut self.read_otherwise) {
            editor.forget_typed_ahead();
            self.pending.clear();
        }
        Some(editor)
    }

    /// Whether a person sits there, as far as can be told.
    pub(crate) fn is_terminal(&self) -> bool {
        self.input.is_terminal()
    }

    /// Waits for a line.
    pub(crate) fn line(&mut self, interrupt: &Interrupt) -> io::Result<Typed> {
        loop {
            if let Some(typed) = self.take() {
                return Ok(typed);
            }
            match interrupt.wait(&[self.input.as_fd()])? {
                Woken::Interrupted => return Ok(Typed::Interrupted),
                Woken::Ready(_) => self.fill()?,
            }
        }
    }

    /// Waits for a line that nobody should see on the screen. `ask` is called when nothing is shown any more, so
    /// that whoever answers quickly is not shown, nor lost.
    pub(crate) fn secret(&mut self, interrupt: &Interrupt, ask: impl FnOnce()) -> io::Result<Typed> {
        let Ok(shown) = tcgetattr(&self.input) else {
            // Not a terminal: nothing is shown anyway.
            ask();
            return self.line(interrupt);
        };
        let mut hidden = shown.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&self.input, SetArg::TCSAFLUSH, &hidden)?;
        ask();
        let typed = self.line(interrupt);
        tcsetattr(&self.input, SetArg::TCSAFLUSH, &shown)?;
        typed
    }

    /// Drops what was typed ahead for somebody who is gone. A pipe keeps its lines, as it always did.
    pub(crate) fn forget(&mut self) {
        if self.editor.is_some() {
            self.pending.clear();
            // At worst it is still there.
            let _ = tcflush(&self.input, FlushArg::TCIFLUSH);
        }
    }

    /// What is there already.
    pub(crate) fn take(&mut self) -> Option<Typed> {
        if let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            return Some(Typed::Line(text(&line)));
        }
        match (self.ended, self.pending.is_empty()) {
            (false, _) => None,
            (true, true) => {
                // Ctrl-D at a terminal ends what is going on, and not the terminal.
                self.ended = self.editor.is_none();
                Some(Typed::End)
            }
            // A last line without an end.
            (true, false) => Some(Typed::Line(text(&std::mem::take(&mut self.pending)))),
        }
    }

    /// Reads what there is; blocks when there is nothing.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        self.read_otherwise = true;
        let mut buffer = [0; 4096];
        let count = nix::unistd::read(&self.input, &mut buffer)?;
        self.pending.extend_from_slice(&buffer[..count]);
        self.ended = count == 0;
        Ok(())
    }
}

impl AsFd for Keyboard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_one_by_one_and_the_last_needs_no_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"status\r\n\nquit").unwrap();
        drop(writer);
        let mut keyboard = Keyboard::new(reader.into());
        let interrupt = Interrupt::default();
        for expected in [
            Typed::Line("status".to_owned()),
            Typed::Line(String::new()),
            Typed::Line("quit".to_owned()),
            Typed::End,
            Typed::End,
        ] {
            assert_eq!(keyboard.line(&interrupt).unwrap(), expected);
        }
    }

    #[test]
    fn a_secret_may_come_from_a_pipe() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"s3cret\n").unwrap();
        let typed = Keyboard::new(reader.into()).secret(&Interrupt::default(), || {}).unwrap();
        assert_eq!(typed, Typed::Line("s3cret".to_owned()));
    }
}
