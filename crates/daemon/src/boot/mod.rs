//! From a bare process to a running loop, and back to nothing: the story of a brain (SPEC 1.8, 1.9).
//!
//! Whatever can be wrong is found before anything is started, and said on standard error with the exit
//! status that scripts know. `sockets.rs` makes the doors, `limits.rs` asks for descriptors and processes,
//! `identity.rs` drops privileges, `past.rs` hears what an earlier brain left behind.

mod check;
mod identity;
mod limits;
mod past;
mod pidfile;
mod sockets;

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use provost_api::{Api, Facts};
use provost_config::{
    Cli, Config, Files, LogLevel, MainLog as LogTarget, Message, cli, find_config, load, parse_supervisord,
};
use provost_core::{ChildId, Ending, Input, Supervisor};
use provost_host::Host;
use provost_keeper::{Link, LinkError, ToKeeper};
use rustix::fs::Mode;

use crate::clock;
use crate::console::{complain, say};
use crate::fcgi::FcgiSockets;
use crate::launch::Launcher;
use crate::logs::auto::AutoLogs;
use crate::logs::{Destination, MainLog, Pump};
use crate::memory::{self, Memory, Recalled};
use crate::perform::{Adoptable, Hands, Source};
use crate::run::{CommandPost, Loop};
use crate::wake::{Bell, Post};

use past::Past;
use pidfile::Pidfile;
use sockets::Sockets;

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
pub(crate) fn brain(link: Link) -> u8 {
    let argv: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    match live(link, &argv) {
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

fn live(mut link: Link, argv: &[String]) -> Result<u8, Refusal> {
    // "pkill supervisord" should find the keeper, whose children are ours too.
    let _ = rustix::thread::set_name(c"provost-brain");
    let past = past::hear(&mut link)?;
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
    let path = find_config(options.configuration.as_deref(), argv0, &host).map_err(Refusal::usage)?;
    let source = Source { path: host.cwd().join(path), overrides: options.overrides, host };
    let config = load(&source.path, &source.overrides, &source.host)
        .map_err(|errors| Refusal::usage(errors.for_people()))?;

    if first_look && !config.supervisord.nodaemon {
        // Everything so far was a rehearsal: the keeper goes to the background and starts a brain there.
        link.send(ToKeeper::Detach)?;
        return Ok(0);
    }
    Brain::bring_up(link, past, source, config)?.run()
}

fn told(text: &str) -> u8 {
    say(text);
    0
}

/// A brain that is up.
struct Brain {
    main: Loop,
    api: Api,
    sockets: Sockets,
    pidfile: Pidfile,
}

impl Brain {
    fn bring_up(mut link: Link, mut past: Past, source: Source, config: Config) -> Result<Brain, Refusal> {
        let settings = &config.supervisord;
        let mut sayings = config.messages.clone();
        if !past.hello.seasoned {
            sayings.extend(limits::raise(settings, past.hello.keeper_pid, &mut link)?);
        }
        sayings.extend(identity::assume(settings.user.as_ref(), &mut link)?);

        let bell = Bell::new().map_err(|e| Refusal::system(format!("cannot make an eventfd: {e}")))?;
        let (notices, heard_notices) = Post::new(&bell);
        let main_log = open_main_log(&config)?;
        let in_background = past.hello.detached;
        let copy = !in_background && !settings.silent;
        let pump = Pump::start(main_log, copy, notices)
            .map_err(|e| Refusal::system(format!("cannot start the log pump: {e}")))?;
        let mut log = MainLog::new(settings.loglevel, Arc::clone(&pump.orders), Arc::clone(&pump.waiting));
        // After a crash all this has been said already, and still holds.
        let resumes = past.hello.previous.is_some();
        if !resumes {
            say_in_order(&mut log, sayings);
            for advice in &config.advice {
                log.write(LogLevel::Warn, &advice.to_string());
            }
        }
        past.report(&mut log);

        let auto_logs = AutoLogs {
            directory: settings.childlogdir.clone(),
            identifier: settings.identifier.clone(),
            adopt: resumes,
        };
        if !settings.nocleanup && !resumes {
            clean_up(&auto_logs, &mut log);
        }

        let recalled = past.recall();
        let fcgi = FcgiSockets::resume(&mut past.held);
        let (sockets, doors) = Sockets::open(&config, past.held, &mut link)?;
        if !resumes {
            sockets::announce(&config, &mut log);
        }

        if in_background {
            go_to_the_background(&config, !past.hello.seasoned, &mut link, &mut log)?;
        }
        let pidfile = Pidfile::write(&settings.pidfile, past.hello.keeper_pid, &mut log);
        let pid = past.hello.keeper_pid;
        if !resumes {
            log.write(LogLevel::Info, &format!("supervisord started with pid {pid}"));
        }

        let (commands, heard_commands) = CommandPost::new(&bell);
        let facts = Facts {
            pid,
            identifier: settings.identifier.clone(),
            supervisor_version: SUPERVISOR_VERSION.to_owned(),
            logfile: match &settings.logfile {
                LogTarget::File(path) => Some(path.clone()),
                LogTarget::Syslog => None,
            },
            most_connections: limits::connections(),
            supervisor_namespace: config.rpcinterfaces.iter().any(|interface| interface.name == "supervisor"),
        };
        let api = Api::start(doors, facts, Box::new(commands))
            .map_err(|e| Refusal::system(format!("cannot start the api thread: {e}")))?;

        let directory = settings.directory.clone().filter(|_| in_background);
        let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let launcher = Launcher::new(cwd, directory, config.child_serverurl());
        let memory = Memory::new().map_err(no_memory)?;
        let mut hands = Hands::new(link, pump, log, launcher, auto_logs, source, memory);
        hands.fcgi = fcgi;
        hands.advised = config.advice.iter().map(ToString::to_string).collect();
        let first_child = past.children.iter().map(|child| child.highest + 1).max().unwrap_or(1);
        // What is left to chance differs from daemon to daemon, and that is all that is asked of it.
        let seed = RandomState::new().hash_one(past.hello.keeper_pid);
        let (supervisor, mut actions) = Supervisor::new(Arc::new(config), ChildId(first_child), seed);
        let mut main = Loop {
            supervisor,
            hands,
            bell,
            commands: heard_commands,
            notices: heard_notices,
            inputs: VecDeque::new(),
            next_ask: 1,
        };
        main.perform_all(&mut actions)?;
        for child in past.children {
            let (group, process) = child.label.split_once(':').unwrap_or((&child.label, ""));
            // One that has taken another's place follows from the end of that one.
            if child.predecessor.is_none() {
                main.inputs.push_back(Input::Adopt {
                    group: group.to_owned(),
                    process: process.to_owned(),
                    child: ChildId(child.id),
                    pid: child.pid,
                    started: clock::of(child.started),
                });
            }
            let old = Adoptable { pid: child.pid, started: clock::of(child.started), pipes: child.pipes };
            main.hands.adoptable.insert(ChildId(child.id), old);
        }
        for Recalled { group, process, known: memory } in recalled.processes {
            main.inputs.push_back(Input::Recall { group, process, memory });
        }
        main.work_off()?;
        if let Some(ending) = recalled.ending {
            main.hands.memory.remember_ending(ending).map_err(no_memory)?;
        }
        main.hands.close_unused_sockets()?;
        // Only now the new memory knows all that the old one knew, and may take its place.
        let fd = main.hands.memory.share().map_err(no_memory)?;
        main.hands.link.send(ToKeeper::Hold { name: memory::HELD_AS.to_owned(), fd })?;
        main.inputs.extend(recalled.ending.map(Input::RecallEnding));
        main.inputs.push_back(Input::Begin);
        if in_background {
            // Whoever started us may wait for the end of our output, as "$(supervisord -c …)" does. Last of all,
            // because until here there may be something to complain of.
            provost_keeper::silence_stdio();
        }
        main.hands.link.send(ToKeeper::Ready)?;
        Ok(Brain { main, api, sockets, pidfile })
    }

    /// Runs to the end and cleans up behind itself.
    fn run(mut self) -> Result<u8, Refusal> {
        let ending = self.main.run()?;
        self.api.stop();
        self.sockets.remove();
        self.pidfile.remove();
        let Hands { mut link, pump, .. } = self.main.hands;
        pump.stop();
        link.send(match ending {
            Ending::Exit { status } => ToKeeper::Finish { code: status },
            Ending::Renew => ToKeeper::Renew,
        })?;
        Ok(0)
    }
}

fn open_main_log(config: &Config) -> Result<Option<crate::logs::Sink>, Refusal> {
    let settings = &config.supervisord;
    let LogTarget::File(path) = &settings.logfile else { return Ok(None) };
    let to = Destination {
        path: path.clone(),
        maxbytes: settings.logfile_maxbytes,
        backups: settings.logfile_backups,
    };
    let refuse = |e| Refusal::system(format!("cannot open the log file {}: {e}", path.display()));
    crate::logs::Sink::open(to).map(Some).map_err(refuse)
}

fn no_memory(e: std::io::Error) -> Refusal {
    Refusal::system(format!("cannot make a memory for a later brain: {e}"))
}

/// Criticals first, then warnings, then the rest (SPEC 1.8 step 6).
fn say_in_order(log: &mut MainLog, mut sayings: Vec<Message>) {
    sayings.sort_by_key(|message| std::cmp::Reverse(message.level));
    for message in sayings {
        log.write(message.level, &message.text);
    }
}

fn clean_up(auto_logs: &AutoLogs, log: &mut MainLog) {
    match auto_logs.clean_up() {
        Ok(stuck) => {
            for path in stuck {
                log.write(LogLevel::Warn, &format!("Failed to clean up '{}'", path.display()));
            }
        }
        Err(_) => log.write(LogLevel::Warn, "Could not clear childlog dir"),
    }
}

/// Working directory and umask: only in the background, as with Supervisor.
fn go_to_the_background(
    config: &Config,
    first: bool,
    link: &mut Link,
    log: &mut MainLog,
) -> Result<(), Refusal> {
    let settings = &config.supervisord;
    if first {
        log.write(LogLevel::Info, "daemonizing the supervisord process");
    }
    if let Some(directory) = &settings.directory {
        let shown = directory.display();
        match std::env::set_current_dir(directory) {
            Ok(()) => log.write(LogLevel::Info, &format!("set current directory: '{shown}'")),
            Err(e) => log.write(LogLevel::Critical, &format!("can't chdir into '{shown}': {e}")),
        }
    }
    let mask = settings.umask & 0o777;
    rustix::process::umask(Mode::from_raw_mode(mask));
    link.send(ToKeeper::Umask(mask))?;
    Ok(())
}
