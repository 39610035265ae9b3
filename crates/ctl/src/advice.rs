//! Nobody has answered, or not as one wishes: what is wrong, and what to do.
//!
//! In: the error, the address, and what is known of where both came from. Out: sentences for a person, the most useful first;
//! the line that Supervisor would say is the caller's. Only looks: at the configuration, the socket, `/proc`. Nothing of it
//! happens where nobody reads it. What the address itself tells is in `address.rs`, what a socket's file tells in `socket.rs`.

mod address;
mod socket;

use std::io;
use std::path::{Path, PathBuf};

use provost_config::{CliOverrides, Config, Files, Lenient, load};
use provost_wire::FaultCode;

use address::{is_here, on_network, on_scheme, on_servers};
use socket::on_socket;

use crate::call::CallError;
use crate::daemons::{Owner, Processes, Running};
use crate::password::{Login, Password, Place};
use crate::terminal::word;

/// Where address and password came from.
#[derive(Default)]
pub(crate) struct Scene<'a> {
    pub(crate) files: Option<&'a dyn Files>,
    pub(crate) processes: Processes,
    /// The address, until somebody says `open`.
    url: String,
    pub(crate) origin: Origin,
    username: Option<String>,
    password: Option<Place>,
    /// A password that we may not read, and why.
    closed: Option<(PathBuf, String)>,
}

/// Where the address is from, for whoever has to be told why nobody is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file that was read; none if none was found, or none is needed.
    pub(crate) configuration: Option<PathBuf>,
    /// `-s` was given.
    pub(crate) is_typed: bool,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(files: &'a dyn Files, url: &str, origin: Origin, login: &Login) -> Scene<'a> {
        Scene {
            files: Some(files),
            processes: Processes::default(),
            url: url.to_owned(),
            origin,
            username: login.username.clone(),
            password: login.from.clone().filter(|_| login.password != Password::None),
            closed: login.closed.clone(),
        }
    }

    pub(crate) fn advice(&self, error: &CallError, url: &str) -> Vec<String> {
        match error {
            CallError::Connection { error, .. } => self.on_silence(error, url),
            CallError::Status { code, .. } => self.on_status(*code, url),
            CallError::Fault(fault) if fault.kind() == Some(FaultCode::ShutdownState) => vec![
                "supervisord is on its way out, or restarting, and takes no orders meanwhile; when it is back, say it again"
                    .to_owned(),
            ],
            CallError::Other(_) => on_scheme(url).into_iter().collect(),
            CallError::Fault(_) | CallError::Interrupted => Vec::new(),
        }
    }

    fn on_silence(&self, error: &io::Error, url: &str) -> Vec<String> {
        let mut advice = Vec::new();
        match url.strip_prefix("unix://") {
            Some(path) => advice.extend(on_socket(Path::new(path), error.kind())),
            None => advice.extend(on_network(error, url)),
        }
        let is_absent = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
        if url != self.url {
            return advice;
        }
        advice.extend(self.on_origin(url));
        if is_absent && is_here(url) {
            let config = match self.configuration() {
                Some(Ok(config)) => Some(config),
                Some(Err(refusal)) => {
                    advice.push(refusal);
                    None
                }
                None => None,
            };
            let other = config.as_ref().and_then(|config| on_servers(config, url));
            let is_its_own = other.is_none();
            advice.extend(other);
            advice.extend(self.on_daemon(config.as_ref(), is_its_own));
        }
        advice
    }

    /// Which file was read. Whoever has typed an address knows where it is from.
    fn on_origin(&self, url: &str) -> Option<String> {
        match &self.origin.configuration {
            _ if self.origin.is_typed => None,
            Some(path) => Some(format!(
                "{url} is what [supervisorctl] in {} comes to; -c FILE names another one",
                path.display()
            )),
            None => Some(format!(
                "no configuration was found where it is looked for, so {url} is a guess; name the file with -c, or the \
                 server with -s"
            )),
        }
    }

    /// Whole, or why supervisord would not take it.
    fn configuration(&self) -> Option<Result<Config, String>> {
        let (path, files) = (self.origin.configuration.as_ref()?, self.files?);
        // Directories that only the daemon may see are no reason.
        let read = load(path, &CliOverrides::default(), &Lenient::new(files));
        Some(read.map_err(|errors| {
            let path = path.display();
            format!(
                "supervisord would not start with {path}: {}; supervisord --check -c {} says all",
                errors.first(),
                word(&path.to_string())
            )
        }))
    }

    /// `is_its_own`: the address is one at which it should be.
    fn on_daemon(&self, config: Option<&Config>, is_its_own: bool) -> Vec<String> {
        let (Some(files), path) = (self.files, self.origin.configuration.as_deref()) else {
            return Vec::new();
        };
        let mut advice = Vec::new();
        if let Some(config) = config {
            let pidfile = config.supervisord.pidfile.display();
            match self.processes.owner(&config.supervisord.pidfile, files) {
                Owner::Supervisord(running)
                    if is_same(running.configuration.as_deref(), path) && !is_its_own =>
                {
                    return vec![format!(
                        "supervisord runs (pid {}), and this is no address of it",
                        running.pid
                    )];
                }
                Owner::Supervisord(running) if is_same(running.configuration.as_deref(), path) => {
                    return vec![format!(
                        "supervisord runs (pid {}), and nobody can reach it there: perhaps its socket was removed, or the \
                         configuration was changed after its start; its log says more, and a restart of it opens its servers anew",
                        running.pid
                    )];
                }
                Owner::Supervisord(running) => return vec![elsewhere(&running)],
                Owner::Gone(pid) => {
                    advice.push(format!(
                        "supervisord is dead: {pidfile} says pid {pid}, and there is no such process"
                    ));
                }
                Owner::Stranger(pid, name) => {
                    advice.push(format!(
                        "supervisord is dead: {pidfile} says pid {pid}, which is {name} by now"
                    ));
                }
                Owner::Nobody => {
                    advice.push(format!(
                        "no supervisord runs with this configuration: there is no pid in {pidfile}"
                    ));
                }
            }
        }
        let others = self.processes.all(files);
        // A list of all that run on a large machine helps nobody.
        advice.extend(others.iter().take(3).map(elsewhere));
        match path {
            Some(path) => {
                advice.push(format!("to start it: supervisord -c {}", word(&path.to_string_lossy())))
            }
            None if others.is_empty() => advice.push("no supervisord runs on this machine".to_owned()),
            None => {}
        }
        advice
    }

    fn on_status(&self, code: u16, url: &str) -> Vec<String> {
        let file = match &self.origin.configuration {
            Some(path) => format!("[supervisorctl] of {}", path.display()),
            None => "[supervisorctl] of a configuration".to_owned(),
        };
        let how = format!(
            "give a user with -u NAME and a password with --password-stdin or --password-file FILE, or both as username= and \
             password_file= in {file}"
        );
        let text = match (code, &self.username, &self.password) {
            // What a server of https:// says to whoever speaks no TLS.
            (400, ..) if url.starts_with("http://") => {
                format!("perhaps that server speaks TLS: {}", url.replacen("http", "https", 1))
            }
            (401, Some(name), Some(place)) => {
                format!("the server does not accept the user {name} with the password {}", from(place))
            }
            (401, Some(name), None) => format!("there is a user, {name}, and no password; {how}"),
            (401, None, Some(_)) => format!("there is a password and no user; {how}"),
            (401, None, None) => format!("the server wants to know who asks; {how}"),
            (403, ..) => "the server knows who asks, and this is not allowed; what is, stands in its [user:NAME] sections".to_owned(),
            (404 | 405, ..) => format!("whatever listens at {url} is no supervisord, or only a proxy that does not lead to one"),
            (429, ..) => "too many wrong passwords have come from here, and more are waiting; try again in some seconds".to_owned(),
            (502..=504, ..) => format!("a proxy listens at {url}, and the supervisord behind it does not answer"),
            (500..=599, ..) => "supervisord has failed at this; its own log may say why (logfile= in its configuration)".to_owned(),
            _ => format!("this is no answer of a supervisord; is {url} right?"),
        };
        let closed = self.closed.as_ref().filter(|_| code == 401);
        let unread =
            closed.map(|(path, why)| format!("the password in {} could not be read: {why}", path.display()));
        [text].into_iter().chain(unread).collect()
    }
}

fn from(place: &Place) -> String {
    match place {
        Place::Visible => "behind -p".to_owned(),
        Place::Stdin => "from standard input".to_owned(),
        Place::Environment => format!("in {}", crate::password::PASSWORD),
        Place::File(path) => format!("in {}", path.display()),
        Place::Configuration => "in the configuration".to_owned(),
    }
}

/// Letters of somebody's command line.
const WIDEST: usize = 200;

fn elsewhere(running: &Running) -> String {
    let ask = match &running.configuration {
        Some(path) => format!("; to ask that one: supervisorctl -c {}", word(&path.to_string_lossy())),
        None => String::new(),
    };
    // Anybody may call a program so, and say behind it what he likes.
    let mut command: String = running.command.chars().take(WIDEST).collect();
    if command.len() < running.command.len() {
        command.push('…');
    }
    format!("a supervisord runs as pid {}: {command}{ask}", running.pid)
}

fn is_same(one: Option<&Path>, other: Option<&Path>) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // Who was started without -c has found its file where we have.
    one.is_none() || one.map(whole) == other.map(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemons::tests::machine;
    use crate::fake::refused;
    use provost_config::MemoryFiles;

    const CONF: &str =
        "[supervisord]\npidfile=/run/s.pid\n[unix_http_server]\nfile=/nowhere/s.sock\n[supervisorctl]\n";

    fn silence(url: &str, kind: io::ErrorKind) -> CallError {
        CallError::Connection { url: url.to_owned(), error: kind.into() }
    }

    fn scene<'a>(url: &str, files: &'a MemoryFiles, processes: Processes) -> Scene<'a> {
        let configuration = files.files.contains_key(Path::new("/etc/s.conf")).then(|| "/etc/s.conf".into());
        let origin = Origin { configuration, is_typed: false };
        Scene { files: Some(files), processes, origin, url: url.to_owned(), ..Scene::default() }
    }

    /// What is said of a socket that is not there.
    fn absent(name: &str, pid: &str, running: &[(u32, &str, &[&str])]) -> Vec<String> {
        let machine = machine(name, running);
        let mut files = MemoryFiles::with("/etc/s.conf", CONF);
        files.add("/run/s.pid", pid);
        let url = "unix:///nowhere/s.sock";
        scene(url, &files, machine.processes()).advice(&silence(url, io::ErrorKind::NotFound), url)
    }

    #[test]
    fn a_daemon_that_is_dead_is_to_be_started() {
        let wanted = [
            "there is no directory /nowhere",
            "unix:///nowhere/s.sock is what [supervisorctl] in /etc/s.conf comes to; -c FILE names another one",
            "supervisord is dead: /run/s.pid says pid 7, and there is no such process",
            "to start it: supervisord -c /etc/s.conf",
        ];
        assert_eq!(absent("dead", "7", &[]), wanted);
        assert_eq!(
            absent("stranger", "7", &[(7, "vi", &["vi"])])[2],
            "supervisord is dead: /run/s.pid says pid 7, which is vi by now"
        );
        assert_eq!(
            absent("nobody", "", &[])[2],
            "no supervisord runs with this configuration: there is no pid in /run/s.pid"
        );
    }

    #[test]
    fn a_daemon_that_lives_is_not_started_twice() {
        let told = absent("lives", "7", &[(7, "supervisord", &["supervisord", "-c", "/etc/s.conf"])]);
        assert!(told[2].starts_with("supervisord runs (pid 7), and nobody can reach it there"), "{told:?}");
        assert_eq!(told.len(), 3);
        let other: &[&str] = &["supervisord", "-c", "/etc/other.conf"];
        let wanted = "a supervisord runs as pid 7: supervisord -c /etc/other.conf; to ask that one: supervisorctl -c \
                      /etc/other.conf";
        assert_eq!(absent("other", "7", &[(7, "supervisord", other)])[2], wanted);
        assert_eq!(absent("beside", "", &[(7, "supervisord", other)])[3], wanted);
    }

    #[test]
    fn what_others_call_their_programs_is_not_for_the_shell() {
        let long = format!("/tmp/x; it's me{}", "A".repeat(3000));
        let told = &absent("hostile", "", &[(7, "supervisord", &["supervisord", "-c", &long])])[3];
        let (shown, command) = told.split_once("; to ask that one: ").unwrap();
        assert!(shown.ends_with("AAA…") && shown.chars().count() < 300, "{shown}");
        let quoted = long.replace("it's", r"it'\''s");
        assert_eq!(command, format!("supervisorctl -c '{quoted}'"));
    }

    #[test]
    fn an_address_that_no_server_has_is_compared_with_theirs() {
        let (machine, files) = (machine("servers", &[]), MemoryFiles::with("/etc/s.conf", CONF));
        let url = "http://localhost:9001";
        let told = scene(url, &files, machine.processes())
            .advice(&silence(url, io::ErrorKind::ConnectionRefused), url);
        assert_eq!(told[0], "nobody listens at http://localhost:9001");
        assert_eq!(told[2], "the servers in /etc/s.conf are unix:///nowhere/s.sock");
        let here = crate::daemons::tests::machine(
            "here",
            &[(7, "supervisord", &["supervisord", "-c", "/etc/s.conf"])],
        );
        let mut files = files;
        files.add("/run/s.pid", "7");
        let told =
            scene(url, &files, here.processes()).advice(&silence(url, io::ErrorKind::ConnectionRefused), url);
        assert_eq!(told[3..], ["supervisord runs (pid 7), and this is no address of it"]);
        let files = MemoryFiles::with("/etc/s.conf", "[supervisord]\n[supervisorctl]\n");
        let told = scene(url, &files, machine.processes())
            .advice(&silence(url, io::ErrorKind::ConnectionRefused), url);
        assert!(
            told[2].starts_with("/etc/s.conf has no [unix_http_server] and no [inet_http_server]"),
            "{told:?}"
        );
        let files = MemoryFiles::default();
        let told = scene(url, &files, machine.processes())
            .advice(&silence(url, io::ErrorKind::ConnectionRefused), url);
        assert!(
            told[1].starts_with("no configuration was found where it is looked for, so http://"),
            "{told:?}"
        );
        assert_eq!(told[2], "no supervisord runs on this machine");
    }

    #[test]
    fn a_configuration_that_is_refused_starts_nothing() {
        let (machine, files) =
            (machine("refused", &[]), MemoryFiles::with("/etc/s.conf", "[supervisord]\numask=9\n"));
        let url = "unix:///nowhere/s.sock";
        let told =
            scene(url, &files, machine.processes()).advice(&silence(url, io::ErrorKind::NotFound), url);
        assert!(told[2].starts_with("supervisord would not start with /etc/s.conf: "), "{told:?}");
        // Whoever has said open knows what he has said.
        let other = scene("http://h", &files, machine.processes());
        assert_eq!(other.advice(&silence(url, io::ErrorKind::NotFound), url).len(), 1);
    }

    #[test]
    fn who_is_not_let_in_is_told_how_to_be() {
        let scene = |username: Option<&str>, password| Scene {
            username: username.map(str::to_owned),
            password,
            closed: Some(("/secret".into(), "permission denied".to_owned())),
            ..Scene::default()
        };
        let told = |scene: Scene<'_>, code| scene.advice(&refused(code, ""), "unix:///s");
        assert!(
            told(scene(None, None), 401)[0]
                .starts_with("the server wants to know who asks; give a user with -u")
        );
        assert!(told(scene(Some("jo"), None), 401)[0].starts_with("there is a user, jo, and no password; "));
        assert!(
            told(scene(None, Some(Place::Stdin)), 401)[0].starts_with("there is a password and no user; ")
        );
        let both = scene(Some("jo"), Some(Place::File("/pw".into())));
        assert_eq!(
            told(both, 401),
            [
                "the server does not accept the user jo with the password in /pw",
                "the password in /secret could not be read: permission denied"
            ]
        );
        for (code, words) in
            [(403, "not allowed"), (404, "no supervisord"), (429, "some seconds"), (503, "a proxy")]
        {
            let told = told(Scene::default(), code);
            assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
        }
    }
}
