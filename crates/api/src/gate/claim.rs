//! Whom an `Authorization` header claims to come from.
//!
//! In: the header's value, as whoever likes may send it. Out: a name with a password, or a token; or why it is neither. Whether that
//! is right is not asked here, but in `users.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What somebody says to be, and what is to prove it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Password { user: Vec<u8>, password: Vec<u8> },
    Token(Vec<u8>),
}

/// Why a header claims nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Another scheme than ours, or nobody's name.
    Nobody,
    /// `Basic`, and then what is no Base64.
    Malformed,
}

pub(crate) fn claim(header: &[u8]) -> Result<Claim, Unread> {
    let header = std::str::from_utf8(header).map_err(|_| Unread::Nobody)?;
    let (scheme, rest) = header.split_once(' ').ok_or(Unread::Nobody)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Claim::Token(rest.trim().as_bytes().to_vec()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Unread::Nobody);
    }
    let mut user = STANDARD.decode(rest.trim()).map_err(|_| Unread::Malformed)?;
    let colon = user.iter().position(|b| *b == b':').ok_or(Unread::Nobody)?;
    let password = user.split_off(colon + 1);
    user.truncate(colon);
    Ok(Claim::Password { user, password })
}
