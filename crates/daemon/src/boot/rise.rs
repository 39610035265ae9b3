//! A brain comes up, in Supervisor's order (SPEC 1.8), runs, and clears up behind itself.
//!
//! In: the link, the past, a configuration that has been accepted. Out: a brain whose sockets listen and whose pidfile is
//! written, or the refusal. A brain that follows a dead one says nothing twice and refuses nothing that the dead one had.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use provost_api::{Access, Api, Door, Facts, Interface, Namespaces};
use provost_config::{Config, LogLevel, MainLog as LogTarget, Message, Publishes};
use provost_core::{ChildId, Ending, Input, Supervisor};
use provost_keeper::{Link, LinkError, ToKeeper};

use super::leftovers::Leftovers;
use super::past::{Past, no_memory};
use super::pidfile::Pidfile;
use super::sockets::{self, Sockets};
use super::{Refusal, SUPERVISOR_VERSION, background, identity, limits, opening};
use crate::Build;
use crate::access;
use crate::audit::AuditFile;
use crate::certificates::Certificates;
use crate::effective::{Effective, EffectiveError, Start};
use crate::events::{Bus, Listeners};
use crate::fcgi::FcgiSockets;
use crate::kept::Versions;
use crate::launch::Launcher;
use crate::logs::{self, MainLog, Notice, Patience};
use crate::memory::Memory;
use crate::perform::{Hands, Source};
use crate::run::{CommandPost, Loop, Outcome};
use crate::stdin::Stdins;
use crate::wake::{Bell, Post};

/// A brain that is up.
pub(super) struct Brain {
    main: Loop,
    api: Api,
    sockets: Sockets,
    pidfile: Pidfile,
}

impl Brain {
    pub(super) fn bring_up(
        mut link: Link,
        mut past: Past,
        source: Source,
        start: Start,
    ) -> Result<Brain, Refusal> {
        let config = Arc::clone(start.config());
        // As root, if we are, for the last time.
        let resumes = past.resumes();
        let certificates = Certificates::read(&config, &mut past.held, resumes, &mut link);
        let mut certificates = certificates.map_err(Refusal::usage)?;
        let sayings = get_rights_and_limits(&config, &past, &mut link)?;
        let mut pidfile = claim_pidfile(&config, &mut past, &mut link)?;
        let leftovers = Leftovers::find(&config, &past, pidfile.path());
        leftovers.may_start(&past)?;

        let bell = Bell::new().map_err(|e| Refusal::system(format!("cannot make an eventfd: {e}")))?;
        let (notices, heard_notices) = Post::new(&bell);
        let listeners = listeners(&config, &mut past, &mut link, &notices)?;
        let audience = Arc::new(listeners.bus().clone());
        let (pump, mut log) = opening::open(&config, &mut past, &mut link, (notices.clone(), audience))?;
        opening::say_first_lines(&config, sayings, &past, &mut log);
        certificates.tell(&mut log);
        if let Some(e) = start.lost() {
            past.is_lost(e, "the configuration file is read instead", &mut log);
        }
        let auto_logs = opening::auto_logs(&config, &mut past, &mut log);

        let memories = past.recall(&mut log);
        let mut fcgi = FcgiSockets::resume(&mut past.held);
        let stdins = Stdins::resume(&mut past.held);
        let (sockets, mut doors) = Sockets::open(&config, std::mem::take(&mut past.held), &mut link)?;
        for door in &mut doors {
            let server = config.servers.iter().find(|server| server.section == door.section);
            door.tls = server.and_then(|server| certificates.of(server, &notices));
        }
        if !past.resumes() {
            sockets.announce(&config, &mut log);
            leftovers.tell(&mut log);
        }
        if past.in_background() {
            background::enter(&config, &past, &mut link, &mut log)?;
        }
        write_pidfile(&mut pidfile, &past, &mut log, &mut link).inspect_err(|_| sockets.remove())?;
        if !past.resumes() {
            leftovers.settle(&mut past, &mut fcgi, &mut log, &mut link)?;
        }
        let record = leftovers.begin_record(&past, &pidfile, &mut log);

        let access = match &start {
            Start::Resumed(resumed) => access::of(&resumed.available),
            Start::Fresh { .. } => access::of(&config),
        };
        if !past.resumes() {
            access.unfit().iter().for_each(|unfit| log.write(LogLevel::Critical, unfit));
        }
        let (commands, heard_doors) = CommandPost::new(&bell);
        let audit_file = audit_file(&config, &commands)?;
        let api = open_doors(&config, &past, (doors, access), listeners.bus(), commands)?;
        let launcher = launcher(&config, &past);
        let memory = Memory::new(&Versions::OURS.memory).map_err(no_memory)?;
        let (effective, resumed) = match start {
            Start::Fresh { reading, .. } => {
                (Effective::begin(&source.path, &reading, &mut link).map_err(not_kept)?, None)
            }
            Start::Resumed(resumed) => (resumed.effective.clone(), Some(resumed)),
        };
        let announced = listeners.bus().has_announced();
        let keeping = (memory, effective, listeners);
        let mut hands = Hands::new(link, pump, log, launcher, auto_logs, source, keeping);
        hands.strip_ansi = config.supervisord.strip_ansi;
        hands.fcgi = fcgi;
        hands.stdins = stdins;
        if past.hello.lends_stdin {
            hands.stdins.are_lent(&mut hands.link)?;
        }
        hands.record = record;
        hands.herald = Some(api.herald());
        hands.audit_file = audit_file;
        hands.advised = config.advice.iter().map(ToString::to_string).collect();
        // What is left to chance differs from daemon to daemon, and that is all that is asked of it.
        let seed = RandomState::new().hash_one(past.hello.keeper_pid);
        let first_child = ChildId(past.first_free_child());
        let (supervisor, mut actions) = match &resumed {
            None => Supervisor::new(config, first_child, seed),
            Some(resumed) => {
                let (available, exit_on) = (Arc::clone(&resumed.available), config.supervisord.exit_on);
                Supervisor::resume(available, exit_on, &resumed.groups, first_child, seed, announced)
            }
        };
        let mut main = Loop {
            supervisor,
            hands,
            bell,
            doors: heard_doors,
            notices: heard_notices,
            inputs: VecDeque::new(),
            next_ask: 1,
        };
        main.perform_all(&mut actions)?;
        if let Some(resumed) = resumed {
            // Its groups were not added now, and not from the newest reading.
            main.hands.effective = resumed.effective;
        }
        let in_background = past.in_background();
        past.take_up(memories, &mut main)?;
        let Hands { listeners, link, adoptable, .. } = &mut main.hands;
        listeners.all_are_there(|child| adoptable.contains_key(&child), link)?;
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
    pub(super) fn run(mut self, build: &Build) -> Result<u8, Refusal> {
        let ending = match self.main.run() {
            Ok(Outcome::Ended(ending)) => ending,
            Ok(Outcome::HandsOver(hand_over)) => {
                hand_over.carry_out(self.main.hands, &self.main.notices, self.api, build.version)?;
                return Ok(0);
            }
            Err(e) => return Err(self.end_without_a_keeper(e)),
        };
        self.api.stop();
        self.sockets.remove();
        self.pidfile.remove();
        let Hands { mut link, pump, mut log, record, audit_file, listeners, .. } = self.main.hands;
        if let Some(audit_file) = audit_file {
            audit_file.finish();
        }
        listeners.stop(Patience::Usual, true, &mut log);
        pump.stop(log, &self.main.notices, Patience::Usual, true);
        if let Some(record) = record {
            record.finish();
        }
        link.send(match ending {
            Ending::Exit { status } => ToKeeper::Finish { code: status },
            Ending::Renew => ToKeeper::Renew,
        })?;
        Ok(0)
    }
}

impl Brain {
    /// Without a keeper nothing can be done for the programs, and nothing is done to them: they run on, and the record
    /// says so to whoever starts next.
    fn end_without_a_keeper(self, why: LinkError) -> Refusal {
        let text = format!("{why}; its programs are left running, and this process ends");
        let Hands { pump, mut log, audit_file, .. } = self.main.hands;
        if let Some(audit_file) = audit_file {
            audit_file.finish();
        }
        log.write(LogLevel::Critical, &text);
        pump.stop(log, &self.main.notices, Patience::Little, true);
        Refusal::system(text)
    }
}

/// Limits first: only root may raise them, and it may be the last time that we are root. Returns what the log should say.
fn get_rights_and_limits(config: &Config, past: &Past, link: &mut Link) -> Result<Vec<Message>, Refusal> {
    let settings = &config.supervisord;
    let mut sayings = config.messages.clone();
    if !past.resumes() {
        sayings.extend(limits::raise(settings, past.hello.keeper_pid, link)?);
    }
    sayings.extend(identity::assume(settings.user.as_ref(), link)?);
    Ok(sayings)
}

/// Refuses to start beside another daemon, before anything of its is touched.
fn claim_pidfile(config: &Config, past: &mut Past, link: &mut Link) -> Result<Pidfile, Refusal> {
    let pid = past.hello.keeper_pid;
    if let Some(pidfile) = Pidfile::resumed(&mut past.held, pid) {
        return Ok(pidfile);
    }
    let mut pidfile = Pidfile::named(&config.supervisord.pidfile, pid);
    if !past.resumes() {
        pidfile.claim(link).map_err(|other| other.refusal(sockets::taken(config)))?;
    }
    Ok(pidfile)
}

fn write_pidfile(
    pidfile: &mut Pidfile,
    past: &Past,
    log: &mut MainLog,
    link: &mut Link,
) -> Result<(), Refusal> {
    if past.resumes() {
        pidfile.write_again(log, link);
        return Ok(());
    }
    // Our own sockets listen by now, and prove nothing about those of the other.
    pidfile.write(log, link).map_err(|other| other.refusal(None))?;
    log.write(LogLevel::Info, &format!("supervisord started with pid {}", past.hello.keeper_pid));
    Ok(())
}

/// Starts the thread that answers clients; what they ask waits for the loop.
fn open_doors(
    config: &Config,
    past: &Past,
    (doors, access): (Vec<Door>, Access),
    bus: &Bus,
    commands: CommandPost,
) -> Result<Api, Refusal> {
    let bus = bus.clone();
    let settings = &config.supervisord;
    let facts = Facts {
        pid: past.hello.keeper_pid,
        identifier: settings.identifier.clone(),
        supervisor_version: SUPERVISOR_VERSION.to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        host_names: crate::host_names::host_names(config),
        logfile: match &settings.logfile {
            LogTarget::File(path) => Some(path.clone()),
            LogTarget::Syslog => None,
        },
        most_connections: limits::connections(doors.len()),
        most_followers: limits::followers(doors.len()),
        namespaces: namespaces(config),
        open_log: logs::for_reading,
        mount_of: logs::mount_of,
        peer_groups: provost_keeper::peer_groups,
        tidy: provost_keeper::release_free_memory,
        pools: Arc::new(move || bus.reports()),
    };
    Api::start(doors, access, facts, Box::new(commands))
        .map_err(|e| Refusal::system(format!("cannot start the api thread: {e}")))
}

/// The thread that tells listeners, with what a dead brain has left of that.
fn listeners(
    config: &Config,
    past: &mut Past,
    link: &mut Link,
    notices: &Post<Notice>,
) -> Result<Listeners, Refusal> {
    let settings = &config.supervisord;
    let about = (&*settings.identifier, settings.loglevel <= LogLevel::Debug, settings.childlogdir.clone());
    let resumes = past.resumes();
    Listeners::begin(&mut past.held, resumes, about, notices, link)?
        .map_err(|e| Refusal::system(format!("cannot start the thread that tells listeners: {e}")))
}

fn audit_file(config: &Config, commands: &CommandPost) -> Result<Option<AuditFile>, Refusal> {
    let Some(path) = config.supervisord.audit_logfile.clone() else { return Ok(None) };
    AuditFile::open(path, commands.complaints())
        .map(Some)
        .map_err(|e| Refusal::system(format!("cannot start the audit thread: {e}")))
}

/// What the doors publish, and by which names.
fn namespaces(config: &Config) -> Namespaces {
    let known = config.rpcinterfaces.iter().filter_map(|plugin| {
        let interface = match plugin.publishes() {
            Publishes::Supervisor => Interface::Supervisor,
            Publishes::Twiddler { whitelist } => Interface::Twiddler { whitelist },
            Publishes::Nothing => return None,
        };
        Some((plugin.name.clone(), interface))
    });
    Namespaces::new(known)
}

fn launcher(config: &Config, past: &Past) -> Launcher {
    let directory = config.supervisord.directory.clone().filter(|_| past.in_background());
    let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
    Launcher::new(cwd, directory, config.child_serverurl())
}

fn not_kept(e: EffectiveError) -> Refusal {
    match e {
        EffectiveError::Memory(e) => no_memory(e),
        EffectiveError::Link(e) => e.into(),
    }
}
