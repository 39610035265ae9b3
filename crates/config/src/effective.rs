//! What a configuration comes to, as the document that `supervisord --check --json` prints.
//!
//! In: what [`load`](crate::load) and [`load_ctl`](crate::load_ctl) say about one
//! file. Out: [`Json`], whose form is a promise (docs/reference/check-json.md):
//! members may be added, and never change. Passwords are not in it.

use std::path::Path;
use std::time::Duration;

use crate::json::Json;
use crate::{
    Account, Address, Advice, AutoRestart, Channel, Config, CtlConfig, Error, Errors, GroupConfig, GroupKind,
    LogExtras, LogFile, LogLevel, MainLog, Permission, ProcessConfig, ProcessKind, ProgramType, RpcInterface,
    Server, SocketConfig, StartLimit, Supervisord, Tls, User,
};

/// The whole document, of a file that is accepted or of one that is not.
pub fn effective(config: &Result<Config, Errors>, ctl: &Result<CtlConfig, Errors>) -> Json {
    let config = match config {
        Ok(config) => config,
        Err(errors) => {
            let advice = ("advice", Json::list(errors.advice().map(advice)));
            return Json::object(refusal(errors).into_iter().chain([advice]));
        }
    };
    let messages = |level: LogLevel| {
        let these = config.messages.iter().filter(move |message| message.level == level);
        Json::list(these.map(|message| message.text.as_str()))
    };
    Json::object([
        ("supervisord", supervisord(config)),
        ("servers", Json::list(config.servers.iter().map(server))),
        ("users", Json::list(config.users.iter().map(account))),
        ("rpcinterfaces", Json::list(config.rpcinterfaces.iter().map(plugin))),
        ("groups", Json::list(config.groups.iter().map(group))),
        ("supervisorctl", ctl.as_ref().map_or_else(|errors| Json::object(refusal(errors)), supervisorctl)),
        ("warnings", messages(LogLevel::Warn)),
        ("infos", messages(LogLevel::Info)),
        ("criticals", messages(LogLevel::Critical)),
        ("advice", Json::list(config.advice.iter().map(advice))),
    ])
}

fn refusal(errors: &Errors) -> [(&'static str, Json); 2] {
    [("error", errors.first().as_supervisor_says().into()), ("errors", Json::list(errors.iter().map(error)))]
}

fn error(error: &Error) -> Json {
    Json::object([
        ("file", error.file.as_str().into()),
        ("line", line(error.line)),
        ("section", error.section.as_deref().into()),
        ("key", error.key.as_deref().into()),
        ("text", error.text.as_str().into()),
        ("hint", error.hint.as_deref().into()),
    ])
}

fn advice(advice: &Advice) -> Json {
    Json::object([
        ("file", advice.file.as_str().into()),
        ("line", line(advice.line)),
        ("section", advice.section.as_str().into()),
        ("key", advice.key.as_deref().into()),
        ("text", advice.text.as_str().into()),
    ])
}

fn line(number: Option<usize>) -> Json {
    number.map_or(Json::Null, |number| Json::Integer(i128::try_from(number).unwrap_or(i128::MAX)))
}

fn supervisord(config: &Config) -> Json {
    let s: &Supervisord = &config.supervisord;
    let user = s.user.as_ref();
    Json::object([
        ("minfds", s.minfds.into()),
        ("minprocs", s.minprocs.into()),
        ("directory", s.directory.as_deref().map(path).into()),
        ("user", user.map(|user| user.name.as_str()).into()),
        ("uid", user.map_or(Json::Null, |user| id(user.uid))),
        ("gid", user.map_or(Json::Null, |user| id(user.gid))),
        ("umask", s.umask.into()),
        (
            "logfile",
            match &s.logfile {
                MainLog::File(file) => path(file).into(),
                MainLog::Syslog => "syslog".into(),
            },
        ),
        ("logfile_maxbytes", s.logfile_maxbytes.into()),
        ("logfile_backups", s.logfile_backups.into()),
        ("loglevel", level_name(s.loglevel).into()),
        ("pidfile", path(&s.pidfile).into()),
        ("identifier", s.identifier.as_str().into()),
        ("nodaemon", s.nodaemon.into()),
        ("silent", s.silent.into()),
        ("childlogdir", path(&s.childlogdir).into()),
        ("nocleanup", s.nocleanup.into()),
        ("strip_ansi", s.strip_ansi.into()),
        ("log_overflow", s.log_overflow.name().into()),
        ("environment", (&s.environment).into()),
        ("serverurl", config.child_serverurl().into()),
        ("exit_on", s.exit_on.name().into()),
        ("leftovers", s.leftovers.name().into()),
    ])
}

fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Blather => "blather",
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
        LogLevel::Critical => "critical",
    }
}

fn account(account: &Account) -> Json {
    let allowed = Permission::ALL.iter().filter(|permission| account.rights.allow(**permission));
    let numbers = |ids: &[u32]| Json::list(ids.to_vec());
    Json::object([
        ("name", account.name.as_str().into()),
        ("has_password", account.password.is_some().into()),
        ("has_token", (!account.tokens.is_empty()).into()),
        ("unix_users", numbers(&account.unix_users)),
        ("unix_groups", numbers(&account.unix_groups)),
        ("allow", Json::list(allowed.map(|permission| permission.word()))),
        ("programs", account.programs.to_string().into()),
    ])
}

fn server(server: &Server) -> Json {
    let name = server.section.split_once(':').map(|(_, name)| name);
    let credentials = server.credentials.as_ref().or(server.void_credentials.as_ref());
    let common = [
        ("section", server.section.as_str().into()),
        ("name", name.into()),
        ("username", credentials.map(|credentials| credentials.username.as_str()).into()),
        ("allow_unauthenticated", server.allow_unauthenticated.into()),
        ("get_actions", server.get_actions.into()),
        ("allowed_hosts", Json::list(server.allowed_hosts.iter().map(String::as_str))),
        ("has_password", credentials.is_some_and(|credentials| !credentials.password.is_empty()).into()),
    ];
    let own = match &server.address {
        Address::Unix { file, chmod, uid, gid } => vec![
            ("family", "unix".into()),
            ("file", path(file).into()),
            ("chmod", (*chmod).into()),
            ("chown", owner((*uid, *gid))),
        ],
        Address::Inet { host, port } => {
            let file = |of: fn(&Tls) -> Option<&Path>| server.tls.as_ref().and_then(of).map(path).into();
            vec![
                ("family", "inet".into()),
                ("host", host.as_str().into()),
                ("port", (*port).into()),
                ("certfile", file(|tls| Some(&tls.certfile))),
                ("keyfile", file(|tls| Some(&tls.keyfile))),
                ("client_ca", file(|tls| tls.client_ca.as_deref())),
            ]
        }
    };
    Json::object(common.into_iter().chain(own))
}

fn plugin(plugin: &RpcInterface) -> Json {
    Json::object([
        ("name", plugin.name.as_str().into()),
        ("factory", plugin.factory.as_str().into()),
        ("options", (&plugin.options).into()),
    ])
}

fn group(group: &GroupConfig) -> Json {
    let (kind, own) = match &group.kind {
        GroupKind::Program => ("program", vec![]),
        GroupKind::Group => ("group", vec![]),
        GroupKind::Fcgi(config) => ("fcgi", vec![("socket", socket(config))]),
        GroupKind::EventListener(pool) => (
            "eventlistener",
            vec![
                ("buffer_size", u64::try_from(pool.buffer_size).unwrap_or(u64::MAX).into()),
                ("events", Json::list(pool.events.iter().map(String::as_str))),
                ("result_handler", pool.result_handler.name().into()),
                ("overflow", pool.overflow.name().into()),
                ("overflow_maxbytes", pool.overflow_maxbytes.into()),
                ("listener_recover", pool.listener_recover.into()),
                ("payload_length", pool.payload_length.name().into()),
            ],
        ),
    };
    // One order for all kinds; a `[group:x]` starts them in another (SPEC 2.8).
    let mut processes: Vec<&ProcessConfig> = group.processes.iter().map(|process| &**process).collect();
    processes.sort_by_key(|process| (process.priority, &process.name));
    let common = [
        ("kind", kind.into()),
        ("name", group.name.as_str().into()),
        ("priority", group.priority.into()),
        ("processes", Json::list(processes.into_iter().map(process))),
    ];
    Json::object(common.into_iter().chain(own))
}

fn socket(socket: &SocketConfig) -> Json {
    Json::object([
        ("url", socket.url.as_str().into()),
        ("backlog", socket.backlog.into()),
        ("mode", socket.mode.into()),
        ("owner", socket.owner.map_or(Json::Null, owner)),
    ])
}

fn process(p: &ProcessConfig) -> Json {
    let class = match p.kind {
        ProcessKind::Program => "program",
        ProcessKind::EventListener => "eventlistener",
        ProcessKind::Fcgi => "fcgi",
    };
    let autorestart = match p.autorestart {
        AutoRestart::Never => false.into(),
        AutoRestart::Unexpected => "unexpected".into(),
        AutoRestart::Always => true.into(),
    };
    let own = [
        ("class", class.into()),
        ("name", p.name.as_str().into()),
        ("command", p.command.as_str().into()),
        ("directory", p.directory.as_deref().map(path).into()),
        ("environment", (&p.environment).into()),
        ("autostart", p.autostart.into()),
        ("autorestart", autorestart),
        ("startsecs", p.startsecs.into()),
        ("startretries", p.startretries.number().into()),
        ("restartpause", seconds(p.restartpause)),
        ("backoff", p.backoff.curve.name().into()),
        ("maxbackoff", p.backoff.most.map_or(Json::Null, seconds)),
        ("backoffjitter", Json::Thousandths(p.backoff.jitter.thousandths.into())),
        ("startlimit", p.startlimit.map_or(Json::Null, start_limit)),
        ("essential", p.essential.into()),
        (
            "type",
            match p.program_type {
                ProgramType::Simple => "simple".into(),
                ProgramType::Oneshot => "oneshot".into(),
            },
        ),
        ("socket", p.socket.as_deref().map_or(Json::Null, socket)),
        ("exitcodes", Json::list(p.exitcodes.iter().copied())),
        ("stopsignal", p.stopsignal.into()),
        ("stopwaitsecs", p.stopwaitsecs.into()),
        ("stopasgroup", p.stopasgroup.into()),
        ("killasgroup", p.killasgroup.into()),
        ("priority", p.priority.into()),
        ("umask", p.umask.into()),
        ("uid", p.user.as_ref().map_or(Json::Null, |user| id(user.uid))),
        ("redirect_stderr", p.redirect_stderr.into()),
        ("log_overflow", p.stdout.overflow.name().into()),
        ("logfile_mkdir", p.stdout.extras.as_ref().is_some_and(|extras| extras.mkdir).into()),
        ("serverurl", p.serverurl.as_deref().into()),
    ];
    let channels = [("stdout", &p.stdout), ("stderr", &p.stderr)].into_iter().flat_map(|(name, channel)| {
        let members = channel_members(channel).into_iter().chain(extra_members(channel));
        members.map(move |(key, value)| (format!("{name}_{key}"), value))
    });
    Json::object(own.map(|(key, value)| (key.to_owned(), value)).into_iter().chain(channels))
}

fn seconds(duration: Duration) -> Json {
    Json::Thousandths(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn start_limit(limit: StartLimit) -> Json {
    Json::object([("restarts", limit.restarts.into()), ("seconds", seconds(limit.within))])
}

fn channel_members(channel: &Channel) -> [(&'static str, Json); 6] {
    let logfile = match &channel.logfile {
        LogFile::Auto => "AUTO".into(),
        LogFile::None => Json::Null,
        LogFile::Path(file) => path(file).into(),
    };
    [
        ("logfile", logfile),
        ("logfile_maxbytes", channel.maxbytes.into()),
        ("logfile_backups", channel.backups.into()),
        ("capture_maxbytes", channel.capture_maxbytes.into()),
        ("events_enabled", channel.events_enabled.into()),
        ("syslog", channel.syslog.into()),
    ]
}

/// What Supervisor does not have.
fn extra_members(channel: &Channel) -> [(&'static str, Json); 10] {
    let usual = LogExtras::default();
    let extras = channel.extras.as_deref().unwrap_or(&usual);
    let syslog = &extras.syslog;
    [
        ("logfile_more", Json::list(extras.more.iter().map(|file| path(file)))),
        ("logfile_format", extras.format.to_string().into()),
        ("logfile_compress", extras.compress.name().into()),
        ("logfile_owner", extras.owner.map_or(Json::Null, owner)),
        ("logfile_mode", extras.mode.into()),
        ("syslog_address", syslog.address.to_string().into()),
        ("syslog_facility", syslog.facility_name().into()),
        ("syslog_severity", syslog.severity_name().into()),
        ("syslog_tag", syslog.tag.as_deref().into()),
        ("journald", extras.journald.into()),
    ]
}

fn supervisorctl(ctl: &CtlConfig) -> Json {
    Json::object([
        ("serverurl", ctl.serverurl.as_str().into()),
        ("username", ctl.username.as_deref().into()),
        ("has_password", ctl.password.as_ref().is_some_and(|password| !password.is_empty()).into()),
        ("prompt", ctl.prompt.as_str().into()),
        ("history_file", ctl.history_file.as_deref().map(path).into()),
        ("cafile", ctl.tls.cafile.as_deref().map(path).into()),
        ("certfile", ctl.tls.certfile.as_deref().map(path).into()),
        ("keyfile", ctl.tls.keyfile.as_deref().map(path).into()),
        ("plugins", Json::list(ctl.plugins.iter().map(plugin))),
    ])
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// `null` for the id of an account that only another machine has.
fn id(number: u32) -> Json {
    if number == User::UNKNOWN { Json::Null } else { number.into() }
}

/// `[uid, gid]`, with -1 for what is left as it is.
fn owner((uid, gid): (Option<u32>, Option<u32>)) -> Json {
    Json::List([uid, gid].map(|number| number.map_or(Json::Integer(-1), id)).into())
}
