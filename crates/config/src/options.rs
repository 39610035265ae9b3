//! Every option there is, one row each: name, sections, kind of value, default.
//!
//! The reader takes names, kinds and defaults out of this table (`section.rs`),
//! unknown keys are judged by it, and the reference page is made from it. To add
//! an option: add its row here and read it in the room of its section; the test
//! `every_row_is_read` in `load.rs` fails until both are done.

/// What a section is about; `[program:x]` is a [`SectionKind::Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectionKind {
    Supervisord,
    UnixHttpServer,
    InetHttpServer,
    Program,
    EventListener,
    FcgiProgram,
    Group,
    User,
    Include,
    RpcInterface,
    CtlPlugin,
    Supervisorctl,
}

/// What a value must look like (SPEC 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    Text,
    Integer,
    Boolean,
    AutoRestart,
    /// An integer, or `infinite`.
    Retries,
    /// A number with up to three decimals, not negative.
    Seconds,
    /// From 0 to 1, with up to three decimals.
    Fraction,
    Backoff,
    /// `RESTARTS/SECONDS`.
    StartLimit,
    ProgramType,
    ExitOn,
    Leftovers,
    ByteSize,
    Octal,
    Signal,
    ExitCodes,
    /// Comma-separated.
    Strings,
    User,
    UserGroup,
    /// A path that need not exist.
    Path,
    /// A directory that must exist.
    ExistingDirectory,
    /// A file whose directory must exist.
    PathInDirectory,
    /// The same, or `syslog`.
    MainLog,
    /// The same, or `AUTO`, or `NONE`, or several destinations.
    ChildLog,
    Overflow,
    /// `spill`, `drop` or `block`.
    PoolOverflow,
    /// Bytes on a disk: none, or enough to be worth a file.
    SpillSize,
    /// `auto`, `bytes` or `characters`.
    PayloadLength,
    /// `text`, `json` or a pattern.
    LogFormat,
    LogPrefix,
    Compress,
    /// `user`, `user:group` or `:group`, of whom a number need not exist.
    LogOwner,
    SyslogAddress,
    SyslogFacility,
    SyslogSeverity,
    SyslogTag,
    LogLevel,
    /// A name that may hold `%(process_num)s`.
    NamePattern,
    Environment,
    InetAddress,
    FcgiSocket,
    EventTypes,
    /// `module:callable` of a Python plug-in.
    PythonObject,
    Url,
    /// Glob patterns between blanks.
    GlobPatterns,
    /// `viewer`, `operator` or `admin`.
    Role,
    /// Rights between commas.
    Permissions,
    /// Globs on `group:name` between commas.
    Programs,
    /// Accounts of this machine between commas.
    Accounts,
    /// The same of groups of accounts.
    AccountGroups,
    /// Host names between commas.
    Hosts,
}

/// What holds when a key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// The section is refused without it.
    Required,
    /// Nothing is set.
    Unset,
    /// As if this had been written.
    Text(&'static str),
    /// The value of another option.
    SameAs(&'static str),
    /// The machine's directory for temporary files.
    TempDir,
}

/// What makes a changed value count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// `supervisorctl update`, which restarts the processes.
    Update,
    /// `supervisorctl update`, and what runs goes on.
    Live,
    /// `supervisorctl reread`.
    Reread,
    /// `supervisorctl reload`, or a restart of supervisord.
    Reload,
    /// The next start of supervisorctl.
    NextClient,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionRow {
    pub name: &'static str,
    pub sections: &'static [SectionKind],
    pub kind: ValueKind,
    pub default: DefaultValue,
    pub on_change: OnChange,
    /// One sentence for the reference page.
    pub doc: &'static str,
    /// The version of Provost that first knew it.
    pub since: &'static str,
}

/// The row of an option in a section.
pub fn row(section: SectionKind, name: &str) -> Option<&'static OptionRow> {
    OPTIONS.iter().find(|row| row.name == name && row.sections.contains(&section))
}

/// The kind of the section with this name; `None` is a section that nobody reads.
pub fn section_kind(name: &str) -> Option<SectionKind> {
    use SectionKind as S;
    match name {
        "supervisord" => return Some(S::Supervisord),
        "supervisorctl" => return Some(S::Supervisorctl),
        "include" => return Some(S::Include),
        _ => {}
    }
    // Servers are known by how their section's name begins, with or without a colon.
    [
        ("unix_http_server", S::UnixHttpServer),
        ("inet_http_server", S::InetHttpServer),
        ("program:", S::Program),
        ("eventlistener:", S::EventListener),
        ("fcgi-program:", S::FcgiProgram),
        ("group:", S::Group),
        ("user:", S::User),
        ("rpcinterface:", S::RpcInterface),
        ("ctlplugin:", S::CtlPlugin),
    ]
    .into_iter()
    .find_map(|(prefix, kind)| name.starts_with(prefix).then_some(kind))
}

use DefaultValue::{Required, SameAs, TempDir, Text, Unset};
use OnChange::{Live, NextClient, Reload, Reread, Update};
use SectionKind as S;
use ValueKind as V;

const DAEMON: &[SectionKind] = &[S::Supervisord];
const SERVERS: &[SectionKind] = &[S::UnixHttpServer, S::InetHttpServer];
const UNIX: &[SectionKind] = &[S::UnixHttpServer];
const INET: &[SectionKind] = &[S::InetHttpServer];
const PROGRAMS: &[SectionKind] = &[S::Program, S::EventListener, S::FcgiProgram];
const LISTENERS: &[SectionKind] = &[S::EventListener];
const FCGI: &[SectionKind] = &[S::FcgiProgram];
const GROUPS: &[SectionKind] = &[S::Group];
const USERS: &[SectionKind] = &[S::User];
const CTL: &[SectionKind] = &[S::Supervisorctl];

const fn option(
    name: &'static str,
    sections: &'static [SectionKind],
    kind: ValueKind,
    default: DefaultValue,
    on_change: OnChange,
    doc: &'static str,
) -> OptionRow {
    OptionRow { name, sections, kind, default, on_change, doc, since: "0.1.0" }
}

/// In the order of the reference page.
#[rustfmt::skip]
pub static OPTIONS: &[OptionRow] = &[
    option("logfile", DAEMON, V::MainLog, Text("supervisord.log"), Reload,
        "The file that supervisord writes its own log to, or `syslog`."),
    option("logfile_maxbytes", DAEMON, V::ByteSize, Text("50MB"), Reload,
        "How large the main log grows before it is rotated; 0 never rotates it."),
    option("logfile_backups", DAEMON, V::Integer, Text("10"), Reload,
        "How many rotated main logs are kept."),
    option("loglevel", DAEMON, V::LogLevel, Text("info"), Reload,
        "The least important kind of line that the main log takes: critical, error, warn, info, debug, trace or blather."),
    option("pidfile", DAEMON, V::PathInDirectory, Text("supervisord.pid"), Reload,
        "The file that holds supervisord's process id while it runs."),
    option("umask", DAEMON, V::Octal, Text("022"), Reload,
        "The file mode mask of supervisord and, unless they set their own, of its programs; not used with nodaemon."),
    option("nodaemon", DAEMON, V::Boolean, Text("false"), Reload,
        "Stay in the foreground."),
    option("silent", DAEMON, V::Boolean, Text("false"), Reload,
        "In the foreground, do not copy the main log to standard output."),
    option("minfds", DAEMON, V::Integer, Text("1024"), Reload,
        "How many open files supervisord must be allowed before it starts."),
    option("minprocs", DAEMON, V::Integer, Text("200"), Reload,
        "How many processes supervisord must be allowed before it starts."),
    option("nocleanup", DAEMON, V::Boolean, Text("false"), Reload,
        "Keep the automatic child logs of earlier runs at start."),
    option("childlogdir", DAEMON, V::ExistingDirectory, TempDir, Reload,
        "The directory for child logs that are named automatically."),
    option("user", DAEMON, V::User, Unset, Reload,
        "The account that supervisord changes to after it has been started as root."),
    option("directory", DAEMON, V::ExistingDirectory, Unset, Reload,
        "The directory that supervisord changes to when it goes into the background."),
    option("strip_ansi", DAEMON, V::Boolean, Text("false"), Reload,
        "Remove terminal escape sequences from child logs."),
    option("audit_logfile", DAEMON, V::PathInDirectory, Unset, Reload,
        "A file that gets a line of JSON for every command that changes something: who gave it, from where, and what became of it. The main log has a line for each, too."),
    option("log_overflow", DAEMON, V::Overflow, Text("block"), Reload,
        "What happens to the output of programs while there is no room for it: block keeps it waiting, drop throws it away and counts it."),
    option("environment", DAEMON, V::Environment, Text(""), Reload,
        "Variables for every program, as KEY=\"value\" pairs between commas."),
    option("identifier", DAEMON, V::Text, Text("supervisor"), Reload,
        "The name of this supervisord towards clients, and a part of automatic log names."),
    option("exit_on", DAEMON, V::ExitOn, Text("none"), Reload,
        "When to stop everything and exit with a program's status: none for never, fatal for a program that is FATAL, exited for one that ended for good, all_exited when all are down."),
    option("leftovers", DAEMON, V::Leftovers, Text("start"), Reload,
        "What a start does about programs that a killed supervisord of the same pidfile has left running: start says so and starts all the same, refuse does not start, adopt takes them over, stop stops them first."),

    option("file", UNIX, V::Path, Required, Reload,
        "The socket file that the server listens on."),
    option("chmod", UNIX, V::Octal, Text("0700"), Reload,
        "The file mode of the socket."),
    option("chown", UNIX, V::UserGroup, Unset, Reload,
        "The owner, or owner:group, that the socket is given to."),
    option("port", INET, V::InetAddress, Required, Reload,
        "The port, or host:port, that the server listens on; no host, or *, means every interface of IPv4, [::] those of IPv6, too."),
    option("username", SERVERS, V::Text, Unset, Reread,
        "The user name that clients must give."),
    option("password", SERVERS, V::Text, Unset, Reread,
        "The password that clients must give, in clear text or as a hash that supervisorctl hash-password makes; {SHA} and the SHA-1 in hexadecimal, as Supervisor knows it, is one, too."),
    option("allow_unauthenticated", SERVERS, V::Boolean, Text("false"), Reload,
        "Let anybody in without a password, from wherever the server can be reached. A server without a password that does not say so answers on loopback only."),
    option("get_actions", SERVERS, V::Boolean, Text("true"), Reread,
        "Let scripts act by the links of Supervisor's web page, /?action=stop&processname=x; browsers never may."),
    option("allowed_hosts", INET, V::Hosts, Unset, Reread,
        "Names under which browsers may use the server, beside localhost, addresses and the name of this machine."),
    option("certfile", INET, V::Path, Unset, Reload,
        "The server speaks HTTPS with the certificate in this PEM file, and those behind it that lead to the root."),
    option("keyfile", INET, V::Path, Unset, Reload,
        "The PEM file with the private key of that certificate."),
    option("client_ca", INET, V::Path, Unset, Reload,
        "Clients may show a certificate that one of those in this PEM file has signed; its name says which user they are."),

    option("command", PROGRAMS, V::Text, Required, Update,
        "The command line that is run; quotes group words, but no shell is involved."),
    option("process_name", PROGRAMS, V::NamePattern, Text("%(program_name)s"), Update,
        "The name of each process, which must hold %(process_num)s when there are several."),
    option("numprocs", PROGRAMS, V::Integer, Text("1"), Update,
        "How many processes of this program are run."),
    option("numprocs_start", PROGRAMS, V::Integer, Text("0"), Update,
        "The number of the first process."),
    option("priority", &[S::Program, S::FcgiProgram, S::Group], V::Integer, Text("999"), Live,
        "The place in the start order: lower ones start first and stop last."),
    option("priority", LISTENERS, V::Integer, Text("-1"), Live,
        "The listener's place in the start order, before all programs unless set."),
    option("autostart", PROGRAMS, V::Boolean, Text("true"), Live,
        "Start when supervisord starts."),
    option("startsecs", PROGRAMS, V::Integer, Text("1"), Live,
        "How many seconds a process must stay up to count as running."),
    option("startretries", PROGRAMS, V::Retries, Text("3"), Live,
        "How many more times a failed start is tried before the process is FATAL; infinite, or -1, for no end."),
    option("backoff", PROGRAMS, V::Backoff, Text("linear"), Live,
        "How the wait before another try grows, in seconds: linear (1, 2, 3, …), exponential (1, 2, 4, …) or constant (1, 1, 1, …)."),
    option("maxbackoff", PROGRAMS, V::Seconds, Unset, Live,
        "How long that wait gets at most; a day unless set."),
    option("backoffjitter", PROGRAMS, V::Fraction, Text("0"), Live,
        "How much of that wait is left to chance: 0.2 makes it up to a fifth shorter or longer, so that many do not try at once."),
    option("autorestart", PROGRAMS, V::AutoRestart, Text("unexpected"), Live,
        "Whether a process that ends is started again: true, false, or unexpected for exit codes that are not listed."),
    option("restartpause", PROGRAMS, V::Seconds, Text("0"), Live,
        "How many seconds pass from the end of a running process to its automatic restart."),
    option("startlimit", PROGRAMS, V::StartLimit, Unset, Live,
        "How often a process that ran is restarted within so many seconds; the next time it is FATAL instead."),
    option("type", PROGRAMS, V::ProgramType, Text("simple"), Live,
        "What the process is: simple is meant to stay, oneshot to do its work and end, for which an expected exit code before startsecs is no failure."),
    option("essential", PROGRAMS, V::Boolean, Text("false"), Live,
        "When a process ends for good by itself, stop everything and exit with its status."),
    option("exitcodes", PROGRAMS, V::ExitCodes, Text("0"), Live,
        "The exit codes that are expected, between commas."),
    option("stopsignal", PROGRAMS, V::Signal, Text("TERM"), Live,
        "The signal that asks a process to stop."),
    option("stopwaitsecs", PROGRAMS, V::Integer, Text("10"), Live,
        "How many seconds a process has to stop before it is killed."),
    option("stopasgroup", PROGRAMS, V::Boolean, Text("false"), Live,
        "Send the stop signal to the whole process group; implies killasgroup."),
    option("killasgroup", PROGRAMS, V::Boolean, SameAs("stopasgroup"), Live,
        "Send the final SIGKILL to the whole process group."),
    option("user", PROGRAMS, V::User, Unset, Update,
        "The account that the process runs as."),
    option("umask", PROGRAMS, V::Octal, Unset, Update,
        "The file mode mask of the process."),
    option("directory", PROGRAMS, V::Text, Unset, Update,
        "The directory that the process starts in."),
    option("environment", PROGRAMS, V::Environment, Text(""), Update,
        "Variables for this program, on top of those of supervisord."),
    option("serverurl", PROGRAMS, V::Text, Unset, Update,
        "The address given to the process in SUPERVISOR_SERVER_URL; AUTO chooses one of the servers."),
    option("redirect_stderr", PROGRAMS, V::Boolean, Text("false"), Update,
        "Send standard error where standard output goes."),
    option("log_overflow", PROGRAMS, V::Overflow, Unset, Live,
        "What happens to output while there is no room for it: block keeps it waiting, and in the end the program too; drop throws it away, counts it, and says so in the log. What [supervisord] says, unless set."),
    option("log_prefix", PROGRAMS, V::LogPrefix, Text("none"), Live,
        "What stands before each line of both logs: name for the name of the process and a bar, as docker-compose does it; short for a format of both."),
    option("logfile_mkdir", PROGRAMS, V::Boolean, Text("false"), Live,
        "Make the directories of both logs where they are missing."),
    option("stdout_logfile", PROGRAMS, V::ChildLog, Text("AUTO"), Update,
        "The file for standard output, AUTO for one with a name of supervisord's choice, or NONE; several destinations stand between commas."),
    option("stdout_logfile_maxbytes", PROGRAMS, V::ByteSize, Text("50MB"), Live,
        "How large the standard output log grows before it is rotated; 0 never rotates it."),
    option("stdout_logfile_backups", PROGRAMS, V::Integer, Text("10"), Live,
        "How many rotated standard output logs are kept."),
    option("stdout_logfile_format", PROGRAMS, V::LogFormat, Text("text"), Live,
        "What a line of standard output becomes in the log: text leaves it alone, json makes an object of it, and a pattern such as %(asctime)s %(process_name)s %(message)s puts words around it."),
    option("stdout_logfile_compress", PROGRAMS, V::Compress, Text("none"), Live,
        "How rotated standard output logs are compressed: none, gzip or zstd."),
    option("stdout_logfile_owner", PROGRAMS, V::LogOwner, Unset, Live,
        "The owner, or owner:group, of the standard output log and its backups."),
    option("stdout_logfile_mode", PROGRAMS, V::Octal, Unset, Live,
        "The file mode of the standard output log and its backups."),
    option("stdout_capture_maxbytes", PROGRAMS, V::ByteSize, Text("0"), Live,
        "How much text between the communication tokens on standard output is kept for an event; 0 looks for none."),
    option("stdout_events_enabled", PROGRAMS, V::Boolean, Text("false"), Live,
        "Publish what is written to standard output as events."),
    option("stdout_syslog", PROGRAMS, V::Boolean, Text("false"), Update,
        "Send standard output to syslog as well."),
    option("stdout_syslog_address", PROGRAMS, V::SyslogAddress, Text("local"), Update,
        "Where the syslog is that standard output goes to: that of this machine, or another one's by UDP or TCP."),
    option("stdout_syslog_facility", PROGRAMS, V::SyslogFacility, Text("user"), Update,
        "The facility under which standard output goes to syslog."),
    option("stdout_syslog_severity", PROGRAMS, V::SyslogSeverity, Text("info"), Update,
        "The severity with which standard output goes to syslog."),
    option("stdout_syslog_tag", PROGRAMS, V::SyslogTag, Unset, Update,
        "The name under which standard output goes to syslog; supervisord unless set."),
    option("stdout_journald", PROGRAMS, V::Boolean, Text("false"), Update,
        "Send standard output to systemd's journal as well."),
    option("stderr_logfile", PROGRAMS, V::ChildLog, Text("AUTO"), Update,
        "The file for standard error, AUTO for one with a name of supervisord's choice, or NONE; several destinations stand between commas."),
    option("stderr_logfile_maxbytes", PROGRAMS, V::ByteSize, Text("50MB"), Live,
        "How large the standard error log grows before it is rotated; 0 never rotates it."),
    option("stderr_logfile_backups", PROGRAMS, V::Integer, Text("10"), Live,
        "How many rotated standard error logs are kept."),
    option("stderr_logfile_format", PROGRAMS, V::LogFormat, Text("text"), Live,
        "What a line of standard error becomes in the log: text leaves it alone, json makes an object of it, and a pattern such as %(asctime)s %(process_name)s %(message)s puts words around it."),
    option("stderr_logfile_compress", PROGRAMS, V::Compress, Text("none"), Live,
        "How rotated standard error logs are compressed: none, gzip or zstd."),
    option("stderr_logfile_owner", PROGRAMS, V::LogOwner, Unset, Live,
        "The owner, or owner:group, of the standard error log and its backups."),
    option("stderr_logfile_mode", PROGRAMS, V::Octal, Unset, Live,
        "The file mode of the standard error log and its backups."),
    option("stderr_capture_maxbytes", PROGRAMS, V::ByteSize, Text("0"), Live,
        "How much text between the communication tokens on standard error is kept for an event; 0 looks for none."),
    option("stderr_events_enabled", PROGRAMS, V::Boolean, Text("false"), Live,
        "Publish what is written to standard error as events."),
    option("stderr_syslog", PROGRAMS, V::Boolean, Text("false"), Update,
        "Send standard error to syslog as well."),
    option("stderr_syslog_address", PROGRAMS, V::SyslogAddress, Text("local"), Update,
        "Where the syslog is that standard error goes to: that of this machine, or another one's by UDP or TCP."),
    option("stderr_syslog_facility", PROGRAMS, V::SyslogFacility, Text("user"), Update,
        "The facility under which standard error goes to syslog."),
    option("stderr_syslog_severity", PROGRAMS, V::SyslogSeverity, Text("info"), Update,
        "The severity with which standard error goes to syslog."),
    option("stderr_syslog_tag", PROGRAMS, V::SyslogTag, Unset, Update,
        "The name under which standard error goes to syslog; supervisord unless set."),
    option("stderr_journald", PROGRAMS, V::Boolean, Text("false"), Update,
        "Send standard error to systemd's journal as well."),

    option("events", LISTENERS, V::EventTypes, Required, Live,
        "The types of events that the listener is told of, between commas."),
    option("overflow", LISTENERS, V::PoolOverflow, Text("spill"), Live,
        "What happens when listeners fall behind: spill keeps all events, the oldest of many on disk; drop keeps buffer_size of them and discards the oldest, as Supervisor does; block keeps all, and reads no output that is told as events while buffer_size of them wait."),
    option("buffer_size", LISTENERS, V::Integer, Text("10"), Live,
        "How many events may wait for a listener before overflow=drop discards one, or overflow=block reads no further; overflow=spill does not look at it."),
    option("overflow_maxbytes", LISTENERS, V::SpillSize, Text("256MB"), Live,
        "How much of what waits for the pool may lie on disk, in childlogdir; beyond that the oldest events are discarded. 0 puts nothing on disk, and up to 16 megabytes wait in memory."),
    option("listener_recover", LISTENERS, V::Boolean, Text("false"), Live,
        "Let a listener that has broken the protocol come back: its next READY on a line of its own makes it one that hears events again."),
    option("payload_length", LISTENERS, V::PayloadLength, Text("auto"), Update,
        "What the len before a payload counts: bytes, as Supervisor's manual has it, or characters, as Supervisor does, for listeners that read text, as those in Python with childutils do. auto is characters for a listener that is a Python program, and bytes for any other."),
    option("result_handler", LISTENERS, V::PythonObject, Text("supervisor.dispatchers:default_handler"), Update,
        "Who judges a listener's answer: Supervisor's own handler, or supervisor_stdout:event_handler, which writes the output that an answer holds to supervisord's standard output. Any other is a warning, and every answer but FAIL accepts the event."),

    option("socket", FCGI, V::FcgiSocket, Required, Update,
        "The socket that all processes share: unix:///absolute/path or tcp://host:port."),
    option("socket_backlog", FCGI, V::Integer, Unset, Update,
        "How many connections may wait on the shared socket; the system's limit unless set."),
    option("socket_owner", FCGI, V::UserGroup, SameAs("user"), Update,
        "The owner, or owner:group, of a unix socket."),
    option("socket_mode", FCGI, V::Octal, Text("0700"), Update,
        "The file mode of a unix socket."),

    option("programs", GROUPS, V::Strings, Text(""), Update,
        "The programs in this group, between commas."),

    option("password", USERS, V::Text, Unset, Reread,
        "The password, best as the hash that supervisorctl hash-password makes: argon2id, bcrypt or {SHA}; clear text is understood, too."),
    option("password_file", USERS, V::Path, Unset, Reread,
        "A file whose first line is the password, or its hash."),
    option("token", USERS, V::Strings, Unset, Reread,
        "Hashes of the tokens by which machines come in, as supervisorctl hash-password --token makes them, between commas."),
    option("unix_user", USERS, V::Accounts, Unset, Reread,
        "Accounts of this machine, between commas, that are this user when they come through a unix socket; they need no password."),
    option("unix_group", USERS, V::AccountGroups, Unset, Reread,
        "The same of groups of accounts, by the group that the client's process has."),
    option("role", USERS, V::Role, Unset, Reread,
        "What the user may do: viewer sees, operator also starts, stops, restarts, signals, reads and clears logs, admin may do everything. With neither role nor allow, viewer."),
    option("allow", USERS, V::Permissions, Unset, Reread,
        "Rights between commas, on top of those of the role: status, start, stop, restart, signal, stdin, logs, clear, config, shutdown."),
    option("programs", USERS, V::Programs, Text("*"), Reread,
        "The programs that the user has to do with, as globs on group:name between commas; a group alone means all of it. The others are as if they were not there."),

    option("files", &[S::Include], V::GlobPatterns, Required, Reload,
        "More configuration files: glob patterns between blanks, relative to the file they stand in."),

    option("supervisor.rpcinterface_factory", &[S::RpcInterface], V::PythonObject, Required, Reload,
        "Who answers calls in this namespace: Supervisor's own interface, or that of supervisor_twiddler. Any other is a warning."),
    option("supervisor.ctl_factory", &[S::CtlPlugin], V::PythonObject, Required, NextClient,
        "A Python plug-in of supervisorctl, which is accepted and not loaded."),

    option("serverurl", CTL, V::Url, Text("http://localhost:9001"), NextClient,
        "The server that supervisorctl talks to: http://host:port, https://host:port or unix:///path."),
    option("cafile", CTL, V::Path, Unset, NextClient,
        "The PEM file of the authorities whose certificates an https server may have; those that the system trusts unless set."),
    option("certfile", CTL, V::Path, Unset, NextClient,
        "The certificate that supervisorctl shows to an https server, a PEM file."),
    option("keyfile", CTL, V::Path, Unset, NextClient,
        "The PEM file with the private key of that certificate."),
    option("username", CTL, V::Text, Unset, NextClient,
        "The user name that supervisorctl gives."),
    option("password", CTL, V::Text, Unset, NextClient,
        "The password that supervisorctl gives. Whoever may read the file knows it; password_file is better."),
    option("password_file", CTL, V::Path, Unset, NextClient,
        "A regular file whose first line is the password that supervisorctl gives; it is read when supervisorctl has no password from its command line or environment."),
    option("prompt", CTL, V::Text, Text("supervisor"), NextClient,
        "What the interactive shell shows before the >."),
    option("history_file", CTL, V::Path, Unset, NextClient,
        "Where the interactive shell keeps its history."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_has_one_row_per_section() {
        let mut seen = BTreeSet::new();
        for row in OPTIONS {
            for section in row.sections {
                assert!(seen.insert((section, row.name)), "{} twice in {section:?}", row.name);
            }
        }
    }

    #[test]
    fn every_row_is_fit_for_the_reference_page() {
        for row in OPTIONS {
            assert!(row.doc.ends_with('.') && !row.doc.contains('\n'), "{}", row.name);
            assert!(!row.sections.is_empty() && !row.since.is_empty(), "{}", row.name);
            if let SameAs(other) = row.default {
                assert!(row.sections.iter().all(|section| super::row(*section, other).is_some()));
            }
        }
    }

    #[test]
    fn sections_by_name() {
        for (name, kind) in [
            ("supervisord", Some(S::Supervisord)),
            ("program:x", Some(S::Program)),
            ("inet_http_server:b", Some(S::InetHttpServer)),
            ("inet_http_serverb", Some(S::InetHttpServer)),
            ("program", None),
            ("Program:x", None),
            ("supervisordx", None),
        ] {
            assert_eq!(section_kind(name), kind, "{name}");
        }
    }
}
