//! `[inet_http_server]` and `[unix_http_server]`, each also with a `:name`.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::advice::advise_on_clear_text;
use crate::expand::Scope;
use crate::options::{SectionKind, ValueKind, section_kind};
use crate::reading::Reading;
use crate::section::Section;
use crate::{Account, Address, Config, Credentials, Server, Tls, paths, values};

/// Inet servers first, then unix ones, each in file order. `env` knows the
/// variables only: `here` is known in `file` and nowhere else.
pub(crate) fn servers(reading: &Reading<'_>, env: &Scope<'_>) -> Vec<Server> {
    let names = |wanted| {
        let sections = reading.ini.sections().iter().map(|section| section.name.as_str());
        sections.filter(move |name| section_kind(name) == Some(wanted))
    };
    let inet = names(SectionKind::InetHttpServer).filter_map(|name| inet(reading, name, env));
    let unix = names(SectionKind::UnixHttpServer).filter_map(|name| unix(reading, name, env));
    // One after the other, also in what they find wrong.
    let mut servers: Vec<Server> = inet.collect();
    servers.extend(unix);
    servers
}

impl Config {
    /// The address that children are told when their program names none.
    ///
    /// The manual says the first inet server; Supervisor takes the last.
    pub fn child_serverurl(&self) -> Option<String> {
        let unix = self.servers.iter().find_map(|server| match &server.address {
            Address::Unix { file, .. } => Some(format!("unix://{}", file.display())),
            Address::Inet { .. } => None,
        });
        let inet = self.servers.iter().rev().find_map(|server| {
            let scheme = if server.tls.is_some() { "https" } else { "http" };
            match &server.address {
                Address::Inet { host, port } if matches!(host.as_str(), "" | "[::]") => {
                    Some(format!("{scheme}://localhost:{port}"))
                }
                Address::Inet { host, port } => Some(format!("{scheme}://{host}:{port}")),
                Address::Unix { .. } => None,
            }
        });
        unix.or(inet)
    }

    /// Whether a server asks for more than loopback, would let anybody in, and nobody has said that this is meant. It does not
    /// get what it asks for. (A name is only known to be loopback when it has been looked up.)
    pub fn is_unguarded(&self, server: &Server) -> bool {
        is_unguarded(server, &self.users)
    }
}

impl Server {
    /// Who comes from outside shows a certificate, and is the user whom it names.
    pub fn wants_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }
}

fn is_unguarded(server: &Server, users: &[Account]) -> bool {
    let asks_for_more = matches!(&server.address, Address::Inet { host, .. } if !is_loopback(host));
    asks_for_more
        && !server.wants_certificate()
        && server.credentials.is_none()
        && users.is_empty()
        && !server.allow_unauthenticated
}

/// What a start would trip over, or do otherwise than the file seems to say.
pub(crate) fn advise(reading: &Reading<'_>, servers: &[Server], users: &[Account]) {
    for (at, server) in servers.iter().enumerate() {
        let advise = |key: &str, text: String| {
            let kind = section_kind(&server.section).unwrap_or(SectionKind::InetHttpServer);
            Section::new(reading, &server.section, kind).advise(key, text);
        };
        let key = match &server.address {
            Address::Unix { .. } => "file",
            Address::Inet { .. } => "port",
        };
        if let Some(other) = servers.iter().take(at).find(|other| meet(&other.address, &server.address)) {
            advise(key, format!("is the address of [{}], too, and only one can have it", other.section));
        }
        if is_unguarded(server, users)
            && let Address::Inet { port, .. } = &server.address
        {
            advise(
                key,
                format!(
                    "without a password this server is kept on the loopback interface (port {port}); to open it, \
                     add username and password, or a section [user:NAME] with a password, or \
                     allow_unauthenticated=true"
                ),
            );
        }
    }
}

/// Whether a host is this machine's to itself, as far as one can tell without looking it up.
fn is_loopback(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => matches!(host, "localhost" | "localhost.localdomain" | "ip6-localhost" | "ip6-loopback"),
    }
}

/// Whether two servers cannot both have what they ask for.
fn meet(a: &Address, b: &Address) -> bool {
    match (a, b) {
        (Address::Unix { file: a, .. }, Address::Unix { file: b, .. }) => a == b,
        (Address::Inet { host: a, port: of_a }, Address::Inet { host: b, port: of_b }) => {
            let covers = |all: &str, one: &str| match all {
                "" | "0.0.0.0" => !one.contains(':'),
                "[::]" => true,
                _ => false,
            };
            of_a == of_b && (a == b || covers(a, b) || covers(b, a))
        }
        (Address::Unix { .. }, Address::Inet { .. }) | (Address::Inet { .. }, Address::Unix { .. }) => false,
    }
}

fn inet(reading: &Reading<'_>, name: &str, env: &Scope<'_>) -> Option<Server> {
    let section = Section::new(reading, name, SectionKind::InetHttpServer);
    let credentials = credentials(&section, env);
    let allowed_hosts = section.parsed("allowed_hosts", ValueKind::Hosts, env, |text| Ok(hosts(text)));
    if section.written("port").is_none() {
        section.refuse("port", format!("section [{name}] has no port value"));
    }
    let tls = tls(&section, env);
    let (host, port) = section.parsed("port", ValueKind::InetAddress, env, values::inet_address)?;
    let server = server(&section, env, Address::Inet { host, port }, credentials);
    Some(Server { allowed_hosts: allowed_hosts.unwrap_or_default(), tls, ..server })
}

/// What is in the files is looked at by whoever opens the server.
fn tls(section: &Section<'_>, env: &Scope<'_>) -> Option<Tls> {
    let with_here = Scope::within(env).text("here", &section.reading.here);
    let file = |key| {
        let path = section.text(key, ValueKind::Path, &with_here)?;
        if path.is_empty() {
            section.refuse(key, format!("{key} names no file"));
            return None;
        }
        Some(PathBuf::from(paths::settled(&path, section.reading.files)))
    };
    let (certfile, keyfile, client_ca) = (file("certfile"), file("keyfile"), file("client_ca"));
    for (key, other) in [("certfile", "keyfile"), ("keyfile", "certfile"), ("client_ca", "certfile")] {
        if section.written(key).is_some() && section.written(other).is_none() {
            section
                .refuse(key, format!("{key} needs {other} beside it: HTTPS takes a certificate and its key"));
        }
    }
    Some(Tls { certfile: certfile?, keyfile: keyfile?, client_ca })
}

fn unix(reading: &Reading<'_>, name: &str, env: &Scope<'_>) -> Option<Server> {
    let section = Section::new(reading, name, SectionKind::UnixHttpServer);
    let files = reading.files;
    if section.written("file").is_none() {
        section.refuse("file", format!("section [{name}] has no file value"));
    }
    let with_here = Scope::within(env).text("here", &reading.here);
    let file = section.text("file", ValueKind::Path, &with_here);
    let credentials = credentials(&section, env);
    let owner = section.owner("chown", env, "Invalid sockchown value");
    let chmod = section.defaulted("chmod", ValueKind::Octal, env, |text| {
        values::octal(text).map_err(|_| format!("Invalid chmod value {text}"))
    });
    let (uid, gid) = owner.unwrap_or((None, None));
    let file = PathBuf::from(paths::settled(file?.trim(), files));
    let address = Address::Unix { file, chmod, uid, gid };
    Some(server(&section, env, address, credentials))
}

fn server(section: &Section<'_>, env: &Scope<'_>, address: Address, written: Option<Credentials>) -> Server {
    let (credentials, void_credentials) = match written {
        Some(void) if void.username.is_empty() => (None, Some(void)),
        written => (written, None),
    };
    Server {
        section: section.name.to_owned(),
        address,
        credentials,
        void_credentials,
        allow_unauthenticated: section.boolean("allow_unauthenticated", env),
        get_actions: section.boolean("get_actions", env),
        allowed_hosts: Vec::new(),
        tls: None,
    }
}

fn hosts(text: &str) -> Vec<String> {
    let names = text.split(',').map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

/// As written, the void ones too.
fn credentials(section: &Section<'_>, env: &Scope<'_>) -> Option<Credentials> {
    let username = section.text("username", ValueKind::Text, env);
    let password = section.text("password", ValueKind::Text, env);
    let written = |key| section.written(key).is_some();
    if written("username") != written("password") {
        let key = if written("username") { "username" } else { "password" };
        let text = format!(
            "Section [{}] contains incomplete authentication: If a username or a password is \
             specified, both the username and password must be specified",
            section.name
        );
        section.refuse(key, text);
    }
    let username = username?;
    if username.is_empty() {
        let text = "an empty user name is as good as none: this server has no user of its own, and without a [user:NAME] section it asks nobody who he is";
        section.advise("username", text.to_owned());
    } else if let Some(password) = &password {
        advise_on_clear_text(section, "password", password, "supervisorctl hash-password");
    }
    Some(Credentials { username, password: password? })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{CliOverrides, MemoryFiles, load};

    fn read(text: &str) -> Result<Config, String> {
        let text = format!("[supervisord]\n[inet_http_server]\nport=9001\n{text}\n");
        let files = MemoryFiles::with("/etc/s.conf", &text);
        load(Path::new("/etc/s.conf"), &CliOverrides::default(), &files).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_server_with_a_certificate_is_an_https_server_to_children() {
        let config = read("certfile=%(here)s/tls/../c.pem\nkeyfile=~/k.pem\nclient_ca=ca.pem").unwrap();
        let tls = config.servers[0].tls.clone().unwrap();
        assert_eq!((tls.certfile, tls.keyfile), ("/etc/c.pem".into(), "/home/me/k.pem".into()));
        assert_eq!(tls.client_ca, Some("/home/me/ca.pem".into()));
        let config = read("certfile=c\nkeyfile=k").unwrap();
        assert_eq!(config.child_serverurl().as_deref(), Some("https://localhost:9001"));
        let config = read("[inet_http_server:tls]\nport=h:1\ncertfile=c\nkeyfile=k").unwrap();
        assert_eq!(config.child_serverurl().as_deref(), Some("https://h:1"));
        assert_eq!(read("").unwrap().child_serverurl().as_deref(), Some("http://localhost:9001"));
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        for (text, told) in [
            ("certfile=c", "certfile needs keyfile beside it"),
            ("keyfile=k", "keyfile needs certfile beside it"),
            ("client_ca=c", "client_ca needs certfile beside it"),
            ("certfile=\nkeyfile=k", "certfile names no file"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.contains(told), "{refusal}");
        }
    }
}
