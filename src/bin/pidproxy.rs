//! `pidproxy PIDFILE COMMAND [ARG...]`: stands in for a daemon that insists on going to the background (SPEC 1.4).
//!
//! Starts the command and passes signals on to whatever process the pidfile names at that moment. Ends with the
//! command's own status as soon as that ends (Supervisor's takes up to five seconds and forgets the status), and
//! with 0 right after passing on TERM, INT or QUIT. The command is started by way of a second pidproxy, which only
//! unblocks the signals that the first one waits for.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

const PASSED_ON: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGQUIT];

/// What we call ourselves between fork and the command.
const HALFWAY: &str = "pidproxy, about to become";

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    match args.as_slice() {
        [name, command, args @ ..] if name == HALFWAY => become_command(command, args),
        [_, pidfile, command, args @ ..] => {
            run(Path::new(pidfile), command, args).unwrap_or_else(|e| cannot_run(command, &e))
        }
        _ => {
            // On standard output and with status 1, as ever.
            let _ = writeln!(std::io::stdout(), "Usage: pidproxy PIDFILE COMMAND [ARG...]");
            ExitCode::FAILURE
        }
    }
}

fn cannot_run(command: &OsString, e: &std::io::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "pidproxy: cannot run {}: {e}", Path::new(command).display());
    ExitCode::from(127)
}

/// The child's side: our blocked signals are not to be the command's.
fn become_command(command: &OsString, args: &[OsString]) -> ExitCode {
    // It cannot fail with a set of signals.
    let _ = SigSet::empty().thread_set_mask();
    let e = Command::new(find(Path::new(command))).arg0(command).args(args).exec();
    cannot_run(command, &e)
}

/// In the working directory, as ever; a bare name that is not there is left to PATH.
fn find(command: &Path) -> PathBuf {
    let here = Path::new(".").join(command);
    if here.exists() { here } else { command.to_owned() }
}

fn run(pidfile: &Path, command: &OsString, args: &[OsString]) -> std::io::Result<ExitCode> {
    let mut watched: SigSet = PASSED_ON.into_iter().collect();
    watched.add(Signal::SIGCHLD);
    watched.thread_block()?;
    let signals = SignalFd::new(&watched)?;
    // By way of ourselves, because a child inherits what is blocked, and to unblock it here for a moment would be to lose
    // the signal of that moment.
    let mut child = Command::new("/proc/self/exe").arg0(HALFWAY).arg(command).args(args).spawn()?;
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
