//! The files that make servers speak HTTPS: read while we are still root, held for the next brain, looked at again.
//!
//! In: paths of the configuration, and what an earlier brain had. Out: an identity for each such server, and lines of the main log.
//!
//! A key is often readable by root alone, and `user=` makes us somebody else for ever: the keeper, too. So what was read
//! is kept in a memfd of the keeper's, which a death of the brain, an upgrade and a reload of the whole daemon leave alone.
//! While we run, files that have changed are read as whom we are by then; what cannot be read, or is no good, is told once,
//! and the identity in use stays (`watched.rs`). `papers.rs` is what was read. What a certificate is good for is the api's affair (`tls.rs` there).

mod papers;
mod watched;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use provost_api::{BadPem, ClientCertificate, Identity, Tls};
use provost_config::{Config, LogLevel, Message, Server};
use provost_keeper::{LASTING, Link, LinkError, ToKeeper};

use crate::kept::{self, StateError};
use crate::logs::{MainLog, Notice};
use crate::wake::Post;

use papers::{KIND, Paper, Papers};
use watched::Watched;

/// Certificates are usually renewed a month before.
const SOON_DAYS: i64 = 14;

/// The certificates of all servers that have one.
#[derive(Debug)]
pub(crate) struct Certificates {
    all: Vec<Certificate>,
    /// What there was no log for yet.
    sayings: Vec<Message>,
}

#[derive(Debug)]
struct Certificate {
    files: Files,
    identity: Option<Identity>,
    papers: Option<Papers>,
}

impl Certificates {
    /// Reads the files, or takes what an earlier brain had. One that follows a dead brain goes on with what was in use; every
    /// other start reads anew. The error is a text for people.
    pub(crate) fn read(
        config: &Config,
        held: &mut Vec<(String, OwnedFd)>,
        resumes: bool,
        link: &mut Link,
    ) -> Result<Certificates, String> {
        let (mut all, mut sayings) = (Vec::new(), Vec::new());
        for server in &config.servers {
            let Some(files) = Files::of(server, config) else { continue };
            let earlier = kept::take(held, &files.held_as()).and_then(|fd| files.recall(fd, &mut sayings));
            let certificate = match earlier {
                Some(earlier) if resumes => earlier,
                earlier => {
                    let certificate = files.begin(earlier, resumes, &mut sayings)?;
                    certificate.keep(link).map_err(|e| e.to_string())?;
                    certificate
                }
            };
            all.push(certificate);
        }
        // Of servers that are no more.
        let (of_others, rest): (Vec<_>, Vec<_>) =
            std::mem::take(held).into_iter().partition(|(name, _)| is_ours(name));
        *held = rest;
        for (name, _) in of_others {
            link.send(ToKeeper::Release { name }).map_err(|e| e.to_string())?;
        }
        Ok(Certificates { all, sayings })
    }

    pub(crate) fn tell(&mut self, log: &mut MainLog) {
        for Message { level, text } in self.sayings.drain(..) {
            log.write(level, &text);
        }
    }

    /// What the door of a server is to have.
    pub(crate) fn of(&mut self, server: &Server, notices: &Post<Notice>) -> Option<Tls> {
        let at = self.all.iter().position(|certificate| certificate.files.section == server.section)?;
        let Certificate { files, identity, papers } = self.all.swap_remove(at);
        Some(Tls { identity, renew: Arc::new(Watched::new(files, papers, notices.clone())) })
    }
}

fn is_ours(name: &str) -> bool {
    name.strip_prefix(LASTING).is_some_and(|name| name.starts_with(KIND))
}

impl Certificate {
    fn keep(&self, link: &mut Link) -> Result<(), LinkError> {
        let Some(papers) = &self.papers else { return Ok(()) };
        let fd = papers.share().map_err(LinkError::Io)?;
        link.send(ToKeeper::Hold { name: self.files.held_as(), fd })
    }
}

/// Where a server has its identity from.
#[derive(Debug, Clone)]
struct Files {
    section: String,
    tls: provost_config::Tls,
    clients: ClientCertificate,
}

impl Files {
    fn of(server: &Server, config: &Config) -> Option<Files> {
        let asks = server.credentials.is_some() || !config.users.is_empty();
        Some(Files {
            section: server.section.clone(),
            tls: server.tls.clone()?,
            clients: if asks { ClientCertificate::Welcome } else { ClientCertificate::Required },
        })
    }

    fn held_as(&self) -> String {
        format!("{LASTING}{KIND}:{}", self.section)
    }

    /// Certificate, key, and perhaps authorities, with the names of their options.
    fn paths(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let tls = &self.tls;
        let both = [("certfile", tls.certfile.as_path()), ("keyfile", tls.keyfile.as_path())];
        both.into_iter().chain(tls.client_ca.as_deref().map(|path| ("client_ca", path)))
    }

    /// Of files that may have changed since an earlier daemon of ours has read them.
    fn begin(
        self,
        earlier: Option<Certificate>,
        resumes: bool,
        sayings: &mut Vec<Message>,
    ) -> Result<Certificate, String> {
        let mut say = |level, text| sayings.push(Message { level, text });
        match self.read() {
            Ok((identity, papers)) => {
                for text in self.advice(&identity) {
                    say(LogLevel::Warn, text);
                }
                Ok(Certificate { files: self, identity: Some(identity), papers: Some(papers) })
            }
            Err(why) => match earlier {
                Some(earlier) => {
                    let text = format!("{why}; the certificate that was in use before is used again");
                    say(LogLevel::Critical, text);
                    Ok(earlier)
                }
                None if resumes => {
                    let text = format!("{why}; [{}] answers nobody until that is mended", self.section);
                    say(LogLevel::Critical, text);
                    Ok(Certificate { files: self, identity: None, papers: None })
                }
                None => Err(why),
            },
        }
    }

    /// The files as they are now.
    fn read(&self) -> Result<(Identity, Papers), String> {
        let papers = self.paths().map(|(key, path)| {
            Paper::read(path).map_err(|e| format!("[{}] {key}: {}", self.section, unreadable(path, &e)))
        });
        let papers = Papers(papers.collect::<Result<_, _>>()?);
        let identity = self.identity(&papers)?;
        Ok((identity, papers))
    }

    fn identity(&self, papers: &Papers) -> Result<Identity, String> {
        Identity::new(&papers.pem(), self.clients).map_err(|bad| self.complaint(bad))
    }

    fn complaint(&self, bad: BadPem) -> String {
        let provost_config::Tls { certfile, keyfile, client_ca } = &self.tls;
        let (section, keyfile) = (&self.section, keyfile.display());
        let of =
            |key: &str, path: &Path, why: String| format!("[{section}] {key}: {}: {why}", path.display());
        match bad {
            BadPem::Certificate(why) => of("certfile", certfile, why),
            BadPem::Key(why) => of("keyfile", &self.tls.keyfile, why),
            BadPem::ClientCa(why) => of("client_ca", client_ca.as_deref().unwrap_or(Path::new("")), why),
            BadPem::Mismatch => {
                let certfile = certfile.display();
                format!(
                    "[{section}] keyfile: {keyfile}: it is not the key of the first certificate in {certfile}"
                )
            }
        }
    }

    /// What an earlier brain had, if it is of these very files and can be understood.
    fn recall(&self, fd: OwnedFd, sayings: &mut Vec<Message>) -> Option<Certificate> {
        let what = self.held_as();
        let papers = kept::read(fd, &what).and_then(|bytes| Papers::from_bytes(&what, &bytes));
        let papers = papers.and_then(|papers| {
            let same =
                papers.0.iter().map(|paper| paper.path.as_path()).eq(self.paths().map(|(_, path)| path));
            let identity = same.then(|| self.identity(&papers)).transpose();
            Ok((identity.map_err(|why| StateError::damaged(&what, why))?, papers))
        });
        match papers {
            Ok((Some(identity), papers)) => {
                Some(Certificate { files: self.clone(), identity: Some(identity), papers: Some(papers) })
            }
            // Others are configured now.
            Ok((None, _)) => None,
            Err(e) => {
                let text = format!("cannot go on with what was: {e}; the files are read instead");
                sayings.push(Message { level: LogLevel::Critical, text });
                None
            }
        }
    }

    /// What is worth a warning, though it works.
    fn advice(&self, identity: &Identity) -> Vec<String> {
        let provost_config::Tls { certfile, keyfile, .. } = &self.tls;
        let mut advice = Vec::new();
        let mode = std::fs::metadata(keyfile).map_or(0, |meta| meta.mode());
        if mode & 0o007 != 0 {
            let (section, path) = (&self.section, keyfile.display());
            advice.push(format!(
                "[{section}] keyfile: everybody on this machine may use {path}: chmod o= {path}"
            ));
        }
        if let Some(end) = identity.expires_within(SOON_DAYS) {
            let verb = if end.is_past { "has expired" } else { "expires" };
            let (section, path, date) = (&self.section, certfile.display(), end.date);
            advice.push(format!("[{section}] certfile: the certificate in {path} {verb} on {date}"));
        }
        advice
    }
}

/// For `--check`: what a start would refuse, or warn of.
pub(crate) fn check(config: &Config) -> Vec<String> {
    let files = config.servers.iter().filter_map(|server| Files::of(server, config));
    files
        .flat_map(|files| match files.read() {
            Ok((identity, _)) => files.advice(&identity),
            Err(why) => vec![why],
        })
        .collect()
}

fn unreadable(path: &Path, e: &io::Error) -> String {
    let hint = match e.kind() {
        io::ErrorKind::PermissionDenied => {
            "; what root alone may read is read when root starts supervisord, and later not"
        }
        _ => "",
    };
    format!("cannot read {}: {e}{hint}", path.display())
}
