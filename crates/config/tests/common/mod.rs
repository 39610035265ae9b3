//! The cases in `cases/`, the machine they are read on, and the words for what
//! they mean: one line a value, so that a difference shows in `diff`.
//! `oracle.py` prints the same lines out of Supervisor itself.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use provost_config::{
    Address, AutoRestart, Backoff, Channel, CliOverrides, Config, CtlConfig, Curve, Errors, ExitOn, Files,
    GroupConfig, GroupKind, Leftovers, Lenient, LogExtras, LogFile, LogLevel, MainLog, MemoryFiles, Overflow,
    PayloadLength, PoolConfig, PoolOverflow, ProcessConfig, ProcessKind, ProgramType, Server, SyslogTo, User,
    load, load_ctl,
};

pub(crate) fn cases_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// The names of all cases, without `.conf`, sorted.
pub(crate) fn case_names() -> Vec<String> {
    let mut names: Vec<String> = files_below(&cases_dir())
        .iter()
        .filter(|path| path.parent() == Some(&cases_dir()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .map(|path| path.file_stem().expect("a case has a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "there are no cases in {}", cases_dir().display());
    names
}

#[expect(
    clippy::disallowed_methods,
    reason = "the cases lie on the disk; the crate is pure, its tests are not"
)]
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("the cases can be listed") {
        let path = entry.expect("the cases can be listed").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// All cases, in `/cases`, on a machine that holds nothing else.
pub(crate) fn machine() -> MemoryFiles {
    let mut machine = MemoryFiles {
        cwd: PathBuf::from("/cases"),
        env: VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        dirs: ["/", "/dev", "/tmp", "/etc", "/home"].iter().map(PathBuf::from).collect(),
        ..MemoryFiles::default()
    };
    for path in files_below(&cases_dir()) {
        let place = Path::new("/cases").join(path.strip_prefix(cases_dir()).expect("it was listed there"));
        machine.add(&place.to_string_lossy(), "");
        #[expect(clippy::disallowed_methods, reason = "the cases lie on the disk")]
        let content = std::fs::read(&path).expect("a case can be read");
        machine.files.insert(place, content);
    }
    machine
}

pub(crate) const VARIABLES: [(&str, &str); 12] = [
    ("HOME", "/tmp"),
    ("LC_ALL", "C.UTF-8"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("ANIMAL", "Ente"),
    ("PERCENT", "50%x"),
    ("APP_ENV", "production"),
    ("APP_ROOT", "/var/www/html"),
    ("APP_USER", "www-data"),
    ("PORT", "8080"),
    ("UMASK", "002"),
    ("WITH_HORIZON", "false"),
    ("WORKERS", "3"),
];

/// What supervisord and what supervisorctl says about a case. A `real-` one looks
/// like those that people run, who have accounts and directories that we have not:
/// it is read as `--check` reads it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) config: Result<Config, Errors>,
    pub(crate) ctl: Result<CtlConfig, Errors>,
}

pub(crate) fn read(name: &str, machine: &MemoryFiles) -> Read {
    let lenient = Lenient::new(machine);
    let files: &dyn Files = if name.starts_with("real-") { &lenient } else { machine };
    let file = format!("{name}.conf");
    let path = Path::new(&file);
    Read { config: load(path, &CliOverrides::default(), files), ctl: load_ctl(path, files) }
}

/// What a configuration means, in lines.
pub(crate) fn dump(config: &Config, ctl: &Result<CtlConfig, Errors>) -> String {
    let mut dump = Dump(String::new());
    dump.supervisord(config);
    config.servers.iter().for_each(|server| dump.server(server));
    for interface in &config.rpcinterfaces {
        dump.head(0, &format!("rpcinterface {}", interface.name));
        dump.line(1, "factory", &interface.factory);
        dump.line(1, "options", pairs(&interface.options));
    }
    config.groups.iter().for_each(|group| dump.group(group));
    for (kind, level) in
        [("criticals", LogLevel::Critical), ("warnings", LogLevel::Warn), ("infos", LogLevel::Info)]
    {
        for message in config.messages.iter().filter(|message| message.level == level) {
            dump.head(0, &format!("{kind}: {}", message.text));
        }
    }
    match ctl {
        Ok(ctl) => dump.supervisorctl(ctl),
        Err(errors) => {
            dump.head(0, &format!("supervisorctl refused: {}", errors.first().as_supervisor_says()));
        }
    }
    dump.0
}

struct Dump(String);

impl Dump {
    fn head(&mut self, indent: usize, text: &str) {
        writeln!(self.0, "{:1$}{text}", "", indent * 2).expect("a string takes everything");
    }

    fn line(&mut self, indent: usize, name: &str, value: impl ToString) {
        let value = value.to_string().replace('\\', "\\\\").replace('\n', "\\n");
        self.head(indent, &format!("{name} = {value}"));
    }

    fn supervisorctl(&mut self, ctl: &CtlConfig) {
        self.head(0, "supervisorctl");
        self.line(1, "serverurl", &ctl.serverurl);
        self.line(1, "username", or_none(ctl.username.clone()));
        self.line(1, "password", or_none(ctl.password.clone()));
        self.line(1, "prompt", &ctl.prompt);
        self.line(1, "history_file", path(ctl.history_file.as_ref()));
        for plugin in &ctl.plugins {
            self.head(0, &format!("ctlplugin {}", plugin.name));
            self.line(1, "factory", &plugin.factory);
            self.line(1, "options", pairs(&plugin.options));
        }
    }

    fn supervisord(&mut self, config: &Config) {
        let s = &config.supervisord;
        self.head(0, "supervisord");
        self.line(1, "minfds", s.minfds);
        self.line(1, "minprocs", s.minprocs);
        self.line(1, "directory", path(s.directory.as_ref()));
        self.line(1, "user", or_none(s.user.as_ref().map(|user| user.name.clone())));
        self.line(1, "umask", octal(s.umask));
        self.line(
            1,
            "logfile",
            match &s.logfile {
                MainLog::File(file) => file.display().to_string(),
                MainLog::Syslog => "syslog".to_owned(),
            },
        );
        self.line(1, "logfile_maxbytes", s.logfile_maxbytes);
        self.line(1, "logfile_backups", s.logfile_backups);
        self.line(1, "loglevel", format!("{:?}", s.loglevel).to_lowercase());
        self.line(1, "pidfile", s.pidfile.display());
        self.line(1, "identifier", &s.identifier);
        self.line(1, "childlogdir", s.childlogdir.display());
        self.line(1, "nodaemon", yes(s.nodaemon));
        self.line(1, "silent", yes(s.silent));
        self.line(1, "nocleanup", yes(s.nocleanup));
        self.line(1, "strip_ansi", yes(s.strip_ansi));
        self.line(1, "environment", pairs(&s.environment));
        self.line(1, "serverurl", or_none(config.child_serverurl()));
        if s.exit_on != ExitOn::None {
            self.line(1, "exit_on", s.exit_on.name());
        }
        if s.leftovers != Leftovers::Start {
            self.line(1, "leftovers", s.leftovers.name());
        }
    }

    fn server(&mut self, server: &Server) {
        self.head(0, &format!("server {}", server.section));
        match &server.address {
            Address::Unix { file, chmod, uid, gid } => {
                self.line(1, "file", file.display());
                self.line(1, "chmod", octal(*chmod));
                self.line(1, "chown", owner((*uid, *gid)));
            }
            Address::Inet { host, port } => {
                self.line(1, "host", host);
                self.line(1, "port", port);
            }
        }
        let credentials = server.credentials.as_ref();
        self.line(1, "username", or_none(credentials.map(|known| known.username.clone())));
        self.line(1, "password", or_none(credentials.map(|known| known.password.clone())));
    }

    fn group(&mut self, group: &GroupConfig) {
        self.head(0, &format!("group {}", group.name));
        match &group.kind {
            GroupKind::Program | GroupKind::Group => {
                self.line(1, "kind", "plain");
                self.line(1, "priority", group.priority);
            }
            GroupKind::EventListener(pool) => {
                self.line(1, "kind", "eventlistener");
                self.line(1, "priority", group.priority);
                self.line(1, "buffer_size", pool.buffer_size);
                self.line(1, "events", list(&pool.events));
                self.line(1, "result_handler", pool.result_handler.name());
                self.overflow(pool);
            }
            GroupKind::Fcgi(socket) => {
                self.line(1, "kind", "fcgi");
                self.line(1, "priority", group.priority);
                self.line(1, "socket", &socket.url);
                self.line(1, "backlog", or_none(socket.backlog));
                self.line(1, "mode", or_none(socket.mode.map(octal)));
                self.line(1, "owner", or_none(socket.owner.map(owner)));
            }
        }
        group.processes.iter().for_each(|process| self.process(process));
    }

    fn process(&mut self, p: &ProcessConfig) {
        self.head(1, &format!("process {}", p.name));
        let class = match p.kind {
            ProcessKind::Program => "program",
            ProcessKind::EventListener => "eventlistener",
            ProcessKind::Fcgi => "fcgi",
        };
        self.line(2, "class", class);
        self.line(2, "command", &p.command);
        self.line(2, "directory", path(p.directory.as_ref()));
        self.line(2, "priority", p.priority);
        self.line(2, "autostart", yes(p.autostart));
        let autorestart = match p.autorestart {
            AutoRestart::Never => "never",
            AutoRestart::Unexpected => "unexpected",
            AutoRestart::Always => "always",
        };
        self.line(2, "autorestart", autorestart);
        self.line(2, "startsecs", p.startsecs);
        self.line(2, "startretries", p.startretries.number());
        self.policies(p);
        self.line(2, "exitcodes", list(&p.exitcodes));
        self.line(2, "stopsignal", p.stopsignal);
        self.line(2, "stopwaitsecs", p.stopwaitsecs);
        self.line(2, "stopasgroup", yes(p.stopasgroup));
        self.line(2, "killasgroup", yes(p.killasgroup));
        self.line(
            2,
            "uid",
            or_none(p.user.as_ref().map(|user| user.uid).filter(|&uid| uid != User::UNKNOWN)),
        );
        self.line(2, "umask", or_none(p.umask.map(octal)));
        self.line(2, "environment", pairs(&p.environment));
        self.line(2, "serverurl", or_none(p.serverurl.clone()));
        self.line(2, "redirect_stderr", yes(p.redirect_stderr));
        self.channel("stdout", &p.stdout);
        self.channel("stderr", &p.stderr);
    }

    /// Supervisor has none of these; where they are off, there is nothing to tell.
    fn policies(&mut self, p: &ProcessConfig) {
        let mut tell = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                self.line(2, name, value);
            }
        };
        let seconds = |duration: Duration| duration.as_secs_f64().to_string();
        let Backoff { curve, most, jitter } = p.backoff;
        tell("restartpause", (!p.restartpause.is_zero()).then(|| seconds(p.restartpause)));
        tell("backoff", (curve != Curve::Linear).then(|| curve.name().to_owned()));
        tell("maxbackoff", most.map(seconds));
        tell("backoffjitter", (jitter.thousandths > 0).then(|| format!("{} ‰", jitter.thousandths)));
        tell(
            "startlimit",
            p.startlimit.map(|limit| format!("{} in {}", limit.restarts, seconds(limit.within))),
        );
        tell("essential", p.essential.then(|| "yes".to_owned()));
        tell("type", (p.program_type == ProgramType::Oneshot).then(|| "oneshot".to_owned()));
    }

    /// Nor has it any of these.
    fn overflow(&mut self, pool: &PoolConfig) {
        if pool.overflow != PoolOverflow::Spill {
            self.line(1, "overflow", pool.overflow.name());
        }
        if pool.overflow_maxbytes != 256 << 20 {
            self.line(1, "overflow_maxbytes", pool.overflow_maxbytes);
        }
        if pool.listener_recover {
            self.line(1, "listener_recover", "yes");
        }
        if pool.payload_length != PayloadLength::Auto {
            self.line(1, "payload_length", pool.payload_length.name());
        }
    }

    fn channel(&mut self, name: &str, channel: &Channel) {
        let logfile = match &channel.logfile {
            LogFile::Auto => "AUTO".to_owned(),
            LogFile::None => "none".to_owned(),
            LogFile::Path(path) => path.display().to_string(),
        };
        self.line(2, &format!("{name}_logfile"), logfile);
        self.line(2, &format!("{name}_logfile_maxbytes"), channel.maxbytes);
        self.line(2, &format!("{name}_logfile_backups"), channel.backups);
        self.line(2, &format!("{name}_capture_maxbytes"), channel.capture_maxbytes);
        self.line(2, &format!("{name}_events_enabled"), yes(channel.events_enabled));
        self.line(2, &format!("{name}_syslog"), yes(channel.syslog));
        self.extras(name, channel);
    }

    /// Supervisor has none of these; where they are off, there is nothing to tell.
    fn extras(&mut self, name: &str, channel: &Channel) {
        if channel.overflow == Overflow::Drop {
            self.line(2, &format!("{name} overflow"), "drop");
        }
        let Some(extras) = &channel.extras else { return };
        let usual = LogExtras::default();
        assert_ne!(**extras, usual, "what is all off takes no memory");
        let mut tell = |what: &str, is_told: bool, value: String| {
            if is_told {
                self.line(2, &format!("{name} {what}"), value);
            }
        };
        let more: Vec<String> = extras.more.iter().map(|path| path.display().to_string()).collect();
        tell("more", !more.is_empty(), list(&more));
        tell("format", extras.format != usual.format, extras.format.to_string());
        tell("compress", extras.compress != usual.compress, extras.compress.name().to_owned());
        tell("owner", extras.owner.is_some(), extras.owner.map(owner).unwrap_or_default());
        tell("mode", extras.mode.is_some(), extras.mode.map(octal).unwrap_or_default());
        tell("mkdir", extras.mkdir, "yes".to_owned());
        let SyslogTo { address, facility, severity, tag } = &extras.syslog;
        tell("syslog address", *address != usual.syslog.address, address.to_string());
        tell("syslog facility", *facility != usual.syslog.facility, facility.to_string());
        tell("syslog severity", *severity != usual.syslog.severity, severity.to_string());
        tell("syslog tag", tag.is_some(), tag.clone().unwrap_or_default());
        tell("journald", extras.journald, "yes".to_owned());
    }
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn octal(value: u32) -> String {
    format!("0o{value:o}")
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn path(value: Option<&PathBuf>) -> String {
    or_none(value.map(|path| path.display()))
}

fn owner((uid, gid): (Option<u32>, Option<u32>)) -> String {
    let number = |id: Option<u32>| match id {
        None => "-1".to_owned(),
        Some(User::UNKNOWN) => "none".to_owned(),
        Some(id) => id.to_string(),
    };
    format!("[{}, {}]", number(uid), number(gid))
}

fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", items.join(", "))
}

fn pairs(map: &std::collections::BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
