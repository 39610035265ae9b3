//! `supervisorctl self-signed`: a certificate and its key, to try HTTPS with.
//!
//! In: names of hosts and a directory. Out: two files that were not there before, and what to write into a configuration.
//! Needs no daemon and reads no configuration. It is not for lasting use: nobody else vouches for such a certificate.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use provost_config::getopt::{self, Opt};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};

use crate::Streams;

/// The first word on the command line.
pub(crate) const WORD: &str = "self-signed";

const USAGE: &str = "\
Usage: supervisorctl self-signed [--host NAME]... [DIRECTORY]

Makes server.pem, a certificate for this machine, and server.key, its key, in DIRECTORY (here, unless
named). --host names the machine in one more way, as clients will. No file is written over.
";
const SPECS: &[Opt] = &[
    Opt { short: Some('h'), long: "help", takes_value: false },
    Opt { short: None, long: "host", takes_value: true },
];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const VALID_DAYS: u32 = 365;

pub(crate) fn run(words: &[String], streams: Streams<'_>) -> u8 {
    let (text, status) = match asked(words) {
        Ok(None) => (Ok(USAGE.to_owned()), 0),
        Ok(Some(wish)) => match wish.make() {
            Ok(text) => (Ok(text), 0),
            Err(complaint) => (Err(format!("Error: {complaint}\n")), 1),
        },
        Err(complaint) => (Err(format!("Error: {complaint}\n{USAGE}")), 2),
    };
    // Nobody is left to tell when the reader has gone.
    let _ = match text {
        Ok(text) => streams.output.write_all(text.as_bytes()).and_then(|()| streams.output.flush()),
        Err(text) => streams.errors.write_all(text.as_bytes()),
    };
    status
}

#[derive(Debug, PartialEq, Eq)]
struct Wish {
    /// What clients may call this machine.
    hosts: Vec<String>,
    directory: PathBuf,
}

/// `None` where help is wanted.
fn asked(words: &[String]) -> Result<Option<Wish>, String> {
    let parsed = getopt::scan(words, SPECS)?;
    let mut hosts: Vec<String> = Vec::new();
    for given in &parsed.given {
        match (SPECS[given.opt].long, &given.value) {
            ("host", Some(host)) => hosts.push(host.clone()),
            _ => return Ok(None),
        }
    }
    let machine = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let usual = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    for host in machine.into_iter().chain(usual) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    match parsed.rest.as_slice() {
        [] => Ok(Some(Wish { hosts, directory: PathBuf::from(".") })),
        [directory] => Ok(Some(Wish { hosts, directory: directory.into() })),
        [_, second, ..] => Err(format!("one directory is enough, and {second} is another")),
    }
}

impl Wish {
    fn make(&self) -> Result<String, String> {
        let directory = self.directory.canonicalize();
        let directory = directory.map_err(|e| format!("{}: {e}", self.directory.display()))?;
        let (certfile, keyfile) = (directory.join("server.pem"), directory.join("server.key"));
        let key = KeyPair::generate().map_err(|e| format!("cannot make a key: {e}"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = date_time_ymd(1970, 1, 1);
        let mut params = CertificateParams::new(self.hosts.clone())
            .map_err(|e| format!("{} are no names of a host: {e}", self.hosts.join(", ")))?;
        // Clocks differ.
        params.not_before = epoch + now.saturating_sub(DAY);
        params.not_after = epoch + now + DAY * VALID_DAYS;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.hosts[0].as_str());
        // An authority would not be accepted as a server by all.
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let end = params.not_after.date();
        let certificate = params.self_signed(&key).map_err(|e| format!("cannot make a certificate: {e}"))?;

        write_new(&keyfile, 0o600, &pem("PRIVATE KEY", &key.serialize_der()))?;
        write_new(&certfile, 0o644, &pem("CERTIFICATE", certificate.der())).inspect_err(|_| {
            // The key of nothing helps nobody.
            let _ = std::fs::remove_file(&keyfile);
        })?;
        Ok(instructions(&self.hosts, &certfile, &keyfile, &end.to_string()))
    }
}

fn instructions(hosts: &[String], certfile: &Path, keyfile: &Path, end: &str) -> String {
    let (certfile, keyfile) = (certfile.display(), keyfile.display());
    format!(
        "\
{certfile} is a certificate for {}, until {end}
{keyfile} is its key, which only you may read

For supervisord:

[inet_http_server]
port=127.0.0.1:9001
username=NAME
password=PASSWORD
certfile={certfile}
keyfile={keyfile}

For supervisorctl:

[supervisorctl]
serverurl=https://localhost:9001
username=NAME
password=PASSWORD
cafile={certfile}
",
        hosts.join(", ")
    )
}

fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{} is there already, and is not written over", path.display())
        }
        _ => format!("cannot write {}: {e}", path.display()),
    })
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn said(words: &[&str]) -> (u8, String, String) {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let input = std::fs::File::open("/dev/null").unwrap().into();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let status = run(&words, Streams { input, output: &mut output, errors: &mut errors });
        (status, String::from_utf8(output).unwrap(), String::from_utf8(errors).unwrap())
    }

    #[test]
    fn two_files_are_made_and_none_is_written_over() {
        let directory = std::env::temp_dir().join(format!("provost-self-signed-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let path = directory.to_str().unwrap();
        let (status, told, _) = said(&["--host", "box.example", path]);
        assert_eq!(status, 0);
        assert!(told.starts_with(&format!("{path}/server.pem is a certificate for box.example, ")), "{told}");
        assert!(told.contains(&format!("certfile={path}/server.pem\nkeyfile={path}/server.key\n")), "{told}");
        assert_eq!(std::fs::metadata(directory.join("server.key")).unwrap().mode() & 0o7777, 0o600);
        let key = std::fs::read_to_string(directory.join("server.key")).unwrap();
        let (status, _, complaint) = said(&[path]);
        assert_eq!(
            (status, complaint),
            (1, format!("Error: {path}/server.key is there already, and is not written over\n"))
        );
        std::fs::remove_file(directory.join("server.key")).unwrap();
        assert_eq!(said(&[path]).0, 1);
        assert!(!directory.join("server.key").exists(), "a key without a certificate stays behind");
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{key}");
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let (status, _, complaint) = said(&["a", "b"]);
        assert_eq!(status, 2);
        assert!(
            complaint.starts_with("Error: one directory is enough, and b is another\nUsage: "),
            "{complaint}"
        );
        assert_eq!(said(&["/nonexistent"]).0, 1);
        assert_eq!(said(&["--help"]), (0, USAGE.to_owned(), String::new()));
    }
}
