//! Why a text is no password that could ever be verified. The texts go behind "[user:jo] password: ".

use std::fmt;

/// Why a stored text is refused. Holds nothing of the text but the name of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// Begins like a hash of this kind and is none; what such a hash looks like.
    Malformed { kind: &'static str, shape: &'static str },
    /// A hash of a kind that is not read.
    Foreign { kind: &'static str },
    /// Verifying it would take more than anybody should be able to ask for.
    Costly { what: &'static str, asked: u64, most: u64 },
    /// Verifying it would take so little that it protects nothing, or is not defined.
    Cheap { what: &'static str, asked: u64, least: u64 },
}

/// What to do about each of them.
const REMEDY: &str = "make a new one with supervisorctl hash-password";

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Malformed { kind, shape } => {
                write!(f, "begins like a hash of the kind {kind} and is none ({shape}): {REMEDY}")
            }
            Unfit::Foreign { kind } => write!(f, "hashes of the kind {kind} are not read: {REMEDY}"),
            Unfit::Costly { what, asked, most } => {
                write!(f, "the hash asks for {asked} {what}, and {most} is the most that is taken: {REMEDY}")
            }
            Unfit::Cheap { what, asked, least } => {
                write!(f, "the hash has {asked} {what}, and {least} is the least that is taken: {REMEDY}")
            }
        }
    }
}

impl std::error::Error for Unfit {}
