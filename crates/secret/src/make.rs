//! New hashes and tokens, with random bytes from the kernel.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::argon::Argon2id;

/// So that a token which has got into a repository can be found there.
const TOKEN_PREFIX: &str = "provost_";

/// The text that is to stand for this password in a file. Takes some tens of milliseconds and 7 MiB.
pub fn hash(password: &str) -> io::Result<String> {
    Ok(Argon2id::new(random()?, password.as_bytes()).text())
}

/// A token for a machine, and the text that is to stand for it in a file.
pub fn new_token() -> io::Result<(String, String)> {
    let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<32>()?));
    let stored = Sha256::digest(&token).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok((token, format!("{{SHA256}}{stored}")))
}

/// Bytes that nobody can guess. An error: the kernel gives none.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| io::Error::other(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stored;

    #[test]
    fn a_new_hash_is_right_for_its_password_and_never_the_same() {
        let (one, other) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{one}");
        assert_ne!(one, other);
        let stored = Stored::parse(&one).unwrap();
        assert!(stored.verify(b"correct horse") && !stored.verify(b"correct horsf"));
        assert!(!stored.is_quick());
        // Nothing that an INI file, or `%` in it, would take for something else.
        assert!(!one.contains(['%', ';', '#', ' ', '\'', '"']), "{one}");
    }

    #[test]
    fn a_token_is_random_and_fits_its_line() {
        let (token, stored) = new_token().unwrap();
        assert_eq!(token.len(), TOKEN_PREFIX.len() + 43);
        assert_ne!(token, new_token().unwrap().0);
        let stored = Stored::parse(&stored).unwrap();
        assert!(stored.is_quick() && !stored.is_clear());
        assert!(stored.verify(token.as_bytes()) && !stored.verify(TOKEN_PREFIX.as_bytes()));
    }
}
