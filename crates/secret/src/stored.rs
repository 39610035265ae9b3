//! What stands in a file, and whether what a client gave is the same secret.
//!
//! Five kinds are told apart by how they begin: argon2id, bcrypt (`$2a$`, `$2b$`, `$2y$`), `{SHA}` with 40 hex digits as Supervisor writes it
//! or with base64 as Apache does, `{SHA256}` with 64 hex digits, and clear text, which is everything else. `{SHA256}` is for
//! tokens: those are 256 random bits ([`crate::new_token`]), which no hash however slow could protect better. For what a person
//! has thought up a quick hash protects little.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Unfit;
use crate::argon::{self, Argon2id};

/// A password or a token as it is written down.
#[derive(Clone)]
pub struct Stored {
    kind: Kind,
    /// Of the text as it was written: this entry and no other.
    digest: [u8; 32],
}

#[derive(Clone)]
enum Kind {
    /// Compared by digest, so that neither the length nor the letters make a difference in time.
    Clear,
    Sha1([u8; 20]),
    Sha256([u8; 32]),
    Bcrypt(Box<str>),
    Argon2id(Box<Argon2id>),
}

/// 2^14 rounds take more than a second of one processor.
const MOST_BCRYPT: u64 = 14;
/// The least that the method knows.
const LEAST_BCRYPT: u64 = 4;
const BCRYPT_SHAPE: &str = "$2b$, two digits, $ and 53 characters";

/// Hashes that other programs know. To take one for clear text would make the hash itself the password.
const FOREIGN: [(&str, &str); 9] = [
    ("$argon2i$", "argon2i"),
    ("$argon2d$", "argon2d"),
    ("$apr1$", "apr1 (Apache's MD5)"),
    ("$1$", "MD5"),
    ("$5$", "SHA-256 crypt"),
    ("$6$", "SHA-512 crypt"),
    ("$y$", "yescrypt"),
    ("$7$", "scrypt"),
    ("$2x$", "bcrypt with the fault of 2011"),
];

impl Stored {
    /// Understands the text, or says what is wrong with it. Runs nothing slow.
    pub fn parse(text: &str) -> Result<Stored, Unfit> {
        let kind = if text.starts_with(argon::PREFIX) {
            Kind::Argon2id(Box::new(Argon2id::parse(text)?))
        } else if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            Kind::Bcrypt(bcrypt_text(text)?.into())
        } else if let Some(rest) = text.strip_prefix("{SHA}") {
            let shape = "40 hex digits, or the base64 of 20 bytes";
            let digest = unhex(rest).or_else(|| STANDARD.decode(rest).ok()?.try_into().ok());
            Kind::Sha1(digest.ok_or(Unfit::Malformed { kind: "{SHA}", shape })?)
        } else if let Some(rest) = text.strip_prefix("{SHA256}") {
            Kind::Sha256(unhex(rest).ok_or(Unfit::Malformed { kind: "{SHA256}", shape: "64 hex digits" })?)
        } else if let Some((_, kind)) = FOREIGN.iter().find(|(prefix, _)| text.starts_with(prefix)) {
            return Err(Unfit::Foreign { kind });
        } else {
            Kind::Clear
        };
        Ok(Stored { kind, digest: Sha256::digest(text).into() })
    }

    /// Whether `given` is the secret. How long this takes depends on the kind and the length of what was given only.
    pub fn verify(&self, given: &[u8]) -> bool {
        match &self.kind {
            Kind::Clear => same(&Sha256::digest(given), &self.digest),
            Kind::Sha1(digest) => same(&Sha1::digest(given), digest),
            Kind::Sha256(digest) => same(&Sha256::digest(given), digest),
            // Its shape has been looked at, so an error is not to be expected, and no proof anyway.
            Kind::Bcrypt(text) => bcrypt::verify(given, text).unwrap_or(false),
            Kind::Argon2id(stored) => stored.verify(given),
        }
    }

    /// Whether verifying takes microseconds. If not, it takes tens of milliseconds, up to a second, and megabytes.
    pub fn is_quick(&self) -> bool {
        match self.kind {
            Kind::Clear | Kind::Sha1(_) | Kind::Sha256(_) => true,
            Kind::Bcrypt(_) | Kind::Argon2id(_) => false,
        }
    }

    /// Whether whoever reads the file knows the secret.
    pub fn is_clear(&self) -> bool {
        matches!(self.kind, Kind::Clear)
    }

    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Clear => "clear text",
            Kind::Sha1(_) => "{SHA}",
            Kind::Sha256(_) => "{SHA256}",
            Kind::Bcrypt(_) => "bcrypt",
            Kind::Argon2id(_) => "argon2id",
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({})", self.kind_name())
    }
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// `$2b$10$`, 22 characters of salt and 31 of hash.
fn bcrypt_text(text: &str) -> Result<&str, Unfit> {
    let malformed = Unfit::Malformed { kind: "bcrypt", shape: BCRYPT_SHAPE };
    let bytes = text.as_bytes();
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"./".contains(byte);
    if bytes.len() != 60 || bytes[6] != b'$' || !bytes[7..].iter().all(letter) {
        return Err(malformed);
    }
    let digits = &bytes[4..6];
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed);
    }
    let asked = u64::from(digits[0] - b'0') * 10 + u64::from(digits[1] - b'0');
    let what = "as cost (rounds as a power of two)";
    match asked {
        ..LEAST_BCRYPT => Err(Unfit::Cheap { what, asked, least: LEAST_BCRYPT }),
        LEAST_BCRYPT..=MOST_BCRYPT => Ok(text),
        _ => Err(Unfit::Costly { what, asked, most: MOST_BCRYPT }),
    }
}

/// Exactly so many bytes in hex, in either case.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Stored {
        Stored::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    /// By hashlib, `htpasswd -nbs`, `htpasswd -nbB`, and crypt(3) of libxcrypt.
    const CORRECT_HORSE: [(&str, &str); 8] = [
        ("{SHA}", "{SHA}2f9e53523b62abc141a2b4d6019d23cba835dbd0"),
        ("{SHA}", "{SHA}2F9E53523B62ABC141A2B4D6019D23CBA835DBD0"),
        ("{SHA}", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="),
        ("{SHA256}", "{SHA256}4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631"),
        ("bcrypt", "$2y$05$za7kBI74azfDcnIUsWBVROzAkenQFYg79Z5.xC2vmwa2qB1Jz9Ys2"),
        ("bcrypt", "$2b$04$KlEJfrBI2CzRbojInHebCOxB4DMtv/3Su/PQSicI9hX.NdQ1Ks5P6"),
        ("bcrypt", "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
        ("clear text", "correct horse"),
    ];

    #[test]
    fn what_real_tools_write_is_verified() {
        for (kind, text) in CORRECT_HORSE {
            let stored = stored(text);
            assert_eq!(stored.kind_name(), kind, "{text}");
            assert_eq!((stored.is_quick(), stored.is_clear()), (kind != "bcrypt", kind == "clear text"));
            assert!(stored.verify(b"correct horse"), "{text}");
            for wrong in ["", "correct hors", "correct horsf", "correct horse ", "Correct horse", text] {
                assert!(wrong == "correct horse" || !stored.verify(wrong.as_bytes()), "{wrong} for {text}");
            }
        }
    }

    #[test]
    fn bcrypt_sees_72_bytes_and_any_letters() {
        let long = stored("$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i");
        assert!(long.verify(&[b'x'; 72]) && long.verify(&[b'x'; 100]) && !long.verify(&[b'x'; 71]));
        let letters = stored("$2b$04$abcdefghijklmnopqrstuuewOWItqTMcEmQ8ZX3Wy.oiSg9zExi06");
        assert!(letters.verify("pässword-λ".as_bytes()) && !letters.verify(b"password-l"));
        assert!(stored("$2y$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq").verify(b""));
    }

    #[test]
    fn whatever_begins_like_nothing_known_is_clear_text() {
        for text in ["", "secret", "$ecret", "$2", "{sha}x", "{SSHA}abc", "$", "pass$6$word", "päss"] {
            assert!(stored(text).is_clear() && stored(text).verify(text.as_bytes()), "{text}");
        }
        assert!(!stored("").verify(b"x"));
    }

    #[test]
    fn what_cannot_be_verified_is_refused_with_the_reason() {
        let refusal = |text: &str| match Stored::parse(text) {
            Ok(stored) => panic!("{text} is taken as {stored:?}"),
            Err(unfit) => unfit.to_string(),
        };
        for text in [
            "{SHA}",
            "{SHA}2f9e",
            "{SHA}2f9e53523b62abc141a2b4d6019d23cba835dbdg",
            "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A",
            "{SHA256}2f9e53523b62abc141a2b4d6019d23cba835dbd0",
            "$2b$",
            "$2b$xx$abcdefghijklmnopqrstuuewOWItqTMcEmQ8ZX3Wy.oiSg9zExi06",
            "$2b$04$abcdefghijklmnopqrstuuewOWItqTMcEmQ8ZX3Wy.oiSg9zExi0",
            "$2b$04$abcdefghijklmnopqrstuuewOWItqTMcEmQ8ZX3Wy.oiSg9zExi0é",
            "$argon2id$",
        ] {
            assert!(refusal(text).starts_with("begins like a hash of the kind "), "{text}");
        }
        let costly = refusal("$2b$31$abcdefghijklmnopqrstuuewOWItqTMcEmQ8ZX3Wy.oiSg9zExi06");
        assert!(costly.starts_with("the hash asks for 31 as cost "), "{costly}");
        assert!(costly.contains(" and 14 is the most "), "{costly}");
        assert!(
            refusal("$2b$03$abcdefghijklmnopqrstuuewOWItqTMcEmQ8ZX3Wy.oiSg9zExi06")
                .contains(" 4 is the least ")
        );
        // `argon2 -i`, `htpasswd -m` and `htpasswd -5`.
        assert!(
            refusal("$argon2i$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0$Z3or2D").contains(" argon2i are not read")
        );
        assert!(refusal("$apr1$VUoB9Yw/$WOB/n5TCQnPG2Cov.8Mu/0").contains("(Apache's MD5)"));
        assert!(refusal("$6$rPTHs9xpiyebQF6H$3JHwNgrOyiW2fHIhYitRq").contains(" SHA-512 crypt are not read"));
    }

    #[test]
    fn nothing_prints_a_secret() {
        for (_, text) in CORRECT_HORSE {
            let shown = format!("{:?}", stored(text));
            assert!(shown.len() < 24 && !shown.contains("correct") && !shown.contains("2f9e"), "{shown}");
        }
        let refused = format!("{:?}", Stored::parse("{SHA}secret").unwrap_err());
        assert!(!refused.contains("secret"), "{refused}");
    }
}
