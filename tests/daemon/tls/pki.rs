//! Certificates of every kind, made for one test: good, expired, for other names, of other authorities.
//!
//! In: names and days. Out: PEM. Not here: what becomes of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Signs.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What the files will hold.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Authority { issuer }
    }

    pub(super) fn pem(&self) -> String {
        pem("CERTIFICATE", self.issuer.der())
    }

    /// For localhost, good for a month.
    pub(super) fn server(&self) -> Pair {
        self.signs("server", &["localhost", "127.0.0.1"], 30)
    }

    /// `days` from now it is at its end.
    pub(super) fn signs(&self, name: &str, hosts: &[&str], days: i64) -> Pair {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name = named(name);
        params.use_authority_key_identifier_extension = true;
        let day = Duration::from_secs(86_400);
        let now = date_time_ymd(1970, 1, 1) + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        params.not_before = now - 90 * day;
        let span = day * u32::try_from(days.abs()).unwrap();
        params.not_after = if days < 0 { now - span } else { now + span };
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            certificate: pem("CERTIFICATE", certificate.der()),
            key: pem("PRIVATE KEY", &key.serialize_der()),
        }
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
