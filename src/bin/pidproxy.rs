//! `pidproxy PIDFILE COMMAND [ARG...]`: stands in for a daemon that insists on going to the background (SPEC 1.4).
//!
//! Starts the command and passes signals on to whatever process the pidfile names at that moment. Ends with the
//! command's own status as soon as that ends (Supervisor's takes up to five seconds and forgets the status), and
//! with 0 right after passing on TERM, INT or QUIT.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

const PASSED_ON: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGQUIT];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let [_, pidfile, command, args @ ..] = args.as_slice() else {
        // On standard output and with status 1, as ever.
        let _ = writeln!(std::io::stdout(), "Usage: pidproxy PIDFILE COMMAND [ARG...]");
        return ExitCode::FAILURE;
    };
    let path = find(Path::new(command));
    match run(Path::new(pidfile), Command::new(path).args(args)) {
        Ok(code) => code,
        Err(e) => {
            let shown = Path::new(command).display();
            let _ = writeln!(std::io::stderr(), "pidproxy: cannot run {shown}: {e}");
            ExitCode::from(127)
        }
    }
}

/// In the working directory, as ever; a bare name that is not there is left to PATH.
fn find(command: &Path) -> PathBuf {
    let here = Path::new(".").join(command);
    if here.exists() { here } else { command.to_owned() }
}

fn run(pidfile: &Path, command: &mut Command) -> std::io::Result<ExitCode> {
    let mut watched: SigSet = PASSED_ON.into_iter().collect();
    watched.add(Signal::SIGCHLD);
    watched.thread_block()?;
    let signals = SignalFd::new(&watched)?;
    // The child starts with an empty signal mask: the standard library sees to that.
    let mut child = command.spawn()?;
    loop {
        if let Some(code) = ended(&mut child)? {
            return Ok(code);
        }
        let Some(info) = signals.read_signal()? else { continue };
        let Ok(signal) = Signal::try_from(info.ssi_signo as i32) else { continue };
        if signal == Signal::SIGCHLD {
            continue;
        }
        pass_on(pidfile, signal);
        if matches!(signal, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The child's status, 128 and the signal's number where a signal ended it, if it has ended.
fn ended(child: &mut Child) -> std::io::Result<Option<ExitCode>> {
    Ok(child.try_wait()?.map(|status| {
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
    }))
}

fn pass_on(pidfile: &Path, signal: Signal) {
    let pid = std::fs::read_to_string(pidfile).ok().and_then(|text| text.trim().parse().ok());
    match pid.filter(|pid| *pid > 0) {
        // A process that has gone meanwhile needs no signal.
        Some(pid) => drop(kill(Pid::from_raw(pid), signal)),
        None => {
            let _ = writeln!(std::io::stdout(), "Can't read child pidfile {}!", pidfile.display());
        }
    }
}
