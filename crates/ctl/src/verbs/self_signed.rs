//! `self-signed`: a certificate and its key, to try HTTPS with.
//!
//! In: names of hosts and a directory. Out: two files that were not there before, and what to write into a configuration.
//! Needs no daemon and reads no configuration. It is not for lasting use: nobody else vouches for such a certificate.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Flag, Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "self-signed",
        Takes::Words,
        &[("self-signed [<directory>]", "Make a certificate and its key, to try HTTPS with.")],
    )
    .flags(&[Flag {
        name: "--host",
        value: Some("NAME"),
        does: "One more name of this machine, as clients will say it; may come several times.",
    }])
    .about(
        "server.pem is the certificate and server.key its key; what to write into a configuration is shown. The \
         directory is this one unless named, and no file is written over.",
    )
    .alone(),
    run,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const VALID_DAYS: u32 = 365;

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    let directory = match words.rest() {
        "" => ".",
        "-h" | "--help" => {
            session.report.say(&VERB.page.usage());
            return Ok(());
        }
        option if option.starts_with('-') => {
            let complaint = format!("Error: {option} is no option of self-signed");
            session.misused(&VERB.page, &complaint, exit::BAD_ARGUMENTS);
            return Ok(());
        }
        directory => directory,
    };
    let wish = Wish { hosts: hosts(words.values("--host")), directory: PathBuf::from(directory) };
    match wish.make() {
        Ok(made) => session.report.tell(&made.instructions(), || made.object()),
        Err(complaint) => session.refuse(&format!("Error: {complaint}"), exit::GENERIC),
    }
    Ok(())
}

/// Those that are given, and by which every machine is known to itself.
fn hosts<'a>(given: impl Iterator<Item = &'a str>) -> Vec<String> {
    let machine = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let usual = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut hosts: Vec<String> = Vec::new();
    for host in given.map(str::to_owned).chain(machine).chain(usual) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

#[derive(Debug)]
struct Wish {
    /// What clients may call this machine.
    hosts: Vec<String>,
    directory: PathBuf,
}

/// What is on the disk now.
#[derive(Debug)]
struct Made {
    hosts: Vec<String>,
    certfile: PathBuf,
    keyfile: PathBuf,
    /// The last day of it.
    until: String,
}

impl Wish {
    fn make(self) -> Result<Made, String> {
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
        Ok(Made { hosts: self.hosts, certfile, keyfile, until: end.to_string() })
    }
}

impl Made {
    /// Without the last line end.
    fn instructions(&self) -> String {
        let (certfile, keyfile) = (self.certfile.display(), self.keyfile.display());
        format!(
            "\
{certfile} is a certificate for {}, until {}
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
cafile={certfile}",
            self.hosts.join(", "),
            self.until
        )
    }

    fn object(&self) -> serde_json::Value {
        json!({
            "certfile": self.certfile.to_string_lossy(),
            "keyfile": self.keyfile.to_string_lossy(),
            "hosts": self.hosts,
            "valid_until": self.until,
        })
    }
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

    use crate::fake::Script;

    #[test]
    fn two_files_are_made_and_none_is_written_over() {
        let directory = std::env::temp_dir().join(format!("provost-self-signed-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let path = directory.to_str().unwrap();
        let run = |words: &str| Script::default().run(&format!("self-signed {words}"));
        let ran = run(&format!("--host box.example {path}")).exits(0);
        let told = ran.output();
        assert!(told.starts_with(&format!("{path}/server.pem is a certificate for box.example, ")), "{told}");
        assert!(told.contains(&format!("certfile={path}/server.pem\nkeyfile={path}/server.key\n")), "{told}");
        assert_eq!(std::fs::metadata(directory.join("server.key")).unwrap().mode() & 0o7777, 0o600);
        let key = std::fs::read_to_string(directory.join("server.key")).unwrap();
        run(path)
            .says(&format!("Error: {path}/server.key is there already, and is not written over\n"))
            .exits(1);
        std::fs::remove_file(directory.join("server.key")).unwrap();
        run(path).exits(1);
        assert!(!directory.join("server.key").exists(), "a key without a certificate stays behind");
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{key}");
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let run = |line: &str| Script::default().run(line);
        run("self-signed /nonexistent").says_first("Error: /nonexistent: No such file").exits(1);
        run("self-signed --hots x")
            .says_first("Error: --hots x is no option of self-signed\nself-signed ")
            .exits(2);
        run("self-signed --help").says_first("self-signed [<directory>]").exits(0);
    }
}
