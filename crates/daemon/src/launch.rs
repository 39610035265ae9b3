//! From a configured process to a plan for the keeper: the command, the environment, the ids (SPEC 3.4, 1.10).
//!
//! Everything that can be found out before a fork is found out here, with the texts that users know.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{Gid, User as Account, getgrouplist};
use provost_config::{ProcessConfig, User, python, words};
use provost_core::{SpawnError, SpawnErrorKind};
use provost_keeper::{Identity, Plan, Stage};

/// Where a command is looked for if nobody says otherwise.
const DEFAULT_PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// What all programs have in common.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// `PATH` of the daemon's own environment.
    path: Option<String>,
    cwd: PathBuf,
    /// Where programs start that name no directory: `[supervisord] directory`, in the background.
    directory: Option<PathBuf>,
    /// `SUPERVISOR_SERVER_URL`, where there is a server.
    server_url: Option<String>,
    /// Group lists are asked of NSS once per user.
    identities: BTreeMap<String, Identity>,
}

/// A command that exists, as words.
#[derive(Debug, PartialEq, Eq)]
struct Resolved {
    path: PathBuf,
    words: Vec<String>,
}

impl Launcher {
    pub(crate) fn new(cwd: PathBuf, directory: Option<PathBuf>, server_url: Option<String>) -> Launcher {
        Launcher {
            path: std::env::var_os("PATH").map(|path| path.to_string_lossy().into_owned()),
            cwd,
            directory,
            server_url,
            identities: BTreeMap::new(),
        }
    }

    /// Accounts may have changed: ask again.
    pub(crate) fn forget_identities(&mut self) {
        self.identities.clear();
    }

    /// Whether the program could be started at all.
    pub(crate) fn check(&self, config: &ProcessConfig) -> Result<(), SpawnError> {
        self.resolve(config).map(|_| ())
    }

    /// The plan for one run.
    pub(crate) fn plan(&mut self, group: &str, config: &ProcessConfig) -> Result<Plan, SpawnError> {
        let Resolved { path, words } = self.resolve(config)?;
        let c = |bytes: &[u8]| CString::new(bytes).map_err(|_| nul_in(config));
        let argv = words.iter().map(|word| c(word.as_bytes())).collect::<Result<_, _>>()?;
        let env = self
            .environment(group, config)
            .into_iter()
            .map(|(name, value)| c(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
            .collect::<Result<_, _>>()?;
        Ok(Plan {
            label: format!("{group}:{}", config.name),
            path: c(path.as_os_str().as_bytes())?,
            argv,
            env,
            directory: self.start_in(config).map(|d| c(d.as_os_str().as_bytes())).transpose()?,
            umask: config.umask,
            identity: self.identity(config.user.as_ref()),
            merge_stderr: config.redirect_stderr,
        })
    }

    /// What Supervisor's child writes to its standard error when it cannot become the program; ours reports the stage and
    /// errno instead, and these lines are written for it, because people look for them.
    pub(crate) fn child_failed(&self, config: &ProcessConfig, stage: Stage, errno: i32) -> String {
        let code = errno_name(errno);
        let uid = config.user.as_ref().map_or(0, |user| user.uid);
        let what = match stage {
            Stage::Groups if !rustix::process::getuid().is_root() => {
                format!("couldn't setuid to {uid}: Can't drop privilege as nonroot user")
            }
            Stage::Groups => format!("couldn't setuid to {uid}: Could not set groups of effective user"),
            Stage::Gid => format!("couldn't setuid to {uid}: Could not set group id of effective user"),
            Stage::Uid => format!("couldn't setuid to {uid}: {code}"),
            Stage::Directory => {
                let directory = self.start_in(config).unwrap_or_default();
                format!("couldn't chdir to {}: {code}", directory.display())
            }
            Stage::Exec => {
                let words = words::split(&config.command).unwrap_or_default();
                format!("couldn't exec {}: {code}", words.first().map_or("", String::as_str))
            }
            Stage::Descriptors | Stage::Pipe | Stage::Fork => {
                format!("couldn't prepare file descriptors: {code}")
            }
        };
        format!("supervisor: {what}\nsupervisor: child process was not spawned\n")
    }

    /// The same for people: what was in the way, and why.
    pub(crate) fn obstacle(&self, config: &ProcessConfig, stage: Stage, errno: i32) -> String {
        let user = config
            .user
            .as_ref()
            .map_or_else(String::new, |user| format!(" {} (uid {})", user.name, user.uid));
        let what = match stage {
            Stage::Groups => format!("cannot take on the groups of user{user}"),
            Stage::Gid => format!("cannot take on the group of user{user}"),
            Stage::Uid => format!("cannot become user{user}"),
            Stage::Directory => {
                format!("cannot go to the directory {}", self.start_in(config).unwrap_or_default().display())
            }
            Stage::Exec => {
                let words = words::split(&config.command).unwrap_or_default();
                format!("cannot execute {}", words.first().map_or("", String::as_str))
            }
            Stage::Descriptors | Stage::Pipe | Stage::Fork => "cannot prepare its descriptors".to_owned(),
        };
        format!("{what}: {}", errno_text(errno))
    }

    fn resolve(&self, config: &ProcessConfig) -> Result<Resolved, SpawnError> {
        let command = &config.command;
        let refuse = |kind, text| Err(SpawnError { kind, text });
        let words = match words::split(command) {
            Ok(words) => words,
            Err(why) => {
                return refuse(
                    SpawnErrorKind::NotExecutable,
                    format!("can't parse command {}: {why}", python::repr(command)),
                );
            }
        };
        let Some(program) = words.first() else {
            return refuse(SpawnErrorKind::NotExecutable, "command is empty".to_owned());
        };
        let Some(path) = self.find(program, config) else {
            return refuse(SpawnErrorKind::NoFile, format!("can't find command '{program}'"));
        };
        let shown = if program.contains('/') { program.clone() } else { path.to_string_lossy().into_owned() };
        let Ok(meta) = std::fs::metadata(&path) else {
            return refuse(SpawnErrorKind::NoFile, format!("can't find command '{program}'"));
        };
        if meta.is_dir() {
            return refuse(SpawnErrorKind::NotExecutable, format!("command at '{shown}' is a directory"));
        }
        if meta.permissions().mode() & 0o111 == 0 {
            return refuse(SpawnErrorKind::NotExecutable, format!("command at '{shown}' is not executable"));
        }
        if rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_err() {
            return refuse(SpawnErrorKind::NotExecutable, format!("no permission to run command '{shown}'"));
        }
        Ok(Resolved { path, words })
    }

    /// The file for a program: with a slash relative to our directory, not to the program's; else the
    /// first in PATH that exists, executable or not.
    fn find(&self, program: &str, config: &ProcessConfig) -> Option<PathBuf> {
        if program.contains('/') {
            return Some(self.cwd.join(program));
        }
        let path = config.environment.get("PATH").or(self.path.as_ref()).filter(|path| !path.is_empty());
        let path = path.map_or(DEFAULT_PATH, String::as_str);
        path.split(':').map(|dir| self.cwd.join(dir).join(program)).find(|candidate| candidate.exists())
    }

    /// The variables of the program's own; the keeper adds those that the daemon was started with.
    fn environment<'a>(&'a self, group: &'a str, config: &'a ProcessConfig) -> BTreeMap<&'a str, &'a str> {
        let mut env = BTreeMap::new();
        let mut set = |name: &'a str, value: &'a str| {
            env.insert(name, value);
        };
        set("SUPERVISOR_ENABLED", "1");
        if let Some(url) = config.serverurl.as_ref().or(self.server_url.as_ref()) {
            set("SUPERVISOR_SERVER_URL", url);
        }
        set("SUPERVISOR_PROCESS_NAME", &config.name);
        set("SUPERVISOR_GROUP_NAME", group);
        for (name, value) in &config.environment {
            set(name, value);
        }
        env
    }

    /// The keeper stays where the daemon was started, so what is relative is made absolute here.
    fn start_in(&self, config: &ProcessConfig) -> Option<PathBuf> {
        match &config.directory {
            Some(directory) => Some(self.cwd.join(directory)),
            None => self.directory.clone(),
        }
    }

    /// Whom to become; nobody where we are that user already.
    fn identity(&mut self, user: Option<&User>) -> Option<Identity> {
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let user = user.filter(|user| !user.is(uid, gid))?;
        let identity = self.identities.entry(user.name.clone()).or_insert_with(|| identity(user));
        Some(identity.clone())
    }
}

/// The ids of a user, supplementary groups included, the primary one first.
pub(crate) fn identity(user: &User) -> Identity {
    // Several accounts may have one number: the one that was named lends its groups.
    let named =
        Account::from_name(user.login()).ok().flatten().filter(|account| account.uid == user.uid.into());
    let account = named.or_else(|| Account::from_uid(user.uid.into()).ok().flatten());
    let groups = account
        .and_then(|account| CString::new(account.name).ok())
        .and_then(|name| getgrouplist(&name, Gid::from_raw(user.gid)).ok())
        .map(|groups| groups.into_iter().map(Gid::as_raw).collect())
        .unwrap_or_else(|| vec![user.gid]);
    Identity { uid: user.uid, gid: user.gid, groups }
}

fn nul_in(config: &ProcessConfig) -> SpawnError {
    let text = format!("command, directory or environment of '{}' contains a NUL character", config.name);
    SpawnError { kind: SpawnErrorKind::NotExecutable, text }
}

/// The text for a spawn that failed in the keeper, before there was a child.
pub(crate) fn keeper_refused(name: &str, stage: Stage, errno: i32) -> SpawnError {
    let code = errno_name(errno);
    let text = match (stage, Errno::from_raw(errno)) {
        (Stage::Pipe, Errno::EMFILE | Errno::ENFILE) => format!("too many open files to spawn '{name}'"),
        (Stage::Fork, Errno::EAGAIN) => format!("Too many processes in process table to spawn '{name}'"),
        (Stage::Pipe, _) => format!("unknown error making dispatchers for '{name}': {code}"),
        (_, _) => format!("unknown error during fork for '{name}': {code}"),
    };
    SpawnError { kind: SpawnErrorKind::Resources, text }
}

/// `ENOENT` for 2.
pub(crate) fn errno_name(errno: i32) -> String {
    match Errno::from_raw(errno) {
        Errno::UnknownErrno => errno.to_string(),
        known => format!("{known:?}"),
    }
}

/// `No such file or directory (ENOENT)` for 2.
pub(crate) fn errno_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    format!("{words} ({})", errno_name(errno))
}
