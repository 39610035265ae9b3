//! `[supervisorctl]`: whom supervisorctl talks to, and how it presents itself.
//!
//! Only the main file is read, and `[supervisord] environment` is not known here.

use std::path::{Path, PathBuf};

use crate::errors::Errors;
use crate::expand::Scope;
use crate::options::{DefaultValue, SectionKind, ValueKind, row};
use crate::reading::Reading;
use crate::section::Section;
use crate::{Files, RpcInterface, paths, plugins};

#[derive(Clone, PartialEq, Eq)]
pub struct CtlConfig {
    /// A unix path in it is absolute.
    pub serverurl: String,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Absolute: where the password is, instead. It is not read here: who brings a password of his own need not be allowed to.
    pub password_file: Option<PathBuf>,
    pub prompt: String,
    /// Absolute.
    pub history_file: Option<PathBuf>,
    /// How it looks at an https server, and what it shows there.
    pub tls: CtlTls,
    /// `[ctlplugin:x]`, which are accepted and not loaded.
    pub plugins: Vec<RpcInterface>,
}

/// Files in PEM, absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CtlTls {
    /// Whom to trust; the system says it where this is nothing.
    pub cafile: Option<PathBuf>,
    pub certfile: Option<PathBuf>,
    pub keyfile: Option<PathBuf>,
}

impl std::fmt::Debug for CtlConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A password must never reach a terminal by way of `{:?}`.
        f.debug_struct("CtlConfig")
            .field("serverurl", &self.serverurl)
            .field("username", &self.username)
            .field("prompt", &self.prompt)
            .field("history_file", &self.history_file)
            .finish_non_exhaustive()
    }
}

impl Default for CtlConfig {
    /// What holds without any file.
    fn default() -> Self {
        let text = |name| match row(SectionKind::Supervisorctl, name).map(|row| row.default) {
            Some(DefaultValue::Text(text)) => text.to_owned(),
            _ => String::new(),
        };
        CtlConfig {
            serverurl: text("serverurl"),
            username: None,
            password: None,
            password_file: None,
            prompt: text("prompt"),
            history_file: None,
            tls: CtlTls::default(),
            plugins: Vec::new(),
        }
    }
}

pub fn load_ctl(path: &Path, files: &dyn Files) -> Result<CtlConfig, Errors> {
    let reading = Reading::open(path, files)?;
    if reading.ini.section("supervisorctl").is_none() {
        reading.refuse_all(".ini file does not include supervisorctl section".to_owned());
        // Nothing else in the file is for us.
        return reading.finish().map(|_| CtlConfig::default());
    }
    let env = Scope::default().env(files.env());
    let with_here = Scope::within(&env).text("here", &reading.here);
    let section = Section::new(&reading, "supervisorctl", SectionKind::Supervisorctl);
    let as_it_is = |text: &str| Ok(text.to_owned());
    let serverurl = section.defaulted("serverurl", ValueKind::Url, &with_here, as_it_is);
    let serverurl = match serverurl.strip_prefix("unix://") {
        Some(path) => format!("unix://{}", paths::settled(path, files)),
        None => serverurl,
    };
    let file = |key| {
        let written = section.text(key, ValueKind::Path, &with_here).filter(|path| !path.is_empty());
        written.map(|path| PathBuf::from(paths::settled(&path, files)))
    };
    let tls = CtlTls { cafile: file("cafile"), certfile: file("certfile"), keyfile: file("keyfile") };
    for (key, other) in [("certfile", "keyfile"), ("keyfile", "certfile")] {
        if section.written(key).is_some() && section.written(other).is_none() {
            section
                .refuse(key, format!("{key} needs {other} beside it: a certificate is shown with its key"));
        }
    }
    if section.written("password").is_some() && section.written("password_file").is_some() {
        section.refuse("password_file", "give password or password_file, not both".to_owned());
    }
    let config = CtlConfig {
        serverurl,
        prompt: section.defaulted("prompt", ValueKind::Text, &env, as_it_is),
        username: section.text("username", ValueKind::Text, &env),
        password: section.text("password", ValueKind::Text, &env),
        password_file: file("password_file"),
        history_file: file("history_file"),
        tls,
        plugins: plugins::ctlplugins(&reading, &env),
    };
    reading.finish().map(|_| config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    fn load(text: &str) -> Result<CtlConfig, String> {
        load_ctl(Path::new("etc/s.conf"), &MemoryFiles::with("etc/s.conf", text))
            .map_err(|errors| errors.to_string())
    }

    #[test]
    fn everything_has_a_default() {
        let config = load("[supervisorctl]\n").unwrap();
        assert_eq!(config, CtlConfig::default());
        assert_eq!((&*config.serverurl, &*config.prompt), ("http://localhost:9001", "supervisor"));
    }

    #[test]
    fn paths_become_absolute() {
        let config = load(
            "[supervisorctl]\nserverurl=unix://%(here)s/../s.sock\nhistory_file=~/h\nprompt=%(ENV_HOME)s\n",
        )
        .unwrap();
        assert_eq!(config.serverurl, "unix:///home/me/s.sock");
        assert_eq!(config.history_file, Some(PathBuf::from("/home/me/h")));
        assert_eq!(config.prompt, "/home/me");
    }

    #[test]
    fn files_of_https_are_found_from_the_configuration() {
        let config =
            load("[supervisorctl]\ncafile=%(here)s/ca.pem\ncertfile=me.pem\nkeyfile=~/me.key\n").unwrap();
        let [ca, cert, key] =
            ["/home/me/etc/ca.pem", "/home/me/me.pem", "/home/me/me.key"].map(PathBuf::from);
        assert_eq!(config.tls, CtlTls { cafile: Some(ca), certfile: Some(cert), keyfile: Some(key) });
        let told = load("[supervisorctl]\ncertfile=me.pem\n").unwrap_err();
        assert!(told.contains("certfile needs keyfile beside it"), "{told}");
    }

    #[test]
    fn a_password_may_lie_in_a_file_and_then_only_there() {
        // It need not exist: only who needs it opens it.
        let config = load("[supervisorctl]\npassword_file=%(here)s/secret\n").unwrap();
        assert_eq!(config.password_file, Some(PathBuf::from("/home/me/etc/secret")));
        let told = load("[supervisorctl]\npassword=x\npassword_file=~/secret\n").unwrap_err();
        assert_eq!(told, "give password or password_file, not both");
    }

    #[test]
    fn refusals() {
        let told = load("[supervisord]\n").unwrap_err();
        assert_eq!(told, ".ini file does not include supervisorctl section");
        let told = load("[supervisorctl]\nprompt=%(here)s\nusername=%(x)s\n").unwrap_err();
        assert!(told.starts_with("Format string '%(here)s' for 'supervisorctl.prompt' contains"));
        assert!(told.contains("\netc/s.conf:3: [supervisorctl] username: Format string"));
        let files = MemoryFiles::default();
        let told = load_ctl(Path::new("nope"), &files).unwrap_err().to_string();
        assert_eq!(told, "could not find config file nope");
    }
}
