//! supervisord's command line (SPEC 1.1) and where its file is looked for (1.5).
//!
//! Out comes what was asked, or the message of the first thing that is wrong; the
//! two lines and the exit status around that message belong to the caller.

use std::path::{Path, PathBuf};

use crate::getopt::{Given, Opt, repetition, scan_with};
use crate::leftovers::{leftovers, on_command_line};
use crate::python::{integer, repr};
use crate::{CliOverrides, Files, Lenient, paths, values};

/// What supervisord was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cli {
    Help,
    Version,
    Run(Box<CliOptions>),
    /// Say what the configuration means, and touch nothing.
    Check {
        options: Box<CliOptions>,
        json: bool,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CliOptions {
    /// `-c`, as given.
    pub configuration: Option<String>,
    pub overrides: CliOverrides,
}

/// The text of `-h`, ending in a newline; `{argv0}` is the program's name.
pub fn help(argv0: &str) -> String {
    HELP.replace("{argv0}", argv0)
}

const HELP: &str = "\
{argv0} -- start programs and keep them running

Usage: {argv0} [options]

Options given here win over the configuration file.
-c/--configuration FILE    the configuration file; without it the usual places are tried
-n/--nodaemon              stay in the foreground (same as 'nodaemon=true')
-s/--silent                in the foreground, do not copy the log to stdout
-h/-?/--help               print this text and exit
-v/--version               print the version number and exit
-u/--user USER             run as this user (a name or a number)
-m/--umask UMASK           file mode mask of the daemon, in octal (default 022)
-d/--directory DIRECTORY   change to this directory in the background
-l/--logfile FILE          the main log
-y/--logfile_maxbytes SIZE rotate the main log at this size, such as 50MB
-z/--logfile_backups NUM   how many rotated main logs to keep
-e/--loglevel LEVEL        critical, error, warn, info, debug, trace or blather
-j/--pidfile FILE          where to write the process id
-i/--identifier NAME       the name of this instance
-q/--childlogdir DIRECTORY where automatically named child logs go
-k/--nocleanup             keep the automatic child logs of earlier runs
-a/--minfds NUM            the least number of open files to insist on
-t/--strip_ansi            remove terminal escapes from child logs
--minprocs NUM             the least number of processes to insist on
--profile_options LIST     accepted for compatibility, without effect
--leftovers CHOICE         what to do about programs of a killed daemon that still run:
                           start (anyway), refuse, adopt or stop
--adopt                    same as --leftovers=adopt
--check                    read the configuration, say what is wrong with it, and exit
--json                     with --check: print what the configuration means as JSON
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Help,
    Version,
    Configuration,
    Nodaemon,
    Silent,
    User,
    Umask,
    Directory,
    Logfile,
    LogfileMaxbytes,
    LogfileBackups,
    Loglevel,
    Pidfile,
    Identifier,
    Childlogdir,
    Nocleanup,
    Minfds,
    StripAnsi,
    Minprocs,
    ProfileOptions,
    Leftovers,
    Adopt,
    Check,
    Json,
}

const fn flag(short: char, long: &'static str, flag: Flag) -> (Opt, Flag) {
    (Opt { short: Some(short), long, takes_value: false }, flag)
}

const fn value(short: Option<char>, long: &'static str, flag: Flag) -> (Opt, Flag) {
    (Opt { short, long, takes_value: true }, flag)
}

/// What Supervisor does not have.
const ADDITIONS: &[&str] = &["check", "json", "adopt", "leftovers"];

const fn addition(long: &'static str, flag: Flag) -> (Opt, Flag) {
    (Opt { short: None, long, takes_value: false }, flag)
}

const FLAGS: &[(Opt, Flag)] = &[
    flag('h', "help", Flag::Help),
    flag('?', "", Flag::Help),
    flag('v', "version", Flag::Version),
    value(Some('c'), "configuration", Flag::Configuration),
    flag('n', "nodaemon", Flag::Nodaemon),
    flag('s', "silent", Flag::Silent),
    value(Some('u'), "user", Flag::User),
    value(Some('m'), "umask", Flag::Umask),
    value(Some('d'), "directory", Flag::Directory),
    value(Some('l'), "logfile", Flag::Logfile),
    value(Some('y'), "logfile_maxbytes", Flag::LogfileMaxbytes),
    value(Some('z'), "logfile_backups", Flag::LogfileBackups),
    value(Some('e'), "loglevel", Flag::Loglevel),
    value(Some('j'), "pidfile", Flag::Pidfile),
    value(Some('i'), "identifier", Flag::Identifier),
    value(Some('q'), "childlogdir", Flag::Childlogdir),
    flag('k', "nocleanup", Flag::Nocleanup),
    value(Some('a'), "minfds", Flag::Minfds),
    flag('t', "strip_ansi", Flag::StripAnsi),
    value(None, "minprocs", Flag::Minprocs),
    value(None, "profile_options", Flag::ProfileOptions),
    value(None, ADDITIONS[3], Flag::Leftovers),
    addition(ADDITIONS[2], Flag::Adopt),
    addition(ADDITIONS[0], Flag::Check),
    addition(ADDITIONS[1], Flag::Json),
];

/// Reads the words behind the program's name.
pub fn parse_supervisord(args: &[String], files: &dyn Files) -> Result<Cli, String> {
    let specs: Vec<Opt> = FLAGS.iter().map(|(opt, _)| *opt).collect();
    let parsed = scan_with(args, &specs, ADDITIONS)?;
    if !parsed.rest.is_empty() {
        let rest: Vec<String> = parsed.rest.iter().map(|word| repr(word)).collect();
        return Err(format!("positional arguments are not supported: [{}]", rest.join(", ")));
    }
    let given = |wanted: Flag| parsed.given.iter().any(|given| FLAGS[given.opt].1 == wanted);
    let (check, json) = (given(Flag::Check), given(Flag::Json));
    let lenient = Lenient::new(files);
    let files: &dyn Files = if check { &lenient } else { files };
    let mut options = CliOptions::default();
    // One by one, because -h works even before a mistake further on.
    for (at, given) in parsed.given.iter().enumerate() {
        match FLAGS[given.opt].1 {
            Flag::Help => return Ok(Cli::Help),
            Flag::Version => return Ok(Cli::Version),
            other => apply(other, given, &mut options, files)?,
        }
        if let Some(message) = repetition(&parsed.given, at) {
            return Err(message);
        }
    }
    options.overrides.leftovers = on_command_line(given(Flag::Adopt), options.overrides.leftovers)?;
    let options = Box::new(options);
    match (check, json) {
        (true, json) => Ok(Cli::Check { options, json }),
        (false, true) => Err("option --json belongs to --check".to_owned()),
        (false, false) => Ok(Cli::Run(options)),
    }
}

fn apply(flag: Flag, given: &Given, options: &mut CliOptions, files: &dyn Files) -> Result<(), String> {
    let text = given.value.as_deref().unwrap_or_default();
    let refusal = |detail: String| format!("invalid value for {} {}: {detail}", given.spelled, repr(text));
    let count = |text: &str| integer(text).map(|number| number.max(0).unsigned_abs());
    let overrides = &mut options.overrides;
    match flag {
        Flag::Help | Flag::Version | Flag::ProfileOptions | Flag::Adopt | Flag::Check | Flag::Json => {}
        Flag::Configuration => options.configuration = Some(text.to_owned()),
        Flag::Nodaemon => overrides.nodaemon = true,
        Flag::Silent => overrides.silent = true,
        Flag::Nocleanup => overrides.nocleanup = true,
        Flag::StripAnsi => overrides.strip_ansi = true,
        Flag::User => overrides.user = Some(text.to_owned()),
        Flag::Identifier => overrides.identifier = Some(text.to_owned()),
        Flag::Umask => overrides.umask = Some(values::octal(text).map_err(refusal)?),
        Flag::Directory => {
            let path = values::existing_directory(text, files).map_err(refusal)?;
            overrides.directory = Some(path);
        }
        Flag::Childlogdir => {
            let path = values::existing_directory(text, files).map_err(refusal)?;
            overrides.childlogdir = Some(path);
        }
        Flag::Logfile => {
            overrides.logfile = Some(values::path_in_directory(text, files).map_err(refusal)?);
        }
        Flag::Pidfile => {
            overrides.pidfile = Some(values::path_in_directory(text, files).map_err(refusal)?);
        }
        Flag::LogfileMaxbytes => {
            overrides.logfile_maxbytes = Some(values::byte_size(text).map_err(refusal)?);
        }
        Flag::LogfileBackups => {
            let number = count(text).map_err(refusal)?;
            overrides.logfile_backups = Some(u32::try_from(number).unwrap_or(u32::MAX));
        }
        Flag::Loglevel => overrides.loglevel = Some(values::log_level(text).map_err(refusal)?),
        Flag::Leftovers => overrides.leftovers = Some(leftovers(text).map_err(refusal)?),
        Flag::Minfds => overrides.minfds = Some(count(text).map_err(refusal)?),
        Flag::Minprocs => overrides.minprocs = Some(count(text).map_err(refusal)?),
    }
    Ok(())
}

/// Where a configuration is looked for when none is named, in order.
pub fn search_path(argv0: &str) -> Vec<PathBuf> {
    let above = paths::dirname(paths::dirname(argv0));
    [
        paths::join(above, "etc/supervisord.conf"),
        paths::join(above, "supervisord.conf"),
        "supervisord.conf".to_owned(),
        "etc/supervisord.conf".to_owned(),
        "/etc/supervisord.conf".to_owned(),
        "/etc/supervisor/supervisord.conf".to_owned(),
    ]
    .map(PathBuf::from)
    .into()
}

/// The configuration to read: the one named, or the first that exists. Whether a
/// named one exists is found out by reading it.
pub fn find_config(configuration: Option<&str>, argv0: &str, files: &dyn Files) -> Result<PathBuf, String> {
    if let Some(named) = configuration {
        return Ok(PathBuf::from(named));
    }
    let places = search_path(argv0);
    if let Some(found) = places.iter().find(|path| files.exists(path)) {
        return Ok(found.clone());
    }
    let tried: Vec<_> = places.iter().map(|path| path.to_string_lossy()).collect();
    Err(format!(
        "No config file found at default paths ({}); use the -c option to specify a config file \
         at a different path",
        tried.join(", ")
    ))
}

/// What root is told when it lets the file be searched for, since the search
/// begins beside the program and in the current directory.
pub fn root_search_warning(configuration: Option<&Path>, files: &dyn Files) -> Option<String> {
    (configuration.is_none() && files.uid() == 0).then(|| {
        "supervisord runs as root and looks for its configuration file in several places, the \
         current directory among them; name it with -c and an absolute path to be safe"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Leftovers, LogLevel, MemoryFiles};

    fn parse(line: &str) -> Result<Cli, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse_supervisord(&args, &MemoryFiles::default())
    }

    #[test]
    fn every_flag_lands_where_it_belongs() {
        let all = "-c f -nskt -u web -m 077 -d /tmp -l /tmp/l -y 1MB -z 2 -e debug -j p -i me -q ~ \
                   -a 7 --minprocs 8 --profile_options=calls --leftovers=refuse";
        let expected = CliOverrides {
            nodaemon: true,
            silent: true,
            nocleanup: true,
            strip_ansi: true,
            user: Some("web".to_owned()),
            umask: Some(0o77),
            directory: Some("/tmp".into()),
            logfile: Some("/tmp/l".into()),
            logfile_maxbytes: Some(1 << 20),
            logfile_backups: Some(2),
            loglevel: Some(LogLevel::Debug),
            pidfile: Some("p".into()),
            identifier: Some("me".to_owned()),
            childlogdir: Some("/home/me".into()),
            minfds: Some(7),
            minprocs: Some(8),
            leftovers: Some(Leftovers::Refuse),
        };
        let configuration = Some("f".to_owned());
        assert_eq!(parse(all), Ok(Cli::Run(Box::new(CliOptions { configuration, overrides: expected }))));
    }

    #[test]
    fn refusals_in_the_order_they_are_met() {
        for (line, expected) in [
            ("-e foo", "invalid value for -e 'foo': bad logging level name 'foo'"),
            ("--umask 9", "invalid value for --umask '9': 9 can not be converted to an octal type"),
            ("-d /no", "invalid value for -d '/no': /no is not an existing directory"),
            ("-a x", "invalid value for -a 'x': invalid literal for int() with base 10: 'x'"),
            ("-n foo bar", "positional arguments are not supported: ['foo', 'bar']"),
            ("-n -n -e foo", "conflicting command line option '-n'"),
            ("-e foo -n -n", "invalid value for -e 'foo': bad logging level name 'foo'"),
            ("-x -h", "option -x not recognized"),
        ] {
            assert_eq!(parse(line).unwrap_err(), expected, "{line}");
        }
        assert_eq!(parse("-h -n -n"), Ok(Cli::Help));
        assert_eq!(parse("-n --vers -e foo"), Ok(Cli::Version));
    }

    #[test]
    fn checking_looks_at_no_directory_and_takes_no_abbreviation() {
        let Ok(Cli::Check { options, json: false }) = parse("--check -d /no") else { panic!() };
        assert_eq!(options.overrides.directory, Some("/no".into()));
        assert!(matches!(parse("--json -c f --check"), Ok(Cli::Check { json: true, .. })));
        assert_eq!(parse("--json").unwrap_err(), "option --json belongs to --check");
        assert_eq!(parse("--check --check").unwrap_err(), "conflicting command line option '--check'");
        assert_eq!(parse("--che").unwrap_err(), "option --che not recognized");
        // As before there was --check.
        let Ok(Cli::Run(options)) = parse("--ch /tmp") else { panic!() };
        assert_eq!(options.overrides.childlogdir, Some("/tmp".into()));
    }

    #[test]
    fn adopting_has_a_short_form_that_may_not_be_contradicted() {
        let chosen = |line| match parse(line) {
            Ok(Cli::Run(options)) => Ok(options.overrides.leftovers),
            other => Err(other),
        };
        assert_eq!(chosen("-n"), Ok(None));
        assert_eq!(chosen("--adopt"), Ok(Some(Leftovers::Adopt)));
        assert_eq!(chosen("--leftovers adopt --adopt"), Ok(Some(Leftovers::Adopt)));
        assert_eq!(
            parse("--adopt --leftovers=STOP").unwrap_err(),
            "option --adopt contradicts --leftovers=stop"
        );
        assert_eq!(
            parse("--leftovers=kill").unwrap_err(),
            "invalid value for --leftovers 'kill': not start, refuse, adopt or stop: 'kill'"
        );
        // What Supervisor abbreviated stays what it was.
        assert_eq!(parse("--ad").unwrap_err(), "option --ad not recognized");
    }

    #[test]
    fn the_help_names_every_flag() {
        for (opt, _) in FLAGS {
            if let Some(short) = opt.short {
                assert!(HELP.contains(&format!("-{short}")), "-{short}");
            }
            assert!(HELP.contains(&format!("--{}", opt.long)), "--{}", opt.long);
        }
    }

    #[test]
    fn places_that_are_searched() {
        let mut files = MemoryFiles::default();
        let told = find_config(None, "/usr/bin/supervisord", &files).unwrap_err();
        assert_eq!(
            told,
            "No config file found at default paths (/usr/etc/supervisord.conf, \
             /usr/supervisord.conf, supervisord.conf, etc/supervisord.conf, /etc/supervisord.conf, \
             /etc/supervisor/supervisord.conf); use the -c option to specify a config file at a \
             different path"
        );
        files.add("/etc/supervisord.conf", "");
        let found = |files: &MemoryFiles, argv0| find_config(None, argv0, files).unwrap();
        assert_eq!(found(&files, "supervisord"), PathBuf::from("/etc/supervisord.conf"));
        files.add("etc/supervisord.conf", "");
        assert_eq!(found(&files, "supervisord"), PathBuf::from("etc/supervisord.conf"));
        assert_eq!(find_config(Some("x"), "a", &files), Ok(PathBuf::from("x")));
    }
}
