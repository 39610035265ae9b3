//! HTTPS: from the bytes of a certificate and its key to connections that are encrypted.
//!
//! In: what is in the PEM files ([`Pem`]; who reads them, and when they are looked at again, is [`Renew`]'s affair), and
//! connections just accepted. Out: a stream, whether HTTP/2 was agreed upon, and the name in the client's certificate.
//!
//! A handshake has a time-out. Nobody waits for the end of another's: who is silent in the middle of one is a connection
//! that makes us wait, and gives way like all of these when the door is full (`serve/callers.rs`). Its arithmetic takes the better part of a millisecond, and
//! this thread serves plain doors too: so one handshake does it in one turn of the runtime, and the others wait for the
//! next. Nothing of all this exists in a daemon that has no certificate.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{Acceptor, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificate;

/// How long a client may take from connecting to the end of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The files are looked at this often at most, and only when somebody connects.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a newcomer waits for that look. A disk that hangs keeps nobody out.
const LOOK: Duration = Duration::from_secs(1);
/// What is left unread of a plain request is not waited for longer.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// What browsers, and clients that know both, choose from.
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// The contents of the files.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    /// The certificate first, then those that lead to the root.
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
    /// Who signs certificates of clients.
    pub client_ca: Option<Vec<u8>>,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A key must never reach a log by way of `{:?}`.
        f.debug_struct("Pem").field("client_ca", &self.client_ca.is_some()).finish_non_exhaustive()
    }
}

/// Of clients, where there is a `client_ca`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Who shows none must say otherwise who he is.
    Welcome,
    /// Who shows none is not let in: nothing else tells clients apart.
    Required,
}

/// What the server shows to clients, found to be good.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    end: Option<Timestamp>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("end", &self.end).finish_non_exhaustive()
    }
}

impl Identity {
    pub fn new(pem: &Pem, clients: ClientCertificate) -> Result<Identity, BadPem> {
        let chain = certificates(&pem.certificate).map_err(BadPem::Certificate)?;
        let end = chain.first().and_then(|certificate| certificate::end(certificate));
        let key = private_key(&pem.key).map_err(BadPem::Key)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| BadPem::Certificate(e.to_string()))?;
        let builder = match &pem.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem).map_err(BadPem::ClientCa)? {
                    roots.add(certificate).map_err(|e| BadPem::ClientCa(e.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = match clients {
                    ClientCertificate::Welcome => verifier.allow_unauthenticated(),
                    ClientCertificate::Required => verifier,
                };
                builder
                    .with_client_cert_verifier(verifier.build().map_err(|e| BadPem::ClientCa(e.to_string()))?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => BadPem::Mismatch,
            rustls::Error::InvalidCertificate(e) => BadPem::Certificate(format!("it cannot be used ({e})")),
            other => BadPem::Key(format!("it cannot be used ({other})")),
        })?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        if pem.client_ca.is_some() {
            // A session that is taken up again would bring a certificate with it that has expired meanwhile.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Identity { config: Arc::new(config), end })
    }

    /// When the certificate expires, as a date, if that is sooner than so many days from now.
    pub fn expires_within(&self, days: i64) -> Option<Expiry> {
        let end = self.end?;
        let left = end.duration_since(Timestamp::now()).as_hours();
        (left < days * 24).then(|| Expiry { date: end.strftime("%Y-%m-%d").to_string(), is_past: left < 0 })
    }
}

/// The end of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    pub date: String,
    pub is_past: bool,
}

/// Which of the files is of no use, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadPem {
    Certificate(String),
    Key(String),
    ClientCa(String),
    /// Each is good, but they do not belong together.
    Mismatch,
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it (BEGIN CERTIFICATE)".to_owned()),
        Ok(found) => Ok(found),
        Err(e) => Err(format!("it is damaged: {e}")),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let holds = |text: &[u8]| pem.windows(text.len()).any(|window| window == text);
    if holds(b"BEGIN ENCRYPTED PRIVATE KEY") || holds(b"Proc-Type: 4,ENCRYPTED") {
        let text = "it is encrypted, and nobody is there to type the passphrase; make one without: openssl pkey \
                    -in FILE -out NEW";
        return Err(text.to_owned());
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|e| match e {
        PemError::NoItemsFound => "there is no private key in it (BEGIN PRIVATE KEY)".to_owned(),
        other => format!("it is damaged: {other}"),
    })
}

/// Looks whether the files have changed.
pub trait Renew: std::fmt::Debug + Send + Sync + 'static {
    /// The new identity, if there is one that is good. May block; tells by itself what there is to tell.
    fn look(&self) -> Option<Identity>;
}

/// What makes a door speak HTTPS.
#[derive(Debug)]
pub struct Tls {
    /// Nothing where there is none at present; every connection is closed until a look finds one.
    pub identity: Option<Identity>,
    pub renew: Arc<dyn Renew>,
}

/// A door's side of all handshakes.
pub(crate) struct TlsDoor {
    identity: Mutex<Option<Identity>>,
    renew: Arc<dyn Renew>,
    looked: Mutex<Instant>,
    turn: Semaphore,
}

/// A connection that is encrypted.
pub(crate) struct Secured {
    pub(crate) stream: TlsStream<TcpStream>,
    /// The name in the certificate that the client has shown.
    pub(crate) certificate: Option<String>,
    pub(crate) http_2: bool,
}

impl TlsDoor {
    pub(crate) fn new(tls: Tls) -> TlsDoor {
        TlsDoor {
            identity: Mutex::new(tls.identity),
            renew: tls.renew,
            looked: Mutex::new(Instant::now()),
            turn: Semaphore::new(1),
        }
    }

    /// Nothing where the client, or time, did not permit it; then there is nobody left to tell.
    pub(crate) async fn secure(self: &Arc<Self>, stream: TcpStream) -> Option<Secured> {
        tokio::time::timeout(HANDSHAKE, self.shake_hands(stream)).await.ok()?
    }

    async fn shake_hands(self: &Arc<Self>, stream: TcpStream) -> Option<Secured> {
        let mut first = [0];
        if stream.peek(&mut first).await.ok()? == 1 && first[0].is_ascii_uppercase() {
            refuse_plain_http(stream).await;
            return None;
        }
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
        let identity = self.current().await?;
        let turn = self.turn.acquire().await.ok()?;
        // The arithmetic is in this call.
        let rest = hello.into_stream(identity.config);
        tokio::task::yield_now().await;
        drop(turn);
        let stream = rest.await.ok()?;
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().and_then(|chain| certificate::owner(chain.first()?));
        let http_2 = session.alpn_protocol() == Some(HTTP_2);
        Some(Secured { stream, certificate, http_2 })
    }

    /// What to show to a newcomer, after a look at the files if the last one was long ago.
    async fn current(self: &Arc<Self>) -> Option<Identity> {
        let now = Instant::now();
        let is_due = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = now.duration_since(*looked) >= LOOK_AGAIN;
            if is_due {
                *looked = now;
            }
            is_due
        };
        if is_due {
            let door = Arc::clone(self);
            let look = tokio::task::spawn_blocking(move || {
                if let Some(new) = door.renew.look() {
                    *door.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(new);
                }
            });
            let _ = tokio::time::timeout(LOOK, look).await;
        }
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Says in the only language that the client understands that it should speak another.
async fn refuse_plain_http(mut stream: TcpStream) {
    // Clients that show nothing else mostly show the words behind the number.
    let text = "this port speaks HTTPS: say https:// in place of http://\n";
    let answer = format!(
        "HTTP/1.1 400 This port speaks HTTPS\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    if stream.write_all(answer.as_bytes()).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    // What is left unread would make the kernel reset the connection, and take the answer back with it.
    let mut rest = stream.take(64 * 1024);
    let _ = tokio::time::timeout(LAST_BYTES, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
