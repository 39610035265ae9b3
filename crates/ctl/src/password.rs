//! Who to be and how to prove it: from the command line, else the environment, else `[supervisorctl]`.
//!
//! In: what each of the three says. Out: a [`Login`], or a refusal for stderr. Within one place the password is said in one way
//! only. Nothing is read from standard input here; that a password waits there is all that is known of it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use provost_config::{CtlConfig, Files};

use crate::terminal::word;

/// What a user and a password may be called in the environment, where `ps` does not show them.
pub(crate) const USERNAME: &str = "SUPERVISORCTL_USERNAME";
pub(crate) const PASSWORD: &str = "SUPERVISORCTL_PASSWORD";
pub(crate) const PASSWORD_FILE: &str = "SUPERVISORCTL_PASSWORD_FILE";

/// What the command line says. No `Debug`: it knows a password.
#[derive(Default)]
pub(crate) struct Typed {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) from_stdin: bool,
    pub(crate) file: Option<String>,
}

/// No `Debug`: it knows a password.
#[derive(Default)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Password,
    /// Where the password is from.
    pub(crate) from: Option<Place>,
    /// A file that the configuration names, that we may not read, and why.
    pub(crate) closed: Option<(PathBuf, String)>,
}

#[derive(Default, PartialEq, Eq)]
pub(crate) enum Password {
    #[default]
    None,
    Is(String),
    /// The first line of standard input.
    OnStdin,
}

/// Where something is from, as it is said to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// `-p`, which every account of the machine can read in the list of processes.
    Visible,
    Stdin,
    Environment,
    /// Named on the command line, in the environment or in the configuration.
    File(PathBuf),
    Configuration,
}

impl Login {
    pub(crate) fn find(typed: Typed, config: &CtlConfig, files: &dyn Files) -> Result<Login, String> {
        // What is set to nothing is as good as unset.
        let named = |name: &str| files.env().get(name).filter(|text| !text.is_empty()).cloned();
        let username = typed.username.clone().or_else(|| named(USERNAME)).or_else(|| config.username.clone());
        let login = |password, from| Login { username: username.clone(), password, from, closed: None };
        let in_file = |path: &str| -> Result<Login, String> {
            let line = first_line(Path::new(path), files).map_err(|(_, why)| format!("{path}: {why}"))?;
            Ok(login(Password::Is(line), Some(Place::File(path.into()))))
        };
        match on_command_line(typed)? {
            Way::Text(text) => return Ok(login(Password::Is(text), Some(Place::Visible))),
            Way::Stdin => return Ok(login(Password::OnStdin, Some(Place::Stdin))),
            Way::File(path) => return in_file(&path).map_err(|why| format!("--password-file {why}")),
            Way::Nothing => {}
        }
        match (named(PASSWORD), named(PASSWORD_FILE)) {
            (Some(_), Some(_)) => return Err(format!("{PASSWORD} and {PASSWORD_FILE} exclude each other")),
            (Some(text), None) => return Ok(login(Password::Is(text), Some(Place::Environment))),
            (None, Some(path)) => return in_file(&path).map_err(|why| format!("{PASSWORD_FILE} {why}")),
            (None, None) => {}
        }
        match (&config.password, &config.password_file) {
            (Some(text), _) => Ok(login(Password::Is(text.clone()), Some(Place::Configuration))),
            (None, Some(path)) => match first_line(path, files) {
                Ok(line) => Ok(login(Password::Is(line), Some(Place::File(path.clone())))),
                // Whoever may use the socket needs no password, and no right to read one that others use.
                Err((std::io::ErrorKind::PermissionDenied, why)) => {
                    Ok(Login { closed: Some((path.clone(), why)), ..login(Password::None, None) })
                }
                Err((_, why)) => Err(format!("password_file {}: {why}", path.display())),
            },
            (None, None) => Ok(login(Password::None, None)),
        }
    }
}

/// What somebody should know who has his password there.
pub(crate) fn hint(place: &Place) -> Option<String> {
    match place {
        Place::Visible => Some(
            "everybody on this machine can read a password behind -p in the list of processes; --password-stdin, \
             --password-file and password_file= keep it to yourself"
                .to_owned(),
        ),
        Place::File(path) => {
            let mode = path.metadata().ok()?.mode();
            let shown = path.display().to_string();
            let text = format!("everybody on this machine can read {shown}: chmod 600 {}", word(&shown));
            (mode & 0o004 != 0).then_some(text)
        }
        Place::Stdin | Place::Environment | Place::Configuration => None,
    }
}

/// How the command line says it.
enum Way {
    Nothing,
    Text(String),
    Stdin,
    File(String),
}

fn on_command_line(typed: Typed) -> Result<Way, String> {
    let (password, stdin, file) = ("--password", "--password-stdin", "--password-file");
    let both = |one: &str, other: &str| Err(format!("options {one} and {other} exclude each other"));
    match (typed.password, typed.from_stdin, typed.file) {
        (None, false, None) => Ok(Way::Nothing),
        (Some(text), false, None) => Ok(Way::Text(text)),
        (None, true, None) => Ok(Way::Stdin),
        (None, false, Some(path)) => Ok(Way::File(path)),
        (Some(_), true, _) => both(password, stdin),
        (Some(_), false, Some(_)) => both(password, file),
        (None, true, Some(_)) => both(stdin, file),
    }
}

/// Without the blanks behind it, as the daemon reads such a file; both may be told of the same one.
fn first_line(path: &Path, files: &dyn Files) -> Result<String, (std::io::ErrorKind, String)> {
    use std::io::ErrorKind::InvalidData;
    let content = files.read_small(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidInput => (e.kind(), format!("{e}; --password-stdin reads from pipes")),
        kind => (kind, e.to_string()),
    })?;
    let text = String::from_utf8(content).map_err(|_| (InvalidData, "it is not UTF-8".to_owned()))?;
    match text.lines().next().unwrap_or_default().trim_end() {
        "" => Err((InvalidData, "there is no password in its first line".to_owned())),
        line => Ok(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_config::MemoryFiles;

    fn machine(env: &[(&str, &str)]) -> MemoryFiles {
        let mut files = MemoryFiles::with("/secret", "of a file  \nsecond\n");
        files.add("/empty", "\nsecond\n");
        files.env.extend(env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        files
    }

    fn typed(password: &str) -> Typed {
        Typed { password: Some(password.to_owned()), ..Typed::default() }
    }

    fn in_configuration() -> CtlConfig {
        CtlConfig {
            username: Some("conf".to_owned()),
            password: Some("pw".to_owned()),
            ..CtlConfig::default()
        }
    }

    /// User, password and place.
    fn found(
        typed: Typed,
        config: &CtlConfig,
        env: &[(&str, &str)],
    ) -> Result<(String, String, Place), String> {
        let login = Login::find(typed, config, &machine(env))?;
        let password = match login.password {
            Password::Is(text) => text,
            Password::OnStdin => "?".to_owned(),
            Password::None => return Err("nothing".to_owned()),
        };
        Ok((login.username.unwrap_or_default(), password, login.from.expect("a password is from somewhere")))
    }

    fn is(user: &str, password: &str, from: Place) -> Result<(String, String, Place), String> {
        Ok((user.to_owned(), password.to_owned(), from))
    }

    #[test]
    fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
        let config = in_configuration();
        let env = &[(PASSWORD, "env")];
        assert_eq!(found(Typed::default(), &config, &[]), is("conf", "pw", Place::Configuration));
        assert_eq!(found(Typed::default(), &config, env), is("conf", "env", Place::Environment));
        assert_eq!(found(typed("typed"), &config, env), is("conf", "typed", Place::Visible));
        let from_stdin = Typed { from_stdin: true, username: Some("me".to_owned()), ..Typed::default() };
        assert_eq!(found(from_stdin, &config, env), is("me", "?", Place::Stdin));
        assert_eq!(found(Typed::default(), &config, &[(USERNAME, "env")]).unwrap().0, "env");
        assert_eq!(
            found(Typed::default(), &config, &[(USERNAME, ""), (PASSWORD, "")]),
            is("conf", "pw", Place::Configuration)
        );
    }

    #[test]
    fn each_of_them_may_name_a_file() {
        let secret = || Place::File("/secret".into());
        let option = Typed { file: Some("/secret".to_owned()), ..Typed::default() };
        assert_eq!(found(option, &in_configuration(), &[]), is("conf", "of a file", secret()));
        let env = &[(PASSWORD_FILE, "/secret")];
        assert_eq!(found(Typed::default(), &in_configuration(), env), is("conf", "of a file", secret()));
        let config = CtlConfig { password_file: Some("/secret".into()), ..CtlConfig::default() };
        assert_eq!(found(Typed::default(), &config, &[]), is("", "of a file", secret()));
        // Nobody opens what nobody needs.
        let config = CtlConfig { password_file: Some("/none".into()), ..CtlConfig::default() };
        assert_eq!(found(typed("x"), &config, &[]), is("", "x", Place::Visible));
    }

    #[test]
    fn refusals_say_which_file_and_whose_fault() {
        let option = |path: &str| Typed { file: Some(path.to_owned()), ..Typed::default() };
        let config = CtlConfig::default();
        assert_eq!(
            found(option("/empty"), &config, &[]).unwrap_err(),
            "--password-file /empty: there is no password in its first line"
        );
        assert!(found(option("/none"), &config, &[]).unwrap_err().starts_with("--password-file /none: "));
        let config = CtlConfig { password_file: Some("/none".into()), ..CtlConfig::default() };
        assert!(found(Typed::default(), &config, &[]).unwrap_err().starts_with("password_file /none: "));
        let env = &[(PASSWORD, "x"), (PASSWORD_FILE, "/secret")];
        assert_eq!(
            found(Typed::default(), &config, env).unwrap_err(),
            "SUPERVISORCTL_PASSWORD and SUPERVISORCTL_PASSWORD_FILE exclude each other"
        );
        let both = Typed { from_stdin: true, ..option("/secret") };
        assert_eq!(
            found(both, &config, &[]).unwrap_err(),
            "options --password-stdin and --password-file exclude each other"
        );
    }
}
