//! A whole configuration for supervisord: the story of reading it, in Supervisor's
//! order, with the single sections told in their own rooms.

use std::path::{Path, PathBuf};

use crate::errors::Errors;
use crate::expand::Scope;
use crate::program::Common;
use crate::reading::Reading;
use crate::supervisord::CliOverrides;
use crate::{Config, Files, advice, groups, paths, plugins, servers, supervisord, unheard, users};

/// Reads `path` and all that it includes. Nothing outside is changed, and nothing
/// is asked but through `files`.
pub fn load(path: &Path, cli: &CliOverrides, files: &dyn Files) -> Result<Config, Errors> {
    let mut reading = Reading::open(path, files)?;
    reading.follow_includes()?;
    if reading.ini.section("supervisord").is_none() {
        reading.refuse_all(".ini file does not include supervisord section".to_owned());
    }
    let env = Scope::default().env(files.env());
    let scope = Scope::within(&env).text("here", &reading.here);
    let (mut daemon, user) = supervisord::read(&reading, cli, &scope);
    // From here on the variables of [supervisord] environment are known too.
    let env = Scope::within(&env).env(&daemon.environment);
    let scope = Scope::within(&env).text("here", &reading.here);
    let rpcinterfaces = plugins::rpcinterfaces(&reading, &env);
    let common = Common {
        reading: &reading,
        scope: &scope,
        environment: &daemon.environment,
        overflow: daemon.log_overflow,
    };
    let groups = groups::groups(&common);
    let servers = servers::servers(&reading, &env);
    let users = users::users(&reading, &env);
    servers::advise(&reading, &servers, &users);
    unheard::advise(&reading, &groups, &rpcinterfaces);
    daemon.user = user.and_then(|name| supervisord::user(&reading, &name));
    advice::advise(&reading);
    let path = PathBuf::from(paths::absolute(&reading.path, files));
    let (messages, advice) = reading.finish()?;
    Ok(Config { path, supervisord: daemon, servers, users, rpcinterfaces, groups, messages, advice })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{DefaultValue, OPTIONS, OptionRow, SectionKind, ValueKind};
    use crate::{CtlConfig, MemoryFiles, load_ctl};

    const PATH: &str = "/etc/s.conf";

    fn read(text: &str) -> Result<Config, Errors> {
        load(Path::new(PATH), &CliOverrides::default(), &MemoryFiles::with(PATH, text))
    }

    fn read_ctl(text: &str) -> Result<CtlConfig, Errors> {
        load_ctl(Path::new(PATH), &MemoryFiles::with(PATH, text))
    }

    /// The smallest section of a kind that is accepted, behind what the file needs besides.
    fn smallest(kind: SectionKind) -> &'static str {
        match kind {
            SectionKind::Supervisord => "",
            SectionKind::UnixHttpServer => "[unix_http_server]\nfile=/tmp/s",
            SectionKind::InetHttpServer => "[inet_http_server]\nport=9001",
            SectionKind::Program => "[program:x]\ncommand=x\nprocess_name=p%(process_num)s",
            SectionKind::EventListener => {
                "[eventlistener:x]\ncommand=x\nprocess_name=p%(process_num)s\nevents=TICK_5"
            }
            SectionKind::FcgiProgram => {
                "[fcgi-program:x]\ncommand=x\nprocess_name=p%(process_num)s\nsocket=unix:///tmp/s"
            }
            SectionKind::Group => "[program:y]\ncommand=y\n[group:x]",
            SectionKind::User => "[user:x]",
            SectionKind::Include => "[include]\nfiles=none",
            SectionKind::RpcInterface => "[rpcinterface:x]\nsupervisor.rpcinterface_factory=a:b",
            SectionKind::CtlPlugin => "[ctlplugin:x]\nsupervisor.ctl_factory=a:b",
            SectionKind::Supervisorctl => "",
        }
    }

    /// A good value that is nobody's default.
    fn other_value(row: &OptionRow) -> &'static str {
        match row.kind {
            ValueKind::Text | ValueKind::PythonObject => "other:thing",
            ValueKind::Integer | ValueKind::ByteSize | ValueKind::ExitCodes => "7",
            // Turning the one flag that another one follows must not hide it.
            ValueKind::Boolean if row.default == DefaultValue::Text("true") => "false",
            ValueKind::Boolean | ValueKind::AutoRestart => "true",
            ValueKind::Retries => "infinite",
            ValueKind::Seconds => "0.75",
            ValueKind::Fraction => "0.5",
            ValueKind::Backoff => "constant",
            ValueKind::StartLimit => "5/60",
            ValueKind::ProgramType => "oneshot",
            ValueKind::ExitOn => "fatal",
            ValueKind::Leftovers => "refuse",
            ValueKind::Octal => "0111",
            ValueKind::Signal => "HUP",
            ValueKind::Strings => "y",
            ValueKind::User | ValueKind::UserGroup => "web",
            ValueKind::Path | ValueKind::PathInDirectory | ValueKind::MainLog => "/tmp/other",
            ValueKind::ChildLog => "/tmp/other",
            ValueKind::Overflow | ValueKind::PoolOverflow => "drop",
            ValueKind::SpillSize => "7MB",
            ValueKind::PayloadLength => "characters",
            ValueKind::LogFormat => "json",
            ValueKind::LogPrefix => "name",
            ValueKind::Compress => "zstd",
            ValueKind::LogOwner => "web",
            ValueKind::SyslogAddress => "@udp:other",
            ValueKind::SyslogFacility => "local0",
            ValueKind::SyslogSeverity => "notice",
            ValueKind::SyslogTag => "other",
            ValueKind::ExistingDirectory => "/etc",
            ValueKind::LogLevel => "debug",
            ValueKind::NamePattern => "other",
            ValueKind::Environment => "OTHER=1",
            ValueKind::InetAddress => "9002",
            ValueKind::FcgiSocket => "tcp://other:1",
            ValueKind::EventTypes => "TICK_60",
            ValueKind::Url => "http://other:1",
            ValueKind::GlobPatterns | ValueKind::Programs | ValueKind::Hosts => "other",
            ValueKind::Accounts | ValueKind::AccountGroups => "web",
            ValueKind::Role => "operator",
            ValueKind::Permissions => "start",
        }
    }

    #[test]
    fn every_row_is_read() {
        for row in OPTIONS {
            for &kind in row.sections {
                let line = format!("{}={}", row.name, other_value(row));
                let changed = match kind {
                    SectionKind::Supervisorctl | SectionKind::CtlPlugin => {
                        let text = format!("[supervisorctl]\n{}\n", smallest(kind));
                        match read_ctl(&format!("{text}{line}\n")) {
                            Ok(after) => read_ctl(&text).unwrap() != after,
                            Err(errors) => errors.first().key.as_deref() == Some(row.name),
                        }
                    }
                    _ => {
                        let text = format!("[supervisord]\n{}\n", smallest(kind));
                        let before = read(&text).unwrap();
                        match read(&format!("{text}{line}\n")) {
                            Ok(after) => before.without_notes() != after.without_notes(),
                            // A listener may not redirect, a user name wants a password: it was read.
                            Err(errors) => errors.first().key.as_deref() == Some(row.name),
                        }
                    }
                };
                assert!(changed, "[{kind:?}] {line} changes nothing");
            }
        }
    }

    impl Config {
        fn without_notes(mut self) -> Config {
            self.advice.clear();
            // What was included, or not found, is all that there is to see of [include].
            self.messages.retain(|message| message.text.contains("include"));
            self
        }
    }

    #[test]
    fn the_command_line_wins_but_the_file_is_still_checked() {
        let files = MemoryFiles::with(PATH, "[supervisord]\nloglevel=debug\nuser=me\nminfds=5\n");
        let cli = CliOverrides {
            loglevel: Some(crate::LogLevel::Warn),
            user: Some("web".to_owned()),
            nodaemon: true,
            ..CliOverrides::default()
        };
        let daemon = load(Path::new(PATH), &cli, &files).unwrap().supervisord;
        assert_eq!(daemon.loglevel, crate::LogLevel::Warn);
        assert_eq!((daemon.user.unwrap().uid, daemon.nodaemon, daemon.minfds), (33, true, 5));
        let files = MemoryFiles::with(PATH, "[supervisord]\nloglevel=foo\n");
        assert!(load(Path::new(PATH), &cli, &files).is_err());
    }

    #[test]
    fn one_line_does_not_eat_all_memory() {
        let command = "x".repeat(100_000);
        let text = format!(
            "[supervisord]\n[program:x]\nnumprocs=999999999\nprocess_name=x%(process_num)s\ncommand={command}\n"
        );
        let told = read(&text).unwrap_err().to_string();
        assert!(told.contains("processes take more memory"), "{told}");
        let logs: Vec<String> = (0..9).map(|n| format!("/tmp/{n}%(process_num)060000d")).collect();
        let more = format!("stdout_logfile={}\nnumprocs=", logs.join(", "));
        let told = read(&text.replace(&command, "x").replace("numprocs=", &more)).unwrap_err().to_string();
        assert!(told.contains("processes take more memory"), "{told}");
        let told = read(&format!("[supervisord]\nidentifier={}\n", "%(here)60000s".repeat(100)));
        assert!(told.unwrap_err().to_string().ends_with("the result is longer than 1048576 bytes"));
    }

    #[test]
    fn a_file_that_is_not_there() {
        let files = MemoryFiles::default();
        let told =
            |path: &str| load(Path::new(path), &CliOverrides::default(), &files).unwrap_err().to_string();
        assert_eq!(told("nope.conf"), "could not find config file nope.conf");
        assert_eq!(told("/tmp"), "could not read config file /tmp");
    }

    #[test]
    fn a_named_path_stays_relative_in_messages_and_is_absolute_in_the_config() {
        let files = MemoryFiles::with("conf/s.conf", "[supervisord]\ndirectory=%(here)s\n");
        let config = load(Path::new("conf/s.conf"), &CliOverrides::default(), &files).unwrap();
        assert_eq!(config.path, PathBuf::from("/home/me/conf/s.conf"));
        assert_eq!(config.supervisord.directory, Some(PathBuf::from("/home/me/conf")));
    }
}
