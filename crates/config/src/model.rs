//! What a configuration means once it is read: plain typed values, nothing left to look up.
//!
//! `core` and `daemon` use these types and no others. A field that Supervisor's
//! manual names has the manual's name; units are in the type or in the comment.
//! `PartialEq` on a group is the question that `reread` asks: did it change?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Account, Backoff, ExitOn, Leftovers, LogExtras, Overflow, PayloadLength, PoolOverflow, ProgramType,
    ResultHandler, Retries, StartLimit,
};

/// A whole configuration: what `supervisord -c FILE` would run.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file this came from, absolute.
    pub path: PathBuf,
    pub supervisord: Supervisord,
    /// inet servers first, then unix ones, each in file order (SPEC 1.8 step 9).
    pub servers: Vec<Server>,
    /// Who may use the servers, beside the one user that a server names itself.
    pub users: Vec<Account>,
    pub rpcinterfaces: Vec<RpcInterface>,
    /// In start order: by priority, then by name (SPEC 2.8).
    pub groups: Vec<GroupConfig>,
    /// Things worth saying that do not prevent a start, in the order they were found.
    pub messages: Vec<Message>,
    /// What Supervisor would swallow without a word, for the log and for `--check`.
    pub advice: Vec<crate::Advice>,
}

/// `[supervisord]`, after the command line has had its say (SPEC 1.6).
#[derive(Debug, Clone, PartialEq)]
pub struct Supervisord {
    pub logfile: MainLog,
    /// Bytes; 0 means never rotate.
    pub logfile_maxbytes: u64,
    pub logfile_backups: u32,
    pub loglevel: LogLevel,
    /// Absolute.
    pub pidfile: PathBuf,
    pub umask: u32,
    pub directory: Option<PathBuf>,
    /// As written, with the ids it names.
    pub user: Option<User>,
    pub nodaemon: bool,
    pub silent: bool,
    pub nocleanup: bool,
    pub strip_ansi: bool,
    /// For programs that do not say it themselves.
    /// Absolute; who did what, for machines.
    pub audit_logfile: Option<PathBuf>,
    pub log_overflow: Overflow,
    pub identifier: String,
    pub childlogdir: PathBuf,
    pub minfds: u64,
    pub minprocs: u64,
    pub environment: BTreeMap<String, String>,
    pub exit_on: ExitOn,
    pub leftovers: Leftovers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MainLog {
    /// Absolute.
    File(PathBuf),
    Syslog,
}

/// Levels of the main log, lowest first so that `>=` means "at least this important" (SPEC 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Blather,
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// A user as configured, resolved through the `Files` seam.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The text that was written: a login name or a number, with `:` and a group where one was written.
    pub name: String,
    pub uid: u32,
    /// The user's primary group, or the one that was written.
    pub gid: u32,
}

impl User {
    /// Stands for the id of an account that this machine does not have, which only
    /// [`Lenient`](crate::Lenient) lets through. No account can have it: for the
    /// system calls that take ids it means "none".
    pub const UNKNOWN: u32 = u32::MAX;

    /// Whether a process with these ids is this user already. Supervisor looks at the user only, and so do we where no
    /// group was written.
    pub fn is(&self, uid: u32, gid: u32) -> bool {
        self.uid == uid && self.group().is_none_or(|written| written == gid)
    }

    /// The group, where one was written.
    pub fn group(&self) -> Option<u32> {
        self.name.contains(':').then_some(self.gid)
    }

    /// The login name or the number, without the group.
    pub fn login(&self) -> &str {
        self.name.split(':').next().unwrap_or_default()
    }
}

/// One `[unix_http_server]` or `[inet_http_server]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The whole section name, as Supervisor prints it (`inet_http_server:b`).
    pub section: String,
    pub address: Address,
    /// Both or neither; an empty user name counts as none (SPEC 2.7).
    pub credentials: Option<Credentials>,
    /// What was written with an empty user name, and asks nobody for anything.
    pub void_credentials: Option<Credentials>,
    /// Anybody may come in, from anywhere, and do everything.
    pub allow_unauthenticated: bool,
    /// Scripts may act by links of Supervisor's old page, `/?action=stop&processname=x`.
    pub get_actions: bool,
    /// Names that browsers may know this server by, beside those that it finds out itself.
    pub allowed_hosts: Vec<String>,
    /// Inet servers only.
    pub tls: Option<Tls>,
}

/// What makes a server speak HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Absolute: the certificate, and those between it and the root.
    pub certfile: PathBuf,
    /// Absolute.
    pub keyfile: PathBuf,
    /// Absolute: who signs certificates of clients.
    pub client_ca: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Unix {
        /// Absolute.
        file: PathBuf,
        chmod: u32,
        /// `None` leaves the owner, or the group, as it is.
        uid: Option<u32>,
        gid: Option<u32>,
    },
    Inet {
        /// Empty means every interface.
        host: String,
        port: u16,
    },
}

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    /// Clear text, or a hash.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A password must never reach a log by way of `{:?}`.
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// `[rpcinterface:NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcInterface {
    pub name: String,
    pub factory: String,
    pub options: BTreeMap<String, String>,
}

/// The methods that a name of `[rpcinterface:NAME]` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publishes {
    /// Supervisor's own.
    Supervisor,
    /// Those of supervisor_twiddler; where the list is not empty only what is in it may be called.
    Twiddler { whitelist: Vec<String> },
    /// A plug-in that we do not have.
    Nothing,
}

/// A process group: homogeneous (`[program:x]`) or heterogeneous (`[group:x]`).
#[derive(Debug, Clone, PartialEq)]
pub struct GroupConfig {
    pub name: String,
    pub priority: i64,
    pub kind: GroupKind,
    /// In start order (SPEC 2.8).
    pub processes: Vec<Arc<ProcessConfig>>,
}

impl GroupConfig {
    /// The configuration of a process is held by many and changed by nobody.
    pub(crate) fn new(
        name: String,
        priority: i64,
        kind: GroupKind,
        processes: Vec<ProcessConfig>,
    ) -> GroupConfig {
        // Collecting would keep the memory that the processes lay in.
        let mut shared = Vec::with_capacity(processes.len());
        shared.extend(processes.into_iter().map(Arc::new));
        GroupConfig { name, priority, kind, processes: shared }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum GroupKind {
    /// `[program:x]` on its own.
    Program,
    /// `[group:x]`.
    Group,
    /// `[eventlistener:x]`.
    EventListener(PoolConfig),
    /// `[fcgi-program:x]` on its own.
    Fcgi(SocketConfig),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    pub buffer_size: usize,
    /// Upper-case event type names, sorted, once each.
    pub events: Vec<String>,
    pub result_handler: ResultHandler,
    pub overflow: PoolOverflow,
    /// What may lie on a disk; 0 for nothing at all.
    pub overflow_maxbytes: u64,
    /// A listener that broke the protocol is heard again when it says READY.
    pub listener_recover: bool,
    pub payload_length: PayloadLength,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketConfig {
    /// `unix:///path` or `tcp://host:port`, with the path normal and the host in lower case.
    pub url: String,
    pub backlog: Option<u16>,
    /// Unix sockets only.
    pub mode: Option<u32>,
    pub owner: Option<(Option<u32>, Option<u32>)>,
}

/// One process of a program: everything that is needed to run it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessConfig {
    pub name: String,
    pub kind: ProcessKind,
    /// As written; split into words when it is run (SPEC 3.4).
    pub command: String,
    pub priority: i64,
    pub autostart: bool,
    pub autorestart: AutoRestart,
    /// Seconds; zero or negative: RUNNING at once.
    pub startsecs: i64,
    pub startretries: Retries,
    /// From the end of a process to its automatic restart; zero for none.
    pub restartpause: Duration,
    pub backoff: Backoff,
    pub startlimit: Option<StartLimit>,
    /// The daemon does not outlive it.
    pub essential: bool,
    /// `type`.
    pub program_type: ProgramType,
    pub exitcodes: Vec<u8>,
    /// Signal number.
    pub stopsignal: i32,
    /// Seconds.
    pub stopwaitsecs: i64,
    pub stopasgroup: bool,
    pub killasgroup: bool,
    pub user: Option<User>,
    pub umask: Option<u32>,
    pub directory: Option<PathBuf>,
    /// `[supervisord] environment` overlaid by the program's own.
    pub environment: BTreeMap<String, String>,
    /// `None` is AUTO: the first unix server, else the first inet one.
    pub serverurl: Option<String>,
    pub redirect_stderr: bool,
    pub stdout: Channel,
    pub stderr: Channel,
    /// Standard input, shared by all processes of the group that name the same one.
    pub socket: Option<Arc<SocketConfig>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessKind {
    Program,
    EventListener,
    Fcgi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoRestart {
    Never,
    /// When the exit status is not in `exitcodes`.
    Unexpected,
    Always,
}

/// Where one output of a process goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The first of its files, which is the one that clients are shown.
    pub logfile: LogFile,
    /// Bytes; 0 means never rotate.
    pub maxbytes: u64,
    pub backups: u32,
    /// Bytes; 0 means no capture.
    pub capture_maxbytes: u64,
    pub events_enabled: bool,
    pub syslog: bool,
    pub overflow: Overflow,
    /// `None` where all of it is off, which is nearly everywhere.
    pub extras: Option<Box<LogExtras>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFile {
    /// A name of our choosing in `childlogdir`.
    Auto,
    None,
    /// With `~` expanded, not made absolute: it is opened relative to the working directory (SPEC 1.8).
    Path(PathBuf),
}

/// Something that the reader of the log should know, found while reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub level: LogLevel,
    pub text: String,
}
