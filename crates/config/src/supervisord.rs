//! `[supervisord]`, and what the command line changes about it (SPEC 1.6).

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::expand::{Scope, expand};
use crate::options::{SectionKind, ValueKind};
use crate::reading::Reading;
use crate::section::Section;
use crate::{
    Leftovers, LogLevel, MainLog, Supervisord, User, advice, channel, environment, leftovers, paths, policy,
    values,
};

/// Values given on the command line, which win over the file's, also when it is read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CliOverrides {
    /// Flags can only turn something on.
    pub nodaemon: bool,
    pub silent: bool,
    pub nocleanup: bool,
    pub strip_ansi: bool,
    /// Not looked up yet.
    pub user: Option<String>,
    pub umask: Option<u32>,
    pub directory: Option<PathBuf>,
    pub logfile: Option<PathBuf>,
    pub logfile_maxbytes: Option<u64>,
    pub logfile_backups: Option<u32>,
    pub loglevel: Option<LogLevel>,
    pub pidfile: Option<PathBuf>,
    pub identifier: Option<String>,
    pub childlogdir: Option<PathBuf>,
    pub minfds: Option<u64>,
    pub minprocs: Option<u64>,
    pub leftovers: Option<Leftovers>,
}

/// Everything, and the name of the user, whom Supervisor looks up last ([`user`]).
pub(crate) fn read(
    reading: &Reading<'_>,
    cli: &CliOverrides,
    scope: &Scope<'_>,
) -> (Supervisord, Option<String>) {
    let section = Section::new(reading, "supervisord", SectionKind::Supervisord);
    let files = reading.files;
    let in_directory = |text: &str| values::path_in_directory(text, files);
    // A bad value in the file is an error even where the command line overrides it.
    let minfds = section.count("minfds", scope);
    let minprocs = section.count("minprocs", scope);
    let directory = section.existing_directory("directory", scope);
    let user = section.text("user", ValueKind::User, scope);
    let umask = section.defaulted("umask", ValueKind::Octal, scope, values::octal);
    let logfile = section.defaulted("logfile", ValueKind::MainLog, scope, in_directory);
    let logfile_maxbytes = section.byte_size("logfile_maxbytes", scope);
    let logfile_backups = section.backups("logfile_backups", scope);
    let loglevel = section.defaulted("loglevel", ValueKind::LogLevel, scope, values::log_level);
    let pidfile = section.defaulted("pidfile", ValueKind::PathInDirectory, scope, in_directory);
    let identifier = section.defaulted("identifier", ValueKind::Text, scope, |text| Ok(text.to_owned()));
    let nodaemon = section.boolean("nodaemon", scope);
    let silent = section.boolean("silent", scope);
    let childlogdir = section.existing_directory("childlogdir", scope).unwrap_or_else(|| files.temp_dir());
    let nocleanup = section.boolean("nocleanup", scope);
    let strip_ansi = section.boolean("strip_ansi", scope);
    let environment = environment(&section, scope);
    let exit_on = section.defaulted("exit_on", ValueKind::ExitOn, scope, policy::exit_on);
    let leftovers = section.defaulted("leftovers", ValueKind::Leftovers, scope, leftovers::leftovers);
    let log_overflow = section.defaulted("log_overflow", ValueKind::Overflow, scope, channel::overflow);
    let audit_logfile = section.parsed("audit_logfile", ValueKind::PathInDirectory, scope, in_directory);
    if cli.nodaemon || nodaemon {
        advice::advise_on_foreground(&section);
    }
    let settled = |path: PathBuf| PathBuf::from(paths::settled(&path.to_string_lossy(), files));
    let supervisord = Supervisord {
        logfile: match cli.logfile.clone().unwrap_or(logfile) {
            syslog if syslog.as_os_str() == "syslog" => MainLog::Syslog,
            path => MainLog::File(settled(path)),
        },
        logfile_maxbytes: cli.logfile_maxbytes.unwrap_or(logfile_maxbytes),
        logfile_backups: cli.logfile_backups.unwrap_or(logfile_backups),
        loglevel: cli.loglevel.unwrap_or(loglevel),
        pidfile: settled(cli.pidfile.clone().unwrap_or(pidfile)),
        umask: cli.umask.unwrap_or(umask),
        directory: cli.directory.clone().or(directory),
        user: None,
        nodaemon: cli.nodaemon || nodaemon,
        silent: cli.silent || silent,
        nocleanup: cli.nocleanup || nocleanup,
        strip_ansi: cli.strip_ansi || strip_ansi,
        log_overflow,
        audit_logfile: audit_logfile.map(settled),
        identifier: cli.identifier.clone().unwrap_or(identifier),
        childlogdir: cli.childlogdir.clone().unwrap_or(childlogdir),
        minfds: cli.minfds.unwrap_or(minfds),
        minprocs: cli.minprocs.unwrap_or(minprocs),
        environment,
        exit_on,
        leftovers: cli.leftovers.unwrap_or(leftovers),
    };
    (supervisord, cli.user.clone().or(user))
}

/// The account that supervisord changes to.
pub(crate) fn user(reading: &Reading<'_>, name: &str) -> Option<User> {
    let section = Section::new(reading, "supervisord", SectionKind::Supervisord);
    let user = values::user(name, reading.files).map_err(|text| section.refuse("user", text)).ok()?;
    section.advise_on_stranger("user", &user);
    Some(user)
}

/// Variables for every program. `host_node_name` is known here, as 4.3.0 meant it to be.
fn environment(section: &Section<'_>, scope: &Scope<'_>) -> BTreeMap<String, String> {
    let scope = &Scope::within(scope).text("host_node_name", &section.reading.files.hostname());
    // Expanded for the second time, as child logs are: Supervisor wants a percent sign
    // written four times there, and a file that we accept must start there too.
    let read = section.defaulted("environment", ValueKind::Environment, scope, |text| {
        environment::parse(&expand(text, scope, "environment")?)
    });
    for loss in read.losses {
        section.advise("environment", loss);
    }
    read.pairs
}
