//! `supervisorctl`: the process around [`provost_ctl::main`] and nothing else.

use std::io::{self, BufWriter, IsTerminal as _};
use std::os::fd::AsFd;
use std::process::ExitCode;

use provost_ctl::{IsTerminal, Streams};
use provost_host::Host;

fn main() -> ExitCode {
    let argv: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let input = match io::stdin().as_fd().try_clone_to_owned() {
        Ok(input) => input,
        // Started with stdin closed: then there is nothing to read, which is what this says.
        Err(_) => match std::fs::File::open("/dev/null") {
            Ok(nothing) => nothing.into(),
            Err(_) => return ExitCode::FAILURE,
        },
    };
    let mut output = BufWriter::new(io::stdout().lock());
    let mut errors = io::stderr().lock();
    let is_terminal = IsTerminal { output: io::stdout().is_terminal(), errors: io::stderr().is_terminal() };
    let streams = Streams { input, output: &mut output, errors: &mut errors, is_terminal };
    ExitCode::from(provost_ctl::main(&argv, &Host::new(), streams))
}
