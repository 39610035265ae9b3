//! The command line and `[supervisorctl]`, put together: what to do, where, and as whom.
//!
//! Values on the command line win over the file. A refusal is the whole text for
//! stderr, and the exit status that goes with it is 2.

use std::path::PathBuf;

use provost_config::cli::find_config;
use provost_config::getopt::{self, Opt};
use provost_config::{CtlConfig, CtlTls, Files, load_ctl};

use provost_config::python;

#[derive(Debug)]
pub(crate) enum Request {
    /// The text to show.
    Help(String),
    Run(Box<Options>),
}

pub(crate) struct Options {
    pub(crate) serverurl: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) prompt: String,
    /// Where the lines typed are kept.
    pub(crate) history_file: Option<PathBuf>,
    pub(crate) tls: CtlTls,
    pub(crate) interactive: bool,
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
            .field("username", &self.username)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

const SPECS: &[Opt] = &[
    Opt { short: Some('h'), long: "help", takes_value: false },
    Opt { short: Some('?'), long: "", takes_value: false },
    Opt { short: Some('c'), long: "configuration", takes_value: true },
    Opt { short: Some('i'), long: "interactive", takes_value: false },
    Opt { short: Some('s'), long: "serverurl", takes_value: true },
    Opt { short: Some('u'), long: "username", takes_value: true },
    Opt { short: Some('p'), long: "password", takes_value: true },
    Opt { short: Some('r'), long: "history_file", takes_value: true },
];

pub(crate) fn read(argv: &[String], files: &dyn Files) -> Result<Request, String> {
    let (program, words) = match argv.split_first() {
        Some((program, words)) => (program.as_str(), words),
        None => ("supervisorctl", argv),
    };
    request(program, words, files)
        .map_err(|complaint| format!("Error: {complaint}\nFor help, use {program} -h\n"))
}

fn request(program: &str, words: &[String], files: &dyn Files) -> Result<Request, String> {
    let parsed = getopt::scan(words, SPECS)?;
    let [mut configuration, mut serverurl, mut username, mut password, mut history] =
        [const { None::<String> }; 5];
    let mut interactive = false;
    for (at, given) in parsed.given.iter().enumerate() {
        let slot = match SPECS[given.opt].long {
            "help" | "" => return Ok(Request::Help(help(program))),
            "interactive" => {
                interactive = true;
                None
            }
            "configuration" => Some(&mut configuration),
            "serverurl" => {
                let url = given.value.as_deref().unwrap_or_default();
                if !is_url(url) {
                    let url = python::repr(url);
                    return Err(format!(
                        "invalid value for {} {url}: value {url} is not a URL",
                        given.spelled
                    ));
                }
                Some(&mut serverurl)
            }
            "username" => Some(&mut username),
            "password" => Some(&mut password),
            _ => Some(&mut history),
        };
        if let Some(conflict) = getopt::repetition(&parsed.given, at) {
            return Err(conflict);
        }
        if let Some(slot) = slot {
            slot.clone_from(&given.value);
        }
    }
    // Whoever makes a first password may have no configuration yet, or one that waits for it.
    let config = match parsed.rest.first().map(String::as_str) {
        Some("hash-password") => CtlConfig::default(),
        _ => configured(configuration, program, files)?,
    };
    Ok(Request::Run(Box::new(Options {
        serverurl: serverurl.unwrap_or(config.serverurl),
        username: username.or(config.username),
        password: password.or(config.password),
        prompt: config.prompt,
        history_file: history.map(PathBuf::from).or(config.history_file),
        tls: config.tls,
        interactive: interactive || parsed.rest.is_empty(),
        line: (!parsed.rest.is_empty()).then(|| parsed.rest.join(" ")),
        plugins: config.plugins.into_iter().map(|plugin| plugin.name).collect(),
    })))
}

/// No file anywhere is fine: then everything has its default.
fn configured(given: Option<String>, program: &str, files: &dyn Files) -> Result<CtlConfig, String> {
    match find_config(given.as_deref(), program, files) {
        Ok(path) => load_ctl(&path, files).map_err(|errors| errors.to_string()),
        Err(_) => Ok(CtlConfig::default()),
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
    format!(
        "\
{program}: ask a running supervisord what its processes do, and tell it what they should do.

Usage: {program} [options] [action [arguments]]

  -c, --configuration FILE   take address and credentials from [supervisorctl] in FILE;
                             without -c the usual places are searched
  -s, --serverurl URL        where supervisord listens: http://host:port, https://host:port or unix:///path
                             (http://localhost:9001 if nothing says otherwise)
  -u, --username NAME        who to be, if the server wants to know
  -p, --password TEXT        and how to prove it
  -i, --interactive          open a shell, after the action if there is one
  -r, --history_file FILE    remember the lines typed in the shell
  -h, --help                 show this

Without an action a shell opens. The action \"help\" lists all actions.
The actions \"hash-password\" and \"self-signed\" (help: {program} self-signed -h) need neither a server nor a
configuration.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_config::MemoryFiles;

    fn asked(words: &[&str], files: &MemoryFiles) -> Result<Options, String> {
        let argv: Vec<String> =
            std::iter::once(&"/usr/bin/supervisorctl").chain(words).map(|word| (*word).to_owned()).collect();
        match read(&argv, files)? {
            Request::Run(options) => Ok(*options),
            Request::Help(text) => Err(text),
        }
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
        assert_eq!((options.username, options.password, options.history_file), (None, None, None));
        assert_eq!(options.prompt, "supervisor");
        assert!(!options.interactive);
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let options = asked(&[], &configured()).unwrap();
        assert_eq!((options.serverurl.as_str(), options.prompt.as_str()), ("unix:///run/s.sock", "me"));
        assert_eq!((options.username.as_deref(), options.password.as_deref()), (Some("jo"), Some("pw")));
        assert_eq!(options.history_file, Some(PathBuf::from("/h")));
        assert!(options.interactive && options.line.is_none());
        let words = ["-s", "http://h:1", "-uyou", "--password=x", "-r", "/mine", "start", "-a", "b c"];
        let options = asked(&words, &configured()).unwrap();
        assert_eq!(options.serverurl, "http://h:1");
        assert_eq!((options.username.as_deref(), options.password.as_deref()), (Some("you"), Some("x")));
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
    fn hashing_a_password_needs_no_configuration() {
        let other = MemoryFiles::with("/etc/supervisord.conf", "[supervisord]\n");
        let options = asked(&["-c", "/none.conf", "hash-password", "--token"], &other).unwrap();
        assert_eq!(options.line.as_deref(), Some("hash-password --token"));
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
