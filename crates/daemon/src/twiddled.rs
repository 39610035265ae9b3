//! What has been done to groups without the configuration file, kept for the next brain: programs added, processes taken out.
//!
//! A program that was added is kept as it was asked for, with the generation that it was read beside and all that the machine was
//! asked besides: so the next brain reads it again, whatever has become of files and accounts. In the list of groups each is
//! a line of its own (`effective.rs`). What comes and goes leaves nothing behind.

use std::path::Path;
use std::sync::Arc;

use provost_config::{CliOverrides, ProcessConfig, Recorder, Recording, load_program};
use provost_host::Host;

use crate::kept::{StateError, Understood};

/// One deed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Twiddle {
    Program(Box<Program>),
    /// A process that the file knows is not there.
    Gone {
        group: String,
        process: String,
    },
}

/// A program that no file knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// The generation of the configuration beside which it was read.
    pub(crate) base: u32,
    group: String,
    program: String,
    options: Vec<(String, String)>,
    /// A recording of what that generation does not answer.
    answers: Vec<u8>,
    /// Processes of it that have been taken out again.
    gone: Vec<String>,
    /// Those that are there; not written down.
    there: Vec<String>,
}

/// The file, the command line and the machine, as for every reading.
pub(crate) type Source<'a> = (&'a Path, &'a CliOverrides, &'a Host);

impl Program {
    /// Reads a program beside a generation of this number, of which `record` is the recording.
    pub(crate) fn read(
        (base, record): (u32, &[u8]),
        (group, program): (&str, &str),
        options: Vec<(String, String)>,
        (path, overrides, host): Source<'_>,
    ) -> Result<(Program, Vec<Arc<ProcessConfig>>), String> {
        let recorder = Recorder::new(host);
        let files = Recording::from_bytes(record, &Recording::VERSIONS, &recorder)
            .map_err(|_| "the configuration in force cannot be read again".to_owned())?;
        let processes = load_program(path, overrides, &files, (group, program), &options)?;
        let there = processes.iter().map(|process| process.name.clone()).collect();
        let (group, program, gone) = (group.to_owned(), program.to_owned(), Vec::new());
        let answers = recorder.into_bytes();
        Ok((Program { base, group, program, options, answers, gone, there }, processes))
    }

    /// Reads it again.
    fn read_again(
        &mut self,
        record: &[u8],
        (path, overrides, host): Source<'_>,
        understood: &Understood,
    ) -> Result<Vec<Arc<ProcessConfig>>, StateError> {
        let what = format!("the program {} added to {}", self.program, self.group);
        let damaged = |_| StateError::damaged(&what, "it is no recording");
        let answers = Recording::from_bytes(&self.answers, understood, host).map_err(damaged)?;
        let files = Recording::from_bytes(record, understood, &answers).map_err(damaged)?;
        let name = (self.group.as_str(), self.program.as_str());
        let mut processes = load_program(path, overrides, &files, name, &self.options)
            .map_err(|why| StateError::damaged(&what, why))?;
        processes.retain(|process| !self.gone.contains(&process.name));
        self.there = processes.iter().map(|process| process.name.clone()).collect();
        Ok(processes)
    }
}

impl Twiddle {
    pub(crate) fn group(&self) -> &str {
        match self {
            Twiddle::Program(program) => &program.group,
            Twiddle::Gone { group, .. } => group,
        }
    }

    /// Does it again to the processes of its group; `record` gives the recording of a generation.
    pub(crate) fn repeat<'r>(
        &mut self,
        processes: &mut Vec<Arc<ProcessConfig>>,
        record: impl FnOnce(u32) -> Result<&'r [u8], StateError>,
        source: Source<'_>,
        understood: &Understood,
    ) -> Result<(), StateError> {
        match self {
            Twiddle::Gone { process, .. } => processes.retain(|known| known.name != *process),
            Twiddle::Program(program) => {
                processes.extend(program.read_again(record(program.base)?, source, understood)?);
            }
        }
        Ok(())
    }

    /// A line: fields that blanks divide, in hexadecimal digits, as they may hold anything.
    pub(crate) fn line(&self) -> String {
        match self {
            Twiddle::Gone { group, process } => format!("-{} {}", hex(group), hex(process)),
            Twiddle::Program(it) => {
                let mut fields =
                    vec![it.base.to_string(), hex(&it.group), hex(&it.program), hex(&it.answers)];
                fields.push(it.options.len().to_string());
                fields.extend(it.options.iter().flat_map(|(key, value)| [hex(key), hex(value)]));
                fields.extend(it.gone.iter().map(hex));
                format!("+{}", fields.join(" "))
            }
        }
    }

    /// What a line says; `None` if it is none of these.
    pub(crate) fn from_line(line: &str) -> Option<Twiddle> {
        let text = |field: &str| String::from_utf8(unhex(field)?).ok();
        if let Some(fields) = line.strip_prefix('-') {
            let (group, process) = fields.split_once(' ')?;
            return Some(Twiddle::Gone { group: text(group)?, process: text(process)? });
        }
        let mut fields = line.strip_prefix('+')?.split(' ');
        let base = fields.next()?.parse().ok()?;
        let (group, program, answers) =
            (text(fields.next()?)?, text(fields.next()?)?, unhex(fields.next()?)?);
        let count: usize = fields.next()?.parse().ok()?;
        let mut option = || Some((text(fields.next()?)?, text(fields.next()?)?));
        let mut options = Vec::new();
        for _ in 0..count {
            options.push(option()?);
        }
        let gone = fields.map(text).collect::<Option<_>>()?;
        let there = Vec::new();
        Some(Twiddle::Program(Box::new(Program { base, group, program, options, answers, gone, there })))
    }
}

/// Takes note that a process is gone from its group. A program of which nothing is left is as if it had never been.
pub(crate) fn process_gone(twiddles: &mut Vec<Twiddle>, group: &str, process: &str) {
    let found = twiddles.iter_mut().enumerate().find_map(|(at, twiddle)| match twiddle {
        Twiddle::Program(it) if it.group == group && it.there.iter().any(|name| name == process) => {
            Some((at, it))
        }
        Twiddle::Program(_) | Twiddle::Gone { .. } => None,
    });
    match found {
        None => twiddles.push(Twiddle::Gone { group: group.to_owned(), process: process.to_owned() }),
        Some((_, program)) if program.there.len() > 1 => {
            program.there.retain(|name| name != process);
            program.gone.push(process.to_owned());
        }
        Some((at, _)) => drop(twiddles.remove(at)),
    }
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || digits.len() % 2 == 1 {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(there: &[&str]) -> Twiddle {
        Twiddle::Program(Box::new(Program {
            base: 3,
            group: "g \u{e9}".into(),
            program: "p".into(),
            options: vec![("command".into(), "a \0\n b".into()), (String::new(), String::new())],
            answers: vec![0, 255, 32],
            gone: vec!["p_1".into(), String::new()],
            there: there.iter().map(|name| (*name).to_owned()).collect(),
        }))
    }

    #[test]
    fn a_line_says_all() {
        for twiddle in [program(&[]), Twiddle::Gone { group: "g".into(), process: " ".into() }] {
            let line = twiddle.line();
            assert!(!line.contains('\0'), "{line:?}");
            assert_eq!(Twiddle::from_line(&line), Some(twiddle));
        }
        for damaged in ["", "+", "-", "-6", "-67 7", "+3 67", "+3 67 70 00 1 61", "+x 67 70 00 0", "1 g"] {
            assert_eq!(Twiddle::from_line(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn what_comes_and_goes_leaves_nothing_behind() {
        let mut twiddles = vec![program(&["a", "b"])];
        process_gone(&mut twiddles, "g \u{e9}", "a");
        let Twiddle::Program(it) = &twiddles[0] else { panic!("it was one") };
        assert_eq!((it.there.len(), it.gone.last().unwrap().as_str()), (1, "a"));
        process_gone(&mut twiddles, "g \u{e9}", "b");
        assert_eq!(twiddles, []);
        process_gone(&mut twiddles, "g", "c");
        assert_eq!(twiddles, [Twiddle::Gone { group: "g".into(), process: "c".into() }]);
    }
}
