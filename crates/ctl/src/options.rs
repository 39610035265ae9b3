//! The command line and `[supervisorctl]`, put together: what to do, where, and as whom.
//!
//! Values on the command line win over the environment ([`crate::password`]), and those over the file. A refusal is the whole text
//! for stderr, and the exit status that goes with it is 2.

use std::path::PathBuf;

use provost_config::cli::find_config;
use provost_config::getopt::{self, Opt};
use provost_config::{CtlConfig, CtlTls, Files, load_ctl, python};

use crate::advice::Origin;
use crate::manual;
use crate::password::{Login, PASSWORD, PASSWORD_FILE, Typed, USERNAME};
use crate::verbs;

#[derive(Debug)]
pub(crate) enum Request {
    /// The text to show.
    Help(String),
    Run(Box<Options>),
}

pub(crate) struct Options {
    pub(crate) serverurl: String,
    pub(crate) login: Login,
    pub(crate) origin: Origin,
    pub(crate) prompt: String,
    /// Where the lines typed are kept.
    pub(crate) history_file: Option<PathBuf>,
    pub(crate) tls: CtlTls,
    pub(crate) interactive: bool,
    /// Every verb answers in JSON.
    pub(crate) json: bool,
    /// The words after the options, joined.
    pub(crate) line: Option<String>,
    /// `[ctlplugin:x]` sections, whose actions we do not have.
    pub(crate) plugins: Vec<String>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A password must never reach a terminal by way of `{:?}`.
        f.debug_struct("Options")
            .field("serverurl", &self.serverurl)
            .field("username", &self.login.username)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// An option before the verb, and what `-h` and the manual say of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) opt: Opt,
    /// What its value is called.
    pub(crate) value: &'static str,
    pub(crate) does: &'static str,
}

const fn choice(short: Option<char>, long: &'static str, value: &'static str, does: &'static str) -> Choice {
    Choice { opt: Opt { short, long, takes_value: !value.is_empty() }, value, does }
}

pub(crate) const CHOICES: &[Choice] = &[
    choice(
        Some('c'),
        "configuration",
        "FILE",
        "Take address and credentials from [supervisorctl] in FILE; without -c the usual places are searched.",
    ),
    choice(
        Some('s'),
        "serverurl",
        "URL",
        "Where supervisord listens: unix:///path, http://host:port or https://host:port. http://localhost:9001 if \
         nothing says otherwise.",
    ),
    choice(Some('u'), "username", "NAME", "Who to be, if the server wants to know."),
    choice(
        Some('p'),
        "password",
        "TEXT",
        "And how to prove it. Everybody on this machine can see it in the list of processes, so one of the next two is better. \
         A token goes in the place of a password.",
    ),
    choice(
        None,
        ADDITIONS[0],
        "",
        "The first line of standard input is the password; on a terminal it is asked for.",
    ),
    choice(None, ADDITIONS[1], "FILE", "The first line of FILE is the password."),
    choice(Some('i'), "interactive", "", "Open a shell, after the action if there is one."),
    choice(Some('r'), "history_file", "FILE", "Remember the lines typed in the shell."),
    choice(None, ADDITIONS[2], "", "Answer with one JSON document, whatever the action."),
    choice(Some('h'), "help", "", "Show this."),
    // Supervisor knows it, and nobody need.
    choice(Some('?'), "", "", ""),
];

/// What Supervisor does not have. They are not abbreviated, so that `--pass` means what it always did.
const ADDITIONS: &[&str] = &["password-stdin", "password-file", "json"];

pub(crate) fn read(argv: &[String], files: &dyn Files) -> Result<Request, String> {
    let (program, words) = match argv.split_first() {
        Some((program, words)) => (program.as_str(), words),
        None => ("supervisorctl", argv),
    };
    request(program, words, files)
        .map_err(|complaint| format!("Error: {complaint}\nFor help, use {program} -h\n"))
}

fn request(program: &str, words: &[String], files: &dyn Files) -> Result<Request, String> {
    let specs: Vec<Opt> = CHOICES.iter().map(|choice| choice.opt).collect();
    let parsed = getopt::scan_with(words, &specs, ADDITIONS)?;
    let [mut configuration, mut serverurl, mut history] = [const { None::<String> }; 3];
    let mut typed = Typed::default();
    let (mut interactive, mut json) = (false, false);
    for (at, given) in parsed.given.iter().enumerate() {
        let mut nowhere = None;
        let slot = match specs[given.opt].long {
            "help" | "" => return Ok(Request::Help(help(program))),
            "interactive" => {
                interactive = true;
                &mut nowhere
            }
            "json" => {
                json = true;
                &mut nowhere
            }
            "password-stdin" => {
                typed.from_stdin = true;
                &mut nowhere
            }
            "configuration" => &mut configuration,
            "serverurl" => {
                let url = given.value.as_deref().unwrap_or_default();
                if !is_url(url) {
                    let url = python::repr(url);
                    return Err(format!(
                        "invalid value for {} {url}: value {url} is not a URL",
                        given.spelled
                    ));
                }
                &mut serverurl
            }
            "username" => &mut typed.username,
            "password" => &mut typed.password,
            "password-file" => &mut typed.file,
            _ => &mut history,
        };
        if let Some(conflict) = getopt::repetition(&parsed.given, at) {
            return Err(conflict);
        }
        slot.clone_from(&given.value);
    }
    let line = (!parsed.rest.is_empty()).then(|| parsed.rest.join(" "));
    let interactive = interactive || line.is_none();
    // Whoever makes a first password may have no configuration yet, or one that waits for it.
    let needs_nothing = !interactive && line.as_deref().is_some_and(asks_nobody);
    let (config, origin, login) = if needs_nothing {
        (CtlConfig::default(), Origin::default(), Login::default())
    } else {
        let (config, path) = configured(configuration, program, files)?;
        let login = Login::find(typed, &config, files)?;
        (config, Origin { configuration: path, is_typed: serverurl.is_some() }, login)
    };
    Ok(Request::Run(Box::new(Options {
        serverurl: serverurl.unwrap_or(config.serverurl),
        login,
        origin,
        prompt: config.prompt,
        history_file: history.map(PathBuf::from).or(config.history_file),
        tls: config.tls,
        interactive,
        json,
        line,
        plugins: config.plugins.into_iter().map(|plugin| plugin.name).collect(),
    })))
}

/// Whether a line is for us alone, and neither a daemon nor a configuration is needed: the verb's page says so.
fn asks_nobody(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    verbs::find(word).is_some_and(|verb| verb.page.is_alone)
}

/// No file anywhere is fine: then everything has its default.
fn configured(
    given: Option<String>,
    program: &str,
    files: &dyn Files,
) -> Result<(CtlConfig, Option<PathBuf>), String> {
    // Supervisor takes an empty name for no file at all, and so may whoever wants none.
    if given.as_deref() == Some("") {
        return Ok((CtlConfig::default(), None));
    }
    match find_config(given.as_deref(), program, files) {
        Ok(path) => match load_ctl(&path, files) {
            Ok(config) => Ok((config, Some(path))),
            Err(errors) => Err(errors.to_string()),
        },
        Err(_) => Ok((CtlConfig::default(), None)),
    }
}

/// A scheme, and something after it.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
        && !rest.is_empty()
        && !rest.starts_with(['?', '#'])
}

fn help(program: &str) -> String {
    let mut text = format!(
        "\
{program}: ask a running supervisord what its processes do, and tell it what they should do.

Usage: {program} [options] [action [arguments]]

"
    );
    for choice in CHOICES.iter().filter(|choice| !choice.does.is_empty()) {
        let short = choice.opt.short.map_or("   ".to_owned(), |short| format!("-{short},"));
        let synopsis = format!("  {short} --{} {}", choice.opt.long, choice.value);
        manual::entry(&mut text, &synopsis, choice.does, COLUMN);
    }
    let alone: Vec<&str> =
        verbs::all().filter(|verb| verb.page.is_alone).map(|verb| verb.page.name).collect();
    let (last, others) = alone.split_last().expect("help is one of them");
    for paragraph in [
        format!(
            "{USERNAME}, and {PASSWORD} or {PASSWORD_FILE}, stand in for what the command line does not say; the configuration comes last."
        ),
        format!(
            "Without an action a shell opens. The action help lists all actions, and help ACTION explains one. {} and {last} need neither a server nor a configuration.",
            others.join(", ")
        ),
    ] {
        text.push('\n');
        for line in manual::wrapped(&paragraph, manual::WIDTH) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// Where the second column begins.
const COLUMN: usize = 29;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Password;
    use provost_config::MemoryFiles;

    fn asked(words: &[&str], files: &MemoryFiles) -> Result<Options, String> {
        let argv: Vec<String> =
            std::iter::once(&"/usr/bin/supervisorctl").chain(words).map(|word| (*word).to_owned()).collect();
        match read(&argv, files)? {
            Request::Run(options) => Ok(*options),
            Request::Help(text) => Err(text),
        }
    }

    fn who(options: &Options) -> (Option<&str>, Option<&str>) {
        let password = match &options.login.password {
            Password::Is(text) => Some(text.as_str()),
            Password::None | Password::OnStdin => None,
        };
        (options.login.username.as_deref(), password)
    }

    fn configured() -> MemoryFiles {
        MemoryFiles::with(
            "/etc/supervisord.conf",
            "[supervisorctl]\nserverurl=unix:///run/s.sock\nusername=jo\npassword=pw\nprompt=me\nhistory_file=/h\n",
        )
    }

    #[test]
    fn without_any_file_everything_has_its_default() {
        let options = asked(&["status"], &MemoryFiles::default()).unwrap();
        assert_eq!(options.serverurl, "http://localhost:9001");
        assert_eq!((options.login.username, options.history_file), (None, None));
        assert!(options.login.password == Password::None && options.origin == Origin::default());
        assert_eq!(options.prompt, "supervisor");
        assert!(!options.interactive);
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let options = asked(&[], &configured()).unwrap();
        assert_eq!((options.serverurl.as_str(), options.prompt.as_str()), ("unix:///run/s.sock", "me"));
        assert_eq!(who(&options), (Some("jo"), Some("pw")));
        assert_eq!(options.origin.configuration, Some(PathBuf::from("/etc/supervisord.conf")));
        assert_eq!(options.history_file, Some(PathBuf::from("/h")));
        assert!(options.interactive && options.line.is_none());
        let words = ["-s", "http://h:1", "-uyou", "--password=x", "-r", "/mine", "start", "-a", "b c"];
        let options = asked(&words, &configured()).unwrap();
        assert_eq!(options.serverurl, "http://h:1");
        assert_eq!(who(&options), (Some("you"), Some("x")));
        assert!(options.origin.is_typed);
        assert_eq!(options.history_file, Some(PathBuf::from("/mine")));
        assert_eq!(options.line.as_deref(), Some("start -a b c"));
        assert!(!options.interactive && asked(&["-i", "pid"], &configured()).unwrap().interactive);
    }

    #[test]
    fn refusals_say_where_help_is() {
        let refusal = |words: &[&str]| asked(words, &configured()).unwrap_err();
        let hint = "For help, use /usr/bin/supervisorctl -h\n";
        assert_eq!(
            refusal(&["-s", "foo", "-h"]),
            format!("Error: invalid value for -s 'foo': value 'foo' is not a URL\n{hint}")
        );
        assert_eq!(refusal(&["-i", "-i"]), format!("Error: conflicting command line option '-i'\n{hint}"));
        assert_eq!(refusal(&["-v"]), format!("Error: option -v not recognized\n{hint}"));
        assert!(refusal(&["-h", "-s", "foo"]).starts_with("/usr/bin/supervisorctl: "));
        assert_eq!(
            refusal(&["-c", "/none.conf"]),
            format!("Error: could not find config file /none.conf\n{hint}")
        );
        let other = MemoryFiles::with("/etc/supervisord.conf", "[supervisord]\n");
        assert_eq!(
            asked(&["status"], &other).unwrap_err(),
            format!("Error: .ini file does not include supervisorctl section\n{hint}")
        );
    }

    #[test]
    fn an_empty_name_is_no_file() {
        let options = asked(&["-c", "", "status"], &configured()).unwrap();
        assert_eq!(options.serverurl, "http://localhost:9001");
    }

    #[test]
    fn what_is_ours_is_not_abbreviated() {
        assert_eq!(who(&asked(&["--pass", "x", "pid"], &configured()).unwrap()).1, Some("x"));
        assert_eq!(who(&asked(&["--p=x", "pid"], &configured()).unwrap()).1, Some("x"));
        for unknown in ["--js", "--password-", "--password-s"] {
            let told = asked(&[unknown, "x"], &configured()).unwrap_err();
            assert!(told.starts_with(&format!("Error: option {unknown} not recognized\n")), "{told}");
        }
        let options = asked(&["--json", "--password-stdin", "pid", "--json"], &configured()).unwrap();
        assert!(options.json && options.login.password == Password::OnStdin);
        assert_eq!(options.line.as_deref(), Some("pid --json"));
        let told = asked(&["--password-stdin", "-p", "x", "pid"], &configured()).unwrap_err();
        assert!(told.starts_with("Error: options --password and --password-stdin exclude each other\n"));
    }

    #[test]
    fn hashing_a_password_needs_no_configuration() {
        let other = MemoryFiles::with("/etc/supervisord.conf", "[supervisord]\n");
        let options = asked(&["-c", "/none.conf", "hash-password", "--token"], &other).unwrap();
        assert_eq!(options.line.as_deref(), Some("hash-password --token"));
        assert!(asked(&["-c", "/none.conf", "hash-password --token"], &other).is_ok());
        // A shell is for a daemon.
        assert!(asked(&["-i", "hash-password"], &other).is_err());
    }

    #[test]
    fn a_url_is_a_scheme_and_something() {
        for url in ["http://localhost:9001", "unix:///tmp/s.sock", "localhost:9001", "unix:x", "http:///path"]
        {
            assert!(is_url(url), "{url}");
        }
        for other in ["foo", "", ":x", "http:", "http://", "http://?q", "1a:b", "a b:c"] {
            assert!(!is_url(other), "{other}");
        }
    }
}
