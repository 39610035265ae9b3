//! The client's side of HTTPS, over a blocking socket that Ctrl-C can interrupt.
//!
//! In: the files that `[supervisorctl]` names, a connected socket, the name of the host. Out: bytes in clear, and in
//! words what is wrong with a certificate. Nothing of it happens before the first `https://` is spoken to. Without
//! `cafile` those are trusted whom the system trusts: an administrator who has an authority of his own
//! has told the system of it, and could not tell a list that is built in.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use provost_config::CtlTls;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, RootCertStore};

use crate::interrupt::{Interrupt, Woken};

/// Whom to trust and what to show, read when it is first needed.
#[derive(Debug)]
pub(crate) struct Trust {
    files: CtlTls,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Trust {
    pub(crate) fn new(files: CtlTls) -> Trust {
        Trust { files, config: OnceCell::new() }
    }

    pub(super) fn files(&self) -> &CtlTls {
        &self.files
    }

    /// The error is a text for people.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.read()?);
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }

    fn read(&self) -> Result<ClientConfig, String> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots(self.files.cafile.as_deref())?);
        let mut config = match (&self.files.certfile, &self.files.keyfile) {
            (Some(certfile), Some(keyfile)) => {
                let chain = certificates("certfile", certfile)?;
                let of_key = |why: String| format!("keyfile {}: {why}", keyfile.display());
                let text = read(keyfile).map_err(of_key)?;
                let key = PrivateKeyDer::from_pem_slice(&text).map_err(|e| of_key(told(e)))?;
                builder.with_client_auth_cert(chain, key).map_err(|e| match e {
                    Error::InconsistentKeys(_) => of_key(format!(
                        "it is not the key of the first certificate in {}",
                        certfile.display()
                    )),
                    e => of_key(e.to_string()),
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn roots(cafile: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match cafile {
        Some(path) => {
            for certificate in certificates("cafile", path)? {
                let added = roots.add(certificate);
                added.map_err(|e| format!("cafile {}: {e}", path.display()))?;
            }
        }
        None => {
            // Of a hundred and more a few may be such that we do not understand them.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path).map_err(|why| format!("{key} {}: {why}", path.display()))?;
    match CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() {
        Ok(found) if found.is_empty() => {
            Err(format!("{key} {}: there is no certificate in it (BEGIN CERTIFICATE)", path.display()))
        }
        Ok(found) => Ok(found),
        Err(e) => Err(format!("{key} {}: {}", path.display(), told(e))),
    }
}

/// All certificates that a system knows are a hundredth of this.
const LARGEST: u64 = 16 << 20;

/// What is named may be without end.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text));
    match read.map_err(|e| e.to_string())? as u64 {
        ..=LARGEST => Ok(text),
        _ => Err("it is longer than any certificate".to_owned()),
    }
}

fn told(e: rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error::{Io, NoItemsFound};
    match e {
        Io(e) => e.to_string(),
        NoItemsFound => "there is no private key in it that is not encrypted (BEGIN PRIVATE KEY)".to_owned(),
        e => format!("it is damaged: {e}"),
    }
}

/// A connection with its encryption.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    stream: TcpStream,
    session: ClientConnection,
    host: String,
}

impl TlsSocket {
    pub(super) fn connect(
        stream: TcpStream,
        host: &str,
        trust: Arc<ClientConfig>,
        interrupt: &Interrupt,
    ) -> io::Result<TlsSocket> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let session = ClientConnection::new(trust, name).map_err(io::Error::other)?;
        let mut socket = TlsSocket { stream, session, host: host.to_owned() };
        while socket.session.is_handshaking() {
            socket.send()?;
            if socket.session.is_handshaking() && socket.session.wants_read() {
                if interrupt.wait(&[socket.stream.as_fd()])? == Woken::Interrupted {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                if socket.take()? == 0 {
                    let text = "the connection was closed in the middle of the TLS handshake; is it a server of http://?";
                    return Err(io::Error::other(text));
                }
            }
        }
        socket.send()?;
        Ok(socket)
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.session.writer().write(bytes)?;
            bytes = &bytes[taken..];
            if let Err(broken) = self.send() {
                // A server that has hung up has perhaps said why.
                return Err(self.take().err().filter(|e| e.kind() == io::ErrorKind::Other).unwrap_or(broken));
            }
        }
        Ok(())
    }

    /// Reads from the socket once, and gives all that could be decrypted, which may be nothing; whether more may come.
    pub(super) fn read_into(&mut self, clear: &mut Vec<u8>) -> io::Result<bool> {
        let more = self.take()? > 0;
        // An answer to what was read, such as new keys.
        self.send()?;
        match io::Read::read_to_end(&mut self.session.reader(), clear) {
            // The other side has said that it is done.
            Ok(_) => Ok(false),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(more),
            // It was cut off; where the end of an answer is, the answer itself tells.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// One read, and what it means; how many bytes it was.
    fn take(&mut self) -> io::Result<usize> {
        let count = self.session.read_tls(&mut self.stream)?;
        if let Err(error) = self.session.process_new_packets() {
            // The server is told why, if it still listens.
            let _ = self.session.write_tls(&mut self.stream);
            return Err(io::Error::other(in_words(&error, &self.host)));
        }
        Ok(count)
    }
}

/// What is wrong, and what to do.
fn in_words(error: &Error, host: &str) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate_in_words(error, host),
        Error::InvalidMessage(_) => "the server there speaks no TLS; is it one of http://?".to_owned(),
        Error::AlertReceived(alert) => alert_in_words(*alert),
        other => format!("the TLS handshake failed: {other}"),
    }
}

fn certificate_in_words(error: &CertificateError, host: &str) -> String {
    match error {
        CertificateError::Expired => "the server's certificate has expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            let days = time.as_secs().saturating_sub(not_after.as_secs()) / 86_400;
            let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
            format!("the server's certificate has expired {days} ago")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; is the clock of this machine right?".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "nobody whom we trust has signed the server's certificate; name the certificate of whoever has, or the \
             server's own, with cafile= in [supervisorctl]"
                .to_owned()
        }
        CertificateError::NotValidForName => format!("the server's certificate is not for {host}"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            format!("the server's certificate is not for {host}, but for {}", names.join(", "))
        }
        CertificateError::Revoked => "the server's certificate has been revoked".to_owned(),
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

/// `DnsName("h")` and `IpAddress(1.2.3.4)` are what rustls says.
fn bare(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}

fn alert_in_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server wants to see a certificate: certfile= and keyfile= in [supervisorctl]".to_owned()
        }
        AlertDescription::CertificateExpired => "our certificate has expired, says the server".to_owned(),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown => {
            format!(
                "the server does not accept our certificate ({alert:?}); is it signed by one in its client_ca?"
            )
        }
        other => format!("the server refuses the TLS handshake ({other:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_without_their_kind() {
        assert_eq!(bare("DnsName(\"localhost\")"), "localhost");
        assert_eq!(bare("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(bare("else"), "else");
    }

    #[test]
    fn missing_and_empty_files_are_named() {
        let files = CtlTls { cafile: Some("/nonexistent/ca.pem".into()), ..CtlTls::default() };
        let told = Trust::new(files).config().unwrap_err();
        assert!(told.starts_with("cafile /nonexistent/ca.pem: No such file"), "{told}");
        let files = CtlTls { cafile: Some("/dev/null".into()), ..CtlTls::default() };
        let told = Trust::new(files).config().unwrap_err();
        assert_eq!(told, "cafile /dev/null: there is no certificate in it (BEGIN CERTIFICATE)");
        let files = CtlTls { cafile: Some("/dev/zero".into()), ..CtlTls::default() };
        let told = Trust::new(files).config().unwrap_err();
        assert_eq!(told, "cafile /dev/zero: it is longer than any certificate");
    }
}
