//! The gate: who is asking, and whether they may.
//!
//! Today a door has either no credentials or one pair, which may do everything. Every command passes
//! [`Caller::may`] all the same, so that rights per user have one place to be checked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provost_core::Permission;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// The one user of a door, as configured.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    /// Clear text, or `{SHA}` and the hex SHA-1 of the password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Came through a door without credentials, or gave the right ones.
    Admin,
}

impl Caller {
    pub(crate) fn may(self, permission: Permission) -> bool {
        match (self, permission) {
            (
                Caller::Admin,
                Permission::Status
                | Permission::Start
                | Permission::Stop
                | Permission::Signal
                | Permission::Logs
                | Permission::Config
                | Permission::Shutdown,
            ) => true,
        }
    }
}

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 401: no credentials, or wrong ones.
    Unauthorized,
    /// 400: an `Authorization` header that is not even one.
    Malformed,
}

/// Checks an `Authorization` header against a door's credentials (SPEC 6.1).
pub(crate) fn admit(wanted: Option<&Credentials>, header: Option<&[u8]>) -> Result<Caller, Refusal> {
    let Some(wanted) = wanted else { return Ok(Caller::Admin) };
    let header = header.and_then(|h| std::str::from_utf8(h).ok()).ok_or(Refusal::Unauthorized)?;
    let (scheme, encoded) = header.split_once(' ').ok_or(Refusal::Unauthorized)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Refusal::Unauthorized);
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| Refusal::Malformed)?;
    let colon = decoded.iter().position(|b| *b == b':').ok_or(Refusal::Unauthorized)?;
    let (username, password) = (&decoded[..colon], &decoded[colon + 1..]);
    // Both comparisons are always made, so the time does not tell which one failed.
    let right_user = username.ct_eq(wanted.username.as_bytes());
    let right_password = match wanted.password.strip_prefix("{SHA}") {
        Some(hex) => hex_sha1(password).as_bytes().ct_eq(hex.as_bytes()),
        None => password.ct_eq(wanted.password.as_bytes()),
    };
    if bool::from(right_user & right_password) { Ok(Caller::Admin) } else { Err(Refusal::Unauthorized) }
}

fn hex_sha1(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(password: &str) -> Credentials {
        Credentials { username: "admin".into(), password: password.into() }
    }

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(text)).into_bytes()
    }

    #[test]
    fn a_door_without_credentials_lets_everybody_in() {
        assert_eq!(admit(None, None), Ok(Caller::Admin));
    }

    #[test]
    fn clear_and_hashed_passwords_are_compared() {
        // The SHA-1 of "secret", as Supervisor's users write it.
        let hashed = door("{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4");
        for door in [door("secret"), hashed] {
            assert_eq!(admit(Some(&door), Some(&header("admin:secret"))), Ok(Caller::Admin));
            for wrong in ["admin:Secret", "admin:", "root:secret", "admin", ""] {
                assert_eq!(admit(Some(&door), Some(&header(wrong))), Err(Refusal::Unauthorized), "{wrong}");
            }
        }
    }

    #[test]
    fn a_password_may_hold_a_colon() {
        assert_eq!(admit(Some(&door("a:b")), Some(&header("admin:a:b"))), Ok(Caller::Admin));
    }

    #[test]
    fn other_schemes_and_nonsense_are_refused() {
        let door = door("secret");
        assert_eq!(admit(Some(&door), None), Err(Refusal::Unauthorized));
        assert_eq!(admit(Some(&door), Some(b"Bearer abc")), Err(Refusal::Unauthorized));
        assert_eq!(admit(Some(&door), Some(b"Basic !!!")), Err(Refusal::Malformed));
        assert_eq!(admit(Some(&door), Some(b"\xff\xfe")), Err(Refusal::Unauthorized));
    }
}
