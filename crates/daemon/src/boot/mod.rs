//! From a bare process to a running loop, and back to nothing: the story of a brain (SPEC 1.8, 1.9).
//!
//! Whatever can be wrong is found before anything is started, and said on standard error with the exit
//! status that scripts know. Here the command line is read; `rise.rs` tells the rest in order. Its chapters: `limits.rs`
//! asks for descriptors and processes, `identity.rs` drops privileges, `pidfile.rs` makes sure that we are the only one,
//! `opening.rs` begins the log, `sockets.rs` makes the doors, `background.rs` lets go of the terminal, `past.rs` hears
//! what an earlier brain left behind, `leftovers.rs` what an earlier daemon did that was killed, `trial.rs` only looks whether
//! it could go on. `check.rs` is `--check`, which does none of this.

mod background;
mod check;
mod identity;
mod leftovers;
mod limits;
mod opening;
mod past;
mod pidfile;
mod rise;
mod sockets;
mod trial;

use std::path::Path;

use nix::sys::signal::{SigSet, Signal};
use provost_config::{Cli, Files, cli, find_config, parse_supervisord};
use provost_host::Host;
use provost_keeper::{Link, LinkError, ToKeeper};

use crate::Build;
use crate::console::{complain, say};
use crate::effective::{Effective, Reading, Start};
use crate::kept::Versions;
use crate::perform::Source;

use rise::Brain;

/// The version of Supervisor that we stand in for; tools compare it.
pub(crate) const SUPERVISOR_VERSION: &str = "4.3.0";

/// Why the daemon does not start, and its exit status.
#[derive(Debug)]
struct Refusal {
    text: String,
    code: u8,
}

impl Refusal {
    /// What the user can mend: status 2 (SPEC 1.7).
    fn usage(text: impl Into<String>) -> Refusal {
        Refusal { text: text.into(), code: 2 }
    }

    /// What the system refuses: status 1.
    fn system(text: impl Into<String>) -> Refusal {
        Refusal { text: text.into(), code: 1 }
    }
}

impl From<LinkError> for Refusal {
    fn from(e: LinkError) -> Self {
        Refusal::system(e.to_string())
    }
}

/// See [`crate::brain`].
pub(crate) fn brain(link: Link, build: &Build) -> u8 {
    let argv: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    match live(link, &argv, build) {
        Ok(code) => code,
        Err(refusal) => {
            complain(&format!("Error: {}", refusal.text));
            if refusal.code == 2 {
                complain(&format!("For help, use {} -h", argv.first().map_or("supervisord", |name| name)));
            }
            refusal.code
        }
    }
}

fn live(mut link: Link, argv: &[String], build: &Build) -> Result<u8, Refusal> {
    // "pkill supervisord" should find the keeper, whose children are ours too.
    let _ = rustix::thread::set_name(c"provost-brain");
    // A log that has reached a limit (RLIMIT_FSIZE) is a write that fails, not the end. Every later thread inherits this.
    let _ = SigSet::from(Signal::SIGXFSZ).thread_block();
    let mut past = past::hear(&mut link)?;
    let host = Host::new();
    let argv0 = argv.first().map_or("supervisord", |name| name);
    let options = match parse_supervisord(argv.get(1..).unwrap_or_default(), &host).map_err(Refusal::usage)? {
        Cli::Help => return Ok(told(&cli::help(argv0))),
        Cli::Version => return Ok(told(&format!("{SUPERVISOR_VERSION}\n"))),
        Cli::Check { options, json } => return check::check(&options, json, argv0, &host),
        Cli::Run(options) => options,
    };
    let first_look = !past.hello.detached && !past.hello.seasoned;
    if first_look
        && let Some(warning) =
            cli::root_search_warning(options.configuration.as_deref().map(Path::new), &host)
    {
        complain(&warning);
    }
    let path = match Effective::path(&mut past.held) {
        Some(path) => path,
        None => {
            let found = find_config(options.configuration.as_deref(), argv0, &host);
            host.cwd().join(found.map_err(Refusal::usage)?)
        }
    };
    let source = Source { path, overrides: options.overrides, host };
    if past.hello.on_trial {
        trial::stand(&mut link, past, &source, build)?;
        // Its turn, or its end.
        past = past::hear(&mut link)?;
    }
    let Source { path, overrides, host } = &source;
    let resumed = match past.resumes() {
        true => Effective::resume(&mut past.held, (path, overrides, host), &Versions::OURS),
        false => Ok(None),
    };
    let start = match resumed {
        Ok(Some(resumed)) => Start::Resumed(Box::new(resumed)),
        nothing => {
            let reading = Reading::of(path, overrides, host);
            let reading = reading.map_err(|errors| Refusal::usage(errors.for_people()))?;
            Start::Fresh { reading: Box::new(reading), lost: nothing.err() }
        }
    };

    if first_look && !start.config().supervisord.nodaemon {
        // Everything so far was a rehearsal: the keeper goes to the background and starts a brain there.
        link.send(ToKeeper::Detach)?;
        return Ok(0);
    }
    Brain::bring_up(link, past, source, start)?.run(build)
}

fn told(text: &str) -> u8 {
    say(text);
    0
}
