//! The files that make servers speak HTTPS: read while we are still root, held for the next brain, looked at again.
//!
//! In: paths of the configuration, and what an earlier brain had. Out: an identity for each such server, and lines of the main log.
//!
//! A key is often readable by root alone, and `user=` makes us somebody else for ever: the keeper, too. So what was read
//! is kept in a memfd of the keeper's, which a death of the brain, an upgrade and a reload of the whole daemon leave alone.
//! While we run, files that have changed are read as whom we are by then; what cannot be read, or is no good, is told once,
//! and the identity in use stays. What a certificate is good for is the api's affair (`tls.rs` there).

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use provost_api::{BadPem, ClientCertificate, Identity, Pem, Renew, Tls};
use provost_config::{Config, LogLevel, Message, Server};
use provost_keeper::{LASTING, Link, LinkError, ToKeeper};
use rustix::fs::OFlags;

use crate::kept::{self, StateError};
use crate::logs::{MainLog, Notice};
use crate::wake::Post;

/// What the bytes are called that are kept, and the version of their layout.
const KIND: &str = "certificate";
const VERSION: u32 = 1;
/// A bundle of every authority there is has a quarter of this.
const LARGEST: u64 = 1 << 20;
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
        let seen = papers.as_ref().map(Papers::marks).unwrap_or_default();
        let known = Mutex::new(Known { papers, seen });
        Some(Tls { identity, renew: Arc::new(Watched { files, known, notices: notices.clone() }) })
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

/// The files of a server while it runs.
#[derive(Debug)]
struct Watched {
    files: Files,
    known: Mutex<Known>,
    notices: Post<Notice>,
}

#[derive(Debug)]
struct Known {
    /// What is in use.
    papers: Option<Papers>,
    /// How the files looked when they were read last; what came of it has been told.
    seen: Vec<Option<Mark>>,
}

impl Renew for Watched {
    fn look(&self) -> Option<Identity> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<_> =
            self.files.paths().map(|(_, path)| std::fs::metadata(path).ok().map(|m| Mark::of(&m))).collect();
        // A file that is not there, or that we may not look for, is no news.
        let is_news = |(at, mark): (usize, &Option<Mark>)| mark.is_some() && known.seen.get(at) != Some(mark);
        if !now.iter().enumerate().any(is_news) {
            return None;
        }
        known.seen = now;
        let (identity, papers) = match self.files.read() {
            Ok(read) => read,
            Err(why) => {
                self.say(LogLevel::Warn, format!("{why}; the certificate in use stays"));
                return None;
            }
        };
        if known.papers.as_ref().is_some_and(|old| old.pem() == papers.pem()) {
            return None;
        }
        let files = &self.files;
        self.say(
            LogLevel::Info,
            format!("[{}] uses the new certificate in {}", files.section, files.tls.certfile.display()),
        );
        for text in files.advice(&identity) {
            self.say(LogLevel::Warn, text);
        }
        match papers.share() {
            Ok(fd) => self.send(Notice::Keep { name: files.held_as(), fd }),
            Err(e) => self.say(LogLevel::Warn, format!("cannot keep it for a later brain: {e}")),
        }
        known.papers = Some(papers);
        Some(identity)
    }
}

impl Watched {
    fn say(&self, level: LogLevel, text: String) {
        self.send(Notice::Say { level, text });
    }

    fn send(&self, notice: Notice) {
        // Nobody hears it when the brain is about to end.
        let _ = self.notices.send(notice);
    }
}

/// The contents of the files of one server, in the order of [`Files::paths`].
#[derive(Debug)]
struct Papers(Vec<Paper>);

struct Paper {
    path: PathBuf,
    mark: Mark,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Paper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may be a key.
        f.debug_struct("Paper").field("path", &self.path).finish_non_exhaustive()
    }
}

/// By which a file is known to have changed: device, number, size, and when contents and attributes last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark([u64; 7]);

impl Mark {
    fn of(meta: &Metadata) -> Mark {
        let times =
            [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()].map(i64::cast_unsigned);
        let [written, written_ns, changed, changed_ns] = times;
        Mark([meta.dev(), meta.ino(), meta.size(), written, written_ns, changed, changed_ns])
    }
}

impl Paper {
    fn read(path: &Path) -> io::Result<Paper> {
        // Without the flag a pipe in its place would keep us here.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        if meta.len() > LARGEST {
            return Err(io::Error::other("it is too large to be one"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(Paper { path: path.to_owned(), mark: Mark::of(&meta), bytes })
    }
}

impl Papers {
    fn pem(&self) -> Pem {
        let mut parts = self.0.iter().map(|paper| paper.bytes.clone());
        let mut next = || parts.next();
        Pem { certificate: next().unwrap_or_default(), key: next().unwrap_or_default(), client_ca: next() }
    }

    fn marks(&self) -> Vec<Option<Mark>> {
        self.0.iter().map(|paper| Some(paper.mark)).collect()
    }

    fn share(&self) -> io::Result<OwnedFd> {
        kept::write(KIND, &self.to_bytes())
    }

    /// How many there are; of each the path and the contents, both behind their lengths, and between them the mark.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = kept::header(KIND, VERSION);
        let number = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
        number(&mut bytes, self.0.len() as u64);
        for paper in &self.0 {
            let path = paper.path.as_os_str().as_bytes();
            number(&mut bytes, path.len() as u64);
            bytes.extend(path);
            for part in paper.mark.0 {
                number(&mut bytes, part);
            }
            number(&mut bytes, paper.bytes.len() as u64);
            bytes.extend(&paper.bytes);
        }
        bytes
    }

    fn from_bytes(what: &str, bytes: &[u8]) -> Result<Papers, StateError> {
        let damaged = || StateError::damaged(what, "it is no such record");
        let (version, mut rest) = kept::split_header(KIND, bytes).ok_or_else(damaged)?;
        StateError::unless_understood(what, version, &(1..=VERSION))?;
        Papers::parse(&mut rest).ok_or_else(damaged)
    }

    fn parse(rest: &mut &[u8]) -> Option<Papers> {
        let count = number(rest)?;
        let paper = |_| {
            let path = PathBuf::from(std::ffi::OsString::from_vec(part(rest)?));
            let mut mark = [0; 7];
            for part in &mut mark {
                *part = number(rest)?;
            }
            Some(Paper { path, mark: Mark(mark), bytes: part(rest)? })
        };
        (0..count.min(3)).map(paper).collect::<Option<_>>().map(Papers)
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (number, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(u64::from_le_bytes(*number))
}

/// Bytes behind their length.
fn part(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (part, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(part.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_read() {
        let paper = |path: &str, bytes: &[u8]| Paper {
            path: path.into(),
            mark: Mark([1, 2, 3, 4, 5, 6, u64::MAX]),
            bytes: bytes.to_vec(),
        };
        let papers = Papers(vec![paper("/a", b"cert"), paper("/b", b""), paper("/c", b"ca")]);
        let bytes = papers.to_bytes();
        let again = Papers::from_bytes("x", &[bytes.clone(), b"more".to_vec()].concat()).unwrap();
        assert_eq!((again.pem(), again.marks()), (papers.pem(), papers.marks()));
        assert_eq!(again.0[2].path, Path::new("/c"));
        for cut in 0..bytes.len() {
            assert!(Papers::from_bytes("x", &bytes[..cut]).is_err(), "{cut}");
        }
        let newer = [&kept::header(KIND, 2), &bytes[kept::header(KIND, 1).len()..]].concat();
        let told = Papers::from_bytes("it", &newer).unwrap_err().to_string();
        assert_eq!(told, "it has version 2, and this build understands 1 to 1");
    }

    #[test]
    fn a_key_is_not_printed() {
        let paper = Paper { path: "/k".into(), mark: Mark([0; 7]), bytes: b"secret".to_vec() };
        assert_eq!(format!("{:?}", Papers(vec![paper])), "Papers([Paper { path: \"/k\", .. }])");
    }
}
